/* A capture all the way to lines, trees and JSON, under a small memory: nothing is read outside the
 * bytes, memory is given back, and every exchange is told with its connection opened before and
 * closed after. */
#include "decoder/decode.h"
#include "decoder/jsonl.h"
#include "decoder/text.h"
#include "decoder/tree.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	struct names *names;
	struct buf out;
	int64_t open;
};

static void on_event(void *context, const struct event *ev)
{
	struct told *told = context;

	told->open += ev->kind == EVENT_CONN_OPENED;
	told->open -= ev->kind == EVENT_CONN_CLOSED;
	assert(told->open >= 0);
	assert(ev->kind != EVENT_EXCHANGE || told->open > 0);
	buf_reset(&told->out);
	text_event(&told->out, ev, told->names, true);
	tree_event(&told->out, ev, told->names, TREE_VALUES_TEXT, true);
	jsonl_event(&told->out, ev, told->names, JSONL_MESSAGES);
	jsonl_event(&told->out, ev, told->names, JSONL_EXCHANGES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decode_options options = {.memory_max = 256 << 10};
	struct told told = {.names = names_new()};
	struct event_sink sink = {.on_event = on_event, .ctx = &told};
	struct event_bus bus = {0};
	struct capture_item item;
	struct capture *c;
	struct decode *d;

	buf_init(&told.out, 1 << 24);
	event_bus_add(&bus, &sink);
	d = decode_new(&options, &bus);
	if (capture_open_bytes(data, size, NULL, &c, NULL) == 0) {
		while (capture_next(c, &item, NULL) == 1)
			decode_item(d, &item);
		capture_close(c);
	}
	decode_end(d);
	assert(told.open == 0);
	decode_free(d);
	names_free(told.names);
	buf_release(&told.out);
	return 0;
}
