/* `ktrial explain`: scenarios in words. */
#include "cli/scenarios.h"
#include "harness/explain.h"

static bool explain(const struct scenario *s, struct buf *out, void *ctx)
{
	bool *later = ctx;

	if (*later)
		buf_byte(out, '\n');
	*later = true;
	return explain_scenario(s, out);
}

static int run(int argc, char **argv)
{
	bool later = false;

	return scenarios_each(&cmd_explain, argc, argv, explain, &later);
}

const struct command cmd_explain = {
	.name = "explain",
	.summary = "scenarios in words: claim, source, matrix, rules, checks",
	.help = "usage: ktrial explain [SCENARIO|GLOB|DIR...]\n\n"
		"Of each scenario its claim and source, its matrix, and, once for all cases that "
		"share them, cluster, clients, rules in\n"
		"their one-line form and checks. Without a word the project's own scenarios.\n\n"
		"Exit status: 0; 2 wrong use; 3 a scenario is wrong.\n",
	.run = run,
};
