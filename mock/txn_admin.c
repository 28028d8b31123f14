/* What an administrator sees of transactions, and may end by hand: DescribeTransactions,
 * ListTransactions, DescribeProducers (KIP-664) and WriteTxnMarkers. Owns nothing. */
#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/marker.h"
#include "mock/pattern.h"
#include "mock/state.h"

/* --- DescribeTransactions --- */

typedef struct describe_transactions_response_transaction_states description;

static int32_t partitions_of(const struct txn *t, struct uuid topic_id)
{
	struct txn_partition *p, *next;
	int32_t n = 0;

	HASH_ITER (hh, t->partitions, p, next)
		n += uuid_eq(p->key.topic_id, topic_id);
	return n;
}

static struct describe_transactions_response_transaction_states_topics *
topic_entry(struct call *call, const struct txn *t, const struct topic *topic, description *r)
{
	struct describe_transactions_response_transaction_states_topics *e;

	for (int32_t i = 0; i < r->topics_count; i++)
		if (str_eq(r->topics[i].topic, topic->name))
			return &r->topics[i];
	e = &r->topics[r->topics_count++];
	e->topic = call_str(call, topic->name);
	e->partitions = CALL_ARRAY(call, int32_t, partitions_of(t, topic->id));
	return e;
}

static void describe(struct cluster *c, struct call *call, struct str id, description *r)
{
	const struct txn *t = txn_find(c, id);
	struct txn_partition *p, *next;

	codec_init(&describe_transactions_response_transaction_states_schema, r);
	r->transactional_id = id;
	r->error_code = id.len ? coordinator_check(c, call, id) : ERROR_INVALID_REQUEST;
	if (!r->error_code && !t)
		r->error_code = ERROR_TRANSACTIONAL_ID_NOT_FOUND;
	if (r->error_code)
		return;
	r->transaction_state = str_of(txn_state_name(t->state));
	r->transaction_timeout_ms = t->timeout_ms;
	r->transaction_start_time_ms = t->start_ms;
	r->producer_id = t->producer_id;
	r->producer_epoch = t->epoch;
	r->topics =
		CALL_ARRAY(call, struct describe_transactions_response_transaction_states_topics,
			   HASH_COUNT(t->partitions));
	HASH_ITER (hh, t->partitions, p, next) {
		const struct topic *topic = topic_by_id(c, p->key.topic_id);
		struct describe_transactions_response_transaction_states_topics *e;

		if (!topic)
			continue;
		e = topic_entry(call, t, topic, r);
		e->partitions[e->partitions_count++] = p->key.index;
	}
}

enum call_result describe_transactions_work(struct cluster *c, struct call *call)
{
	const struct describe_transactions_request *q = call->request;
	struct describe_transactions_response *r =
		call_response(call, &describe_transactions_response_schema);

	r->transaction_states = CALL_ARRAY(call, description, q->transactional_ids_count);
	r->transaction_states_count = q->transactional_ids_count;
	for (int32_t i = 0; i < q->transactional_ids_count; i++)
		describe(c, call, q->transactional_ids[i], &r->transaction_states[i]);
	return CALL_ANSWER;
}

/* --- ListTransactions --- */

static bool state_known(struct str name)
{
	for (int s = 0; s < TXN_STATE_COUNT; s++)
		if (str_is(name, txn_state_name((enum txn_state)s)))
			return true;
	return str_is(name, "Dead") || str_is(name, "PrepareEpochFence");
}

static bool wanted(const struct cluster *c, const struct list_transactions_request *q,
		   const struct txn *t, const struct pattern *pattern)
{
	bool state = q->state_filters_count == 0, producer = q->producer_id_filters_count == 0;

	for (int32_t i = 0; i < q->state_filters_count; i++)
		state = state || str_is(q->state_filters[i], txn_state_name(t->state));
	for (int32_t i = 0; i < q->producer_id_filters_count; i++)
		producer = producer || q->producer_id_filters[i] == t->producer_id;
	if (!state || !producer)
		return false;
	if (q->duration_filter >= 0 &&
	    (t->start_ms < 0 || instant_wall_ms(c->now) - t->start_ms <= q->duration_filter))
		return false;
	return !pattern || pattern_matches(pattern, t->id);
}

static void put_unknown_states(struct call *call, struct list_transactions_response *r)
{
	const struct list_transactions_request *q = call->request;

	r->unknown_state_filters = CALL_ARRAY(call, struct str, q->state_filters_count);
	for (int32_t i = 0; i < q->state_filters_count; i++)
		if (!state_known(q->state_filters[i]))
			r->unknown_state_filters[r->unknown_state_filters_count++] =
				q->state_filters[i];
}

enum call_result list_transactions_work(struct cluster *c, struct call *call)
{
	const struct list_transactions_request *q = call->request;
	struct list_transactions_response *r =
		call_response(call, &list_transactions_response_schema);
	bool filtered = q->transactional_id_pattern.data && q->transactional_id_pattern.len;
	struct pattern *pattern = filtered ? pattern_new(q->transactional_id_pattern) : NULL;
	struct txn *t, *next;

	if (filtered && !pattern) {
		r->error_code = ERROR_INVALID_REGULAR_EXPRESSION;
		return CALL_ANSWER;
	}
	put_unknown_states(call, r);
	r->transaction_states =
		CALL_ARRAY(call, struct list_transactions_response_transaction_states,
			   HASH_CNT(by_id, c->txns.by_id));
	HASH_ITER (by_id, c->txns.by_id, t, next) {
		struct list_transactions_response_transaction_states *s =
			&r->transaction_states[r->transaction_states_count];

		if (coordinator_of(c, t->id) != call->broker || !wanted(c, q, t, pattern))
			continue;
		s->transactional_id = call_str(call, t->id);
		s->producer_id = t->producer_id;
		s->transaction_state = str_of(txn_state_name(t->state));
		r->transaction_states_count++;
	}
	pattern_free(pattern);
	return CALL_ANSWER;
}

/* --- DescribeProducers --- */

static void put_producers(struct call *call, const struct partition *p,
			  struct describe_producers_response_topics_partitions *r)
{
	struct producer *q, *next;

	r->active_producers = CALL_ARRAY(
		call, struct describe_producers_response_topics_partitions_active_producers,
		HASH_COUNT(p->producers.by_id));
	HASH_ITER (hh, p->producers.by_id, q, next) {
		struct describe_producers_response_topics_partitions_active_producers *a =
			&r->active_producers[r->active_producers_count++];

		a->producer_id = q->id;
		a->producer_epoch = q->epoch;
		a->last_sequence =
			q->batches_count ? q->batches[q->batches_count - 1].last_sequence : -1;
		a->last_timestamp = q->last_timestamp;
		a->coordinator_epoch = q->coordinator_epoch;
		a->current_txn_start_offset = q->txn_first_offset;
	}
}

enum call_result describe_producers_work(struct cluster *c, struct call *call)
{
	const struct describe_producers_request *q = call->request;
	struct describe_producers_response *r =
		call_response(call, &describe_producers_response_schema);

	r->topics = CALL_ARRAY(call, struct describe_producers_response_topics, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct topic *t = topic_find(c, q->topics[i].name);
		int32_t n = q->topics[i].partition_indexes_count;

		r->topics[i].name = q->topics[i].name;
		r->topics[i].partitions =
			CALL_ARRAY(call, struct describe_producers_response_topics_partitions, n);
		r->topics[i].partitions_count = n;
		for (int32_t k = 0; k < n; k++) {
			struct describe_producers_response_topics_partitions *a =
				&r->topics[i].partitions[k];
			struct partition *p;

			a->partition_index = q->topics[i].partition_indexes[k];
			p = partition_find(t, a->partition_index);
			a->error_code = call_fault(call, q->topics[i].name, a->partition_index);
			if (!a->error_code)
				a->error_code = partition_leader_error(p, call->broker, -1);
			if (!a->error_code)
				put_producers(call, p, a);
		}
	}
	return CALL_ANSWER;
}

/* --- WriteTxnMarkers: brokers send it, and an administrator who ends a hanging transaction --- */

static int16_t write_marker(struct cluster *c, const struct call *call, struct str topic,
			    int32_t index, const struct marker *m)
{
	struct partition *p = partition_find(topic_find(c, topic), index);
	int16_t code = call_fault(call, topic, index);

	if (!code)
		code = partition_leader_error(p, call->broker, -1);
	return code ? code : marker_write(c, p, m);
}

static void write_markers(struct cluster *c, struct call *call,
			  const struct write_txn_markers_request_markers *q,
			  struct write_txn_markers_response_markers *r)
{
	struct marker m = {q->producer_id, q->producer_epoch, q->coordinator_epoch,
			   q->transaction_result};

	r->producer_id = q->producer_id;
	r->topics =
		CALL_ARRAY(call, struct write_txn_markers_response_markers_topics, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++) {
		int32_t n = q->topics[i].partition_indexes_count;

		r->topics[i].name = q->topics[i].name;
		r->topics[i].partitions = CALL_ARRAY(
			call, struct write_txn_markers_response_markers_topics_partitions, n);
		r->topics[i].partitions_count = n;
		for (int32_t k = 0; k < n; k++) {
			r->topics[i].partitions[k].partition_index =
				q->topics[i].partition_indexes[k];
			r->topics[i].partitions[k].error_code = write_marker(
				c, call, q->topics[i].name, q->topics[i].partition_indexes[k], &m);
		}
	}
}

enum call_result write_txn_markers_work(struct cluster *c, struct call *call)
{
	const struct write_txn_markers_request *q = call->request;
	struct write_txn_markers_response *r =
		call_response(call, &write_txn_markers_response_schema);

	r->markers = CALL_ARRAY(call, struct write_txn_markers_response_markers, q->markers_count);
	r->markers_count = q->markers_count;
	for (int32_t i = 0; i < q->markers_count; i++)
		write_markers(c, call, &q->markers[i], &r->markers[i]);
	return CALL_ANSWER;
}
