/* The timeline's words and its coroutine. A wait is a yield: the words await() and sleep() leave
 * what they wait for in the script and yield; timeline_poll asks the stage and resumes. No time
 * passes inside. */
#include "harness/timeline.h"

#include "harness/arguments.h"
#include "harness/bounds.h"
#include "protocol/schema.h"

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
	char why[1000], waiting[300], mistake[2000];
};

/* ---- words ---- */

static struct stage *stage_of(lua_State *lua, const char *word)
{
	struct script *s = script_of(lua);

	if (!s->stage) {
		script_complain(s, script_place(lua, word),
				"%s belongs into timeline(function() ... end)", word);
		script_stop(lua);
	}
	return s->stage;
}

/* A mistake in a call of a word: index is that of the argument as it is written, 0 the call as a
 * whole. Does not return. */
__attribute__((format(printf, 4, 5))) static int mistake(lua_State *lua, const char *word,
							 int index, const char *fmt, ...)
{
	struct call_site c = call_site(lua, word);
	char text[500];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	script_complain(c.script, index ? call_place(&c, index) : script_place(lua, word), "%s",
			text);
	return script_stop(lua);
}

static struct object *self_of(lua_State *lua, enum object_kind kind, const char *word)
{
	struct object *o = script_object(lua, 1);

	if (!o || o->kind != kind)
		mistake(lua, word, 0, "write %s:%s(...), with a colon", object_kind_name(kind) + 2,
			word);
	return o;
}

static int word_timeline(lua_State *lua)
{
	struct script *s = script_of(lua);

	if (!lua_isfunction(lua, 1) || s->plan->has_timeline) {
		script_complain(s, script_place(lua, "timeline"),
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
		return mistake(lua, "start", 0, "%s", e.text);
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

/* "hold NAME" in a rule's text. */
static struct str hold_of(lua_State *lua, const struct object *o, const char *word)
{
	struct str text = script_of(lua)->plan->rules[o->index].text;
	const char *at = memmem(text.data, (size_t)text.len, "-> hold ", 8), *end;

	if (!at)
		mistake(lua, word, 0, "rule:%s is for rules that hold", word);
	at += 8;
	end = memchr(at, ' ', (size_t)(text.data + text.len - at));
	return (struct str){at, (int32_t)((end ? end : text.data + text.len) - at)};
}

static int word_held(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_RULE, "held");

	return push_condition(lua, (struct condition){.kind = CONDITION_HELD,
						      .index = o->index,
						      .word = hold_of(lua, o, "held"),
						      .number = luaL_optinteger(lua, 2, 1)});
}

static int word_release(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_RULE, "release");
	struct stage *stage = stage_of(lua, "release");

	lua_pushinteger(lua, stage->release(stage, hold_of(lua, o, "release")));
	return 1;
}

static int word_sent(lua_State *lua)
{
	struct object *o = self_of(lua, OBJECT_CLIENT, "sent");
	const char *api = luaL_checkstring(lua, 2);
	int key = api_find(str_of(api));
	const char *nearest = key < 0 ? call_nearest_api(api) : NULL;

	if (key < 0)
		return mistake(lua, "sent", 1, "there is no API '%s'%s%s%s", api,
			       nearest ? "; did you mean '" : "", nearest ? nearest : "",
			       nearest ? "'?" : "");
	return push_condition(lua, (struct condition){.kind = CONDITION_SENT,
						      .index = o->index,
						      .api_key = key,
						      .number = luaL_optinteger(lua, 3, 1)});
}

static int push_records(lua_State *lua, enum condition_kind kind, const char *word)
{
	struct object *o = self_of(lua, OBJECT_TOPIC, word);

	return push_condition(lua, (struct condition){.kind = kind,
						      .index = o->index,
						      .number = luaL_checkinteger(lua, 2)});
}

static int word_has(lua_State *lua)
{
	return push_records(lua, CONDITION_RECORDS, "has");
}

static int word_read(lua_State *lua)
{
	return push_records(lua, CONDITION_READ, "read");
}

static struct str keep_text(lua_State *lua, int index)
{
	size_t len;
	const char *text = luaL_checklstring(lua, index, &len);

	return arena_str(&script_of(lua)->plan->arena, (struct str){text, (int32_t)len});
}

static int word_members(lua_State *lua)
{
	return push_condition(lua, (struct condition){.kind = CONDITION_MEMBERS,
						      .word = keep_text(lua, 1),
						      .number = luaL_checkinteger(lua, 2)});
}

static int push_parts(lua_State *lua, enum condition_kind kind, const char *word)
{
	struct condition c = {.kind = kind, .parts_count = lua_gettop(lua)}, *parts;

	parts = arena_zalloc(&script_of(lua)->plan->arena, CONDITION_PARTS_MAX * sizeof(*parts));
	if (!c.parts_count || c.parts_count > CONDITION_PARTS_MAX || !parts)
		return mistake(lua, word, 0, "%s takes 1 to %d conditions", word,
			       CONDITION_PARTS_MAX);
	for (int i = 0; i < c.parts_count; i++) {
		struct object *o = script_object(lua, i + 1);

		if (!o || o->kind != OBJECT_CONDITION)
			return mistake(lua, word, i + 1, "%s takes conditions such as rule:fired()",
				       word);
		parts[i] = o->condition;
	}
	c.parts = parts;
	return push_condition(lua, c);
}

static int word_any(lua_State *lua)
{
	return push_parts(lua, CONDITION_ANY, "any");
}

static int word_all(lua_State *lua)
{
	return push_parts(lua, CONDITION_ALL, "all");
}

static int64_t duration_argument(lua_State *lua, const char *word, int index, int64_t otherwise)
{
	int64_t us = otherwise;

	if (!lua_isnoneornil(lua, index) &&
	    !plan_duration(str_of(luaL_checkstring(lua, index)), &us))
		mistake(lua, word, index, "'%s' is no time: write \"500ms\" or \"20s\"",
			lua_tostring(lua, index));
	return us;
}

static int word_await(lua_State *lua)
{
	struct script *s = script_of(lua);
	struct object *o = script_object(lua, 1);

	stage_of(lua, "await");
	if (!o || o->kind != OBJECT_CONDITION)
		return mistake(lua, "await", 1,
			       "await takes a condition such as rule:fired() or client:exited(0)");
	s->awaited = o->condition;
	s->awaited_us = duration_argument(lua, "await", 2, AWAIT_DEFAULT_US);
	s->awaited_line = script_line(lua);
	s->awaited_source = script_source(lua);
	return lua_yield(lua, 0);
}

static int word_sleep(lua_State *lua)
{
	struct script *s = script_of(lua);

	stage_of(lua, "sleep");
	s->awaited = (struct condition){.kind = CONDITION_TIME};
	s->awaited_us = duration_argument(lua, "sleep", 1, 0);
	s->awaited_line = script_line(lua);
	s->awaited_source = script_source(lua);
	return lua_yield(lua, 0);
}

static int word_event(lua_State *lua)
{
	struct stage *stage = stage_of(lua, "event");
	const char *text = luaL_checkstring(lua, 1);
	struct error e = ERROR_INIT;

	if (stage->happen(stage, str_of(text), &e) >= 0)
		return 0;
	return mistake(lua, "event", 1, "event \"%s\": %s", text, e.text);
}

static int word_mark(lua_State *lua)
{
	struct stage *stage = stage_of(lua, "mark");

	stage->mark(stage, str_of(luaL_checkstring(lua, 1)));
	return 0;
}

/* OBJECT_CLUSTER stands for "no object": a global. */
static const struct {
	enum object_kind kind;
	const char *name;
	lua_CFunction function;
	const char *form, *what;
} timeline_table[] = {
	{OBJECT_CLUSTER, "timeline", word_timeline, "timeline(FUNCTION)",
	 "what happens, in order; without one all clients start, and the case is over when all "
	 "have ended (one that speaks none with status 0)"},
	{OBJECT_CLUSTER, "await", word_await, "await(CONDITION, TIME)",
	 "goes on when it holds; a failure if it has not come after TIME (30s), or can't come any "
	 "more"},
	{OBJECT_CLUSTER, "sleep", word_sleep, "sleep(TIME)", "goes on after that time"},
	{OBJECT_CLUSTER, "event", word_event, "event(TEXT)",
	 "lets something happen to the cluster; see Events"},
	{OBJECT_CLUSTER, "mark", word_mark, "mark(TEXT)", "a note for the evidence"},
	{OBJECT_CLIENT, "start", word_start, "client:start()",
	 "starts it, or starts it again when it has ended"},
	{OBJECT_CLIENT, "stop", word_stop, "client:stop()", "SIGTERM: it shall end cleanly"},
	{OBJECT_CLIENT, "kill", word_kill, "client:kill()", "SIGKILL"},
	{OBJECT_CLIENT, "pause", word_pause, "client:pause()", "SIGSTOP: it stands still"},
	{OBJECT_CLIENT, "resume", word_resume, "client:resume()", "SIGCONT"},
	{OBJECT_RULE, "release", word_release, "rule:release()",
	 "lets go what a hold rule holds; how many there were"},
	{OBJECT_CLIENT, "exited", word_exited, "client:exited(STATUS)",
	 "condition: it ended with that status; without one, with any"},
	{OBJECT_CLIENT, "reported", word_reported, "client:reported(NAME, N)",
	 "condition: it printed N (1) lines of that name, in all its lives"},
	{OBJECT_CLIENT, "sent", word_sent, "client:sent(API, N)",
	 "condition: N (1) of its requests of that API have ended"},
	{OBJECT_RULE, "fired", word_fired, "rule:fired(N)", "condition: it acted N (1) times"},
	{OBJECT_RULE, "held", word_held, "rule:held(N)", "condition: it holds N (1) exchanges now"},
	{OBJECT_TOPIC, "has", word_has, "topic:has(N)",
	 "condition: its logs hold N records together"},
	{OBJECT_TOPIC, "read", word_read, "topic:read(N)",
	 "condition: N of its records were given to clients, each counted once"},
	{OBJECT_CLUSTER, "members", word_members, "members(GROUP, N)",
	 "condition: the group is stable and has N members"},
	{OBJECT_CLUSTER, "any", word_any, "any(CONDITION, ...)", "condition: one of them holds"},
	{OBJECT_CLUSTER, "all", word_all, "all(CONDITION, ...)",
	 "condition: all of them hold; a barrier"},
};

#define TIMELINE_WORDS (sizeof(timeline_table) / sizeof(timeline_table[0]))

bool timeline_word(size_t i, const char **ret_form, const char **ret_what)
{
	if (i >= TIMELINE_WORDS)
		return false;
	*ret_form = timeline_table[i].form;
	*ret_what = timeline_table[i].what;
	return true;
}

void script_add_timeline(struct script *s)
{
	for (size_t i = 0; i < TIMELINE_WORDS; i++) {
		enum object_kind kind = timeline_table[i].kind;

		if (kind == OBJECT_CLUSTER)
			lua_pushglobaltable(s->lua);
		else
			luaL_getsubtable(s->lua, LUA_REGISTRYINDEX, object_kind_name(kind));
		lua_pushcfunction(s->lua, timeline_table[i].function);
		lua_setfield(s->lua, -2, timeline_table[i].name);
		lua_pop(s->lua, 1);
	}
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

static enum timeline_state fail_ended(struct timeline *t, int32_t client, const char *text)
{
	char why[600];

	snprintf(why, sizeof(why), STR_FMT ": %s", STR_ARG(t->plan->clients[client].name), text);
	return fail(t, why);
}

/* A timeline that nobody wrote: all clients start, and the case is over when all have ended. A
 * program that says nothing of its own (speaks = "none") says by its exit status whether all went
 * well. */
static enum timeline_state poll_default(struct timeline *t)
{
	struct error e = ERROR_INIT;
	char text[300];

	for (int32_t i = 0; !t->begun && i < t->plan->clients_count; i++)
		if (t->stage->start(t->stage, i, &e) < 0)
			return fail(t, e.text);
	t->begun = true;
	for (int32_t i = 0; i < t->plan->clients_count; i++) {
		bool alone = t->plan->clients[i].speaks == SPEAKS_NONE;
		struct condition c = {.kind = alone ? CONDITION_EXITED : CONDITION_ENDED,
				      .index = i};
		enum holds holds = t->stage->holds(t->stage, &c, text, sizeof(text));

		if (holds == HOLDS_NEVER)
			return fail_ended(t, i, text);
		if (holds != HOLDS) {
			snprintf(t->waiting, sizeof(t->waiting), STR_FMT ":exited()",
				 STR_ARG(t->plan->clients[i].name));
			return TIMELINE_RUNNING;
		}
	}
	return t->state = TIMELINE_DONE;
}

static void describe(const struct case_plan *p, const struct condition *c, struct buf *to)
{
	long long n = c->number;

	switch (c->kind) {
	case CONDITION_FIRED:
		buf_printf(to, STR_FMT ":fired(%lld)", STR_ARG(p->rules[c->index].name), n);
		break;
	case CONDITION_HELD:
		buf_printf(to, STR_FMT ":held(%lld)", STR_ARG(p->rules[c->index].name), n);
		break;
	case CONDITION_EXITED:
		buf_printf(to, STR_FMT ":exited(%lld)", STR_ARG(p->clients[c->index].name), n);
		break;
	case CONDITION_ENDED:
		buf_printf(to, STR_FMT ":exited()", STR_ARG(p->clients[c->index].name));
		break;
	case CONDITION_REPORTED:
		buf_printf(to, STR_FMT ":reported(\"" STR_FMT "\", %lld)",
			   STR_ARG(p->clients[c->index].name), STR_ARG(c->word), n);
		break;
	case CONDITION_SENT:
		buf_printf(to, STR_FMT ":sent(\"%s\", %lld)", STR_ARG(p->clients[c->index].name),
			   api_name(c->api_key), n);
		break;
	case CONDITION_RECORDS:
		buf_printf(to, STR_FMT ":has(%lld)", STR_ARG(p->topics[c->index].name), n);
		break;
	case CONDITION_READ:
		buf_printf(to, STR_FMT ":read(%lld)", STR_ARG(p->topics[c->index].name), n);
		break;
	case CONDITION_MEMBERS:
		buf_printf(to, "members(\"" STR_FMT "\", %lld)", STR_ARG(c->word), n);
		break;
	case CONDITION_TIME:
		buf_text(to, "sleep");
		break;
	case CONDITION_ANY:
	case CONDITION_ALL:
		buf_text(to, c->kind == CONDITION_ANY ? "any(" : "all(");
		for (int32_t i = 0; i < c->parts_count; i++) {
			buf_text(to, i ? ", " : "");
			describe(p, &c->parts[i], to);
		}
		buf_text(to, ")");
		break;
	}
}

static void note_waiting(struct timeline *t)
{
	struct buf text;

	buf_init(&text, sizeof(t->waiting) * 4);
	describe(t->plan, &t->script->awaited, &text);
	snprintf(t->waiting, sizeof(t->waiting), "%s", buf_cstr(&text));
	buf_release(&text);
}

/* ANY holds with one part, ALL with every one; each can't come any more when all, or one, can't. */
static enum holds judge(struct timeline *t, const struct condition *c, char *text, size_t size)
{
	int32_t yes = 0, never = 0;
	bool any = c->kind == CONDITION_ANY;

	if (!any && c->kind != CONDITION_ALL)
		return t->stage->holds(t->stage, c, text, size);
	for (int32_t i = 0; i < c->parts_count; i++) {
		enum holds h = judge(t, &c->parts[i], text, size);

		yes += h == HOLDS;
		never += h == HOLDS_NEVER;
	}
	if (any ? yes > 0 : yes == c->parts_count)
		return HOLDS;
	return (any ? never == c->parts_count : never > 0) ? HOLDS_NEVER : HOLDS_NOT_YET;
}

static enum timeline_state fail_wait(struct timeline *t, const char *what)
{
	char text[900];

	snprintf(text, sizeof(text), "%s:%d: await(%s): %s", t->script->awaited_source->path,
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
	holds = judge(t, c, text, sizeof(text));
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

/* It ended with an error. Of an event that the cluster refused, subjects may be the cause: all
 * others are in every way the text's own. */
static enum timeline_state fail_text(struct timeline *t)
{
	struct buf line, whole;

	buf_init(&line, sizeof(t->why) * 4);
	buf_init(&whole, sizeof(t->mistake) * 4);
	script_complain_error(t->script, t->thread);
	script_last_complaint(t->script, &line, &whole);
	fail(t, buf_cstr(&line));
	if (!t->script->refused) {
		snprintf(t->mistake, sizeof(t->mistake), "%s", buf_cstr(&whole));
		t->state = TIMELINE_WRONG;
	}
	buf_release(&line);
	buf_release(&whole);
	return t->state;
}

static enum timeline_state resume(struct timeline *t)
{
	int results, status;

	t->script->steps = 0;
	t->waiting[0] = '\0';
	bounds_begin(t->thread);
	status = lua_resume(t->thread, NULL, 0, &results);
	bounds_end();
	if (status == LUA_OK)
		return t->state = TIMELINE_DONE;
	if (status != LUA_YIELD)
		return fail_text(t);
	lua_pop(t->thread, results);
	note_waiting(t);
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

const char *timeline_mistake(const struct timeline *t)
{
	return t->state == TIMELINE_WRONG ? t->mistake : NULL;
}

const char *timeline_waiting(const struct timeline *t)
{
	return t->waiting;
}
