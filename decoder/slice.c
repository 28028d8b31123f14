/* What is wanted, by conversation: ranges of packet numbers, and ranges of secret bytes.
 *
 * Invariants: ranges are sorted before the second pass, which goes through packets in the order of
 * their numbers, so that each conversation needs one cursor only. */
#include "decoder/slice.h"

#include "trace/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define FLUSH_AT       ((size_t)256 << 10)
#define INTERFACES_MAX 32 /* link types of one slice */

struct range {
	uint64_t first, last; /* packets */
};

struct secret {
	uint32_t seq, n;
	int direction;
};

struct wanted {
	uint64_t stream;
	bool chosen, coarse;
	bool refused; /* not all of its secrets are known: nothing of it is written */
	struct range *ranges;
	size_t ranges_count, ranges_cap, at;
	uint64_t until;
	struct secret *secrets;
	size_t secrets_count, secrets_cap;
	UT_hash_handle hh;
};

struct slice {
	bool streams;
	struct wanted *table;
	FILE *file;
	struct buf out;
	uint16_t links[INTERFACES_MAX];
	uint32_t links_count;
	uint64_t packets;
	struct room *room;
	bool full; /* no more conversations: those that come may have secrets that were not kept */
	struct slice_totals totals;
	struct error error;
};

struct slice *slice_new(bool streams, struct room *room)
{
	struct slice *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->streams = streams;
	s->room = room;
	s->error = (struct error)ERROR_INIT;
	buf_init(&s->out, (size_t)1 << 30);
	return s;
}

static size_t size_of(const struct wanted *w)
{
	return sizeof(*w) + ROOM_OVERHEAD + w->ranges_cap * sizeof(*w->ranges) +
	       w->secrets_cap * sizeof(*w->secrets);
}

void slice_free(struct slice *s)
{
	struct wanted *w, *next;

	if (!s)
		return;
	HASH_ITER (hh, s->table, w, next) {
		HASH_DELETE(hh, s->table, w);
		room_give(s->room, size_of(w));
		free(w->ranges);
		free(w->secrets);
		free(w);
	}
	if (s->file)
		fclose(s->file);
	buf_release(&s->out);
	free(s);
}

const struct slice_totals *slice_totals(const struct slice *s)
{
	return &s->totals;
}

static struct wanted *wanted(struct slice *s, uint64_t stream, bool make)
{
	struct wanted *w;

	HASH_FIND(hh, s->table, &stream, sizeof(stream), w);
	if (w || !make)
		return w;
	s->full = s->full || !room_take(s->room, sizeof(*w) + ROOM_OVERHEAD);
	if (s->full)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->stream = stream;
	HASH_ADD(hh, s->table, stream, sizeof(w->stream), w);
	return w;
}

/* Makes room for one more in *list; false when there is none. */
static bool more(struct slice *s, void **list, size_t count, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 2;

	if (count < *cap)
		return true;
	if (!room_take(s->room, (want - *cap) * size))
		return false;
	*list = realloc(*list, want * size);
	if (!*list)
		abort();
	*cap = want;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Half as many ranges, each with what lies between two. */
static void coarsen(struct slice *s, struct wanted *w)
{
	size_t n = 0;

	qsort(w->ranges, w->ranges_count, sizeof(*w->ranges), by_first);
	for (size_t i = 0; i < w->ranges_count; i += 2) {
		struct range r = w->ranges[i];

		if (i + 1 < w->ranges_count && w->ranges[i + 1].last > r.last)
			r.last = w->ranges[i + 1].last;
		w->ranges[n++] = r;
	}
	w->ranges_count = n;
	s->totals.coarse += !w->coarse;
	w->coarse = true;
}

/* False when there is no room for a single one. */
static bool add_range(struct slice *s, struct wanted *w, uint64_t first, uint64_t last)
{
	struct range *previous = w->ranges_count ? &w->ranges[w->ranges_count - 1] : NULL;

	if (!first)
		return true;
	if (previous && first >= previous->first && first <= previous->last + 1) {
		previous->last = last > previous->last ? last : previous->last;
		return true;
	}
	if (!more(s, (void **)&w->ranges, w->ranges_count, &w->ranges_cap, sizeof(*w->ranges))) {
		if (!w->ranges_count)
			return false;
		coarsen(s, w);
	}
	w->ranges[w->ranges_count++] = (struct range){first, last};
	return true;
}

void slice_choose(struct slice *s, const struct exchange *x)
{
	struct wanted *w = wanted(s, x->stream, true);
	bool there = w && !w->refused;

	if (there)
		w->chosen = true;
	if (there && !s->streams)
		there = add_range(s, w, x->request_packet, x->request_packet_last) &&
			add_range(s, w, x->response_packet, x->response_packet_last);
	s->totals.left_out += !there;
}

void slice_secret(struct slice *s, uint64_t stream, int direction, uint32_t seq, uint32_t n)
{
	struct wanted *w = wanted(s, stream, true);

	if (!w)
		return;
	if (!more(s, (void **)&w->secrets, w->secrets_count, &w->secrets_cap,
		  sizeof(*w->secrets))) {
		w->refused = true;
		return;
	}
	w->secrets[w->secrets_count++] = (struct secret){seq, n, direction};
}

int slice_begin(struct slice *s, const char *path, struct error *e)
{
	s->file = fopen(path, "wb");
	if (!s->file)
		return error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
	for (struct wanted *w = s->table; w; w = w->hh.next)
		if (w->ranges_count)
			qsort(w->ranges, w->ranges_count, sizeof(*w->ranges), by_first);
	pcapng_write_section(&s->out, NULL, NULL, "ktrial " KTRIAL_VERSION);
	return 0;
}

static void flush(struct slice *s)
{
	if (s->out.len && fwrite(s->out.data, 1, s->out.len, s->file) != s->out.len)
		error_set(&s->error, ERR_OS, "can't write the slice: %s", strerror(errno));
	buf_reset(&s->out);
}

static bool is_wanted(const struct slice *s, struct wanted *w, uint64_t number)
{
	if (!w || !w->chosen || w->refused)
		return false;
	if (s->streams)
		return true;
	for (; w->at < w->ranges_count && w->ranges[w->at].first <= number; w->at++)
		if (w->ranges[w->at].last > w->until)
			w->until = w->ranges[w->at].last;
	return number <= w->until;
}

/* The interface's number in the file; it is described when its link type comes first. */
static int64_t interface_of(struct slice *s, uint16_t link)
{
	for (uint32_t i = 0; i < s->links_count; i++)
		if (s->links[i] == link)
			return i;
	if (s->links_count == INTERFACES_MAX)
		return -1;
	s->links[s->links_count] = link;
	pcapng_write_interface(&s->out, link, 0, 9, NULL);
	return s->links_count++;
}

/* Blanks what of the packet's payload is secret. */
static void blank(const struct wanted *w, const struct capture_item *item, const struct packet *p,
		  int direction, uint8_t *copy)
{
	uint32_t seq = p->seq + ((p->flags & TCP_SYN) ? 1 : 0);

	for (size_t i = 0; i < w->secrets_count; i++) {
		const struct secret *k = &w->secrets[i];
		int32_t from = (int32_t)(k->seq - seq);
		int64_t to = (int64_t)from + k->n;

		if (k->direction != direction || to <= 0 || from >= (int32_t)p->len)
			continue;
		from = from < 0 ? 0 : from;
		to = to > p->len ? p->len : to;
		memset(copy + (p->data - item->data) + from, '*', (size_t)(to - from));
	}
}

void slice_packet(struct slice *s, const struct capture_item *item, const struct packet *p,
		  uint64_t stream, int direction)
{
	struct wanted *w = stream ? wanted(s, stream, false) : NULL;
	struct str comment = pcapng_comment(item->options);
	struct pcapng_out out = {.time = (uint64_t)item->time_ns,
				 .len = item->len,
				 .wire_len = item->wire_len,
				 .comments = &comment,
				 .comments_count = comment.data != NULL};
	int64_t interface;
	uint8_t *copy;

	if (!is_wanted(s, w, item->number))
		return;
	interface = interface_of(s, item->link);
	if (interface < 0)
		return;
	out.interface = (uint32_t)interface;
	copy = pcapng_write_packet(&s->out, &out);
	if (!copy)
		return;
	memcpy(copy, item->data, item->len);
	if (p->len && p->data >= item->data && p->data <= item->data + item->len)
		blank(w, item, p, direction, copy);
	s->packets++;
	if (s->out.len > FLUSH_AT)
		flush(s);
}

int slice_end(struct slice *s, uint64_t *ret_packets, struct error *e)
{
	flush(s);
	if (fclose(s->file))
		error_set(&s->error, ERR_OS, "can't write the slice: %s", strerror(errno));
	s->file = NULL;
	*ret_packets = s->packets;
	if (s->error.code && e && !e->code)
		*e = s->error;
	return s->error.code;
}
