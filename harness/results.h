/* Results as they lie in folders: reading the result.json files of a run again, to compare two runs
 * or to make a page of them. */
#ifndef HARNESS_RESULTS_H
#define HARNESS_RESULTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "harness/verdict.h"

struct result {
	struct str client, scenario, in_case, reason, claim;
	struct str deviates; /* the first check that it deviates from; null: none */
	enum verdict verdict;
	int32_t repetition;
	char *path; /* of the file */
};

struct results {
	struct arena arena;
	struct result *list; /* by client, scenario, case, repetition */
	int32_t count;
	int32_t clients; /* how many different ones */
};

/* Reads every result.json below a folder. 0; ERR_USAGE if there is none; ERR_MALFORMED for one that
 * is no result. To be released either way. */
int results_read(struct results *r, const char *folder, struct error *e);
/* The same of certain folders, each with one result.json; one that has none is left out. */
int results_read_cases(struct results *r, char *const *folders, int32_t count, struct error *e);
void results_release(struct results *r);

/* What changed from one run to another, in words: newly failing, newly passing, gone, new. A case
 * counts by its worst repetition; if each run has one client, the clients' names need not agree.
 * Returns how many fail now that passed before. */
int32_t results_compare(const struct results *before, const struct results *after, struct buf *out);

#endif
