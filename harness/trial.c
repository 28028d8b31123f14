/* One case. Owns the loop, the service, the subjects and the sinks for as long as it takes; the
 * timeline is polled whenever an event came, never from inside one. The order of the end matters:
 * subjects first, then the service, so that what they still do is seen; then the checks. */
#include "harness/trial.h"

#include "base/log.h"
#include "harness/command.h"
#include "harness/exchanges.h"
#include "harness/marks.h"
#include "harness/preload.h"
#include "harness/subject.h"
#include "harness/timeline.h"
#include "service/service.h"
#include "trace/evidence.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIAL_ARENA_MAX ((size_t)64 << 20)
#define ADDRESSED_MAX	250 /* brokers that a /24 of 127.0.0.0/8 has room for */

/* How often a subject printed a line of that name. */
struct report_count {
	struct str name;
	int64_t count;
	struct report_count *next;
};

/* One client of the plan, as it lives. */
struct actor {
	struct run *run;
	const struct plan_client *plan;
	struct command command;
	struct subject *subject; /* its latest life; NULL before the first */
	bool ours_to_kill;	 /* the timeline sent it a signal that may end it */
	bool starting;		 /* it has neither printed a line nor opened a connection yet */
	int64_t connections;	 /* that there were in all when it was started */
	struct report_count *counts;
	int64_t sent[API_KEY_MAX + 1]; /* exchanges that have ended, by API */
};

/* A group, as the cluster last told of it. */
struct group_seen {
	struct str name;
	bool stable;
	int64_t members;
	struct group_seen *next;
};

struct run {
	const struct trial_config *config;
	const struct case_plan *plan;
	struct trial *trial;
	struct loop *loop;
	struct service *service;
	struct subjects *subjects;
	struct evidence *evidence;
	struct timeline *timeline;
	struct loop_timer poll, limit;
	struct loop_watch *interrupts[2];
	struct event_sink wake;
	struct stage stage;
	struct actor *actors;
	struct group_seen *groups;
	bool begun; /* some subject was started */
	int64_t begin_us;
	int64_t starting_since_us; /* mono: programs are starting since then; 0 none is */
	int64_t started_us;	   /* time that went by while programs started */
	char bootstrap[TRIAL_PATH_MAX];
	char environment[600], unsupported[600], late[400], crash[300], shortfall[300];
	enum { PHASE_RUN, PHASE_STOP, PHASE_OVER } phase;
};

/* ---- events ---- */

static void emit(struct run *r, struct event *ev)
{
	ev->time_us = clock_now().wall_us;
	event_emit(service_events(r->service), ev);
}

/* Something happened: the timeline is to be asked at the next turn. */
static void wake(struct run *r)
{
	loop_timer_set(&r->poll, clock_now().mono_us);
}

static void note_group(struct run *r, struct str detail)
{
	json_t *root = json_loadb(detail.data, (size_t)detail.len, JSON_ALLOW_NUL, NULL);
	const char *name = json_string_value(json_object_get(root, "group"));
	const char *state = json_string_value(json_object_get(root, "state"));
	struct group_seen *g = r->groups;

	while (g && name && !str_is(g->name, name))
		g = g->next;
	if (name && !g && (g = arena_zalloc(&r->trial->arena, sizeof(*g)))) {
		g->name = arena_str(&r->trial->arena, str_of(name));
		g->next = r->groups;
		r->groups = g;
	}
	if (name && g) {
		g->stable = state && !strcasecmp(state, "stable");
		g->members = json_integer_value(json_object_get(root, "memberCount"));
	}
	json_decref(root);
}

static void on_any_event(void *ctx, const struct event *ev)
{
	struct run *r = ctx;

	if (ev->kind == EVENT_CLUSTER && str_is(ev->cluster.name, "group-state"))
		note_group(r, ev->cluster.detail);
	for (int32_t i = 0; ev->kind == EVENT_EXCHANGE && i < r->plan->clients_count; i++)
		if (str_eq(r->plan->clients[i].name, ev->exchange->header.client_id) &&
		    ev->exchange->header.api_key >= 0 &&
		    ev->exchange->header.api_key <= API_KEY_MAX)
			r->actors[i].sent[ev->exchange->header.api_key]++;
	wake(r);
}

static void count_report(struct actor *a, struct str name)
{
	struct report_count *c = a->counts;

	while (c && !str_eq(c->name, name))
		c = c->next;
	if (!c) {
		c = arena_zalloc(&a->run->trial->arena, sizeof(*c));
		if (!c)
			return;
		c->name = arena_str(&a->run->trial->arena, name);
		c->next = a->counts;
		a->counts = c;
	}
	c->count++;
}

static void on_line(void *ctx, struct subject *s, struct str line)
{
	struct actor *a = ctx;
	struct run *r = a->run;
	struct event ev = {.kind = EVENT_REPORT, .report = {a->plan->name, line}};
	struct report report;

	(void)s;
	if (!report_read(line, &report))
		return; /* not a report: it is in the file */
	if (report.kind == REPORT_UNSUPPORTED && !r->unsupported[0])
		snprintf(r->unsupported, sizeof(r->unsupported), STR_FMT, STR_ARG(report.message));
	a->starting = false;
	count_report(a, report.name);
	report_release(&report);
	emit(r, &ev);
}

static void on_end(void *ctx, struct subject *s)
{
	struct actor *a = ctx;
	struct run *r = a->run;
	int status = subject_status(s), number = subject_signal_number(s);

	if ((status == 126 || status == 127) && !r->unsupported[0] && !r->environment[0])
		snprintf(r->environment, sizeof(r->environment),
			 STR_FMT " can't run here: exit status %d%s%s", STR_ARG(a->plan->name),
			 status, subject_tail(s, 0) ? ": " : "",
			 subject_tail(s, 0) ? subject_tail(s, 0) : "");
	if (number && !a->ours_to_kill && r->phase == PHASE_RUN && !r->crash[0])
		snprintf(r->crash, sizeof(r->crash), STR_FMT " was ended by signal %d (%s)",
			 STR_ARG(a->plan->name), number, strsignal(number));
	wake(r);
}

/* ---- the clock ---- */

/* A program that is slow to start (an interpreter on a busy machine) is not a client that does not
 * get on: meanwhile the clock of the timeline and of the case stands still. */
#define STARTING_MAX_US (15 * (int64_t)1000000) /* in all; after that it goes on */

static bool somebody_starts(struct run *r)
{
	bool found = false;

	for (int32_t i = 0; i < r->plan->clients_count; i++) {
		struct actor *a = &r->actors[i];

		a->starting = a->starting && a->subject && subject_runs(a->subject) &&
			      service_connections_total(r->service) == a->connections;
		found |= a->starting;
	}
	return found;
}

/* Now, less the time in which programs started. */
static struct instant patient_now(struct run *r)
{
	struct instant now = clock_now();
	int64_t since_us = r->starting_since_us ? now.mono_us - r->starting_since_us : 0;
	bool starts = somebody_starts(r) && r->started_us + since_us < STARTING_MAX_US;

	if (!starts) {
		r->started_us += since_us;
		r->starting_since_us = since_us = 0;
	} else if (!r->starting_since_us) {
		r->starting_since_us = now.mono_us;
	}
	now.mono_us -= r->started_us + since_us;
	return now;
}

/* ---- the stage ---- */

static struct run *run_of(struct stage *stage)
{
	return (struct run *)(void *)((char *)stage - offsetof(struct run, stage));
}

static int stage_start(struct stage *stage, int32_t client, struct error *e)
{
	struct run *r = run_of(stage);
	struct actor *a = &r->actors[client];
	struct subject_config config = {
		.on_line = on_line, .on_end = on_end, .ctx = a, .directory = r->config->directory};

	if (a->subject && subject_runs(a->subject))
		return error_set(e, ERR_USAGE, STR_FMT " is running already",
				 STR_ARG(a->plan->name));
	config.name = a->plan->name.data; /* arena texts end in NUL */
	a->ours_to_kill = false;
	a->starting = a->plan->speaks != SPEAKS_NONE;
	a->connections = service_connections_total(r->service);
	r->begun = true;
	if (!command_build(&a->command, r->config->plan, a->plan, r->config->clients, r->bootstrap,
			   r->config->directory, e)) {
		command_fill(&a->command, &config);
		a->subject = subject_start(r->subjects, &config, e);
	}
	if (a->starting && !r->starting_since_us)
		r->starting_since_us = clock_now().mono_us;
	if (e->code && !r->environment[0])
		snprintf(r->environment, sizeof(r->environment), "%s", e->text);
	return e->code;
}

static void stage_signal(struct stage *stage, int32_t client, int number)
{
	struct actor *a = &run_of(stage)->actors[client];

	if (!a->subject)
		return;
	a->ours_to_kill |= number == SIGTERM || number == SIGINT || number == SIGKILL;
	subject_signal(a->subject, number);
}

static bool nobody_runs(const struct run *r)
{
	return subjects_running(r->subjects) == 0;
}

/* Nothing more can come: no subject runs, and what they sent has been read to its end. */
static bool all_over(const struct run *r)
{
	return r->begun && nobody_runs(r) && !service_connections(r->service);
}

static int64_t reports_named(const struct actor *a, struct str name)
{
	const struct report_count *c = a->counts;

	while (c && !str_eq(c->name, name))
		c = c->next;
	return c ? c->count : 0;
}

static enum holds rule_holds(struct run *r, const struct condition *c, char *text, size_t size)
{
	struct rule *rule = rules_find(service_rules(r->service), r->plan->rules[c->index].name);
	struct str miss;

	if (rule_hits(rule) >= (uint64_t)c->number)
		return HOLDS;
	if (!all_over(r))
		return HOLDS_NOT_YET;
	miss = rule_nearest_miss(rule);
	snprintf(text, size, "all subjects have ended and it fired %llu times%s" STR_FMT,
		 (unsigned long long)rule_hits(rule), miss.data ? "; " : "", STR_ARG(miss));
	return HOLDS_NEVER;
}

static enum holds client_holds(struct run *r, const struct condition *c, char *text, size_t size)
{
	const struct actor *a = &r->actors[c->index];
	bool ended = a->subject && !subject_runs(a->subject);

	if (c->kind == CONDITION_REPORTED) {
		if (reports_named(a, c->word) >= c->number)
			return HOLDS;
		snprintf(text, size, "it ended with status %d before",
			 ended ? subject_status(a->subject) : 0);
		return ended ? HOLDS_NEVER : HOLDS_NOT_YET;
	}
	if (!ended)
		return HOLDS_NOT_YET;
	if (c->kind == CONDITION_ENDED || subject_status(a->subject) == c->number)
		return HOLDS;
	snprintf(text, size, "it exited with %d", subject_status(a->subject));
	return HOLDS_NEVER;
}

/* Records that the logs of a topic have taken, by their offsets. */
static int64_t records_of(const struct run *r, const struct plan_topic *topic)
{
	int64_t n = 0;

	for (const struct history_partition *p = r->trial->checks.history->partitions; p;
	     p = p->next)
		if (str_eq(p->topic, topic->name))
			n += p->end - p->start;
	return n;
}

/* Records of a topic that were given to anybody, each counted once. They are counted only when as
 * many lines speak of records at all. */
static int64_t records_given(const struct run *r, const struct plan_topic *topic, int64_t wanted)
{
	int64_t lines = 0;

	for (int32_t i = 0; i < r->plan->clients_count; i++)
		lines += reports_named(&r->actors[i], str_of("record_data"));
	return lines < wanted ? lines
			      : history_records_given(r->trial->checks.history, topic->name);
}

static enum holds group_holds(struct run *r, const struct condition *c)
{
	for (const struct group_seen *g = r->groups; g; g = g->next)
		if (str_eq(g->name, c->word))
			return g->stable && g->members == c->number ? HOLDS : HOLDS_NOT_YET;
	return HOLDS_NOT_YET;
}

static enum holds stage_holds(struct stage *stage, const struct condition *c, char *text,
			      size_t size)
{
	struct run *r = run_of(stage);
	int64_t n;

	switch (c->kind) {
	case CONDITION_FIRED:
		return rule_holds(r, c, text, size);
	case CONDITION_HELD:
		n = service_held(r->service, c->word);
		break;
	case CONDITION_SENT:
		n = r->actors[c->index].sent[c->api_key];
		break;
	case CONDITION_RECORDS:
		n = records_of(r, &r->plan->topics[c->index]);
		break;
	case CONDITION_READ:
		n = records_given(r, &r->plan->topics[c->index], c->number);
		break;
	case CONDITION_MEMBERS:
		return group_holds(r, c);
	default:
		return client_holds(r, c, text, size);
	}
	if (n >= c->number)
		return HOLDS;
	snprintf(text, size, "all subjects have ended at %lld", (long long)n);
	return all_over(r) ? HOLDS_NEVER : HOLDS_NOT_YET;
}

static int stage_happen(struct stage *stage, struct str text, struct error *e)
{
	struct run *r = run_of(stage);
	int rc = service_happen(r->service, text, e);

	r->config->plan->script->refused = rc < 0;
	return rc;
}

static int32_t stage_release(struct stage *stage, struct str hold)
{
	return service_release(run_of(stage)->service, hold);
}

static void on_mark(void *ctx, struct str text)
{
	emit(ctx, &(struct event){.kind = EVENT_MARK, .mark = text});
}

static void stage_mark(struct stage *stage, struct str text)
{
	emit(run_of(stage), &(struct event){.kind = EVENT_MARK, .mark = text});
}

/* ---- phases ---- */

/* The timeline is over (or the case is): subjects are asked to end, and after a while made to. */
static void begin_stop(struct run *r)
{
	if (r->phase != PHASE_RUN)
		return;
	r->phase = PHASE_STOP;
	for (int32_t i = 0; i < r->plan->clients_count; i++)
		if (r->actors[i].subject && subject_runs(r->actors[i].subject))
			r->actors[i].ours_to_kill = true;
	subjects_signal(r->subjects, SIGCONT);
	subjects_signal(r->subjects, SIGTERM);
	loop_timer_set(&r->limit, clock_now().mono_us + TRIAL_STOP_US);
	wake(r);
}

static void on_poll(void *ctx, struct instant now)
{
	struct run *r = ctx;
	int64_t deadline;

	(void)now;
	if (r->phase == PHASE_RUN &&
	    (r->unsupported[0] || r->environment[0] ||
	     timeline_poll(r->timeline, patient_now(r)) != TIMELINE_RUNNING))
		begin_stop(r);
	if (r->phase == PHASE_STOP && nobody_runs(r)) {
		r->phase = PHASE_OVER;
		loop_stop(r->loop);
	}
	deadline = timeline_deadline(r->timeline);
	if (r->phase == PHASE_RUN && r->starting_since_us)
		deadline = r->starting_since_us + STARTING_MAX_US; /* or what happens before */
	else if (deadline != INSTANT_NEVER)
		deadline += r->started_us;
	if (r->phase == PHASE_RUN && deadline != INSTANT_NEVER)
		loop_timer_set(&r->poll, deadline);
}

/* The limit of the case, or of the stop. */
static void on_limit(void *ctx, struct instant now)
{
	struct run *r = ctx;
	const char *waiting = timeline_waiting(r->timeline);
	int64_t left_us = r->begin_us + r->plan->scenario->timeout_us - patient_now(r).mono_us;

	if (r->phase == PHASE_RUN && left_us > 0) { /* programs had to start */
		loop_timer_set(&r->limit, now.mono_us + left_us);
		return;
	}
	if (r->phase == PHASE_RUN) {
		snprintf(r->late, sizeof(r->late), "out of time: %.1f s are over%s%s",
			 (double)r->plan->scenario->timeout_us / 1e6,
			 *waiting ? " while waiting for " : "", waiting);
		begin_stop(r);
		return;
	}
	r->phase = PHASE_OVER;
	loop_stop(r->loop);
}

static void on_interrupt(void *ctx)
{
	struct run *r = ctx;

	r->trial->interrupted = true;
	r->phase = PHASE_OVER;
	loop_stop(r->loop);
}

/* ---- up ---- */

static bool is_free(const struct service_address *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool ok;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	inet_pton(AF_INET, a->host, &in.sin_addr);
	ok = !bind(fd, (struct sockaddr *)&in, sizeof(in));
	close(fd);
	return ok;
}

/*
 * An address for each broker: 127.x.y.1, .2, ... on Kafka's port, x.y by the process, so that cases
 * side by side never meet; free ports of 127.0.0.1 where somebody listens there already (a real
 * broker on 0.0.0.0:9092).
 */
static void choose_addresses(const struct run *r, struct service_address *list)
{
	uint32_t n = (uint32_t)getpid();
	bool spread = r->plan->brokers <= ADDRESSED_MAX;

	for (int32_t i = 0; i < r->plan->brokers && spread; i++) {
		list[i].port = TRIAL_PORT;
		snprintf(list[i].host, sizeof(list[i].host), "127.%u.%u.%d", 1 + n / 256 % 254,
			 n % 256, i + 1);
		spread = is_free(&list[i]);
	}
	for (int32_t i = 0; i < r->plan->brokers && !spread; i++)
		list[i] = (struct service_address){"127.0.0.1", 0};
}

static void on_bytes(void *ctx, const struct event_conn *conn, bool from_client,
		     const struct iovec *iov, size_t count, int64_t wall_us)
{
	evidence_bytes(ctx, conn, from_client, iov, count, wall_us);
}

/* Checks first: they must have seen an event before anybody acts on it. */
static void attach(struct run *r)
{
	struct event_bus *bus = service_events(r->service);

	event_bus_add(bus, &r->trial->checks.sink);
	event_bus_add(bus, evidence_sink(r->evidence));
	event_bus_add(bus, &r->wake);
	service_set_tap(r->service,
			&(struct service_tap){.on_bytes = on_bytes, .ctx = r->evidence});
}

static int start_service(struct run *r, struct error *e)
{
	const struct case_plan *p = r->plan;
	struct service_address *listen = calloc((size_t)p->brokers, sizeof(*listen));
	struct service_config config = {.listen = listen};

	if (!listen)
		abort();
	choose_addresses(r, listen);
	config.cluster = preload_config(p);
	r->service = service_new(r->loop, &config, e);
	free(listen);
	if (!r->service)
		return e->code;
	attach(r);
	marks_write(p, on_mark, r);
	return preload(r->service, p, e) || service_start(r->service, e) ? e->code : 0;
}

static int open_evidence(struct run *r, struct error *e)
{
	char path[TRIAL_PATH_MAX];

	snprintf(path, sizeof(path), "%s/evidence.pcapng", r->config->directory);
	r->evidence = evidence_open(path, e);
	return r->evidence ? 0 : e->code;
}

static void add_checks(struct run *r)
{
	struct trial *t = r->trial;
	size_t most = PLAN_ITEMS_MAX + 64;

	t->judgements = arena_zalloc(&t->arena, most * sizeof(*t->judgements));
	for (int32_t i = 0; i < r->plan->checks_count; i++) {
		const struct plan_check *k = &r->plan->checks[i];

		checks_add(&t->checks, k->type, &k->scope);
		t->judgements[i] = (struct judgement){.severity = k->severity,
						      .named = true,
						      .optional = k->optional,
						      .at = k->at};
	}
	checks_add_universal(&t->checks);
	t->judgements_count = t->checks.count;
	for (int32_t i = r->plan->checks_count; i < t->checks.count; i++)
		t->judgements[i].severity =
			t->checks.list[i].type->should ? SEVERITY_SHOULD : SEVERITY_MUST;
	for (int32_t i = 0; i < t->checks.count; i++)
		t->judgements[i].check = &t->checks.list[i];
}

static void set_up(struct run *r)
{
	r->loop = loop_new();
	loop_stall_us(r->loop);
	loop_timer_init(&r->poll, r->loop, on_poll, r);
	loop_timer_init(&r->limit, r->loop, on_limit, r);
	r->interrupts[0] = loop_watch_signal(r->loop, SIGINT, on_interrupt, r);
	r->interrupts[1] = loop_watch_signal(r->loop, SIGTERM, on_interrupt, r);
	r->subjects = subjects_new(r->loop);
	r->wake = (struct event_sink){.on_event = on_any_event, .ctx = r};
	r->stage = (struct stage){stage_start,	 stage_signal, stage_holds,
				  stage_release, stage_happen, stage_mark};
	r->actors = arena_zalloc(&r->trial->arena,
				 ((size_t)r->plan->clients_count + 1) * sizeof(*r->actors));
	for (int32_t i = 0; i < r->plan->clients_count; i++)
		r->actors[i] = (struct actor){.run = r, .plan = &r->plan->clients[i]};
	r->timeline = timeline_new(r->config->plan, &r->stage);
	add_checks(r);
}

/* ---- down ---- */

static void note_subjects(struct run *r)
{
	struct trial *t = r->trial;
	const char *line;
	int first;

	t->subjects = arena_zalloc(&t->arena,
				   ((size_t)r->plan->clients_count + 1) * sizeof(*t->subjects));
	t->subjects_count = r->plan->clients_count;
	for (int32_t i = 0; i < t->subjects_count; i++) {
		struct subject_outcome *o = &t->subjects[i];
		const struct subject *s = r->actors[i].subject;

		o->name = r->plan->clients[i].name;
		o->program = arena_str(&t->arena, str_of(r->actors[i].command.program));
		o->started = s != NULL;
		if (!s)
			continue;
		o->running = subject_runs(s);
		if (subject_problem(s) && !r->environment[0])
			snprintf(r->environment, sizeof(r->environment),
				 "can't keep what " STR_FMT " printed: %s", STR_ARG(o->name),
				 strerror(subject_problem(s)));
		o->status = o->running ? -1 : subject_status(s);
		o->signal_number = subject_signal_number(s);
		for (first = 0; subject_tail(s, first + TRIAL_TAIL_LINES);)
			first++;
		while (o->tail_count < TRIAL_TAIL_LINES &&
		       (line = subject_tail(s, first + o->tail_count)))
			o->tail[o->tail_count++] = arena_str(&t->arena, str_of(line));
	}
}

static void note_rules(struct run *r)
{
	struct trial *t = r->trial;

	t->rules = arena_zalloc(&t->arena, ((size_t)r->plan->rules_count + 1) * sizeof(*t->rules));
	for (int32_t i = 0; i < r->plan->rules_count && r->service; i++) {
		struct rule *rule = rules_find(service_rules(r->service), r->plan->rules[i].name);
		struct str miss =
			rule && !rule_hits(rule) ? rule_nearest_miss(rule) : (struct str){0};

		t->rules[t->rules_count++] = (struct rule_outcome){
			.name = r->plan->rules[i].name,
			.text = r->plan->rules[i].text,
			.nearest_miss = miss.data ? arena_str(&t->arena, miss) : miss,
			.hits = rule ? rule_hits(rule) : 0,
			.matched = rule ? rule_matched(rule) : 0,
			.optional = r->plan->rules[i].optional,
		};
	}
}

static void note_late(struct run *r)
{
	for (int32_t i = 0; i < r->trial->subjects_count; i++)
		if (r->trial->subjects[i].running && !r->late[0] && !r->trial->interrupted)
			snprintf(r->late, sizeof(r->late),
				 STR_FMT " did not end within %.0f s of SIGTERM",
				 STR_ARG(r->trial->subjects[i].name), (double)TRIAL_STOP_US / 1e6);
}

static int64_t records_asked(const struct plan_client *client)
{
	for (int32_t i = 0; i < client->args_count && client->speaks == SPEAKS_PRODUCER; i++)
		if (str_is(client->args[i].key, "max_messages"))
			return strtoll(client->args[i].value.data, NULL, 10);
	return 0;
}

/* A producer that ends well of its own accord has said of each record what became of it: what it
 * dropped in silence no check of the log could see. */
static void note_shortfall(struct run *r)
{
	for (int32_t i = 0; i < r->plan->clients_count && !r->shortfall[0]; i++) {
		const struct actor *a = &r->actors[i];
		int64_t asked = records_asked(a->plan);
		int64_t told = reports_named(a, str_of("producer_send_success")) +
			       reports_named(a, str_of("producer_send_error"));

		if (!a->subject || a->ours_to_kill || r->trial->subjects[i].running ||
		    r->trial->subjects[i].status || r->trial->subjects[i].signal_number ||
		    told >= asked)
			continue;
		snprintf(r->shortfall, sizeof(r->shortfall),
			 STR_FMT " exited with 0, but told the outcome of %lld of %lld records",
			 STR_ARG(a->plan->name), (long long)told, (long long)asked);
	}
}

static const char *text_or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static const char *timeline_failure(const struct run *r)
{
	if (r->late[0])
		return r->late;
	return text_or_null(*timeline_why(r->timeline) ? timeline_why(r->timeline) : r->shortfall);
}

static void end_service(struct run *r)
{
	const char *failure = r->crash[0] ? r->crash : timeline_failure(r);

	if (!r->service)
		return;
	r->trial->connections = (uint64_t)service_connections_total(r->service);
	if (failure)
		marks_write_failed(failure, on_mark, r);
	service_stop(r->service);
}

/* Of a case whose files stay: what `decode -o exchange` says of the evidence. */
static void write_exchanges(struct run *r)
{
	char evidence[TRIAL_PATH_MAX], lines[TRIAL_PATH_MAX];

	snprintf(evidence, sizeof(evidence), "%s/evidence.pcapng", r->config->directory);
	snprintf(lines, sizeof(lines), "%s/exchanges.jsonl", r->config->directory);
	if (exchanges_write(evidence, lines) < 0)
		log_line(LOG_WARN, "can't write %s", lines);
}

/* Everything that has to go, in the order in which it may. Events end here. */
static void tear_down(struct run *r)
{
	struct error e = ERROR_INIT;

	note_subjects(r);
	note_late(r);
	note_shortfall(r);
	subjects_free(r->subjects);
	end_service(r);
	note_rules(r);
	loop_timer_clear(&r->poll);
	loop_timer_clear(&r->limit);
	service_free(r->service);
	if (evidence_close(r->evidence, &e) < 0 && !r->environment[0])
		snprintf(r->environment, sizeof(r->environment), "no evidence: %s", e.text);
	r->trial->stall_us = loop_stall_us(r->loop);
	loop_watch_free(r->interrupts[0]);
	loop_watch_free(r->interrupts[1]);
}

static void judge(struct run *r)
{
	struct trial *t = r->trial;
	struct circumstances c = {
		.unsupported = text_or_null(r->unsupported),
		.environment = text_or_null(r->environment),
		.mistake = timeline_mistake(r->timeline) ? timeline_why(r->timeline) : NULL,
		.crash = text_or_null(r->crash),
		.timeline = timeline_failure(r),
		.stall_us = t->stall_us,
	};

	checks_end(&t->checks, NEEDS_WIRE | NEEDS_LOG | NEEDS_REPORTS);
	t->exchanges = t->checks.exchanges;
	if (c.mistake)
		t->mistake = arena_str(&t->arena, str_of(timeline_mistake(r->timeline)));
	verdict_reach(t->judgements, t->judgements_count, t->rules, t->rules_count, &c,
		      &t->outcome);
}

void trial_run(const struct trial_config *config, struct trial *ret_trial)
{
	struct run r = {.config = config, .plan = config->plan, .trial = ret_trial};
	struct instant begin = clock_now();
	struct error e = ERROR_INIT;

	*ret_trial = (struct trial){.started_us = begin.wall_us};
	arena_init(&ret_trial->arena, TRIAL_ARENA_MAX);
	checks_init(&ret_trial->checks);
	set_up(&r);
	if (open_evidence(&r, &e) < 0 || start_service(&r, &e) < 0) {
		snprintf(r.environment, sizeof(r.environment), "no cluster: %s%s%s", e.text,
			 e.field[0] ? ": " : "", e.field);
	} else {
		snprintf(r.bootstrap, sizeof(r.bootstrap), "%s", service_bootstrap(r.service));
		r.begin_us = begin.mono_us;
		loop_timer_set(&r.limit, begin.mono_us + config->plan->scenario->timeout_us);
		wake(&r);
		loop_run(r.loop);
	}
	tear_down(&r);
	judge(&r);
	if (config->keep_all || !verdict_good(ret_trial->outcome.verdict))
		write_exchanges(&r);
	timeline_free(r.timeline);
	loop_free(r.loop);
	ret_trial->took_us = clock_now().mono_us - begin.mono_us;
}

void trial_release(struct trial *t)
{
	checks_release(&t->checks);
	arena_release(&t->arena);
	*t = (struct trial){0};
}
