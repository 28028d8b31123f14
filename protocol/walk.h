/* Bytes to events: a walk over one message (or any struct) that takes its bytes in any slices,
 * keeps an explicit stack and never more than one short value. It reads the same tables as the
 * codec and agrees with it on every value and every error. */
#ifndef PROTOCOL_WALK_H
#define PROTOCOL_WALK_H

#include "base/buf.h"
#include "base/error.h"
#include "protocol/schema.h"

#define WALK_DEPTH_MAX 16 /* structs and arrays inside each other; no message comes near */
#define WALK_STRING_MAX \
	INT16_MAX /* a longer string is malformed; so much may be buffered, no more */
#define WALK_SIZE_UNKNOWN INT64_MAX

enum walk_kind {
	WALK_STRUCT, /* a struct begins: the message itself (field NULL), a field, an element */
	WALK_STRUCT_END,
	WALK_ARRAY, /* an array that is not null begins; value.integer elements follow */
	WALK_ARRAY_END,
	WALK_VALUE,	  /* a number, bool, uuid or string */
	WALK_NULL,	  /* null in the place of a string, bytes, records, struct or array */
	WALK_DATA,	  /* bytes or records begin; value.integer bytes follow */
	WALK_UNKNOWN_TAG, /* a tagged field that the schema lacks; tag says which; as WALK_DATA */
	WALK_CHUNK,	  /* some of them: value.bytes */
	WALK_DATA_END,	  /* all of them passed, handed on or skipped */
	WALK_TRAILING,	  /* bytes behind the message; told by walk_end */
};

struct walk_event {
	enum walk_kind kind;
	uint32_t tag; /* of WALK_UNKNOWN_TAG and its chunks */
	const struct schema_field
		*field; /* NULL: the message itself, unknown tags, trailing bytes */
	int32_t index;	/* of an element; -1 elsewhere */
	int64_t offset; /* first byte, its length prefix included, from the start of the message */
	int64_t size; /* bytes on the wire; 0 of WALK_STRUCT and WALK_ARRAY, whose ends tell it; of
			 WALK_DATA the prefix alone */
	union {
		int64_t integer; /* bool and all widths */
		double real;
		struct uuid uuid;
		struct str str;	    /* valid during the call only */
		struct bytes bytes; /* valid during the call only */
	} value;
};

/* What a handler wants next. */
enum walk_want {
	WALK_ON,
	WALK_SKIP, /* answer to WALK_DATA or WALK_UNKNOWN_TAG: no chunks, please */
	WALK_STOP, /* enough: no more events; the rest is only counted */
};

struct walk;

typedef enum walk_want walk_handler(void *user, const struct walk *w,
				    const struct walk_event *event);

/* One level: a struct (schema set) or an array. */
struct walk_level {
	const struct schema *schema;
	const struct schema_field *field; /* by which we came here; NULL: the message */
	const struct schema_field *at;	  /* the tagged field at work */
	const struct schema_op *op;	  /* of a struct: the step at work */
	int32_t index;			  /* as an element; -1: none */
	int32_t count, next;		  /* of an array: elements, and the one at work */
	int64_t start;			  /* offset */
	int64_t outer_limit;		  /* what to return to behind a tagged field */
	uint32_t tags_left;
	uint8_t state;
};

struct walk {
	walk_handler *on_event;
	void *user;
	const uint8_t *slice, *at, *end; /* end: of the slice, or of what may be read of it */
	const uint8_t *slice_end;
	int64_t base;	     /* offset of slice in the message */
	int64_t fed;	     /* bytes fed or skipped before this slice */
	int64_t message_end; /* once done */
	int64_t limit; /* offset behind which nothing may be read: of the message or tagged field */
	int64_t size;  /* of the message, or WALK_SIZE_UNKNOWN */
	int64_t data_left; /* bytes still to pass of what WALK_DATA began */
	struct walk_event data;
	struct buf carry; /* the begun value that a slice ended in */
	size_t need;	  /* bytes that it takes (so far as we know) */
	int32_t depth;
	int16_t version;
	bool flexible, in_data, skipping, stopped, done;
	int code; /* negative once broken */
	struct walk_level levels[WALK_DEPTH_MAX];
};

/* size: bytes of the message where that is known (a frame's length says it): then lengths and
 * counts that can't fit are refused at once, as the codec does; else WALK_SIZE_UNKNOWN. No memory
 * is taken before a slice ends inside a value. */
void walk_init(struct walk *w, const struct schema *s, int version, int64_t size,
	       walk_handler *on_event, void *user);
void walk_release(struct walk *w);

/*
 * Takes the next slice, of any length. Returns how many bytes behind it are wanted by nobody
 * (records being skipped, all after WALK_STOP or behind the message's end; WALK_SIZE_UNKNOWN -
 * offset at most): the caller may walk_skip up to that many instead of feeding them. Or a negative
 * code with *e, offset and field: ERR_MALFORMED, or ERR_TRUNCATED where something can't fit in the
 * size that was said; the walk then stays broken.
 */
int64_t walk_feed(struct walk *w, struct bytes slice, struct error *e);

/* Passes n bytes that walk_feed said nobody wants. */
void walk_skip(struct walk *w, int64_t n);

/* The bytes have ended. 0, with WALK_TRAILING told if there were more than the message; or
 * ERR_TRUNCATED with *e, or the code that broke it. */
int walk_end(struct walk *w, struct error *e);

/* Offset of the next byte that was neither fed nor skipped. */
int64_t walk_offset(const struct walk *w);

/* "topicData[0].partitionData[2].index" of the event that is being handled, or where the walk
 * stands; always NUL-terminated. */
void walk_path(const struct walk *w, const struct walk_event *event, char *ret_path, size_t size);

#endif
