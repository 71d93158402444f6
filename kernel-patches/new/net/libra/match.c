// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: finding VPIs in the outgoing stream.
 */
#include <linux/unaligned.h>
#include <linux/string.h>

#include "libra.h"

#define ONES	0x0101010101010101ULL
#define HIGHS	0x8080808080808080ULL

/**
 * libra_match() - where a VPI may begin
 * @data: bytes
 * @len: how many
 *
 * Looks at eight bytes at a time for the first byte of the magic; the test for
 * a zero byte in a word is the classic one of include/linux/bitops (has_zero()
 * in asm-generic/word-at-a-time.h), which may also flag a byte above a match
 * but never miss one.
 *
 * Return: the offset of the first full magic, or of the first beginning of the
 * magic that runs into the end of @data; @len when there is neither.
 */
u32 libra_match(const u8 *data, u32 len)
{
	const u8 *magic = libra_vpi_magic();
	u64 first = magic[0] * ONES;
	u32 pos = 0;

	while (pos < len) {
		if (len - pos >= sizeof(u64)) {
			u64 x = get_unaligned((const u64 *)(data + pos)) ^ first;

			if (!((x - ONES) & ~x & HIGHS)) {
				pos += sizeof(u64);
				continue;
			}
		}
		if (data[pos] == magic[0] &&
		    !memcmp(data + pos, magic,
			    min_t(u32, len - pos, LIBRA_VPI_MAGIC_SIZE)))
			return pos;
		pos++;
	}
	return len;
}
