/* Offsets that a transaction will commit: kept beside the group's until the transaction ends. */
#ifndef MOCK_TXN_OFFSETS_H
#define MOCK_TXN_OFFSETS_H

#include "mock/group.h"
#include "mock/offsets.h"

struct txn_offset {
	int64_t producer_id;
	int64_t offset;
	int32_t leader_epoch;
	struct str metadata; /* owned */
	struct txn_offset *next;
};

/* A partition of which open transactions have offsets: one of each producer, at least one. */
struct pending_partition {
	struct offset_key key;
	struct txn_offset *offsets; /* newest first; owned */
	UT_hash_handle hh;
};

/* Whether some open transaction has an offset for the partition (KIP-447: unstable). */
bool txn_offset_pending(const struct group *g, struct uuid topic_id, int32_t partition);

/* The producer's transaction ended: its offsets of the group are committed or dropped. */
void txn_offsets_end(struct cluster *c, struct str group, int64_t producer_id, bool commit);

void txn_offsets_release(struct group *g);

#endif
