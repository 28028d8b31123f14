/* A scenario's text, cut into tokens, so that a complaint can point at the very key or value that
 * it is about: Lua itself knows no more than the line of a call. */
#ifndef HARNESS_SOURCE_H
#define HARNESS_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define SOURCE_SIZE_MAX ((size_t)1 << 20)

/* Counted from 1; column 0: the whole line. Columns count bytes, tabs as one. */
struct source;
struct place {
	int line, column;
	const struct source *source; /* NULL: of the scenario itself */
};

struct token;

struct source {
	char *path; /* as it shall be shown */
	char *text; /* NUL-terminated */
	size_t size;
	struct token *tokens;
	size_t tokens_count;
	struct buf code; /* as Lua has compiled it: script.c's; empty until it has run */
};

/* Texts that several scenarios use: each is read once, when it is first asked for, so that one run
 * judges one state of them. */
struct sources {
	struct source **list;
	size_t count;
};

/* The text of a file, shown by its path. NULL with *e as source_read says; it is not kept then. */
struct source *sources_of(struct sources *all, const char *path, struct error *e);
void sources_release(struct sources *all);

/* Reads a file; shown is the name for messages. 0, ERR_OS, or ERR_LIMIT for a file past
 * SOURCE_SIZE_MAX. */
int source_read(struct source *s, const char *path, const char *shown, struct error *e);
/* The same from memory: the text is copied. */
void source_text(struct source *s, const char *shown, const char *text);
void source_release(struct source *s);

/* One step into the arguments of a call: the n-th argument or list element (from 1; key NULL), or a
 * key of a table. */
struct step {
	const char *key;
	int index;
};

/*
 * Finds, in a call of `name` whose text has that line, the argument that the steps lead to: the
 * place of its key (of its value for a step by index), or with `value` always of its value. False
 * if the text does not show it (the table was made elsewhere); *ret_place is then the line alone.
 */
bool source_find(const struct source *s, int line, const char *name, const struct step *steps,
		 int steps_count, bool value, struct place *ret_place);

/* The place of a name on that line, or the line alone. */
struct place source_name(const struct source *s, int line, const char *name);

/* The place on that line that a message is about: the last name which it quotes and which stands
 * there, else the line's first token. */
struct place source_point(const struct source *s, int line, const char *message);

/* Walks over the literal texts that calls of `name` have as their first argument: start with *at =
 * 0; true and the place of the next one and its text without quotes (a view), or false at the end.
 * Texts with escapes are passed over. */
bool source_calls(const struct source *s, size_t *at, const char *name, struct place *ret_place,
		  struct str *ret_text);

/* The first line that starts with "(" and so continues the expression above as a call; line 0 if
 * there is none. */
struct place source_surprise(const struct source *s);

/* Adds "path:line:column: text" with the line itself and a caret below it. */
void source_complain(const struct source *s, struct place at, const char *text, struct buf *out);

#endif
