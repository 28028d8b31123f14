/* Known deviations of a client: lines of a file that say which case fails by which check, and why
 *that is known. A case that fails by nothing else is "known", not failed; an entry whose cases all
 *pass is told, so that the file can be put right.
 *
 *	SCENARIO[CASE] CHECK WHY...
 *	produce/lost-ack[idempotent=false,*] order.per_partition documented: retries reorder with
 *several in flight
 *
 * SCENARIO and CASE are glob patterns, [CASE] may be left out; CHECK is a check's name without its
 *arguments, "timeline", "crash", "rule" (it never fired), or *. # begins a comment. */
#ifndef HARNESS_KNOWN_H
#define HARNESS_KNOWN_H

#include "harness/trial.h"

#define KNOWN_MAX 1000

struct known_entry {
	struct str scenario, in_case, check, why; /* all end in NUL */
	int line;
	int32_t ran, deviated; /* cases that it is about, and those that failed by it */
};

struct known {
	struct arena arena;
	char *path;
	struct known_entry entries[KNOWN_MAX];
	int32_t count;
};

/* 0; ERR_OS if the file can't be read; ERR_MALFORMED with "FILE:LINE: ..." in e->text. k is to be
 * released either way. */
int known_read(struct known *k, const char *path, struct error *e);
void known_release(struct known *k);

/* A failed trial all of whose failures are known gets VERDICT_KNOWN. */
void known_apply(const struct known *k, const struct case_plan *plan, struct trial *t);

/* Counts a case that has ended; fails: the names that it failed by, one a line. */
void known_count(struct known *k, const struct case_plan *plan, struct str fails);

/* What a trial failed by: names of checks, "timeline", "crash", "rule", one a line. */
void known_fails(const struct trial *t, struct buf *out);

#endif
