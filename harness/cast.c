/* One pass over the exchanges; a part is found by client id and role, a member of a group by its
 * member id. */
#include "harness/cast.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define TIMESTAMP_LATEST (-1)
#define RECORD_BYTES	 12 /* of a small record, beside its value */
#define CROWDED_LEAST	 5  /* one in so many with others in flight: they may be */
#define CALM_LEAST	 3  /* Produce requests that tell how many may be in flight */

/* When a member said last that it is there. */
struct last_beat {
	struct str member;
	int64_t us;
	UT_hash_handle hh;
};

struct casting {
	struct cast *cast;
	const struct incident *in;
	const struct about *a;
	struct last_beat *beats, *beats_room;
	struct str writers[CAST_MAX]; /* client ids that have transactions */
	size_t writers_count;
};

static struct part *part_new(struct casting *c, enum speaks speaks)
{
	struct part *p;

	if (c->cast->count == CAST_MAX) {
		c->cast->more = true;
		return NULL;
	}
	p = &c->cast->list[c->cast->count++];
	*p = (struct part){.speaks = speaks,
			   .client_id = c->a->x->header.client_id,
			   .first_us = c->a->work_us,
			   .last_us = c->a->work_us,
			   .acks = INT32_MIN,
			   .timeout_ms = -1,
			   .session_ms = -1,
			   .max_wait_ms = -1,
			   .partition_bytes = -1,
			   .fetch_bytes = -1};
	return p;
}

/* The part of that role behind the exchange's client id; NULL: none yet. */
static struct part *part_of(const struct casting *c, enum speaks speaks)
{
	for (int32_t i = 0; i < c->cast->count; i++) {
		struct part *p = &c->cast->list[i];

		if (p->speaks == speaks && str_eq(p->client_id, c->a->x->header.client_id))
			return p;
	}
	return NULL;
}

static struct part *part_for(struct casting *c, enum speaks speaks)
{
	struct part *p = part_of(c, speaks);

	return p ? p : part_new(c, speaks);
}

/* ---- writing ---- */

static bool writes_transactions(const struct casting *c, struct str client_id)
{
	for (size_t i = 0; i < c->writers_count; i++)
		if (str_eq(c->writers[i], client_id))
			return true;
	return false;
}

static void find_writers(struct casting *c)
{
	const struct session *s = c->in->session;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if ((x->header.api_key == API_END_TXN ||
		     x->header.api_key == API_ADD_PARTITIONS_TO_TXN) &&
		    c->writers_count < CAST_MAX && !writes_transactions(c, x->header.client_id))
			c->writers[c->writers_count++] = x->header.client_id;
	}
}

static void take_batches(struct part *p, const struct records *r)
{
	struct records_reader reader;
	struct batch b;

	records_reader_init(&reader, r->data, r->data ? (size_t)r->len : 0);
	while (records_next(&reader, &b, NULL) > 0) {
		p->calm_records += !p->hurt && b.records_count > 0 ? b.records_count : 0;
		p->idempotent |= b.producer_id >= 0;
		p->codec = b.codec ? b.codec : p->codec;
		if (!b.codec && b.magic == 2 && b.records_count > 0 &&
		    b.content.len / b.records_count - RECORD_BYTES > p->value_bytes)
			p->value_bytes = b.content.len / b.records_count - RECORD_BYTES;
		if (b.raw.len > p->batch_bytes)
			p->batch_bytes = b.raw.len;
	}
}

static int32_t open_now(const struct about *a)
{
	const struct session_conn *c = a->x->conn;
	int32_t n = 1;

	for (size_t i = a->x->index_in_conn; i > 0; i--) {
		const struct session_exchange *x = c->exchanges[i - 1];

		if (x->state == EXCHANGE_ANSWERED && x->response_us <= a->x->request_us)
			break; /* answers come in order */
		n += x->header.api_key == API_PRODUCE && x->state != EXCHANGE_NO_ANSWER;
	}
	return n;
}

static void take_produce(struct casting *c)
{
	const struct produce_request *q = c->a->x->request_body;
	bool txn = q->transactional_id.data || writes_transactions(c, c->a->x->header.client_id);
	struct part *p = part_for(c, txn ? SPEAKS_TRANSACTIONAL : SPEAKS_PRODUCER);
	int32_t open = open_now(c->a);

	if (!p)
		return;
	p->requests++;
	p->last_us = c->a->work_us;
	p->acks = q->acks;
	p->timeout_ms = q->timeout_ms;
	p->txn = q->transactional_id.data ? q->transactional_id : p->txn;
	/* As it is configured shows before anything goes wrong; then it may be the client that is
	 * wrong. A capture may have a packet or two in another order than they came. */
	if (!p->hurt || p->requests <= CALM_LEAST) {
		p->calm_requests++;
		p->crowded += open > 1;
		p->most = open > p->most ? open : p->most;
		p->in_flight = p->crowded * CROWDED_LEAST > p->calm_requests ? p->most : 1;
	}
	if (p->idempotent && open > 1)
		p->in_flight = open; /* which is right for it in any case */
	p->hurt |= c->a->fault != NULL;
	if (!p->wrote_us)
		p->wrote_us = c->a->x->request_us;
	p->calm_us = p->hurt ? p->calm_us : c->a->x->request_us - p->wrote_us;
	for (int32_t i = 0; i < q->topic_data_count; i++) {
		struct str topic = q->topic_data[i].name.len
					   ? q->topic_data[i].name
					   : names_find(c->in->names, q->topic_data[i].topic_id);

		p->topic = p->topic.data ? p->topic : topic;
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			take_batches(p, &q->topic_data[i].partition_data[k].records);
	}
}

static void take_end(struct casting *c)
{
	const struct end_txn_request *q = c->a->x->request_body;
	struct part *p = part_for(c, SPEAKS_TRANSACTIONAL);

	if (!p)
		return;
	p->txn = q->transactional_id;
	p->ends++;
	p->aborts += !q->committed;
}

static int64_t landed_in(const struct part *p, const struct seen_batch *list, size_t count)
{
	int64_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].produced && !list[i].control &&
		    str_eq(list[i].produced->header.client_id, p->client_id))
			n += list[i].records;
	return n;
}

static int64_t landed(const struct incident *in, const struct part *p)
{
	const struct seen_topic *t = p->topic.data ? seen_topic(in->seen, p->topic) : NULL;
	int64_t n = 0;

	for (int32_t i = 0; t && i < t->partitions_count; i++)
		n += landed_in(p, t->partitions[i].batches, t->partitions[i].batches_count) +
		     landed_in(p, t->partitions[i].anew, t->partitions[i].anew_count);
	return n;
}

static int64_t records_in(const struct records *r)
{
	struct records_reader reader;
	struct batch b;
	int64_t n = 0;

	records_reader_init(&reader, r->data, r->data ? (size_t)r->len : 0);
	while (records_next(&reader, &b, NULL) > 0)
		n += b.records_count > 0 ? b.records_count : 0;
	return n;
}

/* Without answers (acks 0) nobody told where; then what was sent counts. */
static int64_t sent(const struct incident *in, const struct part *p)
{
	int64_t n = 0;

	for (size_t i = 0; i < in->count; i++) {
		const struct produce_request *q = in->list[i].x->request_body;

		if (in->list[i].x->header.api_key != API_PRODUCE || !q ||
		    !str_eq(in->list[i].x->header.client_id, p->client_id))
			continue;
		for (int32_t k = 0; k < q->topic_data_count; k++)
			for (int32_t m = 0; m < q->topic_data[k].partition_data_count; m++)
				n += records_in(&q->topic_data[k].partition_data[m].records);
	}
	return n;
}

/* ---- reading ---- */

/* The member; one that comes after another is gone is the same program. */
static struct part *member_of(struct casting *c, struct str group, struct str member)
{
	struct part *free_one = NULL;

	for (int32_t i = 0; i < c->cast->count; i++) {
		struct part *p = &c->cast->list[i];

		if (p->speaks != SPEAKS_CONSUMER ||
		    !str_eq(p->client_id, c->a->x->header.client_id))
			continue;
		if (p->group.data && str_eq(p->group, group) && p->member.data &&
		    str_eq(p->member, member))
			return p;
		if (!p->group.data || (str_eq(p->group, group) && !p->member.data))
			free_one = p; /* it only read, or is joining, so far */
	}
	return free_one;
}

static void find_beats(struct casting *c)
{
	struct last_beat *b;

	c->beats_room = calloc(c->in->count + 1, sizeof(*c->beats_room));
	if (!c->beats_room)
		abort();
	for (size_t i = 0; i < c->in->count; i++) {
		const struct about *a = &c->in->list[i];
		const struct heartbeat_request *h =
			a->x->header.api_key == API_HEARTBEAT ? a->x->request_body : NULL;

		if (!h || !h->member_id.len)
			continue;
		HASH_FIND(hh, c->beats, h->member_id.data, (unsigned)h->member_id.len, b);
		if (!b) {
			b = &c->beats_room[i];
			b->member = h->member_id;
			HASH_ADD_KEYPTR(hh, c->beats, b->member.data, (unsigned)b->member.len, b);
		}
		b->us = a->work_us > b->us ? a->work_us : b->us;
	}
}

/* Whether a member still is to say so. */
static bool beats_later(const struct casting *c, struct str member)
{
	struct last_beat *b = NULL;

	if (member.len)
		HASH_FIND(hh, c->beats, member.data, (unsigned)member.len, b);
	return b && b->us >= c->a->work_us;
}

/* Members whose ids are told by answers, and members that come back under a new one. */
static struct part *member_for(struct casting *c, struct str group, struct str member)
{
	struct part *p = member_of(c, group, member);

	for (int32_t i = 0; i < c->cast->count && !p; i++) {
		struct part *q = &c->cast->list[i];
		bool same = q->speaks == SPEAKS_CONSUMER && q->group.data &&
			    str_eq(q->group, group) &&
			    str_eq(q->client_id, c->a->x->header.client_id);

		if (same && !beats_later(c, q->member) && (q->left || q->last_us <= c->a->work_us))
			p = q;
	}
	p = p ? p : part_new(c, SPEAKS_CONSUMER);
	if (!p)
		return NULL;
	p->group = group;
	p->member = member;
	p->left = false;
	return p;
}

static void take_join(struct casting *c)
{
	const struct join_group_request *q = c->a->x->request_body;
	const struct join_group_response *m = c->a->x->response_body;
	struct str member = m && m->member_id.len ? m->member_id : q->member_id;
	struct part *p;

	if (!member.len)
		return;
	p = member_for(c, q->group_id, member);
	if (!p)
		return;
	p->session_ms = q->session_timeout_ms;
	p->instance = q->group_instance_id;
	p->last_us = c->a->work_us;
}

static void take_member_beat(struct casting *c)
{
	const struct consumer_group_heartbeat_request *q = c->a->x->request_body;
	const struct consumer_group_heartbeat_response *m = c->a->x->response_body;
	struct str member = q->member_id.len || !m ? q->member_id : m->member_id;
	struct part *p = member.len ? member_for(c, q->group_id, member) : NULL;

	if (!p)
		return;
	p->kip848 = true;
	p->instance = q->instance_id;
	p->left = q->member_epoch < 0;
	p->last_us = c->a->work_us;
}

static void take_heartbeat(struct casting *c)
{
	const struct heartbeat_request *q = c->a->x->request_body;
	struct part *p = member_of(c, q->group_id, q->member_id);
	int64_t since = p ? c->a->work_us - p->last_beat_us : 0;

	if (!p || !p->member.data)
		return;
	if (p->last_beat_us && (!p->beat_us || since < p->beat_us) && since > 10000)
		p->beat_us = since;
	p->last_beat_us = c->a->work_us;
	p->last_us = c->a->work_us;
}

static void take_leave(struct casting *c)
{
	const struct leave_group_request *q = c->a->x->request_body;
	struct str member = q->members_count > 0 ? q->members[0].member_id : q->member_id;
	struct part *p = member_of(c, q->group_id, member);

	if (!p || !p->member.data)
		return;
	p->left = true;
	p->last_us = c->a->work_us;
}

/* Which of the members a Fetch is of, nobody says: what holds for one holds for all. */
static void take_fetch(struct casting *c)
{
	const struct fetch_request *q = c->a->x->request_body;
	struct part *p = part_of(c, SPEAKS_TRANSACTIONAL);

	if (p || (q->replica_id >= 0 && c->a->x->header.api_version < 15))
		return; /* what it reads it writes on; or it is a broker */
	part_for(c, SPEAKS_CONSUMER);
	for (int32_t i = 0; i < c->cast->count; i++) {
		p = &c->cast->list[i];
		if (p->speaks != SPEAKS_CONSUMER ||
		    !str_eq(p->client_id, c->a->x->header.client_id))
			continue;
		p->max_wait_ms = q->max_wait_ms;
		p->fetch_bytes = q->max_bytes;
		p->committed_only |= q->isolation_level == 1;
		if (q->topics_count > 0 && q->topics[0].partitions_count > 0)
			p->partition_bytes = q->topics[0].partitions[0].partition_max_bytes;
		if (!p->topic.data && c->a->partitions_count)
			p->topic = c->a->partitions[0].topic;
	}
}

static void take_list(struct casting *c)
{
	const struct list_offsets_request *q = c->a->x->request_body;
	struct part *p = part_of(c, SPEAKS_CONSUMER);

	for (int32_t i = 0; p && i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			p->from_latest |=
				q->topics[i].partitions[k].timestamp == TIMESTAMP_LATEST &&
				!p->max_wait_ms;
}

static void take_txn_offsets(struct casting *c)
{
	const struct txn_offset_commit_request *q = c->a->x->request_body;
	struct part *p = part_for(c, SPEAKS_TRANSACTIONAL);

	if (p)
		p->group = q->group_id;
}

static void (*const takers[API_KEY_MAX + 1])(struct casting *c) = {
	[API_PRODUCE] = take_produce,
	[API_END_TXN] = take_end,
	[API_FETCH] = take_fetch,
	[API_LIST_OFFSETS] = take_list,
	[API_JOIN_GROUP] = take_join,
	[API_HEARTBEAT] = take_heartbeat,
	[API_LEAVE_GROUP] = take_leave,
	[API_CONSUMER_GROUP_HEARTBEAT] = take_member_beat,
	[API_TXN_OFFSET_COMMIT] = take_txn_offsets,
};

/* ---- names ---- */

static bool is_taken(const struct cast *c, const struct part *p)
{
	for (int32_t i = 0; i < c->count; i++)
		if (&c->list[i] != p && !strcmp(c->list[i].name, p->name))
			return true;
	return false;
}

static void name_parts(struct cast *c)
{
	static const char letters[] = {'p', 'c', 'x'};
	int32_t numbers[3] = {0};

	for (int32_t i = 0; i < c->count; i++) {
		struct part *p = &c->list[i];
		struct str base =
			incident_is_word(p->client_id) && p->client_id.len < CAST_NAME_MAX - 20
				? p->client_id
				: str_of(speaks_role(p->speaks));

		snprintf(p->word, sizeof(p->word), "%c%d", letters[p->speaks],
			 ++numbers[p->speaks]);
		snprintf(p->name, sizeof(p->name), STR_FMT, STR_ARG(base));
		for (int n = 2; is_taken(c, p); n++)
			snprintf(p->name, sizeof(p->name), STR_FMT "-%d", STR_ARG(base), n);
	}
	for (int32_t i = 0; i < c->count; i++)
		if (numbers[c->list[i].speaks] == 1)
			c->list[i].word[1] = '\0';
}

/* Who was refused before it read: of what it wanted, the first topic that is there. */
static void find_topics(struct cast *c, const struct incident *in)
{
	for (int32_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < in->seen->topics_count && !c->list[i].topic.data; k++)
			if (in->seen->topics[k].partitions_count &&
			    !in->seen->topics[k].is_internal)
				c->list[i].topic = in->seen->topics[k].name;
}

/* What came after a reader had left, or went on, needs that it had: another reader of its topic, or
 * whoever does not write for it. */
static bool shows_that_it_left(const struct part *q, const struct part *p)
{
	bool same = p->topic.data && q->topic.data && str_eq(q->topic, p->topic);

	if (q == p || !q->played)
		return false;
	if (q->speaks == SPEAKS_CONSUMER && same && q->last_us - p->last_us > CAST_GAP_US)
		return true;
	return q->first_us >= p->last_us && (q->speaks == SPEAKS_CONSUMER || !same);
}

/* Of a reader that was the last one nobody can tell whether it had to end. */
static void find_early(struct cast *c)
{
	for (int32_t i = 0; i < c->count; i++) {
		struct part *p = &c->list[i];
		bool shown = false;

		for (int32_t k = 0; k < c->count; k++)
			shown |= shows_that_it_left(&c->list[k], p);
		p->early = p->left && shown && p->speaks == SPEAKS_CONSUMER;
	}
}

void cast_find(struct cast *c, const struct incident *in)
{
	struct casting w = {.cast = c, .in = in};

	*c = (struct cast){.list = calloc(CAST_MAX, sizeof(*c->list))};
	if (!c->list)
		abort();
	find_writers(&w);
	find_beats(&w);
	for (size_t i = 0; i < in->count; i++) {
		int key = in->list[i].x->header.api_key;

		w.a = &in->list[i];
		if (!w.a->x->request_body || key < 0 || key > API_KEY_MAX || !takers[key])
			continue;
		takers[key](&w);
	}
	HASH_CLEAR(hh, w.beats);
	free(w.beats_room);
	for (int32_t i = 0; i < c->count; i++) {
		struct part *p = &c->list[i];

		p->records = landed(in, p);
		p->records = p->acks ? p->records : sent(in, p);
	}
	find_topics(c, in);
	name_parts(c);
	for (int32_t i = 0; i < c->count; i++) {
		struct part *p = &c->list[i];

		p->played = incident_has_topic(in, p->topic) &&
			    (p->speaks != SPEAKS_TRANSACTIONAL || p->txn.data);
		c->played += p->played;
	}
	find_early(c);
	cast_find_ends(c, in);
}

bool cast_has_client(const struct cast *c, struct str id)
{
	for (int32_t i = 0; i < c->count; i++)
		if (c->list[i].played && str_is(id, c->list[i].name))
			return true;
	return !c->played;
}

bool cast_has_group(const struct cast *c, struct str group)
{
	for (int32_t i = 0; i < c->count; i++)
		if (c->list[i].played && c->list[i].group.data && str_eq(c->list[i].group, group))
			return true;
	return !c->played;
}

void cast_release(struct cast *c)
{
	free(c->list);
}
