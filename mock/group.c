/* The classic group's state machine (rules 23 to 25 of the acceptance text). Invariants: a group
 * without members is EMPTY or about to be; awaiting_sync only in COMPLETING_REBALANCE; waiters are
 * woken whenever awaiting_join or awaiting_sync ends, or the member does. A waiting request looks
 * its member up again, so nothing here knows of requests. */
#include "mock/group.h"

#include "base/json.h"
#include "mock/consumer_group.h"
#include "mock/consumer_protocol.h"
#include "mock/mem.h"
#include "mock/offsets.h"
#include "mock/state.h"
#include "mock/txn_offsets.h"

#include <stdio.h>
#include <stdlib.h>

/* A protocol's name and how many members of the group list it. */
struct known_protocol {
	struct str name;
	int32_t members;
	UT_hash_handle hh;
};

static const char *const state_names[] = {
	[GROUP_EMPTY] = "Empty",
	[GROUP_PREPARING_REBALANCE] = "PreparingRebalance",
	[GROUP_COMPLETING_REBALANCE] = "CompletingRebalance",
	[GROUP_STABLE] = "Stable",
	[GROUP_DEAD] = "Dead",
};

const char *group_state_name(enum group_state state)
{
	return state_names[state];
}

struct group *group_find(const struct cluster *c, struct str id)
{
	struct group *g = NULL;

	if (id.data)
		HASH_FIND(by_id, c->groups.by_id, id.data, (unsigned)id.len, g);
	return g;
}

struct member *member_find(const struct group *g, struct str id)
{
	struct member *m = NULL;

	if (id.data)
		HASH_FIND(by_id, g->members, id.data, (unsigned)id.len, m);
	return m;
}

struct member *member_by_instance(const struct group *g, struct str instance_id)
{
	struct member *m, *next;

	if (!instance_id.data)
		return NULL;
	HASH_ITER (by_id, g->members, m, next)
		if (str_eq(m->instance_id, instance_id))
			return m;
	return NULL;
}

struct pending_member *pending_find(const struct group *g, struct str id)
{
	struct pending_member *p = NULL;

	if (id.data)
		HASH_FIND(by_id, g->pending, id.data, (unsigned)id.len, p);
	return p;
}

/* ---- events ---- */

static void set_state(struct cluster *c, struct group *g, enum group_state state,
		      const char *reason)
{
	int32_t members = GROUP_MEMBERS_TOLD;
	struct json j;

	g->state = state;
	g->state_since_ms = instant_wall_ms(c->now);
	if (!cluster_listened(c))
		return;
	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "group", g->id);
	json_key_text(&j, "state", state_names[state]);
	json_key_int(&j, "generation", g->generation);
	json_key_text(&j, "reason", reason);
	json_key_str(&j, "protocol", g->protocol);
	json_key_str(&j, "leader", g->leader ? g->leader->id : (struct str){0});
	json_key_int(&j, "memberCount", HASH_CNT(by_id, g->members));
	json_key(&j, "members");
	json_open(&j, '[');
	for (const struct member *m = g->members; m && members--; m = m->by_id.next) {
		json_open(&j, '{');
		json_key_str(&j, "id", m->id);
		json_key_str(&j, "instance", m->instance_id);
		json_key_str(&j, "client", m->client_id);
		json_key(&j, "assignment");
		json_base64(&j, m->assignment);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	cluster_event(c, "group-state", &c->scratch);
}

/* ---- memory ---- */

static void on_rebalance_due(struct cluster *c, void *owner);

struct group *group_new(struct cluster *c, struct str id)
{
	struct group *g = mem_new(sizeof(*g));

	g->id = mem_str(id);
	g->rebalance.on_due = on_rebalance_due;
	g->rebalance.owner = g;
	g->state_since_ms = instant_wall_ms(c->now);
	expiry_arm_offsets(c);
	HASH_ADD_KEYPTR(by_id, c->groups.by_id, g->id.data, (unsigned)id.len, g);
	return g;
}

/* The group's count of a protocol moves by one. */
static void count_protocol(struct group *g, struct str name, int32_t by)
{
	struct known_protocol *k;

	HASH_FIND(hh, g->known, name.data, (unsigned)name.len, k);
	if (!k) {
		k = mem_new(sizeof(*k));
		k->name = mem_str(name);
		HASH_ADD_KEYPTR(hh, g->known, k->name.data, (unsigned)name.len, k);
	}
	k->members += by;
	if (k->members)
		return;
	HASH_DELETE(hh, g->known, k);
	mem_str_free(k->name);
	free(k);
}

/* A name that count_protocols has met. */
struct met_name {
	UT_hash_handle hh;
};

/* Each name once, even where a member lists it twice. */
static void count_protocols(struct member *m, int32_t by)
{
	struct met_name *names = mem_new((size_t)m->protocols_count * sizeof(*names));
	struct met_name *met = NULL, *before;

	for (int32_t i = 0; i < m->protocols_count; i++) {
		struct str name = m->protocols[i].name;

		HASH_FIND(hh, met, name.data, (unsigned)name.len, before);
		if (before)
			continue;
		HASH_ADD_KEYPTR(hh, met, name.data, (unsigned)name.len, &names[i]);
		count_protocol(m->group, name, by);
	}
	HASH_CLEAR(hh, met);
	free(names);
}

static void protocols_free(struct member *m)
{
	count_protocols(m, -1);
	for (int32_t i = 0; i < m->protocols_count; i++) {
		mem_str_free(m->protocols[i].name);
		mem_bytes_free(m->protocols[i].metadata);
	}
	free(m->protocols);
	m->protocols = NULL;
	m->protocols_count = 0;
}

static void member_free(struct cluster *c, struct member *m)
{
	struct group *g = m->group;

	if (g->leader == m)
		g->leader = NULL;
	member_await_join(m, false);
	HASH_DELETE(by_id, g->members, m);
	g->members_count--;
	waitlist_wake(c, &m->waiters);
	timer_unset(&c->timers, &m->session);
	protocols_free(m);
	mem_str_free(m->id);
	mem_str_free(m->instance_id);
	mem_str_free(m->client_id);
	mem_str_free(m->client_host);
	mem_bytes_free(m->assignment);
	free(m);
}

static void pending_free(struct cluster *c, struct pending_member *p)
{
	HASH_DELETE(by_id, p->group->pending, p);
	timer_unset(&c->timers, &p->session);
	mem_str_free(p->id);
	free(p);
}

void group_clear(struct cluster *c, struct group *g)
{
	struct member *m, *next;
	struct pending_member *p, *next_pending;

	HASH_ITER (by_id, g->members, m, next)
		member_free(c, m);
	HASH_ITER (by_id, g->pending, p, next_pending)
		pending_free(c, p);
	timer_unset(&c->timers, &g->rebalance);
	mem_str_free(g->protocol);
	g->protocol = (struct str){0};
	g->state = GROUP_EMPTY;
	g->state_since_ms = instant_wall_ms(c->now);
	g->generation = 0;
}

void group_free(struct cluster *c, struct group *g)
{
	HASH_DELETE(by_id, c->groups.by_id, g);
	group_clear(c, g);
	consumer_group_release(c, g);
	offsets_release(g);
	txn_offsets_release(g);
	mem_str_free(g->id);
	mem_str_free(g->protocol_type);
	free(g);
}

void groups_release(struct cluster *c)
{
	struct group *g, *next;

	HASH_ITER (by_id, c->groups.by_id, g, next)
		group_free(c, g);
}

/* ---- members ---- */

struct str member_new_id(struct cluster *c, struct str client_id, struct str instance_id)
{
	struct str prefix = instance_id.data ? instance_id : client_id;
	struct uuid u = rand_uuid(&c->rand);
	char hex[2 * sizeof(u.b) + 1];
	char *id = mem_new((size_t)(prefix.data ? prefix.len : 0) + 38);
	int32_t len = prefix.data ? prefix.len : 0;

	for (size_t i = 0; i < sizeof(u.b); i++)
		snprintf(hex + 2 * i, 3, "%02x", u.b[i]);
	if (len)
		memcpy(id, prefix.data, (size_t)len);
	snprintf(id + len, 38, "-%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	return (struct str){id, len + 37};
}

static void on_pending_due(struct cluster *c, void *owner)
{
	struct pending_member *p = owner;

	group_drop_pending(c, p->group, p);
}

void group_add_pending(struct cluster *c, struct group *g, struct str id,
		       int32_t session_timeout_ms)
{
	struct pending_member *p = mem_new(sizeof(*p));

	p->group = g;
	p->id = mem_str(id);
	p->session.on_due = on_pending_due;
	p->session.owner = p;
	HASH_ADD_KEYPTR(by_id, g->pending, p->id.data, (unsigned)id.len, p);
	timer_set(&c->timers, &p->session, c->now.mono_us + session_timeout_ms * INT64_C(1000));
}

void group_drop_pending(struct cluster *c, struct group *g, struct pending_member *p)
{
	pending_free(c, p);
	group_maybe_complete_join(c, g);
}

/* A member that waits for others is alive by that; only a new one may not wait for ever. */
static void on_session_due(struct cluster *c, void *owner)
{
	struct member *m = owner;

	if ((m->awaiting_join && !m->is_new) || m->awaiting_sync)
		member_alive(c, m);
	else
		group_remove_member(c, m, "session time-out");
}

void member_alive(struct cluster *c, struct member *m)
{
	int64_t ms = m->awaiting_join && m->is_new && m->session_timeout_ms < GROUP_NEW_JOIN_MS
			     ? GROUP_NEW_JOIN_MS
			     : m->session_timeout_ms;

	timer_set(&c->timers, &m->session, c->now.mono_us + ms * 1000);
}

static void set_protocols(struct member *m, const struct group_protocol *protocols, int32_t count)
{
	struct group_protocol *copy = mem_new((size_t)count * sizeof(*copy));

	for (int32_t i = 0; i < count; i++) {
		copy[i].name = mem_str(protocols[i].name);
		copy[i].metadata = mem_bytes(protocols[i].metadata);
	}
	protocols_free(m);
	m->protocols = copy;
	m->protocols_count = count;
	count_protocols(m, 1);
}

struct member *group_add_member(struct cluster *c, struct group *g, struct str id,
				const struct member_spec *spec)
{
	struct member *m = mem_new(sizeof(*m));

	if (!g->members) {
		mem_str_free(g->protocol_type);
		g->protocol_type = mem_str(spec->protocol_type);
	}
	m->group = g;
	m->id = mem_str(id);
	m->instance_id = mem_str(spec->instance_id);
	m->client_id = mem_str(spec->client_id);
	m->client_host = mem_str(spec->client_host);
	m->session.on_due = on_session_due;
	m->session.owner = m;
	m->is_new = true;
	HASH_ADD_KEYPTR(by_id, g->members, m->id.data, (unsigned)id.len, m);
	g->members_count++;
	if (!g->leader)
		g->leader = m;
	member_rejoin(c, m, spec);
	return m;
}

void member_await_join(struct member *m, bool awaiting)
{
	m->group->awaiting_join_count += awaiting - m->awaiting_join;
	m->awaiting_join = awaiting;
}

void member_rejoin(struct cluster *c, struct member *m, const struct member_spec *spec)
{
	m->session_timeout_ms = spec->session_timeout_ms;
	m->rebalance_timeout_ms = spec->rebalance_timeout_ms;
	set_protocols(m, spec->protocols, spec->protocols_count);
	member_await_join(m, true);
	member_alive(c, m);
}

void member_replace_id(struct cluster *c, struct member *m, struct str id)
{
	struct group *g = m->group;

	waitlist_wake(c, &m->waiters);
	HASH_DELETE(by_id, g->members, m);
	mem_str_free(m->id);
	m->id = mem_str(id);
	member_await_join(m, false);
	m->awaiting_sync = false;
	HASH_ADD_KEYPTR(by_id, g->members, m->id.data, (unsigned)id.len, m);
}

bool member_matches(const struct member *m, const struct group_protocol *protocols, int32_t count)
{
	if (count != m->protocols_count)
		return false;
	for (int32_t i = 0; i < count; i++) {
		const struct group_protocol *a = &m->protocols[i], *b = &protocols[i];

		if (!str_eq(a->name, b->name) || a->metadata.len != b->metadata.len ||
		    memcmp(a->metadata.data, b->metadata.data, (size_t)a->metadata.len))
			return false;
	}
	return true;
}

void group_remove_member(struct cluster *c, struct member *m, const char *reason)
{
	struct group *g = m->group;

	member_free(c, m);
	if (!g->leader && g->members)
		g->leader = g->members;
	if (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING_REBALANCE)
		group_rebalance(c, g, reason);
	else if (g->state == GROUP_PREPARING_REBALANCE)
		group_maybe_complete_join(c, g);
}

/* ---- subscriptions ---- */

/* Whether a classic member's subscription holds the topic. */
static bool subscription_has(struct bytes metadata, struct str topic, struct arena *arena)
{
	struct consumer_protocol_subscription s;
	int16_t version;

	if (!subscription_read(metadata, arena, &s, &version))
		return false;
	for (int32_t i = 0; i < s.topics_count; i++)
		if (str_eq(s.topics[i], topic))
			return true;
	return false;
}

bool group_subscribes(const struct group *g, const struct topic *t, struct arena *arena)
{
	struct tp first;

	if (!t)
		return false;
	memset(&first, 0, sizeof(first));
	first.topic_id = t->id;
	if (g->consumer)
		for (struct subscription *s = g->consumer->subscriptions; s; s = s->hh.next)
			if (tp_set_has(&s->eligible, first))
				return true;
	for (const struct member *m = g->members; m; m = m->by_id.next)
		for (int32_t i = 0; i < m->protocols_count; i++)
			if (subscription_has(m->protocols[i].metadata, t->name, arena))
				return true;
	return false;
}

/* ---- protocols ---- */

static bool all_know(const struct group *g, struct str protocol)
{
	struct known_protocol *k;

	HASH_FIND(hh, g->known, protocol.data, (unsigned)protocol.len, k);
	return k && k->members == g->members_count;
}

bool group_supports(const struct group *g, struct str type, const struct group_protocol *protocols,
		    int32_t count)
{
	if (!type.data || !type.len || count <= 0)
		return false;
	if (!g->members)
		return true;
	if (!str_eq(g->protocol_type, type))
		return false;
	for (int32_t i = 0; i < count; i++)
		if (all_know(g, protocols[i].name))
			return true;
	return false;
}

/* Each member votes for the first of its own that all know. */
struct str group_select_protocol(const struct group *g)
{
	struct member *m, *next, *voter, *next_voter;
	struct str best = {0};
	int32_t best_votes = 0;

	HASH_ITER (by_id, g->members, m, next) {
		struct str choice = {0};
		int32_t votes = 0;

		for (int32_t i = 0; i < m->protocols_count && !choice.data; i++)
			if (all_know(g, m->protocols[i].name))
				choice = m->protocols[i].name;
		if (!choice.data || str_eq(choice, best))
			continue;
		HASH_ITER (by_id, g->members, voter, next_voter) {
			int32_t i = 0;

			while (!all_know(g, voter->protocols[i].name))
				i++;
			votes += str_eq(voter->protocols[i].name, choice);
		}
		if (votes > best_votes) {
			best = choice;
			best_votes = votes;
		}
		if (2 * votes > g->members_count)
			break;
	}
	return best;
}

/* ---- the rebalance ---- */

static int64_t rebalance_timeout_us(const struct group *g)
{
	struct member *m, *next;
	int32_t longest = 0;

	HASH_ITER (by_id, g->members, m, next)
		if (m->rebalance_timeout_ms > longest)
			longest = m->rebalance_timeout_ms;
	return longest * INT64_C(1000);
}

/* Ends the sync phase: whoever waits in SyncGroup hears of the new rebalance. */
static void end_sync(struct cluster *c, struct group *g)
{
	struct member *m, *next;

	HASH_ITER (by_id, g->members, m, next) {
		m->awaiting_sync = false;
		mem_bytes_free(m->assignment);
		m->assignment = (struct bytes){NULL, 0};
		waitlist_wake(c, &m->waiters);
		member_alive(c, m);
	}
}

/* group.initial.rebalance.delay.ms: a new group waits for its members to come, again as long as
 * they do, at most a rebalance time-out in all. */
static void gather(struct cluster *c, struct group *g)
{
	int64_t delay_us = c->config.broker.group_initial_delay_ms * INT64_C(1000);
	int64_t due_us = c->now.mono_us + delay_us;

	g->gathering = g->gathered < g->members_count && c->now.mono_us < g->gather_end_us;
	g->gathered = g->members_count;
	if (g->gathering)
		timer_set(&c->timers, &g->rebalance,
			  due_us < g->gather_end_us ? due_us : g->gather_end_us);
	else
		timer_set(&c->timers, &g->rebalance, c->now.mono_us + rebalance_timeout_us(g));
}

void group_rebalance(struct cluster *c, struct group *g, const char *reason)
{
	if (g->state != GROUP_PREPARING_REBALANCE) {
		if (g->state == GROUP_COMPLETING_REBALANCE)
			end_sync(c, g);
		g->gathered = 0;
		g->gather_end_us =
			g->state == GROUP_EMPTY && c->config.broker.group_initial_delay_ms
				? c->now.mono_us + rebalance_timeout_us(g)
				: 0;
		gather(c, g);
		set_state(c, g, GROUP_PREPARING_REBALANCE, reason);
	}
	group_maybe_complete_join(c, g);
}

/* The next generation begins with whoever is here. */
static void complete_join(struct cluster *c, struct group *g)
{
	struct member *m, *next;
	struct str protocol;

	g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
	mem_str_free(g->protocol);
	g->protocol = (struct str){0};
	if (!g->members) {
		timer_unset(&c->timers, &g->rebalance);
		set_state(c, g, GROUP_EMPTY, "no members");
		return;
	}
	protocol = group_select_protocol(g);
	g->protocol = mem_str(protocol);
	timer_set(&c->timers, &g->rebalance, c->now.mono_us + rebalance_timeout_us(g));
	set_state(c, g, GROUP_COMPLETING_REBALANCE, "all joined");
	HASH_ITER (by_id, g->members, m, next) {
		member_await_join(m, false);
		m->is_new = false;
		waitlist_wake(c, &m->waiters);
		member_alive(c, m);
	}
}

void group_maybe_complete_join(struct cluster *c, struct group *g)
{
	if (g->state == GROUP_PREPARING_REBALANCE && !g->pending && !g->gathering &&
	    g->awaiting_join_count == g->members_count)
		complete_join(c, g);
}

/* Who did not join in time is out; static members stay until their session ends. */
static void end_join(struct cluster *c, struct group *g)
{
	struct member *m, *next;
	struct member *joined = NULL;

	HASH_ITER (by_id, g->members, m, next) {
		if (!m->awaiting_join && !m->instance_id.data)
			member_free(c, m);
		else if (m->awaiting_join && !joined)
			joined = m;
	}
	if (g->members && !joined) {
		if (!g->leader)
			g->leader = g->members;
		if (rebalance_timeout_us(g) > 0)
			timer_set(&c->timers, &g->rebalance,
				  c->now.mono_us + rebalance_timeout_us(g));
		return;
	}
	if (joined && (!g->leader || !g->leader->awaiting_join))
		g->leader = joined;
	complete_join(c, g);
}

/* Who joined but never asked for its assignment is out, and the group starts over. */
static void end_pending_sync(struct cluster *c, struct group *g)
{
	struct member *m, *next;
	bool any = false;

	HASH_ITER (by_id, g->members, m, next) {
		if (m->awaiting_sync)
			continue;
		member_free(c, m);
		any = true;
	}
	if (!g->leader && g->members)
		g->leader = g->members;
	if (any)
		group_rebalance(c, g, "no SyncGroup in time");
}

static void on_rebalance_due(struct cluster *c, void *owner)
{
	struct group *g = owner;

	if (g->state == GROUP_PREPARING_REBALANCE && g->gathering) {
		gather(c, g);
		group_maybe_complete_join(c, g);
	} else if (g->state == GROUP_PREPARING_REBALANCE) {
		end_join(c, g);
	} else if (g->state == GROUP_COMPLETING_REBALANCE) {
		end_pending_sync(c, g);
	}
}

void group_resume(struct cluster *c, struct group *g, int32_t generation)
{
	struct member *m, *next;

	HASH_ITER (by_id, g->members, m, next) {
		member_await_join(m, false);
		m->is_new = false;
		member_alive(c, m);
	}
	g->generation = generation;
	g->protocol = mem_str(group_select_protocol(g));
	set_state(c, g, GROUP_STABLE, "no member of the new protocol is left");
}

void group_assigned(struct cluster *c, struct group *g)
{
	struct member *m, *next;

	timer_unset(&c->timers, &g->rebalance);
	set_state(c, g, GROUP_STABLE, "assignment received");
	HASH_ITER (by_id, g->members, m, next) {
		m->awaiting_sync = false;
		waitlist_wake(c, &m->waiters);
		member_alive(c, m);
	}
}
