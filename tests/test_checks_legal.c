/* What a client may do, and no check may hold against it; beside each the nearest thing that is
 * wrong. Every pair here was thought of by asking a check's code: whom would it blame unjustly? */
#include "checks/check.h"
#include "protocol/batch_builder.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "tests/checks_fixture.h"
#include "tests/test.h"

#include <stdio.h>

/* ---- producers ---- */

static void produce_to(int32_t broker, int32_t sequence, int n, const char *value, int16_t code)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;

	options.producer_id = 7;
	options.producer_epoch = 0;
	options.base_sequence = sequence;
	buf_init(&out, 100000);
	batch_builder_init(&b, &options, &out);
	for (int i = 0; i < n; i++)
		batch_builder_add(&b, 0, (struct bytes){0},
				  (struct bytes){(const uint8_t *)value, (int32_t)strlen(value)},
				  NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);

	struct produce_request_topic_data_partition_data p = {
		.records = {out.data, (int32_t)out.len, 0}};
	struct produce_request_topic_data t = {
		.name = {"t", 1}, .partition_data = &p, .partition_data_count = 1};
	struct produce_request q = {.topic_data = &t, .topic_data_count = 1};
	struct produce_response_responses_partition_responses rp = {
		.error_code = code, .current_leader = {.leader_id = -1}};
	struct produce_response_responses rt = {
		.name = {"t", 1}, .partition_responses = &rp, .partition_responses_count = 1};
	struct produce_response r = {.responses = &rt, .responses_count = 1};

	checks_run.broker = broker;
	checks_exchange(API_PRODUCE, 9, &q, &r, 1);
	buf_release(&out);
}

TEST(what_was_refused_for_good_leaves_its_sequence_to_others)
{
	/* Too large: it comes again in parts. */
	checks_begin("produce.sequences", -1);
	produce_to(1, 0, 4, "a", ERROR_MESSAGE_TOO_LARGE);
	produce_to(1, 0, 2, "a", 0);
	produce_to(1, 2, 2, "a", 0);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	/* Nobody knows whether this one was written. */
	checks_begin("produce.sequences", -1);
	produce_to(1, 0, 4, "a", ERROR_REQUEST_TIMED_OUT);
	produce_to(1, 0, 2, "a", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_producer_that_was_forgotten_begins_anew)
{
	checks_begin("produce.sequences", -1);
	produce_to(1, 0, 1, "a", 0);
	produce_to(1, 1, 1, "b", ERROR_UNKNOWN_PRODUCER_ID);
	produce_to(1, 0, 1, "b", 0);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("produce.sequences", -1);
	produce_to(1, 0, 1, "a", 0);
	produce_to(1, 1, 1, "b", ERROR_NOT_ENOUGH_REPLICAS);
	produce_to(1, 0, 1, "b", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_new_leader_is_written_to_at_once)
{
	checks_begin("produce.backoff", 100);
	produce_to(1, 0, 1, "a", ERROR_NOT_LEADER_OR_FOLLOWER);
	produce_to(2, 0, 1, "a", ERROR_NOT_ENOUGH_REPLICAS);
	checks_wait_ms(100);
	produce_to(2, 0, 1, "a", 0);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("produce.backoff", 100);
	produce_to(1, 0, 1, "a", ERROR_NOT_LEADER_OR_FOLLOWER);
	produce_to(1, 0, 1, "a", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(pauses_between_retries_grow)
{
	static const int32_t growing[] = {100, 200, 400}, same[] = {100, 100, 100};
	const int32_t *const pauses[] = {growing, same};

	for (int bad = 0; bad < 2; bad++) {
		checks_begin("produce.backoff_grows", -1);
		for (int i = 0; i < 3; i++) {
			produce_to(1, 0, 1, "a", ERROR_NOT_ENOUGH_REPLICAS);
			checks_wait_ms(pauses[bad][i]);
		}
		produce_to(1, 0, 1, "a", 0);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(what_was_acknowledged_and_cut_off_was_where_it_was_said_to_be)
{
	static const char *const names[] = {"delivery.true_offsets", "U1"};

	for (int i = 0; i < 2; i++) {
		checks_begin(names[i], -1);
		checks_append("0");
		checks_acked("p", "0", 0);
		checks_truncate(0);
		checks_append("1");
		checks_acked("p", "1", 0);
		CHECK_EQ(checks_verdict(), FINDING_PASS);
	}
	checks_begin("delivery.true_offsets", -1);
	checks_append("0");
	checks_append("1");
	checks_acked("p", "1", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(what_a_topic_held_before_it_was_made_anew_is_no_duplicate)
{
	checks_begin("delivery.no_duplicates", -1);
	checks_append("0");
	checks_recreate();
	checks_append("0");
	checks_acked("p", "0", 0);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("delivery.no_duplicates", -1);
	checks_append("0");
	checks_append("0");
	checks_acked("p", "0", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

static void failed(const char *value)
{
	checks_say("p",
		   "{\"name\":\"producer_send_error\",\"topic\":\"t\",\"value\":\"%s\","
		   "\"message\":\"time is up\"}",
		   value);
}

TEST(what_was_given_up_may_be_written_late)
{
	checks_begin("order.per_partition", -1);
	checks_append("1");
	checks_append("0");
	checks_acked("p", "1", 0);
	failed("0");
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("order.per_partition", -1);
	checks_append("1");
	checks_append("0");
	checks_acked("p", "1", 0);
	checks_acked("p", "0", 1);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(offsets_rise_as_values_are_sent)
{
	checks_begin("order.offsets", -1);
	checks_append("0");
	checks_append("1");
	checks_acked("p", "1", 1); /* told in another order than sent */
	checks_acked("p", "0", 0);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("order.offsets", -1);
	checks_append("1");
	checks_append("0");
	checks_acked("p", "0", 1);
	checks_acked("p", "1", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(),
		   "value 1 was sent after 0 and is at t-0 offset 0, which is not behind 1");
}

TEST(a_long_value_is_found_in_the_log)
{
	char value[301], line[400];

	memset(value, '7', 300);
	memcpy(value, "prefix.", 7);
	value[300] = '\0';
	checks_begin("delivery.no_loss", -1);
	checks_append(value);
	snprintf(line, sizeof(line),
		 "{\"name\":\"producer_send_success\",\"topic\":\"t\",\"partition\":0,\"value\":"
		 "\"%s\"}",
		 value);
	checks_say("p", "%s", line);
	CHECK_EQ(checks_verdict(), FINDING_PASS);
}

static void sent_with(const char *key)
{
	checks_say("p", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\",\"key\":%s}",
		   key);
}

TEST(a_null_key_is_not_empty)
{
	checks_begin("delivery.as_sent", -1);
	sent_with("null");
	checks_append("0");
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("delivery.as_sent", -1);
	sent_with("\"\"");
	checks_append("0");
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(), "t-0 offset 0 (0) has no key; it was sent with the key ''");
}

/* ---- consumers ---- */

static void fetch_answered(int64_t offset, int16_t code)
{
	struct fetch_request_topics_partitions qp = {.fetch_offset = offset,
						     .current_leader_epoch = -1};
	struct fetch_request_topics qt = {
		.topic = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct fetch_request q = {.topics = &qt, .topics_count = 1, .replica_id = -1};
	struct fetch_response_responses_partitions rp = {.error_code = code,
							 .preferred_read_replica = -1};
	struct fetch_response_responses rt = {
		.topic = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct fetch_response r = {.responses = &rt, .responses_count = 1};

	checks_exchange(API_FETCH, 4, &q, &r, 1);
}

TEST(a_position_that_is_gone_may_step_back_once)
{
	for (int bad = 0; bad < 2; bad++) {
		checks_begin("U3", -1);
		checks_append("0");
		checks_append("1");
		checks_given("c", "0", 0);
		checks_given("c", "1", 1);
		fetch_answered(2, bad ? 0 : ERROR_OFFSET_OUT_OF_RANGE);
		checks_given("c", "0", 0);
		checks_given("c", "1", 1);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
	checks_begin("U3", -1);
	checks_append("0");
	checks_given("c", "0", 0);
	fetch_answered(1, ERROR_OFFSET_OUT_OF_RANGE);
	checks_given("c", "0", 0);
	checks_given("c", "0", 0); /* and once more */
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_position_that_the_log_never_had_excuses_nothing)
{
	checks_begin("U3", -1);
	checks_append("0");
	checks_given("c", "0", 0);
	fetch_answered(3978709506094217016, ERROR_OFFSET_OUT_OF_RANGE);
	checks_given("c", "0", 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_reset_to_the_end_passes_over_what_was_there)
{
	checks_begin("U3", -1);
	checks_append("0");
	checks_append("1");
	checks_given("c", "0", 0);
	fetch_answered(1, ERROR_OFFSET_OUT_OF_RANGE);
	checks_append("2");
	checks_given("c", "2", 2);
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	/* To what stood there already no policy leads. */
	checks_begin("U3", -1);
	checks_append("0");
	checks_append("1");
	checks_append("2");
	checks_given("c", "0", 0);
	fetch_answered(1, ERROR_OFFSET_OUT_OF_RANGE);
	checks_given("c", "2", 2);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);

	/* What lies below the lost position was on its way to the application. */
	checks_begin("U3", -1);
	checks_append("0");
	checks_append("1");
	checks_given("c", "0", 0);
	fetch_answered(2, ERROR_OFFSET_OUT_OF_RANGE);
	checks_append("2");
	checks_given("c", "2", 2);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_partition_that_nobody_read_is_unseen)
{
	checks_begin_on("read.everything", "t");
	checks_append("0");
	checks_given("c", "0", 0);
	checks_run.partition = 1;
	checks_run.next_offset = 0;
	checks_append("1");
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(), "t-1 offset 0 (1) was given to nobody");

	checks_begin("read.everything", -1);
	checks_append("0");
	CHECK_EQ(checks_verdict(), FINDING_NOT_APPLICABLE);
	checks_begin_on("read.everything", "t");
	checks_append("0");
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(what_can_not_be_read_is_not_passed_over)
{
	for (int64_t end = 2; end < 4; end++) {
		checks_begin("read.nothing_passed_over", -1);
		checks_append("0");
		checks_event((struct event){.kind = EVENT_LOG,
					    .log = {.what = LOG_APPENDED,
						    .topic = {"t", 1},
						    .topic_id = checks_run.topic_id,
						    .base_offset = 1,
						    .next_offset = end,
						    .batch = {(const uint8_t *)"no batch", 8}}});
		checks_run.next_offset = end;
		checks_append("1");
		checks_given("c", "0", 0);
		if (end == 3)
			checks_given("c", "1", end);
		CHECK_EQ(checks_verdict(), end == 3 ? FINDING_FAIL : FINDING_PASS);
	}
	CHECK_TEXT(checks_actual(),
		   "t-0 offsets 1 to 2 can't be read, and offset 3 behind them was given");
}

TEST(what_was_read_before_a_topic_was_made_anew_is_not_read_now)
{
	for (int again = 0; again < 2; again++) {
		checks_begin_on("read.everything", "t");
		checks_append("0");
		checks_given("c", "0", 0);
		checks_recreate();
		checks_append("1");
		if (again)
			checks_given("c", "1", 0);
		CHECK_EQ(checks_verdict(), again ? FINDING_PASS : FINDING_FAIL);
	}
}

static void isolated(void)
{
	struct fetch_request q = {.isolation_level = 1, .replica_id = -1};
	struct fetch_response r = {0};

	checks_exchange(API_FETCH, 4, &q, &r, 1);
}

TEST(what_is_committed_later_was_open_when_it_was_given)
{
	for (int early = 0; early < 2; early++) {
		checks_begin("read.nothing_open", -1);
		isolated();
		checks_run.producer_id = 7;
		checks_run.transactional = true;
		checks_append("0");
		if (early)
			checks_given("c", "0", 0);
		checks_marker(true);
		if (!early)
			checks_given("c", "0", 0);
		CHECK_EQ(checks_verdict(), early ? FINDING_FAIL : FINDING_PASS);
	}
}

static void commit_by(const char *member, int64_t offset, int64_t took_ms)
{
	struct offset_commit_request_topics_partitions p = {.committed_offset = offset};
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	struct offset_commit_request q = {.group_id = {"g", 1},
					  .member_id = str_of(member),
					  .generation_id_or_member_epoch = 1,
					  .topics = &t,
					  .topics_count = 1};
	struct offset_commit_response_topics_partitions rp = {0};
	struct offset_commit_response_topics rt = {
		.name = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct offset_commit_response r = {.topics = &rt, .topics_count = 1};

	checks_exchange(API_OFFSET_COMMIT, 5, &q, &r, took_ms);
}

/* One commit of t's first two partitions, both at that offset; the second one's answer. */
static void commit_both(int64_t offset, int16_t code)
{
	struct offset_commit_request_topics_partitions p[] = {
		{.committed_offset = offset}, {.partition_index = 1, .committed_offset = offset}};
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = p, .partitions_count = 2};
	struct offset_commit_request q = {.group_id = {"g", 1}, .topics = &t, .topics_count = 1};
	struct offset_commit_response_topics_partitions rp[] = {
		{0}, {.partition_index = 1, .error_code = code}};
	struct offset_commit_response_topics rt = {
		.name = {"t", 1}, .partitions = rp, .partitions_count = 2};
	struct offset_commit_response r = {.topics = &rt, .topics_count = 1};

	checks_exchange(API_OFFSET_COMMIT, 5, &q, &r, 1);
}

static void say_committed(int64_t offset, const char *success)
{
	checks_say("c",
		   "{\"name\":\"offsets_committed\",\"success\":%s,\"offsets\":["
		   "{\"topic\":\"t\",\"partition\":0,\"offset\":%lld},"
		   "{\"topic\":\"t\",\"partition\":1,\"offset\":%lld}]}",
		   success, (long long)offset, (long long)offset);
}

TEST(a_commit_that_was_refused_for_a_partition_is_not_told_as_committed)
{
	checks_begin("offsets.committed_as_told", -1);
	commit_both(5, 0);
	say_committed(5, "true");
	commit_both(9, ERROR_INVALID_COMMIT_OFFSET_SIZE);
	say_committed(9, "false");
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("offsets.committed_as_told", -1);
	commit_both(9, ERROR_INVALID_COMMIT_OFFSET_SIZE);
	say_committed(9, "true");
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
	CHECK_TEXT(checks_actual(), "c was told that t-1 offset 9 is committed, and no broker had "
				    "taken it");

	checks_begin("offsets.committed_as_told", -1);
	say_committed(5, "true"); /* before it was even asked for */
	checks_wait_ms(1);
	commit_both(5, 0);
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_commit_that_was_tried_again_or_went_with_a_later_one_is_committed)
{
	checks_begin("offsets.committed_as_told", -1);
	commit_both(5, ERROR_COORDINATOR_LOAD_IN_PROGRESS);
	commit_both(5, 0);
	say_committed(5, "true");
	commit_both(12, 0);
	say_committed(11, "true");
	CHECK_EQ(checks_verdict(), FINDING_PASS);
}

TEST(a_commit_goes_back_when_the_position_was_gone)
{
	for (int bad = 0; bad < 2; bad++) {
		checks_begin("U4", -1);
		commit_by("m", 9, 1);
		fetch_answered(9, bad ? 0 : ERROR_OFFSET_OUT_OF_RANGE);
		commit_by("m", 2, 1);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(commits_count_as_they_arrive)
{
	checks_begin("U4", -1);
	commit_by("m", 9, 1);
	checks_run.now_us -= 5000; /* it arrived before the other, and is answered behind it */
	commit_by("m", 2, 20);
	CHECK_EQ(checks_verdict(), FINDING_PASS);
}

/* ---- members ---- */

static void join(const char *id, int16_t code, const char *told)
{
	struct join_group_request q = {.group_id = {"g", 1},
				       .member_id = str_of(id),
				       .protocol_type = {"consumer", 8},
				       .session_timeout_ms = 100};
	struct join_group_response r = {
		.error_code = code, .member_id = str_of(told), .generation_id = 1};

	checks_exchange(API_JOIN_GROUP, 4, &q, &r, 1);
}

TEST(members_that_share_a_client_id_are_told_apart)
{
	checks_begin("group.member_id", -1);
	join("", ERROR_MEMBER_ID_REQUIRED, "m-1");
	checks_run.conn = 2;
	join("", ERROR_MEMBER_ID_REQUIRED, "m-2");
	checks_run.conn = 1;
	join("m-1", 0, "m-1");
	checks_run.conn = 2;
	join("m-2", 0, "m-2");
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("group.member_id", -1);
	join("", ERROR_MEMBER_ID_REQUIRED, "m-1");
	checks_run.conn = 2;
	join("", ERROR_MEMBER_ID_REQUIRED, "m-2");
	join("m-3", 0, "m-3");
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(a_commit_is_a_sign_of_life)
{
	for (int bad = 0; bad < 2; bad++) {
		checks_begin("group.heartbeats", -1);
		join("m", 0, "m");
		checks_wait_ms(80);
		if (!bad)
			commit_by("m", 1, 1);
		checks_wait_ms(80);
		commit_by("m", 2, 1);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

/* ---- connections ---- */

static void throttled(int version, int32_t ms)
{
	struct heartbeat_request q = {0};
	struct heartbeat_response r = {.throttle_time_ms = ms};

	checks_exchange(API_HEARTBEAT, version, &q, &r, 1);
}

TEST(before_kip_219_the_broker_keeps_the_throttle_time)
{
	for (int version = 1; version <= 2; version++) {
		checks_begin("connection.silent_when_throttled", -1);
		throttled(version, 1000);
		checks_wait_ms(300);
		throttled(version, 0);
		CHECK_EQ(checks_verdict(), version == 1 ? FINDING_NOT_APPLICABLE : FINDING_FAIL);
	}
}

TEST(who_is_gone_asks_for_no_metadata)
{
	for (int bad = 0; bad < 2; bad++) {
		checks_begin("metadata.asked_after_error", 100);
		fetch_answered(0, ERROR_NOT_LEADER_OR_FOLLOWER);
		checks_wait_ms(300);
		checks_run.client = bad ? "c" : "another";
		throttled(1, 0);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_NOT_APPLICABLE);
	}
}

static void hinted(int32_t leader)
{
	struct fetch_response_responses_partitions rp = {.error_code = ERROR_NOT_LEADER_OR_FOLLOWER,
							 .current_leader = {.leader_id = leader}};
	struct fetch_response_responses rt = {
		.topic = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct fetch_response r = {.responses = &rt, .responses_count = 1};

	checks_exchange(API_FETCH, 16, &(struct fetch_request){.replica_id = -1}, &r, 1);
}

TEST(who_was_told_the_leader_need_not_ask)
{
	for (int32_t leader = -1; leader < 1; leader++) {
		checks_begin("metadata.asked_after_error", 100);
		hinted(leader);
		checks_wait_ms(300);
		throttled(1, 0);
		CHECK_EQ(checks_verdict(), leader < 0 ? FINDING_FAIL : FINDING_NOT_APPLICABLE);
	}
}

TEST(a_connection_that_was_confused_is_left)
{
	struct event ev = {.kind = EVENT_RULE,
			   .rule = {.text = str_of("Fetch nth=3 -> correlation 7"), .conn = 1}};

	for (int bad = 0; bad < 2; bad++) {
		checks_begin("connection.dropped_when_confused", -1);
		checks_event(ev);
		throttled(1, 0); /* was on its way */
		checks_wait_ms(600);
		checks_run.conn = bad ? 1 : 2;
		throttled(1, 0);
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

/* ---- progress ---- */

static void beat(int16_t code)
{
	struct heartbeat_request q = {0};
	struct heartbeat_response r = {.error_code = code};

	checks_exchange(API_HEARTBEAT, 1, &q, &r, 1);
}

static void fault(void)
{
	checks_event((struct event){.kind = EVENT_RULE,
				    .rule = {.name = {"r", 1}, .what = {"fired", 5}}});
}

TEST(who_has_nothing_to_do_need_not_get_on)
{
	checks_begin("U7", -1);
	fault();
	checks_wait_ms(60000);
	beat(0);
	CHECK_EQ(checks_verdict(), FINDING_NOT_APPLICABLE);

	checks_begin("U7", -1);
	fault();
	checks_say("p", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\"}");
	checks_wait_ms(60000);
	beat(0); /* it sleeps on what it has to send */
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(metadata_alone_is_no_trying)
{
	struct metadata_request q = {0};
	struct metadata_response r = {0};

	for (int bad = 0; bad < 2; bad++) {
		checks_begin("U7", -1);
		fault();
		for (int i = 0; i < 30; i++) {
			checks_exchange(API_METADATA, 1, &q, &r, 1);
			if (bad)
				beat(ERROR_NOT_COORDINATOR);
			checks_wait_ms(1000);
		}
		CHECK_EQ(checks_verdict(), bad ? FINDING_FAIL : FINDING_NOT_APPLICABLE);
	}
}
