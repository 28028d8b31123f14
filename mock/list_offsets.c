/* ListOffsets: where a partition begins and ends, and what stands at a time. Rule 22 of the
 * acceptance text. Owns nothing. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/state.h"

/* Timestamps that are questions of their own. */
enum special {
	ASK_LATEST = -1,
	ASK_EARLIEST = -2,
	ASK_MAX_TIMESTAMP = -3,
	ASK_EARLIEST_LOCAL = -4,
	ASK_LATEST_TIERED = -5,
	ASK_EARLIEST_PENDING_UPLOAD = -6,
};

/* The version since which Kafka knows the question; -1: never (KIP-734, 405, 1005, 1023). */
static int known_since(int64_t timestamp)
{
	switch (timestamp) {
	case ASK_MAX_TIMESTAMP:
		return 7;
	case ASK_EARLIEST_LOCAL:
		return 8;
	case ASK_LATEST_TIERED:
		return 9;
	case ASK_EARLIEST_PENDING_UPLOAD:
		return 11;
	default:
		return timestamp < ASK_EARLIEST_PENDING_UPLOAD ? -1 : 0;
	}
}

struct lookup {
	struct cluster *c;
	struct call *call;
	const struct list_offsets_request *request;
};

#define REPLICA_CONSUMER  (-1)
#define REPLICA_DEBUGGING (-2) /* any replica answers it */

/* Up to where this reader sees. */
static int64_t limit_of(const struct lookup *w, const struct partition *p)
{
	return w->request->isolation_level == 1 && w->request->replica_id == REPLICA_CONSUMER
		       ? partition_stable_offset(p)
		       : partition_high_watermark(p);
}

static void find(const struct lookup *w, const struct partition *p, int64_t timestamp,
		 struct list_offsets_response_topics_partitions *r)
{
	struct cluster *c = w->c;
	int32_t epoch;

	switch (timestamp) {
	case ASK_LATEST:
		r->offset = limit_of(w, p);
		r->leader_epoch = p->leader_epoch;
		return;
	case ASK_EARLIEST:
	case ASK_EARLIEST_LOCAL:
		r->offset = p->log.start;
		r->leader_epoch = p->log.count ? log_at(&p->log, 0)->leader_epoch : p->leader_epoch;
		return;
	case ASK_MAX_TIMESTAMP:
		r->offset = log_max_time(&p->log, limit_of(w, p), &c->batch, &c->plain,
					 &r->timestamp, &epoch);
		break;
	case ASK_LATEST_TIERED:
	case ASK_EARLIEST_PENDING_UPLOAD:
		return; /* there is no tier */
	default:
		r->offset = log_find_time(&p->log, timestamp, limit_of(w, p), &c->batch, &c->plain,
					  &r->timestamp, &epoch);
	}
	if (r->offset >= 0)
		r->leader_epoch = epoch;
}

/* Version 0 asks for up to N segment starts before a time, newest first; a log here is one segment.
 */
static void find_old_style(const struct lookup *w, const struct partition *p,
			   const struct list_offsets_request_topics_partitions *q,
			   struct list_offsets_response_topics_partitions *r)
{
	int64_t end = partition_high_watermark(p), *out = CALL_ARRAY(w->call, int64_t, 2);
	int32_t n = 0;

	if (q->timestamp == ASK_LATEST && q->max_num_offsets > n && end > p->log.start)
		out[n++] = end;
	if (q->timestamp != ASK_LATEST && q->timestamp != ASK_EARLIEST) {
		struct list_offsets_response_topics_partitions at = {.offset = -1};

		find(w, p, q->timestamp, &at);
		if (at.offset > p->log.start && q->max_num_offsets > n)
			out[n++] = at.offset;
	}
	if (q->max_num_offsets > n)
		out[n++] = p->log.start;
	r->old_style_offsets = out;
	r->old_style_offsets_count = n;
}

static int16_t look_up(const struct lookup *w, struct str topic, bool twice,
		       const struct list_offsets_request_topics_partitions *q,
		       struct list_offsets_response_topics_partitions *r)
{
	struct partition *p = partition_find(topic_find(w->c, topic), q->partition_index);
	int version = w->call->header.api_version;
	int16_t code = call_fault(w->call, topic, q->partition_index);

	if (code)
		return code;
	if (w->request->isolation_level != 0 && w->request->isolation_level != 1)
		return ERROR_UNKNOWN_SERVER_ERROR;
	if (version >= 1 && twice)
		return ERROR_INVALID_REQUEST;
	if (version >= 1 && (known_since(q->timestamp) < 0 || known_since(q->timestamp) > version))
		return ERROR_UNSUPPORTED_VERSION;
	code = partition_leader_error(p, w->call->broker, q->current_leader_epoch);
	if (code == ERROR_NOT_LEADER_OR_FOLLOWER && w->request->replica_id == REPLICA_DEBUGGING &&
	    partition_has_replica(p, w->call->broker))
		code = ERROR_NONE;
	if (code)
		return code;
	if (version == 0)
		find_old_style(w, p, q, r);
	else
		find(w, p, q->timestamp, r);
	if (version < 4)
		r->leader_epoch = -1;
	return ERROR_NONE;
}

static void put_one(const struct lookup *w, const struct asked *a,
		    struct list_offsets_response_topics_partitions *r)
{
	const struct list_offsets_request_topics_partitions *q =
		&w->request->topics[a->topic_at].partitions[a->at];

	codec_init(&list_offsets_response_topics_partitions_schema, r);
	r->partition_index = a->partition;
	r->error_code = look_up(w, a->topic, a->twice, q, r);
}

static void ask(const struct list_offsets_request *q, struct call *call, struct asked_list *list)
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

enum call_result list_offsets_work(struct cluster *c, struct call *call)
{
	const struct list_offsets_request *q = call->request;
	struct list_offsets_response *r = call_response(call, &list_offsets_response_schema);
	struct lookup w = {c, call, q};
	struct asked_list list;
	struct asked_topic *topics;

	ask(q, call, &list);
	topics = asked_by_topic(&list, call, &r->topics_count);
	r->topics = CALL_ARRAY(call, struct list_offsets_response_topics, r->topics_count);
	for (int32_t i = 0; i < r->topics_count; i++) {
		r->topics[i].name = topics[i].name;
		r->topics[i].partitions = CALL_ARRAY(
			call, struct list_offsets_response_topics_partitions, topics[i].count);
	}
	for (int32_t i = 0; i < list.count; i++) {
		struct list_offsets_response_topics *t = &r->topics[list.items[i].group];

		put_one(&w, &list.items[i], &t->partitions[t->partitions_count++]);
	}
	return CALL_ANSWER;
}
