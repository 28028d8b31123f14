/* Transaction markers: the control batches that end a transaction in a partition. */
#ifndef MOCK_MARKER_H
#define MOCK_MARKER_H

#include "mock/partition.h"
#include "protocol/records.h"

struct marker {
	int64_t producer_id;
	int16_t epoch;
	int32_t coordinator_epoch;
	bool commit;
};

/* Appends the marker and ends the producer's transaction here, if one is open. Returns 0,
 * INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED (both for a marker that is older than what
 * is known), or KAFKA_STORAGE_ERROR where the log memory is full and no transaction is open here:
 * one that is open always has room for its end. */
int16_t marker_write(struct cluster *c, struct partition *p, const struct marker *m);

/* What a marker that stands in the log at an offset means: the producer's transaction, if one is
 * open here, ended there. */
void marker_note(struct partition *p, const struct marker *m, int64_t at, int64_t timestamp);

/* What a batch of magic 2 means as a marker. False if it is none. */
bool marker_read(const struct batch *b, struct marker *ret);

/* The aborted transactions that a reader of [from, to) must know (KIP-98): in the call's memory. */
struct fetch_response_responses_partitions_aborted_transactions *
marker_aborted(const struct partition *p, struct call *call, int64_t from, int64_t to,
	       int32_t *ret_count);

#endif
