/* The flow of a case as its page shows it: who said what to whom, in compact JSON, made from the
 * evidence by the decoder's own functions. */
#ifndef HARNESS_FLOW_H
#define HARNESS_FLOW_H

#include "base/buf.h"
#include "base/error.h"

#define FLOW_FILE	 "flow.json" /* in a case's folder, beside result.json */
#define FLOW_EVENTS_MAX	 1500	     /* of one case; what is beyond is counted, see below */
#define FLOW_MESSAGE_MAX 4000	     /* bytes of one message's text */
#define FLOW_TAIL_MAX	 4000	     /* bytes of each subject's output */

/*
 * Adds one JSON object: {"events":[...],"texts":[...],"outputs":[{"name","text"}]}. An event has
 * "k" (its kind) and "t" (wall clock, µs); times are not sorted, as an exchange is told when it
 * ends:
 *
 *	exchange: u (time of the answer, 0 none), c (connection), b (broker), id (client id), a
 *(API), v (version), n (correlation id), s (state), topics, g (group), x (transactional id), e
 *(error names), th (throttle ms), f (the rule that hit it), p (problems), q and r (the messages:
 *places in texts, absent if there is none) open, close, refused: c, b, how, from (the client's
 *address) rule: name, what, hit, c, n, text	log: what, topic, p, from, to, epoch, c, n cluster:
 *name, d (an object)		unmatched: c, b, size, why, client (who sent it) said: who, name,
 *count (of such lines in a row), line (the first of them) gap: count (events that were left out
 *here)
 *
 * Of many events the first and the last are kept, and between them what has to do with faults as
 * far as there is room. A text that is cut says so in its last line. Returns 0, or the code of a
 * file that can't be read, with *e.
 */
int flow_write(const char *folder, struct buf *out, struct error *e);

#endif
