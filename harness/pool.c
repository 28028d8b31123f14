/* Cases as processes. A case's process runs the trial, writes its folder, and sends its renderings
 * through a pipe: one header, then the texts. A process that dies without them is an error of ours,
 * told as such. The parent is a subreaper too, so that what a dead case left behind comes to it and
 * is killed. */
#include "harness/pool.h"

#include "harness/flow.h"
#include "harness/known.h"
#include "harness/subject.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_ROUNDS 1200 /* of DRAIN_MS: how long interrupted cases may take to end */
#define DRAIN_MS     10
/* A case's process ends itself; one that has not, so long after its last moment, hangs. */
#define OVERDUE_US (TRIAL_STOP_US + 60 * (int64_t)1000000)

/* The header of what a case's process sends; the texts follow. */
struct sent {
	int32_t verdict, interrupted;
	int64_t took_us;
	uint32_t reason, text, junit, json, fails;
};

struct worker {
	pid_t pid; /* 0: free */
	int fd;
	const struct job *job;
	int64_t end_us; /* mono: it must have ended by then */
	struct buf got;
};

struct pool {
	const struct pool_config *config;
	struct pool_outcome *outcome;
	struct worker workers[POOL_JOBS_MAX];
	char out[PATH_MAX]; /* absolute */
	int32_t next;
	int running;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* ---- in a case's process ---- */

static void plain_name(char *name)
{
	for (; *name; name++)
		if (*name == '/' || *name == ' ')
			*name = '-';
}

static int make_folders(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return mkdir(path, 0777) && errno != EEXIST ? -1 : 0;
}

static bool stays(const char *name)
{
	return !strcmp(name, "result.json") || !strcmp(name, FLOW_FILE);
}

/* Files of a case, all or but for those that always stay. */
static void empty_folder(const char *path, bool all)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.' && (all || !stays(d->d_name)))
			unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
}

static void case_folder(const struct pool *p, const struct job *job, char *ret_path, size_t size)
{
	char label[300], name[300];
	const char *seen = label;

	clients_label(p->config->clients, label, sizeof(label));
	plain_name(label);
	seen += strspn(label, ".-"); /* "./mine" is no hidden folder */
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(job->plan->case_name));
	plain_name(name);
	snprintf(ret_path, size, "%s/%s/" STR_FMT "/%s/%d", p->out, *seen ? seen : "here",
		 STR_ARG(job->plan->scenario->name), name, job->repetition);
}

static void again(const struct pool *p, const struct job *job, struct buf *out)
{
	const struct scenario *s = job->plan->scenario;

	buf_printf(out, "ktrial run %s%s", s->source.path, p->config->options);
	for (int32_t i = 0; i < s->axes_count; i++)
		buf_printf(out, " --case " STR_FMT "=" STR_FMT, STR_ARG(s->axes[i].key),
			   STR_ARG(scenario_case_value(s, job->plan->case_index, i)->text));
	buf_printf(out, " --seed %llu", (unsigned long long)job->plan->seed);
}

/* 0 or errno. */
static int write_file(const char *folder, const char *name, const struct buf *b)
{
	char path[PATH_MAX + 2000];
	int problem = 0;
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "we");
	if (!out)
		return errno;
	if (b->bad)
		problem = EFBIG;
	else if (fwrite(b->data, 1, b->len, out) != b->len)
		problem = errno;
	if (fclose(out) && !problem)
		problem = errno;
	return problem;
}

static void send_all(int fd, const void *data, size_t n)
{
	const char *at = data;
	ssize_t sent;

	while (n && ((sent = write(fd, at, n)) > 0 || errno == EINTR)) {
		at += sent > 0 ? sent : 0;
		n -= sent > 0 ? (size_t)sent : 0;
	}
}

/* Renderings of a case, each a buffer. */
struct renderings {
	struct buf command, text, junit, json, fails;
};

static void send_result(int fd, const struct trial *t, const struct renderings *r)
{
	size_t reason = strlen(t->outcome.reason);
	struct sent head = {
		.verdict = (int32_t)t->outcome.verdict,
		.interrupted = t->interrupted,
		.took_us = t->took_us,
		.reason = (uint32_t)reason,
		.text = (uint32_t)r->text.len,
		.junit = (uint32_t)r->junit.len,
		.json = (uint32_t)r->json.len,
		.fails = (uint32_t)r->fails.len,
	};

	send_all(fd, &head, sizeof(head));
	send_all(fd, t->outcome.reason, reason);
	send_all(fd, r->text.data, r->text.len);
	send_all(fd, r->junit.data, r->junit.len);
	send_all(fd, r->json.data, r->json.len);
	send_all(fd, r->fails.data, r->fails.len);
}

/* A case whose evidence can't be read has no flow: its page says so. */
static void write_flow(const char *folder)
{
	struct error e = ERROR_INIT;
	struct buf flow;

	buf_init(&flow, POOL_RESULT_MAX);
	if (flow_write(folder, &flow, &e) == 0)
		write_file(folder, FLOW_FILE, &flow);
	buf_release(&flow);
}

static void render(const struct pool *p, const struct job *job, struct trial *t, const char *folder,
		   struct renderings *r)
{
	char label[300];
	struct report_context c = {.plan = job->plan,
				   .trial = t,
				   .client = label,
				   .directory = folder,
				   .repetition = job->repetition,
				   .repetitions = job->repetitions};
	int problem;

	clients_label(p->config->clients, label, sizeof(label));
	known_fails(t, &r->fails);
	if (p->config->known)
		known_apply(p->config->known, job->plan, t);
	again(p, job, &r->command);
	c.command = buf_cstr(&r->command);
	c.files_kept = p->config->keep_all || !verdict_good(t->outcome.verdict);
	report_json(&c, &r->json);
	problem = write_file(folder, "result.json", &r->json);
	if (problem && t->outcome.verdict != VERDICT_FAIL) {
		t->outcome.verdict = VERDICT_ENVIRONMENT;
		snprintf(t->outcome.reason, sizeof(t->outcome.reason), "no result.json: %s",
			 strerror(problem));
	}
	report_text(&c, &r->text);
	report_junit(&c, &r->junit);
	if (p->config->flows && t->outcome.verdict != VERDICT_SKIPPED)
		write_flow(folder);
	if (!c.files_kept)
		empty_folder(folder, false);
}

static void tell_parent(const struct pool *p, const struct job *job, struct trial *t,
			const char *folder, int fd)
{
	struct renderings r;
	struct buf *all[] = {&r.command, &r.text, &r.junit, &r.json, &r.fails};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_init(all[i], POOL_RESULT_MAX / 5);
	render(p, job, t, folder, &r);
	send_result(fd, t, &r);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_release(all[i]);
}

static void run_case(const struct pool *p, const struct job *job, int fd)
{
	char folder[PATH_MAX + 1000];
	struct trial_config config = {.plan = job->plan,
				      .clients = p->config->clients,
				      .directory = folder,
				      .keep_all = p->config->keep_all};
	struct trial trial;

	case_folder(p, job, folder, sizeof(folder));
	if (make_folders(folder))
		return;		  /* the parent tells that nothing came */
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	empty_folder(folder, true);
	trial_run(&config, &trial);
	tell_parent(p, job, &trial, folder, fd);
	trial_release(&trial);
}

/* ---- in the parent ---- */

struct birth {
	const struct pool *pool;
	const struct job *job;
	int ends[2];
};

static void live(void *ctx)
{
	struct birth *b = ctx;

	close(b->ends[0]);
	run_case(b->pool, b->job, b->ends[1]);
}

/* 0, or the errno of what failed: then w is free still. */
static int begin(struct pool *p, struct worker *w, const struct job *job)
{
	struct birth b = {.pool = p, .job = job};
	int problem;

	if (pipe2(b.ends, O_CLOEXEC) < 0)
		return errno;
	fflush(NULL);
	w->pid = subjects_fork(live, &b);
	problem = w->pid < 0 ? errno : 0;
	close(b.ends[1]);
	if (problem) {
		close(b.ends[0]);
		w->pid = 0;
		return problem;
	}
	fcntl(b.ends[0], F_SETFL, O_NONBLOCK);
	w->fd = b.ends[0];
	w->job = job;
	w->end_us = clock_now().mono_us + job->plan->scenario->timeout_us + OVERDUE_US;
	buf_init(&w->got, POOL_RESULT_MAX);
	p->running++;
	return 0;
}

static void hand_over(struct pool *p, struct job_result *r)
{
	char folder[PATH_MAX + 1000];

	case_folder(p, r->job, folder, sizeof(folder));
	r->folder = folder;
	p->outcome->counts[r->verdict]++;
	p->config->on_result(p->config->ctx, r);
}

/* A case of which nothing is known but why. */
static void tell_unknown(struct pool *p, const struct job *job, const char *reason)
{
	struct job_result r = {.job = job, .verdict = VERDICT_ENVIRONMENT};
	char text[1000];

	snprintf(text, sizeof(text), "%-12s " STR_FMT " [" STR_FMT "]  %s\n",
		 verdict_name(r.verdict), STR_ARG(job->plan->scenario->name),
		 STR_ARG(job->plan->case_name), reason);
	r.reason = str_of(reason);
	r.text = str_of(text);
	r.junit = str_of("");
	r.json = str_of("");
	r.fails = str_of("");
	hand_over(p, &r);
}

/* Its process died before it could tell. */
static void tell_dead(struct pool *p, const struct worker *w, int wait_status)
{
	char reason[200];

	snprintf(reason, sizeof(reason), "the case's own process ended with %s %d and told nothing",
		 WIFSIGNALED(wait_status) ? "signal" : "status",
		 WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
	tell_unknown(p, w->job, reason);
}

static struct str cut(const struct buf *b, size_t *at, uint32_t len)
{
	struct str s = {(const char *)b->data + *at, (int32_t)len};

	*at += len;
	return s;
}

static void tell(struct pool *p, const struct worker *w, int wait_status)
{
	struct job_result r = {.job = w->job};
	size_t at = sizeof(struct sent);
	struct sent head;

	if (w->got.len < sizeof(head)) {
		tell_dead(p, w, wait_status);
		return;
	}
	memcpy(&head, w->got.data, sizeof(head));
	if (w->got.len != at + head.reason + head.text + head.junit + head.json + head.fails) {
		tell_dead(p, w, wait_status);
		return;
	}
	if (head.interrupted) {
		interrupted = 1;
		return;
	}
	r.verdict = (enum verdict)head.verdict;
	r.took_us = head.took_us;
	r.reason = cut(&w->got, &at, head.reason);
	r.text = cut(&w->got, &at, head.text);
	r.junit = cut(&w->got, &at, head.junit);
	r.json = cut(&w->got, &at, head.json);
	r.fails = cut(&w->got, &at, head.fails);
	hand_over(p, &r);
}

static void end(struct pool *p, struct worker *w)
{
	int wait_status = 0;

	close(w->fd);
	while (waitpid(w->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	tell(p, w, wait_status);
	buf_release(&w->got);
	*w = (struct worker){0};
	p->running--;
}

/* Reads what a worker sent; its end of file is its end. */
static void take(struct pool *p, struct worker *w)
{
	uint8_t data[65536];
	ssize_t n;

	while ((n = read(w->fd, data, sizeof(data))) > 0)
		buf_add(&w->got, data, (size_t)n);
	if (n == 0)
		end(p, w);
}

static void wait_for_some(struct pool *p, int timeout_ms)
{
	struct pollfd fds[POOL_JOBS_MAX];
	struct worker *of[POOL_JOBS_MAX];
	nfds_t n = 0;

	for (int i = 0; i < POOL_JOBS_MAX; i++)
		if (p->workers[i].pid) {
			fds[n] = (struct pollfd){.fd = p->workers[i].fd, .events = POLLIN};
			of[n++] = &p->workers[i];
		}
	if (poll(fds, n, timeout_ms) <= 0)
		return;
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents)
			take(p, of[i]);
}

/* What hangs is killed: its pipe ends, and it is told as one that died. */
static void kill_overdue(struct pool *p)
{
	int64_t now_us = clock_now().mono_us;

	for (int i = 0; i < POOL_JOBS_MAX; i++)
		if (p->workers[i].pid && now_us > p->workers[i].end_us)
			kill(p->workers[i].pid, SIGKILL);
}

static struct worker *free_worker(struct pool *p)
{
	for (int i = 0; i < p->config->side_by_side; i++)
		if (!p->workers[i].pid)
			return &p->workers[i];
	return NULL;
}

static bool goes_on(const struct pool *p)
{
	const int32_t *counts = p->outcome->counts;

	return !interrupted && p->next < p->config->jobs_count &&
	       !(p->config->fail_fast &&
		 (counts[VERDICT_FAIL] || counts[VERDICT_ENVIRONMENT] || counts[VERDICT_WRONG]));
}

/* After an interrupt: the cases end their subjects and themselves; who does not is killed below. */
static void drain(struct pool *p)
{
	for (int i = 0; i < POOL_JOBS_MAX; i++)
		if (p->workers[i].pid)
			kill(p->workers[i].pid, SIGTERM);
	for (int i = 0; i < DRAIN_ROUNDS && p->running; i++)
		wait_for_some(p, DRAIN_MS);
	for (int i = 0; i < POOL_JOBS_MAX; i++)
		if (p->workers[i].pid)
			kill(p->workers[i].pid, SIGKILL);
	while (p->running)
		wait_for_some(p, -1);
}

/* What can't begin while others run waits for one of them to end. */
static void begin_next(struct pool *p, struct worker *w)
{
	const struct job *job = &p->config->jobs[p->next];
	int problem = begin(p, w, job);
	char reason[200];

	if (problem && p->running) {
		wait_for_some(p, 1000);
		return;
	}
	p->next++;
	if (!problem)
		return;
	snprintf(reason, sizeof(reason), "can't begin a process for it: %s", strerror(problem));
	tell_unknown(p, job, reason);
}

static int make_out(struct pool *p, struct error *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", p->config->out);
	if (make_folders(path) || !realpath(path, p->out))
		return error_set(e, ERR_OS, "can't make the folder %s: %s", p->config->out,
				 strerror(errno));
	return 0;
}

int pool_run(const struct pool_config *config, struct pool_outcome *ret_outcome, struct error *e)
{
	struct pool *p = calloc(1, sizeof(*p));
	struct sigaction act = {.sa_handler = on_signal}, before[2];
	int rc;

	if (!p)
		abort();
	*ret_outcome = (struct pool_outcome){0};
	p->config = config;
	p->outcome = ret_outcome;
	assert(config->side_by_side >= 1 && config->side_by_side <= POOL_JOBS_MAX);
	rc = make_out(p, e);
	interrupted = 0;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigaction(SIGINT, &act, &before[0]);
	sigaction(SIGTERM, &act, &before[1]);
	while (!rc && (p->running || goes_on(p))) {
		struct worker *w = goes_on(p) ? free_worker(p) : NULL;

		if (w)
			begin_next(p, w);
		else if (interrupted)
			drain(p);
		else
			wait_for_some(p, 1000);
		kill_overdue(p);
	}
	subjects_kill(NULL);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
	ret_outcome->interrupted = interrupted;
	free(p);
	return rc;
}
