/* The HTTP side of the control interface: listening, the token, finding the route, answers now or
 * later. What the routes do is control_routes.c's. Owns the exchanges that are
 * kept, and what happened. */
#include "service/control_ask.h"

#include "base/log.h"
#include "rules/words.h"

#include <errno.h>
#include <arpa/inet.h>
#include <assert.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#define BODY_MAX	((size_t)64 << 20)
#define ANSWER_MAX	((size_t)256 << 20)
#define ACCEPT_PAUSE_US 100000

/* A question that waits until a count is reached. */
struct waiting {
	struct waiting *next;
	struct evhttp_request *req;
	struct control *c;
	enum wait_for what;
	char *name; /* of a rule or a hold; of exchanges what to match, NULL for any */
	uint64_t count, reached;
	uint64_t since; /* what has an id up to this one is counted */
	int64_t until_us;
};

static void send_json(struct evhttp_request *req, int status, const struct buf *out)
{
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "application/json");
	evbuffer_add(body, out->data, out->len);
	evbuffer_add(body, "\n", 1);
	evhttp_send_reply(req, status, NULL, body);
	evbuffer_free(body);
}

int ask_fail(struct ask *a, int status, const char *fmt, ...)
{
	char text[700];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_reset(&a->out);
	json_init(&a->json, &a->out);
	json_open(&a->json, '{');
	json_key_text(&a->json, "error", text);
	json_close(&a->json, '}');
	return status;
}

int ask_error(struct ask *a, int status, const struct error *e)
{
	buf_reset(&a->out);
	json_init(&a->json, &a->out);
	json_open(&a->json, '{');
	json_key_text(&a->json, "error", e->text);
	if (e->field[0])
		json_key_text(&a->json, "field", e->field);
	if (e->offset != ERROR_NO_OFFSET)
		json_key_int(&a->json, "column", (int64_t)e->offset);
	json_close(&a->json, '}');
	return status;
}

const char *ask_query(const struct ask *a, const char *key)
{
	return evhttp_find_header(&a->query, key);
}

struct str ask_text(const struct ask *a, const char *key)
{
	return str_of(json_string_value(json_object_get(a->body, key)));
}

int64_t ask_int(const struct ask *a, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(a->body, key);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

/* ---- waiting ---- */

/* Adds those that match and came since. All may have been reset in the meantime. */
static void count_more(struct waiting *w)
{
	const struct control *c = w->c;
	struct keep_query q = {.match = str_of(w->name), .cluster = service_cluster(c->service)};
	struct happened_query h = {.match = str_of(w->name)};
	bool exchanges = w->what == WAIT_EXCHANGES;
	uint64_t total = exchanges ? keep_total(c->keep) : happened_total(c->happened);
	int64_t more = 0;

	q.since = h.since = w->since = w->since > total ? 0 : w->since;
	if (w->since == total)
		return;
	if (!exchanges)
		more = happened_query(c->happened, &h, NULL);
	else if (keep_query(c->keep, &q, NULL, &more, NULL))
		more = 0;
	w->since = total;
	w->reached += (uint64_t)more;
}

/* How far the count is; false if what is counted is gone. */
static bool waiting_look(struct waiting *w)
{
	struct service *s = w->c->service;
	struct rule *r;

	switch (w->what) {
	case WAIT_RULE:
		r = rules_find(service_rules(s), str_of(w->name));
		w->reached = r ? rule_hits(r) : 0;
		return r != NULL;
	case WAIT_HOLD:
		w->reached = (uint64_t)service_held(s, str_of(w->name));
		return true;
	default:
		count_more(w);
		return true;
	}
}

static void waiting_answer(const struct waiting *w, bool there)
{
	static const char *const name_keys[] = {"name", "name", "match", "match"};
	static const char *const count_keys[] = {"hits", "held", "count", "count"};
	struct buf out;
	struct json j;
	bool met = there && w->reached >= w->count;

	buf_init(&out, 4096);
	json_init(&j, &out);
	json_open(&j, '{');
	json_key_str(&j, name_keys[w->what], str_of(w->name));
	json_key_int(&j, count_keys[w->what], (int64_t)w->reached);
	json_key_bool(&j, "met", met);
	json_close(&j, '}');
	send_json(w->req, met ? 200 : there ? 408 : 404, &out);
	buf_release(&out);
}

static void waiting_free(struct waiting *w)
{
	free(w->name);
	free(w);
}

/* Answers those whose count is reached, whose rule is gone, or whose time is over. */
static void on_check(void *ctx, struct instant now)
{
	struct control *c = ctx;
	int64_t next = INSTANT_NEVER;

	for (struct waiting **at = &c->waiting; *at;) {
		struct waiting *w = *at;
		bool there = waiting_look(w);

		if (there && w->reached < w->count && now.mono_us < w->until_us) {
			next = w->until_us < next ? w->until_us : next;
			at = &w->next;
			continue;
		}
		*at = w->next;
		evhttp_connection_set_closecb(evhttp_request_get_connection(w->req), NULL, NULL);
		waiting_answer(w, there);
		waiting_free(w);
	}
	loop_timer_set(&c->check, next);
}

/* Something that may be waited for: look at once, but not from inside the event. */
static void on_event(void *ctx, const struct event *ev)
{
	struct control *c = ctx;

	(void)ev;
	if (c->waiting)
		loop_timer_set(&c->check, 0);
}

/* Whoever waited has gone. */
static void on_gone(struct evhttp_connection *connection, void *ctx)
{
	struct waiting *gone = ctx;
	struct waiting **at = &gone->c->waiting;

	(void)connection;
	while (*at && *at != gone)
		at = &(*at)->next;
	if (*at)
		*at = gone->next;
	waiting_free(gone);
}

int control_wait(struct ask *a, enum wait_for what, struct str name)
{
	const char *count = ask_query(a, "count"), *timeout = ask_query(a, "timeout");
	const char *since = ask_query(a, "since");
	int64_t n = 1, us = 30000000, from = 0;
	struct waiting *w;

	if (count && !parse_int(str_of(count), 1, INT64_MAX / 16, &n))
		return ask_fail(a, 400, "count takes a whole number from 1, not '%s'", count);
	if (timeout && !parse_time(str_of(timeout), &us))
		return ask_fail(a, 400, "timeout takes a time such as 5s, not '%s'", timeout);
	if (since && !parse_int(str_of(since), 0, INT64_MAX / 16, &from))
		return ask_fail(a, 400, "since takes an id, not '%s'", since);
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct waiting){.next = a->c->waiting,
			      .req = a->req,
			      .c = a->c,
			      .what = what,
			      .count = (uint64_t)n,
			      .since = (uint64_t)from,
			      .until_us = clock_now().mono_us + us};
	w->name = name.data ? strndup(name.data, (size_t)name.len) : NULL;
	a->c->waiting = w;
	evhttp_connection_set_closecb(evhttp_request_get_connection(a->req), on_gone, w);
	loop_timer_set(&a->c->check, 0);
	return ASK_LATER;
}

/* ---- questions ---- */

static const char *method_of(struct evhttp_request *req)
{
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "";
	}
}

/* True if the path has the route's shape; "{...}" stands for any one part. */
static bool route_fits(const struct route *r, const struct ask *a)
{
	const char *at = r->path;

	for (int i = 0; i < a->parts_count; i++) {
		size_t len;

		if (*at++ != '/')
			return false;
		len = strcspn(at, "/");
		if (*at != '{' &&
		    ((size_t)a->parts[i].len != len || memcmp(at, a->parts[i].data, len) != 0))
			return false;
		at += len;
	}
	return !*at || (!a->parts_count && !strcmp(r->path, "/"));
}

static int route(struct ask *a)
{
	const char *method = method_of(a->req);
	bool other_method = false;

	for (const struct route *r = control_routes; r->method; r++) {
		if (!route_fits(r, a))
			continue;
		if (!strcmp(r->method, method))
			return r->on_ask(a);
		other_method = true;
	}
	if (other_method)
		return ask_fail(a, 405, "this path takes another method; GET / lists the routes");
	return ask_fail(a, 404, "there is no such path; GET / lists the routes");
}

/* The parts of the path, each decoded into its own memory. */
static void split_path(struct ask *a, const char *path)
{
	while (*path && a->parts_count < ASK_PARTS_MAX) {
		size_t len;
		char *raw, *part;

		path += *path == '/';
		len = strcspn(path, "/");
		if (!len)
			return;
		raw = strndup(path, len);
		part = raw ? evhttp_uridecode(raw, 0, NULL) : NULL;
		free(raw);
		a->parts[a->parts_count++] = str_of(part ? part : strdup(""));
		path += len;
	}
}

/* Compares in a time that does not depend on where they differ. */
static bool token_right(const char *given, const char *token)
{
	size_t n = strlen(token);
	unsigned char differ = 0;

	if (!given || strncmp(given, "Bearer ", 7) != 0 || strlen(given + 7) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)(given[7 + i] ^ token[i]);
	return !differ;
}

static int read_body(struct ask *a)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(a->req);
	size_t len = evbuffer_get_length(in);
	json_error_t error;

	if (!len)
		return 0;
	a->body = json_loadb((const char *)evbuffer_pullup(in, -1), len,
			     JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (!a->body)
		return ask_fail(a, 400, "the body is no JSON: %s (line %d, column %d)", error.text,
				error.line, error.column);
	if (!json_is_object(a->body))
		return ask_fail(a, 400, "the body is to be a JSON object");
	return 0;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (!strcasecmp(host, "localhost") || !strcmp(host, "::1"))
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* Whether the request was sent to a name of this machine: else a web page's own name was made to
 * lead here, and what it sends to itself carries no Origin. */
static bool asked_as_loopback(const struct evkeyvalq *headers)
{
	const char *host = evhttp_find_header(headers, "Host");
	struct service_address at;

	return !host ||
	       (!service_address_parse(str_of(host), 0, &at, NULL) && is_loopback(at.host));
}

static int answer(struct ask *a)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(a->req);
	int status;

	if (evhttp_find_header(headers, "Origin"))
		return ask_fail(a, 403, "web pages may not steer this");
	if (!a->c->token && !asked_as_loopback(headers))
		return ask_fail(a, 403,
				"by another name than a loopback address this needs a token");
	if (a->c->token && !token_right(evhttp_find_header(headers, "Authorization"), a->c->token))
		return ask_fail(a, 401, "this needs the header Authorization: Bearer TOKEN");
	status = read_body(a);
	return status ? status : route(a);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct ask a = {.c = ctx, .req = req};
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *query = evhttp_uri_get_query(uri), *path = evhttp_uri_get_path(uri);
	int status;

	TAILQ_INIT(&a.query);
	if (query)
		evhttp_parse_query_str(query, &a.query);
	split_path(&a, path ? path : "");
	buf_init(&a.out, ANSWER_MAX);
	json_init(&a.json, &a.out);
	status = answer(&a);
	if (a.out.bad)
		status = ask_fail(&a, 500, "the answer would be larger than %zu bytes", ANSWER_MAX);
	if (status != ASK_LATER)
		send_json(req, status, &a.out);
	for (int i = 0; i < a.parts_count; i++)
		free((void *)(uintptr_t)a.parts[i].data);
	evhttp_clear_headers(&a.query);
	json_decref(a.body);
	buf_release(&a.out);
}

/* ---- life ---- */

/* libevent tells of a failed accept with nothing of ours but the evhttp: so we know all of them. */
static struct control *living;

/* Out of descriptors, most likely. Unasked, libevent would try and complain without end. */
static void on_accept_error(struct evconnlistener *listener, void *http)
{
	struct control *c = living;

	while (c && (void *)c->http != http)
		c = c->next_living;
	if (!c)
		return;
	evconnlistener_disable(listener);
	loop_timer_set(&c->resume, clock_now().mono_us + ACCEPT_PAUSE_US);
}

static void on_resume(void *ctx, struct instant now)
{
	struct control *c = ctx;

	(void)now;
	evconnlistener_enable(c->listener);
}

static void forget_living(const struct control *c)
{
	struct control **at = &living;

	while (*at && *at != c)
		at = &(*at)->next_living;
	if (*at)
		*at = c->next_living;
}

static int bind_http(struct control *c, struct error *e)
{
	const struct service_address *a = &c->config.listen;
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(c->http, a->host, a->port);
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);
	unsigned port;

	if (!bound)
		return error_set(e, ERR_OS, "can't listen on %s:%u for control: %s", a->host,
				 a->port, strerror(errno));
	c->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len);
	port = at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					: ((struct sockaddr_in *)&at)->sin_port;
	snprintf(c->address, sizeof(c->address), strchr(a->host, ':') ? "[%s]:%u" : "%s:%u",
		 a->host, ntohs((uint16_t)port));
	return 0;
}

struct control *control_new(struct loop *loop, struct service *s,
			    const struct control_config *config, struct error *e)
{
	struct control *c;

	if (!is_loopback(config->listen.host) && !config->token) {
		error_set(e, ERR_USAGE,
			  "control on %s, which is not loopback, needs a token: set "
			  "KTRIAL_CONTROL_TOKEN",
			  config->listen.host);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->loop = loop;
	c->service = s;
	c->config = *config;
	c->token = config->token ? strdup(config->token) : NULL;
	c->evidence = config->evidence ? strdup(config->evidence) : NULL;
	c->http = evhttp_new(loop_base(loop));
	evhttp_set_max_body_size(c->http, (ssize_t)BODY_MAX);
	evhttp_set_allowed_methods(c->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(c->http, on_request, c);
	loop_timer_init(&c->check, loop, on_check, c);
	loop_timer_init(&c->resume, loop, on_resume, c);
	c->next_living = living;
	living = c;
	c->keep = keep_new();
	c->happened = happened_new();
	c->sink = (struct event_sink){.on_event = on_event,
				      .ctx = c,
				      .kinds = event_bit(EVENT_RULE) | event_bit(EVENT_EXCHANGE) |
					       event_bit(EVENT_CLUSTER),
				      .response_max = 1};
	event_bus_add(service_events(s), keep_sink(c->keep));
	event_bus_add(service_events(s), happened_sink(c->happened));
	event_bus_add(service_events(s), &c->sink);
	if (bind_http(c, e)) {
		control_free(c);
		return NULL;
	}
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	event_bus_remove(service_events(c->service), keep_sink(c->keep));
	event_bus_remove(service_events(c->service), happened_sink(c->happened));
	event_bus_remove(service_events(c->service), &c->sink);
	loop_timer_clear(&c->check);
	loop_timer_clear(&c->resume);
	forget_living(c);
	evhttp_free(c->http); /* tells each waiting one that it is gone */
	assert(!c->waiting);
	keep_free(c->keep);
	happened_free(c->happened);
	free(c->token);
	free(c->evidence);
	free(c);
}

const char *control_address(const struct control *c)
{
	return c->address;
}

bool control_route(size_t i, const char **ret_method, const char **ret_path, const char **ret_what)
{
	if (!control_routes[i].method)
		return false;
	*ret_method = control_routes[i].method;
	*ret_path = control_routes[i].path;
	*ret_what = control_routes[i].what;
	return true;
}
