// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: recv() on an attached socket for which kernel TLS decrypts.
 *
 * Records that TLS decrypted come by its read_sock(), in pages that nobody else has. What
 * waiting for them means is as in tls_sw_recvmsg() (net/tls/tls_sw.c). Records of another
 * type, and whatever is not known to be exact, are read natively; what of the stream went
 * that way is known by its length.
 *
 * splice() does not come by here. Whether somebody read that way is known by the number of
 * the record that comes next, and by what is left of those before.
 */
#include <linux/socket.h>
#include <linux/tls.h>
#include <linux/unaligned.h>
#include <net/sock.h>
#include <net/strparser.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_prot.h>

#include "rx.h"

/* Not an error of any socket call, nor LIBRA_RECV_NATIVE. */
#define LIBRA_RX_TLS_CONTROL	(-EUCLEAN)

/* How much TLS has decrypted that was not read. Under the socket lock, without a reader. */
static u64 libra_rx_tls_left(const struct tls_context *tls)
{
	struct sk_buff *skb;
	u64 left = 0;

	skb_queue_walk(&tls_sw_ctx_rx(tls)->rx_list, skb)
		left += strp_msg(skb)->full_len;
	return left;
}

static void libra_rx_tls_mark(struct libra_sock *ls)
{
	const struct tls_context *tls = tls_get_ctx(ls->sk);

	ls->rx.record = get_unaligned_be64(tls->rx.rec_seq);
	ls->rx.left = libra_rx_tls_left(tls);
}

static bool libra_rx_tls_is_marked(const struct libra_sock *ls)
{
	const struct tls_context *tls = tls_get_ctx(ls->sk);

	return ls->rx.record == get_unaligned_be64(tls->rx.rec_seq) &&
	       ls->rx.left == libra_rx_tls_left(tls);
}

/* Is what comes next a record of another type? TLS has put it back. */
static bool libra_rx_tls_is_control(const struct sock *sk)
{
	struct sk_buff *skb = skb_peek(&tls_sw_ctx_rx(tls_get_ctx(sk))->rx_list);

	return skb && ((struct sk_skb_cb *)skb->cb)->tls.control != TLS_RECORD_TYPE_DATA;
}

/*
 * What is at hand. -EAGAIN if nothing is, LIBRA_RX_TLS_CONTROL if it is no application data,
 * LIBRA_RECV_NATIVE if another reader is there, or was, whom nobody saw.
 */
static int libra_rx_tls_read(struct libra_rx *rx, size_t size)
{
	read_descriptor_t desc = { .arg.data = &rx->reader, .count = size };
	struct libra_sock *ls = rx->ls;
	struct sock *sk = ls->sk;
	int ret;

	/* One that reads natively may sleep with the socket lock released. */
	if (!libra_tls_ingress(ls))
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_ULP);
	else if (tls_sw_ctx_rx(tls_get_ctx(sk))->reader_present || !libra_rx_tls_is_marked(ls))
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	if (ls->rx.seg.state == LIBRA_SEG_PASS)
		return LIBRA_RECV_NATIVE;

	rx->reader.error = 0;
	ret = READ_ONCE(sk->sk_socket->ops)->read_sock(sk, &desc, libra_rx_actor);
	libra_rx_end_run(rx);
	libra_rx_tls_mark(ls);
	if (ret == -EINVAL && rx->reader.error)
		return rx->reader.error;
	/* Otherwise it is an error that TLS found in the stream, and has told now. */
	if (ret == -EINVAL && libra_rx_tls_is_control(sk))
		return LIBRA_RX_TLS_CONTROL;
	return ret;
}

/* As tls_rx_rec_wait(). Returns 0 to look again. */
static int libra_rx_tls_wait(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	bool (*is_readable)(struct sock *sk) = READ_ONCE(sk->sk_prot)->sock_is_readable;
	int ret;

	if (!is_readable)
		return -EINVAL;
	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	ret = sk_wait_event(sk, timeo, is_readable(sk) || READ_ONCE(sk->sk_err) ||
			    READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
			    sock_flag(sk, SOCK_DONE), &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	return min(ret, 0);
}

static int libra_rx_tls_locked(struct libra_rx *rx, size_t size, int flags)
{
	struct sock *sk = rx->ls->sk;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int ret;

	for (;;) {
		/* Another reader may have been faster, or changed the world. */
		ret = libra_rx_tls_read(rx, size);
		if (ret != -EAGAIN || !timeo || rx->fail)
			return ret;
		ret = libra_rx_tls_wait(sk, &timeo);
		if (ret)
			return ret;
	}
}

/*
 * What the socket does without us, with what may be of the stream. Who gives room for it may
 * be given a record of another type, and nobody knows: then that was the last that is
 * understood. Context: without the socket lock.
 */
static int libra_rx_tls_native(struct libra_rx *rx, size_t size, int flags)
{
	bool either = rx->reader.msg->msg_controllen;
	struct libra_sock *ls = rx->ls;
	struct sock *sk = ls->sk;
	int ret;

	ret = libra_recv_native(sk, rx->reader.msg, size, flags);
	if (ret <= 0)
		return ret;
	lock_sock(sk);
	if (!(flags & MSG_PEEK) && either)
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	else if (!(flags & MSG_PEEK))
		libra_rx_unseen(ls, ret);
	libra_rx_tls_mark(ls);
	release_sock(sk);
	return ret;
}

/*
 * The same with a record of another type, which is known to be there: of what TLS has
 * decrypted so many bytes go, and nothing more is decrypted; or another reader was faster.
 */
static int libra_rx_tls_control(struct libra_rx *rx, size_t size, int flags)
{
	struct libra_sock *ls = rx->ls;
	u64 left = READ_ONCE(ls->rx.left);
	struct sock *sk = ls->sk;
	int ret;

	ret = libra_recv_native(sk, rx->reader.msg, size, flags);
	lock_sock(sk);
	if (ret > 0 && ls->rx.left == left) {
		ls->rx.left = left - min_t(u64, left, ret);
		if (!libra_rx_tls_is_marked(ls))
			libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	}
	release_sock(sk);
	return ret;
}

/**
 * libra_recvmsg_tls() - recv() of what kernel TLS decrypts
 * @rx: the call; libra_tls_decrypts() was true of its attachment
 * @size: as for inet_recvmsg()
 * @flags: as for inet_recvmsg()
 *
 * Context: process context; takes the socket lock.
 * Return: as tls_sw_recvmsg() would; or LIBRA_RECV_NATIVE.
 */
int libra_recvmsg_tls(struct libra_rx *rx, size_t size, int flags)
{
	struct msghdr *msg = rx->reader.msg;
	struct libra_sock *ls = rx->ls;
	struct sock *sk = ls->sk;
	char type = TLS_RECORD_TYPE_DATA;
	int ret;

	rx->records = true;
	if (flags & MSG_ERRQUEUE)
		return libra_recv_native(sk, msg, size, flags);
	lock_sock(sk);
	if (!libra_tls_ingress(ls)) {
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_ULP);
	} else if (!ls->rx.tls) {
		libra_tls_begin_ingress(ls);
		libra_rx_tls_mark(ls);
	} else if (!libra_rx_tls_is_marked(ls)) {
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	} else {
		libra_tls_note(ls);
	}
	if (ls->rx.seg.state == LIBRA_SEG_PASS) {
		release_sock(sk);
		return LIBRA_RECV_NATIVE;
	}
	if (libra_recv_wants_native(sk, msg, size, flags) ||
	    sock_rcvlowat(sk, flags & MSG_WAITALL, size) > 1) {
		release_sock(sk);
		LIBRA_INC(ls->net, LIBRA_MIB_FB_FLAGS);
		return libra_rx_tls_native(rx, size, flags);
	}
	ret = libra_rx_tls_locked(rx, size, flags);
	release_sock(sk);

	if (ret == LIBRA_RX_TLS_CONTROL)
		return libra_rx_tls_control(rx, size, flags);
	if (ret >= 0)
		msg->msg_namelen = 0;
	if (ret > 0)
		put_cmsg(msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type), &type);
	return ret;
}
