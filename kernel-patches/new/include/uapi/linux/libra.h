/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Libra: selective data copying for TCP sockets.
 *
 * This header is the one ABI between the kernel, the BPF parsers and the
 * control daemon. The three include this very file; nothing in it is mirrored
 * by hand. It compiles as kernel C, as BPF C (after vmlinux.h) and as C++.
 */
#ifndef _UAPI_LINUX_LIBRA_H
#define _UAPI_LINUX_LIBRA_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define LIBRA_NAME_MAX		16	/* parser name with its NUL */
#define LIBRA_SCRATCH_SIZE	64	/* bytes of parser memory per socket */

/* Directions, seen from the attached socket. */
enum libra_dir {
	LIBRA_INGRESS	= 0,	/* what recv() returns */
	LIBRA_EGRESS	= 1,	/* what send() was given */
};

/* Who opened the connection. */
enum libra_role {
	LIBRA_ROLE_PASSIVE	= 0,	/* accepted: towards a client */
	LIBRA_ROLE_ACTIVE	= 1,	/* connected: towards an upstream */
};

/* What a parser answers about the bytes from the current position on. */
enum libra_verdict {
	LIBRA_META		= 1,	/* seg_len bytes that are copied */
	LIBRA_PAYLOAD		= 2,	/* seg_len bytes that may be anchored */
	LIBRA_PAYLOAD_UNTIL_CLOSE = 3,	/* all that follows may be anchored */
	LIBRA_NEED_MORE		= 4,	/* ask again at seg_len bytes or more */
	LIBRA_PASS		= 5,	/* native copies from here on, for good */
	LIBRA_RESYNC		= 6,	/* skip what is at hand, ask again */
	/*
	 * The same for a message whose payload is interrupted by metadata, such
	 * as chunk sizes. It matters on egress: a VPI may be cut there.
	 */
	LIBRA_FRAMING		= 7,	/* as META; the message goes on */
	LIBRA_PAYLOAD_PART	= 8,	/* as PAYLOAD; the message goes on */
	/*
	 * As PASS; and what comes in answer will not be understood either: to
	 * learn that from the answer would be too late, it may be anchored.
	 */
	LIBRA_PASS_BOTH		= 9,
};

/*
 * Why a parser passes, see libra_ctx.reason: X(enumerator, name, text). One list
 * makes the enum, the names in /proc/net/libra_passing and in the tracepoint, and
 * what librad's clients show. New ones come at the end.
 */
#define LIBRA_REASON_LIST(X)						\
	X(UNSAID,	"unsaid",	"the parser does not say why")	\
	X(FOREIGN,	"foreign",					\
	  "the stream is of another protocol, or not strictly of this one") \
	X(AMBIGUOUS,	"ambiguous",	"two readers could take it for two things") \
	X(LIMIT,	"limit",	"it is longer, or more, than the parser reads") \
	X(CHANGES,	"changes",	"it may go on in another protocol (Upgrade, CONNECT)") \
	X(ENCRYPTED,	"encrypted",	"the application decrypts it")	\
	X(UNMATCHED,	"unmatched",	"an answer without a question that was read") \
	X(COPIED,	"copied",	"what clients send is not to be anchored")

enum libra_reason {
#define X(e, name, text) LIBRA_REASON_##e,
	LIBRA_REASON_LIST(X)
#undef X
	LIBRA_REASON_MAX
};

enum libra_mode {
	LIBRA_MODE_OFF		= 0,	/* do not attach */
	LIBRA_MODE_DRY_RUN	= 1,	/* segment and count, copy natively */
	LIBRA_MODE_TOKEN	= 2,	/* anchor and redeem */
	/* left to lazy mode: this policy attaches nothing */
	LIBRA_MODE_LAZY		= 3,
};

/* libra_attach.flags */
/*
 * What clients send as well. Without it that is copied, whatever the parser
 * answers.
 */
#define LIBRA_F_ANCHOR_REQUESTS	(1U << 0)
#define LIBRA_F_ACTIVE		(1U << 1)	/* TCP_LIBRA: this end connected */
/* Leave the memory behind a VPI as it is, if net.libra.scrub lets a policy decide. */
#define LIBRA_F_NO_SCRUB	(1U << 2)
/*
 * Nobody's to ask for, and set by the kernel while a connection lives. A parser sees them in
 * libra_ctx.flags; with the first one, what it remembered is cleared.
 *
 * LIBRA_F_KTLS: kernel TLS encrypts what is sent. What the parser is shown is what the
 * application wants to have encrypted. Without the other flag what is received may be
 * encrypted; it is copied, and passes.
 *
 * LIBRA_F_KTLS_RX: kernel TLS decrypts what is received, and the parser is shown that.
 */
#define LIBRA_F_KTLS		(1U << 3)
#define LIBRA_F_KTLS_RX		(1U << 4)
/*
 * Check messages: one of 2^(n - 1) of those that come, n being this field, is copied and
 * looked for on its way out; with LIBRA_MODE_DRY_RUN each one, if n is not 0.
 */
#define LIBRA_F_CHECK_SHIFT	8
#define LIBRA_F_CHECK_MASK	(0x1fU << LIBRA_F_CHECK_SHIFT)
#define LIBRA_F_ALL		(LIBRA_F_ANCHOR_REQUESTS | LIBRA_F_ACTIVE |	\
				 LIBRA_F_NO_SCRUB | LIBRA_F_CHECK_MASK)

/* Of connections that no policy names, see net.libra.strangers. */
#define LIBRA_DOMAIN_NONE	0xffffffffU

/**
 * struct libra_attach - how to attach one socket
 * @parser: NUL-terminated name of a registered parser
 * @domain: attach domain; a VPI is only redeemed in the domain (and network
 *	namespace) that minted it, so both sides of a proxy share one; not
 *	LIBRA_DOMAIN_NONE
 * @mode: enum libra_mode
 * @flags: LIBRA_F_*
 * @policy: opaque to the kernel, reported in tracepoints
 *
 * The argument of bpf_libra_attach() and of setsockopt(TCP_LIBRA).
 */
struct libra_attach {
	char	parser[LIBRA_NAME_MAX];
	__u32	domain;
	__u32	mode;
	__u32	flags;
	__u32	policy;
};

/*
 * setsockopt(IPPROTO_TCP, TCP_LIBRA, struct libra_attach): only on a kernel
 * with the Libra patches, needs CAP_NET_ADMIN in the initial user namespace.
 */
#define TCP_LIBRA		210

#ifdef __bpf__
#define __libra_core __attribute__((preserve_access_index))
#else
#define __libra_core
#endif

/**
 * struct libra_ctx - one question to a parser
 * @dir: enum libra_dir
 * @role: enum libra_role
 * @flags: LIBRA_F_* of the attachment
 * @avail: bytes at hand from the current position on, at least one
 * @seg_len: the answer's length in bytes (written by the parser)
 * @conn: which connection: a number that no other socket of this boot has, the
 *	same for both directions, and the one that SO_COOKIE and ss(8) show; not 0
 * @reason: with LIBRA_PASS and LIBRA_PASS_BOTH why, enum libra_reason (written by
 *	the parser). What is not in the enum counts as LIBRA_REASON_UNSAID
 * @unused: 0
 * @scratch: memory of the parser (written by the parser): zero at attach,
 *	shared by both directions of the socket, kept until it closes
 *
 * The position only moves by segments: after META or PAYLOAD of n bytes it is
 * n further. After NEED_MORE it stays, and the next question shows the same
 * bytes and more behind them.
 */
struct libra_ctx {
	__u32	dir;
	__u32	role;
	__u32	flags;
	__u32	avail;
	__u64	seg_len;
	__u64	conn;
	__u32	reason;
	__u32	unused;
	__u8	scratch[LIBRA_SCRATCH_SIZE] __attribute__((aligned(8)));
} __libra_core;

/*
 * The version of what is between a parser and the kernel: the meaning of the
 * verdicts and of libra_ctx, and the kfuncs. It changes when a parser that was
 * right becomes wrong, not when something is added: fields are found by their
 * names. A kernel takes parsers from LIBRA_PARSER_ABI_MIN on.
 */
#define LIBRA_PARSER_ABI	1
#define LIBRA_PARSER_ABI_MIN	1

/**
 * struct libra_parser_ops - a parser (struct_ops "libra_parser_ops")
 * @segment: classifies the bytes at the current position; returns an enum
 *	libra_verdict. Runs under RCU and must not sleep. An answer out of
 *	range counts as LIBRA_PASS.
 * @name: how policies name the parser: [a-z0-9_-]
 * @abi: LIBRA_PARSER_ABI it was built for; others than the kernel takes, and 0,
 *	are refused (EPROTONOSUPPORT)
 * @keeps: version of what the parser keeps in libra_ctx.scratch. Another parser of
 *	that name and with that number can go on where this one is, see
 *	BPF_LINK_UPDATE in Documentation/networking/libra.rst
 */
struct libra_parser_ops {
	int (*segment)(struct libra_ctx *ctx);
	char name[LIBRA_NAME_MAX];
	__u32 abi;
	__u32 keeps;
};

#define LIBRA_PARSER_SECTION	"libra_parser"
#define LIBRA_VERSION_MAX	32	/* a parser's version with its NUL */

/**
 * struct libra_parser_info - what a BPF object says of its parser
 * @abi: as in libra_parser_ops; first, and the same in all versions of this
 * @keeps: as in libra_parser_ops
 * @name: as in libra_parser_ops
 * @version: the parser's own, for people: [A-Za-z0-9.+~_-]
 *
 * All of the object's section LIBRA_PARSER_SECTION, for loaders: it can be read
 * before the kernel is shown anything.
 */
struct libra_parser_info {
	__u32 abi;
	__u32 keeps;
	char name[LIBRA_NAME_MAX];
	char version[LIBRA_VERSION_MAX];
};

/*
 * kfuncs for struct_ops parsers:
 *
 * int bpf_libra_load(struct libra_ctx *ctx, u32 off, void *dst, u32 dst__sz)
 *	copies the dst__sz bytes at @off; 0, or -ERANGE when they are not all
 *	at hand.
 * int bpf_libra_find(struct libra_ctx *ctx, u32 off, u32 len,
 *		      const void *delim, u32 delim__sz)
 *	offset (from the current position) of the first occurrence of @delim
 *	that starts at or after @off and ends at or before @off + @len; -ENOENT
 *	when there is none. @len is cut to what is at hand. 1 to 16 bytes of
 *	delimiter.
 * int bpf_libra_find_below(struct libra_ctx *ctx, u32 off, u32 len, u32 limit)
 *	the same for the first byte that is less than @limit, 1 to 128.
 * u64 bpf_libra_skip_fields(struct libra_ctx *ctx, u32 off, u32 len, u64 sizes,
 *			     u32 lines)
 *	offset of the first line, from @off on, that is not "name: value" CRLF
 *	as a whole, without control characters, with a name of 1 to 63 visible
 *	characters whose number is not among @sizes (bit n: n characters). At
 *	most @lines are skipped; how many were is in the upper half.
 *
 * kfunc for the attach program (tp_btf/inet_sock_set_state, on the way to
 * TCP_ESTABLISHED):
 *
 * int bpf_libra_attach(const struct sock *sk, const struct libra_attach *args,
 *			u32 args__sz)
 *	0, -EINVAL (arguments, socket state), -ENOENT (no such parser),
 *	-EOPNOTSUPP (not TCP), -EEXIST, -ENOMEM.
 *
 * kfuncs for iter/tcp programs, for connections that are older than a policy,
 * and for its end:
 *
 * int bpf_libra_adopt(struct sock_common *skc, const struct libra_attach *args,
 *		       u32 args__sz)
 *	attaches a connection under way: it passes in both directions, and while
 *	it lives nothing is anchored that could be sent on it. The same errors.
 * int bpf_libra_stop(struct sock_common *skc, u32 policy)
 *	nothing more is anchored on a socket that this policy attached; -ENOENT
 *	when it did not.
 */

#ifdef __cplusplus
static_assert(sizeof(struct libra_attach) == 32, "ABI");
static_assert(sizeof(struct libra_ctx) == 104, "ABI");
static_assert(sizeof(struct libra_parser_info) == 56, "ABI");
#else
_Static_assert(sizeof(struct libra_attach) == 32, "ABI");
_Static_assert(sizeof(struct libra_ctx) == 104, "ABI");
_Static_assert(sizeof(struct libra_parser_info) == 56, "ABI");
#endif

#endif /* _UAPI_LINUX_LIBRA_H */
