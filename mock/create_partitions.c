/* CreatePartitions: rule 10 of the acceptance text. A topic gets all its new partitions or none.
 * Any broker takes the request. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/state.h"

#include <stdarg.h>
#include <stdio.h>

#define REQUEST_PARTITIONS_MAX 10000 /* new ones in one request */

typedef struct create_partitions_request_topics query;
typedef struct create_partitions_response_results answer;

static int16_t refuse(struct call *call, answer *r, int16_t code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int16_t refuse(struct call *call, answer *r, int16_t code, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->error_message = call_str(call, str_of(text));
	return code;
}

static int16_t check_nodes(struct cluster *c, struct call *call,
			   const struct create_partitions_request_topics_assignments *a, answer *r)
{
	int32_t up = 0;

	if (a->broker_ids_count < 1)
		return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
			      "a partition needs a replica");
	for (int32_t i = 0; i < a->broker_ids_count; i++) {
		const struct broker *b = cluster_broker(c, a->broker_ids[i]);

		if (!b)
			return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      "there is no broker %d", a->broker_ids[i]);
		up += b->alive;
		for (int32_t k = 0; k < i; k++)
			if (a->broker_ids[k] == a->broker_ids[i])
				return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
					      "broker %d is there twice", a->broker_ids[i]);
	}
	return up ? ERROR_NONE
		  : refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT, "none of them is up");
}

/* The replicas that the request gives the new partitions. */
static int16_t check_assignments(struct cluster *c, struct call *call, const struct topic *t,
				 const query *q, answer *r, const struct placement **ret)
{
	struct placement *placement;
	int32_t more = q->count - t->partitions_count;

	if (q->assignments_count != more)
		return refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
			      "%d new partitions, %d assignments", more, q->assignments_count);
	placement = CALL_ARRAY(call, struct placement, more);
	for (int32_t i = 0; i < more; i++) {
		int16_t code = check_nodes(c, call, &q->assignments[i], r);

		if (!code && q->assignments[i].broker_ids_count != t->partitions[0]->replicas_count)
			code = refuse(call, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      "this topic's partitions have %d replicas",
				      t->partitions[0]->replicas_count);
		if (code)
			return code;
		placement[i] = (struct placement){q->assignments[i].broker_ids,
						  q->assignments[i].broker_ids_count};
	}
	*ret = placement;
	return ERROR_NONE;
}

static int16_t create(struct cluster *c, struct call *call, const query *q, bool twice, answer *r)
{
	const struct create_partitions_request *request = call->request;
	const struct placement *placement = NULL;
	struct topic *t = topic_find(c, q->name);
	int16_t code = call_fault(call, q->name, -1);

	if (code)
		return code;
	if (twice)
		return refuse(call, r, ERROR_INVALID_REQUEST, "the request names this topic twice");
	if (!t)
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (q->count <= t->partitions_count)
		return refuse(call, r, ERROR_INVALID_PARTITIONS,
			      "the topic has %d partitions, %d are not more", t->partitions_count,
			      q->count);
	if (!cluster_alive(c))
		return refuse(call, r, ERROR_INVALID_REPLICATION_FACTOR, "no broker is up");
	if (q->assignments_count >= 0)
		code = check_assignments(c, call, t, q, r, &placement);
	if (!code && !request->validate_only)
		topic_add_partitions(c, t, q->count, placement);
	return code;
}

/* Partitions that the request would add, all topics together. */
static int64_t count_new(const struct cluster *c, const struct create_partitions_request *q)
{
	int64_t n = 0;

	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct topic *t = topic_find(c, q->topics[i].name);
		int32_t have = t ? t->partitions_count : 0;

		n += q->topics[i].count > have ? q->topics[i].count - have : 0;
	}
	return n;
}

enum call_result create_partitions_work(struct cluster *c, struct call *call)
{
	const struct create_partitions_request *q = call->request;
	struct create_partitions_response *r =
		call_response(call, &create_partitions_response_schema);
	bool too_many = count_new(c, q) > REQUEST_PARTITIONS_MAX;
	struct asked_list list;

	asked_init(&list, call, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++)
		asked_add(&list, q->topics[i].name, (struct uuid){0}, -1, i, 0);
	r->results = CALL_ARRAY(call, answer, list.count);
	r->results_count = list.count;
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];
		answer *out = &r->results[i];

		codec_init(&create_partitions_response_results_schema, out);
		out->name = a->topic;
		out->error_code = too_many
					  ? refuse(call, out, ERROR_POLICY_VIOLATION,
						   "a request makes at most %d new partitions",
						   REQUEST_PARTITIONS_MAX)
					  : create(c, call, &q->topics[a->topic_at], a->twice, out);
	}
	return CALL_ANSWER;
}
