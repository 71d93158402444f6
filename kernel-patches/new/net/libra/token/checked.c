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
 * Who may be altered is found late, after everything that was on its way at the time has
 * left; and when in doubt the verdict is that it did not leave.
 */
#include <linux/pid.h>
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
/* For how long a proxy may keep a message before it begins to send it; tests do not wait. */
unsigned long libra_checks_grace = 5 * HZ;

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
 * @lock: protects all of it; @busy is read without
 * @busy: by role, messages from that side that are being received, or wait
 * @nr: how many wait
 * @open: they, struct libra_checked, in the order in which they ended
 * @by_digest: the same
 * @sending: streams with a followed message that leaves, in the order in which those began
 * @strays: a ring
 * @stray: the next of it
 * @missed: jiffies when a message was last not put in @open
 * @misses: whether one was
 */
struct libra_checks {
	spinlock_t lock;	/* protects all that follows */
	int busy[2];
	int nr;
	struct list_head open;
	DECLARE_HASHTABLE(by_digest, 6);
	struct list_head sending;
	struct libra_stray strays[LIBRA_CHECKS_STRAYS];
	u32 stray;
	unsigned long missed;
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
	else
		list_add_tail(&ls->check->stream[dir].sending, &checks->sending);
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
 * @whole: to its end
 *
 * Context: process context if @whole, any otherwise; as for struct libra_seg.
 */
void libra_checks_received(struct libra_sock *ls, bool whole)
{
	const struct libra_check_stream *st = &ls->check->stream[LIBRA_INGRESS];
	struct libra_checks *checks = ls->dom->checks;
	struct libra_checked *checked = NULL;

	whole = whole && st->len >= READ_ONCE(ls->net->sysctl.min_anchor);
	if (whole)
		checked = libra_checked_of(ls);
	spin_lock_bh(&checks->lock);
	if (checked && checks->nr < LIBRA_CHECKS_OPEN) {
		list_add_tail(&checked->node, &checks->open);
		hash_add(checks->by_digest, &checked->hash, checked->digest);
		checks->nr++;
		checked = NULL;
		whole = false;
	} else {
		libra_checks_less(checks, ls->role);
		if (whole) {
			checks->missed = jiffies;
			checks->misses = true;
		}
	}
	spin_unlock_bh(&checks->lock);
	kfree(checked);
	if (whole)
		LIBRA_INC(ls->net, LIBRA_MIB_CHECK_SKIPPED);
	else
		libra_expire_later(ls->net);
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

/**
 * libra_checks_sent() - a message that was followed has left
 * @ls: attachment
 * @whole: to its end
 *
 * Context: any; as for struct libra_seg.
 */
void libra_checks_sent(struct libra_sock *ls, bool whole)
{
	struct libra_check_stream *st = &ls->check->stream[LIBRA_EGRESS];
	struct libra_checks *checks = ls->dom->checks;
	struct libra_checked *checked = NULL;

	spin_lock_bh(&checks->lock);
	list_del_init(&st->sending);
	if (whole)
		checked = libra_checks_find(checks, !ls->role, xxh64_digest(&st->hash),
					    st->len);
	if (checked) {
		libra_checks_take(checks, checked);
	} else if (!whole || st->len >= READ_ONCE(ls->net->sysctl.min_anchor)) {
		checks->strays[checks->stray++ % LIBRA_CHECKS_STRAYS] = (struct libra_stray) {
			.kind = whole ? LIBRA_STRAY_WHOLE : LIBRA_STRAY_PART,
			.role = ls->role,
			.tgid = st->tgid,
			.began = st->began,
		};
	}
	spin_unlock_bh(&checks->lock);
	if (!checked)
		return;
	kfree(checked);
	LIBRA_INC(ls->net, LIBRA_MIB_CHECKED);
}

/* Under the lock. A message that left can have been only one of those that came. */
static bool libra_checks_take_stray(struct libra_checks *checks,
				    const struct libra_checked *checked,
				    enum libra_stray_kind kind)
{
	u32 i;

	for (i = 0; i < LIBRA_CHECKS_STRAYS; i++) {
		struct libra_stray *stray = &checks->strays[i];

		if (stray->kind != kind || stray->role == checked->role ||
		    stray->tgid != checked->tgid ||
		    time_before(stray->began, checked->began))
			continue;
		stray->kind = LIBRA_STRAY_NONE;
		return true;
	}
	return false;
}

/* Under the lock. Can everything that it might have become be judged? */
static bool libra_checks_settled(struct libra_checks *checks,
				 const struct libra_checked *checked, unsigned long ttl)
{
	const struct libra_check_stream *st;

	if (time_after_eq(jiffies, checked->ended + ttl))
		return true;
	if (time_before(jiffies, checked->ended + libra_checks_grace))
		return false;
	st = list_first_entry_or_null(&checks->sending, struct libra_check_stream, sending);
	return !st || time_after(READ_ONCE(st->began), checked->ended + libra_checks_grace);
}

/* Under the lock. */
static bool libra_checks_altered(struct libra_checks *checks,
				 const struct libra_checked *checked, unsigned long ttl)
{
	if (libra_checks_take_stray(checks, checked, LIBRA_STRAY_PART) ||
	    !libra_checks_take_stray(checks, checked, LIBRA_STRAY_WHOLE))
		return false;
	/* It may have been one that was not put there. */
	return !checks->misses || time_after(checked->began, checks->missed + ttl);
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

/**
 * libra_checks_judge() - what became of messages that wait?
 * @dom: domain
 * @ttl: jiffies after which nothing more is waited for
 *
 * Context: process context.
 */
void libra_checks_judge(struct libra_domain *dom, unsigned long ttl)
{
	struct libra_checks *checks = READ_ONCE(dom->checks);
	struct libra_checked *checked;
	bool altered;

	ttl = max(ttl, libra_checks_grace);
	while (checks) {
		spin_lock_bh(&checks->lock);
		checked = list_first_entry_or_null(&checks->open, struct libra_checked, node);
		if (checked && !libra_checks_settled(checks, checked, ttl))
			checked = NULL;
		if (checked) {
			libra_checks_take(checks, checked);
			altered = libra_checks_altered(checks, checked, ttl);
		}
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
 * @dom: domain without sockets
 *
 * Context: any.
 */
void libra_checks_free(struct libra_domain *dom)
{
	struct libra_checked *checked, *next;

	if (!dom->checks)
		return;
	list_for_each_entry_safe(checked, next, &dom->checks->open, node)
		kfree(checked);
	kfree(dom->checks);
}

/**
 * libra_altered_free() - a network namespace ends
 * @ln: network namespace without domains
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
	u16 i;

	seq_putc(seq, ' ');
	for (i = 0; i < head->len; i++)
		seq_printf(seq, "%02x", head->data[i]);
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
