/* The cluster's configuration at run time. Invariant: c->config.broker and what topics inherit are
 * the fixed configuration with everything on top that is set here. */
#include "mock/configs.h"

#include "mock/mem.h"
#include "mock/state.h"

#include <stdlib.h>

#define NUMBER(min, max) CONFIG_INT, min, max, NULL
#define CHOICE(choices)	 CONFIG_STRING, 0, 0, choices
#define BOOLEAN		 CONFIG_BOOLEAN, 0, 0, NULL
#define SESSION		 NUMBER(45000, 60000)
#define HEARTBEAT	 NUMBER(5000, 15000)
#define INTERVAL	 NUMBER(0, 15000)

/* As a 4.4.0 broker lists them and, under its own configuration, bounds them. */
static const struct config_key group_keys[] = {
	{"consumer.session.timeout.ms", "45000", "group.consumer.session.timeout.ms", SESSION},
	{"consumer.heartbeat.interval.ms", "5000", "group.consumer.heartbeat.interval.ms",
	 HEARTBEAT},
	{"consumer.assignment.interval.ms", "1000", "group.consumer.assignment.interval.ms",
	 INTERVAL},
	{"share.session.timeout.ms", "45000", "group.share.session.timeout.ms", SESSION},
	{"share.heartbeat.interval.ms", "5000", "group.share.heartbeat.interval.ms", HEARTBEAT},
	{"share.assignment.interval.ms", "1000", "group.share.assignment.interval.ms", INTERVAL},
	{"share.record.lock.duration.ms", "30000", "group.share.record.lock.duration.ms",
	 NUMBER(15000, 60000)},
	{"share.delivery.count.limit", "5", "group.share.delivery.count.limit", NUMBER(2, 10)},
	{"share.partition.max.record.locks", "2000", "group.share.partition.max.record.locks",
	 NUMBER(100, 4000)},
	{"share.auto.offset.reset", "latest", "share.auto.offset.reset", CHOICE(NULL)},
	{"share.isolation.level", "read_uncommitted", "share.isolation.level",
	 CHOICE("read_committed,read_uncommitted")},
	{"share.renew.acknowledge.enable", "true", "share.renew.acknowledge.enable", BOOLEAN},
	{"streams.session.timeout.ms", "45000", "group.streams.session.timeout.ms", SESSION},
	{"streams.heartbeat.interval.ms", "5000", "group.streams.heartbeat.interval.ms", HEARTBEAT},
	{"streams.assignment.interval.ms", "1000", "group.streams.assignment.interval.ms",
	 INTERVAL},
	{"streams.initial.rebalance.delay.ms", "3000", "group.streams.initial.rebalance.delay.ms",
	 NUMBER(0, INT32_MAX)},
	{"streams.num.standby.replicas", "0", "group.streams.num.standby.replicas", NUMBER(0, 2)},
	{"streams.assignor.name", "sticky", "group.streams.assignors", CHOICE(NULL)},
	{"streams.rack.aware.assignment.tags", "", "group.streams.rack.aware.assignment.tags",
	 CONFIG_LIST, 0, 0, NULL},
	{"errors.deadletterqueue.topic.name", "", "errors.deadletterqueue.topic.name",
	 CHOICE(NULL)},
	{"errors.deadletterqueue.copy.record.enable", "false",
	 "errors.deadletterqueue.copy.record.enable", BOOLEAN},
};

static const struct config_key metrics_keys[] = {
	{"interval.ms", "300000", NULL, NUMBER(100, 3600000)},
	{"match", "", NULL, CONFIG_LIST, 0, 0, NULL},
	{"metrics", "", NULL, CONFIG_LIST, 0, 0, NULL},
};

const struct config_key *config_group_keys(size_t *ret_count)
{
	*ret_count = sizeof(group_keys) / sizeof(group_keys[0]);
	return group_keys;
}

const struct config_key *config_metrics_keys(size_t *ret_count)
{
	*ret_count = sizeof(metrics_keys) / sizeof(metrics_keys[0]);
	return metrics_keys;
}

/* ---- sets ---- */

static struct config_entry *find(const struct config_set *set, struct str name)
{
	for (size_t i = 0; i < set->count; i++)
		if (str_eq(set->list[i].name, name))
			return &set->list[i];
	return NULL;
}

const struct str *config_set_get(const struct config_set *set, struct str name)
{
	const struct config_entry *e = find(set, name);

	return e ? &e->value : NULL;
}

void config_set_put(struct config_set *set, struct str name, struct str value)
{
	struct config_entry *e = find(set, name);

	if (e) {
		mem_str_free(e->value);
		e->value = mem_str(value);
	} else if (value.data) {
		set->list = mem_grow(set->list, &set->cap, set->count + 1, sizeof(set->list[0]));
		set->list[set->count++] = (struct config_entry){mem_str(name), mem_str(value)};
	}
	if (!e || value.data)
		return;
	mem_str_free(e->name);
	memmove(e, e + 1, (size_t)(set->list + --set->count - e) * sizeof(*e));
}

void config_set_release(struct config_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		mem_str_free(set->list[i].name);
		mem_str_free(set->list[i].value);
	}
	free(set->list);
	*set = (struct config_set){0};
}

struct config_set *configs_of(struct config_resource **all, struct str name, bool make)
{
	struct config_resource *r;

	HASH_FIND(hh, *all, name.data, (unsigned)name.len, r);
	if (r || !make)
		return r ? &r->set : NULL;
	r = mem_new(sizeof(*r));
	r->name = mem_str(name);
	HASH_ADD_KEYPTR(hh, *all, r->name.data, (unsigned)r->name.len, r);
	return &r->set;
}

static void drop(struct config_resource **all, struct config_resource *r)
{
	HASH_DEL(*all, r);
	config_set_release(&r->set);
	mem_str_free(r->name);
	free(r);
}

void configs_tidy(struct config_resource **all)
{
	struct config_resource *r, *next;

	HASH_ITER (hh, *all, r, next)
		if (!r->set.count)
			drop(all, r);
}

/* ---- the cluster's ---- */

void configs_init(struct cluster *c)
{
	struct configs *cf = &c->configs;
	size_t brokers = (size_t)c->config.brokers;

	cf->fixed = c->config.broker;
	cf->brokers = mem_new(brokers * sizeof(cf->brokers[0]));
	cf->levels = mem_new(brokers * sizeof(cf->levels[0]));
	for (size_t i = 0; i < brokers; i++)
		cf->levels[i] = LOG_LEVEL_DEFAULT;
	topic_config_init(&cf->topics, cf->fixed.topics);
	configs_features_changed(c);
}

void configs_features_changed(struct cluster *c)
{
	struct configs *cf = &c->configs;
	const struct str name = str_of("min.insync.replicas");
	bool set;

	if (feature_level(c, "eligible.leader.replicas.version") > 0 &&
	    !config_set_get(&cf->cluster, name))
		config_set_put(&cf->cluster, name,
			       topic_config_get(&cf->topics, config_key_find(name), &set));
	configs_apply(c);
}

void configs_release(struct cluster *c)
{
	struct configs *cf = &c->configs;
	struct config_resource *r, *next;

	config_set_release(&cf->cluster);
	for (int32_t i = 0; i < c->config.brokers; i++)
		config_set_release(&cf->brokers[i]);
	free(cf->brokers);
	free(cf->levels);
	HASH_ITER (hh, cf->groups, r, next)
		drop(&cf->groups, r);
	HASH_ITER (hh, cf->metrics, r, next)
		drop(&cf->metrics, r);
	topic_config_release(&cf->topics);
}

static void apply_set(struct configs *cf, const struct config_set *set,
		      struct broker_config *numbers)
{
	for (size_t i = 0; i < set->count; i++) {
		struct str name = set->list[i].name, value = set->list[i].value;

		broker_config_set(numbers, &cf->topics, name, value);
	}
}

void configs_apply(struct cluster *c)
{
	struct configs *cf = &c->configs;
	struct broker_config numbers = cf->fixed;
	struct topic *t, *next;

	topic_config_release(&cf->topics);
	topic_config_init(&cf->topics, cf->fixed.topics);
	cf->topics.source = CONFIG_SOURCE_CLUSTER;
	apply_set(cf, &cf->cluster, &numbers);
	if (c->config.brokers == 1)
		apply_set(cf, &cf->brokers[0], &numbers);
	c->config.broker = numbers;
	HASH_ITER (by_name, c->topics.by_name, t, next)
		topic_config_refresh(&t->config);
}

int32_t configs_group_number(const struct cluster *c, struct str group, const char *key,
			     int32_t otherwise)
{
	struct config_resource *groups = c->configs.groups;
	const struct config_set *set = groups ? configs_of(&groups, group, false) : NULL;
	const struct str *value = set ? config_set_get(set, str_of(key)) : NULL;
	int64_t n;

	return value && config_number(*value, &n) ? (int32_t)n : otherwise;
}

const char *config_log_level(struct str name)
{
	static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (str_is(name, levels[i]))
			return levels[i];
	return NULL;
}
