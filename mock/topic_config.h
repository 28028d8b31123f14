/* The configuration of topics: which keys Kafka 4.4.0 knows, which values they take, and those that
 * this cluster acts on in a form fit for use. */
#ifndef MOCK_TOPIC_CONFIG_H
#define MOCK_TOPIC_CONFIG_H

#include "mock/config_value.h"
#include "protocol/records.h"

#include <stddef.h>

const struct config_key *config_keys(size_t *ret_count);
const struct config_key *config_key_find(struct str name);

/* A topic's own values (others are defaults), in the order in which they were set. */
struct config_override {
	const struct config_key *key;
	struct str value; /* owned */
};

struct topic_config {
	struct config_override *overrides;
	size_t overrides_count, overrides_cap;
	const struct topic_config *base; /* where values come from that are not set; NULL: Kafka */
	enum config_source source;	 /* of the values set here */

	/* What the cluster acts on, kept in step. */
	bool compact, delete;
	int codec; /* enum codec that every batch gets; -1 the producer's */
	enum timestamp_type timestamp_type;
	int64_t timestamp_before_max_ms, timestamp_after_max_ms;
	int64_t message_max; /* bytes of a batch */
	int32_t min_insync_replicas;
	int64_t retention_ms, retention_bytes, segment_bytes, segment_ms;
	int64_t delete_retention_ms, min_compaction_lag_ms;
	bool unclean_election;
	double min_cleanable_ratio;
};

/* Nothing set: the broker's values (base, which outlives it), or Kafka's defaults (NULL). */
void topic_config_init(struct topic_config *tc, const struct topic_config *base);
void topic_config_release(struct topic_config *tc);

/* The base has changed. */
void topic_config_refresh(struct topic_config *tc);

/* Sets one value that config_value_ok accepts; the null view goes back to the default. */
void topic_config_set(struct topic_config *tc, const struct config_key *key, struct str value);

/* The value that holds, set or default; *ret_set tells which. */
struct str topic_config_get(const struct topic_config *tc, const struct config_key *key,
			    bool *ret_set);

/* Where that value comes from. */
enum config_source topic_config_source(const struct topic_config *tc, const struct config_key *key);

#endif
