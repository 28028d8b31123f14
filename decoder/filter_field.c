/* A table of named fields, and paths into bodies: a path is read against every message, and kept
 * for those that have it.
 *
 * Invariants: a field's values are views that live as long as the exchange's event. */
#include "decoder/filter_field.h"

#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ID_API,
	ID_VERSION,
	ID_CORRELATION,
	ID_CLIENT,
	ID_CONN,
	ID_BROKER,
	ID_SRC,
	ID_DST,
	ID_ADDR,
	ID_PORT,
	ID_TOPIC,
	ID_PARTITION,
	ID_GROUP,
	ID_MEMBER,
	ID_TXN,
	ID_ERRORS,
	ID_LATENCY,
	ID_WAIT,
	ID_SENDING,
	ID_RECEIVING,
	ID_THROTTLE,
	ID_SIZE,
	ID_REQUEST_SIZE,
	ID_RESPONSE_SIZE,
	ID_RESENT,
	ID_STATE,
	ID_RULE,
	ID_PROBLEMS,
	ID_TIME,
	ID_FRAME,
	ID_PATH,
};

static const struct filter_field fields[] = {
	{"api", FILTER_API, ID_API, NULL},
	{"apiKey", FILTER_API, ID_API, NULL},
	{"version", FILTER_NUMBER, ID_VERSION, NULL},
	{"correlation", FILTER_NUMBER, ID_CORRELATION, NULL},
	{"correlationId", FILTER_NUMBER, ID_CORRELATION, NULL},
	{"client", FILTER_TEXT, ID_CLIENT, NULL},
	{"clientId", FILTER_TEXT, ID_CLIENT, NULL},
	{"conn", FILTER_NUMBER, ID_CONN, NULL},
	{"broker", FILTER_NUMBER, ID_BROKER, NULL},
	{"src", FILTER_ADDRESS, ID_SRC, NULL},
	{"dst", FILTER_ADDRESS, ID_DST, NULL},
	{"addr", FILTER_ADDRESS, ID_ADDR, NULL},
	{"port", FILTER_NUMBER, ID_PORT, NULL},
	{"topic", FILTER_TEXT, ID_TOPIC, NULL},
	{"topics", FILTER_TEXT, ID_TOPIC, NULL},
	{"partition", FILTER_NUMBER, ID_PARTITION, NULL},
	{"group", FILTER_TEXT, ID_GROUP, NULL},
	{"member", FILTER_TEXT, ID_MEMBER, NULL},
	{"txn", FILTER_TEXT, ID_TXN, NULL},
	{"transactionalId", FILTER_TEXT, ID_TXN, NULL},
	{"errors", FILTER_ERROR, ID_ERRORS, NULL},
	{"error", FILTER_ERROR, ID_ERRORS, NULL},
	{"latency", FILTER_DURATION, ID_LATENCY, NULL},
	{"wait", FILTER_DURATION, ID_WAIT, NULL},
	{"sending", FILTER_DURATION, ID_SENDING, NULL},
	{"receiving", FILTER_DURATION, ID_RECEIVING, NULL},
	{"throttle", FILTER_DURATION, ID_THROTTLE, NULL},
	{"size", FILTER_SIZE, ID_SIZE, NULL},
	{"requestSize", FILTER_SIZE, ID_REQUEST_SIZE, NULL},
	{"responseSize", FILTER_SIZE, ID_RESPONSE_SIZE, NULL},
	{"resent", FILTER_SIZE, ID_RESENT, NULL},
	{"state", FILTER_TEXT, ID_STATE, NULL},
	{"rule", FILTER_TEXT, ID_RULE, NULL},
	{"problems", FILTER_TEXT, ID_PROBLEMS, NULL},
	{"problem", FILTER_TEXT, ID_PROBLEMS, NULL},
	{"time", FILTER_TIME, ID_TIME, NULL},
	{"frame", FILTER_NUMBER, ID_FRAME, NULL},
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

/* A path in each message that has it. */
struct filter_paths {
	struct path *list[2 * (API_KEY_MAX + 1)]; /* by API key; responses behind requests */
};

static const char *const prefixes[] = {"body.", "request.", "response."};

/* ---- finding ---- */

static void paths_free(struct filter_paths *p)
{
	for (size_t i = 0; p && i < sizeof(p->list) / sizeof(*p->list); i++)
		free(p->list[i]);
	free(p);
}

static bool parse_in(const struct message *m, struct str text, struct path **ret,
		     struct error *best)
{
	struct error e = ERROR_INIT;
	struct path *path;

	if (!m)
		return false;
	path = malloc(sizeof(*path));
	if (!path)
		abort();
	if (path_parse(m->schema, PATH_ANY_VERSION, text, path, &e) == 0) {
		*ret = path;
		return true;
	}
	free(path);
	/* The message that the path went furthest into has the best to say about it. */
	if (!best->code || e.offset > best->offset ||
	    (e.offset == best->offset && strstr(e.text, "did you mean") &&
	     !strstr(best->text, "did you mean")))
		*best = e;
	return false;
}

static int find_path(struct str text, int from, int to, int prefix, struct filter_field *ret,
		     struct error *e)
{
	struct filter_paths *p = calloc(1, sizeof(*p));
	struct error best = ERROR_INIT;
	bool any = false;

	if (!p)
		abort();
	for (int d = from; d <= to; d++)
		for (int key = 0; key <= API_KEY_MAX; key++)
			any |= parse_in(message_of_api(key, d ? MESSAGE_RESPONSE : MESSAGE_REQUEST),
					text, &p->list[d * (API_KEY_MAX + 1) + key], &best);
	if (!any) {
		paths_free(p);
		if (strstr(best.text, "there is no field") && !strstr(best.text, "did you mean"))
			return error_at(e, ERR_USAGE, best.offset + (size_t)prefix, NULL,
					"no message has such a field");
		return error_at(e, ERR_USAGE, best.offset + (size_t)prefix, NULL, "%s", best.text);
	}
	*ret = (struct filter_field){"", FILTER_PATH, ID_PATH, p};
	return 0;
}

static int unknown(struct str name, struct error *e)
{
	const char *best = NULL;
	int least = 1 + name.len / 2;

	for (size_t i = 0; i < FIELDS; i++) {
		int distance = str_distance(name, str_of(fields[i].name));

		if (distance < least) {
			least = distance;
			best = fields[i].name;
		}
	}
	if (best)
		return error_at(e, ERR_USAGE, 0, NULL,
				"there is no field '" STR_FMT "'; did you mean '%s'?",
				STR_ARG(name), best);
	return error_at(e, ERR_USAGE, 0, NULL,
			"there is no field '" STR_FMT "'; a message's own fields are body.NAME",
			STR_ARG(name));
}

int filter_field_find(struct str name, struct filter_field *ret, struct error *e)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (str_is(name, fields[i].name)) {
			*ret = fields[i];
			return 0;
		}
	for (int i = 0; i < 3; i++) {
		int32_t n = (int32_t)strlen(prefixes[i]);

		if (name.len > n && !memcmp(name.data, prefixes[i], (size_t)n))
			return find_path((struct str){name.data + n, name.len - n}, i == 2, i != 1,
					 n, ret, e);
	}
	return unknown(name, e);
}

void filter_field_release(struct filter_field *f)
{
	paths_free(f->paths);
	f->paths = NULL;
}

bool filter_field_accepts(const struct filter_field *f, struct str text, struct error *e)
{
	struct error last = ERROR_INIT;

	for (size_t i = 0; i < sizeof(f->paths->list) / sizeof(*f->paths->list); i++) {
		last = (struct error)ERROR_INIT;
		if (f->paths->list[i] && path_accepts(f->paths->list[i], text, &last))
			return true;
		if (last.code && !e->code)
			*e = last;
	}
	return false;
}

/* ---- values ---- */

struct visit {
	filter_visitor *visit;
	void *user;
};

static bool give_number(const struct visit *v, int64_t n)
{
	return v->visit(v->user, &(struct filter_value){.number = n});
}

static bool give_text(const struct visit *v, struct str s)
{
	return !s.data || v->visit(v->user, &(struct filter_value){.is_text = true, .text = s});
}

/* As host:port and as host alone: the expression may name either. */
static bool give_address(const struct visit *v, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct str s;

	endpoint_text(e, text);
	s = str_of(text);
	if (!give_text(v, s))
		return false;
	while (s.len && s.data[--s.len] != ':')
		;
	if (s.len >= 2 && s.data[0] == '[')
		s = (struct str){s.data + 1, s.len - 2};
	return give_text(v, s);
}

static bool give_path_value(void *user, const struct schema_field *field, void *value,
			    const int32_t *index)
{
	const struct visit *v = user;
	char text[UUID_TEXT_SIZE];

	(void)index;
	switch (field->type) {
	case FIELD_BOOL:
		return give_number(v, *(bool *)value);
	case FIELD_INT8:
		return give_number(v, *(int8_t *)value);
	case FIELD_INT16:
		return give_number(v, *(int16_t *)value);
	case FIELD_UINT16:
		return give_number(v, *(uint16_t *)value);
	case FIELD_INT32:
		return give_number(v, *(int32_t *)value);
	case FIELD_UINT32:
		return give_number(v, *(uint32_t *)value);
	case FIELD_INT64:
		return give_number(v, *(int64_t *)value);
	case FIELD_FLOAT64:
		return v->visit(v->user,
				&(struct filter_value){.is_real = true, .real = *(double *)value});
	case FIELD_UUID:
		uuid_text(*(struct uuid *)value, text);
		return give_text(v, str_of(text));
	case FIELD_STRING:
		return give_text(v, *(struct str *)value);
	default: /* bytes: as text; records have none */
		if (field->type == FIELD_BYTES)
			return give_text(v,
					 (struct str){(const char *)((struct bytes *)value)->data,
						      ((struct bytes *)value)->len});
		return true;
	}
}

static void each_path(const struct filter_paths *p, struct exchange *x, struct visit *v)
{
	int key = x->header.api_key;
	const void *body;

	if (key < 0 || key > API_KEY_MAX)
		return;
	for (int d = 0; d < 2; d++) {
		const struct path *path = p->list[d * (API_KEY_MAX + 1) + key];
		int version = d ? exchange_response_version(x) : x->header.api_version;

		if (!path || version < path->since || version > path->until)
			continue;
		body = d ? exchange_response(x) : exchange_request(x);
		if (body)
			path_each(path, (void *)(uintptr_t)body, give_path_value, v);
	}
}

static void each_list(int id, const struct summary *s, const struct visit *v)
{
	bool on = true;

	if (id == ID_TOPIC)
		for (int32_t i = 0; i < s->topics_count && on; i++)
			on = give_text(v, s->topics[i]);
	for (int d = 0; d < 2 && id == ID_PARTITION; d++)
		for (int32_t i = 0; i < s->partitions_count[d] && on; i++)
			on = give_number(v, s->partitions[d][i].partition);
	if (id == ID_ERRORS)
		for (int32_t i = 0; i < s->errors_count && on; i++)
			on = give_number(v, s->errors[i]);
	for (int32_t i = 0; id == ID_PROBLEMS && i < s->problems_count && on; i++)
		on = give_text(v, str_of(problem_name(s->problems[i].kind)));
}

static void each_duration(int id, const struct exchange *x, const struct summary *s,
			  const struct visit *v)
{
	bool both = x->request_us && x->response_us;

	if (id == ID_LATENCY && both)
		give_number(v, x->response_us - x->request_us);
	if (id == ID_WAIT && both)
		give_number(v, x->response_first_us - x->request_us);
	if (id == ID_SENDING && x->request_us)
		give_number(v, x->request_us - x->request_first_us);
	if (id == ID_RECEIVING && x->response_us)
		give_number(v, x->response_us - x->response_first_us);
	if (id == ID_THROTTLE && s->throttle_ms >= 0)
		give_number(v, s->throttle_ms * 1000);
}

static void each_size(int id, const struct exchange *x, const struct visit *v)
{
	if (x->request_us && id != ID_RESPONSE_SIZE && !give_number(v, x->request_size))
		return;
	if (x->response_us && id != ID_REQUEST_SIZE)
		give_number(v, x->response_size);
}

static void each_frame(const struct exchange *x, const struct visit *v)
{
	if (x->request_packet && !give_number(v, (int64_t)x->request_packet))
		return;
	if (x->request_packet_last && !give_number(v, (int64_t)x->request_packet_last))
		return;
	if (x->response_packet && !give_number(v, (int64_t)x->response_packet))
		return;
	if (x->response_packet_last)
		give_number(v, (int64_t)x->response_packet_last);
}

static void each_address(int id, const struct exchange *x, const struct visit *v)
{
	if (id != ID_DST && !give_address(v, &x->conn.client))
		return;
	if (id != ID_SRC)
		give_address(v, &x->conn.server);
}

static const char *state_text(const struct exchange *x)
{
	static const char *const states[] = {"answered", "no-answer", "lost", "orphan"};

	return states[x->state];
}

static void each_header(int id, const struct exchange *x, const struct visit *v)
{
	bool known = x->state != EXCHANGE_ORPHAN;

	if (id == ID_API && known)
		give_number(v, x->header.api_key);
	if (id == ID_VERSION && known)
		give_number(v, x->header.api_version);
	if (id == ID_CORRELATION)
		give_number(v, x->header.correlation_id);
	if (id == ID_CLIENT && known)
		give_text(v, x->header.client_id);
	if (id == ID_CONN)
		give_number(v, x->conn.conn);
	if (id == ID_BROKER && x->conn.broker >= 0)
		give_number(v, x->conn.broker);
	if (id == ID_PORT)
		give_number(v, x->conn.server.port);
}

void filter_field_each(const struct filter_field *f, struct exchange *x, const struct summary *s,
		       filter_visitor *visit, void *user)
{
	struct visit v = {visit, user};

	switch (f->id) {
	case ID_SRC:
	case ID_DST:
	case ID_ADDR:
		each_address(f->id, x, &v);
		break;
	case ID_TOPIC:
	case ID_PARTITION:
	case ID_ERRORS:
	case ID_PROBLEMS:
		each_list(f->id, s, &v);
		break;
	case ID_GROUP:
		give_text(&v, s->group);
		break;
	case ID_MEMBER:
		give_text(&v, s->member);
		break;
	case ID_TXN:
		give_text(&v, s->transactional_id);
		break;
	case ID_LATENCY:
	case ID_WAIT:
	case ID_SENDING:
	case ID_RECEIVING:
	case ID_THROTTLE:
		each_duration(f->id, x, s, &v);
		break;
	case ID_SIZE:
	case ID_REQUEST_SIZE:
	case ID_RESPONSE_SIZE:
		each_size(f->id, x, &v);
		break;
	case ID_RESENT:
		if (x->resent)
			give_number(&v, (int64_t)x->resent);
		break;
	case ID_STATE:
		give_text(&v, str_of(state_text(x)));
		break;
	case ID_RULE:
		give_text(&v, x->rule);
		break;
	case ID_TIME:
		give_number(&v, x->request_us ? x->request_us : x->response_us);
		break;
	case ID_FRAME:
		each_frame(x, &v);
		break;
	case ID_PATH:
		each_path(f->paths, x, &v);
		break;
	default:
		each_header(f->id, x, &v);
	}
}
