/* Events become a session. Frames and bodies are copied into one arena, whose maximum is the bound
 * on memory; connections and lists grow beside it and are bounded by what the arena could take.
 *
 * Invariants: bodies lie in copies of their frames; lists are sorted by session_end and not before;
 * after the bound was passed nothing more is taken. */
#include "replay/session.h"

#include "protocol/messages.h"
#include "replay/nature.h"

#include <stdlib.h>
#include <uthash.h>

struct conn_entry {
	struct session_conn conn;
	UT_hash_handle hh;
};

struct topic_entry {
	struct session_topic topic;
	UT_hash_handle hh;
};

/* One id that a topic had. */
struct id_entry {
	struct uuid id;
	struct topic_entry *topic;
	UT_hash_handle hh;
};

/* Where an exchange stands among others that began at the same time. */
struct placed {
	struct session_exchange *x;
	int64_t time_us;
	uint64_t packet, order;
};

struct session_inside {
	struct event_sink sink;
	struct session_options options;
	struct conn_entry *conns;
	struct topic_entry *topics;
	struct id_entry *ids;
	struct placed *placed;
	size_t placed_count, placed_cap;
	bool full;
};

const char *session_flaw_text(enum session_flaw flaw)
{
	static const char *const texts[] = {
		[FLAW_NONE] = "whole",
		[FLAW_ABSENT] = "not in the capture",
		[FLAW_CUT] = "with bytes missing",
		[FLAW_UNKNOWN] = "of an unknown API or version",
		[FLAW_MALFORMED] = "malformed",
	};

	return texts[flaw];
}

/* ---- topics ---- */

static struct topic_entry *topic_entry(struct session *s, struct str name)
{
	struct topic_entry *t;

	HASH_FIND(hh, s->inside->topics, name.data, (size_t)name.len, t);
	if (t)
		return t;
	t = arena_zalloc(&s->arena, sizeof(*t));
	name = arena_str(&s->arena, name);
	if (!t || !name.data) {
		s->inside->full = true;
		return NULL;
	}
	t->topic.name = name;
	HASH_ADD_KEYPTR(hh, s->inside->topics, t->topic.name.data, (size_t)name.len, t);
	return t;
}

static void learn_id(struct session *s, struct topic_entry *t, struct uuid id)
{
	struct id_entry *e;

	t->topic.id = id;
	HASH_FIND(hh, s->inside->ids, &id, sizeof(id), e);
	if (!e) {
		e = arena_zalloc(&s->arena, sizeof(*e));
		if (!e) {
			s->inside->full = true;
			return;
		}
		e->id = id;
		HASH_ADD(hh, s->inside->ids, id, sizeof(e->id), e);
	}
	e->topic = t;
}

/* The topic that a struct, or one around it, is about. */
static struct topic_entry *topic_around(struct session *s, const struct holder *in)
{
	const struct str *name;
	const struct uuid *id;
	struct id_entry *e;

	for (; in; in = in->outer) {
		name = holder_value(in, ROLE_TOPIC, NULL);
		if (name && name->data && name->len)
			return topic_entry(s, *name);
		id = holder_value(in, ROLE_TOPIC_ID, NULL);
		if (!id)
			continue;
		HASH_FIND(hh, s->inside->ids, id, sizeof(*id), e);
		return e ? e->topic : NULL;
	}
	return NULL;
}

static bool failed(const struct holder *in)
{
	const struct schema_field *f = schema_find(in->schema, str_of("errorCode"));

	return f && leaf_int(f, (const uint8_t *)in->msg + f->offset) != 0;
}

static void learn_count(struct session *s, const struct leaf *l)
{
	struct topic_entry *t;
	int64_t n;

	if (failed(l->in))
		return;
	n = l->role == ROLE_PARTITION ? leaf_int(l->field, l->value) + 1
				      : leaf_int(l->field, l->value);
	t = n > 0 && n <= INT32_MAX ? topic_around(s, l->in) : NULL;
	if (t && n > t->topic.partitions)
		t->topic.partitions = (int32_t)n;
}

/* What stands once in the struct of a topic. */
static void learn_topic(struct session *s, const struct holder *in)
{
	const struct str *name = holder_value(in, ROLE_TOPIC, NULL);
	const struct uuid *id = holder_value(in, ROLE_TOPIC_ID, NULL);
	const struct schema_field *f = schema_find(in->schema, str_of("isInternal"));
	struct topic_entry *t;

	if (!name || !name->data || !name->len || failed(in))
		return;
	t = topic_entry(s, *name);
	if (!t)
		return;
	if (id && !uuid_is_zero(*id))
		learn_id(s, t, *id);
	t->topic.deleted |= in->schema == &delete_topics_response_responses_schema;
	if (f && *((const uint8_t *)in->msg + f->offset))
		t->topic.is_internal = true;
}

/* Of a partition of an answer: how many replicas. */
static void learn_replicas(struct session *s, const struct holder *in)
{
	const struct schema_field *f = schema_find(in->schema, str_of("replicaNodes"));
	struct topic_entry *t;
	int32_t n;

	if (!f)
		return;
	memcpy(&n, (const uint8_t *)in->msg + f->count_offset, sizeof(n));
	t = n > 0 ? topic_around(s, in) : NULL;
	if (t)
		t->topic.replication = n;
}

static void learn_leaf(void *user, const struct leaf *l)
{
	struct session *s = user;

	if (!l->field) {
		learn_topic(s, l->in);
		learn_replicas(s, l->in);
	} else if (l->role == ROLE_PARTITION ||
		   (strcmp(l->field->name, "numPartitions") == 0 && !l->field->array)) {
		learn_count(s, l);
	}
}

/* ---- exchanges ---- */

static struct session_conn *conn_of(struct session *s, const struct event_conn *info)
{
	struct conn_entry *c;

	HASH_FIND(hh, s->inside->conns, &info->conn, sizeof(info->conn), c);
	if (!c) {
		c = arena_zalloc(&s->arena, sizeof(*c));
		if (!c) {
			s->inside->full = true;
			return NULL;
		}
		c->conn.number = info->conn;
		c->conn.broker = -1;
		c->conn.client = info->client;
		c->conn.server = info->server;
		HASH_ADD(hh, s->inside->conns, conn.number, sizeof(c->conn.number), c);
	}
	if (info->broker >= 0)
		c->conn.broker = info->broker;
	return &c->conn;
}

static struct bytes keep(struct session *s, struct bytes b)
{
	struct bytes copy = {NULL, 0};

	if (!b.data)
		return copy;
	copy.data = (const uint8_t *)arena_copy(&s->arena, b.data, (size_t)b.len);
	copy.len = copy.data ? b.len : 0;
	if (!copy.data)
		s->inside->full = true;
	return copy;
}

static enum session_flaw flaw_of(struct session *s, const struct error *e, int64_t rc)
{
	if (rc >= 0)
		return FLAW_NONE;
	if (e->code == ERR_LIMIT)
		s->inside->full = true;
	return FLAW_MALFORMED;
}

static void decode_half(struct session *s, struct session_exchange *k, enum message_kind kind)
{
	bool response = kind == MESSAGE_RESPONSE;
	struct bytes frame = response ? k->response : k->request;
	enum session_flaw *flaw = response ? &k->response_flaw : &k->request_flaw;
	void **body = response ? &k->response_body : &k->request_body;
	int16_t key = k->header.api_key;
	int32_t correlation_id;
	int64_t at = k->header.body;

	if (*flaw)
		return;
	if (!frame_known(key, k->header.api_version)) {
		*flaw = FLAW_UNKNOWN;
		return;
	}
	if (response)
		at = frame_read_response(frame, key, k->response_version, &correlation_id,
					 &k->error);
	if (at >= 0)
		at = frame_decode(key, response ? k->response_version : k->header.api_version, kind,
				  (struct bytes){frame.data + at, frame.len - (int32_t)at},
				  &s->arena, body, &k->error);
	*flaw = flaw_of(s, &k->error, at);
	if (*flaw)
		*body = NULL;
}

static void learn_half(struct session *s, const struct session_exchange *k)
{
	if (k->response_body)
		leaves_each(message_of_api(k->header.api_key, MESSAGE_RESPONSE)->schema,
			    k->response_version, k->response_body, learn_leaf, s);
}

static enum session_flaw there(struct bytes frame, uint32_t size)
{
	if (frame.data)
		return FLAW_NONE;
	return size ? FLAW_CUT : FLAW_ABSENT;
}

/* Copies frames and header; bodies are decoded from the copies. */
static struct session_exchange *keep_exchange(struct session *s, const struct exchange *x)
{
	struct session_exchange *k = arena_zalloc(&s->arena, sizeof(*k));

	if (!k) {
		s->inside->full = true;
		return NULL;
	}
	k->conn = conn_of(s, &x->conn);
	k->state = x->state;
	k->error = (struct error)ERROR_INIT;
	k->header = x->header;
	k->request = keep(s, x->request);
	k->response = keep(s, x->response);
	if (k->request.data)
		k->header.client_id.data =
			x->header.client_id.data
				? (const char *)k->request.data +
					  (x->header.client_id.data - (const char *)x->request.data)
				: NULL;
	else
		k->header.client_id = arena_str(&s->arena, x->header.client_id);
	k->request_flaw = there(k->request, x->request_size);
	k->response_flaw = there(k->response, x->response_size);
	if (x->state == EXCHANGE_ORPHAN)
		k->response_flaw = k->response_flaw ? k->response_flaw : FLAW_UNKNOWN;
	k->response_version = exchange_response_version(x);
	k->request_first_us = x->request_first_us ? x->request_first_us : x->request_us;
	k->request_us = x->request_us;
	k->response_first_us = x->response_first_us ? x->response_first_us : x->response_us;
	k->response_us = x->response_us;
	k->rule = arena_str(&s->arena, x->rule);
	decode_half(s, k, MESSAGE_REQUEST);
	decode_half(s, k, MESSAGE_RESPONSE);
	learn_half(s, k);
	return k;
}

static void count_flaw(struct session_totals *t, enum session_flaw flaw)
{
	t->cut += flaw == FLAW_CUT;
	t->unknown += flaw == FLAW_UNKNOWN;
	t->malformed += flaw == FLAW_MALFORMED;
}

static void count_exchange(struct session *s, const struct session_exchange *k)
{
	struct session_totals *t = &s->totals;

	t->exchanges++;
	t->answered += k->state == EXCHANGE_ANSWERED;
	t->no_answer += k->state == EXCHANGE_NO_ANSWER;
	t->lost += k->state == EXCHANGE_LOST;
	t->orphans += k->state == EXCHANGE_ORPHAN;
	count_flaw(t, k->request_flaw);
	if (k->state != EXCHANGE_ORPHAN)
		count_flaw(t, k->response_flaw);
}

static void place(struct session *s, struct session_exchange *k, uint64_t packet)
{
	struct session_inside *in = s->inside;

	if (in->placed_count == in->placed_cap) {
		in->placed_cap = in->placed_cap ? in->placed_cap * 2 : 256;
		in->placed = realloc(in->placed, in->placed_cap * sizeof(*in->placed));
		if (!in->placed)
			abort();
	}
	in->placed[in->placed_count] = (struct placed){
		.x = k,
		.time_us = k->request_first_us ? k->request_first_us : k->response_first_us,
		.packet = packet,
		.order = in->placed_count};
	in->placed_count++;
}

static void note_time(struct session *s, int64_t time_us)
{
	if (time_us && (!s->first_us || time_us < s->first_us))
		s->first_us = time_us;
	if (time_us > s->last_us)
		s->last_us = time_us;
}

static void take_exchange(struct session *s, struct exchange *x)
{
	const struct session_options *o = &s->inside->options;
	struct session_exchange *k;

	if (o->chosen && !o->chosen(o->ctx, x)) {
		const void *body = exchange_response(x);

		s->totals.not_chosen++;
		conn_of(s, &x->conn);
		if (body)
			leaves_each(message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema,
				    exchange_response_version(x), x->response_body, learn_leaf, s);
		return;
	}
	k = keep_exchange(s, x);
	if (!k || s->inside->full)
		return;
	note_time(s, k->request_first_us);
	note_time(s, k->response_us);
	count_exchange(s, k);
	place(s, k, x->request_packet ? x->request_packet : x->response_packet);
}

/* ---- events ---- */

static void take_conn(struct session *s, const struct event *ev)
{
	struct session_conn *c = conn_of(s, &ev->conn);

	if (!c)
		return;
	switch (ev->kind) {
	case EVENT_CONN_OPENED:
		c->opened_us = ev->time_us;
		c->midway = ev->conn.midway;
		s->totals.midway += c->midway;
		break;
	case EVENT_CONN_CLOSED:
		c->closed_us = ev->time_us;
		c->closed = ev->conn.how != CLOSE_END_OF_INPUT;
		c->how = ev->conn.how;
		break;
	default:
		c->opened_us = ev->time_us;
		c->refused = true;
		c->how = ev->conn.how;
	}
}

static void on_event(void *user, const struct event *ev)
{
	struct session *s = user;
	struct session_conn *c;

	if (s->inside->full)
		return;
	switch (ev->kind) {
	case EVENT_CONN_OPENED:
	case EVENT_CONN_CLOSED:
	case EVENT_CONN_REFUSED:
		take_conn(s, ev);
		break;
	case EVENT_EXCHANGE:
		take_exchange(s, ev->exchange);
		break;
	case EVENT_UNMATCHED:
		s->totals.unmatched_bytes += ev->unmatched.size;
		c = conn_of(s, &ev->unmatched.conn);
		if (c)
			c->unmatched_bytes += ev->unmatched.size;
		break;
	default:
		break;
	}
}

struct session *session_new(const struct session_options *options)
{
	struct session *s = calloc(1, sizeof(*s));
	struct session_inside *in = calloc(1, sizeof(*in));

	if (!s || !in)
		abort();
	s->inside = in;
	if (options)
		in->options = *options;
	in->sink.on_event = on_event;
	in->sink.ctx = s;
	arena_init(&s->arena, in->options.memory_max ? in->options.memory_max : SESSION_MEMORY_MAX);
	return s;
}

struct event_sink *session_sink(struct session *s)
{
	return &s->inside->sink;
}

/* ---- order ---- */

/* Requests of one packet: those of one fate were told in their order; else clients count their
 * correlation ids up, nearly always. */
static int by_correlation(const struct placed *a, const struct placed *b)
{
	int32_t ahead;

	if (a->x->conn != b->x->conn || a->x->state == b->x->state ||
	    a->x->state == EXCHANGE_ORPHAN || b->x->state == EXCHANGE_ORPHAN)
		return 0;
	ahead = (int32_t)((uint32_t)a->x->header.correlation_id -
			  (uint32_t)b->x->header.correlation_id);
	return (ahead > 0) - (ahead < 0);
}

static int by_order(const void *x, const void *y)
{
	const struct placed *a = x, *b = y;
	int rc;

	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	if (a->packet != b->packet)
		return a->packet < b->packet ? -1 : 1;
	rc = by_correlation(a, b);
	return rc ? rc : a->order < b->order ? -1 : 1;
}

static void *list(struct session *s, size_t count, size_t size)
{
	void *p = arena_zalloc(&s->arena, count * size);

	if (!p)
		s->inside->full = true;
	return p;
}

static void list_exchanges(struct session *s)
{
	struct session_inside *in = s->inside;
	struct session_exchange *x;

	s->exchanges = list(s, in->placed_count, sizeof(struct session_exchange *));
	if (!s->exchanges)
		return;
	if (in->placed_count)
		qsort(in->placed, in->placed_count, sizeof(*in->placed), by_order);
	for (size_t i = 0; i < in->placed_count; i++) {
		x = in->placed[i].x;
		x->index = s->exchanges_count;
		x->index_in_conn = x->conn->exchanges_count++;
		s->exchanges[s->exchanges_count++] = x;
	}
}

static int by_opening(const void *x, const void *y)
{
	const struct session_conn *a = *(struct session_conn *const *)x,
				  *b = *(struct session_conn *const *)y;

	if (a->opened_us != b->opened_us)
		return a->opened_us < b->opened_us ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static void list_conns(struct session *s)
{
	struct conn_entry *e, *next;

	s->conns = list(s, HASH_COUNT(s->inside->conns), sizeof(struct session_conn *));
	if (!s->conns)
		return;
	HASH_ITER (hh, s->inside->conns, e, next) {
		e->conn.exchanges =
			list(s, e->conn.exchanges_count, sizeof(struct session_exchange *));
		s->conns[s->conns_count++] = &e->conn;
	}
	if (s->conns_count)
		qsort(s->conns, s->conns_count, sizeof(struct session_conn *), by_opening);
	for (size_t i = 0; i < s->conns_count; i++)
		s->conns[i]->index = i;
	for (size_t i = 0; i < s->exchanges_count && !s->inside->full; i++)
		s->exchanges[i]->conn->exchanges[s->exchanges[i]->index_in_conn] = s->exchanges[i];
}

static void list_topics(struct session *s)
{
	struct topic_entry *e, *next;

	s->topics = list(s, HASH_COUNT(s->inside->topics), sizeof(struct session_topic *));
	if (!s->topics)
		return;
	HASH_ITER (hh, s->inside->topics, e, next)
		s->topics[s->topics_count++] = &e->topic;
}

static bool is_of_broker(const struct session_conn *c)
{
	bool markers = false, others = false;

	for (size_t i = 0; i < c->exchanges_count; i++) {
		const struct session_exchange *x = c->exchanges[i];
		struct nature n =
			nature_of(x->header.api_key, x->header.api_version, x->request_body);

		if (x->state == EXCHANGE_ORPHAN)
			continue;
		if (n.internal)
			return true;
		markers |= n.markers;
		others |= !n.markers && !n.security && x->header.api_key != API_API_VERSIONS;
	}
	return markers && !others;
}

int session_end(struct session *s, struct error *e)
{
	list_exchanges(s);
	list_conns(s);
	for (size_t i = 0; i < s->conns_count && !s->inside->full; i++)
		s->conns[i]->of_broker = is_of_broker(s->conns[i]);
	list_topics(s);
	free(s->inside->placed);
	s->inside->placed = NULL;
	s->inside->placed_count = 0;
	if (!s->inside->full)
		return 0;
	return error_set(e, ERR_LIMIT,
			 "the capture takes more than %zu MiB in memory; choose a part of it: -Y "
			 "FILTER, or ktrial decode --from --to -w",
			 s->arena.size_max >> 20);
}

const struct session_topic *session_topic(const struct session *s, struct str name)
{
	struct topic_entry *t = NULL;

	if (name.data)
		HASH_FIND(hh, s->inside->topics, name.data, (size_t)name.len, t);
	return t ? &t->topic : NULL;
}

const struct session_topic *session_topic_of_id(const struct session *s, struct uuid id)
{
	struct id_entry *e;

	HASH_FIND(hh, s->inside->ids, &id, sizeof(id), e);
	return e ? &e->topic->topic : NULL;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	HASH_CLEAR(hh, s->inside->conns);
	HASH_CLEAR(hh, s->inside->topics);
	HASH_CLEAR(hh, s->inside->ids);
	free(s->inside->placed);
	free(s->inside);
	arena_release(&s->arena);
	free(s);
}
