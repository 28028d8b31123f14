/* Fetch sessions (KIP-227): what each holds, so that an incremental Fetch, which names only what
 * changed, can be told with all topics and partitions that it asks for. */
#ifndef DECODER_SESSIONS_H
#define DECODER_SESSIONS_H

#include "base/room.h"
#include "decoder/summary.h"
#include "trace/event.h"

#define SESSIONS_MAX		20000
#define SESSIONS_PARTITIONS_MAX 500000 /* of all together; the oldest session goes first */
#define SESSIONS_RESOLVED_MAX	2000   /* partitions that a Fetch is told to ask for */

struct sessions;

/* Memory is taken from room; where it is full the oldest session goes. NULL: the limits above. */
struct sessions *sessions_new(struct room *room);
void sessions_free(struct sessions *ss); /* NULL is fine */

/* To be called with every exchange behind summarize: learns, and of an incremental Fetch adds the
 * session and what it holds to *s. Of a session that began before the capture only that is known
 * which was named since. names: of topic ids; may be NULL. */
void sessions_resolve(struct sessions *ss, struct exchange *x, const struct names *names,
		      struct summary *s);

#endif
