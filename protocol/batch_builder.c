/* Writes batches and messages. Invariants: the header's room is taken first and filled at the end;
 * records go straight to out, or to `plain` when they are to be compressed; the first error sticks
 * and the end takes everything back. Leaves the choice of offsets, epochs and times to its callers.
 */
#include "protocol/batch_builder.h"

#include "protocol/crc32c.h"
#include "protocol/records_bytes.h"

#include <assert.h>

#define VARINT_MAX  5
#define VARLONG_MAX 10

static size_t seven_bits_put(uint8_t *to, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = (uint8_t)(v | 0x80);
	to[n++] = (uint8_t)v;
	return n;
}

static size_t seven_bits_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static uint64_t zigzag32(int32_t v)
{
	return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static uint64_t zigzag64(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

size_t varint_put(uint8_t *to, int32_t v)
{
	return seven_bits_put(to, zigzag32(v));
}

size_t varlong_put(uint8_t *to, int64_t v)
{
	return seven_bits_put(to, zigzag64(v));
}

/* --- start --- */

static void check_options(struct batch_builder *b)
{
	const struct batch_options *o = &b->options;

	if (o->magic < 0 || o->magic > 2)
		error_set(&b->error, ERR_USAGE, "magic %d does not exist", o->magic);
	else if (o->codec >= CODEC_COUNT || (o->codec == CODEC_ZSTD && o->magic < 2))
		error_set(&b->error, ERR_USAGE, "codec %d does not exist in magic %d", o->codec,
			  o->magic);
	else if (o->magic < 2 &&
		 (o->transactional || o->control || o->has_delete_horizon || o->producer_id != -1))
		error_set(&b->error, ERR_USAGE,
			  "messages of magic %d have no producer, transaction or control bits",
			  o->magic);
	else if (o->magic > 0 && o->timestamp_type == TIMESTAMP_NONE)
		error_set(&b->error, ERR_USAGE, "magic %d needs a timestamp type", o->magic);
}

/* Bytes that stand before the records: magic 2's header, or that of a compressed wrapper with its
 * null key. */
static size_t header_size(const struct batch_options *o)
{
	if (o->magic == 2)
		return BATCH_AT_RECORDS;
	if (o->codec == CODEC_NONE)
		return 0;
	return (o->magic ? MESSAGE_AT_KEY_V1 : MESSAGE_AT_KEY_V0) + 8;
}

void batch_builder_init_again(struct batch_builder *b, const struct batch_options *options,
			      struct buf *out)
{
	struct buf plain = b->plain;
	size_t size = header_size(options);
	uint8_t *to;

	buf_reset(&plain);
	*b = (struct batch_builder){.options = *options,
				    .out = out,
				    .plain = plain,
				    .start = out->len,
				    .next_offset = options->base_offset,
				    .last_offset = options->base_offset,
				    .base_timestamp = -1,
				    .max_timestamp = -1,
				    .error = ERROR_INIT};
	check_options(b);
	to = buf_room(out, size);
	if (!to || b->error.code)
		return;
	memset(to, 0, size);
	out->len += size;
}

void batch_builder_init(struct batch_builder *b, const struct batch_options *options,
			struct buf *out)
{
	buf_init(&b->plain, RECORDS_EXPANDED_MAX);
	batch_builder_init_again(b, options, out);
}

void batch_builder_release(struct batch_builder *b)
{
	buf_release(&b->plain);
}

static struct buf *records_of(struct batch_builder *b)
{
	return b->options.codec == CODEC_NONE ? b->out : &b->plain;
}

/* --- one record --- */

static size_t bytes_size(struct bytes v)
{
	return v.data ? seven_bits_size(zigzag32(v.len)) + (size_t)v.len : 1;
}

static uint8_t *put_bytes(uint8_t *to, struct bytes v)
{
	to += varint_put(to, v.data ? v.len : -1);
	if (v.data && v.len > 0)
		memcpy(to, v.data, (size_t)v.len);
	return to + (v.data ? v.len : 0);
}

static struct bytes header_key(const struct record_header *h)
{
	return (struct bytes){(const uint8_t *)(h->key.data ? h->key.data : ""),
			      h->key.data ? h->key.len : 0};
}

/* Room for a record of magic 2 with `tail` bytes of headers to come; writes all before them. */
static uint8_t *put_record(struct batch_builder *b, int64_t timestamp_delta, int32_t offset_delta,
			   struct bytes key, struct bytes value, size_t tail)
{
	struct buf *to = records_of(b);
	size_t size = 1 + seven_bits_size(zigzag64(timestamp_delta)) +
		      seven_bits_size(zigzag32(offset_delta)) + bytes_size(key) +
		      bytes_size(value) + tail;
	uint8_t *p;

	if (size > INT32_MAX) {
		error_set(&b->error, ERR_LIMIT, "a record of %zu bytes", size);
		return NULL;
	}
	p = buf_room(to, size + VARINT_MAX);
	if (!p)
		return NULL;
	p += varint_put(p, (int32_t)size);
	to->len = (size_t)(p - to->data) + size;
	*p++ = 0;
	p += varlong_put(p, timestamp_delta);
	p += varint_put(p, offset_delta);
	return put_bytes(put_bytes(p, key), value);
}

static void add_record(struct batch_builder *b, int64_t timestamp_delta, int32_t offset_delta,
		       struct bytes key, struct bytes value, const struct record_header *headers,
		       int32_t n)
{
	size_t tail = seven_bits_size(zigzag32(n));
	uint8_t *p;

	for (int32_t i = 0; i < n; i++)
		tail += bytes_size(header_key(&headers[i])) + bytes_size(headers[i].value);
	p = put_record(b, timestamp_delta, offset_delta, key, value, tail);
	if (!p)
		return;
	p += varint_put(p, n);
	for (int32_t i = 0; i < n; i++)
		p = put_bytes(put_bytes(p, header_key(&headers[i])), headers[i].value);
}

static void put_message_bytes(struct buf *to, struct bytes v)
{
	buf_be32(to, v.data ? (uint32_t)v.len : UINT32_MAX);
	if (v.data)
		buf_add(to, v.data, (size_t)v.len);
}

static void add_message(struct batch_builder *b, int64_t offset, int64_t timestamp,
			struct bytes key, struct bytes value)
{
	const struct batch_options *o = &b->options;
	struct buf *to = records_of(b);
	size_t start = to->len;
	bool log_append = o->magic && o->timestamp_type == TIMESTAMP_LOG_APPEND;

	buf_be64(to, (uint64_t)(o->magic && o->codec ? sub_wrapping(offset, b->options.base_offset)
						     : offset));
	buf_be32(to, 0);
	buf_be32(to, 0);
	buf_byte(to, (uint8_t)o->magic);
	buf_byte(to, log_append ? ATTRIBUTE_LOG_APPEND_TIME : 0);
	if (o->magic)
		buf_be64(to, (uint64_t)(log_append ? o->log_append_time : timestamp));
	put_message_bytes(to, key);
	put_message_bytes(to, value);
	if (to->bad)
		return;
	if (to->len - start > INT32_MAX) {
		error_set(&b->error, ERR_LIMIT, "a message of %zu bytes", to->len - start);
		return;
	}
	put_i32(to->data + start + BATCH_AT_LENGTH,
		(int32_t)(to->len - start - BATCH_LOG_OVERHEAD));
	batch_seal(to->data + start, to->len - start);
}

/* Checks an offset and notes what the header will say. False if the record is not to be written. */
static bool note(struct batch_builder *b, int64_t offset, int64_t timestamp, int32_t headers)
{
	const struct batch_options *o = &b->options;

	if (b->count > 0 && offset <= b->last_offset)
		error_set(&b->error, ERR_USAGE, "offset %lld does not follow %lld",
			  (long long)offset, (long long)b->last_offset);
	else if (offset < o->base_offset ||
		 (o->magic == 2 && (uint64_t)offset - (uint64_t)o->base_offset > INT32_MAX))
		error_set(&b->error, ERR_USAGE, "offset %lld does not fit a batch from %lld on",
			  (long long)offset, (long long)o->base_offset);
	else if (o->magic < 2 && headers > 0)
		error_set(&b->error, ERR_USAGE, "messages of magic %d have no headers", o->magic);
	if (b->error.code)
		return false;
	if (b->count == 0)
		b->base_timestamp = o->has_delete_horizon ? o->delete_horizon_ms : timestamp;
	if (b->count == 0 || timestamp > b->max_timestamp)
		b->max_timestamp = timestamp;
	b->last_offset = offset;
	b->next_offset = add_wrapping(offset, 1);
	b->count++;
	return true;
}

void batch_builder_add_at(struct batch_builder *b, int64_t offset, int64_t timestamp,
			  struct bytes key, struct bytes value, const struct record_header *headers,
			  int32_t n)
{
	if (!note(b, offset, timestamp, n))
		return;
	if (b->options.magic == 2)
		add_record(b, sub_wrapping(timestamp, b->base_timestamp),
			   (int32_t)(offset - b->options.base_offset), key, value, headers, n);
	else
		add_message(b, offset, timestamp, key, value);
}

void batch_builder_add(struct batch_builder *b, int64_t timestamp, struct bytes key,
		       struct bytes value, const struct record_header *headers, int32_t n)
{
	batch_builder_add_at(b, b->next_offset, timestamp, key, value, headers, n);
}

void batch_builder_add_record(struct batch_builder *b, const struct record *r)
{
	size_t tail = seven_bits_size(zigzag32(r->headers_count)) + (size_t)r->headers.len;
	uint8_t *p;

	if (b->options.magic < 2 || r->headers_count == 0) {
		batch_builder_add_at(b, r->offset, r->timestamp, r->key, r->value, NULL, 0);
		return;
	}
	if (!note(b, r->offset, r->timestamp, r->headers_count))
		return;
	p = put_record(b, sub_wrapping(r->timestamp, b->base_timestamp),
		       (int32_t)(r->offset - b->options.base_offset), r->key, r->value, tail);
	if (!p)
		return;
	p += varint_put(p, r->headers_count);
	memcpy(p, r->headers.data, (size_t)r->headers.len);
}

/* --- end --- */

static int16_t attributes_of(const struct batch_options *o)
{
	int attributes = o->codec;

	if (o->magic && o->timestamp_type == TIMESTAMP_LOG_APPEND)
		attributes |= ATTRIBUTE_LOG_APPEND_TIME;
	if (o->transactional)
		attributes |= ATTRIBUTE_TRANSACTIONAL;
	if (o->control)
		attributes |= ATTRIBUTE_CONTROL;
	if (o->has_delete_horizon)
		attributes |= ATTRIBUTE_DELETE_HORIZON;
	return (int16_t)attributes;
}

static int64_t batch_timestamp(const struct batch_builder *b)
{
	return b->options.timestamp_type == TIMESTAMP_LOG_APPEND ? b->options.log_append_time
								 : b->max_timestamp;
}

static void fill_batch(const struct batch_builder *b, uint8_t *p, size_t size)
{
	const struct batch_options *o = &b->options;

	put_i64(p + BATCH_AT_BASE_OFFSET, o->base_offset);
	put_i32(p + BATCH_AT_LENGTH, (int32_t)(size - BATCH_LOG_OVERHEAD));
	put_i32(p + BATCH_AT_LEADER_EPOCH, o->partition_leader_epoch);
	p[BATCH_AT_MAGIC] = 2;
	put_i16(p + BATCH_AT_ATTRIBUTES, attributes_of(o));
	put_i32(p + BATCH_AT_LAST_OFFSET_DELTA,
		o->last_offset_delta >= 0 ? o->last_offset_delta
					  : (int32_t)(b->last_offset - o->base_offset));
	put_i64(p + BATCH_AT_BASE_TIMESTAMP,
		b->count == 0 && o->has_delete_horizon ? o->delete_horizon_ms : b->base_timestamp);
	put_i64(p + BATCH_AT_MAX_TIMESTAMP, batch_timestamp(b));
	put_i64(p + BATCH_AT_PRODUCER_ID, o->producer_id);
	put_i16(p + BATCH_AT_PRODUCER_EPOCH, o->producer_epoch);
	put_i32(p + BATCH_AT_BASE_SEQUENCE, o->base_sequence);
	put_i32(p + BATCH_AT_COUNT, b->count);
	batch_seal(p, size);
}

static void fill_wrapper(const struct batch_builder *b, uint8_t *p, size_t size)
{
	uint8_t *key = p + (b->options.magic ? MESSAGE_AT_KEY_V1 : MESSAGE_AT_KEY_V0);

	put_i64(p + BATCH_AT_BASE_OFFSET, b->last_offset);
	put_i32(p + BATCH_AT_LENGTH, (int32_t)(size - BATCH_LOG_OVERHEAD));
	p[MESSAGE_AT_MAGIC] = (uint8_t)b->options.magic;
	p[MESSAGE_AT_ATTRIBUTES] = (uint8_t)attributes_of(&b->options);
	if (b->options.magic)
		put_i64(p + MESSAGE_AT_TIMESTAMP, batch_timestamp(b));
	put_i32(key, -1);
	put_i32(key + 4, (int32_t)(size - (size_t)(key + 8 - p)));
	batch_seal(p, size);
}

static int finish(struct batch_builder *b)
{
	const struct batch_options *o = &b->options;
	size_t size;

	if (b->plain.bad)
		return error_set(&b->error, ERR_LIMIT, "the records pass the limit of %zu bytes",
				 b->plain.max);
	if (b->out->bad)
		return error_set(&b->error, ERR_LIMIT,
				 "the batch does not fit the limit of %zu bytes", b->out->max);
	if (b->count == 0 && o->magic < 2) {
		b->out->len = b->start;
		return 0;
	}
	if (o->codec && b->count > 0 &&
	    codec_compress(o->codec, b->plain.data, b->plain.len, &o->codec_options, b->out,
			   &b->error))
		return b->error.code;
	size = b->out->len - b->start;
	if (size > INT32_MAX)
		return error_set(&b->error, ERR_LIMIT, "a batch of %zu bytes", size);
	if (o->magic == 2)
		fill_batch(b, b->out->data + b->start, size);
	else if (o->codec)
		fill_wrapper(b, b->out->data + b->start, size);
	return 0;
}

int batch_builder_end(struct batch_builder *b, struct error *e)
{
	if (!b->error.code)
		finish(b);
	if (!b->error.code)
		return 0;
	b->out->len = b->start;
	return error_at(e, b->error.code, b->error.offset, b->error.field, "%s", b->error.text);
}

int batch_write_marker(struct buf *out, int64_t base_offset, int64_t timestamp,
		       int32_t partition_leader_epoch, int64_t producer_id, int16_t producer_epoch,
		       bool commit, int32_t coordinator_epoch, struct error *e)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	uint8_t key[4] = {0}, value[6] = {0};
	int rc;

	options.base_offset = base_offset;
	options.partition_leader_epoch = partition_leader_epoch;
	options.producer_id = producer_id;
	options.producer_epoch = producer_epoch;
	options.transactional = options.control = true;
	put_i16(key + 2, commit ? CONTROL_COMMIT : CONTROL_ABORT);
	put_i32(value + 2, coordinator_epoch);
	batch_builder_init(&b, &options, out);
	batch_builder_add(&b, timestamp, (struct bytes){key, sizeof(key)},
			  (struct bytes){value, sizeof(value)}, NULL, 0);
	rc = batch_builder_end(&b, e);
	batch_builder_release(&b);
	return rc;
}
