/* Base64, both alphabets: standard with padding (JSON of bytes) and URL-safe without (Kafka's
 * uuids). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/str.h"

#include <stddef.h>

enum base64_kind { BASE64_STD, BASE64_URL };

/* Characters that n bytes take in the given kind, without a NUL. */
size_t base64_size(size_t n, enum base64_kind kind);

/* Writes exactly base64_size(n, kind) characters, no NUL. */
void base64_encode(const uint8_t *data, size_t n, enum base64_kind kind, char *ret_text);

/* Reads text into ret_data; returns the number of bytes, or -1 on a wrong character, wrong padding,
 * non-zero spare bits, or more than max bytes. */
int64_t base64_decode(struct str text, enum base64_kind kind, uint8_t *ret_data, size_t max);

#endif
