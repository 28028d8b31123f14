/* The order in which a session is played, and what is left out of it. */
#include "decoder/decode.h"
#include "protocol/messages.h"
#include "replay/course.h"
#include "replay/nature.h"
#include "tests/test.h"

static struct session *read_session(const char *path)
{
	struct session *s = session_new(NULL);
	struct decode_options o = {.show_secrets = true};
	struct event_bus bus = {NULL};
	struct decode *d;

	event_bus_add(&bus, session_sink(s));
	d = decode_new(&o, &bus);
	CHECK_EQ(decode_files(d, &path, 1, NULL), 0);
	CHECK_EQ(session_end(s, NULL), 0);
	decode_free(d);
	return s;
}

TEST(no_request_goes_before_an_answer_that_was_there)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-rebalance.pcap");
	struct course c;
	size_t sent = 0, answered = 0;

	course_init(&c, s);
	for (size_t i = 0; i < c.count; i++) {
		CHECK(!i || c.steps[i].time_us >= c.steps[i - 1].time_us);
		sent += c.steps[i].kind == COURSE_SEND;
		answered += c.steps[i].kind == COURSE_ANSWER;
		for (size_t k = 0; k < i && c.steps[i].kind == COURSE_SEND; k++)
			CHECK(c.steps[k].exchange != c.steps[i].exchange ||
			      c.steps[k].kind == COURSE_SEND);
	}
	CHECK(answered > 50);
	CHECK(sent >= answered);
	course_release(&c);
	session_free(s);
}

TEST(what_brokers_say_to_each_other_is_left_out)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-transactions.pcap");
	struct course c;
	int markers = 0;

	course_init(&c, s);
	for (size_t i = 0; i < s->exchanges_count; i++) {
		if (s->exchanges[i]->header.api_key == API_WRITE_TXN_MARKERS) {
			CHECK_EQ(c.left_out[i], LEFT_BROKER);
			markers++;
		}
		if (s->exchanges[i]->header.api_key == API_PRODUCE)
			CHECK_EQ(c.left_out[i], LEFT_NOT);
	}
	CHECK(markers > 0);
	course_release(&c);
	session_free(s);
}

TEST(a_change_that_was_not_made_is_left_out_and_a_question_is_not)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-transactions.pcap");
	struct course c;
	int refused = 0, asked = 0;

	course_init(&c, s);
	for (size_t i = 0; i < s->exchanges_count; i++) {
		struct session_exchange *x = s->exchanges[i];

		if (c.left_out[i] == LEFT_REFUSED) {
			CHECK(course_not_ready(s, x));
			refused++;
		}
		if (!c.left_out[i] && course_not_ready(s, x)) {
			CHECK(nature_of(x->header.api_key, x->header.api_version, x->request_body)
				      .question);
			asked++;
		}
	}
	CHECK(refused + asked > 0);
	course_release(&c);
	session_free(s);
}

TEST(questions_of_the_same_words_are_chained)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-rebalance.pcap");
	struct course c;
	size_t chained = 0;

	course_init(&c, s);
	for (size_t i = 0; i < s->exchanges_count; i++) {
		size_t k = c.again[i];

		if (k == SIZE_MAX)
			continue;
		chained++;
		CHECK(k > i);
		CHECK_EQ(s->exchanges[k]->header.api_key, s->exchanges[i]->header.api_key);
		CHECK_BYTES(s->exchanges[k]->request.data + s->exchanges[k]->header.body,
			    (size_t)(s->exchanges[k]->request.len - s->exchanges[k]->header.body),
			    s->exchanges[i]->request.data + s->exchanges[i]->header.body,
			    (size_t)(s->exchanges[i]->request.len - s->exchanges[i]->header.body));
	}
	CHECK(chained > 0); /* heartbeats */
	course_release(&c);
	session_free(s);
}

/* Two members join on two connections; the second one on the wire is new and leads. */
TEST(of_members_that_join_at_once_who_leads_joined_first)
{
	struct join_group_request asked = {.group_id = str_of("g")};
	struct join_group_response said[2] = {
		{.generation_id = 1, .leader = str_of("b"), .member_id = str_of("a")},
		{.generation_id = 1, .leader = str_of("b"), .member_id = str_of("b")},
	};
	struct session_exchange x[2], *list[2] = {&x[0], &x[1]};
	struct session_conn conn[2], *conns[2] = {&conn[0], &conn[1]};
	struct session s = {
		.conns = conns, .conns_count = 2, .exchanges = list, .exchanges_count = 2};

	for (int other = 0; other < 2;
	     other++) { /* the second time a leads as well: it came first */
		struct course c;

		for (size_t i = 0; i < 2; i++) {
			conn[i] = (struct session_conn){
				.index = i, .exchanges = &list[i], .exchanges_count = 1};
			x[i] = (struct session_exchange){.conn = &conn[i],
							 .index = i,
							 .state = EXCHANGE_ANSWERED,
							 .header.api_key = API_JOIN_GROUP,
							 .request_body = &asked,
							 .response_body = &said[i],
							 .request_first_us = 1000 + (int64_t)i,
							 .response_us = 5000};
			said[i].leader = str_of(other ? "a" : "b");
		}
		course_init(&c, &s);
		CHECK_EQ(c.count, 4);
		CHECK_EQ(c.steps[0].exchange->index, other ? 0 : 1);
		CHECK_EQ(c.steps[1].exchange->index, other ? 1 : 0);
		course_release(&c);
	}
}

TEST(an_empty_session_has_an_empty_course)
{
	struct session *s = session_new(NULL);
	struct course c;

	CHECK_EQ(session_end(s, NULL), 0);
	course_init(&c, s);
	CHECK_EQ(c.count, 0);
	course_release(&c);
	session_free(s);
}

/* ---- natures ---- */

TEST(a_joining_heartbeat_changes_its_group_a_later_one_does_not)
{
	struct consumer_group_heartbeat_request r = {.member_epoch = 0};

	CHECK(!nature_of(API_CONSUMER_GROUP_HEARTBEAT, 0, &r).question);
	r.member_epoch = 3;
	CHECK(nature_of(API_CONSUMER_GROUP_HEARTBEAT, 0, &r).question);
	CHECK(nature_of(API_CONSUMER_GROUP_HEARTBEAT, 0, &r).rebalance);
}

TEST(a_replica_that_fetches_is_a_broker)
{
	struct fetch_request r = {.replica_id = -1, .replica_state = {.replica_id = -1}};

	CHECK(!nature_of(API_FETCH, 11, &r).internal);
	r.replica_id = 2;
	CHECK(nature_of(API_FETCH, 11, &r).internal);
	CHECK(nature_of(API_WRITE_TXN_MARKERS, 1, NULL).markers);
	CHECK(!nature_of(API_PRODUCE, 9, NULL).question);
	CHECK(!nature_of(127, 0, NULL).question);
}

TEST(errors_of_an_answer_are_those_of_its_innermost_structs)
{
	struct produce_response_responses_partition_responses partitions[2] = {
		{.error_code = 0}, {.index = 1, .error_code = 6}};
	struct produce_response_responses topic = {.partition_responses = partitions,
						   .partition_responses_count = 2};
	struct produce_response r = {.responses = &topic, .responses_count = 1};
	struct answer_errors e = answer_errors(API_PRODUCE, 9, &r);

	CHECK_EQ(e.count, 1);
	CHECK_EQ(e.retriable, 1);
	CHECK_EQ(e.stale, 1);
	CHECK_EQ(e.fine, 1);
	CHECK_EQ(e.no_topic, 0);
}
