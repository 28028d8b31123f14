/* Every message of fixtures/wire, which Kafka's own classes wrote (tests/oracle/make-fixtures):
 * decoded, encoded, walked in one piece and byte by byte, truncated everywhere and mutated. Codec
 * and walk must agree on every value, and on what is wrong. */
#include "base/hex.h"
#include "base/rand.h"
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/walk.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define LINE_SIZE_MAX (1 << 20)
#define MUTATIONS     200
#define ARENA_MAX     ((size_t)1 << 20)

static const char *const files[] = {"fixtures/wire/messages-4.4.0.tsv.gz",
				    "fixtures/wire/messages-3.9.1.tsv.gz"};

/* One line of a file. */
struct fixture {
	const struct message *message;
	const struct schema *schema;
	int version;
	const char *json;
	char where[200];
	struct bytes data;
};

/* Buffers that serve all fixtures, and what failed first. */
static struct {
	struct arena arena, second;
	struct buf text, bytes, walked;
	struct gather gather;
	uint8_t *data, *copy;
	char failure[1400];
	long failures, fixtures, cuts, mutants, accepted;
	uint8_t seen[128][2][64]; /* API, direction, version */
} t;

static void failed(const struct fixture *f, const char *what, const char *detail)
{
	if (!t.failures++)
		snprintf(t.failure, sizeof(t.failure), "%s: %s: %.900s", f->where, what, detail);
}

/* ---- the walk's view of a message, as JSON ---- */

struct tree {
	struct json json;
	const struct schema_field *data; /* being collected */
	struct buf bytes;
	bool in_tags, in_unknown;
	int32_t depth,
		unknown_at[WALK_DEPTH_MAX]; /* per level: is the array of unknown tags open */
};

static void key(struct tree *tree, const struct walk_event *event)
{
	if (event->field && event->index < 0)
		json_key(&tree->json, event->field->name);
}

static void value(struct tree *tree, const struct walk_event *event)
{
	char text[UUID_TEXT_SIZE];

	key(tree, event);
	switch ((enum field_type)event->field->type) {
	case FIELD_BOOL:
		json_bool(&tree->json, event->value.integer != 0);
		break;
	case FIELD_FLOAT64:
		json_float(&tree->json, event->value.real);
		break;
	case FIELD_UUID:
		uuid_text(event->value.uuid, text);
		json_text(&tree->json, text);
		break;
	case FIELD_STRING:
		json_str(&tree->json, event->value.str);
		break;
	default:
		json_int(&tree->json, event->value.integer);
		break;
	}
}

static struct bytes collected(struct buf *b)
{
	return (struct bytes){(const uint8_t *)buf_cstr(b), (int32_t)b->len};
}

static void unknown(struct tree *tree, const struct walk_event *event)
{
	if (!tree->unknown_at[tree->depth]++) {
		json_key(&tree->json, MESSAGE_JSON_TAGS);
		json_open(&tree->json, '[');
	}
	json_open(&tree->json, '{');
	json_key_int(&tree->json, "tag", event->tag);
}

static void data_end(struct tree *tree, const struct walk_event *event)
{
	if (event->field) {
		key(tree, event);
		json_base64(&tree->json, collected(&tree->bytes));
		return;
	}
	json_key(&tree->json, "hex");
	json_hex(&tree->json, collected(&tree->bytes));
	json_close(&tree->json, '}');
}

static void bracket(struct tree *tree, const struct walk_event *event)
{
	bool array = event->kind == WALK_ARRAY || event->kind == WALK_ARRAY_END;

	if (event->kind == WALK_STRUCT || event->kind == WALK_ARRAY) {
		key(tree, event);
		json_open(&tree->json, array ? '[' : '{');
		tree->unknown_at[++tree->depth] = 0;
		return;
	}
	if (tree->unknown_at[tree->depth--])
		json_close(&tree->json, ']');
	json_close(&tree->json, array ? ']' : '}');
}

static enum walk_want on_event(void *user, const struct walk *w, const struct walk_event *event)
{
	struct tree *tree = user;

	(void)w;
	switch (event->kind) {
	case WALK_VALUE:
		value(tree, event);
		break;
	case WALK_NULL:
		key(tree, event);
		json_nil(&tree->json);
		break;
	case WALK_UNKNOWN_TAG:
		unknown(tree, event);
		buf_reset(&tree->bytes);
		break;
	case WALK_DATA:
		buf_reset(&tree->bytes);
		break;
	case WALK_CHUNK:
		buf_add(&tree->bytes, event->value.bytes.data, (size_t)event->value.bytes.len);
		break;
	case WALK_DATA_END:
		data_end(tree, event);
		break;
	case WALK_TRAILING:
		break;
	default:
		bracket(tree, event);
		break;
	}
	return WALK_ON;
}

/* Walks data in slices of `step` bytes (0: in one piece), into t.walked; size as walk_init wants
 * it. */
static int walk_to_json(const struct fixture *f, struct bytes data, int32_t step, int64_t size,
			struct error *e, int64_t *ret_end)
{
	static struct tree tree;
	struct walk w;
	int64_t got = 0;
	int code;

	buf_reset(&t.walked);
	tree.depth = 0;
	json_init(&tree.json, &t.walked);
	if (!tree.bytes.max)
		buf_init(&tree.bytes, 1 << 20);
	walk_init(&w, f->schema, f->version, size, on_event, &tree);
	for (int32_t at = 0; got >= 0 && at < data.len; at += step) {
		if (!step || step > data.len - at)
			step = data.len - at;
		got = walk_feed(&w, (struct bytes){data.data + at, step}, e);
	}
	code = walk_end(&w, e);
	*ret_end = w.message_end;
	walk_release(&w);
	if (f->json == NULL) /* the last one: give the memory back */
		buf_release(&tree.bytes);
	return code;
}

/* ---- one fixture ---- */

static void *decode(const struct fixture *f, struct bytes data, struct arena *arena,
		    int64_t *ret_used, struct error *e)
{
	void *msg = arena_alloc(arena, f->schema->size);

	*ret_used = codec_decode(f->schema, f->version, data, arena, msg, e);
	return msg;
}

static bool same_json(const char *a, size_t a_len, const char *b, size_t b_len)
{
	json_t *x = json_loadb(a, a_len, MESSAGE_JSON_FLAGS, NULL);
	json_t *y = json_loadb(b, b_len, MESSAGE_JSON_FLAGS, NULL);
	bool same = x && y && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return same;
}

static void check_encode(const struct fixture *f, const void *msg)
{
	struct error e = ERROR_INIT;

	gather_reset(&t.gather);
	buf_reset(&t.bytes);
	if (codec_encode(f->schema, f->version, msg, &t.gather, &e))
		failed(f, "encode", e.text);
	gather_flatten(&t.gather, &t.bytes);
	if (!e.code && (t.bytes.len != (size_t)f->data.len ||
			(t.bytes.len && memcmp(t.bytes.data, f->data.data, t.bytes.len))))
		failed(f, "encode", "other bytes");
}

static void check_json(const struct fixture *f, const void *msg)
{
	struct error e = ERROR_INIT;
	json_t *tree = json_loads(f->json, MESSAGE_JSON_FLAGS, NULL);
	void *back = arena_alloc(&t.second, f->schema->size);
	struct json j;
	char path[200];

	buf_reset(&t.text);
	json_init(&j, &t.text);
	message_json_write(f->schema, f->version, msg, &j);
	if (!same_json(buf_cstr(&t.text), t.text.len, f->json, strlen(f->json)))
		failed(f, "value", buf_cstr(&t.text));
	if (!tree || message_json_read(f->schema, f->version, tree, &t.second, back, &e))
		failed(f, "reading JSON", e.text);
	else if (!codec_compare(f->schema, f->version, msg, back, path, sizeof(path)))
		failed(f, "from JSON differs", path);
	json_decref(tree);
}

static void check_walk(const struct fixture *f)
{
	static const int32_t steps[] = {0, 1, 3};
	struct error e = ERROR_INIT;
	int64_t end;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int64_t size = i ? WALK_SIZE_UNKNOWN : f->data.len;

		if (walk_to_json(f, f->data, steps[i], size, &e, &end) || end != f->data.len)
			failed(f, "walk", e.text);
		else if (t.walked.len != t.text.len ||
			 memcmp(t.walked.data, t.text.data, t.text.len))
			if (!same_json(buf_cstr(&t.walked), t.walked.len, f->json, strlen(f->json)))
				failed(f, "walked value", buf_cstr(&t.walked));
	}
}

/* Codec and walk over bytes that may be wrong: the same judgement, at the same place. */
static void check_agree(const struct fixture *f, struct bytes data, int32_t step)
{
	struct error e = ERROR_INIT, we = ERROR_INIT;
	char detail[1300];
	int64_t used, end;
	int code;

	arena_reset(&t.second);
	decode(f, data, &t.second, &used, &e);
	code = walk_to_json(f, data, step, data.len, &we, &end);
	if (used >= 0)
		t.accepted++;
	if (used >= 0 ? !code && end == used
		      : code == used && we.offset == e.offset && !strcmp(we.field, e.field))
		return;
	snprintf(detail, sizeof(detail), "codec %lld '%s' %s@%zu, walk %d '%s' %s@%zu",
		 (long long)used, e.text, e.field, e.offset, code, we.text, we.field, we.offset);
	failed(f, "codec and walk disagree", detail);
}

static void check_cuts(const struct fixture *f)
{
	for (int32_t len = 0; len < f->data.len; len++) {
		memcpy(t.copy, f->data.data, (size_t)len);
		check_agree(f, (struct bytes){t.copy, len}, len % 3);
		t.cuts++;
	}
}

/* Bytes changed, removed or doubled, where they hurt: lengths and counts are small numbers among
 * them. */
static void check_mutations(const struct fixture *f)
{
	struct rand r;

	rand_seed(&r, hash_bytes(1, f->data.data, (size_t)f->data.len));
	for (int i = 0; f->data.len && i < MUTATIONS; i++) {
		int32_t len = f->data.len;
		uint64_t at = rand_below(&r, (uint64_t)len);

		memcpy(t.copy, f->data.data, (size_t)len);
		for (uint64_t n = rand_below(&r, 3); n; n--)
			t.copy[rand_below(&r, (uint64_t)len)] = (uint8_t)rand_next(&r);
		t.copy[at] = (uint8_t)(i % 2 ? t.copy[at] + 1 : 0xff << rand_below(&r, 8));
		if (i % 5 == 0)
			memmove(t.copy + at, t.copy + at + 1, (size_t)--len - at);
		check_agree(f, (struct bytes){t.copy, len}, i % 7);
		t.mutants++;
	}
}

static void check_fixture(const struct fixture *f)
{
	struct error e = ERROR_INIT;
	int64_t used;
	void *msg;

	arena_reset(&t.arena);
	arena_reset(&t.second);
	msg = decode(f, f->data, &t.arena, &used, &e);
	if (used != f->data.len) {
		failed(f, "decode", used < 0 ? e.text : "bytes are left");
		return;
	}
	check_json(f, msg);
	check_walk(f);
	check_encode(f, msg);
	check_cuts(f);
	check_mutations(f);
	if (f->message->kind <= MESSAGE_RESPONSE)
		t.seen[f->message->key][f->message->kind][f->version]++;
	t.fixtures++;
}

/* ---- the files ---- */

static bool parse_line(char *line, struct fixture *f, const char *file)
{
	char *field[7], *save = line;
	enum message_kind kind;
	int64_t n;

	for (int i = 0; i < 7; i++) {
		field[i] = strsep(&save, "\t\n");
		if (!field[i])
			return false;
	}
	kind = !strcmp(field[2], "request")    ? MESSAGE_REQUEST
	       : !strcmp(field[2], "response") ? MESSAGE_RESPONSE
					       : MESSAGE_DATA;
	f->message = kind == MESSAGE_DATA ? NULL : message_of_api(atoi(field[0]), kind);
	for (; !f->message && kind >= MESSAGE_DATA && kind <= MESSAGE_VALUE; kind++)
		f->message = message_find(str_of(field[1]), kind);
	snprintf(f->where, sizeof(f->where), "%s %s %s v%s %s", file, field[1], field[2], field[3],
		 field[4]);
	if (!f->message)
		return false;
	f->schema = f->message->schema;
	f->version = atoi(field[3]);
	n = hex_decode(str_of(field[5]), t.data, LINE_SIZE_MAX);
	f->data = (struct bytes){t.data, (int32_t)n};
	f->json = field[6];
	return n >= 0;
}

static void run_file(const char *path)
{
	char *line = malloc(LINE_SIZE_MAX);
	gzFile in = gzopen(path, "rb");
	struct fixture f;

	CHECK(in != NULL);
	while (in && gzgets(in, line, LINE_SIZE_MAX)) {
		if (parse_line(line, &f, path))
			check_fixture(&f);
		else
			failed(&f, "the line", line);
	}
	if (in)
		gzclose(in);
	free(line);
}

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	arena_init(&t.arena, ARENA_MAX);
	arena_init(&t.second, ARENA_MAX);
	buf_init(&t.text, LINE_SIZE_MAX);
	buf_init(&t.bytes, LINE_SIZE_MAX);
	buf_init(&t.walked, 16 * LINE_SIZE_MAX);
	gather_init(&t.gather, LINE_SIZE_MAX);
	t.data = malloc(LINE_SIZE_MAX);
	t.copy = malloc(LINE_SIZE_MAX);
}

static void tear_down(void)
{
	int64_t end;

	walk_to_json(&(struct fixture){.schema = message_of_api(3, MESSAGE_REQUEST)->schema},
		     (struct bytes){t.data, 0}, 0, 0, NULL, &end);
	arena_release(&t.arena);
	arena_release(&t.second);
	buf_release(&t.text);
	buf_release(&t.bytes);
	buf_release(&t.walked);
	gather_release(&t.gather);
	free(t.data);
	free(t.copy);
}

static long uncovered(void)
{
	size_t count;
	const struct message *all = message_all(&count);
	long missing = 0;

	for (size_t i = 0; i < count && all[i].kind <= MESSAGE_RESPONSE; i++)
		for (int v = all[i].since; v <= all[i].until; v++)
			missing += t.seen[all[i].key][all[i].kind][v] < 2;
	return missing;
}

TEST(what_kafka_wrote_reads_writes_and_walks_alike_and_no_damage_to_it_hurts)
{
	set_up();
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		run_file(files[i]);
	CHECK_TEXT(t.failure, "");
	CHECK_EQ(t.failures, 0);
	CHECK_EQ(uncovered(), 0);
	CHECK(t.fixtures > 4000);
	CHECK(t.mutants > 800000);
	printf("wire fixtures: %ld messages, %ld cuts, %ld mutants (%ld still read)\n", t.fixtures,
	       t.cuts, t.mutants, t.accepted);
	tear_down();
}
