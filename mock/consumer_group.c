/* KIP-848: the group's epoch moves with its members and subscriptions, a target assignment is made
 * for that epoch, and each member is led to it by its own heartbeats (rules 32 to 34 of the
 * acceptance text). Invariant: owners names, for each partition, the member that has it assigned or
 * still revoking; nobody else is given it. */
#include "mock/consumer_group.h"

#include "base/json.h"
#include "mock/assignor.h"
#include "mock/mem.h"
#include "mock/mixed_group.h"
#include "mock/state.h"

#include <stdlib.h>

/* Who has a partition, or still has to give it up. */
struct tp_owner {
	struct tp tp;
	struct consumer_member *member;
	UT_hash_handle hh;
};

static const struct str uniform = {"uniform", 7};

/* ---- events and states ---- */

static bool settled(const struct consumer_group *cg, const struct consumer_member *m)
{
	return m->state == CONSUMER_STABLE && m->epoch == cg->assignment_epoch;
}

/* A member that is not settled, from the last one found on: they mostly settle one behind the
 * other, and are asked for after each. */
static struct consumer_member *find_unsettled(const struct consumer_group *cg)
{
	struct consumer_member *m = cg->unsettled ? cg->unsettled : cg->members;

	for (unsigned left = HASH_CNT(by_id, cg->members); left; left--) {
		if (!settled(cg, m))
			return m;
		m = m->by_id.next ? m->by_id.next : cg->members;
	}
	return NULL;
}

const char *consumer_group_state(const struct group *g)
{
	struct consumer_group *cg = g->consumer;

	if (!cg->members)
		return "Empty";
	if (cg->epoch > cg->assignment_epoch)
		return "Assigning";
	cg->unsettled = find_unsettled(cg);
	return cg->unsettled ? "Reconciling" : "Stable";
}

/* As many partitions as are left to be told, and how many there are. */
static void put_set(struct json *j, const char *name, const char *count, const struct tp_set *s,
		    int32_t *left)
{
	char text[UUID_TEXT_SIZE];

	json_key_int(j, count, s->count);
	json_key(j, name);
	json_open(j, '[');
	for (int32_t i = 0; i < s->count && *left; i++, --*left) {
		uuid_text(s->list[i].topic_id, text);
		json_open(j, '{');
		json_key_text(j, "topicId", text);
		json_key_int(j, "partition", s->list[i].partition);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void tell(struct cluster *c, const struct group *g, const char *reason)
{
	const struct consumer_group *cg = g->consumer;
	int32_t members = GROUP_MEMBERS_TOLD, partitions = GROUP_PARTITIONS_TOLD;
	struct json j;

	if (!cluster_listened(c))
		return;
	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, "group", g->id);
	json_key_text(&j, "type", "consumer");
	json_key_text(&j, "state", consumer_group_state(g));
	json_key_int(&j, "epoch", cg->epoch);
	json_key_int(&j, "assignmentEpoch", cg->assignment_epoch);
	json_key_text(&j, "reason", reason);
	json_key_int(&j, "memberCount", HASH_CNT(by_id, cg->members));
	json_key(&j, "members");
	json_open(&j, '[');
	for (const struct consumer_member *m = cg->members; m && members--; m = m->by_id.next) {
		json_open(&j, '{');
		json_key_str(&j, "id", m->id);
		json_key_str(&j, "instance", m->instance_id);
		json_key_str(&j, "client", m->client_id);
		json_key_int(&j, "epoch", m->epoch);
		put_set(&j, "assigned", "assignedCount", &m->assigned, &partitions);
		put_set(&j, "revoking", "revokingCount", &m->revoking, &partitions);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	cluster_event(c, "group-state", &c->scratch);
}

/* ---- ownership ---- */

static struct consumer_member *owner_of(const struct consumer_group *cg, struct tp tp)
{
	struct tp_owner *o;

	HASH_FIND(hh, cg->owners, &tp, sizeof(tp), o);
	return o ? o->member : NULL;
}

static void own(struct consumer_group *cg, const struct tp_set *s, struct consumer_member *m)
{
	for (int32_t i = 0; i < s->count; i++) {
		struct tp_owner *o;

		HASH_FIND(hh, cg->owners, &s->list[i], sizeof(o->tp), o);
		if (!o) {
			o = mem_new(sizeof(*o));
			o->tp = s->list[i];
			HASH_ADD(hh, cg->owners, tp, sizeof(o->tp), o);
		}
		o->member = m;
	}
}

static void disown(struct consumer_group *cg, const struct tp_set *s,
		   const struct consumer_member *m)
{
	for (int32_t i = 0; i < s->count; i++) {
		struct tp_owner *o;

		HASH_FIND(hh, cg->owners, &s->list[i], sizeof(o->tp), o);
		if (!o || o->member != m)
			continue;
		HASH_DELETE(hh, cg->owners, o);
		free(o);
	}
}

/* ---- life ---- */

void consumer_group_init(struct cluster *c, struct group *g)
{
	(void)c;
	g->consumer = mem_new(sizeof(*g->consumer));
	g->consumer->epoch = 1;
	g->consumer->assignor = uniform;
}

bool consumer_group_full(const struct cluster *c, const struct group *g)
{
	return (int32_t)HASH_CNT(by_id, g->consumer->members) >= c->config.broker.consumer_max_size;
}

struct consumer_member *consumer_find(const struct group *g, struct str id)
{
	struct consumer_member *m = NULL;

	if (id.data)
		HASH_FIND(by_id, g->consumer->members, id.data, (unsigned)id.len, m);
	return m;
}

struct consumer_member *consumer_by_instance(const struct group *g, struct str instance_id)
{
	struct consumer_member *m = g->consumer->members;

	while (m && !(m->instance_id.data && str_eq(m->instance_id, instance_id)))
		m = m->by_id.next;
	return instance_id.data ? m : NULL;
}

static void member_free(struct cluster *c, struct consumer_member *m)
{
	struct consumer_group *cg = m->group->consumer;

	if (cg->unsettled == m)
		cg->unsettled = NULL;
	HASH_DELETE(by_id, cg->members, m);
	disown(cg, &m->assigned, m);
	disown(cg, &m->revoking, m);
	timer_unset(&c->timers, &m->session);
	timer_unset(&c->timers, &m->rebalance);
	consumer_classic_free(c, m);
	subscription_put(&cg->subscriptions, m->subscription);
	tp_set_release(&m->assigned);
	tp_set_release(&m->revoking);
	tp_set_release(&m->target);
	mem_str_free(m->id);
	mem_str_free(m->instance_id);
	mem_str_free(m->rack_id);
	mem_str_free(m->client_id);
	mem_str_free(m->client_host);
	mem_str_free(m->assignor);
	free(m);
}

void consumer_group_release(struct cluster *c, struct group *g)
{
	if (!g->consumer)
		return;
	while (g->consumer->members)
		member_free(c, g->consumer->members);
	free(g->consumer);
	g->consumer = NULL;
}

void consumer_remove(struct cluster *c, struct consumer_member *m, const char *reason)
{
	struct group *g = m->group;

	member_free(c, m);
	if (mixed_downgrade(c, g, false))
		return;
	if (!g->consumer->members) /* nobody is left to assign anything to */
		g->consumer->assignment_epoch = g->consumer->epoch + 1;
	consumer_group_bump(c, g, reason);
}

static void on_session_due(struct cluster *c, void *owner)
{
	consumer_remove(c, owner, "session time-out");
}

static void on_rebalance_due(struct cluster *c, void *owner)
{
	consumer_remove(c, owner, "partitions not given up in time");
}

void consumer_alive(struct cluster *c, struct consumer_member *m)
{
	int32_t session_ms = configs_group_number(c, m->group->id, "consumer.session.timeout.ms",
						  c->config.broker.consumer_session_ms);

	if (m->classic)
		session_ms = m->classic->session_timeout_ms;
	timer_set(&c->timers, &m->session, c->now.mono_us + session_ms * INT64_C(1000));
}

int16_t consumer_stale(const struct consumer_member *m)
{
	return m->classic ? ERROR_ILLEGAL_GENERATION : ERROR_STALE_MEMBER_EPOCH;
}

struct consumer_member *consumer_add(struct cluster *c, struct group *g, struct str id,
				     struct str instance_id)
{
	struct consumer_member *m = mem_new(sizeof(*m));

	m->group = g;
	m->id = mem_str(id);
	m->instance_id = mem_str(instance_id);
	m->subscription =
		subscription_get(c, &g->consumer->subscriptions, NULL, 0, (struct str){0});
	m->session.on_due = on_session_due;
	m->rebalance.on_due = on_rebalance_due;
	m->session.owner = m->rebalance.owner = m;
	HASH_ADD_KEYPTR(by_id, g->consumer->members, m->id.data, (unsigned)id.len, m);
	consumer_alive(c, m);
	return m;
}

void consumer_replace(struct cluster *c, struct consumer_member *m, struct str id)
{
	struct consumer_group *cg = m->group->consumer;

	HASH_DELETE(by_id, cg->members, m);
	mem_str_free(m->id);
	m->id = mem_str(id);
	HASH_ADD_KEYPTR(by_id, cg->members, m->id.data, (unsigned)id.len, m);
	m->epoch = m->previous_epoch = 0;
	consumer_alive(c, m);
}

void consumer_leave_static(struct cluster *c, struct consumer_member *m)
{
	disown(m->group->consumer, &m->revoking, m);
	tp_set_clear(&m->revoking);
	timer_unset(&c->timers, &m->rebalance);
	m->epoch = -2;
}

bool consumer_subscribe(struct cluster *c, struct consumer_member *m, const struct str *topics,
			int32_t count, struct str regex)
{
	struct subscription **all = &m->group->consumer->subscriptions, *was = m->subscription;
	bool named = count >= 0;

	m->subscription = subscription_get(c, all, named ? topics : was->topics,
					   named ? count : was->topics_count,
					   regex.data ? regex : was->regex);
	subscription_put(all, was);
	return m->subscription != was;
}

/* ---- the target ---- */

void consumer_group_bump(struct cluster *c, struct group *g, const char *reason)
{
	g->consumer->epoch++;
	tell(c, g, reason);
}

/* Whether a change of topics has changed what members could have. */
static bool topics_moved(struct cluster *c, struct consumer_group *cg)
{
	if (cg->topics_seen == c->topics.version)
		return false;
	cg->topics_seen = c->topics.version;
	return subscriptions_update(c, cg->subscriptions);
}

/* The assignor that most members wish for; uniform if none does. */
static struct str preferred(const struct consumer_group *cg)
{
	int32_t range = 0, other = 0;

	for (const struct consumer_member *m = cg->members; m; m = m->by_id.next) {
		if (str_is(m->assignor, "range"))
			range++;
		else if (m->assignor.data)
			other++;
	}
	return range > other ? (struct str){"range", 5} : uniform;
}

static void assign(struct cluster *c, struct group *g)
{
	struct consumer_group *cg = g->consumer;
	int32_t count = (int32_t)HASH_CNT(by_id, cg->members), n = 0;
	struct consumer_member **list = mem_new((size_t)count * sizeof(struct consumer_member *));

	for (struct consumer_member *m = cg->members; m; m = m->by_id.next)
		list[n++] = m;
	cg->assignor = preferred(cg);
	assignor_find(cg->assignor)(list, count);
	free(list);
	cg->assignment_epoch = cg->epoch;
	cg->assigned_us = c->now.mono_us;
	tell(c, g, "new target assignment");
}

void consumer_group_update(struct cluster *c, struct group *g)
{
	struct consumer_group *cg = g->consumer;
	int32_t interval_ms = configs_group_number(c, g->id, "consumer.assignment.interval.ms",
						   c->config.broker.consumer_interval_ms);
	bool first = cg->assignment_epoch == 0;

	if (topics_moved(c, cg) && cg->epoch == cg->assignment_epoch)
		consumer_group_bump(c, g, "subscribed topics changed");
	if (cg->epoch > cg->assignment_epoch &&
	    (first || c->now.mono_us - cg->assigned_us >= interval_ms * INT64_C(1000)))
		assign(c, g);
}

/* ---- reconciliation ---- */

static void move_to(struct consumer_member *m, int32_t epoch)
{
	if (epoch == m->epoch)
		return;
	m->previous_epoch = m->epoch;
	m->epoch = epoch;
}

/* Whether it still has, or may have, what it must give up. */
static bool still_owns(const struct tp_set *revoking, const struct tp_set *owned)
{
	return revoking->count && (!owned || tp_set_overlaps(revoking, owned));
}

/* Of what the target adds, what is free; true if some is not. */
static bool take_free(struct consumer_group *cg, struct consumer_member *m, struct tp_set *next)
{
	bool missing = false;

	for (int32_t i = 0; i < m->target.count; i++) {
		struct consumer_member *owner = owner_of(cg, m->target.list[i]);

		if (tp_set_has(&m->assigned, m->target.list[i]))
			continue;
		if (owner && owner != m)
			missing = true;
		else
			tp_set_add(next, m->target.list[i]);
	}
	tp_set_sort(next);
	return missing;
}

/* From `epoch`, towards the target: first give up, then get what is free. */
static void step(struct cluster *c, struct consumer_member *m, int32_t epoch,
		 const struct tp_set *owned)
{
	struct consumer_group *cg = m->group->consumer;
	struct tp_set keep = {0}, give = {0};
	bool missing;

	tp_set_intersect(&keep, &m->assigned, &m->target);
	tp_set_minus(&give, &m->assigned, &m->target);
	disown(cg, &m->revoking, m);
	tp_set_clear(&m->revoking);
	if (still_owns(&give, owned)) {
		tp_set_copy(&m->revoking, &give);
		tp_set_copy(&m->assigned, &keep);
		m->state = CONSUMER_UNREVOKED;
		move_to(m, epoch);
		if (!m->classic) /* these have a deadline of their own */
			timer_set(&c->timers, &m->rebalance,
				  c->now.mono_us + m->rebalance_timeout_ms * INT64_C(1000));
	} else {
		disown(cg, &give, m);
		missing = take_free(cg, m, &keep);
		tp_set_copy(&m->assigned, &keep);
		m->state = missing ? CONSUMER_UNRELEASED : CONSUMER_STABLE;
		move_to(m, cg->assignment_epoch);
		timer_unset(&c->timers, &m->rebalance);
	}
	own(cg, &m->assigned, m);
	own(cg, &m->revoking, m);
	tp_set_release(&keep);
	tp_set_release(&give);
}

bool consumer_waits(const struct consumer_member *m)
{
	for (int32_t i = 0; i < m->target.count; i++)
		if (!tp_set_has(&m->assigned, m->target.list[i]) &&
		    owner_of(m->group->consumer, m->target.list[i]))
			return true;
	return false;
}

void consumer_settle(struct consumer_member *m, int32_t epoch, const struct tp_set *has)
{
	tp_set_copy(&m->assigned, has);
	tp_set_copy(&m->target, has);
	own(m->group->consumer, has, m);
	m->epoch = m->previous_epoch = epoch;
}

bool consumer_reconcile(struct cluster *c, struct consumer_member *m, const struct tp_set *owned)
{
	struct consumer_group *cg = m->group->consumer;
	enum consumer_state before = m->state;
	int32_t epoch = m->epoch;
	struct tp_set was = {0};
	bool changed;

	if ((m->state == CONSUMER_STABLE && m->epoch == cg->assignment_epoch) ||
	    (m->state == CONSUMER_UNREVOKED && still_owns(&m->revoking, owned)))
		return false;
	tp_set_copy(&was, &m->assigned);
	step(c, m, m->state == CONSUMER_UNREVOKED ? m->epoch + 1 : m->epoch, owned);
	changed = !tp_set_equal(&was, &m->assigned);
	tp_set_release(&was);
	if (changed || before != m->state || epoch != m->epoch)
		tell(c, m->group, "a member was reconciled");
	return changed;
}
