// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: what KUnit tests of all modes share.
 */
#include <linux/vmalloc.h>

#include "libra_test.h"

/**
 * libra_test_count() - a counter of the initial network namespace
 * @item: which
 *
 * Return: its value.
 */
u64 libra_test_count(enum libra_mib item)
{
	const struct libra_net *ln = libra_net(&init_net);
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(ln->mib, cpu)->count[item]);
	return sum;
}

KUNIT_DEFINE_ACTION_WRAPPER(libra_test_vfree, vfree, const void *);

/**
 * libra_test_page() - memory that ends where its page does
 * @test: frees it at its end
 *
 * Who reads beyond it faults.
 *
 * Return: PAGE_SIZE bytes.
 */
u8 *libra_test_page(struct kunit *test)
{
	u8 *page = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, libra_test_vfree, page));
	return page;
}
