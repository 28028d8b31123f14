/* Events as JSON Lines: `decode -o json`, an object for each message, and `-o exchange`, an object
 * for each pair, which is also what exchanges.jsonl of a run holds. Keys may be added, what is
 * there keeps its meaning. */
#ifndef DECODER_JSONL_H
#define DECODER_JSONL_H

#include "base/buf.h"
#include "decoder/summary.h"
#include "trace/event.h"

enum jsonl_kind { JSONL_MESSAGES, JSONL_EXCHANGES };

/*
 * Adds the event's lines: of an exchange its messages or the pair; of unmatched bytes an object of
 * "type" (in pairs: "state") "unmatched". Other events have none. Names may be NULL. Returns true
 * if there were malformed bytes or a wrong CRC.
 *
 * A message: time, src, dst, conn, broker (if known), api, apiKey, version, correlationId,
 * clientId, type, size, frames [first, last packet] (if from packets), topics, group, member,
 * errors (of the pair), rule, body, embedded (decoder/embedded_json.h), problems [{kind, offset,
 * field, text}]; an answer also requestFrame, latencyUs (last byte to last byte), waitUs (to the
 * first), throttleMs. A pair: time
 * (of the request), client, server, conn, broker, api, apiKey, version, correlationId, clientId,
 * state (answered, no-answer, lost, orphan), requestSize, responseSize, requestFrames,
 * responseFrames, latencyUs, waitUs, throttleMs, topics, group, member, errors, rule, request,
 * response (bodies; null where there is none), embedded, problems (with "of": request or response).
 */
bool jsonl_event(struct buf *out, const struct event *ev, struct names *names,
		 enum jsonl_kind kind);

/* The same of an exchange that is summarized already. */
void jsonl_exchange(struct buf *out, struct exchange *x, const struct summary *s,
		    enum jsonl_kind kind);

#endif
