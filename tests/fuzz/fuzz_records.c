/* Reads, judges, changes and converts hostile records. The first byte chooses what more is done;
 * the rest is a blob as it stands in Produce or Fetch. What reads well must survive being
 * rewritten. */
#include "protocol/batch_builder.h"
#include "protocol/records_convert.h"

#include <stdlib.h>
#include <string.h>

#define EXPANDED_MAX ((size_t)1 << 20)
#define OUT_MAX	     ((size_t)16 << 20)

static void require(bool true_or_abort)
{
	if (!true_or_abort)
		abort();
}

static bool inside(struct bytes part, const void *data, size_t size)
{
	const uint8_t *from = data;

	return !part.data || (part.data >= from && part.data + part.len <= from + size);
}

/* Walks all of a batch; returns the number of records, or -1 if it is malformed. */
static int64_t walk_batch(const struct batch *b, struct buf *scratch, struct error *e)
{
	struct record_header h;
	struct record_iter it;
	struct record r;
	int64_t n = 0;
	int rc = record_iter_init(&it, b, scratch, e);

	require(scratch->cap <= EXPANDED_MAX + 1);
	while (!rc && (rc = record_next(&it, &r, e)) > 0) {
		struct control_record control;
		size_t at = 0;
		int32_t headers = 0;

		require(n++ < it.count);
		require(inside(r.raw, it.data, it.size) && inside(r.key, it.data, it.size));
		require(inside(r.value, it.data, it.size));
		while (record_header_next(&r, &at, &h))
			headers++;
		require(headers == r.headers_count);
		record_crc_ok(&r);
		control_record_read(&r, &control, NULL);
		rc = 0;
	}
	return rc ? -1 : n;
}

/* Returns the number of records, or -1 if anything was malformed. */
static int64_t walk(const uint8_t *data, size_t size, struct buf *scratch)
{
	struct records_reader reader;
	struct batch_finding finding;
	struct batch b;
	int64_t total = 0;
	int rc;

	records_reader_init(&reader, data, size);
	do {
		struct error e = ERROR_INIT;
		size_t at = reader.at;
		int64_t n;

		rc = records_next(&reader, &b, &e);
		require(rc < 0 ? e.code == rc : e.code == 0);
		require(reader.at <= size);
		if (rc < 0)
			total = -1;
		if (rc < 0 && reader.at == at)
			break;
		if (rc <= 0)
			continue;
		n = walk_batch(&b, scratch, &e);
		total = n < 0 || total < 0 ? -1 : total + n;
		if (!batch_validate(&b, TIMESTAMP_CREATE, scratch, &finding))
			require(finding.error_code != 0 && finding.text[0] != '\0');
	} while (rc != 0);
	return total;
}

static void convert(const uint8_t *data, size_t size, int64_t records, struct buf *scratch)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct buf out;
	int32_t count = -1;

	buf_init(&out, OUT_MAX);
	for (int8_t magic = 0; magic < 2; magic++) {
		buf_reset(&out);
		if (records_down_convert(data, size, magic, 0, scratch, &out, NULL) == 0 &&
		    records >= 0)
			require(walk(out.data, out.len, scratch) <= records);
	}
	buf_reset(&out);
	o.codec = CODEC_OF_PRODUCER;
	if (records_rewrite(data, size, &o, scratch, &out, &count, NULL) == 0 && records >= 0) {
		require(count == records);
		require(walk(out.data, out.len, scratch) == records);
	}
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf scratch;
	struct batch b;
	uint8_t *copy;
	int64_t records;

	if (size < 1)
		return 0;
	buf_init(&scratch, EXPANDED_MAX);
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	size--;
	/* A right CRC opens the way to what lies behind it. */
	if (batch_read(copy, size, &b, NULL) == 0 && (data[0] & 1))
		batch_seal(copy, size);
	records = walk(copy, size, &scratch);
	if (data[0] & 2)
		convert(copy, size, records, &scratch);
	if ((data[0] & 4) && batch_read(copy, size, &b, NULL) == 0) {
		batch_set_base_offset(copy, INT64_MAX);
		batch_set_max_timestamp(copy, size, TIMESTAMP_LOG_APPEND, 1);
		walk(copy, size, &scratch);
	}
	free(copy);
	buf_release(&scratch);
	return 0;
}
