/* One answer out of several recorded ones: those parts that a live request asks for, each taken
 * from the answer that was chosen for it. */
#ifndef REPLAY_ASSEMBLE_H
#define REPLAY_ASSEMBLE_H

#include "replay/parts.h"

/* A whole answer, of the live version, that may be changed. */
struct assemble_answer {
	void *body;
	struct parts parts; /* its own */
};

struct assemble {
	int api_key, version;
	const struct parts *asked;	       /* of the live request */
	const struct assemble_answer *answers; /* the first is the one that the others go into */
	const int32_t *from;		       /* of each asked part: which answer */
	struct arena *arena;
};

/* Makes answers[0].body the answer: it loses the parts that are not asked for, or that another
 * answer was chosen for, and gets those. False when the arena is full. */
bool assemble(const struct assemble *a);

#endif
