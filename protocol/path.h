/* Paths into messages: "topicData[0].partitionData[*].index", read against a schema and used on
 * decoded structs. */
#ifndef PROTOCOL_PATH_H
#define PROTOCOL_PATH_H

#include "base/arena.h"
#include "base/error.h"
#include "protocol/schema.h"

#define PATH_STEPS_MAX	 8
#define PATH_ANY_VERSION (-1)

enum { PATH_NO_INDEX = -1, PATH_EVERY = -2 };

struct path_step {
	const struct schema_field *field;
	int32_t index; /* of the element, PATH_EVERY for [*], PATH_NO_INDEX where the field is no
			  array */
};

struct path {
	const struct schema *schema;
	struct path_step steps[PATH_STEPS_MAX];
	int32_t count;
	int16_t since, until; /* versions in which every step exists; since > until: none */
};

/*
 * Reads a path whose end is a value (number, bool, uuid, string, bytes, records), not an array or
 * struct. version may be PATH_ANY_VERSION: then every field must exist in some version. Returns 0,
 * or ERR_USAGE with *e: what is wrong, the versions that do have the field, the field or path that
 * was meant.
 */
int path_parse(const struct schema *s, int version, struct str text, struct path *ret_path,
	       struct error *e);

/* The field at the path's end. */
static inline const struct schema_field *path_leaf(const struct path *p)
{
	return p->steps[p->count - 1].field;
}

/* One value that a path led to. index: the elements chosen at each array step, in order. value: as
 * the struct holds it (protocol/schema.h). Returns false to end the iteration. */
typedef bool path_visitor(void *user, const struct schema_field *field, void *value,
			  const int32_t *index);

/* Visits every value that the path leads to in msg (a struct of p->schema); indices beyond an
 * array, and null on the way, lead nowhere. Returns how many were visited. */
int path_each(const struct path *p, void *msg, path_visitor *visit, void *user);

/* The first value, or NULL. */
const void *path_get(const struct path *p, const void *msg);

/*
 * Sets every value that the path leads to from text: numbers in decimal, true or false, uuid as
 * Kafka prints it, strings as they are, bytes and records in hex; "null" where the version allows
 * null. Views go to a copy in the arena. Returns how many were set, or ERR_USAGE with *e (nothing
 * is then set).
 */
int path_set(const struct path *p, int version, void *msg, struct str text, struct arena *a,
	     struct error *e);

/* True if text could be set at the path's end: the same reading as path_set's, for checking a rule
 * before it is needed. Else *e. */
bool path_accepts(const struct path *p, struct str text, struct error *e);

/* True if a value equals what text says, read as path_set reads it; strings and "null" compare
 * exactly. */
bool path_value_is(const struct schema_field *field, const void *value, struct str text);

#endif
