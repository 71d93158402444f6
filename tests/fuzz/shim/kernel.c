// SPDX-License-Identifier: GPL-2.0-only
/*
 * field.c, match.c and vpi.c of the kernel, as they are, and what they call.
 */
#include "kernel.h"
#include "random.h"

#include "net/libra/token/field.c"
#include "net/libra/token/match.c"
#include "net/libra/token/vpi.c"

static const u8 *random_bytes;
static size_t random_left;
static u8 random_next;

void set_random_bytes(const u8 *bytes, size_t size)
{
	random_bytes = bytes;
	random_left = size;
	random_next = 0;
}

/* When they are used up it counts, so that a caller that rejects some ends. */
void get_random_bytes(void *buf, size_t len)
{
	u8 *out = buf;

	for (; len; len--, out++) {
		if (random_left) {
			*out = *random_bytes++;
			random_left--;
		} else {
			*out = random_next++;
		}
	}
}

static u64 rotl(u64 x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 of whole words. */
static u64 sip_hash(const u64 *words, int n, const siphash_aligned_key_t *key)
{
	u64 v[4] = {
		key->key[0] ^ 0x736f6d6570736575ULL,
		key->key[1] ^ 0x646f72616e646f6dULL,
		key->key[0] ^ 0x6c7967656e657261ULL,
		key->key[1] ^ 0x7465646279746573ULL,
	};
	int i, round;

	for (i = 0; i <= n; i++) {
		u64 m = i < n ? words[i] : (u64)n * 8 << 56;

		v[3] ^= m;
		for (round = 0; round < 2; round++)
			sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (round = 0; round < 4; round++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

u64 siphash_3u64(u64 a, u64 b, u64 c, const siphash_aligned_key_t *key)
{
	u64 words[] = { a, b, c };

	return sip_hash(words, 3, key);
}
