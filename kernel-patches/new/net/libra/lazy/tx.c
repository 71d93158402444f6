// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: send() from payload memory.
 *
 * What lies in pages that nobody has looked at goes from its anchors; everything
 * else is copied once, as tcp_sendmsg() would. Both are gathered, so that most of
 * what a proxy sends (a header, and many pages of payload) is one call of the
 * transport. The slots stay what they are: the same bytes may be sent again.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/inet_common.h>
#include <net/tcp.h>

#include "../send.h"
#include "../trace.h"
#include "lazy.h"

/* Not an error of any socket call. */
#define LIBRA_SEND_NATIVE	(-EREMCHG)

/* Fragments, anchors and copies of one call of the transport. */
#define LIBRA_GATHER_FRAGS	128
#define LIBRA_GATHER_ANCHORS	64
#define LIBRA_GATHER_COPIES	8
/* A longer piece of ordinary memory goes by itself, without a copy in between. */
#define LIBRA_GATHER_NATIVE	(16 << 10)

/**
 * struct libra_gather - what goes to the transport in one call
 * @bv: the bytes
 * @is_lazy: which of them are of anchors
 * @nr: used entries of @bv
 * @len: bytes
 * @la: anchors, each with a reference
 * @nr_la: how many
 * @page: pages of copies, each with a reference
 * @nr_page: how many
 */
struct libra_gather {
	struct bio_vec bv[LIBRA_GATHER_FRAGS];
	DECLARE_BITMAP(is_lazy, LIBRA_GATHER_FRAGS);
	u32 nr;
	size_t len;
	struct libra_lazy_anchor *la[LIBRA_GATHER_ANCHORS];
	u32 nr_la;
	struct page *page[LIBRA_GATHER_COPIES];
	u32 nr_page;
};

/**
 * struct libra_lazy_tx - one send() call
 * @out: the transport, and the application's memory
 * @process: current
 * @net: where the socket's counters are
 * @payload: where the last address was, with a reference, or NULL
 * @begin: of the addresses that @payload was found for
 * @end: behind them
 * @gather: what is gathered
 */
struct libra_lazy_tx {
	struct libra_out out;
	struct libra_process *process;
	struct libra_net *net;
	struct libra_payload *payload;
	unsigned long begin;
	unsigned long end;
	struct libra_gather *gather;
};

/* While it waited for the lock, or slept, addresses may have become something else. */
static void libra_lazy_forget(struct libra_lazy_tx *tx)
{
	if (tx->payload)
		libra_payload_put(tx->payload);
	tx->payload = NULL;
	tx->begin = 0;
	tx->end = 0;
}

static void libra_lazy_look_up(struct libra_lazy_tx *tx, unsigned long addr)
{
	if (addr >= tx->begin && addr < tx->end)
		return;
	libra_lazy_forget(tx);
	tx->payload = libra_process_find(tx->process, addr, &tx->end);
	tx->begin = addr;
	/* The copy finds out whether it may be read. */
	if (tx->payload && READ_ONCE(tx->payload->native)) {
		libra_payload_put(tx->payload);
		tx->payload = NULL;
	}
}

static void libra_gather_drop(struct libra_gather *gather)
{
	while (gather->nr_la)
		libra_lazy_anchor_put(gather->la[--gather->nr_la], 1);
	while (gather->nr_page)
		put_page(gather->page[--gather->nr_page]);
	gather->nr = 0;
	gather->len = 0;
}

/* The one that the last send() left, or another one; empty. */
static struct libra_gather *libra_gather_get(struct libra_process *process)
{
	struct libra_gather *gather = xchg(&process->gather, NULL);

	if (gather)
		return gather;
	return kzalloc(sizeof(*gather), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

static void libra_gather_put(struct libra_process *process, struct libra_gather *gather)
{
	if (cmpxchg(&process->gather, NULL, gather))
		kfree(gather);
}

/* Fragments that continue each other are one. */
static void libra_gather_add(struct libra_gather *gather, struct page *page,
			     u32 off, u32 len, bool is_lazy)
{
	struct bio_vec *bv = &gather->bv[gather->nr];

	gather->len += len;
	if (gather->nr && is_lazy == test_bit(gather->nr - 1, gather->is_lazy) &&
	    bv[-1].bv_page == page && bv[-1].bv_offset + bv[-1].bv_len == off) {
		bv[-1].bv_len += len;
		return;
	}
	bvec_set_page(bv, page, len, off);
	__assign_bit(gather->nr++, gather->is_lazy, is_lazy);
}

/* What a page holds from @off on, at most @len bytes of it. Returns how many went. */
static u32 libra_gather_view(struct libra_gather *gather, struct libra_view view,
			     u32 off, u32 len)
{
	u32 left = len;

	libra_place_advance(view.la, &view.place, off);
	while (left && gather->nr < LIBRA_GATHER_FRAGS) {
		const struct bio_vec *bv = &view.la->anchor.bv[view.place.idx++];
		u32 part = min(left, bv->bv_len - view.place.off);

		libra_gather_add(gather, bv->bv_page, bv->bv_offset + view.place.off,
				 part, true);
		view.place.off = 0;
		left -= part;
	}
	return len - left;
}

/*
 * At most @len bytes, as long as nobody has looked at the pages. Returns how many
 * went; @full: there is no room for more.
 */
static size_t libra_gather_lazy(struct libra_lazy_tx *tx, unsigned long addr,
				size_t len, bool *full)
{
	struct libra_gather *gather = tx->gather;
	struct libra_view view[LIBRA_RUN_PAGES];
	size_t done = 0;

	if (!tx->payload)
		return 0;
	len = min_t(size_t, len, tx->end - addr);
	while (done < len) {
		struct libra_lazy_anchor *held;
		u32 pages, n, i;

		/* Each may be of another anchor. */
		if (gather->nr_la + LIBRA_RUN_PAGES > LIBRA_GATHER_ANCHORS) {
			*full = true;
			break;
		}
		held = gather->nr_la ? gather->la[gather->nr_la - 1] : NULL;
		pages = DIV_ROUND_UP(offset_in_page(addr) +
				     min_t(size_t, len - done, LIBRA_RUN_BYTES - PAGE_SIZE),
				     PAGE_SIZE);
		n = libra_slots_lazy(tx->payload, libra_pgoff(tx->payload, addr), pages,
				     held, view);
		/* All are held before any is used: what is full ends the call. */
		for (i = 0; i < n; i++) {
			if (view[i].la != held)
				gather->la[gather->nr_la++] = view[i].la;
			held = view[i].la;
		}
		for (i = 0; i < n; i++) {
			u32 off = offset_in_page(addr);
			u32 want = min_t(size_t, len - done, PAGE_SIZE - off);
			u32 went = libra_gather_view(gather, view[i], off, want);

			done += went;
			addr += went;
			if (went < want) {
				*full = true;
				return done;
			}
		}
		if (n < pages)
			break;
	}
	return done;
}

/* Bytes up to the next page that nobody has looked at, at most @len. */
static size_t libra_lazy_plain(struct libra_lazy_tx *tx, unsigned long addr, size_t len)
{
	size_t n = min_t(size_t, len, tx->end - addr);
	pgoff_t first, last, plain;

	if (!tx->payload)
		return n;
	first = libra_pgoff(tx->payload, addr);
	last = libra_pgoff(tx->payload, addr + n - 1);
	plain = libra_slots_plain(tx->payload, first, last - first + 1);
	if (!plain)
		return 0;
	return min_t(size_t, n, tx->payload->start +
				((first + plain) << PAGE_SHIFT) - addr);
}

/*
 * Bytes of user memory; of payload memory without a fault, and not beyond its page.
 * Returns how many, 0: they cannot be read.
 */
static size_t libra_gather_read(struct libra_lazy_tx *tx, struct iov_iter *from,
				void *to, size_t len)
{
	unsigned long addr = libra_iter_addr(from);

	if (tx->payload) {
		len = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
		if (libra_slot_read(tx->payload, libra_pgoff(tx->payload, addr),
				    offset_in_page(addr), to, len)) {
			iov_iter_advance(from, len);
			return len;
		}
	}
	/* All or none, as tcp_sendmsg() does with what fits into its fragment. */
	return copy_from_iter_full(to, len, from) ? len : 0;
}

/* Copy @len bytes; fewer where they cannot be read, or there is no room. */
static ssize_t libra_gather_copy(struct libra_lazy_tx *tx, struct iov_iter *from,
				 size_t len)
{
	struct page_frag *frag = sk_page_frag(tx->out.sk);
	struct libra_gather *gather = tx->gather;
	size_t n;

	if (!skb_page_frag_refill(min_t(size_t, len, 512), frag, GFP_KERNEL))
		return -ENOMEM;
	n = min_t(size_t, len, frag->size - frag->offset);
	n = libra_gather_read(tx, from, page_address(frag->page) + frag->offset, n);
	if (!n)
		return -EFAULT;
	if (!gather->nr_page || gather->page[gather->nr_page - 1] != frag->page) {
		get_page(frag->page);
		gather->page[gather->nr_page++] = frag->page;
	}
	libra_gather_add(gather, frag->page, frag->offset, n, false);
	frag->offset += n;
	return n;
}

/*
 * Gather from the application's iterator on. Returns 0, or an error when there is
 * nothing before it; sets @direct to the bytes that should go by themselves next.
 */
static int libra_gather_all(struct libra_lazy_tx *tx, size_t *direct)
{
	struct iov_iter from = tx->out.msg->msg_iter;
	struct libra_gather *gather = tx->gather;
	bool full = false;

	*direct = 0;
	while (iov_iter_count(&from) && gather->nr < LIBRA_GATHER_FRAGS && !full) {
		unsigned long addr;
		size_t room;
		ssize_t n;

		room = libra_iter_room(&from);
		addr = libra_iter_addr(&from);
		libra_lazy_look_up(tx, addr);
		n = libra_gather_lazy(tx, addr, room, &full);
		if (n) {
			iov_iter_advance(&from, n);
			continue;
		}
		if (full)
			break;
		room = libra_lazy_plain(tx, addr, room);
		/* It became lazy just now: once more. */
		if (!room)
			continue;
		if (room > LIBRA_GATHER_NATIVE) {
			*direct = room;
			break;
		}
		if (gather->nr_page == LIBRA_GATHER_COPIES)
			break;
		n = libra_gather_copy(tx, &from, room);
		if (n < 0)
			return gather->len ? 0 : n;
	}
	return 0;
}

/* The transport took the first @len bytes. */
static void libra_gather_count(struct libra_lazy_tx *tx, size_t len)
{
	const struct libra_gather *gather = tx->gather;
	size_t lazy = 0, copied = 0;
	u32 i;

	for (i = 0; i < gather->nr && len; i++) {
		u32 n = min_t(size_t, len, gather->bv[i].bv_len);

		if (test_bit(i, gather->is_lazy))
			lazy += n;
		else
			copied += n;
		len -= n;
	}
	LIBRA_ADD(tx->net, LIBRA_MIB_LAZY_TX, lazy);
	LIBRA_ADD(tx->net, LIBRA_MIB_LAZY_TX_COPIED, copied);
}

static int libra_lazy_step(struct libra_lazy_tx *tx)
{
	struct libra_gather *gather = tx->gather;
	struct libra_out *out = &tx->out;
	size_t direct;
	int ret;

	ret = libra_gather_all(tx, &direct);
	if (ret)
		return ret;
	if (gather->len) {
		ret = libra_out_splice(out, gather->bv, gather->nr, 0, gather->len,
				       gather->len == msg_data_left(out->msg));
		if (ret > 0) {
			libra_gather_count(tx, ret);
			libra_out_accepted(out, ret);
		}
		libra_gather_drop(gather);
		return min(ret, 0);
	}
	ret = libra_out_direct(out, direct);
	if (ret > 0)
		LIBRA_ADD(tx->net, LIBRA_MIB_LAZY_TX_COPIED, ret);
	return min(ret, 0);
}

static int libra_lazy_stream(struct libra_lazy_tx *tx)
{
	struct libra_out *out = &tx->out;
	struct sock *sk = out->sk;
	int ret = 0;

	lock_sock(sk);
	out->locked = sk->sk_prot->sendmsg == tcp_prot.sendmsg &&
		      (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
	if (!out->locked) {
		release_sock(sk);
		return LIBRA_SEND_NATIVE;
	}
	libra_lazy_forget(tx);
	while (!ret && msg_data_left(out->msg)) {
		ret = libra_lazy_step(tx);
		if (ret == -EAGAIN || (out->full && !sk_stream_memory_free(sk))) {
			ret = libra_out_wait(out);
			libra_lazy_forget(tx);
		}
		/* There was room: it ended at memory that cannot be read. */
		out->full = false;
		/* A ULP came on top while the lock was released. */
		if (sk->sk_prot->sendmsg != tcp_prot.sendmsg)
			ret = ret ? : out->sent ? -EAGAIN : LIBRA_SEND_NATIVE;
	}
	/* No send() says so: the native path knows how to wait for memory. */
	if (ret == -ENOMEM && !out->sent)
		ret = LIBRA_SEND_NATIVE;
	release_sock(sk);
	out->locked = false;
	libra_out_push(out);
	return ret;
}

/* Is there anything that can be spliced? */
static bool libra_lazy_any(struct libra_lazy_tx *tx)
{
	struct iov_iter from = tx->out.msg->msg_iter;

	while (iov_iter_count(&from)) {
		unsigned long addr;
		size_t n;

		n = libra_iter_room(&from);
		addr = libra_iter_addr(&from);
		libra_lazy_look_up(tx, addr);
		n = min_t(size_t, n, tx->end - addr);
		if (libra_lazy_plain(tx, addr, n) < n)
			return true;
		iov_iter_advance(&from, n);
	}
	return false;
}

static bool libra_lazy_send_wanted(struct libra_lazy_tx *tx, struct sock *sk)
{
	const struct msghdr *msg = tx->out.msg;

	/* What goes with a SYN has a path of its own; time stamps are one a call. */
	return sk->sk_prot->sendmsg == tcp_prot.sendmsg &&
	       !inet_test_bit(DEFER_CONNECT, sk) &&
	       !(READ_ONCE(sk->sk_tsflags) & SOF_TIMESTAMPING_TX_RECORD_MASK) &&
	       user_backed_iter(&msg->msg_iter) && !libra_out_is_odd(msg) &&
	       libra_lazy_any(tx);
}

/**
 * libra_lazy_sendmsg() - in place of inet_sendmsg()
 * @process: current, from libra_process_enter(); the reference is given back
 * @sk: TCP socket that is not attached
 * @msg: as for inet_sendmsg()
 * @size: as for inet_sendmsg()
 *
 * Context: process context; takes the socket lock.
 * Return: as inet_sendmsg() would.
 */
int libra_lazy_sendmsg(struct libra_process *process, struct sock *sk,
		       struct msghdr *msg, size_t size)
{
	struct libra_lazy_tx tx = {
		.process = process,
		.net = libra_net(sock_net(sk)),
	};
	int ret = -EAGAIN;

	if (unlikely(inet_send_prepare(sk)))
		goto out;

	libra_out_init(&tx.out, sk, msg);
	libra_out_patient(&tx.out);
	ret = LIBRA_SEND_NATIVE;
	if (libra_lazy_send_wanted(&tx, sk)) {
		tx.gather = libra_gather_get(process);
		if (tx.gather) {
			ret = libra_lazy_stream(&tx);
			libra_gather_put(process, tx.gather);
		}
	}
	if (ret == LIBRA_SEND_NATIVE)
		ret = READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, size);
	else
		ret = tx.out.sent ? : ret;
	libra_lazy_forget(&tx);
out:
	libra_process_put(process);
	return ret;
}
