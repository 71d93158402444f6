// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: parsers in C, for the micro-benchmarks, and for benchmarks of whole
 * servers where the kernel has no BPF that can be one (user-mode Linux). They are
 * BPF programs otherwise; their headers are not in this tree, see the Makefile.
 *
 * The accessors are those of bpf.c, and calls, as they are for BPF.
 */
#include <linux/compiler.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "bench.h"
#include "call.h"

static noinline int bench_load(struct libra_ctx *ctx, u32 off, void *dst,
			       u32 size)
{
	return libra_call_load(ctx, off, dst, size);
}

static noinline int bench_find(struct libra_ctx *ctx, u32 off, u32 len,
			       const void *delim, u32 size)
{
	return libra_call_find(ctx, off, len, delim, size);
}

static noinline int bench_find_below(struct libra_ctx *ctx, u32 off, u32 len,
				     u32 limit)
{
	return libra_call_find_below(ctx, off, len, limit);
}

static noinline u64 bench_skip_fields(struct libra_ctx *ctx, u32 off, u32 len,
				      u64 sizes, u32 lines)
{
	return libra_call_skip_fields(ctx, off, len, sizes, lines);
}

/* The names that parsers know them by; some are those of functions they are made of. */
#define libra_load bench_load
#define libra_find bench_find
#define libra_find_below bench_find_below
#define libra_skip_fields bench_skip_fields
#define libra_repeat(n) for (u32 repeat_ = 0; repeat_ < (n); repeat_++)
#define libra_opaque(var) OPTIMIZER_HIDE_VAR(var)

#include <http1.h>
#include <tls.h>

int bench_http1_segment(struct libra_ctx *ctx)
{
	return http1_answer(ctx);
}

/**
 * bench_http1_reset() - forget the last header
 * @ctx: of a socket
 *
 * A response is one to a request that was read.
 */
void bench_http1_reset(struct libra_ctx *ctx)
{
	struct http1_state *st = (struct http1_state *)ctx->scratch;

	memset(ctx->scratch, 0, sizeof(ctx->scratch));
	st->queued = ctx->role == LIBRA_ROLE_ACTIVE;
}

static const struct libra_parser_ops bench_parsers[] = {
	{ .name = "http1", .segment = bench_http1_segment, .abi = LIBRA_PARSER_ABI },
	{ .name = "tls", .segment = tls_segment, .abi = LIBRA_PARSER_ABI },
};

static bool bench_registered;

/* Parameters are written under kernel_param_lock(): one at a time. */
static int bench_set_registered(const char *text, const struct kernel_param *kp)
{
	bool wanted;
	int i, err;

	err = kstrtobool(text, &wanted);
	if (err || wanted == bench_registered)
		return err;

	for (i = 0; wanted && !err && i < ARRAY_SIZE(bench_parsers); i++)
		err = libra_parser_register(&bench_parsers[i]);
	bench_registered = wanted && !err;
	/* One that was not registered is not found. */
	for (i = 0; !bench_registered && i < ARRAY_SIZE(bench_parsers); i++)
		libra_parser_unregister(&bench_parsers[i]);
	return err;
}

static const struct kernel_param_ops bench_registered_ops = {
	.set = bench_set_registered,
	.get = param_get_bool,
};

module_param_cb(bench_parsers, &bench_registered_ops, &bench_registered, 0644);
MODULE_PARM_DESC(bench_parsers, "Parsers in C are registered as http1 and tls");
