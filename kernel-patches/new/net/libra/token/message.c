// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: minted anchors and the messages they belong to.
 *
 * An anchor has exactly one owner at any time: the receiver that builds it, the
 * domain's hash while it is live, then whoever took it out of there (the sender
 * that redeems it, or one of the ways in which it dies unredeemed). Ownership
 * moves under the domain lock; freeing happens outside of it.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "../trace.h"
#include "token.h"

/**
 * libra_msg_open() - begin a message
 * @source: the receiving socket
 * @gfp: how to allocate
 *
 * Context: under @source's socket lock.
 * Return: a message with the receiver's reference, or NULL.
 */
struct libra_msg *libra_msg_open(struct libra_sock *source, gfp_t gfp)
{
	struct libra_msg *msg;

	msg = kzalloc(sizeof(*msg), gfp | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!msg)
		return NULL;
	refcount_set(&msg->ref, 1);
	libra_account_get(&source->account);
	msg->source = source;
	msg->dom = source->dom;
	msg->alone = true;
	INIT_LIST_HEAD(&msg->anchors);
	INIT_LIST_HEAD(&msg->source_node);
	INIT_LIST_HEAD(&msg->redeemer_node);
	INIT_LIST_HEAD(&msg->unmet_node);
	return msg;
}

/**
 * libra_msgs_unmet() - do messages of this domain get lost?
 * @dom: domain
 *
 * An application that sends payload by a way that Libra does not see (a file, a
 * socket that is not attached, encrypted in user space) sends VPIs to somebody
 * who can do nothing with them. The first sign is that messages are minted of
 * which no VPI comes back. A proxy sends the beginning of a message as soon as
 * it has it, unless its client stalls.
 *
 * Return: true when net.libra.max_unmet messages are older than net.libra.unmet_ms
 * and no VPI of them was met on a socket of the domain.
 */
bool libra_msgs_unmet(struct libra_domain *dom)
{
	u32 limit = READ_ONCE(dom->net->sysctl.max_unmet);
	struct libra_msg *msg;
	bool lost = false;
	u32 n = 0;

	/* Those of other processors that come or go just now make no difference. */
	if (READ_ONCE(dom->nr_unmet) < limit)
		return false;
	spin_lock_bh(&dom->lock);
	list_for_each_entry(msg, &dom->unmet, unmet_node) {
		if (++n < limit)
			continue;
		lost = time_after(jiffies, msg->opened +
				  msecs_to_jiffies(READ_ONCE(dom->net->sysctl.unmet_ms)));
		break;
	}
	spin_unlock_bh(&dom->lock);
	return lost;
}

/* Under the domain lock: something of it was met, or nothing ever will be. */
static void libra_msg_met(struct libra_msg *msg)
{
	if (list_empty(&msg->unmet_node))
		return;
	list_del_init(&msg->unmet_node);
	WRITE_ONCE(msg->dom->nr_unmet, msg->dom->nr_unmet - 1);
}

/* Under the domain lock: off all lists. */
static void libra_msg_leave(struct libra_msg *msg)
{
	libra_msg_met(msg);
	list_del_init(&msg->source_node);
	list_del_init(&msg->redeemer_node);
	msg->alone = true;
}

/**
 * libra_msg_put() - drop a reference
 * @msg: message
 *
 * Context: any, without the domain lock.
 */
void libra_msg_put(struct libra_msg *msg)
{
	struct libra_domain *dom = msg->dom;

	if (!refcount_dec_and_test(&msg->ref))
		return;
	/*
	 * The lists hold no reference, and nobody takes one by them: whoever walks them
	 * does so under the lock, and is done with this message when we have it.
	 */
	if (!msg->alone) {
		spin_lock_bh(&dom->lock);
		libra_msg_leave(msg);
		spin_unlock_bh(&dom->lock);
	}
	/* With that, the domain may go. */
	libra_account_put(&msg->source->account);
	kfree(msg);
}

/**
 * libra_minted_alloc() - an empty anchor
 * @msg: the message it will belong to
 * @gfp: how to allocate
 *
 * Context: under the socket lock of @msg->source.
 * Return: the anchor, owned by the caller, or NULL.
 */
struct libra_minted *libra_minted_alloc(struct libra_msg *msg, gfp_t gfp)
{
	struct libra_minted *minted;

	minted = kmalloc(sizeof(*minted), gfp | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!minted)
		return NULL;
	refcount_inc(&msg->ref);
	minted->msg = msg;
	minted->id = get_random_u64();
	libra_anchor_init(&minted->anchor, &msg->source->account,
			  libra_memcg_of(msg->source->sk));
	return minted;
}

/**
 * libra_minted_publish() - the anchor is complete and becomes redeemable
 * @minted: owned by the caller, afterwards by the domain
 *
 * From here on it is not the caller's: another thread may redeem it, a closing
 * client end its message. If one has, the anchor is dropped, and a VPI that is sent all
 * the same is a fail-stop.
 */
void libra_minted_publish(struct libra_minted *minted)
{
	struct libra_msg *msg = minted->msg;
	struct libra_domain *dom = msg->dom;

	spin_lock_bh(&dom->lock);
	if (msg->dead) {
		/* It has no list by which anything would end this one. */
		spin_unlock_bh(&dom->lock);
		LIBRA_INC(dom->net, LIBRA_MIB_RECLAIMED);
		libra_minted_free(minted);
		return;
	}
	hash_add(dom->anchors, &minted->hash, minted->id);
	list_add_tail(&minted->msg_node, &msg->anchors);
	msg->stamp = jiffies;
	if (!msg->opened) {
		msg->opened = jiffies | 1;
		msg->alone = false;
		list_add_tail(&msg->source_node, &msg->source->minted);
		list_add_tail(&msg->unmet_node, &dom->unmet);
		WRITE_ONCE(dom->nr_unmet, dom->nr_unmet + 1);
	}
	dom->live++;
	dom->live_bytes += minted->anchor.len;
	spin_unlock_bh(&dom->lock);
}

/* Under the domain lock: live -> owned by the caller. */
static void libra_minted_take(struct libra_minted *minted)
{
	struct libra_domain *dom = minted->msg->dom;

	hash_del(&minted->hash);
	list_del(&minted->msg_node);
	dom->live--;
	dom->live_bytes -= minted->anchor.len;
}

/* Under the domain lock: one of the anchors was taken by @redeemer. */
static void libra_msg_redeemed(struct libra_msg *msg, struct libra_sock *redeemer)
{
	libra_msg_met(msg);
	/*
	 * The last one, and whoever received the message is done with it: nobody has
	 * to find it any more. References come from references, so it stays so.
	 */
	if (list_empty(&msg->anchors) && refcount_read(&msg->ref) == 1)
		libra_msg_leave(msg);
	else if (list_empty(&msg->redeemer_node))
		list_add_tail(&msg->redeemer_node, &redeemer->redeeming);
}

/* Live -> owned by the caller, and met by @redeemer. */
static struct libra_minted *libra_minted_lookup(struct libra_domain *dom, u64 id,
						struct libra_sock *redeemer)
{
	struct libra_minted *minted;

	spin_lock_bh(&dom->lock);
	hash_for_each_possible(dom->anchors, minted, hash, id)
		if (minted->id == id)
			break;
	if (minted) {
		libra_minted_take(minted);
		libra_msg_redeemed(minted->msg, redeemer);
	}
	spin_unlock_bh(&dom->lock);
	return minted;
}

/**
 * libra_minted_redeem() - exchange a VPI for its anchor
 * @dom: domain of the sending socket
 * @vpi: LIBRA_VPI_SIZE bytes that begin with the magic
 * @redeemer: the sending socket
 *
 * The socket becomes the redeemer of the whole message, if it is the first one.
 *
 * Return: the anchor, owned by the caller, or NULL when the VPI is not
 * authentic, of another domain, redeemed before, or expired.
 */
struct libra_minted *libra_minted_redeem(struct libra_domain *dom,
					 const u8 vpi[LIBRA_VPI_SIZE],
					 struct libra_sock *redeemer)
{
	u32 len;
	u64 id;

	/* Ids are unique: of an authentic VPI the length is right, too. */
	if (!libra_vpi_read(vpi, dom->cookie, &id, &len))
		return NULL;
	return libra_minted_lookup(dom, id, redeemer);
}

/**
 * libra_minted_redeem_cut() - the same for a VPI of which the rest is to come
 * @dom: domain of the sending socket
 * @cut: at least LIBRA_VPI_CUT_SIZE bytes that begin with the magic
 * @redeemer: the sending socket
 *
 * Whoever knows magic and id has seen the VPI. The caller sees to it that the
 * rest is right when it comes.
 *
 * Return: the anchor, owned by the caller, or NULL.
 */
struct libra_minted *libra_minted_redeem_cut(struct libra_domain *dom,
					     const u8 cut[LIBRA_VPI_CUT_SIZE],
					     struct libra_sock *redeemer)
{
	if (libra_vpi_is_half_mark(cut))
		return NULL;
	return libra_minted_lookup(dom, libra_vpi_id(cut), redeemer);
}

/**
 * libra_minted_is_live() - does a VPI stand for something?
 * @dom: domain
 * @id: of the VPI
 *
 * Context: any.
 */
bool libra_minted_is_live(struct libra_domain *dom, u64 id)
{
	struct libra_minted *minted;
	bool live = false;

	spin_lock_bh(&dom->lock);
	hash_for_each_possible(dom->anchors, minted, hash, id)
		live |= minted->id == id;
	spin_unlock_bh(&dom->lock);
	return live;
}

/**
 * libra_minted_free() - drop the anchor
 * @minted: owned by the caller
 *
 * Context: any, without the domain lock.
 */
void libra_minted_free(struct libra_minted *minted)
{
	struct libra_msg *msg = minted->msg;

	libra_anchor_release(&minted->anchor);
	kfree(minted);
	libra_msg_put(msg);
}

/* The same for a list of them, linked by msg_node. */
static void libra_minted_free_all(struct list_head *dead)
{
	struct libra_minted *minted, *next;

	list_for_each_entry_safe(minted, next, dead, msg_node)
		libra_minted_free(minted);
}

/* Under the domain lock: the message is over, what is live moves to @dead. */
static void libra_msg_kill(struct libra_msg *msg, struct list_head *dead,
			   enum libra_mib why)
{
	struct libra_minted *minted, *next;

	WRITE_ONCE(msg->dead, true);
	libra_msg_met(msg);
	list_for_each_entry_safe(minted, next, &msg->anchors, msg_node) {
		libra_minted_take(minted);
		list_add_tail(&minted->msg_node, dead);
		LIBRA_INC(msg->dom->net, why);
		trace_libra_reclaim(minted->id, minted->anchor.len,
				    libra_mib_names[why]);
	}
}

/**
 * libra_sock_end_messages() - an attached socket is closed
 * @ls: the socket
 * @exiting: its process dies, and the VPIs that it holds with it
 *
 * Ends the messages that this socket began to redeem. Those that it minted live
 * on, because a proxy may close the upstream connection long before a slow
 * client has all, unless they never met a client and the process exits.
 *
 * Context: any.
 */
void libra_sock_end_messages(struct libra_sock *ls, bool exiting)
{
	struct libra_domain *dom = ls->dom;
	struct libra_msg *msg, *next;
	LIST_HEAD(dead);

	spin_lock_bh(&dom->lock);
	list_for_each_entry_safe(msg, next, &ls->redeeming, redeemer_node) {
		libra_msg_kill(msg, &dead, LIBRA_MIB_RECLAIMED);
		list_del_init(&msg->redeemer_node);
	}
	list_for_each_entry_safe(msg, next, &ls->minted, source_node) {
		if (exiting && list_empty(&msg->redeemer_node))
			libra_msg_kill(msg, &dead, LIBRA_MIB_RECLAIMED);
		list_del_init(&msg->source_node);
	}
	spin_unlock_bh(&dom->lock);
	libra_minted_free_all(&dead);
}

/**
 * libra_domain_expire() - drop what never met a client socket
 * @dom: domain
 * @ttl: jiffies since the last mint
 *
 * A VPI that turns up later is a fail-stop.
 *
 * Context: process context.
 */
void libra_domain_expire(struct libra_domain *dom, unsigned long ttl)
{
	struct libra_msg *msg, *next;
	LIST_HEAD(dead);

	spin_lock_bh(&dom->lock);
	list_for_each_entry_safe(msg, next, &dom->unmet, unmet_node) {
		/* What is behind it began later. */
		if (!time_after(jiffies, msg->opened + ttl))
			break;
		if (time_after(jiffies, msg->stamp + ttl))
			libra_msg_kill(msg, &dead, LIBRA_MIB_EXPIRED);
	}
	spin_unlock_bh(&dom->lock);
	libra_minted_free_all(&dead);
}

/**
 * libra_domain_purge() - drop all anchors, the namespace ends
 * @dom: domain without attached sockets; what one of these had redeemed of went with it
 *
 * Context: process context.
 */
void libra_domain_purge(struct libra_domain *dom)
{
	struct libra_msg *msg, *next;
	LIST_HEAD(dead);

	spin_lock_bh(&dom->lock);
	list_for_each_entry_safe(msg, next, &dom->unmet, unmet_node)
		libra_msg_kill(msg, &dead, LIBRA_MIB_RECLAIMED);
	spin_unlock_bh(&dom->lock);
	libra_minted_free_all(&dead);
}
