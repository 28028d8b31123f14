/* Transactions in virtual time: rules 21 and 28 to 31 of the acceptance text. */
#include "tests/mock_records.h"

#include <stdio.h>

static struct str id;

static void start(struct fixture *f)
{
	mock_start(f, 1);
	mock_topic(f, "t", 3, -1);
	id = str_of("txn");
}

static struct init_producer_id_response init(struct fixture *f, int64_t producer_id, int16_t epoch)
{
	struct init_producer_id_request q = DEFAULTS_init_producer_id_request;

	q.transactional_id = id;
	q.transaction_timeout_ms = 60000;
	q.producer_id = producer_id;
	q.producer_epoch = epoch;
	return *(const struct init_producer_id_response *)mock_ask(f, 1, API_INIT_PRODUCER_ID, 5,
								   &q);
}

static int16_t produce_at(struct fixture *f, int version, int64_t producer_id, int16_t epoch,
			  int32_t partition, int32_t sequence, int32_t count)
{
	struct batch_options o = mock_idempotent(producer_id, epoch, sequence);
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.name = str_of("t")};
	struct produce_request_topic_data_partition_data p = {.index = partition};
	const struct produce_response *r;

	o.transactional = true;
	q.transactional_id = id;
	q.acks = -1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	p.records = mock_batch(f, count, &o);
	r = mock_ask(f, 1, API_PRODUCE, version, &q);
	return r->responses[0].partition_responses[0].error_code;
}

static int16_t produce(struct fixture *f, int64_t producer_id, int16_t epoch, int32_t partition,
		       int32_t sequence, int32_t count)
{
	return produce_at(f, 12, producer_id, epoch, partition, sequence, count);
}

static struct end_txn_response end(struct fixture *f, int version, int64_t producer_id,
				   int16_t epoch, bool commit)
{
	struct end_txn_request q = DEFAULTS_end_txn_request;

	q.transactional_id = id;
	q.producer_id = producer_id;
	q.producer_epoch = epoch;
	q.committed = commit;
	return *(const struct end_txn_response *)mock_ask(f, 1, API_END_TXN, version, &q);
}

static const struct fetch_response_responses_partitions *fetch(struct fixture *f, int32_t partition,
							       int8_t isolation)
{
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_fetch_one(&one, "t", partition, 0, 0);
	one.q.isolation_level = isolation;
	r = mock_ask(f, 1, API_FETCH, 12, &one.q);
	return &r->responses[0].partitions[0];
}

static const struct add_partitions_to_txn_response *add(struct fixture *f, int64_t producer_id,
							int16_t epoch, int32_t partition)
{
	struct add_partitions_to_txn_request q = DEFAULTS_add_partitions_to_txn_request;
	static struct add_partitions_to_txn_request_add_partitions_to_txn_topic t;
	static int32_t partitions[2];

	partitions[0] = 0;
	partitions[1] = partition;
	t.name = str_of("t");
	t.partitions = partitions;
	t.partitions_count = 2;
	q.v3_and_below_transactional_id = id;
	q.v3_and_below_producer_id = producer_id;
	q.v3_and_below_producer_epoch = epoch;
	q.v3_and_below_topics = &t;
	q.v3_and_below_topics_count = 1;
	return mock_ask(f, 1, API_ADD_PARTITIONS_TO_TXN, 3, &q);
}

static int16_t added(const struct add_partitions_to_txn_response *r, int32_t i)
{
	return r->results_by_topic_v3_and_below[0].results_by_partition[i].partition_error_code;
}

TEST(rule_28_init_producer_id_checks_and_fences)
{
	struct fixture f;
	struct init_producer_id_request q = DEFAULTS_init_producer_id_request;
	struct init_producer_id_response a, b;
	const int32_t bad[] = {0, -1, 900001};

	start(&f);
	q.transactional_id = id;
	for (size_t i = 0; i < 3; i++) {
		const struct init_producer_id_response *r;

		q.transaction_timeout_ms = bad[i];
		r = mock_ask(&f, 1, API_INIT_PRODUCER_ID, 5, &q);
		CHECK_EQ(r->error_code, ERROR_INVALID_TRANSACTION_TIMEOUT);
	}
	a = init(&f, -1, -1);
	CHECK_EQ(a.error_code, 0);
	CHECK_EQ(a.producer_epoch, 0);
	b = init(&f, -1, -1);
	CHECK_EQ(b.producer_id, a.producer_id);
	CHECK_EQ(b.producer_epoch, 1);
	CHECK_EQ(produce(&f, a.producer_id, 0, 0, 0, 1), ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(init(&f, a.producer_id, 0).error_code, ERROR_PRODUCER_FENCED);
	CHECK_EQ(init(&f, a.producer_id + 99, 0).error_code, ERROR_PRODUCER_FENCED);
	b = init(&f, a.producer_id, 1);
	CHECK_EQ(b.producer_epoch, 2);
	b = init(&f, a.producer_id, 1); /* the same call again: a repeat */
	CHECK_EQ(b.error_code, 0);
	CHECK_EQ(b.producer_epoch, 2);
	mock_end(&f);
}

TEST(rule_29_produce_12_joins_the_transaction_by_itself)
{
	struct fixture f;
	struct init_producer_id_response p;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce_at(&f, 11, p.producer_id, 0, 1, 0, 1), ERROR_TRANSACTION_ABORTABLE);
	CHECK_EQ(produce_at(&f, 10, p.producer_id, 0, 1, 0, 1), ERROR_INVALID_TXN_STATE);
	CHECK_EQ(added(add(&f, p.producer_id, 0, 1), 1), 0);
	CHECK_EQ(produce_at(&f, 11, p.producer_id, 0, 1, 0, 1), 0);
	CHECK_EQ(produce(&f, p.producer_id, 0, 2, 0, 1), 0);
	id = (struct str){0};
	CHECK_EQ(produce(&f, p.producer_id, 0, 2, 1, 1),
		 ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	mock_end(&f);
}

TEST(rule_29_one_bad_partition_and_none_is_added)
{
	struct fixture f;
	struct init_producer_id_response p;
	const struct add_partitions_to_txn_response *r;

	start(&f);
	p = init(&f, -1, -1);
	r = add(&f, p.producer_id, 0, 9);
	CHECK_EQ(added(r, 0), ERROR_OPERATION_NOT_ATTEMPTED);
	CHECK_EQ(added(r, 1), ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(produce_at(&f, 11, p.producer_id, 0, 0, 0, 1), ERROR_TRANSACTION_ABORTABLE);
	CHECK_EQ(added(add(&f, p.producer_id, 1, 1), 0), ERROR_PRODUCER_FENCED);
	id = str_of("nobody");
	CHECK_EQ(added(add(&f, p.producer_id, 0, 1), 0), ERROR_INVALID_PRODUCER_ID_MAPPING);
	mock_end(&f);
}

TEST(rule_30_end_txn_5_bumps_the_epoch_and_knows_its_repeat)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct end_txn_response r;
	const struct fetch_response_responses_partitions *got;
	struct record_iter it;
	struct records_reader reader;
	struct batch b;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 2), 0);
	r = end(&f, 5, p.producer_id, 0, true);
	CHECK_EQ(r.error_code, 0);
	CHECK_EQ(r.producer_id, p.producer_id);
	CHECK_EQ(r.producer_epoch, 1);
	r = end(&f, 5, p.producer_id, 0, true);
	CHECK_EQ(r.error_code, 0);
	CHECK_EQ(r.producer_epoch, 1);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, ERROR_INVALID_TXN_STATE);
	CHECK_EQ(end(&f, 5, p.producer_id, 1, true).error_code, ERROR_INVALID_TXN_STATE);
	got = fetch(&f, 0, 1);
	records_reader_init(&reader, got->records.data, (size_t)got->records.len);
	CHECK_EQ(records_next(&reader, &b, NULL), 1);
	CHECK_EQ(records_next(&reader, &b, NULL), 1);
	CHECK(b.control && b.transactional && batch_crc_ok(&b));
	CHECK_EQ(b.producer_epoch, 1);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(produce(&f, p.producer_id, 1, 0, 2, 1), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	CHECK_EQ(produce(&f, p.producer_id, 1, 0, 0, 1), 0);
	r = end(&f, 5, p.producer_id, 1, false);
	CHECK_EQ(r.producer_epoch, 2);
	r = end(&f, 5, p.producer_id, 2, false); /* nothing open: it still bumps */
	CHECK_EQ(r.error_code, 0);
	CHECK_EQ(r.producer_epoch, 3);
	mock_end(&f);
}

TEST(rule_30_end_txn_4_keeps_the_epoch)
{
	struct fixture f;
	struct init_producer_id_response p;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, true).error_code, ERROR_INVALID_TXN_STATE);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, false).error_code, ERROR_INVALID_TXN_STATE);
	CHECK_EQ(added(add(&f, p.producer_id, 0, 1), 1), 0);
	CHECK_EQ(produce_at(&f, 11, p.producer_id, 0, 0, 0, 1), 0);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, false).error_code, ERROR_INVALID_TXN_STATE);
	CHECK_EQ(added(add(&f, p.producer_id, 0, 1), 1), 0);
	CHECK_EQ(produce_at(&f, 11, p.producer_id, 0, 0, 1, 1), 0);
	CHECK_EQ(end(&f, 4, p.producer_id, 7, true).error_code, ERROR_PRODUCER_FENCED);
	CHECK_EQ(end(&f, 1, p.producer_id, 7, true).error_code, ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(end(&f, 4, p.producer_id + 1, 0, true).error_code,
		 ERROR_INVALID_PRODUCER_ID_MAPPING);
	mock_end(&f);
}

TEST(rule_21_read_committed_stops_at_the_open_transaction_and_lists_aborted_ones)
{
	struct fixture f;
	struct init_producer_id_response p;
	const struct fetch_response_responses_partitions *r;

	start(&f);
	p = init(&f, -1, -1);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 2, NULL)); /* 0, 1 */
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 3), 0);  /* 2, 3, 4 */
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL)); /* 5 */
	r = fetch(&f, 0, 1);
	CHECK_EQ(r->last_stable_offset, 2);
	CHECK_EQ(r->high_watermark, 6);
	CHECK_EQ(mock_count(r->records, NULL), 2);
	CHECK_EQ(r->aborted_transactions_count, 0);
	r = fetch(&f, 0, 0);
	CHECK_EQ(mock_count(r->records, NULL), 6);
	CHECK_EQ(r->aborted_transactions_count, -1);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, 0); /* marker at 6 */
	r = fetch(&f, 0, 1);
	CHECK_EQ(r->last_stable_offset, 7);
	CHECK_EQ(r->aborted_transactions_count, 1);
	CHECK_EQ(r->aborted_transactions[0].producer_id, p.producer_id);
	CHECK_EQ(r->aborted_transactions[0].first_offset, 2);
	CHECK_EQ(produce(&f, p.producer_id, 1, 0, 0, 1), 0);
	CHECK_EQ(end(&f, 5, p.producer_id, 1, true).error_code, 0);
	CHECK_EQ(fetch(&f, 0, 1)->aborted_transactions_count, 1);
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 9);
	mock_end(&f);
}

TEST(a_read_committed_fetch_is_woken_by_the_end_of_the_transaction)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct fetch_request_one one;
	struct exchange_run *x;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 1), 0);
	mock_fetch_one(&one, "t", 0, 0, 10000);
	one.q.isolation_level = 1;
	x = mock_send(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(x->result, CALL_WAIT);
	mock_advance(&f, MS(50));
	CHECK_EQ(end(&f, 5, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(x->result, CALL_ANSWER);
	mock_end(&f);
}

static int16_t commit_offset(struct fixture *f, int version, int64_t producer_id, int16_t epoch,
			     int64_t offset)
{
	struct txn_offset_commit_request q = DEFAULTS_txn_offset_commit_request;
	struct txn_offset_commit_request_topics t = {.name = str_of("t")};
	struct txn_offset_commit_request_topics_partitions p = {.committed_offset = offset,
								.committed_leader_epoch = -1};
	const struct txn_offset_commit_response *r;

	q.transactional_id = id;
	q.group_id = str_of("g");
	q.producer_id = producer_id;
	q.producer_epoch = epoch;
	q.topics = &t;
	q.topics_count = 1;
	t.partitions = &p;
	t.partitions_count = 1;
	r = mock_ask(f, 1, API_TXN_OFFSET_COMMIT, version, &q);
	return r->topics[0].partitions[0].error_code;
}

static struct offset_fetch_response_topics_partitions committed(struct fixture *f, bool stable)
{
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	struct offset_fetch_request_topics t = {.name = str_of("t")};
	int32_t zero = 0;
	const struct offset_fetch_response *r;

	q.group_id = str_of("g");
	q.topics = &t;
	q.topics_count = 1;
	q.require_stable = stable;
	t.partition_indexes = &zero;
	t.partition_indexes_count = 1;
	r = mock_ask(f, 1, API_OFFSET_FETCH, 7, &q);
	return r->topics[0].partitions[0];
}

TEST(rule_31_offsets_of_a_transaction_are_pending_until_it_ends)
{
	struct fixture f;
	struct init_producer_id_response p;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(commit_offset(&f, 5, p.producer_id, 3, 5), ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(commit_offset(&f, 5, p.producer_id, 0, 5), 0);
	CHECK_EQ(committed(&f, true).error_code, ERROR_UNSTABLE_OFFSET_COMMIT);
	CHECK_EQ(committed(&f, false).error_code, 0);
	CHECK_EQ(committed(&f, false).committed_offset, -1);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(committed(&f, true).committed_offset, 5);
	CHECK_EQ(commit_offset(&f, 5, p.producer_id, 1, 9), 0);
	CHECK_EQ(committed(&f, false).committed_offset, 5);
	CHECK_EQ(end(&f, 5, p.producer_id, 1, false).error_code, 0);
	CHECK_EQ(committed(&f, true).committed_offset, 5);
	mock_end(&f);
}

TEST(rule_31_before_version_5_the_group_is_added_first)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct add_offsets_to_txn_request q = DEFAULTS_add_offsets_to_txn_request;
	const struct add_offsets_to_txn_response *r;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(commit_offset(&f, 4, p.producer_id, 0, 5), ERROR_TRANSACTION_ABORTABLE);
	CHECK_EQ(commit_offset(&f, 3, p.producer_id, 0, 5), ERROR_INVALID_TXN_STATE);
	q.transactional_id = id;
	q.producer_id = p.producer_id;
	q.group_id = str_of("g");
	r = mock_ask(&f, 1, API_ADD_OFFSETS_TO_TXN, 3, &q);
	CHECK_EQ(r->error_code, 0);
	CHECK_EQ(commit_offset(&f, 3, p.producer_id, 0, 5), 0);
	CHECK_EQ(end(&f, 4, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(committed(&f, true).committed_offset, 5);
	mock_end(&f);
}

TEST(rule_31_a_transaction_out_of_time_is_aborted_and_its_producer_fenced)
{
	struct fixture f;
	struct init_producer_id_response p;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 1), 0);
	mock_advance(&f, MS(59000));
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 0);
	mock_advance(&f, MS(12000));
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 2);
	CHECK_EQ(fetch(&f, 0, 1)->aborted_transactions_count, 1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 1, 1), ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, true).error_code, ERROR_INVALID_TXN_STATE);
	CHECK_EQ(init(&f, -1, -1).producer_epoch, 2);
	mock_end(&f);
}

TEST(rule_28_a_new_producer_aborts_the_open_transaction_first)
{
	struct fixture f;
	struct init_producer_id_response p, q;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 1), 0);
	CHECK_EQ(init(&f, -1, -1).error_code, ERROR_CONCURRENT_TRANSACTIONS);
	q = init(&f, -1, -1);
	CHECK_EQ(q.error_code, 0);
	CHECK_EQ(q.producer_id, p.producer_id);
	CHECK_EQ(q.producer_epoch, 2);
	CHECK_EQ(fetch(&f, 0, 1)->aborted_transactions_count, 1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 1, 1), ERROR_INVALID_PRODUCER_EPOCH);
	CHECK_EQ(produce(&f, q.producer_id, 2, 0, 0, 1), 0);
	mock_end(&f);
}

TEST(used_up_epochs_give_a_new_producer_id)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct end_txn_response r;
	int16_t epoch = 0;

	start(&f);
	p = init(&f, -1, -1);
	r = end(&f, 5, p.producer_id, 0, false);
	while (r.error_code == 0 && r.producer_id == p.producer_id) {
		epoch = r.producer_epoch;
		r = end(&f, 5, p.producer_id, epoch, false);
		mock_forget(&f);
	}
	CHECK_EQ(epoch, INT16_MAX - 1);
	CHECK_EQ(r.error_code, 0);
	CHECK_EQ(r.producer_epoch, 0);
	r = end(&f, 5, p.producer_id, epoch, false); /* a repeat across the change */
	CHECK_EQ(r.error_code, 0);
	CHECK_EQ(r.producer_epoch, 0);
	CHECK(r.producer_id != p.producer_id);
	mock_end(&f);
}

TEST(an_administrator_sees_transactions_and_ends_a_hanging_one)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct describe_transactions_request dq = {&id, 1, NULL};
	const struct describe_transactions_response *d;
	struct list_transactions_request lq = DEFAULTS_list_transactions_request;
	const struct list_transactions_response *l;
	struct str states[] = {str_of("Ongoing"), str_of("Nonsense")};
	struct describe_producers_request pq = DEFAULTS_describe_producers_request;
	struct describe_producers_request_topics topic = {.name = str_of("t")};
	const struct describe_producers_response *ps;
	int32_t zero = 0;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 2), 0);
	d = mock_ask(&f, 1, API_DESCRIBE_TRANSACTIONS, 0, &dq);
	CHECK_STR(d->transaction_states[0].transaction_state, "Ongoing");
	CHECK_EQ(d->transaction_states[0].topics_count, 1);
	CHECK_EQ(d->transaction_states[0].transaction_start_time_ms, instant_wall_ms(f.now));
	lq.state_filters = states;
	lq.state_filters_count = 2;
	lq.transactional_id_pattern = str_of("t.*");
	l = mock_ask(&f, 1, API_LIST_TRANSACTIONS, 2, &lq);
	CHECK_EQ(l->transaction_states_count, 1);
	CHECK_EQ(l->unknown_state_filters_count, 1);
	lq.transactional_id_pattern = str_of("(");
	l = mock_ask(&f, 1, API_LIST_TRANSACTIONS, 2, &lq);
	CHECK_EQ(l->error_code, ERROR_INVALID_REGULAR_EXPRESSION);
	pq.topics = &topic;
	pq.topics_count = 1;
	topic.partition_indexes = &zero;
	topic.partition_indexes_count = 1;
	ps = mock_ask(&f, 1, API_DESCRIBE_PRODUCERS, 0, &pq);
	CHECK_EQ(ps->topics[0].partitions[0].active_producers_count, 1);
	CHECK_EQ(ps->topics[0].partitions[0].active_producers[0].current_txn_start_offset, 0);
	CHECK_EQ(ps->topics[0].partitions[0].active_producers[0].last_sequence, 1);
	id = str_of("nobody");
	d = mock_ask(&f, 1, API_DESCRIBE_TRANSACTIONS, 0, &dq);
	CHECK_EQ(d->transaction_states[0].error_code, ERROR_TRANSACTIONAL_ID_NOT_FOUND);
	mock_end(&f);
}

TEST(write_txn_markers_ends_a_transaction_in_a_partition)
{
	struct fixture f;
	struct init_producer_id_response p;
	struct write_txn_markers_request q = DEFAULTS_write_txn_markers_request;
	struct write_txn_markers_request_markers m = {0};
	struct write_txn_markers_request_markers_topics t = {.name = str_of("t")};
	int32_t parts[] = {0, 8};
	const struct write_txn_markers_response *r;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 2), 0);
	q.markers = &m;
	q.markers_count = 1;
	m.producer_id = p.producer_id;
	m.topics = &t;
	m.topics_count = 1;
	t.partition_indexes = parts;
	t.partition_indexes_count = 2;
	r = mock_ask(&f, 1, API_WRITE_TXN_MARKERS, 1, &q);
	CHECK_EQ(r->markers[0].topics[0].partitions[0].error_code, 0);
	CHECK_EQ(r->markers[0].topics[0].partitions[1].error_code,
		 ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 3);
	m.producer_epoch = -1;
	r = mock_ask(&f, 1, API_WRITE_TXN_MARKERS, 1, &q);
	CHECK_EQ(r->markers[0].topics[0].partitions[0].error_code, ERROR_INVALID_PRODUCER_EPOCH);
	mock_end(&f);
}

/* WriteTxnMarkers for partition 0, as an administrator ends what hangs there. */
static int16_t write_marker(struct fixture *f, int64_t producer_id, int16_t epoch, bool commit)
{
	struct write_txn_markers_request q = DEFAULTS_write_txn_markers_request;
	struct write_txn_markers_request_markers m = {
		.producer_id = producer_id, .producer_epoch = epoch, .transaction_result = commit};
	struct write_txn_markers_request_markers_topics t = {.name = str_of("t")};
	const struct write_txn_markers_response *r;
	int32_t partition = 0;

	q.markers = &m;
	q.markers_count = 1;
	m.topics = &t;
	m.topics_count = 1;
	t.partition_indexes = &partition;
	t.partition_indexes_count = 1;
	r = mock_ask(f, 1, API_WRITE_TXN_MARKERS, 1, &q);
	return r->markers[0].topics[0].partitions[0].error_code;
}

/* Logs of little memory, and none of it left: records without a producer in partition 2. */
static void start_small(struct fixture *f)
{
	mock_start_with(f, 1, (struct cluster_config){.memory_max = 100000});
	mock_topic(f, "t", 3, -1);
	id = str_of("txn");
}

static void fill(struct fixture *f)
{
	while (!mock_produce(f, "t", 2, 1, mock_large_batch(f, 10000))->error_code)
		;
	while (!mock_produce(f, "t", 2, 1, mock_batch(f, 1, NULL))->error_code)
		;
}

TEST(a_transaction_ends_where_the_log_memory_is_full)
{
	struct fixture f;
	struct init_producer_id_response p;

	start_small(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 1), 0);
	fill(&f);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, 0);
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 2);
	CHECK_EQ(fetch(&f, 0, 1)->aborted_transactions_count, 1);
	CHECK_EQ(init(&f, -1, -1).error_code, 0);
	mock_end(&f);
}

TEST(markers_that_end_nothing_take_no_memory_where_it_is_full)
{
	struct fixture f;
	struct init_producer_id_response p;

	start_small(&f);
	p = init(&f, -1, -1);
	fill(&f);
	for (int16_t i = 0; i < 3; i++) { /* partitions without a record of theirs */
		CHECK_EQ(added(add(&f, p.producer_id, 0, 1), 0), 0);
		CHECK_EQ(end(&f, 3, p.producer_id, 0, true).error_code, 0);
	}
	CHECK_EQ(fetch(&f, 0, 0)->high_watermark, 0);
	CHECK_EQ(write_marker(&f, p.producer_id, 0, true), ERROR_KAFKA_STORAGE_ERROR);
	CHECK_EQ(init(&f, -1, -1).error_code, 0);
	mock_end(&f);
}

TEST(a_marker_that_is_older_than_its_producer_does_not_hold_up_the_end)
{
	struct fixture f;
	struct init_producer_id_response p;

	start(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce_at(&f, 12, p.producer_id, 0, 0, 0, 1), 0);
	CHECK_EQ(write_marker(&f, p.producer_id, 9, false),
		 0); /* somebody ends it as a newer one */
	CHECK_EQ(end(&f, 3, p.producer_id, 0, true).error_code, 0);
	CHECK_EQ(init(&f, -1, -1).error_code, 0);
	mock_end(&f);
}

/* --- logs that are cut --- */

static void start_two(struct fixture *f)
{
	mock_start(f, 2);
	mock_topic(f, "t", 1, 1);
	id = str_of("txn");
}

static void cut(struct fixture *f, const char *offset)
{
	char text[100];

	snprintf(text, sizeof(text), "unclean-election topic=t partition=0 offset=%s to=2", offset);
	CHECK_TEXT(mock_happen(f, text), "");
	CHECK_TEXT(mock_happen(f, "leader-move topic=t partition=0 to=1"), "");
}

static void produce_ten(struct fixture *f, int64_t producer_id)
{
	for (int32_t i = 0; i < 10; i++)
		CHECK_EQ(produce(f, producer_id, 0, 0, i, 1), 0);
}

TEST(a_transaction_of_which_a_part_is_cut_stays_open_and_is_told_when_aborted)
{
	struct fixture f;
	struct init_producer_id_response p;
	const struct fetch_response_responses_partitions *r;

	start_two(&f);
	p = init(&f, -1, -1);
	produce_ten(&f, p.producer_id);
	cut(&f, "3");
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 0);
	CHECK_EQ(fetch(&f, 0, 1)->high_watermark, 3);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, 0);
	r = fetch(&f, 0, 1);
	CHECK_EQ(r->last_stable_offset, 4);
	CHECK_EQ(r->aborted_transactions_count, 1);
	CHECK_EQ(r->aborted_transactions[0].first_offset, 0);
	mock_end(&f);
}

TEST(a_transaction_that_is_cut_as_a_whole_holds_nothing_back)
{
	struct fixture f;
	struct init_producer_id_response p;

	start_two(&f);
	p = init(&f, -1, -1);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	produce_ten(&f, p.producer_id);
	cut(&f, "3");
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 1, NULL));
	CHECK_EQ(fetch(&f, 0, 1)->last_stable_offset, 4);
	mock_end(&f);
}

TEST(a_transaction_whose_marker_is_cut_is_open_again)
{
	struct fixture f;
	struct init_producer_id_response p;
	const struct fetch_response_responses_partitions *r;

	start_two(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 2), 0);	     /* 0, 1 */
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, 0); /* 2 */
	CHECK_EQ(produce(&f, p.producer_id, 1, 0, 0, 2), 0);	     /* 3, 4 */
	CHECK_EQ(end(&f, 5, p.producer_id, 1, true).error_code, 0);  /* 5 */
	cut(&f, "5");
	r = fetch(&f, 0, 1);
	CHECK_EQ(r->last_stable_offset, 3);
	CHECK_EQ(r->aborted_transactions_count, 1);
	CHECK_EQ(r->aborted_transactions[0].first_offset, 0);
	CHECK_EQ(write_marker(&f, p.producer_id, 1, false), 0);
	r = fetch(&f, 0, 1);
	CHECK_EQ(r->last_stable_offset, 6);
	CHECK_EQ(r->aborted_transactions_count, 2);
	CHECK_EQ(r->aborted_transactions[1].first_offset, 3);
	mock_end(&f);
}

TEST(an_open_transaction_outlives_a_cut_though_its_first_records_were_deleted)
{
	struct fixture f;
	struct fetch_request_one one;
	const struct fetch_response *r;
	struct init_producer_id_response p;

	start_two(&f);
	p = init(&f, -1, -1);
	produce_ten(&f, p.producer_id);
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=2"), "");
	cut(&f, "4");
	CHECK_EQ(end(&f, 5, p.producer_id, 0, false).error_code, 0); /* 4 */
	mock_fetch_one(&one, "t", 0, 2, 0);
	one.q.isolation_level = 1;
	r = mock_ask(&f, 1, API_FETCH, 12, &one.q);
	CHECK_EQ(r->responses[0].partitions[0].last_stable_offset, 5);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions_count, 1);
	CHECK_EQ(r->responses[0].partitions[0].aborted_transactions[0].first_offset, 0);
	mock_end(&f);
}

TEST(a_producer_that_ended_a_transaction_keeps_its_epoch_when_others_are_cut)
{
	struct fixture f;
	struct init_producer_id_response p;

	start_two(&f);
	p = init(&f, -1, -1);
	CHECK_EQ(produce(&f, p.producer_id, 0, 0, 0, 2), 0);
	CHECK_EQ(end(&f, 5, p.producer_id, 0, true).error_code, 0);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 5, NULL));
	cut(&f, "3");
	CHECK_EQ(write_marker(&f, p.producer_id, 0, false), ERROR_INVALID_PRODUCER_EPOCH);
	mock_end(&f);
}
