/* The closed world in which a scenario's Lua runs. Owns the state, its limits, and the complaints
 * that a run gathers; the words that a scenario uses are words.c's and timeline.c's. Lua leaves C
 * functions by longjmp: whatever they hold lies in the plan's arena or in Lua itself. */
#include "harness/script.h"

#include "harness/bounds.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CODE_SIZE_MAX  (SOURCE_SIZE_MAX * 16) /* of a text that is larger, the code is not kept */
#define COMPLAINTS_MAX 50
#define STEPS_BETWEEN  10000

struct complaint {
	struct place at;
	char *text;
};

static const char object_meta[] = "ktrial.object";
static const char stop_tag;

struct script *script_of(lua_State *lua)
{
	return *(struct script **)lua_getextraspace(lua);
}

/* Lua's own message for want of memory names no line: where it is now, is noted here. */
static void note_starved(struct script *s)
{
	lua_Debug ar = {.currentline = -1};

	for (int level = 0; s->running && ar.currentline < 0; level++) {
		if (!lua_getstack(s->running, level, &ar))
			return;
		lua_getinfo(s->running, "l", &ar);
	}
	if (s->running)
		s->starved = script_line_place(s->running, ar.currentline);
}

static void *allocate(void *ctx, void *old, size_t old_size, size_t size)
{
	struct script *s = ctx;
	size_t before = old ? old_size : 0;
	void *p;

	if (!size) {
		free(old);
		s->memory -= before;
		return NULL;
	}
	if (size > before && s->memory + size - before > SCRIPT_MEMORY_MAX) {
		note_starved(s);
		return NULL;
	}
	p = realloc(old, size);
	if (p)
		s->memory = s->memory - before + size;
	return p;
}

static void take_steps(lua_State *lua, uint64_t steps, int line)
{
	struct script *s = script_of(lua);

	s->steps += steps;
	if (s->steps <= SCRIPT_STEPS_MAX)
		return;
	script_complain(s, script_line_place(lua, line), "this takes too long: more than %d steps",
			SCRIPT_STEPS_MAX);
	script_stop(lua);
}

void script_charge(lua_State *lua, uint64_t steps)
{
	take_steps(lua, steps, script_line(lua));
}

static void on_steps(lua_State *lua, lua_Debug *ar)
{
	lua_getinfo(lua, "l", ar);
	take_steps(lua, STEPS_BETWEEN, ar->currentline);
}

int script_stop(lua_State *lua)
{
	lua_pushlightuserdata(lua, (void *)(uintptr_t)&stop_tag);
	return lua_error(lua);
}

int script_line(lua_State *lua)
{
	lua_Debug ar;

	if (!lua_getstack(lua, 1, &ar))
		return 0;
	lua_getinfo(lua, "l", &ar);
	return ar.currentline > 0 ? ar.currentline : 0;
}

/* The source with that name: the scenario or one of its modules. */
static const struct source *source_called(const struct script *s, const char *path, size_t len)
{
	for (int i = 0; i < s->modules_count; i++)
		if (strlen(s->modules[i]->path) == len && !memcmp(s->modules[i]->path, path, len))
			return s->modules[i];
	return strlen(s->source->path) == len && !memcmp(s->source->path, path, len) ? s->source
										     : NULL;
}

/* The text of the innermost function that is Lua's. */
const struct source *script_source(lua_State *lua)
{
	struct script *s = script_of(lua);
	const struct source *found = NULL;
	lua_Debug ar;

	for (int level = 0; !found && lua_getstack(lua, level, &ar); level++) {
		lua_getinfo(lua, "S", &ar);
		found = ar.source[0] == '@' ? source_called(s, ar.source + 1, strlen(ar.source + 1))
					    : NULL;
	}
	return found ? found : s->source;
}

struct place script_line_place(lua_State *lua, int line)
{
	return source_point(script_source(lua), line, "");
}

struct place script_place(lua_State *lua, const char *name)
{
	return source_name(script_source(lua), script_line(lua), name);
}

void script_complain(struct script *s, struct place at, const char *fmt, ...)
{
	char text[1000];
	va_list args;
	struct complaint *c;

	if (s->complaints_count == COMPLAINTS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c = realloc(s->complaints, ((size_t)s->complaints_count + 1) * sizeof(*c));
	if (!c)
		abort();
	s->complaints = c;
	c[s->complaints_count++] = (struct complaint){at, strdup(text)};
}

/* "path:12: text" becomes a place. */
static void complain_text(struct script *s, const char *text)
{
	const char *colon = strchr(text, ':');
	const struct source *source = colon ? source_called(s, text, (size_t)(colon - text)) : NULL;
	struct place at = {0, 0, source};
	int used = 0;

	if (!source && strstr(text, "not enough memory"))
		at = s->starved;
	if (source && sscanf(colon, ":%d: %n", &at.line, &used) == 1 && used) {
		text = colon + used;
		at = source_point(source, at.line, text);
	}
	script_complain(s, at, "%s", text);
}

void script_complain_error(struct script *s, lua_State *lua)
{
	if (lua_touserdata(lua, -1) == &stop_tag)
		return;
	if (lua_isstring(lua, -1))
		complain_text(s, lua_tostring(lua, -1));
	else
		script_complain(s, (struct place){0}, "an error that is no text (%s)",
				luaL_typename(lua, -1));
}

void script_last_complaint(const struct script *s, struct buf *ret_line, struct buf *ret_whole)
{
	const struct complaint *c = &s->complaints[s->complaints_count - 1];
	const struct source *source = c->at.source ? c->at.source : s->source;

	buf_printf(ret_line, "%s:%d:%d: %s", source->path, c->at.line, c->at.column, c->text);
	source_complain(source, c->at, c->text, ret_whole);
}

/* ---- the closed world ---- */

/* The name nearest to `word` among the keys of the table at the top; pushes it, or nil. */
static void push_nearest(lua_State *lua, const char *word)
{
	int table = lua_gettop(lua), best_distance = 4;

	lua_pushnil(lua);
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		lua_pop(lua, 1);
		if (lua_type(lua, -1) != LUA_TSTRING)
			continue;
		int distance = str_distance(str_of(word), str_of(lua_tostring(lua, -1)));

		if (distance < best_distance && distance < (int)strlen(word)) {
			best_distance = distance;
			lua_pushvalue(lua, -1);
			lua_replace(lua, table + 1);
		}
	}
}

/* Reading a key that a table does not have: upvalue 1 says what the table is, "" for the globals.
 */
static int on_unknown(lua_State *lua)
{
	struct script *s = script_of(lua);
	const char *what = lua_tostring(lua, lua_upvalueindex(1));
	const char *word = luaL_tolstring(lua, 2, NULL), *nearest;

	if (!*what && script_add_checks(lua, word))
		return 1;
	if (!*what)
		script_add_checks(lua, NULL); /* one of them may have been meant */
	lua_pushvalue(lua, 1);
	push_nearest(lua, word);
	nearest = lua_tostring(lua, -1);
	script_complain(s, script_place(lua, word), "%s%s%s '%s'%s%s%s",
			*what ? "" : "there is no ", *what ? what : "name", *what ? " has no" : "",
			word, nearest ? "; did you mean '" : "", nearest ? nearest : "",
			nearest ? "'?" : "");
	return script_stop(lua);
}

static int on_assign(lua_State *lua)
{
	struct script *s = script_of(lua);
	const char *what = lua_tostring(lua, lua_upvalueindex(1));
	const char *word = luaL_tolstring(lua, 2, NULL);

	if (*what)
		script_complain(s, script_place(lua, word), "%s can't be changed", what);
	else
		script_complain(s, script_place(lua, word), "'%s' is not declared: write local %s",
				word, word);
	return script_stop(lua);
}

void script_strict(lua_State *lua, const char *what)
{
	lua_createtable(lua, 0, 3);
	lua_pushstring(lua, what);
	lua_pushcclosure(lua, on_unknown, 1);
	lua_setfield(lua, -2, "__index");
	lua_pushstring(lua, what);
	lua_pushcclosure(lua, on_assign, 1);
	lua_setfield(lua, -2, "__newindex");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_setmetatable(lua, -2);
}

static void remove_names(lua_State *lua, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(lua);
		lua_setfield(lua, -2, *names);
	}
}

static void open_libraries(struct script *s)
{
	static const luaL_Reg libraries[] = {
		{LUA_GNAME, luaopen_base},	  {LUA_TABLIBNAME, luaopen_table},
		{LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
		{LUA_UTF8LIBNAME, luaopen_utf8},
	};
	/* What reaches outside, hides errors, or could make two runs of a seed differ. */
	static const char *const globals[] = {"collectgarbage", "dofile",	"load", "loadfile",
					      "pcall",		"print",	"warn", "xpcall",
					      "getmetatable",	"setmetatable", NULL};
	static const char *const numbers[] = {"randomseed", NULL};
	lua_State *lua = s->lua;

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
		lua_pop(lua, 1);
	}
	lua_getglobal(lua, LUA_MATHLIBNAME);
	lua_getfield(lua, -1, "randomseed");
	lua_pushinteger(lua, s->plan ? (lua_Integer)s->plan->seed : 0);
	lua_call(lua, 1, 0);
	remove_names(lua, numbers);
	lua_pop(lua, 1);
	lua_pushglobaltable(lua);
	remove_names(lua, globals);
	lua_pop(lua, 1);
}

/* ---- texts ---- */

/* Pushes the text as a function, from its code where it was compiled before; Lua's status. */
static int load(lua_State *lua, const struct source *text)
{
	char chunk[1100];

	snprintf(chunk, sizeof(chunk), "@%s", text->path);
	if (text->code.len)
		return luaL_loadbufferx(lua, (const char *)text->code.data, text->code.len, chunk,
					"b");
	return luaL_loadbufferx(lua, text->text, text->size, chunk, "t");
}

static int on_code(lua_State *lua, const void *data, size_t size, void *ctx)
{
	(void)lua;
	buf_add(ctx, data, size);
	return 0;
}

/* Keeps what the function at the top was compiled to, with its lines and names. */
static void keep_code(lua_State *lua, struct source *text)
{
	buf_init(&text->code, CODE_SIZE_MAX);
	lua_dump(lua, on_code, &text->code, 0);
	if (text->code.bad)
		buf_reset(&text->code);
}

/* ---- modules ---- */

/* "_members" beside the scenario: its folder, the name, ".lua". */
static void module_path(const struct script *s, const char *name, char *ret_path, size_t size)
{
	const char *slash = strrchr(s->source->path, '/');
	int folder = slash ? (int)(slash - s->source->path) + 1 : 0;

	snprintf(ret_path, size, "%.*s%s.lua", folder, s->source->path, name);
}

static int load_module(lua_State *lua, struct script *s, const char *path)
{
	struct error e = ERROR_INIT;
	struct source *m;

	if (s->modules_count == SCRIPT_MODULES_MAX)
		return luaL_error(lua, "more than %d modules", SCRIPT_MODULES_MAX);
	m = sources_of(s->library, path, &e);
	if (!m) {
		script_complain(s, script_place(lua, "use"), "%s", e.text);
		return script_stop(lua);
	}
	s->modules[s->modules_count++] = m;
	if (load(lua, m))
		return lua_error(lua);
	if (!m->code.len)
		keep_code(lua, m);
	lua_call(lua, 0, 1);
	if (lua_isnil(lua, -1))
		return luaL_error(lua, "%s returns nothing: a module ends in return { ... }", path);
	return 1;
}

/* use("NAME"): what the module beside the scenario returns, made once. */
static int word_use(lua_State *lua)
{
	struct script *s = script_of(lua);
	char path[1000];

	module_path(s, luaL_checkstring(lua, 1), path, sizeof(path));
	luaL_getsubtable(lua, LUA_REGISTRYINDEX, "ktrial.modules");
	if (lua_getfield(lua, -1, path) == LUA_TNIL) {
		load_module(lua, s, path);
		lua_pushvalue(lua, -1);
		lua_setfield(lua, -4, path);
	}
	return 1;
}

/* ---- objects ---- */

const char *object_kind_name(enum object_kind kind)
{
	static const char *const names[] = {"a cluster", "a topic", "a client",
					    "a rule",	 "a check", "a condition"};

	return names[kind];
}

struct object *script_object(lua_State *lua, int index)
{
	return luaL_testudata(lua, index, object_meta);
}

struct object *script_push(lua_State *lua, enum object_kind kind, int32_t index)
{
	struct object *o = lua_newuserdatauv(lua, sizeof(*o), 0);

	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->index = index;
	luaL_setmetatable(lua, object_meta);
	return o;
}

/* Methods stand in the registry by kind: "ktrial.cluster" and so on. */
static int on_method(lua_State *lua)
{
	struct script *s = script_of(lua);
	struct object *o = script_object(lua, 1);
	const char *word = luaL_tolstring(lua, 2, NULL), *nearest;

	lua_getfield(lua, LUA_REGISTRYINDEX, object_kind_name(o->kind));
	if (lua_isnil(lua, -1) || (lua_getfield(lua, -1, word) == LUA_TNIL)) {
		lua_settop(lua, 3);
		lua_getfield(lua, LUA_REGISTRYINDEX, object_kind_name(o->kind));
		if (lua_istable(lua, -1))
			push_nearest(lua, word);
		nearest = lua_tostring(lua, -1);
		script_complain(s, script_place(lua, word), "%s has no '%s'%s%s%s",
				object_kind_name(o->kind), word, nearest ? "; did you mean '" : "",
				nearest ? nearest : "", nearest ? "'?" : "");
		return script_stop(lua);
	}
	return 1;
}

static int on_text(lua_State *lua)
{
	struct object *o = script_object(lua, 1);
	const struct case_plan *p = script_of(lua)->plan;
	struct str name = {0};

	if (o->kind == OBJECT_TOPIC)
		name = p->topics[o->index].name;
	else if (o->kind == OBJECT_CLIENT)
		name = p->clients[o->index].name;
	else if (o->kind == OBJECT_RULE)
		name = p->rules[o->index].name;
	if (name.data)
		lua_pushlstring(lua, name.data, (size_t)name.len);
	else
		lua_pushstring(lua, object_kind_name(o->kind));
	return 1;
}

static int on_concat(lua_State *lua)
{
	luaL_tolstring(lua, 1, NULL);
	luaL_tolstring(lua, 2, NULL);
	lua_concat(lua, 2);
	return 1;
}

static void add_object_type(lua_State *lua)
{
	static const luaL_Reg meta[] = {{"__index", on_method},
					{"__tostring", on_text},
					{"__concat", on_concat},
					{NULL, NULL}};

	luaL_newmetatable(lua, object_meta);
	luaL_setfuncs(lua, meta, 0);
	lua_pop(lua, 1);
}

/* ---- life ---- */

struct script *script_new(const struct source *source, struct sources *library, struct buf *out)
{
	struct script *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->source = source;
	s->library = library;
	s->out = out;
	return s;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	if (s->lua)
		lua_close(s->lua);
	for (int i = 0; i < s->complaints_count; i++)
		free(s->complaints[i].text);
	free(s->complaints);
	free(s);
}

static int by_place(const void *a, const void *b)
{
	const struct complaint *x = a, *y = b;

	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->at.column < y->at.column ? -1 : x->at.column > y->at.column;
}

static int open_world(lua_State *lua)
{
	struct script *s = script_of(lua);

	open_libraries(s);
	bounds_add(lua);
	add_object_type(lua);
	lua_pushcfunction(lua, word_use);
	lua_setglobal(lua, "use");
	script_add_words(s);
	script_add_timeline(s);
	lua_pushglobaltable(lua);
	script_strict(lua, "");
	return 0;
}

/* All words, then the text. What the header's phase compiles, the cases begin with. */
static int open_and_run(lua_State *lua)
{
	struct script *s = script_of(lua);

	open_world(lua);
	if (load(lua, s->source))
		return lua_error(lua);
	if (s->header)
		keep_code(lua, &s->header->source);
	lua_call(lua, 0, 0);
	return 0;
}

bool script_run(struct script *s)
{
	struct place surprise = source_surprise(s->source);
	bool failed = true;

	s->lua = lua_newstate(allocate, s);
	if (!s->lua)
		abort();
	*(struct script **)lua_getextraspace(s->lua) = s;
	lua_sethook(s->lua, on_steps, LUA_MASKCOUNT, STEPS_BETWEEN);
	lua_pushcfunction(s->lua, open_and_run);
	bounds_begin(s->lua);
	if (surprise.line)
		script_complain(s, surprise,
				"this '(' continues the line above as a call; put a ';' before it");
	else if (lua_pcall(s->lua, 0, 0, 0))
		script_complain_error(s, s->lua);
	else
		failed = false;
	bounds_end();
	if (s->complaints_count)
		qsort(s->complaints, (size_t)s->complaints_count, sizeof(*s->complaints), by_place);
	for (int i = 0; i < s->complaints_count; i++)
		source_complain(s->source, s->complaints[i].at, s->complaints[i].text, s->out);
	/* The first phase ends in script_stop at scenario{}, without a complaint. */
	return !s->complaints_count && (!failed || (s->header && s->has_scenario));
}
