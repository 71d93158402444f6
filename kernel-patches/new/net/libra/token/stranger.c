// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: connections that no policy names, of processes that receive VPIs.
 *
 * A proxy may send what it received on any connection that it has: on that of a
 * listener which a policy left out, on one to somewhere else. Natively a VPI, and the
 * memory behind it, would leave as they are. So such a connection is attached when the
 * proxy uses it, as one that passes: what is sent by it is searched, and while it is a
 * client's, nothing is anchored that its proxy could send on it, as that may be
 * encrypted in user space (see passing.c).
 *
 * Whose connections these are is known by the session, as in received.c. A session is
 * noted before it receives its first VPI: when it uses an attached socket. What it has
 * open by then is looked for in its processes' files, because a request that was read
 * on it may be answered with what is received next.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "../trace.h"
#include "token.h"

#define LIBRA_RECEIVER_BITS	6

/**
 * struct libra_receiver - a session that may be handed VPIs
 * @node: in the table, RCU
 * @session: with a reference
 * @ready: what its processes had open before is attached
 * @rcu: to free it
 */
struct libra_receiver {
	struct hlist_node node;
	struct pid *session;
	bool ready;
	struct rcu_head rcu;
};

/* Protects changes of the table, and is held while files are looked through. */
static DEFINE_MUTEX(libra_receivers_lock);
static DEFINE_HASHTABLE(libra_receivers, LIBRA_RECEIVER_BITS);
unsigned int libra_receivers_nr;

/* The session of the current process, under RCU. */
static struct libra_receiver *libra_receiver_find(void)
{
	struct pid *session = task_session(current);
	struct libra_receiver *receiver;

	hash_for_each_possible_rcu(libra_receivers, receiver, node,
				   (unsigned long)session)
		if (receiver->session == session)
			return receiver;
	return NULL;
}

/**
 * libra_receives() - may the current process be handed VPIs?
 *
 * If not, it can after libra_receivers_join().
 *
 * Context: process context.
 */
bool libra_receives(void)
{
	const struct libra_receiver *receiver;
	bool ready;

	rcu_read_lock();
	receiver = libra_receiver_find();
	/* Pairs with the one in libra_receivers_join(). */
	ready = receiver && smp_load_acquire(&receiver->ready);
	rcu_read_unlock();
	return ready;
}

/*
 * Otherwise nothing can be sent any more, or not yet: then a policy may still attach it,
 * on its way to TCP_ESTABLISHED.
 */
static bool libra_may_send(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) ||
	       libra_sock_is_fast_open(sk);
}

/**
 * libra_is_stranger() - does the current process use a connection that has to be attached
 * for what it may have received elsewhere?
 * @sk: TCP socket that is not attached, not locked
 *
 * Context: process context, under RCU; may be called from the hooks.
 */
bool libra_is_stranger(const struct sock *sk)
{
	return READ_ONCE(libra_receivers_nr) && libra_parsers_registered() &&
	       libra_may_send(sk) && READ_ONCE(libra_net(sock_net(sk))->sysctl.strangers) &&
	       libra_receiver_find();
}

/*
 * Was this connection accepted? Its listener may be gone; but then its port is hardly
 * one that connections get which nobody gave a port. Under RCU.
 */
static bool libra_was_accepted(const struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;
	u16 port = inet_sk(sk)->inet_num;
	int low, high;

	inet_get_local_port_range(net, &low, &high);
	if (port < low || port > high)
		return true;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
		return inet6_lookup_listener(net, hashinfo, NULL, 0, &sk->sk_v6_daddr,
					     sk->sk_dport, &sk->sk_v6_rcv_saddr, port,
					     sk->sk_bound_dev_if, 0);
#endif
	return __inet_lookup_listener(net, hashinfo, NULL, 0, sk->sk_daddr, sk->sk_dport,
				      sk->sk_rcv_saddr, port, sk->sk_bound_dev_if, 0);
}

/**
 * libra_meet_stranger() - attach such a connection
 * @sk: TCP socket of which the caller has a reference
 *
 * Whoever cannot be attached for want of memory is aborted: nobody could say what it is
 * sent.
 *
 * Context: process context; takes the socket lock.
 * Return: its attachment, or NULL if it is over.
 */
struct libra_sock *libra_meet_stranger(struct sock *sk)
{
	struct libra_sock *ls;
	bool accepted;
	int err = 0;

	lock_sock(sk);
	/* A policy comes first. */
	libra_sock_early(sk);
	/* Attached or closed meanwhile? */
	if (!libra_sk(sk) && libra_may_send(sk)) {
		rcu_read_lock();
		accepted = libra_was_accepted(sk);
		rcu_read_unlock();
		err = libra_attach_stranger(sk, accepted);
	}
	release_sock(sk);
	ls = libra_sk(sk);
	if (err && !ls) {
		net_warn_ratelimited("libra: connection aborted: it could not be attached (%d)\n",
				     err);
		tcp_abort(sk, ENOMEM);
	}
	return ls;
}

/* Files that were found, each with a reference. */
struct libra_found {
	struct hlist_node node;
	struct file *file;
};

struct libra_look {
	struct hlist_head found;
	bool failed;
};

static int libra_look_at(const void *data, struct file *file, unsigned int fd)
{
	struct libra_look *look = (void *)data;
	struct socket *sock = sock_from_file(file);
	struct libra_found *found;

	/* A raw socket may have TCP's number, and is no tcp_sock. */
	if (!sock || !sock->sk || !sk_is_tcp(sock->sk) || !libra_may_send(sock->sk) ||
	    libra_sk(sock->sk))
		return 0;
	found = kmalloc(sizeof(*found), GFP_ATOMIC | __GFP_NOWARN);
	if (!found) {
		look->failed = true;
		return 1;
	}
	found->file = get_file(file);
	hlist_add_head(&found->node, &look->found);
	return 0;
}

/* Of all processes and threads of a session, each table once, as a rule. */
static void libra_look_through(struct libra_look *look, struct pid *session)
{
	struct files_struct *seen = NULL;
	struct task_struct *leader, *task;

	rcu_read_lock();
	do_each_pid_task(session, PIDTYPE_SID, leader) {
		for_each_thread(leader, task) {
			task_lock(task);
			if (task->files && task->files != seen)
				iterate_fd(task->files, 0, libra_look_at, look);
			seen = task->files;
			task_unlock(task);
		}
	} while_each_pid_task(session, PIDTYPE_SID, leader);
	rcu_read_unlock();
}

static bool libra_look_over(struct pid *session)
{
	struct libra_look look = { .found = HLIST_HEAD_INIT };
	struct libra_found *found;
	struct hlist_node *next;
	struct libra_sock *ls;
	struct sock *sk;

	libra_look_through(&look, session);
	hlist_for_each_entry_safe(found, next, &look.found, node) {
		sk = sock_from_file(found->file)->sk;
		ls = READ_ONCE(libra_net(sock_net(sk))->sysctl.strangers) ?
			libra_meet_stranger(sk) : NULL;
		/* Somebody of this session uses it, or will. */
		if (ls)
			libra_passing_note(ls);
		fput(found->file);
		kfree(found);
	}
	return !look.failed;
}

static void libra_receiver_free(struct rcu_head *rcu)
{
	struct libra_receiver *receiver = container_of(rcu, struct libra_receiver, rcu);

	put_pid(receiver->session);
	kfree(receiver);
}

/* Sessions that have ended. Under the lock. */
static void libra_receivers_tidy(void)
{
	struct libra_receiver *receiver;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(libra_receivers, i, next, receiver, node) {
		if (pid_has_task(receiver->session, PIDTYPE_SID))
			continue;
		hash_del_rcu(&receiver->node);
		WRITE_ONCE(libra_receivers_nr, libra_receivers_nr - 1);
		call_rcu(&receiver->rcu, libra_receiver_free);
	}
}

static struct libra_receiver *libra_receiver_add(void)
{
	struct libra_receiver *receiver;

	libra_receivers_tidy();
	receiver = kzalloc(sizeof(*receiver), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!receiver)
		return NULL;
	rcu_read_lock();
	receiver->session = get_pid(task_session(current));
	rcu_read_unlock();
	WRITE_ONCE(libra_receivers_nr, libra_receivers_nr + 1);
	hash_add_rcu(libra_receivers, &receiver->node, (unsigned long)receiver->session);
	return receiver;
}

/**
 * libra_receivers_join() - the current process uses an attached socket
 *
 * If it is the first of its session, others of its connections are attached. Until that
 * is done, or if it cannot be, libra_receives() is false.
 *
 * Context: process context, without locks.
 */
void libra_receivers_join(void)
{
	struct libra_receiver *receiver;

	/* Who comes second need not wait: what he reads meanwhile is copied. */
	if (!mutex_trylock(&libra_receivers_lock))
		return;
	rcu_read_lock();
	receiver = libra_receiver_find();
	rcu_read_unlock();
	/* Nobody else takes it out. */
	if (!receiver)
		receiver = libra_receiver_add();
	if (!receiver || receiver->ready)
		goto out;
	libra_hook_strangers();
	/*
	 * From here on the hooks notice what is used, and what was used before is in a
	 * file table. Pairs with the barriers that are on the way from a call that
	 * makes a file to one that uses it.
	 */
	smp_mb(); /* see above */
	if (libra_look_over(receiver->session))
		smp_store_release(&receiver->ready, true);
out:
	mutex_unlock(&libra_receivers_lock);
}

/**
 * libra_receivers_free() - nobody is attached any more, nor will be
 *
 * Context: module exit, without hooks.
 */
void libra_receivers_free(void)
{
	struct libra_receiver *receiver;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(libra_receivers, i, next, receiver, node) {
		hash_del(&receiver->node);
		libra_receiver_free(&receiver->rcu);
	}
}
