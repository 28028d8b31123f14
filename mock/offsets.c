/* OffsetCommit and OffsetFetch, and the offsets that a group keeps. Rule 26 of the acceptance text.
 */
#include "mock/offsets.h"

#include "mock/consumer_group.h"
#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/group_api.h"
#include "mock/mem.h"
#include "mock/state.h"
#include "mock/txn_offsets.h"

#include <stdlib.h>

static struct offset_key key_of(struct uuid topic_id, int32_t partition)
{
	struct offset_key key;

	memset(&key, 0, sizeof(key));
	key.topic_id = topic_id;
	key.partition = partition;
	return key;
}

struct offset_entry *offset_find(const struct group *g, struct uuid topic_id, int32_t partition)
{
	struct offset_key key = key_of(topic_id, partition);
	struct offset_entry *o = NULL;

	HASH_FIND(hh, g->offsets, &key, sizeof(key), o);
	return o;
}

void offset_commit(struct cluster *c, struct group *g, struct offset_key key, int64_t offset,
		   int32_t leader_epoch, struct str metadata)
{
	struct offset_entry *o = offset_find(g, key.topic_id, key.partition);

	if (!o) {
		o = mem_new(sizeof(*o));
		o->key = key;
		HASH_ADD(hh, g->offsets, key, sizeof(o->key), o);
	}
	mem_str_free(o->metadata);
	o->metadata = mem_str(metadata.data ? metadata : str_of(""));
	o->offset = offset;
	o->leader_epoch = leader_epoch;
	o->committed_ms = instant_wall_ms(c->now);
	o->expire_ms = -1;
}

void offset_delete(struct group *g, struct offset_entry *o)
{
	HASH_DELETE(hh, g->offsets, o);
	mem_str_free(o->metadata);
	free(o);
}

void offsets_forget_topic(struct cluster *c, struct uuid topic_id)
{
	struct group *g, *next;
	struct offset_entry *o, *after;

	HASH_ITER (by_id, c->groups.by_id, g, next)
		HASH_ITER (hh, g->offsets, o, after)
			if (uuid_eq(o->key.topic_id, topic_id))
				offset_delete(g, o);
}

void offsets_release(struct group *g)
{
	struct offset_entry *o, *next;

	HASH_ITER (hh, g->offsets, o, next)
		offset_delete(g, o);
}

/* ---- OffsetCommit ---- */

/* Rule 34: a member of a KIP-848 group commits under its epoch. */
static int16_t commit_check_epoch(struct cluster *c, const struct call *call, struct group *g)
{
	const struct offset_commit_request *q = call->request;
	struct consumer_member *m = consumer_find(g, q->member_id);

	if (q->generation_id_or_member_epoch < 0 && !g->consumer->members)
		return ERROR_NONE;
	if (!m)
		return ERROR_UNKNOWN_MEMBER_ID;
	if (!m->classic && call->header.api_version < 9)
		return ERROR_UNSUPPORTED_VERSION;
	if (q->generation_id_or_member_epoch != m->epoch)
		return consumer_stale(m);
	consumer_alive(c, m);
	return ERROR_NONE;
}

/* What the group says to a commit as a whole; *ret_group is made for a simple commit. */
static int16_t commit_check(struct cluster *c, const struct call *call, struct group **ret_group)
{
	const struct offset_commit_request *q = call->request;
	struct group *g = group_find(c, q->group_id);
	bool simple = q->generation_id_or_member_epoch < 0;
	int16_t code;

	if (coordinator_check(c, call, q->group_id))
		return coordinator_check(c, call, q->group_id);
	if (!g && !simple)
		return call->header.api_version >= 9 ? ERROR_GROUP_ID_NOT_FOUND
						     : ERROR_ILLEGAL_GENERATION;
	*ret_group = g ? g : group_new(c, q->group_id);
	g = *ret_group;
	if (g->consumer)
		return commit_check_epoch(c, call, g);
	if (simple && !g->members)
		return ERROR_NONE;
	if (simple && q->member_id.len == 0 && !q->group_instance_id.data)
		return ERROR_UNKNOWN_MEMBER_ID;
	code = group_check_member(g, q->member_id, q->group_instance_id);
	if (code)
		return code;
	if (q->generation_id_or_member_epoch != g->generation)
		return ERROR_ILLEGAL_GENERATION;
	if (g->state == GROUP_COMPLETING_REBALANCE)
		return ERROR_REBALANCE_IN_PROGRESS;
	member_alive(c, member_find(g, q->member_id));
	return ERROR_NONE;
}

/* Versions 2 to 4 may say how long an offset shall be kept. */
static int16_t commit_one(struct cluster *c, const struct call *call, struct group *g,
			  const struct topic *t,
			  const struct offset_commit_request_topics_partitions *p)
{
	const struct offset_commit_request *q = call->request;

	if (p->committed_metadata.len > c->config.broker.offset_metadata_max)
		return ERROR_OFFSET_METADATA_TOO_LARGE;
	offset_commit(c, g, key_of(t->id, p->partition_index), p->committed_offset,
		      p->committed_leader_epoch, p->committed_metadata);
	if (q->retention_time_ms >= 0)
		offset_find(g, t->id, p->partition_index)->expire_ms =
			instant_wall_ms(c->now) + q->retention_time_ms;
	return ERROR_NONE;
}

static void commit_topic(struct cluster *c, struct call *call, struct group *g, int16_t code,
			 const struct offset_commit_request_topics *q,
			 struct offset_commit_response_topics *r)
{
	const struct topic *t = topic_resolve(c, q->name, q->topic_id);
	bool by_id = call->header.api_version >= 10;

	r->name = q->name;
	r->topic_id = q->topic_id;
	r->partitions = CALL_ARRAY(call, struct offset_commit_response_topics_partitions,
				   q->partitions_count);
	r->partitions_count = q->partitions_count;
	for (int32_t i = 0; i < q->partitions_count; i++) {
		const struct offset_commit_request_topics_partitions *p = &q->partitions[i];
		int16_t *ret = &r->partitions[i].error_code;

		r->partitions[i].partition_index = p->partition_index;
		*ret = t ? call_fault(call, t->name, p->partition_index) : ERROR_NONE;
		if (*ret)
			continue;
		if (!t)
			*ret = by_id ? ERROR_UNKNOWN_TOPIC_ID : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
		else if (!partition_find(t, p->partition_index))
			*ret = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
		else
			*ret = code ? code : commit_one(c, call, g, t, p);
	}
}

enum call_result offset_commit_work(struct cluster *c, struct call *call)
{
	const struct offset_commit_request *q = call->request;
	struct offset_commit_response *r = call_response(call, &offset_commit_response_schema);
	struct group *g = NULL;
	int16_t code = commit_check(c, call, &g);

	r->topics = CALL_ARRAY(call, struct offset_commit_response_topics, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++)
		if (q->topics[i].partitions_count)
			commit_topic(c, call, g, code, &q->topics[i],
				     &r->topics[r->topics_count++]);
	return CALL_ANSWER;
}

/* ---- OffsetFetch ---- */

/* Versions 0 to 7 ask for one group in the request itself; both forms are worked in the later one.
 */
typedef struct offset_fetch_request_groups group_query;
typedef struct offset_fetch_response_groups group_answer;
typedef struct offset_fetch_response_groups_topics topic_answer;

static void fetch_one(struct call *call, const struct group *g, const struct topic *t,
		      int32_t partition, struct offset_fetch_response_groups_topics_partitions *r)
{
	const struct offset_fetch_request *q = call->request;
	const struct offset_entry *o = g && t ? offset_find(g, t->id, partition) : NULL;

	codec_init(&offset_fetch_response_groups_topics_partitions_schema, r);
	r->partition_index = partition;
	r->committed_offset = o ? o->offset : -1;
	r->committed_leader_epoch = o ? o->leader_epoch : -1;
	r->metadata = o ? call_str(call, o->metadata) : str_of("");
	if (t)
		r->error_code = call_fault(call, t->name, partition);
	if (!r->error_code && q->require_stable && g && t &&
	    txn_offset_pending(g, t->id, partition))
		r->error_code = ERROR_UNSTABLE_OFFSET_COMMIT;
	if (!r->error_code)
		return;
	r->committed_offset = r->committed_leader_epoch = -1;
	r->metadata = str_of("");
}

static void fetch_asked(struct cluster *c, struct call *call, const struct group *g,
			const group_query *q, group_answer *r)
{
	r->topics = CALL_ARRAY(call, topic_answer, q->topics_count);
	r->topics_count = q->topics_count;
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct offset_fetch_request_groups_topics *in = &q->topics[i];
		const struct topic *t = topic_resolve(c, in->name, in->topic_id);
		topic_answer *out = &r->topics[i];

		out->name = in->name;
		out->topic_id = in->topic_id;
		out->partitions =
			CALL_ARRAY(call, struct offset_fetch_response_groups_topics_partitions,
				   in->partition_indexes_count);
		out->partitions_count = in->partition_indexes_count;
		for (int32_t k = 0; k < in->partition_indexes_count; k++) {
			fetch_one(call, g, t, in->partition_indexes[k], &out->partitions[k]);
			if (!t && call->header.api_version >= 10)
				out->partitions[k].error_code = ERROR_UNKNOWN_TOPIC_ID;
		}
	}
}

static int32_t count_of_topic(const struct group *g, struct uuid id)
{
	struct offset_entry *o, *next;
	int32_t count = 0;

	HASH_ITER (hh, g->offsets, o, next)
		count += uuid_eq(o->key.topic_id, id);
	return count;
}

static topic_answer *topic_of(group_answer *r, struct uuid id)
{
	for (int32_t i = 0; i < r->topics_count; i++)
		if (uuid_eq(r->topics[i].topic_id, id))
			return &r->topics[i];
	return NULL;
}

static void fetch_all(struct cluster *c, struct call *call, const struct group *g, group_answer *r)
{
	struct offset_entry *o, *next;

	if (!g)
		return;
	r->topics = CALL_ARRAY(call, topic_answer, HASH_COUNT(g->offsets));
	HASH_ITER (hh, g->offsets, o, next) {
		const struct topic *t = topic_by_id(c, o->key.topic_id);
		topic_answer *out = topic_of(r, o->key.topic_id);

		if (!t)
			continue;
		if (!out) {
			out = &r->topics[r->topics_count++];
			out->name = call_str(call, t->name);
			out->topic_id = t->id;
			out->partitions = CALL_ARRAY(
				call, struct offset_fetch_response_groups_topics_partitions,
				count_of_topic(g, t->id));
		}
		fetch_one(call, g, t, o->key.partition, &out->partitions[out->partitions_count++]);
	}
}

/* A member of a KIP-848 group may say who it is (v9), and is then held to its epoch. */
static int16_t fetch_check(const struct group *g, const group_query *q)
{
	const struct consumer_member *m;

	if (!g || !g->consumer || (!q->member_id.data && q->member_epoch < 0))
		return ERROR_NONE;
	m = consumer_find(g, q->member_id);
	if (!m)
		return ERROR_UNKNOWN_MEMBER_ID;
	return q->member_epoch == m->epoch ? ERROR_NONE : consumer_stale(m);
}

static void fetch_group(struct cluster *c, struct call *call, const group_query *q, group_answer *r)
{
	r->group_id = q->group_id;
	r->error_code = coordinator_check(c, call, q->group_id);
	if (!r->error_code)
		r->error_code = fetch_check(group_find(c, q->group_id), q);
	if (r->error_code)
		return;
	if (q->topics_count < 0)
		fetch_all(c, call, group_find(c, q->group_id), r);
	else
		fetch_asked(c, call, group_find(c, q->group_id), q, r);
}

/* Version 8 and later names are those of the groups; the older request is the same one level up. */
static group_query query_of(struct call *call)
{
	const struct offset_fetch_request *q = call->request;
	group_query g = {
		.group_id = q->group_id, .topics_count = q->topics_count, .member_epoch = -1};

	if (q->topics_count < 0)
		return g;
	g.topics = CALL_ARRAY(call, struct offset_fetch_request_groups_topics, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++) {
		g.topics[i].name = q->topics[i].name;
		g.topics[i].partition_indexes = q->topics[i].partition_indexes;
		g.topics[i].partition_indexes_count = q->topics[i].partition_indexes_count;
	}
	return g;
}

/* Version 1 has no place for a group's error but each partition. */
static void answer_old(struct call *call, const group_query *q, const group_answer *g,
		       struct offset_fetch_response *r)
{
	r->error_code = g->error_code;
	r->topics_count = g->error_code && q->topics_count > 0 ? q->topics_count : g->topics_count;
	r->topics = CALL_ARRAY(call, struct offset_fetch_response_topics, r->topics_count);
	for (int32_t i = 0; i < r->topics_count; i++) {
		struct offset_fetch_response_topics *out = &r->topics[i];
		int32_t count = g->error_code ? q->topics[i].partition_indexes_count
					      : g->topics[i].partitions_count;

		out->name = g->error_code ? q->topics[i].name : g->topics[i].name;
		out->partitions =
			CALL_ARRAY(call, struct offset_fetch_response_topics_partitions, count);
		out->partitions_count = count;
		for (int32_t k = 0; k < count; k++) {
			struct offset_fetch_response_topics_partitions *p = &out->partitions[k];

			codec_init(&offset_fetch_response_topics_partitions_schema, p);
			p->committed_offset = -1;
			p->metadata = str_of("");
			p->error_code = g->error_code;
			p->partition_index = g->error_code
						     ? q->topics[i].partition_indexes[k]
						     : g->topics[i].partitions[k].partition_index;
			if (g->error_code)
				continue;
			p->committed_offset = g->topics[i].partitions[k].committed_offset;
			p->committed_leader_epoch =
				g->topics[i].partitions[k].committed_leader_epoch;
			p->metadata = g->topics[i].partitions[k].metadata;
			p->error_code = g->topics[i].partitions[k].error_code;
		}
	}
	if (g->error_code && call->header.api_version >= 2)
		r->topics_count = 0;
}

enum call_result offset_fetch_work(struct cluster *c, struct call *call)
{
	const struct offset_fetch_request *q = call->request;
	struct offset_fetch_response *r = call_response(call, &offset_fetch_response_schema);

	if (call->header.api_version < 8) {
		group_query one = query_of(call);
		group_answer answer = {0};

		fetch_group(c, call, &one, &answer);
		answer_old(call, &one, &answer, r);
		return CALL_ANSWER;
	}
	r->groups = CALL_ARRAY(call, group_answer, q->groups_count);
	r->groups_count = q->groups_count;
	for (int32_t i = 0; i < q->groups_count; i++)
		fetch_group(c, call, &q->groups[i], &r->groups[i]);
	return CALL_ANSWER;
}
