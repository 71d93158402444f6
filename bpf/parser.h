/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all parsers have in common.
 */
#ifndef LIBRA_PARSER_H
#define LIBRA_PARSER_H

#include <linux/libra.h>

/*
 * Are the bytes asked about to be copied, whatever they are? What clients send
 * is, unless the policy asks otherwise: a proxy may send it a second time, to
 * another upstream, and the upstreams need not be attached. On egress nothing
 * is, for there may be VPIs in it.
 */
static __always_inline bool libra_copied(const struct libra_ctx *ctx)
{
	return ctx->dir == LIBRA_INGRESS && ctx->role == LIBRA_ROLE_PASSIVE &&
	       !(ctx->flags & LIBRA_F_ANCHOR_REQUESTS);
}

#endif /* LIBRA_PARSER_H */
