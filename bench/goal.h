/* A bench's lines that have a goal: each says what was measured, what the goal is and whether it
 * was met. They go to stdout, and once more into the file that KTRIAL_GOALS names, of which `make
 * bench` makes its end. */
#ifndef BENCH_GOAL_H
#define BENCH_GOAL_H

enum goal { GOAL_AT_MOST, GOAL_AT_LEAST };

/* "WHAT: VALUE UNIT (goal at most LIMIT): met". */
void goal_line(enum goal kind, double limit, double value, const char *unit, const char *what, ...)
	__attribute__((format(printf, 5, 6)));

/* How many of this program's goals were missed: what main returns, as 0 or 1. */
int goals_missed(void);

#endif
