/* What a broker's own configuration (server.properties) changes in the cluster. A plain value: zero
 * means Kafka's default. */
#ifndef MOCK_BROKER_CONFIG_H
#define MOCK_BROKER_CONFIG_H

#include "mock/topic_config.h"

#define SELECTOR_RACK	"org.apache.kafka.common.replica.RackAwareReplicaSelector"
#define SELECTOR_LEADER "org.apache.kafka.common.replica.LeaderSelector"

struct broker_config {
	int32_t first_node_id; /* node.id or broker.id of the first broker; 0 counts as set only
				  with has_node_id */
	bool has_node_id;
	int32_t group_session_min_ms;	/* group.min.session.timeout.ms; 6000 */
	int32_t group_session_max_ms;	/* group.max.session.timeout.ms; 1800000 */
	int32_t group_initial_delay_ms; /* group.initial.rebalance.delay.ms; 0 here, 3000 in Kafka
					 */
	int32_t consumer_session_ms;	/* group.consumer.session.timeout.ms; 45000 */
	int32_t consumer_heartbeat_ms;	/* group.consumer.heartbeat.interval.ms; 5000 */
	int32_t consumer_interval_ms;	/* group.consumer.assignment.interval.ms; 1000 */
	int32_t group_max_size;		/* group.max.size; no limit */
	int32_t consumer_max_size;	/* group.consumer.max.size; no limit */
	int32_t offset_metadata_max;	/* offset.metadata.max.bytes; 4096 */
	int32_t offsets_retention_minutes; /* offsets.retention.minutes; 7 days */
	int32_t offsets_check_ms;	   /* offsets.retention.check.interval.ms; 600000 */
	int32_t producer_id_expiration_ms; /* producer.id.expiration.ms; a day */
	int32_t txn_timeout_max_ms;	   /* transaction.max.timeout.ms; 900000 */
	int32_t txn_abort_check_ms; /* transaction.abort.timed.out.transaction.cleanup.interval.ms;
				       10000 */
	int32_t txn_id_expiration_ms; /* transactional.id.expiration.ms; 7 days */
	int32_t txn_cleanup_ms;	      /* transaction.remove.expired.transaction.cleanup.interval.ms;
					 3600000 */
	int32_t retention_check_ms;   /* log.retention.check.interval.ms; 300000 */
	int32_t cleaner_backoff_ms;   /* log.cleaner.backoff.ms; 15000 */
	int32_t fetch_bytes_max;      /* fetch.max.bytes; 57671680 */
	int32_t fetch_sessions_max;   /* max.incremental.fetch.session.cache.slots; 1000 */
	int32_t describe_partitions_max; /* max.request.partition.size.limit; 2000 */
	uint64_t given; /* which of the numbers above are set, by their place in the table: 0 may
			   be, too */
	/* What topics have unless they say otherwise (the log.* keys); NULL: Kafka's defaults. The
	 * caller's; outlives the cluster. */
	const struct topic_config *topics;
	char racks[256]; /* broker.rack: of all, or of the brokers in turn, with commas; "" none */
	bool no_upgrade, no_downgrade; /* group.consumer.migration.policy */
	bool no_verification;	       /* transaction.partition.verification.enable=false */
	bool no_topic_deletion;	       /* delete.topic.enable=false */
	bool rack_selector; /* replica.selector.class: consumers are sent to their rack (KIP-392) */
};

/* Puts Kafka's defaults where nothing is set. */
void broker_config_fill(struct broker_config *bc);

/*
 * Sets what a key of server.properties stands for. topics takes the keys that are defaults of
 * topics (bc->topics is not touched). Returns 1 if the key has an effect here, 0 if it is none that
 * we act on, ERR_USAGE if the value can't be.
 */
int broker_config_set(struct broker_config *bc, struct topic_config *topics, struct str key,
		      struct str value);

/* The key that is nearest to a mistyped one, or NULL. */
const char *broker_config_nearest(struct str key);

/* A number as broker_config_set takes it; false for a key that is none. */
bool broker_config_number(const struct broker_config *bc, struct str key, int32_t *ret);

/* The broker's keys that a topic's key inherits from, the one that counts first; NULL behind the
 * last. */
const char *broker_config_synonym(const struct config_key *key, size_t i);

/* The i-th key that says the same as name in a larger unit (log.retention.hours behind
 * log.retention.ms); NULL behind the last. */
const char *broker_config_behind(struct str name, int i);

/* The keys that take effect, one after the other; NULL behind the last. Those of a listener's and
 * of topics' making, which belong to others, are among them. */
const char *broker_config_key(size_t i);

#endif
