/* A walk tells where record fields begin; their length is replaced by that of an empty one.
 *
 * Invariants: done <= what was fed, except while a record field is being left out; what was put and
 * what was removed add up to done. Records never stand in tagged fields, so no other length
 * depends on theirs. */
#include "decoder/thin.h"

#include "protocol/messages.h"

bool thin_worth(int api_key, bool response)
{
	if (!response)
		return api_key == API_PRODUCE;
	return api_key == API_FETCH || api_key == API_SHARE_FETCH || api_key == API_FETCH_SNAPSHOT;
}

static void put(struct thin *t, const uint8_t *data, size_t n)
{
	if (n)
		t->events->put(t->events->context, data, n);
}

static enum walk_want on_walk(void *user, const struct walk *w, const struct walk_event *ev)
{
	static const uint8_t empty[] = {0, 0, 0, 0}, empty_compact[] = {1};
	struct thin *t = user;
	int64_t length;

	if (ev->kind != WALK_DATA)
		return ev->kind == WALK_UNKNOWN_TAG ? WALK_SKIP : WALK_ON;
	if (!ev->field || ev->field->type != FIELD_RECORDS || ev->value.integer == 0)
		return WALK_SKIP;
	/* The length may have begun in an earlier slice. */
	if (t->done < ev->offset) {
		put(t, t->slice + (t->done - t->fed), (size_t)(ev->offset - t->done));
		t->done = ev->offset;
	} else if (t->done > ev->offset) {
		t->events->cut(t->events->context, (size_t)(t->done - ev->offset));
	}
	length = w->flexible ? 1 : 4;
	put(t, w->flexible ? empty_compact : empty, (size_t)length);
	t->done = ev->offset + ev->size + ev->value.integer;
	t->removed += (uint64_t)(ev->size + ev->value.integer - length);
	return WALK_SKIP;
}

void thin_init(struct thin *t, const struct schema *s, int version, int64_t size,
	       const struct thin_events *events)
{
	*t = (struct thin){.events = events};
	walk_init(&t->walk, s, version, size, on_walk, t);
}

void thin_feed(struct thin *t, const uint8_t *data, size_t n)
{
	int64_t end = t->fed + (int64_t)n;

	t->slice = data;
	if (!t->broken && walk_feed(&t->walk, (struct bytes){data, (int32_t)n}, NULL) < 0)
		t->broken = true;
	if (t->done < end) {
		put(t, data + (t->done - t->fed), (size_t)(end - t->done));
		t->done = end;
	}
	t->fed = end;
}

void thin_release(struct thin *t)
{
	walk_release(&t->walk);
}
