/* What a difference between a recorded request and a live one means for whether they ask the same:
 * beside replay/role.h and replay/nature.h the third table that replay reads of messages. */
#ifndef REPLAY_WEIGHT_H
#define REPLAY_WEIGHT_H

#include "replay/leaves.h"

/* True if a live request may get an answer that was given before: it only asks, or, coming again,
 * changes nothing. body: decoded; NULL: of the API in general. */
bool weight_repeats(int api_key, int version, const void *body);

/* True if two requests that differ in this field ask for different things. recorded, live: the
 * values as the structs hold them. */
bool weight_decides(const struct schema *s, const struct schema_field *f, const void *recorded,
		    const void *live);

/* How much a difference in the field speaks against a recorded request; 0: nothing. */
int weight_of(const struct schema *s, const struct schema_field *f);

#endif
