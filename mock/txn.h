/* Transactions as their coordinator keeps them (KIP-98, KIP-890): one record for each transactional
 * id, with producer id and epoch, state, and the partitions and groups that the open one touched.
 * The state machine only; what requests say and get is mock/txn_api.c's. */
#ifndef MOCK_TXN_H
#define MOCK_TXN_H

#include "mock/call.h"
#include "mock/partition.h"
#include "mock/timer.h"

#include <uthash.h>

enum txn_state {
	TXN_EMPTY,
	TXN_ONGOING,
	TXN_PREPARE_COMMIT, /* decided; markers are being written */
	TXN_PREPARE_ABORT,
	TXN_COMPLETE_COMMIT,
	TXN_COMPLETE_ABORT,
	TXN_STATE_COUNT,
};

/* A partition in the open transaction, known by topic id: a topic that is made anew is another. */
struct txn_partition_key {
	struct uuid topic_id;
	int32_t index;
};

struct txn_partition {
	struct txn_partition_key key;
	UT_hash_handle hh;
};

struct txn_group {
	struct str id; /* owned */
	struct txn_group *next;
};

struct txn {
	struct str id;
	enum txn_state state;
	int64_t producer_id, prev_producer_id; /* -1 none before */
	int64_t next_producer_id;  /* once the epochs of this one are used up; -1 none */
	int16_t epoch, last_epoch; /* -1 none */
	int32_t timeout_ms;
	int64_t updated_ms; /* wall, of the last change of state */
	int64_t start_ms;   /* wall, of the open transaction or the last one; -1 none */
	struct txn_partition *partitions;
	struct txn_group *groups;
	struct timer timeout;
	UT_hash_handle by_id;
};

struct txns {
	struct txn *by_id;
};

/* Who a request claims to be. */
struct txn_claim {
	int64_t producer_id;
	int16_t epoch;
};

void txns_release(struct cluster *c);
struct txn *txn_find(const struct cluster *c, struct str id);
const char *txn_state_name(enum txn_state state); /* Kafka's, "PrepareCommit" */

int64_t producer_id_new(struct cluster *c);

/*
 * A producer starts under the id: its epoch is bumped, an open transaction is aborted first
 * (CONCURRENT_TRANSACTIONS: it shall ask again). claim.producer_id -1: it knows nothing of its
 * past. Errors are those of the newest version: PRODUCER_FENCED.
 */
int16_t txn_init(struct cluster *c, struct str id, int32_t timeout_ms, struct txn_claim claim,
		 struct txn **ret);

/* Whether the claim may add to the open transaction or open one: INVALID_PRODUCER_ID_MAPPING,
 * PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, or 0. t may be NULL. */
int16_t txn_check_add(const struct txn *t, struct txn_claim claim);
void txn_add_partition(struct cluster *c, struct txn *t, const struct partition *p);
void txn_add_group(struct cluster *c, struct txn *t, struct str group);
bool txn_has_partition(const struct txn *t, const struct partition *p);
bool txn_has_group(const struct txn *t, struct str group);

/*
 * Ends the open transaction. bump: as of version 2 of the protocol, the epoch goes up with each
 * end, and the markers carry the new one.
 */
int16_t txn_end(struct cluster *c, struct txn *t, struct txn_claim claim, bool commit, bool bump);

/* Forgets ids whose last transaction ended at that wall time or before. */
void txns_expire(struct cluster *c, int64_t before_ms);

/* Writes the markers that are due wherever there is a leader now. */
void txns_push(struct cluster *c);

/* Whether a partition may take a transactional batch of this claim; where `adds` (Produce 12 and
 * later) the partition joins the transaction. Errors as Produce gives them, `abortable` where it
 * knows TRANSACTION_ABORTABLE. */
int16_t txn_check_produce(struct cluster *c, struct str id, struct txn_claim claim,
			  const struct partition *p, bool adds, bool abortable);

#endif
