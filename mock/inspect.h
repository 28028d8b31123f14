/* The cluster as a test sees it from outside: a partition's state and log without a Fetch, whoever
 * leads it and whatever its metadata say. */
#ifndef MOCK_INSPECT_H
#define MOCK_INSPECT_H

#include "base/buf.h"
#include "mock/cluster.h"

struct partition_view {
	int32_t leader; /* node id; -1 none */
	int32_t leader_epoch;
	int64_t log_start, log_end, high_watermark, stable_offset;
	int64_t batches, bytes; /* in the log */
};

/* 0, or ERR_USAGE: there is no such topic or partition. */
int cluster_partition_view(const struct cluster *c, struct str topic, int32_t partition,
			   struct partition_view *ret, struct error *e);

/* Whether the broker is up; node ids as in cluster_config. */
bool cluster_broker_up(const struct cluster *c, int32_t node_id);

/*
 * Hands out the partition's batches as they stand in the log, in order, from the one that holds
 * offset (or the next one) on, until on_batch says false. scratch is for putting one together; the
 * bytes are valid during the call. The partition must be there.
 */
void cluster_read_log(const struct cluster *c, struct str topic, int32_t partition, int64_t offset,
		      struct buf *scratch, bool (*on_batch)(void *ctx, struct bytes batch),
		      void *ctx);

#endif
