/* ElectLeaders (KIP-460): the preferred leader leads again, or anybody does where nobody could.
 * Rule 12 of the acceptance text. Any broker takes it. */
#include "mock/fault.h"
#include "mock/leadership.h"
#include "mock/state.h"

enum election { ELECT_PREFERRED = 0, ELECT_UNCLEAN = 1 };

typedef struct elect_leaders_response_replica_election_results topic_answer;
typedef struct elect_leaders_response_replica_election_results_partition_result answer;

static bool may_lead(const struct cluster *c, const struct partition *p, int32_t node)
{
	for (int32_t i = 0; i < p->isr_count; i++)
		if (p->isr[i] == node)
			return cluster_broker(c, node)->alive;
	return false;
}

static int16_t elect_preferred(struct cluster *c, struct partition *p)
{
	if (p->leader == p->replicas[0])
		return ERROR_ELECTION_NOT_NEEDED;
	if (!may_lead(c, p, p->replicas[0]))
		return ERROR_PREFERRED_LEADER_NOT_AVAILABLE;
	leader_set(c, p, p->replicas[0]);
	return ERROR_NONE;
}

static int16_t elect_any(struct cluster *c, struct partition *p)
{
	if (p->leader >= 0)
		return ERROR_ELECTION_NOT_NEEDED;
	for (int32_t i = 0; i < p->replicas_count; i++) {
		if (!cluster_broker(c, p->replicas[i])->alive)
			continue;
		leader_out_of_sync(c, p, p->replicas[i]);
		return ERROR_NONE;
	}
	return ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE;
}

static const char *text_of(int16_t code)
{
	switch (code) {
	case ERROR_NONE:
		return NULL;
	case ERROR_ELECTION_NOT_NEEDED:
		return "the partition has the leader that it should have";
	case ERROR_PREFERRED_LEADER_NOT_AVAILABLE:
		return "its first replica is not in sync";
	case ERROR_UNKNOWN_TOPIC_OR_PARTITION:
		return "there is no such partition";
	case ERROR_INVALID_REQUEST:
		return "there is no such type of election";
	default:
		return "the election failed";
	}
}

static int16_t elect(struct cluster *c, struct call *call, struct str topic, struct partition *p,
		     int32_t index)
{
	const struct elect_leaders_request *q = call->request;
	int16_t code = call_fault(call, topic, index);

	if (code)
		return code;
	if (!p)
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	return q->election_type == ELECT_UNCLEAN ? elect_any(c, p) : elect_preferred(c, p);
}

static void put(topic_answer *out, int32_t index, int16_t code)
{
	answer *r = &out->partition_result[out->partition_result_count++];
	const char *text = text_of(code);

	r->partition_id = index;
	r->error_code = code;
	r->error_message = text ? str_of(text) : (struct str){0};
}

static void elect_asked(struct cluster *c, struct call *call, struct elect_leaders_response *r)
{
	const struct elect_leaders_request *q = call->request;
	bool known = q->election_type == ELECT_PREFERRED || q->election_type == ELECT_UNCLEAN;

	if (!known && call->header.api_version >= 1)
		r->error_code = ERROR_INVALID_REQUEST;
	for (int32_t i = 0; i < q->topic_partitions_count; i++) {
		const struct elect_leaders_request_topic_partitions *in = &q->topic_partitions[i];
		const struct topic *t = topic_find(c, in->topic);
		topic_answer *out =
			&r->replica_election_results[r->replica_election_results_count++];

		out->topic = in->topic;
		out->partition_result = CALL_ARRAY(call, answer, in->partitions_count);
		for (int32_t k = 0; k < in->partitions_count; k++) {
			int32_t index = in->partitions[k];

			put(out, index,
			    known ? elect(c, call, in->topic, partition_find(t, index), index)
				  : ERROR_INVALID_REQUEST);
		}
	}
}

/* All topics are named, with those partitions that wanted an election. */
static void elect_all(struct cluster *c, struct call *call, struct elect_leaders_response *r)
{
	struct topic *t, *next;

	HASH_ITER (by_name, c->topics.by_name, t, next) {
		topic_answer *out =
			&r->replica_election_results[r->replica_election_results_count++];

		out->topic = call_str(call, t->name);
		out->partition_result = CALL_ARRAY(call, answer, t->partitions_count);
		for (int32_t i = 0; i < t->partitions_count; i++) {
			int16_t code = elect(c, call, t->name, t->partitions[i], i);

			if (code != ERROR_ELECTION_NOT_NEEDED)
				put(out, i, code);
		}
	}
}

enum call_result elect_leaders_work(struct cluster *c, struct call *call)
{
	const struct elect_leaders_request *q = call->request;
	struct elect_leaders_response *r = call_response(call, &elect_leaders_response_schema);
	int32_t count = q->topic_partitions_count < 0
				? (int32_t)HASH_CNT(by_name, c->topics.by_name)
				: q->topic_partitions_count;

	r->replica_election_results = CALL_ARRAY(call, topic_answer, count);
	if (q->topic_partitions_count < 0)
		elect_all(c, call, r);
	else
		elect_asked(c, call, r);
	return CALL_ANSWER;
}
