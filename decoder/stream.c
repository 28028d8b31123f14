/* The table of conversations and the putting in order of their bytes.
 *
 * Invariants: a half's queue is sorted, does not overlap itself and lies wholly behind `next`, or
 * at it when its head is held back; all sums of memory (t->memory) equal what is allocated; a
 * stream stands in the list `queued` exactly while one of its queues is not empty; nothing is
 * called for a closed stream. Sequence numbers are compared by their signed difference, so they may
 * wrap.
 *
 * What the bytes mean is left to those above; which packets are TCP, to packet.c. */
#include "decoder/stream.h"

#include "base/rand.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define STREAM_OVERHEAD 96

struct stream_segment {
	struct stream_segment *prev, *next;
	uint32_t seq, len, wire_len;
	uint32_t ack;
	bool has_ack; /* not to be handed on before the other direction's bytes up to ack */
	struct stream_at at;
	uint8_t data[];
};

struct stream_table {
	struct stream_events events;
	struct stream_limits limits;
	struct stream_totals totals;
	struct stream *streams;	      /* by key */
	struct stream *numbered;      /* by both first sequence numbers */
	struct stream *open, *closed; /* by their last packet, the oldest first */
	struct stream *queued;	      /* with bytes that wait, the longest waiting first */
	struct stream *last;	      /* the one of the last packet */
	size_t memory;
	uint32_t count;
};

static int32_t ahead(uint32_t seq, uint32_t of)
{
	return (int32_t)(seq - of);
}

static bool is_far(int32_t rel)
{
	return rel > STREAM_WINDOW_MAX || rel < -STREAM_WINDOW_MAX;
}

static size_t segment_size(const struct stream_segment *g)
{
	return sizeof(*g) + g->len;
}

struct stream_table *stream_table_new(const struct stream_events *events,
				      const struct stream_limits *limits)
{
	struct stream_table *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->events = *events;
	if (limits)
		t->limits = *limits;
	if (!t->limits.memory_max)
		t->limits.memory_max = (size_t)32 << 20;
	if (!t->limits.queue_max)
		t->limits.queue_max = (size_t)4 << 20;
	if (!t->limits.streams_max)
		t->limits.streams_max = 32768;
	return t;
}

/* With what the hashes and the allocator take. */
static size_t stream_size(const struct stream_table *t)
{
	return sizeof(struct stream) + t->limits.user_size + STREAM_OVERHEAD;
}

/* Queues. */

static void queue_note(struct stream_table *t, struct stream *s)
{
	bool now = s->half[0].queue || s->half[1].queue;

	if (now && !s->queued)
		DL_APPEND2(t->queued, s, queue_prev, queue_next);
	else if (!now && s->queued)
		DL_DELETE2(t->queued, s, queue_prev, queue_next);
	s->queued = now;
}

static void queue_remove(struct stream_table *t, struct stream *s, struct stream_half *h,
			 struct stream_segment *g)
{
	DL_DELETE(h->queue, g);
	h->queue_bytes -= segment_size(g);
	h->queue_count--;
	t->memory -= segment_size(g);
	free(g);
	queue_note(t, s);
}

static void queue_clear(struct stream_table *t, struct stream *s)
{
	for (int d = 0; d < 2; d++)
		while (s->half[d].queue)
			queue_remove(t, s, &s->half[d], s->half[d].queue);
}

/* What a packet brings: its payload and where it belongs. Trimmed from the front as parts are dealt
 * with. */
struct piece {
	uint32_t seq, len, wire_len;
	const uint8_t *data;
	uint32_t ack;
	bool has_ack;
};

static void piece_skip(struct piece *p, uint32_t n)
{
	uint32_t captured = n < p->len ? n : p->len;

	p->data += captured;
	p->len -= captured;
	p->wire_len -= n;
	p->seq += n;
}

static void queue_insert(struct stream_table *t, struct stream *s, struct stream_half *h,
			 struct stream_segment *before, const struct piece *p, uint32_t wire_len,
			 const struct stream_at *at)
{
	uint32_t len = p->len < wire_len ? p->len : wire_len;
	struct stream_segment *g = malloc(sizeof(*g) + len);

	if (!g)
		abort();
	*g = (struct stream_segment){.seq = p->seq,
				     .len = len,
				     .wire_len = wire_len,
				     .ack = p->ack,
				     .has_ack = p->has_ack,
				     .at = *at};
	memcpy(g->data, p->data, len);
	if (before)
		DL_PREPEND_ELEM(h->queue, before, g);
	else
		DL_APPEND(h->queue, g);
	h->queue_bytes += segment_size(g);
	h->queue_count++;
	t->memory += segment_size(g);
	queue_note(t, s);
}

static void conflict(struct stream_table *t, struct stream *s, struct stream_half *h, size_t len,
		     const struct stream_at *at)
{
	h->counts.conflicts++;
	if (t->events.on_conflict && !s->ignored)
		t->events.on_conflict(t->events.context, s, h == &s->half[1], len, at);
}

/* Bytes that stand in the queue already: the first ones win, but a difference is counted. */
static void count_overlap(struct stream_table *t, struct stream *s, struct stream_half *h,
			  const struct stream_segment *g, const struct piece *p, uint32_t n,
			  const struct stream_at *at)
{
	uint32_t from = p->seq - g->seq, here = n < p->len ? n : p->len;

	if (from < g->len && here > g->len - from)
		here = g->len - from;
	if (from < g->len && memcmp(p->data, g->data + from, here) != 0)
		conflict(t, s, h, here, at);
	h->counts.retransmitted += n;
}

/* Puts a piece that begins at or behind h->next into the gaps between what is queued. */
static void queue_add(struct stream_table *t, struct stream *s, struct stream_half *h,
		      struct piece p, const struct stream_at *at)
{
	struct stream_segment *g = h->queue;
	uint32_t n;

	if (g && ahead(p.seq, g->prev->seq + g->prev->wire_len) >= 0)
		g = NULL; /* behind everything: the common case; g->prev of the head is the tail */
	while (g && p.wire_len) {
		if (ahead(g->seq, p.seq) > 0) {
			n = g->seq - p.seq;
			if (n > p.wire_len)
				n = p.wire_len;
			queue_insert(t, s, h, g, &p, n, at);
			piece_skip(&p, n);
			continue;
		}
		n = g->seq + g->wire_len - p.seq;
		if (ahead(g->seq + g->wire_len, p.seq) > 0) {
			if (n > p.wire_len)
				n = p.wire_len;
			count_overlap(t, s, h, g, &p, n, at);
			piece_skip(&p, n);
		}
		g = g->next;
	}
	if (p.wire_len)
		queue_insert(t, s, h, NULL, &p, p.wire_len, at);
}

/* Handing on. */

static void gap(struct stream_table *t, struct stream *s, int d, uint32_t bytes,
		enum stream_gap why, const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];

	h->next += bytes;
	if (why == STREAM_GAP_CUT)
		h->counts.cut += bytes;
	else
		h->counts.lost += bytes;
	if (!s->ignored)
		t->events.on_gap(t->events.context, s, d, bytes, why, at);
}

/* A piece that begins at h->next. */
static void deliver(struct stream_table *t, struct stream *s, int d, const uint8_t *data,
		    uint32_t len, uint32_t wire_len, const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];

	h->next += len;
	h->counts.bytes += len;
	h->done = false;
	if (len && !s->ignored)
		t->events.on_data(t->events.context, s, d, data, len, at);
	if (wire_len > len)
		gap(t, s, d, wire_len - len, STREAM_GAP_CUT, at);
}

static bool held(const struct stream *s, int d, bool has_ack, uint32_t ack)
{
	const struct stream_half *peer = &s->half[!d];

	return has_ack && peer->known && !peer->done && ahead(ack, peer->next) > 0 &&
	       ahead(ack, peer->next) <= STREAM_WINDOW_MAX;
}

static void check_fin(struct stream_half *h)
{
	if (h->has_fin && h->known && ahead(h->next, h->fin) >= 0)
		h->done = true;
}

/* Hands on what one direction's queue has without a hole. Returns whether anything moved. */
static bool drain_half(struct stream_table *t, struct stream *s, int d)
{
	struct stream_half *h = &s->half[d];
	struct stream_segment *g;
	bool moved = false;

	while ((g = h->queue) && ahead(g->seq, h->next) <= 0 && !held(s, d, g->has_ack, g->ack)) {
		assert(g->seq == h->next);
		deliver(t, s, d, g->data, g->len, g->wire_len, &g->at);
		queue_remove(t, s, h, g);
		moved = true;
	}
	check_fin(h);
	return moved;
}

/* Both, until nothing moves: one direction's bytes may wait for the other's. */
static void drain(struct stream_table *t, struct stream *s)
{
	bool moved;

	do {
		moved = drain_half(t, s, 0);
		moved = drain_half(t, s, 1) || moved;
	} while (moved && s->queued);
}

/* Stops waiting for what stands before the queue's head, as far as it was acknowledged when the
 * waiting began (what was acknowledged since may be on its way through the capture). force: also
 * for bytes that nobody acknowledged. */
static void give_up(struct stream_table *t, struct stream *s, int d, bool force,
		    enum stream_gap why, const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];
	struct stream_segment *g = h->queue;
	uint32_t acked = h->waited_acked;
	bool waited = h->waited && ahead(acked, h->next) > 0;

	h->waited = 0;
	if (g && ahead(g->seq, h->next) <= 0) {
		for (; g; g = g->next)
			g->has_ack = false;
	} else if (g && (force || (waited && ahead(acked, g->seq) >= 0))) {
		gap(t, s, d, g->seq - h->next, why, at);
	} else if (waited && acked - h->next == 1 && !g) {
		/* One number without a byte: the FIN was lost. */
		h->has_fin = h->done = true;
		h->fin = h->next;
	} else if (waited) {
		gap(t, s, d, acked - h->next, why, at);
	}
	drain(t, s);
}

/* Empties the queues of a stream, holes or not. */
static void flush(struct stream_table *t, struct stream *s, enum stream_gap why,
		  const struct stream_at *at)
{
	for (int d = 0; d < 2; d++)
		while (s->half[d].queue)
			give_up(t, s, d, true, why, at);
}

/* Memory. The stream at hand pays first, then those that have waited longest. */
static void keep_limits(struct stream_table *t, struct stream *s, int d, const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];

	while (h->queue &&
	       (h->queue_bytes > t->limits.queue_max || h->queue_count > STREAM_QUEUE_PACKETS))
		give_up(t, s, d, true, STREAM_GAP_ROOM, at);
	while (t->memory > t->limits.memory_max && t->queued)
		flush(t, t->queued, STREAM_GAP_ROOM, at);
}

/* A hole that the other side's acknowledgement covers is waited for a little, as packets may have
 * been captured out of order; then it is a loss. */
static void check_patience(struct stream_table *t, struct stream *s, int d,
			   const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];

	if (!h->known || h->done || s->ignored || !h->has_acked || ahead(h->acked, h->next) <= 0) {
		h->waited = 0;
		return;
	}
	if (!h->waited || h->waited_next != h->next) {
		h->waited = 0;
		h->waited_next = h->next;
		h->waited_acked = h->acked;
		h->waited_ns = at->time_ns;
	}
	h->waited++;
	if (h->waited > STREAM_PATIENCE || at->time_ns - h->waited_ns > STREAM_PATIENCE_NS)
		give_up(t, s, d, false, STREAM_GAP_LOST, at);
}

/* Bytes far outside the window are no part of the stream, unless two such packets follow one
 * another: then it is us who missed a great deal. Returns whether the piece goes on. */
static bool accept_far(struct stream_table *t, struct stream *s, int d, const struct piece *p,
		       const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];
	bool follows = h->has_stray && h->stray == p->seq;

	h->counts.outside++;
	h->has_stray = !follows;
	h->stray = p->seq + p->wire_len;
	if (!follows)
		return false;
	while (h->queue)
		give_up(t, s, d, true, STREAM_GAP_LOST, at);
	gap(t, s, d, p->seq - h->next, STREAM_GAP_LOST, at);
	h->has_acked = h->has_taken = h->has_fin = false;
	return true;
}

static void data_packet(struct stream_table *t, struct stream *s, int d, struct piece p,
			const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];
	int32_t rel = ahead(p.seq, h->next);

	if (is_far(rel)) {
		if (!accept_far(t, s, d, &p, at))
			return;
		rel = 0;
	}
	if (rel < 0 && (uint32_t)-rel >= p.wire_len) {
		if (rel == -1 && p.wire_len == 1)
			h->counts.keepalives++;
		else
			h->counts.retransmitted += p.wire_len;
		return;
	}
	if (rel < 0) {
		h->counts.retransmitted += (uint32_t)-rel;
		piece_skip(&p, (uint32_t)-rel);
		rel = 0;
	}
	if (!rel && !h->queue && !held(s, d, p.has_ack, p.ack)) {
		deliver(t, s, d, p.data, p.len, p.wire_len, at);
		check_fin(h);
		return;
	}
	h->counts.reordered += rel > 0;
	queue_add(t, s, h, p, at);
	keep_limits(t, s, d, at);
}

/* Conversations. */

static bool key_of(const struct packet *p, struct stream_key *ret)
{
	int order = memcmp(p->src.addr, p->dst.addr, sizeof(p->src.addr));
	bool flipped = order ? order > 0 : p->src.port > p->dst.port;
	const struct endpoint *low = flipped ? &p->dst : &p->src;
	const struct endpoint *high = flipped ? &p->src : &p->dst;

	memcpy(ret->low, low->addr, sizeof(ret->low));
	memcpy(ret->high, high->addr, sizeof(ret->high));
	ret->low_port = low->port;
	ret->high_port = high->port;
	ret->family = low->family;
	return flipped;
}

static unsigned key_hash(const struct stream_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = 0;

	_Static_assert(sizeof(*key) % sizeof(uint64_t) == 0, "the key is hashed in words");
	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		hash = hash_u64(hash, words[i]);
	return (unsigned)(hash ^ hash >> 32);
}

static struct stream *find(struct stream_table *t, const struct stream_key *key)
{
	struct stream *s = t->last;
	unsigned hash;

	if (s && !memcmp(&s->key, key, sizeof(*key)))
		return s;
	hash = key_hash(key);
	HASH_FIND_BYHASHVALUE(hh, t->streams, key, sizeof(*key), hash, s);
	t->last = s;
	return s;
}

static void forget(struct stream_table *t, struct stream *s)
{
	queue_clear(t, s);
	if (t->last == s)
		t->last = NULL;
	if (s->numbered)
		HASH_DELETE(hh_numbers, t->numbered, s);
	HASH_DELETE(hh, t->streams, s);
	if (s->closed)
		DL_DELETE(t->closed, s);
	else
		DL_DELETE(t->open, s);
	t->memory -= stream_size(t) - (s->closed ? t->limits.user_size : 0);
	t->count--;
	free(s);
}

/* At the end: bytes behind which nothing came, but which the other side acknowledged, or the FIN
 * followed. One number alone may be that of a lost FIN. */
static void lose_tail(struct stream_table *t, struct stream *s, int d, const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];
	uint32_t end = h->has_fin ? h->fin : h->acked;

	if (!h->known || h->done || s->ignored || !(h->has_fin || h->has_acked) ||
	    ahead(end, h->next) <= !h->has_fin)
		return;
	gap(t, s, d, end - h->next, STREAM_GAP_LOST, at);
	drain(t, s);
}

static void close_stream(struct stream_table *t, struct stream *s, enum stream_end how,
			 const struct stream_at *at)
{
	if (s->closed)
		return;
	flush(t, s, STREAM_GAP_LOST, at);
	for (int d = 0; d < 2; d++)
		lose_tail(t, s, d, at);
	DL_DELETE(t->open, s);
	DL_APPEND(t->closed, s);
	s->closed = true;
	t->memory -= t->limits.user_size;
	t->totals.refused += how == STREAM_END_REFUSED;
	t->totals.evicted += how == STREAM_END_EVICTED;
	t->events.on_close(t->events.context, s, how, at);
	s->user = NULL;
}

/* What waits behind holes is given up before a conversation is. Of these, closed ones go first:
 * they are kept only to know their late packets. */
static void make_room(struct stream_table *t, const struct stream_at *at)
{
	struct stream *s;

	while (t->memory + stream_size(t) > t->limits.memory_max && t->queued)
		flush(t, t->queued, STREAM_GAP_ROOM, at);
	while ((s = t->closed ? t->closed : t->open) &&
	       (t->count >= t->limits.streams_max ||
		t->memory + stream_size(t) > t->limits.memory_max)) {
		close_stream(t, s, STREAM_END_EVICTED, at);
		forget(t, s);
	}
}

/* A new conversation. Who sent its first packet is ends[0], unless that was the answer to a SYN. */
static struct stream *open_stream(struct stream_table *t, const struct packet *p,
				  const struct stream_key *key, bool flipped,
				  const struct stream_at *at)
{
	bool answer = (p->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
	struct stream *s;

	make_room(t, at);
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->key = *key;
	s->number = ++t->totals.streams;
	s->ends[0] = answer ? p->dst : p->src;
	s->ends[1] = answer ? p->src : p->dst;
	s->flipped = answer ? !flipped : flipped;
	s->opener = (p->flags & TCP_SYN) ? 0 : -1;
	s->closer = -1;
	HASH_ADD_BYHASHVALUE(hh, t->streams, key, sizeof(*key), key_hash(key), s);
	DL_APPEND(t->open, s);
	t->last = s;
	t->memory += stream_size(t);
	t->count++;
	t->events.on_open(t->events.context, s, at);
	return s;
}

/* Whether a packet belongs to the conversation, or shows that its ports began another one: a SYN
 * with a new number, or, after the end, bytes from far outside. */
static bool belongs(const struct stream *s, int d, const struct packet *p)
{
	const struct stream_half *h = &s->half[d];

	if (p->flags & TCP_SYN)
		return !s->closed && (!h->known || h->first == p->seq + 1);
	return !s->closed || !p->wire_len || (p->flags & TCP_RST) || !h->known ||
	       !is_far(ahead(p->seq, h->next));
}

static struct stream *stream_of(struct stream_table *t, const struct packet *p, int *ret_direction,
				const struct stream_at *at)
{
	struct stream_key key;
	bool flipped = key_of(p, &key);
	struct stream *s = find(t, &key);

	if (s && !belongs(s, flipped != s->flipped, p)) {
		close_stream(t, s, STREAM_END_REUSED, at);
		forget(t, s);
		s = NULL;
	}
	if (!s && ((p->flags & TCP_SYN) || (p->wire_len && !(p->flags & TCP_RST))))
		s = open_stream(t, p, &key, flipped, at);
	if (!s || s->closed) {
		t->totals.ignored_packets++;
		return NULL;
	}
	if (s->next) { /* not the youngest yet */
		DL_DELETE(t->open, s);
		DL_APPEND(t->open, s);
	}
	*ret_direction = flipped != s->flipped;
	return s;
}

static void learn_half(struct stream_half *h, uint32_t first)
{
	h->known = true;
	h->first = h->next = first;
}

/* Where a conversation begins, for us: two numbers that its ends drew, 64 bits. Another one that
 * begins with the same is this one before or behind an address translation: one of them is enough.
 */
static void note_numbers(struct stream_table *t, struct stream *s, uint32_t seq, uint32_t ack)
{
	struct stream *other;

	s->numbers = (uint64_t)seq << 32 | ack;
	HASH_FIND(hh_numbers, t->numbered, &s->numbers, sizeof(s->numbers), other);
	if (!other) {
		HASH_ADD(hh_numbers, t->numbered, numbers, sizeof(s->numbers), s);
		s->numbered = true;
	} else if (!other->closed) {
		t->totals.translated++;
		s->ignored = true;
	}
}

/* Whether the same packet came just before, from another interface of the capture. */
static bool is_duplicate(struct stream_table *t, struct stream *s, struct stream_half *h,
			 const struct packet *p, const struct stream_at *at)
{
	struct stream_print print = {.seq = p->seq,
				     .ack = p->ack,
				     .len = p->len,
				     .wire_len = p->wire_len,
				     .ip_id = p->ip_id,
				     .window = p->window,
				     .flags = p->flags,
				     .time_ns = at->time_ns};
	uint64_t first = 0, last = 0;
	bool differs = false;

	if (!p->wire_len)
		return false;
	if (p->len >= sizeof(first)) {
		memcpy(&first, p->data, sizeof(first));
		memcpy(&last, p->data + p->len - sizeof(last), sizeof(last));
	} else {
		memcpy(&first, p->data, p->len);
	}
	print.content = hash_u64(first, last);
	for (int i = 0; i < STREAM_PRINTS; i++) {
		const struct stream_print *q = &h->prints[i];

		if (q->wire_len == print.wire_len && q->seq == print.seq && q->ack == print.ack &&
		    q->ip_id == print.ip_id && q->window == print.window &&
		    q->flags == print.flags && q->content == print.content &&
		    at->time_ns - q->time_ns < STREAM_SAME_NS)
			return true;
		differs |= q->seq == print.seq && q->len == print.len && q->wire_len == print.len &&
			   q->wire_len == print.wire_len && q->content != print.content;
	}
	if (differs)
		conflict(t, s, h, p->len, at);
	h->prints[h->prints_at++ % STREAM_PRINTS] = print;
	return false;
}

static void syn_packet(struct stream *s, int d, const struct packet *p)
{
	struct stream_half *h = &s->half[d];

	if (!h->known)
		learn_half(h, p->seq + 1);
	if (s->opener < 0)
		s->opener = (p->flags & TCP_ACK) ? !d : d;
}

static void ack_packet(struct stream *s, int d, const struct packet *p)
{
	struct stream_half *h = &s->half[d], *peer = &s->half[!d];
	int32_t rel = ahead(p->ack, peer->next);

	if (!peer->known || is_far(rel))
		return;
	if (h->known && is_far(ahead(p->seq, h->next)))
		return; /* no packet of this conversation */
	if (!peer->has_taken || ahead(p->ack, peer->taken) > 0)
		peer->taken = p->ack;
	peer->has_taken = true;
	if (rel <= 0)
		return;
	if (!peer->has_acked || ahead(p->ack, peer->acked) > 0)
		peer->acked = p->ack;
	peer->has_acked = true;
}

static void fin_packet(struct stream *s, int d, const struct packet *p)
{
	struct stream_half *h = &s->half[d];
	uint32_t end = p->seq + p->wire_len;

	if (!h->known || s->ignored)
		learn_half(h, end);
	if (is_far(ahead(end, h->next)) || ahead(end, h->next) < 0)
		return;
	if (s->closer < 0)
		s->closer = d;
	h->has_fin = true;
	h->fin = end;
	check_fin(h);
}

static void reset_packet(struct stream_table *t, struct stream *s, int d, const struct packet *p,
			 const struct stream_at *at)
{
	struct stream_half *h = &s->half[d];
	bool refused = s->opener == !d && !h->known && !s->half[!d].counts.bytes;
	int32_t rel = ahead(p->seq, h->next);

	if (h->known && !s->ignored && is_far(rel)) {
		h->counts.outside++;
		return;
	}
	s->closer = d;
	close_stream(t, s, refused ? STREAM_END_REFUSED : STREAM_END_RESET, at);
}

/* Whether this is the first packet of a conversation that is older than the capture. */
static bool begins_inside(const struct stream *s, const struct packet *p)
{
	return s->opener < 0 && !s->numbered && !s->ignored && p->wire_len &&
	       (p->flags & TCP_ACK) && s->half[0].counts.packets + s->half[1].counts.packets == 1;
}

static struct piece piece_of(const struct packet *p)
{
	return (struct piece){.seq = p->seq + ((p->flags & TCP_SYN) ? 1 : 0),
			      .len = p->len,
			      .wire_len = p->wire_len,
			      .data = p->data,
			      .ack = p->ack,
			      .has_ack = p->flags & TCP_ACK};
}

static void feed(struct stream_table *t, struct stream *s, int d, const struct packet *p,
		 const struct stream_at *at)
{
	struct piece piece = piece_of(p);

	s->half[d].counts.packets++;
	if (p->flags & TCP_RST) {
		reset_packet(t, s, d, p, at);
		return;
	}
	if (p->flags & TCP_SYN) {
		syn_packet(s, d, p);
		if (!s->numbered && !s->ignored && s->half[0].known && s->half[1].known)
			note_numbers(t, s, s->half[0].first, s->half[1].first);
	} else if (begins_inside(s, p)) {
		note_numbers(t, s, p->seq, p->ack);
	}
	if (s->ignored)
		piece.wire_len = 0;
	else if (piece.wire_len && !s->half[d].known)
		learn_half(&s->half[d], piece.seq);
	if ((p->flags & TCP_ACK) && !s->ignored)
		ack_packet(s, d, p);
	if (piece.wire_len)
		data_packet(t, s, d, piece, at);
	if (p->flags & TCP_FIN)
		fin_packet(s, d, p);
	if (s->queued)
		drain(t, s);
	check_patience(t, s, 0, at);
	check_patience(t, s, 1, at);
	if (s->ignored && s->queued)
		queue_clear(t, s);
	if (s->half[0].done && s->half[1].done)
		close_stream(t, s, STREAM_END_FIN, at);
}

uint64_t stream_feed(struct stream_table *t, const struct packet *p, const struct stream_at *at,
		     int *ret_direction)
{
	struct stream *s;
	int d = 0;

	s = stream_of(t, p, &d, at);
	if (ret_direction)
		*ret_direction = d;
	if (!s)
		return 0;
	if (is_duplicate(t, s, &s->half[d], p, at)) {
		t->totals.duplicates++;
		return s->number;
	}
	feed(t, s, d, p, at);
	return s->number;
}

void stream_flush(struct stream_table *t, const struct stream_at *at)
{
	struct stream *s;

	while ((s = t->open ? t->open : t->closed)) {
		close_stream(t, s, STREAM_END_CAPTURE, at);
		forget(t, s);
	}
}

void stream_ignore(struct stream *s)
{
	s->ignored = true;
}

const struct stream_totals *stream_table_totals(const struct stream_table *t)
{
	return &t->totals;
}

size_t stream_table_memory(const struct stream_table *t)
{
	return t->memory;
}

void stream_table_free(struct stream_table *t)
{
	if (!t)
		return;
	while (t->open)
		forget(t, t->open);
	while (t->closed)
		forget(t, t->closed);
	free(t);
}
