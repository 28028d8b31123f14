/* A plan's promises as marks and back. */
#include "harness/marks.h"

#include "base/json.h"

#include <jansson.h>

#define MARK_SIZE_MAX 100000

static const char prefix[] = "plan ";

static void begin(struct json *j, struct buf *b)
{
	buf_reset(b);
	buf_text(b, prefix);
	json_init(j, b);
	json_open(j, '{');
}

static void end(struct json *j, struct buf *b, void (*on_mark)(void *ctx, struct str text),
		void *ctx)
{
	json_close(j, '}');
	if (!b->bad)
		on_mark(ctx, (struct str){(const char *)b->data, (int32_t)b->len});
}

static void write_check(struct json *j, const struct plan_check *c)
{
	json_key_text(j, "check", c->type->name);
	json_key_text(j, "severity", severity_name(c->severity));
	json_key_str(j, "client", c->scope.client);
	json_key_str(j, "topic", c->scope.topic);
	json_key_str(j, "group", c->scope.group);
	json_key_int(j, "number", c->scope.number);
	if (c->optional)
		json_key_bool(j, "optional", true);
}

void marks_write(const struct case_plan *plan, void (*on_mark)(void *ctx, struct str text),
		 void *ctx)
{
	struct buf b;
	struct json j;

	buf_init(&b, MARK_SIZE_MAX);
	begin(&j, &b);
	json_key_str(&j, "scenario", plan->scenario->name);
	json_key_str(&j, "case", plan->case_name);
	json_key_str(&j, "claim", plan->scenario->claim);
	json_key_int(&j, "seed", (int64_t)plan->seed);
	end(&j, &b, on_mark, ctx);
	for (int32_t i = 0; i < plan->checks_count; i++) {
		begin(&j, &b);
		write_check(&j, &plan->checks[i]);
		end(&j, &b, on_mark, ctx);
	}
	for (int32_t i = 0; i < plan->rules_count; i++) {
		begin(&j, &b);
		json_key_str(&j, "rule", plan->rules[i].name);
		json_key_str(&j, "text", plan->rules[i].text);
		json_key_bool(&j, "optional", plan->rules[i].optional);
		end(&j, &b, on_mark, ctx);
	}
	buf_release(&b);
}

void marks_write_failed(const char *why, void (*on_mark)(void *ctx, struct str text), void *ctx)
{
	struct buf b;
	struct json j;

	buf_init(&b, MARK_SIZE_MAX);
	begin(&j, &b);
	json_key_text(&j, "failed", why);
	end(&j, &b, on_mark, ctx);
	buf_release(&b);
}

static struct str text_of(const json_t *object, const char *key, struct arena *arena)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return (struct str){0};
	return arena_str(arena, (struct str){json_string_value(v), (int32_t)json_string_length(v)});
}

static enum severity severity_of(struct str name)
{
	for (int i = SEVERITY_MUST; i < SEVERITY_NONE; i++)
		if (str_is(name, severity_name((enum severity)i)))
			return (enum severity)i;
	return SEVERITY_INFO;
}

static void read_object(const json_t *root, struct arena *arena, struct mark *m)
{
	struct str check = text_of(root, "check", arena);
	const json_t *number = json_object_get(root, "number");

	m->scenario = text_of(root, "scenario", arena);
	m->rule.name = text_of(root, "rule", arena);
	if (check.data)
		m->check.type = check_type_find(check);
	m->why = text_of(root, "failed", arena);
	if (m->why.data) {
		m->kind = MARK_FAILED;
	} else if (m->scenario.data) {
		m->kind = MARK_SCENARIO;
		m->case_name = text_of(root, "case", arena);
		m->claim = text_of(root, "claim", arena);
	} else if (m->rule.name.data) {
		m->kind = MARK_RULE;
		m->rule.text = text_of(root, "text", arena);
		m->rule.optional = json_is_true(json_object_get(root, "optional"));
	} else if (m->check.type) {
		m->kind = MARK_CHECK;
		m->check.severity = severity_of(text_of(root, "severity", arena));
		m->check.scope.client = text_of(root, "client", arena);
		m->check.scope.topic = text_of(root, "topic", arena);
		m->check.scope.group = text_of(root, "group", arena);
		m->check.optional = json_is_true(json_object_get(root, "optional"));
		m->check.scope.number =
			json_is_integer(number) ? (int64_t)json_integer_value(number) : -1;
	}
}

void mark_read(struct str text, struct arena *arena, struct mark *ret_mark)
{
	size_t skip = sizeof(prefix) - 1;
	json_t *root;

	*ret_mark = (struct mark){.kind = MARK_OTHER};
	if (text.len < (int32_t)skip || memcmp(text.data, prefix, skip))
		return;
	root = json_loadb(text.data + skip, (size_t)text.len - skip, JSON_ALLOW_NUL, NULL);
	if (json_is_object(root))
		read_object(root, arena, ret_mark);
	json_decref(root);
}
