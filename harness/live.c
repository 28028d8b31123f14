/* Two buffers take turns: one is filled while the other is on its way. Answers of a broker come in
 * the order of the requests (Kafka's own guarantee), so the oldest request is the one. */
#include "harness/live.h"

#include "net/conn.h"
#include "net/connect.h"
#include "protocol/frame.h"
#include "protocol/wire.h"

#include <stdlib.h>

#define CONNECT_WAIT_US 5000000
#define OUT_MAX		((size_t)4 * FRAME_SIZE_MAX)

struct live {
	struct conn *conn;
	const struct live_callbacks *callbacks;
	void *ctx;
	struct buf buf[2];
	int filling; /* which of them */
	bool sending;
	struct bytes span;
	struct out out;
	struct live_request *first, *last;
	int32_t waiting;
	bool closed;
	int busy; /* callbacks under way; memory goes at 0 */
	bool dead;
};

static void release(struct live *l)
{
	if (l->busy || !l->dead)
		return;
	buf_release(&l->buf[0]);
	buf_release(&l->buf[1]);
	free(l);
}

static void on_sent(struct out *o)
{
	struct live *l = (struct live *)((char *)o - offsetof(struct live, out));

	l->sending = false;
	live_flush(l);
}

void live_flush(struct live *l)
{
	struct buf *b = &l->buf[l->filling];

	if (l->sending || l->closed || b->len == 0)
		return;
	l->sending = true;
	l->filling = !l->filling;
	buf_reset(&l->buf[l->filling]);
	l->span = (struct bytes){b->data, (int32_t)b->len};
	l->out = (struct out){.spans = &l->span, .spans_count = 1, .on_sent = on_sent};
	conn_send(l->conn, &l->out);
}

static void close_it(struct live *l)
{
	if (l->closed)
		return;
	l->closed = true;
	l->callbacks->on_closed(l->ctx);
}

/* True if the frame answers the oldest request, which is then told. */
static bool take_answer(struct live *l, struct frame_in *in)
{
	struct live_request *r = l->first;

	if (!r || in->frame->size < 4 || (int32_t)wire_u32(in->frame->data) != r->correlation_id)
		return false;
	l->first = r->next;
	if (!l->first)
		l->last = NULL;
	l->waiting--;
	l->callbacks->on_answer(l->ctx, r, in->frame, in->last);
	return true;
}

static void on_frames(void *ctx)
{
	struct live *l = ctx;
	struct frame_in in;
	bool fine = true;

	l->busy++;
	while (fine && !l->dead && !l->closed && conn_next(l->conn, &in)) {
		fine = take_answer(l, &in);
		shared_unref(in.frame);
	}
	if (!fine && !l->dead)
		close_it(l);
	if (!l->dead && !l->closed)
		l->callbacks->on_idle(l->ctx);
	l->busy--;
	release(l);
}

static void on_end(void *ctx, enum conn_end how)
{
	struct live *l = ctx;

	(void)how;
	on_frames(l); /* what came before */
	l->busy++;
	if (!l->dead)
		close_it(l);
	l->busy--;
	release(l);
}

static const struct conn_callbacks callbacks_of_conn = {.on_frames = on_frames, .on_end = on_end};

struct live *live_open(struct loop *loop, const struct service_address *to,
		       const struct live_callbacks *callbacks, void *ctx, struct error *e)
{
	struct live *l;
	int fd;

	if (net_connect(to->host, to->port, CONNECT_WAIT_US, &fd, e))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->callbacks = callbacks;
	l->ctx = ctx;
	buf_init(&l->buf[0], OUT_MAX);
	buf_init(&l->buf[1], OUT_MAX);
	l->conn = conn_new(loop, fd, &callbacks_of_conn, l);
	return l;
}

void live_send(struct live *l, struct live_request *r, struct bytes frame)
{
	buf_add(&l->buf[l->filling], frame.data, (size_t)frame.len);
	if (!r)
		return;
	r->next = NULL;
	if (l->last)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
	l->waiting++;
}

int32_t live_waiting(const struct live *l)
{
	return l->waiting;
}

bool live_is_closed(const struct live *l)
{
	return l->closed;
}

void live_free(struct live *l)
{
	if (!l || l->dead)
		return;
	l->dead = true;
	conn_free(l->conn, false);
	release(l);
}
