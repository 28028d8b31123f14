/* Inside calls: JSON to struct to bytes and back to a struct, since a log may keep the frame, then
 * the cluster's work, then JSON. Everything lives for one call. */
#include "service/inside.h"

#include "protocol/message_json.h"
#include "service/peer.h"

#define BODY_MAX ((size_t)FRAME_SIZE_MAX)

int inside_version(struct service *s, int api_key)
{
	for (int version = INT8_MAX; version >= 0; version--)
		if (cluster_speaks(s->cluster, api_key, version))
			return version;
	return -1;
}

/* The request as a frame of our own. NULL with *e. */
static struct shared *frame_of(int api_key, int version, const json_t *request, struct arena *arena,
			       struct error *e)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);
	struct shared *frame = NULL;
	struct gather g;
	struct buf flat;
	void *body = arena_alloc(arena, m->schema->size);

	if (!body || message_json_read(m->schema, version, request, arena, body, e))
		return NULL;
	gather_init(&g, BODY_MAX);
	buf_init(&flat, 2 * BODY_MAX);
	if (!frame_write_request(&g, api_key, version, 0, str_of("ktrial-control"), body, e)) {
		gather_flatten(&g, &flat);
		frame = shared_new(flat.len - 4);
		memcpy(frame->data, flat.data + 4, flat.len - 4);
	}
	gather_release(&g);
	buf_release(&flat);
	return frame;
}

static int work(struct service *s, struct call *call, struct buf *out, struct error *e)
{
	const struct message *m = message_of_api(call->header.api_key, MESSAGE_RESPONSE);
	struct json j;

	switch (cluster_call(s->cluster, call, clock_now())) {
	case CALL_ANSWER:
		json_init(&j, out);
		message_json_write(m->schema, call->response_version, call->response, &j);
		return 0;
	case CALL_NO_ANSWER:
		buf_text(out, "null");
		return 0;
	case CALL_WAIT:
		cluster_cancel(s->cluster, call);
		return error_set(e, ERR_LIMIT, "the request would wait for something");
	default: /* CALL_CLOSE */
		return error_set(e, ERR_UNSUPPORTED, "a broker would close the connection");
	}
}

int inside_call(struct service *s, enum inside_as as, int32_t broker, int api_key, int version,
		const json_t *request, struct buf *out, struct error *e)
{
	static const struct plan nothing;
	struct arena arena;
	struct call call = {
		.broker = broker,
		.arena = &arena,
		.plan = &nothing,
		.own = as == INSIDE_AS_OWN,
	};
	struct bytes frame;
	void *body = NULL;
	int code;

	if (!call.own && !cluster_speaks(s->cluster, api_key, version))
		return error_set(e, ERR_UNSUPPORTED, "the cluster does not speak %s version %d",
				 api_name(api_key) ? api_name(api_key) : "this API", version);
	arena_init(&arena, 2 * ARENA_EXCHANGE_MAX);
	call.frame = frame_of(api_key, version, request, &arena, e);
	code = call.frame ? 0 : ERR_MALFORMED;
	if (!code) {
		frame = (struct bytes){call.frame->data, (int32_t)call.frame->size};
		frame_read_request(frame, &call.header, NULL);
		code = (int)frame_decode(
			api_key, version, MESSAGE_REQUEST,
			(struct bytes){frame.data + call.header.body, frame.len - call.header.body},
			&arena, &body, e);
		call.request = body;
		code = code < 0 ? code : work(s, &call, out, e);
	}
	call_release(&call);
	shared_unref(call.frame);
	arena_release(&arena);
	service_pump(s);
	return code;
}
