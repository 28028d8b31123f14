/* Brokers whose view of the cluster stands still: a snapshot of what Metadata said at a moment,
 * told again while everything else moves on. */
#ifndef MOCK_STALE_H
#define MOCK_STALE_H

#include "mock/call.h"

struct metadata_response;
struct stale; /* one broker's snapshot */

/* From now until until_us (mono) the broker's Metadata is what it is at this moment. */
void stale_begin(struct cluster *c, int32_t broker, int64_t until_us);

/* It is up to date again; nothing if it was. */
void stale_end(struct cluster *c, int32_t broker);

/* Answers a Metadata request from the broker's snapshot into r, which has room for nothing yet.
 * False if the broker is up to date. */
bool stale_answer(struct cluster *c, struct call *call, struct metadata_response *r);

#endif
