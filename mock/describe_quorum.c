/* DescribeQuorum (KIP-595, KIP-642): the controllers' own log as administrators see it. Every
 * broker here is a controller, too; the one that others call the controller leads, and the
 * followers are as far as it while they are up. Owns nothing. */
#include "mock/state.h"

#define METADATA_TOPIC	   "__cluster_metadata"
#define METADATA_FORMATTED 80 /* records of a cluster that has just been formatted */
#define METADATA_IDLE_US                                                         \
	500000 /* metadata.max.idle.interval.ms: then a record that says nothing \
		*/
#define LEADER_EPOCH 1

typedef struct describe_quorum_request_topics query;
typedef struct describe_quorum_response_topics_partitions answer;
typedef struct describe_quorum_response_replica_state replica;

static int64_t log_end(const struct cluster *c, struct instant at)
{
	return METADATA_FORMATTED + (at.mono_us - c->started.mono_us) / METADATA_IDLE_US;
}

/* Replicas are known by their directories from kraft.version 1 on (KIP-853). */
static struct uuid directory_of(const struct cluster *c, int32_t node_id)
{
	struct uuid id = {0};

	if (feature_level(c, "kraft.version") < 1)
		return id;
	id = c->id;
	for (size_t i = 0; i < sizeof(node_id); i++)
		id.b[i] ^= (uint8_t)(node_id >> 8 * i);
	return id;
}

static void put_voters(const struct cluster *c, struct call *call, answer *a)
{
	a->current_voters = CALL_ARRAY(call, replica, c->config.brokers);
	a->current_voters_count = c->config.brokers;
	for (int32_t i = 0; i < c->config.brokers; i++) {
		const struct broker *b = &c->brokers[i];
		struct instant seen = b->alive ? c->now : b->down;
		replica *r = &a->current_voters[i];

		codec_init(&describe_quorum_response_replica_state_schema, r);
		r->replica_id = b->address.node_id;
		r->replica_directory_id = directory_of(c, r->replica_id);
		r->log_end_offset = log_end(c, seen);
		r->last_fetch_timestamp = r->last_caught_up_timestamp = instant_wall_ms(seen);
	}
}

static void put_nodes(const struct cluster *c, struct call *call,
		      struct describe_quorum_response *r)
{
	r->nodes = CALL_ARRAY(call, struct describe_quorum_response_nodes, c->config.brokers);
	r->nodes_count = c->config.brokers;
	for (int32_t i = 0; i < c->config.brokers; i++) {
		const struct broker_address *a = &c->brokers[i].address;
		struct describe_quorum_response_nodes_listeners *l = call_alloc(call, sizeof(*l));

		l->name = str_of("CONTROLLER");
		l->host = call_str(call, str_of(a->host));
		l->port = a->port;
		r->nodes[i].node_id = a->node_id;
		r->nodes[i].listeners = l;
		r->nodes[i].listeners_count = 1;
	}
}

/* It answers for one partition of one topic, or for none (seen on 4.4.0). */
static bool is_asked(const struct describe_quorum_request *q)
{
	return q->topics_count == 1 && str_is(q->topics[0].topic_name, METADATA_TOPIC) &&
	       q->topics[0].partitions_count == 1 &&
	       q->topics[0].partitions[0].partition_index == 0;
}

static void put_topic(const struct cluster *c, struct call *call, const query *q, bool asked,
		      struct describe_quorum_response_topics *r)
{
	r->topic_name = q->topic_name;
	r->partitions = CALL_ARRAY(call, answer, q->partitions_count);
	r->partitions_count = q->partitions_count;
	for (int32_t i = 0; i < q->partitions_count; i++) {
		answer *a = &r->partitions[i];

		codec_init(&describe_quorum_response_topics_partitions_schema, a);
		a->partition_index = q->partitions[i].partition_index;
		a->error_message = str_of(asked ? "" : "there is no such partition");
		a->error_code = asked ? ERROR_NONE : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
		if (!asked)
			continue;
		a->leader_id = cluster_controller(c);
		a->leader_epoch = LEADER_EPOCH;
		a->high_watermark = log_end(c, c->now);
		put_voters(c, call, a);
	}
}

enum call_result describe_quorum_work(struct cluster *c, struct call *call)
{
	const struct describe_quorum_request *q = call->request;
	struct describe_quorum_response *r = call_response(call, &describe_quorum_response_schema);
	bool asked = is_asked(q);

	r->error_message = str_of("");
	r->topics = CALL_ARRAY(call, struct describe_quorum_response_topics, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++)
		put_topic(c, call, &q->topics[i], asked, &r->topics[i]);
	if (asked && call->header.api_version >= 2)
		put_nodes(c, call, r);
	return CALL_ANSWER;
}
