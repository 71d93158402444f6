/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the TLS parser reports about each of its answers; see http1_events.h.
 */
#ifndef LIBRA_TLS_EVENTS_H
#define LIBRA_TLS_EVENTS_H

/* X(enumerator, name, description) */
#define TLS_EVENTS(X)							\
	X(MORE, "need_more",						\
	  "answers that waited for the rest of a record header or hello")	\
	X(RECORD, "records", "records that are not application data")	\
	X(DATA_HEADER, "data_records", "records of application data")	\
	X(DATA, "data", "application data of such a record")		\
	X(PASS_COPIED, "pass_copied",					\
	  "what clients send, where it is not to be anchored")		\
	X(PASS_TYPE, "pass_type", "no record type of TLS")		\
	X(PASS_VERSION, "pass_version", "no record version of TLS")	\
	X(PASS_LENGTH, "pass_length",					\
	  "record that is too long, or may not be empty")		\
	X(PASS_HELLO, "pass_hello",					\
	  "ClientHello or ServerHello that is missing or interrupted")

enum tls_event {
#define X(id, name, text) TLS_##id,
	TLS_EVENTS(X)
#undef X
	TLS_EVENT_MAX
};

#endif /* LIBRA_TLS_EVENTS_H */
