// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of the VPI.
 */
#include <linux/random.h>

#include "token_test.h"

struct vpi_test {
	struct libra_domain dom;
	struct libra_msg msg;
	struct libra_minted minted;
};

static int vpi_test_init(struct kunit *test)
{
	struct vpi_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->dom.cookie = 0x0123456789abcdefULL;
	t->msg.dom = &t->dom;
	t->minted.msg = &t->msg;
	t->minted.id = 0xfedcba9876543210ULL;
	t->minted.anchor.len = 65536;
	test->priv = t;
	return 0;
}

static void vpi_round_trip(struct kunit *test)
{
	static const struct {
		u64 id;
		u32 len;
		u64 cookie;
	} cases[] = {
		{ 0, LIBRA_VPI_SIZE, 0 },
		{ 1, 4096, 1 },
		{ U64_MAX, U32_MAX, U64_MAX },
		{ 0x8000000000000000ULL, 0x80000000, 0x5555555555555555ULL },
	};
	struct vpi_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];
	u32 len;
	u64 id;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		t->minted.id = cases[i].id;
		t->minted.anchor.len = cases[i].len;
		t->dom.cookie = cases[i].cookie;
		libra_vpi_write(vpi, &t->minted);
		KUNIT_EXPECT_MEMEQ(test, vpi, libra_vpi_magic(),
				   LIBRA_VPI_MAGIC_SIZE);
		KUNIT_ASSERT_TRUE(test, libra_vpi_read(vpi, cases[i].cookie,
						       &id, &len));
		KUNIT_EXPECT_EQ(test, id, cases[i].id);
		KUNIT_EXPECT_EQ(test, len, cases[i].len);
	}
}

/* A bit of the magic is the matcher's to see, any other one the MAC's. */
static void vpi_bit_flips(struct kunit *test)
{
	struct vpi_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];
	u32 len;
	u64 id;
	int bit;

	libra_vpi_write(vpi, &t->minted);
	for (bit = 0; bit < 8 * LIBRA_VPI_SIZE; bit++) {
		vpi[bit / 8] ^= 1 << bit % 8;
		if (bit < 8 * LIBRA_VPI_MAGIC_SIZE)
			KUNIT_EXPECT_NE_MSG(test, libra_match(vpi, sizeof(vpi)),
					    0, "bit %d", bit);
		else
			KUNIT_EXPECT_FALSE_MSG(test,
					       libra_vpi_read(vpi, t->dom.cookie,
							      &id, &len),
					       "bit %d", bit);
		vpi[bit / 8] ^= 1 << bit % 8;
	}
	KUNIT_EXPECT_TRUE(test, libra_vpi_read(vpi, t->dom.cookie, &id, &len));
}

static void vpi_other_domain(struct kunit *test)
{
	struct vpi_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];
	u32 len;
	u64 id;
	int bit;

	libra_vpi_write(vpi, &t->minted);
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_FALSE_MSG(test,
				       libra_vpi_read(vpi, t->dom.cookie ^ BIT_ULL(bit),
						      &id, &len),
				       "cookie bit %d", bit);
}

/* By one who knows the magic: genuine beginnings, of any length, with random ends. */
static void vpi_forged(struct kunit *test)
{
	u8 genuine[LIBRA_VPI_SIZE], vpi[LIBRA_VPI_SIZE];
	struct vpi_test *t = test->priv;
	u32 accepted = 0, len, at;
	u64 id;
	int i;

	libra_vpi_write(genuine, &t->minted);
	for (i = 0; i < 1000000; i++) {
		at = LIBRA_VPI_MAGIC_SIZE +
		     i % (LIBRA_VPI_SIZE - LIBRA_VPI_MAGIC_SIZE - 1);
		memcpy(vpi, genuine, at);
		get_random_bytes(vpi + at, sizeof(vpi) - at);
		if (!memcmp(vpi, genuine, sizeof(vpi)))
			continue;
		accepted += libra_vpi_read(vpi, t->dom.cookie, &id, &len);
		accepted += libra_vpi_is_mark(vpi, t->dom.cookie);
	}
	KUNIT_EXPECT_EQ(test, accepted, 0);
}

/* A VPI that was written over partly can be told from the anchor's own. */
static void vpi_is_the_same_again(struct kunit *test)
{
	u8 a[LIBRA_VPI_SIZE], b[LIBRA_VPI_SIZE];
	struct vpi_test *t = test->priv;

	libra_vpi_write(a, &t->minted);
	libra_vpi_write(b, &t->minted);
	KUNIT_EXPECT_MEMEQ(test, a, b, sizeof(a));
	KUNIT_EXPECT_EQ(test, t->minted.id, libra_vpi_id(a));
	libra_vpi_write_mark(a, &t->minted);
	libra_vpi_write_mark(b, &t->minted);
	KUNIT_EXPECT_MEMEQ(test, a, b, sizeof(a));
	KUNIT_EXPECT_EQ(test, t->minted.id, libra_vpi_id(a));
}

/* The mark at the end is not a second VPI, nor the other way round. */
static void vpi_end_mark(struct kunit *test)
{
	struct vpi_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];
	u32 len;
	u64 id;
	int bit;

	libra_vpi_write(vpi, &t->minted);
	KUNIT_EXPECT_FALSE(test, libra_vpi_is_mark(vpi, t->dom.cookie));
	libra_vpi_write_mark(vpi, &t->minted);
	KUNIT_EXPECT_EQ(test, 0, libra_match(vpi, sizeof(vpi)));
	KUNIT_EXPECT_TRUE(test, libra_vpi_is_mark(vpi, t->dom.cookie));
	KUNIT_EXPECT_FALSE(test, libra_vpi_is_mark(vpi, t->dom.cookie + 1));
	KUNIT_EXPECT_FALSE(test, libra_vpi_read(vpi, t->dom.cookie, &id, &len));
	for (bit = 8 * LIBRA_VPI_MAGIC_SIZE; bit < 8 * LIBRA_VPI_SIZE; bit++) {
		vpi[bit / 8] ^= 1 << bit % 8;
		KUNIT_EXPECT_FALSE_MSG(test,
				       libra_vpi_is_mark(vpi, t->dom.cookie) ||
				       libra_vpi_read(vpi, t->dom.cookie, &id, &len),
				       "bit %d", bit);
		vpi[bit / 8] ^= 1 << bit % 8;
	}
}

/* What the matcher relies on, see libra_vpi_init(). */
static void vpi_magic(struct kunit *test)
{
	const u8 *place = libra_vpi_magic_place();
	const u8 *magic = libra_vpi_magic();
	int byte, places = 0;

	for (byte = 0; byte < 256; byte++) {
		if (!place[byte])
			continue;
		KUNIT_EXPECT_EQ(test, byte, magic[place[byte] - 1]);
		KUNIT_EXPECT_GE(test, byte, 0x80);
		places++;
	}
	KUNIT_EXPECT_EQ(test, places, LIBRA_VPI_MAGIC_SIZE);
}

/* Neither in one piece nor in halves: the fields are at most 8 bytes wide. */
static void vpi_holds_no_address(struct kunit *test)
{
	struct vpi_test *t = test->priv;
	const void *secrets[] = { t, &t->minted, &t->msg, &t->dom };
	u8 vpi[LIBRA_VPI_SIZE];
	int i, at;

	libra_vpi_write(vpi, &t->minted);
	for (i = 0; i < ARRAY_SIZE(secrets); i++)
		for (at = 0; at <= LIBRA_VPI_SIZE - 6; at++)
			KUNIT_EXPECT_MEMNEQ(test, vpi + at, &secrets[i], 6);
}

static struct kunit_case vpi_cases[] = {
	KUNIT_CASE(vpi_round_trip),
	KUNIT_CASE(vpi_bit_flips),
	KUNIT_CASE(vpi_other_domain),
	KUNIT_CASE_SLOW(vpi_forged),
	KUNIT_CASE(vpi_is_the_same_again),
	KUNIT_CASE(vpi_end_mark),
	KUNIT_CASE(vpi_magic),
	KUNIT_CASE(vpi_holds_no_address),
	{}
};

static struct kunit_suite vpi_suite = {
	.name = "libra_vpi",
	.init = vpi_test_init,
	.test_cases = vpi_cases,
};

kunit_test_suite(vpi_suite);
