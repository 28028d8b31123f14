/* The timeline's words and its coroutine. A wait is a yield: the words await() and sleep() leave
 * what they wait for in the script and yield; timeline_poll asks the stage and resumes. No time
 * passes inside. */
#include "harness/timeline.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>

#define AWAIT_DEFAULT_US (30 * (int64_t)1000000)

static const char timeline_key[] = "ktrial.timeline";

struct timeline {
	struct case_plan *plan;
	struct stage *stage;
	struct script *script;
	lua_State *thread; /* NULL: the plan has no timeline of its own */
	enum timeline_state state;
	bool begun;
	int64_t since_us; /* mono: when the present wait began */
	char why[1000], waiting[300];
};

/* ---- words ---- */

static struct stage *stage_of(lua_State *lua, const char *word)
{
	struct script *s = script_of(lua);

	if (!s->stage) {
		script_complain(s, source_name(s->source, script_line(lua), word),
				"%s belongs into timeline(function() ... end)", word);
		script_stop(lua);
	}
	return s->stage;
}

static struct object *self_of(lua_State *lua, enum object_kind kind, const char *word)
{
	struct object *o = script_object(lua, 1);

	if (!o || o->kind != kind)
		luaL_error(lua, "write %s:%s(...), with a colon", object_kind_name(kind) + 2, word);
	return o;
}

static int word_timeline(lua_State *lua)
{
	struct script *s = script_of(lua);

	if (!lua_isfunction(lua, 1) || s->plan->has_timeline) {
		script_complain(s, source_name(s->source, script_line(lua), "timeline"),
				s->plan->has_timeline ? "there is one timeline in a scenario"
						      : "timeline takes a function");
		return script_stop(lua);
	}
	s->plan->has_timeline = true;
	lua_settop(lua, 1);
	lua_setfield(lua, LUA_REGISTRYINDEX, timeline_key);
	return 0;
}

static int word_start(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_CLIENT, "start");
	struct stage *stage = stage_of(lua, "start");
	struct error e = ERROR_INIT;

	if (stage->start(stage, o->index, &e) < 0)
		return luaL_error(lua, "%s", e.text);
	return 0;
}

static int send_signal(lua_State *lua, const char *word, int number)
{
	struct object *o = self_of(lua, OBJECT_CLIENT, word);
	struct stage *stage = stage_of(lua, word);

	stage->signal(stage, o->index, number);
	return 0;
}

static int word_stop(lua_State *lua)
{
	return send_signal(lua, "stop", SIGTERM);
}

static int word_kill(lua_State *lua)
{
	return send_signal(lua, "kill", SIGKILL);
}

static int word_pause(lua_State *lua)
{
	return send_signal(lua, "pause", SIGSTOP);
}

static int word_resume(lua_State *lua)
{
	return send_signal(lua, "resume", SIGCONT);
}

static int push_condition(lua_State *lua, struct condition c)
{
	script_push(lua, OBJECT_CONDITION, 0)->condition = c;
	return 1;
}

static int word_fired(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_RULE, "fired");

	return push_condition(lua, (struct condition){.kind = CONDITION_FIRED,
						      .index = o->index,
						      .number = luaL_optinteger(lua, 2, 1)});
}

static int word_exited(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_CLIENT, "exited");

	return push_condition(lua,
			      (struct condition){.kind = lua_isnoneornil(lua, 2) ? CONDITION_ENDED
										 : CONDITION_EXITED,
						 .index = o->index,
						 .number = luaL_optinteger(lua, 2, 0)});
}

static int word_reported(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_CLIENT, "reported");
	size_t len;
	const char *word = luaL_checklstring(lua, 2, &len);
	struct str kept = arena_str(&script_of(lua)->plan->arena, (struct str){word, (int32_t)len});

	return push_condition(lua, (struct condition){.kind = CONDITION_REPORTED,
						      .index = o->index,
						      .word = kept,
						      .number = luaL_optinteger(lua, 3, 1)});
}

static int64_t duration_argument(lua_State *lua, int index, int64_t otherwise)
{
	int64_t us = otherwise;

	if (!lua_isnoneornil(lua, index) &&
	    !plan_duration(str_of(luaL_checkstring(lua, index)), &us))
		luaL_error(lua, "'%s' is no time: write \"500ms\" or \"20s\"",
			   lua_tostring(lua, index));
	return us;
}

static int word_await(lua_State *lua)
{
	struct script *s = script_of(lua);
	struct object *o = script_object(lua, 1);

	stage_of(lua, "await");
	if (!o || o->kind != OBJECT_CONDITION)
		return luaL_error(
			lua, "await takes a condition such as rule:fired() or client:exited(0)");
	s->awaited = o->condition;
	s->awaited_us = duration_argument(lua, 2, AWAIT_DEFAULT_US);
	s->awaited_line = script_line(lua);
	return lua_yield(lua, 0);
}

static int word_sleep(lua_State *lua)
{
	struct script *s = script_of(lua);

	stage_of(lua, "sleep");
	s->awaited = (struct condition){.kind = CONDITION_TIME};
	s->awaited_us = duration_argument(lua, 1, 0);
	s->awaited_line = script_line(lua);
	return lua_yield(lua, 0);
}

static int word_mark(lua_State *lua)
{
	struct stage *stage = stage_of(lua, "mark");

	stage->mark(stage, str_of(luaL_checkstring(lua, 1)));
	return 0;
}

void script_add_timeline(struct script *s)
{
	static const luaL_Reg words[] = {{"timeline", word_timeline},
					 {"await", word_await},
					 {"sleep", word_sleep},
					 {"mark", word_mark},
					 {NULL, NULL}};
	static const luaL_Reg client[] = {{"start", word_start},       {"stop", word_stop},
					  {"kill", word_kill},	       {"pause", word_pause},
					  {"resume", word_resume},     {"exited", word_exited},
					  {"reported", word_reported}, {NULL, NULL}};
	static const luaL_Reg rule[] = {{"fired", word_fired}, {NULL, NULL}};
	lua_State *lua = s->lua;

	lua_pushglobaltable(lua);
	luaL_setfuncs(lua, words, 0);
	lua_pop(lua, 1);
	luaL_newlib(lua, client);
	lua_setfield(lua, LUA_REGISTRYINDEX, object_kind_name(OBJECT_CLIENT));
	luaL_newlib(lua, rule);
	lua_setfield(lua, LUA_REGISTRYINDEX, object_kind_name(OBJECT_RULE));
}

/* ---- the coroutine ---- */

struct timeline *timeline_new(struct case_plan *plan, struct stage *stage)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->plan = plan;
	t->stage = stage;
	t->script = plan->script;
	t->script->stage = stage;
	if (plan->has_timeline) {
		t->thread =
			lua_newthread(t->script->lua); /* stays on the main stack, and so alive */
		lua_getfield(t->thread, LUA_REGISTRYINDEX, timeline_key);
	}
	return t;
}

void timeline_free(struct timeline *t)
{
	if (!t)
		return;
	t->script->stage = NULL;
	free(t);
}

static enum timeline_state fail(struct timeline *t, const char *text)
{
	snprintf(t->why, sizeof(t->why), "%s", text);
	t->waiting[0] = '\0';
	t->state = TIMELINE_FAILED;
	return t->state;
}

/* A timeline that nobody wrote: all clients start, and the case is over when all have ended. */
static enum timeline_state poll_default(struct timeline *t)
{
	struct error e = ERROR_INIT;
	char text[300];

	for (int32_t i = 0; !t->begun && i < t->plan->clients_count; i++)
		if (t->stage->start(t->stage, i, &e) < 0)
			return fail(t, e.text);
	t->begun = true;
	for (int32_t i = 0; i < t->plan->clients_count; i++) {
		struct condition c = {.kind = CONDITION_ENDED, .index = i};

		if (t->stage->holds(t->stage, &c, text, sizeof(text)) != HOLDS) {
			snprintf(t->waiting, sizeof(t->waiting), STR_FMT ":exited()",
				 STR_ARG(t->plan->clients[i].name));
			return TIMELINE_RUNNING;
		}
	}
	return t->state = TIMELINE_DONE;
}

static void describe(struct timeline *t)
{
	const struct condition *c = &t->script->awaited;
	const struct case_plan *p = t->plan;
	char *to = t->waiting;
	size_t size = sizeof(t->waiting);

	switch (c->kind) {
	case CONDITION_FIRED:
		snprintf(to, size, STR_FMT ":fired(%lld)", STR_ARG(p->rules[c->index].name),
			 (long long)c->number);
		break;
	case CONDITION_EXITED:
		snprintf(to, size, STR_FMT ":exited(%lld)", STR_ARG(p->clients[c->index].name),
			 (long long)c->number);
		break;
	case CONDITION_ENDED:
		snprintf(to, size, STR_FMT ":exited()", STR_ARG(p->clients[c->index].name));
		break;
	case CONDITION_REPORTED:
		snprintf(to, size, STR_FMT ":reported(\"" STR_FMT "\", %lld)",
			 STR_ARG(p->clients[c->index].name), STR_ARG(c->word),
			 (long long)c->number);
		break;
	case CONDITION_TIME:
		snprintf(to, size, "sleep");
		break;
	}
}

static enum timeline_state fail_wait(struct timeline *t, const char *what)
{
	char text[900];

	snprintf(text, sizeof(text), "%s:%d: await(%s): %s", t->script->source->path,
		 t->script->awaited_line, t->waiting, what);
	return fail(t, text);
}

/* Whether the present wait is over; it may have failed instead. */
static bool wait_over(struct timeline *t, struct instant now)
{
	const struct condition *c = &t->script->awaited;
	bool late = now.mono_us - t->since_us >= t->script->awaited_us;
	char text[500] = "";
	enum holds holds;

	if (c->kind == CONDITION_TIME)
		return late;
	holds = t->stage->holds(t->stage, c, text, sizeof(text));
	if (holds == HOLDS)
		return true;
	if (holds == HOLDS_NEVER) {
		fail_wait(t, text);
	} else if (late) {
		snprintf(text, sizeof(text), "did not come within %.1f s",
			 (double)t->script->awaited_us / 1e6);
		fail_wait(t, text);
	}
	return false;
}

static enum timeline_state resume(struct timeline *t)
{
	int results, status;
	char message[1000];

	t->script->steps = 0;
	t->waiting[0] = '\0';
	status = lua_resume(t->thread, NULL, 0, &results);
	if (status == LUA_OK)
		return t->state = TIMELINE_DONE;
	if (status != LUA_YIELD) {
		script_error_text(t->script, t->thread, message, sizeof(message));
		return fail(t, message);
	}
	lua_pop(t->thread, results);
	describe(t);
	return TIMELINE_RUNNING;
}

enum timeline_state timeline_poll(struct timeline *t, struct instant now)
{
	if (t->state != TIMELINE_RUNNING)
		return t->state;
	if (!t->thread)
		return poll_default(t);
	while (t->state == TIMELINE_RUNNING) {
		if (t->begun && !wait_over(t, now))
			return t->state;
		t->begun = true;
		t->since_us = now.mono_us;
		resume(t);
	}
	return t->state;
}

int64_t timeline_deadline(const struct timeline *t)
{
	if (t->state != TIMELINE_RUNNING || !t->thread || !t->begun)
		return INSTANT_NEVER;
	return t->since_us + t->script->awaited_us;
}

const char *timeline_why(const struct timeline *t)
{
	return t->why;
}

const char *timeline_waiting(const struct timeline *t)
{
	return t->waiting;
}
