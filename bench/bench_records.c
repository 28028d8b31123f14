/* Speed of record batches: building, reading and judging one of 50 records of 100 bytes, by codec.
 * One thread; the best of several rounds, so that a busy machine shows less. */
#include "base/clock.h"
#include "protocol/batch_builder.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS	5
#define CALLS	2000
#define RECORDS 50

static struct batch_options options;
static struct batch_builder builder;
static struct buf out, scratch;
static struct batch batch;
static volatile int64_t sink;

static void build(void)
{
	static char value[100];
	char key[8] = "key-000";

	buf_reset(&out);
	batch_builder_init_again(&builder, &options, &out);
	for (int i = 0; i < RECORDS; i++) {
		key[6] = (char)('0' + i);
		value[i] = (char)i;
		batch_builder_add(&builder, 1700000000000 + i, (struct bytes){(uint8_t *)key, 8},
				  (struct bytes){(uint8_t *)value, 100}, NULL, 0);
	}
	if (batch_builder_end(&builder, NULL))
		abort();
}

static void read_all(void)
{
	struct record_iter it;
	struct record r;
	int rc = record_iter_init(&it, &batch, &scratch, NULL);

	while (!rc && record_next(&it, &r, NULL) > 0)
		sink += r.value.len;
}

static void judge(void)
{
	struct batch_finding finding;

	if (!batch_validate(&batch, TIMESTAMP_CREATE, &scratch, &finding))
		abort();
}

/* Nanoseconds a record, the best round. */
static double measure(void (*work)(void))
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int64_t start = clock_now().mono_us;
		double ns;

		for (int i = 0; i < CALLS; i++)
			work();
		ns = (double)(clock_now().mono_us - start) * 1000 / CALLS / RECORDS;
		if (!round || ns < best)
			best = ns;
	}
	return best;
}

int main(void)
{
	printf("record batches of %d records of 100 bytes, ns a record\n", RECORDS);
	buf_init(&out, 1 << 20);
	buf_init(&scratch, RECORDS_EXPANDED_MAX);
	options = BATCH_OPTIONS_INIT;
	batch_builder_init(&builder, &options, &out);
	for (options.codec = 0; options.codec < CODEC_COUNT; options.codec++) {
		double ns = measure(build);

		if (batch_read(out.data, out.len, &batch, NULL))
			abort();
		printf("  %-6s %5zu bytes  build %6.1f  read %6.1f  judge %6.1f\n",
		       codec_name(options.codec), out.len, ns, measure(read_all), measure(judge));
	}
	batch_builder_release(&builder);
	buf_release(&out);
	buf_release(&scratch);
	codec_contexts_free();
	return 0;
}
