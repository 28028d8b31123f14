/* RFC 4616 (PLAIN), RFC 5802 (SCRAM), RFC 7628 (OAUTHBEARER begins like SCRAM, but with a token
 * behind a byte 1). */
#include "decoder/secrets.h"

#include <string.h>

size_t secrets_from(const uint8_t *token, size_t n)
{
	const uint8_t *user, *password;

	if (n >= 3 && (token[0] == 'n' || token[0] == 'y' || token[0] == 'p') &&
	    memmem(token, n, ",n=", 3) && memmem(token, n, ",r=", 3) && !memchr(token, 1, n) &&
	    !memmem(token, n, ",p=", 3))
		return n;
	user = memchr(token, 0, n);
	if (!user)
		return 0;
	user++;
	password = memchr(user, 0, n - (size_t)(user - token));
	if (!password || memchr(password + 1, 0, n - (size_t)(password + 1 - token)))
		return 0;
	return (size_t)(password + 1 - token);
}
