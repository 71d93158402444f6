/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what all modes share. What is one mode's alone stands in a folder with
 * a header of its own: token/token.h.
 */
#ifndef _NET_LIBRA_PRIVATE_H
#define _NET_LIBRA_PRIVATE_H

#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>
#include <net/libra.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <uapi/linux/libra.h>

#include "mib.h"

struct libra_sock;
struct seq_file;

/* ---- per network namespace (main.c) ------------------------------------- */

/**
 * struct libra_net - Libra in one network namespace
 *
 * Attached sockets and processes with payload memory hold the namespace; what the
 * former leave behind is purged when it ends, so nothing here needs a reference of
 * its own.
 *
 * @net: back pointer
 * @number: random, never another one's
 * @lock: protects @domains
 * @domains: live domains, token mode
 * @mib: counters
 * @unattached: connections that a policy names, that could not be attached, and that
 *	were not adopted since: while there are any nothing is anchored, token mode
 * @passing_unused: by role, sockets that pass and that nobody has used since, token mode
 * @received: somebody has received VPIs here, token mode
 * @charge: bytes all anchors are accounted for
 * @charge_peak: the most that was ever
 * @attached: attached sockets, token mode
 * @lazy_pages: pages that stand for bytes nobody has looked at, lazy mode
 * @payload_pages: pages of payload memory, lazy mode
 * @payload_processes: processes that have any, lazy mode
 * @expire: drops messages that nobody redeems, and judges those that are checked, token mode
 * @altered: struct libra_checked, the latest first; under @lock
 * @altered_nr: how many
 * @sysctl: see Documentation/networking/libra.rst
 */
struct libra_net {
	struct net *net;
	u64 number;
	spinlock_t lock;	/* protects @domains, @altered */
	struct list_head domains;
	struct list_head altered;
	int altered_nr;
	struct libra_counters __percpu *mib;
	atomic_long_t unattached;
	atomic_t passing_unused[2];
	bool received;
	/* Written for each anchor, beside what every call reads. */
	atomic_long_t charge ____cacheline_aligned_in_smp;
	atomic_long_t charge_peak;
	atomic_long_t attached;
	atomic_long_t lazy_pages;
	atomic_long_t payload_pages;
	atomic_long_t payload_processes;
	struct delayed_work expire;
	struct ctl_table_header *sysctl_header ____cacheline_aligned_in_smp;
	struct {
		u8 enabled;
		u8 scrub;
		u8 strangers;
		u8 tls;
		u8 lazy;
		u8 lazy_feedback;
		u32 lazy_tidy_ms;
		u32 min_anchor;
		u32 max_header;
		u32 max_socket_bytes;
		u32 max_process_bytes;
		u32 anchor_ttl_ms;
		u32 max_unmet;
		u32 unmet_ms;
		unsigned long max_netns_bytes;
	} sysctl;
};

/* libra_net.sysctl.scrub */
enum {
	LIBRA_SCRUB_NEVER,
	LIBRA_SCRUB_DEFAULT,	/* unless the policy has LIBRA_F_NO_SCRUB */
	LIBRA_SCRUB_ALWAYS,
};

extern unsigned int libra_net_id;
struct libra_net *libra_net(const struct net *net);

/* Does it belong to a user namespace, so that anybody may be its root? */
static inline bool libra_net_of_users(const struct libra_net *ln)
{
	return ln->net->user_ns != &init_user_ns;
}

/* Work that holds what it is about, and thereby the module. */
extern struct workqueue_struct *libra_wq;

#define LIBRA_INC(ln, item)		this_cpu_inc((ln)->mib->count[item])
#define LIBRA_ADD(ln, item, n)		this_cpu_add((ln)->mib->count[item], n)

int libra_sysctl_init(struct libra_net *ln);
void libra_sysctl_exit(struct libra_net *ln);
int libra_mib_init(struct libra_net *ln);
void libra_mib_exit(struct libra_net *ln);
bool libra_may_ask(struct seq_file *seq);

/* ---- the application's memory -------------------------------------------- */

/* Room in the current iovec segment, empty ones skipped. */
static inline size_t libra_iter_room(struct iov_iter *iter)
{
	if (!iov_iter_single_seg_count(iter))
		iov_iter_advance(iter, 0);
	return iov_iter_single_seg_count(iter);
}

/* Where that segment goes on. */
static inline unsigned long libra_iter_addr(const struct iov_iter *iter)
{
	return (unsigned long)iter_iov_addr(iter);
}

/* ---- hooks (hook.c) ------------------------------------------------------ */

int libra_hook_init(void);
void libra_hook_exit(void);
int libra_hook_enable(void);
void libra_hook_update(void);

/*
 * What differs between a patched kernel (hook_static.c) and a stock one
 * (hook_ftrace.c):
 *
 * libra_hook_table_init(): sockets can be looked up from now on: none is found. Sleeps; 0 or
 *	-ENOMEM.
 * libra_hook_table_exit(): nobody looks one up any more. Sleeps.
 * libra_hook_install(): let attached sockets come to us. Sleeps; 0 or an error.
 * libra_hook_remove(): no longer; nobody is inside when it returns.
 * libra_hook_bind(): make an attachment known. Any context; 0, -EEXIST or
 *	-ENOMEM.
 * libra_hook_unbind(): the socket dies. Any context; the memory has to stay for
 *	an RCU grace period.
 * libra_hook_strangers(): from now on calls on sockets that are not attached have to
 *	be looked at, see libra_is_stranger(). Sleeps.
 * libra_sk(): a socket's attachment or NULL; the caller holds the socket, which
 *	holds the attachment.
 * libra_memcg_charge(), libra_memcg_uncharge(): socket memory of a cgroup; in
 *	<net/libra.h>, because the patched kernel has them built in.
 */
int libra_hook_table_init(void);
void libra_hook_table_exit(void);
int libra_hook_backend_init(void);
void libra_hook_backend_exit(void);
int libra_hook_install(void);
void libra_hook_remove(void);
void libra_hook_strangers(void);
int libra_hook_bind(struct libra_sock *ls);
void libra_hook_unbind(struct libra_sock *ls);
struct libra_sock *libra_sk(const struct sock *sk);

#endif /* _NET_LIBRA_PRIVATE_H */
