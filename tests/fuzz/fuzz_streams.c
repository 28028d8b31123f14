/* Packets of one conversation, four bytes each: what the wire can do to it without the headers in
 * the way of the fuzzer. Every byte is handed on at most once, in order, with gaps between; memory
 * stays bounded; and the conversation ends.
 *
 * Byte 0: direction (1), SYN (2), FIN (4), RST (8), ACK (16), a length of 16 bits or of 4 (32),
 * cut to half (64), time goes on by a second (128). Byte 1: sequence number by which it is off.
 * Bytes 2 and 3: length, acknowledgement. */
#include "decoder/stream.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	bool open, known[2];
	uint32_t next[2]; /* sequence number behind what was handed on */
};

static uint8_t byte_of(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8));
}

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	struct heard *h = context;

	(void)at;
	assert(!h->open);
	*h = (struct heard){.open = true};
	s->user = h;
}

/* What is handed on ends where the direction stands. */
static void moved(struct heard *h, const struct stream *s, int d, uint32_t n)
{
	const struct stream_half *half = &s->half[d];

	if (h->known[d])
		assert(h->next[d] + n == half->next);
	h->known[d] = true;
	h->next[d] = half->next;
}

static void on_data(void *context, struct stream *s, int d, const uint8_t *data, size_t len,
		    const struct stream_at *at)
{
	struct heard *h = context;
	uint32_t seq = s->half[d].next - (uint32_t)len;

	(void)at;
	assert(h->open && len);
	moved(h, s, d, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		assert(data[i] == byte_of(seq + (uint32_t)i));
}

static void on_gap(void *context, struct stream *s, int d, uint64_t bytes, enum stream_gap why,
		   const struct stream_at *at)
{
	struct heard *h = context;

	(void)why;
	(void)at;
	assert(h->open && bytes);
	moved(h, s, d, (uint32_t)bytes);
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	struct heard *h = context;

	(void)s;
	(void)how;
	(void)at;
	assert(h->open);
	h->open = false;
}

static void send(struct stream_table *t, const uint8_t op[4], uint32_t seq[2], struct stream_at *at)
{
	static const struct endpoint ends[2] = {{4, {10, 0, 0, 1}, 40000},
						{4, {10, 0, 0, 2}, 9092}};
	static uint8_t bytes[65536];
	int d = op[0] & 1;
	uint32_t len = op[0] & 32 ? (uint32_t)op[2] << 8 | op[3] : op[2] & 15;
	int32_t off = (int8_t)op[1], ack_off = (int8_t)op[3];
	uint32_t far = (uint32_t)(off > 100 || off < -100 ? off * 1000000 : off);
	uint32_t ack = (uint32_t)ack_off;
	struct packet p = {.kind = PACKET_TCP, .src = ends[d], .dst = ends[!d]};

	p.flags = (uint8_t)((op[0] & 2 ? TCP_SYN : 0) | (op[0] & 4 ? TCP_FIN : 0) |
			    (op[0] & 8 ? TCP_RST : 0) | (op[0] & 16 ? TCP_ACK : 0));
	p.seq = seq[d] + far;
	p.ack = seq[!d] + ack;
	p.wire_len = len;
	p.len = op[0] & 64 ? len / 2 : len;
	p.data = bytes;
	p.ip_id = (uint32_t)at->packet;
	for (uint32_t i = 0; i < p.len; i++)
		bytes[i] = byte_of(p.seq + (p.flags & TCP_SYN ? 1 : 0) + i);
	if (off >= 0 && off <= 100)
		seq[d] = p.seq + len + (op[0] & 6 ? 1 : 0);
	at->packet++;
	at->time_ns += op[0] & 128 ? 1000000000 : 1000;
	stream_feed(t, &p, at, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard h = {0};
	struct stream_events events = {&h, on_open, on_data, on_gap, on_close, NULL};
	struct stream_limits limits = {.memory_max = 16384, .queue_max = 8192, .streams_max = 2};
	struct stream_table *t = stream_table_new(&events, &limits);
	struct stream_at at = {1, 0};
	uint32_t seq[2] = {0xffffff00, 1000};

	for (size_t i = 0; i + 4 <= size; i += 4) {
		send(t, data + i, seq, &at);
		assert(stream_table_memory(t) <= limits.memory_max);
	}
	stream_flush(t, &at);
	assert(!h.open && stream_table_memory(t) == 0);
	stream_table_free(t);
	return 0;
}
