// SPDX-License-Identifier: GPL-2.0-only
/*
 * What arrives for a socket with TLS offload: decrypted, if it comes in order.
 *
 * A packet is decrypted whole or not at all. All of it is authenticated first, as far as
 * its tags are in it, and only then decrypted, so what is passed on undecrypted was
 * never changed.
 *
 * Behind a hole the device goes on by itself where the next record begins, if it has
 * seen the header of the one with the hole (TLSDEV_AWAITS); else it passes everything on
 * as it comes, until the stack tells it (TLSDEV_LOST), which it does unasked: when it
 * has met some records of which nothing was decrypted, it waits for the socket to
 * drain, and names the next record. A packet in which such a record begins in the
 * middle is authenticated from there on, and passed on as it came.
 */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "tlsdev.h"

/* A TCP segment in a packet; all of it in the linear part. */
struct segment {
	struct tlsdev_tuple tuple;
	struct tcphdr *th;
	u32 tcp_len;
	u32 seq;
	u8 *data;
	u32 len;
};

static bool parse_tcp(struct segment *seg, u8 *data, u32 len)
{
	struct tcphdr *th = (struct tcphdr *)data;

	if (len < sizeof(*th) || th->doff * 4 < sizeof(*th) || len <= th->doff * 4 || th->syn)
		return false;
	seg->th = th;
	seg->tcp_len = len;
	seg->seq = ntohl(th->seq);
	seg->data = data + th->doff * 4;
	seg->len = len - th->doff * 4;
	seg->tuple.remote_port = th->source;
	seg->tuple.local_port = th->dest;
	return true;
}

/* Without options of IPv6, tags of VLANs or tunnels: those are not offloaded. */
static bool parse(struct segment *seg, struct sk_buff *wire)
{
	u32 len = wire->len - ETH_HLEN, total, header;
	u8 *network = wire->data + ETH_HLEN;

	switch (((struct ethhdr *)wire->data)->h_proto) {
	case htons(ETH_P_IP): {
		struct iphdr *ip = (struct iphdr *)network;

		if (len < sizeof(*ip) || ip->version != 4 || ip->protocol != IPPROTO_TCP ||
		    ip_is_fragment(ip))
			return false;
		total = ntohs(ip->tot_len);
		header = ip->ihl * 4;
		if (header < sizeof(*ip) || header > total || total > len)
			return false;
		ipv6_addr_set_v4mapped(ip->saddr, &seg->tuple.remote);
		ipv6_addr_set_v4mapped(ip->daddr, &seg->tuple.local);
		break;
	}
	case htons(ETH_P_IPV6): {
		struct ipv6hdr *ip = (struct ipv6hdr *)network;

		if (len < sizeof(*ip) || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
			return false;
		header = sizeof(*ip);
		total = header + ntohs(ip->payload_len);
		if (total > len)
			return false;
		seg->tuple.remote = ip->saddr;
		seg->tuple.local = ip->daddr;
		break;
	}
	default:
		return false;
	}
	return parse_tcp(seg, network + header, total - header);
}

static bool csum_is_right(const struct segment *seg, const struct sk_buff *wire)
{
	__wsum sum;

	/* The sender left it to the device, and nothing has happened to it since. */
	if (wire->ip_summed == CHECKSUM_PARTIAL)
		return true;
	sum = csum_partial(seg->th, seg->tcp_len, 0);
	if (ipv6_addr_v4mapped(&seg->tuple.remote))
		return !csum_tcpudp_magic(seg->tuple.remote.s6_addr32[3],
					  seg->tuple.local.s6_addr32[3], seg->tcp_len,
					  IPPROTO_TCP, sum);
	return !csum_ipv6_magic(&seg->tuple.remote, &seg->tuple.local, seg->tcp_len, IPPROTO_TCP,
				sum);
}

static void lose(struct tlsdev *td, struct tlsdev_flow *flow)
{
	flow->sync = TLSDEV_LOST;
	tlsdev_count(td, TLSDEV_rx_tls_lost);
}

/* Authenticate what follows next_seq. Without a record, or with a wrong tag, all is lost. */
static bool verify(struct tlsdev *td, struct tlsdev_flow *flow, u8 *data, u32 len)
{
	if (tlsdev_stream_run(&flow->key, &flow->stream, data, len, TLSDEV_VERIFY)) {
		tlsdev_count(td, TLSDEV_rx_tls_err);
		flow->sync = TLSDEV_LOST;
		return false;
	}
	flow->sync = TLSDEV_SYNCED;
	flow->next_seq += len;
	return true;
}

/* A packet that begins where the flow's state is. */
static bool decrypt(struct tlsdev *td, struct tlsdev_flow *flow, const struct segment *seg)
{
	struct tlsdev_stream before = flow->stream;

	if (!verify(td, flow, seg->data, seg->len))
		return false;
	tlsdev_stream_run(&flow->key, &before, seg->data, seg->len, TLSDEV_DECRYPT);
	tlsdev_count(td, TLSDEV_rx_tls_decrypted_packets);
	tlsdev_add(td, TLSDEV_rx_tls_decrypted_bytes, seg->len);
	return true;
}

/* Under the flow's lock. Returns true if the packet was decrypted. */
static bool receive(struct tlsdev *td, struct tlsdev_flow *flow, const struct segment *seg)
{
	u32 end = seg->seq + seg->len, left;

	if (flow->sync != TLSDEV_LOST && flow->next_seq == seg->seq)
		return decrypt(td, flow, seg);
	tlsdev_count(td, TLSDEV_rx_tls_ooo);
	if (flow->sync == TLSDEV_SYNCED && after(seg->seq, flow->next_seq)) {
		left = tlsdev_stream_left(&flow->stream);
		if (!left) {
			lose(td, flow);
			return false;
		}
		flow->next_seq += left;
		tlsdev_stream_init(&flow->stream, flow->stream.sn + 1);
		flow->sync = TLSDEV_AWAITS;
		tlsdev_count(td, TLSDEV_rx_tls_skip_record);
		if (flow->next_seq == seg->seq)
			return decrypt(td, flow, seg);
	}
	/* Nothing new, or nothing that is of use yet. */
	if (flow->sync == TLSDEV_LOST || !after(end, flow->next_seq))
		return false;
	if (after(seg->seq, flow->next_seq)) {
		lose(td, flow);
		return false;
	}
	/* Old and new: go on from the new. */
	verify(td, flow, seg->data + (flow->next_seq - seg->seq), end - flow->next_seq);
	return false;
}

/**
 * tlsdev_rx_resync() - the stack says where a record begins
 * @td: the device
 * @flow: of the connection
 * @seq: TCP sequence number of the record's first byte
 * @sn: number of the record
 *
 * Who is not lost knows better, having seen later packets. If the record has passed
 * already, the next packet shows it, and the stack will say more, after more records.
 *
 * Context: any but hard interrupts.
 */
void tlsdev_rx_resync(struct tlsdev *td, struct tlsdev_flow *flow, u32 seq, u64 sn)
{
	bool lost;

	spin_lock_bh(&flow->lock);
	lost = flow->sync == TLSDEV_LOST;
	if (lost) {
		flow->sync = TLSDEV_AWAITS;
		flow->next_seq = seq;
		tlsdev_stream_init(&flow->stream, sn);
	}
	spin_unlock_bh(&flow->lock);
	tlsdev_count(td, lost ? TLSDEV_rx_tls_resync_res_ok : TLSDEV_rx_tls_resync_res_skip);
}

/**
 * tlsdev_rx_skb() - decrypt a packet if it is of a connection with TLS offload
 * @td: the device that it arrives at
 * @wire: the packet, from its Ethernet header on, all in the linear part, and nobody
 *	else's; its decrypted bit says afterwards what was done
 *
 * Context: softirqs are off; under rcu_read_lock().
 */
void tlsdev_rx_skb(struct tlsdev *td, struct sk_buff *wire)
{
	struct tlsdev_flow *flow;
	struct segment seg;

	if (hash_empty(td->rx) || !parse(&seg, wire))
		return;
	flow = tlsdev_flow_find_rx(td, &seg.tuple);
	if (!flow)
		return;
	if (!csum_is_right(&seg, wire)) {
		tlsdev_count(td, TLSDEV_rx_tls_csum);
		return;
	}
	spin_lock(&flow->lock);
	wire->decrypted = receive(td, flow, &seg);
	spin_unlock(&flow->lock);
	/* The checksum was right, and is that of other bytes now. */
	if (wire->decrypted)
		wire->ip_summed = CHECKSUM_UNNECESSARY;
}
