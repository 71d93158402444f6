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
#include <linux/slab.h>

#include "token.h"

/* Of one domain, what is shown by name. */
#define LIBRA_PASSING_SHOWN	16

/**
 * struct libra_use - a session uses a connection that passes
 * @node: in libra_sock.passing.uses
 * @session_node: in libra_session.uses
 * @session: while one of its processes lives
 * @ls: the connection, while it passes
 */
struct libra_use {
	struct list_head node;
	struct list_head session_node;
	struct libra_session *session;
	struct libra_sock *ls;
};

/*
 * Protects libra_domain.passing, libra_sock.passing and libra_session.uses; a leaf, taken
 * with bottom halves off. It is only taken where a connection begins or ends to pass, where
 * one that passes is used for the first time, and once when a connection is closed.
 */
static DEFINE_SPINLOCK(libra_passing_lock);

/**
 * libra_passing_begin() - nothing is known of what this socket sends
 * @ls: attachment
 * @why: the reason to be shown, LIBRA_MIB_FB_*
 * @reason: the parser's, with LIBRA_MIB_FB_PARSER; LIBRA_REASON_UNSAID otherwise
 *
 * Its domain has to know before a VPI is on its way to it. Only the first call
 * counts, and none after libra_passing_end().
 *
 * Context: any.
 */
void libra_passing_begin(struct libra_sock *ls, enum libra_mib why,
			 enum libra_reason reason)
{
	struct libra_domain *dom = ls->dom;

	if (READ_ONCE(ls->passing.state) != LIBRA_PASSING_NOT)
		return;
	/* Nothing more is sent on it. */
	if (READ_ONCE(ls->ended) && !libra_sock_changed(ls))
		return;
	spin_lock_bh(&libra_passing_lock);
	if (ls->passing.state != LIBRA_PASSING_NOT)
		goto out;
	ls->passing.why = why;
	ls->passing.reason = reason;
	ls->passing.since = jiffies;
	list_add_tail(&ls->passing.node, &dom->passing);
	atomic_inc(&ls->net->passing_unused[ls->role]);
	atomic_inc(&dom->egress_passes[ls->role]);
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_UNUSED);
out:
	spin_unlock_bh(&libra_passing_lock);
}

/* Under the lock. */
static void libra_passing_leave(struct libra_sock *ls)
{
	struct libra_use *use, *next;

	if (ls->passing.state == LIBRA_PASSING_UNUSED)
		atomic_dec(&ls->net->passing_unused[ls->role]);
	else if (ls->passing.state != LIBRA_PASSING_USED)
		return;
	list_for_each_entry_safe(use, next, &ls->passing.uses, node) {
		atomic_dec(&use->session->passing[ls->role]);
		list_del(&use->session_node);
		list_del(&use->node);
		kfree(use);
	}
	WRITE_ONCE(ls->passing.user, NULL);
	atomic_dec(&ls->dom->egress_passes[ls->role]);
	list_del(&ls->passing.node);
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_NOT);
}

/**
 * libra_passing_over() - nothing more is sent on this connection, or it is understood again
 * @ls: attachment
 *
 * Context: any.
 */
void libra_passing_over(struct libra_sock *ls)
{
	/* Who begins to pass meanwhile might as well have done so behind this. */
	if (READ_ONCE(ls->passing.state) == LIBRA_PASSING_NOT)
		return;
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
	if (READ_ONCE(ls->passing.state) == LIBRA_PASSING_OVER)
		return;
	spin_lock_bh(&libra_passing_lock);
	libra_passing_leave(ls);
	WRITE_ONCE(ls->passing.state, LIBRA_PASSING_OVER);
	spin_unlock_bh(&libra_passing_lock);
}

static bool libra_passing_has(const struct libra_sock *ls,
			      const struct libra_session *session)
{
	const struct libra_use *use;

	list_for_each_entry(use, &ls->passing.uses, node)
		if (use->session == session)
			return true;
	return false;
}

/* Under the lock, and RCU. Returns false if @use is not needed. */
static bool libra_passing_use(struct libra_sock *ls, struct libra_session *session,
			      struct libra_use *use)
{
	if (!libra_passing_is(ls))
		return false;
	if (ls->passing.state == LIBRA_PASSING_UNUSED) {
		atomic_dec(&ls->net->passing_unused[ls->role]);
		WRITE_ONCE(ls->passing.state, LIBRA_PASSING_USED);
	}
	/* Without a session there is nobody who could receive VPIs. */
	if (!session || session->over)
		return false;
	WRITE_ONCE(ls->passing.user, session);
	if (libra_passing_has(ls, session))
		return false;
	use->session = session;
	use->ls = ls;
	list_add(&use->node, &ls->passing.uses);
	list_add(&use->session_node, &session->uses);
	atomic_inc(&session->passing[ls->role]);
	return true;
}

/**
 * libra_passing_note_as() - a socket that passes is used
 * @ls: attachment
 * @session: by whom; it stays meanwhile. NULL: by the current process
 *
 * Context: process context, without locks.
 */
void libra_passing_note_as(struct libra_sock *ls, struct libra_session *session)
{
	struct libra_use *use = kmalloc(sizeof(*use), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	bool used;

	rcu_read_lock();
	spin_lock_bh(&libra_passing_lock);
	used = libra_passing_use(ls, session ? : libra_session_find(), use);
	spin_unlock_bh(&libra_passing_lock);
	rcu_read_unlock();
	if (!used)
		kfree(use);
}

/* Is it known already that the current process's session uses it? */
void __libra_passing_note(struct libra_sock *ls)
{
	bool known;

	rcu_read_lock();
	known = READ_ONCE(ls->passing.state) == LIBRA_PASSING_USED &&
		READ_ONCE(ls->passing.user) == libra_session_find();
	rcu_read_unlock();
	if (!known)
		libra_passing_note_as(ls, NULL);
}

/**
 * libra_passing_forget() - a session has no processes any more
 * @session: session
 *
 * Context: process context.
 */
void libra_passing_forget(struct libra_session *session)
{
	struct libra_use *use, *next;

	spin_lock_bh(&libra_passing_lock);
	session->over = true;
	list_for_each_entry_safe(use, next, &session->uses, session_node) {
		if (use->ls->passing.user == session)
			WRITE_ONCE(use->ls->passing.user, NULL);
		list_del(&use->session_node);
		list_del(&use->node);
		kfree(use);
	}
	spin_unlock_bh(&libra_passing_lock);
}

/**
 * libra_passing_address() - show an end of a connection
 * @seq: file
 * @sk: socket
 * @peer: the other end
 *
 * Context: any; somebody holds @sk.
 */
void libra_passing_address(struct seq_file *seq, const struct sock *sk, bool peer)
{
	const struct inet_sock *inet = inet_sk(sk);
	u16 port = peer ? ntohs(inet->inet_dport) : inet->inet_num;

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		seq_printf(seq, "[%pI6c]:%u", peer ? &sk->sk_v6_daddr :
						     &sk->sk_v6_rcv_saddr, port);
		return;
	}
#endif
	seq_printf(seq, "%pI4:%u", peer ? &inet->inet_daddr : &inet->inet_rcv_saddr,
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
	list_for_each_entry(ls, &dom->passing, passing.node) {
		if (++shown > LIBRA_PASSING_SHOWN)
			break;
		seq_puts(seq, ls->role == LIBRA_ROLE_PASSIVE ? "client " : "upstream ");
		/* The socket goes after libra_passing_end(). */
		libra_passing_address(seq, ls->sk, true);
		seq_putc(seq, ' ');
		libra_passing_address(seq, ls->sk, false);
		seq_printf(seq, " %s %lu %s\n", libra_mib_names[ls->passing.why],
			   (jiffies - ls->passing.since) / HZ,
			   libra_reason_names[ls->passing.reason]);
	}
}

/**
 * libra_passing_show_sock() - show whether a socket passes, and who uses it then
 * @seq: file
 * @ls: attachment
 * @ns: whose numbers of sessions
 *
 * Context: process context.
 */
void libra_passing_show_sock(struct seq_file *seq, struct libra_sock *ls,
			     struct pid_namespace *ns)
{
	const struct libra_use *use;
	int shown = 0;

	spin_lock_bh(&libra_passing_lock);
	if (!libra_passing_is(ls)) {
		seq_puts(seq, " passing=-");
		goto out;
	}
	seq_printf(seq, " passing=%s passing_s=%lu used=%d sessions=",
		   libra_mib_names[ls->passing.why],
		   (jiffies - ls->passing.since) / HZ,
		   ls->passing.state == LIBRA_PASSING_USED);
	list_for_each_entry(use, &ls->passing.uses, node) {
		if (shown == LIBRA_PASSING_SHOWN)
			break;
		seq_printf(seq, shown++ ? ",%d" : "%d", pid_nr_ns(use->session->pid, ns));
	}
	if (!shown)
		seq_putc(seq, '-');
out:
	spin_unlock_bh(&libra_passing_lock);
}

/**
 * libra_passing_show() - /proc/net/libra_passing
 * @seq: file
 * @v: not used
 *
 * For each domain that has some, how many, and the oldest ones: role, peer's and
 * own address, reason, seconds, what the parser said.
 */
int libra_passing_show(struct seq_file *seq, void *v)
{
	struct libra_net *ln = libra_net(seq_file_single_net(seq));
	const struct libra_domain *dom;

	spin_lock_bh(&ln->lock);
	spin_lock(&libra_passing_lock);
	list_for_each_entry(dom, &ln->domains, node)
		if (!list_empty(&dom->passing))
			libra_passing_show_domain(seq, dom);
	spin_unlock(&libra_passing_lock);
	spin_unlock_bh(&ln->lock);
	return 0;
}
