/* A cluster filled with what a recorded session showed: its topics with their ids, leaders and
 * records, and what groups had committed, as they were when the recording ended. */
#ifndef SERVICE_SEED_H
#define SERVICE_SEED_H

#include "replay/seen.h"
#include "replay/variables.h"
#include "service/service.h"

/* Node ids of a service's brokers: those that were seen, ascending; at least one, at most
 * SERVICE_BROKERS_MAX (then the lowest). The list is the caller's to free. */
int32_t *seed_brokers(const struct seen *seen, int32_t *ret_count);

struct seed_totals {
	uint64_t topics, batches, offsets;
	uint64_t left_out; /* topics and batches that a broker can't have */
};

/* Fills the cluster of a service that has no topics yet; v learns the topics' live ids. */
void seed(struct service *s, const struct seen *seen, struct variables *v, struct seed_totals *ret);

#endif
