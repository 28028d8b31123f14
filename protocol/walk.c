/* The resumable walk. Invariant: a step either passes one whole value (and tells it) or changes
 * nothing but `need`; so when a slice ends inside a value, the begun bytes go to `carry`, and the
 * same step runs again on carry once it holds what was needed. Bytes, records and unknown tags are
 * the exception: they stream through and are never kept. Owns carry; leaves the meaning of values
 * to its handler. Rules of the wire: KIP-482, as in codec.c. */
#include "protocol/walk.h"

#include "protocol/wire.h"

#include <assert.h>
#include <stdio.h>

/* What a step comes to, beside negative codes. */
enum { DONE, SHORT, HALT };

enum state { IN_FIELDS, IN_TAG_COUNT, IN_TAGS, IN_TAGGED, BEHIND_TAGGED, IN_ARRAY };

static const uint8_t wire_size[] = {
	[FIELD_BOOL] = 1,   [FIELD_INT8] = 1,	[FIELD_INT16] = 2, [FIELD_UINT16] = 2,
	[FIELD_INT32] = 4,  [FIELD_UINT32] = 4, [FIELD_INT64] = 8, [FIELD_FLOAT64] = 8,
	[FIELD_UUID] = 16,  [FIELD_STRING] = 0, [FIELD_BYTES] = 0, [FIELD_RECORDS] = 0,
	[FIELD_STRUCT] = 0,
};

static int64_t offset_of(const struct walk *w, const uint8_t *p)
{
	return w->base + (p - w->slice);
}

int64_t walk_offset(const struct walk *w)
{
	return w->fed;
}

/* ---- errors ---- */

/* Puts the levels' path into e; leaf (may be NULL) is the field at work below them. */
static int broken(struct walk *w, struct error *e, int code, const uint8_t *at,
		  const struct schema_field *leaf, int32_t index, const char *what)
{
	struct error own = ERROR_INIT;
	char tail[sizeof(own.field)];

	w->code = code;
	if (!e || e->code)
		return code;
	error_at(e, code, (size_t)offset_of(w, at), NULL, "%s", what);
	walk_path(w, &(struct walk_event){.field = leaf, .index = index}, tail, sizeof(tail));
	memcpy(e->field, tail, sizeof(tail));
	return code;
}

/* n bytes are wanted from `from` on: later slices may bring them, or nothing can. */
static int short_of(struct walk *w, struct error *e, const uint8_t *from, int64_t n,
		    const struct schema_field *leaf, int32_t index)
{
	char text[100];

	if (n <= w->limit - offset_of(w, from)) {
		w->need = (size_t)(from - w->at + n);
		return SHORT;
	}
	snprintf(text, sizeof(text), "the message ends early: %lld bytes wanted, %lld left",
		 (long long)n, (long long)(w->limit - offset_of(w, from)));
	return broken(w, e, ERR_TRUNCATED, from, leaf, index, text);
}

static void append(char *path, size_t size, const struct schema_field *f, int32_t index)
{
	size_t len = strlen(path);

	if (len && len + 1 < size) {
		path[len++] = '.';
		path[len] = '\0';
	}
	if (index >= 0)
		snprintf(path + len, size - len, "%s[%d]", f->name, index);
	else
		snprintf(path + len, size - len, "%s", f->name);
}

void walk_path(const struct walk *w, const struct walk_event *event, char *ret_path, size_t size)
{
	int32_t depth = w->depth;
	const struct walk_level *top = depth ? &w->levels[depth - 1] : NULL;

	ret_path[0] = '\0';
	/* the end of a struct or array is told while its level stands: the event itself names that
	 * one */
	if (top && event->field && top->field == event->field && top->index == event->index &&
	    (event->kind == WALK_STRUCT_END || event->kind == WALK_ARRAY_END))
		depth--;
	for (int32_t i = 0; i < depth; i++) {
		const struct walk_level *level = &w->levels[i];

		/* an array's elements are named by themselves, with their index */
		if (level->field && level->schema)
			append(ret_path, size, level->field, level->index);
	}
	if (event->field)
		append(ret_path, size, event->field, event->index);
}

/* ---- telling ---- */

static inline int tell(struct walk *w, const struct walk_event *event)
{
	if (w->on_event(w->user, w, event) != WALK_STOP)
		return DONE;
	w->stopped = true;
	return HALT;
}

/* ---- lengths ---- */

/* Reads a varint at p. Returns bytes used, or SHORT/negative as -1 with *ret_code. */
static int uvarint(struct walk *w, struct error *e, const uint8_t *p, uint32_t *ret_v,
		   const struct schema_field *leaf, int32_t index, int *ret_code)
{
	int n;

	if (p < w->end && *p < 0x80) {
		*ret_v = *p;
		return 1;
	}
	n = wire_uvarint(p, w->end, ret_v);
	if (n > 0)
		return n;
	if (n == 0)
		*ret_code = short_of(w, e, p, w->end - p + 1, leaf, index);
	else
		*ret_code =
			broken(w, e, ERR_MALFORMED, p, leaf, index, "a varint longer than 32 bits");
	return 0;
}

/* The length before a string, data or array: bytes used and *ret_len (-1: null), or 0 with
 * *ret_code. */
static int length(struct walk *w, struct error *e, const struct schema_field *f, int32_t index,
		  bool array, int64_t *ret_len, int *ret_code)
{
	uint32_t u = 0;
	int n;

	if (w->flexible && !f->inflexible) {
		n = uvarint(w, e, w->at, &u, f, index, ret_code);
		if (!n)
			return 0;
		*ret_len = (int64_t)u - 1;
	} else {
		n = f->type == FIELD_STRING && !array ? 2 : 4;
		if (w->end - w->at < n) {
			*ret_code = short_of(w, e, w->at, n, f, index);
			return 0;
		}
		*ret_len = n == 2 ? (int16_t)wire_u16(w->at) : (int32_t)wire_u32(w->at);
	}
	if (*ret_len >= 0)
		return n;
	if (*ret_len < -1) {
		*ret_code = broken(w, e, ERR_MALFORMED, w->at + n, f, index, "a negative length");
		return 0;
	}
	if (index >= 0 || !field_nullable(f, w->version)) { /* elements are never null */
		*ret_code = broken(w, e, ERR_MALFORMED, w->at + n, f, index,
				   "null where this version allows none");
		return 0;
	}
	return n;
}

/* ---- values ---- */

static inline void set_scalar(struct walk_event *event, enum field_type type, const uint8_t *p)
{
	uint64_t bits;

	switch (type) {
	case FIELD_BOOL:
		event->value.integer = *p != 0;
		break;
	case FIELD_INT8:
		event->value.integer = (int8_t)*p;
		break;
	case FIELD_INT16:
		event->value.integer = (int16_t)wire_u16(p);
		break;
	case FIELD_UINT16:
		event->value.integer = wire_u16(p);
		break;
	case FIELD_INT32:
		event->value.integer = (int32_t)wire_u32(p);
		break;
	case FIELD_UINT32:
		event->value.integer = wire_u32(p);
		break;
	case FIELD_INT64:
		event->value.integer = (int64_t)wire_u64(p);
		break;
	case FIELD_FLOAT64:
		bits = wire_u64(p);
		memcpy(&event->value.real, &bits, sizeof(bits));
		break;
	default:
		memcpy(event->value.uuid.b, p, sizeof(event->value.uuid.b));
		break;
	}
}

static inline int scalar(struct walk *w, struct error *e, const struct schema_field *f,
			 int32_t index)
{
	size_t size = wire_size[f->type];
	struct walk_event event;

	if ((size_t)(w->end - w->at) < size)
		return short_of(w, e, w->at, (int64_t)size, f, index);
	event.kind = WALK_VALUE;
	event.tag = 0;
	event.field = f;
	event.index = index;
	event.offset = offset_of(w, w->at);
	event.size = (int64_t)size;
	set_scalar(&event, f->type, w->at);
	w->at += size;
	return tell(w, &event);
}

static int begin_data(struct walk *w, const struct walk_event *event, int64_t len)
{
	enum walk_want want = w->on_event(w->user, w, event);

	if (want == WALK_STOP) {
		w->stopped = true;
		return HALT;
	}
	w->in_data = true;
	w->skipping = want == WALK_SKIP;
	w->data_left = len;
	w->data = *event;
	w->data.size += len;
	return DONE;
}

/* A string whole, or the beginning of bytes and records. */
static int view(struct walk *w, struct error *e, const struct schema_field *f, int32_t index)
{
	struct walk_event event = {.field = f, .index = index, .offset = offset_of(w, w->at)};
	int64_t len = 0;
	int code = DONE, n = length(w, e, f, index, false, &len, &code);

	if (!n)
		return code;
	event.size = n;
	if (len < 0) {
		event.kind = WALK_NULL;
		w->at += n;
		return tell(w, &event);
	}
	if (len > w->limit - offset_of(w, w->at + n))
		return short_of(w, e, w->at + n, len, f, index);
	if (f->type != FIELD_STRING) {
		event.kind = WALK_DATA;
		event.value.integer = len;
		w->at += n;
		return begin_data(w, &event, len);
	}
	if (len > WALK_STRING_MAX)
		return broken(w, e, ERR_MALFORMED, w->at + n, f, index,
			      "a string longer than 32767 bytes");
	if (w->end - w->at - n < len)
		return short_of(w, e, w->at + n, len, f, index);
	event.kind = WALK_VALUE;
	event.size = n + len;
	event.value.str = (struct str){(const char *)w->at + n, (int32_t)len};
	w->at += n + len;
	return tell(w, &event);
}

/* ---- levels ---- */

static int push_struct(struct walk *w, const struct schema *s, const struct schema_field *f,
		       int32_t index, int64_t start)
{
	struct walk_event event = {
		.kind = WALK_STRUCT, .field = f, .index = index, .offset = start};
	struct walk_level *level = &w->levels[w->depth];

	assert(w->depth < WALK_DEPTH_MAX);
	*level = (struct walk_level){.schema = s,
				     .field = f,
				     .op = s->plans[w->version - s->since],
				     .index = index,
				     .start = start,
				     .state = IN_FIELDS};
	if (tell(w, &event))
		return HALT;
	w->depth++;
	return DONE;
}

static int push_array(struct walk *w, struct error *e, const struct schema_field *f)
{
	struct walk_event event = {.field = f, .index = -1, .offset = offset_of(w, w->at)};
	int64_t len = 0, least;
	int code = DONE, n = length(w, e, f, -1, true, &len, &code);

	if (!n)
		return code;
	if (len < 0) {
		event.kind = WALK_NULL;
		event.size = n;
		w->at += n;
		return tell(w, &event);
	}
	least = f->type == FIELD_STRUCT ? f->child->wire_min : wire_size[f->type];
	if (!least)
		least = w->flexible ? 1 : f->type == FIELD_STRING ? 2 : 4;
	if (len > (w->limit - offset_of(w, w->at + n)) / least)
		return broken(w, e, ERR_MALFORMED, w->at + n, f, -1,
			      "more elements than the bytes left can hold");
	event.kind = WALK_ARRAY;
	event.value.integer = len;
	assert(w->depth < WALK_DEPTH_MAX);
	w->levels[w->depth] = (struct walk_level){.field = f,
						  .index = -1,
						  .count = (int32_t)len,
						  .start = event.offset,
						  .state = IN_ARRAY};
	w->at += n;
	if (tell(w, &event))
		return HALT;
	w->depth++;
	return DONE;
}

/* Before a struct that can be null stands one byte, -1 or 1; in a tagged field Kafka writes an
 * unsigned varint, 0 or 1. */
static int push_pointer(struct walk *w, struct error *e, const struct schema_field *f)
{
	struct walk_event event = {
		.kind = WALK_NULL, .field = f, .index = -1, .offset = offset_of(w, w->at)};
	uint32_t mark = 0;
	int code = DONE, n = 1;

	if (!field_nullable(f, w->version))
		return push_struct(w, f->child, f, -1, event.offset);
	if (f->tag >= 0) {
		n = uvarint(w, e, w->at, &mark, f, -1, &code);
		if (!n)
			return code;
	} else {
		if (w->at == w->end)
			return short_of(w, e, w->at, 1, f, -1);
		mark = (int8_t)*w->at >= 0;
	}
	w->at += n;
	event.size = n;
	return mark ? push_struct(w, f->child, f, -1, event.offset) : tell(w, &event);
}

static int pop(struct walk *w)
{
	struct walk_level *level = &w->levels[w->depth - 1];
	struct walk_event event = {
		.kind = level->schema ? WALK_STRUCT_END : WALK_ARRAY_END,
		.field = level->field,
		.index = level->index,
		.offset = level->start,
		.size = offset_of(w, w->at) - level->start,
	};
	int code = tell(w, &event);

	w->depth--;
	return code;
}

/* Whatever a field of a struct holds. */
static int field(struct walk *w, struct error *e, const struct schema_field *f)
{
	if (f->array)
		return push_array(w, e, f);
	if (f->pointer)
		return push_pointer(w, e, f);
	if (f->type == FIELD_STRUCT)
		return push_struct(w, f->child, f, -1, offset_of(w, w->at));
	return wire_size[f->type] ? scalar(w, e, f, -1) : view(w, e, f, -1);
}

/* ---- steps ---- */

static int step_fields(struct walk *w, struct error *e, struct walk_level *level)
{
	const struct schema_op *op = level->op;
	int32_t depth = w->depth;

	for (; op->code < OP_TAGS; op++) {
		const struct schema_field *f = &level->schema->fields[op->field];
		int code;

		level->op = op;
		if (op->code == OP_DEFAULT)
			continue;
		code = op->code < OP_SCALARS ? scalar(w, e, f, -1) : field(w, e, f);
		if (code)
			return code;
		if (w->depth != depth || w->in_data) {
			level->op = op + 1;
			return DONE;
		}
	}
	if (op->code == OP_END)
		return pop(w);
	level->state = IN_TAG_COUNT;
	return DONE;
}

static int step_tag_count(struct walk *w, struct error *e, struct walk_level *level)
{
	int code = DONE, n;

	n = uvarint(w, e, w->at, &level->tags_left, NULL, -1, &code);
	if (!n)
		return code;
	if (level->tags_left > (w->limit - offset_of(w, w->at + n)) / 2)
		return broken(w, e, ERR_MALFORMED, w->at + n, NULL, -1,
			      "more tags than the bytes left can hold");
	w->at += n;
	level->state = IN_TAGS;
	return DONE;
}

/* Where reading must stop in this slice, after limit or slice changed. */
static void clip(struct walk *w)
{
	int64_t room = w->limit - offset_of(w, w->slice_end);

	w->end = room < 0 ? w->slice_end + room : w->slice_end;
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

static int step_tags(struct walk *w, struct error *e, struct walk_level *level)
{
	int64_t start = offset_of(w, w->at);
	uint32_t tag = 0, size = 0;
	int code = DONE, n, m;

	if (!level->tags_left)
		return pop(w);
	n = uvarint(w, e, w->at, &tag, NULL, -1, &code);
	m = n ? uvarint(w, e, w->at + n, &size, NULL, -1, &code) : 0;
	if (!m)
		return code;
	if (size > w->limit - offset_of(w, w->at + n + m))
		return short_of(w, e, w->at + n + m, size, NULL, -1);
	w->at += n + m;
	level->tags_left--;
	level->at = tagged_field(level->schema, w->version, tag);
	if (!level->at)
		return begin_data(w,
				  &(struct walk_event){.kind = WALK_UNKNOWN_TAG,
						       .tag = tag,
						       .index = -1,
						       .offset = start,
						       .size = n + m,
						       .value.integer = size},
				  size);
	level->outer_limit = w->limit;
	w->limit = offset_of(w, w->at) + size;
	clip(w);
	level->state = IN_TAGGED;
	return DONE;
}

static int step_tagged(struct walk *w, struct error *e, struct walk_level *level)
{
	int code = field(w, e, level->at);

	if (!code)
		level->state = BEHIND_TAGGED;
	return code;
}

static int step_behind_tagged(struct walk *w, struct error *e, struct walk_level *level)
{
	if (offset_of(w, w->at) != w->limit)
		return broken(w, e, ERR_MALFORMED, w->at, level->at, -1,
			      "a tagged field shorter than its size says");
	w->limit = level->outer_limit;
	clip(w);
	level->state = IN_TAGS;
	return DONE;
}

static int step_array(struct walk *w, struct error *e, struct walk_level *level)
{
	const struct schema_field *f = level->field;
	bool scalars = wire_size[f->type] != 0;
	int code;

	if (f->type == FIELD_STRUCT) {
		if (level->next == level->count)
			return pop(w);
		return push_struct(w, f->child, f, level->next++, offset_of(w, w->at));
	}
	for (; level->next < level->count; level->next++) {
		code = scalars ? scalar(w, e, f, level->next) : view(w, e, f, level->next);
		if (code)
			return code;
		if (w->in_data) {
			level->next++;
			return DONE;
		}
	}
	return pop(w);
}

/* Lets bytes, records and unknown tags through. */
static int step_data(struct walk *w)
{
	int64_t here = w->end - w->at;
	int64_t n = here < w->data_left ? here : w->data_left;
	struct walk_event event;

	if (n && !w->skipping) {
		event = w->data;
		event.kind = WALK_CHUNK;
		event.offset = offset_of(w, w->at);
		event.size = n;
		event.value.bytes = (struct bytes){w->at, (int32_t)n};
		if (tell(w, &event))
			return HALT;
	}
	w->at += n;
	w->data_left -= n;
	if (w->data_left) {
		w->need = 1;
		return SHORT;
	}
	w->in_data = false;
	w->data.kind = WALK_DATA_END;
	return tell(w, &w->data);
}

static int step(struct walk *w, struct error *e)
{
	struct walk_level *level = &w->levels[w->depth - 1];

	switch ((enum state)level->state) {
	case IN_FIELDS:
		return step_fields(w, e, level);
	case IN_TAG_COUNT:
		return step_tag_count(w, e, level);
	case IN_TAGS:
		return step_tags(w, e, level);
	case IN_TAGGED:
		return step_tagged(w, e, level);
	case BEHIND_TAGGED:
		return step_behind_tagged(w, e, level);
	case IN_ARRAY:
		return step_array(w, e, level);
	}
	return DONE;
}

/* Steps until the slice gives no more. */
static int run(struct walk *w, struct error *e)
{
	int code = DONE;

	while (!code && w->depth)
		code = w->in_data ? step_data(w) : step(w, e);
	if (!w->depth && !w->done) {
		w->done = true;
		w->message_end = offset_of(w, w->at);
	}
	return code;
}

/* ---- the outside ---- */

void walk_init(struct walk *w, const struct schema *s, int version, int64_t size,
	       walk_handler *on_event, void *user)
{
	memset(w, 0, offsetof(struct walk, levels));
	w->on_event = on_event;
	w->user = user;
	w->size = size;
	w->limit = size;
	w->version = (int16_t)version;
	w->flexible = schema_flexible(s, version);
	buf_init(&w->carry, WALK_STRING_MAX + UVARINT_SIZE_MAX);
	push_struct(w, s, NULL, -1, 0);
}

void walk_release(struct walk *w)
{
	buf_release(&w->carry);
}

static void use(struct walk *w, const uint8_t *data, size_t len, int64_t base)
{
	w->slice = w->at = data;
	w->slice_end = data + len;
	w->base = base;
	clip(w);
}

static bool at_rest(const struct walk *w)
{
	return w->done || w->stopped || w->code;
}

/* Fills carry from the slice and runs on it until the begun value is through. Returns the bytes
 * that it took. */
static size_t feed_carry(struct walk *w, struct bytes slice, struct error *e)
{
	size_t taken = 0, n;

	while (w->carry.len && taken < (size_t)slice.len && !at_rest(w)) {
		n = w->need - w->carry.len;
		if (n > (size_t)slice.len - taken)
			n = (size_t)slice.len - taken;
		buf_add(&w->carry, slice.data + taken, n);
		assert(!w->carry.bad);
		taken += n;
		if (w->carry.len < w->need)
			break;
		use(w, w->carry.data, w->carry.len,
		    w->fed + (int64_t)taken - (int64_t)w->carry.len);
		run(w, e);
		if (w->at == w->slice)
			continue; /* a length is through: now more is needed */
		assert(at_rest(w) || w->at == w->slice_end);
		buf_reset(&w->carry);
	}
	return taken;
}

static int64_t unwanted(const struct walk *w)
{
	if (w->done || w->stopped)
		return w->size > w->fed ? w->size - w->fed : 0;
	return w->in_data && w->skipping ? w->data_left : 0;
}

int64_t walk_feed(struct walk *w, struct bytes slice, struct error *e)
{
	size_t taken = 0;

	if (!slice.len)
		slice.data = (const uint8_t *)"";
	if (!at_rest(w) && w->carry.len)
		taken = feed_carry(w, slice, e);
	if (!at_rest(w) && !w->carry.len) {
		use(w, slice.data + taken, (size_t)slice.len - taken, w->fed + (int64_t)taken);
		run(w, e);
		if (!at_rest(w) && w->at < w->slice_end)
			buf_add(&w->carry, w->at, (size_t)(w->slice_end - w->at));
	}
	w->fed += slice.len;
	return w->code ? w->code : unwanted(w);
}

void walk_skip(struct walk *w, int64_t n)
{
	assert(n >= 0 && n <= unwanted(w));
	if (!at_rest(w))
		w->data_left -= n;
	w->fed += n;
}

/* Runs once more with nothing behind what came, so that the step that waits says what it lacks. */
static int truncated(struct walk *w, struct error *e)
{
	int64_t start = w->data.offset + w->data.size - w->data.value.integer;

	if (w->limit > w->fed)
		w->limit = w->fed;
	use(w, w->carry.len ? w->carry.data : (const uint8_t *)"", w->carry.len,
	    w->fed - (int64_t)w->carry.len);
	if (!w->in_data)
		return run(w, e);
	if (!w->data_left)
		return run(w, e); /* the last of it was skipped */
	use(w, (const uint8_t *)"", 0, start);
	return broken(w, e, ERR_TRUNCATED, w->at, w->data.field, w->data.index,
		      "the message ends inside this field");
}

int walk_end(struct walk *w, struct error *e)
{
	struct walk_event event = {.kind = WALK_TRAILING, .index = -1};

	if (!at_rest(w))
		truncated(w, e);
	if (w->code || w->stopped || w->message_end == w->fed)
		return w->code;
	event.offset = w->message_end;
	event.size = w->fed - w->message_end;
	tell(w, &event);
	return 0;
}
