// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of who holds whom down.
 */
#include "token_test.h"

static int passes(const struct libra_domain *dom, enum libra_role role)
{
	return atomic_read(&dom->egress_passes[role]);
}

static void passing_counts(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);

	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER);
	libra_passing_begin(ls, LIBRA_MIB_FB_ULP);
	KUNIT_EXPECT_EQ(test, 1, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_ACTIVE));
	KUNIT_EXPECT_EQ(test, LIBRA_MIB_FB_PARSER, ls->passing.why);
	/* Another connection of the same socket passes again. */
	libra_passing_shut(ls);
	libra_passing_shut(ls);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_passing_begin(ls, LIBRA_MIB_FB_ULP);
	KUNIT_EXPECT_EQ(test, 1, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_passing_end(ls);
	libra_passing_end(ls);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	/* Nothing is sent on it any more, so it does not count again. */
	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
}

/* What a process sends by, whatever the domain, holds down what it receives. */
static void passing_elsewhere(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);
	struct libra_domain *dom = ls->dom;
	struct libra_domain *other;

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN_2, LIBRA_ROLE_ACTIVE)->dom;
	KUNIT_EXPECT_FALSE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));
	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER);
	/* Nobody knows yet who uses it. */
	KUNIT_EXPECT_TRUE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_FALSE(test, libra_passing_elsewhere(other, LIBRA_ROLE_ACTIVE));
	/* Its own domain has egress_passes for that. */
	KUNIT_EXPECT_FALSE(test, libra_passing_elsewhere(dom, LIBRA_ROLE_PASSIVE));

	libra_passing_note(ls);
	libra_passing_note(ls);
	KUNIT_EXPECT_EQ(test, 0, dom->passing.unused);
	KUNIT_ASSERT_EQ(test, 1, dom->passing.users.nr);
	KUNIT_EXPECT_TRUE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));
	dom->passing.users.id[0]++;
	KUNIT_EXPECT_FALSE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));
	/* It is passed on, to us. */
	libra_passing_note(ls);
	KUNIT_EXPECT_TRUE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));

	libra_passing_end(ls);
	KUNIT_EXPECT_FALSE(test, libra_passing_elsewhere(other, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_EQ(test, 0, dom->passing.users.nr);
}

/* It ends unused. */
static void passing_unused(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);

	libra_passing_begin(ls, LIBRA_MIB_FB_ADOPTED);
	KUNIT_EXPECT_EQ(test, 1, ls->dom->passing.unused);
	libra_passing_end(ls);
	KUNIT_EXPECT_EQ(test, 0, ls->dom->passing.unused);
	libra_passing_note(ls);
	KUNIT_EXPECT_EQ(test, 0, ls->dom->passing.users.nr);
}

static void sessions_overflow(struct kunit *test)
{
	struct libra_sessions sessions = {};
	int i;

	for (i = 0; i < LIBRA_SESSIONS; i++) {
		KUNIT_EXPECT_FALSE(test, libra_sessions_have(&sessions, true));
		libra_sessions_note(&sessions);
		libra_sessions_note(&sessions);
		KUNIT_EXPECT_EQ(test, i + 1, sessions.nr);
		sessions.id[i] += 1 + i;	/* as if it were somebody else */
	}
	KUNIT_EXPECT_FALSE(test, libra_sessions_have(&sessions, true));
	libra_sessions_note(&sessions);
	KUNIT_EXPECT_TRUE(test, libra_sessions_have(&sessions, true));
	libra_sessions_note(&sessions);
	KUNIT_EXPECT_EQ(test, LIBRA_SESSIONS + 1, sessions.nr);
	/* Not for who is in another namespace. */
	KUNIT_EXPECT_FALSE(test, libra_sessions_have(&sessions, false));
}

static struct kunit_case passing_cases[] = {
	KUNIT_CASE(passing_counts),
	KUNIT_CASE(passing_elsewhere),
	KUNIT_CASE(passing_unused),
	KUNIT_CASE(sessions_overflow),
	{}
};

static struct kunit_suite passing_suite = {
	.name = "libra_passing",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = passing_cases,
};

kunit_test_suite(passing_suite);
