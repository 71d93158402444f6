// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of the search for header fields, against a naive one.
 */
#include <linux/prandom.h>

#include "token_test.h"

#define FIELD_SIZES	(1ULL << 2 | 1ULL << 7)

/* Byte by byte, straight from what libra_skip_fields() promises. */
static u32 naive_skip(const u8 *data, u32 len, u64 sizes, u32 *lines)
{
	u32 line = 0, n = 0, name, pos;

	for (;;) {
		for (name = line; name < len; name++)
			if (data[name] <= ' ' || data[name] >= 0x7f ||
			    data[name] == ':')
				break;
		if (name == line || name - line > 63 || name == len ||
		    data[name] != ':' || sizes >> (name - line) & 1)
			break;
		for (pos = name; pos < len && data[pos] >= ' '; pos++)
			;
		if (pos + 2 > len || data[pos] != '\r' ||
		    data[pos + 1] != '\n' || n == *lines)
			break;
		line = pos + 2;
		n++;
	}
	*lines = n;
	return line;
}

static void field_lines(struct kunit *test)
{
	static const struct {
		const char *text;
		u32 at, lines;
	} cases[] = {
		{ "", 0, 0 },
		{ "\r\n", 0, 0 },
		{ "a:\r\n", 4, 1 },
		{ "Accept: */*\r\n", 13, 1 },
		{ "Accept: */*\r", 0, 0 },
		{ "Accept: */*", 0, 0 },
		{ "Accept: */*\n", 0, 0 },
		{ "Accept: */*\r\r\n", 0, 0 },
		{ "Accept: a\tb\r\n", 0, 0 },
		{ "Acc\x80pt: */*\r\n", 0, 0 },
		{ "Acc\x7fpt: */*\r\n", 0, 0 },
		{ "Accept : */*\r\n", 0, 0 },
		{ " Accept: */*\r\n", 0, 0 },
		{ "Accept\r\n", 0, 0 },
		{ ": */*\r\n", 0, 0 },
		{ "Accept: \xff\x80\r\n", 12, 1 },
		{ "Accept: a\r\nHost: b\r\nTE: c\r\n", 20, 2 },
		{ "Upgrade: a\r\n", 0, 0 },
		{ "a:b:c\r\n\r\n", 7, 1 },
		{ "a: b\r\nc: d\r\ne: f\r\ng: h\r\n", 18, 3 },
	};
	u8 *page = libra_test_page(test);
	u32 i, len, lines;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		len = strlen(cases[i].text);
		memcpy(page + PAGE_SIZE - len, cases[i].text, len);
		lines = 3;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].at,
				    libra_skip_fields(page + PAGE_SIZE - len, len,
						      FIELD_SIZES, &lines),
				    "%s", cases[i].text);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].lines, lines, "%s",
				    cases[i].text);
	}
}

/* The longest name that is skipped, and the shortest that is not. */
static void field_long_names(struct kunit *test)
{
	u8 *page = libra_test_page(test);
	u32 size, lines;

	for (size = 1; size <= 70; size++) {
		u32 len = size + 3;
		u8 *data = page + PAGE_SIZE - len;

		memset(data, 'n', size);
		memcpy(data + size, ":\r\n", 3);
		lines = 9;
		KUNIT_EXPECT_EQ_MSG(test, size <= 63 ? len : 0,
				    libra_skip_fields(data, len, 0, &lines),
				    "%u", size);
		lines = 9;
		KUNIT_EXPECT_EQ(test, 0,
				libra_skip_fields(data, len,
						  1ULL << (size & 63), &lines));
	}
}

static void field_as_the_naive_one(struct kunit *test)
{
	static const char piece[] = "aZ-!~ :\t\r\n\x7f\x80\xff";
	static const char * const texts[] = {
		"Accept: */*\r\n", "Host: a.example\r\n", "X: y\r\n", "\r\n",
		"Content-Length: 5\r\n", "a-rather-long-name-of-a-field:\r\n",
	};
	u8 *page = libra_test_page(test);
	struct rnd_state rnd;
	u32 round, skipped = 0;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < 50000; round++) {
		u32 len = 0, lines, naive_lines, n;
		u8 text[256], *data;

		while (len < 160 && prandom_u32_state(&rnd) % 8) {
			const char *next = texts[prandom_u32_state(&rnd) %
						 ARRAY_SIZE(texts)];

			n = strlen(next);
			memcpy(text + len, next, n);
			len += n;
		}
		for (n = prandom_u32_state(&rnd) % 3; n && len; n--)
			text[prandom_u32_state(&rnd) % len] =
				piece[prandom_u32_state(&rnd) %
				      (sizeof(piece) - 1)];
		data = page + PAGE_SIZE - len;
		memcpy(data, text, len);
		lines = prandom_u32_state(&rnd) % 16;
		naive_lines = lines;
		KUNIT_ASSERT_EQ_MSG(test,
				    naive_skip(data, len, FIELD_SIZES,
					       &naive_lines),
				    libra_skip_fields(data, len, FIELD_SIZES,
						      &lines),
				    "round %u, %u bytes", round, len);
		KUNIT_ASSERT_EQ(test, naive_lines, lines);
		skipped += lines;
	}
	KUNIT_EXPECT_GT(test, skipped, 10000);
}

static struct kunit_case field_cases[] = {
	KUNIT_CASE(field_lines),
	KUNIT_CASE(field_long_names),
	KUNIT_CASE(field_as_the_naive_one),
	{}
};

static struct kunit_suite field_suite = {
	.name = "libra_field",
	.test_cases = field_cases,
};

kunit_test_suite(field_suite);
