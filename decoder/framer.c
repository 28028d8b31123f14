/* A small machine: at a frame's start, inside a frame, or searching for a start.
 *
 * Invariants: head holds the undecided bytes of START and SEARCH, never of BODY, and is there only
 * while there are some; every byte and
 * every missing byte is told exactly once, in a frame or as lost. */
#include "decoder/framer.h"

#include "protocol/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void framer_init(struct framer *f, const struct framer_events *events, void *context,
		 bool searching)
{
	*f = (struct framer){.events = events,
			     .context = context,
			     .state = searching ? FRAMER_SEARCH : FRAMER_START};
}

/* Few conversations stand between two frames' bytes: so they share no room for it. */
static void keep_head(struct framer *f, const uint8_t *data, size_t n)
{
	assert(n && n < FRAMER_HEAD);
	if (!f->head)
		f->head = malloc(FRAMER_HEAD);
	if (!f->head)
		abort();
	memmove(f->head, data, n);
	f->head_len = n;
}

static void drop_head(struct framer *f)
{
	free(f->head);
	f->head = NULL;
	f->head_len = 0;
}

void framer_release(struct framer *f)
{
	drop_head(f);
}

bool framer_inside(const struct framer *f)
{
	return f->state == FRAMER_BODY || (f->state == FRAMER_START && f->head_len);
}

static void lose(struct framer *f, uint64_t seen, uint64_t missing, const struct stream_at *at)
{
	if (!f->lost_seen && !f->lost_missing)
		f->lost_at = *at;
	f->lost_seen += seen;
	f->lost_missing += missing;
}

static void tell_lost(struct framer *f)
{
	uint64_t seen = f->lost_seen, missing = f->lost_missing;

	f->lost_seen = f->lost_missing = 0;
	if (seen || missing)
		f->events->on_lost(f->context, seen, missing, &f->lost_at);
}

static void end_frame(struct framer *f, const struct stream_at *at)
{
	f->state = FRAMER_START;
	f->events->on_end(f->context, at);
}

/* Passes on what of n bytes belongs to the frame; returns how many that was. */
static size_t body(struct framer *f, const uint8_t *data, size_t n, const struct stream_at *at)
{
	size_t take = n < f->left ? n : (size_t)f->left;

	if (take)
		f->events->on_bytes(f->context, data, take, at);
	f->left -= take;
	if (!f->left)
		end_frame(f, at);
	return take;
}

static void begin_frame(struct framer *f, uint32_t size, const struct stream_at *at)
{
	tell_lost(f);
	f->state = FRAMER_BODY;
	f->left = size;
	f->events->on_frame(f->context, size, at);
}

/* Goes through bytes as far as the judge decides; returns how many were dealt with. The first `old`
 * of them came earlier (head_at). */
static size_t process(struct framer *f, const uint8_t *data, size_t n, size_t old,
		      const struct stream_at *at)
{
	enum framer_verdict verdict;
	size_t i = 0;

	while (i < n) {
		const struct stream_at *when = i < old ? &f->head_at : at;

		if (f->state == FRAMER_BODY) {
			i += body(f, data + i, n - i, at);
			continue;
		}
		verdict = f->events->judge(f->context, data + i, n - i, f->state == FRAMER_SEARCH);
		if (verdict == FRAMER_MORE && n - i < FRAMER_HEAD)
			break;
		if (verdict == FRAMER_YES && n - i >= 4) {
			begin_frame(f, wire_u32(data + i), when);
			i += 4;
			if (!f->left)
				end_frame(f, at);
			continue;
		}
		f->state = FRAMER_SEARCH;
		lose(f, 1, 0, when);
		i++;
	}
	return i;
}

/* The undecided bytes together with the next ones. Returns how many of the new ones are dealt with.
 */
static size_t process_head(struct framer *f, const uint8_t *data, size_t n,
			   const struct stream_at *at)
{
	size_t old = f->head_len, room = FRAMER_HEAD - old, take = n < room ? n : room, used;

	memcpy(f->head + old, data, take);
	used = process(f, f->head, old + take, old, at);
	if (used >= old) {
		drop_head(f);
		return used - old;
	}
	keep_head(f, f->head + used, old + take - used);
	return take;
}

void framer_data(struct framer *f, const uint8_t *data, size_t n, const struct stream_at *at)
{
	size_t used;

	while (n && f->head_len) {
		used = process_head(f, data, n, at);
		data += used;
		n -= used;
	}
	if (!n)
		return;
	used = process(f, data, n, 0, at);
	if (used == n)
		return;
	keep_head(f, data + used, n - used);
	f->head_at = *at;
}

/* A hole behind a frame's first bytes: with its length known it is skipped like any other. */
static void open_head(struct framer *f, const struct stream_at *at)
{
	uint8_t head[FRAMER_HEAD];
	size_t n = f->head_len;

	if (n)
		memcpy(head, f->head, n);
	drop_head(f);
	if (f->state == FRAMER_START && n >= 4) {
		begin_frame(f, wire_u32(head), &f->head_at);
		body(f, head + 4, n - 4, at);
	} else if (n) {
		lose(f, n, 0, &f->head_at);
	}
}

void framer_gap(struct framer *f, uint64_t n, const struct stream_at *at)
{
	uint64_t inside;

	open_head(f, at);
	if (f->state == FRAMER_BODY) {
		inside = n < f->left ? n : f->left;
		if (inside)
			f->events->on_hole(f->context, inside);
		f->left -= inside;
		n -= inside;
		if (!f->left)
			end_frame(f, at);
	}
	if (!n)
		return;
	lose(f, 0, n, at);
	f->state = FRAMER_SEARCH;
}

void framer_end(struct framer *f, const struct stream_at *at)
{
	if (f->state != FRAMER_BODY && f->head_len)
		lose(f, f->head_len, 0, at);
	drop_head(f);
	tell_lost(f);
}
