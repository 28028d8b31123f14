/* A capture down to its TCP bytes, under small limits: memory stays bounded, every conversation
 * opens and closes once, and what is handed on is inside the packet or the queue. */
#include "decoder/capture.h"
#include "decoder/packet.h"
#include "decoder/stream.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	int64_t open;
	uint64_t bytes, gaps;
	uint8_t sum;
};

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	struct seen *seen = context;

	(void)at;
	s->user = seen;
	seen->open++;
	if (s->number % 7 == 6)
		stream_ignore(s);
}

static void on_data(void *context, struct stream *s, int d, const uint8_t *data, size_t len,
		    const struct stream_at *at)
{
	struct seen *seen = context;

	(void)at;
	assert(s->user == seen && (d == 0 || d == 1) && len);
	for (size_t i = 0; i < len; i++)
		seen->sum = (uint8_t)(seen->sum + data[i]);
	seen->bytes += len;
	if (seen->bytes % 5 == 4)
		stream_ignore(s);
}

static void on_gap(void *context, struct stream *s, int d, uint64_t bytes, enum stream_gap why,
		   const struct stream_at *at)
{
	struct seen *seen = context;

	(void)at;
	(void)why;
	assert(s->user == seen && (d == 0 || d == 1) && bytes);
	seen->gaps++;
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	struct seen *seen = context;

	(void)how;
	(void)at;
	assert(s->user == seen);
	seen->open--;
	assert(seen->open >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {0};
	struct stream_events events = {&seen, on_open, on_data, on_gap, on_close, NULL};
	struct stream_limits limits = {.memory_max = 8192, .queue_max = 2048, .streams_max = 4};
	struct stream_table *t;
	struct capture_item item;
	struct stream_at at = {0, 0};
	struct capture *c;
	struct packet p;

	if (capture_open_bytes(data, size, NULL, &c, NULL) < 0)
		return 0;
	t = stream_table_new(&events, &limits);
	while (capture_next(c, &item, NULL) == 1) {
		if (item.kind != CAPTURE_PACKET)
			continue;
		if (packet_parse(item.link, item.data, item.len, item.wire_len, &p) != PACKET_TCP)
			continue;
		assert(p.len <= p.wire_len && p.data >= item.data &&
		       p.data + p.len <= item.data + item.len);
		at = (struct stream_at){item.number, item.time_ns};
		stream_feed(t, &p, &at, NULL);
		assert(stream_table_memory(t) <= limits.memory_max);
	}
	stream_flush(t, &at);
	assert(seen.open == 0 && stream_table_memory(t) == 0);
	stream_table_free(t);
	capture_close(c);
	return 0;
}
