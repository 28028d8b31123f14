/* How the programs of a capture came to their ends: a reader that had as many records as it wanted,
 * and took them in portions of one size; a writer that gave up. What messages show of it: what was
 * committed beside what was given, and what was tried last. Owns the positions of readers while it
 * counts. */
#include "harness/cast.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdlib.h>

#define PLACES_MAX     500 /* of all readers; what is beyond tells nothing */
#define TRIED_MAX      200
#define COMMITS_LEAST  2       /* that tell a portion's size */
#define FAILURES_LEAST 3       /* before somebody gives up, not somebody's end */
#define GAVE_UP_MAX_MS 1000000 /* nobody waits for longer */

/* Where a reader is in a partition. */
struct reached {
	const struct part *part;
	struct str topic;
	int32_t partition;
	int64_t committed, given; /* the next offset */
};

/* What a writer tried since its last success, each batch once. */
struct tried {
	uint32_t crcs[TRIED_MAX];
	int32_t count;
	int64_t records;
};

struct ends {
	struct cast *cast;
	struct tried *tried; /* by the cast's index */
	const struct incident *in;
	struct reached *places;
	size_t count;
};

/* The one part of that role behind a client id; NULL: none, or nobody can tell which. */
static struct part *only_part(const struct cast *c, enum speaks speaks, struct str client_id)
{
	struct part *found = NULL;

	for (int32_t i = 0; i < c->count; i++) {
		struct part *p = &c->list[i];

		if (p->speaks != speaks || !str_eq(p->client_id, client_id))
			continue;
		if (found)
			return NULL;
		found = p;
	}
	return found;
}

/* ---- readers ---- */

static int64_t begins_at(const struct ends *e, const struct part *p, struct str topic,
			 int32_t partition)
{
	const struct seen_group *g = p->group.data ? seen_group(e->in->seen, p->group) : NULL;
	const struct seen_partition *log = seen_partition(e->in->seen, topic, partition);

	for (size_t i = 0; g && i < g->offsets_count; i++)
		if (g->offsets[i].partition == partition && str_eq(g->offsets[i].topic, topic) &&
		    g->offsets[i].first >= 0)
			return g->offsets[i].first;
	return log && log->start_first > 0 ? log->start_first : 0;
}

static struct reached *reached_of(struct ends *e, const struct part *p, struct str topic,
				  int32_t partition)
{
	struct reached *at = e->places;

	while (at < e->places + e->count &&
	       !(at->part == p && at->partition == partition && str_eq(at->topic, topic)))
		at++;
	if (at < e->places + e->count)
		return at;
	if (e->count == PLACES_MAX || !topic.data)
		return NULL;
	*at = (struct reached){p, topic, partition, begins_at(e, p, topic, partition), 0};
	e->count++;
	return at;
}

static int64_t records_between(const struct ends *e, const struct reached *at, int64_t from,
			       int64_t to)
{
	const struct seen_partition *log = seen_partition(e->in->seen, at->topic, at->partition);
	int64_t n = 0;

	for (size_t i = log ? seen_batch_from(log, from) : 0;
	     log && i < log->batches_count && log->batches[i].base_offset < to; i++) {
		const struct seen_batch *b = &log->batches[i];
		int64_t first = b->base_offset > from ? b->base_offset : from;
		int64_t end = b->last_offset + 1 < to ? b->last_offset + 1 : to;

		if (!b->control && first < end)
			n += end - first < b->records ? end - first : b->records;
	}
	return n;
}

/* Whether a reader was given records that it did not commit. */
static bool has_more(const struct ends *e, const struct reached *at)
{
	return records_between(e, at, at->committed, at->given) > 0;
}

static void take_given(struct ends *e, const struct about *a)
{
	const struct fetch_response *m = a->x->response_body;
	const struct part *p = only_part(e->cast, SPEAKS_CONSUMER, a->x->header.client_id);
	struct records_reader reader;
	struct batch b;

	for (int32_t i = 0; p && m && i < m->responses_count; i++)
		for (int32_t k = 0; k < m->responses[i].partitions_count; k++) {
			const struct records *r = &m->responses[i].partitions[k].records;
			struct str topic =
				m->responses[i].topic.len
					? m->responses[i].topic
					: names_find(e->in->names, m->responses[i].topic_id);
			struct reached *at = reached_of(
				e, p, topic, m->responses[i].partitions[k].partition_index);

			records_reader_init(&reader, r->data, r->data ? (size_t)r->len : 0);
			while (at && records_next(&reader, &b, NULL) > 0)
				at->given = b.last_offset + 1;
		}
}

/* How many records a commit adds; it moves the reader on. */
static int64_t take_offsets(struct ends *e, struct part *p, const struct offset_commit_request *q)
{
	int64_t n = 0;

	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++) {
			struct str topic =
				q->topics[i].name.len
					? q->topics[i].name
					: names_find(e->in->names, q->topics[i].topic_id);
			struct reached *at =
				reached_of(e, p, topic, q->topics[i].partitions[k].partition_index);
			int64_t offset = q->topics[i].partitions[k].committed_offset;

			if (!at || offset <= at->committed)
				continue;
			n += records_between(e, at, at->committed, offset);
			at->committed = offset;
			p->had_more |= has_more(e, at);
		}
	return n;
}

/* One that failed tells as well what the reader had. */
static void take_commit(struct ends *e, const struct about *a)
{
	struct part *p = only_part(e->cast, SPEAKS_CONSUMER, a->x->header.client_id);
	int64_t n = p ? take_offsets(e, p, a->x->request_body) : 0;

	if (!n)
		return;
	p->uneven |= p->commits && (n > p->step || p->smaller);
	p->smaller = p->commits && n < p->step;
	p->step = p->commits ? p->step : n;
	p->commits++;
	p->committed += n;
}

static void end_reader(const struct ends *e, struct part *p)
{
	bool more = false;

	for (size_t i = 0; i < e->count; i++)
		more |= e->places[i].part == p && has_more(e, &e->places[i]);
	if (p->early && p->left && !p->from_latest && more)
		p->wanted = p->committed;
	if (p->commits >= COMMITS_LEAST && p->had_more && !p->uneven)
		p->poll_records = p->step;
}

/* ---- writers ---- */

static bool writes(int key)
{
	return key == API_PRODUCE || key == API_INIT_PRODUCER_ID || key == API_END_TXN ||
	       key == API_ADD_PARTITIONS_TO_TXN || key == API_ADD_OFFSETS_TO_TXN ||
	       key == API_TXN_OFFSET_COMMIT;
}

/* Out of sequence is what stands behind a gap that is filled in, but for a transaction. */
static bool is_final(const struct part *p, int16_t code)
{
	return !kafka_error_retriable(code) && code != ERROR_DUPLICATE_SEQUENCE_NUMBER &&
	       (code != ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER || p->speaks == SPEAKS_TRANSACTIONAL);
}

static void try_batches(struct tried *t, const struct records *r)
{
	struct records_reader reader;
	struct batch b;

	records_reader_init(&reader, r->data, r->data ? (size_t)r->len : 0);
	while (records_next(&reader, &b, NULL) > 0) {
		int32_t i = 0;

		while (i < t->count && t->crcs[i] != b.crc)
			i++;
		if (i < t->count || i == TRIED_MAX || b.records_count < 0)
			continue;
		t->crcs[t->count++] = b.crc;
		t->records += b.records_count;
	}
}

static int64_t records_in(const struct produce_request *q)
{
	struct tried all = {0};

	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			try_batches(&all, &q->topic_data[i].partition_data[k].records);
	return all.records;
}

static void take_produce(struct part *p, struct tried *t, const struct about *a)
{
	const struct produce_request *q = a->x->request_body;

	if (a->x->state == EXCHANGE_NO_ANSWER)
		return;
	p->open += records_in(q);
	if (!a->errors_count && !a->lost) {
		p->failures = t->count = 0;
		t->records = 0;
		return;
	}
	if (!p->failures++)
		p->failing_us = a->work_us;
	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			try_batches(t, &q->topic_data[i].partition_data[k].records);
}

static void take_writing(struct part *p, struct tried *t, const struct about *a)
{
	p->ended_us = a->x->response_us > a->work_us ? a->x->response_us : a->work_us;
	for (int32_t i = 0; i < a->errors_count; i++)
		p->hopeless |= is_final(p, a->errors[i].code);
	if (a->x->header.api_key == API_PRODUCE)
		take_produce(p, t, a);
	if (a->x->header.api_key != API_END_TXN)
		return;
	p->size = p->size ? p->size : p->open;
	p->open = 0;
}

static void end_writer(struct part *p, const struct tried *t)
{
	int64_t ms = (p->last_us - p->failing_us) / 1000;

	if (p->failures >= FAILURES_LEAST && !p->hopeless && ms > 0 && ms < GAVE_UP_MAX_MS)
		p->gave_up_ms = (int32_t)(ms + 999) / 1000 * 1000;
	p->hopeless |= p->failures > 0;
	p->records += t->records;
}

/* ---- all of them ---- */

static void take(struct ends *e, const struct about *a)
{
	int key = a->x->header.api_key;

	if (!a->x->request_body)
		return;
	if (key == API_FETCH)
		take_given(e, a);
	else if (key == API_OFFSET_COMMIT)
		take_commit(e, a);
	for (int32_t i = 0; writes(key) && i < e->cast->count; i++)
		if (e->cast->list[i].speaks != SPEAKS_CONSUMER &&
		    str_eq(e->cast->list[i].client_id, a->x->header.client_id))
			take_writing(&e->cast->list[i], &e->tried[i], a);
}

void cast_find_ends(struct cast *c, const struct incident *in)
{
	struct ends e = {.cast = c, .in = in};

	e.places = calloc(PLACES_MAX, sizeof(*e.places));
	e.tried = calloc((size_t)c->count + 1, sizeof(*e.tried));
	if (!e.places || !e.tried)
		abort();
	for (size_t i = 0; i < in->count; i++)
		take(&e, &in->list[i]);
	for (int32_t i = 0; i < c->count; i++) {
		if (c->list[i].speaks == SPEAKS_CONSUMER)
			end_reader(&e, &c->list[i]);
		else
			end_writer(&c->list[i], &e.tried[i]);
	}
	free(e.places);
	free(e.tried);
}
