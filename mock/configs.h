/* What is configured while the cluster runs: values for all brokers, for one, for groups, for
 * clients' metrics. Topics keep theirs themselves (mock/topic_config.h). */
#ifndef MOCK_CONFIGS_H
#define MOCK_CONFIGS_H

#include "mock/broker_config.h"
#include "mock/config_value.h"

#include <uthash.h>

struct cluster;

struct config_entry {
	struct str name, value; /* owned */
};

/* Names and values in the order in which they were set. */
struct config_set {
	struct config_entry *list;
	size_t count, cap;
};

/* NULL if the name is not set. */
const struct str *config_set_get(const struct config_set *set, struct str name);
/* Copies both; the null value removes the name. */
void config_set_put(struct config_set *set, struct str name, struct str value);
void config_set_release(struct config_set *set);

/* A group or a metrics subscription that has values of its own. */
struct config_resource {
	struct str name;
	struct config_set set;
	UT_hash_handle hh;
};

struct configs {
	struct config_set cluster;  /* of all brokers */
	struct config_set *brokers; /* of each, by index */
	const char **levels;	    /* of each broker's root logger, by index */
	struct config_resource *groups, *metrics;
	struct broker_config fixed; /* what holds where nothing is set here */
	struct topic_config topics; /* what topics inherit */
};

/* Reads c->config and the features. */
void configs_init(struct cluster *c);
void configs_release(struct cluster *c);

/* A cluster with eligible leader replicas sets min.insync.replicas for all its brokers if nobody
 * has (KIP-966). */
void configs_features_changed(struct cluster *c);

/* Brokers' values changed: what they mean holds from now on. Topics feel those of all brokers, and
 * those of a single one where it is the only one. */
void configs_apply(struct cluster *c);

/* The values of a group or subscription; NULL if it has none and none are to be made. */
struct config_set *configs_of(struct config_resource **all, struct str name, bool make);
/* Forgets those that have no value left. */
void configs_tidy(struct config_resource **all);

const struct config_key *config_group_keys(size_t *ret_count);
const struct config_key *config_metrics_keys(size_t *ret_count);

/* A number of a group's configuration, such as consumer.session.timeout.ms, or otherwise. */
int32_t configs_group_number(const struct cluster *c, struct str group, const char *key,
			     int32_t otherwise);

#define LOG_LEVEL_DEFAULT "INFO"
/* The level as a constant, or NULL if there is none of that name. */
const char *config_log_level(struct str name);

#endif
