/* Tables of what is known, and one connection to ask by. A question that is waited for runs the
 * loop until its answer came; the others are answered into the tables whenever they are.
 *
 * Invariant: one question is under way at most. */
#include "harness/live_cluster.h"

#include "net/connect.h"
#include "protocol/frame.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define ANSWER_WAIT_US	10000000
#define LEADERS_WAIT_US 30000000
#define POLL_US		50000
#define NODES_MAX	10000
#define CLIENT_ID	"ktrial"
#define METADATA_MAX	12 /* the newest version that answers by name */

struct place {
	char *key; /* a topic and its partition, or a coordinator's type and key */
	size_t key_len;
	int32_t node;
	UT_hash_handle hh;
};

struct question {
	struct live_request request;
	int16_t api_key, version;
	void *body; /* of the request, in the arena */
	void *answer;
	bool answered;
};

struct live_cluster {
	struct loop *loop;
	struct service_address to;
	struct live_node *nodes; /* by id */
	size_t nodes_count;
	char id[128];
	bool anywhere;
	struct service_address stranger; /* a broker that is not to be reached; port 0: none */
	struct place *leaders, *coordinators;
	struct place *serving; /* partitions whose leaders were waited for */
	struct live *conn;
	struct question question;
	bool asking;
	int16_t min[API_KEY_MAX + 1], max[API_KEY_MAX + 1]; /* of who was asked */
	struct arena arena;				    /* of the question under way */
	struct buf key;
	int32_t correlation_id;
};

/* ---- tables ---- */

static struct str key_of(const struct live_cluster *c, struct str name, int64_t number)
{
	struct buf *b = (struct buf *)&c->key; /* scratch */

	buf_reset(b);
	buf_add(b, name.data, name.data ? (size_t)name.len : 0);
	buf_byte(b, 0);
	buf_int(b, number);
	return (struct str){(const char *)b->data, (int32_t)b->len};
}

static void put(struct place **table, struct str key, int32_t node)
{
	struct place *p;

	HASH_FIND(hh, *table, key.data, (size_t)key.len, p);
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (p)
			p->key = malloc((size_t)key.len + 1);
		if (!p || !p->key)
			abort();
		memcpy(p->key, key.data, (size_t)key.len);
		p->key_len = (size_t)key.len;
		HASH_ADD_KEYPTR(hh, *table, p->key, p->key_len, p);
	}
	p->node = node;
}

static int32_t get(struct place *table, struct str key)
{
	struct place *p;

	HASH_FIND(hh, table, key.data, (size_t)key.len, p);
	return p ? p->node : -1;
}

static void free_table(struct place **table)
{
	struct place *p, *next;

	HASH_ITER (hh, *table, p, next) {
		HASH_DELETE(hh, *table, p);
		free(p->key);
		free(p);
	}
}

int32_t live_cluster_leader(const struct live_cluster *c, struct str topic, int32_t partition)
{
	return get(c->leaders, key_of(c, topic, partition));
}

int32_t live_cluster_coordinator(const struct live_cluster *c, int8_t type, struct str key)
{
	return get(c->coordinators, key_of(c, key, type));
}

bool live_cluster_has_topic(const struct live_cluster *c, struct str topic)
{
	struct place *p;
	struct str key = key_of(c, topic, 0);

	HASH_FIND(hh, c->leaders, key.data, (size_t)key.len, p);
	return p != NULL;
}

struct str live_cluster_id(const struct live_cluster *c)
{
	return str_of(c->id);
}

size_t live_cluster_nodes(const struct live_cluster *c)
{
	return c->nodes_count;
}

const struct live_node *live_cluster_node(const struct live_cluster *c, size_t i)
{
	return &c->nodes[i];
}

const struct live_node *live_cluster_find_node(const struct live_cluster *c, int32_t id)
{
	for (size_t i = 0; i < c->nodes_count; i++)
		if (c->nodes[i].id == id)
			return &c->nodes[i];
	return NULL;
}

static bool is_stranger(struct live_cluster *c, struct str host, int32_t port)
{
	struct service_address a = {.port = (uint16_t)port};

	memcpy(a.host, host.data, (size_t)host.len);
	if (c->anywhere || net_is_loopback(a.host))
		return false;
	c->stranger = a;
	return true;
}

static void learn_node(struct live_cluster *c, int32_t id, struct str host, int32_t port)
{
	struct live_node *n = (struct live_node *)live_cluster_find_node(c, id);
	size_t at = c->nodes_count;

	if (host.len <= 0 || host.len >= (int32_t)sizeof(n->address.host) || port <= 0 || id < 0 ||
	    port > 65535 || (!n && c->nodes_count == NODES_MAX))
		return;
	if (n && str_is(host, n->address.host) && n->address.port == port)
		return;
	if (is_stranger(c, host, port))
		return;
	if (!n) {
		c->nodes = realloc(c->nodes, (c->nodes_count + 1) * sizeof(*c->nodes));
		if (!c->nodes)
			abort();
		for (; at > 0 && c->nodes[at - 1].id > id; at--)
			c->nodes[at] = c->nodes[at - 1];
		n = &c->nodes[at];
		c->nodes_count++;
		*n = (struct live_node){.id = id};
		memcpy(n->min, c->min, sizeof(n->min));
		memcpy(n->max, c->max, sizeof(n->max));
	}
	memcpy(n->address.host, host.data, (size_t)host.len);
	n->address.host[host.len] = '\0';
	n->address.port = (uint16_t)port;
}

/* ---- learning ---- */

static void learn_metadata(struct live_cluster *c, const struct metadata_response *r)
{
	if (r->cluster_id.data)
		snprintf(c->id, sizeof(c->id), STR_FMT, STR_ARG(r->cluster_id));
	for (int32_t i = 0; i < r->brokers_count; i++)
		learn_node(c, r->brokers[i].node_id, r->brokers[i].host, r->brokers[i].port);
	for (int32_t i = 0; i < r->topics_count; i++) {
		const struct metadata_response_topics *t = &r->topics[i];

		for (int32_t k = 0; k < t->partitions_count && t->error_code == 0; k++)
			put(&c->leaders, key_of(c, t->name, t->partitions[k].partition_index),
			    t->partitions[k].leader_id);
	}
}

static void learn_coordinators(struct live_cluster *c, const struct find_coordinator_request *q,
			       const struct find_coordinator_response *r)
{
	for (int32_t i = 0; i < r->coordinators_count; i++) {
		const struct find_coordinator_response_coordinators *one = &r->coordinators[i];

		if (one->error_code == 0)
			put(&c->coordinators, key_of(c, one->key, q->key_type), one->node_id);
	}
	if (r->coordinators_count <= 0 && r->error_code == 0 && q->key.len > 0)
		put(&c->coordinators, key_of(c, q->key, q->key_type), r->node_id);
}

static void learn_versions(struct live_cluster *c, const struct api_versions_response *r)
{
	for (int key = 0; key <= API_KEY_MAX; key++) {
		c->min[key] = 0;
		c->max[key] = -1;
	}
	for (int32_t i = 0; i < r->api_keys_count; i++) {
		const struct api_versions_response_api_keys *k = &r->api_keys[i];

		if (k->api_key < 0 || k->api_key > API_KEY_MAX)
			continue;
		c->min[k->api_key] = k->min_version;
		c->max[k->api_key] = k->max_version;
	}
}

void live_cluster_learn(struct live_cluster *c, int api_key, const void *request,
			const void *response)
{
	if (api_key == API_METADATA)
		learn_metadata(c, response);
	else if (api_key == API_FIND_COORDINATOR)
		learn_coordinators(c, request, response);
}

/* ---- asking ---- */

static void on_answer(void *ctx, struct live_request *r, struct shared *frame, struct instant last)
{
	struct live_cluster *c = ctx;
	struct question *q = &c->question;
	struct bytes all = {frame->data, (int32_t)frame->size};
	int32_t correlation_id;
	uint8_t *copy;
	int64_t at;

	(void)r;
	(void)last;
	c->asking = false;
	copy = (uint8_t *)arena_copy(&c->arena, all.data, (size_t)all.len);
	at = copy ? frame_read_response(all, q->api_key, q->version, &correlation_id, NULL) : -1;
	if (at < 0 || frame_decode(q->api_key, q->version, MESSAGE_RESPONSE,
				   (struct bytes){copy + at, all.len - (int32_t)at}, &c->arena,
				   &q->answer, NULL) < 0)
		return;
	q->answered = true;
	if (q->api_key == API_API_VERSIONS)
		learn_versions(c, q->answer);
	else
		live_cluster_learn(c, q->api_key, q->body, q->answer);
}

static void on_closed(void *ctx)
{
	((struct live_cluster *)ctx)->asking = false;
}

static void on_idle(void *ctx)
{
	(void)ctx;
}

static const struct live_callbacks callbacks = {on_answer, on_closed, on_idle};

static int reconnect(struct live_cluster *c, const struct service_address *to, struct error *e)
{
	live_free(c->conn);
	c->asking = false;
	c->conn = live_open(c->loop, to, &callbacks, c, e);
	return c->conn ? 0 : ERR_OS;
}

/* The newest version that both know, at most max; -1: none. */
static int version_for(const struct live_cluster *c, int api_key, int max)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);
	int until = m->until < max ? m->until : max;

	if (api_key == API_API_VERSIONS)
		return 0;
	if (c->max[api_key] < until)
		until = c->max[api_key];
	return until < c->min[api_key] || until < m->since ? -1 : until;
}

/* Ends what is under way, for who has another question and can't wait. */
static void await_idle(struct live_cluster *c)
{
	int64_t until_us = clock_now().mono_us + ANSWER_WAIT_US;

	while (c->asking && clock_now().mono_us < until_us)
		loop_turn(c->loop, POLL_US);
}

/* Begins a question; its body lies in the arena, which was reset before. */
static int begin(struct live_cluster *c, int api_key, int version, void *body, struct error *e)
{
	struct gather g;
	struct buf frame;
	int rc;

	gather_init(&g, FRAME_SIZE_MAX);
	buf_init(&frame, FRAME_SIZE_MAX);
	c->question = (struct question){.request.correlation_id = ++c->correlation_id,
					.api_key = (int16_t)api_key,
					.version = (int16_t)version,
					.body = body};
	rc = frame_write_request(&g, api_key, version, c->correlation_id, str_of(CLIENT_ID), body,
				 e);
	if (rc == 0) {
		gather_flatten(&g, &frame);
		live_send(c->conn, &c->question.request,
			  (struct bytes){frame.data, (int32_t)frame.len});
		live_flush(c->conn);
		c->asking = true;
	}
	gather_release(&g);
	buf_release(&frame);
	return rc;
}

static int await(struct live_cluster *c, struct error *e)
{
	int64_t until_us = clock_now().mono_us + ANSWER_WAIT_US;

	while (c->asking && clock_now().mono_us < until_us)
		loop_turn(c->loop, POLL_US);
	if (c->question.answered)
		return 0;
	return error_set(e, ERR_OS,
			 c->asking ? "%s:%u did not answer %s within %d s; is it a Kafka broker?"
				   : "%s:%u closed the connection on %s (within %d s); is it a "
				     "Kafka broker, without TLS?",
			 c->to.host, c->to.port, api_name(c->question.api_key),
			 ANSWER_WAIT_US / 1000000);
}

static void *body_of(struct live_cluster *c, const struct schema *s)
{
	void *body;

	arena_reset(&c->arena);
	body = arena_alloc(&c->arena, s->size);
	if (!body)
		abort();
	codec_init(s, body);
	return body;
}

static int ask_versions(struct live_cluster *c, struct error *e)
{
	void *body = body_of(c, &api_versions_request_schema);

	return begin(c, API_API_VERSIONS, 0, body, e) || await(c, e) ? e->code : 0;
}

static int begin_metadata(struct live_cluster *c, struct error *e)
{
	struct metadata_request *r = body_of(c, &metadata_request_schema);
	int version = version_for(c, API_METADATA, METADATA_MAX);

	r->topics_count = version == 0 ? 0 : -1; /* all */
	if (version < 0)
		return error_set(e, ERR_UNSUPPORTED, "%s:%u does not know Metadata", c->to.host,
				 c->to.port);
	return begin(c, API_METADATA, version, r, e);
}

/* Each broker may speak other versions: while a cluster is being upgraded they do. */
static int ask_each(struct live_cluster *c, struct error *e)
{
	for (size_t i = 0; i < c->nodes_count; i++) {
		if (reconnect(c, &c->nodes[i].address, e) || ask_versions(c, e))
			return e->code;
		memcpy(c->nodes[i].min, c->min, sizeof(c->min));
		memcpy(c->nodes[i].max, c->max, sizeof(c->max));
	}
	return 0;
}

static int refuse_strangers(const struct live_cluster *c, struct error *e)
{
	if (!c->stranger.port)
		return 0;
	return error_set(e, ERR_USAGE,
			 "%s:%u is on this machine's loopback, but its cluster has a broker at "
			 "%s:%u, which is not, and a replay writes: say --yes-really if that is "
			 "meant",
			 c->to.host, c->to.port, c->stranger.host, c->stranger.port);
}

struct live_cluster *live_cluster_open(struct loop *l, const struct service_address *to,
				       bool anywhere, struct error *e)
{
	struct live_cluster *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->loop = l;
	c->anywhere = anywhere;
	c->to = *to;
	arena_init(&c->arena, (size_t)4 * FRAME_SIZE_MAX);
	buf_init(&c->key, 1 << 20);
	if (reconnect(c, to, e) || ask_versions(c, e) || begin_metadata(c, e) || await(c, e) ||
	    refuse_strangers(c, e) || ask_each(c, e) || reconnect(c, to, e)) {
		live_cluster_free(c);
		return NULL;
	}
	if (c->nodes_count)
		return c;
	error_set(e, ERR_UNSUPPORTED, "%s:%u names no brokers", to->host, to->port);
	live_cluster_free(c);
	return NULL;
}

void live_cluster_refresh(struct live_cluster *c)
{
	struct error e = ERROR_INIT;

	if (c->asking || (live_is_closed(c->conn) && reconnect(c, &c->to, &e)))
		return;
	begin_metadata(c, &e);
}

void live_cluster_look_for(struct live_cluster *c, int8_t type, struct str key)
{
	struct find_coordinator_request *r;
	struct error e = ERROR_INIT;
	int version = version_for(c, API_FIND_COORDINATOR, 3);

	if (c->asking || version < 0 || (live_is_closed(c->conn) && reconnect(c, &c->to, &e)))
		return;
	r = body_of(c, &find_coordinator_request_schema);
	r->key = arena_str(&c->arena, key);
	r->key_type = type;
	begin(c, API_FIND_COORDINATOR, version, r, &e);
}

/* ---- topics ---- */

/* Records are as old as the capture: a week later retention would take them, and a segment would
 * end between them and a marker of now. */
static const struct {
	const char *name, *value;
} keeping[] = {{"retention.ms", "-1"}, {"segment.ms", "9223372036854775807"}};
#define KEEPING (sizeof(keeping) / sizeof(*keeping))

static bool has_config(const struct seen_topic *t, const char *name)
{
	for (size_t i = 0; i < t->configs_count; i++)
		if (str_is(t->configs[i].name, name))
			return true;
	return false;
}

static void add_config(struct create_topics_request_topics *one,
		       struct create_topics_request_topics_configs *configs, struct str name,
		       struct str value)
{
	struct create_topics_request_topics_configs *to = &configs[one->configs_count++];

	codec_init(&create_topics_request_topics_configs_schema, to);
	to->name = name;
	to->value = value;
}

static struct create_topics_request *creation(struct live_cluster *c, const struct seen_topic *t)
{
	struct create_topics_request *r = body_of(c, &create_topics_request_schema);
	struct create_topics_request_topics *one = arena_alloc(&c->arena, sizeof(*one));
	struct create_topics_request_topics_configs *configs =
		arena_alloc(&c->arena, (t->configs_count + KEEPING) * sizeof(*configs));
	int32_t replicas = t->replication > 0 ? t->replication : 1;

	if (!one || !configs)
		abort();
	codec_init(&create_topics_request_topics_schema, one);
	one->name = t->name;
	one->num_partitions = t->partitions_count > 0 ? t->partitions_count : 1;
	one->replication_factor =
		(int16_t)(replicas < (int32_t)c->nodes_count ? replicas : (int32_t)c->nodes_count);
	one->configs = configs;
	for (size_t i = 0; i < t->configs_count; i++)
		add_config(one, configs, t->configs[i].name, t->configs[i].value);
	for (size_t i = 0; i < KEEPING; i++)
		if (!has_config(t, keeping[i].name))
			add_config(one, configs, str_of(keeping[i].name), str_of(keeping[i].value));
	r->topics = one;
	r->topics_count = 1;
	r->timeout_ms = ANSWER_WAIT_US / 1000;
	return r;
}

static bool has_leaders(const struct live_cluster *c, const struct seen_topic *t)
{
	for (int32_t i = 0; i == 0 || i < t->partitions_count; i++)
		if (live_cluster_leader(c, t->name, i) < 0)
			return false;
	return true;
}

/* Whether the leader answers for the partition: brokers tell who leads before they do so. */
static bool is_serving(struct live_cluster *c, struct str topic, int32_t partition)
{
	const struct live_node *n =
		live_cluster_find_node(c, live_cluster_leader(c, topic, partition));
	int version = version_for(c, API_LIST_OFFSETS, 5);
	struct list_offsets_request_topics_partitions p;
	struct list_offsets_request_topics t;
	struct list_offsets_request *r;
	const struct list_offsets_response *said;
	struct error e = ERROR_INIT;

	if (!n || version < 0 || (c->nodes_count > 1 && reconnect(c, &n->address, &e)))
		return false;
	r = body_of(c, &list_offsets_request_schema);
	codec_init(&list_offsets_request_topics_schema, &t);
	codec_init(&list_offsets_request_topics_partitions_schema, &p);
	p.partition_index = partition;
	p.timestamp = -1; /* the end */
	t.name = topic;
	t.partitions = &p;
	t.partitions_count = 1;
	r->replica_id = -1;
	r->topics = &t;
	r->topics_count = 1;
	if (begin(c, API_LIST_OFFSETS, version, r, &e) || await(c, &e))
		return false;
	said = c->question.answer;
	return said->topics_count == 1 && said->topics[0].partitions_count == 1 &&
	       said->topics[0].partitions[0].error_code == 0;
}

void live_cluster_await_serving(struct live_cluster *c, struct str topic, int32_t partition)
{
	int64_t until_us = clock_now().mono_us + LEADERS_WAIT_US;
	struct error e = ERROR_INIT;

	if (get(c->serving, key_of(c, topic, partition)) >= 0)
		return;
	put(&c->serving, key_of(c, topic, partition), 0);
	await_idle(c);
	while (!is_serving(c, topic, partition)) {
		if (clock_now().mono_us > until_us ||
		    (live_is_closed(c->conn) && reconnect(c, &c->to, &e)) ||
		    begin_metadata(c, &e) || await(c, &e) || !live_cluster_has_topic(c, topic))
			return;
		loop_turn(c->loop, POLL_US / 5);
	}
}

static int await_leaders(struct live_cluster *c, const struct seen_topic *t, struct error *e)
{
	int64_t until_us = clock_now().mono_us + LEADERS_WAIT_US;

	while (!has_leaders(c, t)) {
		if (clock_now().mono_us > until_us)
			return error_set(e, ERR_OS,
					 "topic " STR_FMT " was made, but has no leaders after "
					 "%d s",
					 STR_ARG(t->name), LEADERS_WAIT_US / 1000000);
		if (begin_metadata(c, e) || await(c, e))
			return e->code;
		loop_turn(c->loop, POLL_US / 5);
	}
	return 0;
}

int live_cluster_create(struct live_cluster *c, const struct seen_topic *t, struct error *e)
{
	int version = version_for(c, API_CREATE_TOPICS, 5);
	const struct create_topics_response *r;
	const char *name;

	if (version < 0)
		return error_set(e, ERR_UNSUPPORTED, "%s:%u does not know CreateTopics", c->to.host,
				 c->to.port);
	await_idle(c);
	if (begin(c, API_CREATE_TOPICS, version, creation(c, t), e) || await(c, e))
		return e->code;
	r = c->question.answer;
	if (r->topics_count == 1 && r->topics[0].error_code == 0)
		return await_leaders(c, t, e);
	name = r->topics_count == 1 ? kafka_error_name(r->topics[0].error_code) : NULL;
	return error_set(e, ERR_UNSUPPORTED, "topic " STR_FMT " can't be made: %s",
			 STR_ARG(t->name), name ? name : "the answer does not speak of it");
}

void live_cluster_free(struct live_cluster *c)
{
	if (!c)
		return;
	live_free(c->conn);
	free_table(&c->leaders);
	free_table(&c->coordinators);
	free_table(&c->serving);
	free(c->nodes);
	arena_release(&c->arena);
	buf_release(&c->key);
	free(c);
}
