/* A walk over structs by their tables. Owns nothing. */
#include "replay/leaves.h"

#include <assert.h>

struct visit {
	leaf_visitor *visit;
	void *user;
};

static void go(const struct visit *v, const struct holder *in);

static void leaf(const struct visit *v, const struct holder *in, const struct schema_field *f,
		 uint8_t *value)
{
	struct leaf l = {in->schema, f, role_of(in->schema, f), in->msg, value, in};

	v->visit(v->user, &l);
}

static void one(const struct visit *v, const struct holder *in, const struct schema_field *f,
		uint8_t *value)
{
	struct holder inner = {f->child, value, in->version, in};

	if (f->type == FIELD_STRUCT)
		go(v, &inner);
	else
		leaf(v, in, f, value);
}

static void field(const struct visit *v, const struct holder *in, const struct schema_field *f)
{
	uint8_t *msg = in->msg, *at = msg + f->offset;
	int32_t count;

	if (f->array) {
		memcpy(&count, msg + f->count_offset, sizeof(count));
		memcpy(&at, msg + f->offset, sizeof(at));
		for (int32_t i = 0; i < count; i++)
			one(v, in, f, at + (size_t)i * f->size);
		return;
	}
	if (f->pointer) {
		memcpy(&at, msg + f->offset, sizeof(at));
		if (!at || (const void *)at == f->child->defaults)
			return;
	}
	one(v, in, f, at);
}

static void go(const struct visit *v, const struct holder *in)
{
	const struct schema *s = in->schema;
	struct leaf begins = {.schema = s, .holder = in->msg, .in = in};

	v->visit(v->user, &begins);
	for (uint16_t i = 0; i < s->field_count; i++)
		if (field_in(&s->fields[i], in->version))
			field(v, in, &s->fields[i]);
}

void leaves_within(const struct holder *outer, const struct schema *s, int version, void *msg,
		   leaf_visitor *visit, void *user)
{
	struct visit v = {visit, user};
	struct holder in = {s, msg, version, outer};

	go(&v, &in);
}

void leaves_each(const struct schema *s, int version, void *msg, leaf_visitor *visit, void *user)
{
	leaves_within(NULL, s, version, msg, visit, user);
}

const void *holder_value(const struct holder *h, enum role role,
			 const struct schema_field **ret_field)
{
	for (uint16_t i = 0; i < h->schema->field_count; i++) {
		const struct schema_field *f = &h->schema->fields[i];

		if (f->array || f->type == FIELD_STRUCT || !field_in(f, h->version) ||
		    role_of(h->schema, f) != role)
			continue;
		if (ret_field)
			*ret_field = f;
		return (const uint8_t *)h->msg + f->offset;
	}
	return NULL;
}

const void *holder_nearest(const struct holder *h, enum role role,
			   const struct schema_field **ret_field)
{
	const void *found = NULL;

	for (; h && !found; h = h->outer)
		found = holder_value(h, role, ret_field);
	return found;
}

bool leaf_is_int(const struct schema_field *f)
{
	return f->type <= FIELD_INT64;
}

bool leaf_is_error(const struct schema_field *f)
{
	size_t n = strlen(f->name);

	return f->type == FIELD_INT16 && !f->array && n >= 9 &&
	       strcmp(f->name + n - 8, "rrorCode") == 0 &&
	       (f->name[n - 9] == 'e' || f->name[n - 9] == 'E');
}

int64_t leaf_int(const struct schema_field *f, const void *value)
{
	int64_t wide = 0;
	int32_t n32;
	int16_t n16;
	uint32_t u32;
	uint16_t u16;

	assert(leaf_is_int(f));
	switch ((enum field_type)f->type) {
	case FIELD_INT16:
		memcpy(&n16, value, sizeof(n16));
		return n16;
	case FIELD_UINT16:
		memcpy(&u16, value, sizeof(u16));
		return u16;
	case FIELD_INT32:
		memcpy(&n32, value, sizeof(n32));
		return n32;
	case FIELD_UINT32:
		memcpy(&u32, value, sizeof(u32));
		return u32;
	case FIELD_INT64:
		memcpy(&wide, value, sizeof(wide));
		return wide;
	default: /* bool and int8 */
		return *(const int8_t *)value;
	}
}

void leaf_set_int(const struct schema_field *f, void *value, int64_t n)
{
	int32_t n32 = (int32_t)n;
	int16_t n16 = (int16_t)n;
	int8_t n8 = (int8_t)n;

	assert(leaf_is_int(f));
	switch (f->size) {
	case 8:
		memcpy(value, &n, sizeof(n));
		break;
	case 4:
		memcpy(value, &n32, sizeof(n32));
		break;
	case 2:
		memcpy(value, &n16, sizeof(n16));
		break;
	default:
		memcpy(value, &n8, sizeof(n8));
	}
}
