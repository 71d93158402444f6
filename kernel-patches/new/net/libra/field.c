// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: header fields as text protocols have them (RFC 9112, section 5), on
 * behalf of parsers. Most fields of a header mean nothing to where its message
 * ends; a parser in BPF need not look at each.
 */
#include <linux/unaligned.h>

#include "libra.h"
#include "word.h"

/*
 * High bits where a byte of @word is ':' or not visible ASCII. A borrow or a
 * carry may set one more, above one that is right, so only the lowest is exact.
 */
static u64 libra_field_name_ends(u64 word)
{
	u64 beyond = word | (word + LIBRA_BYTES(0x7f - '~'));

	return libra_bytes_below(word, '!') |
	       libra_bytes_below(word ^ LIBRA_BYTES(':'), 1) |
	       (beyond & LIBRA_BYTES(0x80));
}

/* How many bytes at @line, of @len, can belong to a name. */
static u32 libra_field_name(const u8 *line, u32 len)
{
	u32 pos = 0;

	for (; len - pos >= sizeof(u64); pos += sizeof(u64)) {
		const u64 *word = (const u64 *)(line + pos);
		u64 ends = libra_field_name_ends(get_unaligned(word));

		if (!ends)
			continue;
#ifdef __LITTLE_ENDIAN
		return pos + __builtin_ctzll(ends) / 8;
#else
		break;
#endif
	}
	while (pos < len && line[pos] >= '!' && line[pos] <= '~' && line[pos] != ':')
		pos++;
	return pos;
}

/*
 * The first control character, or @len. As libra_find_below(); but values are
 * short, and its blocks would be looked at twice.
 */
static u32 libra_field_value(const u8 *value, u32 len)
{
	u32 pos = 0;

	for (; len - pos >= sizeof(u64); pos += sizeof(u64)) {
		const u64 *word = (const u64 *)(value + pos);
		u64 ends = libra_bytes_below(get_unaligned(word), ' ');

		if (!ends)
			continue;
#ifdef __LITTLE_ENDIAN
		return pos + __builtin_ctzll(ends) / 8;
#else
		break;
#endif
	}
	while (pos < len && value[pos] >= ' ')
		pos++;
	return pos;
}

/*
 * The size of the field line at @line with its CRLF, and of its name; 0 if there
 * is none as a whole, or one that somebody may read in another way.
 */
static u32 libra_field(const u8 *line, u32 len, u32 *name)
{
	u32 end;

	*name = libra_field_name(line, len);
	if (!*name || *name == len || line[*name] != ':')
		return 0;
	end = *name + 1;
	end += libra_field_value(line + end, len - end);
	if (len - end < 2 || line[end] != '\r' || line[end + 1] != '\n')
		return 0;
	return end + 2;
}

/**
 * libra_skip_fields() - go over field lines that a parser need not see
 * @data: the first of them
 * @len: how many bytes
 * @sizes: where bit n is set, a line whose name has n bytes is not skipped;
 *	nor is one with a name of more than 63 bytes
 * @lines: at most so many; how many it were
 *
 * A line is skipped if it is whole, begins with a name of visible ASCII and a
 * colon, and has no control character but the CR and LF at its end.
 *
 * Return: the offset of the first line that was not skipped.
 */
u32 libra_skip_fields(const u8 *data, u32 len, u64 sizes, u32 *lines)
{
	u32 pos = 0, name, size, n;

	for (n = 0; n < *lines; n++) {
		size = libra_field(data + pos, len - pos, &name);
		if (!size || name >= 64 || sizes >> name & 1)
			break;
		pos += size;
	}
	*lines = n;
	return pos;
}
