/* The one event loop: libevent's, with timers that speak our clock. Everything that listens or
 * waits in a process hangs on one loop and one thread. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"

#include <stdbool.h>

/* libevent's own struct event stays inside net/: here the word means trace/event.h's. */
struct event_base;
struct loop;

/* Never NULL: a machine that has no epoll for us ends the program. */
struct loop *loop_new(void);
/* After everything that hangs on it is gone; accepts NULL. */
void loop_free(struct loop *l);

/* For what libevent does itself: evhttp, other descriptors. */
struct event_base *loop_base(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Runs what is ready now, waiting for something at most wait_us. */
void loop_turn(struct loop *l, int64_t wait_us);
void loop_stop(struct loop *l);

/*
 * How late the loop was at worst, in µs, since the last call (which starts anew): whoever judges
 * times asks it. Measured on every timer, and by a beat every LOOP_BEAT_US once this was called.
 */
int64_t loop_stall_us(struct loop *l);
#define LOOP_BEAT_US 50000

/* One deadline. Belongs to whoever embeds it; must be cleared before it goes. */
struct loop_timer {
	void *ev; /* libevent's; there from the first set to the next clear */
	struct loop *loop;
	void (*on_due)(void *ctx, struct instant now);
	void *ctx;
	int64_t due_us; /* mono; INSTANT_NEVER while it is not set */
};

void loop_timer_init(struct loop_timer *t, struct loop *l,
		     void (*on_due)(void *ctx, struct instant now), void *ctx);
/* Sets or moves it; a moment that has passed is due at the next turn, INSTANT_NEVER clears it. It
 * may come up to a millisecond late, never early. */
void loop_timer_set(struct loop_timer *t, int64_t mono_us);
void loop_timer_clear(struct loop_timer *t);

/* A descriptor that becomes readable (a pipe of a subject), or a signal that arrives. The callback
 * may close the descriptor after loop_watch_free. */
struct loop_watch;
struct loop_watch *loop_watch_fd(struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx);
struct loop_watch *loop_watch_signal(struct loop *l, int signal_number, void (*on_ready)(void *ctx),
				     void *ctx);
void loop_watch_free(struct loop_watch *w); /* accepts NULL; also from inside its callback */

#endif
