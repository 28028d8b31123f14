/* Evidence to exchanges.jsonl, by the decoder's own functions, so that both say the same. */
#include "harness/exchanges.h"

#include "decoder/decode.h"
#include "decoder/jsonl.h"

#include <errno.h>
#include <stdio.h>

#define LINES_MAX ((size_t)256 << 20) /* of one event */

struct writer {
	FILE *out;
	struct buf lines;
	struct names *names;
};

static void on_event(void *ctx, const struct event *ev)
{
	struct writer *w = ctx;

	buf_reset(&w->lines);
	jsonl_event(&w->lines, ev, w->names, JSONL_EXCHANGES);
	if (w->lines.len)
		fwrite(w->lines.data, 1, w->lines.len, w->out);
}

int exchanges_write(const char *evidence, const char *path)
{
	struct writer w = {.out = fopen(path, "we")};
	struct event_sink sink = {.on_event = on_event, .ctx = &w};
	struct decode_options options = {0};
	struct error e = ERROR_INIT;
	struct event_bus bus = {0};
	struct decode *decode;

	if (!w.out)
		return ERR_OS;
	buf_init(&w.lines, LINES_MAX);
	w.names = names_new();
	event_bus_add(&bus, &sink);
	decode = decode_new(&options, &bus);
	decode_files(decode, &evidence, 1, &e);
	decode_free(decode);
	names_free(w.names);
	buf_release(&w.lines);
	return fclose(w.out) ? ERR_OS : e.code;
}
