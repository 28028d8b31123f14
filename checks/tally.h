/* What a rule came to: how often it was judged, how often broken, and the first time it was. For
 * checks that judge as they go and are several folds over one state. */
#ifndef CHECKS_TALLY_H
#define CHECKS_TALLY_H

#include "checks/check.h"

/* Zeroed before first use. */
struct tally {
	uint64_t judged, wrong;
	int64_t first_us;
	struct str first; /* in the check's arena */
};

/* One more; fmt says what is wrong, where it is, and counts the first time. */
void tally(struct tally *t, struct check *c, bool wrong, int64_t time_us, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The finding: what was judged ("heartbeats, each with ..."), or why there was nothing to. */
void tally_end(const struct tally *t, struct check *c, struct finding *f, const char *what,
	       const char *nothing);

#endif
