/* What differs between two answers. Walks them in step (replay/pairs.h); each value is judged by
 * the table below, else through the map of variables.
 *
 * A Fetch answer is a window on a log that moves: what the recording saw must be there; what lies
 * behind it may be more. */
#include "replay/compare.h"

#include "base/buf.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"
#include "replay/pair_text.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_ ((size_t)4096)

/* How much of a value must be the same. */
enum treatment {
	TREAT_SAME,
	TREAT_NOT_AT_ALL,
	TREAT_THERE,	/* only whether there is one */
	TREAT_NOT_LESS, /* the live one may be further on */
	TREAT_NOT_MORE, /* or begin sooner */
	TREAT_NEWS,	/* an array that may have more */
};

/* The rules, by role and by field. */
static const enum treatment by_role[ROLE_COUNT] = {
	[ROLE_TIME] = TREAT_NOT_AT_ALL,	     [ROLE_MEASURE] = TREAT_NOT_AT_ALL,
	[ROLE_TEXT] = TREAT_NOT_AT_ALL,	     [ROLE_HOST] = TREAT_NOT_AT_ALL,
	[ROLE_PORT] = TREAT_NOT_AT_ALL,	     [ROLE_ADDRESS] = TREAT_NOT_AT_ALL,
	[ROLE_RACK] = TREAT_NOT_AT_ALL,	     [ROLE_SECRET] = TREAT_NOT_AT_ALL,
	[ROLE_BROKER] = TREAT_THERE,	     [ROLE_CLUSTER] = TREAT_THERE,
	[ROLE_DIRECTORY] = TREAT_NOT_AT_ALL,
};

static const struct {
	int api_key;
	const char *field;
	enum treatment treatment;
} by_field[] = {
	{API_FETCH, "highWatermark", TREAT_NOT_LESS},
	{API_FETCH, "lastStableOffset", TREAT_NOT_LESS},
	{API_FETCH, "logStartOffset", TREAT_NOT_MORE},
	{API_PRODUCE, "logStartOffset", TREAT_NOT_MORE},
	{API_FETCH, "abortedTransactions", TREAT_NEWS},
	{API_FETCH, "responses", TREAT_NEWS},
	{API_FETCH, "partitions", TREAT_NEWS},
	{API_FETCH, "sessionId", TREAT_THERE},
	/* of all groups at once: they are on their way from one state to the next */
	{API_LIST_GROUPS, "groupState", TREAT_NOT_AT_ALL},
	/* what a broker speaks: whoever asks for what it does not is told so */
	{API_API_VERSIONS, "apiKeys", TREAT_NOT_AT_ALL},
	{API_API_VERSIONS, "supportedFeatures", TREAT_NOT_AT_ALL},
	{API_API_VERSIONS, "finalizedFeatures", TREAT_NOT_AT_ALL},
	{API_API_VERSIONS, "finalizedFeaturesEpoch", TREAT_NOT_AT_ALL},
	{API_API_VERSIONS, "zkMigrationReady", TREAT_NOT_AT_ALL},
};

struct ignored {
	int api_key;	 /* -1: any */
	struct str path; /* names with dots between them */
};

struct compare {
	struct variables *v;
	struct ignored ignored[IGNORED_MAX];
	int32_t ignored_count;
	int32_t brokers;
	const struct session *session; /* what it knows may be there sooner; NULL */
	struct buf expanded[2];	       /* records of compressed batches, by side */
	struct buf path;
	struct arena arena; /* of the ignored paths */
};

/* One comparison under way. */
struct comparing {
	struct compare *c;
	int api_key;
	int64_t peer;
	struct differences *ret;
};

struct compare *compare_new(struct variables *v)
{
	struct compare *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->v = v;
	buf_init(&c->expanded[0], RECORDS_EXPANDED_MAX);
	buf_init(&c->expanded[1], RECORDS_EXPANDED_MAX);
	buf_init(&c->path, PATH_MAX_);
	arena_init(&c->arena, (size_t)1 << 20);
	return c;
}

void compare_free(struct compare *c)
{
	if (!c)
		return;
	buf_release(&c->expanded[0]);
	buf_release(&c->expanded[1]);
	buf_release(&c->path);
	arena_release(&c->arena);
	free(c);
}

void compare_set_brokers(struct compare *c, int32_t count)
{
	c->brokers = count;
}

void compare_set_session(struct compare *c, const struct session *s)
{
	c->session = s;
}

/* ---- paths ---- */

static void add_names(struct buf *b, const struct pair_step *step)
{
	if (step->up) {
		add_names(b, step->up);
		/* an array's own step stands before its elements' */
		if (step->up->field == step->field)
			return;
		buf_byte(b, '.');
	}
	buf_text(b, step->field->name);
}

/* What a buffer holds, in the arena of the differences; null where that is full. */
static struct str keep_text(const struct comparing *g, const struct buf *b)
{
	const char *copy = arena_copy(g->ret->arena, b->data, b->len);

	return (struct str){copy, copy ? (int32_t)b->len : 0};
}

static struct str path_of(const struct comparing *g, const struct pair_step *step, bool names,
			  const char *behind)
{
	struct buf *b = &g->c->path;

	buf_reset(b);
	if (names) {
		buf_text(b, api_name(g->api_key));
		buf_byte(b, '.');
		add_names(b, step);
	} else {
		pair_path(b, g->c->v, step);
		buf_text(b, behind ? behind : "");
	}
	return keep_text(g, b);
}

/* ---- telling ---- */

static struct difference *add(struct comparing *g, enum difference_kind kind,
			      const struct pair_step *step, const char *behind)
{
	struct differences *ret = g->ret;
	struct difference *d;

	if (ret->count == DIFFERENCES_MAX) {
		ret->more++;
		return NULL;
	}
	d = &ret->items[ret->count++];
	*d = (struct difference){.kind = kind};
	d->name = path_of(g, step, true, "");
	d->path = path_of(g, step, false, behind);
	return d;
}

static struct str text_of(struct comparing *g, const struct schema_field *f, const void *value)
{
	struct buf *b = &g->c->path;

	buf_reset(b);
	pair_value(b, f, value);
	return keep_text(g, b);
}

static void tell_value(struct comparing *g, const struct pair *p)
{
	struct difference *d = add(g, DIFFERENCE_VALUE, p->step, "");

	if (!d)
		return;
	d->recorded = text_of(g, p->field, p->recorded);
	d->live = text_of(g, p->field, p->live);
}

static void tell_absence(struct comparing *g, const struct pair *p)
{
	bool gone = p->kind == PAIR_GONE;
	struct difference *d = add(g, gone ? DIFFERENCE_GONE : DIFFERENCE_NEW, p->step, "");

	if (!d)
		return;
	if (gone)
		d->recorded = text_of(g, p->field, p->recorded);
	else
		d->live = text_of(g, p->field, p->live);
}

static void tell_text(struct comparing *g, enum difference_kind kind, const struct pair_step *step,
		      const char *behind, struct str recorded, struct str live)
{
	struct difference *d = add(g, kind, step, behind);

	if (!d)
		return;
	d->recorded = arena_str(g->ret->arena, recorded);
	d->live = arena_str(g->ret->arena, live);
	d->recorded.len = d->recorded.data ? d->recorded.len : 0;
	d->live.len = d->live.data ? d->live.len : 0;
}

/* ---- records ---- */

/* The records of one side, one after the other. */
struct run {
	struct records_reader reader;
	struct batch batch;
	struct record_iter iter;
	struct record record;
	struct buf *expanded;
	bool inside, bad;
	bool wrong_sum, sum_told; /* of the batch at hand */
};

static void run_init(struct run *r, const struct records *records, struct buf *expanded)
{
	*r = (struct run){.expanded = expanded};
	if (records->span_count == 0)
		records_reader_init(&r->reader, records->data,
				    records->data ? (size_t)records->len : 0);
}

static bool run_next(struct run *r)
{
	int rc;

	for (;;) {
		rc = r->inside ? record_next(&r->iter, &r->record, NULL) : 0;
		if (rc > 0)
			return true;
		r->bad |= rc < 0;
		r->inside = false;
		rc = records_next(&r->reader, &r->batch, NULL);
		r->bad |= rc < 0;
		if (rc <= 0)
			return false;
		r->wrong_sum = !batch_crc_ok(&r->batch);
		r->sum_told = false;
		rc = record_iter_init(&r->iter, &r->batch, r->expanded, NULL);
		r->bad |= rc < 0;
		r->inside = rc == 0;
	}
}

static bool same_bytes(struct bytes a, struct bytes b)
{
	return !a.data == !b.data && a.len == b.len &&
	       (!a.len || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

/* The place of a record: what stands behind the path of its partition. */
static const char *record_path(struct comparing *g, int64_t offset, const char *field)
{
	return arena_printf(g->ret->arena, "[offset %lld]%s%s", (long long)offset,
			    *field ? "." : "", field);
}

static void tell_bytes(struct comparing *g, const struct pair_step *step, int64_t offset,
		       const char *field, struct bytes recorded, struct bytes live)
{
	static const struct schema_field f = {.type = FIELD_BYTES};
	struct difference *d;

	if (same_bytes(recorded, live))
		return;
	d = add(g, DIFFERENCE_VALUE, step, record_path(g, offset, field));
	if (!d)
		return;
	d->recorded = text_of(g, &f, &recorded);
	d->live = text_of(g, &f, &live);
}

static void tell_int(struct comparing *g, const struct pair_step *step, int64_t offset,
		     const char *field, int64_t recorded, int64_t live)
{
	if (recorded != live)
		tell_text(g, DIFFERENCE_VALUE, step, record_path(g, offset, field),
			  str_of(arena_printf(g->ret->arena, "%lld", (long long)recorded)),
			  str_of(arena_printf(g->ret->arena, "%lld", (long long)live)));
}

/* A marker's value has the coordinator's epoch: it is its own. */
static void same_control(struct comparing *g, const struct pair_step *step, const struct run *a,
			 const struct run *b)
{
	struct control_record x, y;

	if (control_record_read(&a->record, &x, NULL) || control_record_read(&b->record, &y, NULL))
		return;
	tell_int(g, step, a->record.offset, "controlType", x.type, y.type);
}

static void same_producer(struct comparing *g, const struct pair_step *step, const struct run *a,
			  const struct run *b)
{
	int64_t id;

	if (variables_int(g->c->v, SIDE_RECORDED, ROLE_PRODUCER_ID, a->batch.producer_id, &id) ||
	    a->batch.producer_id < 0 || b->batch.producer_id < 0)
		tell_int(g, step, a->record.offset, "producerId", id, b->batch.producer_id);
	tell_int(g, step, a->record.offset, "sequence", a->record.sequence, b->record.sequence);
}

/* A client refuses a batch with a wrong checksum, however good its records are. Told once a batch;
 * where the recording has a wrong one too, that is what its client got. */
static void same_sum(struct comparing *g, const struct pair_step *step, struct run *a,
		     struct run *b)
{
	static const char *const said[] = {"a batch whose checksum is right",
					   "a batch whose checksum is wrong"};
	struct run *wrong = a->wrong_sum ? a : b;

	if (a->wrong_sum == b->wrong_sum || wrong->sum_told)
		return;
	wrong->sum_told = true;
	tell_text(g, DIFFERENCE_VALUE, step, record_path(g, a->record.offset, ""),
		  str_of(said[a->wrong_sum]), str_of(said[b->wrong_sum]));
}

static void same_record(struct comparing *g, const struct pair_step *step, struct run *a,
			struct run *b)
{
	const struct record *x = &a->record, *y = &b->record;

	same_sum(g, step, a, b);
	tell_int(g, step, x->offset, "control", a->batch.control, b->batch.control);
	tell_int(g, step, x->offset, "transactional", a->batch.transactional,
		 b->batch.transactional);
	same_producer(g, step, a, b);
	if (a->batch.control && b->batch.control) {
		same_control(g, step, a, b);
		return;
	}
	tell_bytes(g, step, x->offset, "key", x->key, y->key);
	tell_bytes(g, step, x->offset, "value", x->value, y->value);
	if (x->magic == 2 && y->magic == 2)
		tell_bytes(g, step, x->offset, "headers", x->headers, y->headers);
	tell_int(g, step, x->offset, "timestampType", x->timestamp_type, y->timestamp_type);
	if (x->timestamp_type == TIMESTAMP_CREATE && y->timestamp_type == TIMESTAMP_CREATE)
		tell_int(g, step, x->offset, "timestamp", x->timestamp, y->timestamp);
}

/* Records that the live answer lacks, told once for a run of them. */
struct missing {
	int64_t first, last, count;
};

static void tell_missing(struct comparing *g, const struct pair_step *step, struct missing *m)
{
	if (m->count == 0)
		return;
	tell_text(g, DIFFERENCE_GONE, step, record_path(g, m->first, ""),
		  str_of(m->count == 1 ? "a record"
				       : arena_printf(g->ret->arena, "%lld records, to offset %lld",
						      (long long)m->count, (long long)m->last)),
		  (struct str){NULL, 0});
	m->count = 0;
}

static void note_missing(struct missing *m, int64_t offset)
{
	if (!m->count)
		m->first = offset;
	m->last = offset;
	m->count++;
}

static void compare_runs(struct comparing *g, const struct pair *p, struct run *a, struct run *b,
			 struct str topic, int32_t partition)
{
	struct missing missing = {0};
	int64_t wanted, from = -1; /* live offsets from here on are between recorded ones */
	bool more = run_next(b);

	while (run_next(a)) {
		wanted = variables_offset(g->c->v, SIDE_RECORDED, topic, partition,
					  a->record.offset);
		for (; more && b->record.offset < wanted; more = run_next(b))
			if (from >= 0 && b->record.offset >= from)
				tell_text(g, DIFFERENCE_NEW, p->step,
					  record_path(g, b->record.offset, ""),
					  (struct str){NULL, 0}, str_of("a record"));
		from = wanted;
		if (!more || b->record.offset != wanted) {
			note_missing(&missing, a->record.offset);
			continue;
		}
		tell_missing(g, p->step, &missing);
		same_record(g, p->step, a, b);
		more = run_next(b);
	}
	tell_missing(g, p->step, &missing);
	if (a->bad != b->bad && !(b->bad && !more))
		tell_text(g, DIFFERENCE_VALUE, p->step, "",
			  str_of(a->bad ? "unreadable batches" : "readable batches"),
			  str_of(b->bad ? "unreadable batches" : "readable batches"));
}

static void compare_records(struct comparing *g, const struct pair *p)
{
	struct str topic = variables_topic_around(g->c->v, SIDE_RECORDED, p->recorded_in);
	const struct schema_field *f;
	const void *partition = holder_nearest(p->recorded_in, ROLE_PARTITION, &f);
	struct run a, b;

	run_init(&a, p->recorded, &g->c->expanded[0]);
	run_init(&b, p->live, &g->c->expanded[1]);
	compare_runs(g, p, &a, &b, topic, partition ? (int32_t)leaf_int(f, partition) : -1);
}

/* ---- rules ---- */

static bool is_ignored(const struct comparing *g, const struct pair *p)
{
	struct buf *b = &g->c->path;

	if (!g->c->ignored_count)
		return false;
	buf_reset(b);
	add_names(b, p->step);
	for (int32_t i = 0; i < g->c->ignored_count; i++) {
		const struct ignored *n = &g->c->ignored[i];

		if (n->api_key < 0 ? str_is(n->path, p->field->name)
				   : n->api_key == g->api_key && n->path.len == (int32_t)b->len &&
					     memcmp(n->path.data, b->data, b->len) == 0)
			return true;
	}
	return false;
}

/* Values of a broker's own configuration: where it listens, where its logs are. */
static bool of_broker_config(const struct pair *p)
{
	const struct holder *outer = p->recorded_in->outer;
	const struct schema_field *f =
		outer ? schema_find(outer->schema, str_of("resourceName")) : NULL;

	return f && variables_role(outer, f) == ROLE_BROKER;
}

/* A broker that does not speak the version: its client goes on with another one. */
static bool other_version(const struct pair *p)
{
	return leaf_int(p->field, p->recorded) == ERROR_UNSUPPORTED_VERSION ||
	       leaf_int(p->field, p->live) == ERROR_UNSUPPORTED_VERSION;
}

static enum treatment treatment_of(const struct comparing *g, const struct pair *p)
{
	enum role role = variables_role(p->recorded_in, p->field);

	for (size_t i = 0; i < sizeof(by_field) / sizeof(by_field[0]); i++)
		if (by_field[i].api_key == g->api_key &&
		    strcmp(by_field[i].field, p->field->name) == 0)
			return by_field[i].treatment;
	if (role == ROLE_CONFIG_VALUE && of_broker_config(p))
		return TREAT_NOT_AT_ALL;
	if (g->api_key == API_API_VERSIONS && leaf_is_error(p->field) && other_version(p))
		return TREAT_NOT_AT_ALL;
	if (p->field->type == FIELD_RECORDS || p->field->type == FIELD_STRUCT)
		return TREAT_SAME;
	return by_role[role];
}

static bool is_there(const struct schema_field *f, const void *value)
{
	if (leaf_is_int(f))
		return strcmp(f->name, "sessionId") == 0 ? leaf_int(f, value) != 0
							 : leaf_int(f, value) >= 0;
	if (f->type == FIELD_STRING)
		return ((const struct str *)value)->len > 0;
	return true;
}

/* How far the live offset is beyond the recorded one. Whether there is one at all must be the same.
 */
static bool in_bounds(struct comparing *g, const struct pair *p, enum treatment treatment)
{
	int64_t wanted, live = leaf_int(p->field, p->live);

	variables_map_int(g->c->v, SIDE_RECORDED, g->peer, p->recorded_in, p->role,
			  leaf_int(p->field, p->recorded), &wanted);
	if ((wanted < 0) != (live < 0))
		return false;
	return treatment == TREAT_NOT_LESS ? live >= wanted : live <= wanted;
}

/* Any number will do, but a member that is in its group is not one that left it. */
static bool same_handout(const struct pair *p)
{
	return p->role != ROLE_GENERATION ||
	       (leaf_int(p->field, p->recorded) > 0) == (leaf_int(p->field, p->live) > 0);
}

static void compare_value(struct comparing *g, const struct pair *p)
{
	enum treatment treatment = treatment_of(g, p);
	bool same = true;

	switch (treatment) {
	case TREAT_NOT_AT_ALL:
		break;
	case TREAT_THERE:
		same = is_there(p->field, p->recorded) == is_there(p->field, p->live);
		break;
	case TREAT_NOT_LESS:
	case TREAT_NOT_MORE:
		same = in_bounds(g, p, treatment);
		break;
	default:
		if (p->field->type == FIELD_RECORDS)
			compare_records(g, p);
		else if (p->field->type == FIELD_BYTES)
			same = same_bytes(*(struct bytes *)p->recorded, *(struct bytes *)p->live);
		else
			same = variables_hands_out(p->recorded_in, p->field)
				       ? same_handout(p)
				       : variables_same(g->c->v, g->peer, p->recorded_in, p->field,
							p->recorded, p->live) != SAME_NO;
	}
	if (!same)
		tell_value(g, p);
}

/* ---- arrays ---- */

/* An element about what every cluster has for itself, made when it likes and as it is configured.
 */
static bool is_internal(const struct comparing *g, const struct pair *p)
{
	enum side side = p->recorded ? SIDE_RECORDED : SIDE_LIVE;
	struct holder h = {p->field->child, p->recorded ? p->recorded : p->live,
			   (p->recorded ? p->recorded_in : p->live_in)->version, NULL};
	struct str topic;

	if (p->field->type != FIELD_STRUCT)
		return p->role == ROLE_TOPIC && ((const struct str *)h.msg)->len > 2 &&
		       memcmp(((const struct str *)h.msg)->data, "__", 2) == 0;
	topic = variables_topic_around(g->c->v, side, &h);
	return topic.len > 2 && memcmp(topic.data, "__", 2) == 0;
}

/* Of a Fetch: a partition of which it says nothing but where its log stands. */
static bool no_news(const struct pair *p)
{
	const struct schema *s = p->field->child;
	struct holder h = {s, p->recorded, p->recorded_in->version, NULL};
	const struct schema_field *f = s ? schema_find(s, str_of("errorCode")) : NULL;
	const struct records *records = holder_value(&h, ROLE_RECORDS, NULL);
	const struct fetch_response_responses *topic = p->recorded;

	if (s == &fetch_response_responses_schema) {
		for (int32_t i = 0; i < topic->partitions_count; i++)
			if (topic->partitions[i].error_code || topic->partitions[i].records.len > 0)
				return false;
		return true;
	}
	return records && f && records->len <= 0 &&
	       leaf_int(f, (const uint8_t *)p->recorded + f->offset) == 0;
}

/* A topic that the recording deletes: the live cluster may be done with it sooner. */
static bool gone_later(const struct comparing *g, const struct pair *p)
{
	struct holder h = {p->field->child, p->recorded, p->recorded_in->version, NULL};
	const struct session_topic *t;

	if (p->kind != PAIR_GONE || p->field->type != FIELD_STRUCT || !g->c->session ||
	    g->api_key != API_METADATA)
		return false;
	t = session_topic(g->c->session, variables_topic_around(g->c->v, SIDE_RECORDED, &h));
	return t && t->deleted;
}

/* A topic, or a partition of it, that the recording saw later: the live cluster made it sooner. */
static bool seen_later(const struct comparing *g, const struct pair *p)
{
	struct holder h = {p->field->child, p->live, p->live_in->version, p->live_in};
	const struct session_topic *t;
	const struct schema_field *f;
	const void *partition;

	if (p->kind != PAIR_NEW || p->field->type != FIELD_STRUCT || !g->c->session)
		return false;
	if (g->api_key != API_METADATA && g->api_key != API_DESCRIBE_TOPIC_PARTITIONS)
		return false;
	t = session_topic(g->c->session, variables_topic_around(g->c->v, SIDE_LIVE, &h));
	partition = holder_value(&h, ROLE_PARTITION, &f);
	return t && (!partition || !t->partitions || leaf_int(f, partition) < t->partitions);
}

static void compare_absence(struct comparing *g, const struct pair *p)
{
	enum treatment treatment = treatment_of(g, p);

	if (treatment == TREAT_NOT_AT_ALL || is_internal(g, p) || seen_later(g, p) ||
	    gone_later(g, p))
		return;
	if (treatment == TREAT_NEWS && (p->kind == PAIR_NEW || no_news(p)))
		return;
	tell_absence(g, p);
}

/* The nodes of a cluster: how many there are is the cluster's own. */
static bool is_node(const struct schema *s)
{
	return s &&
	       (schema_find(s, str_of("nodeId")) || schema_find(s, str_of("brokerId")) ||
		schema_find(s, str_of("replicaId"))) &&
	       !schema_find(s, str_of("key"));
}

/* Numbers of nodes: which they are is the cluster's own, how many must be right. */
static void compare_nodes(struct comparing *g, const struct pair *p)
{
	int32_t recorded = *(const int32_t *)p->recorded, live = *(const int32_t *)p->live;
	bool replicas = strncmp(p->field->name, "replica", 7) == 0 ||
			strncmp(p->field->name, "isr", 3) == 0;
	struct arena *a = g->ret->arena;

	recorded = recorded < 0 ? 0 : recorded;
	live = live < 0 ? 0 : live;
	if (g->c->brokers && recorded > g->c->brokers)
		recorded = g->c->brokers;
	if (replicas ? recorded == live : (recorded > 0) == (live > 0))
		return;
	tell_text(g, DIFFERENCE_VALUE, p->step, "", str_of(arena_printf(a, "%d nodes", recorded)),
		  str_of(arena_printf(a, "%d nodes", live)));
}

static bool visit(void *user, const struct pair *p)
{
	struct comparing *g = user;

	if (is_ignored(g, p))
		return false;
	switch (p->kind) {
	case PAIR_VALUE:
		compare_value(g, p);
		return true;
	case PAIR_ARRAY:
		if (treatment_of(g, p) == TREAT_NOT_AT_ALL)
			return false;
		if (p->role == ROLE_BROKER)
			compare_nodes(g, p);
		return p->role != ROLE_BROKER && !is_node(p->field->child);
	case PAIR_STRUCT:
		return p->step->index >= 0 ? !is_internal(g, p) : !is_node(p->field->child);
	case PAIR_GONE:
	case PAIR_NEW:
		if (p->step->index >= 0 || !p->field->pointer)
			compare_absence(g, p);
		else
			tell_absence(g, p);
	}
	return true;
}

int32_t compare_answers(struct compare *c, int api_key, int64_t peer, const struct answer *recorded,
			const struct answer *live, struct differences *ret)
{
	const struct schema *s = message_of_api(api_key, MESSAGE_RESPONSE)->schema;
	struct comparing g = {c, api_key, peer, ret};
	struct pairs pairs = {c->v, peer, visit, &g};
	struct holder a = {s, (void *)recorded->body, recorded->version, recorded->request},
		      b = {s, (void *)live->body, live->version, live->request};

	ret->count = ret->more = 0;
	pairs_each(&pairs, &a, &b);
	return ret->count + ret->more;
}

bool difference_related(const struct difference *a, const struct difference *b)
{
	int32_t n = a->path.len < b->path.len ? a->path.len : b->path.len;
	const struct str *longer = a->path.len < b->path.len ? &b->path : &a->path;

	if (n && memcmp(a->path.data, b->path.data, (size_t)n) != 0)
		return false;
	return longer->len == n || longer->data[n] == '.' || longer->data[n] == '[';
}

/* ---- what a user passes over ---- */

static bool named_anywhere(const struct schema *s, struct str name, int depth)
{
	if (schema_find(s, name))
		return true;
	for (uint16_t i = 0; i < s->field_count && depth < 12; i++)
		if (s->fields[i].child && named_anywhere(s->fields[i].child, name, depth + 1))
			return true;
	return false;
}

/* The nearest name of a field of any answer. */
static void nearest_anywhere(const struct schema *s, struct str name, const char **best,
			     int *distance, int depth)
{
	int d;

	for (uint16_t i = 0; i < s->field_count && depth < 12; i++) {
		d = str_distance(name, str_of(s->fields[i].name));
		if (d < *distance) {
			*distance = d;
			*best = s->fields[i].name;
		}
		if (s->fields[i].child)
			nearest_anywhere(s->fields[i].child, name, best, distance, depth + 1);
	}
}

static int ignore_name(struct str name, struct error *e)
{
	const char *best = NULL;
	int distance = 4;

	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct message *m = message_of_api(key, MESSAGE_RESPONSE);

		if (m && named_anywhere(m->schema, name, 0))
			return 0;
		if (m)
			nearest_anywhere(m->schema, name, &best, &distance, 0);
	}
	return error_set(e, ERR_USAGE, "no answer has a field " STR_FMT "%s%s%s", STR_ARG(name),
			 best ? "; did you mean " : "", best ? best : "", best ? "?" : "");
}

/* The next name of a path; [..] behind it is skipped. */
static struct str next_name(struct str *rest)
{
	struct str name = {rest->data, 0};
	int32_t at = 0;

	while (at < rest->len && rest->data[at] != '.' && rest->data[at] != '[')
		at++;
	name.len = at;
	while (at < rest->len && rest->data[at] != '.')
		at++;
	at += at < rest->len;
	*rest = (struct str){rest->data + at, rest->len - at};
	return name;
}

static int ignore_path(const char *api, const struct schema *s, struct str rest, struct buf *names,
		       struct error *e)
{
	while (rest.len) {
		struct str name = next_name(&rest);
		const struct schema_field *f = s ? schema_find(s, name) : NULL;

		if (!s)
			return error_set(e, ERR_USAGE, "%s: nothing is inside of '%.*s'", api,
					 (int)names->len, (const char *)names->data);
		if (!f) {
			f = schema_nearest(s, s->until, name);
			return error_set(
				e, ERR_USAGE, "the answer of %s has no '%.*s%s" STR_FMT "'%s%s%s",
				api, (int)names->len, (const char *)names->data,
				names->len ? "." : "", STR_ARG(name), f ? "; did you mean " : "",
				f ? f->name : "", f ? "?" : "");
		}
		if (names->len)
			buf_byte(names, '.');
		buf_text(names, f->name);
		s = f->child;
	}
	return 0;
}

static const char *nearest_api(struct str name)
{
	const char *best = NULL;
	int distance = 4, d;

	for (int key = 0; key <= API_KEY_MAX; key++) {
		if (!api_name(key))
			continue;
		d = str_distance(name, str_of(api_name(key)));
		if (d < distance) {
			distance = d;
			best = api_name(key);
		}
	}
	return best;
}

int compare_ignore(struct compare *c, struct str path, struct error *e)
{
	struct str rest = path, first = next_name(&rest);
	struct ignored *n = &c->ignored[c->ignored_count];
	const char *near;
	struct buf names;
	int rc;

	if (c->ignored_count == IGNORED_MAX)
		return error_set(e, ERR_USAGE, "at most %d fields can be ignored", IGNORED_MAX);
	if (!rest.len) {
		*n = (struct ignored){-1, arena_str(&c->arena, first)};
		rc = ignore_name(first, e);
		c->ignored_count += rc == 0;
		return rc;
	}
	n->api_key = api_find(first);
	if (n->api_key < 0) {
		near = nearest_api(first);
		return error_set(e, ERR_USAGE, "there is no API '" STR_FMT "'%s%s%s",
				 STR_ARG(first), near ? "; did you mean " : "", near ? near : "",
				 near ? "?" : "");
	}
	buf_init(&names, PATH_MAX_);
	rc = ignore_path(api_name(n->api_key), message_of_api(n->api_key, MESSAGE_RESPONSE)->schema,
			 rest, &names, e);
	if (rc == 0) {
		n->path = (struct str){arena_copy(&c->arena, names.data, names.len),
				       (int32_t)names.len};
		c->ignored_count++;
	}
	buf_release(&names);
	return rc;
}
