/* The stand-in's life: what it begins with, the calls that wait, and the two worlds' ids. A
 * recorded id is known from the answer that gave it: where the capture's said one thing and the
 * stand-in's another, requests that follow say the other.
 *
 * Invariants: a request is decoded anew from a copy of its frame, so that the recording stays as it
 * is; a log is never shorter here than what the capture is about to say of it. */
#include "harness/stand_in.h"

#include "mock/happen.h"
#include "mock/inspect.h"
#include "mock/put.h"
#include "mock/topic.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "replay/variables.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX    ((size_t)64 << 20)
#define DELAY_MAX_MS 3000 /* group.initial.rebalance.delay.ms, as Kafka has it */
#define FILL_MAX     1000000000
#define KEY_SIZE     600
#define BATCH_MAX    ((size_t)64 << 20)

struct stand_in {
	struct stand_in_config config;
	struct cluster *cluster;
	struct instant now;
	struct asked *waiting;
	struct variables *variables;
	struct names *names;
	struct buf batch;
};

/* ---- ids ---- */

static struct variables_place place_of(const struct session_exchange *x,
				       const struct holder *around)
{
	return (struct variables_place){
		.peer = x->conn->broker, .around = around, .answer = around != NULL};
}

/* An error answer may be of another version than the recorded one. */
static void learn(struct stand_in *s, const struct asked *a)
{
	const struct message *q = message_of_api(a->call.header.api_key, MESSAGE_REQUEST);
	const struct message *m = message_of_api(a->call.header.api_key, MESSAGE_RESPONSE);
	struct holder told = {.schema = q->schema, .msg = a->x->request_body};
	struct holder here = {.schema = q->schema, .msg = (void *)(uintptr_t)a->call.request};
	struct variables_place told_place = place_of(a->x, &told);
	struct variables_place here_place = place_of(a->x, &here);

	if (a->x->response_body)
		variables_learn(s->variables, &told_place, &here_place, m->schema,
				a->x->response_version, a->x->response_body,
				a->call.response_version, a->call.response);
}

/* Says the request in the stand-in's words. */
static bool rewrite(struct stand_in *s, struct asked *a)
{
	const struct message *q = message_of_api(a->call.header.api_key, MESSAGE_REQUEST);
	struct variables_place place = place_of(a->x, NULL);

	return variables_apply(s->variables, SIDE_RECORDED, &place, q->schema,
			       a->call.header.api_version, (void *)(uintptr_t)a->call.request,
			       &a->arena);
}

/* ---- logs ---- */

/* Offsets without a record, from the log's end to that offset. */
static void fill_to(struct stand_in *s, struct str topic, int32_t partition, int64_t end)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct partition_view view;
	struct batch_builder b;

	if (cluster_partition_view(s->cluster, topic, partition, &view, NULL) ||
	    end <= view.log_end)
		return;
	options.last_offset_delta = 0;
	buf_reset(&s->batch);
	batch_builder_init(&b, &options, &s->batch);
	if (!batch_builder_end(&b, NULL))
		cluster_put_batch(s->cluster, topic, partition,
				  (struct bytes){s->batch.data, (int32_t)s->batch.len},
				  end - view.log_end - 1, s->now, NULL);
	batch_builder_release(&b);
}

/* A batch as it was where it tells of a producer, else as so many offsets. */
static void put_batch(struct stand_in *s, struct str topic, int32_t partition,
		      const struct seen_batch *b)
{
	if (b->magic != 2 || b->producer_id < 0 || b->crc_wrong) {
		fill_to(s, topic, partition, b->last_offset + 1);
		return;
	}
	fill_to(s, topic, partition, b->base_offset);
	cluster_put_batch(s->cluster, topic, partition, b->bytes, 0, s->now, NULL);
}

static void fill_partition(struct stand_in *s, struct str topic, const struct seen_partition *p)
{
	char text[600];
	int64_t end = p->end_first;

	for (size_t i = 0; i < p->batches_count; i++)
		if (seen_before(p, &p->batches[i]))
			put_batch(s, topic, p->index, &p->batches[i]);
	if (p->own_first != SEEN_UNKNOWN)
		end = p->own_first;
	if (end > 0)
		fill_to(s, topic, p->index, end);
	if (p->start_first > 0) {
		fill_to(s, topic, p->index, p->start_first);
		snprintf(text, sizeof(text),
			 "log-start-move topic=" STR_FMT " partition=%d offset=%lld",
			 STR_ARG(topic), p->index, (long long)p->start_first);
		stand_in_happen(s, text);
	}
}

static int32_t node_here(const struct stand_in *s, int32_t recorded)
{
	return recorded < 0 ? -1 : s->config.node_id(s->config.ctx, recorded);
}

static void make_topic(struct stand_in *s, const struct seen_topic *t)
{
	int32_t partitions = t->grown_us	   ? t->partitions_first
			     : t->partitions_count ? t->partitions_count
						   : 1;
	int16_t replication =
		(int16_t)(t->replication && t->replication <= s->config.brokers ? t->replication
										: -1);
	struct topic *here;
	char text[600];

	if (cluster_create_topic(s->cluster, t->name, partitions, replication, -1, s->now, NULL))
		return;
	here = topic_find(s->cluster, t->name);
	names_learn(s->names, here->id, t->name);
	variables_set_topic(s->variables, SIDE_LIVE, here->id, t->name);
	for (int32_t i = 0; i < partitions && i < t->partitions_count; i++) {
		const struct seen_partition *p = &t->partitions[i];
		int32_t leader = p->leaders_count ? node_here(s, p->leaders[0].leader) : -1;

		snprintf(text, sizeof(text), "leader-move topic=" STR_FMT " partition=%d to=%d",
			 STR_ARG(t->name), i, leader);
		if (leader > 0)
			stand_in_happen(s, text);
		fill_partition(s, t->name, p);
	}
}

static void commit_offsets(struct stand_in *s, const struct seen_group *g)
{
	for (size_t i = 0; i < g->offsets_count; i++)
		if (g->offsets[i].first >= 0)
			cluster_put_offset(s->cluster, g->name, g->offsets[i].topic,
					   g->offsets[i].partition, g->offsets[i].first, s->now,
					   NULL);
}

/* The log must hold what the capture's had when this was asked: others wrote to it, too. */
static void catch_up_produce(struct stand_in *s, const struct session_exchange *x)
{
	const struct produce_response *m = x->response_body;

	for (int32_t i = 0; m && i < m->responses_count; i++) {
		struct str topic = m->responses[i].name;

		if (!topic.len)
			topic = names_find(s->names, m->responses[i].topic_id);
		for (int32_t k = 0; topic.data && k < m->responses[i].partition_responses_count;
		     k++)
			if (!m->responses[i].partition_responses[k].error_code)
				fill_to(s, topic, m->responses[i].partition_responses[k].index,
					m->responses[i].partition_responses[k].base_offset);
	}
}

static void catch_up_fetch(struct stand_in *s, const struct session_exchange *x)
{
	const struct fetch_response *m = x->response_body;

	for (int32_t i = 0; m && i < m->responses_count; i++) {
		struct str topic = m->responses[i].topic;

		if (!topic.len)
			topic = names_find(s->names, m->responses[i].topic_id);
		for (int32_t k = 0; topic.data && k < m->responses[i].partitions_count; k++)
			if (!m->responses[i].partitions[k].error_code)
				fill_to(s, topic, m->responses[i].partitions[k].partition_index,
					m->responses[i].partitions[k].high_watermark);
	}
}

/* ---- calls ---- */

static void finish(struct stand_in *s, struct asked *a)
{
	if (a->prev)
		a->prev->next = a->next;
	else
		s->waiting = a->next;
	if (a->next)
		a->next->prev = a->prev;
	a->answered_us = s->now.wall_us;
	if (a->result == CALL_ANSWER && !a->passed_over)
		learn(s, a);
	s->config.on_done(s->config.ctx, a);
	cluster_cancel(s->cluster, &a->call);
	call_release(&a->call);
	shared_unref(a->call.frame);
	arena_release(&a->arena);
	free(a);
}

static void work(struct stand_in *s, struct asked *a)
{
	a->result = cluster_call(s->cluster, &a->call, s->now);
	if (a->result != CALL_WAIT)
		finish(s, a);
}

static void drain(struct stand_in *s)
{
	struct call *call;

	while ((call = cluster_ready(s->cluster)))
		work(s, (struct asked *)(void *)((char *)call - offsetof(struct asked, call)));
}

void stand_in_time(struct stand_in *s, int64_t wall_us)
{
	int64_t end = s->now.mono_us + (wall_us - s->now.wall_us), next;

	for (;;) {
		next = cluster_tick(s->cluster, s->now);
		drain(s);
		next = cluster_tick(s->cluster, s->now);
		if (next > end)
			break;
		if (next > s->now.mono_us)
			s->now = instant_add_us(s->now, next - s->now.mono_us);
	}
	if (end > s->now.mono_us)
		s->now = instant_add_us(s->now, end - s->now.mono_us);
	cluster_tick(s->cluster, s->now);
	drain(s);
}

static bool decode_again(struct asked *a)
{
	struct error e = ERROR_INIT;
	struct bytes frame = {a->call.frame->data, (int32_t)a->call.frame->size};
	void *body = NULL;
	int64_t rc = frame_read_request(frame, &a->call.header, &e);

	if (rc >= 0)
		rc = frame_decode(a->call.header.api_key, a->call.header.api_version,
				  MESSAGE_REQUEST,
				  (struct bytes){frame.data + a->call.header.body,
						 frame.len - (int32_t)a->call.header.body},
				  &a->arena, &body, &e);
	a->call.request = body;
	return rc >= 0 && body;
}

static struct asked *ask_new(struct stand_in *s, const struct session_exchange *x)
{
	struct asked *a = calloc(1, sizeof(*a));
	int32_t broker = node_here(s, x->conn->broker);

	if (!a)
		abort();
	arena_init(&a->arena, ARENA_MAX);
	a->x = x;
	a->call.frame = shared_new((size_t)x->request.len);
	memcpy(a->call.frame->data, x->request.data, (size_t)x->request.len);
	a->call.broker = broker > 0 ? broker : 1;
	a->call.conn = x->conn->number;
	a->call.client = x->conn->client;
	a->call.arena = &a->arena;
	a->call.plan = &a->plan;
	a->next = s->waiting;
	if (a->next)
		a->next->prev = a;
	s->waiting = a;
	return a;
}

/* What brokers say to each other, and what no mock needs, it has no answer to. */
static bool answers(const struct stand_in *s, int key)
{
	const struct message *m = message_of_api(key, MESSAGE_REQUEST);

	for (int v = m ? m->since : 0; m && v <= m->until; v++)
		if (cluster_speaks(s->cluster, key, v))
			return true;
	return false;
}

void stand_in_ask(struct stand_in *s, const struct session_exchange *x,
		  void (*before)(void *ctx, struct asked *a))
{
	struct asked *a = ask_new(s, x);

	if (!decode_again(a) || !rewrite(s, a)) {
		a->result = CALL_CLOSE;
		finish(s, a);
		return;
	}
	if (x->header.api_key == API_PRODUCE)
		catch_up_produce(s, x);
	else if (x->header.api_key == API_FETCH)
		catch_up_fetch(s, x);
	/* Versions are no matter; but what clients are not told, it is not told. */
	a->call.own = !cluster_speaks(s->cluster, x->header.api_key, x->header.api_version);
	cluster_facts(s->cluster, &a->call, &a->facts);
	before(s->config.ctx, a);
	a->passed_over |= !answers(s, x->header.api_key);
	if (a->passed_over)
		finish(s, a);
	else
		work(s, a);
	drain(s);
}

int stand_in_happen(struct stand_in *s, const char *text)
{
	struct happening h;
	struct error e = ERROR_INIT;
	int rc = happening_parse(str_of(text), &h, &e);

	rc = rc ? rc : cluster_happen(s->cluster, &h, s->now, &e);
	drain(s);
	return rc;
}

struct names *stand_in_names(struct stand_in *s)
{
	return s->names;
}

/* ---- life ---- */

/* How long the capture's brokers waited for more members of a new group: as its first join took. */
static int32_t initial_delay_ms(const struct session *s)
{
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];
		const struct join_group_response *m = x->response_body;
		int64_t ms = (x->response_us - x->request_us) / 1000;

		if (x->header.api_key == API_JOIN_GROUP && m && !m->error_code &&
		    x->state == EXCHANGE_ANSWERED)
			return ms < 0 ? 0 : ms > DELAY_MAX_MS ? DELAY_MAX_MS : (int32_t)ms;
	}
	return 0;
}

struct stand_in *stand_in_new(const struct stand_in_config *config)
{
	const struct seen *seen = config->seen;
	struct stand_in *s = calloc(1, sizeof(*s));
	struct cluster_config cluster = {
		.brokers = config->brokers, .seed = 1, .default_partitions = 1};

	if (!s)
		abort();
	s->config = *config;
	s->now = (struct instant){1000000, seen->session->first_us - 1000000};
	s->names = names_new();
	s->variables = variables_new();
	for (size_t i = 0; i < seen->brokers_count; i++)
		variables_bind_int(s->variables, ROLE_BROKER, seen->brokers[i].node_id,
				   config->node_id(config->ctx, seen->brokers[i].node_id));
	buf_init(&s->batch, BATCH_MAX);
	cluster.broker.group_initial_delay_ms = initial_delay_ms(seen->session);
	cluster.broker.group_session_min_ms = 1;
	s->cluster = cluster_new(&cluster, s->now);
	for (int32_t i = 1; i <= config->brokers; i++) {
		struct broker_address address = {.node_id = i, .port = 9092};

		snprintf(address.host, sizeof(address.host), "broker-%d", i);
		cluster_set_address(s->cluster, &address);
	}
	for (size_t i = 0; i < seen->topics_count; i++) {
		const struct seen_topic *t = &seen->topics[i];

		names_learn(s->names, t->id, t->name);
		variables_set_topic(s->variables, SIDE_RECORDED, t->id, t->name);
		if (!t->created && !t->absent_until_us)
			make_topic(s, t);
	}
	for (size_t i = 0; i < seen->groups_count; i++)
		commit_offsets(s, &seen->groups[i]);
	return s;
}

void stand_in_free(struct stand_in *s)
{
	if (!s)
		return;
	while (s->waiting)
		finish(s, s->waiting);
	cluster_free(s->cluster);
	variables_free(s->variables);
	names_free(s->names);
	buf_release(&s->batch);
	free(s);
}
