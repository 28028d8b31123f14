/* server.properties: what takes effect, what is named as having none, what is refused with its
 * line. */
#include "service/properties.h"
#include "tests/mock_fixture.h"

static int read_text(const char *text, struct service_config *config, struct properties *p,
		     struct error *e)
{
	*config = (struct service_config){.cluster = {.brokers = 1, .auto_create = true}};
	*e = (struct error)ERROR_INIT;
	return properties_read(str_of(text), config, p, e);
}

TEST(a_broker_file_configures_listeners_topics_and_groups)
{
	struct service_config config;
	struct properties p;
	struct error e;

	CHECK_EQ(read_text("# a broker\n"
			   "broker.id=0\r\n"
			   "listeners = CONTROLLER://:9093,PLAINTEXT://127.0.0.1:19092\n"
			   "advertised.listeners: PLAINTEXT://kafka.test:29092\n"
			   "num.partitions 6\n"
			   "auto.create.topics.enable=\\\n   false\n"
			   "log.retention.hours=2\n"
			   "message.max.bytes=2000000\n"
			   "group.min.session.timeout.ms=100\n"
			   "broker.rack=east\n"
			   "replica.selector.class=org.apache.kafka.common.replica."
			   "RackAwareReplicaSelector\n"
			   "zookeeper.connect=localhost:2181\n"
			   "log.dirs=/data\n",
			   &config, &p, &e),
		 0);
	CHECK(config.cluster.broker.has_node_id && config.cluster.broker.first_node_id == 0);
	CHECK_TEXT(p.listen.host, "127.0.0.1");
	CHECK_EQ(p.listen.port, 19092);
	CHECK_TEXT(p.advertise.host, "kafka.test");
	CHECK_EQ(config.cluster.default_partitions, 6);
	CHECK(!config.cluster.auto_create);
	CHECK_EQ(p.topics.retention_ms, 7200000);
	CHECK_EQ(p.topics.message_max, 2000000);
	CHECK_EQ(config.cluster.broker.group_session_min_ms, 100);
	CHECK_TEXT(config.cluster.broker.racks, "east");
	CHECK(config.cluster.broker.rack_selector);
	CHECK_TEXT(buf_cstr(&p.ignored), "zookeeper.connect, log.dirs");
	properties_release(&p);
}

TEST(a_value_that_cannot_be_is_refused_with_its_line)
{
	static const char *const bad[] = {"num.partitions=0", "\n\nlog.retention.ms=soon",
					  "listeners=9092", "node.id=-1",
					  "auto.create.topics.enable=yes", "broker.rack=",
					  "replica.selector.class=nope"};
	static const size_t lines[] = {1, 3, 1, 1, 1, 1, 1};
	struct service_config config;
	struct properties p;
	struct error e;

	for (size_t i = 0; i < 7; i++) {
		CHECK_EQ(read_text(bad[i], &config, &p, &e), ERR_USAGE);
		CHECK_EQ(e.offset, lines[i]);
		properties_release(&p);
	}
}

TEST(the_first_members_of_a_group_are_waited_for)
{
	struct fixture f;
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols range = {.name = {"range", 5},
						     .metadata = {(const uint8_t *)"", 0}};
	struct exchange_run *a, *b;
	struct cluster_config config = {.brokers = 1};

	mock_start(&f, 1);
	cluster_free(f.c);
	config.bus = &f.bus;
	config.broker.group_initial_delay_ms = 3000;
	f.c = cluster_new(&config, f.now);
	q.group_id = str_of("g");
	q.session_timeout_ms = q.rebalance_timeout_ms = 10000;
	q.protocol_type = str_of("consumer");
	q.protocols = &range;
	q.protocols_count = 1;
	a = mock_send(&f, 1, API_JOIN_GROUP, 3, &q);
	CHECK_EQ(a->result, CALL_WAIT);
	mock_advance(&f, MS(2000));
	f.conn = 2;
	b = mock_send(&f, 1, API_JOIN_GROUP, 3, &q);
	mock_advance(&f, MS(1500)); /* one more came, so the wait goes on */
	CHECK_EQ(a->result, CALL_WAIT);
	mock_advance(&f, MS(2500));
	CHECK_EQ(a->result, CALL_ANSWER);
	CHECK_EQ(((const struct join_group_response *)a->response)->generation_id, 1);
	CHECK_EQ(b->result, CALL_ANSWER);
	mock_end(&f);
}
