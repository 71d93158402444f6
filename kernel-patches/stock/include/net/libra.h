/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what a patched kernel would offer and hook_ftrace.c makes up for.
 */
#ifndef _NET_LIBRA_H
#define _NET_LIBRA_H

#include <linux/types.h>
#include <net/tcp.h>

struct mem_cgroup;

/* As in the patched kernel's header. */
static inline bool libra_recv_may_gain(struct sock *sk, size_t size, int flags)
{
	return size >= PAGE_SIZE &&
	       !(flags & MSG_DONTWAIT && tcp_inq(sk) < (int)PAGE_SIZE);
}

static inline bool libra_send_may_gain(size_t size)
{
	return size >= 2048;
}

/**
 * libra_sock_is_early() - may this socket be used before it is established?
 * @sk: TCP socket, which need not be locked
 *
 * Policies attach sockets on their way to TCP_ESTABLISHED, before that state can be
 * seen: who finds another state here and looks up the attachment then, finds it.
 *
 * Return: true for TCP Fast Open, in either role, before the handshake is over.
 */
static inline bool libra_sock_is_early(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_SYN_SENT | TCPF_SYN_RECV);
}

bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages, bool must);
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages);

#endif /* _NET_LIBRA_H */
