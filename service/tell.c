/* What the service tells the bus. An exchange is told once, when it has ended; its bytes are put
 * into one piece only if somebody listens. */
#include "service/peer.h"

#include "mock/call.h"

#include <stdlib.h>

static bool silent(const struct service *s, enum event_kind kind)
{
	return !event_wanted(&s->bus, kind);
}

void tell_conn(struct peer *p, enum event_kind kind, enum close_how how)
{
	struct event ev = {.kind = kind, .time_us = clock_now().wall_us, .conn = p->info};

	if (silent(p->s, kind))
		return;
	ev.conn.how = how;
	if (kind == EVENT_CONN_CLOSED)
		ev.conn.why = str_of(p->why);
	event_emit(&p->s->bus, &ev);
}

void tell_rule(struct job *j, const char *what)
{
	struct event ev = {.kind = EVENT_RULE, .time_us = clock_now().wall_us};

	if (silent(j->peer->s, EVENT_RULE))
		return;
	ev.rule = (struct event_rule){
		.name = rule_name(j->plan.rule),
		.text = rule_text(j->plan.rule),
		.what = str_of(what),
		.hit = rule_hits(j->plan.rule),
		.conn = j->call.conn,
		.correlation_id = j->call.header.correlation_id,
		.api_key = j->call.header.api_key,
	};
	event_emit(&j->peer->s->bus, &ev);
}

/* The longest answer that somebody wants the bytes of. */
static size_t wanted(const struct service *s)
{
	size_t max = 0;

	for (const struct event_sink *sink = s->bus.first; sink; sink = sink->next) {
		if (!event_takes(sink, EVENT_EXCHANGE))
			continue;
		if (!sink->response_max)
			return SIZE_MAX;
		max = sink->response_max > max ? sink->response_max : max;
	}
	return max;
}

/* The answer's frame in one piece, as it went out. */
static struct bytes response_frame(struct job *j)
{
	struct buf *flat = &j->peer->s->flat;
	const struct out *o = &j->out;
	bool twice = j->plan.action == ACTION_TWICE;

	if (o->size < 4)
		return (struct bytes){NULL, 0};
	if (o->spans_count == 1)
		return (struct bytes){o->spans[0].data + 4, o->spans[0].len - 4};
	if (o->size > wanted(j->peer->s))
		return (struct bytes){NULL, 0};
	buf_reset(flat);
	for (int32_t i = 0; i < o->spans_count / (twice ? 2 : 1); i++)
		buf_add(flat, o->spans[i].data, (size_t)o->spans[i].len);
	return (struct bytes){flat->data + 4, (int32_t)flat->len - 4};
}

static int by_address(const void *a, const void *b)
{
	const struct shared *const *x = a, *const *y = b;

	return ((*x)->data > (*y)->data) - ((*x)->data < (*y)->data);
}

/* The one of them, sorted by address, that the bytes lie in; NULL if none. */
static struct shared *holder(struct shared **held, int32_t count, struct bytes b)
{
	int32_t low = 0, high = count; /* the first that begins behind the bytes' start */

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (held[middle]->data > b.data)
			high = middle;
		else
			low = middle + 1;
	}
	if (!low || b.data + b.len > held[low - 1]->data + held[low - 1]->size)
		return NULL;
	return held[low - 1];
}

/* A long answer's frame as it went out, in pieces of which most may be kept without a copy. */
static void put_pieces(struct job *j, struct exchange *x)
{
	const struct out *o = &j->out;
	int32_t held_count, spans = o->spans_count / (j->plan.action == ACTION_TWICE ? 2 : 1);
	struct shared **held = call_held(&j->call, &held_count);
	struct answer_piece *pieces = CALL_ARRAY(&j->call, struct answer_piece, spans);
	int32_t skip = 4;

	qsort(held, (size_t)held_count, sizeof(struct shared *), by_address);
	for (int32_t i = 0; i < spans; i++) {
		struct bytes b = o->spans[i];
		int32_t n = b.len < skip ? b.len : skip;

		skip -= n;
		b = (struct bytes){b.data + n, b.len - n};
		pieces[i] = (struct answer_piece){b, holder(held, held_count, b)};
	}
	x->response_pieces = pieces;
	x->response_pieces_count = spans;
}

void tell_exchange(struct job *j, enum exchange_state state)
{
	struct peer *p = j->peer;
	struct exchange x = {.conn = p->info, .state = state, .header = j->call.header};
	struct event ev = {.kind = EVENT_EXCHANGE, .time_us = clock_now().wall_us};

	if (silent(p->s, EVENT_EXCHANGE))
		return;
	x.request = (struct bytes){j->in.frame->data, (int32_t)j->in.frame->size};
	x.request_size = (uint32_t)j->in.frame->size;
	x.request_frame = j->in.frame;
	x.request_first_us = j->in.first.wall_us;
	x.request_us = j->in.last.wall_us;
	x.request_body = (void *)(uintptr_t)j->call.request;
	x.request_decoded = j->call.request != NULL;
	x.arena = &j->arena;
	if (j->plan.rule)
		x.rule = rule_text(j->plan.rule);
	if (state == EXCHANGE_ANSWERED) {
		x.response = response_frame(j);
		if (!x.response.data && j->out.size >= 4)
			put_pieces(j, &x);
		x.response_size = (uint32_t)(j->out.size < 4 ? 0 : j->out.size - 4);
		if (j->plan.action == ACTION_TWICE)
			x.response_size = (uint32_t)(j->out.size / 2 - 4);
		x.response_first_us = j->out.first.wall_us;
		x.response_us = j->out.last.wall_us;
		x.response_body = j->damaged ? NULL : j->call.response;
		x.response_decoded = !j->damaged;
	}
	ev.exchange = &x;
	event_emit(&p->s->bus, &ev);
	if (state == EXCHANGE_ANSWERED && j->plan.action == ACTION_TWICE)
		tell_unmatched(p, false, x.response_size + 4, "the answer once more");
}

void tell_lost(struct peer *p, const struct frame_in *in)
{
	struct arena arena;
	struct exchange x = {.conn = p->info, .state = EXCHANGE_LOST, .arena = &arena};
	struct event ev = {.kind = EVENT_EXCHANGE, .time_us = clock_now().wall_us};

	arena_init(&arena, ARENA_EXCHANGE_MAX);
	x.request = (struct bytes){in->frame->data, (int32_t)in->frame->size};
	x.request_size = (uint32_t)in->frame->size;
	x.request_first_us = in->first.wall_us;
	x.request_us = in->last.wall_us;
	ev.exchange = &x;
	if (frame_read_request(x.request, &x.header, NULL))
		tell_unmatched(p, true, x.request_size, "a request without a whole header");
	else
		event_emit(&p->s->bus, &ev);
	arena_release(&arena);
}

void tell_unmatched(struct peer *p, bool from_client, uint64_t size, const char *why)
{
	struct event ev = {.kind = EVENT_UNMATCHED, .time_us = clock_now().wall_us};

	if (silent(p->s, EVENT_UNMATCHED))
		return;
	ev.unmatched = (struct event_unmatched){
		.conn = p->info, .from_client = from_client, .size = size, .why = str_of(why)};
	event_emit(&p->s->bus, &ev);
}
