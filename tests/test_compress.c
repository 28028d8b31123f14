/* Codecs and checksums: framings that clients write, several members in a row, limits, hostile
 * bytes. */
#include "protocol/compress.h"
#include "protocol/crc32c.h"
#include "base/rand.h"
#include "tests/test.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <zstd.h>

#define OUT_MAX ((size_t)8 << 20)

/* n bytes that compress somewhat: runs, words and noise. */
static uint8_t *sample(size_t n, uint64_t seed)
{
	uint8_t *data = malloc(n + 1);
	struct rand r;

	rand_seed(&r, seed);
	for (size_t i = 0; i < n; i++)
		data[i] = i % 512 < 300 ? (uint8_t)("topic partition "[i % 16])
					: (uint8_t)rand_next(&r);
	return data;
}

static struct buf packed(int codec, const void *data, size_t n, const struct codec_options *options)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	CHECK_EQ(codec_compress(codec, data, n, options, &out, NULL), 0);
	return out;
}

static int expand(int codec, const struct buf *in, int magic, size_t max, struct expand_info *info,
		  struct error *e)
{
	struct buf out;
	int rc;

	buf_init(&out, max);
	rc = codec_expand(codec, in->data, in->len, magic, &out, info, e);
	CHECK(out.cap <= max + 1);
	CHECK(!out.bad);
	if (rc)
		CHECK_EQ(out.len, 0);
	buf_release(&out);
	return rc;
}

static void check_expands_to(int codec, const struct buf *in, int magic, const void *data, size_t n,
			     struct expand_info *info)
{
	struct error e = ERROR_INIT;
	struct buf out;

	buf_init(&out, OUT_MAX);
	buf_text(&out, "before");
	CHECK_EQ(codec_expand(codec, in->data, in->len, magic, &out, info, &e), 0);
	CHECK_TEXT(e.text, "");
	CHECK_BYTES(out.data, 6, "before", 6);
	CHECK_EQ(out.len - 6, n);
	CHECK(out.len - 6 == n && memcmp(out.data + 6, data, n) == 0);
	buf_release(&out);
}

TEST(checksums_match_their_published_check_values)
{
	CHECK_EQ(crc32c("123456789", 9), 0xe3069283);
	CHECK_EQ(crc32_zlib("123456789", 9), 0xcbf43926);
	CHECK_EQ(crc32c(NULL, 0), 0);
	CHECK_EQ(crc32_zlib(NULL, 0), 0);
}

TEST(checksums_may_be_taken_in_pieces)
{
	uint8_t *data = sample(1000, 1);

	for (size_t cut = 0; cut <= 1000; cut += 37) {
		CHECK_EQ(crc32c_more(crc32c(data, cut), data + cut, 1000 - cut),
			 crc32c(data, 1000));
		CHECK_EQ(crc32_zlib_more(crc32_zlib(data, cut), data + cut, 1000 - cut),
			 crc32_zlib(data, 1000));
	}
	free(data);
}

TEST(codecs_have_kafkas_names_and_numbers)
{
	static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

	for (int codec = 0; codec < CODEC_COUNT; codec++) {
		CHECK_TEXT(codec_name(codec), names[codec]);
		CHECK_EQ(codec_by_name(names[codec]), codec);
	}
	CHECK_TEXT(codec_name(5), "unknown");
	CHECK_TEXT(codec_name(-1), "unknown");
	CHECK_EQ(codec_by_name("brotli"), -1);
}

TEST(every_codec_gives_back_what_it_took)
{
	static const size_t sizes[] = {0, 1, 15, 100, 32768, 32769, 65536, 65537, 1000000};

	for (int codec = 0; codec < CODEC_COUNT; codec++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			uint8_t *data = sample(sizes[i], i);
			struct buf in = packed(codec, data, sizes[i], NULL);

			check_expands_to(codec, &in, 2, data, sizes[i], NULL);
			buf_release(&in);
			free(data);
		}
	}
}

TEST(levels_other_than_the_usual_are_honoured)
{
	uint8_t *data = sample(200000, 3);

	for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
		struct buf fast = packed(codec, data, 200000, &(struct codec_options){.level = 1});
		struct buf best = packed(codec, data, 200000, &(struct codec_options){.level = 9});

		if (codec != CODEC_SNAPPY)
			CHECK(best.len < fast.len);
		check_expands_to(codec, &fast, 2, data, 200000, NULL);
		check_expands_to(codec, &best, 2, data, 200000, NULL);
		buf_release(&fast);
		buf_release(&best);
	}
	free(data);
}

TEST(members_and_frames_in_a_row_expand_to_all_of_them)
{
	uint8_t *data = sample(150000, 4);

	for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
		struct expand_info info = {0};
		struct buf in = packed(codec, data, 100000, NULL);
		struct buf rest = packed(codec, data + 100000, 50000, NULL);

		buf_add(&in, rest.data, rest.len);
		check_expands_to(codec, &in, 2, data, 150000, &info);
		CHECK_EQ(info.used, in.len);
		CHECK_EQ(info.frames, codec == CODEC_SNAPPY ? 6 : 2); /* its blocks hold 32 KiB */
		buf_release(&in);
		buf_release(&rest);
	}
	free(data);
}

TEST(bytes_behind_the_last_gzip_member_are_left_and_told)
{
	struct buf in = packed(CODEC_GZIP, "hello", 5, NULL);
	struct expand_info info;
	size_t used = in.len;

	buf_text(&in, "garbage");
	check_expands_to(CODEC_GZIP, &in, 2, "hello", 5, &info);
	CHECK_EQ(info.used, used);
	CHECK_EQ(info.frames, 1);
	buf_release(&in);
}

TEST(snappy_is_understood_raw_and_framed)
{
	uint8_t *data = sample(90000, 5);
	struct buf raw =
		packed(CODEC_SNAPPY, data, 90000, &(struct codec_options){.snappy_raw = true});
	struct buf framed = packed(CODEC_SNAPPY, data, 90000, NULL);
	struct expand_info info;

	check_expands_to(CODEC_SNAPPY, &raw, 2, data, 90000, &info);
	CHECK(info.snappy_raw);
	check_expands_to(CODEC_SNAPPY, &framed, 2, data, 90000, &info);
	CHECK(!info.snappy_raw);
	CHECK_EQ(info.frames, 3);
	CHECK_BYTES(framed.data, 16, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
	buf_release(&raw);
	buf_release(&framed);
	free(data);
}

TEST(an_old_clients_lz4_header_sum_is_excused_in_messages_of_magic_0_only)
{
	struct buf in = packed(CODEC_LZ4, "hello hello hello", 17,
			       &(struct codec_options){.lz4_wrong_sum = true});
	struct expand_info info;
	struct error e = ERROR_INIT;

	check_expands_to(CODEC_LZ4, &in, 0, "hello hello hello", 17, &info);
	CHECK(info.lz4_wrong_sum);
	CHECK(info.lz4_old_sum);
	for (int magic = 1; magic <= 2; magic++) {
		e = (struct error)ERROR_INIT;
		CHECK_EQ(expand(CODEC_LZ4, &in, magic, OUT_MAX, NULL, &e), ERR_MALFORMED);
		CHECK_TEXT(e.text, "lz4: wrong checksum of the frame header");
		CHECK_EQ(e.offset, 6);
	}
	in.data[6] ^= 0x55; /* wrong in a way that nobody has */
	check_expands_to(CODEC_LZ4, &in, 0, "hello hello hello", 17, &info);
	CHECK(info.lz4_wrong_sum);
	CHECK(!info.lz4_old_sum);
	buf_release(&in);
}

TEST(a_right_lz4_header_sum_is_told_as_right)
{
	struct buf in = packed(CODEC_LZ4, "hello", 5, NULL);
	struct expand_info info;

	check_expands_to(CODEC_LZ4, &in, 0, "hello", 5, &info);
	CHECK(!info.lz4_wrong_sum);
	CHECK_EQ(in.data[6], 0x82); /* of 60 40: version 1, independent blocks of 64 KiB */
	buf_release(&in);
}

/* A frame that says how large its content is. */
static void lz4_sized(const uint8_t *data, size_t n, struct buf *out)
{
	LZ4F_preferences_t prefs = {.frameInfo = {.contentSize = n, .contentChecksumFlag = 1}};
	size_t bound = LZ4F_compressFrameBound(n, &prefs);
	size_t size = LZ4F_compressFrame(buf_room(out, bound), bound, data, n, &prefs);

	CHECK(!LZ4F_isError(size));
	out->len += size;
}

TEST(an_unfinished_lz4_frame_leaves_no_trace)
{
	uint8_t *data = sample(3000, 13);
	struct buf sized, plain = packed(CODEC_LZ4, data, 3000, NULL);

	buf_init(&sized, OUT_MAX);
	lz4_sized(data, 3000, &sized);
	check_expands_to(CODEC_LZ4, &sized, 2, data, 3000, NULL);
	sized.len -= 20;
	CHECK_EQ(expand(CODEC_LZ4, &sized, 2, OUT_MAX, NULL, NULL), ERR_TRUNCATED);
	check_expands_to(CODEC_LZ4, &plain, 2, data, 3000, NULL);
	buf_release(&sized);
	buf_release(&plain);
	free(data);
}

/* A frame without its content's size, in blocks that were flushed: what a stream writes. */
static void zstd_stream(const uint8_t *data, size_t n, struct buf *out)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();

	for (size_t at = 0; at < n; at += 10000) {
		ZSTD_inBuffer in = {data + at, n - at < 10000 ? n - at : 10000, 0};
		ZSTD_outBuffer to = {buf_room(out, 20000), 20000, 0};

		CHECK_EQ(ZSTD_compressStream2(ctx, &to, &in,
					      at + 10000 < n ? ZSTD_e_flush : ZSTD_e_end),
			 0);
		out->len += to.pos;
	}
	ZSTD_freeCCtx(ctx);
}

TEST(zstd_frames_of_unknown_size_expand)
{
	uint8_t *data = sample(95000, 6);
	struct buf in;

	buf_init(&in, OUT_MAX);
	zstd_stream(data, 95000, &in);
	CHECK(ZSTD_getFrameContentSize(in.data, in.len) == ZSTD_CONTENTSIZE_UNKNOWN);
	check_expands_to(CODEC_ZSTD, &in, 2, data, 95000, NULL);
	/* The bound of such a frame is more than its size: only the size may count. */
	CHECK_EQ(expand(CODEC_ZSTD, &in, 2, 95000, NULL, NULL), 0);
	CHECK_EQ(expand(CODEC_ZSTD, &in, 2, 94999, NULL, NULL), ERR_LIMIT);
	buf_release(&in);
	free(data);
}

TEST(the_limit_is_exact_and_named)
{
	uint8_t *data = sample(200000, 7);

	memset(data, 'x', 200000);
	for (int codec = 0; codec < CODEC_COUNT; codec++) {
		for (int raw = 0; raw < 2; raw++) {
			struct codec_options options = {.snappy_raw = raw};
			struct buf in = packed(codec, data, 200000, &options);
			struct error e = ERROR_INIT;

			CHECK_EQ(expand(codec, &in, 2, 200000, NULL, NULL), 0);
			CHECK_EQ(expand(codec, &in, 2, 199999, NULL, &e), ERR_LIMIT);
			CHECK(strstr(e.text, "expands past the limit of 199999 bytes") != NULL);
			CHECK_EQ(expand(codec, &in, 2, 0, NULL, NULL), ERR_LIMIT);
			buf_release(&in);
		}
	}
	free(data);
}

TEST(a_limit_on_compressed_output_leaves_it_as_it_was)
{
	uint8_t *data = sample(100000, 8);

	for (int codec = 0; codec < CODEC_COUNT; codec++) {
		struct error e = ERROR_INIT;
		struct buf out;

		buf_init(&out, 1000);
		buf_text(&out, "before");
		CHECK_EQ(codec_compress(codec, data, 100000, NULL, &out, &e), ERR_LIMIT);
		CHECK_EQ(out.len, 6);
		CHECK(strstr(e.text, "limit of 1000 bytes") != NULL);
		buf_release(&out);
	}
	free(data);
}

TEST(lengths_that_lie_cost_no_memory)
{
	/* a raw snappy block that claims 4 GiB less one, and one that claims 60 MB of 10 bytes */
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'};
	static const uint8_t large[] = {0x80, 0x8e, 0xce, 0x1c, 0, 'x', 0, 0, 0, 0};
	struct buf in = {.data = (uint8_t *)(uintptr_t)huge, .len = sizeof(huge)};
	struct buf out;

	CHECK_EQ(expand(CODEC_SNAPPY, &in, 2, RECORDS_EXPANDED_MAX, NULL, NULL), ERR_MALFORMED);
	buf_init(&out, RECORDS_EXPANDED_MAX);
	CHECK_EQ(codec_expand(CODEC_SNAPPY, large, sizeof(large), 2, &out, NULL, NULL),
		 ERR_MALFORMED);
	CHECK_EQ(out.cap, 0);
	buf_release(&out);
}

TEST(a_bomb_stops_at_the_limit)
{
	uint8_t *zeros = calloc(1, 6 << 20);

	for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
		struct buf in = packed(codec, zeros, 6 << 20, NULL);

		CHECK_EQ(expand(codec, &in, 2, 1 << 20, NULL, NULL), ERR_LIMIT);
		buf_release(&in);
	}
	free(zeros);
}

TEST(data_cut_at_any_byte_is_an_error)
{
	uint8_t *data = sample(3000, 9);

	for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
		for (int raw = 0; raw < (codec == CODEC_SNAPPY) + 1; raw++) {
			struct codec_options options = {.snappy_raw = raw};
			struct buf in = packed(codec, data, 3000, &options);
			size_t n = in.len;

			for (in.len = 0; in.len < n; in.len++) {
				struct error e = ERROR_INIT;
				int rc = expand(codec, &in, 2, OUT_MAX, NULL, &e);

				/* snappy's framing has no end: only its header may stand alone */
				if (codec == CODEC_SNAPPY && !raw && in.len == 16)
					continue;
				CHECK(rc == ERR_TRUNCATED || rc == ERR_MALFORMED);
				CHECK(e.offset <= in.len);
			}
			buf_release(&in);
		}
	}
	free(data);
}

TEST(damaged_data_never_crashes_and_stays_within_the_limit)
{
	uint8_t *data = sample(5000, 10);
	struct rand r;

	rand_seed(&r, 11);
	for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
		struct buf in = packed(codec, data, 5000, NULL);

		for (int i = 0; i < 500; i++) {
			size_t at = rand_below(&r, i % 2 ? 40 : in.len);
			uint8_t old = in.data[at];

			in.data[at] = (uint8_t)rand_next(&r);
			expand(codec, &in, (int)rand_below(&r, 3), 20000, NULL, NULL);
			in.data[at] = old;
		}
		check_expands_to(codec, &in, 2, data, 5000, NULL);
		buf_release(&in);
	}
	free(data);
}

TEST(a_codec_that_does_not_exist_is_refused)
{
	struct buf in = {.data = (uint8_t *)(uintptr_t) "x", .len = 1};
	struct buf out;

	buf_init(&out, 100);
	for (int codec = -1; codec <= 7; codec++) {
		if (codec >= 0 && codec < CODEC_COUNT)
			continue;
		CHECK_EQ(expand(codec, &in, 2, 100, NULL, NULL), ERR_UNSUPPORTED);
		CHECK_EQ(codec_compress(codec, "x", 1, NULL, &out, NULL), ERR_UNSUPPORTED);
	}
	buf_release(&out);
}

TEST(contexts_come_back_after_they_were_freed)
{
	uint8_t *data = sample(1000, 12);

	for (int round = 0; round < 2; round++) {
		for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
			struct buf in = packed(codec, data, 1000, NULL);

			check_expands_to(codec, &in, 2, data, 1000, NULL);
			buf_release(&in);
		}
		codec_contexts_free();
	}
	free(data);
}
