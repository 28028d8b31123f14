/* Produce in virtual time: rules 13 to 17 of the acceptance text. */
#include "protocol/records_bytes.h"
#include "tests/mock_records.h"

#include <stdlib.h>

#define HOUR_MS 3600000

static void start(struct fixture *f)
{
	mock_start(f, 1);
	mock_topic(f, "t", 2, -1);
}

TEST(produce_of_every_version_is_appended_and_read_back)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;
	int64_t next = 0, first = -1;

	start(&f);
	for (int v = 0; v <= 12; v++) {
		struct batch_options o = BATCH_OPTIONS_INIT;
		const struct produce_response_responses_partition_responses *p;

		o.magic = (int8_t)(v < 2 ? 0 : v == 2 ? 1 : 2);
		p = mock_produce_at(&f, v, "t", 0, 1, mock_batch(&f, 3, &o));
		CHECK_EQ(p->error_code, 0);
		CHECK_EQ(p->base_offset, next);
		next += 3;
	}
	for (int v = 0; v <= 12; v++) {
		mock_fetch_one(&one, "t", 0, 0, 0);
		if (v < 3)
			one.q.max_bytes = INT32_MAX;
		r = mock_ask(&f, 1, API_FETCH, v, &one.q);
		CHECK_EQ(r->responses[0].partitions[0].error_code, 0);
		CHECK_EQ(r->responses[0].partitions[0].high_watermark, next);
		CHECK_EQ(mock_count(r->responses[0].partitions[0].records, &first), next);
		CHECK_EQ(first, 0);
	}
	CHECK_EQ(f.log_events, 13);
	mock_end(&f);
}

TEST(rule_13_acks_must_be_0_1_or_minus_1)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(mock_produce(&f, "t", 0, 2, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_INVALID_REQUIRED_ACKS);
	CHECK_EQ(mock_produce(&f, "t", 0, -2, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_INVALID_REQUIRED_ACKS);
	CHECK_EQ(f.log_events, 0);
	mock_end(&f);
}

TEST(rule_13_acks_0_gets_no_answer_and_an_error_closes)
{
	struct fixture f;
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.name = str_of("t")};
	struct produce_request_topic_data_partition_data p = {.index = 0};

	start(&f);
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	p.records = mock_batch(&f, 1, NULL);
	CHECK_EQ(mock_send(&f, 1, API_PRODUCE, 9, &q)->result, CALL_NO_ANSWER);
	CHECK_EQ(f.log_events, 1);
	p.index = 7;
	CHECK_EQ(mock_send(&f, 1, API_PRODUCE, 9, &q)->result, CALL_CLOSE);
	p.index = 0;
	mock_fault(&f, API_PRODUCE, WHEN_AFTER, ERROR_REQUEST_TIMED_OUT, NULL, -1);
	CHECK_EQ(mock_send(&f, 1, API_PRODUCE, 9, &q)->result, CALL_CLOSE);
	CHECK_EQ(f.log_events, 2);
	mock_end(&f);
}

TEST(rule_13_a_large_batch_and_unknown_names_are_refused)
{
	struct fixture f;
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.topic_id = {{1}}};
	struct produce_request_topic_data_partition_data p = {.index = 0};
	const struct produce_response *r;

	start(&f);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 1100000))->error_code,
		 ERROR_MESSAGE_TOO_LARGE);
	CHECK_EQ(mock_produce(&f, "no", 0, 1, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(mock_produce(&f, "t", 2, 1, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	q.acks = 1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	p.records = mock_batch(&f, 1, NULL);
	r = mock_ask(&f, 1, API_PRODUCE, 13, &q);
	CHECK_EQ(r->responses[0].partition_responses[0].error_code, ERROR_UNKNOWN_TOPIC_ID);
	CHECK_EQ(f.log_events, 0);
	mock_end(&f);
}

static struct records joined(struct fixture *f, struct records a, struct records b)
{
	struct kept *k = malloc(sizeof(*k) + (size_t)(a.len + b.len));

	if (!k)
		abort();
	k->next = f->kept;
	f->kept = k;
	memcpy(k->data, a.data, (size_t)a.len);
	memcpy(k->data + a.len, b.data, (size_t)b.len);
	return (struct records){k->data, a.len + b.len, 0};
}

static uint8_t *bytes_of(struct records r)
{
	return (uint8_t *)(uintptr_t)r.data;
}

TEST(rule_14_exactly_one_good_batch_for_a_partition)
{
	struct fixture f;
	struct records r;
	struct batch_options o = BATCH_OPTIONS_INIT;

	start(&f);
	r = joined(&f, mock_batch(&f, 1, NULL), mock_batch(&f, 1, NULL));
	CHECK_EQ(mock_produce(&f, "t", 0, 1, r)->error_code, ERROR_INVALID_RECORD);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, (struct records){"", 0, 0})->error_code,
		 ERROR_INVALID_RECORD);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, (struct records){0})->error_code,
		 ERROR_INVALID_RECORD);
	o.base_offset = 5;
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, &o))->error_code,
		 ERROR_INVALID_RECORD);
	o = (struct batch_options)BATCH_OPTIONS_INIT;
	o.control = true;
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, &o))->error_code,
		 ERROR_INVALID_RECORD);
	r = mock_batch(&f, 2, NULL);
	bytes_of(r)[70] ^= 1;
	CHECK_EQ(mock_produce(&f, "t", 0, 1, r)->error_code, ERROR_CORRUPT_MESSAGE);
	r = mock_batch(&f, 2, NULL);
	bytes_of(r)[BATCH_AT_MAGIC] = 9;
	CHECK_EQ(mock_produce(&f, "t", 0, 1, r)->error_code, ERROR_CORRUPT_MESSAGE);
	r = mock_batch(&f, 2, NULL);
	put_i32(bytes_of(r) + BATCH_AT_COUNT, 3);
	batch_seal(bytes_of(r), (size_t)r.len);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, r)->error_code, ERROR_INVALID_RECORD);
	r = mock_batch(&f, 2, NULL);
	put_i16(bytes_of(r) + BATCH_AT_ATTRIBUTES, 7);
	batch_seal(bytes_of(r), (size_t)r.len);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, r)->error_code, ERROR_UNKNOWN_SERVER_ERROR);
	CHECK_EQ(f.log_events, 0);
	mock_end(&f);
}

TEST(rule_15_a_timestamp_too_far_ahead_is_refused_by_record)
{
	struct fixture f;
	struct records late;
	const struct produce_response_responses_partition_responses *p;

	start(&f);
	f.now = instant_add_us(f.now, MS(HOUR_MS + 1000));
	late = mock_batch(&f, 2, NULL);
	f.now = instant_add_us(f.now, -MS(HOUR_MS + 1000));
	p = mock_produce(&f, "t", 0, 1, late);
	CHECK_EQ(p->error_code, ERROR_INVALID_TIMESTAMP);
	CHECK_EQ(p->record_errors_count, 2);
	CHECK_EQ(p->record_errors[1].batch_index, 1);
	f.now = instant_add_us(f.now, MS(2000));
	p = mock_produce(&f, "t", 0, 1, late);
	CHECK_EQ(p->error_code, 0);
	CHECK_EQ(p->log_append_time_ms, -1);
	mock_end(&f);
}

static int16_t idempotent(struct fixture *f, int16_t epoch, int32_t sequence, int32_t count,
			  int64_t *ret_offset)
{
	struct batch_options o = mock_idempotent(77, epoch, sequence);
	const struct produce_response_responses_partition_responses *p =
		mock_produce(f, "t", 0, -1, mock_batch(f, count, &o));

	if (ret_offset)
		*ret_offset = p->base_offset;
	return p->error_code;
}

TEST(rule_16_repeat_of_a_recent_batch_gets_the_original_offset)
{
	struct fixture f;
	int64_t offset = -1;

	start(&f);
	for (int32_t i = 0; i < 7; i++)
		CHECK_EQ(idempotent(&f, 0, 3 * i, 3, NULL), 0);
	for (int32_t i = 2; i < 7; i++) {
		CHECK_EQ(idempotent(&f, 0, 3 * i, 3, &offset), 0);
		CHECK_EQ(offset, 3 * i);
	}
	CHECK_EQ(f.log_events, 7);
	CHECK_EQ(idempotent(&f, 0, 3, 3, NULL), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(idempotent(&f, 0, 22, 3, NULL), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(idempotent(&f, 0, 21, 3, &offset), 0);
	CHECK_EQ(offset, 21);
	mock_end(&f);
}

TEST(rule_16_epochs_fence_and_start_at_0)
{
	struct fixture f;
	struct batch_options o = mock_idempotent(5, 0, -1);

	start(&f);
	CHECK_EQ(idempotent(&f, 3, 40, 1, NULL), 0); /* nothing known of it: any number */
	CHECK_EQ(idempotent(&f, 4, 41, 1, NULL), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(idempotent(&f, 4, 0, 1, NULL), 0);
	CHECK_EQ(idempotent(&f, 3, 41, 1, NULL), ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, &o))->error_code,
		 ERROR_INVALID_RECORD);
	mock_end(&f);
}

TEST(rule_16_sequences_wrap_to_0)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(idempotent(&f, 0, INT32_MAX - 1, 2, NULL), 0);
	CHECK_EQ(idempotent(&f, 0, 0, 2, NULL), 0);
	CHECK_EQ(idempotent(&f, 0, INT32_MAX - 1, 2, NULL), 0); /* a repeat */
	CHECK_EQ(idempotent(&f, 0, INT32_MAX, 2, NULL), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(f.log_events, 2);
	mock_end(&f);
}

TEST(rule_17_a_broker_that_does_not_lead_says_who_does)
{
	struct fixture f;
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.name = str_of("u")};
	struct produce_request_topic_data_partition_data p = {.index = 0};
	const struct produce_response *r;

	mock_start(&f, 3);
	mock_topic(&f, "u", 1, 2);
	q.acks = -1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	p.records = mock_batch(&f, 1, NULL);
	r = mock_ask(&f, 3, API_PRODUCE, 10, &q);
	CHECK_EQ(r->responses[0].partition_responses[0].error_code, ERROR_NOT_LEADER_OR_FOLLOWER);
	CHECK_EQ(r->responses[0].partition_responses[0].current_leader.leader_id, 2);
	CHECK_EQ(r->node_endpoints_count, 1);
	CHECK_EQ(r->node_endpoints[0].node_id, 2);
	CHECK_STR(r->node_endpoints[0].host, "broker-2.test");
	r = mock_ask(&f, 3, API_PRODUCE, 9, &q); /* which has no room for that */
	CHECK_EQ(r->responses[0].partition_responses[0].error_code, ERROR_NOT_LEADER_OR_FOLLOWER);
	CHECK_EQ(r->responses[0].partition_responses[0].current_leader.leader_id, -1);
	p.records.len = 0; /* no batch: said before who leads */
	r = mock_ask(&f, 3, API_PRODUCE, 10, &q);
	CHECK_EQ(r->responses[0].partition_responses[0].error_code, ERROR_INVALID_RECORD);
	CHECK_EQ(r->responses[0].partition_responses[0].current_leader.leader_id, -1);
	p.records = mock_batch(&f, 1, NULL);
	r = mock_ask(&f, 2, API_PRODUCE, 10, &q);
	CHECK_EQ(r->responses[0].partition_responses[0].error_code, 0);
	mock_end(&f);
}

TEST(an_error_before_appends_nothing_and_one_after_appends)
{
	struct fixture f;
	const struct produce_response_responses_partition_responses *p;

	start(&f);
	mock_fault(&f, API_PRODUCE, WHEN_BEFORE, ERROR_NOT_ENOUGH_REPLICAS, "t", 0);
	p = mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, NULL));
	CHECK_EQ(p->error_code, ERROR_NOT_ENOUGH_REPLICAS);
	CHECK_EQ(p->base_offset, -1);
	CHECK_EQ(f.log_events, 0);
	p = mock_produce(&f, "t", 1, -1, mock_batch(&f, 1, NULL));
	CHECK_EQ(p->error_code, 0);
	mock_fault(&f, API_PRODUCE, WHEN_AFTER, ERROR_REQUEST_TIMED_OUT, NULL, -1);
	p = mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, NULL));
	CHECK_EQ(p->error_code, ERROR_REQUEST_TIMED_OUT);
	CHECK_EQ(f.log_events, 2);
	mock_end(&f);
}

TEST(a_full_memory_is_told_to_the_producer_and_nothing_is_lost)
{
	struct cluster_config config = {.brokers = 1, .seed = 1, .memory_max = 100000};
	struct fixture f;
	struct error e = ERROR_INIT;
	struct fetch_request_one one;
	const struct fetch_response *r;
	const struct produce_response_responses_partition_responses *p;
	int64_t sent = 0;

	mock_start(&f, 1);
	cluster_free(f.c);
	f.c = cluster_new(&config, f.now);
	cluster_create_topic(f.c, str_of("t"), 1, 1, -1, f.now, &e);
	for (;; sent++) {
		p = mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 10000));
		if (p->error_code)
			break;
	}
	CHECK_EQ(p->error_code, ERROR_KAFKA_STORAGE_ERROR);
	CHECK(p->error_message.data != NULL);
	CHECK(sent >= 8 && sent < 10);
	mock_fetch_one(&one, "t", 0, 0, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(mock_count(r->responses[0].partitions[0].records, NULL), sent);
	mock_end(&f);
}

TEST(a_client_s_frame_is_not_changed_by_the_log)
{
	struct fixture f;
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.name = str_of("t")};
	struct produce_request_topic_data_partition_data p = {.index = 0};
	struct exchange_run *x;
	int64_t first = 0;
	struct fetch_request_one one;
	const struct fetch_response *r;
	const struct produce_request *sent;

	start(&f);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 9, NULL));
	q.acks = 1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	p.records = mock_large_batch(&f, 5000);
	x = mock_send(&f, 1, API_PRODUCE, 9, &q);
	CHECK_EQ(x->call.frame->refs, 2); /* adopted, not copied */
	sent = x->call.request;
	CHECK_BYTES(sent->topic_data[0].partition_data[0].records.data, (size_t)p.records.len,
		    p.records.data, (size_t)p.records.len);
	mock_fetch_one(&one, "t", 0, 9, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(mock_count(r->responses[0].partitions[0].records, &first), 1);
	CHECK_EQ(first, 9);
	mock_end(&f);
}

/* A batch of one record by an idempotent producer: its error code. */
static int16_t produce_one(struct fixture *f, int64_t id, int16_t epoch, int32_t sequence)
{
	struct batch_options o = mock_idempotent(id, epoch, sequence);

	return mock_produce(f, "t", 0, -1, mock_batch(f, 1, &o))->error_code;
}

static void start_and_produce(struct fixture *f, int32_t batches)
{
	mock_start(f, 2);
	mock_topic(f, "t", 1, 1);
	for (int32_t i = 0; i < batches; i++)
		CHECK_EQ(produce_one(f, 7, 0, i), 0);
}

static void cut_at_three(struct fixture *f)
{
	CHECK_TEXT(mock_happen(f, "unclean-election topic=t partition=0 offset=3 to=2"), "");
	CHECK_TEXT(mock_happen(f, "leader-move topic=t partition=0 to=1"), "");
}

TEST(after_a_cut_a_producer_goes_on_behind_the_last_batch_that_is_left)
{
	struct fixture f;

	start_and_produce(&f, 10); /* more than are remembered one by one */
	cut_at_three(&f);
	CHECK_EQ(produce_one(&f, 7, 0, 10), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(produce_one(&f, 7, 0, 2), 0); /* a repeat */
	CHECK_EQ(produce_one(&f, 7, 0, 3), 0);
	CHECK_TEXT(mock_contents(&f, "t", 0), "0:=v0 1:=v0 2:=v0 3:=v0");
	mock_end(&f);
}

TEST(a_cut_undoes_an_epoch_that_began_behind_it)
{
	struct fixture f;

	start_and_produce(&f, 3);
	CHECK_EQ(produce_one(&f, 7, 1, 0), 0);
	CHECK_EQ(produce_one(&f, 7, 0, 3), ERROR_INVALID_PRODUCER_EPOCH);
	cut_at_three(&f);
	CHECK_EQ(produce_one(&f, 7, 0, 4), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(produce_one(&f, 7, 0, 3), 0);
	mock_end(&f);
}

TEST(a_producer_whose_records_were_deleted_outlives_a_cut)
{
	struct fixture f;

	start_and_produce(&f, 2);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL)); /* 2 */
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL)); /* 3, which is cut */
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=3"), "");
	cut_at_three(&f);
	CHECK_EQ(produce_one(&f, 7, 0, 9), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(produce_one(&f, 7, 0, 2), 0);
	mock_end(&f);
}

TEST(of_a_producer_whose_older_records_were_deleted_only_the_rest_is_cut)
{
	struct fixture f;

	start_and_produce(&f, 5);
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=3"), "");
	cut_at_three(&f);
	CHECK_EQ(produce_one(&f, 7, 0, 5), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(produce_one(&f, 7, 0, 3), 0);
	mock_end(&f);
}
