/* Fetch: long poll over many partitions. Rules 18, 19 and 21 of the acceptance text. First it is
 * looked what there is; only when it is enough, or time is up, the answer is made. Records are
 * pointed at, not copied, but for consumers of old formats. */
#include "mock/fetch.h"

#include "mock/fault.h"
#include "mock/leader_hint.h"
#include "mock/marker.h"
#include "mock/state.h"
#include "protocol/records_convert.h"

struct fetch_work {
	struct cluster *c;
	struct call *call;
	const struct fetch_request *request;
	struct fetch *fetch;
	struct fetch_response *response;
	int64_t left; /* bytes that the answer may still take */
	bool one;     /* nothing is in it yet: one batch may pass the limits */
};

/* The broker that fetches in order to replicate, or a negative number for a consumer. */
static int32_t follower(const struct fetch_work *w)
{
	return w->call->header.api_version < 15 ? w->request->replica_id
						: w->request->replica_state.replica_id;
}

/* Up to where this reader may read. */
static int64_t limit_of(const struct fetch_work *w, const struct partition *p)
{
	return w->request->isolation_level == 1 ? partition_stable_offset(p)
						: partition_high_watermark(p);
}

/* Whether the reader's history is not ours from some point on (KIP-320, KIP-595). */
static bool diverges(const struct partition *p, const struct fetch_want *want, int32_t *ret_epoch,
		     int64_t *ret_end)
{
	if (want->asked.last_fetched_epoch < 0)
		return false;
	*ret_end = log_end_of_epoch(&p->log, want->asked.last_fetched_epoch, ret_epoch);
	return *ret_epoch >= 0 &&
	       (*ret_epoch < want->asked.last_fetched_epoch || *ret_end < want->asked.fetch_offset);
}

static int16_t range_error(const struct partition *p, const struct fetch_want *want)
{
	int32_t epoch = 0;
	int64_t end;

	if (want->asked.fetch_offset < p->log.start)
		return ERROR_OFFSET_OUT_OF_RANGE;
	if (diverges(p, want, &epoch, &end))
		return ERROR_NONE;
	return epoch < 0 || want->asked.fetch_offset > partition_high_watermark(p)
		       ? ERROR_OFFSET_OUT_OF_RANGE
		       : ERROR_NONE;
}

/* Why a partition can't be read: a Kafka code, or 0 with the partition. */
static int16_t look_up(const struct fetch_work *w, const struct fetch_want *want,
		       struct partition **ret)
{
	const struct topic *t = topic_resolve(w->c, want->topic, want->topic_id);
	struct partition *p = partition_find(t, want->asked.partition);
	int32_t epoch = want->asked.current_leader_epoch;
	int16_t code = call_fault(w->call, t ? t->name : want->topic, want->asked.partition);

	*ret = p;
	if (code)
		return code;
	if (!t && w->call->header.api_version >= 13)
		return ERROR_UNKNOWN_TOPIC_ID;
	code = partition_leader_error(p, w->call->broker, epoch < 0 ? -1 : epoch);
	if (!code && follower(w) >= 0 && !partition_has_replica(p, follower(w)))
		return ERROR_NOT_LEADER_OR_FOLLOWER;
	if (code == ERROR_NOT_LEADER_OR_FOLLOWER && w->call->header.api_version >= 11 &&
	    partition_has_replica(p, w->call->broker))
		code = ERROR_NONE; /* followers serve consumers (KIP-392) */
	return code ? code : range_error(p, want);
}

/* The broker that a consumer shall read from instead, because both are in one rack (KIP-392): the
 * last of the replicas in sync, all of which have what the leader has; -1: this one. */
static int32_t preferred(const struct fetch_work *w, const struct partition *p,
			 const struct fetch_want *want)
{
	struct str rack = w->request->rack_id;
	int32_t found = -1;

	if (!w->c->config.broker.rack_selector || !rack.len || w->call->header.api_version < 11 ||
	    follower(w) >= 0 || p->leader != w->call->broker ||
	    str_eq(cluster_broker(w->c, p->leader)->rack, rack) ||
	    want->asked.fetch_offset < p->log.start || want->asked.fetch_offset > p->log.end)
		return -1;
	for (int32_t i = 0; i < p->isr_count; i++) {
		const struct broker *b = cluster_broker(w->c, p->isr[i]);

		if (b->alive && str_eq(b->rack, rack) && p->isr[i] > found)
			found = p->isr[i];
	}
	return found;
}

/* True if the answer must go now: an error, another broker to read from, or enough bytes. */
static bool enough(struct fetch_work *w)
{
	int64_t bytes = 0, end;
	int32_t epoch;
	bool closed;

	for (int32_t i = 0; i < w->fetch->wants_count; i++) {
		const struct fetch_want *want = &w->fetch->wants[i];
		struct partition *p;

		if (look_up(w, want, &p) || diverges(p, want, &epoch, &end) ||
		    preferred(w, p, want) >= 0)
			return true;
		bytes += log_available(&p->log, want->asked.fetch_offset, limit_of(w, p),
				       want->asked.partition_max_bytes, &closed);
		if (closed || bytes >= w->request->min_bytes)
			return true;
	}
	return w->fetch->wants_count == 0;
}

static enum call_result wait_for_more(struct fetch_work *w)
{
	for (int32_t i = 0; i < w->fetch->wants_count; i++) {
		const struct fetch_want *want = &w->fetch->wants[i];
		const struct topic *t = topic_resolve(w->c, want->topic, want->topic_id);
		struct partition *p = partition_find(t, want->asked.partition);

		if (p)
			call_wait_on(w->call, &p->waiters);
	}
	w->call->deadline_us = w->fetch->deadline_us;
	return CALL_WAIT;
}

/* The spans in one piece, as messages of an old format, in memory that lives as long as the answer.
 */
static int16_t down_convert(struct fetch_work *w, int64_t offset, struct records *records)
{
	const struct bytes *spans = records->data;
	struct buf flat, out;
	struct error e = ERROR_INIT;
	struct shared *keep;
	int rc;

	buf_init(&flat, FRAME_SIZE_MAX);
	buf_init(&out, FRAME_SIZE_MAX);
	for (int32_t i = 0; i < records->span_count; i++)
		buf_add(&flat, spans[i].data, (size_t)spans[i].len);
	rc = records_down_convert(flat.data, flat.len, w->call->header.api_version < 2 ? 0 : 1,
				  offset, &w->c->plain, &out, &e);
	if (!rc) {
		keep = shared_new(out.len + 1);
		if (out.len)
			memcpy(keep->data, out.data, out.len);
		call_hold(w->call, keep);
		shared_unref(keep);
		*records = (struct records){keep->data, (int32_t)out.len, 0};
	}
	buf_release(&flat);
	buf_release(&out);
	if (!rc)
		return ERROR_NONE;
	return rc == ERR_UNSUPPORTED ? ERROR_UNSUPPORTED_COMPRESSION_TYPE
				     : ERROR_UNKNOWN_SERVER_ERROR;
}

/* Errors that a broker finds before it turns to the log. */
static bool is_unknown(const struct fetch_work *w, int16_t code)
{
	return code == ERROR_UNKNOWN_TOPIC_OR_PARTITION || code == ERROR_UNKNOWN_TOPIC_ID ||
	       w->fetch->error;
}

static void put_error(struct fetch_work *w, const struct partition *p, int32_t index, int16_t code,
		      struct fetch_response_responses_partitions *r)
{
	codec_init(&fetch_response_responses_partitions_schema, r);
	r->partition_index = index;
	r->error_code = code;
	r->high_watermark = -1;
	r->records = (struct records){"", 0, 0};
	r->aborted_transactions_count = is_unknown(w, code) ? 0 : -1;
	if (!p || w->call->header.api_version < 16 || /* no leader hints before (KIP-951) */
	    (code != ERROR_NOT_LEADER_OR_FOLLOWER && code != ERROR_FENCED_LEADER_EPOCH))
		return;
	r->current_leader.leader_id = p->leader;
	r->current_leader.leader_epoch = p->leader_epoch;
	leader_hint_add(
		w->c, w->call, p->leader,
		(struct produce_response_node_endpoints **)(void *)&w->response->node_endpoints,
		&w->response->node_endpoints_count);
}

static int16_t read(struct fetch_work *w, const struct partition *p, const struct fetch_want *want,
		    struct fetch_response_responses_partitions *r)
{
	int64_t max = want->asked.partition_max_bytes;
	int64_t got, next;

	if (max > w->left)
		max = w->left;
	if (max < 0 && want->asked.fetch_offset < limit_of(w, p))
		return ERROR_UNKNOWN_SERVER_ERROR; /* nobody asks for less than nothing */
	got = log_read(&p->log, w->call, want->asked.fetch_offset, limit_of(w, p), max, w->one,
		       &r->records, &next);
	if (!got && max > 0 && want->asked.fetch_offset < limit_of(w, p))
		r->aborted_transactions_count = -1; /* there was no room to look any further */
	else if (w->request->isolation_level == 1)
		r->aborted_transactions = marker_aborted(p, w->call, want->asked.fetch_offset, next,
							 &r->aborted_transactions_count);
	w->left -= got < w->left ? got : w->left;
	if (!got)
		return ERROR_NONE;
	w->one = false;
	return w->call->header.api_version < 4
		       ? down_convert(w, want->asked.fetch_offset, &r->records)
		       : ERROR_NONE;
}

static void put_partition(struct fetch_work *w, const struct fetch_want *want,
			  struct fetch_response_responses_partitions *r)
{
	struct partition *p;
	int16_t code;

	codec_init(&fetch_response_responses_partitions_schema, r);
	r->partition_index = want->asked.partition;
	code = w->fetch->error ? w->fetch->error : look_up(w, want, &p);
	if (w->request->isolation_level != 1)
		r->aborted_transactions_count = -1;
	if (code) {
		put_error(w, p, want->asked.partition, code, r);
		return;
	}
	r->high_watermark = partition_high_watermark(p);
	r->last_stable_offset = partition_stable_offset(p);
	r->log_start_offset = p->log.start;
	r->records = (struct records){"", 0, 0};
	r->preferred_read_replica = preferred(w, p, want);
	if (r->preferred_read_replica >= 0) {
		r->aborted_transactions_count = -1;
		return;
	}
	if (diverges(p, want, &r->diverging_epoch.epoch, &r->diverging_epoch.end_offset))
		return;
	r->diverging_epoch.epoch = -1;
	r->diverging_epoch.end_offset = -1;
	code = read(w, p, want, r);
	if (code)
		put_error(w, p, want->asked.partition, code, r);
}

static bool same_topic(const struct fetch_response_responses *r, const struct fetch_want *want)
{
	return uuid_eq(r->topic_id, want->topic_id) && str_eq(r->topic, want->topic);
}

/* The topic entry that the next partition goes into: the last one, or a new one. */
static struct fetch_response_responses *topic_for(struct fetch_work *w,
						  const struct fetch_want *want, int32_t rest)
{
	struct fetch_response *a = w->response;
	struct fetch_response_responses *r =
		a->responses_count ? &a->responses[a->responses_count - 1] : NULL;

	if (r && same_topic(r, want))
		return r;
	r = &a->responses[a->responses_count++];
	r->topic = want->topic;
	r->topic_id = want->topic_id;
	r->partitions = CALL_ARRAY(w->call, struct fetch_response_responses_partitions, rest);
	return r;
}

/* Wants of one topic that follow each other, from i on. */
static int32_t run_length(const struct fetch *f, int32_t i)
{
	int32_t n = 1;

	while (i + n < f->wants_count && uuid_eq(f->wants[i].topic_id, f->wants[i + n].topic_id) &&
	       str_eq(f->wants[i].topic, f->wants[i + n].topic))
		n++;
	return n;
}

/* An incremental answer leaves out what did not change, but not what a rule is about to change. */
static bool is_told(const struct fetch_work *w, const struct fetch_want *want,
		    const struct fetch_response_responses_partitions *r)
{
	const struct topic *t = topic_resolve(w->c, want->topic, want->topic_id);

	if (!w->fetch->session_id || fetch_session_answer(w->c, w->fetch, want, r))
		return true;
	return t && call_fault_later(w->call, t->name, want->asked.partition);
}

static enum call_result answer(struct fetch_work *w)
{
	struct fetch *f = w->fetch;
	int32_t max_bytes = w->request->max_bytes;
	int32_t most = w->c->config.broker.fetch_bytes_max;

	w->left = max_bytes < most ? max_bytes : most;
	w->one = true;
	w->response->session_id = f->session_id;
	w->response->responses =
		CALL_ARRAY(w->call, struct fetch_response_responses, f->wants_count);
	for (int32_t i = 0; i < f->wants_count; i++) {
		struct fetch_response_responses_partitions one;
		struct fetch_response_responses *t;

		put_partition(w, &f->wants[i], &one);
		if (!is_told(w, &f->wants[i], &one))
			continue;
		t = topic_for(w, &f->wants[i], run_length(f, i));
		t->partitions[t->partitions_count++] = one;
	}
	return CALL_ANSWER;
}

enum call_result fetch_work(struct cluster *c, struct call *call)
{
	const struct fetch_request *q = call->request;
	struct fetch_work w = {.c = c, .call = call, .request = q, .fetch = call->state};

	if (!w.fetch) {
		w.fetch = call->state = call_alloc(call, sizeof(*w.fetch));
		w.fetch->deadline_us = c->now.mono_us + (int64_t)q->max_wait_ms * 1000;
		if (q->isolation_level == 0 || q->isolation_level == 1)
			fetch_session_open(c, call, w.fetch);
		else
			fetch_refuse(call, w.fetch);
	}
	if (!w.fetch->error && c->now.mono_us < w.fetch->deadline_us && !enough(&w))
		return wait_for_more(&w);
	w.response = call_response(call, &fetch_response_schema);
	w.response->error_code = w.fetch->error;
	return answer(&w);
}
