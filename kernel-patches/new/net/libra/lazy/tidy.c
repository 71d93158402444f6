// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: memory that is kept for nothing.
 *
 * - Blocks that the application has freed. Its allocator says which, in a table that
 *   is the end of the arena (uapi/linux/libra_memory.h), so that neither free() nor
 *   malloc() is a system call. What stays free for a while becomes zeros.
 * - Anchors of which few pages are left, and which keep much more in memory than they
 *   stand for. These pages are filled.
 *
 * A work looks after each process, for as long as it is active or has lazy pages. When
 * memory is short a shrinker has the works look at once, and closer; it does nothing
 * itself, because pages are unmapped under locks, and to fill some takes memory.
 *
 * The table is memory of the application, who may write anything there: that costs
 * it the contents of its own memory, and nobody else anything.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <uapi/linux/libra_memory.h>

#include "slot.h"

#define LIBRA_TABLE_ENTRIES	(PAGE_SIZE / sizeof(u16))

/* An anchor that keeps more than so many times what is left of it is not worth it, */
#define LIBRA_TIDY_WASTE	4
/* when memory is short. */
#define LIBRA_TIDY_WASTE_SHORT	2
/* Who is asked to hurry is not asked again for so long. */
#define LIBRA_TIDY_HURRY	(HZ / 10)
/* The time of a look is nobody's: so many times that passes before the next one. */
#define LIBRA_TIDY_REST		64
/* Who did nothing since the last look has the next one so many times later. */
#define LIBRA_TIDY_IDLE		5

/**
 * struct libra_look - one look at a process
 * @process: whose memory it is
 * @hurry: what is free is not given time to be used again
 * @again: something is lazy, or free and not zeros yet
 */
struct libra_look {
	struct libra_process *process;
	bool hurry;
	bool again;
};

/* ---- freed blocks ----------------------------------------------------------- */

/*
 * A page of the table, with a reference; NULL: nothing was freed there, or not since
 * the fork that left it shared.
 */
static struct page *libra_table_page(struct libra_chunk *chunk, u32 i)
{
	struct page *page = NULL;

	spin_lock(&chunk->lock);
	if (libra_slot_kind(chunk->slot[i]) == LIBRA_SLOT_PAGE) {
		page = libra_slot_page(chunk->slot[i]);
		get_page(page);
	}
	spin_unlock(&chunk->lock);
	if (page && PageHWPoison(page)) {
		put_page(page);
		return NULL;
	}
	return page;
}

/**
 * libra_table_inherit() - a child gets a copy of a page of the table
 * @page: the copy
 *
 * Its slots are copied one after the other, and the table after most of them, so that a
 * block which was given back between would not be the zeros that are said to be there.
 * Nor does anybody come back to what was busy.
 *
 * Context: any.
 */
void libra_table_inherit(struct page *page)
{
	u16 *table = page_address(page);
	u32 i;

	for (i = 0; i < LIBRA_TABLE_ENTRIES; i++)
		if ((table[i] & LIBRA_FREE_STATE) == LIBRA_FREE_ZEROS ||
		    (table[i] & LIBRA_FREE_STATE) == LIBRA_FREE_BUSY)
			table[i] = LIBRA_FREE_OLD | (table[i] & LIBRA_FREE_PAGES);
}

/* One entry, which malloc() may take at any time, unless we have made it busy. */
static void libra_free_tidy(struct libra_look *look, struct libra_payload *payload,
			    pgoff_t pgoff, u16 *entry, u16 was)
{
	u32 pages = was & LIBRA_FREE_PAGES;
	u16 busy = LIBRA_FREE_BUSY | pages;

	look->again = true;
	if ((was & LIBRA_FREE_STATE) == LIBRA_FREE_NEW && !look->hurry) {
		cmpxchg(entry, was, LIBRA_FREE_OLD | pages);
		return;
	}
	if (cmpxchg(entry, was, busy) != was)
		return;
	LIBRA_ADD(libra_payload_net(payload), LIBRA_MIB_LAZY_FREED,
		  libra_slots_discard(payload, pgoff, pages));
	/* With a barrier: who sees it sees zeros. */
	cmpxchg(entry, busy, LIBRA_FREE_ZEROS | pages);
}

static bool libra_free_is_to_do(u16 entry)
{
	return (entry & LIBRA_FREE_STATE) == LIBRA_FREE_NEW ||
	       (entry & LIBRA_FREE_STATE) == LIBRA_FREE_OLD;
}

/* The entries of one page of the table, for pages from @pgoff to @end. */
static void libra_table_page_tidy(struct libra_look *look, struct libra_payload *payload,
				  u16 *table, pgoff_t pgoff, pgoff_t end)
{
	u32 pages;

	for (; pgoff < end; pgoff += pages) {
		u16 *entry = &table[pgoff % LIBRA_TABLE_ENTRIES];
		u16 was = READ_ONCE(*entry);

		pages = was & LIBRA_FREE_PAGES;
		if (!pages || pages > payload->table - pgoff)
			pages = 1;
		else if (libra_free_is_to_do(was))
			libra_free_tidy(look, payload, pgoff, entry, was);
		/* What overlaps is not looked at: so the work is bounded. */
	}
}

static void libra_table_tidy(struct libra_look *look, struct libra_payload *payload)
{
	struct libra_chunk *chunk;
	unsigned long nr;

	/* What is locked stays, whether it is in use or not. */
	if (!payload->table || READ_ONCE(look->process->locked))
		return;
	xa_for_each_range(&payload->chunks, nr, chunk, payload->table >> LIBRA_CHUNK_BITS,
			  (payload->table_end - 1) >> LIBRA_CHUNK_BITS) {
		pgoff_t at = max(nr << LIBRA_CHUNK_BITS, payload->table);
		pgoff_t behind = min((nr + 1) << LIBRA_CHUNK_BITS, payload->table_end);

		for (; at < behind; at++) {
			pgoff_t first = (at - payload->table) * LIBRA_TABLE_ENTRIES;
			struct page *page;

			page = libra_table_page(chunk, at % LIBRA_CHUNK_PAGES);
			if (!page)
				continue;
			libra_table_page_tidy(look, payload, page_address(page), first,
					      min(first + LIBRA_TABLE_ENTRIES,
						  payload->table));
			put_page(page);
			cond_resched();
		}
		cond_resched();
	}
}

/* ---- anchors that keep too much ----------------------------------------------- */

/* Under the chunk's lock, by which the slot has a reference. */
static bool libra_anchor_wastes(const struct libra_look *look,
				struct libra_lazy_anchor *la)
{
	unsigned long left = (unsigned long)refcount_read(&la->ref) << PAGE_SHIFT;
	u32 now = look->process->looks;

	if (look->hurry)
		return la->anchor.charge > LIBRA_TIDY_WASTE_SHORT * left;
	/* What is on its way through the application is gone by the next look. */
	if (!la->seen)
		la->seen = now;
	if (la->seen == now)
		return false;
	return la->anchor.charge > LIBRA_TIDY_WASTE * left;
}

static void libra_slot_compact(struct libra_payload *payload, pgoff_t pgoff)
{
	struct mem_cgroup *old;
	struct page *page;

	/* As if the application had looked at it. */
	old = set_active_memcg(payload->process->memcg);
	page = libra_slot_get(payload, pgoff, LIBRA_LOOKER_NOBODY,
			      __GFP_NORETRY | __GFP_NOWARN);
	set_active_memcg(old);
	if (!page)
		return;
	unlock_page(page);
	put_page(page);
}

static void libra_chunk_compact(struct libra_look *look, struct libra_payload *payload,
				struct libra_chunk *chunk, pgoff_t begin)
{
	u32 i;

	for (i = 0; i < LIBRA_CHUNK_PAGES; i++) {
		bool wastes = false;

		if (libra_slot_kind(READ_ONCE(chunk->slot[i])) != LIBRA_SLOT_LAZY)
			continue;
		spin_lock(&chunk->lock);
		if (libra_slot_kind(chunk->slot[i]) == LIBRA_SLOT_LAZY) {
			look->again = true;
			wastes = libra_anchor_wastes(look, libra_slot_anchor(chunk->slot[i]));
		}
		spin_unlock(&chunk->lock);
		if (wastes)
			libra_slot_compact(payload, begin + i);
	}
}

static void libra_anchors_tidy(struct libra_look *look, struct libra_payload *payload)
{
	struct libra_chunk *chunk;
	unsigned long nr;

	xa_for_each(&payload->chunks, nr, chunk) {
		libra_chunk_compact(look, payload, chunk, nr << LIBRA_CHUNK_BITS);
		cond_resched();
	}
}

/* ---- the work of a process ------------------------------------------------------ */

/*
 * A work that is pending has a reference of the account, by which the memory stays. There
 * is none of a process without users: who drops the last one sees that it is pending, or
 * it is seen here that there are none.
 */
static void libra_tidy_queue(struct libra_process *process, u64 took_ns, bool idle)
{
	u32 delay = READ_ONCE(process->account.net->sysctl.lazy_tidy_ms);
	unsigned long wait;

	if (!delay)
		return;
	wait = max(msecs_to_jiffies(delay), nsecs_to_jiffies(took_ns * LIBRA_TIDY_REST));
	if (idle)
		wait *= LIBRA_TIDY_IDLE;
	libra_account_get(&process->account);
	if (!queue_delayed_work(libra_wq, &process->tidy, wait))
		libra_account_put(&process->account);
	smp_mb();	/* pairs with libra_tidy_end() */
	if (!refcount_read(&process->users))
		libra_tidy_end(process);
}

/**
 * libra_tidy_active() - a process uses its payload memory
 * @process: process, which has users
 * @mm: its mm
 *
 * Context: any.
 */
void libra_tidy_active(struct libra_process *process, const struct mm_struct *mm)
{
	bool locked = READ_ONCE(mm->locked_vm);

	/* Others of the process are here as well: nothing is written for nothing. */
	if (READ_ONCE(process->locked) != locked)
		WRITE_ONCE(process->locked, locked);
	if (!READ_ONCE(process->active))
		WRITE_ONCE(process->active, true);
	if (!delayed_work_pending(&process->tidy))
		libra_tidy_queue(process, 0, false);
}

/**
 * libra_tidy_end() - a process has no users any more
 * @process: process; the caller has a reference of its account
 *
 * So that nothing of it is there longer than they were.
 *
 * Context: any.
 */
void libra_tidy_end(struct libra_process *process)
{
	smp_mb();	/* pairs with libra_tidy_queue() */
	if (cancel_delayed_work(&process->tidy))
		libra_account_put(&process->account);
}

static void libra_process_look(struct libra_look *look)
{
	struct libra_process *process = look->process;
	struct libra_payload *payload;
	u32 nr = 0;

	process->looks++;
	LIBRA_INC(process->account.net, LIBRA_MIB_LAZY_LOOKS);
	while ((payload = libra_process_next(process, &nr))) {
		if (payload->looked != process->looks) {
			payload->looked = process->looks;
			libra_table_tidy(look, payload);
			libra_anchors_tidy(look, payload);
		}
		libra_payload_put(payload);
		cond_resched();
	}
}

/* Its reference of the account is the caller's. Users may be gone. */
static void libra_tidy_work(struct work_struct *work)
{
	struct libra_process *process;
	struct libra_look look = { };
	u64 begin = ktime_get_ns();
	bool active;

	process = container_of(to_delayed_work(work), struct libra_process, tidy);
	look.process = process;
	look.hurry = xchg(&process->hurry, false);
	active = xchg(&process->active, false);
	look.again = active;
	libra_process_look(&look);
	if (look.again)
		libra_tidy_queue(process, ktime_get_ns() - begin, !active);
	libra_account_put(&process->account);
}

/**
 * libra_tidy_init() - a process has no work yet
 * @process: process
 */
void libra_tidy_init(struct libra_process *process)
{
	INIT_DELAYED_WORK(&process->tidy, libra_tidy_work);
	process->hurried = jiffies - LIBRA_TIDY_HURRY;
}

/* ---- memory is short ------------------------------------------------------------ */

static struct shrinker *libra_shrinker;

/* All pages there are, and lazy ones: who knows which of them are kept for nothing. */
static unsigned long libra_shrinker_count(struct shrinker *shrinker,
					  struct shrink_control *sc)
{
	unsigned long pages = 0;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		const struct libra_net *ln = libra_net(net);

		pages += atomic_long_read(&ln->payload_pages) +
			 atomic_long_read(&ln->lazy_pages);
	}
	rcu_read_unlock();
	return pages ? : SHRINK_EMPTY;
}

static void libra_tidy_hurry(struct libra_process *process)
{
	if (time_before(jiffies, READ_ONCE(process->hurried) + LIBRA_TIDY_HURRY))
		return;
	WRITE_ONCE(process->hurried, jiffies);
	WRITE_ONCE(process->hurry, true);
	libra_account_get(&process->account);
	if (mod_delayed_work(libra_wq, &process->tidy, 0))
		libra_account_put(&process->account);
}

static unsigned long libra_shrinker_scan(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	libra_processes_each(libra_tidy_hurry);
	return SHRINK_STOP;
}

int __init libra_shrinker_init(void)
{
	libra_shrinker = shrinker_alloc(0, "libra");
	if (!libra_shrinker)
		return -ENOMEM;
	libra_shrinker->count_objects = libra_shrinker_count;
	libra_shrinker->scan_objects = libra_shrinker_scan;
	shrinker_register(libra_shrinker);
	return 0;
}

void libra_shrinker_exit(void)
{
	shrinker_free(libra_shrinker);
}
