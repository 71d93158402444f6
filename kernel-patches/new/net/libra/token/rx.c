// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: recv() on an attached socket.
 *
 * The loop is in recv.c; here is what is done with the bytes at the head of the
 * receive queue. What goes the native way passes the segmenter, which finds its
 * place again by libra_rx_pos(), or passes.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/rps.h>
#include <net/tcp.h>

#include "check.h"
#include "rx.h"

/* So much at a time; the parser may ask for more. */
#define LIBRA_RX_LOOK	4096

/* At its end a message has all its anchors. */
static void libra_rx_end_msg(struct libra_sock *ls)
{
	const struct libra_seg *seg = &ls->rx.seg;

	if (seg->state != LIBRA_SEG_PAYLOAD && !seg->goes_on && ls->rx.msg) {
		libra_msg_put(ls->rx.msg);
		ls->rx.msg = NULL;
	}
}

/**
 * libra_rx_unseen() - bytes were read that we did not see
 * @ls: attachment
 * @len: how many, at least one
 *
 * Finds the place again, or gives up.
 *
 * Context: process context, under the socket lock.
 */
void libra_rx_unseen(struct libra_sock *ls, u64 len)
{
	struct libra_seg *seg = &ls->rx.seg;

	if (seg->state == LIBRA_SEG_ASK || seg->unparsed || len > seg->left)
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_RESYNC);
	else
		libra_pass_bytes(ls, LIBRA_INGRESS, NULL, len);
	libra_rx_end_msg(ls);
}

/**
 * libra_rx_resync() - bytes may have been read behind our back
 * @ls: attachment
 *
 * Context: process context, under the socket lock.
 */
void libra_rx_resync(struct libra_sock *ls)
{
	u64 pos = libra_rx_pos(ls->sk);
	u64 passed = pos - ls->rx.pos;

	if (!passed)
		return;
	ls->rx.pos = pos;
	libra_rx_unseen(ls, passed);
}

static void libra_rx_consume(struct libra_sock *ls, const u8 *data, u32 len)
{
	struct libra_seg *seg = &ls->rx.seg;

	if (seg->state == LIBRA_SEG_PAYLOAD)
		libra_rx_count_payload(ls, len);
	libra_pass_bytes(ls, LIBRA_INGRESS, data, len);
	libra_rx_end_msg(ls);
}

/*
 * The contiguous bytes at @off, as the parser sees them and the application gets them.
 * A peer on the same host may be able to change them meanwhile: then it is a copy.
 * NULL when there is no memory for it.
 */
static const u8 *libra_rx_piece(struct libra_rx *rx, struct sk_buff *skb, u32 off,
				u32 end, u32 *len)
{
	struct skb_seq_state st;
	const u8 *data;

	skb_prepare_seq_read(skb, off, end, &st);
	*len = skb_seq_read(0, &data, &st);
	skb_abort_seq_read(&st);
	if (likely(!libra_bytes_may_change(skb, data)))
		return data;
	if (!rx->look)
		rx->look = kmalloc(LIBRA_RX_LOOK, GFP_KERNEL | __GFP_NOWARN);
	if (!rx->look)
		return NULL;
	*len = min_t(u32, *len, LIBRA_RX_LOOK);
	memcpy(rx->look, data, *len);
	return rx->look;
}

/* As skb_copy_datagram_iter(), of bytes that were looked at. */
static int libra_rx_copy_piece(struct iov_iter *to, const u8 *data, u32 len)
{
	size_t copied = copy_to_iter(data, len, to);

	if (copied == len)
		return 0;
	iov_iter_revert(to, copied);
	return -EFAULT;
}

/* @data: these bytes, if they were looked at, or NULL. */
static int libra_rx_copy(struct libra_rx *rx, struct sk_buff *skb, u32 off,
			 u32 len, const u8 *data)
{
	struct iov_iter *to = &rx->reader.msg->msg_iter;
	int err;

	err = data ? libra_rx_copy_piece(to, data, len) :
		     skb_copy_datagram_iter(skb, off, to, len);
	if (err)
		return err;
	if (rx->ls->rx.seg.state == LIBRA_SEG_PAYLOAD)
		LIBRA_ADD(rx->ls->net, LIBRA_MIB_RX_COPIED, len);
	libra_rx_consume(rx->ls, data, len);
	return 0;
}

/**
 * libra_rx_end_run() - what was read so far is an anchor of its own
 * @rx: the call
 *
 * A run never spans a release of the socket lock: another reader could take the
 * bytes behind it.
 *
 * Return: 0 or -EFAULT, then the connection has to be aborted.
 */
int libra_rx_end_run(struct libra_rx *rx)
{
	if (libra_run_end(rx->ls, &rx->run))
		rx->fail = true;
	return rx->fail ? -EFAULT : 0;
}

/* Payload that is not anchored, up to @len bytes of it. What is checked has to be at hand. */
static int libra_rx_copy_payload(struct libra_rx *rx, struct sk_buff *skb, u32 off, u32 len)
{
	const u8 *data = NULL;
	u32 piece;

	if (unlikely(libra_check_follows(rx->ls, LIBRA_INGRESS))) {
		data = libra_rx_piece(rx, skb, off, off + len, &piece);
		if (data)
			len = min(len, piece);
	}
	return libra_rx_copy(rx, skb, off, len, data) ? : len;
}

/* Payload: into the run that is going on, into a new one, or a native copy. */
static int libra_rx_payload(struct libra_rx *rx, struct sk_buff *skb, u32 off,
			    u32 len, u32 queued)
{
	struct iov_iter *to = &rx->reader.msg->msg_iter;
	struct libra_sock *ls = rx->ls;
	u32 room, n;
	int ret;

	len = min_t(u64, len, ls->rx.seg.left);
	if (!rx->run.minted) {
		room = min_t(u64, libra_iter_room(to), queued);
		room = min_t(u64, room, ls->rx.seg.left);
		n = min(room, len);
		if (!libra_run_begin(ls, &rx->run, to, room)) {
			ret = libra_rx_copy_payload(rx, skb, off, n);
			if (ret > 0)
				libra_run_would(ls, &rx->run, room, ret);
			return ret;
		}
	}

	n = libra_run_add(ls, &rx->run, skb, off,
			  min_t(size_t, len, rx->run.room));
	iov_iter_advance(to, n);
	if (n < len || !rx->run.room || n == ls->rx.seg.left)
		libra_rx_end_run(rx);
	libra_rx_consume(ls, NULL, n);
	if (rx->fail)
		return -EFAULT;
	if (n)
		return n;
	/* A limit, or no memory, at the first byte: copy this one natively. */
	n = min_t(size_t, len, libra_iter_room(to));
	return libra_rx_copy_payload(rx, skb, off, n);
}

/*
 * How many bytes are at hand from @off of @skb on, which is read up to @end. In records that
 * TLS has not decrypted there are a few less, or others.
 */
static u32 libra_rx_queued(const struct libra_rx *rx, const struct sk_buff *skb, u32 off,
			   u32 end)
{
	struct sock *sk = rx->ls->sk;

	if (rx->records)
		return end - off + tcp_inq(sk);
	/* As in tcp_inq(): a FIN has a place in rcv_nxt. */
	return tcp_sk(sk)->rcv_nxt - TCP_SKB_CB(skb)->seq - off - sock_flag(sk, SOCK_DONE);
}

/**
 * libra_rx_actor() - deal with bytes of the stream
 * @desc: of struct libra_rx.reader; @desc->count is the room that is left, and 0 when no
 *	more is to be read
 * @skb: where they are
 * @offset: from where on
 * @size: how many
 *
 * The sk_read_actor_t for tcp_read_sock() and for the read_sock() of TLS.
 *
 * Context: process context, under the socket lock.
 * Return: how many were read; or an error, if none.
 */
int libra_rx_actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset,
		   size_t size)
{
	struct libra_rx *rx = container_of(desc->arg.data, struct libra_rx, reader);
	struct libra_sock *ls = rx->ls;
	struct libra_seg *seg = &ls->rx.seg;
	u32 end = offset + size;
	u32 off = offset;
	int ret = 0;

	if (!skb_frags_readable(skb)) {
		rx->reader.error = -EFAULT;
		return -EFAULT;
	}

	while (off < end && desc->count) {
		u32 n = min_t(size_t, end - off, desc->count);
		const u8 *data = NULL;
		u32 piece;

		if (seg->state == LIBRA_SEG_ASK || seg->unparsed) {
			data = libra_rx_piece(rx, skb, off, end, &piece);
			if (!data)
				libra_seg_pass(ls, LIBRA_INGRESS,
					       LIBRA_MIB_FB_NOMEM);
			else if (seg->state == LIBRA_SEG_ASK)
				libra_seg_classify(ls, LIBRA_INGRESS, data,
						   piece);
		}

		if (seg->state == LIBRA_SEG_PAYLOAD) {
			ret = libra_rx_payload(rx, skb, off, n,
					       libra_rx_queued(rx, skb, off, end));
		} else {
			n = min_t(u64, data ? min(n, piece) : n, seg->left);
			ret = libra_rx_copy(rx, skb, off, n, data) ? : n;
		}
		if (ret < 0) {
			rx->reader.error = ret;
			break;
		}
		off += ret;
		desc->count -= ret;
	}
	/* TLS would go on with the next record; and says so when it came to the end of one. */
	if (off < end)
		desc->count = 0;
	else if (rx->records)
		rx->reader.msg->msg_flags |= MSG_EOR;
	return off > offset ? off - offset : ret;
}

static int libra_rx_before(struct libra_reader *reader, struct sock *sk)
{
	struct libra_rx *rx = container_of(reader, struct libra_rx, reader);
	struct libra_sock *ls = rx->ls;

	/* Another reader may have been faster, or changed the world. */
	if (ls->rx.seg.state == LIBRA_SEG_PASS && !reader->copied)
		return LIBRA_RECV_NATIVE;
	/* The urgent mark is for the native path. */
	if (unlikely(tcp_sk(sk)->urg_data)) {
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_URGENT);
		return LIBRA_RECV_NATIVE;
	}
	libra_rx_resync(ls);
	return 0;
}

static int libra_rx_after(struct libra_reader *reader, struct sock *sk)
{
	struct libra_rx *rx = container_of(reader, struct libra_rx, reader);

	rx->ls->rx.pos = libra_rx_pos(sk);
	libra_check_eof(rx->ls);
	rx->run.would = 0;
	return libra_rx_end_run(rx);
}

static const struct libra_reader_ops libra_rx_ops = {
	.before = libra_rx_before,
	.actor = libra_rx_actor,
	.after = libra_rx_after,
};

/**
 * libra_recvmsg() - in place of inet_recvmsg() on an attached socket
 * @ls: attachment
 * @msg: as for inet_recvmsg()
 * @size: as for inet_recvmsg()
 * @flags: as for inet_recvmsg()
 *
 * Context: process context; takes the socket lock.
 * Return: as inet_recvmsg() would.
 */
int libra_recvmsg(struct libra_sock *ls, struct msghdr *msg, size_t size,
		  int flags)
{
	struct libra_rx rx = {
		.reader = { .ops = &libra_rx_ops, .msg = msg },
		.ls = ls,
	};
	struct sock *sk = ls->sk;
	int ret;

	/* That it is used is known before what else is used is looked for, and by whom after. */
	libra_passing_note(ls);
	libra_sock_used(ls);
	if (likely(!(flags & MSG_ERRQUEUE)))
		sock_rps_record_flow(sk);

	libra_passing_note(ls);
	if (unlikely(libra_tls_decrypts(ls))) {
		ret = libra_recvmsg_tls(&rx, size, flags);
		goto out;
	}
	if (READ_ONCE(ls->rx.seg.state) == LIBRA_SEG_PASS)
		return libra_recv_native(sk, msg, size, flags);
	if (libra_recv_wants_native(sk, msg, size, flags)) {
		LIBRA_INC(ls->net, LIBRA_MIB_FB_FLAGS);
		return libra_recv_native(sk, msg, size, flags);
	}

	libra_recv_busy_loop(sk, flags);

	lock_sock(sk);
	if (libra_sock_changed(ls) && !libra_tls_reads_plain(ls))
		libra_seg_pass(ls, LIBRA_INGRESS, LIBRA_MIB_FB_ULP);
	ret = libra_recv_locked(sk, &rx.reader, size, flags);
	release_sock(sk);
out:
	kfree(rx.look);
	/* If that was a request which passes, before it is answered. */
	libra_passing_note(ls);

	if (unlikely(rx.fail)) {
		libra_fail_stop(ls, LIBRA_MIB_FS_FAULT);
		return -EFAULT;
	}
	/* Native from here on, nothing was read yet. */
	if (ret == LIBRA_RECV_NATIVE)
		return libra_recv_native(sk, msg, size, flags);
	if (ret >= 0 && !rx.records)
		libra_recv_finish(sk, msg);
	return ret;
}
