/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP/1 message boundaries, as a Libra parser: a bounded state machine that
 * is the same code in BPF, in unit tests and under a fuzzer.
 *
 * The includer defines libra_load(), libra_find(), libra_repeat() and
 * libra_opaque() first (libra_bpf.h for BPF).
 *
 * The rule behind every decision: payload is what *every* HTTP/1 parser, strict
 * or lenient, takes for payload. A header that two parsers could read in two
 * ways is where request smuggling lives, so it gets LIBRA_PASS before a byte
 * behind it is anchored. PASS is always correct and costs only speed.
 *
 * Requests frame themselves. Responses do not (HEAD), so each request read
 * queues one bit and each final response takes one; a response without a
 * queued request passes. Hence what a PASS means to the other direction:
 *
 * - Requests passed: the answers to requests queued before are still matched,
 *   later ones find the queue empty and pass. Nothing needs to be remembered.
 * - Responses passed, their start line read: requests are unaffected and are
 *   no longer queued (HTTP1_F_UNQUEUED).
 * - Responses passed because of a 101, or where the start line was not
 *   read, so that it may have been one: requests pass from the next one on
 *   (HTTP1_F_TUNNEL).
 * - A request with an Upgrade field is read and its answer is matched, as most
 *   servers decline and answer in HTTP/1; requests behind it pass
 *   (HTTP1_F_TUNNEL). Upgrade in a response is an advertisement unless it is 101.
 *
 * PASS on egress says that nothing more is known of the stream, not that no
 * VPI follows: a chunked answer may precede one with a length.
 */
#ifndef LIBRA_HTTP1_H
#define LIBRA_HTTP1_H

#include <linux/libra.h>

#include "http1_events.h"

#define HTTP1_MAX_HEADER	65536	/* bytes, blank line included */
#define HTTP1_MAX_LINES		128	/* start line and fields */
#define HTTP1_MAX_QUEUE		64	/* unanswered requests */
#define HTTP1_MAX_METHOD	16
#define HTTP1_MAX_NAME		64
#define HTTP1_MAX_DIGITS	18	/* of a Content-Length: below 2^60 */

/* http1_dir.flags: what the header read so far said */
#define HTTP1_F_LENGTH		(1U << 0)	/* has a Content-Length */
#define HTTP1_F_HEAD		(1U << 1)	/* request method HEAD */
#define HTTP1_F_UPGRADE		(1U << 2)	/* request wants to upgrade */
#define HTTP1_F_BODY		(1U << 3)	/* its body is the next segment */

/* http1_state.flags */
#define HTTP1_F_UNQUEUED	(1U << 0)	/* responses are not read */
#define HTTP1_F_TUNNEL		(1U << 1)	/* further requests may be none */

/*
 * One direction. A header is read line by line as its lines come in, so bytes
 * are looked at once however a header is cut.
 */
struct http1_dir {
	__u64 length;	/* Content-Length; 0 between messages */
	__u32 line;	/* offset of the current line */
	__u32 seen;	/* its end is not before this offset */
	__u16 status;	/* of a response */
	__u8 lines;	/* finished */
	__u8 flags;
	__u32 unused;
} __attribute__((may_alias));

struct http1_state {
	struct http1_dir requests;
	struct http1_dir responses;
	__u64 heads;	/* bit i: the i-th unanswered request is a HEAD */
	__u8 queued;	/* number of unanswered requests */
	__u8 flags;
	__u8 event;	/* enum http1_event of the last answer */
	__u8 unused[5];
} __attribute__((may_alias));

#ifdef __cplusplus
static_assert(sizeof(struct http1_dir) == 24, "layout");
static_assert(sizeof(struct http1_state) == LIBRA_SCRATCH_SIZE, "layout");
static_assert(HTTP1_MAX_QUEUE <= 64 && HTTP1_MAX_LINES < 256, "field width");
#else
_Static_assert(sizeof(struct http1_dir) == 24, "layout");
_Static_assert(sizeof(struct http1_state) == LIBRA_SCRATCH_SIZE, "layout");
_Static_assert(HTTP1_MAX_QUEUE <= 64 && HTTP1_MAX_LINES < 256, "field width");
#endif

/* The answer of a step that leaves the verdict to later ones. */
#define HTTP1_GO_ON		0

static __always_inline int http1_pass(struct http1_state *st,
				      enum http1_event why)
{
	st->event = why;
	return LIBRA_PASS;
}

/* Eight characters as the integer they are in memory, on either endianness. */
static __always_inline __u64 http1_word(const char *text)
{
	__u64 word;

	__builtin_memcpy(&word, text, sizeof(word));
	return word;
}

#define HTTP1_BYTES(b)		(0x0101010101010101ULL * (b))

/*
 * Non-zero if a byte of @word is below @lo or above @hi (both ASCII). A borrow
 * can flag a good byte as well, but only above one that is bad.
 */
static __always_inline __u64 http1_outside(__u64 word, __u8 lo, __u8 hi)
{
	return (word | (word - HTTP1_BYTES(lo)) |
		(word + HTTP1_BYTES(0x7f - hi))) & HTTP1_BYTES(0x80);
}

/* METHOD SP target SP HTTP/1.x, with these two spaces and no other. */
static __always_inline int http1_request_line(struct libra_ctx *ctx,
					      struct http1_state *st,
					      struct http1_dir *d, __u32 len)
{
	__u64 method[HTTP1_MAX_METHOD / 8], version;
	char space = ' ';
	int first, last;
	__u32 size;

	first = libra_find(ctx, 0, HTTP1_MAX_METHOD + 1, &space, 1);
	if (first <= 0)
		return http1_pass(st, HTTP1_PASS_START);
	size = first;
	libra_opaque(size);
	if (size > HTTP1_MAX_METHOD)
		return http1_pass(st, HTTP1_PASS_START);

	/* Filled up with a character that methods may have. */
	method[0] = HTTP1_BYTES('A');
	method[1] = HTTP1_BYTES('A');
	if (libra_load(ctx, 0, method, size) ||
	    http1_outside(method[0], 'A', 'Z') ||
	    http1_outside(method[1], 'A', 'Z'))
		return http1_pass(st, HTTP1_PASS_START);

	/* No overflow: len is below HTTP1_MAX_HEADER. */
	last = libra_find(ctx, first + 1, len, &space, 1);
	if (last <= first + 1 || last + 9U != len ||
	    libra_load(ctx, last + 1, &version, sizeof(version)) ||
	    (version != http1_word("HTTP/1.1") &&
	     version != http1_word("HTTP/1.0")))
		return http1_pass(st, HTTP1_PASS_START);

	if (size == 4 && method[0] == http1_word("HEADAAAA"))
		d->flags |= HTTP1_F_HEAD;
	if (size == 7 && method[0] == http1_word("CONNECTA"))
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	return HTTP1_GO_ON;
}

/* HTTP/1.x SP three digits, then a space or the end. */
static __always_inline int http1_status_line(struct libra_ctx *ctx,
					     struct http1_state *st,
					     struct http1_dir *d, __u32 len)
{
	__u64 version;
	char code[5];
	__u32 status;

	code[4] = ' ';
	if (len < 12 || libra_load(ctx, 0, &version, sizeof(version)) ||
	    libra_load(ctx, 8, code, 4) ||
	    (len > 12 && libra_load(ctx, 12, &code[4], 1)))
		goto odd;
	if (version != http1_word("HTTP/1.1") &&
	    version != http1_word("HTTP/1.0"))
		goto odd;
	if (code[0] != ' ' || code[4] != ' ' ||
	    code[1] < '1' || code[1] > '5' ||
	    code[2] < '0' || code[2] > '9' ||
	    code[3] < '0' || code[3] > '9')
		goto odd;

	status = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
	if (status == 101)
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	d->status = status;
	return HTTP1_GO_ON;
odd:
	return http1_pass(st, HTTP1_PASS_START);
}

/*
 * The value of a Content-Length, in the one form that nobody reads in two
 * ways: an optional space, then digits without a leading zero, then the end.
 */
static __always_inline int http1_length(struct libra_ctx *ctx,
					struct http1_state *st,
					struct http1_dir *d, __u32 off,
					__u32 end)
{
	char c;

	if (d->flags & HTTP1_F_LENGTH || libra_load(ctx, off, &c, 1))
		return http1_pass(st, HTTP1_PASS_LENGTH);
	if (c == ' ')
		off++;
	if (off == end || end - off > HTTP1_MAX_DIGITS ||
	    libra_load(ctx, off, &c, 1) || (c == '0' && end - off > 1))
		return http1_pass(st, HTTP1_PASS_LENGTH);

	/* Summed up in the scratch area, where the verifier does not follow
	 * it: it would take every number of digits for a case of its own.
	 */
	d->length = 0;
	libra_repeat(HTTP1_MAX_DIGITS) {
		if (off == end)
			break;
		if (libra_load(ctx, off, &c, 1) || c < '0' || c > '9')
			return http1_pass(st, HTTP1_PASS_LENGTH);
		d->length = d->length * 10 + (c - '0');
		off++;
	}
	d->flags |= HTTP1_F_LENGTH;
	return HTTP1_GO_ON;
}

/*
 * A field line, from d->line to @end. Every name must be visible ASCII up to
 * its colon, which also refuses folded lines and blanks before the colon; of
 * values only that of Content-Length means anything here.
 */
static __always_inline int http1_field(struct libra_ctx *ctx,
				       struct http1_state *st,
				       struct http1_dir *d, bool request,
				       __u32 end)
{
	__u64 name[HTTP1_MAX_NAME / 8], odd = 0;
	__u32 line = d->line, len = end - line, size, i;
	char mark = ':';
	int colon;

	if (len > HTTP1_MAX_NAME + 1)
		len = HTTP1_MAX_NAME + 1;
	colon = libra_find(ctx, line, len, &mark, 1);
	if (colon < 0)
		return http1_pass(st, HTTP1_PASS_FIELD);
	size = colon - line;
	libra_opaque(size);
	if (size == 0 || size > HTTP1_MAX_NAME)
		return http1_pass(st, HTTP1_PASS_FIELD);

	for (i = 0; i < HTTP1_MAX_NAME / 8; i++)
		name[i] = HTTP1_BYTES('x');
	if (libra_load(ctx, line, name, size))
		return http1_pass(st, HTTP1_PASS_FIELD);
	for (i = 0; i < HTTP1_MAX_NAME / 8; i++)
		odd |= http1_outside(name[i], '!', '~');
	if (odd)
		return http1_pass(st, HTTP1_PASS_FIELD);

	/* To lower case. It maps nothing else to a letter or to '-', as control
	 * characters are ruled out.
	 */
	for (i = 0; i < 3; i++)
		name[i] |= HTTP1_BYTES(0x20);

	if (size == 14 && name[0] == http1_word("content-") &&
	    name[1] == http1_word("lengthxx"))
		return http1_length(ctx, st, d, colon + 1, end);
	if (size == 17 && name[0] == http1_word("transfer") &&
	    name[1] == http1_word("-encodin") &&
	    name[2] == http1_word("gxxxxxxx"))
		return http1_pass(st, HTTP1_PASS_CODING);
	if (size == 7 && name[0] == http1_word("upgradex") && request)
		d->flags |= HTTP1_F_UPGRADE;
	return HTTP1_GO_ON;
}

/* A request header is complete: queue it. */
static __always_inline int http1_request(struct http1_state *st,
					 struct http1_dir *d)
{
	if (!(st->flags & HTTP1_F_UNQUEUED)) {
		if (st->queued >= HTTP1_MAX_QUEUE)
			return http1_pass(st, HTTP1_PASS_PIPELINE);
		if (d->flags & HTTP1_F_HEAD)
			st->heads |= 1ULL << (st->queued & 63);
		st->queued++;
	}
	if (d->flags & HTTP1_F_UPGRADE)
		st->flags |= HTTP1_F_TUNNEL;
	st->event = HTTP1_REQUEST;
	return HTTP1_GO_ON;
}

/* A response header is complete: match it with its request. */
static __always_inline int http1_response(struct http1_state *st,
					  struct http1_dir *d)
{
	__u32 status = d->status;
	bool sized = d->flags & HTTP1_F_LENGTH;
	bool head;

	if (status < 200) {
		if (sized)
			return http1_pass(st, HTTP1_PASS_LENGTH);
		st->event = HTTP1_INTERIM;
		return HTTP1_GO_ON;
	}

	head = st->heads & 1;
	st->heads >>= 1;
	st->queued--;
	st->event = HTTP1_RESPONSE;
	if (status == 204 && sized && d->length)
		return http1_pass(st, HTTP1_PASS_LENGTH);
	if (head || status == 204 || status == 304)
		d->length = 0;
	else if (!sized)
		return http1_pass(st, HTTP1_PASS_UNTIL_CLOSE);
	return HTTP1_GO_ON;
}

/* The blank line is at d->line: answer with the whole header. */
static __always_inline int http1_end(struct libra_ctx *ctx,
				     struct http1_state *st,
				     struct http1_dir *d, bool request)
{
	__u32 size = d->line + 2;
	char nul = '\0';
	int verdict;

	if (libra_find(ctx, 0, size, &nul, 1) >= 0)
		return http1_pass(st, HTTP1_PASS_NUL);
	verdict = request ? http1_request(st, d) : http1_response(st, d);
	if (verdict != HTTP1_GO_ON)
		return verdict;

	d->line = 0;
	d->seen = 0;
	d->lines = 0;
	d->flags = d->length ? HTTP1_F_BODY : 0;
	ctx->seg_len = size;
	return LIBRA_META;
}

/* One line: its end, then what it says. */
static __always_inline int http1_line(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, bool request)
{
	char lf = '\n', cr = '\r';
	int end, ret, verdict;
	__u32 line = d->line;

	end = libra_find(ctx, d->seen, HTTP1_MAX_HEADER - d->seen, &lf, 1);
	if (end < 0) {
		if (ctx->avail >= HTTP1_MAX_HEADER)
			return http1_pass(st, HTTP1_PASS_TOO_LARGE);
		d->seen = ctx->avail;
		ctx->seg_len = ctx->avail + 1ULL;
		st->event = HTTP1_MORE;
		return LIBRA_NEED_MORE;
	}

	/* The first CR of a line is the one before its LF. Thus LF alone, with
	 * which lenient parsers end a line or a header early, never gets by.
	 */
	ret = libra_find(ctx, line, end - line, &cr, 1);
	if (ret < 0 || ret + 1 != end)
		return http1_pass(st, HTTP1_PASS_LINE_END);

	if (!d->lines)
		verdict = request ?
			http1_request_line(ctx, st, d, ret) :
			http1_status_line(ctx, st, d, ret);
	else if ((__u32)ret == line)
		return http1_end(ctx, st, d, request);
	else if (d->lines >= HTTP1_MAX_LINES)
		return http1_pass(st, HTTP1_PASS_TOO_LARGE);
	else
		verdict = http1_field(ctx, st, d, request, ret);

	if (verdict == HTTP1_GO_ON) {
		d->lines++;
		d->line = end + 1;
		d->seen = end + 1;
	}
	return verdict;
}

/* At a message, or further into its header. */
static __always_inline int http1_header(struct libra_ctx *ctx,
					struct http1_state *st,
					struct http1_dir *d, bool request)
{
	int verdict = HTTP1_GO_ON;
	char c;

	if (request && st->flags & HTTP1_F_TUNNEL)
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	if (!request && !st->queued)
		return http1_pass(st, HTTP1_PASS_UNMATCHED);
	/* What is no HTTP (TLS, HTTP/2, a CRLF too many) ends at its first
	 * byte: it may never have an LF.
	 */
	if (!d->lines &&
	    (libra_load(ctx, 0, &c, 1) ||
	     (request ? c < 'A' || c > 'Z' : c != 'H')))
		return http1_pass(st, HTTP1_PASS_START);

	libra_repeat(HTTP1_MAX_LINES + 1) {
		verdict = http1_line(ctx, st, d, request);
		if (verdict != HTTP1_GO_ON)
			break;
	}
	if (verdict == HTTP1_GO_ON)
		verdict = http1_pass(st, HTTP1_PASS_TOO_LARGE);
	return verdict;
}

/*
 * Request bodies on ingress are copied unless the policy asks otherwise: a
 * proxy may send them a second time, to another upstream. On egress bodies are
 * always payload, for there may be VPIs in them.
 */
static __always_inline int http1_body(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, bool request)
{
	ctx->seg_len = d->length;
	d->length = 0;
	d->flags = 0;
	st->event = HTTP1_BODY;
	if (request && ctx->dir == LIBRA_INGRESS &&
	    !(ctx->flags & LIBRA_F_ANCHOR_REQUESTS))
		return LIBRA_META;
	return LIBRA_PAYLOAD;
}

/* The callback: libra_parser_ops.segment. */
static __always_inline int http1_segment(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;
	bool request = (ctx->dir == LIBRA_INGRESS) ==
		       (ctx->role == LIBRA_ROLE_PASSIVE);
	struct http1_dir *d = request ? &st->requests : &st->responses;
	int verdict;

	if (d->flags & HTTP1_F_BODY)
		return http1_body(ctx, st, d, request);

	verdict = http1_header(ctx, st, d, request);
	if (verdict == LIBRA_PASS && !request) {
		st->flags |= HTTP1_F_UNQUEUED;
		if (!d->lines)
			st->flags |= HTTP1_F_TUNNEL;
	}
	return verdict;
}

/* What the answer just given was about, for statistics. */
static __always_inline enum http1_event
http1_last_event(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;

	return (enum http1_event)st->event;
}

#endif /* LIBRA_HTTP1_H */
