/* Paths, read once against the tables and then followed without strings. Indices that do not exist
 * in a message are no error: a rule is written before its messages. Owns nothing. */
#include "protocol/path.h"

#include "base/hex.h"
#include "protocol/kafka_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading a path ---- */

struct parse {
	struct str text;
	int32_t at;
	int version;
	struct path *path;
	struct error *error;
};

static bool fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parse *p, const char *fmt, ...)
{
	char what[300], path[150];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), STR_FMT, STR_ARG(p->text));
	error_at(p->error, ERR_USAGE, (size_t)p->at, path, "%s", what);
	return false;
}

static bool wanted(const struct parse *p, const struct schema_field *f)
{
	return p->version == PATH_ANY_VERSION || field_in(f, p->version);
}

static void list_fields(const struct parse *p, const struct schema *s, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint16_t i = 0; i < s->field_count && len + 40 < size; i++)
		if (wanted(p, &s->fields[i]))
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "",
						s->fields[i].name);
}

static const struct schema_field *nearest(const struct parse *p, const struct schema *s,
					  struct str name)
{
	const struct schema_field *best = NULL;
	int least = 1 + name.len / 2;

	for (uint16_t i = 0; i < s->field_count; i++) {
		int distance = str_distance(name, str_of(s->fields[i].name));

		if (!wanted(p, &s->fields[i]) || distance >= least)
			continue;
		least = distance;
		best = &s->fields[i];
	}
	return best;
}

static bool no_field(struct parse *p, const struct schema *s, struct str name)
{
	const struct schema_field *f = schema_find(s, name);
	char fields[200];

	if (f && f->until == VERSION_MAX)
		return fail(p, "version %d has no %s; version %d and later have", p->version,
			    f->name, f->since);
	if (f)
		return fail(p, "version %d has no %s; versions %d to %d have", p->version, f->name,
			    f->since, f->until);
	f = nearest(p, s, name);
	if (f)
		return fail(p, "there is no field '" STR_FMT "'; did you mean '%s'?", STR_ARG(name),
			    f->name);
	list_fields(p, s, fields, sizeof(fields));
	return fail(p, "there is no field '" STR_FMT "'; here are %s", STR_ARG(name), fields);
}

/* "[3]" or "[*]" behind an array's name. */
static bool parse_index(struct parse *p, int32_t *ret_index)
{
	const char *end = p->text.data + p->text.len, *from = p->text.data + p->at + 1, *c = from;
	int64_t n = 0;

	for (; c < end && *c >= '0' && *c <= '9' && n <= INT32_MAX; c++)
		n = n * 10 + *c - '0';
	if (c == from && c < end && *c == '*') {
		n = PATH_EVERY;
		c++;
	} else if (c == from || n > INT32_MAX) {
		return fail(p, "an index is wanted: [0] or [*]");
	}
	if (c == end || *c != ']')
		return fail(p, "the index lacks its ']'");
	p->at = (int32_t)(c + 1 - p->text.data);
	*ret_index = (int32_t)n;
	return true;
}

static bool parse_step(struct parse *p, const struct schema *s)
{
	struct path_step *step = &p->path->steps[p->path->count];
	const char *from = p->text.data + p->at;
	struct str name = {from, 0};
	bool open;

	if (p->path->count == PATH_STEPS_MAX)
		return fail(p, "a path has at most %d steps", PATH_STEPS_MAX);
	while (p->at + name.len < p->text.len && from[name.len] != '.' && from[name.len] != '[')
		name.len++;
	step->field = schema_find(s, name);
	step->index = PATH_NO_INDEX;
	if (!step->field || !wanted(p, step->field))
		return no_field(p, s, name);
	p->at += name.len;
	open = p->at < p->text.len && p->text.data[p->at] == '[';
	if (open && !step->field->array)
		return fail(p, "%s is no array", step->field->name);
	if (!open && step->field->array)
		return fail(p, "%s is an array: %s[*] or %s[0]", step->field->name,
			    step->field->name, step->field->name);
	if (open && !parse_index(p, &step->index))
		return false;
	p->path->count++;
	if (step->field->since > p->path->since)
		p->path->since = step->field->since;
	if (step->field->until < p->path->until)
		p->path->until = step->field->until;
	return true;
}

static bool parse_all(struct parse *p)
{
	const struct schema *s = p->path->schema;
	const struct schema_field *f;
	char fields[200];

	for (;;) {
		if (!parse_step(p, s))
			return false;
		f = path_leaf(p->path);
		if (p->at == p->text.len)
			break;
		if (p->text.data[p->at] != '.')
			return fail(p, "'.' is wanted before the next field");
		if (f->type != FIELD_STRUCT)
			return fail(p, "%s is a value, it has no fields", f->name);
		p->at++;
		s = f->child;
	}
	if (f->type != FIELD_STRUCT)
		return true;
	list_fields(p, f->child, fields, sizeof(fields));
	return fail(p, "%s is a struct; go on with one of its fields: %s", f->name, fields);
}

int path_parse(const struct schema *s, int version, struct str text, struct path *ret_path,
	       struct error *e)
{
	struct path path = {.schema = s, .until = VERSION_MAX};
	struct error local = ERROR_INIT;
	struct parse p = {.text = text, .version = version, .path = &path, .error = e ? e : &local};

	if (!parse_all(&p))
		return p.error->code;
	*ret_path = path;
	return 0;
}

/* ---- following it ---- */

struct trip {
	const struct path *path;
	path_visitor *visit;
	void *user;
	int32_t index[PATH_STEPS_MAX], index_count;
	int visited;
};

static bool follow(struct trip *t, int32_t step, uint8_t *obj);

/* The value (or struct) that a step has led to. */
static bool arrive(struct trip *t, int32_t step, uint8_t *value)
{
	if (step + 1 < t->path->count)
		return follow(t, step + 1, value);
	t->visited++;
	return t->visit(t->user, t->path->steps[step].field, value, t->index);
}

static bool follow_array(struct trip *t, int32_t step, uint8_t *obj)
{
	const struct schema_field *f = t->path->steps[step].field;
	int32_t wish = t->path->steps[step].index;
	int32_t count = *(const int32_t *)(const void *)(obj + f->count_offset);
	uint8_t *elements = *(uint8_t **)(void *)(obj + f->offset);
	int32_t slot = t->index_count++;
	bool on = true;

	for (int32_t i = wish < 0 ? 0 : wish; on && i < count && (wish < 0 || i == wish); i++) {
		t->index[slot] = i;
		on = arrive(t, step, elements + (size_t)i * f->size);
	}
	t->index_count--;
	return on;
}

static bool follow(struct trip *t, int32_t step, uint8_t *obj)
{
	const struct schema_field *f = t->path->steps[step].field;
	uint8_t *child;

	if (f->array)
		return follow_array(t, step, obj);
	if (!f->pointer)
		return arrive(t, step, obj + f->offset);
	child = *(uint8_t **)(void *)(obj + f->offset);
	if (child == f->child->defaults) /* constant, and nobody's to change (protocol/schema.h) */
		return true;
	return !child || arrive(t, step, child);
}

int path_each(const struct path *p, void *msg, path_visitor *visit, void *user)
{
	struct trip t = {.path = p, .visit = visit, .user = user};

	follow(&t, 0, msg);
	return t.visited;
}

static bool keep_first(void *user, const struct schema_field *field, void *value,
		       const int32_t *index)
{
	(void)field;
	(void)index;
	*(const void **)user = value;
	return false;
}

const void *path_get(const struct path *p, const void *msg)
{
	const void *value = NULL;

	path_each(p, (void *)(uintptr_t)msg, keep_first, &value);
	return value;
}

/* ---- values as text ---- */

/* Room for any value that is no struct. */
union value {
	bool boolean;
	int8_t i8;
	int16_t i16;
	uint16_t u16;
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	double real;
	struct uuid uuid;
	struct str str;
	struct bytes bytes;
	struct records records;
};

static bool refuse(struct error *e, const struct schema_field *f, struct str text, const char *kind)
{
	char shown[60];

	snprintf(shown, sizeof(shown), STR_FMT, STR_ARG(text));
	error_at(e, ERR_USAGE, ERROR_NO_OFFSET, f->name, "'%s' is no %s", shown, kind);
	return false;
}

static bool is_error_code(const struct schema_field *f)
{
	size_t len = strlen(f->name);

	return f->type == FIELD_INT16 && len >= 9 && !strcmp(f->name + len - 8, "rrorCode");
}

static bool read_int(const struct schema_field *f, struct str text, int64_t min, int64_t max,
		     int64_t *ret_n, struct error *e)
{
	char copy[24], kind[60], *end;
	int16_t code;

	snprintf(kind, sizeof(kind), "integer from %lld to %lld", (long long)min, (long long)max);
	if (is_error_code(f) && kafka_error_find(text, &code)) {
		*ret_n = code;
		return true;
	}
	if (text.len < 1 || text.len >= (int32_t)sizeof(copy) ||
	    !strchr("-0123456789", text.data[0]))
		return refuse(e, f, text, kind);
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	errno = 0;
	*ret_n = strtoll(copy, &end, 10);
	return (!*end && !errno && *ret_n >= min && *ret_n <= max) || refuse(e, f, text, kind);
}

static bool read_real(const struct schema_field *f, struct str text, double *ret_n, struct error *e)
{
	char copy[64], *end;

	if (text.len < 1 || text.len >= (int32_t)sizeof(copy))
		return refuse(e, f, text, "number");
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	*ret_n = strtod(copy, &end);
	return !*end || refuse(e, f, text, "number");
}

static bool read_hex(const struct schema_field *f, struct str text, struct arena *a,
		     union value *ret_v, struct error *e)
{
	size_t size = (size_t)text.len / 2;
	uint8_t *data = arena_alloc(a, size + 1);

	if (!data)
		return refuse(e, f, text, "value that fits into memory");
	if (hex_decode(text, data, size) < 0)
		return refuse(e, f, text, "hex");
	ret_v->records = (struct records){data, (int32_t)size, 0};
	return true;
}

static bool read_bool(const struct schema_field *f, struct str text, bool *ret_v, struct error *e)
{
	*ret_v = str_is(text, "true");
	return *ret_v || str_is(text, "false") || refuse(e, f, text, "true or false");
}

static bool read_str(const struct schema_field *f, struct str text, struct arena *a,
		     struct str *ret_v, struct error *e)
{
	*ret_v = arena_str(a, text);
	return (ret_v->data && text.len <= INT16_MAX) ||
	       refuse(e, f, text, "string of at most 32767 bytes");
}

static bool read_value(const struct schema_field *f, struct str text, struct arena *a,
		       union value *ret_v, struct error *e)
{
	int64_t n = 0;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		return read_bool(f, text, &ret_v->boolean, e);
	case FIELD_INT8:
		return read_int(f, text, INT8_MIN, INT8_MAX, &n, e) &&
		       (ret_v->i8 = (int8_t)n, true);
	case FIELD_INT16:
		return read_int(f, text, INT16_MIN, INT16_MAX, &n, e) &&
		       (ret_v->i16 = (int16_t)n, true);
	case FIELD_UINT16:
		return read_int(f, text, 0, UINT16_MAX, &n, e) && (ret_v->u16 = (uint16_t)n, true);
	case FIELD_INT32:
		return read_int(f, text, INT32_MIN, INT32_MAX, &n, e) &&
		       (ret_v->i32 = (int32_t)n, true);
	case FIELD_UINT32:
		return read_int(f, text, 0, UINT32_MAX, &n, e) && (ret_v->u32 = (uint32_t)n, true);
	case FIELD_INT64:
		return read_int(f, text, INT64_MIN, INT64_MAX, &ret_v->i64, e);
	case FIELD_FLOAT64:
		return read_real(f, text, &ret_v->real, e);
	case FIELD_UUID:
		return uuid_parse(text, &ret_v->uuid) || refuse(e, f, text, "uuid");
	case FIELD_STRING:
		return read_str(f, text, a, &ret_v->str, e);
	case FIELD_BYTES:
	case FIELD_RECORDS:
		return read_hex(f, text, a, ret_v, e);
	case FIELD_STRUCT:
		break;
	}
	return false;
}

static bool can_be_null(const struct schema_field *f, int version)
{
	if (f->array) /* its elements */
		return false;
	return version == PATH_ANY_VERSION ? f->null_since <= f->null_until
					   : field_nullable(f, version);
}

/* ---- setting and comparing ---- */

static bool assign(void *user, const struct schema_field *field, void *value, const int32_t *index)
{
	(void)index;
	memcpy(value, user, field->size);
	return true;
}

int path_set(const struct path *p, int version, void *msg, struct str text, struct arena *a,
	     struct error *e)
{
	const struct schema_field *f = path_leaf(p);
	union value to = {0};

	if (!(str_is(text, "null") && can_be_null(f, version)) && !read_value(f, text, a, &to, e))
		return ERR_USAGE;
	return path_each(p, msg, assign, &to);
}

bool path_accepts(const struct path *p, struct str text, struct error *e)
{
	const struct schema_field *f = path_leaf(p);
	struct arena scratch;
	union value value;
	bool ok;

	if (str_is(text, "null") && can_be_null(f, PATH_ANY_VERSION))
		return true;
	arena_init(&scratch, ARENA_EXCHANGE_MAX);
	ok = read_value(f, text, &scratch, &value, e);
	arena_release(&scratch);
	return ok;
}

static bool hex_is(const struct bytes *view, struct str text)
{
	uint8_t byte;

	if (text.len != 2 * (int64_t)view->len)
		return false;
	for (int32_t i = 0; i < view->len; i++)
		if (hex_decode((struct str){text.data + 2 * i, 2}, &byte, 1) != 1 ||
		    byte != view->data[i])
			return false;
	return true;
}

bool path_value_is(const struct schema_field *field, const void *value, struct str text)
{
	union value want;

	switch ((enum field_type)field->type) {
	case FIELD_STRING:
		return str_eq(*(const struct str *)value, text) ||
		       (!((const struct str *)value)->data && str_is(text, "null"));
	case FIELD_BYTES:
	case FIELD_RECORDS:
		if (!((const struct bytes *)value)->data)
			return str_is(text, "null");
		return hex_is(value, text);
	case FIELD_FLOAT64:
		if (!read_value(field, text, NULL, &want, NULL))
			return false;
		return want.real <= *(const double *)value && want.real >= *(const double *)value;
	default:
		return read_value(field, text, NULL, &want, NULL) &&
		       !memcmp(&want, value, field->size);
	}
}
