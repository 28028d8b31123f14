/* Retention deletes whole segments from the start of a log; compaction keeps the last record of
 * each key and leaves the offsets of the others as gaps. Transaction markers stay, records of
 * aborted transactions go; tombstones go one pass after delete.retention.ms have passed (KIP-534).
 */
#include "mock/cleaner.h"

#include "mock/mem.h"
#include "mock/state.h"
#include "protocol/batch_builder.h"
#include "protocol/records.h"

#include <stdlib.h>

/* --- retention --- */

static bool expired(const struct cluster *c, const struct topic_config *tc,
		    const struct log_segment *s)
{
	int64_t newest = s->largest_timestamp >= 0 ? s->largest_timestamp : s->created_ms;

	return tc->retention_ms >= 0 && s->size > 0 &&
	       instant_wall_ms(c->now) - newest > tc->retention_ms;
}

static void retain(struct cluster *c, struct partition *p)
{
	const struct topic_config *tc = &p->topic->config;

	while (p->log.segments_count) {
		const struct log_segment *s = &p->log.segments[0];
		bool last = p->log.segments_count == 1;
		bool too_much =
			tc->retention_bytes >= 0 && p->log.size - s->size >= tc->retention_bytes;

		if (s->size == 0 || !(expired(c, tc, s) || (too_much && !last)))
			return;
		partition_move_start(c, p, last ? p->log.end : s[1].base_offset);
	}
}

static void each_partition(struct cluster *c, const struct topic *only,
			   void (*visit)(struct cluster *c, struct partition *p))
{
	struct topic *t, *next;

	HASH_ITER (by_name, c->topics.by_name, t, next)
		for (int32_t i = 0; (!only || t == only) && i < t->partitions_count; i++)
			visit(c, t->partitions[i]);
}

static void retain_if_deleting(struct cluster *c, struct partition *p)
{
	if (p->topic->config.delete)
		retain(c, p);
}

void retention_run(struct cluster *c, const struct topic *t)
{
	each_partition(c, t, retain_if_deleting);
}

/* --- compaction --- */

/* The last offset of a key. */
struct latest {
	struct bytes key; /* owned */
	int64_t offset;
	UT_hash_handle hh;
};

struct compaction {
	struct cluster *c;
	struct partition *p;
	struct latest *keys;
	int64_t limit; /* offsets from here on are left alone */
	int64_t now_ms;
};

static bool is_aborted(const struct partition *p, int64_t producer_id, int64_t offset)
{
	for (size_t i = 0; i < p->aborted_count; i++)
		if (p->aborted[i].producer_id == producer_id &&
		    offset >= p->aborted[i].first_offset && offset < p->aborted[i].last_offset)
			return true;
	return false;
}

/* A batch of the log, its records ready to be read; false for one that can't be, holds a marker, or
 * is of before record batches: that stays as it is. */
static bool open_batch(struct compaction *k, const struct log_batch *b, struct batch *ret_batch,
		       struct record_iter *ret_iter)
{
	struct bytes raw = log_flatten(b, &k->c->batch);

	return !batch_read(raw.data, (size_t)raw.len, ret_batch, NULL) && ret_batch->magic == 2 &&
	       !ret_batch->control && !record_iter_init(ret_iter, ret_batch, &k->c->plain, NULL);
}

static void note_key(struct compaction *k, const struct record *r)
{
	struct latest *l;

	HASH_FIND(hh, k->keys, r->key.data, (unsigned)r->key.len, l);
	if (!l) {
		l = mem_new(sizeof(*l));
		l->key = mem_bytes(r->key);
		HASH_ADD_KEYPTR(hh, k->keys, l->key.data, (unsigned)l->key.len, l);
	}
	l->offset = r->offset;
}

static void note_keys(struct compaction *k)
{
	for (size_t i = 0; i < k->p->log.count; i++) {
		const struct log_batch *b = log_at(&k->p->log, i);
		struct record_iter it;
		struct batch batch;
		struct record r;

		if (b->last_offset >= k->limit)
			return;
		if (!open_batch(k, b, &batch, &it))
			continue;
		while (record_next(&it, &r, NULL) > 0)
			if (r.key.data && !is_aborted(k->p, batch.producer_id, r.offset))
				note_key(k, &r);
	}
}

static bool stays(const struct compaction *k, const struct batch *b, const struct record *r)
{
	const struct latest *l = NULL;

	if (r->key.data)
		HASH_FIND(hh, k->keys, r->key.data, (unsigned)r->key.len, l);
	if (!l || l->offset != r->offset || is_aborted(k->p, b->producer_id, r->offset))
		return false;
	/* A batch with a horizon has it where others have their first timestamp. */
	return r->value.data || !b->has_delete_horizon || b->base_timestamp > k->now_ms;
}

static struct batch_options options_like(const struct compaction *k, const struct batch *b)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	o.codec = b->codec;
	o.timestamp_type = b->timestamp_type;
	o.log_append_time = b->max_timestamp;
	o.base_offset = b->base_offset;
	o.partition_leader_epoch = b->partition_leader_epoch;
	o.producer_id = b->producer_id;
	o.producer_epoch = b->producer_epoch;
	o.base_sequence = b->base_sequence;
	o.transactional = b->transactional;
	o.last_offset_delta = b->last_offset_delta;
	o.has_delete_horizon = b->has_delete_horizon;
	o.delete_horizon_ms = b->has_delete_horizon
				      ? b->base_timestamp
				      : k->now_ms + k->p->topic->config.delete_retention_ms;
	return o;
}

/* What a pass leaves of a batch. */
struct census {
	int32_t records, kept, tombstones;
};

static struct census count(const struct compaction *k, const struct batch *b,
			   struct record_iter *it)
{
	struct census n = {0};
	struct record r;

	while (record_next(it, &r, NULL) > 0) {
		bool kept = stays(k, b, &r);

		n.records++;
		n.kept += kept;
		n.tombstones += kept && !r.value.data;
	}
	return n;
}

static void emit_compacted(const struct compaction *k, const struct log_batch *b, struct bytes left)
{
	struct event ev = {.kind = EVENT_LOG, .time_us = k->c->now.wall_us};

	ev.log = (struct event_log){.what = LOG_COMPACTED,
				    .topic = k->p->topic->name,
				    .topic_id = k->p->topic->id,
				    .partition = k->p->index,
				    .leader_epoch = b->leader_epoch,
				    .base_offset = b->base_offset,
				    .next_offset = b->last_offset + 1,
				    .batch = left};
	if (k->c->config.bus)
		event_emit(k->c->config.bus, &ev);
}

static enum log_verdict judge(void *ctx, const struct log_batch *b, struct buf *out)
{
	struct compaction *k = ctx;
	struct batch_builder builder;
	struct batch_options options;
	struct record_iter it;
	struct census n;
	struct batch batch;
	struct record r;

	if (b->last_offset >= k->limit || !open_batch(k, b, &batch, &it))
		return LOG_KEEP;
	n = count(k, &batch, &it);
	if (n.kept == n.records && (n.tombstones == 0 || batch.has_delete_horizon))
		return LOG_KEEP;
	if (n.kept == 0) {
		emit_compacted(k, b, (struct bytes){0});
		return LOG_DROP;
	}
	options = options_like(k, &batch);
	options.has_delete_horizon = n.tombstones > 0;
	batch_builder_init(&builder, &options, out);
	record_iter_init(&it, &batch, &k->c->plain, NULL);
	while (record_next(&it, &r, NULL) > 0)
		if (stays(k, &batch, &r))
			batch_builder_add_record(&builder, &r);
	n.kept = batch_builder_end(&builder, NULL);
	batch_builder_release(&builder);
	if (n.kept)
		return LOG_KEEP;
	emit_compacted(k, b, (struct bytes){out->data, (int32_t)out->len});
	return LOG_REPLACE;
}

/* Batches may be compacted up to the segment that is written to, the first open transaction, and
 * the first record that is younger than min.compaction.lag.ms. */
static int64_t limit_of(const struct cluster *c, const struct partition *p)
{
	const struct log *log = &p->log;
	int64_t limit = partition_stable_offset(p), lag = p->topic->config.min_compaction_lag_ms;

	if (log->segments_count && log->segments[log->segments_count - 1].base_offset < limit)
		limit = log->segments[log->segments_count - 1].base_offset;
	for (size_t i = 0; lag > 0 && i < log->count; i++)
		if (log_at(log, i)->max_timestamp > instant_wall_ms(c->now) - lag)
			return log_at(log, i)->base_offset < limit ? log_at(log, i)->base_offset
								   : limit;
	return limit;
}

/* Whether enough of what may be compacted never was (min.cleanable.dirty.ratio). */
static bool worth_it(const struct partition *p, int64_t limit)
{
	int64_t dirty = 0, all = 0;

	for (size_t i = 0; i < p->log.count && log_at(&p->log, i)->base_offset < limit; i++) {
		const struct log_batch *b = log_at(&p->log, i);

		all += b->size;
		dirty += b->base_offset >= p->log.clean_end ? b->size : 0;
	}
	return dirty > 0 && (double)dirty >= p->topic->config.min_cleanable_ratio * (double)all;
}

static void compact(struct cluster *c, struct partition *p)
{
	struct compaction k = {c, p, NULL, limit_of(c, p), instant_wall_ms(c->now)};
	struct latest *l, *next;

	note_keys(&k);
	log_filter(&p->log, judge, &k);
	p->log.clean_end = k.limit;
	HASH_ITER (hh, k.keys, l, next) {
		HASH_DEL(k.keys, l);
		mem_bytes_free(l->key);
		free(l);
	}
}

static void compact_now(struct cluster *c, struct partition *p)
{
	if (!p->topic->config.compact)
		return;
	log_roll(&p->log, instant_wall_ms(c->now));
	compact(c, p);
}

static void compact_if_worth(struct cluster *c, struct partition *p)
{
	if (p->topic->config.compact && worth_it(p, limit_of(c, p)))
		compact(c, p);
}

void compaction_run(struct cluster *c, const struct topic *t, bool force)
{
	each_partition(c, t, force ? compact_now : compact_if_worth);
}

/* --- by themselves --- */

static bool any(const struct cluster *c, bool compacted)
{
	struct topic *t, *next;

	HASH_ITER (by_name, c->topics.by_name, t, next)
		for (int32_t i = 0; i < t->partitions_count; i++)
			if (t->partitions[i]->log.count && (!compacted || t->config.compact))
				return true;
	return false;
}

static void on_retention(struct cluster *c, void *owner)
{
	(void)owner;
	retention_run(c, NULL);
	if (any(c, false))
		timer_set(&c->timers, &c->retention_timer,
			  c->now.mono_us + c->config.broker.retention_check_ms * INT64_C(1000));
}

static void on_compaction(struct cluster *c, void *owner)
{
	(void)owner;
	compaction_run(c, NULL, false);
	if (any(c, true))
		timer_set(&c->timers, &c->compaction_timer,
			  c->now.mono_us + c->config.broker.cleaner_backoff_ms * INT64_C(1000));
}

void cleaner_arm(struct cluster *c, const struct topic *t)
{
	c->retention_timer.on_due = on_retention;
	c->compaction_timer.on_due = on_compaction;
	if (!c->retention_timer.at)
		timer_set(&c->timers, &c->retention_timer,
			  c->now.mono_us + c->config.broker.retention_check_ms * INT64_C(1000));
	if (t->config.compact && !c->compaction_timer.at)
		timer_set(&c->timers, &c->compaction_timer,
			  c->now.mono_us + c->config.broker.cleaner_backoff_ms * INT64_C(1000));
}
