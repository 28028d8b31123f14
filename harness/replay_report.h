/* What a replay as client found, for people and for machines: a line for each difference, JSON
 * Lines, JUnit XML, a summary. Writes into buffers; prints nothing. */
#ifndef HARNESS_REPLAY_REPORT_H
#define HARNESS_REPLAY_REPORT_H

#include "base/buf.h"
#include "harness/replay_client.h"

#define REPLAY_LINES_OF_A_FIELD 10 /* differences that are shown of one field; more are counted */

struct replay_report;

/* names: what the two sides are called ("recorded", "live"). */
struct replay_report *replay_report_new(const char *recorded, const char *live);
void replay_report_free(struct replay_report *r); /* NULL is fine */

/* Takes each result, and writes what it has to say: as lines, or as one JSON object with its line
 * end; verbose: also of what is equal. */
void replay_report_take(struct replay_report *r, const struct replay_result *result, bool json,
			bool verbose, struct buf *out);

/* The end: lines, or one JSON object {"summary": ...}. */
void replay_report_summary(const struct replay_report *r, const struct replay_totals *t,
			   const struct session *s, bool json, struct buf *out);

/* A test case for each API. */
void replay_report_junit(const struct replay_report *r, const char *name, double seconds,
			 struct buf *out);

#endif
