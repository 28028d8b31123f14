/* Each kind of variable: learned from a pair of answers, said in a request of the other side. */
#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/messages.h"
#include "replay/variables.h"
#include "tests/test.h"

#include <stdlib.h>

static struct {
	struct variables *v;
	struct arena arena;
} t;

static void begin(void)
{
	t.v = variables_new();
	arena_init(&t.arena, (size_t)16 << 20);
}

static void end(void)
{
	variables_free(t.v);
	arena_release(&t.arena);
}

/* A message of JSON; a field without a value has its default. */
static void *read_message(const struct schema *s, int version, const char *json)
{
	void *msg = arena_alloc(&t.arena, s->size);
	json_error_t bad;
	json_t *value = json_loads(json, MESSAGE_JSON_FLAGS, &bad);
	struct error e = ERROR_INIT;

	codec_init(s, msg);
	CHECK(value != NULL);
	CHECK_EQ(message_json_read(s, version, value, &t.arena, msg, &e), 0);
	if (e.code)
		CHECK_TEXT(e.text, e.field);
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

static void learn_around(const struct holder *around, int64_t peer, const struct schema *s,
			 int version, const char *recorded, const char *live)
{
	struct variables_place place = {peer, around, true};

	variables_learn(t.v, &place, &place, s, version, read_message(s, version, recorded),
			version, read_message(s, version, live));
}

static void learn(const struct schema *s, int version, const char *recorded, const char *live)
{
	learn_around(NULL, 0, s, version, recorded, live);
}

static void check_apply(enum side from, int64_t peer, bool answer, const struct schema *s,
			int version, const char *before, const char *after)
{
	struct variables_place place = {peer, NULL, answer};
	void *msg = read_message(s, version, before);

	CHECK(variables_apply(t.v, from, &place, s, version, msg, &t.arena));
	CHECK_TEXT(as_json(s, version, msg), as_json(s, version, read_message(s, version, after)));
}

/* A recorded request, and the same as the live side is to get it; and back. */
static void check_request(const struct schema *s, int version, const char *recorded,
			  const char *live)
{
	check_apply(SIDE_RECORDED, 0, false, s, version, recorded, live);
	check_apply(SIDE_LIVE, 0, false, s, version, live, recorded);
}

#define ID_A  "AAAAAAAAAAAAAAAAAAAAAQ"
#define ID_A2 "AAAAAAAAAAAAAAAAAAAAAg"
#define ID_B  "BAAAAAAAAAAAAAAAAAAAAQ"
#define ID_B2 "BAAAAAAAAAAAAAAAAAAAAg"

#define METADATA(ID1, ID2, NAME1, NAME2)                                                          \
	"{\"throttleTimeMs\":0,\"brokers\":[],\"clusterId\":\"c\",\"controllerId\":1,\"topics\":" \
	"[{\"errorCode\":0,\"name\":\"" NAME1 "\",\"topicId\":\"" ID1                             \
	"\",\"isInternal\":false,\"partitions\":[]},{\"errorCode\":0,\"name\":\"" NAME2           \
	"\",\"topicId\":\"" ID2 "\",\"isInternal\":false,\"partitions\":[]}]}"

TEST(topic_ids_meet_by_their_topics_names)
{
	begin();
	/* the live answer has them in the other order */
	learn(&metadata_response_schema, 12, METADATA(ID_A, ID_B, "a", "b"),
	      METADATA(ID_B2, ID_A2, "b", "a"));
	check_request(&delete_topics_request_schema, 6,
		      "{\"topics\":[{\"name\":null,\"topicId\":\"" ID_A
		      "\"},{\"name\":null,\"topicId\":\"" ID_B "\"}],\"timeoutMs\":1}",
		      "{\"topics\":[{\"name\":null,\"topicId\":\"" ID_A2
		      "\"},{\"name\":null,\"topicId\":\"" ID_B2 "\"}],\"timeoutMs\":1}");
	end();
}

TEST(a_topic_id_that_was_only_told_with_a_name_is_known)
{
	begin();
	variables_set_topic(t.v, SIDE_RECORDED, (struct uuid){{1}}, str_of("a"));
	variables_set_topic(t.v, SIDE_LIVE, (struct uuid){{2}}, str_of("a"));
	CHECK(uuid_eq(variables_topic_id(t.v, SIDE_RECORDED, (struct uuid){{1}}),
		      (struct uuid){{2}}));
	CHECK(uuid_eq(variables_topic_id(t.v, SIDE_LIVE, (struct uuid){{2}}), (struct uuid){{1}}));
	CHECK(uuid_is_zero(variables_topic_id(t.v, SIDE_RECORDED, (struct uuid){{3}})));
	end();
}

TEST(a_member_keeps_its_name_in_its_words)
{
	begin();
	learn(&join_group_response_schema, 5,
	      "{\"throttleTimeMs\":0,\"errorCode\":0,\"generationId\":1,\"protocolName\":\"range\","
	      "\"leader\":\"m-1\",\"memberId\":\"m-1\",\"members\":[]}",
	      "{\"throttleTimeMs\":0,\"errorCode\":0,\"generationId\":1,\"protocolName\":\"range\","
	      "\"leader\":\"m-9\",\"memberId\":\"m-9\",\"members\":[]}");
	check_request(&heartbeat_request_schema, 3,
		      "{\"groupId\":\"g\",\"generationId\":1,\"memberId\":\"m-1\"}",
		      "{\"groupId\":\"g\",\"generationId\":1,\"memberId\":\"m-9\"}");
	check_request(&heartbeat_request_schema, 3,
		      "{\"groupId\":\"g\",\"generationId\":1,\"memberId\":\"\"}",
		      "{\"groupId\":\"g\",\"generationId\":1,\"memberId\":\"\"}");
	end();
}

static void learn_producer(const char *recorded, const char *live)
{
	learn(&init_producer_id_response_schema, 4, recorded, live);
}

#define INIT(ID, EPOCH) \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"producerId\":" #ID ",\"producerEpoch\":" #EPOCH "}"
#define END_TXN(ID, EPOCH)                                                            \
	"{\"transactionalId\":\"x\",\"producerId\":" #ID ",\"producerEpoch\":" #EPOCH \
	",\"committed\":true}"

TEST(an_epoch_belongs_to_its_producer_id)
{
	begin();
	learn_producer(INIT(1000, 0), INIT(7, 3));
	learn_producer(INIT(1001, 0), INIT(8, 5));
	learn_producer(INIT(1000, 1), INIT(7, 4));
	check_request(&end_txn_request_schema, 3, END_TXN(1000, 0), END_TXN(7, 3));
	check_request(&end_txn_request_schema, 3, END_TXN(1000, 1), END_TXN(7, 4));
	check_request(&end_txn_request_schema, 3, END_TXN(1001, 0), END_TXN(8, 5));
	check_request(&end_txn_request_schema, 3, END_TXN(-1, -1), END_TXN(-1, -1));
	CHECK_EQ(variables_unknown(t.v, ROLE_PRODUCER_ID), 0);
	check_request(&end_txn_request_schema, 3, END_TXN(5555, 2), END_TXN(5555, 2));
	CHECK(variables_unknown(t.v, ROLE_PRODUCER_ID) > 0);
	end();
}

static struct records batch_of(int64_t producer_id, int16_t epoch, int64_t base_offset)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	struct records r;

	buf_init(&out, 1 << 16);
	o.producer_id = producer_id;
	o.producer_epoch = epoch;
	o.base_sequence = 4;
	o.base_offset = base_offset;
	batch_builder_init(&b, &o, &out);
	batch_builder_add(&b, 1, (struct bytes){NULL, 0}, (struct bytes){(const uint8_t *)"v", 1},
			  NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	r = (struct records){arena_copy(&t.arena, out.data, out.len), (int32_t)out.len, 0};
	buf_release(&out);
	return r;
}

static struct produce_request
produce_of(struct records records, struct produce_request_topic_data *topic,
	   struct produce_request_topic_data_partition_data *partition)
{
	struct produce_request r;

	codec_init(&produce_request_topic_data_partition_data_schema, partition);
	partition->records = records;
	codec_init(&produce_request_topic_data_schema, topic);
	topic->name = str_of("a");
	topic->partition_data = partition;
	topic->partition_data_count = 1;
	codec_init(&produce_request_schema, &r);
	r.topic_data = topic;
	r.topic_data_count = 1;
	return r;
}

TEST(a_batch_speaks_of_its_producer_and_is_sealed_anew)
{
	struct produce_request_topic_data topic;
	struct produce_request_topic_data_partition_data partition;
	struct variables_place place = {0};
	struct produce_request r;
	struct batch b;

	begin();
	learn_producer(INIT(1000, 0), INIT(7, 3));
	r = produce_of(batch_of(1000, 0, 0), &topic, &partition);
	CHECK(variables_apply(t.v, SIDE_RECORDED, &place, &produce_request_schema, 9, &r,
			      &t.arena));
	CHECK_EQ(batch_read(partition.records.data, (size_t)partition.records.len, &b, NULL), 0);
	CHECK_EQ(b.producer_id, 7);
	CHECK_EQ(b.producer_epoch, 3);
	CHECK_EQ(b.base_sequence, 4);
	CHECK_EQ(b.base_offset, 0);
	CHECK(batch_crc_ok(&b));
	end();
}

TEST(a_wrong_checksum_stays_wrong)
{
	struct produce_request_topic_data topic;
	struct produce_request_topic_data_partition_data partition;
	struct variables_place place = {0};
	struct produce_request r;
	struct records records;
	struct batch b;

	begin();
	learn_producer(INIT(1000, 0), INIT(7, 3));
	records = batch_of(1000, 0, 0);
	((uint8_t *)records.data)[BATCH_AT_CRC] ^= 1;
	r = produce_of(records, &topic, &partition);
	CHECK(variables_apply(t.v, SIDE_RECORDED, &place, &produce_request_schema, 9, &r,
			      &t.arena));
	CHECK_EQ(batch_read(partition.records.data, (size_t)partition.records.len, &b, NULL), 0);
	CHECK_EQ(b.producer_id, 7);
	CHECK(!batch_crc_ok(&b));
	end();
}

#define FETCH(SESSION, EPOCH)                                                                   \
	"{\"replicaId\":-1,\"maxWaitMs\":1,\"minBytes\":1,\"maxBytes\":1,\"isolationLevel\":0," \
	"\"sessionId\":" #SESSION ",\"sessionEpoch\":" #EPOCH                                   \
	",\"topics\":[],\"forgottenTopicsData\":[],\"rackId\":\"\"}"
#define FETCHED(SESSION) \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"sessionId\":" #SESSION ",\"responses\":[]}"

TEST(a_fetch_session_belongs_to_its_peer)
{
	begin();
	learn_around(NULL, 1, &fetch_response_schema, 11, FETCHED(5), FETCHED(71));
	learn_around(NULL, 2, &fetch_response_schema, 11, FETCHED(5), FETCHED(72));
	check_apply(SIDE_RECORDED, 1, false, &fetch_request_schema, 11, FETCH(5, 1), FETCH(71, 1));
	check_apply(SIDE_RECORDED, 2, false, &fetch_request_schema, 11, FETCH(5, 1), FETCH(72, 1));
	check_apply(SIDE_LIVE, 2, false, &fetch_request_schema, 11, FETCH(72, 1), FETCH(5, 1));
	check_apply(SIDE_RECORDED, 1, false, &fetch_request_schema, 11, FETCH(0, -1), FETCH(0, -1));
	end();
}

#define JOINED(GENERATION)                                                    \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"generationId\":" #GENERATION \
	",\"protocolName\":\"range\",\"leader\":\"m\",\"memberId\":\"m\",\"members\":[]}"
#define HEARTBEAT(GROUP, GENERATION) \
	"{\"groupId\":\"" GROUP "\",\"generationId\":" #GENERATION ",\"memberId\":\"m\"}"

static void learn_generation(const char *group, const char *recorded, const char *live)
{
	struct join_group_request r;
	struct holder around = {&join_group_request_schema, &r, 5, NULL};

	codec_init(&join_group_request_schema, &r);
	r.group_id = str_of(group);
	learn_around(&around, 0, &join_group_response_schema, 5, recorded, live);
}

TEST(a_generation_belongs_to_its_group)
{
	begin();
	learn_generation("g", JOINED(1), JOINED(4));
	learn_generation("h", JOINED(1), JOINED(9));
	check_request(&heartbeat_request_schema, 3, HEARTBEAT("g", 1), HEARTBEAT("g", 4));
	check_request(&heartbeat_request_schema, 3, HEARTBEAT("h", 1), HEARTBEAT("h", 9));
	check_request(&heartbeat_request_schema, 3, HEARTBEAT("h", -1), HEARTBEAT("h", -1));
	end();
}

#define KIP848_ASK(EPOCH)                                                 \
	"{\"groupId\":\"g\",\"memberId\":\"m\",\"memberEpoch\":" #EPOCH   \
	",\"instanceId\":null,\"rackId\":null,\"rebalanceTimeoutMs\":-1," \
	"\"subscribedTopicNames\":null,\"serverAssignor\":null,\"topicPartitions\":null}"
#define KIP848_ANSWER(EPOCH)                                                              \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":null,\"memberId\":\"m\"," \
	"\"memberEpoch\":" #EPOCH ",\"heartbeatIntervalMs\":1,\"assignment\":null}"

TEST(the_epoch_of_a_kip_848_member_is_its_groups)
{
	struct consumer_group_heartbeat_request r;
	struct holder around = {&consumer_group_heartbeat_request_schema, &r, 0, NULL};

	begin();
	codec_init(&consumer_group_heartbeat_request_schema, &r);
	r.group_id = str_of("g");
	learn_around(&around, 0, &consumer_group_heartbeat_response_schema, 0, KIP848_ANSWER(1),
		     KIP848_ANSWER(3));
	check_request(&consumer_group_heartbeat_request_schema, 0, KIP848_ASK(1), KIP848_ASK(3));
	check_request(&consumer_group_heartbeat_request_schema, 0, KIP848_ASK(0), KIP848_ASK(0));
	check_request(&consumer_group_heartbeat_request_schema, 0, KIP848_ASK(-1), KIP848_ASK(-1));
	end();
}

#define CLUSTER(ID)                                                                       \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":null,\"clusterId\":\"" ID \
	"\",\"controllerId\":1,\"brokers\":[],\"clusterAuthorizedOperations\":0}"

TEST(a_cluster_is_called_otherwise)
{
	begin();
	learn(&describe_cluster_response_schema, 0, CLUSTER("one"), CLUSTER("two"));
	check_apply(SIDE_RECORDED, 0, true, &describe_cluster_response_schema, 0, CLUSTER("one"),
		    CLUSTER("two"));
	end();
}

#define DIRS(PATH)                                                                               \
	"{\"throttleTimeMs\":0,\"errorCode\":0,\"results\":[{\"errorCode\":0,\"logDir\":\"" PATH \
	"\",\"topics\":[],\"totalBytes\":1,\"usableBytes\":1}]}"

TEST(a_directory_is_called_otherwise)
{
	begin();
	learn(&describe_log_dirs_response_schema, 4, DIRS("/var/a"), DIRS("/tmp/b"));
	check_request(&alter_replica_log_dirs_request_schema, 2,
		      "{\"dirs\":[{\"path\":\"/var/a\",\"topics\":[]}]}",
		      "{\"dirs\":[{\"path\":\"/tmp/b\",\"topics\":[]}]}");
	end();
}

#define COORDINATOR(NODE, HOST, PORT)                                              \
	"{\"throttleTimeMs\":0,\"coordinators\":[{\"key\":\"g\",\"nodeId\":" #NODE \
	",\"host\":\"" HOST "\",\"port\":" #PORT ",\"errorCode\":0,\"errorMessage\":null}]}"

TEST(a_node_is_called_otherwise_and_stands_elsewhere)
{
	begin();
	variables_bind_int(t.v, ROLE_BROKER, 1, 101);
	variables_bind_int(t.v, ROLE_BROKER, 2, 102);
	variables_set_address(t.v, 102, str_of("here"), 9);
	check_apply(SIDE_RECORDED, 0, true, &find_coordinator_response_schema, 4,
		    COORDINATOR(2, "there", 9092), COORDINATOR(102, "here", 9));
	/* where nothing was said of the address, it stays */
	check_apply(SIDE_RECORDED, 0, true, &find_coordinator_response_schema, 4,
		    COORDINATOR(1, "there", 9092), COORDINATOR(101, "there", 9092));
	check_apply(SIDE_LIVE, 0, true, &find_coordinator_response_schema, 4,
		    COORDINATOR(102, "here", 9), COORDINATOR(2, "here", 9));
	check_request(&elect_leaders_request_schema, 2,
		      "{\"electionType\":0,\"topicPartitions\":null,\"timeoutMs\":1}",
		      "{\"electionType\":0,\"topicPartitions\":null,\"timeoutMs\":1}");
	end();
}

#define CONFIGS(TYPE, NAME)                                                                   \
	"{\"resources\":[{\"resourceType\":" #TYPE ",\"resourceName\":\"" NAME                \
	"\",\"configurationKeys\":null}],\"includeSynonyms\":false,\"includeDocumentation\":" \
	"false}"

TEST(a_broker_as_a_resource_is_a_node_and_a_group_one_a_group)
{
	begin();
	variables_bind_int(t.v, ROLE_BROKER, 1, 101);
	variables_set_suffix(t.v, str_of("-2"));
	check_request(&describe_configs_request_schema, 4, CONFIGS(4, "1"), CONFIGS(4, "101"));
	check_request(&describe_configs_request_schema, 4, CONFIGS(2, "1"), CONFIGS(2, "1"));
	check_request(&describe_configs_request_schema, 4, CONFIGS(32, "g"), CONFIGS(32, "g-2"));
	end();
}

#define FIND(KEY, TYPE) "{\"keyType\":" #TYPE ",\"coordinatorKeys\":[\"" KEY "\"]}"

TEST(a_suffix_renames_groups_and_transactional_ids)
{
	begin();
	variables_set_suffix(t.v, str_of("-2"));
	check_request(&find_coordinator_request_schema, 4, FIND("g", 0), FIND("g-2", 0));
	check_request(&find_coordinator_request_schema, 4, FIND("x", 1), FIND("x-2", 1));
	/* a group and a transactional id of one name are two things */
	check_request(&find_coordinator_request_schema, 4, FIND("g", 1), FIND("g-2", 1));
	check_request(&heartbeat_request_schema, 3, HEARTBEAT("g", -1), HEARTBEAT("g-2", -1));
	end();
}

#define PRODUCED(OFFSET)                                                                        \
	"{\"responses\":[{\"name\":\"a\",\"partitionResponses\":[{\"index\":0,\"errorCode\":0," \
	"\"baseOffset\":" #OFFSET                                                               \
	",\"logAppendTimeMs\":-1,\"logStartOffset\":0}]}],\"throttleTimeMs\":0}"
#define COMMIT(PARTITION, OFFSET)                                                             \
	"{\"groupId\":\"g\",\"generationIdOrMemberEpoch\":-1,\"memberId\":\"\",\"topics\":[{" \
	"\"name\":\"a\",\"partitions\":[{\"partitionIndex\":" #PARTITION                      \
	",\"committedOffset\":" #OFFSET                                                       \
	",\"committedLeaderEpoch\":-1,\"committedMetadata\":\"\"}]}]}"

TEST(offsets_move_with_what_produce_answers_say)
{
	begin();
	learn(&produce_response_schema, 7, PRODUCED(10), PRODUCED(110));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, 10), COMMIT(0, 110));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, 14), COMMIT(0, 114));
	/* from here on the live log has one more */
	learn(&produce_response_schema, 7, PRODUCED(15), PRODUCED(116));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, 14), COMMIT(0, 114));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, 15), COMMIT(0, 116));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, 40), COMMIT(0, 141));
	/* another partition has its own */
	check_request(&offset_commit_request_schema, 6, COMMIT(1, 14), COMMIT(1, 14));
	check_request(&offset_commit_request_schema, 6, COMMIT(0, -1), COMMIT(0, -1));
	end();
}

TEST(two_writers_that_changed_places_keep_their_offsets)
{
	begin();
	learn(&produce_response_schema, 7, PRODUCED(5), PRODUCED(6));
	learn(&produce_response_schema, 7, PRODUCED(6), PRODUCED(5));
	learn(&produce_response_schema, 7, PRODUCED(7), PRODUCED(7));
	for (int64_t i = 7; i < 20; i++)
		CHECK_EQ(variables_offset(t.v, SIDE_RECORDED, str_of("a"), 0, i), i);
	CHECK_EQ(variables_offset(t.v, SIDE_RECORDED, str_of("a"), 0, 5), 6);
	CHECK_EQ(variables_offset(t.v, SIDE_RECORDED, str_of("a"), 0, 6), 5);
	CHECK_EQ(variables_offset(t.v, SIDE_LIVE, str_of("a"), 0, 6), 5);
	CHECK_EQ(variables_offset(t.v, SIDE_LIVE, str_of("a"), 0, 5), 6);
	CHECK_EQ(variables_offset(t.v, SIDE_LIVE, str_of("a"), 0, 9), 9);
	end();
}

#define EPOCHS(EPOCH)                                                                              \
	"{\"throttleTimeMs\":0,\"brokers\":[],\"clusterId\":\"c\",\"controllerId\":1,\"topics\":[" \
	"{"                                                                                        \
	"\"errorCode\":0,\"name\":\"a\",\"isInternal\":false,\"partitions\":[{\"errorCode\":0,"    \
	"\"partitionIndex\":0,\"leaderId\":1,\"leaderEpoch\":" #EPOCH                              \
	",\"replicaNodes\":[1],\"isrNodes\":[1],\"offlineReplicas\":[]}]}]}"
#define LIST(EPOCH)                                                                            \
	"{\"replicaId\":-1,\"isolationLevel\":0,\"topics\":[{\"name\":\"a\",\"partitions\":[{" \
	"\"partitionIndex\":0,\"currentLeaderEpoch\":" #EPOCH ",\"timestamp\":-1}]}]}"

TEST(a_leader_epoch_belongs_to_its_partition)
{
	begin();
	check_apply(SIDE_RECORDED, 0, false, &list_offsets_request_schema, 5, LIST(6), LIST(-1));
	learn(&metadata_response_schema, 7, EPOCHS(6), EPOCHS(0));
	check_request(&list_offsets_request_schema, 5, LIST(6), LIST(0));
	check_apply(SIDE_RECORDED, 0, false, &list_offsets_request_schema, 5, LIST(7), LIST(-1));
	end();
}

static struct fetch_response fetched_of(struct records records,
					struct fetch_response_responses *topic,
					struct fetch_response_responses_partitions *partition)
{
	struct fetch_response r;

	codec_init(&fetch_response_responses_partitions_schema, partition);
	partition->records = records;
	codec_init(&fetch_response_responses_schema, topic);
	topic->topic = str_of("a");
	topic->partitions = partition;
	topic->partitions_count = 1;
	codec_init(&fetch_response_schema, &r);
	r.responses = topic;
	r.responses_count = 1;
	return r;
}

TEST(producers_are_learned_from_batches_that_were_read)
{
	struct fetch_response_responses topics[2];
	struct fetch_response_responses_partitions partitions[2];
	struct fetch_response a, b;
	struct variables_place place = {.answer = true};
	int64_t id;

	begin();
	a = fetched_of(batch_of(1000, 2, 10), &topics[0], &partitions[0]);
	b = fetched_of(batch_of(7, 5, 10), &topics[1], &partitions[1]);
	variables_learn(t.v, &place, &place, &fetch_response_schema, 11, &a, 11, &b);
	CHECK(variables_int(t.v, SIDE_RECORDED, ROLE_PRODUCER_ID, 1000, &id));
	CHECK_EQ(id, 7);
	check_request(&end_txn_request_schema, 3, END_TXN(1000, 2), END_TXN(7, 5));
	end();
}

TEST(the_newer_binding_ends_the_older_ones)
{
	int64_t n;

	begin();
	variables_bind_int(t.v, ROLE_PRODUCER_ID, 1, 10);
	variables_bind_int(t.v, ROLE_PRODUCER_ID, 2, 20);
	variables_bind_int(t.v, ROLE_PRODUCER_ID, 1, 20);
	CHECK(variables_int(t.v, SIDE_RECORDED, ROLE_PRODUCER_ID, 1, &n));
	CHECK_EQ(n, 20);
	CHECK(!variables_int(t.v, SIDE_RECORDED, ROLE_PRODUCER_ID, 2, &n));
	CHECK(!variables_int(t.v, SIDE_LIVE, ROLE_PRODUCER_ID, 10, &n));
	CHECK(variables_int(t.v, SIDE_LIVE, ROLE_PRODUCER_ID, 20, &n));
	CHECK_EQ(n, 1);
	end();
}

TEST(what_nobody_learned_stays)
{
	begin();
	check_request(&heartbeat_request_schema, 3, HEARTBEAT("g", 3), HEARTBEAT("g", 3));
	CHECK(variables_unknown(t.v, ROLE_GENERATION) > 0);
	end();
}
