/* Every batch that was sent in a Produce request, as the wire has it: what the checks of producers
 * judge. Kept only where a check asks for it. */
#ifndef CHECKS_BATCHES_H
#define CHECKS_BATCHES_H

#include "trace/event.h"

#define BATCHES_MAX 4000000

struct sent_batch {
	int64_t conn, request_us;
	int64_t end_us; /* when its answer was written; of a lost one, when that was known */
	struct str client, topic; /* topic: null where only its id is known */
	struct uuid topic_id;
	int64_t producer_id;
	int32_t broker, correlation_id, partition, base_sequence, records;
	uint32_t crc;
	uint64_t content; /* hash of keys and values; 0: compressed, or sent with a producer id */
	int16_t producer_epoch, code; /* code of the answer */
	bool answered, transactional;
	bool led;	  /* the answer names the leader (KIP-951): no metadata or pause is due */
	uint64_t request; /* number of the request that carried it, from 1 */
};

struct batches {
	struct arena arena;
	struct sent_batch *list; /* after batches_sort: in the order of arrival */
	size_t count, cap;
	uint64_t requests;
	bool full, sorted;
};

void batches_init(struct batches *b);
void batches_release(struct batches *b);
/* Takes a Produce exchange; others are passed over. */
void batches_feed(struct batches *b, const struct event *ev);
void batches_sort(struct batches *b);

/* "Produce of t-0 seq 10..19 (connection 3 correlation 41)"; in arena. */
struct str batch_text(const struct sent_batch *b, struct arena *arena);
/* Same topic, by name or id, and partition. */
bool batch_same_partition(const struct sent_batch *a, const struct sent_batch *b);

#endif
