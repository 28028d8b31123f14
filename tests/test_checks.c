/* Every check is seen to pass on what is right and to fail on what is wrong, from events made by
 * hand. */
#include "checks/check.h"
#include "checks/codes.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>

#define ALL	 (NEEDS_WIRE | NEEDS_LOG | NEEDS_REPORTS)
#define START_US 1700000000000000

/* One run: a set of checks, a clock that ticks a millisecond an event, and what the events need. */
static struct {
	struct checks set;
	struct arena arena;
	int64_t now_us, next_offset;
	int64_t producer_id;
	int32_t correlation_id;
	bool transactional;
} run;

static struct check *begin(const char *name)
{
	struct check_scope scope = {.number = -1};

	memset(&run, 0, sizeof(run));
	arena_init(&run.arena, 1 << 20);
	checks_init(&run.set);
	run.now_us = START_US;
	run.producer_id = -1;
	checks_add(&run.set, check_type_find(str_of(name)), &scope);
	return &run.set.list[0];
}

static void feed(struct event ev)
{
	run.now_us += 1000;
	if (!ev.time_us)
		ev.time_us = run.now_us;
	checks_feed(&run.set, &ev);
}

__attribute__((format(printf, 2, 3))) static void say(const char *subject, const char *fmt, ...)
{
	char line[500];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	feed((struct event){.kind = EVENT_REPORT, .report = {str_of(subject), str_of(line)}});
}

static void batch(struct batch_options options, const char *key, const char *value,
		  int32_t partition)
{
	struct event ev = {.kind = EVENT_LOG};
	struct batch_builder b;
	struct buf out;

	buf_init(&out, 100000);
	options.base_offset = run.next_offset;
	batch_builder_init(&b, &options, &out);
	batch_builder_add(&b, 0, (struct bytes){(const uint8_t *)key, key ? 4 : 0},
			  (struct bytes){(const uint8_t *)value,
					 options.control ? 6 : (int32_t)strlen(value)},
			  NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	ev.log = (struct event_log){.what = LOG_APPENDED,
				    .topic = {"t", 1},
				    .topic_id = {{1}},
				    .partition = partition,
				    .base_offset = run.next_offset,
				    .next_offset = run.next_offset + 1,
				    .batch = {out.data, (int32_t)out.len}};
	run.next_offset++;
	feed(ev);
	buf_release(&out);
}

static void append(const char *value)
{
	struct batch_options options = BATCH_OPTIONS_INIT;

	options.producer_id = run.producer_id;
	options.producer_epoch = run.producer_id < 0 ? -1 : 0;
	options.base_sequence = run.producer_id < 0 ? -1 : (int32_t)run.next_offset;
	options.transactional = run.transactional;
	batch(options, NULL, value, 0);
}

static void marker(bool commit)
{
	struct batch_options options = BATCH_OPTIONS_INIT;

	options.producer_id = run.producer_id;
	options.producer_epoch = 0;
	options.transactional = options.control = true;
	batch(options, commit ? "\0\0\0\1" : "\0\0\0\0", "\0\0\0\0\0\0", 0);
}

static void acked(const char *value, int64_t offset)
{
	say("p",
	    "{\"name\":\"producer_send_success\",\"topic\":\"t\",\"key\":null,\"value\":\"%s\","
	    "\"partition\":0,\"offset\":%lld}",
	    value, (long long)offset);
}

static void given(const char *subject, const char *value, int64_t offset)
{
	say(subject,
	    "{\"name\":\"record_data\",\"topic\":\"t\",\"partition\":0,\"value\":\"%s\",\"offset\":"
	    "%lld}",
	    value, (long long)offset);
}

static void owns(const char *subject, const char *how)
{
	say(subject,
	    "{\"name\":\"partitions_%s\",\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}", how);
}

/* The finding, and the end of the run: text for a failed check is printed with it. */
static enum finding_result verdict(const char **ret_actual)
{
	static char actual[1000];
	enum finding_result result;

	checks_end(&run.set, ALL);
	result = run.set.list[0].finding.result;
	snprintf(actual, sizeof(actual), STR_FMT, STR_ARG(run.set.list[0].finding.actual));
	if (ret_actual)
		*ret_actual = actual;
	checks_release(&run.set);
	arena_release(&run.arena);
	return result;
}

/* An exchange whose bodies are given decoded. */
static void exchange_on(int64_t conn, int api_key, int version, const void *request,
			const void *response, int64_t took_us)
{
	struct exchange x = {.conn = {.conn = conn, .broker = 1}, .state = EXCHANGE_ANSWERED};

	x.header = (struct frame_header){.api_key = (int16_t)api_key,
					 .api_version = (int16_t)version,
					 .correlation_id = run.correlation_id++,
					 .client_id = {"c", 1}};
	x.request_us = run.now_us;
	x.response_us = run.now_us + took_us;
	x.request_body = (void *)(uintptr_t)request;
	x.response_body = (void *)(uintptr_t)response;
	x.request_decoded = x.response_decoded = true;
	x.arena = &run.arena;
	feed((struct event){.kind = EVENT_EXCHANGE, .exchange = &x});
}

static void exchange(int api_key, int version, const void *request, const void *response,
		     int64_t took_us)
{
	exchange_on(1, api_key, version, request, response, took_us);
}

TEST(nothing_seen_is_not_applicable_and_never_a_pass)
{
	size_t n;
	const struct check_type *const *types = check_types(&n);

	for (size_t i = 0; i < n; i++) {
		begin(types[i]->name);
		CHECK_EQ(verdict(NULL), FINDING_NOT_APPLICABLE);
	}
}

TEST(a_source_without_a_log_makes_a_log_check_not_applicable)
{
	struct check *c = begin("delivery.no_loss");

	acked("0", 0);
	checks_end(&run.set, NEEDS_WIRE);
	CHECK_EQ(c->finding.result, FINDING_NOT_APPLICABLE);
	CHECK_STR(c->finding.actual, "this source does not have what the broker persisted");
	checks_release(&run.set);
	arena_release(&run.arena);
}

TEST(an_acknowledged_value_that_no_log_has_is_lost)
{
	const char *actual;

	begin("delivery.no_loss");
	append("0");
	acked("0", 0);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("delivery.no_loss");
	append("0");
	acked("0", 0);
	acked("1", 1);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "1 of 2 acknowledged values are in no log: 1");
}

TEST(what_the_cluster_itself_took_away_is_not_lost_by_the_client)
{
	struct event ev = {.kind = EVENT_LOG,
			   .log = {.what = LOG_TRUNCATED, .topic = {"t", 1}, .topic_id = {{1}}}};

	begin("delivery.no_loss");
	append("0");
	acked("0", 0);
	feed(ev);
	CHECK_EQ(verdict(NULL), FINDING_PASS);
}

TEST(a_value_at_two_offsets_is_a_duplicate)
{
	const char *actual;

	begin("delivery.no_duplicates");
	append("0");
	acked("0", 0);
	append("1");
	acked("1", 1);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("delivery.no_duplicates");
	append("0");
	append("0");
	acked("0", 1);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "1 of 1 values stand in the log more than once: 0");
}

TEST(first_occurrences_out_of_the_order_of_sending_are_a_reorder)
{
	const char *actual;

	begin("order.per_partition");
	append("0");
	append("1");
	append("0"); /* a duplicate is no reorder */
	acked("0", 0);
	acked("1", 1);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("order.per_partition");
	append("1");
	append("0");
	acked("0", 1);
	acked("1", 0);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "in t-0 value 0 (offset 1) stands behind 1 (offset 0)");
}

TEST(a_failure_brings_its_events_in_order_of_time)
{
	struct check *c = begin("delivery.no_duplicates");
	struct finding *f = &c->finding;

	say("p", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\"}");
	append("0");
	feed((struct event){.kind = EVENT_RULE,
			    .rule = {.name = {"lost", 4},
				     .what = {"fired", 5},
				     .hit = 1,
				     .conn = 3,
				     .correlation_id = 41}});
	append("0");
	acked("0", 1);
	checks_end(&run.set, ALL);
	CHECK_EQ(f->moments_count, 5);
	CHECK_STR(f->moments[0].text, "p sends value 0 to t");
	CHECK_STR(f->moments[1].text, "log: t-0 offset 0 holds 0 (connection 0 correlation 0)");
	CHECK_STR(f->moments[2].text,
		  "rule lost fired (hit 1) on Produce, connection 3 correlation 41");
	CHECK_STR(f->moments[3].text, "log: t-0 offset 1 holds 0 (connection 0 correlation 0)");
	CHECK_STR(f->moments[4].text, "p is told that 0 is at t-0 offset 1");
	checks_release(&run.set);
	arena_release(&run.arena);
}

TEST(u1_asks_for_exactly_once_of_idempotent_producers_alone)
{
	begin("U1");
	append("0");
	append("0");
	acked("0", 0);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U1");
	run.producer_id = 7;
	append("0");
	append("0");
	acked("0", 0);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);

	begin("U1");
	acked("0", 0);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

TEST(u1_takes_an_offset_that_another_value_has_for_a_false_acknowledgement)
{
	const char *actual;

	begin("U1");
	append("0");
	append("1");
	acked("0", 1);
	acked("1", -1); /* where it is was not said */
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "1 values were acknowledged at an offset that they don't have: 0");

	begin("U1");
	append("0");
	append("0");
	acked("0", 1); /* the second of a duplicate */
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U1");
	append("0");
	acked("0", 7);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

TEST(u2_takes_a_reorder_with_several_in_flight_and_no_idempotence_as_documented)
{
	struct check *c = begin("U2");

	exchange(API_PRODUCE, 3, NULL, NULL, 10000);
	exchange(API_PRODUCE, 3, NULL, NULL, 10000);
	append("1");
	append("0");
	acked("0", 1);
	acked("1", 0);
	checks_end(&run.set, ALL);
	CHECK_EQ(c->finding.result, FINDING_FAIL);
	CHECK(c->finding.documented);
	checks_release(&run.set);
	arena_release(&run.arena);

	c = begin("U2");
	exchange(API_PRODUCE, 3, NULL, NULL, 500);
	exchange(API_PRODUCE, 3, NULL, NULL, 500);
	append("1");
	append("0");
	acked("0", 1);
	acked("1", 0);
	checks_end(&run.set, ALL);
	CHECK_EQ(c->finding.result, FINDING_FAIL);
	CHECK(!c->finding.documented);
	checks_release(&run.set);
	arena_release(&run.arena);
}

TEST(u2_counts_what_is_in_flight_over_all_connections_to_a_broker)
{
	struct check *c = begin("U2");

	exchange_on(1, API_PRODUCE, 3, NULL, NULL, 10000);
	exchange_on(2, API_PRODUCE, 3, NULL, NULL, 500);
	append("1");
	append("0");
	acked("0", 1);
	acked("1", 0);
	checks_end(&run.set, ALL);
	CHECK_EQ(c->finding.result, FINDING_FAIL);
	CHECK(c->finding.documented);
	checks_release(&run.set);
	arena_release(&run.arena);
}

TEST(u3_wants_offsets_to_go_up_and_skips_only_what_nobody_should_get)
{
	const char *actual;

	begin("U3");
	append("0");
	run.producer_id = 7;
	run.transactional = true;
	append("1");
	marker(false);
	run.transactional = false;
	append("3");
	owns("c", "assigned");
	given("c", "0", 0);
	given("c", "3", 3);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U3");
	append("0");
	append("1");
	append("2");
	owns("c", "assigned");
	given("c", "0", 0);
	given("c", "2", 2);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "c was given t-0 offset 0 and then 2; offset 1 holds 1");
}

TEST(u3_takes_a_step_back_only_after_a_new_assignment)
{
	const char *actual;

	begin("U3");
	append("0");
	owns("c", "assigned");
	given("c", "0", 0);
	owns("c", "revoked");
	owns("c", "assigned");
	given("c", "0", 0);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U3");
	append("0");
	owns("c", "assigned");
	given("c", "0", 0);
	given("c", "0", 0);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "c was given t-0 offset 0 after offset 0");
}

static void commit(int32_t generation, int64_t offset)
{
	struct offset_commit_request_topics_partitions p = {.committed_offset = offset};
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	struct offset_commit_request q = {.group_id = {"g", 1},
					  .generation_id_or_member_epoch = generation,
					  .topics = &t,
					  .topics_count = 1};
	struct offset_commit_response_topics_partitions rp = {0};
	struct offset_commit_response_topics rt = {
		.name = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct offset_commit_response r = {.topics = &rt, .topics_count = 1};

	exchange(API_OFFSET_COMMIT, 5, &q, &r, 100);
}

TEST(u4_takes_a_commit_back_only_in_a_later_generation)
{
	begin("U4");
	commit(1, 5);
	commit(1, 5);
	commit(2, 3);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U4");
	commit(1, 5);
	commit(1, 4);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

TEST(u4_refuses_a_commit_beyond_what_was_given)
{
	const char *actual;

	begin("U4");
	append("0");
	append("1");
	given("c", "0", 0);
	commit(1, 1);
	say("c", "{\"name\":\"shutdown_complete\"}");
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U4");
	append("0");
	append("1");
	given("c", "0", 0);
	commit(1, 2);
	say("c", "{\"name\":\"shutdown_complete\"}");
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "t-0: offset 2 was committed, but 1 (1) was given to nobody");
}

static void synced_as(const char *instance, const char *member, int32_t generation, int partition)
{
	uint8_t bytes[] = {
		0,   0,	  0,   0,  0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, (uint8_t)partition,
		255, 255, 255, 255};
	struct sync_group_request q = {
		.group_id = {"g", 1}, .member_id = str_of(member), .generation_id = generation};
	struct sync_group_response r = {.assignment = {bytes, sizeof(bytes)}};

	if (instance)
		q.group_instance_id = str_of(instance);
	exchange(API_SYNC_GROUP, 3, &q, &r, 100);
}

static void synced(const char *member, int32_t generation, int partition)
{
	synced_as(NULL, member, generation, partition);
}

TEST(a_static_member_that_comes_back_under_a_new_id_is_the_same_owner)
{
	begin("group.one_owner");
	synced_as("i", "a", 1, 0);
	synced_as("i", "b", 1, 0);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("group.one_owner");
	synced_as("i", "a", 1, 0);
	synced_as("j", "b", 1, 0);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);

	begin("group.one_owner");
	synced_as("i", "a", 1, 0);
	synced("b", 1, 0);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

TEST(a_partition_with_two_owners_in_one_generation_is_found)
{
	const char *actual;

	begin("group.one_owner");
	synced("a", 1, 0);
	synced("b", 1, 1);
	synced("b", 2, 0);
	synced("b", 2, 0);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("group.one_owner");
	synced("a", 1, 0);
	synced("b", 1, 0);
	CHECK_EQ(verdict(&actual), FINDING_FAIL);
	CHECK_TEXT(actual, "1 times a partition was given to a second member; first: t-0 belongs "
			   "to a and to b in "
			   "generation 1 of group g");
}

/* A Metadata v1 request frame, n bytes too long, with a correlation id; in flight for took_us. */
static void asked(int32_t correlation_id, size_t extra, int64_t took_us)
{
	uint8_t frame[] = {0,	3,   0,	  1,   0,   0, 0, (uint8_t)correlation_id, 0, 1,
			   'c', 255, 255, 255, 255, 9, 9};
	struct bytes bytes = {frame, (int32_t)(sizeof(frame) - 2 + extra)};
	struct exchange x = {
		.conn = {.conn = 1}, .state = EXCHANGE_LOST, .request = bytes, .arena = &run.arena};

	CHECK(frame_read_request(bytes, &x.header, NULL) >= 0);
	x.request_us = run.now_us;
	x.response_us = run.now_us + took_us;
	feed((struct event){.kind = EVENT_EXCHANGE, .exchange = &x});
}

TEST(u5_finds_bytes_behind_a_request_and_ids_used_twice)
{
	begin("U5");
	asked(1, 0, 100);
	asked(1, 0, 100);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U5");
	asked(1, 2, 100);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);

	begin("U5");
	asked(1, 0, 5000);
	asked(1, 0, 5000);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

static void heartbeat(int16_t error_code, int64_t wait_us)
{
	struct heartbeat_request q = {0};
	struct heartbeat_response r = {.error_code = error_code};

	run.now_us += wait_us - 1000;
	exchange(API_HEARTBEAT, 3, &q, &r, 100);
}

TEST(u6_allows_twenty_requests_a_second_while_an_error_repeats)
{
	struct check *c = begin("U6");

	for (int i = 0; i < 200; i++)
		heartbeat(15, 60000);
	checks_end(&run.set, ALL);
	CHECK_EQ(c->finding.result, FINDING_PASS);
	for (int i = 0; i < 30; i++)
		heartbeat(15, 20000);
	checks_end(&run.set, ALL);
	CHECK_EQ(c->finding.result, FINDING_FAIL);
	CHECK(!c->finding.storm);
	for (int i = 0; i < 200; i++)
		heartbeat(15, 2000);
	checks_end(&run.set, ALL);
	CHECK(c->finding.storm);
	checks_release(&run.set);
	arena_release(&run.arena);
}

TEST(u6_does_not_count_good_answers)
{
	begin("U6");
	for (int i = 0; i < 500; i++)
		heartbeat(i % 2 ? 15 : 0, 2000);
	CHECK_EQ(verdict(NULL), FINDING_PASS);
}

TEST(u7_wants_progress_after_the_last_fault)
{
	struct event fired = {.kind = EVENT_RULE, .rule = {.name = {"r", 1}, .what = {"fired", 5}}};

	begin("U7");
	feed(fired);
	heartbeat(15, 2000);
	heartbeat(0, 2000);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U7");
	feed(fired);
	for (int i = 0; i < 60; i++)
		heartbeat(15, 1000000);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);
}

static void versions(int64_t took_us)
{
	struct api_versions_response_api_keys keys[] = {
		{.api_key = API_HEARTBEAT, .min_version = 0, .max_version = 2}};
	struct api_versions_response r = {.api_keys = keys, .api_keys_count = 1};

	exchange(API_API_VERSIONS, 3, &(struct api_versions_request){0}, &r, took_us);
}

TEST(u8_finds_versions_that_were_not_offered)
{
	struct heartbeat_request q = {0};
	struct heartbeat_response r = {0};

	begin("U8");
	versions(100);
	exchange(API_HEARTBEAT, 2, &q, &r, 100);
	CHECK_EQ(verdict(NULL), FINDING_PASS);

	begin("U8");
	versions(100);
	exchange(API_HEARTBEAT, 3, &q, &r, 100);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);

	begin("U8");
	versions(5000);
	exchange(API_HEARTBEAT, 2, &q, &r, 100);
	CHECK_EQ(verdict(NULL), FINDING_FAIL);

	/* Who asks again need not wait for that. */
	begin("U8");
	versions(100);
	versions(5000);
	exchange(API_HEARTBEAT, 2, &q, &r, 100);
	CHECK_EQ(verdict(NULL), FINDING_PASS);
}

TEST(error_codes_are_found_wherever_they_stand)
{
	struct produce_response_responses_partition_responses p[] = {{.error_code = 6},
								     {.error_code = 0}};
	struct produce_response_responses t = {
		.name = {"t", 1}, .partition_responses = p, .partition_responses_count = 2};
	struct produce_response r = {.responses = &t, .responses_count = 1};
	struct exchange x = {.header = {.api_key = API_PRODUCE, .api_version = 3},
			     .response_body = &r,
			     .response_decoded = true};
	int16_t codes[4];

	CHECK_EQ(exchange_codes(&x, codes, 4), 2);
	CHECK_EQ(codes[0], 6);
	CHECK_EQ(codes[1], 0);
	CHECK_EQ(exchange_error(&x), 6);
}

TEST(the_number_of_a_value_is_its_last_part)
{
	CHECK_EQ(history_value_number(str_of("7")), 7);
	CHECK_EQ(history_value_number(str_of("2.70")), 70);
	CHECK_EQ(history_value_number(str_of("a7")), -1);
	CHECK_EQ(history_value_number(str_of("")), -1);
	CHECK_EQ(history_value_number((struct str){0}), -1);
}
