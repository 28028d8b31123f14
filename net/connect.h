/* A connection that we open: a client's side. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "base/error.h"

#include <stdint.h>

/* Resolves, connects and makes it ready for conn_new (non-blocking, no delay of small writes);
 * waits at most wait_us. 0 with *ret_fd, or ERR_OS with *e: the address in e->field. */
int net_connect(const char *host, uint16_t port, int64_t wait_us, int *ret_fd, struct error *e);

/* True if a name or address is this machine's own loopback, whichever way it resolves. */
bool net_is_loopback(const char *host);

#endif
