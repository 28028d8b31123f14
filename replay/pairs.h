/* A recorded message and a live one, walked in step: what stands in both meets, elements of arrays
 * by what identifies them (a topic's name or id, a partition's number, a member's id, ...), and
 * what has no counterpart is told as such. Fields that one of the two versions lacks are passed
 * over. */
#ifndef REPLAY_PAIRS_H
#define REPLAY_PAIRS_H

#include "replay/variables.h"

enum pair_kind {
	PAIR_VALUE,  /* a value that both have */
	PAIR_ARRAY,  /* an array begins: recorded and live are its counts (int32_t, -1 null) */
	PAIR_STRUCT, /* a struct that both have begins, an element or a nullable one */
	PAIR_GONE,   /* an element or nullable struct that only the recorded one has */
	PAIR_NEW,    /* ... that only the live one has */
};

/* The way to a value, from its end. */
struct pair_step {
	const struct pair_step *up;
	const struct schema_field *field;
	int32_t index;	    /* of the element (recorded, of a new one live); -1: no element */
	const void *holder; /* of a struct element: itself, on the side that has it */
	enum side side;	    /* whose */
};

struct pair {
	enum pair_kind kind;
	const struct schema_field *field;
	enum role role;
	const struct holder *recorded_in, *live_in; /* the structs that hold it */
	void *recorded, *live; /* as the structs hold it; NULL on the side that lacks it */
	const struct pair_step *step;
};

/* Of an array or struct: false means that what is in it is of no interest. */
typedef bool pair_visitor(void *user, const struct pair *p);

struct pairs {
	struct variables *v;
	int64_t peer;
	pair_visitor *visit;
	void *user;
};

void pairs_each(const struct pairs *p, const struct holder *recorded, const struct holder *live);

/* True if a field identifies an element of an array of its schema. */
bool pairs_is_key(const struct schema *s, const struct schema_field *f);

#endif
