/* Topics deleted and extended in virtual time: rule 10 of the acceptance text; ends of epochs (22);
 * security that there is not (6, 12). */
#include "mock/happen.h"
#include "tests/mock_records.h"

static const struct delete_topics_response_responses *
delete_topics(struct fixture *f, struct delete_topics_request_topics *topics, int32_t count)
{
	struct delete_topics_request q = DEFAULTS_delete_topics_request;
	const struct delete_topics_response *r;

	q.timeout_ms = 5000;
	q.topics = topics;
	q.topics_count = count;
	r = mock_ask(f, 1, API_DELETE_TOPICS, 6, &q);
	return r->responses;
}

static struct uuid id_of(struct fixture *f, const char *name)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics t = DEFAULTS_metadata_request_topics;
	const struct metadata_response *r;

	t.name = str_of(name);
	q.topics = &t;
	q.topics_count = 1;
	q.allow_auto_topic_creation = false;
	r = mock_ask(f, 1, API_METADATA, 12, &q);
	return r->topics[0].topic_id;
}

TEST(rule_10_topics_are_deleted_by_name_or_id_and_then_unknown)
{
	struct fixture f;
	struct delete_topics_request_topics t[2] = {{.name = {"a", 1}}, {.name = {0}}};
	const struct delete_topics_response_responses *r;

	mock_start(&f, 3);
	mock_topic(&f, "a", 2, -1);
	mock_topic(&f, "b", 2, -1);
	t[1].topic_id = id_of(&f, "b");
	r = delete_topics(&f, t, 2);
	CHECK_EQ(r[0].error_code, 0);
	CHECK(!uuid_is_zero(r[0].topic_id));
	CHECK_EQ(r[1].error_code, 0);
	CHECK_STR(r[1].name, "b");
	r = delete_topics(&f, t, 2);
	CHECK_EQ(r[0].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(r[1].error_code, ERROR_UNKNOWN_TOPIC_ID);
	CHECK(strstr(buf_cstr(&f.cluster_events), "topic-deleted {\"topic\":\"a\"") != NULL);
	mock_end(&f);
}

TEST(rule_10_a_topic_that_is_given_twice_or_in_two_ways_stays)
{
	struct fixture f;
	struct delete_topics_request_topics t[2] = {{.name = {"a", 1}}, {.name = {"a", 1}}};
	const struct delete_topics_response_responses *r;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	r = delete_topics(&f, t, 2);
	CHECK_EQ(r[0].error_code, ERROR_INVALID_REQUEST);
	t[0].topic_id = id_of(&f, "a");
	r = delete_topics(&f, t, 1);
	CHECK_EQ(r[0].error_code, ERROR_INVALID_REQUEST);
	t[0].name = (struct str){0};
	r = delete_topics(&f, t, 2);
	CHECK_EQ(r[0].error_code, ERROR_INVALID_REQUEST);
	CHECK_STR(r[0].name, "a");
	CHECK(!uuid_is_zero(r[0].topic_id));
	CHECK(!uuid_is_zero(id_of(&f, "a")));
	mock_end(&f);
}

TEST(rule_10_whoever_waits_for_a_deleted_topic_is_told)
{
	struct fixture f;
	struct fetch_request q = DEFAULTS_fetch_request;
	struct fetch_request_topics_partitions p = DEFAULTS_fetch_request_topics_partitions;
	struct fetch_request_topics t = {
		.topic = {"a", 1}, .partitions = &p, .partitions_count = 1};
	struct delete_topics_request_topics gone = {.name = {"a", 1}};
	struct exchange_run *x;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	q.max_wait_ms = 10000;
	q.min_bytes = 1;
	q.session_epoch = -1;
	q.topics = &t;
	q.topics_count = 1;
	p.partition_max_bytes = 1000;
	x = mock_send(&f, 1, API_FETCH, 12, &q);
	CHECK_EQ(x->result, CALL_WAIT);
	delete_topics(&f, &gone, 1);
	CHECK_EQ(x->result, CALL_ANSWER);
	CHECK_EQ(
		((const struct fetch_response *)x->response)->responses[0].partitions[0].error_code,
		ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}

static int16_t create_partitions(struct fixture *f, const char *name, int32_t count, int32_t *nodes,
				 int32_t nodes_count, bool validate_only)
{
	struct create_partitions_request q = DEFAULTS_create_partitions_request;
	struct create_partitions_request_topics_assignments a = {.broker_ids = nodes,
								 .broker_ids_count = nodes_count};
	struct create_partitions_request_topics t = DEFAULTS_create_partitions_request_topics;
	const struct create_partitions_response *r;

	t.name = str_of(name);
	t.count = count;
	t.assignments = &a;
	t.assignments_count = nodes ? 1 : -1;
	q.topics = &t;
	q.topics_count = 1;
	q.validate_only = validate_only;
	r = mock_ask(f, 1, API_CREATE_PARTITIONS, 3, &q);
	return r->results[0].error_code;
}

static int32_t partitions_of(struct fixture *f, const char *name)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics t = DEFAULTS_metadata_request_topics;

	t.name = str_of(name);
	q.topics = &t;
	q.topics_count = 1;
	q.allow_auto_topic_creation = false;
	return ((const struct metadata_response *)mock_ask(f, 1, API_METADATA, 9, &q))
		->topics[0]
		.partitions_count;
}

TEST(rule_10_partitions_can_only_become_more)
{
	struct fixture f;
	int32_t nodes[3] = {1, 2, 3}, twice[3] = {1, 1, 2}, unknown[3] = {1, 2, 9};

	mock_start(&f, 3);
	mock_topic(&f, "a", 2, -1);
	CHECK_EQ(create_partitions(&f, "a", 2, NULL, 0, false), ERROR_INVALID_PARTITIONS);
	CHECK_EQ(create_partitions(&f, "a", -1, NULL, 0, false), ERROR_INVALID_PARTITIONS);
	CHECK_EQ(create_partitions(&f, "no", 3, NULL, 0, false), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(create_partitions(&f, "a", 10003, NULL, 0, false), ERROR_POLICY_VIOLATION);
	CHECK_EQ(create_partitions(&f, "a", 4, nodes, 3, false), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(create_partitions(&f, "a", 3, twice, 3, false), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(create_partitions(&f, "a", 3, unknown, 3, false),
		 ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(create_partitions(&f, "a", 3, nodes, 0, false), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(create_partitions(&f, "a", 3, nodes, 3, true), 0);
	CHECK_EQ(partitions_of(&f, "a"), 2);
	CHECK_EQ(create_partitions(&f, "a", 3, nodes, 3, false), 0);
	CHECK_EQ(create_partitions(&f, "a", 6, NULL, 0, false), 0);
	CHECK_EQ(partitions_of(&f, "a"), 6);
	mock_end(&f);
}

static struct offset_for_leader_epoch_response_topics_partitions
end_of_epoch(struct fixture *f, int32_t current, int32_t epoch)
{
	struct offset_for_leader_epoch_request q = DEFAULTS_offset_for_leader_epoch_request;
	struct offset_for_leader_epoch_request_topics_partitions p = {
		.current_leader_epoch = current, .leader_epoch = epoch};
	struct offset_for_leader_epoch_request_topics t = {
		.topic = {"a", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_for_leader_epoch_response *r;

	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_FOR_LEADER_EPOCH, 4, &q);
	return r->topics[0].partitions[0];
}

TEST(rule_22_an_epoch_that_nobody_had_has_no_end)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	CHECK_EQ(end_of_epoch(&f, -1, 0).end_offset, 0);
	CHECK_EQ(end_of_epoch(&f, -1, 0).leader_epoch, 0);
	CHECK_EQ(end_of_epoch(&f, -1, -1).end_offset, -1);
	CHECK_EQ(end_of_epoch(&f, -1, -1).error_code, 0);
	CHECK_EQ(end_of_epoch(&f, -1, 5).end_offset, -1);
	CHECK_EQ(end_of_epoch(&f, -1, 5).leader_epoch, -1);
	CHECK_EQ(end_of_epoch(&f, 5, 0).error_code, ERROR_UNKNOWN_LEADER_EPOCH);
	CHECK_EQ(end_of_epoch(&f, -2, 0).error_code, ERROR_FENCED_LEADER_EPOCH);
	mock_end(&f);
}

TEST(rule_12_acls_need_an_authorizer_and_rule_6_sasl_a_listener_for_it)
{
	struct fixture f;
	struct describe_acls_request q = DEFAULTS_describe_acls_request;
	struct sasl_handshake_request s = {.mechanism = {"PLAIN", 5}};

	mock_start(&f, 1);
	q.resource_type_filter = q.operation = q.permission_type = 1;
	CHECK_EQ(((const struct describe_acls_response *)mock_ask(&f, 1, API_DESCRIBE_ACLS, 3, &q))
			 ->error_code,
		 ERROR_SECURITY_DISABLED);
	q.operation = 0;
	CHECK_EQ(mock_send(&f, 1, API_DESCRIBE_ACLS, 3, &q)->result, CALL_CLOSE);
	CHECK_EQ(
		((const struct sasl_handshake_response *)mock_ask(&f, 1, API_SASL_HANDSHAKE, 1, &s))
			->error_code,
		ERROR_ILLEGAL_SASL_STATE);
	mock_end(&f);
}

static struct delete_records_response_topics_partitions
delete_before(struct fixture *f, const char *topic, int64_t offset)
{
	struct delete_records_request q = DEFAULTS_delete_records_request;
	struct delete_records_request_topics_partitions p = {.offset = offset};
	struct delete_records_request_topics t = {
		.name = str_of(topic), .partitions = &p, .partitions_count = 1};
	const struct delete_records_response *r;

	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_DELETE_RECORDS, 2, &q);
	return r->topics[0].partitions[0];
}

static int16_t fetch_at(struct fixture *f, int64_t offset)
{
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_fetch_one(&one, "a", 0, offset, 0);
	r = mock_ask(f, 1, API_FETCH, 12, &one.q);
	return r->responses[0].partitions[0].error_code;
}

static struct list_offsets_response_topics_partitions offset_at(struct fixture *f, int64_t time)
{
	struct list_offsets_request q = DEFAULTS_list_offsets_request;
	struct list_offsets_request_topics_partitions p =
		DEFAULTS_list_offsets_request_topics_partitions;
	struct list_offsets_request_topics t = {
		.name = {"a", 1}, .partitions = &p, .partitions_count = 1};
	const struct list_offsets_response *r;

	p.timestamp = time;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_LIST_OFFSETS, 7, &q);
	return r->topics[0].partitions[0];
}

TEST(rule_10_records_are_deleted_up_to_an_offset_and_never_come_back)
{
	struct fixture f;
	int32_t events;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	for (int i = 0; i < 3; i++)
		mock_produce(&f, "a", 0, 1, mock_batch(&f, 3, NULL));
	CHECK_EQ(delete_before(&f, "a", 10).error_code, ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(delete_before(&f, "a", 10).low_watermark, -1);
	CHECK_EQ(delete_before(&f, "a", -2).error_code, ERROR_OFFSET_OUT_OF_RANGE);
	events = f.log_events;
	CHECK_EQ(delete_before(&f, "a", 4).low_watermark, 4);
	CHECK_EQ(f.log_events, events + 1);
	CHECK_EQ(delete_before(&f, "a", 1).low_watermark, 4);
	CHECK_EQ(f.log_events, events + 1);
	CHECK_EQ(fetch_at(&f, 3), ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(fetch_at(&f, 4), 0);
	CHECK_EQ(offset_at(&f, -2).offset, 4);
	CHECK_EQ(offset_at(&f, 0).offset, 4); /* the rest of its batch is still there */
	CHECK_EQ(end_of_epoch(&f, -1, -2).end_offset, 4);
	CHECK_EQ(delete_before(&f, "a", -1).low_watermark, 9);
	CHECK_EQ(offset_at(&f, -2).offset, 9);
	mock_produce(&f, "a", 0, 1, mock_batch(&f, 1, NULL));
	CHECK_EQ(fetch_at(&f, 9), 0);
	mock_end(&f);
}

TEST(rule_10_who_reads_below_the_new_start_is_told_at_once)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;

	mock_start(&f, 1);
	mock_topic(&f, "a", 1, -1);
	mock_produce(&f, "a", 0, 1, mock_batch(&f, 3, NULL));
	mock_fetch_one(&one, "a", 0, 1, 60000);
	one.q.min_bytes = 10000;
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(x->result, CALL_WAIT);
	delete_before(&f, "a", 2);
	CHECK_EQ(x->result, CALL_ANSWER);
	mock_end(&f);
}

TEST(rule_10_a_log_that_is_only_compacted_loses_no_records)
{
	struct fixture f;
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t = DEFAULTS_create_topics_request_topics;
	struct create_topics_request_topics_configs config = {.name = str_of("cleanup.policy"),
							      .value = str_of("compact")};

	mock_start(&f, 1);
	t.name = str_of("c");
	t.num_partitions = 1;
	t.replication_factor = 1;
	t.configs = &config;
	t.configs_count = 1;
	q.topics = &t;
	q.topics_count = 1;
	mock_ask(&f, 1, API_CREATE_TOPICS, 5, &q);
	CHECK_EQ(delete_before(&f, "c", 0).error_code, ERROR_POLICY_VIOLATION);
	CHECK_EQ(delete_before(&f, "no", 0).error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}

static void happen(struct fixture *f, const char *what)
{
	struct happening h;
	struct error e = ERROR_INIT;

	CHECK_EQ(happening_parse(str_of(what), &h, &e), 0);
	CHECK_TEXT(e.text, "");
	CHECK_EQ(cluster_happen(f->c, &h, f->now, &e), 0);
	CHECK_TEXT(e.text, "");
}

TEST(events_recreate_extend_and_delete_a_topic)
{
	struct fixture f;
	struct uuid old;

	mock_start(&f, 2);
	mock_topic(&f, "a", 2, -1);
	mock_produce(&f, "a", 0, 1, mock_batch(&f, 3, NULL));
	old = id_of(&f, "a");
	happen(&f, "topic-recreate topic=a");
	CHECK(!uuid_eq(old, id_of(&f, "a")));
	CHECK_EQ(partitions_of(&f, "a"), 2);
	happen(&f, "partitions-add topic=a partitions=5");
	CHECK_EQ(partitions_of(&f, "a"), 5);
	happen(&f, "topic-delete topic=a");
	CHECK(uuid_is_zero(id_of(&f, "a")));
	mock_end(&f);
}
