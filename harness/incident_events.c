/* What happened to the cluster while it was captured: brokers that were gone, partitions and groups
 * that moved. Seen only through what clients were told; the moment is the first sign of it. */
#include "harness/incident.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX  1000
#define DOWN_MAX    200
#define GONE_FOR_US (30 * (int64_t)1000000) /* metadata may be told so much later */
#define KEYS_MAX    1000
#define AT_ONCE_US  50000
#define BEATS_US    (5 * (int64_t)1000000) /* less than the shortest session time-out of a group */

static struct incident_event *add_event(struct incident *in, enum incident_event_kind kind,
					int64_t time_us)
{
	struct incident_event *e;

	if (in->events_count == EVENTS_MAX)
		return NULL;
	e = &in->events[in->events_count++];
	*e = (struct incident_event){.kind = kind, .time_us = time_us};
	return e;
}

/* ---- brokers that went ---- */

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port && !memcmp(a->addr, b->addr, 16);
}

/* The broker that a connection was to, also one that never came to be; -1 unknown. */
static int32_t broker_of(const struct incident *in, const struct session_conn *c)
{
	const struct session *s = in->session;

	for (size_t i = 0; i < s->conns_count && c->broker < 0; i++)
		if (s->conns[i]->broker >= 0 && same_place(&s->conns[i]->server, &c->server))
			return s->conns[i]->broker;
	return c->broker;
}

static bool never_served(const struct session_conn *c)
{
	return c->refused ||
	       (!c->exchanges_count && !c->midway && c->closed && c->how == CLOSE_RESET_BY_BROKER);
}

/* The first sign after a moment that the broker is gone: it refuses, or metadata lacks it. */
static int64_t first_absence(const struct incident *in, int32_t broker, int64_t after_us)
{
	const struct session *s = in->session;
	int64_t first = INT64_MAX;
	bool known = false;

	for (size_t i = 0; i < s->conns_count; i++)
		if (never_served(s->conns[i]) && broker_of(in, s->conns[i]) == broker &&
		    s->conns[i]->opened_us > after_us && s->conns[i]->opened_us < first)
			first = s->conns[i]->opened_us;
	for (size_t i = 0; i < in->count; i++) {
		const struct session_exchange *x = in->list[i].x;
		const struct metadata_response *m = x->response_body;
		bool has = false;

		if (x->header.api_key != API_METADATA || !m || x->response_us >= first)
			continue;
		for (int32_t k = 0; k < m->brokers_count; k++)
			has |= m->brokers[k].node_id == broker;
		if (known && !has && m->brokers_count && x->response_us > after_us)
			first = x->response_us;
		known |= has;
	}
	return first;
}

static int64_t first_presence(const struct incident *in, int32_t broker, int64_t after_us)
{
	const struct session *s = in->session;
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < s->conns_count; i++)
		if (!never_served(s->conns[i]) && broker_of(in, s->conns[i]) == broker &&
		    s->conns[i]->opened_us > after_us && s->conns[i]->opened_us < first)
			first = s->conns[i]->opened_us;
	return first;
}

/* When it went: its connections ended, the first of those that end without a new one before the
 * sign. */
static int64_t went_at(const struct incident *in, int32_t broker, int64_t sign_us)
{
	const struct session *s = in->session;
	int64_t last_open = INT64_MIN, first = sign_us;

	for (size_t i = 0; i < s->conns_count; i++)
		if (!never_served(s->conns[i]) && broker_of(in, s->conns[i]) == broker &&
		    s->conns[i]->opened_us < sign_us && s->conns[i]->opened_us > last_open)
			last_open = s->conns[i]->opened_us;
	for (size_t i = 0; i < s->conns_count; i++) {
		const struct session_conn *c = s->conns[i];
		bool ended = c->closed && !never_served(c) && broker_of(in, c) == broker &&
			     (c->how == CLOSE_BY_BROKER || c->how == CLOSE_RESET_BY_BROKER);

		if (ended && c->closed_us >= last_open && c->closed_us < first &&
		    sign_us - c->closed_us < GONE_FOR_US)
			first = c->closed_us;
	}
	return first;
}

static bool add_broker_event(struct incident *in, enum incident_event_kind kind, int32_t broker,
			     int64_t time_us)
{
	struct incident_event *e = add_event(in, kind, time_us);

	if (e)
		snprintf(e->text, sizeof(e->text), "broker-%s broker=%d",
			 kind == HAPPENED_DOWN ? "down" : "up", incident_node(in, broker));
	return e != NULL;
}

static void find_downs(struct incident *in, int32_t broker)
{
	int64_t at = INT64_MIN;

	for (int i = 0; i < DOWN_MAX; i++) {
		int64_t sign = first_absence(in, broker, at), up;

		if (sign == INT64_MAX ||
		    !add_broker_event(in, HAPPENED_DOWN, broker, went_at(in, broker, sign)))
			return;
		up = first_presence(in, broker, sign);
		if (up == INT64_MAX || !add_broker_event(in, HAPPENED_UP, broker, up - 1))
			return;
		at = up;
	}
}

bool incident_is_down(const struct incident *in, int32_t node, int64_t time_us)
{
	bool down = false;
	char text[60];

	for (size_t i = 0; i < in->events_count && in->events[i].time_us <= time_us; i++) {
		snprintf(text, sizeof(text), "broker-down broker=%d", node);
		if (!strcmp(in->events[i].text, text))
			down = true;
		snprintf(text, sizeof(text), "broker-up broker=%d", node);
		if (!strcmp(in->events[i].text, text))
			down = false;
	}
	return down;
}

/* ---- brokers that came back at once ---- */

/* It led the partition until just then, or led it under another epoch. */
static bool moved_then(const struct seen_partition *p, int32_t broker, int64_t time_us)
{
	for (size_t i = 1; i < p->leaders_count; i++)
		if (p->leaders[i - 1].leader == broker && p->leaders[i - 1].time_us < time_us &&
		    p->leaders[i].time_us >= time_us)
			return true;
	return false;
}

static bool epochs_moved(const struct incident *in, int32_t broker, int64_t time_us)
{
	bool moved = false;

	for (size_t i = 0; i < in->seen->topics_count; i++)
		for (int32_t k = 0; k < in->seen->topics[i].partitions_count; k++)
			moved |= moved_then(&in->seen->topics[i].partitions[k], broker, time_us);
	return moved;
}

/* When the last of the connections was closed that a broker closed from then on; 0: some of those
 * that were open lived on. */
static int64_t all_closed_us(const struct incident *in, int32_t broker, int64_t time_us)
{
	int64_t last = time_us;

	for (size_t i = 0; i < in->session->conns_count; i++) {
		const struct session_conn *c = in->session->conns[i];

		if (never_served(c) || broker_of(in, c) != broker || c->opened_us >= time_us ||
		    (c->closed && c->closed_us < time_us))
			continue;
		if (!c->closed || c->closed_us > time_us + AT_ONCE_US)
			return 0;
		last = c->closed_us > last ? c->closed_us : last;
	}
	return last;
}

static void find_restarts(struct incident *in, int32_t broker)
{
	const struct session *s = in->session;
	int64_t done_us = 0;

	for (size_t i = 0; i < s->conns_count; i++) {
		const struct session_conn *c = s->conns[i];
		bool ended = c->closed && !never_served(c) && broker_of(in, c) == broker &&
			     (c->how == CLOSE_BY_BROKER || c->how == CLOSE_RESET_BY_BROKER);
		int64_t last = ended && c->closed_us > done_us &&
					       !incident_is_down(in, incident_node(in, broker),
								 c->closed_us)
				       ? all_closed_us(in, broker, c->closed_us)
				       : 0;

		if (!last || !epochs_moved(in, broker, c->closed_us))
			continue;
		add_broker_event(in, HAPPENED_DOWN, broker, c->closed_us);
		add_broker_event(in, HAPPENED_UP, broker, last + 1);
		done_us = last;
	}
}

/* ---- leaders and coordinators ---- */

static bool says_moved(int16_t code)
{
	return code == ERROR_NOT_LEADER_OR_FOLLOWER || code == ERROR_FENCED_LEADER_EPOCH ||
	       code == ERROR_UNKNOWN_LEADER_EPOCH || code == ERROR_NOT_COORDINATOR ||
	       code == ERROR_OFFSET_OUT_OF_RANGE;
}

/* The first error between two moments by which somebody notices; the later one if there is none. */
static int64_t noticed(const struct incident *in, struct str topic, int32_t partition,
		       struct str group, int64_t from_us, int64_t to_us)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct about *a = &in->list[i];

		if (a->work_us <= from_us || a->work_us >= to_us)
			continue;
		for (int32_t k = 0; k < a->errors_count; k++) {
			const struct told_error *e = &a->errors[k];
			bool same = group.data ? str_eq(a->group, group)
					       : e->partition == partition && e->topic.data &&
							 str_eq(e->topic, topic);

			if (same && says_moved(e->code))
				return a->work_us - 1;
		}
	}
	return to_us;
}

static bool went_between(const struct incident *in, int32_t broker, int64_t from_us, int64_t to_us)
{
	char text[60];

	snprintf(text, sizeof(text), "broker-down broker=%d", incident_node(in, broker));
	for (size_t i = 0; i < in->events_count; i++)
		if (in->events[i].time_us > from_us && in->events[i].time_us <= to_us &&
		    !strcmp(in->events[i].text, text))
			return true;
	return false;
}

/* A cut shows only once somebody writes, reads or asks at the leader that it came with. */
static bool was_cut_by(const struct seen_partition *p, size_t i)
{
	return p->cut.time_us && p->cut.offset <= INCIDENT_OFFSET_MAX &&
	       p->leaders[i - 1].time_us < p->cut.time_us &&
	       (i + 1 == p->leaders_count || p->leaders[i].time_us >= p->cut.time_us ||
		p->leaders[i + 1].time_us > p->cut.time_us);
}

static void leader_changed(struct incident *in, const struct seen_topic *t,
			   const struct seen_partition *p, size_t i)
{
	const struct seen_leader *was = &p->leaders[i - 1], *is = &p->leaders[i];
	int64_t at = noticed(in, t->name, p->index, (struct str){0}, was->time_us, is->time_us);
	struct incident_event *e;

	/* Brokers that go take their partitions with them, and those that come back are given some;
	 * nobody leads for a moment. */
	if (incident_node(in, is->leader) < 0 || incident_node(in, was->leader) < 0 ||
	    incident_is_down(in, incident_node(in, was->leader), is->time_us) ||
	    went_between(in, was->leader, was->time_us, is->time_us) ||
	    (was->leader != is->leader &&
	     incident_is_down(in, incident_node(in, is->leader), was->time_us)))
		return;
	e = add_event(in,
		      was_cut_by(p, i)		  ? HAPPENED_CUT
		      : was->leader == is->leader ? HAPPENED_EPOCH
						  : HAPPENED_LEADER,
		      at);
	if (e && e->kind == HAPPENED_CUT)
		snprintf(e->text, sizeof(e->text),
			 "unclean-election topic=" STR_FMT " partition=%d offset=%lld to=%d",
			 STR_ARG(t->name), p->index, (long long)p->cut.offset,
			 incident_node(in, is->leader));
	else if (e && was->leader == is->leader)
		snprintf(e->text, sizeof(e->text), "epoch-bump topic=" STR_FMT " partition=%d",
			 STR_ARG(t->name), p->index);
	else if (e)
		snprintf(e->text, sizeof(e->text),
			 "leader-move topic=" STR_FMT " partition=%d to=%d", STR_ARG(t->name),
			 p->index, incident_node(in, is->leader));
}

static void find_leaders(struct incident *in)
{
	for (size_t i = 0; i < in->seen->topics_count; i++) {
		const struct seen_topic *t = &in->seen->topics[i];

		for (int32_t k = 0; k < t->partitions_count && incident_has_topic(in, t->name); k++)
			for (size_t n = 1; n < t->partitions[k].leaders_count; n++)
				leader_changed(in, t, &t->partitions[k], n);
	}
}

/* Who coordinates a key, as FindCoordinator last said. */
struct coordinator {
	struct str key;
	int32_t node; /* recorded */
	int64_t time_us;
};

static void take_coordinator(struct incident *in, struct coordinator *list, size_t *count,
			     const struct session_exchange *x, struct str key, int32_t node)
{
	struct incident_event *e;
	size_t i = 0;

	while (i < *count && !str_eq(list[i].key, key))
		i++;
	if (!incident_is_word(key) || incident_node(in, node) < 0 || i == KEYS_MAX)
		return;
	if (i == *count)
		list[(*count)++] = (struct coordinator){key, node, x->response_us};
	if (list[i].node != node &&
	    !incident_is_down(in, incident_node(in, list[i].node), x->response_us) &&
	    !incident_is_down(in, incident_node(in, node), list[i].time_us)) {
		e = add_event(
			in, HAPPENED_COORDINATOR,
			noticed(in, (struct str){0}, -1, key, list[i].time_us, x->response_us));
		if (e)
			snprintf(e->text, sizeof(e->text),
				 "coordinator-move group=" STR_FMT " to=%d", STR_ARG(key),
				 incident_node(in, node));
	}
	list[i] = (struct coordinator){key, node, x->response_us};
}

static void find_coordinators(struct incident *in)
{
	struct coordinator *list = arena_zalloc(&in->arena, KEYS_MAX * sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < in->count && list; i++) {
		const struct session_exchange *x = in->list[i].x;
		const struct find_coordinator_response *m = x->response_body;
		const struct find_coordinator_request *q = x->request_body;

		if (x->header.api_key != API_FIND_COORDINATOR || !m || !q)
			continue;
		for (int32_t k = 0; k < m->coordinators_count; k++)
			if (!m->coordinators[k].error_code)
				take_coordinator(in, list, &count, x, m->coordinators[k].key,
						 m->coordinators[k].node_id);
		if (!m->coordinators_count && !m->error_code)
			take_coordinator(in, list, &count, x, q->key, m->node_id);
	}
}

/* ---- members that their group forgot ---- */

/* What a member asks that is in its group. */
static bool is_of_member(const struct session_exchange *x, struct str *ret_group,
			 struct str *ret_member)
{
	const struct heartbeat_request *h = x->request_body;
	const struct consumer_group_heartbeat_request *c = x->request_body;
	const struct offset_commit_request *o = x->request_body;

	*ret_group = *ret_member = (struct str){0};
	if (x->header.api_key == API_HEARTBEAT && h) {
		*ret_group = h->group_id;
		*ret_member = h->member_id;
	} else if (x->header.api_key == API_CONSUMER_GROUP_HEARTBEAT && c && c->member_epoch > 0) {
		*ret_group = c->group_id;
		*ret_member = c->member_id;
	} else if (x->header.api_key == API_OFFSET_COMMIT && o) {
		*ret_group = o->group_id;
		*ret_member = o->member_id;
	}
	return ret_member->len > 0;
}

/* A rule of evidence gave the error. */
static bool is_given(struct str rule)
{
	return rule.data && memmem(rule.data, (size_t)rule.len, "-> error", 8);
}

/* It was well a moment before, nothing else was heard of its group, and no time had run out. */
static bool was_alone(const struct incident *in, const struct about *a, struct str group,
		      struct str member)
{
	struct str g, m;
	bool well = false;

	for (const struct about *b = a; b > in->list && a->work_us - b[-1].work_us < BEATS_US;
	     b--) {
		if (!is_of_member(b[-1].x, &g, &m) || !str_eq(g, group))
			continue;
		if (!str_eq(m, member))
			return false;
		if (!well && b[-1].errors_count)
			return false; /* it knows by then */
		well = true;
	}
	return well;
}

/* What a rule of evidence made it hear is that rule's. */
static void find_fenced(struct incident *in)
{
	struct str group, member;

	for (size_t i = 0; i < in->count; i++) {
		const struct about *a = &in->list[i];
		struct incident_event *e;

		if (is_given(a->x->rule) || !a->errors_count ||
		    a->errors[0].code != ERROR_UNKNOWN_MEMBER_ID ||
		    !is_of_member(a->x, &group, &member) || !incident_is_word(group) ||
		    !was_alone(in, a, group, member))
			continue;
		e = add_event(in, HAPPENED_FENCED, a->work_us - 1);
		if (!e)
			return;
		e->group = group;
		snprintf(e->text, sizeof(e->text), "member-fence group=" STR_FMT, STR_ARG(group));
	}
}

static void find_growth(struct incident *in)
{
	for (size_t i = 0; i < in->seen->topics_count; i++) {
		const struct seen_topic *t = &in->seen->topics[i];
		struct incident_event *e = t->grown_us && incident_has_topic(in, t->name)
						   ? add_event(in, HAPPENED_GROWTH, t->grown_us - 1)
						   : NULL;

		if (e)
			snprintf(e->text, sizeof(e->text),
				 "partitions-add topic=" STR_FMT " partitions=%d", STR_ARG(t->name),
				 t->partitions_count);
	}
}

/* What lay before some offset went away while it was read. */
static void find_starts(struct incident *in)
{
	for (size_t i = 0; i < in->seen->topics_count; i++) {
		const struct seen_topic *t = &in->seen->topics[i];

		for (int32_t k = 0; k < t->partitions_count && incident_has_topic(in, t->name);
		     k++) {
			const struct seen_partition *p = &t->partitions[k];
			struct incident_event *e =
				p->start_moved_us && p->start_last <= INCIDENT_OFFSET_MAX
					? add_event(in, HAPPENED_START,
						    noticed(in, t->name, k, (struct str){0}, 0,
							    p->start_moved_us))
					: NULL;

			if (e)
				snprintf(e->text, sizeof(e->text),
					 "log-start-move topic=" STR_FMT
					 " partition=%d offset=%lld",
					 STR_ARG(t->name), k, (long long)p->start_last);
		}
	}
}

/* What Metadata says of a topic; -1: nothing. */
static int metadata_error(const struct session_exchange *x, struct str topic)
{
	const struct metadata_response *m = x->response_body;

	for (int32_t i = 0; x->header.api_key == API_METADATA && m && i < m->topics_count; i++)
		if (m->topics[i].name.data && str_eq(m->topics[i].name, topic))
			return m->topics[i].error_code;
	return -1;
}

/* A topic that was there and then was not, and was again: metadata lag behind, or it was deleted.
 */
static void find_hidden(struct incident *in)
{
	for (size_t i = 0; i < in->seen->topics_count; i++) {
		const struct seen_topic *t = &in->seen->topics[i];
		bool known = false, hidden = false;

		for (size_t k = 0; k < in->count && incident_has_topic(in, t->name); k++) {
			const struct about *a = &in->list[k];
			int code = a->x->rule.data ? -1 : metadata_error(a->x, t->name);
			bool gone = code == ERROR_UNKNOWN_TOPIC_OR_PARTITION;
			struct incident_event *e;

			if ((code && !gone) || (gone && !known) || gone == hidden) {
				known |= !code;
				continue;
			}
			hidden = gone;
			e = add_event(in, gone ? HAPPENED_HIDDEN : HAPPENED_SHOWN, a->work_us - 1);
			if (e)
				snprintf(e->text, sizeof(e->text), "metadata-%s topic=" STR_FMT,
					 gone ? "hide" : "show", STR_ARG(t->name));
		}
	}
}

bool incident_is_event(const struct incident_event *e)
{
	return e->kind != HAPPENED_HELD && e->kind != HAPPENED_RELEASED;
}

static int by_time(const void *a, const void *b)
{
	const struct incident_event *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void sort(struct incident *in)
{
	if (in->events_count > 1)
		qsort(in->events, in->events_count, sizeof(*in->events), by_time);
}

void incident_find_holds(struct incident *in)
{
	for (size_t i = 0; i < in->faults_count; i++) {
		const struct fault *f = &in->faults[i];
		struct incident_event *e =
			f->held ? add_event(in, HAPPENED_HELD, f->at->work_us) : NULL;

		if (!e)
			continue;
		e->held = f;
		if (f->at->x->state != EXCHANGE_ANSWERED)
			continue; /* to the end */
		e = add_event(in, HAPPENED_RELEASED, f->at->x->response_first_us - 1);
		if (e)
			e->held = f;
	}
	sort(in);
}

void incident_find_events(struct incident *in)
{
	in->events = arena_zalloc(&in->arena, EVENTS_MAX * sizeof(*in->events));
	if (!in->events)
		return;
	for (size_t i = 0; i < in->seen->brokers_count; i++)
		find_downs(in, in->seen->brokers[i].node_id);
	sort(in);
	for (size_t i = 0; i < in->seen->brokers_count; i++)
		find_restarts(in, in->seen->brokers[i].node_id);
	sort(in);
	find_leaders(in);
	find_coordinators(in);
	find_fenced(in);
	find_growth(in);
	find_starts(in);
	find_hidden(in);
	sort(in);
}
