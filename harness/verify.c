/* `verify` as a library: decoder to checks. A mark of a plan comes before everything else in
 * evidence, so its checks see all events; the first sink reads marks, the second is the set of
 * checks. */
#include "harness/verify.h"

#include "decoder/decode.h"
#include "harness/marks.h"

#include <assert.h>
#include <stdlib.h>

#define VERIFY_RULES_MAX 1000

struct verify {
	struct trial *trial;
	struct event_bus bus;
	struct event_sink marks;
	struct str failed; /* what the run itself failed by, beside checks */
	bool by_name;
};

static struct judgement *add(struct trial *t, const struct check_type *type,
			     const struct check_scope *scope)
{
	int32_t index = checks_add(&t->checks, type, scope);

	if (index < 0)
		return NULL;
	t->judgements_count = t->checks.count;
	return &t->judgements[index];
}

static void add_rule(struct trial *t, const struct plan_rule *rule)
{
	if (t->rules_count == VERIFY_RULES_MAX)
		return;
	t->rules[t->rules_count++] = (struct rule_outcome){
		.name = rule->name, .text = rule->text, .optional = rule->optional};
}

static void count_hit(struct trial *t, const struct event_rule *ev)
{
	for (int32_t i = 0; i < t->rules_count; i++)
		if (str_eq(t->rules[i].name, ev->name))
			t->rules[i].hits = ev->hit > t->rules[i].hits ? ev->hit : t->rules[i].hits;
}

static void on_event(void *ctx, const struct event *ev)
{
	struct verify *v = ctx;
	struct judgement *j;
	struct mark m;

	if (!v->trial->started_us)
		v->trial->started_us = ev->time_us;
	if (ev->kind == EVENT_RULE)
		count_hit(v->trial, &ev->rule);
	if (ev->kind != EVENT_MARK || v->by_name)
		return;
	mark_read(ev->mark, &v->trial->arena, &m);
	if (m.kind == MARK_FAILED)
		v->failed = m.why;
	if (m.kind == MARK_RULE)
		add_rule(v->trial, &m.rule);
	if (m.kind == MARK_CHECK && (j = add(v->trial, m.check.type, &m.check.scope))) {
		j->severity = m.check.severity;
		j->named = true;
	}
}

static int add_named(struct verify *v, const char *name, struct error *e)
{
	const struct check_type *type = check_type_find(str_of(name));
	const char *nearest = check_type_nearest(str_of(name));
	struct judgement *j;

	if (!type)
		return error_set(e, ERR_USAGE, "there is no check '%s'%s%s%s", name,
				 nearest ? "; did you mean '" : "", nearest ? nearest : "",
				 nearest ? "'?" : "");
	j = add(v->trial, type, &(struct check_scope){.number = -1});
	if (!j)
		return error_set(e, ERR_USAGE, "more than %d checks", CHECKS_MAX);
	j->severity = type->should ? SEVERITY_SHOULD : SEVERITY_MUST;
	return 0;
}

static void add_universal(struct trial *t)
{
	checks_add_universal(&t->checks);
	t->judgements_count = t->checks.count;
	for (int32_t i = 0; i < t->checks.count; i++)
		t->judgements[i].severity =
			t->checks.list[i].type->should ? SEVERITY_SHOULD : SEVERITY_MUST;
}

static void finish(struct verify *v)
{
	struct trial *t = v->trial;
	struct circumstances c = {.timeline = v->failed.data};
	const struct history *h = t->checks.history;
	unsigned sources = NEEDS_WIRE | (h->log_events ? NEEDS_LOG : 0) |
			   (h->report_events ? NEEDS_REPORTS : 0);

	for (int32_t i = 0; i < t->judgements_count; i++)
		t->judgements[i].check = &t->checks.list[i];
	checks_end(&t->checks, sources);
	t->exchanges = t->checks.exchanges;
	verdict_reach(t->judgements, t->judgements_count, t->rules, t->rules_count, &c,
		      &t->outcome);
}

int verify_run(const struct verify_config *config, struct trial *ret_trial, struct error *e)
{
	struct verify v = {.trial = ret_trial, .by_name = config->names_count > 0};
	struct decode_options options = {0};
	struct decode *decode;
	int rc = 0;

	*ret_trial = (struct trial){0};
	arena_init(&ret_trial->arena, (size_t)64 << 20);
	checks_init(&ret_trial->checks);
	ret_trial->judgements =
		arena_zalloc(&ret_trial->arena, CHECKS_MAX * sizeof(*ret_trial->judgements));
	ret_trial->rules =
		arena_zalloc(&ret_trial->arena, VERIFY_RULES_MAX * sizeof(*ret_trial->rules));
	assert(ret_trial->judgements && ret_trial->rules);
	for (size_t i = 0; i < config->names_count && !rc; i++)
		rc = add_named(&v, config->names[i], e);
	if (rc)
		return rc;
	if (!v.by_name)
		add_universal(ret_trial);
	v.marks = (struct event_sink){.on_event = on_event, .ctx = &v};
	event_bus_add(&v.bus, &v.marks);
	event_bus_add(&v.bus, &ret_trial->checks.sink);
	decode = decode_new(&options, &v.bus);
	rc = decode_files(decode, config->files, config->files_count, e);
	decode_free(decode);
	finish(&v);
	return rc;
}
