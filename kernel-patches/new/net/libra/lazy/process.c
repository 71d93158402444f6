// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: which processes have payload memory, and where.
 *
 * A process is found by its mm, without a reference on that: its mappings go
 * before the mm does, and the last of them takes the entry away. Both tables, of
 * processes and of a process's mappings, are read under RCU alone, because each
 * recv() and send() of everybody asks the first one.
 */
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "lazy.h"

#define LIBRA_PROCESS_BITS	12
/* Mappings of one process; each of its calls may look at all of them. */
#define LIBRA_SPANS_MAX		4096

static struct hlist_head libra_process_table[1 << LIBRA_PROCESS_BITS];
static DEFINE_SPINLOCK(libra_processes_lock);	/* protects changes of it */

static struct hlist_head *libra_process_bucket(const struct mm_struct *mm)
{
	return &libra_process_table[hash_ptr(mm, LIBRA_PROCESS_BITS)];
}

/* Under RCU or the lock. */
static struct libra_process *libra_process_lookup(const struct mm_struct *mm)
{
	struct libra_process *process;

	hlist_for_each_entry_rcu(process, libra_process_bucket(mm), hash,
				 lockdep_is_held(&libra_processes_lock))
		if (process->mm == mm)
			return process;
	return NULL;
}

/**
 * libra_process_of() - what has this mm?
 * @mm: one that may be gone; it is not followed
 *
 * Context: any.
 * Return: with a reference (users), or NULL.
 */
struct libra_process *libra_process_of(const struct mm_struct *mm)
{
	struct libra_process *process;

	rcu_read_lock();
	process = libra_process_lookup(mm);
	if (process && !refcount_inc_not_zero(&process->users))
		process = NULL;
	rcu_read_unlock();
	return process;
}

/**
 * libra_process_enter() - has the current process payload memory?
 *
 * Context: any in which current is who calls; preemption may be off.
 * Return: the process, with a reference by which the module stays, or NULL.
 */
struct libra_process *libra_process_enter(void)
{
	return current->mm ? libra_process_of(current->mm) : NULL;
}

/**
 * libra_process_entered() - what libra_process_enter() found, once more
 *
 * Return: the current process, which has users.
 */
struct libra_process *libra_process_entered(void)
{
	struct libra_process *process;

	rcu_read_lock();
	process = libra_process_lookup(current->mm);
	rcu_read_unlock();
	return process;
}

static void libra_process_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct libra_process, rcu));
}

/* Nobody pays into the account any more. Any context. */
static void libra_process_release(struct libra_account *account)
{
	struct libra_process *process;

	process = container_of(account, struct libra_process, account);
	put_net(account->net->net);
	mem_cgroup_put(process->memcg);
	kfree(process->gathered);
	kfree(process->streams);
	kvfree_rcu(rcu_dereference_protected(process->spans, 1), rcu);
	call_rcu(&process->rcu, libra_process_free);
}

/**
 * libra_process_put() - drop a reference (users)
 * @process: process
 *
 * Context: process context. The module may go when this returns, so what follows
 * in module text must not sleep.
 */
void libra_process_put(struct libra_process *process)
{
	if (!refcount_dec_and_lock(&process->users, &libra_processes_lock))
		return;
	__acquire(&libra_processes_lock);	/* which sparse does not see */
	hlist_del_rcu(&process->hash);
	spin_unlock(&libra_processes_lock);

	atomic_long_dec(&process->account.net->payload_processes);
	libra_tidy_end(process);
	libra_account_put(&process->account);

	/* libra_exit() waits for tasks that are preempted behind this. */
	module_put(THIS_MODULE);
}

static struct libra_process *libra_process_alloc(struct mm_struct *mm,
						 struct net *net, gfp_t gfp)
{
	struct libra_process *process;
	struct libra_spans *spans;

	process = kzalloc(sizeof(*process), gfp | __GFP_ACCOUNT);
	spans = kvzalloc(struct_size(spans, span, 0), gfp | __GFP_ACCOUNT);
	if (!process || !spans) {
		kfree(process);
		kvfree(spans);
		return NULL;
	}
	process->mm = mm;
	refcount_set(&process->users, 1);
	refcount_set(&process->account.ref, 1);
	process->account.release = libra_process_release;
	process->account.net = libra_net(get_net(net));
	process->account.limit = &process->account.net->sysctl.max_process_bytes;
	process->account.at_limit = LIBRA_MIB_LAZY_PROCESS_LIMIT;
	process->streams = libra_streams_alloc(gfp);
	process->memcg = get_mem_cgroup_from_mm(current->mm);
	libra_tidy_init(process);
	RCU_INIT_POINTER(process->spans, spans);
	return process;
}

/* An mm is entered by who creates its first mapping, under its mmap_lock. */
static void libra_process_publish(struct libra_process *process)
{
	/* The caller is here by a file of ours, which holds the module. */
	__module_get(THIS_MODULE);
	atomic_long_inc(&process->account.net->payload_processes);
	spin_lock(&libra_processes_lock);
	hlist_add_head_rcu(&process->hash, libra_process_bucket(process->mm));
	spin_unlock(&libra_processes_lock);
}

static struct libra_process *libra_process_known(const struct mm_struct *mm)
{
	struct libra_process *process;

	spin_lock(&libra_processes_lock);
	process = libra_process_lookup(mm);
	/* One at zero is on its way out, see libra_process_put(). */
	if (process)
		refcount_inc(&process->users);
	spin_unlock(&libra_processes_lock);
	return process;
}

/**
 * libra_process_get() - the process that is about to have a mapping
 * @mm: its mm
 * @net: the network namespace that pays, if it is new
 * @gfp: how to allocate
 *
 * Context: under mmap_lock for writing.
 * Return: with a reference (users), or NULL.
 */
struct libra_process *libra_process_get(struct mm_struct *mm, struct net *net,
					gfp_t gfp)
{
	struct libra_process *process = libra_process_known(mm);

	if (process)
		return process;
	process = libra_process_alloc(mm, net, gfp);
	if (process)
		libra_process_publish(process);
	return process;
}

/**
 * libra_process_fork() - the same for a child
 * @parent: whose child; its network namespace pays
 * @mm: of the child, which does not run yet
 *
 * Context: under mmap_lock of both; does not fail.
 * Return: with a reference (users).
 */
struct libra_process *libra_process_fork(struct libra_process *parent,
					 struct mm_struct *mm)
{
	struct libra_process *process = libra_process_known(mm);

	if (process)
		return process;
	process = libra_process_alloc(mm, parent->account.net->net,
				      GFP_KERNEL | __GFP_NOFAIL);
	libra_process_publish(process);
	return process;
}

/**
 * libra_processes_each() - do something with each process that has payload memory
 * @what: to do; does not sleep, and the process has users meanwhile
 *
 * Context: process context.
 */
void libra_processes_each(void (*what)(struct libra_process *process))
{
	struct libra_process *process;
	u32 i;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(libra_process_table); i++) {
		hlist_for_each_entry_rcu(process, &libra_process_table[i], hash) {
			if (!refcount_inc_not_zero(&process->users))
				continue;
			what(process);
			libra_process_put(process);
		}
	}
	rcu_read_unlock();
}

/* ---- where ------------------------------------------------------------------ */

/* Make room for one more; what is gone goes. */
static struct libra_spans *libra_spans_grow(struct libra_spans *old, gfp_t gfp)
{
	u32 i, live = 0, room;
	struct libra_spans *new;

	for (i = 0; i < old->nr; i++)
		live += !!old->span[i].payload;
	if (live >= LIBRA_SPANS_MAX && !(gfp & __GFP_NOFAIL))
		return NULL;
	room = roundup_pow_of_two(live + 4);
	new = kvzalloc(struct_size(new, span, room), gfp | __GFP_ACCOUNT);
	if (!new)
		return NULL;
	new->room = room;
	for (i = 0; i < old->nr; i++)
		if (old->span[i].payload)
			new->span[new->nr++] = old->span[i];
	return new;
}

/**
 * libra_process_add() - these addresses are a mapping
 * @process: process
 * @start: first
 * @end: behind the last
 * @payload: mapping
 * @gfp: how to allocate
 *
 * Context: under mmap_lock, by who maps or unmaps.
 * Return: 0 or -ENOMEM.
 */
int libra_process_add(struct libra_process *process, unsigned long start,
		      unsigned long end, struct libra_payload *payload, gfp_t gfp)
{
	struct libra_spans *old, *spans;
	struct libra_span *last;

	/* Only mmap_lock lets others add; libra_process_remove() just clears. */
	old = rcu_dereference_protected(process->spans, 1);
	last = old->nr ? &old->span[old->nr - 1] : NULL;
	if (last && last->payload == payload && last->end == start) {
		WRITE_ONCE(last->end, end);
		return 0;
	}
	spans = old->nr < old->room ? old : libra_spans_grow(old, gfp);
	if (!spans)
		return -ENOMEM;
	spans->span[spans->nr] = (struct libra_span) { start, end, payload };
	/* Whoever sees that there is one more sees what it is. */
	smp_store_release(&spans->nr, spans->nr + 1);
	if (spans != old) {
		rcu_assign_pointer(process->spans, spans);
		kvfree_rcu(old, rcu);
	}
	return 0;
}

/**
 * libra_process_cut() - a part of a mapping is gone
 * @process: process
 * @start: first address
 * @end: behind the last
 * @payload: mapping, of which something else remains
 *
 * Context: under mmap_lock, by who unmaps; does not fail.
 */
void libra_process_cut(struct libra_process *process, unsigned long start,
		       unsigned long end, struct libra_payload *payload)
{
	struct libra_spans *spans = rcu_dereference_protected(process->spans, 1);
	u32 i;

	for (i = 0; i < spans->nr; i++) {
		struct libra_span *span = &spans->span[i];
		unsigned long stop = span->end;

		if (span->payload != payload || start >= stop || end <= span->start)
			continue;
		if (start <= span->start && end >= stop) {
			WRITE_ONCE(span->payload, NULL);
		} else if (start <= span->start) {
			WRITE_ONCE(span->start, end);
		} else if (end >= stop) {
			WRITE_ONCE(span->end, start);
		} else {
			/* What is behind is there before it is left out here. */
			libra_process_add(process, end, stop, payload,
					  GFP_KERNEL | __GFP_NOFAIL);
			spans = rcu_dereference_protected(process->spans, 1);
			for (span = spans->span; span->payload != payload ||
			     span->start >= start || span->end != stop; span++)
				;
			WRITE_ONCE(span->end, start);
			return;
		}
	}
}

/**
 * libra_process_remove() - a mapping is gone
 * @process: process
 * @payload: mapping
 *
 * Context: under mmap_lock, by who unmaps.
 */
void libra_process_remove(struct libra_process *process,
			  const struct libra_payload *payload)
{
	struct libra_spans *spans = rcu_dereference_protected(process->spans, 1);
	u32 i;

	for (i = 0; i < spans->nr; i++)
		if (spans->span[i].payload == payload)
			WRITE_ONCE(spans->span[i].payload, NULL);
}

/**
 * libra_process_find() - the mapping at an address
 * @process: process
 * @addr: address
 * @begin: where to say where the mapping begins, if there is one; or NULL
 * @end: where to say where the mapping ends; if there is none, where the next one
 *	begins
 *
 * Context: any.
 * Return: with a reference, or NULL.
 */
struct libra_payload *libra_process_find(struct libra_process *process,
					 unsigned long addr, unsigned long *begin,
					 unsigned long *end)
{
	struct libra_payload *found = NULL;
	const struct libra_spans *spans;
	u32 i;

	*end = ULONG_MAX;
	rcu_read_lock();
	spans = rcu_dereference(process->spans);
	/* Pairs with libra_process_add(). */
	for (i = smp_load_acquire(&spans->nr); i--; ) {
		const struct libra_span *span = &spans->span[i];
		struct libra_payload *payload = READ_ONCE(span->payload);
		unsigned long from = READ_ONCE(span->start);
		unsigned long stop = READ_ONCE(span->end);

		if (!payload || addr >= stop)
			continue;
		if (addr < from) {
			*end = min(*end, from);
			continue;
		}
		if (refcount_inc_not_zero(&payload->ref)) {
			*end = min(*end, stop);
			if (begin)
				*begin = from;
			found = payload;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/**
 * libra_process_next() - one mapping after the other
 * @process: process
 * @nr: where to go on; 0 in the beginning
 *
 * One in several pieces comes several times. What is mapped or unmapped meanwhile may be
 * missed, as may others then.
 *
 * Context: any.
 * Return: with a reference, or NULL: that were all.
 */
struct libra_payload *libra_process_next(struct libra_process *process, u32 *nr)
{
	struct libra_payload *found = NULL;
	const struct libra_spans *spans;

	rcu_read_lock();
	spans = rcu_dereference(process->spans);
	/* Pairs with libra_process_add(). */
	while (!found && *nr < smp_load_acquire(&spans->nr)) {
		found = READ_ONCE(spans->span[(*nr)++].payload);
		if (found && !refcount_inc_not_zero(&found->ref))
			found = NULL;
	}
	rcu_read_unlock();
	return found;
}

/**
 * libra_process_pages() - how much payload memory has it?
 * @process: process
 *
 * Context: under mmap_lock for writing.
 * Return: in pages.
 */
unsigned long libra_process_pages(const struct libra_process *process)
{
	const struct libra_spans *spans = rcu_dereference_protected(process->spans, 1);
	unsigned long pages = 0;
	u32 i;

	for (i = 0; i < spans->nr; i++)
		if (spans->span[i].payload)
			pages += (spans->span[i].end - spans->span[i].start) >> PAGE_SHIFT;
	return pages;
}

/**
 * libra_process_twin() - what a child has of the same file
 * @process: the child
 * @of: mapping of the parent
 *
 * Context: under mmap_lock of both.
 * Return: the child's mapping, or NULL; no reference.
 */
struct libra_payload *libra_process_twin(struct libra_process *process,
					 const struct libra_payload *of)
{
	const struct libra_spans *spans = rcu_dereference_protected(process->spans, 1);
	u32 i;

	for (i = 0; i < spans->nr; i++) {
		struct libra_payload *payload = spans->span[i].payload;

		if (payload && payload->file == of->file)
			return payload;
	}
	return NULL;
}
