/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: send() on a TCP socket, in pieces of any origin.
 */
#ifndef _NET_LIBRA_SEND_H
#define _NET_LIBRA_SEND_H

#include <linux/bvec.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/sock.h>

struct tls_context;

/**
 * struct libra_out - one send() call
 * @sk: TCP socket, perhaps with a ULP on it
 * @msg: the application's; its iterator stands behind what was accepted
 * @flags: of every piece
 * @timeo: how long the call may still wait, in jiffies
 * @sent: bytes accepted from the application
 * @corked: the last piece went with MSG_MORE
 * @locked: the socket lock is held, and the transport is TCP itself
 * @full: the transport took a part of a piece: natively the call ends there
 */
struct libra_out {
	struct sock *sk;
	struct msghdr *msg;
	int flags;
	long timeo;
	size_t sent;
	bool corked;
	bool locked;
	bool full;
};

static inline void libra_out_init(struct libra_out *out, struct sock *sk,
				  struct msghdr *msg)
{
	*out = (struct libra_out) {
		.sk = sk,
		.msg = msg,
		/* The last one is the kernel's word for pages, not the application's. */
		.flags = msg->msg_flags & ~(MSG_SPLICE_PAGES | MSG_ZEROCOPY |
					    MSG_NO_SHARED_FRAGS),
		.timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT),
	};
}

/**
 * libra_out_patient() - the pieces do not wait, libra_out_wait() does
 * @out: just initialised
 *
 * So that a call of several pieces waits as one does: with one timeout, and without
 * an error being consumed by a call that returns a count.
 */
static inline void libra_out_patient(struct libra_out *out)
{
	out->flags |= MSG_DONTWAIT;
}

/**
 * libra_out_accepted() - bytes at the application's iterator are on their way
 * @out: the call
 * @n: how many
 */
static inline void libra_out_accepted(struct libra_out *out, size_t n)
{
	iov_iter_advance(&out->msg->msg_iter, n);
	out->sent += n;
}

/* Not a plain send of bytes: MSG_OOB, MSG_ZEROCOPY, control messages. */
static inline bool libra_out_is_odd(const struct msghdr *msg)
{
	return msg->msg_flags & (MSG_OOB | MSG_ZEROCOPY | MSG_FASTOPEN) ||
	       msg->msg_controllen || msg->msg_ubuf;
}

struct tls_context *libra_tls_of(const struct sock *sk);
struct tls_context *libra_tls_alone(const struct sock *sk);
bool libra_tls_transmits(const struct tls_context *tls);
int libra_send_native(struct sock *sk, struct msghdr *msg, size_t size);
int libra_out_splice(struct libra_out *out, const struct bio_vec *bv, u32 nr,
		     size_t skip, size_t count, bool last);
int libra_out_direct(struct libra_out *out, size_t count);
int libra_out_wait(struct libra_out *out);
void libra_tls_end_record(struct sock *sk);
void libra_out_push(struct libra_out *out);

#endif /* _NET_LIBRA_SEND_H */
