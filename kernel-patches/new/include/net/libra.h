/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the inet socket layer of a patched kernel calls.
 *
 * All of it compiles to nothing without CONFIG_LIBRA, and to a static branch
 * that is not taken while no parser is registered and no payload memory is there.
 */
#ifndef _NET_LIBRA_H
#define _NET_LIBRA_H

#include <linux/jump_label.h>
#include <linux/sockptr.h>
#include <net/inet_connection_sock.h>
#include <net/libra_call.h>
#include <net/tcp.h>
#include <uapi/linux/libra.h>

struct libra_process;
struct libra_sock;
struct mem_cgroup;
struct msghdr;

/**
 * struct libra_hooks - the module, seen from the inet socket layer
 * @recvmsg: in place of inet_recvmsg()
 * @sendmsg: in place of inet_sendmsg()
 * @release: before inet_release()
 * @shutdown: before inet_shutdown()
 * @attach: TCP_LIBRA; under RCU and the socket lock
 * @may_meet: may this connection have to be attached before it is used? With a reference
 *	on the module then; under RCU
 * @meet: attach it, if so; gives the reference back
 * @enter: a reference on the current process, if it has payload memory; under RCU
 * @lazy_recvmsg: in place of inet_recvmsg(); gives the reference back
 * @lazy_sendmsg: in place of inet_sendmsg(); gives the reference back
 *
 * The first four are only called for attached sockets, each of which holds a
 * reference on the module, the last two with a reference on a process, which
 * holds one as well.
 */
struct libra_hooks {
	int (*recvmsg)(struct libra_sock *ls, struct msghdr *msg, size_t size,
		       int flags);
	int (*sendmsg)(struct libra_sock *ls, struct msghdr *msg, size_t size);
	void (*release)(struct libra_sock *ls);
	void (*shutdown)(struct libra_sock *ls, int how);
	int (*attach)(struct sock *sk, const struct libra_attach *args);
	bool (*may_meet)(const struct sock *sk);
	struct libra_sock *(*meet)(struct sock *sk);
	struct libra_process *(*enter)(void);
	int (*lazy_recvmsg)(struct libra_process *process, struct sock *sk,
			    struct msghdr *msg, size_t size, int flags);
	int (*lazy_sendmsg)(struct libra_process *process, struct sock *sk,
			    struct msghdr *msg, size_t size);
};

#if IS_ENABLED(CONFIG_LIBRA)

DECLARE_STATIC_KEY_FALSE(libra_key);
DECLARE_STATIC_KEY_FALSE(libra_strangers_key);
extern const struct libra_hooks __rcu *libra_hooks;

/**
 * libra_of() - is this socket attached?
 * @sk: any inet socket, or NULL
 *
 * Return: its attachment or NULL.
 */
static inline struct libra_sock *libra_of(const struct sock *sk)
{
	if (!static_branch_unlikely(&libra_key) || !sk || !sk_is_tcp(sk))
		return NULL;
	/* Pairs with libra_hook_bind(). */
	return smp_load_acquire(&inet_csk(sk)->icsk_libra);
}

struct libra_sock *__libra_meet(struct sock *sk);

/**
 * libra_of_io() - is this socket, on which there is a recvmsg or a sendmsg, attached?
 * @sk: any inet socket
 *
 * Context: process context, without the socket lock.
 * Return: its attachment or NULL.
 */
static inline struct libra_sock *libra_of_io(struct sock *sk)
{
	struct libra_sock *ls;
	bool early;

	if (!static_branch_unlikely(&libra_key) || !sk_is_tcp(sk))
		return NULL;
	early = libra_sock_is_early(sk);
	ls = libra_of(sk);
	if (!ls && (unlikely(early) || static_branch_unlikely(&libra_strangers_key)))
		ls = __libra_meet(sk);
	return ls;
}

/* An attached socket holds the module, so its hooks are there. */
static inline const struct libra_hooks *libra_hooks_of(const struct libra_sock *ls)
{
	return rcu_dereference_protected(libra_hooks, ls);
}

struct libra_process *__libra_enter(void);

/**
 * libra_enter_recv() - is this call one for payload memory?
 * @sk: any inet socket
 * @size: of the call
 * @flags: of the call
 *
 * Return: the current process, for one call of libra_hooks.lazy_recvmsg, or NULL.
 */
static inline struct libra_process *libra_enter_recv(struct sock *sk, size_t size,
						     int flags)
{
	if (!static_branch_unlikely(&libra_key) || !sk_is_tcp(sk) ||
	    !libra_recv_may_gain(sk, size, flags))
		return NULL;
	return __libra_enter();
}

/**
 * libra_enter_send() - is this call one for payload memory?
 * @sk: any inet socket
 * @size: of the call
 *
 * Return: the current process, for one call of libra_hooks.lazy_sendmsg, or NULL.
 */
static inline struct libra_process *libra_enter_send(const struct sock *sk, size_t size)
{
	if (!static_branch_unlikely(&libra_key) || !sk_is_tcp(sk) ||
	    !libra_send_may_gain(size))
		return NULL;
	return __libra_enter();
}

static inline const struct libra_hooks *
libra_hooks_with(const struct libra_process *process)
{
	return rcu_dereference_protected(libra_hooks, process);
}

int libra_setsockopt(struct sock *sk, sockptr_t optval, unsigned int optlen);

/* For the module. */
bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages, bool must);
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages);

#else

static inline struct libra_sock *libra_of(const struct sock *sk)
{
	return NULL;
}

static inline struct libra_sock *libra_of_io(struct sock *sk)
{
	return NULL;
}

/* Never called, because libra_of() says so; must compile all the same. */
static inline const struct libra_hooks *libra_hooks_of(const struct libra_sock *ls)
{
	return NULL;
}

static inline struct libra_process *libra_enter_recv(struct sock *sk, size_t size,
						     int flags)
{
	return NULL;
}

static inline struct libra_process *libra_enter_send(const struct sock *sk, size_t size)
{
	return NULL;
}

static inline const struct libra_hooks *
libra_hooks_with(const struct libra_process *process)
{
	return NULL;
}

static inline int libra_setsockopt(struct sock *sk, sockptr_t optval,
				   unsigned int optlen)
{
	return -ENOPROTOOPT;
}

#endif /* CONFIG_LIBRA */
#endif /* _NET_LIBRA_H */
