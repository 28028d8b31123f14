/* Opening connections: every address of a name is tried in turn. */
#include "net/connect.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until a connection that was begun is there, or errno says why not. */
static int finish(int fd, int64_t until_us)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int64_t left = until_us - clock_now().mono_us;
	socklen_t len = sizeof(errno);
	int rc, why = 0;

	do
		rc = poll(&p, 1, left > 0 ? (int)(left / 1000) + 1 : 0);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	if (rc <= 0)
		return -1;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
	errno = why;
	return why ? -1 : 0;
}

static int open_one(const struct addrinfo *to, int64_t until_us)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 ||
	    (errno == EINPROGRESS && finish(fd, until_us) == 0))
		return fd;
	one = errno;
	close(fd);
	errno = one;
	return -1;
}

static int resolve(const char *host, uint16_t port, struct addrinfo **ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	return getaddrinfo(host, service, &hints, ret);
}

int net_connect(const char *host, uint16_t port, int64_t wait_us, int *ret_fd, struct error *e)
{
	struct addrinfo *found = NULL;
	int64_t until_us = clock_now().mono_us + wait_us;
	char where[300];
	int code = resolve(host, port, &found), fd = -1;

	snprintf(where, sizeof(where), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	if (code)
		return error_at(e, ERR_OS, ERROR_NO_OFFSET, where, "can't resolve '%s': %s", host,
				gai_strerror(code));
	for (struct addrinfo *to = found; to && fd < 0; to = to->ai_next)
		fd = open_one(to, until_us);
	freeaddrinfo(found);
	if (fd < 0)
		return error_at(e, ERR_OS, ERROR_NO_OFFSET, where, "can't connect to %s: %s", where,
				strerror(errno));
	*ret_fd = fd;
	return 0;
}

static bool loopback(const struct sockaddr *a)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (a->sa_family == AF_INET) {
		v4 = ((const struct sockaddr_in *)a)->sin_addr;
		return ntohl(v4.s_addr) >> 24 == 127;
	}
	v6 = ((const struct sockaddr_in6 *)a)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool net_is_loopback(const char *host)
{
	struct addrinfo *found = NULL;
	bool all;

	if (resolve(host, 0, &found))
		return false;
	all = found != NULL;
	for (struct addrinfo *to = found; to; to = to->ai_next)
		all = all && loopback(to->ai_addr);
	freeaddrinfo(found);
	return all;
}
