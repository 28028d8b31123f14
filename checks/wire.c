/* The universal rules that any capture shows: requests parse and are told apart, no storm while an
 * error lasts, progress after it, versions as negotiated. Memory is bounded by connections and
 * (client, broker, API) triples, not by the length of the run. */
#include "checks/types.h"

#include "checks/codes.h"
#include "checks/hash.h"
#include "checks/rate.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

static const char *api_text(int api_key)
{
	const char *name = api_name(api_key);

	return name ? name : "an unknown API";
}

/* ---- U5 ---- */

#define RECENT_FIRST 4
#define RECENT_MAX   64 /* exchanges of a connection that are compared with a new one */

struct recent {
	int64_t conn;
	struct asked {
		int32_t correlation_id;
		int64_t from_us, to_us;
	} * list; /* a ring of cap */
	uint32_t count, cap;
	UT_hash_handle hh;
};

struct parsing {
	struct recent *conns;
	uint64_t judged, bad, twice;
	struct str first;
	int64_t first_us;
};

static void note_bad(struct check *c, int64_t time_us, struct str text)
{
	struct parsing *s = c->state;

	if (s->first.data)
		return;
	s->first = text;
	s->first_us = time_us;
}

static void judge_parse(struct check *c, struct exchange *x, int64_t time_us)
{
	struct parsing *s = c->state;
	struct error e = ERROR_INIT;
	struct bytes body = {x->request.data + x->header.body, x->request.len - x->header.body};
	char text[600];
	void *decoded;
	int64_t used;

	if (!x->request.data || !frame_known(x->header.api_key, x->header.api_version))
		return;
	s->judged++;
	used = frame_decode(x->header.api_key, x->header.api_version, MESSAGE_REQUEST, body,
			    x->arena, &decoded, &e);
	if (used == body.len)
		return;
	s->bad++;
	if (used >= 0)
		snprintf(text, sizeof(text), "%lld bytes are left behind the body",
			 (long long)(body.len - used));
	else
		error_text(&e, text, sizeof(text));
	note_bad(c, time_us,
		 str_of(arena_printf(c->arena, "%s v%d, connection %lld correlation %d: %s",
				     api_text(x->header.api_key), x->header.api_version,
				     (long long)x->conn.conn, x->header.correlation_id, text)));
}

static struct recent *recent_of(struct parsing *s, int64_t conn)
{
	struct recent *r;

	HASH_FIND(hh, s->conns, &conn, sizeof(conn), r);
	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->conn = conn;
	HASH_ADD(hh, s->conns, conn, sizeof(r->conn), r);
	return r;
}

static void drop_recent(struct parsing *s, struct recent *r)
{
	HASH_DEL(s->conns, r);
	free(r->list);
	free(r);
}

static void remember(struct recent *r, struct asked asked)
{
	if (r->count == r->cap && r->cap < RECENT_MAX) {
		r->cap = r->cap ? r->cap * 2 : RECENT_FIRST;
		r->list = realloc(r->list, r->cap * sizeof(*r->list));
		if (!r->list)
			abort();
	}
	r->list[r->count++ % r->cap] = asked;
}

static void judge_correlation(struct check *c, const struct exchange *x, int64_t time_us)
{
	struct parsing *s = c->state;
	int64_t to_us = x->response_us ? x->response_us : time_us;
	struct recent *r = recent_of(s, x->conn.conn);
	uint32_t kept = r->count < r->cap ? r->count : r->cap;

	for (uint32_t i = 0; i < kept; i++) {
		if (r->list[i].correlation_id != x->header.correlation_id ||
		    r->list[i].from_us >= to_us || x->request_us >= r->list[i].to_us)
			continue;
		s->twice++;
		note_bad(c, time_us,
			 str_of(arena_printf(
				 c->arena, "connection %lld has correlation id %d in flight twice",
				 (long long)x->conn.conn, x->header.correlation_id)));
	}
	remember(r, (struct asked){x->header.correlation_id, x->request_us, to_us});
}

static void feed_u5(struct check *c, const struct event *ev)
{
	struct parsing *s = c->state;
	struct recent *r;

	if (ev->kind == EVENT_CONN_CLOSED) {
		HASH_FIND(hh, s->conns, &ev->conn.conn, sizeof(ev->conn.conn), r);
		if (r)
			drop_recent(s, r);
	}
	if (ev->kind != EVENT_EXCHANGE || ev->exchange->state == EXCHANGE_ORPHAN)
		return;
	judge_parse(c, ev->exchange, ev->time_us);
	judge_correlation(c, ev->exchange, ev->time_us);
}

static void end_u5(struct check *c, struct finding *f)
{
	struct parsing *s = c->state;

	f->judged = s->judged;
	if (s->first.data) {
		finding_set(f, FINDING_FAIL,
			    "%llu requests do not parse, %llu correlation ids are in flight twice; "
			    "first: " STR_FMT,
			    (unsigned long long)s->bad, (unsigned long long)s->twice,
			    STR_ARG(s->first));
		finding_moment(f, s->first_us, STR_FMT, STR_ARG(s->first));
	} else if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no request was seen");
	} else {
		finding_set(f, FINDING_PASS, "%llu requests", (unsigned long long)s->judged);
	}
}

static void release_u5(struct check *c)
{
	struct parsing *s = c->state;
	struct recent *r, *next;

	HASH_ITER (hh, s->conns, r, next)
		drop_recent(s, r);
}

const struct check_type check_u5 = {
	.name = "U5",
	.claim = "every request parses wholly for its version, and correlation ids in flight are "
		 "distinct",
	.see = "the protocol guide",
	.needs = NEEDS_WIRE,
	.universal = true,
	.should = true,
	.state_size = sizeof(struct parsing),
	.feed = feed_u5,
	.end = end_u5,
	.release = release_u5,
};

/* ---- U6 ---- */

#define STORM_SHOULD 20 /* requests a second while an error repeats */
#define STORM_MUST   100
#define SECOND_US    1000000

struct storm {
	struct rates streaks; /* by API and who asks whom: answers that carry the same error */
	uint64_t judged;
	int32_t worst; /* requests in one second; 0 while none passed STORM_SHOULD */
	int64_t worst_us;
	struct str text;
};

/* Who asks: a client by its id, where one client is on trial. In a capture many may have that id,
 * and a connection is the most that is surely one program's; and who writes to hundreds of
 * partitions may well try each of them ten times a second. place: of the partition; 0 of others. */
static size_t streak_key(const struct check *c, const struct exchange *x, uint64_t place,
			 char *ret_key, size_t size)
{
	int len = c->history->of_a_run
			  ? snprintf(ret_key, size, "%d %d " STR_FMT, x->header.api_key,
				     x->conn.broker, STR_ARG(x->header.client_id))
			  : snprintf(ret_key, size, "%d %lld %llx", x->header.api_key,
				     (long long)x->conn.conn, (unsigned long long)place);

	return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

static void judge_streak(struct check *c, const struct exchange *x, uint64_t place, int16_t code)
{
	struct storm *s = c->state;
	char key[400];
	size_t size;
	int32_t n;

	if (!kafka_error_retriable(code) && !s->streaks.by_key)
		return;
	size = streak_key(c, x, place, key, sizeof(key));
	if (!kafka_error_retriable(code)) {
		rates_forget(&s->streaks, key, size);
		return;
	}
	s->judged++;
	n = rates_note(&s->streaks, key, size, code, x->request_us);
	if (n <= STORM_SHOULD || n <= s->worst)
		return;
	s->worst = n;
	s->worst_us = x->request_us;
	s->text = str_of(arena_printf(c->arena,
				      "%d%s %s requests of client '" STR_FMT
				      "' to broker %d in one second, each answered %s",
				      n, n == RATE_MAX ? " or more" : "",
				      api_text(x->header.api_key), STR_ARG(x->header.client_id),
				      x->conn.broker, kafka_error_name(code)));
}

static uint64_t place_of(struct str topic, struct uuid id, int32_t partition)
{
	return hash_more(hash_topic(topic, id), &partition, sizeof(partition));
}

static void judge_produced(struct check *c, struct exchange *x)
{
	const struct produce_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partition_responses_count; k++)
			judge_streak(c, x,
				     place_of(r->responses[i].name, r->responses[i].topic_id,
					      r->responses[i].partition_responses[k].index),
				     r->responses[i].partition_responses[k].error_code);
}

static void judge_fetched(struct check *c, struct exchange *x)
{
	const struct fetch_response *r = exchange_response(x);

	if (r && !r->responses_count)
		judge_streak(c, x, 0, r->error_code);
	for (int32_t i = 0; r && i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partitions_count; k++)
			judge_streak(c, x,
				     place_of(r->responses[i].topic, r->responses[i].topic_id,
					      r->responses[i].partitions[k].partition_index),
				     r->responses[i].partitions[k].error_code);
}

static void feed_u6(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind != EVENT_EXCHANGE || x->state != EXCHANGE_ANSWERED || !x->request_us)
		return;
	if (!c->history->of_a_run && x->header.api_key == API_PRODUCE)
		judge_produced(c, x);
	else if (!c->history->of_a_run && x->header.api_key == API_FETCH)
		judge_fetched(c, x);
	else
		judge_streak(c, x, 0, exchange_error(x));
}

static void end_u6(struct check *c, struct finding *f)
{
	struct storm *s = c->state;

	finding_expected(f,
			 "at most %d requests a second of an API to a broker while the same "
			 "retriable error repeats "
			 "(%d is too much in any case)",
			 STORM_SHOULD, STORM_MUST);
	f->judged = s->judged;
	f->storm = s->worst > STORM_MUST;
	if (s->worst) {
		finding_fault_before(f, c->history, s->worst_us);
		finding_moment(f, s->worst_us, STR_FMT, STR_ARG(s->text));
		finding_set(f, FINDING_FAIL, STR_FMT, STR_ARG(s->text));
	} else if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no answer carried a retriable error");
	} else {
		finding_set(f, FINDING_PASS, "%llu answers with a retriable error",
			    (unsigned long long)s->judged);
	}
}

static void release_u6(struct check *c)
{
	struct storm *s = c->state;

	rates_release(&s->streaks);
}

const struct check_type check_u6 = {
	.name = "U6",
	.claim = "no storm of requests while the same retriable error repeats",
	.see = "retry.backoff.ms",
	.needs = NEEDS_WIRE,
	.universal = true,
	.should = true,
	.state_size = sizeof(struct storm),
	.feed = feed_u6,
	.end = end_u6,
	.release = release_u6,
};

/* ---- U7 ---- */

#define PROGRESS_FACTOR 3
#define TRYING_GAP_US	(5 * (int64_t)SECOND_US) /* more between two requests is no trying */
#define PROGRESS_FLOOR_US \
	(5 * (int64_t)SECOND_US) /* backoff and metadata refresh after an error, generously */

struct progress {
	int64_t fault_us;   /* the last fault */
	int64_t resumed_us; /* the first good exchange that began after it; 0 none yet */
	int64_t asked_us;   /* the last request after it that did not get on */
	int64_t tried_us;   /* time in which requests came and none got on */
	int64_t session_us; /* the largest session time-out that a JoinGroup asked for */
	struct str fault;
};

/* What a client is there for; the rest is bookkeeping. */
static bool is_work(int api_key)
{
	return api_key == API_PRODUCE || api_key == API_FETCH || api_key == API_OFFSET_COMMIT ||
	       api_key == API_HEARTBEAT || api_key == API_SYNC_GROUP ||
	       api_key == API_CONSUMER_GROUP_HEARTBEAT || api_key == API_END_TXN;
}

static void note_fault(struct check *c, const struct event *ev)
{
	struct progress *s = c->state;

	s->fault_us = ev->time_us;
	s->resumed_us = s->asked_us = s->tried_us = 0;
	s->fault = str_of(arena_printf(c->arena, "rule " STR_FMT " " STR_FMT,
				       STR_ARG(ev->rule.name), STR_ARG(ev->rule.what)));
}

/* A request that began after the fault. A client with nothing to do asks for nothing, or now and
 * then for metadata; one that wants to get on and can't sends, fails and sends again. */
static void note_request(struct progress *s, struct exchange *x, int64_t time_us)
{
	bool failed = x->state == EXCHANGE_LOST || exchange_error(x);
	int64_t gap_us = s->asked_us ? time_us - s->asked_us : 0;

	if (s->resumed_us)
		return;
	if (is_work(x->header.api_key) && !failed) {
		s->resumed_us = time_us;
	} else if (is_work(x->header.api_key) || failed ||
		   x->header.api_key == API_FIND_COORDINATOR ||
		   x->header.api_key == API_JOIN_GROUP ||
		   x->header.api_key == API_INIT_PRODUCER_ID) {
		s->tried_us += gap_us < TRYING_GAP_US ? gap_us : TRYING_GAP_US;
		s->asked_us = time_us;
	}
}

static void feed_u7(struct check *c, const struct event *ev)
{
	struct progress *s = c->state;
	const struct join_group_request *join;
	struct exchange *x = ev->exchange;

	if (ev->kind == EVENT_RULE)
		note_fault(c, ev);
	if (ev->kind != EVENT_EXCHANGE)
		return;
	if (x->header.api_key == API_JOIN_GROUP && (join = exchange_request(x)) &&
	    join->session_timeout_ms * (int64_t)1000 > s->session_us)
		s->session_us = join->session_timeout_ms * (int64_t)1000;
	if (s->fault_us && x->request_us > s->fault_us)
		note_request(s, x, ev->time_us);
}

/* A send that waited for longer than the limit while nothing got on; NULL if there was none. */
static const struct history_send *waiting_send(const struct check *c, int64_t limit_us)
{
	const struct progress *s = c->state;
	int64_t until_us = s->resumed_us ? s->resumed_us : c->history->last_us;

	for (const struct history_subject *who = c->history->subjects; who; who = who->next)
		for (size_t i = 0; i < who->sends_count; i++) {
			const struct history_send *send = who->sends[i];
			int64_t from_us =
				send->attempt_us > s->fault_us ? send->attempt_us : s->fault_us;
			int64_t to_us = send->state == SEND_OPEN || send->end_us > until_us
						? until_us
						: send->end_us;

			if (send->attempt_us && to_us - from_us > limit_us)
				return send;
		}
	return NULL;
}

static void end_u7(struct check *c, struct finding *f)
{
	struct progress *s = c->state;
	int64_t base_us = s->session_us > PROGRESS_FLOOR_US ? s->session_us : PROGRESS_FLOOR_US;
	int64_t limit_us =
		c->scope.number >= 0 ? c->scope.number * 1000 : PROGRESS_FACTOR * base_us;
	int64_t took_us = (s->resumed_us ? s->resumed_us : c->history->last_us) - s->fault_us;

	finding_expected(f, "progress within %.1f s after the last fault",
			 (double)limit_us / SECOND_US);
	f->judged = s->fault_us != 0;
	if (!s->fault_us) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no rule fired");
	} else if (took_us > limit_us && (s->tried_us > limit_us || waiting_send(c, limit_us))) {
		finding_moment(f, s->fault_us, STR_FMT, STR_ARG(s->fault));
		finding_moment(f, s->resumed_us, "the first request that succeeds after it");
		finding_moment(f, s->asked_us, "the last request that does not");
		finding_set(f, FINDING_FAIL, "%s %.1f s after the last fault",
			    s->resumed_us ? "progress only" : "none until",
			    (double)took_us / SECOND_US);
	} else if (!s->resumed_us) {
		finding_set(f, FINDING_NOT_APPLICABLE, "the run ended before progress was due");
	} else if (took_us > limit_us) {
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody had anything to do for %.1f s",
			    (double)took_us / SECOND_US);
	} else {
		finding_set(f, FINDING_PASS, "progress %.3f s after the last fault",
			    (double)took_us / SECOND_US);
	}
}

const struct check_type check_u7 = {
	.name = "U7",
	.claim = "after the last fault progress resumes within three times the largest of "
		 "back-off, metadata refresh and session time-out",
	.see = "the clients' own configuration",
	.needs = NEEDS_WIRE,
	.universal = true,
	.timing = true,
	.state_size = sizeof(struct progress),
	.feed = feed_u7,
	.end = end_u7,
};

/* ---- U8 ---- */

/* What a broker offers. Most connections are told the same: they share it. */
struct offer {
	int16_t min[API_KEY_MAX + 1], max[API_KEY_MAX + 1]; /* max -1: not listed */
	UT_hash_handle hh;				    /* by both */
};

/* What one connection was told. */
struct told {
	int64_t conn;
	int64_t at_us; /* when the answer was there; 0: no usable answer yet */
	const struct offer *offer;
	UT_hash_handle hh;
};

struct versions {
	struct told *conns;
	struct offer *offers;
	uint64_t judged, early, outside;
	struct str first;
	int64_t first_us;
};

static struct told *told_of(struct check *c, int64_t conn, bool add)
{
	struct versions *s = c->state;
	struct told *t;

	HASH_FIND(hh, s->conns, &conn, sizeof(conn), t);
	if (t || !add)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->conn = conn;
	HASH_ADD(hh, s->conns, conn, sizeof(t->conn), t);
	return t;
}

static void drop_told(struct versions *s, struct told *t)
{
	HASH_DEL(s->conns, t);
	free(t);
}

static const struct offer *offer_of(struct check *c, const struct api_versions_response *response)
{
	struct versions *s = c->state;
	struct offer like, *o;

	memset(&like, 0, sizeof(like));
	for (size_t i = 0; i <= API_KEY_MAX; i++)
		like.max[i] = -1;
	for (int32_t i = 0; i < response->api_keys_count; i++) {
		const struct api_versions_response_api_keys *k = &response->api_keys[i];

		if (k->api_key < 0 || k->api_key > API_KEY_MAX)
			continue;
		like.min[k->api_key] = k->min_version;
		like.max[k->api_key] = k->max_version;
	}
	HASH_FIND(hh, s->offers, like.min, sizeof(like.min) + sizeof(like.max), o);
	if (o || !(o = arena_alloc(c->arena, sizeof(*o))))
		return o;
	*o = like;
	HASH_ADD(hh, s->offers, min, sizeof(like.min) + sizeof(like.max), o);
	return o;
}

static void learn(struct check *c, struct exchange *x)
{
	const struct api_versions_response *response = exchange_response(x);
	const struct offer *offer;
	struct told *t;

	if (!response || (response->error_code && !response->api_keys_count))
		return;
	t = told_of(c, x->conn.conn, true);
	if (response->error_code || !(offer = offer_of(c, response)))
		return;
	if (!t->at_us) /* who asks again may go on in the meantime */
		t->at_us = x->response_us;
	t->offer = offer;
}

static void note_version(struct check *c, const struct exchange *x, const char *what)
{
	struct versions *s = c->state;

	if (s->first.data)
		return;
	s->first_us = x->request_us;
	s->first = str_of(arena_printf(c->arena, "%s v%d on connection %lld, correlation %d: %s",
				       api_text(x->header.api_key), x->header.api_version,
				       (long long)x->conn.conn, x->header.correlation_id, what));
}

static void judge_version(struct check *c, const struct exchange *x, const struct told *t)
{
	struct versions *s = c->state;
	int key = x->header.api_key;

	s->judged++;
	if (x->request_us < t->at_us) {
		s->early++;
		note_version(c, x, "sent before the answer to ApiVersions was there");
		return;
	}
	if (key >= 0 && key <= API_KEY_MAX && x->header.api_version >= t->offer->min[key] &&
	    x->header.api_version <= t->offer->max[key])
		return;
	s->outside++;
	note_version(c, x, "not among the versions that this connection was told");
}

static void feed_u8(struct check *c, const struct event *ev)
{
	struct told *t;

	if (ev->kind == EVENT_CONN_CLOSED && (t = told_of(c, ev->conn.conn, false)))
		drop_told(c->state, t);
	if (ev->kind != EVENT_EXCHANGE || ev->exchange->state == EXCHANGE_ORPHAN)
		return;
	if (ev->exchange->header.api_key == API_API_VERSIONS) {
		learn(c, ev->exchange);
		return;
	}
	t = told_of(c, ev->exchange->conn.conn, false);
	if (t && t->at_us)
		judge_version(c, ev->exchange, t);
}

static void end_u8(struct check *c, struct finding *f)
{
	struct versions *s = c->state;

	f->judged = s->judged;
	if (s->early + s->outside) {
		finding_moment(f, s->first_us, STR_FMT, STR_ARG(s->first));
		finding_set(f, FINDING_FAIL,
			    "%llu requests before the answer, %llu outside of it; first: " STR_FMT,
			    (unsigned long long)s->early, (unsigned long long)s->outside,
			    STR_ARG(s->first));
	} else if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "no connection asked for versions and then used one");
	} else {
		finding_set(f, FINDING_PASS, "%llu requests", (unsigned long long)s->judged);
	}
}

static void release_u8(struct check *c)
{
	struct versions *s = c->state;
	struct told *t, *next;

	HASH_CLEAR(hh, s->offers);
	HASH_ITER (hh, s->conns, t, next)
		drop_told(s, t);
}

const struct check_type check_u8 = {
	.name = "U8",
	.claim = "a version that is used was offered on that connection, and nothing but "
		 "ApiVersions precedes that offer",
	.see = "KIP-35, KIP-511",
	.needs = NEEDS_WIRE,
	.universal = true,
	.should = true,
	.state_size = sizeof(struct versions),
	.feed = feed_u8,
	.end = end_u8,
	.release = release_u8,
};
