// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: slots, when bytes are received into their pages.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "../trace.h"
#include "slot.h"

/**
 * libra_slots_ready() - can these pages be received into?
 * @payload: mapping, with a reference
 * @pgoff: first page
 * @pages: how many, at most LIBRA_RUN_PAGES
 *
 * Context: process context, may allocate.
 * Return: false if all of the mapping is gone, or memory ran out.
 */
bool libra_slots_ready(struct libra_payload *payload, pgoff_t pgoff, u32 pages)
{
	pgoff_t last = pgoff + pages - 1;

	return !READ_ONCE(payload->gone) &&
	       libra_chunk_get(payload, pgoff, GFP_KERNEL | __GFP_NOWARN) &&
	       (pgoff >> LIBRA_CHUNK_BITS == last >> LIBRA_CHUNK_BITS ||
		libra_chunk_get(payload, last, GFP_KERNEL | __GFP_NOWARN));
}

/* The page is locked, so nobody maps it again. */
static void libra_page_unmap(struct libra_payload *payload, struct page *page,
			     pgoff_t pgoff)
{
	if (!folio_mapped(page_folio(page)))
		return;
	libra_unmap(payload, pgoff, 1);
	LIBRA_INC(libra_payload_net(payload), LIBRA_MIB_LAZY_UNMAPS);
}

/* Under the chunk's lock. */
static void libra_slot_set_lazy(struct libra_chunk *chunk, u32 i,
				struct libra_lazy_anchor *la, struct libra_place place)
{
	chunk->slot[i] = (unsigned long)la | LIBRA_SLOT_LAZY;
	chunk->place[i] = libra_place_pack(place);
}

/*
 * Unmap a page that is locked, and let its slot become lazy, if nobody holds it but by
 * the @held references that the caller knows of; the slot's is the caller's then. Returns
 * false when the slot has changed, somebody else holds the page, or it is poisoned.
 */
static bool libra_page_becomes_lazy(struct libra_payload *payload,
				    struct libra_chunk *chunk, pgoff_t pgoff,
				    unsigned long slot, int held,
				    struct libra_lazy_anchor *la, struct libra_place place)
{
	struct libra_net *ln = libra_payload_net(payload);
	struct page *page = libra_slot_page(slot);
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	bool alone;

	libra_page_unmap(payload, page, pgoff);
	spin_lock(&chunk->lock);
	/* GUP-fast looks at the PTE once more. Who poisons a page may not hold it. */
	alone = chunk->slot[i] == slot && page_count(page) == held &&
		!PageHWPoison(page);
	if (alone) {
		libra_page_forget(page);
		libra_slot_set_lazy(chunk, i, la, place);
		atomic_long_inc(&ln->lazy_pages);
		atomic_long_dec(&ln->payload_pages);
	}
	spin_unlock(&chunk->lock);
	return alone;
}

/*
 * There is a page: take it away, so that the slot becomes lazy. If somebody else
 * holds it (a pin, an I/O under way), it stays where it is and gets the bytes.
 * Returns false when the slot has changed meanwhile.
 */
static bool libra_slot_replace(struct libra_payload *payload,
			       struct libra_chunk *chunk, pgoff_t pgoff,
			       unsigned long slot, struct libra_lazy_anchor *la,
			       struct libra_place place)
{
	struct libra_net *ln = libra_payload_net(payload);
	struct page *page = libra_slot_page(slot);

	/* No one who has it locked waits for our socket. */
	lock_page(page);
	if (READ_ONCE(chunk->slot[pgoff % LIBRA_CHUNK_PAGES]) != slot) {
		unlock_page(page);
		put_page(page);
		return false;
	}
	/* The slot's reference and ours. */
	if (libra_page_becomes_lazy(payload, chunk, pgoff, slot, 2, la, place)) {
		unlock_page(page);
		put_page(page);
	} else {
		if (!PageHWPoison(page))
			libra_lazy_anchor_read(la, place, page_address(page), PAGE_SIZE);
		LIBRA_INC(ln, LIBRA_MIB_LAZY_PINNED);
		unlock_page(page);
		libra_lazy_anchor_put(la, 1);
	}
	put_page(page);
	return true;
}

/* What slots held before; neighbours mostly had the same anchor. */
static void libra_slots_put(struct libra_payload *payload,
			    const unsigned long *slot, u32 n)
{
	struct libra_net *ln = libra_payload_net(payload);
	u32 i, same;

	for (i = 0; i < n; i += same) {
		same = 1;
		if (libra_slot_kind(slot[i]) != LIBRA_SLOT_LAZY) {
			libra_slot_put(payload, slot[i]);
			continue;
		}
		while (i + same < n && slot[i + same] == slot[i])
			same++;
		atomic_long_sub(same, &ln->lazy_pages);
		libra_lazy_anchor_put(libra_slot_anchor(slot[i]), same);
	}
}

/*
 * The slots from @pgoff on, up to one that is a page or to the end of the chunk.
 * Returns how many went; @place is where the bytes of the next one begin.
 */
static u32 libra_chunk_receive(struct libra_payload *payload,
			       struct libra_chunk *chunk, pgoff_t pgoff, u32 pages,
			       struct libra_lazy_anchor *la, struct libra_place *place)
{
	u32 i = pgoff % LIBRA_CHUNK_PAGES, n;
	unsigned long old[LIBRA_RUN_PAGES];

	pages = min(pages, LIBRA_CHUNK_PAGES - i);
	spin_lock(&chunk->lock);
	for (n = 0; n < pages; n++) {
		old[n] = chunk->slot[i + n];
		if (libra_slot_kind(old[n]) == LIBRA_SLOT_PAGE)
			break;
		libra_slot_set_lazy(chunk, i + n, la, *place);
		libra_place_advance(la, place, PAGE_SIZE);
	}
	/* Before another one can take them away again. */
	atomic_long_add(n, &libra_payload_net(payload)->lazy_pages);
	spin_unlock(&chunk->lock);
	libra_slots_put(payload, old, n);
	return n;
}

/* The same for one that was a page when we looked. */
static u32 libra_page_receive(struct libra_payload *payload,
			      struct libra_chunk *chunk, pgoff_t pgoff,
			      struct libra_lazy_anchor *la, struct libra_place place)
{
	unsigned long slot;

	spin_lock(&chunk->lock);
	slot = chunk->slot[pgoff % LIBRA_CHUNK_PAGES];
	if (libra_slot_kind(slot) != LIBRA_SLOT_PAGE) {
		spin_unlock(&chunk->lock);
		return 0;
	}
	get_page(libra_slot_page(slot));
	spin_unlock(&chunk->lock);
	return libra_slot_replace(payload, chunk, pgoff, slot, la, place);
}

/**
 * libra_slots_receive() - from now on these pages are bytes of an anchor
 * @payload: mapping, with a reference
 * @pgoff: first page, for which libra_slots_ready() was true
 * @pages: how many
 * @la: their bytes; a reference for each page is used up, and is not the last one
 * @place: where in it they begin; moved behind them
 *
 * It cannot fail: the bytes have left the receive queue. Where the memory was
 * unmapped since libra_process_find(), they were written before that; what is left
 * in the slots then goes with the payload.
 *
 * Context: process context, under the socket lock; sleeps.
 */
void libra_slots_receive(struct libra_payload *payload, pgoff_t pgoff,
			 u32 pages, struct libra_lazy_anchor *la,
			 struct libra_place *place)
{
	while (pages) {
		struct libra_chunk *chunk = libra_chunk(payload, pgoff);
		u32 n;

		n = libra_chunk_receive(payload, chunk, pgoff, pages, la, place);
		if (!n && libra_page_receive(payload, chunk, pgoff, la, *place)) {
			n = 1;
			libra_place_advance(la, place, PAGE_SIZE);
		}
		pgoff += n;
		pages -= n;
	}
}

/**
 * libra_slot_write() - write the beginning of a page, as a copy to it would
 * @payload: mapping, with a reference
 * @pgoff: page
 * @la: anchor
 * @place: where in it the bytes begin
 * @bytes: fewer than a page
 *
 * It cannot fail, and takes no fault.
 *
 * Context: process context, under the socket lock.
 */
void libra_slot_write(struct libra_payload *payload, pgoff_t pgoff,
		      const struct libra_lazy_anchor *la, struct libra_place place,
		      u32 bytes)
{
	struct page *page = libra_slot_get(payload, pgoff, LIBRA_LOOKER_WRITER,
					   __GFP_NOFAIL);

	/* Who looks at a poisoned page is killed, whatever is in it. */
	if (!PageHWPoison(page))
		libra_lazy_anchor_read(la, place, page_address(page), bytes);
	unlock_page(page);
	put_page(page);
}

/**
 * libra_slot_view() - what does a page hold?
 * @payload: mapping, with a reference
 * @pgoff: page
 * @view: where to say it, with a reference; for libra_view_put()
 *
 * Context: any.
 * Return: false when it is shared with relatives.
 */
bool libra_slot_view(struct libra_payload *payload, pgoff_t pgoff,
		     struct libra_view *view)
{
	struct libra_chunk *chunk = libra_chunk(payload, pgoff);
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	unsigned long slot;

	*view = (struct libra_view) { };
	if (!chunk)
		return true;
	spin_lock(&chunk->lock);
	slot = chunk->slot[i];
	switch (libra_slot_kind(slot)) {
	case LIBRA_SLOT_LAZY:
		view->la = libra_slot_anchor(slot);
		view->place = libra_place_unpack(chunk->place[i]);
		refcount_inc(&view->la->ref);
		break;
	case LIBRA_SLOT_PAGE:
		view->page = libra_slot_page(slot);
		get_page(view->page);
		break;
	}
	spin_unlock(&chunk->lock);
	return libra_slot_kind(slot) != LIBRA_SLOT_SHARED;
}

/**
 * libra_view_put() - drop the reference
 * @view: from libra_slot_view()
 *
 * Context: any, without a chunk's lock.
 */
void libra_view_put(struct libra_view *view)
{
	if (view->la)
		libra_lazy_anchor_put(view->la, 1);
	if (view->page)
		put_page(view->page);
}

static bool libra_slot_swap_unseen(struct libra_payload *payload,
				   struct libra_chunk *chunk, u32 i,
				   struct libra_view was, struct libra_lazy_anchor *la)
{
	unsigned long slot = LIBRA_SLOT_EMPTY;
	bool same;

	if (was.la)
		slot = (unsigned long)was.la | LIBRA_SLOT_LAZY;
	spin_lock(&chunk->lock);
	same = chunk->slot[i] == slot &&
	       (!was.la || chunk->place[i] == libra_place_pack(was.place));
	if (same) {
		libra_slot_set_lazy(chunk, i, la, (struct libra_place) { });
		atomic_long_inc(&libra_payload_net(payload)->lazy_pages);
	}
	spin_unlock(&chunk->lock);
	if (same)
		libra_slot_put(payload, slot);
	return same;
}

/*
 * There is a page, and the anchor has parts of it. Nobody may have it mapped or hold
 * it from then on, or those would change.
 */
static bool libra_slot_swap_page(struct libra_payload *payload,
				 struct libra_chunk *chunk, pgoff_t pgoff,
				 struct page *page, struct libra_lazy_anchor *la)
{
	unsigned long slot = (unsigned long)page | LIBRA_SLOT_PAGE;
	int held = 2;	/* the slot's and the view's */
	bool alone;
	u32 n;

	for (n = 0; n < la->anchor.nr; n++)
		held += la->anchor.bv[n].bv_page == page;
	lock_page(page);
	if (READ_ONCE(chunk->slot[pgoff % LIBRA_CHUNK_PAGES]) != slot ||
	    PageHWPoison(page)) {
		unlock_page(page);
		return false;
	}
	/* A pin that is there is seen now, before anybody has to fault for nothing. */
	if (page_count(page) > held + folio_mapcount(page_folio(page))) {
		unlock_page(page);
		LIBRA_INC(libra_payload_net(payload), LIBRA_MIB_LAZY_PINNED);
		return false;
	}
	alone = libra_page_becomes_lazy(payload, chunk, pgoff, slot, held, la,
					(struct libra_place) { });
	unlock_page(page);
	if (alone)
		put_page(page);
	return alone;
}

/**
 * libra_slot_swap() - a page holds something else, as long as nothing else happened
 * @payload: mapping, with a reference
 * @pgoff: page, for which libra_slots_ready() was true
 * @was: what it held, from libra_slot_view(); the reference is still there
 * @la: what it is to hold, from its beginning on; a reference is used up
 *
 * Context: process context, under the socket lock; sleeps.
 * Return: false when it holds something else than @was by now, or somebody holds the
 * page; then the reference on @la is still the caller's.
 */
bool libra_slot_swap(struct libra_payload *payload, pgoff_t pgoff,
		     struct libra_view was, struct libra_lazy_anchor *la)
{
	struct libra_chunk *chunk = libra_chunk(payload, pgoff);
	u32 i = pgoff % LIBRA_CHUNK_PAGES;

	if (was.page)
		return libra_slot_swap_page(payload, chunk, pgoff, was.page, la);
	return libra_slot_swap_unseen(payload, chunk, i, was, la);
}
