/* Judges batches of clients as a broker does (Kafka's LogValidator and the checks before it).
 * Invariant: the first problem, in the broker's order, is the finding. Leaves topic rules and the
 * number of batches in a request to the mock. */
#include "protocol/records.h"

#include "protocol/records_bytes.h"

#include <stdarg.h>
#include <stdio.h>

/* Kafka's error codes that a wrong batch is answered with. */
enum {
	UNKNOWN_SERVER_ERROR = -1,
	CORRUPT_MESSAGE = 2,
	MESSAGE_TOO_LARGE = 10,
	INVALID_TIMESTAMP = 32,
	INVALID_RECORD = 87
};

static const struct {
	const char *name;
	int16_t error_code;
} problems[BATCH_PROBLEM_COUNT] = {
	[BATCH_OK] = {"OK", 0},
	[BATCH_BASE_OFFSET] = {"BASE_OFFSET", INVALID_RECORD},
	[BATCH_CRC] = {"CRC", CORRUPT_MESSAGE},
	[BATCH_CODEC] = {"CODEC", UNKNOWN_SERVER_ERROR},
	[BATCH_OFFSET_RANGE] = {"OFFSET_RANGE", INVALID_RECORD},
	[BATCH_COUNT] = {"COUNT", INVALID_RECORD},
	[BATCH_COUNT_MISMATCH] = {"COUNT_MISMATCH", INVALID_RECORD},
	[BATCH_CONTROL] = {"CONTROL", INVALID_RECORD},
	[BATCH_SEQUENCE] = {"SEQUENCE", INVALID_RECORD},
	[BATCH_EXPAND] = {"EXPAND", UNKNOWN_SERVER_ERROR},
	[BATCH_EXPAND_LIMIT] = {"EXPAND_LIMIT", MESSAGE_TOO_LARGE},
	[BATCH_RECORDS] = {"RECORDS", INVALID_RECORD},
	[BATCH_RECORD_MAGIC] = {"RECORD_MAGIC", INVALID_RECORD},
	[BATCH_RECORD_CODEC] = {"RECORD_CODEC", INVALID_RECORD},
	[BATCH_RECORD_CRC] = {"RECORD_CRC", CORRUPT_MESSAGE},
	/* A broker sets out to renumber the records, but has skipped their keys and values. */
	[BATCH_RECORD_OFFSET] = {"RECORD_OFFSET", UNKNOWN_SERVER_ERROR},
	[BATCH_TIMESTAMP_TYPE] = {"TIMESTAMP_TYPE", INVALID_TIMESTAMP},
};

const char *batch_problem_name(enum batch_problem p)
{
	return p < BATCH_PROBLEM_COUNT ? problems[p].name : "?";
}

static bool found(struct batch_finding *f, enum batch_problem problem, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool found(struct batch_finding *f, enum batch_problem problem, const char *fmt, ...)
{
	va_list args;

	f->problem = problem;
	f->error_code = problems[problem].error_code;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	return true;
}

static bool wrong_header(const struct batch *b, struct batch_finding *f)
{
	uint32_t crc = batch_crc(b);

	if (b->magic == 2 && b->base_offset != 0)
		return found(f, BATCH_BASE_OFFSET, "baseOffset is %lld; a producer writes 0",
			     (long long)b->base_offset);
	if (crc != b->crc)
		return found(f, BATCH_CRC, "the stored CRC is %08x, the bytes give %08x", b->crc,
			     crc);
	if (!batch_codec_ok(b))
		return found(f, BATCH_CODEC, "codec %d does not exist in magic %d", b->codec,
			     b->magic);
	if (b->magic < 2)
		return false;
	if (b->last_offset_delta < 0)
		return found(f, BATCH_OFFSET_RANGE, "lastOffsetDelta is %d", b->last_offset_delta);
	if (b->records_count <= 0)
		return found(f, BATCH_COUNT, "recordsCount is %d", b->records_count);
	if (b->records_count - 1 != b->last_offset_delta)
		return found(f, BATCH_COUNT_MISMATCH, "recordsCount is %d but lastOffsetDelta %d",
			     b->records_count, b->last_offset_delta);
	if (b->control)
		return found(f, BATCH_CONTROL, "a client may not write control batches");
	if (b->producer_id >= 0 && b->base_sequence < 0)
		return found(f, BATCH_SEQUENCE, "producerId %lld without a baseSequence (%d)",
			     (long long)b->producer_id, b->base_sequence);
	return false;
}

/* LogAppendTime is noted but the search goes on: a broker gathers such errors of records and throws
 * at whatever is worse. */
static void check_timestamp_type(const struct batch *b, enum timestamp_type topic_type,
				 const struct record *r, struct batch_finding *f)
{
	if (b->timestamp_type != TIMESTAMP_LOG_APPEND || f->problem != BATCH_OK)
		return;
	if (topic_type == TIMESTAMP_CREATE && r->timestamp != -1)
		return;
	found(f, BATCH_TIMESTAMP_TYPE, "a producer may not set LogAppendTime");
	f->record_index = r->index;
}

static bool wrong_record(const struct batch *b, const struct record *r, struct batch_finding *f)
{
	f->record_index = r->index;
	if (r->magic != b->magic)
		return found(f, BATCH_RECORD_MAGIC, "record %d has magic %d inside magic %d",
			     r->index, r->magic, b->magic);
	if (b->codec && !record_crc_ok(r))
		return found(f, BATCH_RECORD_CRC, "record %d has a wrong CRC", r->index);
	if (b->codec && b->magic > 0 && r->offset_on_wire != r->index)
		f->renumber = true;
	return false;
}

/* Goes past as many records as a glance is enough for: nearly always all of them. */
static void skim(struct record_iter *it, struct batch_finding *f)
{
	const struct batch *b = it->batch;
	struct record_skim seen;

	if (b->timestamp_type == TIMESTAMP_LOG_APPEND)
		return;
	record_skim(it, &seen);
	if (b->codec && !seen.in_order)
		f->renumber = true;
	if (seen.max_timestamp > f->max_timestamp)
		f->max_timestamp = seen.max_timestamp;
	f->records_count += seen.count;
}

static bool wrong_records(const struct batch *b, enum timestamp_type topic_type,
			  struct buf *scratch, struct batch_finding *f)
{
	struct record_iter it;
	struct record r;
	struct error e = ERROR_INIT;
	int rc = record_iter_init(&it, b, scratch, &e);

	if (rc == ERR_LIMIT)
		return found(f, BATCH_EXPAND_LIMIT, "%s", e.text);
	if (rc)
		return found(f, it.expand_failed ? BATCH_EXPAND : BATCH_RECORDS, "%s", e.text);
	for (;;) {
		int32_t index = f->record_index;

		skim(&it, f);
		rc = record_next(&it, &r, &e);
		if (rc <= 0)
			break;
		if (wrong_record(b, &r, f))
			return true;
		f->record_index = index;
		check_timestamp_type(b, topic_type, &r, f);
		f->records_count++;
		if (r.timestamp > f->max_timestamp)
			f->max_timestamp = r.timestamp;
	}
	if (rc == 0 && f->problem == BATCH_OK && f->renumber && b->magic == 2)
		return found(f, BATCH_RECORD_OFFSET,
			     "offsetDeltas inside a compressed batch are not 0, 1, 2, ...");
	if (rc == 0)
		return f->problem != BATCH_OK;
	f->record_index = it.index;
	/* Inside a wrapper a broker looks at the CRC before anything else. */
	if (it.expanded && b->magic < 2 && !record_crc_ok(&r))
		return found(f, BATCH_RECORD_CRC, "record %d has a wrong CRC", it.index);
	if (it.expanded && b->magic < 2 && (r.attributes & ATTRIBUTE_CODEC))
		return found(f, BATCH_RECORD_CODEC, "record %d: %s", it.index, e.text);
	return found(f, BATCH_RECORDS, "record %d: %s", it.index, e.text);
}

bool batch_validate(const struct batch *b, enum timestamp_type topic_type, struct buf *scratch,
		    struct batch_finding *ret_finding)
{
	struct batch_finding *f = ret_finding;

	*f = (struct batch_finding){.record_index = -1, .max_timestamp = -1};
	return !wrong_header(b, f) && !wrong_records(b, topic_type, scratch, f);
}
