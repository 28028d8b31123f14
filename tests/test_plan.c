/* Scenarios as they are read: what becomes plain data, what is refused and where the finger points,
 * and the timeline against a stage made by hand in virtual time. */
#include "harness/explain.h"
#include "harness/reference.h"
#include "harness/rehearse.h"
#include "harness/timeline.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct buf out;

static const char *messages(void)
{
	return buf_cstr(&out);
}

static const char lost_ack[] =
	"scenario {\n"
	"  name  = 'produce/lost-ack', claim = 'A lost acknowledgement loses nothing.', timeout = "
	"'20s',\n"
	"  matrix = { idempotent = { true, false }, inflight = { 1, 5 } },\n"
	"}\n"
	"local c = cluster { brokers = 3 }\n"
	"local t = c:topic('orders', { partitions = 1, leader = 1 })\n"
	"local p = client('p', { speaks = 'verifiable-producer', args = { topic = t, max_messages "
	"= 500 },\n"
	"  config = { acks = 'all', ['enable.idempotence'] = case.idempotent } })\n"
	"local lost = rule('lost', 'Produce topic=orders nth=3 -> close after')\n"
	"timeline(function() p:start(); await(lost:fired(), '5s'); await(p:exited(0)) end)\n"
	"local once = case.idempotent and must or info\n"
	"must(delivery.no_loss(p, t))\n"
	"once(delivery.no_duplicates(p, t))\n";

/* A text that loads up to case 0, or NULL with the complaints in out. */
static struct case_plan *load_case(const char *text, int32_t index, struct scenario **ret_scenario)
{
	struct case_plan *p = NULL;

	buf_release(&out);
	buf_init(&out, 100000);
	*ret_scenario = scenario_parse("x.lua", text, &out);
	if (*ret_scenario)
		p = plan_load(*ret_scenario, index, 1, &out);
	return p;
}

static void end_case(struct case_plan *p, struct scenario *s)
{
	plan_free(p);
	scenario_free(s);
	buf_release(&out);
}

/* The complaints about a text that is wrong. */
static void refuse(const char *text, const char *expected)
{
	struct scenario *s;
	struct case_plan *p = load_case(text, 0, &s);

	CHECK(p == NULL);
	CHECK_TEXT(messages(), expected);
	end_case(p, s);
}

#define HEAD  "scenario { name = 'a/b', claim = 'It holds.' }\n"
#define TOPIC HEAD "local t = cluster {}:topic('t')\n"

/* KTRIAL_ACCEPT=1 unit-tests test_plan writes the page anew. */
TEST(the_reference_says_what_the_tables_say)
{
	struct buf text;
	char *page;
	size_t len;
	FILE *file;

	buf_init(&text, 1 << 20);
	scenarios_reference(&text);
	if (getenv("KTRIAL_ACCEPT")) {
		file = fopen("docs/scenarios.md", "wb");
		CHECK(file && fwrite(text.data, 1, text.len, file) == text.len && !fclose(file));
	}
	page = test_file("docs/scenarios.md", &len);
	CHECK(page && len == text.len && !memcmp(page, text.data, len));
	free(page);
	buf_release(&text);
}

/* Every case of a text that stands in a folder of scenarios/. */
static void load_all(const char *text)
{
	struct scenario *s;

	buf_init(&out, 100000);
	s = scenario_parse("scenarios/produce/example.lua", text, &out);
	CHECK(s != NULL);
	for (int32_t i = 0; s && i < s->cases_count; i++)
		CHECK(plan_rehearse(s, i, 1, &out));
	CHECK_TEXT(messages(), "");
	scenario_free(s);
	buf_release(&out);
}

TEST(every_example_of_the_reference_is_right)
{
	size_t len;
	char *page = test_file("docs/scenarios.md", &len), *at = page, *end;
	int n = 0;

	CHECK(page != NULL);
	while (at && (at = strstr(at, "```lua\n")) && (end = strstr(at + 7, "```\n"))) {
		*end = '\0';
		load_all(at + 7);
		at = end + 1;
		n++;
	}
	CHECK_EQ(n, 6);
	free(page);
}

TEST(a_matrix_has_a_case_for_each_combination_in_the_order_of_the_text)
{
	struct scenario *s;
	struct case_plan *p = load_case(lost_ack, 1, &s);

	CHECK(p != NULL);
	CHECK_EQ(s->cases_count, 4);
	CHECK_STR(p->case_name, "idempotent=true,inflight=5");
	CHECK_STR(scenario_case_name(s, 2, &p->arena), "idempotent=false,inflight=1");
	end_case(p, s);
}

TEST(a_plan_is_plain_data)
{
	struct scenario *s;
	struct case_plan *p = load_case(lost_ack, 2, &s);

	CHECK_TEXT(messages(), "");
	CHECK_EQ(p->brokers, 3);
	CHECK_EQ(p->topics_count, 1);
	CHECK_EQ(p->topics[0].leader, 1);
	CHECK_EQ(p->clients_count, 1);
	CHECK_STR(p->clients[0].topic, "orders");
	CHECK_EQ(p->clients[0].args_count, 2);
	CHECK_STR(p->clients[0].args[0].key, "max_messages");
	CHECK_STR(p->clients[0].args[0].value, "500");
	CHECK_STR(p->clients[0].config[1].key, "enable.idempotence");
	CHECK_STR(p->clients[0].config[1].value, "false");
	CHECK_STR(p->rules[0].text, "Produce topic=orders nth=3 -> close after");
	CHECK_EQ(p->checks_count, 2);
	CHECK_EQ(p->checks[0].severity, SEVERITY_MUST);
	CHECK_EQ(p->checks[1].severity, SEVERITY_INFO);
	CHECK_STR(p->checks[1].scope.topic, "orders");
	CHECK_EQ(s->timeout_us, 20000000);
	end_case(p, s);
}

TEST(an_unknown_key_is_shown_where_it_stands_in_a_table_of_several_lines)
{
	refuse(TOPIC "client('p', {\n"
		     "  speaks = 'verifiable-producer',\n"
		     "  args = { topic = t,\n"
		     "    max_mesages = 5 },\n"
		     "  confg = { acks = 'all' } })\n",
	       "x.lua:6:5: client's args has no key 'max_mesages'; did you mean 'max_messages'?\n"
	       "        max_mesages = 5 },\n"
	       "        ^\n"
	       "x.lua:7:3: client has no key 'confg'; did you mean 'config'?\n"
	       "      confg = { acks = 'all' } })\n"
	       "      ^\n");
}

TEST(a_wrong_value_is_shown_where_it_stands)
{
	refuse(HEAD "cluster {\n  brokers = 'three' }\n",
	       "x.lua:3:13: brokers is a number, not three\n"
	       "      brokers = 'three' }\n"
	       "                ^\n");
}

TEST(settings_of_brokers_are_known)
{
	refuse("scenario { name = 'a/b', claim = 'c' }\n"
	       "cluster { config = { ['broker.rac'] = 'a' } }\n",
	       "x.lua:2:23: a broker here has no setting 'broker.rac'; did you mean "
	       "'broker.rack'?\n"
	       "    cluster { config = { ['broker.rac'] = 'a' } }\n"
	       "                          ^\n");
	refuse("scenario { name = 'a/b', claim = 'c' }\n"
	       "cluster { config = { ['group.max.session.timeout.ms'] = 'x' } }\n",
	       "x.lua:2:57: group.max.session.timeout.ms can't be 'x'\n"
	       "    cluster { config = { ['group.max.session.timeout.ms'] = 'x' } }\n"
	       "                                                            ^\n");
}

TEST(what_is_advertised_must_be_there)
{
	refuse(HEAD "cluster { advertise = { Prodcue = '1', Produce = '0-3',\n"
		    "  Metadata = '99',\n"
		    "  Heartbeat = 'x' } }\n",
	       "x.lua:2:25: there is no API 'Prodcue'; did you mean 'Produce'?\n"
	       "    cluster { advertise = { Prodcue = '1', Produce = '0-3',\n"
	       "                            ^\n"
	       "x.lua:3:14: the cluster has Metadata in versions 0-13\n"
	       "      Metadata = '99',\n"
	       "                 ^\n"
	       "x.lua:4:15: Heartbeat takes versions: \"3\", \"0-3\" or \"none\"\n"
	       "      Heartbeat = 'x' } }\n"
	       "                  ^\n");
}

TEST(a_batch_of_a_log_is_shown_where_it_stands)
{
	refuse(HEAD "cluster {}:topic('t', { log = {\n"
		    "  { records = 3, gap = 5, codec = 'lz4', txn = 'abort' },\n"
		    "  { records = 2, codecc = 'gzip' },\n"
		    "  { records = 2,\n"
		    "    txn = 'aborted' },\n"
		    "  { records = 2, empty = 1 },\n"
		    "  { hex = '0102' }, 7,\n"
		    "  { records = 1, magic = 1, codec = 'zstd' },\n"
		    "} })\n"
		    "client('p', { speaks = 'none' })\n",
	       "x.lua:4:18: topic's log has no key 'codecc'; did you mean 'codec'?\n"
	       "      { records = 2, codecc = 'gzip' },\n"
	       "                     ^\n"
	       "x.lua:6:11: txn is commit, abort or open\n"
	       "        txn = 'aborted' },\n"
	       "              ^\n"
	       "x.lua:7:3: a batch has one of records, empty and hex\n"
	       "      { records = 2, empty = 1 },\n"
	       "      ^\n"
	       "x.lua:8:11: the bytes end within the batch\n"
	       "      { hex = '0102' }, 7,\n"
	       "              ^\n"
	       "x.lua:8:21: log is a list of tables, such as { records = 3 }\n"
	       "      { hex = '0102' }, 7,\n"
	       "                        ^\n"
	       "x.lua:9:26: magic 0 and 1 are records, without txn, tail and zstd\n"
	       "      { records = 1, magic = 1, codec = 'zstd' },\n"
	       "                             ^\n");
}

TEST(committed_offsets_are_shown_where_they_stand)
{
	refuse(HEAD "local t = cluster {}:topic('t', { partitions = 2 })\n"
		    "t:committed('g', { 3, 'x' })\n"
		    "t:committed('h', { 1, 2, 3 })\n"
		    "client('p', { speaks = 'none' })\n",
	       "x.lua:3:18: committed takes a list of offsets, by partition from 0; -1 where there "
	       "is none\n"
	       "    t:committed('g', { 3, 'x' })\n"
	       "                     ^\n"
	       "x.lua:4:18: the topic has 2 partitions\n"
	       "    t:committed('h', { 1, 2, 3 })\n"
	       "                     ^\n");
}

TEST(a_text_sees_whether_it_runs_under_a_command)
{
	static const char text[] = HEAD "cluster {}\n"
					"client(under and 'it' or 'c', { speaks = 'none' })\n";
	struct scenario *s;
	struct case_plan *p = load_case(text, 0, &s);

	CHECK_STR(p->clients[0].name, "c");
	plan_free(p);
	s->under = true;
	p = plan_load(s, 0, 1, &out);
	CHECK_STR(p->clients[0].name, "it");
	end_case(p, s);
}

TEST(an_unknown_name_is_no_nil)
{
	refuse(HEAD "local c = custer {}\n",
	       "x.lua:2:11: there is no name 'custer'; did you mean 'cluster'?\n"
	       "    local c = custer {}\n"
	       "              ^\n");
	refuse(HEAD "c = cluster {}\n", "x.lua:2:1: 'c' is not declared: write local c\n"
					"    c = cluster {}\n"
					"    ^\n");
	refuse(TOPIC "must(delivery.no_los(t))\n",
	       "x.lua:3:15: delivery has no 'no_los'; did you mean 'no_loss'?\n"
	       "    must(delivery.no_los(t))\n"
	       "                  ^\n");
	refuse(TOPIC "must(delivry.no_loss(t))\n", /* an area of checks that nobody has named yet */
	       "x.lua:3:6: there is no name 'delivry'; did you mean 'delivery'?\n"
	       "    must(delivry.no_loss(t))\n"
	       "         ^\n");
}

TEST(a_case_has_only_what_the_matrix_names)
{
	refuse("scenario { name = 'a/b', claim = 'x', matrix = { idempotent = { true } } }\n"
	       "local x = case.idempotence\n",
	       "x.lua:2:16: case has no 'idempotence'; did you mean 'idempotent'?\n"
	       "    local x = case.idempotence\n"
	       "                   ^\n");
}

TEST(a_wrong_rule_is_shown_at_its_column)
{
	refuse(TOPIC "rule('r', 'Produce topic=t nth=3 -> eror NONE')\n",
	       "x.lua:3:37: there is no action 'eror'; did you mean 'error'?\n"
	       "    rule('r', 'Produce topic=t nth=3 -> eror NONE')\n"
	       "                                        ^\n");
}

TEST(a_line_that_starts_with_a_bracket_is_not_taken_for_a_call)
{
	refuse(TOPIC "local p = client('p', { speaks = 'none' })\n(must)(delivery.no_loss(p))\n",
	       "x.lua:4:1: this '(' continues the line above as a call; put a ';' before it\n"
	       "    (must)(delivery.no_loss(p))\n"
	       "    ^\n");
}

TEST(a_syntax_error_has_line_and_column)
{
	refuse("scenario {\n  name = 'a/b'\n  claim = 'x' }\n",
	       "x.lua:3:3: '}' expected (to close '{' at line 1) near 'claim'\n"
	       "      claim = 'x' }\n"
	       "      ^\n");
}

TEST(a_check_that_nobody_takes_is_an_error)
{
	refuse(TOPIC "local p = client('p', { speaks = 'none' })\ndelivery.no_loss(p, t)\n",
	       "x.lua:4:10: nobody takes this check: put it into must(), should() or info()\n"
	       "    delivery.no_loss(p, t)\n"
	       "             ^\n");
}

TEST(wrong_arguments_of_checks_are_told_together)
{
	refuse("scenario { name = 'a/b', claim = 'c' }\n"
	       "must(fetch.moves_on('x', 'y'))\n"
	       "must(order.offsets(7))\n",
	       "x.lua:2:21: fetch.moves_on takes a client, a number here, not string\n"
	       "    must(fetch.moves_on('x', 'y'))\n"
	       "                        ^\n"
	       "x.lua:3:20: order.offsets takes a client, a topic here, not number\n"
	       "    must(order.offsets(7))\n"
	       "                       ^\n");
}

TEST(a_check_says_what_it_takes)
{
	refuse(TOPIC "must(delivery.no_loss(t, 'g'))\n",
	       "x.lua:3:26: delivery.no_loss takes a client, a topic here, not string\n"
	       "    must(delivery.no_loss(t, 'g'))\n"
	       "                             ^\n");
}

TEST(the_world_is_closed_and_bounded)
{
	refuse(HEAD "os.exit(1)\n", "x.lua:2:1: there is no name 'os'\n    os.exit(1)\n    ^\n");
	refuse(HEAD "while true do end\n",
	       "x.lua:2:1: this takes too long: more than 20000000 steps\n"
	       "    while true do end\n"
	       "    ^\n");
	refuse(HEAD "local s = 'x'\nwhile true do s = s .. s end\n",
	       "x.lua:3:1: not enough memory\n    while true do s = s .. s end\n    ^\n");
}

#define TOO_LONG(line) \
	"x.lua:2:1: this takes too long: more than 20000000 steps\n    " line "\n    ^\n"

TEST(no_library_function_outlasts_the_limits)
{
	static const char *const lines[] = {
		"local s = ('a'):rep(30):find(('a*'):rep(30) .. 'b')",
		"local s = ('a'):rep(9000000):find(('a'):rep(900000) .. 'b', 1, true)",
		"local s = ('a'):rep(500):gsub('.-.-.-.-b', '')",
		"for x in ('a'):rep(30):gmatch('a*[%]a-*]*a*a*a*a*a*a*a*b') do end",
		"local s = ('a'):rep(99):match('%b()%b()%b()%b()%b()(a*)%1')",
		"local s = (''):rep(1000000000000000)",
		"local t = table.move({}, 1, 1 << 52, 2)",
	};
	char text[300], expected[300];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), HEAD "%s\n", lines[i]);
		snprintf(expected, sizeof(expected), TOO_LONG("%s"), lines[i]);
		refuse(text, expected);
	}
}

TEST(patterns_of_a_usual_size_work)
{
	struct scenario *s;
	struct case_plan *p = load_case(
		TOPIC "local a, b = ('key=value'):match('^(%w+)=(%w+)$')\n"
		      "assert(a == 'key' and b == 'value' and ('a-b'):gsub('%-', '+') == 'a+b')\n"
		      "assert(('x'):rep(3, '.') == 'x.x.x' and ('a.b'):find('.', 1, true) == 2)\n"
		      "client('p', { speaks = 'none' })\n",
		0, &s);

	CHECK_TEXT(messages(), "");
	CHECK(p != NULL);
	end_case(p, s);
}

TEST(the_header_comes_first)
{
	refuse("cluster {}\n" HEAD,
	       "x.lua:1:1: scenario {...} comes first\n    cluster {}\n    ^\n");
}

TEST(every_prefix_of_a_scenario_is_read_or_refused)
{
	char text[sizeof(lost_ack)];
	struct scenario *s;

	for (size_t n = 0; n < sizeof(lost_ack); n++) {
		memcpy(text, lost_ack, n);
		text[n] = '\0';
		struct case_plan *p = load_case(text, 0, &s);

		CHECK(p || out.len);
		end_case(p, s);
	}
}

#define CLIENT "client('p', { speaks = 'verifiable-producer', args = { topic = t } })\n"

TEST(a_rule_that_can_not_act_is_refused)
{
	refuse(TOPIC CLIENT
	       "rule('a', 'Produce -> close')\nrule('b', 'Produce topic=t nth=2 -> close')\n",
	       "x.lua:5:11: this rule can't be reached: rule 'a' acts first on all that it "
	       "matches\n"
	       "    rule('b', 'Produce topic=t nth=2 -> close')\n"
	       "              ^\n");
	refuse(TOPIC CLIENT "rule('a', 'Produce topic=u -> close')\n",
	       "x.lua:4:11: this rule can't act: there is no topic 'u'\n"
	       "    rule('a', 'Produce topic=u -> close')\n"
	       "              ^\n");
	refuse(TOPIC CLIENT "rule('a', 'Produce client=q -> close')\n",
	       "x.lua:4:11: this rule can't act: there is no client 'q'\n"
	       "    rule('a', 'Produce client=q -> close')\n"
	       "              ^\n");
}

TEST(rules_that_share_requests_by_count_can_both_act)
{
	struct scenario *s;
	struct case_plan *p = load_case(
		TOPIC CLIENT "rule('a', 'Produce nth=1 -> close')\nrule('b', 'Produce -> close')\n",
		0, &s);

	CHECK_TEXT(messages(), "");
	CHECK(p != NULL);
	end_case(p, s);
}

TEST(a_plan_in_words_tells_once_what_all_cases_share)
{
	struct scenario *s = scenario_parse("x.lua", lost_ack, &out);
	struct buf text;

	buf_init(&text, 100000);
	CHECK(explain_scenario(s, &text));
	CHECK_TEXT(buf_cstr(&text), "produce/lost-ack\n"
				    "  claim     A lost acknowledgement loses nothing.\n"
				    "  file      x.lua\n"
				    "  time-out  20.0 s\n"
				    "  matrix    idempotent: true false\n"
				    "  matrix    inflight: 1 5\n"
				    "  cluster   3 brokers\n"
				    "  topic     orders, 1 partition, led by broker 1\n"
				    "  rule      lost: Produce topic=orders nth=3 -> close after\n"
				    "  MUST      delivery.no_loss(p, orders): what the subject was "
				    "told is written is in the log\n"
				    "case idempotent=true,inflight=1\n"
				    "case idempotent=true,inflight=5\n"
				    "  client    p speaks verifiable-producer; max_messages=500 "
				    "topic=orders; acks=all enable.idempotence=true\n"
				    "  MUST      delivery.no_duplicates(p, orders): no value "
				    "stands in the log more than once\n"
				    "case idempotent=false,inflight=1\n"
				    "case idempotent=false,inflight=5\n"
				    "  client    p speaks verifiable-producer; max_messages=500 "
				    "topic=orders; acks=all enable.idempotence=false\n"
				    "  INFO      delivery.no_duplicates(p, orders): no value "
				    "stands in the log more than once\n");
	buf_release(&text);
	scenario_free(s);
}

/* ---- timelines ---- */

static struct stage_by_hand {
	struct stage stage;
	int started, signalled, fired, exited; /* exited: -1 runs */
	int reports, released;
} hand;

static int hand_start(struct stage *stage, int32_t client, struct error *e)
{
	(void)stage;
	(void)client;
	(void)e;
	hand.started++;
	return 0;
}

static void hand_signal(struct stage *stage, int32_t client, int number)
{
	(void)stage;
	(void)client;
	hand.signalled = number;
}

static enum holds hand_holds(struct stage *stage, const struct condition *c, char *text,
			     size_t size)
{
	(void)stage;
	if (c->kind == CONDITION_FIRED)
		return hand.fired >= c->number ? HOLDS : HOLDS_NOT_YET;
	if (c->kind == CONDITION_REPORTED)
		return hand.reports >= c->number ? HOLDS : HOLDS_NOT_YET;
	if (hand.exited < 0)
		return HOLDS_NOT_YET;
	if (c->kind == CONDITION_ENDED || hand.exited == c->number)
		return HOLDS;
	snprintf(text, size, "it exited with %d", hand.exited);
	return HOLDS_NEVER;
}

static int32_t hand_release(struct stage *stage, struct str hold)
{
	(void)stage;
	(void)hold;
	return ++hand.released;
}

static int hand_happen(struct stage *stage, struct str text, struct error *e)
{
	(void)stage;
	(void)text;
	(void)e;
	return 0;
}

static void hand_mark(struct stage *stage, struct str text)
{
	(void)stage;
	(void)text;
}

static struct timeline *begin(const char *text, struct case_plan **ret_plan,
			      struct scenario **ret_scenario)
{
	hand = (struct stage_by_hand){
		{hand_start, hand_signal, hand_holds, hand_release, hand_happen, hand_mark},
		.exited = -1};
	*ret_plan = load_case(text, 0, ret_scenario);
	CHECK_TEXT(messages(), "");
	return timeline_new(*ret_plan, &hand.stage);
}

TEST(a_timeline_goes_on_when_what_it_awaits_has_come)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t = begin(lost_ack, &p, &s);
	struct instant now = {1000, 1000};

	CHECK_EQ(timeline_poll(t, now), TIMELINE_RUNNING);
	CHECK_EQ(hand.started, 1);
	CHECK_TEXT(timeline_waiting(t), "lost:fired(1)");
	CHECK_EQ(timeline_deadline(t), 5001000);
	hand.fired = 1;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_RUNNING);
	CHECK_TEXT(timeline_waiting(t), "p:exited(0)");
	hand.exited = 0;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_DONE);
	timeline_free(t);
	end_case(p, s);
}

TEST(an_await_that_takes_too_long_fails_with_its_line)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t = begin(lost_ack, &p, &s);
	struct instant now = {1000, 1000};

	timeline_poll(t, now);
	CHECK_EQ(timeline_poll(t, instant_add_us(now, 4999999)), TIMELINE_RUNNING);
	CHECK_EQ(timeline_poll(t, instant_add_us(now, 5000000)), TIMELINE_FAILED);
	CHECK_TEXT(timeline_why(t), "x.lua:10: await(lost:fired(1)): did not come within 5.0 s");
	timeline_free(t);
	end_case(p, s);
}

TEST(an_await_that_can_not_come_true_fails_at_once)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t = begin(lost_ack, &p, &s);
	struct instant now = {1000, 1000};

	timeline_poll(t, now);
	hand.fired = 1;
	hand.exited = 3;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_FAILED);
	CHECK_TEXT(timeline_why(t), "x.lua:10: await(p:exited(0)): it exited with 3");
	timeline_free(t);
	end_case(p, s);
}

TEST(without_a_timeline_all_clients_run_to_their_ends)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t =
		begin(TOPIC "client('a', { speaks = 'none' })\nclient('b', { speaks = 'none' })\n",
		      &p, &s);

	CHECK_EQ(timeline_poll(t, (struct instant){1, 1}), TIMELINE_RUNNING);
	CHECK_EQ(hand.started, 2);
	hand.exited = 0;
	CHECK_EQ(timeline_poll(t, (struct instant){1, 1}), TIMELINE_DONE);
	timeline_free(t);
	end_case(p, s);
}

TEST(without_a_timeline_a_program_that_says_nothing_must_exit_with_0)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t = begin(TOPIC "client('a', { speaks = 'none' })\n", &p, &s);

	timeline_poll(t, (struct instant){1, 1});
	hand.exited = 3;
	CHECK_EQ(timeline_poll(t, (struct instant){1, 1}), TIMELINE_FAILED);
	CHECK_TEXT(timeline_why(t), "a: it exited with 3");
	timeline_free(t);
	end_case(p, s);
}

TEST(the_words_of_a_timeline_act_on_the_stage)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t = begin(TOPIC "local a = client('a', { speaks = 'none' })\n"
					 "timeline(function() a:start(); sleep('10ms'); a:kill();\n"
					 "  await(a:reported('x', 2)); error('enough') end)\n",
				   &p, &s);
	struct instant now = {0, 0};

	timeline_poll(t, now);
	CHECK_EQ(hand.signalled, 0);
	timeline_poll(t, instant_add_us(now, 10000));
	CHECK_EQ(hand.signalled, SIGKILL);
	hand.reports = 2;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_WRONG);
	CHECK_TEXT(timeline_why(t), "x.lua:5:3: enough");
	CHECK_TEXT(timeline_mistake(t),
		   "x.lua:5:3: enough\n      await(a:reported('x', 2)); error('enough') end)\n"
		   "      ^\n");
	timeline_free(t);
	end_case(p, s);
}

/* The complaints of a rehearsal of a timeline; the function's body. */
static void refuse_timeline(const char *body, const char *expected)
{
	char text[1000];
	struct scenario *s;

	buf_init(&out, 100000);
	snprintf(text, sizeof(text),
		 TOPIC "local p = client('p', { speaks = 'none' })\n"
		       "timeline(function()\n%s\nend)\n",
		 body);
	s = scenario_parse("x.lua", text, &out);
	CHECK(s != NULL);
	CHECK_EQ(plan_rehearse(s, 0, 1, &out), !*expected);
	CHECK_TEXT(messages(), expected);
	scenario_free(s);
	buf_release(&out);
}

TEST(a_slip_in_a_timeline_is_found_before_anything_starts)
{
	refuse_timeline("p:strat()", "x.lua:5:3: a client has no 'strat'; did you mean 'start'?\n"
				     "    p:strat()\n"
				     "      ^\n");
	refuse_timeline("local x p:start() x.y = 3",
			"x.lua:5:7: attempt to index a nil value (local 'x')\n"
			"    local x p:start() x.y = 3\n"
			"          ^\n");
	refuse_timeline("while true do end",
			"x.lua:5:1: this takes too long: more than 20000000 steps\n"
			"    while true do end\n"
			"    ^\n");
	refuse_timeline("await(p:reported())",
			"x.lua:5:9: bad argument #1 to 'reported' (string expected, got no value)\n"
			"    await(p:reported())\n"
			"            ^\n");
	refuse_timeline("await(p:exited(0), 5)",
			"x.lua:5:20: '5' is no time: write \"500ms\" or \"20s\"\n"
			"    await(p:exited(0), 5)\n"
			"                       ^\n");
	refuse_timeline("await(p:sent('Prodcue'))",
			"x.lua:5:14: there is no API 'Prodcue'; did you mean 'Produce'?\n"
			"    await(p:sent('Prodcue'))\n"
			"                 ^\n");
	refuse_timeline("p.start()", "x.lua:5:3: write client:start(...), with a colon\n"
				     "    p.start()\n"
				     "      ^\n");
	refuse_timeline("event('broker-down broker=1')\nevent('broker-down broker=1')",
			"x.lua:6:7: event \"broker-down broker=1\": broker 1 is down already\n"
			"    event('broker-down broker=1')\n"
			"          ^\n");
	refuse_timeline("event('broker-down broker=7')",
			"x.lua:5:7: event \"broker-down broker=7\": there is no broker 7\n"
			"    event('broker-down broker=7')\n"
			"          ^\n");
}

TEST(a_rehearsal_leaves_to_the_run_what_subjects_decide)
{
	refuse_timeline("while true do await(p:exited()) end", "");
	refuse_timeline("while true do sleep('1h' and '50s') end", "");
	refuse_timeline("event('rebalance group=g')", "");
}

TEST(any_of_several_and_all_of_several_can_be_awaited)
{
	struct case_plan *p;
	struct scenario *s;
	struct timeline *t =
		begin(TOPIC "local a = client('a', { speaks = 'none' })\n"
			    "local r = rule('r', 'Produce -> hold gate request')\n"
			    "timeline(function() await(any(r:fired(), a:exited())); r:release();\n"
			    "  await(all(r:fired(2), a:reported('x'))) end)\n",
		      &p, &s);
	struct instant now = {0, 0};

	CHECK_EQ(timeline_poll(t, now), TIMELINE_RUNNING);
	CHECK_TEXT(timeline_waiting(t), "any(r:fired(1), a:exited())");
	hand.fired = 1;
	timeline_poll(t, now);
	CHECK_EQ(hand.released, 1);
	CHECK_TEXT(timeline_waiting(t), "all(r:fired(2), a:reported(\"x\", 1))");
	hand.fired = 2;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_RUNNING);
	hand.reports = 1;
	CHECK_EQ(timeline_poll(t, now), TIMELINE_DONE);
	timeline_free(t);
	end_case(p, s);
}

TEST(words_of_the_timeline_are_refused_outside_of_it)
{
	refuse(TOPIC "local p = client('p', { speaks = 'none' })\np:start()\n",
	       "x.lua:4:3: start belongs into timeline(function() ... end)\n    p:start()\n      "
	       "^\n");
}

TEST(durations_have_units)
{
	int64_t us = 0;

	CHECK(plan_duration(str_of("20s"), &us) && us == 20000000);
	CHECK(plan_duration(str_of("5ms"), &us) && us == 5000);
	CHECK(!plan_duration(str_of("5"), &us));
	CHECK(!plan_duration(str_of("s"), &us));
	CHECK(!plan_duration(str_of("99999999999s"), &us));
}
