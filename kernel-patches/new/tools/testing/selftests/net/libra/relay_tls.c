// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel TLS between the ends of a relay, with keys of our own: no handshake is needed.
 * And what there is to say about bytes that lie in records.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

#define RELAY_RECORD	16384	/* payload of one, at most */
/* What is beside it: a header and a tag; and its type, or a number. */
#define RELAY_BESIDE	(5 + TLS_CIPHER_AES_GCM_128_TAG_SIZE)
#define RELAY_TLS_1_3	(RELAY_BESIDE + 1)
#define RELAY_TLS_1_2	(RELAY_BESIDE + TLS_CIPHER_AES_GCM_128_IV_SIZE)

bool relay_encrypts(const struct relay *r)
{
	return r->kind.tls == RELAY_TLS_DOWN;
}

bool relay_decrypts(const struct relay *r)
{
	return r->kind.tls == RELAY_TLS_UP || r->kind.tls == RELAY_TLS_UP_1_2;
}

/* Asking for it loads it. */
bool relay_tls_missing(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool missing;

	missing = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) &&
		  errno != ENOTCONN;
	close(fd);
	return missing;
}

static void relay_tls_ulp(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err(1, "TCP_ULP");
}

/* What @from sends goes encrypted to @to. */
static void relay_tls_direction(const struct relay *r, int from, int to)
{
	const struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = {
			.version = r->kind.tls == RELAY_TLS_UP_1_2 ?
				   TLS_1_2_VERSION : TLS_1_3_VERSION,
			.cipher_type = TLS_CIPHER_AES_GCM_128,
		},
		.iv = "a start",
		.key = "for nothing else",
		.salt = "rel",
	};

	if (setsockopt(to, SOL_TLS, TLS_RX, &keys, sizeof(keys)) ||
	    setsockopt(from, SOL_TLS, TLS_TX, &keys, sizeof(keys)))
		err(1, "keys");
}

/*
 * Towards B only what is sent, as of servers that decrypt requests themselves. Between A
 * and the proxy both directions: its parser has to see what it asks for.
 */
void relay_tls_begin(struct relay *r)
{
	r->records = 0;
	if (relay_encrypts(r)) {
		relay_tls_ulp(r->down);
		relay_tls_ulp(r->b);
		relay_tls_direction(r, r->down, r->b);
	}
	if (relay_decrypts(r)) {
		relay_tls_ulp(r->a);
		relay_tls_ulp(r->up);
		relay_tls_direction(r, r->a, r->up);
		relay_tls_direction(r, r->up, r->a);
	}
}

/* What one send() of @len bytes is on its way. */
size_t relay_wire(const struct relay *r, size_t len)
{
	size_t records = (len + RELAY_RECORD - 1) / RELAY_RECORD;

	switch (r->kind.tls) {
	case RELAY_TLS_NONE:
		return len;
	case RELAY_TLS_UP_1_2:
		return len + records * RELAY_TLS_1_2;
	default:
		return len + records * RELAY_TLS_1_3;
	}
}

/* A sends what is in the stream from @begin on, by one call. */
void relay_tls_note(struct relay *r, size_t begin)
{
	while (begin < r->sent) {
		begin = r->sent - begin < RELAY_RECORD ? r->sent : begin + RELAY_RECORD;
		if (r->records == RELAY_RECORDS)
			errx(1, "too many records");
		r->record_end[r->records++] = begin;
	}
}

static struct tcp_info relay_tcp_info(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		err(1, "TCP_INFO");
	return info;
}

static bool relay_tls_arrived(const struct relay *r)
{
	struct tcp_info from = relay_tcp_info(r->a), to = relay_tcp_info(r->up);

	return !from.tcpi_notsent_bytes &&
	       from.tcpi_bytes_sent - from.tcpi_bytes_retrans ==
	       to.tcpi_bytes_received;
}

/* Until whatever A sent is in the receive queue of the proxy, or was. */
void relay_tls_wait(const struct relay *r)
{
	double end = relay_now() + RELAY_PATIENCE;

	while (!relay_tls_arrived(r)) {
		if (relay_now() > end)
			errx(1, "records do not arrive");
		usleep(200);
	}
}

/*
 * SIOCINQ counts records, as long as they are not decrypted: of those that nobody began to
 * read the last ones, as TLS decrypts none out of turn.
 */
bool relay_tls_left(const struct relay *r, size_t bytes)
{
	size_t wire = 0, inq = relay_inq(r->up), at = r->sent, i;

	for (i = r->records; wire < inq && i; i--) {
		size_t begin = i > 1 ? r->record_end[i - 2] : 0;

		if (begin < r->sent - bytes)
			break;
		wire += relay_wire(r, at - begin);
		at = begin;
	}
	return wire == inq;
}
