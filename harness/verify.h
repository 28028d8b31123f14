/* Judging captures: the checks over files that somebody recorded. Over evidence of a run the
 * scenario's own checks and rules are judged too, as its marks name them; over any other capture,
 * what the wire alone shows. */
#ifndef HARNESS_VERIFY_H
#define HARNESS_VERIFY_H

#include "harness/trial.h"

struct verify_config {
	const char *const *files;
	size_t files_count;
	const char *const *names; /* of checks; none: all that apply */
	size_t names_count;
};

/* Reads and judges; *ret_trial is to be released. 0; ERR_USAGE for a check that does not exist (did
 * you mean); what decode_files returns for a file that can't be read. outcome.verdict is PASS or
 * FAIL. */
int verify_run(const struct verify_config *config, struct trial *ret_trial, struct error *e);

#endif
