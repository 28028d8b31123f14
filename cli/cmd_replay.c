/* `ktrial replay`: a captured session played again. Reads the options; each side has its file. */
#include "cli/cmd.h"

#include "cli/replay.h"
#include "harness/replay_client.h"
#include "net/connect.h"
#include "rules/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX   ((size_t)1 << 30) /* a frame of any size is read whole */
#define DEFAULT_PORT 9092
#define SPEED_MAX    1e6

static const char help[] =
	"usage: ktrial replay FILE --as client --to HOST:PORT [--to HOST:PORT] [OPTION...]\n"
	"\n"
	"Plays the client's side of a capture: its requests go to a live cluster in the order in "
	"which they were sent, and what\n"
	"comes back is compared with the recorded answers by meaning. Ids, epochs, generations, "
	"offsets and addresses may be\n"
	"others, as long as they are consistent. With two --to the two clusters are compared with "
	"each other instead.\n"
	"\n"
	"  --to HOST:PORT       any broker of the cluster. One that is not on loopback is refused "
	"without --yes-really:\n"
	"                       a replay writes\n"
	"  --create-topics      make topics that the session finds and the cluster lacks, with the "
	"recorded partitions and configs\n"
	"  --suffix TEXT        behind the names of groups and transactional ids\n"
	"  --speed F|max        1 as recorded, 10 ten times as fast; max (the default) leaves out "
	"the pauses\n"
	"  --settle TIME        how long an answer that differs may take to become right, beyond "
	"the recording's own time\n"
	"                       (2s); 0s: nothing is asked twice\n"
	"  --wait TIME          how long an answer may take beyond what the recorded one took "
	"(1m)\n"
	"  --ignore PATH        pass over a field of answers: Metadata.topics.partitions.isrNodes, "
	"or isrNodes of any; several\n"
	"  -Y FILTER            only exchanges that match; see docs/filter.md\n"
	"  --port PORT          what this port says is Kafka, even where it does not look like it; "
	"several\n"
	"  -o text|json         lines, or an object per exchange that differs and one of the sums\n"
	"  --junit FILE         a test case for each API\n"
	"  -v                   also what is equal, not compared or left out\n"
	"  --yes-really         write to a cluster that is not on loopback\n"
	"\n"
	"usage: ktrial replay FILE --as broker [OPTION...]\n"
	"\n"
	"Plays the brokers' side: a live client connects, and the recorded session answers, until "
	"SIGINT or SIGTERM. Requests are\n"
	"matched by what they ask, not by order or bytes; each recorded broker has a port of its "
	"own. Prints one line once it can\n"
	"be used:\n"
	"  ready bootstrap=HOST:PORT[,...] control=off\n"
	"\n"
	"  --listen HOST:PORT   of the first broker, the others' follow; 127.0.0.1:9092. Port 0: "
	"free ones\n"
	"  --on-miss mock|error|close   what a request gets that nothing recorded fits: the answer "
	"of a mock cluster filled with\n"
	"                       what the recording shows (the default), an error, or the end of "
	"its connection. What was asked\n"
	"                       and what comes nearest is told on stderr\n"
	"  --speed F|max        1 as recorded (the default), 10 ten times as fast; max answers at "
	"once\n"
	"  --capture FILE       what is on the wire now, as pcapng\n"
	"  --strict             exit status 1 at the end if there was a miss\n"
	"  --with-parent        ends when the process that started it does\n"
	"  -Y, --port           as above\n"
	"  -v                   decode's line per exchange, and what is answered otherwise than "
	"recorded\n"
	"\n"
	"FILE is pcap, pcapng or evidence, also .gz and .zst; - is standard input. "
	"docs/replay.md says what is compared and how.\n"
	"\n"
	"Exit status: 0 equal (as broker: ended), 1 something differs or was not answered (as "
	"broker: a miss, with --strict),\n"
	"2 wrong use, 4 a file "
	"can't "
	"be read or a cluster not\n"
	"be reached.\n";

enum {
	OPT_AS = 1,
	OPT_TO,
	OPT_CREATE_TOPICS,
	OPT_SUFFIX,
	OPT_SPEED,
	OPT_SETTLE,
	OPT_WAIT,
	OPT_IGNORE,
	OPT_FILTER,
	OPT_PORT,
	OPT_OUTPUT,
	OPT_JUNIT,
	OPT_VERBOSE,
	OPT_YES_REALLY,
	OPT_LISTEN,
	OPT_ON_MISS,
	OPT_CAPTURE,
	OPT_STRICT,
	OPT_WITH_PARENT,
};

static const struct cmd_option options[] = {{"--as", OPT_AS, true},
					    {"--to", OPT_TO, true},
					    {"--create-topics", OPT_CREATE_TOPICS, false},
					    {"--suffix", OPT_SUFFIX, true},
					    {"--speed", OPT_SPEED, true},
					    {"--settle", OPT_SETTLE, true},
					    {"--wait", OPT_WAIT, true},
					    {"--ignore", OPT_IGNORE, true},
					    {"-Y", OPT_FILTER, true},
					    {"--port", OPT_PORT, true},
					    {"-o", OPT_OUTPUT, true},
					    {"--junit", OPT_JUNIT, true},
					    {"-v", OPT_VERBOSE, false},
					    {"--yes-really", OPT_YES_REALLY, false},
					    {"--listen", OPT_LISTEN, true},
					    {"--on-miss", OPT_ON_MISS, true},
					    {"--capture", OPT_CAPTURE, true},
					    {"--strict", OPT_STRICT, false},
					    {"--with-parent", OPT_WITH_PARENT, false},
					    {NULL, 0, false}};

/* Who plays which side. */
static const struct {
	const char *name;
	int (*play)(const struct replay_job *job);
} sides[] = {
	{"client", replay_as_client},
	{"broker", replay_as_broker},
};

#define SIDES (sizeof(sides) / sizeof(sides[0]))

static int add_to(struct replay_job *j, const char *value)
{
	struct error e = ERROR_INIT;

	if (j->to_count == REPLAY_TO_MAX)
		return cmd_usage(&cmd_replay, "--to %s: at most two clusters can be compared",
				 value);
	if (service_address_parse(str_of(value), DEFAULT_PORT, &j->to[j->to_count], &e) ||
	    !j->to[j->to_count].port)
		return cmd_usage(&cmd_replay, "--to %s: %s", value,
				 e.code ? e.text : "port 0 is nobody's");
	j->to_count++;
	return 0;
}

static int add_port(struct replay_job *j, const char *value)
{
	int64_t n;

	if (!cmd_number(value, 1, 65535, &n) || j->decode.ports_count == DECODE_PORTS_MAX)
		return cmd_usage(&cmd_replay,
				 "--port %s: a number from 1 to 65535, at most %d of them", value,
				 DECODE_PORTS_MAX);
	j->decode.ports[j->decode.ports_count++] = (uint16_t)n;
	return 0;
}

static int add_ignored(struct replay_job *j, const char *value)
{
	struct compare *c = compare_new(NULL);
	struct error e = ERROR_INIT;
	int rc = compare_ignore(c, str_of(value), &e);

	compare_free(c);
	if (rc)
		return cmd_usage(&cmd_replay, "--ignore %s: %s", value, e.text);
	if (j->ignored_count == REPLAY_IGNORED_MAX)
		return cmd_usage(&cmd_replay, "--ignore %s: more than %d", value,
				 REPLAY_IGNORED_MAX);
	j->ignored[j->ignored_count++] = str_of(value);
	return 0;
}

static int set_speed(struct replay_job *j, const char *value)
{
	char *end;
	double f = strtod(value, &end);

	if (strcmp(value, "max") == 0) {
		j->speed = 0;
		return 0;
	}
	if (end == value || *end || !isfinite(f) || f <= 0 || f > SPEED_MAX)
		return cmd_usage(&cmd_replay,
				 "--speed %s: a number above 0 (1: as recorded), or max", value);
	j->speed = f;
	return 0;
}

static int set_time(const char *option, const char *value, int64_t *ret_us)
{
	if (!parse_time(str_of(value), ret_us))
		return cmd_usage(&cmd_replay, "%s %s: a time such as 500ms or 2s", option, value);
	return 0;
}

static int set_output(struct replay_job *j, const char *value)
{
	j->json = strcmp(value, "json") == 0;
	if (j->json || strcmp(value, "text") == 0)
		return 0;
	return cmd_usage(&cmd_replay, "-o %s: text or json", value);
}

static int set_listen(struct replay_job *j, const char *value)
{
	struct error e = ERROR_INIT;

	if (!service_address_parse(str_of(value), DEFAULT_PORT, &j->listen, &e))
		return 0;
	return cmd_usage(&cmd_replay, "--listen %s: %s", value, e.text);
}

static int set_on_miss(struct replay_job *j, const char *value)
{
	static const char *const words[] = {"mock", "error", "close"};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0) {
			j->on_miss = (enum on_miss)i;
			return 0;
		}
	return cmd_usage(&cmd_replay, "--on-miss %s: mock, error or close", value);
}

static int set_word(struct replay_job *j, const char *word)
{
	if (j->file)
		return cmd_usage(&cmd_replay, "one capture; '%s' is too much", word);
	j->file = word;
	return 0;
}

static int take_option(struct replay_job *j, int id, const char *value)
{
	switch (id) {
	case OPT_AS:
		j->as = value;
		return 0;
	case OPT_TO:
		return add_to(j, value);
	case OPT_CREATE_TOPICS:
		j->create_topics = true;
		return 0;
	case OPT_SUFFIX:
		j->suffix = value;
		return 0;
	case OPT_SPEED:
		return set_speed(j, value);
	case OPT_SETTLE:
		return set_time("--settle", value, &j->settle_us);
	case OPT_WAIT:
		return set_time("--wait", value, &j->wait_us);
	case OPT_IGNORE:
		return add_ignored(j, value);
	case OPT_FILTER:
		j->filter = value;
		return 0;
	case OPT_PORT:
		return add_port(j, value);
	case OPT_OUTPUT:
		return set_output(j, value);
	case OPT_JUNIT:
		j->junit = value;
		return 0;
	case OPT_VERBOSE:
		j->verbose = true;
		return 0;
	case OPT_YES_REALLY:
		j->yes_really = true;
		return 0;
	case OPT_LISTEN:
		return set_listen(j, value);
	case OPT_ON_MISS:
		return set_on_miss(j, value);
	case OPT_CAPTURE:
		j->capture = value;
		return 0;
	case OPT_STRICT:
		j->strict = true;
		return 0;
	case OPT_WITH_PARENT:
		j->with_parent = true;
		return 0;
	default:
		return set_word(j, value);
	}
}

static int check_client(const struct replay_job *j)
{
	if (!j->to_count)
		return cmd_usage(&cmd_replay, "say where the requests go: --to HOST:PORT");
	for (int i = 0; i < j->to_count && !j->yes_really; i++)
		if (!net_is_loopback(j->to[i].host))
			return cmd_usage(&cmd_replay,
					 "--to %s:%u is not on this machine's loopback, and a "
					 "replay writes to it: produces, commits, creates, "
					 "deletes; --yes-really if that is meant",
					 j->to[i].host, j->to[i].port);
	return 0;
}

static int check(const struct replay_job *j)
{
	if (!j->file)
		return cmd_usage(&cmd_replay, "name the capture, or - for standard input");
	if (!j->as)
		return cmd_usage(&cmd_replay, "say which side to play: --as client or --as broker");
	if (j->capture && cmd_same_file(j->file, j->capture))
		return cmd_usage(&cmd_replay, "%s can't be read and written at once", j->file);
	if (strcmp(j->as, "client") == 0)
		return check_client(j);
	for (size_t i = 0; i < SIDES; i++)
		if (strcmp(j->as, sides[i].name) == 0)
			return 0;
	return cmd_usage(&cmd_replay, "--as %s: client and broker can be played", j->as);
}

static int read_options(struct replay_job *j, int argc, char **argv)
{
	struct cmd_args args = {&cmd_replay, options, argv, argc, 1, false};
	const char *value = NULL;
	int id, status = 0;

	while (!status && (id = cmd_next(&args, &value)) != CMD_END) {
		if (id == CMD_HELP || id == CMD_BAD)
			return id == CMD_HELP ? -1 : EXIT_USAGE;
		status = take_option(j, id, value);
	}
	return status ? status : check(j);
}

static int run(int argc, char **argv)
{
	struct replay_job *j = calloc(1, sizeof(*j));
	int status;

	if (!j)
		abort();
	j->settle_us = REPLAY_SETTLE_US;
	j->wait_us = REPLAY_ANSWER_US;
	j->decode = (struct decode_options){.memory_max = MEMORY_MAX, .show_secrets = true};
	j->listen = (struct service_address){"127.0.0.1", DEFAULT_PORT};
	j->speed = -1;
	status = read_options(j, argc, argv);
	if (!status && j->speed < 0)
		j->speed = strcmp(j->as, "broker") == 0 ? 1 : 0;
	for (size_t i = 0; i < SIDES && !status; i++) {
		if (strcmp(j->as, sides[i].name))
			continue;
		status = sides[i].play(j);
		break;
	}
	free(j);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_replay = {
	.name = "replay",
	.summary = "a captured session played again",
	.help = help,
	.run = run,
};
