/* Seeded random numbers (SplitMix64) and the hash behind every decision that must not depend on
 * timing. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/str.h"

#include <stddef.h>

struct rand {
	uint64_t state;
};

void rand_seed(struct rand *r, uint64_t seed);
uint64_t rand_next(struct rand *r);
/* Uniform in [0, n); n > 0. */
uint64_t rand_below(struct rand *r, uint64_t n);
/* Uniform in [0, 1). */
double rand_real(struct rand *r);
/* A random (version 4) uuid. */
struct uuid rand_uuid(struct rand *r);

/* One 64-bit mixing step: fold a value, or bytes, into a hash. Start with a seed. */
uint64_t hash_u64(uint64_t hash, uint64_t value);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t n);
/* A hash as a number in [0, 1). */
double hash_real(uint64_t hash);

#endif
