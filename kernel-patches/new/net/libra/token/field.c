// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: header fields as text protocols have them (RFC 9112, section 5), on
 * behalf of parsers. Most fields of a header mean nothing to where its message
 * ends; a parser in BPF need not look at each.
 */
#include "token.h"
#include "word.h"

/* Marks for libra_until(): @colon, and what is below @first or not ASCII, or DEL. */
static __always_inline u64 libra_name_ends(u64 word, u8 colon, u8 first)
{
	u64 beyond = word | (word + LIBRA_BYTES(0x7f - '~'));

	return libra_bytes_below(word, first) | libra_low(word, colon, 1) |
	       (beyond & LIBRA_BYTES(0x80));
}

/*
 * The size of the field line at @line with its CRLF, and of its name; 0 if there
 * is none as a whole, or one that somebody may read in another way.
 */
static u32 libra_field(const u8 *line, u32 len, u32 *name)
{
	u32 end;

	*name = libra_until(line, len, libra_name_ends, ':', '!');
	if (!*name || *name == len || line[*name] != ':')
		return 0;
	end = *name + 1;
	/* Values are short: the blocks of libra_find_below() would be read twice. */
	end += libra_until(line + end, len - end, libra_low, 0, ' ');
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
