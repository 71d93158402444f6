/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra, lazy mode: what the files of recv() have in common.
 *
 * rx.c receives whole pages, and copies; rx_patch.c receives parts of pages.
 */
#ifndef _NET_LIBRA_LAZY_RX_H
#define _NET_LIBRA_LAZY_RX_H

#include "../recv.h"
#include "lazy.h"

/* Pages of a run that are side by side. */
struct libra_lazy_part {
	pgoff_t pgoff;
	u32 pages;
};

/**
 * struct libra_lazy_rx - one recv() call
 * @reader: of the loop
 * @process: current
 * @sk: socket
 * @net: where the socket's counters are
 * @stream: what is known of the message under way, or NULL
 * @payload: where the last address was, with a reference, or NULL
 * @begin: of the addresses that @payload was found for
 * @end: behind them; without @payload they are ordinary memory
 * @locked: the process has locked memory, nothing of which may be lazy
 * @la: of the run that is being received, or NULL
 * @part: the run's pages, all in @payload
 * @parts: how many parts it has: one for each segment of the iterator
 * @want: bytes of the last part that are still to come; with 0 another may follow
 * @any: some bytes of this call are lazy
 */
struct libra_lazy_rx {
	struct libra_reader reader;
	struct libra_process *process;
	struct sock *sk;
	struct libra_net *net;
	struct libra_stream *stream;
	struct libra_payload *payload;
	unsigned long begin;
	unsigned long end;
	bool locked;
	struct libra_lazy_anchor *la;
	struct libra_lazy_part part[LIBRA_RUN_PAGES];
	u32 parts;
	u32 want;
	bool any;
};

size_t libra_lazy_at(struct libra_lazy_rx *rx, unsigned long addr, size_t len);
struct libra_origin_of_pages libra_lazy_from(struct libra_lazy_rx *rx, u32 seq,
					     bool page, u32 pages);
bool libra_lazy_unfit(struct libra_net *ln, const struct sk_buff *skb);
u32 libra_lazy_patch(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off, u32 seq,
		     u32 len);

#endif /* _NET_LIBRA_LAZY_RX_H */
