/* `ktrial page`: the results in a folder, of one run or of several, as one page. */
#include "cli/cmd.h"

#include "harness/page.h"

#include <stdio.h>

enum { OPT_HTML = 1 };

static const struct cmd_option options[] = {{"--html", OPT_HTML, true}, {NULL, 0, false}};

static int make_page(const char *folder, const char *path)
{
	struct results results = {0};
	struct error e = ERROR_INIT;
	int rc = results_read(&results, folder, &e);

	if (!rc)
		rc = page_write(path, &results, &e);
	if (rc)
		fprintf(stderr, "ktrial page: %s\n", e.text);
	else
		printf("%s: %d cases\n", path, results.count);
	results_release(&results);
	if (rc)
		return rc == ERR_USAGE ? EXIT_USAGE : EXIT_ENVIRONMENT;
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct cmd_args args = {&cmd_page, options, argv, argc, 1, false};
	const char *folder = NULL, *path = NULL, *value = NULL;
	int id;

	while ((id = cmd_next(&args, &value)) == CMD_WORD || id == OPT_HTML) {
		if (id == OPT_HTML)
			path = value;
		else if (folder)
			return cmd_usage(&cmd_page, "it takes one folder");
		else
			folder = value;
	}
	if (id != CMD_END)
		return id == CMD_HELP ? EXIT_FINE : EXIT_USAGE;
	if (!folder || !path)
		return cmd_usage(&cmd_page, "name a folder of results, and --html FILE");
	return make_page(folder, path);
}

const struct command cmd_page = {
	.name = "page",
	.summary = "results in a folder as one HTML page: clients, scenarios, diagrams",
	.help = "usage: ktrial page DIR --html FILE\n\n"
		"Makes one page of all results below a folder (what --out of `ktrial run` named), "
		"also of several clients that ran\n"
		"into the same folder: a matrix whose cells open their cases, with a sequence "
		"diagram where flow.json (of run --html)\n"
		"or evidence.pcapng lies beside the result. The page needs no network.\n\n"
		"Exit status: 0; 2 wrong use; 4 a result can't be read, or the page not be "
		"written.\n",
	.run = run,
};
