/* The grammar of rules and its triggers, without a cluster: facts are made up. */
#include "tests/test.h"

#include "protocol/codec.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "rules/grammar.h"
#include "rules/possible.h"
#include "rules/reference.h"

#include <stdio.h>
#include <stdlib.h>

/* What a rule is asked about, with room for changes. */
struct made {
	struct frame_header header;
	struct facts facts;
	struct topic_partition partitions[4];
	struct arena arena;
};

static void made_init(struct made *m, int api, const char *client)
{
	*m = (struct made){.header = {.api_key = (int16_t)api, .api_version = 9}};
	m->header.client_id = str_of(client);
	m->facts = (struct facts){.header = &m->header,
				  .broker = 1,
				  .conn = 1,
				  .partitions = m->partitions,
				  .acks = api == API_PRODUCE ? -1 : INT32_MIN};
	arena_init(&m->arena, 1 << 20);
}

static void add_partition(struct made *m, const char *topic, int32_t partition)
{
	m->partitions[m->facts.partitions_count++] =
		(struct topic_partition){str_of(topic), partition};
}

/* True if some rule acts; the plan is let go. */
static bool acts(struct rules *rs, struct made *m)
{
	struct plan p;
	bool acted;

	rules_decide(rs, &m->facts, &m->arena, &p);
	acted = p.rule != NULL;
	plan_release(&p);
	arena_reset(&m->arena);
	m->header.correlation_id++;
	return acted;
}

static struct rule *add(struct rules *rs, const char *text)
{
	struct error e = ERROR_INIT;
	struct rule *r = rules_add(rs, str_of(NULL), str_of(text), &e);

	CHECK_TEXT(e.text, "");
	CHECK(r != NULL);
	return r;
}

static void refused(const char *text, const char *why, int column)
{
	struct error e = ERROR_INIT;

	CHECK_EQ(rules_check(str_of(text), &e), ERR_USAGE);
	CHECK_TEXT(e.text, why);
	CHECK_EQ(e.offset, column);
}

TEST(every_action_has_an_example_that_parses)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (int i = ACTION_NONE + 1; i < ACTIONS; i++) {
		const struct action_info *a = &rule_action_infos[i];
		struct parsed_rule r;
		struct error e = ERROR_INIT;

		CHECK(a->name && a->what && a->args);
		if (!a->parse)
			continue;
		CHECK_EQ(rule_parse(str_of(a->example), &arena, &r, &e), 0);
		CHECK_TEXT(e.text, "");
		CHECK_EQ(r.plan.action, i);
		arena_reset(&arena);
	}
	arena_release(&arena);
}

/* KTRIAL_ACCEPT=1 unit-tests test_rules writes the page anew. */
TEST(the_reference_says_what_the_tables_say)
{
	struct buf text;
	char *page;
	size_t len;
	FILE *out;

	buf_init(&text, 1 << 20);
	rules_reference(&text);
	if (getenv("KTRIAL_ACCEPT")) {
		out = fopen("docs/rules.md", "wb");
		CHECK(out && fwrite(text.data, 1, text.len, out) == text.len && !fclose(out));
	}
	page = test_file("docs/rules.md", &len);
	CHECK(page && len == text.len && !memcmp(page, text.data, len));
	free(page);
	buf_release(&text);
}

TEST(a_rule_is_read_in_full)
{
	struct arena arena;
	struct parsed_rule r;
	struct error e = ERROR_INIT;

	arena_init(&arena, 1 << 20);
	rule_parse(str_of("Produce,Fetch topic=\"a b\",c* partition=0,3..5 nth=2..4,9 per=client "
			  "-> delay 200ms..1.5s after force"),
		   &arena, &r, &e);
	CHECK_EQ(e.code, 0);
	CHECK_EQ(r.apis[0], 3);
	CHECK_EQ(r.apis[1], 0);
	CHECK_EQ(r.conditions_count, 2);
	CHECK_STR(r.conditions[0].texts[0], "a b");
	CHECK_STR(r.conditions[0].texts[1], "c*");
	CHECK_EQ(r.conditions[1].ranges[1].to, 5);
	CHECK_EQ(r.nth_count, 2);
	CHECK_EQ(r.per, PER_CLIENT);
	CHECK_EQ(r.plan.delay_us, 200000);
	CHECK_EQ(r.delay_max_us, 1500000);
	CHECK_EQ(r.plan.when, WHEN_AFTER);
	CHECK(r.force);
	arena_release(&arena);
}

TEST(what_the_grammar_lacks_is_refused_with_its_place_and_the_nearest_that_exists)
{
	refused("Produse -> drop", "there is no API 'Produse'; did you mean 'Produce'?", 0);
	refused("Produce,Fetc -> drop", "there is no API 'Fetc'; did you mean 'Fetch'?", 8);
	refused("Produce topc=a -> drop", "there is no key 'topc'; did you mean 'topic'?", 8);
	refused("Produce -> clos", "there is no action 'clos'; did you mean 'close'?", 11);
	refused("Produce -> error NOT_ENOUGH_REPLICA",
		"Kafka has no error 'NOT_ENOUGH_REPLICA'; did you mean 'NOT_ENOUGH_REPLICAS'?", 17);
	refused("Produce nth=0 -> drop",
		"nth takes a whole number from 1 or a range such as 3..5, not '0'", 12);
	refused("Produce prob=2 -> drop", "prob takes a share such as 0.25 or 25%, not '2'", 13);
	refused("Produce -> delay 5",
		"delay takes a time such as 200ms or a range such as 1s..5s, "
		"not '5'",
		17);
	refused("Produce -> drop befor",
		"'befor' does not belong to the action 'drop', and no option is called so; did you "
		"mean 'before'?",
		16);
	refused("Produce", "-> and an action are missing", 7);
	refused("", "a rule begins with the APIs it is for, such as Produce,Fetch or any", 0);
	refused("Produce ->", "an action is missing after ->", 10);
	refused("Produce topic=\"a -> drop", "this quote is not closed", 8);
}

TEST(an_error_that_the_api_can_not_return_is_refused_unless_forced)
{
	refused("Produce -> error NOT_COORDINATOR",
		"Produce can't return NOT_COORDINATOR; the option force insists", 11);
	refused("Produce version=9 -> error UNKNOWN_TOPIC_ID",
		"Produce can't return UNKNOWN_TOPIC_ID in the versions that the rule asks for; the "
		"option force insists",
		21);
	CHECK_EQ(rules_check(str_of("Produce -> error NOT_COORDINATOR force"), NULL), 0);
	CHECK_EQ(rules_check(str_of("Produce version=13 -> error UNKNOWN_TOPIC_ID"), NULL), 0);
	CHECK_EQ(rules_check(str_of("any -> error NOT_COORDINATOR"), NULL), 0);
}

TEST(the_place_of_an_error_depends_on_the_version)
{
	CHECK_TEXT(error_place(API_OFFSET_FETCH, 5, ERROR_NOT_COORDINATOR), "errorCode");
	CHECK_TEXT(error_place(API_OFFSET_FETCH, 8, ERROR_NOT_COORDINATOR), "groups[].errorCode");
	CHECK(error_place(API_PRODUCE, 9, ERROR_UNKNOWN_TOPIC_ID) == NULL);
}

TEST(nth_counts_matching_requests_over_the_whole_cluster)
{
	struct rules *rs = rules_new(1);
	struct rule *r = add(rs, "Produce topic=orders nth=3 -> close");
	struct made m, other;

	made_init(&m, API_PRODUCE, "a");
	add_partition(&m, "orders", 0);
	made_init(&other, API_PRODUCE, "b");
	add_partition(&other, "payments", 0);
	CHECK(!acts(rs, &m));
	CHECK(!acts(rs, &other));
	CHECK(!acts(rs, &m));
	CHECK_STR(rule_nearest_miss(r), "connection 1 correlation 1 missed only nth: it was 2");
	CHECK(acts(rs, &m));
	CHECK(!acts(rs, &m));
	CHECK_EQ(rule_matched(r), 4);
	CHECK_EQ(rule_hits(r), 1);
	rule_reset(r);
	CHECK(!acts(rs, &m));
	CHECK(!acts(rs, &m));
	CHECK(acts(rs, &m));
	arena_release(&m.arena);
	arena_release(&other.arena);
	rules_free(rs);
}

TEST(per_counts_apart)
{
	struct rules *rs = rules_new(1);
	struct made a, b;

	add(rs, "Fetch nth=2 per=client -> drop");
	made_init(&a, API_FETCH, "a");
	made_init(&b, API_FETCH, "b");
	CHECK(!acts(rs, &a));
	CHECK(!acts(rs, &b));
	CHECK(acts(rs, &b));
	CHECK(acts(rs, &a));
	CHECK(!acts(rs, &a));
	arena_release(&a.arena);
	arena_release(&b.arena);
	rules_free(rs);
}

TEST(per_partition_hits_only_the_partitions_whose_turn_it_is)
{
	struct rules *rs = rules_new(1);
	struct made m;
	struct plan p;

	add(rs, "Produce nth=2 per=partition -> error NOT_ENOUGH_REPLICAS");
	made_init(&m, API_PRODUCE, "a");
	add_partition(&m, "t", 0);
	CHECK(!acts(rs, &m));
	add_partition(&m, "t", 1);
	rules_decide(rs, &m.facts, &m.arena, &p);
	CHECK_EQ(p.hit_count, 1);
	CHECK(plan_hits(&p, str_of("t"), 0));
	CHECK(!plan_hits(&p, str_of("t"), 1));
	plan_release(&p);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(every_and_count_limit_how_often_a_rule_acts)
{
	struct rules *rs = rules_new(1);
	struct made m;
	int acted = 0;

	add(rs, "Heartbeat every=3 count=2 -> drop");
	made_init(&m, API_HEARTBEAT, "a");
	for (int i = 1; i <= 12; i++)
		if (acts(rs, &m)) {
			acted++;
			CHECK(i == 3 || i == 6);
		}
	CHECK_EQ(acted, 2);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(all_rules_count_but_the_first_that_triggers_acts)
{
	struct rules *rs = rules_new(1);
	struct rule *first = add(rs, "Produce nth=1 -> drop");
	struct rule *second = add(rs, "Produce nth=1,2 -> close");
	struct made m;

	made_init(&m, API_PRODUCE, "a");
	CHECK(acts(rs, &m));
	CHECK(acts(rs, &m));
	CHECK_EQ(rule_hits(first), 1);
	CHECK_EQ(rule_hits(second), 1);
	CHECK_EQ(rule_matched(second), 2);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(topic_and_partition_must_meet_on_one_partition)
{
	struct rules *rs = rules_new(1);
	struct made m;
	struct plan p;

	add(rs, "Produce topic=a partition=1 -> error NOT_ENOUGH_REPLICAS");
	made_init(&m, API_PRODUCE, "a");
	add_partition(&m, "a", 0);
	add_partition(&m, "b", 1);
	CHECK(!acts(rs, &m));
	add_partition(&m, "a", 1);
	rules_decide(rs, &m.facts, &m.arena, &p);
	CHECK_EQ(p.hit_count, 1);
	CHECK(plan_hits(&p, str_of("a"), 1));
	CHECK(!plan_hits(&p, str_of("a"), 0));
	plan_release(&p);
	arena_release(&m.arena);
	rules_free(rs);
}

/* Throws of one client, as a bit for each of its ordinals. */
static uint64_t throws(struct rules *rs, struct made *m, int count)
{
	uint64_t bits = 0;

	for (int i = 0; i < count; i++)
		bits |= (uint64_t)acts(rs, m) << i;
	return bits;
}

TEST(chance_depends_on_the_seed_and_the_ordinal_not_on_who_else_talks)
{
	struct rules *alone = rules_new(7), *mixed = rules_new(7), *other = rules_new(8);
	struct made a, b;
	uint64_t bits, again = 0;

	add(alone, "Fetch prob=50% -> drop");
	add(mixed, "Fetch prob=50% -> drop");
	add(other, "Fetch prob=50% -> drop");
	made_init(&a, API_FETCH, "a");
	made_init(&b, API_FETCH, "b");
	add_partition(&a, "t", 0);
	add_partition(&b, "t", 0);
	bits = throws(alone, &a, 64);
	for (int i = 0; i < 64; i++) {
		again |= (uint64_t)acts(mixed, &a) << i;
		acts(mixed, &b);
		acts(mixed, &b);
	}
	CHECK(bits == again);
	CHECK(bits != throws(other, &a, 64));
	CHECK(__builtin_popcountll(bits) > 16 && __builtin_popcountll(bits) < 48);
	arena_release(&a.arena);
	arena_release(&b.arena);
	rules_free(alone);
	rules_free(mixed);
	rules_free(other);
}

TEST(a_rule_on_the_answers_error_acts_after_the_work)
{
	struct rules *rs = rules_new(1);
	struct rule *r = add(rs, "Produce error=NOT_LEADER_OR_FOLLOWER,3 -> close after");
	int16_t codes[] = {0, 3};
	struct made m;
	struct plan p;

	made_init(&m, API_PRODUCE, "a");
	CHECK(rules_want_answers(rs));
	rules_decide(rs, &m.facts, &m.arena, &p);
	CHECK(p.rule == NULL);
	rules_decide_answer(rs, &m.facts, codes, 1, &m.arena, &p);
	CHECK(p.rule == NULL);
	rules_decide_answer(rs, &m.facts, codes, 2, &m.arena, &p);
	CHECK(p.rule == r);
	plan_release(&p);
	refused("Produce error=3 -> close",
		"a rule on the answer's error acts after the work: add 'after'", 19);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(a_rule_on_NONE_acts_on_answers_without_an_error)
{
	struct rules *rs = rules_new(1);
	struct rule *r = add(rs, "Produce error=NONE -> close after");
	int16_t code = 3;
	struct made m;
	struct plan p;

	made_init(&m, API_PRODUCE, "a");
	rules_decide(rs, &m.facts, &m.arena, &p);
	rules_decide_answer(rs, &m.facts, &code, 1, &m.arena, &p);
	CHECK(p.rule == NULL);
	rules_decide_answer(rs, &m.facts, NULL, 0, &m.arena, &p);
	CHECK(p.rule == r);
	plan_release(&p);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(a_removed_rule_lives_until_its_last_plan)
{
	struct rules *rs = rules_new(1);
	struct made m;
	struct plan p;

	add(rs, "any -> drop");
	made_init(&m, API_METADATA, NULL);
	rules_decide(rs, &m.facts, &m.arena, &p);
	CHECK(rules_remove(rs, str_of("rule-1")));
	CHECK(!rules_remove(rs, str_of("rule-1")));
	CHECK_STR(rule_text(p.rule), "any -> drop");
	plan_release(&p);
	CHECK(!acts(rs, &m));
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(a_field_is_matched_by_its_path)
{
	struct produce_request_topic_data topics[2];
	struct produce_request body;
	struct rules *rs = rules_new(1);
	struct made m;

	made_init(&m, API_PRODUCE, "a");
	codec_init(message_of_api(API_PRODUCE, MESSAGE_REQUEST)->schema, &body);
	memset(topics, 0, sizeof(topics));
	topics[0].name = str_of("orders");
	topics[1].name = str_of("payments");
	body.topic_data = topics;
	body.topic_data_count = 2;
	body.timeout_ms = 1500;
	m.facts.body = &body;
	add(rs, "Produce topicData[*].name=payments timeoutMs=1500 -> drop");
	CHECK(acts(rs, &m));
	body.timeout_ms = 1501;
	CHECK(!acts(rs, &m));
	refused("Produce topicData[*].nam=x -> drop",
		"Produce: there is no field 'nam'; did you mean 'name'?", 21);
	refused("Produce version=3 topicData[*].topicId=AAAAAAAAAAAAAAAAAAAAAA -> drop",
		"Produce has the field topicId since version 13, not in those that the rule asks "
		"for; the option force insists",
		0);
	refused("Metadata -> set brokers[0].port=x",
		"Metadata: 'x' is no integer from -2147483648 to 2147483647", 32);
	arena_release(&m.arena);
	rules_free(rs);
}

TEST(keys_match_what_they_name)
{
	static const struct {
		const char *rule;
		bool expected;
	} cases[] = {
		{"Produce version=9 -> drop", true},
		{"Produce version=0..8 -> drop", false},
		{"Produce acks=all -> drop", true},
		{"Produce acks=0,1 -> drop", false},
		{"Produce client=ap* -> drop", true},
		{"Produce client=p* -> drop", false},
		{"Produce broker=1 -> drop", true},
		{"Produce broker=2 -> drop", false},
		{"Produce conn=1 -> drop", true},
		{"Produce conn=2..9 -> drop", false},
		{"Produce group=g -> drop", false},
		{"Produce txn=x* -> drop", true},
		{"Fetch -> drop", false},
		{"0,1->drop", true},
	};
	struct made m;

	made_init(&m, API_PRODUCE, "app");
	m.facts.txn = str_of("x1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rules *rs = rules_new(1);

		add(rs, cases[i].rule);
		if (acts(rs, &m) != cases[i].expected)
			CHECK_TEXT(cases[i].rule, cases[i].expected ? "acts" : "does not act");
		rules_free(rs);
	}
	arena_release(&m.arena);
}
