// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attach program: looks every new TCP connection up in the policy and
 * asks the kernel to attach the ones it names. Nothing else is attached. Two
 * iterators treat the connections that are there when a policy begins or ends.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "policy.h"

#define AF_INET 2
#define AF_INET6 10
#define EEXIST 17

char _license[] SEC("license") = "GPL";

extern int bpf_libra_attach(const struct sock *sk, const struct libra_attach *args,
			    __u32 args__sz) __ksym;
extern int bpf_libra_adopt(struct sock_common *skc, const struct libra_attach *args,
			   __u32 args__sz) __ksym;
extern int bpf_libra_stop(struct sock_common *skc, __u32 policy) __ksym;

/* Sizes, not types: clang leaves only a declaration of an inner map's types. */
struct policy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct libra_policy));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct policy_map);
} libra_policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LIBRA_MAX_RULES);
	__type(key, __u32);
	__type(value, struct libra_rule_counters);
} libra_counters SEC(".maps");

/* The socket that the first program of the pair saw last (see below). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} libra_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct libra_sweep);
} libra_sweeps SEC(".maps");

/*
 * Connections of a policy that were aborted, and messages that its proxy altered, by its id;
 * librad's breakers read it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIBRA_MAX_RULES);
	__type(key, __u32);
	__type(value, __u64);
} libra_fail_stops SEC(".maps");

struct connection {
	__u32 addr[4];
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u16 port;
	__u16 role;
};

static __always_inline bool opened(int oldstate, int newstate)
{
	return newstate == TCP_ESTABLISHED &&
	       (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV);
}

/* @passive: accepted here, so that its own address counts and not its peer's */
static __always_inline bool describe(const struct sock *sk, bool passive, struct connection *conn)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return false;

	switch (sk->__sk_common.skc_family) {
	case AF_INET:
		conn->addr[0] = 0;
		conn->addr[1] = 0;
		conn->addr[2] = bpf_htonl(0xffff);
		conn->addr[3] = passive ? sk->__sk_common.skc_rcv_saddr :
					  sk->__sk_common.skc_daddr;
		break;
	case AF_INET6:
		/* a dual-stack socket with an IPv4 peer has ::ffff:a.b.c.d here */
		if (passive) {
			conn->addr[0] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[0];
			conn->addr[1] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[1];
			conn->addr[2] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[2];
			conn->addr[3] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[3];
		} else {
			conn->addr[0] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0];
			conn->addr[1] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[1];
			conn->addr[2] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2];
			conn->addr[3] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3];
		}
		break;
	default:
		return false;
	}

	if (passive) {
		conn->role = LIBRA_MATCH_PASSIVE;
		conn->port = sk->__sk_common.skc_num;
	} else {
		conn->role = LIBRA_MATCH_ACTIVE;
		conn->port = bpf_ntohs(sk->__sk_common.skc_dport);
	}
	conn->netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
	conn->cgroup_id = 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		conn->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
	return true;
}

static __always_inline bool matches(const struct libra_rule *rule, const struct connection *conn)
{
	if (!(rule->roles & conn->role))
		return false;
	if (rule->port && rule->port != conn->port)
		return false;
	if (((conn->addr[0] ^ rule->addr[0]) & rule->mask[0]) |
	    ((conn->addr[1] ^ rule->addr[1]) & rule->mask[1]) |
	    ((conn->addr[2] ^ rule->addr[2]) & rule->mask[2]) |
	    ((conn->addr[3] ^ rule->addr[3]) & rule->mask[3]))
		return false;
	if (rule->netns_cookie && rule->netns_cookie != conn->netns_cookie)
		return false;
	return !rule->cgroup_id || rule->cgroup_id == conn->cgroup_id;
}

static __always_inline struct libra_policy *current_policy(void)
{
	struct libra_policy *policy;
	__u32 zero = 0;
	void *inner;

	inner = bpf_map_lookup_elem(&libra_policies, &zero);
	if (!inner)
		return NULL;
	policy = bpf_map_lookup_elem(inner, &zero);
	return policy && policy->count ? policy : NULL;
}

static __always_inline struct libra_rule *find_rule(struct libra_policy *policy,
						    const struct connection *conn)
{
	struct libra_rule *rule = NULL;
	int i;

	bpf_for(i, 0, LIBRA_MAX_RULES) {
		if (i >= (int)policy->count)
			break;
		if (matches(&policy->rules[i], conn)) {
			rule = &policy->rules[i];
			break;
		}
	}
	return rule;
}

/* Not an exception, and not left to lazy mode, which attaches nothing. */
static __always_inline bool attaches(const struct libra_attach *how)
{
	return how->mode != LIBRA_MODE_OFF && how->mode != LIBRA_MODE_LAZY;
}

static __always_inline void count_refused(struct libra_rule_counters *counters, int err)
{
	counters->refused++;
	counters->refused_ns = bpf_ktime_get_ns();
	counters->last_error = err;
}

static __always_inline void attach(const struct sock *sk, struct libra_rule *rule)
{
	struct libra_rule_counters *counters;
	__u32 slot = rule->slot;
	int err = 0;

	if (attaches(&rule->attach))
		err = bpf_libra_attach(sk, &rule->attach, sizeof(rule->attach));
	/* the other program of the pair, an iterator or the application was here before */
	if (err == -EEXIST)
		return;

	counters = bpf_map_lookup_elem(&libra_counters, &slot);
	if (!counters)
		return;
	counters->matched++;
	if (err)
		count_refused(counters, err);
	else if (attaches(&rule->attach))
		counters->attached++;
}

static __always_inline void look_up(const struct sock *sk, int oldstate)
{
	struct libra_policy *policy = current_policy();
	struct libra_rule *rule;
	struct connection conn;

	if (!policy || !describe(sk, oldstate == TCP_SYN_RECV, &conn))
		return;
	rule = find_rule(policy, &conn);
	if (rule)
		attach(sk, rule);
}

/*
 * Two programs, because the kernel drops a run that would nest on the same
 * CPU: while one looks up an outgoing connection in process context, a softirq
 * may establish another one. A client that slips through unattached would be
 * sent tokens as if they were data, so none may. The kernel skips a nested run
 * per program: when the first of the pair is busy the second is not, and vice
 * versa. Normally the second only finds that its socket was seen.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(libra_attach_first, const struct sock *sk, int oldstate, int newstate)
{
	__u32 zero = 0;
	__u64 *seen;

	if (!opened(oldstate, newstate))
		return 0;
	seen = bpf_map_lookup_elem(&libra_seen, &zero);
	if (seen)
		*seen = (__u64)sk;
	look_up(sk, oldstate);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(libra_attach_second, const struct sock *sk, int oldstate, int newstate)
{
	__u32 zero = 0;
	__u64 *seen;

	if (!opened(oldstate, newstate))
		return 0;
	seen = bpf_map_lookup_elem(&libra_seen, &zero);
	if (seen && *seen == (__u64)sk) {
		*seen = 0;
		return 0;
	}
	if (seen)
		*seen = 0;
	look_up(sk, oldstate);
	return 0;
}

/*
 * TCP Fast Open: the application uses a connection before it is established. The kernel asks
 * in the application's own context, where no other run can nest.
 */
SEC("tp_btf/libra_early")
int BPF_PROG(libra_attach_early, const struct sock *sk)
{
	if (sk) /* to the verifier, an argument of a module's tracepoint may be NULL */
		look_up(sk, sk->__sk_common.skc_state);
	return 0;
}

static __always_inline void count_for_breaker(__u32 policy)
{
	__u64 *count, one = 1;

	count = bpf_map_lookup_elem(&libra_fail_stops, &policy);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&libra_fail_stops, &policy, &one, BPF_ANY);
}

SEC("tp_btf/libra_fail_stop")
int BPF_PROG(libra_count_fail_stop, const struct sock *sk, const char *why, __u32 policy)
{
	count_for_breaker(policy);
	return 0;
}

SEC("tp_btf/libra_altered")
int BPF_PROG(libra_count_altered, __u32 policy)
{
	count_for_breaker(policy);
	return 0;
}

/* The states in which the application can still send. */
static __always_inline bool can_send(int state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_SYN_RECV;
}

static __always_inline void adopt(struct sock_common *skc, struct libra_rule *rule,
				  struct libra_sweep *sweep)
{
	struct libra_attach args = rule->attach;
	struct libra_rule_counters *counters;
	__u32 slot = rule->slot;
	int err;

	if (!attaches(&args))
		return;
	if (sweep->role == LIBRA_MATCH_ACTIVE)
		args.flags |= LIBRA_F_ACTIVE;
	err = bpf_libra_adopt(skc, &args, sizeof(args));
	if (err == -EEXIST)
		return;
	if (err) {
		sweep->failed++;
		sweep->last_error = err;
	} else {
		sweep->done++;
	}

	counters = bpf_map_lookup_elem(&libra_counters, &slot);
	if (!counters)
		return;
	counters->matched++;
	if (err)
		count_refused(counters, err);
	else
		counters->adopted++;
}

/*
 * Connections that are older than the policy. Who opened one cannot be told any
 * more: what has the address of a listener is taken for accepted.
 */
SEC("iter/tcp")
int libra_adopt_existing(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct libra_policy *policy;
	struct libra_sweep *sweep;
	struct libra_rule *rule;
	struct connection conn;
	__u32 zero = 0;

	if (!skc || !can_send(skc->skc_state))
		return 0;
	sweep = bpf_map_lookup_elem(&libra_sweeps, &zero);
	policy = current_policy();
	if (!sweep || !policy)
		return 0;
	if (!describe(bpf_core_cast(skc, struct sock), sweep->role == LIBRA_MATCH_PASSIVE, &conn))
		return 0;
	rule = find_rule(policy, &conn);
	if (rule)
		adopt(skc, rule, sweep);
	return 0;
}

SEC("iter/tcp")
int libra_stop_policy(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct libra_sweep *sweep;
	__u32 zero = 0;

	sweep = bpf_map_lookup_elem(&libra_sweeps, &zero);
	if (skc && sweep && !bpf_libra_stop(skc, sweep->policy))
		sweep->done++;
	return 0;
}
