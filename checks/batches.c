/* The batches that producers sent. Reads headers alone; records are not looked at. */
#include "checks/batches.h"

#include "checks/hash.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdlib.h>

#define HINT_VERSION	  10 /* the first one that may name the leader (KIP-951) */
#define BATCHES_ARENA_MAX ((size_t)512 << 20)

void batches_init(struct batches *b)
{
	*b = (struct batches){0};
	arena_init(&b->arena, BATCHES_ARENA_MAX);
}

void batches_release(struct batches *b)
{
	free(b->list);
	arena_release(&b->arena);
	*b = (struct batches){0};
}

/* What the answer has for a partition. */
static void take_answer(const struct produce_response *response, int version,
			struct sent_batch *like)
{
	for (int32_t i = 0; response && i < response->responses_count; i++) {
		const struct produce_response_responses *t = &response->responses[i];

		if (like->topic.len ? !str_eq(t->name, like->topic)
				    : !uuid_eq(t->topic_id, like->topic_id))
			continue;
		for (int32_t k = 0; k < t->partition_responses_count; k++)
			if (t->partition_responses[k].index == like->partition) {
				like->code = t->partition_responses[k].error_code;
				like->led = version >= HINT_VERSION &&
					    t->partition_responses[k].current_leader.leader_id >= 0;
				like->answered = true;
				return;
			}
	}
}

static struct sent_batch *add(struct batches *b)
{
	if (b->count == BATCHES_MAX) {
		b->full = true;
		return NULL;
	}
	if (b->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		b->list = realloc(b->list, b->cap * sizeof(*b->list));
		if (!b->list)
			abort();
	}
	return &b->list[b->count++];
}

/* The same texts come again and again: those of the last batch are shared. */
static struct str keep(struct batches *b, struct str text, bool client)
{
	const struct sent_batch *last = b->count > 1 ? &b->list[b->count - 2] : NULL;
	struct str before = last ? (client ? last->client : last->topic) : (struct str){0};

	if (!text.data || str_eq(text, before))
		return before.data && text.data ? before : text;
	before = arena_str(&b->arena, text);
	b->full |= !before.data;
	return before;
}

static uint64_t mix(uint64_t hash, struct bytes part)
{
	return hash_more(hash_more(hash, &part.len, sizeof(part.len)), part.data,
			 part.len > 0 ? (size_t)part.len : 0);
}

/* Some clients give records a new time when they send them again: keys and values tell a batch
 * where no producer id does. */
static uint64_t content_of(const struct batch *batch)
{
	uint64_t hash = FNV_BASIS;
	struct record_iter it;
	struct record record;

	if (batch->producer_id >= 0 || batch->codec || record_iter_init(&it, batch, NULL, NULL) < 0)
		return 0;
	while (record_next(&it, &record, NULL) > 0)
		hash = mix(mix(hash, record.key), record.value);
	return hash;
}

static void add_records(struct batches *b, const struct sent_batch *like, struct records records)
{
	struct records_reader reader;
	struct batch batch;

	if (!records.data || records.span_count) /* a client's are in one piece */
		return;
	records_reader_init(&reader, records.data, (size_t)records.len);
	while (records_next(&reader, &batch, NULL) > 0) {
		struct sent_batch *s = add(b);

		if (!s)
			return;
		*s = *like;
		s->client = keep(b, like->client, true);
		s->topic = keep(b, like->topic, false);
		s->producer_id = batch.producer_id;
		s->producer_epoch = batch.producer_epoch;
		s->base_sequence = batch.base_sequence;
		s->records = batch.records_count;
		s->crc = batch.crc;
		s->content = content_of(&batch);
		s->transactional = batch.transactional;
	}
}

void batches_feed(struct batches *b, const struct event *ev)
{
	struct exchange *x = ev->exchange;
	struct sent_batch like = {0};
	const struct produce_response *response;
	const struct produce_request *request;

	if (ev->kind != EVENT_EXCHANGE || x->header.api_key != API_PRODUCE ||
	    !(request = exchange_request(x)))
		return;
	response = exchange_response(x);
	b->requests++;
	like.conn = x->conn.conn;
	like.broker = x->conn.broker;
	like.client = x->header.client_id;
	like.correlation_id = x->header.correlation_id;
	like.request_us = x->request_us;
	like.end_us = x->response_us ? x->response_us : ev->time_us;
	like.request = b->requests;
	for (int32_t i = 0; i < request->topic_data_count; i++) {
		const struct produce_request_topic_data *t = &request->topic_data[i];

		like.topic = t->name.len ? t->name : (struct str){0};
		like.topic_id = t->topic_id;
		for (int32_t k = 0; k < t->partition_data_count; k++) {
			like.partition = t->partition_data[k].index;
			like.code = 0;
			like.answered = like.led = false;
			take_answer(response, x->header.api_version, &like);
			add_records(b, &like, t->partition_data[k].records);
		}
	}
}

/* Requests of one connection that came at once, in one packet, come in the order of their
 * correlation ids, whichever of them ended first. */
static int by_arrival(const void *a, const void *b)
{
	const struct sent_batch *x = a, *y = b;
	int32_t ids = (int32_t)((uint32_t)x->correlation_id - (uint32_t)y->correlation_id);

	if (x->request_us != y->request_us)
		return x->request_us < y->request_us ? -1 : 1;
	if (x->conn != y->conn)
		return x->conn < y->conn ? -1 : 1;
	if (ids)
		return ids;
	return x->request < y->request ? -1 : x->request > y->request;
}

void batches_sort(struct batches *b)
{
	if (!b->sorted && b->count)
		qsort(b->list, b->count, sizeof(*b->list), by_arrival);
	b->sorted = true;
}

bool batch_same_partition(const struct sent_batch *a, const struct sent_batch *b)
{
	if (a->partition != b->partition)
		return false;
	return a->topic.data && b->topic.data ? str_eq(a->topic, b->topic)
					      : uuid_eq(a->topic_id, b->topic_id);
}

struct str batch_text(const struct sent_batch *b, struct arena *arena)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(b->topic_id, id);
	return str_of(arena_printf(arena,
				   "Produce of " STR_FMT
				   "%s-%d, producer %lld epoch %d sequence %d, %d records "
				   "(connection %lld correlation %d)",
				   STR_ARG(b->topic), b->topic.data ? "" : id, b->partition,
				   (long long)b->producer_id, b->producer_epoch, b->base_sequence,
				   b->records, (long long)b->conn, b->correlation_id));
}
