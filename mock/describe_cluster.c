/* DescribeCluster and DescribeTopicPartitions: the cluster as administrators see it (rule 12). */
#include "mock/fault.h"
#include "mock/state.h"

#include <stdlib.h>

#define ENDPOINT_BROKERS 1

enum call_result describe_cluster_work(struct cluster *c, struct call *call)
{
	const struct describe_cluster_request *q = call->request;
	struct describe_cluster_response *r =
		call_response(call, &describe_cluster_response_schema);

	if (q->endpoint_type != ENDPOINT_BROKERS) {
		r->error_code = q->endpoint_type == 2 ? ERROR_MISMATCHED_ENDPOINT_TYPE
						      : ERROR_UNSUPPORTED_ENDPOINT_TYPE;
		r->error_message = str_of("this listener is the brokers'; endpointType must be 1");
		return CALL_ANSWER;
	}
	r->cluster_id = str_of(c->id_text);
	r->controller_id = cluster_controller(c);
	if (q->include_cluster_authorized_operations)
		r->cluster_authorized_operations = CLUSTER_OPERATIONS;
	r->brokers = CALL_ARRAY(call, struct describe_cluster_response_brokers, c->config.brokers);
	for (int32_t i = 0; i < c->config.brokers; i++) {
		const struct broker_address *a = &c->brokers[i].address;
		struct describe_cluster_response_brokers *b = &r->brokers[r->brokers_count];

		if (!c->brokers[i].alive && !q->include_fenced_brokers)
			continue;
		b->broker_id = a->node_id;
		b->host = call_str(call, str_of(a->host));
		b->port = a->port;
		b->rack = cluster_rack(call, &c->brokers[i]);
		b->is_fenced = !c->brokers[i].alive;
		r->brokers_count++;
	}
	return CALL_ANSWER;
}

/* ---- DescribeTopicPartitions (KIP-966) ---- */

typedef struct describe_topic_partitions_response_topics topic_answer;
typedef struct describe_topic_partitions_response_topics_partitions partition_answer;

static int by_name(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int32_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->data, y->data, (size_t)n);

	return order ? order : x->len - y->len;
}

/* The names asked for, or all, sorted, each once. */
static struct str *names_of(struct cluster *c, struct call *call, int32_t *ret_count)
{
	const struct describe_topic_partitions_request *q = call->request;
	int32_t count =
		q->topics_count ? q->topics_count : (int32_t)HASH_CNT(by_name, c->topics.by_name);
	struct str *names = CALL_ARRAY(call, struct str, count);
	struct topic *t, *next;
	int32_t n = 0, kept = 0;

	for (int32_t i = 0; i < q->topics_count; i++)
		names[n++] = q->topics[i].name;
	if (!q->topics_count)
		HASH_ITER (by_name, c->topics.by_name, t, next)
			names[n++] = call_str(call, t->name);
	if (n)
		qsort(names, (size_t)n, sizeof(names[0]), by_name);
	for (int32_t i = 0; i < n; i++)
		if (!kept || !str_eq(names[kept - 1], names[i]))
			names[kept++] = names[i];
	*ret_count = kept;
	return names;
}

static void put_partition(struct cluster *c, struct call *call, const struct partition *p,
			  partition_answer *r)
{
	codec_init(&describe_topic_partitions_response_topics_partitions_schema, r);
	r->error_code = p->leader < 0 ? ERROR_LEADER_NOT_AVAILABLE : ERROR_NONE;
	r->partition_index = p->index;
	r->leader_id = p->leader;
	r->leader_epoch = p->leader_epoch;
	r->replica_nodes = call_nodes(call, p->replicas, p->replicas_count);
	r->replica_nodes_count = p->replicas_count;
	r->isr_nodes = call_nodes(call, p->isr, p->isr_count);
	r->isr_nodes_count = p->isr_count;
	r->eligible_leader_replicas_count = r->last_known_elr_count = 0;
	r->offline_replicas = partition_offline(c, call, p, &r->offline_replicas_count);
}

static void put_cursor(struct call *call, struct describe_topic_partitions_response *r,
		       struct str topic, int32_t partition)
{
	r->next_cursor = call_alloc(call, sizeof(*r->next_cursor));
	r->next_cursor->topic_name = topic;
	r->next_cursor->partition_index = partition;
}

/* From partition `first` on, as many as *room has; false if that ended the answer. */
static bool put_topic(struct cluster *c, struct call *call, struct str name, int32_t first,
		      int32_t *room, struct describe_topic_partitions_response *r)
{
	const struct topic *t = topic_find(c, name);
	topic_answer *out = &r->topics[r->topics_count++];

	codec_init(&describe_topic_partitions_response_topics_schema, out);
	out->name = name;
	out->topic_authorized_operations = TOPIC_OPERATIONS;
	out->error_code = call_fault(call, name, -1);
	if (!out->error_code && !t)
		out->error_code = topic_name_ok(name) ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
						      : ERROR_INVALID_TOPIC_EXCEPTION;
	if (out->error_code)
		return true;
	out->topic_id = t->id;
	out->is_internal = t->internal;
	out->partitions = CALL_ARRAY(call, partition_answer, t->partitions_count);
	for (int32_t i = first; i < t->partitions_count; i++) {
		if (*room == 0) {
			put_cursor(call, r, name, i);
			return false;
		}
		put_partition(c, call, t->partitions[i], &out->partitions[out->partitions_count++]);
		--*room;
	}
	return true;
}

/* A broker stumbles over an empty name, and fails the whole request; it refuses a cursor that
 * stands nowhere. */
static int16_t whole_error(const struct describe_topic_partitions_request *q)
{
	if (q->cursor && (!q->cursor->topic_name.len || q->cursor->partition_index < 0))
		return ERROR_INVALID_REQUEST;
	for (int32_t i = 0; i < q->topics_count; i++)
		if (!q->topics[i].name.len)
			return ERROR_UNKNOWN_SERVER_ERROR;
	return ERROR_NONE;
}

enum call_result describe_topic_partitions_work(struct cluster *c, struct call *call)
{
	const struct describe_topic_partitions_request *q = call->request;
	struct describe_topic_partitions_response *r =
		call_response(call, &describe_topic_partitions_response_schema);
	int32_t count, room = q->response_partition_limit;
	struct str *names = names_of(c, call, &count);

	if (whole_error(q)) {
		fault_refuse(c, call, whole_error(q));
		return CALL_ANSWER;
	}
	if (room > c->config.broker.describe_partitions_max)
		room = c->config.broker.describe_partitions_max;
	if (room < 1)
		room = 1;
	r->topics = CALL_ARRAY(call, topic_answer, count);
	for (int32_t i = 0; i < count; i++) {
		int32_t first = 0;

		if (q->cursor && by_name(&names[i], &q->cursor->topic_name) < 0)
			continue;
		if (q->cursor && str_eq(names[i], q->cursor->topic_name))
			first = q->cursor->partition_index;
		if (room == 0) {
			put_cursor(call, r, names[i], first);
			break;
		}
		if (!put_topic(c, call, names[i], first < 0 ? 0 : first, &room, r))
			break;
	}
	return CALL_ANSWER;
}
