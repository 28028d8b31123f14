/* The filter language: what it chooses, and what it says of mistakes. The pair is always the same:
 * a Produce v9 to two topics, one with an error, answered after 70 ms. */
#include "decoder/filter.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdlib.h>

struct pair {
	struct exchange x;
	struct arena arena;
	struct buf ask, answer;
	struct summary s;
};

static void frame(struct buf *ret, struct gather *g)
{
	buf_init(ret, 1 << 20);
	gather_flatten(g, ret);
	gather_release(g);
}

static void make_request(struct pair *p)
{
	struct produce_request_topic_data_partition_data partitions[2] = {0};
	struct produce_request_topic_data topics[2];
	struct produce_request q;
	struct gather g;

	codec_init(&produce_request_schema, &q);
	memset(topics, 0, sizeof(topics));
	for (int i = 0; i < 2; i++) {
		partitions[i].index = 3 + i;
		topics[i].name = str_of(i ? "payments" : "orders");
		topics[i].partition_data = &partitions[i];
		topics[i].partition_data_count = 1;
	}
	q.acks = -1;
	q.topic_data = topics;
	q.topic_data_count = 2;
	gather_init(&g, 1 << 20);
	frame_write_request(&g, API_PRODUCE, 9, 41, str_of("shop-1"), &q, NULL);
	frame(&p->ask, &g);
}

static void make_response(struct pair *p)
{
	struct produce_response_responses_partition_responses partitions[2];
	struct produce_response_responses topics[2];
	struct produce_response a;
	struct gather g;

	codec_init(&produce_response_schema, &a);
	memset(topics, 0, sizeof(topics));
	for (int i = 0; i < 2; i++) {
		partitions[i] = produce_response_responses_partition_responses_defaults;
		partitions[i].index = 3 + i;
		partitions[i].base_offset = 1000;
		partitions[i].error_code = i ? 6 : 0;
		topics[i].name = str_of(i ? "payments" : "orders");
		topics[i].partition_responses = &partitions[i];
		topics[i].partition_responses_count = 1;
	}
	a.responses = topics;
	a.responses_count = 2;
	gather_init(&g, 1 << 20);
	frame_write_response(&g, API_PRODUCE, 9, 41, &a, NULL);
	frame(&p->answer, &g);
}

static void make(struct pair *p)
{
	*p = (struct pair){0};
	arena_init(&p->arena, 1 << 20);
	make_request(p);
	make_response(p);
	p->x.arena = &p->arena;
	p->x.conn = (struct event_conn){.conn = 7,
					.broker = 2,
					.client = {4, {10, 0, 0, 1}, 40000},
					.server = {4, {10, 0, 0, 2}, 9092}};
	p->x.request = (struct bytes){p->ask.data + 4, (int32_t)p->ask.len - 4};
	p->x.response = (struct bytes){p->answer.data + 4, (int32_t)p->answer.len - 4};
	p->x.request_size = (uint32_t)p->x.request.len;
	p->x.response_size = (uint32_t)p->x.response.len;
	CHECK_EQ(frame_read_request(p->x.request, &p->x.header, NULL), 0);
	p->x.request_first_us = 72000000;
	p->x.request_us = 72000500;
	p->x.response_first_us = 72070000;
	p->x.response_us = 72070500;
	p->x.request_packet = p->x.request_packet_last = 11;
	p->x.response_packet = p->x.response_packet_last = 15;
	summarize(&p->x, NULL, &p->s);
}

static void release(struct pair *p)
{
	buf_release(&p->ask);
	buf_release(&p->answer);
	arena_release(&p->arena);
}

static bool passes(struct pair *p, const char *text)
{
	struct error e = ERROR_INIT;
	struct filter *f = filter_new(str_of(text), &e);
	bool yes = f && filter_matches(f, &p->x, &p->s);

	CHECK_TEXT(e.text, "");
	filter_free(f);
	return yes;
}

static void check_all(const char *const *texts, bool want)
{
	struct pair p;

	make(&p);
	for (; *texts; texts++)
		if (passes(&p, *texts) != want)
			CHECK_TEXT(*texts, want ? "(should pass)" : "(should not pass)");
	release(&p);
}

TEST(a_filter_passes_what_it_describes)
{
	static const char *const texts[] = {
		"api == Produce",
		"api == 0 && version == 9 && correlationId == 41",
		"topic == \"orders\"",
		"topic == 'payments'",
		"topic == orders && topic == payments",
		"topic ~ \"^pay\" and not topic ~ nothing",
		"partition in (1, 2, 3)",
		"errors != NONE",
		"errors == NOT_LEADER_OR_FOLLOWER",
		"errors == 6",
		"errors",
		"errors ~ \"^NOT_\"",
		"latency > 69.9ms && latency < 71ms && latency == 70ms",
		"latency >= 70ms && latency <= 70000us",
		"wait < 70ms && sending == 500us && receiving == 500us",
		"client == shop-1 && client ~ \"shop-[0-9]\"",
		"src == 10.0.0.1 && dst == 10.0.0.2:9092 && addr == \"10.0.0.1:40000\"",
		"port == 9092 && conn == 7 && broker == 2",
		"body.acks == -1",
		"request.acks < 0 && body.topicData[1].name == payments",
		"body.topicData[*].partitionData[*].index == 4",
		"response.responses[*].partitionResponses[*].errorCode == NOT_LEADER_OR_FOLLOWER",
		"body.responses[*].partitionResponses[*].baseOffset > 999",
		"state == answered && !rule && !problems && !group",
		"size > 60 && requestSize < 1KiB && responseSize < 1k",
		"time == 00:01:12.0005 && time >= 1970-01-01T00:01:12Z",
		"time < 00:01:13 && time > 00:01",
		"frame == 15",
		"(api == Fetch || topic == orders) && (api == Produce)",
		"!(api == Fetch) && !!api",
		"api in(Fetch,Produce)",
		"throttle == 0us && throttle < 1ms",
		NULL};

	check_all(texts, true);
}

TEST(and_nothing_else)
{
	static const char *const texts[] = {"api == Fetch",
					    "api != Produce",
					    "topic == order",
					    "topic != orders",
					    "topic !~ pay",
					    "partition in (1, 2)",
					    "errors == NONE",
					    "latency > 70ms",
					    "latency < 70ms",
					    "group == g",
					    "group",
					    "rule",
					    "state == lost",
					    "src == 10.0.0.2",
					    "body.groupId == g",
					    "body.acks == 1",
					    "body.topicData[2].name ~ \"\"",
					    "response.throttleTimeMs == 1",
					    "api == Produce && api == Fetch || topic == none",
					    "time == 00:01:13",
					    "broker == 3",
					    "not errors",
					    NULL};

	check_all(texts, false);
}

static void check_mistake(const char *text, size_t offset, const char *want)
{
	struct error e = ERROR_INIT;
	struct filter *f = filter_new(str_of(text), &e);

	CHECK(!f);
	CHECK_EQ(e.code, ERR_USAGE);
	CHECK_TEXT(e.text, want);
	CHECK_EQ(e.offset, offset);
	filter_free(f);
}

TEST(a_mistake_is_named_at_its_place)
{
	check_mistake("", 0, "the expression ends too early");
	check_mistake("api == Prodce", 7, "there is no API 'Prodce'; did you mean 'Produce'?");
	check_mistake("conn == 1 && topik == x", 13,
		      "there is no field 'topik'; did you mean 'topic'?");
	check_mistake("errors == NOT_LEADR_OR_FOLLOWER", 10,
		      "there is no error 'NOT_LEADR_OR_FOLLOWER'; did you mean "
		      "'NOT_LEADER_OR_FOLLOWER'?");
	check_mistake("latency > 50", 10, "a time with its unit is wanted here: 50ms, 2s, 300us");
	check_mistake("size > 5parsecs", 7, "a size is wanted here: 1000, 64KiB, 5MB");
	check_mistake("time > noon", 7, "a time is wanted here: 2026-11-22T20:41:17Z, or 20:41:17");
	check_mistake("version == nine", 11, "a number is wanted here");
	check_mistake("topic < 3", 6, "this field has no order; == != ~ !~ can be asked of it");
	check_mistake("latency ~ 3", 8,
		      "this field is no text; == != < <= > >= can be asked of it");
	check_mistake("client = x", 7, "to compare is ==");
	check_mistake("api == Produce &&", 17, "the expression ends too early");
	check_mistake("(api == Produce", 15, "')' is wanted here, or && or ||");
	check_mistake("api == Produce)", 14, "&& or || is wanted here");
	check_mistake("topic == \"x", 9, "this text lacks its closing quote");
	check_mistake("topic in x", 9, "'in' is followed by values in parentheses: (A, B)");
	check_mistake("topic in (x", 11, "')' is wanted here");
	check_mistake("topic ~ \"a(\"", 11, "the regular expression: missing closing parenthesis");
	check_mistake("body.groupI == x", 5, "there is no field 'groupI'; did you mean 'groupId'?");
	check_mistake("body.zzzzzzzzzzzzzz == x", 5, "no message has such a field");
	check_mistake("body.topicData[*] == x", 17,
		      "topicData is a struct; go on with one of its fields: name, topicId, "
		      "partitionData");
	check_mistake("body.acks > many", 12, "a number is wanted here");
}

TEST(a_filter_of_any_depth_and_length_is_refused_not_followed)
{
	char *deep = malloc(200001);

	memset(deep, '(', 200000);
	deep[200000] = '\0';
	check_mistake(deep, 0, "the expression is too long");
	deep[1000] = '\0';
	check_mistake(deep, FILTER_DEPTH_MAX, "too many parentheses");
	memset(deep, '!', 1000);
	check_mistake(deep, FILTER_DEPTH_MAX, "too many parentheses");
	free(deep);
}

TEST(a_caret_stands_below_the_mistake_also_behind_letters_of_two_bytes)
{
	struct buf b;

	buf_init(&b, 1000);
	filter_point(&b, str_of("topic == \"\xc3\xa4\" && x"), 16);
	CHECK_TEXT(buf_cstr(&b), "  topic == \"\xc3\xa4\" && x\n                 ^\n");
	buf_release(&b);
}
