// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: slots, when somebody looks at their pages: faults and send().
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "../trace.h"
#include "slot.h"

/* ---- chunks ---------------------------------------------------------------- */

/**
 * libra_chunk() - the chunk that a page is in
 * @payload: with a reference, by which the chunk stays
 * @pgoff: page
 *
 * Context: any.
 * Return: the chunk; NULL when there is none yet, and all of its slots are empty.
 */
struct libra_chunk *libra_chunk(struct libra_payload *payload, pgoff_t pgoff)
{
	return xa_load(&payload->chunks, pgoff >> LIBRA_CHUNK_BITS);
}

/**
 * libra_chunk_get() - the same, and it is made where there is none
 * @payload: with a reference
 * @pgoff: page
 * @gfp: how to allocate
 *
 * Context: process context.
 * Return: the chunk, or NULL when memory ran out.
 */
struct libra_chunk *libra_chunk_get(struct libra_payload *payload, pgoff_t pgoff,
				    gfp_t gfp)
{
	unsigned long nr = pgoff >> LIBRA_CHUNK_BITS;
	struct libra_chunk *chunk, *other;

	chunk = xa_load(&payload->chunks, nr);
	if (chunk)
		return chunk;
	chunk = kzalloc(sizeof(*chunk), gfp | __GFP_ACCOUNT);
	if (!chunk)
		return NULL;
	spin_lock_init(&chunk->lock);
	other = xa_cmpxchg(&payload->chunks, nr, NULL, chunk, gfp);
	if (!other)
		return chunk;
	kfree(chunk);
	return xa_is_err(other) ? NULL : other;
}

/* ---- what a slot held ------------------------------------------------------- */

/**
 * libra_slot_put() - what a slot held
 * @payload: mapping
 * @slot: the value; a page is unmapped or about to lose its mappings
 *
 * Context: process context, without a chunk's lock; may wait for a folio lock.
 */
void libra_slot_put(struct libra_payload *payload, unsigned long slot)
{
	struct libra_net *ln = libra_payload_net(payload);
	struct page *page;

	switch (libra_slot_kind(slot)) {
	case LIBRA_SLOT_LAZY:
		atomic_long_dec(&ln->lazy_pages);
		libra_lazy_anchor_put(libra_slot_anchor(slot), 1);
		break;
	case LIBRA_SLOT_PAGE:
		/* folio->mapping only changes under the folio's lock. */
		page = libra_slot_page(slot);
		lock_page(page);
		libra_page_forget(page);
		unlock_page(page);
		fallthrough;
	case LIBRA_SLOT_SHARED:
		atomic_long_dec(&ln->payload_pages);
		put_page(libra_slot_page(slot));
		break;
	}
}

/* ---- fault ------------------------------------------------------------------- */

/* Zeroed: what is empty needs it, and with init_on_alloc all are. */
static struct page *libra_page_alloc(gfp_t gfp)
{
	struct page *page = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_ZERO | gfp);

	if (page)
		lock_page(page);
	return page;
}

static void libra_page_was_lazy(struct libra_payload *payload,
				const struct libra_lazy_anchor *la,
				enum libra_looker who)
{
	struct libra_net *ln = libra_payload_net(payload);

	if (who == LIBRA_LOOKER_NOBODY) {
		LIBRA_INC(ln, LIBRA_MIB_LAZY_COMPACTED);
		return;
	}
	LIBRA_INC(ln, who == LIBRA_LOOKER_USER ? LIBRA_MIB_LAZY_FILLS_USER :
						 LIBRA_MIB_LAZY_FILLS_KERNEL);
	if (who != LIBRA_LOOKER_WRITER && !READ_ONCE(la->sent))
		libra_stream_looked(payload->process->streams, &la->from);
}

/* The page is locked, so nobody sees it before it is filled. */
static void libra_page_fill(struct libra_payload *payload, struct page *page,
			    unsigned long from, u32 place,
			    enum libra_looker who)
{
	switch (libra_slot_kind(from)) {
	case LIBRA_SLOT_LAZY:
		if (who == LIBRA_LOOKER_OVERWRITER) {
			libra_slot_put(payload, from);
			break;
		}
		libra_lazy_anchor_read(libra_slot_anchor(from),
				       libra_place_unpack(place),
				       page_address(page), PAGE_SIZE);
		libra_page_was_lazy(payload, libra_slot_anchor(from), who);
		libra_slot_put(payload, from);
		break;
	case LIBRA_SLOT_SHARED:
		copy_page(page_address(page),
			  page_address(libra_slot_page(from)));
		libra_slot_put(payload, from);
		break;
	}
	/* With a barrier: who sees the page in a page table sees its bytes. */
	__SetPageUptodate(page);
}

/**
 * libra_slot_get() - the page of a slot, made of what it held
 * @payload: mapping, with a reference
 * @pgoff: page of it
 * @who: looks at it
 * @gfp: more flags for what is allocated
 *
 * Context: process context; sleeps.
 * Return: as libra_slot_fault().
 */
struct page *libra_slot_get(struct libra_payload *payload, pgoff_t pgoff,
			    enum libra_looker who, gfp_t gfp)
{
	struct libra_chunk *chunk = libra_chunk_get(payload, pgoff, GFP_KERNEL | gfp);
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	struct page *page, *fresh = NULL;
	unsigned long slot;
	u32 place;

	if (!chunk)
		return NULL;
again:
	spin_lock(&chunk->lock);
	slot = chunk->slot[i];
	/* The last one who has it may keep it: nobody else can come by it. */
	if (libra_slot_kind(slot) == LIBRA_SLOT_SHARED &&
	    page_count(libra_slot_page(slot)) == 1) {
		page = libra_slot_page(slot);
		if (trylock_page(page)) {
			libra_page_remember(payload, page, pgoff);
			unlock_page(page);
			slot = (unsigned long)page | LIBRA_SLOT_PAGE;
			chunk->slot[i] = slot;
		}
	}
	if (libra_slot_kind(slot) == LIBRA_SLOT_PAGE) {
		page = libra_slot_page(slot);
		get_page(page);
		spin_unlock(&chunk->lock);
		/* Whoever fills it, or takes it away, has it locked. */
		lock_page(page);
		if (READ_ONCE(chunk->slot[i]) == slot)
			goto out;
		unlock_page(page);
		put_page(page);
		goto again;
	}
	/* Not to be copied, and seen by nobody: the caller finds out. */
	if (libra_slot_kind(slot) == LIBRA_SLOT_SHARED &&
	    PageHWPoison(libra_slot_page(slot))) {
		page = libra_slot_page(slot);
		get_page(page);
		spin_unlock(&chunk->lock);
		lock_page(page);
		goto out;
	}
	if (!fresh) {
		spin_unlock(&chunk->lock);
		fresh = libra_page_alloc(gfp);
		if (!fresh)
			return NULL;
		goto again;
	}
	page = fresh;
	fresh = NULL;
	libra_page_remember(payload, page, pgoff);
	get_page(page);
	chunk->slot[i] = (unsigned long)page | LIBRA_SLOT_PAGE;
	place = chunk->place[i];
	spin_unlock(&chunk->lock);
	atomic_long_inc(&libra_payload_net(payload)->payload_pages);
	if (libra_slot_kind(slot) == LIBRA_SLOT_LAZY && who != LIBRA_LOOKER_OVERWRITER &&
	    who != LIBRA_LOOKER_NOBODY)
		trace_libra_lazy_fill(payload->start + (pgoff << PAGE_SHIFT),
				      who == LIBRA_LOOKER_USER);
	libra_page_fill(payload, page, slot, place, who);
out:
	if (fresh) {
		unlock_page(fresh);
		put_page(fresh);
	}
	return page;
}

/**
 * libra_slot_fault() - somebody looks at a page
 * @payload: mapping
 * @pgoff: page of it
 * @who: does
 *
 * Context: process context, under mmap_lock or the VMA's lock.
 * Return: the page, locked, with a reference, and with the bytes that belong there;
 * NULL when memory ran out.
 */
struct page *libra_slot_fault(struct libra_payload *payload, pgoff_t pgoff,
			      enum libra_looker who)
{
	return libra_slot_get(payload, pgoff, who, 0);
}

/* ---- send --------------------------------------------------------------------- */

/**
 * libra_slots_lazy() - what pages that nobody has looked at hold
 * @payload: mapping, with a reference
 * @pgoff: first page
 * @pages: how many to look at, at most LIBRA_RUN_PAGES
 * @held: an anchor that the caller has a reference on, or NULL
 * @view: where to say what they hold
 *
 * Context: any.
 * Return: how many of them, from the first on, are lazy. The anchor of each has one
 * more reference, unless it is that of the one before, or @held.
 */
u32 libra_slots_lazy(struct libra_payload *payload, pgoff_t pgoff, u32 pages,
		     const struct libra_lazy_anchor *held, struct libra_view *view)
{
	struct libra_chunk *chunk = libra_chunk(payload, pgoff);
	u32 i = pgoff % LIBRA_CHUNK_PAGES, n;

	if (!chunk)
		return 0;
	pages = min(pages, LIBRA_CHUNK_PAGES - i);
	spin_lock(&chunk->lock);
	for (n = 0; n < pages; n++, view++) {
		if (libra_slot_kind(chunk->slot[i + n]) != LIBRA_SLOT_LAZY)
			break;
		view->la = libra_slot_anchor(chunk->slot[i + n]);
		view->place = libra_place_unpack(chunk->place[i + n]);
		if (view->la != held)
			refcount_inc(&view->la->ref);
		held = view->la;
	}
	spin_unlock(&chunk->lock);
	return n;
}

/**
 * libra_slot_read() - what a page holds that somebody looked at or wrote
 * @payload: mapping, with a reference
 * @pgoff: page
 * @off: from where on in it
 * @to: kernel memory
 * @bytes: at most to the end of the page
 *
 * As a copy from user memory would, but without a fault.
 *
 * Context: process context; sleeps.
 * Return: false if there is no page, or a poisoned one: then a copy from user memory
 * finds out what that means, and whether anything is mapped there at all.
 */
bool libra_slot_read(struct libra_payload *payload, pgoff_t pgoff, u32 off, void *to,
		     u32 bytes)
{
	struct libra_chunk *chunk = libra_chunk(payload, pgoff);
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	unsigned long slot;
	struct page *page;
	bool done;

	if (!chunk)
		return false;
	spin_lock(&chunk->lock);
	slot = chunk->slot[i];
	if (libra_slot_kind(slot) != LIBRA_SLOT_PAGE &&
	    libra_slot_kind(slot) != LIBRA_SLOT_SHARED) {
		spin_unlock(&chunk->lock);
		return false;
	}
	page = libra_slot_page(slot);
	get_page(page);
	spin_unlock(&chunk->lock);
	/* Who has it locked may be filling it, or take it away. */
	lock_page(page);
	done = READ_ONCE(chunk->slot[i]) == slot && !PageHWPoison(page);
	if (done)
		memcpy(to, page_address(page) + off, bytes);
	unlock_page(page);
	put_page(page);
	return done;
}

/**
 * libra_slots_plain() - how many pages are there before a lazy one?
 * @payload: mapping, with a reference
 * @pgoff: first page
 * @pages: how many to look at
 *
 * Without the lock: a page that changes meanwhile is sent as it is found then.
 *
 * Return: how many of them, from the first on, are not lazy.
 */
pgoff_t libra_slots_plain(struct libra_payload *payload, pgoff_t pgoff,
			  pgoff_t pages)
{
	struct libra_chunk *chunk = NULL;
	pgoff_t n;

	for (n = 0; n < pages; n++) {
		u32 i = (pgoff + n) % LIBRA_CHUNK_PAGES;

		if (!n || !i)
			chunk = libra_chunk(payload, pgoff + n);
		if (!chunk)
			n = min(pages - 1, n + LIBRA_CHUNK_PAGES - 1 - i);
		else if (libra_slot_kind(READ_ONCE(chunk->slot[i])) == LIBRA_SLOT_LAZY)
			break;
	}
	return n;
}
