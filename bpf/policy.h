/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What librad writes and the attach program reads: the policy. Included by
 * both (BPF C after vmlinux.h, and C++); nothing in it is mirrored by hand.
 */
#ifndef LIBRA_POLICY_H
#define LIBRA_POLICY_H

#include <linux/libra.h>

#define LIBRA_MAX_RULES 1024

/* struct libra_rule.roles */
#define LIBRA_MATCH_PASSIVE (1U << LIBRA_ROLE_PASSIVE) /* addr, port: of the listener */
#define LIBRA_MATCH_ACTIVE (1U << LIBRA_ROLE_ACTIVE) /* addr, port: of the upstream */

/**
 * struct libra_rule - which connections to attach, and how
 * @addr: IPv6 address in network order; IPv4 as ::ffff:a.b.c.d, so that a
 *	dual-stack socket and an IPv4 socket match the same rule
 * @mask: the bits of @addr that count; all zero: any address
 * @netns_cookie: network namespace of the socket, 0: any
 * @cgroup_id: cgroup v2 id of the socket, 0: any
 * @port: host order, 0: any
 * @roles: LIBRA_MATCH_*
 * @slot: where in the counter map this rule counts
 * @attach: handed to the kernel as it is; LIBRA_MODE_OFF makes an exception, and so does
 *	LIBRA_MODE_LAZY
 *
 * The first rule that matches decides.
 */
struct libra_rule {
	__u32 addr[4];
	__u32 mask[4];
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u16 port;
	__u16 roles;
	__u32 slot;
	struct libra_attach attach;
};

/**
 * struct libra_policy - all rules at one moment
 * @count: rules in use
 * @reserved: zero
 * @rules: in the order in which they are tried
 *
 * Never changed in place: a new policy is a new inner map, so a connection
 * sees the old or the new one, and nothing in between.
 */
struct libra_policy {
	__u32 count;
	__u32 reserved;
	struct libra_rule rules[LIBRA_MAX_RULES];
};

/**
 * struct libra_rule_counters - one rule on one CPU
 * @matched: connections the rule decided about
 * @attached: of these, attached
 * @adopted: of these, attached although they were older than the policy
 * @refused: of these, refused by the kernel
 * @refused_ns: CLOCK_MONOTONIC of the last refusal, to find the latest of all CPUs
 * @last_error: negative errno of the last refusal
 * @reserved: zero
 */
struct libra_rule_counters {
	__u64 matched;
	__u64 attached;
	__u64 adopted;
	__u64 refused;
	__u64 refused_ns;
	__s32 last_error;
	__u32 reserved;
};

/**
 * struct libra_sweep - one walk over all sockets of a network namespace
 * @role: adopt: the rules that count, LIBRA_MATCH_PASSIVE or LIBRA_MATCH_ACTIVE
 * @policy: stop: whose sockets
 * @done: sockets adopted, or stopped
 * @failed: sockets that the kernel refused to adopt
 * @last_error: negative errno of the last refusal
 * @reserved: zero
 *
 * librad writes it before the walk and reads it afterwards.
 */
struct libra_sweep {
	__u32 role;
	__u32 policy;
	__u32 done;
	__u32 failed;
	__s32 last_error;
	__u32 reserved;
};

#ifdef __cplusplus
#define LIBRA_POLICY_ASSERT static_assert
#else
#define LIBRA_POLICY_ASSERT _Static_assert
#endif
LIBRA_POLICY_ASSERT(sizeof(struct libra_rule) == 88, "BPF and C++ must agree");
LIBRA_POLICY_ASSERT(sizeof(struct libra_policy) == 8 + 88 * LIBRA_MAX_RULES,
		    "BPF and C++ must agree");
LIBRA_POLICY_ASSERT(sizeof(struct libra_rule_counters) == 48, "BPF and C++ must agree");
LIBRA_POLICY_ASSERT(sizeof(struct libra_sweep) == 24, "BPF and C++ must agree");

#endif /* LIBRA_POLICY_H */
