/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the files of the transmit side share. All of it runs under
 * libra_sock.tx_lock.
 */
#ifndef _NET_LIBRA_TX_H
#define _NET_LIBRA_TX_H

#include "../send.h"
#include "token.h"

/*
 * How many bytes to look at: little where a VPI is likely to be near, because
 * what is behind it is read for nothing; more where there was none. A header is
 * read with the payload of its message, if the last message was not anchored.
 */
#define LIBRA_WINDOW_MIN	512
#define LIBRA_WINDOW_PAYLOAD	128
#define LIBRA_WINDOW_NATIVE	(4 << 10)
#define LIBRA_WINDOW_MAX	(16 << 10)

/* A VPI, whatever became of it, and the mark behind it. */
#define LIBRA_LOOK_AHEAD	(2 * LIBRA_VPI_SIZE)

/**
 * struct libra_tx - one send() call
 * @ls: attachment
 * @searched: the application may have VPIs, see received.c
 * @out: the transport's view of it
 * @fail: why the connection has to be aborted, or 0
 */
struct libra_tx {
	struct libra_sock *ls;
	bool searched;
	struct libra_out out;
	int fail;
};

static inline int libra_tx_fail(struct libra_tx *tx, enum libra_mib why)
{
	tx->fail = why;
	return -ECONNABORTED;
}

/**
 * struct libra_window - bytes of the stream that were copied to be looked at
 * @page: with a reference; where @data lies
 * @off: at which offset
 * @data: the bytes at the application's iterator
 * @len: how many
 * @pos: up to where they were dealt with
 * @more: the application has more behind them
 */
struct libra_window {
	struct page *page;
	u32 off;
	u8 *data;
	u32 len;
	u32 pos;
	bool more;
};

int libra_tx_look(struct libra_tx *tx, struct libra_window *win, size_t skip);
u32 libra_tx_search(const struct libra_sock *ls, const u8 *at, u32 n);
void libra_tx_look_away(struct libra_tx *tx, struct libra_window *win);
int libra_tx_classify(struct libra_tx *tx, struct libra_window *win);
int libra_tx_redeem(struct libra_tx *tx, const u8 *vpi);
void libra_tx_redeemed(struct libra_sock *ls, struct libra_minted *minted);

/* tx_native.c */
bool libra_native_pays(const struct libra_tx *tx);
int libra_native_send(struct libra_tx *tx);

/* tx_hold.c */
bool libra_hold_is_half(const struct libra_sock *ls, u32 gone, const u8 *at, u32 n);
void libra_hold_remember(struct libra_sock *ls, u32 n);
bool libra_hold_take_back(struct libra_tx *tx, const u8 *at, u32 n);
int libra_hold_before(struct libra_tx *tx);
int libra_hold_let_chance_go(struct libra_sock *ls);
void libra_hold_end_call(struct libra_tx *tx);
bool libra_hold_look_ahead(struct libra_tx *tx, const u8 *at, u32 n);
void libra_hold_begin(struct libra_tx *tx, struct libra_window *win, u32 n);
int libra_hold_continue(struct libra_tx *tx);
int libra_hold_flush(struct libra_sock *ls, bool locked);

/* tx_late.c */
bool libra_late_pays(const struct libra_sock *ls);
void libra_late_begin(struct libra_sock *ls);

#endif /* _NET_LIBRA_TX_H */
