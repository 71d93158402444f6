// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: bytes that are sent as they are, where VPIs have to be looked for.
 *
 * A window is as much as lies together in memory. Each call of the transport costs as
 * much as a few pages, and ends an skb sooner; so several windows in which there was
 * nothing go in one.
 */
#include <linux/bvec.h>
#include <linux/mm.h>

#include "check.h"
#include "token.h"
#include "tx.h"

/* Windows of one call, and bytes, after which one more would gain nothing. */
#define LIBRA_NATIVE_WINDOWS	16
#define LIBRA_NATIVE_BYTES	(64 << 10)

/**
 * struct libra_native - what goes to the transport in one call
 * @bv: copies that were searched, each with a page reference
 * @nr: how many
 * @len: bytes
 */
struct libra_native {
	struct bio_vec bv[LIBRA_NATIVE_WINDOWS];
	u32 nr;
	size_t len;
};

/**
 * libra_native_pays() - is there a long stretch, probably without a VPI?
 * @tx: the send() call
 */
bool libra_native_pays(const struct libra_tx *tx)
{
	const struct libra_sock *ls = tx->ls;

	return (ls->tx.seg.state == LIBRA_SEG_PASS ||
		ls->tx.seg.state == LIBRA_SEG_PAYLOAD) &&
	       !ls->tx.redeemed && !ls->tx.prefix && !libra_check_follows(ls, LIBRA_EGRESS) &&
	       ls->tx.window >= LIBRA_WINDOW_NATIVE &&
	       min_t(u64, ls->tx.seg.left, msg_data_left(tx->out.msg)) >
	       2 * LIBRA_WINDOW_NATIVE;
}

/*
 * One window more. Returns 1 to go on, 0 when something else comes next, or an error,
 * behind what was gathered before.
 */
static int libra_native_window(struct libra_tx *tx, struct libra_native *native)
{
	struct libra_sock *ls = tx->ls;
	struct libra_window win;
	u32 n, clean;
	int ret;

	ret = libra_tx_look(tx, &win, native->len);
	if (ret)
		return ret;
	n = min_t(u64, win.len, ls->tx.seg.left - native->len);
	clean = libra_tx_search(ls, win.data, n);
	ret = clean == n && n < ls->tx.seg.left - native->len && win.more;
	if (n - clean >= LIBRA_VPI_SIZE) {
		/* What stands there, and not what is behind it, is looked at next. */
		ls->tx.window = LIBRA_WINDOW_PAYLOAD;
		/* See libra_tx_step(). */
		if (libra_vpi_has_mark(win.data + clean))
			ret = libra_tx_fail(tx, LIBRA_MIB_FS_STALE);
	} else if (n == win.len && win.more) {
		clean = min(clean, n - min(n, LIBRA_LOOK_AHEAD - 1));
	}
	if (clean && ret >= 0) {
		get_page(win.page);
		bvec_set_page(&native->bv[native->nr++], win.page, clean, win.off);
		native->len += clean;
		win.pos = clean;
	}
	libra_tx_look_away(tx, &win);
	return clean ? ret : min(ret, 0);
}

/* What the transport took may end as a magic begins, if it did not take all. */
static u32 libra_native_tail(const struct libra_native *native, size_t sent)
{
	u32 len = min_t(size_t, sent, LIBRA_VPI_MAGIC_SIZE - 1);
	u8 tail[LIBRA_VPI_MAGIC_SIZE];
	struct iov_iter from;

	iov_iter_bvec(&from, ITER_SOURCE, native->bv, native->nr, sent);
	iov_iter_advance(&from, sent - len);
	len = copy_from_iter(tail, len, &from);
	return len - libra_match(tail, len);
}

/**
 * libra_native_send() - send some windows' worth of bytes as they are
 * @tx: the send() call, for which libra_native_pays() was true
 *
 * Return: bytes that went, 0 when the next ones have to be looked at more closely, or
 * an error.
 */
int libra_native_send(struct libra_tx *tx)
{
	struct libra_native native = { };
	struct libra_sock *ls = tx->ls;
	int ret;

	do {
		ret = libra_native_window(tx, &native);
	} while (ret > 0 && native.nr < LIBRA_NATIVE_WINDOWS &&
		 native.len < LIBRA_NATIVE_BYTES);

	/* What cannot be read is for the next call, behind what can. */
	if (tx->fail || !native.len) {
		ret = min(ret, 0);
		goto out;
	}
	ret = libra_out_splice(&tx->out, native.bv, native.nr, 0, native.len,
			      native.len == msg_data_left(tx->out.msg));
	if (ret <= 0)
		goto out;
	libra_hold_remember(ls, libra_native_tail(&native, ret));
	libra_out_accepted(&tx->out, ret);
	if (ls->tx.seg.state == LIBRA_SEG_PAYLOAD) {
		libra_tx_count_payload(ls, ret);
		ls->tx.first_window = LIBRA_WINDOW_NATIVE;
	}
	libra_pass_bytes(ls, LIBRA_EGRESS, NULL, ret);
out:
	while (native.nr)
		put_page(native.bv[--native.nr].bv_page);
	return ret;
}
