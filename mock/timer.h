/* Deadlines: one binary heap for the whole cluster, timers embedded in what they belong to. */
#ifndef MOCK_TIMER_H
#define MOCK_TIMER_H

#include "base/clock.h"

#include <stddef.h>

struct cluster;

struct timer {
	int64_t due_us; /* mono */
	size_t at;	/* its place in the heap, from 1; 0: not set */
	/* Called once, the timer being unset already; it may set itself again. */
	void (*on_due)(struct cluster *c, void *owner);
	void *owner;
};

struct timers {
	struct timer **heap; /* [0] is the earliest */
	size_t count, cap;
};

void timers_release(struct timers *ts);

/* Sets or moves a timer whose on_due and owner are set. INSTANT_NEVER unsets it. */
void timer_set(struct timers *ts, struct timer *t, int64_t due_us);
void timer_unset(struct timers *ts, struct timer *t);

/* When the earliest is due; INSTANT_NEVER if none is set. */
int64_t timers_next(const struct timers *ts);

/* Calls what is due at now_us, earliest first. */
void timers_run(struct timers *ts, struct cluster *c, int64_t now_us);

#endif
