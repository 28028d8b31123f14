/* Classic groups, their offsets and their coordinator in virtual time: rules 12 and 23 to 26 of the
 * acceptance text. */
#include "tests/mock_fixture.h"

#include <stdio.h>

static struct join_group_request_protocols range_protocol = {
	.name = {"range", 5},
	.metadata = {(const uint8_t *)"topics", 6},
};

static struct join_group_request join_request(const char *member, const char *instance)
{
	struct join_group_request q = DEFAULTS_join_group_request;

	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.group_instance_id = str_of(instance);
	q.session_timeout_ms = 10000;
	q.rebalance_timeout_ms = 3000;
	q.protocol_type = str_of("consumer");
	q.protocols = &range_protocol;
	q.protocols_count = 1;
	return q;
}

static struct exchange_run *join(struct fixture *f, const char *member, const char *instance)
{
	struct join_group_request q = join_request(member, instance);

	f->conn++;
	return mock_send(f, 1, API_JOIN_GROUP, instance ? 7 : 3, &q);
}

static const struct join_group_response *joined(struct exchange_run *x)
{
	static const struct join_group_response none = DEFAULTS_join_group_response;

	CHECK_EQ(x->result, CALL_ANSWER);
	return x->response ? x->response : &none;
}

static struct exchange_run *sync_as(struct fixture *f, struct str member, int32_t generation,
				    struct sync_group_request_assignments *assignments,
				    int32_t count)
{
	struct sync_group_request q = DEFAULTS_sync_group_request;

	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id = generation;
	q.assignments = assignments;
	q.assignments_count = count;
	f->conn++;
	return mock_send(f, 1, API_SYNC_GROUP, 2, &q);
}

static int16_t sync_code(struct exchange_run *x)
{
	const struct sync_group_response *r = x->response;

	CHECK_EQ(x->result, CALL_ANSWER);
	return r ? r->error_code : -99;
}

static int16_t beat(struct fixture *f, struct str member, int32_t generation)
{
	struct heartbeat_request q = DEFAULTS_heartbeat_request;
	const struct heartbeat_response *r;

	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id = generation;
	r = mock_ask(f, 1, API_HEARTBEAT, 2, &q);
	return r->error_code;
}

/* Two members, stable, the first one leading; ids copied. */
static void stable_pair(struct fixture *f, char first[100], char second[100])
{
	struct exchange_run *a = join(f, "", NULL), *b;
	struct sync_group_request_assignments list[2] = {{.assignment = {(const uint8_t *)"A", 1}},
							 {.assignment = {(const uint8_t *)"B", 1}}};

	snprintf(first, 100, STR_FMT, STR_ARG(joined(a)->member_id));
	b = join(f, "", NULL);
	CHECK_EQ(b->result, CALL_WAIT);
	a = join(f, first, NULL);
	CHECK_EQ(joined(a)->members_count, 2);
	CHECK_EQ(joined(b)->members_count, 0);
	CHECK_EQ(joined(b)->generation_id, 2);
	snprintf(second, 100, STR_FMT, STR_ARG(joined(b)->member_id));
	list[0].member_id = str_of(first);
	list[1].member_id = str_of(second);
	b = sync_as(f, str_of(second), 2, NULL, 0);
	CHECK_EQ(b->result, CALL_WAIT);
	CHECK_EQ(sync_code(sync_as(f, str_of(first), 2, list, 2)), 0);
	CHECK_EQ(sync_code(b), 0);
	CHECK_BYTES(((const struct sync_group_response *)b->response)->assignment.data, 1, "B", 1);
}

TEST(rule_23_a_new_member_of_v4_gets_its_id_first)
{
	struct fixture f;
	struct join_group_request q = join_request("", NULL);
	const struct join_group_response *r;
	char id[100];

	mock_start(&f, 1);
	r = mock_ask(&f, 1, API_JOIN_GROUP, 5, &q);
	CHECK_EQ(r->error_code, ERROR_MEMBER_ID_REQUIRED);
	CHECK_EQ(r->member_id.len, (int)strlen("tester-") + 36);
	snprintf(id, sizeof(id), STR_FMT, STR_ARG(r->member_id));
	q.member_id = str_of(id);
	r = mock_ask(&f, 1, API_JOIN_GROUP, 5, &q);
	CHECK_EQ(r->error_code, 0);
	CHECK_STR(r->leader, id);
	CHECK_EQ(r->members_count, 1);
	CHECK_EQ(r->generation_id, 1);
	mock_end(&f);
}

TEST(rule_23_a_join_is_checked_before_anything_is_made)
{
	struct fixture f;
	struct join_group_request q = join_request("", NULL);

	mock_start(&f, 1);
	q.session_timeout_ms = 5999;
	CHECK_EQ(((const struct join_group_response *)mock_ask(&f, 1, API_JOIN_GROUP, 5, &q))
			 ->error_code,
		 ERROR_INVALID_SESSION_TIMEOUT);
	q = join_request("", NULL);
	q.group_id = str_of("");
	CHECK_EQ(((const struct join_group_response *)mock_ask(&f, 1, API_JOIN_GROUP, 5, &q))
			 ->error_code,
		 ERROR_INVALID_GROUP_ID);
	q = join_request("", NULL);
	q.protocols_count = 0;
	CHECK_EQ(((const struct join_group_response *)mock_ask(&f, 1, API_JOIN_GROUP, 5, &q))
			 ->error_code,
		 ERROR_INCONSISTENT_GROUP_PROTOCOL);
	q = join_request("nobody", NULL);
	CHECK_EQ(((const struct join_group_response *)mock_ask(&f, 1, API_JOIN_GROUP, 5, &q))
			 ->error_code,
		 ERROR_UNKNOWN_MEMBER_ID);
	mock_end(&f);
}

TEST(rule_24_the_leader_alone_gets_the_members_and_followers_wait_for_its_assignment)
{
	struct fixture f;
	char a[100], b[100];

	mock_start(&f, 1);
	stable_pair(&f, a, b);
	CHECK_EQ(beat(&f, str_of(a), 2), 0);
	CHECK_EQ(beat(&f, str_of(a), 1), ERROR_ILLEGAL_GENERATION);
	CHECK_EQ(beat(&f, str_of("x"), 2), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(sync_code(sync_as(&f, str_of(b), 2, NULL, 0)), 0);
	mock_end(&f);
}

TEST(rule_24_a_rebalance_is_told_by_heartbeats_and_evicts_who_does_not_rejoin)
{
	struct fixture f;
	char a[100], b[100];
	struct exchange_run *third, *again;

	mock_start(&f, 1);
	stable_pair(&f, a, b);
	third = join(&f, "", NULL);
	CHECK_EQ(third->result, CALL_WAIT);
	CHECK_EQ(beat(&f, str_of(a), 2), ERROR_REBALANCE_IN_PROGRESS);
	again = join(&f, a, NULL);
	CHECK_EQ(again->result, CALL_WAIT);
	mock_advance(&f, MS(2999));
	CHECK_EQ(again->result, CALL_WAIT);
	mock_advance(&f, MS(1));
	CHECK_EQ(joined(again)->generation_id, 3);
	CHECK_EQ(joined(again)->members_count, 2);
	CHECK_EQ(joined(third)->members_count, 0);
	CHECK_EQ(beat(&f, str_of(b), 2), ERROR_UNKNOWN_MEMBER_ID);
	mock_end(&f);
}

TEST(rule_24_a_member_that_falls_silent_is_out_after_its_session)
{
	struct fixture f;
	char a[100], b[100];

	mock_start(&f, 1);
	stable_pair(&f, a, b);
	mock_advance(&f, MS(9000));
	CHECK_EQ(beat(&f, str_of(a), 2), 0);
	mock_advance(&f, MS(1500));
	CHECK_EQ(beat(&f, str_of(a), 2), ERROR_REBALANCE_IN_PROGRESS);
	CHECK_EQ(beat(&f, str_of(b), 2), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(joined(join(&f, a, NULL))->generation_id, 3);
	mock_end(&f);
}

TEST(rule_23_a_static_member_comes_back_without_a_rebalance_and_fences_its_old_id)
{
	struct fixture f;
	const struct join_group_response *r;
	struct sync_group_request_assignments one = {.assignment = {(const uint8_t *)"A", 1}};
	char old[100], now[100];

	mock_start(&f, 1);
	r = joined(join(&f, "", "inst"));
	CHECK_EQ(r->member_id.len, (int)strlen("inst-") + 36);
	snprintf(old, sizeof(old), STR_FMT, STR_ARG(r->member_id));
	one.member_id = str_of(old);
	CHECK_EQ(sync_code(sync_as(&f, str_of(old), 1, &one, 1)), 0);
	r = joined(join(&f, "", "inst"));
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->generation_id, 1);
	CHECK_STR(r->leader, old); /* before v9 it must not think itself the leader */
	snprintf(now, sizeof(now), STR_FMT, STR_ARG(r->member_id));
	CHECK(strcmp(now, old) != 0);
	r = joined(join(&f, old, "inst"));
	CHECK_EQ(r->error_code, ERROR_FENCED_INSTANCE_ID);
	CHECK_EQ(sync_code(sync_as(&f, str_of(now), 1, NULL, 0)), 0);
	mock_end(&f);
}

TEST(a_static_member_leads_when_the_leader_did_not_come_back)
{
	struct fixture f;
	const struct join_group_response *r;
	struct exchange_run *a, *b;
	char first[100], second[100];

	mock_start(&f, 1);
	a = join(&f, "", NULL);
	snprintf(first, sizeof(first), STR_FMT, STR_ARG(joined(a)->member_id));
	b = join(&f, "", "inst");
	a = join(&f, first, NULL);
	snprintf(second, sizeof(second), STR_FMT, STR_ARG(joined(b)->member_id));
	CHECK_STR(joined(a)->leader, first);
	CHECK_TEXT(mock_happen(&f, "rebalance group=g"), "");
	mock_advance(&f, MS(3500));
	CHECK_EQ(beat(&f, str_of(first), 2), ERROR_UNKNOWN_MEMBER_ID);
	r = joined(join(&f, second, "inst"));
	CHECK_EQ(r->error_code, 0);
	CHECK_STR(r->leader, second);
	CHECK_EQ(r->members_count, 1);
	mock_end(&f);
}

/* Nobody is waited for, and nobody came: what is left are their sessions. */
TEST(static_members_without_a_rebalance_timeout_cost_no_time)
{
	struct fixture f;
	struct join_group_request q = join_request("", "one");
	struct leave_group_request_members gone = {.member_id = str_of(""),
						   .group_instance_id = str_of("two")};
	struct leave_group_request leave = DEFAULTS_leave_group_request;
	struct exchange_run *a, *b;
	char first[100];

	mock_start(&f, 1);
	a = join(&f, "", "one");
	snprintf(first, sizeof(first), STR_FMT, STR_ARG(joined(a)->member_id));
	b = join(&f, "", "two");
	a = join(&f, first, "one");
	CHECK_EQ(joined(a)->members_count, 2);
	sync_as(&f, joined(b)->member_id, 2, NULL, 0);
	CHECK_EQ(sync_code(sync_as(&f, str_of(first), 2, NULL, 0)), 0);
	q.rebalance_timeout_ms = 0;
	mock_ask(&f, 1, API_JOIN_GROUP, 7, &q);
	q.group_instance_id = str_of("two");
	mock_ask(&f, 1, API_JOIN_GROUP, 7, &q);
	leave.group_id = str_of("g");
	leave.members = &gone;
	leave.members_count = 1;
	mock_ask(&f, 1, API_LEAVE_GROUP, 3, &leave);
	mock_advance(&f, MS(20000));
	CHECK_EQ(beat(&f, str_of("x"), 1), ERROR_UNKNOWN_MEMBER_ID);
	mock_end(&f);
}

TEST(rule_25_leaving_answers_each_member_apart)
{
	struct fixture f;
	struct leave_group_request q = DEFAULTS_leave_group_request;
	struct leave_group_request_members who[2] = {{.reason = {0}}, {.reason = {0}}};
	const struct leave_group_response *r;
	char a[100], b[100];

	mock_start(&f, 1);
	stable_pair(&f, a, b);
	who[0].member_id = str_of(b);
	who[1].member_id = str_of("nobody");
	q.group_id = str_of("g");
	q.members = who;
	q.members_count = 2;
	r = mock_ask(&f, 1, API_LEAVE_GROUP, 3, &q);
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->members[0].error_code, 0);
	CHECK_EQ(r->members[1].error_code, ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(beat(&f, str_of(a), 2), ERROR_REBALANCE_IN_PROGRESS);
	mock_end(&f);
}

static int16_t commit(struct fixture *f, int version, const char *member, int32_t generation,
		      int64_t offset, const char *metadata)
{
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	p.partition_index = 0;
	p.committed_offset = offset;
	p.committed_metadata = str_of(metadata);
	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.generation_id_or_member_epoch = generation;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_COMMIT, version, &q);
	return r->topics_count == 1 ? r->topics[0].partitions[0].error_code : -99;
}

static int64_t committed(struct fixture *f, int version)
{
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	int32_t index = 0;
	struct offset_fetch_request_topics t = {
		.name = {"t", 1}, .partition_indexes = &index, .partition_indexes_count = 1};
	const struct offset_fetch_response *r;

	q.group_id = str_of("g");
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_FETCH, version, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, 0);
	return r->topics[0].partitions[0].committed_offset;
}

TEST(rule_26_commits_are_judged_by_member_and_generation)
{
	struct fixture f;
	char a[100], b[100], large[5000];

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(committed(&f, 5), -1);
	CHECK_EQ(commit(&f, 8, "", -1, 7, "simple"), 0);
	CHECK_EQ(committed(&f, 5), 7);
	stable_pair(&f, a, b);
	CHECK_EQ(commit(&f, 8, "", -1, 8, ""), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(commit(&f, 8, a, 1, 8, ""), ERROR_ILLEGAL_GENERATION);
	CHECK_EQ(commit(&f, 8, "nobody", 2, 8, ""), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(commit(&f, 8, a, 2, -5, ""), 0);
	CHECK_EQ(committed(&f, 1), -5);
	memset(large, 'm', sizeof(large));
	large[4097] = '\0';
	CHECK_EQ(commit(&f, 8, a, 2, 9, large), ERROR_OFFSET_METADATA_TOO_LARGE);
	mock_end(&f);
}

TEST(rule_12_a_coordinator_is_found_and_others_refuse)
{
	struct fixture f;
	struct find_coordinator_request q = DEFAULTS_find_coordinator_request;
	struct str keys[1] = {{"g", 1}};
	const struct find_coordinator_response *r;
	struct heartbeat_request h = DEFAULTS_heartbeat_request;
	int32_t node;

	mock_start(&f, 3);
	q.coordinator_keys = keys;
	q.coordinator_keys_count = 1;
	r = mock_ask(&f, 1, API_FIND_COORDINATOR, 4, &q);
	CHECK_EQ(r->coordinators[0].error_code, 0);
	node = r->coordinators[0].node_id;
	h.group_id = str_of("g");
	for (int32_t broker = 1; broker <= 3; broker++)
		CHECK_EQ(((const struct heartbeat_response *)mock_ask(&f, broker, API_HEARTBEAT, 4,
								      &h))
				 ->error_code,
			 broker == node ? ERROR_UNKNOWN_MEMBER_ID : ERROR_NOT_COORDINATOR);
	q.key_type = 9;
	r = mock_ask(&f, 1, API_FIND_COORDINATOR, 4, &q);
	CHECK_EQ(r->coordinators[0].error_code, ERROR_INVALID_REQUEST);
	mock_end(&f);
}
