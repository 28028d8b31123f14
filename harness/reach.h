/* Rules that can't act in the cluster that a plan describes: another one always acts before them,
 * or what they name is not there. */
#ifndef HARNESS_REACH_H
#define HARNESS_REACH_H

#include "harness/plan.h"

/* Adds a complaint for each to out. True if there is none. */
bool reach_judge(const struct case_plan *plan, struct buf *out);

#endif
