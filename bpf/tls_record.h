/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The header of a TLS record: 5 bytes, type, version and length, the same from SSL 3.0 to
 * TLS 1.3.
 */
#ifndef LIBRA_TLS_RECORD_H
#define LIBRA_TLS_RECORD_H

#include "parser.h"

#define TLS_HEADER		5
#define TLS_MAX_RECORD		(16384 + 2048)	/* RFC 5246, 6.2.3 */

/* Record types: RFC 8446, 5.1; RFC 6520. */
#define TLS_CHANGE_CIPHER_SPEC	20
#define TLS_ALERT		21
#define TLS_HANDSHAKE		22
#define TLS_APPLICATION_DATA	23
#define TLS_HEARTBEAT		24

/* Bytes behind the header. */
static __always_inline __u32 tls_record_length(const __u8 head[TLS_HEADER])
{
	return head[3] << 8 | head[4];
}

#endif /* LIBRA_TLS_RECORD_H */
