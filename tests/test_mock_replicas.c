/* Elections, reassignments and log directories in virtual time, as three 4.4.0 nodes were seen to
 * do it (rule 12 of the acceptance text among it). */
#include "mock/happen.h"
#include "tests/mock_records.h"

static void happen(struct fixture *f, const char *what)
{
	struct happening h;
	struct error e = ERROR_INIT;

	CHECK_EQ(happening_parse(str_of(what), &h, &e), 0);
	CHECK_EQ(cluster_happen(f->c, &h, f->now, &e), 0);
	CHECK_TEXT(e.text, "");
}

/* One partition of "t" as Metadata tells it. */
static struct metadata_response_topics_partitions look(struct fixture *f, int32_t partition)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics t = DEFAULTS_metadata_request_topics;
	const struct metadata_response *r;

	t.name = str_of("t");
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_METADATA, 9, &q);
	return r->topics[0].partitions[partition];
}

static bool same(const int32_t *nodes, int32_t count, const char *text)
{
	for (int32_t i = 0; i < count; i++)
		if (!text[i] || nodes[i] != text[i] - '0')
			return false;
	return !text[count];
}

static bool replicas_are(struct fixture *f, int32_t partition, const char *text)
{
	struct metadata_response_topics_partitions p = look(f, partition);

	return same(p.replica_nodes, p.replica_nodes_count, text);
}

static bool isr_is(struct fixture *f, int32_t partition, const char *text)
{
	struct metadata_response_topics_partitions p = look(f, partition);

	return same(p.isr_nodes, p.isr_nodes_count, text);
}

/* Topic "t" with these replicas; returns CreateTopics' code. */
static int16_t create(struct fixture *f, int32_t partitions, int32_t (*nodes)[2])
{
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t = DEFAULTS_create_topics_request_topics;
	struct create_topics_request_topics_assignments a[8];
	const struct create_topics_response *r;

	for (int32_t i = 0; i < partitions; i++)
		a[i] = (struct create_topics_request_topics_assignments){
			.partition_index = i, .broker_ids = nodes[i], .broker_ids_count = 2};
	t.name = str_of("t");
	t.num_partitions = t.replication_factor = -1;
	t.assignments = a;
	t.assignments_count = partitions;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_CREATE_TOPICS, 5, &q);
	return r->topics[0].error_code;
}

static int16_t elect(struct fixture *f, int8_t type, int32_t partition)
{
	struct elect_leaders_request q = DEFAULTS_elect_leaders_request;
	struct elect_leaders_request_topic_partitions t = {
		.topic = str_of("t"), .partitions = &partition, .partitions_count = 1};
	const struct elect_leaders_response *r;

	q.election_type = type;
	q.topic_partitions = &t;
	q.topic_partitions_count = 1;
	r = mock_ask(f, 1, API_ELECT_LEADERS, 2, &q);
	return r->replica_election_results[0].partition_result[0].error_code;
}

/* text: the brokers, a digit each; NULL cancels. */
static int16_t reassign(struct fixture *f, int32_t partition, const char *text, bool any_number)
{
	struct alter_partition_reassignments_request q =
		DEFAULTS_alter_partition_reassignments_request;
	int32_t nodes[8];
	struct alter_partition_reassignments_request_topics_partitions p = {
		.partition_index = partition, .replicas = nodes, .replicas_count = -1};
	struct alter_partition_reassignments_request_topics t = {
		.name = str_of("t"), .partitions = &p, .partitions_count = 1};
	const struct alter_partition_reassignments_response *r;

	if (text)
		p.replicas_count = (int32_t)strlen(text);
	for (int32_t i = 0; i < p.replicas_count; i++)
		nodes[i] = text[i] - '0';
	q.allow_replication_factor_change = any_number;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_ALTER_PARTITION_REASSIGNMENTS, 1, &q);
	return r->responses[0].partitions[0].error_code;
}

static const struct list_partition_reassignments_response *list(struct fixture *f)
{
	struct list_partition_reassignments_request q =
		DEFAULTS_list_partition_reassignments_request;

	q.topics_count = -1;
	return mock_ask(f, 1, API_LIST_PARTITION_REASSIGNMENTS, 0, &q);
}

TEST(rule_12_an_election_that_nobody_needs_is_refused)
{
	struct fixture f;
	int32_t nodes[2][2] = {{1, 2}, {2, 1}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 2, nodes), 0);
	CHECK_EQ(elect(&f, 0, 0), ERROR_ELECTION_NOT_NEEDED);
	CHECK_EQ(elect(&f, 1, 0), ERROR_ELECTION_NOT_NEEDED);
	CHECK_EQ(elect(&f, 0, 9), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(elect(&f, 5, 0), ERROR_INVALID_REQUEST);
	mock_end(&f);
}

TEST(the_preferred_leader_leads_again_when_it_is_back)
{
	struct fixture f;
	int32_t nodes[1][2] = {{2, 1}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	happen(&f, "broker-down broker=2");
	CHECK_EQ(look(&f, 0).leader_id, 1);
	CHECK_EQ(elect(&f, 0, 0), ERROR_PREFERRED_LEADER_NOT_AVAILABLE);
	happen(&f, "broker-up broker=2");
	CHECK_EQ(look(&f, 0).leader_id, 1);
	CHECK_EQ(elect(&f, 0, 0), 0);
	CHECK_EQ(look(&f, 0).leader_id, 2);
	CHECK_EQ(look(&f, 0).leader_epoch, 2);
	mock_end(&f);
}

TEST(an_unclean_election_takes_any_replica_that_is_up)
{
	struct fixture f;
	int32_t nodes[1][2] = {{2, 3}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	happen(&f, "broker-down broker=3");
	happen(&f, "broker-down broker=2");
	CHECK_EQ(look(&f, 0).leader_id, -1);
	CHECK_EQ(elect(&f, 1, 0), ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE);
	happen(&f, "broker-up broker=3");
	CHECK_EQ(look(&f, 0).leader_id, -1);
	CHECK_EQ(elect(&f, 1, 0), 0);
	CHECK_EQ(look(&f, 0).leader_id, 3);
	mock_end(&f);
}

TEST(replicas_move_at_once_where_brokers_are_up)
{
	struct fixture f;
	int32_t nodes[1][2] = {{1, 2}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	CHECK_EQ(reassign(&f, 0, "21", true), 0);
	CHECK(replicas_are(&f, 0, "21"));
	CHECK_EQ(look(&f, 0).leader_id, 1);
	CHECK_EQ(look(&f, 0).leader_epoch, 0);
	CHECK_EQ(reassign(&f, 0, "213", true), 0);
	CHECK(isr_is(&f, 0, "123"));
	CHECK_EQ(look(&f, 0).leader_epoch, 0);
	CHECK_EQ(reassign(&f, 0, "21", false), ERROR_INVALID_REPLICATION_FACTOR);
	CHECK_EQ(reassign(&f, 0, "231", false), 0);
	CHECK_EQ(reassign(&f, 0, "23", true), 0);
	CHECK_EQ(look(&f, 0).leader_id, 2);
	CHECK_EQ(look(&f, 0).leader_epoch, 1); /* a replica went */
	CHECK(isr_is(&f, 0, "23"));
	CHECK_EQ(list(&f)->topics_count, 0);
	CHECK_EQ(reassign(&f, 0, NULL, true), ERROR_NO_REASSIGNMENT_IN_PROGRESS);
	CHECK_EQ(reassign(&f, 0, "", true), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(reassign(&f, 0, "11", true), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(reassign(&f, 0, "19", true), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(reassign(&f, 9, "1", true), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_end(&f);
}

TEST(a_move_to_a_broker_that_is_down_waits_for_it)
{
	struct fixture f;
	int32_t nodes[1][2] = {{2, 1}};
	const struct list_partition_reassignments_response *r;

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	happen(&f, "broker-down broker=3");
	CHECK_EQ(reassign(&f, 0, "13", true), 0);
	r = list(&f);
	CHECK(same(r->topics[0].partitions[0].replicas, 3, "132"));
	CHECK(same(r->topics[0].partitions[0].adding_replicas, 1, "3"));
	CHECK(same(r->topics[0].partitions[0].removing_replicas, 1, "2"));
	CHECK(isr_is(&f, 0, "21"));
	CHECK_EQ(reassign(&f, 0, "23", true), 0); /* somebody changed their mind */
	r = list(&f);
	CHECK(same(r->topics[0].partitions[0].replicas, 3, "231"));
	CHECK(same(r->topics[0].partitions[0].removing_replicas, 1, "1"));
	happen(&f, "broker-up broker=3");
	CHECK_EQ(list(&f)->topics_count, 0);
	CHECK(replicas_are(&f, 0, "23"));
	CHECK(isr_is(&f, 0, "23"));
	CHECK_EQ(look(&f, 0).leader_epoch, 1);
	mock_end(&f);
}

TEST(a_move_that_is_cancelled_leaves_what_was)
{
	struct fixture f;
	int32_t nodes[1][2] = {{2, 1}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	happen(&f, "broker-down broker=3");
	CHECK_EQ(reassign(&f, 0, "23", true), 0);
	CHECK_EQ(reassign(&f, 0, NULL, true), 0);
	CHECK(replicas_are(&f, 0, "21"));
	CHECK(isr_is(&f, 0, "21"));
	CHECK_EQ(look(&f, 0).leader_epoch, 1);
	CHECK_EQ(list(&f)->topics_count, 0);
	mock_end(&f);
}

TEST(a_move_is_not_cancelled_where_nobody_would_be_left_to_lead)
{
	struct fixture f;
	int32_t nodes[1][2] = {{2, 1}};

	mock_start(&f, 3);
	CHECK_EQ(create(&f, 1, nodes), 0);
	CHECK_EQ(reassign(&f, 0, "2", true), 0);
	happen(&f, "broker-down broker=3");
	CHECK_EQ(reassign(&f, 0, "13", true), 0);
	CHECK(isr_is(&f, 0, "21"));
	happen(&f, "broker-down broker=2");
	CHECK_EQ(look(&f, 0).leader_id, 1);
	CHECK_EQ(reassign(&f, 0, NULL, true), ERROR_INVALID_REPLICA_ASSIGNMENT);
	CHECK_EQ(look(&f, 0).leader_id, 1);
	mock_end(&f);
}

TEST(a_new_topics_replicas_that_are_down_are_not_in_sync)
{
	struct fixture f;
	int32_t nodes[1][2] = {{3, 1}}, down[1][2] = {{3, 2}};

	mock_start(&f, 3);
	happen(&f, "broker-down broker=3");
	CHECK_EQ(create(&f, 1, nodes), 0);
	CHECK(replicas_are(&f, 0, "31"));
	CHECK(isr_is(&f, 0, "1"));
	CHECK_EQ(look(&f, 0).leader_id, 1);
	happen(&f, "topic-delete topic=t");
	mock_topic(&f, "t", 2, -1); /* three replicas each, two brokers are up */
	CHECK_EQ(look(&f, 1).replica_nodes_count, 3);
	CHECK_EQ(look(&f, 1).isr_nodes_count, 2);
	happen(&f, "topic-delete topic=t");
	happen(&f, "broker-down broker=2");
	CHECK_EQ(create(&f, 1, down), ERROR_INVALID_REPLICA_ASSIGNMENT);
	mock_end(&f);
}

TEST(log_directories_tell_the_bytes_of_logs)
{
	struct fixture f;
	struct describe_log_dirs_request q = DEFAULTS_describe_log_dirs_request;
	const struct describe_log_dirs_response *r;
	struct alter_replica_log_dirs_request a = DEFAULTS_alter_replica_log_dirs_request;
	int32_t partitions[2] = {0, 9};
	struct alter_replica_log_dirs_request_dirs_topics t = {
		.name = str_of("t"), .partitions = partitions, .partitions_count = 2};
	struct alter_replica_log_dirs_request_dirs d = {
		.path = str_of("/tmp/kafka-logs"), .topics = &t, .topics_count = 1};
	const struct alter_replica_log_dirs_response *moved;
	char long_name[214];

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL));
	q.topics_count = -1;
	r = mock_ask(&f, 1, API_DESCRIBE_LOG_DIRS, 4, &q);
	CHECK_EQ(r->results_count, 1);
	CHECK_EQ(r->results[0].topics[0].partitions[0].partition_size, 70);
	CHECK(r->results[0].usable_bytes < r->results[0].total_bytes);
	a.dirs = &d;
	a.dirs_count = 1;
	moved = mock_ask(&f, 1, API_ALTER_REPLICA_LOG_DIRS, 2, &a);
	CHECK_EQ(moved->results[0].partitions[0].error_code, 0);
	CHECK_EQ(moved->results[0].partitions[1].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	d.path = str_of("/elsewhere");
	moved = mock_ask(&f, 1, API_ALTER_REPLICA_LOG_DIRS, 2, &a);
	CHECK_EQ(moved->results[0].partitions[0].error_code, ERROR_LOG_DIR_NOT_FOUND);
	memset(long_name, 'x', sizeof(long_name)); /* -0.UUID-future makes it 256 */
	t.name = (struct str){long_name, sizeof(long_name)};
	moved = mock_ask(&f, 1, API_ALTER_REPLICA_LOG_DIRS, 2, &a);
	CHECK_EQ(moved->results[0].partitions[0].error_code, ERROR_INVALID_TOPIC_EXCEPTION);
	mock_end(&f);
}

TEST(rule_12_an_empty_name_fails_the_whole_description)
{
	struct fixture f;
	struct describe_topic_partitions_request q = DEFAULTS_describe_topic_partitions_request;
	struct describe_topic_partitions_request_topics t[2] = {{.name = {"t", 1}},
								{.name = {"", 0}}};
	struct describe_topic_partitions_request_cursor at = {.topic_name = {"t", 1},
							      .partition_index = -1};
	const struct describe_topic_partitions_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, -1);
	q.topics = t;
	q.topics_count = 2;
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &q);
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_SERVER_ERROR);
	CHECK_EQ(r->topics[1].error_code, ERROR_UNKNOWN_SERVER_ERROR);
	q.topics_count = 1;
	q.cursor = &at;
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &q);
	CHECK_EQ(r->topics[0].error_code, ERROR_INVALID_REQUEST);
	mock_end(&f);
}
