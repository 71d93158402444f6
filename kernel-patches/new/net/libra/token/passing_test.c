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

	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, LIBRA_REASON_UNSAID);
	libra_passing_begin(ls, LIBRA_MIB_FB_ULP, LIBRA_REASON_UNSAID);
	KUNIT_EXPECT_EQ(test, 1, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_ACTIVE));
	KUNIT_EXPECT_EQ(test, LIBRA_MIB_FB_PARSER, ls->passing.why);
	/* Another connection of the same socket passes again. */
	libra_passing_over(ls);
	libra_passing_over(ls);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_passing_begin(ls, LIBRA_MIB_FB_ULP, LIBRA_REASON_UNSAID);
	KUNIT_EXPECT_EQ(test, 1, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_passing_end(ls);
	libra_passing_end(ls);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	/* Nothing is sent on it any more, so it does not count again. */
	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, LIBRA_REASON_UNSAID);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
}

/* May the current process be handed VPIs of a domain with clients elsewhere? */
static bool held_down(struct libra_domain *dom, enum libra_role role)
{
	if (atomic_read(&dom->net->passing_unused[role]))
		return true;
	return libra_session_receives(dom, role) == LIBRA_MIB_FB_EGRESS_PASS;
}

/* What a process sends by, whatever the domain, holds down what it receives. */
static void passing_elsewhere(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);
	struct libra_session *session;
	struct libra_domain *other;

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN_2, LIBRA_ROLE_ACTIVE)->dom;
	KUNIT_EXPECT_FALSE(test, held_down(other, LIBRA_ROLE_PASSIVE));
	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, LIBRA_REASON_UNSAID);
	/* Nobody knows yet who uses it. */
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&ls->net->passing_unused[LIBRA_ROLE_PASSIVE]));
	KUNIT_EXPECT_TRUE(test, held_down(other, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_FALSE(test, held_down(other, LIBRA_ROLE_ACTIVE));

	libra_passing_note(ls);
	libra_passing_note(ls);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&ls->net->passing_unused[LIBRA_ROLE_PASSIVE]));
	rcu_read_lock();
	session = libra_session_find();
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, session);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&session->uses));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&session->passing[LIBRA_ROLE_PASSIVE]));
	KUNIT_EXPECT_TRUE(test, held_down(other, LIBRA_ROLE_PASSIVE));
	KUNIT_EXPECT_FALSE(test, held_down(other, LIBRA_ROLE_ACTIVE));

	libra_passing_end(ls);
	KUNIT_EXPECT_TRUE(test, list_empty(&session->uses));
	KUNIT_EXPECT_FALSE(test, held_down(other, LIBRA_ROLE_PASSIVE));
	libra_passing_note(ls);
	KUNIT_EXPECT_TRUE(test, list_empty(&session->uses));
}

/* A session of which no process is left is not waited for by its connections. */
static void passing_forgets(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);
	struct libra_session gone = {
		.uses = LIST_HEAD_INIT(gone.uses),
	};

	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, LIBRA_REASON_UNSAID);
	libra_passing_note_as(ls, &gone);
	libra_passing_note_as(ls, &gone);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&gone.uses));
	libra_passing_forget(&gone);
	KUNIT_EXPECT_TRUE(test, list_empty(&gone.uses));
	KUNIT_EXPECT_TRUE(test, list_empty(&ls->passing.uses));
	libra_passing_note_as(ls, &gone);
	KUNIT_EXPECT_TRUE(test, list_empty(&ls->passing.uses));
	KUNIT_EXPECT_EQ(test, 1, passes(ls->dom, LIBRA_ROLE_PASSIVE));
	libra_passing_end(ls);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
}

/* Behind a shutdown nothing is sent, whatever is received. */
static void passing_ended(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);

	ls->ended = true;
	libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, LIBRA_REASON_UNSAID);
	KUNIT_EXPECT_EQ(test, 0, passes(ls->dom, LIBRA_ROLE_PASSIVE));
}

/* It ends unused. */
static void passing_unused(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_PASSIVE);
	atomic_t *unused = &ls->net->passing_unused[LIBRA_ROLE_PASSIVE];

	libra_passing_begin(ls, LIBRA_MIB_FB_ADOPTED, LIBRA_REASON_UNSAID);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(unused));
	libra_passing_end(ls);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(unused));
	libra_passing_note(ls);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(unused));
}

static struct kunit_case passing_cases[] = {
	KUNIT_CASE(passing_counts),
	KUNIT_CASE(passing_elsewhere),
	KUNIT_CASE(passing_unused),
	KUNIT_CASE(passing_forgets),
	KUNIT_CASE(passing_ended),
	{}
};

static int passing_init(struct kunit *test)
{
	libra_session_join();
	return 0;
}

static struct kunit_suite passing_suite = {
	.name = "libra_passing",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = passing_init,
	.test_cases = passing_cases,
};

kunit_test_suite(passing_suite);
