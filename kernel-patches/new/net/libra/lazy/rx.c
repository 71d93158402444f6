// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: recv() into payload memory.
 *
 * Of what the queue holds, whole pages of payload memory are not written: their
 * slots say which bytes of which anchor belong there. The rest is copied. What is
 * not a plain read of bytes is tcp_recvmsg()'s, as is a read that has no whole page
 * to gain.
 */
#include <linux/pagemap.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/rps.h>
#include <net/tcp.h>

#include "../trace.h"
#include "rx.h"

static void libra_lazy_forget(struct libra_lazy_rx *rx)
{
	if (rx->payload)
		libra_payload_put(rx->payload);
	rx->payload = NULL;
	rx->begin = 0;
	rx->end = 0;
}

/**
 * libra_lazy_at() - what is there?
 * @rx: call
 * @addr: address in the application
 * @len: how many bytes are asked for
 *
 * Context: under the socket lock, or before it is taken; see libra_lazy_before().
 * Return: bytes of payload memory at @addr, at most @len, of @rx->payload; 0: ordinary
 * memory.
 */
size_t libra_lazy_at(struct libra_lazy_rx *rx, unsigned long addr, size_t len)
{
	if (addr < rx->begin || addr >= rx->end) {
		libra_lazy_forget(rx);
		rx->begin = addr;
		rx->payload = libra_process_find(rx->process, addr, &rx->begin, &rx->end);
	}
	if (!rx->payload || READ_ONCE(rx->payload->native) || rx->locked)
		return 0;
	return min_t(size_t, len, rx->end - addr);
}

/*
 * How many of these bytes fill whole pages of payload memory, from @addr on, and fit
 * into a run that has some already?
 */
static u32 libra_lazy_whole(struct libra_lazy_rx *rx, unsigned long addr, size_t len)
{
	u32 room = LIBRA_RUN_BYTES - (rx->la ? rx->la->anchor.len : 0);

	if (addr % PAGE_SIZE || len < PAGE_SIZE)
		return 0;
	len = min_t(size_t, libra_lazy_at(rx, addr, len), room);
	return round_down(len, PAGE_SIZE);
}

/**
 * libra_lazy_from() - pages become lazy
 * @rx: call
 * @seq: of the first byte
 * @page: of pages that somebody looked at
 * @pages: how many; 0: none yet, but what are they called?
 *
 * Context: under the socket lock.
 * Return: what to call them when they are looked at; nothing without feedback.
 */
struct libra_origin_of_pages libra_lazy_from(struct libra_lazy_rx *rx, u32 seq,
					     bool page, u32 pages)
{
	if (!rx->stream)
		return (struct libra_origin_of_pages) { };
	return libra_stream_lazy(rx->process->streams, rx->stream, seq, page, pages);
}

/*
 * The run ends, perhaps before its time: its bytes belong into its pages from now on.
 * They have left the queue, so this must not fail: whole pages become lazy, what is less
 * than one is written by us. In their order: an iovec may name a page twice.
 */
static void libra_lazy_commit(struct libra_lazy_rx *rx)
{
	struct libra_lazy_anchor *la = rx->la;
	struct libra_place place = { 0 };
	u32 i, came, rest, pages = 0;
	struct libra_lazy_part *last;

	if (!la)
		return;
	last = &rx->part[rx->parts - 1];
	came = (last->pages << PAGE_SHIFT) - rx->want;
	rest = came % PAGE_SIZE;
	last->pages = came >> PAGE_SHIFT;
	rx->want = 0;
	rx->la = NULL;
	for (i = 0; i < rx->parts; i++)
		pages += rx->part[i].pages;
	if (pages)
		libra_anchor_charge_pinned(&la->anchor);
	/* Those of the slots may be the last ones soon: one of our own. */
	refcount_set(&la->ref, pages + 1);
	LIBRA_ADD(rx->net, LIBRA_MIB_LAZY_RX, pages << PAGE_SHIFT);
	for (i = 0; i < rx->parts; i++) {
		const struct libra_lazy_part *part = &rx->part[i];

		trace_libra_lazy_receive(rx->sk, rx->payload->start +
					 (part->pgoff << PAGE_SHIFT),
					 part->pages << PAGE_SHIFT);
		libra_slots_receive(rx->payload, part->pgoff, part->pages, la, &place);
	}
	if (rest) {
		libra_slot_write(rx->payload, last->pgoff + last->pages, la, place, rest);
		LIBRA_ADD(rx->net, LIBRA_MIB_LAZY_RX_COPIED, rest);
	}
	libra_lazy_anchor_put(la, 1);
}

/* So many bytes at @addr, whole pages, join the run, or begin one. */
static bool libra_lazy_begin(struct libra_lazy_rx *rx, unsigned long addr, u32 seq,
			     u32 bytes)
{
	pgoff_t pgoff = libra_pgoff(rx->payload, addr);
	struct libra_origin_of_pages from;

	if (!libra_slots_ready(rx->payload, pgoff, bytes >> PAGE_SHIFT))
		return false;
	if (!rx->la) {
		/* Who paid for it as socket memory goes on to. */
		rx->la = libra_lazy_anchor_alloc(&rx->process->account,
						 libra_memcg_of(rx->sk));
		if (!rx->la) {
			LIBRA_INC(rx->net, LIBRA_MIB_FB_NOMEM);
			return false;
		}
		rx->parts = 0;
	}
	from = libra_lazy_from(rx, seq, false, bytes >> PAGE_SHIFT);
	if (!rx->parts)
		rx->la->from = from;
	rx->part[rx->parts++] = (struct libra_lazy_part) {
		.pgoff = pgoff, .pages = bytes >> PAGE_SHIFT,
	};
	rx->want = bytes;
	rx->any = true;
	return true;
}

/*
 * Does the next segment of the iterator go on with the run? One anchor for many small
 * buffers costs little more than for one. What is not in the same mapping, or will be
 * told from these pages when somebody looks at them, has another one.
 */
static bool libra_lazy_goes_on(const struct libra_lazy_rx *rx, unsigned long addr,
			       u32 seq)
{
	return addr >= rx->begin && addr < rx->end &&
	       rx->la->anchor.len < LIBRA_RUN_BYTES &&
	       (!rx->stream || libra_stream_is_like(rx->stream, seq, &rx->la->from));
}

/* A copy of our own: others may still write the pages, or they are far too large. */
static int libra_lazy_take_copy(struct libra_lazy_rx *rx, struct sk_buff *skb,
				u32 off, u32 len)
{
	struct libra_anchor *anchor = &rx->la->anchor;
	struct page_frag *frag = sk_page_frag(rx->sk);

	while (len) {
		u32 n;

		if (!skb_page_frag_refill(32, frag, GFP_KERNEL))
			return -ENOMEM;
		n = min(len, frag->size - frag->offset);
		if (!libra_anchor_charge(anchor, n))
			return -ENOBUFS;
		if (skb_copy_bits(skb, off, page_address(frag->page) + frag->offset, n) ||
		    libra_anchor_add(anchor, frag->page, frag->offset, n, GFP_KERNEL))
			return -ENOMEM;
		frag->offset += n;
		off += n;
		len -= n;
	}
	return 0;
}

/**
 * libra_lazy_unfit() - is it better copied?
 * @ln: where the reason is counted
 * @skb: of the receive queue
 */
bool libra_lazy_unfit(struct libra_net *ln, const struct sk_buff *skb)
{
	if (skb_has_shared_frag(skb)) {
		LIBRA_INC(ln, LIBRA_MIB_LAZY_SHARED_FRAG);
		return true;
	}
	if (skb->truesize / LIBRA_LAZY_SPARSE > skb->len) {
		LIBRA_INC(ln, LIBRA_MIB_LAZY_SPARSE);
		return true;
	}
	return false;
}

/* The next bytes of the run. Returns how many went; fewer than @len: it is over. */
static u32 libra_lazy_take(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off,
			   u32 len)
{
	struct libra_anchor *anchor = &rx->la->anchor;
	u32 before = anchor->len;
	u32 taken;

	if (libra_lazy_unfit(rx->net, skb))
		libra_lazy_take_copy(rx, skb, off, len);
	else if (libra_anchor_charge(anchor, div_u64((u64)skb->truesize * len,
						     skb->len) + 1))
		libra_anchor_add_skb(anchor, rx->sk, skb, off, len);
	taken = anchor->len - before;
	iov_iter_advance(&rx->reader.msg->msg_iter, taken);
	rx->want -= taken;
	if (taken < len)
		libra_lazy_commit(rx);
	return taken;
}

/*
 * How many of @len bytes to copy: up to where whole pages begin, if there are any.
 */
static u32 libra_lazy_native(struct libra_lazy_rx *rx, unsigned long addr, u32 len,
			     size_t room)
{
	u32 head = PAGE_ALIGN(addr) - addr;

	if (head && head + PAGE_SIZE <= room &&
	    libra_lazy_at(rx, addr + head, PAGE_SIZE) == PAGE_SIZE)
		return min(len, head);
	return min_t(size_t, len, room);
}

/*
 * A part of a page of payload memory is written where it lies: through the
 * application's mapping it would cost a fault now, and an unmap when a whole page is
 * received there. Returns how many bytes went, 0: do it natively.
 */
static u32 libra_lazy_write(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off,
			    u32 len)
{
	unsigned long addr = libra_iter_addr(&rx->reader.msg->msg_iter);
	struct page *page;
	int err;

	len = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
	len = libra_lazy_at(rx, addr, len);
	if (!len)
		return 0;
	page = libra_slot_fault(rx->payload, libra_pgoff(rx->payload, addr),
				len == PAGE_SIZE ? LIBRA_LOOKER_OVERWRITER :
						   LIBRA_LOOKER_WRITER);
	if (!page)
		return 0;
	err = PageHWPoison(page) ||
	      skb_copy_bits(skb, off, page_address(page) + offset_in_page(addr), len);
	unlock_page(page);
	put_page(page);
	if (err)
		return 0;
	iov_iter_advance(&rx->reader.msg->msg_iter, len);
	return len;
}

static int libra_lazy_copy(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off,
			   u32 len)
{
	u32 written = libra_lazy_write(rx, skb, off, len);
	int err;

	if (!written) {
		err = skb_copy_datagram_iter(skb, off, &rx->reader.msg->msg_iter, len);
		if (err)
			return err;
		written = len;
	}
	LIBRA_ADD(rx->net, LIBRA_MIB_LAZY_RX_COPIED, written);
	return written;
}

/* Is it likely that nobody will look at @bytes from @seq on, or at fewer? */
static bool libra_lazy_advised(struct libra_lazy_rx *rx, u32 seq, u32 *bytes)
{
	if (!rx->stream ||
	    libra_stream_advise(rx->process->streams, rx->stream, seq, bytes))
		return true;
	LIBRA_INC(rx->net, LIBRA_MIB_LAZY_READ);
	return false;
}

/*
 * At most @len bytes, of which none is wanted for a run by now. Whole pages that are
 * likely not to be looked at are: then rx->want says how many bytes, and none went yet.
 * Returns how many went otherwise, or an error.
 */
static int libra_lazy_next(struct libra_lazy_rx *rx, struct sk_buff *skb, u32 off, u32 len)
{
	struct iov_iter *to = &rx->reader.msg->msg_iter;
	u32 seq = TCP_SKB_CB(skb)->seq + off;
	/* As in tcp_inq(): a FIN has a place in rcv_nxt. */
	u32 queued = tcp_sk(rx->sk)->rcv_nxt - seq - sock_flag(rx->sk, SOCK_DONE);
	size_t room = min_t(size_t, libra_iter_room(to), queued);
	unsigned long addr = libra_iter_addr(to);
	u32 whole;

	if (rx->la && !libra_lazy_goes_on(rx, addr, seq))
		libra_lazy_commit(rx);
	whole = libra_lazy_whole(rx, addr, room);
	if (whole && whole >= READ_ONCE(rx->net->sysctl.min_anchor) &&
	    libra_lazy_advised(rx, seq, &whole) && !libra_lazy_unfit(rx->net, skb) &&
	    libra_lazy_begin(rx, addr, seq, whole))
		return 0;

	/* A copy may look at what was received before. */
	libra_lazy_commit(rx);
	if (whole)
		return libra_lazy_copy(rx, skb, off, min(len, whole));
	len = libra_lazy_native(rx, addr, len, room);
	return libra_lazy_patch(rx, skb, off, seq, len) ? :
	       libra_lazy_copy(rx, skb, off, len);
}

/* sk_read_actor_t for tcp_read_sock(), under the socket lock. */
static int libra_lazy_actor(read_descriptor_t *desc, struct sk_buff *skb,
			    unsigned int offset, size_t size)
{
	struct libra_reader *reader = desc->arg.data;
	struct libra_lazy_rx *rx = container_of(reader, struct libra_lazy_rx, reader);
	struct iov_iter *to = &reader->msg->msg_iter;
	u32 off = offset, end = offset + size;
	int ret = 0;

	if (!skb_frags_readable(skb)) {
		reader->error = -EFAULT;
		return -EFAULT;
	}

	while (off < end && desc->count) {
		u32 n = min_t(size_t, end - off, desc->count);

		if (!rx->want)
			ret = libra_lazy_next(rx, skb, off, n);
		if (rx->want)
			ret = libra_lazy_take(rx, skb, off, min(n, rx->want)) ? :
			      libra_lazy_copy(rx, skb, off,
					      min_t(size_t, n, libra_iter_room(to)));
		/* Without progress this would not end. */
		if (WARN_ON_ONCE(!ret))
			ret = -EFAULT;
		if (unlikely(ret < 0)) {
			/* Natively nothing of this skb was read then. */
			reader->error = ret;
			iov_iter_revert(to, off - offset);
			return ret;
		}
		off += ret;
		desc->count -= ret;
	}
	return off - offset;
}

/* While it waited for the lock, or slept, addresses may have become something else. */
static int libra_lazy_before(struct libra_reader *reader, struct sock *sk)
{
	struct libra_lazy_rx *rx = container_of(reader, struct libra_lazy_rx, reader);

	libra_lazy_forget(rx);
	/* Another thread may have locked it meanwhile. */
	rx->locked = READ_ONCE(current->mm->locked_vm);
	return 0;
}

/* No run outlasts a look: another reader could take the bytes behind it. */
static int libra_lazy_after(struct libra_reader *reader, struct sock *sk)
{
	libra_lazy_commit(container_of(reader, struct libra_lazy_rx, reader));
	return 0;
}

static const struct libra_reader_ops libra_lazy_reader_ops = {
	.before = libra_lazy_before,
	.actor = libra_lazy_actor,
	.after = libra_lazy_after,
};

/* Does any of it lie in payload memory? */
static bool libra_lazy_touches(struct libra_lazy_rx *rx)
{
	struct iov_iter to = rx->reader.msg->msg_iter;

	while (iov_iter_count(&to)) {
		size_t n = libra_iter_room(&to);

		if (n >= PAGE_SIZE && libra_lazy_at(rx, libra_iter_addr(&to), n))
			return true;
		iov_iter_advance(&to, n);
	}
	return false;
}

static bool libra_lazy_wanted(struct libra_lazy_rx *rx, size_t size, int flags)
{
	struct msghdr *msg = rx->reader.msg;
	struct sock *sk = rx->sk;

	if (sk->sk_prot->recvmsg != tcp_prot.recvmsg ||
	    !user_backed_iter(&msg->msg_iter))
		return false;
	if (!libra_lazy_touches(rx))
		return false;
	if (libra_recv_wants_native(sk, msg, size, flags))
		LIBRA_INC(rx->net, LIBRA_MIB_FB_FLAGS);
	else if (!READ_ONCE(rx->net->sysctl.lazy))
		LIBRA_INC(rx->net, LIBRA_MIB_LAZY_DISABLED);
	else if (READ_ONCE(current->mm->locked_vm))
		LIBRA_INC(rx->net, LIBRA_MIB_LAZY_LOCKED);
	else if (libra_memory_pressure(sk))
		LIBRA_INC(rx->net, LIBRA_MIB_FB_MEMCG);
	else
		return true;
	return false;
}

static int libra_lazy_recv(struct libra_lazy_rx *rx, size_t size, int flags)
{
	struct sock *sk = rx->sk;

	/* A ULP may have come on top meanwhile. */
	if (sk->sk_prot->recvmsg != tcp_prot.recvmsg)
		return LIBRA_RECV_NATIVE;
	/* Once for a call: while it waits, the application does not look. */
	if (READ_ONCE(rx->net->sysctl.lazy_feedback))
		rx->stream = libra_stream_get(rx->process->streams, sk);
	return libra_recv_locked(sk, &rx->reader, size, flags);
}

/**
 * libra_lazy_recvmsg() - in place of inet_recvmsg()
 * @process: current, from libra_process_enter(); the reference is given back
 * @sk: TCP socket that is not attached
 * @msg: as for inet_recvmsg()
 * @size: as for inet_recvmsg()
 * @flags: as for inet_recvmsg(); libra_recv_may_gain() was true
 *
 * Context: process context; takes the socket lock.
 * Return: as inet_recvmsg() would.
 */
int libra_lazy_recvmsg(struct libra_process *process, struct sock *sk,
		       struct msghdr *msg, size_t size, int flags)
{
	struct libra_lazy_rx rx = {
		.reader = { .ops = &libra_lazy_reader_ops, .msg = msg },
		.process = process,
		.sk = sk,
		.net = libra_net(sock_net(sk)),
	};
	int ret = LIBRA_RECV_NATIVE;

	if (likely(!(flags & MSG_ERRQUEUE)))
		sock_rps_record_flow(sk);

	if (libra_lazy_wanted(&rx, size, flags)) {
		libra_recv_busy_loop(sk, flags);
		lock_sock(sk);
		ret = libra_lazy_recv(&rx, size, flags);
		release_sock(sk);
	}
	if (ret == LIBRA_RECV_NATIVE)
		ret = libra_recv_native(sk, msg, size, flags);
	else if (ret >= 0)
		libra_recv_finish(sk, msg);

	libra_lazy_forget(&rx);
	libra_tidy_active(process, current->mm);
	libra_process_put(process);
	return ret;
}
