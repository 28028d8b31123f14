/* Tables of what Kafka's own topics hold, by the first two bytes of a record's key, and the few
 * fields of type bytes that are messages.
 *
 * A version newer than ours is read as our newest, as Kafka's consumers do with the consumer
 * protocol; what does not read then is for whoever shows it to say. */
#include "decoder/embedded.h"

#include "protocol/messages.h"
#include "protocol/wire.h"

#include <stdio.h>

void embedded_begin(struct embedded_place *p, int api_key, const struct names *names)
{
	*p = (struct embedded_place){.names = names};
	switch (api_key) {
	case API_JOIN_GROUP:
	case API_SYNC_GROUP:
	case API_DESCRIBE_GROUPS:
		p->in = EMBEDDED_IN_GROUPS;
		break;
	case API_PRODUCE:
	case API_FETCH:
	case API_FETCH_SNAPSHOT:
	case API_SHARE_FETCH:
		p->in = EMBEDDED_IN_RECORDS;
		break;
	case API_ENVELOPE:
		p->in = EMBEDDED_IN_ENVELOPE;
		break;
	case -1:
		p->in = EMBEDDED_IN_GROUPS;
		break;
	default:
		break;
	}
}

/* The topics, in the order of embedded_place's enumeration. */
static const char *const topics[] = {"", "__consumer_offsets", "__transaction_state",
				     "__share_group_state", "__cluster_metadata"};

static unsigned topic_of(struct str name)
{
	for (unsigned i = TOPIC_GROUPS; i <= TOPIC_METADATA; i++)
		if (str_is(name, topics[i]))
			return i;
	return TOPIC_OTHER;
}

bool embedded_topic(struct str topic)
{
	return topic_of(topic) != TOPIC_OTHER;
}

void embedded_see(struct embedded_place *p, const struct walk_event *ev)
{
	const char *name = ev->field ? ev->field->name : "";

	if (ev->kind != WALK_VALUE || p->in == EMBEDDED_NOWHERE)
		return;
	if (ev->field->type == FIELD_STRING && !strcmp(name, "protocolType"))
		p->protocol = str_is(ev->value.str, "consumer") ? PROTOCOL_CONSUMER
			      : ev->value.str.len		? PROTOCOL_OTHER
								: PROTOCOL_NOT_SAID;
	if (p->in != EMBEDDED_IN_RECORDS)
		return;
	if (ev->field->type == FIELD_STRING && (!strcmp(name, "topic") || !strcmp(name, "name")))
		p->topic = topic_of(ev->value.str);
	if (ev->field->type == FIELD_UUID && !strcmp(name, "topicId"))
		p->topic = topic_of(names_find(p->names, ev->value.uuid));
}

static enum walk_want on_walk(void *user, const struct walk *w, const struct walk_event *ev)
{
	bool *trailing = user;

	(void)w;
	*trailing |= ev->kind == WALK_TRAILING;
	return ev->kind == WALK_DATA || ev->kind == WALK_UNKNOWN_TAG ? WALK_SKIP : WALK_ON;
}

/* Whether bytes are such a message and nothing else. */
static bool fits(const struct embedded *m, struct bytes b)
{
	struct walk w;
	bool trailing = false, right;

	walk_init(&w, m->message->schema, m->version, b.len - m->body, on_walk, &trailing);
	right = walk_feed(&w, (struct bytes){b.data + m->body, b.len - m->body}, NULL) >= 0 &&
		walk_end(&w, NULL) == 0 && !trailing;
	walk_release(&w);
	return right;
}

static bool found(struct embedded *ret, const char *name, enum message_kind kind, int version,
		  int32_t body)
{
	const struct message *m = message_find(str_of(name), kind);

	if (!m || version < m->since)
		return false;
	*ret = (struct embedded){m, version < m->until ? version : m->until, body, -1};
	return true;
}

/* A message behind its version in two bytes. */
static bool versioned(struct embedded *ret, const char *name, enum message_kind kind,
		      struct bytes b)
{
	return b.len >= 2 && found(ret, name, kind, (int16_t)wire_u16(b.data), 2);
}

bool embedded_in_bytes(const struct embedded_place *p, const struct schema_field *field,
		       struct bytes b, struct embedded *ret)
{
	static const char *const fields[][2] = {
		{"metadata", "ConsumerProtocolSubscription"},
		{"memberMetadata", "ConsumerProtocolSubscription"},
		{"subscription", "ConsumerProtocolSubscription"},
		{"assignment", "ConsumerProtocolAssignment"},
		{"memberAssignment", "ConsumerProtocolAssignment"},
	};

	if (field->type != FIELD_BYTES || !b.data)
		return false;
	if (p->in == EMBEDDED_IN_ENVELOPE)
		return !strcmp(field->name, "requestPrincipal") &&
		       versioned(ret, "DefaultPrincipalData", MESSAGE_DATA, b);
	if (p->in != EMBEDDED_IN_GROUPS || p->protocol == PROTOCOL_OTHER)
		return false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!strcmp(field->name, fields[i][0]))
			return versioned(ret, fields[i][1], MESSAGE_DATA, b) &&
			       (p->protocol == PROTOCOL_CONSUMER || fits(ret, b));
	return false;
}

/* Records: by topic and the key's first two bytes, the names of key and value without "Key" and
 * "Value". */

static const char *record_name(unsigned topic, int type)
{
	static const char *const groups[] = {
		[0] = "LegacyOffsetCommit",
		[1] = "OffsetCommit",
		[2] = "GroupMetadata",
		[3] = "ConsumerGroupMetadata",
		[4] = "ConsumerGroupPartitionMetadata",
		[5] = "ConsumerGroupMemberMetadata",
		[6] = "ConsumerGroupTargetAssignmentMetadata",
		[7] = "ConsumerGroupTargetAssignmentMember",
		[8] = "ConsumerGroupCurrentMemberAssignment",
		[10] = "ShareGroupMemberMetadata",
		[11] = "ShareGroupMetadata",
		[12] = "ShareGroupTargetAssignmentMetadata",
		[13] = "ShareGroupTargetAssignmentMember",
		[14] = "ShareGroupCurrentMemberAssignment",
		[15] = "ShareGroupStatePartitionMetadata",
		[16] = "ConsumerGroupRegularExpression",
		[17] = "StreamsGroupMetadata",
		[19] = "StreamsGroupMemberMetadata",
		[20] = "StreamsGroupTargetAssignmentMetadata",
		[21] = "StreamsGroupTargetAssignmentMember",
		[22] = "StreamsGroupCurrentMemberAssignment",
		[23] = "StreamsGroupTopology",
	};
	static const char *const shares[] = {[0] = "ShareSnapshot", [1] = "ShareUpdate"};

	if (type < 0)
		return NULL;
	if (topic == TOPIC_GROUPS && type < (int)(sizeof(groups) / sizeof(*groups)))
		return groups[type];
	if (topic == TOPIC_SHARES && type < (int)(sizeof(shares) / sizeof(*shares)))
		return shares[type];
	return topic == TOPIC_TRANSACTIONS && type == 0 ? "TransactionLog" : NULL;
}

static bool in_own_topic(unsigned topic, const struct record *r, bool value, struct embedded *ret)
{
	const char *stem = r->key.data && r->key.len >= 2
				   ? record_name(topic, (int16_t)wire_u16(r->key.data))
				   : NULL;
	char name[64];

	if (!stem)
		return false;
	snprintf(name, sizeof(name), "%s%s", stem, value ? "Value" : "Key");
	if (value)
		return r->value.data && versioned(ret, name, MESSAGE_VALUE, r->value);
	return found(ret, name, MESSAGE_KEY, 0, 2);
}

/* The values of its records are the only ones whose names end so. */
static bool is_metadata_record(const struct message *m)
{
	size_t n = strlen(m->name);

	return m->kind == MESSAGE_VALUE && n > 6 && !strcmp(m->name + n - 6, "Record");
}

/* Behind the frame's version, the record's type and its version, each an unsigned varint
 * (KIP-631). */
static bool in_metadata(struct bytes b, struct embedded *ret)
{
	const uint8_t *at = b.data, *end = b.data + b.len;
	const struct message *all, *m = NULL;
	uint32_t head[3];
	size_t count;

	for (int i = 0; i < 3; i++) {
		int n = at ? wire_uvarint(at, end, &head[i]) : 0;

		if (n <= 0)
			return false;
		at += n;
	}
	all = message_all(&count);
	for (size_t i = 0; i < count && !m; i++)
		if ((uint32_t)all[i].key == head[1] && is_metadata_record(&all[i]))
			m = &all[i];
	if (!m)
		return false;
	*ret = (struct embedded){m, head[2] < (uint32_t)m->until ? (int)head[2] : m->until,
				 (int32_t)(at - b.data), (int)head[0]};
	return true;
}

static bool in_control(const struct record *r, struct embedded *ret)
{
	static const char *const names[] = {"EndTxnMarker",	    "EndTxnMarker",
					    "LeaderChangeMessage",  "SnapshotHeaderRecord",
					    "SnapshotFooterRecord", "KRaftVersionRecord",
					    "VotersRecord"};
	struct control_record control;
	int version;

	if (!r->value.data || r->value.len < 2 || control_record_read(r, &control, NULL) < 0 ||
	    control.type < 0 || control.type > CONTROL_KRAFT_VOTERS)
		return false;
	version = (int16_t)wire_u16(r->value.data);
	/* A marker's version stands before it; the others have it as their first field, too. */
	return found(ret, names[control.type], MESSAGE_DATA, version,
		     control.type <= CONTROL_COMMIT ? 2 : 0);
}

bool embedded_in_key(const struct embedded_place *p, const struct batch *b, const struct record *r,
		     struct embedded *ret)
{
	if (b->control)
		return versioned(ret, "ControlRecordTypeSchema", MESSAGE_DATA, r->key);
	return p->topic != TOPIC_METADATA && in_own_topic(p->topic, r, false, ret);
}

bool embedded_in_value(const struct embedded_place *p, const struct batch *b,
		       const struct record *r, struct embedded *ret)
{
	if (b->control)
		return in_control(r, ret);
	if (p->topic == TOPIC_METADATA)
		return in_metadata(r->value, ret);
	return in_own_topic(p->topic, r, true, ret);
}
