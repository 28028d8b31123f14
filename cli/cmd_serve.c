/* `ktrial serve`: one mock cluster until a signal ends it. Reads the options, says "ready", and
 * sums up at the end; all else is the service's. */
#include "cli/serve_plan.h"

#include "decoder/text.h"
#include "rules/words.h"
#include "service/control.h"
#include "service/properties.h"
#include "trace/evidence.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LIST_MAX       1000    /* of one option that may stand several times */
#define FLUSH_US       1000000 /* between writes of the capture */
#define BLAMES_SHOWN   10      /* connections closed for what they sent; then counts */
#define PROPERTIES_MAX ((size_t)1 << 20)
#define TEXT_MAX       ((size_t)64 << 20)

static const char help[] =
	"usage: ktrial serve [OPTION...]\n"
	"\n"
	"A mock Kafka cluster, until SIGINT or SIGTERM. Prints one line once it can be used:\n"
	"  ready bootstrap=HOST:PORT[,...] control=HOST:PORT|off\n"
	"\n"
	"  --brokers N             brokers with node ids 1..N, on ports one behind the other; 1\n"
	"  --listen HOST:PORT      of the first broker; 127.0.0.1:9092. Port 0: a free one for "
	"each\n"
	"  --advertise HOST[:PORT] what clients are told instead; once for each broker, or once "
	"for "
	"all\n"
	"                          (then a port counts up, too)\n"
	"  --topic NAME[:PARTITIONS[:RF]]   a topic from the start; may stand several times\n"
	"  --auto-create yes|no    topics that clients ask for are made; yes\n"
	"  --rule 'RULE'           a fault, such as 'Produce topic=orders nth=3 -> close after'; "
	"several\n"
	"  --capture FILE          evidence as pcapng: what was on the wire, the logs, fired "
	"rules\n"
	"  --memory SIZE           for all logs, such as 512MiB; 1GiB\n"
	"  --control HOST:PORT|off the control interface (HTTP, JSON); 127.0.0.1 on a free port. "
	"An\n"
	"                          address that is not loopback needs KTRIAL_CONTROL_TOKEN set\n"
	"  --properties FILE       Kafka's server.properties: listeners, log.*, group.* and so on; "
	"what "
	"has\n"
	"                          no effect here is named in one line\n"
	"  --plan FILE.lua         the cluster of a scenario: its brokers, topics with what is in "
	"them, and rules;\n"
	"                          its clients, checks and timeline are `ktrial run`'s\n"
	"  --case KEY=VALUE        of --plan: the first case of the matrix that has it; several\n"
	"  --like kafka-X.Y        versions, features and ways of that release, kafka-0.10.0 to "
	"kafka-4.4\n"
	"  --seed N                of ids and of the rules' chances; 1\n"
	"  --strict                exit status 1 at the end if some rule never acted\n"
	"  --with-parent           ends when the parent process does\n"
	"  -v                      each request and answer, rule and connection as a line on "
	"stderr\n"
	"\n"
	"Exit status: 0; 1 with --strict; 2 wrong use; 3 the scenario of --plan is wrong; 4 when "
	"a port is\ntaken or the capture can't be written.\n";

enum {
	OPT_BROKERS = 1,
	OPT_LISTEN,
	OPT_ADVERTISE,
	OPT_TOPIC,
	OPT_RULE,
	OPT_AUTO_CREATE,
	OPT_SEED,
	OPT_STRICT,
	OPT_WITH_PARENT,
	OPT_CONTROL,
	OPT_CAPTURE,
	OPT_MEMORY,
	OPT_VERBOSE,
	OPT_PROPERTIES,
	OPT_LIKE,
	OPT_PLAN,
	OPT_CASE,
};

static const struct cmd_option options[] = {
	{"--brokers", OPT_BROKERS, true},
	{"--listen", OPT_LISTEN, true},
	{"--advertise", OPT_ADVERTISE, true},
	{"--topic", OPT_TOPIC, true},
	{"--rule", OPT_RULE, true},
	{"--auto-create", OPT_AUTO_CREATE, true},
	{"--seed", OPT_SEED, true},
	{"--strict", OPT_STRICT, false},
	{"--with-parent", OPT_WITH_PARENT, false},
	{"--control", OPT_CONTROL, true},
	{"--plan", OPT_PLAN, true},
	{"--case", OPT_CASE, true},
	{"--like", OPT_LIKE, true},
	{"--properties", OPT_PROPERTIES, true},
	{"--capture", OPT_CAPTURE, true},
	{"--memory", OPT_MEMORY, true},
	{"-v", OPT_VERBOSE, false},
	{NULL, 0, false},
};

/* What the command line asked for. */
struct serve {
	struct service_config config;
	struct service_address listen, advertise[LIST_MAX];
	struct service_address *each_listen, *each_advertise;
	const char *topics[LIST_MAX], *rules[LIST_MAX];
	int32_t advertise_count, topics_count, rules_count;
	const char *capture;
	bool strict, with_parent, verbose, no_control;
	bool capture_failed; /* and was told */
	struct service_address control_at;
	struct control *control;
	struct properties properties;
	bool has_properties;
	struct serve_plan plan;
	struct event_sink lines; /* of -v */
	struct event_sink blames;
	uint64_t blames_count;
	struct buf text;
	struct names *names;
	struct loop *loop;
	struct service *service;
	struct evidence *evidence;
	struct loop_timer flush;
};

static int address(const char *text, uint16_t port, struct service_address *ret)
{
	struct error e = ERROR_INIT;

	if (!service_address_parse(str_of(text), port, ret, &e))
		return 0;
	return cmd_usage(&cmd_serve, "%s", e.text);
}

static int push(const char **list, int32_t *count, const char *value, const char *name)
{
	if (*count == LIST_MAX)
		return cmd_usage(&cmd_serve, "%s stands more than %d times", name, LIST_MAX);
	list[(*count)++] = value;
	return 0;
}

static int set_memory(struct serve *s, const char *value)
{
	int64_t n;

	if (!parse_size(str_of(value), &n) || n < 1)
		return cmd_usage(&cmd_serve, "--memory takes a size such as 512MiB, not %s", value);
	s->config.cluster.memory_max = (size_t)n;
	return 0;
}

static int set_like(struct serve *s, const char *value)
{
	struct error e = ERROR_INIT;

	s->config.cluster.like = profile_find(str_of(value), &e);
	return s->config.cluster.like ? 0 : cmd_usage(&cmd_serve, "--like %s", e.text);
}

static int set_number(struct serve *s, int id, const char *value)
{
	int64_t n;

	if (id == OPT_BROKERS) {
		if (!cmd_number(value, 1, SERVICE_BROKERS_MAX, &n))
			return cmd_usage(&cmd_serve, "--brokers takes 1 to %d, not %s",
					 SERVICE_BROKERS_MAX, value);
		s->config.cluster.brokers = (int32_t)n;
		return 0;
	}
	if (!cmd_number(value, 0, INT64_MAX, &n))
		return cmd_usage(&cmd_serve, "--seed takes a whole number from 0, not %s", value);
	s->config.cluster.seed = (uint64_t)n;
	return 0;
}

/* Options that come later on the command line win. */
static int read_properties(struct serve *s, const char *path)
{
	struct error e = ERROR_INIT;
	struct buf text;
	FILE *in = fopen(path, "r");
	size_t n = 1;
	uint8_t *room;
	int status;

	if (!in)
		return cmd_usage(&cmd_serve, "can't open %s: %s", path, strerror(errno));
	if (s->has_properties) {
		fclose(in);
		return cmd_usage(&cmd_serve, "--properties stands twice");
	}
	buf_init(&text, PROPERTIES_MAX);
	while (n && (room = buf_room(&text, 4096))) {
		n = fread(room, 1, 4096, in);
		text.len += n;
	}
	if (ferror(in) || text.bad) {
		status = text.bad ? cmd_usage(&cmd_serve, "%s is longer than %zu KiB", path,
					      PROPERTIES_MAX >> 10)
				  : cmd_usage(&cmd_serve, "can't read %s: %s", path,
					      strerror(errno));
		fclose(in);
		buf_release(&text);
		return status;
	}
	fclose(in);
	s->has_properties = true;
	properties_read((struct str){buf_cstr(&text), (int32_t)text.len}, &s->config,
			&s->properties, &e);
	buf_release(&text);
	if (e.code)
		return cmd_usage(&cmd_serve, "%s:%zu: %s: %s", path, e.offset, e.field, e.text);
	if (s->properties.has_listen)
		s->listen = s->properties.listen;
	if (s->properties.has_advertise)
		s->advertise[s->advertise_count++] = s->properties.advertise;
	if (s->properties.ignored.len)
		fprintf(stderr, "ktrial serve: %s: no effect here: %s\n", path,
			buf_cstr(&s->properties.ignored));
	return 0;
}

static int set_option(struct serve *s, int id, const char *value, const char *word)
{
	if (id == OPT_BROKERS || id == OPT_AUTO_CREATE || id == OPT_LIKE || id == OPT_PROPERTIES)
		s->plan.rival = word;
	switch (id) {
	case OPT_BROKERS:
	case OPT_SEED:
		return set_number(s, id, value);
	case OPT_LISTEN:
		return address(value, 9092, &s->listen);
	case OPT_ADVERTISE:
		if (s->advertise_count == LIST_MAX)
			return cmd_usage(&cmd_serve, "--advertise stands too often");
		return address(value, 0, &s->advertise[s->advertise_count++]);
	case OPT_TOPIC:
		return push(s->topics, &s->topics_count, value, "--topic");
	case OPT_RULE:
		return push(s->rules, &s->rules_count, value, "--rule");
	case OPT_AUTO_CREATE:
		if (strcmp(value, "yes") && strcmp(value, "no"))
			return cmd_usage(&cmd_serve, "--auto-create takes yes or no, not %s",
					 value);
		s->config.cluster.auto_create = !strcmp(value, "yes");
		return 0;
	case OPT_MEMORY:
		return set_memory(s, value);
	case OPT_CAPTURE:
		s->capture = value;
		return 0;
	case OPT_LIKE:
		return set_like(s, value);
	case OPT_PROPERTIES:
		return read_properties(s, value);
	case OPT_STRICT:
		s->strict = true;
		return 0;
	case OPT_WITH_PARENT:
		s->with_parent = true;
		return 0;
	case OPT_CONTROL:
		s->no_control = !strcmp(value, "off");
		return s->no_control ? 0 : address(value, 0, &s->control_at);
	case OPT_VERBOSE:
		s->verbose = true;
		return 0;
	case OPT_PLAN:
		s->plan.path = value;
		return 0;
	default:
		if (!strchr(value, '='))
			return cmd_usage(&cmd_serve, "--case takes KEY=VALUE, not %s", value);
		if (s->plan.cases_count == SERVE_CASES_MAX)
			return cmd_usage(&cmd_serve, "--case stands too often");
		s->plan.cases[s->plan.cases_count++] = value;
		return 0;
	}
}

static int read_options(struct serve *s, int argc, char **argv)
{
	struct cmd_args args = {&cmd_serve, options, argv, argc, 1, false};
	const char *value = NULL;
	int id, status;

	for (;;) {
		const char *word = args.at < argc ? argv[args.at] : "";

		id = cmd_next(&args, &value);
		if (id == CMD_END)
			return 0;
		if (id == CMD_HELP)
			return -1;
		if (id == CMD_BAD)
			return EXIT_USAGE;
		if (id == CMD_WORD)
			return cmd_usage(&cmd_serve, "'%s' is no option", value);
		status = set_option(s, id, value, word);
		if (status)
			return status;
	}
}

/* One address for each broker: ports count up from the first, a free port stays 0. */
static int spread(struct serve *s)
{
	int32_t n = s->config.cluster.brokers;

	if (s->listen.port && s->listen.port + n - 1 > UINT16_MAX)
		return cmd_usage(&cmd_serve, "port %u leaves no room for %d brokers",
				 s->listen.port, n);
	if (s->advertise_count > 1 && s->advertise_count != n)
		return cmd_usage(&cmd_serve, "%d brokers and %d --advertise: give one, or %d", n,
				 s->advertise_count, n);
	s->each_listen = calloc((size_t)n, sizeof(*s->each_listen));
	s->each_advertise = calloc((size_t)n, sizeof(*s->each_advertise));
	if (!s->each_listen || !s->each_advertise)
		abort();
	for (int32_t i = 0; i < n; i++) {
		struct service_address *a = &s->each_advertise[i];

		s->each_listen[i] = s->listen;
		if (s->listen.port)
			s->each_listen[i].port = (uint16_t)(s->listen.port + i);
		if (!s->advertise_count)
			continue;
		*a = s->advertise[s->advertise_count > 1 ? i : 0];
		if (s->advertise_count == 1 && a->port)
			a->port = (uint16_t)(a->port + i);
	}
	s->config.listen = s->each_listen;
	s->config.advertise = s->advertise_count ? s->each_advertise : NULL;
	return 0;
}

/* NAME[:PARTITIONS[:RF]] */
static int add_topic(struct serve *s, const char *text)
{
	const char *colon = strchr(text, ':');
	int64_t numbers[2] = {-1, -1};
	struct str name = str_of(text);
	struct error e = ERROR_INIT;
	char copy[32];

	if (colon)
		name.len = (int32_t)(colon - text);
	for (int i = 0; colon && i < 2; i++) {
		const char *start = colon + 1;

		colon = strchr(start, ':');
		snprintf(copy, sizeof(copy), "%.*s", colon ? (int)(colon - start) : 31, start);
		if (!cmd_number(copy, 1, i ? INT16_MAX : INT32_MAX, &numbers[i]))
			return cmd_usage(&cmd_serve,
					 "--topic takes NAME[:PARTITIONS[:RF]] with whole numbers "
					 "from 1, not %s",
					 text);
	}
	if (colon)
		return cmd_usage(&cmd_serve, "--topic takes NAME[:PARTITIONS[:RF]], not %s", text);
	if (service_create_topic(s->service, name, (int32_t)numbers[0], (int16_t)numbers[1], -1,
				 &e))
		return cmd_usage(&cmd_serve, "--topic %s: %s", text, e.text);
	return 0;
}

static int add_rule(struct serve *s, const char *text)
{
	struct error e = ERROR_INIT;
	char shown[RULE_SHOWN_SIZE];

	if (service_add_rule(s->service, str_of(NULL), str_of(text), &e))
		return 0;
	return cmd_usage(&cmd_serve, "this rule can't be:\n%s",
			 rules_error_text(str_of(text), &e, shown, sizeof(shown)));
}

static void on_bytes(void *ctx, const struct event_conn *conn, bool from_client,
		     const struct iovec *iov, size_t count, int64_t wall_us)
{
	evidence_bytes(ctx, conn, from_client, iov, count, wall_us);
}

/* A write that failed is told once, when it fails: nothing more is written then. */
static void write_capture(struct serve *s)
{
	struct error e = ERROR_INIT;

	if (s->capture_failed || !evidence_flush(s->evidence, &e))
		return;
	s->capture_failed = true;
	fprintf(stderr, "ktrial serve: the capture ends here, before the run does: %s\n", e.text);
}

/* Whoever looks into the file while we run sees at most a second too little. */
static void on_flush(void *ctx, struct instant now)
{
	struct serve *s = ctx;

	write_capture(s);
	loop_timer_set(&s->flush, now.mono_us + FLUSH_US);
}

static int open_capture(struct serve *s)
{
	struct service_tap tap = {.on_bytes = on_bytes};
	struct error e = ERROR_INIT;

	if (!s->capture)
		return 0;
	s->evidence = evidence_open(s->capture, &e);
	if (!s->evidence) {
		fprintf(stderr, "ktrial serve: %s\n", e.text);
		return EXIT_ENVIRONMENT;
	}
	tap.ctx = s->evidence;
	event_bus_add(service_events(s->service), evidence_sink(s->evidence));
	service_set_tap(s->service, &tap);
	loop_timer_init(&s->flush, s->loop, on_flush, s);
	loop_timer_set(&s->flush, clock_now().mono_us + FLUSH_US);
	return 0;
}

/* -v: decode's lines. */
static void on_line(void *ctx, const struct event *ev)
{
	struct serve *s = ctx;

	buf_reset(&s->text);
	text_event(&s->text, ev, s->names, true);
	fwrite(s->text.data, 1, s->text.len, stderr);
}

static void open_lines(struct serve *s)
{
	if (!s->verbose)
		return;
	s->names = names_new();
	s->lines = (struct event_sink){.on_event = on_line, .ctx = s};
	event_bus_add(service_events(s->service), &s->lines);
}

/* Connections that were closed for what they sent: the first few by name, then counts of ten times
 * as many each. */
static void on_blame(void *ctx, const struct event *ev)
{
	struct serve *s = ctx;
	char client[ENDPOINT_TEXT_SIZE];
	uint64_t n;

	if (!ev->conn.why.data)
		return;
	n = ++s->blames_count;
	endpoint_text(&ev->conn.client, client);
	if (n <= BLAMES_SHOWN)
		fprintf(stderr, "ktrial serve: closed connection %lld from %s: " STR_FMT "%s\n",
			(long long)ev->conn.conn, client, STR_ARG(ev->conn.why),
			n == BLAMES_SHOWN ? " (the next ones are only counted)" : "");
	while (n % 10 == 0)
		n /= 10;
	if (n == 1 && s->blames_count > BLAMES_SHOWN)
		fprintf(stderr, "ktrial serve: %llu connections closed so far for what they sent\n",
			(unsigned long long)s->blames_count);
}

static void open_blames(struct serve *s)
{
	if (s->verbose) /* whose lines say it already */
		return;
	s->blames = (struct event_sink){
		.on_event = on_blame, .ctx = s, .kinds = event_bit(EVENT_CONN_CLOSED)};
	event_bus_add(service_events(s->service), &s->blames);
}

static void sum_up_blames(const struct serve *s)
{
	if (s->blames_count > BLAMES_SHOWN)
		fprintf(stderr, "ktrial serve: %llu connections were closed for what they sent\n",
			(unsigned long long)s->blames_count);
}

static void flush_capture(void *ctx)
{
	write_capture(ctx);
}

static void on_reset(void *ctx)
{
	struct serve *s = ctx;

	serve_plan_refill(&s->plan, s->service);
}

static int open_control(struct serve *s)
{
	struct control_config config = {.listen = s->control_at,
					.token = getenv("KTRIAL_CONTROL_TOKEN"),
					.evidence = s->capture,
					.on_flush = flush_capture,
					.on_reset = on_reset,
					.ctx = s};
	struct error e = ERROR_INIT;

	if (s->no_control)
		return 0;
	s->control = control_new(s->loop, s->service, &config, &e);
	if (s->control)
		return 0;
	if (e.code == ERR_USAGE)
		return cmd_usage(&cmd_serve, "%s", e.text);
	fprintf(stderr, "ktrial serve: %s\n", e.text);
	return EXIT_ENVIRONMENT;
}

/* After the service has stopped: the last events are in. */
static int close_capture(struct serve *s)
{
	struct error e = ERROR_INIT;

	if (!s->evidence)
		return 0;
	loop_timer_clear(&s->flush);
	event_bus_remove(service_events(s->service), evidence_sink(s->evidence));
	if (!evidence_close(s->evidence, &e))
		return 0;
	fprintf(stderr, "ktrial serve: the capture is not whole: %s\n", e.text);
	return EXIT_ENVIRONMENT;
}

static int set_up(struct serve *s)
{
	struct error e = ERROR_INIT;
	int status = spread(s);

	if (status)
		return status;
	s->loop = loop_new();
	s->service = service_new(s->loop, &s->config, &e);
	if (!s->service)
		return cmd_usage(&cmd_serve, "%s", e.text);
	open_lines(s);
	open_blames(s);
	status = open_capture(s);
	status = status ? status : serve_plan_add(&s->plan, s->service);
	for (int32_t i = 0; i < s->topics_count && !status; i++)
		status = add_topic(s, s->topics[i]);
	for (int32_t i = 0; i < s->rules_count && !status; i++)
		status = add_rule(s, s->rules[i]);
	if (status)
		return status;
	if (service_start(s->service, &e)) {
		fprintf(stderr,
			"ktrial serve: %s\n--listen 127.0.0.1:0 takes ports that are free\n",
			e.text);
		return EXIT_ENVIRONMENT;
	}
	return open_control(s);
}

static void on_signal(void *ctx)
{
	loop_stop(ctx);
}

/* Rules that never acted, named; with --strict that is a failure. */
static int sum_up(struct serve *s)
{
	int32_t idle = 0;

	for (struct rule *r = NULL; (r = rules_next(service_rules(s->service), r));) {
		struct str miss = rule_nearest_miss(r);

		if (rule_hits(r))
			continue;
		idle++;
		fprintf(stderr,
			"ktrial serve: rule '" STR_FMT "' never acted (%llu matched)%s" STR_FMT
			"\n",
			STR_ARG(rule_text(r)), (unsigned long long)rule_matched(r),
			miss.data ? "; " : "", STR_ARG(miss));
	}
	return idle && s->strict ? EXIT_FINDINGS : EXIT_FINE;
}

static int serve(struct serve *s)
{
	struct loop_watch *interrupt, *terminate;
	int status = set_up(s);
	bool ready;

	if (status)
		return status;
	interrupt = loop_watch_signal(s->loop, SIGINT, on_signal, s->loop);
	terminate = loop_watch_signal(s->loop, SIGTERM, on_signal, s->loop);
	ready = cmd_ready(&cmd_serve, service_bootstrap(s->service),
			  s->control ? control_address(s->control) : "off");
	if (ready)
		loop_run(s->loop);
	control_free(s->control);
	service_stop(s->service);
	sum_up_blames(s);
	loop_watch_free(interrupt);
	loop_watch_free(terminate);
	return ready ? sum_up(s) : EXIT_ENVIRONMENT;
}

static int run(int argc, char **argv)
{
	struct serve *s = calloc(1, sizeof(*s));
	pid_t parent = getppid();
	int status;

	if (!s)
		abort();
	s->config.cluster.brokers = 1;
	s->config.cluster.seed = 1;
	s->config.cluster.auto_create = true;
	s->listen = (struct service_address){"127.0.0.1", 9092};
	s->control_at = (struct service_address){"127.0.0.1", 0};
	buf_init(&s->text, TEXT_MAX);
	status = read_options(s, argc, argv);
	status = status ? status : serve_plan_read(&s->plan, &s->config.cluster);
	if (!status && s->with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			status = EXIT_ENVIRONMENT;
	}
	if (!status)
		status = serve(s);
	if (close_capture(s))
		status = EXIT_ENVIRONMENT;
	service_free(s->service);
	serve_plan_release(&s->plan);
	if (s->has_properties)
		properties_release(&s->properties);
	loop_free(s->loop);
	names_free(s->names);
	buf_release(&s->text);
	free(s->each_listen);
	free(s->each_advertise);
	free(s);
	return status < 0 ? EXIT_FINE : status;
}

const struct command cmd_serve = {
	.name = "serve",
	.summary = "a mock Kafka cluster that fails on command",
	.help = help,
	.run = run,
};
