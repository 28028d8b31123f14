/* Any text as a filter: it is read, or its mistake lies inside it and can be pointed at; what was
 * read can be asked of exchanges of every kind. */
#include "decoder/filter.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A request of one topic with an answer that says an error. */
static void make(struct exchange *x, struct buf *ask, struct buf *answer, struct arena *arena)
{
	struct offset_commit_request q;
	struct offset_commit_request_topics qt;
	struct heartbeat_response a;
	struct gather g;

	codec_init(&offset_commit_request_schema, &q);
	codec_init(&offset_commit_request_topics_schema, &qt);
	codec_init(&heartbeat_response_schema, &a);
	qt.name = str_of("orders");
	q.group_id = str_of("g");
	q.topics = &qt;
	q.topics_count = 1;
	gather_init(&g, 1 << 16);
	frame_write_request(&g, API_OFFSET_COMMIT, 5, 9, str_of("c"), &q, NULL);
	gather_flatten(&g, ask);
	gather_reset(&g);
	frame_write_response(&g, API_HEARTBEAT, 1, 9, &a, NULL);
	gather_flatten(&g, answer);
	gather_release(&g);
	*x = (struct exchange){.arena = arena, .request_us = 1000, .response_us = 52000};
	x->conn.client.family = x->conn.server.family = 4;
	x->request = (struct bytes){ask->data + 4, (int32_t)ask->len - 4};
	x->response = (struct bytes){answer->data + 4, (int32_t)answer->len - 4};
	(void)frame_read_request(x->request, &x->header, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, (int32_t)size};
	struct error e = ERROR_INIT;
	struct filter *f;
	struct exchange x;
	struct summary s;
	struct arena arena;
	struct buf ask, answer, point;

	if (size > 4096)
		return 0;
	f = filter_new(text, &e);
	buf_init(&ask, 1 << 16);
	buf_init(&answer, 1 << 16);
	buf_init(&point, 1 << 20);
	arena_init(&arena, 1 << 20);
	if (f) {
		make(&x, &ask, &answer, &arena);
		summarize(&x, NULL, &s);
		(void)filter_matches(f, &x, &s);
		memset(&x.header, 0, sizeof(x.header));
		x.header.api_key = -1;
		x.state = EXCHANGE_ORPHAN;
		x.request = (struct bytes){NULL, 0};
		(void)filter_matches(f, &x, &s);
		(void)filter_about(f, "topic");
	} else {
		assert(e.code == ERR_USAGE && e.text[0]);
		assert(e.offset == ERROR_NO_OFFSET || e.offset <= size);
		filter_point(&point, text, e.offset);
	}
	filter_free(f);
	arena_release(&arena);
	buf_release(&ask);
	buf_release(&answer);
	buf_release(&point);
	return 0;
}
