/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream without metadata, for proxies that forward TCP and look at nothing:
 * HAProxy's mode tcp and nginx's stream module, without inspection.
 */
#ifndef LIBRA_RAW_H
#define LIBRA_RAW_H

#include "parser.h"

/* The callback: libra_parser_ops.segment. */
static __always_inline int raw_segment(struct libra_ctx *ctx)
{
	ctx->reason = LIBRA_REASON_COPIED;
	return libra_copied(ctx) ? LIBRA_PASS : LIBRA_PAYLOAD_UNTIL_CLOSE;
}

#endif /* LIBRA_RAW_H */
