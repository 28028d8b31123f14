/* Memory that several owners share: each takes from it what it allocates, and does without where
 * nothing is left. What found no room is counted, so that it can be said. */
#ifndef BASE_ROOM_H
#define BASE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROOM_OVERHEAD ((size_t)48) /* of an allocation in a hash, beside its bytes */

struct room {
	size_t used, max; /* max 0: no limit */
	uint64_t refused; /* times that something found no room */
};

/* n more bytes; false, and nothing taken, where they don't fit. r NULL has no limit. */
static inline bool room_take(struct room *r, size_t n)
{
	if (!r)
		return true;
	if (r->max && n > r->max - r->used) {
		r->refused++;
		return false;
	}
	r->used += n;
	return true;
}

static inline void room_give(struct room *r, size_t n)
{
	if (r)
		r->used -= n;
}

#endif
