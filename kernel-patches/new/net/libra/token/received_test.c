// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of what is taken for a VPI, and by whom.
 */

#include "token_test.h"

/* Of an anchor of that domain. */
static void received_write(const struct libra_domain *dom, bool mark, u8 vpi[LIBRA_VPI_SIZE])
{
	struct libra_msg msg = { .dom = (struct libra_domain *)dom };
	struct libra_minted minted = { .msg = &msg, .id = 1, .anchor.len = 4096 };

	if (mark)
		libra_vpi_write_mark(vpi, &minted);
	else
		libra_vpi_write(vpi, &minted);
}

static void received_own(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	u8 vpi[LIBRA_VPI_SIZE];
	int bit;

	received_write(ls->dom, true, vpi);
	KUNIT_EXPECT_TRUE(test, libra_received_vpi(ls->dom, vpi));
	KUNIT_EXPECT_TRUE(test, libra_vpi_has_mark(vpi));
	received_write(ls->dom, false, vpi);
	KUNIT_EXPECT_TRUE(test, libra_received_vpi(ls->dom, vpi));
	KUNIT_EXPECT_FALSE(test, libra_vpi_has_mark(vpi));
	/* Somebody knows the magic, and no more. */
	for (bit = 8 * LIBRA_VPI_MAGIC_SIZE; bit < 8 * LIBRA_VPI_SIZE; bit++) {
		vpi[bit / 8] ^= 1 << bit % 8;
		KUNIT_EXPECT_FALSE_MSG(test, libra_received_vpi(ls->dom, vpi), "bit %d", bit);
		vpi[bit / 8] ^= 1 << bit % 8;
	}
}

/* Domains that no other test has received in: what is noted stays. */
static void received_elsewhere(struct kunit *test)
{
	struct libra_sock *there = libra_test_sock(test, LIBRA_TEST_DOMAIN + 16,
						   LIBRA_ROLE_ACTIVE);
	struct libra_sock *here = libra_test_sock(test, LIBRA_TEST_DOMAIN + 17,
						  LIBRA_ROLE_PASSIVE);
	u8 vpi[LIBRA_VPI_SIZE];

	received_write(there->dom, false, vpi);
	KUNIT_EXPECT_FALSE(test, libra_received_vpi(here->dom, vpi));
	KUNIT_ASSERT_EQ(test, LIBRA_MIB_MAX,
			libra_session_receives(there->dom, LIBRA_ROLE_PASSIVE));
	KUNIT_ASSERT_EQ(test, LIBRA_MIB_MAX,
			libra_session_receives(there->dom, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_TRUE(test, libra_received_vpi(here->dom, vpi));
	KUNIT_EXPECT_TRUE(test, libra_received_any(here));
	received_write(there->dom, true, vpi);
	KUNIT_EXPECT_TRUE(test, libra_received_vpi(here->dom, vpi));
	vpi[LIBRA_VPI_SIZE - 1] ^= 1;
	KUNIT_EXPECT_FALSE(test, libra_received_vpi(here->dom, vpi));
}

/* A domain that is gone and made again has its VPIs still. */
static void received_before(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN + 18,
						LIBRA_ROLE_PASSIVE);
	u8 vpi[LIBRA_VPI_SIZE];

	KUNIT_ASSERT_EQ(test, LIBRA_MIB_MAX,
			libra_session_receives(ls->dom, LIBRA_ROLE_ACTIVE));
	received_write(ls->dom, false, vpi);
	libra_test_sock_end_now(test, ls);
	ls = libra_test_sock(test, LIBRA_TEST_DOMAIN + 18, LIBRA_ROLE_PASSIVE);
	KUNIT_EXPECT_TRUE(test, libra_received_any(ls));
	KUNIT_EXPECT_TRUE(test, libra_received_vpi(ls->dom, vpi));
}

/* Where connections may have gone unnoticed, nobody is handed any before they are sought. */
static void received_again(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN + 19,
						LIBRA_ROLE_ACTIVE);

	libra_sessions_again();
	KUNIT_EXPECT_EQ(test, LIBRA_MIB_FB_JOINING,
			libra_session_receives(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_session_join();
	KUNIT_EXPECT_EQ(test, LIBRA_MIB_MAX,
			libra_session_receives(ls->dom, LIBRA_ROLE_PASSIVE));
}

static int received_init(struct kunit *test)
{
	/* As after the first one in the life of a machine. */
	WRITE_ONCE(libra_vpi_minted, true);
	libra_session_join();
	return 0;
}

static struct kunit_case received_cases[] = {
	KUNIT_CASE(received_own),
	KUNIT_CASE(received_elsewhere),
	KUNIT_CASE(received_before),
	KUNIT_CASE(received_again),
	{}
};

static struct kunit_suite received_suite = {
	.name = "libra_received",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = received_init,
	.test_cases = received_cases,
};

kunit_test_suite(received_suite);
