// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of lazy mode: which mapping an address is in. A process is
 * found by an address that is no mm, and its mappings are of nothing.
 */
#include <linux/slab.h>

#include "../libra_test.h"
#include "lazy.h"

struct process_test {
	struct libra_net *ln;
	long processes;
	char mm[2];
	struct libra_process *process;
	struct libra_payload payload[8];
};

static int process_test_init(struct kunit *test)
{
	struct process_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->processes = atomic_long_read(&t->ln->payload_processes);
	t->process = libra_process_get((struct mm_struct *)t->mm, &init_net,
				       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->process);
	for (i = 0; i < ARRAY_SIZE(t->payload); i++) {
		refcount_set(&t->payload[i].ref, 1);
		t->payload[i].file = (struct file *)&t->payload[i];
	}
	return 0;
}

static void process_test_exit(struct kunit *test)
{
	struct process_test *t = test->priv;

	if (!t || !t->process)
		return;
	libra_process_put(t->process);
	KUNIT_EXPECT_EQ(test, t->processes,
			atomic_long_read(&t->ln->payload_processes));
}

static void process_add(struct kunit *test, unsigned long start, unsigned long end,
			u32 nr)
{
	struct process_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, libra_process_add(t->process, start, end,
						   &t->payload[nr], GFP_KERNEL));
}

/* Payload @nr is found at @addr, up to @until; none: -1. */
static void process_expect(struct kunit *test, unsigned long addr, int nr,
			   unsigned long until)
{
	struct process_test *t = test->priv;
	struct libra_payload *found;
	unsigned long end = 0;

	found = libra_process_find(t->process, addr, NULL, &end);
	KUNIT_EXPECT_PTR_EQ_MSG(test, nr < 0 ? NULL : &t->payload[nr], found,
				"at %lx", addr);
	KUNIT_EXPECT_EQ_MSG(test, until, end, "at %lx", addr);
	if (!found)
		return;
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&found->ref));
	refcount_dec(&found->ref);
}

static void process_finds(struct kunit *test)
{
	process_expect(test, 0, -1, ULONG_MAX);
	process_expect(test, 0x5000, -1, ULONG_MAX);
	process_add(test, 0x20000, 0x30000, 0);
	process_add(test, 0x10000, 0x18000, 1);
	process_add(test, 0x18000, 0x19000, 2);

	process_expect(test, 0, -1, 0x10000);
	process_expect(test, 0xffff, -1, 0x10000);
	process_expect(test, 0x10000, 1, 0x18000);
	process_expect(test, 0x17fff, 1, 0x18000);
	process_expect(test, 0x18000, 2, 0x19000);
	process_expect(test, 0x18fff, 2, 0x19000);
	process_expect(test, 0x19000, -1, 0x20000);
	process_expect(test, 0x20000, 0, 0x30000);
	process_expect(test, 0x2ffff, 0, 0x30000);
	process_expect(test, 0x30000, -1, ULONG_MAX);
	process_expect(test, ULONG_MAX, -1, ULONG_MAX);
}

/* Where something was unmapped, something else may be mapped since. */
static void process_finds_the_newest(struct kunit *test)
{
	process_add(test, 0x10000, 0x40000, 0);
	process_add(test, 0x20000, 0x28000, 1);
	process_add(test, 0x24000, 0x26000, 2);
	process_add(test, 0x3f000, 0x41000, 3);

	process_expect(test, 0x1000, -1, 0x10000);
	process_expect(test, 0x10000, 0, 0x20000);
	process_expect(test, 0x20000, 1, 0x24000);
	process_expect(test, 0x24000, 2, 0x26000);
	process_expect(test, 0x26000, 1, 0x28000);
	process_expect(test, 0x28000, 0, 0x3f000);
	process_expect(test, 0x3f000, 3, 0x41000);
	process_expect(test, 0x40000, 3, 0x41000);
	process_expect(test, 0x41000, -1, ULONG_MAX);
}

static void process_forgets(struct kunit *test)
{
	struct process_test *t = test->priv;
	u32 i;

	process_add(test, 0x10000, 0x40000, 0);
	process_add(test, 0x20000, 0x28000, 1);
	libra_process_remove(t->process, &t->payload[1]);
	process_expect(test, 0x20000, 0, 0x40000);
	/* One whose last reference is gone, but which nobody has removed yet. */
	process_add(test, 0x20000, 0x28000, 2);
	refcount_set(&t->payload[2].ref, 0);
	process_expect(test, 0x20000, 0, 0x40000);
	libra_process_remove(t->process, &t->payload[2]);
	libra_process_remove(t->process, &t->payload[0]);
	process_expect(test, 0x20000, -1, ULONG_MAX);
	/* Again and again: what is gone makes room, and what is there stays. */
	process_add(test, 0x8000, 0x9000, 3);
	for (i = 0; i < 10000; i++) {
		process_add(test, 0x10000, 0x40000, 4);
		process_expect(test, 0x10000, 4, 0x40000);
		libra_process_remove(t->process, &t->payload[4]);
	}
	process_expect(test, 0x10000, -1, ULONG_MAX);
	process_expect(test, 0x8000, 3, 0x9000);
}

/* What fork() adds: the VMAs of one mapping, in the order of their addresses. */
static void process_finds_pieces(struct kunit *test)
{
	struct process_test *t = test->priv;

	process_add(test, 0x10000, 0x12000, 0);
	process_add(test, 0x12000, 0x13000, 0);
	process_add(test, 0x15000, 0x18000, 0);
	process_add(test, 0x18000, 0x19000, 1);
	process_add(test, 0x19000, 0x1a000, 0);
	process_expect(test, 0x10000, 0, 0x13000);
	process_expect(test, 0x12fff, 0, 0x13000);
	process_expect(test, 0x13000, -1, 0x15000);
	process_expect(test, 0x17000, 0, 0x18000);
	process_expect(test, 0x18000, 1, 0x19000);
	process_expect(test, 0x19000, 0, 0x1a000);
	KUNIT_EXPECT_PTR_EQ(test, &t->payload[0],
			    libra_process_twin(t->process, &t->payload[0]));
	KUNIT_EXPECT_NULL(test, libra_process_twin(t->process, &t->payload[2]));
	libra_process_remove(t->process, &t->payload[0]);
	KUNIT_EXPECT_NULL(test, libra_process_twin(t->process, &t->payload[0]));
	process_expect(test, 0x10000, -1, 0x18000);
	process_expect(test, 0x18000, 1, 0x19000);
	process_expect(test, 0x19000, -1, ULONG_MAX);
}

static void process_has_an_end(struct kunit *test)
{
	struct process_test *t = test->priv;
	unsigned long i;
	int err = 0;

	/* With gaps, so that none continues another. */
	for (i = 0; i < 100000 && !err; i++)
		err = libra_process_add(t->process, i * 0x2000, i * 0x2000 + 0x1000,
					&t->payload[0], GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, -ENOMEM, err);
	i--;
	KUNIT_EXPECT_GE(test, i, 4096);
	/* A fork cannot fail, and those that are there are found. */
	KUNIT_EXPECT_EQ(test, 0, libra_process_add(t->process, i * 0x2000,
						   i * 0x2000 + 0x1000, &t->payload[1],
						   GFP_KERNEL | __GFP_NOFAIL));
	process_expect(test, 0, 0, 0x1000);
	process_expect(test, (i - 1) * 0x2000, 0, (i - 1) * 0x2000 + 0x1000);
	process_expect(test, (i - 1) * 0x2000 + 0x1000, -1, i * 0x2000);
	process_expect(test, i * 0x2000, 1, i * 0x2000 + 0x1000);
}

/* Parts go: from the front, from the end, from the middle, and over several pieces. */
static void process_is_cut(struct kunit *test)
{
	struct process_test *t = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, 0, libra_process_add(t->process, 0x100000, 0x200000,
						   &t->payload[0], GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, libra_process_add(t->process, 0x300000, 0x400000,
						   &t->payload[1], GFP_KERNEL));
	libra_process_cut(t->process, 0x100000, 0x101000, &t->payload[0]);
	process_expect(test, 0x100000, -1, 0x101000);
	process_expect(test, 0x101000, 0, 0x200000);
	libra_process_cut(t->process, 0x1ff000, 0x200000, &t->payload[0]);
	process_expect(test, 0x1fe000, 0, 0x1ff000);
	process_expect(test, 0x1ff000, -1, 0x300000);
	/* Often enough for the table to be replaced. */
	for (i = 0; i < 20; i++)
		libra_process_cut(t->process, 0x110000 + i * 0x2000,
				  0x111000 + i * 0x2000, &t->payload[0]);
	for (i = 0; i < 20; i++) {
		process_expect(test, 0x110000 + i * 0x2000, -1, 0x111000 + i * 0x2000);
		process_expect(test, 0x111000 + i * 0x2000, 0,
			       i < 19 ? 0x112000 + i * 0x2000 : 0x1ff000);
	}
	process_expect(test, 0x10f000, 0, 0x110000);
	/* Another's stays. */
	libra_process_cut(t->process, 0, 0x800000, &t->payload[0]);
	process_expect(test, 0x101000, -1, 0x300000);
	process_expect(test, 0x300000, 1, 0x400000);
}

/* One for each mm, until the last of its users goes. */
static void process_is_one(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct libra_process *again, *child;

	again = libra_process_get((struct mm_struct *)t->mm, &init_net, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, t->process, again);
	KUNIT_EXPECT_EQ(test, t->processes + 1,
			atomic_long_read(&t->ln->payload_processes));
	libra_process_put(again);
	child = libra_process_fork(t->process, (struct mm_struct *)&t->mm[1]);
	KUNIT_EXPECT_PTR_NE(test, t->process, child);
	KUNIT_EXPECT_EQ(test, t->processes + 2,
			atomic_long_read(&t->ln->payload_processes));
	again = libra_process_fork(t->process, (struct mm_struct *)&t->mm[1]);
	KUNIT_EXPECT_PTR_EQ(test, child, again);
	libra_process_put(again);
	/* Nobody pays for the mm of another, even when what it had is all gone. */
	libra_account_get(&child->account);
	libra_process_put(child);
	KUNIT_EXPECT_EQ(test, t->processes + 1,
			atomic_long_read(&t->ln->payload_processes));
	again = libra_process_get((struct mm_struct *)&t->mm[1], &init_net, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, child, again);
	libra_process_put(again);
	libra_account_put(&child->account);
	/* A thread of the kernel has none. */
	KUNIT_EXPECT_NULL(test, libra_process_enter());
}

static struct kunit_case process_cases[] = {
	KUNIT_CASE(process_finds),
	KUNIT_CASE(process_finds_the_newest),
	KUNIT_CASE(process_forgets),
	KUNIT_CASE(process_finds_pieces),
	KUNIT_CASE(process_has_an_end),
	KUNIT_CASE(process_is_cut),
	KUNIT_CASE(process_is_one),
	{}
};

static struct kunit_suite process_suite = {
	.name = "libra_process",
	.init = process_test_init,
	.exit = process_test_exit,
	.test_cases = process_cases,
};

kunit_test_suite(process_suite);
