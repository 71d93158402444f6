// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of an attachment's place in its socket's stream, and of its end.
 */
#include <linux/net.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "token_test.h"

/* In a message of which so much is to come; nothing has been read yet. */
static struct libra_sock *sock_in_payload(struct kunit *test, u64 left)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_ACTIVE);
	struct tcp_sock *tp = tcp_sk(ls->sk);

	/* The beginning of the stream, which the peer chose. */
	tp->rcv_nxt = 0xfffff000;
	tp->copied_seq = tp->rcv_nxt;
	ls->rx.pos = libra_rx_pos(ls->sk);
	ls->rx.seg.state = LIBRA_SEG_PAYLOAD;
	ls->rx.seg.left = left;
	return ls;
}

/* The peer sent so much more; of all that is queued, @queued bytes were not read. */
static void sock_read_past(struct libra_sock *ls, u64 more, u32 queued)
{
	struct tcp_sock *tp = tcp_sk(ls->sk);

	tp->bytes_received += more;
	tp->rcv_nxt += more;
	tp->copied_seq = tp->rcv_nxt - queued;
}

/* By splice(), say. */
static void sock_resync(struct kunit *test)
{
	struct libra_sock *ls = sock_in_payload(test, 10000);

	sock_read_past(ls, 5000, 2000);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PAYLOAD, ls->rx.seg.state);
	KUNIT_EXPECT_EQ(test, 7000, ls->rx.seg.left);
	sock_read_past(ls, 0, 0);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, 5000, ls->rx.seg.left);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, 5000, ls->rx.seg.left);
	sock_read_past(ls, 5000, 0);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_ASK, ls->rx.seg.state);
	/* What begins there passed, too. */
	sock_read_past(ls, 1, 0);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PASS, ls->rx.seg.state);
}

/* Sequence numbers come round: 4 GiB are not nothing. */
static void sock_resync_far(struct kunit *test)
{
	static const u64 far[] = { SZ_4G - 1, SZ_4G, SZ_4G + 1, 2 * SZ_4G + 5000 };
	struct libra_sock *ls;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(far); i++) {
		ls = sock_in_payload(test, 3 * SZ_4G);
		sock_read_past(ls, far[i] + 100, 100);
		libra_rx_resync(ls);
		KUNIT_EXPECT_EQ(test, LIBRA_SEG_PAYLOAD, ls->rx.seg.state);
		KUNIT_EXPECT_EQ(test, 3 * SZ_4G - far[i], ls->rx.seg.left);
	}
	/* Beyond the end of the message. */
	ls = sock_in_payload(test, 10000);
	sock_read_past(ls, SZ_4G + 5000, 0);
	libra_rx_resync(ls);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PASS, ls->rx.seg.state);
}

/*
 * A socket dies in any context. What its segmenters kept of a header may be of
 * vmalloc(), if there were no pages in a row: vfree() must not be called there, as
 * CONFIG_DEBUG_ATOMIC_SLEEP would tell.
 */
static void sock_dies_in_a_header(struct kunit *test)
{
	struct libra_attach args = {
		.domain = LIBRA_TEST_DOMAIN,
		.mode = LIBRA_MODE_TOKEN,
		.parser = LIBRA_TEST_PARSER,
	};
	struct libra_net *ln = libra_net(&init_net);
	long attached = atomic_long_read(&ln->attached);
	struct libra_seg *segs[2];
	struct libra_sock *ls;
	struct socket *sock;
	int i, err;

	KUNIT_ASSERT_EQ(test, 0, sock_create(AF_INET, SOCK_STREAM, IPPROTO_TCP, &sock));
	lock_sock(sock->sk);
	err = libra_attach_sock(sock->sk, &args, true);
	release_sock(sock->sk);
	KUNIT_EXPECT_EQ(test, 0, err);
	if (!err) {
		ls = libra_sk(sock->sk);
		segs[0] = &ls->rx.seg;
		segs[1] = &ls->tx.seg;
		for (i = 0; i < 2; i++) {
			segs[i]->behind = vmalloc(SZ_64K);
			segs[i]->behind_size = segs[i]->behind ? SZ_64K : 0;
			KUNIT_EXPECT_NOT_NULL(test, segs[i]->behind);
		}
	}
	sock_release(sock);
	KUNIT_EXPECT_EQ(test, attached, atomic_long_read(&ln->attached));
}

static struct kunit_case attachment_cases[] = {
	KUNIT_CASE(sock_resync),
	KUNIT_CASE(sock_resync_far),
	KUNIT_CASE(sock_dies_in_a_header),
	{}
};

static struct kunit_suite attachment_suite = {
	.name = "libra_attachment",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = attachment_cases,
};

kunit_test_suite(attachment_suite);
