/* A walk over structs by their tables. Owns nothing. */
#include "replay/leaves.h"

struct visit {
	leaf_visitor *visit;
	void *user;
	int version;
};

static void go(const struct visit *v, const struct schema *s, uint8_t *msg);

static void leaf(const struct visit *v, const struct schema *s, const struct schema_field *f,
		 uint8_t *msg, uint8_t *value)
{
	struct leaf l = {s, f, role_of(s, f), msg, value};

	v->visit(v->user, &l);
}

static void one(const struct visit *v, const struct schema *s, const struct schema_field *f,
		uint8_t *msg, uint8_t *value)
{
	if (f->type == FIELD_STRUCT)
		go(v, f->child, value);
	else
		leaf(v, s, f, msg, value);
}

static void field(const struct visit *v, const struct schema *s, const struct schema_field *f,
		  uint8_t *msg)
{
	uint8_t *at = msg + f->offset;
	int32_t count;

	if (f->array) {
		memcpy(&count, msg + f->count_offset, sizeof(count));
		memcpy(&at, msg + f->offset, sizeof(at));
		for (int32_t i = 0; i < count; i++)
			one(v, s, f, msg, at + (size_t)i * f->size);
		return;
	}
	if (f->pointer) {
		memcpy(&at, msg + f->offset, sizeof(at));
		if (!at || (const void *)at == f->child->defaults)
			return;
	}
	one(v, s, f, msg, at);
}

static void go(const struct visit *v, const struct schema *s, uint8_t *msg)
{
	struct leaf begins = {.schema = s, .holder = msg};

	v->visit(v->user, &begins);
	for (uint16_t i = 0; i < s->field_count; i++)
		if (field_in(&s->fields[i], v->version))
			field(v, s, &s->fields[i], msg);
}

void leaves_each(const struct schema *s, int version, void *msg, leaf_visitor *visit, void *user)
{
	struct visit v = {visit, user, version};

	go(&v, s, msg);
}
