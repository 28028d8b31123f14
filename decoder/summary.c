/* One walk over each decoded body by its schema. A field counts by its name: Kafka is consistent
 * enough in them, and a new API needs nothing here. Owns the table of names. */
#include "decoder/summary.h"

#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define NAMES_MAX 200000

struct name {
	struct uuid id;
	char *text;
	UT_hash_handle hh;
};

struct names {
	struct name *table;
};

/* Names. */

struct names *names_new(void)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

void names_free(struct names *n)
{
	struct name *one, *next;

	if (!n)
		return;
	HASH_ITER (hh, n->table, one, next) {
		HASH_DELETE(hh, n->table, one);
		free(one->text);
		free(one);
	}
	free(n);
}

static struct name *find_name(const struct names *n, struct uuid id)
{
	struct name *one = NULL;

	if (n)
		HASH_FIND(hh, n->table, &id, sizeof(id), one);
	return one;
}

struct str names_find(const struct names *n, struct uuid id)
{
	struct name *one = find_name(n, id);

	return str_of(one ? one->text : NULL);
}

static void learn(struct names *n, struct uuid id, struct str text)
{
	struct name *one = find_name(n, id);

	if (!n || (one && str_is(text, one->text)))
		return;
	if (!one && HASH_COUNT(n->table) >= NAMES_MAX)
		return;
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			abort();
		one->id = id;
		HASH_ADD(hh, n->table, id, sizeof(one->id), one);
	}
	free(one->text);
	one->text = strndup(text.data, (size_t)text.len);
	if (!one->text)
		abort();
}

/* Problems. */

const char *problem_name(enum problem_kind kind)
{
	static const char *const names[] = {"malformed", "trailing",	"crc",	 "lost",
					    "not-kept",	 "unsupported", "orphan"};

	return names[kind];
}

static struct problem *add_problem(struct summary *s, enum problem_kind kind, bool response)
{
	struct problem *p;

	s->malformed |= kind == PROBLEM_MALFORMED || kind == PROBLEM_CRC;
	if (s->problems_count == SUMMARY_PROBLEMS_MAX)
		return NULL;
	p = &s->problems[s->problems_count++];
	*p = (struct problem){.kind = kind, .response = response, .offset = -1};
	return p;
}

static void add_error(struct summary *s, const struct exchange *x, bool response)
{
	const struct error *e = response ? &x->response_error : &x->request_error;
	bool absent = response ? !x->response.data : !x->request.data;
	enum problem_kind kind = PROBLEM_MALFORMED;
	struct problem *p;

	if (!e->code)
		return;
	if (response && x->state == EXCHANGE_ORPHAN)
		kind = PROBLEM_ORPHAN;
	else if (absent)
		kind = e->code == ERR_LIMIT ? PROBLEM_NOT_KEPT : PROBLEM_LOST;
	else if (e->code == ERR_UNSUPPORTED)
		kind = PROBLEM_UNSUPPORTED;
	else if (e->code == ERR_LIMIT)
		kind = PROBLEM_NOT_KEPT;
	p = add_problem(s, kind, response);
	if (!p)
		return;
	p->offset = e->offset == ERROR_NO_OFFSET ? -1 : (int64_t)e->offset;
	snprintf(p->field, sizeof(p->field), "%.*s", (int)sizeof(p->field) - 1, e->field);
	snprintf(p->text, sizeof(p->text), "%.*s", (int)sizeof(p->text) - 1, e->text);
}

static void add_trailing(struct summary *s, const struct exchange *x, bool response)
{
	uint32_t n = response ? x->response_trailing : x->request_trailing;
	struct problem *p = n ? add_problem(s, PROBLEM_TRAILING, response) : NULL;

	if (!p)
		return;
	p->offset = (response ? x->response.len : x->request.len) - (int64_t)n;
	snprintf(p->text, sizeof(p->text), "%u bytes behind the message", n);
}

/* What is found where. */

struct finder {
	struct summary *s;
	struct names *names;
	const struct exchange *x;
	int version;
	bool response;
	struct str topic; /* of the struct at hand */
	struct uuid topic_id;
};

static void add_topic(struct summary *s, struct str topic)
{
	if (!topic.data || s->topics_count == SUMMARY_TOPICS_MAX)
		return;
	for (int32_t i = 0; i < s->topics_count; i++)
		if (str_eq(s->topics[i], topic))
			return;
	s->topics[s->topics_count++] = topic;
}

static void add_topic_id(struct finder *f, struct uuid id)
{
	struct summary *s = f->s;
	struct str name = names_find(f->names, id);

	if (!name.data && s->topics_count < SUMMARY_TOPICS_MAX) {
		uuid_text(id, s->ids[s->topics_count]);
		name = str_of(s->ids[s->topics_count]);
	}
	add_topic(s, name);
}

static void add_code(struct summary *s, int16_t code)
{
	if (!code || s->errors_count == SUMMARY_ERRORS_MAX)
		return;
	for (int32_t i = 0; i < s->errors_count; i++)
		if (s->errors[i] == code)
			return;
	s->errors[s->errors_count++] = code;
}

static void keep_first(struct str *to, struct str value)
{
	if (!to->data && value.data && value.len)
		*to = value;
}

static bool about_topics(const char *name)
{
	return strstr(name, "opic") != NULL;
}

/* "name" names a topic inside an array of topics, and in those of these two answers. */
static bool name_is_topic(const struct schema_field *outer, const struct finder *f)
{
	int key = f->x->header.api_key;

	return outer && (about_topics(outer->name) ||
			 (!strcmp(outer->name, "responses") &&
			  (key == API_PRODUCE || key == API_DELETE_TOPICS ||
			   key == API_ALTER_PARTITION_REASSIGNMENTS)) ||
			 (!strcmp(outer->name, "results") && key == API_CREATE_PARTITIONS));
}

static void found_string(struct finder *f, const struct schema_field *field,
			 const struct schema_field *outer, struct str value)
{
	const char *name = field->name;

	if (!strcmp(name, "topic") || !strcmp(name, "topicName") ||
	    (!strcmp(name, "name") && name_is_topic(outer, f)))
		f->topic = value;
	else if (!strcmp(name, "groupId") || !strcmp(name, "group"))
		keep_first(&f->s->group, value);
	else if (!strcmp(name, "memberId"))
		keep_first(&f->s->member, value);
	else if (!strcmp(name, "transactionalId"))
		keep_first(&f->s->transactional_id, value);
}

static void check_crcs(struct finder *f, const struct schema_field *field,
		       const struct records *records)
{
	struct bytes frame = f->response ? f->x->response : f->x->request;
	struct records_reader reader;
	struct batch batch;
	struct error e = ERROR_INIT;
	struct problem *p;
	int rc;

	if (!records->data || records->span_count)
		return;
	records_reader_init(&reader, records->data, (size_t)records->len);
	while ((rc = records_next(&reader, &batch, &e)) > 0) {
		if (batch_crc_ok(&batch))
			continue;
		p = add_problem(f->s, PROBLEM_CRC, f->response);
		if (!p)
			return;
		p->offset = batch.raw.data - frame.data;
		snprintf(p->field, sizeof(p->field), "%s", field->name);
		snprintf(p->text, sizeof(p->text),
			 "the batch at offset %lld has CRC %08x, its bytes give %08x",
			 (long long)batch.base_offset, batch.crc, batch_crc(&batch));
	}
	p = rc < 0 ? add_problem(f->s, PROBLEM_MALFORMED, f->response) : NULL;
	if (!p)
		return;
	p->offset = (const uint8_t *)records->data - frame.data + (int64_t)reader.at;
	snprintf(p->field, sizeof(p->field), "%s", field->name);
	snprintf(p->text, sizeof(p->text), "%.*s", (int)sizeof(p->text) - 1, e.text);
}

static void found_value(struct finder *f, const struct schema_field *field,
			const struct schema_field *outer, const uint8_t *at)
{
	switch (field->type) {
	case FIELD_STRING:
		found_string(f, field, outer, *(const struct str *)(const void *)at);
		break;
	case FIELD_UUID:
		if (!strcmp(field->name, "topicId"))
			f->topic_id = *(const struct uuid *)(const void *)at;
		break;
	case FIELD_INT16:
		if (f->response && !strcmp(field->name, "errorCode"))
			add_code(f->s, *(const int16_t *)(const void *)at);
		break;
	case FIELD_INT32:
		if (f->response && !outer && !strcmp(field->name, "throttleTimeMs"))
			f->s->throttle_ms = *(const int32_t *)(const void *)at;
		break;
	case FIELD_RECORDS:
		check_crcs(f, field, (const struct records *)(const void *)at);
		break;
	default:
		break;
	}
}

static void find_in(struct finder *f, const struct schema *schema, const struct schema_field *outer,
		    const uint8_t *msg);

static void find_in_array(struct finder *f, const struct schema_field *field, const uint8_t *msg)
{
	int32_t count = *(const int32_t *)(const void *)(msg + field->count_offset);
	const uint8_t *items = *(const uint8_t *const *)(const void *)(msg + field->offset);

	for (int32_t i = 0; i < count; i++) {
		const uint8_t *item = items + (size_t)i * field_size(field);

		if (field->type == FIELD_STRUCT)
			find_in(f, field->child, field, item);
		else if (field->type == FIELD_STRING && about_topics(field->name))
			add_topic(f->s, *(const struct str *)(const void *)item);
		else if (field->type == FIELD_STRING && !strncmp(field->name, "group", 5))
			keep_first(&f->s->group, *(const struct str *)(const void *)item);
	}
}

static void find_in_field(struct finder *f, const struct schema_field *field,
			  const struct schema_field *outer, const uint8_t *msg)
{
	const uint8_t *at = msg + field->offset;

	if (field->array) {
		find_in_array(f, field, msg);
		return;
	}
	if (field->type != FIELD_STRUCT) {
		found_value(f, field, outer, at);
		return;
	}
	if (field->pointer)
		at = *(const uint8_t *const *)(const void *)at;
	if (at)
		find_in(f, field->child, field, at);
}

static void find_in(struct finder *f, const struct schema *schema, const struct schema_field *outer,
		    const uint8_t *msg)
{
	struct str topic = f->topic;
	struct uuid id = f->topic_id;

	f->topic = (struct str){NULL, 0};
	f->topic_id = (struct uuid){{0}};
	for (uint16_t i = 0; i < schema->field_count; i++)
		if (field_in(&schema->fields[i], f->version))
			find_in_field(f, &schema->fields[i], outer, msg);
	if (f->topic.data && f->topic.len) {
		add_topic(f->s, f->topic);
		if (!uuid_is_zero(f->topic_id))
			learn(f->names, f->topic_id, f->topic);
	} else if (!uuid_is_zero(f->topic_id)) {
		add_topic_id(f, f->topic_id);
	}
	f->topic = topic;
	f->topic_id = id;
}

/* FindCoordinator says "key" for what is a group or a transactional id by the key's type. */
static void find_coordinator(struct summary *s, const struct exchange *x, const void *body)
{
	const struct find_coordinator_request *r = body;
	struct str key = x->header.api_version >= 4 && r->coordinator_keys_count > 0
				 ? r->coordinator_keys[0]
				 : r->key;

	keep_first(r->key_type == 1 ? &s->transactional_id : &s->group, key);
}

static void summarize_side(struct exchange *x, struct names *names, struct summary *s,
			   bool response)
{
	const struct message *m =
		message_of_api(x->header.api_key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	const void *body = response ? exchange_response(x) : exchange_request(x);
	struct finder f = {.s = s, .names = names, .x = x, .response = response};

	f.version = response ? exchange_response_version(x) : x->header.api_version;
	if (body && m)
		find_in(&f, m->schema, NULL, body);
	if (body && !response && x->header.api_key == API_FIND_COORDINATOR)
		find_coordinator(s, x, body);
	add_error(s, x, response);
	add_trailing(s, x, response);
}

void summarize(struct exchange *x, struct names *names, struct summary *ret)
{
	memset(ret, 0, offsetof(struct summary, ids));
	ret->throttle_ms = -1;
	summarize_side(x, names, ret, false);
	summarize_side(x, names, ret, true);
}
