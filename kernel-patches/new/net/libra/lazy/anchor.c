// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: anchors that slots share.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "lazy.h"

/**
 * libra_lazy_anchor_alloc() - an empty anchor
 * @account: who will pay for it
 * @memcg: the same, or NULL
 *
 * Return: with one reference, or NULL.
 */
struct libra_lazy_anchor *libra_lazy_anchor_alloc(struct libra_account *account,
						  struct mem_cgroup *memcg)
{
	struct libra_lazy_anchor *la;

	la = kmalloc(sizeof(*la), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!la)
		return NULL;
	refcount_set(&la->ref, 1);
	la->from.message = 0;
	la->sent = false;
	la->seen = 0;
	libra_anchor_init(&la->anchor, account, memcg);
	return la;
}

/**
 * libra_lazy_anchor_put() - drop references
 * @la: anchor
 * @refs: how many
 *
 * Context: any, without a chunk's lock.
 */
void libra_lazy_anchor_put(struct libra_lazy_anchor *la, u32 refs)
{
	if (!refs || !refcount_sub_and_test(refs, &la->ref))
		return;
	libra_anchor_release(&la->anchor);
	kfree(la);
}

/**
 * libra_place_advance() - where is it so many bytes further?
 * @la: anchor
 * @place: in it; moved
 * @bytes: at most what there is behind @place
 */
void libra_place_advance(const struct libra_lazy_anchor *la,
			 struct libra_place *place, u32 bytes)
{
	const struct bio_vec *bv = la->anchor.bv;

	place->off += bytes;
	while (place->idx < la->anchor.nr &&
	       place->off >= bv[place->idx].bv_len)
		place->off -= bv[place->idx++].bv_len;
}

/**
 * libra_lazy_anchor_read() - copy bytes out of an anchor
 * @la: anchor
 * @place: where they begin
 * @to: kernel memory
 * @bytes: at most what there is behind @place
 */
void libra_lazy_anchor_read(const struct libra_lazy_anchor *la,
			    struct libra_place place, void *to, u32 bytes)
{
	const struct bio_vec *bv = &la->anchor.bv[place.idx];
	u32 off = place.off;

	while (bytes) {
		u32 n = min(bytes, bv->bv_len - off);

		/* 64-bit only, so all of memory is mapped. */
		memcpy(to, page_address(bv->bv_page) + bv->bv_offset + off, n);
		to += n;
		bytes -= n;
		off = 0;
		bv++;
	}
}

/**
 * libra_lazy_anchor_add_view() - append a part of what a page holds
 * @la: being built
 * @view: the page; what it holds stays as it is
 * @off: from where on in the page
 * @bytes: how many, at most to the end of the page
 *
 * Takes page references. Nothing is charged.
 *
 * Context: process context.
 * Return: 0 or -ENOMEM, then a part of it was appended.
 */
int libra_lazy_anchor_add_view(struct libra_lazy_anchor *la, struct libra_view view,
			       u32 off, u32 bytes)
{
	const struct bio_vec *bv;

	if (!bytes)
		return 0;
	if (!view.la)
		return libra_anchor_add(&la->anchor, view.page ? : ZERO_PAGE(0),
					view.page ? off : 0, bytes, GFP_KERNEL);
	libra_place_advance(view.la, &view.place, off);
	bv = &view.la->anchor.bv[view.place.idx];
	off = view.place.off;
	while (bytes) {
		u32 n = min(bytes, bv->bv_len - off);
		int err;

		err = libra_anchor_add(&la->anchor, bv->bv_page, bv->bv_offset + off, n,
				       GFP_KERNEL);
		if (err)
			return err;
		bytes -= n;
		off = 0;
		bv++;
	}
	return 0;
}
