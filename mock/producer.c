/* The window of five batches for each producer of a partition. Pure: offsets and claims in, codes
 * out. */
#include "mock/producer.h"

#include "mock/mem.h"
#include "protocol/kafka_error.h"
#include "protocol/records.h"

#include <stdlib.h>

void producers_release(struct producers *ps)
{
	struct producer *p, *next;

	HASH_ITER (hh, ps->by_id, p, next) {
		HASH_DEL(ps->by_id, p);
		free(p);
	}
}

struct producer *producer_find(const struct producers *ps, int64_t id)
{
	struct producer *p;

	HASH_FIND(hh, ps->by_id, &id, sizeof(id), p);
	return p;
}

static int32_t last_sequence(const struct producer *p)
{
	return p->batches_count ? p->batches[p->batches_count - 1].last_sequence : -1;
}

static int32_t claim_last(const struct producer_claim *claim)
{
	return sequence_add(claim->sequence, claim->records - 1);
}

int16_t producer_check(const struct producers *ps, const struct producer_claim *claim,
		       const struct producer_batch **ret_repeat)
{
	const struct producer *p = producer_find(ps, claim->id);
	int32_t last, next;

	*ret_repeat = NULL;
	if (!p)
		return ERROR_NONE; /* its state may have been lost with old records */
	if (claim->epoch < p->epoch)
		return ERROR_INVALID_PRODUCER_EPOCH;
	if (claim->epoch > p->epoch)
		return claim->sequence == 0 ? ERROR_NONE : ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	for (int32_t i = 0; i < p->batches_count; i++) {
		const struct producer_batch *b = &p->batches[i];

		if (b->first_sequence == claim->sequence && b->last_sequence == claim_last(claim)) {
			*ret_repeat = b;
			return ERROR_NONE;
		}
	}
	if (p->txn_first_offset >= 0 && !claim->transactional)
		return ERROR_INVALID_TXN_STATE;
	last = last_sequence(p);
	next = last < 0 ? 0 : sequence_add(last, 1);
	return claim->sequence == next ? ERROR_NONE : ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

static struct producer *producer_add(struct producers *ps, int64_t id, int16_t epoch)
{
	struct producer *p = mem_new(sizeof(*p));

	p->id = id;
	p->epoch = epoch;
	p->coordinator_epoch = -1;
	p->txn_first_offset = -1;
	HASH_ADD(hh, ps->by_id, id, sizeof(p->id), p);
	return p;
}

struct producer *producer_note(struct producers *ps, const struct producer_claim *claim,
			       int64_t first_offset, int64_t timestamp)
{
	struct producer *p = producer_find(ps, claim->id);

	if (!p)
		p = producer_add(ps, claim->id, claim->epoch);
	if (claim->epoch != p->epoch) {
		p->epoch = claim->epoch;
		p->batches_count = 0;
	}
	if (p->batches_count == PRODUCER_WINDOW) {
		memmove(p->batches, p->batches + 1, (PRODUCER_WINDOW - 1) * sizeof(p->batches[0]));
		p->batches_count--;
	}
	p->batches[p->batches_count++] = (struct producer_batch){claim->sequence, claim_last(claim),
								 first_offset, timestamp};
	p->last_offset = claim->records > 0 ? first_offset + claim->records - 1 : first_offset;
	p->last_timestamp = timestamp;
	if (claim->transactional && p->txn_first_offset < 0) {
		p->txn_first_offset = first_offset;
		ps->open_txns++;
	}
	return p;
}

void producer_end_txn(struct producers *ps, int64_t id, int16_t epoch, int32_t coordinator_epoch,
		      int64_t at, int64_t timestamp)
{
	struct producer *p = producer_find(ps, id);

	if (!p)
		p = producer_add(ps, id, epoch);
	if (p->txn_first_offset >= 0)
		ps->open_txns--;
	if (epoch != p->epoch)
		p->batches_count = 0;
	p->epoch = epoch;
	p->txn_first_offset = -1;
	p->coordinator_epoch = coordinator_epoch;
	p->last_offset = at;
	p->last_timestamp = timestamp;
}

void producers_expire(struct producers *ps, int64_t before_ms)
{
	struct producer *p, *next;

	HASH_ITER (hh, ps->by_id, p, next) {
		if (p->txn_first_offset >= 0 || p->last_timestamp > before_ms)
			continue;
		HASH_DEL(ps->by_id, p);
		free(p);
	}
}

static int64_t newest_batch(const struct producer *p)
{
	return p->batches_count ? p->batches[p->batches_count - 1].first_offset : -1;
}

/* One producer who wrote behind the end; left: what the log tells of it, or NULL. False if nothing
 * of it is known any more. */
static bool rewind_one(struct producer *p, const struct producer *left, int64_t end)
{
	int64_t open_since = p->txn_first_offset < end ? p->txn_first_offset : -1;

	while (newest_batch(p) >= end)
		p->batches_count--;
	if (left && newest_batch(left) >= newest_batch(p)) {
		UT_hash_handle hh = p->hh;

		*p = *left;
		p->hh = hh;
	} else {
		p->txn_first_offset = left ? left->txn_first_offset : -1;
		p->last_offset = newest_batch(p);
		if (left && left->last_offset > p->last_offset)
			p->last_offset = left->last_offset;
	}
	if (open_since >= 0)
		p->txn_first_offset = open_since;
	return left || p->batches_count || open_since >= 0;
}

void producers_rewind(struct producers *ps, const struct producers *left, int64_t end)
{
	struct producer *p, *next;

	ps->open_txns = 0;
	HASH_ITER (hh, ps->by_id, p, next) {
		if (p->last_offset >= end && !rewind_one(p, producer_find(left, p->id), end)) {
			HASH_DEL(ps->by_id, p);
			free(p);
			continue;
		}
		ps->open_txns += p->txn_first_offset >= 0;
	}
}
