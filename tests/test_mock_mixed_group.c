/* Classic members in KIP-848 groups, and groups that change their kind, in virtual time: rule 34 of
 * the acceptance text. */
#include "tests/mock_fixture.h"

#include <stdio.h>

typedef struct consumer_group_heartbeat_request heartbeat;
typedef struct consumer_group_heartbeat_response answer;

#define UUID_A "aaaaaaaaaaaaaaaaaaaaaA"

/* Subscriptions to topic t (version 1): with nothing owned, with its partition 0. */
static const uint8_t owns_nothing[] = "\0\1\0\0\0\1\0\1t\377\377\377\377\0\0\0\0";
static const uint8_t owns_first[] = "\0\1\0\0\0\1\0\1t\377\377\377\377"
				    "\0\0\0\1\0\1t\0\0\0\1\0\0\0\0";
/* An assignment of both partitions of t (version 1). */
static const uint8_t both[] = "\0\1\0\0\0\1\0\1t\0\0\0\2\0\0\0\0\0\0\0\1\377\377\377\377";

static void start(struct fixture *f)
{
	mock_start_with(f, 1, (struct cluster_config){.default_partitions = 1});
	mock_topic(f, "t", 2, -1);
}

/* A first or later heartbeat of the member UUID_A; owned -1: it does not say. */
static answer beat(struct fixture *f, int32_t epoch, int32_t owned)
{
	static struct str topic = {"t", 1};
	heartbeat q = DEFAULTS_consumer_group_heartbeat_request;
	struct consumer_group_heartbeat_request_topic_partitions t = {0};
	int32_t partitions[] = {0, 1};
	struct metadata_request m = DEFAULTS_metadata_request;
	const struct metadata_response *r;

	m.topics_count = -1;
	r = mock_ask(f, 1, API_METADATA, 12, &m);
	t.topic_id = r->topics[0].topic_id;
	t.partitions = partitions;
	t.partitions_count = owned;
	q.group_id = str_of("g");
	q.member_id = str_of(UUID_A);
	q.member_epoch = epoch;
	q.topic_partitions_count = -1;
	q.subscribed_topic_names_count = -1;
	if (epoch == 0) {
		q.rebalance_timeout_ms = 5000;
		q.subscribed_topic_names = &topic;
		q.subscribed_topic_names_count = 1;
	}
	if (epoch == 0 || owned >= 0) {
		q.topic_partitions = &t;
		q.topic_partitions_count = owned > 0;
	}
	return *(const answer *)mock_ask(f, 1, API_CONSUMER_GROUP_HEARTBEAT, 1, &q);
}

static int32_t given(answer r)
{
	if (!r.assignment)
		return -1;
	return r.assignment->topic_partitions_count
		       ? r.assignment->topic_partitions[0].partitions_count
		       : 0;
}

/* JoinGroup with one protocol; bytes without the NUL behind them. */
static const struct join_group_response *join(struct fixture *f, int version, struct str member,
					      const uint8_t *metadata, size_t size)
{
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols p = {.name = {"range", 5},
						 .metadata = {metadata, (int32_t)size - 1}};

	q.group_id = str_of("g");
	q.session_timeout_ms = 10000;
	q.rebalance_timeout_ms = version >= 1 ? 6000 : -1;
	q.member_id = member;
	q.protocol_type = str_of("consumer");
	q.protocols = &p;
	q.protocols_count = 1;
	return mock_ask(f, 1, API_JOIN_GROUP, version, &q);
}

static const struct sync_group_response *sync(struct fixture *f, struct str member,
					      int32_t generation, const uint8_t *mine, size_t size)
{
	struct sync_group_request q = DEFAULTS_sync_group_request;
	struct sync_group_request_assignments a = {.member_id = member,
						   .assignment = {mine, (int32_t)size - 1}};

	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id = generation;
	q.protocol_type = str_of("consumer");
	q.protocol_name = str_of("range");
	q.assignments = &a;
	q.assignments_count = mine != NULL;
	return mock_ask(f, 1, API_SYNC_GROUP, 5, &q);
}

static int16_t classic_beat(struct fixture *f, struct str member, int32_t generation)
{
	struct heartbeat_request q = DEFAULTS_heartbeat_request;

	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id = generation;
	return ((const struct heartbeat_response *)mock_ask(f, 1, API_HEARTBEAT, 4, &q))
		->error_code;
}

static int16_t leave(struct fixture *f, struct str member)
{
	struct leave_group_request q = DEFAULTS_leave_group_request;
	struct leave_group_request_members m = {.member_id = member};
	const struct leave_group_response *r;

	q.group_id = str_of("g");
	q.members = &m;
	q.members_count = 1;
	r = mock_ask(f, 1, API_LEAVE_GROUP, 4, &q);
	return r->members[0].error_code;
}

static int16_t commit(struct fixture *f, struct str member, int32_t generation)
{
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	p.committed_metadata = str_of("");
	q.group_id = str_of("g");
	q.member_id = member;
	q.generation_id_or_member_epoch = generation;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_COMMIT, 8, &q);
	return r->topics[0].partitions[0].error_code;
}

/* "classic" or "consumer", and its state. */
static const struct list_groups_response_groups *kind(struct fixture *f)
{
	struct list_groups_request q = DEFAULTS_list_groups_request;
	const struct list_groups_response *r = mock_ask(f, 1, API_LIST_GROUPS, 5, &q);

	CHECK_EQ(r->groups_count, 1);
	return r->groups;
}

TEST(rule_34_a_classic_member_is_admitted_to_a_consumer_group)
{
	struct fixture f;
	const struct join_group_response *r;
	struct str id;

	start(&f);
	CHECK_EQ(given(beat(&f, 0, 0)), 2);
	CHECK_EQ(beat(&f, 2, 2).error_code, 0);
	mock_advance(&f, MS(2000));
	r = join(&f, 9, str_of(""), owns_nothing, sizeof(owns_nothing));
	CHECK_EQ(r->error_code, ERROR_MEMBER_ID_REQUIRED);
	CHECK_EQ(r->member_id.len, UUID_TEXT_SIZE - 1);
	id = r->member_id;
	r = join(&f, 9, id, owns_nothing, sizeof(owns_nothing));
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->generation_id, 3);
	CHECK_STR(r->leader, "");
	CHECK_STR(r->protocol_name, "range");
	/* version, no topics, no user data: the other has everything yet */
	CHECK_BYTES(sync(&f, id, 3, NULL, 1)->assignment.data, 10, "\0\1\0\0\0\0\377\377\377\377",
		    10);
	CHECK_EQ(classic_beat(&f, id, 3), 0);
	CHECK_EQ(given(beat(&f, 2, 2)), 1);
	CHECK_EQ(beat(&f, 2, 1).member_epoch, 3);
	CHECK_EQ(classic_beat(&f, id, 3), ERROR_REBALANCE_IN_PROGRESS);
	CHECK_EQ(join(&f, 9, id, owns_nothing, sizeof(owns_nothing))->generation_id, 3);
	CHECK_BYTES(sync(&f, id, 3, NULL, 1)->assignment.data, 21,
		    "\0\1\0\0\0\1\0\1t\0\0\0\1\0\0\0\1\377\377\377\377", 21);
	CHECK_STR(kind(&f)->group_state, "Stable");
	CHECK_EQ(commit(&f, id, 3), 0);
	CHECK_EQ(commit(&f, id, 9), ERROR_ILLEGAL_GENERATION);
	CHECK_EQ(commit(&f, str_of(UUID_A), 3), ERROR_UNSUPPORTED_VERSION);
	mock_end(&f);
}

TEST(rule_34_what_a_consumer_group_refuses_of_classic_members)
{
	struct fixture f;
	const struct join_group_response *r;

	start(&f);
	beat(&f, 0, 0);
	r = join(&f, 3, str_of(""), (const uint8_t *)"?", 2);
	CHECK_EQ(r->error_code, ERROR_INCONSISTENT_GROUP_PROTOCOL);
	CHECK_EQ(classic_beat(&f, str_of(UUID_A), 2), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(classic_beat(&f, str_of("who"), 2), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(sync(&f, str_of("who"), 2, NULL, 1)->error_code, ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(leave(&f, str_of("who")), ERROR_UNKNOWN_MEMBER_ID);
	r = join(&f, 3, str_of("me"), owns_nothing, sizeof(owns_nothing));
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(sync(&f, str_of("me"), 9, NULL, 1)->error_code, ERROR_ILLEGAL_GENERATION);
	CHECK_EQ(classic_beat(&f, str_of("me"), 9), ERROR_ILLEGAL_GENERATION);
	mock_end(&f);
}

TEST(rule_34_a_classic_member_that_does_not_go_on_in_time_is_out)
{
	struct fixture f;
	int32_t generation;

	start(&f);
	beat(&f, 0, 0);
	mock_advance(&f, MS(2000));
	generation = join(&f, 3, str_of("me"), owns_nothing, sizeof(owns_nothing))->generation_id;
	mock_advance(&f, MS(5000));
	CHECK_EQ(classic_beat(&f, str_of("me"), generation), 0);
	mock_advance(&f, MS(1500)); /* it never asked for its assignment */
	CHECK_EQ(classic_beat(&f, str_of("me"), generation), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(beat(&f, 2, 2).error_code, 0);
	mock_end(&f);
}

TEST(rule_34_an_empty_classic_group_becomes_a_consumer_group_and_back)
{
	struct fixture f;
	struct str id = {"me", 2};

	start(&f);
	CHECK_EQ(commit(&f, str_of(""), -1), 0);
	CHECK_STR(kind(&f)->group_type, "classic");
	CHECK_EQ(given(beat(&f, 0, 0)), 2);
	CHECK_STR(kind(&f)->group_type, "consumer");
	CHECK_EQ(beat(&f, -1, -1).error_code, 0);
	CHECK_STR(kind(&f)->group_type, "consumer");
	CHECK_EQ(join(&f, 3, id, owns_nothing, sizeof(owns_nothing))->error_code,
		 ERROR_UNKNOWN_MEMBER_ID);
	CHECK_EQ(join(&f, 3, str_of(""), owns_nothing, sizeof(owns_nothing))->generation_id, 1);
	CHECK_STR(kind(&f)->group_type, "classic");
	mock_end(&f);
}

TEST(rule_34_a_classic_group_is_converted_with_its_members_and_back_when_the_last_of_the_new_goes)
{
	struct fixture f;
	const struct join_group_response *r;
	struct str id;

	start(&f);
	r = join(&f, 3, str_of(""), owns_nothing, sizeof(owns_nothing));
	id = r->member_id;
	CHECK_EQ(sync(&f, id, 1, both, sizeof(both))->error_code, 0);
	CHECK_EQ(commit(&f, id, 1), 0);
	CHECK_EQ(given(beat(&f, 0, 0)), 0); /* admitted, nothing is free */
	CHECK_STR(kind(&f)->group_type, "consumer");
	CHECK_EQ(classic_beat(&f, id, 1), ERROR_REBALANCE_IN_PROGRESS);
	CHECK_EQ(join(&f, 3, id, owns_first, sizeof(owns_first))->generation_id, 2);
	CHECK_EQ(sync(&f, id, 2, NULL, 1)->error_code, 0);
	CHECK_EQ(classic_beat(&f, id, 2), 0);
	CHECK_EQ(given(beat(&f, 2, 0)), 1);
	CHECK_STR(kind(&f)->group_state, "Stable");
	CHECK_EQ(beat(&f, -1, -1).error_code, 0);
	CHECK_STR(kind(&f)->group_type, "classic");
	CHECK_STR(kind(&f)->group_state, "PreparingRebalance");
	CHECK_EQ(classic_beat(&f, id, 2), ERROR_REBALANCE_IN_PROGRESS);
	r = join(&f, 3, id, owns_first, sizeof(owns_first));
	CHECK_EQ(r->generation_id, 3);
	CHECK(str_eq(r->leader, id));
	CHECK_EQ(sync(&f, id, 3, both, sizeof(both))->error_code, 0);
	CHECK_EQ(commit(&f, id, 3), 0);
	CHECK_EQ(leave(&f, id), 0);
	mock_end(&f);
}

TEST(fencing_a_group_of_both_kinds_leaves_nobody)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(given(beat(&f, 0, 0)), 2);
	CHECK_EQ(join(&f, 3, str_of(""), owns_nothing, sizeof(owns_nothing))->error_code, 0);
	CHECK_TEXT(mock_happen(&f, "member-fence group=g"), "");
	CHECK_STR(kind(&f)->group_state, "Empty");
	mock_end(&f);
}

TEST(a_policy_keeps_groups_from_being_converted)
{
	struct fixture f;
	struct cluster_config config = {.broker = {.no_upgrade = true}};
	struct str id;

	mock_start_with(&f, 1, config);
	mock_topic(&f, "t", 2, -1);
	id = join(&f, 3, str_of(""), owns_nothing, sizeof(owns_nothing))->member_id;
	CHECK_EQ(beat(&f, 0, 0).error_code, ERROR_GROUP_ID_NOT_FOUND);
	CHECK_STR(kind(&f)->group_type, "classic");
	CHECK_EQ(leave(&f, id), 0);
	mock_end(&f);
}

TEST(a_join_that_waits_while_its_group_is_converted_is_to_be_made_again)
{
	struct fixture f;
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols p = {
		.name = {"range", 5}, .metadata = {owns_nothing, sizeof(owns_nothing) - 1}};
	struct exchange_run *x;
	struct str id;

	start(&f);
	id = join(&f, 3, str_of(""), owns_nothing, sizeof(owns_nothing))->member_id;
	CHECK_EQ(sync(&f, id, 1, both, sizeof(both))->error_code, 0);
	q.group_id = str_of("g");
	q.session_timeout_ms = 10000;
	q.rebalance_timeout_ms = 6000;
	q.protocol_type = str_of("consumer");
	q.protocols = &p;
	q.protocols_count = 1;
	f.conn = 2;
	x = mock_send(&f, 1, API_JOIN_GROUP, 3, &q);
	CHECK_EQ(x->result, CALL_WAIT);
	CHECK_EQ(beat(&f, 0, 0).error_code, 0);
	mock_advance(&f, 0);
	CHECK_EQ(x->result, CALL_ANSWER);
	CHECK_EQ(((const struct join_group_response *)x->response)->error_code,
		 ERROR_REBALANCE_IN_PROGRESS);
	mock_end(&f);
}
