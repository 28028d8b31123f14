/* What a cluster forgets with time, in virtual time: offsets (rule 26), producers and transactional
 * ids (rule 31 of the acceptance text). */
#include "tests/mock_records.h"

#define HOURS(n) MS((int64_t)(n)*3600000)

static int16_t commit(struct fixture *f, int version, int64_t retention_ms)
{
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	p.committed_offset = 7;
	p.committed_metadata = str_of("");
	q.group_id = str_of("g");
	q.retention_time_ms = retention_ms;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_COMMIT, version, &q);
	return r->topics[0].partitions[0].error_code;
}

static int64_t committed(struct fixture *f)
{
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	int32_t partition = 0;
	struct offset_fetch_request_topics t = {
		.name = {"t", 1}, .partition_indexes = &partition, .partition_indexes_count = 1};
	const struct offset_fetch_response *r;

	q.group_id = str_of("g");
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_FETCH, 5, &q);
	return r->topics[0].partitions[0].committed_offset;
}

static int32_t groups(struct fixture *f)
{
	struct list_groups_request q = DEFAULTS_list_groups_request;

	return ((const struct list_groups_response *)mock_ask(f, 1, API_LIST_GROUPS, 5, &q))
		->groups_count;
}

static void start(struct fixture *f)
{
	mock_start(f, 1);
	mock_topic(f, "t", 1, -1);
}

TEST(rule_26_offsets_that_nobody_commits_again_are_forgotten_with_their_group)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(commit(&f, 8, -1), 0);
	mock_advance(&f, HOURS(6 * 24));
	CHECK_EQ(commit(&f, 8, -1), 0); /* its week begins again */
	mock_advance(&f, HOURS(6 * 24));
	CHECK_EQ(committed(&f), 7);
	CHECK_EQ(groups(&f), 1);
	mock_advance(&f, HOURS(25));
	CHECK_EQ(committed(&f), -1);
	CHECK_EQ(groups(&f), 0);
	mock_end(&f);
}

TEST(rule_26_an_old_client_says_how_long_its_offset_is_kept)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(commit(&f, 4, 3600000), 0);
	mock_advance(&f, MS(3500000));
	CHECK_EQ(committed(&f), 7);
	mock_advance(&f, MS(700000)); /* with the next look, every ten minutes */
	CHECK_EQ(committed(&f), -1);
	mock_end(&f);
}

static struct str join(struct fixture *f, const char *subscription, int32_t size)
{
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols p = {.name = {"range", 5},
						 .metadata = {(const uint8_t *)subscription, size}};
	struct sync_group_request s = DEFAULTS_sync_group_request;
	const struct join_group_response *r;

	q.group_id = s.group_id = str_of("g");
	q.session_timeout_ms = q.rebalance_timeout_ms = 1800000;
	q.protocol_type = str_of("consumer");
	q.protocols = &p;
	q.protocols_count = 1;
	r = mock_ask(f, 1, API_JOIN_GROUP, 3, &q);
	s.member_id = r->member_id;
	s.generation_id = r->generation_id;
	CHECK_EQ(((const struct sync_group_response *)mock_ask(f, 1, API_SYNC_GROUP, 3, &s))
			 ->error_code,
		 0);
	return r->member_id;
}

/* Keeps the member alive that long. */
static void stay(struct fixture *f, struct str member, int32_t hours)
{
	struct heartbeat_request q = DEFAULTS_heartbeat_request;

	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id = 1;
	for (int32_t i = 0; i < 3 * hours; i++) {
		CHECK_EQ(((const struct heartbeat_response *)mock_ask(f, 1, API_HEARTBEAT, 3, &q))
				 ->error_code,
			 0);
		mock_advance(f, MS(1200000));
	}
}

TEST(rule_26_offsets_of_a_subscribed_topic_stay_and_the_time_runs_from_the_last_members_end)
{
	struct fixture f;
	struct str member;

	start(&f);
	CHECK_EQ(commit(&f, 8, -1), 0);
	member = join(&f, "\0\0\0\0\0\1\0\1t\377\377\377\377", 13);
	stay(&f, member, 8 * 24);
	CHECK_EQ(committed(&f), 7);
	mock_advance(&f, HOURS(6 * 24)); /* the member is gone after its session */
	CHECK_EQ(committed(&f), 7);
	mock_advance(&f, HOURS(26));
	CHECK_EQ(committed(&f), -1);
	mock_end(&f);
}

TEST(rule_26_offsets_of_a_topic_that_no_member_is_subscribed_to_go)
{
	struct fixture f;
	struct str member;

	start(&f);
	CHECK_EQ(commit(&f, 8, -1), 0);
	member = join(&f, "\0\0\0\0\0\1\0\1u\377\377\377\377", 13);
	stay(&f, member, 7 * 24 + 1);
	CHECK_EQ(committed(&f), -1);
	CHECK_EQ(groups(&f), 1);
	mock_end(&f);
}

TEST(rule_31_a_producer_that_is_silent_for_a_day_is_unknown_again)
{
	struct fixture f;
	struct batch_options o = mock_idempotent(5, 0, 0);

	start(&f);
	CHECK_EQ(mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, &o))->error_code, 0);
	mock_advance(&f, HOURS(23));
	o = mock_idempotent(5, 0, 7);
	CHECK_EQ(mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, &o))->error_code,
		 ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	mock_advance(&f, HOURS(2));
	CHECK_EQ(mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, &o))->error_code, 0);
	mock_end(&f);
}

static int16_t init(struct fixture *f, int64_t *ret_id)
{
	struct init_producer_id_request q = DEFAULTS_init_producer_id_request;
	const struct init_producer_id_response *r;

	q.transactional_id = str_of("x");
	q.transaction_timeout_ms = 60000;
	r = mock_ask(f, 1, API_INIT_PRODUCER_ID, 4, &q);
	*ret_id = r->producer_id;
	return r->producer_epoch;
}

TEST(rule_31_a_transactional_id_that_is_not_used_for_a_week_is_unknown_again)
{
	struct fixture f;
	struct end_txn_request q = DEFAULTS_end_txn_request;
	int64_t id, again;

	start(&f);
	CHECK_EQ(init(&f, &id), 0);
	mock_advance(&f, HOURS(6 * 24));
	CHECK_EQ(init(&f, &again), 1);
	CHECK_EQ(again, id);
	mock_advance(&f, HOURS(7 * 24 + 2));
	q.transactional_id = str_of("x");
	q.producer_id = id;
	q.producer_epoch = 1;
	CHECK_EQ(((const struct end_txn_response *)mock_ask(&f, 1, API_END_TXN, 4, &q))->error_code,
		 ERROR_INVALID_PRODUCER_ID_MAPPING);
	CHECK_EQ(init(&f, &again), 0);
	CHECK(again != id);
	mock_end(&f);
}
