/* Partitions over the control interface: their state, their logs read back, records and batches
 * appended. What is appended is judged as any client's Produce, unless it shall stand as it is. */
#include "service/control_routes.h"

#include "base/base64.h"
#include "base/hex.h"
#include "mock/inspect.h"
#include "protocol/batch_builder.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"
#include "protocol/records_bytes.h"

#include <stdlib.h>

#define RECORDS_DEFAULT 1000
#define BATCH_MAX	((size_t)64 << 20)
#define PRODUCE_VERSION 9

/* The partition in the path; false with *ret_status. */
static bool find_partition(struct ask *a, int32_t *ret_index, struct partition_view *ret_view,
			   int *ret_status)
{
	struct error e = ERROR_INIT;
	int64_t index;

	if (!parse_int(a->parts[3], 0, INT32_MAX, &index)) {
		*ret_status =
			ask_fail(a, 400, "'" STR_FMT "' is no partition", STR_ARG(a->parts[3]));
		return false;
	}
	*ret_index = (int32_t)index;
	if (!cluster_partition_view(service_cluster(a->c->service), a->parts[1], *ret_index,
				    ret_view, &e))
		return true;
	*ret_status = ask_error(a, 404, &e);
	return false;
}

int control_get_partition(struct ask *a)
{
	struct partition_view v;
	int32_t index;
	int status;

	if (!find_partition(a, &index, &v, &status))
		return status;
	json_open(&a->json, '{');
	json_key_str(&a->json, "topic", a->parts[1]);
	json_key_int(&a->json, "partition", index);
	json_key_int(&a->json, "leader", v.leader);
	json_key_int(&a->json, "leaderEpoch", v.leader_epoch);
	json_key_int(&a->json, "logStartOffset", v.log_start);
	json_key_int(&a->json, "lastStableOffset", v.stable_offset);
	json_key_int(&a->json, "highWatermark", v.high_watermark);
	json_key_int(&a->json, "logEndOffset", v.log_end);
	json_key_int(&a->json, "batches", v.batches);
	json_key_int(&a->json, "bytes", v.bytes);
	json_close(&a->json, '}');
	return 200;
}

/* ---- reading ---- */

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

/* One reading of a log. */
struct reading {
	struct json *json;
	int64_t from, next; /* asked from; to go on from */
	int64_t limit;	    /* records, or batches, still wanted */
	struct buf plain;   /* of compressed batches */
	struct buf bad;	    /* JSON list of what can't be read, not closed */
};

static void put_bad(struct reading *l, const struct batch *b, const char *text)
{
	struct json j;

	buf_byte(&l->bad, l->bad.len ? ',' : '[');
	json_init(&j, &l->bad);
	json_open(&j, '{');
	json_key_int(&j, "baseOffset", b->base_offset);
	json_key_text(&j, "text", text);
	json_close(&j, '}');
}

static void put_records(struct reading *l, const struct batch *b)
{
	struct error e = ERROR_INIT;
	struct record_iter it;
	struct record r;
	int rc = record_iter_init(&it, b, &l->plain, &e);

	while (!rc && l->limit > 0 && (rc = record_next(&it, &r, &e)) > 0) {
		rc = 0;
		if (r.offset < l->from)
			continue;
		put_record(l->json, b, &r);
		l->next = r.offset + 1;
		l->limit--;
	}
	if (rc < 0)
		put_bad(l, b, e.text);
}

/* The batch's header as it stands, though its length or anything else may lie. */
static struct batch header_of(struct bytes bytes)
{
	struct batch b = {.base_offset = get_i64(bytes.data + BATCH_AT_BASE_OFFSET),
			  .last_offset = get_i64(bytes.data + BATCH_AT_BASE_OFFSET),
			  .partition_leader_epoch = -1,
			  .raw = bytes};

	if (bytes.len < BATCH_AT_RECORDS || bytes.data[BATCH_AT_MAGIC] < 2)
		return b; /* a message of magic 0 or 1; a compressed one has its last offset */
	b.last_offset_delta = get_i32(bytes.data + BATCH_AT_LAST_OFFSET_DELTA);
	b.partition_leader_epoch = get_i32(bytes.data + BATCH_AT_LEADER_EPOCH);
	b.last_offset = b.base_offset + b.last_offset_delta;
	return b;
}

static bool on_records(void *ctx, struct bytes bytes)
{
	struct reading *l = ctx;
	struct error e = ERROR_INIT;
	struct batch header = header_of(bytes), b;

	if (batch_read(bytes.data, (size_t)bytes.len, &b, &e)) {
		put_bad(l, &header, e.text);
	} else {
		if (!batch_crc_ok(&b))
			put_bad(l, &b, "its checksum is wrong");
		put_records(l, &b);
	}
	if (l->limit > 0 && header.last_offset >= l->next)
		l->next = header.last_offset + 1;
	return l->limit > 0;
}

static bool on_batch(void *ctx, struct bytes bytes)
{
	struct reading *l = ctx;
	struct json *j = l->json;
	struct error e = ERROR_INIT;
	struct batch header = header_of(bytes), b;

	json_open(j, '{');
	json_key_int(j, "baseOffset", header.base_offset);
	json_key_int(j, "lastOffset", header.last_offset);
	json_key_int(j, "leaderEpoch", header.partition_leader_epoch);
	if (batch_read(bytes.data, (size_t)bytes.len, &b, &e)) {
		json_key_text(j, "problem", e.text);
	} else {
		json_key_int(j, "attributes", b.attributes);
		json_key_int(j, "producerId", b.producer_id);
		json_key_int(j, "producerEpoch", b.producer_epoch);
		json_key_int(j, "baseSequence", b.base_sequence);
		json_key_int(j, "records", b.records_count);
		json_key_bool(j, "crcOk", batch_crc_ok(&b));
	}
	json_key(j, "hex");
	json_hex(j, bytes);
	json_close(j, '}');
	l->next = header.last_offset + 1;
	return --l->limit > 0;
}

/* Reads from ?offset= (the log's start) as many as ?limit= says, one way or the other. */
static int read_log(struct ask *a, const char *list, bool (*on_each)(void *, struct bytes))
{
	const char *offset = ask_query(a, "offset"), *limit = ask_query(a, "limit");
	struct reading l = {.json = &a->json, .limit = RECORDS_DEFAULT};
	struct partition_view v;
	struct buf whole;
	int32_t index;
	int status;

	if (limit && !parse_int(str_of(limit), 0, INT32_MAX, &l.limit))
		return ask_fail(a, 400, "limit takes a whole number, not '%s'", limit);
	if (!find_partition(a, &index, &v, &status))
		return status;
	l.from = v.log_start;
	if (offset && !parse_int(str_of(offset), 0, INT64_MAX / 16, &l.from))
		return ask_fail(a, 400, "offset takes a whole number, not '%s'", offset);
	l.next = l.from;
	buf_init(&whole, BATCH_MAX);
	buf_init(&l.plain, BATCH_MAX);
	buf_init(&l.bad, BATCH_MAX);
	json_open(&a->json, '{');
	json_key(&a->json, list);
	json_open(&a->json, '[');
	if (l.limit > 0)
		cluster_read_log(service_cluster(a->c->service), a->parts[1], index, l.from, &whole,
				 on_each, &l);
	json_close(&a->json, ']');
	if (l.bad.len) {
		buf_byte(&l.bad, ']');
		json_key(&a->json, "problems");
		json_raw(&a->json, (struct str){buf_cstr(&l.bad), (int32_t)l.bad.len});
	}
	json_key_int(&a->json, "logStartOffset", v.log_start);
	json_key_int(&a->json, "highWatermark", v.high_watermark);
	json_key_int(&a->json, "nextOffset", l.next);
	json_close(&a->json, '}');
	buf_release(&whole);
	buf_release(&l.plain);
	buf_release(&l.bad);
	return 200;
}

int control_get_records(struct ask *a)
{
	return read_log(a, "records", on_records);
}

int control_get_batches(struct ask *a)
{
	return read_log(a, "batches", on_batch);
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

static int put_base_offset(struct ask *a, int64_t base_offset)
{
	json_open(&a->json, '{');
	json_key_int(&a->json, "baseOffset", base_offset);
	json_close(&a->json, '}');
	return 201;
}

static int produce(struct ask *a, int32_t leader, int32_t index, const struct buf *batch)
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
	request = json_pack("{s:n,s:i,s:i,s:[{s:s,s:[{s:i,s:s}]}]}", "transactionalId", "acks", 1,
			    "timeoutMs", 1000, "topicData", "name", a->parts[1].data,
			    "partitionData", "index", index, "records", text);
	free(text);
	answer = control_call(a, leader, API_PRODUCE, PRODUCE_VERSION, request, &status);
	if (!answer)
		return status;
	p = json_array_get(json_object_get(answer, "responses"), 0);
	p = json_array_get(json_object_get(p, "partitionResponses"), 0);
	code = json_integer_value(json_object_get(p, "errorCode"));
	if (code)
		status = ask_fail(a, 409, "the log refused it: %s", kafka_error_name((int)code));
	else
		status = put_base_offset(a, json_integer_value(json_object_get(p, "baseOffset")));
	json_decref(answer);
	return status;
}

static int append_as_is(struct ask *a, int32_t index, const struct partition_view *v,
			const struct buf *batch)
{
	struct error e = ERROR_INIT;
	int64_t offset = ask_int(a, "offset", v->log_end);

	if (offset < v->log_end || offset > INT64_MAX / 16)
		return ask_fail(a, 400, "offset can't be %lld: the log reaches to %lld",
				(long long)offset, (long long)v->log_end);
	if (service_put_batch(a->c->service, a->parts[1], index,
			      (struct bytes){batch->data, (int32_t)batch->len}, offset - v->log_end,
			      &e))
		return ask_error(a, 400, &e);
	return put_base_offset(a, offset);
}

int control_add_records(struct ask *a)
{
	bool as_is = json_is_true(json_object_get(a->body, "asIs"));
	struct partition_view v;
	struct buf batch;
	int32_t index;
	int status;

	if (!find_partition(a, &index, &v, &status))
		return status;
	if (!as_is && json_object_get(a->body, "offset"))
		return ask_fail(a, 400, "\"offset\" wants \"asIs\": true");
	if (!as_is && v.leader < 0)
		return ask_fail(a, 409, "the partition has no leader now");
	buf_init(&batch, BATCH_MAX);
	status = read_batch(a, &batch);
	if (!status)
		status = as_is ? append_as_is(a, index, &v, &batch)
			       : produce(a, v.leader, index, &batch);
	buf_release(&batch);
	return status;
}
