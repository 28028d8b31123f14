/* A plan's cluster before anybody comes: its topics, its rules, and records, which are batches made
 * by the builder and put into the logs as they are. */
#ifndef HARNESS_PRELOAD_H
#define HARNESS_PRELOAD_H

#include "harness/plan.h"
#include "service/service.h"

#define PRELOAD_BATCH 50 /* records of one batch, where the plan says no other */

/* The cluster as the plan says it; what the plan does not say is at its default. */
struct cluster_config preload_config(const struct case_plan *plan);

/* The plan's topics with all that is in them from the start, and its rules. 0 or a negative code
 * with *e. */
int preload(struct service *s, const struct case_plan *plan, struct error *e);

/* Fills the topics, which are there and empty: topic->records values old.0, old.1, ... go to the
 * partitions in turn, then the topic's batches; and commits what groups have committed of them. */
int preload_topics(struct service *s, const struct case_plan *plan, struct error *e);

#endif
