/* One table of keys, as a 4.4.0 broker describes them, and the parsed form of what is acted on.
 * Everything is parsed anew after each change, so that the two can't drift apart. */
#include "mock/topic_config.h"

#include "mock/mem.h"

#include <assert.h>
#include <stdlib.h>

#define NUMBER(type, min, max) type, min, max, NULL
#define CHOICE(type, choices)  type, 0, 0, choices
#define BOOLEAN		       CONFIG_BOOLEAN, 0, 0, NULL
#define ALWAYS_FALSE	       CONFIG_BOOLEAN, 0, 0, "false"
#define REPLICAS	       CONFIG_LIST, 0, 0, config_throttled_replicas
#define CODECS		       "uncompressed,zstd,lz4,snappy,gzip,producer"
#define LONG(min)	       NUMBER(CONFIG_LONG, min, INT64_MAX)
#define INT(min)	       NUMBER(CONFIG_INT, min, INT32_MAX)

static const struct config_key keys[] = {
	{"compression.type", "producer", "compression.type", CHOICE(CONFIG_STRING, CODECS)},
	{"errors.deadletterqueue.group.enable", "false", NULL, BOOLEAN},
	{"remote.copy.lag.bytes", "-1", "log.remote.copy.lag.bytes", LONG(-1)},
	{"remote.log.delete.on.disable", "false", NULL, BOOLEAN},
	{"leader.replication.throttled.replicas", "", NULL, REPLICAS},
	{"remote.storage.enable", "false", NULL, ALWAYS_FALSE}, /* there is no tier */
	{"min.insync.replicas", "1", "min.insync.replicas", INT(1)},
	{"segment.jitter.ms", "0", NULL, LONG(0)},
	{"remote.log.copy.disable", "false", NULL, BOOLEAN},
	{"local.retention.ms", "-2", "log.local.retention.ms", LONG(-2)},
	{"cleanup.policy", "delete", "log.cleanup.policy", CHOICE(CONFIG_LIST, "compact,delete")},
	{"flush.ms", "9223372036854775807", NULL, LONG(0)},
	{"follower.replication.throttled.replicas", "", NULL, REPLICAS},
	{"compression.lz4.level", "9", "compression.lz4.level", NUMBER(CONFIG_INT, 1, 17)},
	{"segment.bytes", "1073741824", "log.segment.bytes", INT(1048576)},
	{"retention.ms", "604800000", NULL, LONG(-1)},
	{"compression.gzip.level", "-1", "compression.gzip.level", NUMBER(CONFIG_INT, -1, 9)},
	{"remote.copy.lag.ms", "0", "log.remote.copy.lag.ms", LONG(-1)},
	{"flush.messages", "9223372036854775807", "log.flush.interval.messages", LONG(1)},
	{"compression.zstd.level", "3", "compression.zstd.level", NUMBER(CONFIG_INT, -131072, 22)},
	{"max.compaction.lag.ms", "9223372036854775807", "log.cleaner.max.compaction.lag.ms",
	 LONG(1)},
	{"file.delete.delay.ms", "60000", "log.segment.delete.delay.ms", LONG(0)},
	{"max.message.bytes", "1048588", "message.max.bytes", INT(0)},
	{"min.compaction.lag.ms", "0", "log.cleaner.min.compaction.lag.ms", LONG(0)},
	{"message.timestamp.type", "CreateTime", "log.message.timestamp.type",
	 CHOICE(CONFIG_STRING, "CreateTime,LogAppendTime")},
	{"local.retention.bytes", "-2", "log.local.retention.bytes", LONG(-2)},
	{"preallocate", "false", "log.preallocate", BOOLEAN},
	{"index.interval.bytes", "4096", "log.index.interval.bytes", INT(0)},
	{"min.cleanable.dirty.ratio", "0.5", "log.cleaner.min.cleanable.ratio",
	 NUMBER(CONFIG_DOUBLE, 0, 1)},
	{"unclean.leader.election.enable", "false", "unclean.leader.election.enable", BOOLEAN},
	{"retention.bytes", "-1", "log.retention.bytes", LONG(INT64_MIN)},
	{"delete.retention.ms", "86400000", "log.cleaner.delete.retention.ms", LONG(0)},
	{"message.timestamp.after.max.ms", "3600000", "log.message.timestamp.after.max.ms",
	 LONG(0)},
	{"max.decompressed.message.bytes", "2147483639", "max.decompressed.message.bytes", INT(1)},
	{"message.timestamp.before.max.ms", "9223372036854775807",
	 "log.message.timestamp.before.max.ms", LONG(0)},
	{"segment.ms", "604800000", NULL, LONG(1)},
	{"segment.index.bytes", "10485760", "log.index.size.max.bytes", INT(4)},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

const struct config_key *config_keys(size_t *ret_count)
{
	*ret_count = KEY_COUNT;
	return keys;
}

const struct config_key *config_key_find(struct str name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (str_is(name, keys[i].name))
			return &keys[i];
	return NULL;
}

struct str topic_config_get(const struct topic_config *tc, const struct config_key *key,
			    bool *ret_set)
{
	for (size_t i = 0; i < tc->overrides_count; i++)
		if (tc->overrides[i].key == key) {
			*ret_set = true;
			return tc->overrides[i].value;
		}
	*ret_set = false;
	return tc->base ? topic_config_get(tc->base, key, &(bool){false}) : str_of(key->value);
}

enum config_source topic_config_source(const struct topic_config *tc, const struct config_key *key)
{
	bool set = false;

	for (; tc && !set; tc = tc->base) {
		topic_config_get(tc, key, &set);
		if (set)
			return tc->source;
	}
	return CONFIG_SOURCE_DEFAULT;
}

static struct str get(const struct topic_config *tc, const char *name)
{
	const struct config_key *key = config_key_find(str_of(name));
	bool set;

	assert(key);
	return topic_config_get(tc, key, &set);
}

static int64_t get_number(const struct topic_config *tc, const char *name)
{
	int64_t n = 0;
	bool ok = config_number(get(tc, name), &n);

	assert(ok);
	return n;
}

static double get_real(const struct topic_config *tc, const char *name)
{
	struct str value = get(tc, name);
	char text[32];

	assert(value.len < (int32_t)sizeof(text));
	memcpy(text, value.data, (size_t)value.len);
	text[value.len] = '\0';
	return strtod(text, NULL);
}

static bool get_listed(const struct topic_config *tc, const char *name, const char *item)
{
	return config_list_has(get(tc, name), str_of(item));
}

static int get_codec(const struct topic_config *tc)
{
	static const char *const names[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
	struct str value = get(tc, "compression.type");

	for (int i = 0; i < CODEC_COUNT; i++)
		if (str_is(value, names[i]))
			return i;
	return -1;
}

static void parse(struct topic_config *tc)
{
	tc->compact = get_listed(tc, "cleanup.policy", "compact");
	tc->delete = get_listed(tc, "cleanup.policy", "delete");
	tc->codec = get_codec(tc);
	tc->timestamp_type = str_is(get(tc, "message.timestamp.type"), "LogAppendTime")
				     ? TIMESTAMP_LOG_APPEND
				     : TIMESTAMP_CREATE;
	tc->timestamp_before_max_ms = get_number(tc, "message.timestamp.before.max.ms");
	tc->timestamp_after_max_ms = get_number(tc, "message.timestamp.after.max.ms");
	tc->message_max = get_number(tc, "max.message.bytes");
	tc->min_insync_replicas = (int32_t)get_number(tc, "min.insync.replicas");
	tc->retention_ms = get_number(tc, "retention.ms");
	tc->retention_bytes = get_number(tc, "retention.bytes");
	tc->segment_bytes = get_number(tc, "segment.bytes");
	tc->segment_ms = get_number(tc, "segment.ms");
	tc->delete_retention_ms = get_number(tc, "delete.retention.ms");
	tc->min_compaction_lag_ms = get_number(tc, "min.compaction.lag.ms");
	tc->min_cleanable_ratio = get_real(tc, "min.cleanable.dirty.ratio");
	tc->unclean_election = str_is(get(tc, "unclean.leader.election.enable"), "true");
}

void topic_config_init(struct topic_config *tc, const struct topic_config *base)
{
	*tc = (struct topic_config){.base = base, .source = CONFIG_SOURCE_TOPIC};
	parse(tc);
}

void topic_config_refresh(struct topic_config *tc)
{
	parse(tc);
}

void topic_config_release(struct topic_config *tc)
{
	for (size_t i = 0; i < tc->overrides_count; i++)
		mem_str_free(tc->overrides[i].value);
	free(tc->overrides);
	*tc = (struct topic_config){0};
}

static void remove_override(struct topic_config *tc, size_t i)
{
	mem_str_free(tc->overrides[i].value);
	tc->overrides_count--;
	memmove(&tc->overrides[i], &tc->overrides[i + 1],
		(tc->overrides_count - i) * sizeof(tc->overrides[0]));
}

void topic_config_set(struct topic_config *tc, const struct config_key *key, struct str value)
{
	for (size_t i = 0; i < tc->overrides_count; i++)
		if (tc->overrides[i].key == key) {
			remove_override(tc, i);
			break;
		}
	if (value.data) {
		assert(config_value_ok(key, value));
		tc->overrides = mem_grow(tc->overrides, &tc->overrides_cap, tc->overrides_count + 1,
					 sizeof(tc->overrides[0]));
		tc->overrides[tc->overrides_count++] =
			(struct config_override){key, config_value_normal(key, value)};
	}
	parse(tc);
}
