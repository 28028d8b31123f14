/* Configuration described and changed in virtual time: rule 11 of the acceptance text. */
#include "tests/mock_records.h"

#define TOPIC	 2
#define BROKER	 4
#define LOGGER	 8
#define GROUP	 32
#define SET	 0
#define DELETE	 1
#define APPEND	 2
#define SUBTRACT 3

static const struct describe_configs_response_results_configs none = {.config_source = -1};

/* One key of a resource, with its synonyms; source -1 if it is not there. */
static struct describe_configs_response_results_configs get(struct fixture *f, int8_t type,
							    const char *name, const char *key)
{
	struct describe_configs_request q = DEFAULTS_describe_configs_request;
	struct str keys[] = {str_of(key)};
	struct describe_configs_request_resources r = {.resource_type = type,
						       .resource_name = str_of(name),
						       .configuration_keys = keys,
						       .configuration_keys_count = 1};
	const struct describe_configs_response *a;

	q.resources = &r;
	q.resources_count = 1;
	q.include_synonyms = true;
	a = mock_ask(f, 1, API_DESCRIBE_CONFIGS, 4, &q);
	return a->results[0].configs_count ? a->results[0].configs[0] : none;
}

static const struct describe_configs_response_results *describe_all(struct fixture *f, int version,
								    int8_t type, const char *name)
{
	struct describe_configs_request q = DEFAULTS_describe_configs_request;
	struct describe_configs_request_resources r = {.resource_type = type,
						       .resource_name = str_of(name),
						       .configuration_keys_count = -1};
	const struct describe_configs_response *a;

	q.resources = &r;
	q.resources_count = 1;
	a = mock_ask(f, 1, API_DESCRIBE_CONFIGS, version, &q);
	return a->results;
}

static int16_t change(struct fixture *f, int8_t type, const char *name, const char *key,
		      int8_t operation, const char *value)
{
	struct incremental_alter_configs_request q = DEFAULTS_incremental_alter_configs_request;
	struct incremental_alter_configs_request_resources_configs c = {
		.name = str_of(key), .config_operation = operation, .value = str_of(value)};
	struct incremental_alter_configs_request_resources r = {.resource_type = type,
								.resource_name = str_of(name),
								.configs = &c,
								.configs_count = 1};
	const struct incremental_alter_configs_response *a;

	q.resources = &r;
	q.resources_count = 1;
	a = mock_ask(f, 1, API_INCREMENTAL_ALTER_CONFIGS, 1, &q);
	return a->responses[0].error_code;
}

TEST(rule_11_all_keys_are_described_where_none_is_named)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(describe_all(&f, 4, TOPIC, "t")->configs_count, 37);
	CHECK_EQ(describe_all(&f, 1, TOPIC, "t")->configs_count, 37);
	CHECK_EQ(describe_all(&f, 0, TOPIC, "t")->configs_count, 37);
	CHECK_EQ(describe_all(&f, 4, BROKER, "1")->configs_count, 350);
	CHECK_EQ(describe_all(&f, 4, BROKER, "")->configs_count, 1); /* min.insync.replicas */
	CHECK_EQ(describe_all(&f, 4, GROUP, "g")->configs_count, 21);
	CHECK_EQ(describe_all(&f, 4, LOGGER, "1")->configs_count, 1);
	mock_end(&f);
}

TEST(rule_11_unknown_keys_are_left_out_and_unknown_resources_refused)
{
	struct fixture f;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(get(&f, TOPIC, "t", "nope").config_source, -1);
	CHECK_EQ(describe_all(&f, 4, TOPIC, "none")->error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(describe_all(&f, 4, TOPIC, "a b")->error_code, ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(describe_all(&f, 4, BROKER, "2")->error_code, ERROR_INVALID_REQUEST);
	CHECK_EQ(describe_all(&f, 4, BROKER, "x")->error_code, ERROR_INVALID_REQUEST);
	CHECK_EQ(describe_all(&f, 4, 3, "x")->error_code, ERROR_INVALID_REQUEST);
	CHECK_EQ(get(&f, BROKER, "1", "ssl.key.password").is_sensitive, true);
	CHECK(get(&f, BROKER, "1", "ssl.key.password").value.data == NULL);
	CHECK_STR(get(&f, BROKER, "1", "node.id").value, "1");
	CHECK_STR(get(&f, BROKER, "1", "advertised.listeners").value,
		  "PLAINTEXT://broker-1.test:9092");
	mock_end(&f);
}

TEST(rule_11_values_are_set_removed_appended_and_subtracted)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", SET, " +7000 "), 0);
	CHECK_STR(get(&f, TOPIC, "t", "retention.ms").value, "7000");
	CHECK_EQ(get(&f, TOPIC, "t", "retention.ms").config_source, 1);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", DELETE, NULL), 0);
	CHECK_STR(get(&f, TOPIC, "t", "retention.ms").value, "604800000");
	CHECK_EQ(get(&f, TOPIC, "t", "retention.ms").config_source, 5);
	CHECK_EQ(change(&f, TOPIC, "t", "cleanup.policy", APPEND, "compact"), 0);
	CHECK_STR(get(&f, TOPIC, "t", "cleanup.policy").value, "delete,compact");
	CHECK_EQ(change(&f, TOPIC, "t", "cleanup.policy", APPEND, "compact,delete"), 0);
	CHECK_EQ(change(&f, TOPIC, "t", "cleanup.policy", SUBTRACT, "delete"), 0);
	CHECK_STR(get(&f, TOPIC, "t", "cleanup.policy").value, "compact");
	CHECK_EQ(change(&f, TOPIC, "t", "cleanup.policy", SUBTRACT, "compact"), 0);
	CHECK_STR(get(&f, TOPIC, "t", "cleanup.policy").value, "");
	CHECK_EQ(change(&f, TOPIC, "t", "preallocate", SET, "TRUE"), 0);
	CHECK_STR(get(&f, TOPIC, "t", "preallocate").value, "true");
	mock_end(&f);
}

TEST(rule_11_what_can_not_be_is_refused_with_its_code)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", SET, "soon"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", SET, "-2"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", SET, NULL), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", APPEND, "1"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "t", "retention.ms", 7, "1"), ERROR_UNKNOWN_SERVER_ERROR);
	CHECK_EQ(change(&f, TOPIC, "t", "cleanup.policy", APPEND, ""), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "t", "nope", SET, "1"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "t", "nope", DELETE, NULL), 0);
	CHECK_EQ(change(&f, TOPIC, "t", "min.compaction.lag.ms", SET, "9223372036854775807"), 0);
	CHECK_EQ(change(&f, TOPIC, "t", "max.compaction.lag.ms", SET, "5"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, TOPIC, "none", "retention.ms", SET, "1"),
		 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(change(&f, TOPIC, "", "retention.ms", SET, "1"), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, TOPIC, "t", "leader.replication.throttled.replicas", SET, "0:1,1:2"),
		 0);
	CHECK_EQ(change(&f, TOPIC, "t", "leader.replication.throttled.replicas", SET, "x"),
		 ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, BROKER, "1", "num.partitions", SET, "3"), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, BROKER, "1", "log.cleaner.threads", SET, "-3"), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, BROKER, "1", "ssl.keystore.location", SET, "x"), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, GROUP, "g", "consumer.session.timeout.ms", SET, "1"),
		 ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, GROUP, "", "consumer.session.timeout.ms", SET, "50000"),
		 ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, 3, "x", "y", SET, "z"), ERROR_INVALID_REQUEST);
	mock_end(&f);
}

TEST(rule_11_a_resource_changes_as_a_whole_or_not_at_all)
{
	struct fixture f;
	struct incremental_alter_configs_request q = DEFAULTS_incremental_alter_configs_request;
	struct incremental_alter_configs_request_resources_configs c[2] = {
		{.name = str_of("retention.ms"), .value = str_of("5")},
		{.name = str_of("nope"), .value = str_of("5")}};
	struct incremental_alter_configs_request_resources r[2] = {
		{.resource_type = TOPIC,
		 .resource_name = str_of("t"),
		 .configs = c,
		 .configs_count = 2},
		{.resource_type = TOPIC, .resource_name = str_of("t")}};
	const struct incremental_alter_configs_response *a;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	q.resources = r;
	q.resources_count = 1;
	a = mock_ask(&f, 1, API_INCREMENTAL_ALTER_CONFIGS, 1, &q);
	CHECK_EQ(a->responses[0].error_code, ERROR_INVALID_CONFIG);
	CHECK_EQ(get(&f, TOPIC, "t", "retention.ms").config_source, 5);
	c[1] = c[0];
	a = mock_ask(&f, 1, API_INCREMENTAL_ALTER_CONFIGS, 1, &q);
	CHECK_EQ(a->responses[0].error_code, ERROR_INVALID_REQUEST); /* the key twice */
	r[0].configs_count = 1;
	q.resources_count = 2;
	a = mock_ask(&f, 1, API_INCREMENTAL_ALTER_CONFIGS, 1, &q);
	CHECK_EQ(a->responses[0].error_code, ERROR_INVALID_REQUEST); /* the topic twice */
	CHECK_EQ(a->responses[1].error_code, ERROR_INVALID_REQUEST);
	q.resources_count = 1;
	q.validate_only = true;
	a = mock_ask(&f, 1, API_INCREMENTAL_ALTER_CONFIGS, 1, &q);
	CHECK_EQ(a->responses[0].error_code, 0);
	CHECK_EQ(get(&f, TOPIC, "t", "retention.ms").config_source, 5);
	mock_end(&f);
}

TEST(rule_11_alter_configs_takes_back_what_it_does_not_name)
{
	struct fixture f;
	struct alter_configs_request q = DEFAULTS_alter_configs_request;
	struct alter_configs_request_resources_configs c = {.name = str_of("segment.ms"),
							    .value = str_of("9000")};
	struct alter_configs_request_resources r = {.resource_type = TOPIC,
						    .resource_name = str_of("t"),
						    .configs = &c,
						    .configs_count = 1};
	const struct alter_configs_response *a;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	change(&f, TOPIC, "t", "retention.ms", SET, "7000");
	q.resources = &r;
	q.resources_count = 1;
	a = mock_ask(&f, 1, API_ALTER_CONFIGS, 2, &q);
	CHECK_EQ(a->responses[0].error_code, 0);
	CHECK_STR(get(&f, TOPIC, "t", "segment.ms").value, "9000");
	CHECK_EQ(get(&f, TOPIC, "t", "retention.ms").config_source, 5);
	mock_end(&f);
}

TEST(what_is_set_for_brokers_holds_for_their_topics_and_can_be_taken_back)
{
	struct fixture f;
	struct describe_configs_response_results_configs c;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 5000))->error_code, 0);
	CHECK_EQ(change(&f, BROKER, "", "message.max.bytes", SET, "9000"), 0);
	CHECK_EQ(change(&f, BROKER, "1", "message.max.bytes", SET, "1000"), 0);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 5000))->error_code,
		 ERROR_MESSAGE_TOO_LARGE);
	c = get(&f, TOPIC, "t", "max.message.bytes");
	CHECK_STR(c.value, "1000");
	CHECK_EQ(c.config_source, 2);
	CHECK_EQ(c.synonyms_count, 3);
	CHECK_EQ(c.synonyms[1].source, 3);
	CHECK_STR(c.synonyms[1].value, "9000");
	CHECK_EQ(c.synonyms[2].source, 5);
	CHECK_EQ(change(&f, BROKER, "1", "message.max.bytes", DELETE, NULL), 0);
	CHECK_EQ(mock_produce(&f, "t", 0, 1, mock_large_batch(&f, 5000))->error_code, 0);
	CHECK_EQ(change(&f, BROKER, "", "message.max.bytes", DELETE, NULL), 0);
	CHECK_EQ(get(&f, TOPIC, "t", "max.message.bytes").config_source, 5);
	mock_end(&f);
}

TEST(min_insync_replicas_belongs_to_the_cluster)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	CHECK_EQ(get(&f, TOPIC, "t", "min.insync.replicas").config_source, 3);
	CHECK_EQ(change(&f, BROKER, "1", "min.insync.replicas", SET, "2"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, BROKER, "", "min.insync.replicas", DELETE, NULL), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, BROKER, "", "min.insync.replicas", SET, "2"), 0);
	CHECK_STR(get(&f, TOPIC, "t", "min.insync.replicas").value, "2");
	mock_end(&f);
}

TEST(resources_with_values_of_their_own_are_listed)
{
	struct fixture f;
	struct list_config_resources_request q = DEFAULTS_list_config_resources_request;
	int8_t group = GROUP, unknown = 99;
	const struct list_config_resources_response *r;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, -1);
	r = mock_ask(&f, 1, API_LIST_CONFIG_RESOURCES, 1, &q);
	CHECK_EQ(r->config_resources_count, 5); /* two brokers, their loggers, a topic */
	q.resource_types = &group;
	q.resource_types_count = 1;
	CHECK_EQ(change(&f, GROUP, "g", "consumer.session.timeout.ms", SET, "50000"), 0);
	CHECK_EQ(get(&f, GROUP, "g", "consumer.session.timeout.ms").config_source, 8);
	r = mock_ask(&f, 1, API_LIST_CONFIG_RESOURCES, 1, &q);
	CHECK_EQ(r->config_resources_count, 1);
	CHECK_EQ(change(&f, GROUP, "g", "consumer.session.timeout.ms", DELETE, NULL), 0);
	r = mock_ask(&f, 1, API_LIST_CONFIG_RESOURCES, 1, &q);
	CHECK_EQ(r->config_resources_count, 0);
	q.resource_types = &unknown;
	r = mock_ask(&f, 1, API_LIST_CONFIG_RESOURCES, 1, &q);
	CHECK_EQ(r->error_code, ERROR_UNSUPPORTED_VERSION);
	mock_end(&f);
}

TEST(the_root_loggers_level_is_kept)
{
	struct fixture f;

	mock_start(&f, 1);
	CHECK_STR(get(&f, LOGGER, "1", "root").value, "INFO");
	CHECK_EQ(change(&f, LOGGER, "1", "root", SET, "DEBUG"), 0);
	CHECK_STR(get(&f, LOGGER, "1", "root").value, "DEBUG");
	CHECK_EQ(change(&f, LOGGER, "1", "root", SET, "LOUD"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, LOGGER, "1", "other", SET, "INFO"), ERROR_INVALID_CONFIG);
	CHECK_EQ(change(&f, LOGGER, "1", "root", DELETE, NULL), ERROR_INVALID_REQUEST);
	CHECK_EQ(change(&f, LOGGER, "1", "root", APPEND, "INFO"), ERROR_INVALID_REQUEST);
	mock_end(&f);
}
