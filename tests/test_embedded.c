/* Messages inside messages, in JSON and in trees: exchanges are made up in memory, and what is
 * shown of them is compared with what was put in. What real brokers write is tests/oracle/inside's.
 */
#include "decoder/embedded.h"
#include "decoder/jsonl.h"
#include "decoder/tree.h"
#include "protocol/batch_builder.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdio.h>

struct made {
	struct exchange x;
	struct arena arena;
	struct buf ask, out;
	struct summary s;
};

/* A request of that body; what is shown of it as JSON, or as a tree. */
static const char *show(struct made *m, int key, int version, const void *body, bool tree)
{
	struct gather g;
	struct error e = ERROR_INIT;

	*m = (struct made){0};
	arena_init(&m->arena, 1 << 20);
	buf_init(&m->ask, 1 << 20);
	buf_init(&m->out, 1 << 20);
	gather_init(&g, 1 << 20);
	frame_write_request(&g, key, version, 1, str_of("c"), body, &e);
	CHECK_TEXT(e.text, "");
	gather_flatten(&g, &m->ask);
	gather_release(&g);
	m->x.arena = &m->arena;
	m->x.conn.broker = -1;
	m->x.state = EXCHANGE_LOST;
	m->x.request = (struct bytes){m->ask.data + 4, (int32_t)m->ask.len - 4};
	CHECK_EQ(frame_read_request(m->x.request, &m->x.header, NULL), 0);
	summarize(&m->x, NULL, &m->s);
	if (tree)
		tree_exchange(&m->out, &m->x, &m->s, TREE_VALUES_TEXT);
	else
		jsonl_exchange(&m->out, &m->x, &m->s, JSONL_EXCHANGES);
	return buf_cstr(&m->out);
}

static void release(struct made *m)
{
	buf_release(&m->ask);
	buf_release(&m->out);
	arena_release(&m->arena);
}

/* Version 1: topics [t], user data null, owned t-2. */
static const uint8_t subscription[] = {0, 1, 0, 0, 0, 1,   0, 1, 't', 0xff, 0xff, 0xff, 0xff, 0,
				       0, 0, 1, 0, 1, 't', 0, 0, 0,   1,    0,	  0,	0,    2};

static const char *join(struct made *m, const char *type, const uint8_t *data, size_t n, bool tree)
{
	struct join_group_request q;
	struct join_group_request_protocols p;

	codec_init(&join_group_request_schema, &q);
	codec_init(&join_group_request_protocols_schema, &p);
	q.group_id = str_of("g");
	q.protocol_type = str_of(type);
	p.name = str_of("range");
	p.metadata = (struct bytes){data, (int32_t)n};
	q.protocols = &p;
	q.protocols_count = 1;
	return show(m, API_JOIN_GROUP, 5, &q, tree);
}

TEST(a_subscription_is_shown_beside_its_bytes)
{
	struct made m;

	CHECK(strstr(join(&m, "consumer", subscription, sizeof(subscription), false),
		     "\"embedded\":[{\"of\":\"request\",\"path\":\"protocols[0].metadata\","
		     "\"type\":\"ConsumerProtocolSubscription\",\"version\":1,\"value\":"
		     "{\"topics\":[\"t\"],\"userData\":null,"
		     "\"ownedPartitions\":[{\"topic\":\"t\",\"partitions\":[2]}]}}]"));
	release(&m);
	CHECK(strstr(join(&m, "consumer", subscription, sizeof(subscription), true),
		     "ConsumerProtocolSubscription v1\n"));
	CHECK(strstr(buf_cstr(&m.out), "partitions: 1\n"));
	release(&m);
}

TEST(an_embedded_field_stands_where_its_bytes_stand_in_the_frame)
{
	struct made m;
	const uint8_t *at;
	char want[80];

	join(&m, "consumer", subscription, sizeof(subscription), true);
	at = memmem(m.x.request.data, (size_t)m.x.request.len, subscription, sizeof(subscription));
	CHECK(at != NULL);
	/* The partition's number: its last four bytes. */
	snprintf(want, sizeof(want), "%8d      4  ",
		 (int)(at - m.x.request.data) + (int)sizeof(subscription) - 4);
	CHECK(strstr(buf_cstr(&m.out), want) && strstr(strstr(buf_cstr(&m.out), want), "[0]: 2\n"));
	release(&m);
}

TEST(a_connect_worker_is_not_taken_for_a_consumer)
{
	struct made m;

	CHECK(!strstr(join(&m, "connect", subscription, sizeof(subscription), false),
		      "\"embedded\""));
	release(&m);
}

TEST(a_subscription_of_a_newer_version_reads_as_the_newest_known)
{
	static const uint8_t newer[] = {0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
					0, 0, 0, 0, 5, 0, 0,	0,    1,    'r',  7, 7};
	struct made m;

	CHECK(strstr(join(&m, "consumer", newer, 18, false), "\"problem\":"));
	release(&m);
	CHECK(strstr(join(&m, "consumer", newer, sizeof(newer), false),
		     "\"version\":3,\"value\":{\"topics\":[],\"userData\":null,"
		     "\"ownedPartitions\":[],\"generationId\":5,\"rackId\":\"\"}"));
	release(&m);
}

TEST(bytes_that_are_no_subscription_say_so)
{
	struct made m;

	CHECK(strstr(join(&m, "consumer", subscription, 11, false),
		     "\"type\":\"ConsumerProtocolSubscription\",\"version\":1,\"problem\":\""));
	release(&m);
	CHECK(strstr(join(&m, "consumer", subscription, 11, true), "[userData"));
	release(&m);
}

static const char *sync_group(struct made *m, const uint8_t *data, size_t n)
{
	struct sync_group_request q;
	struct sync_group_request_assignments a;

	codec_init(&sync_group_request_schema, &q);
	codec_init(&sync_group_request_assignments_schema, &a);
	q.group_id = str_of("g");
	a.assignment = (struct bytes){data, (int32_t)n};
	q.assignments = &a;
	q.assignments_count = 1;
	return show(m, API_SYNC_GROUP, 3, &q, false);
}

TEST(where_no_protocol_is_said_an_assignment_must_be_one_to_its_last_byte)
{
	/* Version 0: [] and user data null; then something behind it. */
	static const uint8_t some[] = {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1};
	struct made m;

	CHECK(strstr(sync_group(&m, some, 10), "\"type\":\"ConsumerProtocolAssignment\""));
	release(&m);
	CHECK(!strstr(sync_group(&m, some, 11), "\"embedded\""));
	release(&m);
}

static const char *produce(struct made *m, const char *topic, const struct batch_options *o,
			   struct bytes key, struct bytes value, bool tree)
{
	struct produce_request q;
	struct produce_request_topic_data t;
	struct produce_request_topic_data_partition_data p;
	struct batch_builder b;
	struct buf records;
	const char *text;

	buf_init(&records, 1 << 16);
	batch_builder_init(&b, o, &records);
	batch_builder_add(&b, 7, key, value, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	codec_init(&produce_request_schema, &q);
	codec_init(&produce_request_topic_data_schema, &t);
	codec_init(&produce_request_topic_data_partition_data_schema, &p);
	t.name = str_of(topic);
	p.records = (struct records){records.data, (int32_t)records.len, 0};
	t.partition_data = &p;
	t.partition_data_count = 1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	text = show(m, API_PRODUCE, 9, &q, tree);
	buf_release(&records);
	return text;
}

TEST(records_of_internal_topics_are_messages_also_in_compressed_batches)
{
	/* Key: version 0 (a transactional id); value v1: flexible. */
	static const uint8_t id[] = {0, 0, 0, 1, 't'};
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct bytes key = {id, sizeof(id)}, none = {NULL, 0};
	struct made m;

	o.codec = CODEC_GZIP;
	o.base_offset = 40;
	CHECK(strstr(produce(&m, "__transaction_state", &o, key, none, false),
		     "{\"of\":\"request\",\"path\":\"topicData[0].partitionData[0].records\","
		     "\"offset\":40,\"part\":\"key\",\"type\":\"TransactionLogKey\",\"version\":0,"
		     "\"value\":{\"transactionalId\":\"t\"}}]"));
	release(&m);
	CHECK(strstr(produce(&m, "__transaction_state", &o, key, none, true),
		     "key TransactionLogKey v0\n"));
	release(&m);
	CHECK(!strstr(produce(&m, "transaction_state", &o, key, none, false), "\"embedded\""));
	release(&m);
}

TEST(a_metadata_record_has_its_frame_before_it)
{
	/* Frame 1, type 2 (TopicRecord), version 0; name "t", id 1, no tags. */
	static const uint8_t topic[] = {1, 2, 0, 2, 't', 1, 0, 0, 0, 0, 0,
					0, 0, 0, 0, 0,	 0, 0, 0, 0, 0, 0};
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct made m;

	CHECK(strstr(produce(&m, "__cluster_metadata", &o, (struct bytes){NULL, 0},
			     (struct bytes){topic, sizeof(topic)}, false),
		     "\"part\":\"value\",\"type\":\"TopicRecord\",\"version\":0,\"value\":"
		     "{\"name\":\"t\",\"topicId\":\"AQAAAAAAAAAAAAAAAAAAAA\"}}]"));
	release(&m);
}

TEST(control_batches_are_read_in_any_topic)
{
	static const uint8_t commit[] = {0, 0, 0, 1}, marker[] = {0, 0, 0, 0, 0, 9};
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct made m;

	o.control = o.transactional = true;
	o.producer_id = 5;
	o.producer_epoch = 0;
	CHECK(strstr(produce(&m, "orders", &o, (struct bytes){commit, 4}, (struct bytes){marker, 6},
			     true),
		     "value EndTxnMarker v0\n"));
	CHECK(strstr(buf_cstr(&m.out), "type: 1\n"));
	CHECK(strstr(buf_cstr(&m.out), "coordinatorEpoch: 9\n"));
	release(&m);
}
