/* Faults as rules: which words single them out, what their numbers are by the rule engine's own
 * counting, and which of them are one rule. */
#include "harness/incident.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ASKED_MAX   200
#define OFTEN	    3  /* errors of one partition that are no chance */
#define NUMBERS_MAX 60 /* of one rule's nth; more are one range */
#define ENDLESS	    1000000000

/* Faults that one rule may cover. */
struct bundle {
	char match[INCIDENT_TEXT_MAX / 2];
	char action[INCIDENT_ACTION_MAX];
	struct fault **faults; /* in the order of work */
	size_t count;
	int64_t least, most; /* of a delay, ms */
	uint64_t *numbers;   /* of each fault among what matches */
	uint64_t matched;    /* exchanges that match, in all */
};

static struct incident_rule *told_rule(const struct incident *in, const struct about *a);
static void name_rule(struct incident *in, struct incident_rule *r, const char *action,
		      const char *match);

struct making {
	struct incident *in;
	const struct incident_names *names;
	struct bundle *bundles;
	size_t count;
	struct {
		struct str client_id;
		int api_key;
		bool needs;
	} asked[ASKED_MAX]; /* whether its rules need the client */
	size_t asked_count;
};

/* ---- what singles an exchange out ---- */

/* A value that means just itself in a rule. */
static bool is_plain(struct str value)
{
	for (int32_t i = 0; i < value.len; i++)
		if (strchr("*,\"\\=", value.data[i]) || (unsigned char)value.data[i] <= ' ')
			return false;
	return value.data && value.len > 0 && value.len < 200;
}

static void add_key(struct buf *b, const char *key, struct str value)
{
	if (is_plain(value))
		buf_printf(b, " %s=" STR_FMT, key, STR_ARG(value));
}

/* The one topic of a list, or null. */
static struct str only_topic(const struct topic_partition *list, int32_t n)
{
	for (int32_t i = 1; i < n; i++)
		if (!str_eq(list[i].topic, list[0].topic))
			return (struct str){0};
	return n ? list[0].topic : (struct str){0};
}

static bool in_list(const struct topic_partition *list, int32_t n, int32_t partition)
{
	for (int32_t i = 0; i < n; i++)
		if (list[i].partition == partition)
			return true;
	return false;
}

/* Those of a list, each once, with commas; none where the list is about no partition. */
static void add_partitions(struct buf *b, const struct topic_partition *list, int32_t n)
{
	const char *before = " partition=";

	for (int32_t i = 0; i < n; i++) {
		if (list[i].partition < 0 || in_list(list, i, list[i].partition))
			continue;
		buf_printf(b, "%s%d", before, list[i].partition);
		before = ",";
	}
}

/* All the members and programs behind a client id are one. */
static bool is_one_client(const struct incident *in, struct str id)
{
	struct str member = {0};
	bool writes = false, joins = false;

	for (size_t i = 0; i < in->count; i++) {
		const struct session_exchange *x = in->list[i].x;
		const struct join_group_request *q = x->request_body;
		const struct consumer_group_heartbeat_request *h = x->request_body;
		struct str name = {0};

		if (!q || !str_eq(x->header.client_id, id))
			continue;
		writes |= x->header.api_key == API_PRODUCE;
		if (x->header.api_key == API_JOIN_GROUP)
			name = q->member_id;
		else if (x->header.api_key == API_CONSUMER_GROUP_HEARTBEAT)
			name = h->member_id;
		joins |= name.data != NULL;
		if (name.len && member.len && !str_eq(name, member))
			return false;
		member = name.len ? name : member;
	}
	return !(writes && joins);
}

/* Several clients ask the like: then it matters whose request it was. */
static bool needs_client(const struct incident *in, const struct about *a)
{
	bool others = false;

	for (size_t i = 0; i < in->count && !others; i++) {
		const struct about *b = &in->list[i];

		others = b->x->header.api_key == a->x->header.api_key &&
			 !str_eq(b->x->header.client_id, a->x->header.client_id);
	}
	return others && is_plain(a->x->header.client_id) &&
	       is_one_client(in, a->x->header.client_id);
}

static bool client_matters(struct making *m, const struct about *a)
{
	size_t i = 0;

	while (i < m->asked_count && (m->asked[i].api_key != a->x->header.api_key ||
				      !str_eq(m->asked[i].client_id, a->x->header.client_id)))
		i++;
	if (i == ASKED_MAX)
		return false;
	if (i == m->asked_count) {
		m->asked[i].api_key = a->x->header.api_key;
		m->asked[i].client_id = a->x->header.client_id;
		m->asked[i].needs = needs_client(m->in, a) &&
				    m->names->client(m->names->ctx, a->x->header.client_id);
		m->asked_count++;
	}
	return m->asked[i].needs;
}

/* An error that one partition has again and again. A single one is put to whatever partition comes
 * then: who goes where is another matter with every partitioner. */
static bool is_of_partition(const struct incident *in, const struct fault *f)
{
	const struct seen_topic *t = seen_topic(in->seen, f->hit[0].topic);
	size_t same = 0;

	for (size_t i = 0; i < in->faults_count && same < OFTEN; i++) {
		const struct fault *g = &in->faults[i];

		same += g->code == f->code && g->hit_count == f->hit_count &&
			g->hit[0].partition == f->hit[0].partition &&
			str_eq(g->hit[0].topic, f->hit[0].topic);
	}
	return t && t->partitions_count > 1 && same == OFTEN;
}

static bool write_match(struct making *m, const struct fault *f, struct buf *b)
{
	const struct incident *in = m->in;
	const struct about *a = f->at;
	bool by_error = f->hit_count > 0;
	const struct topic_partition *list = by_error ? f->hit : a->partitions;
	int32_t n = by_error ? f->hit_count : a->partitions_count;
	struct str topic = only_topic(list, n);
	const char *name = api_name(a->x->header.api_key);

	if ((topic.data && !incident_has_topic(in, topic)) ||
	    (a->group.data && !m->names->group(m->names->ctx, a->group)))
		return false;
	/* Who does not ask where an epoch ended goes on with a Fetch. */
	if (f->held && a->x->header.api_key == API_OFFSET_FOR_LEADER_EPOCH)
		buf_text(b, "Fetch,");
	buf_printf(b, "%s", name ? name : "any");
	add_key(b, "group", a->group);
	add_key(b, "txn", a->txn);
	add_key(b, "topic", topic);
	if (topic.data && by_error && (n < a->partitions_count || is_of_partition(in, f)))
		add_partitions(b, list, n);
	if (f->held && incident_node(in, a->x->conn->broker) > 0 && incident_brokers(in) > 1)
		buf_printf(b, " broker=%d", incident_node(in, a->x->conn->broker));
	if (client_matters(m, a))
		add_key(b, "client", a->x->header.client_id);
	return true;
}

/* ---- bundles ---- */

static bool is_delay(const char *action, int64_t *ret_ms)
{
	long long ms = 0;
	int used = 0;
	bool is = sscanf(action, "delay %lldms%n", &ms, &used) == 1 && !action[used];

	*ret_ms = ms;
	return is;
}

static struct bundle *bundle_of(struct making *m, const char *match, const char *action)
{
	struct bundle *b;
	int64_t ms, other;
	bool delay = is_delay(action, &ms);

	for (size_t i = 0; i < m->count; i++) {
		b = &m->bundles[i];
		if (!strcmp(b->match, match) &&
		    (!strcmp(b->action, action) || (delay && is_delay(b->action, &other))))
			return b;
	}
	if (m->count == INCIDENT_RULES_MAX)
		return NULL;
	b = &m->bundles[m->count++];
	snprintf(b->match, sizeof(b->match), "%s", match);
	snprintf(b->action, sizeof(b->action), "%s", action);
	return b;
}

static void add_to_bundle(struct bundle *b, struct fault *f)
{
	int64_t ms;

	b->faults = realloc(b->faults, (b->count + 1) * sizeof(struct fault *));
	b->numbers = realloc(b->numbers, (b->count + 1) * sizeof(*b->numbers));
	if (!b->faults || !b->numbers)
		abort();
	b->numbers[b->count] = 0;
	b->faults[b->count++] = f;
	if (!is_delay(f->action, &ms))
		return;
	b->least = b->count == 1 || ms < b->least ? ms : b->least;
	b->most = ms > b->most ? ms : b->most;
}

static int by_work(const void *a, const void *b)
{
	const struct about *x = (*(struct fault *const *)a)->at,
			   *y = (*(struct fault *const *)b)->at;

	return x < y ? -1 : x > y; /* the list is in that order */
}

static void make_bundles(struct making *m)
{
	struct incident *in = m->in;
	struct fault **order = calloc(in->faults_count + 1, sizeof(*order));
	struct buf match;

	if (!order)
		abort();
	for (size_t i = 0; i < in->faults_count; i++)
		order[i] = &in->faults[i];
	if (in->faults_count > 1)
		qsort(order, in->faults_count, sizeof(*order), by_work);
	buf_init(&match, 100000);
	for (size_t i = 0; i < in->faults_count; i++) {
		struct incident_rule *told = told_rule(in, order[i]->at);
		struct bundle *b;

		if (told) {
			told->last_us = order[i]->at->work_us;
			order[i]->rule = told;
			continue;
		}
		buf_reset(&match);
		if (!write_match(m, order[i], &match)) {
			in->left_out++;
			continue;
		}
		b = match.len < sizeof(b->match) ? bundle_of(m, buf_cstr(&match), order[i]->action)
						 : NULL;
		if (b)
			add_to_bundle(b, order[i]);
		else
			in->too_many++;
	}
	buf_release(&match);
	free(order);
}

/* ---- counting ---- */

static void decide(struct rules *rules, const struct about *a, struct arena *arena,
		   struct plan *ret_plan)
{
	struct facts f = {.header = &a->x->header,
			  .body = a->x->request_body,
			  .broker = a->x->conn->broker,
			  .conn = a->x->conn->number,
			  .partitions = a->partitions,
			  .partitions_count = a->partitions_count,
			  .group = a->group,
			  .txn = a->txn,
			  .acks = a->acks};

	arena_reset(arena);
	rules_decide(rules, &f, arena, ret_plan);
}

/* The number that each fault has among the exchanges that match, as the rule engine counts. */
static void count_bundle(struct incident *in, struct bundle *b)
{
	struct rules *rules = rules_new(1);
	char text[INCIDENT_TEXT_MAX];
	struct rule *rule;
	size_t next = 0;

	snprintf(text, sizeof(text), "%s nth=1000000000 -> observe", b->match);
	rule = rules_add(rules, (struct str){0}, str_of(text), NULL);
	for (size_t i = 0; rule && i < in->count; i++) {
		struct plan plan = {0};

		if (!in->list[i].counted)
			continue;
		decide(rules, &in->list[i], &in->scratch, &plan);
		plan_release(&plan);
		if (next < b->count && b->faults[next]->at == &in->list[i])
			b->numbers[next++] = rule_matched(rule);
	}
	b->matched = rule ? rule_matched(rule) : 0;
	rules_free(rules);
}

/* Whether a rule of evidence, counted over the exchanges, hits all that it had hit, and no other.
 */
static bool hits_the_same(struct incident *in, struct str text, uint64_t *ret_hits)
{
	struct rules *rules = rules_new(1);
	struct rule *rule = rules_add(rules, (struct str){0}, text, NULL);
	bool same = rule != NULL;

	for (size_t i = 0; same && i < in->count; i++) {
		struct about *a = &in->list[i];
		struct plan plan = {0};

		if (!a->counted)
			continue;
		decide(rules, a, &in->scratch, &plan);
		same = (plan.rule != NULL) ==
		       (a->fault && a->x->rule.data && str_eq(a->x->rule, text));
		plan_release(&plan);
	}
	*ret_hits = same ? rule_hits(rule) : 0;
	rules_free(rules);
	return same && *ret_hits;
}

/* Numbers of connections are others in any run, and chance is. */
static bool means_the_same(struct str text)
{
	static const char *const keys[] = {" conn=", " prob="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (memmem(text.data, (size_t)text.len, keys[i], strlen(keys[i])))
			return false;
	return text.len < INCIDENT_TEXT_MAX;
}

/* The value of a key in a rule's match; null: it has none, or several values. */
static struct str value_of(struct str text, const char *key)
{
	const char *at = memmem(text.data, (size_t)text.len, key, strlen(key));
	struct str value = {at ? at + strlen(key) : NULL, 0};

	while (at && value.data + value.len < text.data + text.len && value.data[value.len] != ' ')
		value.len++;
	return incident_is_word(value) ? value : (struct str){0};
}

static bool is_there(const struct making *m, struct str text)
{
	struct str topic = value_of(text, " topic="), group = value_of(text, " group=");
	struct str client = value_of(text, " client=");

	return (!client.data || m->names->client(m->names->ctx, client)) &&
	       (!topic.data || incident_has_topic(m->in, topic)) &&
	       (!group.data || m->names->group(m->names->ctx, group));
}

static void take_told_rules(const struct making *m)
{
	struct incident *in = m->in;
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		struct incident_rule *r = &in->rules[in->rules_count];
		struct str text = a->x->rule;
		bool known = false;
		uint64_t hits;

		for (size_t k = 0; k < in->rules_count && a->fault; k++)
			known |= text.data && str_is(text, in->rules[k].text);
		if (!a->fault || !text.data || known || in->rules_count == INCIDENT_RULES_MAX ||
		    !means_the_same(text) || !is_there(m, text) || !hits_the_same(in, text, &hits))
			continue;
		*r = (struct incident_rule){.first_us = a->work_us,
					    .hits = hits,
					    .told = true,
					    .optional = a->fault->optional};
		snprintf(r->text, sizeof(r->text), STR_FMT, STR_ARG(text));
		in->rules_count++;
		name_rule(in, r, a->fault->action, r->text);
	}
}

static struct incident_rule *told_rule(const struct incident *in, const struct about *a)
{
	for (size_t i = 0; i < in->rules_count; i++)
		if (in->rules[i].told && a->x->rule.data && str_is(a->x->rule, in->rules[i].text))
			return &in->rules[i];
	return NULL;
}

/* ---- the texts ---- */

/* 2, 4, 6, ... up to the last that there was. */
static uint64_t step_of(const struct bundle *b)
{
	uint64_t step = b->numbers[0];

	if (b->count < 3 || step < 2 || b->matched >= step * (b->count + 1))
		return 0;
	for (size_t i = 0; i < b->count; i++)
		if (b->numbers[i] != step * (i + 1))
			return 0;
	return step;
}

static void write_numbers(const struct bundle *b, struct buf *out)
{
	size_t runs = 0;

	for (size_t i = 0; i < b->count; i++)
		runs += !i || b->numbers[i] != b->numbers[i - 1] + 1;
	if (runs > NUMBERS_MAX) {
		buf_printf(out, " nth=%llu..%llu", (unsigned long long)b->numbers[0],
			   (unsigned long long)b->numbers[b->count - 1]);
		return;
	}
	buf_text(out, " nth=");
	for (size_t i = 0; i < b->count; i++) {
		size_t first = i;

		while (i + 1 < b->count && b->numbers[i + 1] == b->numbers[i] + 1)
			i++;
		buf_printf(out, "%s%llu", first ? "," : "", (unsigned long long)b->numbers[first]);
		if (i > first)
			buf_printf(out, "..%llu", (unsigned long long)b->numbers[i]);
	}
}

/* Errors to the last Produce that there was: nobody saw them end. From which number on; 0. */
static uint64_t endless_from(const struct bundle *b)
{
	size_t first = b->count - 1;

	while (first && b->numbers[first - 1] + 1 == b->numbers[first])
		first--;
	if (strncmp(b->match, "Produce ", 8) != 0 || strncmp(b->action, "error ", 6) != 0 ||
	    b->numbers[b->count - 1] != b->matched || b->count - first < OFTEN)
		return 0;
	return first ? 0 : b->numbers[0];
}

static void write_rule(const struct bundle *b, struct buf *out)
{
	uint64_t endless = endless_from(b);

	buf_text(out, b->match);
	if (endless > 1)
		buf_printf(out, " nth=%llu..%d", (unsigned long long)endless, ENDLESS);
	else if (endless)
		; /* each of them */
	else if (step_of(b))
		buf_printf(out, " every=%llu", (unsigned long long)step_of(b));
	else
		write_numbers(b, out);
	if (b->most > b->least)
		buf_printf(out, " -> delay %lldms..%lldms", (long long)b->least,
			   (long long)b->most);
	else
		buf_printf(out, " -> %s", b->action);
}

/* "not-leader-or-follower", "close-produce"; with a number behind it where that is taken. */
static void name_rule(struct incident *in, struct incident_rule *r, const char *action,
		      const char *match)
{
	char base[60];
	size_t n = 0;
	const char *from = !strncmp(action, "error ", 6) ? action + 6 : action;

	for (; n < sizeof(base) - 20 && *from && *from != ' '; from++)
		base[n++] = *from == '_' ? '-' : (char)tolower((unsigned char)*from);
	if (strncmp(action, "error ", 6)) {
		base[n++] = '-';
		for (from = match; n < sizeof(base) - 1 && isalnum((unsigned char)*from); from++)
			base[n++] = (char)tolower((unsigned char)*from);
	}
	snprintf(r->name, sizeof(r->name), "%.*s", (int)n, base);
	for (int number = 2; number < 1000; number++) {
		bool taken = false;

		for (size_t i = 0; i < in->rules_count; i++)
			taken |= &in->rules[i] != r && !strcmp(in->rules[i].name, r->name);
		if (!taken)
			return;
		snprintf(r->name, sizeof(r->name), "%.*s-%d", (int)n, base, number);
	}
}

static void add_rule(struct incident *in, const struct bundle *b)
{
	struct incident_rule *r = &in->rules[in->rules_count];
	struct buf text;
	struct error e = ERROR_INIT;

	*r = (struct incident_rule){.first_us = b->faults[0]->at->work_us,
				    .last_us = b->faults[b->count - 1]->at->work_us,
				    .hits = b->count};
	buf_init(&text, 100000);
	write_rule(b, &text);
	if (rules_check(str_of(buf_cstr(&text)), &e) < 0)
		buf_text(&text, " force");
	if (text.len < sizeof(r->text) && !rules_check(str_of(buf_cstr(&text)), NULL)) {
		snprintf(r->text, sizeof(r->text), "%s", buf_cstr(&text));
		in->rules_count++;
		name_rule(in, r, b->action, b->match);
		for (size_t i = 0; i < b->count; i++) {
			b->faults[i]->rule = r;
			r->optional |= b->faults[i]->optional;
		}
	} else {
		in->too_many++;
	}
	buf_release(&text);
}

/* ---- when events are due ---- */

static void add_watch(struct making *m, struct incident_event *e)
{
	struct incident *in = m->in;
	struct incident_rule *r = &in->rules[in->rules_count];
	struct fault shown = {.at = (struct about *)(uintptr_t)e->before};
	struct fault *one = &shown;
	struct bundle b = {.faults = &one, .count = 1};
	uint64_t number = 0;
	struct buf text;

	b.numbers = &number;
	buf_init(&text, 100000);
	if (!write_match(m, &shown, &text))
		buf_reset(&text);
	snprintf(b.match, sizeof(b.match), "%.*s", (int)text.len, buf_cstr(&text));
	snprintf(b.action, sizeof(b.action), "observe");
	if (text.len)
		count_bundle(in, &b);
	buf_reset(&text);
	write_rule(&b, &text);
	if (number && text.len < sizeof(r->text)) {
		*r = (struct incident_rule){.first_us = e->time_us, .hits = 1, .event = e};
		snprintf(r->text, sizeof(r->text), "%s", buf_cstr(&text));
		in->rules_count++;
		name_rule(in, r, "before", strchr(e->text, ' ') ? e->text : "event");
	}
	buf_release(&text);
}

/* Where a condition on what was written does not do. */
static void watch_events(struct making *m)
{
	struct incident *in = m->in;
	const struct about *before = NULL;

	for (size_t i = 0; i < in->events_count; i++) {
		struct incident_event *e = &in->events[i];

		if (e->held)
			continue;
		if (e->before && e->before != before && !e->before->fault &&
		    in->rules_count < INCIDENT_RULES_MAX)
			add_watch(m, e);
		before = e->before;
	}
}

/* ---- the proof ---- */

/* Whether the rules, counted over the capture itself, hit what was hit. */
static void prove(struct incident *in)
{
	struct rules *rules = rules_new(1);

	for (size_t i = 0; i < in->rules_count; i++)
		rules_add(rules, str_of(in->rules[i].name), str_of(in->rules[i].text), NULL);
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		struct plan plan = {0};

		if (!a->counted)
			continue;
		decide(rules, a, &in->scratch, &plan);
		in->missed += a->fault && (!plan.rule || plan.action == ACTION_OBSERVE);
		plan_release(&plan);
	}
	rules_free(rules);
}

void incident_make_rules(struct incident *in, const struct incident_names *names)
{
	struct making m = {.in = in, .names = names};

	m.bundles = calloc(INCIDENT_RULES_MAX + 1, sizeof(*m.bundles));
	in->rules = calloc(INCIDENT_RULES_MAX * 2 + 1, sizeof(*in->rules));
	if (!m.bundles || !in->rules)
		abort();
	if (in->told)
		take_told_rules(&m);
	make_bundles(&m);
	for (size_t i = 0; i < m.count; i++) {
		count_bundle(in, &m.bundles[i]);
		if (m.bundles[i].numbers[0])
			add_rule(in, &m.bundles[i]);
		else
			in->too_many += m.bundles[i].count;
		free(m.bundles[i].faults);
		free(m.bundles[i].numbers);
	}
	free(m.bundles);
	watch_events(&m);
	prove(in);
}
