/* Bytes as text in hex. Writing inside JSON is json_hex (base/json.h). */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/str.h"

#include <stddef.h>

/* Reads two digits a byte, either case, nothing between them. Returns the number of bytes, or -1 on
 * an odd length, another character, or more than max bytes. */
int64_t hex_decode(struct str text, uint8_t *ret_data, size_t max);

/* The same, and blanks (space, tab, line ends) between bytes are skipped; on failure *ret_bad is
 * the position of the first character that is wrong (text.len: the last byte lacks a digit). */
int64_t hex_decode_blanks(struct str text, uint8_t *ret_data, size_t max, size_t *ret_bad);

/* Writes 2 * n lower-case digits, no NUL. */
void hex_encode(const uint8_t *data, size_t n, char *ret_text);

#endif
