/* Finalized features and the controllers' quorum, as administrators see and change them. */
#include "mock/profile.h"
#include "tests/mock_fixture.h"

static int16_t update(struct fixture *f, int version, const char *name, int16_t level, int8_t type,
		      bool dry)
{
	struct update_features_request q = DEFAULTS_update_features_request;
	struct update_features_request_feature_updates u = {
		.feature = str_of(name), .max_version_level = level, .upgrade_type = type};
	const struct update_features_response *r;

	if (!version) {
		u.upgrade_type = 1;
		u.allow_downgrade = type > 1;
	}
	q.feature_updates = &u;
	q.feature_updates_count = 1;
	q.validate_only = dry;
	r = mock_ask(f, 1, API_UPDATE_FEATURES, version, &q);
	CHECK_EQ(r->results_count, version < 2 && !r->error_code);
	return r->error_code;
}

/* The finalized level that clients see; 0 for none. */
static int16_t level(struct fixture *f, const char *name)
{
	struct api_versions_request q = DEFAULTS_api_versions_request;
	const struct api_versions_response *r;

	q.client_software_name = q.client_software_version = str_of("1");
	r = mock_ask(f, 1, API_API_VERSIONS, 4, &q);
	for (int32_t i = 0; i < r->finalized_features_count; i++)
		if (str_is(r->finalized_features[i].name, name))
			return r->finalized_features[i].max_version_level;
	return 0;
}

static int16_t describe_group(struct fixture *f)
{
	struct consumer_group_describe_request q = DEFAULTS_consumer_group_describe_request;
	const struct consumer_group_describe_response *r;
	struct str id = {"g", 1};

	q.group_ids = &id;
	q.group_ids_count = 1;
	r = mock_ask(f, 1, API_CONSUMER_GROUP_DESCRIBE, 1, &q);
	return r->groups[0].error_code;
}

TEST(a_feature_is_lowered_and_raised_and_clients_see_it)
{
	struct fixture f;

	mock_start(&f, 1);
	CHECK_EQ(level(&f, "transaction.version"), 2);
	CHECK_EQ(update(&f, 1, "transaction.version", 1, 2, true), 0);
	CHECK_EQ(level(&f, "transaction.version"), 2);
	CHECK_EQ(update(&f, 2, "transaction.version", 1, 2, false), 0);
	CHECK_EQ(level(&f, "transaction.version"), 1);
	CHECK_EQ(update(&f, 1, "transaction.version", 0, 3, false), 0);
	CHECK_EQ(level(&f, "transaction.version"), 0);
	CHECK_EQ(update(&f, 0, "transaction.version", 2, 1, false), 0);
	CHECK_EQ(level(&f, "transaction.version"), 2);
	CHECK(strstr(buf_cstr(&f.cluster_events),
		     "feature-updated {\"feature\":\"transaction.version\",\"level\":1}"));
	mock_end(&f);
}

TEST(what_a_controller_does_not_support_is_refused_as_a_whole)
{
	static const struct {
		const char *name;
		int16_t level;
		int8_t type;
	} bad[] = {{"nope", 1, 1},
		   {"transaction.version", 3, 1},
		   {"transaction.version", -1, 1},
		   {"transaction.version", 1, 1},
		   {"transaction.version", 2, 0},
		   {"metadata.version", 30, 2},
		   {"metadata.version", 30, 3},
		   {"metadata.version", 99, 1}};
	struct fixture f;

	mock_start(&f, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(update(&f, 1, bad[i].name, bad[i].level, bad[i].type, false),
			 ERROR_INVALID_UPDATE_VERSION);
	CHECK_EQ(update(&f, 0, "transaction.version", 1, 2, false), ERROR_INVALID_UPDATE_VERSION);
	CHECK_EQ(level(&f, "transaction.version"), 2);
	CHECK_EQ(update(&f, 1, "kraft.version", 1, 1, false), 0);
	CHECK_EQ(update(&f, 1, "kraft.version", 0, 2, false), ERROR_INVALID_UPDATE_VERSION);
	mock_end(&f);
}

TEST(without_group_version_there_are_no_groups_of_the_new_protocol)
{
	struct fixture f;
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;
	const struct consumer_group_heartbeat_response *r;

	mock_start(&f, 1);
	CHECK_EQ(describe_group(&f), ERROR_GROUP_ID_NOT_FOUND);
	CHECK_EQ(update(&f, 1, "group.version", 0, 2, false), 0);
	CHECK_EQ(describe_group(&f), ERROR_UNSUPPORTED_VERSION);
	r = mock_ask(&f, 1, API_CONSUMER_GROUP_HEARTBEAT, 1, &q);
	CHECK_EQ(r->error_code, ERROR_UNSUPPORTED_VERSION);
	CHECK(!r->error_message.data);
	CHECK_EQ(update(&f, 1, "group.version", 1, 1, false), 0);
	CHECK_EQ(describe_group(&f), ERROR_GROUP_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(a_cluster_with_zookeeper_has_no_features)
{
	struct fixture f;
	struct error e = ERROR_INIT;
	struct update_features_request q = DEFAULTS_update_features_request;
	struct update_features_request_feature_updates u = {
		.feature = {"group.version", 13}, .max_version_level = 1, .upgrade_type = 1};
	const struct update_features_response *r;

	mock_start_with(&f, 2,
			(struct cluster_config){.like = profile_find(str_of("kafka-3.5"), &e)});
	q.feature_updates = &u;
	q.feature_updates_count = 1;
	r = mock_ask(&f, 1, API_UPDATE_FEATURES, 1, &q);
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(r->results[0].error_code, ERROR_INVALID_REQUEST);
	r = mock_ask(&f, 2, API_UPDATE_FEATURES, 1, &q);
	CHECK_EQ(r->error_code, ERROR_NOT_CONTROLLER);
	mock_end(&f);
}

static const struct describe_quorum_response *quorum(struct fixture *f, int version,
						     const char *topic)
{
	struct describe_quorum_request q = DEFAULTS_describe_quorum_request;
	struct describe_quorum_request_topics_partitions p = {0};
	struct describe_quorum_request_topics t = {
		.topic_name = str_of(topic), .partitions = &p, .partitions_count = 1};

	q.topics = &t;
	q.topics_count = 1;
	return mock_ask(f, 1, API_DESCRIBE_QUORUM, version, &q);
}

TEST(the_quorum_is_all_brokers_and_its_log_grows_by_itself)
{
	struct fixture f;
	const struct describe_quorum_response_topics_partitions *p;
	int64_t before;

	mock_start(&f, 3);
	p = &quorum(&f, 2, "__cluster_metadata")->topics[0].partitions[0];
	CHECK_EQ(p->error_code, 0);
	CHECK_EQ(p->leader_id, 1);
	CHECK_EQ(p->current_voters_count, 3);
	CHECK_EQ(p->current_voters[2].replica_id, 3);
	before = p->high_watermark;
	CHECK(before > 0);
	mock_advance(&f, MS(10000));
	p = &quorum(&f, 1, "__cluster_metadata")->topics[0].partitions[0];
	CHECK_EQ(p->high_watermark, before + 20);
	CHECK_EQ(p->current_voters[1].log_end_offset, before + 20);
	CHECK_EQ(p->current_voters[1].last_caught_up_timestamp, 1700000010000);
	CHECK_EQ(quorum(&f, 2, "__cluster_metadata")->nodes_count, 3);
	CHECK_EQ(quorum(&f, 2, "t")->topics[0].partitions[0].error_code,
		 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}
