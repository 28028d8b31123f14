/* Both directions between structs and JSON, each one walk over the field tables. Writing streams
 * into a buf; reading takes jansson's tree. What a field may hold on the wire (lengths, null) is
 * judged by the codec where the wire says it, here only where JSON does. Owns no memory but what it
 * takes from the caller's arena. */
#include "protocol/message_json.h"

#include "base/base64.h"
#include "base/hex.h"
#include "protocol/codec.h"

#include <math.h>

/* ---- writing ---- */

static void write_struct(struct json *j, const struct schema *s, int version, const uint8_t *obj);

/* Records may lie in several spans (protocol/schema.h); base64 wants them whole. */
static void write_records(struct json *j, const struct records *records)
{
	const struct bytes *spans = (const struct bytes *)(const void *)records->data;
	struct buf whole;

	if (!records->span_count) {
		json_base64(j, (struct bytes){records->data, records->len});
		return;
	}
	buf_init(&whole, (size_t)records->len);
	for (int32_t i = 0; i < records->span_count; i++)
		buf_add(&whole, spans[i].data, (size_t)spans[i].len);
	json_base64(j, (struct bytes){(const uint8_t *)buf_cstr(&whole), (int32_t)whole.len});
	buf_release(&whole);
}

static void write_uuid(struct json *j, const struct uuid *u)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(*u, text);
	json_text(j, text);
}

static void write_one(struct json *j, const struct schema_field *f, int version, const void *p)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		json_bool(j, *(const bool *)p);
		break;
	case FIELD_INT8:
		json_int(j, *(const int8_t *)p);
		break;
	case FIELD_INT16:
		json_int(j, *(const int16_t *)p);
		break;
	case FIELD_UINT16:
		json_int(j, *(const uint16_t *)p);
		break;
	case FIELD_INT32:
		json_int(j, *(const int32_t *)p);
		break;
	case FIELD_UINT32:
		json_int(j, *(const uint32_t *)p);
		break;
	case FIELD_INT64:
		json_int(j, *(const int64_t *)p);
		break;
	case FIELD_FLOAT64:
		json_float(j, *(const double *)p);
		break;
	case FIELD_UUID:
		write_uuid(j, p);
		break;
	case FIELD_STRING:
		json_str(j, *(const struct str *)p);
		break;
	case FIELD_BYTES:
		json_base64(j, *(const struct bytes *)p);
		break;
	case FIELD_RECORDS:
		write_records(j, p);
		break;
	case FIELD_STRUCT:
		write_struct(j, f->child, version, p);
		break;
	}
}

static void write_array(struct json *j, const struct schema_field *f, int version,
			const uint8_t *obj)
{
	int32_t count = *(const int32_t *)(const void *)(obj + f->count_offset);
	const uint8_t *at = *(uint8_t *const *)(const void *)(obj + f->offset);

	if (count < 0) {
		json_nil(j);
		return;
	}
	json_open(j, '[');
	for (int32_t i = 0; i < count; i++, at += f->size)
		write_one(j, f, version, at);
	json_close(j, ']');
}

static void write_tags(struct json *j, const struct unknown_tags *tags)
{
	if (!tags || !tags->count)
		return;
	json_key(j, MESSAGE_JSON_TAGS);
	json_open(j, '[');
	for (int32_t i = 0; i < tags->count; i++) {
		json_open(j, '{');
		json_key_int(j, "tag", tags->tags[i].tag);
		json_key(j, "hex");
		json_hex(j, tags->tags[i].data);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void write_field(struct json *j, const struct schema_field *f, int version,
			const uint8_t *obj)
{
	const uint8_t *child;

	json_key(j, f->name);
	if (f->array) {
		write_array(j, f, version, obj);
	} else if (!f->pointer) {
		write_one(j, f, version, obj + f->offset);
	} else {
		child = *(uint8_t *const *)(const void *)(obj + f->offset);
		if (child)
			write_struct(j, f->child, version, child);
		else
			json_nil(j);
	}
}

static void write_struct(struct json *j, const struct schema *s, int version, const uint8_t *obj)
{
	json_open(j, '{');
	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++)
		if (field_in(f, version) && (f->tag < 0 || !codec_field_is_default(s, f, obj)))
			write_field(j, f, version, obj);
	if (schema_flexible(s, version))
		write_tags(j,
			   *(struct unknown_tags *const *)(const void *)(obj +
									 s->unknown_tags_offset));
	json_close(j, '}');
}

void message_json_write(const struct schema *s, int version, const void *msg, struct json *j)
{
	write_struct(j, s, version, msg);
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	struct error *error;
	int version;
};

static bool read_struct(struct reader *r, const struct schema *s, const json_t *v, uint8_t *obj);

static const char *kind_of(const json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",    [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a real number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",	       [JSON_NULL] = "null",
	};

	return names[json_typeof(v)];
}

static bool refuse(struct reader *r, const char *wanted, const json_t *v)
{
	error_set(r->error, ERR_MALFORMED, "%s is wanted, not %s", wanted, kind_of(v));
	return false;
}

static void *take(struct reader *r, size_t size)
{
	void *p = arena_alloc(r->arena, size);

	if (!p)
		error_set(r->error, ERR_LIMIT, "the message passes the memory limit of %zu bytes",
			  r->arena->size_max);
	return p;
}

static bool read_int(struct reader *r, const json_t *v, int64_t min, int64_t max, int64_t *ret_n)
{
	if (!json_is_integer(v))
		return refuse(r, "an integer", v);
	*ret_n = json_integer_value(v);
	if (*ret_n >= min && *ret_n <= max)
		return true;
	error_set(r->error, ERR_MALFORMED, "%lld is outside %lld to %lld", (long long)*ret_n,
		  (long long)min, (long long)max);
	return false;
}

static bool read_real(struct reader *r, const json_t *v, double *ret_n)
{
	const char *text = json_string_value(v);

	if (json_is_number(v))
		*ret_n = json_number_value(v);
	else if (text && !strcmp(text, "NaN"))
		*ret_n = (double)NAN;
	else if (text && !strcmp(text, "Infinity"))
		*ret_n = (double)INFINITY;
	else if (text && !strcmp(text, "-Infinity"))
		*ret_n = -(double)INFINITY;
	else
		return refuse(r, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"", v);
	return true;
}

static bool read_uuid(struct reader *r, const json_t *v, struct uuid *ret_u)
{
	if (!json_is_string(v))
		return refuse(r, "a uuid", v);
	if (uuid_parse((struct str){json_string_value(v), (int32_t)json_string_length(v)}, ret_u))
		return true;
	error_set(r->error, ERR_MALFORMED, "'%.40s' is no uuid of 22 base64url characters",
		  json_string_value(v));
	return false;
}

static bool read_string(struct reader *r, const json_t *v, struct str *ret_s)
{
	size_t len = json_string_length(v);

	if (!json_is_string(v))
		return refuse(r, "a string", v);
	if (len > INT16_MAX) {
		error_set(r->error, ERR_MALFORMED, "a string longer than 32767 bytes");
		return false;
	}
	ret_s->data = take(r, len ? len : 1);
	ret_s->len = (int32_t)len;
	if (ret_s->data)
		memcpy((char *)ret_s->data, json_string_value(v), len);
	return ret_s->data != NULL;
}

static bool read_base64(struct reader *r, const json_t *v, struct bytes *ret_b)
{
	size_t len = json_string_length(v);
	uint8_t *data;
	int64_t n;

	if (!json_is_string(v))
		return refuse(r, "base64", v);
	data = take(r, len / 4 * 3 + 1);
	if (!data)
		return false;
	n = len > INT32_MAX ? -1
			    : base64_decode((struct str){json_string_value(v), (int32_t)len},
					    BASE64_STD, data, len / 4 * 3 + 1);
	if (n < 0) {
		error_set(r->error, ERR_MALFORMED, "text that is no padded base64");
		return false;
	}
	*ret_b = (struct bytes){data, (int32_t)n};
	return true;
}

static bool read_records(struct reader *r, const json_t *v, struct records *ret_records)
{
	struct bytes b;

	if (!read_base64(r, v, &b))
		return false;
	*ret_records = (struct records){b.data, b.len, 0};
	return true;
}

static bool read_one(struct reader *r, const struct schema_field *f, const json_t *v, void *p)
{
	int64_t n = 0;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		if (!json_is_boolean(v))
			return refuse(r, "true or false", v);
		*(bool *)p = json_is_true(v);
		return true;
	case FIELD_INT8:
		return read_int(r, v, INT8_MIN, INT8_MAX, &n) && (*(int8_t *)p = (int8_t)n, true);
	case FIELD_INT16:
		return read_int(r, v, INT16_MIN, INT16_MAX, &n) &&
		       (*(int16_t *)p = (int16_t)n, true);
	case FIELD_UINT16:
		return read_int(r, v, 0, UINT16_MAX, &n) && (*(uint16_t *)p = (uint16_t)n, true);
	case FIELD_INT32:
		return read_int(r, v, INT32_MIN, INT32_MAX, &n) &&
		       (*(int32_t *)p = (int32_t)n, true);
	case FIELD_UINT32:
		return read_int(r, v, 0, UINT32_MAX, &n) && (*(uint32_t *)p = (uint32_t)n, true);
	case FIELD_INT64:
		return read_int(r, v, INT64_MIN, INT64_MAX, p);
	case FIELD_FLOAT64:
		return read_real(r, v, p);
	case FIELD_UUID:
		return read_uuid(r, v, p);
	case FIELD_STRING:
		return read_string(r, v, p);
	case FIELD_BYTES:
		return read_base64(r, v, p);
	case FIELD_RECORDS:
		return read_records(r, v, p);
	case FIELD_STRUCT:
		return read_struct(r, f->child, v, p);
	}
	return false;
}

static bool read_array(struct reader *r, const struct schema_field *f, const json_t *v,
		       uint8_t *obj)
{
	size_t count = json_array_size(v);
	uint8_t *at;

	if (!json_is_array(v) || count > INT32_MAX)
		return refuse(r, "an array", v) || error_within(r->error, f->name, -1);
	at = take(r, count * f->size);
	if (!at)
		return error_within(r->error, f->name, -1);
	*(uint8_t **)(void *)(obj + f->offset) = at;
	*(int32_t *)(void *)(obj + f->count_offset) = (int32_t)count;
	for (size_t i = 0; i < count; i++, at += f->size)
		if (!read_one(r, f, json_array_get(v, i), at))
			return error_within(r->error, f->name, (int64_t)i);
	return true;
}

static bool set_null(struct reader *r, const struct schema_field *f, uint8_t *obj)
{
	if (!field_nullable(f, r->version)) {
		error_set(r->error, ERR_MALFORMED, "null where version %d allows none", r->version);
		return error_within(r->error, f->name, -1);
	}
	if (f->array)
		*(int32_t *)(void *)(obj + f->count_offset) = -1;
	if (f->array || f->pointer)
		*(void **)(void *)(obj + f->offset) = NULL;
	else
		memset(obj + f->offset, 0, f->size);
	return true;
}

static bool read_field(struct reader *r, const struct schema_field *f, const json_t *v,
		       uint8_t *obj)
{
	void *p = obj + f->offset;

	if (json_is_null(v))
		return set_null(r, f, obj);
	if (f->array)
		return read_array(r, f, v, obj);
	if (f->pointer) {
		p = take(r, f->child->size);
		if (!p)
			return error_within(r->error, f->name, -1);
		*(void **)(void *)(obj + f->offset) = p;
	}
	return read_one(r, f, v, p) || error_within(r->error, f->name, -1);
}

static bool read_hex(struct reader *r, const json_t *v, struct bytes *ret_b)
{
	size_t len = json_string_length(v);
	uint8_t *data;
	int64_t n;

	if (!json_is_string(v))
		return refuse(r, "hex", v);
	data = take(r, len / 2 + 1);
	if (!data)
		return false;
	n = len > INT32_MAX
		    ? -1
		    : hex_decode((struct str){json_string_value(v), (int32_t)len}, data, len / 2);
	if (n < 0) {
		error_set(r->error, ERR_MALFORMED, "text that is no hex");
		return false;
	}
	*ret_b = (struct bytes){data, (int32_t)n};
	return true;
}

static bool read_tag(struct reader *r, const json_t *v, struct unknown_tag *ret_tag)
{
	const json_t *tag = json_object_get(v, "tag"), *hex = json_object_get(v, "hex");
	int64_t n;

	if (!tag || !hex || json_object_size(v) != 2) {
		error_set(r->error, ERR_MALFORMED, "{\"tag\":N,\"hex\":\"...\"} is wanted");
		return false;
	}
	if (!read_int(r, tag, 0, UINT32_MAX, &n))
		return error_within(r->error, "tag", -1);
	ret_tag->tag = (uint32_t)n;
	return read_hex(r, hex, &ret_tag->data) || error_within(r->error, "hex", -1);
}

/* Tags must stand in order, once each, and not be one that the version knows: anything else would
 * not come back as it was. */
static bool tag_fits(struct reader *r, const struct schema *s, const struct unknown_tags *tags,
		     uint32_t tag)
{
	if (tags->count && tag <= tags->tags[tags->count - 1].tag) {
		error_set(r->error, ERR_MALFORMED, "tags must rise, and %u follows %u", tag,
			  tags->tags[tags->count - 1].tag);
		return false;
	}
	for (uint16_t i = 0; i < s->tagged_count; i++) {
		const struct schema_field *f = &s->fields[s->tagged[i]];

		if ((uint32_t)f->tag != tag || !field_in(f, r->version))
			continue;
		error_set(r->error, ERR_MALFORMED, "tag %u is field %s here", tag, f->name);
		return false;
	}
	return true;
}

static bool read_tags(struct reader *r, const struct schema *s, const json_t *v, uint8_t *obj)
{
	size_t count = json_array_size(v);
	struct unknown_tags *tags;
	struct unknown_tag tag;

	if (!json_is_array(v))
		return refuse(r, "an array", v) || error_within(r->error, MESSAGE_JSON_TAGS, -1);
	tags = take(r, sizeof(*tags) + count * sizeof(tag));
	if (!tags)
		return false;
	tags->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!read_tag(r, json_array_get(v, i), &tag) || !tag_fits(r, s, tags, tag.tag))
			return error_within(r->error, MESSAGE_JSON_TAGS, (int64_t)i);
		tags->tags[tags->count++] = tag;
	}
	*(struct unknown_tags **)(void *)(obj + s->unknown_tags_offset) = tags;
	return true;
}

/* Says what is wrong with the key that no field took. */
static bool stranger(struct reader *r, const struct schema *s, const json_t *v)
{
	const struct schema_field *f;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)v, key, value)
	{
		f = schema_find(s, str_of(key));
		if ((f && field_in(f, r->version)) ||
		    (!strcmp(key, MESSAGE_JSON_TAGS) && schema_flexible(s, r->version)))
			continue;
		if (!strcmp(key, MESSAGE_JSON_TAGS)) {
			error_set(r->error, ERR_UNSUPPORTED, "version %d carries no tagged fields",
				  r->version);
		} else if (f && f->until < VERSION_MAX) {
			error_set(r->error, ERR_UNSUPPORTED,
				  "version %d has no such field; versions %d to %d have",
				  r->version, f->since, f->until);
		} else if (f) {
			error_set(r->error, ERR_UNSUPPORTED,
				  "version %d has no such field; version %d and later have",
				  r->version, f->since);
		} else {
			f = schema_nearest(s, r->version, str_of(key));
			error_set(r->error, ERR_MALFORMED, "there is no such field%s%s%s",
				  f ? "; did you mean '" : "", f ? f->name : "", f ? "'?" : "");
		}
		return error_within(r->error, key, -1);
	}
	return true;
}

static bool read_struct(struct reader *r, const struct schema *s, const json_t *v, uint8_t *obj)
{
	const json_t *value;
	size_t used = 0;

	if (!json_is_object(v))
		return refuse(r, "an object", v);
	memcpy(obj, s->defaults, s->size);
	for (const struct schema_field *f = s->fields, *end = f + s->field_count; f < end; f++) {
		if (!field_in(f, r->version))
			continue;
		value = json_object_get(v, f->name);
		used += value != NULL;
		if (value ? !read_field(r, f, value, obj) : f->tag < 0 && !f->has_default) {
			if (value ||
			    !stranger(r, s, v)) /* a mistyped name explains the missing one */
				return false;
			error_set(r->error, ERR_MALFORMED,
				  "the field is missing, and it has no default");
			return error_within(r->error, f->name, -1);
		}
	}
	value = schema_flexible(s, r->version) ? json_object_get(v, MESSAGE_JSON_TAGS) : NULL;
	if (value && !read_tags(r, s, value, obj))
		return false;
	return json_object_size(v) == used + (value != NULL) || stranger(r, s, v);
}

int message_json_read(const struct schema *s, int version, const json_t *value, struct arena *a,
		      void *ret_msg, struct error *e)
{
	struct error local = ERROR_INIT;
	struct reader r = {.arena = a, .error = e ? e : &local, .version = version};

	return read_struct(&r, s, value, ret_msg) ? 0 : r.error->code;
}
