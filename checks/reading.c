/* What a capture alone shows of reading on and of being answered: after a rebalance a partition is
 * fetched from where it was committed, and a request is not left without its answer. Judged as the
 * exchanges come; a capture may begin anywhere.
 *
 * What was fetched need not have been read: clients fetch ahead, and what still waits in them at a
 * rebalance is rightly fetched again. Only what lies below the last commit surely was read.
 *
 * Fetch does not say for which group it reads: that is known by the client id and host of who
 * speaks for a group. Topics of Fetch are ids, those of commits mostly names: what Metadata tells
 * joins the two. Memory is bounded by the numbers below. */
#include "checks/types.h"

#include "checks/hash.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdio.h>
#include <uthash.h>

#define READERS_MAX 20000
#define PLACES_MAX  100000
#define NAMES_MAX   50000

/* ---- wire.read_on ---- */

/* Somebody who speaks for a group. */
struct reader {
	uint64_t who; /* hash of client id and host */
	uint64_t group;
	int32_t generation;
	bool several; /* speaks for more than one: not judged */
	UT_hash_handle hh;
};

/* A partition that a group reads. */
struct place {
	uint64_t key; /* hash of cluster, group, topic and partition */
	struct str text;
	struct uuid id; /* of its topic, as far as known: made anew, its offsets begin anew */
	uint64_t who;	/* read it last, */
	int32_t generation;
	int64_t next, read_us; /* up to there; -1: not known */
	int64_t committed, commit_us;
	UT_hash_handle hh;
};

struct topic_name {
	struct uuid id;
	struct str name;
	uint64_t place; /* hash of cluster and name; of several, the newest is in the hash */
	UT_hash_handle hh, hh_place;
};

/* What was fetched again. */
struct again {
	uint64_t times, offsets;
	struct str first;
	struct finding_moment moments[3];
	int32_t moments_count;
};

struct reading {
	struct reader *readers;
	struct place *places;
	struct topic_name *names, *names_by_place;
	uint64_t judged;
	struct again below, above; /* the last commit */
};

static struct reader *reader_of(struct check *c, const struct exchange *x, bool make)
{
	struct reading *s = c->state;
	uint64_t who = hash_sender(x);
	struct reader *r;

	HASH_FIND(hh, s->readers, &who, sizeof(who), r);
	if (r || !make || HASH_COUNT(s->readers) >= READERS_MAX)
		return r;
	r = arena_zalloc(c->arena, sizeof(*r));
	if (!r)
		return NULL;
	r->who = who;
	HASH_ADD(hh, s->readers, who, sizeof(r->who), r);
	return r;
}

static uint64_t hash_in_cluster(struct check *c, const struct exchange *x, struct str text)
{
	uint64_t cluster = history_cluster(c->history, &x->conn);

	return hash_str(hash_more(FNV_BASIS, &cluster, sizeof(cluster)), text);
}

/* x speaks for a member of that generation. */
static void take_member(struct check *c, const struct exchange *x, struct str group,
			int32_t generation)
{
	struct reader *r = group.len ? reader_of(c, x, true) : NULL;
	uint64_t h = hash_in_cluster(c, x, group);

	if (!r || generation < 0)
		return;
	if (r->group && r->group != h)
		r->several = true;
	r->group = h;
	if (generation > r->generation)
		r->generation = generation;
}

static struct str name_of(const struct reading *s, struct str name, struct uuid id)
{
	struct topic_name *t = NULL;

	if (name.len)
		return name;
	HASH_FIND(hh, s->names, &id, sizeof(id), t);
	return t ? t->name : (struct str){0};
}

static void take_metadata(struct check *c, struct exchange *x)
{
	const struct metadata_response *m = exchange_response(x);
	struct reading *s = c->state;
	struct topic_name *t, *older;

	for (int32_t i = 0; m && i < m->topics_count; i++) {
		if (!m->topics[i].name.len || uuid_is_zero(m->topics[i].topic_id))
			continue;
		HASH_FIND(hh, s->names, &m->topics[i].topic_id, sizeof(struct uuid), t);
		if (t || HASH_COUNT(s->names) >= NAMES_MAX ||
		    !(t = arena_zalloc(c->arena, sizeof(*t))))
			continue;
		t->id = m->topics[i].topic_id;
		t->name = arena_str(c->arena, m->topics[i].name);
		t->place = hash_in_cluster(c, x, t->name);
		HASH_ADD(hh, s->names, id, sizeof(t->id), t);
		HASH_FIND(hh_place, s->names_by_place, &t->place, sizeof(t->place), older);
		if (older)
			HASH_DELETE(hh_place, s->names_by_place, older);
		HASH_ADD(hh_place, s->names_by_place, place, sizeof(t->place), t);
	}
}

/* A topic of that name was made anew: where its older one was read to tells nothing. */
static void renew(struct check *c, const struct exchange *x, struct place *p, struct str name,
		  struct uuid id)
{
	struct reading *s = c->state;
	uint64_t key = hash_in_cluster(c, x, name);
	struct topic_name *t = NULL;

	if (uuid_is_zero(id)) {
		HASH_FIND(hh_place, s->names_by_place, &key, sizeof(key), t);
		id = t ? t->id : id;
	}
	if (!uuid_is_zero(id) && !uuid_is_zero(p->id) && !uuid_eq(p->id, id))
		p->next = p->committed = -1;
	p->id = uuid_is_zero(id) ? p->id : id;
}

static struct place *place_of(struct check *c, const struct exchange *x, uint64_t group,
			      struct str name, struct uuid id, int32_t partition)
{
	struct reading *s = c->state;
	struct str topic = name_of(s, name, id);
	uint64_t key = hash_more(hash_str(group, topic), &partition, sizeof(partition));
	struct place *p;

	if (!topic.len)
		return NULL;
	HASH_FIND(hh, s->places, &key, sizeof(key), p);
	if (p)
		renew(c, x, p, topic, id);
	if (p || HASH_COUNT(s->places) >= PLACES_MAX)
		return p;
	p = arena_zalloc(c->arena, sizeof(*p));
	if (!p)
		return NULL;
	p->key = key;
	p->text = str_of(arena_printf(c->arena, STR_FMT "-%d", STR_ARG(topic), partition));
	p->next = p->committed = -1;
	renew(c, x, p, topic, id);
	HASH_ADD(hh, s->places, key, sizeof(p->key), p);
	return p;
}

static void take_commit(struct check *c, struct exchange *x)
{
	const struct offset_commit_request *q = exchange_request(x);
	const struct offset_commit_response *r = exchange_response(x);

	if (!q || !r)
		return;
	take_member(c, x, q->group_id, q->generation_id_or_member_epoch);
	for (int32_t i = 0; i < q->topics_count && i < r->topics_count; i++)
		for (int32_t k = 0;
		     k < q->topics[i].partitions_count && k < r->topics[i].partitions_count; k++) {
			struct place *p =
				r->topics[i].partitions[k].error_code
					? NULL
					: place_of(c, x, hash_in_cluster(c, x, q->group_id),
						   q->topics[i].name, q->topics[i].topic_id,
						   q->topics[i].partitions[k].partition_index);

			if (!p)
				continue;
			p->committed = q->topics[i].partitions[k].committed_offset;
			p->commit_us = x->request_us;
		}
}

static void read_again(struct check *c, const struct exchange *x, const struct place *p,
		       int64_t offset, int32_t generation)
{
	struct reading *s = c->state;
	struct again *a = offset < p->committed ? &s->below : &s->above;
	char commit[80] = "nothing was seen to be committed before";

	a->offsets += (uint64_t)(p->next - offset);
	if (a->times++)
		return;
	if (p->committed >= 0)
		snprintf(commit, sizeof(commit), "the last commit before was %lld",
			 (long long)p->committed);
	a->first = str_of(arena_printf(c->arena,
				       STR_FMT ": offsets %lld to %lld are fetched again in "
					       "generation %d; %s",
				       STR_ARG(p->text), (long long)offset, (long long)p->next - 1,
				       generation, commit));
	a->moments[a->moments_count++] = (struct finding_moment){
		.time_us = p->read_us,
		.text = str_of(arena_printf(c->arena, "Fetch answer with " STR_FMT " up to %lld",
					    STR_ARG(p->text), (long long)p->next - 1))};
	if (p->committed >= 0)
		a->moments[a->moments_count++] = (struct finding_moment){
			.time_us = p->commit_us,
			.text = str_of(arena_printf(c->arena, "OffsetCommit of " STR_FMT " at %lld",
						    STR_ARG(p->text), (long long)p->committed))};
	a->moments[a->moments_count++] = (struct finding_moment){
		.time_us = x->request_us,
		.text = str_of(arena_printf(c->arena, "Fetch of " STR_FMT " from %lld",
					    STR_ARG(p->text), (long long)offset))};
}

/* Whether x was on its way when somebody else read there: it tells nothing of who goes on. */
static bool is_late(const struct exchange *x, const struct reader *who, const struct place *p)
{
	return p->who && p->who != who->who && x->request_us <= p->read_us;
}

static void take_asked(struct check *c, const struct exchange *x, const struct reader *who,
		       struct place *p, int64_t offset)
{
	struct reading *s = c->state;

	/* Another generation, or another reader: the last one's place is what counts. */
	if (p->next < 0 || (p->generation == who->generation && p->who == who->who) ||
	    is_late(x, who, p))
		return;
	s->judged++;
	if (offset >= 0 && offset < p->next)
		read_again(c, x, p, offset, who->generation);
	p->who = who->who;
	p->generation = who->generation;
	p->next = -1;
}

static int64_t end_of(const struct records *records)
{
	struct records_reader reader;
	struct batch batch;
	int64_t end = -1;

	if (!records->data || records->span_count)
		return -1;
	records_reader_init(&reader, records->data, (size_t)records->len);
	while (records_next(&reader, &batch, NULL) > 0)
		end = batch.last_offset < INT64_MAX ? batch.last_offset + 1 : -1;
	return end;
}

static void take_fetch(struct check *c, struct exchange *x)
{
	const struct fetch_request *q = exchange_request(x);
	const struct fetch_response *r = exchange_response(x);
	const struct reader *who = reader_of(c, x, false);

	if (!q || !r || !who || who->several || !who->group)
		return;
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++) {
			struct place *p = place_of(c, x, who->group, q->topics[i].topic,
						   q->topics[i].topic_id,
						   q->topics[i].partitions[k].partition);

			if (p)
				take_asked(c, x, who, p, q->topics[i].partitions[k].fetch_offset);
		}
	for (int32_t i = 0; i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partitions_count; k++) {
			struct place *p = place_of(c, x, who->group, r->responses[i].topic,
						   r->responses[i].topic_id,
						   r->responses[i].partitions[k].partition_index);
			int64_t end = end_of(&r->responses[i].partitions[k].records);

			if (!p || end < 0 || is_late(x, who, p))
				continue;
			p->next = end > p->next ? end : p->next;
			p->read_us = x->response_us;
			p->who = who->who;
			p->generation = who->generation;
		}
}

/* Messages that say which group their sender is of, and in which generation. */
static void take_group(struct check *c, struct exchange *x)
{
	const struct join_group_response *j;
	const struct join_group_request *jq;
	const struct heartbeat_request *h;
	const struct consumer_group_heartbeat_request *cq;
	const struct consumer_group_heartbeat_response *cr;

	switch (x->header.api_key) {
	case API_JOIN_GROUP:
		jq = exchange_request(x);
		j = exchange_response(x);
		if (jq && j && !j->error_code)
			take_member(c, x, jq->group_id, j->generation_id);
		break;
	case API_HEARTBEAT:
		h = exchange_request(x);
		if (h)
			take_member(c, x, h->group_id, h->generation_id);
		break;
	case API_CONSUMER_GROUP_HEARTBEAT:
		cq = exchange_request(x);
		cr = exchange_response(x);
		if (cq && cr && !cr->error_code)
			take_member(c, x, cq->group_id, cr->member_epoch);
		break;
	default:
		break;
	}
}

static void feed_read_on(struct check *c, const struct event *ev)
{
	if (ev->kind != EVENT_EXCHANGE)
		return;
	switch (ev->exchange->header.api_key) {
	case API_METADATA:
		take_metadata(c, ev->exchange);
		break;
	case API_OFFSET_COMMIT:
		take_commit(c, ev->exchange);
		break;
	case API_FETCH:
		take_fetch(c, ev->exchange);
		break;
	default:
		take_group(c, ev->exchange);
	}
}

static void end_read_on(struct check *c, struct finding *f)
{
	struct reading *s = c->state;
	const struct again *a = s->below.times ? &s->below : &s->above;

	f->judged = s->judged;
	for (int32_t i = 0; i < a->moments_count; i++)
		finding_moment(f, a->moments[i].time_us, STR_FMT, STR_ARG(a->moments[i].text));
	if (a->times)
		finding_set(f, a == &s->below ? FINDING_FAIL : FINDING_INCONCLUSIVE,
			    STR_FMT " (%llu offsets of %llu partitions in all)%s",
			    STR_ARG(a->first), (unsigned long long)a->offsets,
			    (unsigned long long)a->times,
			    a == &s->below ? ""
					   : "; they were read and not committed, or fetched ahead "
					     "and not read yet");
	else if (!s->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "no partition was seen to go on to another reader or generation");
	else
		finding_set(f, FINDING_PASS, "%llu partitions that went on",
			    (unsigned long long)s->judged);
}

static void release_read_on(struct check *c)
{
	struct reading *s = c->state;

	HASH_CLEAR(hh, s->readers);
	HASH_CLEAR(hh, s->places);
	HASH_CLEAR(hh_place, s->names_by_place);
	HASH_CLEAR(hh, s->names);
}

const struct check_type check_wire_read_on = {
	.name = "wire.read_on",
	.claim = "after a rebalance nothing is fetched again that had been committed before",
	.see = "a commit before partitions are given up; at-least-once delivery",
	.needs = NEEDS_WIRE,
	.capture = true,
	.should = true,
	.state_size = sizeof(struct reading),
	.feed = feed_read_on,
	.end = end_read_on,
	.release = release_read_on,
};

/* ---- wire.answered ---- */

#define PATIENCE_US 5000000  /* beyond what a request asks to wait for */
#define TIMEOUT_US  30000000 /* request.timeout.ms: where the capture ends first, nobody knows */
#define OPEN_MAX    20000    /* requests that wait for their connection's end */

/* A request without an answer; what that means, the end of its connection tells. */
struct unanswered {
	int64_t conn, request_us, told_us, wish_us;
	struct str text;
	struct unanswered *next;
};

struct answering {
	struct unanswered *open; /* of connections that have not ended; the newest first */
	struct unanswered *spare;
	uint32_t open_count;
	uint64_t judged, wrong, unheard; /* unheard: answers that nobody captured, perhaps */
	bool lacking;			 /* the capture lacks bytes, somewhere */
	struct str first;
	int64_t first_us, end_us;
};

/* How long the broker may take, as the request itself says. */
static int64_t wish_of(struct exchange *x)
{
	const struct fetch_request *f;
	const struct join_group_request *j;
	const struct produce_request *p;

	switch (x->header.api_key) {
	case API_FETCH:
		f = exchange_request(x);
		return f ? (int64_t)f->max_wait_ms * 1000 : 0;
	case API_PRODUCE:
		p = exchange_request(x);
		return p ? (int64_t)p->timeout_ms * 1000 : 0;
	case API_JOIN_GROUP:
	case API_SYNC_GROUP:
		j = x->header.api_key == API_JOIN_GROUP ? exchange_request(x) : NULL;
		return j && j->rebalance_timeout_ms > 0 ? (int64_t)j->rebalance_timeout_ms * 1000
							: (int64_t)300000000;
	default:
		return 0;
	}
}

static void take_unanswered(struct check *c, struct exchange *x, int64_t time_us)
{
	struct answering *s = c->state;
	const char *api = api_name(x->header.api_key);
	struct unanswered *u = s->spare;

	if (s->open_count == OPEN_MAX)
		return;
	if (u)
		s->spare = u->next;
	else
		u = arena_alloc(c->arena, sizeof(*u));
	if (!u)
		return;
	*u = (struct unanswered){.conn = x->conn.conn,
				 .request_us = x->request_us,
				 .told_us = time_us,
				 .wish_us = wish_of(x),
				 .next = s->open};
	if (!s->wrong)
		u->text = str_of(arena_printf(c->arena, "%s v%d (connection %lld correlation %d)",
					      api ? api : "?", x->header.api_version,
					      (long long)x->conn.conn, x->header.correlation_id));
	s->open = u;
	s->open_count++;
}

static void judge_unanswered(struct check *c, const struct unanswered *u, enum close_how how,
			     int64_t time_us)
{
	struct answering *s = c->state;
	bool by_broker = how == CLOSE_BY_BROKER || how == CLOSE_RESET_BY_BROKER;
	int64_t waited_us = time_us - u->request_us;
	int64_t allowed_us = u->wish_us + (how == CLOSE_END_OF_INPUT ? TIMEOUT_US : PATIENCE_US);

	s->judged++;
	/* A client that closes, and a capture that ends, leave requests behind. */
	if ((!by_broker && waited_us <= allowed_us) || s->wrong++)
		return;
	s->first_us = u->request_us;
	s->end_us = time_us;
	s->first = str_of(arena_printf(
		c->arena, STR_FMT " had no answer when %s, %.3f s later", STR_ARG(u->text),
		by_broker		    ? "the broker closed the connection"
		: how == CLOSE_END_OF_INPUT ? "the capture ended"
					    : "the client closed the connection",
		(double)waited_us / 1e6));
}

static void take_close(struct check *c, const struct event *ev)
{
	struct answering *s = c->state;
	struct unanswered **at = &s->open, *u;

	while ((u = *at)) {
		if (u->conn != ev->conn.conn) {
			at = &u->next;
			continue;
		}
		judge_unanswered(c, u, ev->conn.how, ev->time_us);
		*at = u->next;
		u->next = s->spare;
		s->spare = u;
		s->open_count--;
	}
}

static bool lacks_bytes(const struct exchange *x)
{
	return (x->request_size && !x->request.data) || (x->response_size && !x->response.data);
}

static void feed_answered(struct check *c, const struct event *ev)
{
	struct answering *s = c->state;

	if (ev->kind == EVENT_CONN_CLOSED)
		take_close(c, ev);
	if (ev->kind == EVENT_UNMATCHED)
		s->lacking |= ev->unmatched.missing > 0;
	if (ev->kind != EVENT_EXCHANGE)
		return;
	s->judged += ev->exchange->state == EXCHANGE_ANSWERED;
	s->unheard += ev->exchange->unheard;
	s->lacking |= lacks_bytes(ev->exchange);
	if (ev->exchange->state == EXCHANGE_LOST && !ev->exchange->response_us &&
	    !ev->exchange->unheard)
		take_unanswered(c, ev->exchange, ev->time_us);
}

static void end_answered(struct check *c, struct finding *f)
{
	struct answering *s = c->state;

	f->judged = s->judged;
	if (s->wrong) {
		finding_moment(f, s->first_us, "the request");
		finding_moment(f, s->end_us, "the end");
		finding_set(f, FINDING_FAIL, STR_FMT, STR_ARG(s->first));
		if (s->wrong > 1)
			finding_set(f, FINDING_FAIL, STR_FMT " (and %llu more)", STR_ARG(s->first),
				    (unsigned long long)s->wrong - 1);
		if (s->lacking)
			finding_set(f, FINDING_INCONCLUSIVE,
				    STR_FMT "; but the capture lacks bytes elsewhere, so perhaps "
					    "this answer, too",
				    STR_ARG(s->first));
	} else if (!s->judged) {
		finding_set(f, FINDING_NOT_APPLICABLE,
			    s->unheard ? "the capture lacks the bytes in which answers may stand"
				       : "no request was seen");
	} else {
		finding_set(f, FINDING_PASS, "%llu requests", (unsigned long long)s->judged);
	}
}

const struct check_type check_wire_answered = {
	.name = "wire.answered",
	.claim = "a request gets its answer before its connection ends",
	.see = "the protocol guide",
	.needs = NEEDS_WIRE,
	.capture = true,
	.should = true,
	.state_size = sizeof(struct answering),
	.feed = feed_answered,
	.end = end_answered,
};
