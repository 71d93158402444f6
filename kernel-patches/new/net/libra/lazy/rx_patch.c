// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: recv() into parts of pages.
 *
 * Reads end and begin anywhere. To write the end of one into its page is to fill what is
 * lazy there, and to unmap the page when it is received into again; to anchor it is less
 * work even where it is short.
 */
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "../trace.h"
#include "rx.h"

/* Fewer bytes of a page are not worth an anchor, */
#define LIBRA_PATCH_LEAST	64
/* nor are these, where nothing beside them is lazy, or a page would be unmapped, */
#define LIBRA_PATCH_ALONE	1024
/* nor is a page that would be in so many pieces, or pin so much. */
#define LIBRA_PATCH_FRAGS	8
#define LIBRA_PATCH_PINS	(2 * LIBRA_RUN_BYTES)

/* What @view says, but for @len bytes of the skb at @at; or NULL. */
static struct libra_lazy_anchor *libra_lazy_patched(struct libra_lazy_rx *rx,
						    struct sk_buff *skb, u32 off,
						    u32 len, u32 at,
						    struct libra_view view)
{
	struct libra_lazy_anchor *la;
	u32 charge = div_u64((u64)skb->truesize * len, skb->len) + 1;

	la = libra_lazy_anchor_alloc(&rx->process->account, libra_memcg_of(rx->sk));
	if (!la)
		return NULL;
	if (libra_anchor_charge(&la->anchor, charge) &&
	    !libra_lazy_anchor_add_view(la, view, 0, at) &&
	    !libra_anchor_add_skb(&la->anchor, rx->sk, skb, off, len) &&
	    !libra_lazy_anchor_add_view(la, view, at + len, PAGE_SIZE - at - len) &&
	    la->anchor.nr <= LIBRA_PATCH_FRAGS &&
	    libra_anchor_may_pin(&la->anchor) &&
	    la->anchor.charge <= LIBRA_PATCH_PINS)
		return la;
	libra_lazy_anchor_put(la, 1);
	return NULL;
}

/*
 * Should a part of a page be added to what the page stands for, and not be written?
 * Where nothing is learned, only where a stream goes on, and where it ends: a page that
 * was never used and with which a read begins has a header.
 */
static bool libra_lazy_patches(struct libra_lazy_rx *rx, u32 seq, u32 at, u32 len,
			       struct libra_view view)
{
	struct libra_streams *streams = rx->process->streams;
	bool beside = !view.page && (rx->any || (view.la && at));
	u32 bytes = PAGE_SIZE;

	if (!beside && len < LIBRA_PATCH_ALONE)
		return false;
	if (!rx->stream)
		return view.la || (!view.page && rx->any && !at);
	if (view.page)
		return libra_stream_advise_again(streams, rx->stream, seq);
	return libra_stream_advise(streams, rx->stream, seq, &bytes);
}

/* A page counts once for a message, however many pieces of it come. */
static bool libra_lazy_is_counted(const struct libra_lazy_rx *rx, struct libra_view view)
{
	return rx->stream && view.la && libra_stream_is_of(rx->stream, &view.la->from);
}

/**
 * libra_lazy_patch() - a part of a page becomes lazy
 * @rx: call, without a run
 * @skb: of the receive queue
 * @off: where in it the bytes begin
 * @seq: of the first
 * @len: how many there are
 *
 * The page then stands for these bytes, and for the rest of what it was before. So a
 * stream goes on where the last read ended, and ends where it does.
 *
 * Context: under the socket lock.
 * Return: how many bytes went; 0: they are to be written.
 */
u32 libra_lazy_patch(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off, u32 seq,
		     u32 len)
{
	unsigned long addr = libra_iter_addr(&rx->reader.msg->msg_iter);
	u32 at = offset_in_page(addr);
	struct libra_lazy_anchor *la;
	struct libra_view view;
	bool done = false;
	pgoff_t pgoff;

	len = min_t(size_t, len, PAGE_SIZE - at);
	len = libra_lazy_at(rx, addr, len);
	if (len < LIBRA_PATCH_LEAST)
		return 0;
	pgoff = libra_pgoff(rx->payload, addr);
	if (!libra_slots_ready(rx->payload, pgoff, 1) ||
	    !libra_slot_view(rx->payload, pgoff, &view))
		return 0;
	if (libra_lazy_patches(rx, seq, at, len, view) && !libra_lazy_unfit(rx->net, skb)) {
		la = libra_lazy_patched(rx, skb, off, len, at, view);
		if (la)
			la->from = libra_lazy_from(rx, seq, view.page, 0);
		done = la && libra_slot_swap(rx->payload, pgoff, view, la);
		if (done && !libra_lazy_is_counted(rx, view))
			libra_lazy_from(rx, seq, view.page, 1);
		if (la && !done)
			libra_lazy_anchor_put(la, 1);
	}
	libra_view_put(&view);
	if (!done)
		return 0;
	rx->any = true;
	LIBRA_ADD(rx->net, LIBRA_MIB_LAZY_RX, len);
	trace_libra_lazy_receive(rx->sk, addr, len);
	iov_iter_advance(&rx->reader.msg->msg_iter, len);
	return len;
}
