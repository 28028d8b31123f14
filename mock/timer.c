/* The heap of deadlines. Every timer knows its place, so that moving one (each heartbeat does)
 * costs log n and allocates nothing. */
#include "mock/timer.h"

#include "mock/mem.h"

#include <stdlib.h>

void timers_release(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){0};
}

static void place(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->at = i + 1;
}

static void sift_up(struct timers *ts, size_t i)
{
	struct timer *t = ts->heap[i];

	while (i > 0 && ts->heap[(i - 1) / 2]->due_us > t->due_us) {
		place(ts, i, ts->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(ts, i, t);
}

static void sift_down(struct timers *ts, size_t i)
{
	struct timer *t = ts->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < ts->count && ts->heap[child + 1]->due_us < ts->heap[child]->due_us)
			child++;
		if (child >= ts->count || ts->heap[child]->due_us >= t->due_us)
			break;
		place(ts, i, ts->heap[child]);
		i = child;
	}
	place(ts, i, t);
}

void timer_set(struct timers *ts, struct timer *t, int64_t due_us)
{
	if (due_us == INSTANT_NEVER) {
		timer_unset(ts, t);
		return;
	}
	t->due_us = due_us;
	if (!t->at) {
		ts->heap = mem_grow(ts->heap, &ts->cap, ts->count + 1, sizeof(ts->heap[0]));
		place(ts, ts->count++, t);
	}
	sift_up(ts, t->at - 1);
	sift_down(ts, t->at - 1);
}

void timer_unset(struct timers *ts, struct timer *t)
{
	size_t i = t->at - 1;
	struct timer *last;

	if (!t->at)
		return;
	t->at = 0;
	last = ts->heap[--ts->count];
	if (last == t)
		return;
	place(ts, i, last);
	sift_up(ts, i);
	sift_down(ts, last->at - 1);
}

int64_t timers_next(const struct timers *ts)
{
	return ts->count ? ts->heap[0]->due_us : INSTANT_NEVER;
}

void timers_run(struct timers *ts, struct cluster *c, int64_t now_us)
{
	while (ts->count && ts->heap[0]->due_us <= now_us) {
		struct timer *t = ts->heap[0];

		timer_unset(ts, t);
		t->on_due(c, t->owner);
	}
}
