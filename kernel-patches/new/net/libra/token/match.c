// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: searching bytes, a word at a time: for VPIs in the outgoing stream, for
 * delimiters on behalf of parsers.
 */
#include <linux/string.h>

#include "token.h"
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
 * The matcher looks at one byte of LIBRA_VPI_MAGIC_SIZE, so a magic, wherever it is,
 * has one that is looked at. As no byte occurs twice in it, that one says where it
 * would begin.
 */

/*
 * Does a magic lie around one of the four bytes at @at? The seven before the first
 * and the eight behind the last can be read. Without a branch: most are not, but
 * which one's value is in the magic cannot be predicted.
 */
static noinline bool libra_match_block(const u8 *at, const u8 *place)
{
	u64 magic = get_unaligned((const u64 *)libra_vpi_magic());
	bool found = false;
	int i;

	BUILD_BUG_ON(sizeof(magic) != LIBRA_VPI_MAGIC_SIZE);
	for (i = 0; i < 32; i += LIBRA_VPI_MAGIC_SIZE) {
		u64 word = get_unaligned((const u64 *)(at + i + 1 - place[at[i]]));

		found |= word == magic;
	}
	return found;
}

/*
 * Looks from @pos on. Returns where a magic around a byte begins, or a part of it
 * that runs into the end of @data; @len when there is neither.
 */
static u32 libra_match_around(const u8 *data, u32 pos, u32 len)
{
	const u8 *place = libra_vpi_magic_place();
	const u8 *magic = libra_vpi_magic();
	u32 begin;

	for (; pos < len; pos += LIBRA_VPI_MAGIC_SIZE) {
		begin = pos + 1 - place[data[pos]];
		if (begin <= pos && data[begin] == magic[0] &&
		    !memcmp(data + begin, magic,
			    min_t(u32, len - begin, LIBRA_VPI_MAGIC_SIZE)))
			return begin;
	}
	return len;
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
	const u8 *place = libra_vpi_magic_place();
	const u8 *magic = libra_vpi_magic();
	const u8 *at = data + LIBRA_VPI_MAGIC_SIZE - 1;
	u32 pos;

	/* Most blocks have none: one branch for four looks. */
	for (; data + len - at > 32; at += 32)
		if ((place[at[0]] | place[at[8]] | place[at[16]] | place[at[24]]) &&
		    libra_match_block(at, place))
			break;
	pos = libra_match_around(data, at - data, len);
	if (pos < len)
		return pos;

	/* What begins behind the last look runs into the end. */
	pos = round_down(len, LIBRA_VPI_MAGIC_SIZE);
	for (; pos < len; pos++)
		if (data[pos] == magic[0] && !memcmp(data + pos, magic, len - pos))
			return pos;
	return len;
}
