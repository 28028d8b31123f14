/* Reads batches and messages and walks their records. Invariants: nothing is read outside the bytes
 * given, nothing is allocated but by expansion, and every length is checked against what is left
 * before it is used. Leaves judgement of well-formed batches to batch_validate.c and writing to
 * batch_builder.c. */
#include "protocol/records.h"

#include "protocol/crc32c.h"
#include "protocol/records_bytes.h"

#include <assert.h>
#include <stdio.h>

#define RECORD_SIZE_MIN \
	7 /* magic 2: length, attributes, two deltas, two lengths, header count: a byte each */
#define FIELD_SIZE 96

static const int32_t length_min[] = {14, 22, BATCH_AT_RECORDS - BATCH_LOG_OVERHEAD}; /* by magic */

/* --- batches --- */

void records_reader_init(struct records_reader *r, const void *data, size_t size)
{
	*r = (struct records_reader){.data = data, .size = size};
}

static int fail_batch(struct error *e, int code, const struct records_reader *r, int where,
		      const char *name, const char *text, int64_t value)
{
	char field[FIELD_SIZE];

	snprintf(field, sizeof(field), "batches[%d].%s", r->index, name);
	return error_at(e, code, r->at + (size_t)where, field, text, (long long)value);
}

static void read_attributes(struct batch *b)
{
	b->codec = (uint8_t)(b->attributes & ATTRIBUTE_CODEC);
	if (b->magic == 0)
		b->timestamp_type = TIMESTAMP_NONE;
	else
		b->timestamp_type = b->attributes & ATTRIBUTE_LOG_APPEND_TIME ? TIMESTAMP_LOG_APPEND
									      : TIMESTAMP_CREATE;
	if (b->magic < 2)
		return;
	b->transactional = b->attributes & ATTRIBUTE_TRANSACTIONAL;
	b->control = b->attributes & ATTRIBUTE_CONTROL;
	b->has_delete_horizon = b->attributes & ATTRIBUTE_DELETE_HORIZON;
}

static void read_message_header(struct batch *b, const uint8_t *p)
{
	b->crc = get_u32(p + MESSAGE_AT_CRC);
	b->attributes = (int8_t)p[MESSAGE_AT_ATTRIBUTES];
	read_attributes(b);
	b->partition_leader_epoch = -1;
	b->base_timestamp = b->max_timestamp = b->magic ? get_i64(p + MESSAGE_AT_TIMESTAMP) : -1;
	b->producer_id = -1;
	b->producer_epoch = -1;
	b->base_sequence = -1;
	b->records_count = b->codec == CODEC_NONE ? 1 : -1;
	b->last_offset = b->base_offset;
	b->content = b->raw;
}

static void read_batch_header(struct batch *b, const uint8_t *p)
{
	b->partition_leader_epoch = get_i32(p + BATCH_AT_LEADER_EPOCH);
	b->crc = get_u32(p + BATCH_AT_CRC);
	b->attributes = get_i16(p + BATCH_AT_ATTRIBUTES);
	read_attributes(b);
	b->last_offset_delta = get_i32(p + BATCH_AT_LAST_OFFSET_DELTA);
	b->base_timestamp = get_i64(p + BATCH_AT_BASE_TIMESTAMP);
	b->max_timestamp = get_i64(p + BATCH_AT_MAX_TIMESTAMP);
	b->producer_id = get_i64(p + BATCH_AT_PRODUCER_ID);
	b->producer_epoch = get_i16(p + BATCH_AT_PRODUCER_EPOCH);
	b->base_sequence = get_i32(p + BATCH_AT_BASE_SEQUENCE);
	b->records_count = get_i32(p + BATCH_AT_COUNT);
	b->last_offset = add_wrapping(b->base_offset, b->last_offset_delta);
	b->content = (struct bytes){p + BATCH_AT_RECORDS, b->raw.len - BATCH_AT_RECORDS};
}

/* Checks the length at p by the magic's minimum. */
static int check_length(struct records_reader *r, int32_t length, int8_t magic, bool whole,
			struct error *e)
{
	int rc = 0;

	if (length < length_min[0] || length > INT32_MAX - BATCH_LOG_OVERHEAD)
		return fail_batch(e, ERR_MALFORMED, r, BATCH_AT_LENGTH, "batchLength",
				  "length %lld is impossible: the smallest message takes 14",
				  length);
	if (magic < 0 || magic > 2)
		rc = fail_batch(e, ERR_UNSUPPORTED, r, BATCH_AT_MAGIC, "magic",
				"magic %lld is unknown; 0, 1 and 2 exist", magic);
	else if (length < length_min[magic])
		rc = fail_batch(e, ERR_MALFORMED, r, BATCH_AT_LENGTH, "batchLength",
				"length %lld is less than the header of this magic takes", length);
	if (rc && whole) {
		r->at += BATCH_LOG_OVERHEAD + (size_t)length;
		r->index++;
	}
	return rc;
}

int records_next(struct records_reader *r, struct batch *ret_batch, struct error *e)
{
	size_t left = r->size - r->at;
	const uint8_t *p;
	int32_t length;
	int8_t magic;
	bool whole;
	int rc;

	if (left <= BATCH_AT_MAGIC) {
		r->partial = left > 0;
		return 0;
	}
	p = r->data + r->at;
	length = get_i32(p + BATCH_AT_LENGTH);
	magic = (int8_t)p[BATCH_AT_MAGIC];
	whole = length > 0 && (size_t)length <= left - BATCH_LOG_OVERHEAD;
	rc = check_length(r, length, magic, whole, e);
	if (rc)
		return rc;
	if (!whole) {
		r->partial = true;
		return 0;
	}
	*ret_batch = (struct batch){.raw = {p, length + BATCH_LOG_OVERHEAD},
				    .at = r->at,
				    .index = r->index,
				    .base_offset = get_i64(p),
				    .batch_length = length,
				    .magic = magic};
	if (magic == 2)
		read_batch_header(ret_batch, p);
	else
		read_message_header(ret_batch, p);
	r->at += (size_t)ret_batch->raw.len;
	r->index++;
	return 1;
}

int batch_read(const void *data, size_t size, struct batch *ret_batch, struct error *e)
{
	struct records_reader r;
	struct batch b;
	int rc;

	records_reader_init(&r, data, size);
	rc = records_next(&r, &b, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_at(e, ERR_TRUNCATED, size, NULL, "the bytes end within the batch");
	if (r.at < size)
		return error_at(e, ERR_MALFORMED, r.at, NULL, "%zu bytes behind the batch",
				size - r.at);
	*ret_batch = b;
	return 0;
}

static uint32_t crc_of(const uint8_t *data, size_t size)
{
	if (data[BATCH_AT_MAGIC] >= 2)
		return crc32c(data + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES);
	return crc32_zlib(data + MESSAGE_AT_MAGIC, size - MESSAGE_AT_MAGIC);
}

uint32_t batch_crc(const struct batch *b)
{
	return crc_of(b->raw.data, (size_t)b->raw.len);
}

bool batch_crc_ok(const struct batch *b)
{
	return batch_crc(b) == b->crc;
}

bool batch_codec_ok(const struct batch *b)
{
	return b->codec < CODEC_ZSTD || (b->codec == CODEC_ZSTD && b->magic >= 2);
}

int32_t sequence_add(int32_t sequence, int32_t n)
{
	/* In Java's wrapping int, so that a hostile delta gives what Kafka would make of it. */
	uint32_t left = (uint32_t)INT32_MAX - (uint32_t)n;

	if (sequence < 0)
		return sequence;
	if (sequence > (int32_t)left)
		return (int32_t)((uint32_t)n - ((uint32_t)INT32_MAX - (uint32_t)sequence) - 1);
	return sequence + n;
}

/* --- records --- */

/* An error at byte `at` of the iterator's content. */
static int fail_record(struct error *e, int code, const struct record_iter *it, size_t at,
		       const char *name, const char *text)
{
	char field[FIELD_SIZE];

	snprintf(field, sizeof(field), "batches[%d].records[%d]%s%s", it->batch->index, it->index,
		 *name ? "." : "", name);
	if (it->expanded)
		return error_at(e, code, it->batch->at, field,
				"%s, at byte %zu of the batch's expanded records", text, at);
	return error_at(e, code, it->data_at + at, field, "%s", text);
}

/* One cursor within a record of magic 2. p is NULL after the first failure, of which field and at
 * tell. */
struct cursor {
	const uint8_t *p, *end;
	const uint8_t *at; /* of the value read last */
	const char *field;
	const char *wrong;
	int code;
	uint8_t oddities;
};

static void cursor_fail(struct cursor *c, int code, const char *wrong)
{
	c->code = code;
	c->p = NULL;
	c->wrong = wrong;
}

/* Up to size bytes of seven bits, least significant first. */
static uint64_t cursor_seven_bits(struct cursor *c, const char *field, int size)
{
	uint64_t v = 0;

	if (!c->p)
		return 0;
	c->at = c->p;
	c->field = field;
	for (int i = 0; i < size; i++) {
		uint8_t byte;

		if (c->p == c->end) {
			cursor_fail(c, ERR_TRUNCATED, "the record ends within a varint");
			return 0;
		}
		byte = *c->p++;
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80)
			return v;
	}
	cursor_fail(c, ERR_MALFORMED,
		    size == 5 ? "a varint of more than 5 bytes" : "a varint of more than 10 bytes");
	return 0;
}

/* One or two bytes, which is nearly always; the rest is cursor_seven_bits's. */
static inline uint64_t cursor_bits(struct cursor *c, const char *field, int size)
{
	const uint8_t *p = c->p;

	if (!p || c->end - p < 2 || (p[0] >= 0x80 && p[1] >= 0x80))
		return cursor_seven_bits(c, field, size);
	c->at = p;
	c->field = field;
	c->p = p + (p[0] < 0x80 ? 1 : 2);
	return p[0] < 0x80 ? p[0] : (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
}

static inline int32_t cursor_varint(struct cursor *c, const char *field)
{
	uint32_t v = (uint32_t)cursor_bits(c, field, 5);

	return (int32_t)(v >> 1 ^ (~(v & 1) + 1));
}

static inline int64_t cursor_varlong(struct cursor *c, const char *field)
{
	uint64_t v = cursor_bits(c, field, 10);

	return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

/* A length and as many bytes; negative is null where that is allowed. */
static inline struct bytes cursor_bytes(struct cursor *c, const char *field, bool nullable)
{
	int32_t n = cursor_varint(c, field);
	struct bytes b = {c->p, n};

	if (!c->p)
		return (struct bytes){NULL, 0};
	if (n < 0 && nullable) {
		c->oddities |= n < -1 ? RECORD_NEGATIVE_LENGTH : 0;
		return (struct bytes){NULL, 0};
	}
	if (n < 0)
		cursor_fail(c, ERR_MALFORMED, "a negative length");
	else if (n > c->end - c->p)
		cursor_fail(c, ERR_MALFORMED, "a length of more bytes than the record has left");
	else
		c->p += n;
	return b;
}

static void cursor_headers(struct cursor *c, struct record *r)
{
	const uint8_t *start;

	r->headers_count = cursor_varint(c, "headersCount");
	if (!c->p)
		return;
	start = c->p;
	if (r->headers_count < 0 || r->headers_count > (c->end - c->p) / 2)
		cursor_fail(
			c, ERR_MALFORMED,
			"a header count that is negative or more than the record's bytes can hold");
	for (int32_t i = 0; i < r->headers_count && c->p; i++) {
		cursor_bytes(c, "headerKeyLength", false);
		cursor_bytes(c, "headerValueLength", true);
	}
	if (c->p)
		r->headers = (struct bytes){start, (int32_t)(c->p - start)};
}

static void place(struct record *r, const struct record_iter *it)
{
	r->at = it->data_at + it->at;
	r->index = it->index;
}

static int next_record(struct record_iter *it, struct record *r, struct error *e)
{
	const struct batch *b = it->batch;
	const uint8_t *start = it->data + it->at;
	struct cursor c = {.p = start, .at = start, .end = it->data + it->size};
	int32_t length = cursor_varint(&c, "length");

	if (c.p && (length < 0 || length > c.end - c.p))
		cursor_fail(&c, length < 0 ? ERR_MALFORMED : ERR_TRUNCATED,
			    length < 0 ? "a negative length"
				       : "a length of more bytes than the batch has left");
	if (c.p) {
		c.end = c.p + length;
		if (length == 0)
			cursor_fail(&c, ERR_MALFORMED, "an empty record");
	}
	*r = (struct record){.magic = 2, .timestamp_type = b->timestamp_type};
	place(r, it);
	if (c.p)
		r->attributes = (int8_t)*c.p++;
	r->timestamp_on_wire = cursor_varlong(&c, "timestampDelta");
	r->offset_on_wire = cursor_varint(&c, "offsetDelta");
	r->key = cursor_bytes(&c, "keyLength", true);
	r->value = cursor_bytes(&c, "valueLength", true);
	cursor_headers(&c, r);
	if (c.p && c.p != c.end) {
		c.at = c.p;
		cursor_fail(&c, ERR_MALFORMED, "bytes are left behind the record's headers");
	}
	if (!c.p)
		return fail_record(e, c.code, it, (size_t)(c.at - it->data), c.field, c.wrong);
	r->offset = add_wrapping(it->offset_base, r->offset_on_wire);
	r->timestamp = b->timestamp_type == TIMESTAMP_LOG_APPEND
			       ? b->max_timestamp
			       : add_wrapping(b->base_timestamp, r->timestamp_on_wire);
	r->sequence = sequence_add(b->base_sequence < 0 ? -1 : b->base_sequence,
				   (int32_t)r->offset_on_wire);
	r->raw = (struct bytes){start, (int32_t)(c.end - start)};
	r->oddities = c.oddities;
	it->at += (size_t)r->raw.len;
	it->index++;
	return 1;
}

/* What the lengths and deltas before a key can take, when each is a varint of at most 4 bytes, and
 * a word that is read where the last one begins. */
#define SKIM_HEAD (4 + 1 + 3 * 4 + 8)

/* Of 3 or 4 bytes. Apart, so that the others need few registers. */
static __attribute__((noinline)) size_t skim_long(uint32_t w, uint32_t *ret_bits)
{
	uint32_t bits = (w & 0x7f) | (w >> 1 & 0x3f80) | (w >> 2 & 0x1fc000);

	*ret_bits = w & 0x800000 ? bits | (w >> 3 & 0xfe00000) : bits;
	return !(w & 0x800000) ? 3 : !(w & 0x80000000) ? 4 : 0;
}

/* The bits of the varint at p, where a word can be read; its size, 0 for one of more than 4 bytes.
 * One or two bytes are all that most records need. */
static inline size_t skim_bits(const uint8_t *p, uint32_t *ret_bits)
{
	uint32_t w, bits;
	size_t n;

	memcpy(&w, p, sizeof(w));
	if (!(w & 0x80)) {
		*ret_bits = w & 0x7f;
		return 1;
	}
	if (!(w & 0x8000)) {
		*ret_bits = (w & 0x7f) | (w >> 1 & 0x3f80);
		return 2;
	}
	n = skim_long(w, &bits);
	*ret_bits = bits;
	return n;
}

static inline int32_t zigzag(uint32_t bits)
{
	return (int32_t)(bits >> 1 ^ (~(bits & 1) + 1));
}

/* The size of the record at `at`, with its length, if a glance is enough for it; else 0. Each part
 * only moves forward: that they end where the record does is all there is to check. */
static inline size_t skim_one(const uint8_t *data, size_t size, size_t at, uint32_t *ret_time,
			      uint32_t *ret_offset)
{
	uint32_t length, key, value;
	size_t p = at, end, n;

	if (at + SKIM_HEAD > size || !(n = skim_bits(data + p, &length)) || length & 1)
		return 0;
	p += n;
	end = p + (length >> 1);
	if (end > size || !(n = skim_bits(data + p + 1, ret_time)))
		return 0;
	p += 1 + n; /* with the attributes */
	if (!(n = skim_bits(data + p, ret_offset)))
		return 0;
	p += n;
	if (!(n = skim_bits(data + p, &key)))
		return 0;
	p += n;
	if (!(key & 1))
		p += key >> 1;
	else if (key != 1)
		return 0;
	if (p + 4 > size || !(n = skim_bits(data + p, &value)))
		return 0;
	p += n;
	if (!(value & 1))
		p += value >> 1;
	else if (value != 1)
		return 0;
	if (p + 1 != end || data[p])
		return 0; /* it has headers, or bytes are left */
	return end - at;
}

void record_skim(struct record_iter *it, struct record_skim *ret)
{
	const struct batch *b = it->batch;
	const uint8_t *data = it->data;
	size_t size = it->size, at = it->at, n;
	int64_t base = b->base_timestamp, max = INT64_MIN;
	uint32_t time, offset, index = (uint32_t)it->index, wrong = 0;

	for (; b->magic == 2 && (int32_t)index < b->records_count &&
	       (n = skim_one(data, size, at, &time, &offset));
	     index++, at += n) {
		int64_t timestamp = add_wrapping(base, zigzag(time));

		wrong |= offset ^ index << 1;
		max = timestamp > max ? timestamp : max;
	}
	*ret = (struct record_skim){(int32_t)index - it->index, max, !wrong};
	it->at = at;
	it->index = (int32_t)index;
}

/* A key or value of a message at *at, whose message ends at end; moves *at behind it. */
static int message_bytes(const struct record_iter *it, struct record *r, size_t *at, size_t end,
			 const char *field, struct bytes *ret_bytes, struct error *e)
{
	int32_t n;

	if (end - *at < 4)
		return fail_record(e, ERR_MALFORMED, it, *at, field,
				   "the message ends within a length");
	n = get_i32(it->data + *at);
	if (n > 0 && (size_t)n > end - *at - 4)
		return fail_record(e, ERR_MALFORMED, it, *at, field,
				   "a length of more bytes than the message has left");
	if (n < -1)
		r->oddities |= RECORD_NEGATIVE_LENGTH;
	*ret_bytes = n < 0 ? (struct bytes){NULL, 0} : (struct bytes){it->data + *at + 4, n};
	*at += 4 + (n < 0 ? 0 : (size_t)n);
	return 0;
}

/* The message at it->at, known to lie in the content with its whole size. Timestamps are its own.
 */
static int read_message(const struct record_iter *it, struct record *r, struct error *e)
{
	const uint8_t *p = it->data + it->at;
	size_t end = it->at + BATCH_LOG_OVERHEAD + (size_t)get_i32(p + BATCH_AT_LENGTH);
	size_t at;
	int rc;

	*r = (struct record){.magic = (int8_t)p[MESSAGE_AT_MAGIC],
			     .attributes = (int8_t)p[MESSAGE_AT_ATTRIBUTES],
			     .sequence = -1,
			     .timestamp = -1,
			     .timestamp_on_wire = -1,
			     .timestamp_type = TIMESTAMP_NONE,
			     .offset_on_wire = get_i64(p),
			     .raw = {p, (int32_t)(end - it->at)}};
	place(r, it);
	if (r->magic != 0 && r->magic != 1)
		return fail_record(e, ERR_UNSUPPORTED, it, it->at + MESSAGE_AT_MAGIC, "magic",
				   "a message in a message set is of magic 0 or 1");
	if (end - it->at < BATCH_LOG_OVERHEAD + (size_t)length_min[r->magic])
		return fail_record(e, ERR_MALFORMED, it, it->at + BATCH_AT_LENGTH, "messageSize",
				   "a size less than the header of this magic takes");
	if (r->magic == 1) {
		r->timestamp = r->timestamp_on_wire = get_i64(p + MESSAGE_AT_TIMESTAMP);
		r->timestamp_type = r->attributes & ATTRIBUTE_LOG_APPEND_TIME ? TIMESTAMP_LOG_APPEND
									      : TIMESTAMP_CREATE;
	}
	at = it->at + (r->magic ? MESSAGE_AT_KEY_V1 : MESSAGE_AT_KEY_V0);
	rc = message_bytes(it, r, &at, end, "keyLength", &r->key, e);
	if (!rc)
		rc = message_bytes(it, r, &at, end, "valueLength", &r->value, e);
	if (!rc && at != end)
		r->oddities |= RECORD_BYTES_LEFT;
	return rc;
}

static int next_message(struct record_iter *it, struct record *r, struct error *e)
{
	const struct batch *b = it->batch;
	int rc = read_message(it, r, e);

	if (rc)
		return rc;
	if (it->expanded && (r->attributes & ATTRIBUTE_CODEC))
		return fail_record(e, ERR_MALFORMED, it, it->at + MESSAGE_AT_ATTRIBUTES,
				   "attributes",
				   "a compressed message inside a compressed message");
	r->offset = add_wrapping(it->offset_base, r->offset_on_wire);
	if (r->magic && b->magic) {
		/* Inside a wrapper the wrapper's type rules, and under LogAppendTime its time
		 * (KIP-32). */
		r->timestamp_type = b->timestamp_type;
		if (b->timestamp_type == TIMESTAMP_LOG_APPEND)
			r->timestamp = b->max_timestamp;
	}
	it->at += (size_t)r->raw.len;
	it->index++;
	return 1;
}

int record_next(struct record_iter *it, struct record *ret_record, struct error *e)
{
	if (it->batch->magic < 2)
		return it->at == it->size ? 0 : next_message(it, ret_record, e);
	if (it->index < it->batch->records_count)
		return next_record(it, ret_record, e);
	if (it->at != it->size)
		return fail_record(e, ERR_MALFORMED, it, it->at, "",
				   "bytes are left behind the last record");
	return 0;
}

/* --- the start of an iteration --- */

/* Expands `packed`, which stands packed_at bytes into the batch. */
static int expand(struct record_iter *it, struct bytes packed, size_t packed_at,
		  struct buf *scratch, struct error *e)
{
	const struct batch *b = it->batch;
	struct error inner = ERROR_INIT;
	char field[FIELD_SIZE];
	int rc;

	assert(scratch);
	buf_reset(scratch);
	snprintf(field, sizeof(field), "batches[%d].records", b->index);
	it->expand_failed = true;
	if (!batch_codec_ok(b))
		return error_at(e, ERR_UNSUPPORTED,
				b->at + (b->magic < 2 ? (size_t)MESSAGE_AT_ATTRIBUTES
						      : (size_t)BATCH_AT_ATTRIBUTES),
				field, "codec %d (%s) does not exist in magic %d", b->codec,
				codec_name(b->codec), b->magic);
	rc = codec_expand(b->codec, packed.data, (size_t)packed.len, b->magic, scratch, &it->expand,
			  &inner);
	if (rc)
		return error_at(e, rc,
				b->at + packed_at +
					(inner.offset == ERROR_NO_OFFSET ? 0 : inner.offset),
				field, "%s", inner.text);
	it->expanded = true;
	it->expand_failed = false;
	it->data_at = 0;
	it->data = scratch->data ? scratch->data : (const uint8_t *)"";
	it->size = scratch->len;
	it->at = 0;
	return 0;
}

/* Counts a wrapper's messages, leaves a cut-off last one out of it->size, and gives the last one's
 * own offset. */
static int scan_messages(struct record_iter *it, int64_t *ret_last, struct error *e)
{
	size_t at = 0;

	for (; it->size - at >= BATCH_LOG_OVERHEAD; it->index++) {
		int32_t length = get_i32(it->data + at + BATCH_AT_LENGTH);

		if (length < length_min[0])
			return fail_record(e, ERR_MALFORMED, it, at + BATCH_AT_LENGTH,
					   "messageSize",
					   "a size less than the smallest message takes");
		if ((size_t)length > it->size - at - BATCH_LOG_OVERHEAD)
			break;
		*ret_last = get_i64(it->data + at);
		at += BATCH_LOG_OVERHEAD + (size_t)length;
	}
	it->partial = at < it->size;
	it->size = at;
	it->count = it->index;
	it->index = 0;
	return 0;
}

static int init_wrapper(struct record_iter *it, struct buf *scratch, struct error *e)
{
	const struct batch *b = it->batch;
	struct record wrapper;
	int64_t last = 0;
	int rc = read_message(it, &wrapper, e);

	if (rc)
		return rc;
	if (!wrapper.value.data)
		return fail_record(e, ERR_MALFORMED, it, 0, "value",
				   "a compressed message without a value");
	rc = expand(it, wrapper.value, (size_t)(wrapper.value.data - b->raw.data), scratch, e);
	if (!rc)
		rc = scan_messages(it, &last, e);
	if (rc)
		return rc;
	if (it->count == 0)
		return fail_record(e, ERR_MALFORMED, it, 0, "",
				   "a compressed message with no messages inside");
	/* Magic 0 holds absolute offsets. In magic 1 they are relative and the wrapper has the last
	 * one's (KIP-31); 0 there comes from producers that leave it to the broker. */
	if (b->magic == 0 || b->base_offset == 0)
		return 0;
	if (b->base_offset < last)
		return fail_record(e, ERR_MALFORMED, it, 0, "offset",
				   "the wrapper's offset is less than the last one inside");
	it->offset_base = sub_wrapping(b->base_offset, last);
	return 0;
}

int record_iter_init(struct record_iter *it, const struct batch *b, struct buf *scratch,
		     struct error *e)
{
	int rc = 0;

	*it = (struct record_iter){
		.batch = b, .data = b->content.data, .size = (size_t)b->content.len};
	it->data_at = b->at + (size_t)(b->content.data - b->raw.data);
	if (b->magic < 2) {
		it->count = 1;
		return b->codec ? init_wrapper(it, scratch, e) : 0;
	}
	it->offset_base = b->base_offset;
	if (b->records_count < 0)
		return error_at(e, ERR_MALFORMED, b->at + BATCH_AT_COUNT, "recordsCount",
				"a negative count of records: %d", b->records_count);
	/* A batch that compaction emptied keeps its codec bits but has nothing to expand. */
	if (b->codec && (b->content.len > 0 || b->records_count > 0))
		rc = expand(it, b->content, BATCH_AT_RECORDS, scratch, e);
	it->count = b->records_count;
	if ((size_t)it->count > it->size / RECORD_SIZE_MIN)
		it->count = (int32_t)(it->size / RECORD_SIZE_MIN);
	return rc;
}

bool record_header_next(const struct record *r, size_t *at, struct record_header *ret_header)
{
	struct cursor c = {0};
	struct bytes key;

	if (*at == (size_t)r->headers.len)
		return false;
	c.p = r->headers.data + *at;
	c.end = r->headers.data + r->headers.len;
	key = cursor_bytes(&c, "headerKeyLength", false);
	ret_header->key = (struct str){(const char *)key.data, key.len};
	ret_header->value = cursor_bytes(&c, "headerValueLength", true);
	assert(c.p); /* record_next has been through them */
	*at = (size_t)(c.p - r->headers.data);
	return true;
}

bool record_crc_ok(const struct record *r)
{
	return r->magic >= 2 ||
	       crc_of(r->raw.data, (size_t)r->raw.len) == get_u32(r->raw.data + MESSAGE_AT_CRC);
}

/* --- control records --- */

int control_record_read(const struct record *r, struct control_record *ret_control, struct error *e)
{
	struct control_record c = {.coordinator_epoch = -1};

	if (!r->key.data || r->key.len < 4)
		return error_at(e, ERR_TRUNCATED, r->at, "key",
				"a control record's key takes 4 bytes, not %d", r->key.len);
	c.version = get_i16(r->key.data);
	c.type = get_i16(r->key.data + 2);
	if (c.version < 0)
		return error_at(e, ERR_MALFORMED, r->at, "key", "version %d of a control record",
				c.version);
	if (c.type == CONTROL_ABORT || c.type == CONTROL_COMMIT) {
		if (!r->value.data || r->value.len < 6)
			return error_at(e, ERR_TRUNCATED, r->at, "value",
					"a transaction marker's value takes 6 bytes, not %d",
					r->value.len);
		c.marker_version = get_i16(r->value.data);
		c.coordinator_epoch = get_i32(r->value.data + 2);
		if (c.marker_version < 0)
			return error_at(e, ERR_MALFORMED, r->at, "value",
					"version %d of a transaction marker", c.marker_version);
	}
	*ret_control = c;
	return 0;
}

/* --- changes in place --- */

void batch_set_base_offset(uint8_t *data, int64_t base_offset)
{
	put_i64(data + BATCH_AT_BASE_OFFSET, base_offset);
}

void batch_set_leader_epoch(uint8_t *data, int32_t partition_leader_epoch)
{
	assert(data[BATCH_AT_MAGIC] == 2);
	put_i32(data + BATCH_AT_LEADER_EPOCH, partition_leader_epoch);
}

void batch_seal(uint8_t *data, size_t size)
{
	put_i32(data + (data[BATCH_AT_MAGIC] >= 2 ? BATCH_AT_CRC : MESSAGE_AT_CRC),
		(int32_t)crc_of(data, size));
}

void batch_set_max_timestamp(uint8_t *data, size_t size, enum timestamp_type type,
			     int64_t max_timestamp)
{
	uint8_t magic = data[BATCH_AT_MAGIC];
	uint8_t *attributes = data + (magic == 2 ? BATCH_AT_ATTRIBUTES + 1 : MESSAGE_AT_ATTRIBUTES);
	uint8_t *timestamp =
		data + (magic == 2 ? (int)BATCH_AT_MAX_TIMESTAMP : (int)MESSAGE_AT_TIMESTAMP);

	if (magic == 0)
		return;
	*attributes = (uint8_t)(*attributes & ~ATTRIBUTE_LOG_APPEND_TIME);
	if (type == TIMESTAMP_LOG_APPEND)
		*attributes |= ATTRIBUTE_LOG_APPEND_TIME;
	put_i64(timestamp, max_timestamp);
	batch_seal(data, size);
}
