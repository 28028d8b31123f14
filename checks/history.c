/* The history of a run. Copies what it keeps into one arena with a limit; past it, `full` is set
 * and whoever judges says "inconclusive". Records of a partition stand in the order of their
 * offsets: what a truncation takes away moves to `removed`. Values are looked up by hash, so that a
 * million records cost no more than their reading. Judging is left to the checks. */
#include "checks/history.h"

#include "checks/hash.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define HISTORY_SCRATCH_MAX ((size_t)64 << 20)

/* Room for one more element of a growing array; all are plain memory. */
#define GROW(array, count, cap) ((array) = grow((array), (count), &(cap), sizeof(*(array))))

static void *grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	array = realloc(array, *cap * size);
	if (!array)
		abort();
	return array;
}

struct history *history_new(void)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	arena_init(&h->arena, HISTORY_SIZE_MAX);
	buf_init(&h->scratch, HISTORY_SCRATCH_MAX);
	return h;
}

static void free_partitions(struct history *h)
{
	struct history_partition *p, *next;

	HASH_CLEAR(hh, h->partitions_by_key);
	for (p = h->partitions; p; p = next) {
		next = p->next;
		free(p->records);
		free(p->removed);
		free(p);
	}
}

void history_free(struct history *h)
{
	struct history_subject *s, *next;

	if (!h)
		return;
	free_partitions(h);
	for (s = h->subjects; s; s = next) {
		next = s->next;
		HASH_CLEAR(hh, s->by_value);
		free(s->sends);
		free(s->reads);
		free(s->owned);
		free(s->commits);
		free(s->txns);
		free(s);
	}
	HASH_CLEAR(hh, h->asked);
	if (h->batches)
		batches_release(h->batches);
	free(h->batches);
	free(h->faults);
	free(h->resets);
	clusters_release(&h->clusters);
	topic_names_release(&h->topics);
	buf_release(&h->scratch);
	arena_release(&h->arena);
	free(h);
}

void history_keep_batches(struct history *h)
{
	if (h->batches)
		return;
	h->batches = calloc(1, sizeof(*h->batches));
	if (!h->batches)
		abort();
	batches_init(h->batches);
}

static struct str keep(struct history *h, struct str s)
{
	struct str copy = s.data ? arena_str(&h->arena, s) : s;

	if (s.data && !copy.data)
		h->full = true;
	return copy;
}

static struct str keep_bytes(struct history *h, struct bytes b)
{
	return keep(h, (struct str){(const char *)b.data, b.len});
}

int64_t history_value_number(struct str value)
{
	int64_t n = 0;
	int32_t at = value.len;

	while (at > 0 && value.data[at - 1] >= '0' && value.data[at - 1] <= '9')
		at--;
	if (!value.data || at == value.len || value.len - at > 18 ||
	    (at > 0 && value.data[at - 1] != '.'))
		return -1;
	for (; at < value.len; at++)
		n = n * 10 + (value.data[at] - '0');
	return n;
}

/* "topic\0suffix" in the scratch buffer: a key of the hashes. */
static struct bytes make_key(struct history *h, struct str topic, const void *suffix,
			     size_t suffix_len)
{
	buf_reset(&h->scratch);
	buf_add(&h->scratch, topic.data ? topic.data : "", (size_t)(topic.data ? topic.len : 0));
	buf_byte(&h->scratch, 0);
	buf_add(&h->scratch, suffix, suffix_len);
	return (struct bytes){h->scratch.data, (int32_t)h->scratch.len};
}

/* ---- logs ---- */

struct history_partition *history_partition(struct history *h, struct str topic, int32_t partition)
{
	struct bytes key = make_key(h, topic, &partition, sizeof(partition));
	struct history_partition *p;

	HASH_FIND(hh, h->partitions_by_key, key.data, (unsigned)key.len, p);
	return p;
}

static struct history_partition *partition_of(struct history *h, const struct event_log *log)
{
	struct history_partition *older = history_partition(h, log->topic, log->partition), *p;
	struct history_partition **last = &h->partitions;
	struct str key;

	if (older && (uuid_eq(older->topic_id, log->topic_id) || uuid_is_zero(log->topic_id)))
		return older;
	key = keep_bytes(h, make_key(h, log->topic, &log->partition, sizeof(log->partition)));
	if (!key.data)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->topic = (struct str){key.data, log->topic.len};
	p->topic_id = log->topic_id;
	p->partition = log->partition;
	p->older = older;
	if (older) {
		HASH_DELETE(hh, h->partitions_by_key, older);
		older->replaced = true;
	}
	HASH_ADD_KEYPTR(hh, h->partitions_by_key, key.data, (unsigned)key.len, p);
	while (*last)
		last = &(*last)->next;
	*last = p;
	return p;
}

size_t history_record_from(const struct history_partition *p, int64_t offset)
{
	size_t low = 0, high = p->records_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->records[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct history_record *history_record(const struct history_partition *p, int64_t offset)
{
	size_t at = history_record_from(p, offset);

	return at < p->records_count && p->records[at].offset == offset ? &p->records[at] : NULL;
}

/* A marker ends its producer's open transaction: all its records since the last marker. */
static void end_transaction(struct history_partition *p, int64_t producer_id, bool commit,
			    int64_t time_us)
{
	for (size_t i = p->records_count; i-- > 0;) {
		struct history_record *r = &p->records[i];

		if (r->producer_id != producer_id)
			continue;
		if (r->control)
			return;
		if (r->txn != TXN_OPEN)
			continue;
		r->txn = commit ? TXN_COMMITTED : TXN_ABORTED;
		r->ended_us = time_us;
	}
}

static void add_record(struct history *h, struct history_partition *p,
		       const struct history_record *like, const struct record *record)
{
	struct history_record *r;

	GROW(p->records, p->records_count, p->records_cap);
	r = &p->records[p->records_count++];
	*r = *like;
	r->offset = record->offset;
	r->sequence = record->sequence;
	r->key = keep_bytes(h, record->key);
	r->value = keep_bytes(h, record->value);
}

static void append(struct history *h, struct history_partition *p, const struct event_log *log,
		   int64_t time_us)
{
	struct history_record like = {.time_us = time_us,
				      .conn = log->conn,
				      .correlation_id = log->correlation_id,
				      .leader_epoch = log->leader_epoch};
	struct control_record control;
	struct record_iter it;
	struct record record;
	struct batch batch;
	int rc;

	if (batch_read(log->batch.data, (size_t)log->batch.len, &batch, NULL) < 0 ||
	    !batch_crc_ok(&batch) || record_iter_init(&it, &batch, &h->scratch, NULL) < 0) {
		h->unreadable++; /* nobody is to be given any of it */
		if (p->holes_count < HISTORY_HOLES_MAX)
			p->holes[p->holes_count++] =
				(struct history_hole){log->base_offset, log->next_offset};
		return;
	}
	like.producer_id = batch.producer_id;
	like.producer_epoch = batch.producer_epoch;
	like.control = batch.control;
	like.txn = batch.transactional && !batch.control ? TXN_OPEN : TXN_NONE;
	while ((rc = record_next(&it, &record, NULL)) > 0) {
		if (batch.control && !control_record_read(&record, &control, NULL) &&
		    control.type <= CONTROL_COMMIT)
			end_transaction(p, batch.producer_id, control.type == CONTROL_COMMIT,
					time_us);
		add_record(h, p, &like, &record);
	}
	if (rc < 0)
		h->unreadable++;
}

bool history_cut_between(const struct history_partition *p, int64_t offset, int64_t from_us,
			 int64_t to_us)
{
	for (int32_t i = 0; i < p->cuts_count; i++)
		if (p->cuts[i].end <= offset && p->cuts[i].time_us >= from_us &&
		    p->cuts[i].time_us <= to_us)
			return true;
	return false;
}

bool history_held(const struct history_partition *p, int64_t offset, struct str value)
{
	const struct history_record *r = history_record(p, offset);

	if (r && str_eq(r->value, value))
		return true;
	for (size_t i = 0; i < p->removed_count; i++)
		if (p->removed[i].offset == offset && str_eq(p->removed[i].value, value))
			return true;
	return p->older && history_held(p->older, offset, value);
}

static void truncate_to(struct history_partition *p, int64_t end, int64_t time_us)
{
	if (p->cuts_count < HISTORY_CUTS_MAX)
		p->cuts[p->cuts_count++] = (struct history_cut){time_us, end};
	while (p->records_count && p->records[p->records_count - 1].offset >= end) {
		GROW(p->removed, p->removed_count, p->removed_cap);
		p->removed[p->removed_count] = p->records[--p->records_count];
		p->removed[p->removed_count++].state = RECORD_TRUNCATED;
	}
	p->end = end;
}

static void set_state(struct history_partition *p, int64_t from, int64_t to,
		      enum record_state state)
{
	for (size_t i = history_record_from(p, from);
	     i < p->records_count && p->records[i].offset < to; i++)
		p->records[i].state = state;
}

/* Compaction: of the offsets that the event covers, only those that the batch still has stay. */
static void compact(struct history *h, struct history_partition *p, const struct event_log *log)
{
	struct history_record *r;
	struct record_iter it;
	struct record record;
	struct batch batch;

	set_state(p, log->base_offset, log->next_offset, RECORD_COMPACTED);
	if (!log->batch.data ||
	    batch_read(log->batch.data, (size_t)log->batch.len, &batch, NULL) < 0 ||
	    record_iter_init(&it, &batch, &h->scratch, NULL) < 0)
		return;
	while (record_next(&it, &record, NULL) > 0) {
		r = history_record(p, record.offset);
		if (r)
			r->state = RECORD_LIVE;
	}
}

static void feed_log(struct history *h, const struct event_log *log, int64_t time_us)
{
	struct history_partition *p = partition_of(h, log);

	h->log_events++;
	if (!p)
		return;
	switch (log->what) {
	case LOG_APPENDED:
		append(h, p, log, time_us);
		p->end = log->next_offset;
		break;
	case LOG_TRUNCATED:
		truncate_to(p, log->next_offset, time_us);
		break;
	case LOG_START_MOVED:
		p->start = log->base_offset;
		set_state(p, 0, log->base_offset, RECORD_EXPIRED);
		break;
	case LOG_COMPACTED:
		compact(h, p, log);
		break;
	}
}

/* ---- subjects ---- */

struct history_subject *history_subject(struct history *h, struct str name)
{
	struct history_subject *s = h->subjects;

	while (s && !str_eq(s->name, name))
		s = s->next;
	return s;
}

static struct history_subject *subject_of(struct history *h, struct str name)
{
	struct history_subject *s = history_subject(h, name), **last = &h->subjects;

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->name = keep(h, name);
	while (*last)
		last = &(*last)->next;
	*last = s;
	return s;
}

static struct history_send *find_send(struct history *h, struct history_subject *s,
				      const struct report *r)
{
	struct bytes key = make_key(h, r->topic, r->value.data ? r->value.data : "",
				    (size_t)(r->value.data ? r->value.len : 0));
	struct history_send *send;
	struct str own;

	HASH_FIND(hh, s->by_value, key.data, (unsigned)key.len, send);
	if (send)
		return send;
	send = arena_zalloc(&h->arena, sizeof(*send));
	own = keep_bytes(h, key);
	if (!send || !own.data) {
		h->full = true;
		return NULL;
	}
	send->topic = (struct str){own.data, r->topic.data ? r->topic.len : 0};
	send->value = (struct str){own.data + send->topic.len + 1, own.len - send->topic.len - 1};
	send->key = keep(h, r->key);
	send->number = history_value_number(send->value);
	send->partition = -1;
	send->offset = -1;
	send->txn = -1;
	HASH_ADD_KEYPTR(hh, s->by_value, own.data, (unsigned)own.len, send);
	GROW(s->sends, s->sends_count, s->sends_cap);
	send->index = s->sends_count;
	s->sends[s->sends_count++] = send;
	return send;
}

struct history_send *history_send(struct history_subject *s, struct str topic, struct str value)
{
	char small[512], *key = small;
	struct history_send *send = NULL;
	size_t len = (size_t)topic.len + 1 + (size_t)value.len;

	if (!topic.data || !value.data)
		return NULL;
	if (len > sizeof(small) && !(key = malloc(len)))
		abort();
	memcpy(key, topic.data, (size_t)topic.len);
	key[topic.len] = '\0';
	memcpy(key + topic.len + 1, value.data, (size_t)value.len);
	HASH_FIND(hh, s->by_value, key, (unsigned)len, send);
	if (key != small)
		free(key);
	return send;
}

static void feed_send(struct history *h, struct history_subject *s, const struct report *r,
		      int64_t time_us)
{
	struct history_send *send = find_send(h, s, r);

	if (!send)
		return;
	if (r->partition >= 0)
		send->partition = r->partition;
	if (r->kind == REPORT_SEND_ATTEMPT) {
		send->attempt_us = time_us;
		send->txn = (int32_t)s->txns_count - 1;
		return;
	}
	send->end_us = time_us;
	if (!send->attempt_us) /* who does not tell attempts sends in the open transaction */
		send->txn = (int32_t)s->txns_count - 1;
	if (r->kind == REPORT_SEND_SUCCESS) {
		send->state = SEND_ACKED;
		send->acks++;
		send->offset = r->offset;
	} else if (send->state != SEND_ACKED) {
		send->state = SEND_FAILED;
		send->why = keep(h, r->exception.data ? r->exception : r->message);
	}
}

/* A transaction begins, or the last one has ended. */
static void feed_transaction(struct history_subject *s, struct str state)
{
	if (str_is(state, "begun")) {
		GROW(s->txns, s->txns_count, s->txns_cap);
		s->txns[s->txns_count++] = TXN_OPEN;
	} else if (s->txns_count) {
		s->txns[s->txns_count - 1] = str_is(state, "committed") ? TXN_COMMITTED
					     : str_is(state, "aborted") ? TXN_ABORTED
									: TXN_OPEN;
	}
}

static int32_t assignments_before(const struct history_subject *s, struct str topic,
				  int32_t partition)
{
	int32_t n = s->lives;

	for (size_t i = 0; i < s->owned_count; i++)
		n += s->owned[i].how == OWNED_ASSIGNED && s->owned[i].partition == partition &&
		     str_eq(s->owned[i].topic, topic);
	return n;
}

static void feed_read(struct history *h, struct history_subject *s, const struct report *r,
		      int64_t time_us)
{
	struct history_read *last = s->reads_count ? &s->reads[s->reads_count - 1] : NULL, *read;
	bool same = last && str_eq(last->topic, r->topic);
	struct str topic = same ? last->topic : keep(h, r->topic);

	GROW(s->reads, s->reads_count, s->reads_cap);
	read = &s->reads[s->reads_count++];
	*read = (struct history_read){.topic = topic,
				      .value = keep(h, r->value),
				      .key = keep(h, r->key),
				      .partition = r->partition,
				      .offset = r->offset,
				      .time_us = time_us,
				      .poll = s->polls};
	read->assignment = assignments_before(s, topic, r->partition);
	read->txn =
		(int32_t)s->txns_count - (s->txns_count && s->txns[s->txns_count - 1] == TXN_OPEN);
}

static void feed_owned(struct history *h, struct history_subject *s, const struct report *r,
		       int64_t time_us)
{
	enum owned_how how = r->kind == REPORT_ASSIGNED	 ? OWNED_ASSIGNED
			     : r->kind == REPORT_REVOKED ? OWNED_REVOKED
							 : OWNED_LOST;

	for (int32_t i = 0; i < r->parts_count; i++) {
		GROW(s->owned, s->owned_count, s->owned_cap);
		s->owned[s->owned_count++] =
			(struct history_owned){.topic = keep(h, r->parts[i].topic),
					       .partition = r->parts[i].partition,
					       .time_us = time_us,
					       .how = how};
	}
}

static void feed_commit(struct history *h, struct history_subject *s, const struct report *r,
			int64_t time_us)
{
	for (int32_t i = 0; i < r->parts_count; i++) {
		GROW(s->commits, s->commits_count, s->commits_cap);
		s->commits[s->commits_count++] =
			(struct history_commit){.topic = keep(h, r->parts[i].topic),
						.error = keep(h, r->parts[i].error),
						.partition = r->parts[i].partition,
						.offset = r->parts[i].offset,
						.time_us = time_us,
						.success = r->success && !r->parts[i].error.data};
	}
}

static void feed_report(struct history *h, const struct event_report *ev, int64_t time_us)
{
	struct history_subject *s = subject_of(h, ev->subject);
	struct report r;

	if (!report_read(ev->line, &r))
		return;
	h->report_events++;
	s->lines++;
	switch (r.kind) {
	case REPORT_SEND_ATTEMPT:
	case REPORT_SEND_SUCCESS:
	case REPORT_SEND_ERROR:
		feed_send(h, s, &r, time_us);
		break;
	case REPORT_RECORD:
		feed_read(h, s, &r, time_us);
		break;
	case REPORT_TRANSACTION:
		feed_transaction(s, r.state);
		break;
	case REPORT_STARTUP:
		s->lives++;
		s->ended = false;
		break;
	case REPORT_SHUTDOWN:
		s->ended = true;
		break;
	case REPORT_CONSUMED:
		s->polls++;
		break;
	case REPORT_ASSIGNED:
	case REPORT_REVOKED:
	case REPORT_LOST:
		feed_owned(h, s, &r, time_us);
		break;
	case REPORT_COMMITTED:
		feed_commit(h, s, &r, time_us);
		break;
	default:
		break;
	}
	report_release(&r);
}

/* ---- positions that are gone ---- */

struct str history_topic(const struct history *h, struct str name, struct uuid id)
{
	const struct history_partition *p = h->partitions;

	if (!name.len && !uuid_is_zero(id))
		name = topic_names_find(&h->topics, id);
	while (!name.len && p && !uuid_eq(p->topic_id, id))
		p = p->next;
	return name.len || !p ? name : p->topic;
}

static void add_reset(struct history *h, const struct exchange *x, struct history_reset reset)
{
	if (h->resets_count == HISTORY_RESETS_MAX || !reset.topic.len)
		return;
	reset.client = keep(h, x->header.client_id);
	reset.topic = keep(h, reset.topic);
	reset.time_us = x->response_us;
	GROW(h->resets, h->resets_count, h->resets_cap);
	h->resets[h->resets_count++] = reset;
}

static struct history_asked *asked_of(struct history *h, int32_t session, struct str topic,
				      struct uuid id, int32_t partition, bool add)
{
	struct history_asked like, *a;

	memset(&like, 0, sizeof(like));
	like.key.session = session;
	like.key.partition = partition;
	like.key.topic = hash_topic(topic, id);
	HASH_FIND(hh, h->asked, &like.key, sizeof(like.key), a);
	if (a || !add || !(a = arena_zalloc(&h->arena, sizeof(*a))))
		return a;
	a->key = like.key;
	HASH_ADD(hh, h->asked, key, sizeof(a->key), a);
	return a;
}

/* Remembers what a request asks for, under its session (0 of a request without one). */
static void note_asked(struct history *h, const struct fetch_request *q, int32_t session)
{
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++) {
			struct history_asked *a =
				asked_of(h, session, q->topics[i].topic, q->topics[i].topic_id,
					 q->topics[i].partitions[k].partition, true);

			if (a)
				a->offset = q->topics[i].partitions[k].fetch_offset;
		}
}

static void feed_fetch(struct history *h, struct exchange *x)
{
	const struct fetch_response *r = exchange_response(x);
	const struct fetch_request *q = r ? exchange_request(x) : NULL;

	if (!q)
		return;
	note_asked(h, q, r->session_id);
	for (int32_t i = 0; i < r->responses_count; i++) {
		const struct fetch_response_responses *t = &r->responses[i];

		for (int32_t k = 0; k < t->partitions_count; k++) {
			int32_t partition = t->partitions[k].partition_index;
			const struct history_asked *a;

			if (t->partitions[k].error_code != ERROR_OFFSET_OUT_OF_RANGE)
				continue;
			a = asked_of(h, r->session_id, t->topic, t->topic_id, partition, false);
			add_reset(h, x,
				  (struct history_reset){
					  .topic = history_topic(h, t->topic, t->topic_id),
					  .partition = partition,
					  .position = a ? a->offset : -1});
		}
	}
}

static void feed_epoch_ends(struct history *h, struct exchange *x)
{
	const struct offset_for_leader_epoch_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->topics_count; i++)
		for (int32_t k = 0; k < r->topics[i].partitions_count; k++)
			if (!r->topics[i].partitions[k].error_code)
				add_reset(h, x,
					  (struct history_reset){
						  .topic = r->topics[i].topic,
						  .partition = r->topics[i].partitions[k].partition,
						  .position = r->topics[i].partitions[k].end_offset,
						  .offset = r->topics[i].partitions[k].end_offset});
}

/* A position beyond the log's end is the client's own doing, whatever the broker says to it. */
static bool is_own_doing(const struct history_partition *p, const struct history_reset *r)
{
	return p && r->position > p->end;
}

const struct history_reset *history_reset_next(struct history *h, struct str client,
					       struct str topic, int32_t partition,
					       int64_t until_us, size_t *at)
{
	const struct history_partition *p = history_partition(h, topic, partition);

	while (*at < h->resets_count) {
		const struct history_reset *r = &h->resets[(*at)++];

		if (r->partition == partition && r->time_us <= until_us &&
		    str_eq(r->topic, topic) && str_eq(r->client, client) && !is_own_doing(p, r))
			return r;
	}
	return NULL;
}

uint64_t history_cluster(const struct history *h, const struct event_conn *conn)
{
	return h->of_a_run ? 0 : clusters_of(&h->clusters, conn);
}

/* ---- faults ---- */

static void add_fault(struct history *h, int64_t time_us, const char *text)
{
	if (h->faults_count == HISTORY_FAULTS_MAX)
		return;
	GROW(h->faults, h->faults_count, h->faults_cap);
	h->faults[h->faults_count++] = (struct history_fault){time_us, str_of(text ? text : "")};
}

static void feed_rule(struct history *h, const struct event *ev)
{
	const struct event_rule *r = &ev->rule;
	const char *api = api_name(r->api_key);

	add_fault(h, ev->time_us,
		  arena_printf(&h->arena,
			       "rule " STR_FMT " " STR_FMT
			       " (hit %llu) on %s, connection %lld correlation %d",
			       STR_ARG(r->name), STR_ARG(r->what), (unsigned long long)r->hit,
			       api ? api : "?", (long long)r->conn, r->correlation_id));
}

static void feed_closed(struct history *h, const struct event *ev)
{
	static const char *const how[] = {"by the client", "by the broker",
					  "with a reset by the client",
					  "with a reset by the broker", "by the end of the input"};

	if (ev->conn.how == CLOSE_BY_CLIENT || ev->conn.how == CLOSE_END_OF_INPUT)
		return;
	add_fault(h, ev->time_us,
		  arena_printf(&h->arena, "connection %lld to broker %d closed %s",
			       (long long)ev->conn.conn, ev->conn.broker, how[ev->conn.how]));
}

void history_feed(struct history *h, const struct event *ev)
{
	h->last_us = ev->time_us > h->last_us ? ev->time_us : h->last_us;
	h->of_a_run |= ev->kind == EVENT_MARK || ev->kind == EVENT_LOG || ev->kind == EVENT_REPORT;
	if (ev->kind == EVENT_EXCHANGE && !h->of_a_run)
		clusters_feed(&h->clusters, ev->exchange);
	if (ev->kind == EVENT_EXCHANGE)
		topic_names_feed(&h->topics, ev->exchange);
	if (h->batches)
		batches_feed(h->batches, ev);
	if (h->full)
		return;
	switch (ev->kind) {
	case EVENT_LOG:
		feed_log(h, &ev->log, ev->time_us);
		break;
	case EVENT_REPORT:
		feed_report(h, &ev->report, ev->time_us);
		break;
	case EVENT_RULE:
		feed_rule(h, ev);
		break;
	case EVENT_CONN_CLOSED:
		feed_closed(h, ev);
		break;
	case EVENT_CLUSTER:
		add_fault(h, ev->time_us,
			  arena_printf(&h->arena, "cluster: " STR_FMT " " STR_FMT,
				       STR_ARG(ev->cluster.name), STR_ARG(ev->cluster.detail)));
		break;
	case EVENT_EXCHANGE:
		h->unacknowledged |= ev->exchange->state == EXCHANGE_NO_ANSWER &&
				     ev->exchange->header.api_key == API_PRODUCE;
		if (ev->exchange->header.api_key == API_FETCH)
			feed_fetch(h, ev->exchange);
		else if (ev->exchange->header.api_key == API_OFFSET_FOR_LEADER_EPOCH)
			feed_epoch_ends(h, ev->exchange);
		break;
	default:
		break;
	}
}

/* The same for one partition; given: zeroed, of an element for each of its records. */
static int64_t mark_given(const struct history *h, const struct history_partition *p, bool *given)
{
	int64_t n = 0;
	size_t at;

	for (const struct history_subject *s = h->subjects; s; s = s->next)
		for (size_t i = 0; i < s->reads_count; i++) {
			const struct history_read *r = &s->reads[i];

			if (r->partition != p->partition || !str_eq(r->topic, p->topic))
				continue;
			at = history_record_from(p, r->offset);
			if (at == p->records_count || !history_is_read_of(p, &p->records[at], r))
				continue;
			n += !given[at];
			given[at] = true;
		}
	return n;
}

int64_t history_records_given(const struct history *h, struct str topic)
{
	int64_t n = 0;

	for (const struct history_partition *p = h->partitions; p; p = p->next) {
		bool *given;

		if (!str_eq(p->topic, topic))
			continue;
		given = calloc(p->records_count + 1, sizeof(*given));
		if (!given)
			abort();
		n += mark_given(h, p, given);
		free(given);
	}
	return n;
}
