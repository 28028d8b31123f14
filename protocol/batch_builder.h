/* Writes record batches (magic 2) and message sets (magic 0 and 1) with every field of the caller's
 * choice and any codec.
 *
 *	struct batch_options options = BATCH_OPTIONS_INIT;
 *	options.codec = CODEC_LZ4;
 *	batch_builder_init(&b, &options, &out);
 *	batch_builder_add(&b, timestamp, key, value, NULL, 0);
 *	rc = batch_builder_end(&b, &e);
 *	batch_builder_release(&b);
 *
 * A builder may be started again with _init_again, which keeps its memory. */
#ifndef PROTOCOL_BATCH_BUILDER_H
#define PROTOCOL_BATCH_BUILDER_H

#include "protocol/records.h"

struct batch_options {
	int8_t magic; /* 0, 1 or 2 */
	uint8_t codec;
	struct codec_options codec_options;
	enum timestamp_type timestamp_type; /* magic 1 and 2 */
	int64_t log_append_time; /* under TIMESTAMP_LOG_APPEND: magic 2's maxTimestamp, every
				    message's in magic 1 */
	int64_t base_offset;	 /* of the first record, where batch_builder_add counts from */
	/* magic 2 */
	int32_t partition_leader_epoch;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	bool transactional, control;
	bool has_delete_horizon;
	int64_t delete_horizon_ms; /* becomes baseTimestamp */
	int32_t last_offset_delta; /* -1: that of the last record; compaction keeps the old one */
};

/* A producer's plain batch of magic 2: no codec, CreateTime, offset 0, no producer id. */
#define BATCH_OPTIONS_INIT                                    \
	((struct batch_options){.magic = 2,                   \
				.log_append_time = -1,        \
				.partition_leader_epoch = -1, \
				.producer_id = -1,            \
				.producer_epoch = -1,         \
				.base_sequence = -1,          \
				.last_offset_delta = -1})

struct batch_builder {
	struct batch_options options;
	struct buf *out;
	struct buf plain; /* records that wait for compression; max RECORDS_EXPANDED_MAX */
	size_t start;	  /* where this batch starts in out */
	int32_t count;
	int64_t next_offset, last_offset;
	int64_t base_timestamp, max_timestamp;
	struct error error; /* sticky; reported by _end */
};

/* Appends to out (which stays the caller's); out's max is the limit. Options are copied. */
void batch_builder_init(struct batch_builder *b, const struct batch_options *options,
			struct buf *out);
void batch_builder_init_again(struct batch_builder *b, const struct batch_options *options,
			      struct buf *out);
void batch_builder_release(struct batch_builder *b);

/* One record at the next offset. Null views are null. headers (n of them) may be NULL; magic 0 and
 * 1 have none and refuse them, magic 0 drops the timestamp. Errors wait for _end. */
void batch_builder_add(struct batch_builder *b, int64_t timestamp, struct bytes key,
		       struct bytes value, const struct record_header *headers, int32_t n);

/* The same at an offset of its own, greater than the one before (compacted batches have gaps). */
void batch_builder_add_at(struct batch_builder *b, int64_t offset, int64_t timestamp,
			  struct bytes key, struct bytes value, const struct record_header *headers,
			  int32_t n);

/* A copy of a record that was read: offset, timestamp, key, value, and in magic 2 its headers. */
void batch_builder_add_record(struct batch_builder *b, const struct record *r);

/* Compresses, writes header and CRC. Without any record magic 2 gets a batch of count 0 (what
 * compaction leaves; set last_offset_delta), magic 0 and 1 nothing at all. Returns 0, ERR_LIMIT
 * (out or the plain records are full), ERR_USAGE (impossible options, offsets that do not grow or
 * are too far apart, headers in a message); on failure out has its old length. */
int batch_builder_end(struct batch_builder *b, struct error *e);

/* One end-transaction marker as Kafka's coordinator has it written: a transactional control batch
 * with a single record, key (version 0, type), value (version 0, coordinator epoch). Returns 0 or
 * ERR_LIMIT. */
int batch_write_marker(struct buf *out, int64_t base_offset, int64_t timestamp,
		       int32_t partition_leader_epoch, int64_t producer_id, int16_t producer_epoch,
		       bool commit, int32_t coordinator_epoch, struct error *e);

/* Record-level helpers, for those who craft bytes: zigzag varints as magic 2 has them. They return
 * the number of bytes written (at most 5 and 10). */
size_t varint_put(uint8_t *to, int32_t v);
size_t varlong_put(uint8_t *to, int64_t v);

#endif
