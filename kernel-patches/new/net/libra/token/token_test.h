/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the KUnit tests of token mode share.
 */
#ifndef _NET_LIBRA_TOKEN_TEST_H
#define _NET_LIBRA_TOKEN_TEST_H

#include "../libra_test.h"
#include "token.h"

/* Domains that no policy of a machine that runs the tests is likely to use. */
#define LIBRA_TEST_DOMAIN	0x7e570001
#define LIBRA_TEST_DOMAIN_2	0x7e570002

#define LIBRA_TEST_PARSER	"kunit"

/*
 * What the parser answers; the tests set it. It sees the bytes through
 * libra_test_data(). Suites run one after the other, so one of each will do.
 */
extern int (*libra_test_segment)(struct libra_ctx *ctx);
const u8 *libra_test_data(const struct libra_ctx *ctx);
void libra_test_unregister(void);

int libra_test_suite_init(struct kunit_suite *suite);
void libra_test_suite_exit(struct kunit_suite *suite);

struct libra_sock *libra_test_sock(struct kunit *test, u32 domain,
				   enum libra_role role);
void libra_test_sock_end_now(struct kunit *test, struct libra_sock *ls);

#endif /* _NET_LIBRA_TOKEN_TEST_H */
