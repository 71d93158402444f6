/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what the files of token mode share.
 *
 * Lock order:
 *
 *   libra_sock.tx_lock (mutex) -> socket lock -> libra_sock.parse_lock
 *                                             -> libra_sessions_lock
 *                                                -> libra_net.lock
 *                                                   -> libra_domain.lock
 *                                             -> libra_passing_lock
 *                                             -> libra_checks.lock
 *
 * The receive side runs under the socket lock, as tcp_recvmsg() does. The
 * transmit side runs under tx_lock and under the socket lock, or enters a ULP's
 * sendmsg(), which takes the socket lock for itself. The others are
 * leaves, taken with bottom halves off, because a socket can die in softirq
 * context.
 */
#ifndef _NET_LIBRA_TOKEN_H
#define _NET_LIBRA_TOKEN_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/seq_file_net.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <uapi/linux/libra.h>

#include "../anchor.h"
#include "../libra.h"

struct libra_check;
struct libra_checks;
struct libra_domain;
struct libra_minted;
struct libra_msg;
struct libra_session;

/* ---- parsers (parser.c) ------------------------------------------------- */

/**
 * struct libra_parser - a registered parser
 * @node: in the list of parsers, RCU
 * @ops: NULL once unregistered; RCU
 * @ref: one for the registration, one per attached socket
 * @hooked: the hooks are in place, so sockets may be attached
 * @name: a copy, because it outlives @ops
 */
struct libra_parser {
	struct list_head node;
	const struct libra_parser_ops __rcu *ops;
	refcount_t ref;
	bool hooked;
	struct rcu_head rcu;
	char name[LIBRA_NAME_MAX];
};

bool libra_name_valid(const char *name);
int libra_parser_check(const struct libra_parser_ops *ops);
int libra_parser_register(const struct libra_parser_ops *ops);
void libra_parser_unregister(const struct libra_parser_ops *ops);
int libra_parser_replace(const struct libra_parser_ops *old,
			 const struct libra_parser_ops *ops);
struct libra_parser *libra_parser_get(const char *name);
void libra_parser_put(struct libra_parser *parser);
bool libra_parsers_registered(void);
extern const char *const libra_reason_names[LIBRA_REASON_MAX];

/* ---- segmenter (segment.c) ---------------------------------------------- */

enum libra_seg_state {
	LIBRA_SEG_ASK,		/* at a boundary: ask the parser */
	LIBRA_SEG_META,		/* @left bytes to copy */
	LIBRA_SEG_PAYLOAD,	/* @left bytes that may be anchored */
	LIBRA_SEG_PASS,		/* native, for good */
};

/**
 * struct libra_seg - where one direction of a socket is in its stream
 * @state: enum libra_seg_state; read without the lock by the fast path, which
 *	only acts on LIBRA_SEG_PASS, a state that is never left
 * @unparsed: the META bytes of @left belong to a header whose end was not at
 *	hand; they are kept in @behind as they pass
 * @goes_on: payload of the same message may follow behind this segment
 * @why: it passes, LIBRA_MIB_FB_*
 * @left: bytes of the segment not passed yet; U64_MAX until close
 * @need: bytes the parser wants to see before it is asked again
 * @reason: enum libra_reason of the last answer
 * @behind: bytes that already passed but the parser has to see again
 * @behind_len: how many
 * @behind_size: room in @behind
 *
 * Ingress is protected by the socket lock, egress by libra_sock.tx_lock.
 */
struct libra_seg {
	u8 state;
	bool unparsed;
	bool goes_on;
	u16 why;
	u16 reason;
	u64 left;
	u32 need;
	u32 behind_len;
	u32 behind_size;
	u8 *behind;
};

struct libra_sock;

void libra_seg_classify(struct libra_sock *ls, enum libra_dir dir,
			const u8 *data, u32 len);
void libra_seg_consume(struct libra_seg *seg, const u8 *data, u64 len);
void libra_seg_pass(struct libra_sock *ls, enum libra_dir dir,
		    enum libra_mib why);
void libra_seg_free(struct libra_seg *seg);
void libra_seg_free_later(struct libra_seg *seg);

/**
 * struct libra_call - a question to the parser as the kfuncs see it
 * @ctx: what the parser sees; its scratch area lives here between the calls
 * @data: the bytes at hand
 * @active: the kfuncs only work while a parser is being asked
 * @asked: a parser has been asked before, and may have left something in there
 * @keeps: of that parser
 *
 * Protected by libra_sock.parse_lock.
 */
struct libra_call {
	struct libra_ctx ctx;
	const u8 *data;
	bool active;
	bool asked;
	u32 keeps;
};

/* ---- VPI (vpi.c) -------------------------------------------------------- */

#define LIBRA_VPI_SIZE		32
/* Magic and id. */
#define LIBRA_VPI_ID_SIZE	16
/* All but the MAC: enough to tell it from its marks. */
#define LIBRA_VPI_CUT_SIZE	24
/*
 * How many bytes of a magic at the end of what there is may be chance. More than
 * that in random bytes is one in 2^40.
 */
#define LIBRA_VPI_CHANCE	4
/* Payload of this size has marks as well: behind the VPI, and at its end. */
#define LIBRA_VPI_MARKED	(3 * LIBRA_VPI_SIZE)
#define LIBRA_VPI_MAGIC_SIZE	8

void libra_vpi_init(void);
const u8 *libra_vpi_magic(void);
const u8 *libra_vpi_magic_place(void);
void libra_vpi_write(u8 vpi[LIBRA_VPI_SIZE], const struct libra_minted *minted);
bool libra_vpi_read(const u8 vpi[LIBRA_VPI_SIZE], u64 cookie, u64 *id, u32 *len);
u64 libra_vpi_id(const u8 in[LIBRA_VPI_ID_SIZE]);
bool libra_vpi_is_half_mark(const u8 in[LIBRA_VPI_CUT_SIZE]);
void libra_vpi_write_mark(u8 out[LIBRA_VPI_SIZE],
			  const struct libra_minted *minted);
bool libra_vpi_is_mark(const u8 in[LIBRA_VPI_SIZE], u64 cookie);
bool libra_vpi_is_authentic(const u8 in[LIBRA_VPI_SIZE], u64 cookie);
bool libra_vpi_has_mark(const u8 in[LIBRA_VPI_SIZE]);
u64 libra_vpi_cookie(u64 net, u32 id);

/* ---- matcher (match.c) -------------------------------------------------- */

u32 libra_find_byte(const u8 *data, u32 len, u8 byte);
u32 libra_find_below(const u8 *data, u32 len, u8 limit);
u32 libra_match(const u8 *data, u32 len);

/* ---- header fields (field.c) -------------------------------------------- */

u32 libra_skip_fields(const u8 *data, u32 len, u64 sizes, u32 *lines);

/* ---- minted anchors and their messages (message.c) ---------------------- */

/**
 * struct libra_minted - an anchor for which a VPI stands
 * @hash: in libra_domain.anchors while live; domain lock
 * @msg_node: in libra_msg.anchors while live; domain lock
 * @msg: the message it belongs to, with a reference
 * @id: random, never reused
 * @anchor: the payload, charged to the socket that received it
 *
 * Built by one receiver, then published (libra_minted_publish()): live. Whoever
 * takes it out of the hash under the domain lock owns it and frees it.
 */
struct libra_minted {
	struct hlist_node hash;
	struct list_head msg_node;
	struct libra_msg *msg;
	u64 id;
	struct libra_anchor anchor;	/* last, because its bv0 is */
};

/* One object of the slab, and filled. */
static_assert(sizeof(struct libra_minted) <= 512);

struct libra_minted *libra_minted_alloc(struct libra_msg *msg, gfp_t gfp);
void libra_minted_publish(struct libra_minted *minted);
struct libra_minted *libra_minted_redeem(struct libra_domain *dom,
					 const u8 vpi[LIBRA_VPI_SIZE],
					 struct libra_sock *redeemer);
struct libra_minted *libra_minted_redeem_cut(struct libra_domain *dom,
					     const u8 cut[LIBRA_VPI_CUT_SIZE],
					     struct libra_sock *redeemer);
bool libra_minted_is_live(struct libra_domain *dom, u64 id);
void libra_minted_free(struct libra_minted *minted);

/**
 * struct libra_msg - the anchors of one message
 * @ref: one by the receiver while the message lasts, one per anchor
 * @dom: held by @source
 * @source: the receiving socket, with a reference
 * @source_node: in libra_sock.minted, until the receiving socket is closed
 * @redeemer_node: in libra_sock.redeeming of the socket that redeemed the first
 *	of its anchors, until that socket is closed
 * @anchors: the live ones
 * @unmet_node: in libra_domain.unmet, until one of its anchors is redeemed
 * @opened: jiffies of the first mint, by one more or less; 0 before
 * @stamp: jiffies of the last mint
 * @dead: nothing more is minted for it
 * @alone: in none of the lists: nothing was minted for it yet, or it is over
 *
 * All but @ref is protected by the domain lock. When the redeemer closes, the
 * message is over and what is left of it is reclaimed; a message that never met
 * a redeemer ends by its time to live, or with the process that held its VPIs.
 */
struct libra_msg {
	refcount_t ref;
	struct libra_domain *dom;
	struct libra_sock *source;
	struct list_head source_node;
	struct list_head redeemer_node;
	struct list_head unmet_node;
	struct list_head anchors;
	unsigned long opened;
	unsigned long stamp;
	bool dead;
	bool alone;
};

struct libra_msg *libra_msg_open(struct libra_sock *source, gfp_t gfp);
bool libra_msgs_unmet(struct libra_domain *dom);
void libra_msg_put(struct libra_msg *msg);
void libra_sock_end_messages(struct libra_sock *ls, bool exiting);
void libra_domain_expire(struct libra_domain *dom, unsigned long ttl);
void libra_domain_purge(struct libra_domain *dom);

/* ---- domains (domain.c) ------------------------------------------------- */

#define LIBRA_ANCHOR_HASH_BITS	9
/**
 * struct libra_domain - who may redeem whose anchors
 * @ref: one per attached socket, which stays while it has messages
 * @node: in libra_net.domains, under libra_net.lock
 * @net: its network namespace
 * @id: the policy's domain number
 * @cookie: part of every VPI's authentication; of the namespace and @id, so that VPIs
 *	of an earlier domain with that id are still known
 * @egress_passes: attached sockets per role whose outgoing stream is not
 *	understood (any more). While there is one towards the clients, responses
 *	are not anchored, and the other way round: a VPI in a stream that cannot
 *	be segmented would be a fail-stop, and a stream that is encrypted in user
 *	space would hide it. Changed under libra_passing_lock.
 * @passing: these sockets, oldest first; under libra_passing_lock
 * @checks: what is checked, from the first message of it on; see checked.c
 * @lock: protects what follows, and the lists of the messages; taken once to mint and
 *	once to redeem, so what others only read lies elsewhere
 * @unmet: messages of which something was minted and nothing redeemed yet, oldest first
 * @nr_unmet: how many
 * @live: live anchors
 * @live_bytes: their payload
 * @anchors: them, by id
 */
struct libra_domain {
	refcount_t ref;
	struct list_head node;
	struct libra_net *net;
	u32 id;
	u64 cookie;
	atomic_t egress_passes[2];
	struct list_head passing;
	struct libra_checks *checks;
	/* protects what follows, and the messages */
	spinlock_t lock ____cacheline_aligned_in_smp;
	struct list_head unmet;
	u32 nr_unmet;
	long live;
	long live_bytes;
	DECLARE_HASHTABLE(anchors, LIBRA_ANCHOR_HASH_BITS);
};

struct libra_domain *libra_domain_get(struct libra_net *ln, u32 id);
void libra_domain_put(struct libra_domain *dom);
bool libra_domain_has(struct libra_net *ln, u64 cookie, u64 id);
void libra_domains_init(struct libra_net *ln);
void libra_domains_exit(struct libra_net *ln);
void libra_expire_later(struct libra_net *ln);
long libra_anchors_live(struct libra_net *ln, long *bytes);

/* ---- sessions (session.c) ------------------------------------------------ */

/**
 * struct libra_session - one of which a process has used an attached connection
 * @node: in the table, RCU
 * @pid: with a reference
 * @ready: up to which time its other connections were looked for; see
 *	libra_sessions_again()
 * @looking: somebody does
 * @over: none of its processes lives; under libra_passing_lock
 * @uses: struct libra_use: of connections that pass; under libra_passing_lock
 * @passing: by role, connections that pass and that it uses
 * @received: struct libra_received: domains of which it may have VPIs; RCU
 * @rcu: to free it
 */
struct libra_session {
	struct hlist_node node;
	struct pid *pid;
	int ready;
	bool looking;
	bool over;
	struct list_head uses;
	atomic_t passing[2];
	struct list_head received;
	struct rcu_head rcu;
};

/**
 * struct libra_received - of a domain in which a session received
 * @node: in libra_session.received
 * @net: its network namespace, NULL when that has ended
 * @cookie: of the domain, and of the one that has its id next
 */
struct libra_received {
	struct list_head node;
	struct libra_net *net;
	u64 cookie;
};

/* How many there are; a hint. */
extern unsigned int libra_sessions_nr;

struct libra_session *libra_session_find(void);
void libra_session_join(void);
void libra_sessions_again(void);
enum libra_mib libra_session_receives(struct libra_domain *dom, enum libra_role role);
bool libra_session_has(void);
bool libra_session_has_vpi(const u8 vpi[LIBRA_VPI_SIZE]);
bool libra_session_has_id(u64 id);
void libra_sessions_net_exit(const struct libra_net *ln);
void libra_sessions_exit(void);

/* ---- what is taken for a VPI (received.c) -------------------------------- */

bool libra_received_any(const struct libra_sock *ls);
bool libra_received_id(struct libra_domain *dom, u64 id);
bool libra_received_vpi(struct libra_domain *dom, const u8 vpi[LIBRA_VPI_SIZE]);

/* ---- connections that no policy names (stranger.c) ----------------------- */

bool libra_is_stranger(const struct sock *sk);
struct libra_sock *libra_meet(struct sock *sk);
bool libra_look_for_strangers(struct libra_session *session);

/* ---- sockets (sock.c) --------------------------------------------------- */

/* A VPI without its last byte, and framing that was put into it. */
#define LIBRA_HOLD_MAX		160

/**
 * struct libra_sock - an attached socket
 * @sk: the socket; no reference: its sk_destruct ends the attachment. NULL
 *	afterwards, for messages that still hold the charge
 * @account: what its anchors are charged to; referenced by the socket, by each
 *	message it minted and by their anchors
 * @hash: by @sk, stock kernel only
 * @shutting: who is in inet_shutdown() on our behalf, stock kernel only
 * @prot: sk_prot at attach; another one means that a ULP came on top
 * @plain: and it was TCP's own
 * @under_tls: kernel TLS did something on top of it when it was attached
 * @disconnects: sk_disconnects at attach; another one means another connection
 * @destruct: the destructor that was there before
 * @net: counters and limits; that of @account
 * @dom: attach domain, with a reference
 * @parser: with a reference
 * @mode: enum libra_mode
 * @role: enum libra_role
 * @policy: opaque
 * @check_rate: one message in 2^(rate - 1) is checked, 0: none
 * @check_inside: by direction, a message's payload has begun, and not ended; as for
 *	struct libra_seg
 * @check_len: payload of the message that is being received; under the socket lock
 * @check: the streams, once something was, see check.c; set once
 * @stranger: no policy names it; under the socket lock
 * @passing: counted in the domain's egress_passes, see passing.c; under
 *	libra_passing_lock
 * @passing.state: enum libra_passing_state
 * @passing.why: LIBRA_MIB_FB_*
 * @passing.reason: enum libra_reason, of what a parser says
 * @passing.since: jiffies
 * @passing.node: in libra_domain.passing
 * @passing.uses: the sessions that use it, once it is used
 * @passing.user: the last one of them that did
 * @ended: nothing more is sent: shutdown or close
 * @released: inet_release() was seen; nothing more happens on the socket
 * @charged: somebody's memory cgroup pays for it
 * @joined: who uses it has called libra_session_join()
 * @parse_lock: protects @call
 * @call: question to the parser
 * @minted: messages minted by this socket; domain lock
 * @redeeming: messages that this socket began to redeem; domain lock
 * @tx_wanted: somebody who would not wait for @tx_lock has to be told when it is
 *	free; any context
 * @rx: ingress, under the socket lock
 * @tx: egress, under @tx_lock
 */
struct libra_sock {
	struct sock *sk;
	struct libra_account account;
	struct rhash_head hash;
	struct task_struct *shutting;
	const struct proto *prot;
	bool plain;
	bool under_tls;
	int disconnects;
	void (*destruct)(struct sock *sk);
	struct libra_net *net;
	struct libra_domain *dom;
	struct libra_parser *parser;
	u8 mode;
	u8 role;
	u32 policy;
	u8 check_rate;
	bool check_inside[2];
	u64 check_len;
	struct libra_check *check;
	bool stranger;
	struct {
		u8 state;
		u16 why;
		u16 reason;
		unsigned long since;
		struct list_head node;
		struct list_head uses;
		struct libra_session *user;
	} passing;
	bool ended;
	bool released;
	bool charged;
	bool joined;
	struct rcu_head rcu;

	spinlock_t parse_lock;	/* protects @call */
	struct libra_call call;

	struct list_head minted;
	struct list_head redeeming;

	/**
	 * @rx.seg: where the incoming stream is
	 * @rx.pos: the libra_rx_pos() up to which @rx.seg knows the stream
	 * @rx.msg: the message that is being received, once something of it
	 *	was anchored
	 * @rx.tls: kernel TLS decrypts it, and it began anew where that began; then instead
	 *	of @rx.pos:
	 * @rx.record: the number of the record that TLS decrypts next
	 * @rx.left: bytes that it has decrypted before, and nobody read
	 * @rx.payload: what of RX_PAYLOAD was its
	 * @rx.anchored: what of RX_ANCHORED was
	 */
	struct {
		struct libra_seg seg;
		u64 pos;
		struct libra_msg *msg;
		bool tls;
		u64 record;
		u64 left;
		u64 payload;
		u64 anchored;
	} rx;

	struct mutex tx_lock;	/* protects @tx */
	bool tx_wanted;
	/**
	 * @tx.seg: where the outgoing stream is
	 * @tx.seq: the write_seq up to which @tx.seg knows the stream
	 * @tx.tls: kernel TLS encrypts it, and it began anew where that began
	 * @tx.redeemed: an anchor that is being sent, up to @tx.sent
	 * @tx.sent: bytes
	 * @tx.cut: bytes of a VPI that were accepted without the rest of it;
	 *	see tx_hold.c
	 * @tx.gone: bytes of it that were sent before them, as chance
	 * @tx.waits: a sender waits for room with them
	 * @tx.owed: bytes that were accepted but not sent: those @tx.cut, and
	 *	the framing behind and between them
	 * @tx.held: the owed bytes
	 * @tx.of_vpi: which of them are of the VPI
	 * @tx.prefix: how many bytes of a magic the last payload bytes sent were
	 * @tx.prefix_seq: which they are
	 * @tx.prefix_whole: nothing was put between them
	 * @tx.window: how many bytes to look at next
	 * @tx.first_window: the same at the beginning of a send(), unless that
	 *	is payload; 0 before anything was sent
	 * @tx.payload: what of TX_PAYLOAD was its
	 * @tx.redeemed_bytes: what of TX_REDEEMED was
	 */
	struct {
		struct libra_seg seg;
		u32 seq;
		bool tls;
		struct libra_minted *redeemed;
		u32 sent;
		u32 cut;
		u32 gone;
		bool waits;
		u32 owed;
		u8 held[LIBRA_HOLD_MAX];
		DECLARE_BITMAP(of_vpi, LIBRA_HOLD_MAX);
		u32 prefix;
		u32 prefix_seq;
		bool prefix_whole;
		u32 window;
		u32 first_window;
		u64 payload;
		u64 redeemed_bytes;
	} tx;
	/**
	 * @late.work: lets go of what waits; pending or running it has a reference on @sk
	 * @late.since: jiffies from which it waits; under @tx_lock
	 */
	struct {
		struct delayed_work work;
		unsigned long since;
	} late;
};

static inline struct libra_seg *libra_seg(struct libra_sock *ls, enum libra_dir dir)
{
	return dir == LIBRA_INGRESS ? &ls->rx.seg : &ls->tx.seg;
}

/* LIBRA_F_*; those of kernel TLS come while the connection lives. */
static inline u32 libra_sock_flags(const struct libra_sock *ls)
{
	return READ_ONCE(ls->call.ctx.flags);
}

/* A ULP came on top of what was attached, or it is another connection. */
static inline bool libra_sock_changed(const struct libra_sock *ls)
{
	return ls->sk->sk_prot != ls->prot ||
	       ls->sk->sk_disconnects != ls->disconnects;
}

/*
 * How many bytes the application has read so far, in whatever way; under the socket
 * lock. Unlike copied_seq it does not come round after 4 GiB. May be off by what does
 * not change, such as a FIN in a SYN.
 */
static inline u64 libra_rx_pos(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tp->bytes_received - (u32)(tp->rcv_nxt - tp->copied_seq);
}

/*
 * Payload, counted for its socket as well: under what protects the direction anyhow, so
 * that it costs no more than it has to. Who shows it takes no lock.
 */
static inline void libra_rx_count_payload(struct libra_sock *ls, u32 len)
{
	WRITE_ONCE(ls->rx.payload, ls->rx.payload + len);
	LIBRA_ADD(ls->net, LIBRA_MIB_RX_PAYLOAD, len);
}

static inline void libra_rx_count_anchored(struct libra_sock *ls, u32 len)
{
	WRITE_ONCE(ls->rx.anchored, ls->rx.anchored + len);
	LIBRA_ADD(ls->net, LIBRA_MIB_RX_ANCHORED, len);
}

static inline void libra_tx_count_payload(struct libra_sock *ls, u32 len)
{
	WRITE_ONCE(ls->tx.payload, ls->tx.payload + len);
	LIBRA_ADD(ls->net, LIBRA_MIB_TX_PAYLOAD, len);
}

static inline void libra_tx_count_redeemed(struct libra_sock *ls, u32 len)
{
	WRITE_ONCE(ls->tx.redeemed_bytes, ls->tx.redeemed_bytes + len);
	LIBRA_ADD(ls->net, LIBRA_MIB_TX_REDEEMED, len);
}

int libra_sock_init(void);
void libra_sock_exit(void);
void __libra_sock_used(struct libra_sock *ls);

/* By each call of the application, without locks. */
static inline void libra_sock_used(struct libra_sock *ls)
{
	if (unlikely(!READ_ONCE(ls->charged) || !READ_ONCE(ls->joined)))
		__libra_sock_used(ls);
}

int libra_attach_sock(struct sock *sk, const struct libra_attach *args,
		      bool adopt);
int libra_attach_stranger(struct sock *sk, bool accepted);
bool libra_sock_is_fast_open(const struct sock *sk);
void libra_sock_early(struct sock *sk);
void libra_policy_unmet(const struct sock *sk, int err);
void libra_sock_stop(struct libra_sock *ls);
int libra_sock_adopt_again(struct libra_sock *ls, const struct libra_attach *args);
void libra_sock_init_account(struct libra_sock *ls, struct libra_net *ln);
void libra_fail_stop(struct libra_sock *ls, enum libra_mib why);

void libra_sock_release(struct libra_sock *ls);
void libra_sock_shutdown(struct libra_sock *ls, int how);

/* Attached sockets in all network namespaces. */
extern atomic_t libra_attached;

/* In place of inet_recvmsg() and inet_sendmsg(); attached sockets only. */
int libra_recvmsg(struct libra_sock *ls, struct msghdr *msg, size_t size,
		  int flags);
void libra_rx_resync(struct libra_sock *ls);
int libra_sendmsg(struct libra_sock *ls, struct msghdr *msg, size_t size);

/* What tx_hold.c holds back, when a socket ends; false: it was half a VPI. */
bool libra_hold_end(struct libra_sock *ls, bool alone);
void libra_late_init(struct libra_sock *ls);
void libra_late_end(struct libra_sock *ls);
void libra_tx_unlock(struct libra_sock *ls);

/* Has any VPI ever been minted? Until then nothing has to be looked for. */
extern bool libra_vpi_minted;

/* ---- kernel TLS on top (tls.c) ------------------------------------------- */

struct tls_context;

bool libra_tls_is_under_way(const struct sock *sk);

enum libra_tls_egress {
	LIBRA_TLS_FOREIGN,	/* it is not that, or cannot be dealt with */
	LIBRA_TLS_IDLE,		/* bytes go to TCP as they are */
	LIBRA_TLS_ENCRYPTS,
};

enum libra_tls_egress libra_tls_egress(struct libra_sock *ls);
bool libra_tls_decrypts(const struct libra_sock *ls);
bool libra_tls_ingress(const struct libra_sock *ls);
void libra_tls_begin_ingress(struct libra_sock *ls);
void libra_tls_note(struct libra_sock *ls);
bool libra_tls_begin_zero_copy(struct libra_sock *ls);
void libra_tls_end_zero_copy(struct libra_sock *ls);
bool libra_tls_encrypts(const struct libra_sock *ls);
bool libra_tls_sends_plain(const struct libra_sock *ls);
bool libra_tls_reads_plain(const struct libra_sock *ls);
void libra_tls_take_type(struct sock *sk, struct msghdr *msg);

/* ---- streams that are not understood (passing.c) ------------------------ */

enum libra_passing_state {
	LIBRA_PASSING_NOT,
	LIBRA_PASSING_UNUSED,	/* passes, and nobody has used it since */
	LIBRA_PASSING_USED,	/* passes */
	LIBRA_PASSING_OVER,	/* the socket is closed */
};

struct pid_namespace;

void libra_passing_begin(struct libra_sock *ls, enum libra_mib why,
			 enum libra_reason reason);
void libra_passing_over(struct libra_sock *ls);
void libra_passing_end(struct libra_sock *ls);
void __libra_passing_note(struct libra_sock *ls);
void libra_passing_note_as(struct libra_sock *ls, struct libra_session *session);
void libra_passing_forget(struct libra_session *session);
void libra_passing_show_sock(struct seq_file *seq, struct libra_sock *ls,
			     struct pid_namespace *ns);
void libra_passing_address(struct seq_file *seq, const struct sock *sk, bool peer);
int libra_passing_show(struct seq_file *seq, void *v);

static inline bool libra_passing_is(const struct libra_sock *ls)
{
	u8 state = READ_ONCE(ls->passing.state);

	return state == LIBRA_PASSING_UNUSED || state == LIBRA_PASSING_USED;
}

/* The current process uses the socket. */
static inline void libra_passing_note(struct libra_sock *ls)
{
	if (unlikely(libra_passing_is(ls)))
		__libra_passing_note(ls);
}

/* ---- /proc/net/libra_sockets (show.c) ------------------------------------ */

void libra_sock_show(struct seq_file *seq, struct libra_sock *ls,
		     struct pid_namespace *ns);
extern const struct seq_operations libra_sockets_ops;

/**
 * struct libra_sockets_iter - a reader's place
 * @p: its network namespace; the first member, as proc wants it
 * @bucket: of the hash of connections
 * @nth: of the attached ones in it
 */
struct libra_sockets_iter {
	struct seq_net_private p;
	u32 bucket;
	u32 nth;
};

/* ---- receive runs (rx_run.c) -------------------------------------------- */

/**
 * struct libra_rx_run - payload of one read that becomes one anchor
 * @minted: being built; NULL when there is no run
 * @vpi_at: where in the application's memory the payload began
 * @room: bytes left in that iovec segment
 * @would: bytes of what would be a run, were it not for the mode
 */
struct libra_rx_run {
	struct libra_minted *minted;
	struct iov_iter vpi_at;
	size_t room;
	size_t would;
};

bool libra_run_begin(struct libra_sock *ls, struct libra_rx_run *run,
		     struct iov_iter *to, u32 want);
void libra_run_would(struct libra_sock *ls, struct libra_rx_run *run, u32 want, u32 len);
u32 libra_run_add(struct libra_sock *ls, struct libra_rx_run *run,
		  struct sk_buff *skb, u32 off, u32 len);
int libra_run_end(struct libra_sock *ls, struct libra_rx_run *run);

/* ---- BPF (bpf.c) -------------------------------------------------------- */

#ifdef CONFIG_LIBRA_BPF
int libra_bpf_init(void);
#else
static inline int libra_bpf_init(void)
{
	return 0;
}
#endif

/* kfuncs; declared for sparse only. */
int bpf_libra_load(struct libra_ctx *ctx, u32 off, void *dst, u32 dst__sz);
int bpf_libra_find(struct libra_ctx *ctx, u32 off, u32 len, const void *delim,
		   u32 delim__sz);
int bpf_libra_find_below(struct libra_ctx *ctx, u32 off, u32 len, u32 limit);
u64 bpf_libra_skip_fields(struct libra_ctx *ctx, u32 off, u32 len, u64 sizes,
			  u32 lines);
int bpf_libra_attach(const struct sock *sk, const struct libra_attach *args,
		     u32 args__sz);
int bpf_libra_adopt(struct sock_common *skc, const struct libra_attach *args,
		    u32 args__sz);
int bpf_libra_stop(struct sock_common *skc, u32 policy);

#endif /* _NET_LIBRA_TOKEN_H */
