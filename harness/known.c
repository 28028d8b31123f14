/* Known deviations: reading their file, and taking them off what a case failed by. */
#include "harness/known.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_SIZE 4000

static struct str word_of(char **at)
{
	char *start = *at + strspn(*at, " \t"), *end = start + strcspn(start, " \t");

	*at = end + (*end != '\0');
	*end = '\0';
	return str_of(start);
}

static int read_entry(struct known *k, char *line, int number, struct error *e)
{
	struct known_entry *n = &k->entries[k->count];
	struct str scenario = word_of(&line), check = word_of(&line);
	char *open, *why = line + strspn(line, " \t");
	size_t len;

	if (k->count == KNOWN_MAX)
		return error_set(e, ERR_LIMIT, "%s:%d: more than %d entries", k->path, number,
				 KNOWN_MAX);
	if (!scenario.len || !check.len || !*why)
		return error_set(e, ERR_MALFORMED, "%s:%d: expected SCENARIO[CASE] CHECK WHY",
				 k->path, number);
	open = strchr(scenario.data, '[');
	len = strlen(scenario.data);
	if (open && scenario.data[len - 1] != ']')
		return error_set(e, ERR_MALFORMED, "%s:%d: a case ends in ]", k->path, number);
	*n = (struct known_entry){.line = number};
	n->scenario = arena_str(
		&k->arena, (struct str){scenario.data,
					(int32_t)(open ? (size_t)(open - scenario.data) : len)});
	n->in_case =
		open ? arena_str(&k->arena,
				 (struct str){open + 1, (int32_t)(scenario.data + len - open) - 2})
		     : str_of("*");
	n->check = arena_str(&k->arena, check);
	n->why = arena_str(&k->arena, str_of(why));
	k->count++;
	return 0;
}

int known_read(struct known *k, const char *path, struct error *e)
{
	FILE *in = fopen(path, "re");
	char line[LINE_SIZE];
	int rc = 0;

	*k = (struct known){.path = strdup(path)};
	arena_init(&k->arena, (size_t)16 << 20);
	if (!in)
		return error_set(e, ERR_OS, "can't open %s: %s", path, strerror(errno));
	for (int number = 1; !rc && fgets(line, sizeof(line), in); number++) {
		line[strcspn(line, "#\r\n")] = '\0';
		if (line[strspn(line, " \t")])
			rc = read_entry(k, line, number, e);
	}
	fclose(in);
	return rc;
}

void known_release(struct known *k)
{
	free(k->path);
	arena_release(&k->arena);
}

static bool is_about(const struct known_entry *n, const struct case_plan *plan)
{
	char name[600];

	snprintf(name, sizeof(name), STR_FMT, STR_ARG(plan->case_name));
	return !fnmatch(n->scenario.data, plan->scenario->name.data, 0) &&
	       !fnmatch(n->in_case.data, name, 0);
}

static const struct known_entry *find(const struct known *k, const struct case_plan *plan,
				      struct str fail)
{
	for (int32_t i = 0; i < k->count; i++)
		if (is_about(&k->entries[i], plan) &&
		    (str_eq(k->entries[i].check, fail) || str_is(k->entries[i].check, "*")))
			return &k->entries[i];
	return NULL;
}

void known_fails(const struct trial *t, struct buf *out)
{
	bool rule = false;

	for (int32_t i = 0; i < t->judgements_count; i++) {
		const struct judgement *j = &t->judgements[i];

		if ((j->standing == STANDING_BAD || j->standing == STANDING_VACUOUS) &&
		    !verdict_told(t->judgements, t->judgements_count, j))
			buf_printf(out, "%s\n", j->check->type->name);
	}
	for (int32_t i = 0; i < t->rules_count; i++)
		rule |= t->rules[i].vacuous;
	buf_printf(out, "%s%s%s", rule ? "rule\n" : "", t->outcome.crash ? "crash\n" : "",
		   t->outcome.timeline ? "timeline\n" : "");
}

/* The next line of a text, without its end; null behind the last. */
static struct str next_line(struct str *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', (size_t)rest->len) : NULL;
	struct str line = {rest->data, end ? (int32_t)(end - rest->data) : 0};

	if (!end)
		return (struct str){0};
	rest->data += line.len + 1;
	rest->len -= line.len + 1;
	return line;
}

void known_apply(const struct known *k, const struct case_plan *plan, struct trial *t)
{
	const struct known_entry *entry = NULL;
	struct buf fails;
	struct str rest, fail;
	bool all = t->outcome.verdict == VERDICT_FAIL;

	buf_init(&fails, (size_t)1 << 20);
	known_fails(t, &fails);
	rest = (struct str){(const char *)fails.data, (int32_t)fails.len};
	while (all && (fail = next_line(&rest)).data) {
		entry = find(k, plan, fail);
		all = entry != NULL;
	}
	if (all && entry) {
		t->outcome.verdict = VERDICT_KNOWN;
		snprintf(t->outcome.reason, sizeof(t->outcome.reason), "known (%s:%d): " STR_FMT,
			 k->path, entry->line, STR_ARG(entry->why));
	}
	buf_release(&fails);
}

void known_count(struct known *k, const struct case_plan *plan, struct str fails)
{
	for (int32_t i = 0; i < k->count; i++) {
		struct known_entry *n = &k->entries[i];
		struct str rest = fails, fail;
		bool deviates = false;

		if (!is_about(n, plan))
			continue;
		while ((fail = next_line(&rest)).data)
			deviates |= str_eq(n->check, fail) || str_is(n->check, "*");
		n->ran++;
		n->deviated += deviates;
	}
}
