/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: bytes of any origin, gathered for one call of the transport.
 */
#ifndef _NET_LIBRA_GATHER_H
#define _NET_LIBRA_GATHER_H

#include <linux/bitmap.h>
#include <linux/bvec.h>
#include <linux/types.h>

struct libra_anchor;
struct libra_out;
struct sock;

/* Fragments and pages of copies of one call of the transport. */
#define LIBRA_GATHER_FRAGS	128
#define LIBRA_GATHER_COPIES	8

/**
 * struct libra_gather - what goes to the transport in one call
 * @bv: the bytes, in order
 * @anchored: which of them are of anchors, that the caller keeps meanwhile
 * @nr: used entries of @bv
 * @len: bytes
 * @page: pages of copies, each with a reference
 * @nr_page: how many
 *
 * All zeros is an empty one. Of one task; too large for a stack.
 */
struct libra_gather {
	struct bio_vec bv[LIBRA_GATHER_FRAGS];
	DECLARE_BITMAP(anchored, LIBRA_GATHER_FRAGS);
	u32 nr;
	size_t len;
	struct page *page[LIBRA_GATHER_COPIES];
	u32 nr_page;
};

/**
 * struct libra_gathered - what the transport took of it
 * @anchored: bytes of anchors
 * @copied: other bytes
 */
struct libra_gathered {
	size_t anchored;
	size_t copied;
};

static inline bool libra_gather_is_full(const struct libra_gather *gather)
{
	return gather->nr == LIBRA_GATHER_FRAGS;
}

static inline bool libra_gather_may_copy(const struct libra_gather *gather)
{
	return !libra_gather_is_full(gather) && gather->nr_page < LIBRA_GATHER_COPIES;
}

u32 libra_gather_anchor(struct libra_gather *gather, const struct libra_anchor *anchor,
			u32 idx, u32 off, u32 len);
void *libra_gather_room(struct libra_gather *gather, struct sock *sk, size_t *len);
void libra_gather_copied(struct libra_gather *gather, struct sock *sk, size_t len);
int libra_gather_send(struct libra_gather *gather, struct libra_out *out,
		      struct libra_gathered *sent);
void libra_gather_clear(struct libra_gather *gather);

#endif /* _NET_LIBRA_GATHER_H */
