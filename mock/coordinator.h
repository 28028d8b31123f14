/* Which broker coordinates a group or a transactional id. */
#ifndef MOCK_COORDINATOR_H
#define MOCK_COORDINATOR_H

#include "mock/call.h"

/* The node id of the live broker that coordinates a key: Kafka's hash over the 50 partitions of the
 * internal topic, those spread over the brokers; -1 if no broker is up. */
int32_t coordinator_of(const struct cluster *c, struct str key);

/* Where coordinators differ from what the hash says, because somebody moved them or lets them load.
 */
struct coordinator_change;
struct coordination {
	struct coordinator_change *changes;
	int64_t cold_until_us; /* all of them are just starting */
};

void coordination_release(struct cluster *c);
/* The broker for that key from now on; -1 as the hash says. */
void coordinator_set(struct cluster *c, struct str key, int32_t node_id);
/* Until then its coordinator answers that it is loading. */
void coordinator_loads(struct cluster *c, struct str key, int64_t until_us);
/* True right after a cold start. */
bool coordinators_cold(const struct cluster *c);

/* NONE, or COORDINATOR_LOAD_IN_PROGRESS while it loads, or NOT_COORDINATOR if the call came to
 * another broker than the key's. */
int16_t coordinator_check(const struct cluster *c, const struct call *call, struct str key);

#endif
