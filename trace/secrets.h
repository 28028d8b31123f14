/* Credentials in SASL tokens and in messages: which bytes nobody should see who was shown a
 * capture.
 */
#ifndef TRACE_SECRETS_H
#define TRACE_SECRETS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in a token the secret begins; n when it has none. Kept is what says who logs in: of PLAIN
 * all but the password, of SCRAM the client's first message. Anything else is secret as a whole. */
size_t secrets_from(const uint8_t *token, size_t n);

/* True of APIs whose messages hold tokens, passwords or keys of tokens. */
bool secrets_may_be_in(int api_key);

/* n bytes of a frame from its offset from on are a token. */
typedef void secrets_visitor(void *user, size_t from, size_t n);

/*
 * Tells the tokens in a frame of such an API (without its length bytes), of which size bytes were
 * sent and frame.len came. body: where a request's body begins; of a response not looked at. What
 * can't be read is told as a whole.
 */
void secrets_each(int api_key, int version, bool response, int64_t body, struct bytes frame,
		  size_t size, secrets_visitor *visit, void *user);

#endif
