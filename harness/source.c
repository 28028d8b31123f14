/* Tokens of a Lua text and the way from a call to one of its arguments. Knows Lua's words and
 * brackets and nothing of what a scenario means; a text that Lua itself refuses gives tokens as far
 * as they go. */
#include "harness/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum token_kind { TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL };

struct token {
	enum token_kind kind;
	uint32_t start, size; /* in the text; of a string with its quotes */
	int line, column;
	bool first; /* on its line */
};

#define TOKENS_NONE ((size_t)-1)

struct lexer {
	const char *text;
	size_t at, size;
	int line;
	size_t line_start;
};

/* The level of a long bracket at `at` ("[[" is 0, "[==[" is 2), or -1. */
static int long_level(const struct lexer *x, size_t at)
{
	size_t i = at + 1;

	while (i < x->size && x->text[i] == '=')
		i++;
	return i < x->size && x->text[i] == '[' ? (int)(i - at - 1) : -1;
}

static void step_line(struct lexer *x)
{
	if (x->text[x->at] == '\n') {
		x->line++;
		x->line_start = x->at + 1;
	}
	x->at++;
}

static void skip_long(struct lexer *x, int level)
{
	x->at += (size_t)level + 2;
	while (x->at < x->size) {
		if (x->text[x->at] == ']') {
			size_t i = x->at + 1;

			while (i < x->size && x->text[i] == '=')
				i++;
			if (i < x->size && x->text[i] == ']' && i - x->at - 1 == (size_t)level) {
				x->at = i + 1;
				return;
			}
		}
		step_line(x);
	}
}

static void skip_quoted(struct lexer *x)
{
	char quote = x->text[x->at++];

	while (x->at < x->size && x->text[x->at] != quote) {
		if (x->text[x->at] == '\\' && x->at + 1 < x->size)
			step_line(x);
		step_line(x);
	}
	if (x->at < x->size)
		x->at++;
}

static void skip_comment(struct lexer *x)
{
	int level =
		x->at + 2 < x->size && x->text[x->at + 2] == '[' ? long_level(x, x->at + 2) : -1;

	x->at += 2;
	if (level >= 0)
		skip_long(x, level);
	while (level < 0 && x->at < x->size && x->text[x->at] != '\n')
		x->at++;
}

/* Blanks and comments; true if a line end was among them. */
static bool skip_blank(struct lexer *x)
{
	int line = x->line;

	while (x->at < x->size) {
		if (x->text[x->at] == '-' && x->at + 1 < x->size && x->text[x->at + 1] == '-')
			skip_comment(x);
		else if (isspace((unsigned char)x->text[x->at]))
			step_line(x);
		else
			break;
	}
	return x->line != line;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static enum token_kind scan(struct lexer *x)
{
	char c = x->text[x->at];

	if (isdigit((unsigned char)c)) {
		while (x->at < x->size && (is_name(x->text[x->at]) || x->text[x->at] == '.'))
			x->at++;
		return TOKEN_NUMBER;
	}
	if (is_name(c)) {
		while (x->at < x->size && is_name(x->text[x->at]))
			x->at++;
		return TOKEN_NAME;
	}
	if (c == '"' || c == '\'') {
		skip_quoted(x);
		return TOKEN_STRING;
	}
	if (c == '[' && long_level(x, x->at) >= 0) {
		skip_long(x, long_level(x, x->at));
		return TOKEN_STRING;
	}
	x->at++;
	return TOKEN_SYMBOL;
}

static void tokenize(struct source *s)
{
	struct lexer x = {.text = s->text, .size = s->size, .line = 1};
	size_t cap = 0;
	bool first = true;

	for (first |= skip_blank(&x); x.at < x.size; first = skip_blank(&x)) {
		struct token *t;

		if (s->tokens_count == cap) {
			cap = cap ? cap * 2 : 256;
			s->tokens = realloc(s->tokens, cap * sizeof(*s->tokens));
			if (!s->tokens)
				abort();
		}
		t = &s->tokens[s->tokens_count++];
		*t = (struct token){.start = (uint32_t)x.at,
				    .line = x.line,
				    .column = (int)(x.at - x.line_start) + 1,
				    .first = first};
		t->kind = scan(&x);
		t->size = (uint32_t)(x.at - t->start);
	}
}

void source_text(struct source *s, const char *shown, const char *text)
{
	*s = (struct source){.path = strdup(shown), .text = strdup(text), .size = strlen(text)};
	if (!s->path || !s->text)
		abort();
	tokenize(s);
}

int source_read(struct source *s, const char *path, const char *shown, struct error *e)
{
	FILE *in = fopen(path, "rb");
	char *text;
	size_t n;

	*s = (struct source){0};
	if (!in)
		return error_set(e, ERR_OS, "can't open %s: %s", path, strerror(errno));
	text = malloc(SOURCE_SIZE_MAX + 1);
	if (!text)
		abort();
	n = fread(text, 1, SOURCE_SIZE_MAX, in);
	text[n] = '\0';
	if (ferror(in))
		error_set(e, ERR_OS, "can't read %s: %s", path, strerror(errno));
	else if (fgetc(in) != EOF)
		error_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, SOURCE_SIZE_MAX);
	else if (memchr(text, 0, n))
		error_set(e, ERR_MALFORMED, "%s has a NUL byte: it is no text", path);
	fclose(in);
	if (!e->code)
		source_text(s, shown, text);
	free(text);
	return e->code;
}

void source_release(struct source *s)
{
	free(s->path);
	free(s->text);
	free(s->tokens);
	buf_release(&s->code);
	*s = (struct source){0};
}

struct source *sources_of(struct sources *all, const char *path, struct error *e)
{
	struct source *s;

	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->list[i]->path, path))
			return all->list[i];
	s = calloc(1, sizeof(*s));
	all->list = realloc(all->list, (all->count + 1) * sizeof(struct source *));
	if (!s || !all->list)
		abort();
	if (source_read(s, path, path, e) < 0) {
		free(s);
		return NULL;
	}
	return all->list[all->count++] = s;
}

void sources_release(struct sources *all)
{
	for (size_t i = 0; i < all->count; i++) {
		source_release(all->list[i]);
		free(all->list[i]);
	}
	free(all->list);
	*all = (struct sources){0};
}

static bool token_is(const struct source *s, size_t i, const char *text)
{
	return i < s->tokens_count && s->tokens[i].size == strlen(text) &&
	       !memcmp(s->text + s->tokens[i].start, text, s->tokens[i].size);
}

/* +1 where a token opens something with commas of its own, -1 where it closes it. */
static int depth_step(const struct source *s, size_t i)
{
	static const char *const opens[] = {"(", "{", "[", "function", "do", "if", "repeat"};
	static const char *const closes[] = {")", "}", "]", "end", "until"};

	if (s->tokens[i].kind == TOKEN_STRING)
		return 0;
	for (size_t k = 0; k < sizeof(opens) / sizeof(opens[0]); k++)
		if (token_is(s, i, opens[k]))
			return 1;
	for (size_t k = 0; k < sizeof(closes) / sizeof(closes[0]); k++)
		if (token_is(s, i, closes[k]))
			return -1;
	return 0;
}

/* The first token behind the element that starts at i: a comma, a semicolon or the closing bracket.
 */
static size_t element_end(const struct source *s, size_t i)
{
	int depth = 0;

	for (; i < s->tokens_count; i++) {
		int step = depth_step(s, i);

		if (depth == 0 && (step < 0 || token_is(s, i, ",") || token_is(s, i, ";")))
			return i;
		depth += step;
	}
	return i;
}

static bool is_separator(const struct source *s, size_t i)
{
	return token_is(s, i, ",") || token_is(s, i, ";");
}

static bool key_is(const struct source *s, size_t i, const char *key)
{
	const struct token *t = &s->tokens[i];

	if (t->kind == TOKEN_NAME)
		return token_is(s, i, key);
	return t->kind == TOKEN_STRING && t->size == strlen(key) + 2 &&
	       !memcmp(s->text + t->start + 1, key, strlen(key));
}

/* An element "key = value" or "[key] = value" at i: the token of its key, and of its value; false
 * if it has no key. */
static bool keyed(const struct source *s, size_t i, size_t *ret_key, size_t *ret_value)
{
	if (i + 2 < s->tokens_count && s->tokens[i].kind == TOKEN_NAME && token_is(s, i + 1, "=") &&
	    !token_is(s, i + 2, "=")) {
		*ret_key = i;
		*ret_value = i + 2;
		return true;
	}
	if (i + 4 < s->tokens_count && token_is(s, i, "[") && token_is(s, i + 2, "]") &&
	    token_is(s, i + 3, "=")) {
		*ret_key = i + 1;
		*ret_value = i + 4;
		return true;
	}
	return false;
}

/* Walks the elements behind an opening bracket to the one that a step names. */
static bool find_element(const struct source *s, size_t i, const struct step *step, size_t *ret_key,
			 size_t *ret_value)
{
	int index = 0;

	while (i < s->tokens_count && depth_step(s, i) >= 0) {
		size_t key = i, value = i;
		bool has_key = keyed(s, i, &key, &value);

		index += !has_key;
		if (step->key ? has_key && key_is(s, key, step->key)
			      : !has_key && index == step->index) {
			*ret_key = key;
			*ret_value = value;
			return true;
		}
		i = element_end(s, i);
		if (!is_separator(s, i))
			return false;
		i++;
	}
	return false;
}

static bool opens_call(const struct source *s, size_t i)
{
	return token_is(s, i, "(") || token_is(s, i, "{") || s->tokens[i].kind == TOKEN_STRING;
}

static bool follow(const struct source *s, size_t call, const struct step *steps, int steps_count,
		   bool value, size_t *ret_at)
{
	size_t key = call, at = call;

	for (int i = 0; i < steps_count; i++) {
		bool alone =
			i == 0 &&
			!token_is(s, at, "("); /* f{...} or f"...": the first argument itself */

		if (alone && steps[0].index == 1) {
			key = at;
			continue;
		}
		if (!token_is(s, at, "(") && !token_is(s, at, "{"))
			return false;
		if (!find_element(s, at + 1, &steps[i], &key, &at))
			return false;
	}
	*ret_at = value ? at : key;
	return *ret_at < s->tokens_count;
}

bool source_find(const struct source *s, int line, const char *name, const struct step *steps,
		 int steps_count, bool value, struct place *ret_place)
{
	size_t at;

	*ret_place = (struct place){line, 0, s};
	for (size_t i = 0; i + 1 < s->tokens_count && s->tokens[i].line <= line; i++) {
		if (s->tokens[i].line != line || !token_is(s, i, name) || !opens_call(s, i + 1))
			continue;
		if (!follow(s, i + 1, steps, steps_count, value, &at))
			continue;
		*ret_place = (struct place){s->tokens[at].line, s->tokens[at].column, s};
		return true;
	}
	return false;
}

struct place source_name(const struct source *s, int line, const char *name)
{
	for (size_t i = 0; i < s->tokens_count; i++)
		if (s->tokens[i].line == line && token_is(s, i, name))
			return (struct place){line, s->tokens[i].column, s};
	return (struct place){line, 0, s};
}

/* Cuts the last 'name' off a message of len bytes; its length, with the name in ret_name, or 0. */
static size_t last_quoted(const char *message, size_t len, char *ret_name, size_t size)
{
	const char *end = memrchr(message, '\'', len), *start;

	start = end && end > message ? memrchr(message, '\'', (size_t)(end - message)) : NULL;
	if (!start)
		return 0;
	snprintf(ret_name, size, "%.*s", (int)(end - start) - 1, start + 1);
	return (size_t)(start - message);
}

struct place source_point(const struct source *s, int line, const char *message)
{
	size_t len = strlen(message);
	struct place at = {line, 0, s};
	char name[100];

	while (!at.column && (len = last_quoted(message, len, name, sizeof(name))) > 0)
		at = source_name(s, line, name);
	for (size_t i = 0; i < s->tokens_count && !at.column; i++)
		if (s->tokens[i].line == line)
			at.column = s->tokens[i].column;
	return at;
}

bool source_calls(const struct source *s, size_t *at, const char *name, struct place *ret_place,
		  struct str *ret_text)
{
	while (*at + 2 < s->tokens_count) {
		size_t i = (*at)++, k = i + 1 + token_is(s, i + 1, "(");
		const struct token *t = &s->tokens[k];

		if (!token_is(s, i, name) || s->tokens[i].kind != TOKEN_NAME ||
		    t->kind != TOKEN_STRING || s->text[t->start] == '[' ||
		    memchr(s->text + t->start, '\\', t->size) || token_is(s, k + 1, "."))
			continue;
		*ret_place = (struct place){t->line, t->column, s};
		*ret_text = (struct str){s->text + t->start + 1, (int32_t)t->size - 2};
		return true;
	}
	return false;
}

/* Whether a token may end an expression that a "(" after it would call. */
static bool ends_expression(const struct source *s, size_t i)
{
	static const char *const words[] = {
		"and", "break", "do",  "else", "elseif", "end",	   "for",  "function", "goto", "if",
		"in",  "local", "not", "or",   "repeat", "return", "then", "until",    "while"};

	if (s->tokens[i].kind != TOKEN_NAME)
		return s->tokens[i].kind == TOKEN_STRING || token_is(s, i, ")") ||
		       token_is(s, i, "]") || token_is(s, i, "}");
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (token_is(s, i, words[k]))
			return false;
	return true;
}

struct place source_surprise(const struct source *s)
{
	for (size_t i = 1; i < s->tokens_count; i++) {
		if (s->tokens[i].first && token_is(s, i, "(") && ends_expression(s, i - 1))
			return (struct place){s->tokens[i].line, s->tokens[i].column, s};
	}
	return (struct place){0, 0, s};
}

void source_complain(const struct source *s, struct place at, const char *text, struct buf *out)
{
	const char *line, *end;

	if (at.source)
		s = at.source;
	line = s->text;
	if (at.column)
		buf_printf(out, "%s:%d:%d: %s\n", s->path, at.line, at.column, text);
	else if (at.line)
		buf_printf(out, "%s:%d: %s\n", s->path, at.line, text);
	else
		buf_printf(out, "%s: %s\n", s->path, text);
	for (int i = 1; line && i < at.line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line || !at.line)
		return;
	end = strchrnul(line, '\n');
	buf_printf(out, "    %.*s\n", (int)(end - line), line);
	if (!at.column)
		return;
	buf_text(out, "    ");
	for (int i = 0; i + 1 < at.column && line + i < end; i++)
		buf_byte(out, line[i] == '\t' ? '\t' : ' ');
	buf_text(out, "^\n");
}
