// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra on an unpatched kernel: ftrace redirects functions of the inet socket
 * layer for attached sockets, and for processes with payload memory.
 *
 * The callback runs with preemption off at the first instruction of the traced
 * function. For an attached socket it sets the instruction pointer to our
 * replacement, which takes the same arguments, as livepatch does; so it does when
 * the current process has payload memory, on which it takes a reference first. In
 * any other case it returns, and the function runs as if nothing had happened. So
 * no task sleeps in module text without one of three that hold the module: an
 * attached socket until it is freed, a process until the call ends, or the callback
 * itself for a call on a socket that may have to be attached first (TCP Fast Open,
 * and see token/stranger.c).
 *
 * The hooks are only in place while there is a parser, an attached socket or
 * payload memory. For as long they are permanent: ftrace cannot be switched off
 * (kernel.ftrace_enabled), and where it is off they cannot be put in place.
 */
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <net/inet_common.h>
#include <net/rps.h>

#include "libra.h"
#include "recv.h"
#include "send.h"
#include "lazy/lazy.h"
#include "token/token.h"

static const struct rhashtable_params libra_socks_params = {
	.key_len = sizeof(struct sock *),
	.key_offset = offsetof(struct libra_sock, sk),
	.head_offset = offsetof(struct libra_sock, hash),
	.automatic_shrinking = true,
};

static struct rhashtable libra_socks;

struct libra_sock *libra_sk(const struct sock *sk)
{
	return rhashtable_lookup_fast(&libra_socks, &sk, libra_socks_params);
}

int libra_hook_bind(struct libra_sock *ls)
{
	return rhashtable_lookup_insert_fast(&libra_socks, &ls->hash,
					     libra_socks_params);
}

void libra_hook_unbind(struct libra_sock *ls)
{
	rhashtable_remove_fast(&libra_socks, &ls->hash, libra_socks_params);
}

static int libra_inet_recvmsg(struct socket *sock, struct msghdr *msg,
			      size_t size, int flags)
{
	return libra_recvmsg(libra_sk(sock->sk), msg, size, flags);
}

static int libra_inet_sendmsg(struct socket *sock, struct msghdr *msg,
			      size_t size)
{
	return libra_sendmsg(libra_sk(sock->sk), msg, size);
}

/* Calls the hooked function: the callback lets it through, see libra_wants_release(). */
static int libra_inet_release(struct socket *sock)
{
	libra_sock_release(libra_sk(sock->sk));
	return inet_release(sock);
}

/*
 * The same, see libra_wants_shutdown(); also when nothing changed, as by SHUT_RD.
 * Another thread that does the same may have us come here once more, no worse.
 */
static int libra_inet_shutdown(struct socket *sock, int how)
{
	struct libra_sock *ls = libra_sk(sock->sk);
	int ret;

	libra_sock_shutdown(ls, how);
	WRITE_ONCE(ls->shutting, current);
	ret = inet_shutdown(sock, how);
	cmpxchg(&ls->shutting, current, NULL);
	return ret;
}

/* Who is attached by that holds the module; the reference of the callback goes last. */
static int libra_meet_inet_recvmsg(struct socket *sock, struct msghdr *msg,
				    size_t size, int flags)
{
	struct libra_sock *ls = libra_meet(sock->sk);
	int ret;

	ret = ls ? libra_recvmsg(ls, msg, size, flags) :
		   libra_recv_native(sock->sk, msg, size, flags);
	module_put(THIS_MODULE);
	return ret;
}

static int libra_meet_inet_sendmsg(struct socket *sock, struct msghdr *msg,
				    size_t size)
{
	struct libra_sock *ls = libra_meet(sock->sk);
	int ret;

	ret = ls ? libra_sendmsg(ls, msg, size) :
		   libra_send_native(sock->sk, msg, size);
	module_put(THIS_MODULE);
	return ret;
}

static int libra_lazy_inet_recvmsg(struct socket *sock, struct msghdr *msg,
				   size_t size, int flags)
{
	return libra_lazy_recvmsg(libra_process_entered(), sock->sk, msg, size, flags);
}

static int libra_lazy_inet_sendmsg(struct socket *sock, struct msghdr *msg,
				   size_t size)
{
	return libra_lazy_sendmsg(libra_process_entered(), sock->sk, msg, size);
}

/**
 * struct libra_hook - a function that is redirected
 * @func: its name
 * @takes_sk: its first argument is a struct sock, and not a struct socket
 * @to: where to, for an attached socket
 * @wanted: is this attached socket's call redirected?
 * @meet_to: where to, for a socket that is not attached and may have to be, or NULL
 * @lazy_to: where to, in a process with payload memory, or NULL
 * @lazy_wanted: ... for such a call of recvmsg or sendmsg
 * @ops: of ftrace
 */
struct libra_hook {
	const char *func;
	bool takes_sk;
	void *to;
	bool (*wanted)(const struct libra_sock *ls);
	void *meet_to;
	void *lazy_to;
	bool (*lazy_wanted)(struct sock *sk, size_t size, int flags);
	struct ftrace_ops ops;
};

/*
 * A listener would pass our sk_destruct on to sockets that hold no reference on
 * the module. So none is made of a socket that was connected; to one that still is, or has
 * a ULP, nobody is told anything else.
 */
static int libra_inet_listen(struct socket *sock, int backlog)
{
	return -EINVAL;
}

/* MPTCP listens on a subflow by way of this one. */
static int libra_inet_listen_sk(struct sock *sk, int backlog)
{
	return -EINVAL;
}

static bool libra_wants_all(const struct libra_sock *ls)
{
	return true;
}

static bool libra_wants_release(const struct libra_sock *ls)
{
	return !READ_ONCE(ls->released);
}

static bool libra_wants_shutdown(const struct libra_sock *ls)
{
	if (READ_ONCE(ls->shutting) == current)
		return false;
	return libra_passing_is(ls) || !READ_ONCE(ls->ended);
}

/* The flags of a sendmsg are in its message. */
static bool libra_wants_lazy_send(struct sock *sk, size_t size, int flags)
{
	return libra_send_may_gain(size);
}

/* @early: it was not established; @size, @flags: of a recvmsg or a sendmsg. */
static void *libra_hook_target(const struct libra_hook *hook, struct sock *sk,
			       bool early, size_t size, int flags)
{
	const struct libra_sock *ls = NULL;

	if (atomic_read(&libra_attached))
		ls = libra_sk(sk);
	if (ls)
		return hook->wanted(ls) ? hook->to : NULL;
	/* It calls module_put(). A module that goes has no policy for it. */
	if (hook->meet_to && (early || libra_is_stranger(sk)) &&
	    try_module_get(THIS_MODULE))
		return hook->meet_to;
	/* The reference is given back by what is called then. */
	if (hook->lazy_to && atomic_read(&libra_arenas) &&
	    hook->lazy_wanted(sk, size, flags) && libra_process_enter())
		return hook->lazy_to;
	return NULL;
}

static void notrace libra_ftrace(unsigned long ip, unsigned long parent_ip,
				 struct ftrace_ops *ops,
				 struct ftrace_regs *fregs)
{
	const struct libra_hook *hook = container_of(ops, struct libra_hook, ops);
	struct sock *sk;
	bool early;
	void *to;
	int bit;

	sk = (void *)ftrace_regs_get_argument(fregs, 0);
	if (!hook->takes_sk)
		sk = ((const struct socket *)sk)->sk;
	/* A raw socket may have TCP's number, and is no tcp_sock. */
	if (!sk || !sk_is_tcp(sk))
		return;
	/* Before it is looked up: see libra_sock_is_early(). */
	early = hook->meet_to && libra_sock_is_early(sk);
	if (!early && !atomic_read(&libra_attached) && !atomic_read(&libra_arenas) &&
	    !READ_ONCE(libra_sessions_nr))
		return;

	bit = ftrace_test_recursion_trylock(ip, parent_ip);
	if (bit < 0)
		return;
	to = libra_hook_target(hook, sk, early,
			       ftrace_regs_get_argument(fregs, 2),
			       ftrace_regs_get_argument(fregs, 3));
	if (to)
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)to);
	ftrace_test_recursion_unlock(bit);
}

/* Permanent: without the hooks a VPI, and what is behind it, would be sent as it is. */
#define LIBRA_HOOK(name, replacement, when, meet, lazy, lazy_when)	\
	{								\
		.func = name,						\
		.takes_sk = (replacement) == (void *)libra_inet_listen_sk, \
		.to = replacement,					\
		.wanted = when,						\
		.meet_to = meet,					\
		.lazy_to = lazy,					\
		.lazy_wanted = lazy_when,				\
		.ops = {						\
			.func = libra_ftrace,				\
			.flags = FTRACE_OPS_FL_IPMODIFY |		\
				 FTRACE_OPS_FL_PERMANENT,		\
		},							\
	}

static struct libra_hook libra_hooks[] = {
	LIBRA_HOOK("inet_recvmsg", libra_inet_recvmsg, libra_wants_all,
		   libra_meet_inet_recvmsg, libra_lazy_inet_recvmsg,
		   libra_recv_may_gain),
	LIBRA_HOOK("inet_sendmsg", libra_inet_sendmsg, libra_wants_all,
		   libra_meet_inet_sendmsg, libra_lazy_inet_sendmsg,
		   libra_wants_lazy_send),
#if IS_ENABLED(CONFIG_IPV6)
	LIBRA_HOOK("inet6_recvmsg", libra_inet_recvmsg, libra_wants_all,
		   libra_meet_inet_recvmsg, libra_lazy_inet_recvmsg,
		   libra_recv_may_gain),
	LIBRA_HOOK("inet6_sendmsg", libra_inet_sendmsg, libra_wants_all,
		   libra_meet_inet_sendmsg, libra_lazy_inet_sendmsg,
		   libra_wants_lazy_send),
#endif
	/* inet6_release() and the AF_INET6 shutdown come through these, too. */
	LIBRA_HOOK("inet_release", libra_inet_release, libra_wants_release, NULL,
		   NULL, NULL),
	LIBRA_HOOK("inet_shutdown", libra_inet_shutdown, libra_wants_shutdown, NULL,
		   NULL, NULL),
	LIBRA_HOOK("inet_listen", libra_inet_listen, libra_wants_all, NULL, NULL, NULL),
	LIBRA_HOOK("__inet_listen_sk", libra_inet_listen_sk, libra_wants_all, NULL, NULL,
		   NULL),
};

static void libra_unhook(int n)
{
	while (n--)
		unregister_ftrace_function(&libra_hooks[n].ops);
}

int libra_hook_install(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(libra_hooks); i++) {
		err = register_ftrace_function(&libra_hooks[i].ops);
		if (err) {
			pr_err("libra: cannot hook %s (%d); is kernel.ftrace_enabled 0, or a live patch on it?\n",
			       libra_hooks[i].func, err);
			libra_unhook(i);
			return err;
		}
	}
	return 0;
}

/*
 * Unregistering waits for callbacks that are running and for tasks that were
 * preempted in a replacement (synchronize_rcu_tasks()).
 */
void libra_hook_remove(void)
{
	libra_unhook(ARRAY_SIZE(libra_hooks));
}

/* The callback sees every call. */
void libra_hook_strangers(void)
{
}

/*
 * A stock kernel exports nothing by which a module could charge socket memory
 * of which the socket is gone; see libra_memory_pressure() for what remains.
 */
bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages, bool must)
{
	return true;
}

void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages)
{
}

int __init libra_hook_table_init(void)
{
	return rhashtable_init(&libra_socks, &libra_socks_params);
}

void libra_hook_table_exit(void)
{
	rhashtable_destroy(&libra_socks);
}

int __init libra_hook_backend_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(libra_hooks); i++) {
		struct libra_hook *hook = &libra_hooks[i];

		err = ftrace_set_filter(&hook->ops, (char *)hook->func,
					strlen(hook->func), 1);
		if (err) {
			pr_err("libra: %s cannot be traced (%d)\n", hook->func,
			       err);
			goto free_filters;
		}
	}
	return 0;

free_filters:
	while (i--)
		ftrace_free_filter(&libra_hooks[i].ops);
	return err;
}

void libra_hook_backend_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(libra_hooks); i++)
		ftrace_free_filter(&libra_hooks[i].ops);
}

/* By which modpost adds what the module was built from (srcversion), to tell two of them apart. */
MODULE_VERSION("0.1.0");
