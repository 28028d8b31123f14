/* What administrators ask of groups: list, describe, delete, and their offsets (rule 27). Classic
 * and KIP-848 groups have describing APIs of their own; each says of the other kind that it is not
 * there. */
#include "mock/consumer_group.h"
#include "mock/coordinator.h"
#include "mock/fault.h"
#include "mock/offsets.h"
#include "mock/state.h"

#include <strings.h>

typedef struct describe_groups_response_groups classic_answer;
typedef struct consumer_group_describe_response_groups consumer_answer;

static bool has_members(const struct group *g)
{
	return g->members || (g->consumer && g->consumer->members);
}

static const char *state_of(const struct group *g)
{
	return g->consumer ? consumer_group_state(g) : group_state_name(g->state);
}

static const char *type_of(const struct group *g)
{
	return g->consumer ? "consumer" : "classic";
}

/* ---- ListGroups ---- */

static bool listed(const struct str *filter, int32_t count, const char *name)
{
	for (int32_t i = 0; i < count; i++)
		if (filter[i].len == (int32_t)strlen(name) &&
		    !strncasecmp(filter[i].data, name, strlen(name)))
			return true;
	return count <= 0;
}

enum call_result list_groups_work(struct cluster *c, struct call *call)
{
	const struct list_groups_request *q = call->request;
	struct list_groups_response *r = call_response(call, &list_groups_response_schema);
	struct group *g, *next;

	r->groups = CALL_ARRAY(call, struct list_groups_response_groups,
			       HASH_CNT(by_id, c->groups.by_id));
	HASH_ITER (by_id, c->groups.by_id, g, next) {
		struct list_groups_response_groups *out = &r->groups[r->groups_count];

		if (coordinator_of(c, g->id) != call->broker ||
		    !listed(q->states_filter, q->states_filter_count, state_of(g)) ||
		    !listed(q->types_filter, q->types_filter_count, type_of(g)))
			continue;
		out->group_id = call_str(call, g->id);
		out->protocol_type = g->consumer	     ? str_of("consumer")
				     : g->protocol_type.data ? call_str(call, g->protocol_type)
							     : str_of("");
		out->group_state = str_of(state_of(g));
		out->group_type = str_of(type_of(g));
		r->groups_count++;
	}
	return CALL_ANSWER;
}

/* ---- DescribeGroups ---- */

static struct bytes copy(struct call *call, struct bytes b)
{
	struct str s =
		call_str(call, b.data ? (struct str){(const char *)b.data, b.len} : str_of(""));

	return (struct bytes){(const uint8_t *)s.data, s.len};
}

static void describe_member(struct call *call, const struct member *m,
			    struct describe_groups_response_groups_members *r)
{
	const struct group *g = m->group;

	codec_init(&describe_groups_response_groups_members_schema, r);
	r->member_id = call_str(call, m->id);
	r->group_instance_id = call_str(call, m->instance_id);
	r->client_id = call_str(call, m->client_id);
	r->client_host = call_str(call, m->client_host);
	r->member_assignment = copy(call, m->assignment);
	if (g->state != GROUP_STABLE)
		return;
	for (int32_t i = 0; i < m->protocols_count; i++)
		if (str_eq(m->protocols[i].name, g->protocol))
			r->member_metadata = copy(call, m->protocols[i].metadata);
}

static void describe_classic(struct cluster *c, struct call *call, struct str id, classic_answer *r)
{
	const struct describe_groups_request *q = call->request;
	const struct group *g = group_find(c, id);

	codec_init(&describe_groups_response_groups_schema, r);
	r->group_id = id;
	r->error_code = coordinator_check(c, call, id);
	if (r->error_code)
		return;
	if (q->include_authorized_operations)
		r->authorized_operations = GROUP_OPERATIONS;
	if (!g || g->consumer) {
		r->group_state = str_of("Dead");
		if (call->header.api_version < 6)
			return;
		r->error_code = ERROR_GROUP_ID_NOT_FOUND;
		r->authorized_operations = INT32_MIN;
		r->error_message = call_printf(call, "Group " STR_FMT " %s.", STR_ARG(id),
					       g ? "is not a classic group" : "not found");
		return;
	}
	r->group_state = str_of(group_state_name(g->state));
	if (g->protocol_type.data)
		r->protocol_type = call_str(call, g->protocol_type);
	if (g->state == GROUP_STABLE)
		r->protocol_data = call_str(call, g->protocol);
	r->members =
		CALL_ARRAY(call, struct describe_groups_response_groups_members, g->members_count);
	for (const struct member *m = g->members; m; m = m->by_id.next)
		describe_member(call, m, &r->members[r->members_count++]);
}

enum call_result describe_groups_work(struct cluster *c, struct call *call)
{
	const struct describe_groups_request *q = call->request;
	struct describe_groups_response *r = call_response(call, &describe_groups_response_schema);

	r->groups = CALL_ARRAY(call, classic_answer, q->groups_count);
	r->groups_count = q->groups_count;
	for (int32_t i = 0; i < q->groups_count; i++)
		describe_classic(c, call, q->groups[i], &r->groups[i]);
	return CALL_ANSWER;
}

/* ---- ConsumerGroupDescribe ---- */

static void put_assignment(struct cluster *c, struct call *call, const struct tp_set *s,
			   struct consumer_group_describe_response_assignment *r)
{
	struct consumer_group_describe_response_topic_partitions *t = NULL;

	r->topic_partitions = call_alloc(call, (size_t)s->count * sizeof(*t));
	for (int32_t i = 0; i < s->count; i++) {
		const struct topic *topic = topic_by_id(c, s->list[i].topic_id);

		if (!topic)
			continue;
		if (!t || !uuid_eq(t->topic_id, topic->id)) {
			t = &r->topic_partitions[r->topic_partitions_count++];
			t->topic_id = topic->id;
			t->topic_name = call_str(call, topic->name);
			t->partitions = CALL_ARRAY(call, int32_t, s->count - i);
		}
		t->partitions[t->partitions_count++] = s->list[i].partition;
	}
}

static void describe_consumer_member(struct cluster *c, struct call *call,
				     const struct consumer_member *m,
				     struct consumer_group_describe_response_groups_members *r)
{
	struct tp_set has = {0};

	codec_init(&consumer_group_describe_response_groups_members_schema, r);
	r->member_id = call_str(call, m->id);
	r->instance_id = call_str(call, m->instance_id);
	r->rack_id = call_str(call, m->rack_id);
	r->member_epoch = m->epoch;
	r->client_id = call_str(call, m->client_id);
	r->client_host = call_str(call, m->client_host);
	r->subscribed_topic_names = CALL_ARRAY(call, struct str, m->subscription->topics_count);
	r->subscribed_topic_names_count = m->subscription->topics_count;
	for (int32_t i = 0; i < m->subscription->topics_count; i++)
		r->subscribed_topic_names[i] = call_str(call, m->subscription->topics[i]);
	r->subscribed_topic_regex =
		m->subscription->regex.len ? call_str(call, m->subscription->regex) : str_of("");
	tp_set_copy(&has, &m->assigned); /* also what it still has to give up (seen on 4.4.0) */
	for (int32_t i = 0; i < m->revoking.count; i++)
		tp_set_add(&has, m->revoking.list[i]);
	tp_set_sort(&has);
	put_assignment(c, call, &has, &r->assignment);
	tp_set_release(&has);
	put_assignment(c, call, &m->target, &r->target_assignment);
	r->member_type = !m->classic;
}

static void describe_consumer(struct cluster *c, struct call *call, struct str id,
			      consumer_answer *r)
{
	const struct consumer_group_describe_request *q = call->request;
	const struct group *g = group_find(c, id);

	codec_init(&consumer_group_describe_response_groups_schema, r);
	r->group_id = id;
	if (!feature_level(c, "group.version"))
		r->error_code = ERROR_UNSUPPORTED_VERSION;
	else if (!id.len)
		r->error_code = ERROR_INVALID_GROUP_ID;
	else
		r->error_code = coordinator_check(c, call, id);
	if (!r->error_code && (!g || !g->consumer)) {
		r->error_code = ERROR_GROUP_ID_NOT_FOUND;
		r->error_message = call_printf(call, "Group " STR_FMT " %s.", STR_ARG(id),
					       g ? "is not a consumer group" : "not found");
	}
	if (r->error_code)
		return;
	if (q->include_authorized_operations)
		r->authorized_operations = GROUP_OPERATIONS;
	r->group_state = str_of(consumer_group_state(g));
	r->group_epoch = g->consumer->epoch;
	r->assignment_epoch = g->consumer->assignment_epoch;
	r->assignor_name = g->consumer->assignor;
	r->members = CALL_ARRAY(call, struct consumer_group_describe_response_groups_members,
				HASH_CNT(by_id, g->consumer->members));
	for (const struct consumer_member *m = g->consumer->members; m; m = m->by_id.next)
		describe_consumer_member(c, call, m, &r->members[r->members_count++]);
}

enum call_result consumer_group_describe_work(struct cluster *c, struct call *call)
{
	const struct consumer_group_describe_request *q = call->request;
	struct consumer_group_describe_response *r =
		call_response(call, &consumer_group_describe_response_schema);

	r->groups = CALL_ARRAY(call, consumer_answer, q->group_ids_count);
	r->groups_count = q->group_ids_count;
	for (int32_t i = 0; i < q->group_ids_count; i++)
		describe_consumer(c, call, q->group_ids[i], &r->groups[i]);
	return CALL_ANSWER;
}

/* ---- DeleteGroups ---- */

static int16_t delete_group(struct cluster *c, const struct call *call, struct str id)
{
	struct group *g = group_find(c, id);

	if (coordinator_check(c, call, id))
		return coordinator_check(c, call, id);
	if (!g)
		return ERROR_GROUP_ID_NOT_FOUND;
	if (has_members(g))
		return ERROR_NON_EMPTY_GROUP;
	group_free(c, g);
	return ERROR_NONE;
}

/* A name that the request has named already. */
struct named_group {
	UT_hash_handle hh;
};

enum call_result delete_groups_work(struct cluster *c, struct call *call)
{
	const struct delete_groups_request *q = call->request;
	struct delete_groups_response *r = call_response(call, &delete_groups_response_schema);
	struct named_group *names = CALL_ARRAY(call, struct named_group, q->groups_names_count);
	struct named_group *named = NULL, *before;

	r->results = CALL_ARRAY(call, struct delete_groups_response_results, q->groups_names_count);
	for (int32_t i = 0; i < q->groups_names_count; i++) {
		struct delete_groups_response_results *out = &r->results[r->results_count];
		struct str id = q->groups_names[i];

		HASH_FIND(hh, named, id.data, (unsigned)id.len, before);
		if (before) /* a name that stands twice is answered once */
			continue;
		HASH_ADD_KEYPTR(hh, named, id.data, (unsigned)id.len, &names[i]);
		codec_init(&delete_groups_response_results_schema, out);
		out->group_id = id;
		out->error_code = delete_group(c, call, id);
		r->results_count++;
	}
	HASH_CLEAR(hh, named);
	return CALL_ANSWER;
}

/* ---- OffsetDelete ---- */

static int16_t delete_one(const struct call *call, struct group *g, const struct topic *t,
			  int32_t partition)
{
	struct offset_entry *o;

	if (!t || !partition_find(t, partition))
		return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
	if (group_subscribes(g, t, call->arena))
		return ERROR_GROUP_SUBSCRIBED_TO_TOPIC;
	o = offset_find(g, t->id, partition);
	if (o)
		offset_delete(g, o);
	return ERROR_NONE;
}

static int16_t offset_delete_check(const struct cluster *c, const struct call *call,
				   const struct group *g)
{
	const struct offset_delete_request *q = call->request;

	if (coordinator_check(c, call, q->group_id))
		return coordinator_check(c, call, q->group_id);
	if (!q->group_id.len)
		return ERROR_INVALID_GROUP_ID;
	if (!g)
		return ERROR_GROUP_ID_NOT_FOUND;
	if (g->members && !str_is(g->protocol_type, "consumer"))
		return ERROR_NON_EMPTY_GROUP;
	return ERROR_NONE;
}

enum call_result offset_delete_work(struct cluster *c, struct call *call)
{
	const struct offset_delete_request *q = call->request;
	struct offset_delete_response *r = call_response(call, &offset_delete_response_schema);
	struct group *g = group_find(c, q->group_id);

	r->error_code = offset_delete_check(c, call, g);
	if (r->error_code)
		return CALL_ANSWER;
	r->topics = CALL_ARRAY(call, struct offset_delete_response_topics, q->topics_count);
	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct offset_delete_request_topics *in = &q->topics[i];
		const struct topic *t = topic_find(c, in->name);
		struct offset_delete_response_topics *out = &r->topics[r->topics_count];

		if (!in->partitions_count)
			continue;
		r->topics_count++;
		out->name = in->name;
		out->partitions = CALL_ARRAY(call, struct offset_delete_response_topics_partitions,
					     in->partitions_count);
		out->partitions_count = in->partitions_count;
		for (int32_t k = 0; k < in->partitions_count; k++) {
			int32_t partition = in->partitions[k].partition_index;
			int16_t code = call_fault(call, in->name, partition);

			out->partitions[k].partition_index = partition;
			out->partitions[k].error_code =
				code ? code : delete_one(call, g, t, partition);
		}
	}
	return CALL_ANSWER;
}
