/* What can only be said of a whole rule, and paths read against the APIs that it names. Pure. */
#include "rules/grammar.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "rules/possible.h"

#include <stdio.h>

#define APIS_MAX 128

bool rule_has_api(const struct parsed_rule *r, int key)
{
	return r->apis[key / 64] >> (key % 64) & 1;
}

/* The span of versions that the rule asks for. */
static struct range versions(const struct parsed_rule *r)
{
	struct range span = {0, INT16_MAX};

	for (int32_t i = 0; i < r->conditions_count; i++) {
		const struct condition *c = &r->conditions[i];

		if (c->key != KEY_VERSION)
			continue;
		span = c->ranges[0];
		for (int32_t k = 1; k < c->count; k++) {
			span.from = span.from < c->ranges[k].from ? span.from : c->ranges[k].from;
			span.to = span.to > c->ranges[k].to ? span.to : c->ranges[k].to;
		}
	}
	return span;
}

bool rule_is_any(const struct parsed_rule *r)
{
	return r->apis[0] == UINT64_MAX && r->apis[1] == UINT64_MAX;
}

/* An error that none of "any" API can return is refused, too; of a named list each API must. */
static int check_error(struct parser *p)
{
	struct range v = versions(p->rule);
	int16_t code = p->rule->plan.error_code;
	bool any = rule_is_any(p->rule), some = false;

	for (int key = 0; key <= API_KEY_MAX; key++) {
		bool possible;

		if (!api_name(key) || !rule_has_api(p->rule, key))
			continue;
		possible = error_possible(key, (int)v.from, (int)v.to, code);
		some |= possible;
		if (!possible && !any)
			return error_at(p->e, ERR_USAGE, (size_t)p->action.column, NULL,
					"%s can't return %s%s; the option force insists",
					api_name(key), kafka_error_name(code),
					error_possible(key, 0, INT16_MAX, code)
						? " in the versions that the rule asks for"
						: "");
	}
	if (!some)
		return error_at(p->e, ERR_USAGE, (size_t)p->action.column, NULL,
				"no API can return %s; the option force insists",
				kafka_error_name(code));
	return 0;
}

static bool asks(const struct parsed_rule *r, enum rule_key key)
{
	for (int32_t i = 0; i < r->conditions_count; i++)
		if (r->conditions[i].key == key)
			return true;
	return false;
}

static int check_versions(struct parser *p)
{
	struct range v = versions(p->rule);

	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, MESSAGE_REQUEST);

		if (!m || !rule_has_api(p->rule, key) || rule_is_any(p->rule))
			continue;
		if (v.from > m->until || v.to < m->since)
			return error_at(p->e, ERR_USAGE, 0, NULL,
					"%s has versions %d to %d, none that the rule asks for; "
					"the option force insists",
					m->name, m->since, m->until);
		if (key != API_PRODUCE && asks(p->rule, KEY_ACKS))
			return error_at(p->e, ERR_USAGE, 0, NULL,
					"%s has no acks, only Produce has", m->name);
	}
	return 0;
}

static int field_absent(struct parser *p, int api_key, const struct path *path)
{
	char until[32] = "";

	if (path->until != VERSION_MAX)
		snprintf(until, sizeof(until), " until %d", path->until);
	return error_at(p->e, ERR_USAGE, 0, NULL,
			"%s has the field %s since version %d%s, not in those that the rule asks "
			"for; the option force insists",
			api_name(api_key), path_leaf(path)->name, path->since, until);
}

/* A field that no asked version has: the rule would never match. */
static int check_fields(struct parser *p)
{
	struct range v = versions(p->rule);

	for (int32_t i = 0; i < p->rule->conditions_count; i++) {
		const struct field_paths *paths = p->rule->conditions[i].paths;

		for (int32_t k = 0; paths && k < paths->count; k++) {
			const struct path *path = &paths->at[k].path;

			if (v.from > path->until || v.to < path->since)
				return field_absent(p, paths->at[k].api_key, path);
		}
	}
	return 0;
}

int rule_check(struct parser *p)
{
	const struct parsed_rule *r = p->rule;

	if (r->on_answer && r->plan.when == WHEN_BEFORE && r->plan.action != ACTION_OBSERVE)
		return error_at(p->e, ERR_USAGE, (size_t)p->action.column, NULL,
				"a rule on the answer's error acts after the work: add 'after'");
	if (r->force)
		return 0;
	if (check_versions(p) || check_fields(p))
		return p->e->code;
	return r->plan.action == ACTION_ERROR ? check_error(p) : 0;
}

/* The path's error, at its place in the rule. */
static int path_error(struct parser *p, int api_key, struct word path, const struct error *e)
{
	size_t at = e->offset == ERROR_NO_OFFSET ? 0 : e->offset;

	return error_at(p->e, ERR_USAGE, (size_t)path.column + at, NULL, "%s: %s",
			api_name(api_key), e->text);
}

int field_paths_find(struct parser *p, enum message_kind kind, struct word path,
		     struct field_paths *ret_paths)
{
	struct field_paths found = {arena_alloc(p->arena, APIS_MAX * sizeof(struct field_path)), 0};

	if (!found.at)
		return error_set(p->e, ERR_LIMIT, "the rule takes too much memory");
	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, kind);
		struct field_path *f = &found.at[found.count];
		struct error e = ERROR_INIT;

		if (!m || !rule_has_api(p->rule, key))
			continue;
		f->api_key = key;
		if (!path_parse(m->schema, PATH_ANY_VERSION, path.text, &f->path, &e))
			found.count++;
		else if (!rule_is_any(p->rule))
			return path_error(p, key, path, &e);
	}
	if (!found.count)
		return error_at(p->e, ERR_USAGE, (size_t)path.column, NULL,
				"no API has the field '" STR_FMT "'", STR_ARG(path.text));
	*ret_paths = found;
	return 0;
}

int field_paths_accept(struct parser *p, const struct field_paths *paths, struct word value)
{
	for (int32_t i = 0; i < paths->count; i++) {
		struct error e = ERROR_INIT;

		if (!path_accepts(&paths->at[i].path, value.text, &e))
			return error_at(p->e, ERR_USAGE, (size_t)value.column, NULL, "%s: %s",
					api_name(paths->at[i].api_key), e.text);
	}
	return 0;
}
