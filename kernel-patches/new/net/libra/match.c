// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: searching bytes, a word at a time: for VPIs in the outgoing stream, for
 * delimiters on behalf of parsers.
 */
#include <linux/string.h>

#include "libra.h"
#include "word.h"

/*
 * The first byte in @len ones at @data that is below @n when it is XORed with
 * @flip, else @len.
 */
static __always_inline u32 libra_scan(const u8 *data, u32 len, u8 flip, u8 n)
{
	u32 pos = 0;

	/* Most blocks have none: one branch for four words. */
	for (; len - pos >= 4 * sizeof(u64); pos += 4 * sizeof(u64)) {
		const u64 *block = (const u64 *)(data + pos);

		if (libra_low(get_unaligned(block), flip, n) |
		    libra_low(get_unaligned(block + 1), flip, n) |
		    libra_low(get_unaligned(block + 2), flip, n) |
		    libra_low(get_unaligned(block + 3), flip, n))
			break;
	}
	return pos + libra_until(data + pos, len - pos, libra_low, flip, n);
}

/**
 * libra_find_byte() - the memchr() of an architecture may look at single bytes
 * @data: bytes
 * @len: how many
 * @byte: what to look for
 *
 * Return: its offset, or @len.
 */
u32 libra_find_byte(const u8 *data, u32 len, u8 byte)
{
	return libra_scan(data, len, byte, 1);
}

/**
 * libra_find_below() - the first byte below a limit
 * @data: bytes
 * @len: how many
 * @limit: 1 to 128
 *
 * Return: its offset, or @len.
 */
u32 libra_find_below(const u8 *data, u32 len, u8 limit)
{
	return libra_scan(data, len, 0, limit);
}

/*
 * A magic covers one of any LIBRA_VPI_MAGIC_SIZE bytes in a row that it begins
 * among: the last one. Returns from where on one may begin.
 */
static u32 libra_match_skip(const u8 *data, u32 pos, u32 len)
{
	const bool *has = libra_vpi_magic_bytes();

	BUILD_BUG_ON(LIBRA_VPI_MAGIC_SIZE != 8);
	for (; len - pos >= 32; pos += 32)
		if (has[data[pos + 7]] | has[data[pos + 15]] |
		    has[data[pos + 23]] | has[data[pos + 31]])
			break;
	for (; len - pos >= 8; pos += 8)
		if (has[data[pos + 7]])
			break;
	return pos;
}

/**
 * libra_match() - where a VPI may begin
 * @data: bytes
 * @len: how many
 *
 * Return: the offset of the first full magic, or of the first beginning of the
 * magic that runs into the end of @data; @len when there is neither.
 */
u32 libra_match(const u8 *data, u32 len)
{
	const u8 *magic = libra_vpi_magic();
	u32 pos = 0, end;

	do {
		pos = libra_match_skip(data, pos, len);
		end = min(len, pos + LIBRA_VPI_MAGIC_SIZE);
		for (; pos < end; pos++) {
			pos += libra_scan(data + pos, end - pos, magic[0], 1);
			if (pos == end)
				break;
			if (!memcmp(data + pos, magic,
				    min_t(u32, len - pos, LIBRA_VPI_MAGIC_SIZE)))
				return pos;
		}
	} while (pos < len);
	return len;
}
