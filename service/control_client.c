/* The client's side of the control interface: libevent's HTTP on a loop of its own, for one
 * question. */
#include "service/control_client.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>

struct asking {
	struct loop *loop;
	struct buf *body;
	int status; /* 0: none came */
};

static void on_answer(struct evhttp_request *req, void *ctx)
{
	struct asking *a = ctx;
	struct evbuffer *in;
	size_t len;

	loop_stop(a->loop);
	if (!req || !evhttp_request_get_response_code(req))
		return;
	a->status = evhttp_request_get_response_code(req);
	in = evhttp_request_get_input_buffer(req);
	len = evbuffer_get_length(in);
	buf_add(a->body, evbuffer_pullup(in, -1), len);
}

void control_encode(struct buf *path, struct str text)
{
	for (int32_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		if (plain)
			buf_byte(path, c);
		else
			buf_printf(path, "%%%02X", c);
	}
}

static void fill(struct evhttp_request *req, const struct control_question *q)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char value[600];

	snprintf(value, sizeof(value), "%s:%u", q->to.host, q->to.port);
	evhttp_add_header(headers, "Host", value);
	evhttp_add_header(headers, "Connection", "close");
	if (q->token) {
		snprintf(value, sizeof(value), "Bearer %s", q->token);
		evhttp_add_header(headers, "Authorization", value);
	}
	if (q->body.data)
		evbuffer_add(evhttp_request_get_output_buffer(req), q->body.data,
			     (size_t)q->body.len);
}

static enum evhttp_cmd_type command_of(const char *method)
{
	if (!strcmp(method, "POST"))
		return EVHTTP_REQ_POST;
	return !strcmp(method, "DELETE") ? EVHTTP_REQ_DELETE : EVHTTP_REQ_GET;
}

int control_ask(const struct control_question *q, struct buf *ret_body, struct error *e)
{
	struct asking a = {.loop = loop_new(), .body = ret_body};
	struct evhttp_connection *connection =
		evhttp_connection_base_new(loop_base(a.loop), NULL, q->to.host, q->to.port);
	struct evhttp_request *req = evhttp_request_new(on_answer, &a);

	if (connection && req) {
		evhttp_connection_set_timeout(connection, q->timeout_s);
		fill(req, q);
		if (!evhttp_make_request(connection, req, command_of(q->method), q->path))
			loop_run(a.loop);
	}
	if (connection)
		evhttp_connection_free(connection);
	loop_free(a.loop);
	if (a.status)
		return a.status;
	return error_set(e, ERR_OS, "no control interface answers on %s:%u", q->to.host,
			 q->to.port);
}
