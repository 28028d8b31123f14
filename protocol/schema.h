/* Descriptors of messages: what schemac makes of the .msg files in protocol/messages and what every
 * interpreter (codec, walk, path, compare, JSON) reads. All are constant tables; nobody makes one
 * at run time.
 *
 * The shape of the C structs that they describe:
 *   string  struct str (null: data NULL)          bytes   struct bytes (null: data NULL)
 *   uuid    struct uuid                           records struct records (null: data NULL)
 *   array   TYPE *name; int32_t name_count;       (null: name_count -1, name NULL)
 *   struct  the struct itself; where it can be null a pointer to it (null: NULL; a default that is
 * not null points to the constant X_defaults: put another pointer there, never write through it)
 *   each struct that can carry tags ends with     struct unknown_tags *unknown_tags; (NULL: none)
 */
#ifndef PROTOCOL_SCHEMA_H
#define PROTOCOL_SCHEMA_H

#include "base/str.h"

#include <stddef.h>

#define VERSION_MAX INT16_MAX /* "and all later versions" */

enum field_type {
	FIELD_BOOL,
	FIELD_INT8,
	FIELD_INT16,
	FIELD_UINT16,
	FIELD_INT32,
	FIELD_UINT32,
	FIELD_INT64,
	FIELD_FLOAT64,
	FIELD_UUID,
	FIELD_STRING,
	FIELD_BYTES,
	FIELD_RECORDS,
	FIELD_STRUCT,
};

struct schema;

struct schema_field {
	const char *name;		/* Kafka's, lower camel case */
	const struct schema *child;	/* of a struct or array of structs */
	int16_t since, until;		/* versions that have the field */
	int16_t null_since, null_until; /* versions in which it may be null; since > until: never */
	int16_t tag;			/* -1: not tagged */
	uint16_t offset;       /* of the value, or of the array's pointer, in the C struct */
	uint16_t count_offset; /* of an array's count */
	uint8_t type;	       /* enum field_type; of an array: of its elements */
	uint8_t opcode; /* how the codec reads a value or element: a scalar's enum schema_opcode,
			   OP_VIEW (string, bytes, records) or OP_STRUCT */
	uint16_t size;	/* bytes that a value, or one element, takes in C; of a struct the struct
			   itself */
	bool array;
	bool inflexible;  /* keeps its old form in flexible versions (RequestHeader.clientId) */
	bool ignorable;	  /* may be dropped silently by a version that lacks it */
	bool pointer;	  /* a struct held by pointer, because it can be null */
	bool has_default; /* the .msg file names a default; the others have 0, false, "" or an empty
			     array */
};

/* One step of the codec in one version: the field tables once more, without what other versions
 * have and with nothing left to decide. */
enum schema_opcode {
	OP_8, /* scalars come first; size is their width in bytes */
	OP_BOOL,
	OP_16,
	OP_32,
	OP_64,
	OP_UUID,
	OP_SCALARS, /* from here on other forms */
	OP_DEFAULT, /* size bytes of the C struct that this version does not read: they take their
		       defaults */
	OP_STRING,
	OP_COMPACT_STRING,
	OP_VIEW, /* bytes and records, compact or not */
	OP_ARRAY,
	OP_STRUCT,
	OP_POINTER,
	OP_TAGS,   /* the tagged fields' section; reading ends here */
	OP_END,	   /* or here, without one */
	OP_ABSENT, /* behind the end, for the writer: must be at its default, for this version lacks
		      it */
	OP_STOP,
};

struct schema_op {
	uint8_t code;
	uint8_t reserved;
	uint16_t size;
	uint16_t offset; /* in the C struct */
	uint16_t field;	 /* index in the schema's fields */
};

struct schema {
	const char *name; /* the C struct's name */
	const struct schema_field *fields;
	const uint16_t *tagged;		      /* indices of the tagged fields, by tag */
	const void *defaults;		      /* a C struct with every field at its default */
	const struct schema_op *const *plans; /* of each version from since on */
	uint16_t field_count;
	uint16_t tagged_count;
	uint16_t size; /* sizeof the C struct */
	uint16_t unknown_tags_offset;
	uint16_t wire_min;	/* fewest bytes that one takes in any version; at least 1 */
	int16_t flexible_since; /* VERSION_MAX: never */
	int16_t since, until;	/* versions in which one can occur */
};

enum message_kind { MESSAGE_REQUEST, MESSAGE_RESPONSE, MESSAGE_DATA, MESSAGE_KEY, MESSAGE_VALUE };

struct message {
	const char *name; /* as the .msg file has it: "Produce" for both directions of an API */
	const struct schema *schema;
	enum message_kind kind;
	int16_t key;		/* API key; of a key or value the record type; -1 for data */
	int16_t since, until;	/* versions known, unstable ones included */
	int16_t unstable_since; /* VERSION_MAX: none is unstable */
};

/* One tagged field that the schema does not know. */
struct unknown_tag {
	uint32_t tag;
	struct bytes data;
};

struct unknown_tags {
	int32_t count;
	struct unknown_tag tags[];
};

#define API_KEY_MAX 127

/* The message of an API, or NULL. kind is MESSAGE_REQUEST or MESSAGE_RESPONSE. */
const struct message *message_of_api(int api_key, enum message_kind kind);

/* A message by its name in the .msg files (case matters) and kind, or NULL. */
const struct message *message_find(struct str name, enum message_kind kind);

/* All messages in a fixed order: APIs by key (request before response), then the rest. */
const struct message *message_all(size_t *ret_count);

/* The name of an API, or NULL. */
const char *api_name(int api_key);

/* Key of an API by name or by number in text; -1 if there is none. */
int api_find(struct str name_or_key);

static inline bool schema_flexible(const struct schema *s, int version)
{
	return version >= s->flexible_since;
}

static inline bool field_in(const struct schema_field *f, int version)
{
	return version >= f->since && version <= f->until;
}

/* Bytes that a value of the field, or one element of an array, takes in C. */
static inline size_t field_size(const struct schema_field *f)
{
	return f->size;
}

static inline bool field_nullable(const struct schema_field *f, int version)
{
	return version >= f->null_since && version <= f->null_until;
}

/* The field with that name in a schema, or NULL. */
const struct schema_field *schema_find(const struct schema *s, struct str name);

/* The field of that version whose name is nearest to a mistyped one, for "did you mean"; NULL if
 * none is near. */
const struct schema_field *schema_nearest(const struct schema *s, int version, struct str name);

#endif
