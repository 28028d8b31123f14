/* How often which duration occurred, for percentiles in little memory: 16 steps for each power of
 * two, so that a percentile is right to about 3 %; the least and the greatest are exact. */
#ifndef DECODER_HISTOGRAM_H
#define DECODER_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 16
#define HISTOGRAM_BANDS                                                          \
	40 /* powers of two above the first 16 values; larger ones count as that \
	    */

struct histogram {
	uint64_t count, sum;
	int64_t least, greatest;
	uint32_t (*bands)[HISTOGRAM_STEPS]; /* those with something in them, */
	uint8_t used;			    /* their number, */
	uint8_t at[HISTOGRAM_BANDS];	    /* and where each stands, from 1; 0: it has none */
};

/* Counts a value; negative ones count as 0. A zeroed histogram is empty. */
void histogram_add(struct histogram *h, int64_t value);

/* The value below or at which `percent` of all lie; 0 of an empty one. */
int64_t histogram_percentile(const struct histogram *h, double percent);

void histogram_release(struct histogram *h);

#endif
