/* Messages inside messages as JSON, beside the body, whose bytes stay base64. */
#ifndef DECODER_EMBEDDED_JSON_H
#define DECODER_EMBEDDED_JSON_H

#include "base/json.h"
#include "decoder/summary.h"

/*
 * Adds the key "embedded" with what one message (response, or request) holds, or both of a pair; no
 * key where there is nothing. An array of objects: of (request or response; of a pair), path (of
 * the bytes in the body), of a record its offset and part (key or value), type, version, value; or
 * problem in place of value where the bytes are no such message. What lies in an embedded message
 * again has the outer path and its own.
 */
void embedded_json_message(struct json *j, struct exchange *x, const struct summary *s,
			   bool response);
void embedded_json_pair(struct json *j, struct exchange *x, const struct summary *s);

#endif
