/* What a reader is given of a log: records up to the first batch that nobody can read, for
 * read_committed those of transactions that were committed. */
#include "harness/retell.h"

#include "protocol/records.h"

#include <stdlib.h>

#define EXPANDED_MAX  ((size_t)64 << 20)
#define PRODUCERS_MAX 1000 /* with a transaction at once; of more nobody keeps count */

/* ---- what can be read ---- */

/* Old messages are judged as they were counted. */
bool retell_opens(const struct seen_batch *b)
{
	struct record_iter records;
	struct record r;
	struct batch batch;
	struct buf scratch;
	bool opens;

	if (b->magic < 2 || b->crc_wrong || b->produced)
		return true;
	buf_init(&scratch, EXPANDED_MAX);
	opens = !batch_read(b->bytes.data, (size_t)b->bytes.len, &batch, NULL) &&
		!record_iter_init(&records, &batch, &scratch, NULL);
	while (opens && records.index < batch.records_count)
		opens = record_next(&records, &r, NULL) > 0;
	buf_release(&scratch);
	return opens;
}

bool retell_is_stuck(const struct seen_partition *p)
{
	for (size_t i = 0; i < p->batches_count; i++)
		if (!retell_opens(&p->batches[i]))
			return true;
	return false;
}

/* ---- transactions ---- */

static bool is_commit(const struct seen_batch *b)
{
	struct record_iter records;
	struct record r;
	struct batch batch;
	struct control_record marker;

	return !batch_read(b->bytes.data, (size_t)b->bytes.len, &batch, NULL) &&
	       !record_iter_init(&records, &batch, NULL, NULL) &&
	       record_next(&records, &r, NULL) > 0 && !control_record_read(&r, &marker, NULL) &&
	       marker.type == CONTROL_COMMIT;
}

/* How the transactions end that producers have open, from the log's end backwards. */
struct producers {
	int64_t ids[PRODUCERS_MAX];
	bool commits[PRODUCERS_MAX];
	size_t count;
};

static void take_marker(struct producers *all, const struct seen_batch *b)
{
	size_t i = 0;

	while (i < all->count && all->ids[i] != b->producer_id)
		i++;
	if (i == PRODUCERS_MAX)
		return;
	all->ids[i] = b->producer_id;
	all->commits[i] = is_commit(b);
	all->count += i == all->count;
}

static bool commits(const struct producers *all, int64_t producer_id)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->ids[i] == producer_id)
			return all->commits[i];
	return false;
}

/* By batch: whether a reader with read_committed is given it. To be freed. */
static bool *find_committed(const struct seen_partition *p)
{
	struct producers *all = calloc(1, sizeof(*all));
	bool *ret = calloc(p->batches_count + 1, sizeof(*ret));

	if (!all || !ret)
		abort();
	for (size_t i = p->batches_count; i > 0; i--) {
		const struct seen_batch *b = &p->batches[i - 1];

		if (b->control)
			take_marker(all, b);
		ret[i - 1] = !b->transactional || commits(all, b->producer_id);
	}
	free(all);
	return ret;
}

/* ---- counting ---- */

static int64_t from_of(const struct retell *r, const struct part *reader, struct str topic,
		       int32_t partition)
{
	const struct seen_group *g =
		reader->group.data ? seen_group(r->in->seen, reader->group) : NULL;

	for (size_t i = 0; g && i < g->offsets_count; i++)
		if (g->offsets[i].partition == partition && str_eq(g->offsets[i].topic, topic) &&
		    g->offsets[i].first > 0)
			return g->offsets[i].first;
	return 0;
}

/* Those of the records that nobody read which stand behind an offset. */
static int64_t unread_in(const struct seen_partition *p, int64_t from)
{
	int64_t end = 0, n = 0;

	for (size_t k = 0; k < p->batches_count; k++) {
		const struct seen_batch *b = &p->batches[k];
		int64_t unread = end ? b->empty_from - end : 0;

		if (p->start_moved_us && end && end < p->start_last) /* it was gone */
			unread = b->empty_from - p->start_last;
		if (!seen_before(p, b))
			continue;
		if (unread > 0 && unread <= RETELL_UNREAD_MAX && end >= from)
			n += unread;
		end = b->last_offset + 1;
	}
	return end >= from ? n + retell_unread_at_end(p, end) : n;
}

/* The log's start moved past it, and nobody had read it by then. */
static bool is_gone(const struct seen_partition *p, const struct seen_batch *b)
{
	return p->start_moved_us && b->base_offset < p->start_last &&
	       !(b->fetched && b->fetched->response_us < p->start_moved_us);
}

/* A cut took it: nobody had read it by then, or others stand at its offsets now, which count as the
 * same to who counts what was read. */
static bool is_overwritten(const struct seen_partition *p, const struct seen_batch *b)
{
	if (!p->cut.time_us || b->base_offset < p->cut.offset)
		return false;
	return !b->fetched ||
	       (p->anew_count && b->base_offset <= p->anew[p->anew_count - 1].last_offset);
}

/* Records of a partition for a reader from where it begins. */
static int64_t count_partition(const struct seen_partition *p, const struct part *reader,
			       int64_t from, int64_t *before)
{
	bool *committed = find_committed(p);
	int64_t n = 0;

	for (size_t k = 0; k < p->batches_count && retell_opens(&p->batches[k]); k++) {
		const struct seen_batch *b = &p->batches[k];
		bool there = seen_before(p, b);

		if (b->control || is_overwritten(p, b) || b->crc_wrong || b->base_offset < from ||
		    is_gone(p, b) || (reader->committed_only && !committed[k]) ||
		    (there && reader->from_latest))
			continue;
		n += b->records;
		*before += there ? b->records : 0;
	}
	free(committed);
	for (size_t k = 0; k < p->anew_count; k++)
		n += p->anew[k].control || p->anew[k].base_offset < from ? 0 : p->anew[k].records;
	return n;
}

int64_t retell_readable(const struct retell *r, struct str topic, const struct part *reader,
			int64_t *ret_before)
{
	const struct seen_topic *t = seen_topic(r->in->seen, topic);
	int64_t n = 0;

	*ret_before = 0;
	for (int32_t i = 0; t && i < t->partitions_count; i++) {
		const struct seen_partition *p = &t->partitions[i];
		int64_t from = from_of(r, reader, topic, i);

		n += count_partition(p, reader, from, ret_before);
		n += reader->from_latest || retell_is_stuck(p) ? 0 : unread_in(p, from);
	}
	return n;
}
