/* Reading what a word of the scenario language was given: tables against their keys, names, fields.
 * Complains at the key or value that is wrong; what the values mean is words.c's. */
#include "harness/arguments.h"

#include "protocol/schema.h"

#include <lauxlib.h>
#include <stdio.h>

struct call_site call_site(lua_State *lua, const char *word)
{
	return (struct call_site){script_of(lua),   lua, script_source(lua), word,
				  script_line(lua), 0};
}

struct place call_place(const struct call_site *c, int index)
{
	struct place at;

	source_find(c->source, c->line, c->word, &(struct step){NULL, index}, 1, true, &at);
	if (!at.column)
		at = source_name(c->source, c->line, c->word);
	return at;
}

/* The place of a key (or its value) of the table that is argument `index`; outer: a key on the way,
 * or NULL. */
struct place call_key_place(const struct call_site *c, int index, const char *outer,
			    const char *key, bool value)
{
	struct step steps[4] = {{NULL, index}};
	struct place at;
	int n = 1;

	if (outer)
		steps[n++] = (struct step){outer, 0};
	if (c->element)
		steps[n++] = (struct step){NULL, c->element};
	if (key)
		steps[n++] = (struct step){key, 0};
	if (!source_find(c->source, c->line, c->word, steps, n, value, &at))
		at = call_place(c, index);
	return at;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

static const char *nearest_key(const struct key *keys, const char *name)
{
	const char *best = NULL;
	int best_distance = 4;

	for (; keys->name; keys++) {
		int distance = str_distance(str_of(name), str_of(keys->name));

		if (distance < best_distance) {
			best_distance = distance;
			best = keys->name;
		}
	}
	return best;
}

/* What the value at the top should be, or NULL if it is. */
const char *call_wrong_kind(lua_State *lua, const struct key *k)
{
	static const char *const kinds[] = {
		"a text",	 "a number",
		"true or false", "a time such as \"500ms\" or \"20s\"",
		"a table",	 "a text, a number, a topic, true or false"};
	int64_t us;
	bool right = false;

	switch (k->kind) {
	case KEY_TEXT:
		right = lua_type(lua, -1) == LUA_TSTRING;
		break;
	case KEY_NUMBER:
		right = lua_isinteger(lua, -1);
		break;
	case KEY_FLAG:
		right = lua_isboolean(lua, -1);
		break;
	case KEY_DURATION:
		right = lua_type(lua, -1) == LUA_TSTRING &&
			plan_duration(str_of(lua_tostring(lua, -1)), &us);
		break;
	case KEY_TABLE:
		right = lua_istable(lua, -1);
		break;
	case KEY_SETTING:
		right = lua_isboolean(lua, -1) || lua_type(lua, -1) == LUA_TSTRING ||
			lua_isinteger(lua, -1) || script_object(lua, -1);
		break;
	}
	return right ? NULL : kinds[k->kind];
}

/* Judges the key below the top and the value at the top. */
static void judge_key(const struct call_site *c, int index, const char *outer,
		      const struct key *keys)
{
	lua_State *lua = c->lua;
	const char *name, *nearest, *kind;
	const struct key *k;

	if (lua_type(lua, -2) != LUA_TSTRING) {
		script_complain(c->script, call_place(c, index), "%s has names, not a list",
				c->word);
		return;
	}
	name = lua_tostring(lua, -2);
	k = find_key(keys, name);
	if (!k) {
		nearest = nearest_key(keys, name);
		script_complain(c->script, call_key_place(c, index, outer, name, false),
				"%s%s%s has no key '%s'%s%s%s", c->word, outer ? "'s " : "",
				outer ? outer : "", name, nearest ? "; did you mean '" : "",
				nearest ? nearest : "", nearest ? "'?" : "");
		return;
	}
	kind = call_wrong_kind(lua, k);
	if (kind)
		script_complain(c->script, call_key_place(c, index, outer, name, true),
				"%s is %s, not %s", name, kind,
				lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1)
								 : luaL_typename(lua, -1));
	else if (k->kind == KEY_NUMBER &&
		 (lua_tointeger(lua, -1) < k->min || lua_tointeger(lua, -1) > k->max))
		script_complain(c->script, call_key_place(c, index, outer, name, true),
				"%s lies between %lld and %lld", name, (long long)k->min,
				(long long)k->max);
}

/* Checks the table at a stack index against its keys. Complains; the caller then reads what it
 * understands. */
void call_judge_table(const struct call_site *c, int stack, int index, const char *outer,
		      const struct key *keys)
{
	lua_pushnil(c->lua);
	while (lua_next(c->lua, stack)) {
		judge_key(c, index, outer, keys);
		lua_pop(c->lua, 1);
	}
}

/* Argument `index` must be a table (absent: an empty one is put there). */
void call_table(const struct call_site *c, int index, bool needed, const struct key *keys)
{
	if (!needed && lua_isnoneornil(c->lua, index)) {
		lua_settop(c->lua, index - 1);
		lua_newtable(c->lua);
		return;
	}
	if (!lua_istable(c->lua, index)) {
		script_complain(c->script, call_place(c, index), "%s takes a table here, not %s",
				c->word, luaL_typename(c->lua, index));
		script_stop(c->lua);
	}
	lua_settop(c->lua, index);
	call_judge_table(c, index, index, NULL, keys);
}

struct str call_keep(struct arena *arena, lua_State *lua, int index)
{
	size_t len;
	const char *text = lua_tolstring(lua, index, &len);

	return text ? arena_str(arena, (struct str){text, (int32_t)len}) : (struct str){0};
}

struct str call_filled(const struct call_site *c, int index, const char *what)
{
	if (lua_type(c->lua, index) != LUA_TSTRING || !lua_rawlen(c->lua, index)) {
		script_complain(c->script, call_place(c, index), "%s takes %s here: a text, not %s",
				c->word, what, luaL_typename(c->lua, index));
		script_stop(c->lua);
	}
	return call_keep(&c->script->plan->arena, c->lua, index);
}

struct str call_name(const struct call_site *c, int index, const char *what)
{
	struct str name = call_filled(c, index, what);

	for (int32_t i = 0; i < name.len; i++)
		if (name.data[i] == '/' || (unsigned char)name.data[i] < ' ' || name.len > 200) {
			script_complain(c->script, call_place(c, index),
					"%s has a character that a name can't have, or is "
					"too long",
					what);
			script_stop(c->lua);
		}
	return name;
}

struct str call_text(const struct call_site *c, struct arena *arena, int stack, const char *key)
{
	struct str text = {0};

	if (lua_getfield(c->lua, stack, key) == LUA_TSTRING)
		text = call_keep(arena, c->lua, -1);
	lua_pop(c->lua, 1);
	return text;
}

int64_t call_number(const struct call_site *c, int stack, const char *key, int64_t otherwise)
{
	int64_t n = otherwise;

	if (lua_getfield(c->lua, stack, key) == LUA_TNUMBER)
		n = lua_tointeger(c->lua, -1);
	lua_pop(c->lua, 1);
	return n;
}

bool call_flag(const struct call_site *c, int stack, const char *key)
{
	bool flag = lua_getfield(c->lua, stack, key) == LUA_TBOOLEAN && lua_toboolean(c->lua, -1);

	lua_pop(c->lua, 1);
	return flag;
}

const char *call_nearest_api(const char *name)
{
	const char *best = NULL;
	int best_distance = 4;

	for (int key = 0; key <= API_KEY_MAX; key++) {
		int distance = api_name(key) ? str_distance(str_of(name), str_of(api_name(key)))
					     : best_distance;

		if (distance < best_distance) {
			best_distance = distance;
			best = api_name(key);
		}
	}
	return best;
}

/* Room for one more element of a list of the plan. */
void *call_add(const struct call_site *c, void *list, int32_t *count, size_t size)
{
	void **items = list;

	if (!*items)
		*items = arena_zalloc(&c->script->plan->arena, PLAN_ITEMS_MAX * size);
	if (!*items || *count == PLAN_ITEMS_MAX) {
		script_complain(c->script, source_name(c->source, c->line, c->word),
				"more than %d of %s", PLAN_ITEMS_MAX, c->word);
		script_stop(c->lua);
	}
	return (char *)*items + (size_t)(*count)++ * size;
}

/* Words that belong behind scenario{} in a case. */
struct call_site case_site(lua_State *lua, const char *word)
{
	struct call_site c = call_site(lua, word);

	if (!c.script->has_scenario) {
		script_complain(c.script, source_name(c.source, c.line, word),
				"scenario {...} comes first");
		script_stop(lua);
	}
	return c;
}
