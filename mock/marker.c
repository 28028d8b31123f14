/* Writing markers, and the index of aborted transactions that they leave behind. */
#include "mock/marker.h"

#include "mock/mem.h"
#include "mock/state.h"
#include "protocol/batch_builder.h"

/* What the partition remembers of an aborted transaction. */
static void note_aborted(struct partition *p, int64_t producer_id, int64_t first, int64_t last)
{
	p->aborted =
		mem_grow(p->aborted, &p->aborted_cap, p->aborted_count + 1, sizeof(p->aborted[0]));
	p->aborted[p->aborted_count++] = (struct partition_aborted){producer_id, first, last};
}

void marker_note(struct partition *p, const struct marker *m, int64_t at, int64_t timestamp)
{
	const struct producer *q = producer_find(&p->producers, m->producer_id);

	if (q && q->txn_first_offset >= 0 && !m->commit)
		note_aborted(p, m->producer_id, q->txn_first_offset, at);
	producer_end_txn(&p->producers, m->producer_id, m->epoch, m->coordinator_epoch, at,
			 timestamp);
}

bool marker_read(const struct batch *b, struct marker *ret)
{
	struct control_record control;
	struct record_iter records;
	struct record first;

	if (!b->control || !b->transactional || b->codec || b->producer_id < 0 ||
	    record_iter_init(&records, b, NULL, NULL) || record_next(&records, &first, NULL) <= 0 ||
	    control_record_read(&first, &control, NULL) ||
	    (control.type != CONTROL_ABORT && control.type != CONTROL_COMMIT))
		return false;
	*ret = (struct marker){.producer_id = b->producer_id,
			       .epoch = b->producer_epoch,
			       .coordinator_epoch = control.coordinator_epoch,
			       .commit = control.type == CONTROL_COMMIT};
	return true;
}

/* The end of an open transaction goes beyond the memory's limit, for nothing else would ever let
 * its records be read: it is one for each, and its first batch found room. */
static bool has_room(const struct partition *p, const struct producer *q, size_t size)
{
	return (q && q->txn_first_offset >= 0) || log_has_room(&p->log, size);
}

int16_t marker_write(struct cluster *c, struct partition *p, const struct marker *m)
{
	const struct producer *q = producer_find(&p->producers, m->producer_id);
	struct log_append what = {.leader_epoch = p->leader_epoch,
				  .attributes = ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL,
				  .max_timestamp = instant_wall_ms(c->now)};
	struct buf out;

	if (q && m->epoch < q->epoch)
		return ERROR_INVALID_PRODUCER_EPOCH;
	if (q && m->coordinator_epoch < q->coordinator_epoch)
		return ERROR_TRANSACTION_COORDINATOR_FENCED;
	buf_init(&out, 4096);
	if (batch_write_marker(&out, 0, what.max_timestamp, p->leader_epoch, m->producer_id,
			       m->epoch, m->commit, m->coordinator_epoch, NULL) ||
	    !has_room(p, q, out.len)) {
		buf_release(&out);
		return ERROR_KAFKA_STORAGE_ERROR;
	}
	what.batch = (struct bytes){out.data, (int32_t)out.len};
	marker_note(p, m, p->log.end, what.max_timestamp);
	partition_append(c, p, &what, NULL);
	buf_release(&out);
	return ERROR_NONE;
}

/* The first entry whose marker stands at or behind an offset: entries are in the order of markers.
 */
static size_t first_behind(const struct partition *p, int64_t offset)
{
	size_t low = 0, high = p->aborted_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->aborted[middle].last_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct fetch_response_responses_partitions_aborted_transactions *
marker_aborted(const struct partition *p, struct call *call, int64_t from, int64_t to,
	       int32_t *ret_count)
{
	struct fetch_response_responses_partitions_aborted_transactions *list;
	size_t first = first_behind(p, from);
	int32_t n = 0;

	for (size_t i = first; i < p->aborted_count; i++)
		n += p->aborted[i].first_offset < to;
	list = CALL_ARRAY(call, struct fetch_response_responses_partitions_aborted_transactions, n);
	*ret_count = 0;
	for (size_t i = first; i < p->aborted_count; i++) {
		if (p->aborted[i].first_offset >= to)
			continue;
		list[*ret_count].producer_id = p->aborted[i].producer_id;
		list[(*ret_count)++].first_offset = p->aborted[i].first_offset;
	}
	return list;
}
