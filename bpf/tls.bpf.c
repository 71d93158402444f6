// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLS parser as a struct_ops program. What it does is in tls.h; here is
 * only what a BPF object needs around it.
 */
#include "libra_bpf.h"
#include "tls.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TLS_EVENT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tls_stats SEC(".maps");

SEC("struct_ops/segment")
int BPF_PROG(tls_entry, struct libra_ctx *lctx)
{
	int verdict = tls_segment(lctx);
	__u32 event = tls_last_event(lctx);
	__u64 *count;

	count = bpf_map_lookup_elem(&tls_stats, &event);
	if (count)
		(*count)++;
	return verdict;
}

LIBRA_PARSER(tls, "1", 1, tls_entry);
