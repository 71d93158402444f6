// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: selective data copying for TCP sockets.
 *
 * Module and network namespace life. See Documentation/networking/libra.rst.
 */
#include <linux/module.h>
#include <net/netns/generic.h>

#include "libra.h"

unsigned int libra_net_id __read_mostly;
bool libra_vpi_minted __read_mostly;

/**
 * libra_net() - Libra's part of a network namespace
 * @net: network namespace
 *
 * Return: never NULL while the module is loaded.
 */
struct libra_net *libra_net(const struct net *net)
{
	return net_generic(net, libra_net_id);
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

static void libra_expire(struct work_struct *work)
{
	struct libra_net *ln = container_of(to_delayed_work(work),
					    struct libra_net, expire);
	unsigned int ttl = READ_ONCE(ln->sysctl.anchor_ttl_ms);

	libra_for_each_domain(ln, libra_domain_expire, msecs_to_jiffies(ttl));
	if (atomic_long_read(&ln->anchors))
		libra_expire_later(ln);
}

/**
 * libra_expire_later() - see to it that forgotten anchors die
 * @ln: network namespace in which there are anchors
 *
 * Context: any.
 */
void libra_expire_later(struct libra_net *ln)
{
	unsigned int ttl = READ_ONCE(ln->sysctl.anchor_ttl_ms);

	/* Not late by more than a second, or a fifth of a short time to live. */
	queue_delayed_work(system_power_efficient_wq, &ln->expire,
			   msecs_to_jiffies(min(ttl / 5 + 1, 1000U)));
}

static int __net_init libra_net_init(struct net *net)
{
	struct libra_net *ln = libra_net(net);
	int err;

	ln->net = net;
	spin_lock_init(&ln->lock);
	INIT_LIST_HEAD(&ln->domains);
	INIT_DELAYED_WORK(&ln->expire, libra_expire);

	err = libra_mib_init(ln);
	if (err)
		return err;
	err = libra_sysctl_init(ln);
	if (err) {
		libra_mib_exit(ln);
		return err;
	}
	return 0;
}

static void __net_exit libra_net_exit(struct net *net)
{
	struct libra_net *ln = libra_net(net);

	cancel_delayed_work_sync(&ln->expire);
	libra_for_each_domain(ln, libra_purge_one, 0);
	WARN_ON_ONCE(!list_empty(&ln->domains));
	WARN_ON_ONCE(atomic_long_read(&ln->charge));
	libra_sysctl_exit(ln);
	libra_mib_exit(ln);
}

static struct pernet_operations libra_net_ops = {
	.init = libra_net_init,
	.exit = libra_net_exit,
	.id = &libra_net_id,
	.size = sizeof(struct libra_net),
};

struct workqueue_struct *libra_wq;

static int __init libra_init(void)
{
	int err;

	libra_vpi_init();

	libra_wq = alloc_workqueue("libra", 0, 0);
	if (!libra_wq)
		return -ENOMEM;
	err = register_pernet_subsys(&libra_net_ops);
	if (err)
		goto destroy_wq;
	err = libra_hook_init();
	if (err)
		goto unregister;
	err = libra_bpf_init();
	if (err)
		goto hook_exit;
	return 0;

hook_exit:
	libra_hook_exit();
unregister:
	unregister_pernet_subsys(&libra_net_ops);
destroy_wq:
	destroy_workqueue(libra_wq);
	return err;
}

static void __exit libra_exit(void)
{
	/*
	 * The module's references are held by parsers and attached sockets.
	 * There are none; but the last socket may still be on its way out of
	 * libra_sk_destruct(), perhaps in a work of ours, and its memory may
	 * wait for RCU.
	 */
	destroy_workqueue(libra_wq);
	libra_hook_exit();
	rcu_barrier();
	synchronize_rcu();
	unregister_pernet_subsys(&libra_net_ops);
	rcu_barrier();
}

module_init(libra_init);
module_exit(libra_exit);
MODULE_DESCRIPTION("Libra: selective data copying for TCP sockets");
MODULE_LICENSE("GPL");
