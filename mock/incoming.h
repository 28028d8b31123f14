/* Records as a producer sent them, judged and made ready for the log: one batch of magic 2. */
#ifndef MOCK_INCOMING_H
#define MOCK_INCOMING_H

#include "mock/call.h"
#include "mock/partition.h"
#include "protocol/messages.h"
#include "protocol/records.h"

struct incoming {
	struct log_append append;
	struct producer_claim claim; /* id -1: none */
	int32_t records;
	struct batch first; /* as it came; magic 2 only */
	bool early;	    /* refused for what the request is, before the partition was asked */
};

/*
 * What a broker sees of the records before it asks who leads the partition: exactly one batch of
 * magic 2 from version 3 on. Returns 0 and *ret, for incoming_read; or Kafka's code, with the
 * message in *r.
 */
int16_t incoming_glance(struct call *call, struct records records, struct incoming *ret,
			struct produce_response_responses_partition_responses *r);

/*
 * Judges the records of one partition in a Produce of call's version (magic 2 from version 3 on,
 * message sets before, which are rewritten) after incoming_glance filled *ret. Returns 0 and *ret,
 * whose bytes live in the frame or in the cluster's room until the next one is judged; or Kafka's
 * code, with the message and record errors in *r.
 */
int16_t incoming_read(struct cluster *c, struct call *call, const struct partition *p,
		      struct records records, struct incoming *ret,
		      struct produce_response_responses_partition_responses *r);

#endif
