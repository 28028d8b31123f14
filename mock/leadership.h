/* Who leads a partition and who is in sync, when brokers come and go or somebody moves a leader. */
#ifndef MOCK_LEADERSHIP_H
#define MOCK_LEADERSHIP_H

#include "mock/partition.h"

struct cluster;

/* Gives the partition a leader (node id, or -1 for none) under the next epoch, tells the bus and
 * wakes who waits. */
void leader_set(struct cluster *c, struct partition *p, int32_t node_id);

/* The broker is gone: it leaves the ISR unless it is its last member, and what it led goes to the
 * next live one of the ISR, or, where unclean.leader.election.enable says so, to any live replica.
 */
void leadership_broker_down(struct cluster *c, int32_t node_id);

/* The broker is back: it is in sync again at once, and leads what waits for it. */
void leadership_broker_up(struct cluster *c, int32_t node_id);

/* A replica that lacks everything from offset on becomes leader: the log ends there. */
void leader_unclean(struct cluster *c, struct partition *p, int32_t node_id, int64_t offset);

/* The same with a replica that is out of sync: what it lacks is known. */
void leader_out_of_sync(struct cluster *c, struct partition *p, int32_t node_id);

/* Frees what is known of replicas that are out of sync. */
void leadership_forget(struct partition *p);

#endif
