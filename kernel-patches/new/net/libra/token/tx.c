// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: send() on an attached socket.
 *
 * The application's stream is taken apart in order. Anchors that a VPI in it
 * names are spliced (MSG_SPLICE_PAGES) in place of the bytes they stand for,
 * which are never read; everything else is copied once, into pages of ours, and
 * spliced from there. That copy is what the matcher searches, so what was
 * searched is what is sent, whatever the application does to its memory
 * meanwhile.
 *
 * Where the sender may have VPIs in memory (see received.c), all bytes are searched,
 * in payload or not: a stale VPI has to be found in order to be refused. Otherwise
 * they go straight from the application's memory.
 *
 * A segmenter only moves over bytes that the transport accepted. The exception
 * are bytes that must be the beginning of a VPI whose rest is still to come, and
 * what is put between them: they are accepted and held, see tx_hold.c.
 */
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/rps.h>
#include <net/inet_common.h>
#include <net/tcp.h>

#include "../trace.h"
#include "check.h"
#include "token.h"
#include "tx.h"

static bool libra_tx_finds(struct libra_tx *tx, size_t skip, const u8 *expected,
			   u32 len)
{
	struct iov_iter at = tx->out.msg->msg_iter;
	u8 found[LIBRA_VPI_SIZE];

	LIBRA_ADD(tx->ls->net, LIBRA_MIB_TX_COPIED, len);
	iov_iter_advance(&at, skip);
	return copy_from_iter(found, len, &at) == len &&
	       !memcmp(expected, found, len);
}

/*
 * Are the @count bytes that the application sends in place of the anchor's next
 * ones those that it got there? Only the rest of a VPI that was cut and the end
 * mark can tell; if they were edited, or others moved there, it is not too late
 * to say so. Where a send() cuts the mark itself, it is not looked at.
 */
static bool libra_tx_intact(struct libra_tx *tx, size_t count)
{
	const struct libra_minted *minted = tx->ls->tx.redeemed;
	u32 len = minted->anchor.len;
	u32 sent = tx->ls->tx.sent;
	u8 vpi[LIBRA_VPI_SIZE];

	if (sent && sent < LIBRA_VPI_SIZE) {
		libra_vpi_write(vpi, minted);
		if (!libra_tx_finds(tx, 0, vpi + sent,
				    min_t(size_t, count, LIBRA_VPI_SIZE - sent)))
			return false;
	}
	if (len < LIBRA_VPI_MARKED || count < LIBRA_VPI_SIZE ||
	    sent + count != len)
		return true;
	libra_vpi_write_mark(vpi, minted);
	return libra_tx_finds(tx, count - LIBRA_VPI_SIZE, vpi, LIBRA_VPI_SIZE);
}

/* The next pages of the anchor that is being sent. */
static int libra_tx_anchor(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	struct libra_anchor *anchor = &ls->tx.redeemed->anchor;
	size_t left = msg_data_left(tx->out.msg);
	size_t count;
	int ret;

	count = min_t(u64, anchor->len - ls->tx.sent, left);
	count = min_t(u64, count, ls->tx.seg.left);
	if (!libra_tx_intact(tx, count))
		return libra_tx_fail(tx, LIBRA_MIB_FS_ALTERED);
	ret = libra_out_splice(&tx->out, anchor->bv, anchor->nr, ls->tx.sent, count,
			      count == left);
	if (ret <= 0)
		return ret;

	libra_out_accepted(&tx->out, ret);
	libra_pass_bytes(ls, LIBRA_EGRESS, NULL, ret);
	libra_tx_count_payload(ls, ret);
	libra_tx_count_redeemed(ls, ret);
	ls->tx.prefix = 0;
	ls->tx.sent += ret;
	if (ls->tx.sent == anchor->len) {
		libra_minted_free(ls->tx.redeemed);
		ls->tx.redeemed = NULL;
		ls->tx.window = LIBRA_WINDOW_PAYLOAD;
	}
	return ret;
}

/*
 * VPIs begin where segments of the iovec do, as they did when they were minted:
 * a large window does not reach over into the next one.
 */
static u32 libra_tx_window_size(u32 window, const struct iov_iter *from)
{
	size_t want = min_t(size_t, window, iov_iter_count(from));
	size_t segment = iov_iter_single_seg_count(from);

	return segment < LIBRA_WINDOW_NATIVE ? min_t(size_t, want, LIBRA_WINDOW_NATIVE) :
					      min(want, segment);
}

/**
 * libra_tx_look() - copy the next bytes, to look at them and to send them
 * @tx: the send() call
 * @win: where to say what there is
 * @skip: bytes in front of them that were looked at before
 *
 * Into the task's page fragment, as tcp_sendmsg() does with all of them. The
 * window is taken out of the fragment while it is in use, because the transport
 * may want some of the fragment for itself.
 *
 * Return: 0, -ENOMEM or -EFAULT; libra_tx_look_away() has to follow a 0.
 */
int libra_tx_look(struct libra_tx *tx, struct libra_window *win, size_t skip)
{
	struct libra_sock *ls = tx->ls;
	struct iov_iter from = tx->out.msg->msg_iter;
	struct page_frag *frag = sk_page_frag(ls->sk);
	size_t left, got;
	u32 want;

	iov_iter_advance(&from, skip);
	left = iov_iter_count(&from);
	want = libra_tx_window_size(ls->tx.window, &from);
	if (!skb_page_frag_refill(min_t(u32, want, LIBRA_WINDOW_MIN), frag,
				  GFP_KERNEL))
		return -ENOMEM;
	want = min(want, frag->size - frag->offset);

	win->page = frag->page;
	win->off = frag->offset;
	win->data = page_address(win->page) + win->off;
	got = copy_from_iter(win->data, want, &from);
	if (!got)
		return -EFAULT;
	if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD)
		LIBRA_ADD(ls->net, LIBRA_MIB_TX_COPIED, got);
	win->len = got;
	win->pos = 0;
	/* What cannot be read is for the next call: there is progress in this one. */
	win->more = got == want && got < left;
	get_page(win->page);
	frag->offset += win->len;
	ls->tx.window = ls->tx.window < LIBRA_WINDOW_NATIVE ? LIBRA_WINDOW_NATIVE :
							     LIBRA_WINDOW_MAX;
	return 0;
}

/**
 * libra_tx_look_away() - done with a window
 * @tx: the send() call
 * @win: from libra_tx_look()
 *
 * What the transport took has its own page reference; the rest goes back.
 */
void libra_tx_look_away(struct libra_tx *tx, struct libra_window *win)
{
	struct page_frag *frag = sk_page_frag(tx->ls->sk);

	if (frag->page == win->page && frag->offset == win->off + win->len)
		frag->offset -= win->len - win->pos;
	put_page(win->page);
}

/**
 * libra_tx_search() - how many bytes are certainly no part of a VPI that the
 *	application received?
 * @ls: attachment
 * @at: bytes
 * @n: how many
 *
 * Return: their number. Behind them is one, or what may be one and is cut by the end.
 */
u32 libra_tx_search(const struct libra_sock *ls, const u8 *at, u32 n)
{
	u32 pos = 0;

	for (;;) {
		pos += libra_match(at + pos, n - pos);
		if (n - pos < LIBRA_VPI_SIZE || libra_received_vpi(ls->dom, at + pos))
			return pos;
		LIBRA_INC(ls->net, LIBRA_MIB_MADE_UP);
		/* No other one begins in a magic. */
		pos += LIBRA_VPI_MAGIC_SIZE;
	}
}

/* @n bytes of the window as they are. */
static int libra_tx_copied(struct libra_tx *tx, struct libra_window *win, u32 n)
{
	struct libra_sock *ls = tx->ls;
	struct bio_vec bv;
	bool between = ls->tx.seg.state == LIBRA_SEG_META && ls->tx.seg.goes_on;
	u32 tail;
	int ret;

	bvec_set_page(&bv, win->page, n, win->off + win->pos);
	ret = libra_out_splice(&tx->out, &bv, 1, 0, n,
			      !win->more && win->pos + n == win->len);
	if (ret <= 0)
		return ret;
	libra_out_accepted(&tx->out, ret);
	if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD) {
		libra_tx_count_payload(ls, ret);
		ls->tx.first_window = LIBRA_WINDOW_NATIVE;
		ls->tx.window = max(ls->tx.window, LIBRA_WINDOW_NATIVE);
	}
	libra_pass_bytes(ls, LIBRA_EGRESS, win->data + win->pos, ret);
	win->pos += ret;
	/* Framing, and the payload may go on with the rest of a magic. */
	if (between && ls->tx.prefix)
		return ret;
	tail = min_t(u32, ret, LIBRA_VPI_MAGIC_SIZE - 1);
	tail -= libra_match(win->data + win->pos - tail, tail);
	libra_hold_remember(ls, tail);
	return ret;
}

/* Of a VPI, tx.prefix bytes went before; all others are at hand. */
static bool libra_tx_completes(const struct libra_sock *ls, const u8 *rest)
{
	u8 vpi[LIBRA_VPI_SIZE];

	memcpy(vpi, libra_vpi_magic(), ls->tx.prefix);
	memcpy(vpi + ls->tx.prefix, rest, sizeof(vpi) - ls->tx.prefix);
	return libra_received_vpi(ls->dom, vpi);
}

/*
 * The last bytes sent were the beginning of a magic, which may have been chance. Does
 * it go on as a VPI? Returns 0 if it does not, if an anchor is to be sent from here on,
 * or if what goes on is held.
 */
static int libra_tx_continued(struct libra_tx *tx, struct libra_window *win,
			      u32 n)
{
	struct libra_sock *ls = tx->ls;
	u8 *at = win->data + win->pos;
	u32 seq = ls->tx.prefix_seq;
	u32 prefix = ls->tx.prefix;
	bool whole;
	u32 same;
	int ret;

	same = min_t(u32, n, LIBRA_VPI_MAGIC_SIZE - prefix);
	if (memcmp(at, libra_vpi_magic() + prefix, same))
		return 0;
	if (n >= LIBRA_VPI_SIZE - prefix && !libra_tx_completes(ls, at))
		return 0;
	if (prefix + same > LIBRA_VPI_CHANCE) {
		if (libra_hold_take_back(tx, at, n))
			return 0;
		/* Too late, if it is one; until that is known, no more of it goes. */
		if (ls->tx.redeemed || n >= LIBRA_VPI_SIZE - prefix)
			return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
		if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD &&
		    (n < ls->tx.seg.left || ls->tx.seg.goes_on)) {
			libra_hold_begin(tx, win, n);
			return 0;
		}
		return libra_hold_is_half(ls, prefix, at, n) ?
		       libra_tx_fail(tx, LIBRA_MIB_FS_CUT) : 0;
	}
	/* Something may have come between. */
	whole = ls->tx.prefix_whole &&
		READ_ONCE(tcp_sk(ls->sk)->write_seq) == seq + prefix;
	ret = libra_tx_copied(tx, win, same);
	if (ret > 0) {
		ls->tx.prefix = prefix + ret;
		ls->tx.prefix_whole = whole;
		ls->tx.prefix_seq = seq;
	}
	return ret;
}

/*
 * What may be chance can wait for what this very call has behind it, framing first; see
 * libra_hold_end_call(). Once it is sent it may be too late to take it back.
 */
static bool libra_tx_may_wait(const struct libra_window *win, u32 n)
{
	return win->more || win->pos + n < win->len;
}

/*
 * A VPI may begin at the window's position; @n bytes of the segment are there,
 * fewer than a VPI has.
 */
static int libra_tx_cut(struct libra_tx *tx, struct libra_window *win, u32 n)
{
	struct libra_sock *ls = tx->ls;
	bool last = n == ls->tx.seg.left && !ls->tx.seg.goes_on;

	/* Cut by the window: look again from here. */
	if (n < ls->tx.seg.left && win->more)
		return 0;

	/* Cut by the end of the message, or where no VPI belongs. */
	if (ls->tx.seg.state != LIBRA_SEG_PAYLOAD || last) {
		if (n > LIBRA_VPI_CHANCE &&
		    libra_hold_is_half(ls, 0, win->data + win->pos, n))
			return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
		return libra_tx_copied(tx, win, n);
	}

	/* Cut by the end of this send(), or by framing. */
	if (libra_hold_look_ahead(tx, win->data + win->pos, n))
		return 0;
	if (n <= LIBRA_VPI_CHANCE && !libra_tx_may_wait(win, n) && !libra_late_pays(ls))
		return libra_tx_copied(tx, win, n);
	libra_hold_begin(tx, win, n);
	return 0;
}

/**
 * libra_tx_classify() - the bytes at the window's position begin something
 * @tx: the send() call
 * @win: has bytes
 *
 * Return: 0 or a fail-stop.
 */
int libra_tx_classify(struct libra_tx *tx, struct libra_window *win)
{
	struct libra_sock *ls = tx->ls;

	libra_seg_classify(ls, LIBRA_EGRESS, win->data + win->pos,
			   win->len - win->pos);
	if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD) {
		ls->tx.window = LIBRA_WINDOW_PAYLOAD;
		LIBRA_ADD(ls->net, LIBRA_MIB_TX_COPIED, win->len - win->pos);
	}
	if (ls->tx.redeemed && !ls->tx.seg.goes_on) {
		/*
		 * The message ended inside an anchor. Metadata behind it: the
		 * application left the rest of the anchor out. Anything else
		 * may be that rest, which is not payload.
		 */
		if (ls->tx.seg.state != LIBRA_SEG_META)
			return libra_tx_fail(tx, LIBRA_MIB_FS_REMAINDER);
		LIBRA_INC(ls->net, LIBRA_MIB_RECLAIMED);
		libra_minted_free(ls->tx.redeemed);
		ls->tx.redeemed = NULL;
	}
	return 0;
}

/**
 * libra_tx_redeemed() - from here on an anchor stands in the stream
 * @ls: attachment, under tx_lock
 * @minted: the anchor, now owned by @ls
 */
void libra_tx_redeemed(struct libra_sock *ls, struct libra_minted *minted)
{
	ls->tx.redeemed = minted;
	ls->tx.sent = 0;
	ls->tx.first_window = LIBRA_WINDOW_MIN;
	LIBRA_INC(ls->net, LIBRA_MIB_REDEEMED);
	trace_libra_redeem(ls->sk, minted->id, minted->anchor.len);
}

/**
 * libra_tx_redeem() - there is a VPI in the stream
 * @tx: the send() call
 * @vpi: LIBRA_VPI_SIZE bytes that begin with the magic
 *
 * Return: 0 or a fail-stop.
 */
int libra_tx_redeem(struct libra_tx *tx, const u8 *vpi)
{
	struct libra_sock *ls = tx->ls;
	struct libra_minted *minted;

	/* Half an anchor was sent, and this is not the rest of it. */
	if (ls->tx.redeemed)
		return libra_tx_fail(tx, LIBRA_MIB_FS_REMAINDER);
	minted = libra_minted_redeem(ls->dom, vpi, ls);
	if (!minted)
		return libra_tx_fail(tx, libra_vpi_is_mark(vpi, ls->dom->cookie) ?
					 LIBRA_MIB_FS_STALE : LIBRA_MIB_FS_UNKNOWN);
	libra_tx_redeemed(ls, minted);
	return 0;
}

/*
 * Deal with what is at the window's position. Returns how many bytes went, 0 to
 * leave the window (an anchor is to be sent, or a VPI is cut), or an error.
 */
static int libra_tx_step(struct libra_tx *tx, struct libra_window *win)
{
	struct libra_sock *ls = tx->ls;
	const u8 *at = win->data + win->pos;
	u32 clean, n;
	bool between;
	int err;

	if (ls->tx.seg.state == LIBRA_SEG_ASK) {
		err = libra_tx_classify(tx, win);
		if (err)
			return err;
	}
	/* Behind framing an anchor goes on. */
	if (ls->tx.redeemed && ls->tx.seg.state == LIBRA_SEG_PAYLOAD)
		return 0;
	n = min_t(u64, win->len - win->pos, ls->tx.seg.left);

	between = ls->tx.seg.state == LIBRA_SEG_META && ls->tx.seg.goes_on;
	if (ls->tx.prefix && !between) {
		/* Whether it goes on as a VPI is seen when there is enough of it. */
		if (n < LIBRA_VPI_SIZE && n == win->len - win->pos && win->more)
			return 0;
		err = tx->searched ? libra_tx_continued(tx, win, n) : 0;
		if (err)
			return err;
		ls->tx.prefix = 0;
		if (ls->tx.redeemed || ls->tx.cut)
			return 0;
	}
	clean = tx->searched ? libra_tx_search(ls, at, n) : n;
	/*
	 * The bytes before a mark are what is left of a VPI, or what was in the
	 * application's memory before it. To see it in time, look that far
	 * ahead.
	 */
	if (n - clean >= LIBRA_VPI_SIZE && libra_vpi_has_mark(at + clean))
		return libra_tx_fail(tx, LIBRA_MIB_FS_STALE);
	if (n == win->len - win->pos && win->more &&
	    n - clean < LIBRA_VPI_SIZE && tx->searched) {
		if (n < LIBRA_LOOK_AHEAD)
			return 0;
		clean = min(clean, n - (LIBRA_LOOK_AHEAD - 1));
	}
	if (clean)
		return libra_tx_copied(tx, win, clean);
	if (n < LIBRA_VPI_SIZE)
		return libra_tx_cut(tx, win, n);

	if (ls->tx.seg.state != LIBRA_SEG_PAYLOAD)
		return libra_tx_fail(tx, LIBRA_MIB_FS_MISPLACED);
	return libra_tx_redeem(tx, at);
}

/* One window's worth of the stream. */
static int libra_tx_window(struct libra_tx *tx)
{
	struct libra_window win;
	int ret;

	ret = libra_tx_look(tx, &win, 0);
	if (ret)
		return ret;

	do {
		ret = libra_tx_step(tx, &win);
	} while (ret > 0 && !tx->out.full && win.pos < win.len);

	libra_tx_look_away(tx, &win);
	return min(ret, 0);
}

/* There may be a VPI. */
static int libra_tx_searched(struct libra_tx *tx)
{
	int ret = libra_native_pays(tx) ? libra_native_send(tx) : 0;

	return ret ? min(ret, 0) : libra_tx_window(tx);
}

/* Nothing to look for yet: straight from the application's memory. */
static int libra_tx_direct(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	int ret;

	ret = libra_out_direct(&tx->out, min_t(u64, msg_data_left(tx->out.msg),
					       ls->tx.seg.left));
	if (ret <= 0)
		return ret;

	if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD) {
		libra_tx_count_payload(ls, ret);
		LIBRA_ADD(ls->net, LIBRA_MIB_TX_COPIED, ret);
	}
	libra_pass_bytes(ls, LIBRA_EGRESS, NULL, ret);
	ls->tx.prefix = 0;
	return 0;
}

static bool libra_tx_may_go_direct(const struct libra_tx *tx)
{
	const struct libra_sock *ls = tx->ls;

	return !tx->searched && !libra_check_follows(ls, LIBRA_EGRESS) &&
	       (ls->tx.seg.state == LIBRA_SEG_PAYLOAD ||
		ls->tx.seg.state == LIBRA_SEG_PASS);
}

/*
 * Where the transport had no room, wait as one native call would: once for all pieces,
 * and without taking an error that is for the next call. Returns 0 to go on.
 */
static int libra_tx_wait(struct libra_tx *tx, int ret)
{
	struct sock *sk = tx->ls->sk;

	if (ret == -EAGAIN || (!ret && tx->out.full && !sk_stream_memory_free(sk))) {
		ret = libra_out_wait(&tx->out);
		/* A ULP came on top, or it is another connection, while the lock was released. */
		if (!ret && libra_sock_changed(tx->ls))
			ret = tx->out.sent ? -EAGAIN : -EPIPE;
	}
	/* There was room: it ended at memory that cannot be read. */
	if (!ret)
		tx->out.full = false;
	return ret;
}

/*
 * All pieces go under one socket lock, as all of a native send() do, where the
 * transport is TCP itself. That is so if it was at the time of the attachment, and
 * nothing came on top since.
 */
static int libra_tx_stream(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	struct sock *sk = ls->sk;
	bool zero_copy;
	int ret = 0;

	zero_copy = ls->tx.tls && libra_received_any(ls) && libra_tls_begin_zero_copy(ls);
	lock_sock(sk);
	tx->out.locked = ls->plain && !libra_sock_changed(ls);
	if (tx->out.locked)
		libra_out_patient(&tx->out);
	else
		release_sock(sk);

	while (!ret && !tx->out.full && msg_data_left(tx->out.msg)) {
		/* Other threads may receive while this one waits, into what it sends. */
		tx->searched = libra_received_any(ls);
		if (ls->tx.owed)
			ret = libra_hold_continue(tx);
		else if (ls->tx.redeemed && ls->tx.seg.state == LIBRA_SEG_PAYLOAD)
			ret = min(libra_tx_anchor(tx), 0);
		else if (libra_tx_may_go_direct(tx))
			ret = libra_tx_direct(tx);
		else
			ret = libra_tx_searched(tx);
		if (tx->out.locked)
			ret = libra_tx_wait(tx, ret);
	}

	if (tx->out.locked) {
		tx->out.locked = false;
		release_sock(sk);
	}
	if (ls->tx.cut && !tx->fail)
		libra_hold_end_call(tx);
	if (zero_copy)
		libra_tls_end_zero_copy(ls);
	return ret;
}

/*
 * What is not a plain send of bytes: MSG_OOB, MSG_ZEROCOPY, control messages, data
 * that goes with the SYN (TCP_FASTOPEN_CONNECT). It goes the native way and ends the
 * segmentation, after a look for VPIs, which cannot be redeemed there.
 */
static int libra_tx_odd(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	struct iov_iter from = tx->out.msg->msg_iter;
	u32 kept = ls->tx.prefix;
	u8 buf[256];
	int ret;

	memcpy(buf, libra_vpi_magic(), kept);
	tx->searched = libra_received_any(ls);
	if (!tx->searched)
		kept = 0;
	while (tx->searched) {
		size_t got = copy_from_iter(buf + kept, sizeof(buf) - kept, &from);
		u32 len = kept + got, at = libra_tx_search(ls, buf, len);

		if (len - at >= LIBRA_VPI_SIZE)
			return libra_tx_fail(tx, LIBRA_MIB_FS_FLAGS);
		kept = len - at;
		memmove(buf, buf + at, kept);
		if (!got || !iov_iter_count(&from))
			break;
	}
	/* Half a VPI. */
	if (kept > LIBRA_VPI_CHANCE)
		return libra_tx_fail(tx, LIBRA_MIB_FS_FLAGS);
	ls->tx.prefix = kept;
	ls->tx.prefix_whole = false;

	ret = READ_ONCE(ls->sk->sk_prot)->sendmsg(ls->sk, tx->out.msg,
						  msg_data_left(tx->out.msg));
	if (ret > 0)
		tx->out.sent += ret;
	return min(ret, 0);
}

/* Under tx_lock. */
static int libra_tx_locked(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	struct sock *sk = ls->sk;
	enum libra_tls_egress tls = LIBRA_TLS_IDLE;
	bool odd;
	int ret;

	if (libra_sock_changed(ls))
		tls = libra_tls_egress(ls);
	if (tls == LIBRA_TLS_ENCRYPTS)
		libra_tls_take_type(sk, tx->out.msg);
	odd = libra_out_is_odd(tx->out.msg) || inet_test_bit(DEFER_CONNECT, sk);
	if (tls == LIBRA_TLS_FOREIGN) {
		libra_seg_pass(ls, LIBRA_EGRESS, LIBRA_MIB_FB_ULP);
		/* If it is another connection, whatever was shut down before. */
		libra_passing_begin(ls, LIBRA_MIB_FB_ULP, LIBRA_REASON_UNSAID);
	} else if (tls == LIBRA_TLS_IDLE && READ_ONCE(tcp_sk(sk)->write_seq) != ls->tx.seq) {
		libra_seg_pass(ls, LIBRA_EGRESS, LIBRA_MIB_FB_RESYNC);
	} else if (tls == LIBRA_TLS_IDLE && odd) {
		/* Records of another type, such as an alert, may go between those of an anchor. */
		libra_seg_pass(ls, LIBRA_EGRESS, LIBRA_MIB_FB_TX_NATIVE);
	}

	if (ls->tx.seg.state == LIBRA_SEG_PASS) {
		/* Half an anchor, and no telling where the rest would go. */
		if (ls->tx.redeemed || ls->tx.cut ||
		    (ls->tx.owed && tls == LIBRA_TLS_FOREIGN))
			return libra_tx_fail(tx, LIBRA_MIB_FS_REMAINDER);
		ls->tx.window = LIBRA_WINDOW_MAX;
	} else if (ls->tx.seg.state != LIBRA_SEG_PAYLOAD) {
		ls->tx.window = ls->tx.first_window ? : LIBRA_WINDOW_MIN;
	}

	ret = odd && ls->tx.owed ? libra_hold_before(tx) : 0;
	if (!ret)
		ret = odd ? libra_tx_odd(tx) : libra_tx_stream(tx);
	ls->tx.seq = READ_ONCE(tcp_sk(sk)->write_seq);
	return ret;
}

/*
 * Who has tx_lock may wait for room, so who must not wait cannot wait for it. To the
 * application that is as if there were no room: it is told when there is, though TCP
 * may not know that anybody asks.
 */
static bool libra_tx_trylock(struct libra_sock *ls)
{
	if (mutex_trylock(&ls->tx_lock))
		return true;
	set_bit(SOCK_NOSPACE, &ls->sk->sk_socket->flags);
	WRITE_ONCE(ls->tx_wanted, true);
	/* Pairs with the one in libra_tx_unlock(): it is free, or it will be told. */
	smp_mb();
	return mutex_trylock(&ls->tx_lock);
}

/**
 * libra_tx_unlock() - release tx_lock
 * @ls: attachment; the caller holds its socket
 *
 * Wakes whoever did not wait for it. Without room in the send buffer TCP does so later.
 *
 * Context: process context, without the socket lock.
 */
void libra_tx_unlock(struct libra_sock *ls)
{
	struct sock *sk = ls->sk;

	mutex_unlock(&ls->tx_lock);
	/* Pairs with the one in libra_tx_trylock(). */
	smp_mb();
	if (!READ_ONCE(ls->tx_wanted) || !xchg(&ls->tx_wanted, false))
		return;
	lock_sock(sk);
	sk->sk_write_space(sk);
	release_sock(sk);
}

/**
 * libra_sendmsg() - in place of inet_sendmsg() on an attached socket
 * @ls: attachment
 * @msg: as for inet_sendmsg()
 * @size: as for inet_sendmsg()
 *
 * Context: process context; takes tx_lock and, through sk_prot, the socket
 * lock. tx_lock is held while a blocking sender waits for memory; others then
 * wait for it as they would for that memory.
 * Return: as inet_sendmsg() would; -ECONNABORTED after a fail-stop.
 */
int libra_sendmsg(struct libra_sock *ls, struct msghdr *msg, size_t size)
{
	struct libra_tx tx = { .ls = ls };
	struct sock *sk = ls->sk;
	int ret;

	libra_passing_note(ls);
	libra_sock_used(ls);
	if (unlikely(inet_send_prepare(sk)))
		return -EAGAIN;
	libra_passing_note(ls);

	/* Without bytes it is a question about the connection. */
	if (!msg_data_left(msg) ||
	    (READ_ONCE(ls->tx.seg.state) == LIBRA_SEG_PASS && !libra_received_any(ls) &&
	     !READ_ONCE(ls->tx.tls) && !libra_tls_encrypts(ls)))
		return READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, size);

	if (msg->msg_flags & MSG_DONTWAIT) {
		if (!libra_tx_trylock(ls))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&ls->tx_lock)) {
		return -ERESTARTSYS;
	}
	libra_out_init(&tx.out, sk, msg);
	/* Behind shutdown(), which may not have told TCP yet; nothing more can be held. */
	if (READ_ONCE(ls->ended) && (ls->tx.tls || !libra_sock_changed(ls)))
		ret = sk_stream_error(sk, msg->msg_flags, -EPIPE);
	else
		ret = libra_tx_locked(&tx);
	if (ls->tx.tls) {
		if (tx.out.corked && !(msg->msg_flags & MSG_MORE))
			libra_tls_end_record(sk);
	} else if (ls->plain && sk->sk_prot == ls->prot) {
		libra_out_push(&tx.out);
	}
	/* Nobody's bytes take the place of those that are refused. */
	if (unlikely(tx.fail))
		WRITE_ONCE(ls->ended, true);
	libra_tx_unlock(ls);

	if (unlikely(tx.fail)) {
		libra_fail_stop(ls, tx.fail);
		return -ECONNABORTED;
	}
	return tx.out.sent ? : ret;
}
