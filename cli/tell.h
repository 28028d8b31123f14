/* How `run` tells its results while they come and at the end: lines for a person or TAP, how often
 * a repeated case passed, a summary in Markdown where the environment names a file for one. */
#ifndef CLI_TELL_H
#define CLI_TELL_H

#include "harness/known.h"
#include "harness/pool.h"

#include <stdio.h>

/* How often a case passed. */
struct told_case {
	const struct scenario *scenario;
	int32_t case_index, passed, known, ran;
};

struct tell {
	bool tap, progress;
	const char *client;
	int32_t total, done;
	struct told_case *cases;
	int32_t cases_count;
	struct buf markdown; /* rows of what did not pass */
};

/* Begins; total: how many cases there will be. client is the caller's. */
void tell_init(struct tell *t, bool tap, int32_t total, const char *client);
void tell_release(struct tell *t);
/* One result, printed at once. */
void tell_result(struct tell *t, const struct job_result *r);
/* The last lines: repetitions, known deviations that are none any more, the sum. known may be NULL.
 */
void tell_end(struct tell *t, const struct pool_outcome *outcome, const struct known *known,
	      int64_t seed, double seconds);
/* Appends the summary to a file. False if it can't be written. */
bool tell_summary(const struct tell *t, const struct pool_outcome *outcome, const char *path);

#endif
