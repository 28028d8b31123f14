/* How a member of a KIP-848 group behaves on the wire: one heartbeat tells everything. A member
 * joins in full with epoch 0, uses the epoch that it was told, says that it owns nothing but what
 * it was given, comes back as itself after it was fenced, and leaves once. All are folds over one
 * table of members; each check reads its part of it at the end. */
#include "checks/types.h"

#include "checks/codes.h"
#include "checks/tally.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define KEY_MAX	      400
#define GIVEN_MAX     4096 /* partitions of one member that are compared */
#define EPOCH_JOIN    0
#define EPOCH_LEAVE   (-1)
#define EPOCH_LEFT_AS (-2) /* a static member's */
#define REFUSED_TRIES 3	   /* heartbeats after a refusal that are still no loop */

enum kip848_rule { JOINS, EPOCHS, OWNS, RETURNS, LEAVES, STOPS, KIP848_RULES };

struct given {
	struct uuid topic;
	int32_t partition;
};

/* One member id of one group. */
struct member848 {
	struct str group, id, client;
	bool is_static, joined, left, fenced;
	int64_t answered_us, seen_us, left_us, refused_us;
	int32_t epoch; /* as told last; -1: not told */
	int32_t refusals, after_leave;
	int16_t refused_code;
	struct given_list {
		struct given *list;
		int32_t count;
	} assigned, owned, before; /* as it was told last; as it said last, and before that */
	UT_hash_handle hh;
};

struct kip848 {
	struct member848 *by_key;
	struct tally rules[KIP848_RULES];
	/* Fenced members by client: the next join of that client must have the same id. */
	struct lost848 {
		struct str client, group, id;
		int16_t code;
		struct lost848 *next;
	} * lost;
};

static struct tally *rule_of(const struct check *c, enum kip848_rule rule)
{
	return &((struct kip848 *)c->state)->rules[rule];
}

static void judge(struct check *c, enum kip848_rule rule, bool wrong, const struct exchange *x,
		  const char *what)
{
	const struct consumer_group_heartbeat_request *q = x->request_body;

	tally(rule_of(c, rule), c, wrong, x->request_us,
	      "member " STR_FMT ", epoch %d: %s (connection %lld correlation %d)",
	      STR_ARG(q->member_id), q->member_epoch, what, (long long)x->conn.conn,
	      x->header.correlation_id);
}

/* len: of the key, 0 if it is too long. */
static struct member848 *find_member(const struct kip848 *s, struct str group, struct str id,
				     char key[KEY_MAX], int *ret_len)
{
	struct member848 *m = NULL;

	*ret_len = snprintf(key, KEY_MAX, STR_FMT "%c" STR_FMT, STR_ARG(group), 0, STR_ARG(id));
	if (*ret_len < 0 || *ret_len >= KEY_MAX)
		*ret_len = 0;
	else
		HASH_FIND(hh, s->by_key, key, (unsigned)*ret_len, m);
	return m;
}

static struct member848 *member_of(struct check *c, const struct exchange *x,
				   const struct consumer_group_heartbeat_request *q)
{
	struct kip848 *s = c->state;
	char key[KEY_MAX];
	int len;
	struct member848 *m = find_member(s, q->group_id, q->member_id, key, &len);

	if (m || !len)
		return m;
	m = arena_zalloc(c->arena, sizeof(*m));
	if (!m)
		return NULL;
	m->group = arena_str(c->arena, q->group_id);
	m->id = arena_str(c->arena, q->member_id);
	m->client = arena_str(c->arena, x->header.client_id);
	m->is_static = q->instance_id.data != NULL;
	m->epoch = -1;
	HASH_ADD_KEYPTR(hh, s->by_key, arena_copy(c->arena, key, (size_t)len), (unsigned)len, m);
	return m;
}

static bool is_in(const struct given_list *l, struct uuid topic, int32_t partition)
{
	for (int32_t i = 0; i < l->count; i++)
		if (l->list[i].partition == partition &&
		    !memcmp(&l->list[i].topic, &topic, sizeof(topic)))
			return true;
	return false;
}

static void put(struct check *c, struct given_list *l, struct uuid topic, int32_t partition)
{
	if (!l->list)
		l->list = arena_zalloc(c->arena, GIVEN_MAX * sizeof(*l->list));
	if (!l->list || l->count == GIVEN_MAX)
		return;
	l->list[l->count++] = (struct given){topic, partition};
}

/* What the member says that it owns must have been given to it, or be what it said before and has
 * not given back yet: heartbeats leave out what did not change. */
static void judge_owned(struct check *c, struct member848 *m, struct exchange *x,
			const struct consumer_group_heartbeat_request *q)
{
	struct given_list swap = m->before;
	bool foreign = false;

	if (!q->topic_partitions || q->member_epoch < 0 || m->assigned.count == GIVEN_MAX ||
	    m->owned.count == GIVEN_MAX)
		return;
	m->before = m->owned;
	m->owned = swap;
	m->owned.count = 0;
	for (int32_t i = 0; i < q->topic_partitions_count; i++)
		for (int32_t k = 0; k < q->topic_partitions[i].partitions_count; k++) {
			struct uuid topic = q->topic_partitions[i].topic_id;
			int32_t partition = q->topic_partitions[i].partitions[k];

			foreign |= !is_in(&m->assigned, topic, partition) &&
				   !is_in(&m->before, topic, partition);
			put(c, &m->owned, topic, partition);
		}
	judge(c, OWNS, foreign, x, "it says that it owns what it was not given");
}

static void take_assignment(struct check *c, struct member848 *m,
			    const struct consumer_group_heartbeat_response *r)
{
	if (!r->assignment)
		return;
	m->assigned.count = 0;
	for (int32_t i = 0; i < r->assignment->topic_partitions_count; i++)
		for (int32_t k = 0; k < r->assignment->topic_partitions[i].partitions_count; k++)
			put(c, &m->assigned, r->assignment->topic_partitions[i].topic_id,
			    r->assignment->topic_partitions[i].partitions[k]);
}

static bool is_refusal(int16_t code)
{
	return code == ERROR_INVALID_REQUEST || code == ERROR_GROUP_MAX_SIZE_REACHED ||
	       code == ERROR_UNSUPPORTED_ASSIGNOR || code == ERROR_UNSUPPORTED_VERSION ||
	       code == ERROR_UNRELEASED_INSTANCE_ID || code == ERROR_GROUP_AUTHORIZATION_FAILED;
}

static bool is_fenced(int16_t code)
{
	return code == ERROR_FENCED_MEMBER_EPOCH || code == ERROR_UNKNOWN_MEMBER_ID;
}

/* Where the client's lost membership of the group stands, or where one can be put. */
static struct lost848 **lost_of(struct kip848 *s, struct str client, struct str group)
{
	struct lost848 **at = &s->lost;

	while (*at && !(str_eq((*at)->client, client) && str_eq((*at)->group, group)))
		at = &(*at)->next;
	return at;
}

static void lose(struct check *c, const struct member848 *m, int16_t code)
{
	struct lost848 **at = lost_of(c->state, m->client, m->group);

	if (*at || !(*at = arena_zalloc(c->arena, sizeof(**at))))
		return;
	**at = (struct lost848){m->client, m->group, m->id, code, NULL};
}

/* A join: complete, and after the client was fenced under the id that it had. */
static void judge_join(struct check *c, struct member848 *m, struct exchange *x,
		       const struct consumer_group_heartbeat_request *q)
{
	bool named = q->subscribed_topic_names || q->subscribed_topic_regex.data;
	struct lost848 **at = lost_of(c->state, x->header.client_id, q->group_id), *l = *at;

	judge(c, JOINS,
	      !named || q->rebalance_timeout_ms <= 0 || q->topic_partitions_count > 0 ||
		      (x->header.api_version > 0 && !q->member_id.len),
	      x, "it joins without all of its fields");
	m->assigned.count = m->owned.count = 0;
	if (!l)
		return;
	*at = l->next;
	/* Whom nobody knows any more may come under a new id: nothing is bound to the old one. */
	judge(c, RETURNS, l->code == ERROR_FENCED_MEMBER_EPOCH && !str_eq(l->id, q->member_id), x,
	      "fenced, it joins under another id");
}

static void judge_beat(struct check *c, struct member848 *m, struct exchange *x,
		       const struct consumer_group_heartbeat_request *q)
{
	bool late = x->request_us > m->answered_us; /* one heartbeat is open at a time */

	if (m->left && late)
		m->after_leave++;
	if (m->refused_code && late && x->request_us > m->refused_us)
		m->refusals++;
	if (q->member_epoch == EPOCH_JOIN) {
		judge_join(c, m, x, q);
		return;
	}
	if (m->fenced && late)
		judge(c, RETURNS, q->member_epoch > 0, x, "fenced, it goes on with its epoch");
	if (q->member_epoch > 0 && m->epoch >= 0 && late && !m->fenced)
		judge(c, EPOCHS, q->member_epoch != m->epoch, x, "not the epoch that it was told");
}

static void take_answer(struct check *c, struct member848 *m, const struct exchange *x,
			const struct consumer_group_heartbeat_request *q,
			const struct consumer_group_heartbeat_response *r)
{
	m->answered_us = x->response_us;
	if (is_refusal(r->error_code) && !m->refused_code) {
		m->refused_code = r->error_code;
		m->refused_us = x->response_us;
	}
	if (is_fenced(r->error_code) && q->member_epoch > 0) {
		lose(c, m, r->error_code);
		m->fenced = true;
		m->assigned.count = m->owned.count = 0;
	}
	if (r->error_code || q->member_epoch < 0)
		return;
	m->joined = true;
	m->fenced = m->left = false;
	m->refused_code = 0;
	m->epoch = r->member_epoch;
	take_assignment(c, m, r);
}

/* A commit may tell it first; whether it goes on is asked of heartbeats alone. */
static void feed_commit(struct check *c, struct exchange *x)
{
	const struct offset_commit_request *q = exchange_request(x);
	int16_t code = exchange_error(x);
	char key[KEY_MAX];
	struct member848 *m;
	int len;

	if (!q || !is_fenced(code))
		return;
	m = find_member(c->state, q->group_id, q->member_id, key, &len);
	if (m && m->joined && !m->left)
		lose(c, m, code);
}

static void feed_kip848(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;
	const struct consumer_group_heartbeat_request *q;
	const struct consumer_group_heartbeat_response *r;
	struct member848 *m;

	if (ev->kind != EVENT_EXCHANGE || x->state == EXCHANGE_ORPHAN)
		return;
	if (x->header.api_key == API_OFFSET_COMMIT)
		feed_commit(c, x);
	if (x->header.api_key != API_CONSUMER_GROUP_HEARTBEAT)
		return;
	q = exchange_request(x);
	if (!q || !scope_has(c->scope.group, q->group_id) || !(m = member_of(c, x, q)))
		return;
	judge_beat(c, m, x, q);
	judge_owned(c, m, x, q);
	m->seen_us = x->request_us;
	if (q->member_epoch == EPOCH_LEAVE || q->member_epoch == EPOCH_LEFT_AS) {
		judge(c, LEAVES, (q->member_epoch == EPOCH_LEFT_AS) != m->is_static, x,
		      "a static member leaves with -2, another one with -1");
		m->left = true;
		m->left_us = x->request_us;
		m->answered_us = x->response_us ? x->response_us : x->request_us;
	}
	r = exchange_response(x);
	if (r)
		take_answer(c, m, x, q, r);
	else if (x->state == EXCHANGE_LOST)
		m->epoch = -1; /* what it was told nobody knows */
}

static void release_kip848(struct check *c)
{
	struct kip848 *s = c->state;

	HASH_CLEAR(hh, s->by_key);
}

#define NO_MEMBER "nobody joined the group by KIP-848"

static void end_joins(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, JOINS), c, f, "heartbeats", NO_MEMBER);
}

const struct check_type check_kip848_joins = {
	.name = "kip848.joins_in_full",
	.claim =
		"a member joins with epoch 0, an id of its own, its subscription and time-out, and "
		"owning nothing",
	.see = "KIP-848, KIP-1082",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_joins,
	.release = release_kip848,
};

static void end_epochs(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, EPOCHS), c, f, "heartbeats",
		  "nobody sent a heartbeat after one that was answered");
}

const struct check_type check_kip848_epochs = {
	.name = "kip848.epoch_as_told",
	.claim = "a heartbeat has the epoch that the last answer told",
	.see = "KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_epochs,
	.release = release_kip848,
};

static void end_owns(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, OWNS), c, f, "heartbeats", "nobody said what it owns");
}

const struct check_type check_kip848_owns = {
	.name = "kip848.owns_what_it_was_given",
	.claim = "a member says that it owns nothing but what it was given",
	.see = "KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_owns,
	.release = release_kip848,
};

static void end_returns(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, RETURNS), c, f, "heartbeats", "nobody was fenced and heard of again");
}

const struct check_type check_kip848_returns = {
	.name = "kip848.joins_again_as_itself",
	.claim = "a member that was fenced joins again with epoch 0, and with the id that it had "
		 "if that is known",
	.see = "KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_returns,
	.release = release_kip848,
};

static void end_leaves848(struct check *c, struct finding *f)
{
	struct kip848 *s = c->state;

	for (const struct member848 *m = s->by_key; m; m = m->hh.next) {
		if (!m->joined || m->fenced || (m->left && !m->after_leave))
			continue;
		finding_moment(f, m->left_us, "member " STR_FMT " leaves", STR_ARG(m->id));
		finding_moment(f, m->seen_us, "and is heard for the last time");
		finding_set(f, FINDING_FAIL,
			    m->left ? "member " STR_FMT " was heard after it had left"
				    : "member " STR_FMT " never said that it leaves",
			    STR_ARG(m->id));
		f->judged = 1;
		return;
	}
	tally_end(rule_of(c, LEAVES), c, f, "heartbeats", "nobody left the group");
}

const struct check_type check_kip848_leaves = {
	.name = "kip848.leaves",
	.claim = "a member that closes says so once, with epoch -1, or -2 if it is static",
	.see = "KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_leaves848,
	.release = release_kip848,
};

static void end_stops(struct check *c, struct finding *f)
{
	struct kip848 *s = c->state;
	const struct member848 *worst = NULL;

	for (const struct member848 *m = s->by_key; m; m = m->hh.next) {
		f->judged += m->refused_code != 0;
		if (m->refused_code && (!worst || m->refusals > worst->refusals))
			worst = m;
	}
	if (!worst) {
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody was refused for good");
	} else if (worst->refusals > REFUSED_TRIES) {
		finding_moment(f, worst->refused_us, "%s", kafka_error_name(worst->refused_code));
		finding_moment(f, worst->seen_us, "the last heartbeat");
		finding_set(f, FINDING_FAIL, "%d heartbeats after %s", worst->refusals,
			    kafka_error_name(worst->refused_code));
	} else {
		finding_set(f, FINDING_PASS, "%llu members that were refused, and stopped",
			    (unsigned long long)f->judged);
	}
}

const struct check_type check_kip848_stops = {
	.name = "kip848.stops_when_refused",
	.claim = "after an error that no time mends a member sends no more than three heartbeats",
	.see = "KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct kip848),
	.feed = feed_kip848,
	.end = end_stops,
	.release = release_kip848,
};
