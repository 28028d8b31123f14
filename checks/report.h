/* What a subject says: one line of Kafka's VerifiableProducer or VerifiableConsumer, read. */
#ifndef CHECKS_REPORT_H
#define CHECKS_REPORT_H

#include "base/str.h"

enum report_kind {
	REPORT_OTHER, /* an event whose name we do not know: ignored by contract */
	REPORT_STARTUP,
	REPORT_SHUTDOWN,
	REPORT_SEND_ATTEMPT,
	REPORT_SEND_SUCCESS,
	REPORT_SEND_ERROR,
	REPORT_TOOL_DATA,
	REPORT_ASSIGNED,
	REPORT_REVOKED,
	REPORT_LOST,
	REPORT_RECORD,
	REPORT_CONSUMED,
	REPORT_COMMITTED,
	REPORT_TRANSACTION,
	REPORT_UNSUPPORTED,
};

/* One element of partitions[] or offsets[]. What the line lacks is -1, or null. */
struct report_part {
	struct str topic;
	int32_t partition;
	int64_t offset; /* of a commit: the next offset to read; of records_consumed: minOffset */
	int64_t max_offset, count;
	struct str error;
};

/* Views live until report_release. Absent fields are null or -1. */
struct report {
	enum report_kind kind;
	struct str name;
	struct str key, value, topic,
		message;	     /* message: of an error, else an unsupported's reason */
	struct str exception, state; /* state: of a transaction */
	int32_t partition;
	int64_t offset;
	int64_t sent, acked; /* tool_data */
	bool success;	     /* offsets_committed; true when absent */
	struct report_part *parts;
	int32_t parts_count;
	void *json; /* jansson's, owned */
};

/* Reads one line; false if it is not a JSON object with a name (then nothing is to be released). */
bool report_read(struct str line, struct report *ret_report);
void report_release(struct report *r);

#endif
