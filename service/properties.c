/* Lines to keys, keys to where they belong: the brokers' numbers and the topics' defaults are
 * mock/broker_config.h's, addresses and the cluster's own settings are set here. Owns nothing but
 * what properties_release frees. */
#include "service/properties.h"

#include "mock/topic.h"

#include <stdio.h>
#include <stdlib.h>

#define IGNORED_MAX 65536

void properties_release(struct properties *p)
{
	topic_config_release(&p->topics);
	buf_release(&p->ignored);
}

static int refuse(struct error *e, int line, struct str key, const char *what, struct str value)
{
	char field[100];

	snprintf(field, sizeof(field), STR_FMT, STR_ARG(key));
	return error_at(e, ERR_USAGE, (size_t)line, field, "%s, not '" STR_FMT "'", what,
			STR_ARG(value));
}

/* The first listener that is not a controller's: NAME://HOST:PORT, an empty host for all. */
static int set_listener(struct str value, struct service_address *ret, bool *ret_has)
{
	while (value.len > 0) {
		const char *comma = memchr(value.data, ',', (size_t)value.len);
		struct str one = {value.data, comma ? (int32_t)(comma - value.data) : value.len};
		const char *slashes = memmem(one.data, (size_t)one.len, "://", 3);
		bool controller = one.len >= 10 && !memcmp(one.data, "CONTROLLER", 10);

		value.len -= comma ? one.len + 1 : value.len;
		value.data += comma ? one.len + 1 : 0;
		if (controller)
			continue;
		if (!slashes)
			return ERR_USAGE;
		one.len -= (int32_t)(slashes + 3 - one.data);
		one.data = slashes + 3;
		*ret_has = true;
		return service_address_parse(one, 9092, ret, NULL);
	}
	return ERR_USAGE;
}

static bool whole_number(struct str value, int64_t min, int64_t max, int64_t *ret)
{
	return config_number(value, ret) && *ret >= min && *ret <= max;
}

/* The settings of the cluster itself: 1 taken, 0 not one of these, ERR_USAGE. */
static int set_cluster(struct service_config *config, struct str key, struct str value)
{
	struct cluster_config *c = &config->cluster;
	int64_t n;

	if (str_is(key, "num.partitions")) {
		if (!whole_number(value, 1, TOPIC_PARTITIONS_MAX, &n))
			return ERR_USAGE;
		c->default_partitions = (int32_t)n;
		return 1;
	}
	if (str_is(key, "default.replication.factor")) {
		if (!whole_number(value, 1, INT16_MAX, &n))
			return ERR_USAGE;
		c->default_replication = (int16_t)n;
		return 1;
	}
	if (str_is(key, "auto.create.topics.enable")) {
		if (!str_is(value, "true") && !str_is(value, "false"))
			return ERR_USAGE;
		c->auto_create = str_is(value, "true");
		return 1;
	}
	return 0;
}

static int set(struct service_config *config, struct properties *p, struct str key,
	       struct str value)
{
	int taken;

	if (str_is(key, "listeners"))
		return set_listener(value, &p->listen, &p->has_listen);
	if (str_is(key, "advertised.listeners"))
		return set_listener(value, &p->advertise, &p->has_advertise);
	taken = set_cluster(config, key, value);
	if (!taken)
		taken = broker_config_set(&config->cluster.broker, &p->topics, key, value);
	if (taken)
		return taken;
	if (p->ignored.len)
		buf_text(&p->ignored, ", ");
	buf_add(&p->ignored, key.data, (size_t)key.len);
	return 0;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static struct str trim(struct str s)
{
	while (s.len && blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len && blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* The next logical line in `line` (continued lines joined); false at the end. */
static bool next_line(struct str *rest, int *number, struct buf *line)
{
	bool more = true;

	buf_reset(line);
	while (more && rest->len > 0) {
		const char *end = memchr(rest->data, '\n', (size_t)rest->len);
		struct str one = {rest->data, end ? (int32_t)(end - rest->data) : rest->len};

		rest->len -= one.len + (end ? 1 : 0);
		rest->data += one.len + (end ? 1 : 0);
		++*number;
		one = trim(one);
		more = one.len && one.data[one.len - 1] == '\\' &&
		       !(line->len == 0 && (one.data[0] == '#' || one.data[0] == '!'));
		buf_add(line, one.data, (size_t)(one.len - more));
	}
	return line->len || rest->len > 0;
}

static int read_line(struct str line, int number, struct service_config *config,
		     struct properties *p, struct error *e)
{
	struct str key, value;
	int32_t at = 0;

	line = trim(line);
	if (!line.len || line.data[0] == '#' || line.data[0] == '!')
		return 0;
	while (at < line.len && line.data[at] != '=' && line.data[at] != ':' &&
	       !blank(line.data[at]))
		at++;
	key = (struct str){line.data, at};
	while (at < line.len && blank(line.data[at]))
		at++;
	if (at < line.len && (line.data[at] == '=' || line.data[at] == ':'))
		at++;
	value = trim((struct str){line.data + at, line.len - at});
	if (set(config, p, key, value) < 0)
		return refuse(e, number, key, "a value that Kafka would take is wanted", value);
	return 0;
}

int properties_read(struct str text, struct service_config *config, struct properties *ret,
		    struct error *e)
{
	struct buf line;
	int number = 0, code = 0;

	*ret = (struct properties){0};
	topic_config_init(&ret->topics, NULL);
	ret->topics.source = CONFIG_SOURCE_BROKER;
	buf_init(&ret->ignored, IGNORED_MAX);
	buf_init(&line, (size_t)text.len + 1);
	while (!code && next_line(&text, &number, &line))
		code = read_line((struct str){buf_cstr(&line), (int32_t)line.len}, number, config,
				 ret, e);
	buf_release(&line);
	config->cluster.broker.topics = &ret->topics;
	return code;
}
