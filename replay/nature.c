/* The table, and what is read out of messages. Owns nothing. */
#include "replay/nature.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"

enum {
	Q = 1,	   /* a question */
	I = 2,	   /* internal */
	R = 4,	   /* a word of a rebalance */
	S = 8,	   /* security */
	LEAD = 16, /* routes */
	GRP = 32,
	TXN = 64,
	M = 128, /* transaction markers */
};

static const uint8_t natures[API_KEY_MAX + 1] = {
	[API_PRODUCE] = LEAD,
	[API_FETCH] = Q | LEAD,
	[API_LIST_OFFSETS] = Q | LEAD,
	[API_METADATA] = Q,
	[API_LEADER_AND_ISR] = I,
	[API_STOP_REPLICA] = I,
	[API_UPDATE_METADATA] = I,
	[API_CONTROLLED_SHUTDOWN] = I,
	[API_OFFSET_COMMIT] = GRP,
	[API_OFFSET_FETCH] = Q | GRP,
	[API_FIND_COORDINATOR] = Q,
	[API_JOIN_GROUP] = R | GRP,
	[API_HEARTBEAT] = Q | R | GRP,
	[API_LEAVE_GROUP] = R | GRP,
	[API_SYNC_GROUP] = Q | R | GRP, /* again it tells the same */
	[API_DESCRIBE_GROUPS] = Q | GRP,
	[API_LIST_GROUPS] = Q,
	[API_SASL_HANDSHAKE] = S,
	[API_API_VERSIONS] = Q,
	[API_DELETE_RECORDS] = LEAD,
	[API_INIT_PRODUCER_ID] = TXN,
	[API_OFFSET_FOR_LEADER_EPOCH] = Q | LEAD,
	[API_ADD_PARTITIONS_TO_TXN] = TXN,
	[API_ADD_OFFSETS_TO_TXN] = TXN,
	[API_END_TXN] = TXN,
	[API_WRITE_TXN_MARKERS] = M,
	[API_TXN_OFFSET_COMMIT] = GRP,
	[API_DESCRIBE_ACLS] = Q,
	[API_DESCRIBE_CONFIGS] = Q,
	[API_DESCRIBE_LOG_DIRS] = Q,
	[API_SASL_AUTHENTICATE] = S,
	[API_DESCRIBE_DELEGATION_TOKEN] = Q,
	[API_DELETE_GROUPS] = GRP,
	[API_LIST_PARTITION_REASSIGNMENTS] = Q,
	[API_OFFSET_DELETE] = GRP,
	[API_DESCRIBE_CLIENT_QUOTAS] = Q,
	[API_DESCRIBE_USER_SCRAM_CREDENTIALS] = Q,
	[API_VOTE] = I,
	[API_BEGIN_QUORUM_EPOCH] = I,
	[API_END_QUORUM_EPOCH] = I,
	[API_DESCRIBE_QUORUM] = Q,
	[API_ALTER_PARTITION] = I,
	[API_ENVELOPE] = I,
	[API_FETCH_SNAPSHOT] = I,
	[API_DESCRIBE_CLUSTER] = Q,
	[API_DESCRIBE_PRODUCERS] = Q | LEAD,
	[API_BROKER_REGISTRATION] = I,
	[API_BROKER_HEARTBEAT] = I,
	[API_DESCRIBE_TRANSACTIONS] = Q | TXN,
	[API_LIST_TRANSACTIONS] = Q,
	[API_ALLOCATE_PRODUCER_IDS] = I,
	[API_CONSUMER_GROUP_HEARTBEAT] = R | GRP,
	[API_CONSUMER_GROUP_DESCRIBE] = Q | GRP,
	[API_CONTROLLER_REGISTRATION] = I,
	[API_GET_TELEMETRY_SUBSCRIPTIONS] = Q,
	[API_ASSIGN_REPLICAS_TO_DIRS] = I,
	[API_LIST_CONFIG_RESOURCES] = Q,
	[API_DESCRIBE_TOPIC_PARTITIONS] = Q,
	[API_SHARE_GROUP_HEARTBEAT] = R | GRP,
	[API_SHARE_GROUP_DESCRIBE] = Q | GRP,
	[API_SHARE_FETCH] = LEAD,
	[API_SHARE_ACKNOWLEDGE] = LEAD,
	[API_INITIALIZE_SHARE_GROUP_STATE] = I,
	[API_READ_SHARE_GROUP_STATE] = I,
	[API_WRITE_SHARE_GROUP_STATE] = I,
	[API_DELETE_SHARE_GROUP_STATE] = I,
	[API_READ_SHARE_GROUP_STATE_SUMMARY] = I,
	[API_STREAMS_GROUP_HEARTBEAT] = R | GRP,
	[API_STREAMS_GROUP_DESCRIBE] = Q | GRP,
	[API_DESCRIBE_SHARE_GROUP_OFFSETS] = Q | GRP,
	[API_ALTER_SHARE_GROUP_OFFSETS] = GRP,
	[API_DELETE_SHARE_GROUP_OFFSETS] = GRP,
};

/* A heartbeat that only says "I am here": of a member that is in its group already. */
static bool only_beats(int api_key, const void *request)
{
	switch (api_key) {
	case API_CONSUMER_GROUP_HEARTBEAT:
		return ((const struct consumer_group_heartbeat_request *)request)->member_epoch > 0;
	case API_SHARE_GROUP_HEARTBEAT:
		return ((const struct share_group_heartbeat_request *)request)->member_epoch > 0;
	case API_STREAMS_GROUP_HEARTBEAT:
		return ((const struct streams_group_heartbeat_request *)request)->member_epoch > 0;
	default:
		return false;
	}
}

/* Replicas fetch and ask for offsets with their number, brokers check transactions of others with a
 * version that no client speaks (KIP-890). */
static bool of_broker(int api_key, int version, const void *request)
{
	const struct fetch_request *fetch = request;

	switch (api_key) {
	case API_FETCH:
		return fetch->replica_id >= 0 || fetch->replica_state.replica_id >= 0;
	case API_LIST_OFFSETS:
		return ((const struct list_offsets_request *)request)->replica_id >= 0;
	case API_OFFSET_FOR_LEADER_EPOCH:
		return ((const struct offset_for_leader_epoch_request *)request)->replica_id >= 0;
	case API_ADD_PARTITIONS_TO_TXN:
		return version >= 4;
	default:
		return false;
	}
}

struct nature nature_of(int api_key, int version, const void *request)
{
	unsigned bits = api_key >= 0 && api_key <= API_KEY_MAX ? natures[api_key] : 0;
	struct nature n = {
		.route = bits & LEAD  ? ROUTE_LEADER
			 : bits & GRP ? ROUTE_GROUP
			 : bits & TXN ? ROUTE_TXN
				      : ROUTE_NODE,
		.question = bits & Q,
		.internal = bits & I,
		.markers = bits & M,
		.rebalance = bits & R,
		.security = bits & S,
	};

	if (request) {
		n.question |= only_beats(api_key, request);
		n.internal |= of_broker(api_key, version, request);
	}
	if (api_key == API_INIT_PRODUCER_ID && request &&
	    !((const struct init_producer_id_request *)request)->transactional_id.data)
		n.route = ROUTE_NODE;
	return n;
}

/* ---- errors ---- */

struct error_count {
	struct answer_errors errors;
	int32_t fine[2]; /* of the message itself, and of what is in it */
	bool nested;
};

static bool looks_again(int16_t code)
{
	return kafka_error_invalidates_metadata(code) || code == ERROR_NOT_COORDINATOR ||
	       code == ERROR_COORDINATOR_NOT_AVAILABLE;
}

static void count_error(void *user, const struct leaf *l)
{
	struct error_count *n = user;
	bool nested = l->in->outer != NULL;
	int16_t code;

	if (!l->field || !leaf_is_error(l->field))
		return;
	code = (int16_t)leaf_int(l->field, l->value);
	n->nested |= nested;
	if (code == 0) {
		n->fine[nested]++;
		return;
	}
	n->errors.count++;
	n->errors.no_topic +=
		code == ERROR_UNKNOWN_TOPIC_OR_PARTITION || code == ERROR_UNKNOWN_TOPIC_ID;
	n->errors.unsure += code == ERROR_REQUEST_TIMED_OUT || code == ERROR_NETWORK_EXCEPTION ||
			    code == ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
	n->errors.retriable += kafka_error_retriable(code);
	n->errors.stale += looks_again(code);
}

struct answer_errors answer_errors(int api_key, int version, const void *response)
{
	struct error_count n = {0};

	leaves_each(message_of_api(api_key, MESSAGE_RESPONSE)->schema, version, (void *)response,
		    count_error, &n);
	n.errors.fine = n.fine[n.nested];
	return n.errors;
}
