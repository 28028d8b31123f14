/* Which broker coordinates a group or a transactional id. */
#ifndef MOCK_COORDINATOR_H
#define MOCK_COORDINATOR_H

#include "mock/call.h"

/* The node id of the live broker that coordinates a key: Kafka's hash over the 50 partitions of the
 * internal topic, those spread over the brokers; -1 if no broker is up. */
int32_t coordinator_of(const struct cluster *c, struct str key);

/* NONE, or NOT_COORDINATOR if the call came to another broker than the key's. */
int16_t coordinator_check(const struct cluster *c, const struct call *call, struct str key);

#endif
