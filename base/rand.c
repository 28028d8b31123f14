/* SplitMix64: small, fast, and the same on every machine. Not for secrets. */
#include "base/rand.h"

#define GOLDEN 0x9e3779b97f4a7c15u

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void rand_seed(struct rand *r, uint64_t seed)
{
	r->state = seed;
}

uint64_t rand_next(struct rand *r)
{
	r->state += GOLDEN;
	return mix(r->state);
}

uint64_t rand_below(struct rand *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rand_next(r) * n) >> 64);
}

double rand_real(struct rand *r)
{
	return hash_real(rand_next(r));
}

struct uuid rand_uuid(struct rand *r)
{
	struct uuid u;

	for (int i = 0; i < 16; i += 8) {
		uint64_t v = rand_next(r);

		memcpy(u.b + i, &v, 8);
	}
	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	return u;
}

uint64_t hash_u64(uint64_t hash, uint64_t value)
{
	return mix((hash ^ value) + GOLDEN);
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t word;

	hash = hash_u64(hash, n);
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		hash = hash_u64(hash, word);
	}
	word = 0;
	if (n)
		memcpy(&word, p, n);
	return hash_u64(hash, word);
}

double hash_real(uint64_t hash)
{
	return (double)(hash >> 11) * 0x1p-53;
}
