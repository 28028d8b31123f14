/* Credentials in SASL tokens: which bytes nobody should see who was shown a capture. */
#ifndef DECODER_SECRETS_H
#define DECODER_SECRETS_H

#include <stddef.h>
#include <stdint.h>

/* Where in a token the secret begins; n when it has none. Kept is what says who logs in: of PLAIN
 * all but the password, of SCRAM the client's first message. Anything else is secret as a whole. */
size_t secrets_from(const uint8_t *token, size_t n);

#endif
