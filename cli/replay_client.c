/* `ktrial replay --as client`: runs the player, prints what it finds. With two clusters the first
 * one's answers take the place of the recording for the second. */
#include "cli/replay.h"

#include "harness/replay_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_MAX ((size_t)64 << 20)

struct printing {
	const struct replay_job *job;
	struct replay_report *report;
	struct buf out;
};

static void flush(struct printing *p)
{
	fwrite(p->out.data, 1, p->out.len, stdout);
	buf_reset(&p->out);
}

static void on_result(void *ctx, const struct replay_result *r)
{
	struct printing *p = ctx;

	replay_report_take(p->report, r, p->job->json, p->job->verbose, &p->out);
	if (p->out.len)
		flush(p);
}

static void on_note(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "ktrial replay: %s\n", text);
}

static int fail(const struct error *e)
{
	char text[700];

	fprintf(stderr, "ktrial replay: %s\n", error_text(e, text, sizeof(text)));
	return e->code == ERR_USAGE ? EXIT_USAGE : EXIT_ENVIRONMENT;
}

static struct replay_client_options options_of(const struct replay_job *job, int i,
					       const struct session *s, const struct seen *seen)
{
	return (struct replay_client_options){
		.session = s,
		.seen = seen,
		.to = job->to[i],
		.anywhere = job->yes_really,
		.create_topics = job->create_topics,
		.suffix = job->suffix ? str_of(job->suffix) : (struct str){NULL, 0},
		.speed = job->speed,
		.settle_us = job->settle_us,
		.answer_us = job->wait_us,
		.ignored = job->ignored,
		.ignored_count = job->ignored_count,
		.on_note = on_note,
	};
}

/* A session of the answers that a live cluster gives. */
static struct session *session_of_live(const struct replay_job *job, struct loop *l,
				       const struct session *recorded, const struct seen *seen,
				       struct error *e)
{
	struct replay_client_options o = options_of(job, 0, recorded, seen);
	struct session *s = session_new(NULL);
	struct event_bus bus = {NULL};
	struct replay_totals totals;

	event_bus_add(&bus, session_sink(s));
	o.bus = &bus;
	if (replay_client_run(l, &o, &totals, e) || session_end(s, e)) {
		session_free(s);
		return NULL;
	}
	return s;
}

static int write_junit(const struct printing *p, double seconds)
{
	FILE *f = fopen(p->job->junit, "w");
	struct buf out;

	if (!f) {
		perror(p->job->junit);
		return EXIT_ENVIRONMENT;
	}
	buf_init(&out, OUTPUT_MAX);
	replay_report_junit(p->report, p->job->file, seconds, &out);
	fwrite(out.data, 1, out.len, f);
	buf_release(&out);
	if (fclose(f) == 0)
		return 0;
	perror(p->job->junit);
	return EXIT_ENVIRONMENT;
}

/* Plays the session to the last of the clusters, and tells. */
static int play(const struct replay_job *job, struct loop *l, const struct session *s)
{
	struct seen *seen = seen_new(s);
	struct replay_client_options o = options_of(job, job->to_count - 1, s, seen);
	struct printing p = {.job = job};
	struct error e = ERROR_INIT;
	struct replay_totals totals;
	int64_t start_us = clock_now().mono_us;
	int status;

	p.report = job->to_count > 1 ? replay_report_new("first", "second")
				     : replay_report_new("recorded", "live");
	buf_init(&p.out, OUTPUT_MAX);
	o.of_live = job->to_count > 1;
	o.on_result = on_result;
	o.ctx = &p;
	status = replay_client_run(l, &o, &totals, &e) ? fail(&e) : EXIT_FINE;
	if (status == EXIT_FINE) {
		replay_report_summary(p.report, &totals, s, job->json, &p.out);
		flush(&p);
		status = totals.differing || totals.missing ? EXIT_FINDINGS : EXIT_FINE;
		if (job->junit && write_junit(&p, (double)(clock_now().mono_us - start_us) / 1e6))
			status = EXIT_ENVIRONMENT;
	}
	buf_release(&p.out);
	replay_report_free(p.report);
	seen_free(seen);
	return status;
}

static int play_both(const struct replay_job *job, struct loop *l, const struct session *recorded)
{
	struct seen *seen = seen_new(recorded);
	struct error e = ERROR_INIT;
	struct session *first = session_of_live(job, l, recorded, seen, &e);
	int status = first ? play(job, l, first) : fail(&e);

	session_free(first);
	seen_free(seen);
	return status;
}

static int play_all(const struct replay_job *job, const struct session *s)
{
	struct loop *l = loop_new();
	int status = job->to_count > 1 ? play_both(job, l, s) : play(job, l, s);

	loop_free(l);
	return status;
}

int replay_as_client(const struct replay_job *job)
{
	int status;
	struct session *s =
		replay_load(&cmd_replay, job->file, &(struct replay_choice){.filter = job->filter},
			    &job->decode, &status);

	if (!s)
		return status;
	status = s->exchanges_count ? play_all(job, s) : replay_tell_empty(job);
	session_free(s);
	return status;
}
