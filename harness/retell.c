/* The scenario's text, from top to bottom. Owns the order and the comments; topics and their logs
 * are retell_log.c's. */
#include "harness/retell.h"

#include "base/json.h"
#include "mock/profile.h"
#include "protocol/compress.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define GAP_MAX_US    (10 * (int64_t)1000000)
#define MOMENTS_MAX   1300
#define SETTLE_MAX_US (10 * (int64_t)1000000)
#define LONG_VALUE    40 /* bytes of a value from which on its size is told */
#define LONG_MOST     100000
#define CALM_LEAST    3	      /* records that tell a pace */
#define PACED_US      1000000 /* who took longer than that wrote at a pace */
#define SMALL_BATCH   16384   /* batch.size as clients have it */
#define TIMEOUT_LEAST 30
#define BEAT_MS	      5000 /* group.consumer.heartbeat.interval.ms as brokers have it */
#define TIMEOUT_MOST  600
#define PATIENT_MS    15000 /* half of what the timeline waits for anything */

void retell_quote(struct buf *out, struct str text)
{
	buf_byte(out, '"');
	for (int32_t i = 0; i < text.len; i++) {
		const uint8_t *c = (const uint8_t *)text.data + i;
		size_t len = utf8_length(c, (size_t)(text.len - i));

		if (*c == '"' || *c == '\\') {
			buf_printf(out, "\\%c", *c);
		} else if (*c < ' ' || *c == 127 || !len) {
			buf_printf(out, "\\%03u", *c);
		} else {
			buf_add(out, c, len);
			i += (int32_t)len - 1;
		}
	}
	buf_byte(out, '"');
}

/* Text in a comment stays on its line. */
static void write_comment(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_byte(out, (unsigned char)*text < ' ' ? '?' : (uint8_t)*text);
}

/* ---- the head ---- */

/* The file's name without folders and endings, fit for a scenario's. */
static void short_name(const char *file, char *ret_name, size_t size)
{
	const char *slash = strrchr(file, '/');
	size_t n = 0;

	for (const char *p = slash ? slash + 1 : file; *p && *p != '.' && n + 1 < size; p++)
		ret_name[n++] = isalnum((unsigned char)*p) || *p == '-' ? *p : '-';
	snprintf(ret_name + n, size - n, "%s", n ? "" : "capture");
}

static void count_line(struct buf *out, uint64_t n, const char *what)
{
	if (n)
		buf_printf(out, "--   %llu %s\n", (unsigned long long)n, what);
}

static uint64_t made_anew(const struct seen *seen)
{
	uint64_t n = 0;

	for (size_t i = 0; i < seen->topics_count; i++)
		n += seen->topics[i].made_anew;
	return n;
}

static uint64_t offsets_in_transactions(const struct incident *in)
{
	uint64_t n = 0;

	for (size_t i = 0; i < in->count; i++)
		n += in->list[i].x->header.api_key == API_TXN_OFFSET_COMMIT;
	return n;
}

/* What is not known, or not told. */
static void write_unknown(const struct retell *r, struct buf *out)
{
	const struct session_totals *t = &r->in->session->totals;
	uint64_t torn = 0;
	struct buf list;

	buf_init(&list, RETELL_SIZE_MAX);
	count_line(&list, t->midway,
		   "connections were open already: what was said on them before, and what stood in "
		   "their groups, is not known");
	for (size_t i = 0; i < r->in->session->conns_count; i++)
		torn += r->in->conns[i].torn;
	count_line(
		&list, torn,
		"connections lack bytes: requests on them that have no answer are taken as fine");
	count_line(&list, t->orphans, "answers without their requests are left out");
	count_line(&list, t->cut, "messages have bytes missing and are left out");
	count_line(&list, t->malformed, "messages can't be read");
	count_line(&list, t->unknown, "messages are of an API or version that is not known");
	count_line(&list, t->unmatched_bytes, "bytes belong to no message");
	count_line(&list, r->in->too_many,
		   "things that went wrong have no rule: they are too many");
	count_line(
		&list, r->in->left_out,
		"things that went wrong have no rule: they are about inner topics, or groups and "
		"clients that are not started here");
	count_line(&list, r->in->unreadable,
		   "answers can't be read: what was wrong with them is not "
		   "done again");
	count_line(&list, r->in->missed,
		   "exchanges were hurt that no rule here hits: another acts first");
	count_line(&list, r->in->seen->batches_left_out, "batches can't be read");
	count_line(&list, made_anew(r->in->seen),
		   "topics were deleted and made anew under their names: here they stay, and "
		   "what was written to them goes");
	count_line(&list, offsets_in_transactions(r->in),
		   "times offsets were committed inside of a transaction: here its program reads "
		   "nothing, and commits none");
	if (r->cast->more)
		buf_text(&list, "--   there are more clients than stand here\n");
	if (list.len)
		buf_printf(out, "-- What the capture does not tell:\n%s", buf_cstr(&list));
	buf_release(&list);
}

static void write_head(const struct retell *r, struct buf *out)
{
	const struct session *s = r->in->session;
	char first[RFC3339_SIZE], last[RFC3339_SIZE], name[100];
	int64_t seconds = (s->last_us - s->first_us) / 1000000 * 3 + TIMEOUT_LEAST;

	clock_rfc3339(s->first_us, first);
	clock_rfc3339(s->last_us, last);
	short_name(r->file, name, sizeof(name));
	buf_text(out, "-- What happened in ");
	write_comment(out, r->file);
	buf_printf(
		out,
		" from %s to %s:\n"
		"-- exchanges %llu, clients %d, brokers %d; answers with an error that a cluster "
		"gives by itself %llu.",
		first, last, (unsigned long long)r->in->count, r->cast->count,
		incident_brokers(r->in), (unsigned long long)r->in->own_errors);
	if (r->group || r->filter)
		buf_text(out,
			 r->group ? "\n-- Only the clients of group " : "\n-- Only what matches ");
	write_comment(out, r->group ? r->group : r->filter ? r->filter : "");
	if (r->group && r->filter)
		buf_text(out, ", and only what matches ");
	write_comment(out, r->group && r->filter ? r->filter : "");
	buf_printf(
		out,
		"\n"
		"-- Against a client of ktrial:     ktrial run FILE --client NAME\n"
		"-- Against a program of your own:  ktrial run FILE --under 'COMMAND'   (it finds "
		"the cluster at $BOOTSTRAP_SERVERS)\n"
		"-- Written by `ktrial scenario`, to be edited; docs/scenarios.md has the "
		"words.\n");
	write_unknown(r, out);
	buf_printf(out,
		   "scenario {\n  name = \"captured/%s\",\n"
		   "  claim = \"A client comes through what happened in %s.\",\n  see = ",
		   name, name);
	retell_quote(out, str_of(r->file));
	buf_printf(out, ", timeout = \"%llds\",\n}\n\n",
		   (long long)(seconds < TIMEOUT_MOST ? seconds : TIMEOUT_MOST));
}

/* ---- the cluster ---- */

/* What the mock cluster advertises when it is like no release. */
static struct version_range mock_versions(const struct cluster *c, int key)
{
	const struct message *m = message_of_api(key, MESSAGE_REQUEST);
	struct version_range r = {0, -1};

	for (int16_t v = m ? m->since : 0; m && v <= m->until; v++)
		if (cluster_speaks(c, key, v)) {
			r.min = r.max < r.min ? v : r.min;
			r.max = v;
		}
	return r;
}

static struct version_range own_versions(const struct profile *p, int key)
{
	static struct version_range own[API_KEY_MAX + 1];
	static bool known;
	struct cluster_config config = {.brokers = 1};
	struct cluster *c;

	if (p)
		return profile_versions(p, key);
	if (!known) {
		c = cluster_new(&config, (struct instant){1, 1});
		for (int i = 0; i <= API_KEY_MAX; i++)
			own[i] = mock_versions(c, i);
		cluster_free(c);
		known = true;
	}
	return own[key];
}

static bool differs(const struct seen *s, const struct profile *p, int key)
{
	struct version_range own = own_versions(p, key);
	bool none = s->versions[key].min > s->versions[key].max;

	if (none || own.min > own.max)
		return none != (own.min > own.max);
	return own.min != s->versions[key].min || own.max != s->versions[key].max;
}

/* The release whose versions come nearest; NULL: the mock's own. */
static const struct profile *nearest(const struct seen *s)
{
	const struct profile *best = NULL;
	int least = INT32_MAX;

	for (int32_t i = -1; i < 0 || profile_at(i); i++) {
		const struct profile *p = i < 0 ? NULL : profile_at(i);
		int n = 0;

		for (int key = 0; key <= API_KEY_MAX; key++)
			n += message_of_api(key, MESSAGE_REQUEST) && differs(s, p, key);
		if (n <= least) { /* of equals the newest */
			least = n;
			best = p;
		}
	}
	return s->has_versions ? best : NULL;
}

static bool is_used(const struct incident *in, int key)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->list[i].x->header.api_key == key)
			return true;
	return false;
}

/* Of the APIs that clients used: where brokers had less than the release has. */
static void write_advertise(const struct retell *r, const struct profile *p, struct buf *out)
{
	const struct seen *s = r->in->seen;
	const char *before = ", advertise = { ";

	for (int key = 0; key <= API_KEY_MAX && s->has_versions; key++) {
		struct version_range own = own_versions(p, key);
		const struct seen_versions *v = &s->versions[key];

		if (!is_used(r->in, key) || !differs(s, p, key) || own.min > own.max ||
		    v->min > v->max || v->min > own.max || v->max < own.min || !api_name(key) ||
		    key == API_API_VERSIONS)
			continue;
		buf_printf(out, "%s%s = \"%d-%d\"", before, api_name(key),
			   v->min > own.min ? v->min : own.min,
			   v->max < own.max ? v->max : own.max);
		before = ", ";
	}
	if (before[2] == '\0')
		buf_text(out, " }");
}

/* How often a member of a KIP-848 group is told to be heard from; 0: nobody was told, or only what
 * is usual, or a rule of evidence told it. */
static int32_t heartbeat_ms(const struct incident *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct session_exchange *x = in->list[i].x;
		const struct consumer_group_heartbeat_response *m = x->response_body;

		if (x->header.api_key == API_CONSUMER_GROUP_HEARTBEAT && m && !m->error_code &&
		    !x->rule.data)
			return m->heartbeat_interval_ms == BEAT_MS ? 0 : m->heartbeat_interval_ms;
	}
	return 0;
}

static bool makes_topics(const struct retell *r)
{
	for (size_t i = 0; i < r->in->seen->topics_count; i++)
		if (r->in->seen->topics[i].absent_until_us)
			return true;
	return false;
}

static void write_cluster(const struct retell *r, struct buf *out)
{
	const struct profile *p = nearest(r->in->seen);

	buf_printf(out, "local k = cluster { brokers = %d", incident_brokers(r->in));
	if (p)
		buf_printf(out, ", like = \"kafka-%s\"", p->release);
	if (makes_topics(r))
		buf_text(out, ", auto_create = true");
	write_advertise(r, p, out);
	if (heartbeat_ms(r->in) > 0)
		buf_printf(out, ", config = { [\"group.consumer.heartbeat.interval.ms\"] = %d }",
			   heartbeat_ms(r->in));
	buf_text(out, " }\n");
	retell_topics(r, out);
	buf_byte(out, '\n');
}

/* ---- clients ---- */

static const char *topic_word(const struct retell *r, struct str topic, char *word, size_t size)
{
	for (size_t i = 0; i < r->in->seen->topics_count && topic.data; i++)
		if (str_eq(r->in->seen->topics[i].name, topic) && retell_has_topic(r, i)) {
			retell_topic_word(r, i, word, size);
			return word;
		}
	return NULL;
}

static void write_producer(const struct part *p, struct buf *args, struct buf *config)
{
	int64_t took_us = p->last_us - p->first_us;
	int64_t first = p->calm_requests ? p->calm_records / p->calm_requests : 0;
	int64_t pauses = p->calm_records - first; /* before each of them but the first ones */

	buf_printf(args, ", max_messages = %lld", (long long)(p->records ? p->records : 1));
	if (took_us > PACED_US && p->calm_us > 0 && p->calm_records > CALM_LEAST)
		buf_printf(args, ", throughput = %lld",
			   (long long)(pauses * 1000000 / p->calm_us + 1));
	buf_printf(config, "acks = \"%s\", retries = 100, [\"linger.ms\"] = 0",
		   p->acks == 0	  ? "0"
		   : p->acks == 1 ? "1"
				  : "all");
	buf_printf(config, ",\n      [\"enable.idempotence\"] = %s",
		   p->idempotent ? "true" : "false");
	if (p->in_flight == 1 && p->requests > 3)
		buf_text(config, ", [\"max.in.flight.requests.per.connection\"] = 1");
	if (p->batch_bytes < SMALL_BATCH)
		buf_printf(config, ", [\"batch.size\"] = %d",
			   p->batch_bytes > 64 ? p->batch_bytes : 64);
	if (p->timeout_ms > 0)
		buf_printf(config, ", [\"request.timeout.ms\"] = %d", p->timeout_ms);
	if (p->gave_up_ms)
		buf_printf(config, ",\n      [\"delivery.timeout.ms\"] = %d",
			   p->gave_up_ms > p->timeout_ms ? p->gave_up_ms : p->timeout_ms);
	if (p->codec)
		buf_printf(config, ", [\"compression.type\"] = \"%s\"", codec_name(p->codec));
}

static void write_transactional(const struct part *p, struct buf *args, struct buf *config)
{
	int64_t size = p->size ? p->size : p->records;

	buf_text(args, ", transactional_id = ");
	retell_quote(args, p->txn);
	buf_printf(args, ", max_messages = %lld, transaction_size = %lld",
		   (long long)(p->records ? p->records : 1), (long long)(size ? size : 1));
	if (p->aborts)
		buf_printf(args, ", abort_every = %d",
			   p->ends / p->aborts > 1 ? p->ends / p->aborts : 2);
	if (p->timeout_ms > 0)
		buf_printf(config, "[\"request.timeout.ms\"] = %d", p->timeout_ms);
}

static void write_consumer(const struct part *p, struct buf *args, struct buf *config)
{
	buf_text(args, ", group_id = ");
	retell_quote(args, p->group.data ? p->group : str_of("readers"));
	buf_printf(args, ", reset_policy = \"%s\"", p->from_latest ? "latest" : "earliest");
	if (p->instance.data && p->instance.len) {
		buf_text(args, ", group_instance_id = ");
		retell_quote(args, p->instance);
	}
	if (p->wanted)
		buf_printf(args, ", max_messages = %lld", (long long)p->wanted);
	if (p->kip848)
		buf_text(args, ", group_protocol = \"consumer\"");
	else if (p->session_ms > 0)
		buf_printf(args, ", session_timeout = %d", p->session_ms);
	if (!p->kip848 && p->beat_us && p->session_ms > 0 && p->beat_us / 1000 < p->session_ms / 2)
		buf_printf(config, "[\"heartbeat.interval.ms\"] = %lld, ",
			   (long long)((p->beat_us / 1000 + 50) / 100 * 100 + 1) / 100 * 100 > 0
				   ? (long long)((p->beat_us / 1000 + 50) / 100 * 100)
				   : 100);
	if (p->poll_records)
		buf_printf(config, "[\"max.poll.records\"] = %lld, ", (long long)p->poll_records);
	if (p->max_wait_ms > 0)
		buf_printf(config, "[\"fetch.max.wait.ms\"] = %d, ", p->max_wait_ms);
	if (p->partition_bytes > 0 && p->partition_bytes < 65536 &&
	    p->partition_bytes != p->fetch_bytes)
		buf_printf(config, "[\"max.partition.fetch.bytes\"] = %d, ", p->partition_bytes);
	if (p->fetch_bytes > 0 && p->fetch_bytes < 65536)
		buf_printf(config, "[\"fetch.max.bytes\"] = %d, ", p->fetch_bytes);
	if (p->committed_only)
		buf_text(config, "[\"isolation.level\"] = \"read_committed\"");
}

/* Whose a record is, is known by its value. */
static bool writes_beside_another(const struct retell *r, int32_t index)
{
	const struct part *p = &r->cast->list[index];

	for (int32_t i = 0; i < index; i++) {
		const struct part *q = &r->cast->list[i];

		if (q->played && q->speaks != SPEAKS_CONSUMER && p->speaks != SPEAKS_CONSUMER &&
		    str_eq(p->topic, q->topic))
			return true;
	}
	return false;
}

static void write_part(const struct retell *r, int32_t index, struct buf *out)
{
	const struct part *p = &r->cast->list[index];

	static void (*const writers[])(const struct part *p, struct buf *args,
				       struct buf *config) = {write_producer, write_consumer,
							      write_transactional};
	struct buf args, config;
	char word[60];

	buf_init(&args, 100000);
	buf_init(&config, 100000);
	writers[p->speaks](p, &args, &config);
	if (config.len > 2 && config.data[config.len - 2] == ',')
		config.len -= 2;
	if (p->value_bytes >= LONG_VALUE && p->speaks != SPEAKS_CONSUMER)
		buf_printf(&args, ", value_prefix = string.rep(\"%d\", %d)", (index + 1) % 10,
			   p->value_bytes < LONG_MOST ? p->value_bytes : LONG_MOST);
	else if (writes_beside_another(r, index))
		buf_printf(&args, ", value_prefix = %d", index + 1);
	buf_printf(out,
		   "  %s = client(\"%s\", {\n    speaks = \"%s\",\n    args = { topic = %s%s },\n"
		   "    config = { %s },\n  })\n",
		   p->word, p->name, speaks_name(p->speaks),
		   topic_word(r, p->topic, word, sizeof(word)), buf_cstr(&args), buf_cstr(&config));
	buf_release(&args);
	buf_release(&config);
}

static void write_clients(const struct retell *r, struct buf *out)
{
	const char *before = "local ";

	if (!r->cast->played) {
		buf_text(out, "-- No client wrote or read a topic: only a program of your own can "
			      "be put on trial.\n"
			      "local it = client(\"it\", { speaks = \"none\" })\n\n");
		return;
	}
	for (int32_t i = 0; i < r->cast->count; i++)
		if (r->cast->list[i].played) {
			buf_printf(out, "%s%s", before, r->cast->list[i].word);
			before = ", ";
		}
	buf_text(out, ", it\nif under then\n  it = client(\"it\", { speaks = \"none\" })\nelse\n");
	for (int32_t i = 0; i < r->cast->count; i++)
		if (r->cast->list[i].played)
			write_part(r, i, out);
	buf_text(out, "end\n\n");
}

/* ---- rules ---- */

static void time_of_day(int64_t us, char *ret_text, size_t size)
{
	char whole[RFC3339_SIZE];

	clock_rfc3339(us, whole);
	snprintf(ret_text, size, "%.12s", whole + 11);
}

static void rule_word(const struct incident_rule *rule, char *ret_word, size_t size)
{
	snprintf(ret_word, size, "%s", rule->name);
	for (char *p = ret_word; *p; p++)
		*p = isalnum((unsigned char)*p) ? *p : '_';
}

/* What a client does when it ends comes after all that is waited for. */
static bool is_awaited(const struct incident_rule *rule)
{
	return !rule->event && !rule->optional && strncmp(rule->text, "LeaveGroup", 10) != 0 &&
	       strncmp(rule->text, "any ", 4) != 0;
}

static void write_rules(const struct retell *r, struct buf *out)
{
	char at[20], word[100];

	for (size_t i = 0; i < r->in->rules_count; i++) {
		const struct incident_rule *rule = &r->in->rules[i];

		time_of_day(rule->first_us, at, sizeof(at));
		rule_word(rule, word, sizeof(word));
		buf_printf(out, "local %s = rule(\"%s\", ", word, rule->name);
		retell_quote(out, str_of(rule->text));
		if (rule->event)
			buf_printf(out, ", { optional = true }) -- by then it was %s\n", at);
		else if (rule->optional)
			buf_printf(out, ", { optional = true }) -- from %s on, %llu times\n", at,
				   (unsigned long long)rule->hits);
		else if (rule->hits > 1)
			buf_printf(out, ") -- from %s on, %llu times\n", at,
				   (unsigned long long)rule->hits);
		else
			buf_printf(out, ") -- at %s\n", at);
	}
	if (r->in->rules_count)
		buf_byte(out, '\n');
}

/* ---- the timeline ---- */

enum moment_kind { MOMENT_START, MOMENT_STOP, MOMENT_EVENT };

struct moment {
	enum moment_kind kind;
	int64_t time_us;
	const struct part *part;
	const struct incident_event *event;
};

static int by_moment(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return (x->part > y->part) - (x->part < y->part);
}

static size_t collect(const struct retell *r, struct moment *list)
{
	size_t n = 0;

	for (int32_t i = 0; i < r->cast->count; i++) {
		const struct part *p = &r->cast->list[i];

		if (!p->played)
			continue;
		list[n++] = (struct moment){MOMENT_START, p->first_us, p, NULL};
		if (p->early)
			list[n++] = (struct moment){MOMENT_STOP, p->last_us, p, NULL};
	}
	for (size_t i = 0; i < r->in->events_count && n < MOMENTS_MAX; i++)
		list[n++] = (struct moment){MOMENT_EVENT, r->in->events[i].time_us, NULL,
					    &r->in->events[i]};
	if (n > 1)
		qsort(list, n, sizeof(*list), by_moment);
	return n;
}

static void write_sleep(const char *indent, int64_t us, struct buf *out)
{
	if (us >= CAST_GAP_US)
		buf_printf(out, "%ssleep(\"%lldms\")\n", indent,
			   (long long)((us < GAP_MAX_US ? us : GAP_MAX_US) / 1000));
}

/* All members of the group that were started before moment i are in it. */
static void write_members(const struct moment *list, size_t i, struct str group, struct buf *out)
{
	const struct part *last = NULL;
	int n = 0;

	for (size_t k = 0; k < i; k++) {
		const struct part *p = list[k].part;
		bool same = p && p->speaks == SPEAKS_CONSUMER && p->group.data &&
			    str_eq(p->group, group);

		n += same ? list[k].kind == MOMENT_START ? 1 : -1 : 0;
		last = same && list[k].kind == MOMENT_START ? p : last;
	}
	if (n > 1) {
		buf_text(out, "  await(members(");
		retell_quote(out, group);
		buf_printf(out, ", %d))\n", n);
	} else if (n == 1 && last) {
		buf_printf(out, "  await(%s:reported(\"partitions_assigned\"))\n", last->word);
	}
}

/* A start waits for the one before it to be at work. */
static void write_start(const struct moment *list, size_t i, struct buf *out)
{
	const struct part *p = list[i].part, *before = NULL;

	for (size_t k = 0; k < i; k++)
		if (list[k].kind == MOMENT_START)
			before = list[k].part;
	if (before && before->speaks != SPEAKS_CONSUMER && before->ended_us <= p->first_us)
		buf_printf(out, "  await(%s:exited(0))\n", before->word);
	else if (before && before->speaks == SPEAKS_CONSUMER &&
		 p->first_us - before->first_us > CAST_GAP_US && before->group.data)
		write_members(list, i, before->group, out);
	for (size_t k = i; k > 0 && list[k - 1].kind == MOMENT_STOP; k--)
		buf_printf(out, "  await(%s:exited())\n", list[k - 1].part->word);
	if (i && list[i - 1].kind != MOMENT_START)
		write_sleep("  ", p->first_us - list[i - 1].time_us, out);
	buf_printf(out, "  %s:start()\n", p->word);
}

/* When a group's last join, or a part's first request, was answered. */
static int64_t joined_us(const struct retell *r, const struct part *p)
{
	int64_t us = p->first_us;

	for (size_t i = 0; i < r->in->count; i++) {
		const struct about *a = &r->in->list[i];

		if (a->x->header.api_key == API_SYNC_GROUP && p->group.data && a->group.data &&
		    str_eq(a->group, p->group) && !a->errors_count && us == p->first_us)
			us = a->x->response_us;
	}
	return us;
}

/* Nothing was written or read by which to tell: members are there, and then time passes. */
static void write_settled(const struct retell *r, const struct moment *list, size_t i,
			  const char *indent, bool played, struct buf *out)
{
	const struct part *last = NULL;

	for (size_t k = 0; k < i; k++)
		if (list[k].kind == MOMENT_START && list[k].part->speaks == SPEAKS_CONSUMER)
			last = list[k].part;
	if (last && played)
		buf_printf(out, "%sawait(%s:reported(\"partitions_assigned\"))\n", indent,
			   last->word);
	write_sleep(indent,
		    list[i].time_us -
			    (last && played ? joined_us(r, last) : r->in->session->first_us),
		    out);
}

/* Of a writer. Who was told an error that no time mends, or failed last, must tell it, and may end
 * with another status. */
static void write_exit(const struct part *p, struct buf *out)
{
	buf_printf(out, "  await(%s:exited(%s)", p->word, p->hopeless ? "" : "0");
	if (p->gave_up_ms > PATIENT_MS)
		buf_printf(out, ", \"%dms\"", p->gave_up_ms * 2);
	buf_text(out, ")\n");
}

/* Writers that had ended by then. */
static void write_ended(const struct moment *list, size_t i, struct buf *out)
{
	for (size_t k = 0; k < i; k++)
		if (list[k].kind == MOMENT_START && list[k].part->speaks != SPEAKS_CONSUMER &&
		    list[k].part->ended_us < list[i].time_us)
			write_exit(list[k].part, out);
}

/* An exchange that waits is waited for, and goes on when as much has happened as had then. */
static void write_held(const struct retell *r, const struct moment *list, size_t i, bool played,
		       struct buf *out)
{
	const char *indent = played ? "  " : "    ";
	const struct incident_event *e = list[i].event;
	const struct incident_rule *rule = e->held->rule;
	char word[100], topic[60];

	if (!rule || !strstr(rule->text, "-> hold "))
		return;
	rule_word(rule, word, sizeof(word));
	if (e->kind == HAPPENED_HELD) {
		buf_printf(out, "%sawait(%s:held())\n", indent, word);
		return;
	}
	if (played)
		write_ended(list, i, out);
	if (played && e->has && topic_word(r, e->topic, topic, sizeof(topic)))
		buf_printf(out, "%sawait(%s:has(%lld))\n", indent, topic, (long long)e->has);
	else if (played && e->read && topic_word(r, e->topic, topic, sizeof(topic)))
		buf_printf(out, "%sawait(%s:read(%lld))\n", indent, topic, (long long)e->read);
	write_sleep(indent,
		    e->time_us - (i && list[i - 1].time_us > e->since_us ? list[i - 1].time_us
									 : e->since_us),
		    out);
	buf_printf(out, "%s%s:release()\n", indent, word);
}

/* What went wrong between the progress by which an event is known and the event itself; when, or 0.
 */
static int64_t write_hurt(const struct retell *r, const struct incident_event *e,
			  const char *indent, struct buf *out)
{
	int64_t last_us = 0;
	char word[100];

	for (size_t i = 0; i < r->in->rules_count && e->since_us; i++) {
		const struct incident_rule *rule = &r->in->rules[i];

		if (!is_awaited(rule) || rule->first_us <= e->since_us ||
		    rule->first_us >= e->time_us)
			continue;
		rule_word(rule, word, sizeof(word));
		buf_printf(out, "%sawait(%s:fired())\n", indent, word);
		last_us = rule->first_us > last_us ? rule->first_us : last_us;
	}
	return last_us;
}

/* What only some clients ask was hurt since the moment before: either it is asked again, or all is
 * read without. */
static void write_optional(const struct retell *r, const struct moment *list, size_t i,
			   struct buf *out)
{
	const struct part *reader = NULL;
	char word[100], topic[60];
	int64_t before, n;

	for (int32_t k = 0; k < r->cast->count && !reader; k++)
		if (r->cast->list[k].played && r->cast->list[k].speaks == SPEAKS_CONSUMER)
			reader = &r->cast->list[k];
	n = reader ? retell_readable(r, reader->topic, reader, &before) : 0;
	for (size_t k = 0; k < r->in->rules_count && i && n; k++) {
		const struct incident_rule *rule = &r->in->rules[k];

		if (!rule->optional || rule->first_us <= list[i - 1].time_us ||
		    rule->first_us >= list[i].time_us)
			continue;
		rule_word(rule, word, sizeof(word));
		buf_printf(out, "  await(any(%s:fired(), %s:read(%lld)))\n", word,
			   topic_word(r, reader->topic, topic, sizeof(topic)), (long long)n);
	}
}

static void write_event(const struct retell *r, const struct moment *list, size_t i, bool played,
			struct buf *out)
{
	const char *indent = played ? "  " : "    ";
	const struct incident_event *e = list[i].event;
	const struct incident_rule *watch = NULL;
	bool first = !i || list[i - 1].kind != MOMENT_EVENT;
	int64_t hurt_us;
	char word[100];
	const char *topic = topic_word(r, e->topic, word, sizeof(word));

	if (e->held) {
		write_held(r, list, i, played, out);
		return;
	}
	for (size_t k = 0; k < r->in->rules_count; k++)
		if (r->in->rules[k].event == e)
			watch = &r->in->rules[k];
	if (e->has && topic) {
		buf_printf(out, "%sawait(%s:has(%lld))\n", indent, topic, (long long)e->has);
	} else if (watch && !played) {
		rule_word(watch, word, sizeof(word));
		buf_printf(out, "%sawait(%s:fired())\n", indent, word);
	} else if (e->read && topic && played) {
		buf_printf(out, "%sawait(%s:read(%lld))\n", indent, topic, (long long)e->read);
	}
	if (e->group.data) {
		buf_printf(out, "%sawait(members(", indent);
		retell_quote(out, e->group);
		buf_text(out, ", 1))\n");
	}
	if (played)
		write_optional(r, list, i, out);
	hurt_us = write_hurt(r, e, indent, out);
	if (!first)
		write_sleep(indent, e->time_us - list[i - 1].time_us, out);
	else if (hurt_us)
		write_sleep(indent, e->time_us - hurt_us, out);
	else if (!e->since_us)
		write_settled(r, list, i, indent, played, out);
	buf_printf(out, "%sevent ", indent);
	retell_quote(out, str_of(e->text));
	buf_byte(out, '\n');
}

/* Log starts that were not at the beginning, before anybody asks. */
static void write_starts(const struct retell *r, struct buf *out)
{
	for (size_t i = 0; i < r->in->seen->topics_count; i++) {
		const struct seen_topic *t = &r->in->seen->topics[i];

		for (int32_t k = 0; k < t->partitions_count && retell_has_topic(r, i); k++) {
			const struct seen_partition *p = &t->partitions[k];
			bool reaches = p->batches_count && seen_before(p, &p->batches[0]) &&
				       p->batches[0].last_offset >= p->start_first;

			if (p->start_first > 0 && p->start_first <= INCIDENT_OFFSET_MAX && reaches)
				buf_printf(out,
					   "  event \"log-start-move topic=" STR_FMT
					   " partition=%d offset=%lld\"\n",
					   STR_ARG(t->name), k, (long long)p->start_first);
		}
	}
}

/* Of several members each comes to its share, before one of them has read everything. */
static void write_assigned(const struct retell *r, struct buf *out)
{
	int32_t members = 0;

	for (int32_t i = 0; i < r->cast->count; i++)
		members += r->cast->list[i].played && r->cast->list[i].group.data &&
			   r->cast->list[i].speaks == SPEAKS_CONSUMER;
	for (int32_t i = 0; i < r->cast->count && members > 1; i++) {
		const struct part *p = &r->cast->list[i];

		if (p->played && p->group.data && p->speaks == SPEAKS_CONSUMER && !p->early)
			buf_printf(out, "  await(%s:reported(\"partitions_assigned\"))\n", p->word);
	}
}

/* What it was given can't be trusted: it need not go on. */
static bool is_damage(const char *action)
{
	static const char *const names[] = {"flip", "crc", "cut", "garbage", "length", "set"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(action, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool is_damaged(const struct retell *r)
{
	const struct incident *in = r->in;
	bool stuck = false;

	for (size_t i = 0; i < in->faults_count; i++)
		if (in->faults[i].at->x->header.api_key == API_FETCH &&
		    is_damage(in->faults[i].action))
			return true;
	for (size_t i = 0; i < in->seen->topics_count; i++)
		for (int32_t k = 0; k < in->seen->topics[i].partitions_count; k++)
			stuck |= retell_has_topic(r, i) &&
				 retell_is_stuck(&in->seen->topics[i].partitions[k]);
	return stuck;
}

/* What is waited for in the end: faults, then that all is written and read. */
static void write_end(const struct retell *r, struct buf *out)
{
	char word[100];

	for (size_t i = 0; i < r->in->rules_count; i++) {
		const struct incident_rule *rule = &r->in->rules[i];

		rule_word(rule, word, sizeof(word));
		if (is_awaited(rule))
			buf_printf(out, "  await(%s:fired())\n", word);
	}
	for (int32_t i = 0; i < r->cast->count; i++) {
		const struct part *p = &r->cast->list[i];

		if (p->played && p->speaks != SPEAKS_CONSUMER)
			write_exit(p, out);
	}
	write_assigned(r, out);
	for (int32_t i = 0; i < r->cast->count; i++) {
		const struct part *p = &r->cast->list[i];
		int64_t before, n;

		if (!p->played || p->speaks != SPEAKS_CONSUMER)
			continue;
		n = retell_readable(r, p->topic, p, &before);
		if (n && r->damaged)
			buf_printf(out,
				   "  await(any(%s:read(%lld), %s:exited(), "
				   "%s:reported(\"records_consumed\", 3)), \"15s\")\n"
				   "  sleep(\"500ms\")\n",
				   topic_word(r, p->topic, word, sizeof(word)), (long long)n,
				   p->word, p->word);
		else if (n)
			buf_printf(out, "  await(%s:read(%lld))\n",
				   topic_word(r, p->topic, word, sizeof(word)), (long long)n);
		else
			buf_printf(
				out,
				"  await(any(%s:exited(), %s:reported(\"partitions_assigned\")))\n",
				p->word, p->word);
		return; /* members of a group read it together */
	}
}

/* A program of yours may end by itself, and well, or go on for ever. */
static void write_under(const struct retell *r, const struct moment *list, size_t n,
			const char *indent, struct buf *out)
{
	int64_t last_us = r->in->session->first_us, rest;
	char word[100];

	buf_printf(out, "%sit:start()\n", indent);
	for (size_t i = 0; i < n; i++)
		if (list[i].kind == MOMENT_EVENT)
			write_event(r, list, i, false, out);
	for (size_t i = 0; i < r->in->rules_count; i++) {
		const struct incident_rule *rule = &r->in->rules[i];

		last_us = rule->last_us > last_us ? rule->last_us : last_us;
		rule_word(rule, word, sizeof(word));
		if (is_awaited(rule))
			buf_printf(out, "%sawait(%s:fired())\n", indent, word);
	}
	rest = r->in->session->last_us - last_us;
	rest = rest < SETTLE_MAX_US ? rest / 1000000 + 2 : SETTLE_MAX_US / 1000000;
	buf_printf(out,
		   "%s-- Then it is asked to end; of a program that ends by itself say "
		   "await(it:exited(0)) instead.\n%ssleep(\"%llds\")\n",
		   indent, indent, (long long)rest);
}

/* Records of a topic that had been given by then. */
static int64_t read_by(const struct retell *r, struct str topic, int64_t time_us)
{
	const struct seen_topic *t = seen_topic(r->in->seen, topic);
	int64_t n = 0;

	for (int32_t i = 0; t && i < t->partitions_count; i++)
		for (size_t k = 0; k < t->partitions[i].batches_count; k++) {
			const struct seen_batch *b = &t->partitions[i].batches[k];

			if (b->fetched && !b->control && !b->transactional && !b->crc_wrong &&
			    b->fetched->response_us <= time_us)
				n += b->records;
		}
	return n;
}

/* It had read, and what went wrong for it had, before it was asked to end. */
static void write_stop(const struct retell *r, const struct moment *list, size_t i, struct buf *out)
{
	const struct part *p = list[i].part;
	int64_t n = read_by(r, p->topic, list[i].time_us);
	char word[100];

	for (size_t k = 0; k < r->in->rules_count; k++) {
		const struct incident_rule *rule = &r->in->rules[k];

		rule_word(rule, word, sizeof(word));
		if (is_awaited(rule) && rule->last_us < list[i].time_us &&
		    strncmp(rule->text, "OffsetCommit", 12) != 0) /* which ending does, too */
			buf_printf(out, "  await(%s:fired())\n", word);
	}
	buf_printf(out, "  await(%s:reported(\"partitions_assigned\"))\n", p->word);
	if (p->wanted) { /* it ends by itself */
		buf_printf(out, "  await(%s:exited())\n", p->word);
		return;
	}
	if (n)
		buf_printf(out, "  await(%s:read(%lld))\n",
			   topic_word(r, p->topic, word, sizeof(word)), (long long)n);
	write_sleep("  ", i ? list[i].time_us - list[i - 1].time_us : 0, out);
	buf_printf(out, "  %s:stop()\n", p->word);
}

static void write_played(const struct retell *r, const struct moment *list, size_t n,
			 struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == MOMENT_START) {
			write_start(list, i, out);
		} else if (list[i].kind == MOMENT_EVENT) {
			write_event(r, list, i, true, out);
		} else {
			write_stop(r, list, i, out);
		}
	}
	write_end(r, out);
}

static void write_timeline(const struct retell *r, struct buf *out)
{
	struct moment *list = calloc(MOMENTS_MAX + 3 * CAST_MAX, sizeof(*list));
	size_t n;

	if (!list)
		abort();
	n = collect(r, list);
	buf_text(out, "timeline(function()\n");
	write_starts(r, out);
	if (r->cast->played) {
		buf_text(out, "  if under then\n");
		write_under(r, list, n, "    ", out);
		buf_text(out, "    return\n  end\n");
		write_played(r, list, n, out);
	} else {
		write_under(r, list, n, "  ", out);
	}
	buf_text(out, "end)\n\n");
	free(list);
}

/* ---- checks ---- */

static const struct finding *finding_of(const struct retell *r, const char *name)
{
	for (int32_t i = 0; r->checks && i < r->checks->count; i++)
		if (!strcmp(r->checks->list[i].type->name, name))
			return &r->checks->list[i].finding;
	return NULL;
}

static void write_check(const struct retell *r, const char *severity, const char *name,
			const char *args, bool quiet, struct buf *out)
{
	static const char *const seen_as[][2] = {{"order.per_partition", "wire.order"},
						 {"delivery.no_duplicates", "wire.stored_once"}};
	const struct finding *f = finding_of(r, name);

	for (int i = 0; i < 2; i++)
		if (!strcmp(name, seen_as[i][0]) && (!f || f->result != FINDING_FAIL))
			f = finding_of(r, seen_as[i][1]);
	buf_printf(out, "  %s(%s(%s)%s)%s\n", severity, name, args, quiet ? ", quiet" : "",
		   f && f->result == FINDING_FAIL && !f->documented
			   ? " -- failed in the capture: this is the incident"
			   : "");
}

static bool was_cut(const struct incident *in)
{
	for (size_t i = 0; i < in->events_count; i++)
		if (in->events[i].kind == HAPPENED_CUT)
			return true;
	return false;
}

static void check_producer(const struct retell *r, const struct part *p, const char *topic,
			   struct buf *out)
{
	bool quiet = p->hopeless || was_cut(r->in); /* nothing of it may be there */
	const char *ordered = p->idempotent || p->in_flight == 1 ? "must" : "info";
	char args[120];

	snprintf(args, sizeof(args), "%s, %s", p->word, topic);
	if (p->acks != 0)
		write_check(r, "must", "delivery.no_loss", args, quiet, out);
	if (!p->hopeless && p->acks != 0)
		write_check(r, "must", "delivery.no_error", args, quiet, out);
	write_check(r, "must", "delivery.all_answered", args, quiet, out);
	write_check(r, ordered, "order.per_partition", args, quiet, out);
	write_check(r, p->idempotent ? "must" : "info", "delivery.no_duplicates", args, quiet, out);
}

/* Whoever of the members reads a record, it counts for all. */
static void check_consumer(const struct retell *r, const struct part *p, const char *topic,
			   struct buf *out)
{
	bool moved = false, cut = was_cut(r->in);
	int64_t before;
	const char *all;

	for (size_t i = 0; i < r->in->faults_count; i++)
		moved |= r->in->faults[i].code == ERROR_OFFSET_OUT_OF_RANGE;
	for (size_t i = 0; i < r->in->events_count; i++)
		moved |= r->in->events[i].kind == HAPPENED_START;
	moved |= r->damaged;
	all = moved ? "info" : "must"; /* what is gone before it is read is nobody's fault */
	if (!retell_readable(r, p->topic, p, &before))
		return;
	write_check(r, "must", "read.consistent", topic, r->damaged, out);
	write_check(r, r->damaged ? "must" : all, "read.nothing_passed_over", topic, r->damaged,
		    out);
	write_check(r, cut ? "info" : all, "read.no_step_back", topic, r->damaged, out);
	write_check(r, "must", "read.no_control_records", topic, r->damaged, out);
	write_check(r, all, "read.everything", topic, r->damaged, out);
}

static bool is_once(const struct retell *r, int32_t i)
{
	const struct part *p = &r->cast->list[i];

	for (int32_t k = 0; k < i; k++)
		if (r->cast->list[k].speaks == p->speaks && r->cast->list[k].topic.data &&
		    str_eq(r->cast->list[k].topic, p->topic) && p->speaks == SPEAKS_CONSUMER)
			return false;
	return true;
}

/* What only logs and reports tell, of the programs that make reports. */
static void write_told_checks(const struct retell *r, struct buf *out)
{
	char word[60], args[120];

	for (int32_t i = 0; i < r->cast->count; i++) {
		const struct part *p = &r->cast->list[i];
		const char *topic = topic_word(r, p->topic, word, sizeof(word));

		if (!p->played || !is_once(r, i))
			continue;
		if (p->speaks == SPEAKS_PRODUCER)
			check_producer(r, p, topic, out);
		else if (p->speaks == SPEAKS_CONSUMER)
			check_consumer(r, p, topic, out);
		snprintf(args, sizeof(args), "%s", p->word);
		if (p->speaks == SPEAKS_TRANSACTIONAL)
			write_check(r, "must", "txn.ended_as_told", args, p->hopeless, out);
	}
}

static struct str only_group(const struct retell *r)
{
	struct str group = {0};

	for (int32_t i = 0; i < r->cast->count; i++) {
		const struct part *p = &r->cast->list[i];

		if (!p->group.data)
			continue;
		if (group.data && !str_eq(group, p->group))
			return (struct str){0};
		group = p->group;
	}
	return group;
}

/* How well a client behaves, beside whether it is right: its own configuration has a say in it. */
static bool is_of_manners(const struct check_type *type)
{
	static const char *const names[] = {
		"produce.in_flight", "produce.backoff",	 "produce.no_resend",
		"group.leaves",	     "group.heartbeats", "kip848.leaves",
		"connection.",	     "metadata.",	 "offsets.looked_up_once"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(type->name, names[i], strlen(names[i])))
			return true;
	return type->should;
}

/* must() for what holds whatever a client is configured to; should() for the rest, and for what
 * `verify` judges in place of log and reports, which a capture that was fine does not promise. */
static void write_wire_check(const struct retell *r, const struct check *k, struct buf *out)
{
	struct str group = only_group(r);
	bool failed = k->finding.result == FINDING_FAIL && !k->finding.documented;
	bool manners = is_of_manners(k->type), stand_in = !strncmp(k->type->name, "wire.", 5);
	const char *severity = manners ? (failed ? "info" : "should") : "must";

	if (k->type->needs != NEEDS_WIRE || !strchr(k->type->name, '.') ||
	    (k->finding.result != FINDING_PASS && !failed))
		return;
	buf_printf(out, "%s(%s(", stand_in && !failed ? "should" : severity, k->type->name);
	if (k->type->args[0] == ARG_GROUP && group.data)
		retell_quote(out, group);
	buf_printf(out, "), quiet)%s\n",
		   !failed   ? ""
		   : manners ? " -- failed in the capture; must() if that is it"
			     : " -- failed in the capture: this is the incident");
}

/* What the wire alone tells: all that had something to judge in the capture. */
static void write_wire_checks(const struct retell *r, struct buf *out)
{
	for (int32_t i = 0; r->checks && i < r->checks->count; i++)
		write_wire_check(r, &r->checks->list[i], out);
	for (int32_t i = 0; r->checks && i < r->checks->count; i++) {
		const struct check *k = &r->checks->list[i];

		if (!strchr(k->type->name, '.') && k->finding.result == FINDING_FAIL &&
		    !k->finding.documented)
			buf_printf(
				out,
				"-- %s, which every case is judged by, failed in the capture: %s\n",
				k->type->name, k->type->claim);
	}
}

void retell_write(const struct retell *what, struct buf *out)
{
	struct retell whole = *what;
	const struct retell *r = &whole;
	struct buf told;

	whole.damaged = is_damaged(r);
	write_head(r, out);
	write_cluster(r, out);
	write_clients(r, out);
	write_rules(r, out);
	write_timeline(r, out);
	buf_init(&told, RETELL_SIZE_MAX);
	write_told_checks(r, &told);
	buf_text(out,
		 "local quiet = { optional = true } -- there may be nothing to judge this time\n");
	if (told.len)
		buf_printf(out,
			   "if not under then -- what a client says, beside what the log "
			   "holds\n%send\n",
			   buf_cstr(&told));
	buf_release(&told);
	write_wire_checks(r, out);
}
