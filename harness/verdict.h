/* From findings to a verdict (design sections 6 and 8). Pure: what the run left, in; what it means,
 * out. */
#ifndef HARNESS_VERDICT_H
#define HARNESS_VERDICT_H

#include "checks/check.h"
#include "harness/plan.h"

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_INCONCLUSIVE,
	VERDICT_SKIPPED,
	VERDICT_KNOWN, /* failed by nothing that is not known */
	VERDICT_ENVIRONMENT,
	VERDICT_WRONG, /* the scenario's own mistake, found while it ran */
	VERDICT_COUNT
};

/* How one judgement stands in the result. */
enum standing {
	STANDING_GOOD,
	STANDING_BAD,	      /* decides: the case fails */
	STANDING_VACUOUS,     /* likewise: it was named and saw nothing */
	STANDING_DEVIATION,   /* a SHOULD that failed */
	STANDING_INFORMATION, /* an INFO that failed, or a documented weakness */
	STANDING_INCONCLUSIVE,
	STANDING_SILENT, /* universal and not applicable */
};

struct judgement {
	enum severity severity;
	bool named;    /* by the scenario; else universal */
	bool optional; /* named, and yet it may see nothing */
	const struct check *check;
	enum standing standing;
	struct place at;
};

struct rule_outcome {
	struct str name, text,
		nearest_miss; /* nearest_miss: null if it fired or nothing came near */
	uint64_t hits, matched;
	bool optional, vacuous;
};

/* What happened beside the checks. */
struct circumstances {
	const char *unsupported; /* the reason that a subject gave; NULL */
	const char *environment; /* what the environment lacks; NULL */
	const char *mistake;	 /* of the scenario's timeline; NULL */
	const char *timeline;	 /* why the timeline failed, a case out of time included; NULL */
	const char *crash;	 /* a subject ended by a signal that was not ours; NULL */
	int64_t stall_us;	 /* how late our own loop was at worst */
};

#define STALL_MAX_US 500000 /* beyond it, checks of times are inconclusive */

struct outcome {
	enum verdict verdict;
	bool timeline, crash; /* among what it failed by */
	char reason[1200];    /* one line: what decided it; "" for a pass */
};

/* Sets each judgement's standing and each rule's vacuous, and sums up. */
void verdict_reach(struct judgement *judgements, int32_t judgements_count,
		   struct rule_outcome *rules, int32_t rules_count, const struct circumstances *c,
		   struct outcome *ret_outcome);

/* Whether a universal rule's failure is told already by one that the scenario names. */
bool verdict_told(const struct judgement *list, int32_t n, const struct judgement *j);

const char *verdict_name(enum verdict v);   /* "pass" */
const char *standing_name(enum standing s); /* "fail" */

/* Passed, skipped or known: there is nothing to look into. */
static inline bool verdict_good(enum verdict v)
{
	return v == VERDICT_PASS || v == VERDICT_SKIPPED || v == VERDICT_KNOWN;
}

/* The exit status of a run with so many cases of each verdict. */
int verdict_exit(const int32_t counts[VERDICT_COUNT]);

#endif
