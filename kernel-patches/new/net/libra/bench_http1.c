// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the HTTP/1 parser as a parser in C, for the micro-benchmarks. It is a
 * BPF program otherwise; its header is not in this tree, see the Makefile.
 *
 * The accessors are those of bpf.c, and calls, as they are for BPF.
 */
#include <linux/compiler.h>
#include <linux/string.h>

#include "bench.h"
#include "call.h"

static noinline int bench_load(struct libra_ctx *ctx, u32 off, void *dst,
			       u32 size)
{
	return libra_call_load(ctx, off, dst, size);
}

static noinline int bench_find(struct libra_ctx *ctx, u32 off, u32 len,
			       const void *delim, u32 size)
{
	return libra_call_find(ctx, off, len, delim, size);
}

static noinline int bench_find_below(struct libra_ctx *ctx, u32 off, u32 len,
				     u32 limit)
{
	return libra_call_find_below(ctx, off, len, limit);
}

static noinline u64 bench_skip_fields(struct libra_ctx *ctx, u32 off, u32 len,
				      u64 sizes, u32 lines)
{
	return libra_call_skip_fields(ctx, off, len, sizes, lines);
}

/* The names that parsers know them by; some are those of functions they are made of. */
#define libra_load bench_load
#define libra_find bench_find
#define libra_find_below bench_find_below
#define libra_skip_fields bench_skip_fields
#define libra_repeat(n) for (u32 repeat_ = 0; repeat_ < (n); repeat_++)
#define libra_opaque(var) OPTIMIZER_HIDE_VAR(var)

#include <http1.h>

int bench_http1_segment(struct libra_ctx *ctx)
{
	return http1_answer(ctx);
}

/**
 * bench_http1_reset() - forget the last header
 * @ctx: of a socket
 *
 * A response is one to a request that was read.
 */
void bench_http1_reset(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;

	memset(ctx->scratch, 0, sizeof(ctx->scratch));
	st->queued = ctx->role == LIBRA_ROLE_ACTIVE;
}
