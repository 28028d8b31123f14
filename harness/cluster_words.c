/* cluster{...} and topic(): brokers, what they advertise, topics and what lies in their logs from
 * the start. Reads and complains; preload.c makes the logs. */
#include "harness/cluster_words.h"

#include "harness/arguments.h"
#include "mock/profile.h"
#include "protocol/compress.h"
#include "protocol/messages.h"
#include "protocol/schema.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_RECORDS_MAX 100000
#define BATCH_TIMES_MAX	  100000
#define TAIL_MAX	  1000000000
#define GAP_MAX		  1000000000000000
#define RAW_MAX		  ((size_t)1 << 20) /* bytes of a batch given as hex */

const struct key cluster_keys[] = {
	{"brokers", KEY_NUMBER, 1, PLAN_BROKERS_MAX, "how many; node ids 1, 2, ..."},
	{"like", KEY_TEXT, 0, 0, "a release, such as kafka-2.3: its versions and ways"},
	{"advertise", KEY_TABLE, 0, 0,
	 "versions by API, less than there are: Produce = \"0-3\"; \"none\" leaves the API out"},
	{"config", KEY_TABLE, 0, 0,
	 "settings of the brokers by Kafka's names: [\"broker.rack\"] = \"a,b,c\""},
	{"auto_create", KEY_FLAG, 0, 0, "topics are made when somebody asks for them; no"},
	{"default_partitions", KEY_NUMBER, 1, 10000, "of a topic that is made without a number; 1"},
	{0},
};

const struct key topic_keys[] = {
	{"partitions", KEY_NUMBER, 1, 10000, "how many; the cluster's default"},
	{"replication", KEY_NUMBER, 1, PLAN_BROKERS_MAX,
	 "replicas of each; 3, or all brokers if there are fewer"},
	{"leader", KEY_NUMBER, 1, PLAN_BROKERS_MAX,
	 "node id that leads all partitions; spread if absent"},
	{"records", KEY_NUMBER, 0, 1000000,
	 "how many are there from the start: values old.0, old.1, ..., to the partitions in turn"},
	{"log", KEY_TABLE, 0, 0, "a list of batches that are there from the start, behind records"},
	{0},
};

const struct key batch_keys[] = {
	{"partition", KEY_NUMBER, 0, 9999, "where; 0"},
	{"gap", KEY_NUMBER, 1, GAP_MAX, "offsets that are left out before it"},
	{"records", KEY_NUMBER, 1, BATCH_RECORDS_MAX, "how many: the next values old.N"},
	{"tail", KEY_NUMBER, 1, TAIL_MAX,
	 "offsets behind its last record that the batch covers all the same, as compaction leaves"},
	{"empty", KEY_NUMBER, 1, TAIL_MAX,
	 "instead: offsets of a batch that compaction left without records"},
	{"hex", KEY_TEXT, 0, 0,
	 "instead: the bytes of a whole batch; its base offset is the log's"},
	{"codec", KEY_TEXT, 0, 0, "none, gzip, snappy, lz4 or zstd; none"},
	{"magic", KEY_NUMBER, 0, 2,
	 "2; with 1 or 0 its records are messages of before there were batches, each for itself "
	 "or, "
	 "with a codec, all in one"},
	{"txn", KEY_TEXT, 0, 0,
	 "commit, abort or open: it is a transaction, with its marker behind it unless it is open"},
	{"bad_crc", KEY_FLAG, 0, 0, "its checksum is wrong"},
	{"times", KEY_NUMBER, 1, BATCH_TIMES_MAX, "so many such batches, the gap before each; 1"},
	{0},
};

/* ---- the cluster ---- */

static void read_like(const struct call_site *c)
{
	struct str like = call_text(c, &c->script->plan->arena, 1, "like");
	struct error e = ERROR_INIT;

	if (!like.data)
		return;
	c->script->plan->like = profile_find(like, &e);
	if (!c->script->plan->like)
		script_complain(c->script, call_key_place(c, 1, NULL, "like", true), "%s", e.text);
}

/* "3", "0-3" or "none". */
static bool read_range(const char *text, struct version_limit *l)
{
	int min, max, used = 0;

	*l = (struct version_limit){.min = 0, .max = -1};
	if (!strcmp(text, "none"))
		return true;
	if (sscanf(text, "%d%n", &min, &used) == 1 && !text[used])
		max = min;
	else if (sscanf(text, "%d-%d%n", &min, &max, &used) != 2 || text[used])
		return false;
	l->min = (int16_t)min;
	l->max = (int16_t)max;
	return min >= 0 && max >= min && max <= INT16_MAX;
}

/* Whether the cluster has any of these versions; names what it has. */
static bool has_versions(const struct case_plan *p, int api_key, const struct version_limit *l,
			 char *ret_text, size_t size)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);
	struct version_range r = {m ? m->since : 0, m ? m->until : -1};

	if (p->like)
		r = profile_versions(p->like, api_key);
	snprintf(ret_text, size, "%d-%d", r.min, r.max);
	return l->max < l->min || (l->min <= r.max && l->max >= r.min);
}

/* One pair: the API's name below the top, its versions at the top. */
static void read_advertised(const struct call_site *c)
{
	const char *api = lua_type(c->lua, -2) == LUA_TSTRING ? lua_tostring(c->lua, -2) : "";
	const char *text = lua_type(c->lua, -1) == LUA_TSTRING ? lua_tostring(c->lua, -1) : "";
	struct case_plan *p = c->script->plan;
	struct place at = call_key_place(c, 1, "advertise", api, false);
	struct version_limit l;
	int key = api_find(str_of(api));
	char has[40];

	if (key < 0) {
		const char *nearest = call_nearest_api(api);

		script_complain(c->script, at, "there is no API '%s'%s%s%s", api,
				nearest ? "; did you mean '" : "", nearest ? nearest : "",
				nearest ? "'?" : "");
		return;
	}
	at = call_key_place(c, 1, "advertise", api, true);
	if (!read_range(text, &l)) {
		script_complain(c->script, at, "%s takes versions: \"3\", \"0-3\" or \"none\"",
				api);
		return;
	}
	if (!has_versions(p, key, &l, has, sizeof(has)))
		script_complain(c->script, at, "the cluster has %s in versions %s", api, has);
	l.api_key = key;
	*(struct version_limit *)call_add(c, &p->limits, &p->limits_count, sizeof(l)) = l;
}

static void read_advertise(const struct call_site *c)
{
	if (lua_getfield(c->lua, 1, "advertise") == LUA_TTABLE) {
		lua_pushnil(c->lua);
		while (lua_next(c->lua, -2)) {
			read_advertised(c);
			lua_pop(c->lua, 1);
		}
	}
	lua_pop(c->lua, 1);
}

/* One pair of config: the setting's name below the top, its value at the top. */
static void read_setting(const struct call_site *c)
{
	const char *key = lua_type(c->lua, -2) == LUA_TSTRING ? lua_tostring(c->lua, -2) : "";
	struct case_plan *p = c->script->plan;
	const char *nearest;
	struct str value;
	struct place at;
	int rc;

	value = str_of(luaL_tolstring(c->lua, -1, NULL));
	rc = broker_config_set(&p->broker, &p->topic_defaults, str_of(key), value);
	if (!rc || p->broker.has_node_id) {
		nearest = broker_config_nearest(str_of(key));
		at = call_key_place(c, 1, "config", key, false);
		if (nearest && !strcmp(nearest, key))
			script_complain(
				c->script, at,
				"'%s' is said by other words here: brokers, default_partitions, "
				"auto_create, or a topic's own",
				key);
		else
			script_complain(c->script, at, "a broker here has no setting '%s'%s%s%s",
					key, nearest ? "; did you mean '" : "",
					nearest ? nearest : "", nearest ? "'?" : "");
	}
	if (rc < 0)
		script_complain(c->script, call_key_place(c, 1, "config", key, true),
				"%s can't be '" STR_FMT "'", key, STR_ARG(value));
	p->broker.has_node_id = false;
	lua_pop(c->lua, 1);
}

static void read_config(const struct call_site *c)
{
	if (lua_getfield(c->lua, 1, "config") == LUA_TTABLE) {
		lua_pushnil(c->lua);
		while (lua_next(c->lua, -2)) {
			read_setting(c);
			lua_pop(c->lua, 1);
		}
	}
	lua_pop(c->lua, 1);
}

static int word_cluster(lua_State *lua)
{
	struct call_site c = case_site(lua, "cluster");
	struct case_plan *p = c.script->plan;

	call_table(&c, 1, false, cluster_keys);
	if (c.script->has_cluster)
		script_complain(c.script, source_name(c.source, c.line, "cluster"),
				"there is one cluster in a scenario");
	c.script->has_cluster = true;
	p->brokers = (int32_t)call_number(&c, 1, "brokers", 1);
	p->default_partitions = (int32_t)call_number(&c, 1, "default_partitions", 1);
	p->auto_create = call_flag(&c, 1, "auto_create");
	read_like(&c);
	read_advertise(&c);
	read_config(&c);
	script_push(lua, OBJECT_CLUSTER, 0);
	return 1;
}

/* ---- batches ---- */

static void wrong(const struct call_site *c, const char *key, const char *text)
{
	script_complain(c->script, call_key_place(c, 2, "log", key, true), "%s", text);
}

static void read_codec(const struct call_site *c, int table, struct plan_batch *b)
{
	struct str name = call_text(c, &c->script->plan->arena, table, "codec");

	if (!name.data)
		return;
	for (int i = 0; i < CODEC_COUNT; i++)
		if (str_is(name, codec_name(i))) {
			b->codec = (uint8_t)i;
			return;
		}
	wrong(c, "codec", "codec is none, gzip, snappy, lz4 or zstd");
}

static void read_txn(const struct call_site *c, int table, struct plan_batch *b)
{
	static const char *const names[] = {"", "commit", "abort", "open"};
	struct str name = call_text(c, &c->script->plan->arena, table, "txn");

	for (int i = BATCH_COMMITTED; i <= BATCH_OPEN && name.data; i++)
		if (str_is(name, names[i]))
			b->txn = (enum batch_txn)i;
	if (name.data && !b->txn)
		wrong(c, "txn", "txn is commit, abort or open");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Pairs of digits, blanks between them. */
static bool unhex(struct str hex, uint8_t *to, int32_t *ret_len)
{
	int32_t n = 0;

	for (int32_t i = 0; i < hex.len; i++) {
		int high, low;

		if (hex.data[i] == ' ' || hex.data[i] == '\n')
			continue;
		high = hex_digit(hex.data[i]);
		low = ++i < hex.len ? hex_digit(hex.data[i]) : -1;
		if (high < 0 || low < 0)
			return false;
		to[n++] = (uint8_t)(high * 16 + low);
	}
	*ret_len = n;
	return n > 0;
}

static void read_hex(const struct call_site *c, int table, struct plan_batch *b)
{
	struct arena *arena = &c->script->plan->arena;
	struct str hex = call_text(c, arena, table, "hex");
	struct error e = ERROR_INIT;
	struct batch batch;
	uint8_t *bytes;

	if (!hex.data)
		return;
	bytes = (size_t)hex.len <= 2 * RAW_MAX ? arena_zalloc(arena, (size_t)hex.len) : NULL;
	if (!bytes || !unhex(hex, bytes, &b->raw.len)) {
		wrong(c, "hex", "hex is bytes, two digits each");
		return;
	}
	b->raw.data = bytes;
	if (batch_read(bytes, (size_t)b->raw.len, &batch, &e) < 0)
		wrong(c, "hex", e.text);
	else if (batch.magic != 2)
		wrong(c, "hex", "hex is a batch of magic 2; records with magic = 1 are older");
}

/* What only the whole batch shows. */
static void judge_batch(const struct call_site *c, const struct plan_topic *t,
			const struct plan_batch *b)
{
	int kinds = (b->records > 0) + (b->empty > 0) + (b->raw.data != NULL);

	if (kinds != 1)
		script_complain(c->script, b->at, "a batch has one of records, empty and hex");
	else if (!b->records && (b->txn || b->codec || b->tail))
		script_complain(c->script, b->at,
				"txn, codec and tail are for batches with records");
	else if (b->magic < 2 && (!b->records || b->txn || b->tail || b->codec == CODEC_ZSTD))
		wrong(c, "magic", "magic 0 and 1 are records, without txn, tail and zstd");
	if (b->partition >=
	    (t->partitions > 0 ? t->partitions : c->script->plan->default_partitions))
		wrong(c, "partition", "the topic has no such partition");
}

/* The batch at the top of the stack. */
static void read_batch(const struct call_site *c, struct plan_topic *t)
{
	struct plan_batch *b = &t->batches[t->batches_count++];
	int table = lua_gettop(c->lua);

	b->at = call_key_place(c, 2, "log", NULL, true);
	if (!lua_istable(c->lua, table)) {
		script_complain(c->script, b->at,
				"log is a list of tables, such as { records = 3 }");
		return;
	}
	call_judge_table(c, table, 2, "log", batch_keys);
	b->partition = (int32_t)call_number(c, table, "partition", 0);
	b->gap = call_number(c, table, "gap", 0);
	b->records = call_number(c, table, "records", 0);
	b->tail = call_number(c, table, "tail", 0);
	b->empty = call_number(c, table, "empty", 0);
	b->bad_crc = call_flag(c, table, "bad_crc");
	b->times = call_number(c, table, "times", 1);
	b->magic = (int8_t)call_number(c, table, "magic", 2);
	read_codec(c, table, b);
	read_txn(c, table, b);
	read_hex(c, table, b);
	judge_batch(c, t, b);
}

static void read_log(struct call_site *c, struct plan_topic *t)
{
	lua_State *lua = c->lua;
	size_t n = lua_getfield(lua, 2, "log") == LUA_TTABLE ? lua_rawlen(lua, -1) : 0;

	if (n > PLAN_ITEMS_MAX)
		script_complain(c->script, call_key_place(c, 2, NULL, "log", false),
				"more than %d batches", PLAN_ITEMS_MAX);
	else if (n)
		t->batches = arena_zalloc(&c->script->plan->arena, n * sizeof(*t->batches));
	for (size_t i = 1; t->batches && i <= n; i++) {
		c->element = (int)i;
		lua_rawgeti(lua, -1, (lua_Integer)i);
		read_batch(c, t);
		lua_pop(lua, 1);
	}
	c->element = 0;
	lua_pop(lua, 1);
}

/* ---- topics ---- */

static void judge_topic(const struct call_site *c, const struct plan_topic *t)
{
	const struct case_plan *p = c->script->plan;

	for (int32_t i = 0; i + 1 < p->topics_count; i++)
		if (str_eq(p->topics[i].name, t->name))
			script_complain(c->script, t->at, "there is a topic '" STR_FMT "' already",
					STR_ARG(t->name));
	if (t->leader > p->brokers)
		script_complain(c->script, call_key_place(c, 2, NULL, "leader", true),
				"there are %d brokers", p->brokers);
	if (t->replication > p->brokers)
		script_complain(c->script, call_key_place(c, 2, NULL, "replication", true),
				"there are %d brokers", p->brokers);
}

static int word_topic(lua_State *lua)
{
	struct call_site c = case_site(lua, "topic");
	struct case_plan *p = c.script->plan;
	struct object *self = script_object(lua, 1);
	struct plan_topic *t;
	struct str name;

	if (!self || self->kind != OBJECT_CLUSTER) {
		script_complain(c.script, source_name(c.source, c.line, "topic"),
				"write c:topic(...), with the cluster before the colon");
		script_stop(lua);
	}
	lua_remove(lua, 1); /* places count arguments as they are written */
	name = call_name(&c, 1, "the name of a topic");
	call_table(&c, 2, false, topic_keys);
	t = call_add(&c, &p->topics, &p->topics_count, sizeof(*t));
	t->name = name;
	t->partitions = (int32_t)call_number(&c, 2, "partitions", -1);
	t->replication = (int16_t)call_number(&c, 2, "replication", -1);
	t->leader = (int32_t)call_number(&c, 2, "leader", -1);
	t->records = call_number(&c, 2, "records", 0);
	t->at = call_place(&c, 1);
	judge_topic(&c, t);
	read_log(&c, t);
	script_push(lua, OBJECT_TOPIC, p->topics_count - 1);
	return 1;
}

/* ---- committed offsets ---- */

static void read_commit(const struct call_site *c, const struct plan_topic *t,
			struct plan_commit *commit)
{
	lua_State *lua = c->lua;
	int32_t n = (int32_t)lua_rawlen(lua, 2), partitions = t->partitions;
	bool wrong = false;

	if (partitions < 0)
		partitions = c->script->plan->default_partitions;
	if (n > partitions)
		script_complain(c->script, call_place(c, 2), "the topic has %d partitions",
				partitions);
	commit->offsets =
		arena_zalloc(&c->script->plan->arena, ((size_t)n + 1) * sizeof(*commit->offsets));
	for (int32_t i = 0; i < n && n <= partitions; i++) {
		lua_rawgeti(lua, 2, i + 1);
		commit->offsets[i] = lua_isinteger(lua, -1) ? lua_tointeger(lua, -1) : -2;
		wrong |= commit->offsets[i] < -1;
		lua_pop(lua, 1);
		commit->offsets_count++;
	}
	if (wrong || !n)
		script_complain(c->script, call_place(c, 2),
				"committed takes a list of offsets, by partition from 0; -1 where "
				"there is none");
}

static int word_committed(lua_State *lua)
{
	struct call_site c = case_site(lua, "committed");
	struct object *self = script_object(lua, 1);
	struct plan_commit *commit;
	struct plan_topic *t;
	struct str group;

	if (!self || self->kind != OBJECT_TOPIC) {
		script_complain(c.script, source_name(c.source, c.line, "committed"),
				"write t:committed(...), with the topic before the colon");
		script_stop(lua);
	}
	t = &c.script->plan->topics[self->index];
	lua_remove(lua, 1);
	group = call_filled(&c, 1, "the name of a group");
	if (lua_gettop(lua) < 2 || !lua_istable(lua, 2)) {
		script_complain(c.script, call_place(&c, 2), "committed takes a list of offsets");
		script_stop(lua);
	}
	commit = call_add(&c, &t->commits, &t->commits_count, sizeof(*commit));
	commit->group = group;
	commit->at = call_place(&c, 1);
	read_commit(&c, t, commit);
	return 0;
}

void cluster_words_add(lua_State *lua)
{
	lua_pushcfunction(lua, word_cluster);
	lua_setglobal(lua, "cluster");
	lua_newtable(lua);
	lua_pushcfunction(lua, word_topic);
	lua_setfield(lua, -2, "topic");
	lua_setfield(lua, LUA_REGISTRYINDEX, object_kind_name(OBJECT_CLUSTER));
	luaL_getsubtable(lua, LUA_REGISTRYINDEX, object_kind_name(OBJECT_TOPIC));
	lua_pushcfunction(lua, word_committed);
	lua_setfield(lua, -2, "committed");
	lua_pop(lua, 1);
}
