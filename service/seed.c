/* Topics, then their logs, then offsets: what can't be put is left out and counted, for the
 * recording may be of anything. Messages of old formats become batches. */
#include "service/seed.h"

#include "base/log.h"
#include "mock/inspect.h"
#include "mock/put.h"
#include "mock/topic.h"
#include "protocol/records.h"
#include "protocol/records_convert.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX ((size_t)64 << 20)

static int by_number(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int32_t *seed_brokers(const struct seen *seen, int32_t *ret_count)
{
	int32_t *ids = calloc(seen->brokers_count + 1, sizeof(*ids));
	int32_t n = 0, distinct = 0;

	if (!ids)
		abort();
	for (size_t i = 0; i < seen->brokers_count; i++)
		if (seen->brokers[i].node_id >= 0)
			ids[n++] = seen->brokers[i].node_id;
	if (!n)
		ids[n++] = 1;
	qsort(ids, (size_t)n, sizeof(*ids), by_number);
	for (int32_t i = 0; i < n; i++)
		if (i == 0 || ids[i] != ids[i - 1])
			ids[distinct++] = ids[i];
	*ret_count = distinct < SERVICE_BROKERS_MAX ? distinct : SERVICE_BROKERS_MAX;
	return ids;
}

struct seeding {
	struct service *s;
	const struct seen *seen;
	struct seed_totals *totals;
	struct buf scratch, made;
};

/* A log's next batch, in the newest format. */
static struct bytes batch_of(struct seeding *g, const struct seen_batch *b)
{
	struct batch_options options = BATCH_OPTIONS_INIT;

	if (b->magic == 2)
		return b->bytes;
	options.base_offset = b->base_offset;
	options.codec = CODEC_OF_PRODUCER;
	buf_reset(&g->made);
	if (records_rewrite(b->bytes.data, (size_t)b->bytes.len, &options, &g->scratch, &g->made,
			    NULL, NULL) ||
	    !g->made.len)
		return (struct bytes){NULL, 0};
	return (struct bytes){g->made.data, (int32_t)g->made.len};
}

static void fill_log(struct seeding *g, struct str topic, const struct seen_partition *p)
{
	int64_t end = 0;
	char text[512];

	for (size_t i = 0; i < p->batches_count; i++) {
		const struct seen_batch *b = &p->batches[i];
		struct bytes bytes = batch_of(g, b);

		if (b->base_offset < end || !bytes.data ||
		    service_put_batch(g->s, topic, p->index, bytes, b->base_offset - end, NULL)) {
			g->totals->left_out++;
			continue;
		}
		end = b->last_offset + 1;
		g->totals->batches++;
	}
	/* What was deleted before the recording stays so. */
	if (p->batches_count && p->batches[0].base_offset > 0) {
		snprintf(text, sizeof(text),
			 "log-start-move topic=" STR_FMT " partition=%d offset=%lld",
			 STR_ARG(topic), p->index, (long long)p->batches[0].base_offset);
		service_happen(g->s, str_of(text), NULL);
	}
}

static void put_topic(struct seeding *g, const struct seen_topic *t)
{
	int32_t n = t->partitions_count > 0 ? t->partitions_count : 1;
	int32_t *leaders = calloc((size_t)n * 2, sizeof(*leaders)), *epochs = leaders + n;
	struct put_topic put = {.name = t->name,
				.id = t->id,
				.partitions = n,
				.internal = t->is_internal,
				.leaders = leaders,
				.epochs = epochs};
	struct error e = ERROR_INIT;

	if (!leaders)
		abort();
	put.replication = (int16_t)(t->replication > 0 ? t->replication : 1);
	if (put.replication > service_brokers(g->s))
		put.replication = (int16_t)service_brokers(g->s);
	for (int32_t i = 0; i < n; i++) {
		const struct seen_partition *p = i < t->partitions_count ? &t->partitions[i] : NULL;
		const struct seen_leader *l =
			p && p->leaders_count ? &p->leaders[p->leaders_count - 1] : NULL;

		leaders[i] = l ? l->leader : -1;
		epochs[i] = l && l->epoch > 0 ? l->epoch : 0;
	}
	if (cluster_put_topic(service_cluster(g->s), &put, clock_now(), &e)) {
		log_line(LOG_DEBUG, "%s", e.text);
		g->totals->left_out++;
	} else {
		g->totals->topics++;
		for (int32_t i = 0; i < t->partitions_count; i++)
			fill_log(g, t->name, &t->partitions[i]);
	}
	free(leaders);
}

static void commit(struct seeding *g, const struct seen_group *group)
{
	for (size_t i = 0; i < group->offsets_count; i++) {
		const struct seen_offset *o = &group->offsets[i];

		if (o->last >= 0 &&
		    !service_put_offset(g->s, group->name, o->topic, o->partition, o->last, NULL))
			g->totals->offsets++;
	}
}

void seed(struct service *s, const struct seen *seen, struct variables *v, struct seed_totals *ret)
{
	struct seeding g = {.s = s, .seen = seen, .totals = ret};

	*ret = (struct seed_totals){0};
	buf_init(&g.scratch, RECORDS_EXPANDED_MAX);
	buf_init(&g.made, BATCH_MAX);
	for (size_t i = 0; i < seen->topics_count; i++) {
		const struct topic *t;

		if (!seen->topics[i].absent_until_us || seen->topics[i].partitions_count)
			put_topic(&g, &seen->topics[i]);
		t = topic_find(service_cluster(s), seen->topics[i].name);
		if (t)
			variables_set_topic(v, SIDE_LIVE, t->id, t->name);
	}
	for (size_t i = 0; i < seen->groups_count; i++)
		commit(&g, &seen->groups[i]);
	buf_release(&g.scratch);
	buf_release(&g.made);
}
