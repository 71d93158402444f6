// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the life of an attachment, from bpf_libra_attach() or TCP_LIBRA to the
 * socket's sk_destruct.
 *
 * There is no detach of a live socket: a task may sleep inside our code on its
 * behalf. Off means that its segmenters pass; the attachment, and with it the
 * reference on the module, ends with the socket.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <net/mptcp.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "../send.h"
#include "../trace.h"
#include "check.h"
#include "token.h"

atomic_t libra_attached = ATOMIC_INIT(0);

/* A cache of their own, because what is of kmalloc()'s cannot be charged later. */
static struct kmem_cache *libra_sock_cache;

/**
 * libra_sock_init() - prepare for attachments
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int __init libra_sock_init(void)
{
	libra_sock_cache = KMEM_CACHE(libra_sock, 0);
	return libra_sock_cache ? 0 : -ENOMEM;
}

/**
 * libra_sock_exit() - no attachment is left, nor one that waits for RCU
 *
 * Context: module exit, or init that failed.
 */
void libra_sock_exit(void)
{
	kmem_cache_destroy(libra_sock_cache);
}

/**
 * __libra_sock_used() - an attachment is used for the first time
 * @ls: attachment
 *
 * The caller's memory cgroup pays for it from now on. At the time of the attachment nobody
 * was known who could, as for the socket itself: accept() charges that. And the caller's
 * session may be handed VPIs, if that can be; otherwise libra_may_anchor() has it tried
 * again. Who is only counted, or passes, hands out none.
 *
 * Context: process context, of the application, without locks.
 */
void __libra_sock_used(struct libra_sock *ls)
{
	if (!xchg(&ls->charged, true))
		kmem_cache_charge(ls, GFP_KERNEL | __GFP_NOFAIL);
	if (!xchg(&ls->joined, true) && READ_ONCE(ls->mode) == LIBRA_MODE_TOKEN)
		libra_session_join();
}

static void libra_sock_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct libra_sock, rcu));
}

/* The last reference is dropped. Any context, without the domain lock. */
static void libra_sock_free(struct libra_account *account)
{
	struct libra_sock *ls = container_of(account, struct libra_sock, account);

	libra_parser_put(ls->parser);
	libra_domain_put(ls->dom);
	/* libra_sk() looks it up under RCU. */
	call_rcu(&ls->rcu, libra_sock_free_rcu);
}

/**
 * libra_sock_init_account() - of what its anchors are charged to
 * @ls: attachment without references
 * @ln: its network namespace
 */
void libra_sock_init_account(struct libra_sock *ls, struct libra_net *ln)
{
	refcount_set(&ls->account.ref, 1);
	ls->account.release = libra_sock_free;
	ls->account.net = ln;
	ls->account.limit = &ln->sysctl.max_socket_bytes;
	ls->account.at_limit = LIBRA_MIB_FB_SOCKET_LIMIT;
	ls->net = ln;
}

/*
 * The socket goes: drop what it holds of others. Twice is fine: once when the
 * application closes it, once when it is freed (an embryo is never closed).
 */
static void libra_sock_cleanup(struct libra_sock *ls, bool exiting)
{
	ls->released = true;
	if (ls->tx.redeemed) {
		libra_minted_free(ls->tx.redeemed);
		ls->tx.redeemed = NULL;
	}
	ls->tx.owed = 0;
	if (ls->rx.msg) {
		libra_msg_put(ls->rx.msg);
		ls->rx.msg = NULL;
	}
	libra_sock_end_messages(ls, exiting);
	libra_check_free(ls);
	libra_passing_end(ls);
}

/*
 * Where a socket's destructor goes. Of one for which a device does TLS, TLS's own is on
 * top, and has to stay there: by it TLS and drivers know such a socket (or put a second
 * one on top, tls_device_attach()). It calls what was there before, so ours goes below.
 * What comes on top of ours later calls ours.
 *
 * Under the socket lock, as whatever sets up TLS, or before it can be. A context that has a
 * destructor stays until that has run.
 */
static void (**libra_destruct_of(struct sock *sk))(struct sock *sk)
{
	struct tls_context *tls = libra_tls_of(sk);

	return tls && tls->sk_destruct ? &tls->sk_destruct : &sk->sk_destruct;
}

/*
 * In place of sk_destruct, or called by what came on top of it. Any context; nobody
 * else has the socket any more.
 */
static void libra_sk_destruct(struct sock *sk)
{
	struct libra_sock *ls = libra_sk(sk);
	typeof(sk->sk_destruct) destruct = ls->destruct;

	/*
	 * Without the module reference that is dropped below, this code may go
	 * away. libra_exit() waits for RCU readers and for tasks that were
	 * preempted in here.
	 */
	rcu_read_lock();
	libra_hook_unbind(ls);
	libra_sock_cleanup(ls, false);
	libra_seg_free_later(&ls->rx.seg);
	libra_seg_free_later(&ls->tx.seg);
	atomic_long_dec(&ls->net->attached);
	atomic_dec(&libra_attached);
	trace_libra_detach(sk);
	ls->sk = NULL;
	libra_account_put(&ls->account);

	destruct(sk);
	libra_hook_update();
	module_put(THIS_MODULE);
	rcu_read_unlock();
}

/*
 * What is below TLS, if that came before us; it may go on as if it had come later. Where
 * libra_destruct_of() may be called.
 */
static const struct proto *libra_prot_of(const struct sock *sk)
{
	const struct tls_context *tls = libra_tls_of(sk);

	return tls ? tls->sk_proto : sk->sk_prot;
}

static int libra_attach_check(const struct sock *sk,
			      const struct libra_attach *args)
{
	if (args->mode > LIBRA_MODE_LAZY || args->flags & ~LIBRA_F_ALL ||
	    args->domain == LIBRA_DOMAIN_NONE || !libra_name_valid(args->parser))
		return -EINVAL;
	if (!sk_fullsock(sk) || !sk_is_tcp(sk))
		return -EOPNOTSUPP;
	/* The kernel's own do not keep their network namespace, nor what we have there. */
	if (!sk->sk_net_refcnt)
		return -EOPNOTSUPP;
	return 0;
}

/*
 * A stream that we do not see from its beginning, or not at all. Such a socket
 * is attached all the same, passing in both directions: while it lives, its
 * domain mints no VPI that could reach its peer.
 */
static enum libra_mib libra_attach_why_pass(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	/* The stream of an MPTCP subflow is not what the application sees. */
	if (sk_is_mptcp(sk))
		return LIBRA_MIB_FB_ULP;
	/* A ULP or a sockmap got in first: we would not be above it. */
	if (sk->sk_prot->recvmsg != tcp_prot.recvmsg ||
	    sk->sk_prot->sendmsg != tcp_prot.sendmsg)
		return LIBRA_MIB_FB_ULP;
	/* TCP Fast Open of ours: there is, or will be, data in the SYN. */
	if (tp->syn_data || tp->syn_fastopen || inet_test_bit(DEFER_CONNECT, sk))
		return LIBRA_MIB_FB_RESYNC;
	/*
	 * TCP Fast Open of a client: what its SYN brought waits to be read, unless
	 * the application was here before us. Before TCP_ESTABLISHED nobody else
	 * can have read or sent anything.
	 */
	if (sk->sk_state == TCP_SYN_RECV &&
	    (libra_rx_pos(sk) || tp->bytes_sent || tp->write_seq != tp->snd_nxt))
		return LIBRA_MIB_FB_RESYNC;
	return LIBRA_MIB_MAX;
}

/* What SO_COOKIE gives; sock_gen_cookie() is not for modules. */
static u64 libra_conn_id(struct sock *sk)
{
	u32 cookie[2];

	sock_diag_save_cookie(sk, cookie);
	return (u64)cookie[1] << 32 | cookie[0];
}

/* @parser: with a reference that is taken over; @why: it passes, or LIBRA_MIB_MAX. */
static int libra_attach_as(struct sock *sk, const struct libra_attach *args,
			   struct libra_parser *parser, enum libra_mib why, gfp_t gfp)
{
	struct libra_net *ln = libra_net(sock_net(sk));
	typeof(sk->sk_destruct) *destruct;
	struct libra_sock *ls;
	int err;

	err = -ENOENT;
	if (!try_module_get(THIS_MODULE))
		goto put_parser;

	err = -ENOMEM;
	ls = kmem_cache_zalloc(libra_sock_cache, gfp | __GFP_NOWARN);
	if (!ls)
		goto put_module;
	ls->dom = libra_domain_get(ln, args->domain);
	if (!ls->dom)
		goto free;

	ls->sk = sk;
	ls->parser = parser;
	libra_sock_init_account(ls, ln);
	ls->prot = libra_prot_of(sk);
	ls->plain = ls->prot->sendmsg == tcp_prot.sendmsg;
	ls->under_tls = libra_tls_is_under_way(sk);
	ls->mode = args->mode;
	ls->disconnects = sk->sk_disconnects;
	ls->role = sk->sk_state == TCP_SYN_SENT || args->flags & LIBRA_F_ACTIVE ?
		   LIBRA_ROLE_ACTIVE : LIBRA_ROLE_PASSIVE;
	ls->policy = args->policy;
	ls->stranger = why == LIBRA_MIB_FB_STRANGER;
	spin_lock_init(&ls->parse_lock);
	mutex_init(&ls->tx_lock);
	libra_late_init(ls);
	INIT_LIST_HEAD(&ls->minted);
	INIT_LIST_HEAD(&ls->redeeming);
	INIT_LIST_HEAD(&ls->passing.uses);
	ls->call.ctx.role = ls->role;
	ls->call.ctx.flags = args->flags & ~LIBRA_F_CHECK_MASK;
	ls->call.ctx.conn = libra_conn_id(sk);
	ls->rx.pos = libra_rx_pos(sk);
	ls->tx.seq = tcp_sk(sk)->write_seq;

	libra_check_init(ls, args->flags);
	err = libra_hook_bind(ls);
	if (err)
		goto put_domain;

	if (why != LIBRA_MIB_MAX) {
		libra_seg_pass(ls, LIBRA_INGRESS, why);
		libra_seg_pass(ls, LIBRA_EGRESS, why);
	}

	destruct = libra_destruct_of(sk);
	ls->destruct = *destruct;
	WRITE_ONCE(*destruct, libra_sk_destruct);
	atomic_long_inc(&ln->attached);
	atomic_inc(&libra_attached);
	LIBRA_INC(ln, LIBRA_MIB_ATTACH);
	trace_libra_attach(sk, ls->parser->name, ls->dom->id, ls->policy);
	return 0;

put_domain:
	libra_domain_put(ls->dom);
free:
	kmem_cache_free(libra_sock_cache, ls);
put_module:
	module_put(THIS_MODULE);
put_parser:
	libra_parser_put(parser);
	LIBRA_INC(ln, LIBRA_MIB_ATTACH_REFUSED);
	return err;
}

/**
 * libra_attach_sock() - attach a TCP socket
 * @sk: on its way to TCP_ESTABLISHED (bpf_libra_attach()) or locked (TCP_LIBRA and
 *	bpf_libra_adopt(), established; libra_sock_early(), not yet); in any case
 *	nobody else changes sk_destruct
 * @args: how
 * @adopt: the stream is under way: pass
 *
 * Context: atomic.
 * Return: 0; -EINVAL, -EOPNOTSUPP, -EEXIST, -ENOENT for an unknown parser,
 * -ENOMEM. Nothing is attached then.
 */
int libra_attach_sock(struct sock *sk, const struct libra_attach *args,
		      bool adopt)
{
	struct libra_parser *parser;
	int err;

	err = libra_attach_check(sk, args);
	if (err)
		goto refused;
	if (args->mode == LIBRA_MODE_OFF || args->mode == LIBRA_MODE_LAZY)
		return 0;
	parser = libra_parser_get(args->parser);
	err = -ENOENT;
	if (!parser)
		goto refused;
	return libra_attach_as(sk, args, parser, adopt ? LIBRA_MIB_FB_ADOPTED :
							 libra_attach_why_pass(sk),
			       GFP_ATOMIC);

refused:
	LIBRA_INC(libra_net(sock_net(sk)), LIBRA_MIB_ATTACH_REFUSED);
	return err;
}

/**
 * libra_attach_stranger() - attach a connection that no policy names
 * @sk: TCP socket that may send, locked
 * @accepted: it is a client's
 *
 * Context: under the socket lock.
 * Return: as libra_attach_sock() does.
 */
int libra_attach_stranger(struct sock *sk, bool accepted)
{
	static struct libra_parser none = {
		.ref = REFCOUNT_INIT(1),	/* never dropped */
		.name = "-",
	};
	const struct libra_attach args = {
		.mode = LIBRA_MODE_DRY_RUN,
		.domain = LIBRA_DOMAIN_NONE,
		.flags = accepted ? 0 : LIBRA_F_ACTIVE,
	};

	int err = -ENOENT;

	/*
	 * No other is attached without a parser, by which the hooks are in place. Counted
	 * first, so that they stay, or there is no parser any more. See hook.c.
	 */
	atomic_inc(&libra_attached);
	smp_mb__after_atomic(); /* as between taking the last parser away and a look at it */
	if (libra_parsers_registered()) {
		refcount_inc(&none.ref);
		err = libra_attach_as(sk, &args, &none, LIBRA_MIB_FB_STRANGER, GFP_KERNEL);
	}
	atomic_dec(&libra_attached);
	libra_hook_update();
	return err;
}

/**
 * libra_sock_is_fast_open() - may this connection send before it is established?
 * @sk: TCP socket
 *
 * Return: true for TCP Fast Open, in either role, before the handshake is over.
 */
bool libra_sock_is_fast_open(const struct sock *sk)
{
	return tcp_passive_fastopen(sk) ||
	       (sk->sk_state == TCP_SYN_SENT && inet_test_bit(DEFER_CONNECT, sk));
}

/**
 * libra_sock_early() - a socket that is not established is used
 * @sk: TCP socket of which the state was TCP_SYN_RECV or TCP_SYN_SENT
 *
 * A client that comes by TCP Fast Open is accepted, read and answered before its
 * socket is TCP_ESTABLISHED, where policies attach it; so is data given to a
 * socket that goes with the SYN (TCP_FASTOPEN_CONNECT). VPIs in there would leave
 * as if they were data. So whoever has a policy is asked before the first byte
 * passes. What is attached here is not attached again later (-EEXIST).
 *
 * Context: process context, under the socket lock: the handshake cannot end, nor
 * does anybody else change sk_destruct, until it is released.
 */
void libra_sock_early(struct sock *sk)
{
	if (!libra_sk(sk) && libra_sock_is_fast_open(sk))
		trace_libra_early(sk);
}

/**
 * libra_policy_unmet() - a connection that a policy names is not attached
 * @sk: TCP socket
 * @err: why
 *
 * It may be a client's. VPIs that reach it would be sent to its peer as if they
 * were data, so nothing more is anchored in its network namespace until who
 * attaches has adopted it, or knows that it is gone, and takes it off
 * net.libra.unattached.
 *
 * Context: atomic.
 */
void libra_policy_unmet(const struct sock *sk, int err)
{
	struct libra_net *ln = libra_net(sock_net(sk));

	if (atomic_long_inc_return(&ln->unattached) == 1)
		pr_warn("libra: a connection could not be attached (%d); nothing is anchored until it is adopted\n",
			err);
}

/**
 * libra_sock_stop() - anchor nothing more on this socket
 * @ls: attachment
 *
 * What it anchored before is still redeemed.
 *
 * Context: any.
 */
void libra_sock_stop(struct libra_sock *ls)
{
	libra_check_stop(ls);
	WRITE_ONCE(ls->mode, LIBRA_MODE_DRY_RUN);
}

/**
 * libra_sock_adopt_again() - a new policy finds a socket attached
 * @ls: attachment
 * @args: the policy's
 *
 * If it was attached because no policy named it, it is this one's now; it passes
 * anyhow. If its parser is gone, it passes from its next byte on.
 *
 * Context: under the socket lock.
 * Return: 0 if it was adopted, or -EEXIST.
 */
int libra_sock_adopt_again(struct libra_sock *ls, const struct libra_attach *args)
{
	if (ls->stranger) {
		WRITE_ONCE(ls->stranger, false);
		WRITE_ONCE(ls->policy, args->policy);
		LIBRA_INC(ls->net, LIBRA_MIB_FB_ADOPTED);
		return 0;
	}
	if (!rcu_access_pointer(ls->parser->ops))
		libra_passing_begin(ls, LIBRA_MIB_FB_PARSER_GONE,
				    LIBRA_REASON_UNSAID);
	return -EEXIST;
}

/**
 * libra_fail_stop() - it is too late for a copy: abort the connection
 * @ls: attachment
 * @why: LIBRA_MIB_FS_*
 *
 * The peer gets a reset, the application ECONNABORTED.
 *
 * Context: process context, without the socket lock.
 */
void libra_fail_stop(struct libra_sock *ls, enum libra_mib why)
{
	LIBRA_INC(ls->net, why);
	trace_libra_fail_stop(ls->sk, libra_mib_names[why], ls->policy);
	net_warn_ratelimited("libra: connection aborted: %s (port %u, domain %u)\n",
			     libra_mib_names[why], inet_sk(ls->sk)->inet_num,
			     ls->dom->id);
	tcp_abort(ls->sk, ECONNABORTED);
}

/* Bytes that wait to be recognised as a VPI cannot be left behind. */
static void libra_end_of_stream(struct libra_sock *ls, bool alone)
{
	if (!xchg(&ls->ended, true) && !libra_hold_end(ls, alone))
		libra_fail_stop(ls, LIBRA_MIB_FS_CUT);
}

/**
 * libra_sock_release() - the application closed an attached socket
 * @ls: attachment; nobody else uses the socket any more
 *
 * Context: process context, before inet_release() does its work.
 */
void libra_sock_release(struct libra_sock *ls)
{
	libra_end_of_stream(ls, true);
	libra_check_shut(ls);
	libra_late_end(ls);
	libra_sock_cleanup(ls, current->flags & PF_EXITING);
}

/**
 * libra_sock_shutdown() - shutdown(2) on an attached socket
 * @ls: attachment
 * @how: as for shutdown(2)
 *
 * Context: process context, before inet_shutdown() does its work.
 */
void libra_sock_shutdown(struct libra_sock *ls, int how)
{
	if (how != SHUT_WR && how != SHUT_RDWR)
		return;
	libra_end_of_stream(ls, false);
	libra_check_shut(ls);
	/* A server that refuses its client may wait long for its end. */
	libra_passing_over(ls);
}
