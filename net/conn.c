/* Connections. Reading goes through one scratch buffer of the process while a frame begins, and
 * straight into the frame while it lasts, so that an idle connection holds no buffer and a burst of
 * small frames costs one system call. A frame that is there as a whole is worked on where it lies,
 * which is in the processor's cache, and copied once, by whoever keeps it. Writing gathers. A
 * connection that ends in the middle of a callback is freed when the callback returns. What frames
 * mean is the service's. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SCRATCH_SIZE	 131072
#define SLICE_MIN	 4096 /* shorter frames are copied out of it */
#define READS_PER_TURN	 8
#define FIRST_ALLOCATION (1 << 20) /* of a larger frame: the rest when the bytes come */
#define SPANS_PER_WRITE	 64
#define RATE_STEP_US	 20000 /* how often a slowed answer goes on */

static struct shared *scratch; /* while there are connections */
static size_t conns;

struct conn {
	int fd;
	struct loop *loop;
	const struct conn_callbacks *callbacks;
	void *ctx;
	struct event readable, writable;
	int busy; /* callbacks under way; memory is freed at 0 */
	bool dead;
	bool ended, broken; /* no more reading; no more writing */
	bool tell;	    /* on_end is due */
	bool in_frames;	    /* inside on_frames: answers are gathered */
	bool reading, held;
	bool want_write, flushing;
	enum conn_end how;

	uint8_t head[4]; /* length bytes of the frame that begins */
	int32_t head_len;
	int32_t length; /* what they said */
	struct shared *frame;
	int32_t have; /* bytes of it */
	struct instant first;

	struct frame_in *queue; /* a ring of CONN_FRAMES_MAX; NULL while nothing ever waited */
	int32_t queue_at, queue_count;
	size_t queue_bytes;
	uint8_t *spare; /* read, but past the limits */
	size_t spare_len, spare_at;
	struct instant spare_time;

	struct out *out_first, *out_last;
	size_t unsent;
	struct loop_timer slow;
};

static void set_reading(struct conn *c)
{
	bool want = !c->dead && !c->ended && !c->held && !c->spare &&
		    c->queue_count < CONN_FRAMES_MAX && c->queue_bytes < CONN_BYTES_MAX;

	if (want == c->reading)
		return;
	c->reading = want;
	if (want)
		event_add(&c->readable, NULL);
	else
		event_del(&c->readable);
}

/* Said at the next turn, never from inside a caller's call. */
static void end(struct conn *c, enum conn_end how)
{
	if (c->broken || (c->ended && how != CONN_END_RESET))
		return;
	c->ended = true;
	c->broken = how == CONN_END_RESET;
	c->tell = true;
	c->how = how;
	set_reading(c);
	event_active(&c->readable, EV_TIMEOUT, 0);
}

static void done(struct conn *c)
{
	if (--c->busy || !c->dead)
		return;
	free(c);
	if (--conns)
		return;
	shared_unref(scratch);
	scratch = NULL;
}

static bool full(const struct conn *c)
{
	return c->queue_count == CONN_FRAMES_MAX || c->queue_bytes >= CONN_BYTES_MAX;
}

static void queue_push(struct conn *c, struct instant now)
{
	struct frame_in *slot;

	if (!c->queue)
		c->queue = malloc(CONN_FRAMES_MAX * sizeof(*c->queue));
	if (!c->queue)
		abort();
	slot = &c->queue[(c->queue_at + c->queue_count++) % CONN_FRAMES_MAX];
	*slot = (struct frame_in){c->frame, c->first, now};
	c->queue_bytes += c->frame->size;
	c->frame = NULL;
	c->head_len = 0;
}

/* Grows a frame whose length was only announced so far, as its bytes come. */
static void grow(struct conn *c)
{
	size_t size = c->frame->size * 2;

	if ((size_t)c->have < c->frame->size || c->have == c->length)
		return;
	c->frame = shared_resize(c->frame, size < (size_t)c->length ? size : (size_t)c->length);
}

/* A whole length. False if no frame can be so long. */
static bool read_length(struct conn *c)
{
	uint32_t length = (uint32_t)c->head[0] << 24 | (uint32_t)c->head[1] << 16 |
			  (uint32_t)c->head[2] << 8 | c->head[3];

	c->length = (int32_t)length;
	return c->length > 0 && c->length <= CONN_FRAME_MAX;
}

/* Of a frame whose length is known the bytes begin, len of them for now. One that is here as a
 * whole stays where it is, if that is worth it. */
static int64_t open_frame(struct conn *c, const uint8_t *data, size_t len, struct instant now)
{
	size_t size = (size_t)c->length;

	if (scratch && data >= scratch->data && data < scratch->data + scratch->size &&
	    size <= len && size >= SLICE_MIN) {
		c->frame = shared_slice(scratch, (size_t)(data - scratch->data), size);
		queue_push(c, now);
		return (int64_t)size;
	}
	c->frame = shared_new(size < FIRST_ALLOCATION ? size : FIRST_ALLOCATION);
	c->have = 0;
	return 0;
}

/* Takes from data what belongs to the frame that begins or lasts; the number of bytes, negative
 * after a length that can't be. */
static int64_t feed_some(struct conn *c, const uint8_t *data, size_t len, struct instant now)
{
	size_t n = 0;

	if (!c->frame) {
		if (!c->head_len)
			c->first = now;
		while (n < len && c->head_len < 4)
			c->head[c->head_len++] = data[n++];
		if (c->head_len < 4)
			return (int64_t)n;
		return read_length(c) ? (int64_t)n + open_frame(c, data + n, len - n, now) : -1;
	}
	n = c->frame->size - (size_t)c->have;
	n = n < len ? n : len;
	memcpy(c->frame->data + c->have, data, n);
	c->have += (int32_t)n;
	if (c->have == c->length)
		queue_push(c, now);
	else
		grow(c);
	return (int64_t)n;
}

static void keep_spare(struct conn *c, const uint8_t *data, size_t len, struct instant now)
{
	c->spare = malloc(len);
	if (!c->spare)
		abort();
	memcpy(c->spare, data, len);
	c->spare_len = len;
	c->spare_at = 0;
	c->spare_time = now;
}

static void feed(struct conn *c, const uint8_t *data, size_t len, struct instant now)
{
	for (size_t at = 0; at < len;) {
		int64_t n;

		if (full(c)) {
			keep_spare(c, data + at, len - at, now);
			return;
		}
		n = feed_some(c, data + at, len - at, now);
		if (n < 0) {
			end(c, CONN_END_BAD_LENGTH);
			return;
		}
		at += (size_t)n;
	}
}

/* Room in the queue again: what was read past the limits goes on. */
static void feed_spare(struct conn *c)
{
	uint8_t *spare = c->spare;
	size_t at = c->spare_at;

	if (!spare || full(c))
		return;
	c->spare = NULL;
	feed(c, spare + at, c->spare_len - at, c->spare_time);
	free(spare);
}

/* Shows the first n bytes of v to whoever keeps them. */
static void show_bytes(struct conn *c, bool read, struct iovec *v, int count, size_t n,
		       struct instant now)
{
	int used = 0;

	if (!c->callbacks->on_bytes)
		return;
	for (; used < count && n; used++) {
		v[used].iov_len = v[used].iov_len < n ? v[used].iov_len : n;
		n -= v[used].iov_len;
	}
	c->callbacks->on_bytes(c->ctx, read, v, used, now);
}

/* Where to read: not over frames that somebody still looks at. */
static struct shared *take_scratch(void)
{
	if (scratch && scratch->refs > 1) {
		shared_unref(scratch);
		scratch = NULL;
	}
	if (!scratch)
		scratch = shared_new(SCRATCH_SIZE);
	return scratch;
}

/* One read: into the frame that lasts, and what is behind it into the scratch. False when there is
 * no more to read now. */
static bool read_some(struct conn *c)
{
	struct iovec v[2];
	int count = 0;
	struct shared *room = take_scratch();
	size_t direct = c->frame ? c->frame->size - (size_t)c->have : 0;
	struct instant now;
	ssize_t n;

	if (direct)
		v[count++] = (struct iovec){c->frame->data + c->have, direct};
	v[count++] = (struct iovec){room->data, room->size};
	n = readv(c->fd, v, count);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		end(c, n < 0 ? CONN_END_RESET : CONN_END_CLOSED);
		return false;
	}
	now = clock_now();
	show_bytes(c, true, v, count, (size_t)n, now);
	if (direct) {
		size_t taken = (size_t)n < direct ? (size_t)n : direct;

		c->have += (int32_t)taken;
		if (c->have == c->length)
			queue_push(c, now);
		else
			grow(c);
		if ((size_t)n > direct)
			feed(c, room->data, (size_t)n - direct, now);
	} else {
		feed(c, room->data, (size_t)n, now);
	}
	return (size_t)n == direct + room->size;
}

/* Frames that wait for longer than this turn leave the scratch. */
static void settle_waiting(struct conn *c)
{
	for (int32_t i = 0; i < c->queue_count; i++) {
		struct frame_in *f = &c->queue[(c->queue_at + i) % CONN_FRAMES_MAX];
		struct shared *kept = shared_keep(f->frame);

		shared_unref(f->frame);
		f->frame = kept;
	}
}

static void tell_frames(struct conn *c)
{
	c->in_frames = true;
	c->callbacks->on_frames(c->ctx);
	c->in_frames = false;
	if (!c->dead)
		conn_flush(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	int32_t before = c->queue_count;

	(void)fd;
	(void)what;
	c->busy++;
	for (int i = 0; i < READS_PER_TURN && c->reading; i++) {
		bool more = read_some(c);

		set_reading(c);
		if (!more)
			break;
	}
	if (c->queue_count > before)
		tell_frames(c);
	if (!c->dead)
		settle_waiting(c);
	if (!c->dead && c->tell) {
		c->tell = false;
		c->callbacks->on_end(c->ctx, c->how);
	}
	done(c);
}

/* What one write may take of an answer now: limits of chunk, rate and stop. */
static size_t allowance(const struct out *o)
{
	size_t n = (o->stop && o->stop_at < o->size ? o->stop_at : o->size) - o->sent;

	if (o->chunk && n > o->chunk)
		n = o->chunk;
	if (o->rate) {
		size_t step = (size_t)(o->rate * RATE_STEP_US / 1000000);

		step = step ? step : 1;
		n = n < step ? n : step;
	}
	return n;
}

static bool shaped(const struct out *o)
{
	return o->stop || o->chunk || o->rate;
}

/* Gathers spans of answers, up to max bytes; answers that are shaped go alone. */
static int gather_spans(struct out *o, size_t max, struct iovec *v)
{
	int count = 0;
	struct out *first = o;

	for (; o && count < SPANS_PER_WRITE && max; o = o->next) {
		int32_t at = o->span_at;

		if (o != first && (shaped(o) || shaped(first)))
			break;
		for (int32_t i = o->span; i < o->spans_count && count < SPANS_PER_WRITE && max;
		     i++, at = 0) {
			size_t n = (size_t)(o->spans[i].len - at);

			n = n < max ? n : max;
			v[count++] = (struct iovec){(void *)(uintptr_t)(o->spans[i].data + at), n};
			max -= n;
		}
	}
	return count;
}

/* n bytes of this answer are written. */
static void advance(struct out *o, size_t n)
{
	o->sent += n;
	while (n) {
		size_t left = (size_t)(o->spans[o->span].len - o->span_at);

		if (n < left) {
			o->span_at += (int32_t)n;
			return;
		}
		n -= left;
		o->span++;
		o->span_at = 0;
	}
}

static bool complete(const struct out *o)
{
	return o->sent == (o->stop && o->stop_at < o->size ? o->stop_at : o->size);
}

static void pop_out(struct conn *c)
{
	struct out *o = c->out_first;

	c->unsent -= o->size - o->sent;
	c->out_first = o->next;
	if (!c->out_first)
		c->out_last = NULL;
	o->next = NULL;
	o->on_sent(o);
}

/* Books n written bytes and hands back what is complete. */
static void written(struct conn *c, size_t n, struct instant now)
{
	for (struct out *o = c->out_first; o && !c->dead; o = c->out_first) {
		size_t part = (o->stop && o->stop_at < o->size ? o->stop_at : o->size) - o->sent;

		part = part < n ? part : n;
		if (!o->first.mono_us)
			o->first = now;
		advance(o, part);
		c->unsent -= part;
		n -= part;
		if (!complete(o))
			return;
		o->last = now;
		pop_out(c);
		if (!n && c->out_first && c->out_first->size)
			return;
	}
}

static void want_write(struct conn *c)
{
	if (!c->want_write)
		event_add(&c->writable, NULL);
	c->want_write = true;
}

/* Writes once; true if it is worth trying again at once. */
static bool write_some(struct conn *c)
{
	struct out *o = c->out_first;
	struct iovec v[SPANS_PER_WRITE];
	struct msghdr msg = {.msg_iov = v};
	struct instant now;
	size_t max = shaped(o) ? allowance(o) : SIZE_MAX;
	ssize_t n = 0;

	if (max && o->size) {
		msg.msg_iovlen = (size_t)gather_spans(o, max, v);
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		want_write(c);
		return false;
	}
	if (n < 0) {
		end(c, CONN_END_RESET);
		return false;
	}
	now = clock_now();
	if (n)
		show_bytes(c, false, v, (int)msg.msg_iovlen, (size_t)n, now);
	written(c, (size_t)n, now);
	if (c->dead || c->out_first != o)
		return !c->dead;
	if (o->rate)
		loop_timer_set(&c->slow, now.mono_us + (o->rate * RATE_STEP_US >= 1000000
								? RATE_STEP_US
								: 1000000 / o->rate));
	else if (o->chunk)
		want_write(c);
	return !o->rate && !o->chunk;
}

void conn_flush(struct conn *c)
{
	if (c->flushing || c->want_write || c->slow.due_us != INSTANT_NEVER)
		return;
	c->flushing = true;
	c->busy++;
	while (!c->dead && !c->broken && c->out_first && write_some(c))
		;
	c->flushing = false;
	done(c);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;

	(void)fd;
	(void)what;
	c->want_write = false;
	conn_flush(c);
}

static void on_slow(void *ctx, struct instant now)
{
	(void)now;
	conn_flush(ctx);
}

struct conn *conn_new(struct loop *l, int fd, const struct conn_callbacks *callbacks, void *ctx)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->fd = fd;
	c->loop = l;
	c->callbacks = callbacks;
	c->ctx = ctx;
	event_assign(&c->readable, loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, loop_base(l), fd, EV_WRITE, on_writable, c);
	loop_timer_init(&c->slow, l, on_slow, c);
	conns++;
	set_reading(c);
	return c;
}

void conn_reset_fd(int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* A plain close while bytes wait unread would send a reset: they are read away first. */
static void close_fd(struct conn *c, bool reset)
{
	uint8_t away[4096];

	if (reset) {
		conn_reset_fd(c->fd);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	for (int i = 0; i < READS_PER_TURN; i++)
		if (recv(c->fd, away, sizeof(away), MSG_DONTWAIT) <= 0)
			break;
	close(c->fd);
}

void conn_free(struct conn *c, bool reset)
{
	struct frame_in f;

	if (!c || c->dead)
		return;
	c->dead = true;
	c->busy++;
	event_del(&c->readable);
	event_del(&c->writable);
	loop_timer_clear(&c->slow);
	close_fd(c, reset);
	free(c->spare);
	c->spare = NULL;
	while (conn_next(c, &f))
		shared_unref(f.frame);
	shared_unref(c->frame);
	free(c->queue);
	done(c);
}

bool conn_next(struct conn *c, struct frame_in *ret_frame)
{
	if (!c->queue_count)
		return false;
	*ret_frame = c->queue[c->queue_at];
	c->queue_at = (c->queue_at + 1) % CONN_FRAMES_MAX;
	c->queue_count--;
	c->queue_bytes -= ret_frame->frame->size;
	feed_spare(c);
	set_reading(c);
	return true;
}

int32_t conn_waiting(const struct conn *c)
{
	return c->queue_count;
}

void conn_send(struct conn *c, struct out *o)
{
	assert(!c->dead && o->on_sent);
	o->sent = o->size = 0;
	o->span = o->span_at = 0;
	o->first = o->last = (struct instant){0};
	o->next = NULL;
	for (int32_t i = 0; i < o->spans_count; i++)
		o->size += (size_t)o->spans[i].len;
	c->unsent += o->size;
	if (c->out_last)
		c->out_last->next = o;
	else
		c->out_first = o;
	c->out_last = o;
	if (!c->in_frames)
		conn_flush(c);
}

size_t conn_unsent(const struct conn *c)
{
	return c->unsent;
}

bool conn_idle(const struct conn *c)
{
	return !c->queue_count && !c->head_len && !c->frame && !c->spare && !c->unsent;
}

void conn_hold_reading(struct conn *c, bool hold)
{
	c->held = hold;
	set_reading(c);
}

int32_t conn_length(const struct conn *c)
{
	return c->length;
}

size_t conn_count(void)
{
	return conns;
}
