/* Fetch. Each partition of a live request is looked for by its offset: what was answered there and
 * was not given yet, then what was given, then what the recorded log holds there, then nothing, as
 * an empty answer says. One answer is made of all of them.
 *
 * Records that a live client has yet to write are waited for, as any reader would; those of a
 * writer that is not there live come when they came, or, where time does not count, after a while.
 * Nothing counts as given before the answer is decided on. */
#include "replay/play.h"

#include "protocol/batch_builder.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <stdlib.h>

#define LOG_CHUNK_MAX (1 << 20) /* of a partition, where the client allows more */

typedef struct fetch_response_responses_partitions answered_partition;
typedef struct fetch_response_responses_partitions_aborted_transactions aborted_transaction;

/* ---- what was recorded ---- */

static int64_t peer_of(const struct session_conn *c)
{
	int64_t peer = c->broker;

	if (peer >= 0)
		return peer;
	peer = INT64_MAX;
	for (size_t i = 0; i < sizeof(c->server.addr); i++)
		peer = (int64_t)((uint64_t)peer * 31 + c->server.addr[i]);
	return -2 - (int64_t)(((uint64_t)peer ^ c->server.port) >> 2);
}

static const answered_partition *answer_of(const struct playback *p, const struct fetch_response *r,
					   struct str topic, int32_t index)
{
	for (int32_t i = 0; r && i < r->responses_count; i++) {
		const struct fetch_response_responses *t = &r->responses[i];
		struct str name = t->topic.len ? t->topic
					       : variables_topic_name(p->config.variables,
								      SIDE_RECORDED, t->topic_id);

		if (!str_eq(name, topic))
			continue;
		for (int32_t k = 0; k < t->partitions_count; k++)
			if (t->partitions[k].partition_index == index)
				return &t->partitions[k];
	}
	return NULL;
}

static void add_reading(struct playback *p, const struct session_exchange *x,
			const struct fetch_view_part *part)
{
	const struct fetch_response *r = x->response_body;
	struct place *place = play_place(p, part->topic, part->partition, true);
	const answered_partition *answer;

	if (!place)
		return;
	answer = answer_of(p, r, part->topic, part->partition);
	if (!answer && r && !r->error_code)
		return; /* a session had nothing to say of it */
	if (place->readings_count == place->readings_cap) {
		place->readings_cap = place->readings_cap ? place->readings_cap * 2 : 8;
		place->readings =
			realloc(place->readings, place->readings_cap * sizeof(*place->readings));
		if (!place->readings)
			abort();
	}
	place->readings[place->readings_count++] = (struct reading){.x = x,
								    .answer = answer,
								    .offset = part->offset,
								    .last_offset = -1,
								    .outcome = play_outcome(x)};
	if (answer && !answer->error_code && answer->high_watermark > place->end_told)
		place->end_told = answer->high_watermark;
	p->totals.parts++;
}

/* An answer names only what the session holds: so one that began before the capture is learned. */
static void learn_session(struct playback *p, struct fetch_views *views, struct fetch_view *view,
			  const struct fetch_response *r)
{
	for (int32_t i = 0; i < r->responses_count; i++) {
		const struct fetch_response_responses *t = &r->responses[i];
		struct fetch_view_part part = {
			.topic = t->topic, .topic_id = t->topic_id, .offset = -1};

		if (!part.topic.len)
			part.topic = variables_topic_name(p->config.variables, SIDE_RECORDED,
							  t->topic_id);
		for (int32_t k = 0; k < t->partitions_count; k++) {
			bool known = false;

			part.partition = t->partitions[k].partition_index;
			for (size_t n = 0; n < view->count && !known; n++)
				known = view->parts[n].partition == part.partition &&
					str_eq(view->parts[n].topic, part.topic);
			if (!known)
				fetch_view_add(views, view, &part);
		}
	}
}

/* Records that came to a session whose offsets nobody saw: they begin where they begin. */
static int64_t offset_of_records(const answered_partition *a)
{
	return a && a->records.data && a->records.len >= 8 ? (int64_t)wire_u64(a->records.data)
							   : -1;
}

static void load_exchange(struct playback *p, struct fetch_views *views,
			  const struct session_exchange *x)
{
	const struct fetch_response *r = x->response_body;
	uint64_t before = p->totals.parts;
	struct fetch_view *view;
	struct fetch_view_part part;

	if (fetch_views_take(views, peer_of(x->conn), x->header.api_version, x->request_body,
			     p->config.variables, SIDE_RECORDED, false, &view))
		return;
	if (r && !r->error_code && view->id)
		learn_session(p, views, view, r);
	for (size_t i = 0; i < view->count; i++) {
		part = view->parts[i];
		if (part.offset < 0)
			part.offset =
				offset_of_records(answer_of(p, r, part.topic, part.partition));
		if (part.offset >= 0)
			add_reading(p, x, &part);
	}
	if (p->totals.parts == before)
		p->touched[x->index] = true; /* it said nothing that could be asked for */
	if (r && r->session_id && view->full && view->wants)
		fetch_views_open(views, peer_of(x->conn), r->session_id);
}

static int by_offset(const void *a, const void *b)
{
	const struct reading *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->x->index > y->x->index) - (x->x->index < y->x->index);
}

void play_fetch_load(struct playback *p)
{
	const struct session *s = p->config.session;
	struct fetch_views *views = fetch_views_new();
	struct place *place, *next;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (x->header.api_key == API_FETCH && play_is_asked(x))
			load_exchange(p, views, x);
	}
	HASH_ITER (hh, p->places, place, next)
		if (place->readings_count)
			qsort(place->readings, place->readings_count, sizeof(*place->readings),
			      by_offset);
	fetch_views_free(views);
}

/* ---- records that are still to be written ---- */

/* One live Fetch on its way to an answer. */
struct fetch {
	struct playback *p;
	const struct playback_request *q;
	const struct fetch_request *body;
	struct instant now;
	int64_t give_up_us; /* its max wait is over */
	int64_t ask_us;	    /* earliest moment at which something may have changed */
};

/* Up to which offset live records were taken for a batch that a Produce of the recording wrote. */
static int64_t taken_until(const struct place *place, const struct seen_batch *b)
{
	size_t low = 0, high = place->runs_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (place->runs[middle].x->index < b->produced->index)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == place->runs_count || place->runs[low].x != b->produced)
		return INT64_MAX;
	return b->base_offset + (int64_t)place->runs[low].given;
}

/* Whether somebody is awaited to write what stands in a batch up to an offset. */
static bool awaits_batch(struct fetch *f, const struct place *place, const struct seen_batch *b,
			 int64_t to)
{
	if (to > b->last_offset)
		to = b->last_offset;
	return b->produced && taken_until(place, b) <= to &&
	       play_awaited(f->p, b->produced, f->now.mono_us, &f->ask_us);
}

/* Whether a writer of something in [from, to] is awaited. */
static bool awaits(struct fetch *f, const struct place *place, int64_t from, int64_t to)
{
	const struct seen_partition *s = place->seen;

	for (size_t i = s ? seen_batch_from(s, from) : 0;
	     s && i < s->batches_count && s->batches[i].base_offset <= to; i++)
		if (awaits_batch(f, place, &s->batches[i], to))
			return true;
	return false;
}

/* The last offset of records; from on without any. */
static int64_t last_offset(struct bytes records, int64_t from)
{
	struct records_reader reader;
	struct batch b;
	int64_t last = from;

	records_reader_init(&reader, records.data, records.data ? (size_t)records.len : 0);
	while (records_next(&reader, &b, NULL) > 0)
		last = b.last_offset > last ? b.last_offset : last;
	return last;
}

/* ---- one partition ---- */

enum found { FOUND_NOTHING, FOUND_READING, FOUND_LOG, FOUND_UNKNOWN, FOUND_TAKEN };

/* What a partition of the live request gets. */
struct piece {
	struct fetch_view_part *part;
	struct place *place;
	enum found found;
	struct reading *reading; /* the one given; of LOG and NOTHING the one that says the rest */
	int64_t due_us;
	struct bytes records; /* recorded */
	bool news;	      /* records, an error, another replica: worth an answer */
};

static bool has_records(const struct reading *r)
{
	return r->answer && r->answer->records.data && r->answer->records.len > 0;
}

static bool is_news(const struct reading *r)
{
	return !r->answer || r->answer->error_code || r->answer->preferred_read_replica >= 0 ||
	       r->answer->diverging_epoch.end_offset >= 0 || has_records(r);
}

static size_t first_reading(const struct place *place, int64_t offset)
{
	size_t low = 0, high = place->readings_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (place->readings[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* An empty answer from before something was written that is written live: it is over. */
static bool is_stale(const struct place *place, const struct reading *r)
{
	const struct seen_partition *s = place->seen;
	const struct seen_batch *b;
	size_t i = s ? seen_batch_from(s, r->offset) : 0;

	if (is_news(r) || !s || i == s->batches_count)
		return false;
	b = &s->batches[i];
	return b->produced && taken_until(place, b) > r->offset &&
	       r->x->response_us < b->produced->request_us;
}

static bool is_gated(struct fetch *f, const struct place *place, struct reading *r)
{
	struct bytes records;

	if (!has_records(r))
		return false;
	records = (struct bytes){r->answer->records.data, r->answer->records.len};
	if (r->last_offset < 0)
		r->last_offset = last_offset(records, r->offset);
	return awaits(f, place, r->offset, r->last_offset);
}

static int isolation_of(const struct reading *r)
{
	return ((const struct fetch_request *)r->x->request_body)->isolation_level;
}

static bool from_here(const struct fetch *f, const struct reading *r)
{
	return r->x->conn->broker < 0 || r->x->conn->broker == f->q->broker;
}

/* The recorded answer at that offset to a reader that saw aborted records, or to one that did not:
 * a new one before one that was given, and of this broker before others'. NULL: none, or its
 * records are awaited (*ret_gated). */
static struct reading *reading_of(struct fetch *f, struct place *place, int64_t offset,
				  bool committed, bool *ret_gated)
{
	struct reading *again = NULL, *elsewhere = NULL;

	for (size_t i = first_reading(place, offset);
	     i < place->readings_count && place->readings[i].offset == offset; i++) {
		struct reading *r = &place->readings[i];

		if ((isolation_of(r) != 0) != committed)
			continue;
		if (r->given) {
			again = r;
			continue;
		}
		if (is_stale(place, r))
			continue;
		if (is_gated(f, place, r)) {
			*ret_gated = true;
			break;
		}
		if (from_here(f, r))
			return r;
		elsewhere = elsewhere ? elsewhere : r;
	}
	if (elsewhere && !again)
		return elsewhere;
	/* A fault that was given is over; records and emptiness stay. */
	return again && again->answer && !again->answer->error_code ? again : NULL;
}

/* What a reader of the same isolation level got comes first. */
static struct reading *reading_at(struct fetch *f, struct place *place, int64_t offset,
				  bool *ret_gated)
{
	bool committed = f->body->isolation_level != 0;
	struct reading *r = reading_of(f, place, offset, committed, ret_gated);

	return r || *ret_gated ? r : reading_of(f, place, offset, !committed, ret_gated);
}

static const struct written *written_at(const struct place *place, int64_t offset)
{
	size_t low = 0, high = place->written_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (place->written[middle].last < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < place->written_count && place->written[low].first <= offset
		       ? &place->written[low]
		       : NULL;
}

/* Batches on their way into an answer. */
struct chunk {
	struct buf *out;
	size_t max;
	bool full;
};

/* The first is taken however large it is. */
static uint8_t *put_in_chunk(struct chunk *c, const uint8_t *data, int32_t n)
{
	size_t before = c->out->len;

	if (before && before + (size_t)n > c->max)
		c->full = true;
	else
		buf_add(c->out, data, (size_t)n);
	c->full = c->full || c->out->bad;
	return c->full ? NULL : c->out->data + before;
}

/* Of a batch that is being written: what is there of it. */
static void chunk_written(const struct place *place, int64_t from, int64_t until, struct chunk *c)
{
	const struct written *w;

	while (from < until && !c->full && (w = written_at(place, from))) {
		put_in_chunk(c, w->data, w->size);
		from = w->last + 1;
	}
	c->full = true;
}

static void chunk_batch(struct fetch *f, const struct place *place, const struct seen_batch *b,
			int64_t from, struct chunk *c)
{
	uint8_t *at;

	if (awaits_batch(f, place, b, b->last_offset)) {
		chunk_written(place, from > b->base_offset ? from : b->base_offset,
			      taken_until(place, b), c);
		return;
	}
	at = put_in_chunk(c, b->bytes.data, b->bytes.len);
	if (at && (b->magic == 2 || b->records == 1))
		batch_set_base_offset(at, b->base_offset);
}

/* Batches of the log from an offset on, as many as may go into one answer. */
static bool read_log(struct fetch *f, struct piece *piece)
{
	const struct seen_partition *s = piece->place->seen;
	int32_t max = piece->part->max_bytes;
	struct chunk c = {.out = &f->p->scratch, .max = LOG_CHUNK_MAX};

	if (max >= 0 && max < LOG_CHUNK_MAX)
		c.max = (size_t)max;
	buf_reset(c.out);
	for (size_t i = s ? seen_batch_from(s, piece->part->offset) : 0;
	     s && i < s->batches_count && !c.full; i++)
		chunk_batch(f, piece->place, &s->batches[i], piece->part->offset, &c);
	if (c.out->bad || !c.out->len)
		return false;
	piece->records.data = (const uint8_t *)arena_copy(f->q->arena, c.out->data, c.out->len);
	piece->records.len = piece->records.data ? (int32_t)c.out->len : 0;
	return piece->records.data != NULL;
}

/* The recorded answer that says high watermark and the like for what is not recorded as such: the
 * newest given one, or the nearest by offset. */
static struct reading *reading_near(struct place *place, int64_t offset)
{
	size_t i = first_reading(place, offset);

	if (place->newest && place->newest->answer && !place->newest->answer->error_code)
		return place->newest;
	for (size_t k = i; k < place->readings_count; k++)
		if (place->readings[k].answer && !place->readings[k].answer->error_code)
			return &place->readings[k];
	while (i-- > 0)
		if (place->readings[i].answer && !place->readings[i].answer->error_code)
			return &place->readings[i];
	return NULL;
}

static int64_t log_end(const struct place *place)
{
	const struct seen_partition *s = place->seen;
	int64_t end = s ? s->end_last : -1;

	if (s && s->batches_count && s->batches[s->batches_count - 1].last_offset + 1 > end)
		end = s->batches[s->batches_count - 1].last_offset + 1;
	return end;
}

/* Below what the recording knows of the log, nobody can say what stood there. */
static bool is_known(const struct place *place, int64_t offset)
{
	const struct seen_partition *s = place->seen;
	int64_t start = s && s->batches_count ? s->batches[0].base_offset : log_end(place);

	if (s && s->start_first >= 0 && s->start_first == start)
		return true;
	return start < 0 || offset >= start;
}

/* Beyond all that was told of the log, read of it or written to it a broker says that it is out of
 * range: where nobody did, the recording can't. */
static bool is_beyond(const struct place *place, int64_t offset)
{
	int64_t end = log_end(place);

	if (place->seen && place->seen->end_first > end)
		end = place->seen->end_first;
	if (place->end_told > end)
		end = place->end_told;
	if (place->readings_count && place->readings[place->readings_count - 1].offset > end)
		end = place->readings[place->readings_count - 1].offset;
	if (place->written_count && place->written[place->written_count - 1].last + 1 > end)
		end = place->written[place->written_count - 1].last + 1;
	return end >= 0 && offset > end + (place->seen ? place->seen->untold : 0);
}

static void find_piece(struct fetch *f, struct piece *piece)
{
	struct place *place = piece->place;
	int64_t offset = piece->part->offset;
	bool gated = false;

	piece->due_us = f->give_up_us;
	if (!place || (!place->readings_count && !place->seen)) {
		piece->found = FOUND_UNKNOWN;
		return;
	}
	if (place->taken && offset >= log_end(place)) {
		piece->found = FOUND_TAKEN;
		return;
	}
	piece->reading = reading_at(f, place, offset, &gated);
	if (piece->reading && (!gated || is_news(piece->reading))) {
		piece->found = FOUND_READING;
		piece->news = is_news(piece->reading);
		if (piece->reading->given && piece->news)
			piece->due_us = f->q->arrived_us;
		else if (!piece->reading->given)
			piece->due_us = f->q->arrived_us + play_latency(f->p, piece->reading->x);
		if (has_records(piece->reading))
			piece->records = (struct bytes){piece->reading->answer->records.data,
							piece->reading->answer->records.len};
		return;
	}
	piece->reading = reading_near(place, offset);
	if (read_log(f, piece)) {
		piece->found = FOUND_LOG;
		piece->news = true;
		piece->due_us = f->q->arrived_us;
	} else if (!gated && (!is_known(place, offset) || is_beyond(place, offset))) {
		piece->found = FOUND_UNKNOWN;
	}
}

/* ---- records in live words ---- */

/* Spans of records for an answer. */
struct spans {
	struct arena *arena;
	struct bytes *at;
	int32_t count, cap, len;
	bool full;
};

static void add_span(struct spans *s, const uint8_t *data, int32_t n)
{
	struct bytes *bigger, *last = s->count ? &s->at[s->count - 1] : NULL;

	s->len += n;
	if (last && last->data + last->len == data) {
		last->len += n;
		return;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		bigger = arena_alloc(s->arena, (size_t)s->cap * sizeof(*bigger));
		if (!bigger) {
			s->full = true;
			return;
		}
		if (s->count)
			memcpy(bigger, s->at, (size_t)s->count * sizeof(*bigger));
		s->at = bigger;
	}
	s->at[s->count++] = (struct bytes){data, n};
}

/* A batch of a producer that is called otherwise live. */
static const uint8_t *in_live_words(struct fetch *f, const struct batch *b)
{
	int64_t id;
	uint8_t *copy;

	if (!f->p->rebound || b->magic != 2 || b->producer_id < 0 ||
	    !variables_int(f->p->config.variables, SIDE_RECORDED, ROLE_PRODUCER_ID, b->producer_id,
			   &id) ||
	    id == b->producer_id)
		return b->raw.data;
	copy = (uint8_t *)arena_copy(f->q->arena, b->raw.data, (size_t)b->raw.len);
	if (!copy)
		return b->raw.data;
	wire_put64(copy + BATCH_AT_PRODUCER_ID, (uint64_t)id);
	if (batch_crc_ok(b)) /* a wrong checksum stays wrong */
		batch_seal(copy, (size_t)b->raw.len);
	return copy;
}

/* Records of a recorded batch from an offset on: those before it were written live. */
static void add_rest(struct fetch *f, const struct batch *b, int64_t from, struct spans *s)
{
	struct batch_options options = {.magic = b->magic,
					.codec = CODEC_NONE,
					.timestamp_type = b->timestamp_type,
					.log_append_time = b->max_timestamp,
					.base_offset = from,
					.partition_leader_epoch = b->partition_leader_epoch,
					.producer_id = b->producer_id,
					.producer_epoch = b->producer_epoch,
					.base_sequence = b->base_sequence,
					.transactional = b->transactional,
					.control = b->control,
					.last_offset_delta = (int32_t)(b->last_offset - from)};
	struct batch_builder builder;
	struct record_iter it;
	struct record r;
	const uint8_t *data;

	buf_reset(&f->p->scratch);
	if (b->magic != 2 || record_iter_init(&it, b, &f->p->plain, NULL))
		return;
	batch_builder_init(&builder, &options, &f->p->scratch);
	while (record_next(&it, &r, NULL) > 0)
		if (r.offset >= from)
			batch_builder_add_record(&builder, &r);
	if (!batch_builder_end(&builder, NULL)) {
		data = (const uint8_t *)arena_copy(f->q->arena, f->p->scratch.data,
						   f->p->scratch.len);
		if (data)
			add_span(s, data, (int32_t)f->p->scratch.len);
	}
	batch_builder_release(&builder);
}

/* A recorded batch as what live clients wrote at its offsets, however it falls into batches; what
 * they did not write stays. Returns the offset behind what was put. */
static int64_t put_batch(struct fetch *f, const struct place *place, const struct batch *b,
			 int64_t from, struct spans *s)
{
	const struct written *w;

	while (from <= b->last_offset && !s->full) {
		w = written_at(place, from);
		if (!w && from == b->base_offset)
			add_span(s, in_live_words(f, b), b->raw.len);
		else if (!w)
			add_rest(f, b, from, s);
		if (!w)
			return b->last_offset + 1;
		add_span(s, w->data, w->size);
		from = w->last + 1;
	}
	return from;
}

/* What live clients wrote stands in place of what was recorded there. */
static void put_records(struct fetch *f, const struct piece *piece, struct records *ret)
{
	const struct place *place = piece->place;
	struct spans s = {.arena = f->q->arena};
	struct records_reader reader;
	struct batch b;
	int64_t next = INT64_MIN;

	if (!place->written_count && !f->p->rebound) {
		*ret = (struct records){piece->records.data, piece->records.len, 0};
		return;
	}
	if (written_at(place, piece->part->offset))
		next = piece->part->offset; /* it begins with what was written there */
	records_reader_init(&reader, piece->records.data, (size_t)piece->records.len);
	while (records_next(&reader, &b, NULL) > 0 && !s.full)
		next = put_batch(f, place, &b, b.base_offset > next ? b.base_offset : next, &s);
	if (reader.partial && !place->written_count)
		add_span(&s, reader.data + reader.at, (int32_t)(reader.size - reader.at));
	if (s.full || !s.count)
		*ret = (struct records){piece->records.data, piece->records.len, 0};
	else
		*ret = (struct records){s.at, s.len, s.count};
}

/* ---- transactions that were aborted, for records of the log or of a reader who saw them ---- */

/* Where the abort of a transaction stands, or -1. */
static int64_t marker_of(const struct seen_partition *s, const aborted_transaction *a)
{
	for (size_t i = s ? seen_batch_from(s, a->first_offset) : 0; s && i < s->batches_count; i++)
		if (s->batches[i].control && s->batches[i].producer_id == a->producer_id)
			return s->batches[i].base_offset;
	return -1;
}

static void add_aborted(struct fetch *f, const struct piece *piece, answered_partition *ret,
			const aborted_transaction *a, int64_t last)
{
	int64_t marker = marker_of(piece->place->seen, a);
	aborted_transaction *bigger;
	int32_t n = ret->aborted_transactions_count > 0 ? ret->aborted_transactions_count : 0;

	if (a->first_offset > last || (marker >= 0 && marker < piece->part->offset))
		return;
	for (int32_t i = 0; i < n; i++)
		if (ret->aborted_transactions[i].producer_id == a->producer_id &&
		    ret->aborted_transactions[i].first_offset == a->first_offset)
			return;
	bigger = arena_alloc(f->q->arena, (size_t)(n + 1) * sizeof(*bigger));
	if (!bigger)
		return;
	if (n)
		memcpy(bigger, ret->aborted_transactions, (size_t)n * sizeof(*bigger));
	bigger[n] = *a;
	ret->aborted_transactions = bigger;
	ret->aborted_transactions_count = n + 1;
}

static void put_aborted(struct fetch *f, const struct piece *piece, answered_partition *ret)
{
	int64_t last = last_offset(piece->records, piece->part->offset);

	ret->aborted_transactions = NULL;
	ret->aborted_transactions_count = f->body->isolation_level ? 0 : -1;
	for (size_t i = 0; i < piece->place->readings_count; i++) {
		const answered_partition *a = piece->place->readings[i].answer;

		for (int32_t k = 0; a && k < a->aborted_transactions_count; k++)
			add_aborted(f, piece, ret, &a->aborted_transactions[k], last);
	}
}

/* Producers by their live ids, in a copy. */
static void rename_aborted(struct fetch *f, answered_partition *ret)
{
	aborted_transaction *copy;
	int32_t n = ret->aborted_transactions_count;

	if (!f->p->rebound || n <= 0)
		return;
	copy = (aborted_transaction *)arena_copy(f->q->arena, ret->aborted_transactions,
						 (size_t)n * sizeof(*copy));
	for (int32_t i = 0; copy && i < n; i++)
		variables_int(f->p->config.variables, SIDE_RECORDED, ROLE_PRODUCER_ID,
			      copy[i].producer_id, &copy[i].producer_id);
	ret->aborted_transactions = copy ? copy : ret->aborted_transactions;
}

/* ---- the answer ---- */

static void fill(struct fetch *f, const struct piece *piece, answered_partition *ret)
{
	const struct reading *r = piece->reading;
	int64_t end;

	codec_init(&fetch_response_responses_partitions_schema, ret);
	if (r && r->answer)
		*ret = *r->answer;
	ret->unknown_tags = NULL;
	ret->partition_index = piece->part->partition;
	if (piece->found != FOUND_READING) {
		end = log_end(piece->place);
		end = end < 0 ? piece->part->offset : end;
		ret->error_code = 0;
		ret->preferred_read_replica = -1;
		ret->high_watermark = ret->high_watermark > 0 ? ret->high_watermark : end;
		if (piece->found == FOUND_LOG)
			ret->high_watermark = ret->last_stable_offset = end;
	}
	if (piece->found != FOUND_READING ||
	    (r->answer && f->body->isolation_level && !isolation_of(r)))
		put_aborted(f, piece, ret);
	rename_aborted(f, ret);
	ret->records = (struct records){"", 0, 0};
	if (piece->records.data)
		put_records(f, piece, &ret->records);
	else if (piece->found == FOUND_READING && !ret->error_code && r->answer &&
		 !r->answer->records.data)
		ret->records = (struct records){NULL, 0, 0};
}

/* Whether a session is told of the partition. */
static bool is_told(const struct fetch_view *view, const struct piece *piece,
		    const answered_partition *a)
{
	const struct fetch_view_part *part = piece->part;

	return view->full || piece->news || !part->told || part->told_end != a->high_watermark ||
	       part->told_start != a->log_start_offset;
}

static struct fetch_response_responses *topic_of(struct fetch *f, struct fetch_response *r,
						 const struct fetch_view_part *part,
						 size_t partitions)
{
	struct fetch_response_responses *t;

	t = r->responses_count ? &r->responses[r->responses_count - 1] : NULL;
	if (t && uuid_eq(t->topic_id, part->topic_id) && str_eq(t->topic, part->topic))
		return t;
	t = &r->responses[r->responses_count++];
	codec_init(&fetch_response_responses_schema, t);
	t->topic = ((const struct place *)part->place)->topic;
	t->topic_id = part->topic_id;
	t->partitions = arena_alloc(f->q->arena, partitions * sizeof(*t->partitions));
	return t->partitions ? t : NULL;
}

/* A recorded answer counts as given also where a session need not be told of it. */
static void take_piece(struct playback *p, struct piece *piece)
{
	if (piece->found != FOUND_READING)
		return;
	if (piece->reading->given++)
		p->totals.again++;
	play_touch(p, piece->reading->x);
	if (piece->reading->answer)
		piece->place->newest = piece->reading;
}

/* What the answer says as a whole is what the recorded one of its news said. */
static bool put_head(struct fetch *f, const struct piece *pieces, size_t n,
		     struct fetch_response *r)
{
	const struct session_exchange *x = NULL;
	const struct fetch_response *recorded;
	struct variables_place place = {.answer = true};
	const struct schema *s = &fetch_response_schema;

	for (size_t i = 0; i < n && !x; i++)
		if (pieces[i].found == FOUND_READING && pieces[i].news)
			x = pieces[i].reading->x;
	recorded = x ? x->response_body : NULL;
	if (!recorded)
		return true;
	r->throttle_time_ms = recorded->throttle_time_ms;
	if (recorded->node_endpoints_count <= 0)
		return true;
	r->node_endpoints_count = recorded->node_endpoints_count;
	r->node_endpoints = (struct fetch_response_node_endpoints *)arena_copy(
		f->q->arena, recorded->node_endpoints,
		(size_t)recorded->node_endpoints_count * sizeof(*recorded->node_endpoints));
	return r->node_endpoints && variables_apply(f->p->config.variables, SIDE_RECORDED, &place,
						    s, f->q->header->api_version, r, f->q->arena);
}

/* The session's id as it was recorded, if nobody has it. */
static void open_session(struct fetch *f, const struct piece *pieces, size_t n,
			 struct fetch_response *r)
{
	const struct fetch_response *recorded;
	int32_t id = 0;

	for (size_t i = 0; i < n && !id; i++) {
		recorded = pieces[i].reading ? pieces[i].reading->x->response_body : NULL;
		id = recorded ? recorded->session_id : 0;
	}
	if (!id && n && pieces[0].reading)
		return; /* a broker that made none */
	for (id = id > 0 ? id : 1; fetch_views_has(f->p->views, f->q->broker, id);)
		id = id == INT32_MAX ? 1 : id + 1;
	fetch_views_open(f->p->views, f->q->broker, id);
	r->session_id = id;
}

/* Fields that the live version lacks are not to be written. */
static void fit(const struct fetch *f, struct fetch_response *r)
{
	int version = f->q->header->api_version;

	for (int32_t i = 0; i < r->responses_count; i++) {
		struct fetch_response_responses *t = &r->responses[i];

		for (int32_t k = 0; k < t->partitions_count; k++) {
			if (version < 11)
				t->partitions[k].preferred_read_replica = -1;
			if (version >= 12)
				continue;
			t->partitions[k].diverging_epoch =
				fetch_response_responses_partitions_diverging_epoch_defaults;
			t->partitions[k].current_leader =
				fetch_response_responses_partitions_current_leader_defaults;
			t->partitions[k].snapshot_id =
				fetch_response_responses_partitions_snapshot_id_defaults;
		}
	}
	if (version < 16) {
		r->node_endpoints = NULL;
		r->node_endpoints_count = 0;
	}
}

static void answer(struct fetch *f, struct fetch_view *view, struct piece *pieces,
		   struct playback_answer *ret)
{
	struct fetch_response *r = arena_alloc(f->q->arena, sizeof(*r));
	answered_partition a;
	struct fetch_response_responses *t;

	if (!r)
		return;
	codec_init(&fetch_response_schema, r);
	r->responses = arena_alloc(f->q->arena, (view->count + 1) * sizeof(*r->responses));
	if (!r->responses || !put_head(f, pieces, view->count, r))
		return;
	r->session_id = view->id;
	for (size_t i = 0; i < view->count; i++) {
		fill(f, &pieces[i], &a);
		take_piece(f->p, &pieces[i]);
		if (!is_told(view, &pieces[i], &a))
			continue;
		t = topic_of(f, r, pieces[i].part, view->count - i);
		if (!t)
			return;
		t->partitions[t->partitions_count++] = a;
		pieces[i].part->told = true;
		pieces[i].part->told_end = a.high_watermark;
		pieces[i].part->told_start = a.log_start_offset;
	}
	if (view->full && view->wants)
		open_session(f, pieces, view->count, r);
	fit(f, r);
	ret->what = PLAYBACK_ANSWER;
	ret->response = r;
	ret->response_version = f->q->header->api_version;
}

static void answer_code(struct fetch *f, int16_t code, struct playback_answer *ret)
{
	struct fetch_response *r = arena_alloc(f->q->arena, sizeof(*r));

	if (!r)
		return;
	codec_init(&fetch_response_schema, r);
	r->error_code = code;
	ret->what = PLAYBACK_ANSWER;
	ret->response = r;
	ret->response_version = f->q->header->api_version;
}

/* A recorded end of the connection, or an answer that was an error as a whole. False: neither. */
static bool answer_whole(struct fetch *f, struct fetch_view *view, struct piece *piece,
			 struct playback_answer *ret)
{
	struct reading *r = piece->reading;
	const struct fetch_response *recorded;

	if (piece->found != FOUND_READING || r->answer)
		return false;
	recorded = r->x->response_body;
	r->given++;
	play_touch(f->p, r->x);
	if (recorded) {
		answer_code(f, recorded->error_code, ret);
		if (view->id)
			fetch_views_close(f->p->views, f->q->broker, view->id);
		return true;
	}
	ret->what = r->outcome == OUTCOME_RESET ? PLAYBACK_RESET : PLAYBACK_CLOSE;
	for (size_t i = 0; i < piece->place->readings_count; i++)
		if (piece->place->readings[i].x->conn == r->x->conn &&
		    !piece->place->readings[i].answer)
			piece->place->readings[i].given++;
	return true;
}

/* When there is something to say: the earliest news, else when empty answers came. */
static int64_t due_of(const struct fetch *f, const struct piece *pieces, size_t n)
{
	int64_t due = INT64_MAX, empty = f->q->arrived_us;
	bool news = false;

	for (size_t i = 0; i < n; i++) {
		news |= pieces[i].news;
		if (pieces[i].news && pieces[i].due_us < due)
			due = pieces[i].due_us;
		if (!pieces[i].news && pieces[i].due_us > empty)
			empty = pieces[i].due_us;
	}
	return news ? due : empty;
}

/* News that is not due yet is left for the next request. */
static void leave_later(struct piece *pieces, size_t n, int64_t due)
{
	for (size_t i = 0; i < n; i++) {
		if (!pieces[i].news || pieces[i].due_us <= due)
			continue;
		pieces[i].reading = reading_near(pieces[i].place, pieces[i].part->offset);
		pieces[i].found = FOUND_NOTHING;
		pieces[i].records = (struct bytes){NULL, 0};
		pieces[i].news = false;
	}
}

static void decide(struct fetch *f, struct fetch_view *view, struct piece *pieces,
		   struct playback_answer *ret)
{
	int64_t due = due_of(f, pieces, view->count);

	if (due > f->now.mono_us) {
		ret->what = PLAYBACK_WAIT;
		ret->due_us = due < f->ask_us ? due : f->ask_us;
		return;
	}
	ret->due_us = due;
	leave_later(pieces, view->count, f->now.mono_us);
	for (size_t i = 0; i < view->count; i++)
		if (answer_whole(f, view, &pieces[i], ret))
			return;
	answer(f, view, pieces, ret);
}

/* A partition that the recording only tells of is one where nothing happened. */
static struct place *place_of(struct playback *p, const struct fetch_view_part *part)
{
	bool told = part->topic.data &&
		    seen_partition(p->config.seen, part->topic, part->partition) != NULL;

	return play_place(p, part->topic, part->partition, told);
}

void play_fetch(struct playback *p, const struct playback_request *q, struct instant now,
		struct playback_answer *ret)
{
	struct fetch f = {.p = p, .q = q, .body = q->body, .now = now, .ask_us = INT64_MAX};
	int32_t wait_ms = f.body->max_wait_ms > 0 ? f.body->max_wait_ms : 0;
	struct fetch_view *view = NULL;
	struct piece *pieces;
	int16_t code = 0;

	f.give_up_us = q->arrived_us + (int64_t)wait_ms * 1000;
	if (q->again)
		view = fetch_views_again(p->views, q->broker, q->header->api_version, f.body,
					 p->config.variables, SIDE_LIVE);
	else
		code = fetch_views_take(p->views, q->broker, q->header->api_version, f.body,
					p->config.variables, SIDE_LIVE, true, &view);
	if (code || !view) {
		answer_code(&f, code ? code : ERROR_FETCH_SESSION_ID_NOT_FOUND, ret);
		return;
	}
	pieces = arena_zalloc(q->arena, (view->count + 1) * sizeof(*pieces));
	for (size_t i = 0; pieces && i < view->count; i++) {
		struct fetch_view_part *part = &view->parts[i];

		pieces[i].part = part;
		if (!part->place)
			part->place = place_of(p, part);
		pieces[i].place = part->place;
		find_piece(&f, &pieces[i]);
		if (pieces[i].found >= FOUND_UNKNOWN) {
			ret->what = pieces[i].found == FOUND_TAKEN ? PLAYBACK_TAKEN : PLAYBACK_MISS;
			return;
		}
	}
	if (pieces)
		decide(&f, view, pieces, ret);
}

const void *playback_fetch_whole(struct playback *p, const struct playback_request *q)
{
	const struct fetch_request *body = q->body;
	struct fetch_view *view = fetch_views_again(p->views, q->broker, q->header->api_version,
						    body, p->config.variables, SIDE_LIVE);
	struct fetch_request *whole = arena_alloc(q->arena, sizeof(*whole));
	size_t n = view ? view->count : 0;
	struct fetch_request_topics *topics = arena_alloc(q->arena, (n + 1) * sizeof(*topics));
	struct fetch_request_topics_partitions *parts =
		arena_alloc(q->arena, (n + 1) * sizeof(*parts));

	if (!whole || !topics || !parts)
		return NULL;
	*whole = *body;
	for (size_t i = 0; i < n; i++) {
		const struct fetch_view_part *part = &view->parts[i];

		codec_init(&fetch_request_topics_schema, &topics[i]);
		codec_init(&fetch_request_topics_partitions_schema, &parts[i]);
		topics[i].topic = arena_str(q->arena, part->topic);
		topics[i].topic_id = part->topic_id;
		topics[i].partitions = &parts[i];
		topics[i].partitions_count = 1;
		parts[i].partition = part->partition;
		parts[i].fetch_offset = part->offset;
		parts[i].partition_max_bytes = part->max_bytes;
		parts[i].current_leader_epoch = part->leader_epoch;
	}
	whole->session_id = 0;
	whole->session_epoch = -1;
	whole->topics = topics;
	whole->topics_count = (int32_t)n;
	whole->forgotten_topics_data_count = 0;
	if (view && view->id)
		fetch_views_close(p->views, q->broker, view->id);
	return whole;
}
