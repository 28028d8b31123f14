/* `ktrial scenario`: a capture becomes a scenario. Reads the options; what went wrong is
 * harness/incident's to find, and harness/retell's to tell. */
#include "cli/replay.h"
#include "harness/marks.h"
#include "harness/retell.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_MAX   ((size_t)1 << 30) /* a frame of any size is read whole */
#define TEXTS_MAX    ((size_t)1 << 20)
#define OPTIONAL_MAX 256

static const char help[] =
	"usage: ktrial scenario FILE [--group GROUP] [-Y FILTER] [--port PORT]... > x.lua\n"
	"\n"
	"Turns a capture (pcap or pcapng, evidence of a run too; - is standard input) into a "
	"scenario: the cluster as it was seen,\n"
	"the records and offsets that were there, what went wrong as rules and events, the "
	"clients, and the checks that had\n"
	"something to judge. `ktrial run x.lua --client NAME`, or `--under 'COMMAND'` with a "
	"program of your own, lets the same\n"
	"happen again: from an incident to a regression test. The text is yours to edit.\n"
	"\n"
	"What a cluster does by itself is no fault: the requests of the capture are asked of a "
	"mock cluster that begins as the\n"
	"capture's did, and only what that would not have answered becomes a rule. What is in the "
	"capture's records can be in\n"
	"the text: `ktrial sanitize` takes it out first.\n"
	"\n"
	"  --group GROUP  only the clients of that group\n"
	"  -Y FILTER      only exchanges that match, such as 'client == \"app\"'; docs/filter.md "
	"tells more\n"
	"  --delay TIME   an answer that comes so much later than a cluster would give it is "
	"delayed, if that is ten times what is usual,\n"
	"                 too; 300ms\n"
	"  --bpf FILTER   only packets that match, as tcpdump has it\n"
	"  --port PORT    what this port says is Kafka, even where it does not look like it; "
	"several\n"
	"\n"
	"Exit status: 0 written, 2 wrong use, 4 the file can't be read, or has nothing of what was "
	"asked for.\n";

enum { OPT_GROUP = 1, OPT_FILTER, OPT_PORT, OPT_DELAY, OPT_BPF };

static const struct cmd_option options[] = {
	{"--group", OPT_GROUP, true}, {"-Y", OPT_FILTER, true}, {"--port", OPT_PORT, true},
	{"--delay", OPT_DELAY, true}, {"--bpf", OPT_BPF, true}, {NULL, 0, false}};

struct scenario_job {
	const char *file;
	struct replay_choice choice;
	struct decode_options decode;
	int64_t delay_us;
	bool told;			   /* evidence */
	struct str optional[OPTIONAL_MAX]; /* its rules that need not act */
	size_t optional_count;
	struct arena texts;
};

static int add_port(struct scenario_job *j, const char *value)
{
	int64_t n;

	if (!cmd_number(value, 1, 65535, &n) || j->decode.ports_count == DECODE_PORTS_MAX)
		return cmd_usage(&cmd_scenario,
				 "--port %s: a number from 1 to 65535, at most %d of them", value,
				 DECODE_PORTS_MAX);
	j->decode.ports[j->decode.ports_count++] = (uint16_t)n;
	return 0;
}

static int take_option(struct scenario_job *j, int id, const char *value)
{
	switch (id) {
	case OPT_GROUP:
		j->choice.group = value;
		return 0;
	case OPT_FILTER:
		if (j->choice.filter)
			return cmd_usage(&cmd_scenario, "-Y stands twice");
		j->choice.filter = value;
		return 0;
	case OPT_PORT:
		return add_port(j, value);
	case OPT_BPF:
		j->decode.capture.bpf = value;
		return 0;
	case OPT_DELAY:
		if (plan_duration(str_of(value), &j->delay_us) && j->delay_us > 0)
			return 0;
		return cmd_usage(&cmd_scenario, "--delay %s: a time such as 300ms or 2s", value);
	default:
		if (j->file)
			return cmd_usage(&cmd_scenario, "one FILE; '%s' is too much", value);
		j->file = value;
		return 0;
	}
}

static int read_options(struct scenario_job *j, int argc, char **argv)
{
	struct cmd_args args = {&cmd_scenario, options, argv, argc, 1, false};
	const char *value = NULL;
	int id, status = 0;

	while (!status && (id = cmd_next(&args, &value)) != CMD_END) {
		if (id == CMD_HELP || id == CMD_BAD)
			return id == CMD_HELP ? -1 : EXIT_USAGE;
		status = take_option(j, id, value);
	}
	if (!status && !j->file)
		return cmd_usage(&cmd_scenario, "name the capture");
	if (!status && j->choice.group && !strcmp(j->file, "-"))
		return cmd_usage(&cmd_scenario, "--group reads the capture twice: name a file");
	return status;
}

static int fail(const char *text)
{
	fprintf(stderr, "ktrial scenario: %s\n", text);
	return EXIT_ENVIRONMENT;
}

/* ---- the whole ---- */

static void take_mark(struct scenario_job *j, struct str text)
{
	struct mark m;

	mark_read(text, &j->texts, &m);
	if (m.kind == MARK_RULE && m.rule.optional)
		j->optional[j->optional_count++] = m.rule.text;
}

/* Only evidence says what was done, and what the brokers did. */
static void on_inside(void *ctx, const struct event *ev)
{
	struct scenario_job *j = ctx;

	j->told |= ev->kind == EVENT_RULE || ev->kind == EVENT_LOG || ev->kind == EVENT_CLUSTER;
	if (ev->kind == EVENT_MARK && j->optional_count < OPTIONAL_MAX)
		take_mark(j, ev->mark);
}

static void add_checks(struct checks *checks)
{
	size_t n;
	const struct check_type *const *types = check_types(&n);

	checks_init(checks);
	for (size_t i = 0; i < n; i++)
		checks_add(checks, types[i], &(struct check_scope){.number = -1});
}

static bool has_client(void *ctx, struct str id)
{
	return cast_has_client(ctx, id);
}

static bool has_group(void *ctx, struct str group)
{
	return cast_has_group(ctx, group);
}

static int write_text(struct scenario_job *j, const struct session *s, struct checks *checks)
{
	struct seen *seen = seen_new(s);
	struct incident_config config = {.session = s,
					 .seen = seen,
					 .told = j->told,
					 .optional = j->optional,
					 .optional_count = j->optional_count,
					 .delay_us = j->delay_us};
	struct incident *in = incident_new(&config);
	struct cast cast;
	struct buf out;
	int status = EXIT_FINE;

	cast_find(&cast, in);
	incident_make_rules(in, &(struct incident_names){has_client, has_group, &cast});
	buf_init(&out, RETELL_SIZE_MAX);
	retell_write(&(struct retell){.in = in,
				      .cast = &cast,
				      .checks = checks,
				      .file = j->file,
				      .group = j->choice.group,
				      .filter = j->choice.filter},
		     &out);
	if (out.bad)
		status = fail("the scenario is too large; narrow it with -Y or --group");
	else
		fputs(buf_cstr(&out), stdout);
	buf_release(&out);
	cast_release(&cast);
	incident_free(in);
	seen_free(seen);
	return status;
}

static int retell(struct scenario_job *j)
{
	struct event_sink inside = {.on_event = on_inside, .ctx = j};
	struct checks checks;
	struct session *s;
	char text[600];
	int status;

	add_checks(&checks);
	j->choice.sinks[0] = &checks.sink;
	j->choice.sinks[1] = &inside;
	s = replay_load(&cmd_scenario, j->file, &j->choice, &j->decode, &status);
	checks_end(&checks, NEEDS_WIRE | (checks.history->log_events ? NEEDS_LOG : 0) |
				    (checks.history->report_events ? NEEDS_REPORTS : 0));
	snprintf(text, sizeof(text), "%s has no Kafka messages%s", j->file,
		 j->choice.filter ? " that match the filter" : "");
	if (s)
		status = s->exchanges_count ? write_text(j, s, &checks) : fail(text);
	checks_release(&checks);
	session_free(s);
	return status;
}

static int run(int argc, char **argv)
{
	struct scenario_job j = {.decode.memory_max = MEMORY_MAX, .delay_us = INCIDENT_DELAY_US};
	int status = read_options(&j, argc, argv);

	arena_init(&j.texts, TEXTS_MAX);
	status = status ? status : retell(&j);
	arena_release(&j.texts);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_scenario = {
	.name = "scenario",
	.summary = "a capture as a scenario: from an incident to a regression test",
	.help = help,
	.run = run,
};
