/* Headers are hand-read because their version depends on API and version and everybody needs them
 * fast; bodies go through the codec. Owns nothing. */
#include "protocol/frame.h"

#include "protocol/messages.h"
#include "protocol/wire.h"

#include <assert.h>

bool frame_known(int api_key, int api_version)
{
	const struct message *m = message_of_api(api_key, MESSAGE_REQUEST);

	return m && api_version >= m->since && api_version <= m->until;
}

int frame_request_header_version(int api_key, int api_version)
{
	if (!frame_known(api_key, api_version))
		return 1;
	if (api_key == API_CONTROLLED_SHUTDOWN && api_version == 0)
		return 0;
	return schema_flexible(message_of_api(api_key, MESSAGE_REQUEST)->schema, api_version) ? 2
											      : 1;
}

int frame_response_header_version(int api_key, int api_version)
{
	if (!frame_known(api_key, api_version) || api_key == API_API_VERSIONS)
		return 0;
	return schema_flexible(message_of_api(api_key, MESSAGE_RESPONSE)->schema, api_version);
}

/* Skips a tag section; the offset behind it or a negative code. */
static int64_t skip_tags(struct bytes frame, int32_t at, struct error *e)
{
	const uint8_t *p = frame.data + at, *end = frame.data + frame.len;
	uint32_t count, tag, size;
	int n = wire_uvarint(p, end, &count);

	if (n > 0)
		p += n;
	for (; n > 0 && count; count--) {
		n = wire_uvarint(p, end, &tag);
		if (n <= 0)
			break;
		p += n;
		n = wire_uvarint(p, end, &size);
		if (n <= 0)
			break;
		p += n;
		if (size > (size_t)(end - p)) {
			n = 0;
			break;
		}
		p += size;
	}
	if (n <= 0)
		return error_at(e, n ? ERR_MALFORMED : ERR_TRUNCATED, (size_t)(p - frame.data),
				"header",
				n ? "a varint longer than 32 bits"
				  : "the header ends inside its tagged fields");
	return p - frame.data;
}

int frame_read_request(struct bytes frame, struct frame_header *ret_header, struct error *e)
{
	struct frame_header h = {0};
	int version;
	int64_t at = 8;

	if (frame.len < 8)
		return error_at(e, ERR_TRUNCATED, (size_t)frame.len, "header",
				"a request header takes at least 8 bytes, %d are here", frame.len);
	h.api_key = (int16_t)wire_u16(frame.data);
	h.api_version = (int16_t)wire_u16(frame.data + 2);
	h.correlation_id = (int32_t)wire_u32(frame.data + 4);
	version = frame_request_header_version(h.api_key, h.api_version);
	if (version >= 1) {
		int16_t len;

		if (frame.len < 10)
			return error_at(e, ERR_TRUNCATED, 8, "clientId",
					"the header ends before the client id");
		len = (int16_t)wire_u16(frame.data + 8);
		at = 10;
		if (len < -1 || len > frame.len - 10)
			return error_at(e, len < -1 ? ERR_MALFORMED : ERR_TRUNCATED, 8, "clientId",
					"client id of %d bytes, %d are left", len, frame.len - 10);
		if (len >= 0) {
			h.client_id = (struct str){(const char *)frame.data + at, len};
			at += len;
		}
	}
	if (version == 2) {
		at = skip_tags(frame, (int32_t)at, e);
		if (at < 0)
			return (int)at;
	}
	h.body = (int32_t)at;
	*ret_header = h;
	return 0;
}

int64_t frame_read_response(struct bytes frame, int api_key, int api_version,
			    int32_t *ret_correlation_id, struct error *e)
{
	if (frame.len < 4)
		return error_at(e, ERR_TRUNCATED, (size_t)frame.len, "header",
				"a response header takes at least 4 bytes, %d are here", frame.len);
	*ret_correlation_id = (int32_t)wire_u32(frame.data);
	return frame_response_header_version(api_key, api_version) ? skip_tags(frame, 4, e) : 4;
}

static int finish(struct gather *g, struct error *e)
{
	size_t size = gather_size(g) - 4;

	if (g->own.bad)
		return error_set(e, ERR_LIMIT, "the frame passes %zu bytes", g->own.max);
	if (size > INT32_MAX)
		return error_set(e, ERR_LIMIT, "a frame of %zu bytes can't be sent", size);
	wire_put32(g->own.data, (uint32_t)size);
	return 0;
}

int frame_write_request(struct gather *g, int api_key, int api_version, int32_t correlation_id,
			struct str client_id, const void *body, struct error *e)
{
	int version = frame_request_header_version(api_key, api_version);
	int code;

	assert(gather_size(g) == 0 && frame_known(api_key, api_version));
	buf_be32(&g->own, 0);
	buf_be16(&g->own, (uint16_t)api_key);
	buf_be16(&g->own, (uint16_t)api_version);
	buf_be32(&g->own, (uint32_t)correlation_id);
	if (version >= 1) {
		buf_be16(&g->own, (uint16_t)(client_id.data ? client_id.len : -1));
		buf_add(&g->own, client_id.data, client_id.data ? (size_t)client_id.len : 0);
	}
	if (version == 2)
		buf_byte(&g->own, 0);
	code = codec_encode(message_of_api(api_key, MESSAGE_REQUEST)->schema, api_version, body, g,
			    e);
	return code ? code : finish(g, e);
}

int frame_write_response(struct gather *g, int api_key, int api_version, int32_t correlation_id,
			 const void *body, struct error *e)
{
	int code;

	assert(gather_size(g) == 0 && frame_known(api_key, api_version));
	buf_be32(&g->own, 0);
	buf_be32(&g->own, (uint32_t)correlation_id);
	if (frame_response_header_version(api_key, api_version))
		buf_byte(&g->own, 0);
	code = codec_encode(message_of_api(api_key, MESSAGE_RESPONSE)->schema, api_version, body, g,
			    e);
	return code ? code : finish(g, e);
}

int64_t frame_decode(int api_key, int api_version, enum message_kind kind, struct bytes body,
		     struct arena *arena, void **ret_body, struct error *e)
{
	const struct message *m = message_of_api(api_key, kind);
	void *msg;
	int64_t used;

	if (!frame_known(api_key, api_version))
		return error_set(e, ERR_UNSUPPORTED, "API key %d version %d is not known", api_key,
				 api_version);
	if (api_key == API_API_VERSIONS && kind == MESSAGE_RESPONSE && body.len >= 2 &&
	    wire_u16(body.data) == 35)
		api_version = 0;
	msg = arena_alloc(arena, m->schema->size);
	if (!msg)
		return error_set(e, ERR_LIMIT,
				 "the decoded message passes the memory limit of one exchange");
	used = codec_decode(m->schema, api_version, body, arena, msg, e);
	if (used >= 0)
		*ret_body = msg;
	return used;
}

#define RECORD_FRAME_VERSION 1

int frame_read_record(struct bytes value, struct frame_record *ret_record, struct error *e)
{
	static const char *const names[] = {"frameVersion", "type", "version"};
	const uint8_t *p = value.data, *end = p + value.len;
	uint32_t v[3] = {0};

	for (int i = 0; i < 3; i++) {
		size_t at = (size_t)(p - value.data);
		int n = wire_uvarint(p, end, &v[i]);

		if (n == 0)
			return error_at(e, ERR_TRUNCATED, at, names[i],
					"the record ends inside its frame");
		if (n < 0 || v[i] > INT16_MAX)
			return error_at(e, ERR_MALFORMED, at, names[i], "a number past 32767");
		if (i == 0 && v[i] != RECORD_FRAME_VERSION)
			return error_at(e, ERR_UNSUPPORTED, at, names[i],
					"frame version %u, only 1 is known", v[i]);
		p += n;
	}
	*ret_record = (struct frame_record){.frame_version = (int32_t)v[0],
					    .type = (int16_t)v[1],
					    .version = (int16_t)v[2],
					    .body = (int32_t)(p - value.data)};
	return 0;
}

void frame_write_record(struct buf *out, int16_t type, int16_t version)
{
	uint8_t *p = buf_room(out, 3 * UVARINT_SIZE_MAX);
	int n;

	if (!p)
		return;
	n = wire_put_uvarint(p, RECORD_FRAME_VERSION);
	n += wire_put_uvarint(p + n, (uint16_t)type);
	n += wire_put_uvarint(p + n, (uint16_t)version);
	out->len += (size_t)n;
}
