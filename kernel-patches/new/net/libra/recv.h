/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: recv() on a TCP socket, whatever becomes of the bytes.
 */
#ifndef _NET_LIBRA_RECV_H
#define _NET_LIBRA_RECV_H

#include <net/sock.h>
#include <net/tcp.h>

/* Nothing was read, and the native path has to; not an error of any socket call. */
#define LIBRA_RECV_NATIVE	(-EREMCHG)

struct libra_reader;

/**
 * struct libra_reader_ops - what is done with the bytes at hand
 * @before: ahead of each look at the receive queue. 0; or LIBRA_RECV_NATIVE,
 *	which ends the call with what was copied, or with LIBRA_RECV_NATIVE when
 *	nothing was. It sees an urgent mark (tcp_sock.urg_data) before the loop
 *	does, which then ends the call in the same way.
 * @actor: for tcp_read_sock(); its desc->arg.data is the reader. An error ends the
 *	call, with what was copied if anything was: it has to be left in
 *	@reader->error, because tcp_read_sock() forgets it behind other bytes
 * @after: behind each look, before the socket lock may be released; not zero
 *	ends the call with what was copied
 *
 * All of them run in process context, under the socket lock.
 */
struct libra_reader_ops {
	int (*before)(struct libra_reader *reader, struct sock *sk);
	sk_read_actor_t actor;
	int (*after)(struct libra_reader *reader, struct sock *sk);
};

/**
 * struct libra_reader - one recv() call
 * @ops: what to do
 * @msg: the application's memory
 * @copied: bytes so far; libra_recv_locked() counts
 * @error: of the actor
 */
struct libra_reader {
	const struct libra_reader_ops *ops;
	struct msghdr *msg;
	int copied;
	int error;
};

int libra_recv_native(struct sock *sk, struct msghdr *msg, size_t size, int flags);
bool libra_recv_wants_native(const struct sock *sk, const struct msghdr *msg,
			     size_t size, int flags);
void libra_recv_busy_loop(struct sock *sk, int flags);
int libra_recv_locked(struct sock *sk, struct libra_reader *reader, size_t len,
		      int flags);
void libra_recv_finish(struct sock *sk, struct msghdr *msg);

#endif /* _NET_LIBRA_RECV_H */
