/* What a request is about, for the rules: read from the request by its schema, topic ids resolved
 * to names. Owns nothing. */
#include "mock/fields.h"
#include "mock/state.h"

struct reader {
	struct cluster *c;
	const struct call *call;
	struct topic_partition *list;
	int32_t count, cap;
};

static void add(struct reader *r, struct place p)
{
	struct topic_partition *bigger;
	const struct topic *t;

	if (!p.topic.data || p.topic.len == 0) {
		t = topic_by_id(r->c, p.topic_id);
		if (!t)
			return;
		p.topic = t->name;
	}
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 8;
		bigger = arena_alloc(r->call->arena, (size_t)r->cap * sizeof(*bigger));
		if (!bigger) {
			r->cap = r->count;
			return;
		}
		if (r->count)
			memcpy(bigger, r->list, (size_t)r->count * sizeof(*bigger));
		r->list = bigger;
	}
	r->list[r->count++] = (struct topic_partition){p.topic, p.partition};
}

static void add_plain(struct reader *r, const struct schema_field *f, const void *msg,
		      struct place p)
{
	const int32_t *ints = field_array(f, msg);
	const struct str *names = field_array(f, msg);

	for (int32_t i = 0; i < *field_count(f, msg); i++) {
		if (f->type == FIELD_INT32) {
			p.partition = ints[i];
			add(r, p);
		} else if (f->type == FIELD_STRING) {
			add(r, (struct place){.topic = names[i], .partition = -1});
		}
	}
}

static bool about_topics(const struct schema_field *f)
{
	return !strncmp(f->name, "topic", 5) || !strncmp(f->name, "partition", 9);
}

static void read_topics(struct reader *r, const struct schema *s, const void *msg, struct place p)
{
	int version = r->call->header.api_version;
	int32_t before = r->count;
	bool named = false;

	p = place_enter(p, s, version, msg);
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f)) {
		if (!field_in(f, version) || !strcmp(f->name, "forgottenTopicsData"))
			continue;
		named = named || field_names_topic(f) || field_names_partition(f) ||
			(f->type == FIELD_UUID && !strcmp(f->name, "topicId"));
		if (field_is_table(f, version))
			for (int32_t i = 0; i < *field_count(f, msg); i++)
				read_topics(r, f->child, field_element(f, msg, i), p);
		else if (f->array && about_topics(f))
			add_plain(r, f, msg, p);
	}
	if (named && r->count == before)
		add(r, p);
}

static struct str text_field(const struct call *call, const char *name)
{
	const struct schema *s = message_of_api(call->header.api_key, MESSAGE_REQUEST)->schema;
	const struct schema_field *f = schema_find(s, str_of(name));

	if (!f || f->array || f->type != FIELD_STRING || !field_in(f, call->header.api_version))
		return (struct str){0};
	return *(struct str *)field_at(f, call->request);
}

static struct str group_of(const struct call *call)
{
	const struct find_coordinator_request *find = call->request;
	const struct offset_fetch_request *fetch = call->request;
	struct str group = text_field(call, "groupId");

	if (call->header.api_key == API_FIND_COORDINATOR && find->key_type == 0)
		return find->coordinator_keys_count > 0 ? find->coordinator_keys[0] : find->key;
	if (call->header.api_key == API_OFFSET_FETCH && call->header.api_version >= 8)
		return fetch->groups_count > 0 ? fetch->groups[0].group_id : (struct str){0};
	return group;
}

static struct str txn_of(const struct call *call)
{
	const struct find_coordinator_request *find = call->request;
	const struct add_partitions_to_txn_request *add = call->request;

	if (call->header.api_key == API_FIND_COORDINATOR && find->key_type == 1)
		return find->coordinator_keys_count > 0 ? find->coordinator_keys[0] : find->key;
	if (call->header.api_key == API_ADD_PARTITIONS_TO_TXN && call->header.api_version >= 4)
		return add->transactions_count > 0 ? add->transactions[0].transactional_id
						   : (struct str){0};
	return text_field(call, call->header.api_key == API_ADD_PARTITIONS_TO_TXN
					? "v3AndBelowTransactionalId"
					: "transactionalId");
}

static void on_session_partition(void *ctx, struct str topic, struct uuid topic_id,
				 int32_t partition)
{
	add(ctx, (struct place){topic, topic_id, partition});
}

/* The APIs whose names and indices are those of topics. */
static bool has_topics(int api_key)
{
	return cluster_apis[api_key].by_topic;
}

void cluster_facts(struct cluster *c, const struct call *call, struct facts *ret_facts)
{
	int key = call->header.api_key;
	struct reader r = {.c = c, .call = call};
	const struct produce_request *produce = call->request;

	*ret_facts = (struct facts){.header = &call->header,
				    .body = call->request,
				    .broker = call->broker,
				    .conn = call->conn,
				    .acks = INT32_MIN};
	if (!call->request || !message_of_api(key, MESSAGE_REQUEST))
		return;
	if (has_topics(key))
		read_topics(&r, message_of_api(key, MESSAGE_REQUEST)->schema, call->request,
			    (struct place){.partition = -1});
	if (key == API_FETCH)
		fetch_session_each(c, call, on_session_partition, &r);
	ret_facts->partitions = r.list;
	ret_facts->partitions_count = r.count;
	ret_facts->group = group_of(call);
	ret_facts->txn = txn_of(call);
	if (key == API_PRODUCE)
		ret_facts->acks = produce->acks;
}
