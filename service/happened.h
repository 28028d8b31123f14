/* What happened to the cluster so far, by an event or by itself: leaders that moved, groups and
 * transactions that changed their state, topics, brokers. A sink; the last ones are kept, up
 * to HAPPENED_MAX of them and HAPPENED_BYTES_MAX of what they say. */
#ifndef SERVICE_HAPPENED_H
#define SERVICE_HAPPENED_H

#include "base/json.h"
#include "trace/event.h"

#define HAPPENED_MAX	   10000
#define HAPPENED_BYTES_MAX ((size_t)16 << 20)

struct happened;

struct happened *happened_new(void);
void happened_free(struct happened *h); /* accepts NULL */
struct event_sink *happened_sink(struct happened *h);
void happened_clear(struct happened *h);

/* How many there have been; their ids begin at 1. */
uint64_t happened_total(const struct happened *h);

struct happened_query {
	struct str match; /* "group-state group=g state=Stable": a name, then fields of its detail
			     as they are written; null: any */
	uint64_t since;	  /* only ids after this one */
	int64_t limit;	  /* to be listed at most, the newest ones */
};

/* Counts those that match; with out they are listed as objects, between brackets of the caller's.
 */
int64_t happened_query(const struct happened *h, const struct happened_query *q, struct json *out);

#endif
