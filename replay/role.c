/* The table, and a small cache before it.
 *
 * Rows stand by field name; of rows with the same name those with a scope come first. A scope is a
 * part of the schema's name (the C struct's: "describe_configs_response_results"). */
#include "replay/role.h"

#include <assert.h>
#include <stdint.h>

#define CACHE_SIZE 1024

struct row {
	const char *field;
	const char *scope; /* NULL: everywhere */
	enum role role;
};

static const struct row rows[] = {
	{"name", "join_group_request_protocols", ROLE_PLAIN},
	{"name", "supported_protocols", ROLE_PLAIN},
	{"name", "features", ROLE_PLAIN},
	{"name", "topics_configs", ROLE_PLAIN},
	{"name", "results_configs", ROLE_PLAIN},
	{"name", "resources_configs", ROLE_PLAIN},
	{"name", "_listeners", ROLE_PLAIN},
	{"name", "_endpoints", ROLE_PLAIN},
	{"name", "_node", ROLE_PLAIN},
	{"name", "_end_points", ROLE_PLAIN},
	{"name", "config_record", ROLE_PLAIN},
	{"name", "feature_level_record", ROLE_PLAIN},
	{"name", "user_scram", ROLE_PRINCIPAL},
	{"name", "default_principal", ROLE_PRINCIPAL},
	{"name", NULL, ROLE_TOPIC},
	{"topic", NULL, ROLE_TOPIC},
	{"topicName", NULL, ROLE_TOPIC},
	{"topicNames", NULL, ROLE_TOPIC},
	{"topics", NULL, ROLE_TOPIC},
	{"subscribedTopicNames", NULL, ROLE_TOPIC},
	{"sourceTopics", NULL, ROLE_TOPIC},
	{"sinkTopic", NULL, ROLE_TOPIC},
	{"repartitionSinkTopics", NULL, ROLE_TOPIC},
	{"subscribedTopicRegex", NULL, ROLE_REGEX},
	{"regularExpression", NULL, ROLE_REGEX},
	{"sourceTopicRegex", NULL, ROLE_REGEX},
	{"transactionalIdPattern", NULL, ROLE_REGEX},

	{"group", NULL, ROLE_GROUP},
	{"groups", NULL, ROLE_GROUP},
	{"groupId", NULL, ROLE_GROUP},
	{"groupIds", NULL, ROLE_GROUP},
	{"groupsNames", NULL, ROLE_GROUP},
	{"transactionalId", NULL, ROLE_TRANSACTIONAL_ID},
	{"transactionalIds", NULL, ROLE_TRANSACTIONAL_ID},
	{"v3AndBelowTransactionalId", NULL, ROLE_TRANSACTIONAL_ID},
	{"key", "find_coordinator", ROLE_COORDINATOR_KEY},
	{"key", NULL, ROLE_PLAIN}, /* of a configuration or quota */
	{"coordinatorKeys", NULL, ROLE_COORDINATOR_KEY},
	{"clientId", NULL, ROLE_CLIENT},
	{"groupInstanceId", NULL, ROLE_INSTANCE},
	{"instanceId", NULL, ROLE_INSTANCE},
	{"principal", NULL, ROLE_PRINCIPAL},
	{"principalFilter", NULL, ROLE_PRINCIPAL},
	{"principalName", NULL, ROLE_PRINCIPAL},
	{"ownerPrincipalName", NULL, ROLE_PRINCIPAL},
	{"owner", "delegation_token_record", ROLE_PRINCIPAL},
	{"requester", "delegation_token_record", ROLE_PRINCIPAL},
	{"renewers", "delegation_token_record", ROLE_PRINCIPAL},
	{"tokenRequesterPrincipalName", NULL, ROLE_PRINCIPAL},
	{"entityName", NULL, ROLE_PRINCIPAL},
	{"match", NULL, ROLE_PRINCIPAL},
	{"user", NULL, ROLE_PRINCIPAL},
	{"resourceName", NULL, ROLE_RESOURCE},
	{"resourceNameFilter", NULL, ROLE_RESOURCE},

	{"topicId", NULL, ROLE_TOPIC_ID},
	{"id", NULL, ROLE_TOPIC_ID},
	{"memberId", NULL, ROLE_MEMBER},
	{"leader", "join_group_response", ROLE_MEMBER},
	{"leader", "group_metadata_value", ROLE_MEMBER},
	{"leader", NULL, ROLE_BROKER},
	{"processId", NULL, ROLE_MEMBER},
	{"producerId", NULL, ROLE_PRODUCER_ID},
	{"v3AndBelowProducerId", NULL, ROLE_PRODUCER_ID},
	{"ongoingTxnProducerId", NULL, ROLE_PRODUCER_ID},
	{"producerIdFilters", NULL, ROLE_PRODUCER_ID},
	{"producerEpoch", NULL, ROLE_PRODUCER_EPOCH},
	{"v3AndBelowProducerEpoch", NULL, ROLE_PRODUCER_EPOCH},
	{"ongoingTxnProducerEpoch", NULL, ROLE_PRODUCER_EPOCH},
	{"sessionId", NULL, ROLE_SESSION},
	{"generationId", NULL, ROLE_GENERATION},
	{"generationIdOrMemberEpoch", NULL, ROLE_GENERATION},
	{"memberEpoch", NULL, ROLE_GENERATION},
	{"groupEpoch", NULL, ROLE_GENERATION},
	{"assignmentEpoch", NULL, ROLE_GENERATION},
	{"clusterId", NULL, ROLE_CLUSTER},
	{"path", NULL, ROLE_DIRECTORY},
	{"logDir", NULL, ROLE_DIRECTORY},

	{"nodeId", NULL, ROLE_BROKER},
	{"brokerId", NULL, ROLE_BROKER},
	{"brokerIds", NULL, ROLE_BROKER},
	{"leaderId", NULL, ROLE_BROKER},
	{"controllerId", NULL, ROLE_BROKER},
	{"replicas", NULL, ROLE_BROKER},
	{"replicaNodes", NULL, ROLE_BROKER},
	{"isr", NULL, ROLE_BROKER},
	{"isrNodes", NULL, ROLE_BROKER},
	{"offlineReplicas", NULL, ROLE_BROKER},
	{"eligibleLeaderReplicas", NULL, ROLE_BROKER},
	{"lastKnownElr", NULL, ROLE_BROKER},
	{"addingReplicas", NULL, ROLE_BROKER},
	{"removingReplicas", NULL, ROLE_BROKER},
	{"preferredReadReplica", NULL, ROLE_BROKER},
	{"host", "_acls", ROLE_PLAIN},
	{"host", "create_acls", ROLE_PLAIN},
	{"host", "delete_acls", ROLE_PLAIN},
	{"host", NULL, ROLE_HOST},
	{"hostFilter", NULL, ROLE_PLAIN},
	{"hostName", NULL, ROLE_HOST},
	{"v0Host", NULL, ROLE_HOST},
	{"clientHost", NULL, ROLE_ADDRESS},
	{"clientHostAddress", NULL, ROLE_OPAQUE},
	{"port", NULL, ROLE_PORT},
	{"rack", NULL, ROLE_RACK},
	{"rackId", NULL, ROLE_RACK},
	{"racks", NULL, ROLE_RACK},

	{"partition", NULL, ROLE_PARTITION},
	{"partitionIndex", NULL, ROLE_PARTITION},
	{"partitionId", NULL, ROLE_PARTITION},
	{"index", NULL, ROLE_PARTITION},
	{"partitionIndexes", NULL, ROLE_PARTITION},
	{"partitionIds", NULL, ROLE_PARTITION},
	{"partitions", "topic_info", ROLE_PLAIN}, /* how many */
	{"partitions", NULL, ROLE_PARTITION},

	{"baseOffset", NULL, ROLE_OFFSET},
	{"offset", NULL, ROLE_OFFSET},
	{"endOffset", NULL, ROLE_OFFSET},
	{"fetchOffset", NULL, ROLE_OFFSET},
	{"logStartOffset", NULL, ROLE_OFFSET},
	{"logEndOffset", NULL, ROLE_OFFSET},
	{"highWatermark", NULL, ROLE_OFFSET},
	{"lowWatermark", NULL, ROLE_OFFSET},
	{"lastStableOffset", NULL, ROLE_OFFSET},
	{"committedOffset", NULL, ROLE_OFFSET},
	{"currentTxnStartOffset", NULL, ROLE_OFFSET},
	{"startOffset", NULL, ROLE_OFFSET},
	{"firstOffset", NULL, ROLE_OFFSET},
	{"lastOffset", NULL, ROLE_OFFSET},
	{"oldStyleOffsets", NULL, ROLE_OFFSET},
	{"leaderEpoch", NULL, ROLE_LEADER_EPOCH},
	{"currentLeaderEpoch", NULL, ROLE_LEADER_EPOCH},
	{"committedLeaderEpoch", NULL, ROLE_LEADER_EPOCH},
	{"lastFetchedEpoch", NULL, ROLE_LEADER_EPOCH},
	{"coordinatorEpoch", NULL, ROLE_LEADER_EPOCH},
	{"finalizedFeaturesEpoch", NULL, ROLE_LEADER_EPOCH},
	{"epoch", NULL, ROLE_LEADER_EPOCH},

	{"commitTimestamp", NULL, ROLE_TIME},
	{"logAppendTimeMs", NULL, ROLE_TIME},
	{"lastTimestamp", NULL, ROLE_TIME},
	{"lastFetchTimestamp", NULL, ROLE_TIME},
	{"lastCaughtUpTimestamp", NULL, ROLE_TIME},
	{"transactionStartTimeMs", NULL, ROLE_TIME},
	{"issueTimestampMs", NULL, ROLE_TIME},
	{"expiryTimestampMs", NULL, ROLE_TIME},
	{"maxTimestampMs", NULL, ROLE_TIME},
	{"timestamp", "list_offsets_response", ROLE_TIME},
	{"throttleTimeMs", NULL, ROLE_MEASURE},
	{"partitionSize", NULL, ROLE_MEASURE},
	{"totalBytes", NULL, ROLE_MEASURE},
	{"usableBytes", NULL, ROLE_MEASURE},

	{"errorMessage", NULL, ROLE_TEXT},
	{"acknowledgeErrorMessage", NULL, ROLE_TEXT},
	{"batchIndexErrorMessage", NULL, ROLE_TEXT},
	{"statusDetail", NULL, ROLE_TEXT},
	{"reason", NULL, ROLE_TEXT},
	{"documentation", NULL, ROLE_TEXT},
	{"metadata", "offset_", ROLE_NOTE},
	{"committedMetadata", NULL, ROLE_NOTE},
	{"value", NULL, ROLE_CONFIG_VALUE},

	{"records", NULL, ROLE_RECORDS},
	{"unalignedRecords", NULL, ROLE_OPAQUE},
	{"metadata", "join_group", ROLE_SUBSCRIPTION},
	{"metadata", "supported_protocols", ROLE_SUBSCRIPTION},
	{"memberMetadata", NULL, ROLE_SUBSCRIPTION},
	{"subscription", NULL, ROLE_SUBSCRIPTION},
	{"assignment", NULL, ROLE_ASSIGNMENT},
	{"memberAssignment", NULL, ROLE_ASSIGNMENT},
	{"userData", NULL, ROLE_OPAQUE},
	{"metrics", NULL, ROLE_OPAQUE},
	{"requestData", NULL, ROLE_SECRET},
	{"responseData", NULL, ROLE_SECRET},
	{"requestPrincipal", NULL, ROLE_SECRET},
	{"authBytes", NULL, ROLE_SECRET},
	{"salt", NULL, ROLE_SECRET},
	{"storedKey", NULL, ROLE_SECRET},
	{"serverKey", NULL, ROLE_SECRET},
	{"saltedPassword", NULL, ROLE_SECRET},
	{"hmac", NULL, ROLE_SECRET},
	{"tokenId", NULL, ROLE_SECRET},

	/* words of the protocol */
	{"assignorName", NULL, ROLE_PLAIN},
	{"clientSoftwareName", NULL, ROLE_PLAIN},
	{"clientSoftwareVersion", NULL, ROLE_PLAIN},
	{"configurationKeys", NULL, ROLE_PLAIN},
	{"entityType", NULL, ROLE_PLAIN},
	{"feature", NULL, ROLE_PLAIN},
	{"groupState", NULL, ROLE_PLAIN},
	{"groupType", NULL, ROLE_PLAIN},
	{"listener", NULL, ROLE_PLAIN},
	{"mechanism", NULL, ROLE_PLAIN},
	{"mechanisms", NULL, ROLE_PLAIN},
	{"ownerPrincipalType", NULL, ROLE_PLAIN},
	{"principalType", NULL, ROLE_PLAIN},
	{"protocol", NULL, ROLE_PLAIN},
	{"protocolData", NULL, ROLE_PLAIN},
	{"protocolName", NULL, ROLE_PLAIN},
	{"protocolType", NULL, ROLE_PLAIN},
	{"requestedMetrics", NULL, ROLE_PLAIN},
	{"serverAssignor", NULL, ROLE_PLAIN},
	{"stateFilters", NULL, ROLE_PLAIN},
	{"statesFilter", NULL, ROLE_PLAIN},
	{"stores", NULL, ROLE_PLAIN},
	{"subtopologyId", NULL, ROLE_PLAIN},
	{"successors", NULL, ROLE_PLAIN},
	{"tokenRequesterPrincipalType", NULL, ROLE_PLAIN},
	{"transactionState", NULL, ROLE_PLAIN},
	{"type", NULL, ROLE_PLAIN},
	{"typesFilter", NULL, ROLE_PLAIN},
	{"unknownStateFilters", NULL, ROLE_PLAIN},
};

static const char *const names[ROLE_COUNT] = {
	[ROLE_PLAIN] = "value",
	[ROLE_TOPIC] = "topic",
	[ROLE_GROUP] = "group",
	[ROLE_TRANSACTIONAL_ID] = "transactional id",
	[ROLE_COORDINATOR_KEY] = "coordinator key",
	[ROLE_CLIENT] = "client id",
	[ROLE_INSTANCE] = "group instance id",
	[ROLE_PRINCIPAL] = "principal",
	[ROLE_RESOURCE] = "resource",
	[ROLE_REGEX] = "regular expression",
	[ROLE_TOPIC_ID] = "topic id",
	[ROLE_MEMBER] = "member id",
	[ROLE_PRODUCER_ID] = "producer id",
	[ROLE_PRODUCER_EPOCH] = "producer epoch",
	[ROLE_SESSION] = "fetch session",
	[ROLE_GENERATION] = "generation",
	[ROLE_CLUSTER] = "cluster id",
	[ROLE_DIRECTORY] = "log directory",
	[ROLE_BROKER] = "broker",
	[ROLE_HOST] = "host",
	[ROLE_ADDRESS] = "client address",
	[ROLE_PORT] = "port",
	[ROLE_RACK] = "rack",
	[ROLE_PARTITION] = "partition",
	[ROLE_OFFSET] = "offset",
	[ROLE_LEADER_EPOCH] = "epoch",
	[ROLE_TIME] = "time",
	[ROLE_MEASURE] = "measurement",
	[ROLE_TEXT] = "text",
	[ROLE_NOTE] = "commit metadata",
	[ROLE_CONFIG_VALUE] = "configuration value",
	[ROLE_RECORDS] = "records",
	[ROLE_SUBSCRIPTION] = "subscription",
	[ROLE_ASSIGNMENT] = "assignment",
	[ROLE_OPAQUE] = "opaque bytes",
	[ROLE_SECRET] = "secret",
};

/* What a role's fields are made of: a name that has another type somewhere is not that role. */
static bool type_fits(enum role role, enum field_type type)
{
	bool text = type == FIELD_STRING, data = type == FIELD_BYTES || type == FIELD_RECORDS;

	switch (role) {
	case ROLE_PLAIN:
		return true;
	case ROLE_TOPIC_ID:
		return type == FIELD_UUID;
	case ROLE_RECORDS:
	case ROLE_SUBSCRIPTION:
	case ROLE_ASSIGNMENT:
		return data;
	case ROLE_OPAQUE:
	case ROLE_SECRET:
		return data || text;
	case ROLE_PRODUCER_ID:
	case ROLE_PRODUCER_EPOCH:
	case ROLE_SESSION:
	case ROLE_GENERATION:
	case ROLE_BROKER:
	case ROLE_PORT:
	case ROLE_PARTITION:
	case ROLE_OFFSET:
	case ROLE_LEADER_EPOCH:
	case ROLE_TIME:
	case ROLE_MEASURE:
		return !text && !data && type != FIELD_UUID && type != FIELD_STRUCT;
	default:
		return text;
	}
}

static const struct row *find_row(const struct schema *s, const struct schema_field *f)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].field, f->name) == 0 &&
		    (!rows[i].scope || strstr(s->name, rows[i].scope)) &&
		    type_fits(rows[i].role, (enum field_type)f->type))
			return &rows[i];
	return NULL;
}

enum role role_of(const struct schema *s, const struct schema_field *f)
{
	static _Thread_local struct {
		const struct schema_field *field;
		enum role role;
	} cache[CACHE_SIZE];
	size_t slot = ((uintptr_t)f / sizeof(*f)) % CACHE_SIZE;
	const struct row *row;

	if (cache[slot].field == f)
		return cache[slot].role;
	row = find_row(s, f);
	cache[slot].field = f;
	cache[slot].role = row ? row->role : ROLE_PLAIN;
	return cache[slot].role;
}

bool role_is_named(const struct schema *s, const struct schema_field *f)
{
	return find_row(s, f) != NULL;
}

const char *role_name(enum role role)
{
	assert((unsigned)role < ROLE_COUNT);
	return names[role];
}
