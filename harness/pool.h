/* Many cases: each in a process of its own, so many side by side as asked. Whatever becomes of one,
 * the others and this process live on, and nothing that any of them started is left at the end, a
 * Ctrl-C included. */
#ifndef HARNESS_POOL_H
#define HARNESS_POOL_H

#include "harness/report.h"

#define POOL_JOBS_MAX	64
#define POOL_RESULT_MAX ((size_t)16 << 20) /* bytes of one case's renderings */

struct known;

/* One case to be run. */
struct job {
	struct case_plan *plan;
	int32_t repetition, repetitions;
};

/* What came out of it. Texts live during the call that hands it over. */
struct job_result {
	const struct job *job;
	enum verdict verdict;
	int64_t took_us;
	struct str reason, text, junit, json;
	struct str fails;   /* names that it failed by, one a line (known.h) */
	const char *folder; /* where its files are */
};

struct pool_config {
	const struct job *jobs;
	int32_t jobs_count;
	int32_t side_by_side; /* 1..POOL_JOBS_MAX */
	const struct clients *clients;
	const char *out;	   /* folder; made if absent */
	const struct known *known; /* NULL: none */
	bool keep_all;		   /* also the files of passed cases */
	bool flows;	     /* each case's flow.json, which a page needs (flow.h); it stays */
	bool fail_fast;	     /* begin no case after a failed one */
	const char *options; /* what a command that repeats a case needs beside scenario, case and
				seed; "" none */
	/* In the order in which they end. */
	void (*on_result)(void *ctx, const struct job_result *r);
	void *ctx;
};

struct pool_outcome {
	int32_t counts[VERDICT_COUNT];
	bool interrupted;
};

/* Runs all; 0, or ERR_OS with *e when the out folder can't be made. */
int pool_run(const struct pool_config *config, struct pool_outcome *ret_outcome, struct error *e);

#endif
