/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra, lazy mode: what each page of payload memory is.
 *
 *   empty	zeros, of which there is no page yet
 *   lazy	bytes of an anchor (a reference) that nobody has looked at
 *   page	a page (a reference), mapped or not
 *   shared	a page (a reference) that relatives have in their slots as well,
 *		after a fork; mapped nowhere, pinned by nobody, never written
 *
 * A fault makes a page of anything (slot.c), receiving makes lazy of anything
 * (slot_receive.c), fork makes shared of a page, unmapping makes empty of anything
 * (slot_life.c). Each change happens under the chunk's lock; what the slot held
 * before is put behind it.
 */
#ifndef _NET_LIBRA_SLOT_H
#define _NET_LIBRA_SLOT_H

#include <linux/mm.h>

#include "lazy.h"

#define LIBRA_SLOT_EMPTY	0UL
#define LIBRA_SLOT_PAGE		1UL
#define LIBRA_SLOT_SHARED	2UL
#define LIBRA_SLOT_LAZY		3UL
#define LIBRA_SLOT_KIND		3UL

static inline unsigned long libra_slot_kind(unsigned long slot)
{
	return slot & LIBRA_SLOT_KIND;
}

static inline struct page *libra_slot_page(unsigned long slot)
{
	return (struct page *)(slot & ~LIBRA_SLOT_KIND);
}

static inline struct libra_lazy_anchor *libra_slot_anchor(unsigned long slot)
{
	return (struct libra_lazy_anchor *)(slot & ~LIBRA_SLOT_KIND);
}

static inline u32 libra_place_pack(struct libra_place place)
{
	return place.idx << LIBRA_PLACE_OFF_BITS | place.off;
}

static inline struct libra_place libra_place_unpack(u32 packed)
{
	return (struct libra_place) {
		.idx = packed >> LIBRA_PLACE_OFF_BITS,
		.off = packed & ((1U << LIBRA_PLACE_OFF_BITS) - 1),
	};
}

static inline struct libra_net *libra_payload_net(const struct libra_payload *payload)
{
	return payload->process->account.net;
}

/* A page that is in a slot and in nobody's view leaves it. */
static inline void libra_page_forget(struct page *page)
{
	struct folio *folio = page_folio(page);

	folio->mapping = NULL;
	folio->index = 0;
}

static inline void libra_page_remember(const struct libra_payload *payload,
				       struct page *page, pgoff_t pgoff)
{
	struct folio *folio = page_folio(page);

	folio->mapping = payload->file->f_mapping;
	folio->index = payload->index + pgoff;
}

static inline void libra_unmap(const struct libra_payload *payload, pgoff_t pgoff,
			       pgoff_t pages)
{
	unmap_mapping_pages(payload->file->f_mapping, pgoff, pages, false);
}

void libra_slot_put(struct libra_payload *payload, unsigned long slot);
struct page *libra_slot_get(struct libra_payload *payload, pgoff_t pgoff,
			    enum libra_looker who, gfp_t gfp);

#endif /* _NET_LIBRA_SLOT_H */
