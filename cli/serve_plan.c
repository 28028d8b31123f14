/* The cluster of a scenario for `ktrial serve`. Owns the scenario and the plan of its case, which
 * the service's configuration points into. */
#include "cli/serve_plan.h"

#include "harness/preload.h"

#include <stdio.h>

#define COMPLAINTS_MAX ((size_t)16 << 20)

/* The index of the case that is asked for; -1 if the scenario has none of that name. */
static int32_t find_case(const struct serve_plan *p)
{
	struct arena arena;
	int32_t found = -1;

	if (!p->case_name)
		return 0;
	arena_init(&arena, PLAN_SIZE_MAX);
	for (int32_t i = 0; i < p->scenario->cases_count && found < 0; i++)
		if (str_is(scenario_case_name(p->scenario, i, &arena), p->case_name))
			found = i;
	arena_release(&arena);
	return found;
}

static int load(struct serve_plan *p, uint64_t seed, struct buf *complaints)
{
	int32_t index;

	p->scenario = scenario_load(p->path, p->path, complaints);
	index = p->scenario ? find_case(p) : -1;
	if (p->scenario && index < 0)
		return cmd_usage(&cmd_serve, "%s has no case '%s'; `ktrial list` shows them",
				 p->path, p->case_name);
	if (p->scenario)
		p->plan = plan_load(p->scenario, index, seed, complaints);
	if (p->plan)
		return 0;
	fputs(buf_cstr(complaints), stderr);
	return EXIT_USAGE;
}

int serve_plan_read(struct serve_plan *p, struct cluster_config *config)
{
	struct buf complaints;
	size_t memory_max = config->memory_max;
	int status;

	if (!p->path)
		return p->case_name ? cmd_usage(&cmd_serve, "--case wants --plan") : 0;
	if (p->rival)
		return cmd_usage(&cmd_serve, "%s can't stand beside --plan, which says it",
				 p->rival);
	buf_init(&complaints, COMPLAINTS_MAX);
	status = load(p, config->seed, &complaints);
	buf_release(&complaints);
	if (status)
		return status;
	*config = preload_config(p->plan);
	config->memory_max = memory_max;
	if (p->plan->has_timeline)
		fprintf(stderr, "ktrial serve: %s: its timeline is not played here\n", p->path);
	return 0;
}

int serve_plan_add(const struct serve_plan *p, struct service *s)
{
	struct error e = ERROR_INIT;

	if (!p->plan || !preload(s, p->plan, &e))
		return 0;
	return cmd_usage(&cmd_serve, "%s: %s", p->path, e.text);
}

void serve_plan_refill(const struct serve_plan *p, struct service *s)
{
	struct error e = ERROR_INIT;

	if (p->plan && preload_topics(s, p->plan, &e))
		fprintf(stderr, "ktrial serve: %s: %s\n", p->path, e.text);
}

void serve_plan_release(struct serve_plan *p)
{
	plan_free(p->plan);
	scenario_free(p->scenario);
}
