// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: micro-benchmark of what kernel TLS in software does with payload that lies where it
 * was received: AES-GCM of a record's bytes, from fragments of a network card, from pages,
 * from one buffer, and from fragments that are copied into one buffer first.
 *
 * The scatterlists are those of tls_push_record(): the bytes that are authenticated only, the
 * payload, and behind them, where it goes to, the tag. What is written is in one buffer, as
 * of a page fragment.
 */
#include <crypto/aead.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <net/tls.h>

#include "bench.h"

#define BENCH_RECORD	TLS_MAX_PAYLOAD_SIZE
/* What precedes the payload of a segment in its buffer: 66 bytes of headers. */
#define BENCH_HEADERS	66
#define BENCH_SEGMENT	1448
#define BENCH_JUMBO	8948
#define BENCH_FRAGS	(BENCH_RECORD / BENCH_SEGMENT + 1)

/**
 * struct bench_tls - one layout of a record's bytes
 * @series: its figures
 * @req: encrypts
 * @from: what is authenticated, and the payload
 * @to: the same places for what comes out, and the tag
 * @copied: where fragments are copied to first, or NULL
 */
struct bench_tls {
	struct bench_series series;
	struct aead_request *req;
	struct scatterlist from[BENCH_FRAGS + 1];
	struct scatterlist to[2];
	struct scatterlist copy[2];
	void *copied;
	u32 len;
	u8 iv[16];
};

struct bench_tls_layout {
	const char *name;
	u32 fragment;		/* bytes of each; 0: one buffer */
	u32 offset;		/* where in its page */
	bool copied;		/* into one buffer, before it is encrypted */
};

static const struct bench_tls_layout bench_tls_layouts[] = {
	{ "tls.buffer", 0, 0, false },
	{ "tls.pages", PAGE_SIZE, 0, false },
	{ "tls.segments", BENCH_SEGMENT, BENCH_HEADERS, false },
	{ "tls.jumbo", BENCH_JUMBO, BENCH_HEADERS, false },
	{ "tls.segments_copied", BENCH_SEGMENT, BENCH_HEADERS, true },
};

static void bench_free_pages(void *data)
{
	free_pages_exact(data, BENCH_FRAGS * PAGE_SIZE);
}

static void bench_free_request(void *data)
{
	aead_request_free(data);
}

static void bench_free_aead(void *data)
{
	crypto_free_aead(data);
}

static void *bench_tls_pages(struct kunit *test)
{
	void *pages = alloc_pages_exact(BENCH_FRAGS * PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bench_free_pages, pages));
	memset(pages, 'p', BENCH_FRAGS * PAGE_SIZE);
	return pages;
}

static struct crypto_aead *bench_tls_aead(struct kunit *test)
{
	static const u8 key[TLS_CIPHER_AES_GCM_128_KEY_SIZE] = "0123456789abcdef";
	struct crypto_aead *aead;

	aead = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(aead));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bench_free_aead, aead));
	KUNIT_ASSERT_EQ(test, 0, crypto_aead_setkey(aead, key, sizeof(key)));
	KUNIT_ASSERT_EQ(test, 0, crypto_aead_setauthsize(aead, TLS_TAG_SIZE));
	return aead;
}

/* Payload of @len bytes; each fragment in pages of its own, if they are not one buffer. */
static void bench_tls_fragments(struct bench_tls *b, const struct bench_tls_layout *layout,
				void *aad, void *pages)
{
	u32 size = layout->fragment ? : b->len;
	u32 stride = PAGE_ALIGN(layout->offset + size);
	u32 at, n = 1;

	sg_init_table(b->from, DIV_ROUND_UP(b->len, size) + 1);
	sg_set_buf(&b->from[0], aad, TLS_HEADER_SIZE);
	for (at = 0; at < b->len; at += size, n++)
		sg_set_buf(&b->from[n], pages + (n - 1) * stride + layout->offset,
			   min(size, b->len - at));
}

static void bench_tls_prepare(struct kunit *test, struct bench_tls *b,
			      const struct bench_tls_layout *layout, struct crypto_aead *aead,
			      u32 len)
{
	void *aad = kunit_kzalloc(test, TLS_HEADER_SIZE, GFP_KERNEL);
	struct scatterlist *from = b->from;

	KUNIT_ASSERT_NOT_NULL(test, aad);
	b->len = len;
	b->req = aead_request_alloc(aead, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b->req);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, bench_free_request, b->req));
	bench_tls_fragments(b, layout, aad, bench_tls_pages(test));
	sg_init_table(b->to, 2);
	sg_set_buf(&b->to[0], aad, TLS_HEADER_SIZE);
	sg_set_buf(&b->to[1], bench_tls_pages(test), len + TLS_TAG_SIZE);
	if (layout->copied) {
		b->copied = bench_tls_pages(test);
		sg_init_table(b->copy, 2);
		sg_set_buf(&b->copy[0], aad, TLS_HEADER_SIZE);
		sg_set_buf(&b->copy[1], b->copied, len);
		from = b->copy;
	}
	aead_request_set_ad(b->req, TLS_HEADER_SIZE);
	aead_request_set_crypt(b->req, from, b->to, len, b->iv);
	bench_start(&b->series, layout->name, len, 1);
}

static int bench_tls_encrypt(struct bench_tls *b)
{
	struct scatterlist *sg = &b->from[1];
	void *to = b->copied;

	for (; to && sg; sg = sg_next(sg)) {
		memcpy(to, sg_virt(sg), sg->length);
		to += sg->length;
	}
	return crypto_aead_encrypt(b->req);
}

/* All layouts of one length take turns, and have to come to the same ciphertext. */
static void bench_tls_length(struct kunit *test, struct crypto_aead *aead, u32 len)
{
	struct bench_tls *b = kunit_kcalloc(test, ARRAY_SIZE(bench_tls_layouts), sizeof(*b),
					    GFP_KERNEL);
	int round, sample, failed = 0;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	for (i = 0; i < ARRAY_SIZE(bench_tls_layouts); i++)
		bench_tls_prepare(test, &b[i], &bench_tls_layouts[i], aead, len);
	for (round = -1; round < BENCH_ROUNDS; round++) {
		for (sample = 0; sample < 20; sample++) {
			for (i = 0; i < ARRAY_SIZE(bench_tls_layouts); i++) {
				u64 from = bench_now();

				failed |= bench_tls_encrypt(&b[i]);
				if (round >= 0)
					bench_sample(&b[i].series, from, bench_now());
			}
		}
		for (i = 0; i < ARRAY_SIZE(bench_tls_layouts); i++)
			bench_end_round(&b[i].series);
	}
	KUNIT_EXPECT_EQ(test, 0, failed);
	for (i = 0; i < ARRAY_SIZE(bench_tls_layouts); i++) {
		KUNIT_EXPECT_MEMEQ(test, sg_virt(&b[0].to[1]), sg_virt(&b[i].to[1]),
				   len + TLS_TAG_SIZE);
		bench_report(&b[i].series);
	}
}

static void bench_tls(struct kunit *test)
{
	struct crypto_aead *aead = bench_tls_aead(test);
	u32 len;

	bench_calibrate();
	pr_info("libra-bench: tls by %s\n", crypto_tfm_alg_driver_name(crypto_aead_tfm(aead)));
	for (len = SZ_2K; len <= BENCH_RECORD; len *= 2)
		bench_tls_length(test, aead, len);
}

static struct kunit_case bench_tls_cases[] = {
	KUNIT_CASE_SLOW(bench_tls),
	{}
};

static struct kunit_suite bench_tls_suite = {
	.name = "libra-bench-tls",
	.test_cases = bench_tls_cases,
};

kunit_test_suite(bench_tls_suite);
