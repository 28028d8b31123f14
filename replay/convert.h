/* A decoded message moved to another version of its API, where the fields allow: topics by name
 * become topics by id and the reverse, what one version says once another says as a list of one. */
#ifndef REPLAY_CONVERT_H
#define REPLAY_CONVERT_H

#include "base/arena.h"
#include "base/error.h"
#include "replay/variables.h"

/*
 * Changes msg, read at version from, in place so that it can be written at version to. side: whose
 * topic ids they are. request: of an answer, what was asked, since a list says which group or key
 * each element is about and a single thing does not; or NULL. Returns 0, or ERR_UNSUPPORTED with
 * *e: the field that says something which the other version can't; ERR_LIMIT.
 */
int convert_message(const struct schema *s, int from, int to, const struct variables *v,
		    enum side side, const struct holder *request, void *msg, struct arena *arena,
		    struct error *e);

#endif
