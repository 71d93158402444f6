/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP/1 in TLS, for proxies that end TLS in the kernel (TLS_TX), as nginx does with
 * "ssl_conf_command Options KTLS".
 *
 * The handshake is metadata. A server sets TLS_TX before it reads a client's first
 * application data: in TLS 1.2 both sides have finished by then (RFC 5246, 7.3); in TLS 1.3
 * the server's keys are in use once its Finished is sent, and the client's Finished is its
 * first record of that type (RFC 8446, 2 and 5.1), unless there is early data. So at such a
 * record the kernel knows whether it encrypts. If it does not, the application does.
 *
 * Where the kernel decrypts as well (LIBRA_F_KTLS_RX), which begins before a server reads
 * application data, this is HTTP/1 like any other. An application that encrypts by itself
 * what it answers is found by the first request.
 *
 * Otherwise the parser sees what is to be encrypted, and no requests (LIBRA_F_KTLS). A
 * response is read as the answer to a GET. It may be another one's: then what is behind its
 * header is not its body. Where that could be is where this passes; it is known by the next
 * bytes, those of the response that follows:
 * - a length, in answer to HEAD: they are where the body would begin (http1_tls_doubt()).
 *   A body that begins like that is not known from one that is not there.
 * - chunked, in answer to HEAD: they are no chunk size.
 * - no length, up to the end of the connection: it has none in answer to HEAD.
 * - 101 and CONNECT: no tunnel without a request.
 */
#ifndef LIBRA_HTTP1_TLS_H
#define LIBRA_HTTP1_TLS_H

#include "http1_state.h"
#include "parser.h"
#include "tls_record.h"

#define HTTP1_TLS_DOUBT		5	/* bytes of "HTTP/" */

/* What is sent is seen, and what is received is not. */
static __always_inline bool http1_tls_blind(const struct libra_ctx *ctx)
{
	return (ctx->flags & (LIBRA_F_KTLS | LIBRA_F_KTLS_RX)) == LIBRA_F_KTLS;
}

/* Is this direction what the application sends, or receives, without encryption? */
static __always_inline bool http1_tls_sees(const struct libra_ctx *ctx)
{
	__u32 kernel = ctx->flags & (LIBRA_F_KTLS | LIBRA_F_KTLS_RX);

	return !kernel || kernel == (LIBRA_F_KTLS | LIBRA_F_KTLS_RX) ||
	       (kernel == LIBRA_F_KTLS && ctx->dir == LIBRA_EGRESS);
}

/*
 * It is not: kernel TLS does the other one. A server that has been given no request may still
 * be in its handshake. A request says that it encrypts by itself.
 */
static __always_inline int http1_tls_half(struct libra_ctx *ctx, struct http1_state *st)
{
	if (ctx->dir == LIBRA_INGRESS || ctx->role == LIBRA_ROLE_ACTIVE)
		return http1_pass(st, HTTP1_PASS_TLS);
	st->event = HTTP1_TLS;
	return LIBRA_RESYNC;
}

/* A client's record; it has been found that the first one is a handshake's. */
static __always_inline int http1_tls_record(struct libra_ctx *ctx, struct http1_state *st)
{
	__u8 head[TLS_HEADER] = { TLS_HANDSHAKE, 3, 0, 0, 0 };
	__u32 have = libra_load_some(ctx, head, TLS_HEADER);
	__u32 len = tls_record_length(head);

	/* What is not there yet looks right. */
	if (!have || head[0] < TLS_CHANGE_CIPHER_SPEC || head[0] > TLS_HANDSHAKE ||
	    head[1] != 3 || len > TLS_MAX_RECORD)
		return http1_pass(st, HTTP1_PASS_TLS);
	st->event = have < TLS_HEADER ? HTTP1_MORE : HTTP1_TLS;
	ctx->seg_len = have < TLS_HEADER ? have + 1 : TLS_HEADER + len;
	return have < TLS_HEADER ? LIBRA_NEED_MORE : LIBRA_META;
}

/* Does a client begin with a handshake? */
static __always_inline bool http1_tls_begins(struct libra_ctx *ctx, struct http1_state *st)
{
	__u8 first;

	if (st->flags || st->queued || st->requests.at || st->requests.lines ||
	    ctx->dir != LIBRA_INGRESS || ctx->role != LIBRA_ROLE_PASSIVE ||
	    libra_load(ctx, 0, &first, 1) || first != TLS_HANDSHAKE)
		return false;
	st->flags |= HTTP1_S_TLS;
	return true;
}

/* During the handshake, either direction. */
static __always_inline int http1_tls_handshake(struct libra_ctx *ctx, struct http1_state *st)
{
	if (ctx->dir == LIBRA_INGRESS)
		return http1_tls_record(ctx, st);
	/* Nothing has to be known of it. */
	st->event = HTTP1_TLS;
	return LIBRA_RESYNC;
}

/*
 * Where a body of @length bytes would begin: may it be a response instead? Returns
 * HTTP1_GO_ON if not.
 */
static __always_inline int http1_tls_doubt(struct libra_ctx *ctx, struct http1_state *st,
					   __u64 length)
{
	char begin[HTTP1_TLS_DOUBT] = { 'H', 'T', 'T', 'P', '/' };
	__u32 have = libra_load_some(ctx, begin, sizeof(begin));

	if (!have)
		return http1_pass(st, HTTP1_PASS_UNMATCHED);
	if (begin[0] != 'H' || begin[1] != 'T' || begin[2] != 'T' || begin[3] != 'P' ||
	    begin[4] != '/')
		return HTTP1_GO_ON;
	if (have == HTTP1_TLS_DOUBT || have >= length)
		return http1_pass(st, HTTP1_PASS_UNMATCHED);
	ctx->seg_len = have + 1;
	st->event = HTTP1_MORE;
	return LIBRA_NEED_MORE;
}

#endif /* LIBRA_HTTP1_TLS_H */
