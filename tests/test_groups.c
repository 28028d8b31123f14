/* Groups out of exchanges: what no capture of fixtures/pcap shows, as members that the capture
 * lacks, a member that was thrown out, lag; and fetch sessions. Bodies are given decoded. */
#include "decoder/groups.h"
#include "decoder/sessions.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <string.h>

struct told {
	struct groups *groups;
	struct arena arena;
	struct buf out;
	int64_t now_us;
};

static void begin(struct told *t)
{
	*t = (struct told){.groups = groups_new(NULL, NULL), .now_us = 1000000};
	arena_init(&t->arena, 1 << 20);
	buf_init(&t->out, 1 << 20);
}

static const char *story(struct told *t)
{
	groups_write(t->groups, &t->out);
	return buf_cstr(&t->out);
}

static void end(struct told *t)
{
	groups_free(t->groups);
	arena_release(&t->arena);
	buf_release(&t->out);
}

/* Takes 1 ms. */
static struct exchange pair(struct told *t, int16_t key, int16_t version, void *q, void *r)
{
	struct exchange x = {
		.conn = {.conn = 1, .client = {.family = 4, .addr = {10, 0, 0, 1}, .port = 5000}},
		.header = {.api_key = key, .api_version = version, .client_id = str_of("app")},
		.arena = &t->arena,
		.request_body = q,
		.response_body = r,
		.request_decoded = true,
		.response_decoded = true,
		.request_us = t->now_us,
		.response_us = t->now_us + 1000};

	t->now_us += 1000;
	return x;
}

static void feed(struct told *t, int16_t key, int16_t version, void *q, void *r)
{
	struct exchange x = pair(t, key, version, q, r);

	groups_exchange(t->groups, &x, NULL);
}

/* members: NUL-separated ids that the answer lists; an empty one ends them. */
static void join(struct told *t, const char *id, int32_t generation, const char *leader,
		 const char *members)
{
	struct join_group_request q = {.group_id = str_of("g"),
				       .session_timeout_ms = 10000,
				       .rebalance_timeout_ms = 60000,
				       .member_id = str_of(id)};
	struct join_group_response_members list[4] = {0};
	struct join_group_response r = {.generation_id = generation,
					.protocol_name = str_of("range"),
					.leader = str_of(leader),
					.member_id = str_of(id),
					.members = list};

	for (; members && *members; members += strlen(members) + 1)
		list[r.members_count++].member_id = str_of(members);
	feed(t, API_JOIN_GROUP, 7, &q, &r);
}

static void heartbeat(struct told *t, const char *id, int32_t generation, int16_t code)
{
	struct heartbeat_request q = {
		.group_id = str_of("g"), .generation_id = generation, .member_id = str_of(id)};
	struct heartbeat_response r = {.error_code = code};

	feed(t, API_HEARTBEAT, 3, &q, &r);
}

/* The story has that part; else both are shown. */
static void has(const char *text, const char *part)
{
	if (strstr(text, part))
		CHECK(true);
	else
		CHECK_TEXT(text, part);
}

TEST(a_member_that_the_capture_lacks_is_named_by_the_leaders_answer)
{
	struct told t;
	const char *text;

	begin(&t);
	join(&t, "a", 1, "a", "a\0b\0");
	text = story(&t);
	has(text, "2 members, 1 generations, 1 members not in this capture\n");
	has(text, "m2   b  not in this capture\n");
	has(text, "joined    m2, which is not in this capture\n");
	end(&t);
}

TEST(a_member_that_left_says_so_and_one_that_fell_silent_does_not)
{
	struct leave_group_request q = {.group_id = str_of("g"), .member_id = str_of("b")};
	struct leave_group_response r = {0};
	struct told t;
	const char *text;

	begin(&t);
	join(&t, "b", 1, "a", NULL);
	join(&t, "c", 1, "a", NULL);
	join(&t, "a", 1, "a", "a\0b\0c\0");
	feed(&t, API_LEAVE_GROUP, 2, &q, &r);
	t.now_us += 11000000;
	heartbeat(&t, "a", 1, ERROR_REBALANCE_IN_PROGRESS);
	join(&t, "a", 2, "a", "a\0");
	text = story(&t);
	has(text, "    because   m1 left\n");
	has(text, "    left      m1: LeaveGroup\n");
	has(text, "    left      m3: not heard for 11.0");
	has(text, "longer than its session time-out of 10.000 s\n");
	has(text, "    rejoined  m2, told by the broker\n");
	end(&t);
}

TEST(lag_is_the_end_behind_what_was_committed_and_its_most_is_kept)
{
	struct fetch_request_topics_partitions asked = {.partition = 2, .fetch_offset = 70};
	struct fetch_request_topics topic = {
		.topic = str_of("orders"), .partitions = &asked, .partitions_count = 1};
	struct fetch_request q = {.replica_id = -1,
				  .replica_state = {.replica_id = -1},
				  .topics = &topic,
				  .topics_count = 1};
	struct fetch_response_responses_partitions got = {.partition_index = 2,
							  .high_watermark = 100};
	struct fetch_response_responses answer = {
		.topic = str_of("orders"), .partitions = &got, .partitions_count = 1};
	struct fetch_response r = {.responses = &answer, .responses_count = 1};
	struct offset_commit_request_topics_partitions position = {.partition_index = 2,
								   .committed_offset = 60};
	struct offset_commit_request_topics committed = {
		.name = str_of("orders"), .partitions = &position, .partitions_count = 1};
	struct offset_commit_request cq = {
		.group_id = str_of("g"), .topics = &committed, .topics_count = 1};
	struct offset_commit_response_topics_partitions fine = {.partition_index = 2};
	struct offset_commit_response_topics done = {
		.name = str_of("orders"), .partitions = &fine, .partitions_count = 1};
	struct offset_commit_response cr = {.topics = &done, .topics_count = 1};
	struct told t;

	begin(&t);
	feed(&t, API_FETCH, 11, &q, &r);
	feed(&t, API_OFFSET_COMMIT, 7, &cq, &cr);
	position.committed_offset = 95;
	feed(&t, API_OFFSET_COMMIT, 7, &cq, &cr);
	has(story(&t),
	    "  orders-2   -               95           -         100           5          "
	    "40\n");
	end(&t);
}

/* ---- sessions ---- */

static void fetch(struct told *t, struct sessions *ss, int32_t session, int32_t epoch,
		  const char *topic, const char *forgotten, int16_t code, struct summary *ret)
{
	static int32_t zero[] = {0};
	struct fetch_request_topics_partitions asked = {0};
	struct fetch_request_topics named = {
		.topic = str_of(topic), .partitions = &asked, .partitions_count = 1};
	struct fetch_request_forgotten_topics_data gone = {
		.topic = str_of(forgotten), .partitions = zero, .partitions_count = 1};
	struct fetch_request q = {.session_id = session,
				  .session_epoch = epoch,
				  .topics = &named,
				  .topics_count = topic != NULL,
				  .forgotten_topics_data = &gone,
				  .forgotten_topics_data_count = forgotten != NULL};
	struct fetch_response r = {.session_id = 7, .error_code = code};
	struct exchange x = pair(t, API_FETCH, 11, &q, &r);

	summarize(&x, NULL, ret);
	sessions_resolve(ss, &x, NULL, ret);
}

TEST(an_incremental_fetch_names_what_its_session_holds)
{
	struct sessions *ss = sessions_new(NULL);
	struct summary s;
	struct told t;

	begin(&t);
	fetch(&t, ss, 0, 0, "orders", NULL, 0, &s);
	CHECK_EQ(s.topics_count, 1);
	fetch(&t, ss, 7, 1, "payments", NULL, 0, &s);
	CHECK_EQ(s.topics_count, 2);
	CHECK_EQ(s.partitions_count[0], 2);
	fetch(&t, ss, 7, 2, NULL, NULL, 0, &s);
	CHECK_EQ(s.topics_count, 2);
	CHECK_EQ(s.session_id, 7);
	CHECK_EQ(s.session_partitions, 2);
	fetch(&t, ss, 7, 3, NULL, "orders", 0, &s);
	fetch(&t, ss, 7, 4, NULL, NULL, 0, &s);
	CHECK_EQ(s.partitions_count[0], 1);
	CHECK_STR(s.topics[s.partitions[0][0].topic], "payments");
	sessions_free(ss);
	end(&t);
}

TEST(a_session_that_the_broker_does_not_know_holds_nothing)
{
	struct sessions *ss = sessions_new(NULL);
	struct summary s;
	struct told t;

	begin(&t);
	fetch(&t, ss, 0, 0, "orders", NULL, 0, &s);
	fetch(&t, ss, 7, 1, NULL, NULL, ERROR_FETCH_SESSION_ID_NOT_FOUND, &s);
	fetch(&t, ss, 7, 2, NULL, NULL, 0, &s);
	CHECK_EQ(s.topics_count, 0);
	sessions_free(ss);
	end(&t);
}

TEST(of_a_session_older_than_the_capture_what_was_named_since_is_known)
{
	struct sessions *ss = sessions_new(NULL);
	struct summary s;
	struct told t;

	begin(&t);
	fetch(&t, ss, 7, 5, "orders", NULL, 0, &s);
	fetch(&t, ss, 7, 6, NULL, NULL, 0, &s);
	CHECK_EQ(s.topics_count, 1);
	fetch(&t, ss, 7, -1, NULL, NULL, 0, &s);
	CHECK_EQ(s.session_id, 0);
	sessions_free(ss);
	end(&t);
}
