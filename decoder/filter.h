/* Filter expressions over a pair of messages: `decode -Y`, `replay -Y`. The language is described
 *in docs/filter.md.
 *
 *	api == Produce && topic == "orders" && latency > 50ms
 *
 * Read once, with every mistake named at its place; then asked for each exchange. Fields of the
 * request also select the answer, and the reverse: what is asked is the pair. */
#ifndef DECODER_FILTER_H
#define DECODER_FILTER_H

#include "base/buf.h"
#include "decoder/summary.h"
#include "trace/event.h"

#define FILTER_TEXT_MAX	 65536
#define FILTER_DEPTH_MAX 64   /* parentheses and ! inside each other */
#define FILTER_TESTS_MAX 1024 /* comparisons of one filter */

struct filter;

/* Reads an expression. NULL with *e (ERR_USAGE; offset: where in text) when it can't be. text is
 * copied. */
struct filter *filter_new(struct str text, struct error *e);

/* NULL is fine. */
void filter_free(struct filter *f);

/* Whether the pair passes. s: what summarize found in x. */
bool filter_matches(const struct filter *f, struct exchange *x, const struct summary *s);

/* True if it asks for a field whose name begins so: "topic", "broker". What later messages tell of
 * such must be known before. */
bool filter_about(const struct filter *f, const char *field);

/* The expression's line with a caret below offset, for a message about it. */
void filter_point(struct buf *out, struct str text, size_t offset);

#endif
