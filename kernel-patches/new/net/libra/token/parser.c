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

const char *const libra_reason_names[LIBRA_REASON_MAX] = {
#define X(e, name, text) [LIBRA_REASON_##e] = name,
	LIBRA_REASON_LIST(X)
#undef X
};

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
 * libra_parser_check() - can it be registered?
 * @ops: callbacks
 *
 * Return: 0, -EPROTONOSUPPORT when it is of another ABI, -EINVAL.
 */
int libra_parser_check(const struct libra_parser_ops *ops)
{
	if (ops->abi < LIBRA_PARSER_ABI_MIN || ops->abi > LIBRA_PARSER_ABI)
		return -EPROTONOSUPPORT;
	return ops->segment && libra_name_valid(ops->name) ? 0 : -EINVAL;
}

/**
 * libra_parser_register() - make a parser known
 * @ops: callbacks; must stay until libra_parser_unregister() returns
 *
 * Context: process context, sleeps: the first parser enables the hooks.
 * Return: 0, -EEXIST, -ENOMEM, or what libra_parser_check() or the hooks said.
 */
int libra_parser_register(const struct libra_parser_ops *ops)
{
	struct libra_parser *parser, *other;
	int err;

	err = libra_parser_check(ops);
	if (err)
		return err;

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

/**
 * libra_parser_replace() - put another parser in the place of one
 * @old: as registered
 * @ops: callbacks; must stay until libra_parser_unregister() returns
 *
 * Sockets go on with @ops where they are, in the middle of a message as well: what
 * @old left in their scratch memory is now its own, so both have to keep the same
 * in there. A parser that keeps something else is only taken while no socket has
 * one. Who attaches just then has it read by neither, see libra_seg_ask().
 *
 * When this returns, nobody is or will be inside @old.
 *
 * Context: process context, sleeps.
 * Return: 0, -EINVAL for another name, -EBUSY for another scratch memory, -ENOENT,
 * or what libra_parser_check() said.
 */
int libra_parser_replace(const struct libra_parser_ops *old,
			 const struct libra_parser_ops *ops)
{
	struct libra_parser *parser;
	int err;

	err = libra_parser_check(ops);
	if (err)
		return err;

	mutex_lock(&libra_parsers_lock);
	err = -ENOENT;
	list_for_each_entry(parser, &libra_parsers, node) {
		if (rcu_access_pointer(parser->ops) != old)
			continue;
		if (strcmp(parser->name, ops->name)) {
			err = -EINVAL;
		} else if (old->keeps != ops->keeps &&
			   refcount_read(&parser->ref) > 1) {
			err = -EBUSY;
		} else {
			rcu_assign_pointer(parser->ops, ops);
			err = 0;
		}
		break;
	}
	mutex_unlock(&libra_parsers_lock);

	/* libra_seg_ask() runs the parser under RCU. */
	if (!err)
		synchronize_rcu();
	return err;
}
