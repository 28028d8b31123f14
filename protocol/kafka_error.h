/* Kafka's error codes: numbers, names, and what a client may do about them. They are data on the
 * wire, never our own errors (base/error.h). */
#ifndef PROTOCOL_KAFKA_ERROR_H
#define PROTOCOL_KAFKA_ERROR_H

#include "base/str.h"

#include <stddef.h>

/* X(code, name, retriable, the client must refresh its metadata) for every code of Kafka 4.4.0. */
#define KAFKA_ERRORS(X)                                                  \
	X(-1, UNKNOWN_SERVER_ERROR, false, false)                        \
	X(0, NONE, false, false)                                         \
	X(1, OFFSET_OUT_OF_RANGE, false, false)                          \
	X(2, CORRUPT_MESSAGE, true, false)                               \
	X(3, UNKNOWN_TOPIC_OR_PARTITION, true, true)                     \
	X(4, INVALID_FETCH_SIZE, false, false)                           \
	X(5, LEADER_NOT_AVAILABLE, true, true)                           \
	X(6, NOT_LEADER_OR_FOLLOWER, true, true)                         \
	X(7, REQUEST_TIMED_OUT, true, false)                             \
	X(8, BROKER_NOT_AVAILABLE, false, false)                         \
	X(9, REPLICA_NOT_AVAILABLE, true, true)                          \
	X(10, MESSAGE_TOO_LARGE, false, false)                           \
	X(11, STALE_CONTROLLER_EPOCH, false, false)                      \
	X(12, OFFSET_METADATA_TOO_LARGE, false, false)                   \
	X(13, NETWORK_EXCEPTION, true, true)                             \
	X(14, COORDINATOR_LOAD_IN_PROGRESS, true, false)                 \
	X(15, COORDINATOR_NOT_AVAILABLE, true, false)                    \
	X(16, NOT_COORDINATOR, true, false)                              \
	X(17, INVALID_TOPIC_EXCEPTION, false, false)                     \
	X(18, RECORD_LIST_TOO_LARGE, false, false)                       \
	X(19, NOT_ENOUGH_REPLICAS, true, false)                          \
	X(20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, true, false)             \
	X(21, INVALID_REQUIRED_ACKS, false, false)                       \
	X(22, ILLEGAL_GENERATION, false, false)                          \
	X(23, INCONSISTENT_GROUP_PROTOCOL, false, false)                 \
	X(24, INVALID_GROUP_ID, false, false)                            \
	X(25, UNKNOWN_MEMBER_ID, false, false)                           \
	X(26, INVALID_SESSION_TIMEOUT, false, false)                     \
	X(27, REBALANCE_IN_PROGRESS, false, false)                       \
	X(28, INVALID_COMMIT_OFFSET_SIZE, false, false)                  \
	X(29, TOPIC_AUTHORIZATION_FAILED, false, false)                  \
	X(30, GROUP_AUTHORIZATION_FAILED, false, false)                  \
	X(31, CLUSTER_AUTHORIZATION_FAILED, false, false)                \
	X(32, INVALID_TIMESTAMP, false, false)                           \
	X(33, UNSUPPORTED_SASL_MECHANISM, false, false)                  \
	X(34, ILLEGAL_SASL_STATE, false, false)                          \
	X(35, UNSUPPORTED_VERSION, false, false)                         \
	X(36, TOPIC_ALREADY_EXISTS, false, false)                        \
	X(37, INVALID_PARTITIONS, false, false)                          \
	X(38, INVALID_REPLICATION_FACTOR, false, false)                  \
	X(39, INVALID_REPLICA_ASSIGNMENT, false, false)                  \
	X(40, INVALID_CONFIG, false, false)                              \
	X(41, NOT_CONTROLLER, true, false)                               \
	X(42, INVALID_REQUEST, false, false)                             \
	X(43, UNSUPPORTED_FOR_MESSAGE_FORMAT, false, false)              \
	X(44, POLICY_VIOLATION, false, false)                            \
	X(45, OUT_OF_ORDER_SEQUENCE_NUMBER, false, false)                \
	X(46, DUPLICATE_SEQUENCE_NUMBER, false, false)                   \
	X(47, INVALID_PRODUCER_EPOCH, false, false)                      \
	X(48, INVALID_TXN_STATE, false, false)                           \
	X(49, INVALID_PRODUCER_ID_MAPPING, false, false)                 \
	X(50, INVALID_TRANSACTION_TIMEOUT, false, false)                 \
	X(51, CONCURRENT_TRANSACTIONS, true, false)                      \
	X(52, TRANSACTION_COORDINATOR_FENCED, false, false)              \
	X(53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, false, false)       \
	X(54, SECURITY_DISABLED, false, false)                           \
	X(55, OPERATION_NOT_ATTEMPTED, false, false)                     \
	X(56, KAFKA_STORAGE_ERROR, true, true)                           \
	X(57, LOG_DIR_NOT_FOUND, false, false)                           \
	X(58, SASL_AUTHENTICATION_FAILED, false, false)                  \
	X(59, UNKNOWN_PRODUCER_ID, false, false)                         \
	X(60, REASSIGNMENT_IN_PROGRESS, false, false)                    \
	X(61, DELEGATION_TOKEN_AUTH_DISABLED, false, false)              \
	X(62, DELEGATION_TOKEN_NOT_FOUND, false, false)                  \
	X(63, DELEGATION_TOKEN_OWNER_MISMATCH, false, false)             \
	X(64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, false, false)        \
	X(65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, false, false)       \
	X(66, DELEGATION_TOKEN_EXPIRED, false, false)                    \
	X(67, INVALID_PRINCIPAL_TYPE, false, false)                      \
	X(68, NON_EMPTY_GROUP, false, false)                             \
	X(69, GROUP_ID_NOT_FOUND, false, false)                          \
	X(70, FETCH_SESSION_ID_NOT_FOUND, true, false)                   \
	X(71, INVALID_FETCH_SESSION_EPOCH, true, false)                  \
	X(72, LISTENER_NOT_FOUND, true, true)                            \
	X(73, TOPIC_DELETION_DISABLED, false, false)                     \
	X(74, FENCED_LEADER_EPOCH, true, true)                           \
	X(75, UNKNOWN_LEADER_EPOCH, true, false)                         \
	X(76, UNSUPPORTED_COMPRESSION_TYPE, false, false)                \
	X(77, STALE_BROKER_EPOCH, false, false)                          \
	X(78, OFFSET_NOT_AVAILABLE, true, false)                         \
	X(79, MEMBER_ID_REQUIRED, false, false)                          \
	X(80, PREFERRED_LEADER_NOT_AVAILABLE, true, true)                \
	X(81, GROUP_MAX_SIZE_REACHED, false, false)                      \
	X(82, FENCED_INSTANCE_ID, false, false)                          \
	X(83, ELIGIBLE_LEADERS_NOT_AVAILABLE, true, true)                \
	X(84, ELECTION_NOT_NEEDED, true, true)                           \
	X(85, NO_REASSIGNMENT_IN_PROGRESS, false, false)                 \
	X(86, GROUP_SUBSCRIBED_TO_TOPIC, false, false)                   \
	X(87, INVALID_RECORD, false, false)                              \
	X(88, UNSTABLE_OFFSET_COMMIT, true, false)                       \
	X(89, THROTTLING_QUOTA_EXCEEDED, true, false)                    \
	X(90, PRODUCER_FENCED, false, false)                             \
	X(91, RESOURCE_NOT_FOUND, false, false)                          \
	X(92, DUPLICATE_RESOURCE, false, false)                          \
	X(93, UNACCEPTABLE_CREDENTIAL, false, false)                     \
	X(94, INCONSISTENT_VOTER_SET, false, false)                      \
	X(95, INVALID_UPDATE_VERSION, false, false)                      \
	X(96, FEATURE_UPDATE_FAILED, false, false)                       \
	X(97, PRINCIPAL_DESERIALIZATION_FAILURE, false, false)           \
	X(98, SNAPSHOT_NOT_FOUND, false, false)                          \
	X(99, POSITION_OUT_OF_RANGE, false, false)                       \
	X(100, UNKNOWN_TOPIC_ID, true, true)                             \
	X(101, DUPLICATE_BROKER_REGISTRATION, false, false)              \
	X(102, BROKER_ID_NOT_REGISTERED, false, false)                   \
	X(103, INCONSISTENT_TOPIC_ID, true, true)                        \
	X(104, INCONSISTENT_CLUSTER_ID, false, false)                    \
	X(105, TRANSACTIONAL_ID_NOT_FOUND, false, false)                 \
	X(106, FETCH_SESSION_TOPIC_ID_ERROR, true, false)                \
	X(107, INELIGIBLE_REPLICA, false, false)                         \
	X(108, NEW_LEADER_ELECTED, false, false)                         \
	X(109, OFFSET_MOVED_TO_TIERED_STORAGE, false, false)             \
	X(110, FENCED_MEMBER_EPOCH, false, false)                        \
	X(111, UNRELEASED_INSTANCE_ID, false, false)                     \
	X(112, UNSUPPORTED_ASSIGNOR, false, false)                       \
	X(113, STALE_MEMBER_EPOCH, false, false)                         \
	X(114, MISMATCHED_ENDPOINT_TYPE, false, false)                   \
	X(115, UNSUPPORTED_ENDPOINT_TYPE, false, false)                  \
	X(116, UNKNOWN_CONTROLLER_ID, false, false)                      \
	X(117, UNKNOWN_SUBSCRIPTION_ID, false, false)                    \
	X(118, TELEMETRY_TOO_LARGE, false, false)                        \
	X(119, INVALID_REGISTRATION, false, false)                       \
	X(120, TRANSACTION_ABORTABLE, false, false)                      \
	X(121, INVALID_RECORD_STATE, false, false)                       \
	X(122, SHARE_SESSION_NOT_FOUND, true, false)                     \
	X(123, INVALID_SHARE_SESSION_EPOCH, true, false)                 \
	X(124, FENCED_STATE_EPOCH, false, false)                         \
	X(125, INVALID_VOTER_KEY, false, false)                          \
	X(126, DUPLICATE_VOTER, false, false)                            \
	X(127, VOTER_NOT_FOUND, false, false)                            \
	X(128, INVALID_REGULAR_EXPRESSION, false, false)                 \
	X(129, REBOOTSTRAP_REQUIRED, false, false)                       \
	X(130, STREAMS_INVALID_TOPOLOGY, false, false)                   \
	X(131, STREAMS_INVALID_TOPOLOGY_EPOCH, false, false)             \
	X(132, STREAMS_TOPOLOGY_FENCED, false, false)                    \
	X(133, SHARE_SESSION_LIMIT_REACHED, true, false)                 \
	X(134, GROUP_DELETION_FAILED, false, false)                      \
	X(135, STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED, false, false) \
	X(136, CONTROLLER_ID_NOT_REGISTERED, false, false)

enum kafka_error {
#define KAFKA_ERROR_ENUM(code, name, retriable, stale) ERROR_##name = (code),
	KAFKA_ERRORS(KAFKA_ERROR_ENUM)
#undef KAFKA_ERROR_ENUM
};

#define KAFKA_ERROR_MIN ERROR_UNKNOWN_SERVER_ERROR
#define KAFKA_ERROR_MAX ERROR_CONTROLLER_ID_NOT_REGISTERED

/* Kafka's name of a code, such as "NOT_LEADER_OR_FOLLOWER"; NULL if there is no such code. */
const char *kafka_error_name(int code);

/* True if Kafka's own clients try again after it; false for a code that does not exist. */
bool kafka_error_retriable(int code);

/* True if Kafka's own clients refresh their metadata after it. */
bool kafka_error_invalidates_metadata(int code);

/* The code with that name, or that number in text ("6", "-1"); false if there is none (ret_code is
 * then untouched). */
bool kafka_error_find(struct str name_or_code, int16_t *ret_code);

/* The name nearest to a mistyped one, for "did you mean"; NULL if none is near. */
const char *kafka_error_nearest(struct str name);

#endif
