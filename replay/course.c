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

/* A connection over which something was said that only brokers say is a broker's. */
static void leave_out_brokers(struct course *c, const struct session *s)
{
	bool *broker = calloc(s->conns_count + 1, sizeof(*broker));

	if (!broker)
		abort();
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (x->state != EXCHANGE_ORPHAN &&
		    nature_of(x->header.api_key, x->header.api_version, x->request_body).internal)
			broker[x->conn->index] = true;
	}
	for (size_t i = 0; i < s->exchanges_count; i++)
		if (broker[s->exchanges[i]->conn->index])
			c->left_out[i] = LEFT_BROKER;
	free(broker);
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

static void add_steps(struct course *c, const struct session *s)
{
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];
		int64_t answer_us = x->response_us;

		if (c->left_out[i])
			continue;
		add(c, COURSE_SEND, x->request_first_us, x, x->conn);
		if (x->state != EXCHANGE_ANSWERED)
			continue;
		if (answer_us <= x->request_first_us)
			answer_us = x->request_first_us + 1;
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
	leave_out_brokers(c, s);
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
