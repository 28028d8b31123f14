/* `ktrial list`: a line for each scenario. */
#include "cli/scenarios.h"
#include "harness/explain.h"

static bool line(const struct scenario *s, struct buf *out, void *ctx)
{
	(void)ctx;
	explain_line(s, out);
	return true;
}

static int run(int argc, char **argv)
{
	return scenarios_each(&cmd_list, argc, argv, line, NULL);
}

const struct command cmd_list = {
	.name = "list",
	.summary = "scenarios and what they claim",
	.help = "usage: ktrial list [SCENARIO|GLOB|DIR...]\n\n"
		"A line a scenario: its name, a tab, its claim. Without a word the project's own "
		"scenarios.\n\n"
		"Exit status: 0; 2 wrong use; 3 a scenario's header is wrong.\n",
	.run = run,
};
