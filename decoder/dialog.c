/* Frames of both directions, what waits for an answer, and the belief that all this is Kafka.
 *
 * Invariants: env->memory is the sum of all frames' buffers; a frame's buffer holds its bytes up to
 * the first hole, and is whole only if `kept` and nothing is missing; requests stand in the order
 * in which they came; an exchange is told exactly once. Cutting frames out of bytes is framer.c's.
 */
#include "decoder/dialog.h"

#include "base/json.h"

#include "decoder/framer.h"
#include "trace/secrets.h"
#include "decoder/thin.h"
#include "decoder/tls.h"
#include "protocol/messages.h"
#include "protocol/walk.h"
#include "protocol/wire.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#define SHORT_MAX      ((size_t)8 << 10)  /* a frame for which room is made */
#define FIRST_ROOM     ((size_t)64 << 10) /* a frame's first buffer */
#define THIN_ROOM      ((size_t)1 << 10)
#define THIN_HEAD      512		   /* bytes in which a header must show itself */
#define RESPONSE_MAX   ((uint32_t)1 << 30) /* longer ones are not believed */
#define SASL_TOKEN_MAX ((uint32_t)1 << 20)
#define SEARCH_MAX     ((uint64_t)8 << 20) /* bytes without a frame: it is not Kafka */
#define TLS_SIGNS      4     /* packets that begin like TLS where the beginning is missing */
#define WAITING_MAX    10000 /* requests of a connection without an answer */
#define INDEXED_FROM   32    /* of them: more are found by their correlation id */
#define ORPHANS_MAX    3     /* in a row: then the frames are not believed any more */
#define CLIENT_ID_MAX  249   /* believed when searching */
#define CLIENT_ID_LOOK 64    /* bytes of it that are looked at */
#define SOUGHT_MAX     65536 /* a request that is not whole, when searching */
#define VERSION_NEWER  64    /* versions above the newest that are still believed */
#define OVERTAKEN_MAX  100   /* later requests that got answers: brokers answer in order */
#define ONE_SIDED      16    /* requests without a packet of the other side: it was not captured */
#define HEAD_ROOM      THIN_HEAD /* of a frame that memory has no room for */

/* A frame as far as it has come. */
struct part {
	uint8_t *data;
	size_t len, cap;
	uint32_t size;
	uint32_t seq; /* sequence number of its first byte behind the length */
	uint64_t missing;
	uint64_t left_out; /* of size: records that nobody wants */
	struct thin *thin; /* while they are left out */
	bool undecided;	   /* whether it is to become thin */
	bool kept, broken; /* broken: a hole came, no more bytes are added */
	bool squeezed;	   /* the records are left out for want of memory */
	struct stream_at first, last;
	uint64_t seen;	 /* of size, missing ones included */
	uint64_t resent; /* bytes of the conversation that had come again when it began */
};

struct waiting {
	struct dialog *c;
	struct waiting *prev, *next;	     /* of its conversation */
	struct waiting *all_prev, *all_next; /* of all */
	struct waiting *large_prev, *large_next;
	struct waiting *same_prev, *same_next; /* with its correlation id, the oldest first */
	UT_hash_handle hh;		       /* of the oldest of these, by that id */
	struct frame_header header;
	struct part part;
	struct str rule;
	uint32_t in_flight;
	uint32_t holes;	    /* of its conversation when it came */
	uint32_t overtaken; /* requests behind it that were answered */
	bool large;	    /* it stands in env->large */
};

struct side {
	struct dialog *c;
	int d;
	struct framer framer;
	struct part part;
	struct thin_events thin_events;
	bool in_frame;
	bool seq_known;
	uint32_t seq; /* of the next byte that the framer tells of */
	uint64_t frames;
	/* Before anything showed that this is Kafka: bytes in no frame. */
	uint64_t early_seen, early_missing;
	struct stream_at early_at;
};

struct dialog {
	struct dialog_env *env;
	struct stream *stream;
	struct event_conn info;
	struct side sides[2];
	struct waiting *waiting; /* the oldest first */
	struct waiting *by_id;	 /* the oldest of each correlation id, once they are many */
	uint32_t waiting_count;
	bool indexed; /* all that wait stand in by_id */
	int64_t opened_us;
	int client; /* direction of requests; -1: not known */
	bool trusted, opened, gave_up, sasl_raw;
	struct tls *tls;    /* NULL: it is none */
	uint32_t tls_signs; /* packets that begin as TLS records do, in a row */
	uint32_t orphans;   /* in a row */
	uint32_t holes;	    /* in the broker's bytes: places where an answer may have stood */
	uint64_t frames;
	char *client_id;       /* of the last request, to know the next one by */
	int32_t client_id_len; /* -1: null */
	bool client_id_known;
};

size_t dialog_size(void)
{
	return sizeof(struct dialog);
}

int64_t dialog_number(const struct dialog *c)
{
	return c->info.conn;
}

/* Parts. */

static void part_end_thin(struct dialog *c, struct part *p)
{
	if (!p->thin)
		return;
	thin_release(p->thin);
	free(p->thin);
	p->thin = NULL;
	c->env->memory -= sizeof(*p->thin);
}

/* Gives back what lies behind the frame's bytes, but for room for some more. */
static void part_shrink(struct dialog *c, struct part *p, size_t room)
{
	size_t cap = p->len > room ? p->len : room;

	if (cap >= p->cap)
		return;
	p->data = realloc(p->data, cap);
	if (!p->data)
		abort();
	c->env->memory -= p->cap - cap;
	p->cap = cap;
}

static void part_release(struct dialog *c, struct part *p)
{
	c->env->memory -= p->cap;
	free(p->data);
	part_end_thin(c, p);
	*p = (struct part){0};
}

static bool env_fits(const struct dialog_env *env, size_t n)
{
	return n <= env->memory_max && env->memory <= env->memory_max - n;
}

static void give_up(struct waiting *w);
static void squeeze_waiting(struct waiting *w);

/* For what is short there always is: requests that wait lose their records, and those that have
 * waited longest go. */
static void make_room(struct dialog_env *env, size_t n)
{
	while (env->large && !env_fits(env, n))
		squeeze_waiting(env->large);
	while (env->waiting && !env_fits(env, n)) {
		env->totals.given_up++;
		give_up(env->waiting);
	}
}

/* Long frames leave a quarter of the memory to short ones. */
static bool part_fits(const struct dialog *c, const struct part *p, size_t cap)
{
	if (cap > SHORT_MAX)
		return cap <= c->env->frame_max &&
		       env_fits(c->env, cap - p->cap + c->env->memory_max / 4);
	make_room(c->env, cap - p->cap);
	return cap <= HEAD_ROOM || env_fits(c->env, cap - p->cap);
}

/* Room for n more bytes; false when memory does not allow it. */
static bool part_grow(struct dialog *c, struct part *p, size_t n)
{
	size_t want = p->cap ? p->cap : c->env->thin ? THIN_ROOM : FIRST_ROOM;

	if (n <= p->cap - p->len)
		return true;
	while (want < p->len + n)
		want *= 2;
	if (want > p->size)
		want = p->size;
	if (!part_fits(c, p, want))
		want = p->len + n;
	if (!part_fits(c, p, want))
		return false;
	p->data = realloc(p->data, want);
	if (!p->data)
		abort();
	c->env->memory += want - p->cap;
	p->cap = want;
	return true;
}

/* What there is no room for is not kept but for its first bytes, which have the header. */
static void part_give_up(struct dialog *c, struct part *p, const uint8_t *data, size_t n)
{
	size_t want = p->len < HEAD_ROOM ? HEAD_ROOM - p->len : 0;

	n = n < want ? n : want;
	c->env->totals.not_kept += p->kept;
	p->kept = false;
	p->broken = true;
	if (!n || !part_grow(c, p, n))
		return;
	memcpy(p->data + p->len, data, n);
	p->len += n;
}

static void part_add(struct dialog *c, struct part *p, const uint8_t *data, size_t n)
{
	if (p->broken || !n)
		return;
	if (!part_grow(c, p, n)) {
		part_give_up(c, p, data, n);
		return;
	}
	memmove(p->data + p->len, data, n); /* a frame that is squeezed moves within itself */
	p->len += n;
}

static struct bytes part_bytes(const struct part *p)
{
	static const uint8_t none[1];

	return (struct bytes){p->data ? p->data : none, (int32_t)p->len};
}

static bool part_whole(const struct part *p)
{
	return p->kept && !p->missing && p->seen == p->size && p->len + p->left_out == p->size;
}

/* Events. */

static void emit(struct dialog *c, struct event *ev)
{
	event_emit(c->env->bus, ev);
}

/* Who the server is, unless that is known. */
static void know_broker(struct dialog *c)
{
	if (c->info.broker < 0)
		c->info.broker = brokers_find(c->env->brokers, &c->info.server);
}

static void emit_conn(struct dialog *c, enum event_kind kind, enum close_how how, int64_t time_us)
{
	struct event ev = {.kind = kind, .time_us = time_us};

	know_broker(c);
	ev.conn = c->info;
	ev.conn.how = how;
	ev.conn.midway = kind == EVENT_CONN_OPENED && c->stream->opener < 0;
	emit(c, &ev);
}

static void emit_unmatched(struct dialog *c, bool from_client, uint64_t size, uint64_t missing,
			   const char *why, const struct stream_at *at)
{
	struct event ev = {.kind = EVENT_UNMATCHED,
			   .time_us = at->time_ns / 1000,
			   .unmatched = {.conn = c->info,
					 .missing = missing,
					 .from_client = from_client,
					 .size = size,
					 .packet = at->packet,
					 .why = str_of(why)}};

	emit(c, &ev);
}

/* Why a frame's bytes are not there, for whoever wants its body. */
static void explain(const struct part *p, bool *ret_decoded, struct error *ret_error)
{
	*ret_decoded = true;
	*ret_error = (struct error)ERROR_INIT;
	if (p->missing)
		error_set(ret_error, ERR_TRUNCATED, "%llu of its %u bytes were not captured",
			  (unsigned long long)p->missing, p->size);
	else if (p->seen < p->size)
		error_set(ret_error, ERR_TRUNCATED, "only %llu of its %u bytes came",
			  (unsigned long long)p->seen, p->size);
	else
		error_set(ret_error, ERR_LIMIT, "%u bytes are more than the memory allows",
			  p->size);
}

/* Without its request an answer can't be read: which API it is of is not in it. */
static void orphan(struct exchange *x, const struct part *response)
{
	x->header.api_key = -1;
	x->header.correlation_id = (int32_t)wire_u32(response->data);
	x->response_decoded = true;
	if (!x->response_error.code)
		x->response_error = (struct error)ERROR_INIT;
	error_set(&x->response_error, ERR_UNSUPPORTED, "its request is not in the capture");
}

/* Secrets. */

/* n bytes of a frame, from its offset from on, as far as they came. */
static void hide(struct dialog *c, const struct part *p, bool response, size_t from, size_t n)
{
	size_t here = p->len <= from ? 0 : p->len - from < n ? p->len - from : n;
	size_t keep = here == n && n ? secrets_from(p->data + from, n) : 0;

	if (c->env->on_secret && n > keep)
		c->env->on_secret(c->env->secret_context, c->stream->number,
				  response ? !c->client : c->client,
				  p->seq + (uint32_t)(from + keep), (uint32_t)(n - keep));
	if (!c->env->show_secrets && here > keep)
		memset(p->data + from + keep, '*', here - keep);
}

struct hiding {
	struct dialog *c;
	const struct part *part;
	bool response;
};

static void on_secret(void *user, size_t from, size_t n)
{
	const struct hiding *h = user;

	hide(h->c, h->part, h->response, from, n);
}

static void hide_in_part(struct dialog *c, const struct frame_header *header, const struct part *p,
			 bool response)
{
	struct hiding h = {c, p, response};

	secrets_each(header->api_key, header->api_version, response, header->body, part_bytes(p),
		     p->size, on_secret, &h);
}

/* A token without a Kafka header. */
static void hide_token(struct dialog *c, const struct side *side)
{
	hide(c, &side->part, side->d != c->client, 0, side->part.size);
}

/* Bytes of the conversation that came again so far. */
static uint64_t resent(const struct dialog *c)
{
	return c->stream->half[0].counts.retransmitted + c->stream->half[1].counts.retransmitted;
}

/* Hands on one exchange; either part may be absent. */
/* Whether the capture has no packet of that direction. */
static bool silent_side(const struct dialog *c, int direction)
{
	return !c->stream->half[direction].counts.packets;
}

/* Whether an answer may be missing from the capture alone: bytes of the broker's side are, or not
 * even the packet is there that says that the request arrived. */
static bool is_unheard(const struct dialog *c, const struct waiting *w)
{
	const struct stream_half *asked = &c->stream->half[c->client];
	uint32_t end = w->part.seq + w->part.size;

	return w->holes != c->holes || w->part.broken || !asked->has_taken ||
	       (int32_t)(asked->taken - end) < 0;
}

static void emit_exchange(struct dialog *c, const struct waiting *w, struct part *response,
			  enum exchange_state state, int64_t time_us)
{
	struct exchange x = {.state = state, .arena = &c->env->arena};
	struct event ev = {.kind = EVENT_EXCHANGE, .time_us = time_us, .exchange = &x};

	x.stream = c->stream->number;
	x.resent = resent(c) - (w ? w->part.resent : response->resent);
	if (w && response)
		hide_in_part(c, &w->header, response, true);
	if (w) {
		hide_in_part(c, &w->header, &w->part, false);
		x.request_squeezed = w->part.squeezed;
		x.header = w->header;
		x.rule = w->rule;
		x.request_size = w->part.size;
		x.request_left_out = (uint32_t)w->part.left_out;
		x.in_flight = w->in_flight;
		x.unheard = state == EXCHANGE_LOST && is_unheard(c, w);
		x.request_first_us = w->part.first.time_ns / 1000;
		x.request_us = w->part.last.time_ns / 1000;
		x.request_packet = w->part.first.packet;
		x.request_packet_last = w->part.last.packet;
		if (part_whole(&w->part))
			x.request = part_bytes(&w->part);
		else
			explain(&w->part, &x.request_decoded, &x.request_error);
	}
	if (response) {
		x.response_squeezed = response->squeezed;
		x.response_size = response->size;
		x.response_left_out = (uint32_t)response->left_out;
		x.response_first_us = response->first.time_ns / 1000;
		x.response_us = response->last.time_ns / 1000;
		x.response_packet = response->first.packet;
		x.response_packet_last = response->last.packet;
		if (part_whole(response))
			x.response = part_bytes(response);
		else
			explain(response, &x.response_decoded, &x.response_error);
		if (!w)
			orphan(&x, response);
	}
	brokers_learn(c->env->brokers, &x);
	know_broker(c);
	x.conn = c->info;
	emit(c, &ev);
	arena_reset(&c->env->arena);
}

/* Requests that wait. */

static void not_large(struct waiting *w)
{
	if (w->large)
		DL_DELETE2(w->c->env->large, w, large_prev, large_next);
	w->large = false;
}

/* The oldest of that id; NULL if there is none. A broker answers what came first, and few requests
 * are looked through; where they are many, bytes that are no answers must not cost a walk each. */
static struct waiting *waiting_find(const struct dialog *c, int32_t correlation_id)
{
	struct waiting *w = c->waiting;

	if (!w || w->header.correlation_id == correlation_id)
		return w;
	if (c->indexed) {
		HASH_FIND_INT(c->by_id, &correlation_id, w);
		return w;
	}
	while (w && w->header.correlation_id != correlation_id)
		w = w->next;
	return w;
}

static void index_add(struct dialog *c, struct waiting *w)
{
	struct waiting *oldest, *list;

	HASH_FIND_INT(c->by_id, &w->header.correlation_id, oldest);
	list = oldest;
	DL_APPEND2(list, w, same_prev, same_next);
	if (!oldest)
		HASH_ADD_INT(c->by_id, header.correlation_id, w);
}

static void index_all(struct dialog *c)
{
	c->indexed = true;
	for (struct waiting *w = c->waiting; w; w = w->next)
		index_add(c, w);
}

static void index_remove(struct dialog *c, struct waiting *w)
{
	struct waiting *oldest, *list;

	HASH_FIND_INT(c->by_id, &w->header.correlation_id, oldest);
	list = oldest;
	DL_DELETE2(list, w, same_prev, same_next);
	if (w == oldest)
		HASH_DELETE(hh, c->by_id, w);
	if (w == oldest && list)
		HASH_ADD_INT(c->by_id, header.correlation_id, list);
	c->indexed = c->by_id != NULL;
}

static void waiting_free(struct dialog *c, struct waiting *w)
{
	if (c->indexed)
		index_remove(c, w);
	DL_DELETE(c->waiting, w);
	DL_DELETE2(c->env->waiting, w, all_prev, all_next);
	not_large(w);
	c->env->memory -= sizeof(*w);
	c->waiting_count--;
	part_release(c, &w->part);
	free((char *)(uintptr_t)w->rule.data);
	free(w);
}

static void waiting_add(struct dialog *c, struct waiting *w)
{
	make_room(c->env, sizeof(*w));
	c->env->memory += sizeof(*w);
	DL_APPEND(c->waiting, w);
	DL_APPEND2(c->env->waiting, w, all_prev, all_next);
	if (c->indexed)
		index_add(c, w);
	else if (c->waiting_count > INDEXED_FROM)
		index_all(c);
	w->large = c->env->squeeze && w->part.cap > SHORT_MAX && !w->part.left_out &&
		   part_whole(&w->part) && thin_worth(w->header.api_key, false) &&
		   frame_known(w->header.api_key, w->header.api_version);
	if (w->large)
		DL_APPEND2(c->env->large, w, large_prev, large_next);
	w->in_flight = ++c->waiting_count;
	w->holes = c->holes;
}

static void on_squeeze_put(void *context, const uint8_t *data, size_t n)
{
	struct part *p = context;

	memmove(p->data + p->len, data, n);
	p->len += n;
}

static void on_squeeze_cut(void *context, size_t n)
{
	struct part *p = context;

	p->len -= n;
}

/* A whole request loses its records where it lies: what stays moves forward. */
static void squeeze_waiting(struct waiting *w)
{
	struct part *p = &w->part;
	const struct thin_events events = {p, on_squeeze_put, on_squeeze_cut};
	const struct message *m = message_of_api(w->header.api_key, MESSAGE_REQUEST);
	const char *client_id = w->header.client_id.data;
	ptrdiff_t id = client_id ? client_id - (const char *)p->data : -1;
	size_t body = (size_t)w->header.body, n = p->len - body;
	struct thin thin;

	not_large(w);
	thin_init(&thin, m->schema, w->header.api_version, (int64_t)n, &events);
	p->len = body;
	thin_feed(&thin, p->data + body, n);
	p->left_out = thin.removed;
	p->squeezed = p->left_out > 0;
	w->c->env->totals.squeezed += p->squeezed;
	thin_release(&thin);
	part_shrink(w->c, p, 0);
	if (id >= 0)
		w->header.client_id.data = (const char *)p->data + id;
}

static void give_up(struct waiting *w)
{
	struct dialog *c = w->c;

	c->holes++;
	emit_exchange(c, w, NULL, EXCHANGE_LOST, w->part.last.time_ns / 1000);
	waiting_free(c, w);
}

/* w got its answer: those before it will hardly get theirs. */
static void overtake(struct dialog *c, const struct waiting *w)
{
	for (struct waiting *early = c->waiting; early != w; early = early->next)
		early->overtaken++;
	while (c->waiting != w && c->waiting->overtaken > OVERTAKEN_MAX)
		give_up(c->waiting);
}

void dialog_rule(struct dialog *c, int32_t correlation_id, struct str text)
{
	struct waiting *w = waiting_find(c, correlation_id);
	char *copy;

	if (!w || w->rule.data || !text.data)
		return;
	copy = malloc((size_t)text.len + 1);
	if (!copy)
		abort();
	memcpy(copy, text.data, (size_t)text.len);
	w->rule = (struct str){copy, text.len};
}

/* Belief. */

/* A text in UTF-8, or where it is not whole, the beginning of one. */
static bool printable(const uint8_t *p, size_t n, bool whole)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_length(p + i, n - i);
		if (!len)
			return !whole && n - i < 4 && p[i] >= 0xc2 && p[i] <= 0xf4;
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	}
	return true;
}

/* API and version: known ones, or, where we follow the frames already, any of the future. */
static bool api_makes_sense(int api_key, int version, bool strict)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);

	if (!m)
		return !strict && api_key >= 0 && api_key <= 1000 && version >= 0 &&
		       version <= 1000;
	/* ApiVersions comes first and at the newest version that a client knows. */
	strict = strict && api_key != API_API_VERSIONS;
	return version >= (strict ? m->since : 0) &&
	       version <= m->until + (strict ? 0 : VERSION_NEWER);
}

static enum walk_want on_walk(void *user, const struct walk *w, const struct walk_event *ev)
{
	bool *trailing = user;

	(void)w;
	*trailing |= ev->kind == WALK_TRAILING;
	return ev->kind == WALK_DATA || ev->kind == WALK_UNKNOWN_TAG ? WALK_SKIP : WALK_ON;
}

/* Whether the first n of size bytes can be a body of that message, and all of it if all is there. A
 * header alone is not enough to find frames by: the answer to a Produce begins like a request. */
static bool body_makes_sense(const struct schema *s, int version, const uint8_t *data, size_t n,
			     size_t size)
{
	struct walk w;
	bool trailing = false, right;

	n = n < size ? n : size;
	walk_init(&w, s, version, (int64_t)size, on_walk, &trailing);
	right = walk_feed(&w, (struct bytes){data, (int32_t)n}, NULL) >= 0;
	if (right && n == size)
		right = walk_end(&w, NULL) == 0 && !trailing;
	walk_release(&w);
	return right;
}

/* The acks of a Produce request: they stand behind the transactional id. False if they are not
 * there. */
static bool produce_acks(int version, const uint8_t *at, const uint8_t *end, int16_t *ret_acks)
{
	uint32_t len = 0;
	int n;

	if (version >= 9) {
		n = wire_uvarint(at, end, &len);
		if (n <= 0)
			return false;
		at += n;
		len -= len > 0;
	} else if (version >= 3 && end - at >= 2) {
		len = wire_u16(at) == 0xffff ? 0 : wire_u16(at);
		at += 2;
	}
	if (end - at < 2 || len > (size_t)(end - at) - 2)
		return false;
	*ret_acks = (int16_t)wire_u16(at + len);
	return true;
}

/* A frame that is looked for, and of which more is to come: what is there may be anything. Only
 * Produce is large, and it says so soon. */
static bool part_makes_sense(const struct frame_header *h, struct bytes frame, uint32_t size)
{
	int16_t acks;

	if (h->api_key != API_PRODUCE)
		return size <= SOUGHT_MAX;
	return !produce_acks(h->api_version, frame.data + h->body, frame.data + frame.len, &acks) ||
	       (acks >= -1 && acks <= 1);
}

/* data: a request's frame with its length. */
static bool request_makes_sense(const uint8_t *data, size_t n, uint32_t size)
{
	size_t here = n - 4 < size ? n - 4 : size;
	struct bytes frame = {data + 4, (int32_t)here};
	struct frame_header h;

	if (frame_read_request(frame, &h, NULL) < 0 || !frame_known(h.api_key, h.api_version) ||
	    (here < size && !part_makes_sense(&h, frame, size)))
		return false;
	return body_makes_sense(message_of_api(h.api_key, MESSAGE_REQUEST)->schema, h.api_version,
				frame.data + h.body, here - (size_t)h.body, size - (size_t)h.body);
}

/* The same of an answer to w. */
static bool response_makes_sense(const struct frame_header *h, const uint8_t *data, size_t n,
				 uint32_t size)
{
	size_t here = n - 4 < size ? n - 4 : size;
	struct bytes frame = {data + 4, (int32_t)here};
	const struct message *m = message_of_api(h->api_key, MESSAGE_RESPONSE);
	int32_t correlation_id;
	int64_t body;

	if (!m || !frame_known(h->api_key, h->api_version) || h->api_key == API_API_VERSIONS)
		return true;
	body = frame_read_response(frame, h->api_key, h->api_version, &correlation_id, NULL);
	return body >= 0 && body_makes_sense(m->schema, h->api_version, frame.data + body,
					     here - (size_t)body, size - (size_t)body);
}

/* The client id that this connection's requests have had: every client sends one and the same. */
static enum framer_verdict judge_same_client_id(const struct dialog *c, const uint8_t *data,
						size_t n)
{
	int16_t len = (int16_t)wire_u16(data + 12);

	if (len != c->client_id_len)
		return FRAMER_NO;
	if (len <= 0)
		return FRAMER_YES;
	if (n < 14 + (size_t)len)
		return FRAMER_MORE;
	return memcmp(data + 14, c->client_id, (size_t)len) ? FRAMER_NO : FRAMER_YES;
}

/* A request that is looked for where none is known: its client id must be a text, and its body one.
 */
static enum framer_verdict judge_client_id(const uint8_t *data, size_t n, uint32_t size)
{
	int16_t len = (int16_t)wire_u16(data + 12);
	size_t look;

	if (len < 1 || len > CLIENT_ID_MAX || (uint32_t)len + 10 > size)
		return FRAMER_NO;
	look = len < CLIENT_ID_LOOK ? (size_t)len : CLIENT_ID_LOOK;
	if (n < 14 + look)
		return printable(data + 14, n - 14, false) ? FRAMER_MORE : FRAMER_NO;
	if (!printable(data + 14, look, look == (size_t)len) || !request_makes_sense(data, n, size))
		return FRAMER_NO;
	return FRAMER_YES;
}

static enum framer_verdict judge_request(const struct dialog *c, const uint8_t *data, size_t n,
					 bool searching)
{
	uint32_t size;
	int16_t key, version, len;

	if (n < 4)
		return searching && n && data[0] > 6 ? FRAMER_NO : FRAMER_MORE;
	size = wire_u32(data);
	if (size > FRAME_SIZE_MAX)
		return FRAMER_NO;
	if (c->sasl_raw && !searching && size <= SASL_TOKEN_MAX)
		return FRAMER_YES;
	if (size < 8)
		return FRAMER_NO;
	if (n < 8)
		return FRAMER_MORE;
	key = (int16_t)wire_u16(data + 4);
	version = (int16_t)wire_u16(data + 6);
	if (!api_makes_sense(key, version, searching || !c->frames))
		return FRAMER_NO;
	if (!frame_request_header_version(key, version) || (c->frames && !searching))
		return searching ? FRAMER_NO : FRAMER_YES;
	if (size < 10)
		return FRAMER_NO;
	if (n < 14)
		return FRAMER_MORE;
	len = (int16_t)wire_u16(data + 12);
	if (searching)
		return c->client_id_known ? judge_same_client_id(c, data, n)
					  : judge_client_id(data, n, size);
	return len >= -1 && len <= (int64_t)size - 10 ? FRAMER_YES : FRAMER_NO;
}

/* No byte came there, and none is missing. */
static bool untouched(const struct framer *f)
{
	return !f->head_len && !f->lost_seen && !f->lost_missing;
}

static enum framer_verdict judge_response(struct dialog *c, const uint8_t *data, size_t n,
					  bool searching)
{
	const struct waiting *w;
	uint32_t size;

	if (n < 4)
		return searching && n && data[0] >= RESPONSE_MAX >> 24 ? FRAMER_NO : FRAMER_MORE;
	size = wire_u32(data);
	if (c->sasl_raw && !searching && size <= SASL_TOKEN_MAX)
		return FRAMER_YES;
	if (size < 4 || size > RESPONSE_MAX)
		return FRAMER_NO;
	if (n < 8)
		return FRAMER_MORE;
	w = waiting_find(c, (int32_t)wire_u32(data + 4));
	if (w)
		return !searching || response_makes_sense(&w->header, data, n, size) ? FRAMER_YES
										     : FRAMER_NO;
	if (searching)
		return FRAMER_NO;
	/* Where no byte of the requests was captured, there is nothing else to go by. */
	if (c->trusted && untouched(&c->sides[c->client].framer) && !c->sides[c->client].frames)
		return FRAMER_YES;
	return c->frames && c->orphans < ORPHANS_MAX ? FRAMER_YES : FRAMER_NO;
}

static void not_kafka(struct dialog *c)
{
	c->gave_up = true;
	c->env->totals.other++;
	stream_ignore(c->stream);
}

static void is_tls(struct dialog *c)
{
	c->gave_up = true;
	c->tls = calloc(1, sizeof(*c->tls));
	if (!c->tls)
		abort();
	c->env->totals.tls++;
}

static enum framer_verdict on_judge(void *context, const uint8_t *data, size_t n, bool searching)
{
	struct side *side = context;
	struct dialog *c = side->c;
	enum framer_verdict verdict;

	if (c->gave_up)
		return FRAMER_NO;
	if (c->client >= 0 && c->client != side->d)
		verdict = judge_response(c, data, n, searching);
	else
		verdict = judge_request(c, data, n, searching);
	/* A server that speaks first is not Kafka's. */
	if (verdict != FRAMER_NO || searching || c->frames ||
	    (side->d != c->client && !untouched(&c->sides[c->client].framer)))
		return verdict;
	if (tls_begins(data, n))
		is_tls(c);
	else if (!c->trusted)
		not_kafka(c);
	return verdict;
}

/* Frames. */

/* Bytes in no frame. */
static void tell_lost(struct side *side, uint64_t seen, uint64_t missing,
		      const struct stream_at *at)
{
	struct dialog *c = side->c;
	bool begins_inside = !side->frames && c->stream->opener < 0;

	c->env->totals.lost_bytes += missing;
	c->env->totals.unmatched_bytes += seen;
	c->holes += side->d != c->client;
	emit_unmatched(c, side->d == c->client, seen + missing, missing,
		       missing	       ? "bytes that were not captured, and what they touch"
		       : begins_inside ? "the capture begins inside a frame"
				       : "bytes that are no frame",
		       at);
}

static void open_conn(struct dialog *c, int client)
{
	const struct endpoint *ends = c->stream->ends;

	c->client = client;
	c->info.client = ends[client];
	c->info.server = ends[!client];
	if (c->opened)
		return;
	c->opened = true;
	c->env->totals.kafka++;
	emit_conn(c, EVENT_CONN_OPENED, 0, c->opened_us);
	for (int d = 0; d < 2; d++) {
		struct side *side = &c->sides[d];

		if (side->early_seen + side->early_missing)
			tell_lost(side, side->early_seen, side->early_missing, &side->early_at);
	}
}

static void on_frame(void *context, uint32_t size, const struct stream_at *at)
{
	struct side *side = context;
	struct dialog *c = side->c;

	open_conn(c, c->client < 0 ? side->d : c->client);
	c->frames++;
	side->frames++;
	side->in_frame = true;
	side->seq += 4;
	side->part = (struct part){.seq = side->seq,
				   .size = size,
				   .kept = true,
				   .undecided = c->env->thin,
				   .resent = resent(c),
				   .first = *at,
				   .last = *at};
}

/* Thin frames. */

static void on_thin_put(void *context, const uint8_t *data, size_t n)
{
	struct side *side = context;

	part_add(side->c, &side->part, data, n);
}

static void on_thin_cut(void *context, size_t n)
{
	struct side *side = context;

	if (!side->part.broken)
		side->part.len -= n;
}

static void thin_more(struct side *side, const uint8_t *data, size_t n)
{
	thin_feed(side->part.thin, data, n);
	side->part.left_out = side->part.thin->removed;
}

static void begin_thin(struct side *side, const struct schema *s, int version, int64_t body)
{
	struct part *p = &side->part;
	size_t n = p->len - (size_t)body;

	p->undecided = false;
	make_room(side->c->env, sizeof(*p->thin));
	p->thin = malloc(sizeof(*p->thin));
	if (!p->thin)
		abort();
	side->c->env->memory += sizeof(*p->thin);
	thin_init(p->thin, s, version, p->size - body, &side->thin_events);
	/* What stays moves forward: never past what is still to be read. */
	p->len = (size_t)body;
	thin_more(side, p->data + body, n);
}

/* What a frame's first bytes say of it. */
struct thinness {
	const struct schema *schema; /* NULL: no records, or not to be found */
	int version;
	int64_t body;
	bool more; /* some more bytes may tell */
};

static struct thinness look_at_head(struct side *side)
{
	struct dialog *c = side->c;
	struct part *p = &side->part;
	bool response = side->d != c->client;
	struct bytes head = part_bytes(p);
	struct frame_header h = {0};
	struct thinness t = {.body = -1, .more = p->len < THIN_HEAD};
	const struct waiting *w;
	int32_t correlation_id;

	if (p->len < 4)
		return t;
	if (!response) {
		h.api_key = (int16_t)wire_u16(p->data);
	} else {
		w = waiting_find(c, (int32_t)wire_u32(p->data));
		h = w ? w->header : (struct frame_header){.api_key = -1};
	}
	if (!thin_worth(h.api_key, response))
		return (struct thinness){.body = -1};
	if (response)
		t.body = frame_read_response(head, h.api_key, h.api_version, &correlation_id, NULL);
	else if (frame_read_request(head, &h, NULL) == 0)
		t.body = h.body;
	if (t.body < 0 || !frame_known(h.api_key, h.api_version))
		return t;
	t.version = h.api_version;
	t.schema = message_of_api(h.api_key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST)->schema;
	return t;
}

static void decide_thin(struct side *side)
{
	struct thinness t = look_at_head(side);

	side->part.undecided = t.more && !t.schema;
	if (t.schema)
		begin_thin(side, t.schema, t.version, t.body);
}

/* A frame for which there is no room any more goes on without its records, if it has some. */
static void squeeze(struct side *side)
{
	struct dialog *c = side->c;
	struct part *p = &side->part;
	struct thinness t = {NULL, 0, -1, false};

	if (c->env->squeeze && !p->broken && !p->missing)
		t = look_at_head(side);
	if (!t.schema)
		return;
	begin_thin(side, t.schema, t.version, t.body);
	p->squeezed = true;
	c->env->totals.squeezed++;
	part_shrink(c, p, THIN_ROOM);
}

static void on_bytes(void *context, const uint8_t *data, size_t n, const struct stream_at *at)
{
	struct side *side = context;
	struct part *p = &side->part;
	size_t head;

	side->seq += (uint32_t)n;
	p->seen += n;
	p->last = *at;
	while (p->undecided && n && !p->broken) {
		head = THIN_HEAD - p->len;
		head = n < head ? n : head;
		part_add(side->c, p, data, head);
		decide_thin(side);
		data += head;
		n -= head;
	}
	if (!p->thin && !p->broken && n && !part_grow(side->c, p, n))
		squeeze(side);
	if (p->thin && !p->broken)
		thin_more(side, data, n);
	else
		part_add(side->c, p, data, n);
}

static void on_hole(void *context, uint64_t n)
{
	struct side *side = context;

	side->seq += (uint32_t)n;
	side->c->env->totals.lost_messages += !side->part.missing;
	side->part.missing += n;
	side->part.seen += n;
	side->part.broken = true;
	side->c->env->totals.lost_bytes += n;
	side->c->holes += side->d != side->c->client;
}

static void drop_part(struct dialog *c, struct side *side, const char *why)
{
	c->env->totals.unmatched_bytes += side->part.size;
	c->holes += side->d != c->client;
	emit_unmatched(c, side->d == c->client, side->part.size, 0, why, &side->part.first);
	part_release(c, &side->part);
}

static void remember_client_id(struct dialog *c, struct str id)
{
	if (id.len > CLIENT_ID_MAX)
		return;
	if (c->client_id_known && c->client_id_len == (id.data ? id.len : -1) &&
	    (id.len <= 0 || !memcmp(c->client_id, id.data, (size_t)id.len)))
		return;
	c->client_id_known = true;
	c->client_id_len = id.data ? id.len : -1;
	free(c->client_id);
	c->client_id = NULL;
	if (id.len <= 0)
		return;
	c->client_id = malloc((size_t)id.len);
	if (!c->client_id)
		abort();
	memcpy(c->client_id, id.data, (size_t)id.len);
}

/* Whether all that came was requests: their answers are not in the capture, as where only one
 * direction of a link is looked at. */
static bool is_one_sided(const struct dialog *c)
{
	return c->sides[c->client].frames >= ONE_SIDED && silent_side(c, !c->client);
}

/* Produce with acks 0 gets no answer. */
static bool wants_no_answer(const struct frame_header *h, const struct part *p)
{
	int16_t acks;

	return h->body && h->api_key == API_PRODUCE && frame_known(h->api_key, h->api_version) &&
	       produce_acks(h->api_version, p->data + h->body, p->data + p->len, &acks) &&
	       acks == 0;
}

/* Of a header that the capture cut off: enough to meet its answer. */
static struct frame_header cut_header(const uint8_t *data)
{
	return (struct frame_header){.api_key = (int16_t)wire_u16(data),
				     .api_version = (int16_t)wire_u16(data + 2),
				     .correlation_id = (int32_t)wire_u32(data + 4)};
}

/* A request is there, as far as it came. */
static void request_end(struct dialog *c, struct side *side, const struct stream_at *at)
{
	struct waiting *w;
	struct frame_header h;
	struct bytes prefix;

	if (side->part.squeezed)
		part_shrink(c, &side->part, 0);
	prefix = part_bytes(&side->part);
	if (c->sasl_raw &&
	    (prefix.len < 8 || !api_makes_sense((int16_t)wire_u16(prefix.data),
						(int16_t)wire_u16(prefix.data + 2), true))) {
		c->env->totals.sasl_tokens++;
		hide_token(c, side);
		part_release(c, &side->part);
		return;
	}
	if (frame_read_request(prefix, &h, NULL) == 0) {
		remember_client_id(c, h.client_id);
	} else if (side->part.missing && prefix.len >= 8) {
		h = cut_header(prefix.data);
	} else {
		drop_part(c, side,
			  side->part.missing ? "a request whose header was not captured"
					     : "a request with a malformed header");
		return;
	}
	c->env->totals.requests++;
	c->sasl_raw = h.api_key == API_SASL_HANDSHAKE && h.api_version == 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->c = c;
	w->header = h;
	w->part = side->part;
	side->part = (struct part){0};
	waiting_add(c, w);
	if (wants_no_answer(&h, &w->part)) {
		emit_exchange(c, w, NULL, EXCHANGE_NO_ANSWER, at->time_ns / 1000);
		waiting_free(c, w);
	} else if (c->waiting_count > WAITING_MAX) {
		give_up(c->waiting);
	}
	while (c->waiting && is_one_sided(c))
		give_up(c->waiting);
}

static void response_end(struct dialog *c, struct side *side, const struct stream_at *at)
{
	struct part *p = &side->part;
	struct waiting *w;

	if (p->len < 4) {
		if (c->sasl_raw)
			hide_token(c, side);
		if (c->sasl_raw)
			c->env->totals.sasl_tokens++;
		else
			drop_part(c, side, "an answer whose header was not captured");
		part_release(c, p);
		return;
	}
	w = waiting_find(c, (int32_t)wire_u32(p->data));
	if (!w && c->sasl_raw) {
		c->env->totals.sasl_tokens++;
		hide_token(c, side);
		part_release(c, p);
		return;
	}
	c->env->totals.responses++;
	c->orphans = w ? 0 : c->orphans + 1;
	if (w)
		overtake(c, w);
	emit_exchange(c, w, p, w ? EXCHANGE_ANSWERED : EXCHANGE_ORPHAN, at->time_ns / 1000);
	if (w)
		waiting_free(c, w);
	part_release(c, p);
}

static void on_end(void *context, const struct stream_at *at)
{
	struct side *side = context;

	side->in_frame = false;
	part_end_thin(side->c, &side->part);
	if (side->d == side->c->client)
		request_end(side->c, side, at);
	else
		response_end(side->c, side, at);
}

static void on_lost(void *context, uint64_t seen, uint64_t missing, const struct stream_at *at)
{
	struct side *side = context;
	struct dialog *c = side->c;

	side->seq += (uint32_t)(seen + missing);
	if (c->gave_up)
		return;
	if (c->client >= 0) {
		tell_lost(side, seen, missing, at);
		return;
	}
	side->early_seen += seen;
	side->early_missing += missing;
	side->early_at = *at;
}

static const struct framer_events framer_events = {on_judge, on_frame, on_bytes,
						   on_hole,  on_end,   on_lost};

/* Life. */

static bool endpoint_is(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

struct dialog *dialog_new(struct dialog_env *env, struct stream *s, const struct stream_at *at)
{
	struct dialog *c = calloc(1, sizeof(*c));
	enum dialog_belief belief = DIALOG_MAYBE;

	if (!c)
		abort();
	c->env = env;
	c->stream = s;
	c->client = s->opener;
	c->client_id_len = -1;
	c->opened_us = at->time_ns / 1000;
	c->info = (struct event_conn){.conn = (int64_t)s->number,
				      .broker = -1,
				      .client = s->ends[0],
				      .server = s->ends[1]};
	if (env->identify)
		belief = env->identify(env->context, &c->info);
	c->trusted = belief != DIALOG_MAYBE;
	if (c->trusted && c->client < 0)
		c->client = endpoint_is(&c->info.client, &s->ends[1]);
	for (int d = 0; d < 2; d++) {
		c->sides[d].c = c;
		c->sides[d].d = d;
		c->sides[d].thin_events =
			(struct thin_events){&c->sides[d], on_thin_put, on_thin_cut};
		framer_init(&c->sides[d].framer, &framer_events, &c->sides[d], s->opener < 0);
	}
	if (belief == DIALOG_ANNOUNCED)
		open_conn(c, c->client < 0 ? 0 : c->client);
	return c;
}

/* Where the first bytes of a direction stand; from there on they are counted. */
static void note_seq(struct dialog *c, int direction, uint64_t n)
{
	struct side *side = &c->sides[direction];

	if (!side->seq_known)
		side->seq = c->stream->half[direction].next - (uint32_t)n;
	side->seq_known = true;
}

void dialog_data(struct dialog *c, int direction, const uint8_t *data, size_t n,
		 const struct stream_at *at)
{
	struct framer *f = &c->sides[direction].framer;

	if (!c->frames && !c->gave_up && f->state == FRAMER_SEARCH) {
		c->tls_signs = tls_begins(data, n) ? c->tls_signs + 1 : 0;
		if (c->tls_signs == TLS_SIGNS)
			is_tls(c);
	}
	note_seq(c, direction, n);
	if (!c->gave_up)
		framer_data(f, data, n, at);
	if (c->tls) /* who asks: the opener, else who was seen first */
		tls_data(c->tls, direction == (c->client > 0), n, at->time_ns / 1000);
	if (!c->frames && !c->gave_up && f->lost_seen + f->lost_missing > SEARCH_MAX)
		not_kafka(c);
}

void dialog_conflict(struct dialog *c, int direction, size_t n, const struct stream_at *at)
{
	if (c->opened)
		emit_unmatched(c, direction == c->client, n, 0,
			       "bytes sent again that differ from those that came first, which "
			       "were taken",
			       at);
}

void dialog_gap(struct dialog *c, int direction, uint64_t n, const struct stream_at *at)
{
	if (c->tls)
		return;
	note_seq(c, direction, n);
	framer_gap(&c->sides[direction].framer, n, at);
}

/* What a connection's end leaves of a frame. */
static void end_side(struct dialog *c, struct side *side, const struct stream_at *at)
{
	struct part *p = &side->part;
	struct waiting *w;

	framer_end(&side->framer, at);
	if (!side->in_frame)
		return;
	part_end_thin(c, p);
	if (side->d == c->client) {
		request_end(c, side, at);
		return;
	}
	w = p->len >= 4 ? waiting_find(c, (int32_t)wire_u32(p->data)) : NULL;
	if (!w) {
		drop_part(c, side, "an answer that does not end");
		return;
	}
	emit_exchange(c, w, p, EXCHANGE_LOST, at->time_ns / 1000);
	waiting_free(c, w);
	part_release(c, p);
}

static enum close_how close_how(const struct dialog *c, enum stream_end how)
{
	bool client = c->stream->closer == c->client;

	switch (how) {
	case STREAM_END_FIN:
		return client ? CLOSE_BY_CLIENT : CLOSE_BY_BROKER;
	case STREAM_END_RESET:
	case STREAM_END_REFUSED:
		return client ? CLOSE_RESET_BY_CLIENT : CLOSE_RESET_BY_BROKER;
	default:
		return CLOSE_END_OF_INPUT;
	}
}

static void close_tls(struct dialog *c, const struct stream_at *at)
{
	struct event ev = {.kind = EVENT_TLS,
			   .time_us = at->time_ns / 1000,
			   .tls = {.asked = c->tls->asked,
				   .answered = c->tls->answered,
				   .round_trips = c->tls->round_trips,
				   .wait_us = c->tls->wait_us,
				   .wait_max_us = c->tls->wait_max_us}};

	c->info.client = c->stream->ends[c->client > 0];
	c->info.server = c->stream->ends[c->client <= 0];
	know_broker(c);
	ev.tls.conn = c->info;
	c->env->totals.tls_asked += c->tls->asked;
	c->env->totals.tls_answered += c->tls->answered;
	c->env->totals.tls_round_trips += c->tls->round_trips;
	emit(c, &ev);
	free(c->tls);
}

/* Bytes came, but too few to say what they are. */
static bool stayed_unknown(const struct dialog *c)
{
	return !c->opened && !c->gave_up &&
	       (!untouched(&c->sides[0].framer) || !untouched(&c->sides[1].framer));
}

void dialog_close(struct dialog *c, enum stream_end how, const struct stream_at *at)
{
	c->env->totals.other += stayed_unknown(c);
	if (c->tls) {
		close_tls(c, at);
	} else if (c->opened || (c->trusted && how != STREAM_END_REFUSED)) {
		open_conn(c, c->client < 0 ? 0 : c->client);
		end_side(c, &c->sides[c->client], at);
		end_side(c, &c->sides[!c->client], at);
		c->holes += how == STREAM_END_EVICTED;
		while (c->waiting) {
			emit_exchange(c, c->waiting, NULL, EXCHANGE_LOST, at->time_ns / 1000);
			waiting_free(c, c->waiting);
		}
		emit_conn(c, EVENT_CONN_CLOSED, close_how(c, how), at->time_ns / 1000);
	} else if (c->trusted) {
		emit_conn(c, EVENT_CONN_REFUSED, CLOSE_RESET_BY_BROKER, at->time_ns / 1000);
	}
	c->env->totals.one_sided +=
		c->client >= 0 && c->sides[c->client].frames && silent_side(c, !c->client);
	for (int d = 0; d < 2; d++) {
		part_release(c, &c->sides[d].part);
		framer_release(&c->sides[d].framer);
	}
	free(c->client_id);
	free(c);
}
