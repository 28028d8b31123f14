/* Any bytes as any message: what decodes must encode, and come back equal through bytes and through
 * JSON. */
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "tests/fuzz/message_input.h"

#include <stdlib.h>

#define FUZZ_ARENA_MAX ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *take(struct arena *a, const struct schema *s)
{
	void *p = arena_alloc(a, s->size);

	if (!p)
		abort();
	return p;
}

static void through_bytes(const struct schema *s, int version, const void *msg, struct arena *a)
{
	struct error e = ERROR_INIT;
	void *back = take(a, s);
	struct gather g;
	struct buf out;

	gather_init(&g, FUZZ_ARENA_MAX);
	buf_init(&out, FUZZ_ARENA_MAX);
	if (codec_encode(s, version, msg, &g, &e))
		abort();
	gather_flatten(&g, &out);
	if (codec_decode(s, version,
			 (struct bytes){(const uint8_t *)buf_cstr(&out), (int32_t)out.len}, a, back,
			 &e) != (int64_t)out.len)
		abort();
	if (!codec_equal(s, msg, back))
		abort();
	gather_release(&g);
	buf_release(&out);
}

/* Not everything can come back: text that is no UTF-8, a NaN's spare bits, unknown tags out of
 * order. */
static void through_json(const struct schema *s, int version, const void *msg, struct arena *a)
{
	struct error e = ERROR_INIT;
	void *back = take(a, s);
	struct json j;
	struct buf out;
	json_t *tree;

	buf_init(&out, FUZZ_ARENA_MAX);
	json_init(&j, &out);
	message_json_write(s, version, msg, &j);
	tree = json_loads(buf_cstr(&out), MESSAGE_JSON_FLAGS, NULL);
	if (!tree)
		abort();
	if (message_json_read(s, version, tree, a, back, &e)) {
		if (!strstr(e.field, MESSAGE_JSON_TAGS))
			abort();
	} else if (!j.bad_utf8 && !strstr(buf_cstr(&out), "NaN") && !codec_equal(s, msg, back)) {
		abort();
	}
	json_decref(tree);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_INIT;
	const struct message *m;
	struct bytes bytes;
	struct arena arena;
	int version;
	void *msg;

	m = message_input(data, size, &version, &bytes);
	if (!m)
		return 0;
	arena_init(&arena, FUZZ_ARENA_MAX);
	msg = take(&arena, m->schema);
	if (codec_decode(m->schema, version, bytes, &arena, msg, &e) >= 0) {
		through_bytes(m->schema, version, msg, &arena);
		through_json(m->schema, version, msg, &arena);
	} else if (e.code >= 0 || !e.text[0]) {
		abort();
	}
	arena_release(&arena);
	return 0;
}
