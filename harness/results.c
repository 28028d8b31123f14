/* Folders of results, read and compared. */
#include "harness/results.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RESULTS_ARENA_MAX ((size_t)256 << 20)
#define DEPTH_FILES	  20

static char **found;
static int32_t found_count;

static int on_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	if (kind != FTW_F || strcmp(path + at->base, "result.json"))
		return 0;
	found = realloc(found, ((size_t)found_count + 1) * sizeof(*found));
	if (!found || !(found[found_count++] = strdup(path)))
		abort();
	return 0;
}

static struct str text_of(struct results *r, const json_t *root, const char *key)
{
	const json_t *v = json_object_get(root, key);

	if (!json_is_string(v))
		return (struct str){0};
	return arena_str(&r->arena,
			 (struct str){json_string_value(v), (int32_t)json_string_length(v)});
}

static bool verdict_of(struct str name, enum verdict *ret_verdict)
{
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (str_is(name, verdict_name((enum verdict)i))) {
			*ret_verdict = (enum verdict)i;
			return true;
		}
	return false;
}

static struct str deviation_of(struct results *r, const json_t *root)
{
	const json_t *check;
	size_t i;

	json_array_foreach(
		json_object_get(root, "checks"), i,
		check) if (str_is(text_of(r, check, "standing"),
				  standing_name(STANDING_DEVIATION))) return text_of(r, check,
										     "check");
	return (struct str){0};
}

static int read_one(struct results *r, const char *path, struct error *e)
{
	struct result *x = &r->list[r->count];
	json_error_t problem;
	json_t *root = json_load_file(path, JSON_ALLOW_NUL, &problem);
	bool ok;

	if (!root)
		return error_set(e, ERR_MALFORMED, "%s:%d: %s", path, problem.line, problem.text);
	x->client = text_of(r, root, "client");
	x->scenario = text_of(r, root, "scenario");
	x->in_case = text_of(r, root, "case");
	x->reason = text_of(r, root, "reason");
	x->claim = text_of(r, root, "claim");
	x->deviates = deviation_of(r, root);
	x->repetition = (int32_t)json_integer_value(json_object_get(root, "repetition"));
	x->path = arena_printf(&r->arena, "%s", path);
	ok = verdict_of(text_of(r, root, "verdict"), &x->verdict) && x->client.data &&
	     x->scenario.data && x->in_case.data;
	json_decref(root);
	if (!ok)
		return error_set(e, ERR_MALFORMED, "%s: this is no result of a case", path);
	r->count++;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct result *x = a, *y = b;
	int order = strcmp(x->client.data, y->client.data);

	order = order ? order : strcmp(x->scenario.data, y->scenario.data);
	order = order ? order : strcmp(x->in_case.data, y->in_case.data);
	return order ? order : x->repetition - y->repetition;
}

static void begin(struct results *r, int32_t count)
{
	*r = (struct results){0};
	arena_init(&r->arena, RESULTS_ARENA_MAX);
	r->list = calloc((size_t)count + 1, sizeof(*r->list));
	if (!r->list)
		abort();
}

static void sort(struct results *r)
{
	qsort(r->list, (size_t)r->count, sizeof(*r->list), by_key);
	for (int32_t i = 0; i < r->count; i++)
		r->clients += !i || !str_eq(r->list[i].client, r->list[i - 1].client);
}

int results_read(struct results *r, const char *folder, struct error *e)
{
	int rc = 0;

	found = NULL;
	found_count = 0;
	if (nftw(folder, on_file, DEPTH_FILES, FTW_PHYS) < 0)
		rc = error_set(e, ERR_USAGE, "can't read %s: %s", folder, strerror(errno));
	else if (!found_count)
		rc = error_set(e, ERR_USAGE, "there is no result.json below %s", folder);
	begin(r, found_count);
	for (int32_t i = 0; i < found_count; i++) {
		rc = rc ? rc : read_one(r, found[i], e);
		free(found[i]);
	}
	free(found);
	sort(r);
	return rc;
}

int results_read_cases(struct results *r, char *const *folders, int32_t count, struct error *e)
{
	char path[PATH_MAX + 20];
	int rc = 0;

	begin(r, count);
	for (int32_t i = 0; i < count && !rc; i++) {
		snprintf(path, sizeof(path), "%s/result.json", folders[i]);
		if (!access(path, R_OK))
			rc = read_one(r, path, e);
	}
	sort(r);
	return rc;
}

void results_release(struct results *r)
{
	free(r->list);
	arena_release(&r->arena);
	*r = (struct results){0};
}

static bool same_case(const struct result *a, const struct result *b, bool clients)
{
	return str_eq(a->scenario, b->scenario) && str_eq(a->in_case, b->in_case) &&
	       (!clients || str_eq(a->client, b->client));
}

/* How bad a verdict is; a case counts by its worst repetition. */
static int badness(enum verdict v)
{
	switch (v) {
	case VERDICT_FAIL:
		return 3;
	case VERDICT_ENVIRONMENT:
	case VERDICT_WRONG:
		return 2;
	case VERDICT_INCONCLUSIVE:
		return 1;
	default:
		return 0;
	}
}

static const struct result *worst_like(const struct results *r, const struct result *like,
				       bool clients)
{
	const struct result *worst = NULL;

	for (int32_t i = 0; i < r->count; i++)
		if (same_case(&r->list[i], like, clients) &&
		    (!worst || badness(r->list[i].verdict) > badness(worst->verdict)))
			worst = &r->list[i];
	return worst;
}

static void tell(const char *what, const struct result *x, struct buf *out)
{
	buf_printf(out, "%-14s " STR_FMT " [" STR_FMT "]  " STR_FMT "%s" STR_FMT "\n", what,
		   STR_ARG(x->scenario), STR_ARG(x->in_case), STR_ARG(x->client),
		   x->reason.len ? "  " : "", STR_ARG(x->reason));
}

/* One case of a run, once whatever its repetitions, against the other run. */
static int32_t compare_one(const struct result *was, const struct result *is, struct buf *out)
{
	int before = badness(was->verdict), after = badness(is->verdict);

	if (after == 3 && before < 3)
		tell("newly failing", is, out);
	else if (before == 3 && after < 3)
		tell(is->verdict == VERDICT_PASS ? "newly passing" : "no longer fails", is, out);
	return after == 3 && before < 3;
}

int32_t results_compare(const struct results *before, const struct results *after, struct buf *out)
{
	bool clients = before->clients != 1 || after->clients != 1;
	int32_t regressions = 0;

	for (int32_t i = 0; i < after->count; i++) {
		const struct result *was = worst_like(before, &after->list[i], clients);
		const struct result *is = worst_like(after, &after->list[i], clients);

		if (i && same_case(&after->list[i], &after->list[i - 1], clients))
			continue;
		if (was)
			regressions += compare_one(was, is, out);
		else
			tell(badness(is->verdict) == 3 ? "new, failing" : "new", is, out);
	}
	for (int32_t i = 0; i < before->count; i++)
		if ((!i || !same_case(&before->list[i], &before->list[i - 1], clients)) &&
		    !worst_like(after, &before->list[i], clients))
			tell("gone", &before->list[i], out);
	return regressions;
}
