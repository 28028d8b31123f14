/* Child processes: started so that a failed exec is told from a failing program, read without
 * blocking, ended without leftovers. Between fork and exec only async-signal-safe calls are made.
 * What the lines mean is left to whoever takes them. */
#include "harness/subject.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 65536
#define READS_AT_ONCE                                                               \
	16 /* then the loop has its turn: a flood of output must not stop the clock \
	    */
#define KILL_ROUNDS_MAX 2000 /* of KILL_WAIT_MS each */
#define KILL_WAIT_MS	2
#define PIDS_FIRST	1024

extern char **environ;

/* One output: a pipe that is read, a file that keeps it. */
struct output {
	struct subject *subject;
	int fd;	  /* -1 after the end */
	int file; /* -1: not kept */
	size_t kept;
	int problem; /* errno of what could not be kept; 0 */
	struct loop_watch *watch;
	struct buf line; /* of standard output: what came since the last line end */
	bool is_out, skipping;
};

struct subject {
	struct subjects *all;
	struct subject_config config; /* name is ours, the rest of the texts was used up */
	char *name;
	pid_t pid;
	bool running;
	int wait_status;
	struct output out, err;
	char *tail[SUBJECT_TAIL_MAX]; /* a ring */
	int tail_at, tail_count;
	struct subject *next;
};

struct subjects {
	struct loop *loop;
	struct loop_watch *child_watch;
	struct subject *first;
	int count;
};

/* ---- what it says ---- */

static void remember(struct subject *s, const char *line, size_t len)
{
	char *copy = strndup(line, len > 1000 ? 1000 : len);

	if (!copy)
		abort();
	free(s->tail[s->tail_at]);
	s->tail[s->tail_at] = copy;
	s->tail_at = (s->tail_at + 1) % SUBJECT_TAIL_MAX;
	s->tail_count += s->tail_count < SUBJECT_TAIL_MAX;
}

const char *subject_tail(const struct subject *s, int index)
{
	if (index >= s->tail_count)
		return NULL;
	return s->tail[(s->tail_at - s->tail_count + index + SUBJECT_TAIL_MAX) % SUBJECT_TAIL_MAX];
}

static void end_line(struct output *o)
{
	struct subject *s = o->subject;
	struct str line = {(const char *)o->line.data, (int32_t)o->line.len};

	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len && !o->skipping) {
		remember(s, line.data, (size_t)line.len);
		if (o->is_out && s->config.on_line)
			s->config.on_line(s->config.ctx, s, line);
	}
	o->skipping = false;
	buf_reset(&o->line);
}

static void take(struct output *o, const uint8_t *data, size_t n)
{
	for (size_t at = 0; at < n;) {
		const uint8_t *end = memchr(data + at, '\n', n - at);
		size_t len = end ? (size_t)(end - data) - at : n - at;

		buf_add(&o->line, data + at, len);
		o->skipping |= o->line.bad;
		if (end)
			end_line(o);
		at += len + (end != NULL);
	}
}

static void keep(struct output *o, const uint8_t *data, size_t n)
{
	size_t room = SUBJECT_OUTPUT_MAX - o->kept;
	ssize_t wrote;

	if (o->file < 0 || !room)
		return;
	n = n < room ? n : room;
	while (n && ((wrote = write(o->file, data, n)) > 0 || (wrote < 0 && errno == EINTR))) {
		o->kept += wrote > 0 ? (size_t)wrote : 0;
		data += wrote > 0 ? wrote : 0;
		n -= wrote > 0 ? (size_t)wrote : 0;
	}
	if (n && !o->problem)
		o->problem = errno;
}

static void close_output(struct output *o)
{
	if (o->fd < 0)
		return;
	loop_watch_free(o->watch);
	o->watch = NULL;
	close(o->fd);
	o->fd = -1;
	if (o->line.len)
		end_line(o);
	if (o->file >= 0)
		close(o->file);
	o->file = -1;
}

/* Reads what is there, as far as one turn may go; closes at the end of the input. */
static void read_output(struct output *o)
{
	uint8_t data[READ_SIZE];
	ssize_t n;

	for (int i = 0; o->fd >= 0 && (n = read(o->fd, data, sizeof(data))) != 0; i++) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* EAGAIN: more may come */
		keep(o, data, (size_t)n);
		take(o, data, (size_t)n);
		if (i >= READS_AT_ONCE)
			return;
	}
	close_output(o);
}

static void on_readable(void *ctx)
{
	read_output(ctx);
}

/* ---- its end ---- */

static void finish(struct subject *s, int wait_status)
{
	s->running = false;
	s->wait_status = wait_status;
	read_output(&s->out);
	read_output(&s->err);
	/* What is still open is held by a grandchild; it goes on being read until the case ends. */
	if (s->config.on_end)
		s->config.on_end(s->config.ctx, s);
}

static void reap(struct subjects *all)
{
	int wait_status;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
		for (struct subject *s = all ? all->first : NULL; s; s = s->next)
			if (s->pid == pid && s->running)
				finish(s, wait_status);
}

static void on_child(void *ctx)
{
	reap(ctx);
}

bool subject_runs(const struct subject *s)
{
	return s->running;
}

int subject_status(const struct subject *s)
{
	assert(!s->running);
	return WIFSIGNALED(s->wait_status) ? 128 + WTERMSIG(s->wait_status)
					   : WEXITSTATUS(s->wait_status);
}

int subject_signal_number(const struct subject *s)
{
	return !s->running && WIFSIGNALED(s->wait_status) ? WTERMSIG(s->wait_status) : 0;
}

int subject_problem(const struct subject *s)
{
	return s->out.problem ? s->out.problem : s->err.problem;
}

void subject_signal(struct subject *s, int number)
{
	if (s->running)
		kill(-s->pid, number);
}

int subjects_running(const struct subjects *all)
{
	int n = 0;

	for (const struct subject *s = all->first; s; s = s->next)
		n += s->running;
	return n;
}

void subjects_signal(struct subjects *all, int number)
{
	for (struct subject *s = all->first; s; s = s->next)
		subject_signal(s, number);
}

/* ---- its whole tree ---- */

/* Every process and its parent, from /proc. */
struct process {
	pid_t pid, parent;
	bool ours;
};

static bool read_process(const char *name, struct process *ret_process)
{
	char path[64], text[512], *end;
	FILE *in;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
	in = fopen(path, "re");
	if (!in)
		return false;
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	end = strrchr(text, ')'); /* the name before it may hold anything */
	*ret_process = (struct process){.pid = (pid_t)strtol(name, NULL, 10)};
	return end && sscanf(end, ") %*c %d", &ret_process->parent) == 1;
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* In the order of their numbers; *ret_list is to be freed. */
static size_t read_processes(struct process **ret_list)
{
	DIR *dir = opendir("/proc");
	struct process *list = NULL;
	struct dirent *d;
	size_t n = 0, cap = 0;

	while (dir && (d = readdir(dir))) {
		if (n == cap) {
			cap = cap ? cap * 2 : PIDS_FIRST;
			list = realloc(list, cap * sizeof(*list));
			if (!list)
				abort();
		}
		if (isdigit((unsigned char)d->d_name[0]) && read_process(d->d_name, &list[n]))
			n++;
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(list, n, sizeof(*list), by_pid);
	*ret_list = list;
	return n;
}

/* Marks the descendants of this process; how many there are. */
static int mark_descendants(struct process *list, size_t n)
{
	int found = 0, before = -1;

	while (found != before) {
		before = found;
		for (size_t i = 0; i < n; i++) {
			const struct process like = {.pid = list[i].parent}, *parent;

			parent = bsearch(&like, list, n, sizeof(*list), by_pid);
			if (list[i].ours || !(like.pid == getpid() || (parent && parent->ours)))
				continue;
			list[i].ours = true;
			found++;
		}
	}
	return found;
}

static int kill_descendants(void)
{
	struct process *list;
	size_t n = read_processes(&list);
	int found = mark_descendants(list, n);

	for (size_t i = 0; i < n; i++)
		if (list[i].ours)
			kill(list[i].pid, SIGKILL);
	free(list);
	return found;
}

int subjects_kill(struct subjects *all)
{
	int most = 0;

	for (int round = 0; round < KILL_ROUNDS_MAX; round++) {
		int found = kill_descendants();

		reap(all);
		most = found > most ? found : most;
		if (!found)
			break;
		poll(NULL, 0, KILL_WAIT_MS);
	}
	for (struct subject *s = all ? all->first : NULL; s; s = s->next) {
		close_output(&s->out);
		close_output(&s->err);
	}
	return most;
}

/* ---- its start ---- */

/* Ours, with the given ones in place of those of the same name. To be freed (the list alone). */
static char **merge_environment(char *const *given)
{
	size_t ours = 0, extra = 0, n = 0;
	char **list;

	while (environ[ours])
		ours++;
	while (given && given[extra])
		extra++;
	list = calloc(ours + extra + 1, sizeof(*list));
	if (!list)
		abort();
	for (size_t i = 0; i < ours; i++) {
		size_t name = strcspn(environ[i], "=") + 1;
		bool replaced = false;

		for (size_t k = 0; k < extra; k++)
			replaced |= !strncmp(environ[i], given[k], name);
		if (!replaced)
			list[n++] = environ[i];
	}
	for (size_t k = 0; k < extra; k++)
		list[n++] = given[k];
	return list;
}

struct child_setup {
	const struct subject_config *config;
	char **environment;
	int in, out, err, status;
	pid_t parent;
};

/* In the child. Says the errno of what failed through the status pipe, which a good exec closes. */
static _Noreturn void become(const struct child_setup *c)
{
	sigset_t none;
	int problem;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	if (dup2(c->in, 0) >= 0 && dup2(c->out, 1) >= 0 && dup2(c->err, 2) >= 0 &&
	    (!c->config->directory || !chdir(c->config->directory))) {
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		execve(c->config->program, c->config->argv, c->environment);
	}
	problem = errno;
	(void)!write(c->status, &problem, sizeof(problem));
	_exit(127);
}

static int open_output(struct output *o, struct subject *s, const char *path, bool is_out,
		       int *ret_write_end)
{
	int ends[2];

	*o = (struct output){.subject = s, .fd = -1, .file = -1, .is_out = is_out};
	buf_init(&o->line, SUBJECT_LINE_MAX);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	o->fd = ends[0];
	*ret_write_end = ends[1];
	if (path)
		o->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	return path && o->file < 0 ? -1 : 0;
}

/* Forks; 0 once the program runs, else the errno of what failed. */
static int spawn(struct subject *s, int out_end, int err_end)
{
	struct child_setup c = {
		.config = &s->config, .out = out_end, .err = err_end, .parent = getpid()};
	int status[2], problem = 0;
	ssize_t n;

	c.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (c.in < 0 || pipe2(status, O_CLOEXEC) < 0)
		return errno;
	c.status = status[1];
	c.environment = merge_environment(s->config.environment);
	s->pid = fork();
	if (s->pid == 0)
		become(&c);
	if (s->pid < 0)
		problem = errno;
	else
		setpgid(s->pid, s->pid); /* also here: whoever comes first */
	free(c.environment);
	close(c.in);
	close(status[1]);
	do
		n = s->pid > 0 ? read(status[0], &problem, sizeof(problem)) : 0;
	while (n < 0 && errno == EINTR);
	close(status[0]);
	if (s->pid > 0 && problem)
		waitpid(s->pid, NULL, 0);
	return problem;
}

static void subject_release(struct subject *s)
{
	close_output(&s->out);
	close_output(&s->err);
	buf_release(&s->out.line);
	buf_release(&s->err.line);
	for (int i = 0; i < SUBJECT_TAIL_MAX; i++)
		free(s->tail[i]);
	free(s->name);
	free(s);
}

/* Everything up to the running program; errno's value, or 0. */
static int launch(struct subject *s)
{
	int out_end = -1, err_end = -1, problem = 0;

	if (open_output(&s->out, s, s->config.out_path, true, &out_end) < 0 ||
	    open_output(&s->err, s, s->config.err_path, false, &err_end) < 0)
		problem = errno;
	else
		problem = spawn(s, out_end, err_end);
	if (out_end >= 0)
		close(out_end);
	if (err_end >= 0)
		close(err_end);
	return problem;
}

struct subject *subject_start(struct subjects *all, const struct subject_config *config,
			      struct error *e)
{
	struct subject *s, **last = &all->first;
	int problem;

	if (all->count == SUBJECTS_MAX) {
		error_set(e, ERR_LIMIT, "more than %d programs were started in one case",
			  SUBJECTS_MAX);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->all = all;
	s->config = *config;
	s->name = strdup(config->name);
	s->out.fd = s->out.file = s->err.fd = s->err.file = -1;
	problem = launch(s);
	if (problem) {
		error_set(e, ERR_OS, "can't run %s: %s", config->program, strerror(problem));
		s->config.on_line = NULL;
		subject_release(s);
		return NULL;
	}
	s->running = true;
	s->out.watch = loop_watch_fd(all->loop, s->out.fd, on_readable, &s->out);
	s->err.watch = loop_watch_fd(all->loop, s->err.fd, on_readable, &s->err);
	while (*last)
		last = &(*last)->next;
	*last = s;
	all->count++;
	return s;
}

pid_t subjects_fork(void (*body)(void *ctx), void *ctx)
{
	pid_t pid, parent = getpid();

	pid = fork();
	if (pid)
		return pid;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent)
		body(ctx);
	_exit(0);
}

const char *subject_name(const struct subject *s)
{
	return s->name;
}

struct subjects *subjects_new(struct loop *loop)
{
	struct subjects *all = calloc(1, sizeof(*all));

	if (!all)
		abort();
	all->loop = loop;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	all->child_watch = loop_watch_signal(loop, SIGCHLD, on_child, all);
	return all;
}

void subjects_free(struct subjects *all)
{
	struct subject *s, *next;

	if (!all)
		return;
	for (s = all->first; s; s = s->next) {
		s->config.on_line = NULL;
		s->config.on_end = NULL;
	}
	subjects_kill(all);
	loop_watch_free(all->child_watch);
	for (s = all->first; s; s = next) {
		next = s->next;
		subject_release(s);
	}
	free(all);
}
