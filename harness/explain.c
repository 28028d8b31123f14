/* Plans in words, from their plain data alone. */
#include "harness/explain.h"

#include "harness/rehearse.h"

#include <stdlib.h>

#define BODY_MAX ((size_t)1 << 20)

void explain_line(const struct scenario *s, struct buf *out)
{
	buf_printf(out, STR_FMT "\t" STR_FMT "\n", STR_ARG(s->name), STR_ARG(s->claim));
}

/* A text that looks at `under` is two plans: for a client, and for a command of --under. */
int32_t explain_check(const struct scenario *s, struct buf *out)
{
	struct scenario under = *s;

	under.under = true;
	for (int32_t i = 0; i < s->cases_count; i++) {
		if (!plan_rehearse(s, i, 1, out) ||
		    (strstr(s->source.text, "under") && !plan_rehearse(&under, i, 1, out)))
			return -1;
	}
	return s->cases_count;
}

static void explain_topic(const struct plan_topic *t, struct buf *b)
{
	buf_printf(b, "  topic     " STR_FMT, STR_ARG(t->name));
	if (t->partitions > 0)
		buf_printf(b, ", %d partition%s", t->partitions, t->partitions == 1 ? "" : "s");
	if (t->replication > 0)
		buf_printf(b, ", %d replicas", t->replication);
	if (t->leader > 0)
		buf_printf(b, ", led by broker %d", t->leader);
	buf_byte(b, '\n');
}

static void explain_settings(const struct plan_setting *list, int32_t count, bool flags,
			     struct buf *b)
{
	for (int32_t i = 0; i < count; i++)
		if (list[i].flag)
			buf_printf(b, " %s" STR_FMT, flags ? "--" : "", STR_ARG(list[i].key));
		else
			buf_printf(b, " " STR_FMT "=" STR_FMT, STR_ARG(list[i].key),
				   STR_ARG(list[i].value));
}

static void explain_client(const struct plan_client *c, struct buf *b)
{
	buf_printf(b, "  client    " STR_FMT " speaks %s;", STR_ARG(c->name),
		   speaks_name(c->speaks));
	explain_settings(c->args, c->args_count, false, b);
	if (c->config_count)
		buf_text(b, ";");
	explain_settings(c->config, c->config_count, false, b);
	buf_byte(b, '\n');
}

static void explain_check_line(const struct plan_check *k, struct buf *b)
{
	struct check check = {.type = k->type, .scope = k->scope};
	struct arena arena;
	struct str text;

	arena_init(&arena, 100000);
	text = check_text(&check, &arena);
	buf_printf(b, "  %-9s " STR_FMT ": %s\n", severity_name(k->severity), STR_ARG(text),
		   k->type->claim);
	arena_release(&arena);
}

static void explain_body(const struct case_plan *p, struct buf *b)
{
	buf_printf(b, "  cluster   %d broker%s\n", p->brokers, p->brokers == 1 ? "" : "s");
	for (int32_t i = 0; i < p->topics_count; i++)
		explain_topic(&p->topics[i], b);
	for (int32_t i = 0; i < p->clients_count; i++)
		explain_client(&p->clients[i], b);
	for (int32_t i = 0; i < p->rules_count; i++)
		buf_printf(b, "  rule      " STR_FMT ": " STR_FMT "%s\n", STR_ARG(p->rules[i].name),
			   STR_ARG(p->rules[i].text), p->rules[i].optional ? " (optional)" : "");
	for (int32_t i = 0; i < p->checks_count; i++)
		explain_check_line(&p->checks[i], b);
}

static void explain_header(const struct scenario *s, struct buf *out)
{
	buf_printf(out, STR_FMT "\n  claim     " STR_FMT "\n", STR_ARG(s->name), STR_ARG(s->claim));
	if (s->see.data)
		buf_printf(out, "  see       " STR_FMT "\n", STR_ARG(s->see));
	buf_printf(out, "  file      %s\n  time-out  %.1f s\n", s->source.path,
		   (double)s->timeout_us / 1e6);
	for (int32_t i = 0; i < s->axes_count; i++) {
		buf_printf(out, "  matrix    " STR_FMT ":", STR_ARG(s->axes[i].key));
		for (int32_t k = 0; k < s->axes[i].values_count; k++)
			buf_printf(out, " " STR_FMT, STR_ARG(s->axes[i].values[k].text));
		buf_byte(out, '\n');
	}
}

/* Bodies of the cases, and which of them are printed already. */
struct bodies {
	struct buf *list;
	bool *told;
	int32_t count;
};

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static bool has_line(const struct buf *b, struct str line)
{
	return memmem(b->data, b->len, line.data, (size_t)line.len) != NULL;
}

/* The lines of a body that all cases have (common), or that not all have. */
static void tell_lines(const struct bodies *all, int32_t index, bool common, struct buf *out)
{
	const struct buf *b = &all->list[index];

	for (size_t at = 0; at < b->len;) {
		const uint8_t *end = memchr(b->data + at, '\n', b->len - at);
		struct str line = {(const char *)b->data + at,
				   (int32_t)(end - b->data - (long)at) + 1};
		bool in_all = true;

		for (int32_t i = 0; i < all->count; i++)
			in_all &= has_line(&all->list[i], line);
		if (in_all == common)
			buf_add(out, line.data, (size_t)line.len);
		at += (size_t)line.len;
	}
}

/* The cases that share a body, and what others do not have of it. */
static void tell(const struct scenario *s, struct bodies *all, int32_t first, struct buf *out)
{
	struct arena arena;

	arena_init(&arena, BODY_MAX);
	for (int32_t i = first; i < all->count; i++) {
		struct str name = scenario_case_name(s, i, &arena);

		if (!same(&all->list[i], &all->list[first]))
			continue;
		all->told[i] = true;
		buf_printf(out, "case " STR_FMT "\n", STR_ARG(name));
	}
	tell_lines(all, first, false, out);
	arena_release(&arena);
}

bool explain_scenario(const struct scenario *s, struct buf *out)
{
	struct bodies all = {.count = s->cases_count};
	bool ok = true;

	all.list = calloc((size_t)all.count, sizeof(*all.list));
	all.told = calloc((size_t)all.count, sizeof(*all.told));
	if (!all.list || !all.told)
		abort();
	for (int32_t i = 0; i < all.count && ok; i++) {
		struct case_plan *p = plan_load(s, i, 1, out);

		buf_init(&all.list[i], BODY_MAX);
		ok = p != NULL;
		if (ok)
			explain_body(p, &all.list[i]);
		plan_free(p);
	}
	if (ok) {
		explain_header(s, out);
		tell_lines(&all, 0, true, out);
	}
	for (int32_t i = 0; i < all.count && ok && all.count > 1; i++)
		if (!all.told[i])
			tell(s, &all, i, out);
	for (int32_t i = 0; i < all.count; i++)
		buf_release(&all.list[i]);
	free(all.list);
	free(all.told);
	return ok;
}
