// SPDX-License-Identifier: GPL-2.0-only
/* How connections end, and that many of them come and go. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "fixture.h"

#define SIZE	20000
#define SOON	2000

static void reset(struct __test_metadata *_metadata, int *fd)
{
	struct linger now = { .l_onoff = 1 };

	ASSERT_EQ(0, setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	relay_shut(fd);
}

/* A message, read by one call. */
static char *take(struct __test_metadata *_metadata, struct relay *r,
		  size_t payload, size_t *total)
{
	char *buf;

	*total = relay_feed(r, payload);
	buf = relay_buffer(*total + 1);
	ASSERT_EQ(*total, recv(r->up, buf, *total + 1, 0));
	EXPECT_EQ(relay_due(r, payload), relay_anchored(r));
	return buf;
}

/* A ends, the proxy tells B; the other direction goes on. */
RELAY_TEST(half_close)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total + 1);

	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	ASSERT_EQ(total, recv(r->up, buf, total + 1, 0));
	EXPECT_EQ(0, recv(r->up, buf + total, 1, 0));
	relay_forward(r, buf, total);
	ASSERT_EQ(0, shutdown(r->down, SHUT_WR));
	ASSERT_TRUE(relay_exact_part(r, total));
	EXPECT_TRUE(relay_at_end(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));

	ASSERT_EQ(5, send(r->b, "adieu", 5, 0));
	ASSERT_EQ(5, recv(r->down, buf, total, 0));
	ASSERT_EQ(5, send(r->up, buf, 5, 0));
	ASSERT_EQ(5, recv(r->a, buf, total, 0));
	EXPECT_EQ(0, memcmp(buf, "adieu", 5));
}

RELAY_TEST(shutdown_write)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);

	relay_forward(r, buf, total);
	ASSERT_EQ(0, shutdown(r->down, SHUT_WR));
	EXPECT_EQ(-1, send(r->down, buf, 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	ASSERT_TRUE(relay_exact_part(r, total));
	EXPECT_TRUE(relay_at_end(r));
	/* The proxy may still read, and its upstream still be written to. */
	ASSERT_EQ(1, send(r->b, "x", 1, 0));
	ASSERT_EQ(1, recv(r->down, buf, 10, 0));
}

static bool sigpipe_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGPIPE);
}

RELAY_TEST(sigpipe)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	relay_forward(r, buf, total);
	ASSERT_EQ(0, shutdown(r->down, SHUT_WR));
	EXPECT_EQ(-1, send(r->down, buf, 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_FALSE(sigpipe_pending());
	EXPECT_EQ(-1, send(r->down, buf, 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_TRUE(sigpipe_pending());
	EXPECT_TRUE(relay_exact_part(r, total));
}

/* What is in the queue can be read after SHUT_RD, then comes the end. */
RELAY_TEST(shutdown_read)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char *buf = relay_buffer(total + 1);

	ASSERT_EQ(half, recv(r->up, buf, half, 0));
	ASSERT_EQ(0, shutdown(r->up, SHUT_RD));
	EXPECT_EQ(POLLIN | POLLRDHUP, relay_poll(r->up, POLLIN | POLLRDHUP, 0));
	ASSERT_EQ(total - half, recv(r->up, buf + half, total, 0));
	EXPECT_EQ(0, recv(r->up, buf, 1, 0));
	EXPECT_EQ(0, recv(r->up, buf + total, 1, MSG_DONTWAIT));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

/* Data that came before a reset can be read, then the error, once. */
RELAY_TEST(reset_by_origin)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char *buf = relay_buffer(total + 1);
	int events;

	ASSERT_EQ(half, recv(r->up, buf, half, 0));
	reset(_metadata, &r->a);
	events = POLLIN | POLLOUT | POLLRDHUP;
	EXPECT_EQ(events | POLLERR | POLLHUP,
		  relay_poll(r->up, POLLRDHUP, SOON) | events);
	ASSERT_EQ(total - half, recv(r->up, buf + half, total, 0));
	EXPECT_EQ(-1, recv(r->up, buf, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, recv(r->up, buf + total, 1, 0));
	/* TLS takes a record that it cannot send. */
	EXPECT_EQ(relay_decrypts(r) ? 1 : -1, send(r->up, "x", 1, MSG_NOSIGNAL));
	if (!relay_decrypts(r))
		EXPECT_EQ(EPIPE, errno);
	/* B gets what there was. */
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

RELAY_TEST(reset_error)
{
	socklen_t len = sizeof(int);
	int error = 0;
	char byte;

	reset(_metadata, &r->a);
	EXPECT_NE(0, relay_poll(r->up, POLLRDHUP, SOON));
	ASSERT_EQ(0, getsockopt(r->up, SOL_SOCKET, SO_ERROR, &error, &len));
	EXPECT_EQ(ECONNRESET, error);
	EXPECT_EQ(0, recv(r->up, &byte, 1, 0));
}

/* What a second send() behind a reset says: to TLS an error is for good. */
static int again(const struct relay *r)
{
	return relay_encrypts(r) ? ECONNRESET : EPIPE;
}

/* B goes away in the middle of a message. */
RELAY_TEST(reset_by_client)
{
	size_t total, half;
	char *buf = take(_metadata, r, SIZE, &total);

	r->drops = true;
	half = total / 2;
	relay_forward(r, buf, half);
	ASSERT_TRUE(relay_exact_part(r, half));
	reset(_metadata, &r->b);
	EXPECT_NE(0, relay_poll(r->down, POLLRDHUP, SOON));
	EXPECT_EQ(-1, send(r->down, buf + half, total - half, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(-1, send(r->down, buf + half, total - half, MSG_NOSIGNAL));
	EXPECT_EQ(again(r), errno);
}

/* A piece that is too short to be a VPI is refused like any other. */
RELAY_TEST(piece_after_reset)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);

	r->drops = true;
	relay_forward(r, buf, total - SIZE);
	ASSERT_TRUE(relay_exact_part(r, total - SIZE));
	reset(_metadata, &r->b);
	EXPECT_NE(0, relay_poll(r->down, POLLRDHUP, SOON));
	EXPECT_EQ(-1, send(r->down, buf + total - SIZE, 16, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(-1, send(r->down, buf + total - SIZE, 16, MSG_NOSIGNAL));
	EXPECT_EQ(again(r), errno);
}

/* The sender sleeps when the reset comes: it has sent some, and the error is for the next. */
RELAY_TEST(reset_of_sender)
{
	size_t total, much = 16 << 20;
	char *buf = take(_metadata, r, SIZE, &total);
	char *more = relay_buffer(much);
	char byte;
	ssize_t n;

	r->drops = true;
	relay_forward(r, buf, total);
	ASSERT_TRUE(relay_exact_part(r, total));
	if (!fork()) {
		usleep(50000);
		reset(_metadata, &r->b);
		_exit(0);
	}
	/* The child's must be the last descriptor. */
	close(r->b);
	n = send(r->down, more, much, MSG_NOSIGNAL);
	EXPECT_LT(0, n);
	EXPECT_GT((ssize_t)much, n);
	EXPECT_EQ(-1, recv(r->down, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	wait(NULL);
}

/* No bytes, but an answer. */
RELAY_TEST(empty_send)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);

	r->drops = true;
	relay_forward(r, buf, total);
	ASSERT_TRUE(relay_exact_part(r, total));
	EXPECT_EQ(0, send(r->down, buf, 0, MSG_NOSIGNAL));
	reset(_metadata, &r->b);
	EXPECT_NE(0, relay_poll(r->down, POLLRDHUP, SOON));
	EXPECT_EQ(-1, send(r->down, buf, 0, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(-1, send(r->down, buf, 0, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
}

/* The reader sleeps when the reset comes. */
RELAY_TEST(reset_of_sleeper)
{
	char byte;

	if (!fork()) {
		usleep(50000);
		reset(_metadata, &r->a);
		_exit(0);
	}
	/* The child's must be the last descriptor. */
	close(r->a);
	EXPECT_EQ(-1, recv(r->up, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	wait(NULL);
}

/* The upstream connection ends before the message is sent, as with nginx. */
RELAY_TEST(upstream_closed_first)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);

	relay_shut(&r->up);
	relay_shut(&r->a);
	relay_forward(r, buf, total);
	relay_shut(&r->down);
	ASSERT_TRUE(relay_exact_part(r, total));
	EXPECT_TRUE(relay_at_end(r));
}

/*
 * Sends until nothing more fits, in the receiver's buffer neither; returns how much did, and
 * some of it waits to be sent.
 */
static size_t fill(struct relay *r, const char *buf, size_t total)
{
	struct pollfd room = { .fd = r->down, .events = POLLOUT };
	size_t done = 0;

	do {
		ssize_t n = send(r->down, buf + done, total - done, MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			break;
		done += n > 0 ? n : 0;
	} while (done < total && poll(&room, 1, 300) == 1);
	return done;
}

/* close() waits until B has all that was accepted ... */
RELAY_TEST(linger)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 10 };
	size_t total, done;
	double begin;
	pid_t pid;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	r->drops = true;
	buf = take(_metadata, r, 400000, &total);
	ASSERT_EQ(0, setsockopt(r->down, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
	done = fill(r, buf, total);
	ASSERT_GT(total, done);
	pid = fork();
	if (!pid) {
		close(r->down);
		usleep(150000);
		_exit(!relay_exact_part(r, done) || !relay_at_end(r));
	}
	usleep(50000);	/* the last descriptor has to be ours */
	begin = relay_now();
	relay_shut(&r->down);
	EXPECT_LE(0.05, relay_now() - begin);
	ASSERT_EQ(pid, wait(NULL));
	EXPECT_EQ(done, r->checked);
}

/* ... or no longer than it was told ... */
RELAY_TEST(linger_ends)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 1 };
	size_t total, done;
	double begin;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	r->drops = true;
	buf = take(_metadata, r, 400000, &total);
	ASSERT_EQ(0, setsockopt(r->down, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
	done = fill(r, buf, total);
	ASSERT_GT(total, done);
	begin = relay_now();
	relay_shut(&r->down);
	EXPECT_LE(0.9, relay_now() - begin);
	EXPECT_GT(5, relay_now() - begin);
	/* What was accepted still arrives. */
	EXPECT_TRUE(relay_exact_part(r, done));
	EXPECT_TRUE(relay_at_end(r));
}

/* ... or throws all of it away. */
RELAY_TEST(linger_none)
{
	char *buf, byte;
	size_t total;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	r->drops = true;
	buf = take(_metadata, r, 400000, &total);
	EXPECT_LT(0, fill(r, buf, total));
	reset(_metadata, &r->down);
	while (recv(r->b, buf, total, MSG_DONTWAIT) > 0)
		;
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, recv(r->b, &byte, 1, 0));
}

/* Unread data makes close() a reset, natively as well. */
RELAY_TEST(close_unread)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);

	ASSERT_EQ(total - 5000, recv(r->up, buf, total - 5000, 0));
	relay_forward(r, buf, total - 5000);
	relay_shut(&r->up);
	EXPECT_EQ(-1, recv(r->a, buf, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_TRUE(relay_exact_part(r, total - 5000));
}

/* All was read, most of it not seen: that is a close like any other. */
RELAY_TEST(close_read)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total), byte;

	relay_shut(&r->up);
	EXPECT_EQ(0, recv(r->a, &byte, 1, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

/* Connections by the dozen, each closed in another way. */
RELAY_TEST(storm)
{
	size_t total, n;
	char *buf;
	int i;

	for (i = 0; i < 30; i++) {
		relay_close(r);
		relay_open(r, &r->kind, RELAY_ROOMY);
		if (i % 5 == 0)
			continue;
		total = relay_feed(r, 6000 + i);
		buf = relay_buffer(total);
		n = i % 5 == 1 ? total / 2 : total;
		ASSERT_EQ(n, recv(r->up, buf, n, 0));
		switch (i % 5) {
		case 2:
			reset(_metadata, &r->a);
			break;
		case 3:
			relay_shut(&r->up);
			break;
		}
		relay_forward(r, buf, n);
		ASSERT_TRUE(relay_exact_part(r, n));
		if (i % 5 == 4)
			reset(_metadata, &r->down);
		relay_release(buf, total);
	}
	EXPECT_EQ(r->attached, relay_anchored(r) > 30 * 2000);
	if (r->attached)
		EXPECT_EQ(2 * 31, relay_stat(r, "attach"));
}

TEST_HARNESS_MAIN
