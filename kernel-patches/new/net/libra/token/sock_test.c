// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of attached sockets, over loopback: what a peer that changes its
 * bytes while they are received can do, and who else wants a socket's destructor.
 */
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/uaccess.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "token_test.h"

/**
 * struct sock_test - a connection
 * @near: the proxy's end, attached
 * @far: its peer's
 * @page: of the peer, who sends from it and writes to it
 * @buf: the proxy's memory
 * @rest: what the parser says of a header whose end it has not seen
 * @seen: of the bytes at hand, as the parser saw them
 */
struct sock_test {
	struct socket *near;
	struct socket *far;
	u8 *page;
	u8 __user *buf;
	u32 rest;
	u8 seen[256];
};

static struct sock_test *sock_test;

static void sock_test_free_page(void *page)
{
	free_page((unsigned long)page);
}

static void sock_test_release(void *sock)
{
	sock_release(sock);
}

static struct socket *sock_test_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create(PF_INET, SOCK_STREAM, IPPROTO_TCP, &sock));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sock_test_release, sock));
	return sock;
}

static int sock_test_attach(struct socket *sock, u32 flags)
{
	struct libra_attach args = {
		.parser = LIBRA_TEST_PARSER,
		.domain = LIBRA_TEST_DOMAIN,
		.mode = LIBRA_MODE_TOKEN,
		.flags = flags,
	};
	int err;

	lock_sock(sock->sk);
	err = libra_attach_sock(sock->sk, &args, false);
	release_sock(sock->sk);
	return err;
}

static void sock_test_connect(struct kunit *test, struct sock_test *t)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *addr = (struct sockaddr *)&at;
	struct net_device *lo = init_net.loopback_dev;
	struct socket *listener = sock_test_socket(test);
	int err;

	rtnl_lock();
	err = dev_change_flags(lo, lo->flags | IFF_UP, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, 0, err);
	KUNIT_ASSERT_EQ(test, 0, kernel_bind(listener, addr, sizeof(at)));
	KUNIT_ASSERT_EQ(test, 0, kernel_listen(listener, 1));
	KUNIT_ASSERT_LT(test, 0, kernel_getsockname(listener, addr));
	t->near = sock_test_socket(test);
	KUNIT_ASSERT_EQ(test, 0, kernel_connect(t->near, addr, sizeof(at), 0));
	KUNIT_ASSERT_EQ(test, 0, kernel_accept(listener, &t->far, 0));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sock_test_release, t->far));
	kunit_release_action(test, sock_test_release, listener);
}

static struct sock_test *sock_test_begin(struct kunit *test,
					 int (*segment)(struct libra_ctx *ctx))
{
	struct sock_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long at;

	KUNIT_ASSERT_NOT_NULL(test, t);
	sock_test = t;
	t->page = (u8 *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sock_test_free_page, t->page));
	at = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0, at);
	t->buf = (u8 __user *)at;
	libra_test_segment = segment;
	sock_test_connect(test, t);
	KUNIT_ASSERT_EQ(test, 0, sock_test_attach(t->near, LIBRA_F_ACTIVE));
	return t;
}

/* With MSG_SPLICE_PAGES, as of a peer that uses vmsplice(): he may still write his page. */
static void sock_test_feed(struct kunit *test, struct sock_test *t, u8 byte, u32 len, int flags)
{
	struct msghdr msg = { .msg_flags = flags };
	struct bio_vec bv;
	int tries = 500;

	memset(t->page, byte, len);
	bvec_set_virt(&bv, t->page, len);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bv, 1, len);
	KUNIT_ASSERT_EQ(test, (int)len, sock_sendmsg(t->far, &msg));
	while (tcp_inq(t->near->sk) != len && tries--)
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_EQ(test, (int)len, tcp_inq(t->near->sk));
}

static void sock_test_recv(struct kunit *test, struct sock_test *t, u32 at, u32 len)
{
	struct msghdr msg = {};

	iov_iter_ubuf(&msg.msg_iter, ITER_DEST, t->buf + at, len);
	KUNIT_ASSERT_EQ(test, (int)len, sock_recvmsg(t->near, &msg, MSG_DONTWAIT));
}

/* The application has, and the parser saw, this. */
static void sock_test_expect(struct kunit *test, struct sock_test *t, u32 at, u8 byte,
			     u32 len)
{
	u8 got[sizeof(t->seen)], expected[sizeof(t->seen)];

	KUNIT_ASSERT_LE(test, at + len, (u32)sizeof(got));
	memset(expected, byte, len);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(got, t->buf, at + len));
	KUNIT_EXPECT_MEMEQ(test, got + at, expected, len);
	KUNIT_EXPECT_MEMEQ(test, t->seen + at, expected, len);
}

/* The peer writes as soon as the parser has looked. */
static int sock_test_race(struct libra_ctx *ctx)
{
	struct sock_test *t = sock_test;

	memcpy(t->seen, libra_test_data(ctx), min_t(u32, ctx->avail, sizeof(t->seen)));
	memset(t->page, 'X', PAGE_SIZE);
	ctx->seg_len = ctx->avail + t->rest;
	return t->rest ? LIBRA_NEED_MORE : LIBRA_META;
}

static void sock_copies_what_was_parsed(struct kunit *test)
{
	struct sock_test *t = sock_test_begin(test, sock_test_race);

	sock_test_feed(test, t, 'a', 200, MSG_SPLICE_PAGES);
	sock_test_recv(test, t, 0, 200);
	sock_test_expect(test, t, 0, 'a', 200);
}

/* A header in two parts: what is kept of the first is what the application got. */
static void sock_keeps_what_was_copied(struct kunit *test)
{
	struct sock_test *t = sock_test_begin(test, sock_test_race);

	t->rest = 1;
	sock_test_feed(test, t, 'a', 100, MSG_SPLICE_PAGES);
	/* And the application may take it in parts. */
	sock_test_recv(test, t, 0, 40);
	memset(t->page, 'b', 100);
	sock_test_recv(test, t, 40, 60);
	t->rest = 0;
	sock_test_feed(test, t, 'c', 100, MSG_SPLICE_PAGES);
	sock_test_recv(test, t, 100, 100);
	sock_test_expect(test, t, 0, 'a', 40);
	sock_test_expect(test, t, 40, 'b', 60);
	sock_test_expect(test, t, 100, 'c', 100);
}

/* What is the kernel's own is parsed where it is. */
static void sock_parses_in_place(struct kunit *test)
{
	struct sock_test *t = sock_test_begin(test, sock_test_race);

	sock_test_feed(test, t, 'a', 200, 0);
	sock_test_recv(test, t, 0, 200);
	sock_test_expect(test, t, 0, 'a', 200);
}

/* The number by which a parser knows a connection is the one that others know it by. */
static void sock_has_a_number(struct kunit *test)
{
	struct sock_test *t = sock_test_begin(test, sock_test_race);
	struct libra_sock *ls = libra_sk(t->near->sk), *far;

	KUNIT_ASSERT_EQ(test, 0, sock_test_attach(t->far, 0));
	far = libra_sk(t->far->sk);
	KUNIT_EXPECT_NE(test, 0, ls->call.ctx.conn);
	KUNIT_EXPECT_EQ(test, ls->call.ctx.conn, (u64)atomic64_read(&t->near->sk->sk_cookie));
	KUNIT_EXPECT_NE(test, ls->call.ctx.conn, far->call.ctx.conn);
}

/* The kernel's own do not keep their network namespace. */
static void sock_of_the_kernel_is_refused(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, PF_INET, SOCK_STREAM,
						  IPPROTO_TCP, &sock));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, sock_test_attach(sock, 0));
	KUNIT_EXPECT_NULL(test, libra_sk(sock->sk));
	sock_release(sock);
}

/* ---- TLS that a device does ----------------------------------------------- */

struct sock_tls {
	struct tls_context ctx;
	int listed;
	int ended;
};

static struct sock_tls *sock_tls;

static void sock_tls_destruct(struct sock *sk)
{
	/* A chain that comes back to us would not end. */
	if (!sock_tls->ended++)
		sock_tls->ctx.sk_destruct(sk);
}

/* tls_device_attach(): once for each direction that a device does. */
static void sock_tls_offload(struct sock *sk)
{
	if (sk->sk_destruct == sock_tls_destruct)
		return;
	sock_tls->listed++;
	sock_tls->ctx.sk_destruct = sk->sk_destruct;
	WRITE_ONCE(sk->sk_destruct, sock_tls_destruct);
}

static const struct tcp_ulp_ops sock_tls_ops = { .name = "tls" };

static struct socket *sock_tls_begin(struct kunit *test)
{
	struct socket *sock;

	sock_tls = kunit_kzalloc(test, sizeof(*sock_tls), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sock_tls);
	libra_test_segment = sock_test_race;
	sock = sock_test_socket(test);
	inet_csk(sock->sk)->icsk_ulp_ops = &sock_tls_ops;
	rcu_assign_pointer(inet_csk(sock->sk)->icsk_ulp_data, &sock_tls->ctx);
	sock_tls->ctx.sk_proto = sock->sk->sk_prot;
	return sock;
}

/* TLS knew the socket once, and everybody's destructor runs once. */
static void sock_tls_end(struct kunit *test, struct socket *sock)
{
	int attached = atomic_read(&libra_attached);

	KUNIT_ASSERT_EQ(test, 1, sock_tls->listed);
	kunit_release_action(test, sock_test_release, sock);
	KUNIT_EXPECT_EQ(test, 1, sock_tls->ended);
	KUNIT_EXPECT_EQ(test, attached - 1, atomic_read(&libra_attached));
}

/* A device does one direction, the socket is attached, and it does the other, too. */
static void sock_attaches_below_tls(struct kunit *test)
{
	struct socket *sock = sock_tls_begin(test);

	sock_tls_offload(sock->sk);
	KUNIT_ASSERT_EQ(test, 0, sock_test_attach(sock, 0));
	/* By this TLS and its drivers know such a socket. */
	KUNIT_EXPECT_TRUE(test, sock->sk->sk_destruct == sock_tls_destruct);
	sock_tls_offload(sock->sk);
	sock_tls_end(test, sock);
}

static void sock_lets_tls_come_later(struct kunit *test)
{
	struct socket *sock = sock_tls_begin(test);

	KUNIT_ASSERT_EQ(test, 0, sock_test_attach(sock, 0));
	sock_tls_offload(sock->sk);
	sock_tls_offload(sock->sk);
	KUNIT_EXPECT_EQ(test, -EEXIST, sock_test_attach(sock, 0));
	sock_tls_end(test, sock);
}

static struct kunit_case sock_cases[] = {
	KUNIT_CASE(sock_copies_what_was_parsed),
	KUNIT_CASE(sock_keeps_what_was_copied),
	KUNIT_CASE(sock_parses_in_place),
	KUNIT_CASE(sock_has_a_number),
	KUNIT_CASE(sock_of_the_kernel_is_refused),
	KUNIT_CASE(sock_attaches_below_tls),
	KUNIT_CASE(sock_lets_tls_come_later),
	{}
};

static struct kunit_suite sock_suite = {
	.name = "libra_sock",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = sock_cases,
};

kunit_test_suite(sock_suite);
