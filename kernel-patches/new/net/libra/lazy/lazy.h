/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra, lazy mode: payload is recognised by where it lies.
 *
 * A process maps payload memory (device.c, map.c). Of each page in it a slot
 * says what belongs there (slot.h): nothing yet, a page, or bytes of an anchor
 * that nobody has looked at. recv() writes the latter kind (rx.c), a page fault
 * turns it into a page (map.c), send() splices it (tx.c).
 *
 * Lock order:
 *
 *   socket lock -> mmap_lock, VMA lock -> folio lock -> i_mmap_rwsem -> PTL
 *                                                    -> libra_chunk.lock
 *
 * libra_chunk.lock is a leaf: nothing sleeps, unmaps or touches user memory
 * under it. With a folio lock, recv() touches no user memory and allocates
 * nothing, so that a fault that waits for the folio never waits for a socket.
 * libra_processes_lock is a leaf as well, never held together with a chunk's.
 *
 * A page table entry is set only with the folio locked and its slot a page. So
 * who has the folio locked, has unmapped it and finds no reference but the
 * slot's and its own knows that nobody sees the page, and nobody will.
 */
#ifndef _NET_LIBRA_LAZY_H
#define _NET_LIBRA_LAZY_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/seq_file_net.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../anchor.h"
#include "../libra.h"
#include "stream.h"

/* ---- anchors of this mode (anchor.c) ------------------------------------- */

/*
 * The pages of one run. It bounds what one slot that is left can pin: 64 KB, and
 * LIBRA_LAZY_SPARSE times that by truesize.
 */
#define LIBRA_RUN_PAGES		16
#define LIBRA_RUN_BYTES		(LIBRA_RUN_PAGES * PAGE_SIZE)
/* Buffers that pin more than this for each byte are copied at once. */
#define LIBRA_LAZY_SPARSE	4

/**
 * struct libra_lazy_anchor - payload that slots stand for
 * @ref: one per slot, one per call that uses it
 * @from: what they are of
 * @sent: some of it was sent
 * @seen: the look (libra_process.looks) at which tidy.c saw it first; 0: none
 * @anchor: the bytes; they do not change once a slot names it
 */
struct libra_lazy_anchor {
	refcount_t ref;
	struct libra_origin_of_pages from;
	bool sent;
	u32 seen;
	struct libra_anchor anchor;
};

/*
 * Where in an anchor something begins: the fragment and the offset in it. A run
 * is too short for either to be larger.
 */
#define LIBRA_PLACE_OFF_BITS	17

struct libra_place {
	u32 idx;
	u32 off;
};

static_assert(LIBRA_RUN_BYTES < 1U << LIBRA_PLACE_OFF_BITS);
static_assert(LIBRA_ANCHOR_MAX_BV <= 1U << (32 - LIBRA_PLACE_OFF_BITS));

/**
 * struct libra_view - what belongs into a page
 * @la: bytes of this anchor, or NULL
 * @place: where in it they begin
 * @page: what is in this page, or NULL; with neither it is zeros
 */
struct libra_view {
	struct libra_lazy_anchor *la;
	struct libra_place place;
	struct page *page;
};

struct libra_lazy_anchor *libra_lazy_anchor_alloc(struct libra_account *account,
						  struct mem_cgroup *memcg);
void libra_lazy_anchor_put(struct libra_lazy_anchor *la, u32 refs);
void libra_place_advance(const struct libra_lazy_anchor *la,
			 struct libra_place *place, u32 bytes);
void libra_lazy_anchor_read(const struct libra_lazy_anchor *la,
			    struct libra_place place, void *to, u32 bytes);
int libra_lazy_anchor_add_view(struct libra_lazy_anchor *la, struct libra_view view,
			       u32 off, u32 bytes);

/* ---- slots (slot.c, slot_receive.c, slot_life.c) --------------------------- */

#define LIBRA_CHUNK_BITS	8
#define LIBRA_CHUNK_PAGES	(1U << LIBRA_CHUNK_BITS)

/**
 * struct libra_chunk - the slots of 1 MB
 * @lock: protects both arrays
 * @slot: what each page is, see slot.h
 * @place: of an anchor, where its bytes begin
 *
 * Lives as long as the payload it is in.
 */
struct libra_chunk {
	spinlock_t lock;	/* protects the slots */
	unsigned long slot[LIBRA_CHUNK_PAGES];
	u32 place[LIBRA_CHUNK_PAGES];
};

/**
 * struct libra_payload - one mapping of payload memory in one process
 * @ref: one while it is mapped, one per call that uses it
 * @vmas: how many VMAs there are of it, under mmap_lock
 * @process: whose; with a reference of its account, and while it is mapped with a user
 * @file: what is mapped, with a reference: for its address_space, which it shares
 *	with the mappings that parents and children have of it, and for the module
 * @start: where page 0 is (or would be)
 * @table: the page where the table of freed blocks begins, see tidy.c; 0: none
 * @table_end: behind it
 * @looked: at which look tidy.c saw it last
 * @index: of page 0 within folio->index, which is what tells the pages of
 *	relatives apart for a futex
 * @native: its protection was changed once; nothing is received lazily or spliced
 *	any more, so that copies find out what may be read and written
 * @gone: all of it was unmapped
 * @chunks: struct libra_chunk by number
 */
struct libra_payload {
	refcount_t ref;
	atomic_t vmas;
	struct libra_process *process;
	struct file *file;
	unsigned long start;
	pgoff_t table;
	pgoff_t table_end;
	u32 looked;
	pgoff_t index;
	bool native;
	bool gone;
	struct xarray chunks;
	struct rcu_head rcu;
};

struct libra_payload *libra_payload_alloc(struct libra_process *process,
					  struct file *file,
					  unsigned long start, gfp_t gfp);
void libra_payload_put(struct libra_payload *payload);
void libra_payload_close(struct libra_payload *payload);
struct libra_chunk *libra_chunk(struct libra_payload *payload, pgoff_t pgoff);
struct libra_chunk *libra_chunk_get(struct libra_payload *payload, pgoff_t pgoff,
				    gfp_t gfp);

static inline pgoff_t libra_pgoff(const struct libra_payload *payload,
				  unsigned long addr)
{
	return (addr - payload->start) >> PAGE_SHIFT;
}

/* Who looks at a page: it matters what was not meant to be looked at. */
enum libra_looker {
	LIBRA_LOOKER_USER,
	LIBRA_LOOKER_KERNEL,
	LIBRA_LOOKER_WRITER,	/* the kernel, to write into it */
	LIBRA_LOOKER_OVERWRITER,	/* ... all of it, before it is unlocked */
	LIBRA_LOOKER_NOBODY,	/* it is filled to save memory */
};

struct page *libra_slot_fault(struct libra_payload *payload, pgoff_t pgoff,
			      enum libra_looker who);
void libra_slot_write(struct libra_payload *payload, pgoff_t pgoff,
		      const struct libra_lazy_anchor *la, struct libra_place place,
		      u32 bytes);
void libra_slots_receive(struct libra_payload *payload, pgoff_t pgoff,
			 u32 pages, struct libra_lazy_anchor *la,
			 struct libra_place *place);
u32 libra_slots_lazy(struct libra_payload *payload, pgoff_t pgoff, u32 pages,
		     const struct libra_lazy_anchor *held, struct libra_view *view);
bool libra_slot_view(struct libra_payload *payload, pgoff_t pgoff,
		     struct libra_view *view);
void libra_view_put(struct libra_view *view);
bool libra_slot_swap(struct libra_payload *payload, pgoff_t pgoff,
		     struct libra_view was, struct libra_lazy_anchor *la);
bool libra_slot_read(struct libra_payload *payload, pgoff_t pgoff, u32 off, void *to,
		     u32 bytes);
pgoff_t libra_slots_plain(struct libra_payload *payload, pgoff_t pgoff,
			  pgoff_t pages);
bool libra_slots_ready(struct libra_payload *payload, pgoff_t pgoff, u32 pages);
u32 libra_slots_discard(struct libra_payload *payload, pgoff_t pgoff,
			pgoff_t pages);
void libra_slots_forget(struct libra_payload *payload, pgoff_t pgoff,
			pgoff_t pages);
void libra_slots_forget_all(struct libra_payload *payload);
void libra_slots_fork(struct libra_payload *parent, struct libra_payload *child,
		      pgoff_t pgoff, pgoff_t pages);

struct libra_lazy_gather;

/* ---- processes (process.c) ----------------------------------------------- */

/**
 * struct libra_span - addresses that are payload memory
 * @start: first
 * @end: behind the last
 * @payload: NULL when it is gone
 */
struct libra_span {
	unsigned long start;
	unsigned long end;
	struct libra_payload *payload;
};

/**
 * struct libra_spans - all that a process has or had
 * @rcu: for kvfree_rcu()
 * @nr: used entries
 * @room: entries
 * @span: in the order in which they came
 *
 * Entries are added, and cleared; the array is replaced when it is full.
 */
struct libra_spans {
	struct rcu_head rcu;
	u32 nr;
	u32 room;
	struct libra_span span[];
};

/**
 * struct libra_process - an mm with payload memory
 * @hash: by @mm, RCU; while it has users
 * @mm: no reference: the last mapping goes before it does
 * @users: one per payload that is mapped, one per call; at zero it is found no more.
 *	They all go before the mm does
 * @account: who pays for its anchors; its references keep the memory
 * @streams: what is known of what it receives, or NULL
 * @tidy: gives back what is kept for nothing; pending or under way it keeps the
 *	memory, and is no user
 * @active: something happened since it looked last
 * @locked: some memory was locked then
 * @hurry: memory is short
 * @hurried: when it was asked to hurry last, in jiffies
 * @looks: how often it has looked
 * @memcg: who pays for what it allocates, or NULL
 * @gathered: of a send() that ended, for the next one; NULL while one has it
 * @spans: RCU; changed under mmap_lock for writing
 */
struct libra_process {
	struct hlist_node hash;
	struct mm_struct *mm;
	refcount_t users;
	struct libra_account account;
	struct libra_streams *streams;
	struct delayed_work tidy;
	bool active;
	bool locked;
	bool hurry;
	unsigned long hurried;
	u32 looks;
	struct mem_cgroup *memcg;
	struct libra_lazy_gather *gathered;
	struct libra_spans __rcu *spans;
	struct rcu_head rcu;
};

struct libra_process *libra_process_of(const struct mm_struct *mm);
struct libra_process *libra_process_enter(void);
struct libra_process *libra_process_entered(void);
void libra_process_put(struct libra_process *process);
struct libra_process *libra_process_get(struct mm_struct *mm, struct net *net,
					gfp_t gfp);
struct libra_process *libra_process_fork(struct libra_process *parent,
					 struct mm_struct *mm);
int libra_process_add(struct libra_process *process, unsigned long start,
		      unsigned long end, struct libra_payload *payload, gfp_t gfp);
void libra_process_cut(struct libra_process *process, unsigned long start,
		       unsigned long end, struct libra_payload *payload);
void libra_process_remove(struct libra_process *process,
			  const struct libra_payload *payload);
struct libra_payload *libra_process_find(struct libra_process *process,
					 unsigned long addr, unsigned long *begin,
					 unsigned long *end);
unsigned long libra_process_pages(const struct libra_process *process);
struct libra_payload *libra_process_twin(struct libra_process *process,
					 const struct libra_payload *of);
struct libra_payload *libra_process_next(struct libra_process *process, u32 *nr);
void libra_processes_each(void (*what)(struct libra_process *process));

/* ---- /proc/net/libra_payload (show.c) --------------------------------------- */

/**
 * struct libra_payload_iter - a reader's place
 * @p: its network namespace; the first member, as proc wants it
 * @process: the one at hand, with a reference (users), or NULL
 * @pid: its number
 * @line: of it: 0, or one more than the index of a stream
 */
struct libra_payload_iter {
	struct seq_net_private p;
	struct libra_process *process;
	pid_t pid;
	u32 line;
};

extern const struct seq_operations libra_payload_ops;

/* ---- memory that is kept for nothing (tidy.c) ------------------------------ */

void libra_tidy_init(struct libra_process *process);
void libra_tidy_active(struct libra_process *process, const struct mm_struct *mm);
void libra_tidy_end(struct libra_process *process);
void libra_table_inherit(struct page *page);
int libra_shrinker_init(void);
void libra_shrinker_exit(void);

/* ---- the mapping (map.c), the device (device.c) -------------------------- */

int libra_mmap(struct file *file, struct vm_area_struct *vma, u64 size, bool table);
struct libra_payload *libra_grown_find(unsigned long addr, unsigned long *end);

/* How much payload memory may be mapped: nothing is hooked for its sake when 0. */
extern atomic_t libra_arenas;
int libra_lazy_init(void);
void libra_lazy_exit(void);

/* ---- sockets (rx.c, tx.c) ------------------------------------------------ */

/*
 * In place of inet_recvmsg() and inet_sendmsg() of TCP sockets, by a task whose
 * process has payload memory. They give back the reference that
 * libra_process_enter() took.
 */
int libra_lazy_recvmsg(struct libra_process *process, struct sock *sk,
		       struct msghdr *msg, size_t size, int flags);
int libra_lazy_sendmsg(struct libra_process *process, struct sock *sk,
		       struct msghdr *msg, size_t size);

#endif /* _NET_LIBRA_LAZY_H */
