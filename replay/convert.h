/* A decoded message moved to another version of its API, where the fields allow: topics by name
 * become topics by id and the reverse, what one version says once another says as a list of one. */
#ifndef REPLAY_CONVERT_H
#define REPLAY_CONVERT_H

#include "base/arena.h"
#include "base/error.h"
#include "replay/variables.h"

/*
 * Changes msg, read at version from, in place to what version to says. side: whose topic ids they
 * are. request: of an answer, what was asked, since a list says which group or key each element is
 * about and a single thing does not; or NULL. Returns 0, ERR_UNSUPPORTED with *e where a list has
 * more than the single thing can say, or ERR_LIMIT. Whether a field that the version lacks says
 * something is the codec's to tell, when it is written.
 */
int convert_message(const struct schema *s, int from, int to, const struct variables *v,
		    enum side side, const struct holder *request, void *msg, struct arena *arena,
		    struct error *e);

#endif
