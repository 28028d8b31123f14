/* Conversions between the formats, for old consumers (down) and old producers (up), as brokers up
 * to 3.9 do them. */
#ifndef PROTOCOL_RECORDS_CONVERT_H
#define PROTOCOL_RECORDS_CONVERT_H

#include "protocol/batch_builder.h"

/* Down: what a Fetch of an old version is answered with. Appends to out every batch of data, those
 * of a magic above to_magic (0 or 1) rewritten as messages with the same offsets, timestamps and
 * codec; headers are lost and control batches left out; records of uncompressed batches before
 * first_offset are left out too. A batch cut off at the end of data is dropped. scratch as in
 * record_iter_init. Returns 0, the reader's errors, ERR_UNSUPPORTED for zstd (Kafka answers 76
 * UNSUPPORTED_COMPRESSION_TYPE), ERR_LIMIT. */
int records_down_convert(const void *data, size_t size, int8_t to_magic, int64_t first_offset,
			 struct buf *scratch, struct buf *out, struct error *e);

/* Rewrites data as one batch of magic 2: what the log keeps of an old producer's message set (up
 * conversion), and of a batch that batch_validate says is to be renumbered. All records of data, at
 * consecutive offsets from options->base_offset, with their headers; all other fields of the batch
 * are those of options (producer id and so on; magic is taken as 2), codec may be
 * CODEC_OF_PRODUCER: that of the last compressed batch or message in data. Without records nothing
 * is appended. Returns 0 and the number of records in *ret_count (may be NULL), the reader's
 * errors, ERR_TRUNCATED for a cut-off message, ERR_LIMIT. */
#define CODEC_OF_PRODUCER 0xff
int records_rewrite(const void *data, size_t size, const struct batch_options *options,
		    struct buf *scratch, struct buf *out, int32_t *ret_count, struct error *e);

#endif
