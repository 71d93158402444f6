// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of the segmenter: what it makes of a parser's answers, and
 * that it does not matter where a stream is cut.
 */
#include <linux/prandom.h>

#include "token_test.h"

/* ---- a parser that says what it was told to ----------------------------- */

struct answer {
	int verdict;
	u64 len;
};

static struct answer *script;
static u32 script_len, script_at;
/* The last question. */
static u32 asked_avail;
static u8 asked_data[64];

static int scripted(struct libra_ctx *ctx)
{
	const struct answer *a = &script[min(script_at, script_len - 1)];

	script_at++;
	asked_avail = ctx->avail;
	memcpy(asked_data, libra_test_data(ctx),
	       min_t(u32, ctx->avail, sizeof(asked_data)));
	ctx->seg_len = a->len;
	return a->verdict;
}

#define SCRIPT(...)							\
	do {								\
		static struct answer answers[] = { __VA_ARGS__ };	\
									\
		script = answers;					\
		script_len = ARRAY_SIZE(answers);			\
		script_at = 0;						\
	} while (0)

/* ---- one socket for each test ------------------------------------------- */

struct seg_test {
	struct libra_sock *ls;
	struct libra_seg *seg;	/* ingress */
	u32 max_header;
	u8 data[8192];
};

static int seg_test_init(struct kunit *test)
{
	struct seg_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	t->ls->call.ctx.flags = LIBRA_F_ANCHOR_REQUESTS;
	t->seg = &t->ls->rx.seg;
	t->max_header = t->ls->net->sysctl.max_header;
	for (i = 0; i < sizeof(t->data); i++)
		t->data[i] = i % 251;
	libra_test_segment = scripted;
	return 0;
}

static void seg_test_exit(struct kunit *test)
{
	struct seg_test *t = test->priv;

	if (t && t->ls)
		t->ls->net->sysctl.max_header = t->max_header;
}

#define EXPECT_SEG(test, seg, wanted_state, wanted_left)		\
	do {								\
		KUNIT_EXPECT_EQ(test, wanted_state, (seg)->state);	\
		KUNIT_EXPECT_EQ(test, wanted_left, (seg)->left);	\
	} while (0)

/* Shows @len bytes at @off; all that the segmenter takes passes. */
static u32 seg_pass_on(struct seg_test *t, u32 off, u32 len)
{
	u32 n;

	if (t->seg->state == LIBRA_SEG_ASK)
		libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + off, len);
	n = min_t(u64, t->seg->left, len);
	libra_seg_consume(t->seg, t->data + off, n);
	return n;
}

/* ---- answers ------------------------------------------------------------ */

static void seg_segments(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_META, 10 }, { LIBRA_PAYLOAD, 5000 },
	       { LIBRA_FRAMING, 3 }, { LIBRA_PAYLOAD_PART, 7 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 10);
	KUNIT_EXPECT_EQ(test, 100, asked_avail);
	libra_seg_consume(t->seg, t->data, 4);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 6);
	libra_seg_consume(t->seg, t->data + 4, 6);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_ASK, 0);

	/* Longer than what is at hand: nobody is asked about the rest. */
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 10, 90);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 5000);
	libra_seg_consume(t->seg, NULL, 4999);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 1);
	libra_seg_consume(t->seg, NULL, 1);

	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 3);
	libra_seg_consume(t->seg, t->data, 3);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 7);
	libra_seg_consume(t->seg, t->data, 7);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_ASK, 0);
	KUNIT_EXPECT_EQ(test, 4, script_at);
}

static void seg_until_close(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_PAYLOAD_UNTIL_CLOSE, 0 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, U64_MAX);
	libra_seg_consume(t->seg, NULL, U32_MAX);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, U64_MAX);
}

static void seg_resync(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_RESYNC, 0 }, { LIBRA_META, 1 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 100);
	libra_seg_consume(t->seg, t->data, 100);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 100, 50);
	KUNIT_EXPECT_EQ(test, 50, asked_avail);
	KUNIT_EXPECT_EQ(test, t->data[100], asked_data[0]);
}

static void seg_pass(struct kunit *test)
{
	u64 count = libra_test_count(LIBRA_MIB_FB_PARSER);
	struct seg_test *t = test->priv;
	struct libra_domain *dom = t->ls->dom;

	SCRIPT({ LIBRA_PASS, 0 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	libra_seg_consume(t->seg, NULL, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	KUNIT_EXPECT_EQ(test, count + 1, libra_test_count(LIBRA_MIB_FB_PARSER));
	/* What comes in says nothing about what VPIs can go out. */
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&dom->egress_passes[LIBRA_ROLE_PASSIVE]));

	libra_seg_classify(t->ls, LIBRA_EGRESS, t->data, 100);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PASS, t->ls->tx.seg.state);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&dom->egress_passes[LIBRA_ROLE_PASSIVE]));
	/* Once is enough. */
	libra_seg_pass(t->ls, LIBRA_EGRESS, LIBRA_MIB_FB_PARSER);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&dom->egress_passes[LIBRA_ROLE_PASSIVE]));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&dom->egress_passes[LIBRA_ROLE_ACTIVE]));
}

/* Then the domain knows before there is an answer, which is still looked at. */
static void seg_pass_both(struct kunit *test)
{
	struct seg_test *t = test->priv;
	struct libra_domain *dom = t->ls->dom;

	SCRIPT({ LIBRA_PASS_BOTH, 0 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&dom->egress_passes[LIBRA_ROLE_PASSIVE]));
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_ASK, t->ls->tx.seg.state);
}

/* ---- what clients send ---------------------------------------------------- */

/* It is copied unless the attachment asks for more, whatever the parser says. */
static void seg_requests_are_copied(struct kunit *test)
{
	struct seg_test *t = test->priv;

	t->ls->call.ctx.flags = 0;
	SCRIPT({ LIBRA_PAYLOAD, 5000 }, { LIBRA_PAYLOAD_PART, 7 },
	       { LIBRA_PAYLOAD_UNTIL_CLOSE, 0 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 5000);
	libra_seg_consume(t->seg, NULL, 5000);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 7);
	libra_seg_consume(t->seg, NULL, 7);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, U64_MAX);
	/* Its answers are understood none the less. */
	KUNIT_EXPECT_EQ(test, 0,
			atomic_read(&t->ls->dom->egress_passes[LIBRA_ROLE_PASSIVE]));
}

/* What it is sent is payload: there may be VPIs in it. */
static void seg_responses_are_payload(struct kunit *test)
{
	struct seg_test *t = test->priv;

	t->ls->call.ctx.flags = 0;
	SCRIPT({ LIBRA_PAYLOAD, 5000 });
	libra_seg_classify(t->ls, LIBRA_EGRESS, t->data, 100);
	EXPECT_SEG(test, &t->ls->tx.seg, LIBRA_SEG_PAYLOAD, 5000);
}

/* So is what an upstream sends, and what it is sent. */
static void seg_upstreams_are_payload(struct kunit *test)
{
	struct libra_sock *ls = libra_test_sock(test, LIBRA_TEST_DOMAIN,
						LIBRA_ROLE_ACTIVE);
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_PAYLOAD, 5000 });
	libra_seg_classify(ls, LIBRA_INGRESS, t->data, 100);
	EXPECT_SEG(test, &ls->rx.seg, LIBRA_SEG_PAYLOAD, 5000);
	libra_seg_classify(ls, LIBRA_EGRESS, t->data, 100);
	EXPECT_SEG(test, &ls->tx.seg, LIBRA_SEG_PAYLOAD, 5000);
}

static const struct answer bad_answers[] = {
	{ 0, 1 }, { -1, 1 }, { -EINVAL, 1 }, { LIBRA_PASS_BOTH + 1, 1 },
	{ INT_MAX, 1 },
	{ LIBRA_META, 0 }, { LIBRA_META, 1ULL << 63 }, { LIBRA_META, U64_MAX },
	{ LIBRA_FRAMING, 0 }, { LIBRA_FRAMING, U64_MAX },
	{ LIBRA_PAYLOAD, 0 }, { LIBRA_PAYLOAD, U64_MAX },
	{ LIBRA_PAYLOAD_PART, 0 }, { LIBRA_PAYLOAD_PART, 1ULL << 63 },
	{ LIBRA_NEED_MORE, 0 }, { LIBRA_NEED_MORE, 99 }, { LIBRA_NEED_MORE, 100 },
};

KUNIT_ARRAY_PARAM(bad_answer, bad_answers, NULL);

static void seg_bad_answer(struct kunit *test)
{
	u64 passes = libra_test_count(LIBRA_MIB_FB_PARSER_BAD);
	u64 bad = libra_test_count(LIBRA_MIB_PARSER_BAD);
	struct answer a = *(const struct answer *)test->param_value;
	struct seg_test *t = test->priv;

	script = &a;
	script_len = 1;
	script_at = 0;
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 100);
	KUNIT_EXPECT_EQ_MSG(test, LIBRA_SEG_PASS, t->seg->state,
			    "verdict %d, length %llu", a.verdict, a.len);
	KUNIT_EXPECT_EQ(test, bad + 1, libra_test_count(LIBRA_MIB_PARSER_BAD));
	KUNIT_EXPECT_EQ(test, passes + 1,
			libra_test_count(LIBRA_MIB_FB_PARSER_BAD));
}

/* ---- NEED_MORE ---------------------------------------------------------- */

static void seg_looks_back(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_NEED_MORE, 20 }, { LIBRA_META, 4 }, { LIBRA_META, 8 },
	       { LIBRA_PAYLOAD, 100 });
	/* Nobody waits for the rest: what is at hand passes as metadata. */
	KUNIT_EXPECT_EQ(test, 10, seg_pass_on(t, 0, 10));
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_ASK, t->seg->state);
	/*
	 * Asked again with 10 more: segments of 4 and 8 bytes, of which 10 passed,
	 * so the payload would begin at 12; there are 2 left of the second.
	 */
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 10, 10);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 2);
	KUNIT_EXPECT_EQ(test, 3, script_at);
	KUNIT_EXPECT_EQ(test, 16, asked_avail);
	KUNIT_EXPECT_MEMEQ(test, asked_data, t->data + 4, 16);
	libra_seg_consume(t->seg, t->data + 10, 2);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 12, 8);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 100);
	KUNIT_EXPECT_EQ(test, 8, asked_avail);
	KUNIT_EXPECT_MEMEQ(test, asked_data, t->data + 12, 8);
}

static void seg_ends_with_what_passed(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_NEED_MORE, 11 }, { LIBRA_META, 10 }, { LIBRA_PAYLOAD, 50 });
	KUNIT_EXPECT_EQ(test, 10, seg_pass_on(t, 0, 10));
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 10, 20);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 50);
	KUNIT_EXPECT_EQ(test, 20, asked_avail);
	KUNIT_EXPECT_MEMEQ(test, asked_data, t->data + 10, 20);
}

static void seg_partly_accepted(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_NEED_MORE, 30 }, { LIBRA_META, 30 });
	/* A send() of 20 bytes of which only 12 were taken... */
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 20);
	libra_seg_consume(t->seg, t->data, 12);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 8);
	/* ... shows the other 8 again. */
	libra_seg_consume(t->seg, t->data + 12, 8);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 20, 10);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 10);
	KUNIT_EXPECT_EQ(test, 30, asked_avail);
	KUNIT_EXPECT_MEMEQ(test, asked_data, t->data, 30);
}

/* It is shown all there is before anything is kept for a later question. */
static void seg_more_is_at_hand(struct kunit *test)
{
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_NEED_MORE, 11 }, { LIBRA_NEED_MORE, 7010 },
	       { LIBRA_META, 7010 });
	KUNIT_EXPECT_EQ(test, 10, seg_pass_on(t, 0, 10));
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 10, 7500);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_META, 7000);
	KUNIT_EXPECT_EQ(test, 3, script_at);
	KUNIT_EXPECT_GE(test, asked_avail, 7010);
}

static void seg_header_too_long(struct kunit *test)
{
	u64 count = libra_test_count(LIBRA_MIB_FB_HEADER);
	struct seg_test *t = test->priv;

	t->ls->net->sysctl.max_header = 256;
	SCRIPT({ LIBRA_NEED_MORE, 256 }, { LIBRA_NEED_MORE, 257 });
	KUNIT_EXPECT_EQ(test, 200, seg_pass_on(t, 0, 200));
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_ASK, t->seg->state);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 200, 56);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	KUNIT_EXPECT_EQ(test, count + 1, libra_test_count(LIBRA_MIB_FB_HEADER));
	KUNIT_EXPECT_NULL(test, t->seg->behind);
}

/* One byte at a time out of what passed already is no progress. */
static void seg_goes_in_circles(struct kunit *test)
{
	u64 bad = libra_test_count(LIBRA_MIB_PARSER_BAD);
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_NEED_MORE, 1001 }, { LIBRA_META, 1 });
	KUNIT_EXPECT_EQ(test, 1000, seg_pass_on(t, 0, 1000));
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data + 1000, 10);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	KUNIT_EXPECT_LT(test, script_at, 100);
	KUNIT_EXPECT_EQ(test, bad + 1, libra_test_count(LIBRA_MIB_PARSER_BAD));
}

/* ---- cuts --------------------------------------------------------------- */

/*
 * A toy protocol: 'M' n and n bytes of metadata; 'P' n and n bytes of payload;
 * 'C' n and n bytes of payload in the middle of a message; 'L', metadata up to
 * a ';'. n is a byte, not 0.
 */
static int toy(struct libra_ctx *ctx)
{
	const u8 *data = libra_test_data(ctx);
	u8 *payload = &ctx->scratch[0], *part = &ctx->scratch[1];
	const u8 *end;

	if (*payload) {
		ctx->seg_len = *payload;
		*payload = 0;
		return *part ? LIBRA_PAYLOAD_PART : LIBRA_PAYLOAD;
	}
	if (data[0] == 'L') {
		end = memchr(data, ';', ctx->avail);
		ctx->seg_len = end ? end - data + 1 : ctx->avail + 1;
		return end ? LIBRA_META : LIBRA_NEED_MORE;
	}
	if (ctx->avail < 2) {
		ctx->seg_len = 2;
		return LIBRA_NEED_MORE;
	}
	switch (data[0]) {
	case 'M':
		ctx->seg_len = 2 + data[1];
		return LIBRA_META;
	case 'P':
	case 'C':
		*payload = data[1];
		*part = data[0] == 'C';
		ctx->seg_len = 2;
		return *part ? LIBRA_FRAMING : LIBRA_META;
	}
	return LIBRA_PASS;
}

#define TOY_SIZE	100000

/* Fills @data with whole elements and @is_payload with what each byte is. */
static u32 toy_fill(struct rnd_state *rnd, u8 *data, u8 *is_payload)
{
	u32 pos = 0;

	while (pos < TOY_SIZE - 20000) {
		u32 n = 1 + prandom_u32_state(rnd) % 255;
		char type = "MPCL"[prandom_u32_state(rnd) % 4];

		data[pos] = type;
		if (type == 'L') {
			/* Now and then longer than any buffer it comes in. */
			if (n < 16)
				n *= 1000;
			memset(data + pos + 1, 'l', n);
			data[pos + n] = ';';
			n++;
			memset(is_payload + pos, false, n);
		} else {
			data[pos + 1] = n;
			memset(data + pos + 2, type, n);
			memset(is_payload + pos, false, 2);
			memset(is_payload + pos + 2, type != 'M', n);
			n += 2;
		}
		pos += n;
	}
	return pos;
}

/*
 * Shows the stream in pieces of up to @piece bytes, of which all or some are
 * taken, and compares what the segmenter says about each byte.
 */
static void toy_run(struct kunit *test, struct rnd_state *rnd, const u8 *data,
		    const u8 *is_payload, u32 size, u32 piece)
{
	struct seg_test *t = test->priv;
	u32 pos = 0;

	while (pos < size) {
		u32 len = 1 + prandom_u32_state(rnd) % piece;
		u32 end = pos + min(len, size - pos);
		bool taken = true;

		while (pos < end && taken) {
			u32 n;

			if (t->seg->state == LIBRA_SEG_ASK)
				libra_seg_classify(t->ls, LIBRA_INGRESS,
						   data + pos, end - pos);
			KUNIT_ASSERT_NE(test, LIBRA_SEG_PASS, t->seg->state);
			n = min_t(u64, t->seg->left, end - pos);
			if (prandom_u32_state(rnd) % 4 == 0) {
				n = 1 + prandom_u32_state(rnd) % n;
				taken = false;
			}
			KUNIT_ASSERT_EQ_MSG(test, is_payload[pos],
					    t->seg->state == LIBRA_SEG_PAYLOAD,
					    "byte %u, piece %u", pos, piece);
			KUNIT_ASSERT_NULL_MSG(test,
					      memchr(is_payload + pos,
						     !is_payload[pos], n),
					      "%u bytes from %u, piece %u", n,
					      pos, piece);
			libra_seg_consume(t->seg, data + pos, n);
			pos += n;
		}
	}
	EXPECT_SEG(test, t->seg, LIBRA_SEG_ASK, 0);
}

static const u32 pieces[] = { 1, 2, 3, 7, 64, 300, 1448, 5000, 20000, TOY_SIZE };

static void piece_name(const u32 *piece, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "up to %u bytes", *piece);
}

KUNIT_ARRAY_PARAM(piece, pieces, piece_name);

static void seg_cut_anywhere(struct kunit *test)
{
	u32 piece = *(const u32 *)test->param_value;
	u8 *data = kunit_kmalloc(test, TOY_SIZE, GFP_KERNEL);
	u8 *is_payload = kunit_kmalloc(test, TOY_SIZE, GFP_KERNEL);
	struct rnd_state rnd;
	u32 size;

	KUNIT_ASSERT_NOT_NULL(test, data);
	KUNIT_ASSERT_NOT_NULL(test, is_payload);
	libra_test_segment = toy;
	prandom_seed_state(&rnd, piece);
	size = toy_fill(&rnd, data, is_payload);
	toy_run(test, &rnd, data, is_payload, size, piece);
}

/* ---- a parser that goes ------------------------------------------------- */

/* The last case: afterwards the suite has no parser. */
static void seg_parser_gone(struct kunit *test)
{
	u64 count = libra_test_count(LIBRA_MIB_FB_PARSER_GONE);
	struct seg_test *t = test->priv;

	SCRIPT({ LIBRA_PAYLOAD, 100 });
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 10);
	libra_test_unregister();
	/* The segment under way is kept to its end. */
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PAYLOAD, 100);
	libra_seg_consume(t->seg, NULL, 100);
	libra_seg_classify(t->ls, LIBRA_INGRESS, t->data, 10);
	EXPECT_SEG(test, t->seg, LIBRA_SEG_PASS, U64_MAX);
	KUNIT_EXPECT_EQ(test, 1, script_at);
	KUNIT_EXPECT_EQ(test, count + 1,
			libra_test_count(LIBRA_MIB_FB_PARSER_GONE));
}

static struct kunit_case seg_cases[] = {
	KUNIT_CASE(seg_segments),
	KUNIT_CASE(seg_until_close),
	KUNIT_CASE(seg_resync),
	KUNIT_CASE(seg_pass),
	KUNIT_CASE(seg_pass_both),
	KUNIT_CASE(seg_requests_are_copied),
	KUNIT_CASE(seg_responses_are_payload),
	KUNIT_CASE(seg_upstreams_are_payload),
	KUNIT_CASE_PARAM(seg_bad_answer, bad_answer_gen_params),
	KUNIT_CASE(seg_looks_back),
	KUNIT_CASE(seg_ends_with_what_passed),
	KUNIT_CASE(seg_partly_accepted),
	KUNIT_CASE(seg_more_is_at_hand),
	KUNIT_CASE(seg_header_too_long),
	KUNIT_CASE(seg_goes_in_circles),
	KUNIT_CASE_PARAM(seg_cut_anywhere, piece_gen_params),
	KUNIT_CASE(seg_parser_gone),
	{}
};

static struct kunit_suite seg_suite = {
	.name = "libra_segment",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = seg_test_init,
	.exit = seg_test_exit,
	.test_cases = seg_cases,
};

kunit_test_suite(seg_suite);
