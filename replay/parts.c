/* A walk down a message's arrays. What stands around an element names it together with what stands
 * in it; the names found on the way are kept in slots, one for each kind of thing, and a key is all
 * slots written one behind the other, after a byte that says whether all of a kind is meant.
 *
 * An array holds parts if its elements, or what is below them, are named by a role that stands in
 * arrays of the API's request and of its answer; that is worked out once for each API. */
#include "replay/parts.h"

#include "base/buf.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <assert.h>

#define KEY_HEAD     1	     /* whether it means all of a kind; then the names */
#define ELEMENTS_MAX 1000000 /* parts of one message */
#define KEY_SIZE_MAX ((size_t)1 << 20)

/* What a part can be about, in the order in which a key says it. Topic ids are topics. */
static const enum role slot_roles[] = {
	ROLE_GROUP, ROLE_TRANSACTIONAL_ID, ROLE_COORDINATOR_KEY, ROLE_RESOURCE,
	ROLE_TOPIC, ROLE_MEMBER,	   ROLE_PARTITION};

enum {
	SLOT_GROUP,
	SLOT_TXN,
	SLOT_COORDINATOR,
	SLOT_RESOURCE,
	SLOT_TOPIC,
	SLOT_MEMBER,
	SLOT_PARTITION,
	SLOTS
};

/* A name in a slot. */
struct slot {
	bool set;
	enum role role; /* of what it names: of resources and coordinators' keys the thing's */
	struct str text;
	int64_t number;
};

struct slots {
	struct slot at[SLOTS];
	bool all; /* instead of a list there was null */
};

struct walk {
	const struct variables *v;
	const struct parts_of *of;
	struct arena *arena;
	struct buf key;
	struct parts *parts;
	size_t cap;
	bool full;
};

static int slot_of(enum role role)
{
	if (role == ROLE_TOPIC_ID)
		return SLOT_TOPIC;
	for (int i = 0; i < SLOTS; i++)
		if (slot_roles[i] == role)
			return i;
	return -1;
}

/* ---- which arrays ---- */

/* Bits of the slots that elements of arrays are named by, arrays inside arrays included. */
static unsigned roles_in_arrays(const struct schema *s, bool inside)
{
	unsigned found = 0;

	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];
		int slot = f->type == FIELD_STRUCT ? -1 : slot_of(role_of(s, f));

		if (f->type == FIELD_STRUCT && f->array)
			found |= roles_in_arrays(f->child, true);
		else if (slot >= 0 && (f->array || inside))
			found |= 1u << slot;
	}
	return found;
}

static unsigned axes_of(int api_key)
{
	static _Thread_local struct {
		bool known;
		unsigned axes;
	} cache[API_KEY_MAX + 1];
	const struct message *q = message_of_api(api_key, MESSAGE_REQUEST);
	const struct message *r = message_of_api(api_key, MESSAGE_RESPONSE);

	assert(api_key >= 0 && api_key <= API_KEY_MAX);
	if (!cache[api_key].known && q && r) {
		cache[api_key].axes =
			roles_in_arrays(q->schema, false) & roles_in_arrays(r->schema, false);
		cache[api_key].known = true;
	}
	return cache[api_key].axes;
}

bool parts_in(int api_key, const struct schema *s, const struct schema_field *f)
{
	unsigned axes = axes_of(api_key);
	int slot;

	if (!f->array || strcmp(f->name, "forgottenTopicsData") == 0)
		return false;
	if (f->type == FIELD_STRUCT)
		return roles_in_arrays(f->child, true) & axes;
	slot = slot_of(role_of(s, f));
	return slot >= 0 && (axes & 1u << slot);
}

bool parts_identify(int api_key, const struct schema *s, const struct schema_field *f)
{
	int slot = f->type == FIELD_STRUCT ? -1 : slot_of(role_of(s, f));

	if (slot < 0)
		return false;
	return slot == SLOT_GROUP || slot == SLOT_TXN || slot == SLOT_COORDINATOR ||
	       slot == SLOT_RESOURCE || (axes_of(api_key) & 1u << slot);
}

/* ---- names ---- */

static struct str recorded_name(const struct walk *w, enum role role, struct str name)
{
	if (w->of->side == SIDE_RECORDED || !role_is_variable(role))
		return name;
	return variables_str(w->v, SIDE_LIVE, role, name);
}

/* A value's name into its slot. */
static void name_it(const struct walk *w, const struct holder *in, const struct schema_field *f,
		    const void *value, struct slots *slots)
{
	int slot = slot_of(role_of(in->schema, f));
	struct slot s = {.set = true, .role = variables_role(in, f)};

	if (f->type == FIELD_UUID) {
		s.role = ROLE_TOPIC;
		if (uuid_is_zero(*(const struct uuid *)value))
			return;
		s.text = variables_topic_name(w->v, w->of->side, *(const struct uuid *)value);
		if (!s.text.data) /* of an unknown topic: its bytes */
			s.text = (struct str){value, sizeof(struct uuid)};
	} else if (f->type == FIELD_STRING) {
		s.text = *(const struct str *)value;
		if (!s.text.data)
			return;
		s.text = recorded_name(w, s.role, s.text);
	} else if (leaf_is_int(f)) {
		s.number = leaf_int(f, value);
	} else {
		return;
	}
	slots->at[slot] = s;
}

/* What a struct says itself. */
static void name_struct(const struct walk *w, const struct holder *in, struct slots *slots)
{
	for (uint16_t i = 0; i < in->schema->field_count; i++) {
		const struct schema_field *f = &in->schema->fields[i];

		if (!f->array && f->type != FIELD_STRUCT && field_in(f, in->version) &&
		    parts_identify(w->of->api_key, in->schema, f))
			name_it(w, in, f, (const uint8_t *)in->msg + f->offset, slots);
	}
}

static struct bytes key_of(struct walk *w, const struct slots *slots)
{
	struct bytes key;

	buf_reset(&w->key);
	buf_byte(&w->key, slots->all);
	for (int i = 0; i < SLOTS; i++) {
		const struct slot *s = &slots->at[i];

		if (!s->set)
			continue;
		buf_byte(&w->key, (uint8_t)(i + 1));
		buf_byte(&w->key, (uint8_t)s->role);
		buf_be32(&w->key, s->text.data ? (uint32_t)s->text.len : UINT32_MAX);
		if (s->text.data)
			buf_add(&w->key, s->text.data, (size_t)s->text.len);
		else
			buf_be64(&w->key, (uint64_t)s->number);
	}
	key.data = w->key.bad ? NULL : (uint8_t *)arena_copy(w->arena, w->key.data, w->key.len);
	key.len = (int32_t)w->key.len;
	w->full = w->full || !key.data;
	return key;
}

/* ---- the walk ---- */

static void emit(struct walk *w, const struct holder *in, const struct schema_field *plain,
		 int32_t element, const struct slots *slots)
{
	struct parts *p = w->parts;
	struct part *bigger;

	if (p->count == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 4;
		bigger = w->cap > ELEMENTS_MAX ? NULL
					       : arena_alloc(w->arena, w->cap * sizeof(*bigger));
		if (!bigger) {
			w->full = true;
			return;
		}
		if (p->count)
			memcpy(bigger, p->list, p->count * sizeof(*bigger));
		p->list = bigger;
	}
	p->list[p->count++] = (struct part){
		.key = key_of(w, slots), .in = in, .plain = plain, .element = element};
}

static void go(struct walk *w, const struct holder *in, struct slots slots);

static void go_element(struct walk *w, const struct holder *in, const struct schema_field *f,
		       int32_t i, uint8_t *at, struct slots slots)
{
	struct holder *inner;

	if (f->type != FIELD_STRUCT) {
		name_it(w, in, f, at, &slots);
		emit(w, in, f, i, &slots);
		return;
	}
	inner = arena_alloc(w->arena, sizeof(*inner));
	if (!inner) {
		w->full = true;
		return;
	}
	*inner = (struct holder){f->child, at, in->version, in};
	go(w, inner, slots);
}

/* Metadata of version 0 has no null: there an empty list means all. */
static bool means_all(const struct walk *w, int32_t count)
{
	return count < 0 || (count == 0 && w->of->api_key == API_METADATA && w->of->version == 0);
}

static void go(struct walk *w, const struct holder *in, struct slots slots)
{
	uint8_t *msg = in->msg, *at;
	bool below = false;
	int32_t count;

	name_struct(w, in, &slots);
	for (uint16_t i = 0; i < in->schema->field_count && !w->full; i++) {
		const struct schema_field *f = &in->schema->fields[i];

		if (!field_in(f, in->version) || !parts_in(w->of->api_key, in->schema, f))
			continue;
		memcpy(&count, msg + f->count_offset, sizeof(count));
		memcpy(&at, msg + f->offset, sizeof(at));
		for (int32_t k = 0; k < count && !w->full; k++)
			go_element(w, in, f, k, at + (size_t)k * f->size, slots);
		below = below || count > 0;
		if (w->of->kind == MESSAGE_REQUEST && means_all(w, count))
			slots.all = true;
	}
	if (!below && !w->full)
		emit(w, in, NULL, 0, &slots);
}

bool parts_list(const struct variables *v, const struct parts_of *of, struct arena *arena,
		struct parts *ret)
{
	const struct schema *s = message_of_api(of->api_key, of->kind)->schema;
	struct walk w = {.v = v, .of = of, .arena = arena, .parts = ret};
	struct holder *root = arena_alloc(arena, sizeof(*root));
	struct slots slots = {0};

	*ret = (struct parts){0};
	if (!root)
		return false;
	*root = (struct holder){s, of->body, of->version, of->around};
	buf_init(&w.key, KEY_SIZE_MAX);
	if (of->around)
		name_struct(&w, of->around, &slots);
	go(&w, root, slots);
	buf_release(&w.key);
	return !w.full;
}

/* ---- keys ---- */

/* The next name of a key; false at its end. */
static bool key_next(struct bytes key, int32_t *at, struct slot *ret, int *ret_slot)
{
	const uint8_t *p = key.data + *at;
	uint32_t len;

	if (*at >= key.len)
		return false;
	*ret_slot = p[0] - 1;
	*ret = (struct slot){.set = true, .role = (enum role)p[1]};
	len = wire_u32(p + 2);
	if (len == UINT32_MAX) {
		ret->number = (int64_t)wire_u64(p + 6);
		*at += 14;
	} else {
		ret->text = (struct str){(const char *)p + 6, (int32_t)len};
		*at += 6 + (int32_t)len;
	}
	return true;
}

bool parts_covers(struct bytes asked, struct bytes answered)
{
	bool all = asked.data[0];

	if (all ? answered.len < asked.len : answered.len != asked.len)
		return false;
	return memcmp(asked.data + 1, answered.data + 1, (size_t)asked.len - 1) == 0;
}

void parts_key_text(struct bytes key, struct buf *out)
{
	size_t before = out->len;
	struct slot s;
	int32_t at = KEY_HEAD;
	int slot;

	while (key_next(key, &at, &s, &slot)) {
		if (out->len > before)
			buf_byte(out, ' ');
		buf_text(out, s.role == ROLE_PLAIN ? "resource" : role_name(s.role));
		if (s.text.data)
			buf_printf(out, " " STR_FMT, STR_ARG(s.text));
		else
			buf_printf(out, " %lld", (long long)s.number);
	}
}

bool parts_key_names(struct bytes key, enum role role, struct str name)
{
	struct slot s;
	int32_t at = KEY_HEAD;
	int slot;

	while (key_next(key, &at, &s, &slot))
		if (s.role == role && s.text.data && str_eq(s.text, name))
			return true;
	return false;
}

bool parts_key_partition(struct bytes key, struct str *ret_topic, int32_t *ret_partition)
{
	bool topic = false, partition = false;
	struct slot s;
	int32_t at = KEY_HEAD;
	int slot;

	while (key_next(key, &at, &s, &slot)) {
		if (slot == SLOT_TOPIC) {
			*ret_topic = s.text;
			topic = true;
		} else if (slot == SLOT_PARTITION) {
			*ret_partition = (int32_t)s.number;
			partition = true;
		}
	}
	return topic && partition;
}
