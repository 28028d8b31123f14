/* Paths: what they accept, where they lead, what they set. */
#include "protocol/messages.h"
#include "protocol/path.h"
#include "base/buf.h"
#include "tests/test.h"

static struct metadata_request_topics topics[] = {{.name = {"a", 1}}, {.name = {"b", 1}}};
static struct metadata_request request = {.topics = topics, .topics_count = 2};

static const char *complaint(const struct schema *s, int version, const char *text)
{
	static struct error e;
	struct path p;

	e = (struct error)ERROR_INIT;
	CHECK_EQ(path_parse(s, version, str_of(text), &p, &e), ERR_USAGE);
	return e.text;
}

static bool collect(void *user, const struct schema_field *field, void *value, const int32_t *index)
{
	struct buf *out = user;

	(void)field;
	buf_printf(out, "%d:" STR_FMT " ", index[0], STR_ARG(*(struct str *)value));
	return true;
}

TEST(a_star_visits_every_element_and_an_index_one)
{
	struct buf out;
	struct path p;

	buf_init(&out, 100);
	CHECK_EQ(path_parse(&metadata_request_schema, 4, str_of("topics[*].name"), &p, NULL), 0);
	CHECK_EQ(path_each(&p, &request, collect, &out), 2);
	CHECK_EQ(path_parse(&metadata_request_schema, 4, str_of("topics[1].name"), &p, NULL), 0);
	CHECK_EQ(path_each(&p, &request, collect, &out), 1);
	CHECK_EQ(path_parse(&metadata_request_schema, 4, str_of("topics[7].name"), &p, NULL), 0);
	CHECK_EQ(path_each(&p, &request, collect, &out), 0);
	CHECK_TEXT(buf_cstr(&out), "0:a 1:b 1:b ");
	CHECK(path_get(&p, &request) == NULL);
	buf_release(&out);
}

TEST(a_wrong_path_is_mended)
{
	const struct schema *s = &produce_request_schema;

	CHECK_TEXT(complaint(s, 9, "topicDta[*].name"),
		   "there is no field 'topicDta'; did you mean 'topicData'?");
	CHECK_TEXT(complaint(s, 9, "topicData.name"),
		   "topicData is an array: topicData[*] or topicData[0]");
	CHECK_TEXT(complaint(s, 9, "topicData[*].topicId"),
		   "version 9 has no topicId; version 13 and later have");
	CHECK_TEXT(complaint(s, 13, "topicData[*].name"),
		   "version 13 has no name; versions 0 to 12 have");
	CHECK_TEXT(complaint(s, 9, "acks[0]"), "acks is no array");
	CHECK_TEXT(complaint(s, 9, "acks.x"), "acks is a value, it has no fields");
	CHECK_TEXT(complaint(s, 9, "topicData[x].name"), "an index is wanted: [0] or [*]");
	CHECK_TEXT(complaint(s, 9, "topicData[0"), "the index lacks its ']'");
	CHECK_TEXT(complaint(s, 9, "topicData[0]"),
		   "topicData is a struct; go on with one of its fields: name, partitionData");
	CHECK_TEXT(
		complaint(s, 9, "zzzzzz"),
		"there is no field 'zzzzzz'; here are transactionalId, acks, timeoutMs, topicData");
}

TEST(a_path_for_any_version_knows_its_versions)
{
	struct path p;

	CHECK_EQ(path_parse(&produce_request_schema, PATH_ANY_VERSION,
			    str_of("topicData[*].topicId"), &p, NULL),
		 0);
	CHECK_EQ(p.since, 13);
	CHECK_EQ(p.until, VERSION_MAX);
}

static const char *set(const char *path, const char *text, struct arena *a)
{
	static struct error e;
	struct path p;

	e = (struct error)ERROR_INIT;
	CHECK_EQ(path_parse(&metadata_request_schema, 10, str_of(path), &p, NULL), 0);
	path_set(&p, 10, &request, str_of(text), a, &e);
	return e.text;
}

TEST(values_are_set_from_text_and_wrong_text_sets_nothing)
{
	struct arena a;

	arena_init(&a, 10000);
	CHECK_TEXT(set("topics[*].name", "changed", &a), "");
	CHECK_STR(topics[0].name, "changed");
	CHECK_STR(topics[1].name, "changed");
	CHECK_TEXT(set("topics[1].name", "null", &a), "");
	CHECK(topics[1].name.data == NULL);
	CHECK_TEXT(set("topics[0].topicId", "AAAAAAAAAAAAAAAAAAAAAQ", &a), "");
	CHECK_EQ(topics[0].topic_id.b[15], 1);
	CHECK_TEXT(set("topics[0].topicId", "AAA", &a), "'AAA' is no uuid");
	CHECK_TEXT(set("allowAutoTopicCreation", "true", &a), "");
	CHECK(request.allow_auto_topic_creation);
	CHECK_TEXT(set("allowAutoTopicCreation", "yes", &a), "'yes' is no true or false");
	CHECK(request.allow_auto_topic_creation);
	arena_release(&a);
}

TEST(error_codes_are_set_and_matched_by_name_or_number)
{
	struct heartbeat_response response = {0};
	struct error e = ERROR_INIT;
	struct path p;

	CHECK_EQ(path_parse(&heartbeat_response_schema, 4, str_of("errorCode"), &p, NULL), 0);
	CHECK_EQ(path_set(&p, 4, &response, str_of("REBALANCE_IN_PROGRESS"), NULL, NULL), 1);
	CHECK_EQ(response.error_code, 27);
	CHECK(path_value_is(path_leaf(&p), path_get(&p, &response), str_of("27")));
	CHECK(path_value_is(path_leaf(&p), path_get(&p, &response),
			    str_of("REBALANCE_IN_PROGRESS")));
	CHECK(!path_value_is(path_leaf(&p), path_get(&p, &response), str_of("26")));
	CHECK(!path_accepts(&p, str_of("40000"), &e));
	CHECK_TEXT(e.text, "'40000' is no integer from -32768 to 32767");
}

TEST(null_on_the_way_leads_nowhere)
{
	struct describe_topic_partitions_request r = {0};
	struct path p;

	CHECK_EQ(path_parse(&describe_topic_partitions_request_schema, 0,
			    str_of("cursor.topicName"), &p, NULL),
		 0);
	CHECK(path_get(&p, &r) == NULL);
}
