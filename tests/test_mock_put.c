/* Logs made from outside: what no producer could have written stands there as it was put. */
#include "mock/put.h"
#include "protocol/batch_builder.h"
#include "tests/mock_records.h"

#include <stdio.h>

static struct error error;

static int put(struct fixture *f, struct records records, int64_t gap)
{
	error = (struct error)ERROR_INIT;
	return cluster_put_batch(f->c, str_of("t"), 0, (struct bytes){records.data, records.len},
				 gap, f->now, &error);
}

TEST(a_batch_that_is_put_may_leave_a_gap_and_cover_more_than_its_records)
{
	struct batch_options tail = BATCH_OPTIONS_INIT;
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	tail.last_offset_delta = 5;
	CHECK_EQ(put(&f, mock_batch(&f, 2, NULL), 3), 0);
	CHECK_EQ(put(&f, mock_batch(&f, 1, &tail), 0), 0);
	CHECK_EQ(put(&f, mock_batch(&f, 0, &tail), 0), 0);
	CHECK_EQ(put(&f, mock_batch(&f, 1, NULL), 0), 0);
	CHECK_TEXT(mock_contents(&f, "t", 0), "3:=v0 4:=v1 5:=v0 17:=v0");
	mock_end(&f);
}

TEST(a_transaction_that_is_put_and_aborted_is_told_as_one)
{
	struct batch_options o = mock_idempotent(77, 0, 0);
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	o.transactional = true;
	CHECK_EQ(put(&f, mock_batch(&f, 2, &o), 0), 0);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.isolation_level = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].last_stable_offset, 0);
	CHECK_EQ(cluster_put_marker(f.c, str_of("t"), 0, 77, 0, false, f.now, &error), 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].last_stable_offset, 3);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions_count, 1);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions[0].producer_id, 77);
	mock_end(&f);
}

TEST(the_last_stable_offset_is_never_before_the_log_s_start)
{
	struct batch_options o = mock_idempotent(77, 0, 0);
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	o.transactional = true;
	CHECK_EQ(put(&f, mock_batch(&f, 2, &o), 0), 0);
	CHECK_EQ(put(&f, mock_batch(&f, 4, NULL), 0), 0);
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=2"), "");
	mock_fetch_one(&one, "t", 0, 2, 0);
	one.q.isolation_level = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].error_code, 0);
	CHECK_EQ(r->responses[0].partitions[0].last_stable_offset, 2);
	mock_end(&f);
}

TEST(a_marker_that_is_put_as_bytes_ends_its_transaction)
{
	struct batch_options o = mock_idempotent(77, 0, 0);
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct fixture f;
	struct buf marker;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	o.transactional = true;
	CHECK_EQ(put(&f, mock_batch(&f, 2, &o), 0), 0);
	buf_init(&marker, 1000);
	CHECK_EQ(batch_write_marker(&marker, 0, 1, 0, 77, 0, false, 0, NULL), 0);
	CHECK_EQ(put(&f, (struct records){.data = marker.data, .len = (int32_t)marker.len}, 0), 0);
	buf_release(&marker);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.isolation_level = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].last_stable_offset, 3);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions_count, 1);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions[0].first_offset, 0);
	mock_end(&f);
}

/* Messages as old logs have them, each as many as there are: alone, or compressed in one. */
static void put_old(struct fixture *f, int8_t magic, uint8_t codec, int32_t count,
		    int64_t base_offset)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	o.magic = magic;
	o.codec = codec;
	o.base_offset = base_offset; /* which magic 0 has inside */
	CHECK_EQ(put(f, mock_batch(f, count, &o), 0), 0);
}

/* What a Fetch of that version gives from an offset on, as "OFFSET(MAGIC) ...". */
static const char *given(struct fixture *f, int version, int64_t offset)
{
	static char text[400];
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct records_reader reader;
	struct record_iter it;
	struct record record;
	struct batch b;
	struct records found;
	struct buf plain;
	size_t at = 0;

	mock_fetch_one(&one, "t", 0, offset, 0);
	r = mock_ask(f, 1, API_FETCH, version, &one.q);
	found = r->responses[0].partitions[0].records;
	buf_init(&plain, 1 << 20);
	records_reader_init(&reader, found.data, (size_t)found.len);
	text[0] = '\0';
	while (records_next(&reader, &b, NULL) > 0) {
		CHECK(batch_crc_ok(&b));
		CHECK_EQ(record_iter_init(&it, &b, &plain, NULL), 0);
		while (record_next(&it, &record, NULL) > 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld(%d)",
					       at ? " " : "", (long long)record.offset, b.magic);
	}
	buf_release(&plain);
	return text;
}

TEST(messages_of_before_record_batches_stand_at_their_offsets)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	put_old(&f, 0, CODEC_NONE, 1, 0);
	put_old(&f, 0, CODEC_GZIP, 2, 1);
	put_old(&f, 1, CODEC_NONE, 1, 0);
	put_old(&f, 1, CODEC_GZIP, 3, 0);
	CHECK_EQ(put(&f, mock_batch(&f, 2, NULL), 0), 0);
	CHECK_TEXT(given(&f, 12, 0), "0(0) 1(0) 2(0) 3(1) 4(1) 5(1) 6(1) 7(2) 8(2)");
	CHECK_TEXT(given(&f, 12, 5), "4(1) 5(1) 6(1) 7(2) 8(2)");
	CHECK_TEXT(given(&f, 3, 2), "1(0) 2(0) 3(1) 4(1) 5(1) 6(1) 7(1) 8(1)");
	CHECK_TEXT(given(&f, 1, 3), "3(0) 4(0) 5(0) 6(0) 7(0) 8(0)");
	mock_end(&f);
}

TEST(an_offset_that_is_put_is_what_its_group_has_committed)
{
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	int32_t partition = 0;
	struct offset_fetch_request_topics t = {
		.name = str_of("t"), .partition_indexes = &partition, .partition_indexes_count = 1};
	const struct offset_fetch_response *r;
	struct fixture f;

	mock_start(&f, 1);
	error = (struct error)ERROR_INIT;
	CHECK_EQ(cluster_put_offset(f.c, str_of("g"), str_of("t"), 0, 7, f.now, &error), ERR_USAGE);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(cluster_put_offset(f.c, str_of("g"), str_of("t"), 0, 7, f.now, &error), 0);
	q.group_id = str_of("g");
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(&f, 1, API_OFFSET_FETCH, 1, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, 0);
	CHECK_EQ(r->topics[0].partitions[0].committed_offset, 7);
	mock_end(&f);
}

TEST(what_is_no_batch_or_has_no_place_is_refused)
{
	struct fixture f;

	mock_start(&f, 1);
	CHECK_EQ(put(&f, mock_batch(&f, 1, NULL), 0), ERR_USAGE);
	CHECK_TEXT(error.text, "there is no topic 't'");
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(put(&f, (struct records){.data = "abc", .len = 3}, 0), ERR_MALFORMED);
	CHECK_EQ(cluster_put_marker(f.c, str_of("t"), 1, 77, 0, true, f.now, &error), ERR_USAGE);
	mock_end(&f);
}

TEST(fewer_versions_are_advertised_where_limits_say_so)
{
	static const struct version_limit limits[] = {
		{API_PRODUCE, 0, 3}, {API_DESCRIBE_CONFIGS, 0, -1}, {API_FETCH, 12, 99}};
	struct cluster_config config = {.brokers = 1, .limits = limits, .limits_count = 3};
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r;
	struct fixture f;
	int16_t produce = -1, fetch_min = -1;
	bool configs = false;

	mock_start(&f, 1);
	cluster_free(f.c);
	f.c = cluster_new(&config, f.now);
	r = mock_ask(&f, 1, API_API_VERSIONS, 0, &q);
	for (int32_t i = 0; i < r->api_keys_count; i++) {
		const struct api_versions_response_api_keys *k = &r->api_keys[i];

		produce = k->api_key == API_PRODUCE ? k->max_version : produce;
		fetch_min = k->api_key == API_FETCH ? k->min_version : fetch_min;
		configs |= k->api_key == API_DESCRIBE_CONFIGS;
	}
	CHECK_EQ(produce, 3);
	CHECK_EQ(fetch_min, 12);
	CHECK(!configs);
	mock_end(&f);
}
