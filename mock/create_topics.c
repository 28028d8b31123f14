/* CreateTopics: rule 9 of the acceptance text. A topic is checked as a whole before it is made;
 * each stands and falls by itself. Any broker takes the request, as KRaft brokers hand it on. */
#include "mock/fault.h"
#include "mock/state.h"

struct creation {
	struct cluster *c;
	struct call *call;
	const struct create_topics_request *request;
	struct asked_name *names;
	bool too_many; /* partitions, all topics together */
};

#define REQUEST_PARTITIONS_MAX 10000

static bool too_many(const struct cluster *c, const struct create_topics_request *q)
{
	int64_t n = 0;

	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct create_topics_request_topics *t = &q->topics[i];

		if (t->assignments_count > 0)
			n += t->assignments_count;
		else
			n += t->num_partitions < 0 ? c->config.default_partitions
						   : t->num_partitions;
	}
	return n > REQUEST_PARTITIONS_MAX;
}

static int16_t refuse(const struct creation *w, struct create_topics_response_topics *r,
		      int16_t code, struct str text)
{
	r->error_message = call_str(w->call, text);
	return code;
}

/* KRaft places replicas on all brokers that it knows, ZooKeeper's controller on those that are up.
 */
static int32_t replicas_max(const struct cluster *c)
{
	return c->config.like && c->config.like->zookeeper ? cluster_alive(c) : c->config.brokers;
}

/* The names of a request, and how often each is in it. */
struct asked_name {
	struct str name;
	int32_t count;
	bool answered;
	UT_hash_handle hh;
};

static struct asked_name *asked(const struct creation *w, struct str name)
{
	struct asked_name *a;

	HASH_FIND(hh, w->names, name.data, (unsigned)name.len, a);
	return a;
}

static void count_names(struct creation *w)
{
	for (int32_t i = 0; i < w->request->topics_count; i++) {
		struct str name = w->request->topics[i].name;
		struct asked_name *a = asked(w, name);

		if (!a) {
			a = call_alloc(w->call, sizeof(*a));
			a->name = name;
			HASH_ADD_KEYPTR(hh, w->names, a->name.data, (unsigned)a->name.len, a);
		}
		a->count++;
	}
}

static int16_t check_name(const struct creation *w, struct str name,
			  struct create_topics_response_topics *r)
{
	const struct topic *other;

	if (asked(w, name)->count > 1)
		return refuse(w, r, ERROR_INVALID_REQUEST,
			      str_of("the request names this topic twice"));
	if (!topic_name_ok(name))
		return refuse(w, r, ERROR_INVALID_TOPIC_EXCEPTION,
			      str_of("a topic's name has 1 to 249 letters, digits, '.', '_', '-'"));
	if (topic_find(w->c, name))
		return refuse(
			w, r, ERROR_TOPIC_ALREADY_EXISTS,
			call_printf(w->call, "there is a topic '" STR_FMT "'", STR_ARG(name)));
	other = topic_collision(w->c, name);
	if (other)
		return refuse(w, r, ERROR_INVALID_TOPIC_EXCEPTION,
			      call_printf(w->call, "the name collides with '" STR_FMT "'",
					  STR_ARG(other->name)));
	return ERROR_NONE;
}

/* The replicas that somebody asks for: partitions 0, 1, ... each once; known brokers,
 * each once, one of them up. */
static int16_t check_replicas(const struct creation *w,
			      const struct create_topics_request_topics_assignments *a,
			      struct placement *placement, int32_t count)
{
	int32_t up = 0;

	if (a->partition_index < 0 || a->partition_index >= count ||
	    placement[a->partition_index].nodes || a->broker_ids_count < 1)
		return ERROR_INVALID_REPLICA_ASSIGNMENT;
	for (int32_t i = 0; i < a->broker_ids_count; i++) {
		const struct broker *b = cluster_broker(w->c, a->broker_ids[i]);

		if (!b)
			return ERROR_INVALID_REPLICA_ASSIGNMENT;
		up += b->alive;
		for (int32_t k = 0; k < i; k++)
			if (a->broker_ids[k] == a->broker_ids[i])
				return ERROR_INVALID_REPLICA_ASSIGNMENT;
	}
	placement[a->partition_index] = (struct placement){a->broker_ids, a->broker_ids_count};
	return up ? ERROR_NONE : ERROR_INVALID_REPLICA_ASSIGNMENT;
}

static int16_t check_assignments(const struct creation *w,
				 const struct create_topics_request_topics *q,
				 struct topic_spec *spec, struct create_topics_response_topics *r)
{
	struct placement *placement = CALL_ARRAY(w->call, struct placement, q->assignments_count);

	if (q->num_partitions != -1 || q->replication_factor != -1)
		return refuse(
			w, r, ERROR_INVALID_REQUEST,
			str_of("with assignments, numPartitions and replicationFactor are -1"));
	for (int32_t i = 0; i < q->assignments_count; i++)
		if (check_replicas(w, &q->assignments[i], placement, q->assignments_count))
			return refuse(w, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      str_of("partitions are 0, 1, ...; replicas known brokers, "
					     "each once"));
	for (int32_t i = 1; i < q->assignments_count; i++)
		if (placement[i].count != placement[0].count)
			return refuse(w, r, ERROR_INVALID_REPLICA_ASSIGNMENT,
				      str_of("all partitions have the same number of replicas"));
	spec->partitions = q->assignments_count;
	spec->replication = (int16_t)placement[0].count;
	spec->placement = placement;
	return ERROR_NONE;
}

static int16_t check_counts(const struct creation *w, const struct create_topics_request_topics *q,
			    struct topic_spec *spec, struct create_topics_response_topics *r)
{
	if (q->assignments_count > 0)
		return check_assignments(w, q, spec, r);
	if (spec->partitions < 1 || spec->partitions > TOPIC_PARTITIONS_MAX)
		return refuse(w, r, ERROR_INVALID_PARTITIONS,
			      call_printf(w->call, "a topic has 1 to %d partitions",
					  TOPIC_PARTITIONS_MAX));
	if (spec->replication < 1 || spec->replication > replicas_max(w->c) || !cluster_alive(w->c))
		return refuse(w, r, ERROR_INVALID_REPLICATION_FACTOR,
			      call_printf(w->call, "%d replicas, %d brokers are there",
					  spec->replication, replicas_max(w->c)));
	return ERROR_NONE;
}

static int16_t check_configs(const struct creation *w, const struct create_topics_request_topics *q,
			     struct create_topics_response_topics *r)
{
	for (int32_t i = 0; i < q->configs_count; i++) {
		const struct config_key *key = config_key_find(q->configs[i].name);

		if (!key)
			return refuse(w, r, ERROR_INVALID_CONFIG,
				      call_printf(w->call, "no topic configuration '" STR_FMT "'",
						  STR_ARG(q->configs[i].name)));
		if (!config_value_ok(key, q->configs[i].value))
			return refuse(w, r, ERROR_INVALID_CONFIG,
				      call_printf(w->call, "%s can't be '" STR_FMT "'", key->name,
						  STR_ARG(q->configs[i].value)));
	}
	return ERROR_NONE;
}

static void set_configs(struct topic_config *tc, const struct create_topics_request_topics *q)
{
	for (int32_t i = 0; i < q->configs_count; i++)
		topic_config_set(tc, config_key_find(q->configs[i].name), q->configs[i].value);
}

static void put_configs(const struct creation *w, const struct topic_config *tc,
			struct create_topics_response_topics *r)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	r->configs = CALL_ARRAY(w->call, struct create_topics_response_topics_configs, count);
	r->configs_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct create_topics_response_topics_configs *c = &r->configs[i];
		bool set;

		c->name = str_of(keys[i].name);
		c->value = call_str(w->call, topic_config_get(tc, &keys[i], &set));
		c->config_source = (int8_t)topic_config_source(tc, &keys[i]);
	}
}

static void make(const struct creation *w, const struct create_topics_request_topics *q,
		 const struct topic_spec *spec, struct create_topics_response_topics *r)
{
	struct topic_config as_if;
	struct topic *t;

	r->num_partitions = spec->partitions;
	r->replication_factor = spec->replication;
	if (w->request->validate_only) {
		topic_config_init(&as_if, &w->c->configs.topics);
		set_configs(&as_if, q);
		put_configs(w, &as_if, r);
		topic_config_release(&as_if);
		r->topic_id = rand_uuid(&w->c->rand);
		return;
	}
	t = topic_new(w->c, spec);
	set_configs(&t->config, q);
	put_configs(w, &t->config, r);
	r->topic_id = t->id;
}

static void create_one(const struct creation *w, const struct create_topics_request_topics *q,
		       struct create_topics_response_topics *r)
{
	struct topic_spec spec = {.name = q->name, .leader = -1};

	codec_init(&create_topics_response_topics_schema, r);
	r->name = q->name;
	r->error_message = (struct str){0};
	spec.partitions =
		q->num_partitions == -1 ? w->c->config.default_partitions : q->num_partitions;
	spec.replication = q->replication_factor == -1 ? w->c->config.default_replication
						       : q->replication_factor;
	spec.internal = topic_is_internal(q->name);
	r->error_code = call_fault(w->call, q->name, -1);
	if (!r->error_code && w->too_many)
		r->error_code = refuse(w, r, ERROR_POLICY_VIOLATION,
				       call_printf(w->call, "a request makes at most %d partitions",
						   REQUEST_PARTITIONS_MAX));
	if (!r->error_code)
		r->error_code = check_name(w, q->name, r);
	if (!r->error_code)
		r->error_code = check_counts(w, q, &spec, r);
	if (!r->error_code)
		r->error_code = check_configs(w, q, r);
	if (!r->error_code)
		make(w, q, &spec, r);
}

enum call_result create_topics_work(struct cluster *c, struct call *call)
{
	const struct create_topics_request *q = call->request;
	struct creation w = {c, call, q, NULL, too_many(c, q)};
	struct create_topics_response *r = call_response(call, &create_topics_response_schema);

	r->topics = CALL_ARRAY(call, struct create_topics_response_topics, q->topics_count);
	count_names(&w);
	for (int32_t i = 0; i < q->topics_count; i++) {
		struct asked_name *name = asked(&w, q->topics[i].name);

		if (name->answered)
			continue;
		name->answered = true;
		create_one(&w, &q->topics[i], &r->topics[r->topics_count++]);
	}
	HASH_CLEAR(hh, w.names);
	return CALL_ANSWER;
}
