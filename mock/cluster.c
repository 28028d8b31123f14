/* The cluster's life, and the way of a request through it: fault before, work, fault after. Which
 * API is worked where stands in one table. Knows nothing about what the APIs do. */
#include "mock/cluster.h"

#include "base/json.h"
#include "mock/fault.h"
#include "mock/mem.h"
#include "mock/stale.h"
#include "mock/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_DEFAULT ((size_t)1 << 30)
#define BROKERS_MAX    1000

const struct api cluster_apis[API_KEY_MAX + 1] = {
	[API_PRODUCE] = {produce_work, .by_topic = true},
	[API_FETCH] = {fetch_work, .by_topic = true},
	[API_LIST_OFFSETS] = {list_offsets_work, .by_topic = true},
	[API_METADATA] = {metadata_work, .by_topic = true},
	[API_OFFSET_COMMIT] = {offset_commit_work, .by_topic = true},
	[API_OFFSET_FETCH] = {offset_fetch_work, .by_topic = true},
	[API_FIND_COORDINATOR] = {find_coordinator_work},
	[API_JOIN_GROUP] = {join_group_work},
	[API_HEARTBEAT] = {heartbeat_work},
	[API_LEAVE_GROUP] = {leave_group_work},
	[API_SYNC_GROUP] = {sync_group_work},
	[API_DESCRIBE_GROUPS] = {describe_groups_work},
	[API_LIST_GROUPS] = {list_groups_work},
	[API_DELETE_GROUPS] = {delete_groups_work},
	[API_OFFSET_DELETE] = {offset_delete_work, .by_topic = true},
	[API_DESCRIBE_CLUSTER] = {describe_cluster_work},
	[API_CONSUMER_GROUP_DESCRIBE] = {consumer_group_describe_work},
	[API_DESCRIBE_TOPIC_PARTITIONS] = {describe_topic_partitions_work, .by_topic = true},
	[API_CONSUMER_GROUP_HEARTBEAT] = {consumer_group_heartbeat_work},
	[API_API_VERSIONS] = {api_versions_work},
	[API_CREATE_TOPICS] = {create_topics_work, .by_topic = true},
	[API_DELETE_TOPICS] = {delete_topics_work, .by_topic = true},
	[API_DELETE_RECORDS] = {delete_records_work, .by_topic = true},
	[API_DESCRIBE_CONFIGS] = {describe_configs_work},
	[API_ALTER_CONFIGS] = {alter_configs_work},
	[API_INCREMENTAL_ALTER_CONFIGS] = {incremental_alter_configs_work},
	[API_LIST_CONFIG_RESOURCES] = {list_config_resources_work},
	[API_ELECT_LEADERS] = {elect_leaders_work, .by_topic = true},
	[API_DESCRIBE_LOG_DIRS] = {describe_log_dirs_work, .by_topic = true},
	[API_ALTER_REPLICA_LOG_DIRS] = {alter_replica_log_dirs_work, .by_topic = true},
	[API_ALTER_PARTITION_REASSIGNMENTS] = {alter_partition_reassignments_work,
					       .by_topic = true},
	[API_LIST_PARTITION_REASSIGNMENTS] = {list_partition_reassignments_work, .by_topic = true},
	[API_CREATE_PARTITIONS] = {create_partitions_work, .by_topic = true},
	[API_OFFSET_FOR_LEADER_EPOCH] = {offset_for_leader_epoch_work, .by_topic = true},
	[API_DESCRIBE_ACLS] = {describe_acls_work},
	[API_CREATE_ACLS] = {create_acls_work},
	[API_DELETE_ACLS] = {delete_acls_work},
	[API_SASL_HANDSHAKE] = {sasl_handshake_work},
	[API_INIT_PRODUCER_ID] = {init_producer_id_work},
	[API_ADD_PARTITIONS_TO_TXN] = {add_partitions_to_txn_work, .by_topic = true},
	[API_ADD_OFFSETS_TO_TXN] = {add_offsets_to_txn_work},
	[API_END_TXN] = {end_txn_work},
	[API_WRITE_TXN_MARKERS] = {write_txn_markers_work, .by_topic = true},
	[API_TXN_OFFSET_COMMIT] = {txn_offset_commit_work, .by_topic = true},
	[API_DESCRIBE_PRODUCERS] = {describe_producers_work, .by_topic = true},
	[API_UPDATE_FEATURES] = {update_features_work},
	[API_DESCRIBE_QUORUM] = {describe_quorum_work},
	[API_DESCRIBE_TRANSACTIONS] = {describe_transactions_work},
	[API_LIST_TRANSACTIONS] = {list_transactions_work},
};

static void narrow(struct version_range *r, struct version_range to)
{
	r->min = r->min > to.min ? r->min : to.min;
	r->max = r->max < to.max ? r->max : to.max;
}

static void set_versions(struct cluster *c)
{
	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, MESSAGE_REQUEST);
		struct version_range *r = &c->versions[key];

		*r = (struct version_range){0, -1};
		if (!m || !cluster_apis[key].work)
			continue;
		r->min = m->since;
		r->max = m->until < m->unstable_since ? m->until : (int16_t)(m->unstable_since - 1);
		if (c->config.like)
			narrow(r, profile_versions(c->config.like, key));
	}
	for (int32_t i = 0; i < c->config.limits_count; i++) {
		const struct version_limit *l = &c->config.limits[i];

		narrow(&c->versions[l->api_key], (struct version_range){l->min, l->max});
	}
	c->config.limits = NULL;
	c->config.limits_count = 0;
}

/* Racks as they are given, to the brokers in turn. */
static void set_racks(struct cluster *c)
{
	struct str all = str_of(c->config.broker.racks), rest = {0};

	for (int32_t i = 0; all.len && i < c->config.brokers; i++) {
		if (!rest.data)
			rest = all;
		c->brokers[i].rack = mem_str(config_list_next(&rest));
	}
}

/* The order in which replicas are placed: the first broker of each rack, then the second of each,
 * and so on. */
static void set_stripe(struct cluster *c)
{
	int32_t brokers = c->config.brokers, n = 0;
	int32_t *place = mem_new((size_t)brokers * sizeof(*place)); /* in its rack, from 0 */

	c->stripe = mem_new((size_t)brokers * sizeof(c->stripe[0]));
	for (int32_t i = 0; i < brokers; i++)
		for (int32_t k = 0; c->brokers[i].rack.data && k < i; k++)
			place[i] += str_eq(c->brokers[i].rack, c->brokers[k].rack);
	for (int32_t round = 0; n < brokers; round++)
		for (int32_t i = 0; i < brokers; i++)
			if (place[i] == round)
				c->stripe[n++] = i;
	free(place);
}

struct cluster *cluster_new(const struct cluster_config *config, struct instant now)
{
	struct cluster *c = mem_new(sizeof(*c));

	assert(config->brokers > 0 && config->brokers <= BROKERS_MAX);
	c->config = *config;
	if (!c->config.memory_max)
		c->config.memory_max = MEMORY_DEFAULT;
	if (c->config.default_partitions <= 0)
		c->config.default_partitions = 1;
	if (c->config.default_replication <= 0)
		c->config.default_replication =
			(int16_t)(config->brokers < 3 ? config->brokers : 3);
	broker_config_fill(&c->config.broker);
	c->started = c->now = now;
	rand_seed(&c->rand, config->seed);
	c->id = rand_uuid(&c->rand);
	uuid_text(c->id, c->id_text);
	c->brokers = mem_new((size_t)config->brokers * sizeof(c->brokers[0]));
	for (int32_t i = 0; i < config->brokers; i++) {
		c->brokers[i].address.node_id =
			config->node_ids ? config->node_ids[i] : c->config.broker.first_node_id + i;
		c->brokers[i].alive = true;
	}
	set_racks(c);
	set_stripe(c);
	c->memory.max = c->config.memory_max;
	c->next_producer_id = (int64_t)rand_below(&c->rand, 1000) * 1000;
	buf_init(&c->scratch, EVENT_DETAIL_MAX);
	buf_init(&c->batch, FRAME_SIZE_MAX);
	buf_init(&c->plain, RECORDS_EXPANDED_MAX);
	c->config.node_ids = NULL;
	set_versions(c);
	features_init(c);
	configs_init(c);
	topics_init(c);
	return c;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	groups_release(c);
	fetch_sessions_drop(c, -1);
	txns_release(c);
	coordination_release(c);
	topics_release(c);
	configs_release(c);
	for (int32_t i = 0; i < c->config.brokers; i++) {
		stale_end(c, c->brokers[i].address.node_id);
		mem_str_free(c->brokers[i].rack);
	}
	free(c->stripe);
	timers_release(&c->timers);
	buf_release(&c->scratch);
	buf_release(&c->batch);
	buf_release(&c->plain);
	free(c->brokers);
	free(c);
}

void cluster_set_address(struct cluster *c, const struct broker_address *address)
{
	struct broker *b = cluster_broker(c, address->node_id);

	assert(b);
	b->address = *address;
}

int32_t cluster_node_id(const struct cluster *c, int32_t index)
{
	return c->brokers[index].address.node_id;
}

/* Node ids follow each other nearly always: then the first look finds it. */
struct broker *cluster_broker(const struct cluster *c, int32_t node_id)
{
	int64_t i = (int64_t)node_id - c->brokers[0].address.node_id;

	if (i >= 0 && i < c->config.brokers && c->brokers[i].address.node_id == node_id)
		return &c->brokers[i];
	for (i = 0; i < c->config.brokers; i++)
		if (c->brokers[i].address.node_id == node_id)
			return &c->brokers[i];
	return NULL;
}

int32_t cluster_broker_index(const struct cluster *c, int32_t node_id)
{
	const struct broker *b = cluster_broker(c, node_id);

	return b ? (int32_t)(b - c->brokers) : -1;
}

struct str cluster_rack(struct call *call, const struct broker *b)
{
	return b->rack.data ? call_str(call, b->rack) : (struct str){0};
}

int32_t cluster_controller(const struct cluster *c)
{
	for (int32_t i = 0; i < c->config.brokers; i++)
		if (c->brokers[i].alive)
			return cluster_node_id(c, i);
	return -1;
}

bool cluster_listened(const struct cluster *c)
{
	return c->config.bus && event_wanted(c->config.bus, EVENT_CLUSTER);
}

void cluster_event(struct cluster *c, const char *name, struct buf *detail)
{
	struct event ev = {.kind = EVENT_CLUSTER, .time_us = c->now.wall_us};

	ev.cluster.name = str_of(name);
	ev.cluster.detail = (struct str){buf_cstr(detail), (int32_t)detail->len};
	if (c->config.bus)
		event_emit(c->config.bus, &ev);
}

bool cluster_speaks(const struct cluster *c, int api_key, int api_version)
{
	return api_key >= 0 && api_key <= API_KEY_MAX && api_version >= c->versions[api_key].min &&
	       api_version <= c->versions[api_key].max;
}

static void on_call_due(struct cluster *c, void *owner)
{
	call_make_ready(c, owner);
}

/* Before KRaft, what changes the cluster was the controller's alone. */
static bool elsewhere(const struct cluster *c, const struct call *call)
{
	switch (call->header.api_key) {
	case API_CREATE_TOPICS:
	case API_DELETE_TOPICS:
	case API_CREATE_PARTITIONS:
	case API_ELECT_LEADERS:
	case API_ALTER_PARTITION_REASSIGNMENTS:
	case API_LIST_PARTITION_REASSIGNMENTS:
	case API_UPDATE_FEATURES:
		return c->config.like && c->config.like->zookeeper &&
		       call->broker != cluster_controller(c);
	default:
		return false;
	}
}

static enum call_result work(struct cluster *c, struct call *call)
{
	const struct api *api = &cluster_apis[call->header.api_key];
	bool first = !call->begun;

	call->begun = true;
	if (first && fault_before(c, call))
		return CALL_ANSWER;
	if (first && elsewhere(c, call)) {
		fault_refuse(c, call, ERROR_NOT_CONTROLLER);
		return CALL_ANSWER;
	}
	return api->work(c, call);
}

enum call_result cluster_call(struct cluster *c, struct call *call, struct instant now)
{
	enum call_result result;

	c->now = now;
	call_unwait(c, call);
	call->response_version = call->header.api_version;
	if (!call->own && !cluster_speaks(c, call->header.api_key, call->header.api_version))
		return call->header.api_key == API_API_VERSIONS ? api_versions_fallback(c, call)
								: CALL_CLOSE;
	result = work(c, call);
	if (result == CALL_ANSWER || result == CALL_NO_ANSWER)
		result = fault_after(c, call, result);
	if (result == CALL_WAIT) {
		call->timer.on_due = on_call_due;
		call->timer.owner = call;
		timer_set(&c->timers, &call->timer, call->deadline_us);
	}
	return result;
}

int64_t cluster_tick(struct cluster *c, struct instant now)
{
	c->now = now;
	timers_run(&c->timers, c, now.mono_us);
	return timers_next(&c->timers);
}
