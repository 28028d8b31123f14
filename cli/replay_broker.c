/* `ktrial replay --as broker`: reads the capture, says "ready", tells misses, and
 * sums up at the end; all else is the service's. */
#include "cli/replay.h"

#include "decoder/text.h"
#include "service/replayed.h"
#include "trace/evidence.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FLUSH_US 1000000 /* between writes of the capture */
#define TEXT_MAX ((size_t)64 << 20)

struct replay_broker {
	const struct replay_job *job;
	struct session *session;
	struct seen *seen;
	struct loop *loop;
	struct service *service;
	struct replayed *replayed;
	struct evidence *evidence;
	struct loop_timer flush;
	struct event_sink lines;
	struct names *names;
	struct buf text;
};

/* ---- what is told ---- */

static void on_miss_text(void *ctx, struct str text)
{
	(void)ctx;
	fprintf(stderr, "ktrial replay: " STR_FMT, STR_ARG(text));
}

static void on_note(void *ctx, struct str text)
{
	const struct replay_broker *b = ctx;

	if (b->job->verbose)
		fprintf(stderr, "ktrial replay: " STR_FMT "\n", STR_ARG(text));
}

/* -v: decode's lines. */
static void on_line(void *ctx, const struct event *ev)
{
	struct replay_broker *b = ctx;

	buf_reset(&b->text);
	text_event(&b->text, ev, b->names, true);
	fwrite(b->text.data, 1, b->text.len, stderr);
}

static void open_lines(struct replay_broker *b)
{
	if (!b->job->verbose)
		return;
	b->names = names_new();
	b->lines = (struct event_sink){.on_event = on_line, .ctx = b};
	event_bus_add(service_events(b->service), &b->lines);
}

/* Counts by API as text: "3 Produce, 1 Metadata". */
static void list_apis(struct buf *out, const uint64_t counts[API_KEY_MAX + 1])
{
	buf_reset(out);
	for (int key = 0; key <= API_KEY_MAX; key++)
		if (counts[key])
			buf_printf(out, "%s%llu %s", out->len ? ", " : "",
				   (unsigned long long)counts[key], api_name(key));
}

static void sum_up(struct replay_broker *b, struct replayed_totals *t)
{
	uint64_t untouched[API_KEY_MAX + 1] = {0};

	replayed_totals(b->replayed, t, untouched);
	fprintf(stderr,
		"ktrial replay: %llu requests: %llu answered from the recording (%llu with what "
		"had "
		"been given before), %llu by the mock cluster\n",
		(unsigned long long)t->requests, (unsigned long long)t->played.answered,
		(unsigned long long)t->played.again, (unsigned long long)t->by_cluster);
	list_apis(&b->text, t->misses_by_api);
	if (t->misses)
		fprintf(stderr, "ktrial replay: %llu misses: %s\n", (unsigned long long)t->misses,
			buf_cstr(&b->text));
	list_apis(&b->text, untouched);
	if (t->played.untouched)
		fprintf(stderr, "ktrial replay: %llu recorded exchanges were never asked for: %s\n",
			(unsigned long long)t->played.untouched, buf_cstr(&b->text));
}

/* ---- the new capture ---- */

static void on_bytes(void *ctx, const struct event_conn *conn, bool from_client,
		     const struct iovec *iov, size_t count, int64_t wall_us)
{
	evidence_bytes(ctx, conn, from_client, iov, count, wall_us);
}

static void on_flush(void *ctx, struct instant now)
{
	struct replay_broker *b = ctx;

	evidence_flush(b->evidence, NULL);
	loop_timer_set(&b->flush, now.mono_us + FLUSH_US);
}

static int open_capture(struct replay_broker *b)
{
	struct service_tap tap = {.on_bytes = on_bytes};
	struct error e = ERROR_INIT;

	if (!b->job->capture)
		return 0;
	b->evidence = evidence_open(b->job->capture, &e);
	if (!b->evidence) {
		fprintf(stderr, "ktrial replay: %s\n", e.text);
		return EXIT_ENVIRONMENT;
	}
	tap.ctx = b->evidence;
	event_bus_add(service_events(b->service), evidence_sink(b->evidence));
	service_set_tap(b->service, &tap);
	loop_timer_init(&b->flush, b->loop, on_flush, b);
	loop_timer_set(&b->flush, clock_now().mono_us + FLUSH_US);
	return 0;
}

static int close_capture(struct replay_broker *b)
{
	struct error e = ERROR_INIT;

	if (!b->evidence)
		return 0;
	loop_timer_clear(&b->flush);
	event_bus_remove(service_events(b->service), evidence_sink(b->evidence));
	if (!evidence_close(b->evidence, &e))
		return 0;
	fprintf(stderr, "ktrial replay: the capture is not whole: %s\n", e.text);
	return EXIT_ENVIRONMENT;
}

/* ---- life ---- */

/* A service with the recorded brokers' node ids, on ports one behind the other. */
static int open_service(struct replay_broker *b)
{
	struct service_config config = {.cluster = {.seed = 1}};
	int32_t count, *ids = seed_brokers(b->seen, &count);
	struct service_address *listen = calloc((size_t)count, sizeof(*listen));
	struct error e = ERROR_INIT;

	if (!listen)
		abort();
	for (int32_t i = 0; i < count; i++) {
		listen[i] = b->job->listen;
		if (b->job->listen.port)
			listen[i].port = (uint16_t)(b->job->listen.port + i);
	}
	config.cluster.brokers = count;
	config.cluster.node_ids = ids;
	config.listen = listen;
	b->service = b->job->listen.port + count - 1 > UINT16_MAX
			     ? NULL
			     : service_new(b->loop, &config, &e);
	free(ids);
	free(listen);
	if (b->service)
		return 0;
	return cmd_usage(&cmd_replay, "port %u leaves no room for %d brokers", b->job->listen.port,
			 count);
}

static int set_up(struct replay_broker *b)
{
	struct replayed_config config = {.session = b->session,
					 .speed = b->job->speed,
					 .on_miss = b->job->on_miss,
					 .on_miss_text = on_miss_text,
					 .on_note = on_note,
					 .ctx = b};
	struct error e = ERROR_INIT;
	int status;

	b->seen = seen_new(b->session);
	b->loop = loop_new();
	status = open_service(b);
	if (status)
		return status;
	config.seen = b->seen;
	b->replayed = replayed_new(b->service, &config);
	if (replayed_check(b->replayed, &e)) {
		fprintf(stderr, "ktrial replay: %s: %s\n", b->job->file, e.text);
		return EXIT_ENVIRONMENT;
	}
	open_lines(b);
	status = open_capture(b);
	if (status)
		return status;
	if (service_start(b->service, &e)) {
		fprintf(stderr,
			"ktrial replay: %s\n--listen 127.0.0.1:0 takes ports that are free\n",
			e.text);
		return EXIT_ENVIRONMENT;
	}
	replayed_start(b->replayed);
	return 0;
}

static void on_signal(void *ctx)
{
	loop_stop(ctx);
}

static int play(struct replay_broker *b)
{
	struct loop_watch *interrupt, *terminate;
	struct replayed_totals totals;
	int status = set_up(b);
	bool ready;

	if (status)
		return status;
	interrupt = loop_watch_signal(b->loop, SIGINT, on_signal, b->loop);
	terminate = loop_watch_signal(b->loop, SIGTERM, on_signal, b->loop);
	ready = cmd_ready(&cmd_replay, service_bootstrap(b->service), "off");
	if (ready)
		loop_run(b->loop);
	service_stop(b->service);
	loop_watch_free(interrupt);
	loop_watch_free(terminate);
	sum_up(b, &totals);
	if (!ready)
		return EXIT_ENVIRONMENT;
	return totals.misses && b->job->strict ? EXIT_FINDINGS : EXIT_FINE;
}

static int load(struct replay_broker *b)
{
	const struct replay_job *job = b->job;
	int status;

	b->session =
		replay_load(&cmd_replay, job->file, &(struct replay_choice){.filter = job->filter},
			    &job->decode, &status);
	if (!b->session)
		return status;
	replay_tell_flaws(&cmd_replay, b->session);
	if (b->session->exchanges_count)
		return 0;
	return replay_tell_empty(job);
}

int replay_as_broker(const struct replay_job *job)
{
	struct replay_broker *b = calloc(1, sizeof(*b));
	pid_t parent = getppid();
	int status = 0;

	if (!b)
		abort();
	b->job = job;
	buf_init(&b->text, TEXT_MAX);
	if (job->with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		status = getppid() == parent ? 0 : EXIT_ENVIRONMENT;
	}
	status = status ? status : load(b);
	status = status ? status : play(b);
	if (close_capture(b))
		status = EXIT_ENVIRONMENT;
	service_free(b->service);
	replayed_free(b->replayed);
	loop_free(b->loop);
	seen_free(b->seen);
	session_free(b->session);
	names_free(b->names);
	buf_release(&b->text);
	free(b);
	return status;
}
