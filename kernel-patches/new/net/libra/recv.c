// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: recv() on a TCP socket, whatever becomes of the bytes.
 *
 * The loop is that of tcp_recvmsg_locked() (net/ipv4/tcp.c), with its rules for
 * SO_RCVLOWAT, MSG_WAITALL, timeouts, errors, end of file and the backlog; only
 * what is done with the bytes at the head of the receive queue differs. What is
 * not known to be exact goes to sk_prot->recvmsg().
 */
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/busy_poll.h>
#include <net/tcp.h>

#include "libra.h"
#include "recv.h"

/* Flags under which the bytes are not simply read. */
#define LIBRA_RECV_NATIVE_FLAGS \
	(MSG_PEEK | MSG_OOB | MSG_TRUNC | MSG_ERRQUEUE | MSG_SOCK_DEVMEM)

/**
 * libra_recv_native() - what the socket does without Libra
 * @sk: socket
 * @msg: as for inet_recvmsg()
 * @size: as for inet_recvmsg()
 * @flags: as for inet_recvmsg()
 *
 * Context: process context; takes the socket lock.
 * Return: as inet_recvmsg() does.
 */
int libra_recv_native(struct sock *sk, struct msghdr *msg, size_t size, int flags)
{
	/* Only messages of the error queue have an address. */
	msg->msg_namelen = 0;
	/* IPV6_ADDRFORM can change sk->sk_prot under us. */
	return READ_ONCE(sk->sk_prot)->recvmsg(sk, msg, size, flags, &msg->msg_namelen);
}

/**
 * libra_recv_wants_native() - wants of the application that only
 *	libra_recv_native() serves
 * @sk: TCP socket
 * @msg: as for inet_recvmsg()
 * @size: as for inet_recvmsg()
 * @flags: as for inet_recvmsg()
 *
 * Context: any.
 */
bool libra_recv_wants_native(const struct sock *sk, const struct msghdr *msg,
			     size_t size, int flags)
{
	return flags & LIBRA_RECV_NATIVE_FLAGS || !size ||
	       !user_backed_iter(&msg->msg_iter) ||
	       sock_flag(sk, SOCK_RCVTSTAMP) ||
	       READ_ONCE(sk->sk_tsflags) & (SOF_TIMESTAMPING_SOFTWARE |
					    SOF_TIMESTAMPING_RAW_HARDWARE) ||
	       tcp_sk(sk)->recvmsg_inq || tcp_sk(sk)->repair ||
	       READ_ONCE(sk->sk_peek_off) >= 0;
}

/**
 * libra_recv_busy_loop() - poll the device, where the socket wants it
 * @sk: TCP socket
 * @flags: as for inet_recvmsg()
 *
 * Context: process context, without the socket lock.
 */
void libra_recv_busy_loop(struct sock *sk, int flags)
{
	if (sk_can_busy_loop(sk) &&
	    skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	    sk->sk_state == TCP_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);
}

/**
 * libra_recv_locked() - the loop of tcp_recvmsg_locked()
 * @sk: TCP socket
 * @reader: what to do with the bytes
 * @len: how many there is room for
 * @flags: as for inet_recvmsg()
 *
 * Context: process context, under the socket lock, which it releases where
 * tcp_recvmsg_locked() does.
 * Return: bytes read, an error, or LIBRA_RECV_NATIVE.
 */
int libra_recv_locked(struct sock *sk, struct libra_reader *reader, size_t len,
		      int flags)
{
	const struct libra_reader_ops *ops = reader->ops;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int target = sock_rcvlowat(sk, flags & MSG_WAITALL, len);
	int ret, stop;

	reader->copied = 0;
	reader->error = 0;
	if (sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;

	for (;;) {
		read_descriptor_t desc = {
			.arg.data = reader,
			.count = len - reader->copied,
		};

		ret = ops->before(reader, sk);
		/* The urgent mark is for the native path. */
		if (!ret && unlikely(tcp_sk(sk)->urg_data))
			ret = LIBRA_RECV_NATIVE;
		if (ret)
			return reader->copied ? : ret;

		ret = tcp_read_sock(sk, &desc, ops->actor);
		/* In parentheses, because <net/tcp.h> has a macro of this name. */
		stop = (ops->after)(reader, sk);
		if (ret < 0)
			return reader->copied ? : ret;
		reader->copied += ret;
		if (unlikely(reader->error))
			return reader->copied ? : reader->error;
		if (stop || reader->copied >= len)
			return reader->copied;

		if (reader->copied >= target && !READ_ONCE(sk->sk_backlog.tail))
			return reader->copied;

		if (reader->copied) {
			if (!timeo || sk->sk_err || sk->sk_state == TCP_CLOSE ||
			    sk->sk_shutdown & RCV_SHUTDOWN ||
			    signal_pending(current))
				return reader->copied;
		} else {
			if (sock_flag(sk, SOCK_DONE))
				return 0;
			if (sk->sk_err)
				return sock_error(sk);
			if (sk->sk_shutdown & RCV_SHUTDOWN)
				return 0;
			if (sk->sk_state == TCP_CLOSE)
				return -ENOTCONN;
			if (!timeo)
				return -EAGAIN;
			if (signal_pending(current))
				return sock_intr_errno(timeo);
		}

		if (reader->copied >= target) {
			/*
			 * Do not sleep, just process the backlog. The lock stays
			 * ours, or another reader could take what comes next.
			 */
			sk_flush_backlog(sk);
		} else {
			ret = sk_wait_data(sk, &timeo,
					   skb_peek_tail(&sk->sk_receive_queue));
			if (ret < 0)
				return reader->copied ? : ret;
		}
	}
}

/**
 * libra_recv_finish() - what else a successful read tells
 * @sk: TCP socket
 * @msg: as for inet_recvmsg()
 *
 * Context: process context, without the socket lock.
 */
void libra_recv_finish(struct sock *sk, struct msghdr *msg)
{
	msg->msg_namelen = 0;
	if (msg->msg_get_inq) {
		msg->msg_inq = tcp_inq(sk);
		if (!msg->msg_inq && sock_flag(sk, SOCK_DONE))
			msg->msg_inq = 1;
	}
}
