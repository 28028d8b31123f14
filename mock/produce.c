/* Produce: each partition by itself, appended once, answered as acks ask. Rules 13 to 17 of the
 * acceptance text; which records are good is mock/incoming.c's. */
#include "mock/asked.h"
#include "mock/fault.h"
#include "mock/incoming.h"
#include "mock/leader_hint.h"
#include "mock/state.h"

struct produce {
	struct cluster *c;
	struct call *call;
	const struct produce_request *request;
	struct produce_response *response;
	bool errors;
	bool unnamed; /* transactional batches, but no transactional id (rule 29) */
};

static bool has_transactional(const struct produce_request *q)
{
	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++) {
			struct records r = q->topic_data[i].partition_data[k].records;
			struct records_reader reader;
			struct batch b;

			records_reader_init(&reader, r.data, (size_t)r.len);
			if (r.data && records_next(&reader, &b, NULL) > 0 && b.transactional)
				return true;
		}
	return false;
}

/* The number of in-sync replicas that acks -1 needs: a topic with fewer replicas needs only those
 * (rule 17). */
static bool enough_replicas(const struct partition *p)
{
	int32_t need = p->topic->config.min_insync_replicas;

	return p->isr_count >= (need < p->replicas_count ? need : p->replicas_count);
}

static int16_t append(struct produce *w, struct partition *p, struct incoming *in,
		      struct produce_response_responses_partition_responses *r)
{
	const struct producer_batch *repeat = NULL;
	bool append_time = p->topic->config.timestamp_type == TIMESTAMP_LOG_APPEND;
	int16_t code = ERROR_NONE;

	if (in->claim.transactional)
		code = txn_check_produce(w->c, w->request->transactional_id,
					 (struct txn_claim){in->claim.id, in->claim.epoch}, p,
					 w->call->header.api_version >= 12,
					 w->call->header.api_version >= 11);
	in->early = code != 0;
	if (code == ERROR_INVALID_TXN_STATE || code == ERROR_NOT_ENOUGH_REPLICAS)
		r->error_message = str_of("the partition can't be in this transaction now");
	if (code)
		return code;
	if (in->claim.id >= 0)
		code = producer_check(&p->producers, &in->claim, &repeat);
	if (code)
		return code;
	if (repeat) {
		r->base_offset = repeat->first_offset;
		r->log_append_time_ms = repeat->timestamp;
		return ERROR_NONE;
	}
	if (!in->append.batch.len)
		return ERROR_NONE; /* an empty message set */
	if (!log_has_room(&p->log, (size_t)in->append.batch.len)) {
		r->error_message =
			call_printf(w->call, "the logs have used up their memory of %zu bytes",
				    w->c->memory.max);
		return ERROR_KAFKA_STORAGE_ERROR;
	}
	r->base_offset = partition_append(w->c, p, &in->append, w->call);
	if (append_time)
		r->log_append_time_ms = in->append.max_timestamp;
	if (in->claim.id >= 0)
		producer_note(&p->producers, &in->claim, r->base_offset, in->append.max_timestamp);
	return ERROR_NONE;
}

/* *ret_early: refused before the partition was looked at. */
static int16_t produce_one(struct produce *w, struct partition *p, struct records records,
			   bool *ret_early,
			   struct produce_response_responses_partition_responses *r)
{
	struct incoming in;
	int16_t code = w->unnamed ? ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
		       : !p	  ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
				  : incoming_glance(w->call, records, &in, r);

	*ret_early = code != 0; /* a broker judges the batch before it asks who leads */
	if (code)
		return code;
	code = partition_leader_error(p, w->call->broker, -1);
	if (!code && (w->request->acks < -1 || w->request->acks > 1))
		code = ERROR_INVALID_REQUIRED_ACKS;
	if (!code && w->request->acks == -1 && !enough_replicas(p))
		code = ERROR_NOT_ENOUGH_REPLICAS;
	if (!code)
		code = incoming_read(w->c, w->call, p, records, &in, r);
	if (!code)
		code = append(w, p, &in, r);
	*ret_early = in.early;
	return code;
}

/* Errors after which a broker does not say where its log starts. */
static bool start_is_unknown(int16_t code)
{
	return code == ERROR_UNKNOWN_TOPIC_OR_PARTITION || code == ERROR_UNKNOWN_TOPIC_ID ||
	       code == ERROR_NOT_LEADER_OR_FOLLOWER || code == ERROR_MESSAGE_TOO_LARGE ||
	       code == ERROR_CORRUPT_MESSAGE || code == ERROR_KAFKA_STORAGE_ERROR ||
	       code == ERROR_INVALID_REQUIRED_ACKS;
}

static void put_partition(struct produce *w, const struct topic *t, struct str name,
			  const struct produce_request_topic_data_partition_data *q,
			  struct produce_response_responses_partition_responses *r)
{
	struct partition *p = partition_find(t, q->index);
	bool early = false;

	codec_init(&produce_response_responses_partition_responses_schema, r);
	r->index = q->index;
	r->error_code = call_fault(w->call, name, q->index);
	if (!r->error_code && !t && w->call->header.api_version >= 13)
		r->error_code = ERROR_UNKNOWN_TOPIC_ID;
	if (!r->error_code)
		r->error_code = produce_one(w, p, q->records, &early, r);
	r->log_start_offset = p && !start_is_unknown(r->error_code) ? p->log.start : -1;
	if (!r->error_code)
		return;
	if (early)
		r->log_start_offset = -1;
	r->base_offset = -1;
	w->errors = true;
	if (r->error_code != ERROR_NOT_LEADER_OR_FOLLOWER || !p || w->call->header.api_version < 10)
		return; /* below 10 there is no place for the leader */
	r->current_leader.leader_id = p->leader;
	r->current_leader.leader_epoch = p->leader_epoch;
	leader_hint_add(w->c, w->call, p->leader, &w->response->node_endpoints,
			&w->response->node_endpoints_count);
}

static void ask(struct produce *w, struct asked_list *list)
{
	const struct produce_request *q = w->request;
	int32_t count = 0;

	for (int32_t i = 0; i < q->topic_data_count; i++)
		count += q->topic_data[i].partition_data_count;
	asked_init(list, w->call, count);
	for (int32_t i = 0; i < q->topic_data_count; i++)
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			asked_add(list, q->topic_data[i].name, q->topic_data[i].topic_id,
				  q->topic_data[i].partition_data[k].index, i, k);
}

static void produce_all(struct produce *w)
{
	struct produce_response *r = w->response;
	struct asked_list list;
	struct asked_topic *topics;

	ask(w, &list);
	topics = asked_by_topic(&list, w->call, &r->responses_count);
	r->responses = CALL_ARRAY(w->call, struct produce_response_responses, r->responses_count);
	for (int32_t i = 0; i < r->responses_count; i++) {
		codec_init(&produce_response_responses_schema, &r->responses[i]);
		r->responses[i].name = topics[i].name;
		r->responses[i].topic_id = topics[i].id;
		r->responses[i].partition_responses =
			CALL_ARRAY(w->call, struct produce_response_responses_partition_responses,
				   topics[i].count);
	}
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];
		const struct topic *t = topic_resolve(w->c, a->topic, a->topic_id);
		struct produce_response_responses *e = &r->responses[a->group];

		put_partition(w, t, t ? t->name : a->topic,
			      &w->request->topic_data[a->topic_at].partition_data[a->at],
			      &e->partition_responses[e->partition_responses_count++]);
	}
}

enum call_result produce_work(struct cluster *c, struct call *call)
{
	const struct produce_request *q = call->request;
	struct produce w = {.c = c, .call = call, .request = q};

	w.response = call_response(call, &produce_response_schema);
	w.unnamed = !q->transactional_id.data && has_transactional(q);
	produce_all(&w);
	if (q->acks == 0) /* nobody reads an answer: an error ends the connection (rule 13) */
		return w.errors ? CALL_CLOSE : CALL_NO_ANSWER;
	return CALL_ANSWER;
}
