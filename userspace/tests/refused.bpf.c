// SPDX-License-Identifier: GPL-2.0-only
/* A parser that the verifier must refuse: it writes where only the kernel may. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <linux/libra.h>

char _license[] SEC("license") = "GPL";

SEC("struct_ops")
int BPF_PROG(refused_segment, struct libra_ctx *answer)
{
	answer->avail = 0;
	return LIBRA_PASS;
}

SEC(".struct_ops.link")
struct libra_parser_ops refused = {
	.segment = (void *)refused_segment,
	.name = "refused",
	.abi = LIBRA_PARSER_ABI,
};
