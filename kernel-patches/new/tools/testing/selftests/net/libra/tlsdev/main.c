// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pair of network devices with TLS offload, for tests: what one sends, the other
 * receives. Each is to the TLS stack what a NIC with kTLS offload is, and has
 * net/tls/tls_device.c run where there is none.
 *
 *	ip link add name NAME type tlsdev	makes NAME and its peer, NAMEp
 *
 * Each device has a processor of its own, a thread: packets wait for it with their pages,
 * as for a NIC's DMA, and what it spends is charged to no process. A packet on the wire is
 * a copy, made by that thread. So nothing of the sender but its bytes reaches the receiver,
 * as between machines: no page, no socket, no mark.
 * The stack segments, unless TSO is switched on: then the thread does.
 *
 * Both devices go when one does. NETDEV_DOWN has the TLS stack take its connections back
 * (they go on in software where there is another way), so a device has none when it is
 * freed, and the module can be unloaded whatever is connected.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <net/gso.h>
#include <net/rtnetlink.h>

#include "tlsdev.h"

#define TLSDEV_KIND	"tlsdev"
#define TLSDEV_MAX_MTU	9000
#define TLSDEV_MAX_QUEUE 1000
/* Packets that wait for the thread. With one less than half of them more are welcome. */
#define TLSDEV_RING	256

/* HW_TLS_TX takes checksums for transmission, and HW_TLS_RX those of reception. */
#define TLSDEV_FEATURES (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_HIGHDMA | \
			 NETIF_F_HW_TLS_TX | NETIF_F_HW_TLS_RX)
/* Off, until somebody wants it: tests have to do with single packets. */
#define TLSDEV_MORE_FEATURES (NETIF_F_TSO | NETIF_F_TSO6)

#define TLSDEV_COUNTER_NAME(name) #name,
static const char tlsdev_counter_names[][ETH_GSTRING_LEN] = {
	TLSDEV_COUNTERS(TLSDEV_COUNTER_NAME)
};

static struct rtnl_link_ops tlsdev_link_ops;

/* --- packets ------------------------------------------------------------------ */

static struct sk_buff *wire_copy(struct net_device *to, const struct sk_buff *skb)
{
	struct sk_buff *wire = netdev_alloc_skb_ip_align(to, skb->len);

	if (!wire)
		return NULL;
	if (skb_copy_bits(skb, 0, skb_put(wire, skb->len), skb->len))
		goto free;
	/* As between virtual devices: whoever needs the checksum computes it. */
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    !skb_partial_csum_set(wire, skb_checksum_start_offset(skb), skb->csum_offset))
		goto free;
	return wire;
free:
	kfree_skb(wire);
	return NULL;
}

/*
 * In softirqs, one at a time. A packet that receive() queues behind its last look makes
 * napi_complete_done() schedule it again.
 */
static int poll(struct napi_struct *napi, int budget)
{
	struct tlsdev *td = container_of(napi, struct tlsdev, napi);
	struct sk_buff *skb;
	int done = 0;

	while (done < budget) {
		skb = skb_dequeue(&td->received);
		if (!skb)
			break;
		napi_gro_receive(napi, skb);
		done++;
	}
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

/* Consumes the packet. In the sender's thread, with softirqs off, under RCU. */
static void receive(struct net_device *dev, struct sk_buff *wire)
{
	struct tlsdev *td = netdev_priv(dev);
	u32 len = wire->len;

	/* stop() waits for who has seen it running. */
	if (!netif_running(dev) || skb_queue_len_lockless(&td->received) >= TLSDEV_MAX_QUEUE) {
		DEV_STATS_INC(dev, rx_dropped);
		kfree_skb(wire);
		return;
	}
	tlsdev_rx_skb(td, wire);
	wire->protocol = eth_type_trans(wire, dev);
	dev_sw_netstats_rx_add(dev, len);
	skb_queue_tail(&td->received, wire);
	napi_schedule(&td->napi);
}

/*
 * A packet that cannot be copied or encrypted is lost, which TCP mends; the state of its
 * connection stays that of the last one that was sent, and the next packet is out of order.
 * Consumes the packet, as receive().
 */
static void transmit(struct net_device *dev, struct sk_buff *skb)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer;
	struct sk_buff *wire;

	peer = rcu_dereference(td->peer);
	wire = peer && skb->len >= ETH_HLEN ? wire_copy(peer, skb) : NULL;
	if (!wire || tlsdev_tx_skb(td, skb, wire)) {
		DEV_STATS_INC(dev, tx_dropped);
		kfree_skb(wire);
		kfree_skb(skb);
		return;
	}
	skb_tx_timestamp(skb);
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	/* The socket may send more: on this wire nothing is under way. */
	consume_skb(skb);
	receive(peer, wire);
}

static void transmit_segments(struct net_device *dev, struct sk_buff *skb)
{
	struct sk_buff *segs = skb_gso_segment(skb, dev->features & ~NETIF_F_GSO_MASK);
	struct sk_buff *seg, *next;

	if (IS_ERR_OR_NULL(segs)) {
		DEV_STATS_INC(dev, tx_dropped);
		kfree_skb(skb);
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		transmit(dev, seg);
	}
}

/* The thread: the only one to take packets from its device's queue, so they keep their order. */
static int process(void *data)
{
	struct net_device *dev = data;
	struct tlsdev *td = netdev_priv(dev);
	struct sk_buff *skb;

	while (!kthread_should_stop()) {
		skb = skb_dequeue(&td->sending);
		if (!skb) {
			wait_event_idle(td->work, !skb_queue_empty_lockless(&td->sending) ||
					kthread_should_stop());
			continue;
		}
		local_bh_disable();
		rcu_read_lock();
		if (skb_is_gso(skb))
			transmit_segments(dev, skb);
		else
			transmit(dev, skb);
		rcu_read_unlock();
		local_bh_enable();
		smp_mb(); /* pairs with the one in xmit() */
		if (netif_queue_stopped(dev) &&
		    skb_queue_len_lockless(&td->sending) < TLSDEV_RING / 2)
			netif_wake_queue(dev);
		cond_resched();
	}
	return 0;
}

/* The queue's lock is held. */
static netdev_tx_t xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);

	skb_queue_tail(&td->sending, skb);
	if (skb_queue_len_lockless(&td->sending) >= TLSDEV_RING) {
		netif_stop_queue(dev);
		/* Either the thread sees that, or its progress is seen here. */
		smp_mb();
		if (skb_queue_len_lockless(&td->sending) < TLSDEV_RING)
			netif_start_queue(dev);
	}
	wake_up(&td->work);
	return NETDEV_TX_OK;
}

/* --- the device --------------------------------------------------------------- */

static int open(struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer = rtnl_dereference(td->peer);

	if (!peer)
		return -ENOTCONN;
	td->thread = kthread_run(process, dev, TLSDEV_KIND "/%s", dev->name);
	if (IS_ERR(td->thread))
		return PTR_ERR(td->thread);
	napi_enable(&td->napi);
	netif_start_queue(dev);
	if (peer->flags & IFF_UP) {
		netif_carrier_on(dev);
		netif_carrier_on(peer);
	}
	return 0;
}

static int stop(struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer = rtnl_dereference(td->peer);

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	if (peer)
		netif_carrier_off(peer);
	/* The stack sends no more. */
	kthread_stop(td->thread);
	skb_queue_purge(&td->sending);
	/* The peer may still be about to queue a packet, and schedule what is disabled. */
	synchronize_net();
	napi_disable(&td->napi);
	skb_queue_purge(&td->received);
	return 0;
}

static int init(struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);

	tlsdev_flows_init(td);
	skb_queue_head_init(&td->sending);
	skb_queue_head_init(&td->received);
	init_waitqueue_head(&td->work);
	netif_napi_add(dev, &td->napi, poll);
	return 0;
}

/* The last reference is gone, and with it each context that waited for its worker. */
static void free_device(struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);

	WARN_ON(!hash_empty(td->tx) || !hash_empty(td->rx));
}

static int get_iflink(const struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer;
	int iflink;

	rcu_read_lock();
	peer = rcu_dereference(td->peer);
	iflink = peer ? READ_ONCE(peer->ifindex) : 0;
	rcu_read_unlock();
	return iflink;
}

static const struct net_device_ops tlsdev_netdev_ops = {
	.ndo_init		= init,
	.ndo_open		= open,
	.ndo_stop		= stop,
	.ndo_start_xmit		= xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_get_iflink		= get_iflink,
};

static int get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? TLSDEV_NR_COUNTERS : -EOPNOTSUPP;
}

static void get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	if (sset == ETH_SS_STATS)
		memcpy(data, tlsdev_counter_names, sizeof(tlsdev_counter_names));
}

static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct tlsdev *td = netdev_priv(dev);
	int i;

	for (i = 0; i < TLSDEV_NR_COUNTERS; i++)
		data[i] = atomic64_read(&td->counters[i]);
}

static const struct ethtool_ops tlsdev_ethtool_ops = {
	.get_link		= ethtool_op_get_link,
	.get_sset_count		= get_sset_count,
	.get_strings		= get_strings,
	.get_ethtool_stats	= get_ethtool_stats,
};

static void setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &tlsdev_netdev_ops;
	dev->ethtool_ops = &tlsdev_ethtool_ops;
	dev->tlsdev_ops = &tlsdev_ops;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	/* xmit() is not for hard interrupts. */
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_DISABLE_NETPOLL;
	dev->hw_features = TLSDEV_FEATURES | TLSDEV_MORE_FEATURES;
	dev->features |= TLSDEV_FEATURES;
	dev->max_mtu = TLSDEV_MAX_MTU;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->needs_free_netdev = true;
	dev->priv_destructor = free_device;
}

/* --- pairs; all of it under RTNL ----------------------------------------------- */

static void delete_pair(struct net_device *dev, struct list_head *head)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer = rtnl_dereference(td->peer);

	RCU_INIT_POINTER(td->peer, NULL);
	unregister_netdevice_queue(dev, head);
	if (!peer)
		return;
	td = netdev_priv(peer);
	RCU_INIT_POINTER(td->peer, NULL);
	unregister_netdevice_queue(peer, head);
}

static int register_one(struct net_device *dev)
{
	int ret = register_netdevice(dev);

	if (!ret)
		netif_carrier_off(dev);
	return ret;
}

static int add_pair(TLSDEV_NEWLINK_ARGS)
{
	struct nlattr *none[IFLA_MAX + 1] = {};
	struct tlsdev *td = netdev_priv(dev), *peer_td;
	struct net_device *peer;
	char name[IFNAMSIZ];
	int ret;

	if (dev->addr_assign_type != NET_ADDR_SET)
		eth_hw_addr_random(dev);
	ret = register_one(dev);
	if (ret)
		return ret;

	if (snprintf(name, sizeof(name), "%sp", dev->name) >= sizeof(name))
		strscpy(name, TLSDEV_KIND "%d");
	peer = rtnl_create_link(dev_net(dev), name, NET_NAME_ENUM, &tlsdev_link_ops, none, extack);
	if (IS_ERR(peer)) {
		ret = PTR_ERR(peer);
		goto unregister_dev;
	}
	eth_hw_addr_random(peer);
	ret = register_one(peer);
	if (ret) {
		free_netdev(peer);
		goto unregister_dev;
	}
	ret = rtnl_configure_link(peer, NULL, 0, NULL);
	if (ret)
		goto unregister_peer;

	peer_td = netdev_priv(peer);
	rcu_assign_pointer(td->peer, peer);
	rcu_assign_pointer(peer_td->peer, dev);
	return 0;

unregister_peer:
	unregister_netdevice(peer);
unregister_dev:
	unregister_netdevice(dev);
	return ret;
}

static struct net *get_link_net(const struct net_device *dev)
{
	struct tlsdev *td = netdev_priv(dev);
	struct net_device *peer = rtnl_dereference(td->peer);

	return dev_net(peer ?: dev);
}

static struct rtnl_link_ops tlsdev_link_ops = {
	.kind		= TLSDEV_KIND,
	.priv_size	= sizeof(struct tlsdev),
	.setup		= setup,
	.newlink	= add_pair,
	.dellink	= delete_pair,
	.get_link_net	= get_link_net,
};

static int __init tlsdev_init(void)
{
	return rtnl_link_register(&tlsdev_link_ops);
}

static void __exit tlsdev_exit(void)
{
	rtnl_link_unregister(&tlsdev_link_ops);
	/* Flows that are on their way out. */
	rcu_barrier();
}

module_init(tlsdev_init);
module_exit(tlsdev_exit);
MODULE_DESCRIPTION("A pair of network devices with TLS offload, for tests");
MODULE_ALIAS_RTNL_LINK(TLSDEV_KIND);
MODULE_LICENSE("GPL");
