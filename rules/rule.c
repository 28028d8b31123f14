/* The list of rules: matching, counting, deciding. A rule owns an arena with its text and parsed
 * form, and its counters; it lives until it is removed and no plan holds it. Decisions depend on
 * the seed, the rule's name and what is matched, never on time or addresses. */
#include "rules/rule.h"

#include "base/rand.h"
#include "protocol/kafka_error.h"
#include "rules/grammar.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define RULE_ARENA_MAX ((size_t)1 << 20)
#define COUNTERS_MAX   (1 << 20) /* streams that one rule counts apart; those beyond share one */

/* Counts of one stream of exchanges: all of them, or those of one client, connection, partition. */
struct counter {
	uint64_t id;
	uint64_t seen, hits;
	UT_hash_handle hh;
};

struct miss {
	int64_t conn;
	int32_t correlation_id;
	enum rule_key key;
	char actual[64];
	bool any;
};

struct rule {
	struct rules *rs;
	struct rule *next;
	struct arena arena;
	struct str name, text;
	struct parsed_rule parsed;
	struct counter *counters; /* those counted apart, and the ordinals of prob */
	struct counter all;
	uint64_t hits, matched;
	uint64_t name_hash;
	struct miss miss;
	char miss_text[256];
	int refs;
};

struct rules {
	struct rule *first;
	uint64_t seed;
	int64_t added; /* for rule-N */
	int32_t on_answer;
};

struct rules *rules_new(uint64_t seed)
{
	struct rules *rs = calloc(1, sizeof(*rs));

	if (!rs)
		abort();
	rs->seed = seed;
	return rs;
}

static void counters_clear(struct rule *r)
{
	struct counter *c, *next;

	HASH_ITER (hh, r->counters, c, next) {
		HASH_DEL(r->counters, c);
		free(c);
	}
}

static void rule_unref(struct rule *r)
{
	if (--r->refs)
		return;
	counters_clear(r);
	arena_release(&r->arena);
	free(r);
}

void rules_free(struct rules *rs)
{
	if (!rs)
		return;
	while (rs->first)
		rules_remove(rs, rs->first->name);
	free(rs);
}

static struct rule *rule_new(struct rules *rs, struct str name, struct str text, struct error *e)
{
	struct rule *r = calloc(1, sizeof(*r));
	char *copy;

	if (!r)
		abort();
	r->rs = rs;
	r->refs = 1;
	arena_init(&r->arena, RULE_ARENA_MAX);
	copy = text.data ? arena_copy(&r->arena, text.data, (size_t)text.len) : NULL;
	if (!copy) {
		error_set(e, ERR_USAGE, "the rule is too long");
		rule_unref(r);
		return NULL;
	}
	for (int32_t i = 0; i < text.len; i++)
		if (copy[i] == '\n' || copy[i] == '\t' || copy[i] == '\r')
			copy[i] = ' ';
	r->text = (struct str){copy, text.len};
	if (rule_parse(r->text, &r->arena, &r->parsed, e)) {
		rule_unref(r);
		return NULL;
	}
	r->name = name.data
			  ? arena_str(&r->arena, name)
			  : str_of(arena_printf(&r->arena, "rule-%lld", (long long)rs->added + 1));
	r->name_hash = hash_bytes(rs->seed, r->name.data, (size_t)r->name.len);
	return r;
}

struct rule *rules_add(struct rules *rs, struct str name, struct str text, struct error *e)
{
	struct rule **at = &rs->first;
	struct rule *r;

	if (name.data && (!name.len || name.len > 200 || rules_find(rs, name))) {
		error_set(e, ERR_USAGE,
			  name.len ? "there is already a rule named '" STR_FMT "'"
				   : "a rule's name is empty" STR_FMT,
			  STR_ARG(name));
		return NULL;
	}
	r = rule_new(rs, name, text, e);
	if (!r)
		return NULL;
	if (rules_find(rs, r->name)) {
		error_set(e, ERR_USAGE, "there is already a rule named '" STR_FMT "'",
			  STR_ARG(r->name));
		rule_unref(r);
		return NULL;
	}
	rs->added++;
	rs->on_answer += r->parsed.on_answer;
	while (*at)
		at = &(*at)->next;
	*at = r;
	return r;
}

int rules_check(struct str text, struct error *e)
{
	struct rules *rs = rules_new(0);
	struct error own = ERROR_INIT;

	if (!rules_add(rs, str_of(NULL), text, &own) && e)
		*e = own;
	rules_free(rs);
	return own.code;
}

const char *rules_error_text(struct str text, const struct error *e, char *buf, size_t size)
{
	int caret = e->offset == ERROR_NO_OFFSET ? 0 : (int)e->offset;

	snprintf(buf, size, "  " STR_FMT "\n  %*s^\n%s", STR_ARG(text), caret, "", e->text);
	return buf;
}

bool rules_remove(struct rules *rs, struct str name)
{
	for (struct rule **at = &rs->first; *at; at = &(*at)->next) {
		struct rule *r = *at;

		if (!str_eq(r->name, name))
			continue;
		*at = r->next;
		rs->on_answer -= r->parsed.on_answer;
		rule_unref(r);
		return true;
	}
	return false;
}

struct rule *rules_find(struct rules *rs, struct str name)
{
	struct rule *r = rs->first;

	while (r && !str_eq(r->name, name))
		r = r->next;
	return r;
}

struct rule *rules_next(struct rules *rs, struct rule *after)
{
	return after ? after->next : rs->first;
}

void rule_reset(struct rule *r)
{
	counters_clear(r);
	r->all = (struct counter){0};
	r->hits = r->matched = 0;
	r->miss.any = false;
}

void rules_reset_counters(struct rules *rs)
{
	for (struct rule *r = rs->first; r; r = r->next)
		rule_reset(r);
}

bool rules_want_answers(const struct rules *rs)
{
	return rs->on_answer > 0;
}

/* '*' stands for any run of characters. */
static bool glob(struct str pattern, struct str text)
{
	int32_t p = 0, t = 0, star = -1, from = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len && pattern.data[p] == text.data[t]) {
			p++;
			t++;
		} else if (star >= 0) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

static bool text_in(const struct condition *c, struct str text)
{
	for (int32_t i = 0; text.data && i < c->count; i++)
		if (glob(c->texts[i], text))
			return true;
	return false;
}

static bool in_ranges(const struct range *ranges, int32_t count, int64_t v)
{
	for (int32_t i = 0; i < count; i++)
		if (v >= ranges[i].from && v <= ranges[i].to)
			return true;
	return false;
}

/* One decision under way. */
struct matching {
	struct rule *r;
	const struct facts *facts;
	const int16_t *codes; /* of the answer; NULL while there is none */
	int32_t codes_count;
	struct arena *arena;
	struct topic_partition *hit; /* subset of the request's partitions, or all of them */
	int32_t hit_count;
};

static bool partition_meets(const struct parsed_rule *r, const struct topic_partition *tp)
{
	for (int32_t i = 0; i < r->conditions_count; i++) {
		const struct condition *c = &r->conditions[i];

		if (c->key == KEY_TOPIC && !text_in(c, tp->topic))
			return false;
		if (c->key == KEY_PARTITION && !in_ranges(c->ranges, c->count, tp->partition))
			return false;
	}
	return true;
}

/* The request's partitions that meet the rule's topic and partition; false if it names some and
 * none does. */
static bool find_partitions(struct matching *m)
{
	const struct facts *f = m->facts;

	m->hit_count = 0;
	m->hit = NULL;
	if (!f->partitions_count)
		return !m->r->parsed.names_partitions;
	m->hit = arena_alloc(m->arena, (size_t)f->partitions_count * sizeof(*m->hit));
	if (!m->hit)
		return false;
	for (int32_t i = 0; i < f->partitions_count; i++)
		if (!m->r->parsed.names_partitions ||
		    partition_meets(&m->r->parsed, &f->partitions[i]))
			m->hit[m->hit_count++] = f->partitions[i];
	return m->hit_count > 0;
}

static bool code_in(const struct matching *m, const struct condition *c)
{
	for (int32_t i = 0; i < m->codes_count; i++)
		if (in_ranges(c->ranges, c->count, m->codes[i]))
			return true;
	return false;
}

struct wanted {
	struct str text;
	bool found;
};

static bool compare_value(void *user, const struct schema_field *field, void *value,
			  const int32_t *index)
{
	struct wanted *w = user;

	(void)index;
	w->found = path_value_is(field, value, w->text);
	return !w->found;
}

/* True if the path leads to such a value in the request, in a version that has the field. */
static bool field_is(const struct matching *m, const struct condition *c)
{
	const struct frame_header *h = m->facts->header;
	struct wanted w = {c->texts[0], false};

	for (int32_t i = 0; m->facts->body && i < c->paths->count; i++) {
		const struct field_path *f = &c->paths->at[i];

		if (f->api_key == h->api_key && h->api_version >= f->path.since &&
		    h->api_version <= f->path.until)
			path_each(&f->path, (void *)(uintptr_t)m->facts->body, compare_value, &w);
	}
	return w.found;
}

static bool meets(const struct matching *m, const struct condition *c)
{
	const struct facts *f = m->facts;

	switch (c->key) {
	case KEY_VERSION:
		return in_ranges(c->ranges, c->count, f->header->api_version);
	case KEY_BROKER:
		return in_ranges(c->ranges, c->count, f->broker);
	case KEY_CONN:
		return in_ranges(c->ranges, c->count, f->conn);
	case KEY_ACKS:
		return f->acks != INT32_MIN && in_ranges(c->ranges, c->count, f->acks);
	case KEY_GROUP:
		return text_in(c, f->group);
	case KEY_TXN:
		return text_in(c, f->txn);
	case KEY_CLIENT:
		return text_in(c, f->header->client_id);
	case KEY_ERROR:
		return code_in(m, c);
	case KEY_FIELD:
		return field_is(m, c);
	default:
		return true; /* topic and partition: find_partitions */
	}
}

static void actual_text(const struct matching *m, enum rule_key key, char *buf, size_t size)
{
	const struct facts *f = m->facts;
	struct str s = key == KEY_GROUP ? f->group : key == KEY_TXN ? f->txn : f->header->client_id;

	switch (key) {
	case KEY_VERSION:
		snprintf(buf, size, "%d", f->header->api_version);
		break;
	case KEY_BROKER:
		snprintf(buf, size, "%d", f->broker);
		break;
	case KEY_CONN:
		snprintf(buf, size, "%lld", (long long)f->conn);
		break;
	case KEY_ACKS:
		snprintf(buf, size, "%d", f->acks);
		break;
	case KEY_ERROR:
		snprintf(buf, size, "%s", m->codes_count ? kafka_error_name(m->codes[0]) : "NONE");
		break;
	case KEY_TOPIC:
	case KEY_PARTITION:
		snprintf(buf, size, f->partitions_count ? STR_FMT "-%d" : STR_FMT "none%.0d",
			 STR_ARG(f->partitions_count ? f->partitions[0].topic : str_of("")),
			 f->partitions_count ? f->partitions[0].partition : 0);
		break;
	case KEY_FIELD:
		snprintf(buf, size, "something else");
		break;
	default:
		snprintf(buf, size, STR_FMT, STR_ARG(s.data ? s : str_of("null")));
	}
}

static void miss_note(const struct matching *m, enum rule_key key)
{
	struct miss *miss = &m->r->miss;

	miss->any = true;
	miss->conn = m->facts->conn;
	miss->correlation_id = m->facts->header->correlation_id;
	miss->key = key;
	actual_text(m, key, miss->actual, sizeof(miss->actual));
}

/* All conditions but the trigger. Where just one fails, it is remembered as the nearest miss. */
static bool matches(struct matching *m)
{
	const struct parsed_rule *r = &m->r->parsed;
	int key = m->facts->header->api_key;
	int misses = 0;
	enum rule_key missed = RULE_KEYS;

	if (key < 0 || key > API_KEY_MAX || !(r->apis[key / 64] >> (key % 64) & 1))
		return false;
	for (int32_t i = 0; i < r->conditions_count && misses < 2; i++)
		if (!meets(m, &r->conditions[i])) {
			misses++;
			missed = r->conditions[i].key;
		}
	if (misses < 2 && !find_partitions(m)) {
		misses++;
		missed = KEY_TOPIC;
	}
	if (misses == 1)
		miss_note(m, missed);
	return !misses;
}

static uint64_t hash_str(uint64_t hash, struct str s)
{
	return hash_bytes(hash_u64(hash, (uint64_t)s.len), s.data, s.data ? (size_t)s.len : 0);
}

static struct counter *counter_of(struct rule *r, uint64_t id)
{
	struct counter *c;

	HASH_FIND(hh, r->counters, &id, sizeof(id), c);
	if (c)
		return c;
	if (HASH_COUNT(r->counters) >= COUNTERS_MAX)
		return &r->all;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->id = id;
	HASH_ADD(hh, r->counters, id, sizeof(c->id), c);
	return c;
}

/* Where nth, every and count of this exchange (or partition of it) are counted. */
static struct counter *stream_of(const struct matching *m, const struct topic_partition *tp)
{
	switch (m->r->parsed.per) {
	case PER_CLIENT:
		return counter_of(m->r, hash_str(1, m->facts->header->client_id));
	case PER_CONN:
		return counter_of(m->r, hash_u64(2, (uint64_t)m->facts->conn));
	case PER_PARTITION:
		if (tp)
			return counter_of(
				m->r, hash_u64(hash_str(3, tp->topic), (uint64_t)tp->partition));
		return &m->r->all;
	default:
		return &m->r->all;
	}
}

/* The throw of prob: from what is hit and its ordinal, so that no timing changes it. */
static bool lucky(const struct matching *m, const struct topic_partition *tp)
{
	uint64_t id = hash_str(4, m->facts->header->client_id);
	struct counter *c;

	id = hash_u64(id, (uint64_t)m->facts->header->api_key);
	if (tp)
		id = hash_u64(hash_str(id, tp->topic), (uint64_t)tp->partition);
	c = counter_of(m->r, id);
	c->seen++;
	return hash_real(hash_u64(hash_u64(m->r->name_hash, id), c->seen)) < m->r->parsed.prob;
}

static bool due(const struct matching *m, const struct counter *c)
{
	const struct parsed_rule *r = &m->r->parsed;

	if (r->nth && !in_ranges(r->nth, r->nth_count, (int64_t)c->seen))
		return false;
	if (r->every && c->seen % (uint64_t)r->every)
		return false;
	return !r->count || c->hits < (uint64_t)r->count;
}

static void trigger_missed(struct matching *m, const struct counter *c)
{
	const struct parsed_rule *r = &m->r->parsed;
	struct miss *miss = &m->r->miss;
	enum rule_key key = r->nth ? KEY_NTH : r->every ? KEY_EVERY : KEY_PROB;

	if (r->count && c->hits >= (uint64_t)r->count)
		key = KEY_COUNT;
	miss->any = true;
	miss->conn = m->facts->conn;
	miss->correlation_id = m->facts->header->correlation_id;
	miss->key = key;
	snprintf(miss->actual, sizeof(miss->actual), "%llu",
		 (unsigned long long)(key == KEY_COUNT ? c->hits : c->seen));
}

/* Counts the exchange; true if the rule triggers, with the partitions that are hit. */
static bool triggers(struct matching *m)
{
	const struct parsed_rule *r = &m->r->parsed;
	bool apart = m->hit_count && (r->per == PER_PARTITION || r->prob >= 0);
	int32_t units = apart ? m->hit_count : 1, hit = 0;
	struct counter *c = NULL, *last = NULL;

	m->r->matched++;
	for (int32_t i = 0; i < units; i++) {
		const struct topic_partition *tp = apart ? &m->hit[i] : NULL;
		bool thrown = r->prob < 0 || lucky(m, tp);

		c = stream_of(m, tp);
		if (i == 0 || c != last)
			c->seen++;
		last = c;
		if (!due(m, c) || !thrown)
			continue;
		if (apart)
			m->hit[hit] = m->hit[i];
		hit++;
	}
	if (!hit)
		trigger_missed(m, c);
	else if (apart)
		m->hit_count = hit;
	return hit > 0;
}

/* Books the hit on the streams that gave it. */
static void count_hit(struct matching *m)
{
	struct counter *c, *last = NULL;
	bool apart = m->hit_count && m->r->parsed.per == PER_PARTITION;

	m->r->hits++;
	for (int32_t i = 0; i < (apart ? m->hit_count : 1); i++) {
		c = stream_of(m, apart ? &m->hit[i] : NULL);
		if (c != last)
			c->hits++;
		last = c;
	}
}

static void plan_fill(const struct matching *m, struct plan *p)
{
	struct rule *r = m->r;
	int64_t span = r->parsed.delay_max_us - r->parsed.plan.delay_us;

	*p = r->parsed.plan;
	p->rule = r;
	p->hit = m->hit;
	p->hit_count = m->hit_count;
	if (p->action == ACTION_DELAY && span > 0)
		p->delay_us += (int64_t)(hash_real(hash_u64(r->name_hash, r->matched)) *
					 (double)(span + 1));
	r->refs++;
}

static void decide(struct rules *rs, struct matching *m, struct plan *p)
{
	bool answered = m->codes != NULL;

	for (struct rule *r = rs->first; r; r = r->next) {
		if (r->parsed.on_answer != answered)
			continue;
		m->r = r;
		if (!matches(m) || !triggers(m) || p->rule)
			continue;
		count_hit(m);
		plan_fill(m, p);
	}
}

void rules_decide(struct rules *rs, const struct facts *facts, struct arena *arena,
		  struct plan *ret_plan)
{
	struct matching m = {.facts = facts, .arena = arena};

	*ret_plan = (struct plan){0};
	decide(rs, &m, ret_plan);
}

void rules_decide_answer(struct rules *rs, const struct facts *facts, const int16_t *codes,
			 int32_t codes_count, struct arena *arena, struct plan *plan)
{
	static const int16_t none;
	struct matching m = {.facts = facts, .arena = arena};

	m.codes = codes_count ? codes : &none; /* an answer without an error is met by NONE */
	m.codes_count = codes_count ? codes_count : 1;
	decide(rs, &m, plan);
}

void plan_release(struct plan *p)
{
	if (p->rule)
		rule_unref(p->rule);
	*p = (struct plan){0};
}

struct str rule_name(const struct rule *r)
{
	return r->name;
}

struct str rule_text(const struct rule *r)
{
	return r->text;
}

uint64_t rule_hits(const struct rule *r)
{
	return r->hits;
}

uint64_t rule_matched(const struct rule *r)
{
	return r->matched;
}

struct str rule_nearest_miss(struct rule *r)
{
	if (!r->miss.any)
		return str_of(NULL);
	snprintf(r->miss_text, sizeof(r->miss_text),
		 "connection %lld correlation %d missed only %s: it was %s",
		 (long long)r->miss.conn, r->miss.correlation_id, rule_key_infos[r->miss.key].name,
		 r->miss.actual);
	return str_of(r->miss_text);
}

bool plan_hits(const struct plan *p, struct str topic, int32_t partition)
{
	if (!p->rule)
		return false;
	for (int32_t i = 0; i < p->hit_count; i++)
		if (p->hit[i].partition == partition && str_eq(p->hit[i].topic, topic))
			return true;
	return false;
}
