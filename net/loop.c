/* Wraps libevent's event_base and keeps the measure of how late timers came. Holds no other state;
 * timers belong to those who embed them. */
#include "net/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

struct loop {
	struct event_base *base;
	struct loop_timer beat;
	int64_t stall_us;
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	signal(SIGPIPE, SIG_IGN);
	l->base = event_base_new();
	if (!l->base)
		abort();
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_timer_clear(&l->beat);
	event_base_free(l->base);
	free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

void loop_run(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_turn(struct loop *l, int64_t wait_us)
{
	struct timeval wait = {wait_us / 1000000, wait_us % 1000000};

	if (wait_us <= 0) {
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		return;
	}
	event_base_loopexit(l->base, &wait);
	event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

static void on_beat(void *ctx, struct instant now)
{
	struct loop *l = ctx;

	loop_timer_set(&l->beat, now.mono_us + LOOP_BEAT_US);
}

int64_t loop_stall_us(struct loop *l)
{
	int64_t stall = l->stall_us;

	if (!l->beat.loop) {
		loop_timer_init(&l->beat, l, on_beat, l);
		loop_timer_set(&l->beat, clock_now().mono_us + LOOP_BEAT_US);
	}
	l->stall_us = 0;
	return stall;
}

/* libevent rounds to its own tick, so a timer may wake too early: then it is set again. */
static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *t = ctx;
	struct instant now = clock_now();
	int64_t late = now.mono_us - t->due_us;

	(void)fd;
	(void)what;
	if (t->due_us == INSTANT_NEVER)
		return;
	if (late < 0) {
		loop_timer_set(t, t->due_us);
		return;
	}
	if (late > t->loop->stall_us)
		t->loop->stall_us = late;
	t->due_us = INSTANT_NEVER;
	t->on_due(t->ctx, now);
}

void loop_timer_init(struct loop_timer *t, struct loop *l,
		     void (*on_due)(void *ctx, struct instant now), void *ctx)
{
	t->loop = l;
	t->on_due = on_due;
	t->ctx = ctx;
	t->due_us = INSTANT_NEVER;
	t->ev = NULL;
}

void loop_timer_set(struct loop_timer *t, int64_t mono_us)
{
	struct timeval wait = {0};
	int64_t left;

	assert(t->loop);
	if (mono_us == INSTANT_NEVER) {
		loop_timer_clear(t);
		return;
	}
	t->due_us = mono_us;
	left = mono_us - clock_now().mono_us;
	if (left > 0) {
		wait.tv_sec = left / 1000000;
		wait.tv_usec = left % 1000000;
	}
	if (!t->ev)
		t->ev = evtimer_new(t->loop->base, on_timer, t);
	if (!t->ev || event_add(t->ev, &wait))
		abort();
}

void loop_timer_clear(struct loop_timer *t)
{
	t->due_us = INSTANT_NEVER;
	if (t->ev)
		event_free(t->ev);
	t->ev = NULL;
}

struct loop_watch {
	struct event *ev;
	void (*on_ready)(void *ctx);
	void *ctx;
};

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_watch *w = ctx;

	(void)fd;
	(void)what;
	w->on_ready(w->ctx);
}

static struct loop_watch *watch(struct loop *l, int fd, short what, void (*on_ready)(void *ctx),
				void *ctx)
{
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->on_ready = on_ready;
	w->ctx = ctx;
	w->ev = event_new(l->base, fd, what | EV_PERSIST, on_watch, w);
	if (!w->ev || event_add(w->ev, NULL))
		abort();
	return w;
}

struct loop_watch *loop_watch_fd(struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx)
{
	return watch(l, fd, EV_READ, on_ready, ctx);
}

struct loop_watch *loop_watch_signal(struct loop *l, int signal_number, void (*on_ready)(void *ctx),
				     void *ctx)
{
	return watch(l, signal_number, EV_SIGNAL, on_ready, ctx);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	event_free(w->ev);
	free(w);
}
