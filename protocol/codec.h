/* Bytes to structs and back, for one message body at one version; headers are messages like others
 * (protocol/frame.h). */
#ifndef PROTOCOL_CODEC_H
#define PROTOCOL_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "protocol/schema.h"

/* Sets every field of a struct to its default. */
void codec_init(const struct schema *s, void *ret_msg);

/*
 * Decodes one struct from the start of data. Strings, bytes and records in ret_msg are views into
 * data; arrays and unknown tags are in the arena. Fields that the version lacks hold their
 * defaults. Returns the number of bytes used (trailing bytes are the caller's to judge), or a
 * negative code with *e saying offset and field: ERR_TRUNCATED, ERR_MALFORMED, ERR_LIMIT (arena
 * full). ret_msg is undefined on failure.
 */
int64_t codec_decode(const struct schema *s, int version, struct bytes data, struct arena *arena,
		     void *ret_msg, struct error *e);

/* An encoded message: own bytes, and spans of somebody else's (records) that go between them. */
struct gather_ref {
	size_t at; /* offset in own.data before which the span goes */
	struct bytes span;
};

struct gather {
	struct buf own;
	struct gather_ref *refs;
	size_t refs_count, refs_cap;
	size_t refs_size; /* sum of the spans */
};

#define GATHER_REF_MIN 512 /* spans of records shorter than this are copied */

void gather_init(struct gather *g, size_t max);
void gather_release(struct gather *g);
void gather_reset(struct gather *g);
static inline size_t gather_size(const struct gather *g)
{
	return g->own.len + g->refs_size;
}
/* Appends everything in order to out. */
void gather_flatten(const struct gather *g, struct buf *out);

/*
 * Appends the encoding of msg to g. Records are taken by reference and must live until g is used
 * up. Returns 0, or a negative code with *e: ERR_MALFORMED for null where the version forbids it, a
 * value too long for its length field, or a field that the version lacks, is not ignorable and is
 * not at its default (ERR_UNSUPPORTED); ERR_LIMIT when g is full.
 */
int codec_encode(const struct schema *s, int version, const void *msg, struct gather *g,
		 struct error *e);

/* True if a field of s holds its default in msg (deeply). */
bool codec_field_is_default(const struct schema *s, const struct schema_field *f, const void *msg);

/* True if all fields equal (deeply, unknown tags included). */
bool codec_equal(const struct schema *s, const void *a, const void *b);

/* Names the difference: the path of the first field that differs among those the version has,
 * written to ret_path (always NUL-terminated); true if equal. */
bool codec_compare(const struct schema *s, int version, const void *a, const void *b,
		   char *ret_path, size_t path_size);

#endif
