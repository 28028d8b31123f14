/* Topics and their logs in the words of a scenario: counts where content does not matter, bytes
 * where it does. */
#include "harness/retell.h"

#include "protocol/compress.h"
#include "protocol/records.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_MAX	 200   /* of a topic's log; a plan takes 256 */
#define HEX_MAX		 65536 /* bytes of batches that are given as such, of a topic */
#define BATCH_HEX_MAX	 16384 /* of one */
#define BATCH_MANY	 20    /* records of a batch from which on its size is no matter */
#define GAP_MAX		 1000000000000000
#define RECORDS_MAX	 100000
#define COUNT_MAX	 1000000
#define FETCH_AS_IT_LIES 4 /* from this version on records are given as the log holds them */

enum entry_kind { ENTRY_RECORDS, ENTRY_EMPTY, ENTRY_HEX };

/* One line of a log. */
struct entry {
	enum entry_kind kind;
	int32_t partition;
	int64_t gap, records, tail, empty, times;
	const struct seen_batch *batch; /* of HEX, and of records that are older */
	bool older;			/* they are messages of before record batches */
};

struct entries {
	struct entry *list;
	size_t count;
	size_t hex;    /* bytes so far */
	bool full;     /* some are missing */
	bool replaced; /* content was left out that could matter */
};

/* ---- what a batch is told as ---- */

/* Offsets of its records: all of them from the first on, without a hole between. */
static bool is_dense(const struct seen_batch *b)
{
	struct record_iter records;
	struct record r;
	struct batch batch;
	int32_t next = 0;

	if (batch_read(b->bytes.data, (size_t)b->bytes.len, &batch, NULL) || batch.codec ||
	    record_iter_init(&records, &batch, NULL, NULL))
		return false;
	while (record_next(&records, &r, NULL) > 0)
		if (r.offset != batch.base_offset + next++)
			return false;
	return next == b->records;
}

static bool matters(const struct seen_batch *b)
{
	if (b->magic < 2)
		return false; /* what they are like can be said without their bytes */
	return b->crc_wrong || b->control || b->transactional || b->codec || !retell_opens(b) ||
	       (b->records > 0 && b->records != b->last_offset - b->base_offset + 1 &&
		!is_dense(b));
}

/* Whether the log holds messages of magic 0 or 1, and not only the answers to an old Fetch do. */
static bool is_older(const struct seen_batch *b)
{
	return b->magic < 2 && b->codec < CODEC_ZSTD && !b->produced && b->fetched &&
	       b->fetched->header.api_version >= FETCH_AS_IT_LIES &&
	       b->records == b->last_offset - b->base_offset + 1;
}

static struct entry entry_of(struct entries *e, int32_t partition, const struct seen_batch *b)
{
	int64_t length = b->last_offset - b->base_offset + 1;
	struct entry n = {.partition = partition, .times = 1, .batch = b};

	if (matters(b) && b->bytes.len <= BATCH_HEX_MAX &&
	    e->hex + (size_t)b->bytes.len <= HEX_MAX) {
		n.kind = ENTRY_HEX;
		e->hex += (size_t)b->bytes.len;
		return n;
	}
	e->replaced |= matters(b);
	if (!b->records || b->records > length || b->control) {
		n.kind = ENTRY_EMPTY;
		n.empty = length;
		return n;
	}
	n.kind = ENTRY_RECORDS;
	n.records = b->records < RECORDS_MAX ? b->records : RECORDS_MAX;
	n.tail = length - n.records;
	n.older = is_older(b) && !n.tail;
	return n;
}

/* ---- the list ---- */

static bool is_plain(const struct entry *e)
{
	return e->kind == ENTRY_RECORDS && !e->gap && !e->tail && !e->older;
}

/* Old messages without a codec are one for each record: as many as there are go together. */
static bool goes_with(const struct entry *last, const struct entry *n)
{
	return last->older && n->older && !n->gap && last->partition == n->partition &&
	       last->batch->magic == n->batch->magic && !last->batch->codec && !n->batch->codec;
}

static void add_entry(struct entries *e, const struct entry *n)
{
	struct entry *last = e->count ? &e->list[e->count - 1] : NULL;

	if (last && goes_with(last, n)) {
		last->records += n->records;
		return;
	}
	if (last && is_plain(last) && is_plain(n) && last->partition == n->partition &&
	    last->records == n->records) {
		last->times += n->times;
		return;
	}
	e->list = realloc(e->list, (e->count + 1) * sizeof(*e->list));
	if (!e->list)
		abort();
	e->list[e->count++] = *n;
}

/* Offsets that nobody read: records like those around stand there. */
static void add_unread(struct entries *e, int32_t partition, int64_t count, int64_t like)
{
	struct entry n = {.kind = ENTRY_RECORDS, .partition = partition};

	n.records = like > 0 && like < count ? like : count;
	n.times = count / n.records;
	add_entry(e, &n);
	n.records = count % n.records;
	n.times = 1;
	if (n.records)
		add_entry(e, &n);
}

int64_t retell_unread_at_end(const struct seen_partition *p, int64_t end)
{
	int64_t told = p->own_first != SEEN_UNKNOWN ? p->own_first : p->end_first;

	return told > end ? (told - end < RETELL_UNREAD_MAX ? told - end : RETELL_UNREAD_MAX) : 0;
}

static void add_partition(struct entries *e, const struct seen_partition *p)
{
	int64_t end = 0, like = 1, unread;

	for (size_t i = 0; i < p->batches_count; i++) {
		const struct seen_batch *b = &p->batches[i];
		struct entry n;

		if (!seen_before(p, b))
			continue;
		unread = end ? b->empty_from - end : 0;
		if (unread > 0 && unread <= RETELL_UNREAD_MAX) {
			add_unread(e, p->index, unread, like);
			end = b->empty_from;
		}
		n = entry_of(e, p->index, b);
		n.gap = b->base_offset - end;
		if (n.gap > GAP_MAX)
			return;
		add_entry(e, &n);
		end = b->last_offset + 1;
		like = b->records ? b->records : like;
	}
	unread = retell_unread_at_end(p, end);
	if (unread)
		add_unread(e, p->index, unread, like);
}

/* Runs of plain batches of unlike sizes become as many of the same. */
static void even_out(struct entries *e)
{
	struct entries less = {0};

	for (size_t i = 0; i < e->count; i++)
		e->list[i].older = false;
	for (size_t i = 0; i < e->count;) {
		struct entry n = e->list[i];
		int64_t records = 0, batches = 0;

		while (i < e->count && is_plain(&e->list[i]) &&
		       e->list[i].partition == n.partition) {
			records += e->list[i].records * e->list[i].times;
			batches += e->list[i++].times;
		}
		if (!batches) {
			add_entry(&less, &n);
			i++;
			continue;
		}
		n.times = batches;
		n.records = records / batches;
		add_entry(&less, &n);
		n.times = 1;
		n.records = records % batches;
		if (n.records)
			add_entry(&less, &n);
	}
	free(e->list);
	e->list = less.list;
	e->count = less.count;
}

/* All of it as one number: as many records in each partition as those given in turn. */
static int64_t in_turn(const struct entries *e, int32_t partitions)
{
	int64_t *counts = calloc((size_t)partitions + 1, sizeof(*counts)), all = 0;
	bool fits = counts && e->count > 0;

	for (size_t i = 0; fits && i < e->count; i++) {
		fits = is_plain(&e->list[i]) && e->list[i].records >= BATCH_MANY;
		counts[e->list[i].partition] += e->list[i].records * e->list[i].times;
		all += e->list[i].records * e->list[i].times;
	}
	for (int32_t i = 0; fits && i < partitions; i++)
		fits = counts[i] == (all - i + partitions - 1) / partitions;
	free(counts);
	return fits && all <= COUNT_MAX ? all : 0;
}

/* ---- writing ---- */

static void write_hex(struct buf *out, struct bytes bytes)
{
	for (int32_t i = 0; i < bytes.len; i++)
		buf_printf(out, "%02x", bytes.data[i]);
}

static const char *what_of(const struct seen_batch *b)
{
	if (b->crc_wrong)
		return "its CRC is wrong";
	if (b->control)
		return "control records";
	if (!retell_opens(b))
		return "nobody can read its records";
	if (b->transactional)
		return "of a transaction";
	return b->codec ? "compressed" : "some of its offsets have no record";
}

static void write_entry(const struct entry *e, struct buf *out)
{
	buf_text(out, "  { ");
	if (e->partition)
		buf_printf(out, "partition = %d, ", e->partition);
	if (e->gap)
		buf_printf(out, "gap = %lld, ", (long long)e->gap);
	if (e->kind == ENTRY_HEX) {
		buf_text(out, "hex = \"");
		write_hex(out, e->batch->bytes);
		buf_printf(out, "\" }, -- offsets %lld to %lld: %s\n",
			   (long long)e->batch->base_offset, (long long)e->batch->last_offset,
			   what_of(e->batch));
		return;
	}
	if (e->kind == ENTRY_EMPTY)
		buf_printf(out, "empty = %lld", (long long)e->empty);
	else
		buf_printf(out, "records = %lld", (long long)e->records);
	if (e->tail)
		buf_printf(out, ", tail = %lld", (long long)e->tail);
	if (e->older)
		buf_printf(out, ", magic = %d", e->batch->magic);
	if (e->older && e->batch->codec)
		buf_printf(out, ", codec = \"%s\"", codec_name(e->batch->codec));
	if (e->times > 1)
		buf_printf(out, ", times = %lld", (long long)e->times);
	buf_text(out, " },\n");
}

/* At first. */
static int32_t partitions_of(const struct seen_topic *t)
{
	if (t->grown_us)
		return t->partitions_first;
	return t->partitions_count ? t->partitions_count : 1;
}

static bool is_cut(const struct seen_topic *t)
{
	for (int32_t i = 0; i < t->partitions_count; i++)
		if (t->partitions[i].cut.time_us)
			return true;
	return false;
}

static void write_log(const struct seen_topic *t, struct buf *out)
{
	struct entries e = {0};
	int64_t records;

	for (int32_t i = 0; i < t->partitions_count && i < partitions_of(t); i++)
		add_partition(&e, &t->partitions[i]);
	if (e.count > ENTRIES_MAX)
		even_out(&e);
	e.full = e.count > ENTRIES_MAX;
	records = is_cut(t) ? 0 : in_turn(&e, partitions_of(t)); /* between its batches */
	if (records) {
		buf_printf(out, ", records = %lld", (long long)records);
	} else if (e.count) {
		buf_text(out, ", log = {\n");
		for (size_t i = 0; i < e.count && i < ENTRIES_MAX; i++)
			write_entry(&e.list[i], out);
		if (e.full)
			buf_printf(out, "  -- %zu more batches are left out\n",
				   e.count - ENTRIES_MAX);
		if (e.replaced)
			buf_text(out, "  -- of batches that are too large the bytes are left out: "
				      "others of as many records stand for them\n");
		buf_text(out, "}");
	}
	free(e.list);
}

/* The leader of all partitions at first, or 0. */
static int32_t only_leader(const struct retell *r, const struct seen_topic *t)
{
	int32_t leader = 0;

	for (int32_t i = 0; i < t->partitions_count; i++) {
		const struct seen_partition *p = &t->partitions[i];
		int32_t node = p->leaders_count ? incident_node(r->in, p->leaders[0].leader) : 0;

		if (node <= 0 || (leader && node != leader))
			return 0;
		leader = node;
	}
	return leader;
}

static void write_commits(const struct retell *r, const struct seen_topic *t, const char *word,
			  struct buf *out)
{
	for (size_t g = 0; g < r->in->seen->groups_count; g++) {
		const struct seen_group *group = &r->in->seen->groups[g];
		int64_t *offsets = calloc((size_t)t->partitions_count + 1, sizeof(*offsets));
		int32_t count = 0;

		if (!offsets)
			abort();
		for (int32_t i = 0; i < t->partitions_count; i++)
			offsets[i] = -1;
		for (size_t i = 0; i < group->offsets_count; i++) {
			const struct seen_offset *o = &group->offsets[i];

			if (!str_eq(o->topic, t->name) || o->first < 0 ||
			    o->partition >= t->partitions_count)
				continue;
			offsets[o->partition] = o->first;
			count = o->partition + 1 > count ? o->partition + 1 : count;
		}
		if (count) {
			buf_printf(out, "%s:committed(", word);
			retell_quote(out, group->name);
			for (int32_t i = 0; i < count; i++)
				buf_printf(out, "%s%lld", i ? ", " : ", { ", (long long)offsets[i]);
			buf_text(out, " })\n");
		}
		free(offsets);
	}
}

static void write_topic(const struct retell *r, size_t i, struct buf *out)
{
	const struct seen_topic *t = &r->in->seen->topics[i];
	int32_t leader = only_leader(r, t);
	char word[60];

	retell_topic_word(r, i, word, sizeof(word));
	buf_printf(out, "local %s = k:topic(", word);
	retell_quote(out, t->name);
	buf_printf(out, ", { partitions = %d", partitions_of(t));
	if (t->replication && t->replication < incident_brokers(r->in) && t->replication <= 100)
		buf_printf(out, ", replication = %d", t->replication);
	if (leader > 0 && incident_brokers(r->in) > 1)
		buf_printf(out, ", leader = %d", leader);
	write_log(t, out);
	buf_text(out, " })\n");
	write_commits(r, t, word, out);
}

void retell_topics(const struct retell *r, struct buf *out)
{
	for (size_t i = 0; i < r->in->seen->topics_count; i++)
		if (retell_has_topic(r, i))
			write_topic(r, i, out);
}

/* ---- names ---- */

bool retell_has_topic(const struct retell *r, size_t topic)
{
	return incident_has_topic(r->in, r->in->seen->topics[topic].name);
}

void retell_topic_word(const struct retell *r, size_t topic, char *ret_word, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < r->in->seen->topics_count; i++)
		n += retell_has_topic(r, i);
	if (n > 1)
		snprintf(ret_word, size, "t%zu", topic + 1);
	else
		snprintf(ret_word, size, "t");
}
