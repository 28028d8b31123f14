/* Logs made from outside, as a replica takes them over from its leader: whole batches, judged by
 * nobody. So a log can hold what no producer could have it written: gaps, batches that compaction
 * emptied, wrong checksums, messages of before there were record batches. */
#ifndef MOCK_PUT_H
#define MOCK_PUT_H

#include "mock/cluster.h"

/* A topic as somebody saw it on another cluster. */
struct put_topic {
	struct str name;
	struct uuid id;	     /* zero: one of our own */
	int32_t partitions;  /* > 0 */
	int16_t replication; /* at most the brokers' number */
	bool internal;
	const int32_t *leaders; /* of each partition; -1, or no broker of ours: by us */
	const int32_t *epochs;	/* their epochs, from 0 */
};

/* Makes it. ERR_USAGE: there is one of that name or id, or it can't be one. */
int cluster_put_topic(struct cluster *c, const struct put_topic *t, struct instant now,
		      struct error *e);

/*
 * Appends a batch as it is, but for base offset and leader epoch; gap: offsets that are left out
 * before it. A batch with a producer id counts as that producer's, if it can be read at all: more
 * than a header whose last offset is not before its first is not asked for; one that is a marker
 * ends that producer's transaction. A message of magic 0 or 1 that can be read stands there as
 * one, too; the offsets inside a compressed one of magic 0, which are absolute, are its maker's
 * business. 0; ERR_USAGE (no such topic or partition), ERR_MALFORMED (not even that), ERR_LIMIT
 * (no memory for logs is left).
 */
int cluster_put_batch(struct cluster *c, struct str topic, int32_t partition, struct bytes batch,
		      int64_t gap, struct instant now, struct error *e);

/* Appends the marker that ends a producer's transaction there. The same codes. */
int cluster_put_marker(struct cluster *c, struct str topic, int32_t partition, int64_t producer_id,
		       int16_t epoch, bool commit, struct instant now, struct error *e);

/* Commits an offset of a group, which is made if there is none, without a member. ERR_USAGE as
 * above. */
int cluster_put_offset(struct cluster *c, struct str group, struct str topic, int32_t partition,
		       int64_t offset, struct instant now, struct error *e);

#endif
