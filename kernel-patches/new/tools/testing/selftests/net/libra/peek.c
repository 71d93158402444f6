// SPDX-License-Identifier: GPL-2.0-only
/* Peeked bytes are real bytes, wherever in a message they lie. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	20000

/* @n bytes at the proxy's socket are those of the stream from @at on. */
static bool peeks(struct relay *r, size_t at, size_t n, int flags)
{
	char *buf = relay_buffer(n);
	bool same;

	same = recv(r->up, buf, n, MSG_PEEK | flags) == (ssize_t)n &&
	       !memcmp(buf, r->stream + at, n);
	relay_release(buf, n);
	return same;
}

RELAY_TEST(whole)
{
	size_t size, total, i;
	char *buf;

	for (i = 0; (size = relay_size(i)); i++) {
		total = relay_feed(r, size);
		EXPECT_TRUE(peeks(r, r->checked, total, 0));
		EXPECT_TRUE(peeks(r, r->checked, 1, 0));
		EXPECT_TRUE(relay_left(r, total));
		buf = relay_buffer(total);
		ASSERT_EQ(total, recv(r->up, buf, total, 0));
		EXPECT_EQ(relay_due(r, size), relay_anchored(r));
		relay_forward(r, buf, total);
		ASSERT_TRUE(relay_exact(r));
		relay_release(buf, total);
	}
}

/* nginx and HAProxy peek at one byte between reads. */
RELAY_TEST(middle)
{
	size_t total = relay_feed(r, 5 * SIZE), at = 0, n;
	char *buf = relay_buffer(total);

	while (at < total) {
		n = total - at < 7000 ? total - at : 7000;
		EXPECT_TRUE(peeks(r, at, 1, MSG_DONTWAIT));
		EXPECT_TRUE(peeks(r, at, total - at, MSG_DONTWAIT));
		ASSERT_EQ(n, recv(r->up, buf, n, 0));
		relay_forward(r, buf, n);
		at += n;
	}
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 4 * SIZE);
}

/* The proxy reads more than it peeked at, and less. */
RELAY_TEST(then_read)
{
	size_t total = relay_feed(r, SIZE), n;
	char *buf = relay_buffer(total);

	n = total - SIZE + 100;
	EXPECT_TRUE(peeks(r, 0, n, 0));
	ASSERT_EQ(n - 50, recv(r->up, buf, n - 50, 0));
	EXPECT_TRUE(peeks(r, n - 50, 3000, 0));
	ASSERT_EQ(5000, recv(r->up, buf + n - 50, 5000, 0));
	EXPECT_TRUE(peeks(r, n + 4950, 1, 0));
	ASSERT_EQ(total - n - 4950,
		  recv(r->up, buf + n + 4950, total - n - 4950, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 200);
}

RELAY_TEST(iovecs)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov[] = {
		{ buf, 33 }, { buf, 0 }, { buf + 33, 9000 },
		{ buf + 9033, total - 9033 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 4 };

	ASSERT_EQ(total, recvmsg(r->up, &msg, MSG_PEEK));
	EXPECT_EQ(0, memcmp(buf, r->stream, total));
	/* TLS would say of which type the records are. */
	EXPECT_EQ(relay_decrypts(r) ? MSG_CTRUNC : 0, msg.msg_flags);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

RELAY_TEST(truncated)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);

	/* TCP does not say how much there would have been. */
	EXPECT_EQ(100, recv(r->up, NULL, 100, MSG_PEEK | MSG_TRUNC));
	EXPECT_TRUE(relay_left(r, total));
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

RELAY_TEST(waitall)
{
	size_t head = relay_announce(r, SIZE), total = head + SIZE;
	char *buf = relay_buffer(total);

	relay_part(r, 3000);
	if (!fork()) {
		usleep(50000);
		relay_push(r, SIZE - 3000);
		_exit(0);
	}
	EXPECT_TRUE(peeks(r, 0, total, MSG_WAITALL));
	wait(NULL);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	/* The first record is decrypted: how much there is behind it nobody says. */
	EXPECT_EQ(r->attached, relay_anchored(r) >= SIZE - 3000);
}

/* Nothing there, and the end: how proxies probe idle connections. */
RELAY_TEST(idle)
{
	char byte;

	EXPECT_EQ(-1, recv(r->up, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(0, recv(r->up, &byte, 1, MSG_PEEK));
	EXPECT_EQ(0, recv(r->up, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
}

/* Each peek goes on where the last one ended; reads take it back. */
RELAY_TEST(offset)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	int off = 0;

	ASSERT_EQ(0, setsockopt(r->up, SOL_SOCKET, SO_PEEK_OFF, &off,
				sizeof(off)));
	EXPECT_TRUE(peeks(r, 0, 1000, 0));
	EXPECT_TRUE(peeks(r, 1000, 2000, 0));
	ASSERT_EQ(500, recv(r->up, buf, 500, 0));
	EXPECT_TRUE(peeks(r, 3000, 100, 0));
	off = -1;
	ASSERT_EQ(0, setsockopt(r->up, SOL_SOCKET, SO_PEEK_OFF, &off,
				sizeof(off)));
	ASSERT_EQ(total - 500, recv(r->up, buf + 500, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
