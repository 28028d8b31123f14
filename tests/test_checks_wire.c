/* Checks that judge the wire, and those between writing and reading: each seen to pass and to fail,
 * from events made by hand. */
#include "checks/check.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>

#define START_US 1700000000000000

static struct {
	struct checks set;
	struct arena arena;
	int64_t now_us, next_offset;
	uint32_t correlation_id;
	const char *client;
	bool transactional;
} run;

static void begin(const char *name, int64_t number)
{
	struct check_scope scope = {.number = number};

	memset(&run, 0, sizeof(run));
	arena_init(&run.arena, 1 << 20);
	checks_init(&run.set);
	run.set.history->of_a_run = true;
	run.now_us = START_US;
	run.client = "c";
	checks_add(&run.set, check_type_find(str_of(name)), &scope);
}

static void feed(struct event ev)
{
	ev.time_us = ev.time_us ? ev.time_us : run.now_us;
	checks_feed(&run.set, &ev);
	run.now_us += 1000;
}

static enum finding_result verdict(void)
{
	enum finding_result result;

	checks_end(&run.set, NEEDS_WIRE | NEEDS_LOG | NEEDS_REPORTS);
	result = run.set.list[0].finding.result;
	checks_release(&run.set);
	arena_release(&run.arena);
	return result;
}

static void wait_ms(int64_t ms)
{
	run.now_us += ms * 1000;
}

/* An exchange of decoded bodies that arrives now and is answered after took_ms. */
static void exchange(int api_key, int version, const void *request, const void *response,
		     int64_t took_ms)
{
	struct exchange x = {
		.conn = {.conn = 1, .broker = 1}, .state = EXCHANGE_ANSWERED, .arena = &run.arena};

	x.header = (struct frame_header){.api_key = (int16_t)api_key,
					 .api_version = (int16_t)version,
					 .correlation_id = (int32_t)run.correlation_id++,
					 .client_id = str_of(run.client)};
	x.request_us = run.now_us;
	x.response_us = run.now_us + took_ms * 1000;
	x.request_body = (void *)(uintptr_t)request;
	x.response_body = (void *)(uintptr_t)response;
	x.request_decoded = x.response_decoded = true;
	feed((struct event){.kind = EVENT_EXCHANGE, .exchange = &x, .time_us = x.response_us});
}

/* ---- producers ---- */

/* One batch of n records of producer 7 in a Produce request, answered with a code after took_ms. */
static void produce(int16_t epoch, int32_t sequence, int n, const char *value, int16_t code,
		    int64_t took_ms)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;

	options.producer_id = 7;
	options.producer_epoch = epoch;
	options.base_sequence = sequence;
	options.transactional = run.transactional;
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
	struct produce_response_responses_partition_responses rp = {.error_code = code};
	struct produce_response_responses rt = {
		.name = {"t", 1}, .partition_responses = &rp, .partition_responses_count = 1};
	struct produce_response r = {.responses = &rt, .responses_count = 1};

	exchange(API_PRODUCE, 3, &q, &r, took_ms);
	buf_release(&out);
}

TEST(sequences_have_no_gap_and_retries_are_identical)
{
	begin("produce.sequences", -1);
	produce(0, 0, 2, "a", 0, 1);
	produce(0, 2, 3, "b", 19, 1);
	produce(0, 2, 3, "b", 0, 1);
	produce(0, 5, 1, "c", 0, 1);
	produce(1, 0, 1, "d", 0, 1); /* a new epoch starts at 0 */
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("produce.sequences", -1);
	produce(0, 0, 2, "a", 0, 1);
	produce(0, 3, 1, "b", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("produce.sequences", -1);
	produce(0, 0, 2, "a", 19, 1);
	produce(0, 0, 2, "b", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("produce.sequences", -1);
	produce(0, 0, 2, "a", 0, 1);
	produce(1, 2, 2, "b", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(requests_that_came_in_one_packet_are_in_order_whichever_ended_first)
{
	begin("produce.sequences", -1);
	run.correlation_id = (uint32_t)INT32_MAX + 1; /* which is negative */
	produce(0, 1, 1, "b", 0, 1);
	run.now_us -= 1000;
	run.correlation_id = INT32_MAX;
	produce(0, 0, 1, "a", 0, 2);
	CHECK_EQ(verdict(), FINDING_PASS);
}

TEST(sequences_wrap_to_zero)
{
	begin("produce.sequences", -1);
	produce(0, 0, 1, "a", 0, 1);
	run.set.history->batches->list[0].base_sequence = INT32_MAX - 1;
	run.set.history->batches->list[0].records = 2;
	produce(0, 0, 1, "b", 0, 1);
	CHECK_EQ(verdict(),
		 FINDING_FAIL); /* it did not begin at 0, and 0 is next: one complaint, not two */
}

TEST(requests_in_flight_are_counted_by_their_answers)
{
	begin("produce.in_flight", 2);
	produce(0, 0, 1, "a", 0, 5);
	produce(0, 1, 1, "b", 0, 5);
	wait_ms(10);
	produce(0, 2, 1, "c", 0, 5);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("produce.in_flight", 2);
	for (int i = 0; i < 3; i++)
		produce(0, i, 1, "a", 0, 50);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_retry_waits_for_its_back_off)
{
	begin("produce.backoff", 100);
	produce(0, 0, 1, "a", 19, 1);
	wait_ms(90);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("produce.backoff", 100);
	produce(0, 0, 1, "a", 19, 1);
	wait_ms(40);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("produce.backoff", 100);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_NOT_APPLICABLE);
}

TEST(what_is_acknowledged_is_not_sent_again)
{
	begin("produce.no_resend", -1);
	produce(0, 0, 1, "a", 19, 1);
	wait_ms(100);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("produce.no_resend", -1);
	produce(0, 0, 1, "a", 0, 1);
	wait_ms(100);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_fatal_error_ends_a_producer)
{
	begin("produce.no_send_after_fatal", -1);
	produce(0, 0, 1, "a", 90, 1);
	wait_ms(100);
	produce(1, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("produce.no_send_after_fatal", -1);
	produce(0, 0, 1, "a", 90, 1);
	wait_ms(100);
	produce(0, 0, 1, "a", 0, 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

/* ---- reading ---- */

static void append_as(const char *value, bool control)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct event ev = {.kind = EVENT_LOG};
	struct batch_builder b;
	struct buf out;

	options.control = options.transactional = control;
	options.producer_id = control ? 7 : -1;
	options.base_offset = run.next_offset;
	buf_init(&out, 100000);
	batch_builder_init(&b, &options, &out);
	batch_builder_add(&b, 0, (struct bytes){(const uint8_t *)"\0\0\0\1", control ? 4 : 0},
			  (struct bytes){(const uint8_t *)value, (int32_t)strlen(value)}, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	ev.log = (struct event_log){.what = LOG_APPENDED,
				    .topic = {"t", 1},
				    .topic_id = {{1}},
				    .base_offset = run.next_offset,
				    .next_offset = run.next_offset + 1,
				    .batch = {out.data, (int32_t)out.len}};
	run.next_offset++;
	feed(ev);
	buf_release(&out);
}

static void append(const char *value)
{
	append_as(value, false);
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

static void given(const char *value, int64_t offset)
{
	say("c",
	    "{\"name\":\"record_data\",\"topic\":\"t\",\"partition\":0,\"value\":\"%s\",\"offset\":"
	    "%lld}",
	    value, (long long)offset);
}

static void poll_ends(void)
{
	say("c", "{\"name\":\"records_consumed\",\"count\":1}");
}

TEST(a_value_that_the_log_does_not_hold_there_is_inconsistent)
{
	begin("read.consistent", -1);
	append("0");
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("read.consistent", -1);
	append("VALUE");
	given("WALUE", 0);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("read.consistent", -1);
	append("0");
	given("0", 5);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_value_from_before_a_truncation_was_there)
{
	begin("read.consistent", -1);
	append("0");
	given("0", 0);
	feed((struct event){.kind = EVENT_LOG,
			    .log = {.what = LOG_TRUNCATED, .topic = {"t", 1}, .topic_id = {{1}}}});
	run.next_offset = 0;
	append("1");
	given("1", 0);
	CHECK_EQ(verdict(), FINDING_PASS);
}

TEST(what_nobody_was_given_is_unseen_and_below_others_passed_over)
{
	begin("read.everything", -1);
	append("0");
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("read.everything", -1);
	append("0");
	append("1");
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("read.nothing_passed_over", -1);
	append("0");
	append("1");
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("read.nothing_passed_over", -1);
	append("0");
	append("1");
	given("1", 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_record_that_is_given_twice_is_found_whoever_gets_it)
{
	begin("read.once", -1);
	append("0");
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("read.once", -1);
	append("0");
	given("0", 0);
	say("d", "{\"name\":\"record_data\",\"topic\":\"t\",\"partition\":0,\"value\":\"0\","
		 "\"offset\":0}");
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(steps_back_and_skips_are_told_apart_by_the_poll)
{
	static const struct {
		const char *check;
		int64_t first, second;
		bool two_polls;
	} bad[] = {{"read.no_step_back", 1, 0, true},
		   {"read.no_step_back_within", 1, 0, false},
		   {"read.no_skip", 0, 2, true},
		   {"read.no_skip_within", 0, 2, false}};

	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++) {
			begin(bad[i].check, -1);
			append("0");
			append("1");
			append("2");
			given(bad[k].first ? "1" : "0", bad[k].first);
			if (bad[k].two_polls)
				poll_ends();
			given(bad[k].second ? "2" : "0", bad[k].second);
			CHECK_EQ(verdict(), i == k ? FINDING_FAIL : FINDING_PASS);
		}
}

TEST(a_control_record_is_for_nobody)
{
	begin("read.no_control_records", -1);
	append("0");
	append_as("\1\1\1\1\1\1", true);
	given("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("read.no_control_records", -1);
	append_as("\1\1\1\1\1\1", true);
	given("x", 0);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

static void fetch_committed(void)
{
	struct fetch_request q = {.isolation_level = 1};
	struct fetch_response r = {0};

	exchange(API_FETCH, 4, &q, &r, 1);
}

TEST(who_reads_committed_records_is_given_nothing_aborted)
{
	struct history_partition *p;

	for (int bad = 0; bad < 2; bad++) {
		begin("read.nothing_aborted", -1);
		fetch_committed();
		append("0");
		p = history_partition(run.set.history, str_of("t"), 0);
		p->records[0].txn = bad ? TXN_ABORTED : TXN_COMMITTED;
		given("0", 0);
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

/* ---- KIP-848 ---- */

/* A heartbeat of member m with an epoch, owning one partition or (-1) saying nothing; the answer
 * tells next_epoch, or a code, and assigns one partition or (-1) nothing. */
static void beat(const char *id, int32_t epoch, int32_t owned, int16_t code, int32_t next_epoch,
		 int32_t assigned)
{
	struct str name = {"t", 1};
	struct consumer_group_heartbeat_request_topic_partitions own = {.partitions = &owned,
									.partitions_count = 1};
	struct consumer_group_heartbeat_response_topic_partitions get = {.partitions = &assigned,
									 .partitions_count = 1};
	struct consumer_group_heartbeat_response_assignment a = {.topic_partitions = &get,
								 .topic_partitions_count = 1};
	struct consumer_group_heartbeat_request q = {
		.group_id = {"g", 1}, .member_id = str_of(id), .member_epoch = epoch};
	struct consumer_group_heartbeat_response r = {.error_code = code,
						      .member_epoch = next_epoch};

	if (epoch == 0) {
		q.subscribed_topic_names = &name;
		q.subscribed_topic_names_count = 1;
		q.rebalance_timeout_ms = 1000;
	}
	if (owned >= 0) {
		q.topic_partitions = &own;
		q.topic_partitions_count = 1;
	}
	if (assigned >= 0)
		r.assignment = &a;
	exchange(API_CONSUMER_GROUP_HEARTBEAT, 1, &q, &r, 1);
	wait_ms(100);
}

TEST(a_member_joins_in_full)
{
	begin("kip848.joins_in_full", -1);
	beat("m", 0, -1, 0, 1, 0);
	beat("m", 1, 0, 0, 1, -1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("kip848.joins_in_full", -1);
	beat("m", 0, 0, 0, 1, 0);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("kip848.joins_in_full", -1);
	beat("", 0, -1, 0, 1, 0);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_member_uses_the_epoch_that_it_was_told)
{
	for (int32_t epoch = 1; epoch < 3; epoch++) {
		begin("kip848.epoch_as_told", -1);
		beat("m", 0, -1, 0, 1, -1);
		beat("m", 1, -1, 0, 2, -1);
		beat("m", epoch, -1, 0, 2, -1);
		CHECK_EQ(verdict(), epoch == 2 ? FINDING_PASS : FINDING_FAIL);
	}
}

TEST(a_member_owns_what_it_was_given)
{
	for (int32_t owned = 0; owned < 2; owned++) {
		begin("kip848.owns_what_it_was_given", -1);
		beat("m", 0, -1, 0, 1, 0);
		beat("m", 1, owned, 0, 1, -1);
		CHECK_EQ(verdict(), owned ? FINDING_FAIL : FINDING_PASS);
	}
	begin("kip848.owns_what_it_was_given", -1); /* what was taken away is no more its own */
	beat("m", 0, -1, 0, 1, 0);
	beat("m", 1, 0, 0, 2, 1);
	beat("m", 2, 1, 0, 2, 1);
	beat("m", 2, 0, 0, 2, -1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_fenced_member_comes_back_as_itself)
{
	static const struct {
		const char *id;
		int32_t epoch;
		enum finding_result result;
		int16_t code;
	} next[] = {{"m", 0, FINDING_PASS, 110}, {"n", 0, FINDING_FAIL, 110},
		    {"m", 1, FINDING_FAIL, 110}, {"m", 0, FINDING_PASS, 25},
		    {"n", 0, FINDING_PASS, 25},	 {"m", 1, FINDING_FAIL, 25}};

	for (int i = 0; i < 6; i++) {
		begin("kip848.joins_again_as_itself", -1);
		beat("m", 0, -1, 0, 1, -1);
		beat("m", 1, -1, next[i].code, 0, -1);
		beat(next[i].id, next[i].epoch, -1, 0, 1, -1);
		CHECK_EQ(verdict(), next[i].result);
	}
}

TEST(a_member_leaves_once)
{
	for (int bad = 0; bad < 4; bad++) {
		begin("kip848.leaves", -1);
		beat("m", 0, -1, 0, 1, -1);
		if (bad < 3)
			beat("m", bad == 2 ? -2 : -1, -1, 0, -1, -1);
		if (bad == 1)
			beat("m", 1, -1, 0, 1, -1);
		CHECK_EQ(verdict(), bad == 0 ? FINDING_PASS : FINDING_FAIL);
	}
}

TEST(a_member_that_is_refused_for_good_stops)
{
	for (int n = 1; n < 9; n += 7) {
		begin("kip848.stops_when_refused", -1);
		for (int i = 0; i < n; i++)
			beat("m", 0, -1, 112, 0, -1);
		CHECK_EQ(verdict(), n == 1 ? FINDING_PASS : FINDING_FAIL);
	}
}

/* ---- transactions, of producer 7 ---- */

static void added_to_transaction(int16_t code)
{
	struct add_partitions_to_txn_response_add_partitions_to_txn_partition_result rp = {
		.partition_error_code = code};
	struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result rt = {
		.name = {"t", 1}, .results_by_partition = &rp, .results_by_partition_count = 1};
	struct add_partitions_to_txn_request q = {.v3_and_below_producer_id = 7};
	struct add_partitions_to_txn_response r = {.results_by_topic_v3_and_below = &rt,
						   .results_by_topic_v3_and_below_count = 1};

	exchange(API_ADD_PARTITIONS_TO_TXN, 3, &q, &r, 1);
}

static void end_transaction(int version, int16_t epoch, bool commit, int16_t next_epoch)
{
	struct end_txn_request q = {.producer_id = 7, .producer_epoch = epoch, .committed = commit};
	struct end_txn_response r = {.producer_id = 7, .producer_epoch = next_epoch};

	exchange(API_END_TXN, version, &q, &r, 1);
}

static void produce_in_transaction(int16_t epoch, int32_t sequence, int16_t code)
{
	run.transactional = true;
	produce(epoch, sequence, 1, "a", code, 1);
	wait_ms(10);
}

TEST(a_partition_is_added_to_each_transaction_before_it_is_written_to)
{
	for (int bad = 0; bad < 3; bad++) {
		begin("txn.added_before_data", -1);
		added_to_transaction(0);
		wait_ms(10);
		produce_in_transaction(0, 0, 0);
		end_transaction(3, 0, true, -1);
		wait_ms(10);
		if (bad < 2)
			added_to_transaction(bad ? 51 : 0);
		wait_ms(10);
		produce_in_transaction(0, 1, 0);
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
	begin("txn.added_before_data", -1); /* KIP-890: brokers add what is written to */
	produce_in_transaction(0, 0, 0);
	end_transaction(5, 0, true, 1);
	CHECK_EQ(verdict(), FINDING_NOT_APPLICABLE);
}

TEST(a_commit_after_a_batch_that_failed_is_found)
{
	for (int bad = 0; bad < 2; bad++) {
		begin("txn.no_commit_after_failure", -1);
		produce_in_transaction(0, 0, 0);
		produce_in_transaction(0, 1, 19);
		if (!bad)
			produce_in_transaction(0, 1, 0);
		end_transaction(3, 0, true, -1);
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
	begin("txn.no_commit_after_failure", -1); /* an aborted one has no say in the next */
	produce_in_transaction(0, 0, 10);
	end_transaction(3, 0, false, -1);
	wait_ms(10);
	produce_in_transaction(1, 0, 0);
	end_transaction(3, 1, true, -1);
	CHECK_EQ(verdict(), FINDING_PASS);
}

TEST(the_epoch_that_end_txn_returns_is_used)
{
	for (int16_t epoch = 0; epoch < 2; epoch++) {
		begin("txn.epoch_as_returned", -1);
		produce_in_transaction(0, 0, 0);
		end_transaction(5, 0, true, 1);
		wait_ms(10);
		produce_in_transaction(epoch, 0, 0);
		CHECK_EQ(verdict(), epoch ? FINDING_PASS : FINDING_FAIL);
	}
}

TEST(offsets_enter_a_transaction_under_their_members_name)
{
	for (int bad = 0; bad < 2; bad++) {
		struct txn_offset_commit_request q = {
			.producer_id = 7, .generation_id_or_member_epoch = bad ? -1 : 1};
		struct txn_offset_commit_response r = {0};

		if (!bad)
			q.member_id = str_of("m");
		begin("txn.offsets_with_member", -1);
		exchange(API_TXN_OFFSET_COMMIT, 3, &q, &r, 1);
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

static void transaction(const char *state)
{
	say("c", "{\"name\":\"transaction\",\"state\":\"%s\",\"number\":1}", state);
}

static void told(const char *value, int64_t offset)
{
	say("c",
	    "{\"name\":\"producer_send_success\",\"topic\":\"t\",\"value\":\"%s\",\"partition\":0,"
	    "\"offset\":%lld}",
	    value, (long long)offset);
}

TEST(what_was_aborted_may_stand_in_the_log_again)
{
	for (int bad = 0; bad < 2; bad++) {
		begin("delivery.no_duplicates", -1);
		for (int64_t i = 0; i < 2; i++) {
			append("0");
			told("0", i);
		}
		history_partition(run.set.history, str_of("t"), 0)->records[0].txn =
			bad ? TXN_COMMITTED : TXN_ABORTED;
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(how_a_transaction_ended_is_told_truly)
{
	static const enum txn_outcome logged[] = {TXN_COMMITTED, TXN_ABORTED, TXN_OPEN};

	for (int i = 0; i < 6; i++) {
		bool commit = i < 3;

		begin("txn.ended_as_told", -1);
		transaction("begun");
		say("c", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\"}");
		append("0");
		told("0", 0);
		transaction(commit ? "committed" : "aborted");
		history_partition(run.set.history, str_of("t"), 0)->records[0].txn = logged[i % 3];
		CHECK_EQ(verdict(), commit == (i % 3 == 0) ? FINDING_PASS : FINDING_FAIL);
	}
}

TEST(who_reads_committed_records_is_given_nothing_of_an_open_transaction)
{
	for (int bad = 0; bad < 2; bad++) {
		begin("read.nothing_open", -1);
		fetch_committed();
		append("0");
		history_partition(run.set.history, str_of("t"), 0)->records[0].txn =
			bad ? TXN_OPEN : TXN_COMMITTED;
		given("0", 0);
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

TEST(an_acknowledged_offset_is_true)
{
	begin("delivery.true_offsets", -1);
	append("0");
	told("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("delivery.true_offsets", -1);
	append("0");
	append("1");
	told("0", 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_send_ends_and_does_not_fail_for_nothing)
{
	begin("delivery.no_error", -1);
	told("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("delivery.no_error", -1);
	say("c", "{\"name\":\"producer_send_error\",\"topic\":\"t\",\"value\":\"0\",\"message\":"
		 "\"no\"}");
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("delivery.all_answered", -1);
	say("c", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\"}");
	told("0", 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("delivery.all_answered", -1);
	say("c", "{\"name\":\"send_attempt\",\"topic\":\"t\",\"value\":\"0\"}");
	CHECK_EQ(verdict(), FINDING_FAIL);
}

/* ---- members ---- */

static void join(const char *id, int16_t code, const char *told_id, int64_t took_ms)
{
	struct join_group_request q = {
		.group_id = {"g", 1}, .member_id = str_of(id), .session_timeout_ms = 100};
	struct join_group_response r = {
		.error_code = code, .member_id = str_of(told_id), .generation_id = 1};

	exchange(API_JOIN_GROUP, 4, &q, &r, took_ms);
}

static void heartbeat(const char *id, int32_t generation, int16_t code)
{
	struct heartbeat_request q = {
		.group_id = {"g", 1}, .member_id = str_of(id), .generation_id = generation};
	struct heartbeat_response r = {.error_code = code};

	exchange(API_HEARTBEAT, 3, &q, &r, 1);
}

static void leave(const char *id)
{
	struct leave_group_request q = {.group_id = {"g", 1}, .member_id = str_of(id)};
	struct leave_group_response r = {0};

	exchange(API_LEAVE_GROUP, 2, &q, &r, 1);
}

TEST(a_member_has_one_join_open)
{
	begin("group.one_join", -1);
	join("m", 27, "", 30);
	wait_ms(40);
	join("m", 0, "m", 1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.one_join", -1);
	join("m", 0, "m", 500);
	wait_ms(40);
	join("m", 0, "m", 500);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(the_told_member_id_is_used)
{
	begin("group.member_id", -1);
	join("", 79, "m-1", 1);
	join("m-1", 0, "m-1", 1);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.member_id", -1);
	join("", 79, "m-1", 1);
	join("", 79, "m-2", 1);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("group.member_id", -1);
	join("", 79, "m-1", 1);
	leave("m-1");
	join("", 79, "m-2", 1);
	join("m-2", 0, "m-2", 1);
	CHECK_EQ(verdict(), FINDING_PASS);
}

TEST(a_generation_that_is_over_is_not_used)
{
	begin("group.fenced_stays_out", -1);
	join("m", 0, "m", 1);
	heartbeat("m", 1, 22);
	wait_ms(100);
	join("m", 0, "m", 1);
	heartbeat("m", 2, 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.fenced_stays_out", -1);
	join("m", 0, "m", 1);
	heartbeat("m", 1, 22);
	wait_ms(100); /* the answer may be on its way still */
	heartbeat("m", 1, 22);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.fenced_stays_out", -1);
	join("m", 0, "m", 1);
	heartbeat("m", 1, 22);
	wait_ms(300);
	heartbeat("m", 1, 22);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(a_member_is_heard_within_its_session_time_out)
{
	begin("group.heartbeats", -1);
	join("m", 0, "m", 1);
	wait_ms(80);
	heartbeat("m", 1, 0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.heartbeats", -1);
	join("m", 0, "m", 1);
	wait_ms(130);
	heartbeat("m", 1, 0);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(who_has_left_is_quiet_and_who_closes_leaves)
{
	begin("group.quiet_after_leave", -1);
	join("m", 0, "m", 1);
	leave("m");
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.quiet_after_leave", -1);
	join("m", 0, "m", 1);
	leave("m");
	wait_ms(300);
	heartbeat("m", 1, 25);
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("group.leaves", -1);
	join("m", 0, "m", 1);
	leave("m");
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("group.leaves", -1);
	join("m", 0, "m", 1);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

/* ---- connections ---- */

static void throttled(int32_t ms)
{
	struct heartbeat_request q = {0};
	struct heartbeat_response r = {.throttle_time_ms = ms};

	exchange(API_HEARTBEAT, 3, &q, &r, 1);
}

TEST(a_throttled_connection_is_silent)
{
	begin("connection.silent_when_throttled", -1);
	throttled(200);
	wait_ms(210);
	throttled(0);
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("connection.silent_when_throttled", -1);
	throttled(600);
	wait_ms(300);
	throttled(0);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(attempts_to_connect_have_pauses)
{
	for (int bad = 0; bad < 2; bad++) {
		begin("connection.pauses_between_attempts", 5);
		for (int i = 0; i < 10; i++) {
			feed((struct event){.kind = EVENT_CONN_OPENED,
					    .conn = {.conn = i, .broker = 1}});
			wait_ms(bad ? 10 : 250);
		}
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}

static void metadata(void)
{
	struct metadata_request q = {0};
	struct metadata_response r = {0};

	exchange(API_METADATA, 1, &q, &r, 1);
}

TEST(stale_metadata_is_asked_for_again)
{
	begin("metadata.asked_after_error", 100);
	produce(0, 0, 1, "a", 6, 1);
	wait_ms(50);
	metadata();
	CHECK_EQ(verdict(), FINDING_PASS);

	begin("metadata.asked_after_error", 100);
	produce(0, 0, 1, "a", 6, 1);
	wait_ms(300);
	metadata();
	CHECK_EQ(verdict(), FINDING_FAIL);

	begin("metadata.asked_after_error", 100);
	produce(0, 0, 1, "a", 6, 1);
	wait_ms(300);
	heartbeat("m", 1, 0);
	CHECK_EQ(verdict(), FINDING_FAIL);
}

TEST(metadata_is_not_asked_in_a_storm)
{
	for (int bad = 0; bad < 2; bad++) {
		begin("metadata.no_storm", 5);
		for (int i = 0; i < 10; i++) {
			metadata();
			wait_ms(bad ? 10 : 250);
		}
		CHECK_EQ(verdict(), bad ? FINDING_FAIL : FINDING_PASS);
	}
}
