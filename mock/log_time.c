/* Offsets by timestamp. Timestamps need not grow with offsets, so batches are looked through in
 * order by their greatest one, and only the batch that holds the answer is read. */
#include "mock/log.h"

#include "protocol/records.h"

/* The first record of b from an offset on with a timestamp of at least ts: its offset, or -1. */
static int64_t find_in(const struct log_batch *b, int64_t from, int64_t ts, struct buf *scratch,
		       struct buf *plain, int64_t *ret_timestamp)
{
	struct bytes raw = log_flatten(b, scratch);
	struct record_iter it;
	struct batch batch;
	struct record r;

	if (batch_read(raw.data, (size_t)raw.len, &batch, NULL) ||
	    record_iter_init(&it, &batch, plain, NULL))
		return -1;
	while (record_next(&it, &r, NULL) > 0) {
		if (r.timestamp < ts || r.offset < from)
			continue;
		*ret_timestamp = r.timestamp;
		return r.offset;
	}
	return -1;
}

int64_t log_find_time(const struct log *log, int64_t ts, int64_t limit, struct buf *scratch,
		      struct buf *plain, int64_t *ret_timestamp, int32_t *ret_epoch)
{
	for (size_t i = 0; i < log->count; i++) {
		const struct log_batch *b = log_at(log, i);
		int64_t offset;

		if (b->base_offset >= limit)
			break;
		if (b->max_timestamp < ts || b->last_offset < log->start)
			continue;
		offset = find_in(b, log->start, ts, scratch, plain, ret_timestamp);
		*ret_epoch = b->leader_epoch;
		if (offset >= 0)
			return offset < limit ? offset : -1;
	}
	return -1;
}

int64_t log_max_time(const struct log *log, int64_t limit, struct buf *scratch, struct buf *plain,
		     int64_t *ret_timestamp, int32_t *ret_epoch)
{
	const struct log_batch *best = NULL;
	int64_t offset;

	for (size_t i = 0; i < log->count && log_at(log, i)->base_offset < limit; i++)
		if (!best || log_at(log, i)->max_timestamp > best->max_timestamp)
			best = log_at(log, i);
	if (!best)
		return -1;
	*ret_epoch = best->leader_epoch;
	offset = find_in(best, log->start, best->max_timestamp, scratch, plain, ret_timestamp);
	return offset < 0 ? best->last_offset : offset;
}
