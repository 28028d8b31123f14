/* ApiVersions and Metadata in virtual time: rules 4, 5 and 8 of the acceptance text. */
#include "tests/mock_fixture.h"

static const struct metadata_response *ask(struct fixture *f, int version, const char *name,
					   bool create)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics topic = {.name = str_of(name)};

	q.topics = &topic;
	q.topics_count = 1;
	if (version >= 4)
		q.allow_auto_topic_creation = create;
	return mock_ask(f, 1, API_METADATA, version, &q);
}

TEST(rule_4_api_versions_of_an_unknown_version_is_answered_in_version_0)
{
	struct fixture f;
	struct call call = {.broker = 1,
			    .header = {.api_key = API_API_VERSIONS, .api_version = 99}};
	struct plan plan = {0};
	struct arena arena;
	const struct api_versions_response *r;

	mock_start(&f, 1);
	arena_init(&arena, ARENA_EXCHANGE_MAX);
	call.arena = &arena;
	call.plan = &plan;
	CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_ANSWER);
	r = call.response;
	CHECK_EQ(call.response_version, 0);
	CHECK_EQ(r->error_code, ERROR_UNSUPPORTED_VERSION);
	CHECK_EQ(r->api_keys_count, 1);
	CHECK_EQ(r->api_keys[0].api_key, API_API_VERSIONS);
	CHECK_EQ(r->api_keys[0].max_version, 5);
	call_release(&call);
	arena_release(&arena);
	mock_end(&f);
}

TEST(rule_4_api_versions_refuses_a_bad_software_name)
{
	struct fixture f;
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r;
	const char *bad[] = {"", "-x", "x.", "a b"};

	mock_start(&f, 1);
	q.client_software_version = str_of("1.0");
	for (size_t i = 0; i < 4; i++) {
		q.client_software_name = str_of(bad[i]);
		r = mock_ask(&f, 1, API_API_VERSIONS, 3, &q);
		CHECK_EQ(r->error_code, ERROR_INVALID_REQUEST);
		CHECK_EQ(r->api_keys_count, 0);
	}
	q.client_software_name = str_of("apache-kafka-java");
	r = mock_ask(&f, 1, API_API_VERSIONS, 3, &q);
	CHECK_EQ(r->error_code, 0);
	CHECK(r->api_keys_count > 1);
	q.node_id = 2;
	r = mock_ask(&f, 1, API_API_VERSIONS, 5, &q);
	CHECK_EQ(r->error_code, ERROR_INVALID_REQUEST); /* and no cluster id */
	q.cluster_id = str_of("another");
	r = mock_ask(&f, 1, API_API_VERSIONS, 5, &q);
	CHECK_EQ(r->error_code, ERROR_REBOOTSTRAP_REQUIRED);
	mock_end(&f);
}

TEST(rule_5_api_versions_3_hides_features_that_start_at_0)
{
	struct fixture f;
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r;

	mock_start(&f, 1);
	q.client_software_name = q.client_software_version = str_of("x");
	r = mock_ask(&f, 1, API_API_VERSIONS, 3, &q);
	CHECK_EQ(r->supported_features_count, 1);
	CHECK_STR(r->supported_features[0].name, "metadata.version");
	r = mock_ask(&f, 1, API_API_VERSIONS, 4, &q);
	CHECK(r->supported_features_count > 1);
	mock_end(&f);
}

TEST(rule_5_no_unstable_version_is_advertised)
{
	struct fixture f;
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r;

	mock_start(&f, 1);
	r = mock_ask(&f, 1, API_API_VERSIONS, 0, &q);
	for (int32_t i = 0; i < r->api_keys_count; i++) {
		const struct message *m = message_of_api(r->api_keys[i].api_key, MESSAGE_REQUEST);

		CHECK(r->api_keys[i].max_version < m->unstable_since);
		CHECK(cluster_speaks(f.c, m->key, r->api_keys[i].max_version));
		CHECK(!cluster_speaks(f.c, m->key, r->api_keys[i].max_version + 1));
	}
	mock_end(&f);
}

TEST(rule_1_a_version_that_is_not_spoken_closes_the_connection)
{
	struct fixture f;
	struct call call = {.broker = 1, .header = {.api_key = API_METADATA, .api_version = 99}};

	mock_start(&f, 1);
	CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_CLOSE);
	call.header = (struct frame_header){.api_key = API_VOTE, .api_version = 0};
	CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_CLOSE);
	call.header.api_key = -5;
	CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_CLOSE);
	mock_end(&f);
}

TEST(rule_8_metadata_creates_an_unknown_topic_for_the_next_call)
{
	struct fixture f;
	const struct metadata_response *r;

	mock_start(&f, 3);
	for (int v = 0; v <= 13; v++) {
		char name[20] = "made-by-v0";

		name[9] = (char)('a' + v);
		r = ask(&f, v, name, true);
		CHECK_EQ(r->topics_count, 1);
		CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
		r = ask(&f, v, name, true);
		CHECK_EQ(r->topics[0].error_code, 0);
		CHECK_EQ(r->topics[0].partitions_count, 3);
		CHECK_EQ(r->topics[0].partitions[0].replica_nodes_count, 3);
		CHECK_EQ(r->topics[0].topic_authorized_operations, INT32_MIN);
		CHECK_EQ(r->brokers_count, 3);
		CHECK_STR(r->brokers[2].host, "broker-3.test");
	}
	r = ask(&f, 12, "never", false);
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	r = ask(&f, 12, "never", false);
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	r = ask(&f, 12, "not a name", true);
	CHECK_EQ(r->topics[0].error_code, ERROR_INVALID_TOPIC_EXCEPTION);
	mock_end(&f);
}

TEST(a_topic_that_wants_more_replicas_than_there_are_brokers_is_not_made)
{
	struct cluster_config config = {
		.auto_create = true, .default_partitions = 1, .default_replication = 3};
	struct fixture f;

	mock_start_with(&f, 1, config);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(ask(&f, 9, "new", true)->topics[0].error_code,
			 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}

TEST(rule_8_metadata_of_null_is_all_topics_and_of_none_is_none)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	const struct metadata_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	mock_topic(&f, "b", 2, -1);
	q.topics_count = -1;
	r = mock_ask(&f, 1, API_METADATA, 9, &q);
	CHECK_EQ(r->topics_count, 2);
	CHECK_STR(r->topics[0].name, "a");
	q.topics_count = 0;
	r = mock_ask(&f, 1, API_METADATA, 9, &q);
	CHECK_EQ(r->topics_count, 0);
	r = mock_ask(&f, 1, API_METADATA, 0, &q);
	CHECK_EQ(r->topics_count, 2);
	mock_end(&f);
}

TEST(rule_8_metadata_by_id)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics topic = {0};
	const struct metadata_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	r = ask(&f, 12, "a", false);
	topic.topic_id = r->topics[0].topic_id;
	q.topics = &topic;
	q.topics_count = 1;
	r = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK_EQ(r->topics[0].error_code, 0);
	CHECK_STR(r->topics[0].name, "a");
	r = mock_ask(&f, 1, API_METADATA, 10, &q);
	CHECK_EQ(r->topics[0].error_code, ERROR_INVALID_REQUEST);
	CHECK_EQ(r->brokers_count, 0);
	topic.topic_id.b[3] ^= 1;
	r = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_ID);
	CHECK(r->topics[0].name.data == NULL);
	topic = (struct metadata_request_topics){0};
	r = mock_ask(&f, 1, API_METADATA, 13, &q);
	CHECK_EQ(r->error_code, ERROR_UNKNOWN_SERVER_ERROR);
	CHECK_EQ(r->brokers_count, 0);
	mock_end(&f);
}

TEST(an_error_of_a_rule_hits_the_topics_that_it_names_and_no_other)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics topics[2] = {{.name = str_of("a")}, {.name = str_of("b")}};
	const struct metadata_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	mock_topic(&f, "b", 1, -1);
	q.topics = topics;
	q.topics_count = 2;
	for (int when = WHEN_BEFORE; when <= WHEN_AFTER; when++) {
		mock_fault(&f, API_METADATA, (enum when)when, ERROR_LEADER_NOT_AVAILABLE, "b", -1);
		r = mock_ask(&f, 1, API_METADATA, 9, &q);
		CHECK_EQ(r->topics[0].error_code, 0);
		CHECK_EQ(r->topics[0].partitions_count, 1);
		CHECK_EQ(r->topics[1].error_code, ERROR_LEADER_NOT_AVAILABLE);
		CHECK_EQ(r->topics[1].partitions_count, 0);
		CHECK_STR(r->topics[1].name, "b");
		CHECK_EQ(r->brokers_count, 1);
	}
	mock_end(&f);
}

TEST(the_same_seed_gives_the_same_ids)
{
	struct fixture f;
	struct uuid topic[2];
	char cluster[2][UUID_TEXT_SIZE];

	for (int i = 0; i < 2; i++) {
		const struct metadata_response *r;

		mock_start(&f, 1);
		mock_topic(&f, "t", 1, -1);
		r = ask(&f, 12, "t", false);
		topic[i] = r->topics[0].topic_id;
		memcpy(cluster[i], r->cluster_id.data, UUID_TEXT_SIZE - 1);
		cluster[i][UUID_TEXT_SIZE - 1] = '\0';
		mock_end(&f);
	}
	CHECK(uuid_eq(topic[0], topic[1]));
	CHECK_TEXT(cluster[0], cluster[1]);
}
