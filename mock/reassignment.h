/* Replicas of a partition moved to other brokers (KIP-455). While a broker that is to have it is
 * down, the move stays under way; brokers that are up have everything at once. */
#ifndef MOCK_REASSIGNMENT_H
#define MOCK_REASSIGNMENT_H

#include "mock/partition.h"

struct cluster;

/* True while replicas are being added or removed. */
bool reassignment_is_under_way(const struct partition *p);

/* The partition shall be on these brokers: known, each once, the first one preferred. */
void reassignment_start(struct cluster *c, struct partition *p, const int32_t *nodes,
			int32_t count);

/* Whether a replica of before is in sync: else a cancel would leave nobody who could lead. */
bool reassignment_can_cancel(const struct partition *p);

/* Those that were to be added leave again. Only while one is under way that can be cancelled. */
void reassignment_cancel(struct cluster *c, struct partition *p);

/* Ends the move if all that are added are in sync: to be called when the ISR has grown. */
void reassignment_settle(struct cluster *c, struct partition *p);

#endif
