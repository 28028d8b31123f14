/* `ktrial compare`: two folders of results, and what changed. */
#include "cli/cmd.h"

#include "harness/results.h"

#include <stdio.h>

#define OUTPUT_MAX ((size_t)64 << 20)

static const struct cmd_option options[] = {{NULL, 0, false}};

static int compare(const char *const folders[2])
{
	struct results runs[2] = {0};
	struct error e = ERROR_INIT;
	int32_t regressions = 0;
	struct buf out;
	int rc = 0;

	for (int i = 0; i < 2 && !rc; i++)
		rc = results_read(&runs[i], folders[i], &e);
	buf_init(&out, OUTPUT_MAX);
	if (!rc)
		regressions = results_compare(&runs[0], &runs[1], &out);
	fputs(buf_cstr(&out), stdout);
	if (rc)
		fprintf(stderr, "ktrial compare: %s\n", e.text);
	else
		printf("%d newly failing\n", regressions);
	buf_release(&out);
	for (int i = 0; i < 2; i++)
		results_release(&runs[i]);
	if (rc)
		return rc == ERR_USAGE ? EXIT_USAGE : EXIT_ENVIRONMENT;
	return regressions ? EXIT_FINDINGS : EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct cmd_args args = {&cmd_compare, options, argv, argc, 1, false};
	const char *folders[2], *word = NULL;
	int id, n = 0;

	while ((id = cmd_next(&args, &word)) == CMD_WORD && n < 3)
		if (n++ < 2)
			folders[n - 1] = word;
	if (id != CMD_END && id != CMD_WORD)
		return id == CMD_HELP ? EXIT_FINE : EXIT_USAGE;
	if (n != 2)
		return cmd_usage(&cmd_compare, "it takes two folders");
	return compare(folders);
}

const struct command cmd_compare = {
	.name = "compare",
	.summary = "what changed from one run to another",
	.help = "usage: ktrial compare DIR1 DIR2\n\n"
		"Reads the results of two runs (what --out named) and tells the cases that fail in "
		"the second and did not in the\n"
		"first, those that no longer fail, and those that only one has. If each run has "
		"one client, say two versions of a\n"
		"library, they are compared whatever their names.\n\n"
		"Exit status: 0; 1 something newly fails; 2 wrong use; 4 a result can't be read.\n",
	.run = run,
};
