/* Topics by name and by id, and where their partitions live. Placement walks the live brokers in
 * stripes, in which racks take turns, as KRaft's placer does: partition p's leader is p brokers
 * after the topic's start, its followers come next. */
#include "mock/topic.h"

#include "base/json.h"
#include "mock/mem.h"
#include "mock/offsets.h"
#include "mock/state.h"

#include <assert.h>
#include <stdlib.h>

void topics_init(struct cluster *c)
{
	c->topics.next_start = (int32_t)rand_below(&c->rand, (uint64_t)c->config.brokers);
}

static void topic_free(struct cluster *c, struct topic *t)
{
	for (int32_t i = 0; i < t->partitions_count; i++) {
		partition_release(c, t->partitions[i]);
		free(t->partitions[i]);
	}
	free(t->partitions);
	topic_config_release(&t->config);
	mem_str_free(t->name);
	free(t);
}

void topics_release(struct cluster *c)
{
	struct topic *t, *next;

	HASH_CLEAR(by_id, c->topics.by_id);
	HASH_ITER (by_name, c->topics.by_name, t, next) {
		HASH_DELETE(by_name, c->topics.by_name, t);
		topic_free(c, t);
	}
}

struct topic *topic_find(const struct cluster *c, struct str name)
{
	struct topic *t = NULL;

	if (name.data)
		HASH_FIND(by_name, c->topics.by_name, name.data, (unsigned)name.len, t);
	return t;
}

struct topic *topic_by_id(const struct cluster *c, struct uuid id)
{
	struct topic *t = NULL;

	HASH_FIND(by_id, c->topics.by_id, id.b, sizeof(id.b), t);
	return t;
}

struct topic *topic_resolve(const struct cluster *c, struct str name, struct uuid id)
{
	return name.data && name.len ? topic_find(c, name) : topic_by_id(c, id);
}

struct partition *partition_find(const struct topic *t, int32_t index)
{
	return t && index >= 0 && index < t->partitions_count ? t->partitions[index] : NULL;
}

bool topic_name_ok(struct str name)
{
	if (!name.data || name.len < 1 || name.len > TOPIC_NAME_MAX || str_is(name, ".") ||
	    str_is(name, ".."))
		return false;
	for (int32_t i = 0; i < name.len; i++) {
		char ch = name.data[i];

		if (!(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z') &&
		    !(ch >= '0' && ch <= '9') && ch != '.' && ch != '_' && ch != '-')
			return false;
	}
	return true;
}

bool topic_is_internal(struct str name)
{
	return str_is(name, "__consumer_offsets") || str_is(name, "__transaction_state") ||
	       str_is(name, "__share_group_state");
}

static bool same_but_dots(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (int32_t i = 0; i < a.len; i++)
		if ((a.data[i] == '.' ? '_' : a.data[i]) != (b.data[i] == '.' ? '_' : b.data[i]))
			return false;
	return true;
}

struct topic *topic_collision(const struct cluster *c, struct str name)
{
	struct topic *t, *next;

	if (!memchr(name.data, '.', (size_t)name.len) && !memchr(name.data, '_', (size_t)name.len))
		return NULL;
	HASH_ITER (by_name, c->topics.by_name, t, next)
		if (!str_eq(t->name, name) && same_but_dots(t->name, name))
			return t;
	return NULL;
}

int32_t cluster_alive(const struct cluster *c)
{
	int32_t n = 0;

	for (int32_t i = 0; i < c->config.brokers; i++)
		n += c->brokers[i].alive;
	return n;
}

/* Where a broker stands in the stripe. */
static int32_t place_of(const struct cluster *c, int32_t node_id)
{
	int32_t index = cluster_broker_index(c, node_id), i = 0;

	while (c->stripe[i] != index)
		i++;
	return i;
}

/* The brokers for one topic's replicas: in the stripe's order from where it starts, those that are
 * up before the others. */
struct order {
	int32_t *nodes;
	int32_t up, count;
};

static struct order order_from(const struct cluster *c, int32_t start)
{
	struct order o = {.count = c->config.brokers, .up = cluster_alive(c)};
	int32_t up = 0, down = o.up;

	o.nodes = mem_new((size_t)o.count * sizeof(o.nodes[0]));
	for (int32_t i = 0; i < o.count; i++) {
		int32_t broker = c->stripe[(start + i) % o.count];

		o.nodes[c->brokers[broker].alive ? up++ : down++] = cluster_node_id(c, broker);
	}
	return o;
}

/* The r-th replica of a partition that begins `step` - r steps on. */
static int32_t pick(const struct order *o, int32_t step, int32_t r)
{
	return o->nodes[r < o->up ? step % o->up : o->up + (r - o->up) % (o->count - o->up)];
}

/* asked: its replicas as somebody wants them, or NULL. */
static void place(struct cluster *c, struct partition *p, const struct topic_spec *spec,
		  const struct placement *asked, const struct order *order)
{
	size_t size;

	p->replicas_count = asked ? asked->count : spec->replication;
	size = (size_t)p->replicas_count * sizeof(p->replicas[0]);
	p->replicas = mem_new(size);
	p->isr = mem_new(size);
	for (int32_t r = 0; r < p->replicas_count; r++) {
		int32_t step = spec->leader >= 0 ? r : p->index + r;

		p->replicas[r] = asked ? asked->nodes[r] : pick(order, step, r);
		if (cluster_broker(c, p->replicas[r])->alive)
			p->isr[p->isr_count++] = p->replicas[r];
	}
	assert(p->isr_count > 0);
	p->leader = p->isr[0];
}

static struct partition *partition_new(struct cluster *c, struct topic *t, int32_t index,
				       const struct topic_spec *spec, const struct placement *asked,
				       const struct order *order)
{
	struct partition *p = mem_new(sizeof(*p));

	p->topic = t;
	p->index = index;
	log_init(&p->log, &c->memory);
	place(c, p, spec, asked, order);
	log_start_epoch(&p->log, p->leader_epoch);
	return p;
}

static void emit(struct cluster *c, const char *event, const struct topic *t)
{
	char id[UUID_TEXT_SIZE];
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	uuid_text(t->id, id);
	json_open(&j, '{');
	json_key_str(&j, "topic", t->name);
	json_key_text(&j, "topicId", id);
	json_key_int(&j, "partitions", t->partitions_count);
	json_key(&j, "leaders");
	json_open(&j, '[');
	for (int32_t i = 0; i < t->partitions_count; i++)
		json_int(&j, t->partitions[i]->leader);
	json_close(&j, ']');
	json_close(&j, '}');
	c->topics.version++;
	cluster_event(c, event, &c->scratch);
}

struct topic *topic_new(struct cluster *c, const struct topic_spec *spec)
{
	struct topic *t = mem_new(sizeof(*t));
	int32_t start = spec->leader >= 0 ? place_of(c, spec->leader) : c->topics.next_start;
	struct order order = order_from(c, start);

	assert(!topic_find(c, spec->name) && spec->partitions > 0);
	t->name = mem_str(spec->name);
	t->id = rand_uuid(&c->rand);
	t->internal = spec->internal;
	topic_config_init(&t->config, &c->configs.topics);
	t->partitions_count = spec->partitions;
	t->partitions = mem_new((size_t)spec->partitions * sizeof(t->partitions[0]));
	for (int32_t i = 0; i < spec->partitions; i++)
		t->partitions[i] = partition_new(
			c, t, i, spec, spec->placement ? &spec->placement[i] : NULL, &order);
	free(order.nodes);
	c->topics.next_start = (c->topics.next_start + 1) % c->config.brokers;
	HASH_ADD_KEYPTR(by_name, c->topics.by_name, t->name.data, (unsigned)t->name.len, t);
	HASH_ADD(by_id, c->topics.by_id, id, sizeof(t->id), t);
	emit(c, "topic-created", t);
	return t;
}

void topic_add_partitions(struct cluster *c, struct topic *t, int32_t count,
			  const struct placement *placement)
{
	const struct partition *first = t->partitions[0];
	struct topic_spec spec = {.replication = (int16_t)first->replicas_count, .leader = -1};
	struct order order = order_from(c, place_of(c, first->replicas[0]));
	int32_t old = t->partitions_count;
	size_t cap = (size_t)old;

	assert(count > old);
	t->partitions = mem_grow(t->partitions, &cap, (size_t)count, sizeof(t->partitions[0]));
	for (int32_t i = old; i < count; i++)
		t->partitions[i] = partition_new(c, t, i, &spec,
						 placement ? &placement[i - old] : NULL, &order);
	free(order.nodes);
	t->partitions_count = count;
	emit(c, "partitions-added", t);
}

void topic_delete(struct cluster *c, struct topic *t)
{
	emit(c, "topic-deleted", t);
	HASH_DELETE(by_name, c->topics.by_name, t);
	HASH_DELETE(by_id, c->topics.by_id, t);
	offsets_forget_topic(c, t->id);
	topic_free(c, t);
}

struct topic *topic_make_anew(struct cluster *c, struct topic *t)
{
	struct str name = mem_str(t->name);
	struct topic_spec spec = {.name = name,
				  .partitions = t->partitions_count,
				  .replication = (int16_t)t->partitions[0]->replicas_count,
				  .leader = -1,
				  .internal = t->internal};
	struct topic_config config = t->config;

	topic_config_init(&t->config, config.base);
	topic_delete(c, t);
	t = topic_new(c, &spec);
	topic_config_release(&t->config);
	t->config = config;
	mem_str_free(name);
	return t;
}

int cluster_create_topic(struct cluster *c, struct str name, int32_t partitions,
			 int16_t replication, int32_t leader, struct instant now, struct error *e)
{
	struct topic_spec spec = {.name = name, .partitions = partitions, .leader = leader};

	c->now = now;
	spec.replication = replication == -1 ? c->config.default_replication : replication;
	if (partitions == -1)
		spec.partitions = c->config.default_partitions;
	if (!topic_name_ok(name))
		return error_set(e, ERR_USAGE,
				 "'" STR_FMT "' is no topic name: 1 to %d letters, "
				 "digits, '.', '_' and '-'",
				 STR_ARG(name), TOPIC_NAME_MAX);
	if (topic_find(c, name))
		return error_set(e, ERR_USAGE, "there is a topic '" STR_FMT "' already",
				 STR_ARG(name));
	if (spec.partitions < 1 || spec.partitions > TOPIC_PARTITIONS_MAX)
		return error_set(e, ERR_USAGE, "a topic has 1 to %d partitions, not %d",
				 TOPIC_PARTITIONS_MAX, spec.partitions);
	if (spec.replication < 1 || spec.replication > c->config.brokers)
		return error_set(e, ERR_USAGE, "%d replicas need as many brokers, there are %d",
				 spec.replication, c->config.brokers);
	if (!cluster_alive(c))
		return error_set(e, ERR_USAGE, "no broker is up");
	if (leader != -1 && (!cluster_broker(c, leader) || !cluster_broker(c, leader)->alive))
		return error_set(e, ERR_USAGE, "there is no broker %d to lead '" STR_FMT "'",
				 leader, STR_ARG(name));
	topic_new(c, &spec);
	return 0;
}
