/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the inet socket layer of a patched kernel calls.
 *
 * All of it compiles to nothing without CONFIG_LIBRA, and to a static branch
 * that is not taken while no parser is registered.
 */
#ifndef _NET_LIBRA_H
#define _NET_LIBRA_H

#include <linux/jump_label.h>
#include <linux/sockptr.h>
#include <net/inet_connection_sock.h>
#include <uapi/linux/libra.h>

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
 *
 * All but @attach are only called for attached sockets, each of which holds a
 * reference on the module.
 */
struct libra_hooks {
	int (*recvmsg)(struct libra_sock *ls, struct msghdr *msg, size_t size,
		       int flags);
	int (*sendmsg)(struct libra_sock *ls, struct msghdr *msg, size_t size);
	void (*release)(struct libra_sock *ls);
	void (*shutdown)(struct libra_sock *ls, int how);
	int (*attach)(struct sock *sk, const struct libra_attach *args);
};

#if IS_ENABLED(CONFIG_LIBRA)

DECLARE_STATIC_KEY_FALSE(libra_key);
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

/* An attached socket holds the module, so its hooks are there. */
static inline const struct libra_hooks *libra_hooks_of(const struct libra_sock *ls)
{
	return rcu_dereference_protected(libra_hooks, ls);
}

int libra_setsockopt(struct sock *sk, sockptr_t optval, unsigned int optlen);

/* For the module. */
bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages);
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages);

#else

static inline struct libra_sock *libra_of(const struct sock *sk)
{
	return NULL;
}

/* Never called, because libra_of() says so; must compile all the same. */
static inline const struct libra_hooks *libra_hooks_of(const struct libra_sock *ls)
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
