/* What a transactional producer promises: a partition is added before it is written to, a commit
 * never follows a batch that failed, offsets come with the membership that read them, a new epoch
 * is used, and what is told is how it ended. The wire's part is judged in one walk over its moments
 * in the order of time; each check reads its part of that walk. */
#include "checks/types.h"

#include "checks/codes.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define MOMENTS_MAX   8000000
#define OWN_ENDTXN    5 /* from this EndTxn on the answer has the next epoch (KIP-890) */
#define MEMBER_COMMIT 3 /* from this TxnOffsetCommit on the group's member is named (KIP-447) */

enum moment_kind {
	MOMENT_ADDED,	  /* AddPartitionsToTxn was answered well */
	MOMENT_END_ASKED, /* EndTxn arrived */
	MOMENT_END_DONE,  /* and was answered well */
	MOMENT_SENT,	  /* a transactional batch arrived */
	MOMENT_SETTLED,	  /* and was answered, or never will be */
	MOMENT_OFFSETS,	  /* TxnOffsetCommit arrived */
};

struct moment {
	int64_t time_us, producer_id;
	enum moment_kind kind;
	int32_t partition, version;
	struct uuid topic_id;	   /* of a batch whose topic has no name */
	int16_t epoch, next_epoch; /* next: of END_DONE, as the answer has it; -1 none */
	bool committed, named;	   /* of an EndTxn; of OFFSETS: member and generation are there */
	struct str topic;
	const struct sent_batch *batch;
	size_t place; /* keeps the order of arrival among equal times */
};

/* One producer id: the transaction that it is in, counted from 1. */
struct writer {
	int64_t producer_id;
	uint64_t transaction;
	int32_t open_failures; /* batches of this transaction that failed and did not come again */
	const struct sent_batch *failed;
	int16_t epoch;	   /* the newest that was used: a transaction begins with it */
	int16_t epoch_due; /* what the last EndTxn returned; -1 */
	bool modern, adds; /* it ends transactions with EndTxn v5; it adds partitions */
	UT_hash_handle hh;
};

/* A partition of a producer: when it was added, and by sequence whether a batch failed. */
struct touched {
	struct {
		int64_t producer_id;
		uint64_t topic;
		int32_t partition, sequence; /* sequence -1: the partition itself */
	} key;
	uint64_t transaction;
	bool failed;
	UT_hash_handle hh;
};

struct txn {
	struct moment *moments;
	size_t count, cap;
	struct writer *writers;
	struct touched *touched;
	bool full;
};

enum wrong_kind { NOT_ADDED, COMMITTED_FAILURE, OLD_EPOCH, NAMELESS, WRONG_KINDS };

struct judged {
	uint64_t seen, wrong;
	const struct moment *first;
};

static struct moment *moment_new(struct check *c)
{
	struct txn *s = c->state;

	if (s->count == MOMENTS_MAX) {
		s->full = true;
		return NULL;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->moments = realloc(s->moments, s->cap * sizeof(*s->moments));
		if (!s->moments)
			abort();
	}
	s->moments[s->count] =
		(struct moment){.place = s->count, .partition = -1, .next_epoch = -1};
	return &s->moments[s->count++];
}

static void feed_added(struct check *c, struct exchange *x)
{
	const struct add_partitions_to_txn_request *q = exchange_request(x);
	const struct add_partitions_to_txn_response *r = exchange_response(x);

	if (!q || !r || x->header.api_version > 3)
		return; /* later versions are the brokers' own */
	for (int32_t i = 0; i < r->results_by_topic_v3_and_below_count; i++) {
		const struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result *t =
			&r->results_by_topic_v3_and_below[i];

		for (int32_t k = 0; k < t->results_by_partition_count; k++) {
			struct moment *m;

			if (t->results_by_partition[k].partition_error_code || !(m = moment_new(c)))
				continue;
			m->kind = MOMENT_ADDED;
			m->time_us = x->response_us;
			m->producer_id = q->v3_and_below_producer_id;
			m->epoch = q->v3_and_below_producer_epoch;
			m->topic = arena_str(c->arena, t->name);
			m->partition = t->results_by_partition[k].partition_index;
		}
	}
}

static void feed_end(struct check *c, struct exchange *x)
{
	const struct end_txn_request *q = exchange_request(x);
	const struct end_txn_response *r = exchange_response(x);
	struct moment *m = q ? moment_new(c) : NULL;

	if (!m)
		return;
	*m = (struct moment){.kind = MOMENT_END_ASKED,
			     .time_us = x->request_us,
			     .place = m->place,
			     .producer_id = q->producer_id,
			     .epoch = q->producer_epoch,
			     .committed = q->committed,
			     .version = x->header.api_version,
			     .next_epoch = -1};
	if (!r || r->error_code || !(m = moment_new(c)))
		return;
	m->kind = MOMENT_END_DONE;
	m->time_us = x->response_us;
	m->producer_id = q->producer_id;
	m->version = x->header.api_version;
	if (m->version >= OWN_ENDTXN && r->producer_id == q->producer_id)
		m->next_epoch = r->producer_epoch;
}

static void feed_offsets(struct check *c, struct exchange *x)
{
	const struct txn_offset_commit_request *q = exchange_request(x);
	struct moment *m = q ? moment_new(c) : NULL;

	if (!m)
		return;
	m->kind = MOMENT_OFFSETS;
	m->time_us = x->request_us;
	m->producer_id = q->producer_id;
	m->epoch = q->producer_epoch;
	m->topic = arena_str(c->arena, q->group_id);
	m->named = x->header.api_version < MEMBER_COMMIT || /* before it nobody can be named */
		   (q->generation_id_or_member_epoch >= 0 && q->member_id.len > 0);
}

static void feed_txn(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind != EVENT_EXCHANGE || x->state == EXCHANGE_ORPHAN ||
	    !scope_has(c->scope.client, x->header.client_id))
		return;
	if (x->header.api_key == API_ADD_PARTITIONS_TO_TXN)
		feed_added(c, x);
	else if (x->header.api_key == API_END_TXN)
		feed_end(c, x);
	else if (x->header.api_key == API_TXN_OFFSET_COMMIT)
		feed_offsets(c, x);
}

static void release_txn(struct check *c)
{
	struct txn *s = c->state;

	HASH_CLEAR(hh, s->writers);
	HASH_CLEAR(hh, s->touched);
	free(s->moments);
}

/* ---- the walk ---- */

static void take_batches(struct check *c)
{
	struct batches *all = c->history->batches;

	batches_sort(all);
	for (size_t i = 0; i < all->count; i++) {
		const struct sent_batch *b = &all->list[i];
		struct moment *m;

		if (!b->transactional || !scope_has(c->scope.client, b->client))
			continue;
		for (int settled = 0; settled < 2 && (m = moment_new(c)); settled++) {
			m->kind = settled ? MOMENT_SETTLED : MOMENT_SENT;
			m->time_us = settled ? b->end_us : b->request_us;
			m->producer_id = b->producer_id;
			m->epoch = b->producer_epoch;
			m->topic = b->topic;
			m->topic_id = b->topic_id;
			m->partition = b->partition;
			m->batch = b;
		}
	}
}

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static struct writer *writer_of(struct check *c, int64_t producer_id)
{
	struct txn *s = c->state;
	struct writer *w;

	HASH_FIND(hh, s->writers, &producer_id, sizeof(producer_id), w);
	if (w)
		return w;
	w = arena_zalloc(c->arena, sizeof(*w));
	if (!w)
		abort();
	*w = (struct writer){
		.producer_id = producer_id, .transaction = 1, .epoch = -1, .epoch_due = -1};
	HASH_ADD(hh, s->writers, producer_id, sizeof(w->producer_id), w);
	return w;
}

static struct touched *touched_of(struct check *c, const struct moment *m, int32_t sequence)
{
	struct txn *s = c->state;
	struct touched like, *t;

	memset(&like, 0, sizeof(like));
	like.key.producer_id = m->producer_id;
	like.key.partition = m->partition;
	like.key.sequence = sequence;
	for (int32_t i = 0; i < m->topic.len; i++)
		like.key.topic = like.key.topic * 31 + (uint8_t)m->topic.data[i];
	for (size_t i = 0; !m->topic.len && i < sizeof(m->topic_id.b); i++)
		like.key.topic = like.key.topic * 31 + m->topic_id.b[i];
	HASH_FIND(hh, s->touched, &like.key, sizeof(like.key), t);
	if (t)
		return t;
	t = arena_zalloc(c->arena, sizeof(*t));
	if (!t)
		abort();
	t->key = like.key;
	HASH_ADD(hh, s->touched, key, sizeof(t->key), t);
	return t;
}

static void note(struct judged *j, bool wrong, const struct moment *m)
{
	j->seen++;
	if (wrong && !j->wrong++)
		j->first = m;
}

/* A batch was answered, or its connection ended: it failed until it is written after all. */
static void settle(struct check *c, struct writer *w, const struct moment *m,
		   struct judged out[WRONG_KINDS])
{
	const struct sent_batch *b = m->batch;
	bool good = b->answered && (!b->code || b->code == ERROR_DUPLICATE_SEQUENCE_NUMBER);
	struct touched *t = touched_of(c, m, b->base_sequence);

	if (t->transaction != w->transaction)
		t->failed = false;
	t->transaction = w->transaction;
	if (t->failed == !good)
		return;
	t->failed = !good;
	out[COMMITTED_FAILURE].seen +=
		!good; /* that nobody asks for the commit now is what counts */
	w->open_failures += good ? -1 : 1;
	w->failed = good ? w->failed : b;
}

/* A newer epoch is a new life of the producer, or its next transaction: what failed before was
 * aborted by the coordinator. */
static void take_epoch(struct writer *w, const struct moment *m)
{
	if (m->kind == MOMENT_END_DONE || m->epoch <= w->epoch)
		return;
	w->transaction += w->epoch >= 0;
	w->open_failures = 0;
	w->epoch = m->epoch;
}

static void step(struct check *c, const struct moment *m, struct judged out[WRONG_KINDS])
{
	struct writer *w = writer_of(c, m->producer_id);

	take_epoch(w, m);
	switch (m->kind) {
	case MOMENT_ADDED:
		touched_of(c, m, -1)->transaction = w->transaction;
		break;
	case MOMENT_SENT:
		if (w->adds && !w->modern && m->topic.data)
			note(&out[NOT_ADDED], touched_of(c, m, -1)->transaction != w->transaction,
			     m);
		if (w->epoch_due >= 0)
			note(&out[OLD_EPOCH], m->epoch < w->epoch_due, m);
		break;
	case MOMENT_SETTLED:
		if (m->epoch == w->epoch)
			settle(c, w, m, out);
		break;
	case MOMENT_END_ASKED:
		if (m->committed)
			note(&out[COMMITTED_FAILURE], w->open_failures > 0, m);
		if (w->epoch_due >= 0)
			note(&out[OLD_EPOCH], m->epoch < w->epoch_due, m);
		break;
	case MOMENT_END_DONE:
		w->transaction++;
		w->open_failures = 0;
		w->epoch_due = m->next_epoch >= 0 ? m->next_epoch : w->epoch_due;
		break;
	case MOMENT_OFFSETS:
		note(&out[NAMELESS], !m->named, m);
		break;
	}
}

/* Judges all, and gives what one check asks for. */
static struct judged walk(struct check *c, enum wrong_kind kind)
{
	struct judged out[WRONG_KINDS] = {0};
	struct txn *s = c->state;

	if (c->history->batches)
		take_batches(c);
	if (s->count)
		qsort(s->moments, s->count, sizeof(*s->moments), by_time);
	for (size_t i = 0; i < s->count; i++) {
		const struct moment *m = &s->moments[i];
		struct writer *w = writer_of(c, m->producer_id);

		w->adds |= m->kind == MOMENT_ADDED;
		w->modern |= m->kind == MOMENT_END_ASKED && m->version >= OWN_ENDTXN;
	}
	for (size_t i = 0; i < s->count; i++)
		step(c, &s->moments[i], out);
	return out[kind];
}

/* The common end; true if there is a first violation to be told. */
static bool sum_up(struct check *c, struct finding *f, const struct judged *j, const char *what,
		   const char *nothing)
{
	const struct txn *s = c->state;

	f->judged = j->seen;
	if (s->full)
		finding_set(f, FINDING_INCONCLUSIVE, "more was sent in transactions than fits");
	else if (!j->seen)
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
	else if (!j->wrong)
		finding_set(f, FINDING_PASS, "%llu %s", (unsigned long long)j->seen, what);
	return !s->full && j->wrong;
}

static void batch_moments(struct finding *f, const struct sent_batch *b)
{
	struct str text = batch_text(b, f->arena);

	finding_moment(f, b->request_us, STR_FMT, STR_ARG(text));
	finding_moment(f, b->end_us, "%s: " STR_FMT,
		       b->answered ? kafka_error_name(b->code) : "never answered", STR_ARG(text));
}

static void end_added(struct check *c, struct finding *f)
{
	struct judged j = walk(c, NOT_ADDED);

	if (!sum_up(c, f, &j, "transactional batches, each to a partition that had been added",
		    "nobody added partitions to a transaction and wrote to them"))
		return;
	batch_moments(f, j.first->batch);
	finding_set(f, FINDING_FAIL,
		    "%llu transactional batches to partitions that were not in the transaction; "
		    "first: producer %lld to " STR_FMT "-%d",
		    (unsigned long long)j.wrong, (long long)j.first->producer_id,
		    STR_ARG(j.first->topic), j.first->partition);
}

const struct check_type check_txn_added = {
	.name = "txn.added_before_data",
	.claim = "a partition is written to only after AddPartitionsToTxn took it into this "
		 "transaction",
	.see = "KIP-98",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.batches = true,
	.state_size = sizeof(struct txn),
	.feed = feed_txn,
	.end = end_added,
	.release = release_txn,
};

static void end_no_commit(struct check *c, struct finding *f)
{
	struct judged j = walk(c, COMMITTED_FAILURE);
	struct writer *w;

	if (!sum_up(c, f, &j, "commits and failures, no commit of what failed",
		    "nothing failed, and nobody asked for a commit"))
		return;
	w = writer_of(c, j.first->producer_id);
	if (w->failed)
		batch_moments(f, w->failed);
	finding_moment(f, j.first->time_us, "EndTxn asks for the commit");
	finding_set(f, FINDING_FAIL,
		    "producer %lld asked for a commit though a batch of the transaction had failed",
		    (long long)j.first->producer_id);
}

const struct check_type check_txn_no_commit = {
	.name = "txn.no_commit_after_failure",
	.claim = "a commit is never asked for when a batch of the transaction failed",
	.see = "KIP-98",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.batches = true,
	.state_size = sizeof(struct txn),
	.feed = feed_txn,
	.end = end_no_commit,
	.release = release_txn,
};

static void end_epoch(struct check *c, struct finding *f)
{
	struct judged j = walk(c, OLD_EPOCH);

	if (!sum_up(c, f, &j, "requests after an EndTxn that told an epoch, all with it",
		    "no answer to EndTxn told an epoch"))
		return;
	finding_moment(f, j.first->time_us, "%s of producer %lld with epoch %d",
		       j.first->batch ? "Produce" : "EndTxn", (long long)j.first->producer_id,
		       j.first->epoch);
	finding_set(f, FINDING_FAIL,
		    "producer %lld used epoch %d after EndTxn had told a newer one (%llu times)",
		    (long long)j.first->producer_id, j.first->epoch, (unsigned long long)j.wrong);
}

const struct check_type check_txn_epoch = {
	.name = "txn.epoch_as_returned",
	.claim = "after EndTxn the epoch that it returned is used",
	.see = "KIP-890",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.batches = true,
	.state_size = sizeof(struct txn),
	.feed = feed_txn,
	.end = end_epoch,
	.release = release_txn,
};

static void end_member(struct check *c, struct finding *f)
{
	struct judged j = walk(c, NAMELESS);

	if (!sum_up(c, f, &j,
		    "TxnOffsetCommits, each with member and generation where its version has them",
		    "nobody committed offsets in a transaction"))
		return;
	finding_moment(f, j.first->time_us, "TxnOffsetCommit of group " STR_FMT,
		       STR_ARG(j.first->topic));
	finding_set(f, FINDING_FAIL,
		    "%llu TxnOffsetCommits of group " STR_FMT " without member id and generation",
		    (unsigned long long)j.wrong, STR_ARG(j.first->topic));
}

const struct check_type check_txn_member = {
	.name = "txn.offsets_with_member",
	.claim = "offsets go into a transaction with the member id and generation that read them",
	.see = "KIP-447",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.state_size = sizeof(struct txn),
	.feed = feed_txn,
	.end = end_member,
	.release = release_txn,
};

/* ---- what is told ---- */

/* Whether the log says otherwise of a send than its transaction's outcome as told. */
static bool contradicted(const struct check *c, const struct history_subject *s,
			 const struct history_send *send)
{
	const struct history_partition *p;
	const struct history_record *r;

	if (send->state != SEND_ACKED || send->offset < 0)
		return false;
	p = history_partition(c->history, send->topic, send->partition);
	r = p ? history_record(p, send->offset) : NULL;
	if (!r || r->control || !str_eq(r->value, send->value))
		return false;
	return s->txns[send->txn] == TXN_COMMITTED ? r->txn != TXN_COMMITTED
						   : r->txn == TXN_COMMITTED;
}

static void judge_told(struct check *c, struct finding *f, const struct history_subject *s,
		       uint64_t *wrong)
{
	for (size_t i = 0; i < s->sends_count; i++) {
		const struct history_send *send = s->sends[i];
		enum txn_outcome told = send->txn >= 0 ? s->txns[send->txn] : TXN_NONE;

		if (told != TXN_COMMITTED && told != TXN_ABORTED)
			continue;
		f->judged++;
		if (!contradicted(c, s, send) || (*wrong)++)
			continue;
		finding_moment(f, send->end_us, STR_FMT "-%d offset %lld holds " STR_FMT,
			       STR_ARG(send->topic), send->partition, (long long)send->offset,
			       STR_ARG(send->value));
		finding_set(f, FINDING_FAIL,
			    STR_FMT " said that its transaction %d was %s; in the log " STR_FMT
				    "-%d offset %lld (" STR_FMT ") is%s committed",
			    STR_ARG(s->name), send->txn + 1,
			    told == TXN_COMMITTED ? "committed" : "aborted", STR_ARG(send->topic),
			    send->partition, (long long)send->offset, STR_ARG(send->value),
			    told == TXN_COMMITTED ? " not" : "");
	}
}

static void end_told(struct check *c, struct finding *f)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		judge_told(c, f, s, &wrong);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE, "no subject told how a transaction ended");
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu values, as their transactions were told",
			    (unsigned long long)f->judged);
}

const struct check_type check_txn_told = {
	.name = "txn.ended_as_told",
	.claim = "what was told to be committed is committed in the log, and what was told to be "
		 "aborted is not",
	.see = "KIP-98",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT},
	.end = end_told,
};
