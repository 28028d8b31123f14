/* The error codes of an answer, of any API: every field named errorCode, wherever it stands. */
#ifndef CHECKS_CODES_H
#define CHECKS_CODES_H

#include "trace/event.h"

/* Writes up to max codes (0 included) in the order of the wire; returns how many there are. 0 if
 * the answer is absent or does not parse. */
int32_t exchange_codes(struct exchange *x, int16_t *ret_codes, int32_t max);

/* The first code that is not 0, or 0. */
int16_t exchange_error(struct exchange *x);

#endif
