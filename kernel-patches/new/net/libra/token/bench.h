/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: what its micro-benchmarks share.
 */
#ifndef _NET_LIBRA_BENCH_H
#define _NET_LIBRA_BENCH_H

#include <linux/sizes.h>

#include "token_test.h"

#define BENCH_ROUNDS	15
#define BENCH_SAMPLES	256
#define BENCH_BUF	SZ_1M

/**
 * struct bench_series - one thing that is measured
 * @name: how it is reported
 * @size: bytes it is about, or 0
 * @ops: operations in a sample
 * @samples: used entries of @sample
 * @rounds: used entries of @round
 * @sample: ns each, of this round, less the clock's own time
 * @round: the median sample of each round
 */
struct bench_series {
	const char *name;
	u32 size;
	u32 ops;
	u32 samples;
	u32 rounds;
	u64 sample[BENCH_SAMPLES];
	u64 round[BENCH_ROUNDS];
};

u64 bench_now(void);
void bench_calibrate(void);
void bench_start(struct bench_series *s, const char *name, u32 size, u32 ops);
void bench_sample(struct bench_series *s, u64 from, u64 to);
void bench_end_round(struct bench_series *s);
u64 bench_report(struct bench_series *s);

/**
 * struct bench_conn - a TCP connection over loopback
 * @near: the proxy's end, which is measured
 * @far: its peer's
 */
struct bench_conn {
	struct socket *near;
	struct socket *far;
};

void bench_connect(struct kunit *test, struct bench_conn *conn);
void bench_attach(struct kunit *test, struct bench_conn *conn, u32 domain,
		  u32 flags);
void bench_fill(struct kunit *test, struct bench_conn *conn, void *data,
		u32 len);
void bench_drain(struct kunit *test, struct bench_conn *conn, void *into,
		 u32 len);
void bench_stall(struct bench_conn *conn);
void bench_go_on(struct bench_conn *conn);

int bench_recv(struct bench_conn *conn, void __user *buf, u32 len, int flags);
int bench_send(struct bench_conn *conn, void __user *buf, u32 len);

void __user *bench_user_buffer(struct kunit *test, u32 len);
void *bench_buffer(struct kunit *test, u32 len);

/* bench_parser.c: only where the parser's headers are at hand */
#ifdef LIBRA_BENCH_HTTP1
int bench_http1_segment(struct libra_ctx *ctx);
void bench_http1_reset(struct libra_ctx *ctx);
#endif

#endif /* _NET_LIBRA_BENCH_H */
