/* A listening socket that can go down and come up again without losing its port, and that pauses
 * while the process has no descriptors left. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/error.h"
#include "net/loop.h"

#include <stdint.h>

struct listener;

struct net_address {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
	uint16_t port;
};

/* Who takes what is accepted: fd is non-blocking and theirs. */
struct listener_callbacks {
	void (*on_accept)(void *ctx, int fd, const struct net_address *client,
			  const struct net_address *server);
};

/* Binds and listens. host: a name or an address; port 0: a free one. NULL with *e (ERR_OS): the
 * address in e->field. */
struct listener *listener_new(struct loop *l, const char *host, uint16_t port,
			      const struct listener_callbacks *callbacks, void *ctx,
			      struct error *e);
void listener_free(struct listener *l); /* accepts NULL */

uint16_t listener_port(const struct listener *l);

/* Down: connections are refused by the kernel, the port stays ours. 0, or ERR_OS. */
int listener_down(struct listener *l, struct error *e);
int listener_up(struct listener *l, struct error *e);
bool listener_is_up(const struct listener *l);
/* From now on others take what is accepted. */
void listener_give(struct listener *l, const struct listener_callbacks *callbacks);

#endif
