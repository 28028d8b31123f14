/* A capture in memory, with a filter's choice of it. */
#include "cli/replay.h"

#include "decoder/filter.h"
#include "decoder/names.h"
#include "decoder/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
	struct filter *filter;
	struct names *names;
	struct sessions *sessions;
};

static bool matches(void *ctx, struct exchange *x)
{
	struct loading *l = ctx;
	struct summary s;

	summarize(x, l->names, &s);
	sessions_resolve(l->sessions, x, l->names, &s);
	return filter_matches(l->filter, x, &s);
}

static void learn(void *ctx, const struct event *ev)
{
	struct loading *l = ctx;
	struct summary s;

	if (ev->kind == EVENT_EXCHANGE)
		summarize(ev->exchange, l->names, &s);
}

static int read_file(const char *file, const struct decode_options *options,
		     struct event_sink *sink, struct error *e)
{
	struct event_bus bus = {NULL};
	struct decode *d;
	int rc;

	event_bus_add(&bus, sink);
	d = decode_new(options, &bus);
	rc = decode_files(d, &file, 1, e);
	decode_free(d);
	return rc;
}

static int read_filter(const struct command *command, const char *text, struct filter **ret)
{
	struct error e = ERROR_INIT;
	struct buf point;

	*ret = filter_new(str_of(text), &e);
	if (*ret)
		return 0;
	buf_init(&point, 1 << 20);
	filter_point(&point, str_of(text), e.offset);
	cmd_usage(command, "-Y: %s\n%s", e.text, buf_cstr(&point));
	buf_release(&point);
	return EXIT_USAGE;
}

static int fail(const struct command *command, const struct error *e)
{
	char text[700];

	fprintf(stderr, "ktrial %s: %s\n", command->name, error_text(e, text, sizeof(text)));
	return EXIT_ENVIRONMENT;
}

static struct session *load(struct loading *l, const char *file,
			    const struct decode_options *options, struct error *e)
{
	struct session_options o = {.chosen = l->filter ? matches : NULL, .ctx = l};
	struct event_sink learner = {.on_event = learn, .ctx = l};
	struct session *s = session_new(&o);
	int rc = 0;

	if (l->filter && filter_about(l->filter, "topic") && strcmp(file, "-") != 0)
		rc = read_file(file, options, &learner, e);
	if (rc == 0)
		rc = read_file(file, options, session_sink(s), e);
	if (rc == 0)
		rc = session_end(s, e);
	if (rc == 0)
		return s;
	session_free(s);
	return NULL;
}

static void tell(const struct command *command, uint64_t n, const char *what)
{
	if (n)
		fprintf(stderr, "ktrial %s: %llu %s\n", command->name, (unsigned long long)n, what);
}

void replay_tell_flaws(const struct command *command, const struct session *s)
{
	const struct session_totals *t = &s->totals;

	tell(command, t->midway,
	     "connections were open before the capture began: what came earlier is not known");
	tell(command, t->cut, "messages lack bytes and are left out");
	tell(command, t->unknown,
	     "messages of an API or version that ktrial does not know are left out");
	tell(command, t->malformed, "messages are malformed and left out");
	tell(command, t->orphans, "answers lack their request and are left out");
	tell(command, t->unmatched_bytes, "bytes belong to no message and are left out");
}

struct session *replay_load(const struct command *command, const char *file, const char *filter,
			    const struct decode_options *decode, int *ret_status)
{
	struct loading l = {NULL, names_new(), sessions_new(NULL)};
	struct error e = ERROR_INIT;
	struct session *s = NULL;

	*ret_status = filter ? read_filter(command, filter, &l.filter) : 0;
	if (*ret_status == 0) {
		s = load(&l, file, decode, &e);
		if (!s)
			*ret_status = fail(command, &e);
	}
	sessions_free(l.sessions);
	names_free(l.names);
	filter_free(l.filter);
	return s;
}
