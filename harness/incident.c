/* The faults of a capture, from what its connections and answers show. Owns the list of exchanges
 * in the order of their work, which is the order in which rules count. */
#include "harness/incident.h"

#include "decoder/sessions.h"
#include "decoder/summary.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX	((size_t)1 << 30)
#define SCRATCH_MAX	((size_t)256 << 20)
#define NAME_MAX_LENGTH 200
#define TOPICS_MAX	200    /* a plan takes 256 */
#define SPREAD_US	100000 /* an answer that trickles for so long is slow */
#define SLOW_TIMES	10     /* nor one that takes less than so many times what is usual */
#define USUAL_MAX	4096   /* latencies that the usual one is taken from */
#define RATE_LEAST	1
#define TWICE_BYTES	4 /* of the length before a frame */
#define CLIENTS_MAX	1000
#define AT_ONCE_US	50000
#define HELD_LEAST_US	50000 /* no answer waits so long for no reason while others work */

int32_t incident_brokers(const struct incident *in)
{
	return in->seen->brokers_count ? (int32_t)in->seen->brokers_count : 1;
}

int32_t incident_node(const struct incident *in, int32_t recorded)
{
	for (size_t i = 0; i < in->seen->brokers_count; i++)
		if (in->seen->brokers[i].node_id == recorded)
			return (int32_t)i + 1;
	return -1;
}

bool incident_is_word(struct str text)
{
	for (int32_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.data[i]) && text.data[i] != '-' &&
		    text.data[i] != '_' && text.data[i] != '.')
			return false;
	return text.data && text.len > 0 && text.len <= NAME_MAX_LENGTH;
}

bool incident_has_topic(const struct incident *in, struct str name)
{
	const struct seen_topic *t = name.data ? seen_topic(in->seen, name) : NULL;

	return t && t->partitions_count > 0 && !t->is_internal && incident_is_word(name) &&
	       !(name.len > 2 && !memcmp(name.data, "__", 2)) && t - in->seen->topics < TOPICS_MAX;
}

struct fault *incident_add_fault(struct incident *in, struct about *at)
{
	struct fault *f;

	if (at->fault)
		return at->fault;
	if (in->faults_count == INCIDENT_FAULTS_MAX) {
		in->too_many++;
		return NULL;
	}
	f = &in->faults[in->faults_count++];
	*f = (struct fault){.at = at};
	at->fault = f;
	return f;
}

/* ---- what exchanges are about ---- */

void incident_summary(struct incident *in, const struct session_exchange *x, struct summary *ret)
{
	struct exchange e = {
		.state = x->state,
		.header = x->header,
		.request = x->request,
		.response = x->response,
		.arena = &in->scratch,
		.request_body = x->request_body,
		.response_body = x->response_body,
		.request_decoded = true,
		.response_decoded = true,
	};

	arena_reset(&in->scratch);
	e.conn.server = x->conn->server;
	e.conn.client = x->conn->client;
	e.conn.conn = x->conn->number;
	summarize(&e, in->names, ret);
}

static bool has_code(const struct told_error *list, int32_t n, int16_t code)
{
	for (int32_t i = 0; i < n; i++)
		if (list[i].code == code)
			return true;
	return false;
}

int32_t incident_errors(const struct summary *s, int api_key, const void *response,
			struct arena *arena, struct told_error **ret_list)
{
	const struct metadata_response *m = response;
	int32_t topics = api_key == API_METADATA && m ? m->topics_count : 0, n = 0;
	struct told_error *list = arena_zalloc(
		arena,
		(size_t)(s->partitions_count[1] + s->errors_count + topics + 1) * sizeof(*list));

	*ret_list = list;
	for (int32_t i = 0; list && i < s->partitions_count[1]; i++) {
		const struct summary_partition *p = &s->partitions[1][i];

		if (p->error)
			list[n++] = (struct told_error){
				p->topic >= 0 ? arena_str(arena, s->topics[p->topic])
					      : (struct str){0},
				p->partition, p->error};
	}
	for (int32_t i = 0; list && i < topics; i++)
		if (m->topics[i].error_code)
			list[n++] = (struct told_error){arena_str(arena, m->topics[i].name), -1,
							m->topics[i].error_code};
	for (int32_t i = 0; list && i < s->errors_count; i++)
		if (!has_code(list, n, s->errors[i]))
			list[n++] = (struct told_error){{0}, -1, s->errors[i]};
	return n;
}

/* Partitions that only a fetch session names: facts of requests come from the stand-in, but for
 * these. */
static void take_partitions(struct incident *in, struct about *a, const struct summary *s)
{
	struct topic_partition *list =
		arena_zalloc(&in->arena, ((size_t)s->partitions_count[0] + (size_t)s->topics_count +
					  1) * sizeof(*list));
	struct str *topics =
		arena_zalloc(&in->arena, ((size_t)s->topics_count + 1) * sizeof(*topics));
	bool *named = arena_zalloc(&in->arena, (size_t)s->topics_count + 1);

	for (int32_t i = 0; topics && i < s->topics_count; i++)
		topics[i] = arena_str(&in->arena, s->topics[i]);
	for (int32_t i = 0; list && topics && named && i < s->partitions_count[0]; i++) {
		const struct summary_partition *p = &s->partitions[0][i];

		if (p->topic < 0)
			continue;
		named[p->topic] = true;
		list[a->partitions_count++] =
			(struct topic_partition){topics[p->topic], p->partition};
	}
	for (int32_t i = 0; list && topics && named && i < s->topics_count; i++)
		if (!named[i])
			list[a->partitions_count++] = (struct topic_partition){topics[i], -1};
	a->partitions = list;
}

static void describe(struct incident *in, struct about *a, struct sessions *sessions)
{
	struct exchange e = {.state = a->x->state,
			     .header = a->x->header,
			     .arena = &in->scratch,
			     .request_body = a->x->request_body,
			     .response_body = a->x->response_body,
			     .request_decoded = true,
			     .response_decoded = true};
	struct summary s;

	incident_summary(in, a->x, &s);
	e.conn.server = a->x->conn->server;
	e.conn.client = a->x->conn->client;
	if (a->x->header.api_key == API_FETCH && a->x->request_body) {
		sessions_resolve(sessions, &e, in->names, &s);
		take_partitions(in, a, &s);
	}
	a->throttle_ms = s.throttle_ms > 0 ? s.throttle_ms : 0;
	a->errors_count = incident_errors(&s, a->x->header.api_key, a->x->response_body, &in->arena,
					  &a->errors);
}

/* ---- the order of work ---- */

static int by_work(const void *a, const void *b)
{
	const struct about *x = a, *y = b;

	if (x->work_us != y->work_us)
		return x->work_us < y->work_us ? -1 : 1;
	return x->x->index < y->x->index ? -1 : x->x->index > y->x->index;
}

/* A broker works one request of a connection at a time. */
static int64_t work_begins(const struct session_exchange *x)
{
	int64_t us = x->request_us;

	for (size_t i = x->index_in_conn; i > 0; i--) {
		const struct session_exchange *before = x->conn->exchanges[i - 1];

		if (before->state != EXCHANGE_ANSWERED)
			continue;
		if (before->response_us > us)
			us = before->response_us;
		break;
	}
	return us;
}

/* Brokers fetch from each other, too, and have a language of their own. */
static bool is_of_broker(const struct session_exchange *x)
{
	const struct fetch_request *q = x->request_body;

	switch (x->header.api_key) {
	case API_FETCH:
		return q && (x->header.api_version < 15 ? q->replica_id
							: q->replica_state.replica_id) >= 0;
	case API_LEADER_AND_ISR:
	case API_STOP_REPLICA:
	case API_UPDATE_METADATA:
	case API_CONTROLLED_SHUTDOWN:
	case API_WRITE_TXN_MARKERS:
	case API_VOTE:
	case API_BEGIN_QUORUM_EPOCH:
	case API_END_QUORUM_EPOCH:
	case API_ALTER_PARTITION:
	case API_ENVELOPE:
	case API_FETCH_SNAPSHOT:
	case API_BROKER_REGISTRATION:
	case API_BROKER_HEARTBEAT:
	case API_ALLOCATE_PRODUCER_IDS:
		return true;
	default:
		return false;
	}
}

static bool is_between_brokers(const struct session_conn *c)
{
	for (size_t i = 0; i < c->exchanges_count; i++)
		if (is_of_broker(c->exchanges[i]))
			return true;
	return false;
}

static bool is_torn(const struct session_conn *c)
{
	bool torn = c->unmatched_bytes > 0;

	for (size_t i = 0; i < c->exchanges_count && !torn; i++)
		torn = c->exchanges[i]->state == EXCHANGE_ORPHAN ||
		       c->exchanges[i]->response_flaw == FLAW_CUT ||
		       c->exchanges[i]->request_flaw == FLAW_CUT;
	return torn;
}

/* What holds for each connection, by its index. */
static void look_at_conns(struct incident *in)
{
	const struct session *s = in->session;

	in->conns = calloc(s->conns_count + 1, sizeof(*in->conns));
	if (!in->conns)
		abort();
	for (size_t i = 0; i < s->conns_count; i++) {
		const struct session_conn *c = s->conns[i];
		size_t k = 0;

		while (k < c->exchanges_count && c->exchanges[k]->state != EXCHANGE_LOST)
			k++;
		in->conns[i] = (struct about_conn){is_between_brokers(c), is_torn(c), k};
	}
}

static void put_in_order(struct incident *in)
{
	const struct session *s = in->session;
	struct sessions *sessions = sessions_new(NULL);

	look_at_conns(in);
	in->list = calloc(s->exchanges_count + 1, sizeof(*in->list));
	in->by_index = calloc(s->exchanges_count + 1, sizeof(*in->by_index));
	in->faults = calloc(INCIDENT_FAULTS_MAX, sizeof(*in->faults));
	if (!in->list || !in->by_index || !in->faults)
		abort();
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (x->state == EXCHANGE_ORPHAN || !x->request_us ||
		    in->conns[x->conn->index].between_brokers)
			continue;
		in->list[in->count++] = (struct about){.x = x,
						       .work_us = work_begins(x),
						       .counted = true,
						       .lost = x->state == EXCHANGE_LOST,
						       .acks = INT32_MIN};
	}
	if (in->count > 1)
		qsort(in->list, in->count, sizeof(*in->list), by_work);
	for (size_t i = 0; i < in->count; i++) {
		in->list[i].served_us = in->list[i].work_us;
		in->by_index[in->list[i].x->index] = &in->list[i];
		describe(in, &in->list[i], sessions);
	}
	sessions_free(sessions);
}

/* ---- connections that ended ---- */

static bool broke(const struct session_conn *c)
{
	return c->closed && (c->how == CLOSE_BY_BROKER || c->how == CLOSE_RESET_BY_BROKER);
}

/* Whether the log has a batch that just this request wrote. */
static bool is_in_log(const struct incident *in, const struct about *a, struct str topic,
		      int32_t partition)
{
	const struct seen_partition *p = seen_partition(in->seen, topic, partition);

	for (size_t i = 0; p && i < p->batches_count; i++)
		if (p->batches[i].produced == a->x)
			return true;
	for (size_t i = 0; p && i < p->anew_count; i++)
		if (p->anew[i].produced == a->x)
			return true;
	return false;
}

/* The producer, and where in its sequence; -1: it has none. */
struct sequel {
	int64_t producer_id;
	int32_t sequence;
};

static struct sequel sequel_of(const struct records *r)
{
	struct records_reader reader;
	struct batch b;

	records_reader_init(&reader, r->data, r->data ? (size_t)r->len : 0);
	if (records_next(&reader, &b, NULL) <= 0)
		return (struct sequel){-1, -1};
	return (struct sequel){b.producer_id, b.base_sequence};
}

/* Sequences of a partition that one request has; -1 none. */
static struct sequel sequel_in(const struct incident *in, const struct about *a, struct str topic,
			       int32_t partition)
{
	const struct produce_request *q = a->x->request_body;

	for (int32_t i = 0; q && i < q->topic_data_count; i++) {
		struct str name = q->topic_data[i].name.len
					  ? q->topic_data[i].name
					  : names_find(in->names, q->topic_data[i].topic_id);

		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			if (q->topic_data[i].partition_data[k].index == partition && name.data &&
			    str_eq(name, topic))
				return sequel_of(&q->topic_data[i].partition_data[k].records);
	}
	return (struct sequel){-1, -1};
}

/* What followed it stood out of sequence before it was sent again with success. */
static bool left_a_gap(const struct incident *in, const struct about *a, struct str topic,
		       int32_t partition)
{
	struct sequel own = sequel_in(in, a, topic, partition), other;

	for (const struct about *b = a + 1; own.producer_id >= 0 && b < in->list + in->count; b++) {
		if (b->x->header.api_key != API_PRODUCE || !b->x->response_body)
			continue;
		other = sequel_in(in, b, topic, partition);
		if (other.producer_id != own.producer_id)
			continue;
		if (other.sequence == own.sequence && !b->errors_count)
			return false;
		if (other.sequence > own.sequence && b->errors_count &&
		    b->errors[0].code == ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER)
			return true;
	}
	return false;
}

/* What a Produce without an answer did is in the log, or it is not; where nobody can tell (a repeat
 * with the same sequence is written at the same place) it is taken as done: the harder case. */
bool incident_was_done(const struct incident *in, const struct about *a)
{
	const struct produce_request *q = a->x->request_body;
	bool told = true;

	if (a->x->header.api_key != API_PRODUCE)
		return true;
	for (int32_t i = 0; q && i < q->topic_data_count; i++) {
		const struct produce_request_topic_data *t = &q->topic_data[i];
		struct str topic = t->name.len ? t->name : names_find(in->names, t->topic_id);

		for (int32_t k = 0; topic.data && k < t->partition_data_count; k++) {
			int32_t index = t->partition_data[k].index;

			if (is_in_log(in, a, topic, index))
				return true;
			told &= sequel_of(&t->partition_data[k].records).producer_id >= 0 &&
				!left_a_gap(in, a, topic, index);
		}
	}
	return told;
}

/* The first request without an answer is the one that was hurt; those behind it went down with the
 * connection, and no broker came to work them. */
static void judge_end(struct incident *in, const struct session_conn *c, bool hurt)
{
	struct fault *f = NULL;

	for (size_t i = 0; i < c->exchanges_count; i++) {
		struct about *a = in->by_index[c->exchanges[i]->index];

		if (!a || !a->lost || a->fault)
			continue;
		if (f || !hurt) {
			a->counted &= f == NULL;
			continue;
		}
		f = incident_add_fault(in, a);
		if (!f)
			return;
		f->after = incident_was_done(in, a);
		snprintf(f->action, sizeof(f->action), "%s %s",
			 c->how == CLOSE_RESET_BY_BROKER ? "reset" : "close",
			 f->after ? "after" : "before");
	}
}

/* Without an answer until the client gave up: it got none, while the connection lived. */
static void judge_silence(struct incident *in, const struct session_conn *c)
{
	for (size_t i = 0; i < c->exchanges_count; i++) {
		struct about *a = in->by_index[c->exchanges[i]->index];
		int64_t end = c->closed ? c->closed_us : in->session->last_us;
		bool later = false;
		struct fault *f;

		if (a && a->lost && a->fault && a->fault->silent)
			return; /* nor was anything behind it answered */
		if (!a || !a->lost || a->fault || a->stood_wait || a->stood_close ||
		    end - a->work_us - a->stood_us < in->delay_us)
			continue;
		for (size_t k = i + 1; k < c->exchanges_count; k++)
			later |= c->exchanges[k]->state == EXCHANGE_ANSWERED;
		f = incident_add_fault(in, a);
		if (!f)
			return;
		f->after = incident_was_done(in, a);
		f->silent = !later;
		snprintf(f->action, sizeof(f->action), "%s %s", later ? "drop" : "silence",
			 f->after ? "after" : "before");
		for (size_t k = i + 1; !later && k < c->exchanges_count; k++)
			if (in->by_index[c->exchanges[k]->index])
				in->by_index[c->exchanges[k]->index]->counted = false;
		if (!later)
			return;
	}
}

/* It waited for records or members when the connection ended, and its client asked nothing more:
 * the end of a capture, or of a cluster, is no fault. */
static bool ended_in_peace(const struct incident *in, const struct session_conn *c)
{
	for (size_t i = 0; i < c->exchanges_count; i++) {
		const struct about *a = in->by_index[c->exchanges[i]->index];

		if (a && a->lost && !a->stood_wait)
			return false;
	}
	for (size_t i = in->count; i > 0 && in->list[i - 1].work_us > c->closed_us; i--)
		if (c->exchanges_count &&
		    str_eq(in->list[i - 1].x->header.client_id, c->exchanges[0]->header.client_id))
			return false;
	return true;
}

/* The brokers closed all that was open, and nothing came after: that was the cluster's end. */
static bool was_the_end(const struct incident *in, const struct session_conn *c)
{
	const struct session *s = in->session;
	size_t open = 0;

	if (in->count && in->list[in->count - 1].work_us > c->closed_us)
		return false;
	for (size_t i = 0; i < s->conns_count; i++) {
		const struct session_conn *d = s->conns[i];

		if (d->refused || (d->closed && d->closed_us < c->closed_us - AT_ONCE_US))
			continue;
		if (!d->closed || d->closed_us > c->closed_us + AT_ONCE_US)
			return false;
		open++;
	}
	return open > 1;
}

static void judge_connections(struct incident *in)
{
	for (size_t i = 0; i < in->session->conns_count; i++) {
		const struct session_conn *c = in->session->conns[i];
		int32_t node = incident_node(in, c->broker);
		bool hurt = broke(c) && !incident_is_down(in, node, c->closed_us) &&
			    !ended_in_peace(in, c) && !was_the_end(in, c);

		for (size_t k = 0; k < c->exchanges_count && hurt; k++) {
			const struct about *a = in->by_index[c->exchanges[k]->index];

			if (a && a->lost && a->stood_close)
				hurt = false; /* it would have been closed anyway */
		}
		if (in->conns[i].torn)
			continue;
		if (broke(c)) /* a run's own end is no fault */
			judge_end(in, c, hurt && !in->told);
		if (!broke(c) || incident_is_down(in, node, c->closed_us))
			judge_silence(in, c);
	}
}

/* ---- answers that came late ---- */

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int64_t incident_latency(const struct about *a)
{
	return a->x->response_first_us - a->work_us;
}

/* When the first of the records of a partition's answer was there to be given; INT64_MIN: before
 * the capture; INT64_MAX: nobody can tell, or there is none. */
static int64_t there_since(const struct incident *in, struct str topic,
			   const struct fetch_response_responses_partitions *p)
{
	const struct seen_partition *log =
		topic.data ? seen_partition(in->seen, topic, p->partition_index) : NULL;
	struct records_reader reader;
	const struct seen_batch *b;
	struct batch first;

	records_reader_init(&reader, p->records.data, p->records.data ? (size_t)p->records.len : 0);
	if (!log || records_next(&reader, &first, NULL) <= 0)
		return INT64_MAX;
	b = seen_batch_at(log, first.base_offset);
	if (b && b->produced)
		return b->produced->response_us ? b->produced->response_us : INT64_MAX;
	return b && b->base_offset < log->end_first ? INT64_MIN : INT64_MAX;
}

/* When a Fetch that waits for nothing but a record had one. */
static int64_t due_us(const struct incident *in, const struct about *a)
{
	const struct fetch_request *q = a->x->request_body;
	const struct fetch_response *m = a->x->response_body;
	int64_t due = INT64_MAX;

	for (int32_t i = 0; m && q && q->min_bytes <= 1 && i < m->responses_count; i++)
		for (int32_t k = 0; k < m->responses[i].partitions_count; k++) {
			struct str topic =
				m->responses[i].topic.len
					? m->responses[i].topic
					: names_find(in->names, m->responses[i].topic_id);
			int64_t us = there_since(in, topic, &m->responses[i].partitions[k]);

			due = us < due ? us : due;
		}
	return due;
}

/* How long a broker may take by itself. */
static int64_t allowed(const struct incident *in, const struct about *a)
{
	const struct fetch_request *fetch = a->x->request_body;
	int64_t due;

	switch (a->x->header.api_key) {
	case API_JOIN_GROUP: /* as long as other members let it */
	case API_SYNC_GROUP:
		return INT64_MAX / 4;
	case API_FETCH:
		due = due_us(in, a);
		if (due < INT64_MAX)
			return due > a->work_us ? due - a->work_us : 0;
		return fetch ? (int64_t)fetch->max_wait_ms * 1000 : INT64_MAX / 4;
	default:
		return a->stood_us;
	}
}

/* How much longer it took. */
static int64_t lateness(const struct incident *in, const struct about *a)
{
	int64_t late = incident_latency(a) - allowed(in, a);

	return late > 0 ? late : 0;
}

/* The middle one of an API's latencies. */
static int64_t usual(const struct incident *in, int api_key)
{
	int64_t list[USUAL_MAX];
	size_t n = 0;

	for (size_t i = 0; i < in->count && n < USUAL_MAX; i++)
		if (in->list[i].x->header.api_key == api_key &&
		    in->list[i].x->state == EXCHANGE_ANSWERED)
			list[n++] = incident_latency(&in->list[i]);
	if (!n)
		return 0;
	qsort(list, n, sizeof(*list), by_number);
	return list[n / 2];
}

static void judge_latency(struct incident *in, struct about *a, const int64_t *limits)
{
	int64_t spread = a->x->response_us - a->x->response_first_us;
	int64_t late = lateness(in, a);
	struct fault *f = NULL;

	if (a->fault || a->x->state != EXCHANGE_ANSWERED)
		return;
	if (spread >= SPREAD_US && a->x->response.data) {
		f = incident_add_fault(in, a);
		if (f)
			snprintf(f->action, sizeof(f->action), "slow %lld",
				 (long long)((int64_t)a->x->response.len * 1000000 / spread +
					     RATE_LEAST));
	} else if (late >= limits[a->x->header.api_key & API_KEY_MAX]) {
		f = incident_add_fault(in, a);
		if (f)
			snprintf(f->action, sizeof(f->action), "delay %lldms%s",
				 (long long)(late / 1000), a->kept ? " before" : "");
	}
}

static void judge_answers(struct incident *in)
{
	int64_t limits[API_KEY_MAX + 1];

	for (int i = 0; i <= API_KEY_MAX; i++) {
		int64_t many = usual(in, i) * SLOW_TIMES;

		limits[i] = many > in->delay_us ? many : in->delay_us;
	}
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		struct fault *f;

		if (!a->fault && a->throttle_ms && a->counted) {
			f = incident_add_fault(in, a);
			if (f)
				snprintf(f->action, sizeof(f->action), "throttle %lldms",
					 (long long)a->throttle_ms);
		}
		judge_latency(in, a, limits);
	}
}

/* ---- answers that waited for something ---- */

/* Not every client asks where an epoch ended; but all fetch. */
static bool is_optional(const struct incident *in, const struct about *a)
{
	static const char asks[] = "OffsetForLeaderEpoch ";
	struct str text = a->x->rule;

	for (size_t i = 0; i < in->optional_count; i++)
		if (text.data && str_eq(in->optional[i], text))
			return true;
	if (text.data)
		return text.len > (int32_t)strlen(asks) && !memcmp(text.data, asks, strlen(asks));
	return a->x->header.api_key == API_OFFSET_FOR_LEADER_EPOCH && !(a->fault && a->fault->held);
}

/* A client's first and last request. */
struct life {
	struct str client_id;
	int64_t first_us, last_us;
};

static size_t find_lives(const struct incident *in, struct life *list)
{
	size_t n = 0, i;

	for (size_t k = 0; k < in->count; k++) {
		struct str id = in->list[k].x->header.client_id;

		for (i = 0; i < n && !str_eq(list[i].client_id, id); i++)
			;
		if (i == n && n < CLIENTS_MAX)
			list[n++] = (struct life){id, in->list[k].work_us, 0};
		if (i < n)
			list[i].last_us = in->list[k].work_us;
	}
	return n;
}

/* Another client came, and (all: its last request, too) did its work, while it waited: how long
 * that takes is no matter. */
static bool waited_for_client(const struct about *a, const struct life *list, size_t n, bool all)
{
	int64_t end = a->x->response_first_us;

	for (size_t i = 0; i < n; i++)
		if (list[i].first_us > a->work_us && list[i].first_us < end &&
		    (!all || list[i].last_us < end) &&
		    !str_eq(list[i].client_id, a->x->header.client_id))
			return true;
	return false;
}

static bool may_hold(const struct incident *in, const struct about *a, const struct life *list,
		     size_t n)
{
	if (a->x->state != EXCHANGE_ANSWERED)
		return false;
	if (a->fault)
		return !strncmp(a->fault->action, "delay ", 6) &&
		       waited_for_client(a, list, n, false);
	return (a->kept || lateness(in, a) >= HELD_LEAST_US) &&
	       waited_for_client(a, list, n, !a->kept);
}

static void judge_holds(struct incident *in)
{
	struct life *list = calloc(CLIENTS_MAX, sizeof(*list));
	size_t n, number = 0;

	if (!list)
		abort();
	n = find_lives(in, list);
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		struct fault *f = may_hold(in, a, list, n) ? incident_add_fault(in, a) : NULL;

		if (!f)
			continue;
		f->held = true;
		snprintf(f->action, sizeof(f->action), "hold gate%zu %s", ++number,
			 a->kept ? "request" : "answer");
	}
	free(list);
}

/* ---- answers that were damaged on their way ---- */

/* The first bit that differs, as an action on the answer's frame. */
static void describe_damage(struct fault *f, const struct batch *bad, const struct seen_batch *good)
{
	const uint8_t *frame = f->at->x->response.data;
	int32_t n = bad->raw.len < good->bytes.len ? bad->raw.len : good->bytes.len, differ = 0,
		at = -1;

	for (int32_t i = BATCH_AT_CRC; i < n; i++)
		if (bad->raw.data[i] != good->bytes.data[i]) {
			at = at < 0 ? i : at;
			differ++;
		}
	if (at < 0 || (at < BATCH_AT_ATTRIBUTES && differ <= 4))
		snprintf(f->action, sizeof(f->action), "crc");
	else
		snprintf(f->action, sizeof(f->action), "flip %lld",
			 (long long)(bad->raw.data + at - frame) + TWICE_BYTES);
}

static void judge_records(struct incident *in, struct about *a, struct str topic,
			  const struct fetch_response_responses_partitions *p)
{
	const struct seen_partition *log = seen_partition(in->seen, topic, p->partition_index);
	struct records_reader reader;
	struct batch b;

	records_reader_init(&reader, p->records.data, p->records.data ? (size_t)p->records.len : 0);
	while (log && records_next(&reader, &b, NULL) > 0 && !a->fault) {
		const struct seen_batch *good = seen_batch_at(log, b.base_offset);
		struct fault *f;

		if (batch_crc_ok(&b) || !good || good->crc_wrong ||
		    good->base_offset != b.base_offset)
			continue;
		f = incident_add_fault(in, a);
		if (f)
			describe_damage(f, &b, good);
	}
}

static void judge_damage(struct incident *in)
{
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		const struct fetch_response *m = a->x->response_body;

		if (a->x->response_flaw == FLAW_MALFORMED || a->x->response_flaw == FLAW_UNKNOWN)
			in->unreadable++;
		if (a->x->header.api_key != API_FETCH || !m)
			continue;
		for (int32_t k = 0; k < m->responses_count; k++)
			for (int32_t n = 0; n < m->responses[k].partitions_count; n++)
				judge_records(
					in, a,
					m->responses[k].topic.len
						? m->responses[k].topic
						: names_find(in->names, m->responses[k].topic_id),
					&m->responses[k].partitions[n]);
	}
}

/* An answer that nobody waited for, with the id of one that was given: it came twice. */
static void judge_orphans(struct incident *in)
{
	const struct session *s = in->session;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];
		const struct session_conn *c = x->conn;

		for (size_t k = 0; x->state == EXCHANGE_ORPHAN && k < c->exchanges_count; k++) {
			struct about *a = in->by_index[c->exchanges[k]->index];
			bool same = a && a->x->response.len == x->response.len &&
				    x->response.data && a->x->response.data &&
				    !memcmp(a->x->response.data, x->response.data,
					    (size_t)x->response.len);
			struct fault *f = same && !a->fault ? incident_add_fault(in, a) : NULL;

			if (f)
				snprintf(f->action, sizeof(f->action), "twice");
		}
	}
}

/* ---- evidence ---- */

static void take_told_errors(struct incident *in, struct fault *f)
{
	const struct about *a = f->at;
	struct topic_partition *hit =
		arena_zalloc(&in->arena, ((size_t)a->errors_count + 1) * sizeof(*hit));

	f->hit = hit;
	for (int32_t i = 0; hit && i < a->errors_count; i++) {
		f->code = f->code ? f->code : a->errors[i].code;
		if (a->errors[i].code == f->code && a->errors[i].topic.data)
			hit[f->hit_count++] = (struct topic_partition){a->errors[i].topic,
								       a->errors[i].partition};
	}
}

/* The action of a rule's text: what stands behind the arrow. What a timeline held, and need not
 * have, was late by so much. False: it did nothing that shows. */
static bool told_action(const struct incident *in, const struct about *a, char *ret_action,
			size_t size)
{
	const struct session_exchange *x = a->x;
	const char *end = x->rule.data + x->rule.len;
	const char *arrow =
		x->rule.data ? memmem(x->rule.data, (size_t)x->rule.len, "-> ", 3) : NULL;
	int64_t ms = (x->response_us - x->request_us) / 1000;

	if (!arrow || !strncmp(arrow + 3, "observe", 7))
		return false;
	snprintf(ret_action, size, "%.*s", (int)(end - arrow - 3), arrow + 3);
	if (strncmp(ret_action, "hold ", 5) != 0 || !is_optional(in, a))
		return true;
	snprintf(ret_action, size, "delay %lldms %s", (long long)ms,
		 memmem(arrow, (size_t)(end - arrow), " answer", 7) ? "after" : "before");
	return x->state == EXCHANGE_ANSWERED && ms > 0;
}

static void take_told(struct incident *in)
{
	for (size_t i = 0; i < in->count; i++) {
		struct about *a = &in->list[i];
		char action[sizeof(((struct fault *)0)->action)];
		struct fault *f;

		if (!told_action(in, a, action, sizeof(action)))
			continue;
		f = incident_add_fault(in, a);
		if (!f)
			return;
		snprintf(f->action, sizeof(f->action), "%s", action);
		f->silent = !strncmp(f->action, "silence", 7);
		f->held = !strncmp(f->action, "hold ", 5);
		f->after = strstr(f->action, " after") || strstr(f->action, " answer");
		a->kept = f->held && !f->after && a->x->state == EXCHANGE_ANSWERED;
		if (a->kept)
			a->served_us = a->x->response_first_us - 1;
		if (!strncmp(f->action, "error ", 6))
			take_told_errors(in, f);
	}
}

/* What was asked behind a fault that ended the connection, or the answers, came to no work. */
static void leave_out_told(struct incident *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct about *a = &in->list[i];
		const struct session_conn *c = a->x->conn;

		for (size_t k = a->x->index_in_conn + 1;
		     a->fault && a->lost && k < c->exchanges_count; k++) {
			struct about *later = in->by_index[c->exchanges[k]->index];

			if (later && later->lost && !later->fault)
				later->counted = false;
		}
	}
}

/* ---- all of it ---- */

struct incident *incident_new(const struct incident_config *config)
{
	struct incident *in = calloc(1, sizeof(*in));

	if (!in)
		abort();
	in->session = config->session;
	in->seen = config->seen;
	in->told = config->told;
	in->optional = config->optional;
	in->optional_count = config->optional_count;
	in->delay_us = config->delay_us;
	in->names = names_new();
	arena_init(&in->arena, ARENA_MAX);
	arena_init(&in->scratch, SCRATCH_MAX);
	for (size_t i = 0; i < in->seen->topics_count; i++)
		names_learn(in->names, in->seen->topics[i].id, in->seen->topics[i].name);
	put_in_order(in);
	incident_find_events(in);
	if (in->told)
		take_told(in);
	incident_retrace(in);
	if (in->told)
		leave_out_told(in);
	judge_connections(in);
	if (!in->told) {
		judge_damage(in);
		judge_orphans(in);
		judge_answers(in);
		judge_holds(in);
	}
	for (size_t i = 0; i < in->faults_count; i++)
		in->faults[i].optional = is_optional(in, in->faults[i].at);
	incident_find_holds(in);
	incident_find_anchors(in);
	return in;
}

void incident_free(struct incident *in)
{
	if (!in)
		return;
	free(in->conns);
	free(in->list);
	free(in->by_index);
	free(in->faults);
	free(in->rules);
	names_free(in->names);
	arena_release(&in->arena);
	arena_release(&in->scratch);
	free(in);
}
