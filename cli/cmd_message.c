/* `ktrial message`: one message body, or JSON Lines of them, between hex and JSON; and the list of
 * all messages. It is the codec's window for people, scripts and the Java oracle. Owns its buffers
 * for the time of one call. */
#include "cli/cmd.h"

#include "base/hex.h"
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/message_json.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX ((size_t)FRAME_SIZE_MAX)
#define INPUT_MAX                                                                                \
	(8 * BODY_MAX) /* text of one message: hex takes two characters a byte, JSON rarely more \
			  than that */
#define MESSAGE_ARENA_MAX \
	(BODY_MAX + ARENA_EXCHANGE_MAX) /* read from JSON, records lie in the arena */

static const char help[] =
	"usage: ktrial message --api NAME|KEY --version N --type request|response|data [--encode]\n"
	"       ktrial message --batch [--encode]\n"
	"       ktrial message --list\n"
	"\n"
	"Reads the hex of one message body (no length, no header) on standard input and prints it "
	"as JSON; with --encode the reverse.\n"
	"\n"
	"  --api NAME|KEY   an API by name or key; with --type data a name such as "
	"ConsumerProtocolSubscription or RequestHeader\n"
	"  --version N      the version of the message\n"
	"  --type TYPE      request, response, or data (headers, and messages that travel inside "
	"others)\n"
	"  --encode         JSON in, hex out\n"
	"  --batch          JSON Lines: "
	"{\"apiKey\":0,\"version\":9,\"type\":\"request\",\"hex\":\"...\"}, or \"api\":NAME in "
	"place of apiKey; each line comes\n"
	"                   back in order with \"value\":{...} or \"error\":\"...\"; with --encode "
	"\"value\" is read and \"hex\" written\n"
	"  --list           key, name, type, versions, flexible versions of every message, "
	"separated by tabs; -1: it has no key\n"
	"\n"
	"Text that is not UTF-8 shows U+FFFD, with a warning (a line of --batch then has "
	"\"problem\").\n"
	"Exit status: 0; 1 the message is not what it should be (never of --batch: its errors are "
	"in its lines); 2 wrong use.\n";

/* Which message at which version. */
struct target {
	const struct message *message;
	int version;
};

/* Buffers that live through a call, reset for each message. */
struct work {
	struct arena arena;
	struct buf bytes, text;
	struct gather gather;
	bool bad_utf8;
};

static void work_init(struct work *w)
{
	arena_init(&w->arena, MESSAGE_ARENA_MAX);
	buf_init(&w->bytes, BODY_MAX);
	buf_init(&w->text, INPUT_MAX);
	gather_init(&w->gather, BODY_MAX);
}

static void work_release(struct work *w)
{
	arena_release(&w->arena);
	buf_release(&w->bytes);
	buf_release(&w->text);
	gather_release(&w->gather);
}

/* ---- which message ---- */

static const char *const types[] = {"request", "response", "data"};

static int no_message(struct error *e, const char *name, bool api)
{
	const struct message *all, *nearest = NULL;
	size_t count;
	int least = 2 + (int)strlen(name) / 3;

	all = message_all(&count);
	for (size_t i = 0; i < count; i++) {
		int distance = str_distance(str_of(name), str_of(all[i].name));

		if ((all[i].kind <= MESSAGE_RESPONSE) != api || distance >= least)
			continue;
		least = distance;
		nearest = &all[i];
	}
	return error_set(e, ERR_USAGE, "there is no %s '%s'%s%s%s", api ? "API" : "message", name,
			 nearest ? "; did you mean '" : "", nearest ? nearest->name : "",
			 nearest ? "'?" : "; `ktrial message --list` prints them all");
}

static const struct message *find_data(struct str name)
{
	for (enum message_kind kind = MESSAGE_DATA; kind <= MESSAGE_VALUE; kind++)
		if (message_find(name, kind))
			return message_find(name, kind);
	return NULL;
}

/* Finds the message that api (name or key) and type name. */
static int find_target(const char *api, const char *type, int64_t version,
		       struct target *ret_target, struct error *e)
{
	const struct message *m = NULL;
	bool data = !strcmp(type, "data");
	int key;

	if (data) {
		m = find_data(str_of(api));
	} else if (!strcmp(type, "request") || !strcmp(type, "response")) {
		key = api_find(str_of(api));
		m = key < 0 ? NULL
			    : message_of_api(key,
					     type[2] == 's' ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	} else {
		const char *nearest = cmd_nearest(type, types, 3, sizeof(*types));

		return error_set(e, ERR_USAGE, "there is no type '%s'; %s%s", type,
				 nearest ? "did you mean " : "request, response or data",
				 nearest ? nearest : "");
	}
	if (!m)
		return no_message(e, api, !data);
	if (version < m->since || version > m->until)
		return error_set(e, ERR_USAGE, "%s has versions %d to %d, not %lld", m->name,
				 m->since, m->until, (long long)version);
	*ret_target = (struct target){m, (int)version};
	return 0;
}

/* ---- one message ---- */

/* Bytes in w->bytes to JSON in w->text. */
static int decode(struct work *w, const struct target *t, struct error *e)
{
	const struct schema *s = t->message->schema;
	struct bytes data = {(const uint8_t *)buf_cstr(&w->bytes), (int32_t)w->bytes.len};
	struct json j;
	void *msg = arena_alloc(&w->arena, s->size);
	int64_t used = codec_decode(s, t->version, data, &w->arena, msg, e);

	if (used < 0)
		return (int)used;
	if (used < data.len)
		return error_at(e, ERR_MALFORMED, (size_t)used, NULL,
				"%lld bytes are left behind the message",
				(long long)(data.len - used));
	json_init(&j, &w->text);
	message_json_write(s, t->version, msg, &j);
	w->bad_utf8 = j.bad_utf8;
	return w->text.bad ? error_set(e, ERR_LIMIT, "the JSON passes %zu bytes", w->text.max) : 0;
}

/* A JSON value to bytes in w->bytes. */
static int encode(struct work *w, const struct target *t, const json_t *value, struct error *e)
{
	const struct schema *s = t->message->schema;
	void *msg = arena_alloc(&w->arena, s->size);
	int code = message_json_read(s, t->version, value, &w->arena, msg, e);

	if (code)
		return code;
	gather_reset(&w->gather);
	code = codec_encode(s, t->version, msg, &w->gather, e);
	if (code)
		return code;
	gather_flatten(&w->gather, &w->bytes);
	return w->bytes.bad ? error_set(e, ERR_LIMIT, "the message passes %zu bytes", BODY_MAX) : 0;
}

static void add_hex(struct work *w)
{
	uint8_t *p = buf_room(&w->text, 2 * w->bytes.len);

	if (!p)
		return;
	hex_encode(w->bytes.data, w->bytes.len, (char *)p);
	w->text.len += 2 * w->bytes.len;
}

static int read_hex(struct work *w, struct str text, struct error *e)
{
	size_t max = ((size_t)text.len + 1) / 2; /* half a byte is the reader's to find */
	uint8_t *room = buf_room(&w->bytes, max);
	size_t bad = 0;
	int64_t n;

	if (!room)
		return error_set(e, ERR_LIMIT, "a message longer than %zu bytes", BODY_MAX);
	n = hex_decode_blanks(text, room, max, &bad);
	if (n < 0 && (bad >= (size_t)text.len || (uint8_t)text.data[bad] <= ' '))
		return error_at(e, ERR_MALFORMED, bad, NULL,
				"the hex ends in the middle of a byte");
	if (n < 0)
		return error_at(e, ERR_MALFORMED, bad, NULL, "'%c' is no hex digit",
				text.data[bad]);
	w->bytes.len = (size_t)n;
	return 0;
}

static int fail(const struct error *e)
{
	char text[600];

	fprintf(stderr, "ktrial message: %s\n", error_text(e, text, sizeof(text)));
	return EXIT_FINDINGS;
}

static int read_all(FILE *in, struct buf *text)
{
	uint8_t *room;
	size_t n;

	do {
		room = buf_room(text, 65536);
		if (!room)
			return -1;
		n = fread(room, 1, 65536, in);
		text->len += n;
	} while (n);
	return ferror(in) ? -1 : 0;
}

static int encode_input(struct work *w, const struct target *t, const struct buf *input,
			struct error *e)
{
	json_error_t where;
	json_t *value =
		json_loadb((const char *)input->data, input->len, MESSAGE_JSON_FLAGS, &where);
	int code;

	if (!value)
		return error_set(e, ERR_MALFORMED, "line %d, column %d: %s", where.line,
				 where.column, where.text);
	code = encode(w, t, value, e);
	json_decref(value);
	if (!code)
		add_hex(w);
	return code;
}

static int single(const struct target *t, bool to_hex)
{
	struct error e = ERROR_INIT;
	struct work w = {0};
	struct buf input;
	int status = EXIT_FINE;

	buf_init(&input, INPUT_MAX);
	work_init(&w);
	if (read_all(stdin, &input))
		error_set(&e, ERR_LIMIT,
			  input.bad ? "the input is longer than %zu bytes"
				    : "can't read the input (limit %zu)",
			  INPUT_MAX);
	else if (to_hex)
		encode_input(&w, t, &input, &e);
	else if (!read_hex(&w, (struct str){buf_cstr(&input), (int32_t)input.len}, &e))
		decode(&w, t, &e);
	if (e.code) {
		status = fail(&e);
	} else {
		if (w.bad_utf8)
			fprintf(stderr, "ktrial message: text that is not UTF-8 shows U+FFFD\n");
		buf_byte(&w.text, '\n');
		fwrite(w.text.data, 1, w.text.len, stdout);
	}
	work_release(&w);
	buf_release(&input);
	return status;
}

/* ---- batch ---- */

static int line_target(const json_t *line, struct target *ret_target, struct error *e)
{
	const json_t *key = json_object_get(line, "apiKey"),
		     *version = json_object_get(line, "version");
	const char *api = json_string_value(json_object_get(line, "api"));
	const char *type = json_string_value(json_object_get(line, "type"));
	char number[24];

	if (json_is_integer(key)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(key));
		api = number;
	}
	if (!api || !type || !json_is_integer(version))
		return error_set(e, ERR_MALFORMED,
				 "a line needs apiKey (a number) or api (a name), version (a "
				 "number) and type");
	return find_target(api, type, json_integer_value(version), ret_target, e);
}

static int line_work(struct work *w, const json_t *line, bool to_hex, struct error *e)
{
	const json_t *in = json_object_get(line, to_hex ? "value" : "hex");
	struct target t;

	if (line_target(line, &t, e))
		return e->code;
	if (to_hex)
		return in ? encode(w, &t, in, e)
			  : error_set(e, ERR_MALFORMED, "the line has no value");
	if (!json_is_string(in))
		return error_set(e, ERR_MALFORMED, "the line has no hex");
	if (json_string_length(in) > INT32_MAX)
		return error_set(e, ERR_LIMIT, "a message longer than %zu bytes", BODY_MAX);
	if (read_hex(w, (struct str){json_string_value(in), (int32_t)json_string_length(in)}, e))
		return e->code;
	return decode(w, &t, e);
}

/* Takes from the line the keys that its answer will have; true if there was one. */
static bool strip(json_t *line, bool to_hex)
{
	const char *const ours[] = {to_hex ? "hex" : "value", "error", "problem"};
	bool found = false;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		found |= json_object_del(line, ours[i]) == 0;
	return found;
}

/* Starts the answer: the line as it came, without its closing brace. */
static void echo(json_t *line, bool to_hex, struct str raw, struct buf *out)
{
	char *text = strip(line, to_hex) ? json_dumps(line, JSON_COMPACT) : NULL;

	if (text)
		raw = str_of(text);
	for (raw.len--; raw.len && strchr(" \t", raw.data[raw.len - 1]);)
		raw.len--;
	buf_add(out, raw.data, (size_t)raw.len);
	free(text);
}

static void answer(struct work *w, const struct error *e, bool to_hex, struct buf *out)
{
	char text[600];
	struct json j;

	json_init(&j, out);
	j.comma = out->len > 1;
	if (e->code) {
		json_key_text(&j, "error", error_text(e, text, sizeof(text)));
	} else if (to_hex) {
		json_key(&j, "hex");
		json_hex(&j, (struct bytes){(const uint8_t *)buf_cstr(&w->bytes),
					    (int32_t)w->bytes.len});
	} else {
		json_key(&j, "value");
		json_raw(&j, (struct str){buf_cstr(&w->text), (int32_t)w->text.len});
		if (w->bad_utf8)
			json_key_text(&j, "problem", "text that is not UTF-8 shows U+FFFD");
	}
	json_close(&j, '}');
	buf_byte(out, '\n');
}

static void batch_line(struct work *w, struct str raw, bool to_hex, struct buf *out)
{
	struct error e = ERROR_INIT;
	json_error_t where;
	json_t *line = json_loadb(raw.data, (size_t)raw.len, MESSAGE_JSON_FLAGS, &where);

	arena_reset(&w->arena);
	buf_reset(&w->bytes);
	buf_reset(&w->text);
	buf_reset(out);
	w->bad_utf8 = false;
	if (!line || !json_is_object(line)) {
		error_set(&e, ERR_MALFORMED, "column %d: %s", line ? 1 : where.column,
			  line ? "a line must be an object" : where.text);
		buf_byte(out, '{');
	} else {
		line_work(w, line, to_hex, &e);
		echo(line, to_hex, raw, out);
	}
	answer(w, &e, to_hex, out);
	json_decref(line);
}

static int batch(bool to_hex)
{
	struct work w = {0};
	struct buf out;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	work_init(&w);
	buf_init(&out, 2 * INPUT_MAX);
	while ((n = getline(&line, &cap, stdin)) >= 0) {
		while (n && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
			n--;
		if (!n)
			continue;
		if ((size_t)n > INPUT_MAX)
			break;
		batch_line(&w, (struct str){line, (int32_t)n}, to_hex, &out);
		fwrite(out.data, 1, out.len, stdout);
	}
	free(line);
	buf_release(&out);
	work_release(&w);
	if (n < 0)
		return EXIT_FINE;
	fprintf(stderr, "ktrial message: a line longer than %zu bytes\n", INPUT_MAX);
	return EXIT_FINDINGS;
}

/* ---- list ---- */

static void print_versions(int since, int until, const char *end)
{
	if (since == until)
		printf("%d%s", since, end);
	else
		printf("%d-%d%s", since, until, end);
}

static int list(void)
{
	size_t count;
	const struct message *all = message_all(&count);

	for (size_t i = 0; i < count; i++) {
		const struct message *m = &all[i];

		printf("%d\t%s\t%s\t", m->key, m->name,
		       m->kind == MESSAGE_REQUEST    ? "request"
		       : m->kind == MESSAGE_RESPONSE ? "response"
						     : "data");
		print_versions(m->since, m->until, "\t");
		if (m->schema->flexible_since <= m->until)
			printf("%d+\n", m->schema->flexible_since);
		else
			printf("none\n");
	}
	return EXIT_FINE;
}

/* ---- the command ---- */

enum { OPT_API = 1, OPT_VERSION, OPT_TYPE, OPT_ENCODE, OPT_BATCH, OPT_LIST };

struct wish {
	const char *api, *version, *type;
	bool encode, batch, list;
};

static int parse(struct cmd_args *args, struct wish *w)
{
	const char *value;
	int id;

	while ((id = cmd_next(args, &value)) > 0) {
		switch (id) {
		case OPT_API:
			w->api = value;
			break;
		case OPT_VERSION:
			w->version = value;
			break;
		case OPT_TYPE:
			w->type = value;
			break;
		case OPT_ENCODE:
			w->encode = true;
			break;
		case OPT_BATCH:
			w->batch = true;
			break;
		case OPT_LIST:
			w->list = true;
			break;
		}
	}
	if (id == CMD_WORD) {
		cmd_usage(args->command,
			  "'%s' is not wanted here; the message comes on standard input", value);
		return CMD_BAD;
	}
	return id;
}

static int run(int argc, char **argv)
{
	static const struct cmd_option options[] = {
		{"--api", OPT_API, true},
		{"--version", OPT_VERSION, true},
		{"--type", OPT_TYPE, true},
		{"--encode", OPT_ENCODE, false},
		{"--batch", OPT_BATCH, false},
		{"--list", OPT_LIST, false},
		{NULL, 0, false},
	};
	struct cmd_args args = {
		.command = &cmd_message, .options = options, .argc = argc, .argv = argv, .at = 1};
	struct error e = ERROR_INIT;
	struct wish w = {0};
	struct target t;
	int64_t version;
	int code = parse(&args, &w);

	if (code != CMD_END)
		return code == CMD_HELP ? EXIT_FINE : EXIT_USAGE;
	if ((w.batch || w.list) &&
	    (w.api || w.version || w.type || (w.batch && w.list) || (w.list && w.encode)))
		return cmd_usage(&cmd_message, "%s stands alone%s", w.list ? "--list" : "--batch",
				 w.list ? "" : " (or with --encode)");
	if (w.list)
		return list();
	if (w.batch)
		return batch(w.encode);
	if (!w.api || !w.version || !w.type)
		return cmd_usage(&cmd_message, "%s is wanted",
				 !w.api	      ? "--api"
				 : !w.version ? "--version"
					      : "--type");
	if (!cmd_number(w.version, 0, INT16_MAX, &version))
		return cmd_usage(&cmd_message, "--version wants a number, not '%s'", w.version);
	if (find_target(w.api, w.type, version, &t, &e))
		return cmd_usage(&cmd_message, "%s", e.text);
	return single(&t, w.encode);
}

const struct command cmd_message = {
	.name = "message",
	.summary = "a message between hex and JSON, one or a batch; --list names them all",
	.help = help,
	.run = run,
};
