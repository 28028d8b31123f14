/* A message of one version as another version has it: what was decoded from an answer recorded in
 * one version is made fit to be written in the version that a live client speaks. */
#ifndef REPLAY_RESHAPE_H
#define REPLAY_RESHAPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "replay/variables.h"

struct reshape {
	const struct variables *v;	 /* knows topics' names and ids */
	enum side side;			 /* whose the message's topic ids are */
	const struct holder *live_about; /* the live request: whom the answer is about */
	const struct holder *around;	 /* the message's own request; may be NULL */
	struct arena *arena;
	/* "name, name": fields that the version needs and the message had not, so that they have
	 * their defaults; and those that it had and the version can't say. NULL: nobody asks. */
	struct buf *by_default, *lost;
};

/*
 * Changes msg in place: what only the old version has where the new one has it elsewhere (a single
 * group at the top and a list of groups, a list of one offset and the offset) is moved; a topic's
 * name or id is filled in where the other is there and known; fields that the new version lacks go
 * to their defaults. False when the arena is full.
 */
bool reshape(const struct reshape *r, const struct schema *s, int from, int to, void *msg);

#endif
