/* InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn and EndTxn: rules 28 to 30 of the acceptance
 * text. Owns nothing; states are mock/txn.c's. */
#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/state.h"

/* Clients that do not know PRODUCER_FENCED get what stood for it before (KIP-588). */
static int16_t fenced_for(const struct call *call, int known_since, int16_t code)
{
	return code == ERROR_PRODUCER_FENCED && call->header.api_version < known_since
		       ? ERROR_INVALID_PRODUCER_EPOCH
		       : code;
}

/* --- InitProducerId --- */

static int16_t init(struct cluster *c, struct call *call, struct txn **ret)
{
	const struct init_producer_id_request *q = call->request;
	struct txn_claim claim = {q->producer_id, q->producer_epoch};
	int16_t code;

	if (!q->transactional_id.len)
		return ERROR_INVALID_REQUEST;
	code = coordinator_check(c, call, q->transactional_id);
	if (code)
		return code;
	if (q->transaction_timeout_ms <= 0 ||
	    q->transaction_timeout_ms > c->config.broker.txn_timeout_max_ms)
		return ERROR_INVALID_TRANSACTION_TIMEOUT;
	code = txn_init(c, q->transactional_id, q->transaction_timeout_ms, claim, ret);
	return fenced_for(call, 4, code);
}

enum call_result init_producer_id_work(struct cluster *c, struct call *call)
{
	const struct init_producer_id_request *q = call->request;
	struct init_producer_id_response *r =
		call_response(call, &init_producer_id_response_schema);
	struct txn *t = NULL;

	if ((q->producer_id == -1) != (q->producer_epoch == -1))
		r->error_code = ERROR_INVALID_REQUEST;
	if (!q->transactional_id.data && !r->error_code) {
		r->producer_id = producer_id_new(c);
		return CALL_ANSWER;
	}
	if (!r->error_code)
		r->error_code = init(c, call, &t);
	r->producer_id = r->error_code ? -1 : t->producer_id;
	r->producer_epoch = r->error_code ? -1 : t->epoch;
	return CALL_ANSWER;
}

/* --- AddPartitionsToTxn --- */

typedef struct add_partitions_to_txn_request_add_partitions_to_txn_topic topic_query;
typedef struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result topic_answer;
typedef struct add_partitions_to_txn_response_add_partitions_to_txn_partition_result
	partition_answer;

/* One transaction's part of the request, whichever version it came in. */
struct addition {
	struct str id;
	struct txn_claim claim;
	bool verify_only;
	const topic_query *topics;
	int32_t topics_count;
};

/* Partitions that are not there, or that a rule refuses: all or nothing is added (rule 29). */
static bool mark_bad(struct cluster *c, struct call *call, const struct addition *a,
		     topic_answer *answers)
{
	bool bad = false;

	for (int32_t i = 0; i < a->topics_count; i++) {
		const topic_query *q = &a->topics[i];
		const struct topic *t = topic_find(c, q->name);

		answers[i].name = q->name;
		answers[i].results_by_partition =
			CALL_ARRAY(call, partition_answer, q->partitions_count);
		answers[i].results_by_partition_count = q->partitions_count;
		for (int32_t k = 0; k < q->partitions_count; k++) {
			partition_answer *p = &answers[i].results_by_partition[k];

			p->partition_index = q->partitions[k];
			p->partition_error_code = call_fault(call, q->name, q->partitions[k]);
			if (!p->partition_error_code && !partition_find(t, q->partitions[k]))
				p->partition_error_code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
			bad = bad || p->partition_error_code;
		}
	}
	return bad;
}

static int16_t check(struct cluster *c, const struct call *call, const struct addition *a)
{
	int16_t code;

	if (!a->id.len)
		return ERROR_INVALID_REQUEST;
	code = coordinator_check(c, call, a->id);
	return code ? code : txn_check_add(txn_find(c, a->id), a->claim);
}

/* Whether a partition is in the transaction, for who only asks. */
static int16_t verify(const struct call *call, const struct txn *t, const struct partition *p)
{
	if (txn_has_partition(t, p))
		return ERROR_NONE;
	return call->header.api_version >= 5 ? ERROR_TRANSACTION_ABORTABLE
					     : ERROR_INVALID_TXN_STATE;
}

static void add(struct cluster *c, struct call *call, const struct addition *a,
		topic_answer *answers)
{
	bool bad = mark_bad(c, call, a, answers);
	int16_t code = fenced_for(call, 2, check(c, call, a));
	struct txn *t = txn_find(c, a->id);

	for (int32_t i = 0; i < a->topics_count; i++)
		for (int32_t k = 0; k < a->topics[i].partitions_count; k++) {
			partition_answer *r = &answers[i].results_by_partition[k];
			struct partition *p = partition_find(topic_find(c, a->topics[i].name),
							     r->partition_index);

			if (r->partition_error_code)
				continue;
			if (bad)
				r->partition_error_code = ERROR_OPERATION_NOT_ATTEMPTED;
			else if (code)
				r->partition_error_code = code;
			else if (a->verify_only)
				r->partition_error_code = verify(call, t, p);
			else
				txn_add_partition(c, t, p);
		}
}

static enum call_result add_one(struct cluster *c, struct call *call)
{
	const struct add_partitions_to_txn_request *q = call->request;
	struct add_partitions_to_txn_response *r = call->response;
	struct addition a = {q->v3_and_below_transactional_id,
			     {q->v3_and_below_producer_id, q->v3_and_below_producer_epoch},
			     false,
			     q->v3_and_below_topics,
			     q->v3_and_below_topics_count};

	r->results_by_topic_v3_and_below = CALL_ARRAY(call, topic_answer, a.topics_count);
	r->results_by_topic_v3_and_below_count = a.topics_count;
	add(c, call, &a, r->results_by_topic_v3_and_below);
	return CALL_ANSWER;
}

enum call_result add_partitions_to_txn_work(struct cluster *c, struct call *call)
{
	const struct add_partitions_to_txn_request *q = call->request;
	struct add_partitions_to_txn_response *r =
		call_response(call, &add_partitions_to_txn_response_schema);

	if (call->header.api_version < 4)
		return add_one(c, call);
	r->results_by_transaction =
		CALL_ARRAY(call, struct add_partitions_to_txn_response_results_by_transaction,
			   q->transactions_count);
	r->results_by_transaction_count = q->transactions_count;
	for (int32_t i = 0; i < q->transactions_count; i++) {
		const struct add_partitions_to_txn_request_transactions *in = &q->transactions[i];
		struct add_partitions_to_txn_response_results_by_transaction *out =
			&r->results_by_transaction[i];
		struct addition a = {in->transactional_id,
				     {in->producer_id, in->producer_epoch},
				     in->verify_only,
				     in->topics,
				     in->topics_count};

		out->transactional_id = in->transactional_id;
		out->topic_results = CALL_ARRAY(call, topic_answer, in->topics_count);
		out->topic_results_count = in->topics_count;
		add(c, call, &a, out->topic_results);
	}
	return CALL_ANSWER;
}

/* --- AddOffsetsToTxn and EndTxn --- */

enum call_result add_offsets_to_txn_work(struct cluster *c, struct call *call)
{
	const struct add_offsets_to_txn_request *q = call->request;
	struct add_offsets_to_txn_response *r =
		call_response(call, &add_offsets_to_txn_response_schema);
	struct addition a = {.id = q->transactional_id,
			     .claim = {q->producer_id, q->producer_epoch}};

	r->error_code = fenced_for(call, 2, check(c, call, &a));
	if (!r->error_code)
		txn_add_group(c, txn_find(c, q->transactional_id), q->group_id);
	return CALL_ANSWER;
}

enum call_result end_txn_work(struct cluster *c, struct call *call)
{
	const struct end_txn_request *q = call->request;
	struct end_txn_response *r = call_response(call, &end_txn_response_schema);
	struct txn *t = txn_find(c, q->transactional_id);
	struct txn_claim claim = {q->producer_id, q->producer_epoch};
	bool bump = call->header.api_version >= 5;

	r->error_code = q->transactional_id.len ? coordinator_check(c, call, q->transactional_id)
						: ERROR_INVALID_REQUEST;
	if (!r->error_code)
		r->error_code = fenced_for(call, 2, txn_end(c, t, claim, q->committed, bump));
	if (!r->error_code && bump) {
		r->producer_id = t->producer_id;
		r->producer_epoch = t->epoch;
	}
	return CALL_ANSWER;
}
