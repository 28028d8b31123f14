/* One table for the numbers, the topics' own table for what they inherit, and the few keys of Kafka
 * that say one thing in several units. */
#include "mock/broker_config.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

#define AT(field) offsetof(struct broker_config, field)

static const struct {
	const char *key;
	size_t at;
	int32_t value, min;
} numbers[] = {
	{"group.min.session.timeout.ms", AT(group_session_min_ms), 6000, 1},
	{"group.max.session.timeout.ms", AT(group_session_max_ms), 1800000, 1},
	{"group.initial.rebalance.delay.ms", AT(group_initial_delay_ms), 0, 0},
	{"group.max.size", AT(group_max_size), INT32_MAX, 1},
	{"group.consumer.session.timeout.ms", AT(consumer_session_ms), 45000, 1},
	{"group.consumer.heartbeat.interval.ms", AT(consumer_heartbeat_ms), 5000, 1},
	{"group.consumer.assignment.interval.ms", AT(consumer_interval_ms), 1000, 0},
	{"group.consumer.max.size", AT(consumer_max_size), INT32_MAX, 1},
	{"offset.metadata.max.bytes", AT(offset_metadata_max), 4096, 1},
	{"offsets.retention.minutes", AT(offsets_retention_minutes), 10080, 1},
	{"offsets.retention.check.interval.ms", AT(offsets_check_ms), 600000, 1},
	{"producer.id.expiration.ms", AT(producer_id_expiration_ms), 86400000, 1},
	{"transaction.max.timeout.ms", AT(txn_timeout_max_ms), 900000, 1},
	{"transaction.abort.timed.out.transaction.cleanup.interval.ms", AT(txn_abort_check_ms),
	 10000, 1},
	{"transactional.id.expiration.ms", AT(txn_id_expiration_ms), 604800000, 1},
	{"transaction.remove.expired.transaction.cleanup.interval.ms", AT(txn_cleanup_ms), 3600000,
	 1},
	{"log.retention.check.interval.ms", AT(retention_check_ms), 300000, 1},
	{"log.cleaner.backoff.ms", AT(cleaner_backoff_ms), 15000, 1},
	{"fetch.max.bytes", AT(fetch_bytes_max), 57671680, 1024},
	{"max.incremental.fetch.session.cache.slots", AT(fetch_sessions_max), 1000, 0},
	{"max.request.partition.size.limit", AT(describe_partitions_max), 2000, 1},
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* Keys that are a topic's key in another unit. */
static const struct {
	const char *key, *topic_key;
	int64_t factor;
} units[] = {
	{"log.retention.ms", "retention.ms", 1},
	{"log.retention.minutes", "retention.ms", 60000},
	{"log.retention.hours", "retention.ms", 3600000},
	{"log.retention.bytes", "retention.bytes", 1},
	{"log.roll.ms", "segment.ms", 1},
	{"log.roll.hours", "segment.ms", 3600000},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

static int32_t *number_at(struct broker_config *bc, size_t i)
{
	return (int32_t *)(void *)((char *)bc + numbers[i].at);
}

void broker_config_fill(struct broker_config *bc)
{
	for (size_t i = 0; i < NUMBERS; i++)
		if (!*number_at(bc, i) && !(bc->given >> i & 1))
			*number_at(bc, i) = numbers[i].value;
	if (!bc->has_node_id)
		bc->first_node_id = 1;
}

static bool parse(struct str text, int64_t *ret)
{
	return config_number(text, ret) && text.data[0] != '+';
}

static int set_topic(struct topic_config *topics, const char *name, struct str value)
{
	const struct config_key *key = config_key_find(str_of(name));

	if (!key || !config_value_ok(key, value))
		return ERR_USAGE;
	topic_config_set(topics, key, value);
	return 1;
}

static int set_unit(struct topic_config *topics, size_t i, struct str value)
{
	char text[24];
	int64_t n;

	if (!parse(value, &n) || n > INT64_MAX / units[i].factor)
		return ERR_USAGE;
	snprintf(text, sizeof(text), "%lld", (long long)(n < 0 ? n : n * units[i].factor));
	return set_topic(topics, units[i].topic_key, str_of(text));
}

static int set_rack(struct broker_config *bc, struct str value)
{
	if (!value.len || value.len >= (int32_t)sizeof(bc->racks))
		return ERR_USAGE;
	snprintf(bc->racks, sizeof(bc->racks), STR_FMT, STR_ARG(value));
	return 1;
}

/* One of two words for a flag. */
static int set_flag(bool *flag, struct str value, const char *yes, const char *no)
{
	if (!str_is(value, yes) && !str_is(value, no))
		return ERR_USAGE;
	*flag = str_is(value, yes);
	return 1;
}

static int set_migration(struct broker_config *bc, struct str value)
{
	bool up = str_is(value, "upgrade"), down = str_is(value, "downgrade");

	if (!up && !down && !str_is(value, "bidirectional") && !str_is(value, "disabled"))
		return ERR_USAGE;
	bc->no_upgrade = down || str_is(value, "disabled");
	bc->no_downgrade = up || str_is(value, "disabled");
	return 1;
}

/* The keys that take words: as broker_config_set. */
static int set_word(struct broker_config *bc, struct str key, struct str value)
{
	if (str_is(key, "broker.rack"))
		return set_rack(bc, value);
	if (str_is(key, "replica.selector.class"))
		return set_flag(&bc->rack_selector, value, SELECTOR_RACK, SELECTOR_LEADER);
	if (str_is(key, "transaction.partition.verification.enable"))
		return set_flag(&bc->no_verification, value, "false", "true");
	if (str_is(key, "delete.topic.enable"))
		return set_flag(&bc->no_topic_deletion, value, "false", "true");
	if (str_is(key, "group.consumer.migration.policy"))
		return set_migration(bc, value);
	return 0;
}

int broker_config_set(struct broker_config *bc, struct topic_config *topics, struct str key,
		      struct str value)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	int64_t n;

	if (str_is(key, "node.id") || str_is(key, "broker.id")) {
		if (!parse(value, &n) || n < 0 || n > INT32_MAX - 1000)
			return ERR_USAGE;
		bc->first_node_id = (int32_t)n;
		bc->has_node_id = true;
		return 1;
	}
	if (set_word(bc, key, value))
		return set_word(bc, key, value);
	for (size_t i = 0; i < NUMBERS; i++) {
		if (!str_is(key, numbers[i].key))
			continue;
		if (!parse(value, &n) || n < numbers[i].min || n > INT32_MAX)
			return ERR_USAGE;
		*number_at(bc, i) = (int32_t)n;
		bc->given |= UINT64_C(1) << i;
		return 1;
	}
	for (size_t i = 0; i < UNITS; i++)
		if (str_is(key, units[i].key))
			return set_unit(topics, i, value);
	for (size_t i = 0; i < count; i++)
		if (keys[i].synonym && str_is(key, keys[i].synonym))
			return set_topic(topics, keys[i].name, value);
	return 0;
}

/* Keys that a topic inherits and that say nothing here: there is no disk, no tier, no jitter. */
static bool is_shown_only(const char *key)
{
	static const char *const parts[] = {"remote",	    "local",	    "flush",
					    "index",	    "preallocate",  "level",
					    "delete.delay", "decompressed", "max.compaction"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(key, parts[i]))
			return true;
	return false;
}

const char *broker_config_key(size_t i)
{
	static const char *const words[] = {"node.id",
					    "broker.id",
					    "num.partitions",
					    "default.replication.factor",
					    "auto.create.topics.enable",
					    "listeners",
					    "advertised.listeners",
					    "broker.rack",
					    "replica.selector.class",
					    "transaction.partition.verification.enable",
					    "delete.topic.enable",
					    "group.consumer.migration.policy"};
	const size_t words_count = sizeof(words) / sizeof(words[0]);
	size_t count;
	const struct config_key *keys = config_keys(&count);

	if (i < words_count)
		return words[i];
	i -= words_count;
	if (i < NUMBERS)
		return numbers[i].key;
	i -= NUMBERS;
	if (i < UNITS)
		return units[i].key;
	i -= UNITS;
	for (size_t k = 0; k < count; k++)
		if (keys[k].synonym && !is_shown_only(keys[k].synonym) &&
		    strcmp(keys[k].synonym, "log.retention.bytes") && i-- == 0)
			return keys[k].synonym;
	return NULL;
}

const char *broker_config_nearest(struct str key)
{
	const char *name, *best = NULL;
	int distance, best_distance = 5;

	for (size_t i = 0; (name = broker_config_key(i)); i++) {
		distance = str_distance(key, str_of(name));
		if (distance >= best_distance || distance * 2 > key.len)
			continue;
		best_distance = distance;
		best = name;
	}
	return best;
}

bool broker_config_number(const struct broker_config *bc, struct str key, int32_t *ret)
{
	struct broker_config copy = *bc;

	for (size_t i = 0; i < NUMBERS; i++)
		if (str_is(key, numbers[i].key)) {
			*ret = *number_at(&copy, i);
			return true;
		}
	return false;
}

const char *broker_config_synonym(const struct config_key *key, size_t i)
{
	if (key->synonym)
		return i ? NULL : key->synonym;
	for (size_t k = 0; k < UNITS; k++)
		if (!strcmp(units[k].topic_key, key->name) && i-- == 0)
			return units[k].key;
	return NULL;
}

const char *broker_config_behind(struct str name, int i)
{
	size_t at = 0, other;

	while (at < UNITS && !str_is(name, units[at].key))
		at++;
	other = at + 1 + (size_t)i;
	return other < UNITS && !strcmp(units[other].topic_key, units[at].topic_key)
		       ? units[other].key
		       : NULL;
}
