/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what a patched kernel would offer and hook_ftrace.c makes up for.
 */
#ifndef _NET_LIBRA_H
#define _NET_LIBRA_H

#include <linux/types.h>
#include <net/libra_call.h>
#include <net/libra_compat.h>

struct mem_cgroup;

bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages, bool must);
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages);

#endif /* _NET_LIBRA_H */
