/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the files of the receive side share. All of it runs under the socket lock, in
 * process context.
 */
#ifndef _NET_LIBRA_RX_H
#define _NET_LIBRA_RX_H

#include "../recv.h"
#include "token.h"

/**
 * struct libra_rx - one recv() call
 * @reader: the loop's view of it
 * @ls: attachment
 * @run: the anchor being built
 * @look: a copy of what is parsed, LIBRA_RX_LOOK bytes, or NULL
 * @records: what is read are records that TLS decrypted, not the receive queue
 * @fail: the connection has to be aborted
 */
struct libra_rx {
	struct libra_reader reader;
	struct libra_sock *ls;
	struct libra_rx_run run;
	u8 *look;
	bool records;
	bool fail;
};

int libra_rx_actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset,
		   size_t size);
int libra_rx_end_run(struct libra_rx *rx);
void libra_rx_unseen(struct libra_sock *ls, u64 len);

/* rx_tls.c */
int libra_recvmsg_tls(struct libra_rx *rx, size_t size, int flags);

#endif /* _NET_LIBRA_RX_H */
