/* Splits a rule's text into words and reads the values in them. Owns nothing; words lie in the
 * caller's arena. What the words mean is grammar.c's. */
#include "rules/words.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_US ((int64_t)86400 * 1000000)

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The end of the word that starts at i; -1 if a quote or bracket in it is not closed. */
static int32_t word_end(struct str t, int32_t i)
{
	int brackets = 0;
	bool quoted = false;

	for (int32_t start = i; i < t.len; i++) {
		char c = t.data[i];

		if (c == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (!brackets &&
		    (blank(c) || (i > start && i + 1 < t.len && !memcmp(t.data + i, "->", 2))))
			break;
		if (!brackets && i == start && i + 1 < t.len && !memcmp(t.data + i, "->", 2))
			return i + 2;
		brackets += (c == '[') - (c == ']');
	}
	return quoted ? -1 : i;
}

/* The word without its quotes; a copy only where it has some. */
static struct str unquote(struct str t, struct arena *arena)
{
	char *to;
	int32_t n = 0;

	if (!memchr(t.data, '"', (size_t)t.len))
		return t;
	to = arena_copy(arena, t.data, (size_t)t.len);
	if (!to)
		return t;
	for (int32_t i = 0; i < t.len; i++)
		if (t.data[i] != '"')
			to[n++] = t.data[i];
	return (struct str){to, n};
}

int words_split(struct str text, struct arena *arena, struct words *ret_words, struct error *e)
{
	struct words w = {.at = arena_alloc(arena, WORDS_MAX * sizeof(struct word)),
			  .end_column = text.len};

	if (text.len > RULE_TEXT_MAX || !w.at)
		return error_set(e, ERR_USAGE, "a rule takes at most %d characters", RULE_TEXT_MAX);
	for (int32_t i = 0, end; i < text.len; i = end) {
		if (blank(text.data[i])) {
			end = i + 1;
			continue;
		}
		end = word_end(text, i);
		if (end < 0)
			return error_at(e, ERR_USAGE, (size_t)i, NULL, "this quote is not closed");
		if (w.count == WORDS_MAX)
			return error_at(e, ERR_USAGE, (size_t)i, NULL,
					"a rule takes at most %d words", WORDS_MAX);
		w.at[w.count++] =
			(struct word){unquote((struct str){text.data + i, end - i}, arena), i};
	}
	*ret_words = w;
	return 0;
}

struct word words_peek(const struct words *w)
{
	if (w->next == w->count)
		return (struct word){{NULL, 0}, w->end_column};
	return w->at[w->next];
}

struct word words_take(struct words *w)
{
	struct word word = words_peek(w);

	if (w->next < w->count)
		w->next++;
	return word;
}

bool parse_int(struct str text, int64_t min, int64_t max, int64_t *ret_value)
{
	int64_t v = 0;
	bool negative = text.data && text.len && text.data[0] == '-';

	if (!text.data || text.len == negative || text.len > 19)
		return false;
	for (int32_t i = negative; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || v > INT64_MAX / 10 - 1)
			return false;
		v = v * 10 + (text.data[i] - '0');
	}
	v = negative ? -v : v;
	if (v < min || v > max)
		return false;
	*ret_value = v;
	return true;
}

bool parse_range(struct str text, int64_t min, int64_t max, struct range *ret_range)
{
	const char *dots = text.data ? memmem(text.data, (size_t)text.len, "..", 2) : NULL;
	struct str from = text, to = text;
	struct range r;

	if (dots) {
		from.len = (int32_t)(dots - text.data);
		to = (struct str){dots + 2, text.len - from.len - 2};
	}
	if (!parse_int(from, min, max, &r.from) || !parse_int(to, min, max, &r.to) || r.to < r.from)
		return false;
	*ret_range = r;
	return true;
}

/* The decimal number at the start of text; rest is what follows it. */
static bool decimal(struct str text, double *ret_value, struct str *ret_rest)
{
	char copy[32], *end;
	int32_t n = 0;

	while (text.data && n < text.len && n < 31 &&
	       ((text.data[n] >= '0' && text.data[n] <= '9') || text.data[n] == '.')) {
		copy[n] = text.data[n];
		n++;
	}
	copy[n] = '\0';
	*ret_value = strtod(copy, &end);
	*ret_rest = (struct str){n ? text.data + n : NULL, n ? text.len - n : 0};
	return n && end == copy + n;
}

struct unit {
	const char *name;
	double factor;
};

static bool with_unit(struct str text, const struct unit *units, double max, int64_t *ret_value)
{
	struct str rest;
	double v;

	if (!decimal(text, &v, &rest))
		return false;
	for (; units->name; units++) {
		if (!str_is(rest, units->name))
			continue;
		if (v * units->factor > max)
			return false;
		*ret_value = (int64_t)(v * units->factor + 0.5);
		return true;
	}
	return false;
}

bool parse_time(struct str text, int64_t *ret_us)
{
	static const struct unit units[] = {{"us", 1},	 {"ms", 1e3},	{"s", 1e6}, {"min", 60e6},
					    {"m", 60e6}, {"h", 3600e6}, {NULL, 0}};

	return with_unit(text, units, (double)DAY_US, ret_us);
}

bool parse_size(struct str text, int64_t *ret_bytes)
{
	static const struct unit units[] = {
		{"", 1},	{"B", 1},	  {"k", 1024},	  {"K", 1024},	    {"KiB", 1024},
		{"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30}, {NULL, 0}};

	if (text.len > 2 && !memcmp(text.data + text.len - 2, "/s", 2))
		text.len -= 2;
	return with_unit(text, units, 1e15, ret_bytes);
}

bool parse_share(struct str text, double *ret_share)
{
	struct str rest;
	double v;

	if (!decimal(text, &v, &rest) || (rest.len && !str_is(rest, "%")))
		return false;
	if (rest.len)
		v /= 100;
	if (v > 1)
		return false;
	*ret_share = v;
	return true;
}

bool list_next(struct str *rest, struct str *ret_element)
{
	const char *comma;

	if (!rest->data)
		return false;
	comma = memchr(rest->data, ',', (size_t)rest->len);
	if (!comma) {
		*ret_element = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*ret_element = (struct str){rest->data, (int32_t)(comma - rest->data)};
	*rest = (struct str){comma + 1, rest->len - ret_element->len - 1};
	return true;
}
