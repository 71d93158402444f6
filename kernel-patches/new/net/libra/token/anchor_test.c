// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of anchors: what they pin and are charged for, who may
 * redeem them, and the ways in which they die.
 */
#include <linux/mm.h>

#include "libra_test.h"

/*
 * A source (towards an upstream) and a client socket of one domain, a message
 * between them, and a page whose references tell who holds it.
 */
struct anchor_test {
	typeof_member(struct libra_net, sysctl) sysctl;
	struct libra_net *ln;
	struct libra_sock *source;
	struct libra_sock *client;
	struct libra_msg *msg;
	struct page *page;
	long charge;
	long anchors;
	long anchor_bytes;
};

static int anchor_test_init(struct kunit *test)
{
	struct anchor_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->charge = atomic_long_read(&t->ln->charge);
	t->anchors = atomic_long_read(&t->ln->anchors);
	t->anchor_bytes = atomic_long_read(&t->ln->anchor_bytes);
	t->sysctl = t->ln->sysctl;
	t->source = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_ACTIVE);
	t->client = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	t->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	t->msg = libra_msg_open(t->source, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->msg);
	return 0;
}

/* Whatever a test did: nothing is left, and nothing was dropped twice. */
static void anchor_test_exit(struct kunit *test)
{
	struct anchor_test *t = test->priv;

	if (!t || !t->page)
		return;
	t->ln->sysctl = t->sysctl;
	if (t->msg)
		libra_msg_put(t->msg);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&t->source->charge));
	KUNIT_EXPECT_EQ(test, t->charge, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_EQ(test, t->anchors, atomic_long_read(&t->ln->anchors));
	KUNIT_EXPECT_EQ(test, t->anchor_bytes,
			atomic_long_read(&t->ln->anchor_bytes));
	/* The sockets themselves go with their own actions, after this. */
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->source->ref));
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->client->ref));
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&t->source->dom->ref));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->source->dom->msgs));
	KUNIT_EXPECT_TRUE(test, hash_empty(t->source->dom->anchors));
	put_page(t->page);
}

/* An anchor with half a page, not yet published. */
static struct libra_anchor *anchor_build(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = libra_anchor_alloc(t->msg, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, anchor);
	KUNIT_ASSERT_TRUE(test, libra_anchor_charge(anchor, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, libra_anchor_add(anchor, t->page, 0,
						  PAGE_SIZE / 2, GFP_KERNEL));
	return anchor;
}

/* A live one, of which the application has the VPI. */
static void anchor_mint(struct kunit *test, u8 vpi[LIBRA_VPI_SIZE])
{
	struct libra_anchor *anchor = anchor_build(test);

	libra_vpi_write(vpi, anchor);
	libra_anchor_publish(anchor);
}

static void anchor_end_message(struct kunit *test)
{
	struct anchor_test *t = test->priv;

	libra_msg_put(t->msg);
	t->msg = NULL;
}

static void anchor_charges(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = libra_anchor_alloc(t->msg, GFP_KERNEL);
	u64 refused = libra_test_count(LIBRA_MIB_FB_SOCKET_LIMIT);

	KUNIT_ASSERT_NOT_NULL(test, anchor);
	t->ln->sysctl.max_socket_bytes = 10000;
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 6000));
	KUNIT_EXPECT_FALSE(test, libra_anchor_charge(anchor, 4001));
	KUNIT_EXPECT_EQ(test, 6000, atomic_long_read(&t->source->charge));
	KUNIT_EXPECT_EQ(test, t->charge + 6000, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 4000));
	KUNIT_EXPECT_EQ(test, 10000, anchor->charge);
	KUNIT_EXPECT_EQ(test, refused + 1,
			libra_test_count(LIBRA_MIB_FB_SOCKET_LIMIT));
	libra_anchor_free(anchor);
}

static void anchor_charges_netns(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = libra_anchor_alloc(t->msg, GFP_KERNEL);
	u64 refused = libra_test_count(LIBRA_MIB_FB_NETNS_LIMIT);

	KUNIT_ASSERT_NOT_NULL(test, anchor);
	t->ln->sysctl.max_netns_bytes = t->charge + 10000;
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(anchor, 6000));
	KUNIT_EXPECT_FALSE(test, libra_anchor_charge(anchor, 4001));
	KUNIT_EXPECT_EQ(test, 6000, atomic_long_read(&t->source->charge));
	KUNIT_EXPECT_EQ(test, t->charge + 6000, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_EQ(test, refused + 1,
			libra_test_count(LIBRA_MIB_FB_NETNS_LIMIT));
	libra_anchor_free(anchor);
}

static void anchor_merges(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = libra_anchor_alloc(t->msg, GFP_KERNEL);
	struct page *other = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, anchor);
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
	libra_anchor_free(anchor);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(other));
	put_page(other);
}

static void anchor_grows_to_its_limit(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = libra_anchor_alloc(t->msg, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, anchor);
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
	libra_anchor_free(anchor);
}

static void anchor_redeemed_once(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	u8 vpi[LIBRA_VPI_SIZE];

	anchor_mint(test, vpi);
	KUNIT_EXPECT_EQ(test, t->anchors + 1, atomic_long_read(&t->ln->anchors));
	KUNIT_EXPECT_EQ(test, t->anchor_bytes + PAGE_SIZE / 2,
			atomic_long_read(&t->ln->anchor_bytes));

	anchor = libra_anchor_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE / 2, anchor->len);
	KUNIT_EXPECT_PTR_EQ(test, t->page, anchor->bv[0].bv_page);
	KUNIT_EXPECT_EQ(test, t->anchors, atomic_long_read(&t->ln->anchors));
	/* The redeemer owns it: it is charged for until it has been sent. */
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, atomic_long_read(&t->source->charge));

	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi, t->client));
	libra_anchor_free(anchor);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi, t->client));
}

static void anchor_other_domain(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	struct libra_sock *other;
	u8 vpi[LIBRA_VPI_SIZE];

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN_2, LIBRA_ROLE_PASSIVE);
	KUNIT_ASSERT_PTR_NE(test, other->dom, t->client->dom);
	KUNIT_EXPECT_NE(test, other->dom->cookie, t->client->dom->cookie);
	KUNIT_EXPECT_PTR_EQ(test, t->source->dom, t->client->dom);

	anchor_mint(test, vpi);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(other->dom, vpi, other));
	/* Nor did the attempt spend it. */
	anchor = libra_anchor_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	libra_anchor_free(anchor);
}

/* Authentic, but its anchor is not there yet: recv() has not returned. */
static void anchor_not_live(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor = anchor_build(test);
	u8 vpi[LIBRA_VPI_SIZE];

	libra_vpi_write(vpi, anchor);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi, t->client));
	libra_anchor_free(anchor);
}

/* A VPI of which the end is to come names its anchor all the same, once. */
static void anchor_redeemed_cut(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	u8 vpi[LIBRA_VPI_SIZE];

	anchor_mint(test, vpi);
	memset(vpi + LIBRA_VPI_ID_SIZE, 0, sizeof(vpi) - LIBRA_VPI_ID_SIZE);
	anchor = libra_anchor_redeem_cut(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	KUNIT_EXPECT_PTR_EQ(test, t->page, anchor->bv[0].bv_page);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem_cut(t->client->dom, vpi, t->client));
	libra_anchor_free(anchor);
}

/* Messages of which no VPI comes back are a sign; they are not when one did. */
static void anchor_unmet(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_domain *dom = t->source->dom;
	u8 vpi[LIBRA_VPI_SIZE];

	t->ln->sysctl.max_unmet = 1;
	t->ln->sysctl.unmet_ms = 1000;
	anchor_mint(test, vpi);
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
	t->msg->opened = jiffies - 2 * HZ;
	KUNIT_EXPECT_TRUE(test, libra_msgs_unmet(dom));
	t->ln->sysctl.max_unmet = 2;
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
	t->ln->sysctl.max_unmet = 1;
	libra_anchor_free(libra_anchor_redeem(dom, vpi, t->client));
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
}

static void anchor_dies_with_the_client(struct kunit *test)
{
	u64 reclaimed = libra_test_count(LIBRA_MIB_RECLAIMED);
	struct anchor_test *t = test->priv;
	u8 vpi[3][LIBRA_VPI_SIZE];
	int i;

	for (i = 0; i < ARRAY_SIZE(vpi); i++)
		anchor_mint(test, vpi[i]);
	libra_anchor_free(libra_anchor_redeem(t->client->dom, vpi[1], t->client));
	libra_sock_end_messages(t->client, false);
	KUNIT_EXPECT_TRUE(test, t->msg->dead);
	KUNIT_EXPECT_EQ(test, reclaimed + 2, libra_test_count(LIBRA_MIB_RECLAIMED));
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi[0], t->client));
	KUNIT_EXPECT_EQ(test, t->anchors, atomic_long_read(&t->ln->anchors));
}

/* Another client's end is none of the message's business. */
static void anchor_outlives_others(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	struct libra_sock *other;
	u8 vpi[2][LIBRA_VPI_SIZE];

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	anchor_mint(test, vpi[0]);
	anchor_mint(test, vpi[1]);
	libra_anchor_free(libra_anchor_redeem(t->client->dom, vpi[0], t->client));
	libra_sock_end_messages(other, true);
	/* The upstream may close, or its process exit, once a client has a part. */
	libra_sock_end_messages(t->source, true);
	anchor = libra_anchor_redeem(t->client->dom, vpi[1], t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	libra_anchor_free(anchor);
	/* The exit handler counts two references on the domain. */
	libra_test_sock_end_now(test, other);
}

static void anchor_dies_with_the_process(struct kunit *test)
{
	u64 reclaimed = libra_test_count(LIBRA_MIB_RECLAIMED);
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	u8 vpi[2][LIBRA_VPI_SIZE];

	anchor_mint(test, vpi[0]);
	libra_sock_end_messages(t->source, false);
	/* Only closed: a slow client may still come for it. */
	anchor = libra_anchor_redeem(t->client->dom, vpi[0], t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	libra_anchor_free(anchor);
	anchor_end_message(test);

	t->msg = libra_msg_open(t->source, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->msg);
	anchor_mint(test, vpi[1]);
	libra_sock_end_messages(t->source, true);
	KUNIT_EXPECT_EQ(test, reclaimed + 1, libra_test_count(LIBRA_MIB_RECLAIMED));
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi[1], t->client));
}

static void anchor_expires(struct kunit *test)
{
	u64 expired = libra_test_count(LIBRA_MIB_EXPIRED);
	struct anchor_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];

	anchor_mint(test, vpi);
	libra_domain_expire(t->client->dom, 1000 * HZ);
	KUNIT_EXPECT_EQ(test, expired, libra_test_count(LIBRA_MIB_EXPIRED));
	t->msg->stamp = jiffies - 1000 * HZ - 1;
	libra_domain_expire(t->client->dom, 1000 * HZ);
	KUNIT_EXPECT_EQ(test, expired + 1, libra_test_count(LIBRA_MIB_EXPIRED));
	KUNIT_EXPECT_TRUE(test, t->msg->dead);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi, t->client));
}

/* Once a client began to redeem, the client decides, however slow it is. */
static void anchor_of_a_client_stays(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	u8 vpi[2][LIBRA_VPI_SIZE];

	anchor_mint(test, vpi[0]);
	anchor_mint(test, vpi[1]);
	libra_anchor_free(libra_anchor_redeem(t->client->dom, vpi[0], t->client));
	t->msg->stamp = jiffies - 1000 * HZ - 1;
	libra_domain_expire(t->client->dom, 1000 * HZ);
	anchor = libra_anchor_redeem(t->client->dom, vpi[1], t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	libra_anchor_free(anchor);
}

static void anchor_purged(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	u8 vpi[2][LIBRA_VPI_SIZE];

	anchor_mint(test, vpi[0]);
	anchor_mint(test, vpi[1]);
	libra_anchor_free(libra_anchor_redeem(t->client->dom, vpi[0], t->client));
	libra_domain_purge(t->client->dom);
	KUNIT_EXPECT_NULL(test, libra_anchor_redeem(t->client->dom, vpi[1], t->client));
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(t->page));
}

/* Anchors hold their message, its source's charge and the domain on their own. */
static void anchor_outlives_the_receiver(struct kunit *test)
{
	struct anchor_test *t = test->priv;
	struct libra_anchor *anchor;
	u8 vpi[LIBRA_VPI_SIZE];

	anchor_mint(test, vpi);
	anchor_end_message(test);
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&t->source->ref));
	KUNIT_EXPECT_EQ(test, 3, refcount_read(&t->source->dom->ref));
	anchor = libra_anchor_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, anchor);
	libra_anchor_free(anchor);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->source->ref));
}

static struct kunit_case anchor_cases[] = {
	KUNIT_CASE(anchor_charges),
	KUNIT_CASE(anchor_charges_netns),
	KUNIT_CASE(anchor_merges),
	KUNIT_CASE(anchor_grows_to_its_limit),
	KUNIT_CASE(anchor_redeemed_once),
	KUNIT_CASE(anchor_other_domain),
	KUNIT_CASE(anchor_not_live),
	KUNIT_CASE(anchor_redeemed_cut),
	KUNIT_CASE(anchor_unmet),
	KUNIT_CASE(anchor_dies_with_the_client),
	KUNIT_CASE(anchor_outlives_others),
	KUNIT_CASE(anchor_dies_with_the_process),
	KUNIT_CASE(anchor_expires),
	KUNIT_CASE(anchor_of_a_client_stays),
	KUNIT_CASE(anchor_purged),
	KUNIT_CASE(anchor_outlives_the_receiver),
	{}
};

static struct kunit_suite anchor_suite = {
	.name = "libra_anchor",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = anchor_test_init,
	.exit = anchor_test_exit,
	.test_cases = anchor_cases,
};

kunit_test_suite(anchor_suite);
