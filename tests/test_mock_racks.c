/* Racks: where replicas are placed, and consumers that read from the replica in their own
 * (KIP-392). */
#include "tests/mock_records.h"

#include <stdio.h>

static void start(struct fixture *f, int32_t brokers, const char *racks)
{
	struct cluster_config config = {.broker = {.rack_selector = true}};

	snprintf(config.broker.racks, sizeof(config.broker.racks), "%s", racks);
	mock_start_with(f, brokers, config);
}

/* What broker answers of partition 0 to a reader in a rack. */
static const struct fetch_response_responses_partitions *
read_from(struct fixture *f, int32_t broker, const char *rack, int64_t offset, int version)
{
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_fetch_one(&one, "t", 0, offset, 0);
	one.q.rack_id = version >= 11 ? str_of(rack) : str_of("");
	r = mock_ask(f, broker, API_FETCH, version, &one.q);
	CHECK_EQ(r->responses_count, 1);
	return &r->responses[0].partitions[0];
}

TEST(a_leader_sends_a_consumer_to_the_replica_in_its_rack)
{
	struct fixture f;
	const struct fetch_response_responses_partitions *p;

	start(&f, 3, "a,b,c");
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, -1, mock_batch(&f, 3, NULL));
	p = read_from(&f, 1, "b", 0, 12);
	CHECK_EQ(p->error_code, 0);
	CHECK_EQ(p->preferred_read_replica, 2);
	CHECK_EQ(p->records.len, 0);
	CHECK_EQ(p->high_watermark, 3);
	CHECK_EQ(mock_count(read_from(&f, 2, "b", 0, 12)->records, NULL), 3);
	CHECK_EQ(read_from(&f, 2, "b", 0, 12)->preferred_read_replica, -1);
	mock_end(&f);
}

TEST(a_leader_serves_who_is_in_its_rack_in_none_or_in_an_unknown_one)
{
	static const char *const racks[] = {"a", "", "z"};
	struct fixture f;

	start(&f, 3, "a,b,c");
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, -1, mock_batch(&f, 3, NULL));
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(read_from(&f, 1, racks[i], 0, 12)->preferred_read_replica, -1);
		CHECK_EQ(mock_count(read_from(&f, 1, racks[i], 0, 12)->records, NULL), 3);
	}
	CHECK_EQ(mock_count(read_from(&f, 1, "b", 0, 10)->records, NULL), 3); /* no rack in v10 */
	mock_end(&f);
}

TEST(a_replica_that_is_down_or_an_offset_that_it_lacks_brings_readers_back_to_the_leader)
{
	struct fixture f;

	start(&f, 3, "a,b,c");
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, -1, mock_batch(&f, 3, NULL));
	CHECK_EQ(read_from(&f, 1, "b", 99, 12)->error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(read_from(&f, 2, "b", 99, 12)->error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_TEXT(mock_happen(&f, "broker-down broker=2"), "");
	CHECK_EQ(read_from(&f, 1, "b", 0, 12)->preferred_read_replica, -1);
	CHECK_EQ(mock_count(read_from(&f, 1, "b", 0, 12)->records, NULL), 3);
	CHECK_TEXT(mock_happen(&f, "broker-up broker=2"), "");
	CHECK_EQ(read_from(&f, 1, "b", 0, 12)->preferred_read_replica, 2);
	mock_end(&f);
}

TEST(a_waiting_fetch_is_sent_elsewhere_at_once)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;

	start(&f, 3, "a,b,c");
	mock_topic(&f, "t", 1, 1);
	mock_fetch_one(&one, "t", 0, 0, 5000);
	one.q.rack_id = str_of("c");
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(x->result, CALL_ANSWER);
	mock_end(&f);
}

TEST(replicas_are_spread_over_racks)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	const struct metadata_response *r;

	start(&f, 6, "a,a,a,b,b,b");
	mock_topic(&f, "t", 6, -1);
	q.topics_count = -1;
	r = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK_STR(r->brokers[0].rack, "a");
	CHECK_STR(r->brokers[3].rack, "b");
	for (int32_t i = 0; i < 6; i++) {
		const int32_t *nodes = r->topics[0].partitions[i].replica_nodes;

		CHECK((nodes[0] <= 3) != (nodes[1] <= 3));
		CHECK((nodes[1] <= 3) != (nodes[2] <= 3));
	}
	mock_end(&f);
}
