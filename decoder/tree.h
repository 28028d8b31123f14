/* Events as trees: each message's line, then all its fields with their place in the frame. */
#ifndef DECODER_TREE_H
#define DECODER_TREE_H

#include "base/buf.h"
#include "decoder/summary.h"
#include "trace/event.h"

enum tree_values { TREE_VALUES_NONE, TREE_VALUES_TEXT, TREE_VALUES_HEX };

/*
 * Adds the event. A field's line is its offset in the frame (behind the length), its size on the
 * wire where it has one of its own, and name: value, indented by depth; a topic id has the topic's
 * name beside it, where it is known. Records are opened,
 * compressed ones, too (their places are then those in the expanded bytes); values says how keys,
 * values and headers are shown. What is malformed is shown up to there. Other events are
 * text_event's. Returns true if there were malformed bytes or a wrong CRC.
 */
bool tree_event(struct buf *out, const struct event *ev, struct names *names,
		enum tree_values values, bool verbose);

/* The same of an exchange that is summarized already. */
void tree_exchange(struct buf *out, struct exchange *x, const struct summary *s,
		   enum tree_values values);

/* One message's fields alone, without its line. Nothing if its frame is not there. */
void tree_message(struct buf *out, const struct exchange *x, bool response,
		  const struct names *names, enum tree_values values);

#endif
