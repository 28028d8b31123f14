/* Messages as JSON: the parts of the contract that Kafka's random messages do not reach, and what
 * is refused. */
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>

static struct error e;
static struct arena arena;

/* Reads text as a message; true if that worked. */
static bool reads(const struct schema *s, int version, const char *text, void *ret_msg)
{
	json_t *value = json_loads(text, MESSAGE_JSON_FLAGS, NULL);
	int code;

	CHECK(value != NULL);
	e = (struct error)ERROR_INIT;
	arena_reset(&arena);
	code = message_json_read(s, version, value, &arena, ret_msg, &e);
	json_decref(value);
	return code == 0;
}

static const char *refused(const struct schema *s, int version, const char *text)
{
	static char out[600], place[600];
	union {
		max_align_t align;
		char bytes[1000];
	} msg;

	arena_init(&arena, 100000);
	CHECK(!reads(s, version, text, &msg));
	arena_release(&arena);
	snprintf(out, sizeof(out), "%s", error_text(&e, place, sizeof(place)));
	return out;
}

TEST(what_json_may_not_say_is_refused_with_its_path)
{
	const struct schema *m = &metadata_request_schema, *p = &produce_request_schema;

	CHECK_TEXT(refused(m, 1, "{}"),
		   "the field is missing, and it has no default (field topics)");
	CHECK_TEXT(refused(m, 1, "{\"topic\":null}"),
		   "there is no such field; did you mean 'topics'? (field topic)");
	CHECK_TEXT(refused(m, 0, "{\"topics\":null}"),
		   "null where version 0 allows none (field topics)");
	CHECK_TEXT(refused(m, 1, "{\"topics\":[{\"name\":5}]}"),
		   "a string is wanted, not an integer (field topics[0].name)");
	CHECK_TEXT(refused(m, 1, "{\"topics\":[],\"allowAutoTopicCreation\":true}"),
		   "version 1 has no such field; version 4 and later have (field "
		   "allowAutoTopicCreation)");
	CHECK_TEXT(refused(m, 1, "{\"topics\":[],\"_unknownTaggedFields\":[]}"),
		   "version 1 carries no tagged fields (field _unknownTaggedFields)");
	CHECK_TEXT(refused(p, 3, "{\"acks\":70000,\"timeoutMs\":1,\"topicData\":[]}"),
		   "70000 is outside -32768 to 32767 (field acks)");
	CHECK_TEXT(refused(p, 3,
			   "{\"acks\":1,\"timeoutMs\":1,\"topicData\":[{\"name\":\"t\","
			   "\"partitionData\":[{\"index\":0,\"records\":\"?\"}]}]}"),
		   "text that is no padded base64 (field topicData[0].partitionData[0].records)");
	CHECK_TEXT(refused(m, 12,
			   "{\"topics\":[{\"topicId\":\"x\",\"name\":null}],"
			   "\"allowAutoTopicCreation\":true,\"includeTopicAuthorizedOperations\":"
			   "true}"),
		   "'x' is no uuid of 22 base64url characters (field topics[0].topicId)");
}

TEST(unknown_tags_in_json_must_rise_and_be_unknown)
{
	const struct schema *s = &fetch_request_schema;
	const char *head = "{\"maxWaitMs\":1,\"minBytes\":1,\"isolationLevel\":0,\"sessionId\":0,"
			   "\"topics\":[],\"forgottenTopicsData\":[],\"rackId\":\"\",";
	char text[500];

	snprintf(text, sizeof(text), "%s\"_unknownTaggedFields\":[{\"tag\":0,\"hex\":\"\"}]}",
		 head);
	CHECK_TEXT(refused(s, 12, text),
		   "tag 0 is field clusterId here (field _unknownTaggedFields[0])");
	snprintf(text, sizeof(text),
		 "%s\"_unknownTaggedFields\":[{\"tag\":9,\"hex\":\"\"},{\"tag\":9,\"hex\":\"\"}]}",
		 head);
	CHECK_TEXT(refused(s, 12, text),
		   "tags must rise, and 9 follows 9 (field _unknownTaggedFields[1])");
	snprintf(text, sizeof(text), "%s\"_unknownTaggedFields\":[{\"tag\":9,\"hex\":\"0\"}]}",
		 head);
	CHECK_TEXT(refused(s, 12, text), "text that is no hex (field _unknownTaggedFields[0].hex)");
}

TEST(a_field_with_a_named_default_may_be_missing)
{
	struct fetch_request m;

	arena_init(&arena, 1000);
	CHECK(reads(&fetch_request_schema, 4,
		    "{\"maxWaitMs\":1,\"minBytes\":1,\"isolationLevel\":0,\"topics\":[]}", &m));
	CHECK_EQ(m.replica_id, -1);
	CHECK_EQ(m.max_bytes, 0x7fffffff);
	arena_release(&arena);
}

static void check_real(double v, const char *text)
{
	struct describe_client_quotas_response_entries_values value = {.key = {"k", 1}, .value = v};
	struct describe_client_quotas_response_entries_values back = {0};
	struct json j;
	struct buf out;
	char want[100];

	buf_init(&out, 1000);
	arena_init(&arena, 1000);
	json_init(&j, &out);
	message_json_write(&describe_client_quotas_response_entries_values_schema, 1, &value, &j);
	snprintf(want, sizeof(want), "{\"key\":\"k\",\"value\":%s}", text);
	CHECK_TEXT(buf_cstr(&out), want);
	CHECK(reads(&describe_client_quotas_response_entries_values_schema, 1, buf_cstr(&out),
		    &back));
	CHECK((isnan(v) && isnan(back.value)) || !memcmp(&v, &back.value, sizeof(v)));
	arena_release(&arena);
	buf_release(&out);
}

TEST(real_numbers_are_short_and_exact)
{
	check_real(0, "0");
	check_real(-0.0, "-0.0");
	check_real(0.1, "0.1");
	check_real(1.0 / 3, "0.3333333333333333");
	check_real(5e-324, "5e-324");
	check_real(1.7976931348623157e308, "1.7976931348623157e+308");
	check_real((double)NAN, "\"NaN\"");
	check_real((double)INFINITY, "\"Infinity\"");
	check_real(-(double)INFINITY, "\"-Infinity\"");
}

TEST(records_in_spans_are_one_base64)
{
	struct bytes spans[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"cde", 3}};
	struct produce_request_topic_data_partition_data p = {
		.records = {(const uint8_t *)spans, 5, 2}};
	struct json j;
	struct buf out;

	buf_init(&out, 1000);
	json_init(&j, &out);
	message_json_write(&produce_request_topic_data_partition_data_schema, 3, &p, &j);
	CHECK_TEXT(buf_cstr(&out), "{\"index\":0,\"records\":\"YWJjZGU=\"}");
	buf_release(&out);
}

TEST(text_that_is_not_utf8_shows_so)
{
	struct find_coordinator_request m = {.key = {"a\xff", 2}};
	struct json j;
	struct buf out;

	buf_init(&out, 1000);
	json_init(&j, &out);
	message_json_write(&find_coordinator_request_schema, 0, &m, &j);
	CHECK_TEXT(buf_cstr(&out), "{\"key\":\"a\xef\xbf\xbd\"}");
	CHECK(j.bad_utf8);
	buf_release(&out);
}
