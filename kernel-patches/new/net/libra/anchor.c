// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: anchors, pages of received payload, and what they are charged to.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "anchor.h"
#include "libra.h"

/*
 * All anchors of all network namespaces. The limits of a namespace are its own
 * root's to set, this one is not.
 */
static atomic_long_t libra_charge = ATOMIC_LONG_INIT(0);
/*
 * Those of network namespaces of which anybody can make as many as he likes, because
 * they belong to a user namespace.
 */
static atomic_long_t libra_charge_users = ATOMIC_LONG_INIT(0);
static unsigned long libra_max_bytes;
module_param_named(max_bytes, libra_max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes, "Bytes that anchors may pin on this machine (0: an eighth of its memory)");

static unsigned long libra_machine_limit(void)
{
	return READ_ONCE(libra_max_bytes) ? : totalram_pages() / 8 * PAGE_SIZE;
}

/* Fragments this small cost more as pages than as bytes. */
#define LIBRA_FRAG_MIN	256

/**
 * libra_anchor_init() - an empty anchor
 * @anchor: memory of the caller
 * @account: what to charge
 * @memcg: what to charge too, or NULL; not charged if it is on its way out
 *
 * Context: any; somebody else holds @account and @memcg.
 */
void libra_anchor_init(struct libra_anchor *anchor, struct libra_account *account,
		       struct mem_cgroup *memcg)
{
	libra_account_get(account);
	anchor->account = account;
	anchor->memcg = memcg && mem_cgroup_tryget(memcg) ? memcg : NULL;
	anchor->len = 0;
	anchor->charge = 0;
	anchor->pages = 0;
	anchor->nr = 0;
	anchor->room = LIBRA_ANCHOR_BV0;
	anchor->bv = anchor->bv0;
}

/* Of what was granted; it may have in it what is being refused to somebody else. */
static void libra_charge_peak(struct libra_net *ln, long charge)
{
	long peak = atomic_long_read(&ln->charge_peak);

	while (charge > peak &&
	       !atomic_long_try_cmpxchg(&ln->charge_peak, &peak, charge))
		;
}

static void libra_account_add(struct libra_account *account, long bytes)
{
	if (libra_net_of_users(account->net))
		atomic_long_add(bytes, &libra_charge_users);
	atomic_long_add(bytes, &libra_charge);
	atomic_long_add(bytes, &account->net->charge);
	atomic_long_add(bytes, &account->charge);
}

/*
 * Nobody but the initial namespace may have more than what remains for others. All
 * that belong to user namespaces have half of it together, where the same holds.
 */
static bool libra_machine_charge(const struct libra_net *ln, u32 bytes, unsigned long mine)
{
	unsigned long all, limit = libra_machine_limit();

	if (net_eq(ln->net, &init_net))
		mine = 0;
	all = atomic_long_add_return(bytes, &libra_charge);
	if (all + mine > limit)
		goto refuse;
	if (!libra_net_of_users(ln))
		return true;
	all = atomic_long_add_return(bytes, &libra_charge_users);
	if (all + mine <= limit / 2)
		return true;
	atomic_long_sub(bytes, &libra_charge_users);
refuse:
	atomic_long_sub(bytes, &libra_charge);
	return false;
}

/**
 * libra_anchor_charge() - account memory that the anchor is about to pin
 * @anchor: being built
 * @bytes: as truesize counts them
 *
 * Context: any.
 * Return: false at a limit, with the fallback counted and nothing charged.
 */
bool libra_anchor_charge(struct libra_anchor *anchor, u32 bytes)
{
	u32 pages = PAGE_ALIGN(anchor->charge + bytes) / PAGE_SIZE;
	struct libra_account *account = anchor->account;
	struct libra_net *ln = account->net;
	unsigned long mine;

	if (atomic_long_add_return(bytes, &account->charge) >
	    READ_ONCE(*account->limit)) {
		atomic_long_sub(bytes, &account->charge);
		WRITE_ONCE(account->refused, READ_ONCE(account->refused) + 1);
		LIBRA_INC(ln, account->at_limit);
		return false;
	}
	mine = atomic_long_add_return(bytes, &ln->charge);
	if (mine > READ_ONCE(ln->sysctl.max_netns_bytes)) {
		atomic_long_sub(bytes, &ln->charge);
		atomic_long_sub(bytes, &account->charge);
		LIBRA_INC(ln, LIBRA_MIB_FB_NETNS_LIMIT);
		return false;
	}
	if (!libra_machine_charge(ln, bytes, mine)) {
		atomic_long_sub(bytes, &ln->charge);
		atomic_long_sub(bytes, &account->charge);
		LIBRA_INC(ln, LIBRA_MIB_FB_MACHINE_LIMIT);
		return false;
	}
	if (anchor->memcg && pages > anchor->pages) {
		if (!libra_memcg_charge(anchor->memcg, pages - anchor->pages, false)) {
			libra_account_add(account, -(long)bytes);
			LIBRA_INC(ln, LIBRA_MIB_FB_MEMCG);
			return false;
		}
		anchor->pages = pages;
	}
	anchor->charge += bytes;
	libra_charge_peak(ln, mine);
	return true;
}

/*
 * What the fragments pin beyond what is charged. Those of one page lie next to each
 * other, or alternate with few others.
 */
static u32 libra_anchor_uncharged(const struct libra_anchor *anchor)
{
	const struct page *known[4] = { };
	u32 pinned = 0, nr = 0, i, j;

	for (i = 0; i < anchor->nr; i++) {
		struct page *page = anchor->bv[i].bv_page;

		for (j = 0; j < ARRAY_SIZE(known) && known[j] != page; j++)
			;
		if (j < ARRAY_SIZE(known))
			continue;
		known[nr++ % ARRAY_SIZE(known)] = page;
		pinned += page_size(page);
	}
	return pinned > anchor->charge ? pinned - anchor->charge : 0;
}

/**
 * libra_anchor_may_pin() - account whole pages for what was charged as bytes
 * @anchor: built
 *
 * On a loopback truesize counts the bytes of a fragment, and not the 32 KB that it
 * keeps from being freed.
 *
 * Context: any.
 * Return: false at a limit, as libra_anchor_charge().
 */
bool libra_anchor_may_pin(struct libra_anchor *anchor)
{
	u32 more = libra_anchor_uncharged(anchor);

	return !more || libra_anchor_charge(anchor, more);
}

/**
 * libra_anchor_charge_pinned() - the same, where it is too late to refuse
 * @anchor: built
 *
 * By this an account, and a memory cgroup, can get over its limit once, by what one
 * anchor holds.
 *
 * Context: any.
 */
void libra_anchor_charge_pinned(struct libra_anchor *anchor)
{
	struct libra_account *account = anchor->account;
	u32 more = libra_anchor_uncharged(anchor), pages;

	if (!more)
		return;
	libra_account_add(account, more);
	libra_charge_peak(account->net, atomic_long_read(&account->net->charge));
	anchor->charge += more;
	pages = PAGE_ALIGN(anchor->charge) / PAGE_SIZE;
	if (anchor->memcg && pages > anchor->pages &&
	    libra_memcg_charge(anchor->memcg, pages - anchor->pages, true))
		anchor->pages = pages;
}

static bool libra_anchor_grow(struct libra_anchor *anchor, gfp_t gfp)
{
	u32 room = min(anchor->room * 4, LIBRA_ANCHOR_MAX_BV);
	struct bio_vec *bv;

	if (room == anchor->room)
		return false;
	bv = kmalloc_array(room, sizeof(*bv), gfp | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!bv)
		return false;
	memcpy(bv, anchor->bv, anchor->nr * sizeof(*bv));
	if (anchor->bv != anchor->bv0)
		kfree(anchor->bv);
	anchor->bv = bv;
	anchor->room = room;
	return true;
}

/**
 * libra_anchor_add() - append payload
 * @anchor: being built
 * @page: page or head of a compound page; the anchor takes a reference
 * @off: where in @page (may lie beyond the first page of a compound one)
 * @len: bytes
 * @gfp: how to allocate
 *
 * Context: any that @gfp allows.
 * Return: 0 or -ENOMEM, then nothing was taken.
 */
int libra_anchor_add(struct libra_anchor *anchor, struct page *page, u32 off,
		     u32 len, gfp_t gfp)
{
	if (anchor->nr) {
		struct bio_vec *last = &anchor->bv[anchor->nr - 1];

		/* One reference is enough for what lies side by side. */
		if (last->bv_page == page &&
		    last->bv_offset + last->bv_len == off) {
			last->bv_len += len;
			anchor->len += len;
			return 0;
		}
	}
	if (anchor->nr == anchor->room && !libra_anchor_grow(anchor, gfp))
		return -ENOMEM;
	get_page(page);
	bvec_set_page(&anchor->bv[anchor->nr++], page, len, off);
	anchor->len += len;
	return 0;
}

/**
 * libra_anchor_add_copy() - append bytes that lie in no page that may be sent
 * @anchor: being built
 * @sk: the receiving socket
 * @data: the bytes
 * @len: how many
 *
 * The one copy of them, into the task's page fragment.
 *
 * Context: process context.
 * Return: 0 or -ENOMEM; @anchor->len says how many bytes went.
 */
int libra_anchor_add_copy(struct libra_anchor *anchor, struct sock *sk,
			  const void *data, u32 len)
{
	struct page_frag *frag = sk_page_frag(sk);

	while (len) {
		u32 n;

		if (!skb_page_frag_refill(32, frag, GFP_KERNEL))
			return -ENOMEM;
		n = min(len, frag->size - frag->offset);
		memcpy(page_address(frag->page) + frag->offset, data, n);
		if (libra_anchor_add(anchor, frag->page, frag->offset, n,
				     GFP_KERNEL))
			return -ENOMEM;
		frag->offset += n;
		data += n;
		len -= n;
	}
	return 0;
}

/*
 * May somebody write to a page of a receive queue? What is of a process or a file has a
 * mapping, as long as it is. A packet socket's ring has none, and can be mapped again
 * when it is not; but it is dirty by then, as he who sent from it wrote to it. (Since
 * 6.12.112 what a ring sends is copied on its way.)
 */
static bool libra_page_may_change(const struct page *page)
{
	const struct folio *folio = page_folio(page);

	if (READ_ONCE(folio->mapping) || folio_mapped(folio))
		return true;
	/* Who unmaps a page makes it dirty before. */
	smp_rmb();
	return folio_test_dirty(folio);
}

/* Is any of it of a sendfile(), a splice(), a vmsplice()? */
static bool libra_skb_is_shared(const struct sk_buff *skb)
{
	const struct sk_buff *part;

	if (skb_has_shared_frag(skb))
		return true;
	skb_walk_frags(skb, part)
		if (skb_has_shared_frag(part))
			return true;
	return false;
}

/**
 * libra_bytes_may_change() - may somebody still write what was received?
 * @skb: of the receive queue
 * @data: bytes of it, side by side
 *
 * What somebody may is to be copied once, and then looked at.
 *
 * Context: under the socket lock.
 */
bool libra_bytes_may_change(const struct sk_buff *skb, const u8 *data)
{
	struct page *page;

	if (data >= skb->head && data < skb_end_pointer(skb))
		return false;
	if (libra_skb_is_shared(skb))
		return true;
	page = virt_to_page(data);
	return sendpage_ok(page) && libra_page_may_change(page);
}

static int libra_anchor_add_frag(struct libra_anchor *anchor, struct sock *sk,
				 struct page *page, u32 off, u32 len)
{
	u32 least;

	page += off / PAGE_SIZE;
	off %= PAGE_SIZE;
	/* It pins all of the page, so it has to be a sixteenth of it. */
	least = max_t(u32, LIBRA_FRAG_MIN, page_size(compound_head(page)) / 16);
	if (len < least || !sendpage_ok(page) || libra_page_may_change(page))
		return libra_anchor_add_copy(anchor, sk, page_address(page) + off,
					     len);
	/* Pages of one compound page merge if named by its head. */
	off += (page - compound_head(page)) * PAGE_SIZE;
	return libra_anchor_add(anchor, compound_head(page), off, len,
				GFP_KERNEL);
}

static int libra_anchor_add_page(struct libra_anchor *anchor, struct sock *sk,
				 const skb_frag_t *frag, u32 off, u32 len, bool shared)
{
	struct page *page = skb_frag_page(frag);

	off += skb_frag_off(frag);
	if (!shared)
		return libra_anchor_add_frag(anchor, sk, page, off, len);
	return libra_anchor_add_copy(anchor, sk, page_address(page) + off, len);
}

static int libra_anchor_add_parts(struct libra_anchor *anchor, struct sock *sk,
				  struct sk_buff *skb, u32 off, u32 len, bool shared)
{
	u32 start = skb_headlen(skb);
	struct sk_buff *part;
	int i, err;
	u32 n;

	if (off < start) {
		void *data = skb->data + off;

		n = min(start - off, len);
		if (skb->head_frag)
			err = libra_anchor_add_frag(anchor, sk, virt_to_page(data),
						    offset_in_page(data), n);
		else
			err = libra_anchor_add_copy(anchor, sk, data, n);
		if (err)
			return err;
		off += n;
		len -= n;
	}
	for (i = 0; len && i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		u32 end = start + skb_frag_size(frag);

		if (off < end) {
			n = min(end - off, len);
			err = libra_anchor_add_page(anchor, sk, frag, off - start, n,
						    shared);
			if (err)
				return err;
			off += n;
			len -= n;
		}
		start = end;
	}
	skb_walk_frags(skb, part) {
		u32 end = start + part->len;

		if (!len)
			break;
		if (off < end) {
			n = min(end - off, len);
			err = libra_anchor_add_parts(anchor, sk, part, off - start, n,
						     shared);
			if (err)
				return err;
			off += n;
			len -= n;
		}
		start = end;
	}
	return 0;
}

/**
 * libra_anchor_add_skb() - append payload of a receive queue
 * @anchor: being built
 * @sk: the receiving socket
 * @skb: a buffer of its queue; it may be freed afterwards
 * @off: where the payload begins in it
 * @len: bytes
 *
 * Takes page references where it can; bytes that somebody may still write are copied.
 * Nothing is charged: that was for the caller to do before.
 *
 * Context: process context, under the socket lock.
 * Return: 0 or -ENOMEM; @anchor->len says how many bytes went, so that a failure
 * in the middle leaves the anchor right, only shorter.
 */
int libra_anchor_add_skb(struct libra_anchor *anchor, struct sock *sk,
			 struct sk_buff *skb, u32 off, u32 len)
{
	return libra_anchor_add_parts(anchor, sk, skb, off, len, libra_skb_is_shared(skb));
}

/**
 * libra_anchor_release() - drop the pages and the charge
 * @anchor: nobody uses it any more; its memory is the caller's
 *
 * Context: any in which the account may be released.
 */
void libra_anchor_release(struct libra_anchor *anchor)
{
	struct libra_account *account = anchor->account;
	u32 i;

	for (i = 0; i < anchor->nr; i++)
		put_page(anchor->bv[i].bv_page);
	if (anchor->bv != anchor->bv0)
		kfree(anchor->bv);
	if (anchor->pages)
		libra_memcg_uncharge(anchor->memcg, anchor->pages);
	mem_cgroup_put(anchor->memcg);
	libra_account_add(account, -(long)anchor->charge);
	libra_account_put(account);
}

/**
 * libra_memory_pressure() - does the memory cgroup of a socket run out?
 * @sk: socket
 *
 * Context: any.
 */
bool libra_memory_pressure(const struct sock *sk)
{
	struct mem_cgroup *memcg = libra_memcg_of(sk);

	return memcg && mem_cgroup_under_socket_pressure(memcg);
}
