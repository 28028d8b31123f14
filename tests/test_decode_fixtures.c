/* Every message of fixtures/wire, which Kafka's own classes wrote, inside TCP: each is a
 * conversation of its own, cut into segments, and must come out of the decoder as it went in. */
#include "base/hex.h"
#include "decoder/decode.h"
#include "decoder/summary.h"
#include "protocol/frame.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define LINE_SIZE_MAX (1 << 20)
#define SEGMENT	      700
#define VERSIONS      64

/* A request body of each API and version, for answers to follow. */
struct body {
	uint8_t *data;
	size_t len;
};

static struct {
	struct decode *decode;
	struct event_bus bus;
	struct event_sink sink;
	struct body requests[API_KEY_MAX + 1][VERSIONS];
	uint64_t packet;
	uint32_t seq[2];
	uint16_t port;
	struct buf frame;
	char where[200], failure[600];
	long fixtures, exchanges, opened, failures;
	int16_t key, version;
	bool response; /* the fixture at hand */
	struct bytes body;
} t;

static void failed(const char *what, const char *detail)
{
	if (!t.failures++)
		snprintf(t.failure, sizeof(t.failure), "%s: %s: %s", t.where, what, detail);
}

/* Fixtures have any bytes for records: what is wrong inside those is right. */
static void check_problems(const struct summary *s)
{
	for (int32_t i = 0; i < s->problems_count; i++)
		if (!strstr(s->problems[i].field, "ecords"))
			failed(s->problems[i].field, s->problems[i].text);
}

static void check_body(struct exchange *x)
{
	struct bytes frame = t.response ? x->response : x->request;

	if (frame.len < t.body.len ||
	    memcmp(frame.data + frame.len - t.body.len, t.body.data, (size_t)t.body.len))
		failed("its bytes", "are others");
	if (x->header.api_key != t.key || x->header.api_version != t.version)
		failed("its header", "is another");
}

static void on_event(void *context, const struct event *ev)
{
	struct summary s;

	(void)context;
	t.opened += ev->kind == EVENT_CONN_OPENED;
	if (ev->kind == EVENT_UNMATCHED)
		failed("unmatched", "bytes");
	if (ev->kind != EVENT_EXCHANGE)
		return;
	t.exchanges++;
	summarize(ev->exchange, NULL, &s);
	check_problems(&s);
	check_body(ev->exchange);
	if (t.response && ev->exchange->state != EXCHANGE_ANSWERED)
		failed("its request", "did not meet it");
}

static void packet(int d, uint8_t flags, const uint8_t *data, size_t len)
{
	struct endpoint ends[2] = {synth_v4(1, t.port), synth_v4(2, 19092)};
	struct synth_packet p = {.src = ends[d],
				 .dst = ends[!d],
				 .seq = t.seq[d],
				 .ack = t.seq[!d],
				 .flags = flags,
				 .data = data,
				 .len = (uint32_t)len,
				 .link = LINK_RAW};
	struct capture_item item = {.kind = CAPTURE_PACKET, .link = LINK_RAW};
	struct buf bytes;

	t.seq[d] += (uint32_t)len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
	buf_init(&bytes, 1 << 16);
	synth_packet(&bytes, &p);
	item.number = ++t.packet;
	item.time_ns = (int64_t)t.packet * 1000;
	item.data = bytes.data;
	item.len = item.wire_len = (uint32_t)bytes.len;
	decode_item(t.decode, &item);
	buf_release(&bytes);
}

static void send_frame(int d, int header, const uint8_t *body, size_t n)
{
	size_t len;

	buf_reset(&t.frame);
	buf_be32(&t.frame, 0);
	if (!d) {
		buf_be16(&t.frame, (uint16_t)t.key);
		buf_be16(&t.frame, (uint16_t)t.version);
	}
	buf_be32(&t.frame, 77);
	if (!d && header >= 1) {
		buf_be16(&t.frame, 4);
		buf_text(&t.frame, "wire");
	}
	if (header >= (d ? 1 : 2))
		buf_byte(&t.frame, 0);
	buf_add(&t.frame, body, n);
	len = t.frame.len - 4;
	for (int i = 0; i < 4; i++)
		t.frame.data[i] = (uint8_t)(len >> (24 - 8 * i));
	for (size_t at = 0; at < t.frame.len; at += SEGMENT)
		packet(d, TCP_ACK, t.frame.data + at,
		       t.frame.len - at < SEGMENT ? t.frame.len - at : SEGMENT);
}

/* A conversation of one request and, where the fixture is one, an answer. */
static void converse(void)
{
	const struct body *ask = &t.requests[t.key][t.version];

	t.port = (uint16_t)(10000 + t.fixtures % 50000);
	t.seq[0] = t.seq[1] = 100;
	packet(0, TCP_SYN, (const uint8_t *)"", 0);
	packet(1, TCP_SYN | TCP_ACK, (const uint8_t *)"", 0);
	if (t.response)
		send_frame(0, frame_request_header_version(t.key, t.version), ask->data, ask->len);
	else
		send_frame(0, frame_request_header_version(t.key, t.version), t.body.data,
			   (size_t)t.body.len);
	if (t.response)
		send_frame(1, frame_response_header_version(t.key, t.version), t.body.data,
			   (size_t)t.body.len);
	packet(0, TCP_FIN | TCP_ACK, (const uint8_t *)"", 0);
	packet(1, TCP_FIN | TCP_ACK, (const uint8_t *)"", 0);
}

static void keep_request(void)
{
	struct body *b = &t.requests[t.key][t.version];

	if (b->data)
		return;
	b->len = (size_t)t.body.len;
	b->data = malloc(b->len + 1);
	memcpy(b->data, t.body.data, b->len);
}

/* Produce whose acks are 0 gets no answer: it can't be what an answer follows. */
static bool wants_no_answer(void)
{
	static const uint8_t none[2] = {0, 0};
	int64_t at = t.version >= 3 ? (t.version >= 9 ? 1 : 2) : 0;

	return t.key == 0 && t.body.len > at + 2 && !memcmp(t.body.data + at, none, 2);
}

static void run_line(char *line, const char *file, bool responses, uint8_t *data)
{
	char *field[7], *save = line;
	int64_t n;

	for (int i = 0; i < 7; i++)
		field[i] = strsep(&save, "\t\n");
	if (!field[6] || strcmp(field[2], responses ? "response" : "request"))
		return;
	t.key = (int16_t)strtol(field[0], NULL, 10);
	t.version = (int16_t)strtol(field[3], NULL, 10);
	t.response = responses;
	snprintf(t.where, sizeof(t.where), "%s %s %s v%s %s", file, field[1], field[2], field[3],
		 field[4]);
	n = hex_decode(str_of(field[5]), data, LINE_SIZE_MAX);
	t.body = (struct bytes){data, (int32_t)n};
	/* An ApiVersions answer of any version may say 35; then it is of version 0 (KIP-511). */
	if (n < 0 || (responses && t.key == 18 && n > 1 && data[0] == 0 && data[1] == 35))
		return;
	t.fixtures++;
	if (!responses && !wants_no_answer())
		keep_request();
	converse();
}

static void run_files(bool responses)
{
	static const char *const files[] = {"fixtures/wire/messages-4.4.0.tsv.gz",
					    "fixtures/wire/messages-3.9.1.tsv.gz"};
	char *line = malloc(LINE_SIZE_MAX);
	uint8_t *data = malloc(LINE_SIZE_MAX);

	for (size_t i = 0; i < 2; i++) {
		gzFile in = gzopen(files[i], "rb");

		CHECK(in != NULL);
		while (in && gzgets(in, line, LINE_SIZE_MAX))
			run_line(line, files[i], responses, data);
		if (in)
			gzclose(in);
	}
	free(line);
	free(data);
}

TEST(every_fixture_inside_tcp_decodes_without_a_problem)
{
	memset(&t, 0, sizeof(t));
	buf_init(&t.frame, LINE_SIZE_MAX);
	t.sink = (struct event_sink){.on_event = on_event};
	event_bus_add(&t.bus, &t.sink);
	t.decode = decode_new(&(struct decode_options){.show_secrets = true}, &t.bus);
	run_files(false);
	run_files(true);
	decode_end(t.decode);
	CHECK_TEXT(t.failure, "");
	CHECK_EQ(t.failures, 0);
	CHECK_EQ(t.exchanges, t.fixtures);
	CHECK_EQ(t.opened, t.fixtures);
	CHECK(t.fixtures > 3000);
	CHECK_EQ(decode_totals(t.decode)->conns.lost_bytes, 0);
	CHECK_EQ(decode_totals(t.decode)->conns.unmatched_bytes, 0);
	decode_free(t.decode);
	buf_release(&t.frame);
	for (int k = 0; k <= API_KEY_MAX; k++)
		for (int v = 0; v < VERSIONS; v++)
			free(t.requests[k][v].data);
}
