/* `ktrial verify`: the checks over captures and evidence. Tells each check's finding; judging is
 * harness/verify.c's. */
#include "cli/cmd.h"

#include "harness/report.h"
#include "harness/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_MAX   1000
#define OUTPUT_MAX ((size_t)64 << 20)

static const char help[] =
	"usage: ktrial verify FILE... [CHECK...]\n"
	"\n"
	"Judges captures (pcap, pcapng; - is standard input) by what the wire alone shows: order, "
	"sequences and retries of batches,\n"
	"owners, commits and what is read again, answers, storms, versions; findings have the "
	"numbers of their packets (not those\n"
	"of standard input, which can't be read twice). The evidence of a run is judged as `ktrial "
	"run` judged it: by all universal\n"
	"rules, the checks and the rules of its scenario. With names of checks, by those alone.\n"
	"A word that is the name of a check, such as U5 or group.one_owner, is one; every "
	"other word is a file.\n"
	"\n"
	"  -v, --verbose         also the checks that had nothing to judge\n"
	"\n"
	"Exit status: 0 clean, 1 findings, 2 wrong use, 4 a file can't be read.\n";

enum { OPT_VERBOSE = 1 };

static const struct cmd_option options[] = {
	{"-v", OPT_VERBOSE, false}, {"--verbose", OPT_VERBOSE, false}, {NULL, 0, false}};

struct job {
	const char *files[LIST_MAX], *names[LIST_MAX];
	struct verify_config config;
	bool verbose;
};

static int add_word(struct job *j, const char *word)
{
	bool is_check = check_type_find(str_of(word)) || (access(word, F_OK) && strcmp(word, "-") &&
							  check_type_nearest(str_of(word)));
	size_t *count = is_check ? &j->config.names_count : &j->config.files_count;

	if (*count == LIST_MAX)
		return cmd_usage(&cmd_verify, "more than %d of one kind", LIST_MAX);
	(is_check ? j->names : j->files)[(*count)++] = word;
	return 0;
}

static int read_options(struct job *j, int argc, char **argv)
{
	struct cmd_args args = {&cmd_verify, options, argv, argc, 1, false};
	const char *value = NULL;
	int id, status = 0;

	while (!status && (id = cmd_next(&args, &value)) != CMD_END) {
		if (id == CMD_HELP || id == CMD_BAD)
			return id == CMD_HELP ? -1 : EXIT_USAGE;
		if (id == OPT_VERBOSE)
			j->verbose = true;
		else
			status = add_word(j, value);
	}
	if (!status && !j->config.files_count)
		return cmd_usage(&cmd_verify, "name a file, or - for standard input");
	return status;
}

static int verify(struct job *j)
{
	struct error e = ERROR_INIT;
	struct trial t;
	struct buf out;
	char text[600];
	int rc = verify_run(&j->config, &t, &e);

	buf_init(&out, OUTPUT_MAX);
	if (rc < 0)
		fprintf(stderr, "ktrial verify: %s\n", error_text(&e, text, sizeof(text)));
	if (rc >= 0 || t.exchanges)
		report_findings(&t, j->verbose, &out);
	fputs(buf_cstr(&out), stdout);
	if (rc >= 0 || t.exchanges)
		printf("%llu exchanges; %s%s%s\n", (unsigned long long)t.exchanges,
		       t.outcome.verdict != VERDICT_PASS ? "findings"
		       : !t.exchanges			 ? "nothing to judge"
		       : rc < 0				 ? "clean as far as it could be read"
							 : "clean",
		       t.outcome.reason[0] ? ": " : "", t.outcome.reason);
	if (rc >= 0 && !t.exchanges)
		fputs("ktrial verify: no Kafka conversation can be read there; `ktrial decode -o "
		      "stats` tells what there is\n",
		      stderr);
	buf_release(&out);
	if (rc < 0)
		return trial_release(&t), rc == ERR_USAGE ? EXIT_USAGE : EXIT_ENVIRONMENT;
	rc = t.outcome.verdict == VERDICT_PASS ? EXIT_FINE : EXIT_FINDINGS;
	trial_release(&t);
	return rc;
}

static int run(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	int status;

	if (!j)
		abort();
	j->config = (struct verify_config){.files = j->files, .names = j->names};
	status = read_options(j, argc, argv);
	if (!status)
		status = verify(j);
	free(j);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_verify = {
	.name = "verify",
	.summary = "the checks over captures and evidence",
	.help = help,
	.run = run,
};
