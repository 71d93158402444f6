// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TLS 1.2 stream with AES-GCM, in pieces of any size.
 *
 * A NIC gets the stream in packets, which begin and end anywhere in a record. The
 * library's block cipher and multiplication are all that this takes, and neither
 * sleeps, allocates nor fails: the key stream of GCM is known at every offset, and its
 * hash is carried from piece to piece, in struct tlsdev_stream. Nothing of it is
 * fast; what can be had of crypto_aead takes whole records.
 */
#include <crypto/utils.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "tlsdev.h"

/* Counters of a record's blocks: the first is for the tag. */
#define TLSDEV_COUNTER_TAG	1
#define TLSDEV_COUNTER_BODY	2

/**
 * tlsdev_key_init() - what a connection's secrets become in the device
 * @key: is filled in; tlsdev_key_free() takes it, also after an error
 * @info: as user space gave it to the socket
 * @sn: the first record's number
 *
 * Context: process context, may sleep.
 * Return: 0; -EOPNOTSUPP if it is not for this device; -ENOMEM.
 */
int tlsdev_key_init(struct tlsdev_key *key, const struct tls_crypto_info *info, u64 *sn)
{
	const struct tls12_crypto_info_aes_gcm_128 *gcm_128 = (const void *)info;
	const struct tls12_crypto_info_aes_gcm_256 *gcm_256 = (const void *)info;
	be128 h = {};
	int ret;

	/* tls_device.c itself offloads no other version. */
	if (info->version != TLS_1_2_VERSION)
		return -EOPNOTSUPP;
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		ret = aes_expandkey(&key->aes, gcm_128->key, sizeof(gcm_128->key));
		memcpy(key->salt, gcm_128->salt, sizeof(gcm_128->salt));
		*sn = get_unaligned_be64(gcm_128->rec_seq);
		break;
	case TLS_CIPHER_AES_GCM_256:
		ret = aes_expandkey(&key->aes, gcm_256->key, sizeof(gcm_256->key));
		memcpy(key->salt, gcm_256->salt, sizeof(gcm_256->salt));
		*sn = get_unaligned_be64(gcm_256->rec_seq);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (ret)
		return ret;
	aes_encrypt(&key->aes, (u8 *)&h, (const u8 *)&h);
	key->h = gf128mul_init_4k_lle(&h);
	memzero_explicit(&h, sizeof(h));
	return key->h ? 0 : -ENOMEM;
}

/**
 * tlsdev_key_free() - forget the secrets
 * @key: all zeros, or of tlsdev_key_init()
 */
void tlsdev_key_free(struct tlsdev_key *key)
{
	gf128mul_free_4k(key->h);
	memzero_explicit(key, sizeof(*key));
}

/**
 * tlsdev_stream_init() - begin at a record's beginning
 * @s: the stream
 * @sn: the record's number
 */
void tlsdev_stream_init(struct tlsdev_stream *s, u64 sn)
{
	memset(s, 0, sizeof(*s));
	s->sn = sn;
}

static u32 record_len(const struct tlsdev_stream *s)
{
	return TLS_HEADER_SIZE + get_unaligned_be16(s->prepend + 3);
}

static u32 body_len(const struct tlsdev_stream *s)
{
	return s->len - TLSDEV_PREPEND_SIZE - TLS_TAG_SIZE;
}

/* Whether the record that is being looked at can be one, as tls_rx_msg_size() has it. */
static bool header_is_valid(const struct tlsdev_stream *s)
{
	u32 len = record_len(s);

	return s->prepend[1] == TLS_1_2_VERSION_MAJOR && s->prepend[2] == TLS_1_2_VERSION_MINOR &&
	       len >= TLSDEV_PREPEND_SIZE + TLS_TAG_SIZE &&
	       len <= TLSDEV_PREPEND_SIZE + TLS_MAX_PAYLOAD_SIZE + TLS_TAG_SIZE;
}

/**
 * tlsdev_stream_left() - how many bytes of the current record are still to come
 * @s: the stream
 *
 * Return: 0 if nobody knows, because its header has not been seen.
 */
u32 tlsdev_stream_left(const struct tlsdev_stream *s)
{
	if (s->pos < TLS_HEADER_SIZE || !header_is_valid(s))
		return 0;
	return record_len(s) - s->pos;
}

static void key_stream(const struct tlsdev_key *key, const struct tlsdev_stream *s, u32 counter,
		       u8 *out)
{
	u8 block[AES_BLOCK_SIZE];

	memcpy(block, key->salt, TLS_MAX_SALT_SIZE);
	memcpy(block + TLS_MAX_SALT_SIZE, s->prepend + TLS_NONCE_OFFSET, TLSDEV_IV_SIZE);
	put_unaligned_be32(counter, block + TLS_MAX_SALT_SIZE + TLSDEV_IV_SIZE);
	aes_encrypt(&key->aes, out, block);
}

/* Header and nonce are there. */
static int record_begin(const struct tlsdev_key *key, struct tlsdev_stream *s)
{
	if (!header_is_valid(s))
		return -EPROTO;
	s->len = record_len(s);
	/* What is authenticated, but not encrypted: one block, with its padding. */
	memset(&s->hash, 0, sizeof(s->hash));
	put_unaligned_be64(s->sn, s->hash.bytes);
	memcpy(s->hash.bytes + 8, s->prepend, 3);
	put_unaligned_be16(body_len(s), s->hash.bytes + 11);
	gf128mul_4k_lle(&s->hash.block, key->h);
	key_stream(key, s, TLSDEV_COUNTER_TAG, s->tag);
	return 0;
}

static void hash_bytes(const struct tlsdev_key *key, struct tlsdev_stream *s, u32 at,
		       const u8 *data, u32 n)
{
	crypto_xor(s->hash.bytes + at, data, n);
	if (at + n == AES_BLOCK_SIZE)
		gf128mul_4k_lle(&s->hash.block, key->h);
}

/* n bytes of the body from s->pos on. */
static void record_body(const struct tlsdev_key *key, struct tlsdev_stream *s, u8 *data, u32 n,
			enum tlsdev_op op)
{
	u32 offset = s->pos - TLSDEV_PREPEND_SIZE;
	u8 block[AES_BLOCK_SIZE];
	u32 at, part;

	for (; n; n -= part, data += part, offset += part) {
		at = offset % AES_BLOCK_SIZE;
		part = min_t(u32, n, AES_BLOCK_SIZE - at);
		if (op != TLSDEV_VERIFY) {
			key_stream(key, s, TLSDEV_COUNTER_BODY + offset / AES_BLOCK_SIZE, block);
			crypto_xor(data, block + at, part);
		}
		if (op != TLSDEV_DECRYPT)
			hash_bytes(key, s, at, data, part);
	}
	memzero_explicit(block, sizeof(block));
}

/* The body is complete: the tag. */
static void record_end(const struct tlsdev_key *key, struct tlsdev_stream *s)
{
	if (body_len(s) % AES_BLOCK_SIZE)
		gf128mul_4k_lle(&s->hash.block, key->h);
	s->hash.block.a ^= cpu_to_be64(TLS_AAD_SPACE_SIZE * BITS_PER_BYTE);
	s->hash.block.b ^= cpu_to_be64((u64)body_len(s) * BITS_PER_BYTE);
	gf128mul_4k_lle(&s->hash.block, key->h);
	crypto_xor(s->tag, s->hash.bytes, TLS_TAG_SIZE);
}

/**
 * tlsdev_stream_run() - the next bytes of a stream
 * @key: its key
 * @s: its state, which is that behind these bytes afterwards
 * @data: the bytes
 * @len: how many
 * @op: what is to be done with them
 *
 * Context: any; @s and @data belong to the caller.
 * Return: 0; -EBADMSG if a tag did not match, and the stream goes on; -EPROTO if there
 * is no record where there should be one, after which @s is good for nothing.
 */
int tlsdev_stream_run(const struct tlsdev_key *key, struct tlsdev_stream *s, u8 *data, u32 len,
		      enum tlsdev_op op)
{
	int ret = 0;
	u32 n;

	for (; len; len -= n, data += n) {
		if (s->pos < TLSDEV_PREPEND_SIZE) {
			n = min(len, TLSDEV_PREPEND_SIZE - s->pos);
			memcpy(s->prepend + s->pos, data, n);
			s->pos += n;
			if (s->pos == TLSDEV_PREPEND_SIZE && record_begin(key, s))
				return -EPROTO;
			continue;
		}
		if (s->pos < s->len - TLS_TAG_SIZE) {
			n = min(len, s->len - TLS_TAG_SIZE - s->pos);
			record_body(key, s, data, n, op);
			s->pos += n;
			continue;
		}
		if (s->pos == s->len - TLS_TAG_SIZE && op != TLSDEV_DECRYPT)
			record_end(key, s);
		n = min(len, s->len - s->pos);
		if (op == TLSDEV_ENCRYPT)
			memcpy(data, s->tag + TLS_TAG_SIZE - (s->len - s->pos), n);
		else if (op == TLSDEV_VERIFY &&
			 memcmp(data, s->tag + TLS_TAG_SIZE - (s->len - s->pos), n))
			ret = -EBADMSG;
		s->pos += n;
		if (s->pos == s->len)
			tlsdev_stream_init(s, s->sn + 1);
	}
	return ret;
}
