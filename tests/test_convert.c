/* A message moved to another version: what one says in another way the other says, too; what it
 * can't say is told. */
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/messages.h"
#include "replay/convert.h"
#include "tests/test.h"

#define ID "AAAAAAAAAAAAAAAAAAAAAQ"

static struct {
	struct variables *v;
	struct arena arena;
	struct error e;
} t;

static void *read_message(const struct schema *s, int version, const char *json)
{
	void *msg = arena_alloc(&t.arena, s->size);
	json_error_t bad;
	json_t *value = json_loads(json, MESSAGE_JSON_FLAGS, &bad);
	struct error e = ERROR_INIT;

	codec_init(s, msg);
	CHECK(value != NULL);
	message_json_read(s, version, value, &t.arena, msg, &e);
	CHECK_TEXT(e.text, "");
	json_decref(value);
	return msg;
}

static const char *as_json(const struct schema *s, int version, const void *msg)
{
	struct buf out;
	struct json j;
	const char *text;

	buf_init(&out, 1 << 20);
	json_init(&j, &out);
	message_json_write(s, version, msg, &j);
	text = arena_copy(&t.arena, out.data, out.len);
	buf_release(&out);
	return text;
}

static void begin(void)
{
	t.v = variables_new();
	arena_init(&t.arena, (size_t)16 << 20);
	t.e = (struct error)ERROR_INIT;
	variables_set_topic(t.v, SIDE_LIVE, (struct uuid){{[15] = 1}}, str_of("a"));
}

static void end(void)
{
	variables_free(t.v);
	arena_release(&t.arena);
}

/* The message in the other version, or the error. */
static const char *converted(const struct schema *s, int from, int to, const struct holder *request,
			     const char *json)
{
	void *msg = read_message(s, from, json);

	t.e = (struct error)ERROR_INIT;
	if (convert_message(s, from, to, t.v, SIDE_LIVE, request, msg, &t.arena, &t.e))
		return arena_printf(&t.arena, "%s: %s", t.e.field, t.e.text);
	return as_json(s, to, msg);
}

static void check_both(const struct schema *s, int old, const char *old_json, int new_version,
		       const char *new_json)
{
	CHECK_TEXT(converted(s, old, new_version, NULL, old_json), new_json);
	CHECK_TEXT(converted(s, new_version, old, NULL, new_json), old_json);
}

TEST(one_key_is_a_list_of_one)
{
	begin();
	check_both(&find_coordinator_request_schema, 2, "{\"key\":\"g\",\"keyType\":1}", 4,
		   "{\"keyType\":1,\"coordinatorKeys\":[\"g\"]}");
	CHECK_TEXT(converted(&find_coordinator_request_schema, 4, 2, NULL,
			     "{\"keyType\":1,\"coordinatorKeys\":[\"g\",\"h\"]}"),
		   "coordinatorKeys: version 2 has room for one of 2");
	end();
}

TEST(one_group_is_a_list_of_one)
{
	begin();
	check_both(
		&offset_fetch_request_schema, 7,
		"{\"groupId\":\"g\",\"topics\":[{\"name\":\"a\",\"partitionIndexes\":[0,1]}],"
		"\"requireStable\":true}",
		8,
		"{\"groups\":[{\"groupId\":\"g\",\"topics\":[{\"name\":\"a\",\"partitionIndexes\":"
		"[0,1]}]}],\"requireStable\":true}");
	end();
}

TEST(a_topic_by_name_is_one_by_id)
{
	begin();
	CHECK_TEXT(converted(&offset_fetch_request_schema, 7, 10, NULL,
			     "{\"groupId\":\"g\",\"topics\":[{\"name\":\"a\",\"partitionIndexes\":"
			     "[0]}],\"requireStable\":false}"),
		   "{\"groups\":[{\"groupId\":\"g\",\"memberId\":null,\"memberEpoch\":-1,"
		   "\"topics\":[{\"topicId\":\"" ID
		   "\",\"partitionIndexes\":[0]}]}],\"requireStable\":false}");
	check_both(&delete_topics_request_schema, 5, "{\"topicNames\":[\"a\"],\"timeoutMs\":1}", 6,
		   "{\"topics\":[{\"name\":\"a\",\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAA\"}],"
		   "\"timeoutMs\":1}");
	CHECK_TEXT(converted(&delete_topics_request_schema, 6, 5, NULL,
			     "{\"topics\":[{\"name\":null,\"topicId\":\"" ID
			     "\"}],\"timeoutMs\":1}"),
		   "{\"topicNames\":[\"a\"],\"timeoutMs\":1}");
	check_both(&produce_request_schema, 9,
		   "{\"transactionalId\":null,\"acks\":1,\"timeoutMs\":1,\"topicData\":[{\"name\":"
		   "\"a\",\"partitionData\":[{\"index\":0,\"records\":null}]}]}",
		   13,
		   "{\"transactionalId\":null,\"acks\":1,\"timeoutMs\":1,\"topicData\":[{"
		   "\"topicId\":\"" ID "\",\"partitionData\":[{\"index\":0,\"records\":null}]}]}");
	end();
}

TEST(an_answer_to_one_key_says_which)
{
	struct find_coordinator_request r;
	struct holder request = {&find_coordinator_request_schema, &r, 2, NULL};

	begin();
	codec_init(&find_coordinator_request_schema, &r);
	r.key = str_of("g");
	CHECK_TEXT(converted(&find_coordinator_response_schema, 2, 4, &request,
			     "{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":null,"
			     "\"nodeId\":1,\"host\":\"h\",\"port\":9}"),
		   "{\"throttleTimeMs\":0,\"coordinators\":[{\"key\":\"g\",\"nodeId\":1,\"host\":"
		   "\"h\",\"port\":9,\"errorCode\":0,\"errorMessage\":null}]}");
	CHECK_TEXT(converted(&find_coordinator_response_schema, 4, 1, NULL,
			     "{\"throttleTimeMs\":0,\"coordinators\":[{\"key\":\"g\",\"nodeId\":1,"
			     "\"host\":\"h\",\"port\":9,\"errorCode\":0,\"errorMessage\":null}]}"),
		   "{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":null,\"nodeId\":1,"
		   "\"host\":\"h\",\"port\":9}");
	end();
}

TEST(all_topics_are_an_empty_list_or_none)
{
	begin();
	CHECK_TEXT(converted(&metadata_request_schema, 0, 1, NULL, "{\"topics\":[]}"),
		   "{\"topics\":null}");
	CHECK_TEXT(converted(&metadata_request_schema, 1, 0, NULL, "{\"topics\":null}"),
		   "{\"topics\":[]}");
	end();
}

TEST(an_id_that_only_the_other_side_knows_has_its_name)
{
	begin();
	variables_set_topic(t.v, SIDE_RECORDED, (struct uuid){{[15] = 2}}, str_of("b"));
	CHECK_TEXT(converted(&delete_topics_request_schema, 6, 5, NULL,
			     "{\"topics\":[{\"name\":null,\"topicId\":"
			     "\"AAAAAAAAAAAAAAAAAAAAAg\"}],\"timeoutMs\":1}"),
		   "{\"topicNames\":[\"b\"],\"timeoutMs\":1}");
	end();
}
