/* The actions that change an answer or the way in which it is sent. What the struct can say is
 * changed in the struct, which the answer owns; bytes are changed in a copy, never in a log. Byte
 * positions count from the first of the four length bytes. */
#include "service/peer.h"

#include "protocol/records.h"
#include "protocol/walk.h"
#include "protocol/wire.h"
#include "rules/grammar.h"

#define TAG_BYTES 3
#define FLIPS_MAX 4096 /* fields that one path flips in one answer */

static const struct schema *schema_of(const struct job *j)
{
	return message_of_api(j->call.header.api_key, MESSAGE_RESPONSE)->schema;
}

static void *field_of(const struct schema_field *f, void *msg)
{
	return (char *)msg + f->offset;
}

static void throttle(struct job *j)
{
	const struct schema_field *f = schema_find(schema_of(j), str_of("throttleTimeMs"));

	if (f && field_in(f, j->call.response_version))
		*(int32_t *)field_of(f, j->call.response) = (int32_t)(j->plan.delay_us / 1000);
}

/* An unknown tagged field at the end of the answer; versions without tags can't carry one. */
static void add_tag(struct job *j)
{
	const struct schema *s = schema_of(j);
	struct unknown_tags *tags =
		arena_alloc(&j->arena, sizeof(*tags) + sizeof(struct unknown_tag));

	if (!tags || !schema_flexible(s, j->call.response_version))
		return;
	tags->count = 1;
	tags->tags[0].tag = (uint32_t)j->plan.at;
	tags->tags[0].data = (struct bytes){(const uint8_t *)"tag", TAG_BYTES};
	*(struct unknown_tags **)(void *)((char *)j->call.response + s->unknown_tags_offset) = tags;
}

/* Each batch of a copy of the records gets a wrong CRC. */
static void spoil_records(struct job *j, struct records *r)
{
	uint8_t *copy = arena_alloc(&j->arena, (size_t)r->len);
	const struct bytes *spans = r->data;
	int32_t at = 0;

	if (!r->data || !copy)
		return;
	if (!r->span_count)
		memcpy(copy, r->data, (size_t)r->len);
	for (int32_t i = 0; i < r->span_count; at += spans[i++].len)
		memcpy(copy + at, spans[i].data, (size_t)spans[i].len);
	for (at = 0; at + BATCH_AT_ATTRIBUTES <= r->len;) {
		bool v2 = copy[at + BATCH_AT_MAGIC] >= 2;
		int32_t length = (int32_t)wire_u32(copy + at + BATCH_AT_LENGTH);

		copy[at + (v2 ? BATCH_AT_CRC : (int)MESSAGE_AT_CRC)] ^= 0x01;
		if (length <= 0 || length > r->len - at - BATCH_LOG_OVERHEAD)
			break;
		at += BATCH_LOG_OVERHEAD + length;
	}
	r->data = copy;
	r->span_count = 0;
}

static void spoil_crcs(struct job *j, const struct schema *s, void *msg);

static void spoil_field(struct job *j, const struct schema_field *f, void *msg)
{
	int32_t count;
	char *at;

	if (f->type == FIELD_RECORDS) {
		spoil_records(j, field_of(f, msg));
		return;
	}
	if (f->type != FIELD_STRUCT || !f->array)
		return;
	at = *(char **)field_of(f, msg);
	count = *(int32_t *)(void *)((char *)msg + f->count_offset);
	for (int32_t i = 0; i < count; i++)
		spoil_crcs(j, f->child, at + (size_t)i * f->child->size);
}

static void spoil_crcs(struct job *j, const struct schema *s, void *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++)
		if (field_in(&s->fields[i], j->call.response_version))
			spoil_field(j, &s->fields[i], msg);
}

/* PATH=VALUE; a version without the field, or a path to nothing, leaves the answer as it is. */
static void set_field(struct job *j)
{
	struct str text = j->plan.text, value;
	const char *end = rule_key_end(text);
	struct path path;

	value = (struct str){end + 1, text.len - (int32_t)(end + 1 - text.data)};
	text.len = (int32_t)(end - text.data);
	if (!path_parse(schema_of(j), j->call.response_version, text, &path, NULL))
		path_set(&path, j->call.response_version, j->call.response, value, &j->arena, NULL);
}

void damage_struct(struct job *j)
{
	if (!j->plan.rule)
		return;
	switch (j->plan.action) {
	case ACTION_THROTTLE:
		throttle(j);
		break;
	case ACTION_TAG:
		add_tag(j);
		break;
	case ACTION_SET:
		set_field(j);
		break;
	case ACTION_CRC:
		spoil_crcs(j, schema_of(j), j->call.response);
		break;
	default:
		break;
	}
}

/* The whole answer as one span of our own. */
static uint8_t *copy_answer(struct job *j, size_t *ret_len)
{
	struct bytes *span = arena_alloc(&j->arena, sizeof(*span));

	buf_reset(&j->copy);
	gather_flatten(&j->gather, &j->copy);
	if (!span || j->copy.bad)
		return NULL;
	*span = (struct bytes){j->copy.data, (int32_t)j->copy.len};
	j->out.spans = span;
	j->out.spans_count = 1;
	j->damaged = true;
	*ret_len = j->copy.len;
	return j->copy.data;
}

static void replace(struct job *j, struct str bytes)
{
	struct bytes *span = arena_alloc(&j->arena, sizeof(*span));

	if (!span)
		return;
	*span = (struct bytes){(const uint8_t *)bytes.data, bytes.len};
	j->out.spans = span;
	j->out.spans_count = 1;
	j->damaged = true;
}

static void send_twice(struct job *j)
{
	int32_t n = j->out.spans_count;
	struct bytes *spans = arena_alloc(&j->arena, 2 * (size_t)n * sizeof(*spans));

	if (!spans)
		return;
	memcpy(spans, j->out.spans, (size_t)n * sizeof(*spans));
	memcpy(spans + n, j->out.spans, (size_t)n * sizeof(*spans));
	j->out.spans = spans;
	j->out.spans_count = 2 * n;
}

/* Shortens the answer to at bytes; its length says so. */
static void cut(struct job *j)
{
	size_t len;
	uint8_t *bytes = copy_answer(j, &len);

	if (!bytes || (size_t)j->plan.at >= len)
		return;
	wire_put32(bytes, (uint32_t)j->plan.at - 4);
	((struct bytes *)(uintptr_t)j->out.spans)->len = (int32_t)j->plan.at;
}

static void put_word(struct job *j, size_t at)
{
	size_t len;
	uint8_t *bytes = copy_answer(j, &len);

	if (bytes)
		wire_put32(bytes + at, (uint32_t)j->plan.at);
}

/* Where a path's fields stand in an encoded answer. */
struct finder {
	struct str pattern;
	int64_t last[FLIPS_MAX]; /* offset of each field's last byte, in the body */
	int32_t count;
};

/* "[*]" in the pattern stands for any index. */
static bool path_matches(struct str pattern, const char *path)
{
	int32_t i = 0;

	while (i < pattern.len && *path) {
		if (i + 1 < pattern.len && pattern.data[i] == '*' && pattern.data[i + 1] == ']') {
			path += strspn(path, "0123456789");
			i++;
		} else if (pattern.data[i++] != *path++) {
			return false;
		}
	}
	return i == pattern.len && !*path;
}

static enum walk_want on_field(void *user, const struct walk *w, const struct walk_event *event)
{
	struct finder *f = user;
	char path[256];
	int64_t size = event->size;

	if (event->kind == WALK_DATA)
		size += event->value.integer;
	else if (event->kind != WALK_VALUE && event->kind != WALK_NULL)
		return WALK_ON;
	walk_path(w, event, path, sizeof(path));
	if (path_matches(f->pattern, path) && f->count < FLIPS_MAX)
		f->last[f->count++] = event->offset + size - 1;
	return event->kind == WALK_DATA ? WALK_SKIP : WALK_ON;
}

static void flip_field(struct job *j)
{
	struct finder f = {.pattern = j->plan.text};
	struct walk w;
	size_t len;
	uint8_t *bytes = copy_answer(j, &len);
	int32_t correlation_id;
	int64_t body;

	if (!bytes)
		return;
	body = 4 + frame_read_response((struct bytes){bytes + 4, (int32_t)len - 4},
				       j->call.header.api_key, j->call.header.api_version,
				       &correlation_id, NULL);
	if (body < 4)
		return;
	walk_init(&w, schema_of(j), j->call.response_version, (int64_t)len - body, on_field, &f);
	walk_feed(&w, (struct bytes){bytes + body, (int32_t)((int64_t)len - body)}, NULL);
	walk_release(&w);
	for (int32_t i = 0; i < f.count; i++)
		bytes[body + f.last[i]] ^= 1;
}

static void flip_byte(struct job *j)
{
	size_t len;
	uint8_t *bytes = copy_answer(j, &len);

	if (bytes && (size_t)j->plan.at < len)
		bytes[j->plan.at] ^= 1;
}

void damage_bytes(struct job *j)
{
	const struct plan *p = &j->plan;

	if (!p->rule)
		return;
	if (p->when == WHEN_AT) {
		j->out.stop = true;
		j->out.stop_at = (size_t)p->at;
	}
	switch (p->action) {
	case ACTION_TWICE:
		send_twice(j);
		break;
	case ACTION_SLOW:
		j->out.rate = p->at;
		break;
	case ACTION_CHUNK:
		j->out.chunk = (size_t)p->at;
		break;
	case ACTION_FLIP:
		if (p->text.data)
			flip_field(j);
		else
			flip_byte(j);
		break;
	case ACTION_CUT:
		cut(j);
		break;
	case ACTION_LENGTH:
		put_word(j, 0);
		break;
	case ACTION_CORRELATION:
		put_word(j, 4);
		break;
	case ACTION_GARBAGE:
		replace(j, p->text);
		break;
	default:
		break;
	}
}
