// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: send() on a TCP socket, in pieces of any origin, with the return values,
 * errors and pushes of one native call.
 */
#include <linux/skmsg.h>
#include <linux/uio.h>
#include <net/inet_common.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "libra.h"
#include "send.h"

/**
 * libra_tls_of() - the TLS of a socket
 * @sk: TCP socket
 *
 * Once it is there it stays until the socket is closed.
 *
 * Context: under the socket lock, by which a ULP is set up; before it can be; or in the
 * application's own call.
 * Return: its context, or NULL.
 */
struct tls_context *libra_tls_of(const struct sock *sk)
{
	const struct tcp_ulp_ops *ulp = READ_ONCE(inet_csk(sk)->icsk_ulp_ops);

	return ulp && !strcmp(ulp->name, "tls") ? tls_get_ctx(sk) : NULL;
}

/**
 * libra_tls_alone() - the TLS of a socket, if nothing else sees what it sends
 * @sk: TCP socket
 *
 * A sockmap may come on top, or between: what it does with bytes is not known.
 *
 * Context: as for libra_tls_of().
 * Return: its context, or NULL.
 */
struct tls_context *libra_tls_alone(const struct sock *sk)
{
	struct tls_context *tls = libra_tls_of(sk);
	bool mapped;

	if (!tls)
		return NULL;
	rcu_read_lock();
	mapped = sk_psock(sk);
	rcu_read_unlock();
	return mapped ? NULL : tls;
}

/**
 * libra_tls_transmits() - does it encrypt?
 * @tls: of a socket
 *
 * TLS_BASE until TLS_TX, and then for good. Who looks without the socket lock, while
 * another thread is in setsockopt(), may see either, as natively.
 */
bool libra_tls_transmits(const struct tls_context *tls)
{
	u8 conf = tls->tx_conf;

	return conf == TLS_SW || conf == TLS_HW;
}

/**
 * libra_send_native() - what the socket does without Libra
 * @sk: socket
 * @msg: as for inet_sendmsg()
 * @size: as for inet_sendmsg()
 *
 * Context: process context; takes the socket lock.
 * Return: as inet_sendmsg() does.
 */
int libra_send_native(struct sock *sk, struct msghdr *msg, size_t size)
{
	if (unlikely(inet_send_prepare(sk)))
		return -EAGAIN;
	/* IPV6_ADDRFORM can change sk->sk_prot under us. */
	return READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, size);
}

/*
 * The pieces of a call that waits have one timeout, of which the last one may use more than
 * was left.
 */
static int libra_out_transport(struct libra_out *out, struct msghdr *msg,
			       size_t count)
{
	unsigned long begin = jiffies;
	int ret;

	if (out->locked)
		return tcp_sendmsg_locked(out->sk, msg, count);
	/* IPV6_ADDRFORM can change sk->sk_prot under us. */
	ret = READ_ONCE(out->sk->sk_prot)->sendmsg(out->sk, msg, count);
	if (out->timeo != MAX_SCHEDULE_TIMEOUT) {
		out->timeo -= min_t(unsigned long, out->timeo, jiffies - begin);
		if (!out->timeo)
			out->flags |= MSG_DONTWAIT;
	}
	return ret;
}

/*
 * Natively one call: an error behind bytes that were accepted is for the next
 * one, and is no reason for a signal.
 */
static int libra_out_goes_on(const struct libra_out *out, struct msghdr *msg)
{
	const struct sock *sk = out->sk;

	if (!out->sent)
		return 0;
	if (READ_ONCE(sk->sk_err) || sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	msg->msg_flags |= MSG_NOSIGNAL;
	return 0;
}

/**
 * libra_out_splice() - hand pages to the transport
 * @out: the call; its iterator and @out->sent are for the caller to move
 * @bv: the pages
 * @nr: entries in @bv
 * @skip: how many bytes of them not to send
 * @count: how many bytes to send
 * @last: nothing of this call comes behind them
 *
 * Context: process context.
 * Return: bytes that were accepted, never 0, or an error.
 */
int libra_out_splice(struct libra_out *out, const struct bio_vec *bv, u32 nr,
		     size_t skip, size_t count, bool last)
{
	struct msghdr part = { .msg_flags = out->flags | MSG_SPLICE_PAGES };
	int ret;

	if (!last)
		part.msg_flags = (part.msg_flags | MSG_MORE) & ~MSG_EOR;
	ret = libra_out_goes_on(out, &part);
	if (ret)
		return ret;
	iov_iter_bvec(&part.msg_iter, ITER_SOURCE, bv, nr, skip + count);
	iov_iter_advance(&part.msg_iter, skip);
	ret = libra_out_transport(out, &part, count);
	if (ret > 0) {
		out->corked = !last;
		out->full = ret < count;
	}
	/* Not seen of any transport; would be no progress. */
	return ret ? : -EAGAIN;
}

/**
 * libra_out_direct() - hand the application's next bytes to the transport
 * @out: the call; its iterator and @out->sent are moved
 * @count: how many, at most what is left
 *
 * The transport copies them itself.
 *
 * Context: process context.
 * Return: as the transport does.
 */
int libra_out_direct(struct libra_out *out, size_t count)
{
	struct msghdr *msg = out->msg;
	size_t left = msg_data_left(msg);
	int flags = msg->msg_flags;
	int ret;

	ret = libra_out_goes_on(out, msg);
	if (ret)
		return ret;
	msg->msg_flags |= out->flags & MSG_DONTWAIT;
	if (count < left)
		msg->msg_flags = (msg->msg_flags | MSG_MORE) & ~MSG_EOR;
	iov_iter_truncate(&msg->msg_iter, count);
	ret = libra_out_transport(out, msg, count);
	iov_iter_reexpand(&msg->msg_iter, left - max(ret, 0));
	msg->msg_flags = flags;
	if (ret > 0) {
		out->corked = count < left;
		out->sent += ret;
		out->full = ret < count;
	}
	return ret;
}

/**
 * libra_out_wait() - the transport had no room for more
 * @out: a patient one, see libra_out_patient()
 *
 * As tcp_sendmsg_locked() waits between two skbs.
 *
 * Context: under the socket lock, which is released meanwhile.
 * Return: 0: there is room; or an error that ends the call, unless something was
 * sent before.
 */
int libra_out_wait(struct libra_out *out)
{
	int err = -EAGAIN;

	if (out->timeo)
		err = sk_stream_wait_memory(out->sk, &out->timeo);
	if (err)
		return out->sent ? err : sk_stream_error(out->sk, out->flags, err);
	out->full = false;
	return 0;
}

/**
 * libra_tls_end_record() - a record that MSG_MORE left open
 * @sk: socket of which kernel TLS encrypts what is sent
 *
 * TLS encrypts and sends it when it has all of it, and a close() would lose it. What there
 * is no room for it sends when there is. Who sent has been answered, so nothing waits, and
 * no error is taken away from the next call.
 *
 * Context: process context, without the socket lock; nobody else sends.
 */
void libra_tls_end_record(struct sock *sk)
{
	struct tls_context *tls = libra_tls_of(sk);

	mutex_lock(&tls->tx_lock);
	lock_sock(sk);
	if (!sk->sk_err && !(sk->sk_shutdown & SEND_SHUTDOWN) && tls->push_pending_record)
		tls->push_pending_record(sk, MSG_DONTWAIT | MSG_NOSIGNAL);
	release_sock(sk);
	mutex_unlock(&tls->tx_lock);
}

/**
 * libra_out_push() - a push that MSG_MORE put off
 * @out: the call, at its end; there is nothing but TCP below
 *
 * Unless the application wants it so.
 *
 * Context: process context, without the socket lock.
 */
void libra_out_push(struct libra_out *out)
{
	if (out->corked && !(out->flags & MSG_MORE) &&
	    !(tcp_sk(out->sk)->nonagle & TCP_NAGLE_CORK))
		tcp_sock_set_cork(out->sk, false);
}
