/* Sessions in a hash by peer and id, in order of creation; each owns its partitions' list and the
 * texts in it. Within one, a partition is found by a hash of places in that list. */
#include "replay/fetch_view.h"

#include "protocol/kafka_error.h"

#include <stdlib.h>
#include <uthash.h>

#define EPOCH_INITIAL 0
#define EPOCH_FINAL   (-1)
#define HASHED_FROM   16 /* fewer partitions are looked through */

/* Compared as bytes: no padding. */
struct view_key {
	int64_t peer, id;
};

/* Where a partition stands in its session's list. */
struct part_entry {
	char *key;
	size_t key_len, at;
	UT_hash_handle hh;
};

struct session_view {
	struct view_key key;
	struct fetch_view view;
	size_t cap;
	struct part_entry *by_name; /* once there are HASHED_FROM */
	UT_hash_handle hh;
};

struct fetch_views {
	struct session_view *by_key;
	struct session_view *single; /* of the last request that named all */
	size_t parts;
};

static void *take(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

struct fetch_views *fetch_views_new(void)
{
	struct fetch_views *vs = take(sizeof(*vs));

	vs->single = take(sizeof(*vs->single));
	return vs;
}

static void entries_free(struct session_view *s)
{
	struct part_entry *e, *next;

	HASH_ITER (hh, s->by_name, e, next) {
		HASH_DELETE(hh, s->by_name, e);
		free(e->key);
		free(e);
	}
}

static void empty(struct session_view *s)
{
	entries_free(s);
	for (size_t i = 0; i < s->view.count; i++)
		free((char *)(uintptr_t)s->view.parts[i].topic.data);
	s->view.count = 0;
}

static void view_free(struct session_view *s)
{
	if (!s)
		return;
	empty(s);
	free(s->view.parts);
	free(s);
}

static void drop(struct fetch_views *vs, struct session_view *s)
{
	if (!s)
		return;
	HASH_DELETE(hh, vs->by_key, s);
	vs->parts -= s->view.count;
	view_free(s);
}

void fetch_views_free(struct fetch_views *vs)
{
	if (!vs)
		return;
	while (vs->by_key)
		drop(vs, vs->by_key);
	view_free(vs->single);
	free(vs);
}

static struct session_view *find(const struct fetch_views *vs, int64_t peer, int32_t id)
{
	struct view_key key = {peer, id};
	struct session_view *s;

	HASH_FIND(hh, vs->by_key, &key, sizeof(key), s);
	return s;
}

bool fetch_views_has(const struct fetch_views *vs, int64_t peer, int32_t id)
{
	return find(vs, peer, id) != NULL;
}

void fetch_views_close(struct fetch_views *vs, int64_t peer, int32_t id)
{
	drop(vs, find(vs, peer, id));
}

/* ---- partitions ---- */

static bool same_part(const struct fetch_view_part *a, const struct fetch_view_part *b)
{
	if (a->partition != b->partition)
		return false;
	return a->topic.data || b->topic.data ? str_eq(a->topic, b->topic)
					      : uuid_eq(a->topic_id, b->topic_id);
}

static char *part_key(const struct fetch_view_part *p, size_t *ret_len)
{
	const void *name = p->topic.data ? (const void *)p->topic.data : p->topic_id.b;
	size_t n = p->topic.data ? (size_t)p->topic.len : sizeof(p->topic_id.b);
	char *key = take(sizeof(p->partition) + n + 1);

	memcpy(key, &p->partition, sizeof(p->partition));
	memcpy(key + sizeof(p->partition), name, n);
	*ret_len = sizeof(p->partition) + n;
	return key;
}

static void enter(struct session_view *s, size_t at)
{
	struct part_entry *e = take(sizeof(*e));

	e->key = part_key(&s->view.parts[at], &e->key_len);
	e->at = at;
	HASH_ADD_KEYPTR(hh, s->by_name, e->key, e->key_len, e);
}

static struct part_entry *entry_of(struct session_view *s, const struct fetch_view_part *p)
{
	size_t len;
	char *key = part_key(p, &len);
	struct part_entry *e;

	HASH_FIND(hh, s->by_name, key, len, e);
	free(key);
	return e;
}

static struct fetch_view_part *part_of(struct session_view *s, const struct fetch_view_part *p)
{
	struct part_entry *e;

	if (s->by_name) {
		e = entry_of(s, p);
		return e ? &s->view.parts[e->at] : NULL;
	}
	for (size_t i = 0; i < s->view.count; i++)
		if (same_part(&s->view.parts[i], p))
			return &s->view.parts[i];
	return NULL;
}

static struct fetch_view_part *append(struct session_view *s, const struct fetch_view_part *p)
{
	struct fetch_view_part *made;

	if (s->view.count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->view.parts = realloc(s->view.parts, s->cap * sizeof(*s->view.parts));
		if (!s->view.parts)
			abort();
	}
	made = &s->view.parts[s->view.count++];
	*made = *p;
	if (p->topic.data) {
		made->topic.data = take((size_t)p->topic.len + 1);
		memcpy((char *)(uintptr_t)made->topic.data, p->topic.data, (size_t)p->topic.len);
	}
	return made;
}

/* Into a session: once there. */
static void put(struct fetch_views *vs, struct session_view *s, const struct fetch_view_part *p)
{
	struct fetch_view_part *there = part_of(s, p);

	if (there) {
		there->offset = p->offset;
		there->max_bytes = p->max_bytes;
		there->leader_epoch = p->leader_epoch;
		there->told = false;
		return;
	}
	append(s, p);
	vs->parts++;
	if (s->by_name)
		enter(s, s->view.count - 1);
	for (size_t i = 0; !s->by_name && s->view.count == HASHED_FROM && i < s->view.count; i++)
		enter(s, i);
}

void fetch_view_add(struct fetch_views *vs, struct fetch_view *view,
		    const struct fetch_view_part *part)
{
	struct session_view *s =
		(struct session_view *)((char *)view - offsetof(struct session_view, view));

	if (s != vs->single)
		put(vs, s, part);
}

/* The last one takes its place. */
static void forget(struct fetch_views *vs, struct session_view *s, const struct fetch_view_part *p)
{
	struct fetch_view_part *there = part_of(s, p);
	size_t at = there ? (size_t)(there - s->view.parts) : 0;
	struct part_entry *e;

	if (!there)
		return;
	e = s->by_name ? entry_of(s, p) : NULL;
	if (e) {
		HASH_DELETE(hh, s->by_name, e);
		free(e->key);
		free(e);
	}
	e = s->by_name ? entry_of(s, &s->view.parts[s->view.count - 1]) : NULL;
	if (e)
		e->at = at;
	free((char *)(uintptr_t)there->topic.data);
	*there = s->view.parts[--s->view.count];
	vs->parts--;
}

static struct str name_of(const struct variables *v, enum side side, struct str topic,
			  struct uuid id)
{
	return topic.len ? topic : variables_topic_name(v, side, id);
}

static struct fetch_view_part asked(const struct fetch_request_topics *t, int32_t i,
				    const struct variables *v, enum side side)
{
	const struct fetch_request_topics_partitions *q = &t->partitions[i];

	return (struct fetch_view_part){.topic = name_of(v, side, t->topic, t->topic_id),
					.topic_id = t->topic_id,
					.partition = q->partition,
					.offset = q->fetch_offset,
					.max_bytes = q->partition_max_bytes,
					.leader_epoch = q->current_leader_epoch};
}

static void take_all(struct fetch_views *vs, const struct fetch_request *q,
		     const struct variables *v, enum side side)
{
	struct fetch_view_part p;

	empty(vs->single);
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++) {
			p = asked(&q->topics[i], k, v, side);
			append(vs->single, &p);
		}
	vs->single->view.id = 0;
	vs->single->view.epoch = 0;
	vs->single->view.full = true;
	vs->single->view.wants = q->session_epoch == EPOCH_INITIAL;
}

static void take_changes(struct fetch_views *vs, struct session_view *s,
			 const struct fetch_request *q, const struct variables *v, enum side side)
{
	struct fetch_view_part p;

	for (int32_t i = 0; i < q->forgotten_topics_data_count; i++) {
		const struct fetch_request_forgotten_topics_data *f = &q->forgotten_topics_data[i];

		for (int32_t k = 0; k < f->partitions_count; k++) {
			p = (struct fetch_view_part){
				.topic = name_of(v, side, f->topic, f->topic_id),
				.topic_id = f->topic_id,
				.partition = f->partitions[k]};
			forget(vs, s, &p);
		}
	}
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++) {
			p = asked(&q->topics[i], k, v, side);
			put(vs, s, &p);
		}
}

/* ---- sessions ---- */

static struct session_view *open_view(struct fetch_views *vs, int64_t peer, int32_t id)
{
	struct session_view *s = take(sizeof(*s));

	drop(vs, find(vs, peer, id));
	if (HASH_COUNT(vs->by_key) >= FETCH_VIEWS_MAX)
		drop(vs, vs->by_key);
	s->key = (struct view_key){peer, id};
	s->view.id = id;
	s->view.epoch = 1;
	HASH_ADD(hh, vs->by_key, key, sizeof(s->key), s);
	return s;
}

void fetch_views_open(struct fetch_views *vs, int64_t peer, int32_t id)
{
	struct session_view *s = open_view(vs, peer, id);

	for (size_t i = 0; i < vs->single->view.count; i++)
		put(vs, s, &vs->single->view.parts[i]);
	while (vs->parts > FETCH_VIEW_PARTS_MAX && vs->by_key)
		drop(vs, vs->by_key);
}

static bool names_all(int version, const struct fetch_request *q)
{
	return version < 7 || q->session_epoch == EPOCH_INITIAL || q->session_epoch == EPOCH_FINAL;
}

struct fetch_view *fetch_views_again(struct fetch_views *vs, int64_t peer, int version,
				     const struct fetch_request *q, const struct variables *v,
				     enum side side)
{
	struct session_view *s;

	if (!names_all(version, q)) {
		s = find(vs, peer, q->session_id);
		return s ? &s->view : NULL;
	}
	take_all(vs, q, v, side);
	vs->single->view.wants = vs->single->view.wants && version >= 7;
	return &vs->single->view;
}

int16_t fetch_views_take(struct fetch_views *vs, int64_t peer, int version,
			 const struct fetch_request *q, const struct variables *v, enum side side,
			 bool strict, struct fetch_view **ret)
{
	struct session_view *s;

	if (names_all(version, q)) {
		if (version >= 7 && q->session_id)
			fetch_views_close(vs, peer, q->session_id);
		*ret = fetch_views_again(vs, peer, version, q, v, side);
		return 0;
	}
	s = find(vs, peer, q->session_id);
	if (!s && strict)
		return ERROR_FETCH_SESSION_ID_NOT_FOUND;
	s = s ? s : open_view(vs, peer, q->session_id);
	if (strict && q->session_epoch != s->view.epoch)
		return ERROR_INVALID_FETCH_SESSION_EPOCH;
	s->view.epoch = q->session_epoch == INT32_MAX ? 1 : q->session_epoch + 1;
	take_changes(vs, s, q, v, side);
	*ret = &s->view;
	return 0;
}
