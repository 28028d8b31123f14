/* AlterPartitionReassignments and ListPartitionReassignments (KIP-455, KIP-860). Any broker takes
 * them, as KRaft brokers hand them on. */
#include "mock/fault.h"
#include "mock/reassignment.h"
#include "mock/state.h"

typedef struct alter_partition_reassignments_request_topics_partitions query;
typedef struct alter_partition_reassignments_response_responses_partitions answer;

static int16_t refuse(struct call *call, answer *r, int16_t code, const char *text, int32_t about)
{
	r->error_message = call_printf(call, "%s: %d", text, about);
	return code;
}

static int16_t check_nodes(struct cluster *c, struct call *call, const query *q, answer *r)
{
	if (q->replicas_count == 0)
		return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
			      "the partition needs a replica", q->partition_index);
	for (int32_t i = 0; i < q->replicas_count; i++)
		if (!cluster_broker(c, q->replicas[i]))
			return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      "there is no such broker", q->replicas[i]);
	/* All are known, so the first that is there twice is soon found. */
	for (int32_t i = 0; i < q->replicas_count; i++)
		for (int32_t k = 0; k < i; k++)
			if (q->replicas[k] == q->replicas[i])
				return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
					      "a broker is there twice", q->replicas[i]);
	return ERROR_NONE;
}

/* How many replicas there are to be, in the end. */
static int32_t replication(const struct partition *p)
{
	return p->replicas_count - p->removing_count;
}

static int16_t alter(struct cluster *c, struct call *call, struct str topic, const query *q,
		     answer *r)
{
	const struct alter_partition_reassignments_request *request = call->request;
	struct partition *p = partition_find(topic_find(c, topic), q->partition_index);
	int16_t code = call_fault(call, topic, q->partition_index);

	if (code)
		return code;
	if (!p)
		return refuse(call, r, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
			      "there is no such partition", q->partition_index);
	if (q->replicas_count < 0) {
		if (!reassignment_is_under_way(p))
			return ERROR_NO_REASSIGNMENT_IN_PROGRESS;
		if (!reassignment_can_cancel(p))
			return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      "no replica of before is in sync, so nobody could lead",
				      q->partition_index);
		reassignment_cancel(c, p);
		return ERROR_NONE;
	}
	code = check_nodes(c, call, q, r);
	if (!code && !request->allow_replication_factor_change &&
	    q->replicas_count != replication(p))
		code = refuse(call, r, ERROR_INVALID_REPLICATION_FACTOR,
			      "the number of replicas would change from", replication(p));
	if (!code)
		reassignment_start(c, p, q->replicas, q->replicas_count);
	return code;
}

enum call_result alter_partition_reassignments_work(struct cluster *c, struct call *call)
{
	const struct alter_partition_reassignments_request *q = call->request;
	struct alter_partition_reassignments_response *r =
		call_response(call, &alter_partition_reassignments_response_schema);

	r->allow_replication_factor_change = q->allow_replication_factor_change;
	r->error_message = q->topics_count ? (struct str){0} : str_of("");
	r->responses = CALL_ARRAY(call, struct alter_partition_reassignments_response_responses,
				  q->topics_count);
	r->responses_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct alter_partition_reassignments_request_topics *in = &q->topics[i];
		struct alter_partition_reassignments_response_responses *out = &r->responses[i];

		out->name = in->name;
		out->partitions = CALL_ARRAY(call, answer, in->partitions_count);
		out->partitions_count = in->partitions_count;
		for (int32_t k = 0; k < in->partitions_count; k++) {
			answer *a = &out->partitions[k];

			a->partition_index = in->partitions[k].partition_index;
			a->error_code = alter(c, call, in->name, &in->partitions[k], a);
		}
	}
	return CALL_ANSWER;
}

/* ---- ListPartitionReassignments ---- */

typedef struct list_partition_reassignments_response_topics topic_answer;
typedef struct list_partition_reassignments_response_topics_partitions partition_answer;

static int32_t *copy(struct call *call, const int32_t *nodes, int32_t count)
{
	int32_t *out = CALL_ARRAY(call, int32_t, count);

	if (count)
		memcpy(out, nodes, (size_t)count * sizeof(out[0]));
	return out;
}

static void list_partition(struct call *call, const struct partition *p, topic_answer *out)
{
	partition_answer *r;

	if (!p || !reassignment_is_under_way(p))
		return;
	r = &out->partitions[out->partitions_count++];
	r->partition_index = p->index;
	r->replicas = copy(call, p->replicas, p->replicas_count);
	r->replicas_count = p->replicas_count;
	r->adding_replicas = copy(call, p->adding, p->adding_count);
	r->adding_replicas_count = p->adding_count;
	r->removing_replicas = copy(call, p->removing, p->removing_count);
	r->removing_replicas_count = p->removing_count;
}

/* partitions NULL: all of the topic. A topic without any is not in the answer. */
static void list_topic(struct call *call, const struct topic *t, const int32_t *partitions,
		       int32_t count, struct list_partition_reassignments_response *r)
{
	topic_answer *out = &r->topics[r->topics_count];

	if (!t)
		return;
	if (!partitions)
		count = t->partitions_count;
	out->name = call_str(call, t->name);
	out->partitions_count = 0;
	out->partitions = CALL_ARRAY(call, partition_answer, count);
	for (int32_t i = 0; i < count; i++)
		list_partition(call, partition_find(t, partitions ? partitions[i] : i), out);
	r->topics_count += out->partitions_count > 0;
}

enum call_result list_partition_reassignments_work(struct cluster *c, struct call *call)
{
	static const int32_t no_partitions[1];
	const struct list_partition_reassignments_request *q = call->request;
	struct list_partition_reassignments_response *r =
		call_response(call, &list_partition_reassignments_response_schema);
	struct topic *t, *next;

	r->error_message = (struct str){0};
	r->topics = CALL_ARRAY(call, topic_answer,
			       q->topics_count < 0 ? (int32_t)HASH_CNT(by_name, c->topics.by_name)
						   : q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct list_partition_reassignments_request_topics *in = &q->topics[i];

		list_topic(call, topic_find(c, in->name),
			   in->partition_indexes_count ? in->partition_indexes : no_partitions,
			   in->partition_indexes_count, r);
	}
	if (q->topics_count < 0)
		HASH_ITER (by_name, c->topics.by_name, t, next)
			list_topic(call, t, NULL, 0, r);
	return CALL_ANSWER;
}
