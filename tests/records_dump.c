/* Writes what protocol/records.h reads, in the words of Kafka's classes. Owns nothing. */
#include "tests/records_dump.h"

#include "protocol/crc32c.h"
#include "protocol/records.h"

#define WHOLE_MAX 4096 /* bytes of a key or value that are shown whole */

static const char *type_name(enum timestamp_type type)
{
	return type == TIMESTAMP_NONE	  ? "NoTimestampType"
	       : type == TIMESTAMP_CREATE ? "CreateTime"
					  : "LogAppendTime";
}

static void put_hex(struct buf *out, const uint8_t *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = buf_room(out, n * 2);

	for (size_t i = 0; to && i < n; i++) {
		*to++ = (uint8_t)digits[data[i] >> 4];
		*to++ = (uint8_t)digits[data[i] & 15];
	}
	if (to)
		out->len += n * 2;
}

/* Long ones as "xFIRST16...LENGTH:CRC32C". */
static void put_bytes(struct buf *out, const char *before, const void *data, int32_t n)
{
	buf_text(out, before);
	if (!data) {
		buf_text(out, "null");
		return;
	}
	buf_text(out, "x");
	put_hex(out, data, n > WHOLE_MAX ? 16 : (size_t)n);
	if (n > WHOLE_MAX)
		buf_printf(out, "...%d:%x", n, crc32c(data, (size_t)n));
}

static void put_batch(struct buf *out, const struct batch *b)
{
	buf_printf(out, "batch magic=%d last=%lld codec=%s timestampType=%s maxTimestamp=%lld",
		   b->magic, (long long)b->last_offset, codec_name(b->codec),
		   type_name(b->timestamp_type), (long long)b->max_timestamp);
	if (b->magic == 2) {
		buf_printf(out, " base=%lld leaderEpoch=%d baseTimestamp=%lld producerId=%lld",
			   (long long)b->base_offset, b->partition_leader_epoch,
			   (long long)b->base_timestamp, (long long)b->producer_id);
		buf_printf(out,
			   " producerEpoch=%d baseSequence=%d count=%d transactional=%d control=%d",
			   b->producer_epoch, b->base_sequence, b->records_count, b->transactional,
			   b->control);
		if (b->has_delete_horizon)
			buf_printf(out, " deleteHorizon=%lld", (long long)b->base_timestamp);
	}
	buf_printf(out, " size=%d crc=%s\n", b->raw.len, batch_crc_ok(b) ? "ok" : "wrong");
}

static void put_record(struct buf *out, const struct batch *b, const struct record *r)
{
	struct control_record control;
	struct record_header h;
	size_t at = 0;

	buf_printf(out, "  offset=%lld timestamp=%lld sequence=%d", (long long)r->offset,
		   (long long)r->timestamp, r->sequence);
	if (b->control && control_record_read(r, &control, NULL) == 0)
		buf_printf(out, " control=%d:%d", control.type, control.coordinator_epoch);
	put_bytes(out, " key=", r->key.data, r->key.len);
	put_bytes(out, " value=", r->value.data, r->value.len);
	while (record_header_next(r, &at, &h)) {
		put_bytes(out, " header ", h.key.data, h.key.len);
		put_bytes(out, "=", h.value.data, h.value.len);
	}
	if (!record_crc_ok(r))
		buf_text(out, " crc=wrong");
	buf_text(out, "\n");
}

static int dump_batch(const struct batch *b, struct buf *scratch, struct buf *out, struct error *e)
{
	struct record_iter it;
	struct record r;
	int rc;

	put_batch(out, b);
	rc = record_iter_init(&it, b, scratch, e);
	while (!rc && (rc = record_next(&it, &r, e)) > 0) {
		put_record(out, b, &r);
		rc = 0;
	}
	return rc;
}

void records_dump(const void *data, size_t size, struct buf *scratch, struct buf *out,
		  struct error *e)
{
	struct records_reader reader;
	struct batch b;
	int rc;

	records_reader_init(&reader, data, size);
	while ((rc = records_next(&reader, &b, e)) > 0) {
		rc = dump_batch(&b, scratch, out, e);
		if (rc)
			break;
	}
	if (rc)
		buf_text(out, "error\n");
	else if (reader.partial)
		buf_printf(out, "partial %zu\n", reader.size - reader.at);
}
