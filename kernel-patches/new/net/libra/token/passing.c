// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: connections whose outgoing stream is not understood, and what is not
 * anchored because of them.
 *
 * Nobody can tell, when payload is received, on which connection a process will
 * send it. While one of those towards the clients passes, a VPI of a response could
 * be sent on it, where it would be a fail-stop, or, behind an encryption in user
 * space, not even be seen. So nothing is anchored that could leave on it: nothing of
 * its domain, and nothing that the processes that use it receive in other domains.
 *
 * Who uses a connection is known when it is read or written first. A request is
 * read before it is answered, so that is early enough; of connections that pass
 * and were not used since (adopted ones) all domains of their network namespace are
 * told to wait.
 */
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "token.h"

/* Of one domain, what is shown by name. */
#define LIBRA_PASSING_SHOWN	16

/*
 * Protects the list, libra_domain.passing and libra_sock.passing; a leaf, taken
 * with bottom halves off. It is only taken where a connection begins or ends to
 * pass, and where something is received while others pass.
 */
static DEFINE_SPINLOCK(libra_passing_lock);
static LIST_HEAD(libra_passing_domains);

/**
 * libra_passing_begin() - nothing is known of what this socket sends
 * @ls: attachment
 * @why: the reason to be shown, LIBRA_MIB_FB_*
 *
 * Its domain has to know before a VPI is on its way to it. Only the first call
 * counts, and none after libra_passing_end().
 *
 * Context: any.
 */
void libra_passing_begin(struct libra_sock *ls, enum libra_mib why)
{
	struct libra_domain *dom = ls->dom;

	if (READ_ONCE(ls->passing.state) != LIBRA_PASSING_NOT)
		return;
	spin_lock_bh(&libra_passing_lock);
	if (ls->passing.state != LIBRA_PASSING_NOT)
		goto out;
	if (list_empty(&dom->passing.socks))
		list_add_tail(&dom->passing.node, &libra_passing_domains);
	ls->passing.why = why;
	ls->passing.since = jiffies;
	list_add_tail(&ls->passing.node, &dom->passing.socks);
	dom->passing.unused++;
	atomic_inc(&dom->egress_passes[ls->role]);
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_UNUSED);
out:
	spin_unlock_bh(&libra_passing_lock);
}

/* Under the lock. */
static void libra_passing_leave(struct libra_sock *ls)
{
	struct libra_domain *dom = ls->dom;

	if (ls->passing.state == LIBRA_PASSING_UNUSED)
		dom->passing.unused--;
	else if (ls->passing.state != LIBRA_PASSING_USED)
		return;
	atomic_dec(&dom->egress_passes[ls->role]);
	list_del(&ls->passing.node);
	if (list_empty(&dom->passing.socks)) {
		list_del(&dom->passing.node);
		WRITE_ONCE(dom->passing.users.nr, 0);
	}
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_NOT);
}

/**
 * libra_passing_shut() - nothing more is sent on this connection
 * @ls: attachment
 *
 * Context: any.
 */
void libra_passing_shut(struct libra_sock *ls)
{
	spin_lock_bh(&libra_passing_lock);
	libra_passing_leave(ls);
	spin_unlock_bh(&libra_passing_lock);
}

/**
 * libra_passing_end() - nor on this socket, ever
 * @ls: attachment
 *
 * Twice is fine.
 *
 * Context: any.
 */
void libra_passing_end(struct libra_sock *ls)
{
	spin_lock_bh(&libra_passing_lock);
	libra_passing_leave(ls);
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_OVER);
	spin_unlock_bh(&libra_passing_lock);
}

/* The current process has used a socket that passes. */
void __libra_passing_note(struct libra_sock *ls)
{
	struct libra_domain *dom = ls->dom;

	/* The set is not emptied while this socket passes. */
	if (READ_ONCE(ls->passing.state) == LIBRA_PASSING_USED &&
	    libra_sessions_have(&dom->passing.users, true))
		return;
	spin_lock_bh(&libra_passing_lock);
	if (ls->passing.state == LIBRA_PASSING_UNUSED) {
		dom->passing.unused--;
		WRITE_ONCE(ls->passing.state, LIBRA_PASSING_USED);
	}
	if (ls->passing.state == LIBRA_PASSING_USED)
		libra_sessions_note(&dom->passing.users);
	spin_unlock_bh(&libra_passing_lock);
}

/**
 * libra_passing_elsewhere() - may the current process send by a way of another domain
 * that passes?
 * @own: the domain in which it receives
 * @role: of the connections in question
 *
 * Context: process context.
 */
bool libra_passing_elsewhere(const struct libra_domain *own, enum libra_role role)
{
	struct libra_domain *dom;
	bool found = false;

	/* Without the lock: as with egress_passes, what begins now is not too late. */
	if (list_empty(&libra_passing_domains))
		return false;
	spin_lock_bh(&libra_passing_lock);
	list_for_each_entry(dom, &libra_passing_domains, passing.node) {
		if (dom == own || !atomic_read(&dom->egress_passes[role]))
			continue;
		found = libra_sessions_have(&dom->passing.users, dom->net == own->net) ||
			(dom->passing.unused && dom->net == own->net);
		if (found)
			break;
	}
	spin_unlock_bh(&libra_passing_lock);
	return found;
}

static void libra_passing_address(struct seq_file *seq, const struct sock *sk,
				  bool peer)
{
	const struct inet_sock *inet = inet_sk(sk);
	u16 port = peer ? ntohs(inet->inet_dport) : inet->inet_num;

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		seq_printf(seq, " [%pI6c]:%u", peer ? &sk->sk_v6_daddr :
						      &sk->sk_v6_rcv_saddr, port);
		return;
	}
#endif
	seq_printf(seq, " %pI4:%u", peer ? &inet->inet_daddr : &inet->inet_rcv_saddr,
		   port);
}

static void libra_passing_show_domain(struct seq_file *seq,
				      const struct libra_domain *dom)
{
	const struct libra_sock *ls;
	int shown = 0;

	seq_printf(seq, "domain %u clients %d upstreams %d\n", dom->id,
		   atomic_read(&dom->egress_passes[LIBRA_ROLE_PASSIVE]),
		   atomic_read(&dom->egress_passes[LIBRA_ROLE_ACTIVE]));
	list_for_each_entry(ls, &dom->passing.socks, passing.node) {
		if (++shown > LIBRA_PASSING_SHOWN)
			break;
		seq_puts(seq, ls->role == LIBRA_ROLE_PASSIVE ? "client" : "upstream");
		/* The socket goes after libra_passing_end(). */
		libra_passing_address(seq, ls->sk, true);
		libra_passing_address(seq, ls->sk, false);
		seq_printf(seq, " %s %lu\n", libra_mib_names[ls->passing.why],
			   (jiffies - ls->passing.since) / HZ);
	}
}

/**
 * libra_passing_show() - /proc/net/libra_passing
 * @seq: file
 * @v: not used
 *
 * For each domain that has some, how many, and the oldest ones: role, peer's and
 * own address, reason, seconds.
 */
int libra_passing_show(struct seq_file *seq, void *v)
{
	const struct libra_net *ln = libra_net(seq_file_single_net(seq));
	const struct libra_domain *dom;

	spin_lock_bh(&libra_passing_lock);
	list_for_each_entry(dom, &libra_passing_domains, passing.node)
		if (dom->net == ln)
			libra_passing_show_domain(seq, dom);
	spin_unlock_bh(&libra_passing_lock);
	return 0;
}
