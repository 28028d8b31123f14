/* The cluster from inside: what the files of this room share. Each part is owned by the file whose
 * struct it is. */
#ifndef MOCK_STATE_H
#define MOCK_STATE_H

#include "base/rand.h"
#include "mock/call.h"
#include "mock/cluster.h"
#include "mock/configs.h"
#include "mock/coordinator.h"
#include "mock/expiry.h"
#include "mock/features.h"
#include "mock/fetch.h"
#include "mock/group.h"
#include "mock/timer.h"
#include "mock/topic.h"
#include "mock/txn.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

struct broker {
	struct broker_address address;
	struct str rack; /* owned; null: none */
	bool alive;
	struct instant down; /* when it last went down */
	struct stale *stale; /* what its Metadata says instead; NULL: what is */
};

struct cluster {
	struct cluster_config config;
	struct instant started;
	struct instant now; /* of the call or tick at work */
	struct rand rand;
	struct uuid id;
	char id_text[UUID_TEXT_SIZE];
	struct broker *brokers; /* by node id - 1 */
	int32_t *stripe;	/* indices into brokers: racks take turns */
	struct version_range versions[API_KEY_MAX + 1];
	struct timers timers;
	struct timer retention_timer, compaction_timer;
	struct expiry expiry;
	struct call *ready_first, *ready_last;
	struct configs configs;
	struct features features;
	struct topics topics;
	struct groups groups;
	struct coordination coordination;
	struct txns txns;
	struct fetch_sessions fetch_sessions;
	struct log_memory memory;
	int64_t next_producer_id;
	/* Room of whoever is at work; never kept across a return. */
	struct buf scratch; /* text */
	struct buf batch;   /* one batch in one piece */
	struct buf plain;   /* records expanded */
};

/* The node id of the broker at an index, from 0. */
int32_t cluster_node_id(const struct cluster *c, int32_t index);

/* The broker of a node id, or NULL; its index, or -1. */
struct broker *cluster_broker(const struct cluster *c, int32_t node_id);
int32_t cluster_broker_index(const struct cluster *c, int32_t node_id);

/* The broker's rack in the call's memory; null if it has none. */
struct str cluster_rack(struct call *call, const struct broker *b);

/* How many brokers are up. */
int32_t cluster_alive(const struct cluster *c);

/* The controller that brokers name to clients: the lowest live one, -1 if all are down. */
int32_t cluster_controller(const struct cluster *c);

/* Whether anybody takes events: what is costly to tell need not be put together else. */
bool cluster_listened(const struct cluster *c);

/* A cluster event; detail is a JSON object. */
void cluster_event(struct cluster *c, const char *name, struct buf *detail);
#define EVENT_DETAIL_MAX ((size_t)16 << 20)

/* What a client may do where there is no authorizer: the operations of KIP-430 as bits. */
#define CLUSTER_OPERATIONS 8096
#define TOPIC_OPERATIONS   3576
#define GROUP_OPERATIONS   3400

/* One API's work. A handler that returns CALL_WAIT has set call->deadline_us (INSTANT_NEVER for
 * none) and its waits, and is called again. */
typedef enum call_result api_work(struct cluster *c, struct call *call);

struct api {
	api_work *work; /* NULL: not simulated, not advertised */
	/* Asks call_fault for each topic or partition itself. Others get the error of a rule from
	 * mock/fault.h without doing anything. */
	bool by_topic;
};

extern const struct api cluster_apis[API_KEY_MAX + 1];

api_work find_coordinator_work, join_group_work, sync_group_work, heartbeat_work, leave_group_work;
api_work api_versions_work, create_topics_work, fetch_work, init_producer_id_work;
api_work add_partitions_to_txn_work, add_offsets_to_txn_work, end_txn_work;
api_work txn_offset_commit_work, write_txn_markers_work, describe_producers_work;
api_work describe_transactions_work, list_transactions_work;
api_work list_offsets_work, metadata_work, produce_work;
api_work offset_commit_work, offset_fetch_work, consumer_group_heartbeat_work;
api_work list_groups_work, describe_groups_work, delete_groups_work, offset_delete_work;
api_work delete_topics_work, create_partitions_work, offset_for_leader_epoch_work;
api_work delete_records_work, describe_configs_work, alter_configs_work;
api_work elect_leaders_work, describe_log_dirs_work, alter_replica_log_dirs_work;
api_work alter_partition_reassignments_work, list_partition_reassignments_work;
api_work incremental_alter_configs_work, list_config_resources_work;
api_work update_features_work, describe_quorum_work;
api_work describe_acls_work, create_acls_work, delete_acls_work, sasl_handshake_work;
api_work consumer_group_describe_work, describe_cluster_work, describe_topic_partitions_work;

/* ApiVersions of a version that we do not speak: version 0, error 35, one entry (KIP-511). */
enum call_result api_versions_fallback(struct cluster *c, struct call *call);

#endif
