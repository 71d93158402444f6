// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: /proc/net/libra_payload, what is known of each process with payload
 * memory, and of what it receives.
 *
 * A process's entry has no number of it, and no reference on its mm. So tasks are gone
 * through, in the order of their numbers, and asked for theirs.
 */
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "lazy.h"

/* Of a position: which line of a process. */
#define LIBRA_PAYLOAD_LINE_BITS	(LIBRA_STREAM_BITS + 1)
#define LIBRA_PAYLOAD_LINES	(1 + BIT(LIBRA_STREAM_BITS))

static struct pid_namespace *libra_payload_ns(const struct seq_file *seq)
{
	return proc_pid_ns(file_inode(seq->file)->i_sb);
}

/* The first thread that has any: a leader may have ended before the others. Under RCU. */
static const struct mm_struct *libra_mm_of(struct task_struct *leader)
{
	const struct mm_struct *mm = NULL;
	struct task_struct *task;

	for_each_thread(leader, task) {
		mm = READ_ONCE(task->mm);
		if (mm)
			break;
	}
	return mm;
}

/* Is it of this namespace? With a reference. */
static struct libra_process *libra_payload_process(struct task_struct *leader,
						   const struct libra_net *ln)
{
	struct libra_process *process;

	if (leader->flags & PF_KTHREAD)
		return NULL;
	process = libra_process_of(libra_mm_of(leader));
	if (process && process->account.net != ln) {
		libra_process_put(process);
		process = NULL;
	}
	return process;
}

/* The process with the lowest number from iter->pid on. */
static bool libra_payload_find(struct seq_file *seq)
{
	const struct libra_net *ln = libra_net(seq_file_net(seq));
	struct pid_namespace *ns = libra_payload_ns(seq);
	struct libra_payload_iter *iter = seq->private;
	struct libra_process *found = NULL, *process;
	struct task_struct *leader;
	pid_t lowest = 0, nr;

	rcu_read_lock();
	for_each_process(leader) {
		nr = task_tgid_nr_ns(leader, ns);
		/* 0: who reads cannot see it. */
		if (!nr || nr < iter->pid || (found && nr >= lowest))
			continue;
		process = libra_payload_process(leader, ln);
		if (!process)
			continue;
		if (found)
			libra_process_put(found);
		found = process;
		lowest = nr;
	}
	rcu_read_unlock();
	/* What was in the middle has ended. */
	if (lowest != iter->pid)
		iter->line = 0;
	iter->pid = lowest;
	iter->process = found;
	return found;
}

/* The title is at 0. */
static loff_t libra_payload_pos(const struct libra_payload_iter *iter)
{
	return 1 + ((loff_t)iter->pid << LIBRA_PAYLOAD_LINE_BITS | iter->line);
}

static void *libra_payload_start(struct seq_file *seq, loff_t *pos)
{
	struct libra_payload_iter *iter = seq->private;

	iter->process = NULL;
	if (!libra_may_ask(seq))
		return ERR_PTR(-EPERM);
	if (!*pos)
		return SEQ_START_TOKEN;
	if ((*pos - 1) >> LIBRA_PAYLOAD_LINE_BITS > INT_MAX - 1)
		return NULL;
	iter->pid = (*pos - 1) >> LIBRA_PAYLOAD_LINE_BITS;
	iter->line = (*pos - 1) & (BIT(LIBRA_PAYLOAD_LINE_BITS) - 1);
	if (iter->line >= LIBRA_PAYLOAD_LINES) {
		iter->line = 0;
		iter->pid++;
	}
	if (!libra_payload_find(seq))
		return NULL;
	*pos = libra_payload_pos(iter);
	return iter;
}

static void *libra_payload_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct libra_payload_iter *iter = seq->private;
	bool more = true;

	if (v == SEQ_START_TOKEN) {
		iter->pid = 1;
		iter->line = 0;
		more = libra_payload_find(seq);
	} else if (++iter->line == LIBRA_PAYLOAD_LINES) {
		libra_process_put(iter->process);
		iter->process = NULL;
		iter->pid++;
		iter->line = 0;
		more = libra_payload_find(seq);
	}
	if (!more)
		iter->pid = INT_MAX;
	*pos = libra_payload_pos(iter);
	return more ? iter : NULL;
}

static void libra_payload_stop(struct seq_file *seq, void *v)
{
	struct libra_payload_iter *iter = seq->private;

	if (iter->process)
		libra_process_put(iter->process);
	iter->process = NULL;
}

/* How much of it is mapped, and is any not received into any more? */
static unsigned long libra_payload_mapped(const struct libra_process *process, bool *native)
{
	const struct libra_spans *spans;
	unsigned long bytes = 0;
	u32 i;

	*native = false;
	rcu_read_lock();
	spans = rcu_dereference(process->spans);
	/* Pairs with libra_process_add(). */
	for (i = smp_load_acquire(&spans->nr); i--; ) {
		const struct libra_payload *payload = READ_ONCE(spans->span[i].payload);
		unsigned long start = READ_ONCE(spans->span[i].start);
		unsigned long end = READ_ONCE(spans->span[i].end);

		/* Freed behind a grace period, see libra_payload.rcu. */
		if (!payload || end < start)
			continue;
		bytes += end - start;
		*native |= READ_ONCE(payload->native);
	}
	rcu_read_unlock();
	return bytes;
}

static void libra_process_show(struct seq_file *seq, const struct libra_payload_iter *iter)
{
	const struct libra_process *process = iter->process;
	const struct libra_account *account = &process->account;
	unsigned long mapped;
	bool native;

	mapped = libra_payload_mapped(process, &native);
	seq_printf(seq, "process pid=%d mapped=%lu charge=%ld limit=%u at_limit=%lu locked=%d native=%d\n",
		   iter->pid, mapped, atomic_long_read(&account->charge),
		   READ_ONCE(*account->limit), READ_ONCE(account->refused),
		   READ_ONCE(process->locked), native);
}

static int libra_payload_show(struct seq_file *seq, void *v)
{
	const struct libra_payload_iter *iter = seq->private;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "libra_payload 1\n");
		return 0;
	}
	if (!iter->line) {
		libra_process_show(seq, iter);
		return 0;
	}
	/* Not every one was ever used. */
	if (!libra_streams_show(seq, iter->process->streams, iter->line - 1, iter->pid))
		return SEQ_SKIP;
	return 0;
}

const struct seq_operations libra_payload_ops = {
	.start = libra_payload_start,
	.next = libra_payload_next,
	.stop = libra_payload_stop,
	.show = libra_payload_show,
};
