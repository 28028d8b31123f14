/* Fetch and its sessions in virtual time: rules 18 to 20 of the acceptance text. */
#include "tests/mock_records.h"

static void start(struct fixture *f)
{
	mock_start(f, 1);
	mock_topic(f, "t", 2, -1);
}

static const struct fetch_response_responses_partitions *only(const struct fetch_response *r)
{
	static const struct fetch_response_responses_partitions none = {.error_code = INT16_MIN};

	CHECK_EQ(r->responses_count, 1);
	return r->responses_count ? &r->responses[0].partitions[0] : &none;
}

TEST(rule_18_one_byte_still_gets_one_whole_batch)
{
	struct fixture f;
	struct fetch_request_one one;
	int64_t first = -1;
	const struct fetch_response *r;

	start(&f);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	mock_fetch_one(&one, "t", 0, 1, 0);
	one.q.max_bytes = one.partition.partition_max_bytes = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(mock_count(only(r)->records, &first), 3);
	CHECK_EQ(first, 0);
	mock_end(&f);
}

TEST(rule_18_an_offset_outside_the_log_is_out_of_range)
{
	struct fixture f;
	struct fetch_request_one one;
	const int64_t offsets[] = {-5, 4, INT64_MAX};

	start(&f);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	for (size_t i = 0; i < 3; i++) {
		const struct fetch_response_responses_partitions *p;

		mock_fetch_one(&one, "t", 0, offsets[i], 1000);
		p = only(mock_ask(&f, 1, API_FETCH, 12, &one.q));
		CHECK_EQ(p->error_code, ERROR_OFFSET_OUT_OF_RANGE);
		CHECK_EQ(p->high_watermark, -1);
		CHECK_EQ(p->last_stable_offset, -1);
	}
	mock_fetch_one(&one, "t", 0, 0, 1000);
	one.partition.current_leader_epoch = 9;
	CHECK_EQ(only(mock_ask(&f, 1, API_FETCH, 12, &one.q))->error_code,
		 ERROR_UNKNOWN_LEADER_EPOCH);
	mock_end(&f);
}

TEST(rule_19_fetch_waits_until_min_bytes)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;
	int64_t sent;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 500);
	one.q.min_bytes = 100;
	sent = f.now.mono_us;
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(x->result, CALL_WAIT);
	mock_advance(&f, MS(100));
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL)); /* 71 bytes */
	CHECK_EQ(x->result, CALL_WAIT);
	mock_produce(&f, "t", 1, 1, mock_batch(&f, 9, NULL)); /* another partition */
	CHECK_EQ(x->result, CALL_WAIT);
	mock_advance(&f, MS(100));
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL));
	CHECK_EQ(x->result, CALL_ANSWER);
	CHECK_EQ(x->answered_us - sent, MS(200));
	CHECK_EQ(mock_count(only(x->response)->records, NULL), 2);
	mock_end(&f);
}

TEST(rule_19_fetch_is_answered_when_its_time_is_up)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;
	int64_t sent;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 500);
	sent = f.now.mono_us;
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	mock_advance(&f, MS(499));
	CHECK_EQ(x->result, CALL_WAIT);
	mock_advance(&f, MS(2));
	CHECK_EQ(x->result, CALL_ANSWER);
	CHECK_EQ(x->answered_us - sent, MS(500));
	CHECK_EQ(only(x->response)->error_code, 0);
	CHECK_EQ(only(x->response)->records.len, 0);
	mock_end(&f);
}

TEST(a_fetch_whose_connection_is_gone_is_forgotten)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 500);
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	mock_hang_up(&f, x);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL));
	mock_advance(&f, MS(1000));
	CHECK_EQ(x->result, CALL_CLOSE);
	CHECK(cluster_tick(f.c, f.now) > f.now.mono_us + MS(60000)); /* only the cleaner */
	mock_end(&f);
}

TEST(an_error_of_a_rule_ends_the_wait_for_its_partition_only)
{
	struct fixture f;
	struct fetch_request_one one;
	struct fetch_request_topics_partitions both[2];
	const struct fetch_response *r;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 500);
	both[0] = both[1] = one.partition;
	both[1].partition = 1;
	one.topic.partitions = both;
	one.topic.partitions_count = 2;
	mock_fault(&f, API_FETCH, WHEN_BEFORE, ERROR_NOT_LEADER_OR_FOLLOWER, "t", 1);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].error_code, 0);
	CHECK_EQ(r->responses[0].partitions[1].error_code, ERROR_NOT_LEADER_OR_FOLLOWER);
	mock_fault(&f, API_FETCH, WHEN_AFTER, ERROR_FETCH_SESSION_ID_NOT_FOUND, NULL, -1);
	one.q.max_wait_ms = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_FETCH_SESSION_ID_NOT_FOUND);
	CHECK_EQ(r->responses_count, 0);
	mock_end(&f);
}

TEST(rule_20_a_session_answers_only_what_changed)
{
	struct fixture f;
	struct fetch_request_one one;
	struct fetch_request_topics_partitions both[2];
	const struct fetch_response *r;
	int32_t id;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	both[0] = both[1] = one.partition;
	both[1].partition = 1;
	one.topic.partitions = both;
	one.topic.partitions_count = 2;
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	id = r->session_id;
	CHECK(id > 0);
	CHECK_EQ(r->responses[0].partitions_count, 2);
	mock_produce(&f, "t", 1, 1, mock_batch(&f, 2, NULL));
	one.q.topics_count = 0;
	one.q.session_id = id;
	one.q.session_epoch = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->session_id, id);
	CHECK_EQ(only(r)->partition_index, 1);
	CHECK_EQ(mock_count(only(r)->records, NULL), 2);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_INVALID_FETCH_SESSION_EPOCH);
	CHECK_EQ(r->session_id, 0);
	one.q.session_epoch = 2;
	one.q.topics_count = 1;
	one.topic.partitions_count = 1;
	both[0].partition = 1;
	both[0].fetch_offset = 2;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->responses_count, 0);
	mock_end(&f);
}

TEST(a_session_ends_with_its_broker)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	one.q.session_id = r->session_id;
	one.q.session_epoch = 1;
	one.q.topics_count = 0;
	CHECK_TEXT(mock_happen(&f, "broker-restart broker=1"), "");
	mock_happen(&f, "broker-up broker=1");
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_FETCH_SESSION_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(rule_20_forgetting_the_last_partition_drops_the_session)
{
	struct fixture f;
	struct fetch_request_one one;
	struct fetch_request_forgotten_topics_data gone = {.topic = str_of("t")};
	int32_t zero = 0, id;
	const struct fetch_response *r;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	id = r->session_id;
	gone.partitions = &zero;
	gone.partitions_count = 1;
	one.q.forgotten_topics_data = &gone;
	one.q.forgotten_topics_data_count = 1;
	one.q.topics_count = 0;
	one.q.session_id = id;
	one.q.session_epoch = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->session_id, 0);
	one.q.session_epoch = 2;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_FETCH_SESSION_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(rule_20_minus_1_closes_the_session_and_fetches_in_full)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	one.q.session_id = r->session_id;
	one.q.session_epoch = -1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->session_id, 0);
	CHECK_EQ(r->responses_count, 1);
	one.q.session_epoch = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_FETCH_SESSION_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(a_rule_meets_the_partitions_of_a_session_by_name)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	one.q.session_id = r->session_id;
	one.q.session_epoch = 1;
	one.q.topics_count = 0;
	mock_fault(&f, API_FETCH, WHEN_AFTER, ERROR_KAFKA_STORAGE_ERROR, "t", 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(only(r)->error_code, ERROR_KAFKA_STORAGE_ERROR);
	mock_end(&f);
}
