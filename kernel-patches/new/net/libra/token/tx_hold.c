// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: VPIs that were cut.
 *
 * A send() may end inside a VPI, or framing may be put between its halves: a
 * proxy that re-chunks a body cuts it where its buffers end. The first bytes
 * cannot be sent before it is known what they stand for. They are accepted and
 * held, with the framing behind them, until the VPI is whole. Then the bytes of
 * the anchor take their places, and the rest of the anchor follows as usual.
 *
 * Most are cut by a send() that ends in the middle of the application's buffer:
 * the rest of the VPI is then the next thing in its memory, or it has an id
 * already, and nothing has to be held.
 *
 * A few bytes of a magic may be mere chance. They are never held: a protocol whose
 * peer waits for them would stall, and whoever can have bytes sent and measure how
 * long they take would find the magic, byte by byte. They are sent and remembered.
 * If they turn out to be a VPI's while TCP has not sent them yet, because it is
 * corked (MSG_MORE) or the peer is slow, they are taken back; if it has, that is a
 * fail-stop. From kernel TLS nothing can be taken back: see tx_late.c.
 *
 * The segmenter has moved over all bytes that are held.
 */
#include <linux/bitmap.h>
#include <net/tcp.h>

#include "check.h"
#include "token.h"
#include "tx.h"

/*
 * What lies behind the next @n bytes in the application's memory. It was not
 * asked to send that; what is found there only counts if it makes a VPI whole.
 */
static bool libra_hold_peek(struct libra_tx *tx, u32 n, u8 *rest, u32 len)
{
	struct iov_iter at = tx->out.msg->msg_iter;

	if (!user_backed_iter(&at))
		return false;
	iov_iter_advance(&at, n - 1);
	return !copy_from_user_nofault(rest, iter_iov_addr(&at) + 1, len);
}

/**
 * libra_hold_look_ahead() - may the beginning of a VPI be sent already?
 * @tx: the send() call; the bytes are the next ones of its iterator
 * @at: the bytes
 * @n: how many, fewer than a VPI has
 *
 * Return: true when it is known for what the bytes stand; tx.redeemed is set.
 */
bool libra_hold_look_ahead(struct libra_tx *tx, const u8 *at, u32 n)
{
	struct libra_minted *minted = NULL;
	struct libra_sock *ls = tx->ls;
	u8 vpi[LIBRA_VPI_SIZE];

	if (ls->tx.redeemed)
		return false;
	memcpy(vpi, at, n);
	if (n >= LIBRA_VPI_CUT_SIZE)
		minted = libra_minted_redeem_cut(ls->dom, vpi, ls);
	else if (libra_hold_peek(tx, n, vpi + n, LIBRA_VPI_SIZE - n) &&
		 !memcmp(vpi, libra_vpi_magic(), LIBRA_VPI_MAGIC_SIZE))
		minted = libra_minted_redeem(ls->dom, vpi, ls);
	if (!minted)
		return false;
	libra_tx_redeemed(ls, minted);
	return true;
}

/**
 * libra_hold_remember() - bytes that may be chance were handed to the transport
 * @ls: attachment, under tx_lock
 * @n: how many, the last ones that it got
 */
void libra_hold_remember(struct libra_sock *ls, u32 n)
{
	ls->tx.prefix = n;
	ls->tx.prefix_whole = true;
	ls->tx.prefix_seq = READ_ONCE(tcp_sk(ls->sk)->write_seq) - n;
}

/*
 * Write over the bytes of tx.prefix, if TCP has not sent them. It does so under the
 * socket lock, which we have, and of what was not sent there is no clone; the memory is
 * a window's, or TCP's own. They may lie in two skbs, of which the first may be sent.
 */
static bool libra_hold_replace(struct libra_tx *tx, const u8 *data)
{
	const struct libra_sock *ls = tx->ls;
	u32 seq = ls->tx.prefix_seq, left = ls->tx.prefix;
	struct sock *sk = ls->sk;
	struct sk_buff *skb;

	if (before(seq, tcp_sk(sk)->snd_nxt))
		return false;
	skb_queue_reverse_walk(&sk->sk_write_queue, skb) {
		u32 begin = TCP_SKB_CB(skb)->seq, off, n;

		if (!before(begin, seq + left))
			continue;
		off = after(begin, seq) ? 0 : seq - begin;
		n = seq + left - (begin + off);
		if (off + n > skb->len || skb_cloned(skb) ||
		    skb_store_bits(skb, off, data + left - n, n))
			return false;
		left -= n;
		if (!left)
			return true;
	}
	return false;
}

/**
 * libra_hold_take_back() - what was sent as chance goes on as a VPI
 * @tx: the send() call; tx.prefix bytes of the VPI went before
 * @at: its next ones, which are the next ones of the call's iterator
 * @n: how many
 *
 * The anchor's first bytes take the places of those that went. libra_tx_anchor()
 * looks whether the rest of the VPI is right.
 *
 * Return: true; tx.redeemed is set. Or false if it is too late, or no VPI of ours: the
 * connection has to be aborted.
 */
bool libra_hold_take_back(struct libra_tx *tx, const u8 *at, u32 n)
{
	u8 vpi[LIBRA_VPI_CUT_SIZE], first[LIBRA_VPI_MAGIC_SIZE];
	const struct libra_anchor *anchor;
	struct libra_sock *ls = tx->ls;
	u32 prefix = ls->tx.prefix;
	struct libra_minted *minted;
	struct iov_iter from;

	if (ls->tx.redeemed || ls->tx.seg.state != LIBRA_SEG_PAYLOAD ||
	    !ls->tx.prefix_whole || !tx->out.locked || prefix + n < sizeof(vpi))
		return false;
	memcpy(vpi, libra_vpi_magic(), prefix);
	memcpy(vpi + prefix, at, sizeof(vpi) - prefix);
	if (memcmp(vpi, libra_vpi_magic(), LIBRA_VPI_MAGIC_SIZE))
		return false;
	minted = libra_minted_redeem_cut(ls->dom, vpi, ls);
	if (!minted)
		return false;
	libra_tx_redeemed(ls, minted);

	anchor = &minted->anchor;
	iov_iter_bvec(&from, ITER_SOURCE, anchor->bv, anchor->nr, prefix);
	if (copy_from_iter(first, prefix, &from) != prefix ||
	    !libra_hold_replace(tx, first))
		return false;
	ls->tx.sent = prefix;
	libra_tx_count_redeemed(ls, prefix);
	return true;
}

/**
 * libra_hold_is_half() - nothing comes behind it: is it half a VPI?
 * @ls: attachment, under tx_lock
 * @gone: bytes of a magic that were sent before
 * @at: the next ones of what may be a VPI
 * @n: how many; all together fewer than a VPI has
 *
 * What cannot be told is taken for one; but not towards an upstream on which no request
 * is anchored. There a client decides what a message ends with, and others would lose
 * the connection.
 *
 * Return: true when it has to be a fail-stop.
 */
bool libra_hold_is_half(const struct libra_sock *ls, u32 gone, const u8 *at, u32 n)
{
	u8 vpi[LIBRA_VPI_SIZE];

	if (gone + n <= LIBRA_VPI_CHANCE)
		return false;
	if (ls->role == LIBRA_ROLE_PASSIVE ||
	    libra_sock_flags(ls) & LIBRA_F_ANCHOR_REQUESTS)
		return true;
	if (gone + n < LIBRA_VPI_ID_SIZE)
		return false;
	memcpy(vpi, libra_vpi_magic(), gone);
	memcpy(vpi + gone, at, n);
	return libra_received_id(ls->dom, libra_vpi_id(vpi));
}

/* The same for what is held. */
static bool libra_hold_has_half(const struct libra_sock *ls)
{
	u8 held[LIBRA_VPI_SIZE];
	u32 i, n = 0;

	for_each_set_bit(i, ls->tx.of_vpi, ls->tx.owed)
		held[n++] = ls->tx.held[i];
	return libra_hold_is_half(ls, ls->tx.gone, held, n);
}

/* Nobody will ever receive what is held. */
static bool libra_hold_pointless(const struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN ||
	       !((1 << sk->sk_state) &
		 (TCPF_SYN_RECV | TCPF_ESTABLISHED | TCPF_CLOSE_WAIT));
}

/* Accept @n bytes at the window's position, which are @of_vpi or framing. */
static void libra_hold_add(struct libra_tx *tx, struct libra_window *win, u32 n,
			   bool of_vpi)
{
	struct libra_sock *ls = tx->ls;
	u8 *data = win->data + win->pos;

	memcpy(ls->tx.held + ls->tx.owed, data, n);
	if (of_vpi) {
		bitmap_set(ls->tx.of_vpi, ls->tx.owed, n);
		ls->tx.cut += n;
		libra_tx_count_payload(ls, n);
	}
	WRITE_ONCE(ls->tx.owed, ls->tx.owed + n);
	/* What takes the place of a VPI is not at hand. */
	if (of_vpi)
		libra_check_lose(ls, LIBRA_EGRESS);
	libra_pass_bytes(ls, LIBRA_EGRESS, data, n);
	libra_out_accepted(&tx->out, n);
	win->pos += n;
}

/**
 * libra_hold_begin() - hold the beginning of a VPI
 * @tx: the send() call
 * @win: at its position
 * @n: bytes of it; with the tx.prefix that went before, more than may be chance and
 *	fewer than a VPI has
 */
void libra_hold_begin(struct libra_tx *tx, struct libra_window *win, u32 n)
{
	struct libra_sock *ls = tx->ls;

	bitmap_zero(ls->tx.of_vpi, LIBRA_HOLD_MAX);
	libra_hold_add(tx, win, n, true);
	ls->tx.gone = ls->tx.prefix;
	ls->tx.prefix = 0;
}

/*
 * Hand @len bytes to the transport, which is TCP, under the socket lock; or kernel TLS,
 * which takes that for itself, and may have no room.
 */
static int libra_hold_send(struct libra_sock *ls, struct msghdr *msg, size_t len)
{
	struct sock *sk = ls->sk;

	if (libra_hold_pointless(sk))
		return len;
	if (ls->tx.tls)
		return READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, len);
	if (libra_sock_changed(ls) && !libra_tls_sends_plain(ls))
		return -EAGAIN;
	return tcp_sendmsg_locked(sk, msg, len);
}

/*
 * Room in the send buffer, whatever its limit is. Returns what that was. Who reads it
 * without the lock may wake a sender for nothing; TLS takes the lock itself, and nobody
 * else makes use of the room meanwhile, as they would need tx_lock.
 */
static int libra_hold_make_room(struct libra_sock *ls, bool locked)
{
	struct sock *sk = ls->sk;
	int sndbuf;

	if (!locked)
		lock_sock(sk);
	sndbuf = sk->sk_sndbuf;
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX / 2);
	if (!locked && ls->tx.tls)
		release_sock(sk);
	return sndbuf;
}

static void libra_hold_end_room(struct libra_sock *ls, bool locked, int sndbuf)
{
	struct sock *sk = ls->sk;

	if (!locked && ls->tx.tls)
		lock_sock(sk);
	/* Unless somebody has set it meanwhile. */
	if (sk->sk_sndbuf == INT_MAX / 2)
		WRITE_ONCE(sk->sk_sndbuf, sndbuf);
	if (!locked)
		release_sock(sk);
}

/* Send what is held, with MSG_* of @flags. The socket lock is held unless that is for TLS. */
static int libra_hold_send_all(struct libra_sock *ls, int flags)
{
	struct kvec vec = { .iov_base = ls->tx.held, .iov_len = ls->tx.owed };
	struct msghdr msg = { .msg_flags = flags | MSG_NOSIGNAL };
	int ret;

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	ret = libra_hold_send(ls, &msg, vec.iov_len);
	ls->tx.seq = READ_ONCE(tcp_sk(ls->sk)->write_seq);
	if (ret <= 0)
		return ret ? : -EAGAIN;
	/* Short only without memory: the rest is for the next attempt. */
	memmove(ls->tx.held, ls->tx.held + ret, ls->tx.owed - ret);
	WRITE_ONCE(ls->tx.owed, ls->tx.owed - ret);
	return ls->tx.owed ? -EAGAIN : 0;
}

/**
 * libra_hold_flush() - send what is held, as it is in tx.held
 * @ls: attachment, under tx_lock
 * @locked: the caller holds the socket lock
 *
 * The application was told that these bytes are on their way, and may never
 * call again: they go whatever the send buffer's limit says, which they can
 * exceed by LIBRA_HOLD_MAX bytes.
 *
 * Context: process context, takes the socket lock.
 * Return: 0, also when the connection has ended: whoever sends next hears of
 * that from the transport. Or why the transport did not take all.
 */
int libra_hold_flush(struct libra_sock *ls, bool locked)
{
	int sndbuf, ret;

	if (!ls->tx.owed)
		return 0;
	sndbuf = libra_hold_make_room(ls, locked);
	ret = libra_hold_send_all(ls, MSG_DONTWAIT);
	libra_hold_end_room(ls, locked, sndbuf);
	return ret;
}

/*
 * The same for a send() which has more behind it. TLS waits for room as it does for the
 * call's own bytes, and takes what is held into one record with them.
 */
static int libra_hold_flush_first(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	int ret;

	if (!ls->tx.tls)
		return libra_hold_flush(ls, tx->out.locked);
	if (!ls->tx.owed)
		return 0;
	WRITE_ONCE(ls->tx.waits, !(tx->out.flags & MSG_DONTWAIT));
	ret = libra_hold_send_all(ls, (tx->out.flags & MSG_DONTWAIT) | MSG_MORE);
	WRITE_ONCE(ls->tx.waits, false);
	if (!ret)
		tx->out.corked = true;
	return ret;
}

/*
 * With what came behind them, the @n bytes that were held as the beginning of a VPI are
 * none; or the application put something else there. What they end with may be the
 * beginning of one that is: of that, no more than may be chance can go.
 */
static int libra_hold_let_go(struct libra_tx *tx, const u8 *held, u32 n)
{
	struct libra_sock *ls = tx->ls;

	if (libra_hold_is_half(ls, 0, held, n))
		return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
	LIBRA_INC(ls->net, LIBRA_MIB_MADE_UP);
	ls->tx.cut = 0;
	n -= 1 + libra_match(held + 1, n - 1);
	if (n > LIBRA_VPI_CHANCE)
		return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
	ls->tx.prefix = n;
	ls->tx.prefix_whole = false;
	return 0;
}

/*
 * The VPI is whole: the anchor's first bytes take the places of those held. Or it was
 * none.
 */
static int libra_hold_redeem(struct libra_tx *tx, const u8 *rest)
{
	u8 vpi[LIBRA_VPI_SIZE], first[LIBRA_VPI_SIZE];
	struct libra_sock *ls = tx->ls;
	u32 have = ls->tx.cut, n = ls->tx.gone, i;
	const struct libra_anchor *anchor;
	struct iov_iter from;
	int err;

	memcpy(vpi, libra_vpi_magic(), n);
	for_each_set_bit(i, ls->tx.of_vpi, ls->tx.owed)
		vpi[n++] = ls->tx.held[i];
	memcpy(vpi + n, rest, LIBRA_VPI_SIZE - n);
	if (!libra_received_vpi(ls->dom, vpi))
		return libra_hold_let_go(tx, vpi, n);
	if (ls->tx.gone)
		return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
	err = libra_tx_redeem(tx, vpi);
	if (err)
		return err;

	anchor = &ls->tx.redeemed->anchor;
	iov_iter_bvec(&from, ITER_SOURCE, anchor->bv, anchor->nr, have);
	if (copy_from_iter(first, have, &from) != have)
		return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
	n = 0;
	for_each_set_bit(i, ls->tx.of_vpi, ls->tx.owed)
		ls->tx.held[i] = first[n++];
	ls->tx.sent = have;
	ls->tx.cut = 0;
	libra_tx_count_redeemed(ls, have);
	return 0;
}

/*
 * What is held of a VPI goes, as what may be chance, and is remembered. Framing may be
 * behind it, or between.
 */
static void libra_hold_is_chance(struct libra_sock *ls)
{
	u32 n = ls->tx.gone + ls->tx.cut;

	ls->tx.cut = 0;
	if (n > LIBRA_VPI_CHANCE)
		return;
	ls->tx.prefix = n;
	ls->tx.prefix_seq = READ_ONCE(tcp_sk(ls->sk)->write_seq);
	ls->tx.prefix_whole = !ls->tx.gone &&
			      find_next_zero_bit(ls->tx.of_vpi, ls->tx.owed, 0) >= n;
}

/* Nothing more comes of it, as far as can be seen. */
static int libra_hold_over(struct libra_tx *tx)
{
	if (libra_hold_has_half(tx->ls))
		return libra_tx_fail(tx, LIBRA_MIB_FS_CUT);
	libra_hold_is_chance(tx->ls);
	return 1;
}

/**
 * libra_hold_before() - what is held goes before what is no plain send of bytes
 * @tx: the send() call
 *
 * Return: 0, a fail-stop, or why the transport did not take all.
 */
int libra_hold_before(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;

	if (ls->tx.cut && libra_hold_over(tx) < 0)
		return -ECONNABORTED;
	return libra_hold_flush(ls, false);
}

/*
 * The bytes at the window's position come behind those held. Returns 0 to go
 * on, an error, or 1 when nothing is to be waited for any more: then what is
 * held goes first, and the bytes at the position are looked at again.
 */
static int libra_hold_step(struct libra_tx *tx, struct libra_window *win)
{
	struct libra_sock *ls = tx->ls;
	const u8 *at = win->data + win->pos;
	u32 n, have, same;
	int err;

	if (ls->tx.seg.state == LIBRA_SEG_ASK) {
		err = libra_tx_classify(tx, win);
		if (err)
			return err;
	}
	n = min_t(u64, win->len - win->pos, ls->tx.seg.left);

	if (ls->tx.seg.state != LIBRA_SEG_PAYLOAD) {
		/* Framing, or the beginning of what may be framing. */
		if (!ls->tx.seg.goes_on || n > LIBRA_HOLD_MAX - ls->tx.owed)
			return libra_hold_over(tx);
		libra_hold_add(tx, win, n, false);
		return 0;
	}

	have = ls->tx.gone + ls->tx.cut;
	if (have < LIBRA_VPI_MAGIC_SIZE) {
		same = min(n, LIBRA_VPI_MAGIC_SIZE - have);
		if (memcmp(at, libra_vpi_magic() + have, same)) {
			ls->tx.cut = 0;		/* it was no VPI */
			return 1;
		}
	}
	if (n >= LIBRA_VPI_SIZE - have)
		return libra_hold_redeem(tx, at) ? : 1;
	if ((n == ls->tx.seg.left && !ls->tx.seg.goes_on) ||
	    n > LIBRA_HOLD_MAX - ls->tx.owed)
		return libra_hold_over(tx);
	libra_hold_add(tx, win, n, true);
	return 0;
}

/**
 * libra_hold_continue() - a send() while bytes are held
 * @tx: the send() call; there are bytes to send
 *
 * Return: 0; or an error, after which nothing more of the call is to be sent.
 */
int libra_hold_continue(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;
	struct libra_window win;
	int ret = 0;

	if (ls->tx.cut) {
		ret = libra_tx_look(tx, &win, 0);
		if (ret)
			return ret;
		do {
			ret = libra_hold_step(tx, &win);
		} while (!ret && win.pos < win.len);
		libra_tx_look_away(tx, &win);
		if (ret < 0)
			return ret;
	}
	return ls->tx.cut ? 0 : libra_hold_flush_first(tx);
}

/**
 * libra_hold_let_chance_go() - no more than may be chance is held, and waits no longer
 * @ls: attachment, under tx_lock
 *
 * What the transport has no room for goes with the next call, in the middle of a message
 * of which more is to come.
 *
 * Context: process context, takes the socket lock.
 * Return: as libra_hold_flush() does.
 */
int libra_hold_let_chance_go(struct libra_sock *ls)
{
	/* The second attempt knows no more of it. */
	if (ls->tx.cut)
		libra_hold_is_chance(ls);
	return libra_hold_flush(ls, false);
}

/**
 * libra_hold_end_call() - what may be chance waits no longer than for its own send()
 * @tx: the send() call; nothing more of it is looked at
 *
 * Unless the application has to call again anyhow, because not all was accepted; or the
 * bytes are late, see tx_late.c.
 */
void libra_hold_end_call(struct libra_tx *tx)
{
	struct libra_sock *ls = tx->ls;

	if (ls->tx.gone + ls->tx.cut > LIBRA_VPI_CHANCE || msg_data_left(tx->out.msg))
		return;
	if (libra_late_pays(ls))
		libra_late_begin(ls);
	else
		libra_hold_let_chance_go(ls);
}

/*
 * A sender that has tx_lock sends what is held soon, or finds that it is half a VPI:
 * it may wait for the application's memory or for the socket lock, but for room in
 * the send buffer only when nothing is held any more. Then shutdown() has not to wait
 * for it, as it would not without us. Nor has it where TLS waits for room with what is
 * held: that is lost then, and the connection aborted. Returns false when there is nothing
 * to do.
 */
static bool libra_hold_lock(struct libra_sock *ls)
{
	while (!mutex_trylock(&ls->tx_lock)) {
		if (!READ_ONCE(ls->tx.owed) || READ_ONCE(ls->tx.waits) ||
		    fatal_signal_pending(current))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/**
 * libra_hold_end() - nothing more will be sent
 * @ls: attachment
 * @alone: nobody else uses the socket
 *
 * Context: process context, before the transport knows.
 * Return: false if half a VPI is held: the connection has to be aborted.
 */
bool libra_hold_end(struct libra_sock *ls, bool alone)
{
	bool clean = true;

	if (alone)
		mutex_lock(&ls->tx_lock);
	else if (!libra_hold_lock(ls))
		return !READ_ONCE(ls->tx.owed);
	if (ls->tx.cut && libra_hold_has_half(ls)) {
		clean = libra_hold_pointless(ls->sk);
	} else if (ls->tx.owed) {
		ls->tx.cut = 0;
		clean = !libra_hold_flush(ls, false) || libra_hold_pointless(ls->sk);
	}
	libra_tx_unlock(ls);
	return clean;
}
