// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: /proc/net/libra_stat, one "name value" per line, and the files beside it.
 */
#include <linux/capability.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "libra.h"
#include "lazy/lazy.h"
#include "token/check.h"
#include "token/token.h"

const char *const libra_mib_names[LIBRA_MIB_MAX] = {
#define X(e, name) [LIBRA_MIB_##e] = name,
	LIBRA_MIB_LIST(X)
#undef X
};

static u64 libra_mib_sum(const struct libra_net *ln, enum libra_mib item)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(ln->mib, cpu)->count[item]);
	return sum;
}

static int libra_mib_show(struct seq_file *seq, void *v)
{
	struct libra_net *ln = libra_net(seq_file_single_net(seq));
	u64 fail_stops = 0;
	long live, bytes;
	int i;

	seq_printf(seq, "attached_sockets %ld\n",
		   atomic_long_read(&ln->attached));
	live = libra_anchors_live(ln, &bytes);
	seq_printf(seq, "anchors_live %ld\n", live);
	seq_printf(seq, "anchor_bytes_live %ld\n", bytes);
	seq_printf(seq, "anchor_charge_live %ld\n",
		   atomic_long_read(&ln->charge));
	seq_printf(seq, "anchor_charge_peak %ld\n",
		   atomic_long_read(&ln->charge_peak));
	seq_printf(seq, "lazy_pages %ld\n", atomic_long_read(&ln->lazy_pages));
	seq_printf(seq, "payload_pages %ld\n",
		   atomic_long_read(&ln->payload_pages));
	seq_printf(seq, "payload_processes %ld\n",
		   atomic_long_read(&ln->payload_processes));
	for (i = 0; i < LIBRA_MIB_MAX; i++) {
		u64 sum = libra_mib_sum(ln, i);

		if (i >= LIBRA_MIB_FS_FIRST && i <= LIBRA_MIB_FS_LAST)
			fail_stops += sum;
		seq_printf(seq, "%s %llu\n", libra_mib_names[i], sum);
	}
	seq_printf(seq, "fail_stops %llu\n", fail_stops);
	return 0;
}

/**
 * libra_may_ask() - may a reader see all connections and processes of a network namespace?
 * @seq: file of that namespace
 *
 * What counts is the capability with which it was opened: by its mode alone a root without
 * any might read it.
 *
 * Context: any.
 */
bool libra_may_ask(struct seq_file *seq)
{
	return file_ns_capable(seq->file, seq_file_net(seq)->user_ns, CAP_NET_ADMIN);
}

int libra_mib_init(struct libra_net *ln)
{
	ln->mib = alloc_percpu(struct libra_counters);
	if (!ln->mib)
		return -ENOMEM;
	if (!proc_create_net_single("libra_stat", 0444, ln->net->proc_net,
				    libra_mib_show, NULL))
		goto free;
	if (!proc_create_net_single("libra_passing", 0444, ln->net->proc_net,
				    libra_passing_show, NULL))
		goto remove_stat;
	/* Headers of messages are nobody else's business. */
	if (!proc_create_net_single("libra_altered", 0400, ln->net->proc_net,
				    libra_altered_show, NULL))
		goto remove_passing;
	/* Root's: they say whose a connection is, and what it and its memory are used for. */
	if (!proc_create_net_data("libra_sockets", 0400, ln->net->proc_net, &libra_sockets_ops,
				  sizeof(struct libra_sockets_iter), NULL))
		goto remove_altered;
	if (!proc_create_net_data("libra_payload", 0400, ln->net->proc_net, &libra_payload_ops,
				  sizeof(struct libra_payload_iter), NULL))
		goto remove_sockets;
	return 0;

remove_sockets:
	remove_proc_entry("libra_sockets", ln->net->proc_net);
remove_altered:
	remove_proc_entry("libra_altered", ln->net->proc_net);
remove_passing:
	remove_proc_entry("libra_passing", ln->net->proc_net);
remove_stat:
	remove_proc_entry("libra_stat", ln->net->proc_net);
free:
	free_percpu(ln->mib);
	return -ENOMEM;
}

void libra_mib_exit(struct libra_net *ln)
{
	remove_proc_entry("libra_payload", ln->net->proc_net);
	remove_proc_entry("libra_sockets", ln->net->proc_net);
	remove_proc_entry("libra_altered", ln->net->proc_net);
	remove_proc_entry("libra_passing", ln->net->proc_net);
	remove_proc_entry("libra_stat", ln->net->proc_net);
	free_percpu(ln->mib);
}
