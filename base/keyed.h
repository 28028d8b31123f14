/* A keyed hash (SipHash-2-4, by Aumasson and Bernstein) and what is made of it: noise in the place
 * of bytes that nobody shall see. Without the key neither can be undone or guessed. */
#ifndef BASE_KEYED_H
#define BASE_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct key {
	uint64_t k0, k1;
};

/* A key of the operating system's randomness. */
struct key key_random(void);

/* A key of a seed: the same noise for whoever knows the seed. */
struct key key_of_seed(uint64_t seed);

uint64_t keyed_hash(const struct key *key, const void *data, size_t n);

/*
 * Replaces n bytes by noise: equal bytes by equal noise, different bytes of one length by different
 * noise (four rounds of a Feistel network; a single byte by a permutation).
 */
void keyed_noise(const struct key *key, uint8_t *data, size_t n);

#endif
