// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice(), sendfile() and vmsplice(): pages come and go without a recv() or
 * send(), between reads and sends that know nothing of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	40000
#define PART	10000

static void open_pipe(struct __test_metadata *_metadata, int p[2])
{
	ASSERT_EQ(0, pipe(p));
	ASSERT_LE(1 << 18, fcntl(p[1], F_SETPIPE_SZ, 1 << 18));
}

/* Read by recv() and sent. */
static void relay_some(struct __test_metadata *_metadata, struct relay *r,
		       size_t n)
{
	char *buf = relay_buffer(n);

	ASSERT_EQ(n, recv(r->up, buf, n, 0));
	relay_forward(r, buf, n);
	relay_release(buf, n);
}

/*
 * What recv() anchored of @n bytes that it read behind a splice(): of records that went
 * that way nobody knows where in a message they ended.
 */
static long behind_splice(const struct relay *r, size_t n)
{
	return r->attached && !relay_decrypts(r) ? n : 0;
}

/* All of @n bytes; splice() may take fewer at a time. */
static bool splice_all(int from, int to, size_t n, unsigned int flags)
{
	ssize_t ret;

	for (; n; n -= ret) {
		ret = splice(from, NULL, to, NULL, n, flags);
		if (ret <= 0)
			return false;
	}
	return true;
}

/* What the pipe has is the stream, in the middle of a payload. */
RELAY_TEST(in)
{
	size_t head = relay_feed(r, SIZE) - SIZE;
	char buf[PART];
	int p[2];

	open_pipe(_metadata, p);
	relay_some(_metadata, r, head + PART);
	ASSERT_TRUE(splice_all(r->up, p[1], PART, 0));
	EXPECT_TRUE(relay_left(r, SIZE - 2 * PART));
	ASSERT_EQ(PART, read(p[0], buf, PART));
	EXPECT_EQ(0, memcmp(buf, r->stream + head + PART, PART));
	relay_forward(r, buf, PART);
	relay_some(_metadata, r, SIZE - 2 * PART);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ((r->attached ? PART : 0) + behind_splice(r, SIZE - 2 * PART),
		  relay_anchored(r));

	ASSERT_EQ(0, fcntl(r->up, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(r->up, NULL, p[1], NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(r->up, F_SETFL, 0));
	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(0, splice(r->up, NULL, p[1], NULL, 1, 0));
}

/* HAProxy's way through: header by recv() and send(), then pages. */
RELAY_TEST(through)
{
	size_t head = relay_feed(r, SIZE) - SIZE;
	int p[2];

	open_pipe(_metadata, p);
	relay_some(_metadata, r, head + PART);
	ASSERT_TRUE(splice_all(r->up, p[1], SIZE - PART, 0));
	ASSERT_TRUE(splice_all(p[0], r->down, SIZE - PART, 0));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? PART : 0, relay_anchored(r));

	/* The next message begins where it begins: no header is anchored. */
	head = relay_feed(r, SIZE) - SIZE;
	relay_some(_metadata, r, head + SIZE);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(behind_splice(r, SIZE), relay_anchored(r));
}

RELAY_TEST(header_spliced)
{
	size_t total = relay_feed(r, SIZE);
	int p[2];

	open_pipe(_metadata, p);
	ASSERT_TRUE(splice_all(r->up, p[1], 100, 0));
	ASSERT_TRUE(splice_all(p[0], r->down, 100, 0));
	relay_some(_metadata, r, total - 100);
	EXPECT_TRUE(relay_exact(r));
}

/* Pages of a file between pieces of what was read. */
RELAY_TEST(sendfile)
{
	size_t head = relay_feed(r, SIZE) - SIZE;
	int file = memfd_create("relay", 0);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(PART, write(file, r->stream + head + PART, PART));
	relay_some(_metadata, r, head + PART);
	ASSERT_EQ(PART, recv(r->up, NULL, PART, MSG_TRUNC));
	ASSERT_EQ(PART, sendfile(r->down, file, &off, PART));
	EXPECT_EQ(PART, off);
	relay_some(_metadata, r, SIZE - 2 * PART);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE - PART : 0, relay_anchored(r));

	/* A socket is no source. */
	EXPECT_EQ(-1, sendfile(r->down, r->up, NULL, 1));
	EXPECT_EQ(EINVAL, errno);
}

/* The proxy's memory goes through a pipe: by reference, and as a copy. */
RELAY_TEST(memory)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov = { .iov_base = buf, .iov_len = total / 2 };
	int p[2];

	open_pipe(_metadata, p);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	ASSERT_EQ(total / 2, vmsplice(p[1], &iov, 1, 0));
	ASSERT_TRUE(splice_all(p[0], r->down, total / 2, 0));
	ASSERT_EQ(total - total / 2, write(p[1], buf + total / 2,
					   total - total / 2));
	/* TLS would wait for more of the record. */
	ASSERT_TRUE(splice_all(p[0], r->down, total - total / 2,
			       relay_encrypts(r) ? 0 : SPLICE_F_MORE));
	EXPECT_TRUE(relay_exact(r));
}

/* One half by splice(), the other by recv(), all of it many times. */
RELAY_TEST(alternating)
{
	size_t total, head;
	int i, j, p[2];

	open_pipe(_metadata, p);
	for (i = 0; i < 5; i++) {
		total = relay_feed(r, SIZE);
		head = total - SIZE;
		relay_some(_metadata, r, head);
		for (j = 0; j < 4; j++) {
			relay_some(_metadata, r, PART / 2);
			ASSERT_TRUE(splice_all(r->up, p[1], PART / 2, 0));
			ASSERT_TRUE(splice_all(p[0], r->down, PART / 2, 0));
		}
		EXPECT_TRUE(relay_exact(r));
	}
	EXPECT_EQ((r->attached ? PART / 2 : 0) +
		  behind_splice(r, 5 * SIZE / 2 - PART / 2), relay_anchored(r));
}

TEST_HARNESS_MAIN
