/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLS records, as a Libra parser, for proxies that forward TCP and look at the
 * ClientHello to choose an upstream: HAProxy's req.ssl_sni, nginx's
 * ssl_preread. Nothing is decrypted, here or there.
 *
 * A record is 5 bytes of header, type, version and length, and as many bytes.
 * Only application data is payload; every other record is metadata as a whole,
 * since such a proxy reads some of them. Record headers do not tell for sure
 * which version of TLS it is (1.3 calls itself 1.2, and most of its handshake
 * application data), and need not: the layout is the same from SSL 3.0 to
 * TLS 1.3, and longer records than those of TLS 1.2 exist in none.
 *
 * Why each decision is safe: the proxy forwards all bytes as they are, so the
 * records on egress are those of ingress, and a VPI lies in the data record it
 * was made for. What a proxy reads is the hello, so there is no payload before
 * one is complete, however it is fragmented; application data in the middle of
 * it is for no reader of SNI to expect. The same holds for the server's side.
 * Whatever is none of this passes at its first byte that says so: an SSL 2.0
 * ClientHello, another protocol, a length no receiver accepts.
 *
 * The directions do not depend on each other. The stream is one message, which
 * ends with the connection.
 */
#ifndef LIBRA_TLS_H
#define LIBRA_TLS_H

#include "parser.h"
#include "tls_events.h"
#include "tls_record.h"

#define TLS_HELLO_HEADER	4	/* type and 24 bits of length */

#define TLS_CLIENT_HELLO	1
#define TLS_SERVER_HELLO	2

/* One direction. */
struct tls_dir {
	__u32 data;	/* bytes of application data that come next */
	__u32 hello;	/* bytes of the hello still to come, once known */
	__u8 head[TLS_HELLO_HEADER];	/* of the hello */
	__u8 known;	/* bytes of @head that were there */
	__u8 unused[3];
} __attribute__((may_alias));

struct tls_state {
	struct tls_dir clients;		/* what clients send */
	struct tls_dir servers;
	__u8 event;			/* enum tls_event of the last answer */
	__u8 unused[LIBRA_SCRATCH_SIZE - 33];
} __attribute__((may_alias));

#ifdef __cplusplus
static_assert(sizeof(struct tls_state) == LIBRA_SCRATCH_SIZE, "layout");
#else
_Static_assert(sizeof(struct tls_state) == LIBRA_SCRATCH_SIZE, "layout");
#endif

static __always_inline int tls_answer(struct libra_ctx *ctx, int verdict,
				      __u32 len, enum tls_event event)
{
	struct tls_state *st = (struct tls_state *)ctx->scratch;

	ctx->seg_len = len;
	st->event = event;
	return verdict;
}

static __always_inline enum libra_reason tls_reason(enum tls_event event)
{
	switch (event) {
#define X(id, name, reason, text)					\
	case TLS_##id:							\
		return LIBRA_REASON_##reason;
	TLS_EVENTS(X)
#undef X
	default:
		return LIBRA_REASON_UNSAID;
	}
}

/* Events are constants here, so that the reason is one. */
static __always_inline int tls_pass(struct libra_ctx *ctx, enum tls_event why)
{
	ctx->reason = tls_reason(why);
	return tls_answer(ctx, LIBRA_PASS, 0, why);
}

static __always_inline bool tls_hello_complete(const struct tls_dir *d)
{
	return d->known == TLS_HELLO_HEADER && !d->hello;
}

/*
 * A handshake record of @len bytes before the hello is complete. It may hold
 * any part of it, and other messages behind it.
 */
static __always_inline int tls_hello(struct libra_ctx *ctx, struct tls_dir *d,
				     bool client, __u32 len)
{
	__u32 i, rest = len;
	__u8 byte;

	for (i = 0; i < TLS_HELLO_HEADER; i++) {
		if (i < d->known || !rest)
			continue;
		if (libra_load(ctx, TLS_HEADER + len - rest, &byte, 1))
			return tls_answer(ctx, LIBRA_NEED_MORE,
					  ctx->avail + 1, TLS_MORE);
		d->head[i] = byte;
		rest--;
	}
	/* Now that all of them were at hand; a question may be repeated. */
	d->known += len - rest;
	if (d->head[0] != (client ? TLS_CLIENT_HELLO : TLS_SERVER_HELLO))
		return tls_pass(ctx, TLS_PASS_HELLO);
	if (d->known == TLS_HELLO_HEADER) {
		if (len != rest)
			d->hello = d->head[1] << 16 | d->head[2] << 8 |
				   d->head[3];
		d->hello -= rest < d->hello ? rest : d->hello;
	}
	return tls_answer(ctx, LIBRA_META, TLS_HEADER + len, TLS_RECORD);
}

/* At a record. */
static __always_inline int tls_record(struct libra_ctx *ctx,
				      struct tls_dir *d, bool client)
{
	__u8 head[TLS_HEADER] = { 0, 3, 0, 0, 0 };
	__u32 have = libra_load_some(ctx, head, TLS_HEADER);
	__u32 len = tls_record_length(head);

	if (!have)
		return tls_pass(ctx, TLS_PASS_TYPE);
	/* What is not there yet looks right. */
	if (head[0] < TLS_CHANGE_CIPHER_SPEC || head[0] > TLS_HEARTBEAT)
		return tls_pass(ctx, TLS_PASS_TYPE);
	if (!tls_hello_complete(d) && head[0] != TLS_HANDSHAKE &&
	    head[0] != TLS_ALERT)
		return tls_pass(ctx, TLS_PASS_HELLO);
	if (head[1] != 3 || head[2] > 4)
		return tls_pass(ctx, TLS_PASS_VERSION);
	if (len > TLS_MAX_RECORD ||
	    (!len && have == TLS_HEADER && head[0] != TLS_APPLICATION_DATA))
		return tls_pass(ctx, TLS_PASS_LENGTH);
	if (have < TLS_HEADER)
		return tls_answer(ctx, LIBRA_NEED_MORE, have + 1, TLS_MORE);

	if (head[0] == TLS_HANDSHAKE && !tls_hello_complete(d))
		return tls_hello(ctx, d, client, len);
	if (head[0] != TLS_APPLICATION_DATA || !len)
		return tls_answer(ctx, LIBRA_META, TLS_HEADER + len,
				  TLS_RECORD);
	d->data = len;
	return tls_answer(ctx, LIBRA_FRAMING, TLS_HEADER, TLS_DATA_HEADER);
}

/* The callback: libra_parser_ops.segment. */
static __always_inline int tls_segment(struct libra_ctx *ctx)
{
	struct tls_state *st = (struct tls_state *)ctx->scratch;
	bool client = (ctx->dir == LIBRA_INGRESS) ==
		      (ctx->role == LIBRA_ROLE_PASSIVE);
	struct tls_dir *d = client ? &st->clients : &st->servers;
	__u32 data = d->data;

	if (libra_copied(ctx))
		return tls_pass(ctx, TLS_PASS_COPIED);
	if (!data)
		return tls_record(ctx, d, client);
	d->data = 0;
	return tls_answer(ctx, LIBRA_PAYLOAD_PART, data, TLS_DATA);
}

/* What the answer just given was about, for statistics. */
static __always_inline enum tls_event tls_last_event(struct libra_ctx *ctx)
{
	struct tls_state *st = (struct tls_state *)ctx->scratch;

	return (enum tls_event)st->event;
}

#endif /* LIBRA_TLS_H */
