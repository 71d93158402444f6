// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: attachments of a socket that is not one, and a parser that answers what a test
 * wants.
 */
#include <linux/slab.h>
#include <linux/tcp.h>

#include "check.h"
#include "token_test.h"

int (*libra_test_segment)(struct libra_ctx *ctx);
static bool libra_test_registered;

static int libra_test_ask(struct libra_ctx *ctx)
{
	return libra_test_segment(ctx);
}

static const struct libra_parser_ops libra_test_ops = {
	.segment = libra_test_ask,
	.name = LIBRA_TEST_PARSER,
	.abi = LIBRA_PARSER_ABI,
};

const u8 *libra_test_data(const struct libra_ctx *ctx)
{
	return container_of(ctx, struct libra_call, ctx)->data;
}

int libra_test_suite_init(struct kunit_suite *suite)
{
	int err = libra_parser_register(&libra_test_ops);

	libra_test_registered = !err;
	return err;
}

void libra_test_suite_exit(struct kunit_suite *suite)
{
	libra_test_unregister();
}

void libra_test_unregister(void)
{
	if (libra_test_registered)
		libra_parser_unregister(&libra_test_ops);
	libra_test_registered = false;
}

/* What libra_sk_destruct() does, as far as there is no socket. */
static void libra_test_sock_end(void *arg)
{
	struct libra_sock *ls = arg;

	libra_sock_end_messages(ls, false);
	libra_check_free(ls);
	libra_seg_free(&ls->rx.seg);
	libra_seg_free(&ls->tx.seg);
	libra_passing_end(ls);
	libra_account_put(&ls->account);
}

/**
 * libra_test_sock() - an attachment
 * @test: at whose end it goes
 * @domain: its domain
 * @role: towards which side
 *
 * Return: never NULL.
 */
struct libra_sock *libra_test_sock(struct kunit *test, u32 domain,
				   enum libra_role role)
{
	/* Freed with its last reference, so KUnit must not. */
	struct libra_sock *ls = kzalloc(sizeof(*ls), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ls);
	/* For what is read from it: its memory cgroup, addresses of a trace. */
	ls->sk = kunit_kzalloc(test, sizeof(struct tcp_sock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ls->sk);
	libra_sock_init_account(ls, libra_net(&init_net));
	ls->dom = libra_domain_get(ls->net, domain);
	ls->parser = libra_parser_get(LIBRA_TEST_PARSER);
	ls->mode = LIBRA_MODE_TOKEN;
	ls->role = role;
	spin_lock_init(&ls->parse_lock);
	mutex_init(&ls->tx_lock);
	INIT_LIST_HEAD(&ls->minted);
	INIT_LIST_HEAD(&ls->redeeming);
	INIT_LIST_HEAD(&ls->passing.uses);
	ls->call.ctx.role = role;
	KUNIT_ASSERT_NOT_NULL(test, ls->dom);
	KUNIT_ASSERT_NOT_NULL(test, ls->parser);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, libra_test_sock_end, ls));
	return ls;
}

/**
 * libra_test_sock_end_now() - end an attachment before its test ends
 * @test: as at libra_test_sock()
 * @ls: attachment
 */
void libra_test_sock_end_now(struct kunit *test, struct libra_sock *ls)
{
	kunit_release_action(test, libra_test_sock_end, ls);
}
