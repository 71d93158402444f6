// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: micro-benchmarks of recv() and send(): what a proxy pays to forward a
 * chunk by copies and by an anchor, and what an attached socket adds to a read
 * that is copied all the same.
 */
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <net/tcp.h>

#include "bench.h"

static unsigned int bench_only;
module_param(bench_only, uint, 0444);
MODULE_PARM_DESC(bench_only, "For a profile: the one size to measure, often");

static u32 bench_rounds(void)
{
	return bench_only ? 100 * BENCH_ROUNDS : BENCH_ROUNDS;
}

/* ---- a chunk: in, and out again ------------------------------------------ */

/*
 * COPY: a plain proxy. ANCHOR: Libra. FLOOR: what is left of COPY without the
 * copies: the bytes are discarded by MSG_TRUNC, and pages of the kernel sent by
 * MSG_SPLICE_PAGES.
 */
enum bench_way { BENCH_COPY, BENCH_ANCHOR, BENCH_FLOOR, BENCH_WAYS };

static const char * const bench_names[BENCH_WAYS][2] = {
	[BENCH_COPY] = { "copy.recv", "copy.send" },
	[BENCH_ANCHOR] = { "anchor.recv", "redeem.send" },
	[BENCH_FLOOR] = { "floor.recv", "floor.send" },
};

#define BENCH_PAGES_ORDER	3	/* as TCP's own */
#define BENCH_PAGES_SIZE	(PAGE_SIZE << BENCH_PAGES_ORDER)

struct bench_chunk {
	struct bench_conn up[2];	/* plain, attached */
	struct bench_conn down[2];
	struct bench_series series[BENCH_WAYS][2];
	struct bio_vec bv[BENCH_BUF / BENCH_PAGES_SIZE];
	void __user *buf;
	void *data;
	void *back;
};

static int bench_all_payload(struct libra_ctx *ctx)
{
	return LIBRA_PAYLOAD_UNTIL_CLOSE;
}

static void bench_free_pages(void *page)
{
	__free_pages(page, BENCH_PAGES_ORDER);
}

static struct bench_chunk *bench_chunk_setup(struct kunit *test)
{
	struct bench_chunk *c = bench_buffer(test, sizeof(*c));
	int i;

	memset(c, 0, sizeof(*c));
	c->buf = bench_user_buffer(test, BENCH_BUF);
	c->data = bench_buffer(test, BENCH_BUF);
	c->back = bench_buffer(test, BENCH_BUF);
	get_random_bytes(c->data, BENCH_BUF);
	for (i = 0; i < ARRAY_SIZE(c->bv); i++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP,
						BENCH_PAGES_ORDER);

		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action_or_reset(test, bench_free_pages,
							  page));
		bvec_set_page(&c->bv[i], page, BENCH_PAGES_SIZE, 0);
	}
	for (i = 0; i < 2; i++) {
		bench_connect(test, &c->up[i]);
		bench_connect(test, &c->down[i]);
	}
	libra_test_segment = bench_all_payload;
	bench_attach(test, &c->up[1], LIBRA_TEST_DOMAIN, LIBRA_F_ACTIVE);
	bench_attach(test, &c->down[1], LIBRA_TEST_DOMAIN, 0);
	return c;
}

static int bench_splice(struct bench_chunk *c, struct bench_conn *conn, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_SPLICE_PAGES };

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, c->bv, ARRAY_SIZE(c->bv), len);
	return sock_sendmsg(conn->near, &msg);
}

static void bench_forward(struct kunit *test, struct bench_chunk *c,
			  enum bench_way way, u32 len, void *back)
{
	struct bench_conn *up = &c->up[way == BENCH_ANCHOR];
	struct bench_conn *down = &c->down[way == BENCH_ANCHOR];
	int received, sent;
	u64 t[4];

	bench_fill(test, up, c->data, len);
	bench_stall(down);

	t[0] = bench_now();
	received = bench_recv(up, c->buf, len, way == BENCH_FLOOR ? MSG_TRUNC : 0);
	t[1] = bench_now();
	t[2] = bench_now();
	sent = way == BENCH_FLOOR ? bench_splice(c, down, len) :
				    bench_send(down, c->buf, len);
	t[3] = bench_now();

	bench_go_on(down);
	KUNIT_ASSERT_EQ(test, (int)len, received);
	KUNIT_ASSERT_EQ(test, (int)len, sent);
	bench_drain(test, down, back, len);
	bench_sample(&c->series[way][0], t[0], t[1]);
	bench_sample(&c->series[way][1], t[2], t[3]);
}

/* What is measured is what it is said to be. */
static void bench_chunk_check(struct kunit *test, struct bench_chunk *c, u32 len)
{
	u64 minted = libra_test_count(LIBRA_MIB_MINTED);
	u64 redeemed = libra_test_count(LIBRA_MIB_TX_REDEEMED);

	bench_forward(test, c, BENCH_COPY, len, c->back);
	KUNIT_ASSERT_EQ(test, 0, memcmp(c->data, c->back, len));
	KUNIT_ASSERT_EQ(test, minted, libra_test_count(LIBRA_MIB_MINTED));

	memset(c->back, 0, len);
	bench_forward(test, c, BENCH_ANCHOR, len, c->back);
	KUNIT_ASSERT_EQ(test, 0, memcmp(c->data, c->back, len));
	KUNIT_ASSERT_EQ(test, minted + 1, libra_test_count(LIBRA_MIB_MINTED));
	KUNIT_ASSERT_EQ(test, redeemed + len,
			libra_test_count(LIBRA_MIB_TX_REDEEMED));
}

static void bench_chunk_size(struct kunit *test, struct bench_chunk *c, u32 len)
{
	u32 samples = len < 32768 ? 128 : len < 262144 ? 64 : 24;
	u64 ns[BENCH_WAYS][2], minted;
	int way, round, i;

	/* The first one warms up, and opens TCP's windows. */
	for (i = 0; i < samples; i++)
		bench_chunk_check(test, c, len);

	for (way = 0; way < BENCH_WAYS; way++)
		for (i = 0; i < 2; i++)
			bench_start(&c->series[way][i], bench_names[way][i],
				    len, 1);
	minted = libra_test_count(LIBRA_MIB_MINTED);
	/* Turn by turn, so that all have the same of a machine that is shared. */
	for (round = 0; round < bench_rounds(); round++) {
		for (way = 0; way < BENCH_WAYS; way++) {
			for (i = 0; i < samples; i++)
				bench_forward(test, c, way, len, NULL);
			bench_end_round(&c->series[way][0]);
			bench_end_round(&c->series[way][1]);
		}
	}
	KUNIT_EXPECT_EQ(test, minted + bench_rounds() * samples,
			libra_test_count(LIBRA_MIB_MINTED));

	for (way = 0; way < BENCH_WAYS; way++)
		for (i = 0; i < 2; i++)
			ns[way][i] = bench_report(&c->series[way][i]);
	pr_info("| %7u | %7llu + %7llu | %7llu + %7llu | %4llu %% |\n", len,
		ns[BENCH_COPY][0], ns[BENCH_COPY][1],
		ns[BENCH_ANCHOR][0], ns[BENCH_ANCHOR][1],
		div64_u64(100 * (ns[BENCH_ANCHOR][0] + ns[BENCH_ANCHOR][1]),
			  ns[BENCH_COPY][0] + ns[BENCH_COPY][1] + 1));
}

static void bench_chunks(struct kunit *test)
{
	struct libra_net *ln = libra_net(&init_net);
	u32 min_anchor = ln->sysctl.min_anchor;
	struct bench_chunk *c;
	u32 len;

	bench_calibrate();
	c = bench_chunk_setup(test);
	/* For the size from which on it is worth it, whatever the default is. */
	ln->sysctl.min_anchor = LIBRA_VPI_MARKED;
	pr_info("|   bytes | copy in + copy out |    anchor + redeem | ratio  |\n");
	for (len = 1024; len <= BENCH_BUF; len *= 2)
		if (bench_only ? len == bench_only :
				 len <= 262144 || len == BENCH_BUF)
			bench_chunk_size(test, c, len);
	ln->sysctl.min_anchor = min_anchor;
}

/* ---- what is copied all the same ------------------------------------------ */

/*
 * NATIVE: no attachment. PASS: the parser gave up. META: metadata, and the
 * parser is asked about each read. SMALL: payload below min_anchor.
 */
enum bench_read { BENCH_NATIVE, BENCH_PASS, BENCH_META, BENCH_SMALL, BENCH_READS };

static const char * const bench_read_names[BENCH_READS][2] = {
	[BENCH_NATIVE] = { "native.recv", "native.send" },
	[BENCH_PASS] = { "pass.recv", "pass.send" },
	[BENCH_META] = { "meta.recv", "meta.send" },
	[BENCH_SMALL] = { "small.recv", "small.send" },
};

#define BENCH_READS_AT_ONCE	64
#define BENCH_READ_MAX		4096

struct bench_reads {
	struct bench_conn up[BENCH_READS];
	struct bench_conn down[BENCH_READS];
	struct bench_series series[BENCH_READS][2];
	void __user *buf;
	void *data;
	u32 len;
};

static struct bench_reads *bench_reads;

static int bench_pass(struct libra_ctx *ctx)
{
	return LIBRA_PASS;
}

/* Each read is a segment. */
static int bench_meta(struct libra_ctx *ctx)
{
	ctx->seg_len = bench_reads->len;
	return LIBRA_META;
}

static int (* const bench_answers[BENCH_READS])(struct libra_ctx *ctx) = {
	[BENCH_PASS] = bench_pass,
	[BENCH_META] = bench_meta,
	[BENCH_SMALL] = bench_all_payload,
};

static void bench_reads_sample(struct kunit *test, struct bench_reads *r,
			       enum bench_read kind)
{
	u32 all = BENCH_READS_AT_ONCE * r->len;
	int i, received = 0, sent = 0;
	u64 t[4];

	bench_fill(test, &r->up[kind], r->data, all);
	t[0] = bench_now();
	for (i = 0; i < BENCH_READS_AT_ONCE; i++)
		received += bench_recv(&r->up[kind], r->buf, r->len, 0);
	t[1] = bench_now();
	KUNIT_ASSERT_EQ(test, (int)all, received);

	bench_stall(&r->down[kind]);
	t[2] = bench_now();
	for (i = 0; i < BENCH_READS_AT_ONCE; i++)
		sent += bench_send(&r->down[kind], r->buf, r->len);
	t[3] = bench_now();
	bench_go_on(&r->down[kind]);
	KUNIT_ASSERT_EQ(test, (int)all, sent);
	bench_drain(test, &r->down[kind], NULL, all);

	bench_sample(&r->series[kind][0], t[0], t[1]);
	bench_sample(&r->series[kind][1], t[2], t[3]);
}

static void bench_reads_size(struct kunit *test, struct bench_reads *r)
{
	int kinds = bench_only ? BENCH_PASS + 1 : BENCH_READS;
	int kind, round, i;

	for (kind = 0; kind < kinds; kind++) {
		for (i = 0; i < 50; i++)
			bench_reads_sample(test, r, kind);
		for (i = 0; i < 2; i++)
			bench_start(&r->series[kind][i],
				    bench_read_names[kind][i], r->len,
				    BENCH_READS_AT_ONCE);
	}
	for (round = 0; round < bench_rounds(); round++) {
		for (i = 0; i < 50; i++)
			for (kind = 0; kind < kinds; kind++)
				bench_reads_sample(test, r, kind);
		for (kind = 0; kind < kinds; kind++) {
			bench_end_round(&r->series[kind][0]);
			bench_end_round(&r->series[kind][1]);
		}
	}
	for (kind = 0; kind < kinds; kind++)
		for (i = 0; i < 2; i++)
			bench_report(&r->series[kind][i]);
}

static void bench_passing(struct kunit *test)
{
	static const u32 sizes[] = { 1, 100, BENCH_READ_MAX };
	struct libra_net *ln = libra_net(&init_net);
	u64 minted = libra_test_count(LIBRA_MIB_MINTED);
	u32 min_anchor = ln->sysctl.min_anchor;
	struct bench_reads *r;
	int kind, i;

	/* As on a machine where Libra is in use: what is sent is searched. */
	WRITE_ONCE(libra_vpi_minted, true);
	ln->sysctl.min_anchor = BENCH_READS_AT_ONCE * BENCH_READ_MAX + 1;
	bench_calibrate();
	r = bench_buffer(test, sizeof(*r));
	bench_reads = r;
	r->buf = bench_user_buffer(test, BENCH_READ_MAX);
	r->data = bench_buffer(test, BENCH_READS_AT_ONCE * BENCH_READ_MAX);
	memset(r->data, 'x', BENCH_READS_AT_ONCE * BENCH_READ_MAX);
	r->len = 1;
	for (kind = 0; kind < BENCH_READS; kind++) {
		bench_connect(test, &r->up[kind]);
		bench_connect(test, &r->down[kind]);
		if (kind == BENCH_NATIVE)
			continue;
		/* A domain for each, because one that passes stops all others. */
		bench_attach(test, &r->up[kind], LIBRA_TEST_DOMAIN + kind,
			     LIBRA_F_ACTIVE);
		bench_attach(test, &r->down[kind], LIBRA_TEST_DOMAIN + kind, 0);
		libra_test_segment = bench_answers[kind];
		bench_reads_sample(test, r, kind);
	}
	libra_test_segment = bench_meta;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		r->len = sizes[i];
		if (!bench_only || bench_only == r->len)
			bench_reads_size(test, r);
	}
	KUNIT_EXPECT_EQ(test, minted, libra_test_count(LIBRA_MIB_MINTED));
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PASS,
			libra_sk(r->up[BENCH_PASS].near->sk)->rx.seg.state);
	KUNIT_EXPECT_NE(test, LIBRA_SEG_PASS,
			libra_sk(r->up[BENCH_META].near->sk)->rx.seg.state);
	KUNIT_EXPECT_EQ(test, LIBRA_SEG_PAYLOAD,
			libra_sk(r->up[BENCH_SMALL].near->sk)->rx.seg.state);
	ln->sysctl.min_anchor = min_anchor;
}

static struct kunit_case bench_sock_cases[] = {
	KUNIT_CASE_SLOW(bench_chunks),
	KUNIT_CASE_SLOW(bench_passing),
	{}
};

static struct kunit_suite bench_sock_suite = {
	.name = "libra-bench-sock",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = bench_sock_cases,
};

kunit_test_suite(bench_sock_suite);
