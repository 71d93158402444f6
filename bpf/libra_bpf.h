/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a parser's state machine needs, for BPF: the kfuncs of the libra module
 * and the accessors every parser header is written against. Tests give the
 * same names over a plain buffer (tests/unit/libra_host.h).
 */
#ifndef LIBRA_BPF_H
#define LIBRA_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/libra.h>

/* Strong, not weak: a parser that cannot read its input must not load. */
extern int bpf_libra_load(struct libra_ctx *ctx, __u32 off, void *dst,
			  __u32 dst__sz) __ksym;
extern int bpf_libra_find(struct libra_ctx *ctx, __u32 off, __u32 len,
			  const void *delim, __u32 delim__sz) __ksym;
extern int bpf_libra_find_below(struct libra_ctx *ctx, __u32 off, __u32 len,
				__u32 limit) __ksym;

extern __u64 bpf_libra_skip_fields(struct libra_ctx *ctx, __u32 off, __u32 len,
				   __u64 sizes, __u32 lines) __ksym;

#define libra_load bpf_libra_load
#define libra_find bpf_libra_find
#define libra_find_below bpf_libra_find_below
#define libra_skip_fields bpf_libra_skip_fields

/* A loop the verifier follows once, however high its bound is. */
#define libra_repeat(n) bpf_repeat(n)

/* Ends what the compiler knows about @var, so that the bound checked last is
 * the bound the verifier sees.
 */
#define libra_opaque(var) barrier_var(var)

#endif /* LIBRA_BPF_H */
