/* A plan in words: what `explain` prints of a scenario. */
#ifndef HARNESS_EXPLAIN_H
#define HARNESS_EXPLAIN_H

#include "harness/suite.h"

/* One line: name, tab, claim. */
void explain_line(const struct scenario *s, struct buf *out);

/* Claim, source, matrix; then cluster, clients, rules in their one-line form, and checks, once for
 * all cases that share them. False with complaints in out when a case is wrong. */
bool explain_scenario(const struct scenario *s, struct buf *out);

/* Loads every case. How many there are, or -1 with complaints in out. */
int32_t explain_check(const struct scenario *s, struct buf *out);

#endif
