/* DeleteRecords (KIP-107): a partition's log begins later from now on; rule 10 of the acceptance
 * text. Replicas share their log, so nobody is waited for. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/state.h"

#define UP_TO_HIGH_WATERMARK (-1)

static int16_t delete_before(struct cluster *c, struct call *call, const struct asked *a,
			     int64_t offset, int64_t *ret_low)
{
	struct partition *p = partition_find(topic_find(c, a->topic), a->partition);
	int16_t code = call_fault(call, a->topic, a->partition);
	int64_t end;

	if (code)
		return code;
	if (p && p->topic->internal)
		return ERROR_INVALID_TOPIC_EXCEPTION;
	code = partition_leader_error(p, call->broker, -1);
	if (code)
		return code;
	if (!p->topic->config.delete)
		return ERROR_POLICY_VIOLATION;
	end = partition_high_watermark(p);
	if (offset == UP_TO_HIGH_WATERMARK)
		offset = end;
	if (offset < 0 || offset > end)
		return ERROR_OFFSET_OUT_OF_RANGE;
	partition_move_start(c, p, offset);
	*ret_low = p->log.start;
	return ERROR_NONE;
}

static void ask(const struct delete_records_request *q, struct call *call, struct asked_list *list)
{
	int32_t count = 0;

	for (int32_t i = 0; i < q->topics_count; i++)
		count += q->topics[i].partitions_count;
	asked_init(list, call, count);
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			asked_add(list, q->topics[i].name, (struct uuid){0},
				  q->topics[i].partitions[k].partition_index, i, k);
}

enum call_result delete_records_work(struct cluster *c, struct call *call)
{
	const struct delete_records_request *q = call->request;
	struct delete_records_response *r = call_response(call, &delete_records_response_schema);
	struct asked_list list;
	struct asked_topic *topics;

	ask(q, call, &list);
	topics = asked_by_topic(&list, call, &r->topics_count);
	r->topics = CALL_ARRAY(call, struct delete_records_response_topics, r->topics_count);
	for (int32_t i = 0; i < r->topics_count; i++) {
		r->topics[i].name = topics[i].name;
		r->topics[i].partitions = CALL_ARRAY(
			call, struct delete_records_response_topics_partitions, topics[i].count);
	}
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];
		struct delete_records_response_topics *t = &r->topics[a->group];
		struct delete_records_response_topics_partitions *p =
			&t->partitions[t->partitions_count++];

		p->partition_index = a->partition;
		p->low_watermark = -1;
		p->error_code =
			delete_before(c, call, a, q->topics[a->topic_at].partitions[a->at].offset,
				      &p->low_watermark);
	}
	return CALL_ANSWER;
}
