/* Events as lines for a person: one for each message, request before answer. */
#ifndef DECODER_TEXT_H
#define DECODER_TEXT_H

#include "base/buf.h"
#include "decoder/summary.h"
#include "trace/event.h"

/* Adds the event's lines, each with its line end. verbose: connections, log, cluster, reports, and
 * marks, too. Names may be NULL. Returns true if there were malformed bytes or a wrong CRC. */
bool text_event(struct buf *out, const struct event *ev, struct names *names, bool verbose);

/* The same of an exchange that is summarized already. */
void text_exchange(struct buf *out, const struct exchange *x, const struct summary *s);

/* One message's line: the request's, or the answer's. */
void text_message(struct buf *out, const struct exchange *x, const struct summary *s,
		  bool response);

/* Text from the wire as it may stand in a line: control characters, blanks and what is no UTF-8 as
 * their code, cut behind max characters. */
void text_put(struct buf *out, struct str s, int32_t max);

/* The same into an array, cut to what fits; "" of nothing. */
void text_copy(char *to, size_t size, struct str s);

/* The same of a sentence: its blanks stay blanks. */
void text_words(char *to, size_t size, struct str s);

#endif
