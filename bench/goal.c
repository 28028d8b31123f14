/* Goals as lines; counts those that were missed. */
#include "bench/goal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int missed;

static void put(FILE *f, const char *line)
{
	if (!f)
		return;
	fprintf(f, "%s\n", line);
	fflush(f);
}

void goal_line(enum goal kind, double limit, double value, const char *unit, const char *what, ...)
{
	bool met = kind == GOAL_AT_MOST ? value <= limit : value >= limit;
	const char *path = getenv("KTRIAL_GOALS");
	FILE *all = path ? fopen(path, "a") : NULL;
	char text[300], line[500];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	snprintf(line, sizeof(line), "%s: %.4g%s%s (goal at %s %g): %s", text, value,
		 *unit ? " " : "", unit, kind == GOAL_AT_MOST ? "most" : "least", limit,
		 met ? "met" : "MISSED");
	put(stdout, line);
	put(all, line);
	if (all)
		fclose(all);
	missed += !met;
}

int goals_missed(void)
{
	return missed != 0;
}
