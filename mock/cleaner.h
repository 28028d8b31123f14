/* What deletes from logs by itself: retention by time and size, and compaction by key. */
#ifndef MOCK_CLEANER_H
#define MOCK_CLEANER_H

#include "mock/partition.h"

struct cluster;
struct topic;

/* Deletes the segments of the topic (NULL: of all) that are too old or too many, where its
 * cleanup.policy says delete. */
void retention_run(struct cluster *c, const struct topic *t);

/* Compacts the topic (NULL: all whose cleanup.policy says compact). force: now and all of it, as if
 * the segment that is written to had just been closed; else what a cleaner thread would find worth
 * it. */
void compaction_run(struct cluster *c, const struct topic *t, bool force);

/* Something was appended: the next checks are due in their time. */
void cleaner_arm(struct cluster *c, const struct topic *t);

#endif
