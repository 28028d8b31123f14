/* How a client treats connections: silence while it is throttled, pauses between attempts, metadata
 * asked after the errors that call for it. Judged from the wire alone. */
#include "checks/types.h"

#include "checks/codes.h"
#include "checks/rate.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define CROSSING_US 100000 /* an answer may be on its way while the next request leaves */
#define FAR_CROSSING_US \
	1000000 /* in a capture: as far as the client may be from where packets were taken */

/* ---- silent while throttled ---- */

#define THROTTLE_SLACK_PERCENT 90 /* of the time that must be kept */

struct muted {
	int64_t conn, from_us, until_us;
	UT_hash_handle hh;
};

struct throttle {
	struct muted *conns;
	uint64_t throttled, early;
	struct str first;
	int64_t first_us, from_us;
};

/* The first versions whose throttle time is the client's to keep; of older ones the broker has kept
 * it before it answers. APIs that came after KIP-219 are not here, all of theirs are, but for those
 * at the end: in their older versions not even Java's client looked at it before Kafka 4. */
static const struct {
	int16_t api_key, version;
} client_keeps[] = {
	{API_PRODUCE, 6},
	{API_FETCH, 8},
	{API_LIST_OFFSETS, 3},
	{API_METADATA, 6},
	{API_OFFSET_COMMIT, 4},
	{API_OFFSET_FETCH, 4},
	{API_FIND_COORDINATOR, 2},
	{API_JOIN_GROUP, 3},
	{API_HEARTBEAT, 2},
	{API_LEAVE_GROUP, 2},
	{API_SYNC_GROUP, 2},
	{API_DESCRIBE_GROUPS, 2},
	{API_LIST_GROUPS, 2},
	{API_API_VERSIONS, 2},
	{API_CREATE_TOPICS, 3},
	{API_DELETE_TOPICS, 2},
	{API_DELETE_RECORDS, 1},
	{API_INIT_PRODUCER_ID, 1},
	{API_ADD_PARTITIONS_TO_TXN, 1},
	{API_ADD_OFFSETS_TO_TXN, 1},
	{API_END_TXN, 1},
	{API_TXN_OFFSET_COMMIT, 1},
	{API_DESCRIBE_ACLS, 1},
	{API_CREATE_ACLS, 1},
	{API_DELETE_ACLS, 1},
	{API_DESCRIBE_CONFIGS, 2},
	{API_ALTER_CONFIGS, 1},
	{API_ALTER_REPLICA_LOG_DIRS, 1},
	{API_DESCRIBE_LOG_DIRS, 1},
	{API_CREATE_PARTITIONS, 1},
	{API_CREATE_DELEGATION_TOKEN, 1},
	{API_RENEW_DELEGATION_TOKEN, 1},
	{API_EXPIRE_DELEGATION_TOKEN, 1},
	{API_DESCRIBE_DELEGATION_TOKEN, 1},
	{API_DELETE_GROUPS, 1},
	{API_OFFSET_FOR_LEADER_EPOCH, 5},
	{API_DESCRIBE_CLIENT_QUOTAS, 2},
	{API_ALTER_CLIENT_QUOTAS, 2},
	{API_UPDATE_FEATURES, 2},
	{API_DESCRIBE_CLUSTER, 2},
	{API_DESCRIBE_PRODUCERS, 1},
	{API_DESCRIBE_TRANSACTIONS, 1},
	{API_LIST_TRANSACTIONS, 2},
	{API_CONSUMER_GROUP_HEARTBEAT, 1},
	{API_CONSUMER_GROUP_DESCRIBE, 1},
	{API_GET_TELEMETRY_SUBSCRIPTIONS, 1},
	{API_PUSH_TELEMETRY, 1},
	{API_LIST_CONFIG_RESOURCES, 1},
};

static bool is_for_client(const struct exchange *x)
{
	for (size_t i = 0; i < sizeof(client_keeps) / sizeof(client_keeps[0]); i++)
		if (client_keeps[i].api_key == x->header.api_key)
			return x->header.api_version >= client_keeps[i].version;
	return true;
}

/* The answer's throttleTimeMs, where it has one. */
static int32_t throttle_ms(struct exchange *x)
{
	const struct message *m = message_of_api(x->header.api_key, MESSAGE_RESPONSE);
	const struct schema_field *f = m ? schema_find(m->schema, str_of("throttleTimeMs")) : NULL;
	const uint8_t *body =
		f && field_in(f, exchange_response_version(x)) ? exchange_response(x) : NULL;

	return body && f->type == FIELD_INT32 ? *(const int32_t *)(const void *)(body + f->offset)
					      : 0;
}

static void judge_silence(struct check *c, const struct exchange *x)
{
	struct throttle *s = c->state;
	int64_t crossing_us = c->history->of_a_run ? CROSSING_US : FAR_CROSSING_US;
	struct muted *m;

	HASH_FIND(hh, s->conns, &x->conn.conn, sizeof(x->conn.conn), m);
	if (!m || x->request_us <= m->from_us + crossing_us || x->request_us >= m->until_us ||
	    s->early++)
		return;
	s->first_us = x->request_us;
	s->from_us = m->from_us;
	s->first = str_of(arena_printf(
		c->arena, "%s on connection %lld %.0f ms after it was throttled, %.0f ms too early",
		api_name(x->header.api_key), (long long)x->conn.conn,
		(double)(x->request_us - m->from_us) / 1000,
		(double)(m->until_us - x->request_us) / 1000));
}

static void feed_throttle(struct check *c, const struct event *ev)
{
	struct throttle *s = c->state;
	struct exchange *x = ev->exchange;
	struct muted *m;
	int32_t ms;

	if (ev->kind != EVENT_EXCHANGE || !scope_has(c->scope.client, x->header.client_id))
		return;
	judge_silence(c, x);
	ms = is_for_client(x) ? throttle_ms(x) : 0;
	if (ms <= 0)
		return;
	s->throttled++;
	HASH_FIND(hh, s->conns, &x->conn.conn, sizeof(x->conn.conn), m);
	if (!m) {
		m = arena_zalloc(c->arena, sizeof(*m));
		if (!m)
			return;
		m->conn = x->conn.conn;
		HASH_ADD(hh, s->conns, conn, sizeof(m->conn), m);
	}
	m->from_us = x->response_us;
	m->until_us = x->response_us + (int64_t)ms * 1000 * THROTTLE_SLACK_PERCENT / 100;
}

static void end_throttle(struct check *c, struct finding *f)
{
	struct throttle *s = c->state;

	f->judged = s->throttled;
	if (s->early) {
		finding_moment(f, s->from_us, "an answer asks for silence");
		finding_moment(f, s->first_us, STR_FMT, STR_ARG(s->first));
		finding_set(f, FINDING_FAIL, "%llu requests while throttled; first: " STR_FMT,
			    (unsigned long long)s->early, STR_ARG(s->first));
	} else if (!s->throttled) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no answer carried a throttle time");
	} else {
		finding_set(f, FINDING_PASS, "%llu answers with a throttle time",
			    (unsigned long long)s->throttled);
	}
}

static void release_throttle(struct check *c)
{
	struct throttle *s = c->state;

	HASH_CLEAR(hh, s->conns);
}

const struct check_type check_throttle = {
	.name = "connection.silent_when_throttled",
	.claim = "after an answer with a throttle time nothing is sent on that connection until it "
		 "has passed",
	.see = "KIP-219",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_CLIENT},
	.timing = true,
	.state_size = sizeof(struct throttle),
	.feed = feed_throttle,
	.end = end_throttle,
	.release = release_throttle,
};

/* ---- a foreign answer ---- */

#define MISMATCH_CROSSING_US 500000 /* to see it, and to close */

/* A connection on which an answer came that nobody had asked for. */
struct foreign {
	int64_t conn, time_us, used_us;
	struct str client, what;
	UT_hash_handle hh;
};

static struct foreign *foreign_of(struct check *c, int64_t conn, bool add, int64_t time_us)
{
	struct foreign **all = c->state, *m;

	HASH_FIND(hh, *all, &conn, sizeof(conn), m);
	if (m || !add || !(m = arena_zalloc(c->arena, sizeof(*m))))
		return m;
	m->conn = conn;
	m->time_us = time_us;
	HASH_ADD(hh, *all, conn, sizeof(m->conn), m);
	return m;
}

/* A rule that changes the correlation id of an answer, or an answer in a capture that no request
 * awaits. */
static bool is_foreign(const struct event *ev, int64_t *ret_conn)
{
	static const char action[] = "-> correlation";
	const struct str *text = &ev->rule.text;

	if (ev->kind == EVENT_RULE && text->data &&
	    memmem(text->data, (size_t)text->len, action, sizeof(action) - 1)) {
		*ret_conn = ev->rule.conn;
		return true;
	}
	if (ev->kind == EVENT_EXCHANGE && ev->exchange->state == EXCHANGE_ORPHAN) {
		*ret_conn = ev->exchange->conn.conn;
		return true;
	}
	return false;
}

static void feed_mismatch(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;
	struct foreign *m;
	int64_t conn;

	if (is_foreign(ev, &conn)) {
		foreign_of(c, conn, true, ev->time_us);
		return;
	}
	if (ev->kind != EVENT_EXCHANGE || !scope_has(c->scope.client, x->header.client_id) ||
	    !(m = foreign_of(c, x->conn.conn, false, 0)))
		return;
	if (m->used_us || x->request_us < m->time_us + MISMATCH_CROSSING_US)
		return;
	m->used_us = x->request_us;
	m->client = arena_str(c->arena, x->header.client_id);
	m->what = str_of(api_name(x->header.api_key) ? api_name(x->header.api_key) : "?");
}

static void end_mismatch(struct check *c, struct finding *f)
{
	struct foreign **all = c->state;

	f->judged = HASH_COUNT(*all);
	if (f->judged)
		finding_set(f, FINDING_PASS, "%llu connections, not used after it",
			    (unsigned long long)f->judged);
	else
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "no answer had a correlation id that nobody awaits");
	for (const struct foreign *m = *all; m; m = m->hh.next) {
		if (!m->used_us)
			continue;
		finding_moment(f, m->time_us, "an answer with a foreign correlation id");
		finding_moment(f, m->used_us, STR_FMT " on that connection", STR_ARG(m->what));
		finding_set(f, FINDING_FAIL,
			    "client '" STR_FMT "' sent " STR_FMT
			    " on connection %lld %.0f ms after "
			    "an answer there had a foreign correlation id",
			    STR_ARG(m->client), STR_ARG(m->what), (long long)m->conn,
			    (double)(m->used_us - m->time_us) / 1000);
		return;
	}
}

static void release_mismatch(struct check *c)
{
	struct foreign **all = c->state;

	HASH_CLEAR(hh, *all);
}

const struct check_type check_mismatch = {
	.name = "connection.dropped_when_confused",
	.claim = "a connection on which an answer had a foreign correlation id is not used again",
	.see = "the protocol guide: answers come in the order of requests",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.timing = true,
	.state_size = sizeof(struct foreign *),
	.feed = feed_mismatch,
	.end = end_mismatch,
	.release = release_mismatch,
};

/* ---- attempts ---- */

#define ATTEMPTS_DEFAULT 20

/* Who connects to what: one client on trial to a broker, by its number; in a capture an address to
 * an address, whose broker's number may become known on the way. */
struct path {
	int32_t broker;
	uint8_t family, from[16], to[16];
	uint16_t port;
};

/* How many programs may stand behind an address: as many as it had connections to one broker open
 * at once. */
struct crowd {
	struct path path;
	int32_t open, most;
	UT_hash_handle hh;
};

struct attempts {
	struct rates rates; /* by path */
	struct crowd *crowds;
	uint64_t all;
	int32_t most;		     /* in a second, by one program */
	int32_t worst, worst_broker; /* above the limit */
	int64_t worst_us;
	int32_t programs;
};

static struct path path_of(const struct check *c, const struct event_conn *conn)
{
	struct path p;

	memset(&p, 0, sizeof(p)); /* padding: it is a key */
	if (c->history->of_a_run) {
		p.broker = conn->broker;
		return p;
	}
	p.family = conn->client.family;
	p.port = conn->server.port;
	memcpy(p.from, conn->client.addr, sizeof(p.from));
	memcpy(p.to, conn->server.addr, sizeof(p.to));
	return p;
}

/* The programs behind the client's address, with the connection that opens or ends. */
static int32_t programs_of(struct check *c, const struct path *path, int change)
{
	struct attempts *s = c->state;
	struct crowd *k;

	if (c->history->of_a_run)
		return 1;
	HASH_FIND(hh, s->crowds, path, sizeof(*path), k);
	if (!k) {
		k = arena_zalloc(c->arena, sizeof(*k));
		if (!k)
			return RATE_MAX;
		k->path = *path;
		HASH_ADD(hh, s->crowds, path, sizeof(k->path), k);
	}
	k->open = k->open + change > 0 ? k->open + change : 0;
	k->most = k->open > k->most ? k->open : k->most;
	return k->most > 1 ? k->most : 1;
}

static void feed_attempts(struct check *c, const struct event *ev)
{
	struct attempts *s = c->state;
	int64_t limit = c->scope.number >= 0 ? c->scope.number : ATTEMPTS_DEFAULT;
	int32_t n, programs;
	struct path path;

	if (ev->kind != EVENT_CONN_OPENED && ev->kind != EVENT_CONN_REFUSED &&
	    ev->kind != EVENT_CONN_CLOSED)
		return;
	path = path_of(c, &ev->conn);
	programs = programs_of(c, &path,
			       ev->kind == EVENT_CONN_OPENED   ? 1
			       : ev->kind == EVENT_CONN_CLOSED ? -1
							       : 0);
	if (ev->kind == EVENT_CONN_CLOSED || ev->conn.midway)
		return;
	s->all++;
	n = rates_note(&s->rates, &path, sizeof(path), 0, ev->time_us);
	if ((n + programs - 1) / programs > s->most)
		s->most = (n + programs - 1) / programs;
	if (n <= limit * programs || n <= s->worst)
		return;
	s->worst = n;
	s->worst_us = ev->time_us;
	s->worst_broker = ev->conn.broker;
	s->programs = programs;
}

static void end_attempts(struct check *c, struct finding *f)
{
	struct attempts *s = c->state;
	int64_t limit = c->scope.number >= 0 ? c->scope.number : ATTEMPTS_DEFAULT;

	finding_expected(f, "at most %lld connections a second to a broker", (long long)limit);
	f->judged = s->all;
	if (s->worst) {
		finding_fault_before(f, c->history, s->worst_us);
		finding_moment(f, s->worst_us,
			       "connection to broker %d, the last of %d in a second",
			       s->worst_broker, s->worst);
		finding_set(f, FINDING_FAIL,
			    s->programs > 1 ? "%d connections to broker %d in one second from an "
					      "address that never had more than %d open"
					    : "%d connections to broker %d in one second",
			    s->worst, s->worst_broker, s->programs);
	} else if (!s->all) {
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody connected");
	} else {
		finding_set(f, FINDING_PASS,
			    c->history->of_a_run
				    ? "%llu connections, at most %d a second to a broker"
				    : "%llu connections, at most %d a second by one program to a "
				      "broker",
			    (unsigned long long)s->all, s->most);
	}
}

static void release_attempts(struct check *c)
{
	struct attempts *s = c->state;

	HASH_CLEAR(hh, s->crowds);
	rates_release(&s->rates);
}

const struct check_type check_attempts = {
	.name = "connection.pauses_between_attempts",
	.claim = "connections to one broker are opened at most 20 times a second (or so often as "
		 "the number says)",
	.see = "reconnect.backoff.ms",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_NUMBER},
	.state_size = sizeof(struct attempts),
	.feed = feed_attempts,
	.end = end_attempts,
	.release = release_attempts,
};

/* ---- metadata after an error ---- */

#define ASKED_DEFAULT_MS 2000
#define STALE_MAX	 10000

/* An answer that calls for metadata, until the client has asked. */
struct stale {
	struct str client;
	int64_t time_us;
	int16_t code, api_key;
	struct stale *next;
};

/* When a client was heard last: whoever is gone asks no more. */
struct heard {
	struct str client;
	int64_t last_us;
	struct heard *next;
};

struct refresh {
	struct stale *open;
	struct heard *clients;
	uint64_t judged, late;
	int32_t open_count;
	struct stale worst;
	int64_t worst_took_us; /* -1: never asked */
};

#define HINT_PRODUCE 10 /* the first versions that may name the leader (KIP-951) */
#define HINT_FETCH   12

/* Whether an answer names the leader beside an error: then nothing has to be asked. */
static bool names_leader(struct exchange *x)
{
	int key = x->header.api_key, version = x->header.api_version;
	const struct produce_response *p =
		key == API_PRODUCE && version >= HINT_PRODUCE ? exchange_response(x) : NULL;
	const struct fetch_response *f =
		key == API_FETCH && version >= HINT_FETCH ? exchange_response(x) : NULL;
	bool named = false;

	for (int32_t i = 0; p && i < p->responses_count; i++)
		for (int32_t k = 0; k < p->responses[i].partition_responses_count; k++)
			named |= p->responses[i].partition_responses[k].current_leader.leader_id >=
				 0;
	for (int32_t i = 0; f && i < f->responses_count; i++)
		for (int32_t k = 0; k < f->responses[i].partitions_count; k++)
			named |= f->responses[i].partitions[k].current_leader.leader_id >= 0;
	return named;
}

static struct heard *heard_of(struct check *c, struct str client)
{
	struct refresh *s = c->state;
	struct heard *k = s->clients;

	while (k && !str_eq(k->client, client))
		k = k->next;
	if (!k && (k = arena_zalloc(c->arena, sizeof(*k)))) {
		*k = (struct heard){.client = arena_str(c->arena, client), .next = s->clients};
		s->clients = k;
	}
	return k;
}

static void note_stale(struct check *c, struct exchange *x)
{
	struct refresh *s = c->state;
	int16_t code = exchange_error(x);
	struct stale *n;

	if (x->header.api_key == API_METADATA || !kafka_error_invalidates_metadata(code) ||
	    s->open_count == STALE_MAX || names_leader(x))
		return;
	n = arena_zalloc(c->arena, sizeof(*n));
	if (!n)
		return;
	*n = (struct stale){arena_str(c->arena, x->header.client_id), x->response_us, code,
			    x->header.api_key, s->open};
	s->open = n;
	s->open_count++;
}

/* The client asked at that time: its open errors before then are settled. */
static void settle(struct check *c, struct str client, int64_t asked_us)
{
	struct refresh *s = c->state;
	int64_t limit_us =
		(c->scope.number >= 0 ? c->scope.number : ASKED_DEFAULT_MS) * (int64_t)1000;

	for (struct stale **at = &s->open; *at;) {
		struct stale *n = *at;

		if (!str_eq(n->client, client) || asked_us < n->time_us - CROSSING_US) {
			at = &n->next;
			continue;
		}
		s->judged++;
		if (asked_us - n->time_us > limit_us && !s->late++) {
			s->worst = *n;
			s->worst_took_us = asked_us - n->time_us;
		}
		*at = n->next;
		s->open_count--;
	}
}

static void feed_refresh(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;
	struct heard *k;

	if (ev->kind != EVENT_EXCHANGE || !scope_has(c->scope.client, x->header.client_id))
		return;
	k = heard_of(c, x->header.client_id);
	if (k && x->request_us > k->last_us)
		k->last_us = x->request_us;
	if (x->header.api_key == API_METADATA)
		settle(c, x->header.client_id, x->request_us);
	else
		note_stale(c, x);
}

/* Whether a client had the time to ask: it was still sending after the limit. */
static void settle_rest(struct check *c, int64_t limit_us)
{
	struct refresh *s = c->state;

	for (struct stale *n = s->open; n; n = n->next) {
		const struct heard *k = heard_of(c, n->client);

		if (!k || k->last_us - n->time_us <= limit_us)
			continue;
		s->judged++;
		if (!s->late++) {
			s->worst = *n;
			s->worst_took_us = -1;
		}
	}
}

static void end_refresh(struct check *c, struct finding *f)
{
	struct refresh *s = c->state;
	int64_t limit_us =
		(c->scope.number >= 0 ? c->scope.number : ASKED_DEFAULT_MS) * (int64_t)1000;

	finding_expected(f, "metadata is asked for within %lld ms of an error that calls for it",
			 (long long)limit_us / 1000);
	settle_rest(c, limit_us);
	f->judged = s->judged;
	if (s->late) {
		finding_moment(f, s->worst.time_us, "%s is answered %s", api_name(s->worst.api_key),
			       kafka_error_name(s->worst.code));
		if (s->worst_took_us >= 0)
			finding_set(f, FINDING_FAIL, "asked %.0f ms after %s (%llu times too late)",
				    (double)s->worst_took_us / 1000,
				    kafka_error_name(s->worst.code), (unsigned long long)s->late);
		else
			finding_set(f, FINDING_FAIL, "never asked after %s",
				    kafka_error_name(s->worst.code));
	} else if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE, "no answer called for metadata");
	} else {
		finding_set(f, FINDING_PASS, "%llu errors, each followed by a Metadata request",
			    (unsigned long long)s->judged);
	}
}

const struct check_type check_refresh = {
	.name = "metadata.asked_after_error",
	.claim = "after an error that says that metadata is stale, metadata is asked for (within "
		 "2000 ms, or the limit given)",
	.see = "the error codes' own meaning",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.timing = true,
	.state_size = sizeof(struct refresh),
	.feed = feed_refresh,
	.end = end_refresh,
};

/* ---- rate ---- */

struct rate_state {
	struct rates rates;
	uint64_t all;
	int32_t worst;
	struct str worst_text;
	int64_t worst_us;
};

/* One client on trial is told by its id. In a capture many may have it: there the same question,
 * asked on the same connection; who describes many topics asks for others each time. 0: what was
 * asked is not in the capture. */
static size_t rate_key(const struct check *c, const struct exchange *x, char *ret_key, size_t size)
{
	unsigned hash = 0;
	int len;

	if (c->history->of_a_run) {
		len = snprintf(ret_key, size, "of " STR_FMT, STR_ARG(x->header.client_id));
	} else {
		if (!x->request.data)
			return 0;
		if (x->request.len > x->header.body)
			HASH_JEN(x->request.data + x->header.body,
				 (unsigned)(x->request.len - x->header.body), hash);
		len = snprintf(ret_key, size, "%lld %u", (long long)x->conn.conn, hash);
	}
	return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

static void feed_rate(struct check *c, const struct event *ev)
{
	struct rate_state *s = c->state;
	const struct exchange *x = ev->exchange;
	char key[400];
	size_t size;
	int32_t n;

	if (ev->kind != EVENT_EXCHANGE || x->header.api_key != API_METADATA ||
	    x->state == EXCHANGE_ORPHAN || !scope_has(c->scope.client, x->header.client_id))
		return;
	size = rate_key(c, x, key, sizeof(key));
	if (!size)
		return;
	s->all++;
	n = rates_note(&s->rates, key, size, 0, x->request_us);
	if (n <= s->worst)
		return;
	s->worst = n;
	s->worst_us = x->request_us;
	s->worst_text = arena_str(c->arena, x->header.client_id);
}

static void end_rate(struct check *c, struct finding *f)
{
	struct rate_state *s = c->state;
	int64_t limit = c->scope.number >= 0 ? c->scope.number : 20;

	finding_expected(f, "at most %lld Metadata requests a second", (long long)limit);
	f->judged = s->all;
	if (s->worst > limit) {
		finding_fault_before(f, c->history, s->worst_us);
		finding_moment(f, s->worst_us,
			       "Metadata of client '" STR_FMT "', the last of %d in a second",
			       STR_ARG(s->worst_text), s->worst);
		finding_set(f, FINDING_FAIL,
			    "client '" STR_FMT "' sent %d Metadata requests in one second",
			    STR_ARG(s->worst_text), s->worst);
	} else if (!s->all) {
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody asked for metadata");
	} else {
		finding_set(f, FINDING_PASS,
			    c->history->of_a_run
				    ? "%llu Metadata requests, at most %d a second"
				    : "%llu Metadata requests, the same one at most %d times a "
				      "second on a connection",
			    (unsigned long long)s->all, s->worst);
	}
}

static void release_rate(struct check *c)
{
	struct rate_state *s = c->state;

	rates_release(&s->rates);
}

const struct check_type check_rate = {
	.name = "metadata.no_storm",
	.claim = "metadata is asked for at most 20 times a second (or so often as the number says)",
	.see = "retry.backoff.ms, metadata.max.age.ms",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct rate_state),
	.feed = feed_rate,
	.end = end_rate,
	.release = release_rate,
};
