// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of the registry of parsers: which are taken, what one that takes
 * another's place finds, and what becomes of the reasons that parsers give.
 */
#include "token_test.h"

#define PARSER_TEST	"kunit-plug"

static u32 parser_test_reason;

/* Counts its questions in the scratch memory; the second one ends a message. */
static int parser_test_first(struct libra_ctx *ctx)
{
	ctx->seg_len = 10;
	return ++ctx->scratch[0] == 1 ? LIBRA_FRAMING : LIBRA_META;
}

/* Goes on counting. */
static int parser_test_second(struct libra_ctx *ctx)
{
	ctx->seg_len = 10 + ctx->scratch[0]++;
	return LIBRA_PAYLOAD;
}

static int parser_test_pass(struct libra_ctx *ctx)
{
	ctx->reason = parser_test_reason;
	return LIBRA_PASS;
}

static const struct libra_parser_ops parser_test_old = {
	.segment = parser_test_first,
	.name = PARSER_TEST,
	.abi = LIBRA_PARSER_ABI,
	.keeps = 7,
};

static const struct libra_parser_ops parser_test_new = {
	.segment = parser_test_second,
	.name = PARSER_TEST,
	.abi = LIBRA_PARSER_ABI,
	.keeps = 7,
};

static const struct libra_parser_ops parser_test_other = {
	.segment = parser_test_second,
	.name = PARSER_TEST,
	.abi = LIBRA_PARSER_ABI,
	.keeps = 8,
};

/* An attachment by PARSER_TEST. */
static struct libra_sock *parser_test_sock(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_ACTIVE);

	libra_parser_put(ls->parser);
	ls->parser = libra_parser_get(PARSER_TEST);
	KUNIT_ASSERT_NOT_NULL(test, ls->parser);
	return ls;
}

static struct libra_seg *parser_test_ask(struct libra_sock *ls, enum libra_dir dir)
{
	static const u8 data[16];

	libra_seg_classify(ls, dir, data, sizeof(data));
	return dir == LIBRA_INGRESS ? &ls->rx.seg : &ls->tx.seg;
}

static void parser_other_abi(struct kunit *test)
{
	struct libra_parser_ops ops = parser_test_old;

	ops.abi = 0;
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT, libra_parser_register(&ops));
	ops.abi = LIBRA_PARSER_ABI + 1;
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT, libra_parser_register(&ops));
	KUNIT_EXPECT_NULL(test, libra_parser_get(PARSER_TEST));

	KUNIT_ASSERT_EQ(test, 0, libra_parser_register(&parser_test_old));
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT,
			libra_parser_replace(&parser_test_old, &ops));
	libra_parser_unregister(&parser_test_old);
}

/* In the middle of a message, with what the first one left. */
static void parser_goes_on(struct kunit *test)
{
	static const u8 data[16];
	struct libra_sock *ls;
	struct libra_seg *seg;

	KUNIT_ASSERT_EQ(test, 0, libra_parser_register(&parser_test_old));
	ls = parser_test_sock(test);
	seg = parser_test_ask(ls, LIBRA_INGRESS);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_META, seg->state);
	KUNIT_EXPECT_TRUE(test, seg->goes_on);

	KUNIT_EXPECT_EQ(test, 0, libra_parser_replace(&parser_test_old, &parser_test_new));
	/* The segment under way ends as it was said to. */
	KUNIT_EXPECT_EQ(test, 10, seg->left);
	libra_seg_consume(seg, data, 10);
	parser_test_ask(ls, LIBRA_INGRESS);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PAYLOAD, seg->state);
	KUNIT_EXPECT_EQ(test, 11, seg->left);

	/* The old one is not there any more, so it can be neither replaced nor taken away. */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			libra_parser_replace(&parser_test_old, &parser_test_new));
	libra_parser_unregister(&parser_test_old);
	libra_seg_consume(seg, NULL, 11);
	parser_test_ask(ls, LIBRA_INGRESS);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PAYLOAD, seg->state);
	libra_parser_unregister(&parser_test_new);
}

static void parser_keeps_something_else(struct kunit *test)
{
	struct libra_sock *ls;
	struct libra_seg *seg;
	u64 gone;

	KUNIT_ASSERT_EQ(test, 0, libra_parser_register(&parser_test_old));
	ls = parser_test_sock(test);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			libra_parser_replace(&parser_test_old, &parser_test_other));
	seg = parser_test_ask(ls, LIBRA_EGRESS);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_META, seg->state);

	/* As of who attached while it was replaced: it finds a memory that is not its own. */
	ls->call.keeps = parser_test_other.keeps;
	gone = libra_test_count(LIBRA_MIB_FB_PARSER_GONE);
	seg = parser_test_ask(ls, LIBRA_INGRESS);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PASS, seg->state);
	KUNIT_EXPECT_EQ(test, gone + 1, libra_test_count(LIBRA_MIB_FB_PARSER_GONE));
	KUNIT_EXPECT_EQ(test, 1, ls->call.ctx.scratch[0]);

	/* Nobody has one any more. */
	libra_test_sock_end_now(test, ls);
	KUNIT_EXPECT_EQ(test, 0, libra_parser_replace(&parser_test_old, &parser_test_other));
	libra_parser_unregister(&parser_test_other);
}

static void parser_other_name(struct kunit *test)
{
	struct libra_parser_ops ops = parser_test_new;

	strscpy(ops.name, "kunit-other");
	KUNIT_ASSERT_EQ(test, 0, libra_parser_register(&parser_test_old));
	KUNIT_EXPECT_EQ(test, -EINVAL, libra_parser_replace(&parser_test_old, &ops));
	libra_parser_unregister(&parser_test_old);
}

/* What a parser says is shown, as long as there is a word for it. */
static void parser_says_why(struct kunit *test)
{
	static const struct {
		u32 said, shown;
	} cases[] = {
		{ LIBRA_REASON_CHANGES, LIBRA_REASON_CHANGES },
		{ LIBRA_REASON_MAX - 1, LIBRA_REASON_MAX - 1 },
		{ LIBRA_REASON_MAX, LIBRA_REASON_UNSAID },
		{ U32_MAX, LIBRA_REASON_UNSAID },
	};
	struct libra_sock *ls;
	int i;

	libra_test_segment = parser_test_pass;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		parser_test_reason = cases[i].said;
		ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
		parser_test_ask(ls, LIBRA_EGRESS);
		KUNIT_EXPECT_EQ(test, LIBRA_MIB_FB_PARSER, ls->passing.why);
		KUNIT_EXPECT_EQ(test, cases[i].shown, ls->passing.reason);
		libra_test_sock_end_now(test, ls);
	}

	/* Of its last answer, and of none when that is not why it passes. */
	ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	ls->tx.seg.reason = LIBRA_REASON_CHANGES;
	libra_seg_pass(ls, LIBRA_EGRESS, LIBRA_MIB_FB_ULP);
	KUNIT_EXPECT_EQ(test, LIBRA_REASON_UNSAID, ls->passing.reason);
}

static struct kunit_case parser_cases[] = {
	KUNIT_CASE(parser_other_abi),
	KUNIT_CASE(parser_goes_on),
	KUNIT_CASE(parser_keeps_something_else),
	KUNIT_CASE(parser_other_name),
	KUNIT_CASE(parser_says_why),
	{}
};

static struct kunit_suite parser_suite = {
	.name = "libra-parser",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = parser_cases,
};

kunit_test_suite(parser_suite);
