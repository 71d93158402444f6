/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the HTTP/1 parser remembers between its answers, and its limits.
 */
#ifndef LIBRA_HTTP1_STATE_H
#define LIBRA_HTTP1_STATE_H

#include <linux/libra.h>

#include "http1_events.h"

#define HTTP1_MAX_HEADER	65536	/* bytes, blank line included */
#define HTTP1_MAX_LINES		1024	/* start line and fields */
#define HTTP1_MAX_QUEUE		64	/* unanswered requests */
#define HTTP1_MAX_METHOD	16
#define HTTP1_MAX_NAME		64
#define HTTP1_MAX_DIGITS	18	/* of a Content-Length: below 2^60 */
#define HTTP1_MAX_CHUNK_LINE	4096	/* bytes, the CRLF before it included */
#define HTTP1_MAX_HEX		15	/* digits of a chunk size: below 2^60 */

/* http1_dir.at: what the next bytes are */
#define HTTP1_AT_START		0	/* a start line */
#define HTTP1_AT_FIELD		1	/* a field, or the header's blank line */
#define HTTP1_AT_BODY		2	/* d->length bytes of body */
#define HTTP1_AT_SIZE		3	/* a chunk-size line */
#define HTTP1_AT_DATA		4	/* d->length bytes of chunk data */
#define HTTP1_AT_DATA_END	5	/* the CRLF behind chunk data */
#define HTTP1_AT_TRAILER	6	/* a trailer field, or the blank line */
#define HTTP1_AT_REST		7	/* payload until the connection closes */

/* http1_dir.flags: what the header read so far said */
#define HTTP1_F_LENGTH		(1U << 0)	/* has a Content-Length */
#define HTTP1_F_CHUNKED		(1U << 1)	/* has Transfer-Encoding: chunked */
#define HTTP1_F_HEAD		(1U << 2)	/* request method HEAD */
#define HTTP1_F_CONNECT		(1U << 3)	/* request method CONNECT */
#define HTTP1_F_UPGRADE		(1U << 4)	/* has an Upgrade field */
#define HTTP1_F_OLD		(1U << 5)	/* HTTP/1.0 */

/* http1_state.flags */
#define HTTP1_S_UNQUEUED	(1U << 0)	/* responses are not read */
#define HTTP1_S_HOLD		(1U << 1)	/* further requests may be none */
#define HTTP1_S_UPGRADE		(1U << 2)	/* 101 to the last one: a tunnel */
#define HTTP1_S_CONNECT		(1U << 3)	/* 2xx to the last one: a tunnel */
#define HTTP1_S_TUNNEL		(1U << 4)	/* what clients send is payload */
#define HTTP1_S_TLS		(1U << 5)	/* a TLS handshake, so far */

/*
 * One direction. Lines are read one by one as they come in, so bytes are looked
 * at once however a header is cut.
 */
struct http1_dir {
	__u64 length;	/* Content-Length, chunk size; 0 between messages */
	__u32 line;	/* offset of the current line */
	__u32 seen;	/* its end is not before this offset */
	__u16 status;	/* of a response */
	__u16 lines;	/* finished in this header, or these trailers */
	__u8 flags;
	__u8 at;
	__u16 unused;
} __attribute__((may_alias));

struct http1_state {
	struct http1_dir requests;
	struct http1_dir responses;
	__u64 heads;	/* bit i: the i-th unanswered request is a HEAD */
	__u8 queued;	/* number of unanswered requests */
	__u8 flags;
	__u8 event;	/* enum http1_event of the last answer */
	__u8 reason;	/* enum libra_reason, if it passes */
	__u8 unused[4];
} __attribute__((may_alias));

#ifdef __cplusplus
static_assert(sizeof(struct http1_dir) == 24, "layout");
static_assert(sizeof(struct http1_state) == LIBRA_SCRATCH_SIZE, "layout");
static_assert(HTTP1_MAX_QUEUE <= 64, "field width");
#else
_Static_assert(sizeof(struct http1_dir) == 24, "layout");
_Static_assert(sizeof(struct http1_state) == LIBRA_SCRATCH_SIZE, "layout");
_Static_assert(HTTP1_MAX_QUEUE <= 64, "field width");
#endif

/* The answer of a step that leaves the verdict to later ones. */
#define HTTP1_GO_ON		0

static __always_inline enum libra_reason http1_reason(enum http1_event event)
{
	switch (event) {
#define X(id, name, reason, text)					\
	case HTTP1_##id:						\
		return LIBRA_REASON_##reason;
	HTTP1_EVENTS(X)
#undef X
	default:
		return LIBRA_REASON_UNSAID;
	}
}

/* Events are constants here, so that the reason is one. */
static __always_inline int http1_pass(struct http1_state *st,
				      enum http1_event why)
{
	st->event = why;
	st->reason = http1_reason(why);
	return LIBRA_PASS;
}

#endif /* LIBRA_HTTP1_STATE_H */
