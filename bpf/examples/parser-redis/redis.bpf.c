// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of redis.h as an object that librad can load.
 */
#include <libra_bpf.h>

#include "redis.h"

#ifndef REDIS_VERSION
#define REDIS_VERSION	"1.0"
#endif
/* Of struct redis_state. */
#ifndef REDIS_KEEPS
#define REDIS_KEEPS	1
#endif

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/segment")
int BPF_PROG(redis_entry, struct libra_ctx *lctx)
{
	return redis_segment(lctx);
}

LIBRA_PARSER(redis, REDIS_VERSION, REDIS_KEEPS, redis_entry);
