/* The exchanges so far: the last ones whole, up to a limit of bytes, and counts for ever. Of long
 * answers it refers to the logs' memory, which then lives as long as the exchange is kept. A sink;
 * what is asked later is asked in the grammar of rules. */
#ifndef SERVICE_KEEP_H
#define SERVICE_KEEP_H

#include "base/buf.h"
#include "mock/cluster.h"
#include "trace/event.h"

#define KEEP_BYTES_MAX ((size_t)64 << 20)
#define KEEP_RESPONSE_MAX \
	65536 /* longer answers (records) are kept by reference where they can be */

struct keep;

struct keep *keep_new(void);
void keep_free(struct keep *k); /* accepts NULL */
struct event_sink *keep_sink(struct keep *k);

/* Forgets everything, counts too. */
void keep_clear(struct keep *k);

/* Exchanges ever ended, by API key (0..API_KEY_MAX), and their ids begin at 1. */
uint64_t keep_total(const struct keep *k);
uint64_t keep_count(const struct keep *k, int api_key);

struct keep_query {
	struct str match;	 /* what stands before a rule's ->; null: any */
	uint64_t since;		 /* only ids after this one */
	int32_t limit;		 /* lines at most, the newest ones */
	struct cluster *cluster; /* knows topic ids */
};

/*
 * Counts the kept exchanges that match; with out their JSON lines (decoder/jsonl.h,
 * JSONL_EXCHANGES) are added, each after "id". ret_count counts all that match, whatever the limit.
 * 0, or ERR_USAGE with *e for a match that can't be.
 */
int keep_query(struct keep *k, const struct keep_query *q, struct buf *out, int64_t *ret_count,
	       struct error *e);

#endif
