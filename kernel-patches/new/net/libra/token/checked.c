// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: messages that came and messages that left, compared.
 *
 * A message that came waits until one with the same payload leaves its domain on the other
 * side; then it was not altered. What waits too long did not leave as it came. That alone
 * says little: its receiver may have gone away, or it was not for forwarding. But if the
 * process that got it has meanwhile sent a message that nobody recognises, and it is not
 * the rest of one that it could not send, then it was altered.
 *
 * That is found late, after everything that it can have become has left; and when in doubt
 * the verdict is that it did not leave. There is doubt where messages were copied that were
 * not followed: they leave unrecognised as well.
 */
#include <linux/capability.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "../trace.h"
#include "check.h"

/* What left and was not recognised, the last of it. */
#define LIBRA_CHECKS_STRAYS	256
/* Altered messages that are shown. */
#define LIBRA_ALTERED_SHOWN	16
/* Of those that wait, so many are looked at, at a time, that have to go on waiting. */
#define LIBRA_CHECKS_LOOK	64
/* For how long a proxy may keep a message before it begins to send it; tests do not wait. */
unsigned long libra_checks_grace = 5 * HZ;
/* For those that wait, so many of what is being sent are looked at, at a time. */
u32 libra_checks_looks = 4096;

enum libra_stray_kind {
	LIBRA_STRAY_NONE,
	LIBRA_STRAY_WHOLE,	/* not recognised */
	LIBRA_STRAY_PART,	/* it was not sent to its end, or not seen to */
};

/**
 * struct libra_stray - a message that left
 * @kind: enum libra_stray_kind
 * @role: of the socket
 * @tgid: who sent it
 * @began: jiffies of its first byte
 */
struct libra_stray {
	u8 kind;
	u8 role;
	pid_t tgid;
	unsigned long began;
};

/**
 * struct libra_checks - what a domain checks
 * @busy: by role, messages from that side that are being received, or wait; read without
 *	the lock by each message that leaves
 * @seed: of the hashes, so that nobody can make two messages alike
 * @lock: protects all that follows, and writes of @busy
 * @nr: how many wait
 * @open: they, struct libra_checked, in the order in which they ended
 * @by_digest: the same
 * @sending: streams with a followed message that leaves, in the order in which those began
 * @strays: a ring
 * @stray: the next of it
 * @missed: jiffies when a message was last copied that was not followed to its end
 * @first_missed: and when one was first, with no pause between that would matter
 * @misses: whether one was
 */
struct libra_checks {
	int busy[2];
	u64 seed;
	/* protects all that follows, and writes of @busy */
	spinlock_t lock ____cacheline_aligned_in_smp;
	int nr;
	struct list_head open;
	DECLARE_HASHTABLE(by_digest, 9);
	struct list_head sending;
	struct libra_stray strays[LIBRA_CHECKS_STRAYS];
	u32 stray;
	unsigned long missed;
	unsigned long first_missed;
	bool misses;
};

static struct libra_checks *libra_checks_get(struct libra_domain *dom)
{
	struct libra_checks *checks = READ_ONCE(dom->checks), *old;

	if (checks)
		return checks;
	checks = kzalloc(sizeof(*checks), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!checks)
		return NULL;
	checks->seed = get_random_u64();
	spin_lock_init(&checks->lock);
	INIT_LIST_HEAD(&checks->open);
	INIT_LIST_HEAD(&checks->sending);
	hash_init(checks->by_digest);
	old = cmpxchg(&dom->checks, NULL, checks);
	if (!old)
		return checks;
	kfree(checks);
	return old;
}

/**
 * libra_checks_busy() - could a message that leaves now be one that is checked?
 * @dom: domain
 * @role: the side that it would have come from
 *
 * Context: any.
 */
bool libra_checks_busy(const struct libra_domain *dom, enum libra_role role)
{
	const struct libra_checks *checks = READ_ONCE(dom->checks);

	return checks && READ_ONCE(checks->busy[role]);
}

/**
 * libra_checks_seed() - what the hashes of a domain begin with
 * @dom: domain, for which libra_checks_begin() was called
 */
u64 libra_checks_seed(const struct libra_domain *dom)
{
	return dom->checks->seed;
}

/* Under the lock. */
static void libra_checks_miss(struct libra_checks *checks)
{
	if (!checks->misses || time_after(jiffies, checks->missed + 2 * libra_checks_grace))
		checks->first_missed = jiffies;
	checks->missed = jiffies;
	checks->misses = true;
}

/**
 * libra_checks_missed() - a message that could have been checked was not
 * @dom: domain
 *
 * Context: any.
 */
void libra_checks_missed(struct libra_domain *dom)
{
	struct libra_checks *checks = READ_ONCE(dom->checks);

	if (!checks || !(READ_ONCE(checks->busy[0]) || READ_ONCE(checks->busy[1])))
		return;
	spin_lock_bh(&checks->lock);
	libra_checks_miss(checks);
	spin_unlock_bh(&checks->lock);
}

/* Are there connections that could send it, and of which nobody knows what they send? */
static bool libra_checks_blind(const struct libra_domain *dom, enum libra_role role)
{
	return atomic_read(&dom->egress_passes[!role]) ||
	       atomic_read(&dom->net->passing_unused[!role]);
}

static void libra_checks_less(struct libra_checks *checks, enum libra_role role)
{
	WRITE_ONCE(checks->busy[role], checks->busy[role] - 1);
}

/**
 * libra_checks_begin() - a message is followed from here on
 * @ls: attachment
 * @dir: which of its streams
 *
 * Context: process context; libra_checks_received() or libra_checks_sent() has to follow.
 * Return: false if it is not, for want of memory.
 */
bool libra_checks_begin(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_checks *checks = libra_checks_get(ls->dom);

	if (!checks)
		return false;
	spin_lock_bh(&checks->lock);
	if (dir == LIBRA_INGRESS)
		WRITE_ONCE(checks->busy[ls->role], checks->busy[ls->role] + 1);
	/* What has no end would keep others waiting for it. */
	else if (ls->tx.seg.left != U64_MAX)
		list_add_tail(&ls->check->stream[dir].sending, &checks->sending);
	if (libra_checks_blind(ls->dom, dir == LIBRA_INGRESS ? ls->role : !ls->role))
		libra_checks_miss(checks);
	spin_unlock_bh(&checks->lock);
	return true;
}

static void libra_checked_addresses(struct libra_checked *checked, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	checked->family = sk->sk_family;
	checked->peer_port = ntohs(inet->inet_dport);
	checked->own_port = inet->inet_num;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		checked->peer = sk->sk_v6_daddr;
		checked->own = sk->sk_v6_rcv_saddr;
		return;
	}
#endif
	checked->peer.s6_addr32[3] = inet->inet_daddr;
	checked->own.s6_addr32[3] = inet->inet_rcv_saddr;
}

static void libra_checked_head(struct libra_check_head *to,
			       const struct libra_check_head *from)
{
	to->len = min_t(u16, READ_ONCE(from->len), sizeof(to->data));
	/*
	 * What was sent on the same connection may be overwritten meanwhile, by the next
	 * request. It is to be looked at by people, no more.
	 */
	data_race(memcpy(to->data, from->data, to->len));
}

static struct libra_checked *libra_checked_of(struct libra_sock *ls)
{
	struct libra_check_stream *st = &ls->check->stream[LIBRA_INGRESS];
	struct libra_checked *checked;

	checked = kzalloc(sizeof(*checked), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!checked)
		return NULL;
	checked->digest = xxh64_digest(&st->hash);
	checked->len = st->len;
	checked->began = st->began;
	checked->ended = jiffies;
	checked->tgid = st->tgid;
	checked->role = ls->role;
	checked->policy = ls->policy;
	checked->domain = ls->dom->id;
	libra_checked_addresses(checked, ls->sk);
	libra_checked_head(&checked->asked, &ls->check->stream[LIBRA_EGRESS].head);
	libra_checked_head(&checked->head, &st->head);
	return checked;
}

/**
 * libra_checks_received() - a message that was followed has come
 * @ls: attachment
 * @how: whether to its end
 *
 * Context: process context if so, any otherwise; as for struct libra_seg.
 */
void libra_checks_received(struct libra_sock *ls, enum libra_check_how how)
{
	const struct libra_check_stream *st = &ls->check->stream[LIBRA_INGRESS];
	struct libra_checks *checks = ls->dom->checks;
	struct libra_checked *checked = NULL;
	bool wanted, put = false;

	wanted = how <= LIBRA_CHECK_CLOSED && st->len >= READ_ONCE(ls->net->sysctl.min_anchor);
	if (wanted)
		checked = libra_checked_of(ls);
	spin_lock_bh(&checks->lock);
	if (checked && checks->nr < LIBRA_CHECKS_OPEN) {
		list_add_tail(&checked->node, &checks->open);
		hash_add(checks->by_digest, &checked->hash, checked->digest);
		checks->nr++;
		put = true;
	} else {
		libra_checks_less(checks, ls->role);
		if (wanted || how == LIBRA_CHECK_UNSEEN)
			libra_checks_miss(checks);
	}
	spin_unlock_bh(&checks->lock);
	if (put) {
		libra_expire_later(ls->net);
		return;
	}
	kfree(checked);
	if (wanted)
		LIBRA_INC(ls->net, LIBRA_MIB_CHECK_SKIPPED);
}

/* Under the lock. */
static void libra_checks_take(struct libra_checks *checks, struct libra_checked *checked)
{
	hash_del(&checked->hash);
	list_del(&checked->node);
	checks->nr--;
	libra_checks_less(checks, checked->role);
}

static struct libra_checked *libra_checks_find(struct libra_checks *checks,
					       enum libra_role role, u64 digest, u64 len)
{
	struct libra_checked *checked;

	hash_for_each_possible(checks->by_digest, checked, hash, digest)
		if (checked->digest == digest && checked->len == len &&
		    checked->role == role)
			return checked;
	return NULL;
}

/* Under the lock. What a message that is not one of those that came is evidence of. */
static void libra_checks_stray(struct libra_checks *checks, const struct libra_sock *ls,
			       enum libra_check_how how)
{
	const struct libra_check_stream *st = &ls->check->stream[LIBRA_EGRESS];

	if (how == LIBRA_CHECK_ANCHORED ||
	    (how == LIBRA_CHECK_WHOLE && st->len < READ_ONCE(ls->net->sysctl.min_anchor)))
		return;
	checks->strays[checks->stray++ % LIBRA_CHECKS_STRAYS] = (struct libra_stray) {
		.kind = how == LIBRA_CHECK_WHOLE ? LIBRA_STRAY_WHOLE : LIBRA_STRAY_PART,
		.role = ls->role,
		.tgid = st->tgid,
		.began = st->began,
	};
}

/**
 * libra_checks_sent() - a message that was followed has left
 * @ls: attachment
 * @how: whether to its end
 *
 * Context: any; as for struct libra_seg.
 */
void libra_checks_sent(struct libra_sock *ls, enum libra_check_how how)
{
	struct libra_check_stream *st = &ls->check->stream[LIBRA_EGRESS];
	struct libra_checks *checks = ls->dom->checks;
	struct libra_checked *checked = NULL;

	spin_lock_bh(&checks->lock);
	list_del_init(&st->sending);
	if (how <= LIBRA_CHECK_CLOSED)
		checked = libra_checks_find(checks, !ls->role, xxh64_digest(&st->hash),
					    st->len);
	if (checked)
		libra_checks_take(checks, checked);
	else
		libra_checks_stray(checks, ls, how);
	spin_unlock_bh(&checks->lock);
	if (!checked)
		return;
	kfree(checked);
	LIBRA_INC(ls->net, LIBRA_MIB_CHECKED);
}

/* What began to leave then, by the same process and on the other side, may be the message. */
static bool libra_checks_may_be(const struct libra_checked *checked, enum libra_role role,
				pid_t tgid, unsigned long began)
{
	return role != checked->role && tgid == checked->tgid &&
	       time_in_range(began, checked->began, checked->ended + libra_checks_grace);
}

/* Under the lock. A message that left can have been only one of those that came. */
static bool libra_checks_take_stray(struct libra_checks *checks,
				    const struct libra_checked *checked,
				    enum libra_stray_kind kind)
{
	u32 i;

	for (i = 0; i < LIBRA_CHECKS_STRAYS; i++) {
		struct libra_stray *stray = &checks->strays[i];

		if (stray->kind != kind ||
		    !libra_checks_may_be(checked, stray->role, stray->tgid, stray->began))
			continue;
		stray->kind = LIBRA_STRAY_NONE;
		return true;
	}
	return false;
}

/*
 * Under the lock. Is nothing leaving that may be it, nor can begin to? From the newest on: what
 * is older than the message, such as slow downloads, needs no look. Says no where more than
 * *@budget would have to be looked at.
 */
static bool libra_checks_settled(const struct libra_checks *checks,
				 const struct libra_checked *checked, u32 *budget)
{
	const struct libra_check_stream *st;

	if (time_before(jiffies, checked->ended + libra_checks_grace))
		return false;
	list_for_each_entry_reverse(st, &checks->sending, sending) {
		if (time_before(st->began, checked->began))
			break;
		if (!*budget)
			return false;
		--*budget;
		/* Which side it is on does not matter much, and is not at hand. */
		if (libra_checks_may_be(checked, !checked->role, st->tgid, st->began))
			return false;
	}
	return true;
}

/* Under the lock. */
static bool libra_checks_altered(struct libra_checks *checks,
				 const struct libra_checked *checked)
{
	if (libra_checks_take_stray(checks, checked, LIBRA_STRAY_PART) ||
	    !libra_checks_take_stray(checks, checked, LIBRA_STRAY_WHOLE))
		return false;
	/* Or is that one which was not followed? */
	return !checks->misses ||
	       time_after(checks->first_missed, checked->ended + libra_checks_grace) ||
	       time_after(checked->began, checks->missed + libra_checks_grace);
}

static void libra_altered_add(struct libra_net *ln, struct libra_checked *checked)
{
	struct libra_checked *last = NULL;

	spin_lock_bh(&ln->lock);
	list_add(&checked->node, &ln->altered);
	if (++ln->altered_nr > LIBRA_ALTERED_SHOWN) {
		last = list_last_entry(&ln->altered, struct libra_checked, node);
		list_del(&last->node);
		ln->altered_nr--;
	}
	spin_unlock_bh(&ln->lock);
	kfree(last);
}

/* Under the lock. The next one that can be judged, and is taken out. */
static struct libra_checked *libra_checks_next(struct libra_checks *checks,
					       unsigned long ttl, bool *altered)
{
	u32 looked = 0, budget = libra_checks_looks;
	struct libra_checked *checked;

	list_for_each_entry(checked, &checks->open, node) {
		bool settled = !ttl || libra_checks_settled(checks, checked, &budget);

		if (settled || time_after_eq(jiffies, checked->ended + ttl)) {
			libra_checks_take(checks, checked);
			*altered = settled && libra_checks_altered(checks, checked);
			/* What has not left in time may do so later. */
			if (!settled)
				libra_checks_miss(checks);
			return checked;
		}
		if (time_before(jiffies, checked->ended + libra_checks_grace) ||
		    ++looked == LIBRA_CHECKS_LOOK)
			break;
	}
	return NULL;
}

/**
 * libra_checks_judge() - what became of messages that wait?
 * @dom: domain
 * @ttl: jiffies after which nothing more is waited for; 0: nothing more can leave
 *
 * Context: any if @ttl is 0, process context otherwise.
 */
void libra_checks_judge(struct libra_domain *dom, unsigned long ttl)
{
	struct libra_checks *checks = READ_ONCE(dom->checks);
	struct libra_checked *checked;
	bool altered;

	if (!checks)
		return;
	for (;;) {
		spin_lock_bh(&checks->lock);
		checked = libra_checks_next(checks, ttl, &altered);
		spin_unlock_bh(&checks->lock);
		if (!checked)
			return;
		LIBRA_INC(dom->net, LIBRA_MIB_CHECKED);
		LIBRA_INC(dom->net, altered ? LIBRA_MIB_CHECK_ALTERED :
					      LIBRA_MIB_CHECK_UNSENT);
		if (!altered) {
			kfree(checked);
			continue;
		}
		trace_libra_altered(checked->policy, checked->own_port, checked->peer_port,
				    checked->len);
		libra_altered_add(dom->net, checked);
	}
}

/**
 * libra_checks_open() - is there anything to be judged?
 * @ln: network namespace
 *
 * Context: any.
 */
bool libra_checks_open(struct libra_net *ln)
{
	const struct libra_checks *checks;
	const struct libra_domain *dom;
	bool open = false;

	spin_lock_bh(&ln->lock);
	list_for_each_entry(dom, &ln->domains, node) {
		checks = READ_ONCE(dom->checks);
		open = open || (checks && READ_ONCE(checks->nr));
	}
	spin_unlock_bh(&ln->lock);
	return open;
}

/**
 * libra_checks_free() - a domain ends
 * @dom: domain without sockets, by which nothing more can leave
 *
 * Context: any.
 */
void libra_checks_free(struct libra_domain *dom)
{
	libra_checks_judge(dom, 0);
	kfree(dom->checks);
}

/**
 * libra_altered_free() - a network namespace ends
 * @ln: network namespace without domains, and without its file in /proc
 */
void libra_altered_free(struct libra_net *ln)
{
	struct libra_checked *checked, *next;

	list_for_each_entry_safe(checked, next, &ln->altered, node)
		kfree(checked);
}

static void libra_altered_address(struct seq_file *seq, u16 family,
				  const struct in6_addr *addr, u16 port)
{
	if (family == AF_INET6)
		seq_printf(seq, " [%pI6c]:%u", addr, port);
	else
		seq_printf(seq, " %pI4:%u", &addr->s6_addr32[3], port);
}

static void libra_altered_head(struct seq_file *seq, const struct libra_check_head *head)
{
	u32 i, n;

	seq_putc(seq, ' ');
	/* %ph takes 64 bytes. */
	for (i = 0; i < head->len; i += n) {
		n = min_t(u32, head->len - i, 64);
		seq_printf(seq, "%*phN", n, head->data + i);
	}
	if (!head->len)
		seq_putc(seq, '-');
}

/**
 * libra_altered_show() - /proc/net/libra_altered
 * @seq: file
 * @v: not used
 *
 * The last ones, the latest first: role of the side that it came from, its and the own
 * address, policy, domain, bytes, seconds since; and in hexadecimal how the last header that
 * was sent there, and its own, began.
 */
int libra_altered_show(struct seq_file *seq, void *v)
{
	struct libra_net *ln = libra_net(seq_file_single_net(seq));
	const struct libra_checked *checked;

	/* Headers have secrets of others, some of which came encrypted. */
	if (!file_ns_capable(seq->file, &init_user_ns, CAP_NET_ADMIN))
		return -EPERM;
	spin_lock_bh(&ln->lock);
	list_for_each_entry(checked, &ln->altered, node) {
		seq_puts(seq, checked->role == LIBRA_ROLE_PASSIVE ? "client" : "upstream");
		libra_altered_address(seq, checked->family, &checked->peer, checked->peer_port);
		libra_altered_address(seq, checked->family, &checked->own, checked->own_port);
		seq_printf(seq, " %u %u %llu %lu", checked->policy, checked->domain,
			   checked->len, (jiffies - checked->ended) / HZ);
		libra_altered_head(seq, &checked->asked);
		libra_altered_head(seq, &checked->head);
		seq_putc(seq, '\n');
	}
	spin_unlock_bh(&ln->lock);
	return 0;
}
