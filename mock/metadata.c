/* Metadata: brokers, topics and who leads what, and topics made on demand. Rule 8 of the acceptance
 * text. Owns nothing. */
#include "mock/fault.h"
#include "mock/stale.h"
#include "mock/state.h"

static void put_brokers(struct cluster *c, struct call *call, struct metadata_response *r)
{
	r->brokers = CALL_ARRAY(call, struct metadata_response_brokers, c->config.brokers);
	for (int32_t i = 0; i < c->config.brokers; i++) {
		const struct broker_address *a = &c->brokers[i].address;
		struct metadata_response_brokers *b = &r->brokers[r->brokers_count];

		if (!c->brokers[i].alive)
			continue;
		b->node_id = a->node_id;
		b->host = call_str(call, str_of(a->host));
		b->port = a->port;
		b->rack = cluster_rack(call, &c->brokers[i]);
		r->brokers_count++;
	}
}

static void put_partition(struct cluster *c, struct call *call, const struct partition *p,
			  struct metadata_response_topics_partitions *r)
{
	codec_init(&metadata_response_topics_partitions_schema, r);
	r->error_code = p->leader < 0 ? ERROR_LEADER_NOT_AVAILABLE : ERROR_NONE;
	r->partition_index = p->index;
	r->leader_id = p->leader;
	r->leader_epoch = p->leader_epoch;
	r->replica_nodes = call_nodes(call, p->replicas, p->replicas_count);
	r->replica_nodes_count = p->replicas_count;
	r->isr_nodes = call_nodes(call, p->isr, p->isr_count);
	r->isr_nodes_count = p->isr_count;
	r->offline_replicas = partition_offline(c, call, p, &r->offline_replicas_count);
}

static void put_topic(struct cluster *c, struct call *call, const struct topic *t,
		      struct metadata_response_topics *r)
{
	const struct metadata_request *q = call->request;

	r->name = call_str(call, t->name);
	r->topic_id = t->id;
	r->is_internal = t->internal;
	if (q->include_topic_authorized_operations)
		r->topic_authorized_operations = TOPIC_OPERATIONS;
	r->error_code = call_fault(call, t->name, -1);
	if (r->error_code)
		return;
	r->partitions =
		CALL_ARRAY(call, struct metadata_response_topics_partitions, t->partitions_count);
	for (int32_t i = 0; i < t->partitions_count; i++)
		put_partition(c, call, t->partitions[i], &r->partitions[i]);
	r->partitions_count = t->partitions_count;
}

static struct metadata_response_topics *next_topic(struct metadata_response *r)
{
	struct metadata_response_topics *t = &r->topics[r->topics_count++];

	codec_init(&metadata_response_topics_schema, t);
	return t;
}

static bool is_hidden(const struct cluster *c, const struct call *call, const struct topic *t)
{
	return !call->own && t->hidden_until_us > c->now.mono_us &&
	       (t->hidden_by < 0 || t->hidden_by == call->broker);
}

static void put_all(struct cluster *c, struct call *call, struct metadata_response *r)
{
	struct topic *t, *next;

	r->topics = CALL_ARRAY(call, struct metadata_response_topics,
			       HASH_CNT(by_name, c->topics.by_name));
	HASH_ITER (by_name, c->topics.by_name, t, next)
		if (!is_hidden(c, call, t))
			put_topic(c, call, t, next_topic(r));
}

/* The topic is there for the next call, as on a real cluster, where making it takes a moment. */
static int16_t auto_create(struct cluster *c, const struct metadata_request *q, struct str name)
{
	struct topic_spec spec = {.name = name, .leader = -1};

	if (!topic_name_ok(name))
		return ERROR_INVALID_TOPIC_EXCEPTION;
	if (!c->config.auto_create || !q->allow_auto_topic_creation)
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (topic_collision(c, name))
		return ERROR_INVALID_TOPIC_EXCEPTION;
	if (c->config.default_replication > c->config.brokers || !cluster_alive(c))
		return profile_since(c->config.like, "2.8") ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
							    : ERROR_INVALID_REPLICATION_FACTOR;
	spec.partitions = c->config.default_partitions;
	spec.replication = c->config.default_replication;
	topic_new(c, &spec)->mark = c->topics.mark;
	return profile_since(c->config.like, "2.8") ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
						    : ERROR_LEADER_NOT_AVAILABLE;
}

static void put_asked(struct cluster *c, struct call *call, struct metadata_response *r,
		      const struct metadata_request_topics *asked)
{
	bool by_id = !uuid_is_zero(asked->topic_id);
	struct topic *t = by_id ? topic_by_id(c, asked->topic_id) : topic_find(c, asked->name);
	bool hidden = t && is_hidden(c, call, t);
	const struct metadata_request *q = call->request;
	struct metadata_response_topics *out;

	if (t && t->mark == c->topics.mark)
		return;
	out = next_topic(r);
	if (t && !hidden) {
		t->mark = c->topics.mark;
		put_topic(c, call, t, out);
		return;
	}
	if (!by_id && q->include_topic_authorized_operations)
		out->topic_authorized_operations = TOPIC_OPERATIONS;
	out->topic_id = asked->topic_id;
	out->name = by_id ? (struct str){0} : asked->name;
	if (by_id)
		out->error_code = ERROR_UNKNOWN_TOPIC_ID;
	else
		out->error_code = call_fault(call, asked->name, -1);
	if (!out->error_code && hidden)
		out->error_code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (!out->error_code)
		out->error_code = auto_create(c, q, asked->name);
}

/* Whether the request asks by id: then what it names is left out (seen on 4.4.0). */
static bool asks_by_id(const struct metadata_request *q)
{
	for (int32_t i = 0; i < q->topics_count; i++)
		if (!uuid_is_zero(q->topics[i].topic_id))
			return true;
	return false;
}

/* Ids are served from version 12 on, though versions 10 and 11 can carry them; a null name needs
 * an id. Returns the code that refuses the whole request. */
static int16_t refusal(const struct call *call, bool ids)
{
	const struct metadata_request *q = call->request;

	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct metadata_request_topics *t = &q->topics[i];
		bool by_id = !uuid_is_zero(t->topic_id);

		if (call->header.api_version < 12 && (by_id || !t->name.data))
			return ERROR_INVALID_REQUEST;
		if (!t->name.data && !ids)
			return ERROR_UNKNOWN_SERVER_ERROR;
	}
	return ERROR_NONE;
}

static void refuse(struct call *call, struct metadata_response *r, int16_t code)
{
	const struct metadata_request *q = call->request;

	r->error_code = code;
	r->topics = CALL_ARRAY(call, struct metadata_response_topics, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++) {
		struct metadata_response_topics *t = next_topic(r);

		t->error_code = code;
		t->topic_id = q->topics[i].topic_id;
		t->name = q->topics[i].name;
		if (!t->name.data && call->header.api_version < 12)
			t->name = str_of("");
	}
}

enum call_result metadata_work(struct cluster *c, struct call *call)
{
	const struct metadata_request *q = call->request;
	struct metadata_response *r = call_response(call, &metadata_response_schema);
	bool all = q->topics_count < 0 || (call->header.api_version == 0 && q->topics_count == 0);
	bool ids = asks_by_id(q);
	int16_t refused = refusal(call, ids);

	if (refused) {
		refuse(call, r, refused);
		return CALL_ANSWER;
	}
	if (stale_answer(c, call, r))
		return CALL_ANSWER;
	put_brokers(c, call, r);
	r->cluster_id = str_of(c->id_text);
	r->controller_id = cluster_controller(c);
	if (q->include_cluster_authorized_operations)
		r->cluster_authorized_operations = CLUSTER_OPERATIONS;
	if (all) {
		put_all(c, call, r);
		return CALL_ANSWER;
	}
	c->topics.mark++;
	r->topics = CALL_ARRAY(call, struct metadata_response_topics, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++)
		if (!ids || !uuid_is_zero(q->topics[i].topic_id))
			put_asked(c, call, r, &q->topics[i]);
	return CALL_ANSWER;
}
