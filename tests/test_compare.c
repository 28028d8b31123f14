/* Two answers by meaning: what is the same in other words, and each kind of difference as it is
 * told. */
#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/messages.h"
#include "replay/compare.h"
#include "tests/test.h"

#include <stdlib.h>

static struct {
	struct variables *v;
	struct compare *c;
	struct arena arena;
	struct differences found;
} t;

static void begin(void)
{
	t.v = variables_new();
	t.c = compare_new(t.v);
	arena_init(&t.arena, (size_t)16 << 20);
	t.found.arena = &t.arena;
}

static void end(void)
{
	compare_free(t.c);
	variables_free(t.v);
	arena_release(&t.arena);
}

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

/* A line for each difference. */
static const char *lines(void)
{
	struct buf out;
	const char *text;

	buf_init(&out, 1 << 20);
	for (int32_t i = 0; i < t.found.count; i++) {
		const struct difference *d = &t.found.items[i];

		buf_printf(&out, STR_FMT ": " STR_FMT " | " STR_FMT "\n", STR_ARG(d->path),
			   d->recorded.data ? d->recorded.len : 7,
			   d->recorded.data ? d->recorded.data : "nothing",
			   d->live.data ? d->live.len : 7, d->live.data ? d->live.data : "nothing");
	}
	text = arena_copy(&t.arena, out.data, out.len);
	buf_release(&out);
	return text;
}

static const char *compare_bodies(int api, int recorded_version, const void *recorded,
				  int live_version, const void *live)
{
	struct answer a = {recorded_version, recorded, NULL}, b = {live_version, live, NULL};

	compare_answers(t.c, api, 0, &a, &b, &t.found);
	return lines();
}

static const char *compare_json(int api, int version, const char *recorded, const char *live)
{
	const struct schema *s = message_of_api(api, MESSAGE_RESPONSE)->schema;

	return compare_bodies(api, version, read_message(s, version, recorded), version,
			      read_message(s, version, live));
}

#define TOPIC(NAME, PARTITIONS)                                                                   \
	"{\"errorCode\":0,\"name\":\"" NAME "\",\"isInternal\":false,\"partitions\":[" PARTITIONS \
	"]}"
#define PARTITION(INDEX, LEADER, REPLICAS, ISR)                                 \
	"{\"errorCode\":0,\"partitionIndex\":" INDEX ",\"leaderId\":" LEADER    \
	",\"leaderEpoch\":0,\"replicaNodes\":[" REPLICAS "],\"isrNodes\":[" ISR \
	"],\"offlineReplicas\":[]}"
#define METADATA(BROKERS, TOPICS)                                                                 \
	"{\"throttleTimeMs\":0,\"brokers\":[" BROKERS "],\"clusterId\":\"c\",\"controllerId\":1," \
	"\"topics\":[" TOPICS "]}"
#define BROKER(ID, PORT) "{\"nodeId\":" ID ",\"host\":\"h\",\"port\":" PORT ",\"rack\":null}"

TEST(order_addresses_and_throttling_are_no_difference)
{
	begin();
	CHECK_TEXT(compare_json(
			   API_METADATA, 7,
			   METADATA(BROKER("1", "9092"),
				    TOPIC("a", PARTITION("0", "1", "1", "1") "," PARTITION(
						       "1", "1", "1", "1")) "," TOPIC("b", "")),
			   METADATA(BROKER("101", "7"),
				    TOPIC("b", "") "," TOPIC(
					    "a", PARTITION("1", "101", "101", "101") "," PARTITION(
							 "0", "101", "101", "101")))),
		   "");
	end();
}

TEST(topics_partitions_and_replicas_that_lack_are_told)
{
	begin();
	CHECK_TEXT(compare_json(
			   API_METADATA, 7,
			   METADATA("",
				    TOPIC("a", PARTITION("0", "1", "1,2,3", "1,2,3") "," PARTITION(
						       "1", "1", "1,2", "1,2")) "," TOPIC("b", "")),
			   METADATA("", TOPIC("a", PARTITION("0", "1", "4,5,6", "4,5")) "," TOPIC(
						"c", ""))),
		   "topics[a].partitions[0].isrNodes: 3 nodes | 2 nodes\n"
		   "topics[a].partitions[1]: there | nothing\n"
		   "topics[b]: there | nothing\n"
		   "topics[c]: nothing | there\n");
	end();
}

TEST(a_smaller_cluster_can_not_have_more_replicas)
{
	begin();
	compare_set_brokers(t.c, 1);
	CHECK_TEXT(compare_json(API_METADATA, 7,
				METADATA("", TOPIC("a", PARTITION("0", "1", "1,2,3", "1,2,3"))),
				METADATA("", TOPIC("a", PARTITION("0", "9", "9", "9")))),
		   "");
	CHECK_TEXT(compare_json(API_METADATA, 7,
				METADATA("", TOPIC("a", PARTITION("0", "1", "1,2,3", "1,2,3"))),
				METADATA("", TOPIC("a", PARTITION("0", "-1", "9", "")))),
		   "topics[a].partitions[0].leaderId: 1 | -1\n"
		   "topics[a].partitions[0].isrNodes: 1 nodes | 0 nodes\n");
	end();
}

TEST(topics_of_the_clusters_own_are_its_own)
{
	begin();
	CHECK_TEXT(compare_json(
			   API_METADATA, 7,
			   METADATA("", TOPIC("__consumer_offsets", PARTITION("0", "1", "1", "1"))),
			   METADATA("", TOPIC("__transaction_state", ""))),
		   "");
	end();
}

#define PRODUCED(ERROR, OFFSET, START)                                          \
	"{\"responses\":[{\"name\":\"a\",\"partitionResponses\":[{\"index\":0," \
	"\"errorCode\":" ERROR ",\"baseOffset\":" OFFSET                        \
	",\"logAppendTimeMs\":-1,\"logStartOffset\":" START "}]}],\"throttleTimeMs\":0}"

TEST(error_codes_have_their_names)
{
	begin();
	CHECK_TEXT(compare_json(API_PRODUCE, 7, PRODUCED("0", "5", "0"), PRODUCED("6", "-1", "-1")),
		   "responses[a].partitionResponses[0].errorCode: 0 | 6 "
		   "NOT_LEADER_OR_FOLLOWER\n"
		   "responses[a].partitionResponses[0].logStartOffset: 0 | -1\n");
	end();
}

#define COMMITTED(OFFSET, NOTE)                                                                    \
	"{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"a\",\"partitions\":[{\"partitionIndex\":0," \
	"\"committedOffset\":" OFFSET ",\"committedLeaderEpoch\":-1,\"metadata\":\"" NOTE          \
	"\",\"errorCode\":0}]}],\"errorCode\":0}"

TEST(offsets_are_compared_through_the_map)
{
	begin();
	variables_bind_offset(t.v, str_of("a"), 0, 10, 110);
	CHECK_TEXT(compare_json(API_OFFSET_FETCH, 5, COMMITTED("15", "n"), COMMITTED("115", "n")),
		   "");
	CHECK_TEXT(compare_json(API_OFFSET_FETCH, 5, COMMITTED("15", "n"), COMMITTED("114", "m")),
		   "topics[a].partitions[0].committedOffset: 15 | 114\n"
		   "topics[a].partitions[0].metadata: \"n\" | \"m\"\n");
	CHECK_TEXT(compare_json(API_OFFSET_FETCH, 5, COMMITTED("-1", ""), COMMITTED("115", "")),
		   "topics[a].partitions[0].committedOffset: -1 | 115\n");
	end();
}

#define GROUP(STATE, MEMBERS)                                                                  \
	"{\"throttleTimeMs\":0,\"groups\":[{\"errorCode\":0,\"groupId\":\"g\",\"groupState\":" \
	"\"" STATE                                                                             \
	"\",\"protocolType\":\"consumer\",\"protocolData\":\"range\",\"members\":[" MEMBERS "]}]}"
#define MEMBER(ID, CLIENT)                                                         \
	"{\"memberId\":\"" ID "\",\"groupInstanceId\":null,\"clientId\":\"" CLIENT \
	"\",\"clientHost\":\"/10.0.0.1\",\"memberMetadata\":\"\",\"memberAssignment\":\"\"}"

TEST(members_that_nobody_knows_meet_by_what_else_they_say)
{
	begin();
	CHECK_TEXT(compare_json(API_DESCRIBE_GROUPS, 4,
				GROUP("Stable", MEMBER("m1", "x") "," MEMBER("m2", "y")),
				GROUP("Stable", MEMBER("n2", "y") "," MEMBER("n1", "x"))),
		   "");
	CHECK_TEXT(compare_json(API_DESCRIBE_GROUPS, 4, GROUP("Stable", MEMBER("m1", "x")),
				GROUP("Empty", "")),
		   "groups[g].groupState: \"Stable\" | \"Empty\"\n"
		   "groups[g].members[m1]: there | nothing\n");
	end();
}

TEST(a_known_member_is_not_another_one)
{
	begin();
	variables_bind_str(t.v, ROLE_MEMBER, str_of("m1"), str_of("n1"));
	CHECK_TEXT(compare_json(API_DESCRIBE_GROUPS, 4, GROUP("Stable", MEMBER("m1", "x")),
				GROUP("Stable", MEMBER("n2", "x"))),
		   "groups[g].members[m1]: there | nothing\n"
		   "groups[g].members[n2]: nothing | there\n");
	end();
}

#define VERSIONS(ERROR, KEYS) \
	"{\"errorCode\":" ERROR ",\"apiKeys\":[" KEYS "],\"throttleTimeMs\":0}"

TEST(what_versions_a_broker_speaks_is_its_own)
{
	begin();
	CHECK_TEXT(compare_json(API_API_VERSIONS, 2,
				VERSIONS("0", "{\"apiKey\":0,\"minVersion\":0,\"maxVersion\":9}"),
				VERSIONS("35", "")),
		   "");
	CHECK_TEXT(compare_json(API_API_VERSIONS, 2, VERSIONS("0", ""), VERSIONS("42", "")),
		   "errorCode: 0 | 42 INVALID_REQUEST\n");
	end();
}

#define CONFIGS(TYPE, NAME, VALUE)                                                              \
	"{\"throttleTimeMs\":0,\"results\":[{\"errorCode\":0,\"errorMessage\":null,"            \
	"\"resourceType\":" TYPE ",\"resourceName\":\"" NAME "\",\"configs\":[{\"name\":\"k\"," \
	"\"value\":\"" VALUE "\",\"readOnly\":false,\"configSource\":1,\"isSensitive\":false,"  \
	"\"synonyms\":[],\"configType\":1,\"documentation\":null}]}]}"

TEST(a_topics_configuration_counts_a_brokers_is_its_own)
{
	begin();
	CHECK_TEXT(compare_json(API_DESCRIBE_CONFIGS, 4, CONFIGS("2", "a", "1"),
				CONFIGS("2", "a", "2")),
		   "results[2].configs[k].value: \"1\" | \"2\"\n");
	CHECK_TEXT(compare_json(API_DESCRIBE_CONFIGS, 4, CONFIGS("4", "1", "1"),
				CONFIGS("4", "1", "2")),
		   "");
	end();
}

/* ---- records ---- */

struct fetched {
	struct fetch_response r;
	struct fetch_response_responses topic;
	struct fetch_response_responses_partitions partition;
};

static struct fetch_response *fetched(int64_t base_offset, const char *const *values, int count,
				      uint8_t codec)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct fetched *f = arena_alloc(&t.arena, sizeof(*f));
	struct batch_builder b;
	struct buf out;

	buf_init(&out, 1 << 16);
	o.base_offset = base_offset;
	o.codec = codec;
	batch_builder_init(&b, &o, &out);
	for (int i = 0; i < count; i++)
		batch_builder_add(
			&b, 5, (struct bytes){NULL, 0},
			(struct bytes){(const uint8_t *)values[i], (int32_t)strlen(values[i])},
			NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	codec_init(&fetch_response_responses_partitions_schema, &f->partition);
	f->partition.high_watermark = base_offset + count;
	f->partition.records =
		(struct records){arena_copy(&t.arena, out.data, out.len), (int32_t)out.len, 0};
	codec_init(&fetch_response_responses_schema, &f->topic);
	f->topic.topic = str_of("a");
	f->topic.partitions = &f->partition;
	f->topic.partitions_count = 1;
	codec_init(&fetch_response_schema, &f->r);
	f->r.responses = &f->topic;
	f->r.responses_count = 1;
	buf_release(&out);
	return &f->r;
}

static const char *const abc[] = {"a", "b", "c"};
static const char *const abx[] = {"a", "b", "x"};

TEST(records_count_batches_do_not)
{
	begin();
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_NONE), 11,
				  fetched(10, abc, 3, CODEC_ZSTD)),
		   "");
	CHECK_TEXT(
		compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_GZIP), 11,
			       fetched(10, abx, 3, CODEC_NONE)),
		"responses[a].partitions[0].records[offset 12].value: 1 bytes 63 | 1 bytes 78\n");
	end();
}

TEST(records_that_are_not_there_yet_are_told_at_once)
{
	begin();
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_NONE), 11,
				  fetched(10, abc, 1, CODEC_NONE)),
		   "responses[a].partitions[0].highWatermark: 13 | 11\n"
		   "responses[a].partitions[0].records[offset 11]: 2 records, to offset 12 | "
		   "nothing\n");
	end();
}

TEST(records_behind_what_was_recorded_are_no_difference)
{
	begin();
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 1, CODEC_NONE), 11,
				  fetched(10, abc, 3, CODEC_NONE)),
		   "");
	end();
}

TEST(records_are_at_their_mapped_offsets)
{
	begin();
	variables_bind_offset(t.v, str_of("a"), 0, 10, 510);
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_NONE), 11,
				  fetched(510, abc, 3, CODEC_NONE)),
		   "");
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_NONE), 11,
				  fetched(511, abc, 3, CODEC_NONE)),
		   "responses[a].partitions[0].records[offset 10]: a record | nothing\n"
		   "responses[a].partitions[0].records[offset 11].value: 1 bytes 62 | 1 bytes 61\n"
		   "responses[a].partitions[0].records[offset 12].value: 1 bytes 63 | 1 bytes "
		   "62\n");
	end();
}

TEST(bytes_that_are_no_records_are_told)
{
	struct fetch_response *good, *bad;

	begin();
	good = fetched(10, abc, 3, CODEC_GZIP);
	bad = fetched(10, abc, 3, CODEC_GZIP);
	((uint8_t *)bad->responses[0].partitions[0].records.data)[BATCH_AT_RECORDS] ^= 0xff;
	CHECK_TEXT(compare_bodies(API_FETCH, 11, good, 11, bad),
		   "responses[a].partitions[0].records[offset 10]: 3 records, to offset 12 | "
		   "nothing\n");
	CHECK_TEXT(compare_bodies(API_FETCH, 11, bad, 11, good),
		   "responses[a].partitions[0].records: unreadable batches | readable batches\n");
	end();
}

static struct fetch_response *with_wrong_sum(struct fetch_response *r)
{
	((uint8_t *)r->responses[0].partitions[0].records.data)[BATCH_AT_CRC] ^= 0xff;
	return r;
}

TEST(a_wrong_checksum_is_told_once_a_batch_unless_both_are_wrong)
{
	begin();
	CHECK_TEXT(compare_bodies(API_FETCH, 11, fetched(10, abc, 3, CODEC_NONE), 11,
				  with_wrong_sum(fetched(10, abc, 3, CODEC_NONE))),
		   "responses[a].partitions[0].records[offset 10]: a batch whose checksum is right "
		   "| a batch whose checksum is wrong\n");
	CHECK_TEXT(compare_bodies(API_FETCH, 11, with_wrong_sum(fetched(10, abc, 3, CODEC_GZIP)),
				  11, fetched(10, abc, 3, CODEC_NONE)),
		   "responses[a].partitions[0].records[offset 10]: a batch whose checksum is wrong "
		   "| a batch whose checksum is right\n");
	CHECK_TEXT(compare_bodies(API_FETCH, 11, with_wrong_sum(fetched(10, abc, 3, CODEC_NONE)),
				  11, with_wrong_sum(fetched(10, abc, 3, CODEC_NONE))),
		   "");
	end();
}

/* ---- what is passed over ---- */

static const char *refusal(const char *path)
{
	struct error e = ERROR_INIT;

	compare_ignore(t.c, str_of(path), &e);
	return arena_printf(&t.arena, "%s", e.text);
}

TEST(a_field_can_be_passed_over)
{
	begin();
	CHECK_TEXT(refusal("OffsetFetch.topics[*].partitions[0].committedOffset"), "");
	CHECK_TEXT(compare_json(API_OFFSET_FETCH, 5, COMMITTED("15", "n"), COMMITTED("14", "m")),
		   "topics[a].partitions[0].metadata: \"n\" | \"m\"\n");
	CHECK_TEXT(refusal("metadata"), "");
	CHECK_TEXT(compare_json(API_OFFSET_FETCH, 5, COMMITTED("15", "n"), COMMITTED("14", "m")),
		   "");
	end();
	begin();
	CHECK_TEXT(refusal("Metadata.topics"), "");
	CHECK_TEXT(compare_json(API_METADATA, 7, METADATA("", TOPIC("a", "")), METADATA("", "")),
		   "");
	end();
}

TEST(a_wrong_path_is_told_with_what_was_meant)
{
	begin();
	CHECK_TEXT(refusal("Metdata.topics"), "there is no API 'Metdata'; did you mean Metadata?");
	CHECK_TEXT(refusal("Metadata.topics.partition.isrNodes"),
		   "the answer of Metadata has no 'topics.partition'; did you mean partitions?");
	CHECK_TEXT(refusal("Metadata.clusterId.x"), "Metadata: nothing is inside of 'clusterId'");
	CHECK_TEXT(refusal("isrNode"), "no answer has a field isrNode; did you mean isrNodes?");
	CHECK_TEXT(refusal("zzzzzzzzzz"), "no answer has a field zzzzzzzzzz");
	end();
}

TEST(differences_without_room_for_their_texts_have_none)
{
	begin();
	t.found.arena = &(struct arena){.size_max = 0};
	compare_json(API_METADATA, 7, METADATA("", TOPIC("a", "")),
		     METADATA("", TOPIC("b", PARTITION("0", "1", "1", "1"))));
	CHECK_EQ(t.found.count, 2);
	for (int32_t i = 0; i < t.found.count; i++) {
		CHECK_EQ(t.found.items[i].path.len, 0);
		CHECK_EQ(t.found.items[i].name.len, 0);
		CHECK_EQ(t.found.items[i].recorded.len + t.found.items[i].live.len, 0);
	}
	end();
}

TEST(paths_are_related_where_one_leads_into_the_other)
{
	struct difference a = {.path = str_of("responses[a]")},
			  b = {.path = str_of("responses[a].partitions[0].errorCode")},
			  c = {.path = str_of("responses[ab]")};

	CHECK(difference_related(&a, &b));
	CHECK(difference_related(&b, &a));
	CHECK(difference_related(&b, &b));
	CHECK(!difference_related(&a, &c));
	CHECK(!difference_related(&b, &c));
}
