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
 * Which proxies these are is known by the session (session.c). What it has open when it
 * joins is looked for in its processes' files, because a request that was read on it may
 * be answered with what is received next.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "token.h"

/*
 * Otherwise nothing can be sent any more, or not yet: then a policy may still attach it,
 * on its way to TCP_ESTABLISHED.
 */
static bool libra_may_send(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) ||
	       libra_sock_is_fast_open(sk);
}

/*
 * Is the namespace about such connections? Who is root only there does not decide what
 * becomes of VPIs that were received elsewhere.
 */
static bool libra_strangers_count(const struct libra_net *ln)
{
	return READ_ONCE(ln->sysctl.strangers) || libra_net_of_users(ln);
}

/*
 * The kernel's own, such as of network file systems, are used by whoever writes to a
 * file; what it writes there is not for a peer of its own.
 */
static bool libra_could_be_stranger(const struct sock *sk)
{
	return !sk->sk_kern_sock && sk->sk_use_task_frag && libra_may_send(sk) &&
	       libra_strangers_count(libra_net(sock_net(sk)));
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
	return READ_ONCE(libra_sessions_nr) && libra_parsers_registered() &&
	       libra_could_be_stranger(sk) && libra_session_find();
}

/*
 * Was this connection accepted? Its listener may be gone; but then its port is hardly
 * one that connections get which nobody gave a port. Who listens for addresses that are
 * not the host's has any port. Under RCU.
 */
static bool libra_was_accepted(const struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;
	u16 port = inet_sk(sk)->inet_num;
	int low, high;

	inet_get_local_port_range(net, &low, &high);
	if (port < low || port > high || inet_test_bit(TRANSPARENT, sk))
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

/*
 * Attach it, if it is @wanted and no policy does. Whoever cannot be attached for want of
 * memory is aborted: nobody could say what it is sent. Takes the socket lock.
 */
static struct libra_sock *libra_meet_if(struct sock *sk,
					bool (*wanted)(const struct sock *sk))
{
	bool stranger, accepted;
	struct libra_sock *ls;
	int err = 0;

	lock_sock(sk);
	/* A policy comes first. */
	libra_sock_early(sk);
	rcu_read_lock();
	stranger = !libra_sk(sk) && wanted(sk);
	accepted = stranger && libra_was_accepted(sk);
	rcu_read_unlock();
	if (stranger)
		err = libra_attach_stranger(sk, accepted);
	release_sock(sk);
	ls = libra_sk(sk);
	/* Without a parser nobody receives anything: it is left alone. */
	if (err && err != -ENOENT && !ls) {
		net_warn_ratelimited("libra: connection aborted: it could not be attached (%d)\n",
				     err);
		tcp_abort(sk, ENOMEM);
	}
	return ls;
}

/**
 * libra_meet() - a connection is used that is not attached, and may have to be
 * @sk: TCP socket of which the caller has a reference
 *
 * Because it is used before it is established, or because it is a stranger.
 *
 * Context: process context; takes the socket lock.
 * Return: its attachment, or NULL.
 */
struct libra_sock *libra_meet(struct sock *sk)
{
	return libra_meet_if(sk, libra_is_stranger);
}

/* Files that were found at once, each with a reference; so many are looked at in between. */
#define LIBRA_LOOK_FILES	32
#define LIBRA_LOOK_TABLE	1024

struct libra_look {
	struct file *file[LIBRA_LOOK_FILES];
	u32 nr;
	u32 looked;
};

static bool libra_is_found(const struct libra_look *look, const struct file *file)
{
	u32 i;

	for (i = 0; i < look->nr; i++)
		if (look->file[i] == file)
			return true;
	return false;
}

/* For iterate_fd(), which ends with the descriptor to go on with. */
static int libra_look_at(const void *data, struct file *file, unsigned int fd)
{
	struct libra_look *look = (void *)data;
	struct socket *sock = sock_from_file(file);
	const struct libra_sock *ls;
	struct sock *sk;

	if (++look->looked == LIBRA_LOOK_TABLE || look->nr == LIBRA_LOOK_FILES)
		return fd ? : 1;
	sk = sock ? sock->sk : NULL;
	/* A raw socket may have TCP's number, and is no tcp_sock. */
	if (!sk || !sk_is_tcp(sk) || !libra_could_be_stranger(sk))
		return 0;
	/* One that passes has to know who uses it. */
	ls = libra_sk(sk);
	if ((!ls || libra_passing_is(ls)) && !libra_is_found(look, file))
		look->file[look->nr++] = get_file(file);
	return 0;
}

static void libra_look_done(struct libra_look *look, struct libra_session *session)
{
	struct libra_sock *ls;
	struct sock *sk;

	while (look->nr) {
		struct file *file = look->file[--look->nr];

		sk = sock_from_file(file)->sk;
		ls = libra_sk(sk) ? : libra_meet_if(sk, libra_could_be_stranger);
		/* Somebody of this session uses it, or will. */
		if (ls && libra_passing_is(ls))
			libra_passing_note_as(ls, session);
		fput(file);
	}
	look->looked = 0;
}

/*
 * One task's files. Returns false if it ended, or left the session, meanwhile. Under RCU,
 * which is left now and then.
 */
static bool libra_look_at_task(struct libra_look *look, struct task_struct *leader,
			       struct task_struct *task, struct libra_session *session)
{
	bool alive;
	int fd = 0;

	do {
		task_lock(task);
		fd = task->files ? iterate_fd(task->files, fd, libra_look_at, look) : 0;
		task_unlock(task);

		get_task_struct(leader);
		get_task_struct(task);
		rcu_read_unlock();
		libra_look_done(look, session);
		cond_resched();
		rcu_read_lock();
		/* Otherwise they may not lead to the next ones; exec changes leaders. */
		alive = pid_alive(leader) && pid_alive(task) &&
			thread_group_leader(leader) && task_session(leader) == session->pid;
		put_task_struct(task);
		put_task_struct(leader);
	} while (alive && fd);
	return alive;
}

/* Of all processes and threads of a session, each table once, as a rule. */
static bool libra_look_through(struct libra_look *look, struct libra_session *session)
{
	const struct files_struct *seen = NULL;
	struct task_struct *leader, *task;
	bool whole = true;

	rcu_read_lock();
	do_each_pid_task(session->pid, PIDTYPE_SID, leader) {
		for_each_thread(leader, task) {
			if (READ_ONCE(task->files) == seen)
				continue;
			seen = READ_ONCE(task->files);
			whole = libra_look_at_task(look, leader, task, session);
			if (!whole)
				goto out;
		}
	} while_each_pid_task(session->pid, PIDTYPE_SID, leader);
out:
	rcu_read_unlock();
	return whole;
}

/**
 * libra_look_for_strangers() - attach what a session has open
 * @session: it stays meanwhile
 *
 * Context: process context, without locks.
 * Return: false if it cannot be told whether that was all.
 */
bool libra_look_for_strangers(struct libra_session *session)
{
	struct libra_look *look = kzalloc(sizeof(*look), GFP_KERNEL | __GFP_NOWARN);
	bool whole = false;
	int tries;

	if (!look)
		return false;
	/* Processes come and go. */
	for (tries = 0; !whole && tries < 8; tries++)
		whole = libra_look_through(look, session);
	kfree(look);
	return whole;
}
