/* Messages inside messages: what the bytes fields of group APIs hold, and the records of Kafka's
 * own topics and control batches. Says which message it is and where its body begins; showing it is
 * for tree.c and embedded_json.c. */
#ifndef DECODER_EMBEDDED_H
#define DECODER_EMBEDDED_H

#include "decoder/names.h"
#include "protocol/records.h"
#include "protocol/walk.h"

/* What is known while a message's fields go by, in their order. */
struct embedded_place {
	const struct names *names; /* may be NULL */
	enum { EMBEDDED_NOWHERE, EMBEDDED_IN_GROUPS, EMBEDDED_IN_RECORDS, EMBEDDED_IN_ENVELOPE } in;
	enum { PROTOCOL_NOT_SAID, PROTOCOL_CONSUMER, PROTOCOL_OTHER } protocol;
	enum { TOPIC_OTHER, TOPIC_GROUPS, TOPIC_TRANSACTIONS, TOPIC_SHARES, TOPIC_METADATA } topic;
};

/* What was found. */
struct embedded {
	const struct message *message;
	int version;	   /* at which its body is to be read */
	int32_t body;	   /* where that begins in the bytes */
	int frame_version; /* of a metadata record; else -1 */
};

/* Before the fields of a message of that API (-1: of another embedded message). */
void embedded_begin(struct embedded_place *p, int api_key, const struct names *names);

/* A field went by. */
void embedded_see(struct embedded_place *p, const struct walk_event *ev);

/* Whether a field's bytes hold a message that we know: the consumer protocol's in JoinGroup,
 * SyncGroup, DescribeGroups and their records, also where no protocol type is said and the bytes
 * are exactly such a message; a principal in an Envelope. */
bool embedded_in_bytes(const struct embedded_place *p, const struct schema_field *field,
		       struct bytes b, struct embedded *ret);

/* Whether the key, the value of a record is a message that we know. */
bool embedded_in_key(const struct embedded_place *p, const struct batch *b, const struct record *r,
		     struct embedded *ret);
bool embedded_in_value(const struct embedded_place *p, const struct batch *b,
		       const struct record *r, struct embedded *ret);

/* Whether a topic's records are messages. */
bool embedded_topic(struct str topic);

#endif
