/* Records for the mock's tests: batches built in memory that lives until mock_end. */
#ifndef TESTS_MOCK_RECORDS_H
#define TESTS_MOCK_RECORDS_H

#include "protocol/batch_builder.h"
#include "tests/mock_fixture.h"

/* count records "vN" without key, stamped with the fixture's now, as options say (NULL: the usual).
 */
struct records mock_batch(struct fixture *f, int32_t count, const struct batch_options *options);

/* A batch of one record that is about size bytes long. */
struct records mock_large_batch(struct fixture *f, int32_t size);

/* Records with keys: "a=1 b=2 c" (c without a value: a tombstone). */
struct records mock_keyed(struct fixture *f, const char *pairs);

/* Options of an idempotent batch. */
struct batch_options mock_idempotent(int64_t id, int16_t epoch, int32_t sequence);

/* Produces to one partition of a topic on broker 1 (version 12 unless said) and returns the
 * partition's answer. */
const struct produce_response_responses_partition_responses *
mock_produce(struct fixture *f, const char *topic, int32_t partition, int16_t acks,
	     struct records records);
const struct produce_response_responses_partition_responses *
mock_produce_at(struct fixture *f, int version, const char *topic, int32_t partition, int16_t acks,
		struct records records);

/* A Fetch of one partition, from broker 1, version 12, sessionless. */
struct fetch_request_one {
	struct fetch_request q;
	struct fetch_request_topics topic;
	struct fetch_request_topics_partitions partition;
};
void mock_fetch_one(struct fetch_request_one *one, const char *topic, int32_t partition,
		    int64_t offset, int32_t max_wait_ms);

/* Creates a topic of one partition with configurations "key=value key=value". */
void mock_topic_with(struct fixture *f, const char *name, const char *configs);

/* All that can be read of a partition from broker 1, as "OFFSET:KEY=VALUE ..."; valid until the
 * next call. */
const char *mock_contents(struct fixture *f, const char *topic, int32_t partition);

/* The records in an answer: how many, and the first offset. */
int32_t mock_count(struct records records, int64_t *ret_first);

#endif
