/* Segments, retention, compaction and DeleteRecords in virtual time: rules 10 and 18. */
#include "mock/happen.h"
#include "tests/mock_records.h"

#define SECOND MS(1000)
#define MINUTE (60 * SECOND)
#define DAY    (24 * 60 * MINUTE)

static void happen(struct fixture *f, const char *text)
{
	struct happening h;
	struct error e = ERROR_INIT;

	if (!happening_parse(str_of(text), &h, &e))
		cluster_happen(f->c, &h, f->now, &e);
	CHECK_TEXT(e.text, "");
}

TEST(rule_18_a_read_ends_with_its_segment)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "segment.bytes=1048576");
	for (int i = 0; i < 12; i++)
		CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 100000))->error_code, 0);
	mock_fetch_one(&one, "t", 0, 0, 10000);
	one.q.min_bytes = 50000000;
	one.partition.partition_max_bytes = 50000000;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q); /* at once: there will never be more in it */
	CHECK_EQ(mock_count(r->responses[0].partitions[0].records, NULL), 10);
	mock_end(&f);
}

TEST(retention_by_time_deletes_whole_segments)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "retention.ms=3600000 segment.ms=600000");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=1"));
	mock_advance(&f, 20 * MINUTE);
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "b=2"));
	mock_advance(&f, 20 * MINUTE);
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "c=3"));
	CHECK_TEXT(mock_contents(&f, "t", 0), "0:a=1 1:b=2 2:c=3");
	mock_advance(&f, 26 * MINUTE);
	CHECK_TEXT(mock_contents(&f, "t", 0), "1:b=2 2:c=3");
	mock_advance(&f, 60 * MINUTE);
	CHECK_TEXT(mock_contents(&f, "t", 0), "");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "d=4"));
	CHECK_TEXT(mock_contents(&f, "t", 0), "3:d=4");
	mock_end(&f);
}

TEST(retention_by_size_keeps_the_newest_segments)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "retention.bytes=2000000 segment.bytes=1048576");
	for (int i = 0; i < 45; i++)
		mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 100000));
	happen(&f, "retention-run topic=t");
	mock_fetch_one(&one, "t", 0, 0, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].error_code, ERROR_OFFSET_OUT_OF_RANGE);
	one.partition.fetch_offset = 20;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].error_code, 0);
	CHECK_EQ(r->responses[0].partitions[0].log_start_offset, 20);
	mock_end(&f);
}

static const struct delete_records_response_topics_partitions *
delete_to(struct fixture *f, const char *topic, int32_t partition, int64_t offset)
{
	struct delete_records_request q = DEFAULTS_delete_records_request;
	struct delete_records_request_topics t = {.name = str_of(topic)};
	struct delete_records_request_topics_partitions p = {partition, offset, NULL};
	const struct delete_records_response *r;

	q.topics = &t;
	q.topics_count = 1;
	t.partitions = &p;
	t.partitions_count = 1;
	r = mock_ask(f, 1, API_DELETE_RECORDS, 1, &q);
	return &r->topics[0].partitions[0];
}

TEST(rule_10_delete_records_moves_the_start)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	mock_topic_with(&f, "c", "cleanup.policy=compact");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=1 b=2 c=3"));
	CHECK_EQ(delete_to(&f, "t", 0, 4)->error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(delete_to(&f, "t", 0, -2)->error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(delete_to(&f, "t", 9, 1)->error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(delete_to(&f, "c", 0, 0)->error_code, ERROR_POLICY_VIOLATION);
	CHECK_EQ(delete_to(&f, "t", 0, 1)->low_watermark, 1);
	CHECK_EQ(delete_to(&f, "t", 0, 0)->low_watermark, 1);
	mock_fetch_one(&one, "t", 0, 0, 1000);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(delete_to(&f, "t", 0, -1)->low_watermark, 3);
	CHECK_TEXT(mock_contents(&f, "t", 0), "");
	mock_end(&f);
}

TEST(compaction_keeps_the_last_record_of_each_key_and_its_offset)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "cleanup.policy=compact");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=1 b=1 c=1"));
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=2"));
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "b=2 b=3"));
	happen(&f, "compaction-run topic=t");
	CHECK_TEXT(mock_contents(&f, "t", 0), "2:c=1 3:a=2 5:b=3");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=9"));
	CHECK_TEXT(mock_contents(&f, "t", 0), "2:c=1 3:a=2 5:b=3 6:a=9");
	happen(&f, "compaction-run");
	CHECK_TEXT(mock_contents(&f, "t", 0), "2:c=1 5:b=3 6:a=9");
	mock_end(&f);
}

TEST(a_tombstone_goes_when_its_time_is_over)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "cleanup.policy=compact delete.retention.ms=60000");
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=1 b=1"));
	mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a"));
	happen(&f, "compaction-run topic=t");
	CHECK_TEXT(mock_contents(&f, "t", 0), "1:b=1 2:a");
	mock_advance(&f, 2 * MINUTE);
	happen(&f, "compaction-run topic=t");
	CHECK_TEXT(mock_contents(&f, "t", 0), "1:b=1");
	mock_end(&f);
}

TEST(the_cleaner_comes_by_itself_to_closed_segments)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic_with(&f, "t", "cleanup.policy=compact segment.ms=1000");
	for (int i = 0; i < 3; i++) {
		mock_produce(&f, "t", 0, 1, mock_keyed(&f, "a=1 a=2"));
		mock_advance(&f, 2 * SECOND);
	}
	mock_advance(&f, MINUTE);
	CHECK_TEXT(mock_contents(&f, "t", 0), "3:a=2 4:a=1 5:a=2");
	mock_end(&f);
}

TEST(memory_of_deleted_records_is_free_again)
{
	struct cluster_config config = {.brokers = 1, .seed = 1, .memory_max = 3000000};
	struct fixture f;
	int64_t sent = 0;

	mock_start(&f, 1);
	cluster_free(f.c);
	f.c = cluster_new(&config, f.now);
	mock_topic_with(&f, "t", "");
	while (!mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 500000))->error_code)
		sent++;
	CHECK_EQ(sent, 5);
	CHECK_EQ(delete_to(&f, "t", 0, -1)->error_code, 0);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 500000))->error_code, 0);
	mock_end(&f);
}
