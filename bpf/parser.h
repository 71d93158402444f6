/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all parsers have in common.
 */
#ifndef LIBRA_PARSER_H
#define LIBRA_PARSER_H

#include <linux/libra.h>

/*
 * Will the bytes asked about be copied, whatever they are? What clients send is,
 * unless the policy asks otherwise; the kernel sees to it (libra_seg_payload()).
 * A parser that knows saves itself the cutting into pieces.
 */
static __always_inline bool libra_copied(const struct libra_ctx *ctx)
{
	return ctx->dir == LIBRA_INGRESS && ctx->role == LIBRA_ROLE_PASSIVE &&
	       !(ctx->flags & LIBRA_F_ANCHOR_REQUESTS);
}

/*
 * As many of the @size bytes at the current position as there are; the others stay as they
 * are. Returns how many, or 0 if they cannot be had.
 */
static __always_inline __u32 libra_load_some(struct libra_ctx *ctx, void *dst, __u32 size)
{
	__u32 have = ctx->avail;

	if (have > size)
		have = size;
	libra_opaque(have);
	if (!have || have > size || libra_load(ctx, 0, dst, have))
		return 0;
	return have;
}

#endif /* LIBRA_PARSER_H */
