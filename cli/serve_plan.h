/* --plan of `ktrial serve`: the cluster of a scenario's case, without its clients, checks and
 * timeline. */
#ifndef CLI_SERVE_PLAN_H
#define CLI_SERVE_PLAN_H

#include "cli/cmd.h"
#include "harness/plan.h"
#include "service/service.h"

#define SERVE_CASES_MAX 32

struct serve_plan {
	const char *path;		    /* NULL: no --plan */
	const char *cases[SERVE_CASES_MAX]; /* KEY=VALUE each; the first case that has them all */
	int32_t cases_count;
	const char *rival; /* an option that says what a plan says; NULL none was given */
	struct scenario *scenario;
	struct case_plan *plan; /* NULL without --plan */
};

/* Reads it, once all options are; takes seed and memory from config and sets all else there. What
 * is wrong is told on stderr. An exit status, 0 to go on. */
int serve_plan_read(struct serve_plan *p, struct cluster_config *config);

/* Its topics with their records, and its rules; before service_start. An exit status. */
int serve_plan_add(const struct serve_plan *p, struct service *s);

/* After a reset its topics are there again, but empty. */
void serve_plan_refill(const struct serve_plan *p, struct service *s);

void serve_plan_release(struct serve_plan *p);

#endif
