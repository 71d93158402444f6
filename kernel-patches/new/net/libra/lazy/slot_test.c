// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: KUnit tests of lazy mode: what slots hold, and what they say it is. There
 * is no mm and no socket here: a process is found by an address that is no mm, and
 * anchors are built by hand.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "../libra_test.h"
#include "lazy.h"

#define SLOT_TEST_START	0x7e5700000000UL
/* Pages around the border of two chunks, as many as fit in one run. */
#define SLOT_TEST_FIRST	(LIBRA_CHUNK_PAGES - 7)
#define SLOT_TEST_PAGES	LIBRA_RUN_PAGES
/* Pages that anchors are made of, and how large the largest is. */
#define SLOT_TEST_SOURCES	512
#define SLOT_TEST_ORDER		5

/**
 * struct slot_test - one process with one mapping, and what must be left of it
 * @ln: where everything is counted
 * @charge: what @ln said before the test, as the next three
 * @lazy: pages
 * @pages: of payload memory
 * @processes: with payload memory
 * @mm: addresses of no mm; the first is that of @process
 * @process: with a reference
 * @file: of all mappings
 * @payload: the mapping, of no page yet; NULL when the test has ended it
 * @source: pages that anchors hold, each with a reference of ours
 * @sources: how many
 */
struct slot_test {
	struct libra_net *ln;
	long charge;
	long lazy;
	long pages;
	long processes;
	char mm[8];
	struct libra_process *process;
	struct file *file;
	struct libra_payload *payload;
	struct page *source[SLOT_TEST_SOURCES];
	u32 sources;
};

static const struct file_operations slot_test_fops = {
	.owner = THIS_MODULE,
};

static struct libra_payload *slot_payload(struct kunit *test, u32 nr)
{
	struct slot_test *t = test->priv;
	struct libra_payload *payload;
	struct libra_process *process;

	process = libra_process_get((struct mm_struct *)&t->mm[nr], &init_net,
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, process);
	payload = libra_payload_alloc(process, t->file, SLOT_TEST_START, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payload);
	return payload;
}

static void slot_payload_end(struct libra_payload *payload)
{
	libra_payload_close(payload);
}

static int slot_test_init(struct kunit *test)
{
	struct slot_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->ln = libra_net(&init_net);
	t->charge = atomic_long_read(&t->ln->charge);
	t->lazy = atomic_long_read(&t->ln->lazy_pages);
	t->pages = atomic_long_read(&t->ln->payload_pages);
	t->processes = atomic_long_read(&t->ln->payload_processes);
	t->process = libra_process_get((struct mm_struct *)t->mm, &init_net,
				       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->process);
	t->file = anon_inode_getfile("[libra]", &slot_test_fops, NULL, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->file));
	t->payload = slot_payload(test, 0);
	return 0;
}

/* Nothing is charged and nothing is counted but what was before. */
static void slot_expect_nothing_left(struct kunit *test)
{
	struct slot_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->lazy, atomic_long_read(&t->ln->lazy_pages));
	KUNIT_EXPECT_EQ(test, t->pages, atomic_long_read(&t->ln->payload_pages));
	KUNIT_EXPECT_EQ(test, t->charge, atomic_long_read(&t->ln->charge));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&t->process->account.charge));
}

/* No anchor holds a page any more. */
static void slot_sources_end(struct kunit *test)
{
	struct slot_test *t = test->priv;

	while (t->sources) {
		struct page *page = t->source[--t->sources];

		KUNIT_EXPECT_EQ(test, 1, page_count(page));
		put_page(page);
	}
}

/* Whatever a test did: nothing is left, and nothing was dropped twice. */
static void slot_test_exit(struct kunit *test)
{
	struct slot_test *t = test->priv;

	if (!t || !t->process || IS_ERR_OR_NULL(t->file))
		return;
	if (t->payload)
		slot_payload_end(t->payload);
	slot_expect_nothing_left(test);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->process->account.ref));
	slot_sources_end(test);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&t->process->users));
	libra_process_put(t->process);
	KUNIT_EXPECT_EQ(test, t->processes,
			atomic_long_read(&t->ln->payload_processes));
	KUNIT_EXPECT_EQ(test, 1, file_count(t->file));
	fput(t->file);
}

/* ---- bytes, and anchors that hold them ------------------------------------ */

/* Nearly each byte differs from its neighbours, and from those of another stream. */
static u8 slot_byte(u32 stream, u32 at)
{
	return hash_32(stream * 0x10001 + at, 8);
}

static void slot_bytes(u8 *to, u32 stream, u32 at, u32 len)
{
	while (len--)
		*to++ = slot_byte(stream, at++);
}

/* A compound page that no anchor holds. */
static struct page *slot_source(struct kunit *test, u32 order)
{
	struct slot_test *t = test->priv;
	struct page *page;
	u32 i;

	for (i = 0; i < t->sources; i++)
		if (page_count(t->source[i]) == 1 &&
		    compound_order(t->source[i]) == order)
			return t->source[i];
	KUNIT_ASSERT_LT(test, t->sources, SLOT_TEST_SOURCES);
	page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	t->source[t->sources++] = page;
	return page;
}

/*
 * How the bytes of an anchor lie: the lengths of its pieces, one after the other and
 * from the beginning again; each is at @off in a compound page of its own, or behind
 * the one before, with a gap that keeps them apart, while there is room.
 */
struct slot_shape {
	const char *name;
	u32 order;
	u32 off;
	u32 gap;
	u32 len[6];
};

static const struct slot_shape slot_shapes[] = {
	{ "pages", 0, 0, 0, { PAGE_SIZE } },
	{ "halves", 0, 0, 1, { PAGE_SIZE / 2 } },
	{ "one compound page", 5, 777, 0, { LIBRA_RUN_BYTES } },
	{ "across borders of pages", 2, 4000, 0, { 8191 } },
	{ "segments", 3, 66, 600, { 1448 } },
	{ "a byte less", 0, 1, 0, { PAGE_SIZE - 1 } },
	{ "a byte more", 1, 5, 0, { PAGE_SIZE + 1 } },
	{ "single bytes", 1, 3, 1, { 1, 1, 1, 1, 1, 4091 } },
	{ "odd", 2, 4095, 3, { 1, 300, 5000, 2, 4096, 17 } },
	{ "short", 0, 9, 1, { 37 } },
};

static void slot_shape_desc(const struct slot_shape *shape, char *desc)
{
	strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(slot_shape, slot_shapes, slot_shape_desc);

/* @pages of @stream from its beginning on. One reference for each page. */
static struct libra_lazy_anchor *slot_anchor(struct kunit *test,
					     const struct slot_shape *shape,
					     u32 stream, u32 pages)
{
	u32 room = PAGE_SIZE << shape->order, end = room;
	u32 at = 0, want = pages * PAGE_SIZE, i = 0;
	struct slot_test *t = test->priv;
	struct libra_lazy_anchor *la;
	struct page *page = NULL;

	la = libra_lazy_anchor_alloc(&t->process->account, NULL);
	KUNIT_ASSERT_NOT_NULL(test, la);
	refcount_set(&la->ref, pages);
	KUNIT_ASSERT_TRUE(test, libra_anchor_charge(&la->anchor, want + 1));
	while (at < want) {
		u32 len = min(shape->len[i], want - at);

		if (end + shape->gap + len > room || !page) {
			page = slot_source(test, shape->order);
			end = shape->off;
		} else {
			end += shape->gap;
		}
		slot_bytes(page_address(page) + end, stream, at, len);
		KUNIT_ASSERT_EQ(test, 0, libra_anchor_add(&la->anchor, page, end, len,
							  GFP_KERNEL));
		end += len;
		at += len;
		if (++i == ARRAY_SIZE(shape->len) || !shape->len[i])
			i = 0;
	}
	return la;
}

/* What recv() does, once the bytes are in an anchor. */
/* All of an anchor; its references are used up. */
static void slot_receive_anchor(struct libra_payload *payload, pgoff_t pgoff, u32 pages,
				struct libra_lazy_anchor *la)
{
	struct libra_place place = { };

	refcount_inc(&la->ref);
	libra_slots_receive(payload, pgoff, pages, la, &place);
	libra_lazy_anchor_put(la, 1);
}

static void slot_receive(struct kunit *test, struct libra_payload *payload,
			 pgoff_t pgoff, u32 pages, u32 stream)
{
	const struct slot_shape *shape = &slot_shapes[stream % ARRAY_SIZE(slot_shapes)];

	KUNIT_ASSERT_TRUE(test, libra_slots_ready(payload, pgoff, pages));
	slot_receive_anchor(payload, pgoff, pages,
			    slot_anchor(test, shape, stream, pages));
}

/*
 * What recv() does with a part of a page. False: somebody holds it, or looked at it for
 * the first time while the anchor was built, if @look is set.
 */
static bool slot_patch(struct kunit *test, struct libra_payload *payload, pgoff_t pgoff,
		       u32 off, u32 len, u32 stream, bool look)
{
	struct slot_test *t = test->priv;
	struct libra_lazy_anchor *la;
	struct libra_view view;
	struct page *page;
	bool done;

	KUNIT_ASSERT_TRUE(test, libra_slots_ready(payload, pgoff, 1));
	if (!libra_slot_view(payload, pgoff, &view))
		return false;
	la = libra_lazy_anchor_alloc(&t->process->account, NULL);
	KUNIT_ASSERT_NOT_NULL(test, la);
	KUNIT_ASSERT_TRUE(test, libra_anchor_charge(&la->anchor, len + 1));
	page = slot_source(test, 1);
	slot_bytes(page_address(page) + PAGE_SIZE - off, stream, 0, len);
	KUNIT_ASSERT_EQ(test, 0, libra_lazy_anchor_add_view(la, view, 0, off));
	KUNIT_ASSERT_EQ(test, 0, libra_anchor_add(&la->anchor, page, PAGE_SIZE - off,
						  len, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, libra_lazy_anchor_add_view(la, view, off + len,
							    PAGE_SIZE - off - len));
	KUNIT_ASSERT_EQ(test, PAGE_SIZE, la->anchor.len);
	if (look) {
		page = libra_slot_fault(payload, pgoff, LIBRA_LOOKER_USER);
		KUNIT_ASSERT_NOT_NULL(test, page);
		unlock_page(page);
		put_page(page);
	}
	done = libra_slot_swap(payload, pgoff, view, la);
	if (!done)
		libra_lazy_anchor_put(la, 1);
	libra_view_put(&view);
	return done;
}

/* What a fault does. Unlocked, with a reference. */
static struct page *slot_look(struct kunit *test, struct libra_payload *payload,
			      pgoff_t pgoff)
{
	struct page *page = libra_slot_fault(payload, pgoff, LIBRA_LOOKER_USER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	KUNIT_EXPECT_PTR_EQ(test, payload->file->f_mapping, page->mapping);
	KUNIT_EXPECT_EQ(test, payload->index + pgoff, page->index);
	unlock_page(page);
	return page;
}

/* Is it page @nr of the stream; of none, and zeros? */
#define SLOT_ZEROS	0

static bool slot_page_is(struct page *page, u32 stream, u32 nr)
{
	const u8 *found = page_address(page);
	u32 i;

	for (i = 0; i < PAGE_SIZE; i++)
		if (found[i] != (stream ? slot_byte(stream, nr * PAGE_SIZE + i) : 0))
			return false;
	return true;
}

static void slot_expect(struct kunit *test, struct libra_payload *payload,
			pgoff_t pgoff, u32 stream, u32 nr)
{
	struct page *page = slot_look(test, payload, pgoff);

	KUNIT_EXPECT_TRUE_MSG(test, slot_page_is(page, stream, nr),
			      "page %lu is not page %u of %u", pgoff, nr, stream);
	put_page(page);
}

/* One page of libra_slots_lazy(). */
static struct libra_lazy_anchor *slot_lazy(struct libra_payload *payload,
					   pgoff_t pgoff,
					   const struct libra_lazy_anchor *held,
					   struct libra_place *place)
{
	struct libra_view view;

	if (!libra_slots_lazy(payload, pgoff, 1, held, &view))
		return NULL;
	*place = view.place;
	return view.la;
}

static bool slot_is_lazy(struct libra_payload *payload, pgoff_t pgoff)
{
	return !libra_slots_plain(payload, pgoff, 1);
}

static void slot_write(struct kunit *test, struct libra_payload *payload,
		       pgoff_t pgoff, u32 stream, u32 nr)
{
	struct page *page = slot_look(test, payload, pgoff);

	slot_bytes(page_address(page), stream, nr * PAGE_SIZE, PAGE_SIZE);
	put_page(page);
}

/* How many pages are counted, of either kind. */
static void slot_expect_counts(struct kunit *test, long lazy, long pages)
{
	struct slot_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->lazy + lazy, atomic_long_read(&t->ln->lazy_pages));
	KUNIT_EXPECT_EQ(test, t->pages + pages,
			atomic_long_read(&t->ln->payload_pages));
}

/* ---- anchors --------------------------------------------------------------- */

/* Where each byte is, and what is read from there, against a plain copy. */
static void slot_places(struct kunit *test)
{
	const struct slot_shape *shape = test->param_value;
	struct libra_lazy_anchor *la = slot_anchor(test, shape, 1, 3);
	u8 *plain = kunit_kmalloc(test, 3 * PAGE_SIZE, GFP_KERNEL);
	u8 *found = libra_test_page(test);
	struct libra_place walk = { 0 };
	u32 at, bad = 0;

	KUNIT_ASSERT_NOT_NULL(test, plain);
	slot_bytes(plain, 1, 0, 3 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 3 * PAGE_SIZE, la->anchor.len);
	for (at = 0; at < 3 * PAGE_SIZE; at++) {
		struct libra_place jump = { 0 };
		u32 len = min(3 * PAGE_SIZE - at, at % 41 ? at % 41 : PAGE_SIZE);

		libra_place_advance(la, &jump, at);
		bad += jump.idx != walk.idx || jump.off != walk.off;
		bad += jump.off >= la->anchor.bv[jump.idx].bv_len;
		libra_lazy_anchor_read(la, jump, found + PAGE_SIZE - len, len);
		bad += !!memcmp(found + PAGE_SIZE - len, plain + at, len);
		libra_place_advance(la, &walk, 1);
	}
	KUNIT_EXPECT_EQ(test, 0, bad);
	KUNIT_EXPECT_EQ(test, la->anchor.nr, walk.idx);
	KUNIT_EXPECT_EQ(test, 0, walk.off);
	libra_lazy_anchor_put(la, 3);
}

/* ---- fault and receive ------------------------------------------------------ */

static void slot_empty_is_zeros(struct kunit *test)
{
	struct slot_test *t = test->priv;

	KUNIT_EXPECT_NULL(test, libra_chunk(t->payload, 3));
	KUNIT_EXPECT_FALSE(test, slot_is_lazy(t->payload, 3));
	slot_expect(test, t->payload, 3, SLOT_ZEROS, 0);
	slot_expect_counts(test, 0, 1);
	/* The same page for whoever looks next, with what was written. */
	slot_write(test, t->payload, 3, 1, 0);
	slot_expect(test, t->payload, 3, 1, 0);
	slot_expect_counts(test, 0, 1);
	slot_expect(test, t->payload, 4, SLOT_ZEROS, 0);
	slot_expect_counts(test, 0, 2);
}

static void slot_gives_the_bytes(struct kunit *test)
{
	const struct slot_shape *shape = test->param_value;
	u64 user = libra_test_count(LIBRA_MIB_LAZY_FILLS_USER);
	struct slot_test *t = test->priv;
	struct libra_lazy_anchor *la;
	u32 i;

	la = slot_anchor(test, shape, 1, SLOT_TEST_PAGES);
	KUNIT_ASSERT_TRUE(test, libra_slots_ready(t->payload, SLOT_TEST_FIRST,
						  SLOT_TEST_PAGES));
	slot_receive_anchor(t->payload, SLOT_TEST_FIRST, SLOT_TEST_PAGES, la);
	slot_expect_counts(test, SLOT_TEST_PAGES, 0);
	KUNIT_EXPECT_EQ(test, SLOT_TEST_PAGES, refcount_read(&la->ref));
	/* In an order that is neither up nor down. */
	for (i = 0; i < SLOT_TEST_PAGES; i++) {
		u32 nr = (i * 5 + 3) % SLOT_TEST_PAGES;

		KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, SLOT_TEST_FIRST + nr));
		slot_expect(test, t->payload, SLOT_TEST_FIRST + nr, 1, nr);
		KUNIT_EXPECT_FALSE(test, slot_is_lazy(t->payload, SLOT_TEST_FIRST + nr));
	}
	slot_expect_counts(test, 0, SLOT_TEST_PAGES);
	KUNIT_EXPECT_EQ(test, user + SLOT_TEST_PAGES,
			libra_test_count(LIBRA_MIB_LAZY_FILLS_USER));
	/* The last look gave the anchor back. */
	KUNIT_EXPECT_EQ(test, t->charge, atomic_long_read(&t->ln->charge));
	for (i = 0; i < SLOT_TEST_PAGES; i++)
		slot_expect(test, t->payload, SLOT_TEST_FIRST + i, 1, i);
	slot_expect(test, t->payload, SLOT_TEST_FIRST - 1, SLOT_ZEROS, 0);
	slot_expect(test, t->payload, SLOT_TEST_FIRST + SLOT_TEST_PAGES, SLOT_ZEROS, 0);
}

/* What send() takes is what a look would give, and it takes nothing away. */
static void slot_can_be_sent(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_lazy_anchor *held = NULL;
	u8 *found = libra_test_page(test);
	u8 *wanted = libra_test_page(test);
	struct libra_place place;
	u32 i, round;

	slot_receive(test, t->payload, SLOT_TEST_FIRST, SLOT_TEST_PAGES, 8);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < SLOT_TEST_PAGES; i++) {
			struct libra_lazy_anchor *la;

			la = slot_lazy(t->payload, SLOT_TEST_FIRST + i, held,
					     &place);
			KUNIT_ASSERT_NOT_NULL(test, la);
			KUNIT_EXPECT_TRUE(test, !held || la == held);
			held = la;
			libra_lazy_anchor_read(la, place, found, PAGE_SIZE);
			slot_bytes(wanted, 8, i * PAGE_SIZE, PAGE_SIZE);
			KUNIT_EXPECT_EQ(test, 0, memcmp(found, wanted, PAGE_SIZE));
		}
	}
	/* One reference, whatever the number of pages. */
	KUNIT_EXPECT_EQ(test, SLOT_TEST_PAGES + 1, refcount_read(&held->ref));
	slot_expect_counts(test, SLOT_TEST_PAGES, 0);

	/* They stay, while others look and receive. */
	slot_expect(test, t->payload, SLOT_TEST_FIRST + 2, 8, 2);
	KUNIT_EXPECT_NULL(test, slot_lazy(t->payload, SLOT_TEST_FIRST + 2, NULL,
						&place));
	slot_receive(test, t->payload, SLOT_TEST_FIRST, SLOT_TEST_PAGES, 9);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&held->ref));
	place = (struct libra_place) { 0 };
	libra_place_advance(held, &place, 2 * PAGE_SIZE);
	libra_lazy_anchor_read(held, place, found, PAGE_SIZE);
	slot_bytes(wanted, 8, 2 * PAGE_SIZE, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, memcmp(found, wanted, PAGE_SIZE));
	libra_lazy_anchor_put(held, 1);
	KUNIT_EXPECT_NULL(test, slot_lazy(t->payload, 4000, NULL, &place));
}

static void slot_receives_over_lazy(struct kunit *test)
{
	struct slot_test *t = test->priv;

	slot_receive(test, t->payload, 10, 8, 1);
	slot_receive(test, t->payload, 12, 2, 2);
	slot_receive(test, t->payload, 17, 3, 3);
	slot_expect_counts(test, 10, 0);
	slot_expect(test, t->payload, 11, 1, 1);
	slot_expect(test, t->payload, 12, 2, 0);
	slot_expect(test, t->payload, 13, 2, 1);
	slot_expect(test, t->payload, 14, 1, 4);
	slot_expect(test, t->payload, 16, 1, 6);
	slot_expect(test, t->payload, 17, 3, 0);
	slot_expect(test, t->payload, 19, 3, 2);
	slot_expect_counts(test, 3, 7);
}

static void slot_receives_over_pages(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct page *page;
	u32 i;

	for (i = 0; i < 4; i++)
		slot_write(test, t->payload, 20 + i, 1, i);
	page = slot_look(test, t->payload, 21);
	put_page(page);
	slot_receive(test, t->payload, 21, 2, 2);
	slot_expect_counts(test, 2, 2);
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 21));
	slot_expect(test, t->payload, 20, 1, 0);
	slot_expect(test, t->payload, 21, 2, 0);
	slot_expect(test, t->payload, 22, 2, 1);
	slot_expect(test, t->payload, 23, 1, 3);
	slot_expect_counts(test, 0, 4);
}

static bool slot_page_has(struct page *page, u32 from, u32 to, u32 stream, u32 at)
{
	const u8 *found = page_address(page);
	u32 i;

	for (i = from; i < to; i++)
		if (found[i] != (stream ? slot_byte(stream, at + i - from) : 0))
			return false;
	return true;
}

/* A part of a page that nobody has looked at; the rest of it stays. */
static void slot_receives_parts(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct page *page;

	slot_receive(test, t->payload, 4, 3, 1);
	KUNIT_EXPECT_TRUE(test, slot_patch(test, t->payload, 5, 1000, 500, 2, false));
	KUNIT_EXPECT_TRUE(test, slot_patch(test, t->payload, 5, 1400, 2696, 3, false));
	KUNIT_EXPECT_TRUE(test, slot_patch(test, t->payload, 9, 0, 300, 4, false));
	KUNIT_EXPECT_TRUE(test, slot_patch(test, t->payload, 9, 300, 1, 5, false));
	slot_expect_counts(test, 4, 0);
	page = slot_look(test, t->payload, 5);
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 0, 1000, 1, PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 1000, 1400, 2, 0));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 1400, PAGE_SIZE, 3, 0));
	put_page(page);
	page = slot_look(test, t->payload, 9);
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 0, 300, 4, 0));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 300, 301, 5, 0));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 301, PAGE_SIZE, SLOT_ZEROS, 0));
	put_page(page);
	slot_expect(test, t->payload, 4, 1, 0);
	slot_expect(test, t->payload, 6, 1, 2);

	/* Of a page that somebody looked at, and holds no more. */
	page = slot_look(test, t->payload, 5);
	KUNIT_EXPECT_FALSE(test, slot_patch(test, t->payload, 5, 10, 9, 6, false));
	slot_bytes(page_address(page), 8, 0, 9);
	put_page(page);
	slot_expect_counts(test, 0, 4);
	KUNIT_EXPECT_TRUE(test, slot_patch(test, t->payload, 5, 10, 9, 6, true));
	slot_expect_counts(test, 1, 3);
	page = slot_look(test, t->payload, 5);
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 0, 9, 8, 0));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 9, 10, 1, PAGE_SIZE + 9));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 10, 19, 6, 0));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 19, 1000, 1, PAGE_SIZE + 19));
	KUNIT_EXPECT_TRUE(test, slot_page_has(page, 1400, PAGE_SIZE, 3, 0));
	put_page(page);

	/* Not where somebody looks meanwhile. */
	slot_receive(test, t->payload, 5, 1, 7);
	KUNIT_EXPECT_FALSE(test, slot_patch(test, t->payload, 5, 0, 9, 6, true));
	slot_expect(test, t->payload, 5, 7, 0);
	KUNIT_EXPECT_FALSE(test, slot_patch(test, t->payload, 20, 0, 9, 6, true));
	slot_expect(test, t->payload, 20, SLOT_ZEROS, 0);
	slot_expect_counts(test, 0, 5);
}

/* What another page of the same anchor holds is something else. */
static void slot_swaps_only_what_it_was(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_lazy_anchor *la;
	struct libra_view view;

	slot_receive(test, t->payload, 1, 2, 1);
	la = slot_anchor(test, &slot_shapes[0], 2, 1);
	KUNIT_ASSERT_TRUE(test, libra_slot_view(t->payload, 1, &view));
	KUNIT_EXPECT_FALSE(test, libra_slot_swap(t->payload, 2, view, la));
	KUNIT_EXPECT_FALSE(test, libra_slot_swap(t->payload, 3, view, la));
	KUNIT_EXPECT_TRUE(test, libra_slot_swap(t->payload, 1, view, la));
	libra_view_put(&view);
	slot_expect_counts(test, 2, 0);
	slot_expect(test, t->payload, 1, 2, 0);
	slot_expect(test, t->payload, 2, 1, 1);
	slot_expect(test, t->payload, 3, SLOT_ZEROS, 0);
}

/* Somebody's I/O is under way: the bytes come to its page. */
static void slot_receives_into_held_pages(struct kunit *test)
{
	u64 pinned = libra_test_count(LIBRA_MIB_LAZY_PINNED);
	struct slot_test *t = test->priv;
	struct page *held, *again;

	slot_write(test, t->payload, 30, 1, 0);
	slot_write(test, t->payload, 31, 1, 1);
	held = slot_look(test, t->payload, 31);
	slot_receive(test, t->payload, 30, 3, 2);
	KUNIT_EXPECT_EQ(test, pinned + 1, libra_test_count(LIBRA_MIB_LAZY_PINNED));
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 30));
	KUNIT_EXPECT_FALSE(test, slot_is_lazy(t->payload, 31));
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 32));
	KUNIT_EXPECT_TRUE(test, slot_page_is(held, 2, 1));
	slot_expect_counts(test, 2, 1);
	/* What it writes now is seen. */
	slot_bytes(page_address(held), 3, 0, PAGE_SIZE);
	again = slot_look(test, t->payload, 31);
	KUNIT_EXPECT_PTR_EQ(test, held, again);
	KUNIT_EXPECT_TRUE(test, slot_page_is(again, 3, 0));
	put_page(again);
	KUNIT_EXPECT_EQ(test, 2, page_count(held));
	put_page(held);
	/* Not held any more. */
	slot_receive(test, t->payload, 31, 1, 4);
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 31));
	slot_expect(test, t->payload, 30, 2, 0);
	slot_expect(test, t->payload, 31, 4, 0);
	slot_expect(test, t->payload, 32, 2, 2);
}

/*
 * A run that ended before its time: its last page is written in part, whatever the
 * slot is, and the rest of the page stays.
 */
static void slot_writes_a_beginning(struct kunit *test)
{
	static const u32 lens[] = { 1, 700, PAGE_SIZE - 1 };
	struct slot_test *t = test->priv;
	struct libra_payload *child = slot_payload(test, 1);
	u8 *wanted = libra_test_page(test);
	struct page *held, *page;
	u32 i, kind;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		/* Empty, lazy, a page, one that is held, one that a child shares. */
		libra_slots_discard(t->payload, 40, 5);
		slot_receive(test, t->payload, 41, 4, 1);
		for (kind = 2; kind < 5; kind++)
			slot_expect(test, t->payload, 40 + kind, 1, kind - 1);
		libra_slots_discard(child, 44, 1);
		libra_slots_fork(t->payload, child, 44, 1);
		held = slot_look(test, t->payload, 43);
		for (kind = 0; kind < 5; kind++) {
			struct libra_lazy_anchor *la;
			struct libra_place place = { 0 };

			la = slot_anchor(test, &slot_shapes[8], 7, 3);
			libra_place_advance(la, &place, 2 * PAGE_SIZE);
			libra_slot_write(t->payload, 40 + kind, la, place, lens[i]);
			libra_lazy_anchor_put(la, 3);
			if (kind)
				slot_bytes(wanted, 1, (kind - 1) * PAGE_SIZE, PAGE_SIZE);
			else
				memset(wanted, 0, PAGE_SIZE);
			slot_bytes(wanted, 7, 2 * PAGE_SIZE, lens[i]);
			page = slot_look(test, t->payload, 40 + kind);
			KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(page_address(page), wanted,
							    PAGE_SIZE),
					    "%u bytes, kind %u", lens[i], kind);
			KUNIT_EXPECT_EQ(test, kind == 3, page == held);
			put_page(page);
		}
		put_page(held);
		slot_expect(test, child, 44, 1, 3);
	}
	slot_payload_end(child);
}

/* ---- discard, forget, write ----------------------------------------------------------- */

static void slot_discards(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct page *held;
	u32 i;

	slot_receive(test, t->payload, SLOT_TEST_FIRST, SLOT_TEST_PAGES, 1);
	for (i = 3; i < 9; i++)
		slot_expect(test, t->payload, SLOT_TEST_FIRST + i, 1, i);
	held = slot_look(test, t->payload, SLOT_TEST_FIRST + 4);
	/* More than there is, and chunks of which there are none. */
	libra_slots_discard(t->payload, SLOT_TEST_FIRST + 2, 5000);
	slot_expect_counts(test, 2, 0);
	slot_expect(test, t->payload, SLOT_TEST_FIRST + 1, 1, 1);
	for (i = 2; i < SLOT_TEST_PAGES; i++)
		slot_expect(test, t->payload, SLOT_TEST_FIRST + i, SLOT_ZEROS, 0);
	/* What was held is its holder's alone. */
	KUNIT_EXPECT_TRUE(test, slot_page_is(held, 1, 4));
	KUNIT_EXPECT_EQ(test, 1, page_count(held));
	KUNIT_EXPECT_NULL(test, held->mapping);
	put_page(held);
	slot_receive(test, t->payload, SLOT_TEST_FIRST + 4, 1, 2);
	slot_expect(test, t->payload, SLOT_TEST_FIRST + 4, 2, 0);
}

/* What was unmapped holds nothing; if the mapping grows again, it is zeros. */
static void slot_forgets(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct page *held;
	u32 i;

	slot_receive(test, t->payload, SLOT_TEST_FIRST, SLOT_TEST_PAGES, 1);
	for (i = 3; i < 9; i++)
		slot_expect(test, t->payload, SLOT_TEST_FIRST + i, 1, i);
	held = slot_look(test, t->payload, SLOT_TEST_FIRST + 4);
	libra_slots_forget(t->payload, SLOT_TEST_FIRST + 2, SLOT_TEST_PAGES - 3);
	slot_expect_counts(test, 3, 0);
	KUNIT_EXPECT_EQ(test, 1, page_count(held));
	KUNIT_EXPECT_NULL(test, held->mapping);
	put_page(held);

	for (i = 2; i < SLOT_TEST_PAGES - 1; i++)
		slot_expect(test, t->payload, SLOT_TEST_FIRST + i, SLOT_ZEROS, 0);
	slot_expect(test, t->payload, SLOT_TEST_FIRST + 1, 1, 1);
	slot_expect(test, t->payload, SLOT_TEST_FIRST + SLOT_TEST_PAGES - 1, 1,
		    SLOT_TEST_PAGES - 1);
	/* Where nothing was, nothing is made. */
	libra_slots_forget(t->payload, 10 * LIBRA_CHUNK_PAGES + 5, 1UL << 40);
	KUNIT_EXPECT_NULL(test, libra_chunk(t->payload, 10 * LIBRA_CHUNK_PAGES + 5));
	slot_receive(test, t->payload, 11 * LIBRA_CHUNK_PAGES - 1, 2, 2);
	libra_slots_forget(t->payload, 11 * LIBRA_CHUNK_PAGES - 1, 1);
	slot_expect(test, t->payload, 11 * LIBRA_CHUNK_PAGES - 1, SLOT_ZEROS, 0);
	slot_expect(test, t->payload, 11 * LIBRA_CHUNK_PAGES, 2, 1);
}

/* The beginning of a page is written where it is. */
static void slot_shows_several(struct kunit *test)
{
	struct libra_view view[LIBRA_RUN_PAGES];
	struct slot_test *t = test->priv;
	u32 i;

	/* Two anchors, a page between them and other ones, and the end of a chunk. */
	slot_receive(test, t->payload, LIBRA_CHUNK_PAGES - 8, 2, 1);
	slot_receive(test, t->payload, LIBRA_CHUNK_PAGES - 6, 3, 2);
	slot_receive(test, t->payload, LIBRA_CHUNK_PAGES - 2, 4, 3);
	KUNIT_ASSERT_EQ(test, 5, libra_slots_lazy(t->payload, LIBRA_CHUNK_PAGES - 8,
						  LIBRA_RUN_PAGES, NULL, view));
	KUNIT_EXPECT_PTR_EQ(test, view[0].la, view[1].la);
	KUNIT_EXPECT_PTR_NE(test, view[1].la, view[2].la);
	KUNIT_EXPECT_PTR_EQ(test, view[2].la, view[4].la);
	KUNIT_EXPECT_EQ(test, 3, refcount_read(&view[0].la->ref));
	KUNIT_EXPECT_EQ(test, 4, refcount_read(&view[2].la->ref));
	libra_lazy_anchor_put(view[2].la, 1);
	KUNIT_EXPECT_EQ(test, 1, libra_slots_lazy(t->payload, LIBRA_CHUNK_PAGES - 7, 1,
						  view[0].la, view));
	KUNIT_EXPECT_EQ(test, 3, refcount_read(&view[0].la->ref));
	libra_lazy_anchor_put(view[0].la, 1);
	KUNIT_ASSERT_EQ(test, 2, libra_slots_lazy(t->payload, LIBRA_CHUNK_PAGES - 2,
						  LIBRA_RUN_PAGES, NULL, view));
	libra_lazy_anchor_put(view[0].la, 1);
	KUNIT_EXPECT_EQ(test, 0, libra_slots_lazy(t->payload, LIBRA_CHUNK_PAGES - 3, 2,
						  NULL, view));
	/* Over all of it, with a page in the middle. */
	slot_write(test, t->payload, LIBRA_CHUNK_PAGES - 5, 9, 0);
	slot_receive(test, t->payload, LIBRA_CHUNK_PAGES - 7, 9, 4);
	for (i = 0; i < 9; i++)
		slot_expect(test, t->payload, LIBRA_CHUNK_PAGES - 7 + i, 4, i);
	slot_expect(test, t->payload, LIBRA_CHUNK_PAGES + 2 - 1, 4, 8);
	slot_expect(test, t->payload, LIBRA_CHUNK_PAGES - 8, 1, 0);
}

static void slot_writes(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_place place = { 0 };
	struct libra_lazy_anchor *la;
	struct page *page;
	u8 *bytes;

	slot_receive(test, t->payload, SLOT_TEST_FIRST, 2, 1);
	la = slot_anchor(test, &slot_shapes[1], 2, 2);
	libra_place_advance(la, &place, PAGE_SIZE);
	libra_slot_write(t->payload, SLOT_TEST_FIRST + 1, la, place, 1000);
	libra_lazy_anchor_put(la, 2);
	slot_expect_counts(test, 1, 1);
	slot_expect(test, t->payload, SLOT_TEST_FIRST, 1, 0);
	page = slot_look(test, t->payload, SLOT_TEST_FIRST + 1);
	bytes = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	slot_bytes(bytes, 1, PAGE_SIZE, PAGE_SIZE);
	slot_bytes(bytes, 2, PAGE_SIZE, 1000);
	KUNIT_EXPECT_EQ(test, 0, memcmp(bytes, page_address(page), PAGE_SIZE));
	put_page(page);
}

/* The mapping goes in the middle of a call. */
static void slot_dies_with_its_user(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_payload *payload = t->payload;

	slot_receive(test, payload, 0, 4, 1);
	slot_write(test, payload, 5, 1, 0);
	KUNIT_ASSERT_TRUE(test, libra_slots_ready(payload, 4 * LIBRA_CHUNK_PAGES, 4));
	refcount_inc(&payload->ref);
	slot_payload_end(payload);
	t->payload = NULL;
	slot_expect_nothing_left(test);
	slot_receive_anchor(payload, 4 * LIBRA_CHUNK_PAGES, 4,
			    slot_anchor(test, &slot_shapes[3], 2, 4));
	libra_payload_put(payload);
	slot_expect_nothing_left(test);
}

/* ---- what is plain ------------------------------------------------------------ */

static void slot_counts_plain_pages(struct kunit *test)
{
	static const u32 lazy[] = { 0, 5, 6, 253, 255, 256, 600, 1100, 1101 };
	struct slot_test *t = test->priv;
	pgoff_t pgoff, pages, n, bad = 0;
	DECLARE_BITMAP(is_lazy, 1300);
	u32 i;

	bitmap_zero(is_lazy, 1300);
	for (i = 0; i < ARRAY_SIZE(lazy); i++) {
		slot_receive(test, t->payload, lazy[i], 1, i + 1);
		__set_bit(lazy[i], is_lazy);
	}
	slot_write(test, t->payload, 7, 1, 0);
	libra_slots_forget(t->payload, 8, 1);
	KUNIT_ASSERT_NULL(test, libra_chunk(t->payload, 3 * LIBRA_CHUNK_PAGES));
	for (pgoff = 0; pgoff < 1290; pgoff += pgoff < 260 ? 1 : 37) {
		for (pages = 1; pgoff + pages <= 1300; pages += pages < 10 ? 1 : 83) {
			for (n = 0; n < pages; n++)
				if (test_bit(pgoff + n, is_lazy))
					break;
			bad += n != libra_slots_plain(t->payload, pgoff, pages);
		}
	}
	KUNIT_EXPECT_EQ(test, 0, bad);
}

/* ---- fork ----------------------------------------------------------------------- */

static void slot_forks(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_payload *child = slot_payload(test, 1);
	struct page *kept, *left;

	/* 0, 1 pages; 2, 3 lazy; 4 empty; 5 a page that nothing happens to. */
	slot_write(test, t->payload, 0, 1, 0);
	slot_write(test, t->payload, 1, 1, 1);
	slot_receive(test, t->payload, 2, 2, 2);
	slot_write(test, t->payload, 5, 1, 5);
	slot_expect_counts(test, 2, 3);
	kept = slot_look(test, t->payload, 5);
	put_page(kept);
	left = slot_look(test, t->payload, 0);
	put_page(left);
	libra_slots_fork(t->payload, child, 0, 8);
	slot_expect_counts(test, 4, 6);
	KUNIT_EXPECT_EQ(test, 2, page_count(kept));
	KUNIT_EXPECT_NULL(test, kept->mapping);

	/* What is lazy stays so for both. */
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 2));
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(child, 2));
	slot_expect(test, child, 2, 2, 0);
	KUNIT_EXPECT_TRUE(test, slot_is_lazy(t->payload, 2));
	slot_write(test, child, 2, 3, 0);
	slot_expect(test, t->payload, 2, 2, 0);
	slot_expect(test, child, 2, 3, 0);

	/* Either side changes its own. */
	slot_write(test, t->payload, 0, 3, 0);
	KUNIT_EXPECT_EQ(test, 1, page_count(left));
	slot_expect(test, child, 0, 1, 0);
	slot_write(test, child, 1, 3, 1);
	slot_expect(test, t->payload, 1, 1, 1);
	slot_expect(test, t->payload, 0, 3, 0);
	slot_expect(test, child, 1, 3, 1);

	/* So do what they receive, and discard. */
	slot_receive(test, t->payload, 3, 3, 4);
	slot_expect(test, child, 3, 2, 1);
	slot_expect(test, child, 4, SLOT_ZEROS, 0);
	slot_expect(test, t->payload, 3, 4, 0);
	slot_expect(test, t->payload, 4, 4, 1);

	/* The parent received over it: the child is the last to have this page. */
	KUNIT_EXPECT_EQ(test, 1, page_count(kept));
	KUNIT_EXPECT_PTR_EQ(test, kept, slot_look(test, child, 5));
	KUNIT_EXPECT_TRUE(test, slot_page_is(kept, 1, 5));
	put_page(kept);
	slot_expect(test, t->payload, 5, 4, 2);
	libra_slots_discard(child, 0, 8);
	slot_expect(test, t->payload, 5, 4, 2);
	slot_expect(test, t->payload, 1, 1, 1);
	slot_expect(test, child, 5, SLOT_ZEROS, 0);
	slot_payload_end(child);
	slot_expect(test, t->payload, 0, 3, 0);
	slot_expect(test, t->payload, 3, 4, 0);
}

/* I/O into a page of the parent is none into the child's. */
static void slot_forks_held_pages(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_payload *child = slot_payload(test, 1);
	struct page *held, *other;

	slot_write(test, t->payload, 9, 1, 0);
	held = slot_look(test, t->payload, 9);
	libra_slots_fork(t->payload, child, 9, 1);
	KUNIT_EXPECT_EQ(test, 2, page_count(held));
	KUNIT_EXPECT_PTR_EQ(test, t->file->f_mapping, held->mapping);
	slot_bytes(page_address(held), 2, 0, PAGE_SIZE);
	slot_expect(test, child, 9, 1, 0);
	slot_expect(test, t->payload, 9, 2, 0);
	KUNIT_EXPECT_PTR_EQ(test, held, slot_look(test, t->payload, 9));
	put_page(held);
	other = slot_look(test, child, 9);
	KUNIT_EXPECT_PTR_NE(test, held, other);
	put_page(other);
	slot_payload_end(child);
	KUNIT_EXPECT_EQ(test, 2, page_count(held));
	put_page(held);
	slot_expect(test, t->payload, 9, 2, 0);
}

/* Children of children, which end in any order. */
static void slot_forks_again(struct kunit *test)
{
	struct slot_test *t = test->priv;
	struct libra_payload *child[5];
	struct page *page;
	u32 i;

	slot_write(test, t->payload, SLOT_TEST_FIRST, 1, 0);
	slot_receive(test, t->payload, SLOT_TEST_FIRST + 1, 14, 2);
	libra_slots_forget(t->payload, SLOT_TEST_FIRST + 15, 1);
	for (i = 0; i < ARRAY_SIZE(child); i++) {
		child[i] = slot_payload(test, i + 1);
		libra_slots_fork(i ? child[i - 1] : t->payload, child[i],
				 SLOT_TEST_FIRST, 15);
	}
	slot_expect_counts(test, 6 * 14, 6);
	slot_write(test, child[1], SLOT_TEST_FIRST, 3, 0);
	slot_payload_end(t->payload);
	t->payload = NULL;
	/* A copy, while others have it. */
	page = slot_look(test, child[2], SLOT_TEST_FIRST);
	KUNIT_EXPECT_EQ(test, 2, page_count(page));
	KUNIT_EXPECT_TRUE(test, slot_page_is(page, 1, 0));
	put_page(page);
	slot_payload_end(child[3]);
	slot_payload_end(child[0]);
	slot_expect(test, child[4], SLOT_TEST_FIRST, 1, 0);
	slot_expect(test, child[1], SLOT_TEST_FIRST, 3, 0);
	for (i = 1; i < 15; i++) {
		slot_expect(test, child[4], SLOT_TEST_FIRST + i, 2, i - 1);
		slot_expect(test, child[1], SLOT_TEST_FIRST + i, 2, i - 1);
	}
	slot_expect(test, child[2], SLOT_TEST_FIRST + 3, 2, 2);
	slot_payload_end(child[1]);
	slot_payload_end(child[4]);
	slot_payload_end(child[2]);
}

/* ---- anything, in any order ------------------------------------------------------ */

#define MODEL_RELATIVES	4
#define MODEL_PAGES	24
#define MODEL_FIRST	(LIBRA_CHUNK_PAGES - 11)
#define MODEL_STEPS	20000
/* What may be missing afterwards: others allocate as well. */
#define MODEL_NOISE	1024

/**
 * struct model - a mapping, and what it must hold
 * @payload: NULL: nobody has this number
 * @bytes: of its pages
 * @held: a page that something other than the mapping holds
 * @apart: ... and the mapping has not any more
 */
struct model {
	struct libra_payload *payload;
	u8 *bytes;
	struct page *held[MODEL_PAGES];
	DECLARE_BITMAP(apart, MODEL_PAGES);
};

struct models {
	struct model of[MODEL_RELATIVES];
	struct rnd_state rnd;
	u32 stream;
	u8 *page;	/* whoever reads beyond it faults */
};

static u32 model_random(struct models *m, u32 below)
{
	return prandom_u32_state(&m->rnd) % below;
}

static u8 *model_bytes(const struct model *model, u32 nr)
{
	return model->bytes + nr * PAGE_SIZE;
}

static void model_receive(struct kunit *test, struct models *m, struct model *model,
			  u32 nr, u32 pages)
{
	const struct slot_shape *shape;
	struct libra_lazy_anchor *la;
	u32 i;

	KUNIT_ASSERT_TRUE(test,
			  libra_slots_ready(model->payload, MODEL_FIRST + nr, pages));
	shape = &slot_shapes[model_random(m, ARRAY_SIZE(slot_shapes))];
	la = slot_anchor(test, shape, ++m->stream, pages);
	slot_receive_anchor(model->payload, MODEL_FIRST + nr, pages, la);
	for (i = 0; i < pages; i++)
		slot_bytes(model_bytes(model, nr + i), m->stream, i * PAGE_SIZE,
			   PAGE_SIZE);
}

static void model_patch(struct kunit *test, struct models *m, struct model *model,
			u32 nr)
{
	u32 off = model_random(m, PAGE_SIZE);
	u32 len = 1 + model_random(m, PAGE_SIZE - off);
	bool held = model->held[nr] && !test_bit(nr, model->apart);
	bool look = !model_random(m, 4), expected;
	struct libra_view view;

	expected = libra_slot_view(model->payload, MODEL_FIRST + nr, &view) &&
		   (view.page ? !held : !look);
	libra_view_put(&view);
	KUNIT_ASSERT_EQ(test, expected,
			slot_patch(test, model->payload, MODEL_FIRST + nr, off, len,
				   ++m->stream, look));
	if (expected)
		slot_bytes(model_bytes(model, nr) + off, m->stream, 0, len);
}

/* A look, perhaps a write; the page may be held on to. */
static void model_look(struct kunit *test, struct models *m, struct model *model,
		       u32 nr)
{
	struct page *page;
	u32 off, len;

	page = slot_look(test, model->payload, MODEL_FIRST + nr);
	KUNIT_ASSERT_EQ(test, 0, memcmp(page_address(page), model_bytes(model, nr),
					PAGE_SIZE));
	if (model->held[nr] && !test_bit(nr, model->apart))
		KUNIT_ASSERT_PTR_EQ(test, model->held[nr], page);
	if (model_random(m, 2)) {
		off = model_random(m, PAGE_SIZE);
		len = 1 + model_random(m, PAGE_SIZE - off);
		slot_bytes(model_bytes(model, nr) + off, ++m->stream, 0, len);
		memcpy(page_address(page) + off, model_bytes(model, nr) + off, len);
	}
	if (!model->held[nr] && !model_random(m, 3)) {
		model->held[nr] = page;
		__clear_bit(nr, model->apart);
	} else {
		put_page(page);
	}
}

/* Who holds a page writes into it, or lets it go. */
static void model_hold(struct kunit *test, struct models *m, struct model *model, u32 nr)
{
	struct page *page = model->held[nr];

	if (!page)
		return;
	if (test_bit(nr, model->apart)) {
		KUNIT_ASSERT_EQ(test, 1, page_count(page));
		KUNIT_ASSERT_NULL(test, page->mapping);
	} else {
		KUNIT_ASSERT_EQ(test, 2, page_count(page));
		KUNIT_ASSERT_EQ(test, 0, memcmp(page_address(page),
						model_bytes(model, nr), PAGE_SIZE));
	}
	if (model_random(m, 2)) {
		slot_bytes(page_address(page), ++m->stream, 0, PAGE_SIZE);
		if (!test_bit(nr, model->apart))
			memcpy(model_bytes(model, nr), page_address(page), PAGE_SIZE);
	} else {
		put_page(page);
		model->held[nr] = NULL;
	}
}

static void model_send(struct kunit *test, struct models *m, struct model *model, u32 nr)
{
	struct libra_lazy_anchor *la;
	struct libra_place place;
	u32 off, len;

	la = slot_lazy(model->payload, MODEL_FIRST + nr, NULL, &place);
	KUNIT_ASSERT_EQ(test, !la, !slot_is_lazy(model->payload, MODEL_FIRST + nr));
	if (!la)
		return;
	off = model_random(m, PAGE_SIZE);
	len = 1 + model_random(m, PAGE_SIZE - off);
	libra_place_advance(la, &place, off);
	libra_lazy_anchor_read(la, place, m->page + PAGE_SIZE - len, len);
	KUNIT_ASSERT_EQ(test, 0, memcmp(m->page + PAGE_SIZE - len,
					model_bytes(model, nr) + off, len));
	libra_lazy_anchor_put(la, 1);
}

static void model_discard(struct model *model, u32 nr, u32 pages)
{
	libra_slots_discard(model->payload, MODEL_FIRST + nr, pages);
	memset(model_bytes(model, nr), 0, pages * PAGE_SIZE);
	bitmap_set(model->apart, nr, pages);
}

static void model_forget(struct model *model, u32 nr, u32 pages)
{
	libra_slots_forget(model->payload, MODEL_FIRST + nr, pages);
	memset(model_bytes(model, nr), 0, pages * PAGE_SIZE);
	bitmap_set(model->apart, nr, pages);
}

static void model_end(struct kunit *test, struct model *model)
{
	u32 i;

	slot_payload_end(model->payload);
	model->payload = NULL;
	for (i = 0; i < MODEL_PAGES; i++) {
		if (!model->held[i])
			continue;
		KUNIT_EXPECT_EQ(test, 1, page_count(model->held[i]));
		put_page(model->held[i]);
		model->held[i] = NULL;
	}
}

/* As a process that begins, or as the child of @parent. */
static void model_begin(struct kunit *test, struct models *m, struct model *model,
			const struct model *parent)
{
	u32 first = model_random(m, MODEL_PAGES);

	model->payload = slot_payload(test, model - m->of);
	bitmap_zero(model->apart, MODEL_PAGES);
	if (!parent) {
		memset(model->bytes, 0, MODEL_PAGES * PAGE_SIZE);
		return;
	}
	memcpy(model->bytes, parent->bytes, MODEL_PAGES * PAGE_SIZE);
	/* Each VMA by itself. */
	libra_slots_fork(parent->payload, model->payload, MODEL_FIRST, first);
	libra_slots_fork(parent->payload, model->payload, MODEL_FIRST + first,
			 MODEL_PAGES - first);
}

static void model_step(struct kunit *test, struct models *m)
{
	struct model *model = &m->of[model_random(m, MODEL_RELATIVES)];
	u32 nr = model_random(m, MODEL_PAGES);
	u32 pages = 1 + model_random(m, min(MODEL_PAGES - nr, LIBRA_RUN_PAGES));
	struct model *other = &m->of[model_random(m, MODEL_RELATIVES)];
	u32 what = model_random(m, 100);

	if (!model->payload)
		model_begin(test, m, model, other->payload ? other : NULL);
	else if (what < 20)
		model_receive(test, m, model, nr, pages);
	else if (what < 30)
		model_patch(test, m, model, nr);
	else if (what < 60)
		model_look(test, m, model, nr);
	else if (what < 75)
		model_hold(test, m, model, nr);
	else if (what < 90)
		model_send(test, m, model, nr);
	else if (what < 95)
		model_discard(model, nr, pages);
	else if (what < 96)
		model_forget(model, nr, 1 + pages / 6);
	else if (what < 98)
		model_end(test, model);
}

static void slot_model(struct kunit *test)
{
	struct models *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct slot_test *t = test->priv;
	unsigned long before;
	u32 i, step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->page = libra_test_page(test);
	for (i = 0; i < MODEL_RELATIVES; i++) {
		m->of[i].bytes = kunit_kmalloc(test, MODEL_PAGES * PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m->of[i].bytes);
	}
	slot_payload_end(t->payload);
	t->payload = NULL;
	prandom_seed_state(&m->rnd, 0x11b4a);
	before = nr_free_pages();
	for (step = 0; step < MODEL_STEPS; step++) {
		model_step(test, m);
		if (step % 512 == 0)
			cond_resched();
	}
	for (i = 0; i < MODEL_RELATIVES; i++)
		if (m->of[i].payload)
			model_end(test, &m->of[i]);
	slot_expect_nothing_left(test);
	slot_sources_end(test);
	KUNIT_EXPECT_LT(test, before, nr_free_pages() + MODEL_NOISE);
}

static struct kunit_case slot_cases[] = {
	KUNIT_CASE_PARAM(slot_places, slot_shape_gen_params),
	KUNIT_CASE(slot_empty_is_zeros),
	KUNIT_CASE_PARAM(slot_gives_the_bytes, slot_shape_gen_params),
	KUNIT_CASE(slot_can_be_sent),
	KUNIT_CASE(slot_receives_over_lazy),
	KUNIT_CASE(slot_receives_over_pages),
	KUNIT_CASE(slot_receives_parts),
	KUNIT_CASE(slot_swaps_only_what_it_was),
	KUNIT_CASE(slot_receives_into_held_pages),
	KUNIT_CASE(slot_writes_a_beginning),
	KUNIT_CASE(slot_discards),
	KUNIT_CASE(slot_forgets),
	KUNIT_CASE(slot_writes),
	KUNIT_CASE(slot_shows_several),
	KUNIT_CASE(slot_dies_with_its_user),
	KUNIT_CASE(slot_counts_plain_pages),
	KUNIT_CASE(slot_forks),
	KUNIT_CASE(slot_forks_held_pages),
	KUNIT_CASE(slot_forks_again),
	KUNIT_CASE(slot_model),
	{}
};

static struct kunit_suite slot_suite = {
	.name = "libra_slot",
	.init = slot_test_init,
	.exit = slot_test_exit,
	.test_cases = slot_cases,
};

kunit_test_suite(slot_suite);
