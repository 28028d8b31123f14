/* Whether a client follows a broker that moved: once an answer told it the new address, it opens no
 * more connections to the old one for what only that broker can do. Judged from the addresses that
 * Metadata and FindCoordinator tell and those that connections go to; names are not looked up, so
 * only addresses in numbers count. */
#include "checks/types.h"

#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define GRACE_US	 1000000 /* to read the answer, and for a connection that is on its way */
#define ATTEMPTS_DEFAULT 5	 /* at an address that nobody is at; a bootstrap list may have it */

/* What one client was told last of one broker. */
struct told {
	struct str client;
	int32_t node;
	struct endpoint at;
	struct told *next;
};

/* An address that a broker had, until a client was told another. */
struct left {
	struct str client;
	int32_t node;
	struct endpoint at, to;
	int64_t time_us;
	int64_t attempts; /* that nobody answered */
	struct left *next;
};

struct opened {
	int64_t conn, time_us;
	UT_hash_handle hh;
};

struct addresses {
	struct told *told;
	struct left *left;
	struct opened *opened;
	uint64_t changes, wrong;
	int64_t first_us, told_us;
	struct str first, told_what;
};

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family && a->family == b->family && a->port == b->port &&
	       !memcmp(a->addr, b->addr, a->family == 6 ? 16 : 4);
}

/* ---- what is told ---- */

static struct told *told_of(struct check *c, struct str client, int32_t node)
{
	struct addresses *s = c->state;
	struct told *t = s->told;

	while (t && !(t->node == node && str_eq(t->client, client)))
		t = t->next;
	if (!t && (t = arena_zalloc(c->arena, sizeof(*t)))) {
		*t = (struct told){
			.client = arena_str(c->arena, client), .node = node, .next = s->told};
		s->told = t;
	}
	return t;
}

/* An address can be somebody's again: then nobody has left it. */
static void forget_left(struct addresses *s, struct str client, const struct endpoint *at)
{
	for (struct left **l = &s->left; *l;)
		if (str_eq((*l)->client, client) && same(&(*l)->at, at))
			*l = (*l)->next;
		else
			l = &(*l)->next;
}

static void tell(struct check *c, const struct exchange *x, int32_t node, struct str host,
		 int32_t port)
{
	struct addresses *s = c->state;
	struct endpoint to = endpoint_parse(host, (uint16_t)port);
	struct told *t = to.family ? told_of(c, x->header.client_id, node) : NULL;
	struct left *l;

	if (!t)
		return;
	forget_left(s, t->client, &to);
	if (t->at.family && !same(&t->at, &to) && (l = arena_zalloc(c->arena, sizeof(*l)))) {
		*l = (struct left){.client = t->client,
				   .node = node,
				   .at = t->at,
				   .to = to,
				   .time_us = x->response_us,
				   .next = s->left};
		s->left = l;
		s->changes++;
	}
	t->at = to;
}

static void feed_metadata(struct check *c, struct exchange *x)
{
	const struct metadata_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->brokers_count; i++)
		tell(c, x, r->brokers[i].node_id, r->brokers[i].host, r->brokers[i].port);
}

static void feed_coordinator(struct check *c, struct exchange *x)
{
	const struct find_coordinator_response *r = exchange_response(x);

	if (r && !r->error_code && r->host.len)
		tell(c, x, r->node_id, r->host, r->port);
	for (int32_t i = 0; r && i < r->coordinators_count; i++)
		if (!r->coordinators[i].error_code)
			tell(c, x, r->coordinators[i].node_id, r->coordinators[i].host,
			     r->coordinators[i].port);
}

/* ---- where they go ---- */

/* What is asked of one broker alone. The others any broker answers: for them a client may use any
 * address it has. */
static bool is_for_one(int16_t api_key)
{
	switch (api_key) {
	case API_PRODUCE:
	case API_FETCH:
	case API_LIST_OFFSETS:
	case API_OFFSET_FOR_LEADER_EPOCH:
	case API_OFFSET_COMMIT:
	case API_OFFSET_FETCH:
	case API_JOIN_GROUP:
	case API_SYNC_GROUP:
	case API_HEARTBEAT:
	case API_LEAVE_GROUP:
	case API_CONSUMER_GROUP_HEARTBEAT:
	case API_ADD_PARTITIONS_TO_TXN:
	case API_ADD_OFFSETS_TO_TXN:
	case API_END_TXN:
	case API_TXN_OFFSET_COMMIT:
		return true;
	default:
		return false;
	}
}

static void blame(struct check *c, const struct left *l, int64_t time_us, const char *what)
{
	struct addresses *s = c->state;
	char at[ENDPOINT_TEXT_SIZE], to[ENDPOINT_TEXT_SIZE];

	if (s->wrong++)
		return;
	endpoint_text(&l->at, at);
	endpoint_text(&l->to, to);
	s->first_us = time_us;
	s->told_us = l->time_us;
	s->told_what = str_of(
		arena_printf(c->arena, "an answer says that broker %d is at %s", l->node, to));
	s->first = str_of(arena_printf(
		c->arena,
		"%s to %s %.0f ms after client '" STR_FMT "' was told that broker %d is at %s",
		what, at, (double)(time_us - l->time_us) / 1000, STR_ARG(l->client), l->node, to));
}

static int64_t opened_at(const struct addresses *s, int64_t conn)
{
	struct opened *o;

	HASH_FIND(hh, s->opened, &conn, sizeof(conn), o);
	return o ? o->time_us : 0;
}

static void judge_request(struct check *c, const struct exchange *x)
{
	struct addresses *s = c->state;
	int64_t opened_us =
		s->left && is_for_one(x->header.api_key) ? opened_at(s, x->conn.conn) : 0;

	for (const struct left *l = opened_us ? s->left : NULL; l; l = l->next)
		if (str_eq(l->client, x->header.client_id) && same(&l->at, &x->conn.server) &&
		    opened_us > l->time_us + GRACE_US)
			blame(c, l, x->request_us, api_name(x->header.api_key));
}

/* Nobody says who it is that is turned away: it counts once all who knew the address were told. */
static void judge_attempt(struct check *c, const struct event *ev)
{
	struct addresses *s = c->state;
	int64_t limit = c->scope.number >= 0 ? c->scope.number : ATTEMPTS_DEFAULT;
	const struct told *t = s->told;

	while (t && !same(&t->at, &ev->conn.server))
		t = t->next;
	for (struct left *l = t ? NULL : s->left; l; l = l->next)
		if (same(&l->at, &ev->conn.server) && scope_has(c->scope.client, l->client) &&
		    ev->time_us > l->time_us + GRACE_US && ++l->attempts > limit)
			blame(c, l, ev->time_us, "one connection more than may be");
}

static void note_opened(struct check *c, const struct event *ev)
{
	struct addresses *s = c->state;
	struct opened *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->conn = ev->conn.conn;
	o->time_us = ev->time_us;
	HASH_ADD(hh, s->opened, conn, sizeof(o->conn), o);
}

static void forget_opened(struct check *c, int64_t conn)
{
	struct addresses *s = c->state;
	struct opened *o;

	HASH_FIND(hh, s->opened, &conn, sizeof(conn), o);
	if (o)
		HASH_DELETE(hh, s->opened, o);
	free(o);
}

static void feed_addresses(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind == EVENT_CONN_OPENED)
		note_opened(c, ev);
	if (ev->kind == EVENT_CONN_CLOSED)
		forget_opened(c, ev->conn.conn);
	if (ev->kind == EVENT_CONN_REFUSED)
		judge_attempt(c, ev);
	if (ev->kind != EVENT_EXCHANGE || x->state == EXCHANGE_ORPHAN)
		return;
	if (x->header.api_key == API_METADATA)
		feed_metadata(c, x);
	else if (x->header.api_key == API_FIND_COORDINATOR)
		feed_coordinator(c, x);
	else if (scope_has(c->scope.client, x->header.client_id))
		judge_request(c, x);
}

static void end_addresses(struct check *c, struct finding *f)
{
	const struct addresses *s = c->state;

	f->judged = s->changes;
	if (s->wrong) {
		finding_fault_before(f, c->history, s->told_us);
		finding_moment(f, s->told_us, STR_FMT, STR_ARG(s->told_what));
		finding_moment(f, s->first_us, STR_FMT, STR_ARG(s->first));
		finding_set(f, FINDING_FAIL, STR_FMT " (%llu times in all)", STR_ARG(s->first),
			    (unsigned long long)s->wrong);
	} else if (!s->changes) {
		finding_set(f, FINDING_NOT_APPLICABLE, "nobody was told that a broker had moved");
	} else {
		finding_set(f, FINDING_PASS, "%llu times a client was told that a broker had moved",
			    (unsigned long long)s->changes);
	}
}

static void release_addresses(struct check *c)
{
	struct addresses *s = c->state;

	while (s->opened)
		forget_opened(c, s->opened->conn);
}

const struct check_type check_addresses = {
	.name = "connection.addresses_followed",
	.claim = "once a client was told that a broker has another address, it opens no connection "
		 "to the old one for what that broker alone can do (and tries it 5 times at most, "
		 "or so often as the number says)",
	.see = "Metadata and FindCoordinator tell host and port of each node id",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct addresses),
	.feed = feed_addresses,
	.end = end_addresses,
	.release = release_addresses,
};
