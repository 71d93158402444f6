/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what KUnit tests of all modes share.
 */
#ifndef _NET_LIBRA_TEST_H
#define _NET_LIBRA_TEST_H

#include <kunit/test.h>

#include "libra.h"

u64 libra_test_count(enum libra_mib item);
u8 *libra_test_page(struct kunit *test);

#endif /* _NET_LIBRA_TEST_H */
