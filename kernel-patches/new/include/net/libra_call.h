/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: which calls on a TCP socket may be of interest, be the kernel a patched one or
 * not.
 */
#ifndef _NET_LIBRA_CALL_H
#define _NET_LIBRA_CALL_H

#include <net/tcp.h>

/**
 * libra_sock_is_early() - is this socket not established yet?
 * @sk: TCP socket, which need not be locked
 *
 * Policies attach sockets on their way to TCP_ESTABLISHED, before that state can be
 * seen: who finds another state here and looks up the attachment then, finds it.
 *
 * Return: true while a handshake is under way, in either role. With TCP Fast Open there
 * may be calls that read or write then.
 */
static inline bool libra_sock_is_early(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_SYN_SENT | TCPF_SYN_RECV);
}

/**
 * libra_recv_may_gain() - may this recv() gain from payload memory?
 * @sk: TCP socket, which need not be locked: only time is won or lost
 * @size: of the call
 * @flags: of the call
 *
 * Return: false when it will find less than a page and not wait for more.
 */
static inline bool libra_recv_may_gain(struct sock *sk, size_t size, int flags)
{
	return size >= PAGE_SIZE &&
	       !(flags & MSG_DONTWAIT && tcp_inq(sk) < (int)PAGE_SIZE);
}

/**
 * libra_send_may_gain() - may this send() gain from payload memory?
 * @size: of the call
 *
 * Return: false for a small one, which is dearer to look through than to copy.
 */
static inline bool libra_send_may_gain(size_t size)
{
	return size >= 2048;
}

#endif /* _NET_LIBRA_CALL_H */
