// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the part that is built into a patched kernel, by which the inet socket
 * layer finds the module.
 */
#include <linux/capability.h>
#include <linux/export.h>
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <net/libra.h>
#include <net/tcp.h>
#include <uapi/linux/libra.h>

DEFINE_STATIC_KEY_FALSE(libra_key);
EXPORT_SYMBOL_GPL(libra_key);

DEFINE_STATIC_KEY_FALSE(libra_strangers_key);
EXPORT_SYMBOL_GPL(libra_strangers_key);

const struct libra_hooks __rcu *libra_hooks;
EXPORT_SYMBOL_GPL(libra_hooks);

/**
 * __libra_enter() - has the current process payload memory?
 *
 * Context: process context.
 * Return: the process, with a reference by which the module stays, or NULL. The
 * reference is given back by libra_hooks.lazy_recvmsg or lazy_sendmsg.
 */
struct libra_process *__libra_enter(void)
{
	struct libra_process *process = NULL;
	const struct libra_hooks *hooks;

	rcu_read_lock();
	hooks = rcu_dereference(libra_hooks);
	if (hooks)
		process = hooks->enter();
	rcu_read_unlock();
	return process;
}
EXPORT_SYMBOL_GPL(__libra_enter);

/**
 * __libra_meet() - a socket is used that is not attached, and may have to be
 * @sk: TCP socket
 *
 * Context: process context; takes the socket lock.
 * Return: its attachment or NULL.
 */
struct libra_sock *__libra_meet(struct sock *sk)
{
	const struct libra_hooks *hooks;
	bool meets;

	rcu_read_lock();
	hooks = rcu_dereference(libra_hooks);
	meets = hooks && hooks->may_meet(sk);
	rcu_read_unlock();
	/* The module stays until it has given its reference back. */
	return meets ? hooks->meet(sk) : libra_of(sk);
}
EXPORT_SYMBOL_GPL(__libra_meet);

/**
 * libra_memcg_charge() - charge what anchors pin
 * @memcg: the receiving socket's, with a reference
 * @pages: how many
 * @must: they are pinned already; beyond the limit, too, where the next charge meets it
 *
 * As socket memory, which it was when it was received. Socket memory has no
 * exported interface that does without the socket, hence here.
 *
 * Context: any.
 * Return: false at the limit, if not @must.
 */
bool libra_memcg_charge(struct mem_cgroup *memcg, unsigned int pages, bool must)
{
#ifdef CONFIG_MEMCG
	return mem_cgroup_charge_skmem(memcg, pages, GFP_NOWAIT | __GFP_NOWARN |
				       (must ? __GFP_NOFAIL : 0));
#else
	return true;
#endif
}
EXPORT_SYMBOL_GPL(libra_memcg_charge);

/**
 * libra_memcg_uncharge() - take libra_memcg_charge() back
 * @memcg: the same
 * @pages: how many
 */
void libra_memcg_uncharge(struct mem_cgroup *memcg, unsigned int pages)
{
#ifdef CONFIG_MEMCG
	mem_cgroup_uncharge_skmem(memcg, pages);
#endif
}
EXPORT_SYMBOL_GPL(libra_memcg_uncharge);

/**
 * libra_setsockopt() - setsockopt(IPPROTO_TCP, TCP_LIBRA)
 * @sk: TCP socket
 * @optval: struct libra_attach
 * @optlen: its size
 *
 * The parser begins with the next byte that is read, and with the next that is
 * written: the caller knows that both are message boundaries.
 *
 * Context: process context, without the socket lock.
 * Return: 0; -EPERM without CAP_NET_ADMIN in the initial user namespace; -EINVAL;
 * -ENOTCONN unless the connection is established; -ENOENT without the module or
 * the parser; -EEXIST, -EOPNOTSUPP, -ENOMEM.
 */
int libra_setsockopt(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	const struct libra_hooks *hooks;
	struct libra_attach args;
	int err;

	/*
	 * Not in the socket's user namespace, of which anybody makes one: what an
	 * attached process learns of tokens is worth something to others' domains.
	 */
	if (!sockopt_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (optlen != sizeof(args))
		return -EINVAL;
	if (copy_from_sockptr(&args, optval, sizeof(args)))
		return -EFAULT;

	sockopt_lock_sock(sk);
	if (sk->sk_state != TCP_ESTABLISHED) {
		err = -ENOTCONN;
		goto out;
	}
	rcu_read_lock();
	hooks = rcu_dereference(libra_hooks);
	err = hooks ? hooks->attach(sk, &args) : -ENOENT;
	rcu_read_unlock();
out:
	sockopt_release_sock(sk);
	return err;
}
