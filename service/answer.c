/* Walks a response struct by its schema and gathers the error codes. Owns nothing. */
#include "service/answer.h"

#include "protocol/schema.h"

#include <stddef.h>

struct codes {
	int16_t *at;
	int32_t count;
};

static const void *field_value(const struct schema_field *f, const void *msg)
{
	return (const char *)msg + f->offset;
}

static void add(struct codes *c, int16_t code)
{
	if (code && c->count < ANSWER_CODES_MAX)
		c->at[c->count++] = code;
}

static void gather(const struct schema *s, int version, const void *msg, struct codes *c);

static void gather_field(const struct schema_field *f, int version, const void *msg,
			 struct codes *c)
{
	const char *at;
	int32_t count;

	if (!f->array) {
		at = f->pointer ? *(const char *const *)field_value(f, msg) : field_value(f, msg);
		if (at)
			gather(f->child, version, at, c);
		return;
	}
	at = *(const char *const *)field_value(f, msg);
	count = *(const int32_t *)(const void *)((const char *)msg + f->count_offset);
	for (int32_t i = 0; i < count; i++)
		gather(f->child, version, at + (size_t)i * f->child->size, c);
}

static void gather(const struct schema *s, int version, const void *msg, struct codes *c)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		size_t len = strlen(f->name);

		if (!field_in(f, version))
			continue;
		if (f->type == FIELD_STRUCT)
			gather_field(f, version, msg, c);
		else if (f->type == FIELD_INT16 && !f->array && len >= 9 &&
			 (!strcmp(f->name, "errorCode") || !strcmp(f->name + len - 9, "ErrorCode")))
			add(c, *(const int16_t *)field_value(f, msg));
	}
}

const int16_t *answer_codes(int api_key, int version, const void *response, struct arena *arena,
			    int32_t *ret_count)
{
	const struct message *m = message_of_api(api_key, MESSAGE_RESPONSE);
	struct codes c = {arena_alloc(arena, ANSWER_CODES_MAX * sizeof(int16_t)), 0};

	if (c.at)
		gather(m->schema, version, response, &c);
	*ret_count = c.count;
	return c.at;
}
