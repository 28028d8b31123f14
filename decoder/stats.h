/* Statistics over exchanges, in memory that does not grow with the capture: counts, bytes, errors,
 * percentiles of durations, by any of a row of keys. `decode -o stats`. */
#ifndef DECODER_STATS_H
#define DECODER_STATS_H

#include "base/buf.h"
#include "base/room.h"
#include "decoder/summary.h"
#include "trace/event.h"

#define STATS_ROWS_MAX 8000 /* more go into one row, "(others)" */
#define STATS_KEYS_MAX 4    /* of a row */

enum stats_key {
	STATS_BY_API,
	STATS_BY_VERSION, /* API and version */
	STATS_BY_TOPIC,
	STATS_BY_PARTITION, /* topic and partition */
	STATS_BY_CLIENT,
	STATS_BY_SRC, /* the client's host */
	STATS_BY_BROKER,
	STATS_BY_GROUP,
	STATS_BY_SOFTWARE,  /* name and version that the client says of itself */
	STATS_BY_PRINCIPAL, /* who it logged in as, where the mechanism shows it */
	STATS_BY_CONN,
	STATS_KEYS
};

/* Their names on the command line, in that order. */
extern const char *const stats_key_names[STATS_KEYS];

struct stats_options {
	enum stats_key by[STATS_KEYS_MAX];
	size_t by_count; /* 0: by API */
	int64_t top;	 /* rows that are shown; 0: all */
};

struct stats;

/* Memory is taken from room as long as there is some: rows past that are "(others)". It may be
 * NULL, else it must outlive the statistics. */
struct stats *stats_new(const struct stats_options *options, struct room *room);
void stats_free(struct stats *st); /* NULL is fine */

/* Counts an exchange. Of a message with several topics each topic's row counts it whole. */
void stats_exchange(struct stats *st, struct exchange *x, const struct summary *s);

/* Learns from what is not to be counted, too: what software a connection's client is, and who. To
 * be called with every exchange, before stats_exchange. */
void stats_learn(struct stats *st, struct exchange *x);

/* Other events: connections that end are forgotten. */
void stats_event(struct stats *st, const struct event *ev);

/* The table. */
void stats_write(struct stats *st, struct buf *out);

#endif
