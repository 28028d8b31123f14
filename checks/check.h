/* Checks: judgements folded over events. A set of checks is fed every event of a run, a capture or
 * an evidence file, and at the end each gives its finding. One table names all checks; the scenario
 * language, `verify` and the documentation read it. */
#ifndef CHECKS_CHECK_H
#define CHECKS_CHECK_H

#include "checks/history.h"

/* What a check must see to judge. A source that can't give it makes the check "not applicable". */
enum check_needs { NEEDS_WIRE = 1, NEEDS_LOG = 2, NEEDS_REPORTS = 4 };

/* Parts of a check's scope, in the order in which a scenario gives them. */
enum check_arg { ARG_NONE, ARG_CLIENT, ARG_TOPIC, ARG_GROUP, ARG_NUMBER };

#define CHECK_ARGS_MAX	    3
#define FINDING_MOMENTS_MAX 10

/* What a check instance judges; a null part means "all". */
struct check_scope {
	struct str client; /* name of a subject; on the wire the same name is looked for as client
			      id */
	struct str topic, group;
	int64_t number; /* the check's own number (a limit); -1: its default */
};

enum finding_result {
	FINDING_PASS,
	FINDING_FAIL,
	FINDING_NOT_APPLICABLE, /* it saw nothing to judge, or the source lacks what it needs;
				   actual says which */
	FINDING_INCONCLUSIVE,	/* it saw something, but not enough to say */
};

struct finding_moment {
	int64_t time_us;
	struct str text;
	uint64_t packet; /* of a capture, with that time; 0: not known */
};

struct finding {
	enum finding_result result;
	bool documented; /* of a FAIL: what was found is a documented weakness, not a broken
			    promise; info at most */
	bool storm; /* of a FAIL: so far beyond the limit that it counts as MUST where the check is
		       a SHOULD */
	struct str expected, actual;
	struct finding_moment moments[FINDING_MOMENTS_MAX]; /* what led to it, in order of time */
	int32_t moments_count;
	uint64_t judged; /* how many things (records, exchanges, ...) it looked at */
	struct arena *arena;
};

struct check;

struct check_type {
	const char *name;  /* "delivery.no_loss" */
	const char *claim; /* one line: what has to hold */
	const char *see;   /* where that rule comes from */
	unsigned needs;	   /* enum check_needs, together */
	enum check_arg args[CHECK_ARGS_MAX];
	const char *kin; /* universal: names of checks that begin so tell the same story; or NULL */
	bool universal;	 /* looked at in every run, with the whole run as scope */
	bool capture; /* looked at in captures that no run made, where the wire is all there is */
	bool should;  /* universal: SHOULD, not MUST */
	bool timing;  /* judges by times: inconclusive when our own loop stalled */
	bool batches; /* judges history->batches: they are kept if somebody asks */
	size_t state_size;
	/* Any may be NULL. Judging by log and reports needs no feed: the history has it. */
	void (*feed)(struct check *c, const struct event *ev);
	void (*end)(struct check *c, struct finding *f);
	void (*release)(struct check *c);
};

/* One check at work. state is zeroed memory of the type's size. */
struct check {
	const struct check_type *type;
	struct check_scope scope;
	struct history *history;
	struct arena *arena; /* of the set: lives until checks_free */
	void *state;
	struct finding finding; /* after checks_end */
};

struct checks {
	struct event_sink sink; /* put it on a bus to feed the set */
	struct history *history;
	struct arena arena;
	struct check *list;
	int32_t count, cap;
	uint64_t exchanges;
};

#define CHECKS_MAX 1024

/* All checks there are; *ret_count of them. */
const struct check_type *const *check_types(size_t *ret_count);
const struct check_type *check_type_find(struct str name);
/* The name nearest to a mistyped one, or NULL. */
const char *check_type_nearest(struct str name);

void checks_init(struct checks *set);
void checks_release(struct checks *set);

/* Adds a check; the scope's texts are copied. Returns its index, or -1 past CHECKS_MAX. All are to
 * be added before the first event. */
int32_t checks_add(struct checks *set, const struct check_type *type,
		   const struct check_scope *scope);
/* Adds every universal check, with the whole run as its scope. */
void checks_add_universal(struct checks *set);
/* Adds what a capture that no run made is judged by, beside those. */
void checks_add_capture(struct checks *set);
void checks_feed(struct checks *set, const struct event *ev);
/* Fills every check's finding. sources: enum check_needs that this source of events can give. */
void checks_end(struct checks *set, unsigned sources);

/* "delivery.no_loss(p, orders)". */
struct str check_text(const struct check *c, struct arena *arena);
const char *finding_result_name(enum finding_result r);

/* --- for the checks themselves
 * ---------------------------------------------------------------------------------------- */

void finding_expected(struct finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Sets result and what was seen. */
void finding_set(struct finding *f, enum finding_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Notes an event that led here; the first FINDING_MOMENTS_MAX are kept, in order of time. time_us
 * 0: not known, left out. */
void finding_moment(struct finding *f, int64_t time_us, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The last faults before a time, as moments. */
void finding_fault_before(struct finding *f, const struct history *h, int64_t time_us);

/* Whether something lies in the scope. */
static inline bool scope_has(struct str part, struct str value)
{
	return !part.data || str_eq(part, value);
}

/* The next subject of the scope (after NULL: the first). */
struct history_subject *scope_subject(const struct check *c, struct history_subject *after);

#endif
