/* Preloading: what a plan says of a topic's logs, as batches. Ids of the producers of transactions
 * are far from those that the cluster gives. */
#include "harness/preload.h"

#include "mock/inspect.h"
#include "protocol/batch_builder.h"
#include "protocol/compress.h"

#include <stdio.h>

#define BATCH_MAX	  ((size_t)16 << 20)
#define PRODUCER_ID_FIRST 900000000 /* of the first batch that is a transaction */
#define TIME_FIRST_MS	  1700000000000

/* A topic that is being filled. */
struct fill {
	struct service *service;
	const struct plan_topic *topic;
	struct error *e;
	struct buf batch;
	int64_t next; /* number of the next value */
};

static void add_value(struct batch_builder *b, int64_t number)
{
	char value[40];
	int len = snprintf(value, sizeof(value), "old.%lld", (long long)number);

	batch_builder_add(b, TIME_FIRST_MS + number, (struct bytes){0},
			  (struct bytes){(const uint8_t *)value, len}, NULL, 0);
}

static int put_bytes(struct fill *f, int32_t partition, struct bytes bytes, int64_t gap)
{
	return service_put_batch(f->service, f->topic->name, partition, bytes, gap, f->e);
}

static int put(struct fill *f, int32_t partition, int64_t gap)
{
	return put_bytes(f, partition, (struct bytes){f->batch.data, (int32_t)f->batch.len}, gap);
}

/* ---- records in turn ---- */

/* Values first, first + step, ... below end, at most PRELOAD_BATCH. Returns the number behind the
 * last. */
static int64_t fill_batch(struct fill *f, int64_t first, int64_t step, int64_t end)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;

	buf_reset(&f->batch);
	batch_builder_init(&b, &options, &f->batch);
	for (int i = 0; i < PRELOAD_BATCH && first < end; i++, first += step)
		add_value(&b, first);
	batch_builder_end(&b, f->e);
	batch_builder_release(&b);
	return first;
}

static int fill_in_turn(struct fill *f, int32_t partitions)
{
	int rc = 0;

	for (int32_t i = 0; i < partitions && !rc; i++)
		for (int64_t at = i; at < f->topic->records && !rc;) {
			at = fill_batch(f, at, partitions, f->topic->records);
			rc = f->e->code ? f->e->code : put(f, i, 0);
		}
	f->next = f->topic->records;
	return rc;
}

/* ---- batches ---- */

static int make_batch(struct fill *f, const struct plan_batch *p, int64_t producer_id)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct partition_view view;
	struct batch_builder b;
	int rc = cluster_partition_view(service_cluster(f->service), f->topic->name, p->partition,
					&view, f->e);

	if (rc)
		return rc;
	options.magic = p->magic;
	options.base_offset = view.log_end + p->gap; /* in magic 0 it is inside, compressed */
	options.codec = p->codec;
	if (p->empty || p->tail)
		options.last_offset_delta = (int32_t)(p->empty + p->records + p->tail) - 1;
	if (p->txn) {
		options.transactional = true;
		options.producer_id = producer_id;
		options.producer_epoch = 0;
		options.base_sequence = 0;
	}
	buf_reset(&f->batch);
	if (p->raw.data) {
		buf_add(&f->batch, p->raw.data, (size_t)p->raw.len);
		return 0;
	}
	batch_builder_init(&b, &options, &f->batch);
	for (int64_t i = 0; i < p->records; i++)
		add_value(&b, f->next++);
	rc = batch_builder_end(&b, f->e);
	batch_builder_release(&b);
	return rc;
}

/* Each message of an old set for itself: the log has no bounds around them. */
static int put_messages(struct fill *f, const struct plan_batch *p)
{
	struct records_reader reader;
	struct batch message;
	int rc;

	records_reader_init(&reader, f->batch.data, f->batch.len);
	while ((rc = records_next(&reader, &message, f->e)) > 0) {
		if (p->bad_crc)
			f->batch.data[message.at + MESSAGE_AT_CRC] ^= 0x55;
		rc = put_bytes(f, p->partition, message.raw, message.index ? 0 : p->gap);
		if (rc)
			return rc;
	}
	return rc;
}

static int put_planned(struct fill *f, const struct plan_batch *p)
{
	if (p->magic < 2)
		return put_messages(f, p);
	if (p->bad_crc)
		f->batch.data[BATCH_AT_CRC] ^= 0x55;
	return put(f, p->partition, p->gap);
}

static int fill_planned(struct fill *f, const struct plan_batch *p, int32_t index)
{
	int64_t producer_id = PRODUCER_ID_FIRST + index;
	int rc = make_batch(f, p, producer_id);

	rc = rc ? rc : put_planned(f, p);
	if (!rc && (p->txn == BATCH_COMMITTED || p->txn == BATCH_ABORTED))
		rc = service_put_marker(f->service, f->topic->name, p->partition, producer_id, 0,
					p->txn == BATCH_COMMITTED, f->e);
	return rc;
}

static int fill_times(struct fill *f, const struct plan_batch *p, int32_t *index)
{
	int rc = 0;

	for (int64_t i = 0; i < p->times && !rc; i++)
		rc = fill_planned(f, p, (*index)++);
	return rc;
}

static int commit_offsets(struct service *s, const struct plan_topic *topic, struct error *e)
{
	int rc = 0;

	for (int32_t i = 0; i < topic->commits_count; i++)
		for (int32_t k = 0; k < topic->commits[i].offsets_count && !rc; k++)
			if (topic->commits[i].offsets[k] >= 0)
				rc = service_put_offset(s, topic->commits[i].group, topic->name, k,
							topic->commits[i].offsets[k], e);
	return rc;
}

static int fill_topic(struct service *s, const struct case_plan *plan,
		      const struct plan_topic *topic, struct error *e)
{
	struct fill f = {.service = s, .topic = topic, .e = e};
	int32_t partitions = topic->partitions > 0 ? topic->partitions : plan->default_partitions;
	int32_t index = 0;
	int rc;

	buf_init(&f.batch, BATCH_MAX);
	rc = fill_in_turn(&f, partitions);
	for (int32_t i = 0; i < topic->batches_count && !rc; i++)
		rc = fill_times(&f, &topic->batches[i], &index);
	buf_release(&f.batch);
	return rc ? rc : commit_offsets(s, topic, e);
}

int preload_topics(struct service *s, const struct case_plan *plan, struct error *e)
{
	int rc = 0;

	for (int32_t i = 0; i < plan->topics_count && !rc; i++)
		rc = fill_topic(s, plan, &plan->topics[i], e);
	return rc;
}

int preload(struct service *s, const struct case_plan *plan, struct error *e)
{
	int rc = 0;

	for (int32_t i = 0; i < plan->topics_count && !rc; i++) {
		const struct plan_topic *t = &plan->topics[i];

		rc = service_create_topic(s, t->name, t->partitions, t->replication, t->leader, e);
	}
	rc = rc ? rc : preload_topics(s, plan, e);
	for (int32_t i = 0; i < plan->rules_count && !rc; i++)
		if (!service_add_rule(s, plan->rules[i].name, plan->rules[i].text, e))
			rc = e->code;
	return rc;
}

struct cluster_config preload_config(const struct case_plan *plan)
{
	return (struct cluster_config){.brokers = plan->brokers,
				       .seed = plan->seed,
				       .auto_create = plan->auto_create,
				       .default_partitions = plan->default_partitions,
				       .like = plan->like,
				       .limits = plan->limits,
				       .limits_count = plan->limits_count,
				       .broker = plan->broker};
}
