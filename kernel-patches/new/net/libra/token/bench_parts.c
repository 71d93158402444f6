// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: micro-benchmarks of what needs no socket: tokens, the search for them,
 * a parser; and copies, as a measure of the machine.
 */
#include <linux/prandom.h>
#include <linux/uaccess.h>

#include "bench.h"

/* ---- copies --------------------------------------------------------------- */

/*
 * User-mode Linux copies with plain loads and stores, and looks every page of
 * user space up; a kernel on the same bare machine has this instruction.
 */
static void bench_rep_movsb(void *to, const void *from, size_t len)
{
#ifdef CONFIG_X86_64
	asm volatile("rep movsb"
		     : "+D" (to), "+S" (from), "+c" (len) : : "memory");
#endif
}

static void bench_copies_size(struct kunit *test, void __user *user, void *a,
			      void *b, u32 len)
{
	struct bench_series *s = kunit_kzalloc(test, 4 * sizeof(*s), GFP_KERNEL);
	u32 ops = len < 65536 ? 65536 / len : 1;
	unsigned long left = 0;
	int round, sample, i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	bench_start(&s[0], "machine.to_user", len, ops);
	bench_start(&s[1], "machine.from_user", len, ops);
	bench_start(&s[2], "machine.memcpy", len, ops);
	bench_start(&s[3], "machine.movsb", len, ops);
	for (round = -1; round < BENCH_ROUNDS; round++) {
		for (sample = 0; sample < 20; sample++) {
			u64 t[5];

			t[0] = bench_now();
			for (i = 0; i < ops; i++)
				left += copy_to_user(user, a, len);
			t[1] = bench_now();
			for (i = 0; i < ops; i++)
				left += copy_from_user(b, user, len);
			t[2] = bench_now();
			for (i = 0; i < ops; i++)
				memcpy(b, a, len);
			t[3] = bench_now();
			for (i = 0; i < ops; i++)
				bench_rep_movsb(b, a, len);
			t[4] = bench_now();
			for (i = 0; i < 4 && round >= 0; i++)
				bench_sample(&s[i], t[i], t[i + 1]);
		}
		for (i = 0; i < 4; i++)
			bench_end_round(&s[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, left);
	for (i = 0; i < (IS_ENABLED(CONFIG_X86_64) ? 4 : 3); i++)
		bench_report(&s[i]);
}

static void bench_copies(struct kunit *test)
{
	void __user *user = bench_user_buffer(test, BENCH_BUF);
	void *a = bench_buffer(test, BENCH_BUF);
	void *b = bench_buffer(test, BENCH_BUF);
	u32 len;

	bench_calibrate();
	memset(a, 'a', BENCH_BUF);
	memset(b, 'b', BENCH_BUF);
	for (len = 1024; len <= BENCH_BUF; len *= 2)
		bench_copies_size(test, user, a, b, len);
}

/* ---- tokens ---------------------------------------------------------------- */

struct bench_parts {
	struct bench_series series;
	struct libra_domain dom;
	struct libra_msg msg;
	struct libra_minted minted;
	struct libra_sock *ls;
	u8 vpi[LIBRA_VPI_SIZE];
	const u8 *data;
	u32 len;
	u64 sum;
};

/* Measure @op, which is done @ops times in a sample. */
static void bench_op(struct kunit *test, struct bench_parts *p, const char *name,
		     u32 ops, void (*op)(struct bench_parts *p))
{
	struct bench_series *s = &p->series;
	int round, sample, i;

	bench_start(s, name, p->len, ops);
	for (round = -1; round < BENCH_ROUNDS; round++) {
		for (sample = 0; sample < 50; sample++) {
			u64 from = bench_now();

			for (i = 0; i < ops; i++)
				op(p);
			if (round >= 0)
				bench_sample(s, from, bench_now());
		}
		bench_end_round(s);
	}
	bench_report(s);
}

static void bench_op_nothing(struct bench_parts *p)
{
	p->sum++;
}

static void bench_op_mint(struct bench_parts *p)
{
	p->minted.id++;
	libra_vpi_write(p->vpi, &p->minted);
}

static void bench_op_verify(struct bench_parts *p)
{
	u32 len;
	u64 id;

	p->sum += libra_vpi_read(p->vpi, p->dom.cookie, &id, &len);
}

static void bench_op_match(struct bench_parts *p)
{
	p->sum += libra_match(p->data, p->len);
}

static struct bench_parts *bench_parts_new(struct kunit *test)
{
	struct bench_parts *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->dom.cookie = 0x0123456789abcdefULL;
	p->msg.dom = &p->dom;
	p->minted.msg = &p->msg;
	p->minted.anchor.len = 65536;
	return p;
}

static void bench_tokens(struct kunit *test)
{
	struct bench_parts *p = bench_parts_new(test);

	bench_calibrate();
	bench_op(test, p, "nothing", 1000, bench_op_nothing);
	bench_op(test, p, "mint", 1000, bench_op_mint);
	p->sum = 0;
	bench_op(test, p, "verify", 1000, bench_op_verify);
	KUNIT_EXPECT_EQ(test, 1000 * 50 * (BENCH_ROUNDS + 1), p->sum);
}

static void bench_matching(struct kunit *test)
{
	static const u32 sizes[] = { 4096, 65536 };
	struct bench_parts *p = bench_parts_new(test);
	u8 *text = bench_buffer(test, 65536);
	u8 *random = bench_buffer(test, 65536);
	struct rnd_state rnd;
	int i;

	bench_calibrate();
	memset(text, 'x', 65536);
	prandom_seed_state(&rnd, 1);
	prandom_bytes_state(&rnd, random, 65536);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p->len = sizes[i];
		p->data = text;
		bench_op(test, p, "match.text", 16, bench_op_match);
		p->data = random;
		bench_op(test, p, "match.random", 16, bench_op_match);
	}
}

/* ---- a parser --------------------------------------------------------------- */

#ifdef LIBRA_BENCH_HTTP1
static const char bench_request[] =
	"GET /assets/2024/11/a-picture-of-some-length.jpg?width=1280 HTTP/1.1\r\n"
	"Host: www.example.org\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
	"Accept: image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\n"
	"Accept-Language: en-US,en;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br\r\n"
	"Referer: https://www.example.org/news/2024/11/an-article\r\n"
	"Cookie: session=0123456789abcdef0123456789abcdef01234567890abcdefg\r\n"
	"Sec-Fetch-Dest: image\r\n"
	"Connection: keep-alive\r\n"
	"\r\n";

static const char bench_response[] =
	"HTTP/1.1 200 OK\r\n"
	"Server: nginx/1.26.2\r\n"
	"Date: Thu, 21 Nov 2024 08:12:23 GMT\r\n"
	"Content-Type: image/jpeg\r\n"
	"Content-Length: 65536\r\n"
	"Last-Modified: Tue, 19 Nov 2024 17:03:44 GMT\r\n"
	"Connection: keep-alive\r\n"
	"ETag: \"673cc5b0-10000-0123456789abcdef0123456789abcdef0123\"\r\n"
	"Expires: Fri, 21 Nov 2025 08:12:23 GMT\r\n"
	"Cache-Control: public, max-age=31536000, immutable\r\n"
	"Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"Vary: Accept-Encoding, Origin\r\n"
	"Accept-Ranges: bytes\r\n"
	"\r\n";

/* As libra_recvmsg() does at the beginning of a message. */
static void bench_op_parse(struct bench_parts *p)
{
	bench_http1_reset(&p->ls->call.ctx);
	libra_seg_classify(p->ls, LIBRA_INGRESS, p->data, p->len);
	p->sum += p->ls->rx.seg.left;
	libra_seg_consume(&p->ls->rx.seg, p->data, p->len);
}

/* The segmenter alone, with a parser that knows the answer. */
static int bench_known(struct libra_ctx *ctx)
{
	ctx->seg_len = ctx->avail;
	return LIBRA_META;
}

static void bench_header(struct kunit *test, const char *header, u32 len,
			 const char *name, enum libra_role role)
{
	struct bench_parts *p = bench_parts_new(test);

	p->ls = libra_test_sock(test, LIBRA_TEST_DOMAIN, role);
	p->data = header;
	p->len = len;
	libra_test_segment = bench_http1_segment;
	bench_op(test, p, name, 200, bench_op_parse);
	/* It was taken for what it is. */
	KUNIT_EXPECT_EQ(test, 200ULL * 50 * (BENCH_ROUNDS + 1) * len, p->sum);
	if (role == LIBRA_ROLE_PASSIVE) {
		libra_test_segment = bench_known;
		bench_op(test, p, "ask", 200, bench_op_parse);
	}
}

static void bench_http1(struct kunit *test)
{
	bench_calibrate();
	bench_header(test, bench_request, sizeof(bench_request) - 1,
		     "http1.request", LIBRA_ROLE_PASSIVE);
	bench_header(test, bench_response, sizeof(bench_response) - 1,
		     "http1.response", LIBRA_ROLE_ACTIVE);
}
#endif

static struct kunit_case bench_parts_cases[] = {
	KUNIT_CASE_SLOW(bench_copies),
	KUNIT_CASE_SLOW(bench_tokens),
	KUNIT_CASE_SLOW(bench_matching),
#ifdef LIBRA_BENCH_HTTP1
	KUNIT_CASE_SLOW(bench_http1),
#endif
	{}
};

static struct kunit_suite bench_parts_suite = {
	.name = "libra-bench-parts",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.test_cases = bench_parts_cases,
};

kunit_test_suite(bench_parts_suite);
