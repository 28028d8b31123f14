/* server.properties, key by key: what a client notices of each. A key that takes effect and stands
 * in no test here fails the last one. */
#include "mock/broker_config.h"
#include "service/properties.h"
#include "tests/mock_records.h"

#include <stdio.h>

static struct properties properties;

/* A cluster with these lines of server.properties, and topic t. */
static void start_brokers(struct fixture *f, int32_t brokers, const char *lines)
{
	struct service_config config = {.cluster = {.brokers = brokers, .auto_create = true}};
	struct error e = ERROR_INIT;

	CHECK_EQ(properties_read(str_of(lines), &config, &properties, &e), 0);
	CHECK_TEXT(e.text, "");
	CHECK_TEXT(buf_cstr(&properties.ignored), "");
	mock_start_with(f, brokers, config.cluster);
	mock_topic(f, "t", -1, -1);
}

static void start(struct fixture *f, const char *lines)
{
	start_brokers(f, 1, lines);
}

static void end(struct fixture *f)
{
	mock_end(f);
	properties_release(&properties);
}

static int16_t produce(struct fixture *f, int16_t acks, int32_t size)
{
	return mock_produce(f, "t", 0, acks, mock_large_batch(f, size))->error_code;
}

/* The earliest offset of t. */
static int64_t log_start(struct fixture *f)
{
	struct list_offsets_request q = DEFAULTS_list_offsets_request;
	struct list_offsets_request_topics_partitions p =
		DEFAULTS_list_offsets_request_topics_partitions;
	struct list_offsets_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct list_offsets_response *r;

	p.timestamp = -2;
	q.replica_id = -1;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_LIST_OFFSETS, 5, &q);
	return r->topics[0].partitions[0].offset;
}

static const struct metadata_response *metadata(struct fixture *f, const char *topic)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics t = {.name = str_of(topic)};

	q.topics = &t;
	q.topics_count = 1;
	q.allow_auto_topic_creation = true;
	return mock_ask(f, 1, API_METADATA, 9, &q);
}

static const struct join_group_response *join(struct fixture *f, const char *group, int32_t session)
{
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols p = {.name = {"range", 5},
						 .metadata = {(const uint8_t *)"", 0}};
	struct exchange_run *x;

	q.group_id = str_of(group);
	q.session_timeout_ms = q.rebalance_timeout_ms = session;
	q.protocol_type = str_of("consumer");
	q.protocols = &p;
	q.protocols_count = 1;
	x = mock_send(f, 1, API_JOIN_GROUP, 3, &q);
	f->conn++;
	return x->response;
}

static const struct consumer_group_heartbeat_response *beat(struct fixture *f, const char *member,
							    int32_t epoch)
{
	static struct str topic = {"t", 1};
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;

	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.member_epoch = epoch;
	q.topic_partitions_count = q.subscribed_topic_names_count = -1;
	if (epoch == 0) {
		q.rebalance_timeout_ms = 5000;
		q.subscribed_topic_names = &topic;
		q.subscribed_topic_names_count = 1;
		q.topic_partitions_count = 0;
	}
	return mock_ask(f, 1, API_CONSUMER_GROUP_HEARTBEAT, 1, &q);
}

static const struct init_producer_id_response *init(struct fixture *f, int32_t timeout_ms)
{
	struct init_producer_id_request q = DEFAULTS_init_producer_id_request;

	q.transactional_id = str_of("x");
	q.transaction_timeout_ms = timeout_ms;
	return mock_ask(f, 1, API_INIT_PRODUCER_ID, 4, &q);
}

static int16_t commit(struct fixture *f, const char *metadata)
{
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	p.committed_metadata = str_of(metadata);
	q.group_id = str_of("g");
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_OFFSET_COMMIT, 8, &q);
	return r->topics[0].partitions[0].error_code;
}

static int32_t groups(struct fixture *f)
{
	struct list_groups_request q = DEFAULTS_list_groups_request;

	return ((const struct list_groups_response *)mock_ask(f, 1, API_LIST_GROUPS, 5, &q))
		->groups_count;
}

/* A transactional batch in Produce 11, which adds no partition by itself. */
static int16_t produce_txn(struct fixture *f, int64_t id, int32_t sequence)
{
	struct batch_options o = mock_idempotent(id, 0, sequence);
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data_partition_data p = {.index = 0};
	struct produce_request_topic_data t = {
		.name = {"t", 1}, .partition_data = &p, .partition_data_count = 1};
	const struct produce_response *r;

	o.transactional = true;
	p.records = mock_batch(f, 1, &o);
	q.transactional_id = str_of("x");
	q.acks = -1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	r = mock_ask(f, 1, API_PRODUCE, 11, &q);
	return r->responses[0].partition_responses[0].error_code;
}

/* ---- one test for each family of keys; TESTED names them */

#define TESTED                                                                                   \
	"node.id broker.id num.partitions default.replication.factor auto.create.topics.enable " \
	"listeners advertised.listeners broker.rack replica.selector.class "                     \
	"log.retention.ms log.retention.minutes log.retention.hours log.retention.bytes "        \
	"log.retention.check.interval.ms log.segment.bytes log.roll.ms log.roll.hours "          \
	"log.cleanup.policy log.cleaner.backoff.ms message.max.bytes min.insync.replicas "       \
	"compression.type log.message.timestamp.type log.message.timestamp.after.max.ms "        \
	"log.message.timestamp.before.max.ms log.cleaner.delete.retention.ms "                   \
	"log.cleaner.min.compaction.lag.ms log.cleaner.min.cleanable.ratio "                     \
	"unclean.leader.election.enable delete.topic.enable fetch.max.bytes "                    \
	"max.incremental.fetch.session.cache.slots max.request.partition.size.limit "            \
	"group.min.session.timeout.ms group.max.session.timeout.ms "                             \
	"group.initial.rebalance.delay.ms group.max.size group.consumer.session.timeout.ms "     \
	"group.consumer.heartbeat.interval.ms group.consumer.assignment.interval.ms "            \
	"group.consumer.max.size group.consumer.migration.policy offset.metadata.max.bytes "     \
	"offsets.retention.minutes offsets.retention.check.interval.ms "                         \
	"producer.id.expiration.ms transaction.max.timeout.ms "                                  \
	"transaction.abort.timed.out.transaction.cleanup.interval.ms "                           \
	"transactional.id.expiration.ms transaction.partition.verification.enable "              \
	"transaction.remove.expired.transaction.cleanup.interval.ms"

TEST(keys_of_the_cluster_make_topics_and_name_brokers)
{
	struct fixture f;
	const struct metadata_response *r;

	start(&f, "num.partitions=4\n");
	r = metadata(&f, "t");
	CHECK_EQ(r->topics[0].partitions_count, 4);
	end(&f);
	start(&f, "auto.create.topics.enable=false\nbroker.rack=east\n");
	metadata(&f, "new");
	r = metadata(&f, "new");
	CHECK_EQ(r->topics[0].error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_STR(r->brokers[0].rack, "east");
	end(&f);
}

TEST(keys_of_replication_place_elect_and_refuse)
{
	struct fixture f;
	const struct metadata_response *r;

	start_brokers(&f, 3, "node.id=10\ndefault.replication.factor=2\nmin.insync.replicas=2\n");
	r = mock_ask(&f, 10, API_METADATA, 9, &(struct metadata_request){.topics_count = -1});
	CHECK_EQ(r->brokers[2].node_id, 12);
	CHECK_EQ(r->topics[0].partitions[0].replica_nodes_count, 2);
	end(&f);
	start_brokers(&f, 2,
		      "broker.id=1\nmin.insync.replicas=2\n"
		      "unclean.leader.election.enable=true\n");
	mock_topic(&f, "u", 1, 1);
	CHECK_EQ(mock_produce(&f, "u", 0, -1, mock_batch(&f, 1, NULL))->error_code, 0);
	mock_happen(&f, "broker-down broker=2");
	CHECK_EQ(mock_produce(&f, "u", 0, -1, mock_batch(&f, 1, NULL))->error_code,
		 ERROR_NOT_ENOUGH_REPLICAS);
	CHECK_EQ(mock_produce(&f, "u", 0, 1, mock_batch(&f, 1, NULL))->error_code, 0);
	mock_happen(&f, "broker-down broker=1");
	mock_happen(&f, "broker-up broker=2"); /* it leads, without what it never had */
	mock_happen(&f, "broker-up broker=1");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=u partition=0 to=1"), "");
	CHECK_EQ(mock_produce(&f, "u", 0, -1, mock_batch(&f, 1, NULL))->base_offset, 1);
	end(&f);
}

TEST(keys_of_retention_delete_segments)
{
	static const char *const times[] = {"log.retention.ms=60000", "log.retention.minutes=1",
					    "log.retention.hours=1"};
	struct fixture f;
	char lines[200];

	for (size_t i = 0; i < 3; i++) {
		snprintf(lines, sizeof(lines), "%s\nlog.retention.check.interval.ms=1000\n",
			 times[i]);
		start(&f, lines);
		CHECK_EQ(produce(&f, -1, 1000), 0);
		mock_advance(&f, MS(i == 2 ? 3590000 : 59000));
		CHECK_EQ(log_start(&f), 0);
		mock_advance(&f, MS(12000));
		CHECK_EQ(log_start(&f), 1);
		end(&f);
	}
	start(&f, "log.retention.bytes=2000000\nlog.segment.bytes=1048576\n"
		  "log.retention.check.interval.ms=1000\n");
	for (int i = 0; i < 5; i++)
		CHECK_EQ(produce(&f, -1, 800000), 0);
	mock_advance(&f, MS(1000));
	CHECK(log_start(&f) >= 2);
	end(&f);
}

TEST(keys_of_rolling_and_compaction_close_segments)
{
	static const char *const rolls[] = {"log.roll.ms=3600000", "log.roll.hours=1"};
	struct fixture f;
	char lines[200];

	for (size_t i = 0; i < 2; i++) {
		snprintf(lines, sizeof(lines),
			 "%s\nlog.cleanup.policy=compact\nlog.cleaner.backoff.ms=1000\n", rolls[i]);
		start(&f, lines);
		mock_produce(&f, "t", 0, -1, mock_keyed(&f, "a=1"));
		mock_produce(&f, "t", 0, -1, mock_keyed(&f, "a=2"));
		mock_advance(&f, MS(3700000));
		CHECK_TEXT(mock_contents(&f, "t", 0), "0:a=1 1:a=2");
		mock_produce(&f, "t", 0, -1, mock_keyed(&f, "b=1"));
		mock_advance(&f, MS(1100));
		CHECK_TEXT(mock_contents(&f, "t", 0), "1:a=2 2:b=1");
		end(&f);
	}
	start(&f, "log.cleanup.policy=compact\nlog.cleaner.min.compaction.lag.ms=7200000\n"
		  "log.cleaner.min.cleanable.ratio=0.1\nlog.cleaner.delete.retention.ms=3600000\n");
	mock_produce(&f, "t", 0, -1, mock_keyed(&f, "a=1"));
	mock_produce(&f, "t", 0, -1, mock_keyed(&f, "a"));
	CHECK_TEXT(mock_happen(&f, "compaction-run topic=t"), "");
	CHECK_TEXT(mock_contents(&f, "t", 0), "0:a=1 1:a");
	mock_advance(&f, MS(7300000));
	CHECK_TEXT(mock_happen(&f, "compaction-run topic=t"), "");
	CHECK_TEXT(mock_contents(&f, "t", 0), "1:a");
	mock_advance(&f, MS(3700000));
	CHECK_TEXT(mock_happen(&f, "compaction-run topic=t"), "");
	CHECK_TEXT(mock_contents(&f, "t", 0), "");
	end(&f);
}

TEST(keys_of_produce_bound_and_stamp_batches)
{
	struct fixture f;
	struct batch_options o = BATCH_OPTIONS_INIT;
	const struct produce_response_responses_partition_responses *r;

	start(&f, "message.max.bytes=1000\nlog.message.timestamp.type=LogAppendTime\n"
		  "compression.type=gzip\n");
	CHECK_EQ(produce(&f, -1, 2000), ERROR_MESSAGE_TOO_LARGE);
	r = mock_produce(&f, "t", 0, -1, mock_batch(&f, 1, NULL));
	CHECK_EQ(r->log_append_time_ms, f.now.wall_us / 1000);
	end(&f);
	start(&f, "log.message.timestamp.after.max.ms=1000\n"
		  "log.message.timestamp.before.max.ms=1000\n");
	f.now = instant_add_us(f.now, MS(5000));
	o.codec = CODEC_NONE;
	{
		struct records late = mock_batch(&f, 1, &o);

		f.now = instant_add_us(f.now, MS(5000));
		CHECK_EQ(mock_produce(&f, "t", 0, -1, late)->error_code, ERROR_INVALID_TIMESTAMP);
	}
	end(&f);
}

TEST(keys_of_groups_bound_them)
{
	struct fixture f;

	start(&f, "group.min.session.timeout.ms=100\ngroup.max.session.timeout.ms=200\n"
		  "group.max.size=1\n");
	CHECK_EQ(join(&f, "a", 50)->error_code, ERROR_INVALID_SESSION_TIMEOUT);
	CHECK_EQ(join(&f, "a", 250)->error_code, ERROR_INVALID_SESSION_TIMEOUT);
	CHECK_EQ(join(&f, "a", 150)->error_code, 0);
	CHECK_EQ(join(&f, "a", 150)->error_code, ERROR_GROUP_MAX_SIZE_REACHED);
	end(&f);
	start(&f, "group.initial.rebalance.delay.ms=500\n");
	CHECK(join(&f, "a", 10000) == NULL);
	mock_advance(&f, MS(501));
	CHECK_EQ(f.runs->result, CALL_ANSWER);
	end(&f);
}

TEST(keys_of_consumer_groups_bound_them)
{
	struct fixture f;

	start(&f, "group.consumer.session.timeout.ms=7000\n"
		  "group.consumer.heartbeat.interval.ms=300\n"
		  "group.consumer.assignment.interval.ms=0\ngroup.consumer.max.size=2\n");
	CHECK_EQ(beat(&f, "a", 0)->heartbeat_interval_ms, 300);
	CHECK_EQ(beat(&f, "b", 0)->member_epoch, 3); /* no second passed since the first came */
	CHECK_EQ(beat(&f, "c", 0)->error_code, ERROR_GROUP_MAX_SIZE_REACHED);
	mock_advance(&f, MS(7001));
	CHECK_EQ(beat(&f, "a", 2)->error_code, ERROR_UNKNOWN_MEMBER_ID);
	end(&f);
	start(&f, "group.consumer.migration.policy=disabled\n");
	CHECK_EQ(join(&f, "g", 10000)->error_code, 0);
	CHECK_EQ(beat(&f, "a", 0)->error_code, ERROR_GROUP_ID_NOT_FOUND);
	end(&f);
}

TEST(keys_of_offsets_bound_and_expire_them)
{
	struct fixture f;

	start(&f, "offset.metadata.max.bytes=3\noffsets.retention.minutes=2\n"
		  "offsets.retention.check.interval.ms=1000\n");
	CHECK_EQ(commit(&f, "long"), ERROR_OFFSET_METADATA_TOO_LARGE);
	CHECK_EQ(commit(&f, "yes"), 0);
	mock_advance(&f, MS(119000));
	CHECK_EQ(groups(&f), 1);
	mock_advance(&f, MS(2000));
	CHECK_EQ(groups(&f), 0);
	end(&f);
}

TEST(keys_of_transactions_bound_and_expire_them)
{
	struct fixture f;
	int64_t id;

	start(&f, "transaction.max.timeout.ms=5000\n"
		  "transaction.abort.timed.out.transaction.cleanup.interval.ms=100\n"
		  "transaction.partition.verification.enable=false\n"
		  "transactional.id.expiration.ms=60000\n"
		  "transaction.remove.expired.transaction.cleanup.interval.ms=1000\n"
		  "producer.id.expiration.ms=1000\n");
	CHECK_EQ(init(&f, 5001)->error_code, ERROR_INVALID_TRANSACTION_TIMEOUT);
	id = init(&f, 1000)->producer_id;
	CHECK_EQ(produce_txn(&f, id, 0), 0); /* was never added to a transaction */
	mock_advance(&f, MS(62000));
	CHECK(init(&f, 1000)->producer_id != id);
	end(&f);
	start(&f, "");
	id = init(&f, 1000)->producer_id;
	CHECK_EQ(produce_txn(&f, id, 0), ERROR_TRANSACTION_ABORTABLE);
	end(&f);
}

TEST(keys_of_fetch_bound_its_answers_and_sessions)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;

	start(&f, "fetch.max.bytes=1024\nmax.incremental.fetch.session.cache.slots=1\n");
	for (int i = 0; i < 3; i++)
		CHECK_EQ(produce(&f, -1, 900), 0);
	mock_fetch_one(&one, "t", 0, 0, 0);
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(mock_count(r->responses[0].partitions[0].records, NULL), 1);
	one.q.session_epoch = 0;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK(r->session_id != 0);
	f.conn = 2;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->session_id, 0); /* no slot is left */
	end(&f);
}

TEST(keys_of_administration_bound_it)
{
	struct fixture f;
	struct delete_topics_request q = DEFAULTS_delete_topics_request;
	struct delete_topics_request_topics t = {.name = {"t", 1}};
	struct describe_topic_partitions_request d = DEFAULTS_describe_topic_partitions_request;
	const struct describe_topic_partitions_response *r;

	start(&f, "delete.topic.enable=false\nmax.request.partition.size.limit=2\n"
		  "num.partitions=3\n");
	q.topics = &t;
	q.topics_count = 1;
	CHECK_EQ(((const struct delete_topics_response *)mock_ask(&f, 1, API_DELETE_TOPICS, 6, &q))
			 ->responses[0]
			 .error_code,
		 ERROR_TOPIC_DELETION_DISABLED);
	r = mock_ask(&f, 1, API_DESCRIBE_TOPIC_PARTITIONS, 0, &d);
	CHECK_EQ(r->topics[0].partitions_count, 2);
	end(&f);
}

TEST(every_key_that_has_an_effect_is_in_a_test)
{
	const char *key;

	for (size_t i = 0; (key = broker_config_key(i)); i++) {
		char word[120];

		snprintf(word, sizeof(word), " %s ", key);
		if (!strstr(" " TESTED " ", word))
			CHECK_TEXT(key, "tested");
	}
}
