/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What single lines of HTTP/1 say: start lines, fields and chunk sizes. Each
 * function notes it in the state, or passes where it is not beyond doubt.
 */
#ifndef LIBRA_HTTP1_LINE_H
#define LIBRA_HTTP1_LINE_H

#include "http1_state.h"

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

	if (version == http1_word("HTTP/1.0"))
		d->flags |= HTTP1_F_OLD;
	if (size == 4 && method[0] == http1_word("HEADAAAA"))
		d->flags |= HTTP1_F_HEAD;
	if (size == 7 && method[0] == http1_word("CONNECTA"))
		d->flags |= HTTP1_F_CONNECT;
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
	if (version == http1_word("HTTP/1.0"))
		d->flags |= HTTP1_F_OLD;
	/* Only in answer to the last request, which nothing follows. */
	if (status == 101 &&
	    (!(st->flags & HTTP1_S_UPGRADE) || st->queued != 1 ||
	     d->flags & HTTP1_F_OLD))
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

	if (d->flags & HTTP1_F_CHUNKED)
		return http1_pass(st, HTTP1_PASS_CODING);
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
 * The value of a Transfer-Encoding: "chunked" in any case behind an optional
 * space, once, in HTTP/1.1 and without a Content-Length. Everything else is
 * what request smuggling is made of.
 */
static __always_inline int http1_coding(struct libra_ctx *ctx,
					struct http1_state *st,
					struct http1_dir *d, __u32 off,
					__u32 end)
{
	__u64 value = HTTP1_BYTES('x');
	char c;

	if (d->flags & (HTTP1_F_LENGTH | HTTP1_F_CHUNKED | HTTP1_F_OLD) ||
	    libra_load(ctx, off, &c, 1))
		return http1_pass(st, HTTP1_PASS_CODING);
	if (c == ' ')
		off++;
	/* Nothing but a capital becomes one of these letters. */
	if (end - off != 7 || libra_load(ctx, off, &value, 7) ||
	    (value | HTTP1_BYTES(0x20)) != http1_word("chunkedx"))
		return http1_pass(st, HTTP1_PASS_CODING);
	d->flags |= HTTP1_F_CHUNKED;
	return HTTP1_GO_ON;
}

/*
 * Go over the fields whose names have not the length of one that http1_field()
 * looks for. It would find nothing wrong with them either.
 */
#define HTTP1_SEEN_SIZES	(1ULL << 14 | 1ULL << 17 | 1ULL << 7)

static __always_inline void http1_skip_fields(struct libra_ctx *ctx,
					      struct http1_dir *d)
{
	__u64 skipped;

	skipped = libra_skip_fields(ctx, d->line, HTTP1_MAX_HEADER - d->line,
				    HTTP1_SEEN_SIZES,
				    HTTP1_MAX_LINES - d->lines);
	d->line = (__u32)skipped;
	d->lines += skipped >> 32;
}

/*
 * A field line, from d->line to @end. Every name must be visible ASCII up to
 * its colon, which also refuses folded lines and blanks before the colon; of
 * values only those that say where the body ends mean anything here, and in a
 * trailer it is too late for them.
 */
static __always_inline int http1_field(struct libra_ctx *ctx,
				       struct http1_state *st,
				       struct http1_dir *d, __u32 end)
{
	bool trailer = d->at == HTTP1_AT_TRAILER;
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

	/* Few names are longer than three words. */
	for (i = 0; i < 3; i++)
		name[i] = HTTP1_BYTES('x');
	if (size > 24)
		for (i = 3; i < HTTP1_MAX_NAME / 8; i++)
			name[i] = HTTP1_BYTES('x');
	if (libra_load(ctx, line, name, size))
		return http1_pass(st, HTTP1_PASS_FIELD);
	for (i = 0; i < 3; i++)
		odd |= http1_outside(name[i], '!', '~');
	if (size > 24)
		for (i = 3; i < HTTP1_MAX_NAME / 8; i++)
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
		return trailer ? http1_pass(st, HTTP1_PASS_CHUNK) :
				 http1_length(ctx, st, d, colon + 1, end);
	if (size == 17 && name[0] == http1_word("transfer") &&
	    name[1] == http1_word("-encodin") &&
	    name[2] == http1_word("gxxxxxxx"))
		return trailer ? http1_pass(st, HTTP1_PASS_CHUNK) :
				 http1_coding(ctx, st, d, colon + 1, end);
	if (size == 7 && name[0] == http1_word("upgradex"))
		d->flags |= HTTP1_F_UPGRADE;
	return HTTP1_GO_ON;
}

/* The value of a hexadecimal digit, or -1. */
static __always_inline int http1_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * A chunk-size line, from d->line to @end: digits (http1_chunk() has seen the
 * first), and no blanks, signs or prefixes that some parsers skip; then nothing,
 * or extensions, of which only matters that they hold no line end.
 */
static __always_inline int http1_size(struct libra_ctx *ctx,
				      struct http1_state *st,
				      struct http1_dir *d, __u32 end)
{
	__u32 line = d->line, off = line;
	int digit;
	char c;

	d->length = 0;	/* summed up there for the verifier, as above */
	libra_repeat(HTTP1_MAX_HEX + 1) {
		if (off == end || libra_load(ctx, off, &c, 1) || c == ';')
			break;
		digit = http1_hex(c);
		if (digit < 0 || off - line >= HTTP1_MAX_HEX)
			return http1_pass(st, HTTP1_PASS_CHUNK);
		d->length = d->length << 4 | digit;
		off++;
	}
	return HTTP1_GO_ON;
}


#endif /* LIBRA_HTTP1_LINE_H */
