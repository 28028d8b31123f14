/* Speed of the protocol room: the codec on three messages that clients live on, the walk, checksums
 * and codecs beside the plain libraries, and `ktrial message --batch`. One thread; the best of
 * many short rounds, so that a busy machine shows less. */
#include "base/clock.h"
#include "base/rand.h"
#include "bench/goal.h"
#include "protocol/codec.h"
#include "protocol/compress.h"
#include "protocol/crc32c.h"
#include "protocol/messages.h"
#include "protocol/walk.h"

#include <isa-l/crc.h>
#include <stddef.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define ROUNDS	   50
#define ROUND_US   5000
#define BLOCK_SIZE (1 << 20)

static struct arena arena;
static struct rand rng;
static volatile uint64_t sink;

/* Nanoseconds a call of work(user), the best round. */
static double measure(void (*work)(void *user), void *user)
{
	double best = 0;
	int64_t n = 1, i, start, took;

	for (int round = 0; round < ROUNDS;) {
		start = clock_now().mono_us;
		for (i = 0; i < n; i++)
			work(user);
		took = clock_now().mono_us - start;
		if (took < ROUND_US) {
			n *= took < ROUND_US / 20 ? 10 : 2;
			continue;
		}
		if (!round++ || (double)took * 1000 / (double)n < best)
			best = (double)took * 1000 / (double)n;
	}
	return best;
}

/* ---- the codec and the walk ---- */

struct subject {
	const char *name;
	const struct schema *schema;
	int version;
	void *msg;
	struct gather gather;
	struct buf bytes;
	double decode_goal, encode_goal; /* ns at most; 0: none */
};

static void decode(void *user)
{
	struct subject *s = user;
	max_align_t room[32];

	arena_reset(&arena);
	if (codec_decode(s->schema, s->version,
			 (struct bytes){s->bytes.data, (int32_t)s->bytes.len}, &arena, room,
			 NULL) < 0)
		abort();
}

static void encode(void *user)
{
	struct subject *s = user;

	gather_reset(&s->gather);
	if (codec_encode(s->schema, s->version, s->msg, &s->gather, NULL))
		abort();
}

static enum walk_want count(void *user, const struct walk *w, const struct walk_event *event)
{
	(void)w;
	++*(uint64_t *)user;
	return event->kind == WALK_DATA ? WALK_SKIP : WALK_ON;
}

static void walk(void *user)
{
	struct subject *s = user;
	uint64_t events = 0;
	struct walk w;

	walk_init(&w, s->schema, s->version, (int64_t)s->bytes.len, count, &events);
	walk_feed(&w, (struct bytes){s->bytes.data, (int32_t)s->bytes.len}, NULL);
	if (walk_end(&w, NULL))
		abort();
	walk_release(&w);
	sink += events;
}

static void run_subject(struct subject *s)
{
	double d, e, w;

	gather_init(&s->gather, 64 << 20);
	buf_init(&s->bytes, 64 << 20);
	encode(s);
	gather_flatten(&s->gather, &s->bytes);
	d = measure(decode, s);
	e = measure(encode, s);
	w = measure(walk, s);
	printf("%-42s %7zu bytes  decode %9.0f ns  encode %9.0f ns  walk %9.0f ns = %6.0f MB/s\n",
	       s->name, s->bytes.len, d, e, w, (double)s->bytes.len * 1000 / w);
	if (s->decode_goal > 0)
		goal_line(GOAL_AT_MOST, s->decode_goal, d, "ns", "%s, decode", s->name);
	if (s->encode_goal > 0)
		goal_line(GOAL_AT_MOST, s->encode_goal, e, "ns", "%s, encode", s->name);
	buf_release(&s->bytes);
	gather_release(&s->gather);
}

static void bench_produce(int32_t records_size, const char *name, double decode_goal,
			  double encode_goal)
{
	static uint8_t records[BLOCK_SIZE];
	struct produce_request_topic_data_partition_data partition = {
		.records = {records, records_size, 0}};
	struct produce_request_topic_data topic = {
		.name = str_of("orders"), .partition_data = &partition, .partition_data_count = 1};
	struct produce_request m = {
		.acks = -1, .timeout_ms = 30000, .topic_data = &topic, .topic_data_count = 1};

	run_subject(&(struct subject){.name = name,
				      .schema = &produce_request_schema,
				      .version = 9,
				      .msg = &m,
				      .decode_goal = decode_goal,
				      .encode_goal = encode_goal});
}

static void bench_fetch(void)
{
	static struct fetch_request_topics_partitions partitions[100];
	struct fetch_request_topics topic = {
		.topic = str_of("orders"), .partitions = partitions, .partitions_count = 100};
	struct fetch_request m;

	codec_init(&fetch_request_schema, &m);
	m.topics = &topic;
	m.topics_count = 1;
	for (int32_t i = 0; i < 100; i++) {
		codec_init(&fetch_request_topics_partitions_schema, &partitions[i]);
		partitions[i].partition = i;
		partitions[i].fetch_offset = i * 1000;
		partitions[i].partition_max_bytes = 1 << 20;
	}
	run_subject(&(struct subject){.name = "Fetch request v12, 100 partitions",
				      .schema = &fetch_request_schema,
				      .version = 12,
				      .msg = &m,
				      .decode_goal = 3700,
				      .encode_goal = 2700});
}

static void bench_metadata(void)
{
	static struct metadata_response_topics_partitions partitions[200];
	static int32_t replicas[3] = {1, 2, 3};
	struct metadata_response_brokers brokers[3];
	struct metadata_response_topics topic;
	struct metadata_response m;

	codec_init(&metadata_response_schema, &m);
	codec_init(&metadata_response_topics_schema, &topic);
	m.topics = &topic;
	m.brokers = brokers;
	m.topics_count = 1;
	m.brokers_count = 3;
	m.cluster_id = str_of("a3RyaWFsLXJlYWwta2Fma2");
	topic.name = str_of("orders");
	topic.partitions = partitions;
	topic.partitions_count = 200;
	for (int32_t i = 0; i < 3; i++) {
		codec_init(&metadata_response_brokers_schema, &brokers[i]);
		brokers[i].node_id = i + 1;
		brokers[i].host = str_of("broker.example.org");
		brokers[i].port = 9092;
	}
	for (int32_t i = 0; i < 200; i++) {
		codec_init(&metadata_response_topics_partitions_schema, &partitions[i]);
		partitions[i].partition_index = i;
		partitions[i].leader_id = 1 + i % 3;
		partitions[i].replica_nodes = partitions[i].isr_nodes = replicas;
		partitions[i].replica_nodes_count = partitions[i].isr_nodes_count = 3;
	}
	run_subject(&(struct subject){.name = "Metadata response v12, 200 partitions",
				      .schema = &metadata_response_schema,
				      .version = 12,
				      .msg = &m,
				      .decode_goal = 14800,
				      .encode_goal = 8500});
}

/* ---- checksums and codecs ---- */

struct block {
	struct buf plain, packed, out;
	int codec;
};

static void our_crc(void *user)
{
	struct block *b = user;

	sink += crc32c(b->plain.data, b->plain.len);
}

static void plain_crc(void *user)
{
	struct block *b = user;

	sink += crc32_iscsi(b->plain.data, (int)b->plain.len, 0);
}

static void our_expand(void *user)
{
	struct block *b = user;

	buf_reset(&b->out);
	if (codec_expand(b->codec, b->packed.data, b->packed.len, 2, &b->out, NULL, NULL))
		abort();
}

static void plain_expand(void *user)
{
	struct block *b = user;
	size_t out_len = b->plain.len, in_len = b->packed.len;
	uint8_t *out = b->out.data;
	LZ4F_dctx *lz4;
	z_stream z = {.next_in = b->packed.data, .avail_in = (uInt)in_len, .next_out = out};

	switch (b->codec) {
	case CODEC_GZIP:
		z.avail_out = (uInt)out_len;
		if (inflateInit2(&z, 31) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
			abort();
		inflateEnd(&z);
		break;
	case CODEC_SNAPPY:
		if (snappy_uncompress((const char *)b->packed.data, in_len, (char *)out, &out_len))
			abort();
		break;
	case CODEC_LZ4:
		LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION);
		if (LZ4F_isError(
			    LZ4F_decompress(lz4, out, &out_len, b->packed.data, &in_len, NULL)))
			abort();
		LZ4F_freeDecompressionContext(lz4);
		break;
	default:
		if (ZSTD_isError(ZSTD_decompress(out, out_len, b->packed.data, in_len)))
			abort();
		break;
	}
}

/* Text-like bytes that compress to about a third. */
static void fill(struct buf *out)
{
	while (out->len < BLOCK_SIZE - 200)
		buf_printf(out, "{\"id\":%llu,\"name\":\"customer-%llu\",\"state\":\"shipped\"}\n",
			   (unsigned long long)rand_below(&rng, 1000000000),
			   (unsigned long long)rand_below(&rng, 5000));
}

static void bench_blocks(void)
{
	const struct codec_options raw = {.snappy_raw = true};
	struct block b = {0};
	double ours, plain;

	buf_init(&b.plain, BLOCK_SIZE);
	buf_init(&b.packed, 2 * BLOCK_SIZE);
	buf_init(&b.out, 2 * BLOCK_SIZE);
	fill(&b.plain);
	ours = measure(our_crc, &b);
	plain = measure(plain_crc, &b);
	printf("%-42s %7zu bytes  %6.2f GB/s, ISA-L alone %6.2f GB/s\n", "CRC-32C", b.plain.len,
	       (double)b.plain.len / ours, (double)b.plain.len / plain);
	for (b.codec = CODEC_GZIP; b.codec < CODEC_COUNT; b.codec++) {
		buf_reset(&b.packed);
		if (codec_compress(b.codec, b.plain.data, b.plain.len, &raw, &b.packed, NULL))
			abort();
		ours = measure(our_expand, &b);
		plain = measure(plain_expand, &b);
		printf("%-6s %-35s %7zu bytes  %6.2f GB/s, the library alone %6.2f GB/s\n",
		       codec_name(b.codec), "decompression of", b.packed.len,
		       (double)b.plain.len / ours, (double)b.plain.len / plain);
	}
	buf_release(&b.plain);
	buf_release(&b.packed);
	buf_release(&b.out);
	codec_contexts_free();
}

/* ---- the command ---- */

static void bench_batch(void)
{
	static const char line[] =
		"{\"apiKey\":0,\"version\":9,\"type\":\"request\",\"hex\":\"00ffff00007530"
		"02076f726465727302000000070a72726565656572000000\"}\n";
	const char *ktrial = getenv("KTRIAL");
	const int lines = 200000;
	char command[400];
	int64_t start;
	FILE *out;

	if (!ktrial || !*ktrial)
		return;
	snprintf(command, sizeof(command), "'%s' message --batch >/dev/null", ktrial);
	start = clock_now().mono_us;
	out = popen(command, "w");
	for (int i = 0; out && i < lines; i++)
		fputs(line, out);
	if (!out || pclose(out))
		abort();
	printf("%-42s %7d lines  %9.0f lines/s\n", "message --batch (small Produce)", lines,
	       lines * 1e6 / (double)(clock_now().mono_us - start));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	arena_init(&arena, ARENA_EXCHANGE_MAX);
	rand_seed(&rng, 1);
	bench_produce(1024, "Produce request v9, 1 KiB of records", 55, 40);
	bench_produce(BLOCK_SIZE, "Produce request v9, 1 MiB of records", 0, 0);
	bench_fetch();
	bench_metadata();
	bench_blocks();
	bench_batch();
	arena_release(&arena);
	return goals_missed();
}
