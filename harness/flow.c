/* Evidence to the flow of a page. Two passes over the evidence: the first counts, so that the
 * second knows what lies in the middle of a long run and is left out. Texts of messages are kept
 * once each: an empty answer to a Fetch looks like the next. */
#include "harness/flow.h"

#include "base/json.h"
#include "checks/report.h"
#include "decoder/decode.h"
#include "decoder/tree.h"
#include "protocol/kafka_error.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define TREE_MAX       ((size_t)4 << 20) /* of one message, before it is cut */
#define TREE_PLACE     19		 /* columns of a tree's line before a field of depth 1 */
#define LINE_MAX_BYTES 400		 /* of what a subject said, of a topic's name */
#define TOPICS_SHOWN   8
#define REMARKABLE_MAX (FLOW_EVENTS_MAX / 3)

struct text {
	char *text; /* the key */
	int32_t index;
	UT_hash_handle hh;
};

struct flow {
	struct event_sink sink;
	struct names *names;
	struct json *json;  /* NULL in the counting pass */
	struct text *texts; /* in the order in which they came */
	int32_t texts_count;
	struct buf tree, cut; /* scratch */
	int64_t seen, total, left_out, remarkable;
	char said_who[LINE_MAX_BYTES], said_name[LINE_MAX_BYTES];
	struct buf said_line;
	int64_t said_count, said_us;
};

/* ---- texts ---- */

/* Lines of the header that the row itself shows. */
static bool is_header(const char *line, size_t len)
{
	static const char *const names[] = {
		"requestApiKey: ", "requestApiVersion: ", "correlationId: ", "clientId: "};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (len > strlen(names[i]) && !memcmp(line, names[i], strlen(names[i])))
			return true;
	return false;
}

/* A message's tree without places and header, cut at a line. */
static const char *cut_tree(struct flow *f)
{
	const char *at = buf_cstr(&f->tree), *end = at + f->tree.len;
	int32_t line = 0, left = 0;

	buf_reset(&f->cut);
	for (const char *next; at < end; at = next, line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t skip = TREE_PLACE, len;

		next = stop ? stop + 1 : end;
		len = (size_t)((stop ? stop : end) - at);
		skip = skip < len ? skip : len;
		if (line < 4 && is_header(at + skip, len - skip))
			continue;
		if (left || f->cut.len + len > FLOW_MESSAGE_MAX) {
			left++;
			continue;
		}
		buf_add(&f->cut, at + skip, len - skip);
		buf_byte(&f->cut, '\n');
	}
	if (left || f->tree.bad)
		buf_printf(&f->cut,
			   "(cut: %s%d lines more; `ktrial decode -o tree` shows all of it)\n",
			   f->tree.bad ? "at least " : "", left);
	return buf_cstr(&f->cut);
}

/* The place of a message's text. */
static int32_t text_of(struct flow *f, const struct exchange *x, bool response)
{
	struct text *t;
	const char *cut;

	buf_reset(&f->tree);
	tree_message(&f->tree, x, response, f->names, TREE_VALUES_TEXT);
	cut = cut_tree(f);
	HASH_FIND_STR(f->texts, cut, t);
	if (t)
		return t->index;
	t = calloc(1, sizeof(*t));
	if (!t || !(t->text = strdup(cut)))
		abort();
	t->index = f->texts_count++;
	HASH_ADD_KEYPTR(hh, f->texts, t->text, strlen(t->text), t);
	return t->index;
}

static void put_texts(struct flow *f, struct json *j)
{
	struct text *t, *next;

	json_key(j, "texts");
	json_open(j, '[');
	HASH_ITER (hh, f->texts, t, next) {
		json_text(j, t->text);
		HASH_DEL(f->texts, t);
		free(t->text);
		free(t);
	}
	json_close(j, ']');
}

/* ---- events ---- */

static void begin(struct flow *f, const char *kind, int64_t time_us)
{
	json_open(f->json, '{');
	json_key_text(f->json, "k", kind);
	json_key_int(f->json, "t", time_us);
}

static void put_conn(struct flow *f, const struct event_conn *conn)
{
	json_key_int(f->json, "c", conn->conn);
	json_key_int(f->json, "b", conn->broker);
}

static void put_short(struct json *j, const char *key, struct str s)
{
	if (!s.data)
		return;
	s.len = s.len < LINE_MAX_BYTES ? s.len : LINE_MAX_BYTES;
	json_key_str(j, key, s);
}

static void put_errors(struct json *j, const struct summary *s)
{
	char number[16];

	json_key(j, "e");
	json_open(j, '[');
	for (int32_t i = 0; i < s->errors_count; i++) {
		const char *name = kafka_error_name(s->errors[i]);

		snprintf(number, sizeof(number), "%d", s->errors[i]);
		json_text(j, name ? name : number);
	}
	json_close(j, ']');
}

static void put_problems(struct json *j, const struct summary *s)
{
	json_key(j, "p");
	json_open(j, '[');
	for (int32_t i = 0; i < s->problems_count; i++)
		json_text(j, s->problems[i].text);
	json_close(j, ']');
}

static void put_topics(struct json *j, const struct summary *s)
{
	json_key(j, "topics");
	json_open(j, '[');
	for (int32_t i = 0; i < s->topics_count && i < TOPICS_SHOWN; i++)
		json_str(j, s->topics[i]);
	if (s->topics_count > TOPICS_SHOWN)
		json_text(j, "...");
	json_close(j, ']');
}

static void put_exchange(struct flow *f, const struct exchange *x, const struct summary *s)
{
	static const char *const states[] = {"answered", "no-answer", "lost", "orphan"};
	const char *api = api_name(x->header.api_key);
	struct json *j = f->json;
	char number[16];

	snprintf(number, sizeof(number), "API %d", x->header.api_key);
	begin(f, "exchange", x->request_us ? x->request_us : x->response_us);
	json_key_int(j, "u", x->response_us);
	put_conn(f, &x->conn);
	put_short(j, "id", x->header.client_id);
	json_key_text(j, "a", api ? api : number);
	json_key_int(j, "v", x->header.api_version);
	json_key_int(j, "n", x->header.correlation_id);
	json_key_text(j, "s", states[x->state]);
	put_topics(j, s);
	put_short(j, "g", s->group);
	put_short(j, "x", s->transactional_id);
	put_errors(j, s);
	put_problems(j, s);
	if (s->throttle_ms > 0)
		json_key_int(j, "th", s->throttle_ms);
	put_short(j, "f", x->rule);
	if (x->request.data)
		json_key_int(j, "q", text_of(f, x, false));
	if (x->response.data)
		json_key_int(j, "r", text_of(f, x, true));
	json_close(j, '}');
}

static void put_life(struct flow *f, const struct event *ev)
{
	static const char *const hows[] = {"closed by the client", "closed by the broker",
					   "reset by the client", "reset by the broker",
					   "open at the end"};
	const char *kind = ev->kind == EVENT_CONN_OPENED   ? "open"
			   : ev->kind == EVENT_CONN_CLOSED ? "close"
							   : "refused";
	char from[ENDPOINT_TEXT_SIZE];

	endpoint_text(&ev->conn.client, from);
	begin(f, kind, ev->time_us);
	put_conn(f, &ev->conn);
	json_key_text(f->json, "how", hows[ev->conn.how]);
	json_key_text(f->json, "from", from);
	json_close(f->json, '}');
}

static void put_rule(struct flow *f, const struct event *ev)
{
	begin(f, "rule", ev->time_us);
	json_key_str(f->json, "name", ev->rule.name);
	json_key_str(f->json, "what", ev->rule.what);
	json_key_int(f->json, "hit", (int64_t)ev->rule.hit);
	json_key_int(f->json, "c", ev->rule.conn);
	json_key_int(f->json, "n", ev->rule.correlation_id);
	json_key_str(f->json, "text", ev->rule.text);
	json_close(f->json, '}');
}

static void put_log(struct flow *f, const struct event *ev)
{
	static const char *const whats[] = {"appended", "truncated", "start moved", "compacted"};
	const struct event_log *log = &ev->log;

	begin(f, "log", ev->time_us);
	json_key_text(f->json, "what", whats[log->what]);
	put_short(f->json, "topic", log->topic);
	json_key_int(f->json, "p", log->partition);
	json_key_int(f->json, "from", log->base_offset);
	json_key_int(f->json, "to", log->next_offset);
	json_key_int(f->json, "epoch", log->leader_epoch);
	json_key_int(f->json, "c", log->conn);
	json_key_int(f->json, "n", log->correlation_id);
	json_close(f->json, '}');
}

static void put_cluster(struct flow *f, const struct event *ev)
{
	begin(f, "cluster", ev->time_us);
	json_key_str(f->json, "name", ev->cluster.name);
	json_key(f->json, "d");
	json_raw(f->json, ev->cluster.detail.len ? ev->cluster.detail : str_of("{}"));
	json_close(f->json, '}');
}

static void put_unmatched(struct flow *f, const struct event *ev)
{
	begin(f, "unmatched", ev->time_us);
	put_conn(f, &ev->unmatched.conn);
	json_key_bool(f->json, "client", ev->unmatched.from_client);
	json_key_int(f->json, "size", (int64_t)ev->unmatched.size);
	json_key_str(f->json, "why", ev->unmatched.why);
	json_close(f->json, '}');
}

/* ---- what subjects said: equal lines in a row are one event ---- */

static void end_said(struct flow *f)
{
	if (!f->said_count)
		return;
	begin(f, "said", f->said_us);
	json_key_text(f->json, "who", f->said_who);
	json_key_text(f->json, "name", f->said_name);
	json_key_int(f->json, "count", f->said_count);
	json_key_text(f->json, "line", buf_cstr(&f->said_line));
	json_close(f->json, '}');
	f->said_count = 0;
}

static void add_said(struct flow *f, const struct event *ev, struct str name)
{
	int32_t len = ev->report.line.len;

	end_said(f);
	snprintf(f->said_who, sizeof(f->said_who), STR_FMT, STR_ARG(ev->report.subject));
	snprintf(f->said_name, sizeof(f->said_name), STR_FMT, STR_ARG(name));
	buf_reset(&f->said_line);
	buf_add(&f->said_line, ev->report.line.data,
		(size_t)(len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES));
	f->said_us = ev->time_us;
}

/* Each attempt to send and each record that was read stands on the wire, too, and in sums. */
static void on_report(struct flow *f, const struct event *ev)
{
	struct report r;

	if (!report_read(ev->report.line, &r))
		return;
	if (r.kind != REPORT_SEND_ATTEMPT && r.kind != REPORT_RECORD) {
		if (!f->said_count || !str_is(ev->report.subject, f->said_who) ||
		    !str_is(r.name, f->said_name))
			add_said(f, ev, r.name);
		f->said_count++;
	}
	report_release(&r);
}

/* ---- choosing ---- */

static bool is_remarkable(const struct event *ev, const struct summary *s)
{
	switch (ev->kind) {
	case EVENT_EXCHANGE:
		return ev->exchange->rule.data || s->errors_count || s->problems_count ||
		       ev->exchange->state == EXCHANGE_LOST;
	case EVENT_RULE:
	case EVENT_CLUSTER:
	case EVENT_CONN_REFUSED:
	case EVENT_UNMATCHED:
		return true;
	default:
		return false;
	}
}

/* Whether this event is among those that are shown. */
static bool is_kept(struct flow *f, const struct event *ev, const struct summary *s)
{
	int64_t ends = (FLOW_EVENTS_MAX - REMARKABLE_MAX) / 2, index = f->seen++;

	if (f->total <= FLOW_EVENTS_MAX || index < ends || index >= f->total - ends)
		return true;
	if (!is_remarkable(ev, s) || f->remarkable == REMARKABLE_MAX)
		return false;
	f->remarkable++;
	return true;
}

static void put_gap(struct flow *f, int64_t time_us)
{
	if (!f->left_out)
		return;
	begin(f, "gap", time_us);
	json_key_int(f->json, "count", f->left_out);
	json_close(f->json, '}');
	f->left_out = 0;
}

static void put_event(struct flow *f, const struct event *ev, const struct summary *s)
{
	switch (ev->kind) {
	case EVENT_EXCHANGE:
		put_exchange(f, ev->exchange, s);
		break;
	case EVENT_RULE:
		put_rule(f, ev);
		break;
	case EVENT_LOG:
		put_log(f, ev);
		break;
	case EVENT_CLUSTER:
		put_cluster(f, ev);
		break;
	case EVENT_UNMATCHED:
		put_unmatched(f, ev);
		break;
	default:
		put_life(f, ev);
	}
}

static void on_event(void *ctx, const struct event *ev)
{
	struct flow *f = ctx;
	struct summary s = {0};

	if (ev->kind == EVENT_MARK)
		return;
	if (ev->kind == EVENT_REPORT) {
		if (f->json)
			on_report(f, ev);
		return;
	}
	if (!f->json) {
		f->total++;
		return;
	}
	if (ev->kind == EVENT_EXCHANGE)
		summarize(ev->exchange, f->names, &s);
	if (!is_kept(f, ev, &s)) {
		f->left_out++;
		return;
	}
	end_said(f);
	put_gap(f, ev->time_us);
	put_event(f, ev, &s);
}

static int pass(struct flow *f, const char *evidence, struct error *e)
{
	struct decode_options options = {0};
	struct event_bus bus = {0};
	struct decode *decode;
	int rc;

	f->sink = (struct event_sink){.on_event = on_event, .ctx = f};
	event_bus_add(&bus, &f->sink);
	decode = decode_new(&options, &bus);
	rc = decode_files(decode, &evidence, 1, e);
	decode_free(decode);
	return rc;
}

/* ---- outputs ---- */

static void put_output(struct json *j, const char *folder, const char *name)
{
	char path[PATH_MAX + 300], text[FLOW_TAIL_MAX];
	size_t n = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	in = fopen(path, "re");
	if (!in)
		return;
	if (!fseek(in, -FLOW_TAIL_MAX, SEEK_END) || !fseek(in, 0, SEEK_SET))
		n = fread(text, 1, sizeof(text), in);
	fclose(in);
	if (!n)
		return;
	json_open(j, '{');
	json_key_text(j, "name", name);
	json_key_str(j, "text", (struct str){text, (int32_t)n});
	json_close(j, '}');
}

static int is_output(const struct dirent *d)
{
	return !strncmp(d->d_name, "subject-", 8);
}

static void put_outputs(struct json *j, const char *folder)
{
	struct dirent **list = NULL;
	int n = scandir(folder, &list, is_output, alphasort);

	json_key(j, "outputs");
	json_open(j, '[');
	for (int i = 0; i < n; i++) {
		put_output(j, folder, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	json_close(j, ']');
}

int flow_write(const char *folder, struct buf *out, struct error *e)
{
	struct flow f = {.names = names_new()};
	char evidence[PATH_MAX + 20];
	struct json j;
	int rc;

	snprintf(evidence, sizeof(evidence), "%s/evidence.pcapng", folder);
	buf_init(&f.tree, TREE_MAX);
	buf_init(&f.cut, FLOW_MESSAGE_MAX + 1000);
	buf_init(&f.said_line, LINE_MAX_BYTES + 1);
	json_init(&j, out);
	rc = pass(&f, evidence, e);
	if (!rc) {
		json_open(&j, '{');
		json_key(&j, "events");
		json_open(&j, '[');
		f.json = &j;
		rc = pass(&f, evidence, e);
		end_said(&f);
		put_gap(&f, 0);
		json_close(&j, ']');
		put_texts(&f, &j);
		put_outputs(&j, folder);
		json_close(&j, '}');
	}
	buf_release(&f.tree);
	buf_release(&f.cut);
	buf_release(&f.said_line);
	names_free(f.names);
	return rc;
}
