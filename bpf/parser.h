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

#endif /* LIBRA_PARSER_H */
