// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connections of a device: what the TLS stack adds, deletes and resynchronises.
 *
 * A flow is found by packets under RCU, and freed behind a grace period, so a packet
 * may use what it found until its end. It never follows the socket of a flow, which may
 * be gone by then: tx.c gets the socket from the packet, and rx.c needs none, because
 * the stack resynchronises it unasked (TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT).
 *
 * The stack deletes whatever it has added, at the latest when the device goes down
 * (tls_device_down(), before which the device cannot go away), so there is nothing to
 * clean up but the flows themselves. It may delete the transmit side from a worker after
 * the socket was freed, and a new one may be at its address by then: therefore newer
 * flows come first in the table, and deletion goes by the context.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "tlsdev.h"

void tlsdev_flows_init(struct tlsdev *td)
{
	spin_lock_init(&td->flows_lock);
	hash_init(td->tx);
	hash_init(td->rx);
}

static u32 hash_tuple(const struct tlsdev_tuple *tuple)
{
	return jhash(tuple, sizeof(*tuple), 0);
}

/* The tuple has no holes, so hash and comparison may look at all of it. */
static_assert(sizeof(struct tlsdev_tuple) == 2 * sizeof(struct in6_addr) + 2 * sizeof(__be16));

/**
 * tlsdev_flow_find_tx() - the flow of what a socket sends
 * @td: the device
 * @sk: only compared
 *
 * Context: under rcu_read_lock().
 */
struct tlsdev_flow *tlsdev_flow_find_tx(struct tlsdev *td, const struct sock *sk)
{
	struct tlsdev_flow *flow;

	hash_for_each_possible_rcu(td->tx, flow, node, (unsigned long)sk)
		if (flow->sk == sk)
			return flow;
	return NULL;
}

/**
 * tlsdev_flow_find_rx() - the flow that a received packet belongs to
 * @td: the device
 * @tuple: of the packet
 *
 * Context: under rcu_read_lock().
 */
struct tlsdev_flow *tlsdev_flow_find_rx(struct tlsdev *td, const struct tlsdev_tuple *tuple)
{
	struct tlsdev_flow *flow;

	hash_for_each_possible_rcu(td->rx, flow, node, hash_tuple(tuple))
		if (!memcmp(&flow->tuple, tuple, sizeof(*tuple)))
			return flow;
	return NULL;
}

static void tuple_of_sock(struct tlsdev_tuple *tuple, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	tuple->remote_port = inet->inet_dport;
	tuple->local_port = inet->inet_sport;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		tuple->remote = sk->sk_v6_daddr;
		tuple->local = sk->sk_v6_rcv_saddr;
		return;
	}
#endif
	ipv6_addr_set_v4mapped(inet->inet_daddr, &tuple->remote);
	ipv6_addr_set_v4mapped(inet->inet_rcv_saddr, &tuple->local);
}

static void free_flow(struct tlsdev_flow *flow)
{
	tlsdev_key_free(&flow->key);
	kfree_sensitive(flow);
}

static void free_flow_rcu(struct rcu_head *rcu)
{
	free_flow(container_of(rcu, struct tlsdev_flow, rcu));
}

/*
 * Under the socket's lock, and the TLS stack's device_offload_lock. Where this fails, for
 * want of memory or because the cipher is not for us, the connection has its TLS in
 * software.
 */
static int add(struct net_device *dev, struct sock *sk, enum tls_offload_ctx_dir direction,
	       struct tls_crypto_info *info, u32 start_seq)
{
	struct tlsdev *td = netdev_priv(dev);
	bool rx = direction == TLS_OFFLOAD_CTX_DIR_RX;
	struct tlsdev_flow *flow;
	u64 sn;
	int ret;

	flow = kzalloc(sizeof(*flow), GFP_KERNEL);
	if (!flow)
		return -ENOMEM;
	ret = tlsdev_key_init(&flow->key, info, &sn);
	if (ret) {
		free_flow(flow);
		return ret;
	}
	flow->ctx = tls_get_ctx(sk);
	flow->sk = sk;
	spin_lock_init(&flow->lock);
	flow->next_seq = start_seq;
	tlsdev_stream_init(&flow->stream, sn);
	if (rx) {
		/* The first record may begin in the middle of a packet. */
		flow->sync = TLSDEV_AWAITS;
		tuple_of_sock(&flow->tuple, sk);
		tls_offload_rx_resync_set_type(sk, TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT);
	} else {
		flow->sync = TLSDEV_SYNCED;
	}

	spin_lock(&td->flows_lock);
	if (rx)
		hash_add_rcu(td->rx, &flow->node, hash_tuple(&flow->tuple));
	else
		hash_add_rcu(td->tx, &flow->node, (unsigned long)sk);
	spin_unlock(&td->flows_lock);
	tlsdev_count(td, rx ? TLSDEV_rx_tls_ctx : TLSDEV_tx_tls_ctx);
	return 0;
}

/* The table of one direction, by the context: deletion is rare. */
static struct tlsdev_flow *find_by_context(struct tlsdev *td, const struct tls_context *ctx,
					   bool rx)
{
	struct hlist_head *table = rx ? td->rx : td->tx;
	struct tlsdev_flow *flow;
	unsigned int i;

	for (i = 0; i < 1U << TLSDEV_HASH_BITS; i++)
		hlist_for_each_entry_rcu(flow, &table[i], node)
			if (flow->ctx == ctx)
				return flow;
	return NULL;
}

/* Process context. No packet of this flow follows on the transmit side. */
static void del(struct net_device *dev, struct tls_context *ctx,
		enum tls_offload_ctx_dir direction)
{
	struct tlsdev *td = netdev_priv(dev);
	bool rx = direction == TLS_OFFLOAD_CTX_DIR_RX;
	struct tlsdev_flow *flow;

	rcu_read_lock();
	spin_lock(&td->flows_lock);
	flow = find_by_context(td, ctx, rx);
	if (!WARN_ON_ONCE(!flow))
		hash_del_rcu(&flow->node);
	spin_unlock(&td->flows_lock);
	rcu_read_unlock();
	if (!flow)
		return;
	call_rcu(&flow->rcu, free_flow_rcu);
	tlsdev_count(td, rx ? TLSDEV_rx_tls_del : TLSDEV_tx_tls_del);
}

/*
 * Under the socket's lock and rcu_read_lock(); in whatever context the socket's data
 * is looked at. The transmit side never asks for it.
 */
static int resync(struct net_device *dev, struct sock *sk, u32 seq, u8 *rcd_sn,
		  enum tls_offload_ctx_dir direction)
{
	struct tlsdev *td = netdev_priv(dev);
	struct tlsdev_flow *flow;

	if (WARN_ON_ONCE(direction != TLS_OFFLOAD_CTX_DIR_RX))
		return -EOPNOTSUPP;
	rcu_read_lock();
	flow = find_by_context(td, tls_get_ctx(sk), true);
	if (flow)
		tlsdev_rx_resync(td, flow, seq, get_unaligned_be64(rcd_sn));
	rcu_read_unlock();
	return flow ? 0 : -ENOENT;
}

const struct tlsdev_ops tlsdev_ops = {
	.tls_dev_add	= add,
	.tls_dev_del	= del,
	.tls_dev_resync	= resync,
};
