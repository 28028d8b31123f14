/* `ktrial run`: scenarios against a client. Reads the options, loads and checks every case before
 * anything starts, hands them to the pool, prints what comes back. */
#include "cli/scenarios.h"

#include "cli/tell.h"
#include "harness/page.h"
#include "harness/rehearse.h"
#include "harness/suite.h"
#include "mock/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX      100
#define MESSAGES_MAX  ((size_t)1 << 20)
#define JUNIT_MAX     ((size_t)256 << 20)
#define EXIT_SCENARIO 3
#define EXIT_SIGNAL   130

static const char help[] =
	"usage: ktrial run SCENARIO|GLOB|DIR... --client NAME|DIR [OPTION...]\n"
	"       ktrial run SCENARIO|GLOB|DIR... --under 'COMMAND' [OPTION...]\n"
	"\n"
	"Puts a client on trial: starts it against a mock cluster, hurts it as the scenario says, "
	"and judges what was on the\n"
	"wire, in the logs, and what the client said. One line a case; what went wrong in full.\n"
	"\n"
	"  --client NAME|DIR     the client: a folder of clients/, or any folder with the programs "
	"producer, consumer,\n"
	"                        transactional; NAME@VERSION for another version; ROLE=NAME or "
	"CLIENT=NAME for one role, or\n"
	"                        one client of the scenario, alone\n"
	"  --under 'COMMAND'     instead: a command of yours, for scenarios with speaks = "
	"\"none\"\n"
	"  --like kafka-X.Y      the cluster is like that release, where the scenario names none\n"
	"  --case KEY=VALUE      only the cases of the matrix that have it; several\n"
	"  --skip GLOB           not the scenarios with such names; several\n"
	"  --seed N              of everything that chance decides; 1\n"
	"  --repeat N            each case N times, with seeds N, N+1, ...\n"
	"  -j N                  so many cases side by side; 1\n"
	"  --fail-fast           begin no case after one that failed\n"
	"  --out DIR             where results go: DIR/CLIENT/SCENARIO/CASE/N/; ktrial-out\n"
	"  --keep all|failed     whose evidence and outputs stay; failed\n"
	"  --junit FILE          results as JUnit XML\n"
	"  --html FILE           results as one page that needs no network, with a diagram of each "
	"case\n"
	"  --tap                 results as TAP 14 instead of lines\n"
	"  --known FILE          known deviations: SCENARIO[CASE] CHECK WHY, a line each; a case "
	"that "
	"fails by nothing else is\n"
	"                        \"known\", and what no longer deviates is told\n"
	"\n"
	"Where GITHUB_STEP_SUMMARY names a file, a summary in Markdown is added to it.\n"
	"\n"
	"Exit status: 2 wrong use or nothing matched, 3 a wrong scenario, both before anything "
	"starts; then 1 a MUST failed,\n"
	"else 4 the environment, else 5 something inconclusive, else 77 all skipped, else 0.\n";

enum {
	OPT_CLIENT = 1,
	OPT_UNDER,
	OPT_CASE,
	OPT_SKIP,
	OPT_SEED,
	OPT_REPEAT,
	OPT_JOBS,
	OPT_FAIL_FAST,
	OPT_OUT,
	OPT_KEEP,
	OPT_JUNIT,
	OPT_TAP,
	OPT_KNOWN,
	OPT_LIKE,
	OPT_HTML,
};

static const struct cmd_option options[] = {
	{"--client", OPT_CLIENT, true}, {"--under", OPT_UNDER, true},
	{"--case", OPT_CASE, true},	{"--skip", OPT_SKIP, true},
	{"--seed", OPT_SEED, true},	{"--repeat", OPT_REPEAT, true},
	{"-j", OPT_JOBS, true},		{"--fail-fast", OPT_FAIL_FAST, false},
	{"--out", OPT_OUT, true},	{"--keep", OPT_KEEP, true},
	{"--junit", OPT_JUNIT, true},	{"--like", OPT_LIKE, true},
	{"--known", OPT_KNOWN, true},	{"--tap", OPT_TAP, false},
	{"--html", OPT_HTML, true},	{NULL, 0, false},
};

/* What the command line asked for, and what becomes of it. */
struct run {
	struct clients clients;
	const char *words[LIST_MAX], *cases[LIST_MAX], *skips[LIST_MAX];
	int32_t words_count, cases_count, skips_count;
	int64_t seed, repeat, side_by_side;
	bool fail_fast, keep_all, tap;
	struct known *known;
	const struct profile *like;
	const char *like_name;
	struct tell tell;
	char client[300];
	const char *out, *junit, *html;
	char **folders; /* of the cases that have ended */
	int32_t folders_count;
	struct suite suite;
	struct job *jobs;
	int32_t jobs_count;
	struct buf messages, again, elements;
	struct pool_outcome outcome;
};

static int push(const char **list, int32_t *count, const char *value)
{
	if (*count == LIST_MAX)
		return cmd_usage(&cmd_run, "more than %d of one kind; name a folder or a pattern",
				 LIST_MAX);
	list[(*count)++] = value;
	return 0;
}

static int set_number(const char *word, const char *value, int64_t min, int64_t max, int64_t *ret_n)
{
	if (cmd_number(value, min, max, ret_n))
		return 0;
	return cmd_usage(&cmd_run, "%s takes a whole number from %lld to %lld, not %s", word,
			 (long long)min, (long long)max, value);
}

static int add_client(struct run *r, const char *value)
{
	struct error e = ERROR_INIT;

	if (clients_add(&r->clients, value, &e) < 0)
		return cmd_usage(&cmd_run, "%s", e.text);
	return 0;
}

static int read_known(struct run *r, const char *path)
{
	struct error e = ERROR_INIT;

	if (r->known)
		return cmd_usage(&cmd_run, "--known stands twice");
	r->known = calloc(1, sizeof(*r->known));
	if (!r->known)
		abort();
	if (known_read(r->known, path, &e) < 0)
		return cmd_usage(&cmd_run, "%s", e.text);
	return 0;
}

static int set_option(struct run *r, int id, const char *word, const char *value)
{
	struct error e = ERROR_INIT;

	switch (id) {
	case OPT_CLIENT:
		return add_client(r, value);
	case OPT_UNDER:
		r->clients.under = value;
		return 0;
	case OPT_CASE:
		if (!strchr(value, '='))
			return cmd_usage(&cmd_run, "--case takes KEY=VALUE, not %s", value);
		return push(r->cases, &r->cases_count, value);
	case OPT_SKIP:
		return push(r->skips, &r->skips_count, value);
	case OPT_SEED:
		return set_number(word, value, 0, INT64_MAX - 100000, &r->seed);
	case OPT_REPEAT:
		return set_number(word, value, 1, 10000, &r->repeat);
	case OPT_JOBS:
		return set_number(word, value, 1, POOL_JOBS_MAX, &r->side_by_side);
	case OPT_FAIL_FAST:
		r->fail_fast = true;
		return 0;
	case OPT_OUT:
		r->out = value;
		return 0;
	case OPT_KEEP:
		if (strcmp(value, "all") && strcmp(value, "failed"))
			return cmd_usage(&cmd_run, "--keep takes all or failed, not %s", value);
		r->keep_all = !strcmp(value, "all");
		return 0;
	case OPT_JUNIT:
		r->junit = value;
		return 0;
	case OPT_LIKE:
		r->like_name = value;
		r->like = profile_find(str_of(value), &e);
		return r->like ? 0 : cmd_usage(&cmd_run, "--like: %s", e.text);
	case OPT_TAP:
		r->tap = true;
		return 0;
	case OPT_HTML:
		r->html = value;
		return 0;
	default:
		return read_known(r, value);
	}
}

/* A file that can't be written is refused before anything runs, and not made by asking. */
static int judge_file(const char *option, const char *path)
{
	struct stat st;
	bool there = path && !stat(path, &st);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

	if (path && fd < 0)
		return cmd_usage(&cmd_run, "%s: can't write %s: %s", option, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (path && !there)
		unlink(path);
	return 0;
}

static int judge_options(const struct run *r)
{
	if (!r->words_count)
		return cmd_usage(&cmd_run, "name a scenario, or a folder of them");
	if (!r->clients.count && !r->clients.under)
		return cmd_usage(
			&cmd_run,
			"name a client with --client NAME, or a command with --under 'COMMAND'");
	if (r->clients.count && r->clients.under)
		return cmd_usage(&cmd_run,
				 "it is either --client or --under: scenarios with speaks "
				 "= \"none\" run the command, all others a client");
	return judge_file("--junit", r->junit);
}

/* 0, an exit status, or -1 when help was asked for. */
static int read_options(struct run *r, int argc, char **argv)
{
	struct cmd_args args = {&cmd_run, options, argv, argc, 1, false};
	const char *value = NULL, *word;
	int id, status = 0;

	while (!status) {
		word = args.at < argc ? argv[args.at] : "";
		id = cmd_next(&args, &value);
		if (id == CMD_END)
			break;
		if (id == CMD_HELP)
			return -1;
		if (id == CMD_BAD)
			return EXIT_USAGE;
		status = id == CMD_WORD ? push(r->words, &r->words_count, value)
					: set_option(r, id, word, value);
	}
	return status ? status : judge_options(r);
}

/* ---- loading ---- */

static bool is_skipped(const struct run *r, const struct scenario *s)
{
	for (int32_t i = 0; i < r->skips_count; i++)
		if (!fnmatch(r->skips[i], s->name.data, 0))
			return true;
	return false;
}

/* A --case whose key no scenario has is a slip of the pen. */
static int judge_case_keys(const struct run *r)
{
	for (int32_t i = 0; i < r->cases_count; i++) {
		struct str key = {r->cases[i], (int32_t)strcspn(r->cases[i], "=")};
		bool found = false;

		for (int32_t k = 0; k < r->suite.count && !found; k++)
			found = scenario_has_key(r->suite.list[k], key);
		if (!found)
			return cmd_usage(&cmd_run,
					 "no scenario here has '" STR_FMT "' in its matrix",
					 STR_ARG(key));
	}
	return 0;
}

static bool add_job(struct run *r, const struct scenario *s, int32_t index, int32_t repetition)
{
	uint64_t seed = (uint64_t)r->seed + (uint64_t)repetition - 1;
	struct case_plan *plan = plan_load(s, index, seed, &r->messages);

	if (!plan)
		return false;
	plan->like = plan->like ? plan->like : r->like;
	r->jobs = realloc(r->jobs, ((size_t)r->jobs_count + 1) * sizeof(*r->jobs));
	if (!r->jobs)
		abort();
	r->jobs[r->jobs_count++] = (struct job){plan, repetition, (int32_t)r->repeat};
	return true;
}

/* All repetitions of a case, or, when it is wrong, only the first one's complaints. */
static bool add_case(struct run *r, const struct scenario *s, int32_t index)
{
	if (!plan_rehearse(s, index, (uint64_t)r->seed, &r->messages))
		return false;
	for (int32_t n = 1; n <= r->repeat; n++)
		if (!add_job(r, s, index, n))
			return false;
	return true;
}

static bool add_scenario(struct run *r, const struct scenario *s)
{
	for (int32_t i = 0; i < s->cases_count; i++)
		if (scenario_case_wanted(s, i, r->cases, r->cases_count) && !add_case(r, s, i))
			return false; /* its other cases would say the same */
	return true;
}

static bool has_part(const struct case_plan *p, const char *name)
{
	for (int32_t i = 0; i < p->clients_count; i++)
		if (str_is(p->clients[i].name, name))
			return true;
	return !strcmp(name, "producer") || !strcmp(name, "consumer") ||
	       !strcmp(name, "transactional");
}

/* A --client for a part that no scenario has is a slip of the pen. */
static int judge_parts(const struct run *r)
{
	for (int32_t i = 0; i < r->clients.count; i++) {
		const char *part = r->clients.list[i].role;
		bool found = !*part;

		for (int32_t k = 0; k < r->jobs_count && !found; k++)
			found = has_part(r->jobs[k].plan, part);
		if (!found)
			return cmd_usage(&cmd_run, "no scenario here has a client '%s'", part);
	}
	return 0;
}

/* Everything is read and checked before a port opens. 0 or an exit status. */
static int load(struct run *r)
{
	struct error e = ERROR_INIT;
	bool ok = true;
	int status;

	for (int32_t i = 0; i < r->words_count; i++) {
		if (suite_add(&r->suite, r->words[i], &r->messages, &e) < 0)
			ok = false;
		if (e.code)
			return cmd_usage(&cmd_run, "%s", e.text);
	}
	status = judge_case_keys(r);
	if (status)
		return status;
	for (int32_t i = 0; i < r->suite.count; i++)
		r->suite.list[i]->under = r->clients.under != NULL;
	for (int32_t i = 0; i < r->suite.count; i++)
		if (!is_skipped(r, r->suite.list[i]))
			ok = add_scenario(r, r->suite.list[i]) && ok;
	if (!ok) {
		fputs(buf_cstr(&r->messages), stderr);
		return EXIT_SCENARIO;
	}
	if (!r->jobs_count)
		return cmd_usage(&cmd_run, "no case is left to run");
	return judge_parts(r);
}

/* ---- running ---- */

static void on_result(void *ctx, const struct job_result *result)
{
	struct run *r = ctx;

	tell_result(&r->tell, result);
	if (r->known)
		known_count(r->known, result->job->plan, result->fails);
	buf_add(&r->elements, result->junit.data, (size_t)result->junit.len);
	r->folders[r->folders_count] = strdup(result->folder);
	if (!r->folders[r->folders_count++])
		abort();
}

static int write_page(struct run *r)
{
	struct results results;
	struct error e = ERROR_INIT;

	if (!r->html)
		return 0;
	if (!results_read_cases(&results, r->folders, r->folders_count, &e))
		page_write(r->html, &results, &e);
	results_release(&results);
	if (e.code)
		fprintf(stderr, "ktrial run: %s\n", e.text);
	return e.code ? EXIT_ENVIRONMENT : 0;
}

static int write_junit(struct run *r, double seconds)
{
	struct buf xml;
	FILE *out;
	bool ok;

	if (!r->junit)
		return 0;
	buf_init(&xml, JUNIT_MAX);
	report_junit_file((struct str){(const char *)r->elements.data, (int32_t)r->elements.len},
			  r->outcome.counts, seconds, &xml);
	out = fopen(r->junit, "we");
	ok = out && !xml.bad && fwrite(xml.data, 1, xml.len, out) == xml.len;
	if (out && fclose(out))
		ok = false;
	if (!ok)
		fprintf(stderr, "ktrial run: can't write %s: %s\n", r->junit, strerror(errno));
	buf_release(&xml);
	return ok ? 0 : EXIT_ENVIRONMENT;
}

/* Options that lead to the same clients again. */
static void describe_options(struct run *r)
{
	for (int32_t i = 0; i < r->clients.count; i++)
		buf_printf(&r->again, " --client %s%s%s", r->clients.list[i].role,
			   r->clients.list[i].role[0] ? "=" : "", r->clients.list[i].label);
	if (r->like)
		buf_printf(&r->again, " --like %s", r->like_name);
	if (r->clients.under)
		buf_printf(&r->again, " --under '%s'", r->clients.under);
}

static int write_summary(const struct run *r)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");

	if (!path || !*path || tell_summary(&r->tell, &r->outcome, path))
		return 0;
	fprintf(stderr, "ktrial run: can't write %s: %s\n", path, strerror(errno));
	return EXIT_ENVIRONMENT;
}

static int run_jobs(struct run *r)
{
	struct pool_config config = {
		.jobs = r->jobs,
		.jobs_count = r->jobs_count,
		.side_by_side = (int32_t)r->side_by_side,
		.clients = &r->clients,
		.known = r->known,
		.out = r->out,
		.keep_all = r->keep_all,
		.flows = r->html != NULL,
		.fail_fast = r->fail_fast,
		.on_result = on_result,
		.ctx = r,
	};
	struct instant begin = clock_now();
	struct error e = ERROR_INIT;
	double seconds;
	int status;

	describe_options(r);
	clients_label(&r->clients, r->client, sizeof(r->client));
	tell_init(&r->tell, r->tap, r->jobs_count, r->client);
	config.options = buf_cstr(&r->again);
	r->folders = calloc((size_t)r->jobs_count, sizeof(*r->folders));
	if (!r->folders)
		abort();
	if (pool_run(&config, &r->outcome, &e) < 0) {
		fprintf(stderr, "ktrial run: %s\n", e.text);
		return EXIT_ENVIRONMENT;
	}
	seconds = (double)(clock_now().mono_us - begin.mono_us) / 1e6;
	tell_end(&r->tell, &r->outcome, r->known, r->seed, seconds);
	status = write_junit(r, seconds);
	status = status ? status : write_summary(r);
	status = status ? status : write_page(r);
	if (r->outcome.interrupted)
		return EXIT_SIGNAL;
	return verdict_exit(r->outcome.counts) ? verdict_exit(r->outcome.counts) : status;
}

static int run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		abort();
	r->seed = r->repeat = r->side_by_side = 1;
	r->out = "ktrial-out";
	buf_init(&r->messages, MESSAGES_MAX);
	buf_init(&r->again, MESSAGES_MAX);
	buf_init(&r->elements, JUNIT_MAX);
	status = read_options(r, argc, argv);
	if (!status)
		status = load(r);
	if (!status)
		status = run_jobs(r);
	for (int32_t i = 0; i < r->jobs_count; i++)
		plan_free(r->jobs[i].plan);
	for (int32_t i = 0; i < r->folders_count; i++)
		free(r->folders[i]);
	free(r->folders);
	free(r->jobs);
	suite_release(&r->suite);
	tell_release(&r->tell);
	if (r->known)
		known_release(r->known);
	free(r->known);
	buf_release(&r->messages);
	buf_release(&r->again);
	buf_release(&r->elements);
	free(r);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_run = {
	.name = "run",
	.summary = "scenarios against a client, with a verdict for each case",
	.help = help,
	.run = run,
};
