/* Frames: the four length bytes, the header and where the body begins. Requests and responses
 * alike. */
#ifndef PROTOCOL_FRAME_H
#define PROTOCOL_FRAME_H

#include "base/arena.h"
#include "base/error.h"
#include "protocol/codec.h"

#define FRAME_SIZE_MAX                                                                         \
	104857600 /* socket.request.max.bytes of 4.4.0: a larger or negative length closes the \
		     connection */

/* A request's header, decoded. */
struct frame_header {
	int16_t api_key;
	int16_t api_version;
	int32_t correlation_id;
	struct str client_id; /* may be null */
	int32_t body;	      /* offset of the body in the frame (after the length) */
};

/* The header version (0, 1 or 2) of a request, and (0 or 1) of its response. ControlledShutdown v0
 * has request header 0, an ApiVersions response always 0 (KIP-511). Of an API or version that is
 * not known: 1 and 0. */
int frame_request_header_version(int api_key, int api_version);
int frame_response_header_version(int api_key, int api_version);

/*
 * Reads the header of a request from a frame without its length bytes. For an API or version that
 * we do not know, the fields up to client_id are read as header v1 and *e is not set; whoever needs
 * the body asks frame_known first. Returns 0 or a negative code with *e. Unknown tags of the header
 * are skipped; client_id is a view into frame.
 */
int frame_read_request(struct bytes frame, struct frame_header *ret_header, struct error *e);

/* True if API and version are in the tables (unstable versions included). */
bool frame_known(int api_key, int api_version);

/* The body offset of a response frame (without length bytes) of that API and version; its
 * correlation id in ret_correlation_id. Negative code with *e. */
int64_t frame_read_response(struct bytes frame, int api_key, int api_version,
			    int32_t *ret_correlation_id, struct error *e);

/*
 * Appends a whole frame, length included: header and body. g must be empty. Returns 0 or a negative
 * code (codec_encode's).
 */
int frame_write_request(struct gather *g, int api_key, int api_version, int32_t correlation_id,
			struct str client_id, const void *body, struct error *e);
int frame_write_response(struct gather *g, int api_key, int api_version, int32_t correlation_id,
			 const void *body, struct error *e);

/*
 * Decodes the body of a request or response whose header is read: ret_body (arena) is the generated
 * struct of message_of_api. Returns bytes used, or a negative code. An ApiVersions response is read
 * as its version says, or, where it carries error 35, as version 0 (KIP-511).
 */
int64_t frame_decode(int api_key, int api_version, enum message_kind kind, struct bytes body,
		     struct arena *arena, void **ret_body, struct error *e);

/* What stands before each record of the KRaft metadata log: three unsigned varints. */
struct frame_record {
	int32_t frame_version; /* 1 is the only one there is */
	int16_t type;	       /* the record's api key in Kafka's definitions */
	int16_t version;       /* of the record */
	int32_t body;	       /* offset behind the three */
};

/* Reads it from the start of a record's value. Returns 0; ERR_TRUNCATED, ERR_MALFORMED (a number
 * too large), ERR_UNSUPPORTED (a frame version other than 1). */
int frame_read_record(struct bytes value, struct frame_record *ret_record, struct error *e);

/* Appends it. */
void frame_write_record(struct buf *out, int16_t type, int16_t version);

#endif
