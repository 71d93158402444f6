// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the tools of its micro-benchmarks: a clock, connections over loopback
 * and memory of user space.
 *
 * What is measured are the calls of a proxy, recvmsg() and sendmsg(), without
 * what TCP does on their occasion: all that is to be received is in the receive
 * queue before the clock starts, and a send window of 0 keeps what is sent in
 * the send queue until the clock has stopped. What is due of acknowledgments is
 * sent before.
 *
 * Buffers are memory of user space, because Libra leaves alone what is not.
 */
#include <linux/in.h>
#include <linux/inetdevice.h>
#include <linux/ktime.h>
#include <linux/mman.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/tcp.h>
#ifdef CONFIG_UML
#include <os.h>
#endif

#include "bench.h"

/* ---- the clock ----------------------------------------------------------- */

static u64 bench_clock_ns;

/**
 * bench_now() - the time
 *
 * The clock of user-mode Linux goes in steps of 256 ns, the host's does not.
 *
 * Return: in ns.
 */
u64 bench_now(void)
{
#ifdef CONFIG_UML
	return os_nsecs();
#else
	return ktime_get_raw_ns();
#endif
}

static int bench_cmp(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 bench_median(u64 *values, u32 n)
{
	sort(values, n, sizeof(*values), bench_cmp, NULL);
	return values[n / 2];
}

/**
 * bench_calibrate() - what does it cost to read the clock?
 */
void bench_calibrate(void)
{
	static u64 ns[BENCH_SAMPLES];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ns); i++) {
		u64 from = bench_now();

		ns[i] = bench_now() - from;
	}
	bench_clock_ns = bench_median(ns, ARRAY_SIZE(ns));
	pr_info("libra-bench: clock 0 %llu ns\n", bench_clock_ns);
}

/**
 * bench_start() - begin a series
 * @s: series
 * @name: of it
 * @size: bytes it is about, or 0
 * @ops: operations in a sample
 */
void bench_start(struct bench_series *s, const char *name, u32 size, u32 ops)
{
	s->name = name;
	s->size = size;
	s->ops = ops;
	s->samples = 0;
	s->rounds = 0;
}

/**
 * bench_sample() - note what was measured
 * @s: series
 * @from: bench_now() before
 * @to: bench_now() behind it
 */
void bench_sample(struct bench_series *s, u64 from, u64 to)
{
	u64 ns = to - from;

	if (s->samples < BENCH_SAMPLES)
		s->sample[s->samples++] = ns > bench_clock_ns ?
					  ns - bench_clock_ns : 0;
}

/**
 * bench_end_round() - the samples since the last round make one
 * @s: series
 *
 * The median, because of the timer's interrupts.
 */
void bench_end_round(struct bench_series *s)
{
	if (s->samples && s->rounds < BENCH_ROUNDS)
		s->round[s->rounds++] = bench_median(s->sample, s->samples);
	s->samples = 0;
}

static void bench_print(const struct bench_series *s, const char *what, u64 ns)
{
	u64 hundredths = div_u64(ns * 100, s->ops);
	u32 rest;

	hundredths = div_u64_rem(hundredths, 100, &rest);
	pr_info("libra-bench: %s.%s %u %llu.%02u ns\n", s->name, what, s->size,
		hundredths, rest);
}

/**
 * bench_report() - print a series
 * @s: series
 *
 * Return: the median of its rounds, in ns for each operation.
 */
u64 bench_report(struct bench_series *s)
{
	u64 median;

	if (!s->rounds)
		return 0;
	median = bench_median(s->round, s->rounds);
	bench_print(s, "min", s->round[0]);
	bench_print(s, "median", median);
	return div_u64(median, s->ops);
}

/* ---- connections --------------------------------------------------------- */

static void bench_loopback_up(struct kunit *test)
{
	struct net_device *lo = init_net.loopback_dev;
	int err;

	rtnl_lock();
	err = dev_change_flags(lo, lo->flags | IFF_UP, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, 0, err);
}

static void bench_release(void *sock)
{
	sock_release(sock);
}

static struct socket *bench_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create(PF_INET, SOCK_STREAM, IPPROTO_TCP, &sock));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bench_release,
							   sock));
	return sock;
}

/* Room for all that is in flight at a time. */
static void bench_room(struct socket *sock)
{
	struct sock *sk = sock->sk;

	tcp_sock_set_nodelay(sk);
	lock_sock(sk);
	WRITE_ONCE(sk->sk_rcvbuf, 16 * BENCH_BUF);
	WRITE_ONCE(sk->sk_sndbuf, 16 * BENCH_BUF);
	sk->sk_userlocks |= SOCK_RCVBUF_LOCK | SOCK_SNDBUF_LOCK;
	release_sock(sk);
}

/**
 * bench_connect() - make a connection
 * @test: at whose end it is closed
 * @conn: where to
 */
void bench_connect(struct kunit *test, struct bench_conn *conn)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *addr = (struct sockaddr *)&at;
	struct socket *listener;

	bench_loopback_up(test);
	listener = bench_socket(test);
	conn->near = bench_socket(test);
	bench_room(listener);
	bench_room(conn->near);
	KUNIT_ASSERT_EQ(test, 0, kernel_bind(listener, addr, sizeof(at)));
	KUNIT_ASSERT_EQ(test, 0, kernel_listen(listener, 1));
	KUNIT_ASSERT_LT(test, 0, kernel_getsockname(listener, addr));
	KUNIT_ASSERT_EQ(test, 0, kernel_connect(conn->near, addr, sizeof(at), 0));
	KUNIT_ASSERT_EQ(test, 0, kernel_accept(listener, &conn->far, 0));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bench_release,
							   conn->far));
	bench_room(conn->far);
	kunit_release_action(test, bench_release, listener);
}

/**
 * bench_attach() - attach the near end
 * @test: fails if it cannot be
 * @conn: connection
 * @domain: of the attachment
 * @flags: LIBRA_F_*
 */
void bench_attach(struct kunit *test, struct bench_conn *conn, u32 domain,
		  u32 flags)
{
	struct libra_attach args = {
		.parser = LIBRA_TEST_PARSER,
		.domain = domain,
		.mode = LIBRA_MODE_TOKEN,
		.flags = flags,
	};
	int err;

	lock_sock(conn->near->sk);
	err = libra_attach_sock(conn->near->sk, &args, false);
	release_sock(conn->near->sk);
	KUNIT_ASSERT_EQ(test, 0, err);
}

/* Neither a read nor a timer is to do it while the clock runs. */
static void bench_acknowledge(struct sock *sk)
{
	lock_sock(sk);
	tcp_send_ack(sk);
	release_sock(sk);
}

/**
 * bench_fill() - put bytes into the near end's receive queue
 * @test: fails if they do not arrive
 * @conn: connection
 * @data: kernel memory
 * @len: how many
 */
void bench_fill(struct kunit *test, struct bench_conn *conn, void *data, u32 len)
{
	struct kvec vec = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {};
	int tries = 500;

	KUNIT_ASSERT_EQ(test, (int)len,
			kernel_sendmsg(conn->far, &msg, &vec, 1, len));
	while (tcp_inq(conn->near->sk) != len && tries--)
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_EQ(test, (int)len, tcp_inq(conn->near->sk));
	bench_acknowledge(conn->near->sk);
}

/**
 * bench_drain() - take what was sent from the far end
 * @test: fails if it does not arrive
 * @conn: connection
 * @into: kernel memory, or NULL to throw it away
 * @len: how many bytes
 */
void bench_drain(struct kunit *test, struct bench_conn *conn, void *into, u32 len)
{
	struct kvec vec = { .iov_base = into, .iov_len = len };
	struct msghdr msg = {};

	KUNIT_ASSERT_EQ(test, (int)len,
			kernel_recvmsg(conn->far, &msg, &vec, 1, len,
				       MSG_WAITALL | (into ? 0 : MSG_TRUNC)));
	bench_acknowledge(conn->far->sk);
}

/**
 * bench_stall() - let what the near end sends stay in its send queue
 * @conn: connection, with nothing under way
 */
void bench_stall(struct bench_conn *conn)
{
	struct sock *sk = conn->near->sk;

	lock_sock(sk);
	tcp_sk(sk)->snd_wnd = 0;
	release_sock(sk);
}

/**
 * bench_go_on() - and let it go
 * @conn: connection
 */
void bench_go_on(struct bench_conn *conn)
{
	struct sock *sk = conn->near->sk;

	lock_sock(sk);
	tcp_sk(sk)->snd_wnd = tcp_sk(sk)->max_window;
	release_sock(sk);
	tcp_sock_set_cork(sk, false);
}

/* ---- the proxy ----------------------------------------------------------- */

/**
 * bench_recv() - recv() at the near end
 * @conn: connection
 * @buf: memory of user space
 * @len: its size
 * @flags: MSG_*
 *
 * Return: as recv(2).
 */
int bench_recv(struct bench_conn *conn, void __user *buf, u32 len, int flags)
{
	struct msghdr msg = {};

	iov_iter_ubuf(&msg.msg_iter, ITER_DEST, buf, len);
	return sock_recvmsg(conn->near, &msg, flags | MSG_DONTWAIT);
}

/**
 * bench_send() - send() at the near end
 * @conn: connection
 * @buf: memory of user space
 * @len: how many bytes
 *
 * Return: as send(2).
 */
int bench_send(struct bench_conn *conn, void __user *buf, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };

	iov_iter_ubuf(&msg.msg_iter, ITER_SOURCE, buf, len);
	return sock_sendmsg(conn->near, &msg);
}

/* ---- memory -------------------------------------------------------------- */

/**
 * bench_user_buffer() - memory of user space, all there
 * @test: whose address space it is in
 * @len: bytes
 *
 * Return: never NULL.
 */
void __user *bench_user_buffer(struct kunit *test, u32 len)
{
	unsigned long at;

	at = kunit_vm_mmap(test, NULL, 0, len, PROT_READ | PROT_WRITE,
			   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0, at);
	KUNIT_ASSERT_LT(test, at, (unsigned long)TASK_SIZE);
	KUNIT_ASSERT_EQ(test, 0, clear_user((void __user *)at, len));
	return (void __user *)at;
}

KUNIT_DEFINE_ACTION_WRAPPER(bench_vfree, vfree, const void *);

/**
 * bench_buffer() - memory of the kernel
 * @test: at whose end it is freed
 * @len: bytes
 *
 * Return: never NULL.
 */
void *bench_buffer(struct kunit *test, u32 len)
{
	void *buf = vmalloc(len);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bench_vfree, buf));
	return buf;
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
