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

/*
 * What makes an object a parser: its struct_ops, and the section that tells loaders of it.
 * @version is the parser's own, a string. @keeps is the version of what it keeps in
 * libra_ctx.scratch: to be counted up when connections cannot go on with what an older
 * one has left there.
 */
#define LIBRA_PARSER(parser, version_, keeps_, callback)		\
	const struct libra_parser_info parser##_info			\
	SEC(LIBRA_PARSER_SECTION) = {					\
		.abi = LIBRA_PARSER_ABI,				\
		.keeps = (keeps_),					\
		.name = #parser,					\
		.version = version_,					\
	};								\
	SEC(".struct_ops.link")						\
	struct libra_parser_ops parser = {				\
		.segment = (void *)(callback),				\
		.name = #parser,					\
		.abi = LIBRA_PARSER_ABI,				\
		.keeps = (keeps_),					\
	}

#endif /* LIBRA_BPF_H */
