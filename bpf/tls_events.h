/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the TLS parser reports about each of its answers; see http1_events.h.
 */
#ifndef LIBRA_TLS_EVENTS_H
#define LIBRA_TLS_EVENTS_H

/* X(enumerator, name, why it passes (LIBRA_REASON_*), description) */
#define TLS_EVENTS(X)							\
	X(MORE, "need_more", UNSAID,					\
	  "answers that waited for the rest of a record header or hello") \
	X(RECORD, "records", UNSAID,					\
	  "records that are not application data")			\
	X(DATA_HEADER, "data_records", UNSAID,				\
	  "records of application data")				\
	X(DATA, "data", UNSAID, "application data of such a record")	\
	X(PASS_COPIED, "pass_copied", COPIED,				\
	  "what clients send, where it is not to be anchored")		\
	X(PASS_TYPE, "pass_type", FOREIGN, "no record type of TLS")	\
	X(PASS_VERSION, "pass_version", FOREIGN,			\
	  "no record version of TLS")					\
	X(PASS_LENGTH, "pass_length", FOREIGN,				\
	  "record that is too long, or may not be empty")		\
	X(PASS_HELLO, "pass_hello", FOREIGN,				\
	  "ClientHello or ServerHello that is missing or interrupted")

enum tls_event {
#define X(id, name, reason, text) TLS_##id,
	TLS_EVENTS(X)
#undef X
	TLS_EVENT_MAX
};

#endif /* LIBRA_TLS_EVENTS_H */
