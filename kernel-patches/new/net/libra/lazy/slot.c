// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: what each page of payload memory is.
 *
 *   empty	zeros, of which there is no page yet
 *   lazy	bytes of an anchor (a reference) that nobody has looked at
 *   page	a page (a reference), mapped or not
 *   shared	a page (a reference) that relatives have in their slots as well,
 *		after a fork; mapped nowhere, pinned by nobody, never written
 *
 * A fault makes a page of anything, receiving makes lazy of anything, fork makes
 * shared of a page, unmapping makes empty of anything. Each change happens under the chunk's lock;
 * what the slot held before is put behind it.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "../trace.h"
#include "lazy.h"

#define LIBRA_SLOT_EMPTY	0UL
#define LIBRA_SLOT_PAGE		1UL
#define LIBRA_SLOT_SHARED	2UL
#define LIBRA_SLOT_LAZY		3UL
#define LIBRA_SLOT_KIND		3UL

static unsigned long libra_slot_kind(unsigned long slot)
{
	return slot & LIBRA_SLOT_KIND;
}

static struct page *libra_slot_page(unsigned long slot)
{
	return (struct page *)(slot & ~LIBRA_SLOT_KIND);
}

static struct libra_lazy_anchor *libra_slot_anchor(unsigned long slot)
{
	return (struct libra_lazy_anchor *)(slot & ~LIBRA_SLOT_KIND);
}

static u32 libra_place_pack(struct libra_place place)
{
	return place.idx << LIBRA_PLACE_OFF_BITS | place.off;
}

static struct libra_place libra_place_unpack(u32 packed)
{
	return (struct libra_place) {
		.idx = packed >> LIBRA_PLACE_OFF_BITS,
		.off = packed & ((1U << LIBRA_PLACE_OFF_BITS) - 1),
	};
}

static struct libra_net *libra_payload_net(const struct libra_payload *payload)
{
	return payload->process->account.net;
}

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

/* ---- what slots hold --------------------------------------------------------- */

/* A page that is in a slot and in nobody's view leaves it. */
static void libra_page_forget(struct page *page)
{
	page->mapping = NULL;
	page->index = 0;
}

static void libra_page_remember(const struct libra_payload *payload,
				struct page *page, pgoff_t pgoff)
{
	page->mapping = payload->file->f_mapping;
	page->index = payload->index + pgoff;
}

/* What a slot held; a page is unmapped or about to lose its mappings. */
static void libra_slot_put(struct libra_payload *payload, unsigned long slot)
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

static void libra_unmap(const struct libra_payload *payload, pgoff_t pgoff,
			pgoff_t pages)
{
	unmap_mapping_pages(payload->file->f_mapping, pgoff, pages, false);
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

/* The page is locked, so nobody sees it before it is filled. */
static void libra_page_fill(struct libra_payload *payload, struct page *page,
			    unsigned long from, u32 place, bool user)
{
	struct libra_net *ln = libra_payload_net(payload);

	switch (libra_slot_kind(from)) {
	case LIBRA_SLOT_LAZY:
		libra_lazy_anchor_read(libra_slot_anchor(from),
				       libra_place_unpack(place),
				       page_address(page), PAGE_SIZE);
		LIBRA_INC(ln, user ? LIBRA_MIB_LAZY_FILLS_USER :
				     LIBRA_MIB_LAZY_FILLS_KERNEL);
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

static struct page *libra_slot_get(struct libra_payload *payload, pgoff_t pgoff,
				   bool user, gfp_t gfp)
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
	if (libra_slot_kind(slot) == LIBRA_SLOT_LAZY)
		trace_libra_lazy_fill(payload->start + (pgoff << PAGE_SHIFT), user);
	libra_page_fill(payload, page, slot, place, user);
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
 * @user: user space does, not the kernel
 *
 * Context: process context, under mmap_lock or the VMA's lock.
 * Return: the page, locked, with a reference, and with the bytes that belong there;
 * NULL when memory ran out.
 */
struct page *libra_slot_fault(struct libra_payload *payload, pgoff_t pgoff,
			      bool user)
{
	return libra_slot_get(payload, pgoff, user, 0);
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
	struct page *page = libra_slot_get(payload, pgoff, false, __GFP_NOFAIL);

	libra_lazy_anchor_read(la, place, page_address(page), bytes);
	unlock_page(page);
	put_page(page);
}

/* ---- receive ------------------------------------------------------------------ */

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
	return !READ_ONCE(payload->gone) &&
	       libra_chunk_get(payload, pgoff, GFP_KERNEL | __GFP_NOWARN) &&
	       libra_chunk_get(payload, pgoff + pages - 1, GFP_KERNEL | __GFP_NOWARN);
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
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	bool alone;

	/* No one who has it locked waits for our socket. */
	lock_page(page);
	if (READ_ONCE(chunk->slot[i]) != slot) {
		unlock_page(page);
		put_page(page);
		return false;
	}
	if (page_mapped(page)) {
		libra_unmap(payload, pgoff, 1);
		LIBRA_INC(ln, LIBRA_MIB_LAZY_UNMAPS);
	}

	spin_lock(&chunk->lock);
	/* Only ours and the slot's; GUP-fast looks at the PTE once more. */
	alone = chunk->slot[i] == slot && page_count(page) == 2;
	if (alone) {
		libra_page_forget(page);
		chunk->slot[i] = (unsigned long)la | LIBRA_SLOT_LAZY;
		chunk->place[i] = libra_place_pack(place);
	}
	spin_unlock(&chunk->lock);

	if (alone) {
		atomic_long_inc(&ln->lazy_pages);
		atomic_long_dec(&ln->payload_pages);
		unlock_page(page);
		put_page(page);
	} else {
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
		chunk->slot[i + n] = (unsigned long)la | LIBRA_SLOT_LAZY;
		chunk->place[i + n] = libra_place_pack(*place);
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
 * @la: their bytes, from its beginning on; a reference for each page is used up
 *
 * It cannot fail: the bytes have left the receive queue. Where the memory was
 * unmapped since libra_process_find(), they were written before that; what is left
 * in the slots then goes with the payload.
 *
 * Context: process context, under the socket lock; sleeps.
 */
void libra_slots_receive(struct libra_payload *payload, pgoff_t pgoff,
			 u32 pages, struct libra_lazy_anchor *la)
{
	struct libra_place place = { 0 };

	/* Its references go with the slots, and may be the last: one of our own. */
	refcount_inc(&la->ref);
	while (pages) {
		struct libra_chunk *chunk = libra_chunk(payload, pgoff);
		u32 n;

		n = libra_chunk_receive(payload, chunk, pgoff, pages, la, &place);
		if (!n && libra_page_receive(payload, chunk, pgoff, la, place)) {
			n = 1;
			libra_place_advance(la, &place, PAGE_SIZE);
		}
		pgoff += n;
		pages -= n;
	}
	libra_lazy_anchor_put(la, 1);
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

/* ---- forget -------------------------------------------------------------------- */

/* The slots of a part of a chunk become empty; nothing of them is mapped. */
static void libra_chunk_forget(struct libra_payload *payload,
			       struct libra_chunk *chunk, u32 first, u32 last)
{
	unsigned long slot;
	u32 i;

	for (i = first; i <= last; i++) {
		if (!READ_ONCE(chunk->slot[i]))
			continue;
		spin_lock(&chunk->lock);
		slot = chunk->slot[i];
		chunk->slot[i] = LIBRA_SLOT_EMPTY;
		spin_unlock(&chunk->lock);
		libra_slot_put(payload, slot);
	}
}

/*
 * A page that is mapped must not lose its slot: another fault would make a second
 * one. So it is unmapped with its lock held, as in libra_slot_replace().
 */
static void libra_slot_discard(struct libra_payload *payload,
			       struct libra_chunk *chunk, pgoff_t pgoff)
{
	u32 i = pgoff % LIBRA_CHUNK_PAGES;
	unsigned long slot;
	struct page *page;

	spin_lock(&chunk->lock);
	slot = chunk->slot[i];
	if (libra_slot_kind(slot) != LIBRA_SLOT_PAGE) {
		if (libra_slot_kind(slot))
			chunk->slot[i] = LIBRA_SLOT_EMPTY;
		spin_unlock(&chunk->lock);
		if (libra_slot_kind(slot))
			libra_slot_put(payload, slot);
		return;
	}
	page = libra_slot_page(slot);
	get_page(page);
	spin_unlock(&chunk->lock);

	lock_page(page);
	if (page_mapped(page))
		libra_unmap(payload, pgoff, 1);
	spin_lock(&chunk->lock);
	if (chunk->slot[i] == slot)
		chunk->slot[i] = LIBRA_SLOT_EMPTY;
	else
		slot = LIBRA_SLOT_EMPTY;	/* somebody else was faster */
	spin_unlock(&chunk->lock);
	unlock_page(page);
	libra_slot_put(payload, slot);
	put_page(page);
}

/* Is any of it a page that somebody may have mapped? */
static bool libra_chunk_has_pages(const struct libra_chunk *chunk, u32 first, u32 last)
{
	for (; first <= last; first++)
		if (libra_slot_kind(READ_ONCE(chunk->slot[first])) == LIBRA_SLOT_PAGE)
			return true;
	return false;
}

/**
 * libra_slots_discard() - these pages are zeros from now on
 * @payload: mapping, with a reference
 * @pgoff: first page
 * @pages: how many
 *
 * Context: process context; sleeps.
 */
void libra_slots_discard(struct libra_payload *payload, pgoff_t pgoff,
			 pgoff_t pages)
{
	pgoff_t end = pgoff + pages;

	while (pgoff < end) {
		pgoff_t next = min(end, (pgoff | (LIBRA_CHUNK_PAGES - 1)) + 1);
		struct libra_chunk *chunk = libra_chunk(payload, pgoff);
		u32 first = pgoff % LIBRA_CHUNK_PAGES;

		if (!chunk) {
			/* To the next one there is. */
			unsigned long nr = pgoff >> LIBRA_CHUNK_BITS;

			if (!xa_find_after(&payload->chunks, &nr, ULONG_MAX, XA_PRESENT))
				return;
			pgoff = nr << LIBRA_CHUNK_BITS;
			continue;
		}
		/*
		 * All at once; what is touched meanwhile is unmapped by itself. Not
		 * for nothing: relatives lose their mappings, too.
		 */
		if (libra_chunk_has_pages(chunk, first, (next - 1) % LIBRA_CHUNK_PAGES))
			libra_unmap(payload, pgoff, next - pgoff);
		for (; pgoff < next; pgoff++)
			libra_slot_discard(payload, chunk, pgoff);
		cond_resched();
	}
}

/**
 * libra_slots_forget() - these pages were unmapped
 * @payload: mapping
 * @pgoff: first page
 * @pages: how many
 *
 * Context: process context, under mmap_lock; no fault is under way there.
 */
void libra_slots_forget(struct libra_payload *payload, pgoff_t pgoff,
			pgoff_t pages)
{
	pgoff_t last = pgoff + pages - 1;
	struct libra_chunk *chunk;
	unsigned long nr;

	xa_for_each_range(&payload->chunks, nr, chunk, pgoff >> LIBRA_CHUNK_BITS,
			  last >> LIBRA_CHUNK_BITS) {
		pgoff_t begin = nr << LIBRA_CHUNK_BITS;

		libra_chunk_forget(payload, chunk, max(pgoff, begin) - begin,
				   min(last - begin, LIBRA_CHUNK_PAGES - 1UL));
		cond_resched();
	}
}

/**
 * libra_slots_forget_all() - nothing of the mapping remains
 * @payload: mapping without VMAs; what calls that have it still put into slots goes
 *	with the payload
 *
 * Context: as libra_slots_forget().
 */
void libra_slots_forget_all(struct libra_payload *payload)
{
	WRITE_ONCE(payload->gone, true);
	libra_slots_forget(payload, 0, ULONG_MAX);
}

/* ---- fork ----------------------------------------------------------------------- */

/* Somebody holds the page: the child gets a copy of what is in it now. */
static unsigned long libra_fork_copy(struct page *page)
{
	struct page *copy = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_NOFAIL);

	copy_page(page_address(copy), page_address(page));
	return (unsigned long)copy | LIBRA_SLOT_SHARED;
}

static void libra_slot_fork(struct libra_payload *parent,
			    struct libra_payload *child,
			    struct libra_chunk *from, struct libra_chunk *to,
			    u32 i)
{
	struct libra_net *ln = libra_payload_net(child);
	struct page *page = NULL;
	unsigned long slot;

	spin_lock(&from->lock);
	slot = from->slot[i];
	switch (libra_slot_kind(slot)) {
	case LIBRA_SLOT_LAZY:
		refcount_inc(&libra_slot_anchor(slot)->ref);
		to->place[i] = from->place[i];
		break;
	case LIBRA_SLOT_PAGE:
		page = libra_slot_page(slot);
		get_page(page);
		/* The slot's and ours: nobody looks at it, and nobody can. */
		if (page_count(page) == 2) {
			libra_page_forget(page);
			slot = (unsigned long)page | LIBRA_SLOT_SHARED;
			from->slot[i] = slot;
			page = NULL;
		}
		break;
	case LIBRA_SLOT_SHARED:
		get_page(libra_slot_page(slot));
		break;
	default:
		slot = LIBRA_SLOT_EMPTY;
	}
	spin_unlock(&from->lock);

	if (page) {
		/* A recv() may be filling it, which needs no lock of ours. */
		lock_page(page);
		slot = libra_fork_copy(page);
		unlock_page(page);
		put_page(page);
	}
	/* The child does not run yet: nobody else has its slots. */
	to->slot[i] = slot;
	if (libra_slot_kind(slot) == LIBRA_SLOT_LAZY)
		atomic_long_inc(&ln->lazy_pages);
	else if (libra_slot_kind(slot))
		atomic_long_inc(&ln->payload_pages);
}

/**
 * libra_slots_fork() - a child gets what its parent has
 * @parent: mapping of the parent; its VMA is locked for writing
 * @child: mapping of the child, of which these slots are empty
 * @pgoff: first page
 * @pages: how many
 *
 * What is lazy stays lazy for both, pages become shared. Cannot fail: few small
 * allocations, one for each MB in use and one for each page that is pinned.
 *
 * Context: process context.
 */
void libra_slots_fork(struct libra_payload *parent, struct libra_payload *child,
		      pgoff_t pgoff, pgoff_t pages)
{
	struct libra_chunk *from = NULL, *to = NULL;
	pgoff_t end = pgoff + pages;

	/* Until mmap_lock is free again, no fault of the parent maps a page. */
	libra_unmap(parent, pgoff, pages);
	for (; pgoff < end; pgoff++) {
		if (!from || !(pgoff % LIBRA_CHUNK_PAGES)) {
			cond_resched();
			from = libra_chunk(parent, pgoff);
			if (!from) {
				pgoff |= LIBRA_CHUNK_PAGES - 1;
				continue;
			}
			to = libra_chunk_get(child, pgoff, GFP_KERNEL | __GFP_NOFAIL);
		}
		libra_slot_fork(parent, child, from, to, pgoff % LIBRA_CHUNK_PAGES);
	}
}

/* ---- payloads -------------------------------------------------------------------- */

/**
 * libra_payload_alloc() - a mapping of which all slots are empty
 * @process: whose; a reference (users) of the caller is taken over
 * @file: what is mapped
 * @start: address of page 0
 * @gfp: how to allocate
 *
 * Return: with a reference and one VMA, or NULL.
 */
struct libra_payload *libra_payload_alloc(struct libra_process *process,
					  struct file *file,
					  unsigned long start, gfp_t gfp)
{
	static atomic64_t payloads = ATOMIC64_INIT(0);
	struct libra_payload *payload;

	payload = kzalloc(sizeof(*payload), gfp | __GFP_ACCOUNT);
	if (!payload)
		return NULL;
	refcount_set(&payload->ref, 1);
	atomic_set(&payload->vmas, 1);
	payload->process = process;
	payload->file = get_file(file);
	payload->start = start;
	/* Apart by more than the largest mapping, see LIBRA_ARENA_MAX. */
	payload->index = (pgoff_t)atomic64_inc_return(&payloads) << 28;
	xa_init_flags(&payload->chunks, XA_FLAGS_ACCOUNT);
	return payload;
}

/**
 * libra_payload_put() - drop a reference
 * @payload: mapping
 *
 * Context: process context.
 */
void libra_payload_put(struct libra_payload *payload)
{
	struct libra_chunk *chunk;
	unsigned long nr;

	if (!refcount_dec_and_test(&payload->ref))
		return;
	libra_slots_forget_all(payload);
	xa_for_each(&payload->chunks, nr, chunk)
		kfree(chunk);
	xa_destroy(&payload->chunks);
	fput(payload->file);
	libra_process_put(payload->process);
	/* libra_process_find() looks at the count under RCU. */
	kfree_rcu(payload, rcu);
}
