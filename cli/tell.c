/* What `run` prints. Judges nothing; counts what it was told. */
#include "cli/tell.h"

#include <stdlib.h>
#include <unistd.h>

#define MARKDOWN_MAX ((size_t)1 << 20)

void tell_init(struct tell *t, bool tap, int32_t total, const char *client)
{
	*t = (struct tell){
		.tap = tap, .total = total, .client = client, .progress = isatty(STDERR_FILENO)};
	t->cases = calloc((size_t)total + 1, sizeof(*t->cases));
	if (!t->cases)
		abort();
	buf_init(&t->markdown, MARKDOWN_MAX);
	if (tap)
		printf("TAP version 14\n1..%d\n", total);
}

void tell_release(struct tell *t)
{
	free(t->cases);
	buf_release(&t->markdown);
}

/* A text as the lines of a YAML block, indented. */
static void print_block(const char *name, struct str text)
{
	printf("  %s: |\n    ", name);
	for (int32_t i = 0; i < text.len; i++) {
		putchar(text.data[i]);
		if (text.data[i] == '\n' && i + 1 < text.len)
			fputs("    ", stdout);
	}
	if (!text.len || text.data[text.len - 1] != '\n')
		putchar('\n');
}

static void print_tap(const struct tell *t, const struct job_result *r)
{
	const struct case_plan *p = r->job->plan;
	bool skipped = r->verdict == VERDICT_SKIPPED, known = r->verdict == VERDICT_KNOWN;

	printf("%s %d - " STR_FMT "[" STR_FMT "] %s%s" STR_FMT "\n",
	       verdict_good(r->verdict) && !known ? "ok" : "not ok", t->done,
	       STR_ARG(p->scenario->name), STR_ARG(p->case_name), t->client,
	       skipped ? " # SKIP "
	       : known ? " # TODO "
		       : "",
	       STR_ARG(skipped || known ? r->reason : (struct str){0}));
	if (verdict_good(r->verdict))
		return;
	printf("  ---\n  verdict: %s\n  seed: %llu\n  seconds: %.3f\n", verdict_name(r->verdict),
	       (unsigned long long)p->seed, (double)r->took_us / 1e6);
	print_block("reason", r->reason);
	print_block("text", r->text);
	printf("  ...\n");
}

static struct told_case *told_case(struct tell *t, const struct case_plan *p)
{
	int32_t i = 0;

	while (i < t->cases_count &&
	       (t->cases[i].scenario != p->scenario || t->cases[i].case_index != p->case_index))
		i++;
	if (i == t->cases_count)
		t->cases[t->cases_count++] =
			(struct told_case){.scenario = p->scenario, .case_index = p->case_index};
	return &t->cases[i];
}

/* A cell of a table in Markdown holds no bar and no line end. */
static void add_cell(struct buf *b, struct str text)
{
	buf_text(b, "| ");
	for (int32_t i = 0; i < text.len && i < 300; i++)
		if (text.data[i] == '|')
			buf_text(b, "\\|");
		else
			buf_byte(b,
				 (uint8_t)(text.data[i] < ' ' && text.data[i] >= 0 ? ' '
										   : text.data[i]));
	buf_byte(b, ' ');
}

void tell_result(struct tell *t, const struct job_result *r)
{
	struct told_case *c = told_case(t, r->job->plan);

	t->done++;
	c->ran++;
	c->passed += r->verdict == VERDICT_PASS;
	c->known += r->verdict == VERDICT_KNOWN;
	if (t->progress)
		fputs("\r\033[K", stderr);
	if (t->tap)
		print_tap(t, r);
	else
		printf(STR_FMT, STR_ARG(r->text));
	fflush(stdout);
	if (t->progress && t->done < t->total)
		fprintf(stderr, "%d of %d cases", t->done, t->total);
	if (verdict_good(r->verdict))
		return;
	add_cell(&t->markdown, str_of(verdict_name(r->verdict)));
	add_cell(&t->markdown, r->job->plan->scenario->name);
	add_cell(&t->markdown, r->job->plan->case_name);
	add_cell(&t->markdown, r->reason);
	buf_text(&t->markdown, "|\n");
}

static void tell_repetitions(const struct tell *t, const char *mark)
{
	struct arena arena;

	arena_init(&arena, (size_t)1 << 20);
	for (int32_t i = 0; i < t->cases_count; i++) {
		const struct told_case *c = &t->cases[i];
		struct str name = scenario_case_name(c->scenario, c->case_index, &arena);

		if (c->ran < 2)
			continue;
		printf("%s" STR_FMT " [" STR_FMT "]: %d of %d passed", mark,
		       STR_ARG(c->scenario->name), STR_ARG(name), c->passed, c->ran);
		if (c->known)
			printf(", %d known", c->known);
		putchar('\n');
	}
	arena_release(&arena);
}

static void tell_known(const struct known *k, const char *mark)
{
	for (int32_t i = 0; i < k->count; i++)
		if (k->entries[i].ran && !k->entries[i].deviated)
			printf("%s%s:%d: no longer deviates: " STR_FMT "[" STR_FMT "] " STR_FMT
			       "\n",
			       mark, k->path, k->entries[i].line, STR_ARG(k->entries[i].scenario),
			       STR_ARG(k->entries[i].in_case), STR_ARG(k->entries[i].check));
}

/* "4 passed, 1 failed, 2 skipped". */
static void count_text(const int32_t n[VERDICT_COUNT], char *ret_text, size_t size)
{
	static const struct {
		enum verdict verdict;
		const char *what;
	} rest[] = {{VERDICT_INCONCLUSIVE, "inconclusive"},
		    {VERDICT_ENVIRONMENT, "errors"},
		    {VERDICT_WRONG, "wrong scenarios"},
		    {VERDICT_SKIPPED, "skipped"},
		    {VERDICT_KNOWN, "known"}};
	size_t at = (size_t)snprintf(ret_text, size, "%d passed, %d failed", n[VERDICT_PASS],
				     n[VERDICT_FAIL]);

	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]) && at < size; i++)
		if (n[rest[i].verdict])
			at += (size_t)snprintf(ret_text + at, size - at, ", %d %s",
					       n[rest[i].verdict], rest[i].what);
}

void tell_end(struct tell *t, const struct pool_outcome *outcome, const struct known *known,
	      int64_t seed, double seconds)
{
	const char *mark = t->tap ? "# " : "";
	char counts[200];

	if (t->progress)
		fputs("\r\033[K", stderr);
	tell_repetitions(t, mark);
	if (known)
		tell_known(known, mark);
	count_text(outcome->counts, counts, sizeof(counts));
	printf("%s%s; seed %lld, %.1f s%s\n", mark, counts, (long long)seed, seconds,
	       outcome->interrupted ? "; interrupted" : "");
}

bool tell_summary(const struct tell *t, const struct pool_outcome *outcome, const char *path)
{
	FILE *out = fopen(path, "ae");
	char counts[200];

	if (!out)
		return false;
	count_text(outcome->counts, counts, sizeof(counts));
	fprintf(out, "### ktrial: %s: %s\n\n", t->client, counts);
	if (t->markdown.len)
		fprintf(out,
			"| verdict | scenario | case | why |\n| --- | --- | --- | --- |\n%.*s\n",
			(int)t->markdown.len, (const char *)t->markdown.data);
	return !fclose(out);
}
