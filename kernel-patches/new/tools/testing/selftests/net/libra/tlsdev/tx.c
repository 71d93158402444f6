// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a socket with TLS offload sends: encrypted in the packet's copy on the wire.
 *
 * The packet's payload is read from the skb when its turn comes, like a NIC's DMA does.
 * What it lacks to encrypt a packet that it does not expect next, it reads from the
 * record, which the stack keeps until it is acknowledged: the record's bytes in front of
 * the packet are encrypted once more, and thrown away ("crypto state rebuilding" in
 * Documentation/networking/tls-offload.rst). Then the next packet is expected behind this
 * one. Who changes pages between two transmissions has bytes on the wire whose tag does
 * not match.
 */
#include <linux/highmem.h>
#include <linux/skbuff_ref.h>
#include <linux/tcp.h>
#include <net/checksum.h>

#include "tlsdev.h"

#define TLSDEV_REPLAY_CHUNK 256

/* The first bytes of a record, in a list of frags with references of its own. */
struct replay {
	u64 sn;
	u32 len;
	int nr;
	skb_frag_t frags[MAX_SKB_FRAGS];
};

static void replay_frags(const struct tlsdev_key *key, struct tlsdev_stream *s,
			 const struct replay *replay)
{
	u32 page_off, page_len, copied, done, n;
	u8 chunk[TLSDEV_REPLAY_CHUNK];
	struct page *page;
	u8 *from;
	int i;

	for (i = 0; i < replay->nr; i++) {
		const skb_frag_t *frag = &replay->frags[i];

		skb_frag_foreach_page(frag, skb_frag_off(frag), skb_frag_size(frag), page,
				      page_off, page_len, copied) {
			from = kmap_local_page(page);
			for (done = 0; done < page_len; done += n) {
				n = min_t(u32, page_len - done, sizeof(chunk));
				memcpy(chunk, from + page_off + done, n);
				/* An error shows again in the packet, or further on. */
				tlsdev_stream_run(key, s, chunk, n, TLSDEV_ENCRYPT);
			}
			kunmap_local(from);
		}
	}
	memzero_explicit(chunk, sizeof(chunk));
}

/*
 * What a packet begins with may have been acknowledged while it waited, as with any device
 * that has a queue: nobody misses it, and what is behind it is sent again. tcp_ack() frees
 * records before it moves snd_una, so the records are asked: all that is sent has one.
 */
static int no_record(struct tlsdev *td, struct tls_offload_context_tx *ctx, u32 seq)
{
	struct tls_record_info *oldest =
		list_first_entry_or_null(&ctx->records_list, struct tls_record_info, list);
	bool acked = !oldest || before(seq, tls_record_start_seq(oldest));

	lockdep_assert_held(&ctx->lock);
	tlsdev_count(td, acked ? TLSDEV_tx_tls_drop_acked : TLSDEV_tx_tls_drop_no_sync_data);
	return -ENODATA;
}

/*
 * Find the record that a packet begins in. Its list, and therefore the record, is
 * only there under the context's lock, so the pages are borrowed.
 * Returns 1 if the packet is from before the offload, and to be sent as it is.
 */
static int borrow_record(struct tlsdev *td, const struct sock *sk, u32 seq, u32 len,
			 struct replay *replay)
{
	struct tls_offload_context_tx *ctx = tls_offload_ctx_tx(tls_get_ctx(sk));
	struct tls_record_info *record;
	unsigned long flags;
	int ret = 0;
	s32 left;

	spin_lock_irqsave(&ctx->lock, flags);
	record = tls_get_record(ctx, seq, &replay->sn);
	if (!record) {
		ret = no_record(td, ctx, seq);
		goto out;
	}
	if (tls_record_is_start_marker(record)) {
		ret = !after(seq + len, record->end_seq) ? 1 : -EINVAL;
		tlsdev_count(td, ret > 0 ? TLSDEV_tx_tls_skip_no_sync_data :
			     TLSDEV_tx_tls_drop_bypass_req);
		goto out;
	}
	left = seq - tls_record_start_seq(record);
	if (left < 0) {
		ret = no_record(td, ctx, seq);
		goto out;
	}
	replay->len = left;
	for (replay->nr = 0; left > 0; replay->nr++) {
		skb_frag_t *frag = &replay->frags[replay->nr];

		*frag = record->frags[replay->nr];
		__skb_frag_ref(frag);
		skb_frag_size_set(frag, min_t(u32, skb_frag_size(frag), left));
		left -= skb_frag_size(frag);
	}
out:
	spin_unlock_irqrestore(&ctx->lock, flags);
	return ret;
}

/* Bring the flow's state to the beginning of a packet. */
static int rebuild(struct tlsdev *td, struct tlsdev_flow *flow, const struct sock *sk, u32 seq,
		   u32 len)
{
	struct replay replay;
	int ret;

	ret = borrow_record(td, sk, seq, len, &replay);
	if (ret)
		return ret;
	tlsdev_stream_init(&flow->stream, replay.sn);
	replay_frags(&flow->key, &flow->stream, &replay);
	tlsdev_add(td, TLSDEV_tx_tls_resync_bytes, replay.len);
	while (replay.nr)
		__skb_frag_unref(&replay.frags[--replay.nr], false);
	flow->sync = TLSDEV_SYNCED;
	flow->next_seq = seq;
	return 0;
}

/* Under the flow's lock, and RCU's. */
static int encrypt(struct tlsdev *td, struct tlsdev_flow *flow, const struct sk_buff *skb,
		   struct sk_buff *wire)
{
	u32 offset = skb_tcp_all_headers(skb);
	u32 seq = ntohl(tcp_hdr(skb)->seq);
	u32 len = skb->len - offset;
	u8 *data = wire->data + offset;
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;
	__wsum before = 0;
	struct tcphdr *th;
	int ret;

	if (flow->sync != TLSDEV_SYNCED || flow->next_seq != seq) {
		tlsdev_count(td, TLSDEV_tx_tls_ooo);
		ret = rebuild(td, flow, skb->sk, seq, len);
		if (ret)
			return ret > 0 ? 0 : ret;
	}
	if (!partial)
		before = csum_partial(data, len, 0);
	ret = tlsdev_stream_run(&flow->key, &flow->stream, data, len, TLSDEV_ENCRYPT);
	if (ret) {
		flow->sync = TLSDEV_LOST;
		tlsdev_count(td, TLSDEV_tx_tls_err);
		return ret;
	}
	flow->next_seq = seq + len;
	/* A checksum that is there stays as right, or as wrong, as it was. */
	if (!partial) {
		th = (struct tcphdr *)(wire->data + skb_transport_offset(skb));
		csum_replace_by_diff(&th->check, csum_sub(csum_partial(data, len, 0), before));
	}
	tlsdev_count(td, TLSDEV_tx_tls_encrypted_packets);
	tlsdev_add(td, TLSDEV_tx_tls_encrypted_bytes, len);
	return 0;
}

/**
 * tlsdev_tx_skb() - encrypt a packet if it is of a connection with TLS offload
 * @td: the device
 * @skb: the packet as the stack gave it; only read, because it shares its pages with
 *	the socket's queue, and these with files and other sockets
 * @wire: its copy, with all bytes in the linear part
 *
 * Other packets, among them those that the stack has encrypted itself, stay as they are.
 *
 * Context: softirqs are off; under rcu_read_lock().
 * Return: 0, or an error if the packet must not be sent: TCP will send it again.
 */
int tlsdev_tx_skb(struct tlsdev *td, const struct sk_buff *skb, struct sk_buff *wire)
{
	struct tlsdev_flow *flow;
	int ret;

	/* sk_validate_xmit_skb() lets no such packet through. */
	if (WARN_ON_ONCE(!skb->sk && skb_is_decrypted(skb)))
		return -EINVAL;
	flow = skb->sk ? tlsdev_flow_find_tx(td, skb->sk) : NULL;
	if (!flow || skb->len == skb_tcp_all_headers(skb))
		return 0;
	if (!tls_is_skb_tx_device_offloaded(skb)) {
		/*
		 * Either the flow is just being added, and this is from before it; or
		 * tls_device_down() has taken the connection from us since the stack
		 * decided about this packet, which may or may not be encrypted then.
		 */
		if (!skb_is_decrypted(skb))
			return 0;
		tlsdev_count(td, TLSDEV_tx_tls_drop_down);
		return -ENODEV;
	}
	spin_lock(&flow->lock);
	ret = encrypt(td, flow, skb, wire);
	spin_unlock(&flow->lock);
	return ret;
}
