/* Sessions in a hash by broker and id, each with its topics in a list. Owns its texts.
 *
 * Invariants: a session's topics are all different (by name, or by id where Fetch names ids); the
 * hash is in order of creation, so its first one is the oldest. */
#include "decoder/sessions.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#define EPOCH_INITIAL 0
#define EPOCH_FINAL   (-1)

struct session_topic {
	char *name; /* NULL: by id */
	struct uuid id;
	int32_t *partitions;
	int32_t count, cap;
	struct session_topic *prev, *next;
};

/* Compared as bytes: no padding. */
struct session_key {
	uint8_t addr[16];
	uint32_t port, family;
	int32_t id;
};

struct session {
	struct session_key key;
	size_t size; /* taken from the room */
	struct session_topic *topics;
	int32_t partitions;
	UT_hash_handle hh;
};

struct sessions {
	struct session *by_key;
	struct room *room;
	bool full; /* of the session at hand alone */
	int64_t partitions;
};

struct sessions *sessions_new(struct room *room)
{
	struct sessions *ss = calloc(1, sizeof(*ss));

	if (!ss)
		abort();
	ss->room = room;
	return ss;
}

static void topic_free(struct session *one, struct session_topic *t)
{
	DL_DELETE(one->topics, t);
	free(t->partitions);
	free(t->name);
	free(t);
}

static void drop(struct sessions *ss, struct session *one)
{
	if (!one)
		return;
	HASH_DELETE(hh, ss->by_key, one);
	ss->partitions -= one->partitions;
	while (one->topics)
		topic_free(one, one->topics);
	room_give(ss->room, one->size);
	free(one);
}

void sessions_free(struct sessions *ss)
{
	if (!ss)
		return;
	while (ss->by_key)
		drop(ss, ss->by_key);
	free(ss);
}

/* n more bytes of a session's, for which others go, the oldest first. One that is too large alone
 * goes at the end of the exchange. */
static void grow(struct sessions *ss, struct session *one, size_t n)
{
	struct session *oldest;

	while (!room_take(ss->room, n)) {
		oldest = ss->by_key == one ? one->hh.next : ss->by_key;
		if (!oldest) {
			ss->full = true;
			return;
		}
		drop(ss, oldest);
	}
	one->size += n;
}

static struct session *find(struct sessions *ss, const struct exchange *x, int32_t id, bool make)
{
	struct session_key key = {
		.port = x->conn.server.port, .family = x->conn.server.family, .id = id};
	struct session *one;

	memcpy(key.addr, x->conn.server.addr, sizeof(key.addr));
	HASH_FIND(hh, ss->by_key, &key, sizeof(key), one);
	if (one || !make)
		return one;
	if (HASH_COUNT(ss->by_key) >= SESSIONS_MAX)
		drop(ss, ss->by_key);
	one = calloc(1, sizeof(*one));
	if (!one)
		abort();
	one->key = key;
	HASH_ADD(hh, ss->by_key, key, sizeof(one->key), one);
	grow(ss, one, sizeof(*one) + ROOM_OVERHEAD);
	return one;
}

static struct session_topic *topic_of(struct sessions *ss, struct session *one, struct str name,
				      struct uuid id, bool make)
{
	struct session_topic *t;

	DL_FOREACH(one->topics, t)
	if (name.len ? t->name && str_is(name, t->name) : !t->name && uuid_eq(t->id, id))
		return t;
	if (!make)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	if (name.len)
		t->name = str_copy(name);
	t->id = id;
	DL_APPEND(one->topics, t);
	grow(ss, one, sizeof(*t) + (size_t)name.len + ROOM_OVERHEAD);
	return t;
}

static void hold(struct sessions *ss, struct session *one, struct session_topic *t,
		 int32_t partition)
{
	for (int32_t i = 0; i < t->count; i++)
		if (t->partitions[i] == partition)
			return;
	if (t->count == t->cap) {
		grow(ss, one, (size_t)(t->cap ? t->cap : 4) * sizeof(*t->partitions));
		t->cap = t->cap ? t->cap * 2 : 4;
		t->partitions = realloc(t->partitions, (size_t)t->cap * sizeof(*t->partitions));
		if (!t->partitions)
			abort();
	}
	t->partitions[t->count++] = partition;
	one->partitions++;
	ss->partitions++;
}

static void forget(struct sessions *ss, struct session *one, struct session_topic *t,
		   int32_t partition)
{
	for (int32_t i = 0; t && i < t->count; i++) {
		if (t->partitions[i] != partition)
			continue;
		t->partitions[i] = t->partitions[--t->count];
		one->partitions--;
		ss->partitions--;
		break;
	}
	if (t && !t->count)
		topic_free(one, t);
}

static void add_asked(struct sessions *ss, struct session *one, const struct fetch_request *q)
{
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			hold(ss, one,
			     topic_of(ss, one, q->topics[i].topic, q->topics[i].topic_id, true),
			     q->topics[i].partitions[k].partition);
	for (int32_t i = 0; i < q->forgotten_topics_data_count; i++)
		for (int32_t k = 0; k < q->forgotten_topics_data[i].partitions_count; k++)
			forget(ss, one,
			       topic_of(ss, one, q->forgotten_topics_data[i].topic,
					q->forgotten_topics_data[i].topic_id, false),
			       q->forgotten_topics_data[i].partitions[k]);
}

/* An answer names only what the session holds: so one that began before the capture is learned. */
static void add_answered(struct sessions *ss, struct session *one, const struct fetch_response *r)
{
	for (int32_t i = 0; i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partitions_count; k++)
			hold(ss, one,
			     topic_of(ss, one, r->responses[i].topic, r->responses[i].topic_id,
				      true),
			     r->responses[i].partitions[k].partition_index);
}

static void tell(const struct session *one, struct exchange *x, const struct names *names,
		 struct summary *s)
{
	const struct session_topic *t;
	int32_t told = 0, named = s->partitions_count[0];

	DL_FOREACH(one->topics, t)
	for (int32_t i = 0; i < t->count && told < SESSIONS_RESOLVED_MAX; i++, told++)
		summary_add(s, x->arena, names, named, str_of(t->name), t->id, t->partitions[i]);
}

void sessions_resolve(struct sessions *ss, struct exchange *x, const struct names *names,
		      struct summary *s)
{
	const struct fetch_request *q;
	const struct fetch_response *r;
	struct session *one;

	if (x->header.api_key != API_FETCH || x->header.api_version < 7 ||
	    !(q = exchange_request(x)))
		return;
	r = exchange_response(x);
	if (q->session_epoch == EPOCH_INITIAL || q->session_epoch == EPOCH_FINAL)
		drop(ss, find(ss, x, q->session_id, false));
	if (q->session_epoch == EPOCH_FINAL)
		return;
	if (q->session_epoch == EPOCH_INITIAL && (!r || !r->session_id))
		return;
	ss->full = false;
	one = find(ss, x, q->session_epoch == EPOCH_INITIAL ? r->session_id : q->session_id, true);
	add_asked(ss, one, q);
	if (r && !r->error_code)
		add_answered(ss, one, r);
	s->session_id = one->key.id;
	s->session_epoch = q->session_epoch;
	s->session_partitions = one->partitions;
	if (q->session_epoch != EPOCH_INITIAL)
		tell(one, x, names, s);
	if ((r && r->error_code) || ss->full)
		drop(ss, one);
	while (ss->partitions > SESSIONS_PARTITIONS_MAX)
		drop(ss, ss->by_key);
}
