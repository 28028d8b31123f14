/* A frame's first eight bytes say what it is: a request's API and version, an answer's correlation
 * id, which is that of a request that had to be held. They have no secret and pass.
 *
 * Invariant: whoever is not sure blanks. */
#include "trace/blind.h"

#include "base/buf.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "trace/secrets.h"

#include <stdlib.h>
#include <string.h>

#define HEAD	    8		      /* bytes that say what a frame is, its length among them */
#define HELD_MAX    ((size_t)1 << 20) /* larger frames are blanked as they come */
#define PENDING_MAX 4096	      /* requests without an answer */

enum way { WAY_PASS, WAY_HOLD, WAY_BLANK };

struct side {
	uint8_t head[HEAD];
	size_t at, size; /* in the frame, its length bytes among them; size 0: none begun */
	enum way way;
	bool foreign; /* it is no Kafka */
	int16_t api_key, api_version;
	struct buf held; /* from the frame's begin on */
};

struct pending {
	int32_t correlation_id;
	int16_t api_key, api_version;
};

struct blind {
	struct side sides[2]; /* client, server */
	struct pending *pending;
	size_t pending_count;
	bool bare; /* after SaslHandshake 0 tokens come without a header */
	bool lost; /* there were too many to know which answer is whose */
	/* Of the bytes at hand: as long as all may go as they are they are only counted. */
	const struct iovec *iov;
	size_t straight;
	bool bent;
	struct buf out;
};

struct blind *blind_new(void)
{
	struct blind *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	for (int i = 0; i < 2; i++)
		buf_init(&b->sides[i].held, HELD_MAX + HEAD);
	buf_init(&b->out, (size_t)2 * FRAME_SIZE_MAX);
	return b;
}

void blind_free(struct blind *b)
{
	if (!b)
		return;
	for (int i = 0; i < 2; i++)
		buf_release(&b->sides[i].held);
	buf_release(&b->out);
	free(b->pending);
	free(b);
}

/* ---- what goes on ---- */

static void pass(struct blind *b, const uint8_t *p, size_t n)
{
	if (b->bent)
		buf_add(&b->out, p, n);
	else
		b->straight += n;
}

/* From here on something else goes than what came. */
static void bend(struct blind *b)
{
	const struct iovec *v = b->iov;

	if (b->bent)
		return;
	b->bent = true;
	for (size_t n; b->straight; b->straight -= n, v++) {
		n = v->iov_len < b->straight ? v->iov_len : b->straight;
		buf_add(&b->out, v->iov_base, n);
	}
}

/* ---- what a frame is ---- */

static enum way way_of_request(struct blind *b, struct side *s)
{
	s->api_key = (int16_t)wire_u16(s->head + 4);
	s->api_version = (int16_t)wire_u16(s->head + 6);
	if (secrets_may_be_in(s->api_key) &&
	    (s->size > HELD_MAX || !frame_known(s->api_key, s->api_version))) {
		b->lost = true; /* its answer is not known again */
		return WAY_BLANK;
	}
	if (!frame_known(s->api_key, s->api_version))
		return b->bare ? WAY_BLANK : WAY_PASS;
	b->bare |= s->api_key == API_SASL_HANDSHAKE && s->api_version == 0;
	return secrets_may_be_in(s->api_key) ? WAY_HOLD : WAY_PASS;
}

static enum way way_of_answer(struct blind *b, struct side *s)
{
	int32_t correlation_id = (int32_t)wire_u32(s->head + 4);

	if (b->lost)
		return WAY_BLANK;
	for (size_t i = 0; i < b->pending_count; i++) {
		if (b->pending[i].correlation_id != correlation_id)
			continue;
		s->api_key = b->pending[i].api_key;
		s->api_version = b->pending[i].api_version;
		b->pending[i] = b->pending[--b->pending_count];
		return WAY_HOLD;
	}
	return WAY_PASS;
}

static void expect_answer(struct blind *b, const struct side *s, int32_t correlation_id)
{
	if (!b->pending)
		b->pending = calloc(PENDING_MAX, sizeof(*b->pending));
	if (!b->pending)
		abort();
	if (b->pending_count == PENDING_MAX)
		b->lost = true;
	else
		b->pending[b->pending_count++] =
			(struct pending){correlation_id, s->api_key, s->api_version};
}

/* ---- a frame that was held ---- */

static void blank(void *user, size_t from, size_t n)
{
	struct buf *held = user;
	uint8_t *token = held->data + 4 + from;
	size_t keep, left = held->len > 4 + from ? held->len - 4 - from : 0;

	n = n < left ? n : left;
	keep = n ? secrets_from(token, n) : 0;
	memset(token + keep, '*', n - keep);
}

static void let_go(struct blind *b, struct side *s)
{
	bool answer = s == &b->sides[1];
	struct bytes frame = {s->held.data + 4, (int32_t)(s->held.len - 4)};
	struct frame_header header = {.body = -1};

	if (!answer && frame_read_request(frame, &header, NULL) == 0)
		expect_answer(b, s, header.correlation_id);
	secrets_each(s->api_key, s->api_version, answer, header.body, frame, (size_t)frame.len,
		     blank, &s->held);
	pass(b, s->held.data + HEAD, s->held.len - HEAD);
	buf_reset(&s->held);
}

/* ---- bytes ---- */

/* The head is there, or the frame is too short to have one. */
static void decide(struct blind *b, struct side *s)
{
	s->way = WAY_PASS;
	if (s->at < HEAD)
		return;
	s->way = s == &b->sides[0] ? way_of_request(b, s) : way_of_answer(b, s);
	if (s->way == WAY_HOLD && s->size > HELD_MAX)
		s->way = WAY_BLANK;
	if (s->way == WAY_HOLD)
		buf_add(&s->held, s->head, HEAD);
	if (s->way != WAY_PASS)
		bend(b);
}

/* Takes some of the n bytes, at least one; how many. */
static size_t take_head(struct blind *b, struct side *s, const uint8_t *p, size_t n)
{
	size_t want = s->size && s->size < HEAD ? s->size : s->size ? HEAD : 4;

	n = n < want - s->at ? n : want - s->at;
	memcpy(s->head + s->at, p, n);
	s->at += n;
	pass(b, p, n);
	if (!s->size && s->at == 4) {
		s->size = 4 + (size_t)wire_u32(s->head);
		s->foreign = s->size > FRAME_SIZE_MAX;
		want = s->size < HEAD ? s->size : HEAD;
	}
	if (s->size && s->at == want)
		decide(b, s);
	return n;
}

static size_t take_rest(struct blind *b, struct side *s, const uint8_t *p, size_t n)
{
	n = n < s->size - s->at ? n : s->size - s->at;
	s->at += n;
	if (s->way != WAY_PASS)
		bend(b);
	if (s->way == WAY_HOLD) {
		buf_add(&s->held, p, n);
	} else if (s->way == WAY_PASS) {
		pass(b, p, n);
	} else if (buf_room(&b->out, n)) {
		memset(b->out.data + b->out.len, '*', n);
		b->out.len += n;
	}
	return n;
}

static void take(struct blind *b, struct side *s, const uint8_t *p, size_t n)
{
	for (size_t used; n && !s->foreign; p += used, n -= used) {
		used = !s->size || s->at < (s->size < HEAD ? s->size : HEAD)
			       ? take_head(b, s, p, n)
			       : take_rest(b, s, p, n);
		if (!s->size || s->at < s->size)
			continue;
		if (s->way == WAY_HOLD)
			let_go(b, s);
		s->at = s->size = 0;
	}
	pass(b, p, n);
}

bool blind_feed(struct blind *b, bool from_client, const struct iovec *iov, size_t count,
		struct bytes *ret)
{
	struct side *s = &b->sides[!from_client];

	if (s->foreign)
		return true;
	buf_reset(&b->out);
	b->iov = iov;
	b->straight = 0;
	b->bent = false;
	for (size_t i = 0; i < count; i++)
		take(b, s, iov[i].iov_base, iov[i].iov_len);
	if (!b->bent)
		return true;
	*ret = (struct bytes){b->out.data, (int32_t)b->out.len};
	return false;
}

struct bytes blind_rest(struct blind *b, bool from_client)
{
	struct buf *held = &b->sides[!from_client].held;

	if (held->len <= HEAD)
		return (struct bytes){NULL, 0};
	memset(held->data + HEAD, '*', held->len - HEAD);
	return (struct bytes){held->data + HEAD, (int32_t)(held->len - HEAD)};
}
