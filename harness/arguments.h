/* The arguments of a word of the scenario language, read and complained about at their own place.
 * Private to the words. */
#ifndef HARNESS_ARGUMENTS_H
#define HARNESS_ARGUMENTS_H

#include "harness/script.h"
#include "harness/words.h"

/* A call of a word: where complaints about its arguments belong. */
struct call_site {
	struct script *script;
	struct lua_State *lua;
	const struct source *source; /* the text that calls */
	const char *word;
	int line;
	int element; /* of a list that is a key's value: the one that is being read, from 1; 0 none
		      */
};

struct call_site call_site(struct lua_State *lua, const char *word);
/* The same for words that belong behind scenario{}; ends the run if it has not come. */
struct call_site case_site(struct lua_State *lua, const char *word);

/* The place of the n-th argument. */
struct place call_place(const struct call_site *c, int index);
/* The place of a key (or its value) of the table that is argument `index`; outer: a key on the way,
 * or NULL. */
struct place call_key_place(const struct call_site *c, int index, const char *outer,
			    const char *key, bool value);

/* What the value at the top should be, or NULL if it is. */
const char *call_wrong_kind(struct lua_State *lua, const struct key *k);
/* Checks the table at a stack index against its keys. Complains; the caller then reads what it
 * understands. */
void call_judge_table(const struct call_site *c, int stack, int index, const char *outer,
		      const struct key *keys);
/* Argument `index` must be a table, checked against keys. Absent and not needed: an empty one is
 * put there. */
void call_table(const struct call_site *c, int index, bool needed, const struct key *keys);
/* Argument `index` must be a text that is not empty; what: "the name of a group". */
struct str call_filled(const struct call_site *c, int index, const char *what);
/* Argument `index` must be a name that can stand in a path, too. */
struct str call_name(const struct call_site *c, int index, const char *what);

/* A copy of the text at a stack index; null if it is none. */
struct str call_keep(struct arena *arena, struct lua_State *lua, int index);
/* Fields of the table at a stack index; what is absent is null, `otherwise`, false. */
struct str call_text(const struct call_site *c, struct arena *arena, int stack, const char *key);
int64_t call_number(const struct call_site *c, int stack, const char *key, int64_t otherwise);
bool call_flag(const struct call_site *c, int stack, const char *key);

/* The API whose name is nearest to a mistyped one, or NULL. */
const char *call_nearest_api(const char *name);

/* Room for one more element of a list of the plan. */
void *call_add(const struct call_site *c, void *list, int32_t *count, size_t size);

#endif
