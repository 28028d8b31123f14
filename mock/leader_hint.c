/* The node endpoints of Produce and Fetch answers. */
#include "mock/leader_hint.h"

#include "mock/state.h"

#define HINTS_MAX 64 /* brokers in one answer; more leaders than that are found by Metadata */

_Static_assert(sizeof(struct produce_response_node_endpoints) ==
		       sizeof(struct fetch_response_node_endpoints),
	       "Produce and Fetch name nodes alike");

void leader_hint_add(struct cluster *c, struct call *call, int32_t node_id,
		     struct produce_response_node_endpoints **list, int32_t *count)
{
	const struct broker *b = cluster_broker(c, node_id);
	struct produce_response_node_endpoints *e;

	for (int32_t i = 0; i < *count; i++)
		if ((*list)[i].node_id == node_id)
			return;
	if (!b || *count == HINTS_MAX)
		return;
	if (!*list)
		*list = CALL_ARRAY(call, struct produce_response_node_endpoints, HINTS_MAX);
	e = &(*list)[(*count)++];
	e->node_id = node_id;
	e->host = call_str(call, str_of(b->address.host));
	e->port = b->address.port;
	e->rack = cluster_rack(call, b);
}
