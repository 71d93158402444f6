// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of lazy mode: what is learned of streams, and what is advised.
 */
#include <linux/slab.h>
#include <net/tcp.h>

#include "../libra_test.h"
#include "stream.h"

/**
 * struct stream_test - a process and a socket, of which only numbers are read
 * @streams: of the process
 * @tp: connected to an origin
 */
struct stream_test {
	struct libra_streams *streams;
	struct tcp_sock *tp;
};

static int stream_test_init(struct kunit *test)
{
	struct stream_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->tp = kunit_kzalloc(test, sizeof(*t->tp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->tp);
	((struct sock *)t->tp)->sk_family = AF_INET;
	((struct sock *)t->tp)->sk_num = 40000;
	((struct sock *)t->tp)->sk_dport = htons(80);
	t->streams = libra_streams_alloc(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->streams);
	return 0;
}

static void stream_test_exit(struct kunit *test)
{
	struct stream_test *t = test->priv;

	if (t)
		kfree(t->streams);
}

/* Receive @pages; returns how many of them lazily. The first @look are looked at. */
static u32 stream_receive(struct kunit *test, u32 pages, u32 look)
{
	struct stream_test *t = test->priv;
	u32 seq = t->tp->copied_seq, lazy = 0, at = 0;
	struct libra_stream *stream;

	stream = libra_stream_get(t->streams, (struct sock *)t->tp);
	KUNIT_ASSERT_NOT_NULL(test, stream);
	while (at < pages) {
		u32 bytes = min(pages - at, 16U) << PAGE_SHIFT, n, i;
		bool advised = libra_stream_advise(t->streams, stream,
						   seq + (at << PAGE_SHIFT), &bytes);

		n = bytes >> PAGE_SHIFT;
		KUNIT_ASSERT_TRUE(test, n > 0 && n <= pages - at);
		if (advised) {
			struct libra_origin_of_pages from;

			from = libra_stream_lazy(t->streams, stream,
						 seq + (at << PAGE_SHIFT), false, n);
			for (i = at; i < min(at + n, look); i++)
				libra_stream_looked(t->streams, &from);
			lazy += n;
		}
		at += n;
	}
	t->tp->copied_seq += pages << PAGE_SHIFT;
	return lazy;
}

/* A message of so many pages, in reads of 16. */
static u32 stream_message(struct kunit *test, u32 pages, u32 look)
{
	struct stream_test *t = test->priv;
	u32 lazy = 0, at;

	t->tp->write_seq += 100;
	for (at = 0; at < pages; at += 16)
		lazy += stream_receive(test, min(pages - at, 16U),
				       look > at ? look - at : 0);
	return lazy;
}

static u32 stream_messages(struct kunit *test, u32 count, u32 pages, u32 look)
{
	u32 lazy = 0;

	while (count--)
		lazy += stream_message(test, pages, look);
	return lazy;
}

static void stream_not_read(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 20 * 32, stream_messages(test, 20, 32, 0));
}

static void stream_header_read(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 32, stream_message(test, 32, 1));
	/* One of 16 is a try, and one of 64 when there were enough. */
	KUNIT_EXPECT_EQ(test, 16 * 31 + 1, stream_messages(test, 16, 32, 1));
	stream_messages(test, 128, 32, 1);
	KUNIT_EXPECT_EQ(test, 64 * 31 + 1, stream_messages(test, 64, 32, 1));
}

static void stream_all_read(struct kunit *test)
{
	stream_messages(test, 4, 32, 32);
	/* Two pages of each of four parts, one of the first, in one message. */
	KUNIT_EXPECT_LE(test, stream_messages(test, 16, 32, 32), 9);
}

static void stream_first_buffer_read(struct kunit *test)
{
	stream_messages(test, 200, 64, 4);
	KUNIT_EXPECT_GE(test, stream_messages(test, 64, 64, 4), 64 * 60);
	KUNIT_EXPECT_LE(test, stream_messages(test, 64, 64, 4), 64 * 60 + 3);
}

/*
 * As Varnish does: what came with the header is copied out of a buffer of 32 KB, and all
 * that there is behind it is one read, during which nobody could look at what is tried.
 */
static void stream_rest_in_one_read(struct kunit *test)
{
	struct stream_test *t = test->priv;
	u32 lazy = 0, i;

	for (i = 0; i < 264; i++) {
		u32 n;

		t->tp->write_seq += 100;
		n = stream_receive(test, 8, 8) + stream_receive(test, 248, 0);
		lazy += i < 200 ? 0 : n;
	}
	KUNIT_EXPECT_GE(test, lazy, 64 * 248);
}

/*
 * The header and 64 KB were one read, which ended a few bytes into a page that was looked at:
 * what follows is of the same part, and is not.
 */
static void stream_one_page_read(struct kunit *test)
{
	struct stream_test *t = test->priv;
	u32 i;

	for (i = 0; i < 20; i++) {
		t->tp->write_seq += 100;
		KUNIT_EXPECT_EQ(test, 16, stream_receive(test, 16, 0));
		KUNIT_EXPECT_EQ(test, 1, stream_receive(test, 1, 1));
		KUNIT_EXPECT_EQ(test, 47, stream_receive(test, 47, 0));
	}
}

/* 256 KB, and what follows is not. */
static void stream_large_buffer_read(struct kunit *test)
{
	stream_messages(test, 200, 256, 64);
	KUNIT_EXPECT_GE(test, stream_messages(test, 64, 256, 64), 64 * 192);
	KUNIT_EXPECT_LE(test, stream_messages(test, 64, 256, 64), 64 * 192 + 9);
}

/* Long, and nothing is known: soon native, and lazy again when nobody looks any more. */
static void stream_long_message(struct kunit *test)
{
	struct stream_test *t = test->priv;
	u32 lazy = 0, i;

	t->tp->write_seq++;
	for (i = 0; i < 64; i++)
		lazy += stream_receive(test, 16, 16);
	KUNIT_EXPECT_LE(test, lazy, 64);
	for (i = 0; i < 1024; i++)
		stream_receive(test, 16, 0);
	KUNIT_EXPECT_EQ(test, 16, stream_receive(test, 16, 0));
}

/* Others that are like it do not spoil it for those that are not. */
static void stream_some_are_read(struct kunit *test)
{
	u32 i, lazy = 0;

	for (i = 0; i < 100; i++)
		lazy += stream_message(test, 16, i % 8 ? 0 : 16);
	KUNIT_EXPECT_GE(test, lazy, 100 * 16 / 2);
}

/* Positions in a message are 32 bits, messages are not. */
static void stream_never_stands_still(struct kunit *test)
{
	struct stream_test *t = test->priv;
	struct libra_stream *stream;
	u32 step;

	t->tp->write_seq++;
	stream = libra_stream_get(t->streams, (struct sock *)t->tp);
	KUNIT_ASSERT_NOT_NULL(test, stream);
	for (step = 0; step < 16; step++) {
		u32 bytes = PAGE_SIZE;

		libra_stream_advise(t->streams, stream, U32_MAX - step, &bytes);
		KUNIT_EXPECT_EQ(test, PAGE_SIZE, bytes);
	}
	/* Another socket's message, as who slept finds it. */
	for (step = 0; step < 4; step++) {
		u32 bytes = 2 * PAGE_SIZE, at = U32_MAX - step * 100000;
		struct libra_origin_of_pages from;

		from = libra_stream_lazy(t->streams, stream, at, false, 2);
		libra_stream_looked(t->streams, &from);
		libra_stream_looked(t->streams, &from);
		libra_stream_advise(t->streams, stream, at, &bytes);
		bytes = 2 * PAGE_SIZE;
		libra_stream_advise(t->streams, stream, 0, &bytes);
		KUNIT_EXPECT_GT(test, bytes, 0);
		KUNIT_EXPECT_EQ(test, 0, bytes % PAGE_SIZE);
	}
	t->tp->write_seq++;
	stream_messages(test, 40, 512, 0);
	t->tp->write_seq++;
	for (step = 0; step < 40; step++) {
		KUNIT_EXPECT_EQ(test, 16, stream_receive(test, 16, 0));
		t->tp->copied_seq += 999999999;
	}
}

static void stream_without_memory(struct kunit *test)
{
	struct libra_origin_of_pages from = { .message = 1 };
	struct stream_test *t = test->priv;

	KUNIT_EXPECT_NULL(test, libra_stream_get(NULL, (struct sock *)t->tp));
	libra_stream_looked(NULL, &from);
}

static struct kunit_case stream_cases[] = {
	KUNIT_CASE(stream_not_read),
	KUNIT_CASE(stream_header_read),
	KUNIT_CASE(stream_all_read),
	KUNIT_CASE(stream_first_buffer_read),
	KUNIT_CASE(stream_rest_in_one_read),
	KUNIT_CASE(stream_one_page_read),
	KUNIT_CASE(stream_large_buffer_read),
	KUNIT_CASE(stream_long_message),
	KUNIT_CASE(stream_some_are_read),
	KUNIT_CASE(stream_never_stands_still),
	KUNIT_CASE(stream_without_memory),
	{}
};

static struct kunit_suite stream_suite = {
	.name = "libra_stream",
	.init = stream_test_init,
	.exit = stream_test_exit,
	.test_cases = stream_cases,
};

kunit_test_suite(stream_suite);
