/* Two answers to the same question, compared by meaning: elements of arrays by what identifies them
 * and in any order, batches by their records, ids and offsets through the map of variables, and
 * without what never is the same twice. One table (compare.c) says what is passed over, docs/
 * replay.md says it to people. */
#ifndef REPLAY_COMPARE_H
#define REPLAY_COMPARE_H

#include "base/arena.h"
#include "base/error.h"
#include "replay/session.h"
#include "replay/variables.h"

#define DIFFERENCES_MAX 64  /* kept of one pair of answers; more are counted */
#define IGNORED_MAX	256 /* paths */

enum difference_kind {
	DIFFERENCE_VALUE,
	DIFFERENCE_GONE, /* the live answer lacks it */
	DIFFERENCE_NEW,	 /* the recorded answer lacks it */
};

/* Texts live in the arena of the differences. */
struct difference {
	enum difference_kind kind;
	struct str path; /* "topics[orders].partitions[0].leaderEpoch" */
	struct str name; /* the same without what identifies elements, after the API's name:
			    "Metadata.topics.partitions.leaderEpoch", as --ignore takes it */
	struct str recorded, live; /* for people; null on the side that lacks it */
};

struct differences {
	struct difference items[DIFFERENCES_MAX];
	int32_t count, more;
	struct arena *arena;
};

struct compare;

struct compare *compare_new(struct variables *v);
void compare_free(struct compare *c); /* NULL is fine */

/*
 * Passes over a field from now on: "Metadata.topics.partitions.isrNodes", with all that is in it;
 * or a field's name alone, of any answer: "isrNodes". [..] behind a name is allowed and means
 * nothing. Returns 0, or ERR_USAGE with *e: what is wrong and what may have been meant.
 */
int compare_ignore(struct compare *c, struct str path, struct error *e);

/* How many live brokers there are: a partition can't have more replicas. 0: not known. */
void compare_set_brokers(struct compare *c, int32_t count);

/* What the recording knows at some time may be there sooner live: topics and their partitions. The
 * session must outlive c. */
void compare_set_session(struct compare *c, const struct session *s);

/* One of the two answers. */
struct answer {
	int version;		      /* at which it stands */
	const void *body;	      /* the generated struct */
	const struct holder *request; /* of its side; may be NULL */
};

/* Fills ret (count and more from zero; its arena is the caller's). Returns how many there are in
 * all. */
int32_t compare_answers(struct compare *c, int api_key, int64_t peer, const struct answer *recorded,
			const struct answer *live, struct differences *ret);

/* True if one of the two paths leads to where the other does, or into it. */
bool difference_related(const struct difference *a, const struct difference *b);

#endif
