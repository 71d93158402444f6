/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what a patched kernel would offer and hook_ftrace.c makes up for.
 */
#ifndef _NET_LIBRA_H
#define _NET_LIBRA_H

#include <linux/types.h>

struct mem_cgroup;

/* As in the patched kernel's header. */
#define LIBRA_LEAST_RECV	PAGE_SIZE
#define LIBRA_LEAST_SEND	2048

bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages);
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages);

#endif /* _NET_LIBRA_H */
