/* The partitions that a request names, each once: brokers keep them in maps, so of a partition that
 * is named twice the last counts, in the place of the first. */
#ifndef MOCK_ASKED_H
#define MOCK_ASKED_H

#include "mock/call.h"

struct asked {
	struct str topic; /* or, where it is null or empty, */
	struct uuid topic_id;
	int32_t partition;
	int32_t group;	      /* of asked_by_topic */
	int32_t topic_at, at; /* where it stands in the request: topics[topic_at].partitions[at] */
	bool twice;
};

struct asked_list {
	struct asked *items;
	int32_t count;
	int32_t max;	/* room for so many */
	int32_t *slots; /* a hash over items for long lists: index + 1, 0 free */
	uint32_t mask;
};

/* Room in the call's memory for max partitions. */
void asked_init(struct asked_list *list, struct call *call, int32_t max);

/* Adds one, or replaces what is there; the entry. */
struct asked *asked_add(struct asked_list *list, struct str topic, struct uuid topic_id,
			int32_t partition, int32_t topic_at, int32_t at);

/* The topics of the list in the order of their first items, and how many items each has; every
 * item's group is then the index of its topic. In the call's memory. */
struct asked_topic {
	struct str name;
	struct uuid id;
	int32_t count;
};
struct asked_topic *asked_by_topic(struct asked_list *list, struct call *call, int32_t *ret_count);

#endif
