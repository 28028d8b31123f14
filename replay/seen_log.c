/* Batches in the order of their offsets. A batch comes more than once: written, read, read again.
 *
 * Invariants: batches do not overlap; one with a wrong checksum never stands where one with a right
 * one was seen. */
#include "replay/seen_log.h"

#include "protocol/records.h"

#include <stdlib.h>

#define OFFSET_MAX (INT64_MAX / 2) /* no log comes so far; what is beyond is no offset */

size_t seen_batch_from(const struct seen_partition *p, int64_t offset)
{
	size_t low = 0, high = p->batches_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->batches[middle].last_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct seen_batch *seen_batch_at(const struct seen_partition *p, int64_t offset)
{
	size_t i = seen_batch_from(p, offset);

	return i < p->batches_count && p->batches[i].base_offset <= offset ? &p->batches[i] : NULL;
}

/* What is there already learns from the copy; it was the same batch. */
static void learn(struct seen_batch *b, const struct seen_batch *copy)
{
	b->produced = b->produced ? b->produced : copy->produced;
	b->fetched = b->fetched ? b->fetched : copy->fetched;
	if (copy->empty_from < b->empty_from)
		b->empty_from = copy->empty_from;
}

static void insert_in(struct seen_batch **list, size_t *count, size_t at,
		      const struct seen_batch *b)
{
	if ((*count & (*count - 1)) == 0) { /* full at every power of two */
		*list = realloc(*list, (*count ? *count * 2 : 1) * sizeof(**list));
		if (!*list)
			abort();
	}
	memmove(&(*list)[at + 1], &(*list)[at], (*count - at) * sizeof(**list));
	(*list)[at] = *b;
	++*count;
}

static void insert(struct seen_partition *p, size_t at, const struct seen_batch *b)
{
	insert_in(&p->batches, &p->batches_count, at, b);
}

static void add(struct seen_partition *p, const struct seen_batch *b)
{
	size_t at = seen_batch_from(p, b->base_offset), end = at;
	struct seen_batch *there = at < p->batches_count ? &p->batches[at] : NULL;

	while (end < p->batches_count && p->batches[end].base_offset <= b->last_offset)
		end++;
	if (end == at) {
		insert(p, at, b);
		return;
	}
	if (end == at + 1 && there->base_offset == b->base_offset &&
	    there->last_offset == b->last_offset && there->crc_wrong == b->crc_wrong) {
		learn(there, b);
		return;
	}
	for (size_t i = at; i < end; i++)
		if (b->crc_wrong || !p->batches[i].crc_wrong)
			return;
	*there = *b; /* damaged copies make room */
	memmove(there + 1, &p->batches[end], (p->batches_count - end) * sizeof(*p->batches));
	p->batches_count -= end - at - 1;
}

/* Of old messages offsets and number are known only from what is inside. */
static bool count_messages(const struct batch *b, struct buf *scratch, struct seen_batch *s)
{
	struct record_iter records;
	struct record r;

	s->base_offset = b->base_offset;
	s->last_offset = b->base_offset;
	if (record_iter_init(&records, b, scratch, NULL))
		return false;
	for (s->records = 0; record_next(&records, &r, NULL) > 0; s->records++) {
		if (!s->records)
			s->base_offset = r.offset;
		s->last_offset = r.offset;
	}
	return s->records > 0 && s->base_offset >= 0 && s->last_offset >= s->base_offset &&
	       s->last_offset < OFFSET_MAX;
}

static bool describe(const struct batch *b, struct buf *scratch, struct seen_batch *s)
{
	*s = (struct seen_batch){.base_offset = b->base_offset,
				 .last_offset = b->last_offset,
				 .bytes = b->raw,
				 .records = b->records_count,
				 .magic = b->magic,
				 .codec = b->codec,
				 .control = b->control,
				 .transactional = b->transactional,
				 .crc_wrong = !batch_crc_ok(b),
				 .leader_epoch = -1,
				 .producer_id = b->producer_id,
				 .base_sequence = b->base_sequence};
	if (b->magic < 2)
		return count_messages(b, scratch, s);
	return b->last_offset_delta >= 0 && b->records_count >= 0 && b->base_offset >= 0 &&
	       b->base_offset < OFFSET_MAX;
}

/* Where it stands in the log. Written messages say nothing of it, or only count from 0. */
static void place(struct seen_batch *s, const struct seen_source *from, int32_t epoch,
		  int64_t *next)
{
	int64_t length = s->magic < 2 ? s->records - 1 : s->last_offset - s->base_offset;

	if (from->produced) {
		s->produced = from->x;
		s->base_offset = *next;
		s->last_offset = *next + length;
		s->empty_from = s->base_offset;
		*next = s->last_offset + 1;
		return;
	}
	s->fetched = from->x;
	s->leader_epoch = s->magic < 2 ? -1 : epoch;
	s->empty_from = *next != SEEN_UNKNOWN && *next < s->base_offset ? *next : s->base_offset;
	*next = s->last_offset + 1;
}

/* ---- logs that were cut ---- */

/* Signs of a cut come in any order: the lowest offset is where it was. Of several cuts the first
 * counts: what stood behind it is what the capture began with. */
static void note_cut(struct seen_partition *p, const struct session_exchange *x, int64_t offset)
{
	if (!p->cut.time_us)
		p->cut = (struct seen_cut){x->request_us, offset};
	else if (offset < p->cut.offset)
		p->cut.offset = offset;
}

/* What is written is written at the end: whatever stood there is gone, unless it is the same once
 * more. What is read under a newer epoch than was read there before replaced it; other differences
 * are a broker's own (compaction, timestamps, compression). */
static bool replaces(const struct seen_batch *was, const struct seen_batch *b)
{
	if (was->magic < 2 || b->magic < 2 || was->crc_wrong || b->crc_wrong)
		return false;
	if (b->fetched)
		return was->leader_epoch >= 0 && b->leader_epoch > was->leader_epoch;
	return memcmp(was->bytes.data + BATCH_AT_CRC, b->bytes.data + BATCH_AT_CRC, 4) != 0 &&
	       !(b->producer_id >= 0 && was->producer_id == b->producer_id &&
		 was->base_sequence == b->base_sequence);
}

static void add_anew(struct seen_partition *p, const struct seen_batch *b)
{
	size_t at = p->anew_count;

	while (at > 0 && p->anew[at - 1].base_offset > b->last_offset)
		at--;
	if (!at || p->anew[at - 1].last_offset < b->base_offset)
		insert_in(&p->anew, &p->anew_count, at, b);
	else if (p->anew[at - 1].base_offset == b->base_offset)
		learn(&p->anew[at - 1], b);
}

static void add_or_cut(struct seen_partition *p, const struct seen_batch *b,
		       const struct session_exchange *x)
{
	const struct seen_batch *was = seen_batch_at(p, b->base_offset);
	bool cut = was && replaces(was, b);

	if (cut)
		note_cut(p, x, b->base_offset);
	if (p->cut.time_us && b->base_offset >= p->cut.offset &&
	    (cut || !was || b->base_offset > p->batches[p->batches_count - 1].last_offset))
		add_anew(p, b);
	else
		add(p, b);
}

void seen_log_epoch_end(struct seen_partition *p, const struct session_exchange *x, int32_t epoch,
			int64_t end)
{
	size_t i = end >= 0 ? seen_batch_from(p, end) : p->batches_count;

	for (; i < p->batches_count && !p->cut.time_us; i++)
		if (p->batches[i].leader_epoch >= 0 && p->batches[i].leader_epoch <= epoch &&
		    p->batches[i].base_offset >= end)
			note_cut(p, x, end);
}

size_t seen_log_add(struct seen_partition *p, const struct seen_source *from, struct bytes records,
		    struct buf *scratch)
{
	struct records_reader reader;
	int64_t next = from->from;
	struct seen_batch s;
	struct batch b;
	size_t bad = 0;
	int rc;

	if (!records.data || next > OFFSET_MAX || (from->produced && next < 0))
		return 0;
	records_reader_init(&reader, records.data, (size_t)records.len);
	while ((rc = records_next(&reader, &b, NULL)) > 0) {
		if (!describe(&b, scratch, &s)) {
			bad++;
			continue;
		}
		place(&s, from, b.partition_leader_epoch, &next);
		add_or_cut(p, &s, from->x);
	}
	if (from->produced && !p->cut.time_us &&
	    (p->own_first == SEEN_UNKNOWN || from->from < p->own_first))
		p->own_first = from->from;
	return bad + (rc < 0);
}

static bool claim_read(struct seen_partition *p, const struct session_exchange *x,
		       struct bytes written)
{
	for (size_t i = 0; i < p->batches_count; i++) {
		struct seen_batch *s = &p->batches[i];

		if (s->magic != 2 || s->produced || s->bytes.len != written.len ||
		    memcmp(s->bytes.data + BATCH_AT_CRC, written.data + BATCH_AT_CRC,
			   (size_t)written.len - BATCH_AT_CRC) != 0)
			continue;
		s->produced = x;
		if (p->own_first == SEEN_UNKNOWN || s->base_offset < p->own_first)
			p->own_first = s->base_offset;
		return true;
	}
	return false;
}

/* A hole before an own batch that what is untold can fill. */
static bool claim_hole(struct seen_partition *p, struct seen_batch *b,
		       const struct session_exchange *x)
{
	for (size_t i = 0; i < p->batches_count; i++) {
		int64_t from = i ? p->batches[i - 1].last_offset + 1 : p->start_first;
		int64_t hole = p->batches[i].empty_from - from;

		if (!i && p->end_first != SEEN_UNKNOWN && p->end_first < p->batches[i].base_offset)
			from = p->end_first;
		if (from < 0 || !p->batches[i].produced || hole < b->records || hole > p->untold)
			continue;
		b->last_offset = from + (b->last_offset - b->base_offset);
		b->base_offset = b->empty_from = from;
		b->produced = x;
		insert(p, i, b);
		if (from < p->own_first)
			p->own_first = from;
		return true;
	}
	return false;
}

bool seen_log_claim(struct seen_partition *p, const struct session_exchange *x,
		    struct bytes records, struct buf *scratch)
{
	struct records_reader reader;
	struct seen_batch s;
	struct batch b;
	bool found = false;

	records_reader_init(&reader, records.data, records.data ? (size_t)records.len : 0);
	while (records_next(&reader, &b, NULL) > 0)
		if (describe(&b, scratch, &s))
			found |= (b.magic == 2 && claim_read(p, x, b.raw)) || claim_hole(p, &s, x);
	return found;
}

void seen_log_start(struct seen_partition *p, int64_t offset, int64_t time_us)
{
	if (offset < 0)
		return;
	if (p->start_first == SEEN_UNKNOWN)
		p->start_first = offset;
	if (offset > p->start_last && p->start_last != SEEN_UNKNOWN)
		p->start_moved_us = time_us;
	if (offset > p->start_last)
		p->start_last = offset;
}

void seen_log_end(struct seen_partition *p, int64_t offset)
{
	if (offset < 0)
		return;
	if (p->end_first == SEEN_UNKNOWN)
		p->end_first = offset;
	p->end_last = offset;
}

bool seen_before(const struct seen_partition *p, const struct seen_batch *b)
{
	return !b->produced && (p->own_first == SEEN_UNKNOWN || b->base_offset < p->own_first);
}
