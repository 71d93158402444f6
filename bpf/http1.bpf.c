// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HTTP/1 parser as a struct_ops program. What it does is in http1.h; here
 * is only what a BPF object needs around it.
 */
#include "libra_bpf.h"
#include "http1.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HTTP1_EVENT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} http1_stats SEC(".maps");

SEC("struct_ops/segment")
int BPF_PROG(http1_entry, struct libra_ctx *lctx)
{
	int verdict = http1_answer(lctx);
	__u32 event = http1_last_event(lctx);
	__u64 *count;

	count = bpf_map_lookup_elem(&http1_stats, &event);
	if (count)
		(*count)++;
	return verdict;
}

LIBRA_PARSER(http1, "1", 1, http1_entry);
