// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of anchors: what they pin and are charged for.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/uio.h>

#include "anchor.h"
#include "libra_test.h"

/*
 * An empty anchor, an account with a limit and a counter that nothing else uses
 * here, and a page whose references tell who holds it.
 */
struct anchor_test {
	typeof_member(struct libra_net, sysctl) sysctl;
	struct libra_net *ln;
	struct libra_account account;
	struct libra_anchor *anchor;
	struct page *page;
	long charge;
	u32 limit;
	bool released;
};

static void anchor_test_release(struct libra_account *account)
{
	container_of(account, struct anchor_test, account)->released = true;
}

static int anchor_test_init(struct kunit *test)
{
	struct anchor_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->charge = atomic_long_read(&t->ln->charge);
	t->sysctl = t->ln->sysctl;
	t->limit = U32_MAX;
	refcount_set(&t->account.ref, 1);
	t->account.release = anchor_test_release;
	t->account.net = t->ln;
	t->account.limit = &t->limit;
	t->account.at_limit = LIBRA_MIB_FB_SMALL;
	t->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	t->anchor = kunit_kmalloc(test, sizeof(*t->anchor), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->anchor);
	libra_anchor_init(t->anchor, &t->account, NULL);
	return 0;
}

static void anchor_end(struct kunit *test)
{
	struct anchor_test *t = test->priv;

	libra_anchor_release(t->anchor);
	t->anchor = NULL;
}

/* Whatever a test did: nothing is left, and nothing was dropped twice. */
static void anchor_test_exit(struct kunit *test)
{
	struct anchor_test *t = test->priv;

	if (!t || !t->page)
		return;
	t->ln->sysctl = t->sysctl;
	if (t->anchor)
		anchor_end(test);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&t->account.charge));
	KUNIT_EXPECT_EQ(test, t->charge, atomic_long_read(&t->ln->charge));
	put_page(t->page);
}

static void anchor_charges(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = t->anchor;
	u64 refused = libra_test_count(LIBRA_MIB_FB_SMALL);

	t->limit = 10000;
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 6000));
	KUNIT_EXPECT_FALSE(test, libra_anchor_charge(anchor, 4001));
	KUNIT_EXPECT_EQ(test, 6000, atomic_long_read(&t->account.charge));
	KUNIT_EXPECT_EQ(test, t->charge + 6000, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 4000));
	KUNIT_EXPECT_EQ(test, 10000, anchor->charge);
	KUNIT_EXPECT_EQ(test, refused + 1, libra_test_count(LIBRA_MIB_FB_SMALL));
}

static void anchor_charges_netns(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = t->anchor;
	u64 refused = libra_test_count(LIBRA_MIB_FB_NETNS_LIMIT);

	t->ln->sysctl.max_netns_bytes = t->charge + 10000;
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 6000));
	KUNIT_EXPECT_FALSE(test, libra_anchor_charge(anchor, 4001));
	KUNIT_EXPECT_EQ(test, 6000, atomic_long_read(&t->account.charge));
	KUNIT_EXPECT_EQ(test, t->charge + 6000, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_EQ(test, refused + 1,
			libra_test_count(LIBRA_MIB_FB_NETNS_LIMIT));
}

/* What is pinned is charged, once for a page, and refused where it can be. */
static void anchor_charges_what_is_pinned(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct page *other = alloc_page(GFP_KERNEL);
	struct libra_anchor *anchor = t->anchor;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 64));
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, i & 1 ? other : t->page,
							  100 * i, 4, GFP_KERNEL));
	put_page(other);
	t->limit = 2 * PAGE_SIZE - 1;
	KUNIT_EXPECT_FALSE(test, libra_anchor_may_pin(anchor));
	KUNIT_EXPECT_EQ(test, 64, anchor->charge);
	KUNIT_EXPECT_EQ(test, 64, atomic_long_read(&t->account.charge));
	t->limit = 2 * PAGE_SIZE;
	KUNIT_EXPECT_TRUE(test, libra_anchor_may_pin(anchor));
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, anchor->charge);
	KUNIT_EXPECT_TRUE(test, libra_anchor_may_pin(anchor));
	libra_anchor_charge_pinned(anchor);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, atomic_long_read(&t->account.charge));
}

static void anchor_merges(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = t->anchor;
	struct page *other = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, other);
	/* Side by side: one entry, one reference. */
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, t->page, 100, 50, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, t->page, 150, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, anchor->nr);
	KUNIT_EXPECT_EQ(test, 60, anchor->bv[0].bv_len);
	KUNIT_EXPECT_EQ(test, 2, page_ref_count(t->page));
	/* A gap, a step back, another page at the fitting offset: not. */
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, t->page, 161, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, t->page, 100, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add(anchor, other, 110, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 4, anchor->nr);
	KUNIT_EXPECT_EQ(test, 90, anchor->len);
	KUNIT_EXPECT_EQ(test, 4, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 2, page_ref_count(other));
	anchor_end(test);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(other));
	put_page(other);
}

static void anchor_grows_to_its_limit(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = t->anchor;
	u32 i;

	for (i = 0; i < LIBRA_ANCHOR_MAX_BV; i++)
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    libra_anchor_add(anchor, t->page, i % 2 * 9,
						     i % 7 + 1, GFP_KERNEL),
				    "entry %u", i);
	KUNIT_EXPECT_EQ(test, LIBRA_ANCHOR_MAX_BV + 1, page_ref_count(t->page));
	for (i = 0; i < LIBRA_ANCHOR_MAX_BV; i++) {
		KUNIT_ASSERT_PTR_EQ(test, t->page, anchor->bv[i].bv_page);
		KUNIT_ASSERT_EQ(test, i % 2 * 9, anchor->bv[i].bv_offset);
		KUNIT_ASSERT_EQ(test, i % 7 + 1, anchor->bv[i].bv_len);
	}
	/* One more takes nothing. */
	i = anchor->len;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			libra_anchor_add(anchor, t->page, 1000, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, i, anchor->len);
	KUNIT_EXPECT_EQ(test, LIBRA_ANCHOR_MAX_BV + 1, page_ref_count(t->page));
}

/* What the anchor holds is the @len bytes at @expected. */
static void anchor_expect(struct kunit *test, const u8 *expected, u32 len)
{
	struct anchor_test *t = test->priv;
	u8 *found = kunit_kzalloc(test, len, GFP_KERNEL);
	struct iov_iter from;

	KUNIT_ASSERT_NOT_NULL(test, found);
	KUNIT_ASSERT_EQ(test, len, t->anchor->len);
	iov_iter_bvec(&from, ITER_SOURCE, t->anchor->bv, t->anchor->nr, len);
	KUNIT_ASSERT_EQ(test, len, copy_from_iter(found, len, &from));
	KUNIT_EXPECT_MEMEQ(test, found, expected, len);
}

/* Bytes of which none is like its neighbours. */
static u8 *anchor_bytes(struct kunit *test, u32 len)
{
	u8 *bytes = kunit_kmalloc(test, len, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (i = 0; i < len; i++)
		bytes[i] = i * 7 + i / 256;
	return bytes;
}

/* A socket of which only the page fragment is used: the task's. */
static struct sock *anchor_sock(struct kunit *test)
{
	struct sock *sk = kunit_kzalloc(test, sizeof(*sk), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sk);
	sk->sk_use_task_frag = true;
	sk->sk_allocation = GFP_KERNEL;
	return sk;
}

static void anchor_copies(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct sock *sk = anchor_sock(test);
	u32 len = 100000;
	u8 *bytes = anchor_bytes(test, len);

	/* What was appended does not change when the source does. */
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add_copy(t->anchor, sk, bytes, 0));
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add_copy(t->anchor, sk, bytes, 1));
	KUNIT_EXPECT_EQ(test, 0,
			libra_anchor_add_copy(t->anchor, sk, bytes + 1, len - 1));
	anchor_expect(test, bytes, len);
}

/*
 * A linear part in memory of the slab, a page, a few bytes of one, and another
 * buffer in the frag_list: any range of it.
 */
static void anchor_takes_an_skb(struct kunit *test)
{
	static const u32 ranges[][2] = {
		{ 0, 3000 }, { 0, 100 }, { 99, 2 }, { 100, 1800 }, { 150, 1900 },
		{ 1900, 200 }, { 2000, 1000 }, { 2050, 700 }, { 2999, 1 },
	};
	struct anchor_test *t = test->priv;
	struct sock *sk = anchor_sock(test);
	u8 *bytes = anchor_bytes(test, 3000);
	struct sk_buff *skb, *part;
	int i;

	/* 100 bytes, 1800 in a page, 100 in the same page, 1000 behind. */
	skb = alloc_skb(100, GFP_KERNEL);
	part = alloc_skb(1000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_NOT_NULL(test, part);
	skb_put_data(skb, bytes, 100);
	memcpy(page_address(t->page), bytes + 100, 1800);
	memcpy(page_address(t->page) + 2000, bytes + 1900, 100);
	get_page(t->page);
	skb_add_rx_frag(skb, 0, t->page, 0, 1800, PAGE_SIZE);
	get_page(t->page);
	skb_add_rx_frag(skb, 1, t->page, 2000, 100, 0);
	skb_put_data(part, bytes + 2000, 1000);
	skb_shinfo(skb)->frag_list = part;
	skb->len += part->len;
	skb->data_len += part->len;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		u32 off = ranges[i][0], len = ranges[i][1];

		KUNIT_EXPECT_EQ(test, 0, libra_anchor_add_skb(t->anchor, sk, skb,
							      off, len));
		anchor_expect(test, bytes + off, len);
		anchor_end(test);
		t->anchor = kunit_kmalloc(test, sizeof(*t->anchor), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->anchor);
		libra_anchor_init(t->anchor, &t->account, NULL);
	}

	/* The page, but not the few bytes; and they stay without the skb. */
	KUNIT_EXPECT_EQ(test, 3, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 0, libra_anchor_add_skb(t->anchor, sk, skb, 0, 3000));
	KUNIT_EXPECT_EQ(test, 4, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 0, t->anchor->charge);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, 2, page_ref_count(t->page));
	anchor_expect(test, bytes, 3000);
}

/*
 * Why somebody else may still write a page: his skb says so, or the one that has it in its
 * frag_list; it is of a process or a file; or it was mapped, and can be again.
 */
static struct address_space anchor_file;

enum anchor_theirs { ANCHOR_SHARED, ANCHOR_LIST, ANCHOR_PART, ANCHOR_FILE, ANCHOR_RING };

static void anchor_mark(struct page *page, enum anchor_theirs why, bool on)
{
	struct folio *folio = page_folio(page);

	if (why == ANCHOR_FILE)
		folio->mapping = on ? &anchor_file : NULL;
	else if (why == ANCHOR_RING && on)
		folio_set_dirty(folio);
	else if (why == ANCHOR_RING)
		folio_clear_dirty(folio);
}

static void anchor_copies_what_may_change(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct sock *sk = anchor_sock(test);
	u8 *bytes = anchor_bytes(test, PAGE_SIZE);
	enum anchor_theirs why;

	for (why = ANCHOR_SHARED; why <= ANCHOR_RING; why++) {
		bool list = why == ANCHOR_LIST || why == ANCHOR_PART;
		struct sk_buff *skb = alloc_skb(0, GFP_KERNEL);
		struct sk_buff *part = alloc_skb(0, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_ASSERT_NOT_NULL(test, part);
		memcpy(page_address(t->page), bytes, PAGE_SIZE);
		get_page(t->page);
		skb_add_rx_frag(part, 0, t->page, 0, PAGE_SIZE, PAGE_SIZE);
		skb_shinfo(skb)->frag_list = part;
		skb->len += part->len;
		skb->data_len += part->len;
		if (why == ANCHOR_SHARED || why == ANCHOR_PART)
			skb_shinfo(part)->flags |= SKBFL_SHARED_FRAG;
		if (why == ANCHOR_LIST)
			skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
		anchor_mark(t->page, why, true);
		KUNIT_EXPECT_EQ(test, 0,
				libra_anchor_add_skb(t->anchor, sk, list ? skb : part, 0,
						     PAGE_SIZE));
		KUNIT_EXPECT_EQ_MSG(test, 2, page_ref_count(t->page), "case %d", why);
		memset(page_address(t->page), 0, PAGE_SIZE);
		anchor_mark(t->page, why, false);
		anchor_expect(test, bytes, PAGE_SIZE);
		kfree_skb(skb);
		anchor_end(test);
		t->anchor = kunit_kmalloc(test, sizeof(*t->anchor), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->anchor);
		libra_anchor_init(t->anchor, &t->account, NULL);
	}
}

static void anchor_holds_its_account(struct kunit *test)
{
	struct anchor_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 2, refcount_read(&t->account.ref));
	libra_account_put(&t->account);
	KUNIT_EXPECT_FALSE(test, t->released);
	anchor_end(test);
	KUNIT_EXPECT_TRUE(test, t->released);
}

static struct kunit_case anchor_cases[] = {
	KUNIT_CASE(anchor_charges),
	KUNIT_CASE(anchor_charges_netns),
	KUNIT_CASE(anchor_charges_what_is_pinned),
	KUNIT_CASE(anchor_merges),
	KUNIT_CASE(anchor_grows_to_its_limit),
	KUNIT_CASE(anchor_copies),
	KUNIT_CASE(anchor_takes_an_skb),
	KUNIT_CASE(anchor_copies_what_may_change),
	KUNIT_CASE(anchor_holds_its_account),
	{}
};

static struct kunit_suite anchor_suite = {
	.name = "libra_anchor",
	.init = anchor_test_init,
	.exit = anchor_test_exit,
	.test_cases = anchor_cases,
};

kunit_test_suite(anchor_suite);
