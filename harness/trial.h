/* One case on trial: cluster up, subjects started, timeline to its end, everything down, judged.
 * Blocks until then; runs in a process of its own (pool.h), which has nothing else to do. */
#ifndef HARNESS_TRIAL_H
#define HARNESS_TRIAL_H

#include "harness/clients.h"
#include "harness/verdict.h"

#define TRIAL_STOP_US \
	(8 * (int64_t)1000000) /* a subject's time to end after SIGTERM, before SIGKILL */
#define TRIAL_PORT	 9092
#define TRIAL_PATH_MAX	 4096
#define TRIAL_TAIL_LINES 10

struct trial_config {
	struct case_plan *plan;
	const struct clients *clients;
	const char *directory; /* the case's folder, which exists; files are made in it */
	bool keep_all;	       /* exchanges.jsonl also of a case that passed */
};

/* What is to be told of one subject. */
struct subject_outcome {
	struct str name, program;
	bool started, running; /* running: had to be killed in the end */
	int status, signal_number;
	struct str tail[TRIAL_TAIL_LINES];
	int32_t tail_count;
};

struct trial {
	struct arena arena;
	struct outcome outcome;
	struct checks checks;
	struct judgement *judgements;
	int32_t judgements_count;
	struct rule_outcome *rules;
	int32_t rules_count;
	struct subject_outcome *subjects;
	int32_t subjects_count;
	struct str mistake; /* of a wrong scenario: the complaint with its line; else null */
	int64_t started_us, took_us; /* wall clock; duration */
	uint64_t exchanges, connections;
	int64_t stall_us;
	bool interrupted;
};

/* Runs the case and fills *ret_trial, whatever happens; to be released. */
void trial_run(const struct trial_config *config, struct trial *ret_trial);
void trial_release(struct trial *t);

#endif
