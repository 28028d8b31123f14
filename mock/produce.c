/* Produce: each partition by itself, appended once, answered as acks ask. Rules 13 to 17 of the
 * acceptance text; which records are good is mock/incoming.c's. */
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

static int16_t produce_one(struct produce *w, struct partition *p, struct records records,
			   struct produce_response_responses_partition_responses *r)
{
	struct incoming in;
	int16_t code = partition_leader_error(p, w->call->broker, -1);

	if (!code && (w->request->acks < -1 || w->request->acks > 1))
		code = ERROR_INVALID_REQUIRED_ACKS;
	if (!code && w->request->acks == -1 && !enough_replicas(p))
		code = ERROR_NOT_ENOUGH_REPLICAS;
	if (!code && w->unnamed)
		code = ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (!code)
		code = incoming_read(w->c, w->call, p, records, &in, r);
	return code ? code : append(w, p, &in, r);
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

	codec_init(&produce_response_responses_partition_responses_schema, r);
	r->index = q->index;
	r->error_code = call_fault(w->call, name, q->index);
	if (!r->error_code && !t && w->call->header.api_version >= 13)
		r->error_code = ERROR_UNKNOWN_TOPIC_ID;
	if (!r->error_code)
		r->error_code = produce_one(w, p, q->records, r);
	r->log_start_offset = p && !start_is_unknown(r->error_code) ? p->log.start : -1;
	if (!r->error_code)
		return;
	r->base_offset = -1;
	w->errors = true;
	if (r->error_code != ERROR_NOT_LEADER_OR_FOLLOWER || !p)
		return;
	r->current_leader.leader_id = p->leader;
	r->current_leader.leader_epoch = p->leader_epoch;
	leader_hint_add(w->c, w->call, p->leader, &w->response->node_endpoints,
			&w->response->node_endpoints_count);
}

static void put_topic(struct produce *w, const struct produce_request_topic_data *q,
		      struct produce_response_responses *r)
{
	const struct topic *t = topic_resolve(w->c, q->name, q->topic_id);

	codec_init(&produce_response_responses_schema, r);
	r->name = q->name;
	r->topic_id = q->topic_id;
	r->partition_responses =
		CALL_ARRAY(w->call, struct produce_response_responses_partition_responses,
			   q->partition_data_count);
	r->partition_responses_count = q->partition_data_count;
	for (int32_t i = 0; i < q->partition_data_count; i++)
		put_partition(w, t, t ? t->name : q->name, &q->partition_data[i],
			      &r->partition_responses[i]);
}

enum call_result produce_work(struct cluster *c, struct call *call)
{
	const struct produce_request *q = call->request;
	struct produce w = {c,	   call, q, call_response(call, &produce_response_schema),
			    false, false};

	w.unnamed = !q->transactional_id.data && has_transactional(q);
	w.response->responses =
		CALL_ARRAY(call, struct produce_response_responses, q->topic_data_count);
	w.response->responses_count = q->topic_data_count;
	for (int32_t i = 0; i < q->topic_data_count; i++)
		put_topic(&w, &q->topic_data[i], &w.response->responses[i]);
	if (q->acks == 0) /* nobody reads an answer: an error ends the connection (rule 13) */
		return w.errors ? CALL_CLOSE : CALL_NO_ANSWER;
	return CALL_ANSWER;
}
