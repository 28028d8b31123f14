/* What a capture alone shows of how batches were stored: sequences without a gap, each partition in
 * the order of sending, and each batch once. Judged as the exchanges come, from the headers of the
 * batches in Produce and Fetch and from the offsets that answers name; a capture may begin anywhere
 * and lack bytes.
 *
 * A batch is known again by its CRC, its number of records and its timestamps: neither the offset
 * nor the leader's epoch are under the CRC, so it is the same in Produce and Fetch. A client that
 * makes its batch anew for a retry, with another time or for another partition, is known by keys
 * and values alone: those of a batch whose fate is open are looked for in what it sends next.
 *
 * Without a producer id a program that writes the same twice within a millisecond makes two batches
 * that are alike: they are no batch that stands twice, unless something speaks for a second
 * sending.
 *
 * Memory is bounded: of each producer and of each partition the last batches are remembered, of so
 * many of them. */
#include "checks/types.h"

#include "checks/hash.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdlib.h>
#include <uthash.h>

#define LANES_MAX    20000
#define REMEMBERED   24 /* batches */
#define PLACE_MAX    300

#define WHAT_IS_READ (-2) /* in place of a producer id */

/* A batch as it is known again. */
struct print {
	uint32_t crc;
	int32_t records;
	int64_t base_timestamp, max_timestamp;
};

struct sent {
	struct print print;
	int64_t first_us, first_conn, offset; /* offset: -1 not known */
	int64_t stored_us;		      /* when that was told */
	int32_t first_correlation, sequence;
	uint32_t times;
	bool uncertain; /* some sending has no answer, or one that does not say whether it is stored
			 */
};

/* What one producer sends to one partition, or what is read of one partition: then the producer is
 * nobody. */
struct lane {
	struct {
		uint64_t place, who; /* who: hash of client id and host; 0 with a producer id */
		int64_t producer_id; /* or WHAT_IS_READ */
		int64_t producer_epoch;
	} key;
	struct str text; /* "orders-3" */
	struct sent list[REMEMBERED];
	uint32_t count;
	int64_t last_us; /* when the newest batch was sent */
	int32_t next;	 /* the sequence that must come; -1: not known */
	uint32_t holes;	 /* that it was known behind */
	int64_t end;	 /* behind the last offset that is known to be taken; -1: not known */
	UT_hash_handle hh;
};

/* A batch of which nobody told whether it is stored. */
struct open_batch {
	uint64_t content, who; /* hashes of keys and values; of client, host and topic */
	int64_t first_us;
	struct str text;
};

#define OPEN_MAX    64
#define CONTENT_MAX ((size_t)16 << 20) /* of a batch once expanded */
#define OPEN_FOR_US ((int64_t)120000000)
#define RESENT_MAX  64	  /* batches that were sent again while nobody knew if they were stored */
#define PROMPT_US   50000 /* what was written at once is sent at once, too: a retry pauses */

struct finds {
	uint64_t judged, wrong, unclear;
	struct str first, first_unclear;
	struct finding_moment moments[4];
	int32_t moments_count;
};

struct stored {
	struct lane *lanes;
	struct finds sequences, order, twice;
	int64_t hole_us; /* when bytes were missing last; what was sent till then tells nothing */
	uint32_t holes;
	uint64_t full; /* batches of lanes past LANES_MAX */
	struct open_batch open[OPEN_MAX];
	uint32_t open_count;
	struct resent {
		uint64_t place;
		struct print print;
	} resent[RESENT_MAX];
	uint32_t resent_count;
	bool produced; /* by somebody without a producer id */
	struct buf scratch;
};

/* ---- lanes ---- */

static uint64_t place_of(struct check *c, const struct exchange *x, struct str topic,
			 struct uuid id, int32_t partition)
{
	uint64_t h = hash_topic(topic, id);
	uint64_t cluster = history_cluster(c->history, &x->conn);

	return hash_more(hash_more(h, &partition, sizeof(partition)), &cluster, sizeof(cluster));
}

static struct str place_text(struct arena *a, struct str topic, struct uuid id, int32_t partition)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	if (!topic.len)
		topic = str_of(text);
	return str_of(arena_printf(a, STR_FMT "-%d", topic.len < PLACE_MAX ? topic.len : PLACE_MAX,
				   topic.data, partition));
}

static struct lane *lane_of(struct check *c, const struct lane *like, struct str topic,
			    struct uuid id, int32_t partition)
{
	struct stored *s = c->state;
	struct lane *l;

	HASH_FIND(hh, s->lanes, &like->key, sizeof(like->key), l);
	if (l && l->holes != s->holes)
		l->next = -1;
	if (l)
		l->holes = s->holes;
	if (l)
		return l;
	l = HASH_COUNT(s->lanes) < LANES_MAX ? arena_zalloc(c->arena, sizeof(*l)) : NULL;
	s->full += !l;
	if (!l)
		return NULL;
	l->key = like->key;
	l->holes = s->holes;
	l->next = -1;
	l->end = -1;
	l->text = place_text(c->arena, topic, id, partition);
	HASH_ADD(hh, s->lanes, key, sizeof(l->key), l);
	return l;
}

static struct print print_of(const struct batch *b)
{
	return (struct print){b->crc, b->records_count, b->base_timestamp, b->max_timestamp};
}

static bool same_print(const struct print *a, const struct print *b)
{
	return a->crc == b->crc && a->records == b->records &&
	       a->base_timestamp == b->base_timestamp && a->max_timestamp == b->max_timestamp;
}

static uint32_t remembered(const struct lane *l)
{
	return l->count < REMEMBERED ? l->count : REMEMBERED;
}

static struct sent *find(struct lane *l, const struct print *print)
{
	for (uint32_t i = 0; i < remembered(l); i++)
		if (same_print(&l->list[i].print, print))
			return &l->list[i];
	return NULL;
}

static struct sent *remember(struct lane *l, const struct print *print, const struct exchange *x)
{
	struct sent *e = &l->list[l->count++ % REMEMBERED];

	*e = (struct sent){.print = *print,
			   .first_us = x->request_us,
			   .first_conn = x->conn.conn,
			   .first_correlation = x->header.correlation_id,
			   .offset = -1};
	return e;
}

/* ---- finds ---- */

static void note(struct finds *f, int64_t time_us, struct str text)
{
	if (f->moments_count < (int32_t)(sizeof(f->moments) / sizeof(*f->moments)))
		f->moments[f->moments_count++] =
			(struct finding_moment){.time_us = time_us, .text = text};
}

static struct str sent_text(struct check *c, const struct lane *l, const struct sent *e,
			    int64_t conn, int32_t correlation_id)
{
	return str_of(arena_printf(
		c->arena, "%s of " STR_FMT ", %d records (connection %lld correlation %d)",
		l->key.producer_id == WHAT_IS_READ ? "Fetch" : "Produce", STR_ARG(l->text),
		e->print.records, (long long)conn, correlation_id));
}

static struct str first_text(struct check *c, const struct lane *l, const struct sent *e)
{
	return sent_text(c, l, e, e->first_conn, e->first_correlation);
}

/* ---- sequences ---- */

static void judge_sequence(struct check *c, struct lane *l, const struct sent *e,
			   const struct exchange *x)
{
	struct stored *s = c->state;
	struct finds *f = &s->sequences;
	int32_t expected = l->next;
	/* A request without an answer is told when its connection ends: later ones came before. */
	bool late = x->request_us < l->last_us || x->request_us <= s->hole_us;

	if (l->key.producer_id < 0 || late)
		return;
	l->last_us = x->request_us;
	f->judged++;
	l->next = sequence_add(e->sequence, e->print.records);
	if (expected < 0 || e->sequence == expected || f->wrong++)
		return;
	f->first = str_of(arena_printf(
		c->arena, STR_FMT ": producer %lld epoch %lld sends sequence %d where %d is due",
		STR_ARG(l->text), (long long)l->key.producer_id, (long long)l->key.producer_epoch,
		e->sequence, expected));
	note(f, x->request_us, sent_text(c, l, e, x->conn.conn, x->header.correlation_id));
}

/* ---- order ---- */

static bool sent_before(const struct sent *a, const struct sent *b)
{
	return a->first_us != b->first_us ? a->first_us < b->first_us
					  : (int32_t)((uint32_t)a->first_correlation -
						      (uint32_t)b->first_correlation) < 0;
}

/* e is stored now: all that was sent before it on its connection and is stored, is before it. What
 * was sent when the other was known to be stored can't have overtaken it: then the log began anew.
 */
static void judge_order(struct check *c, struct lane *l, const struct sent *e)
{
	struct finds *f = &((struct stored *)c->state)->order;

	f->judged++;
	for (uint32_t i = 0; i < remembered(l); i++) {
		const struct sent *o = &l->list[i];
		const struct sent *first = sent_before(o, e) ? o : e, *second = first == o ? e : o;

		if (o == e || o->offset < 0 || o->first_conn != e->first_conn ||
		    first->offset < second->offset || second->first_us > first->stored_us)
			continue;
		if (f->wrong++)
			return;
		f->first = str_of(arena_printf(c->arena,
					       STR_FMT ": what was sent first is at offset %lld, "
						       "what was sent after it at %lld",
					       STR_ARG(l->text), (long long)first->offset,
					       (long long)second->offset));
		note(f, first->first_us, first_text(c, l, first));
		note(f, second->first_us, first_text(c, l, second));
		return;
	}
}

/* ---- twice ---- */

static void twice(struct check *c, const struct lane *l, const struct sent *e, int64_t offset,
		  int64_t time_us, const char *how)
{
	struct finds *f = &((struct stored *)c->state)->twice;

	if (f->wrong++)
		return;
	f->first = str_of(arena_printf(
		c->arena, STR_FMT ": a batch of %d records stands at offset %lld and at %lld%s",
		STR_ARG(l->text), e->print.records, (long long)e->offset, (long long)offset, how));
	note(f, e->first_us, first_text(c, l, e));
	note(f, time_us,
	     str_of(arena_printf(c->arena, "the same batch at offset %lld", (long long)offset)));
}

/* It came again, without idempotence; how: what is known of it. */
static void maybe_twice(struct check *c, const struct lane *l, const struct sent *e,
			int64_t first_us, struct str first, const struct exchange *x,
			const char *how)
{
	struct finds *f = &((struct stored *)c->state)->twice;

	if (f->unclear++)
		return;
	f->first_unclear = str_of(arena_printf(c->arena, STR_FMT ": a batch of %d records %s",
					       STR_ARG(l->text), e->print.records, how));
	if (f->wrong)
		return;
	note(f, first_us, first);
	note(f, x->request_us,
	     str_of(arena_printf(
		     c->arena, "again: " STR_FMT,
		     STR_ARG(sent_text(c, l, e, x->conn.conn, x->header.correlation_id)))));
}

#define SENT_AGAIN                                                                          \
	"was sent again, without idempotence, when nothing told whether the first one was " \
	"stored"

/* Acknowledged at two offsets. */
static void take_another(struct check *c, struct lane *l, struct sent *e, int64_t offset,
			 const struct exchange *x)
{
	if (l->key.producer_id >= 0 || e->uncertain)
		twice(c, l, e, offset, x->response_us, "");
	else if (x->request_us > e->stored_us + PROMPT_US)
		maybe_twice(c, l, e, e->first_us, first_text(c, l, e), x,
			    "was sent again after it had been acknowledged, or a program wrote the "
			    "same with the same time");
	e->offset = offset;
	e->stored_us = x->response_us;
}

/* It is stored at offset, as an answer says. */
static void take_stored(struct check *c, struct lane *l, struct sent *e, int64_t offset,
			const struct exchange *x)
{
	bool again = e->times > 1 && e->uncertain && l->key.producer_id < 0;
	bool room = l->end >= 0 && offset - l->end == e->print.records;

	if (e->offset >= 0 && e->offset != offset) {
		take_another(c, l, e, offset, x);
		return;
	}
	if (again && e->offset < 0)
		maybe_twice(c, l, e, e->first_us, first_text(c, l, e), x,
			    room ? SENT_AGAIN "; just before the second one there are as many "
					      "records, its own or another producer's"
				 : SENT_AGAIN);
	e->offset = offset;
	e->stored_us = x->response_us;
	if (e->print.records > 0 && offset <= INT64_MAX - e->print.records &&
	    offset + e->print.records > l->end)
		l->end = offset + e->print.records;
	judge_order(c, l, e);
}

/* ---- sent again in other words ---- */

/* 0: it can't be read. */
static uint64_t content_of(struct stored *s, const struct batch *b)
{
	struct record_iter it;
	struct record r;
	uint64_t h = FNV_BASIS;

	if (!s->scratch.max)
		buf_init(&s->scratch, CONTENT_MAX);
	if (record_iter_init(&it, b, &s->scratch, NULL) < 0)
		return 0;
	while (record_next(&it, &r, NULL) > 0) {
		h = hash_more(h, &r.key.len, sizeof(r.key.len));
		h = hash_more(h, r.key.data, r.key.data ? (size_t)r.key.len : 0);
		h = hash_more(h, &r.value.len, sizeof(r.value.len));
		h = hash_more(h, r.value.data, r.value.data ? (size_t)r.value.len : 0);
	}
	return h | 1;
}

static uint64_t sender_of(struct check *c, const struct exchange *x,
			  const struct produce_request_topic_data *t)
{
	return hash_sender(x) ^ place_of(c, x, t->name, t->topic_id, -1);
}

static void remember_open(struct check *c, const struct exchange *x,
			  const struct produce_request_topic_data *t, const struct lane *l,
			  const struct sent *e, const struct batch *b)
{
	struct stored *s = c->state;

	s->open[s->open_count++ % OPEN_MAX] = (struct open_batch){.content = content_of(s, b),
								  .who = sender_of(c, x, t),
								  .first_us = e->first_us,
								  .text = first_text(c, l, e)};
}

static void look_for_open(struct check *c, const struct exchange *x,
			  const struct produce_request_topic_data *t, const struct lane *l,
			  const struct sent *e, const struct batch *b)
{
	struct stored *s = c->state;
	uint32_t n = s->open_count < OPEN_MAX ? s->open_count : OPEN_MAX;
	uint64_t who = sender_of(c, x, t), content = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct open_batch *o = &s->open[i];

		if (o->who != who || x->request_us < o->first_us ||
		    x->request_us - o->first_us > OPEN_FOR_US)
			continue;
		content = content ? content : content_of(s, b);
		if (!content || o->content != content)
			continue;
		maybe_twice(c, l, e, o->first_us, o->text, x, SENT_AGAIN);
		o->who = 0;
		return;
	}
}

/* ---- Produce ---- */

/* Whether an answer without success leaves open if the batch is stored. */
static bool is_uncertain(const struct exchange *x, int16_t code)
{
	return x->state == EXCHANGE_LOST || code == ERROR_REQUEST_TIMED_OUT ||
	       code == ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND || code == ERROR_UNKNOWN_SERVER_ERROR;
}

static const struct produce_response_responses_partition_responses *
answer_of(const struct produce_response *r, const struct produce_request_topic_data *t,
	  int32_t partition)
{
	for (int32_t i = 0; r && i < r->responses_count; i++) {
		if (t->name.len ? !str_eq(r->responses[i].name, t->name)
				: !uuid_eq(r->responses[i].topic_id, t->topic_id))
			continue;
		for (int32_t k = 0; k < r->responses[i].partition_responses_count; k++)
			if (r->responses[i].partition_responses[k].index == partition)
				return &r->responses[i].partition_responses[k];
	}
	return NULL;
}

/* What an answer means for the sequences to come: one that was refused for good leaves its own to
 * the next batch, and who is not known any more begins anew (KIP-360). */
static void take_refused(struct lane *l, int16_t code)
{
	if (code && code != ERROR_DUPLICATE_SEQUENCE_NUMBER && !kafka_error_retriable(code))
		l->next = -1;
}

static void note_resent(struct stored *s, const struct lane *l, const struct sent *e)
{
	s->resent[s->resent_count++ % RESENT_MAX] = (struct resent){l->key.place, e->print};
}

/* A batch that was not seen before. */
static void take_new(struct check *c, struct lane *l, struct sent *e, const struct exchange *x)
{
	/* Behind what is due: sequences are used again, for whatever reason. Not judged. */
	if (l->next >= 0 && e->sequence && (int32_t)((uint32_t)e->sequence - (uint32_t)l->next) < 0)
		l->next = -1;
	else
		judge_sequence(c, l, e, x);
}

static void take_batch(struct check *c, const struct exchange *x,
		       const struct produce_request_topic_data *t, int32_t partition,
		       const struct batch *b,
		       const struct produce_response_responses_partition_responses *answer)
{
	struct lane like = {.key = {.place = place_of(c, x, t->name, t->topic_id, partition),
				    .who = b->producer_id < 0 ? hash_sender(x) : 0,
				    .producer_id = b->producer_id < 0 ? -1 : b->producer_id,
				    .producer_epoch = b->producer_id < 0 ? -1 : b->producer_epoch}};
	struct lane *l = lane_of(c, &like, t->name, t->topic_id, partition);
	struct print print = print_of(b);
	struct sent *e = l ? find(l, &print) : NULL;
	struct stored *s = c->state;

	if (!l)
		return;
	s->twice.judged++;
	if (!e) {
		e = remember(l, &print, x);
		e->sequence = b->base_sequence;
		take_new(c, l, e, x);
		if (b->producer_id < 0 && s->open_count)
			look_for_open(c, x, t, l, e, b);
	} else if (l->next == e->sequence) {
		l->next = sequence_add(e->sequence, e->print.records);
	}
	if (e->times++ && e->uncertain)
		note_resent(s, l, e);
	take_refused(l, answer ? answer->error_code : 0);
	s->produced |= b->producer_id < 0;
	if (answer && !answer->error_code && answer->base_offset >= 0) {
		take_stored(c, l, e, answer->base_offset, x);
	} else if (is_uncertain(x, answer ? answer->error_code : 0) && !e->uncertain) {
		e->uncertain = true;
		if (b->producer_id < 0)
			remember_open(c, x, t, l, e, b);
	}
}

static void feed_produce(struct check *c, struct exchange *x)
{
	const struct produce_request *q = exchange_request(x);
	const struct produce_response *r = exchange_response(x);
	struct records_reader reader;
	struct batch batch, more;

	if (!q || q->acks == 0)
		return;
	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++) {
			const struct produce_request_topic_data_partition_data *p =
				&q->topic_data[i].partition_data[k];

			if (!p->records.data || p->records.span_count)
				continue;
			records_reader_init(&reader, p->records.data, (size_t)p->records.len);
			/* Of several batches, as old clients send, the answer names one offset. */
			if (records_next(&reader, &batch, NULL) > 0 && batch.magic == 2 &&
			    records_next(&reader, &more, NULL) == 0)
				take_batch(c, x, &q->topic_data[i], p->index, &batch,
					   answer_of(r, &q->topic_data[i], p->index));
		}
}

/* ---- Fetch ---- */

static bool was_resent(const struct stored *s, const struct lane *l, const struct sent *e)
{
	for (uint32_t i = 0; i < s->resent_count && i < RESENT_MAX; i++)
		if (s->resent[i].place == l->key.place &&
		    same_print(&s->resent[i].print, &e->print))
			return true;
	return false;
}

/* Two offsets have that batch. What took longer than a millisecond to come together, or was sent
 * again, is the same; of the rest, who sees all that is produced knows that it is not. */
static void read_another(struct check *c, const struct lane *l, const struct sent *e,
			 const struct batch *b, const struct exchange *x)
{
	struct stored *s = c->state;

	if (b->producer_id >= 0 || b->max_timestamp > b->base_timestamp || was_resent(s, l, e))
		twice(c, l, e, b->base_offset, x->response_us, ", as they were read");
	else if (!s->produced)
		maybe_twice(c, l, e, e->first_us, first_text(c, l, e), x,
			    "stands twice, as it was read, or a program wrote the same twice in "
			    "one millisecond");
}

static void take_read(struct check *c, const struct exchange *x, struct str topic, struct uuid id,
		      int32_t partition, const struct batch *b)
{
	struct lane like = {.key = {.place = place_of(c, x, topic, id, partition),
				    .producer_id = WHAT_IS_READ}};
	struct lane *l = lane_of(c, &like, topic, id, partition);
	struct print print = print_of(b);
	struct sent *e = l ? find(l, &print) : NULL;

	if (!l)
		return;
	if (!e) {
		e = remember(l, &print, x);
		e->offset = b->base_offset;
	} else if (e->offset != b->base_offset && b->records_count > 0) {
		read_another(c, l, e, b, x);
		e->offset = b->base_offset;
	}
}

static void take_fetched(struct check *c, const struct exchange *x,
			 const struct fetch_response_responses *t,
			 const struct fetch_response_responses_partitions *p)
{
	struct records_reader reader;
	struct batch batch;

	if (!p->records.data || p->records.span_count)
		return;
	records_reader_init(&reader, p->records.data, (size_t)p->records.len);
	while (records_next(&reader, &batch, NULL) > 0)
		if (batch.magic == 2 && !batch.control)
			take_read(c, x, t->topic, t->topic_id, p->partition_index, &batch);
}

static void feed_fetch(struct check *c, struct exchange *x)
{
	const struct fetch_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partitions_count; k++)
			take_fetched(c, x, &r->responses[i], &r->responses[i].partitions[k]);
}

/* ---- the checks ---- */

/* Bytes are missing: what was sent in them is not known. */
static void forget_sequences(struct stored *s, int64_t time_us)
{
	s->hole_us = time_us > s->hole_us ? time_us : s->hole_us;
	s->holes++;
}

static void feed(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind == EVENT_UNMATCHED)
		forget_sequences(c->state, ev->time_us);
	if (ev->kind != EVENT_EXCHANGE)
		return;
	if (x->header.api_key == API_PRODUCE && !exchange_request(x))
		forget_sequences(c->state, x->request_us);
	else if (x->header.api_key == API_PRODUCE)
		feed_produce(c, x);
	else if (x->header.api_key == API_FETCH)
		feed_fetch(c, x);
}

static void tell(struct finding *f, const struct finds *finds, const char *nothing)
{
	f->judged = finds->judged;
	for (int32_t i = 0; i < finds->moments_count; i++)
		finding_moment(f, finds->moments[i].time_us, STR_FMT,
			       STR_ARG(finds->moments[i].text));
	if (finds->wrong > 1)
		finding_set(f, FINDING_FAIL, STR_FMT " (and %llu more)", STR_ARG(finds->first),
			    (unsigned long long)finds->wrong - 1);
	else if (finds->wrong)
		finding_set(f, FINDING_FAIL, STR_FMT, STR_ARG(finds->first));
	else if (finds->unclear)
		finding_set(f, FINDING_INCONCLUSIVE, STR_FMT " (%llu times)",
			    STR_ARG(finds->first_unclear), (unsigned long long)finds->unclear);
	else if (!finds->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
	else
		finding_set(f, FINDING_PASS, "%llu batches", (unsigned long long)finds->judged);
}

static void end_sequences(struct check *c, struct finding *f)
{
	tell(f, &((struct stored *)c->state)->sequences, "no idempotent producer was seen");
}

static void end_order(struct check *c, struct finding *f)
{
	tell(f, &((struct stored *)c->state)->order, "nothing was stored");
}

static void end_once(struct check *c, struct finding *f)
{
	tell(f, &((struct stored *)c->state)->twice, "nothing was produced");
}

static void release(struct check *c)
{
	struct stored *s = c->state;

	HASH_CLEAR(hh, s->lanes);
	buf_release(&s->scratch);
}

const struct check_type check_wire_sequences = {
	.name = "wire.sequences",
	.claim = "the sequences of a producer id and epoch on a partition have no gap",
	.see = "KIP-98",
	.needs = NEEDS_WIRE,
	.capture = true,
	.state_size = sizeof(struct stored),
	.feed = feed,
	.end = end_sequences,
	.release = release,
};

const struct check_type check_wire_order = {
	.name = "wire.order",
	.claim = "a partition holds what one connection sends in the order in which it was first "
		 "sent",
	.see = "max.in.flight.requests.per.connection; KIP-98",
	.needs = NEEDS_WIRE,
	.capture = true,
	.state_size = sizeof(struct stored),
	.feed = feed,
	.end = end_order,
	.release = release,
};

const struct check_type check_wire_once = {
	.name = "wire.stored_once",
	.claim = "a batch stands once in its partition, also when it was sent again",
	.see = "retries without enable.idempotence; KIP-98",
	.needs = NEEDS_WIRE,
	.capture = true,
	.state_size = sizeof(struct stored),
	.feed = feed,
	.end = end_once,
	.release = release,
};
