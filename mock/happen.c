/* The table of what can happen, its small grammar, and the events themselves, which change the
 * state that other files own by those files' functions. */
#include "mock/happen.h"

#include "base/json.h"
#include "mock/leadership.h"
#include "mock/cleaner.h"
#include "mock/consumer_group.h"
#include "mock/fetch.h"
#include "mock/stale.h"
#include "mock/state.h"
#include "rules/words.h"

#include <stddef.h>
#include <stdio.h>

#define TEXT_ARENA_MAX ((size_t)64 << 10)

struct happening_info {
	const char *name;
	const char *args; /* names with blanks between; "?" behind one that may be missing */
	const char *what;
	int (*happen)(struct cluster *c, const struct happening *h, struct error *e);
};

enum arg_kind { ARG_TEXT, ARG_NUMBER, ARG_TIME };

static const struct arg {
	const char *name;
	enum arg_kind kind;
	size_t offset;
	int64_t max;
} args[] = {
	{"topic", ARG_TEXT, offsetof(struct happening, topic), 0},
	{"group", ARG_TEXT, offsetof(struct happening, group), 0},
	{"member", ARG_TEXT, offsetof(struct happening, member), 0},
	{"host", ARG_TEXT, offsetof(struct happening, host), 0},
	{"how", ARG_TEXT, offsetof(struct happening, how), 0},
	{"broker", ARG_NUMBER, offsetof(struct happening, broker), INT32_MAX},
	{"to", ARG_NUMBER, offsetof(struct happening, to), INT32_MAX},
	{"partition", ARG_NUMBER, offsetof(struct happening, partition), INT32_MAX},
	{"partitions", ARG_NUMBER, offsetof(struct happening, partitions), INT32_MAX},
	{"replication", ARG_NUMBER, offsetof(struct happening, replication), INT16_MAX},
	{"offset", ARG_NUMBER, offsetof(struct happening, offset), INT64_MAX / 16},
	{"port", ARG_NUMBER, offsetof(struct happening, port), UINT16_MAX},
	{"for", ARG_TIME, offsetof(struct happening, for_us), 0},
};

#define ARG_COUNT (sizeof(args) / sizeof(*args))

/* ---- what they are about ---- */

static struct broker *find_broker(struct cluster *c, int64_t id, struct error *e)
{
	struct broker *b = id <= INT32_MAX ? cluster_broker(c, (int32_t)id) : NULL;

	if (!b)
		error_set(e, ERR_USAGE, "there is no broker %lld", (long long)id);
	return b;
}

static struct partition *find_partition(struct cluster *c, const struct happening *h,
					struct error *e)
{
	struct topic *t = topic_find(c, h->topic);
	struct partition *p =
		t && h->partition <= INT32_MAX ? partition_find(t, (int32_t)h->partition) : NULL;

	if (!t)
		error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'", STR_ARG(h->topic));
	else if (!p)
		error_set(e, ERR_USAGE, "topic '" STR_FMT "' has no partition %lld",
			  STR_ARG(h->topic), (long long)h->partition);
	return p;
}

static struct group *find_group(struct cluster *c, const struct happening *h, struct error *e)
{
	struct group *g = group_find(c, h->group);

	if (!g)
		error_set(e, ERR_USAGE, "there is no group '" STR_FMT "'", STR_ARG(h->group));
	return g;
}

/* A live broker that has the partition; the next one of its replicas if none is named. */
static int32_t find_replica(struct cluster *c, const struct partition *p, int64_t to,
			    struct error *e)
{
	for (int32_t i = 0; i < p->replicas_count; i++) {
		int32_t id = p->replicas[i];
		bool wanted = to < 0 ? id != p->leader : id == to;

		if (wanted && cluster_broker(c, id)->alive)
			return id;
	}
	error_set(e, ERR_USAGE,
		  to < 0 ? "the partition has no other live replica"
			 : "broker %lld has no live replica of it",
		  (long long)to);
	return -1;
}

static void tell(struct cluster *c, const char *name, const char *key, int64_t value)
{
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_int(&j, key, value);
	json_close(&j, '}');
	cluster_event(c, name, &c->scratch);
}

static void tell_text(struct cluster *c, const char *name, const char *key, struct str value)
{
	struct json j;

	buf_reset(&c->scratch);
	json_init(&j, &c->scratch);
	json_open(&j, '{');
	json_key_str(&j, key, value);
	json_close(&j, '}');
	cluster_event(c, name, &c->scratch);
}

/* ---- brokers ---- */

static int broker_down(struct cluster *c, const struct happening *h, struct error *e)
{
	struct broker *b = find_broker(c, h->broker, e);

	if (!b)
		return ERR_USAGE;
	if (h->how.data && !str_is(h->how, "refuse") && !str_is(h->how, "reset"))
		return error_set(e, ERR_USAGE, "how is refuse or reset, not '" STR_FMT "'",
				 STR_ARG(h->how));
	if (!b->alive)
		return error_set(e, ERR_USAGE, "broker %lld is down already", (long long)h->broker);
	b->alive = false;
	b->down = c->now;
	fetch_sessions_drop(c, (int32_t)h->broker);
	tell(c, "broker-down", "broker", h->broker);
	leadership_broker_down(c, (int32_t)h->broker);
	return 0;
}

static int broker_up(struct cluster *c, const struct happening *h, struct error *e)
{
	struct broker *b = find_broker(c, h->broker, e);

	if (!b)
		return ERR_USAGE;
	if (b->alive)
		return error_set(e, ERR_USAGE, "broker %lld is up already", (long long)h->broker);
	b->alive = true;
	stale_end(c, b->address.node_id);
	tell(c, "broker-up", "broker", h->broker);
	leadership_broker_up(c, (int32_t)h->broker);
	return 0;
}

static int listener_change(struct cluster *c, const struct happening *h, struct error *e)
{
	struct broker *b = find_broker(c, h->broker, e);

	if (!b)
		return ERR_USAGE;
	if (h->host.len >= (int32_t)sizeof(b->address.host))
		return error_set(e, ERR_USAGE, "the host is too long");
	if (h->host.data)
		snprintf(b->address.host, sizeof(b->address.host), STR_FMT, STR_ARG(h->host));
	if (h->port >= 0)
		b->address.port = (uint16_t)h->port;
	tell(c, "listener-changed", "broker", h->broker);
	return 0;
}

/* Where it listens is the caller's. */
static int broker_move(struct cluster *c, const struct happening *h, struct error *e)
{
	if (h->how.data && !str_is(h->how, "refuse") && !str_is(h->how, "reset") &&
	    !str_is(h->how, "serve"))
		return error_set(e, ERR_USAGE, "how is refuse, reset or serve, not '" STR_FMT "'",
				 STR_ARG(h->how));
	return listener_change(c, h, e);
}

/* Connections are the caller's. */
static int connections_expire(struct cluster *c, const struct happening *h, struct error *e)
{
	if (h->broker >= 0 && !find_broker(c, h->broker, e))
		return ERR_USAGE;
	tell(c, "connections-expired", "broker", h->broker);
	return 0;
}

static int cold_start(struct cluster *c, const struct happening *h, struct error *e)
{
	(void)e;
	c->coordination.cold_until_us = c->now.mono_us + (h->for_us < 0 ? 1000000 : h->for_us);
	tell(c, "cold-start", "forUs", c->coordination.cold_until_us - c->now.mono_us);
	return 0;
}

/* ---- partitions ---- */

static int leader_move(struct cluster *c, const struct happening *h, struct error *e)
{
	struct partition *p = find_partition(c, h, e);
	int32_t to = p ? find_replica(c, p, h->to, e) : -1;

	if (to < 0)
		return ERR_USAGE;
	leader_set(c, p, to);
	return 0;
}

static int epoch_bump(struct cluster *c, const struct happening *h, struct error *e)
{
	struct partition *p = find_partition(c, h, e);

	if (!p)
		return ERR_USAGE;
	leader_set(c, p, p->leader);
	return 0;
}

static int unclean_election(struct cluster *c, const struct happening *h, struct error *e)
{
	struct partition *p = find_partition(c, h, e);
	int32_t to = p ? find_replica(c, p, h->to, e) : -1;

	if (to < 0)
		return ERR_USAGE;
	leader_unclean(c, p, to, h->offset);
	return 0;
}

static int log_start_move(struct cluster *c, const struct happening *h, struct error *e)
{
	struct partition *p = find_partition(c, h, e);

	if (!p)
		return ERR_USAGE;
	if (h->offset < p->log.start || h->offset > p->log.end)
		return error_set(e, ERR_USAGE, "the log reaches from %lld to %lld",
				 (long long)p->log.start, (long long)p->log.end);
	partition_move_start(c, p, h->offset);
	return 0;
}

/* The topic that is named, if one is; false with *e if there is none of that name. */
static bool maybe_topic(struct cluster *c, const struct happening *h, struct error *e,
			const struct topic **ret)
{
	*ret = h->topic.data ? topic_find(c, h->topic) : NULL;
	if (h->topic.data && !*ret)
		error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'", STR_ARG(h->topic));
	return *ret || !h->topic.data;
}

static int run_retention(struct cluster *c, const struct happening *h, struct error *e)
{
	const struct topic *t;

	if (!maybe_topic(c, h, e, &t))
		return ERR_USAGE;
	retention_run(c, t);
	return 0;
}

static int run_compaction(struct cluster *c, const struct happening *h, struct error *e)
{
	const struct topic *t;

	if (!maybe_topic(c, h, e, &t))
		return ERR_USAGE;
	compaction_run(c, t, true);
	return 0;
}

/* ---- topics ---- */

static int topic_create(struct cluster *c, const struct happening *h, struct error *e)
{
	return cluster_create_topic(c, h->topic, (int32_t)h->partitions, (int16_t)h->replication,
				    -1, c->now, e);
}

static struct topic *find_topic(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = topic_find(c, h->topic);

	if (!t)
		error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'", STR_ARG(h->topic));
	return t;
}

static int nobody_leads(struct error *e)
{
	return error_set(e, ERR_USAGE, "all brokers are down: nobody could lead a new partition");
}

static int delete_topic(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = find_topic(c, h, e);

	if (!t)
		return ERR_USAGE;
	topic_delete(c, t);
	return 0;
}

static int topic_recreate(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = find_topic(c, h, e);

	if (!t)
		return ERR_USAGE;
	if (!cluster_alive(c))
		return nobody_leads(e);
	topic_make_anew(c, t);
	return 0;
}

static int partitions_add(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = find_topic(c, h, e);

	if (!t)
		return ERR_USAGE;
	if (h->partitions <= t->partitions_count || h->partitions > TOPIC_PARTITIONS_MAX)
		return error_set(e, ERR_USAGE,
				 "the topic has %d partitions; more, at most %d, "
				 "can't be %lld",
				 t->partitions_count, TOPIC_PARTITIONS_MAX,
				 (long long)h->partitions);
	if (!cluster_alive(c))
		return nobody_leads(e);
	topic_add_partitions(c, t, (int32_t)h->partitions, NULL);
	return 0;
}

static int metadata_hide(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = topic_find(c, h->topic);

	if (!t)
		return error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'",
				 STR_ARG(h->topic));
	if (h->broker >= 0 && !find_broker(c, h->broker, e))
		return ERR_USAGE;
	t->hidden_by = (int32_t)h->broker;
	t->hidden_until_us = h->for_us < 0 ? INSTANT_NEVER : c->now.mono_us + h->for_us;
	tell_text(c, "metadata-hidden", "topic", t->name);
	return 0;
}

static int metadata_show(struct cluster *c, const struct happening *h, struct error *e)
{
	struct topic *t = topic_find(c, h->topic);

	if (!t)
		return error_set(e, ERR_USAGE, "there is no topic '" STR_FMT "'",
				 STR_ARG(h->topic));
	t->hidden_until_us = 0;
	tell_text(c, "metadata-shown", "topic", t->name);
	return 0;
}

static int metadata_stale(struct cluster *c, const struct happening *h, struct error *e)
{
	int64_t until_us = h->for_us < 0 ? INSTANT_NEVER : c->now.mono_us + h->for_us;

	if (h->broker >= 0 && !find_broker(c, h->broker, e))
		return ERR_USAGE;
	for (int32_t i = 0; i < c->config.brokers; i++) {
		int32_t id = c->brokers[i].address.node_id;

		if (h->broker < 0 || h->broker == id)
			stale_begin(c, id, until_us);
	}
	tell(c, "metadata-stale", "broker", h->broker);
	return 0;
}

static int metadata_fresh(struct cluster *c, const struct happening *h, struct error *e)
{
	if (h->broker >= 0 && !find_broker(c, h->broker, e))
		return ERR_USAGE;
	for (int32_t i = 0; i < c->config.brokers; i++) {
		int32_t id = c->brokers[i].address.node_id;

		if (h->broker < 0 || h->broker == id)
			stale_end(c, id);
	}
	tell(c, "metadata-fresh", "broker", h->broker);
	return 0;
}

/* ---- groups ---- */

static int coordinator_move(struct cluster *c, const struct happening *h, struct error *e)
{
	if (h->to >= 0 && !find_broker(c, h->to, e))
		return ERR_USAGE;
	coordinator_set(c, h->group, (int32_t)(h->to >= 0 ? h->to : -1));
	tell_text(c, "coordinator-moved", "group", h->group);
	return 0;
}

static int coordinator_load(struct cluster *c, const struct happening *h, struct error *e)
{
	(void)e;
	coordinator_loads(c, h->group, c->now.mono_us + (h->for_us < 0 ? 1000000 : h->for_us));
	tell_text(c, "coordinator-loading", "group", h->group);
	return 0;
}

static int rebalance(struct cluster *c, const struct happening *h, struct error *e)
{
	struct group *g = find_group(c, h, e);

	if (!g)
		return ERR_USAGE;
	if (g->consumer ? !g->consumer->members : !g->members_count)
		return error_set(e, ERR_USAGE, "group '" STR_FMT "' has no members",
				 STR_ARG(h->group));
	if (g->consumer)
		consumer_group_bump(c, g, "forced");
	else
		group_rebalance(c, g, "forced");
	return 0;
}

static int fence_all(struct cluster *c, struct group *g)
{
	/* the last of the new protocol may leave a classic group behind */
	while (g->consumer && g->consumer->members)
		consumer_remove(c, g->consumer->members, "fenced");
	while (g->members)
		group_remove_member(c, g->members, "fenced");
	return 0;
}

static int member_fence(struct cluster *c, const struct happening *h, struct error *e)
{
	struct group *g = find_group(c, h, e);
	struct consumer_member *of_consumer = g && g->consumer ? consumer_find(g, h->member) : NULL;
	struct member *m = g && !g->consumer ? member_find(g, h->member) : NULL;

	if (!g)
		return ERR_USAGE;
	if (!h->member.data)
		return fence_all(c, g);
	if (!m && !of_consumer)
		return error_set(e, ERR_USAGE, "the group has no member '" STR_FMT "'",
				 STR_ARG(h->member));
	if (m)
		group_remove_member(c, m, "fenced");
	else
		consumer_remove(c, of_consumer, "fenced");
	return 0;
}

/* ---- the table ---- */

static const struct happening_info infos[] = {
	{"broker-down", "broker how?",
	 "the broker dies: its connections end, others take its partitions; new connections are "
	 "refused, or with how=reset accepted and reset, so that attempts are seen",
	 broker_down},
	{"broker-up", "broker", "it is back, in sync at once, and leads what waited for it",
	 broker_up},
	{"broker-restart", "broker for?", "down, and up again after that time (at once without it)",
	 broker_down},
	{"listener-change", "broker host? port?", "clients are told another address of the broker",
	 listener_change},
	{"broker-move", "broker host? port? how?",
	 "the broker goes on at another address (a free port, unless one is named), and clients "
	 "are told; its connections end, and the address that it leaves refuses, or with how=reset "
	 "accepts and resets, so that attempts are seen, or with how=serve works on",
	 broker_move},
	{"connections-expire", "broker?",
	 "connections on which nothing is under way are closed, as by connections.max.idle.ms: to "
	 "all brokers or one",
	 connections_expire},
	{"cold-start", "for?",
	 "coordinators answer as right after a start: COORDINATOR_NOT_AVAILABLE to "
	 "FindCoordinator, "
	 "COORDINATOR_LOAD_IN_PROGRESS to others, for 1s or that time",
	 cold_start},
	{"leader-move", "topic partition to?", "another replica leads, under the next epoch",
	 leader_move},
	{"epoch-bump", "topic partition", "the same leader under the next epoch", epoch_bump},
	{"unclean-election", "topic partition offset to?",
	 "a replica that lacks everything from the offset on leads: the log ends there",
	 unclean_election},
	{"log-start-move", "topic partition offset", "what lies before the offset is gone",
	 log_start_move},
	{"topic-create", "topic partitions? replication?", "a topic is made", topic_create},
	{"topic-delete", "topic", "the topic is gone", delete_topic},
	{"topic-recreate", "topic", "deleted and made again, empty, with a new id", topic_recreate},
	{"partitions-add", "topic partitions", "the topic has so many partitions", partitions_add},
	{"metadata-hide", "topic broker? for?",
	 "Metadata does not know the topic: of all brokers or one, for good or that time",
	 metadata_hide},
	{"metadata-show", "topic", "Metadata knows it again", metadata_show},
	{"metadata-stale", "broker? for?",
	 "Metadata stays as it is at this moment while the cluster moves on: of all brokers or "
	 "one, "
	 "until metadata-fresh, its restart, or that time",
	 metadata_stale},
	{"metadata-fresh", "broker?", "Metadata says what is again", metadata_fresh},
	{"coordinator-move", "group to?",
	 "another broker coordinates the group (or transactional id); without to as it was",
	 coordinator_move},
	{"coordinator-load", "group for?",
	 "its coordinator answers COORDINATOR_LOAD_IN_PROGRESS, for 1s or that time",
	 coordinator_load},
	{"rebalance", "group",
	 "the group's members must join again (classic) or take the next epoch (KIP-848)",
	 rebalance},
	{"member-fence", "group member?",
	 "the member is thrown out of its group; without one, all of them", member_fence},
	{"retention-run", "topic?", "what is too old or too much is deleted", run_retention},
	{"compaction-run", "topic?", "compacted topics are compacted", run_compaction},
};

#define INFO_COUNT (sizeof(infos) / sizeof(*infos))

bool happening_list(size_t i, const char **ret_name, const char **ret_args, const char **ret_what)
{
	if (i >= INFO_COUNT)
		return false;
	*ret_name = infos[i].name;
	*ret_args = infos[i].args;
	*ret_what = infos[i].what;
	return true;
}

const char *happening_name(const struct happening *h)
{
	return h->info->name;
}

int cluster_happen(struct cluster *c, const struct happening *h, struct instant now,
		   struct error *e)
{
	c->now = now;
	return h->info->happen(c, h, e);
}

/* ---- reading ---- */

/* 0 it is not one of the event's, 1 it may be there, 2 it must. */
static int wants(const struct happening_info *info, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = info->args; *at;) {
		size_t n = strcspn(at, " ");
		bool optional = n && at[n - 1] == '?';

		if (n - optional == len && !memcmp(at, name, len))
			return optional ? 1 : 2;
		at += n;
		at += strspn(at, " ");
	}
	return 0;
}

static int read_name(struct word w, struct happening *h, struct error *e)
{
	const char *near = NULL;
	int least = 5;

	if (!w.text.data)
		return error_at(e, ERR_USAGE, 0, NULL, "an event is wanted, such as broker-down");
	for (size_t i = 0; i < INFO_COUNT; i++) {
		int distance = str_distance(w.text, str_of(infos[i].name));

		if (!distance)
			h->info = &infos[i];
		if (distance < least) {
			least = distance;
			near = infos[i].name;
		}
	}
	if (h->info)
		return 0;
	return error_at(e, ERR_USAGE, (size_t)w.column, NULL,
			"there is no event '" STR_FMT "'%s%s%s", STR_ARG(w.text),
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool read_value(const struct arg *a, struct str value, struct happening *h)
{
	void *to = (char *)h + a->offset;

	switch (a->kind) {
	case ARG_NUMBER:
		return parse_int(value, 0, a->max, to);
	case ARG_TIME:
		return parse_time(value, to);
	default:
		*(struct str *)to = value;
		return value.len > 0;
	}
}

static int read_arg(struct word w, struct happening *h, uint32_t *given, struct error *e)
{
	const char *equals = memchr(w.text.data, '=', (size_t)w.text.len);
	struct str name = w.text, value;

	name.len = equals ? (int32_t)(equals - w.text.data) : name.len;
	for (size_t i = 0; equals && i < ARG_COUNT; i++) {
		if (!str_is(name, args[i].name) || !wants(h->info, args[i].name))
			continue;
		value = (struct str){equals + 1, w.text.len - name.len - 1};
		if (!read_value(&args[i], value, h))
			return error_at(e, ERR_USAGE, (size_t)(w.column + name.len + 1), NULL,
					"%s can't be '" STR_FMT "'", args[i].name, STR_ARG(value));
		*given |= 1U << i;
		return 0;
	}
	return error_at(e, ERR_USAGE, (size_t)w.column, NULL,
			"%s takes %s, each with =VALUE, not '" STR_FMT "'", h->info->name,
			h->info->args, STR_ARG(w.text));
}

int happening_parse(struct str text, struct happening *ret, struct error *e)
{
	struct happening h = {.broker = -1, .to = -1, .partition = -1, .partitions = -1};
	struct arena arena;
	struct words words;
	uint32_t given = 0;
	int code;

	if (memchr(text.data, '"', (size_t)text.len))
		return error_set(e, ERR_USAGE, "no quotes, please: no value here has blanks");
	h.replication = h.offset = h.port = h.for_us = -1;
	arena_init(&arena, TEXT_ARENA_MAX);
	code = words_split(text, &arena, &words, e);
	if (!code)
		code = read_name(words_take(&words), &h, e);
	while (!code && words_peek(&words).text.data)
		code = read_arg(words_take(&words), &h, &given, e);
	for (size_t i = 0; !code && i < ARG_COUNT; i++)
		if (wants(h.info, args[i].name) == 2 && !(given >> i & 1))
			code = error_at(e, ERR_USAGE, (size_t)text.len, NULL,
					"%s lacks %s=", h.info->name, args[i].name);
	arena_release(&arena);
	if (!code)
		*ret = h;
	return code;
}
