/* A timeline: the one part of a scenario that runs beside its subjects. A Lua coroutine that starts
 * and stops clients and waits; it goes on whenever somebody polls it and what it waits for has
 * come. It sees the run only through a struct stage. */
#ifndef HARNESS_TIMELINE_H
#define HARNESS_TIMELINE_H

#include "base/clock.h"
#include "harness/script.h"

enum holds { HOLDS_NOT_YET, HOLDS, HOLDS_NEVER };

/* What a timeline can do and see; the runner's. */
struct stage {
	/* Starts a client; its last run must have ended. 0 or negative with *e. */
	int (*start)(struct stage *stage, int32_t client, struct error *e);
	/* Sends a signal to a client's processes; nothing if it does not run. */
	void (*signal)(struct stage *stage, int32_t client, int signal_number);
	/* Whether a condition (never ANY or ALL) holds. NEVER: it can't come any more; why into
	 * text (size bytes). */
	enum holds (*holds)(struct stage *stage, const struct condition *c, char *text,
			    size_t size);
	/* Lets go what a rule holds under a name. How many there were. */
	int32_t (*release)(struct stage *stage, struct str hold);
	/* Lets something happen to the cluster (mock/happen.h). 0 or negative with *e. */
	int (*happen)(struct stage *stage, struct str text, struct error *e);
	/* A mark for the evidence. */
	void (*mark)(struct stage *stage, struct str text);
};

/* FAILED: what it waited for did not come. WRONG: the text itself made a mistake. */
enum timeline_state { TIMELINE_RUNNING, TIMELINE_DONE, TIMELINE_FAILED, TIMELINE_WRONG };

struct timeline;

/* The i-th word of a timeline, for the reference: "client:start()" and what it does; false at the
 * end. */
bool timeline_word(size_t i, const char **ret_form, const char **ret_what);

/* Begins at the plan's timeline(function), or, if it has none, at "start all, wait for all".
 * Nothing runs before the first poll. */
struct timeline *timeline_new(struct case_plan *plan, struct stage *stage);
void timeline_free(struct timeline *t);

/* Goes on as far as it can. */
enum timeline_state timeline_poll(struct timeline *t, struct instant now);
/* When to poll again at the latest, on the monotonic clock; INSTANT_NEVER while it waits for events
 * alone. */
int64_t timeline_deadline(const struct timeline *t);
/* Why it failed or is wrong, with its place in the file; and what it waits for now ("" for
 * nothing). */
const char *timeline_why(const struct timeline *t);
/* Of a WRONG one: the complaint with its line and a caret; else NULL. */
const char *timeline_mistake(const struct timeline *t);
const char *timeline_waiting(const struct timeline *t);

#endif
