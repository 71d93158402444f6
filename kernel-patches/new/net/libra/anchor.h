/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: pages that stayed in the kernel, and who pays for them.
 */
#ifndef _NET_LIBRA_ANCHOR_H
#define _NET_LIBRA_ANCHOR_H

#include <linux/bvec.h>
#include <linux/gfp_types.h>
#include <linux/memcontrol.h>
#include <linux/refcount.h>
#include <net/sock.h>

#include "mib.h"

struct libra_net;
struct sk_buff;

/**
 * struct libra_account - who is charged for anchors
 * @ref: one by the owner, one per anchor
 * @release: what to do when the last reference goes; any context
 * @net: network namespace that is charged as well, and counts
 * @limit: how many bytes @charge may be, a sysctl of @net
 * @at_limit: the fallback to count when it would be more
 * @charge: bytes of its anchors
 * @refused: how often it would have been more than @limit; who races loses one
 *
 * Part of what it stands for, such as an attached socket.
 */
struct libra_account {
	refcount_t ref;
	enum libra_mib at_limit;
	void (*release)(struct libra_account *account);
	struct libra_net *net;
	const u32 *limit;
	atomic_long_t charge;
	unsigned long refused;
};

static inline void libra_account_get(struct libra_account *account)
{
	refcount_inc(&account->ref);
}

/* Context: any in which @release may be called. */
static inline void libra_account_put(struct libra_account *account)
{
	if (refcount_dec_and_test(&account->ref))
		account->release(account);
}

#define LIBRA_ANCHOR_BV0	26	/* with them, a libra_minted fills 512 bytes */
#define LIBRA_ANCHOR_MAX_BV	2048

/**
 * struct libra_anchor - payload that stayed in the kernel
 * @account: who is charged, with a reference
 * @memcg: the memory cgroup that is charged, with a reference, or NULL
 * @len: bytes
 * @charge: what it is accounted for, in bytes
 * @pages: the same, as it was charged to @memcg
 * @nr: used entries of @bv
 * @room: entries in @bv
 * @bv: page fragments, each with a page reference of the anchor
 * @bv0: the first entries, so that most anchors need no second allocation
 *
 * Part of what names it, as the last member. Nothing here locks: it is built by
 * one task, and does not change until one task releases it.
 */
struct libra_anchor {
	struct libra_account *account;
	struct mem_cgroup *memcg;
	u32 len;
	u32 charge;
	u32 pages;
	u32 nr;
	u32 room;
	struct bio_vec *bv;
	struct bio_vec bv0[LIBRA_ANCHOR_BV0];
};

void libra_anchor_init(struct libra_anchor *anchor, struct libra_account *account,
		       struct mem_cgroup *memcg);
bool libra_anchor_charge(struct libra_anchor *anchor, u32 bytes);
bool libra_anchor_may_pin(struct libra_anchor *anchor);
void libra_anchor_charge_pinned(struct libra_anchor *anchor);
int libra_anchor_add(struct libra_anchor *anchor, struct page *page, u32 off,
		     u32 len, gfp_t gfp);
int libra_anchor_add_copy(struct libra_anchor *anchor, struct sock *sk,
			  const void *data, u32 len);
int libra_anchor_add_skb(struct libra_anchor *anchor, struct sock *sk,
			 struct sk_buff *skb, u32 off, u32 len);
void libra_anchor_release(struct libra_anchor *anchor);
bool libra_bytes_may_change(const struct sk_buff *skb, const u8 *data);

/* The memory cgroup that pays for a socket's memory, or NULL. */
static inline struct mem_cgroup *libra_memcg_of(const struct sock *sk)
{
	return mem_cgroup_sockets_enabled ? sk->sk_memcg : NULL;
}

bool libra_memory_pressure(const struct sock *sk);

#endif /* _NET_LIBRA_ANCHOR_H */
