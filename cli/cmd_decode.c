/* `ktrial decode`: captures, or an interface, as lines, JSON or trees. Reads the options, prints
 * what the sinks make of each event, and sums up on stderr; all else is the decoder's. */
#include "cli/cmd.h"

#include "base/log.h"
#include "cli/progress.h"
#include "decoder/decode.h"
#include "decoder/filter.h"
#include "decoder/groups.h"
#include "decoder/jsonl.h"
#include "decoder/sessions.h"
#include "decoder/slice.h"
#include "decoder/stats.h"
#include "decoder/text.h"
#include "decoder/tree.h"
#include "protocol/messages.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX     ((size_t)1 << 30) /* of one event */
#define OUTPUT_FLUSH   ((size_t)64 << 10)
#define MEMORY_DEFAULT ((size_t)64 << 20)

static const char help[] =
	"usage: ktrial decode FILE...|-|-i INTERFACE [OPTION...]\n"
	"\n"
	"Every Kafka message of a capture (pcap or pcapng, also .gz and .zst; - is standard "
	"input), whatever its "
	"port. Several files are merged by time.\n"
	"A message is printed when its exchange has ended: the request, then its answer. Lines on "
	"a "
	"terminal are coloured\n"
	"(errors red; throttled, resent, unanswered yellow) unless NO_COLOR is set.\n"
	"\n"
	"  -o line         one line a message (the default)\n"
	"  -o tree         all fields with their place in the frame\n"
	"  -o json         JSON Lines: an object for each message\n"
	"  -o exchange     JSON Lines: an object for each request with its answer\n"
	"  -Y FILTER       only exchanges that match, such as 'api == Produce && latency > 50ms'; "
	"docs/filter.md tells more\n"
	"  -o stats        a table: count, bytes, errors, percentiles; --by KEY,... of api, "
	"version, "
	"topic, partition, client, src,\n"
	"                  broker, group, software, principal, conn; --top N rows\n"
	"  -o group        each consumer group's life: who joined or left each generation and why, "
	"what moved, the lag of each\n"
	"                  partition at the end and at its most; --group ID: that one alone\n"
	"  -w FILE          the packets of what matches as pcapng, credentials blanked; --streams: "
	"whole conversations\n"
	"  --show-secrets   credentials as they are, in every output\n"
	"  -i INTERFACE    capture there until a signal; --snaplen N bytes of each packet (all), "
	"--buffer SIZE in the kernel\n"
	"  --bpf FILTER    only packets that match, as tcpdump has it\n"
	"  --from TIME, --to TIME   only packets from then, until then: 2026-11-22T20:41:17Z, "
	"with a fraction if need be, or seconds\n"
	"                  since 1970\n"
	"  -c N            end after N packets\n"
	"  --port PORT     what this port says is Kafka, even where it does not look like it; "
	"several\n"
	"  --memory SIZE   for messages and conversations, such as 64M (the default); what does "
	"not "
	"fit is counted\n"
	"  --topic-ids FILE  names of topics by id: lines of a name and an id, or what "
	"kafka-topics --describe prints\n"
	"  --two-pass      learn names of topics and ids of brokers from all of the files first; a "
	"filter, a slice and statistics\n"
	"                  that ask for them do so where one is missing\n"
	"  --values none|text|hex   of records, in a tree; text\n"
	"  -v              connections, too, and what evidence says of log and cluster; a "
	"summary on stderr\n"
	"  --strict        exit status 1 on malformed bytes or a wrong CRC\n"
	"\n"
	"Exit status: 0; 1 with --strict; 2 wrong use; 4 when a file can't be read.\n";

enum {
	OPT_OUTPUT = 1,
	OPT_INTERFACE,
	OPT_BPF,
	OPT_SNAPLEN,
	OPT_BUFFER,
	OPT_FROM,
	OPT_TO,
	OPT_COUNT,
	OPT_PORT,
	OPT_VALUES,
	OPT_VERBOSE,
	OPT_STRICT,
	OPT_FILTER,
	OPT_BY,
	OPT_TOP,
	OPT_MEMORY,
	OPT_WRITE,
	OPT_STREAMS,
	OPT_SECRETS,
	OPT_TWO_PASS,
	OPT_TOPIC_IDS,
	OPT_GROUP,
	OPT_NOT_BUILT,
};

static const struct cmd_option options[] = {
	{"-o", OPT_OUTPUT, true},
	{"-i", OPT_INTERFACE, true},
	{"--bpf", OPT_BPF, true},
	{"--snaplen", OPT_SNAPLEN, true},
	{"--buffer", OPT_BUFFER, true},
	{"--from", OPT_FROM, true},
	{"--to", OPT_TO, true},
	{"-c", OPT_COUNT, true},
	{"--port", OPT_PORT, true},
	{"--values", OPT_VALUES, true},
	{"-v", OPT_VERBOSE, false},
	{"--strict", OPT_STRICT, false},
	{"-Y", OPT_FILTER, true},
	{"-w", OPT_WRITE, true},
	{"--streams", OPT_STREAMS, false},
	{"--two-pass", OPT_TWO_PASS, false},
	{"--topic-ids", OPT_TOPIC_IDS, true},
	{"--by", OPT_BY, true},
	{"--top", OPT_TOP, true},
	{"--group", OPT_GROUP, true},
	{"--memory", OPT_MEMORY, true},
	{"--show-secrets", OPT_SECRETS, false},
	{NULL, 0, false},
};

enum output { OUTPUT_LINE, OUTPUT_TREE, OUTPUT_JSON, OUTPUT_EXCHANGE, OUTPUT_STATS, OUTPUT_GROUP };

/* What the command line asked for, and the work. */
struct job {
	struct decode_options options;
	const char *files[DECODE_FILES_MAX];
	size_t files_count;
	const char *interface;
	enum output output;
	enum tree_values values;
	bool verbose, strict;

	struct decode *decode;
	struct buf out;
	struct names *names;
	struct room room; /* of names, sessions, rows, groups and places */
	struct sessions *sessions;
	struct event_sink sink;
	struct event_bus bus;
	const char *slice_path; /* of -w */
	bool streams, output_given;
	struct slice *slice;
	struct stats_options stats_options;
	struct stats *stats;   /* of OUTPUT_STATS */
	struct groups *groups; /* of OUTPUT_GROUP */
	const char *group;     /* the one that is told; NULL: all */
	struct filter *filter; /* NULL: all */
	uint64_t malformed, unresolved;
	struct progress progress;
	bool colour;	 /* of lines: they go to a terminal */
	bool closed;	 /* nobody reads our output any more, */
	int write_errno; /* or it can't be written: why; 0: it was closed */

	/* What the capture tells late: see read_input. */
	const char *topic_ids;
	struct brokers *brokers;
	bool seekable, two_pass, learned;
	bool needs_topics, needs_brokers;
	bool incomplete; /* this pass ended at an exchange that lacks a name */
	uint64_t events; /* of this pass */
	uint64_t told;	 /* events whose output was written by an earlier pass */
};

static struct decode *running; /* for the signal handler */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
	if (running)
		decode_stop(running);
}

/* Output. */

static void write_out(struct job *job)
{
	size_t at = 0;
	ssize_t n;

	while (at < job->out.len && !job->closed) {
		n = write(STDOUT_FILENO, job->out.data + at, job->out.len - at);
		if (n < 0 && errno == EINTR)
			continue;
		job->closed = n < 0;
		job->write_errno = n < 0 && errno != EPIPE ? errno : 0;
		at += n > 0 ? (size_t)n : 0;
	}
	buf_reset(&job->out);
	if (job->closed)
		decode_stop(job->decode);
}

/* Red: an error or a problem; yellow: what slows a client down or leaves it alone; else nothing. */
static const char *colour_of(const struct exchange *x, const struct summary *s, bool response)
{
	for (int32_t i = 0; i < s->problems_count; i++)
		if (s->problems[i].response == response)
			return "\033[31m";
	if (response)
		return s->errors_count			 ? "\033[31m"
		       : s->throttle_ms > 0 || x->resent ? "\033[33m"
							 : NULL;
	return x->state == EXCHANGE_LOST || x->rule.data ? "\033[33m" : NULL;
}

static void put_line(struct job *job, const struct exchange *x, const struct summary *s,
		     bool response)
{
	const char *colour = colour_of(x, s, response);

	if (colour)
		buf_text(&job->out, colour);
	text_message(&job->out, x, s, response);
	if (!colour)
		return;
	job->out.len--; /* the line's end, which stands behind the colour's */
	buf_text(&job->out, "\033[0m\n");
}

static void put_lines(struct job *job, const struct exchange *x, const struct summary *s)
{
	if (!job->colour) {
		text_exchange(&job->out, x, s);
		return;
	}
	if (x->state != EXCHANGE_ORPHAN)
		put_line(job, x, s, false);
	if (x->response_us)
		put_line(job, x, s, true);
}

static void put_exchange(struct job *job, struct exchange *x, const struct summary *s)
{
	switch (job->output) {
	case OUTPUT_LINE:
		put_lines(job, x, s);
		break;
	case OUTPUT_TREE:
		tree_exchange(&job->out, x, s, job->values);
		break;
	case OUTPUT_JSON:
		jsonl_exchange(&job->out, x, s, JSONL_MESSAGES);
		break;
	case OUTPUT_EXCHANGE:
		jsonl_exchange(&job->out, x, s, JSONL_EXCHANGES);
		break;
	case OUTPUT_STATS:
		stats_exchange(job->stats, x, s);
		break;
	case OUTPUT_GROUP:
		groups_exchange(job->groups, x, job->names);
		break;
	}
}

/* Whether what was asked for needs a name that may yet be told. */
static bool lacks_name(const struct job *job, const struct exchange *x, const struct summary *s)
{
	return job->seekable && !job->learned &&
	       ((job->needs_topics && s->unresolved) || (job->needs_brokers && x->conn.broker < 0));
}

static void on_exchange(struct job *job, struct exchange *x)
{
	struct summary s;
	bool matches;

	if (job->stats)
		stats_learn(job->stats, x);
	summarize(x, job->names, &s);
	sessions_resolve(job->sessions, x, job->names, &s);
	if (lacks_name(job, x, &s)) {
		job->incomplete = true;
		decode_stop(job->decode);
		return;
	}
	matches = !job->filter || filter_matches(job->filter, x, &s);
	/* Where topics were asked for, an exchange without a name may be missing from the output.
	 */
	job->unresolved += s.unresolved && (matches || job->needs_topics);
	if (!matches)
		return;
	job->malformed += s.malformed;
	if (job->slice)
		slice_choose(job->slice, x);
	if (!job->slice || job->output_given)
		put_exchange(job, x, &s);
}

/* What is no exchange: no filter can be asked of it. */
static void on_other(struct job *job, const struct event *ev)
{
	if (job->stats || job->groups || (job->slice && !job->output_given))
		return;
	if (job->output == OUTPUT_LINE || job->output == OUTPUT_TREE)
		text_event(&job->out, ev, job->names, job->verbose);
	else
		jsonl_event(&job->out, ev, job->names,
			    job->output == OUTPUT_JSON ? JSONL_MESSAGES : JSONL_EXCHANGES);
}

static void on_event(void *context, const struct event *ev)
{
	struct job *job = context;

	if (job->incomplete)
		return;
	job->events++;
	progress_show(&job->progress, decode_bytes(job->decode));
	if (job->stats)
		stats_event(job->stats, ev);
	if (ev->kind == EVENT_EXCHANGE)
		on_exchange(job, ev->exchange);
	else if (!job->filter)
		on_other(job, ev);
	if (job->events <= job->told)
		buf_reset(&job->out);
	if (job->out.len >= OUTPUT_FLUSH || job->interface)
		write_out(job);
}

/* Options. */

static int set_output(struct job *job, const char *value)
{
	static const char *const names[] = {"line", "tree", "json", "exchange", "stats", "group"};
	const size_t count = sizeof(names) / sizeof(names[0]);
	const char *nearest;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(value, names[i]))
			continue;
		job->output = (enum output)i;
		job->output_given = true;
		return 0;
	}
	nearest = cmd_nearest(value, names, count, sizeof(*names));
	return cmd_usage(&cmd_decode,
			 "-o takes line, tree, json, exchange, stats or group, not '%s'%s%s%s",
			 value, nearest ? "; did you mean '" : "", nearest ? nearest : "",
			 nearest ? "'?" : "");
}

static int set_values(struct job *job, const char *value)
{
	static const char *const names[] = {"none", "text", "hex"};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(value, names[i]))
			continue;
		job->values = (enum tree_values)i;
		return 0;
	}
	return cmd_usage(&cmd_decode, "--values takes none, text or hex, not '%s'", value);
}

/* The fraction of a second behind a time, ".25", in ns; false if it is no such text. */
static bool read_fraction(const char **text, int64_t *ret_ns)
{
	int64_t unit = 100000000;
	const char *at = *text;

	*ret_ns = 0;
	if (*at != '.')
		return true;
	for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
		*ret_ns += (*at - '0') * unit;
	*text = at;
	return true;
}

static int set_time(const char *name, const char *value, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *at = strptime(value, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t seconds, fraction;
	char *end;

	if (at) {
		seconds = timegm(&tm);
	} else {
		errno = 0;
		seconds = strtoll(value, &end, 10);
		at = end == value || errno ? NULL : end;
	}
	if (at && read_fraction(&at, &fraction) && (!*at || !strcmp(at, "Z")) && seconds >= 0 &&
	    seconds < INT64_MAX / 1000000000) {
		*ret_ns = seconds * 1000000000 + fraction;
		return 0;
	}
	return cmd_usage(&cmd_decode,
			 "%s takes a time such as 2026-11-22T20:41:17Z or seconds since 1970, "
			 "not '%s'",
			 name, value);
}

static int add_port(struct job *job, const char *value)
{
	int64_t n;

	if (!cmd_number(value, 1, 65535, &n))
		return cmd_usage(&cmd_decode, "--port takes 1 to 65535, not '%s'", value);
	if (job->options.ports_count == DECODE_PORTS_MAX)
		return cmd_usage(&cmd_decode, "--port stands more than %d times", DECODE_PORTS_MAX);
	job->options.ports[job->options.ports_count++] = (uint16_t)n;
	return 0;
}

static int add_file(struct job *job, const char *value)
{
	if (job->files_count == DECODE_FILES_MAX)
		return cmd_usage(&cmd_decode, "more than %d files", DECODE_FILES_MAX);
	job->files[job->files_count++] = value;
	return 0;
}

static int set_filter(struct job *job, const char *value)
{
	struct error e = ERROR_INIT;
	struct buf point;

	if (job->filter)
		return cmd_usage(&cmd_decode, "-Y stands twice; && makes one of two");
	job->filter = filter_new(str_of(value), &e);
	if (job->filter)
		return 0;
	buf_init(&point, 4 * FILTER_TEXT_MAX);
	filter_point(&point, str_of(value), e.offset);
	fprintf(stderr, "ktrial decode: -Y: %s\n%s", e.text, buf_cstr(&point));
	buf_release(&point);
	return EXIT_USAGE;
}

static int add_key(struct job *job, struct str word)
{
	struct stats_options *o = &job->stats_options;
	char text[40];
	const char *nearest;

	for (size_t i = 0; i < STATS_KEYS; i++) {
		if (!str_is(word, stats_key_names[i]))
			continue;
		if (o->by_count == STATS_KEYS_MAX)
			return cmd_usage(&cmd_decode, "--by takes at most %d keys", STATS_KEYS_MAX);
		o->by[o->by_count++] = (enum stats_key)i;
		return 0;
	}
	snprintf(text, sizeof(text), STR_FMT, word.len < 39 ? word.len : 39, word.data);
	nearest = cmd_nearest(text, stats_key_names, STATS_KEYS, sizeof(*stats_key_names));
	return cmd_usage(&cmd_decode, "--by: there is no '%s'%s%s%s", text,
			 nearest ? "; did you mean '" : "", nearest ? nearest : "",
			 nearest ? "'?" : "");
}

static int set_by(struct job *job, const char *value)
{
	int status = 0;

	while (!status && *value) {
		struct str word = {value, (int32_t)strcspn(value, ",")};

		status = add_key(job, word);
		value += word.len + (value[word.len] == ',');
	}
	return status;
}

/* "64M", "1G", bytes; -1: it is none, or not from least to most. */
static int64_t read_size(const char *value, int64_t least, int64_t most)
{
	char number[24];
	size_t n = strspn(value, "0123456789"), shift = 0;
	int64_t size;

	snprintf(number, sizeof(number), "%.*s", (int)(n < 20 ? n : 20), value);
	if (!strcmp(value + n, "K") || !strcmp(value + n, "KiB"))
		shift = 10;
	else if (!strcmp(value + n, "M") || !strcmp(value + n, "MiB"))
		shift = 20;
	else if (!strcmp(value + n, "G") || !strcmp(value + n, "GiB"))
		shift = 30;
	else if (value[n])
		number[0] = '\0';
	if (!cmd_number(number, 1, (int64_t)1 << 40, &size) || size > (most >> shift) ||
	    (size << shift) < least)
		return -1;
	return size << shift;
}

static int set_memory(struct job *job, const char *value)
{
	int64_t size = read_size(value, DECODE_MEMORY_MIN, (int64_t)1 << 40);

	if (size < 0)
		return cmd_usage(&cmd_decode,
				 "--memory takes a size from 1M, such as 64M, not '%s'", value);
	job->options.memory_max = (size_t)size;
	return 0;
}

static int set_live(struct job *job, int id, const char *value)
{
	int64_t size = id == OPT_SNAPLEN ? read_size(value, 64, 1 << 20)
					 : read_size(value, 1 << 12, INT32_MAX);

	if (size < 0 && id == OPT_SNAPLEN)
		return cmd_usage(&cmd_decode, "--snaplen takes a number from 64 to 1M, not '%s'",
				 value);
	if (size < 0)
		return cmd_usage(&cmd_decode,
				 "--buffer takes a size from 4K, such as 16M, not '%s'", value);
	if (id == OPT_SNAPLEN)
		job->options.capture.snaplen = (uint32_t)size;
	else
		job->options.capture.buffer_bytes = (uint32_t)size;
	return 0;
}

static int set_option(struct job *job, int id, const char *value, const char *word)
{
	int64_t n;

	switch (id) {
	case CMD_WORD:
		return add_file(job, value);
	case OPT_OUTPUT:
		return set_output(job, value);
	case OPT_INTERFACE:
		job->interface = value;
		return 0;
	case OPT_BPF:
		job->options.capture.bpf = value;
		return 0;
	case OPT_SNAPLEN:
	case OPT_BUFFER:
		return set_live(job, id, value);
	case OPT_FROM:
		return set_time("--from", value, &job->options.from_ns);
	case OPT_TO:
		return set_time("--to", value, &job->options.to_ns);
	case OPT_COUNT:
		if (!cmd_number(value, 1, INT64_MAX, &n))
			return cmd_usage(&cmd_decode, "-c takes a number from 1, not '%s'", value);
		job->options.packets_max = (uint64_t)n;
		return 0;
	case OPT_PORT:
		return add_port(job, value);
	case OPT_VALUES:
		return set_values(job, value);
	case OPT_VERBOSE:
		job->verbose = true;
		return 0;
	case OPT_STRICT:
		job->strict = true;
		return 0;
	case OPT_FILTER:
		return set_filter(job, value);
	case OPT_BY:
		return set_by(job, value);
	case OPT_TOP:
		if (!cmd_number(value, 1, INT64_MAX, &job->stats_options.top))
			return cmd_usage(&cmd_decode, "--top takes a number from 1, not '%s'",
					 value);
		return 0;
	case OPT_WRITE:
		job->slice_path = value;
		return 0;
	case OPT_STREAMS:
		job->streams = true;
		return 0;
	case OPT_SECRETS:
		job->options.show_secrets = true;
		return 0;
	case OPT_GROUP:
		job->group = value;
		return 0;
	case OPT_MEMORY:
		return set_memory(job, value);
	case OPT_TWO_PASS:
		job->two_pass = true;
		return 0;
	case OPT_TOPIC_IDS:
		job->topic_ids = value;
		return 0;
	default:
		return cmd_usage(&cmd_decode, "%s is not built yet", word);
	}
}

static bool all_regular(const struct job *job)
{
	struct stat st;

	for (size_t i = 0; i < job->files_count; i++)
		if (!strcmp(job->files[i], "-") ||
		    (stat(job->files[i], &st) == 0 && !S_ISREG(st.st_mode)))
			return false;
	return job->files_count > 0;
}

/* Whether the options go together; settles what follows from them. */
static int check_options(struct job *job)
{
	const struct stats_options *o = &job->stats_options;
	const char *twice = job->slice_path ? "-w" : job->two_pass ? "--two-pass" : NULL;

	if (job->output != OUTPUT_STATS && (o->by_count || o->top))
		return cmd_usage(&cmd_decode, "--by and --top go with -o stats");
	if (job->output != OUTPUT_GROUP && job->group)
		return cmd_usage(&cmd_decode, "--group goes with -o group");
	if ((job->options.capture.snaplen || job->options.capture.buffer_bytes) && !job->interface)
		return cmd_usage(&cmd_decode, "--snaplen and --buffer go with -i");
	if (job->streams && !job->slice_path)
		return cmd_usage(&cmd_decode, "--streams goes with -w");
	if (!job->files_count && !job->interface)
		return cmd_usage(&cmd_decode, "say which: a FILE, - for standard input, or "
					      "-i INTERFACE");
	if (job->files_count && job->interface)
		return cmd_usage(&cmd_decode, "files and -i together can't be");
	job->seekable = all_regular(job);
	if (twice && !job->seekable)
		return cmd_usage(&cmd_decode, "%s reads its input twice: from files, not from %s",
				 twice,
				 job->interface ? "an interface" : "standard input or a pipe");
	for (size_t i = 0; i < job->files_count && job->slice_path; i++)
		if (cmd_same_file(job->files[i], job->slice_path))
			return cmd_usage(&cmd_decode, "%s can't be read and written at once",
					 job->files[i]);
	for (size_t i = 0; i < o->by_count; i++) {
		job->needs_topics |= o->by[i] == STATS_BY_TOPIC || o->by[i] == STATS_BY_PARTITION;
		job->needs_brokers |= o->by[i] == STATS_BY_BROKER;
	}
	job->needs_topics |= job->output == OUTPUT_GROUP;
	if (job->filter) {
		job->needs_topics |= filter_about(job->filter, "topic");
		job->needs_brokers |= filter_about(job->filter, "broker");
	}
	return 0;
}

/* 0, or the status to exit with; CMD_HELP when help was asked for. */
static int read_options(struct job *job, int argc, char **argv)
{
	struct cmd_args args = {
		.command = &cmd_decode, .options = options, .argv = argv, .argc = argc, .at = 1};
	const char *value, *word;
	int id, status;

	for (;;) {
		word = args.at < argc ? argv[args.at] : "";
		id = cmd_next(&args, &value);
		if (id == CMD_END)
			break;
		if (id == CMD_BAD)
			return EXIT_USAGE;
		if (id == CMD_HELP)
			return CMD_HELP;
		status = set_option(job, id, value, word);
		if (status)
			return status;
	}
	return check_options(job);
}

/* The end. */

static void say(uint64_t n, const char *what)
{
	if (n)
		fprintf(stderr, "ktrial decode: %llu %s\n", (unsigned long long)n, what);
}

/* What one must know to trust the output is said always, the rest with -v. */
static void sum_up(const struct job *job)
{
	const struct decode_totals *t = decode_totals(job->decode);

	if (t->kinds[PACKET_LINK_UNKNOWN])
		fprintf(stderr,
			"ktrial decode: %llu packets skipped: link type %u (%s) is not read\n",
			(unsigned long long)t->kinds[PACKET_LINK_UNKNOWN], t->link_unknown,
			capture_link_name(t->link_unknown));
	say(t->live_lost, "packets that the kernel had no room for");
	say(t->fragments.given_up, "fragmented IP packets of which parts are missing");
	say(t->streams.duplicates, "packets captured twice, counted once");
	say(t->streams.translated,
	    "conversations seen again with translated addresses, counted once");
	say(t->conns.lost_bytes, "bytes of Kafka conversations are not in the capture");
	say(t->conns.lost_messages, "messages lack some of them");
	say(t->conflicts, "packets sent again with other bytes; the first ones were taken");
	say(t->conns.not_kept, "messages longer than the memory allows; --memory SIZE allows more");
	say(t->conns.squeezed,
	    "messages told without their records, for which there was no memory; --memory SIZE "
	    "allows more");
	say(t->conns.given_up,
	    "requests told as unanswered before their answers came, for want of memory");
	say(t->conns.one_sided,
	    "connections whose answers are not in the capture: it has one direction of them");
	say(t->bad_blocks, "blocks of evidence that can't be read");
	say(t->streams.evicted,
	    "conversations forgotten: too many at once; --memory SIZE allows more");
	say(job->room.refused,
	    "times memory had no room for one more name, row, group, fetch session "
	    "or place in the slice; --memory SIZE allows more");
	if (t->conns.tls)
		fprintf(stderr,
			"ktrial decode: %llu conversations in TLS, which is not decrypted: %llu "
			"bytes asked, %llu answered, %llu round trips\n",
			(unsigned long long)t->conns.tls, (unsigned long long)t->conns.tls_asked,
			(unsigned long long)t->conns.tls_answered,
			(unsigned long long)t->conns.tls_round_trips);
	say(t->secrets, "blocks of keys, skipped");
	say(job->unresolved,
	    job->learned ? "exchanges with a topic id that nothing in the capture names; "
			   "--topic-ids FILE can tell it"
	    : job->seekable
		    ? "exchanges with a topic id whose name was not seen before; --two-pass looks "
		      "behind them, too"
		    : "exchanges with a topic id whose name was not seen before; --topic-ids FILE "
		      "can tell it");
	if (!job->verbose)
		return;
	say(t->packets, "packets");
	say(t->kinds[PACKET_TRUNCATED] + t->kinds[PACKET_MALFORMED], "packets with broken headers");
	say(t->conns.kafka, "Kafka connections");
	say(t->conns.other, "conversations that are not Kafka");
	say(t->conns.requests, "requests");
	say(t->conns.responses, "answers");
	say(t->conns.unmatched_bytes, "bytes of Kafka connections in no message");
	say(t->retransmitted, "bytes came again (retransmitted, or captured twice)");
	say(t->conns.sasl_tokens, "SASL tokens without a header");
}

/* Slices. */

static void on_secret(void *context, uint64_t stream, int direction, uint32_t seq, uint32_t n)
{
	struct job *job = context;

	slice_secret(job->slice, stream, direction, seq, n);
}

static void on_packet(void *context, const struct capture_item *item, const struct packet *p,
		      uint64_t stream, int direction)
{
	struct job *job = context;

	slice_packet(job->slice, item, p, stream, direction);
}

/* The second pass, over the same packets. */
static int write_slice(struct job *job, struct error *e)
{
	struct decode_options second = job->options;
	struct event_bus bus = {0};
	struct decode *d;
	uint64_t packets;
	int rc = slice_begin(job->slice, job->slice_path, e);

	if (rc < 0)
		return rc;
	second.on_secret = NULL;
	second.on_packet = on_packet;
	d = decode_new(&second, &bus);
	running = d;
	rc = decode_files(d, job->files, job->files_count, e);
	running = NULL;
	decode_free(d);
	if (rc >= 0)
		rc = slice_end(job->slice, &packets, e);
	if (rc < 0)
		return rc;
	fprintf(stderr, "ktrial decode: %llu packets in %s\n", (unsigned long long)packets,
		job->slice_path);
	say(slice_totals(job->slice)->left_out, "exchanges are not in it, for want of memory");
	say(slice_totals(job->slice)->coarse,
	    "conversations of which it has more than was chosen, for want of memory");
	return 0;
}

/* Passes. */

static void begin_pass(struct job *job)
{
	if (job->output == OUTPUT_STATS)
		job->stats = stats_new(&job->stats_options, &job->room);
	if (job->output == OUTPUT_GROUP)
		job->groups = groups_new(job->group, &job->room);
	job->sessions = sessions_new(&job->room);
	if (job->slice_path)
		job->slice = slice_new(job->streams, &job->room);
	job->malformed = job->unresolved = job->events = 0;
	job->incomplete = false;
	job->decode = decode_new(&job->options, &job->bus);
	running = job->decode;
	if (interrupted)
		decode_stop(job->decode);
}

static void end_pass(struct job *job)
{
	running = NULL;
	decode_free(job->decode);
	stats_free(job->stats);
	groups_free(job->groups);
	sessions_free(job->sessions);
	slice_free(job->slice);
	job->decode = NULL;
	job->stats = NULL;
	job->groups = NULL;
	job->sessions = NULL;
	job->slice = NULL;
}

static void on_learn(void *context, const struct event *ev)
{
	struct job *job = context;
	struct summary s;

	progress_show(&job->progress, decode_bytes(running));
	if (ev->kind == EVENT_EXCHANGE && ev->exchange->header.api_key != API_PRODUCE &&
	    ev->exchange->header.api_key != API_FETCH)
		summarize(ev->exchange, job->names, &s);
}

/* Reads all of the files for names alone, also what --from, --to and -c leave out. What can't be
 * read is for the pass that follows to say. */
static void learn_names(struct job *job)
{
	struct decode_options o = {.capture = job->options.capture,
				   .brokers = job->brokers,
				   .thin = true,
				   .memory_max = job->options.memory_max,
				   .ports_count = job->options.ports_count};
	struct event_sink sink = {.on_event = on_learn, .ctx = job};
	struct event_bus bus = {0};
	struct error e = ERROR_INIT;

	memcpy(o.ports, job->options.ports, sizeof(o.ports));
	event_bus_add(&bus, &sink);
	running = decode_new(&o, &bus);
	if (interrupted)
		decode_stop(running);
	decode_files(running, job->files, job->files_count, &e);
	decode_free(running);
	running = NULL;
	job->learned = true;
}

/* One pass. Where it comes to an exchange that lacks a name that was asked for, it ends there,
 * names are learned from the files as a whole, and it begins anew; what was written stays so. */
static int read_input(struct job *job, struct error *e)
{
	int rc;

	if (job->two_pass)
		learn_names(job);
	begin_pass(job);
	if (job->interface)
		return decode_live(job->decode, job->interface, e);
	rc = decode_files(job->decode, job->files, job->files_count, e);
	if (!job->incomplete || interrupted)
		return rc;
	write_out(job);
	job->told = job->events - 1;
	end_pass(job);
	learn_names(job);
	begin_pass(job);
	*e = (struct error)ERROR_INIT;
	return decode_files(job->decode, job->files, job->files_count, e);
}

static int run(struct job *job)
{
	const char *no_colour = getenv("NO_COLOR");
	bool to_terminal = isatty(STDOUT_FILENO);
	struct sigaction action = {.sa_handler = on_signal};
	struct error e = ERROR_INIT;
	char text[600];
	int rc;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	job->colour = to_terminal && !(no_colour && *no_colour);
	progress_begin(&job->progress, "ktrial decode", job->files, job->files_count,
		       to_terminal && job->output != OUTPUT_STATS && job->output != OUTPUT_GROUP);
	rc = read_input(job, &e);
	progress_end(&job->progress);
	if (job->stats)
		stats_write(job->stats, &job->out);
	if (job->groups)
		groups_write(job->groups, &job->out);
	write_out(job);
	running = NULL;
	if (rc >= 0 && job->slice)
		rc = write_slice(job, &e);
	if (job->write_errno)
		rc = error_set(&e, ERR_OS, "can't write: %s", strerror(job->write_errno));
	if (rc < 0)
		fprintf(stderr, "ktrial decode: %s\n", error_text(&e, text, sizeof(text)));
	if (!job->closed)
		sum_up(job);
	if (rc < 0)
		return rc == ERR_USAGE ? EXIT_USAGE : EXIT_ENVIRONMENT;
	return job->strict && job->malformed ? EXIT_FINDINGS : EXIT_FINE;
}

static int read_topic_ids(struct job *job)
{
	struct error e = ERROR_INIT;

	if (!job->topic_ids || names_read_file(job->names, job->topic_ids, &e) >= 0)
		return 0;
	fprintf(stderr, "ktrial decode: --topic-ids: %s\n", e.text);
	return e.code == ERR_OS ? EXIT_ENVIRONMENT : EXIT_USAGE;
}

static int decode(int argc, char **argv)
{
	struct job *job = calloc(1, sizeof(*job));
	int status;

	if (!job)
		abort();
	job->values = TREE_VALUES_TEXT;
	buf_init(&job->out, OUTPUT_MAX);
	job->names = names_new();
	job->brokers = brokers_new();
	status = read_options(job, argc, argv);
	names_limit(job->names, &job->room);
	job->room.max =
		(job->options.memory_max ? job->options.memory_max : MEMORY_DEFAULT) / 16 * 3;
	if (!status)
		status = read_topic_ids(job);
	if (!status) {
		job->sink = (struct event_sink){.on_event = on_event, .ctx = job};
		event_bus_add(&job->bus, &job->sink);
		job->options.thin = job->output == OUTPUT_STATS || job->output == OUTPUT_GROUP;
		job->options.squeeze = true;
		job->options.brokers = job->brokers;
		job->options.context = job;
		if (job->slice_path && !job->options.show_secrets)
			job->options.on_secret = on_secret;
		status = run(job);
		end_pass(job);
	}
	names_free(job->names);
	brokers_free(job->brokers);
	buf_release(&job->out);
	filter_free(job->filter);
	free(job);
	return status == CMD_HELP ? EXIT_FINE : status;
}

const struct command cmd_decode = {"decode", "explains every Kafka message of a capture", help,
				   decode};
