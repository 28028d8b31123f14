/* What a case looks like to those who read it: lines for a terminal, result.json, JUnit XML. Writes
 * into buffers; prints nothing. */
#ifndef HARNESS_REPORT_H
#define HARNESS_REPORT_H

#include "base/buf.h"
#include "harness/trial.h"

/* What a report needs to know beside the trial itself. */
struct report_context {
	const struct case_plan *plan;
	const struct trial *trial;
	const char *client;		 /* label */
	const char *directory;		 /* of the case's files, as it shall be shown */
	const char *command;		 /* that runs this case again */
	int32_t repetition, repetitions; /* from 1 */
	bool files_kept;
};

/* One line if all is well; else that line and what a person needs to know. */
void report_text(const struct report_context *c, struct buf *out);
/* Each judgement and each rule that never fired, for `verify`; silent: also what had nothing to
 * judge. */
void report_findings(const struct trial *t, bool silent, struct buf *out);
/* result.json. */
void report_json(const struct report_context *c, struct buf *out);
/* One <testcase> element. */
void report_junit(const struct report_context *c, struct buf *out);
/* The file around them: all elements together, the counts, the seconds. */
void report_junit_file(struct str elements, const int32_t counts[VERDICT_COUNT], double seconds,
		       struct buf *out);
/* Text as it may stand in XML; characters that XML can't hold become U+FFFD. */
void report_xml_escape(struct buf *out, const char *text, size_t len);

#endif
