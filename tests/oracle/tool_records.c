/* ktrial's side of the comparison of records with Kafka's own classes (tests/oracle/Records.java is
 *the other; tests/oracle/records-both-ways runs both). Reads lines of hex, writes lines of hex or
 *text.
 *
 *	tool_records dump                 each line's canonical text, then a line "end"
 *	tool_records make SEED COUNT      COUNT random blobs of records, as hex
 *	tool_records produce SEED COUNT   the same, but each one batch as a producer writes it
 *	tool_records mutate SEED COUNT    each line COUNT times with a few bytes changed
 *	tool_records validate create|append   what a broker would answer: PROBLEM CODE
 *	tool_records down MAGIC           each line down-converted to magic 0 or 1, or "error CODE"
 *	tool_records up                   each line rewritten as one batch of magic 2, or "error
 *CODE" */
#include "base/rand.h"
#include "protocol/batch_builder.h"
#include "protocol/records_convert.h"
#include "protocol/wire.h"
#include "tests/records_dump.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX	       ((size_t)1 << 30)
#define UP_BASE_OFFSET 1000

static struct buf scratch = {.max = RECORDS_EXPANDED_MAX};

/* --- lines --- */

static void print_hex(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", data[i]);
	putchar('\n');
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of the next line of stdin; false at the end. */
static bool read_line(struct buf *in)
{
	int c, first = -1;
	bool any = false;

	buf_reset(in);
	while ((c = getchar()) != EOF && c != '\n') {
		any = true;
		if (digit(c) < 0) {
			fprintf(stderr, "tool_records: a line with something other than hex\n");
			exit(2);
		}
		if (first < 0) {
			first = digit(c);
			continue;
		}
		buf_byte(in, (uint8_t)(first << 4 | digit(c)));
		first = -1;
	}
	return any || c == '\n';
}

/* --- random records --- */

static bool one_in(struct rand *r, uint64_t n)
{
	return rand_below(r, n) == 0;
}

/* Null, empty, random or repetitive bytes; large once in a while, so that codecs make several
 * blocks. */
static struct bytes random_bytes(struct rand *r, struct buf *pool, bool nullable)
{
	size_t n = rand_below(r, one_in(r, 200) ? 100000 : one_in(r, 4) ? 300 : 20);
	bool repeat = one_in(r, 2);
	uint8_t *to;

	if (nullable && one_in(r, 6))
		return (struct bytes){NULL, 0};
	to = buf_room(pool, n);
	if (!to)
		return (struct bytes){(const uint8_t *)"", 0};
	for (size_t i = 0; i < n; i++)
		to[i] = repeat ? (uint8_t)("kafka record "[i % 13]) : (uint8_t)rand_next(r);
	pool->len += n;
	return (struct bytes){to, (int32_t)n};
}

static void random_options(struct rand *r, struct batch_options *o)
{
	*o = BATCH_OPTIONS_INIT;
	o->magic = (int8_t)(one_in(r, 2) ? 2 : rand_below(r, 2));
	o->codec = (uint8_t)rand_below(r, o->magic == 2 ? CODEC_COUNT : CODEC_ZSTD);
	o->codec_options.snappy_raw = one_in(r, 2);
	o->codec_options.lz4_wrong_sum = o->magic == 0;
	o->base_offset = one_in(r, 2) ? 0 : (int64_t)(rand_next(r) >> 12);
	if (o->magic && one_in(r, 3)) {
		o->timestamp_type = TIMESTAMP_LOG_APPEND;
		o->log_append_time = (int64_t)(rand_next(r) >> 22);
	}
	if (o->magic < 2)
		return;
	o->partition_leader_epoch = (int32_t)rand_below(r, 1000) - 1;
	if (one_in(r, 2)) {
		o->producer_id = (int64_t)(rand_next(r) >> 20);
		o->producer_epoch = (int16_t)rand_below(r, 32768);
		o->base_sequence = (int32_t)(one_in(r, 4) ? INT32_MAX - rand_below(r, 20)
							  : rand_below(r, 100000));
		o->transactional = one_in(r, 2);
	}
	o->has_delete_horizon = one_in(r, 5);
	o->delete_horizon_ms = (int64_t)(rand_next(r) >> 22);
}

static void random_batch(struct rand *r, struct buf *pool, struct buf *out, bool produce)
{
	int count = (int)rand_below(r, one_in(r, 10) ? 300 : 20) + 1;
	struct record_header headers[5];
	struct batch_options o;
	struct batch_builder b;
	struct error e = ERROR_INIT;
	int64_t offset;

	random_options(r, &o);
	if (produce) {
		o.base_offset = 0;
		o.has_delete_horizon = false;
	}
	offset = o.base_offset;
	batch_builder_init(&b, &o, out);
	for (int i = 0; i < count; i++) {
		int32_t n = o.magic == 2 && one_in(r, 3) ? (int32_t)rand_below(r, 5) : 0;
		struct bytes key = random_bytes(r, pool, true), value = random_bytes(r, pool, true);
		int64_t timestamp = one_in(r, 20) ? -1 : (int64_t)(rand_next(r) >> 22);

		for (int32_t h = 0; h < n; h++) {
			char *text = (char *)buf_room(pool, 24);

			pool->len += (size_t)snprintf(text, 24, "h%llu",
						      (unsigned long long)rand_below(r, 1 << 20));
			headers[h] = (struct record_header){str_of(text), {NULL, 0}};
			headers[h].key.len = (int32_t)strlen(text);
			pool->len++;
			headers[h].value = random_bytes(r, pool, true);
		}
		batch_builder_add_at(&b, offset, timestamp, key, value, headers, n);
		offset += o.magic == 2 && !produce && one_in(r, 5) ? 1 + (int64_t)rand_below(r, 500)
								   : 1;
	}
	if (batch_builder_end(&b, &e)) {
		fprintf(stderr, "tool_records: %s\n", e.text);
		exit(1);
	}
	batch_builder_release(&b);
}

static void make(uint64_t seed, int count, bool produce)
{
	struct buf pool, out;
	struct rand r;

	rand_seed(&r, seed);
	buf_init(&pool, OUT_MAX);
	buf_init(&out, OUT_MAX);
	buf_room(&pool, (size_t)1 << 28); /* views into it must stay: it may not move */
	for (int i = 0; i < count; i++) {
		int batches = produce ? 1 : (int)rand_below(&r, 3) + 1;

		buf_reset(&out);
		for (int n = 0; n < batches; n++) {
			buf_reset(&pool);
			random_batch(&r, &pool, &out, produce);
		}
		if (!produce && one_in(&r, 8))
			batch_write_marker(&out, (int64_t)rand_below(&r, 1 << 30), 1700000000000,
					   (int32_t)rand_below(&r, 9), (int64_t)rand_below(&r, 99),
					   (int16_t)rand_below(&r, 99), one_in(&r, 2),
					   (int32_t)rand_below(&r, 1 << 20), NULL);
		print_hex(out.data,
			  out.len - (!produce && one_in(&r, 8) ? rand_below(&r, out.len) : 0));
	}
	buf_release(&pool);
	buf_release(&out);
}

/* --- hostile records --- */

/* Changes a few bytes, small numbers for choice; renews the first batch's CRC half of the time, so
 * that what lies behind it is reached. */
static void mutate_once(struct rand *r, struct buf *b)
{
	static const uint8_t favourites[] = {0, 1, 2, 0x7f, 0x80, 0xff, 3, 0x10};
	size_t span = one_in(r, 2) && b->len > 80 ? 80 : b->len;
	int changes = (int)rand_below(r, 3) + 1;
	size_t size;

	for (int i = 0; i < changes; i++)
		b->data[rand_below(r, span)] =
			one_in(r, 2) ? favourites[rand_below(r, 8)] : (uint8_t)rand_next(r);
	if (b->len < BATCH_AT_RECORDS || one_in(r, 4))
		return;
	size = (size_t)wire_u32(b->data + BATCH_AT_LENGTH) + BATCH_LOG_OVERHEAD;
	if (size <= b->len && size >= BATCH_AT_RECORDS)
		batch_seal(b->data, size);
}

static void mutate(uint64_t seed, int count)
{
	struct buf in, copy;
	struct rand r;

	rand_seed(&r, seed);
	buf_init(&in, OUT_MAX);
	buf_init(&copy, OUT_MAX);
	while (read_line(&in)) {
		for (int i = 0; i < count && in.len; i++) {
			buf_reset(&copy);
			buf_add(&copy, in.data, in.len);
			mutate_once(&r, &copy);
			print_hex(copy.data, copy.len);
		}
	}
	buf_release(&in);
	buf_release(&copy);
}

/* --- answers --- */

static void dump(const struct buf *in, struct buf *out)
{
	struct error e = ERROR_INIT;
	char text[600];

	records_dump(in->data, in->len, &scratch, out, &e);
	printf("%send\n", buf_cstr(out));
	if (e.code && getenv("WHY"))
		fprintf(stderr, "%s\n", error_text(&e, text, sizeof(text)));
}

static void validate(const struct buf *in, enum timestamp_type topic_type)
{
	struct batch_finding finding;
	struct error e = ERROR_INIT;
	struct batch b;

	if (batch_read(in->data, in->len, &b, &e)) {
		printf("UNREADABLE %d\n", e.code);
		return;
	}
	batch_validate(&b, topic_type, &scratch, &finding);
	printf("%s %d\n", batch_problem_name(finding.problem), finding.error_code);
}

static void print_result(int rc, const struct buf *out)
{
	if (rc)
		printf("error %d\n", rc);
	else
		print_hex(out->data, out->len);
}

static void up(const struct buf *in, struct buf *out)
{
	struct batch_options o = BATCH_OPTIONS_INIT;
	int rc;

	o.codec = CODEC_OF_PRODUCER;
	o.base_offset = UP_BASE_OFFSET;
	o.partition_leader_epoch = 5;
	rc = records_rewrite(in->data, in->len, &o, &scratch, out, NULL, NULL);
	print_result(rc, out);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *arg = argc > 2 ? argv[2] : "";
	struct buf in, out;

	if ((strcmp(verb, "make") == 0 || strcmp(verb, "produce") == 0) && argc == 4) {
		make(strtoull(arg, NULL, 10), (int)strtol(argv[3], NULL, 10), *verb == 'p');
		return 0;
	}
	if (strcmp(verb, "mutate") == 0 && argc == 4) {
		mutate(strtoull(arg, NULL, 10), (int)strtol(argv[3], NULL, 10));
		return 0;
	}
	buf_init(&in, OUT_MAX);
	buf_init(&out, OUT_MAX);
	while (read_line(&in)) {
		buf_reset(&out);
		if (strcmp(verb, "dump") == 0)
			dump(&in, &out);
		else if (strcmp(verb, "validate") == 0)
			validate(&in, strcmp(arg, "append") == 0 ? TIMESTAMP_LOG_APPEND
								 : TIMESTAMP_CREATE);
		else if (strcmp(verb, "down") == 0)
			print_result(records_down_convert(in.data, in.len, *arg == '1', 0, &scratch,
							  &out, NULL),
				     &out);
		else if (strcmp(verb, "up") == 0)
			up(&in, &out);
		else
			return 2;
	}
	buf_release(&in);
	buf_release(&out);
	buf_release(&scratch);
	codec_contexts_free();
	return 0;
}
