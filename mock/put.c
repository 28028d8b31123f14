/* Batches and markers put into a log without a request. Owns nothing; what a batch means for its
 * producer and its transaction is noted as for any other. */
#include "mock/put.h"

#include "mock/marker.h"
#include "mock/offsets.h"
#include "mock/state.h"
#include "protocol/records_bytes.h"

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

/* A control batch of a transaction is its marker. */
static void note_marker(struct partition *p, const struct batch *b, int64_t at)
{
	struct control_record control;
	struct record_iter records;
	struct record first;
	struct marker m = {.producer_id = b->producer_id, .epoch = b->producer_epoch};

	if (record_iter_init(&records, b, NULL, NULL) || record_next(&records, &first, NULL) <= 0 ||
	    control_record_read(&first, &control, NULL) ||
	    (control.type != CONTROL_ABORT && control.type != CONTROL_COMMIT))
		return;
	m.commit = control.type == CONTROL_COMMIT;
	m.coordinator_epoch = control.coordinator_epoch;
	marker_note(p, &m, at, b->max_timestamp);
}

static void lead(struct cluster *c, struct partition *p, int32_t leader, int32_t epoch)
{
	int32_t i = 0;

	if (epoch > 0) {
		p->leader_epoch = epoch;
		log_start_epoch(&p->log, epoch);
	}
	if (!cluster_broker(c, leader))
		return;
	while (i < p->replicas_count - 1 && p->replicas[i] != leader)
		i++;
	p->replicas[i] = p->replicas[0];
	p->replicas[0] = leader;
	memcpy(p->isr, p->replicas, (size_t)p->replicas_count * sizeof(*p->isr));
	p->isr_count = p->replicas_count;
	p->leader = leader;
}

int cluster_put_topic(struct cluster *c, const struct put_topic *t, struct instant now,
		      struct error *e)
{
	struct topic *made;
	int code;

	if (!uuid_is_zero(t->id) && topic_by_id(c, t->id))
		return error_set(e, ERR_USAGE, "there is a topic with the id of '" STR_FMT "'",
				 STR_ARG(t->name));
	code = cluster_create_topic(c, t->name, t->partitions, t->replication, -1, now, e);
	if (code)
		return code;
	made = topic_find(c, t->name);
	made->internal = t->internal;
	if (!uuid_is_zero(t->id)) {
		HASH_DELETE(by_id, c->topics.by_id, made);
		made->id = t->id;
		HASH_ADD(by_id, c->topics.by_id, id, sizeof(made->id), made);
	}
	for (int32_t i = 0; i < t->partitions; i++)
		lead(c, made->partitions[i], t->leaders[i], t->epochs[i]);
	return 0;
}

/* The offsets that a message of magic 0 or 1 takes; 0 if it is none. */
static int32_t message_offsets(struct cluster *c, struct bytes bytes, struct batch *ret)
{
	int64_t first = -1, last = -1;
	struct record_iter records;
	struct record r;

	if (batch_read(bytes.data, (size_t)bytes.len, ret, NULL) || ret->magic >= 2 ||
	    record_iter_init(&records, ret, &c->plain, NULL))
		return 0;
	while (record_next(&records, &r, NULL) > 0) {
		first = first < 0 ? r.offset : first;
		last = r.offset;
	}
	return first >= 0 && last >= first && last - first < INT32_MAX ? (int32_t)(last - first) + 1
								       : 0;
}

/* What the log shall know of it. */
static int describe(struct cluster *c, struct log_append *what, struct error *e)
{
	const uint8_t *data = what->batch.data;
	struct batch message;

	what->message_offsets = message_offsets(c, what->batch, &message);
	if (what->message_offsets) {
		what->attributes = message.attributes;
		what->max_timestamp = message.max_timestamp;
		return 0;
	}
	if (what->batch.len < BATCH_AT_RECORDS)
		return error_set(e, ERR_MALFORMED,
				 "a batch has at least the %d bytes of its header",
				 BATCH_AT_RECORDS);
	if (get_i32(data + BATCH_AT_LAST_OFFSET_DELTA) < 0)
		return error_set(e, ERR_MALFORMED, "its last offset would lie before its first");
	what->attributes = get_i16(data + BATCH_AT_ATTRIBUTES);
	what->max_timestamp = get_i64(data + BATCH_AT_MAX_TIMESTAMP);
	return 0;
}

int cluster_put_batch(struct cluster *c, struct str topic, int32_t partition, struct bytes batch,
		      int64_t gap, struct instant now, struct error *e)
{
	struct partition *p = partition_named(c, topic, partition, e);
	struct log_append what = {.batch = batch, .gap = gap};
	int64_t base_offset;
	struct batch b;

	if (!p)
		return ERR_USAGE;
	if (describe(c, &what, e))
		return ERR_MALFORMED;
	if (!log_has_room(&p->log, (size_t)batch.len))
		return error_set(e, ERR_LIMIT, "no memory for logs is left");
	c->now = now;
	what.leader_epoch = p->leader_epoch;
	base_offset = partition_append(c, p, &what, NULL);
	if (batch_read(batch.data, (size_t)batch.len, &b, NULL) || b.magic != 2)
		return 0;
	note_producer(p, &b, base_offset);
	if (b.control && b.transactional && !b.codec && b.producer_id >= 0)
		note_marker(p, &b, base_offset);
	return 0;
}

int cluster_put_offset(struct cluster *c, struct str group, struct str topic, int32_t partition,
		       int64_t offset, struct instant now, struct error *e)
{
	struct partition *p = partition_named(c, topic, partition, e);
	struct group *g = group_find(c, group);
	struct offset_key key;

	if (!p)
		return ERR_USAGE;
	c->now = now;
	memset(&key, 0, sizeof(key));
	key.topic_id = p->topic->id;
	key.partition = partition;
	offset_commit(c, g ? g : group_new(c, group), key, offset, -1, str_of(""));
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
