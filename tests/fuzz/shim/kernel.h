/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of the kernel that field.c, match.c and vpi.c need, for user space, and in
 * place of net/libra/token/token.h, which needs much more, what they use of it.
 */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#define _NET_LIBRA_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#else
#define min(a, b)		((a) < (b) ? (a) : (b))
#endif

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define __init
#undef __always_inline
#define __always_inline	inline __attribute__((__always_inline__))
#define noinline __attribute__((noinline))
#define __ro_after_init
#define __read_mostly
#define __aligned(n)		__attribute__((aligned(n)))
#define BUILD_BUG_ON(cond)	_Static_assert(!(cond), #cond)
#define round_down(x, y)	((x) & ~((y) - 1))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))

#define get_unaligned(p) ({						\
	__typeof__(*(p) + 0) value_;					\
	memcpy(&value_, (p), sizeof(value_));				\
	value_; })

/* The fuzzer's bytes, see kernel.c. */
void get_random_bytes(void *buf, size_t len);

typedef struct {
	u64 key[2];
} siphash_aligned_key_t;

u64 siphash_3u64(u64 a, u64 b, u64 c, const siphash_aligned_key_t *key);

#define LIBRA_VPI_SIZE		32
#define LIBRA_VPI_ID_SIZE	16
#define LIBRA_VPI_CUT_SIZE	24
#define LIBRA_VPI_MAGIC_SIZE	8

struct libra_domain {
	u64 cookie;
};

struct libra_msg {
	struct libra_domain *dom;
};

struct libra_anchor {
	u32 len;
};

struct libra_minted {
	struct libra_msg *msg;
	u64 id;
	struct libra_anchor anchor;
};

void libra_vpi_init(void);
const u8 *libra_vpi_magic(void);
const u8 *libra_vpi_magic_place(void);
void libra_vpi_write(u8 vpi[LIBRA_VPI_SIZE], const struct libra_minted *minted);
bool libra_vpi_read(const u8 vpi[LIBRA_VPI_SIZE], u64 cookie, u64 *id, u32 *len);
void libra_vpi_write_mark(u8 vpi[LIBRA_VPI_SIZE],
			 const struct libra_minted *minted);
bool libra_vpi_is_mark(const u8 vpi[LIBRA_VPI_SIZE], u64 cookie);
u64 libra_vpi_id(const u8 in[LIBRA_VPI_ID_SIZE]);
u32 libra_find_byte(const u8 *data, u32 len, u8 byte);
u32 libra_find_below(const u8 *data, u32 len, u8 limit);
u32 libra_match(const u8 *data, u32 len);
u32 libra_skip_fields(const u8 *data, u32 len, u64 sizes, u32 *lines);

#ifdef __cplusplus
}
#endif

#endif /* FUZZ_KERNEL_H */
