/* OffsetForLeaderEpoch (KIP-101, 320): where an epoch of a partition ended, for consumers that ask
 * whether their history still is the log's (rule 22). Owns nothing. */
#include "mock/fault.h"
#include "mock/state.h"

typedef struct offset_for_leader_epoch_request_topics_partitions query;
typedef struct offset_for_leader_epoch_response_topics_partitions answer;

static void look_up(struct cluster *c, struct call *call, struct str topic, const query *q,
		    answer *r)
{
	struct partition *p = partition_find(topic_find(c, topic), q->partition);

	codec_init(&offset_for_leader_epoch_response_topics_partitions_schema, r);
	r->partition = q->partition;
	r->error_code = call_fault(call, topic, q->partition);
	if (!r->error_code)
		r->error_code = partition_leader_error(p, call->broker, q->current_leader_epoch);
	if (!r->error_code)
		r->end_offset = log_end_of_epoch(&p->log, q->leader_epoch, &r->leader_epoch);
}

enum call_result offset_for_leader_epoch_work(struct cluster *c, struct call *call)
{
	const struct offset_for_leader_epoch_request *q = call->request;
	struct offset_for_leader_epoch_response *r =
		call_response(call, &offset_for_leader_epoch_response_schema);

	r->topics =
		CALL_ARRAY(call, struct offset_for_leader_epoch_response_topics, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct offset_for_leader_epoch_request_topics *tq = &q->topics[i];
		struct offset_for_leader_epoch_response_topics *t = &r->topics[i];

		t->topic = tq->topic;
		t->partitions = CALL_ARRAY(call, answer, tq->partitions_count);
		t->partitions_count = tq->partitions_count;
		for (int32_t k = 0; k < tq->partitions_count; k++)
			look_up(c, call, tq->topic, &tq->partitions[k], &t->partitions[k]);
	}
	return CALL_ANSWER;
}
