/* A live cluster as a client knows it: brokers and what versions they speak, leaders, coordinators.
 * Asks on connections of its own, and learns from answers that others got. */
#ifndef HARNESS_LIVE_CLUSTER_H
#define HARNESS_LIVE_CLUSTER_H

#include "base/arena.h"
#include "base/error.h"
#include "harness/live.h"
#include "replay/seen.h"

#include <stdbool.h>

struct live_node {
	int32_t id;
	struct service_address address;
	int16_t min[API_KEY_MAX + 1], max[API_KEY_MAX + 1]; /* min > max: does not know it */
};

struct live_cluster;

/* Reaches the cluster by any of its brokers and learns what there is. Runs the loop meanwhile.
 * anywhere: its brokers may stand where they say; else those that are not on loopback are never
 * connected to. NULL with *e: ERR_OS, ERR_UNSUPPORTED if who answers is no Kafka broker, ERR_USAGE
 * if it names brokers where it must not be. */
struct live_cluster *live_cluster_open(struct loop *l, const struct service_address *to,
				       bool anywhere, struct error *e);
void live_cluster_free(struct live_cluster *c); /* NULL is fine */

/* Brokers by node id. */
size_t live_cluster_nodes(const struct live_cluster *c);
const struct live_node *live_cluster_node(const struct live_cluster *c, size_t i);
const struct live_node *live_cluster_find_node(const struct live_cluster *c, int32_t id);

/* Its id; empty: it has none (before Kafka 0.10.1). */
struct str live_cluster_id(const struct live_cluster *c);

/* Node ids; -1 not known. type: of FindCoordinator, 0 groups, 1 transactional ids. */
int32_t live_cluster_leader(const struct live_cluster *c, struct str topic, int32_t partition);
int32_t live_cluster_coordinator(const struct live_cluster *c, int8_t type, struct str key);

/* What an answer says of nodes, leaders and coordinators. */
void live_cluster_learn(struct live_cluster *c, int api_key, const void *request,
			const void *response);

/* Asks anew, without waiting: what comes is known when it came. */
void live_cluster_refresh(struct live_cluster *c);
void live_cluster_look_for(struct live_cluster *c, int8_t type, struct str key);

/* True if the cluster has the topic. */
bool live_cluster_has_topic(const struct live_cluster *c, struct str topic);

/* Waits until the partition's leader answers for it, so that what is sent without an answer
 * arrives: once, at most 30 s, and not for a topic that is not there. Runs the loop meanwhile. */
void live_cluster_await_serving(struct live_cluster *c, struct str topic, int32_t partition);

/* Makes a topic with as many replicas as there can be, and waits until it has leaders. Runs the
 * loop meanwhile. ERR_OS, or ERR_UNSUPPORTED with what the cluster said. */
int live_cluster_create(struct live_cluster *c, const struct seen_topic *topic, struct error *e);

#endif
