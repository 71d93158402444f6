/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: eight bytes looked at as one word.
 */
#ifndef _NET_LIBRA_WORD_H
#define _NET_LIBRA_WORD_H

#include <linux/types.h>

/* Each of the eight bytes is @b. */
#define LIBRA_BYTES(b)	(0x0101010101010101ULL * (b))

/*
 * The high bits of the bytes of @word that are below @n, which is 1 to 128; as in
 * has_zero() of asm-generic/word-at-a-time.h. A borrow may set one more, above
 * one that is right, so only the lowest is exact.
 */
static __always_inline u64 libra_bytes_below(u64 word, u8 n)
{
	return (word - LIBRA_BYTES(n)) & ~word & LIBRA_BYTES(0x80);
}

#endif /* _NET_LIBRA_WORD_H */
