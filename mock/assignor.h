/* The server-side assignors of KIP-848. */
#ifndef MOCK_ASSIGNOR_H
#define MOCK_ASSIGNOR_H

#include "mock/consumer_group.h"

/* NULL if there is no assignor of that name; the null view gives the default, uniform. */
typedef void assignor_run(struct consumer_member **members, int32_t count);
assignor_run *assignor_find(struct str name);

/*
 * Both read each member's eligible set (all partitions of what it subscribes to) and its target so
 * far, and write the new target. uniform: as even as subscriptions allow, and sticky. range: each
 * topic in runs, the same for topics of equal size, members in the order of their ids.
 */
assignor_run assignor_uniform, assignor_range;

#endif
