/* Batches and markers put into a log without a request. Owns nothing; what a batch means for its
 * producer and its transaction is noted as for any other. */
#include "mock/put.h"

#include "mock/marker.h"
#include "mock/state.h"

static struct partition *partition_named(struct cluster *c, struct str topic, int32_t partition,
					 struct error *e)
{
	const struct topic *t = topic_find(c, topic);
	struct partition *p = t ? partition_find(t, partition) : NULL;

	if (!t)
		error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'", STR_ARG(topic));
	else if (!p)
		error_set(e, ERR_USAGE, "topic '" STR_FMT "' has no partition %d", STR_ARG(topic),
			  partition);
	return p;
}

static void note_producer(struct partition *p, const struct batch *b, int64_t at)
{
	struct producer_claim claim = {.id = b->producer_id,
				       .epoch = b->producer_epoch,
				       .sequence = b->base_sequence,
				       .records = b->records_count,
				       .transactional = b->transactional};

	if (b->producer_id >= 0 && !b->control)
		producer_note(&p->producers, &claim, at, b->max_timestamp);
}

int cluster_put_batch(struct cluster *c, struct str topic, int32_t partition, struct bytes batch,
		      int64_t gap, struct instant now, struct error *e)
{
	struct partition *p = partition_named(c, topic, partition, e);
	struct log_append what = {.batch = batch};
	struct batch b;
	int rc;

	if (!p)
		return ERR_USAGE;
	rc = batch_read(batch.data, (size_t)batch.len, &b, e);
	if (rc < 0)
		return rc;
	if (b.magic != 2)
		return error_set(e, ERR_MALFORMED, "it is no batch of magic 2");
	if (!log_has_room(&p->log, (size_t)batch.len))
		return error_set(e, ERR_LIMIT, "no memory for logs is left");
	c->now = now;
	what.leader_epoch = p->leader_epoch;
	what.attributes = b.attributes;
	what.max_timestamp = b.max_timestamp;
	what.gap = gap;
	note_producer(p, &b, partition_append(c, p, &what, NULL));
	return 0;
}

int cluster_put_marker(struct cluster *c, struct str topic, int32_t partition, int64_t producer_id,
		       int16_t epoch, bool commit, struct instant now, struct error *e)
{
	struct partition *p = partition_named(c, topic, partition, e);
	struct marker m = {.producer_id = producer_id, .epoch = epoch, .commit = commit};

	if (!p)
		return ERR_USAGE;
	c->now = now;
	if (marker_write(c, p, &m))
		return error_set(e, ERR_USAGE, "the marker is older than what the log has");
	return 0;
}
