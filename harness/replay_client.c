/* The player. A cursor goes through the steps of the course (replay/course.h); an answer that is
 * not there yet stops it. Each request that is sent is a job, until its fate is decided.
 *
 * Invariants: a connection of the recording has at most one live connection to each node; a job's
 * arena lives until the job is decided; steps are taken between turns of the loop, never inside of
 * its callbacks. */
#include "harness/replay_client.h"

#include "protocol/frame.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "replay/assigned.h"
#include "replay/convert.h"
#include "replay/course.h"
#include "replay/nature.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define AGAIN_FIRST_US 10000 /* pause before a question is asked again; doubles */
#define AGAIN_MAX_US   250000
#define TOPICS_US      500000 /* so long a coordinator may not know of a change of topics */
#define REBALANCE_MIN_US                                                                          \
	2000		       /* between words of two members of a group, so that they are heard \
				*/
#define REBALANCE_MAX_US  5000 /* in their order; as much of the recorded pause is kept */
#define JOBS_POOL_MAX	  256
#define LATER_ANSWERS_MAX 256
#define TURN_US		  100000

struct player;
struct job;

/* A live connection in the place of a recorded one. */
struct line {
	struct player *p;
	const struct session_conn *conn;
	int32_t node;
	struct live *live; /* NULL: closed */
	bool dirty;	   /* has something to flush */
	struct line *next; /* of the same recorded connection */
	struct line *next_dirty;
};

struct job {
	struct live_request request; /* first */
	struct player *p;
	const struct session_exchange *x;
	struct line *line;
	struct arena arena;
	struct arena found[2]; /* of the differences of this try and of the one before */
	struct holder recorded_request, live_request;
	void *live_body;
	int16_t version;
	int16_t tries;
	bool under_way, decided;
	bool owed;	    /* only an assignment differs, which may yet be told */
	bool session_asked; /* a new fetch session was asked for; this is its id: */
	int32_t session;
	int64_t sent_us, until_us, wait_us;
	struct loop_timer timer;
	struct shared *answer;
	struct differences differences;
	struct buf frame; /* as it went, for the bus */
	struct job *next; /* of the pool, or of those that are owed something */
};

/* The next epoch of a live fetch session. */
struct epoch {
	struct {
		int32_t node, session;
	} key;
	int32_t next;
	UT_hash_handle hh;
};

/* When a group's members last spoke. */
struct spoken {
	char *group;
	const struct session_conn *conn;
	int64_t recorded_us, live_us;
	UT_hash_handle hh;
};

struct player {
	const struct replay_client_options *o;
	struct replay_totals *totals;
	struct loop *loop;
	struct live_cluster *cluster;
	struct course course;
	struct variables *v;
	struct compare *compare;
	struct assigned *assigned;
	struct job **jobs;   /* by exchange */
	struct line **lines; /* by recorded connection */
	struct line *dirty;
	struct epoch *epochs;
	size_t at;			   /* the next step */
	int64_t start_us;		   /* mono */
	int in_vain;			   /* answers that were waited for and differ */
	struct spoken *spoken;		   /* by group */
	int64_t topics_us, topics_live_us; /* when topics last changed, recorded and live */
	struct loop_timer pause, patience;
	struct job *owed;
	struct job *pool;
	int32_t pool_count;
	struct gather gather;
	struct arena scratch; /* of differences that nobody is told */
	int32_t correlation_id;
	const struct seen_topic *wanted;  /* to be made before the next request */
	bool topics_left, no_more_topics; /* some are still to be made; one could not be made */
	bool over;
};

static void make_named_topics(struct player *p, const struct session_exchange *x);

/* ---- results ---- */

static void tell(struct player *p, const struct replay_result *r)
{
	struct replay_totals *t = p->totals;

	t->equal += r->fate == REPLAY_EQUAL;
	t->differing += r->fate == REPLAY_DIFFERING;
	t->missing += r->fate == REPLAY_MISSING;
	t->not_compared += r->fate == REPLAY_NOT_COMPARED;
	t->left_out += r->fate == REPLAY_LEFT_OUT;
	if (p->o->on_result)
		p->o->on_result(p->o->ctx, r);
}

static void emit_live(const struct job *j, const struct session_exchange *x, bool answered)
{
	struct exchange live = {.conn = {.conn = x->conn->number,
					 .broker = j->line ? j->line->node : -1,
					 .client = x->conn->client,
					 .server = x->conn->server},
				.state = answered ? EXCHANGE_ANSWERED : x->state};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &live};
	struct arena arena;

	if (live.state == EXCHANGE_ANSWERED && !answered) {
		live.state = EXCHANGE_LOST;
		live.rule = str_of("not answered live");
	}
	live.request = (struct bytes){j->frame.data + 4, (int32_t)j->frame.len - 4};
	live.request_size = (uint32_t)live.request.len;
	if (frame_read_request(live.request, &live.header, NULL))
		return;
	if (answered) {
		live.response = (struct bytes){j->answer->data, (int32_t)j->answer->size};
		live.response_size = (uint32_t)live.response.len;
	}
	/* the recording's own times: they say what waited for what */
	live.request_first_us = x->request_first_us;
	live.request_us = x->request_us;
	live.response_first_us = x->response_first_us;
	live.response_us = x->response_us;
	ev.time_us = x->response_us ? x->response_us : x->request_us;
	arena_init(&arena, ARENA_EXCHANGE_MAX);
	live.arena = &arena;
	event_emit(j->p->o->bus, &ev);
	arena_release(&arena);
}

static void emit(const struct job *j, enum replay_fate fate)
{
	const struct session_exchange *x = j->x;

	if (j->p->o->bus && j->frame.len > 4)
		emit_live(j, x, j->answer && fate != REPLAY_MISSING);
}

static void free_job(struct player *p, struct job *j)
{
	loop_timer_clear(&j->timer);
	shared_unref(j->answer);
	j->answer = NULL;
	if (p->pool_count < JOBS_POOL_MAX) {
		arena_reset(&j->arena);
		arena_reset(&j->found[0]);
		arena_reset(&j->found[1]);
		buf_reset(&j->frame);
		j->next = p->pool;
		p->pool = j;
		p->pool_count++;
		return;
	}
	arena_release(&j->arena);
	arena_release(&j->found[0]);
	arena_release(&j->found[1]);
	buf_release(&j->frame);
	free(j);
}

/* Of a session of live answers: the capture that it was made of has an answer here. */
static bool lost_live(const struct job *j)
{
	return j->p->o->of_live && j->x->state == EXCHANGE_LOST && j->x->rule.data;
}

/* Its fate is known. The job goes, unless its answer may still come. */
static void decide(struct job *j, enum replay_fate fate, const char *why)
{
	struct player *p = j->p;
	bool lost = fate == REPLAY_NOT_COMPARED && lost_live(j);
	struct replay_result r = {
		.exchange = j->x,
		.fate = lost ? REPLAY_MISSING : fate,
		.why = lost ? "the first cluster gave none, and the capture has one" : why,
		.version = j->version,
		.tries = j->tries,
		.node = j->line ? j->line->node : -1,
		.differences = &j->differences};

	if (j->decided)
		return;
	j->decided = true;
	loop_timer_clear(&j->timer);
	emit(j, fate);
	tell(p, &r);
	if (!j->under_way) {
		p->jobs[j->x->index] = NULL;
		free_job(p, j);
	}
}

/* No answer will come any more. */
static void give_up(struct job *j, enum replay_fate fate, const char *why)
{
	struct player *p = j->p;

	j->under_way = false;
	if (!j->decided) {
		decide(j, fate, why);
		return;
	}
	p->jobs[j->x->index] = NULL;
	free_job(p, j);
}

/* ---- connections ---- */

static void on_timer(void *ctx, struct instant now);
static void take(struct job *j);

static struct job *job_of(struct live_request *r)
{
	return (struct job *)r;
}

static void on_answer(void *ctx, struct live_request *r, struct shared *frame, struct instant last)
{
	struct line *line = ctx;
	struct job *j = job_of(r);

	(void)last;
	j->under_way = false;
	if (j->decided) {
		line->p->jobs[j->x->index] = NULL;
		free_job(line->p, j);
		return;
	}
	shared_unref(j->answer);
	j->answer = shared_keep(frame);
	take(j);
}

/* What was under way gets no answer; the next request opens another connection. */
static void on_closed(void *ctx)
{
	struct line *line = ctx;
	struct player *p = line->p;

	for (size_t i = 0; i < line->conn->exchanges_count; i++) {
		struct job *j = p->jobs[line->conn->exchanges[i]->index];

		if (!j || j->line != line || !j->under_way)
			continue;
		if (j->x->state == EXCHANGE_ANSWERED)
			give_up(j, REPLAY_MISSING, "the live broker closed the connection");
		else
			give_up(j, REPLAY_NOT_COMPARED, NULL);
	}
	live_free(line->live);
	line->live = NULL;
}

static void on_idle(void *ctx)
{
	(void)ctx;
}

static const struct live_callbacks callbacks = {on_answer, on_closed, on_idle};

static struct line *line_to(struct player *p, const struct session_conn *conn,
			    const struct live_node *node, struct error *e)
{
	struct line *line = p->lines[conn->index];

	while (line && line->node != node->id)
		line = line->next;
	if (!line) {
		line = calloc(1, sizeof(*line));
		if (!line)
			abort();
		*line = (struct line){.p = p, .conn = conn, .node = node->id};
		line->next = p->lines[conn->index];
		p->lines[conn->index] = line;
	}
	if (!line->live)
		line->live = live_open(p->loop, &node->address, &callbacks, line, e);
	return line->live ? line : NULL;
}

static void flush(struct player *p)
{
	struct line *line;

	while (p->dirty) {
		line = p->dirty;
		p->dirty = line->next_dirty;
		line->dirty = false;
		if (line->live)
			live_flush(line->live);
	}
}

static void close_lines(struct player *p, const struct session_conn *conn)
{
	for (struct line *line = p->lines[conn->index]; line; line = line->next) {
		if (!line->live)
			continue;
		live_flush(line->live);
		live_free(line->live);
		line->live = NULL;
	}
	for (size_t i = 0; i < conn->exchanges_count; i++) {
		struct job *j = p->jobs[conn->exchanges[i]->index];

		if (j && j->under_way)
			give_up(j, REPLAY_NOT_COMPARED, NULL);
	}
}

/* ---- where to ---- */

/* The live node in the place of a recorded one: by order of their numbers. */
static const struct live_node *node_of(const struct player *p, int32_t recorded)
{
	size_t n = live_cluster_nodes(p->cluster);

	for (size_t i = 0; i < p->o->seen->brokers_count; i++)
		if (p->o->seen->brokers[i].node_id == recorded)
			return live_cluster_node(p->cluster, i % n);
	return live_cluster_node(p->cluster, 0);
}

struct search {
	struct player *p;
	int32_t node;
	enum role role;
	int8_t type;
};

static void find_leader(void *user, const struct leaf *l)
{
	struct search *s = user;
	struct str topic;

	if (!l->field || l->role != ROLE_PARTITION || s->node >= 0)
		return;
	topic = variables_topic_around(s->p->v, SIDE_LIVE, l->in);
	if (topic.data)
		s->node = live_cluster_leader(s->p->cluster, topic,
					      (int32_t)leaf_int(l->field, l->value));
}

static void find_coordinator(void *user, const struct leaf *l)
{
	struct search *s = user;
	const struct str *key = l->value;

	if (!l->field || l->field->type != FIELD_STRING || s->node >= 0 ||
	    variables_role(l->in, l->field) != s->role || key->len <= 0)
		return;
	s->node = live_cluster_coordinator(s->p->cluster, s->type, *key);
}

/* Who is asked: leader or coordinator where they are known, else the node. */
static const struct live_node *route(struct job *j)
{
	struct player *p = j->p;
	struct nature n = nature_of(j->x->header.api_key, j->x->header.api_version, j->live_body);
	const struct schema *s = j->live_request.schema;
	struct search search = {.p = p, .node = -1};
	const struct live_node *found;

	if (live_cluster_nodes(p->cluster) > 1 && n.route == ROUTE_LEADER) {
		leaves_each(s, j->version, j->live_body, find_leader, &search);
	} else if (live_cluster_nodes(p->cluster) > 1 && n.route != ROUTE_NODE) {
		search.type = n.route == ROUTE_TXN;
		search.role = n.route == ROUTE_TXN ? ROLE_TRANSACTIONAL_ID : ROLE_GROUP;
		leaves_each(s, j->version, j->live_body, find_coordinator, &search);
	}
	found = search.node >= 0 ? live_cluster_find_node(p->cluster, search.node) : NULL;
	return found ? found : node_of(p, j->x->conn->broker);
}

/* ---- fetch sessions ---- */

static int64_t peer_of(const struct session_exchange *x)
{
	return x->conn->broker >= 0 ? x->conn->broker : -x->conn->number - 1;
}

static struct epoch *epoch_of(struct player *p, int32_t node, int32_t session)
{
	struct epoch probe = {.key = {node, session}}, *e;

	HASH_FIND(hh, p->epochs, &probe.key, sizeof(probe.key), e);
	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	e->key.node = node;
	e->key.session = session;
	e->next = 1;
	HASH_ADD(hh, p->epochs, key, sizeof(e->key), e);
	return e;
}

/* Epochs of a session are counted as they are sent: a question may be asked twice. */
static void number_fetch(struct job *j, struct fetch_request *r, int32_t node)
{
	if (j->session_asked && j->session) { /* again, in the session that it has by now */
		r->session_id = j->session;
		r->session_epoch = 0;
	}
	if (r->session_epoch < 0 || (r->session_id == 0 && r->session_epoch == 0)) {
		j->session_asked = r->session_epoch == 0;
		return;
	}
	r->session_epoch = epoch_of(j->p, node, r->session_id)->next++;
	if (r->session_epoch == INT32_MAX)
		epoch_of(j->p, node, r->session_id)->next = 1;
}

static void note_session(struct job *j, const struct fetch_response *r)
{
	if (j->session_asked && r->session_id && r->session_id != j->session) {
		j->session = r->session_id;
		epoch_of(j->p, j->line->node, r->session_id)->next = 1;
	}
}

/* A member goes on with the epoch that it came to, whatever the recording calls it. */
static void number_heartbeat(struct job *j)
{
	struct consumer_group_heartbeat_request *consumer = j->live_body;
	struct share_group_heartbeat_request *share = j->live_body;
	int32_t epoch = assigned_epoch(j->p->assigned, j->x);

	int32_t from = j->tries > 0 ? 0 : 1; /* who has joined does not join again */

	if (j->x->header.api_key == API_CONSUMER_GROUP_HEARTBEAT &&
	    consumer->member_epoch >= from && epoch > 0)
		consumer->member_epoch = epoch;
	else if (j->x->header.api_key == API_SHARE_GROUP_HEARTBEAT && share->member_epoch >= from &&
		 epoch > 0)
		share->member_epoch = epoch;
}

/* A wait for records that did not come is of no use where nobody looks at the clock. */
static void shorten_fetch(const struct job *j, struct fetch_request *r)
{
	const struct fetch_response *then = j->x->response_body;

	if (j->p->o->speed > 0 || !then || j->x->state != EXCHANGE_ANSWERED)
		return;
	for (int32_t i = 0; i < then->responses_count; i++)
		for (int32_t k = 0; k < then->responses[i].partitions_count; k++)
			if (then->responses[i].partitions[k].records.len > 0)
				return;
	r->max_wait_ms = 0;
}

/* ---- sending ---- */

/* The version that the node speaks and that is nearest to the recorded one; -1: it does not know
 * the API. ApiVersions is asked as it was: brokers answer any version of it. */
static int version_at(const struct live_node *n, const struct session_exchange *x)
{
	int key = x->header.api_key, version = x->header.api_version;

	if (key == API_API_VERSIONS)
		return version;
	if (n->min[key] > n->max[key])
		return -1;
	return version < n->min[key] ? n->min[key] : version > n->max[key] ? n->max[key] : version;
}

/* Decodes the recorded request anew and says it in the live side's words. */
static bool prepare(struct job *j)
{
	const struct session_exchange *x = j->x;
	struct variables_place place = {.peer = peer_of(x)};
	struct bytes body = {x->request.data + x->header.body, x->request.len - x->header.body};

	arena_reset(&j->arena);
	j->version = x->header.api_version;
	if (frame_decode(x->header.api_key, x->header.api_version, MESSAGE_REQUEST, body, &j->arena,
			 &j->live_body, NULL) < 0)
		return false;
	j->recorded_request =
		(struct holder){message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema,
				x->request_body, x->header.api_version, NULL};
	j->live_request = j->recorded_request;
	j->live_request.msg = j->live_body;
	return variables_apply(j->p->v, SIDE_RECORDED, &place, j->live_request.schema,
			       x->header.api_version, j->live_body, &j->arena);
}

static bool to_version(struct job *j, const struct live_node *node, struct error *e)
{
	int version = version_at(node, j->x);

	if (version < 0) {
		error_set(e, ERR_UNSUPPORTED, "node %d does not know %s", node->id,
			  api_name(j->x->header.api_key));
		return false;
	}
	if (version == j->version)
		return true;
	if (convert_message(j->live_request.schema, j->version, version, j->p->v, SIDE_LIVE, NULL,
			    j->live_body, &j->arena, e))
		return false;
	j->version = (int16_t)version;
	j->live_request.version = version;
	j->p->totals->converted += j->tries == 0;
	return true;
}

static void put_on_line(struct job *j, struct line *line)
{
	bool answered = j->x->state != EXCHANGE_NO_ANSWER;

	j->line = line;
	j->under_way = answered;
	j->sent_us = clock_now().mono_us;
	live_send(line->live, answered ? &j->request : NULL,
		  (struct bytes){j->frame.data, (int32_t)j->frame.len});
	if (!line->dirty) {
		line->dirty = true;
		line->next_dirty = j->p->dirty;
		j->p->dirty = line;
	}
	j->tries++;
	j->p->totals->sent += j->tries == 1;
	j->p->totals->again += j->tries > 1;
}

static bool write_frame(struct job *j, struct error *e)
{
	struct gather *g = &j->p->gather;

	gather_reset(g);
	buf_reset(&j->frame);
	j->request.correlation_id = ++j->p->correlation_id;
	if (frame_write_request(g, j->x->header.api_key, j->version, j->request.correlation_id,
				j->x->header.client_id, j->live_body, e))
		return false;
	gather_flatten(g, &j->frame);
	return !j->frame.bad;
}

/* Sends, or decides what becomes of it. */
static void send(struct job *j)
{
	struct error e = ERROR_INIT;
	const struct live_node *node;
	struct line *line;
	char text[700];

	if (!prepare(j)) {
		decide(j, REPLAY_LEFT_OUT, "too large for the memory of one exchange");
		return;
	}
	node = route(j);
	if (j->x->header.api_key == API_FETCH) {
		shorten_fetch(j, j->live_body);
		number_fetch(j, j->live_body, node->id);
	}
	number_heartbeat(j);
	if (!to_version(j, node, &e) || !write_frame(j, &e)) {
		error_text(&e, text, sizeof(text));
		decide(j, REPLAY_LEFT_OUT,
		       (const char *)arena_printf(&j->found[0], "%s can't be asked there: %s",
						  api_name(j->x->header.api_key), text));
		return;
	}
	line = line_to(j->p, j->x->conn, node, &e);
	if (!line) {
		decide(j, REPLAY_MISSING, error_text(&e, text, sizeof(text)));
		return;
	}
	put_on_line(j, line);
	if (j->x->state == EXCHANGE_NO_ANSWER)
		decide(j, REPLAY_NOT_COMPARED, NULL);
}

static struct job *new_job(struct player *p, const struct session_exchange *x)
{
	struct job *j = p->pool;

	if (j) {
		struct arena arena = j->arena, found[2] = {j->found[0], j->found[1]};
		struct buf frame = j->frame;

		p->pool = j->next;
		p->pool_count--;
		memset(j, 0, offsetof(struct job, differences));
		j->arena = arena;
		memcpy(j->found, found, sizeof(found));
		j->frame = frame;
	} else {
		j = calloc(1, sizeof(*j));
		if (!j)
			abort();
		arena_init(&j->arena, ARENA_EXCHANGE_MAX + (size_t)2 * FRAME_SIZE_MAX);
		arena_init(&j->found[0], ARENA_EXCHANGE_MAX);
		arena_init(&j->found[1], ARENA_EXCHANGE_MAX);
		buf_init(&j->frame, (size_t)FRAME_SIZE_MAX + 4096);
	}
	j->p = p;
	j->x = x;
	j->version = -1;
	j->wait_us = AGAIN_FIRST_US;
	j->differences.count = j->differences.more = 0;
	loop_timer_init(&j->timer, p->loop, on_timer, j);
	p->jobs[x->index] = j;
	return j;
}

/* ---- answers ---- */

static int64_t recorded_pace_us(const struct player *p, const struct session_exchange *x)
{
	return p->start_us + (x->response_us - p->o->session->first_us);
}

/* Until when it may be asked again. */
static int64_t patience_us(const struct job *j, int64_t now_us)
{
	const struct player *p = j->p;
	int64_t until_us = recorded_pace_us(p, j->x);

	if (until_us < now_us)
		until_us = now_us;
	return until_us + (p->in_vain < REPLAY_SETTLE_TIMES ? p->o->settle_us : 0);
}

/* Whether a live answer says that nothing was done and to try again, and the recorded one did not.
 */
static bool refused_for_now(const struct job *j, int version, const void *body)
{
	const struct session_exchange *x = j->x;
	struct answer_errors live = answer_errors(x->header.api_key, version, body), then;

	if (!live.count || live.retriable != live.count || live.fine || live.unsure)
		return false;
	if (live.stale)
		live_cluster_refresh(j->p->cluster);
	then = answer_errors(x->header.api_key, x->response_version, x->response_body);
	return !then.retriable;
}

/* Where a group's or transaction's coordinator went. */
static void look_for_coordinator(struct job *j)
{
	struct nature n = nature_of(j->x->header.api_key, j->version, j->live_body);
	const struct str *key;

	if (n.route != ROUTE_GROUP && n.route != ROUTE_TXN)
		return;
	key = holder_value(&j->live_request,
			   n.route == ROUTE_TXN ? ROLE_TRANSACTIONAL_ID : ROLE_GROUP, NULL);
	if (key && key->data)
		live_cluster_look_for(j->p->cluster, n.route == ROUTE_TXN, *key);
}

/* What a member is to read may be told in another answer than it was. */
static bool is_about_assignment(const struct difference *d)
{
	static const char name[] = "GroupHeartbeat.assignment";

	return memmem(d->name.data, (size_t)d->name.len, name, sizeof(name) - 1) != NULL;
}

static bool lacks_only_assignment(const struct job *j)
{
	for (int32_t i = 0; i < j->differences.count; i++)
		if (!is_about_assignment(&j->differences.items[i]))
			return false;
	return j->differences.count > 0;
}

/* A member that is out of its group stays out. */
static bool is_out(int api_key, int version, const void *body)
{
	struct holder h = {message_of_api(api_key, MESSAGE_RESPONSE)->schema, (void *)body, version,
			   NULL};
	const struct schema_field *f = schema_find(h.schema, str_of("errorCode"));
	int64_t code = f && leaf_is_error(f) ? leaf_int(f, (const uint8_t *)body + f->offset) : 0;

	return code == ERROR_UNKNOWN_MEMBER_ID || code == ERROR_ILLEGAL_GENERATION ||
	       code == ERROR_FENCED_INSTANCE_ID || code == ERROR_FENCED_MEMBER_EPOCH;
}

/* What was said of the group then will not come back, where it has gone on; a rebalance that is to
 * come will. */
static bool may_repeat(const struct job *j, int version, const void *body)
{
	const struct session_exchange *x = j->x;
	struct nature n = nature_of(x->header.api_key, x->header.api_version, x->request_body);

	if (n.rebalance && n.question &&
	    (is_out(x->header.api_key, version, body) ||
	     (x->header.api_key == API_SYNC_GROUP &&
	      !answer_errors(x->header.api_key, x->response_version, x->response_body).count)))
		return false;
	return n.question || refused_for_now(j, version, body) ||
	       (lacks_only_assignment(j) && assigned_epoch(j->p->assigned, x) > 0);
}

/* Asks again after a pause; false: the time is up. */
static bool repeat(struct job *j, int version, const void *body)
{
	int64_t now_us = clock_now().mono_us;

	if (!j->p->o->settle_us || !may_repeat(j, version, body))
		return false;
	if (!j->until_us)
		j->until_us = patience_us(j, now_us);
	if (now_us >= j->until_us)
		return false;
	if (live_cluster_nodes(j->p->cluster) > 1 &&
	    answer_errors(j->x->header.api_key, version, body).stale)
		look_for_coordinator(j);
	loop_timer_set(&j->timer, now_us + j->wait_us);
	j->wait_us = 2 * j->wait_us < AGAIN_MAX_US ? 2 * j->wait_us : AGAIN_MAX_US;
	return true;
}

static void on_timer(void *ctx, struct instant now)
{
	(void)now;
	send(ctx);
}

static void learn(struct job *j, const struct answer *recorded, const struct answer *live)
{
	const struct session_exchange *x = j->x;
	struct variables_place then = {peer_of(x), recorded->request, true},
			       now = {peer_of(x), live->request, true};

	variables_learn(j->p->v, &then, &now,
			message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema,
			recorded->version, recorded->body, live->version, live->body);
}

/* Those of the last try that an earlier one had as well: a Fetch that is asked again need not be
 * told again what it was told before. */
static void keep_common(const struct differences *before, struct differences *last)
{
	int32_t kept = 0;
	bool related;

	for (int32_t i = 0; i < last->count; i++) {
		related = false;
		for (int32_t k = 0; k < before->count && !related; k++)
			related = difference_related(&before->items[k], &last->items[i]);
		if (related)
			last->items[kept++] = last->items[i];
	}
	last->count = kept;
}

/* Answers of two versions meet in the older one: what only the newer one has is not compared. */
static bool meet_versions(struct job *j, const struct session_exchange *x, struct answer *recorded,
			  struct answer *live)
{
	const struct schema *s = message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema;
	struct bytes frame = x->response;
	int32_t correlation_id;
	void *copy = NULL;
	int64_t at;

	if (live->version > recorded->version) {
		if (convert_message(s, live->version, recorded->version, j->p->v, SIDE_LIVE,
				    live->request, (void *)live->body, &j->arena, NULL))
			return false;
		live->version = recorded->version;
	} else if (live->version < recorded->version) {
		at = frame_read_response(frame, x->header.api_key, recorded->version,
					 &correlation_id, NULL);
		if (frame_decode(x->header.api_key, recorded->version, MESSAGE_RESPONSE,
				 (struct bytes){frame.data + at, frame.len - (int32_t)at},
				 &j->arena, &copy, NULL) < 0 ||
		    convert_message(s, recorded->version, live->version, j->p->v, SIDE_RECORDED,
				    recorded->request, copy, &j->arena, NULL))
			return false;
		recorded->body = copy;
		recorded->version = live->version;
	}
	return true;
}

/* Compares with the answer to the same question of one exchange; the number of differences, or -1:
 * of two versions that can't meet. */
static int32_t compare_with(struct job *j, const struct session_exchange *x, int version,
			    void *body, struct differences *ret)
{
	struct answer recorded = {x->response_version, x->response_body, &j->recorded_request},
		      live = {version, body, &j->live_request};
	int32_t n;

	if (!meet_versions(j, x, &recorded, &live))
		return -1;
	n = compare_answers(j->p->compare, x->header.api_key, peer_of(j->x), &recorded, &live, ret);
	if (n == 0)
		learn(j, &recorded, &live);
	return n;
}

/* A live cluster may be further on than the recorded one was: an answer that the same question got
 * later is right as well. */
static bool is_later_answer(struct job *j, int version, void *body)
{
	struct player *p = j->p;
	struct differences found = {.arena = &p->scratch};
	size_t i = j->x->index;

	for (int n = 0; n < LATER_ANSWERS_MAX; n++) {
		i = p->course.again[i];
		if (i == SIZE_MAX)
			return false;
		if (version != p->o->session->exchanges[i]->response_version)
			continue; /* it was converted once already */
		arena_reset(&p->scratch);
		if (compare_with(j, p->o->session->exchanges[i], version, body, &found) == 0)
			return true;
	}
	return false;
}

static void pass_over_assignment(struct job *j, struct differences *found)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < found->count; i++) {
		const struct difference *d = &found->items[i];

		if (!is_about_assignment(d) || !assigned_agrees(j->p->assigned, j->x))
			found->items[kept++] = *d;
	}
	found->count = kept;
}

/* Answers that were owed an assignment and have it by now; all of them at the end. */
static void settle_owed(struct player *p, bool over)
{
	struct job **at = &p->owed, *j;

	while ((j = *at)) {
		bool told = assigned_agrees(p->assigned, j->x);

		if (!told && !over) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		decide(j, told ? REPLAY_EQUAL : REPLAY_DIFFERING, NULL);
	}
}

static void take_assignment(struct job *j, int version, const void *body)
{
	if (!nature_of(j->x->header.api_key, j->version, j->live_body).rebalance)
		return;
	assigned_take(j->p->assigned, j->x, version, body);
	settle_owed(j->p, false);
}

/* Leaves it open what becomes of an answer that lacks no more than an assignment. */
static bool is_owed(struct job *j)
{
	if (!lacks_only_assignment(j))
		return false;
	j->owed = true;
	j->next = j->p->owed;
	j->p->owed = j;
	return true;
}

/* Of an answer that was not learned from when it was compared. */
static void learn_from(struct job *j, int version, void *body)
{
	struct answer recorded = {j->x->response_version, j->x->response_body,
				  &j->recorded_request},
		      live = {version, body, &j->live_request};

	if (version == j->x->response_version)
		learn(j, &recorded, &live);
}

/* It differs to the end. */
static void conclude(struct job *j, int version, void *body)
{
	j->p->in_vain += j->until_us != 0;
	learn_from(j, version, body);
	if (!is_owed(j))
		decide(j, REPLAY_DIFFERING, NULL);
}

static void judge(struct job *j, int version, void *body)
{
	const struct session_exchange *x = j->x;
	struct arena *found = &j->found[j->tries & 1];
	struct differences last = {.arena = found};
	int32_t n;

	arena_reset(found);
	n = compare_with(j, x, version, body, &last);
	if (n < 0) {
		decide(j, REPLAY_NOT_COMPARED, "answers of two versions that can't be compared");
		return;
	}
	if (x->header.api_key == API_FETCH && j->tries > 1)
		keep_common(&j->differences, &last);
	take_assignment(j, version, body);
	pass_over_assignment(j, &last);
	if (n > 0 && last.count == 0)
		learn_from(j, version, body);
	j->differences = last;
	if (last.count == 0 || is_later_answer(j, version, body))
		decide(j, REPLAY_EQUAL, NULL);
	else if (course_not_ready(j->p->o->session, x))
		decide(j, REPLAY_NOT_COMPARED, "the recorded cluster was not ready to answer");
	else if (!repeat(j, version, body))
		conclude(j, version, body);
}

static int response_version(const struct job *j, struct bytes frame)
{
	if (j->x->header.api_key == API_API_VERSIONS && frame.len >= 6 &&
	    wire_u16(frame.data + 4) == 35)
		return 0;
	return j->version;
}

/* An answer came. */
static void take(struct job *j)
{
	const struct session_exchange *x = j->x;
	struct bytes frame = {j->answer->data, (int32_t)j->answer->size};
	int version = response_version(j, frame);
	struct error e = ERROR_INIT;
	void *body = NULL;
	int32_t correlation_id;
	char text[700];
	int64_t at;

	at = frame_read_response(frame, x->header.api_key, version, &correlation_id, &e);
	if (at >= 0)
		at = frame_decode(x->header.api_key, version, MESSAGE_RESPONSE,
				  (struct bytes){frame.data + at, frame.len - (int32_t)at},
				  &j->arena, &body, &e);
	if (at < 0) {
		decide(j, REPLAY_MISSING, error_text(&e, text, sizeof(text)));
		return;
	}
	live_cluster_learn(j->p->cluster, x->header.api_key, j->live_body, body);
	if (x->header.api_key == API_FETCH)
		note_session(j, body);
	if (x->state != EXCHANGE_ANSWERED || x->response_flaw == FLAW_ABSENT)
		decide(j, REPLAY_NOT_COMPARED, NULL);
	else if (!x->response_body)
		decide(j, REPLAY_NOT_COMPARED, session_flaw_text(x->response_flaw));
	else
		judge(j, version, body);
}

static void note(const struct player *p, const char *text)
{
	if (p->o->on_note)
		p->o->on_note(p->o->ctx, text);
}

/* ---- the course ---- */

static void wait_until(struct player *p, int64_t mono_us)
{
	loop_timer_set(&p->pause, mono_us);
}

/* What was last said to the group of a member's word; NULL: it is no such word. */
static struct spoken *spoken_of(struct player *p, const struct session_exchange *x)
{
	struct holder h = {message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema,
			   x->request_body, x->header.api_version, NULL};
	const struct str *group;
	struct spoken *s;

	if (!nature_of(x->header.api_key, x->header.api_version, x->request_body).rebalance)
		return NULL;
	group = holder_value(&h, ROLE_GROUP, NULL);
	if (!group || !group->data)
		return NULL;
	HASH_FIND(hh, p->spoken, group->data, (size_t)group->len, s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->group = str_copy(*group);
	HASH_ADD_KEYPTR(hh, p->spoken, s->group, (size_t)group->len, s);
	return s;
}

/* A rebalance goes by the order in which members speak, and two connections know none. */
static int64_t turn_us(struct player *p, const struct course_step *step)
{
	struct spoken *s = spoken_of(p, step->exchange);
	int64_t gap_us;

	if (!s || !s->conn || s->conn == step->conn)
		return 0;
	gap_us = step->time_us - s->recorded_us;
	gap_us = gap_us < REBALANCE_MIN_US   ? REBALANCE_MIN_US
		 : gap_us > REBALANCE_MAX_US ? REBALANCE_MAX_US
					     : gap_us;
	return s->live_us + gap_us;
}

static void note_spoken(struct player *p, const struct course_step *step)
{
	struct spoken *s = spoken_of(p, step->exchange);

	if (!s)
		return;
	s->conn = step->conn;
	s->recorded_us = step->time_us;
	s->live_us = clock_now().mono_us;
}

/* Coordinators hear of new topics some time after those who made them: a member that joins must not
 * come sooner after than it did. */
static int64_t topics_known_us(const struct player *p, const struct course_step *step)
{
	const struct session_exchange *x = step->exchange;
	struct nature n = nature_of(x->header.api_key, x->header.api_version, x->request_body);
	int64_t gap_us = step->time_us - p->topics_us;

	if (!p->topics_us || !n.rebalance || n.question ||
	    x->header.api_key < API_CONSUMER_GROUP_HEARTBEAT)
		return 0;
	return p->topics_live_us + (gap_us < TOPICS_US ? gap_us : TOPICS_US);
}

static void note_topics(struct player *p, const struct course_step *step)
{
	int16_t key = step->exchange->header.api_key;

	if (key != API_CREATE_TOPICS && key != API_CREATE_PARTITIONS && key != API_DELETE_TOPICS)
		return;
	p->topics_us = step->time_us;
	p->topics_live_us = clock_now().mono_us;
}

/* When a step may be taken; 0: now. */
static int64_t due_us(struct player *p, const struct course_step *s)
{
	int64_t due_us = 0, turn, topics;

	if (s->kind == COURSE_ANSWER)
		return 0;
	if (p->o->speed > 0)
		due_us = p->start_us +
			 (int64_t)((double)(s->time_us - p->o->session->first_us) / p->o->speed);
	if (s->kind != COURSE_SEND)
		return due_us;
	turn = turn_us(p, s);
	topics = topics_known_us(p, s);
	due_us = turn > due_us ? turn : due_us;
	return topics > due_us ? topics : due_us;
}

static void await_leader(void *user, const struct leaf *l)
{
	struct player *p = user;
	struct str topic;

	if (!l->field || l->role != ROLE_PARTITION)
		return;
	topic = variables_topic_around(p->v, SIDE_RECORDED, l->in);
	if (topic.data)
		live_cluster_await_serving(p->cluster, topic,
					   (int32_t)leaf_int(l->field, l->value));
}

/* A Produce without an answer (acks 0) that comes before its leader is ready is lost, and nobody
 * hears of it. */
static void await_leaders(struct player *p, const struct session_exchange *x)
{
	if (x->state == EXCHANGE_NO_ANSWER && x->header.api_key == API_PRODUCE)
		leaves_each(message_of_api(API_PRODUCE, MESSAGE_REQUEST)->schema,
			    x->header.api_version, x->request_body, await_leader, p);
}

static void send_step(struct player *p, const struct course_step *s)
{
	note_spoken(p, s);
	if (p->topics_left && !p->no_more_topics)
		make_named_topics(p, s->exchange);
	await_leaders(p, s->exchange);
	send(new_job(p, s->exchange));
}

/* Takes one step; false: it must wait. */
static bool step(struct player *p)
{
	const struct course_step *s = &p->course.steps[p->at];
	int64_t due = due_us(p, s);
	struct job *j;

	if (due && due > clock_now().mono_us) {
		wait_until(p, due);
		return false;
	}
	switch (s->kind) {
	case COURSE_SEND:
		send_step(p, s);
		break;
	case COURSE_ANSWER:
		j = p->jobs[s->exchange->index];
		if (j && !j->decided && !j->owed) {
			flush(p);
			loop_timer_set(&p->patience, j->sent_us + p->o->answer_us +
							     (s->exchange->response_us -
							      s->exchange->request_first_us));
			return false;
		}
		note_topics(p, s);
		break;
	case COURSE_CLOSE:
		close_lines(p, s->conn);
	}
	p->at++;
	return true;
}

/* All requests went and all answers came that were due. */
static void finish(struct player *p)
{
	p->over = true;
	settle_owed(p, true);
	loop_timer_clear(&p->pause);
	loop_timer_clear(&p->patience);
	for (size_t i = 0; i < p->o->session->conns_count; i++)
		close_lines(p, p->o->session->conns[i]);
	for (size_t i = 0; i < p->o->session->exchanges_count; i++)
		if (p->jobs[i])
			give_up(p->jobs[i], REPLAY_NOT_COMPARED, NULL);
}

static void steps(struct player *p)
{
	while (p->at < p->course.count && step(p))
		;
	flush(p);
	if (p->at == p->course.count)
		finish(p);
}

/* Only to wake the loop. */
static void on_pause(void *ctx, struct instant now)
{
	(void)ctx;
	(void)now;
}

/* The answer that everything waits for does not come. */
static void on_patience(void *ctx, struct instant now)
{
	struct player *p = ctx;
	const struct course_step *s = &p->course.steps[p->at];
	struct job *j = p->at < p->course.count && s->kind == COURSE_ANSWER
				? p->jobs[s->exchange->index]
				: NULL;

	(void)now;
	if (j && !j->decided && clock_now().mono_us - j->sent_us >= p->o->answer_us)
		decide(j, REPLAY_MISSING,
		       "no answer in the time that the recorded one took and --wait");
}

/* ---- the whole ---- */

/* A topic that the session uses, does not create itself, and that the cluster lacks. */
static bool is_missing(const struct player *p, const struct seen_topic *t)
{
	return !t->is_internal && !t->created && t->partitions_count &&
	       !live_cluster_has_topic(p->cluster, t->name);
}

static int make_topic(struct player *p, const struct seen_topic *t, struct error *e)
{
	char text[512];

	if (live_cluster_create(p->cluster, t, e))
		return e->code;
	snprintf(text, sizeof(text), "topic " STR_FMT " made with %d partitions", STR_ARG(t->name),
		 t->partitions_count);
	note(p, text);
	return 0;
}

/* Topics that were there when the recording began. */
static int make_topics(struct player *p, struct error *e)
{
	char text[512];

	for (size_t i = 0; i < p->o->seen->topics_count; i++) {
		const struct seen_topic *t = &p->o->seen->topics[i];

		p->topics_left |= t->absent_until_us && p->o->create_topics;
		if (!is_missing(p, t) || t->absent_until_us)
			continue;
		if (p->o->create_topics && make_topic(p, t, e))
			return e->code;
		if (p->o->create_topics)
			continue;
		snprintf(text, sizeof(text),
			 "topic " STR_FMT " is not there; --create-topics makes it with %d "
			 "partitions",
			 STR_ARG(t->name), t->partitions_count);
		note(p, text);
	}
	return 0;
}

static void name_topic(void *user, const struct leaf *l)
{
	struct player *p = user;
	const struct seen_topic *t;

	if (!l->field || l->role != ROLE_TOPIC || l->field->type != FIELD_STRING)
		return;
	t = seen_topic(p->o->seen, *(const struct str *)l->value);
	if (t && t->absent_until_us && is_missing(p, t))
		p->wanted = t;
}

/* A topic that came into being in the recording without a CreateTopics of its own is made when a
 * request first names it. */
static void make_named_topics(struct player *p, const struct session_exchange *x)
{
	struct error e = ERROR_INIT;
	char text[700];

	do {
		p->wanted = NULL;
		leaves_each(message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema,
			    x->header.api_version, x->request_body, name_topic, p);
	} while (p->wanted && make_topic(p, p->wanted, &e) == 0);
	if (e.code)
		note(p, error_text(&e, text, sizeof(text)));
	if (e.code)
		p->no_more_topics = true;
}

static void find_cluster(void *user, const struct leaf *l)
{
	struct str *id = user;

	if (l->field && l->role == ROLE_CLUSTER && l->field->type == FIELD_STRING && !id->len)
		*id = *(const struct str *)l->value;
}

/* The cluster's id, which clients say back from their second connection on (KIP-1242). */
static void know_cluster(struct player *p)
{
	const struct session *s = p->o->session;
	struct str id = {NULL, 0}, live = live_cluster_id(p->cluster);

	for (size_t i = 0; i < s->exchanges_count && !id.len; i++)
		if (s->exchanges[i]->response_body)
			leaves_each(
				message_of_api(s->exchanges[i]->header.api_key, MESSAGE_RESPONSE)
					->schema,
				s->exchanges[i]->response_version, s->exchanges[i]->response_body,
				find_cluster, &id);
	if (id.len && live.len)
		variables_bind_str(p->v, ROLE_CLUSTER, id, live);
}

static void know_names(struct player *p)
{
	const struct session *s = p->o->session;
	const struct seen *seen = p->o->seen;
	size_t n = live_cluster_nodes(p->cluster);

	for (size_t i = 0; i < s->topics_count; i++)
		variables_set_topic(p->v, SIDE_RECORDED, s->topics[i]->id, s->topics[i]->name);
	for (size_t i = 0; i < seen->brokers_count && i < n; i++)
		variables_bind_int(p->v, ROLE_BROKER, seen->brokers[i].node_id,
				   live_cluster_node(p->cluster, i)->id);
	know_cluster(p);
	compare_set_session(p->compare, s);
	compare_set_brokers(p->compare, (int32_t)n);
	variables_set_suffix(p->v, p->o->suffix);
}

static void tell_left_out(struct player *p)
{
	for (size_t i = 0; i < p->o->session->exchanges_count; i++) {
		struct replay_result r = {.exchange = p->o->session->exchanges[i],
					  .fate = REPLAY_LEFT_OUT,
					  .why = left_out_text(p->course.left_out[i]),
					  .version = -1,
					  .node = -1};

		if (p->course.left_out[i])
			tell(p, &r);
	}
}

static int prepare_player(struct player *p, struct error *e)
{
	for (size_t i = 0; i < p->o->ignored_count; i++)
		if (compare_ignore(p->compare, p->o->ignored[i], e))
			return e->code;
	p->cluster = live_cluster_open(p->loop, &p->o->to, p->o->anywhere, e);
	if (!p->cluster)
		return e->code;
	know_names(p);
	return make_topics(p, e);
}

static void play(struct player *p)
{
	tell_left_out(p);
	p->start_us = clock_now().mono_us;
	for (steps(p); !p->over; steps(p))
		loop_turn(p->loop, TURN_US);
	for (int role = 0; role < ROLE_COUNT; role++)
		p->totals->unknown[role] = variables_unknown(p->v, (enum role)role);
}

static void release(struct player *p)
{
	struct epoch *e, *next_e;
	struct spoken *spoken, *next_spoken;
	struct line *line, *next;
	struct job *j;

	HASH_ITER (hh, p->epochs, e, next_e) {
		HASH_DELETE(hh, p->epochs, e);
		free(e);
	}
	HASH_ITER (hh, p->spoken, spoken, next_spoken) {
		HASH_DELETE(hh, p->spoken, spoken);
		free(spoken->group);
		free(spoken);
	}
	for (size_t i = 0; i < p->o->session->conns_count; i++)
		for (line = p->lines[i]; line; line = next) {
			next = line->next;
			live_free(line->live);
			free(line);
		}
	p->pool_count = JOBS_POOL_MAX;
	while ((j = p->pool)) {
		p->pool = j->next;
		free_job(p, j);
	}
	live_cluster_free(p->cluster);
	assigned_free(p->assigned);
	compare_free(p->compare);
	variables_free(p->v);
	course_release(&p->course);
	gather_release(&p->gather);
	arena_release(&p->scratch);
	free(p->jobs);
	free(p->lines);
}

int replay_client_run(struct loop *l, const struct replay_client_options *o,
		      struct replay_totals *ret, struct error *e)
{
	struct player p = {.o = o, .totals = ret, .loop = l};
	int rc;

	*ret = (struct replay_totals){0};
	p.v = variables_new();
	p.compare = compare_new(p.v);
	p.assigned = assigned_new(o->session, p.v);
	p.jobs = calloc(o->session->exchanges_count + 1, sizeof(*p.jobs));
	p.lines = calloc(o->session->conns_count + 1, sizeof(*p.lines));
	if (!p.jobs || !p.lines)
		abort();
	gather_init(&p.gather, (size_t)FRAME_SIZE_MAX + 4096);
	arena_init(&p.scratch, ARENA_EXCHANGE_MAX);
	loop_timer_init(&p.pause, l, on_pause, &p);
	loop_timer_init(&p.patience, l, on_patience, &p);
	course_init(&p.course, o->session);
	rc = prepare_player(&p, e);
	if (rc == 0)
		play(&p);
	release(&p);
	return rc;
}
