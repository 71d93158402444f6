/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: net/libra is written for 6.12. What newer kernels call otherwise has its name and
 * its arguments of 6.12 here.
 */
#ifndef _NET_LIBRA_COMPAT_H
#define _NET_LIBRA_COMPAT_H

#include <linux/memcontrol.h>
#include <linux/version.h>
#include <net/inet_common.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/rps.h>
#include <net/sock.h>

/*
 * Before, coalescing lost the mark of pages that others may still write (CVE-2026-46300),
 * which is all that tells them from those that cannot change. Which of those between have
 * been mended nobody knows here, and none was tried.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 90)
#error "this kernel is not safe with Libra: 6.12.90 or newer is needed"
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#error "this kernel was not tried with Libra: 6.12 from 6.12.90 on, or 7.3 or newer, is needed"
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)

/* There is one table of TCP sockets per network namespace, which is not said any more. */
#define __inet_lookup_listener(net, hashinfo, ...) \
	((void)(hashinfo), (__inet_lookup_listener)(net, __VA_ARGS__))
#define inet6_lookup_listener(net, hashinfo, ...) \
	((void)(hashinfo), (inet6_lookup_listener)(net, __VA_ARGS__))

/* A socket's knows where the length of an address belongs. */
#define recvmsg(sk, msg, size, flags, ...) recvmsg(sk, msg, size, flags)

/* Every kfunc's arguments are. */
#define KF_TRUSTED_ARGS 0

/* It is 64 bits wide on all machines, which is unsigned long on those that this is for. */
#define sock_i_ino(sk) ((unsigned long)(sock_i_ino)(sk))

/* It is not for modules any more. No TCP socket is bound by sending. */
static inline int libra_inet_send_prepare(struct sock *sk)
{
	sock_rps_record_flow(sk);
	return 0;
}

#define inet_send_prepare libra_inet_send_prepare

/* Its successor counts that a socket was held back, which nobody is who is asked for here. */
static inline bool mem_cgroup_under_socket_pressure(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG_V1
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return memcg->tcpmem_pressure;
#endif
	for (; memcg; memcg = parent_mem_cgroup(memcg))
		if (time_before64(get_jiffies_64(), mem_cgroup_get_socket_pressure(memcg)))
			return true;
	return false;
}

#endif /* 7.3 */

#endif /* _NET_LIBRA_COMPAT_H */
