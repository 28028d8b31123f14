/* Parts are the leaves of an answer's arrays. What is not wanted is cut off first, with the
 * branches that then bear nothing; then each missing part is put where it belongs, its branches
 * being made where there are none. */
#include "replay/assemble.h"

#include "protocol/messages.h"

struct work {
	const struct assemble *a;
	bool *wanted; /* of the first answer's parts */
	bool full;
};

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

static void set_array(const struct schema_field *f, void *msg, const void *elements, int32_t n)
{
	memcpy((uint8_t *)msg + f->offset, &elements, sizeof(elements));
	memcpy((uint8_t *)msg + f->count_offset, &n, sizeof(n));
}

/* The arrays of structs that hold parts, one after the other; NULL at the end. */
static const struct schema_field *next_array(const struct work *w, const struct schema *s,
					     const struct schema_field *f)
{
	for (f = f ? f + 1 : s->fields; f < s->fields + s->field_count; f++)
		if (field_in(f, w->a->version) && f->type == FIELD_STRUCT &&
		    parts_in(w->a->api_key, s, f))
			return f;
	return NULL;
}

/* ---- cutting off ---- */

static bool is_cut(const struct work *w, const void *element)
{
	const struct parts *own = &w->a->answers[0].parts;

	for (size_t i = 0; i < own->count; i++)
		if (own->list[i].in->msg == element)
			return !w->wanted[i];
	return false;
}

/* True if the struct bears nothing any more. */
static bool prune(const struct work *w, const struct schema *s, uint8_t *msg)
{
	bool bears = false, bare = true;

	for (const struct schema_field *f = next_array(w, s, NULL); f; f = next_array(w, s, f)) {
		uint8_t *at = elements_of(f, msg);
		int32_t n = count_of(f, msg), kept = 0;

		for (int32_t i = 0; i < n; i++) {
			uint8_t *element = at + (size_t)i * f->size;

			bare = false;
			if (is_cut(w, element) || prune(w, f->child, element))
				continue;
			/* is_cut knows elements by their place, so they are moved only to places
			 * that were asked about already */
			if (kept != i)
				memcpy(at + (size_t)kept * f->size, element, f->size);
			kept++;
		}
		if (n >= 0)
			set_array(f, msg, at, kept);
		bears = bears || kept > 0;
	}
	return !bears && !bare;
}

/* ---- putting in ---- */

/* Whether two elements are named alike. */
static bool same_name(const struct work *w, const struct schema *s, const uint8_t *a,
		      const uint8_t *b)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (f->array || !field_in(f, w->a->version) || !parts_identify(w->a->api_key, s, f))
			continue;
		if (f->type == FIELD_STRING) {
			if (!str_eq(*(const struct str *)(const void *)(a + f->offset),
				    *(const struct str *)(const void *)(b + f->offset)))
				return false;
		} else if (memcmp(a + f->offset, b + f->offset, f->size) != 0) {
			return false;
		}
	}
	return true;
}

static const struct schema_field *array_of(const struct work *w, const struct schema *s,
					   const struct schema *child)
{
	const struct schema_field *f = next_array(w, s, NULL);

	while (f && f->child != child)
		f = next_array(w, s, f);
	return f;
}

static uint8_t *append(struct work *w, const struct schema_field *f, uint8_t *msg,
		       const void *element)
{
	int32_t n = count_of(f, msg) > 0 ? count_of(f, msg) : 0;
	uint8_t *bigger = arena_alloc(w->a->arena, (size_t)(n + 1) * f->size);

	if (!bigger) {
		w->full = true;
		return NULL;
	}
	if (n)
		memcpy(bigger, elements_of(f, msg), (size_t)n * f->size);
	memcpy(bigger + (size_t)n * f->size, element, f->size);
	set_array(f, msg, bigger, n + 1);
	return bigger + (size_t)n * f->size;
}

/* The struct of the answer that stands for a branch of another one; made where there is none. */
static uint8_t *branch(struct work *w, const struct holder *in, bool leaf)
{
	const struct schema_field *f;
	uint8_t *outer, *at, *made;
	int32_t n;

	/* the root, around which there may be the request */
	if (!in->outer || in->schema == message_of_api(w->a->api_key, MESSAGE_RESPONSE)->schema)
		return w->a->answers[0].body;
	outer = branch(w, in->outer, false);
	f = outer ? array_of(w, in->outer->schema, in->schema) : NULL;
	if (!f)
		return NULL;
	n = count_of(f, outer);
	at = elements_of(f, outer);
	for (int32_t i = 0; i < n && !leaf; i++)
		if (same_name(w, in->schema, at + (size_t)i * f->size, in->msg))
			return at + (size_t)i * f->size;
	made = append(w, f, outer, in->msg);
	for (f = next_array(w, in->schema, NULL); f && made && !leaf;
	     f = next_array(w, in->schema, f))
		set_array(f, made, NULL, 0);
	return made;
}

/* All of an answer that one part asked for. */
static void put_in(struct work *w, const struct parts *from, struct bytes key)
{
	for (size_t i = 0; i < from->count && !w->full; i++)
		if (parts_covers(key, from->list[i].key))
			branch(w, from->list[i].in, true);
}

bool assemble(const struct assemble *a)
{
	struct work w = {.a = a};
	const struct schema *s = message_of_api(a->api_key, MESSAGE_RESPONSE)->schema;
	const struct parts *own = &a->answers[0].parts;

	w.wanted = arena_zalloc(a->arena, own->count + 1);
	if (!w.wanted)
		return false;
	for (size_t i = 0; i < own->count; i++)
		for (size_t k = 0; k < a->asked->count && !w.wanted[i]; k++)
			w.wanted[i] = a->from[k] == 0 &&
				      parts_covers(a->asked->list[k].key, own->list[i].key);
	prune(&w, s, a->answers[0].body);
	for (size_t k = 0; k < a->asked->count && !w.full; k++)
		if (a->from[k] != 0)
			put_in(&w, &a->answers[a->from[k]].parts, a->asked->list[k].key);
	return !w.full;
}
