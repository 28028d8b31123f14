/* Texts of paths and values. Owns nothing. */
#include "replay/pair_text.h"

#include "base/hex.h"
#include "protocol/kafka_error.h"

#define TEXT_MAX  120 /* characters of a value that are shown */
#define BYTES_MAX 24  /* bytes likewise */

static void add_bytes(struct buf *b, struct bytes data)
{
	char hex[2 * BYTES_MAX];
	size_t n = data.len < BYTES_MAX ? (size_t)data.len : BYTES_MAX;

	if (!data.data) {
		buf_text(b, "null");
		return;
	}
	hex_encode(data.data, n, hex);
	buf_printf(b, "%d bytes", data.len);
	if (n)
		buf_printf(b, " %.*s%s", (int)(2 * n), hex, data.len > BYTES_MAX ? "..." : "");
}

static void add_quoted(struct buf *b, struct str s)
{
	int32_t n = s.len < TEXT_MAX ? s.len : TEXT_MAX;

	if (!s.data) {
		buf_text(b, "null");
		return;
	}
	buf_byte(b, '"');
	for (int32_t i = 0; i < n; i++)
		if ((uint8_t)s.data[i] < 0x20 || s.data[i] == 0x7f)
			buf_printf(b, "\\x%02x", (uint8_t)s.data[i]);
		else
			buf_byte(b, (uint8_t)s.data[i]);
	buf_text(b, s.len > TEXT_MAX ? "...\"" : "\"");
}

static void add_error(struct buf *b, int64_t code)
{
	const char *name = kafka_error_name((int)code);

	if (code == 0)
		buf_text(b, "0");
	else
		buf_printf(b, "%lld %s", (long long)code, name ? name : "?");
}

void pair_value(struct buf *b, const struct schema_field *f, const void *value)
{
	char text[UUID_TEXT_SIZE];
	double real;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		buf_text(b, *(const bool *)value ? "true" : "false");
		break;
	case FIELD_UUID:
		uuid_text(*(const struct uuid *)value, text);
		buf_text(b, text);
		break;
	case FIELD_STRING:
		add_quoted(b, *(const struct str *)value);
		break;
	case FIELD_BYTES:
		add_bytes(b, *(const struct bytes *)value);
		break;
	case FIELD_FLOAT64:
		memcpy(&real, value, sizeof(real));
		buf_printf(b, "%g", real);
		break;
	case FIELD_RECORDS:
	case FIELD_STRUCT:
		buf_text(b, "there");
		break;
	default:
		if (leaf_is_error(f))
			add_error(b, leaf_int(f, value));
		else
			buf_int(b, leaf_int(f, value));
	}
}

/* What identifies an element: its first key that says something. */
static bool add_key(struct buf *b, const struct variables *v, const struct pair_step *step)
{
	const struct schema *s = step->field->child;
	struct holder h = {s, (void *)step->holder, s->until, NULL};
	struct str topic;

	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		const uint8_t *value = (const uint8_t *)step->holder + f->offset;
		const struct str *text = (const void *)value;

		if (!pairs_is_key(s, f) || (f->type == FIELD_STRING && !text->data))
			continue;
		topic = role_of(s, f) == ROLE_TOPIC_ID || role_of(s, f) == ROLE_TOPIC
				? variables_topic_around(v, step->side, &h)
				: (struct str){NULL, 0};
		if (topic.data)
			buf_add(b, topic.data, (size_t)topic.len);
		else if (f->type == FIELD_STRING)
			buf_add(b, text->data, (size_t)text->len);
		else
			pair_value(b, f, value);
		return true;
	}
	return false;
}

void pair_path(struct buf *b, const struct variables *v, const struct pair_step *step)
{
	if (step->up) {
		pair_path(b, v, step->up);
		buf_byte(b, '.');
	}
	buf_text(b, step->field->name);
	if (step->index < 0)
		return;
	buf_byte(b, '[');
	if (!step->holder || !add_key(b, v, step))
		buf_int(b, step->index);
	buf_byte(b, ']');
}
