// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of raw.h as a struct_ops program.
 */
#include "libra_bpf.h"
#include "raw.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/segment")
int BPF_PROG(raw_entry, struct libra_ctx *lctx)
{
	return raw_segment(lctx);
}

LIBRA_PARSER(raw, "1", 1, raw_entry);
