/* Record batches and message sets: written by the builder, read by the reader, changed in place,
 * judged and converted. Bytes of Kafka's own making are compared in the fixture tests below. */
#include "protocol/batch_builder.h"
#include "protocol/records.h"
#include "protocol/records_convert.h"
#include "protocol/wire.h"
#include "base/rand.h"
#include "tests/records_dump.h"
#include "tests/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX ((size_t)1 << 20)

#define TIME0	  1700000000000

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, text ? (int32_t)strlen(text) : 0};
}

/* A batch of `count` records with keys k0, k1, ... and one header each in magic 2. */
static void build(struct buf *out, const struct batch_options *options, int count)
{
	struct record_header header = {str_of("h"), bytes_of("v")};
	struct batch_builder b;
	struct error e = ERROR_INIT;
	char key[16], value[200];

	batch_builder_init(&b, options, out);
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "value %d %0*d", i, i % 100, 7);
		batch_builder_add(&b, TIME0 + i, bytes_of(key), bytes_of(value), &header,
				  options->magic == 2);
	}
	CHECK_EQ(batch_builder_end(&b, &e), 0);
	CHECK_TEXT(e.text, "");
	batch_builder_release(&b);
}

/* Reads what build wrote; returns the number of records seen. */
static int read_back(const struct buf *in, int64_t base_offset, bool log_append)
{
	struct buf scratch;
	struct records_reader reader;
	struct record_iter it;
	struct record r;
	struct batch b;
	struct error e = ERROR_INIT;
	char key[16];
	int n = 0;

	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	records_reader_init(&reader, in->data, in->len);
	while (records_next(&reader, &b, &e) > 0) {
		CHECK(batch_crc_ok(&b));
		CHECK_EQ(record_iter_init(&it, &b, &scratch, &e), 0);
		while (record_next(&it, &r, &e) > 0) {
			snprintf(key, sizeof(key), "k%d", n);
			CHECK_BYTES(r.key.data, (size_t)r.key.len, key, strlen(key));
			CHECK_EQ(r.offset, base_offset + n);
			CHECK(record_crc_ok(&r));
			if (b.magic)
				CHECK_EQ(r.timestamp, log_append ? TIME0 + 999 : TIME0 + n);
			CHECK_EQ(r.headers_count, b.magic == 2);
			n++;
		}
	}
	CHECK(!reader.partial);
	CHECK_TEXT(e.text, "");
	buf_release(&scratch);
	return n;
}

TEST(every_magic_and_codec_reads_back_what_was_written)
{
	for (int8_t magic = 0; magic <= 2; magic++) {
		for (uint8_t codec = 0; codec < CODEC_COUNT; codec++) {
			struct batch_options options = BATCH_OPTIONS_INIT;
			struct buf out;

			if (codec == CODEC_ZSTD && magic < 2)
				continue;
			buf_init(&out, BATCH_MAX);
			options.magic = magic;
			options.codec = codec;
			options.base_offset = 1234567890123;
			build(&out, &options, 50);
			CHECK_EQ(read_back(&out, options.base_offset, false), 50);
			buf_reset(&out);
			options.timestamp_type = magic ? TIMESTAMP_LOG_APPEND : TIMESTAMP_NONE;
			options.log_append_time = TIME0 + 999;
			build(&out, &options, 50);
			CHECK_EQ(read_back(&out, options.base_offset, true), 50);
			buf_release(&out);
		}
	}
}

/* --- what Kafka's own classes wrote --- */

/* fixtures/records/NAME.txt: hex, then the text that Kafka's classes read in it. */
struct fixture {
	char name[64];
	uint8_t *data;
	size_t size;
	char *text, *file;
};

static bool fixture_open(struct fixture *f, const char *name)
{
	char path[128];
	size_t n;

	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(path, sizeof(path), "fixtures/records/%s.txt", name);
	f->file = test_file(path, &n);
	f->text = f->file ? strchr(f->file, '\n') : NULL;
	CHECK(f->text != NULL);
	if (!f->text)
		return false;
	*f->text++ = '\0';
	f->data = test_hex(f->file, &f->size);
	return true;
}

static void fixture_close(struct fixture *f)
{
	free(f->file);
	free(f->data);
}

/* Calls check on every fixture; returns how many there are. */
static int each_fixture(void (*check)(struct fixture *f))
{
	DIR *dir = opendir("fixtures/records");
	struct dirent *entry;
	struct fixture f;
	int count = 0;

	CHECK(dir != NULL);
	while (dir && (entry = readdir(dir))) {
		char *dot = strstr(entry->d_name, ".txt");

		if (!dot)
			continue;
		*dot = '\0';
		if (!fixture_open(&f, entry->d_name))
			continue;
		check(&f);
		fixture_close(&f);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* The canonical text of data, to be freed; e tells why it ends in "error". */
static char *dump(const void *data, size_t size, struct error *e)
{
	struct buf scratch, out;
	char *text;

	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	buf_init(&out, RECORDS_EXPANDED_MAX);
	records_dump(data, size, &scratch, &out, e);
	text = strdup(buf_cstr(&out));
	buf_release(&scratch);
	buf_release(&out);
	return text;
}

static void check_reads_as_kafka(struct fixture *f)
{
	struct error e = ERROR_INIT;
	char *text = dump(f->data, f->size, &e);

	CHECK_TEXT(text, f->text);
	CHECK_TEXT(e.text, "");
	free(text);
}

TEST(kafkas_own_batches_read_as_kafka_reads_them)
{
	CHECK_EQ(each_fixture(check_reads_as_kafka), 34);
}

/* The first batches are whole still, the last is partial: so says Fetch. */
static void check_cut(struct fixture *f)
{
	for (size_t n = 0; n < f->size; n++) {
		uint8_t *data = memcpy(malloc(n ? n : 1), f->data, n);
		struct error e = ERROR_INIT;
		char *text = dump(data, n, &e);
		char *partial = strstr(text, "partial ");

		if (partial)
			*partial = '\0';
		CHECK(strncmp(text, f->text, strlen(text)) == 0);
		CHECK_EQ(e.code, 0);
		free(text);
		free(data);
	}
}

TEST(a_batch_cut_off_at_any_byte_is_partial_and_no_error)
{
	each_fixture(check_cut);
}

/* The batch says that it is whole, but its content is not. */
static void check_cut_content(struct fixture *f)
{
	size_t whole = (size_t)wire_u32(f->data + BATCH_AT_LENGTH) + BATCH_LOG_OVERHEAD;
	size_t header = f->data[BATCH_AT_MAGIC] == 2 ? BATCH_AT_RECORDS : MESSAGE_AT_KEY_V1 + 8;

	for (size_t n = header; n < whole; n++) {
		uint8_t *data = memcpy(malloc(n), f->data, n);
		struct error e = ERROR_INIT;
		char *text;

		wire_put32(data + BATCH_AT_LENGTH, (uint32_t)(n - BATCH_LOG_OVERHEAD));
		batch_seal(data, n);
		text = dump(data, n, &e);
		CHECK(e.code == ERR_TRUNCATED || e.code == ERR_MALFORMED);
		CHECK(e.offset <= n);
		CHECK(e.field[0] != '\0');
		free(text);
		free(data);
	}
}

TEST(content_cut_off_at_any_byte_is_an_error_with_its_place)
{
	each_fixture(check_cut_content);
}

static void check_damaged(struct fixture *f)
{
	struct rand r;

	rand_seed(&r, f->size);
	for (int i = 0; i < 200; i++) {
		uint8_t *data = memcpy(malloc(f->size), f->data, f->size);
		char *text;

		for (int n = (int)rand_below(&r, 3); n >= 0; n--)
			data[rand_below(&r, f->size)] = (uint8_t)rand_next(&r);
		text = dump(data, f->size, NULL);
		CHECK(text != NULL);
		free(text);
		free(data);
	}
}

TEST(damaged_batches_never_crash)
{
	each_fixture(check_damaged);
}

/* What a glance said of the records from it on, which reading must say too. */
static void check_skimmed(struct record_iter *it, const struct record_iter *skim,
			  const struct record_skim *seen)
{
	struct record r;
	int64_t max = INT64_MIN;
	bool in_order = true;

	for (int32_t i = 0; i < seen->count; i++) {
		CHECK_EQ(record_next(it, &r, NULL), 1);
		in_order = in_order && r.offset_on_wire == r.index;
		r.timestamp = (int64_t)((uint64_t)it->batch->base_timestamp +
					(uint64_t)r.timestamp_on_wire);
		max = r.timestamp > max ? r.timestamp : max;
	}
	CHECK_EQ(seen->max_timestamp, max);
	CHECK_EQ(seen->in_order, in_order);
	CHECK_EQ(it->at, skim->at);
	CHECK_EQ(it->index, skim->index);
}

/* Goes through all batches both ways at once: wherever a glance is enough, reading agrees. Returns
 * how many records it was enough for. */
static int64_t check_skim(const uint8_t *data, size_t size)
{
	struct records_reader reader;
	struct batch b;
	struct buf scratch;
	int64_t skimmed = 0;

	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	records_reader_init(&reader, data, size);
	while (records_next(&reader, &b, NULL) > 0) {
		struct record_iter it, skim;
		struct record_skim seen;
		struct record r;

		if (record_iter_init(&it, &b, &scratch, NULL))
			continue;
		do {
			skim = it;
			record_skim(&skim, &seen);
			check_skimmed(&it, &skim, &seen);
			skimmed += seen.count;
		} while (record_next(&it, &r, NULL) > 0);
	}
	buf_release(&scratch);
	return skimmed;
}

static int64_t skimmed;

static void check_damaged_skim(struct fixture *f)
{
	struct rand r;

	rand_seed(&r, f->size);
	skimmed += check_skim(f->data, f->size);
	for (int i = 0; i < 200; i++) {
		uint8_t *data = memcpy(malloc(f->size), f->data, f->size);

		data[rand_below(&r, f->size)] = (uint8_t)rand_next(&r);
		check_skim(data, f->size);
		free(data);
	}
}

TEST(a_record_that_a_glance_passes_reads_the_same)
{
	skimmed = 0;
	each_fixture(check_damaged_skim);
	CHECK(skimmed > 0);
}

/* --- rewriting what was read --- */

static struct batch_options options_of(const struct batch *b, const struct record *first)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	o.magic = b->magic;
	o.codec = b->codec;
	o.codec_options.lz4_wrong_sum = b->magic == 0;
	o.timestamp_type = b->timestamp_type;
	o.log_append_time = b->max_timestamp;
	o.base_offset = b->magic == 2 ? b->base_offset : first ? first->offset : 0;
	o.partition_leader_epoch = b->partition_leader_epoch;
	o.producer_id = b->producer_id;
	o.producer_epoch = b->producer_epoch;
	o.base_sequence = b->base_sequence;
	o.transactional = b->transactional;
	o.control = b->control;
	o.has_delete_horizon = b->has_delete_horizon;
	o.delete_horizon_ms = b->base_timestamp;
	o.last_offset_delta = b->magic == 2 && b->records_count == 0 ? b->last_offset_delta : -1;
	return o;
}

static void rebuild(const struct batch *b, struct buf *scratch, struct buf *out)
{
	struct batch_options o = options_of(b, NULL);
	struct batch_builder builder;
	struct record_iter it;
	struct record r;

	CHECK_EQ(record_iter_init(&it, b, scratch, NULL), 0);
	for (int n = 0; record_next(&it, &r, NULL) > 0; n++) {
		/* What a producer wrote is behind the append time's veil in magic 2. */
		if (b->magic == 2)
			r.timestamp = b->base_timestamp + r.timestamp_on_wire;
		if (n == 0) {
			o = options_of(b, &r);
			batch_builder_init(&builder, &o, out);
		}
		batch_builder_add_record(&builder, &r);
	}
	CHECK(it.index > 0);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	batch_builder_release(&builder);
}

static void check_rebuild(struct fixture *f)
{
	struct buf scratch, out;
	struct records_reader reader;
	struct batch b;
	bool compressed = false;

	if (strcmp(f->name, "v2-emptied-by-compaction") == 0)
		return; /* its max timestamp is no record's */
	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	buf_init(&out, BATCH_MAX);
	records_reader_init(&reader, f->data, f->size);
	while (records_next(&reader, &b, NULL) > 0) {
		compressed = compressed || b.codec;
		rebuild(&b, &scratch, &out);
	}
	if (!compressed)
		CHECK_BYTES(out.data, out.len, f->data, reader.at);
	buf_release(&scratch);
	buf_release(&out);
}

TEST(uncompressed_batches_are_written_byte_for_byte_as_kafka_writes_them)
{
	each_fixture(check_rebuild);
}

TEST(transaction_markers_are_byte_for_byte_kafkas)
{
	for (int commit = 0; commit < 2; commit++) {
		struct fixture f;
		struct buf out;

		if (!fixture_open(&f, commit ? "v2-commit-marker" : "v2-abort-marker"))
			return;
		buf_init(&out, BATCH_MAX);
		CHECK_EQ(batch_write_marker(&out, 77, TIME0, 12, 4000000001, 7, commit, 33, NULL),
			 0);
		CHECK_BYTES(out.data, out.len, f.data, f.size);
		buf_release(&out);
		fixture_close(&f);
	}
}

/* --- changes in place --- */

static struct batch read_one(const struct buf *in)
{
	struct error e = ERROR_INIT;
	struct batch b = {0};

	CHECK_EQ(batch_read(in->data, in->len, &b, &e), 0);
	CHECK_TEXT(e.text, "");
	return b;
}

static struct buf simple(int8_t magic, uint8_t codec, int count)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct buf out;

	buf_init(&out, BATCH_MAX);
	options.magic = magic;
	options.codec = codec;
	build(&out, &options, count);
	return out;
}

TEST(base_offset_and_leader_epoch_do_not_touch_the_crc)
{
	struct buf in = simple(2, CODEC_GZIP, 3);
	uint32_t crc = read_one(&in).crc;
	struct batch b;

	batch_set_base_offset(in.data, 5000000000);
	batch_set_leader_epoch(in.data, 17);
	b = read_one(&in);
	CHECK_EQ(b.crc, crc);
	CHECK(batch_crc_ok(&b));
	CHECK_EQ(b.base_offset, 5000000000);
	CHECK_EQ(b.last_offset, 5000000002);
	CHECK_EQ(b.partition_leader_epoch, 17);
	CHECK_EQ(read_back(&in, 5000000000, false), 3);
	buf_release(&in);
}

TEST(log_append_time_is_written_in_place_with_a_new_crc)
{
	for (int8_t magic = 0; magic <= 2; magic++) {
		struct buf in = simple(magic, CODEC_SNAPPY, 3);
		struct batch b;

		batch_set_max_timestamp(in.data, in.len, TIMESTAMP_LOG_APPEND, TIME0 + 999);
		b = read_one(&in);
		CHECK(batch_crc_ok(&b));
		CHECK_EQ(b.max_timestamp, magic ? TIME0 + 999 : -1);
		CHECK_EQ(read_back(&in, 0, true), 3);
		batch_set_max_timestamp(in.data, in.len, TIMESTAMP_CREATE, TIME0 + 2);
		CHECK_EQ(read_back(&in, 0, false), 3);
		buf_release(&in);
	}
}

TEST(any_changed_bit_that_a_crc_covers_is_noticed)
{
	for (int8_t magic = 0; magic <= 2; magic++) {
		struct buf in = simple(magic, CODEC_LZ4, 2);
		size_t from = magic == 2 ? BATCH_AT_ATTRIBUTES : MESSAGE_AT_MAGIC + 1;

		for (size_t i = from; i < in.len; i++) {
			struct batch b;

			in.data[i] ^= (uint8_t)(1 << (i % 8));
			b = read_one(&in);
			CHECK(!batch_crc_ok(&b));
			in.data[i] ^= (uint8_t)(1 << (i % 8));
		}
		buf_release(&in);
	}
}

/* --- reading, in particular --- */

TEST(sequences_wrap_to_zero)
{
	CHECK_EQ(sequence_add(5, 10), 15);
	CHECK_EQ(sequence_add(INT32_MAX, 1), 0);
	CHECK_EQ(sequence_add(INT32_MAX - 1, 3), 1);
	CHECK_EQ(sequence_add(-1, 3), -1);
}

TEST(a_record_may_be_null_empty_and_without_headers)
{
	struct record_header headers[2] = {{str_of(""), {NULL, 0}}, {str_of("k"), bytes_of("")}};
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder builder;
	struct record_header h;
	struct record_iter it;
	struct record r;
	struct batch b;
	struct buf out;
	size_t at = 0;

	buf_init(&out, BATCH_MAX);
	batch_builder_init(&builder, &options, &out);
	batch_builder_add(&builder, -1, bytes_of(NULL), bytes_of(""), NULL, 0);
	batch_builder_add(&builder, 5, bytes_of(""), bytes_of(NULL), headers, 2);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	batch_builder_release(&builder);
	b = read_one(&out);
	CHECK_EQ(b.base_timestamp, -1);
	CHECK_EQ(b.max_timestamp, 5);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, &r, NULL), 1);
	CHECK(r.key.data == NULL);
	CHECK(r.value.data != NULL && r.value.len == 0);
	CHECK(!record_header_next(&r, &at, &h));
	CHECK_EQ(r.timestamp, -1);
	CHECK_EQ(record_next(&it, &r, NULL), 1);
	CHECK(r.key.data != NULL && r.key.len == 0);
	CHECK(r.value.data == NULL);
	CHECK_EQ(r.timestamp, 5);
	CHECK(record_header_next(&r, &at, &h));
	CHECK(h.key.len == 0 && h.value.data == NULL);
	CHECK(record_header_next(&r, &at, &h));
	CHECK_STR(h.key, "k");
	CHECK(h.value.data != NULL && h.value.len == 0);
	CHECK(!record_header_next(&r, &at, &h));
	CHECK_EQ(record_next(&it, &r, NULL), 0);
	buf_release(&out);
}

TEST(a_record_tells_where_its_bytes_are)
{
	struct buf in = simple(2, CODEC_NONE, 3), zip = simple(2, CODEC_GZIP, 3), scratch;
	struct record_iter it, zipped;
	struct record r, z;
	struct batch b = read_one(&in), c = read_one(&zip);

	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_iter_init(&zipped, &c, &scratch, NULL), 0);
	CHECK(!it.expanded && zipped.expanded);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(record_next(&it, &r, NULL), 1);
		CHECK_EQ(record_next(&zipped, &z, NULL), 1);
		CHECK(r.raw.data == in.data + r.at);
		CHECK(z.raw.data == scratch.data + z.at);
		CHECK_EQ(r.at, z.at + BATCH_AT_RECORDS);
		CHECK_BYTES(r.raw.data, (size_t)r.raw.len, z.raw.data, (size_t)z.raw.len);
	}
	CHECK_EQ(r.at + (size_t)r.raw.len, in.len);
	buf_release(&in);
	buf_release(&zip);
	buf_release(&scratch);
}

/* The first record's text of a blob, or the error. */
static void check_error(const void *data, size_t size, int code, const char *field, size_t offset)
{
	struct error e = ERROR_INIT;
	char *text = dump(data, size, &e);

	CHECK_EQ(e.code, code);
	CHECK_TEXT(e.field, field);
	CHECK_EQ(e.offset, offset);
	free(text);
}

TEST(errors_name_offset_and_field)
{
	struct buf in = simple(2, CODEC_NONE, 2);

	/* record 0 starts at 61: length, attributes, timestamp and offset deltas, key length */
	in.data[65] = 0x7e;
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].records[0].keyLength", 65);
	in.data[61] = 0x03;
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].records[0].length", 61);
	in.data[61] = 0xfe;
	in.data[62] = 0x7e;
	check_error(in.data, in.len, ERR_TRUNCATED, "batches[0].records[0].length", 61);
	in.data[16] = 3;
	check_error(in.data, in.len, ERR_UNSUPPORTED, "batches[0].magic", 16);
	in.data[11] = 13;
	in.data[10] = 0;
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].batchLength", 8);
	buf_release(&in);
	in = simple(1, CODEC_NONE, 2);
	in.data[29]++;
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].records[0].valueLength", 33);
	buf_release(&in);
}

TEST(varints_longer_than_their_type_are_refused)
{
	static const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	struct buf in = simple(2, CODEC_NONE, 1);

	memcpy(in.data + BATCH_AT_RECORDS, six, sizeof(six));
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].records[0].length",
		    BATCH_AT_RECORDS);
	buf_release(&in);
}

TEST(a_count_beyond_the_bytes_is_capped_and_then_an_error)
{
	struct buf in = simple(2, CODEC_NONE, 2);
	struct record_iter it;
	struct batch b;

	wire_put32(in.data + BATCH_AT_COUNT, INT32_MAX);
	b = read_one(&in);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK(it.count <= (int32_t)in.len / 7);
	check_error(in.data, in.len, ERR_TRUNCATED, "batches[0].records[2].length", in.len);
	wire_put32(in.data + BATCH_AT_COUNT, (uint32_t)-1);
	check_error(in.data, in.len, ERR_MALFORMED, "recordsCount", BATCH_AT_COUNT);
	wire_put32(in.data + BATCH_AT_COUNT, 1);
	b = read_one(&in);
	check_error(in.data, in.len, ERR_MALFORMED, "batches[0].records[1]",
		    BATCH_AT_RECORDS + (in.len - BATCH_AT_RECORDS) / 2);
	buf_release(&in);
}

TEST(a_reader_goes_on_behind_a_batch_of_unknown_magic)
{
	struct buf in = simple(2, CODEC_NONE, 1), second = simple(2, CODEC_NONE, 2);
	struct records_reader reader;
	struct batch b;
	size_t n = in.len;

	in.data[BATCH_AT_MAGIC] = 9;
	buf_add(&in, second.data, second.len);
	records_reader_init(&reader, in.data, in.len);
	CHECK_EQ(records_next(&reader, &b, NULL), ERR_UNSUPPORTED);
	CHECK_EQ(reader.at, n);
	CHECK_EQ(records_next(&reader, &b, NULL), 1);
	CHECK_EQ(b.at, n);
	CHECK_EQ(b.index, 1);
	CHECK_EQ(b.records_count, 2);
	CHECK_EQ(records_next(&reader, &b, NULL), 0);
	CHECK(!reader.partial);
	buf_release(&in);
	buf_release(&second);
}

TEST(a_bomb_of_records_stops_at_the_callers_limit)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder builder;
	struct error e = ERROR_INIT;
	struct record_iter it;
	struct buf out, scratch;
	struct batch b;
	char *zeros = calloc(1, BATCH_MAX);

	buf_init(&out, BATCH_MAX);
	buf_init(&scratch, BATCH_MAX / 2);
	options.codec = CODEC_ZSTD;
	batch_builder_init(&builder, &options, &out);
	batch_builder_add(&builder, 0, bytes_of(NULL),
			  (struct bytes){(const uint8_t *)zeros, (int32_t)BATCH_MAX}, NULL, 0);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	CHECK(out.len < 1000);
	b = read_one(&out);
	CHECK_EQ(record_iter_init(&it, &b, &scratch, &e), ERR_LIMIT);
	CHECK_TEXT(e.text, "the zstd data expands past the limit of 524288 bytes");
	CHECK_TEXT(e.field, "batches[0].records");
	CHECK(scratch.cap <= BATCH_MAX / 2 + 1);
	batch_builder_release(&builder);
	buf_release(&out);
	buf_release(&scratch);
	free(zeros);
}

TEST(odd_lengths_that_kafka_reads_are_read_and_told)
{
	struct buf in = simple(1, CODEC_NONE, 1);
	struct record_iter it;
	struct record r;
	struct batch b;

	wire_put32(in.data + MESSAGE_AT_KEY_V1, (uint32_t)-2);
	b = read_one(&in);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK(record_next(&it, &r, NULL) < 0); /* the key's bytes are now the value's length */
	wire_put32(in.data + MESSAGE_AT_KEY_V1 + 4, (uint32_t)-7);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, &r, NULL), 1);
	CHECK(r.key.data == NULL && r.value.data == NULL);
	CHECK_EQ(r.oddities, RECORD_NEGATIVE_LENGTH | RECORD_BYTES_LEFT);
	buf_release(&in);
}

/* --- message sets --- */

TEST(a_wrapper_holds_the_last_offset_in_magic_1_and_absolute_ones_in_magic_0)
{
	for (int8_t magic = 0; magic < 2; magic++) {
		struct batch_options options = BATCH_OPTIONS_INIT;
		struct buf out, scratch;
		struct record_iter it;
		struct record r;
		struct batch b;

		buf_init(&out, BATCH_MAX);
		buf_init(&scratch, BATCH_MAX);
		options.magic = magic;
		options.codec = CODEC_GZIP;
		options.base_offset = 700;
		build(&out, &options, 4);
		b = read_one(&out);
		CHECK_EQ(b.base_offset, 703);
		CHECK_EQ(b.records_count, -1);
		CHECK_EQ(record_iter_init(&it, &b, &scratch, NULL), 0);
		CHECK_EQ(it.count, 4);
		CHECK_EQ(record_next(&it, &r, NULL), 1);
		CHECK_EQ(r.offset, 700);
		CHECK_EQ(r.offset_on_wire, magic ? 0 : 700);
		/* What the log's end moves is the wrapper; magic 1 follows it. */
		batch_set_base_offset(out.data, 1703);
		b = read_one(&out);
		CHECK(batch_crc_ok(&b));
		CHECK_EQ(record_iter_init(&it, &b, &scratch, NULL), 0);
		CHECK_EQ(record_next(&it, &r, NULL), 1);
		CHECK_EQ(r.offset, magic ? 1700 : 700);
		/* A producer may leave 0 there, and less than the last one inside is no offset. */
		batch_set_base_offset(out.data, 0);
		b = read_one(&out);
		CHECK_EQ(record_iter_init(&it, &b, &scratch, NULL), 0);
		CHECK_EQ(record_next(&it, &r, NULL), 1);
		CHECK_EQ(r.offset, magic ? 0 : 700);
		batch_set_base_offset(out.data, 2);
		b = read_one(&out);
		CHECK_EQ(record_iter_init(&it, &b, &scratch, NULL), magic ? ERR_MALFORMED : 0);
		buf_release(&out);
		buf_release(&scratch);
	}
}

TEST(a_wrapper_inside_a_wrapper_is_refused)
{
	struct buf inner = simple(1, CODEC_GZIP, 2), in, zip;
	struct error e = ERROR_INIT;
	char *text;

	/* a wrapper whose value is the gzip of a wrapper */
	buf_init(&in, BATCH_MAX);
	buf_init(&zip, BATCH_MAX);
	CHECK_EQ(codec_compress(CODEC_GZIP, inner.data, inner.len, NULL, &zip, NULL), 0);
	buf_add(&in, inner.data, MESSAGE_AT_KEY_V1 + 4);
	buf_be32(&in, (uint32_t)zip.len);
	buf_add(&in, zip.data, zip.len);
	wire_put32(in.data + BATCH_AT_LENGTH, (uint32_t)in.len - BATCH_LOG_OVERHEAD);
	batch_seal(in.data, in.len);
	text = dump(in.data, in.len, &e);
	CHECK_EQ(e.code, ERR_MALFORMED);
	CHECK(strstr(e.text, "a compressed message inside a compressed message") != NULL);
	free(text);
	buf_release(&inner);
	buf_release(&in);
	buf_release(&zip);
}

/* --- control records --- */

TEST(a_control_record_tells_its_type_and_epoch)
{
	struct control_record control;
	struct error e = ERROR_INIT;
	struct record_iter it;
	struct record r;
	struct batch b;
	struct buf out;

	buf_init(&out, BATCH_MAX);
	CHECK_EQ(batch_write_marker(&out, 9, TIME0, 1, 44, 3, false, 8, NULL), 0);
	b = read_one(&out);
	CHECK(b.control && b.transactional);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, &r, NULL), 1);
	CHECK_EQ(control_record_read(&r, &control, NULL), 0);
	CHECK_EQ(control.type, CONTROL_ABORT);
	CHECK_EQ(control.coordinator_epoch, 8);
	r.value.len = 5;
	CHECK_EQ(control_record_read(&r, &control, &e), ERR_TRUNCATED);
	r.key.len = 3;
	CHECK_EQ(control_record_read(&r, &control, &e), ERR_TRUNCATED);
	buf_release(&out);
}

/* --- writing, refused --- */

static int build_error(const struct batch_options *options, int64_t first, int64_t second,
		       size_t out_max)
{
	struct batch_builder b;
	struct error e = ERROR_INIT;
	struct buf out;
	int rc;

	buf_init(&out, out_max);
	buf_text(&out, "before");
	batch_builder_init(&b, options, &out);
	batch_builder_add_at(&b, first, TIME0, bytes_of("k"), bytes_of("v"), NULL, 0);
	batch_builder_add_at(&b, second, TIME0, bytes_of("k"), bytes_of("v"), NULL, 0);
	rc = batch_builder_end(&b, &e);
	if (rc) {
		CHECK(e.text[0] != '\0');
		CHECK_EQ(out.len, 6);
	}
	batch_builder_release(&b);
	buf_release(&out);
	return rc;
}

TEST(a_builder_refuses_what_no_batch_can_say)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	CHECK_EQ(build_error(&o, 0, 1, BATCH_MAX), 0);
	CHECK_EQ(build_error(&o, 1, 1, BATCH_MAX), ERR_USAGE);
	CHECK_EQ(build_error(&o, -1, 1, BATCH_MAX), ERR_USAGE);
	CHECK_EQ(build_error(&o, 0, (int64_t)INT32_MAX + 1, BATCH_MAX), ERR_USAGE);
	CHECK_EQ(build_error(&o, 0, 1, 70), ERR_LIMIT);
	CHECK_EQ(build_error(&o, 0, 1, 10), ERR_LIMIT);
	o.magic = 1;
	o.codec = CODEC_ZSTD;
	CHECK_EQ(build_error(&o, 0, 1, BATCH_MAX), ERR_USAGE);
	o.codec = CODEC_NONE;
	o.transactional = true;
	CHECK_EQ(build_error(&o, 0, 1, BATCH_MAX), ERR_USAGE);
	o = BATCH_OPTIONS_INIT;
	o.magic = 3;
	CHECK_EQ(build_error(&o, 0, 1, BATCH_MAX), ERR_USAGE);
	o = BATCH_OPTIONS_INIT;
	o.codec = 5;
	CHECK_EQ(build_error(&o, 0, 1, BATCH_MAX), ERR_USAGE);
}

TEST(headers_do_not_fit_a_message)
{
	struct record_header header = {str_of("h"), {NULL, 0}};
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;

	buf_init(&out, BATCH_MAX);
	o.magic = 1;
	batch_builder_init(&b, &o, &out);
	batch_builder_add(&b, TIME0, bytes_of("k"), bytes_of("v"), &header, 1);
	CHECK_EQ(batch_builder_end(&b, NULL), ERR_USAGE);
	batch_builder_release(&b);
	buf_release(&out);
}

TEST(a_batch_may_be_empty_as_compaction_leaves_it)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	struct batch_builder builder;
	struct record_iter it;
	struct record r;
	struct buf out;
	struct batch b;

	buf_init(&out, BATCH_MAX);
	o.last_offset_delta = 9;
	o.codec = CODEC_LZ4;
	batch_builder_init(&builder, &o, &out);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	b = read_one(&out);
	CHECK_EQ(b.raw.len, BATCH_AT_RECORDS);
	CHECK_EQ(b.last_offset, 9);
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, &r, NULL), 0);
	batch_builder_release(&builder);
	buf_release(&out);
}

/* --- what a broker answers --- */

static struct batch_finding judge(const struct buf *in, enum timestamp_type topic_type)
{
	struct batch_finding finding;
	struct buf scratch;
	struct batch b = read_one(in);

	bool good;

	buf_init(&scratch, BATCH_MAX);
	good = batch_validate(&b, topic_type, &scratch, &finding);
	CHECK_EQ(good, finding.problem == BATCH_OK);
	buf_release(&scratch);
	return finding;
}

static void check_judged(struct buf *in, enum batch_problem problem, int16_t error_code)
{
	struct batch_finding f = judge(in, TIMESTAMP_CREATE);

	CHECK_TEXT(batch_problem_name(f.problem), batch_problem_name(problem));
	CHECK_EQ(f.error_code, error_code);
	CHECK_EQ(f.text[0] == '\0', problem == BATCH_OK);
}

TEST(a_producers_batch_is_good_and_counted)
{
	for (uint8_t codec = 0; codec < CODEC_COUNT; codec++) {
		struct buf in = simple(2, codec, 7);
		struct batch_finding f = judge(&in, TIMESTAMP_LOG_APPEND);

		CHECK_EQ(f.problem, BATCH_OK);
		CHECK_EQ(f.records_count, 7);
		CHECK_EQ(f.max_timestamp, TIME0 + 6);
		buf_release(&in);
	}
}

TEST(wrong_headers_are_judged_as_a_broker_does)
{
	static const struct {
		int at, width; /* of the field */
		int64_t value;
		enum batch_problem problem;
		int16_t error_code;
	} cases[] = {
		{BATCH_AT_BASE_OFFSET, 8, 5, BATCH_BASE_OFFSET, 87},
		{BATCH_AT_LAST_OFFSET_DELTA, 4, -1, BATCH_OFFSET_RANGE, 87},
		{BATCH_AT_COUNT, 4, 0, BATCH_COUNT, 87},
		{BATCH_AT_COUNT, 4, -3, BATCH_COUNT, 87},
		{BATCH_AT_COUNT, 4, 2, BATCH_COUNT_MISMATCH, 87},
		{BATCH_AT_LAST_OFFSET_DELTA, 4, 3, BATCH_COUNT_MISMATCH, 87},
		{BATCH_AT_ATTRIBUTES, 2, ATTRIBUTE_CONTROL, BATCH_CONTROL, 87},
		{BATCH_AT_ATTRIBUTES, 2, 5, BATCH_CODEC, -1},
		{BATCH_AT_ATTRIBUTES, 2, 7, BATCH_CODEC, -1},
		{BATCH_AT_PRODUCER_ID, 8, 9, BATCH_SEQUENCE, 87},
		{BATCH_AT_ATTRIBUTES, 2, CODEC_GZIP, BATCH_EXPAND, -1},
		{BATCH_AT_ATTRIBUTES, 2, ATTRIBUTE_LOG_APPEND_TIME, BATCH_OK, 0},
		{BATCH_AT_ATTRIBUTES, 2, ATTRIBUTE_TRANSACTIONAL, BATCH_OK, 0},
		{BATCH_AT_LEADER_EPOCH, 4, 77, BATCH_OK, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf in = simple(2, CODEC_NONE, 3);
		uint8_t *field = in.data + cases[i].at;

		if (cases[i].width == 8)
			wire_put64(field, (uint64_t)cases[i].value);
		else if (cases[i].width == 4)
			wire_put32(field, (uint32_t)cases[i].value);
		else
			wire_put16(field, (uint16_t)cases[i].value);
		batch_seal(in.data, in.len);
		check_judged(&in, cases[i].problem, cases[i].error_code);
		buf_release(&in);
	}
}

TEST(a_wrong_crc_is_corrupt_whatever_else_is_wrong)
{
	for (int8_t magic = 0; magic <= 2; magic++) {
		struct buf in = simple(magic, CODEC_NONE, 1);

		in.data[in.len - 1] ^= 1;
		check_judged(&in, BATCH_CRC, 2);
		buf_release(&in);
	}
}

TEST(records_that_do_not_parse_are_invalid)
{
	struct buf in = simple(2, CODEC_NONE, 3);

	in.data[BATCH_AT_RECORDS] += 2;
	batch_seal(in.data, in.len);
	check_judged(&in, BATCH_RECORDS, 87);
	CHECK_EQ(judge(&in, TIMESTAMP_CREATE).record_index, 0);
	buf_release(&in);
}

TEST(log_append_time_from_a_client_is_refused_where_the_topic_has_it)
{
	struct buf in = simple(2, CODEC_ZSTD, 3);
	struct batch_finding f;

	batch_set_max_timestamp(in.data, in.len, TIMESTAMP_LOG_APPEND, TIME0);
	check_judged(&in, BATCH_OK, 0);
	f = judge(&in, TIMESTAMP_LOG_APPEND);
	CHECK_EQ(f.problem, BATCH_TIMESTAMP_TYPE);
	CHECK_EQ(f.error_code, 32);
	batch_set_max_timestamp(in.data, in.len, TIMESTAMP_LOG_APPEND, -1);
	check_judged(&in, BATCH_TIMESTAMP_TYPE, 32);
	buf_release(&in);
}

/* A blob of records compressed as content of a batch that says what `like` says. */
static struct buf wrapped(const struct buf *like, const void *content, size_t n)
{
	size_t header = like->data[BATCH_AT_MAGIC] == 2 ? BATCH_AT_RECORDS : MESSAGE_AT_KEY_V1 + 8;
	struct buf out;

	buf_init(&out, BATCH_MAX);
	buf_add(&out, like->data, header);
	CHECK_EQ(codec_compress(CODEC_GZIP, content, n, NULL, &out, NULL), 0);
	if (header != BATCH_AT_RECORDS)
		wire_put32(out.data + header - 4, (uint32_t)(out.len - header));
	wire_put32(out.data + BATCH_AT_LENGTH, (uint32_t)out.len - BATCH_LOG_OVERHEAD);
	batch_seal(out.data, out.len);
	return out;
}

TEST(offsets_inside_a_compressed_batch_count_from_zero)
{
	struct buf in = simple(2, CODEC_NONE, 3), like = simple(2, CODEC_GZIP, 3), out;

	in.data[BATCH_AT_RECORDS + 3] = 0x04; /* the first record's offset delta */
	out = wrapped(&like, in.data + BATCH_AT_RECORDS, in.len - BATCH_AT_RECORDS);
	check_judged(&out, BATCH_RECORD_OFFSET, -1);
	/* uncompressed, a broker does not look */
	batch_seal(in.data, in.len);
	check_judged(&in, BATCH_OK, 0);
	buf_release(&in);
	buf_release(&like);
	buf_release(&out);
}

TEST(messages_inside_a_wrapper_are_judged_too)
{
	struct buf in = simple(1, CODEC_NONE, 3), like = simple(1, CODEC_GZIP, 3), out;
	struct buf old = simple(0, CODEC_NONE, 3);

	out = wrapped(&like, in.data, in.len);
	check_judged(&out, BATCH_OK, 0);
	CHECK_EQ(judge(&out, TIMESTAMP_CREATE).records_count, 3);
	CHECK(!judge(&out, TIMESTAMP_CREATE).renumber);
	buf_release(&out);
	batch_set_base_offset(in.data, 1);
	out = wrapped(&like, in.data, in.len);
	check_judged(&out, BATCH_OK, 0);
	CHECK(judge(&out, TIMESTAMP_CREATE).renumber);
	buf_release(&out);
	in.data[in.len - 1] ^= 1;
	out = wrapped(&like, in.data, in.len);
	check_judged(&out, BATCH_RECORD_CRC, 2);
	buf_release(&out);
	out = wrapped(&like, old.data, old.len);
	check_judged(&out, BATCH_RECORD_MAGIC, 87);
	buf_release(&out);
	out = wrapped(&like, like.data, like.len);
	check_judged(&out, BATCH_RECORD_CODEC, 87);
	buf_release(&out);
	out = wrapped(&like, "", 0);
	check_judged(&out, BATCH_RECORDS, 87);
	buf_release(&out);
	buf_release(&in);
	buf_release(&old);
	buf_release(&like);
}

/* --- conversions --- */

TEST(down_conversion_keeps_offsets_times_and_codec_and_drops_headers_and_markers)
{
	for (int8_t magic = 0; magic < 2; magic++) {
		for (uint8_t codec = 0; codec < CODEC_ZSTD; codec++) {
			struct buf in = simple(2, codec, 5), out, scratch;

			buf_init(&out, BATCH_MAX);
			buf_init(&scratch, BATCH_MAX);
			batch_set_base_offset(in.data, 300);
			CHECK_EQ(batch_write_marker(&in, 305, TIME0, 0, 1, 0, true, 0, NULL), 0);
			buf_text(&in, "a cut off batch");
			CHECK_EQ(records_down_convert(in.data, in.len, magic, 0, &scratch, &out,
						      NULL),
				 0);
			CHECK_EQ(out.data[MESSAGE_AT_MAGIC], magic);
			CHECK_EQ(out.data[MESSAGE_AT_ATTRIBUTES], codec);
			CHECK_EQ(read_back(&out, 300, false), 5);
			buf_release(&in);
			buf_release(&out);
			buf_release(&scratch);
		}
	}
}

TEST(down_conversion_starts_where_the_fetch_does_unless_compressed)
{
	for (uint8_t codec = 0; codec < 2; codec++) {
		struct buf in = simple(2, codec, 5), out, scratch;
		struct error e = ERROR_INIT;
		char *text;

		buf_init(&out, BATCH_MAX);
		buf_init(&scratch, BATCH_MAX);
		CHECK_EQ(records_down_convert(in.data, in.len, 1, 3, &scratch, &out, NULL), 0);
		text = dump(out.data, out.len, &e);
		CHECK(strstr(text, codec ? "  offset=0 " : "  offset=3 ") != NULL);
		CHECK_EQ(strstr(text, "  offset=2 ") != NULL, codec);
		free(text);
		buf_release(&in);
		buf_release(&out);
		buf_release(&scratch);
	}
}

TEST(zstd_has_no_way_down)
{
	struct buf in = simple(2, CODEC_ZSTD, 5), out, scratch;

	buf_init(&out, BATCH_MAX);
	buf_init(&scratch, BATCH_MAX);
	buf_text(&out, "before");
	CHECK_EQ(records_down_convert(in.data, in.len, 1, 0, &scratch, &out, NULL),
		 ERR_UNSUPPORTED);
	CHECK_EQ(out.len, 6);
	buf_release(&in);
	buf_release(&out);
	buf_release(&scratch);
}

TEST(an_old_message_set_becomes_one_batch_with_the_logs_offsets)
{
	for (int8_t magic = 0; magic < 2; magic++) {
		for (uint8_t codec = 0; codec < CODEC_ZSTD; codec++) {
			struct buf in = simple(magic, codec, 4), out, scratch;
			struct batch_options o = BATCH_OPTIONS_INIT;
			int32_t count = 0;
			struct batch b;

			buf_init(&out, BATCH_MAX);
			buf_init(&scratch, BATCH_MAX);
			o.base_offset = 50;
			o.partition_leader_epoch = 3;
			o.codec = CODEC_OF_PRODUCER;
			CHECK_EQ(records_rewrite(in.data, in.len, &o, &scratch, &out, &count, NULL),
				 0);
			CHECK_EQ(count, 4);
			b = read_one(&out);
			CHECK_EQ(b.codec, codec);
			CHECK_EQ(b.base_offset, 50);
			CHECK_EQ(b.last_offset, 53);
			CHECK_EQ(b.records_count, 4);
			CHECK_EQ(b.partition_leader_epoch, 3);
			CHECK_EQ(b.max_timestamp, magic ? TIME0 + 3 : -1);
			CHECK(batch_crc_ok(&b));
			buf_release(&in);
			buf_release(&out);
			buf_release(&scratch);
		}
	}
}

TEST(a_rewrite_needs_whole_messages)
{
	struct buf in = simple(1, CODEC_NONE, 2), out, scratch;
	struct batch_options o = BATCH_OPTIONS_INIT;
	int32_t count = 7;

	buf_init(&out, BATCH_MAX);
	buf_init(&scratch, BATCH_MAX);
	CHECK_EQ(records_rewrite(in.data, in.len - 1, &o, &scratch, &out, &count, NULL),
		 ERR_TRUNCATED);
	CHECK_EQ(count, 7);
	CHECK_EQ(records_rewrite(in.data, 0, &o, &scratch, &out, &count, NULL), 0);
	CHECK_EQ(count, 0);
	CHECK_EQ(out.len, 0);
	buf_release(&in);
	buf_release(&out);
	buf_release(&scratch);
}

TEST(a_rewrite_keeps_headers)
{
	struct buf in = simple(2, CODEC_LZ4, 4), out, scratch;
	struct batch_options o = BATCH_OPTIONS_INIT;

	buf_init(&out, BATCH_MAX);
	buf_init(&scratch, BATCH_MAX);
	o.base_offset = 9;
	CHECK_EQ(records_rewrite(in.data, in.len, &o, &scratch, &out, NULL, NULL), 0);
	CHECK_EQ(read_back(&out, 9, false), 4);
	buf_release(&in);
	buf_release(&out);
	buf_release(&scratch);
}

TEST(a_rewrite_with_impossible_options_is_an_error)
{
	struct buf in = simple(1, CODEC_NONE, 2), out, scratch;
	struct batch_options o = BATCH_OPTIONS_INIT;

	buf_init(&out, BATCH_MAX);
	buf_init(&scratch, BATCH_MAX);
	o.codec = 7;
	CHECK_EQ(records_rewrite(in.data, in.len, &o, &scratch, &out, NULL, NULL), ERR_USAGE);
	CHECK_EQ(out.len, 0);
	buf_release(&in);
	buf_release(&out);
	buf_release(&scratch);
}
