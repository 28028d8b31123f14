/* Errors that a rule asks for. An answer is a tree of structs; where a code belongs is its depth:
 * Kafka puts some codes at the top (70 of a Fetch), some on each leaf (6 of its partitions). A
 * refusal before the work is the answer that mirrors the request's topics, groups or keys, with the
 * code on each: what Kafka's own request classes call their error response. */
#include "mock/fault.h"

#include "mock/fields.h"
#include "mock/state.h"
#include "rules/possible.h"

#define DEEPEST 99

static bool in_hits(const struct plan *plan, struct str topic, int32_t partition)
{
	for (int32_t i = 0; i < plan->hit_count; i++)
		if (str_eq(plan->hit[i].topic, topic) &&
		    (partition < 0 || plan->hit[i].partition < 0 ||
		     plan->hit[i].partition == partition))
			return true;
	return false;
}

int16_t call_fault(const struct call *call, struct str topic, int32_t partition)
{
	const struct plan *p = call->plan;

	if (p->action != ACTION_ERROR || p->when != WHEN_BEFORE || !in_hits(p, topic, partition))
		return 0;
	return p->error_code;
}

bool call_fault_later(const struct call *call, struct str topic, int32_t partition)
{
	const struct plan *p = call->plan;

	return p->action == ACTION_ERROR && p->when == WHEN_AFTER && in_hits(p, topic, partition);
}

static bool is_error(const struct schema_field *f, int version)
{
	return f->type == FIELD_INT16 && !f->array && field_in(f, version) &&
	       (!strcmp(f->name, "errorCode") || !strcmp(f->name, "partitionErrorCode"));
}

static const struct schema_field *error_field(const struct schema *s, int version)
{
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f))
		if (is_error(f, version))
			return f;
	return NULL;
}

static bool error_below(const struct schema *s, int version)
{
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f))
		if (field_is_table(f, version) &&
		    (error_field(f->child, version) || error_below(f->child, version)))
			return true;
	return false;
}

/* As deep as the place where brokers put the code; each leaf if they put it nowhere. */
static int depth_listed(const struct call *call, int16_t code)
{
	const char *place = error_place(call->header.api_key, call->response_version, code);
	int depth = 0;

	if (!place)
		return DEEPEST;
	for (const char *p = place; (p = strstr(p, "[]")); p += 2)
		depth++;
	return depth ? DEEPEST : 0;
}

/* How deep a code belongs: 0 the answer as a whole, DEEPEST each leaf. */
static int depth_of(const struct call *call, int16_t code)
{
	switch (call->header.api_key) {
	case API_METADATA:
		if (code == ERROR_REBOOTSTRAP_REQUIRED ||
		    code == ERROR_CLUSTER_AUTHORIZATION_FAILED)
			return 0;
		return code == ERROR_REPLICA_NOT_AVAILABLE || code == ERROR_LISTENER_NOT_FOUND ||
				       code == ERROR_NOT_LEADER_OR_FOLLOWER ||
				       code == ERROR_KAFKA_STORAGE_ERROR
			       ? DEEPEST
			       : 1;
	case API_FETCH:
		return code == ERROR_CLUSTER_AUTHORIZATION_FAILED ||
				       code == ERROR_FETCH_SESSION_ID_NOT_FOUND ||
				       code == ERROR_INVALID_FETCH_SESSION_EPOCH ||
				       code == ERROR_INCONSISTENT_CLUSTER_ID ||
				       code == ERROR_FETCH_SESSION_TOPIC_ID_ERROR
			       ? 0
			       : DEEPEST;
	case API_OFFSET_FETCH:
		return code == ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
				       code == ERROR_TOPIC_AUTHORIZATION_FAILED ||
				       code == ERROR_UNSTABLE_OFFSET_COMMIT ||
				       code == ERROR_UNKNOWN_TOPIC_ID
			       ? DEEPEST
			       : 0;
	case API_DESCRIBE_TOPIC_PARTITIONS:
		return code == ERROR_LEADER_NOT_AVAILABLE ? DEEPEST : 1;
	case API_LEAVE_GROUP:
		return code == ERROR_UNKNOWN_MEMBER_ID || code == ERROR_FENCED_INSTANCE_ID ? DEEPEST
											   : 0;
	default:
		return cluster_apis[call->header.api_key].by_topic ? depth_listed(call, code) : 0;
	}
}

/* What says which element it is stays, all else goes back to what an error carries. */
static bool is_identity(const struct schema_field *f)
{
	static const char *const names[] = {
		"topicId",	"groupId",	   "key",	   "memberId",	      "isInternal",
		"resourceType", "transactionalId", "resourceName", "groupInstanceId", NULL};

	if (field_names_topic(f) || field_names_partition(f))
		return true;
	for (const char *const *n = names; *n; n++)
		if (!strcmp(f->name, *n))
			return true;
	return false;
}

static size_t scalar_size(const struct schema_field *f)
{
	switch (f->type) {
	case FIELD_BOOL:
	case FIELD_INT8:
		return 1;
	case FIELD_INT16:
	case FIELD_UINT16:
		return 2;
	case FIELD_INT32:
	case FIELD_UINT32:
		return 4;
	case FIELD_INT64:
	case FIELD_FLOAT64:
		return 8;
	case FIELD_UUID:
		return sizeof(struct uuid);
	case FIELD_STRING:
		return sizeof(struct str);
	default:
		return 0;
	}
}

/* Numbers that Kafka sets to -1 where there is nothing to say, and whose default is 0. */
static void set_minus_one(const struct schema_field *f, void *msg)
{
	if (f->type == FIELD_INT64 &&
	    (!strcmp(f->name, "baseOffset") || !strcmp(f->name, "highWatermark")))
		*(int64_t *)field_at(f, msg) = -1;
	if (f->type == FIELD_INT32 && (!strcmp(f->name, "nodeId") || !strcmp(f->name, "port")))
		*(int32_t *)field_at(f, msg) = -1;
}

static void reset(struct call *call, const struct schema *s, void *msg)
{
	char *old = call_alloc(call, s->size);

	memcpy(old, msg, s->size);
	codec_init(s, msg);
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f)) {
		if (is_identity(f) && !f->array)
			memcpy(field_at(f, msg), field_at(f, old), scalar_size(f));
		else if (!f->array)
			set_minus_one(f, msg);
	}
}

/* A fault on its way down an answer. */
struct descent {
	struct cluster *c;
	struct call *call;
	int16_t code;
	int depth_wanted;
	bool hits_only; /* only what the rule hit; else everything */
	int32_t put;	/* codes set so far */
};

static bool is_hit(const struct descent *d, struct place p)
{
	const struct topic *t;

	if (!d->hits_only)
		return true;
	if (!p.topic.data || p.topic.len == 0) {
		t = topic_by_id(d->c, p.topic_id);
		if (!t)
			return uuid_is_zero(p.topic_id); /* not about topics at all */
		p.topic = t->name;
	}
	return in_hits(d->call->plan, p.topic, p.partition);
}

static void put_code(struct descent *d, const struct schema *s, void *msg, struct place p,
		     int depth)
{
	int version = d->call->response_version;
	const struct schema_field *error = error_field(s, version);

	p = place_enter(p, s, version, msg);
	if (error && (depth >= d->depth_wanted || !error_below(s, version))) {
		if (!is_hit(d, p))
			return;
		reset(d->call, s, msg);
		*(int16_t *)field_at(error, msg) = d->code;
		d->put++;
		return;
	}
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f)) {
		if (!field_is_table(f, version))
			continue;
		for (int32_t i = 0; i < *field_count(f, msg); i++)
			put_code(d, f->child, field_element(f, msg, i), p, depth + 1);
	}
}

static const struct schema *schema_of(const struct call *call, enum message_kind kind)
{
	return message_of_api(call->header.api_key, kind)->schema;
}

/* Puts a code into the answer; returns how often. */
static int32_t put_all(struct cluster *c, struct call *call, int16_t code, bool hits_only)
{
	struct descent d = {c, call, code, depth_of(call, code), hits_only, 0};
	struct place nowhere = {.partition = -1};

	put_code(&d, schema_of(call, MESSAGE_RESPONSE), call->response, nowhere, 0);
	return d.put;
}

/* --- the answer that mirrors the request */

static const struct schema_field *same_field(const struct schema *s,
					     const struct schema_field *like, int version)
{
	for (const struct schema_field *f = field_next(s, NULL); f; f = field_next(s, f)) {
		if (!field_in(f, version) || f->type != like->type || f->array != like->array)
			continue;
		if (!strcmp(f->name, like->name) ||
		    (field_names_topic(f) && field_names_topic(like)) ||
		    (field_names_partition(f) && field_names_partition(like)))
			return f;
	}
	return NULL;
}

static void copy_identity(const struct schema *from, const void *src, const struct schema *to,
			  void *dst, int version)
{
	for (const struct schema_field *f = field_next(to, NULL); f; f = field_next(to, f)) {
		const struct schema_field *q;

		if (f->array || !field_in(f, version) || !is_identity(f))
			continue;
		q = same_field(from, f, version);
		if (q)
			memcpy(field_at(f, dst), field_at(q, src), scalar_size(f));
	}
}

/* Elements that are plain values name themselves: a partition's index, a group's key. */
static void copy_plain(const struct schema_field *from, const void *src, int32_t i,
		       const struct schema *to, void *dst, int version)
{
	for (const struct schema_field *f = field_next(to, NULL); f; f = field_next(to, f)) {
		if (f->array || !field_in(f, version) || f->type != from->type || !is_identity(f))
			continue;
		memcpy(field_at(f, dst),
		       (char *)field_array(from, src) + (size_t)i * scalar_size(f), scalar_size(f));
		return;
	}
}

/* The request's array that the answer's array mirrors: of the same name, else the first. */
static const struct schema_field *counterpart(const struct schema *from,
					      const struct schema_field *like, int version)
{
	const struct schema_field *first = NULL;

	for (const struct schema_field *f = field_next(from, NULL); f; f = field_next(from, f)) {
		if (!f->array || !field_in(f, version))
			continue;
		if (!strcmp(f->name, like->name))
			return f;
		first = first ? first : f;
	}
	return first;
}

static void mirror(struct call *call, const struct schema *from, const void *src,
		   const struct schema *to, void *dst)
{
	int version = call->response_version;

	copy_identity(from, src, to, dst, version);
	for (const struct schema_field *f = field_next(to, NULL); f; f = field_next(to, f)) {
		const struct schema_field *q;
		int32_t n;

		if (!field_is_table(f, version) ||
		    !(error_field(f->child, version) || error_below(f->child, version)))
			continue;
		q = counterpart(from, f, version);
		n = q && *field_count(q, src) > 0 ? *field_count(q, src) : 0;
		*(void **)field_at(f, dst) = call_alloc(call, (size_t)n * f->child->size);
		*field_count(f, dst) = n;
		for (int32_t i = 0; i < n; i++) {
			void *element = field_element(f, dst, i);

			codec_init(f->child, element);
			if (q->type == FIELD_STRUCT)
				mirror(call, q->child, field_element(q, src, i), f->child, element);
			else
				copy_plain(q, src, i, f->child, element, version);
		}
	}
}

static int32_t refuse(struct cluster *c, struct call *call, int16_t code)
{
	const struct schema *s = schema_of(call, MESSAGE_RESPONSE);

	call_response(call, s);
	mirror(call, schema_of(call, MESSAGE_REQUEST), call->request, s, call->response);
	return put_all(c, call, code, false);
}

void fault_refuse(struct cluster *c, struct call *call, int16_t code)
{
	refuse(c, call, code);
}

bool fault_before(struct cluster *c, struct call *call)
{
	const struct plan *p = call->plan;

	if (p->action != ACTION_ERROR || p->when != WHEN_BEFORE)
		return false;
	if (cluster_apis[call->header.api_key].by_topic && p->hit_count &&
	    depth_of(call, p->error_code) > 0)
		return false;
	return refuse(c, call, p->error_code) > 0;
}

enum call_result fault_after(struct cluster *c, struct call *call, enum call_result result)
{
	const struct plan *p = call->plan;
	bool by_topic = cluster_apis[call->header.api_key].by_topic;
	int32_t put;

	if (p->action != ACTION_ERROR)
		return result;
	if (p->when == WHEN_BEFORE && by_topic && p->hit_count)
		return result; /* call_fault has seen to it */
	if (!call->response)
		return result;
	put = put_all(c, call, p->error_code, by_topic && p->hit_count);
	return result == CALL_NO_ANSWER && put ? CALL_CLOSE : result;
}
