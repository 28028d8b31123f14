/* TxnOffsetCommit, and the pending offsets of groups. Rule 31 of the acceptance text. */
#include "mock/txn_offsets.h"

#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/group_api.h"
#include "mock/mem.h"
#include "mock/mixed_group.h"
#include "mock/state.h"

#include <stdlib.h>

static bool same_key(const struct offset_key *a, const struct offset_key *b)
{
	return a->partition == b->partition && uuid_eq(a->topic_id, b->topic_id);
}

bool txn_offset_pending(const struct group *g, struct uuid topic_id, int32_t partition)
{
	struct offset_key key = {topic_id, partition};

	for (const struct txn_offset *o = g->txn_offsets; o; o = o->next)
		if (same_key(&o->key, &key))
			return true;
	return false;
}

static void offset_free(struct txn_offset *o)
{
	mem_str_free(o->metadata);
	free(o);
}

void txn_offsets_release(struct group *g)
{
	while (g->txn_offsets) {
		struct txn_offset *o = g->txn_offsets;

		g->txn_offsets = o->next;
		offset_free(o);
	}
}

void txn_offsets_end(struct cluster *c, struct str group, int64_t producer_id, bool commit)
{
	struct group *g = group_find(c, group);
	struct txn_offset **link;

	if (!g)
		return;
	for (link = &g->txn_offsets; *link;) {
		struct txn_offset *o = *link;

		if (o->producer_id != producer_id) {
			link = &o->next;
			continue;
		}
		*link = o->next;
		if (commit)
			offset_commit(c, g, o->key, o->offset, o->leader_epoch, o->metadata);
		offset_free(o);
	}
}

static void put(struct group *g, int64_t producer_id, const struct topic *t,
		const struct txn_offset_commit_request_topics_partitions *p)
{
	struct offset_key key = {t->id, p->partition_index};
	struct txn_offset *o = g->txn_offsets;

	while (o && !(o->producer_id == producer_id && same_key(&o->key, &key)))
		o = o->next;
	if (!o) {
		o = mem_new(sizeof(*o));
		o->producer_id = producer_id;
		o->key = key;
		o->next = g->txn_offsets;
		g->txn_offsets = o;
	}
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
