/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the HTTP/1 parser reports about each of its answers: the one list
 * behind the enum, the entries of the http1_stats map and their names in the
 * daemon. It is plain C, so that BPF and C++ read the same file.
 */
#ifndef LIBRA_HTTP1_EVENTS_H
#define LIBRA_HTTP1_EVENTS_H

/* X(enumerator, name, why it passes (LIBRA_REASON_*), description) */
#define HTTP1_EVENTS(X)							\
	X(MORE, "need_more", UNSAID,					\
	  "answers that waited for the rest of a header or chunk line")	\
	X(REQUEST, "requests", UNSAID, "request headers read")		\
	X(RESPONSE, "responses", UNSAID, "final response headers read")	\
	X(INTERIM, "interim", UNSAID, "1xx response headers read")	\
	X(BODY, "bodies", UNSAID, "bodies with a known length")		\
	X(SIZE, "chunk_sizes", UNSAID, "sizes of chunks read")		\
	X(DATA, "chunks", UNSAID,					\
	  "chunks, the last one of a body not counted")			\
	X(END, "chunked_bodies", UNSAID,				\
	  "chunked bodies read to their end")				\
	X(REST, "until_close", UNSAID,					\
	  "bodies, and directions of tunnels, that end with the connection") \
	X(BLANK, "blank_lines", UNSAID, "empty lines before a request")	\
	X(TLS, "tls_records", UNSAID,					\
	  "records of a TLS handshake, and what was sent meanwhile")	\
	X(PASS_TLS, "pass_tls", ENCRYPTED,				\
	  "TLS that the application decrypts, or that is none")		\
	X(PASS_START, "pass_start_line", FOREIGN,			\
	  "start line that is not strict HTTP/1.0 or HTTP/1.1")		\
	X(PASS_LINE_END, "pass_line_end", AMBIGUOUS,			\
	  "bare LF or bare CR")						\
	X(PASS_NUL, "pass_nul", AMBIGUOUS, "NUL in a header")		\
	X(PASS_FIELD, "pass_field", AMBIGUOUS,				\
	  "folded line, or field name that is missing or not strict")	\
	X(PASS_TOO_LARGE, "pass_too_large", LIMIT,			\
	  "header, or trailers, with too many bytes or lines")		\
	X(PASS_LENGTH, "pass_length", AMBIGUOUS,			\
	  "Content-Length that is repeated, odd, out of place or missing") \
	X(PASS_CODING, "pass_coding", AMBIGUOUS,			\
	  "Transfer-Encoding that is not just chunked, or out of place") \
	X(PASS_CHUNK, "pass_chunk", AMBIGUOUS,				\
	  "chunk line or trailer that is not strict, or too large")	\
	X(PASS_TUNNEL, "pass_tunnel", CHANGES,				\
	  "what may belong to a tunnel, or not to be anchored in one")	\
	X(PASS_UNMATCHED, "pass_unmatched", UNMATCHED,			\
	  "response without a request that was read")			\
	X(PASS_PIPELINE, "pass_pipeline", LIMIT,			\
	  "too many unanswered requests")

enum http1_event {
#define X(id, name, reason, text) HTTP1_##id,
	HTTP1_EVENTS(X)
#undef X
	HTTP1_EVENT_MAX
};

#endif /* LIBRA_HTTP1_EVENTS_H */
