/* The bare server. Its process is a child that ends with its parent. */
#include "bench/bare.h"

#include "protocol/messages.h"
#include "protocol/records.h"
#include "protocol/wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BARE_BUFFER ((size_t)4 << 20)
#define KEPT_SIZE   ((size_t)128 << 20) /* used again and again, as a log with a size limit is */

struct bare_server {
	enum bare kind;
	struct bare_config config;
	uint8_t *kept;
	size_t kept_at;
	struct buf scratch;
};

struct bare_conn {
	int fd;
	uint8_t *in;
	size_t have;
	struct buf out;
	size_t sent;
};

static void keep(struct bare_server *b, const uint8_t *frame)
{
	size_t size = 4 + wire_u32(frame);
	uint8_t *to;

	if (b->kept_at + size > KEPT_SIZE)
		b->kept_at = 0;
	to = memcpy(b->kept + b->kept_at, frame, size);
	b->kept_at += size;
	if (b->kind == BARE_JUDGES) {
		struct batch batch;
		struct batch_finding finding;

		if (batch_read(to + b->config.batch_at, b->config.batch_size, &batch, NULL) ||
		    !batch_validate(&batch, TIMESTAMP_CREATE, &b->scratch, &finding))
			die("a batch");
	}
}

static void bare_answer(struct bare_server *b, struct bare_conn *c, const uint8_t *frame)
{
	uint16_t key = wire_u16(frame + 4);
	const struct buf *canned = &b->config.canned[key <= BARE_KEYS ? key : 0];
	size_t at = c->out.len;

	if (b->kind != BARE_PLAIN && key == API_PRODUCE)
		keep(b, frame);
	buf_add(&c->out, canned->data, canned->len);
	memcpy(c->out.data + at + 4, frame + 8, 4);
}

static void bare_read(struct bare_server *b, struct bare_conn *c, int epoll)
{
	ssize_t n = recv(c->fd, c->in + c->have, BARE_BUFFER - c->have, 0);
	size_t at = 0;

	if (n <= 0) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
		close(c->fd);
		return;
	}
	c->have += (size_t)n;
	while (c->have - at >= 4 && c->have - at >= 4 + wire_u32(c->in + at)) {
		bare_answer(b, c, c->in + at);
		at += 4 + wire_u32(c->in + at);
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
}

static void bare_write(struct bare_conn *c, int epoll)
{
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n;

	if (c->sent == c->out.len)
		return;
	n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent == c->out.len) {
		buf_reset(&c->out);
		c->sent = 0;
	} else {
		want.events |= EPOLLOUT;
	}
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &want);
}

static void bare_accept(int listener, int epoll)
{
	struct bare_conn *c = calloc(1, sizeof(*c));
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	c->in = malloc(BARE_BUFFER);
	buf_init(&c->out, 64 << 20);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &want);
}

static void bare_serve(struct bare_server *b, int listener)
{
	int epoll = epoll_create1(0);
	struct epoll_event want = {.events = EPOLLIN}, events[64];

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &want);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct bare_conn *c = events[i].data.ptr;

			if (!c) {
				bare_accept(listener, epoll);
				continue;
			}
			if (events[i].events & EPOLLIN)
				bare_read(b, c, epoll);
			bare_write(c, epoll);
		}
	}
}

static void make_room(struct bare_server *b)
{
	b->kept = mmap(NULL, KEPT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->kept == MAP_FAILED)
		die("mmap");
	madvise(b->kept, KEPT_SIZE, MADV_HUGEPAGE);
	memset(b->kept, 1, KEPT_SIZE);
	buf_init(&b->scratch, BARE_BUFFER);
}

struct server start_bare(enum bare kind, const struct bare_config *config)
{
	struct bare_server b = {.kind = kind, .config = *config};
	struct server s = {0};
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
		die("listen");
	getsockname(fd, (struct sockaddr *)&at, &len);
	s.port = ntohs(at.sin_port);
	s.pid = fork();
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (kind != BARE_PLAIN)
			make_room(&b);
		bare_serve(&b, fd);
	}
	close(fd);
	return s;
}
