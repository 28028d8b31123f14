/* ListOffsets, CreateTopics and InitProducerId in virtual time: rules 9, 22 and 28. */
#include "tests/mock_records.h"

static const struct list_offsets_response_topics_partitions *
list(struct fixture *f, int version, int8_t isolation, int64_t timestamp)
{
	struct list_offsets_request q = DEFAULTS_list_offsets_request;
	struct list_offsets_request_topics t = {.name = str_of("t")};
	struct list_offsets_request_topics_partitions p =
		DEFAULTS_list_offsets_request_topics_partitions;
	const struct list_offsets_response *r;

	q.topics = &t;
	q.topics_count = 1;
	if (version >= 2)
		q.isolation_level = isolation;
	q.replica_id = -1;
	t.partitions = &p;
	t.partitions_count = 1;
	p.timestamp = timestamp;
	r = mock_ask(f, 1, API_LIST_OFFSETS, version, &q);
	return &r->topics[0].partitions[0];
}

/* Offsets 0-2 now, 3-5 a second later, 6-8 half a second before that. */
static int64_t start(struct fixture *f)
{
	int64_t t0;

	mock_start(f, 1);
	mock_topic(f, "t", 1, -1);
	t0 = instant_wall_ms(f->now);
	mock_produce(f, "t", 0, 1, mock_batch(f, 3, NULL));
	f->now = instant_add_us(f->now, MS(1000));
	mock_produce(f, "t", 0, 1, mock_batch(f, 3, NULL));
	f->now = instant_add_us(f->now, -MS(500));
	mock_produce(f, "t", 0, 1, mock_batch(f, 3, NULL));
	return t0;
}

TEST(rule_22_list_offsets_finds_ends_and_times)
{
	struct fixture f;
	int64_t t0 = start(&f);

	for (int v = 1; v <= 11; v++) {
		CHECK_EQ(list(&f, v, 0, -1)->offset, 9);
		CHECK_EQ(list(&f, v, 1, -1)->offset, 9);
		CHECK_EQ(list(&f, v, 0, -2)->offset, 0);
		CHECK_EQ(list(&f, v, 0, t0)->offset, 0);
		CHECK_EQ(list(&f, v, 0, t0 + 1)->offset, 3);
		CHECK_EQ(list(&f, v, 0, t0 + 1)->timestamp, t0 + 1000);
		CHECK_EQ(list(&f, v, 0, t0 + 1001)->offset, -1);
		CHECK_EQ(list(&f, v, 0, t0 + 1001)->error_code, 0);
	}
	CHECK_EQ(list(&f, 0, 0, -1)->old_style_offsets_count, 1);
	CHECK_EQ(list(&f, 0, 0, -1)->old_style_offsets[0], 9);
	CHECK_EQ(list(&f, 0, 0, -2)->old_style_offsets[0], 0);
	mock_end(&f);
}

TEST(rule_22_questions_that_a_version_does_not_know)
{
	struct fixture f;
	int64_t t0 = start(&f);

	CHECK_EQ(list(&f, 7, 0, -3)->offset, 3);
	CHECK_EQ(list(&f, 7, 0, -3)->timestamp, t0 + 1000);
	CHECK_EQ(list(&f, 6, 0, -3)->error_code, ERROR_UNSUPPORTED_VERSION);
	CHECK_EQ(list(&f, 8, 0, -4)->offset, 0);
	CHECK_EQ(list(&f, 9, 0, -5)->offset, -1);
	CHECK_EQ(list(&f, 9, 0, -5)->error_code, 0);
	CHECK_EQ(list(&f, 10, 0, -6)->error_code, ERROR_UNSUPPORTED_VERSION);
	CHECK_EQ(list(&f, 11, 0, -6)->offset, -1);
	CHECK_EQ(list(&f, 11, 0, -7)->error_code, ERROR_UNSUPPORTED_VERSION);
	mock_end(&f);
}

TEST(rule_22_a_partition_asked_twice_is_refused)
{
	struct fixture f;
	struct list_offsets_request q = DEFAULTS_list_offsets_request;
	struct list_offsets_request_topics t = {.name = str_of("t")};
	struct list_offsets_request_topics_partitions p[2] = {
		DEFAULTS_list_offsets_request_topics_partitions,
		DEFAULTS_list_offsets_request_topics_partitions};
	const struct list_offsets_response *r;

	start(&f);
	q.topics = &t;
	q.topics_count = 1;
	t.partitions = p;
	t.partitions_count = 2;
	r = mock_ask(&f, 1, API_LIST_OFFSETS, 5, &q);
	CHECK_EQ(r->topics[0].partitions_count, 1);
	CHECK_EQ(r->topics[0].partitions[0].error_code, ERROR_INVALID_REQUEST);
	p[1].partition_index = 3;
	p[0].current_leader_epoch = 5;
	r = mock_ask(&f, 1, API_LIST_OFFSETS, 5, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, ERROR_UNKNOWN_LEADER_EPOCH);
	CHECK_EQ(r->topics[0].partitions[1].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}

static struct create_topics_request_topics topic(const char *name, int32_t partitions,
						 int16_t replication)
{
	struct create_topics_request_topics t = {.name = str_of(name),
						 .num_partitions = partitions,
						 .replication_factor = replication};

	return t;
}

static struct create_topics_response_topics create(struct fixture *f, int version, bool only_check,
						   struct create_topics_request_topics t)
{
	struct create_topics_request q = DEFAULTS_create_topics_request;
	const struct create_topics_response *r;

	q.topics = &t;
	q.topics_count = 1;
	q.validate_only = only_check;
	r = mock_ask(f, 1, API_CREATE_TOPICS, version, &q);
	CHECK_EQ(r->topics_count, 1);
	return r->topics[0];
}

TEST(rule_9_create_topics_in_every_version)
{
	struct fixture f;

	mock_start(&f, 3);
	for (int v = 0; v <= 7; v++) {
		char name[] = "topic-x";
		struct create_topics_response_topics r;

		name[6] = (char)('a' + v);
		r = create(&f, v, false, topic(name, 2, 3));
		CHECK_EQ(r.error_code, 0);
		CHECK_EQ(create(&f, v, false, topic(name, 2, 3)).error_code,
			 ERROR_TOPIC_ALREADY_EXISTS);
		if (v >= 5)
			CHECK_EQ(r.configs_count, 37);
		if (v >= 5)
			CHECK_EQ(r.num_partitions, 2);
		if (v >= 7)
			CHECK(!uuid_is_zero(r.topic_id));
	}
	mock_end(&f);
}

TEST(rule_9_what_create_topics_refuses)
{
	struct fixture f;
	struct create_topics_request_topics t;
	struct create_topics_request_topics_configs config = {str_of("retention.ms"), str_of("-5"),
							      NULL};
	int32_t nodes[] = {1, 9};
	struct create_topics_request_topics_assignments a = {0, nodes, 2, NULL};
	char long_name[251];

	mock_start(&f, 2);
	memset(long_name, 'x', 250);
	long_name[250] = '\0';
	CHECK_EQ(create(&f, 5, false, topic(".", 1, 1)).error_code, ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(create(&f, 5, false, topic("..", 1, 1)).error_code, ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(create(&f, 5, false, topic("a b", 1, 1)).error_code,
		 ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(create(&f, 5, false, topic(long_name, 1, 1)).error_code,
		 ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(create(&f, 5, false, topic(long_name + 1, 1, 1)).error_code, 0);
	CHECK_EQ(create(&f, 5, false, topic("a.b", 1, 1)).error_code, 0);
	CHECK_EQ(create(&f, 5, false, topic("a_b", 1, 1)).error_code,
		 ERROR_INVALID_TOPIC_EXCEPTION);
	CHECK_EQ(create(&f, 5, false, topic("p", 0, 1)).error_code, ERROR_INVALID_PARTITIONS);
	CHECK_EQ(create(&f, 5, false, topic("p", -2, 1)).error_code, ERROR_INVALID_PARTITIONS);
	CHECK_EQ(create(&f, 5, false, topic("p", 1, 0)).error_code,
		 ERROR_INVALID_REPLICATION_FACTOR);
	CHECK_EQ(create(&f, 5, false, topic("p", 1, 3)).error_code,
		 ERROR_INVALID_REPLICATION_FACTOR);
	t = topic("p", 1, 1);
	t.configs = &config;
	t.configs_count = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, ERROR_INVALID_CONFIG);
	config.name = str_of("no.such.key");
	CHECK_EQ(create(&f, 5, false, t).error_code, ERROR_INVALID_CONFIG);
	t = topic("p", -1, -1);
	t.assignments = &a;
	t.assignments_count = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, ERROR_INVALID_REPLICA_ASSIGNMENT);
	nodes[1] = 2;
	t.num_partitions = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, ERROR_INVALID_REQUEST);
	t.num_partitions = -1;
	CHECK_EQ(create(&f, 5, true, t).error_code, 0);
	CHECK_EQ(create(&f, 5, false, t).error_code, 0);
	CHECK_EQ(create(&f, 5, false, topic("defaults", -1, -1)).num_partitions, 3);
	mock_end(&f);
}

TEST(rule_9_a_name_twice_in_a_request_is_answered_once_and_refused)
{
	struct fixture f;
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t[3] = {topic("a", 1, 1), topic("b", 1, 1),
						    topic("a", 1, 1)};
	const struct create_topics_response *r;

	mock_start(&f, 1);
	q.topics = t;
	q.topics_count = 3;
	r = mock_ask(&f, 1, API_CREATE_TOPICS, 5, &q);
	CHECK_EQ(r->topics_count, 2);
	CHECK_EQ(r->topics[0].error_code, ERROR_INVALID_REQUEST);
	CHECK_EQ(r->topics[1].error_code, 0);
	mock_end(&f);
}

TEST(rule_15_log_append_time_is_the_broker_s)
{
	struct fixture f;
	struct create_topics_request_topics t = topic("lat", 1, 1);
	struct create_topics_request_topics_configs config = {str_of("message.timestamp.type"),
							      str_of("LogAppendTime"), NULL};
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct records records;
	struct batch b;
	int64_t later;

	mock_start(&f, 1);
	t.configs = &config;
	t.configs_count = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, 0);
	records = mock_batch(&f, 2, NULL);
	f.now = instant_add_us(f.now, MS(7000));
	later = instant_wall_ms(f.now);
	CHECK_EQ(mock_produce(&f, "lat", 0, 1, records)->log_append_time_ms, later);
	mock_fetch_one(&one, "lat", 0, 0, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	records = r->responses[0].partitions[0].records;
	CHECK_EQ(batch_read(records.data, (size_t)records.len, &b, NULL), 0);
	CHECK(batch_crc_ok(&b));
	CHECK_EQ(b.timestamp_type, TIMESTAMP_LOG_APPEND);
	CHECK_EQ(b.max_timestamp, later);
	mock_end(&f);
}

TEST(rule_15_a_compacted_topic_needs_keys)
{
	struct fixture f;
	struct create_topics_request_topics t = topic("c", 1, 1);
	struct create_topics_request_topics_configs config = {str_of("cleanup.policy"),
							      str_of("compact"), NULL};
	const struct produce_response_responses_partition_responses *p;

	mock_start(&f, 1);
	t.configs = &config;
	t.configs_count = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, 0);
	p = mock_produce(&f, "c", 0, 1, mock_batch(&f, 2, NULL));
	CHECK_EQ(p->error_code, ERROR_INVALID_RECORD);
	CHECK_EQ(p->record_errors_count, 2);
	CHECK_EQ(p->record_errors[1].batch_index, 1);
	mock_end(&f);
}

TEST(rule_17_min_insync_replicas_above_the_replicas_is_no_hindrance)
{
	struct fixture f;
	struct create_topics_request_topics t = topic("m", 1, 1);
	struct create_topics_request_topics_configs config = {str_of("min.insync.replicas"),
							      str_of("2"), NULL};

	mock_start(&f, 1);
	t.configs = &config;
	t.configs_count = 1;
	CHECK_EQ(create(&f, 5, false, t).error_code, 0);
	CHECK_EQ(mock_produce(&f, "m", 0, -1, mock_batch(&f, 1, NULL))->error_code, 0);
	mock_end(&f);
}

TEST(rule_28_init_producer_id_gives_each_its_own)
{
	struct fixture f;
	struct init_producer_id_request q = DEFAULTS_init_producer_id_request;
	const struct init_producer_id_response *a, *b;

	mock_start(&f, 1);
	q.transactional_id = (struct str){0};
	for (int v = 0; v <= 5; v++) {
		a = mock_ask(&f, 1, API_INIT_PRODUCER_ID, v, &q);
		b = mock_ask(&f, 1, API_INIT_PRODUCER_ID, v, &q);
		CHECK_EQ(a->error_code, 0);
		CHECK_EQ(a->producer_epoch, 0);
		CHECK(a->producer_id >= 0 && a->producer_id != b->producer_id);
	}
	q.transactional_id = str_of("");
	a = mock_ask(&f, 1, API_INIT_PRODUCER_ID, 4, &q);
	CHECK_EQ(a->error_code, ERROR_INVALID_REQUEST);
	mock_end(&f);
}
