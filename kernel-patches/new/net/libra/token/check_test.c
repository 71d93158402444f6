// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of messages that are checked on their way out.
 */
#include <linux/slab.h>

#include "check.h"
#include "token_test.h"

#define CHECK_LEN	10000
#define CHECK_GRACE	(HZ / 5)

/* An upstream's and a client's socket of one domain, in mode dry-run, and payload. */
struct check_test {
	struct libra_net *ln;
	struct libra_sock *from;
	struct libra_sock *to;
	u8 *data;
	u64 count[LIBRA_MIB_MAX];
};

static struct libra_sock *check_sock(struct kunit *test, enum libra_role role)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, role);

	ls->mode = LIBRA_MODE_DRY_RUN;
	libra_check_init(ls, 1 << LIBRA_F_CHECK_SHIFT);
	return ls;
}

static int check_test_init(struct kunit *test)
{
	struct check_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->data = kunit_kmalloc(test, CHECK_LEN, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->data);
	get_random_bytes(t->data, CHECK_LEN);
	t->from = check_sock(test, LIBRA_ROLE_ACTIVE);
	t->to = check_sock(test, LIBRA_ROLE_PASSIVE);
	for (i = 0; i < LIBRA_MIB_MAX; i++)
		t->count[i] = libra_test_count(i);
	return 0;
}

/* No time has passed, so all that is left is judged as if nothing more could leave. */
static void check_judge(struct check_test *t)
{
	libra_checks_judge(t->from->dom, 0);
}

static u64 check_count(struct check_test *t, enum libra_mib item)
{
	return libra_test_count(item) - t->count[item];
}

/* A segment begins, as libra_seg_classify() would have it. */
static void check_segment(struct libra_sock *ls, enum libra_dir dir,
			  enum libra_seg_state state, u64 len, bool goes_on)
{
	struct libra_seg *seg = libra_seg(ls, dir);

	seg->state = state;
	seg->left = len;
	seg->goes_on = goes_on;
	libra_check_classified(ls, dir);
}

static void check_bytes(struct libra_sock *ls, enum libra_dir dir, const u8 *data, u32 len,
			u32 step)
{
	u32 n, pos;

	for (pos = 0; pos < len; pos += n) {
		n = min(step, len - pos);
		libra_pass_bytes(ls, dir, data ? data + pos : NULL, n);
	}
}

/* A message with its length in front. */
static void check_message(struct libra_sock *ls, enum libra_dir dir, const u8 *data, u32 len)
{
	static const u8 header[] = "HTTP/1.1 200 OK";

	check_segment(ls, dir, LIBRA_SEG_META, sizeof(header), false);
	check_bytes(ls, dir, header, sizeof(header), 7);
	check_segment(ls, dir, LIBRA_SEG_PAYLOAD, len, false);
	check_bytes(ls, dir, data, len, 1448);
}

static void check_came(struct check_test *t)
{
	check_message(t->from, LIBRA_INGRESS, t->data, CHECK_LEN);
}

static void check_left(struct check_test *t)
{
	check_message(t->to, LIBRA_EGRESS, t->data, CHECK_LEN);
}

/* One that is not among those that came. */
static void check_another_left(struct check_test *t)
{
	t->data[CHECK_LEN / 2] ^= 1;
	check_left(t);
	t->data[CHECK_LEN / 2] ^= 1;
}

#define EXPECT_VERDICTS(checked, altered, unsent)				\
do {										\
	KUNIT_EXPECT_EQ(test, checked, check_count(t, LIBRA_MIB_CHECKED));	\
	KUNIT_EXPECT_EQ(test, altered, check_count(t, LIBRA_MIB_CHECK_ALTERED));	\
	KUNIT_EXPECT_EQ(test, unsent, check_count(t, LIBRA_MIB_CHECK_UNSENT));	\
} while (0)

static void check_unaltered(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	KUNIT_EXPECT_TRUE(test, libra_checks_open(t->ln));
	EXPECT_VERDICTS(0, 0, 0);
	check_left(t);
	EXPECT_VERDICTS(1, 0, 0);
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
	KUNIT_EXPECT_FALSE(test, libra_checks_busy(t->from->dom, LIBRA_ROLE_ACTIVE));
}

/* In chunks, other than those that it came in. */
static void check_chunks(struct kunit *test)
{
	struct check_test *t = test->priv;
	u32 half = CHECK_LEN / 2 + 17;

	check_came(t);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_META, 6, true);
	check_bytes(t->to, LIBRA_EGRESS, "1399\r\n", 6, 6);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, half, true);
	check_bytes(t->to, LIBRA_EGRESS, t->data, half, 999);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_META, 8, true);
	check_bytes(t->to, LIBRA_EGRESS, "\r\n1377\r\n", 8, 3);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN - half, true);
	check_bytes(t->to, LIBRA_EGRESS, t->data + half, CHECK_LEN - half, 4096);
	EXPECT_VERDICTS(0, 0, 0);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_META, 7, false);
	EXPECT_VERDICTS(1, 0, 0);
}

static void check_altered(struct kunit *test)
{
	struct check_test *t = test->priv;
	int shown = t->ln->altered_nr;

	check_came(t);
	check_another_left(t);
	EXPECT_VERDICTS(0, 0, 0);
	check_judge(t);
	EXPECT_VERDICTS(1, 1, 0);
	KUNIT_EXPECT_EQ(test, min(shown + 1, 16), t->ln->altered_nr);
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
}

/* One that is shorter or longer than what came is another one. */
static void check_cut_short(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	check_message(t->to, LIBRA_EGRESS, t->data, CHECK_LEN - 1);
	check_judge(t);
	EXPECT_VERDICTS(1, 1, 0);
}

/* Kept, or thrown away: nothing left that it could have become. */
static void check_unsent(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	check_left(t);
	check_another_left(t);
	schedule_timeout_uninterruptible(2);
	check_came(t);
	check_judge(t);
	EXPECT_VERDICTS(2, 0, 1);
}

/* The client went away in the middle of it; something else left afterwards. */
static void check_client_gone(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *gone = check_sock(test, LIBRA_ROLE_PASSIVE);

	check_came(t);
	check_segment(gone, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	check_bytes(gone, LIBRA_EGRESS, t->data, CHECK_LEN / 2, 1000);
	libra_test_sock_end_now(test, gone);
	check_another_left(t);
	check_judge(t);
	EXPECT_VERDICTS(1, 0, 1);
}

/* When a proxy would have begun to send what it kept; the grace is CHECK_GRACE. */
static void check_judge_later(struct check_test *t)
{
	schedule_timeout_uninterruptible(CHECK_GRACE + 2);
	libra_checks_judge(t->from->dom, 1000 * HZ);
}

/* What is still leaving may be it, if it began in time. */
static void check_slow_client(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *slow = check_sock(test, LIBRA_ROLE_PASSIVE);
	unsigned long grace = libra_checks_grace;

	libra_checks_grace = CHECK_GRACE;
	check_came(t);
	check_segment(slow, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	check_bytes(slow, LIBRA_EGRESS, t->data, CHECK_LEN / 2, 1000);
	check_another_left(t);
	libra_checks_judge(t->from->dom, 1000 * HZ);
	check_judge_later(t);
	EXPECT_VERDICTS(0, 0, 0);
	check_bytes(slow, LIBRA_EGRESS, t->data + CHECK_LEN / 2, CHECK_LEN / 2, 1000);
	EXPECT_VERDICTS(1, 0, 0);

	/* Without it the other one would be what it has become. */
	check_came(t);
	check_another_left(t);
	check_judge_later(t);
	EXPECT_VERDICTS(2, 1, 0);
	libra_checks_grace = grace;
}

/* Whoever sends much has no message judged in haste, and nobody walks past old ones. */
static void check_many_sending(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *other = check_sock(test, LIBRA_ROLE_PASSIVE);
	unsigned long grace = libra_checks_grace;
	u32 looks = libra_checks_looks;

	libra_checks_grace = CHECK_GRACE;
	libra_checks_looks = 0;
	check_came(t);
	check_segment(other, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	other->check->stream[LIBRA_EGRESS].tgid++;
	check_another_left(t);
	check_judge_later(t);
	EXPECT_VERDICTS(0, 0, 0);
	libra_checks_looks = 1;
	libra_checks_judge(t->from->dom, 1000 * HZ);
	EXPECT_VERDICTS(1, 1, 0);

	libra_checks_looks = 0;
	check_came(t);
	check_another_left(t);
	check_judge_later(t);
	EXPECT_VERDICTS(2, 2, 0);
	libra_checks_looks = looks;
	libra_checks_grace = grace;
}

/* What has not left in time may do so later, and is not blamed. */
static void check_time_is_up(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *slow = check_sock(test, LIBRA_ROLE_PASSIVE);

	check_came(t);
	check_segment(slow, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	check_bytes(slow, LIBRA_EGRESS, t->data, CHECK_LEN / 2, 1000);
	check_another_left(t);
	schedule_timeout_uninterruptible(2);
	libra_checks_judge(t->from->dom, 1);
	EXPECT_VERDICTS(1, 0, 1);
}

/* What is copied and not followed leaves unrecognised. */
static void check_unfollowed(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *other = check_sock(test, LIBRA_ROLE_ACTIVE);

	check_came(t);
	other->mode = LIBRA_MODE_TOKEN;
	other->check_rate = 31;
	check_message(other, LIBRA_INGRESS, t->data, CHECK_LEN);
	check_another_left(t);
	check_judge(t);
	EXPECT_VERDICTS(1, 0, 1);
}

/* Nor is what leaves from an anchor, of which there may be many, a reason to doubt. */
static void check_anchored(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct libra_sock *other = check_sock(test, LIBRA_ROLE_PASSIVE);

	check_came(t);
	check_segment(other, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	KUNIT_EXPECT_TRUE(test, libra_check_follows(other, LIBRA_EGRESS));
	other->tx.redeemed = (void *)1;	/* it is only looked whether there is one */
	check_bytes(other, LIBRA_EGRESS, NULL, CHECK_LEN, 1448);
	other->tx.redeemed = NULL;
	check_another_left(t);
	check_judge(t);
	EXPECT_VERDICTS(1, 1, 0);
}

/* The rest of a message is no message. */
static void check_rest(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	t->to->check_rate = 0;
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN / 2, true);
	t->to->check_inside[LIBRA_EGRESS] = true;
	check_bytes(t->to, LIBRA_EGRESS, t->data, CHECK_LEN / 2, 1000);
	t->to->check_rate = 1;
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_META, 8, true);
	check_bytes(t->to, LIBRA_EGRESS, "\r\n1388\r\n", 8, 8);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN / 2, true);
	KUNIT_EXPECT_FALSE(test, libra_check_follows(t->to, LIBRA_EGRESS));
	check_bytes(t->to, LIBRA_EGRESS, t->data + CHECK_LEN / 2, CHECK_LEN / 2, 1000);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_META, 7, false);
	check_judge(t);
	EXPECT_VERDICTS(1, 0, 1);
}

/* The last connection of a domain is closed: what had not left is judged. */
static void check_domain_ends(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	check_another_left(t);
	libra_test_sock_end_now(test, t->from);
	EXPECT_VERDICTS(0, 0, 0);
	libra_test_sock_end_now(test, t->to);
	EXPECT_VERDICTS(1, 1, 0);
}

/* What another process sends, or the other side gets, is nothing that it became. */
static void check_others(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_came(t);
	check_segment(t->to, LIBRA_EGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	t->to->check->stream[LIBRA_EGRESS].tgid++;
	check_bytes(t->to, LIBRA_EGRESS, t->data, CHECK_LEN - 1, 1000);
	check_bytes(t->to, LIBRA_EGRESS, "", 1, 1);
	check_judge(t);
	EXPECT_VERDICTS(1, 0, 1);

	check_came(t);
	check_message(t->from, LIBRA_EGRESS, t->data, CHECK_LEN);
	check_judge(t);
	EXPECT_VERDICTS(2, 0, 2);
}

/* Bytes that nobody saw: the message cannot be followed, and is not one of those checked. */
static void check_unseen(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_message(t->from, LIBRA_INGRESS, NULL, CHECK_LEN);
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
	KUNIT_EXPECT_FALSE(test, libra_checks_busy(t->from->dom, LIBRA_ROLE_ACTIVE));
	check_came(t);
	check_message(t->to, LIBRA_EGRESS, NULL, CHECK_LEN);
	check_judge(t);
	EXPECT_VERDICTS(1, 0, 1);
}

/* Nobody checks it any more: what had passed by then is no message, nor how it ends. */
static void check_stopped(struct kunit *test)
{
	struct check_test *t = test->priv;
	struct sock *sk = t->from->sk;

	skb_queue_head_init(&sk->sk_receive_queue);
	sk->sk_shutdown = RCV_SHUTDOWN;
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_PAYLOAD, U64_MAX, false);
	check_bytes(t->from, LIBRA_INGRESS, t->data, CHECK_LEN / 2, 1000);
	KUNIT_EXPECT_TRUE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	libra_check_stop(t->from);
	check_bytes(t->from, LIBRA_INGRESS, t->data + CHECK_LEN / 2, CHECK_LEN / 2, 1000);
	__libra_check_eof(t->from);
	KUNIT_EXPECT_FALSE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
	check_judge(t);
	EXPECT_VERDICTS(0, 0, 0);
}

/* Payload that is not worth an anchor is not looked at. */
static void check_small(struct kunit *test)
{
	struct check_test *t = test->priv;

	check_message(t->from, LIBRA_INGRESS, t->data, t->ln->sysctl.min_anchor - 1);
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
	/* Nor if that is known at its end only. */
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_PAYLOAD, 100, true);
	KUNIT_EXPECT_TRUE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	check_bytes(t->from, LIBRA_INGRESS, t->data, 100, 100);
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_META, 5, false);
	KUNIT_EXPECT_FALSE(test, libra_checks_open(t->ln));
	KUNIT_EXPECT_FALSE(test, libra_checks_busy(t->from->dom, LIBRA_ROLE_ACTIVE));
}

/* In mode token a sample is copied; the rest is nobody's concern here. */
static void check_sample(struct kunit *test)
{
	struct check_test *t = test->priv;

	t->from->mode = LIBRA_MODE_TOKEN;
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	KUNIT_EXPECT_TRUE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	check_bytes(t->from, LIBRA_INGRESS, t->data, CHECK_LEN, 1448);
	KUNIT_EXPECT_FALSE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	libra_check_stop(t->from);
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_PAYLOAD, CHECK_LEN, false);
	KUNIT_EXPECT_FALSE(test, libra_check_follows(t->from, LIBRA_INGRESS));
	check_bytes(t->from, LIBRA_INGRESS, NULL, CHECK_LEN, 1448);
	check_left(t);
	EXPECT_VERDICTS(1, 0, 0);
}

/* More than can wait: some are not checked, and nothing is blamed on the others. */
static void check_too_many(struct kunit *test)
{
	struct check_test *t = test->priv;
	u32 i;

	for (i = 0; i < LIBRA_CHECKS_OPEN + 3; i++) {
		memcpy(t->data, &i, sizeof(i));
		check_came(t);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, 3, check_count(t, LIBRA_MIB_CHECK_SKIPPED));
	check_left(t);
	check_judge(t);
	EXPECT_VERDICTS(LIBRA_CHECKS_OPEN, 0, LIBRA_CHECKS_OPEN);
	KUNIT_EXPECT_FALSE(test, libra_checks_busy(t->from->dom, LIBRA_ROLE_ACTIVE));
}

/* How the header began is kept, for who wants to know which message it was. */
static void check_header(struct kunit *test)
{
	struct check_test *t = test->priv;
	u8 *more = kunit_kzalloc(test, 2 * LIBRA_CHECK_HEAD, GFP_KERNEL);
	struct libra_check_head *head;

	KUNIT_ASSERT_NOT_NULL(test, more);
	check_came(t);
	head = &t->from->check->stream[LIBRA_INGRESS].head;
	KUNIT_EXPECT_EQ(test, 16, head->len);
	KUNIT_EXPECT_STREQ(test, "HTTP/1.1 200 OK", (char *)head->data);
	check_came(t);
	KUNIT_EXPECT_EQ(test, 16, head->len);
	check_segment(t->from, LIBRA_INGRESS, LIBRA_SEG_META, 2 * LIBRA_CHECK_HEAD, false);
	check_bytes(t->from, LIBRA_INGRESS, more, 2 * LIBRA_CHECK_HEAD, 100);
	KUNIT_EXPECT_EQ(test, LIBRA_CHECK_HEAD, head->len);
	check_judge(t);
}

static struct kunit_case check_test_cases[] = {
	KUNIT_CASE(check_unaltered),
	KUNIT_CASE(check_chunks),
	KUNIT_CASE(check_altered),
	KUNIT_CASE(check_cut_short),
	KUNIT_CASE(check_unsent),
	KUNIT_CASE(check_client_gone),
	KUNIT_CASE(check_slow_client),
	KUNIT_CASE(check_many_sending),
	KUNIT_CASE(check_time_is_up),
	KUNIT_CASE(check_unfollowed),
	KUNIT_CASE(check_anchored),
	KUNIT_CASE(check_rest),
	KUNIT_CASE(check_domain_ends),
	KUNIT_CASE(check_others),
	KUNIT_CASE(check_unseen),
	KUNIT_CASE(check_stopped),
	KUNIT_CASE(check_small),
	KUNIT_CASE(check_sample),
	KUNIT_CASE(check_too_many),
	KUNIT_CASE(check_header),
	{}
};

static struct kunit_suite check_test_suite = {
	.name = "libra_check",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = check_test_init,
	.test_cases = check_test_cases,
};

kunit_test_suite(check_test_suite);
