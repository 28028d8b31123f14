/* Finding error codes by the tables, so that no API needs code of its own. */
#include "checks/codes.h"

#include "protocol/schema.h"

#define CODES_MAX 4096

struct codes {
	int16_t *list;
	int32_t count, max;
	int version;
};

static void collect(struct codes *codes, const struct schema *s, const uint8_t *msg);

static void add(struct codes *codes, int16_t code)
{
	if (codes->count < codes->max)
		codes->list[codes->count] = code;
	codes->count++;
}

static void collect_field(struct codes *codes, const struct schema_field *f, const uint8_t *msg)
{
	const uint8_t *at = msg + f->offset;

	if (f->type == FIELD_INT16 && !f->array && !strcmp(f->name, "errorCode")) {
		add(codes, *(const int16_t *)(const void *)at);
		return;
	}
	if (f->type != FIELD_STRUCT)
		return;
	if (f->array) {
		int32_t count = *(const int32_t *)(const void *)(msg + f->count_offset);
		const uint8_t *items = *(const uint8_t *const *)(const void *)at;

		for (int32_t i = 0; i < count; i++)
			collect(codes, f->child, items + (size_t)i * f->child->size);
		return;
	}
	if (f->pointer)
		at = *(const uint8_t *const *)(const void *)at;
	if (at)
		collect(codes, f->child, at);
}

static void collect(struct codes *codes, const struct schema *s, const uint8_t *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++)
		if (field_in(&s->fields[i], codes->version))
			collect_field(codes, &s->fields[i], msg);
}

int32_t exchange_codes(struct exchange *x, int16_t *ret_codes, int32_t max)
{
	const struct message *m = message_of_api(x->header.api_key, MESSAGE_RESPONSE);
	const void *body = m ? exchange_response(x) : NULL;
	struct codes codes = {
		.list = ret_codes, .max = max, .version = exchange_response_version(x)};

	if (body)
		collect(&codes, m->schema, body);
	return codes.count;
}

int16_t exchange_error(struct exchange *x)
{
	int16_t codes[CODES_MAX];
	int32_t n = exchange_codes(x, codes, CODES_MAX);

	for (int32_t i = 0; i < n && i < CODES_MAX; i++)
		if (codes[i])
			return codes[i];
	return 0;
}
