/* Fields of generated structs reached through their descriptors: for what is said once about all
 * APIs (faults, facts). */
#ifndef MOCK_FIELDS_H
#define MOCK_FIELDS_H

#include "protocol/schema.h"

static inline void *field_at(const struct schema_field *f, const void *msg)
{
	return (char *)(uintptr_t)msg + f->offset;
}

static inline int32_t *field_count(const struct schema_field *f, const void *msg)
{
	return (int32_t *)(void *)((char *)(uintptr_t)msg + f->count_offset);
}

static inline void *field_array(const struct schema_field *f, const void *msg)
{
	return *(void **)field_at(f, msg);
}

/* True for an array of structs in this version. */
static inline bool field_is_table(const struct schema_field *f, int version)
{
	return f->array && f->type == FIELD_STRUCT && field_in(f, version);
}

static inline struct schema_field const *field_next(const struct schema *s,
						    const struct schema_field *f)
{
	f = f ? f + 1 : s->fields;
	return f < s->fields + s->field_count ? f : NULL;
}

/* The place of an array's element i. */
static inline void *field_element(const struct schema_field *f, const void *msg, int32_t i)
{
	return (char *)field_array(f, msg) + (size_t)i * f->child->size;
}

/* What a field is called by that says which topic, or which partition, a struct is about. */
bool field_names_topic(const struct schema_field *f);
bool field_names_partition(const struct schema_field *f);

/* Where a struct of a message stands: the topic and partition of the innermost fields that say. */
struct place {
	struct str topic; /* null: not known */
	struct uuid topic_id;
	int32_t partition; /* -1 */
};

/* p seen from inside one struct of it. */
struct place place_enter(struct place p, const struct schema *s, int version, const void *msg);

#endif
