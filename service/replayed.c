/* Each call is somewhere: in the playback (to be asked, or with an answer whose time has not come)
 * or in the cluster. Those of the playback wait under timers of their own; when records come that
 * somebody may wait for, all that ask are asked again.
 *
 * Invariant: a call's timer is in our heap, or the cluster's, or in none. */
#include "service/replayed.h"

#include "mock/call.h"
#include "mock/fault.h"
#include "mock/timer.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "rules/possible.h"

#include <stdlib.h>
#include <string.h>

#define EXPLANATION_MAX ((size_t)1 << 20)
#define CODES_MAX	200 /* error codes are below */

enum where { WHERE_NEW, WHERE_ASKS, WHERE_IS_DUE, WHERE_CLUSTER };

/* A call's state, in its arena. */
struct errand {
	struct replayed *r;
	struct call *call;
	enum where where;
	enum call_result result;    /* of IS_DUE */
	struct errand *next, *prev; /* of those that ask */
	struct errand *next_ready;
	bool listed, ready;
};

struct replayed {
	struct service *service;
	struct replayed_config config;
	struct variables *variables;
	struct playback *playback;
	struct seed_totals seeded;
	struct timers timers;
	struct errand *asking;
	struct errand *ready_first, *ready_last;
	struct replayed_totals totals;
	struct buf text;
};

/* ---- waiting ---- */

static void make_ready(struct replayed *r, struct errand *w)
{
	if (w->ready)
		return;
	w->ready = true;
	w->next_ready = NULL;
	if (r->ready_last)
		r->ready_last->next_ready = w;
	else
		r->ready_first = w;
	r->ready_last = w;
}

static void on_due(struct cluster *c, void *owner)
{
	struct errand *w = owner;

	(void)c;
	make_ready(w->r, w);
}

static void list_asking(struct replayed *r, struct errand *w)
{
	if (w->listed)
		return;
	w->listed = true;
	w->prev = NULL;
	w->next = r->asking;
	if (w->next)
		w->next->prev = w;
	r->asking = w;
}

static void unlist(struct replayed *r, struct errand *w)
{
	if (!w->listed)
		return;
	w->listed = false;
	if (w->prev)
		w->prev->next = w->next;
	else
		r->asking = w->next;
	if (w->next)
		w->next->prev = w->prev;
}

static void unready(struct replayed *r, struct errand *w)
{
	struct errand **at = &r->ready_first, *last = NULL;

	if (!w->ready)
		return;
	while (*at != w) {
		last = *at;
		at = &(*at)->next_ready;
	}
	*at = w->next_ready;
	if (r->ready_last == w)
		r->ready_last = last;
	w->ready = false;
}

static enum call_result wait(struct replayed *r, struct errand *w, enum where where, int64_t due_us)
{
	struct call *call = w->call;

	w->where = where;
	if (where == WHERE_ASKS)
		list_asking(r, w);
	call->timer.on_due = on_due;
	call->timer.owner = w;
	timer_set(&r->timers, &call->timer, due_us);
	return CALL_WAIT;
}

/* ---- versions ---- */

static bool by_cluster(const struct replayed *r, int api_key)
{
	return r->config.on_miss == ON_MISS_MOCK && !playback_has(r->playback, api_key);
}

static bool speaks(void *ctx, int api_key, int version)
{
	const struct replayed *r = ctx;

	if (!frame_known(api_key, version))
		return false;
	return !by_cluster(r, api_key) ||
	       cluster_speaks(service_cluster(r->service), api_key, version);
}

/* What of an API's versions can be answered here; false: none of them. A recording may tell any
 * numbers, up to the ends of their type. */
static bool narrow(const struct replayed *r, struct api_versions_response_api_keys *k)
{
	const struct message *m = message_of_api(k->api_key, MESSAGE_REQUEST);
	int first = k->min_version, last = k->max_version;

	if (!m)
		return false;
	first = first < m->since ? m->since : first;
	last = last > m->until ? m->until : last;
	while (first <= last && !speaks((void *)(uintptr_t)r, k->api_key, first))
		first++;
	while (first <= last && !speaks((void *)(uintptr_t)r, k->api_key, last))
		last--;
	if (first > last)
		return false;
	k->min_version = (int16_t)first;
	k->max_version = (int16_t)last;
	return true;
}

static void narrow_all(const struct replayed *r, struct api_versions_response *a)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < a->api_keys_count; i++) {
		if (narrow(r, &a->api_keys[i]))
			a->api_keys[kept++] = a->api_keys[i];
	}
	if (a->api_keys_count > 0)
		a->api_keys_count = kept;
}

/* The cluster's answer, where the recording has none, and what the recording has beyond it. */
static void widen(const struct replayed *r, struct call *call)
{
	struct api_versions_response *a = call->response;
	struct api_versions_response_api_keys *list =
		CALL_ARRAY(call, struct api_versions_response_api_keys, API_KEY_MAX + 1);
	int32_t n = a->api_keys_count > 0 ? a->api_keys_count : 0;
	bool there[API_KEY_MAX + 1] = {false};

	if (a->error_code)
		return;
	for (int32_t i = 0; i < n; i++) {
		list[i] = a->api_keys[i];
		there[list[i].api_key] = true;
	}
	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, MESSAGE_REQUEST);

		if (there[key] || !m || !playback_has(r->playback, key))
			continue;
		codec_init(&api_versions_response_api_keys_schema, &list[n]);
		list[n].api_key = (int16_t)key;
		list[n].min_version = m->since;
		list[n].max_version =
			m->until < m->unstable_since ? m->until : (int16_t)(m->unstable_since - 1);
		n++;
	}
	a->api_keys = list;
	a->api_keys_count = n;
}

/* ---- misses ---- */

static struct playback_request request_of(const struct call *call)
{
	const struct errand *w = call->answerer;

	return (struct playback_request){.broker = call->broker,
					 .conn = call->conn,
					 .header = &call->header,
					 .body = call->request,
					 .arena = call->arena,
					 .arrived_us = call->arrived_us,
					 .again = w && w->where == WHERE_ASKS};
}

static const char *consequence(const struct replayed *r, const struct call *call)
{
	switch (r->config.on_miss) {
	case ON_MISS_ERROR:
		return "answered by an error";
	case ON_MISS_CLOSE:
		return "the connection is closed";
	default:
		return cluster_speaks(service_cluster(r->service), call->header.api_key,
				      call->header.api_version)
			       ? "answered by the mock cluster"
			       : "the mock cluster does not speak it: the connection is closed";
	}
}

static void tell_miss(struct replayed *r, const struct playback_request *q, const struct call *call)
{
	r->totals.misses++;
	r->totals.misses_by_api[call->header.api_key]++;
	if (r->totals.misses > REPLAYED_MISSES_TOLD)
		return;
	buf_reset(&r->text);
	playback_explain(r->playback, q, &r->text);
	buf_printf(&r->text, "  %s%s\n", consequence(r, call),
		   r->totals.misses == REPLAYED_MISSES_TOLD ? "; further misses are only counted"
							    : "");
	r->config.on_miss_text(r->config.ctx,
			       (struct str){buf_cstr(&r->text), (int32_t)r->text.len});
}

/* An error that is not the client's to try again, if the API has a place for one. */
static int16_t fitting_error(const struct call *call)
{
	static const int16_t codes[] = {ERROR_INVALID_REQUEST, ERROR_UNKNOWN_SERVER_ERROR};
	int key = call->header.api_key, version = call->header.api_version;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (error_place(key, version, codes[i]))
			return codes[i];
	for (int16_t code = 1; code < CODES_MAX; code++)
		if (kafka_error_name(code) && !kafka_error_retriable(code) &&
		    error_place(key, version, code))
			return code;
	return ERROR_UNKNOWN_SERVER_ERROR;
}

static enum call_result refuse(struct replayed *r, struct call *call)
{
	const struct produce_request *produce = call->request;

	if (call->header.api_key == API_PRODUCE && produce->acks == 0)
		return CALL_CLOSE; /* as a broker tells an error that nobody asked to hear */
	call->response_version = call->header.api_version;
	fault_refuse(service_cluster(r->service), call, fitting_error(call));
	return CALL_ANSWER;
}

static enum call_result to_cluster(struct replayed *r, struct call *call, struct instant now)
{
	struct errand *w = call->answerer;
	enum call_result result;

	w->where = WHERE_CLUSTER;
	r->totals.by_cluster++;
	result = cluster_call(service_cluster(r->service), call, now);
	if (result == CALL_ANSWER && call->header.api_key == API_API_VERSIONS)
		widen(r, call);
	return result;
}

static enum call_result miss(struct replayed *r, struct call *call, enum playback_what what,
			     struct instant now)
{
	struct playback_request q = request_of(call);
	const void *whole;

	/* What versions there are is the cluster's to say where nobody else has. */
	if (call->header.api_key == API_API_VERSIONS &&
	    (!call->request || !playback_has(r->playback, API_API_VERSIONS)))
		return to_cluster(r, call, now);
	if (what == PLAYBACK_MISS)
		tell_miss(r, &q, call);
	if (r->config.on_miss == ON_MISS_CLOSE)
		return CALL_CLOSE;
	if (r->config.on_miss == ON_MISS_ERROR)
		return refuse(r, call);
	playback_taken(r->playback, &q);
	if (call->header.api_key == API_FETCH) {
		whole = playback_fetch_whole(r->playback, &q);
		if (!whole)
			return CALL_CLOSE;
		call->request = whole;
	}
	return to_cluster(r, call, now);
}

/* ---- calls ---- */

static enum call_result result_of(const struct playback_answer *a, struct call *call)
{
	switch (a->what) {
	case PLAYBACK_ANSWER:
		call->response = a->response;
		call->response_version = a->response_version;
		return CALL_ANSWER;
	case PLAYBACK_NONE:
		return CALL_NO_ANSWER;
	case PLAYBACK_RESET:
		return CALL_RESET;
	default:
		return CALL_CLOSE;
	}
}

static void wake(struct replayed *r)
{
	for (struct errand *w = r->asking; w; w = w->next)
		make_ready(r, w);
}

static enum call_result ask(struct replayed *r, struct errand *w, struct instant now)
{
	struct call *call = w->call;
	struct playback_request q = request_of(call);
	struct playback_answer a;

	playback_ask(r->playback, &q, now, &a);
	unlist(r, w);
	if (a.what == PLAYBACK_WAIT)
		return wait(r, w, WHERE_ASKS, a.due_us);
	if (a.what == PLAYBACK_MISS || a.what == PLAYBACK_TAKEN)
		return miss(r, call, a.what, now);
	if (a.wrote)
		wake(r);
	w->result = result_of(&a, call);
	if (w->result == CALL_ANSWER && call->header.api_key == API_API_VERSIONS)
		narrow_all(r, call->response);
	if (a.due_us > now.mono_us)
		return wait(r, w, WHERE_IS_DUE, a.due_us);
	return w->result;
}

static enum call_result answer(void *ctx, struct call *call, struct instant now)
{
	struct replayed *r = ctx;
	struct errand *w = call->answerer;

	if (!w) {
		w = CALL_ARRAY(call, struct errand, 1);
		w->r = r;
		w->call = call;
		call->answerer = w;
		call->response_version = call->header.api_version;
		if (!call->arrived_us)
			call->arrived_us = now.mono_us;
		r->totals.requests++;
	}
	switch (w->where) {
	case WHERE_CLUSTER:
		return cluster_call(service_cluster(r->service), call, now);
	case WHERE_IS_DUE:
		return w->result;
	default:
		timer_unset(&r->timers, &call->timer);
		return ask(r, w, now);
	}
}

static void cancel(void *ctx, struct call *call)
{
	struct replayed *r = ctx;
	struct errand *w = call->answerer;

	if (!w || w->where == WHERE_CLUSTER) {
		cluster_cancel(service_cluster(r->service), call);
		return;
	}
	timer_unset(&r->timers, &call->timer);
	unlist(r, w);
	unready(r, w);
}

static struct call *ready(void *ctx)
{
	struct replayed *r = ctx;
	struct errand *w = r->ready_first;

	if (!w)
		return cluster_ready(service_cluster(r->service));
	r->ready_first = w->next_ready;
	if (!r->ready_first)
		r->ready_last = NULL;
	w->ready = false;
	return w->call;
}

static int64_t tick(void *ctx, struct instant now)
{
	struct replayed *r = ctx;
	int64_t theirs = cluster_tick(service_cluster(r->service), now), ours;

	timers_run(&r->timers, NULL, now.mono_us);
	ours = timers_next(&r->timers);
	return ours < theirs ? ours : theirs;
}

static void closed(void *ctx, int64_t conn)
{
	struct replayed *r = ctx;

	playback_closed(r->playback, conn);
}

/* ---- life ---- */

struct replayed *replayed_new(struct service *s, const struct replayed_config *config)
{
	struct replayed *r = calloc(1, sizeof(*r));
	struct service_answerer answerer = {.speaks = speaks,
					    .call = answer,
					    .cancel = cancel,
					    .ready = ready,
					    .tick = tick,
					    .closed = closed};
	struct playback_config play = {.session = config->session,
				       .seen = config->seen,
				       .speed = config->speed,
				       .on_note = config->on_note,
				       .ctx = config->ctx};

	if (!r)
		abort();
	r->service = s;
	r->config = *config;
	r->variables = variables_new();
	buf_init(&r->text, EXPLANATION_MAX);
	seed(s, config->seen, r->variables, &r->seeded);
	play.variables = r->variables;
	r->playback = playback_new(&play);
	answerer.ctx = r;
	service_set_answerer(s, &answerer);
	return r;
}

int replayed_check(const struct replayed *r, struct error *e)
{
	return playback_check(r->playback, e);
}

void replayed_start(struct replayed *r)
{
	int32_t count;
	int32_t *ids = seed_brokers(r->config.seen, &count);
	const struct service_address *a;

	for (int32_t i = 0; i < count; i++) {
		a = service_advertised(r->service, ids[i]);
		if (a)
			variables_set_address(r->variables, ids[i], str_of(a->host), a->port);
	}
	free(ids);
}

void replayed_totals(const struct replayed *r, struct replayed_totals *ret,
		     uint64_t untouched[API_KEY_MAX + 1])
{
	*ret = r->totals;
	playback_totals(r->playback, &ret->played, untouched);
}

const struct seed_totals *replayed_seeded(const struct replayed *r)
{
	return &r->seeded;
}

void replayed_free(struct replayed *r)
{
	if (!r)
		return;
	playback_free(r->playback);
	variables_free(r->variables);
	timers_release(&r->timers);
	buf_release(&r->text);
	free(r);
}
