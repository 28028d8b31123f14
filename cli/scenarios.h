/* What list, check and explain share: words of the command line to scenarios. */
#ifndef CLI_SCENARIOS_H
#define CLI_SCENARIOS_H

#include "cli/cmd.h"
#include "harness/suite.h"

#define EXIT_SCENARIO 3 /* a scenario is wrong */

/* Reads the words that argv names (none: the project's own scenarios) and hands every scenario to
 * `each`, which returns false when it is wrong, its complaints in out. What is in out is printed:
 * on stdout, or, of wrong ones, on stderr. The exit status. */
int scenarios_each(const struct command *command, int argc, char **argv,
		   bool (*each)(const struct scenario *s, struct buf *out, void *ctx), void *ctx);

/* Whether a case is among those that --case KEY=VALUE names, each of which has its =: where one
 * names a key of the matrix, one of that key is to have the case's value. */
bool scenario_case_wanted(const struct scenario *s, int32_t case_index, const char *const *wanted,
			  int32_t wanted_count);

/* Whether the key is in its matrix. */
bool scenario_has_key(const struct scenario *s, struct str key);

#endif
