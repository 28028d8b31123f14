/* ConsumerGroupHeartbeat: what members of a KIP-848 group say and get (rules 32 and 33). */
#include "mock/assignor.h"
#include "mock/consumer_group.h"
#include "mock/coordinator.h"
#include "mock/mem.h"
#include "mock/mixed_group.h"
#include "mock/pattern.h"
#include "mock/state.h"

#include <string.h>

#define EPOCH_JOIN	   0
#define EPOCH_LEAVE	   (-1)
#define EPOCH_LEAVE_STATIC (-2)

typedef struct consumer_group_heartbeat_request heartbeat;

struct refusal {
	int16_t code;
	const char *text;
};

static const struct refusal accepted = {0};
/* Where the feature group.version says that there are no such groups. */
static const struct refusal not_spoken = {ERROR_UNSUPPORTED_VERSION, NULL};

static bool empty(struct str s)
{
	return !s.data || !s.len;
}

static struct refusal check_join(const heartbeat *q)
{
	if (q->rebalance_timeout_ms == -1)
		return (struct refusal){ERROR_INVALID_REQUEST,
					"RebalanceTimeoutMs must be provided in first request."};
	if (q->topic_partitions_count)
		return (struct refusal){ERROR_INVALID_REQUEST,
					"TopicPartitions must be empty when (re-)joining."};
	if (q->subscribed_topic_names_count <= 0 && empty(q->subscribed_topic_regex))
		return (struct refusal){ERROR_INVALID_REQUEST,
					"Either SubscribedTopicNames or SubscribedTopicRegex must "
					"be non-empty when (re-)joining."};
	return accepted;
}

static bool regex_ok(struct str regex)
{
	struct pattern *p = empty(regex) ? NULL : pattern_new(regex);
	bool ok = empty(regex) || p;

	pattern_free(p);
	return ok;
}

static struct refusal check(const struct call *call, const heartbeat *q)
{
	bool no_id = q->member_id.len == 0;

	if (q->group_id.len == 0)
		return (struct refusal){ERROR_INVALID_REQUEST, "GroupId can't be empty."};
	if (q->instance_id.data && !q->instance_id.len)
		return (struct refusal){ERROR_INVALID_REQUEST, "InstanceId can't be empty."};
	if (q->rack_id.data && !q->rack_id.len)
		return (struct refusal){ERROR_INVALID_REQUEST, "RackId can't be empty."};
	if (no_id && (call->header.api_version >= 1 || q->member_epoch != EPOCH_JOIN))
		return (struct refusal){ERROR_INVALID_REQUEST, "MemberId can't be empty."};
	if (q->member_epoch < EPOCH_LEAVE_STATIC)
		return (struct refusal){ERROR_INVALID_REQUEST, "MemberEpoch is invalid."};
	if (q->member_epoch == EPOCH_LEAVE_STATIC && !q->instance_id.data)
		return (struct refusal){ERROR_INVALID_REQUEST, "InstanceId can't be null."};
	if (q->member_epoch == EPOCH_JOIN && check_join(q).code)
		return check_join(q);
	if (q->server_assignor.data && !assignor_find(q->server_assignor))
		return (struct refusal){ERROR_UNSUPPORTED_ASSIGNOR,
					"ServerAssignor is not supported. Supported assignors: "
					"uniform, range."};
	if (!regex_ok(q->subscribed_topic_regex))
		return (struct refusal){ERROR_INVALID_REGULAR_EXPRESSION,
					"SubscribedTopicRegex is not a valid regular expression."};
	return accepted;
}

static void owned_set(const heartbeat *q, struct tp_set *ret_owned)
{
	for (int32_t i = 0; i < q->topic_partitions_count; i++) {
		const struct consumer_group_heartbeat_request_topic_partitions *t =
			&q->topic_partitions[i];

		for (int32_t k = 0; k < t->partitions_count; k++) {
			struct tp tp;

			memset(&tp, 0, sizeof(tp));
			tp.topic_id = t->topic_id;
			tp.partition = t->partitions[k];
			tp_set_add(ret_owned, tp);
		}
	}
	tp_set_sort(ret_owned);
}

/* An epoch of before is tolerated if the last answer may have been lost: all that the member says
 * it has is still its own. */
static bool epoch_ok(const struct consumer_member *m, const heartbeat *q,
		     const struct tp_set *owned)
{
	if (q->member_epoch == m->epoch)
		return true;
	if (q->member_epoch > m->epoch || q->member_epoch != m->previous_epoch ||
	    q->topic_partitions_count < 0)
		return false;
	for (int32_t i = 0; i < owned->count; i++)
		if (!tp_set_has(&m->assigned, owned->list[i]))
			return false;
	return true;
}

static struct refusal find_static(struct cluster *c, struct group *g, const heartbeat *q,
				  struct consumer_member **ret_m, bool *ret_changed)
{
	struct consumer_member *m = consumer_by_instance(g, q->instance_id);

	if (!m && q->member_epoch != EPOCH_JOIN)
		return (struct refusal){ERROR_UNKNOWN_MEMBER_ID, "The instance is not known."};
	if (m && !str_eq(m->id, q->member_id)) {
		if (q->member_epoch != EPOCH_JOIN)
			return (struct refusal){ERROR_FENCED_INSTANCE_ID,
						"The instance has another member by now."};
		if (m->epoch != EPOCH_LEAVE_STATIC && !m->classic)
			return (struct refusal){ERROR_UNRELEASED_INSTANCE_ID,
						"The instance is still in use by another member."};
		consumer_replace(c, m, q->member_id);
	} else if (m && q->member_epoch == EPOCH_JOIN && m->epoch == EPOCH_LEAVE_STATIC) {
		consumer_replace(c, m, q->member_id);
	} else if (!m) {
		m = consumer_add(c, g, q->member_id, q->instance_id);
		*ret_changed = true;
	}
	*ret_m = m;
	return accepted;
}

static struct refusal find_member(struct cluster *c, struct group *g, const heartbeat *q,
				  struct consumer_member **ret_m, bool *ret_changed)
{
	if (q->instance_id.data)
		return find_static(c, g, q, ret_m, ret_changed);
	*ret_m = consumer_find(g, q->member_id);
	if (!*ret_m && q->member_epoch != EPOCH_JOIN)
		return (struct refusal){ERROR_UNKNOWN_MEMBER_ID, "The member is not known."};
	if (!*ret_m) {
		*ret_m = consumer_add(c, g, q->member_id, (struct str){0});
		*ret_changed = true;
	}
	return accepted;
}

static bool replace(struct str *at, struct str now)
{
	if (!now.data || str_eq(*at, now))
		return false;
	mem_str_free(*at);
	*at = mem_str(now);
	return true;
}

/* What the heartbeat says anew; true if the target may change by it. */
static bool learn(struct cluster *c, struct call *call, struct consumer_member *m,
		  const heartbeat *q)
{
	bool changed = false;

	consumer_classic_free(c, m);
	if (q->rebalance_timeout_ms != -1)
		m->rebalance_timeout_ms = q->rebalance_timeout_ms;
	replace(&m->client_id, call->header.client_id.data ? call->header.client_id : str_of(""));
	replace(&m->client_host, call_client_host(call));
	changed |= replace(&m->rack_id, q->rack_id);
	changed |= replace(&m->assignor, q->server_assignor);
	changed |= consumer_subscribe(c, m, q->subscribed_topic_names,
				      q->subscribed_topic_names_count, q->subscribed_topic_regex);
	consumer_alive(c, m);
	return changed;
}

static void put_assignment(struct call *call, const struct consumer_member *m,
			   struct consumer_group_heartbeat_response *r)
{
	struct consumer_group_heartbeat_response_assignment *a = call_alloc(call, sizeof(*a));
	struct consumer_group_heartbeat_response_topic_partitions *t = NULL;
	const struct tp_set *s = &m->assigned;

	a->topic_partitions = call_alloc(call, (size_t)s->count * sizeof(*t));
	for (int32_t i = 0; i < s->count; i++) {
		if (!t || !uuid_eq(t->topic_id, s->list[i].topic_id)) {
			t = &a->topic_partitions[a->topic_partitions_count++];
			t->topic_id = s->list[i].topic_id;
			t->partitions = CALL_ARRAY(call, int32_t, s->count - i);
		}
		t->partitions[t->partitions_count++] = s->list[i].partition;
	}
	r->assignment = a;
}

static bool full_request(const heartbeat *q)
{
	return q->rebalance_timeout_ms != -1 && q->topic_partitions_count >= 0 &&
	       (q->subscribed_topic_names_count >= 0 || q->subscribed_topic_regex.data);
}

static struct refusal leave(struct cluster *c, struct group *g, const heartbeat *q)
{
	struct consumer_member *m = q->instance_id.data ? consumer_by_instance(g, q->instance_id)
							: consumer_find(g, q->member_id);

	if (!m)
		return (struct refusal){ERROR_UNKNOWN_MEMBER_ID, "The member is not known."};
	if (!str_eq(m->id, q->member_id))
		return (struct refusal){ERROR_FENCED_INSTANCE_ID,
					"The instance has another member by now."};
	if (q->member_epoch == EPOCH_LEAVE_STATIC)
		consumer_leave_static(c, m);
	else
		consumer_remove(c, m, "a member left");
	return accepted;
}

/* The whole beat of a member that stays; r is filled if it is accepted. */
static struct refusal beat(struct cluster *c, struct call *call, struct group *g,
			   const heartbeat *q, struct consumer_group_heartbeat_response *r)
{
	struct consumer_member *m = NULL;
	struct tp_set owned = {0};
	struct refusal no;
	bool changed = false;

	if (q->member_epoch == EPOCH_JOIN && !consumer_find(g, q->member_id) &&
	    consumer_group_full(c, g))
		return (struct refusal){ERROR_GROUP_MAX_SIZE_REACHED, "The group is full."};
	no = find_member(c, g, q, &m, &changed);
	if (no.code)
		return no;
	owned_set(q, &owned);
	if (!epoch_ok(m, q, &owned)) {
		tp_set_release(&owned);
		return (struct refusal){ERROR_FENCED_MEMBER_EPOCH,
					"The member's epoch is not the coordinator's."};
	}
	changed |= learn(c, call, m, q);
	if (changed)
		consumer_group_bump(c, g, "members or subscriptions changed");
	consumer_group_update(c, g);
	changed = consumer_reconcile(c, m, q->topic_partitions_count >= 0 ? &owned : NULL);
	tp_set_release(&owned);
	r->member_id = call_str(call, m->id);
	r->member_epoch = m->epoch;
	r->heartbeat_interval_ms = configs_group_number(c, g->id, "consumer.heartbeat.interval.ms",
							c->config.broker.consumer_heartbeat_ms);
	if (changed || q->member_epoch == EPOCH_JOIN || full_request(q))
		put_assignment(call, m, r);
	return accepted;
}

/* A group of either kind becomes a consumer group, empty or with its members (rule 34). */
static struct refusal find_group(struct cluster *c, const heartbeat *q, struct group **ret_g)
{
	struct group *g = group_find(c, q->group_id);

	if (!g && q->member_epoch != EPOCH_JOIN)
		return (struct refusal){ERROR_GROUP_ID_NOT_FOUND, "The group is not known."};
	if (!g)
		g = group_new(c, q->group_id);
	if (!g->consumer && q->member_epoch != EPOCH_JOIN)
		return (struct refusal){ERROR_GROUP_ID_NOT_FOUND, "The group is a classic one."};
	if (!g->consumer && g->members) {
		const char *why = mixed_upgrade(c, g);

		if (why)
			return (struct refusal){ERROR_GROUP_ID_NOT_FOUND, why};
	} else if (!g->consumer) {
		group_clear(c, g);
		consumer_group_init(c, g);
	}
	*ret_g = g;
	return accepted;
}

static struct refusal not_coordinator(int16_t code)
{
	return (struct refusal){code, code == ERROR_NOT_COORDINATOR
					      ? "This is not the correct coordinator."
					      : "The coordinator is loading."};
}

enum call_result consumer_group_heartbeat_work(struct cluster *c, struct call *call)
{
	heartbeat q = *(const heartbeat *)call->request;
	struct consumer_group_heartbeat_response *r =
		call_response(call, &consumer_group_heartbeat_response_schema);
	char made[UUID_TEXT_SIZE];
	struct group *g = NULL;
	struct refusal no = feature_level(c, "group.version") > 0 ? check(call, &q) : not_spoken;

	if (!no.code && coordinator_check(c, call, q.group_id))
		no = not_coordinator(coordinator_check(c, call, q.group_id));
	if (!no.code)
		no = find_group(c, &q, &g);
	if (!no.code && q.member_epoch == EPOCH_JOIN && !q.member_id.len) {
		uuid_text(rand_uuid(&c->rand), made);
		q.member_id = str_of(made);
	}
	if (!no.code && q.member_epoch < EPOCH_JOIN) {
		no = leave(c, g, &q);
		r->member_id = q.member_id;
		r->member_epoch = q.member_epoch;
	} else if (!no.code) {
		no = beat(c, call, g, &q, r);
	}
	if (!no.code)
		return CALL_ANSWER;
	codec_init(&consumer_group_heartbeat_response_schema, r);
	r->error_code = no.code;
	if (no.text)
		r->error_message = str_of(no.text);
	return CALL_ANSWER;
}
