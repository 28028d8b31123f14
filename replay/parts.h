/* What a request asks about, part by part: a Produce of three partitions has three parts, an
 * OffsetFetch of two groups as many as these have partitions. A part has a key, which says what it
 * is about in the recording's words and the same way in every version of the API; parts with equal
 * keys of a recorded and a live request ask the same. Which arrays hold parts is read from the
 * tables: those of topics, partitions, groups, ... that stand in request and answer alike. */
#ifndef REPLAY_PARTS_H
#define REPLAY_PARTS_H

#include "base/arena.h"
#include "replay/leaves.h"
#include "replay/variables.h"

struct part {
	struct bytes key;
	const struct holder *in; /* the innermost struct that it stands in; of a plain element (a
				    partition's number) the one that holds its array */
	const struct schema_field *plain; /* that array; NULL */
	int32_t element;		  /* index in it */
};

struct parts {
	struct part *list;
	size_t count;
};

/* Where a message comes from. */
struct parts_of {
	int api_key;
	enum message_kind kind;
	int version;
	void *body;
	const struct holder *around; /* of an answer: its request */
	enum side side;
};

/* All parts, in order; at least one, which is the message as a whole where it has no others. In the
 * arena, where holders and keys lie, too; false when it is full. */
bool parts_list(const struct variables *v, const struct parts_of *of, struct arena *arena,
		struct parts *ret);

/* True if the array holds parts of that API's messages. */
bool parts_in(int api_key, const struct schema *s, const struct schema_field *f);

/* True if the field says what its part is about. */
bool parts_identify(int api_key, const struct schema *s, const struct schema_field *f);

/* True if an answer's part is what was asked for: the keys are equal, or all of a kind was asked
 * for and this is one of them. */
bool parts_covers(struct bytes asked, struct bytes answered);

/* "topic orders partition 0", "group g": a key for people. */
struct buf;
void parts_key_text(struct bytes key, struct buf *out);

/* Whether the key names the thing of that role. */
bool parts_key_names(struct bytes key, enum role role, struct str name);

/* Topic and partition of a key; false if it has not both. */
bool parts_key_partition(struct bytes key, struct str *ret_topic, int32_t *ret_partition);

#endif
