/* What a scenario promises, written into the evidence as marks, so that `verify` over evidence
 * judges what `run` judged. A mark is the word "plan" and a JSON object:
 * {"check":NAME,"severity":S,"client":C,"topic":T,"group":G,"number":N} or
 * {"rule":NAME,"text":T,"optional":B} or {"scenario":NAME,"case":C,"claim":T,"seed":N}, and at the
 * end of a case whose timeline failed, or in which a subject crashed, {"failed":WHY}. */
#ifndef HARNESS_MARKS_H
#define HARNESS_MARKS_H

#include "harness/plan.h"

enum mark_kind { MARK_OTHER, MARK_SCENARIO, MARK_CHECK, MARK_RULE, MARK_FAILED };

struct mark {
	enum mark_kind kind;
	struct plan_check check; /* of MARK_CHECK */
	struct plan_rule rule;	 /* of MARK_RULE */
	struct str scenario, case_name, claim;
	struct str why; /* of MARK_FAILED */
};

/* Hands the text of each mark of a plan to on_mark. */
void marks_write(const struct case_plan *plan, void (*on_mark)(void *ctx, struct str text),
		 void *ctx);

/* The mark of a failure. */
void marks_write_failed(const char *why, void (*on_mark)(void *ctx, struct str text), void *ctx);

/* Reads a mark; texts are copied into the arena. MARK_OTHER for what is none of ours, or names a
 * check that we don't know. */
void mark_read(struct str text, struct arena *arena, struct mark *ret_mark);

#endif
