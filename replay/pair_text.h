/* Paths and values of messages that are compared, for people. */
#ifndef REPLAY_PAIR_TEXT_H
#define REPLAY_PAIR_TEXT_H

#include "base/buf.h"
#include "replay/pairs.h"

/* "topics[orders].partitions[0].leaderEpoch": elements by what identifies them. */
void pair_path(struct buf *b, const struct variables *v, const struct pair_step *step);

/* A value of a field, or of an element: numbers, "text", bytes in hex (the first ones), an error
 * code with its name. */
void pair_value(struct buf *b, const struct schema_field *f, const void *value);

#endif
