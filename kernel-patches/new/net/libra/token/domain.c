// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: domains, within which VPIs are redeemed.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "check.h"
#include "token.h"

/**
 * libra_domain_get() - find or make a domain
 * @ln: network namespace
 * @id: the policy's number for it
 *
 * Context: any.
 * Return: the domain with a reference, or NULL when memory ran out.
 */
struct libra_domain *libra_domain_get(struct libra_net *ln, u32 id)
{
	struct libra_domain *dom;

	spin_lock_bh(&ln->lock);
	list_for_each_entry(dom, &ln->domains, node)
		/* One at zero is on its way out, see libra_domain_put(). */
		if (dom->id == id && refcount_inc_not_zero(&dom->ref))
			goto out;

	/* Charged to who asks for it by TCP_LIBRA; in a softirq nobody is known. */
	dom = kzalloc(sizeof(*dom), GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!dom)
		goto out;
	refcount_set(&dom->ref, 1);
	dom->net = ln;
	dom->id = id;
	dom->cookie = libra_vpi_cookie(ln->number, id);
	spin_lock_init(&dom->lock);
	INIT_LIST_HEAD(&dom->passing);
	INIT_LIST_HEAD(&dom->unmet);
	hash_init(dom->anchors);
	list_add(&dom->node, &ln->domains);
out:
	spin_unlock_bh(&ln->lock);
	return dom;
}

/**
 * libra_domain_put() - drop a reference
 * @dom: domain
 *
 * Context: any, without the domain lock.
 */
void libra_domain_put(struct libra_domain *dom)
{
	struct libra_net *ln = dom->net;

	if (!refcount_dec_and_test(&dom->ref))
		return;
	spin_lock_bh(&ln->lock);
	list_del(&dom->node);
	spin_unlock_bh(&ln->lock);
	libra_checks_free(dom);
	kfree(dom);
}

/**
 * libra_domain_has() - is there such a live anchor?
 * @ln: network namespace
 * @cookie: of the domain
 * @id: of the anchor
 *
 * Context: any.
 */
bool libra_domain_has(struct libra_net *ln, u64 cookie, u64 id)
{
	struct libra_domain *dom;
	bool live = false;

	spin_lock_bh(&ln->lock);
	list_for_each_entry(dom, &ln->domains, node)
		if (dom->cookie == cookie)
			live = live || libra_minted_is_live(dom, id);
	spin_unlock_bh(&ln->lock);
	return live;
}

/* Domains as they are now; each one with a reference, because msgs end in it. */
static void libra_for_each_domain(struct libra_net *ln,
				  void (*fn)(struct libra_domain *dom,
					     unsigned long arg),
				  unsigned long arg)
{
	struct libra_domain *dom, *last = NULL;

	spin_lock_bh(&ln->lock);
	list_for_each_entry(dom, &ln->domains, node) {
		if (!refcount_inc_not_zero(&dom->ref))
			continue;
		spin_unlock_bh(&ln->lock);
		if (last)
			libra_domain_put(last);
		fn(dom, arg);
		last = dom;
		spin_lock_bh(&ln->lock);
	}
	spin_unlock_bh(&ln->lock);
	if (last)
		libra_domain_put(last);
}

static void libra_purge_one(struct libra_domain *dom, unsigned long unused)
{
	libra_domain_purge(dom);
}

/**
 * libra_anchors_live() - how many anchors are there?
 * @ln: network namespace
 * @bytes: their payload
 *
 * Context: any.
 * Return: the number of those that could be redeemed.
 */
long libra_anchors_live(struct libra_net *ln, long *bytes)
{
	struct libra_domain *dom;
	long live = 0;

	*bytes = 0;
	spin_lock_bh(&ln->lock);
	list_for_each_entry(dom, &ln->domains, node) {
		spin_lock(&dom->lock);
		live += dom->live;
		*bytes += dom->live_bytes;
		spin_unlock(&dom->lock);
	}
	spin_unlock_bh(&ln->lock);
	return live;
}

static void libra_expire(struct work_struct *work)
{
	struct libra_net *ln = container_of(to_delayed_work(work),
					    struct libra_net, expire);
	unsigned int ttl = READ_ONCE(ln->sysctl.anchor_ttl_ms);
	long bytes;

	libra_for_each_domain(ln, libra_domain_expire, msecs_to_jiffies(ttl));
	libra_for_each_domain(ln, libra_checks_judge, msecs_to_jiffies(ttl));
	if (libra_anchors_live(ln, &bytes) || libra_checks_open(ln))
		libra_expire_later(ln);
}

/**
 * libra_expire_later() - see to it that forgotten anchors die, and messages are judged
 * @ln: network namespace in which there are any
 *
 * Context: any.
 */
void libra_expire_later(struct libra_net *ln)
{
	unsigned int ttl = READ_ONCE(ln->sysctl.anchor_ttl_ms);

	/* A look, before all processors write to it. */
	if (delayed_work_pending(&ln->expire))
		return;
	/* Not late by more than a second, or a fifth of a short time to live. */
	queue_delayed_work(system_power_efficient_wq, &ln->expire,
			   msecs_to_jiffies(min(ttl / 5 + 1, 1000U)));
}

/**
 * libra_domains_init() - a network namespace begins
 * @ln: network namespace
 */
void libra_domains_init(struct libra_net *ln)
{
	ln->number = get_random_u64();
	spin_lock_init(&ln->lock);
	INIT_LIST_HEAD(&ln->domains);
	INIT_LIST_HEAD(&ln->altered);
	INIT_DELAYED_WORK(&ln->expire, libra_expire);
}

/**
 * libra_domains_exit() - a network namespace ends
 * @ln: network namespace without attached sockets
 *
 * Context: process context.
 */
void libra_domains_exit(struct libra_net *ln)
{
	cancel_delayed_work_sync(&ln->expire);
	libra_for_each_domain(ln, libra_purge_one, 0);
	WARN_ON_ONCE(!list_empty(&ln->domains));
	libra_sessions_net_exit(ln);
}
