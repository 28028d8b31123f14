/* Scenarios and plans: their life, their cases, and what only the whole plan shows. The words that
 * fill them are words.c's, the closed world that runs the text script.c's. */
#include "harness/plan.h"

#include "harness/reach.h"
#include "harness/script.h"
#include "mock/happen.h"

#include <stdlib.h>

static struct scenario *finish_header(struct scenario *s, struct buf *out)
{
	struct script *script = script_new(&s->source, s->modules, out);
	bool ok;

	script->header = s;
	ok = script_run(script);
	if (ok && !script->has_scenario) {
		source_complain(&s->source, (struct place){0}, "there is no scenario {...} in it",
				out);
		ok = false;
	}
	script_free(script);
	if (ok)
		return s;
	scenario_free(s);
	return NULL;
}

static struct scenario *scenario_new(struct sources *modules)
{
	struct scenario *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	arena_init(&s->arena, PLAN_SIZE_MAX);
	s->modules = modules ? modules : &s->own_modules;
	return s;
}

struct scenario *scenario_load(const char *path, const char *shown, struct sources *modules,
			       struct buf *out)
{
	struct scenario *s = scenario_new(modules);
	struct error e = ERROR_INIT;

	if (source_read(&s->source, path, shown, &e) < 0) {
		buf_printf(out, "%s\n", e.text);
		scenario_free(s);
		return NULL;
	}
	return finish_header(s, out);
}

struct scenario *scenario_parse(const char *shown, const char *text, struct buf *out)
{
	struct scenario *s = scenario_new(NULL);

	source_text(&s->source, shown, text);
	return finish_header(s, out);
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	source_release(&s->source);
	sources_release(&s->own_modules);
	arena_release(&s->arena);
	free(s);
}

const struct matrix_value *scenario_case_value(const struct scenario *s, int32_t case_index,
					       int32_t axis)
{
	/* The last axis turns fastest. */
	for (int32_t i = s->axes_count - 1; i > axis; i--)
		case_index /= s->axes[i].values_count;
	return &s->axes[axis].values[case_index % s->axes[axis].values_count];
}

struct str scenario_case_name(const struct scenario *s, int32_t case_index, struct arena *arena)
{
	struct buf b;
	struct str name;

	if (!s->axes_count)
		return str_of("default");
	buf_init(&b, 10000);
	for (int32_t i = 0; i < s->axes_count; i++)
		buf_printf(&b, "%s" STR_FMT "=" STR_FMT, i ? "," : "", STR_ARG(s->axes[i].key),
			   STR_ARG(scenario_case_value(s, case_index, i)->text));
	name = arena_str(arena, (struct str){(const char *)b.data, (int32_t)b.len});
	buf_release(&b);
	return name;
}

/* Two producers of one topic must write different values: whose a record is, is known by its value.
 */
static bool judge_values(const struct case_plan *p, struct buf *out)
{
	bool ok = true;

	for (int32_t i = 0; i < p->clients_count; i++)
		for (int32_t k = 0; k < i; k++) {
			const struct plan_client *a = &p->clients[k], *b = &p->clients[i];

			if (a->speaks == SPEAKS_CONSUMER || b->speaks == SPEAKS_CONSUMER ||
			    !b->topic.data || !str_eq(a->topic, b->topic) ||
			    !str_eq(a->prefix, b->prefix))
				continue;
			source_complain(&p->scenario->source, b->at,
					"another producer writes the same values to this topic; "
					"give each a value_prefix",
					out);
			ok = false;
		}
	return ok;
}

/* Events that a timeline names in so many words. */
static bool judge_events(const struct source *source, struct buf *out)
{
	struct happening h;
	struct place at;
	struct str text;
	size_t i = 0;
	bool ok = true;

	while (source_calls(source, &i, "event", &at, &text)) {
		struct error e = ERROR_INIT;

		if (!happening_parse(text, &h, &e))
			continue;
		at.column += 1 + (int)(e.offset == ERROR_NO_OFFSET ? 0 : e.offset);
		source_complain(source, at, e.text, out);
		ok = false;
	}
	return ok;
}

/* What only the end of the text shows. */
static bool judge_whole(struct case_plan *p, struct buf *out)
{
	const struct source *source = &p->scenario->source;
	bool ok = true;

	for (int32_t i = 0; i < p->checks_count; i++) {
		if (p->checks[i].severity != SEVERITY_NONE)
			continue;
		source_complain(source, p->checks[i].at,
				"nobody takes this check: put it into must(), should() or info()",
				out);
		ok = false;
	}
	if (!p->clients_count) {
		source_complain(source, (struct place){0},
				"there is no client(...) to put on trial", out);
		ok = false;
	}
	ok &= judge_values(p, out);
	ok &= judge_events(source, out);
	return reach_judge(p, out) && ok;
}

struct case_plan *plan_load(const struct scenario *s, int32_t case_index, uint64_t seed,
			    struct buf *out)
{
	struct case_plan *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	arena_init(&p->arena, PLAN_SIZE_MAX);
	p->scenario = s;
	p->case_index = case_index;
	p->seed = seed;
	p->brokers = 1;
	p->default_partitions = 1;
	topic_config_init(&p->topic_defaults, NULL);
	p->topic_defaults.source = CONFIG_SOURCE_BROKER;
	p->broker.topics = &p->topic_defaults;
	p->case_name = scenario_case_name(s, case_index, &p->arena);
	p->script = script_new(&s->source, s->modules, out);
	p->script->plan = p;
	if (script_run(p->script) && judge_whole(p, out))
		return p;
	plan_free(p);
	return NULL;
}

void plan_free(struct case_plan *p)
{
	if (!p)
		return;
	script_free(p->script);
	topic_config_release(&p->topic_defaults);
	arena_release(&p->arena);
	free(p);
}

bool plan_duration(struct str text, int64_t *ret_us)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = {{"ms", 1000}, {"us", 1}, {"s", 1000000}, {"m", 60000000}};
	int64_t n = 0;
	int32_t at = 0;

	while (at < text.len && at < 9 && text.data[at] >= '0' && text.data[at] <= '9')
		n = n * 10 + (text.data[at++] - '0');
	for (size_t i = 0; at && i < sizeof(units) / sizeof(units[0]); i++)
		if (str_is((struct str){text.data + at, text.len - at}, units[i].unit)) {
			*ret_us = n * units[i].us;
			return true;
		}
	return false;
}
