/* One partition: leadership, its log, its producers, and the one way by which anything gets into
 * the log. */
#ifndef MOCK_PARTITION_H
#define MOCK_PARTITION_H

#include "mock/call.h"
#include "mock/log.h"
#include "mock/producer.h"

struct topic;

/* A transaction that was aborted here: its producer, first offset, and its marker's. */
struct partition_aborted {
	int64_t producer_id, first_offset, last_offset;
};

/* A replica that fell out of sync, and where its log ends. */
struct partition_behind {
	int32_t node_id;
	int64_t end;
	struct partition_behind *next;
};

struct partition {
	struct topic *topic;
	int32_t index;
	int32_t leader; /* node id; -1 while none of the in-sync replicas is up */
	int32_t leader_epoch;
	int32_t *replicas, *isr; /* node ids; the first replica is the preferred leader */
	int32_t replicas_count, isr_count;
	struct partition_behind *behind; /* who fell out of sync (mock/leadership.h) */
	int32_t *adding, *removing;	 /* of a reassignment under way (mock/reassignment.h) */
	int32_t adding_count, removing_count;
	struct log log;
	struct producers producers;
	struct partition_aborted *aborted; /* by last_offset */
	size_t aborted_count, aborted_cap;
	struct waitlist waiters; /* woken when high watermark, leadership or log start move */
};

/* Why a broker may not serve a partition as its leader: UNKNOWN_TOPIC_OR_PARTITION for none,
 * NOT_LEADER_OR_FOLLOWER, and where the client says which epoch it believes in (not -1)
 * FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH; or 0. */
int16_t partition_leader_error(const struct partition *p, int32_t broker, int32_t client_epoch);

bool partition_has_replica(const struct partition *p, int32_t broker);

/* How far consumers may read: all that in-sync replicas have, and of that what no open transaction
 * holds back. */
int64_t partition_high_watermark(const struct partition *p);
int64_t partition_stable_offset(const struct partition *p);

/* Appends (when segments end is the topic's to say), tells the bus, wakes who waits. call: whose
 * Produce it is, NULL for the cluster's own. Returns the base offset. */
int64_t partition_append(struct cluster *c, struct partition *p, const struct log_append *what,
			 const struct call *call);

/* The log begins at offset, at most the high watermark, if it does not already begin behind it:
 * tells the bus, wakes who waits. */
void partition_move_start(struct cluster *c, struct partition *p, int64_t offset);

/* The log ends at offset, or before if a batch reaches over it: what producers and transactions did
 * behind is undone. Tells nobody. */
void partition_truncate(struct cluster *c, struct partition *p, int64_t offset);

/* Drops what is known of transactions that ended at or behind the log's end, or before its start.
 */
void partition_trim_aborted(struct partition *p);

/* The replicas on brokers that are down, in the call's memory. */
int32_t *partition_offline(const struct cluster *c, struct call *call, const struct partition *p,
			   int32_t *ret_count);

void partition_release(struct cluster *c, struct partition *p);

#endif
