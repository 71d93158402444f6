// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is not there, and iovecs that are empty. No byte is lost for it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	20000

/* @good bytes of memory; behind them is no memory for as much as any body asks. */
static char *memory_ends(struct __test_metadata *_metadata, size_t good)
{
	size_t page = getpagesize(), size = (good + page - 1) / page * page;
	char *map;

	map = mmap(NULL, size + 4 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	if (size)
		relay_buffer_at(map, size);
	return map + size - good;
}

/*
 * A read into memory that ends after @good bytes. How much of it TCP takes
 * before it gives up depends on how the data lies in the queue; what must not
 * happen is that bytes are taken and not reported, or reported and not there.
 */
static size_t read_faulty(struct __test_metadata *_metadata, struct relay *r,
			  struct iovec *iov, int count, size_t total,
			  size_t good)
{
	ssize_t n = readv(r->up, iov, count);

	if (n < 0) {
		EXPECT_EQ(EFAULT, errno);
		n = 0;
	} else {
		ASSERT_LT(0, n);
		ASSERT_LE(n, good);
	}
	EXPECT_TRUE(relay_left(r, total - n));
	return n;
}

RELAY_TEST(recv_nowhere)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	char *end = memory_ends(_metadata, 0);
	void *readonly;

	EXPECT_EQ(-1, recv(r->up, end, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, recv(r->up, NULL, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	readonly = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, readonly);
	EXPECT_EQ(-1, recv(r->up, readonly, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(relay_left(r, total));

	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

/* The same in the middle of a payload. */
RELAY_TEST(recv_nowhere_later)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char *buf = relay_buffer(total);
	char *end = memory_ends(_metadata, 0);

	ASSERT_EQ(half, recv(r->up, buf, half, 0));
	EXPECT_EQ(-1, recv(r->up, end, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(relay_left(r, total - half));
	ASSERT_EQ(total - half, recv(r->up, buf + half, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

RELAY_TEST(recv_memory_ends)
{
	static const size_t goods[] = { 1, 16, 31, 32, 33, 1000, 5000 };
	size_t total, n, i;
	struct iovec iov;
	char *buf;

	for (i = 0; i < ARRAY_SIZE(goods); i++) {
		total = relay_feed(r, SIZE);
		buf = relay_buffer(total);
		iov.iov_base = memory_ends(_metadata, goods[i]);
		iov.iov_len = SIZE;
		n = read_faulty(_metadata, r, &iov, 1, total, goods[i]);
		relay_forward(r, iov.iov_base, n);
		ASSERT_EQ(total - n, recv(r->up, buf, total, 0));
		relay_forward(r, buf, total - n);
		ASSERT_TRUE(relay_exact(r)) {
			TH_LOG("%zu good bytes", goods[i]);
		}
		relay_release(buf, total);
	}
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

/* One segment, good at both ends. */
RELAY_TEST(recv_hole_inside)
{
	size_t total = relay_feed(r, SIZE), page = getpagesize(), n;
	struct iovec iov = { relay_buffer(6 * page), total };
	char *buf = relay_buffer(total);

	ASSERT_GT(5 * page, total);
	ASSERT_EQ(0, mprotect(iov.iov_base + 2 * page, page, PROT_NONE));
	n = read_faulty(_metadata, r, &iov, 1, total, 2 * page);
	relay_forward(r, iov.iov_base, n);
	ASSERT_EQ(total - n, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total - n);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

RELAY_TEST(recv_hole_between)
{
	size_t total = relay_feed(r, SIZE), n;
	char *buf = relay_buffer(2 * total);
	struct iovec iov[] = {
		{ buf, 5000 },
		{ memory_ends(_metadata, 0), 5000 },
		{ buf + 5000, total },
	};

	n = read_faulty(_metadata, r, iov, 3, total, 5000);
	relay_forward(r, buf, n);
	ASSERT_EQ(total - n, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total - n);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

/* Sends what it can, or nothing; then the rest from where it was left. */
RELAY_TEST(send_hole_between)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov[] = {
		{ buf, 6000 },
		{ memory_ends(_metadata, 0), 5000 },
		{ buf + 11000, total - 11000 },
	};
	ssize_t n;

	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	/*
	 * Of what an anchor stands for no byte is read: an attached socket has
	 * no use for the memory that is missing.
	 */
	n = writev(r->down, iov, 3);
	if (n < 0) {
		EXPECT_EQ(EFAULT, errno);
		n = 0;
	}
	EXPECT_LE(0, n);
	if (!r->attached)
		EXPECT_GE(6000, n);
	if (n < total)
		relay_forward(r, buf + n, total - n);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 0);
}

/* What goes before the hole is sent at once: nobody knows when more will come. */
RELAY_TEST(send_before_hole)
{
	size_t total = relay_feed(r, 8 * SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov[] = {
		{ buf, 5 * SIZE },
		{ memory_ends(_metadata, 0), 5000 },
	};
	ssize_t n;

	/* Real bytes, so that all are read; more than TCP copies at a time. */
	relay_take_real(r, buf, total);
	n = writev(r->down, iov, 2);
	ASSERT_LT(0, n);
	ASSERT_GE(5 * SIZE, n);
	EXPECT_EQ(0, relay_unsent(r->down));
	EXPECT_TRUE(relay_exact_part(r, n));
	relay_forward(r, buf + n, total - n);
	EXPECT_TRUE(relay_exact(r));
}

RELAY_TEST(send_nothing_there)
{
	size_t total = relay_feed(r, SIZE);
	char *end = memory_ends(_metadata, 0);
	char *buf = relay_buffer(total);

	EXPECT_EQ(-1, send(r->down, end, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	EXPECT_EQ(-1, send(r->down, end, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	relay_forward(r, buf, total);
	EXPECT_EQ(-1, send(r->down, end, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

/* Empty segments everywhere, some of them at addresses that are none. */
RELAY_TEST(empty_iovecs)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total + 100);
	struct iovec iov[] = {
		{ NULL, 0 }, { buf, 1 }, { NULL, 0 }, { NULL, 0 },
		{ buf + 1, 5999 }, { buf, 0 }, { buf + 6000, total - 6000 },
		{ (void *)8, 0 }, { NULL, 0 },
	};

	ASSERT_EQ(total, readv(r->up, iov, ARRAY_SIZE(iov)));
	ASSERT_EQ(total, writev(r->down, iov, ARRAY_SIZE(iov)));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 200);
}

/* The address itself is bad, not what it points at. */
RELAY_TEST(bad_iovec)
{
	size_t total = relay_feed(r, SIZE);
	struct iovec iov = { relay_buffer(total), total };

	/* As a compiler that knows readv() would not let it pass. */
	EXPECT_EQ(-1, syscall(__NR_readv, r->up, (void *)8, 1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, syscall(__NR_readv, r->up, &iov, 5000));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(relay_left(r, total));
	ASSERT_EQ(total, readv(r->up, &iov, 1));
	EXPECT_EQ(-1, syscall(__NR_writev, r->down, (void *)8, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(total, writev(r->down, &iov, 1));
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
