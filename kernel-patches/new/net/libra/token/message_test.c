// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of minted anchors: who may redeem them, and the ways in
 * which they die.
 */
#include <linux/mm.h>

#include "token_test.h"

/*
 * A source (towards an upstream) and a client socket of one domain, a message
 * between them, and a page whose references tell who holds it.
 */
struct message_test {
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

static long live_anchors(struct libra_net *ln)
{
	long bytes;

	return libra_anchors_live(ln, &bytes);
}

static long live_bytes(struct libra_net *ln)
{
	long bytes;

	libra_anchors_live(ln, &bytes);
	return bytes;
}

static int message_test_init(struct kunit *test)
{
	struct message_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->charge = atomic_long_read(&t->ln->charge);
	t->anchors = live_anchors(t->ln);
	t->anchor_bytes = live_bytes(t->ln);
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
static void message_test_exit(struct kunit *test)
{
	struct message_test *t = test->priv;

	if (!t || !t->page)
		return;
	t->ln->sysctl = t->sysctl;
	if (t->msg)
		libra_msg_put(t->msg);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(t->page));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&t->source->account.charge));
	KUNIT_EXPECT_EQ(test, t->charge, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_EQ(test, t->anchors, live_anchors(t->ln));
	KUNIT_EXPECT_EQ(test, t->anchor_bytes, live_bytes(t->ln));
	/* The sockets themselves go with their own actions, after this. */
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->source->account.ref));
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->client->account.ref));
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&t->source->dom->ref));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->source->dom->unmet));
	KUNIT_EXPECT_TRUE(test, hash_empty(t->source->dom->anchors));
	put_page(t->page);
}

/* An anchor with half a page, not yet published. */
static struct libra_minted *message_build(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted = libra_minted_alloc(t->msg, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, minted);
	KUNIT_ASSERT_TRUE(test, libra_anchor_charge(&minted->anchor, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, libra_anchor_add(&minted->anchor, t->page, 0,
						  PAGE_SIZE / 2, GFP_KERNEL));
	return minted;
}

/* A live one, of which the application has the VPI. */
static void message_mint(struct kunit *test, u8 vpi[LIBRA_VPI_SIZE])
{
	struct libra_minted *minted = message_build(test);

	libra_vpi_write(vpi, minted);
	libra_minted_publish(minted);
}

static void message_end_message(struct kunit *test)
{
	struct message_test *t = test->priv;

	libra_msg_put(t->msg);
	t->msg = NULL;
}

/* Whoever received the payload pays for it, as far as its limit goes. */
static void message_charges(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted = libra_minted_alloc(t->msg, GFP_KERNEL);
	u64 refused = libra_test_count(LIBRA_MIB_FB_SOCKET_LIMIT);

	KUNIT_ASSERT_NOT_NULL(test, minted);
	t->ln->sysctl.max_socket_bytes = 10000;
	KUNIT_EXPECT_TRUE(test, libra_anchor_charge(&minted->anchor, 10000));
	KUNIT_EXPECT_FALSE(test, libra_anchor_charge(&minted->anchor, 1));
	KUNIT_EXPECT_EQ(test, 10000, atomic_long_read(&t->source->account.charge));
	KUNIT_EXPECT_EQ(test, refused + 1,
			libra_test_count(LIBRA_MIB_FB_SOCKET_LIMIT));
	libra_minted_free(minted);
}

static void message_redeemed_once(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[LIBRA_VPI_SIZE];

	message_mint(test, vpi);
	KUNIT_EXPECT_EQ(test, t->anchors + 1, live_anchors(t->ln));
	KUNIT_EXPECT_EQ(test, t->anchor_bytes + PAGE_SIZE / 2, live_bytes(t->ln));

	minted = libra_minted_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE / 2, minted->anchor.len);
	KUNIT_EXPECT_PTR_EQ(test, t->page, minted->anchor.bv[0].bv_page);
	KUNIT_EXPECT_EQ(test, t->anchors, live_anchors(t->ln));
	/* The redeemer owns it: it is charged for until it has been sent. */
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, atomic_long_read(&t->source->account.charge));

	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi, t->client));
	libra_minted_free(minted);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi, t->client));
}

static void message_other_domain(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	struct libra_sock *other;
	u8 vpi[LIBRA_VPI_SIZE];

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN_2, LIBRA_ROLE_PASSIVE);
	KUNIT_ASSERT_PTR_NE(test, other->dom, t->client->dom);
	KUNIT_EXPECT_NE(test, other->dom->cookie, t->client->dom->cookie);
	KUNIT_EXPECT_PTR_EQ(test, t->source->dom, t->client->dom);

	message_mint(test, vpi);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(other->dom, vpi, other));
	/* Nor did the attempt spend it. */
	minted = libra_minted_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	libra_minted_free(minted);
}

/* Authentic, but its anchor is not there yet: recv() has not returned. */
static void message_not_live(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted = message_build(test);
	u8 vpi[LIBRA_VPI_SIZE];

	libra_vpi_write(vpi, minted);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi, t->client));
	libra_minted_free(minted);
}

/* A VPI of which the end is to come names its anchor all the same, once. */
static void message_redeemed_cut(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[LIBRA_VPI_SIZE];

	message_mint(test, vpi);
	memset(vpi + LIBRA_VPI_ID_SIZE, 0, sizeof(vpi) - LIBRA_VPI_ID_SIZE);
	minted = libra_minted_redeem_cut(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	KUNIT_EXPECT_PTR_EQ(test, t->page, minted->anchor.bv[0].bv_page);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem_cut(t->client->dom, vpi, t->client));
	libra_minted_free(minted);
}

/* Messages of which no VPI comes back are a sign; they are not when one did. */
static void message_unmet(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_domain *dom = t->source->dom;
	u8 vpi[LIBRA_VPI_SIZE];

	t->ln->sysctl.max_unmet = 1;
	t->ln->sysctl.unmet_ms = 1000;
	message_mint(test, vpi);
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
	t->msg->opened = jiffies - 2 * HZ;
	KUNIT_EXPECT_TRUE(test, libra_msgs_unmet(dom));
	t->ln->sysctl.max_unmet = 2;
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
	t->ln->sysctl.max_unmet = 1;
	libra_minted_free(libra_minted_redeem(dom, vpi, t->client));
	KUNIT_EXPECT_FALSE(test, libra_msgs_unmet(dom));
}

static void message_dies_with_the_client(struct kunit *test)
{
	u64 reclaimed = libra_test_count(LIBRA_MIB_RECLAIMED);
	struct message_test *t = test->priv;
	u8 vpi[3][LIBRA_VPI_SIZE];
	int i;

	for (i = 0; i < ARRAY_SIZE(vpi); i++)
		message_mint(test, vpi[i]);
	libra_minted_free(libra_minted_redeem(t->client->dom, vpi[1], t->client));
	libra_sock_end_messages(t->client, false);
	KUNIT_EXPECT_TRUE(test, t->msg->dead);
	KUNIT_EXPECT_EQ(test, reclaimed + 2, libra_test_count(LIBRA_MIB_RECLAIMED));
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi[0], t->client));
	KUNIT_EXPECT_EQ(test, t->anchors, live_anchors(t->ln));
}

/* Another client's end is none of the message's business. */
static void message_outlives_others(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	struct libra_sock *other;
	u8 vpi[2][LIBRA_VPI_SIZE];

	other = libra_test_sock(test, LIBRA_TEST_DOMAIN, LIBRA_ROLE_PASSIVE);
	message_mint(test, vpi[0]);
	message_mint(test, vpi[1]);
	libra_minted_free(libra_minted_redeem(t->client->dom, vpi[0], t->client));
	libra_sock_end_messages(other, true);
	/* The upstream may close, or its process exit, once a client has a part. */
	libra_sock_end_messages(t->source, true);
	minted = libra_minted_redeem(t->client->dom, vpi[1], t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	libra_minted_free(minted);
	/* The exit handler counts two references on the domain. */
	libra_test_sock_end_now(test, other);
}

static void message_dies_with_the_process(struct kunit *test)
{
	u64 reclaimed = libra_test_count(LIBRA_MIB_RECLAIMED);
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[2][LIBRA_VPI_SIZE];

	message_mint(test, vpi[0]);
	libra_sock_end_messages(t->source, false);
	/* Only closed: a slow client may still come for it. */
	minted = libra_minted_redeem(t->client->dom, vpi[0], t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	libra_minted_free(minted);
	message_end_message(test);

	t->msg = libra_msg_open(t->source, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->msg);
	message_mint(test, vpi[1]);
	libra_sock_end_messages(t->source, true);
	KUNIT_EXPECT_EQ(test, reclaimed + 1, libra_test_count(LIBRA_MIB_RECLAIMED));
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi[1], t->client));
}

static void message_expires(struct kunit *test)
{
	u64 expired = libra_test_count(LIBRA_MIB_EXPIRED);
	struct message_test *t = test->priv;
	u8 vpi[LIBRA_VPI_SIZE];

	message_mint(test, vpi);
	libra_domain_expire(t->client->dom, 1000 * HZ);
	KUNIT_EXPECT_EQ(test, expired, libra_test_count(LIBRA_MIB_EXPIRED));
	t->msg->opened = jiffies - 1000 * HZ - 2;
	libra_domain_expire(t->client->dom, 1000 * HZ);
	KUNIT_EXPECT_EQ(test, expired, libra_test_count(LIBRA_MIB_EXPIRED));
	t->msg->stamp = jiffies - 1000 * HZ - 1;
	libra_domain_expire(t->client->dom, 1000 * HZ);
	KUNIT_EXPECT_EQ(test, expired + 1, libra_test_count(LIBRA_MIB_EXPIRED));
	KUNIT_EXPECT_TRUE(test, t->msg->dead);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi, t->client));
}

/* Once a client began to redeem, the client decides, however slow it is. */
static void message_of_a_client_stays(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[2][LIBRA_VPI_SIZE];

	message_mint(test, vpi[0]);
	message_mint(test, vpi[1]);
	libra_minted_free(libra_minted_redeem(t->client->dom, vpi[0], t->client));
	t->msg->opened = jiffies - 1000 * HZ - 2;
	t->msg->stamp = jiffies - 1000 * HZ - 1;
	libra_domain_expire(t->client->dom, 1000 * HZ);
	minted = libra_minted_redeem(t->client->dom, vpi[1], t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	libra_minted_free(minted);
}

static void message_purged(struct kunit *test)
{
	struct message_test *t = test->priv;
	u8 vpi[2][LIBRA_VPI_SIZE];

	message_mint(test, vpi[0]);
	message_mint(test, vpi[1]);
	libra_domain_purge(t->client->dom);
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi[0], t->client));
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi[1], t->client));
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(t->page));
}

/* Anchors hold their message and its source on their own, and that the domain. */
static void message_outlives_the_receiver(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[LIBRA_VPI_SIZE];

	message_mint(test, vpi);
	message_end_message(test);
	KUNIT_EXPECT_EQ(test, 3, refcount_read(&t->source->account.ref));
	minted = libra_minted_redeem(t->client->dom, vpi, t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	libra_minted_free(minted);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->source->account.ref));
}

/* Who has redeemed all there will ever be keeps nothing in mind. */
static void message_over_is_forgotten(struct kunit *test)
{
	struct message_test *t = test->priv;
	struct libra_minted *minted;
	u8 vpi[2][LIBRA_VPI_SIZE];

	message_mint(test, vpi[0]);
	message_mint(test, vpi[1]);
	libra_minted_free(libra_minted_redeem(t->client->dom, vpi[0], t->client));
	KUNIT_EXPECT_FALSE(test, list_empty(&t->client->redeeming));
	message_end_message(test);
	minted = libra_minted_redeem(t->client->dom, vpi[1], t->client);
	KUNIT_ASSERT_NOT_NULL(test, minted);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->client->redeeming));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->source->minted));
	libra_minted_free(minted);
}

/* A client that closes between a read's last look and its VPI ends that one as well. */
static void message_ends_while_read(struct kunit *test)
{
	u64 reclaimed = libra_test_count(LIBRA_MIB_RECLAIMED);
	struct message_test *t = test->priv;
	u8 vpi[2][LIBRA_VPI_SIZE];

	message_mint(test, vpi[0]);
	libra_minted_free(libra_minted_redeem(t->client->dom, vpi[0], t->client));
	libra_sock_end_messages(t->client, false);
	KUNIT_EXPECT_TRUE(test, t->msg->dead);
	message_mint(test, vpi[1]);
	KUNIT_EXPECT_EQ(test, reclaimed + 1, libra_test_count(LIBRA_MIB_RECLAIMED));
	KUNIT_EXPECT_NULL(test, libra_minted_redeem(t->client->dom, vpi[1], t->client));
	libra_sock_end_messages(t->source, false);
}

static struct kunit_case message_cases[] = {
	KUNIT_CASE(message_charges),
	KUNIT_CASE(message_redeemed_once),
	KUNIT_CASE(message_other_domain),
	KUNIT_CASE(message_not_live),
	KUNIT_CASE(message_redeemed_cut),
	KUNIT_CASE(message_unmet),
	KUNIT_CASE(message_dies_with_the_client),
	KUNIT_CASE(message_outlives_others),
	KUNIT_CASE(message_dies_with_the_process),
	KUNIT_CASE(message_expires),
	KUNIT_CASE(message_of_a_client_stays),
	KUNIT_CASE(message_purged),
	KUNIT_CASE(message_outlives_the_receiver),
	KUNIT_CASE(message_over_is_forgotten),
	KUNIT_CASE(message_ends_while_read),
	{}
};

static struct kunit_suite message_suite = {
	.name = "libra_message",
	.suite_init = libra_test_suite_init,
	.suite_exit = libra_test_suite_exit,
	.init = message_test_init,
	.exit = message_test_exit,
	.test_cases = message_cases,
};

kunit_test_suite(message_suite);
