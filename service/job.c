/* One request from its frame to its end: decoded, decided on by the rules, worked by the cluster
 * (or who answers for it), answered. A function here may end the peer and with it the job: nothing
 * is touched after a call that can. Faults on bytes are damage.c's, events tell.c's. */
#include "service/peer.h"

#include "base/log.h"
#include "protocol/messages.h"
#include "service/answer.h"

#include <assert.h>
#include <stdlib.h>

static void on_timer(void *ctx, struct instant now);
static void job_work(struct job *j, struct instant now);
static void job_ready(struct job *j);

static struct job *job_new(struct service *s)
{
	struct job *j = s->pool;

	if (j) {
		s->pool = j->next;
		s->pool_count--;
		j->next = NULL;
		return j;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	arena_init(&j->arena, ARENA_EXCHANGE_MAX);
	gather_init(&j->gather, JOB_OWN_BYTES_MAX);
	buf_init(&j->copy, 2 * JOB_OWN_BYTES_MAX);
	return j;
}

static void job_free(struct job *j)
{
	arena_release(&j->arena);
	gather_release(&j->gather);
	buf_release(&j->copy);
	free(j);
}

void jobs_free(struct service *s)
{
	for (struct job *j = s->pool, *next; j; j = next) {
		next = j->next;
		job_free(j);
	}
	s->pool = NULL;
	s->pool_count = 0;
}

/* Back to the pool, as new; one that has grown large is freed. */
static void job_recycle(struct service *s, struct job *j)
{
	struct arena arena = j->arena;
	struct gather gather = j->gather;
	struct buf copy = j->copy;

	if (s->pool_count >= JOBS_POOL_MAX || copy.cap || gather.own.cap > 65536) {
		job_free(j);
		return;
	}
	arena_reset(&arena);
	gather_reset(&gather);
	*j = (struct job){.arena = arena, .gather = gather, .copy = copy};
	j->next = s->pool;
	s->pool = j;
	s->pool_count++;
}

static void unhold(struct job *j)
{
	struct service *s = j->peer->s;

	if (!j->held)
		return;
	j->held = false;
	if (j->prev_held)
		j->prev_held->next_held = j->next_held;
	else
		s->held = j->next_held;
	if (j->next_held)
		j->next_held->prev_held = j->prev_held;
	j->next_held = j->prev_held = NULL;
}

void job_finish(struct job *j, enum exchange_state state)
{
	struct peer *p = j->peer;

	p->s->answerer.cancel(p->s->answerer.ctx, &j->call);
	unhold(j);
	loop_timer_clear(&j->timer);
	tell_exchange(j, state);
	if (j->prev)
		j->prev->next = j->next;
	else
		p->first = j->next;
	if (j->next)
		j->next->prev = j->prev;
	else
		p->last = j->prev;
	call_release(&j->call);
	shared_unref(j->in.frame);
	plan_release(&j->plan);
	job_recycle(p->s, j);
}

/* Its turn is over, what comes behind it goes on. */
static void job_done(struct job *j, enum exchange_state state)
{
	struct peer *p = j->peer;

	job_finish(j, state);
	peer_go(p);
}

static void hold(struct job *j)
{
	struct service *s = j->peer->s;

	j->held = true;
	j->passes = j->plan.overtake == OVERTAKE_ANSWERS;
	j->next_held = s->held;
	if (s->held)
		s->held->prev_held = j;
	s->held = j;
	tell_rule(j, "held");
}

static void delay(struct job *j, int64_t us)
{
	loop_timer_set(&j->timer, clock_now().mono_us + us);
}

static void end_of_peer(struct job *j)
{
	bool reset = j->plan.action == ACTION_RESET;

	peer_end(j->peer, reset ? CLOSE_RESET_BY_BROKER : CLOSE_BY_BROKER);
}

/* What a rule does at this moment of the job; false if nothing keeps it from going on. */
static bool job_fault(struct job *j, enum when when)
{
	const struct plan *p = &j->plan;

	if (!p->rule || p->when != when)
		return false;
	switch (p->action) {
	case ACTION_DELAY:
		delay(j, p->delay_us);
		return true;
	case ACTION_HOLD:
		hold(j);
		return true;
	case ACTION_SILENCE:
		j->peer->silent = true;
		job_done(j, EXCHANGE_LOST);
		return true;
	case ACTION_DROP:
		job_done(j, EXCHANGE_LOST);
		return true;
	case ACTION_CLOSE:
	case ACTION_RESET:
		end_of_peer(j);
		return true;
	default:
		return false;
	}
}

static void job_before(struct job *j, struct instant now)
{
	j->step = JOB_BEFORE;
	if (!job_fault(j, WHEN_BEFORE))
		job_work(j, now);
}

/* There is an answer, or (acks 0) there is none. */
static void job_after(struct job *j)
{
	j->step = JOB_AFTER;
	if (!job_fault(j, WHEN_AFTER))
		job_ready(j);
}

static void decide_on_answer(struct job *j)
{
	const int16_t *codes;
	int32_t count;

	if (!rules_want_answers(j->peer->s->rules) || !j->call.response)
		return;
	codes = answer_codes(j->call.header.api_key, j->call.response_version, j->call.response,
			     &j->arena, &count);
	if (j->plan.rule) {
		rules_decide_answer(j->peer->s->rules, &j->facts, codes, count, &j->arena,
				    &j->plan);
		return;
	}
	rules_decide_answer(j->peer->s->rules, &j->facts, codes, count, &j->arena, &j->plan);
	if (j->plan.rule)
		tell_rule(j, "fired");
}

static void job_work(struct job *j, struct instant now)
{
	const struct service_answerer *a = &j->peer->s->answerer;
	enum call_result result;

	j->step = JOB_WORK;
	result = a->call(a->ctx, &j->call, now);
	switch (result) {
	case CALL_WAIT:
		break;
	case CALL_CLOSE:
	case CALL_RESET:
		peer_end(j->peer, result == CALL_RESET ? CLOSE_RESET_BY_BROKER : CLOSE_BY_BROKER);
		break;
	case CALL_ANSWER:
		decide_on_answer(j);
		job_after(j);
		break;
	case CALL_NO_ANSWER:
		j->call.response = NULL;
		job_after(j);
		break;
	}
}

void job_continue(struct job *j, struct instant now)
{
	assert(j->step == JOB_WORK);
	job_work(j, now);
}

/* The time of a delay, or of a rest, is over. */
static void on_timer(void *ctx, struct instant now)
{
	struct job *j = ctx;
	struct service *s = j->peer->s;

	if (j->step == JOB_BEFORE)
		job_work(j, now);
	else if (j->step == JOB_AFTER)
		job_ready(j);
	else
		job_done(j, EXCHANGE_ANSWERED);
	service_pump(s);
}

void job_release(struct job *j, struct instant now)
{
	assert(j->held);
	unhold(j);
	j->passes = false;
	tell_rule(j, "released");
	if (j->step == JOB_BEFORE)
		job_work(j, now);
	else
		job_ready(j);
}

static void on_sent(struct out *o)
{
	struct job *j = (struct job *)((char *)o - offsetof(struct job, out));

	if (o->stop && o->stop_at < o->size) {
		end_of_peer(j);
		return;
	}
	if (j->plan.action == ACTION_STOP_READING)
		peer_stop_reading(j->peer, j->plan.delay_us);
	if (j->plan.action == ACTION_THROTTLE && j->plan.mute) {
		j->step = JOB_REST;
		delay(j, j->plan.delay_us);
		return;
	}
	job_done(j, EXCHANGE_ANSWERED);
}

/* The encoded answer as spans for writing. */
static bool spans_of(struct job *j)
{
	const struct gather *g = &j->gather;
	struct bytes *spans = arena_alloc(&j->arena, (2 * g->refs_count + 1) * sizeof(*spans));
	int32_t count = 0;
	size_t at = 0;

	if (!spans)
		return false;
	for (size_t i = 0; i < g->refs_count; i++) {
		if (g->refs[i].at > at)
			spans[count++] =
				(struct bytes){g->own.data + at, (int32_t)(g->refs[i].at - at)};
		at = g->refs[i].at;
		if (g->refs[i].span.len)
			spans[count++] = g->refs[i].span;
	}
	if (g->own.len > at)
		spans[count++] = (struct bytes){g->own.data + at, (int32_t)(g->own.len - at)};
	j->out.spans = spans;
	j->out.spans_count = count;
	return true;
}

static void job_ready(struct job *j)
{
	struct error e = ERROR_INIT;
	const struct call *c = &j->call;
	char text[600];

	if (!c->response) {
		job_done(j, EXCHANGE_NO_ANSWER);
		return;
	}
	damage_struct(j);
	if (frame_write_response(&j->gather, c->header.api_key, c->response_version,
				 c->header.correlation_id, c->response, &e) ||
	    !spans_of(j)) {
		log_line(LOG_ERROR, "an answer to %s version %d can't be written: %s",
			 api_name(c->header.api_key), c->response_version,
			 error_text(&e, text, sizeof(text)));
		peer_end(j->peer, CLOSE_BY_BROKER);
		return;
	}
	j->step = JOB_READY;
	j->out.on_sent = on_sent;
	damage_bytes(j);
	peer_go(j->peer);
}

void job_send(struct job *j)
{
	assert(j->step == JOB_READY);
	j->step = JOB_SENDING;
	conn_send(j->peer->conn, &j->out);
}

static void blame_version(struct peer *p, const struct frame_header *h)
{
	const char *name = api_name(h->api_key);

	if (name)
		peer_blame(p, "it sent %s version %d, which is not spoken here", name,
			   h->api_version);
	else
		peer_blame(p, "it sent the API key %d, which nobody knows", h->api_key);
}

/* Decodes the request; false if the connection must end for it. */
static bool decode(struct job *j)
{
	const struct service_answerer *a = &j->peer->s->answerer;
	struct frame_header *h = &j->call.header;
	struct bytes frame = {j->in.frame->data, (int32_t)j->in.frame->size};
	struct error e = ERROR_INIT;
	char text[PEER_WHY_SIZE];
	void *body = NULL;

	if (frame_read_request(frame, h, &e)) {
		peer_blame(j->peer, "a request of %d bytes has no whole header: %s", frame.len,
			   error_text(&e, text, sizeof(text)));
		return false;
	}
	if (!a->speaks(a->ctx, h->api_key, h->api_version)) {
		if (h->api_key == API_API_VERSIONS) /* which is answered (KIP-511) */
			return true;
		blame_version(j->peer, h);
		return false;
	}
	if (frame_decode(h->api_key, h->api_version, MESSAGE_REQUEST,
			 (struct bytes){frame.data + h->body, frame.len - h->body}, &j->arena,
			 &body, &e) < 0) {
		peer_blame(j->peer, "%s version %d can't be read: %s", api_name(h->api_key),
			   h->api_version, error_text(&e, text, sizeof(text)));
		return false;
	}
	j->call.request = body;
	return true;
}

static void append(struct peer *p, struct job *j)
{
	j->prev = p->last;
	if (p->last)
		p->last->next = j;
	else
		p->first = j;
	p->last = j;
}

void job_begin(struct peer *p, const struct frame_in *in)
{
	struct service *s = p->s;
	struct job *j = job_new(s);

	j->peer = p;
	j->in = *in;
	loop_timer_init(&j->timer, s->loop, on_timer, j);
	j->call.broker = p->info.broker;
	j->call.conn = p->info.conn;
	j->call.client = p->info.client;
	j->call.arrived_us = in->last.mono_us;
	j->call.frame = in->frame;
	j->call.arena = &j->arena;
	j->call.plan = &j->plan;
	append(p, j);
	if (!decode(j)) {
		peer_end(p, CLOSE_BY_BROKER);
		return;
	}
	if (rules_next(s->rules, NULL)) {
		cluster_facts(s->cluster, &j->call, &j->facts);
		rules_decide(s->rules, &j->facts, &j->arena, &j->plan);
	}
	if (j->plan.rule)
		tell_rule(j, "fired");
	job_before(j, clock_now());
}
