// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: bytes of anchors and copies of others, gathered for one call of the
 * transport.
 *
 * What a proxy sends is a header of its own and payload of many fragments. Each call
 * of the transport costs as much as a few pages, so all of it goes in one.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#include "../anchor.h"
#include "../send.h"
#include "gather.h"

/* Fragments that continue each other are one. */
static void libra_gather_add(struct libra_gather *gather, struct page *page, u32 off,
			     u32 len, bool anchored)
{
	struct bio_vec *bv = &gather->bv[gather->nr];

	gather->len += len;
	if (gather->nr && anchored == test_bit(gather->nr - 1, gather->anchored) &&
	    bv[-1].bv_page == page && bv[-1].bv_offset + bv[-1].bv_len == off) {
		bv[-1].bv_len += len;
		return;
	}
	bvec_set_page(bv, page, len, off);
	__assign_bit(gather->nr++, gather->anchored, anchored);
}

/**
 * libra_gather_anchor() - append bytes of an anchor
 * @gather: where to
 * @anchor: stays until libra_gather_send() has returned
 * @idx: fragment of it in which they begin
 * @off: where in that fragment
 * @len: at most what the anchor has from there on
 *
 * Context: any.
 * Return: how many went; fewer than @len when there is no room for more.
 */
u32 libra_gather_anchor(struct libra_gather *gather, const struct libra_anchor *anchor,
			u32 idx, u32 off, u32 len)
{
	u32 left = len;

	while (left && !libra_gather_is_full(gather)) {
		const struct bio_vec *bv = &anchor->bv[idx++];
		u32 part = min(left, bv->bv_len - off);

		libra_gather_add(gather, bv->bv_page, bv->bv_offset + off, part, true);
		off = 0;
		left -= part;
	}
	return len - left;
}

/**
 * libra_gather_room() - where to write bytes that are to be sent
 * @gather: libra_gather_may_copy() was true
 * @sk: the sending socket
 * @len: how many there are; at return, how many there is room for
 *
 * The task's page fragment, as tcp_sendmsg() uses it.
 *
 * Context: process context.
 * Return: memory for libra_gather_copied(), before anything else of the task may
 * want some of the fragment; or NULL when memory ran out.
 */
void *libra_gather_room(struct libra_gather *gather, struct sock *sk, size_t *len)
{
	struct page_frag *frag = sk_page_frag(sk);

	if (!skb_page_frag_refill(min_t(size_t, *len, 512), frag, GFP_KERNEL))
		return NULL;
	*len = min_t(size_t, *len, frag->size - frag->offset);
	return page_address(frag->page) + frag->offset;
}

/**
 * libra_gather_copied() - append what was written there
 * @gather: as for libra_gather_room()
 * @sk: as for libra_gather_room()
 * @len: bytes, not 0
 *
 * Context: process context.
 */
void libra_gather_copied(struct libra_gather *gather, struct sock *sk, size_t len)
{
	struct page_frag *frag = sk_page_frag(sk);

	if (!gather->nr_page || gather->page[gather->nr_page - 1] != frag->page) {
		get_page(frag->page);
		gather->page[gather->nr_page++] = frag->page;
	}
	libra_gather_add(gather, frag->page, frag->offset, len, false);
	frag->offset += len;
}

/**
 * libra_gather_send() - hand all of it to the transport, in place of the bytes at
 *	the application's iterator
 * @gather: not empty
 * @out: the send() call; moved by what was accepted
 * @sent: where to say what that was
 *
 * Context: process context, as for libra_out_splice().
 * Return: bytes that were accepted, never 0, or an error.
 */
int libra_gather_send(struct libra_gather *gather, struct libra_out *out,
		      struct libra_gathered *sent)
{
	size_t left;
	int ret;
	u32 i;

	*sent = (struct libra_gathered) { };
	ret = libra_out_splice(out, gather->bv, gather->nr, 0, gather->len,
			       gather->len == msg_data_left(out->msg));
	if (ret <= 0)
		return ret;
	libra_out_accepted(out, ret);
	left = ret;
	for (i = 0; i < gather->nr && left; i++) {
		size_t n = min_t(size_t, left, gather->bv[i].bv_len);

		if (test_bit(i, gather->anchored))
			sent->anchored += n;
		else
			sent->copied += n;
		left -= n;
	}
	return ret;
}

/**
 * libra_gather_clear() - make it empty
 * @gather: what the transport took has references of its own
 *
 * Context: any.
 */
void libra_gather_clear(struct libra_gather *gather)
{
	while (gather->nr_page)
		put_page(gather->page[--gather->nr_page]);
	gather->nr = 0;
	gather->len = 0;
}
