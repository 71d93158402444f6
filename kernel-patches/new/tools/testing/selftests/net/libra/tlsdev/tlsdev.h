/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pair of network devices with TLS offload, for tests. What is shared by its parts.
 */
#ifndef _LIBRA_TLSDEV_H
#define _LIBRA_TLSDEV_H

#include <linux/hashtable.h>
#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <net/tls.h>

#include "kernel.h"

/* --- counters, as ethtool -S shows them --------------------------------------
 *
 * Those that Documentation/networking/tls-offload.rst asks for are called as there.
 */
#define TLSDEV_COUNTERS(X)							\
	X(tx_tls_ctx)			/* connections that were added */	\
	X(tx_tls_del)			/* ... and deleted */			\
	X(tx_tls_encrypted_packets)						\
	X(tx_tls_encrypted_bytes)						\
	X(tx_tls_ooo)			/* not what was expected next */	\
	X(tx_tls_resync_bytes)		/* read from records for those */	\
	X(tx_tls_skip_no_sync_data)	/* from before the offload */		\
	X(tx_tls_drop_no_sync_data)	/* of no record that there is */	\
	X(tx_tls_drop_acked)		/* waited until it was acknowledged */	\
	X(tx_tls_drop_bypass_req)	/* half from before the offload */	\
	X(tx_tls_drop_down)		/* met the end of the offload */	\
	X(tx_tls_err)			/* no TLS record, so dropped */		\
	X(rx_tls_ctx)								\
	X(rx_tls_del)								\
	X(rx_tls_decrypted_packets)						\
	X(rx_tls_decrypted_bytes)						\
	X(rx_tls_ooo)			/* passed on as they came */		\
	X(rx_tls_skip_record)		/* holes up to a known boundary */	\
	X(rx_tls_lost)			/* holes up to an unknown one */	\
	X(rx_tls_resync_res_ok)		/* told by the stack where to go on */	\
	X(rx_tls_resync_res_skip)	/* ... and no need of it */		\
	X(rx_tls_csum)			/* wrong checksum, passed on */		\
	X(rx_tls_err)			/* wrong tag or no record, passed on */

#define TLSDEV_COUNTER(name) TLSDEV_##name,
enum tlsdev_counter {
	TLSDEV_COUNTERS(TLSDEV_COUNTER)
	TLSDEV_NR_COUNTERS
};
#undef TLSDEV_COUNTER

/* --- crypto.c: a TLS 1.2 stream with AES-GCM, in pieces of any size ----------- */

#define TLSDEV_IV_SIZE		8
#define TLSDEV_PREPEND_SIZE	(TLS_HEADER_SIZE + TLSDEV_IV_SIZE)

struct tlsdev_key {
	struct crypto_aes_ctx aes;
	struct gf128mul_4k *h;
	u8 salt[TLS_MAX_SALT_SIZE];
};

/**
 * struct tlsdev_stream - how far a stream was processed
 * @sn: number of the record
 * @pos: bytes of the record so far; 0 at its beginning
 * @len: length of all of it; valid once @pos has reached TLSDEV_PREPEND_SIZE
 * @prepend: its header and explicit nonce, as far as @pos goes
 * @hash: GHASH of its ciphertext so far
 * @tag: the block that turns @hash into the tag; then the tag
 */
struct tlsdev_stream {
	u64 sn;
	u32 pos;
	u32 len;
	u8 prepend[TLSDEV_PREPEND_SIZE];
	union {
		be128 block;
		u8 bytes[AES_BLOCK_SIZE];
	} hash;
	u8 tag[TLS_TAG_SIZE];
};

/**
 * enum tlsdev_op - what tlsdev_stream_run() does to the bytes
 * @TLSDEV_ENCRYPT: in place; fills in the tags
 * @TLSDEV_VERIFY: nothing; compares the tags
 * @TLSDEV_DECRYPT: in place; leaves the tags, and does not compare them
 */
enum tlsdev_op {
	TLSDEV_ENCRYPT,
	TLSDEV_VERIFY,
	TLSDEV_DECRYPT,
};

int tlsdev_key_init(struct tlsdev_key *key, const struct tls_crypto_info *info, u64 *sn);
void tlsdev_key_free(struct tlsdev_key *key);
void tlsdev_stream_init(struct tlsdev_stream *s, u64 sn);
int tlsdev_stream_run(const struct tlsdev_key *key, struct tlsdev_stream *s, u8 *data, u32 len,
		      enum tlsdev_op op);
u32 tlsdev_stream_left(const struct tlsdev_stream *s);

/* --- flow.c: the connections of a device -------------------------------------- */

/* Addresses of IPv4 are mapped into those of IPv6. */
struct tlsdev_tuple {
	struct in6_addr remote;
	struct in6_addr local;
	__be16 remote_port;
	__be16 local_port;
};

/**
 * enum tlsdev_sync - what a receiving connection knows of its stream
 * @TLSDEV_SYNCED: the stream's state is that of next_seq
 * @TLSDEV_AWAITS: a record, whose number is known, begins at next_seq, which is ahead
 * @TLSDEV_LOST: nothing, until the stack says where a record begins
 *
 * A transmitting one is always TLSDEV_SYNCED, except behind an error (TLSDEV_LOST).
 */
enum tlsdev_sync {
	TLSDEV_SYNCED,
	TLSDEV_AWAITS,
	TLSDEV_LOST,
};

/**
 * struct tlsdev_flow - one direction of a connection
 * @node: in the device's table; read under RCU, written under flows_lock
 * @rcu: it is freed behind a grace period
 * @ctx: whose it is; a name only, never followed
 * @sk: so is this
 * @tuple: what packets are recognised by (receive only)
 * @key: constant
 * @lock: for what follows; a leaf but for the TLS context's own
 * @sync: see &enum tlsdev_sync
 * @next_seq: TCP sequence number that is expected next
 * @stream: state at @next_seq
 */
struct tlsdev_flow {
	struct hlist_node node;
	struct rcu_head rcu;
	const struct tls_context *ctx;
	const struct sock *sk;
	struct tlsdev_tuple tuple;
	struct tlsdev_key key;
	spinlock_t lock; /* the state, see above */
	enum tlsdev_sync sync;
	u32 next_seq;
	struct tlsdev_stream stream;
};

#define TLSDEV_HASH_BITS 6

/**
 * struct tlsdev - one end of a pair
 * @peer: the other, or none once either is on its way out
 * @sending: what was given to it to transmit
 * @work: its thread waits here for that
 * @thread: while it is up
 * @napi: what it receives goes through GRO, in order, as with a NIC of one queue
 * @received: and waits for it here
 * @flows_lock: for changes of the tables; process context only
 * @tx: flows by socket
 * @rx: flows by tuple
 * @counters: see TLSDEV_COUNTERS
 */
struct tlsdev {
	struct net_device __rcu *peer;
	struct sk_buff_head sending;
	wait_queue_head_t work;
	struct task_struct *thread;
	struct napi_struct napi;
	struct sk_buff_head received;
	spinlock_t flows_lock; /* the tables, see above */
	DECLARE_HASHTABLE(tx, TLSDEV_HASH_BITS);
	DECLARE_HASHTABLE(rx, TLSDEV_HASH_BITS);
	atomic64_t counters[TLSDEV_NR_COUNTERS];
};

extern const struct tlsdev_ops tlsdev_ops;

void tlsdev_flows_init(struct tlsdev *td);
struct tlsdev_flow *tlsdev_flow_find_tx(struct tlsdev *td, const struct sock *sk);
struct tlsdev_flow *tlsdev_flow_find_rx(struct tlsdev *td, const struct tlsdev_tuple *tuple);

static inline void tlsdev_count(struct tlsdev *td, enum tlsdev_counter counter)
{
	atomic64_inc(&td->counters[counter]);
}

static inline void tlsdev_add(struct tlsdev *td, enum tlsdev_counter counter, u32 n)
{
	atomic64_add(n, &td->counters[counter]);
}

/* --- tx.c, rx.c: packets ------------------------------------------------------ */

int tlsdev_tx_skb(struct tlsdev *td, const struct sk_buff *skb, struct sk_buff *wire);
void tlsdev_rx_skb(struct tlsdev *td, struct sk_buff *wire);
void tlsdev_rx_resync(struct tlsdev *td, struct tlsdev_flow *flow, u32 seq, u64 sn);

#endif /* _LIBRA_TLSDEV_H */
