/* The scenarios that a command line names: files, folders (every .lua below, but for what starts
 * with "_"), glob patterns, or names such as produce/lost-ack below the project's scenarios/. */
#ifndef HARNESS_SUITE_H
#define HARNESS_SUITE_H

#include "harness/plan.h"

#define SUITE_MAX 2000

struct suite {
	struct scenario **list; /* by path */
	int32_t count;
	struct sources modules; /* that they use */
};

/* Adds what one word names. Complaints of scenarios that are wrong go to out. 0; ERR_USAGE with *e
 * if it names nothing; ERR_MALFORMED if a scenario is wrong (the others are added nevertheless). */
int suite_add(struct suite *s, const char *word, struct buf *out, struct error *e);
void suite_release(struct suite *s);

#endif
