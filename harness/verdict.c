/* Verdicts. Knows what weighs how much, and nothing of where findings come from. */
#include "harness/verdict.h"

#include <stdio.h>

static enum standing standing_of(const struct judgement *j, const struct circumstances *c)
{
	const struct finding *f = &j->check->finding;

	switch (f->result) {
	case FINDING_PASS:
		return STANDING_GOOD;
	case FINDING_NOT_APPLICABLE:
		return j->named && !j->optional ? STANDING_VACUOUS : STANDING_SILENT;
	case FINDING_INCONCLUSIVE:
		return j->severity == SEVERITY_MUST ? STANDING_INCONCLUSIVE : STANDING_INFORMATION;
	case FINDING_FAIL:
		break;
	}
	if (f->documented && !j->named)
		return STANDING_INFORMATION;
	if (j->check->type->timing && c->stall_us > STALL_MAX_US)
		return STANDING_INCONCLUSIVE;
	if (j->severity == SEVERITY_MUST || (j->severity == SEVERITY_SHOULD && f->storm))
		return STANDING_BAD;
	return j->severity == SEVERITY_SHOULD ? STANDING_DEVIATION : STANDING_INFORMATION;
}

static void because(struct outcome *o, enum verdict verdict, const char *what, const char *text)
{
	o->verdict = verdict;
	snprintf(o->reason, sizeof(o->reason), "%s%s", what, text);
}

/* What the scenario names comes before the universal rules. */
static const struct judgement *first_with(const struct judgement *list, int32_t n,
					  enum standing standing)
{
	for (int universal = 0; universal < 2; universal++)
		for (int32_t i = 0; i < n; i++)
			if (list[i].standing == standing && list[i].named == !universal)
				return &list[i];
	return NULL;
}

/* "delivery.no_loss(p, orders)", cut to what fits. */
static void check_name(const struct check *check, char *ret_text, size_t size)
{
	struct str text = check_text(check, check->arena);

	snprintf(ret_text, size, STR_FMT, STR_ARG(text));
}

static bool fail_by_checks(const struct judgement *list, int32_t n, struct outcome *o)
{
	const struct judgement *bad = first_with(list, n, STANDING_BAD);
	const struct judgement *vacuous = first_with(list, n, STANDING_VACUOUS);
	char name[300];

	if (!bad && !vacuous)
		return false;
	check_name((bad ? bad : vacuous)->check, name, sizeof(name));
	because(o, VERDICT_FAIL, bad ? "" : "vacuous: nothing to judge for ", name);
	return true;
}

static bool fail_by_rules(const struct rule_outcome *rules, int32_t n, struct outcome *o)
{
	char name[300];

	for (int32_t i = 0; i < n; i++)
		if (rules[i].vacuous) {
			snprintf(name, sizeof(name), STR_FMT, STR_ARG(rules[i].name));
			because(o, VERDICT_FAIL, "vacuous: nothing fired rule ", name);
			return true;
		}
	return false;
}

void verdict_reach(struct judgement *judgements, int32_t judgements_count,
		   struct rule_outcome *rules, int32_t rules_count, const struct circumstances *c,
		   struct outcome *ret_outcome)
{
	struct outcome *o = ret_outcome;
	const struct judgement *unclear;
	char name[300];

	*o = (struct outcome){.verdict = VERDICT_PASS,
			      .timeline = c->timeline != NULL,
			      .crash = c->crash != NULL};
	for (int32_t i = 0; i < judgements_count; i++)
		judgements[i].standing = standing_of(&judgements[i], c);
	for (int32_t i = 0; i < rules_count; i++)
		rules[i].vacuous = !rules[i].hits && !rules[i].optional;
	unclear = first_with(judgements, judgements_count, STANDING_INCONCLUSIVE);
	if (c->unsupported) {
		because(o, VERDICT_SKIPPED, "unsupported: ", c->unsupported);
	} else if (c->environment) {
		because(o, VERDICT_ENVIRONMENT, "", c->environment);
	} else if (c->mistake) {
		because(o, VERDICT_WRONG, "", c->mistake);
	} else if (first_with(judgements, judgements_count, STANDING_BAD)) {
		fail_by_checks(judgements, judgements_count, o);
	} else if (c->crash) {
		because(o, VERDICT_FAIL, "", c->crash);
	} else if (c->timeline) {
		because(o, VERDICT_FAIL, "", c->timeline);
	} else if (fail_by_rules(rules, rules_count, o) ||
		   fail_by_checks(judgements, judgements_count, o)) {
		return;
	} else if (unclear) {
		check_name(unclear->check, name, sizeof(name));
		because(o, VERDICT_INCONCLUSIVE, "not clear: ", name);
	}
}

bool verdict_told(const struct judgement *list, int32_t n, const struct judgement *j)
{
	const char *kin = j->check->type->kin;

	if (j->named || !kin)
		return false;
	for (int32_t i = 0; i < n; i++)
		if (list[i].named && list[i].standing == STANDING_BAD &&
		    !strncmp(list[i].check->type->name, kin, strlen(kin)))
			return true;
	return false;
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {"pass",  "FAIL",  "inconclusive",  "skipped",
					    "known", "error", "wrong scenario"};

	return names[v];
}

const char *standing_name(enum standing s)
{
	static const char *const names[] = {"pass",	     "fail",	    "vacuous",
					    "deviation",     "information", "inconclusive",
					    "not applicable"};

	return names[s];
}

int verdict_exit(const int32_t counts[VERDICT_COUNT])
{
	if (counts[VERDICT_WRONG])
		return 3;
	if (counts[VERDICT_FAIL])
		return 1;
	if (counts[VERDICT_ENVIRONMENT])
		return 4;
	if (counts[VERDICT_INCONCLUSIVE])
		return 5;
	return counts[VERDICT_SKIPPED] && !counts[VERDICT_PASS] && !counts[VERDICT_KNOWN] ? 77 : 0;
}
