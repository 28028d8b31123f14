/* The walk, and how elements meet. An array's elements are paired in two rounds: first those whose
 * keys are known to mean the same, then, where a key is a variable that is not bound yet, those
 * that are most alike. Elements without a key meet by position.
 *
 * Invariant: an element meets one other at most. */
#include "replay/pairs.h"

#include <stdint.h>
#include <stdlib.h>

#define CACHE_SIZE 1024

/* Fields that say which element it is. */
static const char *const keys[] = {
	"apiKey",	  "topic",	    "topicId",	       "name",	     "topicName",
	"partition",	  "partitionIndex", "partitionId",     "index",	     "group",
	"groupId",	  "memberId",	    "transactionalId", "key",	     "resourceType",
	"resourceName",	  "patternType",    "nodeId",	       "brokerId",   "replicaId",
	"producerId",	  "logDir",	    "entityType",      "entityName", "feature",
	"user",		  "mechanism",	    "principal",       "host",	     "operation",
	"permissionType", "batchIndex",	    "firstOffset",     "tokenId",    "subtopologyId",
	"configName",
};

static bool has(const struct schema *s, const char *name)
{
	return schema_find(s, str_of(name)) != NULL;
}

static bool find_key(const struct schema *s, const struct schema_field *f)
{
	bool node = has(s, "nodeId") || has(s, "brokerId");

	if (f->array || f->type == FIELD_STRUCT)
		return false;
	if (node) /* a coordinator's element is its key's, a broker's its number's */
		return has(s, "key") ? strcmp(f->name, "key") == 0 : role_of(s, f) == ROLE_BROKER;
	if (strcmp(f->name, "producerId") == 0 && has(s, "transactionalId"))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], f->name) == 0)
			return true;
	return false;
}

/* Fields are constant tables, so that what was found once holds. */
bool pairs_is_key(const struct schema *s, const struct schema_field *f)
{
	static _Thread_local struct {
		const struct schema_field *field;
		bool key;
	} cache[CACHE_SIZE];
	size_t slot = ((uintptr_t)f / sizeof(*f)) % CACHE_SIZE;

	if (cache[slot].field != f) {
		cache[slot].key = find_key(s, f);
		cache[slot].field = f;
	}
	return cache[slot].key;
}

static bool in_both(const struct schema_field *f, const struct holder *a, const struct holder *b)
{
	return field_in(f, a->version) && field_in(f, b->version);
}

static void *at(const struct holder *h, const struct schema_field *f)
{
	return (uint8_t *)h->msg + f->offset;
}

static void go(const struct pairs *p, const struct pair_step *up, const struct holder *a,
	       const struct holder *b);

static bool tell(const struct pairs *p, enum pair_kind kind, const struct pair_step *step,
		 const struct holder *a, const struct holder *b, void *recorded, void *live)
{
	struct pair pair = {kind, step->field, role_of(a->schema, step->field), a, b, recorded,
			    live, step};

	return p->visit(p->user, &pair);
}

/* ---- how elements meet ---- */

/* An array on both sides. */
struct meeting {
	const struct pairs *p;
	const struct pair_step *up;
	const struct schema_field *field;
	const struct holder *a, *b;
	uint8_t *recorded, *live;
	int32_t recorded_count, live_count;
	int32_t *partner; /* of each recorded element: the live one, -1 none */
	bool *taken;	  /* live elements that have met */
	bool keyed;
};

static void *element(const struct meeting *m, enum side side, int32_t i)
{
	return (side == SIDE_RECORDED ? m->recorded : m->live) + (size_t)i * m->field->size;
}

/* A topic is one thing by name or by id, whichever a version has. */
static enum sameness same_topic(const struct meeting *m, const struct holder *a,
				const struct holder *b)
{
	struct holder alone_a = {a->schema, a->msg, a->version, NULL},
		      alone_b = {b->schema, b->msg, b->version, NULL};
	struct str x = variables_topic_around(m->p->v, SIDE_RECORDED, &alone_a),
		   y = variables_topic_around(m->p->v, SIDE_LIVE, &alone_b);
	const struct uuid *i, *j;

	if (x.data && y.data)
		return str_eq(x, y) ? SAME_YES : SAME_NO;
	i = holder_value(a, ROLE_TOPIC_ID, NULL);
	j = holder_value(b, ROLE_TOPIC_ID, NULL);
	if (i && j && uuid_eq(variables_topic_id(m->p->v, SIDE_RECORDED, *i), *j))
		return SAME_YES;
	return SAME_UNKNOWN;
}

static enum sameness worse(enum sameness a, enum sameness b)
{
	return a < b ? a : b;
}

static enum sameness same_struct(const struct meeting *m, int32_t i, int32_t j)
{
	const struct schema *s = m->field->child;
	struct holder a = {s, element(m, SIDE_RECORDED, i), m->a->version, m->a},
		      b = {s, element(m, SIDE_LIVE, j), m->b->version, m->b};
	enum sameness all = SAME_YES;
	bool topic = false;
	enum role role;

	for (uint16_t k = 0; k < s->field_count && all != SAME_NO; k++) {
		const struct schema_field *f = &s->fields[k];

		if (!pairs_is_key(s, f))
			continue;
		role = role_of(s, f);
		if (role == ROLE_TOPIC || role == ROLE_TOPIC_ID) {
			all = topic ? all : worse(all, same_topic(m, &a, &b));
			topic = true;
		} else if (in_both(f, &a, &b)) {
			all = worse(all, variables_same(m->p->v, m->p->peer, &a, f, at(&a, f),
							at(&b, f)));
		}
	}
	return all;
}

static enum sameness same(const struct meeting *m, int32_t i, int32_t j)
{
	if (m->field->type == FIELD_STRUCT)
		return m->keyed ? same_struct(m, i, j) : i == j ? SAME_YES : SAME_NO;
	return variables_same(m->p->v, m->p->peer, m->a, m->field, element(m, SIDE_RECORDED, i),
			      element(m, SIDE_LIVE, j));
}

static void meet(struct meeting *m, int32_t i, int32_t j)
{
	m->partner[i] = j;
	m->taken[j] = true;
}

/* Nearly always the same place, so it is looked at first. */
static void meet_known(struct meeting *m, int32_t i)
{
	int32_t n = m->live_count;

	for (int32_t k = 0; k < n; k++) {
		int32_t j = (i + k) % n;

		if (!m->taken[j] && same(m, i, j) == SAME_YES) {
			meet(m, i, j);
			return;
		}
	}
}

/* How many plain values two struct elements share. */
static int likeness(const struct meeting *m, int32_t i, int32_t j)
{
	const struct schema *s = m->field->child;
	int n = 0;

	if (m->field->type != FIELD_STRUCT)
		return 0;
	for (uint16_t k = 0; k < s->field_count; k++) {
		const struct schema_field *f = &s->fields[k];
		struct holder a = {s, element(m, SIDE_RECORDED, i), m->a->version, m->a},
			      b = {s, element(m, SIDE_LIVE, j), m->b->version, m->b};
		const struct bytes *x = at(&a, f), *y = at(&b, f);

		if (f->array || f->type == FIELD_STRUCT || f->type == FIELD_RECORDS)
			continue;
		if (f->type == FIELD_BYTES)
			n += x->len == y->len &&
			     (!x->len || memcmp(x->data, y->data, (size_t)x->len) == 0);
		else
			n += variables_same(m->p->v, m->p->peer, &a, f, x, y) == SAME_YES;
	}
	return n;
}

static void meet_likely(struct meeting *m, int32_t i)
{
	int best = -1, n;
	int32_t with = -1;

	for (int32_t j = 0; j < m->live_count; j++) {
		if (m->taken[j] || same(m, i, j) == SAME_NO)
			continue;
		n = likeness(m, i, j);
		if (n <= best)
			continue;
		best = n;
		with = j;
	}
	if (with >= 0)
		meet(m, i, with);
}

static bool has_keys(const struct schema *s)
{
	for (uint16_t k = 0; k < s->field_count; k++)
		if (pairs_is_key(s, &s->fields[k]))
			return true;
	return false;
}

/* ---- arrays ---- */

static void tell_element(const struct meeting *m, enum pair_kind kind, int32_t i, int32_t j)
{
	bool is_struct = m->field->type == FIELD_STRUCT;
	enum side side = i >= 0 ? SIDE_RECORDED : SIDE_LIVE;
	void *recorded = i >= 0 ? element(m, SIDE_RECORDED, i) : NULL,
	     *live = j >= 0 ? element(m, SIDE_LIVE, j) : NULL;
	struct pair_step step = {m->up, m->field, i >= 0 ? i : j,
				 is_struct ? (recorded ? recorded : live) : NULL, side};
	struct holder a = {m->field->child, recorded, m->a->version, m->a},
		      b = {m->field->child, live, m->b->version, m->b};

	if (tell(m->p, kind, &step, m->a, m->b, recorded, live) && kind == PAIR_STRUCT)
		go(m->p, &step, &a, &b);
}

static void tell_all(const struct meeting *m)
{
	enum pair_kind both = m->field->type == FIELD_STRUCT ? PAIR_STRUCT : PAIR_VALUE;

	for (int32_t i = 0; i < m->recorded_count; i++)
		tell_element(m, m->partner[i] >= 0 ? both : PAIR_GONE, i, m->partner[i]);
	for (int32_t j = 0; j < m->live_count; j++)
		if (!m->taken[j])
			tell_element(m, PAIR_NEW, -1, j);
}

static void array(const struct pairs *p, const struct pair_step *up, const struct holder *a,
		  const struct holder *b, const struct schema_field *f)
{
	struct meeting m = {.p = p, .up = up, .field = f, .a = a, .b = b};
	struct pair_step step = {up, f, -1, NULL, SIDE_RECORDED};

	memcpy(&m.recorded_count, (uint8_t *)a->msg + f->count_offset, sizeof(int32_t));
	memcpy(&m.live_count, (uint8_t *)b->msg + f->count_offset, sizeof(int32_t));
	if (!tell(p, PAIR_ARRAY, &step, a, b, &m.recorded_count, &m.live_count))
		return;
	if (m.recorded_count < 0)
		m.recorded_count = 0;
	if (m.live_count < 0)
		m.live_count = 0;
	memcpy(&m.recorded, at(a, f), sizeof(m.recorded));
	memcpy(&m.live, at(b, f), sizeof(m.live));
	m.keyed = f->type == FIELD_STRUCT && has_keys(f->child);
	m.partner = calloc((size_t)m.recorded_count + 1, sizeof(*m.partner));
	m.taken = calloc((size_t)m.live_count + 1, sizeof(*m.taken));
	if (!m.partner || !m.taken)
		abort();
	for (int32_t i = 0; i < m.recorded_count; i++) {
		m.partner[i] = -1;
		meet_known(&m, i);
	}
	for (int32_t i = 0; i < m.recorded_count; i++)
		if (m.partner[i] < 0)
			meet_likely(&m, i);
	tell_all(&m);
	free(m.partner);
	free(m.taken);
}

/* ---- structs ---- */

/* Absent: NULL, or the constant that stands for a default. */
static void *present(const struct holder *h, const struct schema_field *f)
{
	void *p = at(h, f);

	if (!f->pointer)
		return p;
	memcpy(&p, at(h, f), sizeof(p));
	return (const void *)p == f->child->defaults ? NULL : p;
}

static void one_struct(const struct pairs *p, const struct pair_step *up, const struct holder *a,
		       const struct holder *b, const struct schema_field *f)
{
	struct holder inner_a = {f->child, present(a, f), a->version, a},
		      inner_b = {f->child, present(b, f), b->version, b};
	struct pair_step step = {up, f, -1, NULL, SIDE_RECORDED};
	enum pair_kind kind = !inner_a.msg ? PAIR_NEW : !inner_b.msg ? PAIR_GONE : PAIR_STRUCT;

	if (!inner_a.msg && !inner_b.msg)
		return;
	if (tell(p, kind, &step, a, b, inner_a.msg, inner_b.msg) && kind == PAIR_STRUCT)
		go(p, &step, &inner_a, &inner_b);
}

static void go(const struct pairs *p, const struct pair_step *up, const struct holder *a,
	       const struct holder *b)
{
	for (uint16_t i = 0; i < a->schema->field_count; i++) {
		const struct schema_field *f = &a->schema->fields[i];
		struct pair_step step = {up, f, -1, NULL, SIDE_RECORDED};

		if (!in_both(f, a, b))
			continue;
		if (f->array)
			array(p, up, a, b, f);
		else if (f->type == FIELD_STRUCT)
			one_struct(p, up, a, b, f);
		else
			tell(p, PAIR_VALUE, &step, a, b, at(a, f), at(b, f));
	}
}

void pairs_each(const struct pairs *p, const struct holder *recorded, const struct holder *live)
{
	go(p, NULL, recorded, live);
}
