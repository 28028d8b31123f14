/* The pipeline: capture items in, events out. Owns the table of streams and what evidence
 * announced.
 *
 * Invariants: a stream's user is its conn from open to close; an announcement is used once; of
 * several captures the item with the least time goes first, and each keeps its own item until then.
 */
#include "decoder/decode.h"

#include "trace/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define ANNOUNCED_MAX 4096 /* connections whose packets have not come yet */
#define EVENT_ARENA   ((size_t)32 << 20)

/* A connection that evidence told of. */
struct announced {
	struct announced *prev, *next; /* while unclaimed */
	struct event_conn info;
	bool refused;
	struct dialog *conn; /* once its packets came */
	UT_hash_handle hh;
};

struct decode {
	struct decode_options options;
	struct event_bus *bus;
	struct dialog_env env;
	struct brokers *brokers; /* our own; NULL: the caller's are used */
	struct stream_table *streams;
	struct fragments *fragments;
	struct decode_totals totals;
	struct stream_at at;
	struct arena arena; /* of an event out of a custom block */
	struct announced *unclaimed;
	uint32_t unclaimed_count;
	struct announced *claimed; /* by number */
	struct capture *live;
	volatile bool stopped;
};

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* Announcements. */

static void forget_unclaimed(struct decode *d, struct announced *a)
{
	DL_DELETE(d->unclaimed, a);
	d->unclaimed_count--;
}

static void announce(struct decode *d, const struct event *ev)
{
	struct announced *a = calloc(1, sizeof(*a)), *old = d->unclaimed;

	if (!a)
		abort();
	a->info = ev->conn;
	a->refused = ev->kind == EVENT_CONN_REFUSED;
	if (d->unclaimed_count == ANNOUNCED_MAX) {
		forget_unclaimed(d, old);
		free(old);
	}
	DL_APPEND(d->unclaimed, a);
	d->unclaimed_count++;
}

static struct announced *find_claimed(struct decode *d, int64_t number)
{
	struct announced *a;

	HASH_FIND(hh, d->claimed, &number, sizeof(number), a);
	return a;
}

static void unclaim(struct decode *d, int64_t number)
{
	struct announced *a = find_claimed(d, number);

	if (!a)
		return;
	HASH_DELETE(hh, d->claimed, a);
	free(a);
}

static bool port_is_kafka(const struct decode *d, uint16_t port)
{
	for (size_t i = 0; i < d->options.ports_count; i++)
		if (d->options.ports[i] == port)
			return true;
	return false;
}

static enum dialog_belief identify(void *context, struct event_conn *conn)
{
	struct decode *d = context;
	struct announced *a;
	struct endpoint swap;

	DL_FOREACH(d->unclaimed, a)
	if (same_endpoint(&a->info.client, &conn->client) &&
	    same_endpoint(&a->info.server, &conn->server))
		break;
	if (a) {
		forget_unclaimed(d, a);
		unclaim(d, a->info.conn);
		HASH_ADD(hh, d->claimed, info.conn, sizeof(a->info.conn), a);
		conn->conn = a->info.conn;
		conn->broker = a->info.broker;
		return a->refused ? DIALOG_KAFKA : DIALOG_ANNOUNCED;
	}
	if (port_is_kafka(d, conn->server.port))
		return DIALOG_KAFKA;
	if (!port_is_kafka(d, conn->client.port))
		return DIALOG_MAYBE;
	swap = conn->client;
	conn->client = conn->server;
	conn->server = swap;
	return DIALOG_KAFKA;
}

/* Streams. */

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	struct decode *d = context;
	struct dialog *c = dialog_new(&d->env, s, at);
	struct announced *a = find_claimed(d, dialog_number(c));

	s->user = c;
	if (a && !a->conn)
		a->conn = c;
}

static void on_data(void *context, struct stream *s, int direction, const uint8_t *data, size_t n,
		    const struct stream_at *at)
{
	(void)context;
	dialog_data(s->user, direction, data, n, at);
}

static void on_gap(void *context, struct stream *s, int direction, uint64_t n, enum stream_gap why,
		   const struct stream_at *at)
{
	(void)context;
	(void)why;
	dialog_gap(s->user, direction, n, at);
}

static void on_conflict(void *context, struct stream *s, int direction, size_t n,
			const struct stream_at *at)
{
	(void)context;
	if (s->user)
		dialog_conflict(s->user, direction, n, at);
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	struct decode *d = context;
	struct announced *a = find_claimed(d, dialog_number(s->user));
	bool mine = a && a->conn == s->user;

	d->totals.retransmitted +=
		s->half[0].counts.retransmitted + s->half[1].counts.retransmitted;
	d->totals.conflicts += s->half[0].counts.conflicts + s->half[1].counts.conflicts;

	dialog_close(s->user, how, at);
	if (mine)
		unclaim(d, a->info.conn);
}

/* Items. */

static void take_tcp(struct decode *d, const struct capture_item *item, const struct packet *p)
{
	int direction;
	uint64_t stream = stream_feed(d->streams, p, &d->at, &direction);

	/* What was joined of fragments lies outside of this packet. */
	if (d->options.on_packet && p->data >= item->data && p->data <= item->data + item->len)
		d->options.on_packet(d->options.context, item, p, stream, direction);
}

static void take_packet(struct decode *d, const struct capture_item *item)
{
	struct packet p;

	if ((d->options.from_ns && item->time_ns < d->options.from_ns) ||
	    (d->options.to_ns && item->time_ns > d->options.to_ns))
		return;
	d->totals.packets++;
	d->totals.bytes += item->len;
	d->at = (struct stream_at){item->number, item->time_ns};
	packet_parse(item->link, item->data, item->len, item->wire_len, &p);
	d->totals.kinds[p.kind]++;
	if (p.kind == PACKET_FRAGMENT)
		fragments_feed(d->fragments, &p, item->time_ns);
	if (p.kind == PACKET_TCP)
		take_tcp(d, item, &p);
	else if (p.kind == PACKET_LINK_UNKNOWN)
		d->totals.link_unknown = item->link;
	if (d->options.packets_max && d->totals.packets >= d->options.packets_max)
		d->stopped = true;
}

static void take_event(struct decode *d, const struct capture_item *item)
{
	struct announced *a;
	struct event ev;
	int rc;

	if (item->pen != PCAPNG_PEN_KTRIAL)
		return;
	arena_reset(&d->arena);
	rc = evidence_read((struct bytes){item->data, (int32_t)item->len}, &d->arena, &ev, NULL);
	d->totals.bad_blocks += rc < 0;
	if (rc <= 0)
		return;
	if (ev.kind == EVENT_CONN_OPENED || ev.kind == EVENT_CONN_REFUSED) {
		announce(d, &ev);
		return;
	}
	if (ev.kind == EVENT_RULE) {
		a = find_claimed(d, ev.rule.conn);
		if (a && a->conn)
			dialog_rule(a->conn, ev.rule.correlation_id, ev.rule.text);
	}
	event_emit(d->bus, &ev);
}

void decode_item(struct decode *d, const struct capture_item *item)
{
	switch (item->kind) {
	case CAPTURE_PACKET:
		take_packet(d, item);
		break;
	case CAPTURE_CUSTOM:
		take_event(d, item);
		break;
	case CAPTURE_SECRETS:
		d->totals.secrets++;
		break;
	case CAPTURE_SECTION:
		break;
	}
}

void decode_end(struct decode *d)
{
	stream_flush(d->streams, &d->at);
}

/* Running. */

/* One of several captures, with the item that it stands at. */
struct input {
	struct capture *capture;
	const char *path;
	struct capture_item item;
	bool over;
};

/* It must be said which file can't be read. */
static void name_file(struct error *e, const char *path)
{
	char text[sizeof(e->text)];

	if (strstr(e->text, path))
		return;
	snprintf(text, sizeof(text), "%s", e->text);
	snprintf(e->text, sizeof(e->text), "%.100s: %.200s", path, text);
}

static int advance(struct input *in, struct error *e)
{
	bool first = e && !e->code;
	int rc = capture_next(in->capture, &in->item, e);

	if (rc < 0 && first)
		name_file(e, in->path);
	in->over = rc != 1;
	return rc < 0 ? rc : 0;
}

static struct input *least(struct input *inputs, size_t count)
{
	struct input *in = NULL;

	for (size_t i = 0; i < count; i++)
		if (!inputs[i].over && (!in || inputs[i].item.time_ns < in->item.time_ns))
			in = &inputs[i];
	return in;
}

/* Until all have ended. An error of one ends that one; the first is returned. */
static int merge(struct decode *d, struct input *inputs, size_t count, struct error *e)
{
	struct input *in;
	uint64_t number = 0;
	int rc = 0, one;

	for (size_t i = 0; i < count; i++) {
		one = advance(&inputs[i], e);
		rc = rc ? rc : one;
	}
	while (!d->stopped && (in = least(inputs, count))) {
		/* Of several files packets are numbered as if they were one. */
		if (in->item.kind == CAPTURE_PACKET || in->item.kind == CAPTURE_CUSTOM)
			number++;
		if (count > 1)
			in->item.number = number;
		decode_item(d, &in->item);
		one = advance(in, e);
		rc = rc ? rc : one;
	}
	return rc;
}

int decode_files(struct decode *d, const char *const *paths, size_t count, struct error *e)
{
	struct input *inputs;
	int rc = 0;
	size_t opened = 0;

	if (count > DECODE_FILES_MAX)
		return error_set(e, ERR_LIMIT, "more than %d files", DECODE_FILES_MAX);
	inputs = calloc(count + 1, sizeof(*inputs));
	if (!inputs)
		abort();
	for (; opened < count && !rc; opened++) {
		inputs[opened].path = paths[opened];
		rc = capture_open(paths[opened], &d->options.capture, &inputs[opened].capture, e);
	}
	if (rc && e)
		name_file(e, paths[opened - 1]);
	if (!rc)
		rc = merge(d, inputs, opened, e);
	decode_end(d);
	for (size_t i = 0; i < opened; i++)
		capture_close(inputs[i].capture);
	free(inputs);
	return rc;
}

int decode_live(struct decode *d, const char *interface, struct error *e)
{
	struct capture_item item;
	int rc = capture_open_live(interface, &d->options.capture, &d->live, e);

	if (rc < 0)
		return rc;
	while (!d->stopped && (rc = capture_next(d->live, &item, e)) == 1)
		decode_item(d, &item);
	d->totals.live_lost = capture_lost(d->live);
	decode_end(d);
	capture_close(d->live);
	d->live = NULL;
	return rc < 0 ? rc : 0;
}

void decode_stop(struct decode *d)
{
	d->stopped = true;
	if (d->live)
		capture_break(d->live);
}

struct decode *decode_new(const struct decode_options *options, struct event_bus *bus)
{
	struct decode *d = calloc(1, sizeof(*d));
	struct stream_events events = {d, on_open, on_data, on_gap, on_close, on_conflict};
	struct stream_limits limits = {0};

	if (!d)
		abort();
	if (options)
		d->options = *options;
	if (!d->options.memory_max)
		d->options.memory_max = (size_t)64 << 20;
	/* What is left is for names, rows and the like, and for the program itself. */
	limits.memory_max = d->options.memory_max * 5 / 16;
	limits.queue_max = d->options.memory_max / 16;
	limits.user_size = dialog_size();
	d->bus = bus;
	if (!d->options.brokers)
		d->options.brokers = d->brokers = brokers_new();
	d->env = (struct dialog_env){.bus = bus,
				     .memory_max = d->options.memory_max * 5 / 16,
				     .frame_max = d->options.memory_max / 4,
				     .squeeze = d->options.squeeze,
				     .thin = d->options.thin,
				     .brokers = d->options.brokers,
				     .show_secrets = d->options.show_secrets,
				     .on_secret = d->options.on_secret,
				     .secret_context = d->options.context,
				     .identify = identify,
				     .context = d};
	arena_init(&d->env.arena, ARENA_EXCHANGE_MAX);
	arena_init(&d->arena, EVENT_ARENA);
	d->fragments = fragments_new();
	d->streams = stream_table_new(&events, &limits);
	return d;
}

const struct decode_totals *decode_totals(struct decode *d)
{
	d->totals.conns = d->env.totals;
	d->totals.fragments = *fragments_totals(d->fragments);
	d->totals.streams = *stream_table_totals(d->streams);
	return &d->totals;
}

uint64_t decode_bytes(const struct decode *d)
{
	return d->totals.bytes;
}

void decode_free(struct decode *d)
{
	struct announced *a, *next;

	if (!d)
		return;
	decode_end(d);
	stream_table_free(d->streams);
	fragments_free(d->fragments);
	brokers_free(d->brokers);
	DL_FOREACH_SAFE(d->unclaimed, a, next)
	free(a);
	HASH_ITER (hh, d->claimed, a, next) {
		HASH_DELETE(hh, d->claimed, a);
		free(a);
	}
	arena_release(&d->env.arena);
	arena_release(&d->arena);
	free(d);
}
