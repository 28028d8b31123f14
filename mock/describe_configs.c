/* DescribeConfigs and ListConfigResources: rule 11 of the acceptance text. A value is looked up
 * where it is set first: topic or group, this broker, all brokers, the properties file, Kafka's
 * default; the same places are its synonyms. Owns nothing. */
#include "mock/broker_keys.h"
#include "mock/config_resource.h"
#include "mock/state.h"

#define SYNONYMS_MAX 8

typedef struct describe_configs_request_resources query;
typedef struct describe_configs_response_results answer;
typedef struct describe_configs_response_results_configs entry;
typedef struct describe_configs_response_results_configs_synonyms synonym;

struct description {
	struct cluster *c;
	struct call *call;
	const struct describe_configs_request *request;
	const query *query;
	answer *answer;
	const struct broker *broker; /* that answers */
	int32_t index;		     /* its */
};

static bool wanted(const struct description *w, struct str name)
{
	for (int32_t i = 0; i < w->query->configuration_keys_count; i++)
		if (str_eq(w->query->configuration_keys[i], name))
			return true;
	return w->query->configuration_keys_count <= 0;
}

static entry *add(struct description *w, struct str name, enum config_type type)
{
	entry *e = &w->answer->configs[w->answer->configs_count++];

	codec_init(&describe_configs_response_results_configs_schema, e);
	e->name = call_str(w->call, name);
	e->config_type = (int8_t)type;
	e->is_sensitive = type == CONFIG_PASSWORD || type == CONFIG_UNKNOWN;
	e->config_source = CONFIG_SOURCE_DEFAULT;
	e->value = e->documentation = (struct str){0};
	if (w->request->include_documentation && type != CONFIG_UNKNOWN)
		e->documentation = call_printf(w->call,
					       "Apache Kafka's own documentation says what " STR_FMT
					       " does: https://kafka.apache.org/documentation/",
					       STR_ARG(name));
	e->synonyms = CALL_ARRAY(w->call, synonym, SYNONYMS_MAX);
	return e;
}

/* A place where the value stands; the first one is where it comes from. */
static void stands(struct description *w, entry *e, struct str name, struct str value,
		   enum config_source source)
{
	synonym *s = &e->synonyms[e->synonyms_count];

	if (e->synonyms_count == SYNONYMS_MAX)
		return;
	s->name = call_str(w->call, name);
	s->value = e->is_sensitive ? (struct str){0} : call_str(w->call, value);
	s->source = (int8_t)source;
	if (!e->synonyms_count++) {
		e->value = s->value;
		e->config_source = s->source;
	}
}

static void finish(const struct description *w, entry *e)
{
	if (w->call->header.api_version == 0)
		e->is_default = e->config_source == CONFIG_SOURCE_DEFAULT;
	if (!w->request->include_synonyms)
		e->synonyms_count = 0;
}

/* ---- brokers ---- */

/* What is set at the start, in the properties file or by this cluster; null if nothing is. */
static struct str fixed_value(const struct description *w, const struct broker_key *key)
{
	const struct cluster_config *config = &w->c->config;
	const struct broker_address *a = &w->broker->address;
	struct str name = str_of(key->name);
	int32_t n;

	if (str_is(name, "node.id") || str_is(name, "broker.id"))
		return call_printf(w->call, "%d", a->node_id);
	if (str_is(name, "listeners") || str_is(name, "advertised.listeners"))
		return call_printf(w->call, "PLAINTEXT://%s:%d", a->host, a->port);
	if (str_is(name, "process.roles"))
		return str_of("broker,controller");
	if (str_is(name, "broker.rack"))
		return cluster_rack(w->call, w->broker);
	if (str_is(name, "replica.selector.class"))
		return str_of(w->c->configs.fixed.rack_selector ? SELECTOR_RACK : NULL);
	if (str_is(name, "auto.create.topics.enable"))
		return str_of(config->auto_create ? "true" : "false");
	if (str_is(name, "num.partitions"))
		return call_printf(w->call, "%d", config->default_partitions);
	if (str_is(name, "default.replication.factor"))
		return call_printf(w->call, "%d", config->default_replication);
	if (broker_config_number(&w->c->configs.fixed, name, &n))
		return call_printf(w->call, "%d", n);
	return (struct str){0};
}

/* The topics' default that stands in the properties file under a broker's key. */
static struct str fixed_default(const struct description *w, struct str name)
{
	const struct topic_config *fixed = w->c->configs.fixed.topics;
	size_t count;
	const struct config_key *keys = config_keys(&count);
	struct str value;
	bool set;

	for (size_t i = 0; fixed && i < count; i++) {
		const char *first = broker_config_synonym(&keys[i], 0);

		if (!first || !str_is(name, first))
			continue;
		value = topic_config_get(fixed, &keys[i], &set);
		return set ? value : (struct str){0};
	}
	return (struct str){0};
}

/* All places of a broker's key. */
static void broker_places(struct description *w, entry *e, struct str name)
{
	const struct str *own = config_set_get(&w->c->configs.brokers[w->index], name);
	const struct str *all = config_set_get(&w->c->configs.cluster, name);
	const struct broker_key *key = broker_key_find(name);
	struct str fixed = key ? fixed_value(w, key) : (struct str){0};

	if (!fixed.data)
		fixed = fixed_default(w, name);
	if (own)
		stands(w, e, name, *own, CONFIG_SOURCE_ONE_BROKER);
	if (all)
		stands(w, e, name, *all, CONFIG_SOURCE_CLUSTER);
	if (fixed.data && !(key->value && str_is(fixed, key->value)))
		stands(w, e, name, fixed, CONFIG_SOURCE_BROKER);
	if (key && key->value)
		stands(w, e, name, str_of(key->value), CONFIG_SOURCE_DEFAULT);
}

static void put_broker_key(struct description *w, struct str name)
{
	const struct broker_key *key = broker_key_find(name);
	const char *next;
	entry *e;

	if (!wanted(w, name))
		return;
	e = add(w, name, key ? key->type : CONFIG_UNKNOWN);
	e->read_only = !key || key->read_only;
	broker_places(w, e, name);
	for (int i = 0; e->synonyms_count && (next = broker_config_behind(name, i)); i++)
		broker_places(w, e, str_of(next));
	finish(w, e);
}

static void put_unknown(struct description *w, const struct config_set *set,
			const struct config_set *but)
{
	for (size_t i = 0; i < set->count; i++)
		if (!broker_key_find(set->list[i].name) &&
		    !(but && config_set_get(but, set->list[i].name)))
			put_broker_key(w, set->list[i].name);
}

static void describe_broker(struct description *w)
{
	const struct configs *cf = &w->c->configs;
	const struct config_set *own = &cf->brokers[w->index];
	size_t count;
	const struct broker_key *keys = broker_keys(&count);

	w->answer->configs = CALL_ARRAY(w->call, entry, count + own->count + cf->cluster.count);
	for (size_t i = 0; i < count; i++)
		put_broker_key(w, str_of(keys[i].name));
	put_unknown(w, own, NULL);
	put_unknown(w, &cf->cluster, own);
}

/* What is set for all brokers, and nothing else. */
static void describe_defaults(struct description *w)
{
	const struct config_set *set = &w->c->configs.cluster;

	w->answer->configs = CALL_ARRAY(w->call, entry, set->count);
	for (size_t i = 0; i < set->count; i++) {
		const struct broker_key *key = broker_key_find(set->list[i].name);
		entry *e;

		if (!wanted(w, set->list[i].name))
			continue;
		e = add(w, set->list[i].name, key ? key->type : CONFIG_UNKNOWN);
		e->read_only = !key;
		stands(w, e, set->list[i].name, set->list[i].value, CONFIG_SOURCE_CLUSTER);
		finish(w, e);
	}
}

static void describe_logger(struct description *w)
{
	entry *e;

	w->answer->configs = CALL_ARRAY(w->call, entry, 1);
	if (!wanted(w, str_of("root")))
		return;
	e = add(w, str_of("root"), CONFIG_UNKNOWN);
	e->is_sensitive = false;
	e->value = str_of(w->c->configs.levels[w->index]);
	e->config_source = CONFIG_SOURCE_LOGGER;
	e->documentation = str_of("");
}

/* ---- topics, groups, metrics ---- */

/* Of a family of broker's keys (log.retention.ms, .minutes, .hours) those that are set; their
 * defaults are told only with them. */
static void inherited_places(struct description *w, entry *e, const struct config_key *key)
{
	const struct configs *cf = &w->c->configs;
	const char *name;
	bool told = key->synonym;

	for (size_t i = 0; (name = broker_config_synonym(key, i)); i++)
		told = told || config_set_get(&cf->brokers[w->index], str_of(name)) ||
		       config_set_get(&cf->cluster, str_of(name)) ||
		       fixed_default(w, str_of(name)).data;
	for (size_t i = 0; told && (name = broker_config_synonym(key, i)); i++)
		broker_places(w, e, str_of(name));
}

static void describe_topic(struct description *w, const struct topic *t)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	w->answer->configs = CALL_ARRAY(w->call, entry, count);
	for (size_t i = 0; i < count; i++) {
		struct str name = str_of(keys[i].name), value;
		entry *e;
		bool set;

		if (!wanted(w, name))
			continue;
		e = add(w, name, keys[i].type);
		value = topic_config_get(&t->config, &keys[i], &set);
		if (set)
			stands(w, e, name, value, CONFIG_SOURCE_TOPIC);
		inherited_places(w, e, &keys[i]);
		if (!e->synonyms_count)
			e->value = call_str(w->call, value);
		finish(w, e);
	}
}

static void describe_set(struct description *w, const struct config_key *keys, size_t count,
			 const struct config_set *set, enum config_source source)
{
	w->answer->configs = CALL_ARRAY(w->call, entry, count);
	for (size_t i = 0; i < count; i++) {
		struct str name = str_of(keys[i].name);
		const struct str *value = set ? config_set_get(set, name) : NULL;
		entry *e;

		if (!wanted(w, name))
			continue;
		e = add(w, name, keys[i].type);
		if (value)
			stands(w, e, name, *value, source);
		if (keys[i].synonym && broker_key_find(str_of(keys[i].synonym)))
			broker_places(w, e, str_of(keys[i].synonym));
		else
			stands(w, e, keys[i].synonym ? str_of(keys[i].synonym) : name,
			       str_of(keys[i].value), CONFIG_SOURCE_DEFAULT);
		if (source == CONFIG_SOURCE_METRICS)
			e->synonyms_count = 0;
		finish(w, e);
	}
}

static void describe_group(struct description *w)
{
	struct config_resource *groups = w->c->configs.groups;
	size_t count;
	const struct config_key *keys = config_group_keys(&count);

	describe_set(w, keys, count,
		     groups ? configs_of(&groups, w->query->resource_name, false) : NULL,
		     CONFIG_SOURCE_GROUP);
}

static void describe_metrics(struct description *w)
{
	struct config_resource *metrics = w->c->configs.metrics;
	size_t count;
	const struct config_key *keys = config_metrics_keys(&count);

	describe_set(w, keys, count,
		     metrics ? configs_of(&metrics, w->query->resource_name, false) : NULL,
		     CONFIG_SOURCE_METRICS);
}

static int16_t describe(struct description *w, const char **ret_text)
{
	const struct topic *t = topic_find(w->c, w->query->resource_name);
	int16_t code = config_resource_check(w->call, w->query->resource_type,
					     w->query->resource_name, ret_text);

	if (code)
		return code;
	switch (w->query->resource_type) {
	case RESOURCE_TOPIC:
		if (!t)
			return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
		describe_topic(w, t);
		return ERROR_NONE;
	case RESOURCE_BROKER:
		if (w->query->resource_name.len)
			describe_broker(w);
		else
			describe_defaults(w);
		return ERROR_NONE;
	case RESOURCE_LOGGER:
		describe_logger(w);
		return ERROR_NONE;
	case RESOURCE_METRICS:
		describe_metrics(w);
		return ERROR_NONE;
	default:
		describe_group(w);
		return ERROR_NONE;
	}
}

enum call_result describe_configs_work(struct cluster *c, struct call *call)
{
	const struct describe_configs_request *q = call->request;
	struct describe_configs_response *r =
		call_response(call, &describe_configs_response_schema);
	const struct broker *b = cluster_broker(c, call->broker);
	struct description w = {c, call, q, NULL, NULL, b, (int32_t)(b - c->brokers)};

	r->results = CALL_ARRAY(call, answer, q->resources_count);
	r->results_count = q->resources_count;
	for (int32_t i = 0; i < q->resources_count; i++) {
		const char *text = "";

		w.query = &q->resources[i];
		w.answer = &r->results[i];
		codec_init(&describe_configs_response_results_schema, w.answer);
		w.answer->resource_type = w.query->resource_type;
		w.answer->resource_name = w.query->resource_name;
		w.answer->error_code = describe(&w, &text);
		w.answer->error_message = str_of(text);
	}
	return CALL_ANSWER;
}

/* ---- ListConfigResources (KIP-1142) ---- */

static void list(struct list_config_resources_response *r, struct str name, int8_t type)
{
	struct list_config_resources_response_config_resources *out =
		&r->config_resources[r->config_resources_count++];

	out->resource_name = name;
	out->resource_type = type;
}

static bool asked_for(const struct call *call, int8_t type)
{
	const struct list_config_resources_request *q = call->request;

	if (call->header.api_version == 0)
		return type == RESOURCE_METRICS;
	for (int32_t i = 0; i < q->resource_types_count; i++)
		if (q->resource_types[i] == type)
			return true;
	return q->resource_types_count == 0;
}

static bool known_types(const struct list_config_resources_request *q)
{
	for (int32_t i = 0; i < q->resource_types_count; i++)
		if (!config_resource_known(q->resource_types[i]))
			return false;
	return true;
}

enum call_result list_config_resources_work(struct cluster *c, struct call *call)
{
	struct list_config_resources_response *r =
		call_response(call, &list_config_resources_response_schema);
	const struct configs *cf = &c->configs;
	struct config_resource *o, *o_next;
	struct topic *t, *t_next;

	if (!known_types(call->request)) {
		r->error_code = ERROR_UNSUPPORTED_VERSION;
		return CALL_ANSWER;
	}
	r->config_resources = CALL_ARRAY(
		call, struct list_config_resources_response_config_resources,
		HASH_COUNT(cf->groups) + HASH_COUNT(cf->metrics) + 2 * (size_t)c->config.brokers +
			HASH_CNT(by_name, c->topics.by_name));
	if (asked_for(call, RESOURCE_GROUP))
		HASH_ITER (hh, cf->groups, o, o_next)
			list(r, call_str(call, o->name), RESOURCE_GROUP);
	if (asked_for(call, RESOURCE_METRICS))
		HASH_ITER (hh, cf->metrics, o, o_next)
			list(r, call_str(call, o->name), RESOURCE_METRICS);
	for (int8_t type = RESOURCE_LOGGER; type >= RESOURCE_BROKER; type /= 2)
		for (int32_t i = 0; asked_for(call, type) && i < c->config.brokers; i++)
			if (c->brokers[i].alive)
				list(r, call_printf(call, "%d", c->brokers[i].address.node_id),
				     type);
	if (asked_for(call, RESOURCE_TOPIC))
		HASH_ITER (by_name, c->topics.by_name, t, t_next)
			list(r, call_str(call, t->name), RESOURCE_TOPIC);
	return CALL_ANSWER;
}
