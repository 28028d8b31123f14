/* Records that are there before anybody comes: batches made by the builder and put into the logs
 * as they are. */
#ifndef HARNESS_PRELOAD_H
#define HARNESS_PRELOAD_H

#include "harness/plan.h"
#include "service/service.h"

#define PRELOAD_BATCH 50 /* records of one batch, where the plan says no other */

/* Writes topic->records values old.0, old.1, ..., to the partitions in turn, then the topic's
 * batches. 0 or a negative code with *e. */
int preload(struct service *s, const struct case_plan *plan, const struct plan_topic *topic,
	    struct error *e);

#endif
