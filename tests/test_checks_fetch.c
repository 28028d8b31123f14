/* Checks of fetching and of assignments, each seen to pass and to fail. */
#include "checks/check.h"
#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "tests/checks_fixture.h"
#include "tests/test.h"

/* ---- fetching ---- */

struct asked {
	int64_t offset;
	int32_t epoch, session, session_epoch, told_session, preferred;
	int16_t code, session_code;
	int tail; /* offsets behind the only record of the batch in the answer; -1: no batch */
	bool lost, unnamed;
};

#define ASKED                                            \
	(struct asked)                                   \
	{                                                \
		.epoch = -1, .preferred = -1, .tail = -1 \
	}

static void fetch(struct asked a)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;

	buf_init(&out, 100000);
	if (a.tail >= 0) {
		options.base_offset = a.offset;
		batch_builder_init(&b, &options, &out);
		for (int i = 0; i <= a.tail; i++)
			batch_builder_add(&b, 0, (struct bytes){0},
					  (struct bytes){(const uint8_t *)"v", 1}, NULL, 0);
		CHECK_EQ(batch_builder_end(&b, NULL), 0);
		batch_builder_release(&b);
	}

	struct fetch_request_topics_partitions qp = {.fetch_offset = a.offset,
						     .current_leader_epoch = a.epoch};
	struct fetch_request_topics qt = {
		.topic = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct fetch_request q = {.topics = &qt,
				  .topics_count = !a.unnamed,
				  .replica_id = -1,
				  .replica_state = {.replica_id = -1},
				  .session_id = a.session,
				  .session_epoch = a.session_epoch};
	struct fetch_response_responses_partitions rp = {
		.error_code = a.code,
		.preferred_read_replica = a.preferred,
		.current_leader = {.leader_id = -1},
		.records = {out.data, (int32_t)out.len, 0}};
	struct fetch_response_responses rt = {
		.topic = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct fetch_response r = {.responses = &rt,
				   .responses_count = a.session_code ? 0 : 1,
				   .error_code = a.session_code,
				   .session_id = a.told_session};

	checks_exchange(API_FETCH, 11, &q, a.lost ? NULL : &r, 1);
	buf_release(&out);
}

TEST(who_was_answered_moves_on)
{
	struct asked a = ASKED;

	checks_begin("fetch.moves_on", 3);
	a.tail = 0;
	for (a.offset = 0; a.offset < 10; a.offset++)
		fetch(a);
	a.tail = -1; /* at the end of the log one may ask for ever */
	for (int i = 0; i < 10; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("fetch.moves_on", 3);
	a.tail = 0;
	for (int i = 0; i < 4; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);

	checks_begin("fetch.moves_on", 3);
	a = ASKED;
	a.code = ERROR_OFFSET_OUT_OF_RANGE;
	for (int i = 0; i < 4; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_position_of_a_session_counts_where_requests_leave_it_out)
{
	struct asked a = ASKED;

	checks_begin("fetch.moves_on", 3);
	a.told_session = 5;
	a.tail = 0;
	fetch(a);
	a.session = 5;
	a.unnamed = true;
	for (a.session_epoch = 1; a.session_epoch < 4; a.session_epoch++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(session_epochs_count_up_by_one)
{
	struct asked a = ASKED;

	checks_begin("fetch.sessions", -1);
	a.told_session = 5;
	fetch(a);
	a.session = 5;
	for (a.session_epoch = 1; a.session_epoch < 4; a.session_epoch++)
		fetch(a);
	a.lost = true; /* worked or not: both ways of going on are right */
	fetch(a);
	a.lost = false;
	a.session_epoch = 5;
	fetch(a);
	a.session_epoch = 0;
	fetch(a); /* a new one */
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("fetch.sessions", -1);
	a = ASKED;
	a.told_session = 5;
	fetch(a);
	a.session = 5;
	a.session_epoch = 2;
	fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_session_that_was_refused_is_over)
{
	for (int bad = 0; bad < 2; bad++) {
		struct asked a = ASKED;

		checks_begin("fetch.sessions", -1);
		a.told_session = 5;
		fetch(a);
		a.session = 5;
		a.session_epoch = 1;
		a.session_code = ERROR_FETCH_SESSION_ID_NOT_FOUND;
		fetch(a);
		a.session_code = 0;
		a.session = bad ? 5 : 0;
		a.session_epoch = bad ? 1 : 0;
		a.told_session = 6;
		fetch(a);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(a_leader_epoch_never_goes_back)
{
	for (int bad = 0; bad < 2; bad++) {
		struct asked a = ASKED;

		checks_begin("fetch.epoch_never_back", -1);
		a.epoch = 4;
		fetch(a);
		a.epoch = -1;
		fetch(a);
		a.epoch = bad ? 3 : 5;
		fetch(a);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(a_topic_made_anew_begins_with_a_new_leader_epoch)
{
	struct asked a = ASKED;

	checks_begin("fetch.epoch_never_back", -1);
	checks_append("0");
	a.epoch = 4;
	fetch(a);
	checks_recreate();
	checks_append("0");
	a.epoch = 0;
	fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_PASS);
}

static void metadata(int32_t leader, int32_t partitions)
{
	struct metadata_response_topics_partitions p[3] = {
		{.leader_id = leader}, {.partition_index = 1, .leader_id = leader}};
	struct metadata_response_topics t = {
		.name = {"t", 1}, .partitions = p, .partitions_count = partitions};
	struct metadata_response r = {.topics = &t, .topics_count = 1};

	checks_exchange(API_METADATA, 7, &(struct metadata_request){0}, &r, 1);
}

TEST(a_follower_is_asked_while_the_leader_names_it)
{
	struct asked a = ASKED;

	checks_begin("fetch.follower_as_named", 2);
	metadata(1, 1);
	a.preferred = 2;
	fetch(a);
	a.preferred = -1;
	checks_run.broker = 2;
	for (int i = 0; i < 10; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("fetch.follower_as_named", 2); /* it failed once */
	metadata(1, 1);
	a.preferred = 2;
	fetch(a);
	a.preferred = -1;
	checks_run.broker = 2;
	for (int i = 0; i < 10; i++) {
		a.code = i ? 0 : ERROR_NOT_LEADER_OR_FOLLOWER;
		fetch(a);
	}
	a.code = 0;
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("fetch.follower_as_named", 2); /* it goes on failing: back to the leader */
	metadata(1, 1);
	a.preferred = 2;
	fetch(a);
	a.preferred = -1;
	a.code = ERROR_NOT_LEADER_OR_FOLLOWER;
	checks_run.broker = 2;
	for (int i = 0; i < 4; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);

	checks_begin("fetch.follower_as_named", 2); /* nobody named it */
	metadata(1, 1);
	a = ASKED;
	checks_run.broker = 2;
	for (int i = 0; i < 4; i++)
		fetch(a);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

static void list_offsets(void)
{
	struct list_offsets_request_topics_partitions p = {.timestamp = -2};
	struct list_offsets_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	struct list_offsets_request q = {.topics = &t, .topics_count = 1};
	struct list_offsets_response r = {0};

	checks_exchange(API_LIST_OFFSETS, 5, &q, &r, 1);
}

TEST(a_position_is_validated_so_often_under_one_leader_epoch_and_no_more)
{
	struct offset_for_leader_epoch_request_topics_partitions qp = {.leader_epoch = 0};
	struct offset_for_leader_epoch_request_topics qt = {
		.topic = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct offset_for_leader_epoch_request q = {
		.replica_id = -1, .topics = &qt, .topics_count = 1};
	struct offset_for_leader_epoch_response r = DEFAULTS_offset_for_leader_epoch_response;

	for (int more = 0; more < 2; more++) {
		checks_begin("offsets.validated_once", 3);
		for (qp.current_leader_epoch = 1; qp.current_leader_epoch < 3;
		     qp.current_leader_epoch++)
			for (int i = 0; i < 3 + more; i++)
				checks_exchange(API_OFFSET_FOR_LEADER_EPOCH, 3, &q, &r, 1);
		CHECK_EQ(checks_verdict(), more ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(the_ends_of_a_log_are_looked_up_once_for_each_reason)
{
	struct asked gone = ASKED;

	gone.code = ERROR_OFFSET_OUT_OF_RANGE;
	for (int bad = 0; bad < 2; bad++) {
		checks_begin("offsets.looked_up_once", 2);
		list_offsets();
		list_offsets();
		if (!bad)
			fetch(gone);
		list_offsets();
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

/* ---- assignments ---- */

/* A subscription to t, v1, that owns partition `owned` of it (-1 none). */
static struct bytes subscription(int owned)
{
	static uint8_t bytes[64];
	static const uint8_t head[] = {0, 1, 0, 0, 0, 1, 0, 1, 't', 255, 255, 255, 255};
	static const uint8_t owns[] = {0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0};
	size_t n = sizeof(head);

	memcpy(bytes, head, n);
	if (owned < 0) {
		memset(bytes + n, 0, 4);
		return (struct bytes){bytes, (int32_t)n + 4};
	}
	memcpy(bytes + n, owns, sizeof(owns));
	bytes[n + sizeof(owns)] = (uint8_t)owned;
	return (struct bytes){bytes, (int32_t)(n + sizeof(owns)) + 1};
}

static struct bytes assignment(uint8_t *bytes, int partition)
{
	static const uint8_t head[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0};

	memcpy(bytes, head, sizeof(head));
	bytes[sizeof(head)] = (uint8_t)partition;
	memset(bytes + sizeof(head) + 1, 255, 4);
	return (struct bytes){bytes, (int32_t)sizeof(head) + 5};
}

/* Member a leads; both subscribe, and b, or both, own one partition. */
static void joined_owning(const char *protocol, int32_t generation, int owned_by_a, int owned_by_b)
{
	struct join_group_response_members members[2] = {{.member_id = {"a", 1}},
							 {.member_id = {"b", 1}}};
	struct join_group_request q = {.group_id = {"g", 1}, .protocol_type = {"consumer", 8}};
	struct join_group_response r = {.generation_id = generation,
					.protocol_name = str_of(protocol),
					.leader = {"a", 1},
					.member_id = {"a", 1},
					.members = members,
					.members_count = 2};
	uint8_t of_a[64];
	struct bytes a = subscription(owned_by_a);

	memcpy(of_a, a.data, (size_t)a.len);
	members[0].metadata = (struct bytes){of_a, a.len};
	members[1].metadata = subscription(owned_by_b);
	checks_exchange(API_JOIN_GROUP, 5, &q, &r, 1);
}

static void joined(const char *protocol, int32_t generation, int owned_by_b)
{
	joined_owning(protocol, generation, -1, owned_by_b);
}

/* a, the leader, gives one partition to itself and one to b (-1: nothing), and is given its own. */
static void dealt(int32_t generation, int to_a, int to_b)
{
	uint8_t first[64], second[64], own[64];
	struct sync_group_request_assignments list[2] = {
		{.member_id = {"a", 1}, .assignment = assignment(first, to_a)},
		{.member_id = {"b", 1}, .assignment = assignment(second, to_b)}};
	struct sync_group_request q = {.group_id = {"g", 1},
				       .member_id = {"a", 1},
				       .generation_id = generation,
				       .assignments = list,
				       .assignments_count = to_b < 0 ? 1 : 2};
	struct sync_group_response r = {.assignment = assignment(own, to_a)};

	checks_exchange(API_SYNC_GROUP, 3, &q, &r, 1);
}

TEST(a_leader_gives_each_partition_to_one_member)
{
	checks_begin("group.assigns_each_once", -1);
	metadata(1, 2);
	joined("range", 1, -1);
	dealt(1, 0, 1);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("group.assigns_each_once", -1);
	metadata(1, 1);
	joined("range", 1, -1);
	dealt(1, 0, 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(), "the leader gives t-0 to two members in generation 1 (1 times "
				    "in all)");

	checks_begin("group.assigns_each_once", -1);
	metadata(1, 2);
	joined("range", 1, -1);
	dealt(1, 0, -1);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(),
		   "the leader gives t-1 to nobody in generation 1 (1 times in all)");
}

TEST(a_cooperative_leader_leaves_out_what_has_to_be_given_back)
{
	static const char *const names[] = {"group.assigns_each_once", "group.gives_what_is_free"};

	for (int i = 0; i < 2; i++) {
		checks_begin(names[i], -1);
		metadata(1, 2);
		joined("cooperative-sticky", 2, 1);
		dealt(2, 0, -1);
		CHECK_EQ(checks_verdict(), i ? FINDING_NOT_APPLICABLE : FINDING_PASS);
	}
	checks_begin("group.gives_what_is_free", -1);
	metadata(1, 2);
	joined("cooperative-sticky", 2, 1);
	dealt(2, 0, 1); /* it stays where it is */
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("group.gives_what_is_free", -1);
	metadata(1, 2);
	joined("cooperative-sticky", 2, 1);
	dealt(2, 1, 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(), "the leader gives t-1 to a in generation 2 while b still owns "
				    "it (1 times in all)");
}

TEST(a_cooperative_leader_may_leave_out_what_two_say_they_own)
{
	checks_begin("group.assigns_each_once", -1);
	metadata(1, 2);
	joined_owning("cooperative-sticky", 2, 1, 1);
	dealt(2, 0, -1);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("group.assigns_each_once", -1);
	metadata(1, 2);
	joined_owning("cooperative-sticky", 2, 1, 1);
	dealt(2, 1, 1);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(an_eager_leader_may_move_what_was_owned)
{
	checks_begin("group.gives_what_is_free", -1);
	metadata(1, 2);
	joined("range", 2, 1);
	dealt(2, 1, 0);
	CHECK_EQ(checks_verdict(), FINDING_NOT_APPLICABLE);
}

static void commit(int32_t partition)
{
	struct offset_commit_request_topics_partitions p = {.partition_index = partition};
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	struct offset_commit_request q = {.group_id = {"g", 1},
					  .member_id = {"a", 1},
					  .generation_id_or_member_epoch = 1,
					  .topics = &t,
					  .topics_count = 1};
	struct offset_commit_response r = {0};

	checks_exchange(API_OFFSET_COMMIT, 5, &q, &r, 1);
}

TEST(a_member_commits_for_what_it_was_given)
{
	checks_begin("group.commits_its_own", -1);
	joined("range", 1, -1);
	dealt(1, 0, 1);
	commit(0);
	joined("range", 2, -1);
	dealt(2, 1, 0);
	commit(0); /* what it gives back just now */
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("group.commits_its_own", -1);
	joined("range", 1, -1);
	dealt(1, 0, 1);
	commit(1);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);

	checks_begin("group.commits_its_own", -1);
	joined("range", 1, -1);
	dealt(1, 0, 1);
	joined("range", 2, -1);
	dealt(2, 1, 0);
	joined("range", 3, -1);
	dealt(3, 1, 0);
	commit(0); /* it gave that back long ago */
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

/* ---- transactions beside each other ---- */

static void begun(const char *subject)
{
	checks_say(subject, "{\"name\":\"transaction\",\"state\":\"begun\"}");
}

static void committed(const char *subject)
{
	checks_say(subject, "{\"name\":\"transaction\",\"state\":\"committed\"}");
}

/* A subject writes a value to a partition at the end of its log, as a producer id of its own. */
static int64_t ends[2];

static void writes(const char *subject, const char *value, int32_t partition)
{
	checks_run.partition = partition;
	checks_run.next_offset = ends[partition]++;
	checks_run.producer_id = subject[0];
	checks_run.transactional = true;
	checks_say(subject, "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"%s\"}", value);
	checks_append(value);
	checks_acked(subject, value, ends[partition] - 1);
}

static void marks(const char *subject, int32_t partition)
{
	checks_run.partition = partition;
	checks_run.next_offset = ends[partition]++;
	checks_run.producer_id = subject[0];
	checks_marker(true);
}

static void transactions(const char *name)
{
	checks_begin(name, -1);
	ends[0] = ends[1] = 0;
	begun("a");
	begun("b");
}

static void end_both(void)
{
	for (int32_t partition = 0; partition < 2; partition++) {
		marks("a", partition);
		marks("b", partition);
	}
	committed("a");
	committed("b");
}

TEST(transactions_that_wrote_before_and_behind_each_other_are_a_cycle)
{
	for (int cycle = 0; cycle < 2; cycle++) {
		transactions("txn.no_write_cycle");
		writes("a", "a.0", 0);
		writes("b", "b.0", 0);
		writes(cycle ? "b" : "a", cycle ? "b.1" : "a.1", 1);
		writes(cycle ? "a" : "b", cycle ? "a.1" : "b.1", 1);
		end_both();
		CHECK_EQ(checks_verdict(), cycle ? FINDING_FAIL : FINDING_PASS);
	}
	CHECK_TEXT(checks_actual(),
		   "2 transactions lie on cycles; among them b's transaction 1 comes after a's "
		   "transaction 1 at t-0 offset 1, and elsewhere before it");
}

TEST(transactions_that_read_from_each_other_are_a_cycle)
{
	for (int cycle = 0; cycle < 2; cycle++) {
		transactions("txn.no_read_cycle");
		writes("a", "a.0", 0);
		writes("b", "b.0", 1);
		checks_run.partition = 0;
		checks_given("b", "a.0", 0);
		checks_run.partition = 1;
		if (cycle)
			checks_given("a", "b.0", 0);
		end_both();
		CHECK_EQ(checks_verdict(), cycle ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(inside_a_transaction_values_keep_their_order)
{
	for (int bad = 0; bad < 2; bad++) {
		transactions("txn.order");
		writes("a", bad ? "a.1" : "a.0", 0);
		writes("a", bad ? "a.0" : "a.1", 0);
		end_both();
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(foreign_records_inside_a_transaction_are_told)
{
	for (int bad = 0; bad < 2; bad++) {
		transactions("txn.alone");
		writes("b", "b.0", 0); /* before it began there */
		writes("a", "a.0", 0);
		if (bad)
			writes("b", "b.1", 0);
		writes("a", "a.1", 0);
		writes("a", "a.2", 1);
		end_both();
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}
