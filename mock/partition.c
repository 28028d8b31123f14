/* Partitions as their leader sees them. All replicas of a partition share one log: followers that
 * are up are in sync the moment a record is written. */
#include "mock/partition.h"

#include "mock/cleaner.h"
#include "mock/leadership.h"
#include "mock/marker.h"
#include "mock/state.h"
#include "protocol/records_bytes.h"

#include <stdlib.h>

int16_t partition_leader_error(const struct partition *p, int32_t broker, int32_t client_epoch)
{
	if (!p)
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (client_epoch != -1 && client_epoch < p->leader_epoch)
		return ERROR_FENCED_LEADER_EPOCH;
	if (client_epoch > p->leader_epoch)
		return ERROR_UNKNOWN_LEADER_EPOCH;
	return p->leader == broker ? ERROR_NONE : ERROR_NOT_LEADER_OR_FOLLOWER;
}

bool partition_has_replica(const struct partition *p, int32_t broker)
{
	for (int32_t i = 0; i < p->replicas_count; i++)
		if (p->replicas[i] == broker)
			return true;
	return false;
}

int64_t partition_high_watermark(const struct partition *p)
{
	return p->log.end;
}

int64_t partition_stable_offset(const struct partition *p)
{
	int64_t stable = partition_high_watermark(p);
	struct producer *q, *next;

	if (!p->producers.open_txns)
		return stable;
	HASH_ITER (hh, p->producers.by_id, q, next)
		if (q->txn_first_offset >= 0 && q->txn_first_offset < stable)
			stable = q->txn_first_offset;
	return stable > p->log.start ? stable : p->log.start;
}

static void emit_appended(struct cluster *c, const struct partition *p, const struct log_batch *b,
			  const struct call *call)
{
	struct event ev = {.kind = EVENT_LOG, .time_us = c->now.wall_us};

	if (!c->config.bus || !event_wanted(c->config.bus, EVENT_LOG))
		return;
	ev.log = (struct event_log){.what = LOG_APPENDED,
				    .topic = p->topic->name,
				    .topic_id = p->topic->id,
				    .partition = p->index,
				    .leader_epoch = b->leader_epoch,
				    .base_offset = b->base_offset,
				    .next_offset = b->last_offset + 1,
				    .batch = log_flatten(b, &c->batch),
				    .conn = call ? call->conn : 0,
				    .correlation_id = call ? call->header.correlation_id : 0};
	event_emit(c->config.bus, &ev);
}

int64_t partition_append(struct cluster *c, struct partition *p, const struct log_append *what,
			 const struct call *call)
{
	struct log_append full = *what;
	const struct log_batch *b;
	int64_t base_offset;

	full.segment_bytes = p->topic->config.segment_bytes;
	full.segment_ms = p->topic->config.segment_ms;
	full.now_ms = instant_wall_ms(c->now);
	b = log_append(&p->log, &full);
	base_offset = b->base_offset;

	cleaner_arm(c, p->topic);
	if (!what->message_offsets && get_i64(what->batch.data + BATCH_AT_PRODUCER_ID) >= 0)
		expiry_arm_producers(c);
	emit_appended(c, p, b, call);
	waitlist_wake(c, &p->waiters);
	return base_offset;
}

void partition_trim_aborted(struct partition *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->aborted_count; i++)
		if (p->aborted[i].last_offset >= p->log.start &&
		    p->aborted[i].last_offset < p->log.end)
			p->aborted[kept++] = p->aborted[i];
	p->aborted_count = kept;
}

/* What one batch that still stands says of its producer. */
static void tell_producer(struct cluster *c, const struct log_batch *b, struct producers *ps)
{
	struct bytes raw;
	struct batch batch;
	struct marker m;

	raw = log_flatten(b, &c->batch);
	if (batch_read(raw.data, (size_t)raw.len, &batch, NULL) || batch.magic != 2 ||
	    batch.producer_id < 0)
		return;
	if (marker_read(&batch, &m)) {
		producer_end_txn(ps, m.producer_id, m.epoch, m.coordinator_epoch, b->base_offset,
				 b->max_timestamp);
	} else if (!batch.control) {
		/* Compaction takes records, but neither offsets nor sequence numbers. */
		struct producer_claim claim = {.id = batch.producer_id,
					       .epoch = batch.producer_epoch,
					       .sequence = batch.base_sequence,
					       .records = batch.last_offset_delta + 1,
					       .transactional = batch.transactional};

		producer_note(ps, &claim, b->base_offset, b->max_timestamp);
	}
}

void partition_truncate(struct cluster *c, struct partition *p, int64_t offset)
{
	struct producers left = {0};
	int64_t end = p->log.end;

	log_truncate(&p->log, offset);
	partition_trim_aborted(p);
	if (p->log.end == end || !p->producers.by_id)
		return;
	for (size_t i = 0; i < p->log.count; i++)
		tell_producer(c, log_at(&p->log, i), &left);
	producers_rewind(&p->producers, &left, p->log.end);
	producers_release(&left);
}

void partition_move_start(struct cluster *c, struct partition *p, int64_t offset)
{
	struct event ev = {.kind = EVENT_LOG, .time_us = c->now.wall_us};

	if (offset <= p->log.start)
		return;
	log_move_start(&p->log, offset);
	partition_trim_aborted(p);
	ev.log = (struct event_log){.what = LOG_START_MOVED,
				    .topic = p->topic->name,
				    .topic_id = p->topic->id,
				    .partition = p->index,
				    .leader_epoch = p->leader_epoch,
				    .base_offset = p->log.start,
				    .next_offset = p->log.end};
	if (c->config.bus)
		event_emit(c->config.bus, &ev);
	waitlist_wake(c, &p->waiters);
}

int32_t *partition_offline(const struct cluster *c, struct call *call, const struct partition *p,
			   int32_t *ret_count)
{
	int32_t *offline = CALL_ARRAY(call, int32_t, p->replicas_count);
	int32_t count = 0;

	for (int32_t i = 0; i < p->replicas_count; i++)
		if (!cluster_broker(c, p->replicas[i])->alive)
			offline[count++] = p->replicas[i];
	*ret_count = count;
	return offline;
}

void partition_release(struct cluster *c, struct partition *p)
{
	waitlist_wake(c, &p->waiters);
	log_release(&p->log);
	producers_release(&p->producers);
	free(p->aborted);
	leadership_forget(p);
	free(p->replicas);
	free(p->isr);
	free(p->adding);
	free(p->removing);
}
