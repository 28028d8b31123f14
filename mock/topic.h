/* Topics and their partitions: names, ids, placement over brokers. */
#ifndef MOCK_TOPIC_H
#define MOCK_TOPIC_H

#include "mock/call.h"
#include "mock/partition.h"
#include "mock/topic_config.h"

#include <uthash.h>

#define TOPIC_NAME_MAX 249
#define TOPIC_PARTITIONS_MAX \
	100000 /* of one topic; a mock's own limit, far above any test's need */

struct topic {
	struct str name;
	struct uuid id;
	bool internal;
	struct topic_config config;
	struct partition **partitions;
	int32_t partitions_count;
	uint64_t mark;		 /* of a request that must not list a topic twice */
	int64_t hidden_until_us; /* Metadata does not know it until then; 0 */
	int32_t hidden_by;	 /* of this broker only; -1 all */
	UT_hash_handle by_name, by_id;
};

struct topics {
	struct topic *by_name, *by_id;
	int32_t next_start; /* where the next topic's first leader is looked for */
	uint64_t mark;
	uint64_t version; /* moves when a topic comes, goes or grows */
};

void topics_init(struct cluster *c);
void topics_release(struct cluster *c);

struct topic *topic_find(const struct cluster *c, struct str name);
struct topic *topic_by_id(const struct cluster *c, struct uuid id);

/* By name, or by id where the name is empty or null (versions that carry an id have no name). */
struct topic *topic_resolve(const struct cluster *c, struct str name, struct uuid id);
struct partition *partition_find(const struct topic *t, int32_t index);

/* Whether Kafka would allow the name. */
bool topic_name_ok(struct str name);

/* Whether Kafka keeps its own records under that name. */
bool topic_is_internal(struct str name);

/* A topic whose name differs only in '.' and '_', which share metric names; NULL if there is none.
 */
struct topic *topic_collision(const struct cluster *c, struct str name);

/* One partition's replicas as somebody asks for them. */
struct placement {
	const int32_t *nodes;
	int32_t count;
};

struct topic_spec {
	struct str name;
	int32_t partitions;		   /* > 0 */
	int16_t replication;		   /* > 0, at most the live brokers */
	int32_t leader;			   /* of all partitions; -1: spread */
	const struct placement *placement; /* per partition; NULL: by us */
	bool internal;
};

/* Creates what is checked already (name free and allowed, counts possible). */
struct topic *topic_new(struct cluster *c, const struct topic_spec *spec);

/* Up to count partitions, which is more than there are, with as many replicas as the first one has;
 * placement of the new ones alone, NULL: by us. */
void topic_add_partitions(struct cluster *c, struct topic *t, int32_t count,
			  const struct placement *placement);

/* The topic goes with its logs and with the offsets that groups committed for it; whoever waits for
 * it is woken. */
void topic_delete(struct cluster *c, struct topic *t);

/* Deletes it and makes one of the same name, size and configuration: empty, with another id. */
struct topic *topic_make_anew(struct cluster *c, struct topic *t);

#endif
