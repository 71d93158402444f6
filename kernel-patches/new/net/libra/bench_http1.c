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

static noinline int libra_load(struct libra_ctx *ctx, u32 off, void *dst,
			       u32 size)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);

	if (!call->active || off > ctx->avail || size > ctx->avail - off)
		return -ERANGE;
	memcpy(dst, call->data + off, size);
	return 0;
}

static noinline int libra_find(struct libra_ctx *ctx, u32 off, u32 len,
			       const void *delim, u32 size)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);
	const u8 *needle = delim;
	u32 end;

	if (!call->active || !size || size > 16)
		return -EINVAL;
	if (off > ctx->avail)
		return -ENOENT;
	len = min(len, ctx->avail - off);
	if (len < size)
		return -ENOENT;

	end = off + len - size + 1;
	for (;; off++) {
		off += libra_find_byte(call->data + off, end - off, needle[0]);
		if (off == end)
			return -ENOENT;
		if (size == 1 || !memcmp(call->data + off, needle, size))
			return off;
	}
}

static noinline int bench_find_below(struct libra_ctx *ctx, u32 off, u32 len,
				     u32 limit)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);
	u32 at;

	if (!call->active || !limit || limit > 128)
		return -EINVAL;
	if (off > ctx->avail)
		return -ENOENT;
	len = min(len, ctx->avail - off);
	at = libra_find_below(call->data + off, len, limit);
	return at < len ? off + at : -ENOENT;
}

/* The parser's accessor, which has the name of what it is made of. */
#define libra_find_below bench_find_below
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
