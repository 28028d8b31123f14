/* What a partition knows of each idempotent producer that wrote to it: epoch, and the last five
 * batches, by which a repeat is told from a gap (KIP-98). */
#ifndef MOCK_PRODUCER_H
#define MOCK_PRODUCER_H

#include "base/str.h"

#include <uthash.h>

#define PRODUCER_WINDOW 5

struct producer_batch {
	int32_t first_sequence, last_sequence;
	int64_t first_offset;
	int64_t timestamp; /* the batch's greatest */
};

struct producer {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch; /* of its last marker; -1 none */
	int64_t txn_first_offset;  /* of the transaction that is open; -1 none */
	int64_t last_offset;	   /* of its last batch or marker here */
	int64_t last_timestamp;	   /* of its last batch, ms */
	struct producer_batch batches[PRODUCER_WINDOW]; /* oldest first */
	int32_t batches_count;
	UT_hash_handle hh;
};

struct producers {
	struct producer *by_id; /* in the order in which they came */
	int32_t open_txns;	/* producers with a transaction open here */
};

/* One batch as its producer numbers it. */
struct producer_claim {
	int64_t id;
	int16_t epoch;
	int32_t sequence; /* of its first record */
	int32_t records;
	bool transactional;
};

void producers_release(struct producers *ps);
struct producer *producer_find(const struct producers *ps, int64_t id);

/* Whether the batch may be appended: 0, INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, or
 * INVALID_TXN_STATE for a batch outside the transaction that is open. A
 * repeat of one of the last five gives 0 and that batch in *ret_repeat, which is NULL otherwise. */
int16_t producer_check(const struct producers *ps, const struct producer_claim *claim,
		       const struct producer_batch **ret_repeat);

/* Notes an appended batch. Returns the producer. */
struct producer *producer_note(struct producers *ps, const struct producer_claim *claim,
			       int64_t first_offset, int64_t timestamp);

/* Forgets who last wrote at or before that time (wall, ms) and has no transaction open. */
void producers_expire(struct producers *ps, int64_t before_ms);

/* The log now ends at that offset, and left is what its batches tell by themselves. Who wrote
 * nothing behind the end stays as it is, even with no record in the log. The others are what left
 * says, but for what is known better from before: where the transaction began that was open
 * already, and batches before the end that the log has no more. Of whom neither tells anything is
 * forgotten. */
void producers_rewind(struct producers *ps, const struct producers *left, int64_t end);

/* A marker at an offset ended the producer's transaction, if one is open, under its epoch. */
void producer_end_txn(struct producers *ps, int64_t id, int16_t epoch, int32_t coordinator_epoch,
		      int64_t at, int64_t timestamp);

#endif
