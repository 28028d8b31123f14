/* A JSON writer onto a buf: it places commas and quotes, nothing else. Reading JSON is jansson's;
 * no name here may be one of jansson's, whose calls to itself the linker would bind to ours. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json {
	struct buf *out;
	bool comma;    /* the next value or key needs a comma before it */
	bool bad_utf8; /* some text was not UTF-8 and shows U+FFFD */
};

void json_init(struct json *j, struct buf *out);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *name);
void json_nil(struct json *j);
void json_bool(struct json *j, bool v);
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
/* Shortest text that reads back exactly; NaN and infinities as the strings "NaN", "Infinity",
 * "-Infinity". */
void json_float(struct json *j, double v);
/* Null view gives null; bytes that are not UTF-8 become U+FFFD and set bad_utf8. */
void json_str(struct json *j, struct str s);
void json_text(struct json *j, const char *text);
/* Length of the valid UTF-8 character at p, of which n > 0 bytes are left; 0 if it is none. */
size_t utf8_length(const uint8_t *p, size_t n);
/* Padded base64; the null view gives null. */
void json_base64(struct json *j, struct bytes b);
void json_hex(struct json *j, struct bytes b);
/* Text that is JSON already. */
void json_raw(struct json *j, struct str s);

/* key and value in one call. */
void json_key_str(struct json *j, const char *name, struct str s);
void json_key_text(struct json *j, const char *name, const char *text);
void json_key_int(struct json *j, const char *name, int64_t v);
void json_key_bool(struct json *j, const char *name, bool v);

#endif
