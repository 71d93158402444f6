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
#include <net/tls.h>

#include "gather.h"
#include "../send.h"
#include "../trace.h"
#include "lazy.h"

/* Not an error of any socket call. */
#define LIBRA_SEND_NATIVE	(-EREMCHG)

/* Anchors of one call of the transport. */
#define LIBRA_LAZY_ANCHORS	64
/* A longer piece of ordinary memory goes by itself, without a copy in between. */
#define LIBRA_LAZY_DIRECT	(16 << 10)

/**
 * struct libra_lazy_gather - what goes to the transport in one call
 * @gather: the bytes
 * @la: their anchors, each with a reference
 * @nr_la: how many
 */
struct libra_lazy_gather {
	struct libra_gather gather;
	struct libra_lazy_anchor *la[LIBRA_LAZY_ANCHORS];
	u32 nr_la;
};

/**
 * struct libra_lazy_tx - one send() call
 * @out: the transport, and the application's memory
 * @process: current
 * @net: where the socket's counters are
 * @payload: where the last address was, with a reference, or NULL
 * @begin: of the addresses that @payload was found for
 * @end: behind them
 * @gathered: what goes next
 */
struct libra_lazy_tx {
	struct libra_out out;
	struct libra_process *process;
	struct libra_net *net;
	struct libra_payload *payload;
	unsigned long begin;
	unsigned long end;
	struct libra_lazy_gather *gathered;
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
	tx->begin = addr;
	tx->payload = libra_process_find(tx->process, addr, &tx->begin, &tx->end);
	/* The copy finds out whether it may be read. */
	if (tx->payload && READ_ONCE(tx->payload->native)) {
		libra_payload_put(tx->payload);
		tx->payload = NULL;
	}
}

static void libra_lazy_gather_clear(struct libra_lazy_gather *gathered)
{
	while (gathered->nr_la)
		libra_lazy_anchor_put(gathered->la[--gathered->nr_la], 1);
	libra_gather_clear(&gathered->gather);
}

/* The one that the last send() left, or another one; empty. */
static struct libra_lazy_gather *libra_lazy_gather_get(struct libra_process *process)
{
	struct libra_lazy_gather *gathered = xchg(&process->gathered, NULL);

	if (gathered)
		return gathered;
	return kzalloc(sizeof(*gathered), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

static void libra_lazy_gather_put(struct libra_process *process,
				  struct libra_lazy_gather *gathered)
{
	if (cmpxchg(&process->gathered, NULL, gathered))
		kfree(gathered);
}

/* What a page holds from @off on, at most @len bytes of it. Returns how many went. */
static u32 libra_gather_view(struct libra_gather *gather, struct libra_view view,
			     u32 off, u32 len)
{
	libra_place_advance(view.la, &view.place, off);
	return libra_gather_anchor(gather, &view.la->anchor, view.place.idx,
				   view.place.off, len);
}

/*
 * At most @len bytes, as long as nobody has looked at the pages. Returns how many
 * went; @full: there is no room for more.
 */
static size_t libra_gather_lazy(struct libra_lazy_tx *tx, unsigned long addr,
				size_t len, bool *full)
{
	struct libra_lazy_gather *gathered = tx->gathered;
	struct libra_view view[LIBRA_RUN_PAGES];
	size_t done = 0;

	if (!tx->payload)
		return 0;
	len = min_t(size_t, len, tx->end - addr);
	while (done < len) {
		struct libra_lazy_anchor *held;
		u32 pages, n, i;

		/* Each may be of another anchor. */
		if (gathered->nr_la + LIBRA_RUN_PAGES > LIBRA_LAZY_ANCHORS) {
			*full = true;
			break;
		}
		held = gathered->nr_la ? gathered->la[gathered->nr_la - 1] : NULL;
		pages = DIV_ROUND_UP(offset_in_page(addr) +
				     min_t(size_t, len - done, LIBRA_RUN_BYTES - PAGE_SIZE),
				     PAGE_SIZE);
		n = libra_slots_lazy(tx->payload, libra_pgoff(tx->payload, addr), pages,
				     held, view);
		/* All are held before any is used: what is full ends the call. */
		for (i = 0; i < n; i++) {
			if (view[i].la != held) {
				WRITE_ONCE(view[i].la->sent, true);
				gathered->la[gathered->nr_la++] = view[i].la;
			}
			held = view[i].la;
		}
		for (i = 0; i < n; i++) {
			u32 off = offset_in_page(addr);
			u32 want = min_t(size_t, len - done, PAGE_SIZE - off);
			u32 went = libra_gather_view(&gathered->gather, view[i], off,
						     want);

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
	struct libra_gather *gather = &tx->gathered->gather;
	void *to = libra_gather_room(gather, tx->out.sk, &len);

	if (!to)
		return -ENOMEM;
	len = libra_gather_read(tx, from, to, len);
	if (!len)
		return -EFAULT;
	libra_gather_copied(gather, tx->out.sk, len);
	return len;
}

/*
 * Gather from the application's iterator on. Returns 0, or an error when there is
 * nothing before it; sets @direct to the bytes that should go by themselves next.
 */
static int libra_gather_all(struct libra_lazy_tx *tx, size_t *direct)
{
	struct iov_iter from = tx->out.msg->msg_iter;
	struct libra_gather *gather = &tx->gathered->gather;
	bool full = false;

	*direct = 0;
	while (iov_iter_count(&from) && !libra_gather_is_full(gather) && !full) {
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
		if (room > LIBRA_LAZY_DIRECT) {
			*direct = room;
			break;
		}
		if (!libra_gather_may_copy(gather))
			break;
		n = libra_gather_copy(tx, &from, room);
		if (n < 0)
			return gather->len ? 0 : n;
	}
	return 0;
}

/* Send what is gathered. Returns 0, or an error. */
static int libra_lazy_send(struct libra_lazy_tx *tx)
{
	struct libra_gathered sent;
	int ret;

	ret = libra_gather_send(&tx->gathered->gather, &tx->out, &sent);
	LIBRA_ADD(tx->net, LIBRA_MIB_LAZY_TX, sent.anchored);
	LIBRA_ADD(tx->net, LIBRA_MIB_LAZY_TX_COPIED, sent.copied);
	libra_lazy_gather_clear(tx->gathered);
	return min(ret, 0);
}

static int libra_lazy_step(struct libra_lazy_tx *tx)
{
	struct libra_out *out = &tx->out;
	size_t direct;
	int ret;

	ret = libra_gather_all(tx, &direct);
	if (ret)
		return ret;
	if (tx->gathered->gather.len)
		return libra_lazy_send(tx);
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

/*
 * Kernel TLS keeps a lock of its own for the whole of a call, so that those of two threads
 * do not mix. So what goes to it is one call as well, or native. OpenSSL sends no more than
 * a record at once. What waits for room, or ends early, does so as it does natively.
 */
static int libra_lazy_whole(struct libra_lazy_tx *tx)
{
	size_t direct;

	if (!libra_gather_all(tx, &direct) &&
	    tx->gathered->gather.len == msg_data_left(tx->out.msg))
		return libra_lazy_send(tx);
	libra_lazy_gather_clear(tx->gathered);
	return LIBRA_SEND_NATIVE;
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

/*
 * Does kernel TLS encrypt what is sent, and nothing else see it? Copies are made in the
 * task's page fragment, as that of the socket is under its lock.
 */
static bool libra_lazy_is_tls(const struct libra_lazy_tx *tx, const struct sock *sk)
{
	const struct tls_context *tls;

	if (likely(sk->sk_prot->sendmsg == tcp_prot.sendmsg) ||
	    !READ_ONCE(tx->net->sysctl.tls) || !sk->sk_use_task_frag)
		return false;
	tls = libra_tls_alone(sk);
	return tls && libra_tls_transmits(tls) && tls->sk_proto->sendmsg == tcp_prot.sendmsg;
}

static bool libra_lazy_send_wanted(struct libra_lazy_tx *tx, struct sock *sk, bool tls)
{
	const struct msghdr *msg = tx->out.msg;

	/* What goes with a SYN has a path of its own; time stamps are one a call. */
	return (tls || sk->sk_prot->sendmsg == tcp_prot.sendmsg) &&
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
	bool tls;

	if (unlikely(inet_send_prepare(sk)))
		goto out;

	libra_out_init(&tx.out, sk, msg);
	tls = libra_lazy_is_tls(&tx, sk);
	if (!tls)
		libra_out_patient(&tx.out);
	ret = LIBRA_SEND_NATIVE;
	if (libra_lazy_send_wanted(&tx, sk, tls)) {
		tx.gathered = libra_lazy_gather_get(process);
		if (tx.gathered) {
			ret = tls ? libra_lazy_whole(&tx) : libra_lazy_stream(&tx);
			libra_lazy_gather_put(process, tx.gathered);
		}
	}
	if (ret == LIBRA_SEND_NATIVE)
		ret = READ_ONCE(sk->sk_prot)->sendmsg(sk, msg, size);
	else
		ret = tx.out.sent ? : ret;
	libra_lazy_forget(&tx);
	libra_tidy_active(process, current->mm);
out:
	libra_process_put(process);
	return ret;
}
