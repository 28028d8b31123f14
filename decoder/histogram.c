/* Bands are made when the first value falls into them. */
#include "decoder/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Band 0 holds 0..15 one by one; band b the 16 steps of [16 << (b - 1), 32 << (b - 1)). */
static void place(uint64_t v, int *ret_band, int *ret_step)
{
	int top = v < HISTOGRAM_STEPS ? 0 : 63 - __builtin_clzll(v) - 3;

	if (top >= HISTOGRAM_BANDS) {
		*ret_band = HISTOGRAM_BANDS - 1;
		*ret_step = HISTOGRAM_STEPS - 1;
		return;
	}
	*ret_band = top;
	*ret_step = (int)((top ? v >> (top - 1) : v) & (HISTOGRAM_STEPS - 1));
}

static void add_band(struct histogram *h, int band)
{
	h->bands = realloc(h->bands, (h->used + 1u) * sizeof(*h->bands));
	if (!h->bands)
		abort();
	memset(h->bands[h->used], 0, sizeof(*h->bands));
	h->at[band] = ++h->used;
}

void histogram_add(struct histogram *h, int64_t value)
{
	int band, step;

	if (value < 0)
		value = 0;
	if (!h->count || value < h->least)
		h->least = value;
	if (value > h->greatest)
		h->greatest = value;
	h->count++;
	h->sum += (uint64_t)value;
	place((uint64_t)value, &band, &step);
	if (!h->at[band])
		add_band(h, band);
	h->bands[h->at[band] - 1][step]++;
}

/* The middle of a step. */
static int64_t middle(int band, int step)
{
	int64_t from, width;

	if (!band)
		return step;
	width = (int64_t)1 << (band - 1);
	from = (HISTOGRAM_STEPS + (int64_t)step) * width;
	return from + width / 2;
}

static int64_t within(const struct histogram *h, int64_t v)
{
	return v < h->least ? h->least : v > h->greatest ? h->greatest : v;
}

int64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t want = (uint64_t)ceil((double)h->count * percent / 100), seen = 0;

	if (!h->count)
		return 0;
	if (!want)
		return h->least;
	for (int b = 0; b < HISTOGRAM_BANDS; b++)
		for (int s = 0; h->at[b] && s < HISTOGRAM_STEPS; s++) {
			seen += h->bands[h->at[b] - 1][s];
			if (seen >= want)
				return seen == h->count && want == h->count
					       ? h->greatest
					       : within(h, middle(b, s));
		}
	return h->greatest;
}

void histogram_release(struct histogram *h)
{
	free(h->bands);
	*h = (struct histogram){0};
}
