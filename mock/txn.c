/* The life of a transactional id. Invariants: partitions, groups, start and time-out are there only
 * while a transaction is open or its markers are due; an end is decided once (PREPARE) and complete
 * when the last marker is written, which is at once unless a partition has no leader. */
#include "mock/txn.h"

#include "base/json.h"
#include "mock/marker.h"
#include "mock/mem.h"
#include "mock/state.h"
#include "mock/txn_offsets.h"

#include <assert.h>
#include <stdlib.h>

#define EPOCH_LAST (INT16_MAX - 1) /* the last one that is given out */

const char *txn_state_name(enum txn_state state)
{
	static const char *const names[TXN_STATE_COUNT] = {"Empty",	     "Ongoing",
							   "PrepareCommit",  "PrepareAbort",
							   "CompleteCommit", "CompleteAbort"};

	return names[state];
}

struct txn *txn_find(const struct cluster *c, struct str id)
{
	struct txn *t = NULL;

	if (id.data)
		HASH_FIND(by_id, c->txns.by_id, id.data, (unsigned)id.len, t);
	return t;
}

static void clear(struct cluster *c, struct txn *t)
{
	struct txn_partition *p, *next;

	HASH_ITER (hh, t->partitions, p, next) {
		HASH_DEL(t->partitions, p);
		free(p);
	}
	while (t->groups) {
		struct txn_group *g = t->groups;

		t->groups = g->next;
		mem_str_free(g->id);
		free(g);
	}
	timer_unset(&c->timers, &t->timeout);
}

static void txn_free(struct cluster *c, struct txn *t)
{
	HASH_DELETE(by_id, c->txns.by_id, t);
	clear(c, t);
	mem_str_free(t->id);
	free(t);
}

void txns_release(struct cluster *c)
{
	struct txn *t, *next;

	HASH_ITER (by_id, c->txns.by_id, t, next)
		txn_free(c, t);
}

void txns_expire(struct cluster *c, int64_t before_ms)
{
	struct txn *t, *next;

	HASH_ITER (by_id, c->txns.by_id, t, next)
		if ((t->state == TXN_EMPTY || t->state == TXN_COMPLETE_COMMIT ||
		     t->state == TXN_COMPLETE_ABORT) &&
		    t->updated_ms <= before_ms)
			txn_free(c, t);
}

int64_t producer_id_new(struct cluster *c)
{
	return c->next_producer_id++;
}

static void emit(struct cluster *c, const struct txn *t)
{
	struct txn_partition *p, *next;
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "transactionalId", t->id);
	json_key_text(&j, "state", txn_state_name(t->state));
	json_key_int(&j, "producerId", t->producer_id);
	json_key_int(&j, "producerEpoch", t->epoch);
	json_key(&j, "partitions");
	json_open(&j, '[');
	HASH_ITER (hh, t->partitions, p, next) {
		const struct topic *topic = topic_by_id(c, p->key.topic_id);

		json_open(&j, '{');
		json_key_str(&j, "topic", topic ? topic->name : (struct str){0});
		json_key_int(&j, "partition", p->key.index);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	cluster_event(c, "transaction-state", &c->scratch);
}

static void go(struct cluster *c, struct txn *t, enum txn_state state)
{
	t->state = state;
	t->updated_ms = instant_wall_ms(c->now);
	emit(c, t);
}

static struct txn *txn_new(struct cluster *c, struct str id)
{
	struct txn *t = mem_new(sizeof(*t));

	t->id = mem_str(id);
	t->producer_id = producer_id_new(c);
	t->prev_producer_id = t->next_producer_id = -1;
	t->epoch = t->last_epoch = -1;
	t->start_ms = -1;
	t->updated_ms = instant_wall_ms(c->now);
	expiry_arm_txns(c);
	HASH_ADD_KEYPTR(by_id, c->txns.by_id, t->id.data, (unsigned)t->id.len, t);
	return t;
}

/* --- the end --- */

static bool marker_due(struct cluster *c, struct txn *t, const struct txn_partition *tp)
{
	struct partition *p = partition_find(topic_by_id(c, tp->key.topic_id), tp->key.index);
	struct marker m = {.producer_id = t->producer_id,
			   .epoch = t->epoch,
			   .commit = t->state == TXN_PREPARE_COMMIT};

	if (!p)
		return false; /* the topic is gone, and the records with it */
	if (p->leader < 0)
		return true;
	/* A newer epoch of the producer ended what this marker was for; and where memory is full,
	 * but no record of the transaction stands, there is nothing to end. */
	return marker_write(c, p, &m) == ERROR_TRANSACTION_COORDINATOR_FENCED;
}

static void push(struct cluster *c, struct txn *t)
{
	bool commit = t->state == TXN_PREPARE_COMMIT;
	struct txn_partition *p, *next;

	HASH_ITER (hh, t->partitions, p, next) {
		if (marker_due(c, t, p))
			continue;
		HASH_DEL(t->partitions, p);
		free(p);
	}
	if (t->partitions)
		return;
	for (struct txn_group *g = t->groups; g; g = g->next)
		txn_offsets_end(c, g->id, t->producer_id, commit);
	clear(c, t);
	if (t->next_producer_id >= 0) {
		t->prev_producer_id = t->producer_id;
		t->producer_id = t->next_producer_id;
		t->next_producer_id = -1;
		t->last_epoch = t->epoch;
		t->epoch = 0;
	}
	go(c, t, commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT);
}

void txns_push(struct cluster *c)
{
	struct txn *t, *next;

	HASH_ITER (by_id, c->txns.by_id, t, next)
		if (t->state == TXN_PREPARE_COMMIT || t->state == TXN_PREPARE_ABORT)
			push(c, t);
}

static void prepare(struct cluster *c, struct txn *t, bool commit, bool bump)
{
	if (bump && t->epoch >= EPOCH_LAST)
		t->next_producer_id = producer_id_new(c);
	if (bump) {
		t->last_epoch = t->epoch;
		t->epoch++;
	}
	timer_unset(&c->timers, &t->timeout);
	go(c, t, commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT);
	push(c, t);
}

/* The producer is shut out by an epoch that nobody gets to know, and its transaction aborted. */
static void fence(struct cluster *c, struct txn *t)
{
	t->epoch++;
	t->last_epoch = -1;
	prepare(c, t, false, false);
}

/* Version 1 of the protocol: an epoch lives through many transactions. */
static int16_t end_v1(struct cluster *c, struct txn *t, struct txn_claim claim, bool commit)
{
	if (claim.epoch != t->epoch)
		return ERROR_PRODUCER_FENCED;
	switch (t->state) {
	case TXN_ONGOING:
		prepare(c, t, commit, false);
		return ERROR_NONE;
	case TXN_PREPARE_COMMIT:
	case TXN_PREPARE_ABORT:
		return commit == (t->state == TXN_PREPARE_COMMIT) ? ERROR_CONCURRENT_TRANSACTIONS
								  : ERROR_INVALID_TXN_STATE;
	case TXN_COMPLETE_COMMIT:
	case TXN_COMPLETE_ABORT:
		return commit == (t->state == TXN_COMPLETE_COMMIT) ? ERROR_NONE
								   : ERROR_INVALID_TXN_STATE;
	default:
		return ERROR_INVALID_TXN_STATE;
	}
}

/* Version 2: the epoch that the claim has tells a repeat from the next end. */
static int16_t end_v2(struct cluster *c, struct txn *t, struct txn_claim claim, bool commit)
{
	bool rotated = claim.producer_id == t->prev_producer_id && t->epoch == 0 &&
		       claim.epoch == EPOCH_LAST;
	bool repeat = rotated || claim.epoch == t->epoch - 1;
	bool complete = t->state == TXN_COMPLETE_COMMIT || t->state == TXN_COMPLETE_ABORT;
	bool preparing = t->state == TXN_PREPARE_COMMIT || t->state == TXN_PREPARE_ABORT;
	bool was_commit = t->state == TXN_COMPLETE_COMMIT || t->state == TXN_PREPARE_COMMIT;

	if (!(repeat && (complete || preparing)) && (preparing || claim.epoch != t->epoch))
		return ERROR_PRODUCER_FENCED;
	if (t->state == TXN_ONGOING) {
		prepare(c, t, commit, true);
		return ERROR_NONE;
	}
	if (preparing)
		return commit == was_commit ? ERROR_CONCURRENT_TRANSACTIONS
					    : ERROR_INVALID_TXN_STATE;
	if (complete && repeat)
		return commit == was_commit ? ERROR_NONE : ERROR_INVALID_TXN_STATE;
	if (commit)
		return ERROR_INVALID_TXN_STATE;
	prepare(c, t, false, true); /* nothing was open: an abort still bumps */
	return ERROR_NONE;
}

int16_t txn_end(struct cluster *c, struct txn *t, struct txn_claim claim, bool commit, bool bump)
{
	bool rotated;

	if (!t)
		return ERROR_INVALID_PRODUCER_ID_MAPPING;
	rotated = bump && claim.producer_id == t->prev_producer_id && t->epoch == 0 &&
		  claim.epoch == EPOCH_LAST;
	if (claim.producer_id != t->producer_id && !rotated)
		return ERROR_INVALID_PRODUCER_ID_MAPPING;
	return bump ? end_v2(c, t, claim, commit) : end_v1(c, t, claim, commit);
}

/* --- the beginning --- */

static bool knows_itself(const struct txn *t, struct txn_claim claim)
{
	return claim.producer_id == -1 || t->epoch < 0 || claim.producer_id == t->producer_id ||
	       (claim.producer_id == t->prev_producer_id && claim.epoch >= EPOCH_LAST);
}

static int16_t bump(struct cluster *c, struct txn *t, struct txn_claim claim)
{
	bool claims = claim.producer_id != -1;

	if (t->epoch >= EPOCH_LAST && (!claims || claim.epoch == t->epoch)) {
		t->prev_producer_id = t->producer_id;
		t->producer_id = producer_id_new(c);
		t->last_epoch = claims ? t->epoch : -1;
		t->epoch = 0;
	} else if (!claims || t->epoch < 0 || claim.epoch == t->epoch) {
		t->last_epoch = claims ? t->epoch : -1;
		t->epoch++;
	} else if (claim.epoch != t->last_epoch) {
		return ERROR_PRODUCER_FENCED;
	}
	t->start_ms = -1;
	go(c, t, TXN_EMPTY);
	return ERROR_NONE;
}

int16_t txn_init(struct cluster *c, struct str id, int32_t timeout_ms, struct txn_claim claim,
		 struct txn **ret)
{
	struct txn *t = txn_find(c, id);

	if (!t)
		t = txn_new(c, id);
	*ret = t;
	if (!knows_itself(t, claim))
		return ERROR_PRODUCER_FENCED;
	if (t->state == TXN_PREPARE_COMMIT || t->state == TXN_PREPARE_ABORT)
		return ERROR_CONCURRENT_TRANSACTIONS;
	if (t->state == TXN_ONGOING) {
		fence(c, t);
		return ERROR_CONCURRENT_TRANSACTIONS;
	}
	t->timeout_ms = timeout_ms;
	return bump(c, t, claim);
}

/* --- the middle --- */

int16_t txn_check_add(const struct txn *t, struct txn_claim claim)
{
	if (!t || t->producer_id != claim.producer_id)
		return ERROR_INVALID_PRODUCER_ID_MAPPING;
	if (t->epoch != claim.epoch)
		return ERROR_PRODUCER_FENCED;
	if (t->state == TXN_PREPARE_COMMIT || t->state == TXN_PREPARE_ABORT)
		return ERROR_CONCURRENT_TRANSACTIONS;
	return ERROR_NONE;
}

static void on_timeout(struct cluster *c, void *owner)
{
	struct txn *t = owner;

	if (t->state == TXN_ONGOING)
		fence(c, t);
}

/* Opens a transaction; out of time, it is found by the next scan. */
static void open_txn(struct cluster *c, struct txn *t)
{
	int64_t scan = c->config.broker.txn_abort_check_ms * INT64_C(1000);
	int64_t due = c->now.mono_us - c->started.mono_us + (int64_t)t->timeout_ms * 1000;

	if (t->state == TXN_ONGOING)
		return;
	t->start_ms = instant_wall_ms(c->now);
	t->timeout.on_due = on_timeout;
	t->timeout.owner = t;
	timer_set(&c->timers, &t->timeout, c->started.mono_us + (due + scan - 1) / scan * scan);
	go(c, t, TXN_ONGOING);
}

static struct txn_partition_key key_of(const struct partition *p)
{
	struct txn_partition_key key;

	memset(&key, 0, sizeof(key));
	key.topic_id = p->topic->id;
	key.index = p->index;
	return key;
}

bool txn_has_partition(const struct txn *t, const struct partition *p)
{
	struct txn_partition_key key = key_of(p);
	struct txn_partition *found;

	HASH_FIND(hh, t->partitions, &key, sizeof(key), found);
	return t->state == TXN_ONGOING && found;
}

void txn_add_partition(struct cluster *c, struct txn *t, const struct partition *p)
{
	struct txn_partition *new;

	open_txn(c, t);
	if (txn_has_partition(t, p))
		return;
	new = mem_new(sizeof(*new));
	new->key = key_of(p);
	HASH_ADD(hh, t->partitions, key, sizeof(new->key), new);
}

bool txn_has_group(const struct txn *t, struct str group)
{
	for (const struct txn_group *g = t->groups; g; g = g->next)
		if (str_eq(g->id, group))
			return t->state == TXN_ONGOING;
	return false;
}

void txn_add_group(struct cluster *c, struct txn *t, struct str group)
{
	struct txn_group *g;

	open_txn(c, t);
	if (txn_has_group(t, group))
		return;
	g = mem_new(sizeof(*g));
	g->id = mem_str(group);
	g->next = t->groups;
	t->groups = g;
}

int16_t txn_check_produce(struct cluster *c, struct str id, struct txn_claim claim,
			  const struct partition *p, bool adds, bool abortable)
{
	const struct producer *q = producer_find(&p->producers, claim.producer_id);
	struct txn *t = txn_find(c, id);
	int16_t code;

	if (q && q->txn_first_offset >= 0 && q->epoch == claim.epoch)
		return ERROR_NONE; /* known to be in it */
	code = txn_check_add(t, claim);
	if (code == ERROR_PRODUCER_FENCED)
		return ERROR_INVALID_PRODUCER_EPOCH;
	if (code == ERROR_CONCURRENT_TRANSACTIONS && !adds)
		return ERROR_NOT_ENOUGH_REPLICAS; /* what old clients retry */
	if (code)
		return code;
	if (!adds && !c->config.broker.no_verification && !txn_has_partition(t, p))
		return abortable ? ERROR_TRANSACTION_ABORTABLE : ERROR_INVALID_TXN_STATE;
	if (adds)
		txn_add_partition(c, t, p);
	return ERROR_NONE;
}
