// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: payload of one read that lands in one iovec segment becomes one
 * anchor, and its VPI is written where the payload would have begun.
 *
 * All of it runs under the socket lock, in process context.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>
#include <net/tcp.h>

#include "../trace.h"
#include "check.h"
#include "token.h"

/* What stands against an anchor, whatever the mode; LIBRA_MIB_MAX: nothing. */
static enum libra_mib libra_why_copied(const struct libra_sock *ls, u32 want)
{
	const struct libra_net *ln = ls->net;

	if (want < READ_ONCE(ln->sysctl.min_anchor))
		return LIBRA_MIB_FB_SMALL;
	if (!READ_ONCE(ln->sysctl.enabled))
		return LIBRA_MIB_FB_DISABLED;
	if (atomic_long_read(&ln->unattached))
		return LIBRA_MIB_FB_UNATTACHED;
	if (atomic_read(&ls->dom->egress_passes[!ls->role]) ||
	    atomic_read(&ln->passing_unused[!ls->role]))
		return LIBRA_MIB_FB_EGRESS_PASS;
	return LIBRA_MIB_MAX;
}

static enum libra_mib libra_why_not_minted(struct libra_sock *ls, u32 want)
{
	enum libra_mib why = libra_why_copied(ls, want);

	if (why != LIBRA_MIB_MAX)
		return why;
	if (libra_check_follows(ls, LIBRA_INGRESS))
		return LIBRA_MIB_FB_CHECKED;
	if (ls->rx.msg && READ_ONCE(ls->rx.msg->dead))
		return LIBRA_MIB_FB_MSG_DEAD;
	if (!ls->rx.msg && libra_msgs_unmet(ls->dom))
		return LIBRA_MIB_FB_UNMET;
	if (!rcu_access_pointer(ls->parser->ops))
		return LIBRA_MIB_FB_PARSER_GONE;
	if (libra_memory_pressure(ls->sk))
		return LIBRA_MIB_FB_MEMCG;
	return libra_session_receives(ls->dom, !ls->role);
}

static bool libra_may_anchor(struct libra_sock *ls, u32 want)
{
	enum libra_mib why = libra_why_not_minted(ls, want);

	if (why == LIBRA_MIB_MAX)
		return true;
	if (why == LIBRA_MIB_FB_JOINING)
		WRITE_ONCE(ls->joined, false);
	LIBRA_INC(ls->net, why);
	return false;
}

/*
 * Is there writable memory for all of it? A native copy would end where not.
 * @plain: nothing but memory is behind it, so that a write cannot fail for what
 * the application did.
 */
static bool libra_run_mapped(const struct iov_iter *to, u32 want, bool *plain)
{
	unsigned long at = (unsigned long)iter_iov_addr(to);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool mapped = true;

	*plain = true;
	mmap_read_lock(mm);
	while (want && mapped) {
		unsigned long n;

		vma = find_vma(mm, at);
		mapped = vma && vma->vm_start <= at && vma->vm_flags & VM_WRITE;
		if (mapped) {
			*plain &= vma_is_anonymous(vma) && !userfaultfd_armed(vma);
			n = min_t(unsigned long, want, vma->vm_end - at);
			want -= n;
			at += n;
		}
	}
	mmap_read_unlock(mm);
	return mapped;
}

/*
 * Memory that vanishes later costs the connection, so where a native copy would
 * fault, let it. A plain write is the cheapest way to know whether the VPI can be
 * written to a mapped file, and what is there will be overwritten anyhow.
 */
static bool libra_run_probe(const struct iov_iter *to, u32 want)
{
	static const u8 nothing[LIBRA_VPI_SIZE];
	struct iov_iter at = *to;
	bool plain;

	if (!libra_run_mapped(to, want, &plain))
		return false;
	return plain ||
	       copy_to_iter(nothing, sizeof(nothing), &at) == sizeof(nothing);
}

/**
 * libra_run_would() - payload was copied where an anchor could have begun
 * @ls: receiving socket
 * @run: no run is going on
 * @want: as for libra_run_begin()
 * @len: how much of it was copied
 *
 * In mode dry-run, counts what would have been anchored, or the reason why not.
 */
void libra_run_would(struct libra_sock *ls, struct libra_rx_run *run, u32 want, u32 len)
{
	enum libra_mib why;

	if (READ_ONCE(ls->mode) != LIBRA_MODE_DRY_RUN || !READ_ONCE(ls->check_rate))
		return;
	LIBRA_ADD(ls->net, LIBRA_MIB_DRY_RUN, len);
	if (!run->would) {
		why = libra_why_copied(ls, want);
		if (why != LIBRA_MIB_MAX) {
			LIBRA_INC(ls->net, why);
			return;
		}
		run->would = want;
	}
	len = min_t(size_t, len, run->would);
	run->would -= len;
	LIBRA_ADD(ls->net, LIBRA_MIB_ANCHORABLE, len);
}

/**
 * libra_run_begin() - begin an anchor
 * @ls: receiving socket
 * @run: no run is going on
 * @to: the application's memory, at the place of the VPI
 * @want: payload bytes at hand that would land in this iovec segment
 *
 * Return: false for a native copy; the reason is counted.
 */
bool libra_run_begin(struct libra_sock *ls, struct libra_rx_run *run,
		     struct iov_iter *to, u32 want)
{
	if (READ_ONCE(ls->mode) != LIBRA_MODE_TOKEN || !libra_may_anchor(ls, want))
		return false;
	if (!libra_run_probe(to, want))
		return false;
	if (!ls->rx.msg)
		ls->rx.msg = libra_msg_open(ls, GFP_KERNEL);
	if (ls->rx.msg)
		run->minted = libra_minted_alloc(ls->rx.msg, GFP_KERNEL);
	if (!run->minted) {
		LIBRA_INC(ls->net, LIBRA_MIB_FB_NOMEM);
		return false;
	}
	run->vpi_at = *to;
	run->room = iov_iter_single_seg_count(to);
	return true;
}

/**
 * libra_run_add() - move payload from the receive queue to the anchor
 * @ls: receiving socket
 * @run: going on
 * @skb: buffer of the receive queue; it may be freed afterwards
 * @off: where the payload begins in it
 * @len: how much, at most @run->room
 *
 * The charge is the payload's share of the skb's truesize, so that small
 * segments are charged for the pages they pin.
 *
 * Return: how many bytes went; fewer than @len mean that the run has to end.
 */
u32 libra_run_add(struct libra_sock *ls, struct libra_rx_run *run,
		  struct sk_buff *skb, u32 off, u32 len)
{
	struct libra_anchor *anchor = &run->minted->anchor;
	u32 before = anchor->len;
	u32 added;

	if (!libra_anchor_charge(anchor, div_u64((u64)skb->truesize * len,
						 skb->len) + 1))
		return 0;
	if (libra_anchor_add_skb(anchor, ls->sk, skb, off, len))
		LIBRA_INC(ls->net, LIBRA_MIB_FB_NOMEM);
	added = anchor->len - before;
	run->room -= added;
	return added;
}

/*
 * Is what the application has in its memory behind a VPI to be cleared? It may be
 * of an earlier request, and the application may send it in spite of the marks.
 */
static bool libra_run_scrubs(const struct libra_sock *ls)
{
	u8 scrub = READ_ONCE(ls->net->sysctl.scrub);

	return scrub == LIBRA_SCRUB_ALWAYS ||
	       (scrub == LIBRA_SCRUB_DEFAULT &&
		!(libra_sock_flags(ls) & LIBRA_F_NO_SCRUB));
}

/*
 * The VPI, and the marks by which a sender notices that an application lost the
 * VPI, or edits or moves what lies between.
 */
static int libra_run_write(struct libra_sock *ls, struct libra_rx_run *run)
{
	const struct libra_minted *minted = run->minted;
	u8 vpi[2 * LIBRA_VPI_SIZE], *mark = vpi + LIBRA_VPI_SIZE;
	u32 total = minted->anchor.len;
	bool marked = total >= LIBRA_VPI_MARKED;
	u32 len = marked ? sizeof(vpi) : LIBRA_VPI_SIZE;
	u32 end = marked ? LIBRA_VPI_SIZE : 0;
	size_t rest = total - len - end;

	libra_vpi_write(vpi, minted);
	if (marked)
		libra_vpi_write_mark(mark, minted);
	if (copy_to_iter(vpi, len, &run->vpi_at) != len)
		return -EFAULT;
	if (!libra_run_scrubs(ls))
		iov_iter_advance(&run->vpi_at, rest);
	else if (iov_iter_zero(rest, &run->vpi_at) != rest)
		return -EFAULT;
	return copy_to_iter(mark, end, &run->vpi_at) == end ? 0 : -EFAULT;
}

/* Too short for a VPI after all, or it would pin too much: hand it over natively. */
static int libra_run_copy_out(struct libra_rx_run *run)
{
	const struct libra_anchor *anchor = &run->minted->anchor;
	u32 i;

	for (i = 0; i < anchor->nr; i++) {
		const struct bio_vec *bv = &anchor->bv[i];

		if (copy_page_to_iter(bv->bv_page, bv->bv_offset, bv->bv_len,
				      &run->vpi_at) != bv->bv_len)
			return -EFAULT;
	}
	return 0;
}

/**
 * libra_run_end() - mint the VPI
 * @ls: receiving socket
 * @run: going on; afterwards none is
 *
 * Return: 0; -EFAULT when the application's memory vanished: the bytes are gone
 * from the receive queue, so the connection has to be aborted.
 */
int libra_run_end(struct libra_sock *ls, struct libra_rx_run *run)
{
	struct libra_minted *minted = run->minted;
	int err = 0;
	u32 len;

	if (!minted)
		return 0;
	len = minted->anchor.len;

	if (len < LIBRA_VPI_SIZE || !libra_anchor_may_pin(&minted->anchor)) {
		LIBRA_ADD(ls->net, LIBRA_MIB_RX_COPIED, len);
		err = libra_run_copy_out(run);
		libra_minted_free(minted);
		goto out;
	}

	if (!READ_ONCE(libra_vpi_minted))
		WRITE_ONCE(libra_vpi_minted, true);
	/* Before the anchor is live: nobody may see the buffer before that. */
	err = libra_run_write(ls, run);
	if (err) {
		libra_minted_free(minted);
		goto out;
	}
	LIBRA_INC(ls->net, LIBRA_MIB_MINTED);
	libra_rx_count_anchored(ls, len);
	LIBRA_ADD(ls->net, LIBRA_MIB_RX_COPIED,
		  len < LIBRA_VPI_MARKED ? LIBRA_VPI_SIZE : LIBRA_VPI_MARKED);
	trace_libra_anchor(ls->sk, minted->id, len);
	libra_minted_publish(minted);
	libra_expire_later(ls->net);
out:
	run->minted = NULL;
	return err;
}
