/* What is left out is decided by each exchange and by its connection; steps are then sorted by
 * time.
 *
 * Invariants: a request stands before its answer; at one moment answers stand before requests, so
 * that a client which acted on an answer at once does so again. */
#include "replay/course.h"

#include "base/rand.h"
#include "protocol/messages.h"
#include "replay/nature.h"

#include <stdlib.h>
#include <uthash.h>

#define JOINS_LOOK_BACK 4096 /* exchanges between two that join at once */

/* A question, by its words: the latest exchange so far that asks it. */
struct asked {
	uint64_t hash;
	const struct session_exchange *x;
	UT_hash_handle hh;
};

const char *left_out_text(enum left_out why)
{
	static const char *const texts[LEFT_COUNT] = {
		[LEFT_NOT] = "sent",
		[LEFT_ORPHAN] = "an answer whose request is not in the capture",
		[LEFT_CUT] = "a request with bytes missing",
		[LEFT_UNKNOWN] = "a request of an API or version that is not known",
		[LEFT_MALFORMED] = "a malformed request",
		[LEFT_SECURITY] = "SASL: the live cluster is reached without",
		[LEFT_BROKER] = "brokers speak to each other",
		[LEFT_REFUSED] = "a change that the recorded cluster was not ready for and did not "
				 "make",
	};

	return texts[why];
}

static struct bytes words_of(const struct session_exchange *x)
{
	return (struct bytes){x->request.data + x->header.body, x->request.len - x->header.body};
}

static uint64_t hash_of(const struct session_exchange *x)
{
	struct bytes words = words_of(x);

	return hash_bytes((uint64_t)x->header.api_key << 16 | (uint16_t)x->header.api_version,
			  words.data, (size_t)words.len);
}

static bool same_words(const struct session_exchange *a, const struct session_exchange *b)
{
	struct bytes x = words_of(a), y = words_of(b);

	return a->header.api_key == b->header.api_key &&
	       a->header.api_version == b->header.api_version && x.len == y.len &&
	       memcmp(x.data, y.data, (size_t)x.len) == 0;
}

/* Whether an answer speaks of a topic that the session knows to be there, then or later. */
struct knowing {
	const struct session *session;
	bool known;
};

static void look_for_topic(void *user, const struct leaf *l)
{
	struct knowing *k = user;
	const struct session_topic *t = NULL;

	if (l->field && l->field->type == FIELD_STRING && l->role == ROLE_TOPIC)
		t = session_topic(k->session, *(const struct str *)l->value);
	else if (l->field && l->role == ROLE_TOPIC_ID)
		t = session_topic_of_id(k->session, *(const struct uuid *)l->value);
	k->known |= t != NULL;
}

bool course_not_ready(const struct session *s, const struct session_exchange *x)
{
	struct knowing k = {s, false};
	struct answer_errors e;

	if (!x->response_body)
		return false;
	e = answer_errors(x->header.api_key, x->response_version, x->response_body);
	if (!e.retriable || e.retriable != e.count)
		return false;
	if (!e.no_topic)
		return true;
	leaves_each(message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema,
		    x->response_version, x->response_body, look_for_topic, &k);
	return k.known;
}

/* Of what was to be changed nothing was: a live cluster that is ready would change it twice, since
 * the client asked again. */
static bool refused(const struct session *s, const struct session_exchange *x)
{
	struct nature n = nature_of(x->header.api_key, x->header.api_version, x->request_body);

	struct answer_errors e;

	if (n.question || !course_not_ready(s, x))
		return false;
	e = answer_errors(x->header.api_key, x->response_version, x->response_body);
	return !e.fine && !e.unsure;
}

static enum left_out by_itself(const struct session *s, const struct session_exchange *x)
{
	struct nature n = nature_of(x->header.api_key, x->header.api_version, x->request_body);

	if (x->conn->of_broker)
		return LEFT_BROKER;
	if (x->state == EXCHANGE_ORPHAN)
		return LEFT_ORPHAN;
	switch (x->request_flaw) {
	case FLAW_ABSENT:
	case FLAW_CUT:
		return LEFT_CUT;
	case FLAW_UNKNOWN:
		return LEFT_UNKNOWN;
	case FLAW_MALFORMED:
		return LEFT_MALFORMED;
	case FLAW_NONE:
		break;
	}
	if (n.security)
		return LEFT_SECURITY;
	return refused(s, x) ? LEFT_REFUSED : LEFT_NOT;
}

/* Chains questions of the same words. */
static void find_again(struct course *c, const struct session *s)
{
	struct asked *latest = NULL, *a, *next;
	struct asked *room = calloc(s->exchanges_count + 1, sizeof(*room));

	if (!room)
		abort();
	for (size_t i = s->exchanges_count; i-- > 0;) {
		const struct session_exchange *x = s->exchanges[i];
		uint64_t hash;

		c->again[i] = SIZE_MAX;
		if (c->left_out[i] || !x->response_body ||
		    !nature_of(x->header.api_key, x->header.api_version, x->request_body).question)
			continue;
		hash = hash_of(x);
		HASH_FIND(hh, latest, &hash, sizeof(hash), a);
		if (a && same_words(a->x, x))
			c->again[i] = a->x->index;
		if (!a) {
			a = &room[i];
			a->hash = hash;
			HASH_ADD(hh, latest, hash, sizeof(hash), a);
		}
		a->x = x;
	}
	HASH_ITER (hh, latest, a, next)
		HASH_DELETE(hh, latest, a);
	free(room);
}

static void add(struct course *c, enum course_kind kind, int64_t time_us,
		const struct session_exchange *x, const struct session_conn *conn)
{
	c->steps[c->count++] = (struct course_step){time_us, kind, x, conn};
}

static int rank(const struct course_step *s)
{
	return s->kind == COURSE_ANSWER ? 0 : s->kind == COURSE_SEND ? 1 : 2;
}

static int by_time(const void *x, const void *y)
{
	const struct course_step *a = x, *b = y;

	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	if (a->exchange && b->exchange)
		return a->exchange->index < b->exchange->index ? -1 : 1;
	return a->conn->index < b->conn->index ? -1 : a->conn->index > b->conn->index;
}

/* ---- who came first ---- */

/* A member that has been in a group, by the hash of both names. */
struct joined {
	uint64_t hash;
	UT_hash_handle hh;
};

static const struct join_group_response *join_of(const struct session_exchange *x)
{
	const struct join_group_response *r = x->response_body;

	if (x->header.api_key != API_JOIN_GROUP || !x->request_body || !r || r->error_code)
		return NULL;
	return r;
}

static bool is_leader(const struct join_group_response *r)
{
	return r->member_id.data && str_eq(r->leader, r->member_id);
}

static struct str group_of(const struct session_exchange *x)
{
	return ((const struct join_group_request *)x->request_body)->group_id;
}

/* True if the member was in the group before; it is from now on. */
static bool was_in(struct joined **all, struct str group, struct str member)
{
	uint64_t hash = hash_bytes(hash_bytes(0, group.data, (size_t)group.len), member.data,
				   (size_t)member.len);
	struct joined *j;

	HASH_FIND(hh, *all, &hash, sizeof(hash), j);
	if (j)
		return true;
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->hash = hash;
	HASH_ADD(hh, *all, hash, sizeof(hash), j);
	return false;
}

/* Puts y's request behind x's, unless something else of its connection stands between. */
static void put_behind(const struct session_exchange *y, const struct session_exchange *x,
		       int64_t *sends)
{
	const struct session_conn *conn = y->conn;
	int64_t time_us = sends[x->index] + 1;
	size_t next = y->index_in_conn + 1;

	if (y->response_us <= time_us || sends[y->index] >= time_us ||
	    (next < conn->exchanges_count && sends[conn->exchanges[next]->index] <= time_us))
		return;
	sends[y->index] = time_us;
}

/*
 * Two members that join at once are taken in the order in which the broker worked them, which is
 * not that of the wire; who is new and leads was the first.
 */
static void put_leaders_first(const struct session *s, int64_t *sends)
{
	struct joined *joined = NULL, *one, *next;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i], *y;
		const struct join_group_response *leads = join_of(x), *r;

		if (!leads || was_in(&joined, group_of(x), leads->member_id) || !is_leader(leads))
			continue;
		for (size_t k = i; k-- > 0 && i - k < JOINS_LOOK_BACK;) {
			y = s->exchanges[k];
			r = join_of(y);
			if (r && r->generation_id == leads->generation_id &&
			    str_eq(group_of(x), group_of(y)) && y->conn != x->conn)
				put_behind(y, x, sends);
		}
	}
	HASH_ITER (hh, joined, one, next) {
		HASH_DELETE(hh, joined, one);
		free(one);
	}
}

static void add_steps(struct course *c, const struct session *s)
{
	int64_t *sends = calloc(s->exchanges_count + 1, sizeof(*sends));

	if (!sends)
		abort();
	for (size_t i = 0; i < s->exchanges_count; i++)
		sends[i] = s->exchanges[i]->request_first_us;
	put_leaders_first(s, sends);
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];
		int64_t answer_us = x->response_us;

		if (c->left_out[i])
			continue;
		add(c, COURSE_SEND, sends[i], x, x->conn);
		if (x->state != EXCHANGE_ANSWERED)
			continue;
		if (answer_us <= sends[i])
			answer_us = sends[i] + 1;
		add(c, COURSE_ANSWER, answer_us, x, x->conn);
	}
	for (size_t i = 0; i < s->conns_count; i++) {
		const struct session_conn *conn = s->conns[i];
		int64_t last_us = conn->closed_us;

		if (!conn->closed || conn->refused)
			continue;
		for (size_t k = 0; k < conn->exchanges_count; k++)
			if (conn->exchanges[k]->response_us >= last_us)
				last_us = conn->exchanges[k]->response_us + 1;
		add(c, COURSE_CLOSE, last_us, NULL, conn);
	}
	free(sends);
}

void course_init(struct course *c, const struct session *s)
{
	c->count = 0;
	c->left_out = calloc(s->exchanges_count + 1, sizeof(*c->left_out));
	c->steps = calloc(2 * s->exchanges_count + s->conns_count + 1, sizeof(*c->steps));
	c->again = calloc(s->exchanges_count + 1, sizeof(*c->again));
	if (!c->left_out || !c->steps || !c->again)
		abort();
	for (size_t i = 0; i < s->exchanges_count; i++)
		c->left_out[i] = by_itself(s, s->exchanges[i]);
	find_again(c, s);
	add_steps(c, s);
	if (c->count)
		qsort(c->steps, c->count, sizeof(*c->steps), by_time);
}

void course_release(struct course *c)
{
	free(c->left_out);
	free(c->again);
	free(c->steps);
}
