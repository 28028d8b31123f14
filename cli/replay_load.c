/* A capture in memory, or what a filter or a group chooses of it. */
#include "cli/replay.h"

#include "decoder/filter.h"
#include "decoder/names.h"
#include "decoder/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 1000
#define IDS_MAX	    ((size_t)1 << 20)

struct loading {
	const struct replay_choice *choice;
	struct filter *filter;
	struct names *names;
	struct sessions *sessions;
	struct str clients[CLIENTS_MAX]; /* of the group */
	size_t clients_count;
	struct arena ids;
};

static bool is_client(const struct loading *l, struct str id)
{
	for (size_t i = 0; i < l->clients_count; i++)
		if (str_eq(l->clients[i], id))
			return true;
	return false;
}

static bool is_chosen(void *ctx, struct exchange *x)
{
	struct loading *l = ctx;
	struct summary s;

	if (l->choice->group && !is_client(l, x->header.client_id))
		return false;
	if (!l->filter)
		return true;
	summarize(x, l->names, &s);
	sessions_resolve(l->sessions, x, l->names, &s);
	return filter_matches(l->filter, x, &s);
}

static void learn(void *ctx, const struct event *ev)
{
	struct loading *l = ctx;
	struct summary s;

	if (ev->kind != EVENT_EXCHANGE)
		return;
	summarize(ev->exchange, l->names, &s);
	if (l->choice->group && s.group.data && str_is(s.group, l->choice->group) &&
	    l->clients_count < CLIENTS_MAX && !is_client(l, ev->exchange->header.client_id))
		l->clients[l->clients_count++] = arena_str(&l->ids, ev->exchange->header.client_id);
}

/* sinks: null at the end. */
static int read_file(const char *file, const struct decode_options *options,
		     struct event_sink *const *sinks, struct error *e)
{
	struct event_bus bus = {NULL};
	struct decode *d;
	int rc;

	for (; *sinks; sinks++)
		event_bus_add(&bus, *sinks);
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

/* What must be known before an exchange can be chosen. */
static int learn_first(struct loading *l, const char *file, const struct decode_options *options,
		       struct error *e)
{
	struct event_sink learner = {.on_event = learn, .ctx = l};
	bool topics = l->filter && filter_about(l->filter, "topic");
	int rc = 0;

	if (strcmp(file, "-") != 0 && (topics || l->choice->group))
		rc = read_file(file, options, (struct event_sink *[]){&learner, NULL}, e);
	if (rc || !l->choice->group || l->clients_count)
		return rc;
	return error_set(
		e, ERR_UNSUPPORTED,
		"%s has nothing of a group '%s'; `ktrial decode -o group` shows its groups", file,
		l->choice->group);
}

static struct session *load(struct loading *l, const char *file,
			    const struct decode_options *options, struct error *e)
{
	bool all = !l->filter && !l->choice->group;
	struct session_options o = {.chosen = all ? NULL : is_chosen, .ctx = l};
	struct event_sink *sinks[REPLAY_SINKS_MAX + 2] = {NULL};
	struct session *s = session_new(&o);
	int rc = learn_first(l, file, options, e);

	sinks[0] = session_sink(s);
	for (int i = 0; i < REPLAY_SINKS_MAX && l->choice->sinks[i]; i++)
		sinks[i + 1] = l->choice->sinks[i];
	if (rc == 0)
		rc = read_file(file, options, sinks, e);
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

struct session *replay_load(const struct command *command, const char *file,
			    const struct replay_choice *choice, const struct decode_options *decode,
			    int *ret_status)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct error e = ERROR_INIT;
	struct session *s = NULL;

	if (!l)
		abort();
	l->choice = choice;
	l->names = names_new();
	l->sessions = sessions_new(NULL);
	arena_init(&l->ids, IDS_MAX);
	*ret_status = choice->filter ? read_filter(command, choice->filter, &l->filter) : 0;
	if (*ret_status == 0) {
		s = load(l, file, decode, &e);
		if (!s)
			*ret_status = fail(command, &e);
	}
	sessions_free(l->sessions);
	names_free(l->names);
	filter_free(l->filter);
	arena_release(&l->ids);
	free(l);
	return s;
}

int replay_tell_empty(const struct replay_job *job)
{
	fprintf(stderr,
		"ktrial replay: %s has no Kafka request%s; `ktrial decode -v` tells what is in "
		"it\n",
		job->file, job->filter ? " that the filter lets pass" : "");
	return EXIT_ENVIRONMENT;
}
