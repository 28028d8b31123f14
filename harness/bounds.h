/* Limits of a scenario's Lua that counting its instructions does not give: some library functions
 * can spend hours inside one call (a pattern that backtracks, string.rep of nothing, table.move of
 * 2^53 elements). Those ask first what they may cost; all else that one instruction does is bounded
 * by SCRIPT_MEMORY_MAX, and its sum by processor time. */
#ifndef HARNESS_BOUNDS_H
#define HARNESS_BOUNDS_H

struct lua_State;

#define BOUNDS_WORK_S 5 /* processor time of a load, and of a timeline between two awaits */

/* Puts bounded forms of these functions in place; the libraries are open. */
void bounds_add(struct lua_State *lua);

/* From now until bounds_end the running state may use BOUNDS_WORK_S of processor time; then it is
 * stopped with a complaint. Not nested. */
void bounds_begin(struct lua_State *running);
void bounds_end(void);

#endif
