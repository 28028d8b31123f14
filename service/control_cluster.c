/* The cluster seen and changed over the control interface, mostly in Kafka's own requests. Reading
 * records decodes a Fetch answer; appending is a Produce, judged as any client's. */
#include "service/control_routes.h"

#include "base/base64.h"
#include "base/hex.h"
#include "mock/happen.h"
#include "protocol/batch_builder.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "service/inside.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_DEFAULT		 1000
#define BATCH_MAX		 ((size_t)64 << 20)
#define FETCH_VERSION		 12 /* the last that names topics */
#define PRODUCE_VERSION		 9
#define METADATA_VERSION	 12
#define FIND_COORDINATOR_VERSION 3

/* The broker that is asked where any will do. */
static int32_t first(const struct ask *a)
{
	return service_first_broker(a->c->service);
}

static int status_of(int code)
{
	return code == ERR_UNSUPPORTED ? 501 : code == ERR_LIMIT ? 409 : 400;
}

/* One request whose answer is the answer. */
static int forward(struct ask *a, int32_t broker, int api, int version, json_t *request)
{
	struct error e = ERROR_INIT;
	int code = ERR_UNSUPPORTED;

	if (version >= 0)
		code = inside_call(a->c->service, broker, api, version, request, &a->out, &e);
	else
		error_set(&e, code, "%s is not simulated", api_name(api));
	json_decref(request);
	return code ? ask_error(a, status_of(code), &e) : 200;
}

/* One request whose answer is looked into; NULL with *ret_status. */
static json_t *call(struct ask *a, int32_t broker, int api, int version, json_t *request,
		    int *ret_status)
{
	json_t *answer = NULL;

	*ret_status = forward(a, broker, api, version, request);
	if (*ret_status != 200)
		return NULL;
	answer = json_loadb((const char *)a->out.data, a->out.len, JSON_ALLOW_NUL, NULL);
	buf_reset(&a->out);
	json_init(&a->json, &a->out);
	if (!answer)
		*ret_status = ask_fail(a, 500, "the answer of %s is no JSON", api_name(api));
	return answer;
}

static json_t *metadata_request(const char *topic)
{
	json_t *topics = topic ? json_pack("[{s:n,s:s}]", "topicId", "name", topic) : json_null();

	if (topic)
		json_object_set_new(json_array_get(topics, 0), "topicId",
				    json_string("AAAAAAAAAAAAAAAAAAAAAA"));
	return json_pack("{s:o,s:b,s:b}", "topics", topics, "allowAutoTopicCreation", 0,
			 "includeTopicAuthorizedOperations", 0);
}

int control_get_cluster(struct ask *a)
{
	return forward(a, first(a), API_METADATA, METADATA_VERSION, metadata_request(NULL));
}

/* The topic's part of a Metadata answer (a new reference); NULL with *ret_status. */
static json_t *find_topic(struct ask *a, int *ret_status)
{
	json_t *answer, *topic;
	int64_t code;

	answer = call(a, first(a), API_METADATA, METADATA_VERSION,
		      metadata_request(a->parts[1].data), ret_status);
	if (!answer)
		return NULL;
	topic = json_incref(json_array_get(json_object_get(answer, "topics"), 0));
	json_decref(answer);
	code = json_integer_value(json_object_get(topic, "errorCode"));
	if (!code)
		return topic;
	*ret_status = ask_fail(a, 404, "topic '" STR_FMT "': %s", STR_ARG(a->parts[1]),
			       kafka_error_name((int)code));
	json_decref(topic);
	return NULL;
}

static void put_json(struct ask *a, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (text)
		buf_text(&a->out, text);
	free(text);
}

int control_get_topic(struct ask *a)
{
	int status;
	json_t *topic = find_topic(a, &status);

	if (!topic)
		return status;
	put_json(a, topic);
	json_decref(topic);
	return 200;
}

int control_add_topic(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct str name = ask_text(a, "name");
	int code;

	if (!name.data)
		return ask_fail(a, 400, "the body lacks \"name\"");
	code = service_create_topic(a->c->service, name, (int32_t)ask_int(a, "partitions", -1),
				    (int16_t)ask_int(a, "replication", -1),
				    (int32_t)ask_int(a, "leader", -1), &e);
	if (code)
		return ask_error(a, 400, &e);
	service_poke(a->c->service);
	json_open(&a->json, '{');
	json_key_str(&a->json, "name", name);
	json_close(&a->json, '}');
	return 201;
}

/* Leader and index of the partition in the path; false with *ret_status. */
static bool find_partition(struct ask *a, int32_t *ret_leader, int64_t *ret_index, int *ret_status)
{
	json_t *topic, *partition;
	size_t i;
	bool found = false;

	if (!parse_int(a->parts[3], 0, INT32_MAX, ret_index)) {
		*ret_status =
			ask_fail(a, 400, "'" STR_FMT "' is no partition", STR_ARG(a->parts[3]));
		return false;
	}
	topic = find_topic(a, ret_status);
	if (!topic)
		return false;
	json_array_foreach(json_object_get(topic, "partitions"), i, partition)
	{
		if (json_integer_value(json_object_get(partition, "partitionIndex")) != *ret_index)
			continue;
		found = true;
		*ret_leader = (int32_t)json_integer_value(json_object_get(partition, "leaderId"));
	}
	json_decref(topic);
	if (!found)
		*ret_status =
			ask_fail(a, 404, "the topic has no partition %lld", (long long)*ret_index);
	if (found && *ret_leader < 0) {
		*ret_status = ask_fail(a, 409, "the partition has no leader now");
		return false;
	}
	return found;
}

/* ---- reading a log ---- */

/* Bytes as text where they are UTF-8, else as base64 under another key. */
static void put_bytes(struct json *j, const char *key, const char *base64_key, struct bytes b)
{
	size_t start = j->out->len;
	bool comma = j->comma, bad = j->bad_utf8;

	j->bad_utf8 = false;
	json_key_str(j, key, (struct str){(const char *)b.data, b.len});
	if (j->bad_utf8) {
		j->out->len = start;
		j->comma = comma;
		json_key(j, base64_key);
		json_base64(j, b);
	}
	j->bad_utf8 = bad;
}

static void put_record(struct json *j, const struct batch *b, const struct record *r)
{
	struct record_header h;
	size_t at = 0;

	json_open(j, '{');
	json_key_int(j, "offset", r->offset);
	json_key_int(j, "timestamp", r->timestamp);
	put_bytes(j, "key", "keyBase64", r->key);
	put_bytes(j, "value", "valueBase64", r->value);
	json_key(j, "headers");
	json_open(j, '[');
	while (record_header_next(r, &at, &h)) {
		json_open(j, '{');
		json_key_str(j, "key", h.key);
		put_bytes(j, "value", "valueBase64", h.value);
		json_close(j, '}');
	}
	json_close(j, ']');
	if (b->magic == 2 && b->producer_id >= 0)
		json_key_int(j, "producerId", b->producer_id);
	if (b->control)
		json_key_bool(j, "control", true);
	if (b->transactional)
		json_key_bool(j, "transactional", true);
	json_close(j, '}');
}

struct log_reading {
	struct json *json;
	int64_t next;  /* offset to go on from */
	int64_t limit; /* records still wanted */
	int64_t from;
};

static void put_batch(struct log_reading *l, const struct batch *b, struct buf *scratch)
{
	struct record_iter it;
	struct record r;

	if (record_iter_init(&it, b, scratch, NULL))
		return;
	while (l->limit > 0 && record_next(&it, &r, NULL) > 0) {
		if (r.offset < l->from)
			continue;
		put_record(l->json, b, &r);
		l->next = r.offset + 1;
		l->limit--;
	}
}

/* The records of one Fetch answer, in base64; how many bytes there were. */
static size_t put_records(struct log_reading *l, const char *base64)
{
	struct str text = str_of(base64);
	size_t max = text.data ? (size_t)text.len / 4 * 3 + 3 : 1;
	uint8_t *bytes = malloc(max);
	int64_t len = text.data && bytes ? base64_decode(text, BASE64_STD, bytes, max) : 0;
	struct records_reader reader;
	struct batch b;
	struct buf scratch;

	buf_init(&scratch, BATCH_MAX);
	records_reader_init(&reader, bytes, len > 0 ? (size_t)len : 0);
	while (l->limit > 0 && records_next(&reader, &b, NULL) > 0) {
		int64_t before = l->next;

		put_batch(l, &b, &scratch);
		if (l->next == before && b.base_offset + b.last_offset_delta >= l->next)
			l->next = b.base_offset + b.last_offset_delta + 1;
	}
	buf_release(&scratch);
	free(bytes);
	return len > 0 ? (size_t)len : 0;
}

static json_t *fetch_partition(struct ask *a, int32_t leader, int64_t index, int64_t offset,
			       json_t **ret_answer, int *ret_status)
{
	json_t *request =
		json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:[{s:s,s:[{s:I,s:I,s:i,s:i}]}],s:[],s:s}",
			  "replicaId", -1, "maxWaitMs", 0, "minBytes", 0, "maxBytes", 1 << 24,
			  "isolationLevel", 0, "sessionId", 0, "sessionEpoch", -1, "topics",
			  "topic", a->parts[1].data, "partitions", "partition", (json_int_t)index,
			  "fetchOffset", (json_int_t)offset, "partitionMaxBytes", 1 << 24,
			  "currentLeaderEpoch", -1, "forgottenTopicsData", "rackId", "");
	json_t *topic;

	*ret_answer = call(a, leader, API_FETCH, FETCH_VERSION, request, ret_status);
	if (!*ret_answer)
		return NULL;
	topic = json_array_get(json_object_get(*ret_answer, "responses"), 0);
	return json_array_get(json_object_get(topic, "partitions"), 0);
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* From the asked offset, or the log's start, until the limit or the end; several Fetches. */
static int read_log(struct ask *a, int32_t leader, int64_t index, struct log_reading *l)
{
	int64_t high = 0, start = 0;
	size_t got;

	do {
		json_t *answer = NULL, *p;
		struct buf kept = a->out;
		struct json json = a->json;
		int status;

		buf_init(&a->out, kept.max);
		p = fetch_partition(a, leader, index, l->next, &answer, &status);
		if (!answer) {
			buf_release(&kept);
			return status;
		}
		buf_release(&a->out);
		a->out = kept;
		a->json = json;
		high = number(p, "highWatermark");
		start = number(p, "logStartOffset");
		got = put_records(l, json_string_value(json_object_get(p, "records")));
		json_decref(answer);
	} while (got && l->limit > 0 && l->next < high);
	json_close(&a->json, ']');
	json_key_int(&a->json, "logStartOffset", start);
	json_key_int(&a->json, "highWatermark", high);
	json_key_int(&a->json, "nextOffset", l->next);
	json_close(&a->json, '}');
	return 200;
}

static int log_start(struct ask *a, int32_t leader, int64_t index, int64_t *ret_start)
{
	json_t *request, *answer, *topic;
	int status;

	request = json_pack("{s:i,s:i,s:[{s:s,s:[{s:I,s:i,s:i}]}]}", "replicaId", -1,
			    "isolationLevel", 0, "topics", "name", a->parts[1].data, "partitions",
			    "partitionIndex", (json_int_t)index, "currentLeaderEpoch", -1,
			    "timestamp", -2);
	answer = call(a, leader, API_LIST_OFFSETS, 4, request, &status);
	if (!answer)
		return status;
	topic = json_array_get(json_object_get(answer, "topics"), 0);
	*ret_start = number(json_array_get(json_object_get(topic, "partitions"), 0), "offset");
	json_decref(answer);
	return 200;
}

int control_get_records(struct ask *a)
{
	const char *offset = ask_query(a, "offset"), *limit = ask_query(a, "limit");
	struct log_reading l = {.json = &a->json, .limit = RECORDS_DEFAULT};
	int32_t leader;
	int64_t index;
	int status;

	if (offset && !parse_int(str_of(offset), 0, INT64_MAX / 16, &l.next))
		return ask_fail(a, 400, "offset takes a whole number, not '%s'", offset);
	if (limit && !parse_int(str_of(limit), 0, INT32_MAX, &l.limit))
		return ask_fail(a, 400, "limit takes a whole number, not '%s'", limit);
	if (!find_partition(a, &leader, &index, &status))
		return status;
	if (!offset) {
		status = log_start(a, leader, index, &l.next);
		if (status != 200)
			return status;
	}
	l.from = l.next;
	json_open(&a->json, '{');
	json_key(&a->json, "records");
	json_open(&a->json, '[');
	return read_log(a, leader, index, &l);
}

/* ---- appending ---- */

static struct bytes text_bytes(const json_t *v)
{
	return (struct bytes){(const uint8_t *)json_string_value(v),
			      (int32_t)json_string_length(v)};
}

/* One record of the body: a plain value, or an object with key, value, headers. */
static bool add_one(struct batch_builder *b, const json_t *v, int64_t now_ms)
{
	const json_t *timestamp = json_object_get(v, "timestamp");
	struct record_header headers[16];
	const char *key;
	json_t *value;
	int32_t count = 0;

	if (json_is_string(v) || json_is_null(v)) {
		batch_builder_add(b, now_ms, (struct bytes){NULL, 0}, text_bytes(v), NULL, 0);
		return true;
	}
	if (!json_is_object(v))
		return false;
	json_object_foreach(json_object_get(v, "headers"), key, value)
	{
		if (count == 16)
			return false;
		headers[count++] = (struct record_header){.key = {key, (int32_t)strlen(key)},
							  .value = text_bytes(value)};
	}
	batch_builder_add(b, timestamp ? json_integer_value(timestamp) : now_ms,
			  text_bytes(json_object_get(v, "key")),
			  text_bytes(json_object_get(v, "value")), headers, count);
	return true;
}

static int build_batch(struct ask *a, const json_t *list, struct buf *batch)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct error e = ERROR_INIT;
	int64_t now_ms = instant_wall_ms(clock_now());
	bool fine = json_array_size(list) > 0;
	json_t *v;
	size_t i;

	batch_builder_init(&b, &options, batch);
	json_array_foreach(list, i, v)
	{
		fine = fine && add_one(&b, v, now_ms);
	}
	if (fine && batch_builder_end(&b, &e))
		fine = false;
	batch_builder_release(&b);
	if (fine)
		return 0;
	return ask_fail(a, 400, "%s",
			e.code ? e.text
			       : "the list wants texts, null, or objects with key, value, headers "
				 "(at most 16), timestamp; at least one");
}

/* The batch that the body asks for. 0 or a status. */
static int read_batch(struct ask *a, struct buf *batch)
{
	struct str hex = ask_text(a, "batch");
	const json_t *list = json_object_get(a->body, "records");
	int64_t n;

	if (!list)
		list = json_object_get(a->body, "values");
	if (!hex.data && !json_is_array(list))
		return ask_fail(a, 400, "the body wants \"values\", \"records\" or \"batch\"");
	if (!hex.data)
		return build_batch(a, list, batch);
	n = hex_decode(hex, buf_room(batch, (size_t)hex.len / 2 + 1), (size_t)hex.len / 2);
	if (n <= 0)
		return ask_fail(a, 400, "\"batch\" is to be hex");
	batch->len += (size_t)n;
	return 0;
}

static int append(struct ask *a, int32_t leader, int64_t index, const struct buf *batch)
{
	size_t size = base64_size(batch->len, BASE64_STD);
	char *text = malloc(size + 1);
	json_t *request, *answer, *p;
	int64_t code;
	int status;

	if (!text)
		abort();
	base64_encode(batch->data, batch->len, BASE64_STD, text);
	text[size] = '\0';
	request = json_pack("{s:n,s:i,s:i,s:[{s:s,s:[{s:I,s:s}]}]}", "transactionalId", "acks", 1,
			    "timeoutMs", 1000, "topicData", "name", a->parts[1].data,
			    "partitionData", "index", (json_int_t)index, "records", text);
	free(text);
	answer = call(a, leader, API_PRODUCE, PRODUCE_VERSION, request, &status);
	if (!answer)
		return status;
	p = json_array_get(json_object_get(answer, "responses"), 0);
	p = json_array_get(json_object_get(p, "partitionResponses"), 0);
	code = number(p, "errorCode");
	if (code) {
		status = ask_fail(a, 409, "the log refused it: %s", kafka_error_name((int)code));
	} else {
		json_open(&a->json, '{');
		json_key_int(&a->json, "baseOffset", number(p, "baseOffset"));
		json_close(&a->json, '}');
		status = 201;
	}
	json_decref(answer);
	return status;
}

int control_add_records(struct ask *a)
{
	struct buf batch;
	int32_t leader;
	int64_t index;
	int status;

	if (!find_partition(a, &leader, &index, &status))
		return status;
	buf_init(&batch, BATCH_MAX);
	status = read_batch(a, &batch);
	if (!status)
		status = append(a, leader, index, &batch);
	buf_release(&batch);
	return status;
}

/* ---- groups and transactions ---- */

/* Asks every broker and joins the lists of that name: each coordinator knows its own. */
static int forward_to_all(struct ask *a, int api, const char *list, json_t *request)
{
	int version = inside_version(a->c->service, api), status = 200;
	json_t *all = json_array();

	for (int32_t i = 0; i < service_brokers(a->c->service) && status == 200; i++) {
		json_t *answer = call(a, first(a) + i, api, version, json_incref(request), &status);

		if (answer)
			json_array_extend(all, json_object_get(answer, list));
		json_decref(answer);
	}
	json_decref(request);
	if (status == 200) {
		json_t *whole = json_pack("{s:O}", list, all);

		put_json(a, whole);
		json_decref(whole);
	}
	json_decref(all);
	return status;
}

int control_get_groups(struct ask *a)
{
	return forward_to_all(a, API_LIST_GROUPS, "groups",
			      json_pack("{s:[],s:[]}", "statesFilter", "typesFilter"));
}

int control_get_transactions(struct ask *a)
{
	return forward_to_all(a, API_LIST_TRANSACTIONS, "transactionStates",
			      json_pack("{s:[],s:[],s:i,s:n}", "stateFilters", "producerIdFilters",
					"durationFilter", -1, "transactionalIdPattern"));
}

/* The broker that coordinates the group; -1 with *ret_status. */
static int32_t coordinator_of(struct ask *a, const char *group, int *ret_status)
{
	json_t *answer = call(a, first(a), API_FIND_COORDINATOR, FIND_COORDINATOR_VERSION,
			      json_pack("{s:s,s:i}", "key", group, "keyType", 0), ret_status);
	int64_t code, node;

	if (!answer)
		return -1;
	code = number(answer, "errorCode");
	node = number(answer, "nodeId");
	json_decref(answer);
	if (code)
		*ret_status = ask_fail(a, 409, "no coordinator: %s", kafka_error_name((int)code));
	return code ? -1 : (int32_t)node;
}

int control_get_group(struct ask *a)
{
	int status;
	int32_t broker = coordinator_of(a, a->parts[1].data, &status);

	if (broker < 0)
		return status;
	return forward(a, broker, API_DESCRIBE_GROUPS,
		       inside_version(a->c->service, API_DESCRIBE_GROUPS),
		       json_pack("{s:[s],s:b}", "groups", a->parts[1].data,
				 "includeAuthorizedOperations", 0));
}

int control_list_events(struct ask *a)
{
	const char *name, *args, *what;

	json_open(&a->json, '{');
	json_key(&a->json, "events");
	json_open(&a->json, '[');
	for (size_t i = 0; happening_list(i, &name, &args, &what); i++) {
		json_open(&a->json, '{');
		json_key_text(&a->json, "event", name);
		json_key_text(&a->json, "args", args);
		json_key_text(&a->json, "what", what);
		json_close(&a->json, '}');
	}
	json_close(&a->json, ']');
	json_close(&a->json, '}');
	return 200;
}

int control_happen(struct ask *a)
{
	struct error e = ERROR_INIT;
	struct str text = ask_text(a, "event");

	if (!text.data)
		return ask_fail(a, 400, "the body lacks \"event\"");
	if (service_happen(a->c->service, text, &e))
		return ask_error(a, 400, &e);
	json_open(&a->json, '{');
	json_key_str(&a->json, "event", text);
	json_close(&a->json, '}');
	return 201;
}

int control_call_api(struct ask *a)
{
	const char *version = ask_query(a, "version"), *broker = ask_query(a, "broker");
	int api = api_find(a->parts[1]);
	int64_t v, node = first(a);

	if (api < 0)
		return ask_fail(a, 404, "there is no API '" STR_FMT "'", STR_ARG(a->parts[1]));
	v = inside_version(a->c->service, api);
	if (version && !parse_int(str_of(version), 0, INT16_MAX, &v))
		return ask_fail(a, 400, "version takes a whole number, not '%s'", version);
	if (broker && !parse_int(str_of(broker), first(a),
				 first(a) + service_brokers(a->c->service) - 1, &node))
		return ask_fail(a, 400, "there is no broker '%s'", broker);
	return forward(a, (int32_t)node, api, (int)v,
		       a->body ? json_incref(a->body) : json_object());
}
