// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: net.libra sysctls, per network namespace. Documented in
 * Documentation/networking/libra.rst.
 */
#include <linux/sysctl.h>

#include "libra.h"
#include "token/token.h"

/* A VPI and something worth saving; the largest iovec segment nginx makes. */
static u32 libra_min_anchor_lo = 2 * LIBRA_VPI_SIZE;
static u32 libra_min_anchor_hi = 1 << 20;
static u32 libra_max_header_lo = 256;
static u32 libra_max_header_hi = 64 << 10;
static u32 libra_tidy_max = 60 * 1000;
static u32 libra_ttl_lo = 100;
static u32 libra_ttl_hi = 24 * 3600 * 1000;
static u32 libra_max_unmet_hi = 4096;
static u32 libra_unmet_ms_hi = 3600 * 1000;

/*
 * What is written is taken off: who adopts connections read it before he looked at
 * them all, and those that could not be attached meanwhile remain.
 */
static int libra_do_unattached(const struct ctl_table *table, int write,
			       void *buffer, size_t *lenp, loff_t *ppos)
{
	atomic_long_t *unattached = table->data;
	long old = atomic_long_read(unattached);
	unsigned long n = write ? 0 : old;
	struct ctl_table tmp = {
		.data = &n,
		.maxlen = sizeof(n),
	};
	int err;

	err = proc_doulongvec_minmax(&tmp, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	do {
		if (n > old)
			return -EINVAL;
	} while (!atomic_long_try_cmpxchg(unattached, &old, old - n));
	return 0;
}

/*
 * While it was 0, connections went unnoticed; not where it has no effect, or anybody could
 * have everybody look for his own again and again.
 */
static int libra_do_strangers(const struct ctl_table *table, int write, void *buffer,
			      size_t *lenp, loff_t *ppos)
{
	const struct libra_net *ln = container_of((u8 *)table->data, struct libra_net,
						  sysctl.strangers);
	int err = proc_dou8vec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write && !libra_net_of_users(ln))
		libra_sessions_again();
	return err;
}

static const struct ctl_table libra_sysctls[] = {
	{
		.procname	= "enabled",
		.data		= (void *)offsetof(struct libra_net, sysctl.enabled),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "unattached",
		.data		= (void *)offsetof(struct libra_net, unattached),
		.maxlen		= sizeof(atomic_long_t),
		.mode		= 0644,
		.proc_handler	= libra_do_unattached,
	},
	{
		.procname	= "scrub",
		.data		= (void *)offsetof(struct libra_net, sysctl.scrub),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	},
	{
		.procname	= "strangers",
		.data		= (void *)offsetof(struct libra_net, sysctl.strangers),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= libra_do_strangers,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "tls",
		.data		= (void *)offsetof(struct libra_net, sysctl.tls),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "lazy",
		.data		= (void *)offsetof(struct libra_net, sysctl.lazy),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "lazy_feedback",
		.data		= (void *)offsetof(struct libra_net, sysctl.lazy_feedback),
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "lazy_tidy_ms",
		.data		= (void *)offsetof(struct libra_net, sysctl.lazy_tidy_ms),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &libra_tidy_max,
	},
	{
		.procname	= "min_anchor",
		.data		= (void *)offsetof(struct libra_net, sysctl.min_anchor),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &libra_min_anchor_lo,
		.extra2		= &libra_min_anchor_hi,
	},
	{
		.procname	= "max_header",
		.data		= (void *)offsetof(struct libra_net, sysctl.max_header),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &libra_max_header_lo,
		.extra2		= &libra_max_header_hi,
	},
	{
		.procname	= "max_socket_bytes",
		.data		= (void *)offsetof(struct libra_net, sysctl.max_socket_bytes),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec,
	},
	{
		.procname	= "max_process_bytes",
		.data		= (void *)offsetof(struct libra_net, sysctl.max_process_bytes),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec,
	},
	{
		.procname	= "max_netns_bytes",
		.data		= (void *)offsetof(struct libra_net, sysctl.max_netns_bytes),
		.maxlen		= sizeof(unsigned long),
		.mode		= 0644,
		.proc_handler	= proc_doulongvec_minmax,
	},
	{
		.procname	= "anchor_ttl_ms",
		.data		= (void *)offsetof(struct libra_net, sysctl.anchor_ttl_ms),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &libra_ttl_lo,
		.extra2		= &libra_ttl_hi,
	},
	{
		.procname	= "max_unmet",
		.data		= (void *)offsetof(struct libra_net, sysctl.max_unmet),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= &libra_max_unmet_hi,
	},
	{
		.procname	= "unmet_ms",
		.data		= (void *)offsetof(struct libra_net, sysctl.unmet_ms),
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= &libra_unmet_ms_hi,
	},
};

int libra_sysctl_init(struct libra_net *ln)
{
	struct ctl_table *table;
	int i;

	ln->sysctl.enabled = 1;
	ln->sysctl.scrub = LIBRA_SCRUB_DEFAULT;
	ln->sysctl.strangers = 1;
	ln->sysctl.lazy = 1;
	ln->sysctl.lazy_feedback = 1;
	ln->sysctl.lazy_tidy_ms = 100;
	ln->sysctl.min_anchor = 4096;
	ln->sysctl.max_header = 64 << 10;
	ln->sysctl.max_socket_bytes = 8 << 20;
	ln->sysctl.max_process_bytes = 256 << 20;
	ln->sysctl.max_netns_bytes = 512UL << 20;
	ln->sysctl.anchor_ttl_ms = 120 * 1000;
	ln->sysctl.max_unmet = 16;
	ln->sysctl.unmet_ms = 1000;

	table = kmemdup(libra_sysctls, sizeof(libra_sysctls), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(libra_sysctls); i++)
		table[i].data += (unsigned long)ln;

	ln->sysctl_header = register_net_sysctl_sz(ln->net, "net/libra", table,
						   ARRAY_SIZE(libra_sysctls));
	if (!ln->sysctl_header) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

void libra_sysctl_exit(struct libra_net *ln)
{
	const struct ctl_table *table = ln->sysctl_header->ctl_table_arg;

	unregister_net_sysctl_table(ln->sysctl_header);
	kfree(table);
}
