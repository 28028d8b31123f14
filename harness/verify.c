/* `verify` as a library: decoder to checks. A mark of a plan comes before everything else in
 * evidence, so its checks see all events; the first sink reads marks, the second is the set of
 * checks. */
#include "harness/verify.h"

#include "decoder/decode.h"
#include "harness/marks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VERIFY_RULES_MAX 1000

struct verify {
	struct trial *trial;
	struct event_bus bus;
	struct event_sink marks;
	struct str failed; /* what the run itself failed by, beside checks */
	bool by_name;
	int32_t universal; /* judgements of those; behind them the ones of captures, up to */
	int32_t capture;
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
		j->optional = m.check.optional;
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

/* Whether what is read is a run's evidence shows only while it is read: till then it is judged as
 * any capture, too. */
static void add_all(struct verify *v)
{
	struct trial *t = v->trial;

	checks_add_universal(&t->checks);
	v->universal = t->checks.count;
	checks_add_capture(&t->checks);
	v->capture = t->checks.count;
	t->judgements_count = t->checks.count;
	for (int32_t i = 0; i < t->checks.count; i++)
		t->judgements[i].severity =
			t->checks.list[i].type->should ? SEVERITY_SHOULD : SEVERITY_MUST;
}

/* A run's evidence is judged as the run judged it. */
static void drop_capture(struct verify *v)
{
	struct trial *t = v->trial;
	int32_t rest = t->judgements_count - v->capture;

	memmove(&t->judgements[v->universal], &t->judgements[v->capture],
		(size_t)rest * sizeof(*t->judgements));
	t->judgements_count = v->universal + rest;
}

/* ---- packets ---- */

/* Moments by their time, to be found again in the capture. */
struct finding_places {
	struct finding_moment **list;
	size_t count;
	bool *ambiguous;
};

static int by_time(const void *a, const void *b)
{
	const struct finding_moment *const *x = a, *const *y = b;

	return ((*x)->time_us > (*y)->time_us) - ((*x)->time_us < (*y)->time_us);
}

static void collect(struct trial *t, struct finding_places *p)
{
	for (int32_t i = 0; i < t->checks.count; i++) {
		struct finding *f = &t->checks.list[i].finding;

		for (int32_t k = 0; k < f->moments_count; k++)
			p->list[p->count++] = &f->moments[k];
	}
	if (p->count)
		qsort(p->list, p->count, sizeof(struct finding_moment *), by_time);
}

/* Messages of the same microsecond can't be told apart: then no packet is named. */
static void place(const struct finding_places *p, int64_t time_us, uint64_t packet)
{
	size_t low = 0, high = p->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (p->list[middle]->time_us < time_us)
			low = middle + 1;
		else
			high = middle;
	}
	for (; packet && low < p->count && p->list[low]->time_us == time_us; low++) {
		p->ambiguous[low] |= p->list[low]->packet && p->list[low]->packet != packet;
		p->list[low]->packet = packet;
	}
}

static void on_placed(void *ctx, const struct event *ev)
{
	if (ev->kind != EVENT_EXCHANGE)
		return;
	place(ctx, ev->exchange->request_us, ev->exchange->request_packet_last);
	place(ctx, ev->exchange->response_us, ev->exchange->response_packet_last);
}

static bool can_be_read_again(const struct verify_config *config)
{
	struct stat st;

	for (size_t i = 0; i < config->files_count; i++)
		if (stat(config->files[i], &st) || !S_ISREG(st.st_mode))
			return false;
	return true;
}

/* The numbers of the packets that findings speak of: nobody keeps them for all exchanges, so files
 * are read once more where something was found. */
static void find_packets(const struct verify_config *config, struct trial *t)
{
	struct finding_places p = {0};
	struct event_sink sink = {.on_event = on_placed, .ctx = &p};
	struct event_bus bus = {0};
	struct decode *decode;

	p.list = calloc((size_t)t->checks.count * FINDING_MOMENTS_MAX + 1,
			sizeof(struct finding_moment *));
	p.ambiguous = calloc((size_t)t->checks.count * FINDING_MOMENTS_MAX + 1, sizeof(bool));
	if (!p.list || !p.ambiguous)
		abort();
	collect(t, &p);
	if (p.count && can_be_read_again(config)) {
		event_bus_add(&bus, &sink);
		decode = decode_new(&(struct decode_options){.thin = true}, &bus);
		decode_files(decode, config->files, config->files_count, NULL);
		decode_free(decode);
	}
	for (size_t i = 0; i < p.count; i++)
		if (p.ambiguous[i])
			p.list[i]->packet = 0;
	free(p.list);
	free(p.ambiguous);
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
	if (h->of_a_run)
		drop_capture(v);
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
		add_all(&v);
	v.marks = (struct event_sink){.on_event = on_event, .ctx = &v};
	event_bus_add(&v.bus, &v.marks);
	event_bus_add(&v.bus, &ret_trial->checks.sink);
	decode = decode_new(&options, &v.bus);
	rc = decode_files(decode, config->files, config->files_count, e);
	decode_free(decode);
	finish(&v);
	if (!ret_trial->checks.history->of_a_run)
		find_packets(config, ret_trial);
	return rc;
}
