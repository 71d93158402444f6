// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: selective data copying for TCP sockets.
 *
 * Module and network namespace life. See Documentation/networking/libra.rst.
 */
#include <linux/module.h>
#include <net/netns/generic.h>

#include "libra.h"
#include "lazy/lazy.h"
#include "token/check.h"
#include "token/token.h"

unsigned int libra_net_id __read_mostly;

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

static int __net_init libra_net_init(struct net *net)
{
	struct libra_net *ln = libra_net(net);
	int err;

	ln->net = net;
	libra_domains_init(ln);

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

	libra_domains_exit(ln);
	WARN_ON_ONCE(atomic_long_read(&ln->charge));
	libra_sysctl_exit(ln);
	libra_mib_exit(ln);
	/* Whoever read the file of it has done so. */
	libra_altered_free(ln);
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

	/* A look at much payload memory takes its time: not at the cost of a processor. */
	libra_wq = alloc_workqueue("libra", WQ_UNBOUND, 0);
	if (!libra_wq)
		return -ENOMEM;
	err = libra_sock_init();
	if (err)
		goto destroy_wq;
	err = libra_hook_table_init();
	if (err)
		goto sock_exit;
	/* From here on there are files, whose readers look sockets up. */
	err = register_pernet_subsys(&libra_net_ops);
	if (err)
		goto table_exit;
	err = libra_hook_init();
	if (err)
		goto unregister;
	err = libra_bpf_init();
	if (err)
		goto hook_exit;
	/* The last, because from then on there are users. */
	err = libra_lazy_init();
	if (err)
		goto hook_exit;
	return 0;

hook_exit:
	libra_hook_exit();
unregister:
	unregister_pernet_subsys(&libra_net_ops);
table_exit:
	libra_hook_table_exit();
sock_exit:
	libra_sock_exit();
destroy_wq:
	destroy_workqueue(libra_wq);
	return err;
}

static void __exit libra_exit(void)
{
	/*
	 * The module's references are held by parsers, attached sockets and
	 * payload memory. There are none; but the last socket may still be on its way out of
	 * libra_sk_destruct(), and its memory may wait for RCU.
	 */
	libra_lazy_exit();
	destroy_workqueue(libra_wq);
	libra_hook_exit();
	rcu_barrier();
	synchronize_rcu();
	unregister_pernet_subsys(&libra_net_ops);
	libra_hook_table_exit();
	libra_sessions_exit();
	rcu_barrier();
	libra_sock_exit();
}

module_init(libra_init);
module_exit(libra_exit);
MODULE_DESCRIPTION("Libra: selective data copying for TCP sockets");
MODULE_LICENSE("GPL");
