/* What administrators see in virtual time: rules 12 and 27 of the acceptance text. */
#include "tests/mock_fixture.h"

static struct str group_name = {"g", 1};

static void join_one(struct fixture *f)
{
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols p = {
		.name = {"range", 5},
		/* subscription version 0: topics ["t"], no user data */
		.metadata = {(const uint8_t *)"\0\0\0\0\0\1\0\1t\377\377\377\377", 13}};

	q.group_id = group_name;
	q.session_timeout_ms = 10000;
	q.rebalance_timeout_ms = 3000;
	q.protocol_type = str_of("consumer");
	q.protocols = &p;
	q.protocols_count = 1;
	CHECK_EQ(((const struct join_group_response *)mock_ask(f, 1, API_JOIN_GROUP, 3, &q))
			 ->error_code,
		 0);
}

static int16_t delete_group(struct fixture *f)
{
	struct delete_groups_request q = DEFAULTS_delete_groups_request;
	const struct delete_groups_response *r;

	q.groups_names = &group_name;
	q.groups_names_count = 1;
	r = mock_ask(f, 1, API_DELETE_GROUPS, 2, &q);
	return r->results[0].error_code;
}

TEST(rule_27_a_group_is_deleted_only_when_it_is_there_and_empty)
{
	struct fixture f;

	mock_start(&f, 1);
	CHECK_EQ(delete_group(&f), ERROR_GROUP_ID_NOT_FOUND);
	join_one(&f);
	CHECK_EQ(delete_group(&f), ERROR_NON_EMPTY_GROUP);
	mock_advance(&f, MS(310000));
	CHECK_EQ(delete_group(&f), 0);
	CHECK_EQ(delete_group(&f), ERROR_GROUP_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(rule_27_offsets_of_a_topic_that_is_subscribed_stay)
{
	struct fixture f;
	struct offset_delete_request q = DEFAULTS_offset_delete_request;
	struct offset_delete_request_topics_partitions p = {0};
	struct offset_delete_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_delete_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	q.group_id = group_name;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(&f, 1, API_OFFSET_DELETE, 0, &q);
	CHECK_EQ(r->error_code, ERROR_GROUP_ID_NOT_FOUND);
	join_one(&f);
	r = mock_ask(&f, 1, API_OFFSET_DELETE, 0, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, ERROR_GROUP_SUBSCRIBED_TO_TOPIC);
	mock_advance(&f, MS(310000));
	r = mock_ask(&f, 1, API_OFFSET_DELETE, 0, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, 0);
	mock_end(&f);
}

TEST(rule_27_describing_an_unknown_group_says_dead)
{
	struct fixture f;
	struct describe_groups_request q = DEFAULTS_describe_groups_request;
	const struct describe_groups_response *r;

	mock_start(&f, 1);
	q.groups = &group_name;
	q.groups_count = 1;
	r = mock_ask(&f, 1, API_DESCRIBE_GROUPS, 5, &q);
	CHECK_EQ(r->groups[0].error_code, 0);
	CHECK_STR(r->groups[0].group_state, "Dead");
	r = mock_ask(&f, 1, API_DESCRIBE_GROUPS, 6, &q);
	CHECK_EQ(r->groups[0].error_code, ERROR_GROUP_ID_NOT_FOUND);
	join_one(&f);
	r = mock_ask(&f, 1, API_DESCRIBE_GROUPS, 6, &q);
	CHECK_STR(r->groups[0].group_state, "CompletingRebalance");
	CHECK_EQ(r->groups[0].members_count, 1);
	mock_end(&f);
}

TEST(groups_are_listed_by_state_and_type)
{
	struct fixture f;
	struct list_groups_request q = DEFAULTS_list_groups_request;
	struct str state = {"stable", 6}, type = {"classic", 7};
	const struct list_groups_response *r;

	mock_start(&f, 1);
	join_one(&f);
	r = mock_ask(&f, 1, API_LIST_GROUPS, 5, &q);
	CHECK_EQ(r->groups_count, 1);
	CHECK_STR(r->groups[0].group_type, "classic");
	q.states_filter = &state;
	q.states_filter_count = 1;
	CHECK_EQ(((const struct list_groups_response *)mock_ask(&f, 1, API_LIST_GROUPS, 5, &q))
			 ->groups_count,
		 0);
	q.states_filter_count = 0;
	q.types_filter = &type;
	q.types_filter_count = 1;
	CHECK_EQ(((const struct list_groups_response *)mock_ask(&f, 1, API_LIST_GROUPS, 5, &q))
			 ->groups_count,
		 1);
	mock_end(&f);
}

TEST(rule_12_partitions_are_described_up_to_the_limit_and_a_cursor_goes_on)
{
	struct fixture f;
	struct describe_topic_partitions_request q = DEFAULTS_describe_topic_partitions_request;
	struct describe_topic_partitions_request_cursor at = {.partition_index = 3};
	const struct describe_topic_partitions_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "a", 5, -1);
	mock_topic(&f, "b", 2, -1);
	q.response_partition_limit = 3;
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &q);
	CHECK_EQ(r->topics_count, 1);
	CHECK_EQ(r->topics[0].partitions_count, 3);
	CHECK_STR(r->next_cursor->topic_name, "a");
	CHECK_EQ(r->next_cursor->partition_index, 3);
	at.topic_name = str_of("a");
	q.cursor = &at;
	q.response_partition_limit = 2000;
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &q);
	CHECK_EQ(r->topics_count, 2);
	CHECK_EQ(r->topics[0].partitions[0].partition_index, 3);
	CHECK(r->next_cursor == NULL);
	q.response_partition_limit = 0; /* one at least */
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &q);
	CHECK_EQ(r->topics[0].partitions_count, 1);
	CHECK_EQ(r->next_cursor->partition_index, 4);
	mock_end(&f);
}
