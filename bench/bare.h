/* The server that `ktrial serve` is measured beside: one epoll loop that gives canned answers, as
 * plain as such a server can be. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "bench/served.h"

enum bare {
	BARE_PLAIN,
	BARE_KEEPS, /* copies each Produce behind the last one in memory that it has used before, as
		       the least that a log must do */
	BARE_JUDGES, /* the same, and looks whether the batch is good, as a broker must */
};

#define BARE_KEYS 3 /* the greatest API key with a canned answer: Produce, Fetch, Metadata */

/* canned: answers of a real exchange by API key, in place until the server stops; batch_at: where
 * the batch stands in a Produce, and batch_size. */
struct bare_config {
	const struct buf *canned;
	size_t batch_at, batch_size;
};

struct server start_bare(enum bare kind, const struct bare_config *config);

#endif
