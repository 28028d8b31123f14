/* See tally.h. */
#include "checks/tally.h"

#include <stdarg.h>
#include <stdio.h>

void tally(struct tally *t, struct check *c, bool wrong, int64_t time_us, const char *fmt, ...)
{
	char text[600];
	va_list args;

	t->judged++;
	if (!wrong || t->wrong++)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	t->first_us = time_us;
	t->first = arena_str(c->arena, str_of(text));
}

void tally_end(const struct tally *t, struct check *c, struct finding *f, const char *what,
	       const char *nothing)
{
	f->judged = t->judged;
	if (t->wrong) {
		finding_fault_before(f, c->history, t->first_us);
		finding_moment(f, t->first_us, STR_FMT, STR_ARG(t->first));
		finding_set(f, FINDING_FAIL, STR_FMT " (%llu times in all)", STR_ARG(t->first),
			    (unsigned long long)t->wrong);
	} else if (!t->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
	} else {
		finding_set(f, FINDING_PASS, "%llu %s", (unsigned long long)t->judged, what);
	}
}
