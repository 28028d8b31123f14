/* Incremental fetch sessions (KIP-227), rule 20 of the acceptance text: what a consumer fetches is
 * remembered, and what changed since is told. Invariant: a session's partitions are in the order in
 * which they are to be served; who got records goes to the end. */
#include "mock/fetch.h"

#include "mock/asked.h"
#include "mock/mem.h"
#include "mock/state.h"

#include <stdlib.h>

#define SESSION_IDLE_US	  ((int64_t)120000000) /* after which another may have its slot */
#define EPOCH_INITIAL	  0
#define EPOCH_SESSIONLESS (-1)

/* Index and topic id or name: what identifies a partition in a session. */
struct session_key {
	uint32_t len;
	uint8_t bytes[4 + 256];
};

struct session_partition {
	struct fetch_want want;		   /* topic owned */
	int64_t high_watermark, log_start; /* as last told; -2 never */
	UT_hash_handle hh;
	struct session_key key;
};

struct fetch_session {
	int32_t id, broker;
	int32_t epoch; /* that the next request must carry */
	bool by_id_topics;
	int64_t used_us;
	struct session_partition *partitions;
	UT_hash_handle hh;
};

static void make_key(struct session_key *key, struct str topic, struct uuid id, int32_t index)
{
	size_t n = topic.data && topic.len < 252 ? (size_t)topic.len : 0;

	memcpy(key->bytes, &index, 4);
	if (n)
		memcpy(key->bytes + 4, topic.data, n);
	else
		memcpy(key->bytes + 4, id.b, n = sizeof(id.b));
	key->len = (uint32_t)(4 + n);
}

static struct session_partition *find(struct fetch_session *s, struct str topic, struct uuid id,
				      int32_t index)
{
	struct session_partition *p;
	struct session_key key;

	make_key(&key, topic, id, index);
	HASH_FIND(hh, s->partitions, key.bytes, key.len, p);
	return p;
}

static void add_partition(struct fetch_session *s, struct session_partition *p)
{
	HASH_ADD_KEYPTR(hh, s->partitions, p->key.bytes, p->key.len, p);
}

static void drop_partition(struct fetch_session *s, struct session_partition *p)
{
	HASH_DEL(s->partitions, p);
	mem_str_free(p->want.topic);
	free(p);
}

static void put_partition(struct fetch_session *s, const struct fetch_want *want)
{
	struct session_partition *p = find(s, want->topic, want->topic_id, want->asked.partition);

	if (!p) {
		p = mem_new(sizeof(*p));
		make_key(&p->key, want->topic, want->topic_id, want->asked.partition);
		p->want.topic = mem_str(want->topic);
		p->want.topic_id = want->topic_id;
		p->high_watermark = p->log_start = -2;
		add_partition(s, p);
	}
	p->want.asked = want->asked;
	p->want.asked.unknown_tags = NULL;
}

static void session_free(struct cluster *c, struct fetch_session *s)
{
	struct session_partition *p, *next;

	HASH_DEL(c->fetch_sessions.by_id, s);
	HASH_ITER (hh, s->partitions, p, next)
		drop_partition(s, p);
	free(s);
}

void fetch_sessions_drop(struct cluster *c, int32_t broker)
{
	struct fetch_session *s, *next;

	HASH_ITER (hh, c->fetch_sessions.by_id, s, next)
		if (broker < 0 || s->broker == broker)
			session_free(c, s);
}

static struct fetch_session *session_find(const struct cluster *c, int32_t id, int32_t broker)
{
	struct fetch_session *s;

	HASH_FIND_INT(c->fetch_sessions.by_id, &id, s);
	return s && s->broker == broker ? s : NULL;
}

/* Room for one more, if need be by dropping the one that was idle longest. */
static bool make_room(struct cluster *c, int32_t broker)
{
	struct fetch_session *s, *next, *oldest = NULL;
	int32_t count = 0;

	HASH_ITER (hh, c->fetch_sessions.by_id, s, next) {
		if (s->broker != broker)
			continue;
		count++;
		if (!oldest || s->used_us < oldest->used_us)
			oldest = s;
	}
	if (count < c->config.broker.fetch_sessions_max)
		return true;
	if (c->now.mono_us - oldest->used_us < SESSION_IDLE_US)
		return false;
	session_free(c, oldest);
	return true;
}

static struct fetch_session *session_new(struct cluster *c, const struct call *call)
{
	struct fetch_session *s, *taken;

	if (!make_room(c, call->broker))
		return NULL;
	s = mem_new(sizeof(*s));
	do {
		s->id = (int32_t)(1 + rand_below(&c->rand, INT32_MAX));
		HASH_FIND_INT(c->fetch_sessions.by_id, &s->id, taken);
	} while (taken || s->id <= 0);
	s->broker = call->broker;
	s->epoch = 1;
	s->by_id_topics = call->header.api_version >= 13;
	HASH_ADD_INT(c->fetch_sessions.by_id, id, s);
	return s;
}

static int32_t count_asked(const struct fetch_request *q)
{
	int32_t n = 0;

	for (int32_t i = 0; i < q->topics_count; i++)
		n += q->topics[i].partitions_count;
	return n;
}

static void wants_of_request(struct call *call, struct fetch *f)
{
	const struct fetch_request *q = call->request;
	struct asked_list list;

	asked_init(&list, call, count_asked(q));
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			asked_add(&list, q->topics[i].topic, q->topics[i].topic_id,
				  q->topics[i].partitions[k].partition, i, k);
	f->wants = CALL_ARRAY(call, struct fetch_want, list.count);
	f->wants_count = list.count;
	for (int32_t i = 0; i < list.count; i++) {
		const struct asked *a = &list.items[i];

		f->wants[i] = (struct fetch_want){a->topic, a->topic_id,
						  q->topics[a->topic_at].partitions[a->at]};
	}
}

void fetch_refuse(struct call *call, struct fetch *f)
{
	f->error = ERROR_UNKNOWN_SERVER_ERROR;
	if (call->header.api_version < 13)
		wants_of_request(call, f);
}

static void wants_of_session(struct call *call, const struct fetch_session *s, struct fetch *f)
{
	struct session_partition *p, *next;

	f->wants_count = 0;
	f->wants = CALL_ARRAY(call, struct fetch_want, HASH_COUNT(s->partitions));
	HASH_ITER (hh, s->partitions, p, next) {
		struct fetch_want *w = &f->wants[f->wants_count++];

		*w = p->want;
		w->topic = call_str(call, p->want.topic);
	}
}

static void forget(struct fetch_session *s, const struct fetch_request *q)
{
	for (int32_t i = 0; i < q->forgotten_topics_data_count; i++) {
		const struct fetch_request_forgotten_topics_data *t = &q->forgotten_topics_data[i];

		for (int32_t k = 0; k < t->partitions_count; k++) {
			struct session_partition *p =
				find(s, t->topic, t->topic_id, t->partitions[k]);

			if (p)
				drop_partition(s, p);
		}
	}
}

static void open_full(struct cluster *c, struct call *call, struct fetch *f)
{
	const struct fetch_request *q = call->request;
	struct fetch_session *s = session_find(c, q->session_id, call->broker);

	if (s)
		session_free(c, s);
	wants_of_request(call, f);
	if (q->session_epoch != EPOCH_INITIAL || call->header.api_version < 7 || !f->wants_count)
		return;
	s = session_new(c, call);
	if (!s)
		return; /* all slots are in use: a client then goes on without */
	for (int32_t i = 0; i < f->wants_count; i++)
		put_partition(s, &f->wants[i]);
	s->used_us = c->now.mono_us;
	f->session_id = s->id;
}

/* A topic without a name must have an id. */
static bool nameless(const struct call *call)
{
	const struct fetch_request *q = call->request;

	for (int32_t i = 0; i < q->topics_count; i++)
		if (call->header.api_version >= 13 && uuid_is_zero(q->topics[i].topic_id))
			return true;
	return false;
}

/* A real broker keeps sessions in eight parts by id and stumbles over ids past the last one. */
static bool id_breaks(const struct fetch_request *q)
{
	int32_t part = q->session_id / (INT32_MAX / 8);

	return q->session_id && (part < 0 || part > 7);
}

void fetch_session_open(struct cluster *c, struct call *call, struct fetch *f)
{
	const struct fetch_request *q = call->request;
	struct fetch_session *s;

	if (id_breaks(q)) {
		f->session_id = q->session_id;
		fetch_refuse(call, f);
		return;
	}
	if (nameless(call)) {
		fetch_refuse(call, f);
		return;
	}
	if (q->session_epoch == EPOCH_INITIAL || q->session_epoch == EPOCH_SESSIONLESS) {
		open_full(c, call, f);
		return;
	}
	s = session_find(c, q->session_id, call->broker);
	if (!s)
		f->error = ERROR_FETCH_SESSION_ID_NOT_FOUND;
	else if (s->epoch != q->session_epoch)
		f->error = ERROR_INVALID_FETCH_SESSION_EPOCH;
	else if (s->by_id_topics != (call->header.api_version >= 13))
		f->error = ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
	if (f->error)
		return;
	wants_of_request(call, f);
	for (int32_t i = 0; i < f->wants_count; i++)
		put_partition(s, &f->wants[i]);
	forget(s, q);
	wants_of_session(call, s, f);
	if (!f->wants_count) {
		session_free(c, s);
		return;
	}
	s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
	s->used_us = c->now.mono_us;
	f->session_id = s->id;
	f->incremental = true;
}

bool fetch_session_answer(struct cluster *c, const struct fetch *f, const struct fetch_want *want,
			  const struct fetch_response_responses_partitions *answer)
{
	struct fetch_session *s;
	struct session_partition *p;
	bool news;

	HASH_FIND_INT(c->fetch_sessions.by_id, &f->session_id, s);
	p = s ? find(s, want->topic, want->topic_id, want->asked.partition) : NULL;
	if (!p)
		return true;
	news = answer->records.len > 0 || answer->error_code ||
	       answer->high_watermark != p->high_watermark ||
	       answer->log_start_offset != p->log_start || answer->preferred_read_replica >= 0 ||
	       answer->diverging_epoch.epoch >= 0;
	p->high_watermark = answer->error_code ? -2 : answer->high_watermark;
	p->log_start = answer->log_start_offset;
	if (f->incremental && answer->records.len > 0) {
		HASH_DEL(s->partitions, p);
		add_partition(s, p);
	}
	return news || !f->incremental;
}

void fetch_session_each(struct cluster *c, const struct call *call,
			void (*on_partition)(void *ctx, struct str topic, struct uuid topic_id,
					     int32_t partition),
			void *ctx)
{
	const struct fetch_request *q = call->request;
	struct fetch_session *s = session_find(c, q->session_id, call->broker);
	struct session_partition *p, *next;
	struct fetch_session gone = {0};
	struct fetch_request only = *q;

	if (!s || q->session_epoch == EPOCH_INITIAL || q->session_epoch == EPOCH_SESSIONLESS)
		return;
	/* What is forgotten now is told from the rest by a session that holds just that. */
	for (int32_t i = 0; i < only.forgotten_topics_data_count; i++) {
		const struct fetch_request_forgotten_topics_data *t =
			&only.forgotten_topics_data[i];

		for (int32_t k = 0; k < t->partitions_count; k++) {
			struct fetch_want w = {.topic = t->topic, .topic_id = t->topic_id};

			w.asked.partition = t->partitions[k];
			put_partition(&gone, &w);
		}
	}
	HASH_ITER (hh, s->partitions, p, next)
		if (!find(&gone, p->want.topic, p->want.topic_id, p->want.asked.partition))
			on_partition(ctx, p->want.topic, p->want.topic_id, p->want.asked.partition);
	HASH_ITER (hh, gone.partitions, p, next)
		drop_partition(&gone, p);
}
