/* A thin cover over PCRE2 with limits: a hostile expression costs bounded work. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "mock/pattern.h"

#include "mock/mem.h"

#include <pcre2.h>
#include <stdlib.h>

#define MATCH_LIMIT 100000 /* steps of backtracking; beyond it counts as no match */

struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

struct pattern *pattern_new(struct str text)
{
	struct pattern *p;
	int error;
	PCRE2_SIZE at;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.data, (size_t)text.len,
					 PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);

	if (!code)
		return NULL;
	p = mem_new(sizeof(*p));
	p->code = code;
	p->data = pcre2_match_data_create(1, NULL);
	p->context = pcre2_match_context_create(NULL);
	if (!p->data || !p->context)
		abort();
	pcre2_set_match_limit(p->context, MATCH_LIMIT);
	return p;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_match_data_free(p->data);
	pcre2_match_context_free(p->context);
	free(p);
}

bool pattern_matches(const struct pattern *p, struct str name)
{
	return pcre2_match(p->code, (PCRE2_SPTR)name.data, (size_t)name.len, 0,
			   PCRE2_ANCHORED | PCRE2_ENDANCHORED, p->data, p->context) >= 0;
}
