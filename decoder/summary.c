/* One walk over each decoded body by its schema. A field counts by its name: Kafka is consistent
 * enough in them, and a new API needs nothing here. Owns the table of names. */
#include "decoder/summary.h"

#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdio.h>
#include <stdlib.h>

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

static void add_squeezed(struct summary *s, const struct exchange *x, bool response)
{
	bool squeezed = response ? x->response_squeezed : x->request_squeezed;
	struct problem *p = squeezed ? add_problem(s, PROBLEM_NOT_KEPT, response) : NULL;

	if (p)
		snprintf(p->text, sizeof(p->text),
			 "its records, %u bytes, are more than the memory allows",
			 response ? x->response_left_out : x->request_left_out);
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

/* What is found where. A field's role is worked out once a process, for each schema and the field
 * that led to it: comparing names for each message would take longer than reading it. */

enum role {
	ROLE_NONE,
	ROLE_TOPIC,
	ROLE_TOPIC_ID,
	ROLE_TOPICS, /* array of names */
	ROLE_GROUP,
	ROLE_GROUPS,
	ROLE_MEMBER,
	ROLE_TXN,
	ROLE_ERROR,
	ROLE_THROTTLE,
	ROLE_PARTITION,
	ROLE_PARTITIONS, /* array of numbers */
	ROLE_RECORDS,
	ROLE_DEEP, /* a struct, or an array of them, with something inside */
};

struct roles {
	const struct schema *schema; /* NULL: a free slot */
	const struct schema_field *outer;
	uint8_t *list; /* NULL: none of its fields has one */
};

#define ROLES_SLOTS 8192 /* more than there are schemas; a power of two */

static struct roles roles_table[ROLES_SLOTS];

struct finder {
	struct summary *s;
	struct names *names;
	const struct exchange *x;
	int version;
	bool response;
	struct str topic; /* of the struct at hand */
	struct uuid topic_id;
	int32_t topic_index; /* of the struct around it; -1: none */
	int32_t partition;
	int16_t error;
};

/* Makes room for one more of an array in the exchange's arena; false when there is none. */
static bool grow(struct arena *a, void **list, int32_t count, int32_t *cap, size_t size,
		 int32_t max)
{
	int32_t want = *cap ? *cap * 2 : 8;
	void *more;

	if (count < *cap)
		return true;
	if (count >= max)
		return false;
	more = arena_alloc(a, (size_t)want * size);
	if (!more)
		return false;
	if (count)
		memcpy(more, *list, (size_t)count * size);
	*list = more;
	*cap = want;
	return true;
}

/* The topic's index; -1 where it is none, or one too many. */
static int32_t add_topic(struct finder *f, struct str topic)
{
	struct summary *s = f->s;

	if (!topic.data)
		return -1;
	for (int32_t i = 0; i < s->topics_count && i < 64; i++)
		if (str_eq(s->topics[i], topic))
			return i;
	if (!grow(f->x->arena, (void **)&s->topics, s->topics_count, &s->topics_cap,
		  sizeof(*s->topics), SUMMARY_TOPICS_MAX))
		return -1;
	s->topics[s->topics_count] = topic;
	return s->topics_count++;
}

static int32_t add_topic_id(struct finder *f, struct uuid id)
{
	struct str name = names_find(f->names, id);
	char text[UUID_TEXT_SIZE];

	int32_t before = f->s->topics_count, index;

	if (name.data)
		return add_topic(f, name);
	uuid_text(id, text);
	index = add_topic(f, arena_str(f->x->arena, str_of(text)));
	f->s->unresolved += f->s->topics_count - before;
	return index;
}

static void add_partition(struct finder *f, int32_t topic, int32_t partition, int16_t error)
{
	struct summary *s = f->s;
	int d = f->response;

	if (!grow(f->x->arena, (void **)&s->partitions[d], s->partitions_count[d],
		  &s->partitions_cap[d], sizeof(**s->partitions), SUMMARY_PARTITIONS_MAX))
		return;
	s->partitions[d][s->partitions_count[d]++] =
		(struct summary_partition){topic, partition, error};
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

/* ---- roles ---- */

static bool about_topics(const char *name)
{
	return strstr(name, "opic") != NULL;
}

/* "name" names a topic inside an array of topics, and in those of these answers. */
static bool name_is_topic(const struct schema_field *outer, int key)
{
	return outer && (about_topics(outer->name) ||
			 (!strcmp(outer->name, "responses") &&
			  (key == API_PRODUCE || key == API_DELETE_TOPICS ||
			   key == API_ALTER_PARTITION_REASSIGNMENTS)) ||
			 (!strcmp(outer->name, "results") && key == API_CREATE_PARTITIONS));
}

static enum role role_of_string(const char *name, const struct schema_field *outer, int key)
{
	if (!strcmp(name, "topic") || !strcmp(name, "topicName") ||
	    (!strcmp(name, "name") && name_is_topic(outer, key)))
		return ROLE_TOPIC;
	if (!strcmp(name, "groupId") || !strcmp(name, "group"))
		return ROLE_GROUP;
	if (!strcmp(name, "memberId"))
		return ROLE_MEMBER;
	return strcmp(name, "transactionalId") ? ROLE_NONE : ROLE_TXN;
}

static enum role role_of_int32(const char *name, const struct schema_field *outer)
{
	if (!outer && !strcmp(name, "throttleTimeMs"))
		return ROLE_THROTTLE;
	if (!strcmp(name, "partition") || !strcmp(name, "partitionIndex") ||
	    (!strcmp(name, "index") && outer && strstr(outer->name, "artition")))
		return ROLE_PARTITION;
	return ROLE_NONE;
}

static const uint8_t *roles_of(const struct schema *schema, const struct schema_field *outer,
			       int key);

static enum role role_of_array(const struct schema_field *field, int key)
{
	if (field->type == FIELD_STRUCT)
		return roles_of(field->child, field, key) ? ROLE_DEEP : ROLE_NONE;
	if (field->type == FIELD_STRING && about_topics(field->name))
		return ROLE_TOPICS;
	if (field->type == FIELD_STRING && !strncmp(field->name, "group", 5))
		return ROLE_GROUPS;
	if (field->type == FIELD_INT32 && !strncmp(field->name, "partition", 9))
		return ROLE_PARTITIONS;
	return ROLE_NONE;
}

static enum role role_of(const struct schema_field *field, const struct schema_field *outer,
			 int key)
{
	if (field->array)
		return role_of_array(field, key);
	switch (field->type) {
	case FIELD_STRUCT:
		return roles_of(field->child, field, key) ? ROLE_DEEP : ROLE_NONE;
	case FIELD_STRING:
		return role_of_string(field->name, outer, key);
	case FIELD_UUID:
		return strcmp(field->name, "topicId") ? ROLE_NONE : ROLE_TOPIC_ID;
	case FIELD_INT16:
		return strcmp(field->name, "errorCode") ? ROLE_NONE : ROLE_ERROR;
	case FIELD_INT32:
		return role_of_int32(field->name, outer);
	case FIELD_RECORDS:
		return ROLE_RECORDS;
	default:
		return ROLE_NONE;
	}
}

static void work_out(struct roles *r, int key)
{
	uint8_t *list = calloc(r->schema->field_count + 1u, 1);
	bool any = false;

	if (!list)
		abort();
	for (uint16_t i = 0; i < r->schema->field_count; i++) {
		list[i] = (uint8_t)role_of(&r->schema->fields[i], r->outer, key);
		any |= list[i] != ROLE_NONE;
	}
	if (any)
		r->list = list;
	else
		free(list);
}

/* Roles of a schema's fields; NULL when none has one. A schema belongs to one message, so the API
 * is no part of the key. */
static const uint8_t *roles_of(const struct schema *schema, const struct schema_field *outer,
			       int key)
{
	size_t i = ((uintptr_t)schema >> 3 ^ (uintptr_t)outer >> 4) * 0x9E3779B97F4A7C15u >> 40;
	struct roles *r;

	for (;; i++) {
		r = &roles_table[i & (ROLES_SLOTS - 1)];
		if (r->schema == schema && r->outer == outer)
			return r->list;
		if (!r->schema)
			break;
	}
	r->schema = schema;
	r->outer = outer;
	work_out(r, key);
	return r->list;
}

/* ---- finding ---- */

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
		f->s->control |= batch.control;
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

/* The topic of the struct at hand, before what is inside it. */
static int32_t settle_topic(struct finder *f)
{
	if (f->topic.data && f->topic.len)
		return add_topic(f, f->topic);
	return uuid_is_zero(f->topic_id) ? -1 : add_topic_id(f, f->topic_id);
}

static void find_in(struct finder *f, const struct schema *schema, const struct schema_field *outer,
		    const uint8_t *msg);

static void find_deep(struct finder *f, const struct schema_field *field, const uint8_t *msg)
{
	const uint8_t *at = msg + field->offset;
	int32_t count = 1, around = f->topic_index, topic;

	if (field->array || field->pointer)
		at = *(const uint8_t *const *)(const void *)at;
	if (field->array)
		count = *(const int32_t *)(const void *)(msg + field->count_offset);
	if (!at)
		return;
	topic = settle_topic(f);
	f->topic_index = topic >= 0 ? topic : around;
	for (int32_t i = 0; i < count; i++)
		find_in(f, field->child, field, at + (size_t)i * field_size(field));
	f->topic_index = around;
}

static void find_list(struct finder *f, const struct schema_field *field, enum role role,
		      const uint8_t *msg)
{
	int32_t count = *(const int32_t *)(const void *)(msg + field->count_offset);
	const uint8_t *items = *(const uint8_t *const *)(const void *)(msg + field->offset);
	int32_t topic = role == ROLE_PARTITIONS ? settle_topic(f) : -1;

	for (int32_t i = 0; i < count; i++) {
		const uint8_t *item = items + (size_t)i * field_size(field);

		if (role == ROLE_TOPICS)
			add_topic(f, *(const struct str *)(const void *)item);
		else if (role == ROLE_GROUPS)
			keep_first(&f->s->group, *(const struct str *)(const void *)item);
		else
			add_partition(f, topic >= 0 ? topic : f->topic_index,
				      *(const int32_t *)(const void *)item, 0);
	}
}

static void found(struct finder *f, const struct schema_field *field, enum role role,
		  const uint8_t *msg)
{
	const void *at = msg + field->offset;

	switch (role) {
	case ROLE_TOPIC:
		f->topic = *(const struct str *)at;
		break;
	case ROLE_TOPIC_ID:
		f->topic_id = *(const struct uuid *)at;
		break;
	case ROLE_GROUP:
		keep_first(&f->s->group, *(const struct str *)at);
		break;
	case ROLE_MEMBER:
		keep_first(&f->s->member, *(const struct str *)at);
		break;
	case ROLE_TXN:
		keep_first(&f->s->transactional_id, *(const struct str *)at);
		break;
	case ROLE_ERROR:
		f->error = *(const int16_t *)at;
		if (f->response)
			add_code(f->s, f->error);
		break;
	case ROLE_THROTTLE:
		if (f->response)
			f->s->throttle_ms = *(const int32_t *)at;
		break;
	case ROLE_PARTITION:
		f->partition = *(const int32_t *)at;
		break;
	case ROLE_RECORDS:
		check_crcs(f, field, at);
		break;
	case ROLE_DEEP:
		find_deep(f, field, msg);
		break;
	default:
		find_list(f, field, role, msg);
	}
}

static void find_in(struct finder *f, const struct schema *schema, const struct schema_field *outer,
		    const uint8_t *msg)
{
	const uint8_t *roles = roles_of(schema, outer, f->x->header.api_key);
	struct finder around = *f;

	if (!roles)
		return;
	f->topic = (struct str){NULL, 0};
	f->topic_id = (struct uuid){{0}};
	f->partition = -1;
	f->error = 0;
	for (uint16_t i = 0; i < schema->field_count; i++)
		if (roles[i] && field_in(&schema->fields[i], f->version))
			found(f, &schema->fields[i], roles[i], msg);
	if (f->topic.data && f->topic.len && !uuid_is_zero(f->topic_id))
		names_learn(f->names, f->topic_id, f->topic);
	if (f->partition >= 0) {
		int32_t topic = settle_topic(f);

		add_partition(f, topic >= 0 ? topic : f->topic_index, f->partition, f->error);
	} else {
		settle_topic(f);
	}
	f->topic = around.topic;
	f->topic_id = around.topic_id;
	f->partition = around.partition;
	f->error = around.error;
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
	struct finder f = {.s = s, .names = names, .x = x, .response = response, .topic_index = -1};

	f.version = response ? exchange_response_version(x) : x->header.api_version;
	if (body && m)
		find_in(&f, m->schema, NULL, body);
	if (body && !response && x->header.api_key == API_FIND_COORDINATOR)
		find_coordinator(s, x, body);
	add_error(s, x, response);
	add_squeezed(s, x, response);
	add_trailing(s, x, response);
}

static void summarize_once(struct exchange *x, struct names *names, struct summary *ret)
{
	memset(ret, 0, offsetof(struct summary, problems));
	ret->problems_count = 0;
	ret->malformed = false;
	ret->throttle_ms = -1;
	ret->names = names;
	summarize_side(x, names, ret, false);
	summarize_side(x, names, ret, true);
}

void summarize(struct exchange *x, struct names *names, struct summary *ret)
{
	uint64_t known = names_count(names);

	summarize_once(x, names, ret);
	/* The answer may have told the name of what the request asked for by its id. */
	if (ret->unresolved && names_count(names) > known)
		summarize_once(x, names, ret);
}

void summary_add(struct summary *s, struct arena *arena, const struct names *names, int32_t named,
		 struct str topic, struct uuid id, int32_t partition)
{
	struct exchange x = {.arena = arena};
	struct finder f = {.s = s, .names = (struct names *)(uintptr_t)names, .x = &x};
	int32_t index;

	index = topic.len ? add_topic(&f, arena_str(arena, topic)) : add_topic_id(&f, id);
	for (int32_t i = 0; i < named; i++)
		if (s->partitions[0][i].topic == index &&
		    s->partitions[0][i].partition == partition)
			return;
	add_partition(&f, index, partition, 0);
}
