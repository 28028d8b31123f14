/* One connection's bytes as they go by, without its credentials: what trace/secrets.h finds is
 * overwritten with '*', and lengths stay. Frames of APIs that have some are held until they are
 * whole; all else passes as it came. Bytes that are no Kafka pass, too. */
#ifndef TRACE_BLIND_H
#define TRACE_BLIND_H

#include "base/str.h"

#include <stdbool.h>
#include <sys/uio.h>

struct blind;

struct blind *blind_new(void);
void blind_free(struct blind *b); /* NULL is fine */

/* Takes the next bytes of a direction. True: they may go as they are. False: *ret is what may go in
 * their place, and in that of bytes held before; perhaps nothing. It is valid until the next call.
 */
bool blind_feed(struct blind *b, bool from_client, const struct iovec *iov, size_t count,
		struct bytes *ret);

/* What is still held of a direction, blanked. */
struct bytes blind_rest(struct blind *b, bool from_client);

#endif
