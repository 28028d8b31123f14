/* The two interpreters that the mock lives on, and equality. Each walks the field table of a struct
 * once per instance; a field's path is put together only when an error unwinds, so that the good
 * case pays nothing for it. Owns no memory but what it takes from the caller's arena and gather
 * list. Rules of the wire: KIP-482 (flexible versions). */
#include "protocol/codec.h"

#include "protocol/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- decoding ---- */

struct cursor {
	const uint8_t *start, *at, *end;
	struct arena *arena;
	struct error *error;
	int16_t version;
	bool flexible;
};

static const uint8_t fixed_size[] = {
	[FIELD_BOOL] = 1,   [FIELD_INT8] = 1,	[FIELD_INT16] = 2, [FIELD_UINT16] = 2,
	[FIELD_INT32] = 4,  [FIELD_UINT32] = 4, [FIELD_INT64] = 8, [FIELD_FLOAT64] = 8,
	[FIELD_UUID] = 16,  [FIELD_STRING] = 0, [FIELD_BYTES] = 0, [FIELD_RECORDS] = 0,
	[FIELD_STRUCT] = 0,
};

/* Size of one element as C holds it. */
static size_t element_size(const struct schema_field *f)
{
	return f->type == FIELD_STRUCT ? f->child->size
	       : fixed_size[f->type]   ? fixed_size[f->type]
				       : sizeof(struct str);
}

static bool decode_struct(struct cursor *c, const struct schema *s, uint8_t *obj);

static bool fail(struct cursor *c, int code, const char *what)
{
	error_at(c->error, code, (size_t)(c->at - c->start), NULL, "%s", what);
	return false;
}

static bool fail_short(struct cursor *c, size_t need)
{
	error_at(c->error, ERR_TRUNCATED, (size_t)(c->at - c->start), NULL,
		 "the message ends early: %zu bytes wanted, %zu left", need,
		 (size_t)(c->end - c->at));
	return false;
}

static bool unwind(struct cursor *c, const struct schema_field *f, int32_t index)
{
	return error_within(c->error, f->name, index);
}

static bool decode_uvarint(struct cursor *c, uint32_t *ret_v)
{
	int n;

	if (c->at < c->end && *c->at < 0x80) {
		*ret_v = *c->at++;
		return true;
	}
	n = wire_uvarint(c->at, c->end, ret_v);
	if (n <= 0)
		return n ? fail(c, ERR_MALFORMED, "a varint longer than 32 bits")
			 : fail_short(c, 1);
	c->at += n;
	return true;
}

static void decode_fixed(const uint8_t *p, uint8_t *obj, enum field_type type)
{
	switch (type) {
	case FIELD_BOOL:
		*(bool *)obj = *p != 0;
		break;
	case FIELD_INT8:
		*obj = *p;
		break;
	case FIELD_INT16:
	case FIELD_UINT16:
		*(uint16_t *)(void *)obj = wire_u16(p);
		break;
	case FIELD_INT32:
	case FIELD_UINT32:
		*(uint32_t *)(void *)obj = wire_u32(p);
		break;
	case FIELD_INT64:
	case FIELD_FLOAT64:
		*(uint64_t *)(void *)obj = wire_u64(p);
		break;
	default:
		memcpy(obj, p, sizeof(struct uuid));
		break;
	}
}

/* The length of a string, bytes, records or array; -1 is null. */
static bool decode_length(struct cursor *c, const struct schema_field *f, bool array,
			  int64_t *ret_len)
{
	uint32_t u;
	int64_t len;

	if (c->flexible && !f->inflexible) {
		if (!decode_uvarint(c, &u))
			return false;
		len = (int64_t)u - 1;
	} else if (f->type == FIELD_STRING && !array) {
		if (c->end - c->at < 2)
			return fail_short(c, 2);
		len = (int16_t)wire_u16(c->at);
		c->at += 2;
	} else {
		if (c->end - c->at < 4)
			return fail_short(c, 4);
		len = (int32_t)wire_u32(c->at);
		c->at += 4;
	}
	if (len < -1)
		return fail(c, ERR_MALFORMED, "a negative length");
	if (len == -1 && !field_nullable(f, c->version))
		return fail(c, ERR_MALFORMED, "null where this version allows none");
	*ret_len = len;
	return true;
}

static bool decode_view(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	struct bytes *view = (struct bytes *)(void *)obj;
	int64_t len;

	if (!decode_length(c, f, false, &len))
		return false;
	if (len < 0) {
		memset(obj, 0, sizeof(*view));
		return true;
	}
	if (c->end - c->at < len)
		return fail_short(c, (size_t)len);
	if (f->type == FIELD_STRING && len > INT16_MAX)
		return fail(c, ERR_MALFORMED, "a string longer than 32767 bytes");
	if (f->type == FIELD_RECORDS)
		*(struct records *)(void *)obj = (struct records){c->at, (int32_t)len, 0};
	else
		*view = (struct bytes){c->at, (int32_t)len};
	c->at += len;
	return true;
}

/* One element (or single value); strings inside arrays are never null, which the tables say by
 * their field. */
static bool decode_one(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	size_t size = fixed_size[f->type];

	if (size) {
		if ((size_t)(c->end - c->at) < size)
			return fail_short(c, size);
		decode_fixed(c->at, obj, f->type);
		c->at += size;
		return true;
	}
	if (f->type == FIELD_STRUCT)
		return decode_struct(c, f->child, obj);
	return decode_view(c, f, obj);
}

/* A string element of an array is not nullable even where the array is. */
static bool decode_elements(struct cursor *c, const struct schema_field *f, uint8_t *at,
			    int32_t count)
{
	size_t step = element_size(f);
	struct schema_field element;

	if (f->type == FIELD_STRUCT) {
		for (int32_t i = 0; i < count; i++, at += step)
			if (!decode_struct(c, f->child, at))
				return unwind(c, f, i);
		return true;
	}
	if (fixed_size[f->type]) {
		for (int32_t i = 0; i < count; i++, at += step, c->at += step)
			decode_fixed(c->at, at, f->type);
		return true;
	}
	element = *f;
	element.null_since = 1;
	element.null_until = 0;
	for (int32_t i = 0; i < count; i++, at += step)
		if (!decode_view(c, &element, at))
			return unwind(c, f, i);
	return true;
}

static size_t element_wire_min(const struct schema_field *f, bool flexible)
{
	if (f->type == FIELD_STRUCT)
		return f->child->wire_min;
	return fixed_size[f->type]	 ? fixed_size[f->type]
	       : flexible		 ? 1
	       : f->type == FIELD_STRING ? 2
					 : 4;
}

static bool decode_array(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	int32_t *count = (int32_t *)(void *)(obj + f->count_offset);
	uint8_t **elements = (uint8_t **)(void *)(obj + f->offset);
	int64_t len;

	if (!decode_length(c, f, true, &len))
		return unwind(c, f, -1);
	*count = (int32_t)len;
	*elements = NULL;
	if (len < 0)
		return true;
	if ((size_t)len > (size_t)(c->end - c->at) / element_wire_min(f, c->flexible)) {
		error_at(c->error, ERR_MALFORMED, (size_t)(c->at - c->start), NULL,
			 "%lld elements can't fit in the %zu bytes left", (long long)len,
			 (size_t)(c->end - c->at));
		return unwind(c, f, -1);
	}
	*elements = arena_alloc(c->arena, (size_t)len * element_size(f));
	if (!*elements) {
		fail(c, ERR_LIMIT, "the decoded message passes the memory limit of one exchange");
		return unwind(c, f, -1);
	}
	return decode_elements(c, f, *elements, (int32_t)len);
}

/* Before a struct that can be null stands one byte, -1 or 1; in a tagged field Kafka writes an
 * unsigned varint, 0 or 1. */
static bool decode_null_mark(struct cursor *c, const struct schema_field *f, bool *ret_null)
{
	uint32_t mark;

	if (f->tag >= 0) {
		if (!decode_uvarint(c, &mark))
			return false;
		*ret_null = mark == 0;
		return true;
	}
	if (c->at == c->end)
		return fail_short(c, 1);
	*ret_null = (int8_t)*c->at++ < 0;
	return true;
}

static bool decode_pointer(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	void **pointer = (void **)(void *)(obj + f->offset);
	bool null = false;

	if (field_nullable(f, c->version) && !decode_null_mark(c, f, &null))
		return false;
	*pointer = null ? NULL : arena_alloc(c->arena, f->child->size);
	if (null)
		return true;
	if (!*pointer)
		return fail(c, ERR_LIMIT,
			    "the decoded message passes the memory limit of one exchange");
	return decode_struct(c, f->child, *pointer);
}

static bool decode_field(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	if (f->array)
		return decode_array(c, f, obj);
	if (f->pointer)
		return decode_pointer(c, f, obj) || unwind(c, f, -1);
	return decode_one(c, f, obj + f->offset) || unwind(c, f, -1);
}

static const struct schema_field *tagged_field(const struct schema *s, int version, uint32_t tag)
{
	for (uint16_t i = 0; i < s->tagged_count; i++) {
		const struct schema_field *f = &s->fields[s->tagged[i]];

		if ((uint32_t)f->tag == tag && field_in(f, version))
			return f;
	}
	return NULL;
}

static bool keep_unknown(struct cursor *c, const struct schema *s, uint8_t *obj,
			 struct unknown_tag tag, uint32_t left)
{
	struct unknown_tags **slot = (struct unknown_tags **)(void *)(obj + s->unknown_tags_offset);

	if (!*slot) {
		*slot = arena_alloc(c->arena, sizeof(**slot) + (size_t)left * sizeof(tag));
		if (!*slot)
			return fail(c, ERR_LIMIT,
				    "the decoded message passes the memory limit of one exchange");
		(*slot)->count = 0;
	}
	(*slot)->tags[(*slot)->count++] = tag;
	return true;
}

static bool decode_tag(struct cursor *c, const struct schema *s, uint8_t *obj, uint32_t left)
{
	const struct schema_field *f;
	const uint8_t *end = c->end;
	uint32_t tag, size;
	bool ok;

	if (!decode_uvarint(c, &tag) || !decode_uvarint(c, &size))
		return false;
	if (size > (size_t)(c->end - c->at))
		return fail_short(c, size);
	f = tagged_field(s, c->version, tag);
	if (!f) {
		struct unknown_tag unknown = {tag, {c->at, (int32_t)size}};

		c->at += size;
		return keep_unknown(c, s, obj, unknown, left);
	}
	c->end = c->at + size;
	ok = decode_field(c, f, obj);
	if (ok && c->at != c->end) {
		ok = fail(c, ERR_MALFORMED, "a tagged field shorter than its size says");
		unwind(c, f, -1);
	}
	c->end = end;
	return ok;
}

static bool decode_tags(struct cursor *c, const struct schema *s, uint8_t *obj)
{
	uint32_t count;

	if (!decode_uvarint(c, &count))
		return false;
	if (count > (size_t)(c->end - c->at) / 2)
		return fail(c, ERR_MALFORMED, "more tags than the bytes left can hold");
	for (; count; count--)
		if (!decode_tag(c, s, obj, count))
			return false;
	return true;
}

static bool decode_struct(struct cursor *c, const struct schema *s, uint8_t *obj)
{
	memcpy(obj, s->defaults, s->size);
	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++) {
		if (!field_in(f, c->version) || f->tag >= 0)
			continue;
		if (!decode_field(c, f, obj))
			return false;
	}
	return !c->flexible || decode_tags(c, s, obj);
}

void codec_init(const struct schema *s, void *ret_msg)
{
	memcpy(ret_msg, s->defaults, s->size);
}

int64_t codec_decode(const struct schema *s, int version, struct bytes data, struct arena *arena,
		     void *ret_msg, struct error *e)
{
	struct error local = ERROR_INIT;
	struct cursor c = {
		.start = data.data,
		.at = data.data,
		.end = data.data + data.len,
		.arena = arena,
		.error = e ? e : &local,
		.version = (int16_t)version,
		.flexible = schema_flexible(s, version),
	};

	if (!decode_struct(&c, s, ret_msg))
		return c.error->code;
	return c.at - c.start;
}

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

/* ---- encoding ---- */

struct writer {
	struct gather *g;
	struct error *error;
	int16_t version;
	bool flexible;
};

static bool encode_struct(struct writer *w, const struct schema *s, const uint8_t *obj);

static bool wfail(struct writer *w, int code, const struct schema_field *f, const char *what)
{
	error_at(w->error, code, ERROR_NO_OFFSET, f ? f->name : NULL, "%s", what);
	return false;
}

static bool wunwind(struct writer *w, const struct schema_field *f, int32_t index)
{
	return error_within(w->error, f->name, index);
}

/* Room for a small value without a call on the common path. */
static inline uint8_t *room(struct writer *w, size_t n)
{
	struct buf *b = &w->g->own;

	return !b->bad && b->len + n < b->cap && b->len + n <= b->max ? b->data + b->len
								      : buf_room(b, n);
}

static void put_uvarint(struct writer *w, uint32_t v)
{
	uint8_t *p = room(w, UVARINT_SIZE_MAX);

	if (p)
		w->g->own.len += (size_t)wire_put_uvarint(p, v);
}

static void put_fixed(struct writer *w, const uint8_t *obj, enum field_type type)
{
	uint8_t *p = room(w, 16);

	if (!p)
		return;
	w->g->own.len += fixed_size[type];
	switch (type) {
	case FIELD_BOOL:
	case FIELD_INT8:
		*p = *obj;
		break;
	case FIELD_INT16:
	case FIELD_UINT16:
		wire_put16(p, *(const uint16_t *)(const void *)obj);
		break;
	case FIELD_INT32:
	case FIELD_UINT32:
		wire_put32(p, *(const uint32_t *)(const void *)obj);
		break;
	case FIELD_INT64:
	case FIELD_FLOAT64:
		wire_put64(p, *(const uint64_t *)(const void *)obj);
		break;
	default:
		memcpy(p, obj, sizeof(struct uuid));
		break;
	}
}

static bool put_length(struct writer *w, const struct schema_field *f, bool array, bool nullable,
		       int64_t len)
{
	uint8_t *p;

	if (len < 0 && !nullable)
		return wfail(w, ERR_MALFORMED, NULL, "null where this version allows none");
	if (f->type == FIELD_STRING && !array && len > INT16_MAX)
		return wfail(w, ERR_MALFORMED, NULL, "a string longer than 32767 bytes");
	if (w->flexible && !f->inflexible) {
		put_uvarint(w, (uint32_t)(len + 1));
		return true;
	}
	p = room(w, 4);
	if (!p)
		return true;
	if (f->type == FIELD_STRING && !array) {
		wire_put16(p, (uint16_t)len);
		w->g->own.len += 2;
	} else {
		wire_put32(p, (uint32_t)len);
		w->g->own.len += 4;
	}
	return true;
}

static void put_bytes(struct writer *w, struct bytes span, bool by_reference)
{
	uint8_t *p;

	if (by_reference && span.len >= GATHER_REF_MIN) {
		gather_span(w->g, span);
		return;
	}
	p = room(w, (size_t)span.len);
	if (p) {
		memcpy(p, span.data, (size_t)span.len);
		w->g->own.len += (size_t)span.len;
	}
}

static bool put_view(struct writer *w, const struct schema_field *f, bool nullable,
		     const uint8_t *obj)
{
	const struct bytes *view = (const struct bytes *)(const void *)obj;
	const struct records *records = (const struct records *)(const void *)obj;

	if (!put_length(w, f, false, nullable, view->data ? view->len : -1))
		return false;
	if (!view->data)
		return true;
	if (f->type != FIELD_RECORDS || !records->span_count) {
		put_bytes(w, *view, f->type == FIELD_RECORDS);
		return true;
	}
	for (int32_t i = 0; i < records->span_count; i++)
		put_bytes(w, ((const struct bytes *)records->data)[i], true);
	return true;
}

static bool put_array(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	int32_t count = *(const int32_t *)(const void *)(obj + f->count_offset);
	const uint8_t *at = *(uint8_t *const *)(const void *)(obj + f->offset);
	size_t step = element_size(f);

	if (!put_length(w, f, true, field_nullable(f, w->version), count))
		return wunwind(w, f, -1);
	for (int32_t i = 0; i < count; i++, at += step) {
		if (f->type == FIELD_STRUCT) {
			if (!encode_struct(w, f->child, at))
				return wunwind(w, f, i);
		} else if (fixed_size[f->type]) {
			put_fixed(w, at, f->type);
		} else if (!put_view(w, f, false, at)) {
			return wunwind(w, f, i);
		}
	}
	return true;
}

static bool put_pointer(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	const uint8_t *child = *(uint8_t *const *)(const void *)(obj + f->offset);
	bool nullable = field_nullable(f, w->version);

	if (!child && !nullable)
		return wfail(w, ERR_MALFORMED, f, "null where this version allows none");
	if (nullable)
		put_fixed(w,
			  (const uint8_t *)(child	  ? "\x01"
					    : f->tag >= 0 ? "\0"
							  : "\xff"),
			  FIELD_INT8);
	return !child || encode_struct(w, f->child, child) || wunwind(w, f, -1);
}

static bool put_field(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	if (f->array)
		return put_array(w, f, obj);
	if (f->pointer)
		return put_pointer(w, f, obj);
	if (f->type == FIELD_STRUCT)
		return encode_struct(w, f->child, obj + f->offset) || wunwind(w, f, -1);
	if (fixed_size[f->type]) {
		put_fixed(w, obj + f->offset, f->type);
		return true;
	}
	return put_view(w, f, field_nullable(f, w->version), obj + f->offset) || wunwind(w, f, -1);
}

static bool field_equal(const struct schema_field *f, const uint8_t *a, const uint8_t *b);

bool codec_field_is_default(const struct schema *s, const struct schema_field *f, const void *msg)
{
	return field_equal(f, msg, s->defaults);
}

/* Moves the payload that starts at `from` to make room for its size before it. */
static void insert_size(struct writer *w, size_t from, size_t refs_from, size_t payload)
{
	struct buf *b = &w->g->own;
	size_t own = b->len - from;
	int n = wire_uvarint_size((uint32_t)payload);

	if (!buf_room(b, (size_t)n))
		return;
	memmove(b->data + from + n, b->data + from, own);
	wire_put_uvarint(b->data + from, (uint32_t)payload);
	b->len += (size_t)n;
	for (size_t i = refs_from; i < w->g->refs_count; i++)
		w->g->refs[i].at += (size_t)n;
}

static bool put_tagged(struct writer *w, const struct schema_field *f, const uint8_t *obj)
{
	size_t before, refs_from = w->g->refs_count, refs_size = w->g->refs_size;

	put_uvarint(w, (uint32_t)f->tag);
	before = w->g->own.len;
	if (!put_field(w, f, obj))
		return false;
	insert_size(w, before, refs_from, w->g->own.len - before + w->g->refs_size - refs_size);
	return true;
}

static void put_unknown(struct writer *w, const struct unknown_tag *u)
{
	put_uvarint(w, u->tag);
	put_uvarint(w, (uint32_t)u->data.len);
	buf_add(&w->g->own, u->data.data, (size_t)u->data.len);
}

static bool encode_tags(struct writer *w, const struct schema *s, const uint8_t *obj)
{
	const struct unknown_tags *unknown =
		*(struct unknown_tags *const *)(const void *)(obj + s->unknown_tags_offset);
	int32_t next = 0, unknown_count = unknown ? unknown->count : 0;
	uint32_t count = (uint32_t)unknown_count;
	uint64_t set = 0;

	for (uint16_t i = 0; i < s->tagged_count; i++) {
		const struct schema_field *f = &s->fields[s->tagged[i]];

		assert(i < 64);
		if (!field_in(f, w->version) || codec_field_is_default(s, f, obj))
			continue;
		set |= 1ull << i;
		count++;
	}
	put_uvarint(w, count);
	for (uint16_t i = 0; i < s->tagged_count; i++) {
		const struct schema_field *f = &s->fields[s->tagged[i]];

		if (!(set >> i & 1))
			continue;
		while (next < unknown_count && unknown->tags[next].tag < (uint32_t)f->tag)
			put_unknown(w, &unknown->tags[next++]);
		if (!put_tagged(w, f, obj))
			return false;
	}
	while (next < unknown_count)
		put_unknown(w, &unknown->tags[next++]);
	return true;
}

static bool encode_struct(struct writer *w, const struct schema *s, const uint8_t *obj)
{
	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++) {
		if (field_in(f, w->version)) {
			if (f->tag < 0 && !put_field(w, f, obj))
				return false;
		} else if (!f->ignorable && !codec_field_is_default(s, f, obj)) {
			return wfail(w, ERR_UNSUPPORTED, f,
				     "set, but this version has no such field");
		}
	}
	if (w->flexible)
		return encode_tags(w, s, obj);
	if (s->flexible_since != VERSION_MAX &&
	    *(struct unknown_tags *const *)(const void *)(obj + s->unknown_tags_offset))
		return wfail(w, ERR_UNSUPPORTED, NULL,
			     "tagged fields set, but this version carries none");
	return true;
}

int codec_encode(const struct schema *s, int version, const void *msg, struct gather *g,
		 struct error *e)
{
	struct error local = ERROR_INIT;
	struct writer w = {
		.g = g,
		.error = e ? e : &local,
		.version = (int16_t)version,
		.flexible = schema_flexible(s, version),
	};

	if (!encode_struct(&w, s, msg))
		return w.error->code;
	if (g->own.bad)
		return error_set(w.error, ERR_LIMIT, "the encoded message passes %zu bytes",
				 g->own.max);
	return 0;
}

/* ---- equality ---- */

struct compare {
	int16_t version;    /* -1: all fields */
	struct error *path; /* NULL: not wanted; else the path goes to its field member */
};

static bool struct_equal(struct compare *cmp, const struct schema *s, const uint8_t *a,
			 const uint8_t *b);

static bool differ(struct compare *cmp, const struct schema_field *f, int32_t index)
{
	return error_within(cmp->path, f->name, index);
}

static bool one_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
		      const uint8_t *b)
{
	if (f->type == FIELD_STRUCT)
		return struct_equal(cmp, f->child, a, b);
	if (fixed_size[f->type])
		return memcmp(a, b, fixed_size[f->type]) == 0;
	return str_eq(*(const struct str *)(const void *)a, *(const struct str *)(const void *)b);
}

static bool array_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
			const uint8_t *b)
{
	int32_t count = *(const int32_t *)(const void *)(a + f->count_offset);
	const uint8_t *pa = *(uint8_t *const *)(const void *)(a + f->offset);
	const uint8_t *pb = *(uint8_t *const *)(const void *)(b + f->offset);
	size_t step = element_size(f);

	if (count != *(const int32_t *)(const void *)(b + f->count_offset))
		return differ(cmp, f, -1);
	for (int32_t i = 0; i < count; i++)
		if (!one_equal(cmp, f, pa + (size_t)i * step, pb + (size_t)i * step))
			return differ(cmp, f, i);
	return true;
}

static bool value_equal(struct compare *cmp, const struct schema_field *f, const uint8_t *a,
			const uint8_t *b)
{
	const uint8_t *pa, *pb;

	if (f->array)
		return array_equal(cmp, f, a, b);
	if (!f->pointer)
		return one_equal(cmp, f, a + f->offset, b + f->offset) || differ(cmp, f, -1);
	pa = *(uint8_t *const *)(const void *)(a + f->offset);
	pb = *(uint8_t *const *)(const void *)(b + f->offset);
	if (!pa || !pb)
		return pa == pb || differ(cmp, f, -1);
	return struct_equal(cmp, f->child, pa, pb) || differ(cmp, f, -1);
}

static bool tags_equal(const struct unknown_tags *a, const struct unknown_tags *b)
{
	if (!a || !b)
		return (!a || !a->count) && (!b || !b->count);
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++) {
		const struct unknown_tag *x = &a->tags[i], *y = &b->tags[i];

		if (x->tag != y->tag || x->data.len != y->data.len ||
		    memcmp(x->data.data, y->data.data, (size_t)x->data.len))
			return false;
	}
	return true;
}

static bool struct_equal(struct compare *cmp, const struct schema *s, const uint8_t *a,
			 const uint8_t *b)
{
	static const struct schema_field tags = {.name = "_unknownTaggedFields"};

	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++) {
		if (cmp->version >= 0 && !field_in(f, cmp->version))
			continue;
		if (!value_equal(cmp, f, a, b))
			return false;
	}
	if (s->flexible_since == VERSION_MAX)
		return true;
	return tags_equal(
		       *(struct unknown_tags *const *)(const void *)(a + s->unknown_tags_offset),
		       *(struct unknown_tags *const *)(const void *)(b + s->unknown_tags_offset)) ||
	       differ(cmp, &tags, -1);
}

static bool field_equal(const struct schema_field *f, const uint8_t *a, const uint8_t *b)
{
	return value_equal(&(struct compare){.version = -1}, f, a, b);
}

bool codec_equal(const struct schema *s, const void *a, const void *b)
{
	return struct_equal(&(struct compare){.version = -1}, s, a, b);
}

bool codec_compare(const struct schema *s, int version, const void *a, const void *b,
		   char *ret_path, size_t path_size)
{
	struct error e = ERROR_INIT;
	bool equal =
		struct_equal(&(struct compare){.version = (int16_t)version, .path = &e}, s, a, b);

	snprintf(ret_path, path_size, "%s", e.field);
	return equal;
}
