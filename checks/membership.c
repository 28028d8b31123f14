/* How a member of a classic group behaves on the wire: one JoinGroup at a time, the member id that
 * it was told, nothing with a generation that is over, contact within the session time-out, a
 * LeaveGroup at the end. All are folds over one table of members; each check reads its part of it
 * at the end. */
#include "checks/types.h"

#include "checks/codes.h"
#include "checks/hash.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define KEY_MAX		400
#define TOGETHER_US	20000	/* that two JoinGroups are open together, at least */
#define CROSSING_US	250000	/* an answer may be on its way while the next request leaves */
#define FAR_CROSSING_US 1000000 /* in a capture, which may be taken far from the client */

/* One member id of one group. */
struct member {
	int64_t crossing_us; /* as far as answers and requests may cross */
	uint64_t who;	     /* hash of the client id and host that speak for it; 0: not heard */
	struct str group, id, instance;
	int32_t session_ms, fenced_generation; /* -1: not told to be over */
	int64_t fenced_us;
	int64_t contact_us, longest_us,
		longest_at_us; /* last request; longest pause, and where it ended */
	int64_t left_us, after_leave_us;
	bool let_go;	       /* the broker said yes to that */
	int64_t stale_told_us; /* when it had been told, before */
	int64_t stale_us; /* first request with the fenced generation, too late to be a crossing */
	int16_t stale_api, fenced_code;
	int32_t stale_generation;
	bool owned; /* it was in a generation */
	UT_hash_handle hh;
};

#define JOINS_LOOK_BACK 1000 /* JoinGroups among which one may still be open */

struct members {
	struct member *by_key;
	uint64_t requests;
	/* JoinGroups that overlap, by connection and client id. */
	uint64_t joins, joins_together;
	struct str together;
	int64_t together_us;
	/* Ids that were told with MEMBER_ID_REQUIRED and what came next from that client. */
	uint64_t required, wrong_id;
	struct str wrong;
	int64_t wrong_us;
	struct pending {
		struct str group, told;
		int64_t conn;
		struct pending *next;
	} * pending;
	struct joining {
		struct str client, group, member;
		int64_t from_us, to_us, conn;
		struct joining *next;
	} * joining;
};

static struct member *member_of(struct check *c, struct str group, struct str id)
{
	struct members *s = c->state;
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), STR_FMT "%c" STR_FMT, STR_ARG(group), 0, STR_ARG(id));
	struct member *m;

	if (len < 0 || len >= (int)sizeof(key) || !id.len || !scope_has(c->scope.group, group))
		return NULL;
	HASH_FIND(hh, s->by_key, key, (unsigned)len, m);
	if (m)
		return m;
	m = arena_zalloc(c->arena, sizeof(*m));
	if (!m)
		return NULL;
	m->group = arena_str(c->arena, group);
	m->id = arena_str(c->arena, id);
	m->fenced_generation = -1;
	m->crossing_us = c->history->of_a_run ? CROSSING_US : FAR_CROSSING_US;
	HASH_ADD_KEYPTR(hh, s->by_key, arena_copy(c->arena, key, (size_t)len), (unsigned)len, m);
	return m;
}

/* A sign of life of a member. */
static void contact(struct member *m, const struct exchange *x, int32_t generation, int16_t code)
{
	int64_t pause_us = m->contact_us ? x->request_us - m->contact_us : 0;

	m->who = hash_sender(x);
	if (m->owned && !m->left_us && pause_us > m->longest_us) {
		m->longest_us = pause_us;
		m->longest_at_us = x->request_us;
	}
	m->contact_us = x->request_us;
	if (m->let_go && x->request_us > m->left_us + m->crossing_us && !m->after_leave_us)
		m->after_leave_us = x->request_us;
	if (m->fenced_generation >= 0 && generation == m->fenced_generation &&
	    x->request_us > m->fenced_us + m->crossing_us && !m->stale_us) {
		m->stale_us = x->request_us;
		m->stale_told_us = m->fenced_us;
		m->stale_api = x->header.api_key;
		m->stale_generation = generation;
	}
	if (code == ERROR_ILLEGAL_GENERATION || code == ERROR_UNKNOWN_MEMBER_ID ||
	    code == ERROR_FENCED_INSTANCE_ID) {
		m->fenced_generation = generation;
		m->fenced_us = x->response_us;
		m->fenced_code = code;
	}
}

/* ---- joins ---- */

static void note_overlap(struct check *c, const struct exchange *x,
			 const struct join_group_request *q)
{
	struct members *s = c->state;
	int64_t to_us = x->response_us ? x->response_us : x->request_us;
	struct joining *j;
	int back = 0;

	s->joins++;
	for (j = s->joining; j && back < JOINS_LOOK_BACK; j = j->next, back++)
		if (q->member_id.len && str_eq(j->client, x->header.client_id) &&
		    str_eq(j->group, q->group_id) && str_eq(j->member, q->member_id) &&
		    x->request_us < j->to_us - TOGETHER_US && j->from_us < to_us &&
		    !s->joins_together++) {
			s->together_us = x->request_us;
			s->together = str_of(arena_printf(
				c->arena,
				"member " STR_FMT
				" sent JoinGroup (connection %lld correlation %d) while its last "
				"one was open",
				STR_ARG(q->member_id), (long long)x->conn.conn,
				x->header.correlation_id));
		}
	j = arena_zalloc(c->arena, sizeof(*j));
	if (!j || x->state == EXCHANGE_LOST)
		return;
	*j = (struct joining){.client = arena_str(c->arena, x->header.client_id),
			      .group = arena_str(c->arena, q->group_id),
			      .member = arena_str(c->arena, q->member_id),
			      .from_us = x->request_us,
			      .to_us = to_us,
			      .conn = x->conn.conn,
			      .next = s->joining};
	s->joining = j;
}

/* The id that this JoinGroup answers to: its own, or one that was told on its connection. Members
 * may share a client id, and one that starts anew comes on a connection of its own. */
static struct pending **pending_of(struct members *s, const struct exchange *x,
				   const struct join_group_request *q)
{
	struct pending **same = NULL;

	for (struct pending **at = &s->pending; *at; at = &(*at)->next) {
		if (!str_eq((*at)->group, q->group_id))
			continue;
		if (str_eq((*at)->told, q->member_id))
			return at;
		if (!same && (*at)->conn == x->conn.conn)
			same = at;
	}
	return same;
}

/* After MEMBER_ID_REQUIRED the next JoinGroup there must carry the id that was told. */
static void note_required(struct check *c, const struct exchange *x,
			  const struct join_group_request *q, const struct join_group_response *r)
{
	struct members *s = c->state;
	struct pending **at = pending_of(s, x, q), *p;

	if (at) {
		p = *at;
		*at = p->next;
		s->required++;
		if (!str_eq(p->told, q->member_id) && !s->wrong_id++) {
			s->wrong_us = x->request_us;
			s->wrong = str_of(arena_printf(
				c->arena, "told member id '" STR_FMT "', joined with '" STR_FMT "'",
				STR_ARG(p->told), STR_ARG(q->member_id)));
		}
	}
	if (!r || r->error_code != ERROR_MEMBER_ID_REQUIRED)
		return;
	p = arena_zalloc(c->arena, sizeof(*p));
	if (!p)
		return;
	*p = (struct pending){arena_str(c->arena, q->group_id), arena_str(c->arena, r->member_id),
			      x->conn.conn, s->pending};
	s->pending = p;
}

static void feed_join(struct check *c, struct exchange *x)
{
	const struct join_group_request *q = exchange_request(x);
	const struct join_group_response *r = exchange_response(x);
	struct member *m;

	if (!q || !scope_has(c->scope.group, q->group_id))
		return;
	note_overlap(c, x, q);
	note_required(c, x, q, r);
	m = member_of(c, q->group_id, q->member_id);
	if (m)
		contact(m, x, -1, 0);
	if (!r || r->error_code || !(m = member_of(c, q->group_id, r->member_id)))
		return;
	m->session_ms = q->session_timeout_ms;
	m->contact_us = x->response_us; /* joining is contact for as long as it takes */
	m->who = hash_sender(x);
	m->owned = true;
	m->fenced_generation = -1;
	m->left_us = 0;
	m->let_go = false;
	if (q->group_instance_id.data)
		m->instance = arena_str(c->arena, q->group_instance_id);
}

/* ---- the rest ---- */

static void feed_heartbeat(struct check *c, struct exchange *x)
{
	const struct heartbeat_request *q = exchange_request(x);
	struct member *m = q ? member_of(c, q->group_id, q->member_id) : NULL;

	if (m)
		contact(m, x, q->generation_id, exchange_error(x));
}

static void feed_sync(struct check *c, struct exchange *x)
{
	const struct sync_group_request *q = exchange_request(x);
	struct member *m = q ? member_of(c, q->group_id, q->member_id) : NULL;

	if (m)
		contact(m, x, q->generation_id, exchange_error(x));
}

static void feed_commit(struct check *c, struct exchange *x)
{
	const struct offset_commit_request *q = exchange_request(x);
	struct member *m = q ? member_of(c, q->group_id, q->member_id) : NULL;

	if (m) /* for the broker a commit is a sign of life, too */
		contact(m, x, q->generation_id_or_member_epoch, exchange_error(x));
}

/* Who leaves before it has joined with the id that it was told need not join with it any more. */
static void forget_told(struct members *s, struct str group, struct str id)
{
	struct pending **at = &s->pending;

	while (*at && !(str_eq((*at)->group, group) && str_eq((*at)->told, id)))
		at = &(*at)->next;
	if (*at)
		*at = (*at)->next;
}

/* An administrator may send somebody else away (KIP-345), who learns of it by its next request. */
static void leave(struct check *c, struct str group, struct str id, const struct exchange *x,
		  bool yes)
{
	struct member *m = member_of(c, group, id);

	forget_told(c->state, group, id);
	if (!m || (m->who && m->who != hash_sender(x)))
		return;
	m->left_us = x->response_us ? x->response_us : x->request_us;
	m->let_go = yes;
}

static void feed_leave(struct check *c, struct exchange *x)
{
	const struct leave_group_request *q = exchange_request(x);
	bool yes = x->state != EXCHANGE_ANSWERED || !exchange_error(x);

	if (!q)
		return;
	leave(c, q->group_id, q->member_id, x, yes);
	for (int32_t i = 0; i < q->members_count; i++)
		leave(c, q->group_id, q->members[i].member_id, x, yes);
}

static void feed_members(struct check *c, const struct event *ev)
{
	struct members *s = c->state;

	if (ev->kind != EVENT_EXCHANGE || ev->exchange->state == EXCHANGE_ORPHAN)
		return;
	s->requests++;
	switch (ev->exchange->header.api_key) {
	case API_JOIN_GROUP:
		feed_join(c, ev->exchange);
		break;
	case API_SYNC_GROUP:
		feed_sync(c, ev->exchange);
		break;
	case API_HEARTBEAT:
		feed_heartbeat(c, ev->exchange);
		break;
	case API_OFFSET_COMMIT:
		feed_commit(c, ev->exchange);
		break;
	case API_LEAVE_GROUP:
		feed_leave(c, ev->exchange);
		break;
	default:
		break;
	}
}

static void release_members(struct check *c)
{
	struct members *s = c->state;

	HASH_CLEAR(hh, s->by_key);
}

/* Members that were in a generation. */
static uint64_t owners(const struct members *s)
{
	uint64_t n = 0;

	for (const struct member *m = s->by_key; m; m = m->hh.next)
		n += m->owned;
	return n;
}

static void pass_or_nothing(struct finding *f, uint64_t judged, const char *what,
			    const char *nothing)
{
	f->judged = judged;
	if (judged)
		finding_set(f, FINDING_PASS, "%llu %s", (unsigned long long)judged, what);
	else
		finding_set(f, FINDING_NOT_APPLICABLE, "%s", nothing);
}

#define NO_MEMBER "nobody joined the group"

/* ---- judgements ---- */

static void end_one_join(struct check *c, struct finding *f)
{
	const struct members *s = c->state;

	pass_or_nothing(f, s->joins, "JoinGroups, one at a time", NO_MEMBER);
	if (!s->joins_together)
		return;
	finding_moment(f, s->together_us, STR_FMT, STR_ARG(s->together));
	finding_set(f, FINDING_FAIL, "%llu times a JoinGroup while one was open; first: " STR_FMT,
		    (unsigned long long)s->joins_together, STR_ARG(s->together));
}

const struct check_type check_one_join = {
	.name = "group.one_join",
	.claim = "a member has one JoinGroup open at a time",
	.see = "the group protocol",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_one_join,
	.release = release_members,
};

static void end_member_id(struct check *c, struct finding *f)
{
	const struct members *s = c->state;

	pass_or_nothing(f, s->required, "ids that were told and used",
			"nobody was told MEMBER_ID_REQUIRED and joined again");
	if (!s->wrong_id)
		return;
	finding_moment(f, s->wrong_us, STR_FMT, STR_ARG(s->wrong));
	finding_set(f, FINDING_FAIL, STR_FMT, STR_ARG(s->wrong));
}

const struct check_type check_member_id = {
	.name = "group.member_id",
	.claim = "after MEMBER_ID_REQUIRED a member joins with exactly the id that it was told",
	.see = "KIP-394",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.universal = true,
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_member_id,
	.release = release_members,
};

static void end_fenced(struct check *c, struct finding *f)
{
	const struct members *s = c->state;
	uint64_t fenced = 0;

	for (const struct member *m = s->by_key; m; m = m->hh.next)
		fenced += m->fenced_us != 0;
	pass_or_nothing(f, fenced, "members that were told that they are out",
			"nobody was told ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or "
			"FENCED_INSTANCE_ID");
	for (const struct member *m = s->by_key; m; m = m->hh.next) {
		if (!m->stale_us)
			continue;
		finding_moment(f, m->stale_told_us, "member " STR_FMT " is told %s", STR_ARG(m->id),
			       kafka_error_name(m->fenced_code));
		finding_moment(f, m->stale_us, "and sends %s with generation %d",
			       api_name(m->stale_api), m->stale_generation);
		finding_set(f, FINDING_FAIL,
			    "member " STR_FMT " sent %s with generation %d %.0f ms after %s",
			    STR_ARG(m->id), api_name(m->stale_api), m->stale_generation,
			    (double)(m->stale_us - m->stale_told_us) / 1000,
			    kafka_error_name(m->fenced_code));
		return;
	}
}

const struct check_type check_fenced = {
	.name = "group.fenced_stays_out",
	.claim = "a member that was told that its generation is over sends nothing more with it",
	.see = "KIP-62, KIP-345",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_fenced,
	.release = release_members,
};

static void end_heartbeats(struct check *c, struct finding *f)
{
	const struct members *s = c->state;

	pass_or_nothing(f, owners(s), "members, in contact all the time", NO_MEMBER);
	for (const struct member *m = s->by_key; m; m = m->hh.next) {
		int64_t limit_us =
			(c->scope.number >= 0 ? c->scope.number : m->session_ms) * (int64_t)1000;

		if (!m->owned || !limit_us || m->longest_us <= limit_us)
			continue;
		finding_moment(f, m->longest_at_us - m->longest_us, "member " STR_FMT " is heard",
			       STR_ARG(m->id));
		finding_moment(f, m->longest_at_us, "and again");
		finding_set(f, FINDING_FAIL,
			    "member " STR_FMT " was silent for %.0f ms; at most %lld ms",
			    STR_ARG(m->id), (double)m->longest_us / 1000,
			    (long long)limit_us / 1000);
		return;
	}
}

const struct check_type check_heartbeats = {
	.name = "group.heartbeats",
	.claim = "a member is heard from within its session time-out (or the limit given, in ms)",
	.see = "KIP-62; heartbeat.interval.ms",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP, ARG_NUMBER},
	.timing = true,
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_heartbeats,
	.release = release_members,
};

static void end_quiet(struct check *c, struct finding *f)
{
	const struct members *s = c->state;
	uint64_t left = 0;

	for (const struct member *m = s->by_key; m; m = m->hh.next)
		left += m->let_go;
	pass_or_nothing(f, left, "members that left", "nobody left the group");
	for (const struct member *m = s->by_key; m; m = m->hh.next)
		if (m->after_leave_us) {
			finding_moment(f, m->left_us, "member " STR_FMT " leaves", STR_ARG(m->id));
			finding_moment(f, m->after_leave_us, "and is heard again");
			finding_set(f, FINDING_FAIL,
				    "member " STR_FMT " was heard %.0f ms after it had left",
				    STR_ARG(m->id),
				    (double)(m->after_leave_us - m->left_us) / 1000);
			return;
		}
}

const struct check_type check_quiet = {
	.name = "group.quiet_after_leave",
	.claim = "a member that has left sends nothing more under its id",
	.see = "the group protocol",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_quiet,
	.release = release_members,
};

static void end_leaves(struct check *c, struct finding *f)
{
	const struct members *s = c->state;

	pass_or_nothing(f, owners(s), "members", NO_MEMBER);
	for (const struct member *m = s->by_key; m; m = m->hh.next) {
		bool is_static = m->instance.data != NULL, gone = m->left_us != 0;

		if (!m->owned || gone != is_static || (!gone && m->fenced_us))
			continue;
		finding_moment(f, gone ? m->left_us : m->contact_us, "member " STR_FMT " %s",
			       STR_ARG(m->id), gone ? "leaves" : "is heard for the last time");
		finding_set(f, FINDING_FAIL,
			    gone ? "static member " STR_FMT " sent LeaveGroup"
				 : "member " STR_FMT " never sent LeaveGroup",
			    STR_ARG(m->id));
		return;
	}
}

const struct check_type check_leaves = {
	.name = "group.leaves",
	.claim = "a member that closes says so with LeaveGroup, and a static one does not",
	.see = "KIP-62, KIP-345",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct members),
	.feed = feed_members,
	.end = end_leaves,
	.release = release_members,
};
