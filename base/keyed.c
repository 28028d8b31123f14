/* SipHash by its published description; the noise is a Feistel network whose round function is the
 * hash in counter mode. Owns nothing. */
#include "base/keyed.h"

#include "base/rand.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROUNDS 4

struct key key_random(void)
{
	struct key key;

	if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key))
		abort();
	return key;
}

struct key key_of_seed(uint64_t seed)
{
	struct rand r;
	struct key key;

	rand_seed(&r, seed);
	key.k0 = rand_next(&r);
	key.k1 = rand_next(&r);
	return key;
}

static uint64_t rotate(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	mix(v);
	v[0] ^= word;
}

uint64_t keyed_hash(const struct key *key, const void *data, size_t n)
{
	uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
			 key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};
	const uint8_t *p = data;
	uint64_t word;
	size_t left = n;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		take(v, word);
	}
	word = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)p[i] << (8 * i);
	take(v, word);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* to ^= F(from). */
static void half_round(const struct key *key, int round, uint8_t *to, size_t to_n,
		       const uint8_t *from, size_t from_n)
{
	uint64_t in[3] = {keyed_hash(key, from, from_n), (uint64_t)round << 32 | (uint32_t)to_n, 0};
	uint64_t word;

	for (size_t at = 0; at < to_n; at += 8) {
		in[2] = at;
		word = keyed_hash(key, in, sizeof(in));
		for (size_t i = 0; i < 8 && at + i < to_n; i++)
			to[at + i] ^= (uint8_t)(word >> (8 * i));
	}
}

/* One byte through a permutation of all 256, shuffled by the key. */
static uint8_t swap_byte(const struct key *key, uint8_t v)
{
	uint8_t all[256];

	for (size_t i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (size_t i = 255; i > 0; i--) {
		size_t j = keyed_hash(key, &i, sizeof(i)) % (i + 1);
		uint8_t was = all[i];

		all[i] = all[j];
		all[j] = was;
	}
	return all[v];
}

void keyed_noise(const struct key *key, uint8_t *data, size_t n)
{
	size_t left = n / 2;

	if (n == 1)
		data[0] = swap_byte(key, data[0]);
	if (n < 2)
		return;
	for (int round = 0; round < ROUNDS; round++) {
		if (round % 2)
			half_round(key, round, data, left, data + left, n - left);
		else
			half_round(key, round, data + left, n - left, data, left);
	}
}
