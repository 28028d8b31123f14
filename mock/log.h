/* One partition's log: batches of magic 2 as they would stand on disk. A batch is a header of our
 * own, for base offset and leader epoch are the broker's to write, and the rest, which is either
 * copied behind it or left where it arrived, in the request's frame. So what a client sent is never
 * changed and a large batch never copied. A test may have put messages of magic 0 and 1 there, as
 * logs have them that are older than record batches: each is an entry, a compressed one with all
 * that it holds. */
#ifndef MOCK_LOG_H
#define MOCK_LOG_H

#include "base/buf.h"
#include "base/str.h"
#include "mock/call.h"

#include <stdbool.h>

/* What all logs of a cluster may take together. */
struct log_memory {
	size_t used, max; /* bytes */
};

struct log_batch {
	int64_t base_offset, last_offset;
	int64_t max_timestamp;
	struct shared *head;  /* the chunk that holds the header, at head_at */
	struct shared *frame; /* what holds the rest; NULL: it follows the header */
	const uint8_t *rest;
	uint32_t head_at;
	int32_t size; /* of header and rest */
	int32_t leader_epoch;
	int16_t attributes;
};

/* A run of batches that is deleted as a whole; a read never goes past its end, as on a real broker.
 */
struct log_segment {
	int64_t base_offset;
	int64_t size;		   /* bytes */
	int64_t first_timestamp;   /* the first batch's greatest; -1 none */
	int64_t largest_timestamp; /* -1 none */
	int64_t created_ms;	   /* wall */
};

/* The offset at which a leader epoch began (KIP-101). */
struct log_epoch {
	int32_t epoch;
	int64_t start;
};

struct log {
	struct log_memory *memory;
	struct log_batch *batches; /* [first, first + count), by offset */
	size_t first, count, cap;
	int64_t start, end;	      /* log start offset; the offset that the next record gets */
	int64_t size;		      /* bytes of all batches */
	int64_t clean_end;	      /* what lies before was compacted */
	struct log_segment *segments; /* oldest first, the last one is written to; none before the
					 first append */
	size_t segments_count, segments_cap;
	struct shared *chunk; /* where headers and small batches go */
	size_t chunk_used;
	struct log_epoch *epochs;
	size_t epochs_count, epochs_cap;
};

void log_init(struct log *log, struct log_memory *memory);
void log_release(struct log *log);

/* What is to be appended: one whole, valid batch of magic 2, or what a test has put in its place.
 */
struct log_append {
	struct bytes batch;
	struct shared *frame; /* that batch.data points into; NULL: always copied */
	int64_t gap;	      /* offsets that are left out before it */
	int32_t leader_epoch;
	int32_t message_offsets; /* that a message of magic 0 or 1 takes; 0: it is a batch, and its
				    header says how many, and the rest is as follows */
	int16_t attributes;	 /* as they shall stand */
	int64_t max_timestamp;	 /* the same; where either differs from the batch's, the CRC is
				    renewed */
	int64_t segment_bytes, segment_ms, now_ms; /* when a new segment begins */
};

/* True if the budget has room for a batch of this size. */
bool log_has_room(const struct log *log, size_t size);

/* Appends at log->end, or a gap behind it, and returns the entry, valid until the log changes. */
const struct log_batch *log_append(struct log *log, const struct log_append *what);

/* Drops all batches that reach to offset or beyond, and leader epochs that began there. The log
 * then ends where the last batch does, at most at offset. */
void log_truncate(struct log *log, int64_t offset);

/* Moves the start to offset (between start and end) and drops whole batches before it. */
void log_move_start(struct log *log, int64_t offset);

/* Closes the segment that is written to, if anything is in it. */
void log_roll(struct log *log, int64_t now_ms);

/* Goes through all batches in order; each is kept, dropped, or replaced by what judge put into out:
 * a batch of the same base and last offset. */
enum log_verdict { LOG_KEEP, LOG_DROP, LOG_REPLACE };
typedef enum log_verdict log_judge(void *ctx, const struct log_batch *b, struct buf *out);
void log_filter(struct log *log, log_judge *judge, void *ctx);

/* Index (from 0) of the batch that holds offset, or the first one behind it; log->count if there is
 * none. */
size_t log_seek(const struct log *log, int64_t offset);
const struct log_batch *log_at(const struct log *log, size_t index);

/* The batch's bytes as a whole, in out (reset first). */
struct bytes log_flatten(const struct log_batch *b, struct buf *out);

/* Whole batches from the one that holds offset on, that end below limit, at most max bytes of them,
 * but the first even if it is larger where one is set. Spans are in the call's memory and keep
 * theirs alive until the answer is sent. Returns the bytes; *ret_next is the offset behind the
 * last batch, or limit where there is none. */
int64_t log_read(const struct log *log, struct call *call, int64_t offset, int64_t limit,
		 int64_t max, bool one, struct records *ret_records, int64_t *ret_next);

/* The bytes that log_read would find, without reading: for whoever waits. *ret_closed: the segment
 * read from is no longer written to, so that waiting brings no more. */
int64_t log_available(const struct log *log, int64_t offset, int64_t limit, int64_t max,
		      bool *ret_closed);

/* Leader epochs: a new one begins at the end. */
void log_start_epoch(struct log *log, int32_t epoch);

/* Where the largest epoch not above the asked one ends (KIP-320): that epoch in *ret_epoch and the
 * start of the next one; an epoch older than the log ends where the log's first begins; -1/-1 for
 * one that is newer than all. */
int64_t log_end_of_epoch(const struct log *log, int32_t epoch, int32_t *ret_epoch);

/* The first offset of a record with a timestamp of at least ts, or -1; its timestamp and batch's
 * epoch. scratch and plain are for reading compressed batches. */
int64_t log_find_time(const struct log *log, int64_t ts, int64_t limit, struct buf *scratch,
		      struct buf *plain, int64_t *ret_timestamp, int32_t *ret_epoch);

/* The offset of the record with the greatest timestamp, first of equals; -1 in an empty log. */
int64_t log_max_time(const struct log *log, int64_t limit, struct buf *scratch, struct buf *plain,
		     int64_t *ret_timestamp, int32_t *ret_epoch);

#endif
