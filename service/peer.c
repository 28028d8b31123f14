/* Connections of the service: the order of their jobs, and their end. net has read ahead; here one
 * request is begun at a time and answers go in order, unless a rule lets later ones pass. A client
 * that has sent its FIN still gets its answers, as from Kafka. */
#include "service/peer.h"

#include "protocol/schema.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_frames(void *ctx)
{
	struct peer *p = ctx;
	struct service *s = p->s;

	peer_go(p);
	service_pump(s);
}

void peer_blame(struct peer *p, const char *fmt, ...)
{
	char text[PEER_WHY_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	free(p->why);
	p->why = strdup(text);
}

/* What a length that can't be most likely is. */
static void blame_length(struct peer *p)
{
	static const char methods[][5] = {"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PRI "};
	int32_t length = conn_length(p->conn);
	uint32_t wire = htonl((uint32_t)length);
	const uint8_t *bytes = (const uint8_t *)&wire;

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!memcmp(bytes, methods[i], 4)) {
			peer_blame(p, "it speaks HTTP, and this is a port for Kafka's protocol");
			return;
		}
	if (bytes[0] == 0x16 && bytes[1] == 3)
		peer_blame(p, "it speaks TLS, and this port is plaintext");
	else
		peer_blame(p, "it announced a frame of %d bytes; 1 to %d can be", length,
			   CONN_FRAME_MAX);
}

static void on_end(void *ctx, enum conn_end how)
{
	struct peer *p = ctx;
	struct service *s = p->s;

	p->ended = true;
	if (how == CONN_END_RESET) {
		peer_end(p, CLOSE_RESET_BY_CLIENT);
	} else {
		if (how == CONN_END_BAD_LENGTH) {
			p->info.how = CLOSE_BY_BROKER;
			blame_length(p);
			tell_unmatched(p, true, 4, "a frame length that no request can have");
		}
		peer_go(p);
	}
	service_pump(s);
}

static void on_bytes(void *ctx, bool read, const struct iovec *v, int count, struct instant now)
{
	struct peer *p = ctx;
	const struct service_tap *tap = &p->s->tap;

	if (tap->on_bytes)
		tap->on_bytes(tap->ctx, &p->info, read, v, (size_t)count, now.wall_us);
}

static const struct conn_callbacks callbacks = {on_frames, on_end, on_bytes};

static void on_hearing(void *ctx, struct instant now)
{
	struct peer *p = ctx;
	struct service *s = p->s;

	(void)now;
	p->deaf = false;
	conn_hold_reading(p->conn, false);
	peer_go(p);
	service_pump(s);
}

void peer_stop_reading(struct peer *p, int64_t us)
{
	p->deaf = true;
	conn_hold_reading(p->conn, true);
	if (us)
		loop_timer_set(&p->hearing, clock_now().mono_us + us);
}

static struct endpoint endpoint_of(const struct net_address *a)
{
	struct endpoint e = {.family = a->family, .port = a->port};

	memcpy(e.addr, a->addr, sizeof(e.addr));
	return e;
}

void peer_new(struct door *d, int fd, const struct net_address *client,
	      const struct net_address *server)
{
	struct service *s = d->s;
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->s = s;
	p->info.conn = ++s->peers_total;
	p->info.broker = d->broker;
	p->info.client = endpoint_of(client);
	p->info.server = endpoint_of(server);
	p->info.how = CLOSE_BY_CLIENT;
	loop_timer_init(&p->hearing, s->loop, on_hearing, p);
	p->next = s->peers;
	if (p->next)
		p->next->prev = p;
	s->peers = p;
	s->peers_open++;
	tell_conn(p, EVENT_CONN_OPENED, CLOSE_BY_CLIENT);
	p->conn = conn_new(s->loop, fd, &callbacks, p);
}

void peer_refuse(struct door *d, int fd, const struct net_address *client,
		 const struct net_address *server)
{
	struct event ev = {.kind = EVENT_CONN_REFUSED, .time_us = clock_now().wall_us};

	ev.conn = (struct event_conn){.conn = ++d->s->peers_total,
				      .broker = d->broker,
				      .client = endpoint_of(client),
				      .server = endpoint_of(server),
				      .how = CLOSE_RESET_BY_BROKER};
	conn_reset_fd(fd);
	event_emit(&d->s->bus, &ev);
}

static void peer_free_if_gone(struct peer *p)
{
	if (!p->gone || p->going)
		return;
	free(p->why);
	free(p);
}

void peer_end(struct peer *p, enum close_how how)
{
	struct frame_in in;

	if (p->gone)
		return;
	p->gone = true;
	while (p->first)
		job_finish(p->first, EXCHANGE_LOST);
	while (conn_next(p->conn, &in)) {
		tell_lost(p, &in);
		shared_unref(in.frame);
	}
	conn_free(p->conn, how == CLOSE_RESET_BY_BROKER);
	if (p->s->answerer.closed)
		p->s->answerer.closed(p->s->answerer.ctx, p->info.conn);
	loop_timer_clear(&p->hearing);
	tell_conn(p, EVENT_CONN_CLOSED, how);
	p->s->peers_open--;
	if (p->prev)
		p->prev->next = p->next;
	else
		p->s->peers = p->next;
	if (p->next)
		p->next->prev = p->prev;
	peer_free_if_gone(p);
}

/* Gives the connection all answers whose turn it is. */
static void send_ready(struct peer *p)
{
	bool in_turn = true;

	for (struct job *j = p->first, *next; j && in_turn && !p->gone; j = next) {
		next = j->next;
		if (j->step == JOB_READY)
			job_send(j);
		else
			in_turn = j->step == JOB_SENDING || j->passes;
	}
}

/* True if the next request's time has come: all that came before it is answered, or a rule lets it
 * overtake. */
static bool may_begin(struct peer *p)
{
	int32_t jobs = 0;

	if (p->deaf)
		return false;
	for (const struct job *j = p->first; j; j = j->next) {
		bool overtaken =
			j->step == JOB_AFTER && j->held && j->plan.overtake != OVERTAKE_NONE;

		if (j->step != JOB_SENDING && j->step != JOB_READY && !overtaken)
			return false;
		if (j->step == JOB_SENDING && j->plan.rule)
			return false; /* once sent, it may end, mute or deafen the connection */
		if (++jobs == PEER_JOBS_MAX)
			return false;
	}
	if (conn_unsent(p->conn) >= PEER_UNSENT_MAX)
		conn_flush(p->conn);
	return !p->gone && conn_unsent(p->conn) < PEER_UNSENT_MAX;
}

void peer_go(struct peer *p)
{
	struct frame_in in;

	if (p->going || p->gone)
		return;
	p->going = true;
	while (!p->gone) {
		send_ready(p);
		if (p->gone || !may_begin(p) || !conn_next(p->conn, &in))
			break;
		if (!p->silent) {
			job_begin(p, &in);
			continue;
		}
		tell_lost(p, &in);
		shared_unref(in.frame);
	}
	p->going = false;
	if (!p->gone && p->ended && !p->first && !conn_waiting(p->conn))
		peer_end(p, p->info.how);
	else
		peer_free_if_gone(p);
}
