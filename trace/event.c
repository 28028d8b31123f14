/* Events: handing them on, and the lazy decoding of an exchange's bodies. Owns no memory; bodies
 * lie in the maker's arena. */
#include "trace/event.h"

#include "protocol/messages.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <stdio.h>

#define ERROR_UNSUPPORTED_VERSION_CODE 35

static char *put_number(char *at, unsigned v)
{
	if (v >= 10)
		at = put_number(at, v / 10);
	*at++ = (char)('0' + v % 10);
	return at;
}

struct endpoint endpoint_parse(struct str host, uint16_t port)
{
	struct endpoint e;
	char text[INET6_ADDRSTRLEN];

	memset(&e, 0, sizeof(e));
	e.port = port;
	if (host.len <= 0 || host.len >= (int32_t)sizeof(text))
		return e;
	memcpy(text, host.data, (size_t)host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET, text, e.addr) == 1)
		e.family = 4;
	else if (inet_pton(AF_INET6, text, e.addr) == 1)
		e.family = 6;
	return e;
}

void endpoint_text(const struct endpoint *e, char ret_text[ENDPOINT_TEXT_SIZE])
{
	char addr[INET6_ADDRSTRLEN] = "?", *at = ret_text;

	if (e->family == 4) { /* nearly all of them, so without printf */
		for (int i = 0; i < 4; i++) {
			at = put_number(at, e->addr[i]);
			*at++ = i < 3 ? '.' : ':';
		}
		*put_number(at, e->port) = '\0';
		return;
	}
	if (e->family)
		inet_ntop(AF_INET6, e->addr, addr, sizeof(addr));
	snprintf(ret_text, ENDPOINT_TEXT_SIZE, e->family == 6 ? "[%s]:%u" : "%s:%u", addr, e->port);
}

static void *decode(struct exchange *x, enum message_kind kind, struct bytes frame,
		    uint32_t *ret_trailing, struct error *e)
{
	int32_t correlation_id;
	void *body = NULL;
	int64_t at = x->header.body, used;

	if (kind == MESSAGE_RESPONSE)
		at = frame_read_response(frame, x->header.api_key, x->header.api_version,
					 &correlation_id, e);
	if (at < 0)
		return NULL;
	used = frame_decode(x->header.api_key, x->header.api_version, kind,
			    (struct bytes){frame.data + at, frame.len - (int32_t)at}, x->arena,
			    &body, e);
	if (used < 0)
		return NULL;
	*ret_trailing = (uint32_t)(frame.len - at - used);
	return body;
}

/* Of its texts the first byte is enough. */
static void clear(struct error *e)
{
	e->code = 0;
	e->offset = ERROR_NO_OFFSET;
	e->field[0] = e->text[0] = '\0';
}

const void *exchange_request(struct exchange *x)
{
	if (x->request_decoded)
		return x->request_body;
	x->request_decoded = true;
	clear(&x->request_error);
	if (x->request.data)
		x->request_body = decode(x, MESSAGE_REQUEST, x->request, &x->request_trailing,
					 &x->request_error);
	return x->request_body;
}

const void *exchange_response(struct exchange *x)
{
	if (x->response_decoded)
		return x->response_body;
	x->response_decoded = true;
	clear(&x->response_error);
	if (x->response.data)
		x->response_body = decode(x, MESSAGE_RESPONSE, x->response, &x->response_trailing,
					  &x->response_error);
	return x->response_body;
}

int exchange_response_version(const struct exchange *x)
{
	if (x->header.api_key == API_API_VERSIONS && x->response.data && x->response.len >= 6 &&
	    wire_u16(x->response.data + 4) == ERROR_UNSUPPORTED_VERSION_CODE)
		return 0;
	return x->header.api_version;
}

void event_bus_add(struct event_bus *bus, struct event_sink *sink)
{
	struct event_sink **at = &bus->first;

	while (*at)
		at = &(*at)->next;
	sink->next = NULL;
	*at = sink;
}

void event_bus_remove(struct event_bus *bus, struct event_sink *sink)
{
	struct event_sink **at = &bus->first;

	while (*at && *at != sink)
		at = &(*at)->next;
	if (*at)
		*at = sink->next;
}

bool event_wanted(const struct event_bus *bus, enum event_kind kind)
{
	const struct event_sink *s = bus->first;

	while (s && !event_takes(s, kind))
		s = s->next;
	return s;
}

void event_emit(const struct event_bus *bus, const struct event *ev)
{
	for (struct event_sink *s = bus->first, *next; s; s = next) {
		next = s->next;
		if (event_takes(s, ev->kind))
			s->on_event(s->ctx, ev);
	}
}

const char *event_kind_name(enum event_kind kind)
{
	static const char *const names[] = {
		"conn-opened", "conn-closed", "conn-refused", "exchange", "unmatched", "rule",
		"log",	       "cluster",     "report",	      "mark",	  "tls"};

	return names[kind];
}
