/* Bounded library functions and the limit of processor time. A bounded function estimates the worst
 * case, charges the script for it, and runs Lua's own function in its place, so that complaints of
 * that function still name the caller's line. The timer's signal only sets a hook, as lua.c does;
 * the hook complains at the next instruction. */
#include "harness/bounds.h"

#include "harness/script.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <signal.h>
#include <sys/time.h>

#define STEPS_PER_INSTRUCTION 16 /* of a pattern's matcher, in the time of a Lua instruction */
#define BYTES_PER_INSTRUCTION 64 /* that are copied in that time */

/* What a pattern can cost at worst. */
struct pattern_cost {
	int repeats;	/* parts that may match any length: *, +, -, %b, a capture again */
	double choices; /* 2 for each ? */
	bool anchored;
};

/* The index behind the set that starts at `at`. */
static size_t skip_set(const char *p, size_t len, size_t at)
{
	at += at + 1 < len && p[at + 1] == '^' ? 2 : 1;
	for (size_t first = at; at < len && (p[at] != ']' || at == first); at++)
		at += p[at] == '%';
	return at + 1;
}

static struct pattern_cost pattern_cost(const char *p, size_t len)
{
	struct pattern_cost c = {.choices = 1, .anchored = len && p[0] == '^'};

	for (size_t at = 0; at < len; at++) {
		char escaped = p[at] == '%' && at + 1 < len ? p[at + 1] : '\0';

		c.repeats += (p[at] && strchr("*+-", p[at])) || escaped == 'b' ||
			     (escaped >= '1' && escaped <= '9');
		c.choices *= p[at] == '?' ? 2 : 1;
		if (p[at] == '[')
			at = skip_set(p, len, at) - 1;
		else if (p[at] == '%')
			at += escaped == 'b' ? 3 : 1;
	}
	return c;
}

/* Runs the function that a bounded form stands for: upvalue 1. */
static int original(lua_State *lua)
{
	return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

static void charge(lua_State *lua, double steps)
{
	script_charge(lua, steps < 1e18 ? (uint64_t)steps : UINT64_MAX / 2);
}

/* find, match, gmatch and gsub: subject, pattern, ... */
static int bounded_match(lua_State *lua)
{
	size_t size, len;
	const char *pattern;
	struct pattern_cost c;

	luaL_checklstring(lua, 1, &size);
	pattern = luaL_checklstring(lua, 2, &len);
	c = pattern_cost(pattern, len);
	if (lua_toboolean(lua, 4) && lua_toboolean(lua, lua_upvalueindex(2)))
		c = (struct pattern_cost){.repeats = 0, .choices = (double)len + 1}; /* plain */
	charge(lua,
	       c.choices * pow((double)size + 1, c.repeats + !c.anchored) / STEPS_PER_INSTRUCTION);
	return original(lua);
}

static int bounded_rep(lua_State *lua)
{
	size_t size, between = 0;
	lua_Integer n;

	luaL_checklstring(lua, 1, &size);
	n = luaL_checkinteger(lua, 2);
	luaL_optlstring(lua, 3, "", &between);
	if (n > 0)
		charge(lua, (double)n * (1 + (double)(size + between) / BYTES_PER_INSTRUCTION));
	return original(lua);
}

static int bounded_move(lua_State *lua)
{
	lua_Integer from = luaL_checkinteger(lua, 2), to = luaL_checkinteger(lua, 3);

	if (to >= from)
		charge(lua, (double)to - (double)from + 1);
	return original(lua);
}

static const struct {
	const char *library, *name;
	lua_CFunction bounded;
	bool plain; /* argument 4 may ask for no pattern at all */
} functions[] = {
	{LUA_STRLIBNAME, "find", bounded_match, true},
	{LUA_STRLIBNAME, "match", bounded_match, false},
	{LUA_STRLIBNAME, "gmatch", bounded_match, false},
	{LUA_STRLIBNAME, "gsub", bounded_match, false},
	{LUA_STRLIBNAME, "rep", bounded_rep, false},
	{LUA_TABLIBNAME, "move", bounded_move, false},
};

void bounds_add(lua_State *lua)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_getglobal(lua, functions[i].library);
		lua_getfield(lua, -1, functions[i].name);
		lua_pushboolean(lua, functions[i].plain);
		lua_pushcclosure(lua, functions[i].bounded, 2);
		lua_setfield(lua, -2, functions[i].name);
		lua_pop(lua, 1);
	}
}

/* ---- processor time ---- */

static lua_State *volatile at_work;

static void on_late(lua_State *lua, lua_Debug *ar)
{
	lua_getinfo(lua, "l", ar);
	script_complain(script_of(lua), script_line_place(lua, ar->currentline),
			"this takes too long: more than %d s", BOUNDS_WORK_S);
	script_stop(lua);
}

static void on_timer(int number)
{
	lua_State *lua = at_work;

	(void)number;
	if (lua)
		lua_sethook(lua, on_late, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void set_timer(int seconds)
{
	struct itimerval t = {.it_value = {.tv_sec = seconds}};

	setitimer(ITIMER_VIRTUAL, &t, NULL);
}

void bounds_begin(lua_State *running)
{
	struct sigaction act = {.sa_handler = on_timer, .sa_flags = SA_RESTART};

	at_work = running;
	script_of(running)->running = running;
	sigaction(SIGVTALRM, &act, NULL);
	set_timer(BOUNDS_WORK_S);
}

void bounds_end(void)
{
	set_timer(0);
	if (at_work)
		script_of(at_work)->running = NULL;
	at_work = NULL;
}
