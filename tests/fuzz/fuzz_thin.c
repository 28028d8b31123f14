/* A message without its records: one that decodes still decodes, with the same content but for
 * them, however its bytes were sliced. Byte 0 picks the slices; then message_input.h's. */
#include "decoder/thin.h"
#include "protocol/codec.h"
#include "tests/fuzz/message_input.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_put(void *context, const uint8_t *data, size_t n)
{
	buf_add(context, data, n);
}

static void on_cut(void *context, size_t n)
{
	struct buf *out = context;

	assert(n <= out->len);
	out->len -= n;
}

static void empty_records(const struct schema *s, uint8_t *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		uint8_t *at = msg + f->offset;
		struct records *r = (struct records *)(void *)at;
		int32_t count = 1;

		if (f->type == FIELD_RECORDS && r->data)
			r->len = 0;
		if (f->type != FIELD_STRUCT)
			continue;
		if (f->array)
			count = *(int32_t *)(void *)(msg + f->count_offset);
		if (f->array || f->pointer)
			at = *(uint8_t **)(void *)at;
		for (int32_t k = 0; at && k < count; k++)
			empty_records(f->child, at + (size_t)k * field_size(f));
	}
}

static void compare(const struct message *m, int version, struct bytes whole, struct bytes thin)
{
	struct arena a;
	struct error e = ERROR_INIT;
	void *one, *two;
	int64_t used;

	arena_init(&a, 1 << 24);
	one = arena_alloc(&a, m->schema->size);
	two = arena_alloc(&a, m->schema->size);
	used = codec_decode(m->schema, version, whole, &a, one, NULL);
	if (used >= 0) {
		used = codec_decode(m->schema, version, thin, &a, two, &e);
		assert(used >= 0);
		empty_records(m->schema, one);
		assert(codec_equal(m->schema, one, two));
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t slices[] = {1, 2, 5, 64, 1000};
	struct thin_events events = {.put = on_put, .cut = on_cut};
	const struct message *m;
	struct bytes whole;
	struct buf out;
	struct thin t;
	size_t slice;
	int version;

	m = size > 1 ? message_input(data + 1, size - 1, &version, &whole) : NULL;
	if (!m || whole.len > 1 << 16)
		return 0;
	slice = slices[data[0] % 5];
	buf_init(&out, 1 << 20);
	events.context = &out;
	thin_init(&t, m->schema, version, whole.len, &events);
	for (size_t at = 0; at < (size_t)whole.len; at += slice)
		thin_feed(&t, whole.data + at,
			  (size_t)whole.len - at < slice ? (size_t)whole.len - at : slice);
	if (!t.broken && out.len)
		compare(m, version, whole, (struct bytes){out.data, (int32_t)out.len});
	assert(out.len <= (size_t)whole.len);
	thin_release(&t);
	buf_release(&out);
	return 0;
}
