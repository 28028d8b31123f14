/* The tables behind the words of the scenario language: what a table may hold. The checker reads
 * them, and docs/scenarios.md is written from them. */
#ifndef HARNESS_WORDS_H
#define HARNESS_WORDS_H

#include "harness/plan.h"

#include <stdio.h>

enum key_kind { KEY_TEXT, KEY_NUMBER, KEY_FLAG, KEY_DURATION, KEY_TABLE, KEY_SETTING };

struct key {
	const char *name;
	enum key_kind kind; /* KEY_SETTING: text, number, flag or a topic */
	int64_t min, max;   /* of KEY_NUMBER */
	const char *what;   /* one line */
};

/* A word, and the keys of the table that it takes; ends with a row whose name is NULL. */
struct word {
	const char *name;
	const char *form; /* "client(NAME, {...})" */
	const char *what;
	const struct key *keys; /* NULL: it takes no table */
};

const struct word *words_all(void);

/* The arguments that a client of a kind may be given (flags of its program); ends with a NULL name.
 */
const struct key *words_args(enum speaks speaks);

#endif
