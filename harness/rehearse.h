/* A timeline played through before anything starts, so that a slip in it is found as one of the
 * scenario and never looks like the client's. */
#ifndef HARNESS_REHEARSE_H
#define HARNESS_REHEARSE_H

#include "harness/plan.h"

/*
 * Loads a case once more and plays its timeline: every wait comes true at once, events happen to a
 * cluster without sockets, nothing is started. Finds what the first way through can show: wrong
 * words, arguments, nil values, loops without a wait, events that can't be. False with complaints
 * in out.
 */
bool plan_rehearse(const struct scenario *s, int32_t case_index, uint64_t seed, struct buf *out);

#endif
