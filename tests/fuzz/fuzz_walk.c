/* Any bytes in any slices: the walk must judge as the codec does, at the same place, and account
 * for every byte. A fourth byte of the input chooses slices and skipping. */
#include "protocol/codec.h"
#include "protocol/walk.h"
#include "tests/fuzz/message_input.h"

#include <stdlib.h>

#define FUZZ_ARENA_MAX ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the events add up to. */
struct tally {
	bool skip;
	int64_t depth, chunks, data_size, end;
};

static void check_data(struct tally *t, const struct walk_event *event)
{
	if (event->kind == WALK_CHUNK)
		t->chunks += event->size;
	else if (event->kind == WALK_DATA_END && !t->skip && t->chunks != t->data_size)
		abort();
	if (event->kind != WALK_DATA && event->kind != WALK_UNKNOWN_TAG)
		return;
	t->chunks = 0;
	t->data_size = event->value.integer;
}

static enum walk_want on_event(void *user, const struct walk *w, const struct walk_event *event)
{
	struct tally *t = user;
	char path[60];

	if (event->kind == WALK_STRUCT || event->kind == WALK_ARRAY)
		t->depth++;
	if (event->kind == WALK_STRUCT_END || event->kind == WALK_ARRAY_END)
		t->depth--;
	if (event->kind == WALK_STRUCT_END)
		t->end = event->offset + event->size;
	if (event->size < 0 || event->offset < 0 || t->depth > w->depth + 1)
		abort();
	check_data(t, event);
	walk_path(w, event, path, sizeof(path));
	return t->skip ? WALK_SKIP : WALK_ON;
}

static int walk(const struct message *m, int version, struct bytes bytes, uint8_t how,
		struct tally *t, struct error *e)
{
	struct walk w;
	int64_t unwanted = 0;
	int code;

	t->skip = how & 1;
	walk_init(&w, m->schema, version, how & 2 ? WALK_SIZE_UNKNOWN : bytes.len, on_event, t);
	for (int32_t at = 0, step; at < bytes.len && unwanted >= 0; at += step) {
		step = how >> 2 ? 1 + (at * 7 + how) % (how >> 2) : bytes.len;
		if (step > bytes.len - at)
			step = bytes.len - at;
		if (unwanted && (how & 4)) {
			step = unwanted < step ? (int32_t)unwanted : step;
			walk_skip(&w, step);
			unwanted -= step;
			continue;
		}
		unwanted = walk_feed(&w, (struct bytes){bytes.data + at, step}, e);
	}
	code = walk_end(&w, e);
	walk_release(&w);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_INIT, we = ERROR_INIT;
	struct tally t = {0};
	const struct message *m;
	struct bytes bytes;
	struct arena arena;
	int64_t used;
	int version, code;

	m = size ? message_input(data, size - 1, &version, &bytes) : NULL;
	if (!m)
		return 0;
	arena_init(&arena, FUZZ_ARENA_MAX);
	used = codec_decode(m->schema, version, bytes, &arena, arena_alloc(&arena, m->schema->size),
			    &e);
	code = walk(m, version, bytes, data[size - 1], &t, &we);
	if (used >= 0 && (code || t.end != used || t.depth))
		abort();
	if (used < 0 && used != ERR_LIMIT && code != used && !(data[size - 1] & 2))
		abort();
	if (used < 0 && used != ERR_LIMIT && !code)
		abort();
	arena_release(&arena);
	return 0;
}
