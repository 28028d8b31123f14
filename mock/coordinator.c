/* FindCoordinator, and the check that the other coordinator APIs begin with. Rules 7 and 12 of the
 * acceptance text. Owns nothing. */
#include "mock/coordinator.h"

#include "mock/mem.h"
#include "mock/state.h"

#include <stdlib.h>

#define INTERNAL_PARTITIONS \
	50 /* offsets.topic.num.partitions, transaction.state.log.num.partitions */

enum key_type { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE };

/* Java's String.hashCode over the text's bytes (ids are ASCII in all but name). */
static uint32_t java_hash(struct str s)
{
	uint32_t hash = 0;

	for (int32_t i = 0; i < s.len; i++)
		hash = 31 * hash + (uint8_t)s.data[i];
	return hash;
}

struct coordinator_change {
	struct coordinator_change *next;
	struct str key;
	int32_t node_id; /* -1: as the hash says */
	int64_t loading_until_us;
};

static struct coordinator_change *change_find(const struct cluster *c, struct str key)
{
	struct coordinator_change *change = c->coordination.changes;

	while (change && !str_eq(change->key, key))
		change = change->next;
	return change;
}

static struct coordinator_change *change_of(struct cluster *c, struct str key)
{
	struct coordinator_change *change = change_find(c, key);

	if (change)
		return change;
	change = mem_new(sizeof(*change));
	change->key = mem_str(key);
	change->node_id = -1;
	change->next = c->coordination.changes;
	c->coordination.changes = change;
	return change;
}

void coordination_release(struct cluster *c)
{
	struct coordinator_change *change;

	while ((change = c->coordination.changes)) {
		c->coordination.changes = change->next;
		mem_str_free(change->key);
		free(change);
	}
}

void coordinator_set(struct cluster *c, struct str key, int32_t node_id)
{
	change_of(c, key)->node_id = node_id;
}

void coordinator_loads(struct cluster *c, struct str key, int64_t until_us)
{
	change_of(c, key)->loading_until_us = until_us;
}

bool coordinators_cold(const struct cluster *c)
{
	return c->now.mono_us < c->coordination.cold_until_us;
}

int32_t coordinator_of(const struct cluster *c, struct str key)
{
	const struct coordinator_change *change = change_find(c, key);
	int32_t brokers = c->config.brokers;
	int32_t first = (int32_t)((java_hash(key) & INT32_MAX) % INTERNAL_PARTITIONS) % brokers;

	if (change && change->node_id >= 0 && cluster_broker(c, change->node_id)->alive)
		return change->node_id;
	for (int32_t i = 0; i < brokers; i++)
		if (c->brokers[(first + i) % brokers].alive)
			return cluster_node_id(c, (first + i) % brokers);
	return -1;
}

int16_t coordinator_check(const struct cluster *c, const struct call *call, struct str key)
{
	const struct coordinator_change *change = change_find(c, key);

	if (coordinators_cold(c) || (change && c->now.mono_us < change->loading_until_us))
		return ERROR_COORDINATOR_LOAD_IN_PROGRESS;
	return coordinator_of(c, key) == call->broker ? ERROR_NONE : ERROR_NOT_COORDINATOR;
}

/* group:topicId:partition, as KIP-932 has it. */
static bool share_key_ok(struct str key)
{
	const char *colon = key.data ? memchr(key.data, ':', (size_t)key.len) : NULL;
	struct str rest;
	struct uuid id;

	if (!colon || colon == key.data)
		return false;
	rest = (struct str){colon + 1, key.len - (int32_t)(colon + 1 - key.data)};
	if (rest.len < UUID_TEXT_SIZE + 1 || rest.data[UUID_TEXT_SIZE - 1] != ':' ||
	    !uuid_parse((struct str){rest.data, UUID_TEXT_SIZE - 1}, &id))
		return false;
	for (int32_t i = UUID_TEXT_SIZE; i < rest.len; i++)
		if (rest.data[i] < '0' || rest.data[i] > '9')
			return false;
	return true;
}

static void put_coordinator(struct cluster *c, struct call *call, int8_t type, struct str key,
			    struct find_coordinator_response_coordinators *r)
{
	const struct broker *b;
	int32_t node = -1;

	codec_init(&find_coordinator_response_coordinators_schema, r);
	r->key = key;
	r->node_id = r->port = -1;
	if (type < KEY_GROUP || type > KEY_SHARE || (type == KEY_SHARE && !share_key_ok(key)))
		r->error_code = ERROR_INVALID_REQUEST;
	else
		node = coordinator_of(c, key);
	if (!r->error_code && (node < 0 || coordinators_cold(c)))
		r->error_code = ERROR_COORDINATOR_NOT_AVAILABLE;
	if (r->error_code)
		return;
	b = cluster_broker(c, node);
	r->node_id = node;
	r->host = call_str(call, str_of(b->address.host));
	r->port = b->address.port;
}

enum call_result find_coordinator_work(struct cluster *c, struct call *call)
{
	const struct find_coordinator_request *q = call->request;
	struct find_coordinator_response *r =
		call_response(call, &find_coordinator_response_schema);
	struct find_coordinator_response_coordinators one;

	if (call->header.api_version < 4) {
		put_coordinator(c, call, q->key_type, q->key, &one);
		r->error_code = one.error_code;
		r->node_id = one.node_id;
		r->host = one.host;
		r->port = one.port;
		r->error_message =
			str_of(one.error_code ? kafka_error_name(one.error_code) : "NONE");
		return CALL_ANSWER;
	}
	r->coordinators = CALL_ARRAY(call, struct find_coordinator_response_coordinators,
				     q->coordinator_keys_count);
	r->coordinators_count = q->coordinator_keys_count;
	for (int32_t i = 0; i < q->coordinator_keys_count; i++)
		put_coordinator(c, call, q->key_type, q->coordinator_keys[i], &r->coordinators[i]);
	return CALL_ANSWER;
}
