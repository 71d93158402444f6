// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: domains, within which VPIs are redeemed.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "../libra.h"

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

	dom = kzalloc(sizeof(*dom), GFP_ATOMIC | __GFP_NOWARN);
	if (!dom)
		goto out;
	refcount_set(&dom->ref, 1);
	dom->net = ln;
	dom->id = id;
	dom->cookie = get_random_u64();
	spin_lock_init(&dom->lock);
	INIT_LIST_HEAD(&dom->msgs);
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
	kfree(dom);
}
