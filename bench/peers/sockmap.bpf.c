// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a socket of the map receives is sent by its peer. A socket's peer is
 * found under the socket's cookie.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} peers SEC(".maps");

SEC("sk_skb/stream_verdict")
int to_peer(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);

	/* A bare FIN: sending nothing would break the peer with EPIPE. */
	if (!skb->len)
		return SK_DROP;
	return bpf_sk_redirect_hash(skb, &peers, &cookie, 0);
}
