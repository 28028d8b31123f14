/* A scenario's Lua state: a closed world (no files, no system, no clock, strict globals, limits)
 * with the words of the scenario language. Private to harness/: plan.c loads with it, timeline.c
 * runs its coroutine. */
#ifndef HARNESS_SCRIPT_H
#define HARNESS_SCRIPT_H

#include "harness/plan.h"

#define SCRIPT_MODULES_MAX 32
#define SCRIPT_MEMORY_MAX  ((size_t)64 << 20)
#define SCRIPT_STEPS_MAX \
	20000000 /* Lua instructions of a load, and of a timeline between two awaits */

enum object_kind {
	OBJECT_CLUSTER,
	OBJECT_TOPIC,
	OBJECT_CLIENT,
	OBJECT_RULE,
	OBJECT_CHECK,
	OBJECT_CONDITION
};

enum condition_kind {
	CONDITION_FIRED,    /* a rule acted so many times */
	CONDITION_HELD,	    /* a rule holds so many exchanges now */
	CONDITION_EXITED,   /* a client ended with that status */
	CONDITION_ENDED,    /* or with any */
	CONDITION_REPORTED, /* it printed so many lines of a name */
	CONDITION_SENT,	    /* so many of its requests of an API have ended */
	CONDITION_RECORDS,  /* a topic's logs hold so many records together */
	CONDITION_READ,	   /* so many records of a topic were given to clients, each counted once */
	CONDITION_MEMBERS, /* a group is stable and has so many members */
	CONDITION_TIME,
	CONDITION_ANY,
	CONDITION_ALL,
};

#define CONDITION_PARTS_MAX 8

/* What a timeline may wait for. */
struct condition {
	enum condition_kind kind;
	int32_t index;	 /* of the rule, client or topic */
	int64_t number;	 /* FIRED: hits; EXITED: the status; else how many */
	struct str word; /* REPORTED: the line's name; HELD: the hold's; MEMBERS: the group */
	int api_key;	 /* SENT */
	const struct condition *parts; /* of ANY and ALL */
	int32_t parts_count;
};

/* What a Lua value of ours is. */
struct object {
	enum object_kind kind;
	int32_t index; /* into the plan's list of its kind */
	struct plan_check check;
	struct condition condition;
};

struct stage;
struct lua_State; /* Lua's own */

struct script {
	struct lua_State *lua, *running; /* running: the thread at work; NULL: none */
	size_t memory;
	struct place starved; /* where memory was last refused */
	uint64_t steps;
	struct scenario *header;     /* first phase: filled from scenario{}; else NULL */
	struct case_plan *plan;	     /* second phase */
	const struct source *source; /* the scenario's */
	struct sources *library;     /* where its modules are read */
	const struct source *modules[SCRIPT_MODULES_MAX];
	int modules_count;
	struct buf *out;
	struct complaint *complaints; /* sorted by place and written to out at the end of the run */
	int complaints_count;
	bool has_scenario, has_cluster;
	bool refused;	     /* an error came from the stage, not from the text */
	struct stage *stage; /* while the timeline runs */
	struct condition awaited;
	int64_t awaited_us; /* limit of the await that is waited for, in µs from its start */
	const struct source *awaited_source;
	int awaited_line;
};

/* A state with all words; NULL never. Source and library outlive it. */
struct script *script_new(const struct source *source, struct sources *library, struct buf *out);
void script_free(struct script *s);
struct script *script_of(struct lua_State *lua);

/* Runs the text. True if it came to its end (first phase: to scenario{}) and nothing was complained
 * about. */
bool script_run(struct script *s);

/* Adds a complaint; loading goes on, so that all are seen at once. */
__attribute__((format(printf, 3, 4))) void script_complain(struct script *s, struct place at,
							   const char *fmt, ...);
/* Complains about what a Lua error says (on top of the stack), at the place that its text names. */
void script_complain_error(struct script *s, struct lua_State *lua);

/* Ends the run, after a complaint that nothing can follow. Does not return. */
int script_stop(struct lua_State *lua);

/* The newest complaint: as "path:line:column: text", and with its line and a caret. There is one.
 */
void script_last_complaint(const struct script *s, struct buf *ret_line, struct buf *ret_whole);

/* Counts steps that a library function may take, as if they were instructions; ends the run when
 * there are too many. */
void script_charge(struct lua_State *lua, uint64_t steps);

/* The line of the Lua code that called the C function which asks. */
int script_line(struct lua_State *lua);
/* The text of that code: the scenario, or a module of it. */
const struct source *script_source(struct lua_State *lua);
/* That line of it, as a place. */
struct place script_line_place(struct lua_State *lua, int line);
/* The place of a name on that line. */
struct place script_place(struct lua_State *lua, const char *name);

/* The object at a stack index, or NULL if it is not ours. */
struct object *script_object(struct lua_State *lua, int index);
/* Pushes a new object. */
struct object *script_push(struct lua_State *lua, enum object_kind kind, int32_t index);
const char *object_kind_name(enum object_kind kind);

/* Makes the table at the top refuse keys that it lacks, and new ones; what: its name in messages.
 */
void script_strict(struct lua_State *lua, const char *what);

/* Puts the words of a scenario's text (words.c) and of its timeline (timeline.c) into the globals.
 * Checks come by area, when the first of an area is named: script_add_checks makes the global and
 * pushes it, or says that there is no such area; NULL: all areas, and pushes nothing. */
void script_add_words(struct script *s);
bool script_add_checks(struct lua_State *lua, const char *area);
void script_add_timeline(struct script *s);

#endif
