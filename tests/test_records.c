/* Record batches and message sets: written by the builder, read by the reader, changed in place,
 * judged and converted. Bytes of Kafka's own making are compared in the fixture tests below. */
#include "protocol/batch_builder.h"
#include "protocol/records.h"
#include "protocol/records_convert.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#define TIME0 1700000000000

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
			buf_init(&out, 1 << 20);
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
