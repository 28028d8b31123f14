/* Where the right leader is, told with NOT_LEADER_OR_FOLLOWER (KIP-951). */
#ifndef MOCK_LEADER_HINT_H
#define MOCK_LEADER_HINT_H

#include "mock/call.h"
#include "protocol/messages.h"

/* Adds a broker to the answer's list unless it is there or none. The lists of Produce and Fetch
 * have the same shape, so one type serves both. */
void leader_hint_add(struct cluster *c, struct call *call, int32_t node_id,
		     struct produce_response_node_endpoints **list, int32_t *count);

#endif
