/* Looks into partitions and their logs. Owns nothing. */
#include "mock/inspect.h"

#include "mock/state.h"

static struct partition *find(const struct cluster *c, struct str topic, int32_t index,
			      struct error *e)
{
	struct topic *t = topic_find(c, topic);
	struct partition *p = t ? partition_find(t, index) : NULL;

	if (!t)
		error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'", STR_ARG(topic));
	else if (!p)
		error_set(e, ERR_USAGE, "the topic has no partition %d", index);
	return p;
}

int cluster_partition_view(const struct cluster *c, struct str topic, int32_t partition,
			   struct partition_view *ret, struct error *e)
{
	const struct partition *p = find(c, topic, partition, e);

	if (!p)
		return ERR_USAGE;
	*ret = (struct partition_view){
		.leader = p->leader,
		.leader_epoch = p->leader_epoch,
		.log_start = p->log.start,
		.log_end = p->log.end,
		.high_watermark = partition_high_watermark(p),
		.stable_offset = partition_stable_offset(p),
		.batches = (int64_t)p->log.count,
		.bytes = p->log.size,
	};
	return 0;
}

bool cluster_broker_up(const struct cluster *c, int32_t node_id)
{
	const struct broker *b = cluster_broker(c, node_id);

	return b && b->alive;
}

void cluster_read_log(const struct cluster *c, struct str topic, int32_t partition, int64_t offset,
		      struct buf *scratch, bool (*on_batch)(void *ctx, struct bytes batch),
		      void *ctx)
{
	const struct log *log = &find(c, topic, partition, NULL)->log;

	for (size_t i = log_seek(log, offset); i < log->count; i++)
		if (!on_batch(ctx, log_flatten(log_at(log, i), scratch)))
			return;
}
