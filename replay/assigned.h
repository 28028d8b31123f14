/* What members of KIP-848 and share groups are told to read, and at which epoch they are. A broker
 * says it once, when it knows and when it changes: an answer without an assignment means the one
 * before. So two courses of answers that lead to the same may differ answer by answer. */
#ifndef REPLAY_ASSIGNED_H
#define REPLAY_ASSIGNED_H

#include "replay/session.h"
#include "replay/variables.h"

struct assigned;

struct assigned *assigned_new(const struct session *s, struct variables *v);
void assigned_free(struct assigned *a); /* NULL is fine */

/* A live answer to a heartbeat of the recording; other APIs and errors are passed over. */
void assigned_take(struct assigned *a, const struct session_exchange *x, int version,
		   const void *live);

/* The epoch that the member of a heartbeat has come to live; 0 not known. */
int32_t assigned_epoch(const struct assigned *a, const struct session_exchange *x);

/* True if what the member has live by now is what it had in the recording at that answer, or what
 * it was told there later. */
bool assigned_agrees(struct assigned *a, const struct session_exchange *x);

#endif
