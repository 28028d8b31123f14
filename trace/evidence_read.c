/* Custom blocks back into events. A block is JSON that somebody may have changed: every key is
 * checked, texts are copied into the caller's arena. Owns nothing. */
#include "trace/evidence.h"

#include "protocol/wire.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>

#define BLOCK_VERSION 1
#define BLOCK_HEADER  24

/* What a block's object is read with; the first error stays. */
struct reader {
	json_t *object;
	struct arena *arena;
	struct error *e;
};

static struct str copy(struct reader *r, const char *text, size_t len)
{
	char *mine = arena_copy(r->arena, text, len);

	if (!mine)
		error_set(r->e, ERR_LIMIT, "an event's text takes too much memory");
	return (struct str){mine, mine ? (int32_t)len : 0};
}

/* A text, or null where the key is null or missing. */
static struct str get_text(struct reader *r, const char *key)
{
	json_t *v = json_object_get(r->object, key);

	if (!v || json_is_null(v))
		return (struct str){NULL, 0};
	if (!json_is_string(v)) {
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, key, "not a text");
		return (struct str){NULL, 0};
	}
	return copy(r, json_string_value(v), json_string_length(v));
}

static int64_t get_int(struct reader *r, const char *key, int64_t min, int64_t max)
{
	json_t *v = json_object_get(r->object, key);
	int64_t n = json_is_integer(v) ? json_integer_value(v) : 0;

	if (!json_is_integer(v) || n < min || n > max)
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, key, "not an integer in its range");
	return n;
}

static struct endpoint get_endpoint(struct reader *r, const char *key)
{
	struct str text = get_text(r, key);
	struct endpoint e = {0};
	char addr[ENDPOINT_TEXT_SIZE] = "";
	const char *colon = text.data ? memrchr(text.data, ':', (size_t)text.len) : NULL;
	bool v6 = colon && text.data[0] == '[' && colon[-1] == ']';
	size_t n = colon ? (size_t)(colon - text.data) - (v6 ? 2 : 0) : 0;
	long port = colon ? strtol(colon + 1, NULL, 10) : -1;

	if (!n || n >= sizeof(addr) || port < 0 || port > 65535) {
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, key, "not an address and port");
		return e;
	}
	memcpy(addr, text.data + v6, n);
	if (inet_pton(v6 ? AF_INET6 : AF_INET, addr, e.addr) != 1)
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, key, "not an address");
	e.family = v6 ? 6 : 4;
	e.port = (uint16_t)port;
	return e;
}

static void read_conn(struct reader *r, struct event_conn *ret)
{
	ret->conn = get_int(r, "conn", 1, INT64_MAX);
	ret->broker = (int32_t)get_int(r, "broker", -1, INT32_MAX);
	ret->client = get_endpoint(r, "client");
	ret->server = get_endpoint(r, "server");
}

static void read_rule(struct reader *r, struct event_rule *ret)
{
	ret->name = get_text(r, "name");
	ret->text = get_text(r, "text");
	ret->what = get_text(r, "what");
	ret->hit = (uint64_t)get_int(r, "hit", 0, INT64_MAX);
	ret->conn = get_int(r, "conn", 0, INT64_MAX);
	ret->correlation_id = (int32_t)get_int(r, "correlationId", INT32_MIN, INT32_MAX);
	ret->api_key = (int16_t)get_int(r, "apiKey", INT16_MIN, INT16_MAX);
}

static void read_log(struct reader *r, struct event_log *ret, struct bytes batch)
{
	static const char *const names[] = {"appended", "truncated", "start-moved", "compacted"};
	struct str what = get_text(r, "what"), id = get_text(r, "topicId");
	size_t i = 0;

	while (i < sizeof(names) / sizeof(*names) && !str_is(what, names[i]))
		i++;
	if (i == sizeof(names) / sizeof(*names))
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, "what", "not known");
	else
		ret->what = (enum log_what)i;
	if (!uuid_parse(id, &ret->topic_id))
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, "topicId", "not a uuid");
	ret->topic = get_text(r, "topic");
	ret->partition = (int32_t)get_int(r, "partition", 0, INT32_MAX);
	ret->leader_epoch = (int32_t)get_int(r, "leaderEpoch", -1, INT32_MAX);
	ret->base_offset = get_int(r, "baseOffset", INT64_MIN, INT64_MAX);
	ret->next_offset = get_int(r, "nextOffset", INT64_MIN, INT64_MAX);
	ret->conn = get_int(r, "conn", 0, INT64_MAX);
	ret->correlation_id = (int32_t)get_int(r, "correlationId", INT32_MIN, INT32_MAX);
	ret->batch = batch.len ? batch : (struct bytes){NULL, 0};
}

static void read_cluster(struct reader *r, struct event_cluster *ret)
{
	json_t *detail = json_object_get(r->object, "detail");
	char *text;

	ret->name = get_text(r, "name");
	if (!json_is_object(detail)) {
		error_at(r->e, ERR_MALFORMED, ERROR_NO_OFFSET, "detail", "not an object");
		return;
	}
	text = json_dumps(detail, JSON_COMPACT);
	if (!text)
		abort();
	ret->detail = copy(r, text, strlen(text));
	free(text);
}

/* Returns 1, or 0 for a kind that is never in a block. */
static int read_kind(struct reader *r, struct event *ret, struct bytes batch)
{
	switch (ret->kind) {
	case EVENT_CONN_OPENED:
	case EVENT_CONN_REFUSED:
		read_conn(r, &ret->conn);
		return 1;
	case EVENT_RULE:
		read_rule(r, &ret->rule);
		return 1;
	case EVENT_LOG:
		read_log(r, &ret->log, batch);
		return 1;
	case EVENT_CLUSTER:
		read_cluster(r, &ret->cluster);
		return 1;
	case EVENT_REPORT:
		ret->report.subject = get_text(r, "subject");
		ret->report.line = get_text(r, "line");
		return 1;
	case EVENT_MARK:
		ret->mark = get_text(r, "text");
		return 1;
	default:
		return 0;
	}
}

int evidence_read(struct bytes data, struct arena *arena, struct event *ret, struct error *e)
{
	struct error mine = ERROR_INIT;
	struct reader r = {.arena = arena, .e = e ? e : &mine};
	struct event event = {0};
	uint32_t json, bytes;
	int rc;

	if (data.len < BLOCK_HEADER || memcmp(data.data, "ktrial", 6) ||
	    data.data[6] != BLOCK_VERSION)
		return 0;
	event.kind = data.data[7];
	event.time_us = (int64_t)wire_u64(data.data + 8);
	json = wire_u32(data.data + 16);
	bytes = wire_u32(data.data + 20);
	if ((uint64_t)json + bytes > (uint64_t)data.len - BLOCK_HEADER)
		return error_set(e, ERR_MALFORMED, "an event of ktrial is longer than its block");
	r.object = json_loadb((const char *)data.data + BLOCK_HEADER, json,
			      JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(r.object)) {
		json_decref(r.object);
		return error_set(e, ERR_MALFORMED, "an event of ktrial is no JSON object");
	}
	rc = read_kind(&r, &event, (struct bytes){data.data + BLOCK_HEADER + json, (int32_t)bytes});
	json_decref(r.object);
	if (r.e->code)
		return r.e->code;
	*ret = event;
	return rc;
}
