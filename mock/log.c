/* The log's memory and reading. Invariants: batches are in offset order without overlap; each holds
 * one reference to its chunk and one to its frame, if any; memory counts exactly what the entries
 * and their bytes take. Who may append what is mock/produce.c's business. */
#include "mock/log.h"

#include "mock/mem.h"
#include "protocol/crc32c.h"
#include "protocol/records.h"
#include "protocol/records_bytes.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_MIN ((size_t)1 << 10)
#define CHUNK_MAX ((size_t)64 << 10)

void log_init(struct log *log, struct log_memory *memory)
{
	*log = (struct log){.memory = memory};
}

static size_t cost(const struct log_batch *b)
{
	return sizeof(*b) + (b->frame ? BATCH_AT_RECORDS + b->frame->size : (size_t)b->size);
}

static void drop(struct log *log, struct log_batch *b)
{
	log->memory->used -= cost(b);
	log->size -= b->size;
	shared_unref(b->head);
	shared_unref(b->frame);
}

void log_release(struct log *log)
{
	for (size_t i = 0; i < log->count; i++)
		drop(log, &log->batches[log->first + i]);
	free(log->batches);
	free(log->epochs);
	free(log->segments);
	shared_unref(log->chunk);
	*log = (struct log){0};
}

bool log_has_room(const struct log *log, size_t size)
{
	size_t need = size + sizeof(struct log_batch);

	return need <= log->memory->max && log->memory->used <= log->memory->max - need;
}

/* Room of n bytes in the chunk; chunks grow with the log, so that an idle partition takes little.
 */
static uint8_t *chunk_room(struct log *log, size_t n)
{
	size_t size = log->chunk ? log->chunk->size * 2 : CHUNK_MIN;

	if (log->chunk && log->chunk->size - log->chunk_used >= n)
		goto out;
	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < n)
		size = n;
	shared_unref(log->chunk);
	log->chunk = shared_new(size);
	log->chunk_used = 0;
out:
	log->chunk_used += n;
	return log->chunk->data + log->chunk_used - n;
}

static struct log_batch *new_entry(struct log *log)
{
	if (log->first > 64 && log->first > log->count) {
		memmove(log->batches, log->batches + log->first,
			log->count * sizeof(log->batches[0]));
		log->first = 0;
	}
	log->batches = mem_grow(log->batches, &log->cap, log->first + log->count + 1,
				sizeof(log->batches[0]));
	return &log->batches[log->first + log->count];
}

static void new_segment(struct log *log, const struct log_append *what)
{
	log->segments = mem_grow(log->segments, &log->segments_cap, log->segments_count + 1,
				 sizeof(log->segments[0]));
	log->segments[log->segments_count++] = (struct log_segment){.base_offset = log->end,
								    .first_timestamp = -1,
								    .largest_timestamp = -1,
								    .created_ms = what->now_ms};
}

/* Whether the batch begins a new segment: by size, or by its time since the segment's first batch.
 */
static bool rolls(const struct log_segment *s, const struct log_append *what)
{
	int64_t waited = s->first_timestamp >= 0 ? what->max_timestamp - s->first_timestamp
						 : what->now_ms - s->created_ms;

	return s->size > what->segment_bytes - what->batch.len ||
	       (s->size > 0 && waited > what->segment_ms);
}

static void note_in_segment(struct log *log, const struct log_append *what)
{
	struct log_segment *s =
		log->segments_count ? &log->segments[log->segments_count - 1] : NULL;

	if (!s || rolls(s, what))
		new_segment(log, what);
	s = &log->segments[log->segments_count - 1];
	if (s->size == 0)
		s->first_timestamp = what->max_timestamp;
	if (what->max_timestamp > s->largest_timestamp)
		s->largest_timestamp = what->max_timestamp;
	s->size += what->batch.len;
}

/* How many bytes lie at head: a message may be shorter than a batch's header. */
static int32_t head_size(const struct log_batch *b)
{
	return b->size < BATCH_AT_RECORDS ? b->size : BATCH_AT_RECORDS;
}

/* Makes the header, which is the client's, the log's. */
static void write_header(uint8_t *head, const struct log_append *what, const struct log_batch *b)
{
	const uint8_t *from = what->batch.data;

	if (what->message_offsets) { /* a compressed one has the offset of its last (KIP-31) */
		batch_set_base_offset(head, b->last_offset);
		return;
	}
	batch_set_base_offset(head, b->base_offset);
	if (from[BATCH_AT_MAGIC] == 2) /* another, or none, was to be appended as it is */
		batch_set_leader_epoch(head, what->leader_epoch);
	if (get_i16(from + BATCH_AT_ATTRIBUTES) == what->attributes &&
	    get_i64(from + BATCH_AT_MAX_TIMESTAMP) == what->max_timestamp)
		return;
	put_i16(head + BATCH_AT_ATTRIBUTES, what->attributes);
	put_i64(head + BATCH_AT_MAX_TIMESTAMP, what->max_timestamp);
	put_i32(head + BATCH_AT_CRC,
		(int32_t)crc32c_more(
			crc32c(head + BATCH_AT_ATTRIBUTES, BATCH_AT_RECORDS - BATCH_AT_ATTRIBUTES),
			from + BATCH_AT_RECORDS, (size_t)what->batch.len - BATCH_AT_RECORDS));
}

/* A frame is kept only for a batch that is most of it: else a small one would hold a large frame.
 */
static bool adopts(const struct log_append *what)
{
	return what->frame && (size_t)what->batch.len >= 2 * BATCH_AT_RECORDS &&
	       (size_t)what->batch.len >= what->frame->size - what->frame->size / 4;
}

const struct log_batch *log_append(struct log *log, const struct log_append *what)
{
	struct log_batch *b = new_entry(log);
	size_t size = (size_t)what->batch.len;
	uint8_t *head;

	assert((size >= BATCH_AT_RECORDS || what->message_offsets) && what->gap >= 0);
	log->end += what->gap;
	note_in_segment(log, what);
	if (log->epochs_count == 0 || log->epochs[log->epochs_count - 1].epoch < what->leader_epoch)
		log_start_epoch(log, what->leader_epoch);
	*b = (struct log_batch){.base_offset = log->end,
				.max_timestamp = what->max_timestamp,
				.size = what->batch.len,
				.leader_epoch = what->leader_epoch,
				.attributes = what->attributes};
	b->last_offset =
		log->end + (what->message_offsets
				    ? what->message_offsets - 1
				    : get_i32(what->batch.data + BATCH_AT_LAST_OFFSET_DELTA));
	if (adopts(what)) {
		head = chunk_room(log, BATCH_AT_RECORDS);
		memcpy(head, what->batch.data, BATCH_AT_RECORDS);
		b->frame = shared_keep(what->frame);
		b->rest =
			b->frame->data + (what->batch.data - what->frame->data) + BATCH_AT_RECORDS;
	} else {
		head = chunk_room(log, size);
		memcpy(head, what->batch.data, size);
		b->rest = head + head_size(b);
	}
	write_header(head, what, b);
	b->head = shared_ref(log->chunk);
	b->head_at = (uint32_t)(head - log->chunk->data);
	log->count++;
	log->end = b->last_offset + 1;
	log->size += b->size;
	log->memory->used += cost(b);
	return b;
}

/* Segments after batches went at either end or in between: sizes and times anew, and those that
 * hold nothing any more are gone, but the last one. */
static void recount(struct log *log)
{
	size_t kept = 0, b = 0;

	for (size_t i = 0; i < log->segments_count; i++) {
		struct log_segment s = log->segments[i];
		int64_t end =
			i + 1 < log->segments_count ? log->segments[i + 1].base_offset : INT64_MAX;

		s.size = 0;
		s.first_timestamp = s.largest_timestamp = -1;
		for (; b < log->count && log_at(log, b)->base_offset < end; b++) {
			const struct log_batch *e = log_at(log, b);

			if (s.size == 0)
				s.first_timestamp = e->max_timestamp;
			if (e->max_timestamp > s.largest_timestamp)
				s.largest_timestamp = e->max_timestamp;
			s.size += e->size;
		}
		if (s.size > 0 || i + 1 == log->segments_count)
			log->segments[kept++] = s;
	}
	log->segments_count = kept;
}

void log_truncate(struct log *log, int64_t offset)
{
	int64_t end = offset < log->end ? offset : log->end;

	while (log->count && log->batches[log->first + log->count - 1].last_offset >= offset) {
		struct log_batch *last = &log->batches[log->first + --log->count];

		end = last->base_offset < end ? last->base_offset : end;
		drop(log, last);
	}
	log->end = end > log->start ? end : log->start;
	while (log->epochs_count && log->epochs[log->epochs_count - 1].start >= log->end &&
	       log->epochs_count > 1)
		log->epochs_count--;
	while (log->segments_count &&
	       log->segments[log->segments_count - 1].base_offset >= log->end)
		log->segments_count--;
	recount(log);
	if (log->clean_end > log->end)
		log->clean_end = log->end;
}

void log_move_start(struct log *log, int64_t offset)
{
	size_t epochs = 0;

	assert(offset >= log->start && offset <= log->end);
	for (; log->count && log_at(log, 0)->last_offset < offset; log->count--)
		drop(log, &log->batches[log->first++]);
	log->start = offset;
	while (epochs + 1 < log->epochs_count && log->epochs[epochs + 1].start <= offset)
		epochs++;
	if (epochs)
		memmove(log->epochs, log->epochs + epochs,
			(log->epochs_count - epochs) * sizeof(log->epochs[0]));
	log->epochs_count -= epochs;
	if (log->epochs_count && log->epochs[0].start < offset)
		log->epochs[0].start = offset;
	recount(log);
}

void log_roll(struct log *log, int64_t now_ms)
{
	struct log_append at = {.now_ms = now_ms};

	if (log->segments_count && log->segments[log->segments_count - 1].size > 0)
		new_segment(log, &at);
}

/* The entry gets other bytes: a batch of the same offsets. */
static void replace(struct log *log, struct log_batch *b, const struct buf *with)
{
	uint8_t *head = chunk_room(log, with->len);

	memcpy(head, with->data, with->len);
	drop(log, b);
	b->frame = NULL;
	b->head = shared_ref(log->chunk);
	b->head_at = (uint32_t)(head - log->chunk->data);
	b->rest = head + BATCH_AT_RECORDS;
	b->size = (int32_t)with->len;
	b->max_timestamp = get_i64(head + BATCH_AT_MAX_TIMESTAMP);
	b->attributes = get_i16(head + BATCH_AT_ATTRIBUTES);
	log->size += b->size;
	log->memory->used += cost(b);
}

void log_filter(struct log *log, log_judge *judge, void *ctx)
{
	struct buf out;
	size_t kept = 0;

	buf_init(&out, FRAME_SIZE_MAX);
	for (size_t i = 0; i < log->count; i++) {
		struct log_batch *b = &log->batches[log->first + i];
		enum log_verdict verdict;

		buf_reset(&out);
		verdict = judge(ctx, b, &out);
		if (verdict == LOG_DROP) {
			drop(log, b);
			continue;
		}
		if (verdict == LOG_REPLACE)
			replace(log, b, &out);
		log->batches[log->first + kept++] = *b;
	}
	log->count = kept;
	buf_release(&out);
	recount(log);
}

const struct log_batch *log_at(const struct log *log, size_t index)
{
	assert(index < log->count);
	return &log->batches[log->first + index];
}

size_t log_seek(const struct log *log, int64_t offset)
{
	size_t low = 0, high = log->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (log_at(log, middle)->last_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct bytes log_flatten(const struct log_batch *b, struct buf *out)
{
	buf_reset(out);
	buf_add(out, b->head->data + b->head_at, (size_t)head_size(b));
	buf_add(out, b->rest, (size_t)(b->size - head_size(b)));
	assert(!out->bad);
	return (struct bytes){out->data, (int32_t)out->len};
}

/* Where the segment that holds an offset ends; INT64_MAX for the one that is written to. */
static int64_t segment_end(const struct log *log, int64_t offset)
{
	size_t i = log->segments_count;

	while (i > 1 && log->segments[i - 1].base_offset > offset)
		i--;
	return i < log->segments_count ? log->segments[i].base_offset : INT64_MAX;
}

/* The batches [*ret_first, returned) that a read takes. */
static size_t extent(const struct log *log, int64_t offset, int64_t limit, int64_t max, bool one,
		     size_t *ret_first, int64_t *ret_size)
{
	size_t i = log_seek(log, offset);
	int64_t size = 0, end = 0;

	*ret_first = i;
	if (i < log->count)
		end = segment_end(log, log_at(log, i)->base_offset);
	for (; i < log->count; i++) {
		const struct log_batch *b = log_at(log, i);

		if (b->last_offset >= limit || b->base_offset >= end ||
		    (size + b->size > max && !(one && size == 0)))
			break;
		size += b->size;
	}
	*ret_size = size;
	return i;
}

int64_t log_available(const struct log *log, int64_t offset, int64_t limit, int64_t max,
		      bool *ret_closed)
{
	size_t first;
	int64_t size;

	*ret_closed = offset < limit && segment_end(log, offset) <= limit;
	extent(log, offset, limit, max, true, &first, &size);
	return size;
}

/* Adds a piece to the spans, or makes the last one longer where the piece follows it in memory. */
static void put_span(struct bytes *spans, int32_t *count, const uint8_t *data, int32_t len)
{
	struct bytes *last = *count ? &spans[*count - 1] : NULL;

	if (last && last->data + last->len == data)
		last->len += len;
	else
		spans[(*count)++] = (struct bytes){data, len};
}

int64_t log_read(const struct log *log, struct call *call, int64_t offset, int64_t limit,
		 int64_t max, bool one, struct records *ret_records, int64_t *ret_next)
{
	size_t first, end;
	int64_t size;
	struct bytes *spans;
	int32_t count = 0;

	if (max > INT32_MAX)
		max = INT32_MAX;
	end = extent(log, offset, limit, max, one, &first, &size);
	*ret_records = (struct records){"", 0, 0};
	*ret_next = end == first ? limit : log_at(log, end - 1)->last_offset + 1;
	if (end == first)
		return 0;
	spans = CALL_ARRAY(call, struct bytes, 2 * (end - first));
	for (size_t i = first; i < end; i++) {
		const struct log_batch *b = log_at(log, i);

		put_span(spans, &count, b->head->data + b->head_at, head_size(b));
		put_span(spans, &count, b->rest, b->size - head_size(b));
		call_hold(call, b->head);
		if (b->frame)
			call_hold(call, b->frame);
	}
	*ret_records = (struct records){spans, (int32_t)size, count};
	return size;
}

void log_start_epoch(struct log *log, int32_t epoch)
{
	struct log_epoch *last = log->epochs_count ? &log->epochs[log->epochs_count - 1] : NULL;

	if (last && last->start == log->end) {
		last->epoch = epoch; /* nothing was written in it */
		return;
	}
	log->epochs = mem_grow(log->epochs, &log->epochs_cap, log->epochs_count + 1,
			       sizeof(log->epochs[0]));
	log->epochs[log->epochs_count++] = (struct log_epoch){epoch, log->end};
}

int64_t log_end_of_epoch(const struct log *log, int32_t epoch, int32_t *ret_epoch)
{
	size_t i = log->epochs_count;

	*ret_epoch = -1;
	if (epoch == -1 || i == 0 || log->epochs[i - 1].epoch < epoch)
		return -1;
	while (i > 0 && log->epochs[i - 1].epoch > epoch)
		i--;
	*ret_epoch = i > 0 ? log->epochs[i - 1].epoch : epoch;
	return i < log->epochs_count ? log->epochs[i].start : log->end;
}
