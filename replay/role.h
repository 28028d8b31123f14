/* What a field means across clusters: whose name it is, whose number, whose secret. Replay learns
 * from it which values are variables, comparison which may differ, sanitize which to hide. One
 * table for all messages, by field name, since Kafka names the same thing alike nearly
 * everywhere. */
#ifndef REPLAY_ROLE_H
#define REPLAY_ROLE_H

#include "protocol/schema.h"

enum role {
	ROLE_PLAIN, /* means the same everywhere */
	/* names that users chose */
	ROLE_TOPIC,
	ROLE_GROUP,
	ROLE_TRANSACTIONAL_ID,
	ROLE_COORDINATOR_KEY, /* a group or a transactional id, as keyType says */
	ROLE_CLIENT,	      /* client id */
	ROLE_INSTANCE,	      /* group.instance.id */
	ROLE_PRINCIPAL,	      /* users, owners, quota entities */
	ROLE_RESOURCE,	      /* a topic, group, broker, ... as resourceType beside it says */
	ROLE_REGEX,	      /* of topic names */
	/* what a cluster handed out */
	ROLE_TOPIC_ID,
	ROLE_MEMBER,
	ROLE_PRODUCER_ID,
	ROLE_PRODUCER_EPOCH,
	ROLE_SESSION,	 /* fetch session id */
	ROLE_GENERATION, /* generation of a classic group, epoch of a KIP-848 member */
	ROLE_CLUSTER,
	ROLE_DIRECTORY,
	/* where it stands */
	ROLE_BROKER, /* node id */
	ROLE_HOST,
	ROLE_ADDRESS, /* a client's host, as a broker saw it: "/127.0.0.1" */
	ROLE_PORT,
	ROLE_RACK,
	/* where in a log */
	ROLE_PARTITION, /* its number; arrays of them as well */
	ROLE_OFFSET,
	ROLE_LEADER_EPOCH,
	/* what never is the same twice */
	ROLE_TIME,
	ROLE_MEASURE, /* throttle, sizes on disk, lag in time */
	/* what people wrote */
	ROLE_TEXT, /* error messages, reasons, documentation */
	ROLE_NOTE, /* what an application committed beside an offset */
	ROLE_CONFIG_VALUE,
	/* bytes */
	ROLE_RECORDS,
	ROLE_SUBSCRIPTION, /* ConsumerProtocolSubscription, where the group is of consumers */
	ROLE_ASSIGNMENT,   /* ConsumerProtocolAssignment, likewise */
	ROLE_OPAQUE,	   /* an application's own */
	ROLE_SECRET,	   /* credentials and tokens */
	ROLE_COUNT,
};

/* Of a field of that schema; total. */
enum role role_of(const struct schema *s, const struct schema_field *f);

/* True if a row of the table names the field: nothing of text or bytes may lack one. */
bool role_is_named(const struct schema *s, const struct schema_field *f);

/* "topic", "producer id": for people. */
const char *role_name(enum role role);

#endif
