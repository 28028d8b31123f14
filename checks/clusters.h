/* Which Kafka cluster a connection leads to. A capture may hold the traffic of several, where the
 * same group, the same topic and the same producer id are not the same thing. Metadata tells the
 * cluster's id and the addresses of its brokers. */
#ifndef CHECKS_CLUSTERS_H
#define CHECKS_CLUSTERS_H

#include "trace/event.h"

struct clusters {
	struct cluster_address *addresses; /* of which the cluster is known */
	struct cluster_id *ids;
	uint32_t count; /* of ids */
};

void clusters_release(struct clusters *c);
/* Learns from an answer to Metadata; others are passed over. */
void clusters_feed(struct clusters *c, struct exchange *x);
/* A number of the cluster behind a connection: 0 is the first one that was told, and where no more
 * than one was told every broker that it named. Of a server that nobody told of: a number of its
 * own, for nobody knows. */
uint64_t clusters_of(const struct clusters *c, const struct event_conn *conn);

#endif
