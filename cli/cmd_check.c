/* `ktrial check`: reads scenarios with all their cases, and says what is wrong. */
#include "cli/scenarios.h"
#include "harness/explain.h"

#include <stdio.h>

struct totals {
	int32_t scenarios, cases, wrong;
};

static bool check(const struct scenario *s, struct buf *out, void *ctx)
{
	struct totals *t = ctx;
	int32_t cases = explain_check(s, out);

	t->scenarios++;
	t->cases += cases > 0 ? cases : 0;
	t->wrong += cases < 0;
	return cases >= 0;
}

static int run(int argc, char **argv)
{
	struct totals t = {0};
	int status = scenarios_each(&cmd_check, argc, argv, check, &t);

	if (status == EXIT_FINE && t.scenarios)
		printf("%d scenarios, %d cases: nothing wrong\n", t.scenarios, t.cases);
	return status;
}

const struct command cmd_check = {
	.name = "check",
	.summary = "reads scenarios and says what is wrong with them",
	.help = "usage: ktrial check [SCENARIO|GLOB|DIR...]\n\n"
		"Reads every case as `run` would, and opens nothing: unknown words and keys, "
		"impossible rules, rules that can't be\n"
		"reached, checks that nobody takes; each with file, line and column. Without a "
		"word the project's own scenarios.\n\n"
		"Exit status: 0 nothing wrong; 2 wrong use; 3 a scenario is wrong.\n",
	.run = run,
};
