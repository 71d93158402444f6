/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the HTTP/1 parser reports about each of its answers: the one list
 * behind the enum, the entries of the http1_stats map and their names in the
 * daemon. It is plain C, so that BPF and C++ read the same file.
 */
#ifndef LIBRA_HTTP1_EVENTS_H
#define LIBRA_HTTP1_EVENTS_H

/* X(enumerator, name, description) */
#define HTTP1_EVENTS(X)							\
	X(MORE, "need_more",						\
	  "answers that waited for the rest of a header")		\
	X(REQUEST, "requests", "request headers read")			\
	X(RESPONSE, "responses", "final response headers read")		\
	X(INTERIM, "interim", "1xx response headers read")		\
	X(BODY, "bodies", "bodies with a known length")			\
	X(PASS_START, "pass_start_line",				\
	  "start line that is not strict HTTP/1.0 or HTTP/1.1")		\
	X(PASS_LINE_END, "pass_line_end", "bare LF or bare CR")		\
	X(PASS_NUL, "pass_nul", "NUL in a header")			\
	X(PASS_FIELD, "pass_field",					\
	  "folded line, or field name that is missing or not strict")	\
	X(PASS_TOO_LARGE, "pass_too_large",				\
	  "header with too many bytes or lines")			\
	X(PASS_LENGTH, "pass_length",					\
	  "Content-Length that is repeated, odd or out of place")	\
	X(PASS_CODING, "pass_coding", "Transfer-Encoding, chunked or other") \
	X(PASS_UNTIL_CLOSE, "pass_until_close",				\
	  "response that ends when the connection does")		\
	X(PASS_TUNNEL, "pass_tunnel",					\
	  "CONNECT, 101, or what follows an Upgrade request")		\
	X(PASS_UNMATCHED, "pass_unmatched",				\
	  "response without a request that was read")			\
	X(PASS_PIPELINE, "pass_pipeline", "too many unanswered requests")

enum http1_event {
#define X(id, name, text) HTTP1_##id,
	HTTP1_EVENTS(X)
#undef X
	HTTP1_EVENT_MAX
};

#endif /* LIBRA_HTTP1_EVENTS_H */
