/* Compresses and expands blobs with zlib, snappy, lz4 and zstd. Invariants: an expansion grows its
 * output as the stream gives bytes and never past out->max, and on failure out is as it was.
 * Contexts live per thread. Leaves to others what the bytes mean. */
#include "protocol/compress.h"

/* ZSTD_decompressBound is in the static part of zstd's header, though every shared libzstd
 * since 1.4.0 exports it. With it a frame of unknown size is expanded in one call straight into
 * place: streaming would let the frame's header ask for a 128 MiB window. */
#define ZSTD_STATIC_LINKING_ONLY

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GROW_MIN ((size_t)16 << 10)
/* What snappy-java compresses at a time. */
#define XERIAL_BLOCK  ((size_t)32 << 10)
#define XERIAL_HEADER 16
/* No snappy block expands more: its best copy makes 64 bytes of 3. */
#define SNAPPY_RATIO 22
/* More than 2 GiB takes in any codec's worst case. */
#define ASIDE_MAX	     ((size_t)3 << 30)
#define LZ4_MAGIC_SIZE	     4
#define LZ4_HEADER_MAX	     19
#define LZ4_SKIPPABLE_HEADER 8

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static const char *const names[CODEC_COUNT] = {"none", "gzip", "snappy", "lz4", "zstd"};

static _Thread_local struct {
	z_stream *deflate, *inflate;
	int deflate_level;
	LZ4F_dctx *lz4;
	ZSTD_CCtx *zstd_out;
	ZSTD_DCtx *zstd_in;
} contexts;

const char *codec_name(int codec)
{
	return codec >= 0 && codec < CODEC_COUNT ? names[codec] : "unknown";
}

int codec_by_name(const char *name)
{
	for (int i = 0; i < CODEC_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Room for up to want more bytes, less where out's maximum is near; returns how much there is. */
static size_t room(struct buf *out, size_t want)
{
	size_t left = out->max - out->len;

	if (want > left)
		want = left;
	buf_room(out, want);
	return out->bad ? 0 : want;
}

static int too_large(struct error *e, const struct buf *out, size_t at, int codec)
{
	return error_at(e, ERR_LIMIT, at, NULL, "the %s data expands past the limit of %zu bytes",
			codec_name(codec), out->max);
}

/* --- gzip --- */

static z_stream *deflate_context(int level)
{
	z_stream *z = contexts.deflate;

	if (z && contexts.deflate_level == level) {
		deflateReset(z);
		return z;
	}
	if (z)
		deflateEnd(z);
	else
		z = must(malloc(sizeof(*z)));
	memset(z, 0, sizeof(*z));
	if (deflateInit2(z, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	contexts.deflate = z;
	contexts.deflate_level = level;
	return z;
}

static z_stream *inflate_context(void)
{
	z_stream *z = contexts.inflate;

	if (z) {
		inflateReset(z);
		return z;
	}
	z = must(calloc(1, sizeof(*z)));
	if (inflateInit2(z, MAX_WBITS + 16) != Z_OK)
		abort();
	contexts.inflate = z;
	return z;
}

static void gzip_compress(const uint8_t *data, size_t n, int level, struct buf *out)
{
	z_stream *z = deflate_context(level ? level : Z_DEFAULT_COMPRESSION);
	size_t bound = deflateBound(z, n);
	uint8_t *to = buf_room(out, bound);

	if (!to)
		return;
	z->next_in = (z_const Bytef *)data;
	z->avail_in = (uInt)n;
	z->next_out = to;
	z->avail_out = (uInt)bound;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		abort();
	out->len += bound - z->avail_out;
}

/* One member, from *at on. */
static int gzip_member(z_stream *z, const uint8_t *data, size_t n, size_t *at, struct buf *out,
		       struct error *e)
{
	size_t want = (n - *at) * 4 + GROW_MIN;

	for (;;) {
		size_t have = room(out, want);
		int rc;

		z->next_in = (z_const Bytef *)(data + *at);
		z->avail_in = (uInt)(n - *at);
		z->next_out = out->data + out->len;
		z->avail_out = (uInt)have;
		rc = inflate(z, Z_NO_FLUSH);
		*at = n - z->avail_in;
		out->len += have - z->avail_out;
		if (rc == Z_STREAM_END)
			return 0;
		if (rc == Z_MEM_ERROR || rc == Z_STREAM_ERROR)
			abort();
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return error_at(e, ERR_MALFORMED, *at, NULL, "gzip: %s",
					z->msg ? z->msg : "bad data");
		if (z->avail_out > 0 && z->avail_in == 0)
			return error_at(e, ERR_TRUNCATED, *at, NULL, "the gzip data ends early");
		if (rc == Z_BUF_ERROR && have == 0)
			return z->avail_in ? too_large(e, out, *at, CODEC_GZIP)
					   : error_at(e, ERR_TRUNCATED, *at, NULL,
						      "the gzip data ends early");
		want = out->len + GROW_MIN;
	}
}

static int gzip_expand(const uint8_t *data, size_t n, struct buf *out, struct expand_info *info,
		       struct error *e)
{
	z_stream *z = inflate_context();
	size_t at = 0;
	int rc;

	do {
		inflateReset(z);
		rc = gzip_member(z, data, n, &at, out, e);
		if (rc)
			return rc;
		info->frames++;
	} while (n - at >= 2 && data[at] == 0x1f && data[at + 1] == 0x8b);
	info->used = at;
	return 0;
}

/* --- snappy --- */

static void snappy_block(const uint8_t *data, size_t n, bool prefix, struct buf *out)
{
	size_t size = snappy_max_compressed_length(n);
	uint8_t *to = buf_room(out, size + 4);

	if (!to)
		return;
	if (snappy_compress((const char *)data, n, (char *)to + (prefix ? 4 : 0), &size) !=
	    SNAPPY_OK)
		abort();
	if (prefix)
		buf_be32(out, (uint32_t)size);
	out->len += size;
}

static void snappy_write(const uint8_t *data, size_t n, bool raw, struct buf *out)
{
	if (raw) {
		snappy_block(data, n, false, out);
		return;
	}
	buf_add(out, xerial_magic, sizeof(xerial_magic));
	buf_be32(out, 1); /* version, and the oldest version that can read it */
	buf_be32(out, 1);
	for (size_t at = 0; at < n; at += XERIAL_BLOCK)
		snappy_block(data + at, n - at < XERIAL_BLOCK ? n - at : XERIAL_BLOCK, true, out);
}

static int snappy_expand_block(const uint8_t *data, size_t at, size_t n, struct buf *out,
			       struct error *e)
{
	const char *block = (const char *)data + at;
	size_t size;
	uint8_t *to;

	if (snappy_uncompressed_length(block, n, &size) != SNAPPY_OK || size / SNAPPY_RATIO > n)
		return error_at(e, ERR_MALFORMED, at, NULL,
				"snappy: impossible length at the start of a block");
	if (size > out->max - out->len)
		return too_large(e, out, at, CODEC_SNAPPY);
	to = buf_room(out, size);
	if (!to || snappy_uncompress(block, n, (char *)to, &size) != SNAPPY_OK)
		return error_at(e, ERR_MALFORMED, at, NULL,
				"snappy: a block of %zu bytes does not expand", n);
	out->len += size;
	return 0;
}

static int snappy_expand(const uint8_t *data, size_t n, struct buf *out, struct expand_info *info,
			 struct error *e)
{
	size_t at = 0;
	int rc;

	info->used = n;
	if (n < sizeof(xerial_magic) || memcmp(data, xerial_magic, sizeof(xerial_magic)) != 0) {
		info->snappy_raw = true;
		info->frames = 1;
		return snappy_expand_block(data, 0, n, out, e);
	}
	while (at < n) {
		uint32_t size;

		/* A header may stand again between blocks: streams that were joined. Its version
		 * numbers have been 1 for ever. */
		if (n - at >= sizeof(xerial_magic) &&
		    memcmp(data + at, xerial_magic, sizeof(xerial_magic)) == 0) {
			if (n - at < XERIAL_HEADER)
				return error_at(e, ERR_TRUNCATED, n, NULL,
						"the snappy data ends within its framing header");
			at += XERIAL_HEADER;
			continue;
		}
		if (n - at < 4)
			return error_at(e, ERR_TRUNCATED, at, NULL,
					"the snappy data ends within a block's length");
		size = be32(data + at);
		at += 4;
		if (size > n - at)
			return error_at(e, ERR_TRUNCATED, at - 4, NULL,
					"a snappy block of %u bytes, but %zu are left", size,
					n - at);
		rc = snappy_expand_block(data, at, size, out, e);
		if (rc)
			return rc;
		at += size;
		info->frames++;
	}
	return 0;
}

/* --- lz4 --- */

/* XXH32 (seed 0) of fewer than 16 bytes, all that a frame header's checksum ever covers; liblz4
 * does not export its own. */
static uint32_t xxh32_short(const uint8_t *p, size_t n)
{
	const uint32_t prime1 = 2654435761u, prime2 = 2246822519u, prime3 = 3266489917u,
		       prime4 = 668265263u, prime5 = 374761393u;
	uint32_t h = prime5 + (uint32_t)n;

	for (; n >= 4; p += 4, n -= 4) {
		h += le32(p) * prime3;
		h = (h << 17 | h >> 15) * prime4;
	}
	for (; n; p++, n--) {
		h += *p * prime5;
		h = (h << 11 | h >> 21) * prime1;
	}
	h = (h ^ h >> 15) * prime2;
	h = (h ^ h >> 13) * prime3;
	return h ^ h >> 16;
}

static uint8_t lz4_sum(const uint8_t *p, size_t n)
{
	return (uint8_t)(xxh32_short(p, n) >> 8);
}

static void lz4_compress(const uint8_t *data, size_t n, const struct codec_options *o,
			 struct buf *out)
{
	LZ4F_preferences_t prefs = {
		.frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
		.compressionLevel = o->level};
	size_t bound = LZ4F_compressFrameBound(n, &prefs), size;
	uint8_t *to = buf_room(out, bound);

	if (!to)
		return;
	size = LZ4F_compressFrame(to, bound, data, n, &prefs);
	if (LZ4F_isError(size))
		abort();
	if (o->lz4_wrong_sum)
		to[LZ4_MAGIC_SIZE + 2] = lz4_sum(to, LZ4_MAGIC_SIZE + 2);
	out->len += size;
}

/* Reads the frame header at data[*at], mends its checksum where magic excuses it, and feeds it to
 * the library. */
static int lz4_header(const uint8_t *data, size_t n, size_t *at, int magic,
		      struct expand_info *info, struct error *e)
{
	uint8_t head[LZ4_HEADER_MAX], sum;
	size_t left = n - *at, size, none = 0, rc;

	if (left < LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH)
		return error_at(e, ERR_TRUNCATED, n, NULL,
				"the lz4 data ends within a frame header");
	size = LZ4F_headerSize(data + *at, left);
	if (LZ4F_isError(size))
		return error_at(e, ERR_MALFORMED, *at, NULL, "no lz4 frame starts here");
	if (size > left)
		return error_at(e, ERR_TRUNCATED, n, NULL,
				"the lz4 data ends within a frame header");
	memcpy(head, data + *at, size);
	if (size > LZ4_SKIPPABLE_HEADER || size == LZ4_MAGIC_SIZE + 3) {
		sum = lz4_sum(head + LZ4_MAGIC_SIZE, size - LZ4_MAGIC_SIZE - 1);
		if (head[size - 1] != sum) {
			if (magic > 0) /* Kafka excuses it in messages of magic 0 only */
				return error_at(e, ERR_MALFORMED, *at + size - 1, NULL,
						"lz4: wrong checksum of the frame header");
			info->lz4_wrong_sum = true;
			info->lz4_old_sum =
				size - 1 < 16 && head[size - 1] == lz4_sum(head, size - 1);
			head[size - 1] = sum;
		}
	}
	rc = LZ4F_decompress(contexts.lz4, NULL, &none, head, &size, NULL);
	if (LZ4F_isError(rc))
		return error_at(e, ERR_MALFORMED, *at, NULL, "lz4: %s", LZ4F_getErrorName(rc));
	*at += size;
	info->frames++;
	return 0;
}

static int lz4_frame(const uint8_t *data, size_t n, size_t *at, struct buf *out, struct error *e)
{
	size_t want = (n - *at) * 2 + GROW_MIN;

	for (;;) {
		size_t have = room(out, want), put = have, took = n - *at;
		size_t rc = LZ4F_decompress(contexts.lz4, out->data ? out->data + out->len : NULL,
					    &put, data + *at, &took, NULL);

		if (LZ4F_isError(rc))
			return error_at(e, ERR_MALFORMED, *at, NULL, "lz4: %s",
					LZ4F_getErrorName(rc));
		*at += took;
		out->len += put;
		if (rc == 0)
			return 0;
		if (put == 0 && took == 0 && have == 0)
			return too_large(e, out, *at, CODEC_LZ4);
		if (put < have && *at == n)
			return error_at(e, ERR_TRUNCATED, n, NULL, "the lz4 data ends early");
		want = out->len + GROW_MIN;
	}
}

static int lz4_expand(const uint8_t *data, size_t n, int magic, struct buf *out,
		      struct expand_info *info, struct error *e)
{
	size_t at = 0;
	int rc;

	if (!contexts.lz4 &&
	    LZ4F_isError(LZ4F_createDecompressionContext(&contexts.lz4, LZ4F_VERSION)))
		abort();
	do {
		LZ4F_resetDecompressionContext(contexts.lz4);
		rc = lz4_header(data, n, &at, magic, info, e);
		if (!rc)
			rc = lz4_frame(data, n, &at, out, e);
	} while (!rc && at < n);
	info->used = n;
	if (rc) {
		/* Up to lz4 1.9 a reset keeps what was left of an unfinished frame's content size.
		 */
		LZ4F_freeDecompressionContext(contexts.lz4);
		contexts.lz4 = NULL;
	}
	return rc;
}

/* --- zstd --- */

static void zstd_compress(const uint8_t *data, size_t n, int level, struct buf *out)
{
	size_t bound = ZSTD_compressBound(n), size;
	uint8_t *to = buf_room(out, bound);

	if (!to)
		return;
	if (!contexts.zstd_out)
		contexts.zstd_out = must(ZSTD_createCCtx());
	size = ZSTD_compressCCtx(contexts.zstd_out, to, bound, data, n,
				 level ? level : ZSTD_CLEVEL_DEFAULT);
	if (ZSTD_isError(size))
		abort();
	out->len += size;
}

static int zstd_count_frames(const uint8_t *data, size_t n, int *ret_frames)
{
	*ret_frames = 0;
	while (n > 0) {
		size_t size = ZSTD_findFrameCompressedSize(data, n);

		if (ZSTD_isError(size))
			return ZSTD_getErrorCode(size) == ZSTD_error_srcSize_wrong ? ERR_TRUNCATED
										   : ERR_MALFORMED;
		data += size;
		n -= size;
		++*ret_frames;
	}
	return 0;
}

static int zstd_expand(const uint8_t *data, size_t n, struct buf *out, struct expand_info *info,
		       struct error *e)
{
	unsigned long long bound = ZSTD_decompressBound(data, n);
	int rc = zstd_count_frames(data, n, &info->frames);
	size_t have, size;

	if (rc == ERR_TRUNCATED || n == 0)
		return error_at(e, ERR_TRUNCATED, n, NULL, "the zstd data ends early");
	if (rc || bound == ZSTD_CONTENTSIZE_ERROR)
		return error_at(e, ERR_MALFORMED, 0, NULL,
				"no zstd frame, or one with impossible blocks");
	have = room(out, bound < out->max ? (size_t)bound : out->max);
	if (!contexts.zstd_in)
		contexts.zstd_in = must(ZSTD_createDCtx());
	size = ZSTD_decompressDCtx(contexts.zstd_in, out->data ? out->data + out->len : NULL, have,
				   data, n);
	if (ZSTD_isError(size) && ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall &&
	    have < bound)
		return too_large(e, out, 0, CODEC_ZSTD);
	if (ZSTD_isError(size))
		return error_at(e, ERR_MALFORMED, 0, NULL, "zstd: %s", ZSTD_getErrorName(size));
	out->len += size;
	info->used = n;
	return 0;
}

/* --- all --- */

static void compress_into(int codec, const void *data, size_t n, const struct codec_options *o,
			  struct buf *out)
{
	if (codec == CODEC_NONE)
		buf_add(out, data, n);
	else if (codec == CODEC_GZIP)
		gzip_compress(data, n, o->level, out);
	else if (codec == CODEC_SNAPPY)
		snappy_write(data, n, o->snappy_raw, out);
	else if (codec == CODEC_LZ4)
		lz4_compress(data, n, o, out);
	else
		zstd_compress(data, n, o->level, out);
}

int codec_compress(int codec, const void *data, size_t n, const struct codec_options *options,
		   struct buf *out, struct error *e)
{
	static const struct codec_options plain;
	const struct codec_options *o = options ? options : &plain;
	size_t before = out->len;
	struct buf aside;

	if (codec < 0 || codec >= CODEC_COUNT)
		return error_set(e, ERR_UNSUPPORTED, "codec %d is none of Kafka's", codec);
	if (n > INT32_MAX)
		return error_set(e, ERR_LIMIT, "%zu bytes are more than one batch can hold", n);
	if (!data)
		data = "";
	if (!out->bad) {
		compress_into(codec, data, n, o, out);
		if (!out->bad)
			return 0;
		/* The worst case does not fit, but what comes of it may. */
		out->len = before;
		out->bad = false;
		buf_init(&aside, ASIDE_MAX);
		compress_into(codec, data, n, o, &aside);
		buf_add(out, aside.data, aside.len);
		out->bad = out->bad || aside.bad;
		buf_release(&aside);
	}
	if (!out->bad)
		return 0;
	out->len = before;
	return error_set(e, ERR_LIMIT, "the %s data does not fit the limit of %zu bytes",
			 codec_name(codec), out->max);
}

int codec_expand(int codec, const void *data, size_t n, int magic, struct buf *out,
		 struct expand_info *ret_info, struct error *e)
{
	struct expand_info info = {.used = n};
	size_t before = out->len;
	int rc;

	if (n > INT32_MAX)
		return error_set(e, ERR_LIMIT, "%zu bytes are more than one batch can hold", n);
	if (!data)
		data = ""; /* n is 0; the libraries add to the pointer */
	if (codec == CODEC_NONE)
		rc = n > out->max - out->len ? too_large(e, out, 0, codec)
					     : (buf_add(out, data, n), 0);
	else if (codec == CODEC_GZIP)
		rc = gzip_expand(data, n, out, &info, e);
	else if (codec == CODEC_SNAPPY)
		rc = snappy_expand(data, n, out, &info, e);
	else if (codec == CODEC_LZ4)
		rc = lz4_expand(data, n, magic, out, &info, e);
	else if (codec == CODEC_ZSTD)
		rc = zstd_expand(data, n, out, &info, e);
	else
		rc = error_set(e, ERR_UNSUPPORTED, "codec %d is none of Kafka's", codec);
	if (rc)
		out->len = before;
	else if (ret_info)
		*ret_info = info;
	return rc;
}

void codec_contexts_free(void)
{
	if (contexts.deflate)
		deflateEnd(contexts.deflate);
	if (contexts.inflate)
		inflateEnd(contexts.inflate);
	free(contexts.deflate);
	free(contexts.inflate);
	LZ4F_freeDecompressionContext(contexts.lz4);
	ZSTD_freeCCtx(contexts.zstd_out);
	ZSTD_freeDCtx(contexts.zstd_in);
	memset(&contexts, 0, sizeof(contexts));
}
