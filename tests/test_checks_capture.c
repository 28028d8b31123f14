/* The checks of captures that no run made: each seen to pass and to fail, from exchanges made by
 * hand. */
#include "checks/check.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdio.h>

#define START_US 1700000000000000

static struct {
	struct checks set;
	struct arena arena;
	int64_t now_us, conn, timestamp;
	bool told_broker; /* its number is known by now */
	bool spread;	  /* the records of a batch have times of their own */
	struct endpoint server;
	int32_t correlation_id;
	const char *client;
	enum exchange_state state;
	struct bytes request; /* its frame, where one is asked for */
	bool unheard;
	struct finding *finding;
} run;

static void begin(const char *name)
{
	memset(&run, 0, sizeof(run));
	arena_init(&run.arena, 1 << 20);
	checks_init(&run.set);
	run.now_us = START_US;
	run.client = "c";
	run.conn = 1;
	checks_add(&run.set, check_type_find(str_of(name)), &(struct check_scope){.number = -1});
}

/* Its verdict, and a part of what it says. */
static void check_verdict(enum finding_result want, const char *part)
{
	struct finding *f;

	checks_end(&run.set, NEEDS_WIRE);
	f = &run.set.list[0].finding;
	CHECK_EQ(f->result, want);
	CHECK(part ? strstr(arena_printf(&run.arena, STR_FMT, STR_ARG(f->actual)), part) != NULL
		   : true);
	if (want == FINDING_FAIL)
		CHECK(f->moments_count > 0);
	checks_release(&run.set);
	arena_release(&run.arena);
}

static void exchange(int api_key, const void *request, const void *response)
{
	struct exchange x = {.conn = {.conn = run.conn, .broker = 1, .server = run.server},
			     .state = run.state,
			     .unheard = run.unheard,
			     .request = run.request,
			     .arena = &run.arena,
			     .request_us = run.now_us,
			     .request_decoded = true,
			     .response_decoded = true,
			     .request_body = (void *)(uintptr_t)request};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};

	x.header = (struct frame_header){.api_key = (int16_t)api_key,
					 .api_version = 8,
					 .correlation_id = run.correlation_id++,
					 .client_id = str_of(run.client)};
	if (x.state == EXCHANGE_ANSWERED) {
		x.response_us = run.now_us + 500;
		x.response_body = (void *)(uintptr_t)response;
	}
	ev.time_us = run.now_us + 500;
	checks_feed(&run.set, &ev);
	run.now_us += 1000;
}

static void lost_bytes(void)
{
	checks_feed(&run.set, &(struct event){.kind = EVENT_UNMATCHED, .time_us = run.now_us});
}

static void connection(enum event_kind kind, uint8_t host, bool midway)
{
	struct endpoint client = {.family = 4, .addr = {10, 0, 0, host}, .port = 1},
			server = {.family = 4, .addr = {10, 0, 1, 1}, .port = 9092};

	checks_feed(&run.set, &(struct event){.kind = kind,
					      .time_us = run.now_us,
					      .conn = {.conn = run.conn,
						       .broker = run.told_broker ? 1 : -1,
						       .client = client,
						       .server = server,
						       .midway = midway}});
	run.conn += kind == EVENT_CONN_OPENED;
	run.now_us += 1000;
}

static void closed(enum close_how how)
{
	checks_feed(&run.set, &(struct event){.kind = EVENT_CONN_CLOSED,
					      .time_us = run.now_us,
					      .conn = {.conn = run.conn, .how = how}});
}

/* Two records of value, as producer id sends them from that sequence on. */
static void make_batch(struct buf *out, int64_t producer_id, int32_t sequence, const char *value)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct bytes v = {(const uint8_t *)value, (int32_t)strlen(value)};

	options.producer_id = producer_id;
	options.producer_epoch = producer_id < 0 ? -1 : 0;
	options.base_sequence = producer_id < 0 ? -1 : sequence;
	buf_init(out, 100000);
	batch_builder_init(&b, &options, out);
	for (int i = 0; i < 2; i++)
		batch_builder_add(&b, 1000 + run.timestamp + (run.spread ? i : 0),
				  (struct bytes){0}, v, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
}

/* code 0: stored at offset; -1: no answer. */
static void produce(int64_t producer_id, int32_t sequence, const char *value, int code,
		    int64_t offset)
{
	struct produce_request_topic_data_partition_data p = {0};
	struct produce_request_topic_data t = {
		.name = {"t", 1}, .partition_data = &p, .partition_data_count = 1};
	struct produce_request q = {.acks = -1, .topic_data = &t, .topic_data_count = 1};
	struct produce_response_responses_partition_responses rp = {.error_code = (int16_t)code,
								    .base_offset = offset};
	struct produce_response_responses rt = {
		.name = {"t", 1}, .partition_responses = &rp, .partition_responses_count = 1};
	struct produce_response r = {.responses = &rt, .responses_count = 1};
	struct buf out;

	make_batch(&out, producer_id, sequence, value);
	p.records = (struct records){out.data, (int32_t)out.len, 0};
	run.state = code < 0 ? EXCHANGE_LOST : EXCHANGE_ANSWERED;
	exchange(API_PRODUCE, &q, &r);
	run.state = EXCHANGE_ANSWERED;
	buf_release(&out);
}

/* Asks from an offset on; the answer has a batch of two records at it, or none. */
static void fetch(int64_t from, const char *value)
{
	struct fetch_request_topics_partitions qp = {.fetch_offset = from};
	struct fetch_request_topics qt = {
		.topic = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct fetch_request q = {.max_wait_ms = 500, .topics = &qt, .topics_count = 1};
	struct fetch_response_responses_partitions rp = {0};
	struct fetch_response_responses rt = {
		.topic = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct fetch_response r = {.responses = &rt, .responses_count = 1};
	struct buf out;

	buf_init(&out, 1);
	if (value) {
		make_batch(&out, -1, 0, value);
		batch_set_base_offset(out.data, from);
		rp.records = (struct records){out.data, (int32_t)out.len, 0};
	}
	exchange(API_FETCH, &q, &r);
	buf_release(&out);
}

TEST(a_gap_in_sequences_is_found_but_not_where_bytes_are_missing)
{
	begin("wire.sequences");
	produce(7, 40, "a", 0, 0); /* the capture begins here */
	produce(7, 42, "b", -1, 0);
	produce(7, 42, "b", 0, 2); /* again */
	produce(7, 44, "c", 0, 4);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.sequences");
	produce(7, 40, "a", 0, 0);
	produce(7, 44, "c", 0, 4);
	check_verdict(FINDING_FAIL, "t-0: producer 7 epoch 0 sends sequence 44 where 42 is due");

	begin("wire.sequences");
	produce(7, 40, "a", 0, 0);
	lost_bytes();
	produce(7, 44, "c", 0, 4);
	check_verdict(FINDING_PASS, NULL);

	/* What was sent before the hole is told behind it, once its answer came. */
	begin("wire.sequences");
	run.now_us += 5000;
	lost_bytes();
	run.now_us -= 5000;
	produce(7, 40, "a", 0, 0);
	run.now_us += 5000;
	produce(7, 44, "c", 0, 4);
	produce(7, 46, "d", 0, 4);
	check_verdict(FINDING_PASS, NULL);

	/* A request without an answer is told last. */
	begin("wire.sequences");
	run.now_us += 2000;
	produce(7, 42, "b", 0, 0);
	run.now_us -= 3000;
	produce(7, 40, "a", -1, 0);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.sequences");
	produce(-1, -1, "a", 0, 0);
	check_verdict(FINDING_NOT_APPLICABLE, NULL);
}

TEST(what_is_sent_first_and_stored_last_is_out_of_order)
{
	begin("wire.order");
	produce(-1, -1, "a", 0, 0);
	produce(-1, -1, "b", 0, 2);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.order");
	produce(-1, -1, "a", 6, 0); /* NOT_LEADER_OR_FOLLOWER */
	produce(-1, -1, "b", 0, 0);
	produce(-1, -1, "a", 0, 2);
	check_verdict(FINDING_FAIL, "t-0: what was sent first is at offset 2, what was sent after "
				    "it at 0");

	/* Of two connections nobody can tell. */
	begin("wire.order");
	produce(-1, -1, "a", 6, 0);
	run.conn = 2;
	produce(-1, -1, "b", 0, 0);
	run.conn = 1;
	produce(-1, -1, "a", 0, 2);
	check_verdict(FINDING_PASS, NULL);
}

TEST(a_batch_that_stands_twice_is_found_by_answers_and_by_reading)
{
	begin("wire.stored_once");
	produce(-1, -1, "a", 0, 0);
	produce(-1, -1, "b", 6, 0);
	produce(-1, -1, "b", 0, 2);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.stored_once");
	produce(7, 0, "a", 0, 0);
	produce(7, 0, "a", 0, 2);
	check_verdict(FINDING_FAIL, "t-0: a batch of 2 records stands at offset 0 and at 2");

	/* The first one had no answer; what came next tells that something was stored. */
	begin("wire.stored_once");
	produce(-1, -1, "a", 0, 0);
	produce(-1, -1, "b", -1, 0);
	produce(-1, -1, "b", 0, 4);
	check_verdict(FINDING_INCONCLUSIVE, "just before the second one there are as many records");

	begin("wire.stored_once");
	fetch(0, "a");
	fetch(2, "b");
	fetch(2, "b"); /* read again, not stored again */
	check_verdict(FINDING_NOT_APPLICABLE, NULL);

	begin("wire.stored_once");
	produce(-1, -1, "c", 0, 9);
	run.spread = true;
	fetch(0, "a");
	fetch(2, "a");
	check_verdict(FINDING_FAIL, "stands at offset 0 and at 2, as they were read");

	begin("wire.stored_once");
	produce(-1, -1, "a", -1, 0);
	produce(-1, -1, "a", 0, 2);
	fetch(0, "a");
	fetch(2, "a");
	check_verdict(FINDING_FAIL, "stands at offset 0 and at 2, as they were read");
}

TEST(a_program_may_write_the_same_twice_in_a_millisecond)
{
	begin("wire.stored_once");
	for (int i = 0; i < 10; i++)
		produce(-1, -1, "a", 0, 2 * i);
	for (int i = 0; i < 10; i++)
		fetch(2 * i, "a");
	check_verdict(FINDING_PASS, NULL);

	/* Who sees the reading alone can't tell. */
	begin("wire.stored_once");
	fetch(0, "a");
	fetch(2, "a");
	check_verdict(FINDING_INCONCLUSIVE, "or a program wrote the same twice");

	/* Nor where it comes when a retry would come. */
	begin("wire.stored_once");
	produce(-1, -1, "a", 0, 0);
	run.now_us += 100000;
	produce(-1, -1, "a", 0, 2);
	check_verdict(FINDING_INCONCLUSIVE, "sent again after it had been acknowledged");
}

TEST(sequences_that_were_refused_for_good_are_used_again)
{
	/* Too large: it comes again in two parts, and what was in flight behind it. */
	begin("wire.sequences");
	produce(7, 40, "a", 0, 0);
	produce(7, 42, "b", 10, 0); /* MESSAGE_TOO_LARGE */
	produce(7, 44, "c", 45, 0); /* OUT_OF_ORDER_SEQUENCE_NUMBER */
	produce(7, 42, "b1", 0, 2);
	produce(7, 44, "c", 0, 4);
	produce(7, 46, "d", 0, 6);
	check_verdict(FINDING_PASS, NULL);

	/* The broker has forgotten the producer. */
	begin("wire.sequences");
	produce(7, 40, "a", 0, 0);
	produce(7, 42, "b", 59, 0); /* UNKNOWN_PRODUCER_ID */
	produce(7, 0, "b", 0, 2);
	produce(7, 2, "c", 0, 4);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.sequences");
	produce(7, 40, "a", 0, 0);
	produce(7, 0, "b", 0, 2);
	check_verdict(FINDING_FAIL, "sends sequence 0 where 42 is due");
}

TEST(a_topic_that_was_made_anew_has_its_offsets_from_0_on)
{
	begin("wire.order");
	produce(-1, -1, "a", 0, 500);
	produce(-1, -1, "b", 0, 0);
	check_verdict(FINDING_PASS, NULL);
}

/* Of broker 1 at 10.0.1.HOST. */
static void told_cluster(const char *id, uint8_t host)
{
	struct metadata_response_brokers b = {.node_id = 1, .port = 9092};
	struct metadata_request q = {0};
	struct metadata_response r = {.cluster_id = str_of(id), .brokers = &b, .brokers_count = 1};
	char text[20];

	snprintf(text, sizeof(text), "10.0.1.%d", host);
	b.host = str_of(text);
	run.server = endpoint_parse(b.host, 9092);
	exchange(API_METADATA, &q, &r);
}

TEST(one_producer_id_of_two_clusters_is_two_producers)
{
	begin("wire.sequences");
	told_cluster("A", 1);
	produce(7, 40, "a", 0, 0);
	told_cluster("B", 2);
	produce(7, 10, "a", 0, 0);
	told_cluster("A", 1);
	produce(7, 44, "b", 0, 2);
	told_cluster("B", 2);
	produce(7, 14, "b", 0, 2);
	check_verdict(FINDING_FAIL, "(and 1 more)");

	begin("wire.sequences");
	told_cluster("A", 1);
	produce(7, 40, "a", 0, 0);
	told_cluster("B", 2);
	produce(7, 60, "a", 0, 0);
	told_cluster("A", 1);
	produce(7, 42, "b", 0, 2);
	check_verdict(FINDING_PASS, NULL);

	/* Brokers of one cluster are one. */
	begin("wire.sequences");
	told_cluster("A", 1);
	produce(7, 40, "a", 0, 0);
	told_cluster("A", 2);
	produce(7, 44, "b", 0, 2);
	check_verdict(FINDING_FAIL, "sends sequence 44 where 42 is due");
}

TEST(a_retry_without_idempotence_may_stand_twice_and_one_with_it_does_not)
{
	begin("wire.stored_once");
	produce(-1, -1, "b", -1, 0);
	produce(-1, -1, "b", 0, 2);
	check_verdict(FINDING_INCONCLUSIVE, "sent again, without idempotence");

	/* Made anew, with another time. */
	begin("wire.stored_once");
	produce(-1, -1, "b", -1, 0);
	run.timestamp = 300;
	produce(-1, -1, "b", 0, 2);
	check_verdict(FINDING_INCONCLUSIVE, "sent again, without idempotence");

	begin("wire.stored_once");
	produce(-1, -1, "b", -1, 0);
	run.timestamp = 300;
	produce(-1, -1, "c", 0, 2);
	check_verdict(FINDING_PASS, NULL);

	begin("wire.stored_once");
	produce(7, 0, "b", -1, 0);
	produce(7, 0, "b", 0, 2);
	check_verdict(FINDING_PASS, NULL);
}

static void join(int32_t generation)
{
	struct join_group_request q = {.group_id = {"g", 1}};
	struct join_group_response r = {.generation_id = generation};

	exchange(API_JOIN_GROUP, &q, &r);
}

static void commit(int32_t generation, int64_t offset)
{
	struct offset_commit_request_topics_partitions qp = {.committed_offset = offset};
	struct offset_commit_request_topics qt = {
		.name = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct offset_commit_request q = {.group_id = {"g", 1},
					  .generation_id_or_member_epoch = generation,
					  .topics = &qt,
					  .topics_count = 1};
	struct offset_commit_response_topics_partitions rp = {0};
	struct offset_commit_response_topics rt = {
		.name = {"t", 1}, .partitions = &rp, .partitions_count = 1};
	struct offset_commit_response r = {.topics = &rt, .topics_count = 1};

	exchange(API_OFFSET_COMMIT, &q, &r);
}

/* One member reads two records of which it commits one or two; then another goes on from there. */
static void two_readers(int64_t committed)
{
	begin("wire.read_on");
	join(1);
	fetch(0, "a");
	commit(1, committed);
	run.client = "other";
	join(2);
	fetch(committed, "a");
}

TEST(what_is_fetched_again_after_a_rebalance_is_told_with_the_commit_before_it)
{
	two_readers(2);
	check_verdict(FINDING_PASS, NULL);

	/* What was fetched ahead, and waits in a client that loses the partition, is fetched again.
	 */
	two_readers(1);
	check_verdict(FINDING_INCONCLUSIVE,
		      "t-0: offsets 1 to 1 are fetched again in generation 2; the last commit "
		      "before was 1");

	begin("wire.read_on");
	join(1);
	fetch(0, "a");
	commit(1, 2);
	run.client = "other";
	join(2);
	fetch(0, "a");
	check_verdict(FINDING_FAIL, "t-0: offsets 0 to 1 are fetched again in generation 2; the "
				    "last commit before was 2");

	/* One that was on its way at the rebalance comes late. */
	begin("wire.read_on");
	join(1);
	fetch(0, "a");
	commit(1, 2);
	run.client = "other";
	join(2);
	run.now_us += 5000;
	fetch(2, "b");
	commit(2, 4);
	run.client = "c";
	run.now_us -= 5000;
	fetch(2, "b");
	check_verdict(FINDING_PASS, NULL);

	/* Within a generation a reader may go back. */
	begin("wire.read_on");
	join(1);
	fetch(0, "a");
	fetch(0, "a");
	check_verdict(FINDING_NOT_APPLICABLE, NULL);
}

TEST(a_request_that_a_broker_leaves_without_an_answer_is_found)
{
	begin("wire.answered");
	fetch(0, NULL);
	run.state = EXCHANGE_LOST;
	fetch(0, NULL);
	run.now_us += 400000;
	closed(CLOSE_BY_CLIENT); /* who closes does not wait for what it asked */
	check_verdict(FINDING_PASS, NULL);

	begin("wire.answered");
	run.state = EXCHANGE_LOST;
	fetch(0, NULL);
	closed(CLOSE_BY_BROKER);
	check_verdict(FINDING_FAIL, "Fetch v8 (connection 1 correlation 0) had no answer when the "
				    "broker closed the connection");

	begin("wire.answered");
	run.state = EXCHANGE_LOST;
	fetch(0, NULL);
	run.now_us += 30000000;
	closed(CLOSE_BY_CLIENT);
	check_verdict(FINDING_FAIL, "when the client closed the connection, 30.001 s later");
}

TEST(an_answer_that_nobody_captured_is_not_missed)
{
	begin("wire.answered");
	run.state = EXCHANGE_LOST;
	run.unheard = true;
	fetch(0, NULL);
	closed(CLOSE_BY_BROKER);
	check_verdict(FINDING_NOT_APPLICABLE, "lacks the bytes");

	begin("wire.answered");
	run.state = EXCHANGE_LOST;
	fetch(0, NULL);
	closed(CLOSE_BY_BROKER);
	checks_feed(&run.set, &(struct event){.kind = EVENT_UNMATCHED,
					      .time_us = run.now_us,
					      .unmatched = {.size = 9, .missing = 5}});
	check_verdict(FINDING_INCONCLUSIVE, "so perhaps this answer, too");
}

TEST(many_programs_of_one_address_may_connect_at_once)
{
	/* A hundred that start together. */
	begin("connection.pauses_between_attempts");
	for (int i = 0; i < 100; i++)
		connection(EVENT_CONN_OPENED, 1, false);
	check_verdict(FINDING_PASS, "100 connections, at most 1 a second by one program");

	/* A hundred hosts. */
	begin("connection.pauses_between_attempts");
	for (int i = 0; i < 100; i++) {
		connection(EVENT_CONN_OPENED, (uint8_t)i, false);
		connection(EVENT_CONN_CLOSED, (uint8_t)i, false);
	}
	check_verdict(FINDING_PASS, NULL);

	/* Those that were there before the capture. */
	begin("connection.pauses_between_attempts");
	for (int i = 0; i < 100; i++) {
		connection(EVENT_CONN_OPENED, 1, true);
		connection(EVENT_CONN_CLOSED, 1, false);
	}
	check_verdict(FINDING_NOT_APPLICABLE, NULL);

	/* One that does not give up; two at once may do so twice as often. */
	for (int programs = 1; programs < 3; programs++) {
		begin("connection.pauses_between_attempts");
		for (int i = 1; i < programs; i++)
			connection(EVENT_CONN_OPENED, 1, false);
		for (int i = 0; i < 30; i++) {
			connection(EVENT_CONN_OPENED, 1, false);
			connection(EVENT_CONN_CLOSED, 1, false);
		}
		check_verdict(programs == 1 ? FINDING_FAIL : FINDING_PASS, NULL);
	}

	/* Whose broker becomes known on the way. */
	begin("connection.pauses_between_attempts");
	for (int i = 0; i < 30; i++) {
		run.told_broker = i >= 15;
		connection(EVENT_CONN_OPENED, 1, false);
		connection(EVENT_CONN_CLOSED, 1, false);
	}
	check_verdict(FINDING_FAIL, "30 connections to broker 1");
}

static void metadata(int topics)
{
	struct metadata_request q = {0};
	struct metadata_response r = {0};
	uint8_t body[1] = {(uint8_t)topics};

	run.request = (struct bytes){body, 1};
	exchange(API_METADATA, &q, &r);
	run.request = (struct bytes){0};
}

TEST(many_programs_of_one_name_may_ask_for_metadata_and_one_for_many_topics)
{
	for (int kind = 0; kind < 3; kind++) {
		begin("metadata.no_storm");
		for (int i = 0; i < 100; i++) {
			run.conn = kind == 0 ? i : 1;
			metadata(kind == 1 ? i : 0);
		}
		check_verdict(kind == 2 ? FINDING_FAIL : FINDING_PASS, NULL);
	}

	/* What was not captured may be another question each time. */
	begin("metadata.no_storm");
	for (int i = 0; i < 100; i++)
		exchange(API_METADATA, &(struct metadata_request){0},
			 &(struct metadata_response){0});
	check_verdict(FINDING_NOT_APPLICABLE, NULL);
}

TEST(many_partitions_may_fail_at_once)
{
	for (int partitions = 1; partitions < 51; partitions += 49) {
		begin("U6");
		for (int i = 0; i < 100; i++) {
			struct produce_response_responses_partition_responses rp = {
				.index = i % partitions, .error_code = 19};
			struct produce_response_responses rt = {.name = {"t", 1},
								.partition_responses = &rp,
								.partition_responses_count = 1};
			struct produce_response r = {.responses = &rt, .responses_count = 1};

			run.now_us += 3000;
			exchange(API_PRODUCE, &(struct produce_request){0}, &r);
		}
		check_verdict(partitions == 1 ? FINDING_FAIL : FINDING_PASS, NULL);
	}
}

static void left_by(const char *client, int16_t code)
{
	struct leave_group_request q = {.group_id = {"g", 1}, .member_id = {"m", 1}};
	struct leave_group_response r = {.error_code = code};

	run.client = client;
	exchange(API_LEAVE_GROUP, &q, &r);
	run.client = "c";
}

static void beat(void)
{
	struct heartbeat_request q = {
		.group_id = {"g", 1}, .generation_id = 1, .member_id = {"m", 1}};
	struct heartbeat_response r = {0};

	exchange(API_HEARTBEAT, &q, &r);
	run.now_us += 3000000;
}

TEST(a_member_that_an_administrator_sends_away_learns_of_it_by_its_next_request)
{
	for (int how = 0; how < 3; how++) {
		begin("group.quiet_after_leave");
		beat();
		left_by(how == 1 ? "admin" : "c", how == 2 ? 16 : 0);
		run.now_us += 3000000;
		beat();
		check_verdict(how ? FINDING_NOT_APPLICABLE : FINDING_FAIL, NULL);
	}
}

/* The leader of a generation is told of it, then somebody is given t-0. */
static void generation(int32_t number, const char *member)
{
	static const uint8_t assignment[] = {0, 0, 0, 0, 0, 1, 0,    1,	   't',	 0,   0,
					     0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
	struct join_group_request q = {.group_id = {"g", 1}};
	struct join_group_response r = {
		.generation_id = number, .leader = str_of(member), .member_id = str_of(member)};
	struct sync_group_request sq = {
		.group_id = {"g", 1}, .generation_id = number, .member_id = str_of(member)};
	struct sync_group_response sr = {.assignment = {assignment, sizeof(assignment)}};

	exchange(API_JOIN_GROUP, &q, &r);
	exchange(API_SYNC_GROUP, &sq, &sr);
}

TEST(a_partition_has_an_owner_in_each_life_and_each_cluster_of_a_group)
{
	begin("group.one_owner");
	generation(2, "a");
	generation(2, "b");
	check_verdict(FINDING_FAIL, "t-0 belongs to a and to b in generation 2");

	/* Forgotten in the meantime: it begins anew. */
	begin("group.one_owner");
	generation(1, "a");
	generation(1, "b");
	check_verdict(FINDING_PASS, NULL);

	begin("group.one_owner");
	told_cluster("A", 1);
	generation(2, "a");
	told_cluster("B", 2);
	generation(2, "b");
	check_verdict(FINDING_PASS, NULL);
}

/* Metadata tells of t with that id. */
static void told_topic(uint8_t id)
{
	struct metadata_response_topics t = {.name = {"t", 1}, .topic_id = {.b = {id}}};
	struct metadata_request q = {0};
	struct metadata_response r = {.topics = &t, .topics_count = 1};

	exchange(API_METADATA, &q, &r);
}

TEST(a_topic_that_was_made_anew_is_read_from_its_beginning)
{
	for (uint8_t id = 1; id < 3; id++) {
		begin("wire.read_on");
		told_topic(1);
		join(1);
		fetch(6, "a");
		commit(1, 8);
		told_topic(id);
		run.client = "other";
		join(2);
		fetch(0, "a");
		check_verdict(id == 1 ? FINDING_FAIL : FINDING_NOT_APPLICABLE, NULL);
	}
}

/* Member "m" of a KIP-848 group is given partition 0 of the topic of that id. */
static void given_by_id(uint8_t id)
{
	int32_t partitions[] = {0};
	struct consumer_group_heartbeat_response_topic_partitions tp = {
		.topic_id = {.b = {id}}, .partitions = partitions, .partitions_count = 1};
	struct consumer_group_heartbeat_response_assignment a = {.topic_partitions = &tp,
								 .topic_partitions_count = 1};
	struct consumer_group_heartbeat_request q = {.group_id = {"g", 1}, .member_id = {"m", 1}};
	struct consumer_group_heartbeat_response r = {
		.member_id = {"m", 1}, .member_epoch = 1, .assignment = &a};

	exchange(API_CONSUMER_GROUP_HEARTBEAT, &q, &r);
}

static void commits(int32_t partition)
{
	struct offset_commit_request_topics_partitions qp = {.partition_index = partition};
	struct offset_commit_request_topics qt = {
		.name = {"t", 1}, .partitions = &qp, .partitions_count = 1};
	struct offset_commit_request q = {.group_id = {"g", 1},
					  .member_id = {"m", 1},
					  .generation_id_or_member_epoch = 1,
					  .topics = &qt,
					  .topics_count = 1};

	exchange(API_OFFSET_COMMIT, &q, &(struct offset_commit_response){0});
}

TEST(what_is_given_by_id_and_committed_by_name_is_one_topic)
{
	begin("group.commits_its_own");
	told_topic(1);
	given_by_id(1);
	commits(0);
	check_verdict(FINDING_PASS, NULL);

	begin("group.commits_its_own");
	told_topic(1);
	given_by_id(1);
	commits(1);
	check_verdict(FINDING_FAIL, "commits for t-1");

	/* Nobody told its name. */
	begin("group.commits_its_own");
	given_by_id(1);
	commits(0);
	check_verdict(FINDING_NOT_APPLICABLE, NULL);
}

TEST(commits_of_one_group_in_two_clusters_are_apart)
{
	for (int clusters = 1; clusters < 3; clusters++) {
		begin("U4");
		told_cluster("A", 1);
		commit(2, 8);
		told_cluster(clusters == 2 ? "B" : "A", 2);
		commit(2, 4);
		check_verdict(clusters == 2 ? FINDING_PASS : FINDING_FAIL, NULL);
	}
}
