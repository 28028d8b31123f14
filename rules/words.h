/* The small lexis of rules: words with their columns, and the values that they spell: whole
 * numbers, ranges, times, rates. */
#ifndef RULES_WORDS_H
#define RULES_WORDS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* One word of a rule. A quoted value keeps its blanks and loses its quotes. */
struct word {
	struct str text;
	int32_t column; /* of its first character, from 0 */
};

struct words {
	struct word *at;
	int32_t count, next; /* next: the first that is not taken yet */
	int32_t end_column;
};

#define WORDS_MAX     256
#define RULE_TEXT_MAX 8192

/* Splits at blanks; "->" is a word of its own wherever it stands outside quotes and brackets. 0, or
 * ERR_USAGE. Words lie in the arena. */
int words_split(struct str text, struct arena *arena, struct words *ret_words, struct error *e);

/* The next word without taking it; a null text at the end. */
struct word words_peek(const struct words *w);
struct word words_take(struct words *w);

struct range {
	int64_t from, to;
};

/* Each reads a whole word and is false for anything else (results then untouched). */
bool parse_int(struct str text, int64_t min, int64_t max, int64_t *ret_value);
/* "3", "3..5" */
bool parse_range(struct str text, int64_t min, int64_t max, struct range *ret_range);
/* "250us", "20ms", "1.5s", "2m", "1h" in µs; at most a day */
bool parse_time(struct str text, int64_t *ret_us);
/* "1000", "64k", "64KiB", "1MiB", each also with "/s"; k and M are powers of 1024 too */
bool parse_size(struct str text, int64_t *ret_bytes);
/* "0.25" or "25%", in [0, 1] */
bool parse_share(struct str text, double *ret_share);

/* The first element of a comma-separated list, cut off from *rest; false at its end. */
bool list_next(struct str *rest, struct str *ret_element);

#endif
