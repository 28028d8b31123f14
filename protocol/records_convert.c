/* Rewrites records between magics by reading with records.h and writing with batch_builder.h. Owns
 * nothing; keeps offsets on the way down and assigns them on the way up. */
#include "protocol/records_convert.h"

/* Records of an uncompressed batch from first_offset on, all of a compressed one: what the broker's
 * own conversion keeps. */
static int down_records(const struct batch *b, struct record_iter *it,
			struct batch_builder *builder, struct batch_options *options,
			int64_t first_offset, struct buf *out, struct error *e)
{
	struct record r;
	bool started = false;
	int64_t last = 0;
	int rc;

	while ((rc = record_next(it, &r, e)) > 0) {
		if (b->codec == CODEC_NONE && r.offset < first_offset)
			continue;
		if (started && r.offset <= last)
			return error_at(e, ERR_MALFORMED, b->at, "records",
					"record %d's offset does not follow the one before",
					r.index);
		last = r.offset;
		if (!started) {
			options->base_offset = r.offset;
			batch_builder_init_again(builder, options, out);
			started = true;
		}
		r.headers_count = 0;
		batch_builder_add_record(builder, &r);
	}
	if (rc == 0 && started)
		rc = batch_builder_end(builder, e);
	return rc;
}

static int down_batch(const struct batch *b, int8_t to_magic, int64_t first_offset,
		      struct batch_builder *builder, struct buf *scratch, struct buf *out,
		      struct error *e)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct record_iter it;
	int rc;

	if (b->control)
		return 0;
	if (b->codec == CODEC_ZSTD)
		return error_at(e, ERR_UNSUPPORTED, b->at, "records",
				"zstd can't be written in magic %d", to_magic);
	rc = record_iter_init(&it, b, scratch, e);
	if (rc)
		return rc;
	options.magic = to_magic;
	options.codec = b->codec;
	options.timestamp_type = b->timestamp_type;
	options.log_append_time = b->max_timestamp;
	options.codec_options.lz4_wrong_sum = to_magic == 0;
	return down_records(b, &it, builder, &options, first_offset, out, e);
}

int records_down_convert(const void *data, size_t size, int8_t to_magic, int64_t first_offset,
			 struct buf *scratch, struct buf *out, struct error *e)
{
	struct batch_builder builder = {.plain = {.max = RECORDS_EXPANDED_MAX}};
	struct records_reader reader;
	struct batch b;
	size_t before = out->len;
	int rc;

	records_reader_init(&reader, data, size);
	while ((rc = records_next(&reader, &b, e)) > 0) {
		rc = 0;
		if (b.magic <= to_magic)
			buf_add(out, b.raw.data, (size_t)b.raw.len);
		else
			rc = down_batch(&b, to_magic, first_offset, &builder, scratch, out, e);
		if (!rc && out->bad)
			rc = error_set(e, ERR_LIMIT,
				       "the records do not fit the limit of %zu bytes", out->max);
		if (rc)
			break;
	}
	batch_builder_release(&builder);
	if (rc)
		out->len = before;
	return rc;
}

/* Passes over data once to learn the codec of its last compressed message and that it is whole. */
static int last_codec(const void *data, size_t size, uint8_t *ret_codec, struct error *e)
{
	struct records_reader reader;
	struct batch b;
	uint8_t codec = CODEC_NONE;
	int rc;

	records_reader_init(&reader, data, size);
	while ((rc = records_next(&reader, &b, e)) > 0)
		if (b.codec != CODEC_NONE && b.records_count != 0)
			codec = b.codec;
	if (rc < 0)
		return rc;
	if (reader.partial)
		return error_at(e, ERR_TRUNCATED, reader.at, "records",
				"the message set ends within a message");
	*ret_codec = codec;
	return 0;
}

int records_rewrite(const void *data, size_t size, const struct batch_options *options,
		    struct buf *scratch, struct buf *out, int32_t *ret_count, struct error *e)
{
	struct batch_options o = *options;
	struct batch_builder builder;
	struct records_reader reader;
	struct record_iter it;
	struct record r;
	struct batch b;
	uint8_t codec = CODEC_NONE;
	int rc = last_codec(data, size, &codec, e);

	if (rc)
		return rc;
	if (o.codec == CODEC_OF_PRODUCER)
		o.codec = codec;
	o.magic = 2;
	batch_builder_init(&builder, &o, out);
	records_reader_init(&reader, data, size);
	while ((rc = records_next(&reader, &b, e)) > 0) {
		rc = record_iter_init(&it, &b, scratch, e);
		while (!rc && (rc = record_next(&it, &r, e)) > 0) {
			r.offset = builder.next_offset;
			batch_builder_add_record(&builder, &r);
			rc = 0;
		}
		if (rc)
			break;
	}
	if (!rc && (builder.count > 0 || builder.error.code))
		rc = batch_builder_end(&builder, e);
	else
		out->len = builder.start;
	if (!rc && ret_count)
		*ret_count = builder.count;
	batch_builder_release(&builder);
	return rc;
}
