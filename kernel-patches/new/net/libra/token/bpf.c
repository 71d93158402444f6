// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: parsers as BPF struct_ops, and the kfuncs for them and for the attach
 * program. Modelled on the interfaces of net/ipv4/bpf_tcp_ca.c.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <net/tcp.h>

#include "call.h"
#include "token.h"

__bpf_kfunc_start_defs();

/**
 * bpf_libra_load() - bytes of the stream
 * @ctx: the parser's argument
 * @off: from the current position on
 * @dst: where to
 * @dst__sz: how many
 *
 * Return: 0, or -ERANGE when they are not all at hand.
 */
__bpf_kfunc int bpf_libra_load(struct libra_ctx *ctx, u32 off, void *dst,
			       u32 dst__sz)
{
	return libra_call_load(ctx, off, dst, dst__sz);
}

/**
 * bpf_libra_find() - look for a delimiter
 * @ctx: the parser's argument
 * @off: where to begin, from the current position on
 * @len: how far to look; cut to what is at hand
 * @delim: the delimiter
 * @delim__sz: 1 to 16 bytes
 *
 * Return: the offset, from the current position on, of the first occurrence
 * that lies in the range as a whole; -ENOENT or -EINVAL.
 */
__bpf_kfunc int bpf_libra_find(struct libra_ctx *ctx, u32 off, u32 len,
			       const void *delim, u32 delim__sz)
{
	return libra_call_find(ctx, off, len, delim, delim__sz);
}

/**
 * bpf_libra_find_below() - look for the first byte below a limit
 * @ctx: the parser's argument
 * @off: where to begin, from the current position on
 * @len: how far to look; cut to what is at hand
 * @limit: 1 to 128; ' ' finds the control characters of ASCII
 *
 * Return: its offset, from the current position on; -ENOENT or -EINVAL.
 */
__bpf_kfunc int bpf_libra_find_below(struct libra_ctx *ctx, u32 off, u32 len,
				     u32 limit)
{
	return libra_call_find_below(ctx, off, len, limit);
}

/**
 * bpf_libra_skip_fields() - go over header fields that need not be seen
 * @ctx: the parser's argument
 * @off: where the first one begins, from the current position on
 * @len: how far to look; cut to what is at hand
 * @sizes: where bit n is set, a field whose name has n bytes is not skipped;
 *	nor is one with a name of more than 63 bytes
 * @lines: at most so many
 *
 * Only lines that are whole and that nobody reads in another way are skipped,
 * see libra_skip_fields().
 *
 * The form of such a line, "name: value" CRLF, is not one protocol's: HTTP/1, RTSP,
 * SIP, ICAP and mail have it of RFC 822. It is fixed all the same, and no argument. A
 * call has five, so colon, line end and limits would have to be packed into one; and
 * the search for bytes that the compiler does not know takes 3221 instructions in
 * place of 2890 for the nine fields and 370 bytes of an nginx's header. Whoever has
 * lines of another form finds their ends with bpf_libra_find().
 *
 * Return: how many were skipped, in the high 32 bits; in the low ones the
 * offset, from the current position on, of the first line that was not, or @off
 * if that is not at hand. In one integer, as a pointer to the verifier's stack
 * would make it follow a parser's loop twice.
 */
__bpf_kfunc u64 bpf_libra_skip_fields(struct libra_ctx *ctx, u32 off, u32 len,
				      u64 sizes, u32 lines)
{
	return libra_call_skip_fields(ctx, off, len, sizes, lines);
}

/**
 * bpf_libra_attach() - attach a socket that is about to be established
 * @sk: socket, from tp_btf/inet_sock_set_state or tp_btf/libra_early
 * @args: how
 * @args__sz: size of @args
 *
 * Only in the states in which the application cannot use the socket yet, or not
 * without coming by libra_early.
 *
 * Return: see libra_attach_sock().
 */
__bpf_kfunc int bpf_libra_attach(const struct sock *sk,
				 const struct libra_attach *args, u32 args__sz)
{
	int err;

	if (sk->sk_state != TCP_SYN_SENT && sk->sk_state != TCP_SYN_RECV)
		return -EINVAL;
	if (args__sz != sizeof(*args) || args->flags & LIBRA_F_ACTIVE)
		err = -EINVAL;
	else
		err = libra_attach_sock((struct sock *)sk, args, false);
	if (err && err != -EEXIST)
		libra_policy_unmet(sk, err);
	return err;
}

/*
 * iter/tcp holds the lock of a socket, in either way, while its program runs;
 * other tracing programs may have a socket that is not theirs to change.
 */
static bool libra_locked(struct sock *sk)
{
	return sock_owned_by_user_nocheck(sk) ||
	       spin_is_locked(&sk->sk_lock.slock);
}

/**
 * bpf_libra_adopt() - attach a connection that was there before the policy
 * @skc: socket, from iter/tcp, which holds its lock
 * @args: how
 * @args__sz: size of @args
 *
 * It passes in both directions: it counts as a connection of its domain, but
 * nothing of it is anchored. To be called for all connections towards clients
 * before the first one towards an upstream is attached.
 *
 * Return: see libra_attach_sock(); -EINVAL for a socket that is no connection.
 */
__bpf_kfunc int bpf_libra_adopt(struct sock_common *skc,
				const struct libra_attach *args, u32 args__sz)
{
	struct sock *sk = (struct sock *)skc;
	int err;

	if (!sk_fullsock(sk) || !libra_locked(sk) || args__sz != sizeof(*args) ||
	    (1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE | TCPF_SYN_SENT))
		return -EINVAL;
	err = libra_attach_sock(sk, args, true);
	if (err == -EEXIST)
		err = libra_sock_adopt_again(libra_sk(sk), args);
	else if (err)
		libra_policy_unmet(sk, err);
	return err;
}

/**
 * bpf_libra_stop() - anchor nothing more for a policy
 * @skc: socket, from iter/tcp, which holds its lock
 * @policy: only if it was attached by this policy
 *
 * To be called for all sockets before the connections towards clients are not
 * attached any more.
 *
 * Return: 0, -ENOENT when it is not attached by this policy.
 */
__bpf_kfunc int bpf_libra_stop(struct sock_common *skc, u32 policy)
{
	struct sock *sk = (struct sock *)skc;
	struct libra_sock *ls;

	if (!sk_fullsock(sk) || !libra_locked(sk) || !sk_is_tcp(sk))
		return -ENOENT;
	ls = libra_sk(sk);
	if (!ls || ls->policy != policy)
		return -ENOENT;
	libra_sock_stop(ls);
	return 0;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(libra_parser_kfuncs)
BTF_ID_FLAGS(func, bpf_libra_load)
BTF_ID_FLAGS(func, bpf_libra_find)
BTF_ID_FLAGS(func, bpf_libra_find_below)
BTF_ID_FLAGS(func, bpf_libra_skip_fields)
BTF_KFUNCS_END(libra_parser_kfuncs)

static const struct btf_kfunc_id_set libra_parser_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &libra_parser_kfuncs,
};

BTF_KFUNCS_START(libra_attach_kfuncs)
BTF_ID_FLAGS(func, bpf_libra_attach, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_libra_adopt, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_libra_stop, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(libra_attach_kfuncs)

static const struct btf_kfunc_id_set libra_attach_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &libra_attach_kfuncs,
};

/*
 * The BTF type of segment()'s argument, by which libra_bpf_struct_access()
 * knows it. Looking types up by name is not for modules; every program that
 * could write has loaded its argument before.
 */
static const struct btf_type *libra_ctx_type;

static bool libra_bpf_is_valid_access(int off, int size,
				      enum bpf_access_type type,
				      const struct bpf_prog *prog,
				      struct bpf_insn_access_aux *info)
{
	if (!bpf_tracing_btf_ctx_access(off, size, type, prog, info))
		return false;
	if (off == 0 && base_type(info->reg_type) == PTR_TO_BTF_ID)
		WRITE_ONCE(libra_ctx_type,
			   btf_type_by_id(info->btf, info->btf_id));
	return true;
}

static int libra_bpf_struct_access(struct bpf_verifier_log *log,
				   const struct bpf_reg_state *reg, int off,
				   int size)
{
	if (btf_type_by_id(reg->btf, reg->btf_id) == READ_ONCE(libra_ctx_type) &&
	    !(reg->type & PTR_UNTRUSTED)) {
		if (off >= offsetof(struct libra_ctx, seg_len) &&
		    off + size <= offsetofend(struct libra_ctx, seg_len))
			return 0;
		if (off >= offsetof(struct libra_ctx, reason) &&
		    off + size <= offsetofend(struct libra_ctx, reason))
			return 0;
		if (off >= offsetof(struct libra_ctx, scratch) &&
		    off + size <= offsetofend(struct libra_ctx, scratch))
			return 0;
	}
	bpf_log(log, "only seg_len, reason and scratch of libra_ctx can be written\n");
	return -EACCES;
}

static const struct bpf_func_proto *
libra_bpf_func_proto(enum bpf_func_id func_id, const struct bpf_prog *prog)
{
	return bpf_base_func_proto(func_id, prog);
}

static const struct bpf_verifier_ops libra_bpf_verifier_ops = {
	.get_func_proto = libra_bpf_func_proto,
	.is_valid_access = libra_bpf_is_valid_access,
	.btf_struct_access = libra_bpf_struct_access,
};

static int libra_bpf_init_type(struct btf *btf)
{
	return 0;
}

/* segment() is called under a spinlock. */
static int libra_bpf_check_member(const struct btf_type *t,
				  const struct btf_member *member,
				  const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
}

static int libra_bpf_init_member(const struct btf_type *t,
				 const struct btf_member *member, void *kdata,
				 const void *udata)
{
	const struct libra_parser_ops *from = udata;
	struct libra_parser_ops *ops = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct libra_parser_ops, name):
		if (!libra_name_valid(from->name))
			return -EINVAL;
		memcpy(ops->name, from->name, sizeof(ops->name));
		return 1;
	case offsetof(struct libra_parser_ops, abi):
		ops->abi = from->abi;
		return 1;
	case offsetof(struct libra_parser_ops, keeps):
		ops->keeps = from->keeps;
		return 1;
	}
	return 0;
}

static int libra_bpf_validate(void *kdata)
{
	return libra_parser_check(kdata);
}

static int libra_bpf_reg(void *kdata, struct bpf_link *link)
{
	return libra_parser_register(kdata);
}

static void libra_bpf_unreg(void *kdata, struct bpf_link *link)
{
	libra_parser_unregister(kdata);
}

static int libra_bpf_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return libra_parser_replace(old_kdata, kdata);
}

static int libra_stub_segment(struct libra_ctx *ctx)
{
	return LIBRA_PASS;
}

static struct libra_parser_ops libra_stub_ops = {
	.segment = libra_stub_segment,
};

static struct bpf_struct_ops libra_bpf_struct_ops = {
	.verifier_ops = &libra_bpf_verifier_ops,
	.init = libra_bpf_init_type,
	.check_member = libra_bpf_check_member,
	.init_member = libra_bpf_init_member,
	.reg = libra_bpf_reg,
	.unreg = libra_bpf_unreg,
	.update = libra_bpf_update,
	.validate = libra_bpf_validate,
	.cfi_stubs = &libra_stub_ops,
	.name = "libra_parser_ops",
	.owner = THIS_MODULE,
};

int __init libra_bpf_init(void)
{
	int err;

	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
					&libra_parser_kfunc_set);
	if (!err)
		err = register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING,
						&libra_attach_kfunc_set);
	if (!err)
		err = register_bpf_struct_ops(&libra_bpf_struct_ops,
					      libra_parser_ops);
	return err;
}
