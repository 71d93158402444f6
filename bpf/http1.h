/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP/1 message boundaries, as a Libra parser: a bounded state machine that
 * is the same code in BPF, in unit tests and under a fuzzer.
 *
 * The includer defines libra_load(), libra_find(), libra_find_below(),
 * libra_skip_fields(), libra_repeat() and libra_opaque() first (libra_bpf.h for
 * BPF).
 *
 * The rule behind every decision: payload is what *every* HTTP/1 parser, strict
 * or lenient, takes for payload. A header that two parsers could read in two
 * ways is where request smuggling lives, so it gets LIBRA_PASS before a byte
 * behind it is anchored. PASS is always correct and costs only speed.
 *
 * A chunked body is read chunk by chunk, by the same rule: at a size, a line
 * end or a trailer that is not beyond doubt the direction passes. What was
 * anchored before is payload to those parsers as well that go on.
 *
 * Requests frame themselves. Responses do not (HEAD), so each request read
 * queues one bit and each final response takes one; a response without a
 * queued request passes. Hence what a PASS means to the other direction:
 *
 * - Requests passed: the answers to requests queued before are still matched,
 *   later ones find the queue empty and pass. Nothing needs to be remembered; but
 *   the kernel has to know before an answer is anchored (http1_answer()).
 * - Responses passed, their start line read: requests are unaffected and are
 *   no longer queued (HTTP1_S_UNQUEUED).
 * - Responses passed because of a 101, or where the start line was not
 *   read, so that it may have been one: requests pass from the next one on
 *   (HTTP1_S_HOLD).
 *
 * Tunnels. Behind a request with an Upgrade field, or a CONNECT, the client's
 * bytes may or may not be HTTP until the answer is known. Those that come
 * earlier pass (HTTP1_S_HOLD); the answer is matched all the same, because the
 * request was the last one in the queue, and what is behind it on its own side
 * does not depend on how the other one is read. Only an answer that nobody
 * doubts makes a tunnel, payload in both directions: 101 with Upgrade in answer
 * to Upgrade, both in HTTP/1.1, the request without a body; 2xx in answer to
 * CONNECT, both without a length. Another final answer that is beyond doubt ends
 * the waiting, and requests go on. Upgrade in a response is an advertisement
 * unless it is 101.
 *
 * PASS on egress says that nothing more is known of the stream, not that no
 * VPI follows: a response that is unclear may precede one with a length.
 */
#ifndef LIBRA_HTTP1_H
#define LIBRA_HTTP1_H

#include "http1_line.h"
#include "http1_tls.h"
#include "parser.h"

/* A request header is complete: queue it. */
static __always_inline int http1_request(struct http1_state *st,
					 struct http1_dir *d)
{
	__u32 body = d->flags & (HTTP1_F_LENGTH | HTTP1_F_CHUNKED);

	if (d->flags & HTTP1_F_CONNECT && body)
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	if (!(st->flags & HTTP1_S_UNQUEUED)) {
		if (st->queued >= HTTP1_MAX_QUEUE)
			return http1_pass(st, HTTP1_PASS_PIPELINE);
		if (d->flags & HTTP1_F_HEAD)
			st->heads |= 1ULL << (st->queued & 63);
		st->queued++;
	}

	if (d->flags & HTTP1_F_CONNECT)
		st->flags |= HTTP1_S_HOLD | HTTP1_S_CONNECT;
	else if (d->flags & HTTP1_F_UPGRADE)
		st->flags |= body || d->flags & HTTP1_F_OLD ?
			     HTTP1_S_HOLD : HTTP1_S_HOLD | HTTP1_S_UPGRADE;

	if (d->flags & HTTP1_F_CHUNKED)
		d->at = HTTP1_AT_SIZE;
	else
		d->at = d->length ? HTTP1_AT_BODY : HTTP1_AT_START;
	st->event = HTTP1_REQUEST;
	return HTTP1_GO_ON;
}

/* A response header is complete: match it with its request. */
static __always_inline int http1_response(struct libra_ctx *ctx,
					  struct http1_state *st,
					  struct http1_dir *d)
{
	bool sized = d->flags & HTTP1_F_LENGTH;
	bool chunked = d->flags & HTTP1_F_CHUNKED;
	__u32 status = d->status;
	bool head, tunnel;

	if (status < 200 && status != 101) {
		if (sized || chunked)
			return http1_pass(st, HTTP1_PASS_LENGTH);
		d->at = HTTP1_AT_START;
		st->event = HTTP1_INTERIM;
		return HTTP1_GO_ON;
	}

	if (http1_tls_blind(ctx) && (status == 101 || (!sized && !chunked &&
	    status != 204 && status != 304)))
		return http1_pass(st, HTTP1_PASS_UNMATCHED);
	tunnel = status == 101 || (st->flags & HTTP1_S_CONNECT &&
				   st->queued == 1 && status < 300);
	head = st->heads & 1;
	st->heads >>= 1;
	st->queued--;
	st->event = HTTP1_RESPONSE;
	if (tunnel) {
		if (sized || chunked ||
		    (status == 101 && !(d->flags & HTTP1_F_UPGRADE)))
			return http1_pass(st, HTTP1_PASS_TUNNEL);
		st->flags |= HTTP1_S_TUNNEL;
		d->at = HTTP1_AT_REST;
		return HTTP1_GO_ON;
	}

	if (head || status == 204 || status == 304) {
		if (chunked)
			return http1_pass(st, HTTP1_PASS_CODING);
		if (status == 204 && sized && d->length)
			return http1_pass(st, HTTP1_PASS_LENGTH);
		d->length = 0;
		d->at = HTTP1_AT_START;
	} else if (sized && !d->length) {
		d->at = HTTP1_AT_START;
	} else if (status == 205) {
		/* Has no body to some, whatever follows to others. */
		return http1_pass(st, HTTP1_PASS_LENGTH);
	} else if (chunked) {
		d->at = HTTP1_AT_SIZE;
	} else if (sized) {
		d->at = HTTP1_AT_BODY;
	} else {
		st->flags |= HTTP1_S_UNQUEUED;
		d->at = HTTP1_AT_REST;
	}
	/* A last request that is still waited for has its answer. */
	if (!st->queued)
		st->flags &= HTTP1_S_UNQUEUED;
	return HTTP1_GO_ON;
}

/*
 * The line that ends a segment of metadata ends at @size. Chunk sizes are
 * FRAMING where chunks are payload: a VPI may be cut there, and the message
 * goes on. What is copied as a whole has no need of that.
 */
static __always_inline int http1_segment_end(struct libra_ctx *ctx,
					     struct http1_state *st,
					     struct http1_dir *d, bool request,
					     __u32 size)
{
	int verdict = LIBRA_META;

	if (d->at == HTTP1_AT_FIELD) {
		int header = request ? http1_request(st, d) :
				       http1_response(ctx, st, d);

		if (header != HTTP1_GO_ON)
			return header;
	} else if (d->at == HTTP1_AT_TRAILER) {
		d->at = HTTP1_AT_START;
		st->event = HTTP1_END;
	} else {
		if (!libra_copied(ctx))
			verdict = LIBRA_FRAMING;
		d->at = HTTP1_AT_DATA;
		st->event = HTTP1_SIZE;
	}

	d->line = 0;
	d->seen = 0;
	d->lines = 0;
	d->flags = 0;
	ctx->seg_len = size;
	return verdict;
}

/* What the line from d->line to @end says. */
static __always_inline int http1_read_line(struct libra_ctx *ctx,
					   struct http1_state *st,
					   struct http1_dir *d, bool request,
					   __u32 end)
{
	int verdict;

	if (d->at == HTTP1_AT_START) {
		verdict = request ? http1_request_line(ctx, st, d, end) :
				    http1_status_line(ctx, st, d, end);
		if (verdict == HTTP1_GO_ON)
			d->at = HTTP1_AT_FIELD;
		return verdict;
	}
	if (d->at == HTTP1_AT_SIZE) {
		verdict = http1_size(ctx, st, d, end);
		if (verdict == HTTP1_GO_ON && !d->length)
			d->at = HTTP1_AT_TRAILER;
		if (verdict != HTTP1_GO_ON || !d->length)
			return verdict;
	} else if (end != d->line) {
		if (d->lines >= HTTP1_MAX_LINES)
			return http1_pass(st, HTTP1_PASS_TOO_LARGE);
		return http1_field(ctx, st, d, end);
	}
	return http1_segment_end(ctx, st, d, request, end + 2);
}

/* More than what is at hand is needed: the end of the line is not before @seen. */
static __always_inline int http1_more(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, __u32 seen)
{
	d->seen = seen;
	ctx->seg_len = ctx->avail + 1ULL;
	st->event = HTTP1_MORE;
	return LIBRA_NEED_MORE;
}

static __always_inline int http1_too_large(struct http1_state *st,
					   const struct http1_dir *d)
{
	if (d->at == HTTP1_AT_SIZE)
		return http1_pass(st, HTTP1_PASS_CHUNK);
	return http1_pass(st, HTTP1_PASS_TOO_LARGE);
}

/*
 * One line: its end, then what it says. Of CR, LF and NUL, the first one in a line
 * is the CR of its CRLF. Thus LF or CR alone, with which lenient parsers end a line
 * or a header early, never get by. Other control characters may be part of a value:
 * the line goes on behind them, and counts once more.
 */
static __always_inline int http1_line(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, bool request)
{
	__u32 limit = d->at == HTTP1_AT_SIZE ? HTTP1_MAX_CHUNK_LINE :
					       HTTP1_MAX_HEADER;
	int end, verdict;
	char c[2];

	end = libra_find_below(ctx, d->seen, limit - d->seen, ' ');
	if (end < 0)
		return ctx->avail >= limit ? http1_too_large(st, d) :
					     http1_more(ctx, st, d, ctx->avail);
	if (libra_load(ctx, end, c, 2)) {
		/* It is the last byte at hand. */
		if (libra_load(ctx, end, c, 1))
			return http1_pass(st, HTTP1_PASS_LINE_END);
		c[1] = '\n';
		if (c[0] == '\r' && ctx->avail < limit)
			return http1_more(ctx, st, d, end);
	}
	if (c[0] == '\0')
		return http1_pass(st, HTTP1_PASS_NUL);
	if (c[0] != '\r' && c[0] != '\n') {
		if (d->lines >= HTTP1_MAX_LINES)
			return http1_pass(st, HTTP1_PASS_TOO_LARGE);
		d->lines++;
		d->seen = end + 1;
		return HTTP1_GO_ON;
	}
	if (c[0] == '\n' || c[1] != '\n')
		return http1_pass(st, HTTP1_PASS_LINE_END);
	if (end + 2U > limit)
		return http1_too_large(st, d);

	verdict = http1_read_line(ctx, st, d, request, end);
	if (verdict == HTTP1_GO_ON) {
		d->lines++;
		d->line = end + 2;
		/* Only fields, or trailers, can be next. */
		http1_skip_fields(ctx, d);
		d->seen = d->line;
	}
	return verdict;
}

/* Metadata: line after line, until a verdict. */
static __always_inline int http1_lines(struct libra_ctx *ctx,
				       struct http1_state *st,
				       struct http1_dir *d, bool request)
{
	int verdict = HTTP1_GO_ON;

	libra_repeat(HTTP1_MAX_LINES + 2) {
		verdict = http1_line(ctx, st, d, request);
		if (verdict != HTTP1_GO_ON)
			break;
	}
	if (verdict == HTTP1_GO_ON)
		verdict = http1_pass(st, HTTP1_PASS_TOO_LARGE);
	return verdict;
}

/*
 * An empty line before a request, of which a server ignores at least one (RFC 9112,
 * 2.2). Whoever does not ignore it refuses the request behind it, so that nobody
 * takes it for something else.
 */
static __always_inline int http1_blank(struct libra_ctx *ctx,
				       struct http1_state *st)
{
	char c;

	ctx->seg_len = 2;
	if (ctx->avail < 2) {
		st->event = HTTP1_MORE;
		return LIBRA_NEED_MORE;
	}
	if (libra_load(ctx, 1, &c, 1) || c != '\n')
		return http1_pass(st, HTTP1_PASS_START);
	st->event = HTTP1_BLANK;
	return LIBRA_META;
}

/* At a message, or further into its header: may it be read? */
static __always_inline int http1_header(struct libra_ctx *ctx,
					struct http1_state *st,
					struct http1_dir *d, bool request)
{
	char c;

	if (request && st->flags & HTTP1_S_HOLD)
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	/* The other direction is not read. */
	if (http1_tls_blind(ctx))
		st->queued = !request;
	if (!request && !st->queued)
		return http1_pass(st, HTTP1_PASS_UNMATCHED);
	if (d->at != HTTP1_AT_START)
		return HTTP1_GO_ON;
	/* What is no HTTP (TLS, HTTP/2) ends at its first byte: it may never
	 * have an LF.
	 */
	if (libra_load(ctx, 0, &c, 1))
		return http1_pass(st, HTTP1_PASS_START);
	if (request && c == '\r')
		return http1_blank(ctx, st);
	if (request ? c < 'A' || c > 'Z' : c != 'H')
		return http1_pass(st, HTTP1_PASS_START);
	return HTTP1_GO_ON;
}

/*
 * Behind a chunk, before one, or among the trailers: up to the size. The CRLF,
 * the next size and, if it is 0, the trailers are one segment, because only then
 * is it known whether the message goes on.
 */
static __always_inline int http1_chunk(struct libra_ctx *ctx,
				       struct http1_state *st,
				       struct http1_dir *d)
{
	char c = '\r';

	if (d->at == HTTP1_AT_DATA_END) {
		if (libra_load(ctx, 0, &c, 1) || c != '\r')
			return http1_pass(st, HTTP1_PASS_CHUNK);
		if (ctx->avail < 2) {
			ctx->seg_len = 2;
			st->event = HTTP1_MORE;
			return LIBRA_NEED_MORE;
		}
		if (libra_load(ctx, 1, &c, 1) || c != '\n')
			return http1_pass(st, HTTP1_PASS_CHUNK);
		d->line = 2;
		d->seen = 2;
		d->at = HTTP1_AT_SIZE;
	}
	/* Here, too, what is none ends at its first byte. */
	if (d->at == HTTP1_AT_SIZE && !libra_load(ctx, d->line, &c, 1) &&
	    http1_hex(c) < 0)
		return http1_pass(st, HTTP1_PASS_CHUNK);
	return HTTP1_GO_ON;
}

/* A body, or a chunk's data. */
static __always_inline int http1_body(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, bool request)
{
	bool chunk = d->at == HTTP1_AT_DATA;

	if (!chunk && !request && http1_tls_blind(ctx)) {
		int verdict = http1_tls_doubt(ctx, st, d->length);

		if (verdict != HTTP1_GO_ON)
			return verdict;
	}
	ctx->seg_len = d->length;
	d->length = 0;
	d->at = chunk ? HTTP1_AT_DATA_END : HTTP1_AT_START;
	st->event = chunk ? HTTP1_DATA : HTTP1_BODY;
	if (libra_copied(ctx))
		return LIBRA_META;
	return chunk ? LIBRA_PAYLOAD_PART : LIBRA_PAYLOAD;
}

/* The rest of the direction. */
static __always_inline int http1_rest(struct libra_ctx *ctx,
				      struct http1_state *st)
{
	if (libra_copied(ctx))
		return http1_pass(st, HTTP1_PASS_TUNNEL);
	st->event = HTTP1_REST;
	return LIBRA_PAYLOAD_UNTIL_CLOSE;
}

/* What the bytes at hand are. */
static __always_inline int http1_segment(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;
	bool request = (ctx->dir == LIBRA_INGRESS) ==
		       (ctx->role == LIBRA_ROLE_PASSIVE);
	struct http1_dir *d = request ? &st->requests : &st->responses;
	int verdict;

	if (st->flags & HTTP1_S_TLS || http1_tls_begins(ctx, st))
		return http1_tls_handshake(ctx, st);
	if (!http1_tls_sees(ctx))
		return http1_tls_half(ctx, st);
	if (d->at == HTTP1_AT_BODY || d->at == HTTP1_AT_DATA)
		return http1_body(ctx, st, d, request);
	if (d->at == HTTP1_AT_REST || (request && st->flags & HTTP1_S_TUNNEL))
		return http1_rest(ctx, st);

	if (d->at <= HTTP1_AT_FIELD)
		verdict = http1_header(ctx, st, d, request);
	else
		verdict = http1_chunk(ctx, st, d);
	if (verdict == HTTP1_GO_ON)
		verdict = http1_lines(ctx, st, d, request);
	if (verdict == LIBRA_PASS && !request) {
		st->flags |= HTTP1_S_UNQUEUED;
		if (d->at == HTTP1_AT_START)
			st->flags |= HTTP1_S_HOLD;
	}
	return verdict;
}

/* The callback: libra_parser_ops.segment. */
static __always_inline int http1_answer(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;
	int verdict = http1_segment(ctx);

	if (verdict == LIBRA_PASS)
		ctx->reason = st->reason;
	/* A tunnel is understood in either direction. */
	if (verdict == LIBRA_PASS && ctx->dir == LIBRA_INGRESS &&
	    ctx->role == LIBRA_ROLE_PASSIVE && !(st->flags & HTTP1_S_TUNNEL))
		return LIBRA_PASS_BOTH;
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
