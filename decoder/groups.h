/* The consumer groups of a capture, each a life: `decode -o group`. Classic groups and those of
 * KIP-848; who joined or left each generation and why, what moved, and how far each partition's
 * reader is behind at the end. */
#ifndef DECODER_GROUPS_H
#define DECODER_GROUPS_H

#include "base/buf.h"
#include "base/room.h"
#include "decoder/names.h"
#include "trace/event.h"

#define GROUPS_MAX 2000 /* more are counted, not told */

struct groups;

/* only: the id of the one group that is told; NULL: all. Not copied. Memory is taken from room,
 * which may be NULL; what does not fit is left out. */
struct groups *groups_new(const char *only, struct room *room);
void groups_free(struct groups *gs); /* NULL is fine */

/* To be called with every exchange. */
void groups_exchange(struct groups *gs, struct exchange *x, const struct names *names);

/* Everything, once, at the end. */
void groups_write(struct groups *gs, struct buf *out);

#endif
