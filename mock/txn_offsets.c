/* TxnOffsetCommit, and the pending offsets of groups. Rule 31 of the acceptance text. */
#include "mock/txn_offsets.h"

#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/group_api.h"
#include "mock/mem.h"
#include "mock/mixed_group.h"
#include "mock/state.h"

#include <stdlib.h>

static struct pending_partition *find(const struct group *g, struct offset_key key)
{
	struct pending_partition *p;

	HASH_FIND(hh, g->txn_offsets, &key, sizeof(key), p);
	return p;
}

bool txn_offset_pending(const struct group *g, struct uuid topic_id, int32_t partition)
{
	return find(g, (struct offset_key){topic_id, partition}) != NULL;
}

static void offset_free(struct txn_offset *o)
{
	mem_str_free(o->metadata);
	free(o);
}

/* The partition's offset of the producer, or of any (-1), leaves the list; NULL if there is none.
 */
static struct txn_offset *take(struct pending_partition *p, int64_t producer_id)
{
	struct txn_offset **link = &p->offsets, *o;

	while (*link && producer_id >= 0 && (*link)->producer_id != producer_id)
		link = &(*link)->next;
	o = *link;
	if (o)
		*link = o->next;
	return o;
}

static void drop_if_empty(struct group *g, struct pending_partition *p)
{
	if (p->offsets)
		return;
	HASH_DEL(g->txn_offsets, p);
	free(p);
}

void txn_offsets_release(struct group *g)
{
	struct pending_partition *p, *next;
	struct txn_offset *o;

	HASH_ITER (hh, g->txn_offsets, p, next) {
		while ((o = take(p, -1)) != NULL)
			offset_free(o);
		drop_if_empty(g, p);
	}
}

void txn_offsets_end(struct cluster *c, struct str group, int64_t producer_id, bool commit)
{
	struct group *g = group_find(c, group);
	struct pending_partition *p, *next;
	struct txn_offset *o;

	if (!g)
		return;
	HASH_ITER (hh, g->txn_offsets, p, next) {
		o = take(p, producer_id);
		if (!o)
			continue;
		if (commit)
			offset_commit(c, g, p->key, o->offset, o->leader_epoch, o->metadata);
		offset_free(o);
		drop_if_empty(g, p);
	}
}

static struct txn_offset *offset_of(struct group *g, struct offset_key key, int64_t producer_id)
{
	struct pending_partition *p = find(g, key);
	struct txn_offset *o;

	if (!p) {
		p = mem_new(sizeof(*p));
		p->key = key;
		HASH_ADD(hh, g->txn_offsets, key, sizeof(p->key), p);
	}
	for (o = p->offsets; o; o = o->next)
		if (o->producer_id == producer_id)
			return o;
	o = mem_new(sizeof(*o));
	o->producer_id = producer_id;
	o->next = p->offsets;
	p->offsets = o;
	return o;
}

static void put(struct group *g, int64_t producer_id, const struct topic *t,
		const struct txn_offset_commit_request_topics_partitions *p)
{
	struct txn_offset *o =
		offset_of(g, (struct offset_key){t->id, p->partition_index}, producer_id);

	mem_str_free(o->metadata);
	o->metadata = mem_str(p->committed_metadata.data ? p->committed_metadata : str_of(""));
	o->offset = p->committed_offset;
	o->leader_epoch = p->committed_leader_epoch;
}

/* --- the request --- */

/* What the group says of the member that commits; *ret_group is made where nobody is named. */
static int16_t check_group(struct cluster *c, const struct call *call, struct group **ret_group)
{
	const struct txn_offset_commit_request *q = call->request;
	struct group *g = group_find(c, q->group_id);
	bool named = q->member_id.len > 0 || q->generation_id_or_member_epoch >= 0 ||
		     q->group_instance_id.data;
	int16_t code = coordinator_check(c, call, q->group_id);

	if (code)
		return code;
	if (!q->group_id.len)
		return ERROR_INVALID_GROUP_ID;
	if (!g && q->generation_id_or_member_epoch >= 0)
		return call->header.api_version >= 6 ? ERROR_GROUP_ID_NOT_FOUND
						     : ERROR_ILLEGAL_GENERATION;
	*ret_group = g ? g : group_new(c, q->group_id);
	g = *ret_group;
	if (!named)
		return ERROR_NONE;
	if (mixed_has(g)) {
		const struct consumer_member *m = consumer_find(g, q->member_id);

		if (!m)
			return ERROR_UNKNOWN_MEMBER_ID;
		if (q->generation_id_or_member_epoch == m->epoch)
			return ERROR_NONE;
		return call->header.api_version >= 6 ? consumer_stale(m) : ERROR_ILLEGAL_GENERATION;
	}
	code = group_check_member(g, q->member_id, q->group_instance_id);
	if (!code && q->generation_id_or_member_epoch != g->generation)
		code = ERROR_ILLEGAL_GENERATION;
	return code;
}

/* Version 5 and later add the group to the transaction themselves (KIP-890). */
static int16_t check_txn(struct cluster *c, const struct call *call)
{
	const struct txn_offset_commit_request *q = call->request;
	struct txn *t = txn_find(c, q->transactional_id);
	int version = call->header.api_version;
	int16_t code = txn_check_add(t, (struct txn_claim){q->producer_id, q->producer_epoch});

	if (code == ERROR_PRODUCER_FENCED)
		return ERROR_INVALID_PRODUCER_EPOCH;
	if (code == ERROR_CONCURRENT_TRANSACTIONS && version < 5)
		return ERROR_COORDINATOR_NOT_AVAILABLE;
	if (code)
		return code;
	if (version >= 5)
		txn_add_group(c, t, q->group_id);
	else if (!txn_has_group(t, q->group_id))
		return version == 4 ? ERROR_TRANSACTION_ABORTABLE : ERROR_INVALID_TXN_STATE;
	return ERROR_NONE;
}

static int16_t commit_one(const struct cluster *c, const struct call *call, struct group *g,
			  const struct topic *t,
			  const struct txn_offset_commit_request_topics_partitions *p, int16_t code)
{
	const struct txn_offset_commit_request *q = call->request;

	if (!t)
		return call->header.api_version >= 6 ? ERROR_UNKNOWN_TOPIC_ID
						     : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (!partition_find(t, p->partition_index))
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (code)
		return code;
	if (p->committed_metadata.len > c->config.broker.offset_metadata_max)
		return ERROR_OFFSET_METADATA_TOO_LARGE;
	put(g, q->producer_id, t, p);
	return ERROR_NONE;
}

static void commit_topic(struct cluster *c, struct call *call, struct group *g, int16_t code,
			 const struct txn_offset_commit_request_topics *q,
			 struct txn_offset_commit_response_topics *r)
{
	const struct topic *t = topic_resolve(c, q->name, q->topic_id);

	r->name = q->name;
	r->topic_id = q->topic_id;
	r->partitions = CALL_ARRAY(call, struct txn_offset_commit_response_topics_partitions,
				   q->partitions_count);
	r->partitions_count = q->partitions_count;
	for (int32_t i = 0; i < q->partitions_count; i++) {
		const struct txn_offset_commit_request_topics_partitions *p = &q->partitions[i];
		int16_t *ret = &r->partitions[i].error_code;

		r->partitions[i].partition_index = p->partition_index;
		*ret = call_fault(call, t ? t->name : q->name, p->partition_index);
		if (!*ret)
			*ret = commit_one(c, call, g, t, p, code);
	}
}

enum call_result txn_offset_commit_work(struct cluster *c, struct call *call)
{
	const struct txn_offset_commit_request *q = call->request;
	struct txn_offset_commit_response *r =
		call_response(call, &txn_offset_commit_response_schema);
	struct group *g = NULL;
	int16_t code = check_group(c, call, &g);

	if (!code)
		code = check_txn(c, call);
	r->topics = CALL_ARRAY(call, struct txn_offset_commit_response_topics, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++)
		commit_topic(c, call, g, code, &q->topics[i], &r->topics[i]);
	return CALL_ANSWER;
}
