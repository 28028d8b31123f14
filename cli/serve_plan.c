/* The cluster of a scenario for `ktrial serve`. Owns the scenario and the plan of its case, which
 * the service's configuration points into. */
#include "cli/serve_plan.h"

#include "cli/scenarios.h"
#include "harness/preload.h"

#include <stdio.h>

#define COMPLAINTS_MAX ((size_t)16 << 20)

/* The first case that is wanted. An exit status. */
static int find_case(const struct serve_plan *p, int32_t *ret_index)
{
	const struct scenario *s = p->scenario;

	for (int32_t i = 0; i < p->cases_count; i++) {
		struct str key = {p->cases[i], (int32_t)strcspn(p->cases[i], "=")};

		if (!scenario_has_key(s, key))
			return cmd_usage(&cmd_serve, "%s has no '" STR_FMT "' in its matrix",
					 p->path, STR_ARG(key));
	}
	for (*ret_index = 0; *ret_index < s->cases_count; ++*ret_index)
		if (scenario_case_wanted(s, *ret_index, p->cases, p->cases_count))
			return 0;
	return cmd_usage(&cmd_serve, "%s has no such case; `ktrial list` shows them", p->path);
}

static int load(struct serve_plan *p, uint64_t seed, struct buf *complaints)
{
	int32_t index = 0;
	int status;

	p->scenario = scenario_load(p->path, p->path, NULL, complaints);
	if (p->scenario) {
		status = find_case(p, &index);
		if (status)
			return status;
		p->plan = plan_load(p->scenario, index, seed, complaints);
	}
	if (p->plan)
		return 0;
	fputs(buf_cstr(complaints), stderr);
	return EXIT_SCENARIO;
}

int serve_plan_read(struct serve_plan *p, struct cluster_config *config)
{
	struct buf complaints;
	size_t memory_max = config->memory_max;
	int status;

	if (!p->path)
		return p->cases_count ? cmd_usage(&cmd_serve, "--case wants --plan") : 0;
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
