// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra on a patched kernel: a static key in the inet socket layer and a
 * pointer in the socket.
 */
#include <net/libra.h>

#include "libra.h"
#include "lazy/lazy.h"
#include "token/token.h"

struct libra_sock *libra_sk(const struct sock *sk)
{
	/* Pairs with the cmpxchg() in libra_hook_bind(). */
	return smp_load_acquire(&inet_csk(sk)->icsk_libra);
}

int libra_hook_bind(struct libra_sock *ls)
{
	struct libra_sock **where = &inet_csk(ls->sk)->icsk_libra;

	/* Full barrier: whoever sees the pointer sees what it points to. */
	return cmpxchg(where, NULL, ls) ? -EEXIST : 0;
}

void libra_hook_unbind(struct libra_sock *ls)
{
	WRITE_ONCE(inet_csk(ls->sk)->icsk_libra, NULL);
}

int libra_hook_install(void)
{
	static_branch_enable(&libra_key);
	return 0;
}

void libra_hook_remove(void)
{
	static_branch_disable(&libra_key);
}

void libra_hook_strangers(void)
{
	static_branch_enable(&libra_strangers_key);
}

static bool libra_static_may_meet(const struct sock *sk)
{
	return (libra_sock_is_early(sk) || libra_is_stranger(sk)) &&
	       try_module_get(THIS_MODULE);
}

/* Gives back the reference that libra_static_may_meet() took. */
static struct libra_sock *libra_static_meet(struct sock *sk)
{
	struct libra_sock *ls = libra_meet(sk);

	module_put(THIS_MODULE);
	return ls;
}

static int libra_static_attach(struct sock *sk, const struct libra_attach *args)
{
	return libra_attach_sock(sk, args, false);
}

static struct libra_process *libra_static_enter(void)
{
	return atomic_read(&libra_arenas) ? libra_process_enter() : NULL;
}

static const struct libra_hooks libra_static_hooks = {
	.recvmsg = libra_recvmsg,
	.sendmsg = libra_sendmsg,
	.release = libra_sock_release,
	.shutdown = libra_sock_shutdown,
	.attach = libra_static_attach,
	.may_meet = libra_static_may_meet,
	.meet = libra_static_meet,
	.enter = libra_static_enter,
	.lazy_recvmsg = libra_lazy_recvmsg,
	.lazy_sendmsg = libra_lazy_sendmsg,
};

/* The socket points to its attachment. */
int __init libra_hook_table_init(void)
{
	return 0;
}

void libra_hook_table_exit(void)
{
}

int __init libra_hook_backend_init(void)
{
	rcu_assign_pointer(libra_hooks, &libra_static_hooks);
	return 0;
}

void libra_hook_backend_exit(void)
{
	static_branch_disable(&libra_strangers_key);
	RCU_INIT_POINTER(libra_hooks, NULL);
	/* One of the functions in hook_core.c may be in there. */
	synchronize_rcu();
}
