/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of all bodies: a relay, in each kind. What a body expects is what
 * the native kinds show; the attached ones have to show the same.
 */
#ifndef LIBRA_FIXTURE_H
#define LIBRA_FIXTURE_H

#include "../../kselftest_harness.h"
#include "relay.h"

FIXTURE(proxy) {
	struct relay relay;
};

FIXTURE_VARIANT(proxy) {
	struct relay_kind kind;
};

FIXTURE_VARIANT_ADD(proxy, native_v4) {
	.kind = { .family = AF_INET },
};

FIXTURE_VARIANT_ADD(proxy, native_v6) {
	.kind = { .family = AF_INET6 },
};

FIXTURE_VARIANT_ADD(proxy, native_framed_v4) {
	.kind = { .family = AF_INET, .framed = true },
};

FIXTURE_VARIANT_ADD(proxy, raw_v4) {
	.kind = { .family = AF_INET, .policy = RELAY_RAW },
};

FIXTURE_VARIANT_ADD(proxy, raw_v6) {
	.kind = { .family = AF_INET6, .policy = RELAY_RAW },
};

FIXTURE_VARIANT_ADD(proxy, http1_v4) {
	.kind = { .family = AF_INET, .policy = RELAY_HTTP1, .framed = true },
};

FIXTURE_VARIANT_ADD(proxy, http1_v6) {
	.kind = { .family = AF_INET6, .policy = RELAY_HTTP1, .framed = true },
};

FIXTURE_VARIANT_ADD(proxy, lazy_v4) {
	.kind = { .family = AF_INET, .lazy = true },
};

FIXTURE_VARIANT_ADD(proxy, lazy_v6) {
	.kind = { .family = AF_INET6, .lazy = true },
};

FIXTURE_SETUP(proxy)
{
	struct relay *r = &self->relay;

	if (relay_netns())
		SKIP(return, "needs root: cannot make a network namespace");
	if (variant->kind.lazy) {
		if (relay_lazy_missing())
			SKIP(return, "needs /dev/libra");
		relay_set("lazy_feedback", 0);
	}
	relay_open(r, &variant->kind, RELAY_ROOMY);
	if (relay_policy_missing(r))
		SKIP(return, "no policy of Libra names this port");
	ASSERT_EQ(r->attached ? 2 : 0, relay_stat(r, "attach"));
}

/* In the parent: the body's process is gone, with all that it held. */
FIXTURE_TEARDOWN_PARENT(proxy)
{
	struct relay *r = &self->relay;

	/* After a failure it is no news that something was left. */
	if (_metadata->exit_code)
		return;
	if (r->kind.lazy) {
		EXPECT_TRUE(relay_idle());
		EXPECT_EQ(0, relay_stat(r, "fail_stops"));
	}
	if (!r->attached)
		return;
	EXPECT_TRUE(relay_idle());
	EXPECT_EQ(r->aborts, relay_stat(r, "fail_stops") > 0);
	EXPECT_EQ(0, relay_stat(r, "anchors_expired"));
	if (!r->drops) {
		EXPECT_EQ(0, relay_stat(r, "anchors_reclaimed"));
		EXPECT_EQ(relay_stat(r, "anchors_minted"),
			  relay_stat(r, "anchors_redeemed"));
	}
}

/* A body: it gets the relay as r. */
#define RELAY_TEST(name)						\
	static void body_##name(struct __test_metadata *_metadata,	\
				struct relay *r);			\
	TEST_F(proxy, name)						\
	{								\
		body_##name(_metadata, &self->relay);			\
	}								\
	static void body_##name(struct __test_metadata *_metadata,	\
				struct relay *r)

#endif /* LIBRA_FIXTURE_H */
