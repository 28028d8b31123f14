/* One partition's log, put together from the batches that went past. Private to seen. */
#ifndef REPLAY_SEEN_LOG_H
#define REPLAY_SEEN_LOG_H

#include "base/buf.h"
#include "replay/seen.h"

/* Where batches come from. */
struct seen_source {
	const struct session_exchange *x;
	bool produced;
	int64_t from; /* produced: the offset that the answer gave; fetched: the one asked for,
			 SEEN_UNKNOWN if it is not in the request */
};

/* Adds the batches of a records field. scratch: for compressed old messages. Returns how many were
 * left out, since they can't be read. */
size_t seen_log_add(struct seen_partition *p, const struct seen_source *from, struct bytes records,
		    struct buf *scratch);

/*
 * A batch of a Produce that nobody answered well: if it was written all the same, it is in what was
 * read, or in offsets that are missing between those that are accounted for. Tells which; p->untold
 * counts all of its kind.
 */
bool seen_log_claim(struct seen_partition *p, const struct session_exchange *x,
		    struct bytes records, struct buf *scratch);

/* A log whose epoch was told to end at an offset, while batches of it were seen behind: it was cut.
 */
void seen_log_epoch_end(struct seen_partition *p, const struct session_exchange *x, int32_t epoch,
			int64_t end);

/* An offset of the log's start or end, as an answer told it; negative: it did not. */
void seen_log_start(struct seen_partition *p, int64_t offset, int64_t time_us);
void seen_log_end(struct seen_partition *p, int64_t offset);

#endif
