/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what a parser reads the bytes at hand with; the kfuncs of bpf.c are
 * these, and the accessors of a parser in C. All of them work only while the
 * parser is being asked, see struct libra_call.
 */
#ifndef _NET_LIBRA_PARSER_CALL_H
#define _NET_LIBRA_PARSER_CALL_H

#include <linux/string.h>

#include "token.h"

#define LIBRA_DELIM_MAX	16

static inline int libra_call_load(struct libra_ctx *ctx, u32 off, void *dst,
				  u32 size)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);

	if (!call->active || off > ctx->avail || size > ctx->avail - off)
		return -ERANGE;
	/* What fits a register needs no call. */
	switch (size) {
	case 1:
		memcpy(dst, call->data + off, 1);
		break;
	case 2:
		memcpy(dst, call->data + off, 2);
		break;
	case 8:
		memcpy(dst, call->data + off, 8);
		break;
	default:
		memcpy(dst, call->data + off, size);
	}
	return 0;
}

static inline int libra_call_find(struct libra_ctx *ctx, u32 off, u32 len,
				  const void *delim, u32 size)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);
	const u8 *needle = delim;
	u32 end;

	if (!call->active || !size || size > LIBRA_DELIM_MAX)
		return -EINVAL;
	if (off > ctx->avail)
		return -ENOENT;
	len = min(len, ctx->avail - off);
	if (len < size)
		return -ENOENT;

	end = off + len - size + 1;	/* behind the last candidate */
	for (;; off++) {
		off += libra_find_byte(call->data + off, end - off, needle[0]);
		if (off == end)
			return -ENOENT;
		if (size == 1 || !memcmp(call->data + off, needle, size))
			return off;
	}
}

static inline int libra_call_find_below(struct libra_ctx *ctx, u32 off, u32 len,
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

static inline u64 libra_call_skip_fields(struct libra_ctx *ctx, u32 off, u32 len,
					 u64 sizes, u32 lines)
{
	struct libra_call *call = container_of(ctx, struct libra_call, ctx);

	if (!call->active || off > ctx->avail)
		return off;
	len = min(len, ctx->avail - off);
	off += libra_skip_fields(call->data + off, len, sizes, &lines);
	return (u64)lines << 32 | off;
}

#endif /* _NET_LIBRA_PARSER_CALL_H */
