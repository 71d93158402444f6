/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RESP, what Redis and its clients say to each other, as a Libra parser for proxies that
 * forward TCP: HAProxy's mode tcp, nginx's stream module. An example of a parser that is
 * built and loaded without Libra's sources; see README.md.
 *
 * The includer defines libra_load(), libra_find(), libra_repeat() and libra_opaque() first:
 * <libra_bpf.h> for BPF, a test its own.
 *
 * A stream is items, one behind the other: that arrays have elements, and maps pairs, does
 * not matter to where the next one begins. An item is a line; behind a bulk string's line
 * ("$5") come as many bytes and a line end. These are payload where they are worth it. So is
 * the rest metadata, each item a segment.
 *
 * Why that is safe: the proxy forwards all bytes as they are, so the items on egress are
 * those of ingress, and a VPI lies in the string that it was made for. Nothing depends on
 * whether both ends read it so. What is no item passes at its first byte that says so.
 *
 * The directions do not depend on each other, and what clients may say inline, a command as
 * a line without a type, is not for servers. The stream is one message, which ends with the
 * connection: a proxy may send on any part of it.
 */
#ifndef REDIS_H
#define REDIS_H

#include <parser.h>

#define REDIS_MAX_LINE		16384	/* errors, inline commands */
#define REDIS_MAX_DIGITS	10	/* a string has 512 MB at most, by default */
#define REDIS_SMALL		4096	/* shorter ones are copied with their line */

/* redis_dir.at: what the next bytes are */
#define REDIS_AT_ITEM	0
#define REDIS_AT_DATA	1	/* d->length bytes of a string */
#define REDIS_AT_END	2	/* the line end behind it */

/* What an answer was about. */
enum redis_event {
	REDIS_MORE,	/* the rest of a line is waited for */
	REDIS_LINE,	/* an item that is a line, or the end of a string */
	REDIS_BULK,	/* a short string with its line and its end */
	REDIS_HEADER,	/* the line of a long one */
	REDIS_DATA,	/* its bytes */
	REDIS_PASS,
};

/* One direction. */
struct redis_dir {
	__u64 length;	/* of a string */
	__u32 seen;	/* the line's end is not before this offset */
	__u8 at;
	__u8 unused[3];
} __attribute__((may_alias));

struct redis_state {
	struct redis_dir clients;	/* what clients send */
	struct redis_dir servers;
	__u8 event;			/* enum redis_event of the last answer */
	__u8 unused[LIBRA_SCRATCH_SIZE - 33];
} __attribute__((may_alias));

#ifdef __cplusplus
static_assert(sizeof(struct redis_state) == LIBRA_SCRATCH_SIZE, "layout");
#else
_Static_assert(sizeof(struct redis_state) == LIBRA_SCRATCH_SIZE, "layout");
#endif

static __always_inline int redis_answer(struct libra_ctx *ctx, int verdict,
					__u64 len, enum redis_event event)
{
	struct redis_state *st = (struct redis_state *)ctx->scratch;

	ctx->seg_len = len;
	st->event = event;
	return verdict;
}

static __always_inline int redis_pass(struct libra_ctx *ctx,
				      enum libra_reason why)
{
	ctx->reason = why;
	return redis_answer(ctx, LIBRA_PASS, 0, REDIS_PASS);
}

/* How an item begins. */
enum redis_kind {
	REDIS_IS_TEXT,		/* a line to its end */
	REDIS_IS_COUNT,		/* a line that holds a number */
	REDIS_IS_STRING,	/* the same, and so many bytes follow */
	REDIS_IS_INLINE,	/* a line without a type */
	REDIS_IS_NONE,
};

static __always_inline enum redis_kind redis_kind_of(char type, bool client)
{
	switch (type) {
	case '+':	/* simple string */
	case '-':	/* error */
	case ':':	/* integer */
	case '_':	/* null */
	case '#':	/* boolean */
	case ',':	/* double */
	case '(':	/* big number */
	case '.':	/* the end of a streamed aggregate */
		return REDIS_IS_TEXT;
	case '*':	/* array */
	case '~':	/* set */
	case '%':	/* map */
	case '|':	/* attribute */
	case '>':	/* push */
		return REDIS_IS_COUNT;
	case '$':	/* bulk string */
	case '=':	/* verbatim string */
	case '!':	/* bulk error */
	case ';':	/* part of a streamed string */
		return REDIS_IS_STRING;
	}
	type |= 0x20;
	return client && type >= 'a' && type <= 'z' ? REDIS_IS_INLINE : REDIS_IS_NONE;
}

/*
 * The number between the type and the CR at @end, into d->length: where the verifier does
 * not follow it. 1, or 0 for what says that nothing follows ("-1", "?"), or -1.
 */
static __always_inline int redis_number(struct libra_ctx *ctx,
					struct redis_dir *d, __u32 end)
{
	__u32 off = 1;
	char c;

	d->length = 0;
	if (end < 2 || end > 1 + REDIS_MAX_DIGITS || libra_load(ctx, 1, &c, 1))
		return -1;
	if (c == '?')
		return end == 2 ? 0 : -1;
	if (c == '-')
		return end == 3 && !libra_load(ctx, 2, &c, 1) && c == '1' ? 0 : -1;
	libra_repeat(REDIS_MAX_DIGITS) {
		if (off == end)
			break;
		if (libra_load(ctx, off, &c, 1) || c < '0' || c > '9')
			return -1;
		d->length = d->length * 10 + (c - '0');
		off++;
	}
	return 1;
}

/* The line that ends with the LF at @end, of this kind. */
static __always_inline int redis_line(struct libra_ctx *ctx, struct redis_dir *d,
				      enum redis_kind kind, char type, __u32 end)
{
	__u32 line = end + 1;
	char before = '\r';
	int number;

	d->seen = 0;
	if (kind == REDIS_IS_INLINE)
		return redis_answer(ctx, LIBRA_FRAMING, line, REDIS_LINE);
	if (end < 1 || libra_load(ctx, end - 1, &before, 1) || before != '\r')
		return redis_pass(ctx, LIBRA_REASON_AMBIGUOUS);
	if (kind == REDIS_IS_TEXT)
		return redis_answer(ctx, LIBRA_FRAMING, line, REDIS_LINE);

	number = redis_number(ctx, d, end - 1);
	if (number < 0)
		return redis_pass(ctx, LIBRA_REASON_FOREIGN);
	/* The last part of a streamed string is empty, and has no end either. */
	if (kind == REDIS_IS_COUNT || !number || (type == ';' && !d->length))
		return redis_answer(ctx, LIBRA_FRAMING, line, REDIS_LINE);
	if (d->length < REDIS_SMALL)
		return redis_answer(ctx, LIBRA_FRAMING, line + d->length + 2, REDIS_BULK);
	d->at = REDIS_AT_DATA;
	return redis_answer(ctx, LIBRA_FRAMING, line, REDIS_HEADER);
}

/* At an item. */
static __always_inline int redis_item(struct libra_ctx *ctx, struct redis_dir *d,
				      bool client)
{
	char newline = '\n', type = 0;
	enum redis_kind kind;
	__u32 limit;
	int end;

	if (libra_load(ctx, 0, &type, 1))
		return redis_pass(ctx, LIBRA_REASON_FOREIGN);
	kind = redis_kind_of(type, client);
	if (kind == REDIS_IS_NONE)
		return redis_pass(ctx, LIBRA_REASON_FOREIGN);
	limit = kind == REDIS_IS_COUNT || kind == REDIS_IS_STRING ?
		REDIS_MAX_DIGITS + 3 : REDIS_MAX_LINE;

	end = libra_find(ctx, d->seen, limit - d->seen, &newline, 1);
	if (end >= 0)
		return redis_line(ctx, d, kind, type, end);
	if (ctx->avail >= limit)
		return redis_pass(ctx, LIBRA_REASON_LIMIT);
	d->seen = ctx->avail;
	return redis_answer(ctx, LIBRA_NEED_MORE, ctx->avail + 1ULL, REDIS_MORE);
}

/* Behind a string. */
static __always_inline int redis_end(struct libra_ctx *ctx, struct redis_dir *d)
{
	char end[2] = { '\r', '\n' };
	__u32 have = libra_load_some(ctx, end, 2);

	/* What is not there yet looks right. */
	if (!have || end[0] != '\r' || end[1] != '\n')
		return redis_pass(ctx, LIBRA_REASON_AMBIGUOUS);
	if (have < 2)
		return redis_answer(ctx, LIBRA_NEED_MORE, 2, REDIS_MORE);
	d->at = REDIS_AT_ITEM;
	return redis_answer(ctx, LIBRA_FRAMING, 2, REDIS_LINE);
}

/* The callback: libra_parser_ops.segment. */
static __always_inline int redis_segment(struct libra_ctx *ctx)
{
	struct redis_state *st = (struct redis_state *)ctx->scratch;
	bool client = (ctx->dir == LIBRA_INGRESS) ==
		      (ctx->role == LIBRA_ROLE_PASSIVE);
	struct redis_dir *d = client ? &st->clients : &st->servers;

	if (libra_copied(ctx))
		return redis_pass(ctx, LIBRA_REASON_COPIED);
	if (d->at == REDIS_AT_DATA) {
		d->at = REDIS_AT_END;
		return redis_answer(ctx, LIBRA_PAYLOAD_PART, d->length, REDIS_DATA);
	}
	if (d->at == REDIS_AT_END)
		return redis_end(ctx, d);
	return redis_item(ctx, d, client);
}

/* What the answer just given was about. */
static __always_inline enum redis_event redis_last_event(struct libra_ctx *ctx)
{
	struct redis_state *st = (struct redis_state *)ctx->scratch;

	return (enum redis_event)st->event;
}

#endif /* REDIS_H */
