/* Messages without their records, and histograms: what statistics live on. */
#include "base/rand.h"
#include "decoder/histogram.h"
#include "decoder/thin.h"
#include "protocol/codec.h"
#include "protocol/messages.h"
#include "tests/test.h"

#include <stdlib.h>

static void on_put(void *context, const uint8_t *data, size_t n)
{
	buf_add(context, data, n);
}

static void on_cut(void *context, size_t n)
{
	struct buf *b = context;

	CHECK(n <= b->len);
	b->len -= n;
}

/* A fetch's answer with two topics of two partitions, encoded; records: with them, or with empty
 * ones in their place. */
static void encode_fetch(struct buf *ret, int version, bool records)
{
	static const uint8_t data[300] = {1, 2, 3};
	struct fetch_response_responses_partitions p[4];
	struct fetch_response_responses t[2];
	struct fetch_response a;
	struct error e = ERROR_INIT;
	struct gather g;

	codec_init(&fetch_response_schema, &a);
	for (int i = 0; i < 4; i++) {
		p[i] = fetch_response_responses_partitions_defaults;
		p[i].partition_index = i;
		p[i].error_code = (int16_t)i;
		p[i].records = (struct records){data, records ? 100 * i : 0, 0};
	}
	p[3].records = (struct records){NULL, 0, 0};
	for (int i = 0; i < 2; i++) {
		t[i] = fetch_response_responses_defaults;
		if (version >= 13)
			t[i].topic_id = (struct uuid){{(uint8_t)(i + 1)}};
		else
			t[i].topic = str_of(i ? "payments" : "orders");
		t[i].partitions = &p[2 * i];
		t[i].partitions_count = 2;
	}
	a.responses = t;
	a.responses_count = 2;
	gather_init(&g, 1 << 20);
	codec_encode(&fetch_response_schema, version, &a, &g, &e);
	CHECK_TEXT(e.text, "");
	buf_init(ret, 1 << 20);
	gather_flatten(&g, ret);
	gather_release(&g);
}

static void check_thin(int version, const struct buf *whole, const struct buf *want, size_t step)
{
	struct thin_events events = {NULL, on_put, on_cut};
	struct thin t;
	struct buf got;

	buf_init(&got, 1 << 20);
	events.context = &got;
	thin_init(&t, &fetch_response_schema, version, (int64_t)whole->len, &events);
	for (size_t at = 0; at < whole->len; at += step)
		thin_feed(&t, whole->data + at, whole->len - at < step ? whole->len - at : step);
	CHECK_BYTES(got.data, got.len, want->data, want->len);
	CHECK_EQ(t.removed, whole->len - want->len);
	thin_release(&t);
	buf_release(&got);
}

TEST(a_thin_message_is_the_same_with_empty_records_however_its_bytes_come)
{
	static const int versions[] = {4, 11, 12, 13, 17};

	for (int i = 0; i < 5; i++) {
		struct buf whole, want;

		encode_fetch(&whole, versions[i], true);
		encode_fetch(&want, versions[i], false);
		CHECK(whole.len > want.len + 290);
		for (size_t step = 1; step < 70; step++)
			check_thin(versions[i], &whole, &want, step);
		check_thin(versions[i], &whole, &want, whole.len);
		buf_release(&whole);
		buf_release(&want);
	}
}

TEST(a_malformed_message_stays_as_it_is_from_there_on)
{
	struct thin_events events = {NULL, on_put, on_cut};
	struct buf whole, got;
	struct thin t;

	encode_fetch(&whole, 11, true);
	for (size_t at = 0; at < whole.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			whole.data[at] ^= (uint8_t)(1 << bit);
			buf_init(&got, 1 << 20);
			events.context = &got;
			thin_init(&t, &fetch_response_schema, 11, (int64_t)whole.len, &events);
			for (size_t i = 0; i < whole.len; i += 13)
				thin_feed(&t, whole.data + i,
					  whole.len - i < 13 ? whole.len - i : 13);
			CHECK(got.len + t.removed >= whole.len);
			thin_release(&t);
			buf_release(&got);
			whole.data[at] ^= (uint8_t)(1 << bit);
		}
	buf_release(&whole);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

TEST(a_histograms_percentiles_are_right_to_four_in_a_hundred)
{
	static const double percents[] = {0, 1, 25, 50, 75, 90, 99, 99.9, 100};
	struct histogram h = {0};
	struct rand rng;
	int64_t values[5000];

	rand_seed(&rng, 7);
	for (int i = 0; i < 5000; i++) {
		values[i] = (int64_t)(rand_next(&rng) >> (24 + rand_below(&rng, 40)));
		histogram_add(&h, values[i]);
	}
	qsort(values, 5000, sizeof(*values), by_value);
	for (int i = 0; i < 9; i++) {
		size_t at = percents[i] > 0 ? (size_t)(percents[i] * 50 + 0.9999) - 1 : 0;
		double truth = (double)values[at];
		double got = (double)histogram_percentile(&h, percents[i]);

		CHECK(got >= truth * 0.96 - 1 && got <= truth * 1.04 + 1);
	}
	CHECK_EQ(histogram_percentile(&h, 100), values[4999]);
	CHECK_EQ(histogram_percentile(&h, 0), values[0]);
	histogram_release(&h);
}

TEST(an_empty_histogram_and_one_of_extremes_are_no_trouble)
{
	struct histogram h = {0};

	CHECK_EQ(histogram_percentile(&h, 50), 0);
	histogram_add(&h, -5);
	CHECK_EQ(histogram_percentile(&h, 50), 0);
	histogram_add(&h, INT64_MAX);
	CHECK_EQ(h.greatest, INT64_MAX);
	CHECK_EQ(histogram_percentile(&h, 100), INT64_MAX);
	histogram_release(&h);
}
