/* A mock cluster that stands in for the one of a capture: it begins with the topics, logs and
 * offsets that the capture's began with, and is asked the capture's own requests, in their own
 * time, with the ids that it gave itself in place of the recorded ones. What it answers is what a
 * normal cluster would have said. No socket: time is the capture's. */
#ifndef HARNESS_STAND_IN_H
#define HARNESS_STAND_IN_H

#include "decoder/names.h"
#include "mock/cluster.h"
#include "replay/seen.h"

struct stand_in;

/* One request that it was asked. */
struct asked {
	struct call call;
	struct plan plan;
	struct arena arena;
	const struct session_exchange *x;
	struct facts facts;	 /* as rules see it; from the arena */
	enum call_result result; /* CALL_WAIT until it is answered */
	int64_t answered_us;	 /* wall µs by the capture's clock */
	bool passed_over;	 /* set by `before`: it is not to be worked */
	struct asked *next, *prev;
};

/* Called once for every request that was asked, when it is answered (the response in call.response,
 * valid during the call), closed, given up, or needs no answer. */
typedef void stand_in_done(void *ctx, struct asked *a);

struct stand_in_config {
	const struct seen *seen;
	int32_t brokers;				 /* node ids 1..brokers */
	int32_t (*node_id)(void *ctx, int32_t recorded); /* of a recorded one */
	void (*on_done)(void *ctx, struct asked *a);
	void *ctx;
};

struct stand_in *stand_in_new(const struct stand_in_config *config);
void stand_in_free(struct stand_in *s); /* gives up what waits; NULL is fine */

/* Time goes on to that wall clock; what becomes ready is answered. */
void stand_in_time(struct stand_in *s, int64_t wall_us);

/* Asks; plan: what happens to it (its texts live on), or NULL. before, if not NULL, is called when
 * facts are known and before it is worked, and may set the plan. */
void stand_in_ask(struct stand_in *s, const struct session_exchange *x,
		  void (*before)(void *ctx, struct asked *a));

/* An event of mock/happen.h; 0 or ERR_USAGE. */
int stand_in_happen(struct stand_in *s, const char *text);

/* Topic names by the ids of both worlds. */
struct names *stand_in_names(struct stand_in *s);

#endif
