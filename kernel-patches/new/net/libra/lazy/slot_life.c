// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: mappings and their slots, from the first page to fork and end.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "slot.h"

/* ---- payloads -------------------------------------------------------------------- */

/**
 * libra_payload_alloc() - a mapping of which all slots are empty
 * @process: whose; a reference (users) of the caller is taken over, for
 *	libra_payload_close()
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
	libra_account_get(&process->account);
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
	libra_account_put(&payload->process->account);
	/* libra_process_find() looks at the count under RCU. */
	kfree_rcu(payload, rcu);
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
static bool libra_slot_discard(struct libra_payload *payload,
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
		return libra_slot_kind(slot);
	}
	page = libra_slot_page(slot);
	get_page(page);
	spin_unlock(&chunk->lock);

	lock_page(page);
	if (folio_mapped(page_folio(page)))
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
	return true;
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
 * Return: how many were not zeros without a page before.
 */
u32 libra_slots_discard(struct libra_payload *payload, pgoff_t pgoff,
			pgoff_t pages)
{
	pgoff_t end = pgoff + pages;
	u32 discarded = 0;

	while (pgoff < end) {
		pgoff_t next = min(end, (pgoff | (LIBRA_CHUNK_PAGES - 1)) + 1);
		struct libra_chunk *chunk = libra_chunk(payload, pgoff);
		u32 first = pgoff % LIBRA_CHUNK_PAGES;

		if (!chunk) {
			/* To the next one there is. */
			unsigned long nr = pgoff >> LIBRA_CHUNK_BITS;

			if (!xa_find_after(&payload->chunks, &nr, ULONG_MAX, XA_PRESENT))
				break;
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
			discarded += libra_slot_discard(payload, chunk, pgoff);
		cond_resched();
	}
	return discarded;
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

/**
 * libra_payload_close() - it is not mapped any more
 * @payload: mapping, of which the last VMA goes
 *
 * Drops the reference by which it was mapped, and that on its process.
 *
 * Context: process context, under mmap_lock for writing.
 */
void libra_payload_close(struct libra_payload *payload)
{
	struct libra_process *process = payload->process;

	libra_process_remove(process, payload);
	libra_slots_forget_all(payload);
	libra_payload_put(payload);
	libra_process_put(process);
}

/* ---- fork ----------------------------------------------------------------------- */

/*
 * Somebody holds the page: the child gets a copy of what is in it now. A poisoned one
 * must not be read: it is the child's as well, who gets a signal when it looks.
 */
static unsigned long libra_fork_copy(struct page *page)
{
	struct page *copy = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_NOFAIL);

	/* A recv() may be filling it, which needs no lock of ours. */
	lock_page(page);
	if (PageHWPoison(page)) {
		put_page(copy);
		get_page(page);
		copy = page;
	} else {
		copy_page(page_address(copy), page_address(page));
	}
	unlock_page(page);
	return (unsigned long)copy | LIBRA_SLOT_SHARED;
}

static void libra_slot_fork(struct libra_payload *parent,
			    struct libra_payload *child,
			    struct libra_chunk *from, struct libra_chunk *to,
			    u32 i, bool table)
{
	struct libra_net *ln = libra_payload_net(child);
	struct page *page = NULL;
	unsigned long slot;
	u32 place;

	spin_lock(&from->lock);
	place = from->place[i];
	slot = from->slot[i];
	switch (libra_slot_kind(slot)) {
	case LIBRA_SLOT_LAZY:
		refcount_inc(&libra_slot_anchor(slot)->ref);
		break;
	case LIBRA_SLOT_PAGE:
		page = libra_slot_page(slot);
		get_page(page);
		/* The slot's and ours: nobody looks at it, and nobody can. */
		if (page_count(page) == 2 && !table && !PageHWPoison(page)) {
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
		slot = libra_fork_copy(page);
		if (table && libra_slot_page(slot) != page)
			libra_table_inherit(libra_slot_page(slot));
		put_page(page);
	}
	/* The child does not run yet, but tidy.c may look at it. */
	spin_lock(&to->lock);
	to->slot[i] = slot;
	to->place[i] = place;
	if (libra_slot_kind(slot) == LIBRA_SLOT_LAZY)
		atomic_long_inc(&ln->lazy_pages);
	else if (libra_slot_kind(slot))
		atomic_long_inc(&ln->payload_pages);
	spin_unlock(&to->lock);
}

/**
 * libra_slots_fork() - a child gets what its parent has
 * @parent: mapping of the parent; its VMA is locked for writing
 * @child: mapping of the child, of which these slots are empty
 * @pgoff: first page
 * @pages: how many
 *
 * What is lazy stays lazy for both, pages become shared. Cannot fail: small allocations,
 * one for each MB in use and one for each page that is pinned, or is of the table of
 * what is free. They are charged, and the last one may exceed the limit of the memory
 * cgroup: who is killed for that makes no child, so the rest is left out.
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
	for (; pgoff < end && !fatal_signal_pending(current); pgoff++) {
		if (!from || !(pgoff % LIBRA_CHUNK_PAGES)) {
			cond_resched();
			from = libra_chunk(parent, pgoff);
			if (!from) {
				pgoff |= LIBRA_CHUNK_PAGES - 1;
				continue;
			}
			to = libra_chunk_get(child, pgoff, GFP_KERNEL | __GFP_NOFAIL);
		}
		libra_slot_fork(parent, child, from, to, pgoff % LIBRA_CHUNK_PAGES,
				pgoff >= parent->table && pgoff < parent->table_end);
	}
}
