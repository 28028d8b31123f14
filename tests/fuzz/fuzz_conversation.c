/* The frames of one Kafka conversation, without packet headers in the way of the fuzzer: all that
 * is made of them (lines, trees, JSON, filters, statistics) under a small memory. Leaving the
 * records out must change no count.
 *
 * Byte 0: 1 the capture begins inside, 2 the port is said to be Kafka's, 4 credentials are shown.
 * Then pieces: a byte of direction (1), whether it is lost (2) or cut to half (4) or comes behind
 * the next one (8), two bytes of length, and the bytes themselves. */
#include "decoder/decode.h"
#include "decoder/filter.h"
#include "decoder/jsonl.h"
#include "decoder/stats.h"
#include "decoder/text.h"
#include "decoder/tree.h"

#include <assert.h>

#define PIECE_MAX 4096
#define HEADERS	  40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	struct names *names;
	struct stats *stats;
	struct filter *filter;
	struct buf out;
	int64_t open;
	bool thin;
};

static void show(struct told *t, const struct event *ev)
{
	text_event(&t->out, ev, t->names, true);
	tree_event(&t->out, ev, t->names, TREE_VALUES_TEXT, true);
	jsonl_event(&t->out, ev, t->names, JSONL_MESSAGES);
	jsonl_event(&t->out, ev, t->names, JSONL_EXCHANGES);
}

static void on_event(void *context, const struct event *ev)
{
	struct told *t = context;
	struct summary s;

	t->open += ev->kind == EVENT_CONN_OPENED;
	t->open -= ev->kind == EVENT_CONN_CLOSED;
	assert(t->open >= 0 && t->open <= 1);
	stats_event(t->stats, ev);
	if (!t->thin)
		show(t, ev);
	if (ev->kind != EVENT_EXCHANGE)
		return;
	assert(t->open == 1);
	stats_learn(t->stats, ev->exchange);
	summarize(ev->exchange, t->names, &s);
	(void)filter_matches(t->filter, ev->exchange, &s);
	stats_exchange(t->stats, ev->exchange, &s);
	buf_reset(&t->out);
}

struct talk {
	struct decode *decode;
	uint64_t packet;
	uint32_t seq[2];
};

static void put(uint8_t *at, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static void packet(struct talk *t, int d, uint8_t flags, uint32_t seq, const uint8_t *data,
		   uint32_t len, uint32_t cut)
{
	uint8_t bytes[HEADERS + PIECE_MAX] = {0x45};
	struct capture_item item = {.kind = CAPTURE_PACKET, .link = LINK_RAW, .data = bytes};

	put(bytes + 2, HEADERS + len, 2);
	bytes[9] = 6;
	put(bytes + 12, d ? 0x0a000002 : 0x0a000001, 4);
	put(bytes + 16, d ? 0x0a000001 : 0x0a000002, 4);
	put(bytes + 20, d ? 9092 : 40000, 2);
	put(bytes + 22, d ? 40000 : 9092, 2);
	put(bytes + 24, seq, 4);
	put(bytes + 28, t->seq[!d], 4);
	bytes[32] = 0x50;
	bytes[33] = flags;
	memcpy(bytes + HEADERS, data, len);
	item.number = ++t->packet;
	item.time_ns = (int64_t)t->packet * 1000000;
	item.wire_len = HEADERS + len;
	item.len = HEADERS + len - cut;
	decode_item(t->decode, &item);
}

static void pieces(struct talk *t, const uint8_t *data, size_t size)
{
	const uint8_t *late = NULL;
	uint32_t late_seq = 0, late_len = 0;
	int late_d = 0;

	while (size >= 3) {
		int d = data[0] & 1;
		uint32_t len = ((uint32_t)data[1] << 8 | data[2]) % PIECE_MAX;
		uint8_t what = data[0];

		data += 3;
		size -= 3;
		len = len < size ? len : (uint32_t)size;
		if (what & 8 && !late) {
			late = data;
			late_d = d;
			late_seq = t->seq[d];
			late_len = len;
		} else if (!(what & 2)) {
			packet(t, d, TCP_ACK, t->seq[d], data, len, what & 4 ? len / 2 : 0);
		}
		t->seq[d] += len;
		if (late && late != data) {
			packet(t, late_d, TCP_ACK, late_seq, late, late_len, 0);
			late = NULL;
		}
		data += len;
		size -= len;
	}
}

static struct dialog_totals run(const uint8_t *data, size_t size, bool thin)
{
	struct decode_options options = {.memory_max = 256 << 10, .thin = thin};
	struct told told = {.names = names_new(), .stats = stats_new(NULL, NULL), .thin = thin};
	struct event_sink sink = {.on_event = on_event, .ctx = &told};
	struct event_bus bus = {0};
	struct talk t = {.seq = {1000, 0xfffffff0}};
	struct dialog_totals totals;

	options.ports[0] = 9092;
	options.ports_count = data[0] & 2 ? 1 : 0;
	options.show_secrets = data[0] & 4;
	told.filter = filter_new(str_of("topic ~ \"o\" || errors != NONE || latency > 1ms || "
					"body.topics[*].partitions[*].partition == 1 || "
					"group == g || problems == crc"),
				 NULL);
	assert(told.filter);
	buf_init(&told.out, 1 << 24);
	event_bus_add(&bus, &sink);
	t.decode = decode_new(&options, &bus);
	if (!(data[0] & 1)) {
		packet(&t, 0, TCP_SYN, t.seq[0] - 1, data, 0, 0);
		packet(&t, 1, TCP_SYN | TCP_ACK, t.seq[1] - 1, data, 0, 0);
	}
	pieces(&t, data + 1, size - 1);
	decode_end(t.decode);
	stats_write(told.stats, &told.out);
	totals = decode_totals(t.decode)->conns;
	assert(told.open == 0);
	decode_free(t.decode);
	names_free(told.names);
	stats_free(told.stats);
	filter_free(told.filter);
	buf_release(&told.out);
	return totals;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dialog_totals whole, thin;

	if (size < 1)
		return 0;
	whole = run(data, size, false);
	thin = run(data, size, true);
	assert(whole.requests == thin.requests && whole.responses == thin.responses);
	assert(whole.lost_bytes == thin.lost_bytes && whole.kafka == thin.kafka);
	assert(whole.unmatched_bytes == thin.unmatched_bytes);
	return 0;
}
