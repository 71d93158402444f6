/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: tracepoints for what an operator would ask.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM libra

#if !defined(_NET_LIBRA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NET_LIBRA_TRACE_H

#include <linux/tracepoint.h>
#include <net/sock.h>

/* The hashed pointer tells sockets apart, the ports say which they are. */
#define LIBRA_SK_FIELDS							\
	__field(const void *, sk)					\
	__field(u16, sport)						\
	__field(u16, dport)
#define LIBRA_SK_ASSIGN							\
	__entry->sk = sk;						\
	__entry->sport = sk->sk_num;					\
	__entry->dport = ntohs(sk->sk_dport)
#define LIBRA_SK_FMT	"sk=%p sport=%u dport=%u "
#define LIBRA_SK_ARGS	__entry->sk, __entry->sport, __entry->dport

TRACE_EVENT(libra_attach,
	TP_PROTO(const struct sock *sk, const char *parser, u32 domain,
		 u32 policy),
	TP_ARGS(sk, parser, domain, policy),
	TP_STRUCT__entry(
		LIBRA_SK_FIELDS
		__string(parser, parser)
		__field(u32, domain)
		__field(u32, policy)
	),
	TP_fast_assign(
		LIBRA_SK_ASSIGN;
		__assign_str(parser);
		__entry->domain = domain;
		__entry->policy = policy;
	),
	TP_printk(LIBRA_SK_FMT "parser=%s domain=%u policy=%u", LIBRA_SK_ARGS,
		  __get_str(parser), __entry->domain, __entry->policy)
);

DECLARE_EVENT_CLASS(libra_sk_class,
	TP_PROTO(const struct sock *sk),
	TP_ARGS(sk),
	TP_STRUCT__entry(LIBRA_SK_FIELDS),
	TP_fast_assign(LIBRA_SK_ASSIGN;),
	TP_printk(LIBRA_SK_FMT, LIBRA_SK_ARGS)
);

DEFINE_EVENT(libra_sk_class, libra_detach,
	TP_PROTO(const struct sock *sk),
	TP_ARGS(sk)
);

/*
 * An application uses a connection before its handshake is over (TCP Fast Open).
 * Programs that attach connections do so here, too; see libra_sock_early().
 */
DEFINE_EVENT(libra_sk_class, libra_early,
	TP_PROTO(const struct sock *sk),
	TP_ARGS(sk)
);

/* VPI ids are secrets only until the anchor is gone, but show a part all the same. */
DECLARE_EVENT_CLASS(libra_anchor_class,
	TP_PROTO(const struct sock *sk, u64 id, u32 len),
	TP_ARGS(sk, id, len),
	TP_STRUCT__entry(
		LIBRA_SK_FIELDS
		__field(u32, id)
		__field(u32, len)
	),
	TP_fast_assign(
		LIBRA_SK_ASSIGN;
		__entry->id = (u32)id;
		__entry->len = len;
	),
	TP_printk(LIBRA_SK_FMT "anchor=%08x len=%u", LIBRA_SK_ARGS,
		  __entry->id, __entry->len)
);

DEFINE_EVENT(libra_anchor_class, libra_anchor,
	TP_PROTO(const struct sock *sk, u64 id, u32 len),
	TP_ARGS(sk, id, len)
);

DEFINE_EVENT(libra_anchor_class, libra_redeem,
	TP_PROTO(const struct sock *sk, u64 id, u32 len),
	TP_ARGS(sk, id, len)
);

TRACE_EVENT(libra_reclaim,
	TP_PROTO(u64 id, u32 len, const char *why),
	TP_ARGS(id, len, why),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, len)
		__string(why, why)
	),
	TP_fast_assign(
		__entry->id = (u32)id;
		__entry->len = len;
		__assign_str(why);
	),
	TP_printk("anchor=%08x len=%u why=%s", __entry->id, __entry->len,
		  __get_str(why))
);

TRACE_EVENT(libra_fallback,
	TP_PROTO(const struct sock *sk, int dir, const char *why,
		 const char *reason),
	TP_ARGS(sk, dir, why, reason),
	TP_STRUCT__entry(
		LIBRA_SK_FIELDS
		__field(int, dir)
		__string(why, why)
		__string(reason, reason)
	),
	TP_fast_assign(
		LIBRA_SK_ASSIGN;
		__entry->dir = dir;
		__assign_str(why);
		__assign_str(reason);
	),
	TP_printk(LIBRA_SK_FMT "dir=%s why=%s reason=%s", LIBRA_SK_ARGS,
		  __entry->dir ? "egress" : "ingress", __get_str(why),
		  __get_str(reason))
);

TRACE_EVENT(libra_fail_stop,
	TP_PROTO(const struct sock *sk, const char *why, u32 policy),
	TP_ARGS(sk, why, policy),
	TP_STRUCT__entry(
		LIBRA_SK_FIELDS
		__string(why, why)
		__field(u32, policy)
	),
	TP_fast_assign(
		LIBRA_SK_ASSIGN;
		__assign_str(why);
		__entry->policy = policy;
	),
	TP_printk(LIBRA_SK_FMT "why=%s policy=%u", LIBRA_SK_ARGS, __get_str(why),
		  __entry->policy)
);

/* A message was copied, and its receiver has sent something else instead. */
TRACE_EVENT(libra_altered,
	TP_PROTO(u32 policy, u16 sport, u16 dport, u64 len),
	TP_ARGS(policy, sport, dport, len),
	TP_STRUCT__entry(
		__field(u32, policy)
		__field(u16, sport)
		__field(u16, dport)
		__field(u64, len)
	),
	TP_fast_assign(
		__entry->policy = policy;
		__entry->sport = sport;
		__entry->dport = dport;
		__entry->len = len;
	),
	TP_printk("policy=%u sport=%u dport=%u len=%llu", __entry->policy, __entry->sport,
		  __entry->dport, __entry->len)
);

/* Lazy mode: these bytes of user memory are in the kernel, and were not written. */
TRACE_EVENT(libra_lazy_receive,
	TP_PROTO(const struct sock *sk, unsigned long addr, u32 len),
	TP_ARGS(sk, addr, len),
	TP_STRUCT__entry(
		LIBRA_SK_FIELDS
		__field(unsigned long, addr)
		__field(u32, len)
	),
	TP_fast_assign(
		LIBRA_SK_ASSIGN;
		__entry->addr = addr;
		__entry->len = len;
	),
	TP_printk(LIBRA_SK_FMT "addr=%lx len=%u", LIBRA_SK_ARGS,
		  __entry->addr, __entry->len)
);

/* Lazy mode: somebody looked at a page of them, and they were written. */
TRACE_EVENT(libra_lazy_fill,
	TP_PROTO(unsigned long addr, bool user),
	TP_ARGS(addr, user),
	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->addr = addr;
		__entry->user = user;
	),
	TP_printk("addr=%lx by=%s", __entry->addr,
		  __entry->user ? "user" : "kernel")
);

#endif /* _NET_LIBRA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
