/* Node ids by the address of their listener: as answers of the capture told them. A capture shows
 * addresses, answers mostly names; a name is taken for an address where its port is of one broker
 * alone. */
#ifndef DECODER_BROKERS_H
#define DECODER_BROKERS_H

#include "trace/event.h"

#define BROKERS_MAX 10000 /* more are not learned */

struct brokers;

struct brokers *brokers_new(void);
void brokers_free(struct brokers *b); /* NULL is fine */

/* Learns from an answer that names nodes with host and port: Metadata, FindCoordinator,
 * DescribeCluster, and the node endpoints of others (KIP-951). Decodes the answer of such alone. */
void brokers_learn(struct brokers *b, struct exchange *x);

/* The node id of whoever listens there; -1 unknown. */
int32_t brokers_find(const struct brokers *b, const struct endpoint *server);

#endif
