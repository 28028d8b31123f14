/* By the tables: when Kafka made a list of what had been single, it kept the names of the fields
 * (with "v3AndBelow" and the like about them); when it made one value of a list, its meaning. So
 * fields that only one version has meet by their names without such additions, then by role.
 *
 * Passes over the message: move what stands elsewhere, fill in what a topic is called, and set what
 * the version lacks to its default. */
#include "replay/reshape.h"

#include "protocol/codec.h"

#include <ctype.h>
#include <stdlib.h>

#define STEM_SIZE 64

struct passes {
	const struct reshape *r;
	int from, to;
	bool full;
};

static void *value_of(const struct schema_field *f, void *msg)
{
	return (uint8_t *)msg + f->offset;
}

static int32_t count_of(const struct schema_field *f, const void *msg)
{
	int32_t n;

	memcpy(&n, (const uint8_t *)msg + f->count_offset, sizeof(n));
	return n;
}

static uint8_t *elements_of(const struct schema_field *f, const void *msg)
{
	uint8_t *at;

	memcpy(&at, (const uint8_t *)msg + f->offset, sizeof(at));
	return at;
}

static void set_array(const struct schema_field *f, void *msg, void *elements, int32_t n)
{
	memcpy((uint8_t *)msg + f->offset, &elements, sizeof(elements));
	memcpy((uint8_t *)msg + f->count_offset, &n, sizeof(n));
}

static void *zalloc(struct passes *p, size_t size)
{
	void *m = arena_zalloc(p->r->arena, size);

	p->full = p->full || !m;
	return m;
}

static void *copy_of(struct passes *p, const void *data, size_t n)
{
	void *copy = arena_copy(p->r->arena, data, n);

	p->full = p->full || !copy;
	return copy;
}

static bool is_new(const struct passes *p, const struct schema_field *f)
{
	return field_in(f, p->to) && !field_in(f, p->from);
}

static bool is_gone(const struct passes *p, const struct schema_field *f)
{
	return field_in(f, p->from) && !field_in(f, p->to);
}

static void note(struct buf *b, const char *name)
{
	if (b && !strstr(buf_cstr(b), name))
		buf_printf(b, "%s%s", b->len ? ", " : "", name);
}

/* ---- moving ---- */

/* A name without what says in which versions it is there, and the one that was spelled anew. */
static void stem_of(const char *name, char ret[STEM_SIZE])
{
	static const char *const additions[] = {"v3andbelow", "v0"};
	size_t n = 0;
	char *at;

	for (; name[n] && n < STEM_SIZE - 1; n++)
		ret[n] = (char)tolower((unsigned char)name[n]);
	ret[n] = '\0';
	for (size_t i = 0; i < sizeof(additions) / sizeof(additions[0]); i++) {
		at = strstr(ret, additions[i]);
		if (at)
			memmove(at, at + strlen(additions[i]),
				strlen(at + strlen(additions[i])) + 1);
	}
	if (strcmp(ret, "resultsbytopic") == 0)
		memcpy(ret, "topicresults", sizeof("topicresults"));
}

static bool same_stem(const struct schema_field *a, const struct schema_field *b)
{
	char x[STEM_SIZE], y[STEM_SIZE];

	if (a->type != b->type || a->array != b->array)
		return false;
	stem_of(a->name, x);
	stem_of(b->name, y);
	return strcmp(x, y) == 0;
}

static void copy_struct(struct passes *p, const struct schema *from, const void *src,
			const struct schema *to, void *dst);

/* A value of one struct into the field of the same name of another. */
static void copy_field(struct passes *p, const struct schema_field *f, const void *src,
		       const struct schema_field *g, void *dst)
{
	int32_t n;
	uint8_t *elements;

	if (!f->array && f->type != FIELD_STRUCT) {
		memcpy(value_of(g, dst), (const uint8_t *)src + f->offset, f->size);
		return;
	}
	if (!f->array)
		return; /* single structs were never moved */
	n = count_of(f, src);
	if (f->type != FIELD_STRUCT || f->child == g->child || n <= 0) {
		set_array(g, dst, elements_of(f, src), n);
		return;
	}
	elements = zalloc(p, (size_t)n * g->size);
	for (int32_t i = 0; i < n && elements; i++)
		copy_struct(p, f->child, elements_of(f, src) + (size_t)i * f->size, g->child,
			    elements + (size_t)i * g->size);
	if (elements)
		set_array(g, dst, elements, n);
}

static void copy_struct(struct passes *p, const struct schema *from, const void *src,
			const struct schema *to, void *dst)
{
	codec_init(to, dst);
	for (uint16_t i = 0; i < to->field_count; i++)
		for (uint16_t k = 0; k < from->field_count; k++)
			if (field_in(&to->fields[i], p->to) &&
			    field_in(&from->fields[k], p->from) &&
			    same_stem(&from->fields[k], &to->fields[i]))
				copy_field(p, &from->fields[k], src, &to->fields[i], dst);
}

/* How many fields that only one version has at the top stand in elements of an array that only the
 * other has. */
static int moved_fields(const struct passes *p, const struct schema *s,
			const struct schema_field *array, bool down)
{
	int found = 0;

	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (!(down ? is_gone(p, f) : is_new(p, f)))
			continue;
		for (uint16_t k = 0; k < array->child->field_count; k++)
			found += same_stem(f, &array->child->fields[k]);
	}
	return found;
}

/* The names in an element are those of the request where the top had none. */
static void name_element(const struct passes *p, const struct schema *s, void *element)
{
	struct holder in = {s, element, p->to, NULL};

	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		enum role role = role_of(s, f);
		const struct str *name;

		if (f->array || f->type != FIELD_STRING ||
		    (role != ROLE_GROUP && role != ROLE_TRANSACTIONAL_ID &&
		     role != ROLE_COORDINATOR_KEY))
			continue;
		name = p->r->around ? holder_value(p->r->around, role, NULL) : NULL;
		if (name && !((struct str *)value_of(f, in.msg))->len)
			*(struct str *)value_of(f, in.msg) = *name;
	}
}

/* What stood at the top becomes the single element of a list. */
static void move_down(struct passes *p, const struct schema *s, const struct schema_field *array,
		      void *msg)
{
	void *element;

	if (!moved_fields(p, s, array, true))
		return;
	element = zalloc(p, array->size);
	if (!element)
		return;
	copy_struct(p, s, msg, array->child, element);
	name_element(p, array->child, element);
	set_array(array, msg, element, 1);
}

/* The element of a list that the live request is about; else the first. */
static const void *element_for(const struct passes *p, const struct schema_field *array,
			       const void *msg)
{
	static const enum role roles[] = {ROLE_GROUP, ROLE_TRANSACTIONAL_ID, ROLE_COORDINATOR_KEY};
	int32_t n = count_of(array, msg);
	uint8_t *at = elements_of(array, msg);

	for (int32_t i = 0; i < n && p->r->live_about; i++) {
		struct holder in = {array->child, at + (size_t)i * array->size, p->from, NULL};

		for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
			const struct str *a = holder_value(&in, roles[k], NULL);
			const struct str *b = holder_value(p->r->live_about, roles[k], NULL);

			if (a && b && str_eq(*a, *b))
				return in.msg;
		}
	}
	return n > 0 ? at : NULL;
}

static void move_up(struct passes *p, const struct schema *s, const struct schema_field *array,
		    void *msg)
{
	const void *element = moved_fields(p, s, array, false) ? element_for(p, array, msg) : NULL;

	for (uint16_t i = 0; i < s->field_count && element; i++) {
		const struct schema_field *f = &s->fields[i];

		if (!is_new(p, f))
			continue;
		for (uint16_t k = 0; k < array->child->field_count; k++)
			if (same_stem(f, &array->child->fields[k]))
				copy_field(p, &array->child->fields[k], element, f, msg);
	}
}

static void move(struct passes *p, const struct schema *s, void *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (!f->array || f->type != FIELD_STRUCT)
			continue;
		if (is_new(p, f))
			move_down(p, s, f, msg);
		else if (is_gone(p, f))
			move_up(p, s, f, msg);
	}
}

/* ---- one struct ---- */

/* A list of values and a single one of the same meaning. */
static void exchange_single(struct passes *p, const struct schema *s, const struct schema_field *f,
			    void *msg)
{
	for (uint16_t k = 0; k < s->field_count; k++) {
		const struct schema_field *g = &s->fields[k];

		if (!is_gone(p, g) || g->array == f->array || g->type != f->type ||
		    role_of(s, g) == ROLE_PLAIN || role_of(s, g) != role_of(s, f))
			continue;
		if (f->array) /* the single one goes to its default */
			set_array(f, msg, copy_of(p, value_of(g, msg), f->size), 1);
		else if (count_of(g, msg) > 0)
			memcpy(value_of(f, msg), elements_of(g, msg), f->size);
	}
}

static void fill_topic(const struct passes *p, const struct schema *s, void *msg)
{
	struct holder in = {s, msg, VERSION_MAX, NULL};
	struct str *name = NULL;
	struct uuid *id = NULL;

	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (!f->array && f->type == FIELD_STRING && role_of(s, f) == ROLE_TOPIC)
			name = value_of(f, in.msg);
		if (!f->array && f->type == FIELD_UUID && role_of(s, f) == ROLE_TOPIC_ID)
			id = value_of(f, in.msg);
	}
	if (!name || !id)
		return;
	if (!name->len && !uuid_is_zero(*id)) {
		struct str known = variables_topic_name(p->r->v, p->r->side, *id);

		*name = known.data ? known : *name;
	} else if (name->len && uuid_is_zero(*id)) {
		*id = variables_id_of_topic(p->r->v, p->r->side, *name);
	}
}

static void set_default(const struct schema *s, const struct schema_field *f, void *msg)
{
	const uint8_t *from = (const uint8_t *)s->defaults + f->offset;

	if (f->array) {
		set_array(f, msg, elements_of(f, s->defaults), count_of(f, s->defaults));
		return;
	}
	memcpy(value_of(f, msg), from, f->pointer ? sizeof(void *) : f->size);
}

/* Null where the version has none. */
static void fill_null(const struct passes *p, const struct schema_field *f, void *msg)
{
	struct str *text = value_of(f, msg);

	if (!field_in(f, p->to) || field_nullable(f, p->to) || f->pointer)
		return;
	if (f->array && count_of(f, msg) < 0)
		set_array(f, msg, NULL, 0);
	else if (!f->array && f->type == FIELD_STRING && !text->data)
		*text = (struct str){"", 0};
	else if (!f->array && f->type == FIELD_BYTES && !text->data)
		*(struct bytes *)value_of(f, msg) = (struct bytes){(const uint8_t *)"", 0};
}

static void fit(struct passes *p, const struct schema *s, void *msg);

static void fit_below(struct passes *p, const struct schema_field *f, void *msg)
{
	uint8_t *at = value_of(f, msg);
	int32_t n = 1;

	if (f->array) {
		n = count_of(f, msg);
		at = elements_of(f, msg);
	} else if (f->pointer) {
		at = elements_of(f, msg);
		if (!at || (const void *)at == f->child->defaults)
			return;
	}
	for (int32_t i = 0; i < n; i++)
		fit(p, f->child, at + (size_t)i * f->size);
}

static void fit(struct passes *p, const struct schema *s, void *msg)
{
	fill_topic(p, s, msg);
	for (uint16_t i = 0; i < s->field_count; i++)
		if (is_new(p, &s->fields[i]) && s->fields[i].type != FIELD_STRUCT)
			exchange_single(p, s, &s->fields[i], msg);
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		bool silent = codec_field_is_default(s, f, msg);

		if (is_new(p, f) && f->tag < 0 && silent)
			note(p->r->by_default, f->name);
		if (is_gone(p, f) && !f->ignorable && !silent && f->type != FIELD_STRUCT)
			note(p->r->lost, f->name);
		if (!field_in(f, p->to) && !silent)
			set_default(s, f, msg);
		fill_null(p, f, msg);
		if (f->type == FIELD_STRUCT && field_in(f, p->to))
			fit_below(p, f, msg);
	}
}

bool reshape(const struct reshape *r, const struct schema *s, int from, int to, void *msg)
{
	struct passes p = {r, from, to, false};

	if (from != to)
		move(&p, s, msg);
	fit(&p, s, msg);
	return !p.full;
}
