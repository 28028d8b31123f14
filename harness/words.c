/* The words of a scenario's text: scenario, cluster, topic, client, rule, the checks,
 * must/should/info. Each reads its arguments against a table of keys, complains at the key or value
 * that is wrong, and adds plain data to the plan. Nothing here acts; the timeline's words are
 * timeline.c's. */
#include "harness/words.h"

#include "harness/arguments.h"
#include "harness/cluster_words.h"
#include "rules/rule.h"

#include <lauxlib.h>
#include <stdlib.h>

static const struct key scenario_keys[] = {
	{"name", KEY_TEXT, 0, 0, "area/name, as the file's path says it"},
	{"claim", KEY_TEXT, 0, 0, "one sentence: what a client must do"},
	{"see", KEY_TEXT, 0, 0, "where the claim comes from: a KIP, an issue, a document"},
	{"timeout", KEY_DURATION, 0, 0, "how long a case may take; 30s if it says nothing"},
	{"matrix", KEY_TABLE, 0, 0,
	 "lists of values by name; a case for each combination, as case.NAME"},
	{0},
};

static const struct key client_keys[] = {
	{"speaks", KEY_TEXT, 0, 0,
	 "verifiable-producer, verifiable-consumer, transactional or none"},
	{"args", KEY_TABLE, 0, 0, "flags of the program, with _ for -"},
	{"config", KEY_TABLE, 0, 0, "Kafka's Java configuration names and their values"},
	{"environment", KEY_TABLE, 0, 0, "variables for the program"},
	{0},
};

static const struct key rule_keys[] = {
	{"optional", KEY_FLAG, 0, 0,
	 "it need not fire; else a case in which it did not is vacuous"},
	{0},
};

static const struct key severity_keys[] = {
	{"optional", KEY_FLAG, 0, 0,
	 "it may see nothing to judge; else a case in which it did not is vacuous"},
	{0},
};

#define MESSAGES_MAX INT32_MAX

static const struct key producer_args[] = {
	{"topic", KEY_SETTING, 0, 0, "the topic"},
	{"max_messages", KEY_SETTING, 0, MESSAGES_MAX, "how many records; no end if absent"},
	{"throughput", KEY_SETTING, 0, 0, "records a second"},
	{"acks", KEY_SETTING, 0, 0, "0, 1 or all"},
	{"message_create_time", KEY_SETTING, 0, 0, "timestamp of the first record in ms"},
	{"value_prefix", KEY_SETTING, 0, 0, "values are PREFIX.0, PREFIX.1, ..."},
	{"repeating_keys", KEY_SETTING, 0, 0, "keys are 0 .. N-1 in turn"},
	{0},
};

static const struct key consumer_args[] = {
	{"topic", KEY_SETTING, 0, 0, "the topic"},
	{"group_id", KEY_SETTING, 0, 0, "the group"},
	{"group_instance_id", KEY_SETTING, 0, 0, "static membership (KIP-345)"},
	{"group_protocol", KEY_SETTING, 0, 0, "classic or consumer (KIP-848)"},
	{"group_remote_assignor", KEY_SETTING, 0, 0, "the broker's assignor (KIP-848)"},
	{"max_messages", KEY_SETTING, 0, MESSAGES_MAX, "how many records; no end if absent"},
	{"session_timeout", KEY_SETTING, 0, 0, "in ms"},
	{"enable_autocommit", KEY_SETTING, 0, 0, "offsets are committed by the client on its own"},
	{"reset_policy", KEY_SETTING, 0, 0, "earliest, latest or none; earliest"},
	{"assignment_strategy", KEY_SETTING, 0, 0, "class names of assignors"},
	{0},
};

static const struct key transactional_args[] = {
	{"topic", KEY_SETTING, 0, 0, "where to write"},
	{"input_topic", KEY_SETTING, 0, 0, "what to read, in consume-transform-produce"},
	{"group_id", KEY_SETTING, 0, 0, "the group that reads"},
	{"transactional_id", KEY_SETTING, 0, 0, "the id"},
	{"max_messages", KEY_SETTING, 0, MESSAGES_MAX, "how many records; no end if absent"},
	{"transaction_size", KEY_SETTING, 0, 0, "records of a transaction"},
	{"abort_every", KEY_SETTING, 0, 0, "every so many transactions one is aborted"},
	{"throughput", KEY_SETTING, 0, 0, "records a second"},
	{"value_prefix", KEY_SETTING, 0, 0, "values are PREFIX.0, PREFIX.1, ..."},
	{0},
};

static const struct key no_args[] = {{0}};

static const struct word words[] = {
	{"scenario", "scenario {...}", "the header; it comes first", scenario_keys},
	{"cluster", "cluster {...}", "the mock cluster; once", cluster_keys},
	{"topic", "CLUSTER:topic(NAME, {...})", "a topic that is there from the start", topic_keys},
	{"batch", "log = { {...}, ... }", "a batch that is in a topic's log from the start",
	 batch_keys},
	{"committed", "TOPIC:committed(GROUP, { OFFSET, ... })",
	 "offsets that the group has committed from the start, by partition from 0; -1 where there "
	 "is none",
	 NULL},
	{"client", "client(NAME, {...})", "a subject: a program of the client under test",
	 client_keys},
	{"rule", "rule(NAME, RULE, {...})", "a fault, in the one grammar of rules", rule_keys},
	{"must", "must(CHECK, {...})", "a judgement that decides the verdict", severity_keys},
	{"should", "should(CHECK, {...})", "one that is reported as a deviation", severity_keys},
	{"info", "info(CHECK, {...})", "one that is only told", severity_keys},
	{0},
};

const struct word *words_all(void)
{
	return words;
}

const struct key *words_args(enum speaks speaks)
{
	static const struct key *const args[] = {producer_args, consumer_args, transactional_args,
						 no_args};

	return args[speaks];
}

/* ---- scenario ---- */

static bool matrix_value(const struct call_site *c, struct matrix_value *v)
{
	lua_State *lua = c->lua;

	if (lua_isboolean(lua, -1)) {
		v->kind = MATRIX_BOOL;
		v->flag = lua_toboolean(lua, -1);
	} else if (lua_isinteger(lua, -1)) {
		v->kind = MATRIX_NUMBER;
		v->number = lua_tointeger(lua, -1);
	} else if (lua_type(lua, -1) == LUA_TSTRING) {
		v->kind = MATRIX_TEXT;
	} else {
		return false;
	}
	luaL_tolstring(lua, -1, NULL);
	v->text = call_keep(&c->script->header->arena, lua, -1);
	lua_pop(lua, 1);
	return v->text.len > 0;
}

/* One axis: its name below the top, its list at the top. */
static void matrix_axis(const struct call_site *c, struct matrix_axis *axis)
{
	lua_State *lua = c->lua;
	struct scenario *h = c->script->header;
	size_t n = lua_istable(lua, -1) ? lua_rawlen(lua, -1) : 0;

	axis->key = lua_type(lua, -2) == LUA_TSTRING ? call_keep(&h->arena, lua, -2)
						     : (struct str){"?", 1};
	axis->at = call_key_place(c, 1, "matrix", axis->key.data, false);
	axis->values = arena_zalloc(&h->arena, (n + 1) * sizeof(*axis->values));
	for (size_t i = 0; i < n && axis->values; i++) {
		lua_rawgeti(lua, -1, (lua_Integer)i + 1);
		if (matrix_value(c, &axis->values[axis->values_count]))
			axis->values_count++;
		lua_pop(lua, 1);
	}
	if (!n || axis->values_count != (int32_t)n || lua_type(lua, -2) != LUA_TSTRING)
		script_complain(c->script, axis->at,
				"matrix.%s is a list of texts, whole numbers, true or false",
				axis->key.data);
}

static int by_axis_place(const void *a, const void *b)
{
	const struct matrix_axis *x = a, *y = b;

	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return strcmp(x->key.data, y->key.data);
}

static void read_matrix(const struct call_site *c)
{
	lua_State *lua = c->lua;
	struct scenario *h = c->script->header;
	int64_t cases = 1;

	h->axes = arena_zalloc(&h->arena, 16 * sizeof(*h->axes));
	lua_pushnil(lua);
	while (lua_next(lua, -2)) {
		if (h->axes_count < 16)
			matrix_axis(c, &h->axes[h->axes_count++]);
		lua_pop(lua, 1);
	}
	if (h->axes_count > 1)
		qsort(h->axes, (size_t)h->axes_count, sizeof(*h->axes), by_axis_place);
	for (int32_t i = 0; i < h->axes_count && cases <= PLAN_CASES_MAX; i++)
		cases *= h->axes[i].values_count;
	h->cases_count = (int32_t)cases;
	if (cases > PLAN_CASES_MAX)
		script_complain(c->script, call_key_place(c, 1, NULL, "matrix", false),
				"more than %d cases", PLAN_CASES_MAX);
}

static void read_header(const struct call_site *c)
{
	struct scenario *h = c->script->header;
	struct str timeout = call_text(c, &h->arena, 1, "timeout");

	h->name = call_text(c, &h->arena, 1, "name");
	h->claim = call_text(c, &h->arena, 1, "claim");
	h->see = call_text(c, &h->arena, 1, "see");
	h->timeout_us = PLAN_TIMEOUT_US;
	h->cases_count = 1;
	if (timeout.data)
		plan_duration(timeout, &h->timeout_us);
	if (!h->name.data || !h->claim.data)
		script_complain(c->script, source_name(c->source, c->line, "scenario"),
				"scenario needs a name and a claim");
	if (lua_getfield(c->lua, 1, "matrix") == LUA_TTABLE)
		read_matrix(c);
	lua_pop(c->lua, 1);
}

static int word_scenario(lua_State *lua)
{
	struct call_site c = call_site(lua, "scenario");

	if (c.script->has_scenario) {
		script_complain(c.script, source_name(c.source, c.line, "scenario"),
				"there is one scenario {...} in a file");
		script_stop(lua);
	}
	call_table(&c, 1, true, scenario_keys);
	c.script->has_scenario = true;
	if (!c.script->header)
		return 0;
	read_header(&c);
	return script_stop(lua); /* the first phase wants no more */
}

/* ---- clients ---- */

static const char *const speaks_names[] = {"verifiable-producer", "verifiable-consumer",
					   "transactional", "none"};
static const char *const speaks_roles[] = {"producer", "consumer", "transactional", "none"};

const char *speaks_name(enum speaks s)
{
	return speaks_names[s];
}

const char *speaks_role(enum speaks s)
{
	return speaks_roles[s];
}

static bool find_speaks(struct str text, enum speaks *ret_speaks)
{
	for (int i = 0; i < 4; i++)
		if (str_is(text, speaks_names[i])) {
			*ret_speaks = (enum speaks)i;
			return true;
		}
	return false;
}

static const char *nearest_speaks(struct str text)
{
	for (int i = 0; i < 4; i++)
		if (str_distance(text, str_of(speaks_names[i])) < 5 ||
		    str_is(text, speaks_roles[i]))
			return speaks_names[i];
	return speaks_names[0];
}

static int by_key(const void *a, const void *b)
{
	const struct plan_setting *x = a, *y = b;

	return strcmp(x->key.data, y->key.data);
}

/* Reads one pair: the key below the top, the value at the top. A false flag of the command line is
 * left out. */
static bool read_setting(const struct call_site *c, struct plan_setting *s, bool flags)
{
	struct arena *arena = &c->script->plan->arena;

	s->key = call_keep(arena, c->lua, -2);
	if (flags && lua_isboolean(c->lua, -1)) {
		s->flag = true;
		return lua_toboolean(c->lua, -1);
	}
	luaL_tolstring(c->lua, -1, NULL);
	s->value = call_keep(arena, c->lua, -1);
	lua_pop(c->lua, 1);
	return true;
}

/* The table of settings under a key of the client's table (stack 2), in the order of their names.
 */
static int32_t read_settings(const struct call_site *c, const char *name, bool flags,
			     struct plan_setting **ret_list)
{
	static const struct key any = {.name = "", .kind = KEY_SETTING};
	lua_State *lua = c->lua;
	int32_t n = 0;

	if (lua_getfield(lua, 2, name) != LUA_TTABLE) {
		lua_pop(lua, 1);
		return 0;
	}
	*ret_list = arena_zalloc(&c->script->plan->arena, PLAN_ITEMS_MAX * sizeof(**ret_list));
	lua_pushnil(lua);
	while (lua_next(lua, -2)) {
		bool named = lua_type(lua, -2) == LUA_TSTRING;
		const char *wrong = named ? call_wrong_kind(lua, &any) : "named";

		if (wrong)
			script_complain(c->script,
					call_key_place(c, 2, name,
						       named ? lua_tostring(lua, -2) : "", true),
					"%s: %s is %s", name,
					named ? lua_tostring(lua, -2) : "every setting", wrong);
		else if (n < PLAN_ITEMS_MAX && *ret_list)
			n += read_setting(c, &(*ret_list)[n], flags);
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
	if (n > 1)
		qsort(*ret_list, (size_t)n, sizeof(**ret_list), by_key);
	return n;
}

static struct str setting(const struct plan_setting *list, int32_t count, const char *key)
{
	for (int32_t i = 0; i < count; i++)
		if (str_is(list[i].key, key))
			return list[i].value;
	return (struct str){0};
}

static void read_client(const struct call_site *c, struct plan_client *k)
{
	struct str speaks = call_text(c, &c->script->plan->arena, 2, "speaks");

	if (!find_speaks(speaks, &k->speaks)) {
		script_complain(c->script, call_key_place(c, 2, NULL, "speaks", true),
				"a client speaks verifiable-producer, "
				"verifiable-consumer, transactional or none; did you mean '%s'?",
				nearest_speaks(speaks));
		script_stop(c->lua);
	}
	if (lua_getfield(c->lua, 2, "args") == LUA_TTABLE)
		call_judge_table(c, lua_gettop(c->lua), 2, "args", words_args(k->speaks));
	lua_pop(c->lua, 1);
	k->args_count = read_settings(c, "args", true, &k->args);
	k->config_count = read_settings(c, "config", false, &k->config);
	k->environment_count = read_settings(c, "environment", false, &k->environment);
	k->topic = setting(k->args, k->args_count, "topic");
	k->group = setting(k->args, k->args_count, "group_id");
	k->prefix = setting(k->args, k->args_count, "value_prefix");
	if (k->speaks != SPEAKS_NONE && !k->topic.data)
		script_complain(c->script, call_place(c, 1),
				"a client needs args = { topic = ... }");
	if (k->speaks == SPEAKS_CONSUMER && !k->group.data)
		script_complain(c->script, call_place(c, 1),
				"a consumer needs args = { group_id = ... }");
}

static int word_client(lua_State *lua)
{
	struct call_site c = case_site(lua, "client");
	struct case_plan *p = c.script->plan;
	struct str name = call_name(&c, 1, "the name of a client");
	struct plan_client *k;

	call_table(&c, 2, true, client_keys);
	for (int32_t i = 0; i < p->clients_count; i++)
		if (str_eq(p->clients[i].name, name))
			script_complain(c.script, call_place(&c, 1),
					"there is a client '" STR_FMT "' already", STR_ARG(name));
	k = call_add(&c, &p->clients, &p->clients_count, sizeof(*k));
	k->name = name;
	k->at = call_place(&c, 1);
	read_client(&c, k);
	script_push(lua, OBJECT_CLIENT, p->clients_count - 1);
	return 1;
}

/* ---- rules ---- */

/* Where in the file an offset into a text literal is; the start of the literal if it has escapes.
 */
static struct place inside_text(const struct call_site *c, int index, size_t offset)
{
	struct place at = call_place(c, index);
	const char *line = c->source->text;
	size_t len;
	const char *text = lua_tolstring(c->lua, index, &len);

	for (int i = 1; line && i < at.line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line || !at.column || offset == ERROR_NO_OFFSET || offset > len ||
	    strlen(line) < (size_t)at.column)
		return at;
	line += at.column - 1;
	if ((*line == '"' || *line == '\'') && !strncmp(line + 1, text, len))
		at.column += 1 + (int)offset;
	return at;
}

static int word_rule(lua_State *lua)
{
	struct call_site c = case_site(lua, "rule");
	struct case_plan *p = c.script->plan;
	struct str name = call_name(&c, 1, "the name of a rule"), text;
	struct error e = ERROR_INIT;
	struct plan_rule *r;

	if (lua_type(lua, 2) != LUA_TSTRING) {
		script_complain(c.script, call_place(&c, 2),
				"rule takes the rule's text here, not %s", luaL_typename(lua, 2));
		script_stop(lua);
	}
	text = call_keep(&p->arena, lua, 2);
	call_table(&c, 3, false, rule_keys);
	for (int32_t i = 0; i < p->rules_count; i++)
		if (str_eq(p->rules[i].name, name))
			script_complain(c.script, call_place(&c, 1),
					"there is a rule '" STR_FMT "' already", STR_ARG(name));
	if (rules_check(text, &e) < 0)
		script_complain(c.script, inside_text(&c, 2, e.offset), "%s", e.text);
	r = call_add(&c, &p->rules, &p->rules_count, sizeof(*r));
	r->name = name;
	r->text = text;
	r->optional = call_flag(&c, 3, "optional");
	r->at = call_place(&c, 2);
	script_push(lua, OBJECT_RULE, p->rules_count - 1);
	return 1;
}

/* ---- checks ---- */

static bool take_argument(const struct call_site *c, int index, enum check_arg want,
			  struct check_scope *scope)
{
	const struct object *o = script_object(c->lua, index);
	const struct case_plan *p = c->script->plan;

	switch (want) {
	case ARG_CLIENT:
		if (!o || o->kind != OBJECT_CLIENT)
			return false;
		scope->client = p->clients[o->index].name;
		return true;
	case ARG_TOPIC:
		if (!o || o->kind != OBJECT_TOPIC)
			return false;
		scope->topic = p->topics[o->index].name;
		return true;
	case ARG_GROUP:
		if (lua_type(c->lua, index) == LUA_TSTRING)
			scope->group = call_keep(&c->script->plan->arena, c->lua, index);
		else if (o && o->kind == OBJECT_CLIENT)
			scope->group = p->clients[o->index].group;
		return scope->group.data != NULL;
	case ARG_NUMBER:
		if (!lua_isinteger(c->lua, index))
			return false;
		scope->number = lua_tointeger(c->lua, index);
		return scope->number >= 0;
	case ARG_NONE:
		break;
	}
	return false;
}

/* Arguments come in the check's order; any may be left out. */
static void read_scope(const struct call_site *c, const struct check_type *type,
		       struct check_scope *scope)
{
	static const char *const wants[] = {"nothing", "a client", "a topic", "a group",
					    "a number"};
	int slot = 0;

	for (int i = 1; i <= lua_gettop(c->lua); i++) {
		while (slot < CHECK_ARGS_MAX && type->args[slot] &&
		       !take_argument(c, i, type->args[slot], scope))
			slot++;
		if (slot == CHECK_ARGS_MAX || !type->args[slot]) {
			script_complain(c->script, call_place(c, i),
					"%s takes %s%s%s%s%s here, not %s", type->name,
					wants[type->args[0]], type->args[1] ? ", " : "",
					type->args[1] ? wants[type->args[1]] : "",
					type->args[2] ? ", " : "",
					type->args[2] ? wants[type->args[2]] : "",
					script_object(c->lua, i)
						? object_kind_name(script_object(c->lua, i)->kind)
						: luaL_typename(c->lua, i));
			return; /* the rest of the file is read all the same */
		}
		slot++;
	}
}

static int word_check(lua_State *lua)
{
	const struct check_type *type = lua_touserdata(lua, lua_upvalueindex(1));
	const char *dot = strrchr(type->name, '.');
	struct call_site c = case_site(lua, dot ? dot + 1 : type->name);
	struct plan_check k = {.severity = SEVERITY_NONE, .type = type, .scope = {.number = -1}};
	struct case_plan *p = c.script->plan;

	read_scope(&c, type, &k.scope);
	k.at = source_name(c.source, c.line, c.word);
	*(struct plan_check *)call_add(&c, &p->checks, &p->checks_count, sizeof(k)) = k;
	script_push(lua, OBJECT_CHECK, p->checks_count - 1);
	return 1;
}

static int word_severity(lua_State *lua)
{
	enum severity severity = (enum severity)lua_tointeger(lua, lua_upvalueindex(1));
	static const char *const names[] = {"must", "should", "info"};
	struct call_site c = case_site(lua, names[severity]);
	struct object *o = script_object(lua, 1);

	if (!o || o->kind != OBJECT_CHECK || lua_gettop(lua) > 2) {
		script_complain(c.script, call_place(&c, 1),
				"%s takes one check, such as delivery.no_loss(p, t)", c.word);
		return 0;
	}
	call_table(&c, 2, false, severity_keys);
	c.script->plan->checks[o->index].severity = severity;
	c.script->plan->checks[o->index].optional = call_flag(&c, 2, "optional");
	return 0;
}

const char *severity_name(enum severity s)
{
	static const char *const names[] = {"MUST", "SHOULD", "INFO", "-"};

	return names[s];
}

/* The length of the area in "delivery.no_loss"; 0 for the universal ones, which need no naming. */
static size_t area_len(const struct check_type *type)
{
	const char *dot = strchr(type->name, '.');

	return dot ? (size_t)(dot - type->name) : 0;
}

static bool is_of(const struct check_type *type, const char *area, size_t len)
{
	return area_len(type) == len && !memcmp(type->name, area, len);
}

/* The global `delivery` with no_loss and all the others; pushes it. */
static void add_area(lua_State *lua, const char *area, size_t len)
{
	size_t n;
	const struct check_type *const *types = check_types(&n);
	const char *name = lua_pushlstring(lua, area, len);

	lua_newtable(lua);
	for (size_t i = 0; i < n; i++) {
		if (!is_of(types[i], area, len))
			continue;
		lua_pushlightuserdata(lua, (void *)(uintptr_t)types[i]);
		lua_pushcclosure(lua, word_check, 1);
		lua_setfield(lua, -2, types[i]->name + len + 1);
	}
	script_strict(lua, name);
	lua_pushglobaltable(lua);
	lua_pushvalue(lua, -3);
	lua_pushvalue(lua, -3);
	lua_rawset(lua, -3); /* past what keeps the globals strict */
	lua_pop(lua, 1);
	lua_remove(lua, -2);
}

bool script_add_checks(lua_State *lua, const char *area)
{
	size_t n;
	const struct check_type *const *types = check_types(&n);

	for (size_t i = 0; i < n; i++) {
		size_t len = area_len(types[i]);

		if (!len || (area && (strlen(area) != len || memcmp(types[i]->name, area, len))))
			continue;
		add_area(lua, types[i]->name, len);
		if (area)
			return true;
		lua_pop(lua, 1);
	}
	return false;
}

/* ---- case ---- */

static void add_case(struct script *s)
{
	const struct scenario *h = s->plan->scenario;
	lua_State *lua = s->lua;

	lua_newtable(lua);
	for (int32_t i = 0; i < h->axes_count; i++) {
		const struct matrix_value *v = scenario_case_value(h, s->plan->case_index, i);

		if (v->kind == MATRIX_BOOL)
			lua_pushboolean(lua, v->flag);
		else if (v->kind == MATRIX_NUMBER)
			lua_pushinteger(lua, v->number);
		else
			lua_pushlstring(lua, v->text.data, (size_t)v->text.len);
		lua_setfield(lua, -2, h->axes[i].key.data);
	}
	script_strict(lua, "case");
	lua_setglobal(lua, "case");
}

void script_add_words(struct script *s)
{
	static const luaL_Reg functions[] = {{"scenario", word_scenario},
					     {"client", word_client},
					     {"rule", word_rule},
					     {NULL, NULL}};
	static const char *const severities[] = {"must", "should", "info"};
	lua_State *lua = s->lua;

	lua_pushglobaltable(lua);
	luaL_setfuncs(lua, functions, 0);
	lua_pop(lua, 1);
	for (int i = 0; i < 3; i++) {
		lua_pushinteger(lua, i);
		lua_pushcclosure(lua, word_severity, 1);
		lua_setglobal(lua, severities[i]);
	}
	cluster_words_add(lua);
	lua_pushboolean(lua, s->plan && s->plan->scenario->under);
	lua_setglobal(lua, "under");
	if (s->plan)
		add_case(s);
}
