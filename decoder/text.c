/* Lines: time, who to whom, API, version, correlation id, and then key=value for what was found.
 * Times are UTC; lines sort by their time as text. Pure: events in, text out. */
#include "decoder/text.h"

#include "base/json.h"
#include "protocol/kafka_error.h"

#include <stdio.h>

#define TEXT_VALUE_MAX	120 /* characters of a text of unknown length */
#define TEXT_TOPICS_MAX 64  /* named in a line */

static void put_time(struct buf *out, int64_t time_us)
{
	char text[RFC3339_SIZE];

	clock_rfc3339(time_us, text);
	buf_text(out, text);
}

static void put_ends(struct buf *out, const struct event_conn *conn, bool from_client)
{
	char a[ENDPOINT_TEXT_SIZE], b[ENDPOINT_TEXT_SIZE];

	endpoint_text(from_client ? &conn->client : &conn->server, a);
	endpoint_text(from_client ? &conn->server : &conn->client, b);
	buf_byte(out, ' ');
	buf_text(out, a);
	buf_text(out, " > ");
	buf_text(out, b);
	buf_byte(out, ' ');
}

/* The length of the character at p that may stand in a line as it is; 0 if none does. */
static size_t plain_length(const uint8_t *p, size_t n)
{
	if (p[0] < 0x80)
		return p[0] > 0x20 && p[0] != 0x7f;
	/* U+0080 to U+009F are control characters, too. */
	return n > 1 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : utf8_length(p, n);
}

/* How many bytes from p on are ASCII that stands in a line as it is, eight looked at together:
 * nearly all of a text. A byte below 0x21 borrows, one of 0x7f or above has or gets the upper bit.
 */
static size_t plain_run(const uint8_t *p, size_t n)
{
	static const uint64_t ones = 0x0101010101010101u;
	size_t i = 0;
	uint64_t w;

	for (; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		if ((w | (w - ones * 0x21) | (w + ones)) & ones * 0x80)
			break;
	}
	return i;
}

/* Text from the wire: what a terminal would obey, blanks that would break the line into wrong
 * words, and what is no UTF-8 become their code. */
void text_put(struct buf *out, struct str s, int32_t max)
{
	const uint8_t *p = (const uint8_t *)s.data;
	size_t n = (size_t)(s.len < max ? s.len : max), plain = 0, len;

	for (size_t i = plain_run(p, n); i < n; i += len ? len : 1) {
		len = plain_length(p + i, n - i);
		if (len)
			continue;
		buf_add(out, p + plain, i - plain);
		buf_printf(out, "\\x%02x", p[i]);
		plain = i + 1;
	}
	if (n > plain)
		buf_add(out, p + plain, n - plain);
	if (s.len > max)
		buf_text(out, "...");
}

void text_copy(char *to, size_t size, struct str s)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 16);
	text_put(&b, s, (int32_t)size);
	snprintf(to, size, "%s", buf_cstr(&b));
	buf_release(&b);
}

void text_words(char *to, size_t size, struct str s)
{
	size_t len = 0;
	struct str word;

	to[0] = '\0';
	for (int32_t at = 0; at < s.len && len < size - 1; at += word.len + 1) {
		const char *end = memchr(s.data + at, ' ', (size_t)(s.len - at));

		word.data = s.data + at;
		word.len = (int32_t)((end ? end : s.data + s.len) - word.data);
		text_copy(to + len, size - len, word);
		len += strlen(to + len);
		if (end && len < size - 1) {
			to[len++] = ' ';
			to[len] = '\0';
		}
	}
}

static void put_str(struct buf *out, struct str s)
{
	text_put(out, s, TEXT_VALUE_MAX);
}

static void put_key(struct buf *out, const char *key, struct str value)
{
	if (!value.data)
		return;
	buf_byte(out, ' ');
	buf_text(out, key);
	buf_byte(out, '=');
	put_str(out, value);
}

static void put_int(struct buf *out, const char *key, int64_t value)
{
	buf_text(out, key);
	buf_int(out, value);
}

/* µs as milliseconds with their three digits. */
static void put_ms(struct buf *out, const char *key, int64_t us)
{
	uint64_t v = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	char digits[] = {'.', (char)('0' + v / 100 % 10), (char)('0' + v / 10 % 10),
			 (char)('0' + v % 10)};

	buf_text(out, key);
	if (us < 0)
		buf_byte(out, '-');
	buf_uint(out, v / 1000);
	buf_add(out, digits, sizeof(digits));
	buf_text(out, "ms");
}

static void put_rule_text(struct buf *out, struct str rule)
{
	if (rule.data)
		buf_printf(out, " rule=\"" STR_FMT "\"", STR_ARG(rule));
}

static void put_errors(struct buf *out, const struct summary *s)
{
	for (int32_t i = 0; i < s->errors_count; i++) {
		const char *name = kafka_error_name(s->errors[i]);

		buf_text(out, i ? "," : " errors=");
		if (name)
			buf_text(out, name);
		else
			buf_printf(out, "%d", s->errors[i]);
	}
}

static void put_topics(struct buf *out, const struct summary *s)
{
	for (int32_t i = 0; i < s->topics_count && i < TEXT_TOPICS_MAX; i++) {
		buf_text(out, i ? "," : " topics=");
		put_str(out, s->topics[i]);
	}
	if (s->topics_count > TEXT_TOPICS_MAX)
		buf_printf(out, ",+%d", s->topics_count - TEXT_TOPICS_MAX);
}

static void put_problems(struct buf *out, const struct summary *s, bool response)
{
	for (int32_t i = 0; i < s->problems_count; i++) {
		const struct problem *p = &s->problems[i];

		if (p->response != response)
			continue;
		buf_printf(out, " [%s", problem_name(p->kind));
		if (p->field[0])
			buf_printf(out, " %s", p->field);
		if (p->offset >= 0)
			buf_printf(out, " at %lld", (long long)p->offset);
		buf_printf(out, ": %s]", p->text);
	}
}

static void put_api(struct buf *out, const struct exchange *x, const char *what)
{
	const char *name = api_name(x->header.api_key);

	if (name)
		buf_text(out, name);
	else if (x->header.api_key < 0)
		buf_text(out, "?");
	else
		put_int(out, "API ", x->header.api_key);
	if (x->header.api_key >= 0)
		put_int(out, " v", x->header.api_version);
	buf_byte(out, ' ');
	buf_text(out, what);
	put_int(out, " #", x->header.correlation_id);
}

static void put_request(struct buf *out, const struct exchange *x, const struct summary *s)
{
	put_time(out, x->request_us);
	put_ends(out, &x->conn, true);
	put_api(out, x, "request");
	put_key(out, "client", x->header.client_id);
	put_topics(out, s);
	put_key(out, "group", s->group);
	put_key(out, "member", s->member);
	put_key(out, "txn", s->transactional_id);
	if (s->session_id)
		buf_printf(out, " session=%d/%d partitions=%d", s->session_id, s->session_epoch,
			   s->session_partitions);
	put_int(out, " size=", x->request_size);
	if (x->state == EXCHANGE_NO_ANSWER)
		buf_text(out, " acks=0");
	if (x->state == EXCHANGE_LOST)
		buf_text(out, " unanswered");
	put_rule_text(out, x->rule);
	put_problems(out, s, false);
	buf_byte(out, '\n');
}

static void put_response(struct buf *out, const struct exchange *x, const struct summary *s)
{
	put_time(out, x->response_us);
	put_ends(out, &x->conn, false);
	put_api(out, x, "response");
	if (x->request_us)
		put_ms(out, " latency=", x->response_us - x->request_us);
	put_topics(out, s);
	put_key(out, "group", s->group);
	put_errors(out, s);
	if (s->throttle_ms > 0)
		buf_printf(out, " throttle=%lldms", (long long)s->throttle_ms);
	if (x->resent)
		put_int(out, " resent=", (int64_t)x->resent);
	put_int(out, " size=", x->response_size);
	put_rule_text(out, x->rule);
	put_problems(out, s, true);
	buf_byte(out, '\n');
}

void text_message(struct buf *out, const struct exchange *x, const struct summary *s, bool response)
{
	if (response)
		put_response(out, x, s);
	else
		put_request(out, x, s);
}

void text_exchange(struct buf *out, const struct exchange *x, const struct summary *s)
{
	if (x->state != EXCHANGE_ORPHAN)
		put_request(out, x, s);
	if (x->response_us)
		put_response(out, x, s);
}

static void put_conn(struct buf *out, const struct event *ev)
{
	static const char *const ends[] = {"closed by the client", "closed by the broker",
					   "reset by the client", "reset by the broker",
					   "open at the end"};

	put_ends(out, &ev->conn, true);
	buf_printf(out, "connection %lld %s", (long long)ev->conn.conn,
		   ev->kind == EVENT_CONN_OPENED    ? "opened"
		   : ev->kind == EVENT_CONN_REFUSED ? "refused"
						    : ends[ev->conn.how]);
	if (ev->conn.broker >= 0)
		buf_printf(out, " broker=%d", ev->conn.broker);
	if (ev->kind == EVENT_CONN_CLOSED && ev->conn.why.data)
		buf_printf(out, " [" STR_FMT "]", STR_ARG(ev->conn.why));
}

static void put_log(struct buf *out, const struct event_log *log)
{
	static const char *const whats[] = {"appended", "truncated", "start-moved", "compacted"};

	buf_printf(out, " log %s", whats[log->what]);
	put_key(out, "topic", log->topic);
	buf_printf(out, " partition=%d offsets=%lld..%lld epoch=%d", log->partition,
		   (long long)log->base_offset, (long long)log->next_offset, log->leader_epoch);
	if (log->conn)
		buf_printf(out, " connection=%lld correlation=%d", (long long)log->conn,
			   log->correlation_id);
}

static void put_rule(struct buf *out, const struct event_rule *rule)
{
	const char *api = api_name(rule->api_key);

	buf_text(out, " rule");
	put_key(out, "name", rule->name);
	put_key(out, "what", rule->what);
	buf_printf(out, " hit=%llu connection=%lld api=%s correlation=%d text=\"" STR_FMT "\"",
		   (unsigned long long)rule->hit, (long long)rule->conn, api ? api : "?",
		   rule->correlation_id, STR_ARG(rule->text));
}

static void put_unmatched(struct buf *out, const struct event_unmatched *u)
{
	put_ends(out, &u->conn, u->from_client);
	buf_printf(out, "unmatched size=%llu [", (unsigned long long)u->size);
	buf_printf(out, STR_FMT "]", STR_ARG(u->why));
}

static void put_tls(struct buf *out, const struct event_tls *t)
{
	put_ends(out, &t->conn, true);
	put_int(out, "TLS, not decrypted: asked=", (int64_t)t->asked);
	put_int(out, " answered=", (int64_t)t->answered);
	put_int(out, " round-trips=", (int64_t)t->round_trips);
	if (!t->round_trips)
		return;
	put_ms(out, " wait=", t->wait_us / (int64_t)t->round_trips);
	put_ms(out, " longest=", t->wait_max_us);
}

static void put_other(struct buf *out, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_UNMATCHED:
		put_unmatched(out, &ev->unmatched);
		break;
	case EVENT_TLS:
		put_tls(out, &ev->tls);
		break;
	case EVENT_RULE:
		put_rule(out, &ev->rule);
		break;
	case EVENT_LOG:
		put_log(out, &ev->log);
		break;
	case EVENT_CLUSTER:
		buf_printf(out, " cluster " STR_FMT " " STR_FMT, STR_ARG(ev->cluster.name),
			   STR_ARG(ev->cluster.detail));
		break;
	case EVENT_REPORT:
		buf_printf(out, " report " STR_FMT " " STR_FMT, STR_ARG(ev->report.subject),
			   STR_ARG(ev->report.line));
		break;
	case EVENT_MARK:
		buf_printf(out, " mark " STR_FMT, STR_ARG(ev->mark));
		break;
	default:
		put_conn(out, ev);
	}
	buf_byte(out, '\n');
}

bool text_event(struct buf *out, const struct event *ev, struct names *names, bool verbose)
{
	struct summary s;

	if (ev->kind == EVENT_EXCHANGE) {
		summarize(ev->exchange, names, &s);
		text_exchange(out, ev->exchange, &s);
		return s.malformed;
	}
	if (!verbose && ev->kind != EVENT_UNMATCHED && ev->kind != EVENT_RULE)
		return false;
	put_time(out, ev->time_us);
	put_other(out, ev);
	return false;
}
