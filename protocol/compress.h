/* The codecs of Kafka's records: compress and expand whole byte blobs, in the framings that Kafka's
 * clients write and read. Library contexts are kept per thread and reused, so that a small batch
 * costs no set-up. */
#ifndef PROTOCOL_COMPRESS_H
#define PROTOCOL_COMPRESS_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that one compressed blob may expand to, unless the caller says less. */
#define RECORDS_EXPANDED_MAX ((size_t)64 << 20)

/* The number is bits 0-2 of a batch's or message's attributes; 5 to 7 mean nothing. */
enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

/* "none", "gzip", "snappy", "lz4", "zstd" as in compression.type; "unknown" for any other number.
 */
const char *codec_name(int codec);

/* The codec of such a name, or -1. */
int codec_by_name(const char *name);

struct codec_options {
	int level; /* 0: what Kafka takes when nothing is set; else the library's (gzip, lz4, zstd)
		    */
	/* One bare snappy block, as some C and Go clients write; else xerial's framing, as Java. */
	bool snappy_raw;
	/* The lz4 frame header's checksum covers the magic number too, as clients before 0.10 wrote
	 * it (KAFKA-3160). */
	bool lz4_wrong_sum;
};

/* Compresses n bytes and appends the result to out. CODEC_NONE copies. options may be NULL (all
 * zero). Returns 0, or ERR_LIMIT (out's max), ERR_UNSUPPORTED (no such codec); on failure out has
 * its old length. */
int codec_compress(int codec, const void *data, size_t n, const struct codec_options *options,
		   struct buf *out, struct error *e);

/* What was found while expanding. */
struct expand_info {
	size_t used;	    /* bytes of the codec's stream; less than n: garbage behind it */
	int frames;	    /* gzip members, lz4 or zstd frames, snappy blocks */
	bool snappy_raw;    /* no xerial framing */
	bool lz4_wrong_sum; /* a frame header's checksum is wrong (only magic 0 gets this far) */
	bool lz4_old_sum;   /* ... in exactly the way old clients compute it */
};

/* Expands n bytes and appends the result to out, never allocating past out->max
 * (RECORDS_EXPANDED_MAX is the usual one). magic is that of the batch or wrapper: 0 excuses lz4's
 * wrong header checksum. Understands gzip of several members (bytes behind the last that are
 * no member are left, as Java does), snappy raw or with xerial framing, lz4 and zstd of several
 * frames, with or without content size. ret_info may be NULL. Returns 0, or ERR_TRUNCATED,
 * ERR_MALFORMED, ERR_UNSUPPORTED (no such codec), ERR_LIMIT (past out->max), with e's offset inside
 * data; on failure out has its old length and is not bad. */
int codec_expand(int codec, const void *data, size_t n, int magic, struct buf *out,
		 struct expand_info *ret_info, struct error *e);

/* Frees this thread's library contexts; they come back on next use. For leak checkers and tidy
 * ends. */
void codec_contexts_free(void);

#endif
