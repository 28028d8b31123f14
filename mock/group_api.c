/* JoinGroup, SyncGroup, Heartbeat and LeaveGroup: what requests say to a group and what they get.
 * Rules 23 to 25 of the acceptance text. A request that waits keeps only names; it looks its member
 * up again when it is woken. */
#include "mock/consumer_group.h"
#include "mock/coordinator.h"
#include "mock/group_api.h"
#include "mock/mem.h"
#include "mock/mixed_group.h"
#include "mock/state.h"

#include <stdio.h>
#include <stdlib.h>

/* What a JoinGroup or SyncGroup that waits remembers. */
struct waiting {
	struct str member_id;
	int32_t generation; /* of a SyncGroup */
};

static const char no_text[] = "";

int16_t group_check_member(const struct group *g, struct str member_id, struct str instance_id)
{
	const struct member *m;

	if (!g)
		return ERROR_UNKNOWN_MEMBER_ID;
	if (instance_id.data) {
		m = member_by_instance(g, instance_id);
		if (!m)
			return ERROR_UNKNOWN_MEMBER_ID;
		return str_eq(m->id, member_id) ? ERROR_NONE : ERROR_FENCED_INSTANCE_ID;
	}
	return member_find(g, member_id) ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID;
}

/* ---- JoinGroup ---- */

enum call_result group_join_error(struct call *call, int16_t code, struct str member_id)
{
	struct join_group_response *r = call_response(call, &join_group_response_schema);

	r->error_code = code;
	r->generation_id = -1;
	r->protocol_name = call->header.api_version >= 7 ? (struct str){0} : str_of(no_text);
	r->member_id = call_str(call, member_id);
	return CALL_ANSWER;
}

static struct bytes metadata_of(const struct member *m, struct str protocol)
{
	for (int32_t i = 0; i < m->protocols_count; i++)
		if (str_eq(m->protocols[i].name, protocol))
			return m->protocols[i].metadata;
	return (struct bytes){(const uint8_t *)no_text, 0};
}

static struct bytes copy_bytes(struct call *call, struct bytes b)
{
	struct str s = call_str(call, (struct str){(const char *)b.data, b.len});

	return (struct bytes){(const uint8_t *)s.data, s.len};
}

static void put_members(struct call *call, const struct group *g, struct join_group_response *r)
{
	struct member *m, *next;

	r->members = CALL_ARRAY(call, struct join_group_response_members, g->members_count);
	HASH_ITER (by_id, g->members, m, next) {
		struct join_group_response_members *out = &r->members[r->members_count++];

		out->member_id = call_str(call, m->id);
		out->group_instance_id = call_str(call, m->instance_id);
		out->metadata = copy_bytes(call, metadata_of(m, g->protocol));
	}
}

static enum call_result join_answer(struct call *call, const struct member *m)
{
	struct join_group_response *r = call_response(call, &join_group_response_schema);
	const struct group *g = m->group;

	r->generation_id = g->generation;
	r->protocol_type = call_str(call, g->protocol_type);
	r->protocol_name = call_str(call, g->protocol);
	r->leader = call_str(call, g->leader->id);
	r->member_id = call_str(call, m->id);
	if (g->leader == m)
		put_members(call, g, r);
	return CALL_ANSWER;
}

static enum call_result join_wait(struct call *call, struct member *m)
{
	struct waiting *w = call_alloc(call, sizeof(*w));

	w->member_id = call_str(call, m->id);
	call->state = w;
	call_wait_on(call, &m->waiters);
	call->deadline_us = INSTANT_NEVER;
	return CALL_WAIT;
}

/* The answer if the join phase is over for the member, else the wait for it. */
static enum call_result join_answer_or_wait(struct call *call, struct member *m)
{
	return m->awaiting_join ? join_wait(call, m) : join_answer(call, m);
}

static enum call_result join_go_on(struct cluster *c, struct call *call)
{
	const struct join_group_request *q = call->request;
	const struct waiting *w = call->state;
	const struct group *g = group_find(c, q->group_id);
	struct member *m = g ? member_find(g, w->member_id) : NULL;

	if (m)
		return join_answer_or_wait(call, m);
	if (mixed_has(g) && consumer_find(g, w->member_id))
		return group_join_error(call, ERROR_REBALANCE_IN_PROGRESS, w->member_id);
	return group_join_error(call,
				q->group_instance_id.data && g &&
						member_by_instance(g, q->group_instance_id)
					? ERROR_FENCED_INSTANCE_ID
					: ERROR_UNKNOWN_MEMBER_ID,
				w->member_id);
}

struct member_spec group_join_spec(struct call *call)
{
	const struct join_group_request *q = call->request;
	struct group_protocol *protocols =
		CALL_ARRAY(call, struct group_protocol, q->protocols_count);

	for (int32_t i = 0; i < q->protocols_count; i++) {
		protocols[i].name = q->protocols[i].name;
		protocols[i].metadata = q->protocols[i].metadata;
	}
	return (struct member_spec){
		.protocol_type = q->protocol_type,
		.instance_id = q->group_instance_id,
		.client_id = call->header.client_id.data ? call->header.client_id : str_of(no_text),
		.client_host = call_client_host(call),
		.session_timeout_ms = q->session_timeout_ms,
		.rebalance_timeout_ms = call->header.api_version >= 1 ? q->rebalance_timeout_ms
								      : q->session_timeout_ms,
		.protocols = protocols,
		.protocols_count = q->protocols_count,
	};
}

/* KIP-394: from v4 on a dynamic member gets its id first and joins with it. */
static enum call_result join_new(struct cluster *c, struct call *call, struct group *g,
				 const struct member_spec *spec)
{
	struct str id = member_new_id(c, spec->client_id, spec->instance_id);
	enum call_result result;
	struct member *m;

	if (call->header.api_version >= 4 && !spec->instance_id.data) {
		group_add_pending(c, g, id, spec->session_timeout_ms);
		result = group_join_error(call, ERROR_MEMBER_ID_REQUIRED, id);
		mem_str_free(id);
		return result;
	}
	m = group_add_member(c, g, id, spec);
	mem_str_free(id);
	group_rebalance(c, g, "a member joined");
	return join_answer_or_wait(call, m);
}

/* A static member starts again: a new id for its place; no rebalance if nothing would change. */
static enum call_result join_static_again(struct cluster *c, struct call *call, struct member *m,
					  const struct member_spec *spec)
{
	struct group *g = m->group;
	struct str id = member_new_id(c, spec->client_id, spec->instance_id);
	struct str old = call_str(call, m->id);
	bool was_stable = g->state == GROUP_STABLE;
	struct join_group_response *r;

	member_replace_id(c, m, id);
	mem_str_free(id);
	member_rejoin(c, m, spec);
	if (!was_stable || !str_eq(group_select_protocol(g), g->protocol)) {
		group_rebalance(c, g, "a static member came back");
		return join_answer_or_wait(call, m);
	}
	member_await_join(m, false);
	member_alive(c, m);
	join_answer(call, m);
	r = call->response;
	if (call->header.api_version >= 9) {
		r->skip_assignment = g->leader == m;
	} else if (g->leader == m) {
		r->members_count = 0;
		r->leader = old;
	}
	return CALL_ANSWER;
}

static enum call_result join_known(struct cluster *c, struct call *call, struct member *m,
				   const struct member_spec *spec)
{
	struct group *g = m->group;
	bool same = member_matches(m, spec->protocols, spec->protocols_count);

	if ((g->state == GROUP_COMPLETING_REBALANCE && same) ||
	    (g->state == GROUP_STABLE && same && g->leader != m)) {
		member_alive(c, m);
		return join_answer(call, m);
	}
	member_rejoin(c, m, spec);
	group_rebalance(
		c, g, same ? "the leader or a member joined again" : "a member's metadata changed");
	return join_answer_or_wait(call, m);
}

static int16_t join_check(const struct cluster *c, const struct call *call)
{
	const struct join_group_request *q = call->request;

	if (q->group_id.len == 0)
		return ERROR_INVALID_GROUP_ID;
	if (coordinator_check(c, call, q->group_id))
		return coordinator_check(c, call, q->group_id);
	if (q->session_timeout_ms < c->config.broker.group_session_min_ms ||
	    q->session_timeout_ms > c->config.broker.group_session_max_ms)
		return ERROR_INVALID_SESSION_TIMEOUT;
	return ERROR_NONE;
}

/* group.max.size */
static bool has_room(const struct cluster *c, const struct group *g, struct str member_id)
{
	const struct member *m = member_find(g, member_id);

	if (g->state == GROUP_EMPTY)
		return true;
	if (g->state == GROUP_PREPARING_REBALANCE)
		return (m && m->awaiting_join) ||
		       g->awaiting_join_count < c->config.broker.group_max_size;
	return m || g->members_count < c->config.broker.group_max_size;
}

static enum call_result join_as(struct cluster *c, struct call *call, struct group *g,
				const struct member_spec *spec)
{
	const struct join_group_request *q = call->request;
	struct pending_member *pending = pending_find(g, q->member_id);
	struct member *m = member_by_instance(g, q->group_instance_id);

	if (q->member_id.len == 0)
		return m ? join_static_again(c, call, m, spec) : join_new(c, call, g, spec);
	if (pending) {
		m = group_add_member(c, g, q->member_id, spec);
		HASH_DELETE(by_id, g->pending, pending);
		timer_unset(&c->timers, &pending->session);
		mem_str_free(pending->id);
		free(pending);
		group_rebalance(c, g, "a member joined");
		return join_answer_or_wait(call, m);
	}
	if (group_check_member(g, q->member_id, q->group_instance_id))
		return group_join_error(call,
					group_check_member(g, q->member_id, q->group_instance_id),
					q->member_id);
	return join_known(c, call, member_find(g, q->member_id), spec);
}

enum call_result join_group_work(struct cluster *c, struct call *call)
{
	const struct join_group_request *q = call->request;
	struct group *g = group_find(c, q->group_id);
	struct member_spec spec;
	int16_t code;

	if (call->state)
		return join_go_on(c, call);
	code = join_check(c, call);
	if (code)
		return group_join_error(call, code, q->member_id);
	if (mixed_has(g))
		return mixed_join(c, call, g);
	if (!g && q->member_id.len)
		return group_join_error(call, ERROR_UNKNOWN_MEMBER_ID, q->member_id);
	spec = group_join_spec(call);
	if (!g)
		g = group_new(c, q->group_id);
	consumer_group_release(c, g);
	if (!has_room(c, g, q->member_id))
		return group_join_error(call, ERROR_GROUP_MAX_SIZE_REACHED, str_of(no_text));
	if (!group_supports(g, q->protocol_type, spec.protocols, spec.protocols_count))
		return group_join_error(call, ERROR_INCONSISTENT_GROUP_PROTOCOL, q->member_id);
	return join_as(c, call, g, &spec);
}

/* ---- SyncGroup ---- */

static enum call_result sync_error(struct call *call, int16_t code)
{
	struct sync_group_response *r = call_response(call, &sync_group_response_schema);

	r->error_code = code;
	return CALL_ANSWER;
}

static enum call_result sync_answer(struct call *call, const struct member *m)
{
	struct sync_group_response *r = call_response(call, &sync_group_response_schema);

	r->protocol_type = call_str(call, m->group->protocol_type);
	r->protocol_name = call_str(call, m->group->protocol);
	if (m->assignment.data)
		r->assignment = copy_bytes(call, m->assignment);
	return CALL_ANSWER;
}

static enum call_result sync_go_on(struct cluster *c, struct call *call)
{
	const struct sync_group_request *q = call->request;
	const struct waiting *w = call->state;
	const struct group *g = group_find(c, q->group_id);
	struct member *m = g ? member_find(g, w->member_id) : NULL;

	if (!m && mixed_has(g) && consumer_find(g, w->member_id))
		return sync_error(call, ERROR_REBALANCE_IN_PROGRESS);
	if (!m)
		return sync_error(call, g && member_by_instance(g, q->group_instance_id)
						? ERROR_FENCED_INSTANCE_ID
						: ERROR_UNKNOWN_MEMBER_ID);
	if (g->generation != w->generation || g->state != GROUP_STABLE)
		return sync_error(call, ERROR_REBALANCE_IN_PROGRESS);
	return sync_answer(call, m);
}

static int16_t sync_check(const struct cluster *c, const struct call *call)
{
	const struct sync_group_request *q = call->request;
	int16_t code;

	if (call->header.api_version >= 5 && (!q->protocol_type.data || !q->protocol_name.data))
		return ERROR_INCONSISTENT_GROUP_PROTOCOL;
	if (q->group_id.len == 0)
		return ERROR_INVALID_GROUP_ID;
	code = coordinator_check(c, call, q->group_id);
	/* the rebalance was lost with the coordinator's memory */
	return code == ERROR_COORDINATOR_LOAD_IN_PROGRESS ? ERROR_REBALANCE_IN_PROGRESS : code;
}

static int16_t sync_check_member(const struct call *call, const struct group *g)
{
	const struct sync_group_request *q = call->request;
	int16_t code;

	code = group_check_member(g, q->member_id, q->group_instance_id);
	if (code)
		return code;
	if (q->generation_id != g->generation)
		return ERROR_ILLEGAL_GENERATION;
	if ((q->protocol_type.data && !str_eq(q->protocol_type, g->protocol_type)) ||
	    (q->protocol_name.data && !str_eq(q->protocol_name, g->protocol)))
		return ERROR_INCONSISTENT_GROUP_PROTOCOL;
	if (g->state == GROUP_PREPARING_REBALANCE)
		return ERROR_REBALANCE_IN_PROGRESS;
	return g->state == GROUP_EMPTY ? ERROR_UNKNOWN_MEMBER_ID : ERROR_NONE;
}

/* The leader's list; a member that it leaves out gets an empty assignment. */
static void sync_assign(struct cluster *c, struct group *g, const struct sync_group_request *q)
{
	struct member *m, *next;

	HASH_ITER (by_id, g->members, m, next) {
		mem_bytes_free(m->assignment);
		m->assignment = mem_bytes((struct bytes){(const uint8_t *)no_text, 0});
	}
	for (int32_t i = 0; i < q->assignments_count; i++) {
		m = member_find(g, q->assignments[i].member_id);
		if (!m)
			continue;
		mem_bytes_free(m->assignment);
		m->assignment = mem_bytes(q->assignments[i].assignment);
	}
	group_assigned(c, g);
}

enum call_result sync_group_work(struct cluster *c, struct call *call)
{
	const struct sync_group_request *q = call->request;
	struct group *g = group_find(c, q->group_id);
	struct waiting *w;
	struct member *m;
	int16_t code;

	if (call->state)
		return sync_go_on(c, call);
	code = sync_check(c, call);
	if (!code && mixed_has(g))
		return mixed_sync(c, call, g);
	if (!code)
		code = sync_check_member(call, g);
	if (code)
		return sync_error(call, code);
	m = member_find(g, q->member_id);
	member_alive(c, m);
	if (g->state == GROUP_STABLE)
		return sync_answer(call, m);
	if (g->leader == m) {
		sync_assign(c, g, q);
		return sync_answer(call, m);
	}
	m->awaiting_sync = true;
	w = call_alloc(call, sizeof(*w));
	w->member_id = call_str(call, m->id);
	w->generation = g->generation;
	call->state = w;
	call_wait_on(call, &m->waiters);
	call->deadline_us = INSTANT_NEVER;
	return CALL_WAIT;
}

/* ---- Heartbeat ---- */

static int16_t beat(struct cluster *c, const struct call *call)
{
	const struct heartbeat_request *q = call->request;
	struct group *g = group_find(c, q->group_id);
	int16_t code;

	if (q->group_id.len == 0)
		return ERROR_INVALID_GROUP_ID;
	code = coordinator_check(c, call, q->group_id);
	if (code) /* a beat that can't be judged yet is taken for a good one */
		return code == ERROR_COORDINATOR_LOAD_IN_PROGRESS ? ERROR_NONE : code;
	if (mixed_has(g))
		return mixed_beat(c, call, g);
	code = group_check_member(g, q->member_id, q->group_instance_id);
	if (code)
		return code;
	if (q->generation_id != g->generation)
		return ERROR_ILLEGAL_GENERATION;
	member_alive(c, member_find(g, q->member_id));
	return g->state == GROUP_PREPARING_REBALANCE ? ERROR_REBALANCE_IN_PROGRESS : ERROR_NONE;
}

enum call_result heartbeat_work(struct cluster *c, struct call *call)
{
	struct heartbeat_response *r = call_response(call, &heartbeat_response_schema);

	r->error_code = beat(c, call);
	return CALL_ANSWER;
}

/* ---- LeaveGroup ---- */

static int16_t leave(struct cluster *c, struct group *g, struct str member_id,
		     struct str instance_id)
{
	struct member *m = g && instance_id.data ? member_by_instance(g, instance_id) : NULL;
	struct pending_member *pending = g ? pending_find(g, member_id) : NULL;
	int16_t code;

	if (mixed_has(g))
		return mixed_leave(c, g, member_id, instance_id);
	if (m && member_id.len == 0)
		member_id = m->id;
	if (pending && !instance_id.data) {
		group_drop_pending(c, g, pending);
		return ERROR_NONE;
	}
	code = group_check_member(g, member_id, instance_id);
	if (!code)
		group_remove_member(c, member_find(g, member_id), "a member left");
	return code;
}

enum call_result leave_group_work(struct cluster *c, struct call *call)
{
	const struct leave_group_request *q = call->request;
	struct leave_group_response *r = call_response(call, &leave_group_response_schema);
	struct group *g = group_find(c, q->group_id);

	if (q->group_id.len == 0)
		r->error_code = ERROR_INVALID_GROUP_ID;
	else
		r->error_code = coordinator_check(c, call, q->group_id);
	if (r->error_code)
		return CALL_ANSWER;
	if (call->header.api_version < 3) {
		r->error_code = leave(c, g, q->member_id, (struct str){0});
		return CALL_ANSWER;
	}
	r->members = CALL_ARRAY(call, struct leave_group_response_members, q->members_count);
	r->members_count = q->members_count;
	for (int32_t i = 0; i < q->members_count; i++) {
		r->members[i].member_id = q->members[i].member_id;
		r->members[i].group_instance_id = q->members[i].group_instance_id;
		r->members[i].error_code =
			leave(c, g, q->members[i].member_id, q->members[i].group_instance_id);
	}
	return CALL_ANSWER;
}
