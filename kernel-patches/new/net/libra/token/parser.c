// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the registry of parsers, whether they come as BPF struct_ops or from
 * kernel code.
 */
#include <linux/ctype.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "token.h"

static DEFINE_MUTEX(libra_parsers_lock);	/* writers of libra_parsers */
static LIST_HEAD(libra_parsers);

/**
 * libra_name_valid() - is this a parser name?
 * @name: LIBRA_NAME_MAX bytes from anywhere
 *
 * Return: true for 1 to 15 of [a-z0-9_-] and a NUL.
 */
bool libra_name_valid(const char *name)
{
	int i;

	for (i = 0; i < LIBRA_NAME_MAX && name[i]; i++)
		if (!islower(name[i]) && !isdigit(name[i]) &&
		    name[i] != '_' && name[i] != '-')
			return false;
	return i > 0 && i < LIBRA_NAME_MAX;
}

static void libra_parser_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct libra_parser, rcu));
}

/**
 * libra_parser_put() - drop a reference
 * @parser: parser
 *
 * Context: any.
 */
void libra_parser_put(struct libra_parser *parser)
{
	if (refcount_dec_and_test(&parser->ref))
		call_rcu(&parser->rcu, libra_parser_free_rcu);
}

/**
 * libra_parser_get() - find a registered parser
 * @name: valid name
 *
 * Context: any.
 * Return: the parser with a reference, or NULL.
 */
struct libra_parser *libra_parser_get(const char *name)
{
	struct libra_parser *parser;

	rcu_read_lock();
	list_for_each_entry_rcu(parser, &libra_parsers, node) {
		if (strcmp(parser->name, name))
			continue;
		/* Pairs with the one in libra_parser_register(). */
		if (smp_load_acquire(&parser->hooked) && refcount_inc_not_zero(&parser->ref))
			goto out;
	}
	parser = NULL;
out:
	rcu_read_unlock();
	return parser;
}

/**
 * libra_parsers_registered() - is there any parser?
 *
 * Context: any; a hint unless the caller excludes registration.
 * Return: true when there is.
 */
bool libra_parsers_registered(void)
{
	return !list_empty(&libra_parsers);
}

/**
 * libra_parser_register() - make a parser known
 * @ops: callbacks; must stay until libra_parser_unregister() returns
 *
 * Context: process context, sleeps: the first parser enables the hooks.
 * Return: 0, -EINVAL for a bad name, -EEXIST, -ENOMEM, or what the hooks said.
 */
int libra_parser_register(const struct libra_parser_ops *ops)
{
	struct libra_parser *parser, *other;
	int err = 0;

	if (!ops->segment || !libra_name_valid(ops->name))
		return -EINVAL;

	parser = kzalloc(sizeof(*parser), GFP_KERNEL);
	if (!parser)
		return -ENOMEM;
	refcount_set(&parser->ref, 1);
	strscpy(parser->name, ops->name, sizeof(parser->name));
	RCU_INIT_POINTER(parser->ops, ops);

	mutex_lock(&libra_parsers_lock);
	list_for_each_entry(other, &libra_parsers, node)
		if (!strcmp(other->name, parser->name))
			err = -EEXIST;
	if (!err)
		list_add_rcu(&parser->node, &libra_parsers);
	mutex_unlock(&libra_parsers_lock);

	if (err) {
		kfree(parser);
		return err;
	}

	err = libra_hook_enable();
	if (err) {
		libra_parser_unregister(ops);
		return err;
	}
	/* What was used without the hooks, or without a parser, went unnoticed. */
	libra_sessions_again();
	smp_store_release(&parser->hooked, true); /* pairs with libra_parser_get() */
	return 0;
}

/**
 * libra_parser_unregister() - take a parser away
 * @ops: as registered
 *
 * Sockets that use it finish the segment they are in and then pass. When this
 * returns, nobody is or will be inside @ops.
 *
 * Context: process context, sleeps.
 */
void libra_parser_unregister(const struct libra_parser_ops *ops)
{
	struct libra_parser *parser, *found = NULL;

	mutex_lock(&libra_parsers_lock);
	list_for_each_entry(parser, &libra_parsers, node) {
		if (rcu_access_pointer(parser->ops) == ops) {
			list_del_rcu(&parser->node);
			RCU_INIT_POINTER(parser->ops, NULL);
			found = parser;
			break;
		}
	}
	mutex_unlock(&libra_parsers_lock);

	/* libra_seg_ask() runs the parser under RCU. */
	synchronize_rcu();
	if (found)
		libra_parser_put(found);
	libra_hook_update();
}
