// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of the search for VPIs and for single bytes, against naive ones.
 */
#include <linux/prandom.h>

#include "token_test.h"

/* Byte by byte, straight from what libra_match() promises. */
static u32 naive_match(const u8 *data, u32 len)
{
	const u8 *magic = libra_vpi_magic();
	u32 pos, i;

	for (pos = 0; pos < len; pos++) {
		for (i = 0; i < LIBRA_VPI_MAGIC_SIZE && pos + i < len; i++)
			if (data[pos + i] != magic[i])
				break;
		if (i == LIBRA_VPI_MAGIC_SIZE || pos + i == len)
			return pos;
	}
	return len;
}

/* Byte by byte: the first one below @n when it is XORed with @flip. */
static u32 naive_find(const u8 *data, u32 len, u8 flip, u8 n)
{
	u32 pos = 0;

	while (pos < len && (u8)(data[pos] ^ flip) >= n)
		pos++;
	return pos;
}

static void match_nothing(struct kunit *test)
{
	u8 *page = libra_test_page(test);
	u32 len;

	/* The bytes next to the first one of the magic fool a careless test. */
	memset(page, libra_vpi_magic()[0] ^ 1, PAGE_SIZE);
	for (len = 0; len <= 64; len++)
		KUNIT_EXPECT_EQ(test, len,
				libra_match(page + PAGE_SIZE - len, len));
	memset(page, libra_vpi_magic()[0] + 1, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, (u32)PAGE_SIZE, libra_match(page, PAGE_SIZE));
}

static void match_everywhere(struct kunit *test)
{
	u8 *page = libra_test_page(test);
	u32 len, at;

	for (len = LIBRA_VPI_MAGIC_SIZE; len <= 48; len++) {
		for (at = 0; at <= len - LIBRA_VPI_MAGIC_SIZE; at++) {
			u8 *data = page + PAGE_SIZE - len;

			memset(data, 'x', len);
			memcpy(data + at, libra_vpi_magic(),
			       LIBRA_VPI_MAGIC_SIZE);
			KUNIT_EXPECT_EQ_MSG(test, at, libra_match(data, len),
					    "%u bytes", len);
		}
	}
}

/* The first n bytes at the end are a beginning; in front of others they are not. */
static void match_cut(struct kunit *test)
{
	u8 *page = libra_test_page(test);
	u32 len, n;

	for (len = 1; len <= 48; len++) {
		for (n = 1; n < LIBRA_VPI_MAGIC_SIZE && n <= len; n++) {
			u8 *data = page + PAGE_SIZE - len;

			memset(data, 'x', len);
			memcpy(data + len - n, libra_vpi_magic(), n);
			KUNIT_EXPECT_EQ_MSG(test, len - n,
					    libra_match(data, len),
					    "%u of %u bytes", n, len);
			memset(data, 'x', len);
			memcpy(data, libra_vpi_magic(), n);
			if (n < len && libra_vpi_magic()[n] != 'x')
				KUNIT_EXPECT_EQ_MSG(test, len,
						    libra_match(data, len),
						    "%u in front", n);
		}
	}
}

/* Bytes that are mostly pieces of the magic, so that near misses abound. */
static void match_fill(struct rnd_state *rnd, u8 *data, u32 len)
{
	const u8 *magic = libra_vpi_magic();
	u32 pos = 0;

	while (pos < len) {
		u32 n = prandom_u32_state(rnd) % (LIBRA_VPI_MAGIC_SIZE + 1);

		n = min(n, len - pos);
		memcpy(data + pos, magic, n);
		pos += n;
		if (pos < len && prandom_u32_state(rnd) % 2)
			data[pos++] = magic[0] ^ (prandom_u32_state(rnd) % 3);
	}
}

static void match_as_the_naive_one(struct kunit *test)
{
	u8 *page = libra_test_page(test);
	struct rnd_state rnd;
	u32 round, len;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < 20000; round++) {
		u8 *data;

		len = prandom_u32_state(&rnd) % 96;
		data = page + PAGE_SIZE - len;
		match_fill(&rnd, data, len);
		KUNIT_ASSERT_EQ_MSG(test, naive_match(data, len),
				    libra_match(data, len),
				    "round %u, %u bytes", round, len);
	}
}

/* Every byte at every place, and one that may be taken for it behind it. */
static void match_bytes(struct kunit *test)
{
	static const u8 limits[] = { 1, 2, ' ', 127, 128 };
	u8 *page = libra_test_page(test);
	u32 len, at, i, byte;

	for (len = 0; len <= 48; len++) {
		u8 *data = page + PAGE_SIZE - len;

		for (at = 0; at < len; at++) {
			for (byte = 0; byte < 256; byte++) {
				memset(data, 0xff, len);
				data[at] = byte;
				if (at + 1 < len)
					data[at + 1] = byte + 1;
				KUNIT_ASSERT_EQ(test, naive_find(data, len, byte, 1),
						libra_find_byte(data, len, byte));
				i = byte % ARRAY_SIZE(limits);
				KUNIT_ASSERT_EQ(test,
						naive_find(data, len, 0, limits[i]),
						libra_find_below(data, len, limits[i]));
			}
		}
	}
}

static struct kunit_case match_cases[] = {
	KUNIT_CASE(match_nothing),
	KUNIT_CASE(match_everywhere),
	KUNIT_CASE(match_bytes),
	KUNIT_CASE(match_cut),
	KUNIT_CASE(match_as_the_naive_one),
	{}
};

static struct kunit_suite match_suite = {
	.name = "libra_match",
	.test_cases = match_cases,
};

kunit_test_suite(match_suite);
