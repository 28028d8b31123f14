/* The words that describe the cluster of a scenario: cluster{...} and its method topic(). Private
 * to the words. */
#ifndef HARNESS_CLUSTER_WORDS_H
#define HARNESS_CLUSTER_WORDS_H

#include "harness/words.h"

struct lua_State;

extern const struct key cluster_keys[], topic_keys[], batch_keys[];

/* Puts them into the globals. */
void cluster_words_add(struct lua_State *lua);

#endif
