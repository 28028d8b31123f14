/* One object a line, keys in a fixed order. Bodies are protocol/message_json's; what was found in
 * them, summary.c's. Pure: events in, text out. */
#include "decoder/jsonl.h"

#include "base/json.h"
#include "decoder/embedded_json.h"
#include "protocol/kafka_error.h"
#include "protocol/message_json.h"

#include <stdio.h>

static void put_time(struct json *j, int64_t time_us)
{
	char text[RFC3339_SIZE];

	clock_rfc3339(time_us, text);
	json_key_text(j, "time", text);
}

static void put_endpoint(struct json *j, const char *key, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_text(e, text);
	json_key_text(j, key, text);
}

static void put_conn(struct json *j, const struct event_conn *conn)
{
	json_key_int(j, "conn", conn->conn);
	if (conn->broker >= 0)
		json_key_int(j, "broker", conn->broker);
}

static void put_header(struct json *j, const struct exchange *x)
{
	const char *name = api_name(x->header.api_key);

	if (x->state != EXCHANGE_ORPHAN) {
		json_key(j, "api");
		if (name)
			json_text(j, name);
		else
			json_nil(j);
		json_key_int(j, "apiKey", x->header.api_key);
		json_key_int(j, "version", x->header.api_version);
	}
	json_key_int(j, "correlationId", x->header.correlation_id);
	if (x->state != EXCHANGE_ORPHAN)
		json_key_str(j, "clientId", x->header.client_id);
}

static void put_frames(struct json *j, const char *key, uint64_t first, uint64_t last)
{
	if (!first)
		return;
	json_key(j, key);
	json_open(j, '[');
	json_uint(j, first);
	if (last > first)
		json_uint(j, last);
	json_close(j, ']');
}

static void put_errors(struct json *j, const struct summary *s)
{
	char number[16];

	json_key(j, "errors");
	json_open(j, '[');
	for (int32_t i = 0; i < s->errors_count; i++) {
		const char *name = kafka_error_name(s->errors[i]);

		snprintf(number, sizeof(number), "%d", s->errors[i]);
		json_text(j, name ? name : number);
	}
	json_close(j, ']');
}

static void put_found(struct json *j, const struct exchange *x, const struct summary *s)
{
	if (s->topics_count) {
		json_key(j, "topics");
		json_open(j, '[');
		for (int32_t i = 0; i < s->topics_count; i++)
			json_str(j, s->topics[i]);
		json_close(j, ']');
	}
	if (s->group.data)
		json_key_str(j, "group", s->group);
	if (s->member.data)
		json_key_str(j, "member", s->member);
	if (s->transactional_id.data)
		json_key_str(j, "transactionalId", s->transactional_id);
	put_errors(j, s);
	if (x->rule.data)
		json_key_str(j, "rule", x->rule);
}

static void put_times(struct json *j, const struct exchange *x, const struct summary *s)
{
	if (x->response_us && x->request_us) {
		json_key_int(j, "latencyUs", x->response_us - x->request_us);
		json_key_int(j, "waitUs", x->response_first_us - x->request_us);
	}
	if (s->throttle_ms >= 0)
		json_key_int(j, "throttleMs", s->throttle_ms);
	if (x->resent)
		json_key_int(j, "resent", (int64_t)x->resent);
	if (s->session_id) {
		json_key(j, "session");
		json_open(j, '{');
		json_key_int(j, "id", s->session_id);
		json_key_int(j, "epoch", s->session_epoch);
		json_key_int(j, "partitions", s->session_partitions);
		json_close(j, '}');
	}
}

static void put_body(struct json *j, const char *key, struct exchange *x, bool response)
{
	const struct message *m =
		message_of_api(x->header.api_key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	const void *body = response ? exchange_response(x) : exchange_request(x);

	json_key(j, key);
	if (!body || !m)
		json_nil(j);
	else
		message_json_write(m->schema,
				   response ? exchange_response_version(x) : x->header.api_version,
				   body, j);
}

static void put_problem(struct json *j, const struct problem *p, bool of)
{
	json_open(j, '{');
	if (of)
		json_key_text(j, "of", p->response ? "response" : "request");
	json_key_text(j, "kind", problem_name(p->kind));
	if (p->offset >= 0)
		json_key_int(j, "offset", p->offset);
	if (p->field[0])
		json_key_text(j, "field", p->field);
	json_key_text(j, "text", p->text);
	json_close(j, '}');
}

/* only: problems of one message (0 request, 1 response); -1: all. utf8: a text was not UTF-8. */
static void put_problems(struct json *j, const struct summary *s, int only)
{
	bool utf8 = j->bad_utf8;

	json_key(j, "problems");
	json_open(j, '[');
	for (int32_t i = 0; i < s->problems_count; i++)
		if (only < 0 || s->problems[i].response == only)
			put_problem(j, &s->problems[i], only < 0);
	if (utf8) {
		json_open(j, '{');
		json_key_text(j, "kind", "utf8");
		json_key_text(j, "text", "a text that is not UTF-8 shows U+FFFD");
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_message(struct buf *out, struct exchange *x, const struct summary *s, bool response)
{
	const struct event_conn *conn = &x->conn;
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	put_time(&j, response ? x->response_us : x->request_us);
	put_endpoint(&j, "src", response ? &conn->server : &conn->client);
	put_endpoint(&j, "dst", response ? &conn->client : &conn->server);
	put_conn(&j, conn);
	put_header(&j, x);
	json_key_text(&j, "type", response ? "response" : "request");
	json_key_int(&j, "size", response ? x->response_size : x->request_size);
	if (response)
		put_frames(&j, "frames", x->response_packet, x->response_packet_last);
	else
		put_frames(&j, "frames", x->request_packet, x->request_packet_last);
	if (response && x->request_packet)
		json_key_int(&j, "requestFrame", (int64_t)x->request_packet);
	if (response)
		put_times(&j, x, s);
	put_found(&j, x, s);
	put_body(&j, "body", x, response);
	embedded_json_message(&j, x, s, response);
	put_problems(&j, s, response);
	json_close(&j, '}');
	buf_byte(out, '\n');
}

static void put_pair(struct buf *out, struct exchange *x, const struct summary *s)
{
	static const char *const states[] = {"answered", "no-answer", "lost", "orphan"};
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	put_time(&j, x->request_us ? x->request_us : x->response_us);
	put_endpoint(&j, "client", &x->conn.client);
	put_endpoint(&j, "server", &x->conn.server);
	put_conn(&j, &x->conn);
	put_header(&j, x);
	json_key_text(&j, "state", states[x->state]);
	if (x->request_us)
		json_key_int(&j, "requestSize", x->request_size);
	if (x->response_us)
		json_key_int(&j, "responseSize", x->response_size);
	put_frames(&j, "requestFrames", x->request_packet, x->request_packet_last);
	put_frames(&j, "responseFrames", x->response_packet, x->response_packet_last);
	put_times(&j, x, s);
	put_found(&j, x, s);
	put_body(&j, "request", x, false);
	put_body(&j, "response", x, true);
	embedded_json_pair(&j, x, s);
	put_problems(&j, s, -1);
	json_close(&j, '}');
	buf_byte(out, '\n');
}

static void put_unmatched(struct buf *out, const struct event *ev, enum jsonl_kind kind)
{
	const struct event_unmatched *u = &ev->unmatched;
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	put_time(&j, ev->time_us);
	put_endpoint(&j, "src", u->from_client ? &u->conn.client : &u->conn.server);
	put_endpoint(&j, "dst", u->from_client ? &u->conn.server : &u->conn.client);
	put_conn(&j, &u->conn);
	json_key_text(&j, kind == JSONL_MESSAGES ? "type" : "state", "unmatched");
	json_key_int(&j, "size", (int64_t)u->size);
	put_frames(&j, "frames", u->packet, u->packet);
	json_key(&j, "problems");
	json_open(&j, '[');
	json_open(&j, '{');
	json_key_text(&j, "kind", "unmatched");
	json_key_str(&j, "text", u->why);
	json_close(&j, '}');
	json_close(&j, ']');
	json_close(&j, '}');
	buf_byte(out, '\n');
}

static void put_tls(struct buf *out, const struct event *ev, enum jsonl_kind kind)
{
	const struct event_tls *t = &ev->tls;
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	put_time(&j, ev->time_us);
	put_endpoint(&j, kind == JSONL_MESSAGES ? "src" : "client", &t->conn.client);
	put_endpoint(&j, kind == JSONL_MESSAGES ? "dst" : "server", &t->conn.server);
	put_conn(&j, &t->conn);
	json_key_text(&j, kind == JSONL_MESSAGES ? "type" : "state", "tls");
	json_key_int(&j, "asked", (int64_t)t->asked);
	json_key_int(&j, "answered", (int64_t)t->answered);
	json_key_int(&j, "roundTrips", (int64_t)t->round_trips);
	json_key_int(&j, "waitUs", t->wait_us);
	json_key_int(&j, "waitMaxUs", t->wait_max_us);
	json_close(&j, '}');
	buf_byte(out, '\n');
}

void jsonl_exchange(struct buf *out, struct exchange *x, const struct summary *s,
		    enum jsonl_kind kind)
{
	if (kind == JSONL_EXCHANGES) {
		put_pair(out, x, s);
		return;
	}
	if (x->state != EXCHANGE_ORPHAN)
		put_message(out, x, s, false);
	if (x->response_us)
		put_message(out, x, s, true);
}

bool jsonl_event(struct buf *out, const struct event *ev, struct names *names, enum jsonl_kind kind)
{
	struct summary s;

	if (ev->kind == EVENT_UNMATCHED)
		put_unmatched(out, ev, kind);
	if (ev->kind == EVENT_TLS)
		put_tls(out, ev, kind);
	if (ev->kind != EVENT_EXCHANGE)
		return false;
	summarize(ev->exchange, names, &s);
	jsonl_exchange(out, ev->exchange, &s, kind);
	return s.malformed;
}
