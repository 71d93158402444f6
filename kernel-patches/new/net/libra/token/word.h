/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: eight bytes looked at as one word.
 */
#ifndef _NET_LIBRA_WORD_H
#define _NET_LIBRA_WORD_H

#include <linux/types.h>
#include <linux/unaligned.h>

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

/*
 * The first byte in @len ones at @data that @marks knows, else @len. @marks sets
 * the high bits of the bytes that it knows in a word; as above, only the lowest
 * need be exact. @a and @b are its own.
 */
static __always_inline u32
libra_until(const u8 *data, u32 len, u64 (*marks)(u64 word, u8 a, u8 b), u8 a, u8 b)
{
	u32 pos = 0;

	for (; len - pos >= sizeof(u64); pos += sizeof(u64)) {
		u64 found = marks(get_unaligned((const u64 *)(data + pos)), a, b);

		if (!found)
			continue;
#ifdef __LITTLE_ENDIAN
		return pos + __builtin_ctzll(found) / 8;
#else
		break;
#endif
	}
	while (pos < len && !(marks(data[pos], a, b) & 0x80))
		pos++;
	return pos;
}

/* Marks for libra_until(): below @n when XORed with @flip. */
static __always_inline u64 libra_low(u64 word, u8 flip, u8 n)
{
	return libra_bytes_below(word ^ LIBRA_BYTES(flip), n);
}

#endif /* _NET_LIBRA_WORD_H */
