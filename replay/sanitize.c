/* Hidden frames wait in a temporary file until all are there: an exchange is told when it ends, but
 * its request was sent earlier, and packets are to stand in the order of time.
 *
 * Invariants: a piece's bytes stand whole in the file at its offset; pieces of one connection and
 * direction come in the order of their bytes, and sorting keeps that order among equal times. */
#include "replay/sanitize.h"

#include "protocol/frame.h"
#include "protocol/wire.h"
#include "replay/hide.h"
#include "trace/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define FRAME_BYTES_MAX ((size_t)FRAME_SIZE_MAX + 4096)

struct conn {
	struct event_conn info; /* with other addresses */
	int64_t last_us[2];	/* of the newest piece from the client, from the broker */
	UT_hash_handle hh;
};

enum piece_kind { PIECE_OPENED, PIECE_REQUEST, PIECE_RESPONSE, PIECE_CLOSED };

struct piece {
	int64_t time_us;
	uint64_t order; /* of arrival here */
	uint64_t at;	/* of its bytes in the file */
	struct conn *conn;
	uint32_t size;
	enum piece_kind kind;
	enum close_how how;
};

struct sanitize {
	struct hide hide;
	struct event_sink sink;
	struct conn *conns;
	struct piece *pieces;
	size_t pieces_count, pieces_cap;
	FILE *file;
	uint64_t file_size;
	struct buf frame;
	struct gather gather;
	struct arena arena;
	struct sanitize_totals totals;
	struct error error;
};

static struct conn *conn_of(struct sanitize *s, const struct event_conn *info)
{
	struct conn *c;

	HASH_FIND(hh, s->conns, &info->conn, sizeof(info->conn), c);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->info = *info;
	hide_endpoint(&s->hide, &c->info.client);
	hide_endpoint(&s->hide, &c->info.server);
	HASH_ADD(hh, s->conns, info.conn, sizeof(c->info.conn), c);
	return c;
}

/* A piece at that time, or, where that is unknown or goes backwards, at its side's newest. */
static struct piece *add_piece(struct sanitize *s, struct conn *c, enum piece_kind kind,
			       int64_t time_us)
{
	int side = kind == PIECE_RESPONSE;
	struct piece *p;

	if (s->pieces_count == s->pieces_cap) {
		s->pieces_cap = s->pieces_cap ? s->pieces_cap * 2 : 256;
		s->pieces = realloc(s->pieces, s->pieces_cap * sizeof(*s->pieces));
		if (!s->pieces)
			abort();
	}
	if (time_us > c->last_us[side])
		c->last_us[side] = time_us;
	p = &s->pieces[s->pieces_count];
	*p = (struct piece){.time_us = c->last_us[side],
			    .order = s->pieces_count,
			    .at = s->file_size,
			    .conn = c,
			    .kind = kind};
	s->pieces_count++;
	return p;
}

/* s->frame becomes a piece. */
static void keep_frame(struct sanitize *s, const struct exchange *x, enum piece_kind kind)
{
	struct conn *c = conn_of(s, &x->conn);
	struct piece *p;

	if (s->frame.bad || s->frame.len > UINT32_MAX) {
		s->totals.left_out++;
		return;
	}
	p = add_piece(s, c, kind, kind == PIECE_REQUEST ? x->request_us : x->response_us);
	p->size = (uint32_t)s->frame.len;
	if (fwrite(s->frame.data, 1, s->frame.len, s->file) != s->frame.len)
		error_set(&s->error, ERR_OS, "can't write a temporary file: %s", strerror(errno));
	s->file_size += s->frame.len;
	s->totals.messages++;
}

/* ---- messages ---- */

/* The hidden body, or NULL: it can't be read, or not be held. */
static void *hidden_body(struct sanitize *s, const struct exchange *x, enum message_kind kind,
			 int version, struct bytes body)
{
	const struct message *m = message_of_api(x->header.api_key, kind);
	void *msg;

	if (!m || !frame_known(x->header.api_key, version) ||
	    frame_decode(x->header.api_key, version, kind, body, &s->arena, &msg, NULL) < 0 ||
	    !hide_message(&s->hide, m->schema, version, msg, &s->arena))
		return NULL;
	return msg;
}

/* What was written with a length before it. */
static bool flatten(struct sanitize *s, int rc)
{
	if (rc == 0)
		gather_flatten(&s->gather, &s->frame);
	return rc == 0;
}

static void blank_body(struct sanitize *s, struct bytes frame, int64_t body)
{
	size_t n = (size_t)(frame.len - body);
	uint8_t *room = n ? buf_room(&s->frame, n) : NULL;

	if (room)
		memset(room, 0, n);
	s->frame.len += room ? n : 0;
	if (!s->frame.bad)
		wire_put32(s->frame.data, (uint32_t)s->frame.len - 4);
	s->totals.blanked++;
}

/* The header as version 1 has it, and zeros. */
static void blank_request(struct sanitize *s, const struct exchange *x, struct str client)
{
	buf_reset(&s->frame);
	buf_be32(&s->frame, 0);
	buf_be16(&s->frame, (uint16_t)x->header.api_key);
	buf_be16(&s->frame, (uint16_t)x->header.api_version);
	buf_be32(&s->frame, (uint32_t)x->header.correlation_id);
	buf_be16(&s->frame, (uint16_t)(client.data ? client.len : -1));
	buf_add(&s->frame, client.data, client.data ? (size_t)client.len : 0);
	blank_body(s, x->request, x->header.body);
}

static void take_request(struct sanitize *s, struct exchange *x)
{
	struct bytes body = {x->request.data + x->header.body, x->request.len - x->header.body};
	struct str client;
	void *msg;

	arena_reset(&s->arena);
	gather_reset(&s->gather);
	buf_reset(&s->frame);
	client = hide_name(&s->hide, ROLE_CLIENT, x->header.client_id, &s->arena);
	msg = hidden_body(s, x, MESSAGE_REQUEST, x->header.api_version, body);
	if (!msg ||
	    !flatten(s, frame_write_request(&s->gather, x->header.api_key, x->header.api_version,
					    x->header.correlation_id, client, msg, NULL)))
		blank_request(s, x, client);
	keep_frame(s, x, PIECE_REQUEST);
}

static void take_response(struct sanitize *s, struct exchange *x)
{
	int version = exchange_response_version(x);
	int32_t correlation;
	int64_t at =
		frame_read_response(x->response, x->header.api_key, version, &correlation, NULL);
	void *msg = NULL;

	arena_reset(&s->arena);
	gather_reset(&s->gather);
	buf_reset(&s->frame);
	if (at >= 0)
		msg = hidden_body(
			s, x, MESSAGE_RESPONSE, version,
			(struct bytes){x->response.data + at, x->response.len - (int32_t)at});
	if (!msg || !flatten(s, frame_write_response(&s->gather, x->header.api_key, version,
						     x->header.correlation_id, msg, NULL))) {
		buf_reset(&s->frame);
		buf_be32(&s->frame, 0);
		buf_be32(&s->frame, (uint32_t)x->header.correlation_id);
		blank_body(s, x->response, x->response.len < 4 ? x->response.len : 4);
	}
	keep_frame(s, x, PIECE_RESPONSE);
}

static void take_exchange(struct sanitize *s, struct exchange *x)
{
	if (x->state == EXCHANGE_ORPHAN || !x->request.data) {
		s->totals.left_out += 1u + (x->request_size && x->response_size);
		return;
	}
	take_request(s, x);
	if (x->response.data)
		take_response(s, x);
	else if (x->response_size)
		s->totals.left_out++;
}

static void on_event(void *user, const struct event *ev)
{
	struct sanitize *s = user;

	switch (ev->kind) {
	case EVENT_CONN_OPENED:
		add_piece(s, conn_of(s, &ev->conn), PIECE_OPENED, ev->time_us);
		break;
	case EVENT_CONN_CLOSED:
		add_piece(s, conn_of(s, &ev->conn), PIECE_CLOSED, ev->time_us)->how = ev->conn.how;
		break;
	case EVENT_EXCHANGE:
		take_exchange(s, ev->exchange);
		break;
	case EVENT_UNMATCHED:
		s->totals.unmatched_bytes += ev->unmatched.size;
		break;
	case EVENT_CONN_REFUSED:
		break;
	default:
		s->totals.inside++;
	}
}

struct sanitize *sanitize_new(const struct key *key, unsigned keep, struct error *e)
{
	struct sanitize *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->file = tmpfile();
	if (!s->file) {
		error_set(e, ERR_OS, "no room for a temporary file: %s; see the disk, or TMPDIR",
			  strerror(errno));
		free(s);
		return NULL;
	}
	s->error = (struct error)ERROR_INIT;
	s->sink.on_event = on_event;
	s->sink.ctx = s;
	hide_init(&s->hide, key, keep);
	buf_init(&s->frame, FRAME_BYTES_MAX);
	gather_init(&s->gather, FRAME_BYTES_MAX);
	arena_init(&s->arena, (size_t)4 * FRAME_SIZE_MAX);
	return s;
}

struct event_sink *sanitize_sink(struct sanitize *s)
{
	return &s->sink;
}

/* ---- the file ---- */

static int by_time(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void write_frame(struct sanitize *s, struct evidence *ev, const struct piece *p)
{
	struct iovec iov;

	buf_reset(&s->frame);
	iov.iov_base = buf_room(&s->frame, p->size);
	iov.iov_len = p->size;
	if (!iov.iov_base || fseeko(s->file, (off_t)p->at, SEEK_SET) ||
	    fread(iov.iov_base, 1, p->size, s->file) != p->size) {
		error_set(&s->error, ERR_OS, "can't read a temporary file: %s", strerror(errno));
		return;
	}
	evidence_bytes(ev, &p->conn->info, p->kind == PIECE_REQUEST, &iov, 1, p->time_us);
}

static void write_piece(struct sanitize *s, struct evidence *ev, const struct piece *p)
{
	struct event_sink *sink = evidence_sink(ev);
	struct event e = {.time_us = p->time_us, .conn = p->conn->info};

	if (p->kind == PIECE_REQUEST || p->kind == PIECE_RESPONSE) {
		write_frame(s, ev, p);
		return;
	}
	e.kind = p->kind == PIECE_OPENED ? EVENT_CONN_OPENED : EVENT_CONN_CLOSED;
	e.conn.how = p->how;
	sink->on_event(sink->ctx, &e);
}

int sanitize_write(struct sanitize *s, const char *path, struct error *e)
{
	struct evidence *ev;

	if (fflush(s->file))
		error_set(&s->error, ERR_OS, "can't write a temporary file: %s", strerror(errno));
	ev = s->error.code ? NULL : evidence_open(path, &s->error);
	if (ev && s->pieces_count)
		qsort(s->pieces, s->pieces_count, sizeof(*s->pieces), by_time);
	for (size_t i = 0; ev && i < s->pieces_count && !s->error.code; i++)
		write_piece(s, ev, &s->pieces[i]);
	evidence_close(ev, &s->error);
	if (s->error.code && e && !e->code)
		*e = s->error;
	return s->error.code;
}

const struct sanitize_totals *sanitize_totals(struct sanitize *s)
{
	s->totals.batches_unread = s->hide.unread;
	s->totals.batches_cut = s->hide.cut;
	return &s->totals;
}

void sanitize_free(struct sanitize *s)
{
	struct conn *c, *next;

	if (!s)
		return;
	HASH_ITER (hh, s->conns, c, next) {
		HASH_DELETE(hh, s->conns, c);
		free(c);
	}
	free(s->pieces);
	fclose(s->file);
	hide_release(&s->hide);
	buf_release(&s->frame);
	gather_release(&s->gather);
	arena_release(&s->arena);
	free(s);
}
