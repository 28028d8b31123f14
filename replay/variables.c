/* Bindings stand in two hash tables, one for each side, keyed by role, scope and value as bytes;
 * offsets apart, as a few points of each partition between which the distance stays.
 *
 * Invariants: a binding is in both tables or in none; a recorded value has one counterpart, and a
 * live one as well: the newer binding ends the older ones of both its values. */
#include "replay/variables.h"

#include "base/buf.h"
#include "protocol/wire.h"

#include <stdlib.h>
#include <uthash.h>

#define KEY_MAX	       ((size_t)1 << 20) /* scope and value; longer is not learned */
#define TOPIC_TYPE     2		 /* of configuration resources and ACLs alike */
#define GROUP_TYPE     3
#define BROKER_TYPE    4
#define TXN_TYPE       5
#define LOGGER_TYPE    8
#define CONFIG_GROUP   32
#define KEY_TYPE_TXN   1
#define KEY_TYPE_SHARE 2

struct binding {
	uint8_t *key[2]; /* by side: role, scope, value */
	size_t key_len[2];
	size_t value_at; /* where the value starts in both keys */
	UT_hash_handle hh[2];
};

struct point {
	int64_t at[2]; /* offsets, by side */
};

struct partition_offsets {
	char *scope;
	size_t scope_len;
	struct point *points; /* by recorded offset */
	size_t count, cap;
	UT_hash_handle hh;
};

struct node_address {
	int32_t node, port;
	char *host;
	UT_hash_handle hh;
};

struct topic_name {
	struct uuid id;
	char *name;
	size_t name_len;
	UT_hash_handle hh, hh_name;
};

struct variables {
	struct binding *by[2];
	size_t count;
	struct partition_offsets *offsets;
	struct node_address *nodes;
	struct topic_name *ids[2], *names[2];
	char *suffix;
	struct buf scope, key[2];
	uint64_t unknown[ROLE_COUNT];
};

static void *take(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

static void *copy_of(const void *data, size_t n)
{
	char *p = take(n + 1);

	if (n)
		memcpy(p, data, n);
	return p;
}

struct variables *variables_new(void)
{
	struct variables *v = take(sizeof(*v));

	buf_init(&v->scope, KEY_MAX);
	buf_init(&v->key[0], KEY_MAX);
	buf_init(&v->key[1], KEY_MAX);
	return v;
}

static void binding_free(struct binding *b)
{
	free(b->key[0]);
	free(b->key[1]);
	free(b);
}

static void free_topics(struct variables *v, enum side side)
{
	struct topic_name *t, *next;

	HASH_CLEAR(hh_name, v->names[side]);
	HASH_ITER (hh, v->ids[side], t, next) {
		HASH_DELETE(hh, v->ids[side], t);
		free(t->name);
		free(t);
	}
}

void variables_free(struct variables *v)
{
	struct binding *b, *next_b;
	struct partition_offsets *p, *next_p;
	struct node_address *n, *next_n;

	if (!v)
		return;
	HASH_CLEAR(hh[1], v->by[1]);
	HASH_ITER (hh[0], v->by[0], b, next_b) {
		HASH_DELETE(hh[0], v->by[0], b);
		binding_free(b);
	}
	HASH_ITER (hh, v->offsets, p, next_p) {
		HASH_DELETE(hh, v->offsets, p);
		free(p->scope);
		free(p->points);
		free(p);
	}
	HASH_ITER (hh, v->nodes, n, next_n) {
		HASH_DELETE(hh, v->nodes, n);
		free(n->host);
		free(n);
	}
	free_topics(v, SIDE_RECORDED);
	free_topics(v, SIDE_LIVE);
	buf_release(&v->scope);
	buf_release(&v->key[0]);
	buf_release(&v->key[1]);
	free(v->suffix);
	free(v);
}

void variables_set_suffix(struct variables *v, struct str suffix)
{
	free(v->suffix);
	v->suffix = suffix.len ? copy_of(suffix.data, (size_t)suffix.len) : NULL;
}

void variables_set_address(struct variables *v, int32_t node, struct str host, int32_t port)
{
	struct node_address *n;

	HASH_FIND(hh, v->nodes, &node, sizeof(node), n);
	if (!n) {
		n = take(sizeof(*n));
		n->node = node;
		HASH_ADD(hh, v->nodes, node, sizeof(n->node), n);
	}
	free(n->host);
	n->host = copy_of(host.data, (size_t)host.len);
	n->port = port;
}

/* ---- topics ---- */

void variables_set_topic(struct variables *v, enum side side, struct uuid id, struct str name)
{
	struct topic_name *t, *newest;

	if (uuid_is_zero(id) || !name.data || name.len == 0)
		return;
	HASH_FIND(hh, v->ids[side], &id, sizeof(id), t);
	if (t && t->name_len == (size_t)name.len && memcmp(t->name, name.data, t->name_len) == 0)
		return;
	if (t || HASH_COUNT(v->ids[side]) >= VARIABLES_MAX)
		return; /* an id never gets another name */
	t = take(sizeof(*t));
	t->id = id;
	t->name = copy_of(name.data, (size_t)name.len);
	t->name_len = (size_t)name.len;
	HASH_ADD(hh, v->ids[side], id, sizeof(t->id), t);
	HASH_FIND(hh_name, v->names[side], t->name, t->name_len, newest);
	if (newest)
		HASH_DELETE(hh_name, v->names[side], newest);
	HASH_ADD_KEYPTR(hh_name, v->names[side], t->name, t->name_len, t);
}

struct str variables_topic_name(const struct variables *v, enum side side, struct uuid id)
{
	struct topic_name *t;

	HASH_FIND(hh, v->ids[side], &id, sizeof(id), t);
	return t ? (struct str){t->name, (int32_t)t->name_len} : (struct str){NULL, 0};
}

struct uuid variables_id_of_topic(const struct variables *v, enum side side, struct str name)
{
	struct topic_name *t = NULL;

	if (name.data)
		HASH_FIND(hh_name, v->names[side], name.data, (size_t)name.len, t);
	return t ? t->id : (struct uuid){{0}};
}

struct str variables_topic_around(const struct variables *v, enum side side,
				  const struct holder *in)
{
	const struct str *name;
	const struct uuid *id;

	for (; in; in = in->outer) {
		name = holder_value(in, ROLE_TOPIC, NULL);
		if (name && name->data && name->len)
			return *name;
		id = holder_value(in, ROLE_TOPIC_ID, NULL);
		if (id && !uuid_is_zero(*id))
			return variables_topic_name(v, side, *id);
	}
	return (struct str){NULL, 0};
}

/* ---- bindings ---- */

/* Builds role, scope and value as a table's key. False: too long. */
static bool make_key(struct buf *key, enum role role, struct bytes scope, struct bytes value,
		     size_t *ret_value_at)
{
	buf_reset(key);
	buf_byte(key, (uint8_t)role);
	buf_add(key, scope.data, (size_t)scope.len);
	buf_byte(key, 0);
	*ret_value_at = key->len;
	buf_add(key, value.data, (size_t)value.len);
	return !key->bad;
}

static struct binding *find(const struct variables *v, enum side side, const struct buf *key)
{
	struct binding *b;

	if (side == SIDE_RECORDED)
		HASH_FIND(hh[0], v->by[0], key->data, key->len, b);
	else
		HASH_FIND(hh[1], v->by[1], key->data, key->len, b);
	return b;
}

static void forget(struct variables *v, struct binding *b)
{
	if (!b)
		return;
	HASH_DELETE(hh[0], v->by[0], b);
	HASH_DELETE(hh[1], v->by[1], b);
	binding_free(b);
	v->count--;
}

static void bind(struct variables *v, enum role role, struct bytes scope, struct bytes recorded,
		 struct bytes live)
{
	struct binding *b;
	size_t at;

	if (!make_key(&v->key[0], role, scope, recorded, &at) ||
	    !make_key(&v->key[1], role, scope, live, &at))
		return;
	b = find(v, SIDE_RECORDED, &v->key[0]);
	if (b && b == find(v, SIDE_LIVE, &v->key[1]))
		return;
	forget(v, b);
	forget(v, find(v, SIDE_LIVE, &v->key[1]));
	if (v->count >= VARIABLES_MAX)
		return;
	b = take(sizeof(*b));
	b->value_at = at;
	for (int side = 0; side < 2; side++) {
		b->key[side] = copy_of(v->key[side].data, v->key[side].len);
		b->key_len[side] = v->key[side].len;
	}
	HASH_ADD_KEYPTR(hh[0], v->by[0], b->key[0], b->key_len[0], b);
	HASH_ADD_KEYPTR(hh[1], v->by[1], b->key[1], b->key_len[1], b);
	v->count++;
}

/* The other side's value; NULL data: not known. A view into the map. */
static struct bytes lookup(const struct variables *v, enum side from, enum role role,
			   struct bytes scope, struct bytes value)
{
	struct variables *w = (struct variables *)v; /* its scratch */
	struct binding *b;
	size_t at;

	if (!make_key(&w->key[from], role, scope, value, &at))
		return (struct bytes){NULL, 0};
	b = find(v, from, &w->key[from]);
	if (!b)
		return (struct bytes){NULL, 0};
	return (struct bytes){b->key[!from] + b->value_at,
			      (int32_t)(b->key_len[!from] - b->value_at)};
}

static const struct bytes no_scope = {(const uint8_t *)"", 0};

static struct bytes bytes_of_int(int64_t n, uint8_t room[8])
{
	wire_put64(room, (uint64_t)n);
	return (struct bytes){room, 8};
}

static bool lookup_int(const struct variables *v, enum side from, enum role role,
		       struct bytes scope, int64_t value, int64_t *ret)
{
	uint8_t room[8];
	struct bytes got = lookup(v, from, role, scope, bytes_of_int(value, room));

	*ret = got.data ? (int64_t)wire_u64(got.data) : value;
	return got.data != NULL;
}

static void bind_int(struct variables *v, enum role role, struct bytes scope, int64_t recorded,
		     int64_t live)
{
	uint8_t a[8], b[8];

	bind(v, role, scope, bytes_of_int(recorded, a), bytes_of_int(live, b));
}

void variables_bind_int(struct variables *v, enum role role, int64_t recorded, int64_t live)
{
	bind_int(v, role, no_scope, recorded, live);
}

static struct bytes bytes_of_str(struct str s)
{
	return (struct bytes){(const uint8_t *)s.data, s.len};
}

void variables_bind_str(struct variables *v, enum role role, struct str recorded, struct str live)
{
	bind(v, role, no_scope, bytes_of_str(recorded), bytes_of_str(live));
}

bool variables_int(const struct variables *v, enum side from, enum role role, int64_t value,
		   int64_t *ret)
{
	return lookup_int(v, from, role, no_scope, value, ret);
}

/* A group or transactional id that nobody has named yet gets its suffix. */
static void suffix(struct variables *v, enum side from, enum role role, struct str name)
{
	struct buf live;

	if (!v->suffix || from != SIDE_RECORDED ||
	    (role != ROLE_GROUP && role != ROLE_TRANSACTIONAL_ID))
		return;
	buf_init(&live, KEY_MAX);
	buf_add(&live, name.data, (size_t)name.len);
	buf_text(&live, v->suffix);
	if (!live.bad)
		bind(v, role, no_scope, bytes_of_str(name),
		     (struct bytes){live.data, (int32_t)live.len});
	buf_release(&live);
}

struct str variables_str(const struct variables *v, enum side from, enum role role,
			 struct str value)
{
	struct bytes got;

	if (!value.data || value.len == 0)
		return value;
	got = lookup(v, from, role, no_scope, bytes_of_str(value));
	if (!got.data) {
		suffix((struct variables *)v, from, role, value);
		got = lookup(v, from, role, no_scope, bytes_of_str(value));
	}
	return got.data ? (struct str){(const char *)got.data, got.len} : value;
}

static bool known_str(const struct variables *v, enum side from, enum role role, struct str value)
{
	return lookup(v, from, role, no_scope, bytes_of_str(value)).data != NULL;
}

struct uuid variables_topic_id(const struct variables *v, enum side from, struct uuid id)
{
	struct bytes got =
		lookup(v, from, ROLE_TOPIC_ID, no_scope, (struct bytes){id.b, sizeof(id.b)});
	struct uuid ret = {{0}};

	if (!got.data)
		return variables_id_of_topic(v, !from, variables_topic_name(v, from, id));
	memcpy(ret.b, got.data, sizeof(ret.b));
	return ret;
}

/* ---- offsets ---- */

static struct partition_offsets *offsets_of(const struct variables *v, struct bytes scope)
{
	struct partition_offsets *p;

	HASH_FIND(hh, v->offsets, scope.data, (size_t)scope.len, p);
	return p;
}

/* The last point at or before an offset; without one the first. The recorded side is sorted, the
 * live one nearly. */
static const struct point *nearest(const struct partition_offsets *p, enum side from,
				   int64_t offset)
{
	const struct point *best = NULL;
	size_t low = 0, high = p->count, middle;

	if (from == SIDE_RECORDED) {
		while (low < high) {
			middle = (low + high) / 2;
			if (p->points[middle].at[0] <= offset)
				low = middle + 1;
			else
				high = middle;
		}
		return &p->points[low ? low - 1 : 0];
	}
	for (size_t i = 0; i < p->count; i++)
		if (p->points[i].at[1] <= offset && (!best || p->points[i].at[1] >= best->at[1]))
			best = &p->points[i];
	return best ? best : &p->points[0];
}

static int64_t map_offset(const struct partition_offsets *p, enum side from, int64_t offset)
{
	const struct point *near;
	int64_t mapped;

	if (!p || !p->count || offset < 0 || offset == INT64_MAX)
		return offset;
	near = nearest(p, from, offset);
	if (__builtin_sub_overflow(near->at[!from], near->at[from], &mapped) ||
	    __builtin_add_overflow(mapped, offset, &mapped))
		return offset;
	return mapped < 0 ? -1 : mapped; /* it lies before what the other log begins with */
}

static void bind_offset(struct variables *v, struct bytes scope, int64_t recorded, int64_t live)
{
	struct partition_offsets *p = offsets_of(v, scope);
	size_t i;

	if (recorded < 0 || live < 0 || (p && map_offset(p, SIDE_RECORDED, recorded) == live))
		return;
	if (!p) {
		p = take(sizeof(*p));
		p->scope = copy_of(scope.data, (size_t)scope.len);
		p->scope_len = (size_t)scope.len;
		HASH_ADD_KEYPTR(hh, v->offsets, p->scope, p->scope_len, p);
	}
	for (i = p->count; i > 0 && p->points[i - 1].at[0] >= recorded; i--)
		;
	if (i < p->count && p->points[i].at[0] == recorded) {
		p->points[i].at[1] = live;
		return;
	}
	if (p->count == OFFSET_POINTS_MAX)
		return;
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 4;
		p->points = realloc(p->points, p->cap * sizeof(*p->points));
		if (!p->points)
			abort();
	}
	memmove(&p->points[i + 1], &p->points[i], (p->count - i) * sizeof(*p->points));
	p->points[i] = (struct point){{recorded, live}};
	p->count++;
}

/* ---- scopes ---- */

/* A field of a struct or one around it, by Kafka's name; NULL: none has it. */
static const void *named(const struct holder *in, const char *name,
			 const struct schema_field **ret_field)
{
	for (; in; in = in->outer) {
		*ret_field = schema_find(in->schema, str_of(name));
		if (*ret_field && !(*ret_field)->array && field_in(*ret_field, in->version))
			return (const uint8_t *)in->msg + (*ret_field)->offset;
	}
	return NULL;
}

static enum role resource_role(const struct holder *in)
{
	const struct schema_field *f;
	const void *type = named(in, "resourceType", &f);

	if (!type)
		type = named(in, "resourceTypeFilter", &f);
	switch (type ? leaf_int(f, type) : 0) {
	case TOPIC_TYPE:
		return ROLE_TOPIC;
	case GROUP_TYPE:
	case CONFIG_GROUP:
		return ROLE_GROUP;
	case BROKER_TYPE:
	case LOGGER_TYPE:
		return ROLE_BROKER;
	case TXN_TYPE:
		return ROLE_TRANSACTIONAL_ID;
	default:
		return ROLE_PLAIN;
	}
}

static enum role coordinator_role(const struct holder *in)
{
	const struct schema_field *f;
	const void *type = named(in, "keyType", &f);
	int64_t n = type ? leaf_int(f, type) : 0;

	if (n == KEY_TYPE_TXN)
		return ROLE_TRANSACTIONAL_ID;
	return n == KEY_TYPE_SHARE ? ROLE_PLAIN : ROLE_GROUP;
}

enum role variables_role(const struct holder *in, const struct schema_field *f)
{
	enum role role = role_of(in->schema, f);

	if (role == ROLE_COORDINATOR_KEY)
		return coordinator_role(in);
	return role == ROLE_RESOURCE ? resource_role(in) : role;
}

bool role_is_variable(enum role role)
{
	switch (role) {
	case ROLE_GROUP:
	case ROLE_TRANSACTIONAL_ID:
	case ROLE_TOPIC_ID:
	case ROLE_MEMBER:
	case ROLE_PRODUCER_ID:
	case ROLE_PRODUCER_EPOCH:
	case ROLE_SESSION:
	case ROLE_GENERATION:
	case ROLE_CLUSTER:
	case ROLE_DIRECTORY:
	case ROLE_BROKER:
	case ROLE_HOST:
	case ROLE_ADDRESS:
	case ROLE_PORT:
	case ROLE_OFFSET:
	case ROLE_LEADER_EPOCH:
		return true;
	default:
		return false;
	}
}

static void add_int(struct buf *b, int64_t n)
{
	uint8_t room[8];

	bytes_of_int(n, room);
	buf_add(b, room, sizeof(room));
}

static struct bytes partition_scope(struct variables *v, struct str topic, int64_t partition)
{
	buf_reset(&v->scope);
	buf_add(&v->scope, topic.data, (size_t)topic.len);
	buf_byte(&v->scope, 0);
	add_int(&v->scope, partition);
	return (struct bytes){v->scope.data, (int32_t)v->scope.len};
}

static struct bytes scope_of_partition(struct variables *v, enum side side, const struct holder *in)
{
	const struct schema_field *f;
	const void *partition = holder_nearest(in, ROLE_PARTITION, &f);

	if (!partition)
		return no_scope;
	return partition_scope(v, variables_topic_around(v, side, in), leaf_int(f, partition));
}

static struct bytes scope_of_producer(struct variables *v, enum side side, const struct holder *in)
{
	const struct schema_field *f;
	const void *id = holder_nearest(in, ROLE_PRODUCER_ID, &f);
	int64_t n;

	if (!id)
		return no_scope;
	n = leaf_int(f, id);
	if (side == SIDE_LIVE)
		variables_int(v, SIDE_LIVE, ROLE_PRODUCER_ID, n, &n);
	buf_reset(&v->scope);
	add_int(&v->scope, n);
	return (struct bytes){v->scope.data, (int32_t)v->scope.len};
}

/* A text in the recording's words, behind what the scope has so far. */
static void add_recorded(struct variables *v, enum side side, enum role role,
			 const struct str *text)
{
	struct str name = side == SIDE_LIVE ? variables_str(v, SIDE_LIVE, role, *text) : *text;

	buf_add(&v->scope, name.data, (size_t)name.len);
	buf_byte(&v->scope, 0);
}

/* A generation or member epoch is its group's, and a member may learn of it later than others: it
 * is asked for as the member's first. */
static struct bytes scope_of_group(struct variables *v, enum side side, const struct holder *in,
				   bool of_member)
{
	const struct str *group = holder_nearest(in, ROLE_GROUP, NULL), *member = NULL;

	if (!group || !group->data)
		return no_scope;
	if (of_member)
		member = holder_nearest(in, ROLE_MEMBER, NULL);
	buf_reset(&v->scope);
	add_recorded(v, side, ROLE_GROUP, group);
	if (member && member->len > 0)
		add_recorded(v, side, ROLE_MEMBER, member);
	return (struct bytes){v->scope.data, (int32_t)v->scope.len};
}

/* Where a value holds, in the recording's words; a view into v->scope. */
static struct bytes scope_of(struct variables *v, enum side side, enum role role, int64_t peer,
			     const struct holder *in)
{
	switch (role) {
	case ROLE_OFFSET:
	case ROLE_LEADER_EPOCH:
		return scope_of_partition(v, side, in);
	case ROLE_PRODUCER_EPOCH:
		return scope_of_producer(v, side, in);
	case ROLE_GENERATION:
		return scope_of_group(v, side, in, true);
	case ROLE_SESSION:
		buf_reset(&v->scope);
		add_int(&v->scope, peer);
		return (struct bytes){v->scope.data, (int32_t)v->scope.len};
	default:
		return no_scope;
	}
}

void variables_bind_epoch(struct variables *v, int64_t producer_id, int16_t recorded, int16_t live)
{
	if (recorded < 0 || live < 0)
		return;
	buf_reset(&v->scope);
	add_int(&v->scope, producer_id);
	bind_int(v, ROLE_PRODUCER_EPOCH, (struct bytes){v->scope.data, (int32_t)v->scope.len},
		 recorded, live);
}

int64_t variables_offset(const struct variables *v, enum side from, struct str topic,
			 int32_t partition, int64_t offset)
{
	struct bytes scope = partition_scope((struct variables *)v, topic, partition);

	return map_offset(offsets_of(v, scope), from, offset);
}

void variables_bind_offset(struct variables *v, struct str topic, int32_t partition,
			   int64_t recorded, int64_t live)
{
	bind_offset(v, partition_scope(v, topic, partition), recorded, live);
}

/* ---- one value ---- */

static bool means_none(enum role role, int64_t n)
{
	return n < 0 || (n == 0 && (role == ROLE_SESSION || role == ROLE_GENERATION)) ||
	       n == INT64_MAX;
}

static bool map_int(struct variables *v, enum side from, enum role role, int64_t peer,
		    const struct holder *in, int64_t n, int64_t *ret)
{
	struct partition_offsets *p;
	struct bytes scope;

	*ret = n;
	if (means_none(role, n))
		return true;
	scope = scope_of(v, from, role, peer, in);
	if (role == ROLE_GENERATION && !lookup_int(v, from, role, scope, n, ret))
		scope = scope_of_group(v, from, in, false);
	if (role != ROLE_OFFSET)
		return lookup_int(v, from, role, scope, n, ret);
	p = offsets_of(v, scope);
	*ret = map_offset(p, from, n);
	return p != NULL;
}

bool variables_map_int(struct variables *v, enum side from, int64_t peer, const struct holder *in,
		       enum role role, int64_t n, int64_t *ret)
{
	bool known = map_int(v, from, role, peer, in, n, ret);

	v->unknown[role] += !known;
	return known;
}

static enum sameness same_int(struct variables *v, int64_t peer, const struct holder *in,
			      enum role role, int64_t recorded, int64_t live)
{
	bool known = !role_is_variable(role);
	int64_t mapped = recorded;

	if (!known)
		known = map_int(v, SIDE_RECORDED, role, peer, in, recorded, &mapped);
	if (known)
		return mapped == live ? SAME_YES : SAME_NO;
	return means_none(role, live) ? SAME_NO : SAME_UNKNOWN;
}

static enum sameness same_uuid(struct variables *v, enum role role, struct uuid recorded,
			       struct uuid live)
{
	if (role != ROLE_TOPIC_ID || uuid_is_zero(recorded) || uuid_is_zero(live))
		return uuid_eq(recorded, live) ? SAME_YES : SAME_NO;
	recorded = variables_topic_id(v, SIDE_RECORDED, recorded);
	if (uuid_is_zero(recorded))
		return SAME_UNKNOWN;
	return uuid_eq(recorded, live) ? SAME_YES : SAME_NO;
}

static enum sameness same_str(struct variables *v, enum role role, struct str recorded,
			      struct str live)
{
	if (!recorded.len || !live.len || !role_is_variable(role))
		return recorded.len == live.len && (!live.len || str_eq(recorded, live)) ? SAME_YES
											 : SAME_NO;
	if (str_eq(variables_str(v, SIDE_RECORDED, role, recorded), live))
		return SAME_YES;
	return known_str(v, SIDE_RECORDED, role, recorded) || known_str(v, SIDE_LIVE, role, live)
		       ? SAME_NO
		       : SAME_UNKNOWN;
}

/* A member of a KIP-848 group comes to an epoch when it hears of it: others may be there sooner. */
static bool is_new_to_member(struct variables *v, const struct holder *in,
			     const struct schema_field *f, int64_t recorded)
{
	int64_t mapped;

	return strcmp(f->name, "memberEpoch") == 0 && !means_none(ROLE_GENERATION, recorded) &&
	       !lookup_int(v, SIDE_RECORDED, ROLE_GENERATION,
			   scope_of_group(v, SIDE_RECORDED, in, true), recorded, &mapped);
}

enum sameness variables_same(struct variables *v, int64_t peer, const struct holder *recorded_in,
			     const struct schema_field *f, const void *recorded, const void *live)
{
	enum role role = variables_role(recorded_in, f);

	if (leaf_is_int(f) && role == ROLE_GENERATION &&
	    is_new_to_member(v, recorded_in, f, leaf_int(f, recorded)))
		return means_none(role, leaf_int(f, live)) ? SAME_NO : SAME_UNKNOWN;
	if (leaf_is_int(f))
		return same_int(v, peer, recorded_in, role, leaf_int(f, recorded),
				leaf_int(f, live));
	if (f->type == FIELD_UUID)
		return same_uuid(v, role, *(const struct uuid *)recorded,
				 *(const struct uuid *)live);
	if (f->type == FIELD_STRING)
		return same_str(v, role, *(const struct str *)recorded, *(const struct str *)live);
	return memcmp(recorded, live, f->size) == 0 ? SAME_YES : SAME_NO;
}

static void bind_ints(struct variables *v, enum role role, struct bytes scope, int64_t recorded,
		      int64_t live)
{
	if (means_none(role, recorded) || means_none(role, live))
		return;
	if (role == ROLE_OFFSET)
		bind_offset(v, scope, recorded, live);
	else
		bind_int(v, role, scope, recorded, live);
}

void variables_bind_pair(struct variables *v, int64_t peer, const struct holder *recorded_in,
			 const struct schema_field *f, const void *recorded, const void *live)
{
	enum role role = variables_role(recorded_in, f);
	const struct str *a = recorded, *b = live;
	const struct uuid *x = recorded, *y = live;
	struct bytes scope;

	if (!role_is_variable(role))
		return;
	if (role == ROLE_GENERATION && leaf_is_int(f))
		bind_ints(v, role, scope_of_group(v, SIDE_RECORDED, recorded_in, false),
			  leaf_int(f, recorded), leaf_int(f, live));
	scope = scope_of(v, SIDE_RECORDED, role, peer, recorded_in);
	if (leaf_is_int(f))
		bind_ints(v, role, scope, leaf_int(f, recorded), leaf_int(f, live));
	else if (f->type == FIELD_UUID && !uuid_is_zero(*x) && !uuid_is_zero(*y))
		bind(v, role, scope, (struct bytes){x->b, sizeof(x->b)},
		     (struct bytes){y->b, sizeof(y->b)});
	else if (f->type == FIELD_STRING && a->data && a->len && b->data && b->len)
		bind(v, role, scope, bytes_of_str(*a), bytes_of_str(*b));
}

bool variables_address(const struct variables *v, int32_t node, struct str *ret_host,
		       int32_t *ret_port)
{
	struct node_address *n;

	HASH_FIND(hh, v->nodes, &node, sizeof(node), n);
	if (!n)
		return false;
	*ret_host = str_of(n->host);
	*ret_port = n->port;
	return true;
}

uint64_t variables_unknown(const struct variables *v, enum role role)
{
	return v->unknown[role];
}
