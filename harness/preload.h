/* Records that are there before anybody comes: put into the logs through the cluster's own Produce,
 * from inside. */
#ifndef HARNESS_PRELOAD_H
#define HARNESS_PRELOAD_H

#include "harness/plan.h"
#include "service/service.h"

#define PRELOAD_BATCH 50 /* records of one batch */

/* Writes topic->records values old.0, old.1, ..., to the partitions in turn. 0 or a negative code
 * with *e. */
int preload(struct service *s, const struct plan_topic *topic, int32_t brokers, struct error *e);

#endif
