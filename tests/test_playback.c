/* A recorded session as the one who answers: recordings made up exchange by exchange, live requests
 * beside them, in virtual time. */
#include "replay/playback.h"

#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "replay/assemble.h"
#include "replay/parts.h"
#include "replay/reshape.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#define BEGIN_US 1700000000000000

struct stage {
	struct session *session;
	struct seen *seen;
	struct variables *variables;
	struct playback *playback;
	struct arena recording, live;
	struct instant now;
	int64_t recorded_us;
	int32_t correlation;
	struct playback_answer got;
	int notes;
};

static void *make(struct stage *s, const struct schema *schema)
{
	void *body = arena_alloc(&s->recording, schema->size);

	codec_init(schema, body);
	return body;
}
#define MAKE(s, type) ((struct type *)make(s, &type##_schema))

static void init(struct stage *s)
{
	*s = (struct stage){.now = {5000000, BEGIN_US * 2}, .recorded_us = BEGIN_US};
	arena_init(&s->recording, (size_t)64 << 20);
	arena_init(&s->live, (size_t)64 << 20);
	s->session = session_new(NULL);
}

static struct bytes flat(struct stage *s, struct gather *g)
{
	struct buf out;
	struct bytes b;

	buf_init(&out, (size_t)16 << 20);
	gather_flatten(g, &out);
	b.len = (int32_t)out.len - 4;
	b.data = (const uint8_t *)arena_copy(&s->recording, out.data + 4, out.len - 4);
	buf_release(&out);
	gather_release(g);
	return b;
}

static struct bytes request_frame(struct stage *s, int api, int version, const char *client,
				  const void *body)
{
	struct error e = ERROR_INIT;
	struct gather g;

	gather_init(&g, (size_t)16 << 20);
	CHECK_EQ(frame_write_request(&g, api, version, ++s->correlation, str_of(client), body, &e),
		 0);
	return flat(s, &g);
}

static struct bytes response_frame(struct stage *s, int api, int version, const void *body)
{
	struct error e = ERROR_INIT;
	struct gather g;

	gather_init(&g, (size_t)16 << 20);
	CHECK_EQ(frame_write_response(&g, api, version, s->correlation, body, &e), 0);
	return flat(s, &g);
}

/* A recorded exchange, a second after the one before, answered in 100 ms; without a response lost.
 */
static void record(struct stage *s, const char *client, int api, int version, const void *request,
		   const void *response)
{
	struct exchange x = {.conn = {.conn = 1, .broker = 1, .how = CLOSE_BY_BROKER},
			     .state = response ? EXCHANGE_ANSWERED : EXCHANGE_LOST,
			     .arena = &s->recording};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};

	s->recorded_us += 1000000;
	x.request = request_frame(s, api, version, client, request);
	CHECK_EQ(frame_read_request(x.request, &x.header, NULL), 0);
	x.request_size = (uint32_t)x.request.len;
	x.request_us = s->recorded_us;
	if (response) {
		x.response = response_frame(s, api, version, response);
		x.response_size = (uint32_t)x.response.len;
		x.response_us = s->recorded_us + 100000;
	}
	session_sink(s->session)->on_event(session_sink(s->session)->ctx, &ev);
}

static void on_note(void *ctx, struct str text)
{
	struct stage *s = ctx;

	(void)text;
	s->notes++;
}

static void play(struct stage *s, double speed)
{
	struct playback_config config = {.speed = speed, .on_note = on_note, .ctx = s};
	struct error e = ERROR_INIT;

	CHECK_EQ(session_end(s->session, &e), 0);
	s->seen = seen_new(s->session);
	s->variables = variables_new();
	config.session = s->session;
	config.seen = s->seen;
	config.variables = s->variables;
	s->playback = playback_new(&config);
	for (size_t i = 0; i < s->session->topics_count; i++)
		variables_set_topic(s->variables, SIDE_LIVE, s->session->topics[i]->id,
				    s->session->topics[i]->name);
}

static void end(struct stage *s)
{
	playback_free(s->playback);
	variables_free(s->variables);
	seen_free(s->seen);
	session_free(s->session);
	arena_release(&s->recording);
	arena_release(&s->live);
}

/* Asks live; the answer's body, or NULL where it is none. again: it was a wait before. */
static const void *ask_again(struct stage *s, const char *client, int api, int version,
			     const void *body, bool again)
{
	struct frame_header h = {.api_key = (int16_t)api,
				 .api_version = (int16_t)version,
				 .client_id = str_of(client)};
	struct playback_request q = {.broker = 1,
				     .conn = 7,
				     .header = &h,
				     .body = body,
				     .arena = &s->live,
				     .arrived_us = s->now.mono_us,
				     .again = again};

	playback_ask(s->playback, &q, s->now, &s->got);
	return s->got.what == PLAYBACK_ANSWER ? s->got.response : NULL;
}

static const void *ask(struct stage *s, int api, int version, const void *body)
{
	return ask_again(s, "live", api, version, body, false);
}

/* ---- messages ---- */

static struct heartbeat_request *beat(struct stage *s, const char *member, int32_t generation)
{
	struct heartbeat_request *q = MAKE(s, heartbeat_request);

	q->group_id = str_of("g");
	q->member_id = str_of(member);
	q->generation_id = generation;
	return q;
}

static void record_beat(struct stage *s, const char *member, int32_t generation, int16_t error)
{
	struct heartbeat_response *r = MAKE(s, heartbeat_response);

	r->error_code = error;
	record(s, "recorded", API_HEARTBEAT, 4, beat(s, member, generation), r);
}

static int ask_beat(struct stage *s, const char *member, int32_t generation)
{
	const struct heartbeat_response *r = ask(s, API_HEARTBEAT, 4, beat(s, member, generation));

	return r ? r->error_code : -1;
}

static struct join_group_request *join(struct stage *s, const char *member)
{
	struct join_group_request *q = MAKE(s, join_group_request);

	q->group_id = str_of("g");
	q->member_id = str_of(member);
	q->protocol_type = str_of("consumer");
	return q;
}

static void record_join(struct stage *s, const char *member, const char *given)
{
	struct join_group_response *r = MAKE(s, join_group_response);

	r->member_id = r->leader = str_of(given);
	r->generation_id = 1;
	r->protocol_name = str_of("range");
	record(s, "recorded", API_JOIN_GROUP, 5, join(s, member), r);
}

static struct str ask_join(struct stage *s, const char *member)
{
	const struct join_group_response *r = ask(s, API_JOIN_GROUP, 5, join(s, member));

	return r ? r->member_id : (struct str){NULL, 0};
}

/* Records "v<first>".. without keys, as one batch at an offset. */
static struct records batch(struct stage *s, int first, int count, int64_t base, int64_t producer)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	struct records r;
	char value[32];

	options.base_offset = base;
	options.producer_id = producer;
	options.producer_epoch = producer < 0 ? -1 : 0;
	options.base_sequence = producer < 0 ? -1 : 0;
	options.partition_leader_epoch = 3;
	buf_init(&out, 1 << 20);
	batch_builder_init(&b, &options, &out);
	for (int i = 0; i < count; i++) {
		int n = snprintf(value, sizeof(value), "v%d", first + i);

		batch_builder_add(&b, 1000 + i, (struct bytes){NULL, 0},
				  (struct bytes){(const uint8_t *)value, n}, NULL, 0);
	}
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	r = (struct records){arena_copy(&s->recording, out.data, out.len), (int32_t)out.len, 0};
	batch_builder_release(&b);
	buf_release(&out);
	return r;
}

static struct produce_request *producing(struct stage *s, int32_t partition, struct records records)
{
	struct produce_request *q = MAKE(s, produce_request);

	q->acks = -1;
	q->topic_data = MAKE(s, produce_request_topic_data);
	q->topic_data_count = 1;
	q->topic_data->name = str_of("t");
	q->topic_data->partition_data = MAKE(s, produce_request_topic_data_partition_data);
	q->topic_data->partition_data_count = 1;
	q->topic_data->partition_data->index = partition;
	q->topic_data->partition_data->records = records;
	return q;
}

static void record_produce(struct stage *s, struct records records, int64_t offset, int16_t error)
{
	struct produce_response *r = MAKE(s, produce_response);
	struct produce_response_responses_partition_responses *p =
		MAKE(s, produce_response_responses_partition_responses);

	r->responses = MAKE(s, produce_response_responses);
	r->responses_count = 1;
	r->responses->name = str_of("t");
	r->responses->partition_responses = p;
	r->responses->partition_responses_count = 1;
	p->base_offset = offset;
	p->error_code = error;
	record(s, "writer", API_PRODUCE, 9, producing(s, 0, records), r);
}

/* The offset, or minus the error. */
static int64_t ask_produce(struct stage *s, struct records records)
{
	const struct produce_response *r =
		ask_again(s, "writer", API_PRODUCE, 9, producing(s, 0, records), false);
	const struct produce_response_responses_partition_responses *p;

	if (!r)
		return INT64_MIN;
	p = r->responses->partition_responses;
	return p->error_code ? -p->error_code : p->base_offset;
}

static struct fetch_request *fetching(struct stage *s, int64_t offset, int32_t session,
				      int32_t epoch)
{
	struct fetch_request *q = MAKE(s, fetch_request);

	q->max_wait_ms = 500;
	q->session_id = session;
	q->session_epoch = epoch;
	if (offset < 0)
		return q;
	q->topics = MAKE(s, fetch_request_topics);
	q->topics_count = 1;
	q->topics->topic = str_of("t");
	q->topics->partitions = MAKE(s, fetch_request_topics_partitions);
	q->topics->partitions_count = 1;
	q->topics->partitions->fetch_offset = offset;
	q->topics->partitions->partition_max_bytes = 1 << 20;
	return q;
}

static void record_fetch(struct stage *s, int64_t offset, int32_t session, struct records records,
			 int16_t error)
{
	struct fetch_response *r = MAKE(s, fetch_response);
	struct fetch_response_responses_partitions *p =
		MAKE(s, fetch_response_responses_partitions);

	r->session_id = session;
	r->responses = MAKE(s, fetch_response_responses);
	r->responses_count = 1;
	r->responses->topic = str_of("t");
	r->responses->partitions = p;
	r->responses->partitions_count = 1;
	p->error_code = error;
	p->high_watermark = 100;
	p->records = records;
	record(s, "recorded", API_FETCH, 11, fetching(s, offset, 0, session ? 0 : -1), r);
}

/* The values of an answer's first partition, "v0 v1"; "-" none, "?" no answer. */
static const char *values_of(struct stage *s, const struct fetch_response *r)
{
	struct buf all, text;
	struct records_reader reader;
	struct record_iter it;
	struct record record;
	struct batch b;
	const char *copy;

	if (!r)
		return "?";
	if (!r->responses_count || !r->responses->partitions->records.len)
		return "-";
	buf_init(&all, 1 << 20);
	buf_init(&text, 1 << 20);
	if (r->responses->partitions->records.span_count)
		for (int32_t i = 0; i < r->responses->partitions->records.span_count; i++) {
			const struct bytes *span =
				(const struct bytes *)r->responses->partitions->records.data + i;

			buf_add(&all, span->data, (size_t)span->len);
		}
	else
		buf_add(&all, r->responses->partitions->records.data,
			(size_t)r->responses->partitions->records.len);
	records_reader_init(&reader, all.data, all.len);
	while (records_next(&reader, &b, NULL) > 0) {
		CHECK(batch_crc_ok(&b));
		record_iter_init(&it, &b, NULL, NULL);
		while (record_next(&it, &record, NULL) > 0)
			buf_printf(&text, "%s%lld:%.*s", text.len ? " " : "",
				   (long long)record.offset, record.value.len,
				   (const char *)record.value.data);
	}
	copy = arena_copy(&s->live, text.data, text.len);
	buf_release(&all);
	buf_release(&text);
	return copy;
}

static const struct records none = {"", 0, 0};

static const char *ask_fetch(struct stage *s, int64_t offset)
{
	return values_of(s, ask(s, API_FETCH, 11, fetching(s, offset, 0, -1)));
}

/* ---- order, and who may hear what ---- */

TEST(answers_are_given_in_recorded_order_and_the_last_one_again)
{
	struct stage s;

	init(&s);
	record_join(&s, "", "m");
	record_beat(&s, "m", 1, 0);
	record_beat(&s, "m", 1, 27);
	play(&s, 0);
	CHECK_STR(ask_join(&s, ""), "m");
	CHECK_EQ(ask_beat(&s, "m", 1), 0);
	CHECK_EQ(ask_beat(&s, "m", 1), 27);
	CHECK_EQ(ask_beat(&s, "m", 1), 27);
	end(&s);
}

TEST(what_changes_something_is_answered_once)
{
	struct stage s;

	init(&s);
	record_join(&s, "", "m");
	play(&s, 0);
	CHECK_STR(ask_join(&s, ""), "m");
	CHECK(ask_join(&s, "").data == NULL);
	CHECK_EQ(s.got.what, PLAYBACK_MISS);
	end(&s);
}

TEST(a_member_hears_of_a_change_only_after_it_happened)
{
	struct stage s;

	init(&s);
	record_join(&s, "", "one");
	record_join(&s, "", "two");
	record_beat(&s, "one", 1, 27);
	play(&s, 0);
	CHECK_STR(ask_join(&s, ""), "one");
	CHECK_EQ(ask_beat(&s, "one", 1), 0); /* nobody else is there yet */
	CHECK_STR(ask_join(&s, ""), "two");
	CHECK_EQ(ask_beat(&s, "one", 1), 27);
	CHECK_EQ(ask_beat(&s, "two", 1), 0); /* that was not for it */
	end(&s);
}

TEST(a_change_that_nobody_makes_is_not_awaited_for_ever)
{
	struct stage s;

	init(&s);
	record_join(&s, "", "one");
	record_join(&s, "", "two");
	record_beat(&s, "one", 1, 27);
	play(&s, 1);
	CHECK_STR(ask_join(&s, ""), "one");
	CHECK_EQ(ask_beat(&s, "one", 1), 0);
	s.now = instant_add_us(s.now, 4000000 + PLAYBACK_WRITER_US);
	CHECK_EQ(ask_beat(&s, "one", 1), 27);
	CHECK_EQ(s.notes, 1);
	end(&s);
}

TEST(a_member_id_that_the_client_makes_is_a_variable)
{
	struct stage s;
	struct consumer_group_heartbeat_request *q;
	struct consumer_group_heartbeat_response *r;
	const struct consumer_group_heartbeat_response *got;

	init(&s);
	for (int32_t epoch = 0; epoch < 2; epoch++) {
		q = MAKE(&s, consumer_group_heartbeat_request);
		r = MAKE(&s, consumer_group_heartbeat_response);
		q->group_id = str_of("g");
		q->member_id = r->member_id = str_of("recorded-id");
		q->member_epoch = epoch;
		r->member_epoch = 1;
		record(&s, "recorded", API_CONSUMER_GROUP_HEARTBEAT, 1, q, r);
	}
	play(&s, 0);
	for (int32_t epoch = 0; epoch < 3; epoch++) {
		q = MAKE(&s, consumer_group_heartbeat_request);
		q->group_id = str_of("g");
		q->member_id = str_of("live-id");
		q->member_epoch = epoch > 1 ? 1 : epoch;
		got = ask(&s, API_CONSUMER_GROUP_HEARTBEAT, 1, q);
		CHECK(got != NULL);
		if (got)
			CHECK_STR(got->member_id, "live-id");
	}
	q->member_epoch = 0;
	CHECK(ask(&s, API_CONSUMER_GROUP_HEARTBEAT, 1, q) == NULL); /* a second one joins */
	end(&s);
}

TEST(answers_take_as_long_as_they_took_divided_by_the_speed)
{
	static const struct {
		double speed;
		int64_t us;
	} speeds[] = {{1, 100000}, {10, 10000}, {0, 0}};
	struct stage s;

	for (size_t i = 0; i < 3; i++) {
		init(&s);
		record_join(&s, "", "m");
		play(&s, speeds[i].speed);
		ask_join(&s, "");
		CHECK_EQ(s.got.due_us - s.now.mono_us, speeds[i].us);
		end(&s);
	}
}

TEST(a_group_that_somebody_else_answered_for_stays_with_him)
{
	struct stage s;
	struct frame_header h = {.api_key = API_JOIN_GROUP, .api_version = 5};
	struct playback_request q = {.broker = 1, .header = &h};

	init(&s);
	record_join(&s, "", "m");
	record_beat(&s, "m", 1, 0);
	play(&s, 0);
	q.body = join(&s, "");
	q.arena = &s.live;
	playback_taken(s.playback, &q);
	CHECK_EQ(ask_beat(&s, "m", 1), -1);
	CHECK_EQ(s.got.what, PLAYBACK_TAKEN);
	end(&s);
}

/* ---- records ---- */

TEST(however_records_fall_into_batches_they_get_their_offsets)
{
	struct stage s;

	init(&s);
	record_produce(&s, batch(&s, 0, 3, 0, -1), 10, 0);
	record_produce(&s, batch(&s, 3, 2, 0, -1), 13, 0);
	play(&s, 0);
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 1, 0, -1)), 10);
	CHECK_EQ(ask_produce(&s, batch(&s, 1, 3, 0, -1)), 11);
	CHECK_EQ(ask_produce(&s, batch(&s, 4, 1, 0, -1)), 14);
	CHECK_EQ(ask_produce(&s, batch(&s, 5, 1, 0, -1)), INT64_MIN);
	CHECK_EQ(s.got.what, PLAYBACK_MISS);
	end(&s);
}

TEST(equal_records_come_before_the_next_ones_and_others_take_what_is_next)
{
	struct stage s;

	init(&s);
	record_produce(&s, batch(&s, 0, 1, 0, -1), 10, 0);
	record_produce(&s, batch(&s, 1, 1, 0, -1), 11, 0);
	record_produce(&s, batch(&s, 2, 1, 0, -1), 12, 0);
	play(&s, 0);
	CHECK_EQ(ask_produce(&s, batch(&s, 1, 1, 0, -1)), 11);
	CHECK_EQ(ask_produce(&s, batch(&s, 70, 1, 0, -1)), 10);
	CHECK_EQ(ask_produce(&s, batch(&s, 2, 1, 0, -1)), 12);
	end(&s);
}

TEST(a_refused_batch_is_refused_and_its_retry_is_not)
{
	struct stage s;

	init(&s);
	record_produce(&s, batch(&s, 0, 2, 0, -1), -1, 6);
	record_produce(&s, batch(&s, 0, 2, 0, -1), 10, 0);
	play(&s, 0);
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 2, 0, -1)), -6);
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 2, 0, -1)), 10);
	end(&s);
}

TEST(a_reader_gets_what_the_live_writer_wrote_once_it_did)
{
	struct stage s;
	struct fetch_request *q;

	init(&s);
	record_produce(&s, batch(&s, 0, 2, 0, -1), 10, 0);
	record_fetch(&s, 10, 0, batch(&s, 0, 2, 10, -1), 0);
	play(&s, 0);
	ask_again(&s, "writer", API_API_VERSIONS, 0, NULL, false); /* it is there */
	q = fetching(&s, 10, 0, -1);
	CHECK(ask(&s, API_FETCH, 11, q) == NULL);
	CHECK_EQ(s.got.what, PLAYBACK_WAIT);
	CHECK_EQ(s.got.due_us, s.now.mono_us + 500000);
	CHECK_EQ(ask_produce(&s, batch(&s, 50, 1, 0, -1)), 10);
	CHECK(s.got.wrote);
	CHECK_TEXT(values_of(&s, ask_again(&s, "live", API_FETCH, 11, q, true)), "10:v50");
	CHECK_EQ(ask_produce(&s, batch(&s, 51, 1, 0, -1)), 11);
	CHECK_TEXT(ask_fetch(&s, 11), "11:v51");
	CHECK_TEXT(ask_fetch(&s, 10), "10:v50 11:v51");
	end(&s);
}

TEST(records_of_a_writer_who_is_not_there_come_as_recorded)
{
	struct stage s;

	init(&s);
	record_produce(&s, batch(&s, 0, 2, 0, -1), 10, 0);
	record_fetch(&s, 10, 0, batch(&s, 0, 2, 10, -1), 0);
	play(&s, 0);
	CHECK_TEXT(ask_fetch(&s, 10), "?");
	s.now = instant_add_us(s.now, PLAYBACK_WRITER_US);
	CHECK_TEXT(ask_fetch(&s, 10), "10:v0 11:v1");
	CHECK_TEXT(ask_fetch(&s, 11), "10:v0 11:v1"); /* the batch that holds it, as brokers do */
	end(&s);
}

TEST(a_recorded_read_is_given_as_it_was_and_then_the_log)
{
	struct stage s;

	init(&s);
	record_fetch(&s, 0, 0, none, 0);
	record_fetch(&s, 0, 0, none, 6);
	record_fetch(&s, 0, 0, batch(&s, 0, 2, 0, -1), 0);
	record_fetch(&s, 2, 0, batch(&s, 2, 1, 2, -1), 0);
	play(&s, 0);
	CHECK_TEXT(ask_fetch(&s, 0), "-");
	CHECK_TEXT(ask_fetch(&s, 0), "-");
	CHECK_EQ(((const struct fetch_response *)s.got.response)->responses->partitions->error_code,
		 6);
	CHECK_TEXT(ask_fetch(&s, 0), "0:v0 1:v1");
	CHECK_TEXT(ask_fetch(&s, 0), "0:v0 1:v1");
	CHECK_TEXT(ask_fetch(&s, 1), "0:v0 1:v1 2:v2");
	CHECK_TEXT(ask_fetch(&s, 2), "2:v2");
	CHECK_TEXT(ask_fetch(&s, 3), "?"); /* at the end: it waits */
	CHECK_EQ(s.got.what, PLAYBACK_WAIT);
	s.now = instant_add_us(s.now, 500000);
	end(&s);
}

TEST(an_empty_answer_of_before_a_write_is_over_once_it_was_written)
{
	struct stage s;

	init(&s);
	for (int i = 0; i < 5; i++)
		record_fetch(&s, 10, 0, none, 0);
	record_produce(&s, batch(&s, 0, 1, 0, -1), 10, 0);
	record_fetch(&s, 10, 0, batch(&s, 0, 1, 10, -1), 0);
	play(&s, 0);
	CHECK_TEXT(ask_fetch(&s, 10), "-");
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 1, 0, -1)), 10);
	CHECK_TEXT(ask_fetch(&s, 10), "10:v0");
	end(&s);
}

TEST(fetch_sessions_are_the_live_clients_own)
{
	struct stage s;
	const struct fetch_response *r;

	init(&s);
	record_fetch(&s, 0, 77, batch(&s, 0, 2, 0, -1), 0);
	play(&s, 0);
	r = ask(&s, API_FETCH, 11, fetching(&s, 0, 0, 0));
	CHECK_TEXT(values_of(&s, r), "0:v0 1:v1");
	CHECK_EQ(r ? r->session_id : 0, 77);
	r = ask(&s, API_FETCH, 11, fetching(&s, 1, 77, 1)); /* the position moves */
	CHECK_TEXT(values_of(&s, r), "0:v0 1:v1");
	r = ask(&s, API_FETCH, 11, fetching(&s, -1, 77, 2)); /* nothing is named: as before */
	CHECK_TEXT(values_of(&s, r), "0:v0 1:v1");
	r = ask(&s, API_FETCH, 11, fetching(&s, -1, 77, 2));
	CHECK_EQ(r ? r->error_code : 0, 71);
	r = ask(&s, API_FETCH, 11, fetching(&s, -1, 78, 1));
	CHECK_EQ(r ? r->error_code : 0, 70);
	end(&s);
}

TEST(a_producer_that_is_called_otherwise_live_is_so_in_what_is_read)
{
	struct stage s;
	const struct fetch_response *r;
	const uint8_t *data;

	init(&s);
	record_produce(&s, batch(&s, 0, 1, 0, 5), 10, 0);
	record_produce(&s, batch(&s, 1, 1, 0, 5), 11, 0);
	record_fetch(&s, 11, 0, batch(&s, 1, 1, 11, 5), 0);
	play(&s, 0);
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 1, 0, 900)), 10);
	s.now = instant_add_us(s.now, 10 * PLAYBACK_WRITER_US);
	r = ask(&s, API_FETCH, 11, fetching(&s, 11, 0, -1));
	CHECK_TEXT(values_of(&s, r), "11:v1"); /* with a right checksum */
	data = ((const struct bytes *)r->responses->partitions->records.data)->data;
	CHECK_EQ(data[BATCH_AT_PRODUCER_ID + 6] << 8 | data[BATCH_AT_PRODUCER_ID + 7], 900);
	end(&s);
}

TEST(far_behind_the_recorded_end_is_a_miss)
{
	struct stage s;

	init(&s);
	record_fetch(&s, 0, 0, batch(&s, 0, 2, 0, -1), 0); /* the high watermark is 100 */
	play(&s, 0);
	CHECK_TEXT(ask_fetch(&s, 100), "?");
	CHECK_EQ(s.got.what, PLAYBACK_WAIT);
	CHECK_TEXT(ask_fetch(&s, 101), "?");
	CHECK_EQ(s.got.what, PLAYBACK_MISS);
	end(&s);
}

TEST(what_is_written_live_is_not_behind_the_end)
{
	struct stage s;

	init(&s);
	record_fetch(&s, 10, 0, none, 6); /* tells no end */
	record_produce(&s, batch(&s, 0, 2, 0, -1), 10, 0);
	play(&s, 0);
	CHECK_EQ(ask_produce(&s, batch(&s, 0, 2, 0, -1)), 10);
	CHECK_TEXT(ask_fetch(&s, 12), "?");
	CHECK_EQ(s.got.what, PLAYBACK_WAIT);
	CHECK_TEXT(ask_fetch(&s, 13), "?");
	CHECK_EQ(s.got.what, PLAYBACK_MISS);
	end(&s);
}

static void record_isolated(struct stage *s, int8_t isolation, int64_t offset,
			    struct records records)
{
	struct fetch_request *q = fetching(s, offset, 0, -1);
	struct fetch_response *r = MAKE(s, fetch_response);
	struct fetch_response_responses_partitions *p =
		MAKE(s, fetch_response_responses_partitions);

	q->isolation_level = isolation;
	r->responses = MAKE(s, fetch_response_responses);
	r->responses_count = 1;
	r->responses->topic = str_of("t");
	r->responses->partitions = p;
	r->responses->partitions_count = 1;
	p->high_watermark = p->last_stable_offset = 2;
	p->records = records;
	p->aborted_transactions_count = -1;
	if (isolation) {
		p->aborted_transactions =
			MAKE(s, fetch_response_responses_partitions_aborted_transactions);
		p->aborted_transactions->producer_id = 5;
		p->aborted_transactions_count = 1;
	}
	record(s, "recorded", API_FETCH, 11, q, r);
}

/* How many aborted transactions the answer to a reader of that isolation level names. */
static int32_t ask_isolated(struct stage *s, int8_t isolation)
{
	struct fetch_request *q = fetching(s, 0, 0, -1);
	const struct fetch_response *r;

	q->isolation_level = isolation;
	r = ask(s, API_FETCH, 11, q);
	return r ? r->responses->partitions->aborted_transactions_count : -2;
}

TEST(who_reads_what_is_committed_is_told_what_was_aborted)
{
	struct stage s;

	init(&s);
	record_isolated(&s, 0, 0, batch(&s, 0, 2, 0, 5));
	record_isolated(&s, 1, 0, batch(&s, 0, 2, 0, 5));
	play(&s, 0);
	CHECK_EQ(ask_isolated(&s, 1), 1);
	CHECK_EQ(ask_isolated(&s, 0), -1);
	CHECK_EQ(ask_isolated(&s, 1), 1); /* again */
	end(&s);
}

TEST(also_from_what_a_reader_got_who_was_not_told)
{
	struct stage s;

	init(&s);
	record_isolated(&s, 0, 0, batch(&s, 0, 2, 0, 5));
	record_isolated(&s, 1, 1, batch(&s, 0, 2, 0, 5));
	play(&s, 0);
	CHECK_EQ(ask_isolated(&s, 1), 1);
	CHECK_EQ(ask_isolated(&s, 0), -1);
	end(&s);
}

/* ---- committed offsets ---- */

static struct offset_commit_request *committing(struct stage *s, int64_t offset)
{
	struct offset_commit_request *q = MAKE(s, offset_commit_request);

	q->group_id = str_of("g");
	q->topics = MAKE(s, offset_commit_request_topics);
	q->topics_count = 1;
	q->topics->name = str_of("t");
	q->topics->partitions = MAKE(s, offset_commit_request_topics_partitions);
	q->topics->partitions_count = 1;
	q->topics->partitions->committed_offset = offset;
	return q;
}

static void record_commit(struct stage *s, int64_t offset, int16_t error)
{
	struct offset_commit_response *r = MAKE(s, offset_commit_response);

	r->topics = MAKE(s, offset_commit_response_topics);
	r->topics_count = 1;
	r->topics->name = str_of("t");
	r->topics->partitions = MAKE(s, offset_commit_response_topics_partitions);
	r->topics->partitions_count = 1;
	r->topics->partitions->error_code = error;
	record(s, "recorded", API_OFFSET_COMMIT, 6, committing(s, offset), r);
}

static int ask_commit(struct stage *s, int64_t offset)
{
	const struct offset_commit_response *r =
		ask(s, API_OFFSET_COMMIT, 6, committing(s, offset));

	return r ? r->topics->partitions->error_code : -1;
}

static struct offset_fetch_request *committed_of(struct stage *s)
{
	static int32_t zero;
	struct offset_fetch_request *q = MAKE(s, offset_fetch_request);

	q->group_id = str_of("g");
	q->topics = MAKE(s, offset_fetch_request_topics);
	q->topics_count = 1;
	q->topics->name = str_of("t");
	q->topics->partition_indexes = &zero;
	q->topics->partition_indexes_count = 1;
	return q;
}

static void record_committed(struct stage *s, int64_t offset)
{
	struct offset_fetch_response *r = MAKE(s, offset_fetch_response);

	r->topics = MAKE(s, offset_fetch_response_topics);
	r->topics_count = 1;
	r->topics->name = str_of("t");
	r->topics->partitions = MAKE(s, offset_fetch_response_topics_partitions);
	r->topics->partitions_count = 1;
	r->topics->partitions->committed_offset = offset;
	record(s, "recorded", API_OFFSET_FETCH, 5, committed_of(s), r);
}

static int64_t ask_committed(struct stage *s)
{
	const struct offset_fetch_response *r = ask(s, API_OFFSET_FETCH, 5, committed_of(s));

	return r ? r->topics->partitions->committed_offset : -2;
}

TEST(a_group_is_told_what_it_committed_live)
{
	struct stage s;

	init(&s);
	record_committed(&s, -1);
	record_commit(&s, 10, 0);
	record_committed(&s, 10);
	play(&s, 0);
	CHECK_EQ(ask_committed(&s), -1);
	CHECK_EQ(ask_commit(&s, 5), 0);
	CHECK_EQ(ask_committed(&s), 5);
	CHECK_EQ(ask_commit(&s, 10), 0); /* as recorded: what follows is, too */
	CHECK_EQ(ask_committed(&s), 10);
	end(&s);
}

TEST(a_commit_that_is_refused_is_none)
{
	struct stage s;

	init(&s);
	record_commit(&s, 10, 22);
	record_committed(&s, 7);
	play(&s, 0);
	CHECK_EQ(ask_commit(&s, 5), 22);
	CHECK_EQ(ask_committed(&s), 7);
	end(&s);
}

/* ---- more than there is room for ---- */

static void record_huge(struct stage *s, int32_t partitions)
{
	struct offset_fetch_request *q = committed_of(s);
	struct offset_fetch_response *r = MAKE(s, offset_fetch_response);
	char *name = arena_alloc(&s->recording, 30001);

	memset(name, 'x', 30000);
	name[30000] = 0;
	q->topics->name = str_of(name);
	q->topics->partition_indexes =
		arena_zalloc(&s->recording, (size_t)partitions * sizeof(int32_t));
	q->topics->partition_indexes_count = partitions;
	for (int32_t i = 0; i < partitions; i++)
		q->topics->partition_indexes[i] = i;
	record(s, "recorded", API_OFFSET_FETCH, 5, q, r);
}

TEST(what_asks_for_too_much_at_once_is_left_out_with_a_note)
{
	struct stage s;
	struct error e = ERROR_INIT;

	init(&s);
	record_huge(&s, 90000);
	record_committed(&s, 10);
	play(&s, 0);
	CHECK_EQ(s.notes, 1);
	CHECK_EQ(playback_check(s.playback, &e), 0);
	CHECK_EQ(ask_committed(&s), 10);
	end(&s);
}

/* ---- versions ---- */

static struct find_coordinator_response *coordinators(struct stage *s)
{
	struct find_coordinator_response *r = MAKE(s, find_coordinator_response);

	r->coordinators = arena_alloc(&s->recording, 2 * sizeof(*r->coordinators));
	r->coordinators_count = 2;
	for (int i = 0; i < 2; i++) {
		codec_init(&find_coordinator_response_coordinators_schema, &r->coordinators[i]);
		r->coordinators[i].key = str_of(i ? "b" : "a");
		r->coordinators[i].node_id = 10 + i;
		r->coordinators[i].host = str_of("h");
	}
	return r;
}

TEST(what_became_a_list_is_single_for_older_clients_and_the_reverse)
{
	struct stage s;
	struct variables *v = variables_new();
	struct find_coordinator_request *q;
	struct holder about = {&find_coordinator_request_schema, NULL, 1, NULL};
	struct reshape r = {.v = v, .side = SIDE_LIVE, .live_about = &about, .around = &about};
	struct find_coordinator_response *old, *fresh;

	init(&s);
	r.arena = &s.live;
	q = MAKE(&s, find_coordinator_request);
	q->key = str_of("b");
	about.msg = q;
	old = coordinators(&s);
	CHECK(reshape(&r, &find_coordinator_response_schema, 4, 1, old));
	CHECK_EQ(old->node_id, 11);
	CHECK_EQ(old->coordinators_count, 0);
	fresh = MAKE(&s, find_coordinator_response);
	fresh->node_id = 12;
	fresh->host = str_of("h");
	CHECK(reshape(&r, &find_coordinator_response_schema, 1, 4, fresh));
	CHECK_EQ(fresh->coordinators_count, 1);
	if (fresh->coordinators_count == 1) {
		CHECK_EQ(fresh->coordinators->node_id, 12);
		CHECK_STR(fresh->coordinators->key, "b");
	}
	variables_free(v);
	arena_release(&s.live);
	arena_release(&s.recording);
	session_free(s.session);
}

TEST(a_list_of_one_offset_is_an_offset)
{
	struct stage s;
	struct variables *v = variables_new();
	struct reshape r = {.v = v};
	struct list_offsets_response *body;
	struct list_offsets_response_topics_partitions *p;

	init(&s);
	r.arena = &s.live;
	body = MAKE(&s, list_offsets_response);
	p = MAKE(&s, list_offsets_response_topics_partitions);
	body->topics = MAKE(&s, list_offsets_response_topics);
	body->topics_count = 1;
	body->topics->partitions = p;
	body->topics->partitions_count = 1;
	p->offset = 42;
	CHECK(reshape(&r, &list_offsets_response_schema, 4, 0, body));
	CHECK_EQ(p->old_style_offsets_count, 1);
	CHECK(p->old_style_offsets && p->old_style_offsets[0] == 42);
	CHECK(reshape(&r, &list_offsets_response_schema, 0, 2, body));
	CHECK_EQ(p->offset, 42);
	variables_free(v);
	arena_release(&s.live);
	arena_release(&s.recording);
	session_free(s.session);
}

/* ---- parts ---- */

static struct offset_fetch_request *offsets_of(struct stage *s, bool listed)
{
	static int32_t partitions[] = {0, 256};
	struct offset_fetch_request *q = MAKE(s, offset_fetch_request);

	if (listed) {
		q->groups = MAKE(s, offset_fetch_request_groups);
		q->groups_count = 1;
		q->groups->group_id = str_of("g");
		q->groups->topics = MAKE(s, offset_fetch_request_groups_topics);
		q->groups->topics_count = 1;
		q->groups->topics->name = str_of("t");
		q->groups->topics->partition_indexes = partitions;
		q->groups->topics->partition_indexes_count = 2;
		return q;
	}
	q->group_id = str_of("g");
	q->topics = MAKE(s, offset_fetch_request_topics);
	q->topics_count = 1;
	q->topics->name = str_of("t");
	q->topics->partition_indexes = partitions;
	q->topics->partition_indexes_count = 2;
	return q;
}

TEST(parts_have_the_same_keys_in_all_versions)
{
	struct stage s;
	struct variables *v = variables_new();
	struct parts_of of = {API_OFFSET_FETCH, MESSAGE_REQUEST, 5, NULL, NULL, SIDE_RECORDED};
	struct parts old, fresh;
	struct buf text;
	struct str topic;
	int32_t partition;

	init(&s);
	of.body = offsets_of(&s, false);
	CHECK(parts_list(v, &of, &s.live, &old));
	of.version = 8;
	of.body = offsets_of(&s, true);
	CHECK(parts_list(v, &of, &s.live, &fresh));
	CHECK_EQ(old.count, 2);
	CHECK_EQ(fresh.count, 2);
	for (size_t i = 0; i < 2 && i < old.count && i < fresh.count; i++)
		CHECK_BYTES(fresh.list[i].key.data, (size_t)fresh.list[i].key.len,
			    old.list[i].key.data, (size_t)old.list[i].key.len);
	buf_init(&text, 1000);
	parts_key_text(old.list[1].key, &text);
	CHECK_TEXT(buf_cstr(&text), "group g topic t partition 256");
	CHECK(parts_key_partition(old.list[1].key, &topic, &partition));
	CHECK_STR(topic, "t");
	CHECK_EQ(partition, 256);
	CHECK(parts_key_names(old.list[1].key, ROLE_GROUP, str_of("g")));
	CHECK(!parts_key_names(old.list[1].key, ROLE_TOPIC, str_of("g")));
	buf_release(&text);
	variables_free(v);
	arena_release(&s.live);
	arena_release(&s.recording);
	session_free(s.session);
}

TEST(all_of_a_kind_covers_each_one)
{
	struct stage s;
	struct variables *v = variables_new();
	struct parts_of of = {API_OFFSET_FETCH, MESSAGE_REQUEST, 8, NULL, NULL, SIDE_RECORDED};
	struct offset_fetch_request *q;
	struct parts all, some;

	init(&s);
	of.body = offsets_of(&s, true);
	CHECK(parts_list(v, &of, &s.live, &some));
	q = offsets_of(&s, true);
	q->groups->topics = NULL;
	q->groups->topics_count = -1;
	of.body = q;
	CHECK(parts_list(v, &of, &s.live, &all));
	CHECK_EQ(all.count, 1);
	CHECK(parts_covers(all.list[0].key, some.list[0].key));
	CHECK(!parts_covers(some.list[0].key, all.list[0].key));
	CHECK(!parts_covers(some.list[0].key, some.list[1].key));
	variables_free(v);
	arena_release(&s.live);
	arena_release(&s.recording);
	session_free(s.session);
}
