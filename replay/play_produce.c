/* Produce. How records fall into batches is a matter of timing, so a partition's recorded writing
 * is a row of records with what became of each: a live batch takes as many as it has, those that
 * are equal to its own if there are any. What a live client wrote then stands in the partition's
 * log in place of what was recorded there. */
#include "replay/play.h"

#include "base/rand.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdlib.h>

#define HASH_SEED	   0x7265706c6179ull
#define LOOK_AHEAD	   1024		     /* runs that are looked through for equal records */
#define WRITTEN_MAX	   ((size_t)1 << 30) /* bytes kept of what live clients wrote */
#define RECORDS_HASHED_MAX 10000000	     /* of one batch */

typedef struct produce_request_topic_data_partition_data asked_partition;
typedef struct produce_response_responses_partition_responses answered_partition;

/* ---- records ---- */

static uint64_t hash_record(const struct record *r)
{
	uint64_t h = hash_u64(HASH_SEED, r->key.data ? (uint64_t)r->key.len : UINT64_MAX);

	if (r->key.data)
		h = hash_bytes(h, r->key.data, (size_t)r->key.len);
	h = hash_u64(h, r->value.data ? (uint64_t)r->value.len : UINT64_MAX);
	if (r->value.data)
		h = hash_bytes(h, r->value.data, (size_t)r->value.len);
	if (r->headers_count)
		h = hash_bytes(h, r->headers.data, (size_t)r->headers.len);
	return h;
}

/* Records in a list that grows. */
struct hashes {
	uint64_t *at;
	size_t count, cap;
	int64_t producer_id; /* of the first batch; -1 */
};

static void add_hash(struct hashes *h, uint64_t hash)
{
	if (h->count == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->at = realloc(h->at, h->cap * sizeof(*h->at));
		if (!h->at)
			abort();
	}
	h->at[h->count++] = hash;
}

/* A batch that can't be expanded still has as many records as it says. */
static void hash_batch(struct playback *p, struct hashes *h, const struct batch *b)
{
	size_t before = h->count;
	struct record_iter it;
	struct record r;

	if (record_iter_init(&it, b, &p->plain, NULL) == 0)
		while (h->count < RECORDS_HASHED_MAX && record_next(&it, &r, NULL) > 0)
			add_hash(h, hash_record(&r));
	while (b->magic == 2 &&
	       h->count - before < (size_t)(b->records_count > 0 ? b->records_count : 0) &&
	       h->count < RECORDS_HASHED_MAX)
		add_hash(h, 0);
}

static struct hashes hash_records(struct playback *p, struct bytes records)
{
	struct hashes h = {.producer_id = -1};
	struct records_reader reader;
	struct batch b;

	records_reader_init(&reader, records.data, records.data ? (size_t)records.len : 0);
	while (records_next(&reader, &b, NULL) > 0) {
		if (b.index == 0 && b.magic == 2)
			h.producer_id = b.producer_id;
		hash_batch(p, &h, &b);
	}
	return h;
}

static void count_run(struct playback *p, struct run *r)
{
	struct hashes h;

	if (r->counted)
		return;
	h = hash_records(p, r->records);
	r->counted = true;
	r->count = h.count ? h.count : 1; /* of a batch that is none: something was tried */
	r->producer_id = h.producer_id;
	r->hashes = h.count ? h.at : calloc(1, sizeof(*r->hashes));
	if (!r->hashes)
		abort();
}

/* ---- what was recorded ---- */

static struct str topic_name(const struct playback *p, enum side side, struct str name,
			     struct uuid id)
{
	return name.len ? name : variables_topic_name(p->config.variables, side, id);
}

static const answered_partition *answer_of(const struct playback *p,
					   const struct session_exchange *x, struct str topic,
					   int32_t index)
{
	const struct produce_response *r = x->response_body;

	for (int32_t i = 0; r && i < r->responses_count; i++) {
		const struct produce_response_responses *t = &r->responses[i];

		if (!str_eq(topic_name(p, SIDE_RECORDED, t->name, t->topic_id), topic))
			continue;
		for (int32_t k = 0; k < t->partition_responses_count; k++)
			if (t->partition_responses[k].index == index)
				return &t->partition_responses[k];
	}
	return NULL;
}

static void add_run(struct playback *p, const struct session_exchange *x, struct str topic,
		    const asked_partition *q)
{
	struct place *place = play_place(p, topic, q->index, true);
	const answered_partition *answer;
	struct run *r;

	if (!place)
		return;
	answer = answer_of(p, x, topic, q->index);
	if (x->response_body && !answer)
		return;
	if (place->runs_count == place->runs_cap) {
		place->runs_cap = place->runs_cap ? place->runs_cap * 2 : 8;
		place->runs = realloc(place->runs, place->runs_cap * sizeof(*place->runs));
		if (!place->runs)
			abort();
	}
	r = &place->runs[place->runs_count++];
	*r = (struct run){.x = x,
			  .answer = answer,
			  .records = {q->records.data, q->records.len},
			  .base_offset = answer ? answer->base_offset : -1,
			  .error = answer ? answer->error_code : 0,
			  .outcome = play_outcome(x)};
	p->totals.parts++;
}

static void load_exchange(struct playback *p, const struct session_exchange *x)
{
	const struct produce_request *q = x->request_body;

	for (int32_t i = 0; i < q->topic_data_count; i++) {
		const struct produce_request_topic_data *t = &q->topic_data[i];
		struct str topic = topic_name(p, SIDE_RECORDED, t->name, t->topic_id);

		for (int32_t k = 0; topic.data && k < t->partition_data_count; k++)
			add_run(p, x, topic, &t->partition_data[k]);
	}
}

/* Where acks were not asked for, the log may tell where the records went. */
static void find_offsets(struct place *place)
{
	const struct seen_partition *seen = place->seen;

	for (size_t i = 0; seen && i < place->runs_count; i++) {
		struct run *r = &place->runs[i];

		for (size_t k = 0; r->base_offset < 0 && !r->error && k < seen->batches_count; k++)
			if (seen->batches[k].produced == r->x)
				r->base_offset = seen->batches[k].base_offset;
	}
}

void play_produce_load(struct playback *p)
{
	const struct session *s = p->config.session;
	struct place *place, *next;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (x->header.api_key == API_PRODUCE && play_is_asked(x))
			load_exchange(p, x);
	}
	HASH_ITER (hh, p->places, place, next)
		find_offsets(place);
}

/* ---- the choice ---- */

static bool is_new(const struct run *r)
{
	return !r->counted || r->given < r->count;
}

static bool same_producer(const struct playback *p, const struct run *r, int64_t live)
{
	int64_t bound = r->producer_id;

	variables_int(p->config.variables, SIDE_RECORDED, ROLE_PRODUCER_ID, r->producer_id, &bound);
	return bound == live;
}

/* How well the run goes on with those records: 3 equal and of the same producer, ... */
static int fitness(struct playback *p, struct run *r, const struct hashes *live)
{
	bool equal, same;

	count_run(p, r);
	equal = live->count && r->hashes[r->given] == live->at[0];
	same = same_producer(p, r, live->producer_id);
	return (equal ? 2 : 0) + (same ? 1 : 0);
}

/* The first of those that fit best. */
static struct run *choose(struct playback *p, struct place *place, const struct hashes *live)
{
	struct run *best = NULL;
	int best_fitness = -1, f;
	size_t seen = 0;

	while (place->first_run < place->runs_count && !is_new(&place->runs[place->first_run]))
		place->first_run++;
	for (size_t i = place->first_run; i < place->runs_count && seen < LOOK_AHEAD; i++, seen++) {
		struct run *r = &place->runs[i];

		f = is_new(r) ? fitness(p, r, live) : -1;
		if (f > best_fitness) {
			best = r;
			best_fitness = f;
		}
		if (best_fitness == 3)
			break;
	}
	return best;
}

/* ---- one live partition ---- */

struct take {
	struct place *place;
	struct run *run; /* the first one taken from */
	size_t at;	 /* its record that comes first */
	int64_t base_offset;
	struct hashes live;
};

static bool goes_well(const struct run *r)
{
	return !r->error && (r->outcome == OUTCOME_ANSWER || r->outcome == OUTCOME_NONE);
}

/* The run that goes on behind one: with an equal record if there is one, else the next. */
static struct run *next_run(struct playback *p, struct place *place, const struct run *r,
			    uint64_t hash)
{
	size_t at = (size_t)(r - place->runs) + 1;
	struct run *any = NULL;

	for (size_t i = at; i < place->runs_count && i < at + LOOK_AHEAD; i++) {
		struct run *n = &place->runs[i];

		if (!is_new(n) || !goes_well(n))
			continue;
		count_run(p, n);
		if (n->hashes[n->given] == hash)
			return n;
		any = any ? any : n;
	}
	return any;
}

/* How many records are still there to be taken; counted up to most. */
static size_t records_left(struct playback *p, struct place *place, size_t most)
{
	size_t there = 0;

	for (size_t i = place->first_run; i < place->runs_count && there < most; i++) {
		struct run *r = &place->runs[i];

		if (!is_new(r) || !goes_well(r))
			continue;
		count_run(p, r);
		there += r->count - r->given;
	}
	return there;
}

/* Records that went well are taken as many as there are in the live batch; what failed, failed as a
 * whole. */
static void consume(struct playback *p, struct take *t)
{
	struct run *r = t->run;
	size_t left = t->live.count ? t->live.count : 1, n;

	while (r && left) {
		n = r->count - r->given < left ? r->count - r->given : left;
		r->given += n;
		left -= n;
		play_touch(p, r->x);
		if (!goes_well(r))
			return;
		r = left ? next_run(p, t->place, r, t->live.at[t->live.count - left]) : NULL;
	}
}

static int by_first(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void keep_batch(struct playback *p, struct place *place, const struct batch *b, int64_t base)
{
	const struct seen_batch *there = place->seen ? seen_batch_at(place->seen, base) : NULL;
	struct written w = {.first = base, .last = base + b->last_offset_delta, .size = b->raw.len};
	struct batch recorded;

	w.data = malloc((size_t)w.size);
	if (!w.data)
		abort();
	memcpy(w.data, b->raw.data, (size_t)w.size);
	batch_set_base_offset(w.data, base);
	batch_set_leader_epoch(w.data, 0);
	if (there && there->magic == 2 &&
	    batch_read(there->bytes.data, (size_t)there->bytes.len, &recorded, NULL) == 0) {
		batch_set_leader_epoch(w.data, recorded.partition_leader_epoch < 0
						       ? 0
						       : recorded.partition_leader_epoch);
		if (recorded.timestamp_type == TIMESTAMP_LOG_APPEND && there->fetched)
			batch_set_max_timestamp(w.data, (size_t)w.size, TIMESTAMP_LOG_APPEND,
						recorded.max_timestamp);
	}
	if (place->written_count == place->written_cap) {
		place->written_cap = place->written_cap ? place->written_cap * 2 : 8;
		place->written = realloc(place->written, place->written_cap * sizeof(w));
		if (!place->written)
			abort();
	}
	place->written[place->written_count++] = w;
	p->written_bytes += (size_t)w.size;
	if (place->written_count > 1 && w.first < place->written[place->written_count - 2].first)
		qsort(place->written, place->written_count, sizeof(w), by_first);
}

/* The live batches are the log's from here on. Messages of old formats are not kept: then the
 * recorded ones are given. */
static void keep(struct playback *p, const struct take *t, struct bytes records)
{
	int64_t base = t->base_offset;
	struct records_reader reader;
	struct batch b;

	if (base < 0 || t->run->error || t->run->outcome == OUTCOME_CLOSE ||
	    t->run->outcome == OUTCOME_RESET)
		return;
	records_reader_init(&reader, records.data, (size_t)records.len);
	while (records_next(&reader, &b, NULL) > 0) {
		if (b.magic != 2 || b.last_offset_delta < 0 ||
		    p->written_bytes + (size_t)b.raw.len > WRITTEN_MAX)
			return;
		keep_batch(p, t->place, &b, base);
		base += (int64_t)b.last_offset_delta + 1;
	}
}

static bool find(struct playback *p, struct str topic, const asked_partition *q, struct take *t)
{
	t->place = play_place(p, topic, q->index, false);
	if (!t->place)
		return false;
	t->live = hash_records(p, (struct bytes){q->records.data, q->records.len});
	t->run = choose(p, t->place, &t->live);
	if (!t->run || (goes_well(t->run) && t->run->counted &&
			records_left(p, t->place, t->live.count) < t->live.count))
		return t->place->taken;
	t->at = t->run->given;
	t->base_offset = t->run->base_offset;
	if (t->base_offset >= 0)
		t->base_offset += (int64_t)t->at;
	return true;
}

static void learn_producer(struct playback *p, const struct take *t)
{
	int64_t bound;

	if (t->run->producer_id < 0 || t->live.producer_id < 0)
		return;
	p->rebound |= t->run->producer_id != t->live.producer_id;
	if (!variables_int(p->config.variables, SIDE_RECORDED, ROLE_PRODUCER_ID,
			   t->run->producer_id, &bound))
		variables_bind_int(p->config.variables, ROLE_PRODUCER_ID, t->run->producer_id,
				   t->live.producer_id);
}

/* ---- the request ---- */

struct live_produce {
	struct playback *p;
	const struct playback_request *q;
	struct take *takes; /* of each partition, in order */
	size_t count;
	bool taken; /* one of the partitions is somebody else's */
};

static size_t partitions_in(const struct produce_request *q)
{
	size_t n = 0;

	for (int32_t i = 0; i < q->topic_data_count; i++)
		n += (size_t)(q->topic_data[i].partition_data_count > 0
				      ? q->topic_data[i].partition_data_count
				      : 0);
	return n;
}

static bool find_all(struct live_produce *l)
{
	const struct produce_request *q = l->q->body;

	for (int32_t i = 0; i < q->topic_data_count; i++) {
		const struct produce_request_topic_data *t = &q->topic_data[i];
		struct str topic = topic_name(l->p, SIDE_LIVE, t->name, t->topic_id);

		for (int32_t k = 0; k < t->partition_data_count; k++, l->count++)
			if (!find(l->p, topic, &t->partition_data[k], &l->takes[l->count]))
				return false;
	}
	for (size_t i = 0; i < l->count; i++)
		l->taken |= l->takes[i].place->taken;
	return l->count > 0;
}

static void give_all(struct live_produce *l)
{
	const struct produce_request *q = l->q->body;
	size_t n = 0;

	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++, n++) {
			const asked_partition *a = &q->topic_data[i].partition_data[k];

			learn_producer(l->p, &l->takes[n]);
			keep(l->p, &l->takes[n], (struct bytes){a->records.data, a->records.len});
			consume(l->p, &l->takes[n]);
		}
}

static void set_offset(const struct live_produce *l, struct str topic, answered_partition *a)
{
	for (size_t n = 0; n < l->count; n++)
		if (l->takes[n].place->partition == a->index &&
		    str_eq(l->takes[n].place->topic, topic))
			a->base_offset = l->takes[n].base_offset;
}

/* The offsets are those of the records that were taken. */
static void set_offsets(const struct live_produce *l, struct produce_response *r)
{
	for (int32_t i = 0; i < r->responses_count; i++) {
		const struct produce_response_responses *t = &r->responses[i];
		struct str topic = topic_name(l->p, SIDE_LIVE, t->name, t->topic_id);

		for (int32_t k = 0; k < t->partition_responses_count; k++)
			set_offset(l, topic, &t->partition_responses[k]);
	}
}

/* An answer where none was asked for when it was recorded: all went well. */
static void *made_up(const struct live_produce *l)
{
	const struct produce_request *q = l->q->body;
	struct arena *arena = l->q->arena;
	struct produce_response *r = arena_alloc(arena, sizeof(*r));
	answered_partition *parts;

	if (!r)
		return NULL;
	codec_init(&produce_response_schema, r);
	r->responses = arena_alloc(arena, (size_t)q->topic_data_count * sizeof(*r->responses));
	for (int32_t i = 0; i < q->topic_data_count && r->responses; i++) {
		const struct produce_request_topic_data *t = &q->topic_data[i];

		parts = arena_alloc(arena, (size_t)t->partition_data_count * sizeof(*parts));
		if (!parts)
			return NULL;
		codec_init(&produce_response_responses_schema, &r->responses[i]);
		r->responses[i].name = t->name;
		r->responses[i].topic_id = t->topic_id;
		r->responses[i].partition_responses = parts;
		r->responses[i].partition_responses_count = t->partition_data_count;
		for (int32_t k = 0; k < t->partition_data_count; k++) {
			codec_init(&produce_response_responses_partition_responses_schema,
				   &parts[k]);
			parts[k].index = t->partition_data[k].index;
		}
		r->responses_count++;
	}
	return r->responses ? r : NULL;
}

static void *response_for(struct live_produce *l, int *ret_version)
{
	struct playback *p = l->p;
	struct parts_of of = {.api_key = API_PRODUCE,
			      .kind = MESSAGE_REQUEST,
			      .version = l->q->header->api_version,
			      .body = (void *)(uintptr_t)l->q->body,
			      .side = SIDE_LIVE};
	struct parts asked;
	struct play_choice choice = {&asked, NULL};
	bool answered = true;
	struct produce_response *r;

	*ret_version = l->q->header->api_version;
	for (size_t i = 0; i < l->count; i++)
		answered = answered && l->takes[i].run->outcome == OUTCOME_ANSWER;
	if (!answered) {
		play_note(p, "Produce with acks, recorded without: answered without an error");
		r = made_up(l);
	} else {
		choice.x = arena_alloc(l->q->arena, l->count * sizeof(struct session_exchange *));
		if (!choice.x || !parts_list(p->config.variables, &of, l->q->arena, &asked) ||
		    asked.count != l->count)
			return NULL;
		for (size_t i = 0; i < l->count; i++)
			choice.x[i] = l->takes[i].run->x;
		r = play_assemble(p, l->q, &choice, ret_version);
	}
	if (r)
		set_offsets(l, r);
	return r;
}

static void decide(struct live_produce *l, struct playback_answer *ret)
{
	const struct produce_request *q = l->q->body;
	int version = l->q->header->api_version;
	int64_t due;

	ret->what = q->acks == 0 ? PLAYBACK_NONE : PLAYBACK_ANSWER;
	for (size_t i = 0; i < l->count; i++) {
		const struct run *r = l->takes[i].run;

		if (r->outcome == OUTCOME_CLOSE)
			ret->what = PLAYBACK_CLOSE;
		else if (r->outcome == OUTCOME_RESET)
			ret->what = PLAYBACK_RESET;
		due = l->q->arrived_us + play_latency(l->p, r->x);
		ret->due_us = due > ret->due_us ? due : ret->due_us;
	}
	if (ret->what != PLAYBACK_ANSWER)
		return;
	ret->response = response_for(l, &version);
	ret->response_version = (int16_t)version;
	if (!ret->response)
		ret->what = PLAYBACK_MISS;
}

void play_produce(struct playback *p, const struct playback_request *q, struct playback_answer *ret)
{
	struct live_produce l = {.p = p, .q = q};

	l.takes = arena_zalloc(q->arena, (partitions_in(q->body) + 1) * sizeof(*l.takes));
	if (l.takes && find_all(&l) && !l.taken) {
		decide(&l, ret);
		if (ret->what != PLAYBACK_MISS) {
			give_all(&l);
			ret->wrote = true;
		}
	} else if (l.taken) {
		ret->what = PLAYBACK_TAKEN;
	}
	for (size_t i = 0; l.takes && i <= l.count; i++)
		free(l.takes[i].live.at);
}

void play_produce_explain(struct playback *p, const struct playback_request *q, struct buf *out)
{
	const struct produce_request *body = q->body;

	for (int32_t i = 0; i < body->topic_data_count; i++) {
		const struct produce_request_topic_data *t = &body->topic_data[i];
		struct str topic = topic_name(p, SIDE_LIVE, t->name, t->topic_id);

		for (int32_t k = 0; k < t->partition_data_count; k++) {
			const asked_partition *a = &t->partition_data[k];
			struct place *place = play_place(p, topic, a->index, false);
			struct hashes live =
				hash_records(p, (struct bytes){a->records.data, a->records.len});

			buf_printf(
				out,
				"    topic " STR_FMT
				" partition %d: %zu records to be written, %zu recorded ones are "
				"left\n",
				STR_ARG(topic), a->index, live.count,
				place ? records_left(p, place, SIZE_MAX) : 0);
			free(live.at);
		}
	}
}
