/* Prints what the compiled tables say, for a comparison with Kafka's definitions: for every message
 * and version a line KEY NAME TYPE VERSION message FLEXIBLE UNSTABLE and for every field of it, in
 * wire order and nested ones behind their parent, KEY NAME TYPE VERSION PATH FIELDTYPE ARRAY
 * NULLABLE TAG IGNORABLE INFLEXIBLE DEFAULT separated by tabs; booleans are 0 and 1, DEFAULT is
 * JSON. */
#include "base/json.h"
#include "protocol/schema.h"

#include <stdio.h>

static const char *const type_names[] = {
	[FIELD_BOOL] = "bool",	   [FIELD_INT8] = "int8",	[FIELD_INT16] = "int16",
	[FIELD_UINT16] = "uint16", [FIELD_INT32] = "int32",	[FIELD_UINT32] = "uint32",
	[FIELD_INT64] = "int64",   [FIELD_FLOAT64] = "float64", [FIELD_UUID] = "uuid",
	[FIELD_STRING] = "string", [FIELD_BYTES] = "bytes",	[FIELD_RECORDS] = "records",
	[FIELD_STRUCT] = "struct",
};

static void number(struct json *j, const struct schema_field *f, const void *p)
{
	char uuid[UUID_TEXT_SIZE];

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
		uuid_text(*(const struct uuid *)p, uuid);
		json_text(j, uuid);
		break;
	default:
		json_str(j, *(const struct str *)p);
		break;
	}
}

static const char *default_of(const struct schema *s, const struct schema_field *f, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)s->defaults + f->offset;
	struct json j;

	buf_reset(out);
	json_init(&j, out);
	if (f->array)
		json_raw(&j, str_of(*(const int32_t *)(const void *)((const uint8_t *)s->defaults +
								     f->count_offset) < 0
					    ? "null"
					    : "[]"));
	else if (f->type == FIELD_STRUCT)
		json_raw(&j,
			 str_of(f->pointer && !*(void *const *)(const void *)p ? "null" : "{}"));
	else
		number(&j, f, p);
	return buf_cstr(out);
}

static void print_fields(const char *head, const char *above, const struct schema *s, int version)
{
	struct buf text;
	char path[400];

	buf_init(&text, 1000);
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (!field_in(f, version))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", f->name);
		printf("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", head, path, type_names[f->type],
		       f->array, field_nullable(f, version), f->tag, f->ignorable, f->inflexible,
		       default_of(s, f, &text));
		if (f->child)
			print_fields(head, path, f->child, version);
	}
	buf_release(&text);
}

int main(void)
{
	static const char *const kinds[] = {"request", "response", "data", "data", "data"};
	size_t count;
	const struct message *all = message_all(&count);

	for (size_t i = 0; i < count; i++) {
		for (int version = all[i].since; version <= all[i].until; version++) {
			char head[200];

			snprintf(head, sizeof(head), "%d\t%s\t%s\t%d",
				 all[i].kind <= MESSAGE_RESPONSE ? all[i].key : -1, all[i].name,
				 kinds[all[i].kind], version);
			printf("%s\tmessage\t%d\t%d\n", head,
			       schema_flexible(all[i].schema, version),
			       version >= all[i].unstable_since);
			print_fields(head, "", all[i].schema, version);
		}
	}
	return 0;
}
