// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: the VPI, the token that stands for an anchor in user memory.
 *
 *	 0      8      16     20     24            32
 *	+------+------+------+------+-------------+
 *	| magic|  id  | len  | mark |     MAC     |
 *	+------+------+------+------+-------------+
 *
 * magic: 8 random bytes per boot, by which the matcher finds a VPI. None is
 *	ASCII, so that text is soon seen not to be one; nor 0xff, with which much
 *	else is filled.
 * id:	random, never reused, so that a stale VPI names nothing.
 * len:	bytes it stands for, itself included (host byte order).
 * mark:0; or 1 in the marks behind the VPI and at the end of what it stands for.
 *	A sender that finds a mark without its VPI, or something else where the
 *	last one belongs, knows that the application did not forward what it was
 *	given.
 * MAC:	SipHash of all that and the domain's cookie under a boot secret.
 *
 * No part is derived from an address. The magic is the same in all domains on
 * purpose: a VPI of a foreign domain has to be found in order to be refused.
 */
#include <linux/random.h>
#include <linux/siphash.h>

#include "token.h"

struct libra_vpi {
	u8 magic[LIBRA_VPI_MAGIC_SIZE];
	u64 id;
	u32 len;
	u32 mark;
	u64 mac;
};

/* Has any VPI ever been minted? Until then nothing has to be looked for. */
bool libra_vpi_minted __read_mostly;

static u8 libra_magic[LIBRA_VPI_MAGIC_SIZE] __ro_after_init __aligned(8);
static u8 libra_magic_place[256] __ro_after_init;
static siphash_aligned_key_t libra_vpi_key __ro_after_init;

void __init libra_vpi_init(void)
{
	int i, places;

	/*
	 * No byte occurs twice, so each says where the magic begins, and the
	 * magic does not overlap with itself: bytes that turn out not to be one
	 * hold no other one's start.
	 */
	do {
		get_random_bytes(libra_magic, sizeof(libra_magic));
		memset(libra_magic_place, 0, sizeof(libra_magic_place));
		places = 0;
		for (i = 0; i < LIBRA_VPI_MAGIC_SIZE; i++) {
			libra_magic[i] |= 0x80;
			places += !libra_magic_place[libra_magic[i]];
			libra_magic_place[libra_magic[i]] = i + 1;
		}
	} while (places < LIBRA_VPI_MAGIC_SIZE || libra_magic_place[0xff]);
	get_random_bytes(&libra_vpi_key, sizeof(libra_vpi_key));
}

const u8 *libra_vpi_magic(void)
{
	return libra_magic;
}

/**
 * libra_vpi_magic_place() - where in the magic a byte occurs
 *
 * Return: for each of the 256 bytes, one more than its offset in the magic, or 0.
 */
const u8 *libra_vpi_magic_place(void)
{
	return libra_magic_place;
}

static u64 libra_vpi_mac(const struct libra_vpi *vpi, u64 cookie)
{
	return siphash_3u64(vpi->id, (u64)vpi->len << 32 | vpi->mark, cookie,
			    &libra_vpi_key);
}

static bool libra_vpi_mac_is_right(const struct libra_vpi *vpi, u64 cookie)
{
	return vpi->mac == libra_vpi_mac(vpi, cookie);
}

static void libra_vpi_make(u8 out[LIBRA_VPI_SIZE],
			   const struct libra_minted *minted, u32 mark)
{
	struct libra_vpi vpi = {
		.id = minted->id,
		.len = minted->anchor.len,
		.mark = mark,
	};

	BUILD_BUG_ON(sizeof(vpi) != LIBRA_VPI_SIZE);
	memcpy(vpi.magic, libra_magic, sizeof(vpi.magic));
	vpi.mac = libra_vpi_mac(&vpi, minted->msg->dom->cookie);
	memcpy(out, &vpi, sizeof(vpi));
}

/**
 * libra_vpi_write() - mint the token of an anchor
 * @out: LIBRA_VPI_SIZE bytes
 * @minted: complete; its id and len do not change any more
 *
 * The same anchor always has the same VPI.
 */
void libra_vpi_write(u8 out[LIBRA_VPI_SIZE], const struct libra_minted *minted)
{
	libra_vpi_make(out, minted, 0);
}

/**
 * libra_vpi_read() - authenticate a token
 * @in: LIBRA_VPI_SIZE bytes that begin with the magic
 * @cookie: of the domain in which it was found
 * @id: where to put the anchor's id
 * @len: where to put the anchor's length
 *
 * Return: true when this kernel minted it for that domain since boot.
 */
bool libra_vpi_read(const u8 in[LIBRA_VPI_SIZE], u64 cookie, u64 *id, u32 *len)
{
	struct libra_vpi vpi;

	memcpy(&vpi, in, sizeof(vpi));
	if (vpi.mark || !libra_vpi_mac_is_right(&vpi, cookie))
		return false;
	*id = vpi.id;
	*len = vpi.len;
	return true;
}

/**
 * libra_vpi_write_mark() - what marks the memory behind a VPI
 * @out: LIBRA_VPI_SIZE bytes
 * @minted: complete; the same one always has the same mark
 */
void libra_vpi_write_mark(u8 out[LIBRA_VPI_SIZE],
			  const struct libra_minted *minted)
{
	libra_vpi_make(out, minted, 1);
}

/**
 * libra_vpi_is_mark() - is it memory behind a VPI?
 * @in: LIBRA_VPI_SIZE bytes that begin with the magic
 * @cookie: of the domain in which it was found
 */
bool libra_vpi_is_mark(const u8 in[LIBRA_VPI_SIZE], u64 cookie)
{
	struct libra_vpi vpi;

	memcpy(&vpi, in, sizeof(vpi));
	return vpi.mark == 1 && libra_vpi_mac_is_right(&vpi, cookie);
}

/**
 * libra_vpi_is_authentic() - is it a token, or one of its marks?
 * @in: LIBRA_VPI_SIZE bytes that begin with the magic
 * @cookie: of the domain of which it may be
 *
 * Return: true when this kernel wrote it for that domain since boot.
 */
bool libra_vpi_is_authentic(const u8 in[LIBRA_VPI_SIZE], u64 cookie)
{
	struct libra_vpi vpi;

	memcpy(&vpi, in, sizeof(vpi));
	return libra_vpi_mac_is_right(&vpi, cookie);
}

/**
 * libra_vpi_has_mark() - a mark, and not a token?
 * @in: LIBRA_VPI_SIZE bytes that are authentic
 */
bool libra_vpi_has_mark(const u8 in[LIBRA_VPI_SIZE])
{
	struct libra_vpi vpi;

	memcpy(&vpi, in, sizeof(vpi));
	return vpi.mark;
}

/**
 * libra_vpi_cookie() - of a domain
 * @net: number of its network namespace, no other one's since boot
 * @id: the policy's number for it
 */
u64 libra_vpi_cookie(u64 net, u32 id)
{
	return siphash_3u64(net, id, 0, &libra_vpi_key);
}

/**
 * libra_vpi_id() - which anchor is it about?
 * @in: the first LIBRA_VPI_ID_SIZE bytes of a token, beginning with the magic
 *
 * Not authenticated; but nobody can guess a live id.
 */
u64 libra_vpi_id(const u8 in[LIBRA_VPI_ID_SIZE])
{
	u64 id;

	memcpy(&id, in + offsetof(struct libra_vpi, id), sizeof(id));
	return id;
}

/**
 * libra_vpi_is_half_mark() - of a mark, and not of a token?
 * @in: the first LIBRA_VPI_CUT_SIZE bytes of one of them
 */
bool libra_vpi_is_half_mark(const u8 in[LIBRA_VPI_CUT_SIZE])
{
	u32 mark;

	memcpy(&mark, in + offsetof(struct libra_vpi, mark), sizeof(mark));
	return mark;
}
