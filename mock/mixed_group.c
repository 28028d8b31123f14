/* A classic member says by JoinGroup what others say by heartbeats, and gets its assignment by
 * SyncGroup; generations are member epochs. It is told to join again when there is something for
 * it. What is asked of it in time is one deadline at a time: to sync after a join, to join after a
 * heartbeat that told it to. */
#include "mock/mixed_group.h"

#include "mock/consumer_protocol.h"
#include "mock/group_api.h"
#include "mock/mem.h"
#include "mock/state.h"
#include "protocol/wire.h"

#include <assert.h>
#include <stdlib.h>

static const struct str consumer_type = {"consumer", 8};

bool mixed_has(const struct group *g)
{
	return g && g->consumer && g->consumer->members;
}

/* ---- the classic side of a member ---- */

static void protocols_free(struct consumer_classic *k)
{
	for (int32_t i = 0; i < k->protocols_count; i++) {
		mem_str_free(k->protocols[i].name);
		mem_bytes_free(k->protocols[i].metadata);
	}
	free(k->protocols);
}

void consumer_classic_free(struct cluster *c, struct consumer_member *m)
{
	if (!m->classic)
		return;
	timer_unset(&c->timers, &m->classic->due);
	protocols_free(m->classic);
	free(m->classic);
	m->classic = NULL;
}

static void on_due(struct cluster *c, void *owner)
{
	consumer_remove(c, owner, "no JoinGroup or SyncGroup in time");
}

static void set_due(struct cluster *c, struct consumer_member *m)
{
	timer_set(&c->timers, &m->classic->due,
		  c->now.mono_us + m->rebalance_timeout_ms * INT64_C(1000));
}

/* The member speaks the classic protocol from now on, and this is what it said last. */
static void set_classic(struct consumer_member *m, int32_t session_timeout_ms,
			const struct group_protocol *protocols, int32_t count)
{
	struct consumer_classic *k = m->classic;

	if (!k)
		k = m->classic = mem_new(sizeof(*k));
	else
		protocols_free(k);
	k->due.on_due = on_due;
	k->due.owner = m;
	k->session_timeout_ms = session_timeout_ms;
	k->protocols = mem_new((size_t)count * sizeof(k->protocols[0]));
	k->protocols_count = count;
	for (int32_t i = 0; i < count; i++) {
		k->protocols[i].name = mem_str(protocols[i].name);
		k->protocols[i].metadata = mem_bytes(protocols[i].metadata);
	}
}

static bool lists(const struct consumer_classic *k, struct str protocol)
{
	for (int32_t i = 0; i < k->protocols_count; i++)
		if (str_eq(k->protocols[i].name, protocol))
			return true;
	return false;
}

static bool all_list(const struct group *g, struct str protocol)
{
	for (const struct consumer_member *m = g->consumer->members; m; m = m->by_id.next)
		if (m->classic && !lists(m->classic, protocol))
			return false;
	return true;
}

/* The version that a member's own subscription has; its assignments get the same. */
static int16_t version_of(const struct consumer_member *m)
{
	struct bytes metadata = m->classic->protocols[0].metadata;

	return metadata.len < 2 ? 0 : (int16_t)wire_u16(metadata.data);
}

static void replace(struct str *at, struct str by)
{
	mem_str_free(*at);
	*at = mem_str(by);
}

/* ---- JoinGroup ---- */

static bool supports(const struct group *g, const struct join_group_request *q)
{
	for (int32_t i = 0; i < q->protocols_count; i++)
		if (all_list(g, q->protocols[i].name))
			return str_eq(q->protocol_type, consumer_type);
	return false;
}

/* A static member's place goes to whoever joins under its instance, with all it has. */
static int16_t find_static(struct cluster *c, struct group *g, const struct join_group_request *q,
			   struct str id, struct consumer_member **ret)
{
	struct consumer_member *m = consumer_by_instance(g, q->group_instance_id);
	int32_t epoch;

	*ret = m;
	if (q->member_id.len) {
		if (!m)
			return ERROR_UNKNOWN_MEMBER_ID;
		return str_eq(m->id, q->member_id) ? ERROR_NONE : ERROR_FENCED_INSTANCE_ID;
	}
	if (!m) {
		*ret = consumer_add(c, g, id, q->group_instance_id);
		return ERROR_NONE;
	}
	epoch = m->epoch;
	consumer_replace(c, m, id);
	m->epoch = epoch;
	return ERROR_NONE;
}

static int16_t find(struct cluster *c, struct group *g, const struct join_group_request *q,
		    struct str id, struct consumer_member **ret)
{
	if (q->group_instance_id.data)
		return find_static(c, g, q, id, ret);
	*ret = consumer_find(g, id);
	if (!*ret)
		*ret = consumer_add(c, g, id, (struct str){0});
	return ERROR_NONE;
}

/* What the member says of itself; true if the group's epoch must move. */
static bool learn(struct cluster *c, struct consumer_member *m, const struct member_spec *spec,
		  const struct consumer_protocol_subscription *s)
{
	bool changed = !m->classic && m->epoch == 0;

	set_classic(m, spec->session_timeout_ms, spec->protocols, spec->protocols_count);
	m->rebalance_timeout_ms = spec->rebalance_timeout_ms;
	replace(&m->client_id, spec->client_id);
	replace(&m->client_host, spec->client_host);
	if (s->rack_id.data && !str_eq(m->rack_id, s->rack_id)) {
		replace(&m->rack_id, s->rack_id);
		changed = true;
	}
	changed |= consumer_subscribe(c, m, s->topics, s->topics_count, (struct str){0});
	consumer_alive(c, m);
	set_due(c, m);
	return changed;
}

static enum call_result join_answer(struct call *call, const struct consumer_member *m)
{
	struct join_group_response *r = call_response(call, &join_group_response_schema);

	r->generation_id = m->epoch;
	r->protocol_type = consumer_type;
	r->protocol_name = call_str(call, m->classic->protocols[0].name);
	r->member_id = call_str(call, m->id);
	return CALL_ANSWER;
}

/* The member is in; what follows for the group and for it. */
static enum call_result admit(struct cluster *c, struct call *call, struct consumer_member *m,
			      const struct consumer_protocol_subscription *s)
{
	struct member_spec spec = group_join_spec(call);
	struct group *g = m->group;
	struct tp_set owned = {0};

	if (learn(c, m, &spec, s))
		consumer_group_bump(c, g, "a classic member joined");
	consumer_group_update(c, g);
	subscription_owned(c, s, &owned);
	consumer_reconcile(c, m, &owned);
	tp_set_release(&owned);
	join_answer(call, m);
	mixed_downgrade(c, g, true);
	return CALL_ANSWER;
}

enum call_result mixed_join(struct cluster *c, struct call *call, struct group *g)
{
	const struct join_group_request *q = call->request;
	struct consumer_protocol_subscription s;
	struct consumer_member *m = NULL;
	struct str id = q->member_id;
	char made[UUID_TEXT_SIZE];
	int16_t version, code;

	if (!consumer_find(g, q->member_id) && consumer_group_full(c, g))
		return group_join_error(call, ERROR_GROUP_MAX_SIZE_REACHED, str_of(""));
	if (!supports(g, q))
		return group_join_error(call, ERROR_INCONSISTENT_GROUP_PROTOCOL, str_of(""));
	if (!id.len) {
		uuid_text(rand_uuid(&c->rand), made);
		id = str_of(made);
		if (call->header.api_version >= 4 && !q->group_instance_id.data)
			return group_join_error(call, ERROR_MEMBER_ID_REQUIRED, id);
	}
	if (!subscription_read(q->protocols[0].metadata, call->arena, &s, &version))
		return group_join_error(call, ERROR_INCONSISTENT_GROUP_PROTOCOL, str_of(""));
	code = find(c, g, q, id, &m);
	return code ? group_join_error(call, code, str_of("")) : admit(c, call, m, &s);
}

/* ---- SyncGroup, Heartbeat, LeaveGroup ---- */

static int16_t check(const struct group *g, struct str id, struct str instance_id,
		     struct consumer_member **ret)
{
	struct consumer_member *m =
		instance_id.data ? consumer_by_instance(g, instance_id) : consumer_find(g, id);

	*ret = m;
	if (!m)
		return ERROR_UNKNOWN_MEMBER_ID;
	if (!str_eq(m->id, id))
		return ERROR_FENCED_INSTANCE_ID;
	return m->classic ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID;
}

static int16_t sync_check(const struct group *g, const struct sync_group_request *q,
			  struct consumer_member **ret)
{
	int16_t code = check(g, q->member_id, q->group_instance_id, ret);

	if (code)
		return code;
	if (q->generation_id != (*ret)->epoch)
		return ERROR_ILLEGAL_GENERATION;
	if ((q->protocol_type.data && !str_eq(q->protocol_type, consumer_type)) ||
	    (q->protocol_name.data &&
	     !str_eq(q->protocol_name, (*ret)->classic->protocols[0].name)))
		return ERROR_INCONSISTENT_GROUP_PROTOCOL;
	if ((*ret)->epoch < g->consumer->epoch && (*ret)->state != CONSUMER_UNREVOKED)
		return ERROR_REBALANCE_IN_PROGRESS; /* it is to join again first */
	return ERROR_NONE;
}

enum call_result mixed_sync(struct cluster *c, struct call *call, struct group *g)
{
	const struct sync_group_request *q = call->request;
	struct sync_group_response *r = call_response(call, &sync_group_response_schema);
	struct consumer_member *m;
	struct bytes assignment;
	struct str text;

	r->error_code = sync_check(g, q, &m);
	if (r->error_code == ERROR_REBALANCE_IN_PROGRESS && !m->classic->due.at)
		set_due(c, m);
	if (r->error_code)
		return CALL_ANSWER;
	timer_unset(&c->timers, &m->classic->due);
	consumer_alive(c, m);
	assignment = assignment_write(c, &m->assigned, version_of(m));
	text = call_str(call, (struct str){(const char *)assignment.data, assignment.len});
	mem_bytes_free(assignment);
	r->protocol_type = q->protocol_type;
	r->protocol_name = q->protocol_name;
	r->assignment = (struct bytes){(const uint8_t *)text.data, text.len};
	return CALL_ANSWER;
}

int16_t mixed_beat(struct cluster *c, const struct call *call, struct group *g)
{
	const struct heartbeat_request *q = call->request;
	struct consumer_member *m;
	int16_t code = check(g, q->member_id, q->group_instance_id, &m);

	if (code)
		return code;
	if (q->generation_id != m->epoch)
		return ERROR_ILLEGAL_GENERATION;
	consumer_alive(c, m);
	if (m->epoch >= g->consumer->epoch && m->state != CONSUMER_UNREVOKED &&
	    (m->state != CONSUMER_UNRELEASED || consumer_waits(m)))
		return ERROR_NONE;
	if (!m->classic->due.at)
		set_due(c, m);
	return ERROR_REBALANCE_IN_PROGRESS;
}

int16_t mixed_leave(struct cluster *c, struct group *g, struct str member_id,
		    struct str instance_id)
{
	struct consumer_member *m = instance_id.data ? consumer_by_instance(g, instance_id)
						     : consumer_find(g, member_id);

	if (!m)
		return ERROR_UNKNOWN_MEMBER_ID;
	if (member_id.len && !str_eq(m->id, member_id))
		return ERROR_FENCED_INSTANCE_ID;
	consumer_remove(c, m, "a member left");
	return ERROR_NONE;
}

/* ---- a classic group becomes a consumer group ---- */

static bool readable(const struct cluster *c, const struct group *g)
{
	struct consumer_protocol_subscription s;
	struct tp_set has = {0};
	struct arena arena;
	int16_t version;
	bool ok = true;

	arena_init(&arena, ARENA_EXCHANGE_MAX);
	for (const struct member *m = g->members; m && ok; m = m->by_id.next)
		ok = subscription_read(m->protocols[0].metadata, &arena, &s, &version) &&
		     assignment_read(c, m->assignment, &has);
	arena_release(&arena);
	tp_set_release(&has);
	return ok;
}

static void take_over(struct cluster *c, struct group *g, const struct member *m)
{
	struct consumer_member *k = consumer_add(c, g, m->id, m->instance_id);
	struct consumer_protocol_subscription s;
	struct tp_set has = {0};
	struct arena arena;
	int16_t version;
	bool ok;

	arena_init(&arena, ARENA_EXCHANGE_MAX);
	ok = subscription_read(m->protocols[0].metadata, &arena, &s, &version) &&
	     assignment_read(c, m->assignment, &has);
	assert(ok);
	set_classic(k, m->session_timeout_ms, m->protocols, m->protocols_count);
	k->rebalance_timeout_ms = m->rebalance_timeout_ms;
	replace(&k->client_id, m->client_id);
	replace(&k->client_host, m->client_host);
	if (s.rack_id.data)
		replace(&k->rack_id, s.rack_id);
	consumer_subscribe(c, k, s.topics, s.topics_count, (struct str){0});
	consumer_settle(k, g->generation, &has);
	consumer_alive(c, k);
	tp_set_release(&has);
	arena_release(&arena);
}

const char *mixed_upgrade(struct cluster *c, struct group *g)
{
	if (c->config.broker.no_upgrade)
		return "The group is a classic one and may not be converted.";
	if (!str_eq(g->protocol_type, consumer_type))
		return "The group is a classic one that is not of consumers.";
	if (!readable(c, g))
		return "The group is a classic one with members that can't be converted.";
	consumer_group_init(c, g);
	g->consumer->epoch = g->consumer->assignment_epoch = g->generation;
	g->consumer->assigned_us = INT64_MIN / 2;
	for (const struct member *m = g->members; m; m = m->by_id.next)
		take_over(c, g, m);
	group_clear(c, g);
	return NULL;
}

/* ---- and back ---- */

static void hand_back(struct cluster *c, struct group *g, const struct consumer_member *k)
{
	struct member_spec spec = {.protocol_type = consumer_type,
				   .instance_id = k->instance_id,
				   .client_id = k->client_id,
				   .client_host = k->client_host,
				   .session_timeout_ms = k->classic->session_timeout_ms,
				   .rebalance_timeout_ms = k->rebalance_timeout_ms,
				   .protocols = k->classic->protocols,
				   .protocols_count = k->classic->protocols_count};
	struct member *m = group_add_member(c, g, k->id, &spec);

	m->assignment = assignment_write(c, &k->target, version_of(k));
}

bool mixed_downgrade(struct cluster *c, struct group *g, bool joining)
{
	int32_t generation = g->consumer->epoch;

	if (!g->consumer->members || c->config.broker.no_downgrade)
		return false;
	for (const struct consumer_member *m = g->consumer->members; m; m = m->by_id.next)
		if (!m->classic)
			return false;
	for (const struct consumer_member *m = g->consumer->members; m; m = m->by_id.next)
		hand_back(c, g, m);
	consumer_group_release(c, g);
	group_resume(c, g, generation);
	if (!joining)
		group_rebalance(c, g, "the last member of the new protocol left");
	return true;
}
