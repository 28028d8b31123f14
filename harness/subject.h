/* A subject: a program of the client under test, as a child process in a process group of its own.
 * Its standard output is read as lines, both outputs are kept in files, and whatever becomes of it,
 * nothing that it started outlives subjects_end.
 *
 * The process that uses this becomes a subreaper (Linux): orphans of a subject become its children
 * and are found. */
#ifndef HARNESS_SUBJECT_H
#define HARNESS_SUBJECT_H

#include "base/buf.h"
#include "base/error.h"
#include "net/loop.h"

#include <sys/types.h>

#define SUBJECT_LINE_MAX                                                         \
	((size_t)1 << 20) /* a longer line is kept in the file but not handed on \
			   */
#define SUBJECT_OUTPUT_MAX \
	((size_t)256 << 20) /* bytes of each output that are kept; the rest is read and dropped */
#define SUBJECT_TAIL_MAX 20 /* last lines that are remembered */
#define SUBJECTS_MAX	 300

struct subjects;
struct subject;

struct subject_config {
	const char *name;
	const char *program;	  /* path of an executable */
	char *const *argv;	  /* NULL at the end; argv[0] included */
	char *const *environment; /* KEY=VALUE, NULL at the end: beside the process's own, whose
				     values they replace */
	const char *directory;	  /* working folder; NULL: ours */
	const char *out_path, *err_path; /* where the outputs are appended */
	/* A line of standard output without its end. */
	void (*on_line)(void *ctx, struct subject *s, struct str line);
	/* It has ended, and everything that it printed was handed on. */
	void (*on_end)(void *ctx, struct subject *s);
	void *ctx;
};

/* Watches over all subjects of a case. One at a time in a process. */
struct subjects *subjects_new(struct loop *loop);
/* Kills what is left (as subjects_kill) and frees. */
void subjects_free(struct subjects *all);

/* Starts a program. NULL with ERR_OS when it can't be started, a failed exec included (e->text says
 * why). Owned by all. */
struct subject *subject_start(struct subjects *all, const struct subject_config *config,
			      struct error *e);

bool subject_runs(const struct subject *s);
/* The errno of a write that failed, so that its outputs are not kept whole; 0 if all went well. */
int subject_problem(const struct subject *s);
/* Of one that has ended: its exit status, or 128 + the signal that ended it. */
int subject_status(const struct subject *s);
/* The signal that ended it, or 0. */
int subject_signal_number(const struct subject *s);
/* To its whole process group; nothing if it has ended. */
void subject_signal(struct subject *s, int number);
/* How many are running. */
int subjects_running(const struct subjects *all);
/* A signal to the process group of each that runs. */
void subjects_signal(struct subjects *all, int number);
/* SIGKILL to every descendant of this process, groups and sessions regardless, until none is left;
 * reaps them. Returns how many there were. */
int subjects_kill(struct subjects *all);

/* Runs body in a child process of ours, which ends with it and with its parent. The child's id, or
 * -1. */
pid_t subjects_fork(void (*body)(void *ctx), void *ctx);

/* The last lines of its outputs together, oldest first; index from 0. NULL past the end. */
const char *subject_tail(const struct subject *s, int index);
const char *subject_name(const struct subject *s);

#endif
