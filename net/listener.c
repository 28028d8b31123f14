/* Listening sockets. A socket that is down stays bound without listening, so that connections are
 * refused and nobody else takes the port. Owns its descriptor; accepted ones are the callee's. */
#include "net/listener.h"

#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define BACKLOG		 4096
#define PAUSE_US	 100000 /* between tries while no descriptor is left */

struct listener {
	struct loop *loop;
	int fd;
	struct event *ev;
	struct loop_timer resume;
	const struct listener_callbacks *callbacks;
	void *ctx;
	struct sockaddr_storage bound;
	socklen_t bound_len;
	bool up, paused;
};

static void net_address_of(const struct sockaddr_storage *from, struct net_address *ret)
{
	const struct sockaddr_in *in = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;

	*ret = (struct net_address){0};
	if (from->ss_family == AF_INET) {
		ret->family = 4;
		ret->port = ntohs(in->sin_port);
		memcpy(ret->addr, &in->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		ret->family = 6;
		ret->port = ntohs(in6->sin6_port);
		memcpy(ret->addr, &in6->sin6_addr, 16);
	}
}

/* Out of descriptors: the waiting connections stay in the backlog and are taken when some are free
 * again. */
static void pause_accepting(struct listener *l)
{
	if (!l->paused)
		log_line(LOG_WARN, "no descriptors left: accepting pauses");
	l->paused = true;
	event_del(l->ev);
	loop_timer_set(&l->resume, clock_now().mono_us + PAUSE_US);
}

static void on_resume(void *ctx, struct instant now)
{
	struct listener *l = ctx;

	(void)now;
	if (l->up)
		event_add(l->ev, NULL);
}

static void accepted(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct sockaddr_storage to = {0};
	socklen_t len = sizeof(to);
	struct net_address client, server;
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	getsockname(fd, (struct sockaddr *)&to, &len);
	net_address_of(from, &client);
	net_address_of(&to, &server);
	l->callbacks->on_accept(l->ctx, fd, &client, &server);
}

static void on_readable(evutil_socket_t unused, short what, void *ctx)
{
	struct listener *l = ctx;

	(void)unused;
	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN && l->up; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			pause_accepting(l);
			return;
		}
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return;
		l->paused = false;
		accepted(l, fd, &from);
	}
}

static int os_error(struct error *e, const char *host, uint16_t port, const char *what)
{
	char where[300];

	snprintf(where, sizeof(where), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	return error_at(e, ERR_OS, ERROR_NO_OFFSET, where, "can't %s %s: %s", what, where,
			strerror(errno));
}

/* While it may be shared, another process can bind an address on which nobody listens. */
static void share_address(struct listener *l, int on)
{
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static int open_bound(struct listener *l, const char *host, uint16_t port, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
	char service[8];
	int code;

	snprintf(service, sizeof(service), "%u", port);
	code = getaddrinfo(host, service, &hints, &found);
	if (code)
		return error_at(e, ERR_OS, ERROR_NO_OFFSET, host, "can't resolve '%s': %s", host,
				gai_strerror(code));
	l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd >= 0)
		share_address(l, 1);
	code = l->fd < 0 || bind(l->fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return code ? os_error(e, host, port, "bind to") : 0;
}

struct listener *listener_new(struct loop *loop, const char *host, uint16_t port,
			      const struct listener_callbacks *callbacks, void *ctx,
			      struct error *e)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->fd = -1;
	l->loop = loop;
	l->callbacks = callbacks;
	l->ctx = ctx;
	loop_timer_init(&l->resume, loop, on_resume, l);
	if (open_bound(l, host, port, e)) {
		listener_free(l);
		return NULL;
	}
	l->bound_len = sizeof(l->bound);
	getsockname(l->fd, (struct sockaddr *)&l->bound, &l->bound_len);
	l->ev = event_new(loop_base(loop), l->fd, EV_READ | EV_PERSIST, on_readable, l);
	if (!l->ev)
		abort();
	if (listener_up(l, NULL)) {
		os_error(e, host, port, "listen on");
		listener_free(l);
		return NULL;
	}
	return l;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	loop_timer_clear(&l->resume);
	if (l->ev)
		event_free(l->ev);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

uint16_t listener_port(const struct listener *l)
{
	struct net_address a;

	net_address_of(&l->bound, &a);
	return a.port;
}

int listener_up(struct listener *l, struct error *e)
{
	if (l->up)
		return 0;
	share_address(l, 1);
	if (listen(l->fd, BACKLOG))
		return error_set(e, ERR_OS, "can't listen: %s", strerror(errno));
	l->up = true;
	event_add(l->ev, NULL);
	return 0;
}

/* Linux ends listening on shutdown and keeps the port of an explicit bind; one that it chose itself
 * it forgets (though getsockname still tells it), so that the bind is repeated. EINVAL says that
 * this was not needed. */
int listener_down(struct listener *l, struct error *e)
{
	if (!l->up)
		return 0;
	l->up = false;
	event_del(l->ev);
	loop_timer_clear(&l->resume);
	if (shutdown(l->fd, SHUT_RDWR))
		return error_set(e, ERR_OS, "can't stop listening: %s", strerror(errno));
	if (bind(l->fd, (struct sockaddr *)&l->bound, l->bound_len) && errno != EINVAL)
		return error_set(e, ERR_OS, "can't keep the port: %s", strerror(errno));
	share_address(l, 0);
	return 0;
}

bool listener_is_up(const struct listener *l)
{
	return l->up;
}

void listener_give(struct listener *l, const struct listener_callbacks *callbacks)
{
	l->callbacks = callbacks;
}
