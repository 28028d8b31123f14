/* Clauses of the acceptance text that stand between the tests by area, each under its rule's
 * number, in virtual time. */
#include "protocol/records_bytes.h"
#include "tests/mock_records.h"

#include <stdio.h>

static void start(struct fixture *f)
{
	mock_start(f, 1);
	mock_topic(f, "t", 2, -1);
}

TEST(rule_2_bytes_behind_a_body_are_ignored_and_a_client_may_have_no_name)
{
	/* ApiVersions 0, correlation id 7, null client id, three bytes too many */
	static const uint8_t bytes[] = "\0\22\0\0\0\0\0\7\377\377\1\2\3";
	struct bytes frame = {bytes, sizeof(bytes) - 1};
	struct fixture f;
	struct call call = {.broker = 1};
	struct plan plan = {0};
	struct arena arena;
	struct error e = ERROR_INIT;
	void *request;

	start(&f);
	arena_init(&arena, ARENA_EXCHANGE_MAX);
	CHECK_EQ(frame_read_request(frame, &call.header, &e), 0);
	CHECK(!call.header.client_id.data);
	CHECK(frame_decode(API_API_VERSIONS, 0, MESSAGE_REQUEST,
			   (struct bytes){bytes + call.header.body, frame.len - call.header.body},
			   &arena, &request, &e) >= 0);
	call.request = request;
	call.arena = &arena;
	call.plan = &plan;
	CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_ANSWER);
	CHECK(((struct api_versions_response *)call.response)->api_keys_count > 1);
	call_release(&call);
	arena_release(&arena);
	mock_end(&f);
}

static struct version_range advertised(struct fixture *f, int key)
{
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r = mock_ask(f, 1, API_API_VERSIONS, 0, &q);

	for (int32_t i = 0; i < r->api_keys_count; i++)
		if (r->api_keys[i].api_key == key)
			return (struct version_range){r->api_keys[i].min_version,
						      r->api_keys[i].max_version};
	return (struct version_range){0, -1};
}

TEST(rule_5_what_is_not_simulated_is_not_advertised)
{
	static const int absent[] = {API_SHARE_GROUP_HEARTBEAT,
				     API_SHARE_FETCH,
				     API_STREAMS_GROUP_HEARTBEAT,
				     API_SASL_AUTHENTICATE,
				     API_GET_TELEMETRY_SUBSCRIPTIONS,
				     API_DESCRIBE_CLIENT_QUOTAS,
				     API_VOTE,
				     API_LEADER_AND_ISR};
	struct fixture f;
	struct call call = {.broker = 1};

	start(&f);
	CHECK_EQ(advertised(&f, API_PRODUCE).min, 0);
	CHECK_EQ(advertised(&f, API_PRODUCE).max, 13);
	CHECK_EQ(advertised(&f, API_INIT_PRODUCER_ID).max, 5);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		CHECK_EQ(advertised(&f, absent[i]).max, -1);
		call.header = (struct frame_header){.api_key = (int16_t)absent[i]};
		CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_CLOSE);
	}
	mock_end(&f);
}

TEST(rule_8_operations_are_told_to_who_asks_and_ids_before_names)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics t[2] = {{.name = {"t", 1}}, {.name = {"nope", 4}}};
	const struct metadata_response *r;

	start(&f);
	q.topics = t;
	q.topics_count = 2;
	q.allow_auto_topic_creation = false;
	q.include_topic_authorized_operations = true;
	r = mock_ask(&f, 1, API_METADATA, 9, &q);
	CHECK_EQ(r->topics[0].topic_authorized_operations, 3576);
	CHECK_EQ(r->topics[1].topic_authorized_operations, 3576);
	q.include_topic_authorized_operations = false;
	t[0] = (struct metadata_request_topics){.topic_id = {{9}}};
	r = mock_ask(&f, 1, API_METADATA, 12, &q); /* an id, so the name is not looked at */
	CHECK_EQ(r->topics_count, 1);
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_ID);
	mock_end(&f);
}

TEST(rule_9_names_of_kafkas_own_topics_are_allowed)
{
	struct fixture f;
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t = DEFAULTS_create_topics_request_topics;
	const struct create_topics_response *r;

	start(&f);
	t.name = str_of("__consumer_offsets");
	t.num_partitions = t.replication_factor = 1;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(&f, 1, API_CREATE_TOPICS, 5, &q);
	CHECK_EQ(r->topics[0].error_code, 0);
	mock_end(&f);
}

static int16_t find_coordinator(struct fixture *f, int8_t type, const char *key)
{
	struct find_coordinator_request q = DEFAULTS_find_coordinator_request;
	struct str keys[1] = {str_of(key)};
	const struct find_coordinator_response *r;

	q.key_type = type;
	q.coordinator_keys = keys;
	q.coordinator_keys_count = 1;
	r = mock_ask(f, 1, API_FIND_COORDINATOR, 6, &q);
	return r->coordinators[0].error_code;
}

TEST(rule_12_the_key_of_a_share_coordinator_has_three_parts)
{
	struct fixture f;

	start(&f);
	CHECK_EQ(find_coordinator(&f, 2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0"), 0);
	CHECK_EQ(find_coordinator(&f, 2, "g:AAAAAAAAAAAAAAAAAAAAAQ"), ERROR_INVALID_REQUEST);
	CHECK_EQ(find_coordinator(&f, 2, "g"), ERROR_INVALID_REQUEST);
	CHECK_EQ(find_coordinator(&f, 3, "g"), ERROR_INVALID_REQUEST);
	mock_end(&f);
}

static int16_t produce_codec(struct fixture *f, int version, int codec, int16_t attributes)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct records r;

	o.codec = (uint8_t)codec;
	r = mock_batch(f, 1, &o);
	if (attributes) {
		put_i16((uint8_t *)(uintptr_t)r.data + BATCH_AT_ATTRIBUTES, attributes);
		batch_seal((uint8_t *)(uintptr_t)r.data, (size_t)r.len);
	}
	return mock_produce_at(f, version, "t", 0, 1, r)->error_code;
}

TEST(rule_14_old_versions_look_at_the_codec_first)
{
	struct fixture f;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 2); /* another broker leads */
	CHECK_EQ(produce_codec(&f, 6, CODEC_NONE, 7), ERROR_UNKNOWN_SERVER_ERROR);
	CHECK_EQ(produce_codec(&f, 6, CODEC_ZSTD, 0), ERROR_UNSUPPORTED_COMPRESSION_TYPE);
	CHECK_EQ(produce_codec(&f, 7, CODEC_NONE, 7), ERROR_NOT_LEADER_OR_FOLLOWER);
	mock_end(&f);
	start(&f);
	CHECK_EQ(produce_codec(&f, 6, CODEC_ZSTD, 0), ERROR_UNSUPPORTED_COMPRESSION_TYPE);
	CHECK_EQ(produce_codec(&f, 7, CODEC_ZSTD, 0), 0);
	mock_end(&f);
}

TEST(rule_16_a_repeat_tells_the_batchs_time_as_append_time)
{
	struct fixture f;
	struct batch_options o = mock_idempotent(7, 0, 0);
	const struct produce_response_responses_partition_responses *p;
	struct records batch;
	int64_t sent;

	start(&f);
	batch = mock_batch(&f, 2, &o);
	sent = instant_wall_ms(f.now);
	CHECK_EQ(mock_produce(&f, "t", 0, -1, batch)->log_append_time_ms, -1);
	mock_advance(&f, MS(5000));
	p = mock_produce(&f, "t", 0, -1, batch);
	CHECK_EQ(p->base_offset, 0);
	CHECK_EQ(p->log_append_time_ms, sent);
	mock_end(&f);
}

TEST(rule_17_below_min_insync_replicas_nothing_is_appended)
{
	struct fixture f;
	struct error e = ERROR_INIT;

	mock_start(&f, 3);
	CHECK_EQ(cluster_create_topic(f.c, str_of("r"), 1, 3, 1, f.now, &e), 0);
	CHECK_TEXT(mock_happen(&f, "broker-down broker=2"), "");
	CHECK_TEXT(mock_happen(&f, "broker-down broker=3"), "");
	CHECK_EQ(mock_produce(&f, "r", 0, -1, mock_batch(&f, 1, NULL))->error_code, 0);
	mock_end(&f);
	mock_start_with(&f, 3, (struct cluster_config){.default_replication = 3});
	mock_topic_with(&f, "r", "min.insync.replicas=2");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=r partition=0 to=1"), "");
	CHECK_TEXT(mock_happen(&f, "broker-down broker=2"), "");
	CHECK_EQ(mock_produce(&f, "r", 0, -1, mock_batch(&f, 1, NULL))->error_code, 0);
	CHECK_TEXT(mock_happen(&f, "broker-down broker=3"), "");
	CHECK_EQ(mock_produce(&f, "r", 0, -1, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_NOT_ENOUGH_REPLICAS);
	CHECK_EQ(mock_produce(&f, "r", 0, 1, mock_batch(&f, 1, NULL))->base_offset, 1);
	mock_end(&f);
}

TEST(rule_20_a_broker_keeps_a_thousand_sessions)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;
	int32_t first = 0;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 0);
	one.q.session_epoch = 0;
	for (int i = 0; i < 1000; i++) {
		r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
		CHECK(r->session_id > 0);
		first = first ? first : r->session_id;
	}
	CHECK_EQ(
		((const struct fetch_response *)mock_ask(&f, 1, API_FETCH, 12, &one.q))->session_id,
		0);
	mock_advance(&f, MS(121000)); /* the one that is idle longest makes room */
	CHECK(((const struct fetch_response *)mock_ask(&f, 1, API_FETCH, 12, &one.q))->session_id >
	      0);
	one.q.session_id = first;
	one.q.session_epoch = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->error_code, ERROR_FETCH_SESSION_ID_NOT_FOUND);
	CHECK_EQ(r->session_id, 0);
	CHECK_EQ(r->responses_count, 0);
	mock_end(&f);
}

TEST(rule_19_one_partition_with_an_error_answers_for_all)
{
	struct fixture f;
	struct fetch_request_one one;
	struct fetch_request_topics_partitions both[2];
	struct exchange_run *x;

	start(&f);
	mock_fetch_one(&one, "t", 0, 0, 60000);
	both[0] = both[1] = one.partition;
	both[1].partition = 9;
	one.topic.partitions = both;
	one.topic.partitions_count = 2;
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(x->result, CALL_ANSWER);
	mock_end(&f);
}

TEST(rule_21_a_marker_is_a_control_batch_with_a_right_checksum)
{
	struct fixture f;
	struct write_txn_markers_request q = DEFAULTS_write_txn_markers_request;
	struct write_txn_markers_request_markers m = {
		.producer_id = 7, .transaction_result = true, .coordinator_epoch = 3};
	int32_t partition = 0;
	struct write_txn_markers_request_markers_topics t = {
		.name = {"t", 1}, .partition_indexes = &partition, .partition_indexes_count = 1};
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct record_iter it;
	struct records records;
	struct record record;
	struct batch b;

	start(&f);
	m.topics = &t;
	m.topics_count = 1;
	q.markers = &m;
	q.markers_count = 1;
	mock_ask(&f, 1, API_WRITE_TXN_MARKERS, 1, &q);
	mock_fetch_one(&one, "t", 0, 0, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	records = r->responses[0].partitions[0].records;
	CHECK_EQ(batch_read(records.data, (size_t)records.len, &b, NULL), 0);
	CHECK(batch_crc_ok(&b));
	CHECK_EQ(b.attributes, 0x30);
	CHECK_EQ(b.producer_id, 7);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, &record, NULL), 1);
	CHECK_BYTES(record.key.data, (size_t)record.key.len, "\0\0\0\1", 4);
	CHECK_BYTES(record.value.data, (size_t)record.value.len, "\0\0\0\0\0\3", 6);
	mock_end(&f);
}

static struct join_group_request_protocols range_protocol = {.name = {"range", 5},
							     .metadata = {(const uint8_t *)"m", 1}};

static struct join_group_request join_of(const char *instance)
{
	struct join_group_request q = DEFAULTS_join_group_request;

	q.group_id = str_of("g");
	q.group_instance_id = str_of(instance);
	q.session_timeout_ms = q.rebalance_timeout_ms = 10000;
	q.protocol_type = str_of("consumer");
	q.protocols = &range_protocol;
	q.protocols_count = 1;
	return q;
}

TEST(rule_23_time_outs_have_a_top_and_types_must_match)
{
	struct fixture f;
	struct join_group_request q = join_of(NULL);
	const struct join_group_response *r;

	start(&f);
	q.session_timeout_ms = 1800001;
	r = mock_ask(&f, 1, API_JOIN_GROUP, 5, &q);
	CHECK_EQ(r->error_code, ERROR_INVALID_SESSION_TIMEOUT);
	q = join_of(NULL);
	CHECK_EQ(((const struct join_group_response *)mock_ask(&f, 1, API_JOIN_GROUP, 3, &q))
			 ->error_code,
		 0);
	q.protocol_type = str_of("connect");
	r = mock_ask(&f, 1, API_JOIN_GROUP, 3, &q);
	CHECK_EQ(r->error_code, ERROR_INCONSISTENT_GROUP_PROTOCOL);
	mock_end(&f);
}

static int16_t sync(struct fixture *f, struct str member, struct str instance, const char *type,
		    const char *protocol)
{
	struct sync_group_request q = DEFAULTS_sync_group_request;

	q.group_id = str_of("g");
	q.member_id = member;
	q.group_instance_id = instance;
	q.generation_id = 1;
	q.protocol_type = str_of(type);
	q.protocol_name = str_of(protocol);
	return ((const struct sync_group_response *)mock_ask(f, 1, API_SYNC_GROUP, 5, &q))
		->error_code;
}

TEST(rule_24_sync_names_the_protocol_and_a_static_leader_may_skip_assigning)
{
	struct fixture f;
	struct join_group_request q = join_of("i");
	const struct join_group_response *r;
	struct str id, instance = {"i", 1};

	start(&f);
	r = mock_ask(&f, 1, API_JOIN_GROUP, 9, &q);
	id = r->member_id;
	CHECK(!r->skip_assignment);
	CHECK_EQ(sync(&f, id, instance, "consumer", "roundrobin"),
		 ERROR_INCONSISTENT_GROUP_PROTOCOL);
	CHECK_EQ(sync(&f, id, instance, "connect", "range"), ERROR_INCONSISTENT_GROUP_PROTOCOL);
	CHECK_EQ(sync(&f, id, instance, NULL, "range"), ERROR_INCONSISTENT_GROUP_PROTOCOL);
	CHECK_EQ(sync(&f, id, instance, "consumer", "range"), 0);
	r = mock_ask(&f, 1, API_JOIN_GROUP, 9, &q);
	CHECK_EQ(r->generation_id, 1);
	CHECK(r->skip_assignment);
	mock_end(&f);
}

TEST(rule_25_a_static_member_is_removed_by_its_instance_alone)
{
	struct fixture f;
	struct join_group_request j = join_of("i");
	struct leave_group_request q = DEFAULTS_leave_group_request;
	struct leave_group_request_members m = {.group_instance_id = {"i", 1}};
	const struct leave_group_response *r;

	start(&f);
	mock_ask(&f, 1, API_JOIN_GROUP, 7, &j);
	m.member_id = str_of("");
	q.group_id = str_of("g");
	q.members = &m;
	q.members_count = 1;
	r = mock_ask(&f, 1, API_LEAVE_GROUP, 4, &q);
	CHECK_EQ(r->members[0].error_code, 0);
	r = mock_ask(&f, 1, API_LEAVE_GROUP, 4, &q);
	CHECK_EQ(r->members[0].error_code, ERROR_UNKNOWN_MEMBER_ID);
	mock_end(&f);
}

static int16_t commit(struct fixture *f, const char *topic, struct uuid id, int32_t partition,
		      int32_t generation)
{
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = str_of(topic), .topic_id = id, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	p.partition_index = partition;
	p.committed_offset = 1;
	p.committed_metadata = str_of("");
	q.group_id = str_of("g");
	q.generation_id_or_member_epoch = generation;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_COMMIT, topic ? 8 : 10, &q);
	return r->topics[0].partitions[0].error_code;
}

TEST(rule_26_commits_of_nobody_make_a_group_and_unknown_topics_are_refused)
{
	struct fixture f;
	struct uuid none = {{9}}, zero = {{0}};
	struct list_groups_request l = DEFAULTS_list_groups_request;
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	struct offset_fetch_request_groups g = DEFAULTS_offset_fetch_request_groups;
	const struct list_groups_response *r;
	const struct offset_fetch_response *o;

	start(&f);
	CHECK_EQ(commit(&f, NULL, none, 0, 5), ERROR_UNKNOWN_TOPIC_ID);
	CHECK_EQ(commit(&f, "t", zero, 0, 5), ERROR_ILLEGAL_GENERATION);
	CHECK_EQ(commit(&f, "nope", zero, 0, -1), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(commit(&f, "t", zero, 9, -1), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(commit(&f, "t", zero, 1, -1), 0);
	r = mock_ask(&f, 1, API_LIST_GROUPS, 5, &l);
	CHECK_EQ(r->groups_count, 1);
	CHECK_STR(r->groups[0].group_state, "Empty");
	g.group_id = str_of("g");
	g.topics_count = -1;
	q.groups = &g;
	q.groups_count = 1;
	o = mock_ask(&f, 1, API_OFFSET_FETCH, 8, &q); /* all there are */
	CHECK_EQ(o->groups[0].topics_count, 1);
	CHECK_EQ(o->groups[0].topics[0].partitions_count, 1);
	CHECK_EQ(o->groups[0].topics[0].partitions[0].partition_index, 1);
	mock_end(&f);
}

static struct consumer_group_heartbeat_response beat(struct fixture *f, int version,
						     const char *member, int32_t epoch,
						     struct uuid topic_id, int32_t owned)
{
	static struct str topic = {"t", 1};
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;
	struct consumer_group_heartbeat_request_topic_partitions t = {.topic_id = topic_id};
	int32_t partitions[] = {0, 1};

	t.partitions = partitions;
	t.partitions_count = owned;
	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.member_epoch = epoch;
	q.topic_partitions_count = q.subscribed_topic_names_count = -1;
	if (!epoch) {
		q.rebalance_timeout_ms = 5000;
		q.subscribed_topic_names = &topic;
		q.subscribed_topic_names_count = 1;
		q.topic_partitions_count = 0;
	} else if (owned >= 0) {
		q.topic_partitions = &t;
		q.topic_partitions_count = owned > 0;
	}
	return *(const struct consumer_group_heartbeat_response *)mock_ask(
		f, 1, API_CONSUMER_GROUP_HEARTBEAT, version, &q);
}

TEST(rule_32_version_0_makes_the_id_and_the_epoch_before_is_borne_if_nothing_was_lost)
{
	struct fixture f;
	struct consumer_group_heartbeat_response a;
	struct uuid id, zero = {{0}};
	char name[64];

	start(&f);
	a = beat(&f, 0, "", 0, zero, -1);
	CHECK_EQ(a.error_code, 0);
	CHECK_EQ(a.member_id.len, UUID_TEXT_SIZE - 1);
	CHECK_EQ(a.member_epoch, 2);
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(a.member_id));
	id = a.assignment->topic_partitions[0].topic_id;
	CHECK_TEXT(mock_happen(&f, "rebalance group=g"), "");
	mock_advance(&f, MS(1000));
	CHECK_EQ(beat(&f, 1, name, 2, id, 2).member_epoch, 3);
	CHECK_EQ(beat(&f, 1, name, 2, id, 2).error_code, 0); /* the answer may have been lost */
	CHECK_EQ(beat(&f, 1, name, 2, id, -1).error_code, ERROR_FENCED_MEMBER_EPOCH);
	CHECK_EQ(beat(&f, 1, name, 1, id, 2).error_code, ERROR_FENCED_MEMBER_EPOCH);
	CHECK_EQ(beat(&f, 1, name, 4, id, 2).error_code, ERROR_FENCED_MEMBER_EPOCH);
	mock_end(&f);
}
