// SPDX-License-Identifier: GPL-2.0-only
/* Urgent data: reads stop at the mark, and the byte stands beside the stream. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fixture.h"

#define SIZE	10000

static int at_mark(int fd)
{
	return sockatmark(fd);
}

/* A sends the last byte of @n bytes as urgent, which is not part of the stream. */
static void urge(struct __test_metadata *_metadata, struct relay *r)
{
	ASSERT_EQ(1, send(r->a, "!", 1, MSG_OOB));
	EXPECT_EQ(POLLPRI, relay_poll(r->up, POLLPRI, 2000));
}

RELAY_TEST(beside)
{
	size_t head = relay_announce(r, 3 * SIZE), first = head + SIZE;
	char *buf = relay_buffer(4 * SIZE), byte;

	relay_part(r, SIZE);
	urge(_metadata, r);
	relay_push(r, SIZE);
	/* Up to the mark, and not beyond. */
	EXPECT_EQ(0, at_mark(r->up));
	ASSERT_EQ(first, recv(r->up, buf, 4 * SIZE, 0));
	EXPECT_EQ(1, at_mark(r->up));
	EXPECT_EQ(1, recv(r->up, &byte, 1, MSG_OOB));
	EXPECT_EQ('!', byte);
	EXPECT_EQ(-1, recv(r->up, &byte, 1, MSG_OOB));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(SIZE, recv(r->up, buf + first, SIZE, MSG_WAITALL));
	EXPECT_EQ(0, at_mark(r->up));
	relay_forward(r, buf, first + SIZE);
	EXPECT_TRUE(relay_exact(r));

	relay_part(r, SIZE);
	ASSERT_EQ(SIZE, recv(r->up, buf, 4 * SIZE, 0));
	relay_forward(r, buf, SIZE);
	EXPECT_TRUE(relay_exact(r));
}

/* Behind a payload that is anchored already. */
RELAY_TEST(after_anchor)
{
	size_t head = relay_announce(r, 3 * SIZE);
	char *buf = relay_buffer(4 * SIZE), byte;

	relay_part(r, SIZE);
	ASSERT_EQ(head + SIZE, recv(r->up, buf, 4 * SIZE, 0));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	relay_part(r, SIZE);
	urge(_metadata, r);
	relay_forward(r, buf, head + SIZE);
	ASSERT_EQ(SIZE, recv(r->up, buf, 4 * SIZE, 0));
	relay_forward(r, buf, SIZE);
	EXPECT_EQ(1, recv(r->up, &byte, 1, MSG_OOB));
	relay_push(r, SIZE);
	ASSERT_EQ(SIZE, recv(r->up, buf, SIZE, MSG_WAITALL));
	relay_forward(r, buf, SIZE);
	EXPECT_TRUE(relay_exact(r));
}

/* SO_OOBINLINE: the byte is part of the stream, and the mark in front of it. */
RELAY_TEST(inline)
{
	size_t head = relay_announce(r, 2 * SIZE + 1), first = head + SIZE;
	char *buf = relay_buffer(4 * SIZE);
	int one = 1;

	ASSERT_EQ(0, setsockopt(r->up, SOL_SOCKET, SO_OOBINLINE, &one,
				sizeof(one)));
	relay_part(r, SIZE);
	r->stream[r->sent++] = '!';
	urge(_metadata, r);
	relay_push(r, SIZE);
	ASSERT_EQ(first, recv(r->up, buf, 4 * SIZE, 0));
	EXPECT_EQ(1, at_mark(r->up));
	ASSERT_EQ(1, recv(r->up, buf + first, 1, 0));
	EXPECT_EQ('!', buf[first]);
	ASSERT_EQ(SIZE, recv(r->up, buf + first + 1, SIZE, MSG_WAITALL));
	relay_forward(r, buf, first + 1 + SIZE);
	EXPECT_TRUE(relay_exact(r));
}

/* The proxy forwards an urgent byte as one. */
RELAY_TEST(forwarded)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total), byte;

	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	ASSERT_EQ(1, send(r->down, "?", 1, MSG_OOB));
	EXPECT_EQ(POLLPRI, relay_poll(r->b, POLLPRI, 2000));
	EXPECT_EQ(1, recv(r->b, &byte, 1, MSG_OOB));
	EXPECT_EQ('?', byte);
	ASSERT_TRUE(relay_exact_part(r, total));
}

TEST_HARNESS_MAIN
