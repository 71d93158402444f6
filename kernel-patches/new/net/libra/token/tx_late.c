// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: what may be the beginning of a VPI, and cannot be taken back.
 *
 * A send() ends with the first bytes of a magic, which may be chance. TCP is given such
 * bytes, because it can be made to give them back (tx_hold.c); kernel TLS has encrypted
 * them. If they were a VPI's, which an application that encrypts by the record cuts at the
 * end of one, the connection would have to be aborted.
 *
 * So they wait for the next send(): in the middle of a message of which more is to come,
 * while there are anchors for which a VPI could be on its way, and no longer than
 * LIBRA_LATE. If its peer has not acknowledged all that came before it, it has no use for
 * them, and they wait on: an application that has no room cannot send.
 *
 * What waits can be seen by who measures the time: in a stream of which the application
 * sends nothing more for LIBRA_LATE, that an outgoing byte is a magic's first one. A magic
 * alone is worth nothing (vpi.c).
 */
#include <linux/workqueue.h>
#include <net/tcp.h>

#include "token.h"
#include "tx.h"

#define LIBRA_LATE	(HZ / 5)

/**
 * libra_late_pays() - would what is sent as chance be missed if it is none?
 * @ls: attachment, under tx_lock; more of a message is to come
 */
bool libra_late_pays(const struct libra_sock *ls)
{
	return ls->tx.tls && READ_ONCE(ls->dom->live) > 0;
}

/**
 * libra_late_begin() - let what is held wait, but not for long
 * @ls: attachment, under tx_lock; no more is held than may be chance
 *
 * The work has a reference on the socket.
 *
 * Context: process context, in a call of the application, which has the socket.
 */
void libra_late_begin(struct libra_sock *ls)
{
	ls->late.since = jiffies;
	sock_hold(ls->sk);
	if (!queue_delayed_work(libra_wq, &ls->late.work, LIBRA_LATE))
		sock_put(ls->sk);	/* it sees the new time */
}

/* How long to wait on, in jiffies; 0 when there is nothing to wait for any more. */
static unsigned long libra_late_look(struct libra_sock *ls)
{
	const struct tcp_sock *tp = tcp_sk(ls->sk);
	unsigned long end = ls->late.since + LIBRA_LATE;

	if (!ls->tx.owed || ls->tx.gone + ls->tx.cut > LIBRA_VPI_CHANCE)
		return 0;
	if (time_before(jiffies, end))
		return end - jiffies;
	if (ls->tx.cut && READ_ONCE(tp->write_seq) != READ_ONCE(tp->snd_una))
		return LIBRA_LATE;
	/* No memory: the end of the connection ends that as well. */
	return libra_hold_let_chance_go(ls) ? LIBRA_LATE : 0;
}

static void libra_late_work(struct work_struct *work)
{
	struct libra_sock *ls = container_of(to_delayed_work(work), struct libra_sock,
					     late.work);
	unsigned long wait = LIBRA_LATE;
	struct sock *sk = ls->sk;

	/* Whoever sends deals with what is held, or begins to wait anew. */
	if (mutex_trylock(&ls->tx_lock)) {
		wait = libra_late_look(ls);
		libra_tx_unlock(ls);
	}
	if (!wait || !queue_delayed_work(libra_wq, &ls->late.work, wait))
		sock_put(sk);
}

/**
 * libra_late_init() - of a new attachment
 * @ls: attachment
 */
void libra_late_init(struct libra_sock *ls)
{
	INIT_DELAYED_WORK(&ls->late.work, libra_late_work);
}

/**
 * libra_late_end() - nothing is held any more, nor will be
 * @ls: attachment; the caller has its socket, and is about to close it
 *
 * A work that has begun is waited for: it may be in TLS, which the close takes away.
 *
 * Context: process context, without locks.
 */
void libra_late_end(struct libra_sock *ls)
{
	if (cancel_delayed_work_sync(&ls->late.work))
		sock_put(ls->sk);
}
