/* Which errors of a capture a cluster gives by itself. Passes over its requests: each begins with a
 * new stand-in; an error that it does not give becomes a fault, which the next pass puts to it.
 *
 * Invariant: where a fault was found, what the stand-in did with that request is not what the
 * capture's cluster did; what later depends on it (the same partition, group or transaction) waits
 * for the next pass. */
#include "harness/incident.h"

#include "decoder/summary.h"
#include "harness/stand_in.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define TAINTS_MAX    4096
#define STRAYS_MAX    1000
#define COLD_US	      (5 * (int64_t)1000000)
#define KEPT_LEAST_US 20000 /* what answers late for no reason is faster */

struct pass {
	struct incident *in;
	struct stand_in *stand;
	struct str *taints; /* partitions, groups, transactional ids that are out of step */
	size_t taints_count;
	struct str *strays; /* groups that the stand-in has lost track of by itself */
	size_t strays_count;
	bool first, last;
	bool found;
};

/* ---- what depends on what ---- */

static bool has_str(const struct str *list, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], name))
			return true;
	return false;
}

static struct str scope_of(struct pass *p, const struct about *a, const struct told_error *e)
{
	char *text;

	if (a->group.data)
		text = arena_printf(&p->in->arena, "g " STR_FMT, STR_ARG(a->group));
	else if (a->txn.data)
		text = arena_printf(&p->in->arena, "x " STR_FMT, STR_ARG(a->txn));
	else
		text = arena_printf(&p->in->arena, "t " STR_FMT " %d", STR_ARG(e->topic),
				    e->partition);
	return text ? str_of(text) : (struct str){"", 0};
}

/* Requests that change nothing taint nothing. */
static bool changes_something(int api_key)
{
	static const int16_t reads[] = {
		API_FETCH,	  API_LIST_OFFSETS,	API_METADATA,
		API_OFFSET_FETCH, API_FIND_COORDINATOR, API_HEARTBEAT,
		API_API_VERSIONS, API_DESCRIBE_CONFIGS, API_OFFSET_FOR_LEADER_EPOCH};

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		if (reads[i] == api_key)
			return false;
	return true;
}

static void taint(struct pass *p, const struct about *a, const struct told_error *e)
{
	if (changes_something(a->x->header.api_key) && p->taints_count < TAINTS_MAX)
		p->taints[p->taints_count++] = scope_of(p, a, e);
}

/* ---- before the work ---- */

/* The partitions of the request that a fault hits, as the plan of a rule names them. */
static void plan_fault(const struct about *a, struct asked *k)
{
	const struct fault *f = a->fault;
	struct topic_partition *hit =
		arena_zalloc(&k->arena, ((size_t)k->facts.partitions_count + 1) * sizeof(*hit));

	k->plan = (struct plan){.action = ACTION_ERROR,
				.when = f->after ? WHEN_AFTER : WHEN_BEFORE,
				.error_code = f->code,
				.hit = hit};
	for (int32_t i = 0; hit && i < k->facts.partitions_count; i++) {
		const struct topic_partition *q = &k->facts.partitions[i];
		bool same = !f->hit_count;

		for (int32_t n = 0; n < f->hit_count; n++)
			same |= (f->hit[n].partition < 0 || q->partition < 0 ||
				 f->hit[n].partition == q->partition) &&
				str_eq(f->hit[n].topic, q->topic);
		if (same)
			hit[k->plan.hit_count++] = *q;
	}
}

static void keep_facts(struct incident *in, struct about *a, const struct facts *f)
{
	struct topic_partition *list;

	a->group = arena_str(&in->arena, f->group);
	a->txn = arena_str(&in->arena, f->txn);
	a->acks = f->acks;
	if (a->x->header.api_key == API_FETCH)
		return; /* its session knows more than it says */
	list = arena_zalloc(&in->arena, ((size_t)f->partitions_count + 1) * sizeof(*list));
	for (int32_t i = 0; list && i < f->partitions_count; i++)
		list[i] = (struct topic_partition){arena_str(&in->arena, f->partitions[i].topic),
						   f->partitions[i].partition};
	a->partitions = list;
	a->partitions_count = list ? f->partitions_count : 0;
}

static bool first_lost(const struct incident *in, const struct about *a)
{
	return in->conns[a->x->conn->index].first_lost == a->x->index_in_conn;
}

static void before_work(void *ctx, struct asked *k)
{
	struct pass *p = ctx;
	struct about *a = p->in->by_index[k->x->index];

	if (p->first)
		keep_facts(p->in, a, &k->facts);
	if (a->fault && a->fault->code)
		plan_fault(a, k);
	if (a->lost && a->fault && p->in->told)
		k->passed_over = !a->fault->after;
	else if (a->lost)
		k->passed_over = a->x->header.api_key == API_PRODUCE ? !incident_was_done(p->in, a)
								     : !first_lost(p->in, a);
}

/* ---- after it ---- */

/* What the stand-in answered, as incident_errors tells it. */
static int32_t stood_errors(struct pass *p, const struct asked *k, struct arena *arena,
			    struct told_error **ret_list)
{
	struct exchange e = {.state = EXCHANGE_ANSWERED,
			     .header = k->call.header,
			     .arena = arena,
			     .response_body = k->call.response,
			     .request_decoded = true,
			     .response_decoded = true};
	struct summary s;

	e.header.api_version = k->call.response_version;
	summarize(&e, stand_in_names(p->stand), &s);
	return incident_errors(&s, k->call.header.api_key, k->call.response, arena, ret_list);
}

static bool gives(const struct told_error *list, int32_t n, const struct told_error *e)
{
	for (int32_t i = 0; i < n; i++)
		if (list[i].code == e->code &&
		    (!e->topic.data || !list[i].topic.data ||
		     (str_eq(list[i].topic, e->topic) && list[i].partition == e->partition)))
			return true;
	return false;
}

static bool is_of_coordinator(int16_t code)
{
	return code == ERROR_COORDINATOR_NOT_AVAILABLE ||
	       code == ERROR_COORDINATOR_LOAD_IN_PROGRESS || code == ERROR_NOT_COORDINATOR;
}

/* Its coordinator did other work for it before. */
static bool was_served(const struct incident *in, const struct about *a)
{
	for (size_t i = 0; i < in->count && in->list[i].work_us < a->work_us; i++) {
		const struct about *b = &in->list[i];
		bool same = (a->group.data && b->group.data && str_eq(a->group, b->group)) ||
			    (a->txn.data && b->txn.data && str_eq(a->txn, b->txn));

		if (same && b->x->response_body && !b->errors_count &&
		    b->x->header.api_key != API_FIND_COORDINATOR)
			return true;
	}
	return false;
}

/* A cluster whose inner topics are only being made: what it first says to requests of that kind,
 * for a moment. */
static bool is_cold(const struct incident *in, const struct about *a)
{
	const struct find_coordinator_request *q = a->x->request_body, *r;
	int64_t first_us = a->work_us;

	if (was_served(in, a))
		return false;
	for (size_t i = 0; i < in->count; i++) {
		const struct about *b = &in->list[i];

		if (b->x->header.api_key != a->x->header.api_key || !b->x->response_body)
			continue;
		r = b->x->request_body;
		if (a->x->header.api_key == API_FIND_COORDINATOR && r && q->key_type != r->key_type)
			continue;
		if (!b->errors_count)
			return b->work_us > a->work_us && b->work_us - first_us < COLD_US;
		if (b->work_us < first_us)
			first_us = b->work_us;
	}
	return false;
}

/* What the stand-in can't know, or knows otherwise than every real cluster. */
static bool is_usual(const struct pass *p, const struct about *a, const struct told_error *e)
{
	const struct seen_topic *t = e->topic.data ? seen_topic(p->in->seen, e->topic) : NULL;
	bool new_topic = t && (t->absent_until_us || t->created);

	if (a->x->header.api_key == API_API_VERSIONS)
		return true; /* it is asked for a version that it lacks */
	if (new_topic &&
	    (e->code == ERROR_LEADER_NOT_AVAILABLE || e->code == ERROR_UNKNOWN_TOPIC_OR_PARTITION))
		return a->work_us <= t->absent_until_us || t->created; /* it is only being made */
	if (is_of_coordinator(e->code) && is_cold(p->in, a))
		return true;
	if (a->group.data && has_str(p->strays, p->strays_count, a->group))
		return e->code == ERROR_REBALANCE_IN_PROGRESS ||
		       e->code == ERROR_MEMBER_ID_REQUIRED || e->code == ERROR_ILLEGAL_GENERATION;
	return e->code == ERROR_MEMBER_ID_REQUIRED && a->x->header.api_key == API_JOIN_GROUP;
}

/* Errors of one code that nobody but a fault can have put there. */
static void note_fault(struct pass *p, struct about *a, const struct told_error *e)
{
	struct fault *f = incident_add_fault(p->in, a);
	struct topic_partition *hit =
		arena_zalloc(&p->in->arena, ((size_t)a->errors_count + 1) * sizeof(*hit));

	if (!f || !hit)
		return;
	f->code = e->code;
	f->after = incident_was_done(p->in, a) && a->x->header.api_key == API_PRODUCE;
	f->hit = hit;
	for (int32_t i = 0; i < a->errors_count; i++)
		if (a->errors[i].code == e->code && a->errors[i].topic.data)
			hit[f->hit_count++] = (struct topic_partition){a->errors[i].topic,
								       a->errors[i].partition};
	snprintf(f->action, sizeof(f->action), "error %s%s", kafka_error_name(e->code),
		 f->after ? " after" : "");
	p->found = true;
}

/* Its answer came late, and not since it waited for records or members: it may have come to its
 * work only then. */
static bool may_be_kept(const struct pass *p, const struct about *a)
{
	int key = a->x->header.api_key;

	return !p->last && !p->in->told && !a->kept && key != API_FETCH && key != API_JOIN_GROUP &&
	       key != API_SYNC_GROUP && incident_latency(a) >= KEPT_LEAST_US;
}

static void judge(struct pass *p, struct about *a, const struct asked *k)
{
	struct told_error *stood = NULL;
	int32_t n = k->result == CALL_ANSWER ? stood_errors(p, k, k->call.arena, &stood) : 0;

	/* It refuses a member that was welcome, or for another reason: it missed something. */
	if (n && (!a->errors_count || !gives(stood, n, a->errors)) && !a->fault && a->group.data &&
	    p->strays_count < STRAYS_MAX && !has_str(p->strays, p->strays_count, a->group))
		p->strays[p->strays_count++] = a->group;
	for (int32_t i = 0; i < a->errors_count && !a->fault; i++) {
		const struct told_error *e = &a->errors[i];

		if (gives(stood, n, e) || is_usual(p, a, e))
			continue;
		if (!p->last && has_str(p->taints, p->taints_count, scope_of(p, a, e))) {
			p->found = true; /* to be looked at again */
			continue;
		}
		if (may_be_kept(p, a)) {
			a->kept = p->found = true;
			a->served_us = a->x->response_first_us - 1;
			taint(p, a, e);
			return; /* to be asked again, later */
		}
		note_fault(p, a, e);
		taint(p, a, e);
	}
}

static void on_done(void *ctx, struct asked *k)
{
	struct pass *p = ctx;
	struct about *a = p->in->by_index[k->x->index];
	int64_t end = a->lost ? (a->x->conn->closed ? a->x->conn->closed_us : INT64_MAX)
			      : a->x->response_us;

	if (k->passed_over)
		return;
	a->stood_close = k->result == CALL_CLOSE;
	a->stood_us = k->answered_us > a->served_us ? k->answered_us - a->served_us : 0;
	a->stood_wait = k->result == CALL_WAIT || k->answered_us > end;
	if (!a->lost && k->result != CALL_NO_ANSWER)
		judge(p, a, k);
}

/* ---- a pass ---- */

static int32_t node_id(void *ctx, int32_t recorded)
{
	const struct pass *p = ctx;

	return incident_node(p->in, recorded);
}

/* A topic that was not there at first is, from then on. */
static void make_topics(struct pass *p, bool *made, int64_t time_us)
{
	const struct seen *seen = p->in->seen;
	char text[INCIDENT_TEXT_MAX];

	for (size_t i = 0; i < seen->topics_count; i++) {
		const struct seen_topic *t = &seen->topics[i];

		if (made[i] || !t->absent_until_us || t->created || time_us <= t->absent_until_us)
			continue;
		snprintf(text, sizeof(text), "topic-create topic=" STR_FMT " partitions=%d",
			 STR_ARG(t->name), t->partitions_count ? t->partitions_count : 1);
		stand_in_happen(p->stand, text);
		made[i] = true;
	}
}

static int by_service(const void *a, const void *b)
{
	const struct about *x = *(struct about *const *)a, *y = *(struct about *const *)b;

	if (x->served_us != y->served_us)
		return x->served_us < y->served_us ? -1 : 1;
	return x < y ? -1 : x > y; /* the list is in the order of work */
}

/* To be freed. */
static struct about **in_order(const struct incident *in)
{
	struct about **order = calloc(in->count + 1, sizeof(*order));

	if (!order)
		abort();
	for (size_t i = 0; i < in->count; i++)
		order[i] = &in->list[i];
	if (in->count > 1)
		qsort(order, in->count, sizeof(*order), by_service);
	return order;
}

static void run_pass(struct pass *p)
{
	struct incident *in = p->in;
	struct stand_in_config config = {.seen = in->seen,
					 .brokers = incident_brokers(in),
					 .node_id = node_id,
					 .on_done = on_done,
					 .ctx = p};
	bool *made = calloc(in->seen->topics_count + 1, sizeof(*made));
	struct about **order = in_order(in);
	size_t event = 0;

	if (!made)
		abort();
	p->stand = stand_in_new(&config);
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = order[i];

		for (; event < in->events_count && in->events[event].time_us < a->served_us;
		     event++) {
			stand_in_time(p->stand, in->events[event].time_us);
			stand_in_happen(p->stand, in->events[event].text);
		}
		stand_in_time(p->stand, a->served_us);
		make_topics(p, made, a->served_us);
		if (a->x->request_body)
			stand_in_ask(p->stand, a->x, before_work);
	}
	stand_in_time(p->stand, in->session->last_us + 1);
	stand_in_free(p->stand);
	free(order);
	free(made);
}

void incident_retrace(struct incident *in)
{
	struct pass p = {.in = in, .first = true, .found = true};

	p.taints = arena_zalloc(&in->arena, TAINTS_MAX * sizeof(*p.taints));
	p.strays = arena_zalloc(&in->arena, STRAYS_MAX * sizeof(*p.strays));
	if (!p.taints || !p.strays || !in->count)
		return;
	while (p.found) {
		p.found = false;
		p.taints_count = p.strays_count = 0;
		p.last = ++in->passes == INCIDENT_PASSES_MAX;
		run_pass(&p);
		p.first = false;
		p.found &= !p.last && p.taints_count > 0;
	}
	for (size_t i = 0; i < in->count; i++)
		in->own_errors += in->list[i].errors_count && !in->list[i].fault;
}
