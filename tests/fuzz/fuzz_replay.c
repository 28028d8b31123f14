/* Everything pure that replay does with somebody's messages: a session of them, its course and what
 * it shows of the cluster, requests said in another side's words and in another version, answers
 * compared and learned from; and all requests asked of the session again. An answer never differs
 * from itself, and what the session answers can be written.
 *
 * Pieces: API key, version, another version, flags (1 no answer, 2 the answer comes before the next
 * request, 4 a new connection), then three times two bytes of length and as many of a body: the
 * request, the recorded and the live answer. */
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "replay/compare.h"
#include "replay/convert.h"
#include "replay/course.h"
#include "replay/playback.h"
#include "replay/seen.h"

#include <assert.h>
#include <stdlib.h>

#define PIECES_MAX 64
#define ARENA_MAX  ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct piece {
	int key, version, other;
	uint8_t flags;
	struct bytes request, recorded, live;
};

struct input {
	const uint8_t *at, *end;
};

static struct bytes take_bytes(struct input *in)
{
	struct bytes b = {in->at, 0};
	size_t n;

	if (in->end - in->at < 2)
		return b;
	n = wire_u16(in->at);
	in->at += 2;
	if (n > (size_t)(in->end - in->at))
		n = (size_t)(in->end - in->at);
	b.data = in->at;
	b.len = (int32_t)n;
	in->at += n;
	return b;
}

static bool take_piece(struct input *in, struct piece *p)
{
	const struct message *m;

	if (in->end - in->at < 4)
		return false;
	p->key = in->at[0] & 127;
	p->version = in->at[1] % 20;
	p->other = in->at[2] % 20;
	p->flags = in->at[3];
	in->at += 4;
	p->request = take_bytes(in);
	p->recorded = take_bytes(in);
	p->live = take_bytes(in);
	m = message_of_api(p->key, MESSAGE_REQUEST);
	return m && frame_known(p->key, p->version);
}

/* A frame around a body: header fields of no interest are zero. */
static struct bytes frame_of(struct arena *a, const struct piece *p, struct bytes body, bool answer,
			     int32_t correlation)
{
	int version = answer ? frame_response_header_version(p->key, p->version)
			     : frame_request_header_version(p->key, p->version);
	size_t head = answer	     ? 4 + (size_t)(version > 0)
		      : version == 0 ? 8
		      : version == 1 ? 10
				     : 11;
	uint8_t *f = arena_zalloc(a, head + (size_t)body.len);

	assert(f);
	if (answer) {
		wire_put32(f, (uint32_t)correlation);
	} else {
		wire_put16(f, (uint16_t)p->key);
		wire_put16(f + 2, (uint16_t)p->version);
		wire_put32(f + 4, (uint32_t)correlation);
	}
	if (body.len)
		memcpy(f + head, body.data, (size_t)body.len);
	return (struct bytes){f, (int32_t)(head + (size_t)body.len)};
}

static void tell(struct session *s, struct arena *a, const struct piece *p, int n)
{
	struct exchange x = {.conn = {.conn = 1 + (p->flags >> 2 & 3), .broker = p->flags >> 4},
			     .state = p->flags & 1 ? EXCHANGE_LOST : EXCHANGE_ANSWERED,
			     .request_us = 1000 * n + 1,
			     .response_us = 1000 * n + (p->flags & 2 ? 500 : 5000)};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};

	x.request = frame_of(a, p, p->request, false, n);
	x.request_size = (uint32_t)x.request.len;
	if (frame_read_request(x.request, &x.header, NULL))
		return;
	if (!(p->flags & 1)) {
		x.response = frame_of(a, p, p->recorded, true, n);
		x.response_size = (uint32_t)x.response.len;
	}
	session_sink(s)->on_event(session_sink(s)->ctx, &ev);
}

static void *decode(struct arena *a, int key, int version, enum message_kind kind,
		    struct bytes body)
{
	void *msg = NULL;

	return frame_decode(key, version, kind, body, a, &msg, NULL) < 0 ? NULL : msg;
}

static void look_for_records(void *user, const struct leaf *l)
{
	bool *found = user;

	*found |= l->field && l->field->type == FIELD_RECORDS &&
		  ((const struct records *)l->value)->len > 0;
}

/* Records may stand in any disorder, so that they are not found again. */
static void never_differs_from_itself(const struct piece *p, const struct session_exchange *x,
				      struct arena *a)
{
	struct variables *v = variables_new();
	struct compare *c = compare_new(v);
	struct answer one = {x->response_version, x->response_body, NULL};
	struct differences found = {.arena = a};
	bool records = false;

	leaves_each(message_of_api(p->key, MESSAGE_RESPONSE)->schema, x->response_version,
		    x->response_body, look_for_records, &records);
	assert(compare_answers(c, p->key, 1, &one, &one, &found) == 0 || records);
	compare_free(c);
	variables_free(v);
}

static void rewrite(struct variables *v, const struct piece *p, struct arena *a)
{
	const struct schema *s = message_of_api(p->key, MESSAGE_REQUEST)->schema;
	struct variables_place place = {.peer = 1};
	void *msg = decode(a, p->key, p->version, MESSAGE_REQUEST, p->request);
	struct gather g;

	if (!msg)
		return;
	variables_apply(v, SIDE_RECORDED, &place, s, p->version, msg, a);
	if (frame_known(p->key, p->other) &&
	    convert_message(s, p->version, p->other, v, SIDE_LIVE, NULL, msg, a, NULL) == 0) {
		gather_init(&g, ARENA_MAX);
		codec_encode(s, p->other, msg, &g, NULL);
		gather_release(&g);
	}
}

static void answer(struct variables *v, struct compare *c, const struct piece *p,
		   const struct session_exchange *x, struct arena *a)
{
	const struct schema *s = message_of_api(p->key, MESSAGE_RESPONSE)->schema;
	struct holder request = {message_of_api(p->key, MESSAGE_REQUEST)->schema, x->request_body,
				 p->version, NULL};
	struct variables_place place = {1, x->request_body ? &request : NULL, true};
	struct answer recorded = {x->response_version, x->response_body, place.around}, live;
	struct differences found = {.arena = a};
	void *msg = decode(a, p->key, p->version, MESSAGE_RESPONSE, p->live);

	if (!msg || !x->response_body || x->response_version != p->version)
		return;
	live = (struct answer){p->version, msg, place.around};
	compare_answers(c, p->key, 1, &recorded, &live, &found);
	variables_learn(v, &place, &place, s, p->version, x->response_body, p->version, msg);
	variables_apply(v, SIDE_LIVE, &place, s, p->version, msg, a);
	if (frame_known(p->key, p->other))
		convert_message(s, p->version, p->other, v, SIDE_RECORDED, place.around, msg, a,
				NULL);
}

/* A miss is explained and goes elsewhere. */
static void miss(struct playback *pb, const struct playback_request *q)
{
	struct buf text;

	buf_init(&text, ARENA_MAX);
	playback_explain(pb, q, &text);
	buf_release(&text);
	playback_taken(pb, q);
	if (q->header->api_key == API_FETCH)
		playback_fetch_whole(pb, q);
}

static void ask(struct playback *pb, const struct piece *p, int version, struct instant *now,
		struct arena *a)
{
	struct frame_header h = {.api_key = (int16_t)p->key, .api_version = (int16_t)version};
	struct playback_request q = {.broker = p->flags >> 4,
				     .conn = p->flags & 3,
				     .header = &h,
				     .arena = a,
				     .arrived_us = now->mono_us};
	struct playback_answer got = {.what = PLAYBACK_WAIT};
	struct gather g;
	int rc;

	q.body = frame_known(p->key, version)
			 ? decode(a, p->key, version, MESSAGE_REQUEST, p->request)
			 : NULL;
	for (int tries = 0; tries < 3 && got.what == PLAYBACK_WAIT; tries++) {
		playback_ask(pb, &q, *now, &got);
		q.again = true;
		*now = instant_add_us(*now, 20000000);
	}
	if (got.what == PLAYBACK_MISS && q.body)
		miss(pb, &q);
	if (got.what != PLAYBACK_ANSWER)
		return;
	gather_init(&g, 4 * ARENA_MAX);
	rc = frame_write_response(&g, p->key, got.response_version, 0, got.response, NULL);
	assert(rc == 0 || rc == ERR_LIMIT);
	gather_release(&g);
}

/* As broker: each request in its own version and in another one. */
static void play(const struct session *s, const struct seen *seen, const struct piece *pieces,
		 int n, struct arena *a)
{
	struct variables *v = variables_new();
	struct playback_config config = {.session = s, .seen = seen, .variables = v};
	struct playback *pb = playback_new(&config);
	struct playback_totals totals;
	struct instant now = {1000000, 1000000};

	for (int i = 0; i < n; i++) {
		ask(pb, &pieces[i], pieces[i].version, &now, a);
		ask(pb, &pieces[i], pieces[i].other, &now, a);
	}
	playback_totals(pb, &totals, NULL);
	playback_free(pb);
	variables_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct piece pieces[PIECES_MAX];
	struct input in = {data, data + size};
	struct session_options o = {.memory_max = ARENA_MAX};
	struct session *s = session_new(&o);
	struct variables *v = variables_new();
	struct compare *c = compare_new(v);
	struct course course;
	struct seen *seen;
	struct arena a;
	int n = 0;

	arena_init(&a, 4 * ARENA_MAX);
	while (n < PIECES_MAX && take_piece(&in, &pieces[n])) {
		tell(s, &a, &pieces[n], n);
		n++;
	}
	if (session_end(s, NULL) == 0) {
		course_init(&course, s);
		seen = seen_new(s);
		for (size_t i = 0; i < s->exchanges_count; i++) {
			const struct session_exchange *x = s->exchanges[i];
			const struct piece *p = &pieces[x->header.correlation_id];

			rewrite(v, p, &a);
			answer(v, c, p, x, &a);
			if (x->response_body && x->response_version == p->version)
				never_differs_from_itself(p, x, &a);
		}
		play(s, seen, pieces, n, &a);
		seen_free(seen);
		course_release(&course);
	}
	arena_release(&a);
	compare_free(c);
	variables_free(v);
	session_free(s);
	return 0;
}
