/* An arena: many small allocations that die together. Used per exchange and per plan; reset keeps
 * the first block, so that a steady stream of exchanges allocates nothing. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stddef.h>

#define ARENA_EXCHANGE_MAX \
	((size_t)64 << 20) /* bytes that one exchange may take: decoded structs and its answer */

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	uint8_t *at, *end;	    /* free room in the newest block */
	size_t size;		    /* bytes handed out since init or reset */
	size_t size_max;
};

/* No memory is taken before the first allocation. */
void arena_init(struct arena *a, size_t size_max);
void arena_release(struct arena *a);
void arena_reset(struct arena *a);

/* size bytes, 8-aligned, contents undefined; NULL once size_max would be passed (the arena stays
 * usable). size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);

/* The same, zeroed. */
void *arena_zalloc(struct arena *a, size_t size);

/* A copy of n bytes with a NUL behind; NULL past the maximum. */
char *arena_copy(struct arena *a, const void *data, size_t n);
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
