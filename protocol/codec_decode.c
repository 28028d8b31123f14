/* Bytes to structs. One loop over the steps that schemac planned for the version
 * (protocol/schema.h); a field's path is put together only when an error unwinds, so that the good
 * case pays nothing for it. Owns no memory but what it takes from the caller's arena. Rules of the
 * wire: KIP-482 (flexible versions). */
#include "protocol/codec.h"

#include "protocol/wire.h"

struct cursor {
	const uint8_t *start, *at, *end;
	struct arena *arena;
	struct error *error; /* may be NULL */
	int code;
	int16_t version;
	bool flexible;
};

static bool decode_struct(struct cursor *c, const struct schema *s, uint8_t *obj);

/* ---- errors ---- */

static bool fail(struct cursor *c, int code, const char *what)
{
	c->code = code;
	error_at(c->error, code, (size_t)(c->at - c->start), NULL, "%s", what);
	return false;
}

static bool fail_short(struct cursor *c, size_t need)
{
	c->code = ERR_TRUNCATED;
	error_at(c->error, ERR_TRUNCATED, (size_t)(c->at - c->start), NULL,
		 "the message ends early: %zu bytes wanted, %zu left", need,
		 (size_t)(c->end - c->at));
	return false;
}

static bool fail_memory(struct cursor *c)
{
	return fail(c, ERR_LIMIT, "the decoded message passes the memory limit of one exchange");
}

static bool unwind(struct cursor *c, const struct schema_field *f, int32_t index)
{
	return error_within(c->error, f->name, index);
}

/* ---- lengths ---- */

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

static bool decode_int_length(struct cursor *c, int width, int64_t *ret_len)
{
	if (c->end - c->at < width)
		return fail_short(c, (size_t)width);
	*ret_len = width == 2 ? (int16_t)wire_u16(c->at) : (int32_t)wire_u32(c->at);
	c->at += width;
	return true;
}

/* The length of a string, bytes, records or array; -1 is null. Elements are never null. */
static bool decode_length(struct cursor *c, const struct schema_field *f, bool array, bool element,
			  int64_t *ret_len)
{
	uint32_t u;

	if (c->flexible && !f->inflexible) {
		if (!decode_uvarint(c, &u))
			return false;
		*ret_len = (int64_t)u - 1;
	} else if (!decode_int_length(c, f->type == FIELD_STRING && !array ? 2 : 4, ret_len)) {
		return false;
	}
	if (*ret_len < -1)
		return fail(c, ERR_MALFORMED, "a negative length");
	if (*ret_len == -1 && (element || !field_nullable(f, c->version)))
		return fail(c, ERR_MALFORMED, "null where this version allows none");
	return true;
}

/* ---- values ---- */

static inline void load_scalar(const uint8_t *p, uint8_t *to, enum schema_opcode code)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (code) {
	case OP_8:
		*to = *p;
		break;
	case OP_BOOL:
		*(bool *)to = *p != 0;
		break;
	case OP_16:
		v16 = wire_u16(p);
		memcpy(to, &v16, 2);
		break;
	case OP_32:
		v32 = wire_u32(p);
		memcpy(to, &v32, 4);
		break;
	case OP_64:
		v64 = wire_u64(p);
		memcpy(to, &v64, 8);
		break;
	default:
		memcpy(to, p, sizeof(struct uuid));
		break;
	}
}

static bool decode_view(struct cursor *c, const struct schema_field *f, bool element, uint8_t *to)
{
	struct bytes *view = (struct bytes *)(void *)to;
	int64_t len;

	if (!decode_length(c, f, false, element, &len))
		return false;
	if (len < 0) {
		memset(to, 0, sizeof(*view));
		return true;
	}
	if (c->end - c->at < len)
		return fail_short(c, (size_t)len);
	if (f->type == FIELD_STRING && len > INT16_MAX)
		return fail(c, ERR_MALFORMED, "a string longer than 32767 bytes");
	if (f->type == FIELD_RECORDS)
		*(struct records *)(void *)to = (struct records){c->at, (int32_t)len, 0};
	else
		*view = (struct bytes){c->at, (int32_t)len};
	c->at += len;
	return true;
}

/* ---- arrays ---- */

/* Fewest bytes of an element. */
static size_t element_wire_min(const struct schema_field *f, bool flexible)
{
	if (f->type == FIELD_STRUCT)
		return f->child->wire_min;
	if (f->opcode < OP_SCALARS)
		return f->size;
	return flexible ? 1 : f->type == FIELD_STRING ? 2 : 4;
}

static void decode_scalars(struct cursor *c, enum schema_opcode code, size_t step, uint8_t *to,
			   int32_t count)
{
	const uint8_t *at = c->at;

	if (code == OP_32)
		for (int32_t i = 0; i < count; i++, at += 4, to += 4)
			load_scalar(at, to, OP_32);
	else
		for (int32_t i = 0; i < count; i++, at += step, to += step)
			load_scalar(at, to, code);
	c->at = at;
}

static bool decode_elements(struct cursor *c, const struct schema_field *f, uint8_t *to,
			    int32_t count, size_t step)
{
	enum schema_opcode code = f->opcode;

	if (code < OP_SCALARS) {
		decode_scalars(c, code, step, to, count);
		return true;
	}
	for (int32_t i = 0; i < count; i++, to += step)
		if (!(code == OP_STRUCT ? decode_struct(c, f->child, to)
					: decode_view(c, f, true, to)))
			return unwind(c, f, i);
	return true;
}

static inline void *take(struct arena *a, size_t size)
{
	uint8_t *p = a->at;
	size_t n = (size + 7) & ~(size_t)7;

	if (!p || (size_t)(a->end - p) < n || n > a->size_max - a->size)
		return arena_alloc(a, size);
	a->at += n;
	a->size += n;
	return p;
}

static bool decode_array(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	int32_t *count = (int32_t *)(void *)(obj + f->count_offset);
	uint8_t **elements = (uint8_t **)(void *)(obj + f->offset);
	size_t step = f->size;
	int64_t len;

	if (!decode_length(c, f, true, false, &len))
		return unwind(c, f, -1);
	*count = (int32_t)len;
	*elements = NULL;
	if (len < 0)
		return true;
	if (len && (size_t)len > (size_t)(c->end - c->at) / element_wire_min(f, c->flexible)) {
		fail(c, ERR_MALFORMED, "more elements than the bytes left can hold");
		return unwind(c, f, -1);
	}
	*elements = take(c->arena, (size_t)len * step);
	if (*elements)
		return decode_elements(c, f, *elements, (int32_t)len, step);
	fail_memory(c);
	return unwind(c, f, -1);
}

/* ---- structs ---- */

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
	*pointer = null ? NULL : take(c->arena, f->child->size);
	if (null)
		return true;
	if (!*pointer)
		return fail_memory(c);
	return decode_struct(c, f->child, *pointer);
}

/* A tagged field, of any kind. */
static bool decode_tagged(struct cursor *c, const struct schema_field *f, uint8_t *obj)
{
	enum schema_opcode code = f->opcode;
	size_t size = f->size;

	if (f->array)
		return decode_array(c, f, obj);
	if (f->pointer)
		return decode_pointer(c, f, obj) || unwind(c, f, -1);
	if (code == OP_STRUCT)
		return decode_struct(c, f->child, obj + f->offset) || unwind(c, f, -1);
	if (code == OP_VIEW)
		return decode_view(c, f, false, obj + f->offset) || unwind(c, f, -1);
	if ((size_t)(c->end - c->at) < size) {
		fail_short(c, size);
		return unwind(c, f, -1);
	}
	load_scalar(c->at, obj + f->offset, code);
	c->at += size;
	return true;
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
			return fail_memory(c);
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
	ok = decode_tagged(c, f, obj);
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

	*(struct unknown_tags **)(void *)(obj + s->unknown_tags_offset) = NULL;
	if (!decode_uvarint(c, &count))
		return false;
	if (count > (size_t)(c->end - c->at) / 2)
		return fail(c, ERR_MALFORMED, "more tags than the bytes left can hold");
	for (; count; count--)
		if (!decode_tag(c, s, obj, count))
			return false;
	return true;
}

/* What takes more than a scalar's line; c->at is right before and after. */
static inline bool decode_other(struct cursor *c, const struct schema *s,
				const struct schema_op *op, uint8_t *obj)
{
	const struct schema_field *f = &s->fields[op->field];

	switch ((enum schema_opcode)op->code) {
	case OP_DEFAULT:
		memcpy(obj + op->offset, (const uint8_t *)s->defaults + op->offset, op->size);
		return true;
	case OP_STRING:
	case OP_COMPACT_STRING:
	case OP_VIEW:
		return decode_view(c, f, false, obj + op->offset) || unwind(c, f, -1);
	case OP_ARRAY:
		return decode_array(c, f, obj);
	case OP_STRUCT:
		return decode_struct(c, f->child, obj + op->offset) || unwind(c, f, -1);
	default:
		return decode_pointer(c, f, obj) || unwind(c, f, -1);
	}
}

/* A short string that is all there: the view, and the bytes that it takes; else 0. */
static inline size_t short_string(const uint8_t *at, const uint8_t *end, uint8_t *to)
{
	if (at == end || *at == 0 || *at > 0x7f || end - at < *at)
		return 0;
	*(struct str *)(void *)to = (struct str){(const char *)at + 1, *at - 1};
	return *at;
}

static bool decode_struct(struct cursor *c, const struct schema *s, uint8_t *obj)
{
	const struct schema_op *op = s->plans[c->version - s->since];
	const uint8_t *at = c->at, *end = c->end;
	size_t n;

	for (; op->code < OP_TAGS; op++) {
		if (op->code < OP_SCALARS) {
			if ((size_t)(end - at) < op->size) {
				c->at = at;
				fail_short(c, op->size);
				return unwind(c, &s->fields[op->field], -1);
			}
			load_scalar(at, obj + op->offset, op->code);
			at += op->size;
			continue;
		}
		n = op->code == OP_COMPACT_STRING ? short_string(at, end, obj + op->offset) : 0;
		c->at = at + n;
		if (!n && !decode_other(c, s, op, obj))
			return false;
		at = c->at;
	}
	c->at = at;
	if (op->code == OP_END)
		return true;
	if (at == end || *at)
		return decode_tags(c, s, obj);
	*(struct unknown_tags **)(void *)(obj + s->unknown_tags_offset) = NULL;
	c->at++;
	return true;
}

void codec_init(const struct schema *s, void *ret_msg)
{
	memcpy(ret_msg, s->defaults, s->size);
}

int64_t codec_decode(const struct schema *s, int version, struct bytes data, struct arena *arena,
		     void *ret_msg, struct error *e)
{
	struct cursor c = {
		.start = data.data,
		.at = data.data,
		.end = data.data + data.len,
		.arena = arena,
		.error = e,
		.version = (int16_t)version,
		.flexible = schema_flexible(s, version),
	};

	if (version < s->since || version > s->until)
		return error_set(e, ERR_UNSUPPORTED, "version %d is not known", version);
	if (!decode_struct(&c, s, ret_msg))
		return c.code;
	return c.at - c.start;
}
