/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of all bodies: a relay, in each kind. What a body expects is what
 * the native kinds show; the attached ones have to show the same.
 */
#ifndef LIBRA_FIXTURE_H
#define LIBRA_FIXTURE_H

#include <err.h>
#include <linux/const.h>

#include "../../kselftest_harness.h"
#include "relay.h"

static inline void relay_set_up(struct __test_metadata *_metadata, struct relay *r,
				const struct relay_kind *kind)
{
	if (relay_netns())
		SKIP(return, "needs root: cannot make a network namespace");
	if (kind->lazy) {
		if (relay_lazy_missing())
			SKIP(return, "needs /dev/libra");
		relay_set("lazy_feedback", 0);
	}
	if (kind->tls != RELAY_TLS_NONE) {
		if (relay_tls_missing())
			SKIP(return, "needs kernel TLS");
		if (kind->lazy || kind->policy != RELAY_NATIVE)
			relay_set("tls", 1);
	}
	relay_open(r, kind, RELAY_ROOMY);
	if (relay_policy_missing(r))
		SKIP(return, "no policy of Libra names this port");
	ASSERT_EQ(r->attached ? 2 : 0, relay_stat(r, "attach"));
}

/* In the parent: the body's process is gone, with all that it held. */
static inline void relay_tear_down(struct __test_metadata *_metadata,
				   const struct relay *r)
{
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

#define RELAY_FIXTURE(name)						\
	FIXTURE(name) {							\
		struct relay relay;					\
	};								\
	FIXTURE_VARIANT(name) {						\
		struct relay_kind kind;					\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		relay_set_up(_metadata, &self->relay, &variant->kind);	\
	}								\
	FIXTURE_TEARDOWN_PARENT(name)					\
	{								\
		relay_tear_down(_metadata, &self->relay);		\
	}

/* Plain TCP. */
RELAY_FIXTURE(proxy)

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

/* Kernel TLS encrypts what the proxy sends to its client. */
RELAY_FIXTURE(encrypted)

FIXTURE_VARIANT_ADD(encrypted, native_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_DOWN, .framed = true },
};

FIXTURE_VARIANT_ADD(encrypted, http1_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_DOWN, .framed = true,
		  .policy = RELAY_HTTP1 },
};

FIXTURE_VARIANT_ADD(encrypted, lazy_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_DOWN, .framed = true,
		  .lazy = true },
};

/* Kernel TLS decrypts what it receives; lazily that is never read. */
RELAY_FIXTURE(decrypted)

FIXTURE_VARIANT_ADD(decrypted, native_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_UP, .framed = true },
};

FIXTURE_VARIANT_ADD(decrypted, http1_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_UP, .framed = true,
		  .policy = RELAY_HTTP1 },
};

RELAY_FIXTURE(decrypted_1_2)

FIXTURE_VARIANT_ADD(decrypted_1_2, native_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_UP_1_2, .framed = true },
};

FIXTURE_VARIANT_ADD(decrypted_1_2, http1_v4) {
	.kind = { .family = AF_INET, .tls = RELAY_TLS_UP_1_2, .framed = true,
		  .policy = RELAY_HTTP1 },
};

/* A body: it gets the relay as r. Which do not apply to TLS is in relay_differs.c. */
#define RELAY_TEST(name)						\
	static void body_##name(struct __test_metadata *_metadata,	\
				struct relay *r);			\
	TEST_F(proxy, name)						\
	{								\
		body_##name(_metadata, &self->relay);			\
	}								\
	TEST_F(encrypted, name)						\
	{								\
		body_##name(_metadata, &self->relay);			\
	}								\
	TEST_F(decrypted, name)						\
	{								\
		body_##name(_metadata, &self->relay);			\
	}								\
	TEST_F(decrypted_1_2, name)					\
	{								\
		body_##name(_metadata, &self->relay);			\
	}								\
	static void body_##name(struct __test_metadata *_metadata,	\
				struct relay *r)

static inline bool relay_leave_out(struct __fixture_metadata *fixture, const char *body)
{
	struct __test_metadata *t;

	for (t = fixture->tests; t; t = t->next) {
		if (strcmp(t->name, body))
			continue;
		/* Of the first one @prev is the last. */
		if (t == fixture->tests)
			fixture->tests = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		else if (fixture->tests)
			fixture->tests->prev = t->prev;
		return true;
	}
	return false;
}

/* Behind the constructors by which the bodies were registered, which have a priority. */
static void __attribute__((constructor)) relay_leave_out_differing(void)
{
	struct __fixture_metadata *fixtures[] = {
		[RELAY_TLS_DOWN] = &_encrypted_fixture_object,
		[RELAY_TLS_UP] = &_decrypted_fixture_object,
		[RELAY_TLS_UP_1_2] = &_decrypted_1_2_fixture_object,
	};
	const struct relay_difference *d;
	size_t tls;

	for (d = relay_differences; d->program; d++) {
		if (strcmp(d->program, program_invocation_short_name))
			continue;
		for (tls = RELAY_TLS_DOWN; tls < ARRAY_SIZE(fixtures); tls++)
			if (d->kinds & _BITUL(tls) &&
			    !relay_leave_out(fixtures[tls], d->body))
				errx(1, "no body %s that could differ", d->body);
	}
}

#endif /* LIBRA_FIXTURE_H */
