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

static void insert(struct seen_partition *p, size_t at, const struct seen_batch *b)
{
	size_t count = p->batches_count;

	if ((count & (count - 1)) == 0) { /* full at every power of two */
		p->batches = realloc(p->batches, (count ? count * 2 : 1) * sizeof(*p->batches));
		if (!p->batches)
			abort();
	}
	memmove(&p->batches[at + 1], &p->batches[at], (count - at) * sizeof(*p->batches));
	p->batches[at] = *b;
	p->batches_count++;
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
				 .producer_id = b->producer_id};
	if (b->magic < 2)
		return count_messages(b, scratch, s);
	return b->last_offset_delta >= 0 && b->records_count >= 0 && b->base_offset >= 0 &&
	       b->base_offset < OFFSET_MAX;
}

/* Where it stands in the log. Written messages say nothing of it, or only count from 0. */
static void place(struct seen_batch *s, const struct seen_source *from, int64_t *next)
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
	s->empty_from = *next != SEEN_UNKNOWN && *next < s->base_offset ? *next : s->base_offset;
	*next = s->last_offset + 1;
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
		place(&s, from, &next);
		add(p, &s);
	}
	if (from->produced && (p->own_first == SEEN_UNKNOWN || from->from < p->own_first))
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
