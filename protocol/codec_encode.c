/* Structs to bytes: own bytes into a buffer that grows to its maximum, records by reference. One
 * loop over the steps that schemac planned for the version (protocol/schema.h). Owns the gather
 * list's memory. Rules of the wire: KIP-482. */
#include "protocol/codec.h"

#include "protocol/wire.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the gather list ---- */

void gather_init(struct gather *g, size_t max)
{
	*g = (struct gather){0};
	buf_init(&g->own, max);
}

void gather_release(struct gather *g)
{
	buf_release(&g->own);
	free(g->refs);
	gather_init(g, g->own.max);
}

void gather_reset(struct gather *g)
{
	buf_reset(&g->own);
	g->refs_count = 0;
	g->refs_size = 0;
}

static void gather_span(struct gather *g, struct bytes span)
{
	if (g->refs_count == g->refs_cap) {
		g->refs_cap = g->refs_cap ? g->refs_cap * 2 : 8;
		g->refs = realloc(g->refs, g->refs_cap * sizeof(*g->refs));
		if (!g->refs)
			abort();
	}
	g->refs[g->refs_count++] = (struct gather_ref){g->own.len, span};
	g->refs_size += (size_t)span.len;
}

void gather_flatten(const struct gather *g, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < g->refs_count; i++) {
		buf_add(out, g->own.data + from, g->refs[i].at - from);
		buf_add(out, g->refs[i].span.data, (size_t)g->refs[i].span.len);
		from = g->refs[i].at;
	}
	if (g->own.len > from)
		buf_add(out, g->own.data + from, g->own.len - from);
}

/* ---- room ---- */

/* at and end stand for the buffer's len and capacity while writing goes on; sync gives them back.
 */
struct writer {
	struct gather *g;
	uint8_t *at, *end;
	struct error *error; /* may be NULL */
	int code;
	int16_t version;
	bool flexible;
};

static bool encode_struct(struct writer *w, const struct schema *s, const uint8_t *obj);

static bool fail(struct writer *w, int code, const struct schema_field *f, const char *what)
{
	w->code = code;
	error_at(w->error, code, ERROR_NO_OFFSET, f ? f->name : NULL, "%s", what);
	return false;
}

static bool unwind(struct writer *w, const struct schema_field *f, int32_t index)
{
	return error_within(w->error, f->name, index);
}

static void sync(struct writer *w)
{
	w->g->own.len = (size_t)(w->at - w->g->own.data);
}

static bool grow(struct writer *w, size_t n)
{
	struct buf *b = &w->g->own;

	if (w->at)
		sync(w);
	if (!buf_room(b, n)) {
		w->code = ERR_LIMIT;
		error_set(w->error, ERR_LIMIT, "the encoded message passes %zu bytes", b->max);
		return false;
	}
	w->at = b->data + b->len;
	w->end = b->data + (b->cap < b->max ? b->cap : b->max);
	return true;
}

static inline bool room(struct writer *w, size_t n)
{
	return (size_t)(w->end - w->at) >= n || grow(w, n);
}

/* ---- lengths and values ---- */

static bool put_uvarint(struct writer *w, uint32_t v)
{
	if (!room(w, (size_t)wire_uvarint_size(v)))
		return false;
	w->at += wire_put_uvarint(w->at, v);
	return true;
}

/* len -1 is null. */
static bool put_length(struct writer *w, const struct schema_field *f, bool array, bool element,
		       int64_t len)
{
	if (len < 0 && (element || !field_nullable(f, w->version)))
		return fail(w, ERR_MALFORMED, NULL, "null where this version allows none");
	if (f->type == FIELD_STRING && !array && len > INT16_MAX)
		return fail(w, ERR_MALFORMED, NULL, "a string longer than 32767 bytes");
	if (w->flexible && !f->inflexible)
		return put_uvarint(w, (uint32_t)(len + 1));
	if (!room(w, 4))
		return false;
	if (f->type == FIELD_STRING && !array) {
		wire_put16(w->at, (uint16_t)len);
		w->at += 2;
	} else {
		wire_put32(w->at, (uint32_t)len);
		w->at += 4;
	}
	return true;
}

static inline void store_scalar(const uint8_t *from, uint8_t *p, enum schema_opcode code)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (code) {
	case OP_8:
	case OP_BOOL:
		*p = *from;
		break;
	case OP_16:
		memcpy(&v16, from, 2);
		wire_put16(p, v16);
		break;
	case OP_32:
		memcpy(&v32, from, 4);
		wire_put32(p, v32);
		break;
	case OP_64:
		memcpy(&v64, from, 8);
		wire_put64(p, v64);
		break;
	default:
		memcpy(p, from, sizeof(struct uuid));
		break;
	}
}

static bool put_bytes(struct writer *w, struct bytes span, bool by_reference)
{
	if (by_reference && span.len >= GATHER_REF_MIN) {
		sync(w);
		gather_span(w->g, span);
		return true;
	}
	if (!room(w, (size_t)span.len))
		return false;
	memcpy(w->at, span.data, (size_t)span.len);
	w->at += span.len;
	return true;
}

static bool put_view(struct writer *w, const struct schema_field *f, bool element,
		     const uint8_t *from)
{
	const struct bytes *view = (const struct bytes *)(const void *)from;
	const struct records *records = (const struct records *)(const void *)from;

	if (!put_length(w, f, false, element, view->data ? view->len : -1))
		return false;
	if (!view->data)
		return true;
	if (f->type != FIELD_RECORDS || !records->span_count)
		return put_bytes(w, *view, f->type == FIELD_RECORDS);
	for (int32_t i = 0; i < records->span_count; i++)
		if (!put_bytes(w, ((const struct bytes *)(const void *)records->data)[i], true))
			return false;
	return true;
}

static bool put_elements(struct writer *w, const struct schema_field *f, const uint8_t *from,
			 int32_t count)
{
	size_t step = f->size;
	enum schema_opcode code = f->opcode;

	if (code < OP_SCALARS) {
		if (!room(w, (size_t)count * step))
			return false;
		for (int32_t i = 0; i < count; i++, from += step, w->at += step)
			store_scalar(from, w->at, code);
		return true;
	}
	for (int32_t i = 0; i < count; i++, from += step)
		if (!(code == OP_STRUCT ? encode_struct(w, f->child, from)
					: put_view(w, f, true, from)))
			return unwind(w, f, i);
	return true;
}

static bool put_array(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	int32_t count = *(const int32_t *)(const void *)(obj + f->count_offset);

	if (!put_length(w, f, true, false, count))
		return unwind(w, f, -1);
	return count <= 0 ||
	       put_elements(w, f, *(uint8_t *const *)(const void *)(obj + f->offset), count);
}

/* One byte before a struct that can be null: see decode_null_mark. */
static bool put_pointer(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	const uint8_t *child = *(uint8_t *const *)(const void *)(obj + f->offset);
	bool nullable = field_nullable(f, w->version);

	if (!child && !nullable)
		return fail(w, ERR_MALFORMED, f, "null where this version allows none");
	if (!room(w, 1))
		return false;
	if (nullable)
		*w->at++ = child ? 1 : f->tag >= 0 ? 0 : 0xff;
	return !child || encode_struct(w, f->child, child) || unwind(w, f, -1);
}

/* ---- tagged fields ---- */

static bool put_field(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	enum schema_opcode code = f->opcode;

	if (f->array)
		return put_array(w, f, obj);
	if (f->pointer)
		return put_pointer(w, f, obj);
	if (code == OP_STRUCT)
		return encode_struct(w, f->child, obj + f->offset) || unwind(w, f, -1);
	if (code == OP_VIEW)
		return put_view(w, f, false, obj + f->offset) || unwind(w, f, -1);
	if (!room(w, f->size))
		return false;
	store_scalar(obj + f->offset, w->at, code);
	w->at += f->size;
	return true;
}

/* Moves the payload that starts at `from` to make room for its size before it. */
static bool insert_size(struct writer *w, size_t from, size_t refs_from, size_t payload)
{
	size_t n = (size_t)wire_uvarint_size((uint32_t)payload);
	uint8_t *start;

	if (!room(w, n))
		return false;
	start = w->g->own.data + from;
	memmove(start + n, start, (size_t)(w->at - start));
	wire_put_uvarint(start, (uint32_t)payload);
	w->at += n;
	for (size_t i = refs_from; i < w->g->refs_count; i++)
		w->g->refs[i].at += n;
	return true;
}

static bool put_tagged(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	size_t refs_from = w->g->refs_count, refs_size = w->g->refs_size, from;

	if (!put_uvarint(w, (uint32_t)f->tag))
		return false;
	from = (size_t)(w->at - w->g->own.data);
	return put_field(w, f, obj) &&
	       insert_size(w, from, refs_from,
			   (size_t)(w->at - w->g->own.data) - from + w->g->refs_size - refs_size);
}

static bool put_unknown(struct writer *w, const struct unknown_tag *u)
{
	return put_uvarint(w, u->tag) && put_uvarint(w, (uint32_t)u->data.len) &&
	       put_bytes(w, u->data, false);
}

/* The known fields that are not at their default, as bits by their place in s->tagged. */
static uint64_t tags_set(struct writer *w, const struct schema *s, const uint8_t *obj)
{
	uint64_t set = 0;

	assert(s->tagged_count <= 64);
	for (uint16_t i = 0; i < s->tagged_count; i++)
		if (field_in(&s->fields[s->tagged[i]], w->version) &&
		    !codec_field_is_default(s, &s->fields[s->tagged[i]], obj))
			set |= 1ull << i;
	return set;
}

static bool encode_tags(struct writer *w, const struct schema *s, const uint8_t *obj)
{
	const struct unknown_tags *unknown =
		*(struct unknown_tags *const *)(const void *)(obj + s->unknown_tags_offset);
	int32_t next = 0, unknown_count = unknown ? unknown->count : 0;
	uint64_t set = s->tagged_count ? tags_set(w, s, obj) : 0;

	if (!set && !unknown_count && room(w, 1)) {
		*w->at++ = 0;
		return true;
	}
	if (!put_uvarint(w, (uint32_t)(unknown_count + __builtin_popcountll(set))))
		return false;
	for (uint16_t i = 0; set >> i && i < s->tagged_count; i++) {
		const struct schema_field *f = &s->fields[s->tagged[i]];

		if (!(set >> i & 1))
			continue;
		while (next < unknown_count && unknown->tags[next].tag < (uint32_t)f->tag)
			if (!put_unknown(w, &unknown->tags[next++]))
				return false;
		if (!put_tagged(w, f, obj))
			return false;
	}
	while (next < unknown_count)
		if (!put_unknown(w, &unknown->tags[next++]))
			return false;
	return true;
}

/* ---- structs ---- */

/* What the version lacks must not be lost. */
static bool check_absent(struct writer *w, const struct schema *s, const struct schema_op *op,
			 const uint8_t *obj)
{
	for (; op->code == OP_ABSENT; op++)
		if (!codec_field_is_default(s, &s->fields[op->field], obj))
			return fail(w, ERR_UNSUPPORTED, &s->fields[op->field],
				    "set, but this version has no such field");
	if (!w->flexible && s->flexible_since != VERSION_MAX &&
	    *(struct unknown_tags *const *)(const void *)(obj + s->unknown_tags_offset))
		return fail(w, ERR_UNSUPPORTED, NULL,
			    "tagged fields set, but this version carries none");
	return true;
}

static inline bool encode_other(struct writer *w, const struct schema *s,
				const struct schema_op *op, const uint8_t *obj)
{
	const struct schema_field *f = &s->fields[op->field];

	switch ((enum schema_opcode)op->code) {
	case OP_DEFAULT:
		return true;
	case OP_STRING:
	case OP_COMPACT_STRING:
	case OP_VIEW:
		return put_view(w, f, false, obj + op->offset) || unwind(w, f, -1);
	case OP_ARRAY:
		return put_array(w, f, obj);
	case OP_STRUCT:
		return encode_struct(w, f->child, obj + op->offset) || unwind(w, f, -1);
	default:
		return put_pointer(w, f, obj);
	}
}

/* A short string, the common case: bytes written, or 0. */
static inline size_t short_string(const struct str *s, uint8_t *at, const uint8_t *end)
{
	if (!s->data || s->len > 0x7e || end - at <= s->len)
		return 0;
	*at = (uint8_t)(s->len + 1);
	memcpy(at + 1, s->data, (size_t)s->len);
	return (size_t)s->len + 1;
}

static bool encode_struct(struct writer *w, const struct schema *s, const uint8_t *obj)
{
	const struct schema_op *op = s->plans[w->version - s->since];
	size_t n;

	for (; op->code < OP_TAGS; op++) {
		if (op->code >= OP_SCALARS) {
			n = op->code == OP_COMPACT_STRING
				    ? short_string((const void *)(obj + op->offset), w->at, w->end)
				    : 0;
			w->at += n;
			if (!n && !encode_other(w, s, op, obj))
				return false;
			continue;
		}
		if (!room(w, op->size))
			return false;
		store_scalar(obj + op->offset, w->at, op->code);
		w->at += op->size;
	}
	if (op->code == OP_TAGS && !encode_tags(w, s, obj))
		return false;
	return op[1].code == OP_STOP && op->code == OP_TAGS ? true
							    : check_absent(w, s, op + 1, obj);
}

int codec_encode(const struct schema *s, int version, const void *msg, struct gather *g,
		 struct error *e)
{
	struct writer w = {
		.g = g,
		.error = e,
		.version = (int16_t)version,
		.flexible = schema_flexible(s, version),
	};

	if (version < s->since || version > s->until)
		return error_set(e, ERR_UNSUPPORTED, "version %d is not known", version);
	if (g->own.bad || g->own.len >= g->own.cap) {
		if (!grow(&w, 0))
			return w.code;
	} else {
		w.at = g->own.data + g->own.len;
		w.end = g->own.data + (g->own.cap < g->own.max ? g->own.cap : g->own.max);
	}
	if (!encode_struct(&w, s, msg))
		return w.code;
	sync(&w);
	return 0;
}
