/* What a run writes as evidence: packets that other tools read, and events that come back as they
 * went in. */
#include "decoder/capture.h"
#include "decoder/packet.h"
#include "decoder/stream.h"
#include "tests/test.h"
#include "trace/blind.h"
#include "trace/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_NAME "build/evidence-test.pcapng"
#define NOON	  1700000000000000

static struct event_conn conn_of(int64_t conn, uint8_t family, uint16_t port)
{
	struct event_conn c = {.conn = conn,
			       .broker = 1,
			       .client = {.family = family, .addr = {127, 0, 0, 1}, .port = port},
			       .server = {.family = family, .addr = {127, 0, 0, 2}, .port = 9092}};

	return c;
}

static void emit(struct event_bus *bus, enum event_kind kind, const struct event_conn *conn,
		 enum close_how how)
{
	struct event ev = {.kind = kind, .time_us = NOON, .conn = *conn};

	ev.conn.how = how;
	event_emit(bus, &ev);
}

static struct evidence *begin(struct event_bus *bus)
{
	struct error e = ERROR_INIT;
	struct evidence *ev = evidence_open(FILE_NAME, &e);

	CHECK_EQ(e.code, 0);
	*bus = (struct event_bus){0};
	event_bus_add(bus, evidence_sink(ev));
	return ev;
}

static void say(struct evidence *ev, const struct event_conn *conn, bool from_client,
		const char *text)
{
	struct iovec iov[2] = {{(void *)(uintptr_t)text, 1},
			       {(void *)(uintptr_t)(text + 1), strlen(text) - 1}};

	evidence_bytes(ev, conn, from_client, iov, 2, NOON + 5);
}

/* Everything read back: packets as flags and payload, comments, events. */
struct back {
	struct buf flow; /* "c:S s:SA c:A c:AP[ask] ..." */
	struct buf comments;
	struct arena arena;
	struct event events[20];
	size_t events_count;
	bool checksums_right;
};

static uint32_t fold(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* By the definition: with the checksum in place the sum over header, pseudo header and payload is
 * all ones. */
static bool checksums_right(const uint8_t *p, size_t n)
{
	bool v6 = p[0] >> 4 == 6;
	size_t ip = v6 ? 40 : 20, addr = v6 ? 8 : 12;

	if (!v6 && fold(p, 20, 0) != 0xffff)
		return false;
	return fold(p + ip, n - ip, fold(p + addr, ip - addr, (uint32_t)(6 + n - ip))) == 0xffff;
}

static void back_packet(struct back *b, const struct capture_item *item)
{
	struct packet p;
	struct str comment = pcapng_comment(item->options);

	CHECK_EQ(packet_parse(item->link, item->data, item->len, item->wire_len, &p), PACKET_TCP);
	b->checksums_right = b->checksums_right && checksums_right(item->data, item->len);
	buf_printf(&b->flow, "%c:%s%s%s%s ", p.src.port == 9092 ? 's' : 'c',
		   p.flags & TCP_SYN ? "S" : "", p.flags & TCP_RST ? "R" : "",
		   p.flags & TCP_FIN ? "F" : "", p.flags & TCP_ACK ? "A" : "");
	if (p.len) {
		b->flow.len--;
		buf_printf(&b->flow, "[%.*s] ", (int)(p.len < 20 ? p.len : 20), p.data);
	}
	if (comment.data)
		buf_printf(&b->comments, "%llu " STR_FMT "\n", (unsigned long long)item->number,
			   STR_ARG(comment));
}

static void read_back(struct back *b)
{
	struct error e = ERROR_INIT;
	struct capture_item item;
	struct capture *c;

	*b = (struct back){.checksums_right = true};
	arena_init(&b->arena, 1 << 20);
	buf_init(&b->flow, 1 << 20);
	buf_init(&b->comments, 1 << 20);
	CHECK_EQ(capture_open(FILE_NAME, NULL, &c, &e), 0);
	while (capture_next(c, &item, &e) == 1) {
		struct bytes data = {item.data, (int32_t)item.len};

		if (item.kind == CAPTURE_PACKET) {
			back_packet(b, &item);
		} else if (item.kind == CAPTURE_CUSTOM && b->events_count < 20) {
			CHECK_EQ(item.pen, PCAPNG_PEN_KTRIAL);
			CHECK_EQ(evidence_read(data, &b->arena, &b->events[b->events_count++], &e),
				 1);
		}
	}
	CHECK_EQ(e.code, 0);
	CHECK(b->checksums_right);
	capture_close(c);
	unlink(FILE_NAME);
}

static void back_release(struct back *b)
{
	arena_release(&b->arena);
	buf_release(&b->flow);
	buf_release(&b->comments);
}

TEST(a_conversation_stands_as_tcp_with_handshake_and_end)
{
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		struct event_bus bus;
		struct evidence *ev = begin(&bus);
		struct event_conn c = conn_of(3, family, 40000);
		struct back b;

		emit(&bus, EVENT_CONN_OPENED, &c, 0);
		say(ev, &c, true, "ask");
		say(ev, &c, false, "answer");
		emit(&bus, EVENT_CONN_CLOSED, &c, CLOSE_BY_CLIENT);
		CHECK_EQ(evidence_close(ev, NULL), 0);
		read_back(&b);
		CHECK_TEXT(buf_cstr(&b.flow), "c:S s:SA c:A c:A[ask] s:A[answer] c:FA s:FA c:A ");
		CHECK_EQ(b.events_count, 1);
		CHECK_EQ(b.events[0].kind, EVENT_CONN_OPENED);
		CHECK_EQ(b.events[0].conn.conn, 3);
		CHECK_EQ(b.events[0].conn.broker, 1);
		CHECK_EQ(b.events[0].conn.client.family, family);
		CHECK_EQ(b.events[0].conn.client.port, 40000);
		CHECK_BYTES(b.events[0].conn.server.addr, 16, c.server.addr, 16);
		back_release(&b);
	}
}

TEST(every_way_to_end_is_told_apart)
{
	static const struct {
		enum close_how how;
		const char *flow;
	} cases[] = {
		{CLOSE_BY_BROKER, "c:S s:SA c:A s:FA c:FA s:A "},
		{CLOSE_RESET_BY_CLIENT, "c:S s:SA c:A c:RA "},
		{CLOSE_RESET_BY_BROKER, "c:S s:SA c:A s:RA "},
		{CLOSE_END_OF_INPUT, "c:S s:SA c:A "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event_bus bus;
		struct evidence *ev = begin(&bus);
		struct event_conn c = conn_of(1, 4, 40000);
		struct back b;

		emit(&bus, EVENT_CONN_OPENED, &c, 0);
		emit(&bus, EVENT_CONN_CLOSED, &c, cases[i].how);
		CHECK_EQ(evidence_close(ev, NULL), 0);
		read_back(&b);
		CHECK_TEXT(buf_cstr(&b.flow), cases[i].flow);
		back_release(&b);
	}
}

TEST(a_refused_connection_is_a_syn_and_a_reset)
{
	struct event_bus bus;
	struct evidence *ev = begin(&bus);
	struct event_conn c = conn_of(1, 4, 40000);
	struct back b;

	emit(&bus, EVENT_CONN_REFUSED, &c, 0);
	CHECK_EQ(evidence_close(ev, NULL), 0);
	read_back(&b);
	CHECK_TEXT(buf_cstr(&b.flow), "c:S s:RA ");
	back_release(&b);
}

TEST(a_fired_rule_is_a_comment_on_the_brokers_next_packet)
{
	struct event_bus bus;
	struct evidence *ev = begin(&bus);
	struct event_conn c = conn_of(7, 4, 40000);
	struct event fired = {.kind = EVENT_RULE,
			      .time_us = NOON,
			      .rule = {str_of("lost-ack"), str_of("Produce nth=3 -> close after"),
				       str_of("fired"), 1, 7, 41, 0}};
	struct back b;

	emit(&bus, EVENT_CONN_OPENED, &c, 0);
	say(ev, &c, true, "ask");
	event_emit(&bus, &fired);
	say(ev, &c, true, "more");
	emit(&bus, EVENT_CONN_CLOSED, &c, CLOSE_BY_BROKER);
	CHECK_EQ(evidence_close(ev, NULL), 0);
	read_back(&b);
	CHECK_TEXT(buf_cstr(&b.comments), "8 ktrial: rule lost-ack fired (hit 1, correlation 41): "
					  "Produce nth=3 -> close after\n");
	CHECK_EQ(b.events_count, 2);
	CHECK_STR(b.events[1].rule.name, "lost-ack");
	CHECK_STR(b.events[1].rule.text, "Produce nth=3 -> close after");
	CHECK_STR(b.events[1].rule.what, "fired");
	CHECK_EQ(b.events[1].rule.hit, 1);
	CHECK_EQ(b.events[1].rule.conn, 7);
	CHECK_EQ(b.events[1].rule.correlation_id, 41);
	back_release(&b);
}

TEST(events_come_back_as_they_went_in)
{
	struct event_bus bus;
	struct evidence *ev = begin(&bus);
	struct event log = {.kind = EVENT_LOG, .time_us = NOON + 1};
	struct event cluster = {.kind = EVENT_CLUSTER, .time_us = NOON + 2};
	struct event report = {.kind = EVENT_REPORT, .time_us = NOON + 3};
	struct event mark = {.kind = EVENT_MARK, .time_us = NOON + 4, .mark = str_of("here")};
	struct back b;

	log.log = (struct event_log){.what = LOG_TRUNCATED,
				     .topic = str_of("or\"ders\n"),
				     .topic_id = {{1, 2, 3}},
				     .partition = 5,
				     .leader_epoch = -1,
				     .base_offset = INT64_MAX - 1,
				     .next_offset = INT64_MAX,
				     .batch = {(const uint8_t *)"batch\0of bytes", 14},
				     .conn = 9,
				     .correlation_id = -3};
	cluster.cluster.name = str_of("leader-moved");
	cluster.cluster.detail = str_of("{\"topic\":\"orders\",\"leader\":2}");
	report.report.subject = str_of("p");
	report.report.line = str_of("{\"name\":\"startup_complete\"}");
	event_emit(&bus, &log);
	event_emit(&bus, &cluster);
	event_emit(&bus, &report);
	event_emit(&bus, &mark);
	CHECK_EQ(evidence_close(ev, NULL), 0);
	read_back(&b);
	CHECK_EQ(b.events_count, 4);
	CHECK_EQ(b.events[0].time_us, NOON + 1);
	CHECK_EQ(b.events[0].log.what, LOG_TRUNCATED);
	CHECK_STR(b.events[0].log.topic, "or\"ders\n");
	CHECK(uuid_eq(b.events[0].log.topic_id, log.log.topic_id));
	CHECK_EQ(b.events[0].log.partition, 5);
	CHECK_EQ(b.events[0].log.leader_epoch, -1);
	CHECK_EQ(b.events[0].log.base_offset, INT64_MAX - 1);
	CHECK_EQ(b.events[0].log.next_offset, INT64_MAX);
	CHECK_EQ(b.events[0].log.batch.len, 14); /* its bytes were in the window: gone by now */
	CHECK_EQ(b.events[0].log.conn, 9);
	CHECK_EQ(b.events[0].log.correlation_id, -3);
	CHECK_STR(b.events[1].cluster.name, "leader-moved");
	CHECK_STR(b.events[1].cluster.detail, "{\"topic\":\"orders\",\"leader\":2}");
	CHECK_STR(b.events[2].report.subject, "p");
	CHECK_STR(b.events[2].report.line, "{\"name\":\"startup_complete\"}");
	CHECK_STR(b.events[3].mark, "here");
	back_release(&b);
}

/* A sink for stream bytes: compares with what was written. */
struct echo {
	const uint8_t *want;
	size_t at, wrong, gaps;
};

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	(void)context;
	(void)s;
	(void)at;
}

static void on_data(void *context, struct stream *s, int d, const uint8_t *data, size_t len,
		    const struct stream_at *at)
{
	struct echo *echo = context;

	(void)s;
	(void)d;
	(void)at;
	echo->wrong += memcmp(echo->want + echo->at, data, len) != 0;
	echo->at += len;
}

static void on_gap(void *context, struct stream *s, int d, uint64_t bytes, enum stream_gap why,
		   const struct stream_at *at)
{
	struct echo *echo = context;

	(void)s;
	(void)d;
	(void)at;
	(void)why;
	echo->gaps += bytes;
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	(void)context;
	(void)s;
	(void)how;
	(void)at;
}

TEST(a_frame_of_many_megabytes_is_cut_into_segments_and_comes_back_whole)
{
	size_t size = 5000001;
	uint8_t *big = malloc(size);
	struct event_bus bus;
	struct evidence *ev = begin(&bus);
	struct event_conn c = conn_of(1, 6, 40000);
	struct iovec iov[3] = {{big, 70000}, {big + 70000, 0}, {big + 70000, size - 70000}};
	struct echo echo = {.want = big};
	struct stream_events events = {&echo, on_open, on_data, on_gap, on_close, NULL};
	struct stream_table *t = stream_table_new(&events, NULL);
	struct capture_item item;
	struct capture *cap;
	struct packet p;

	for (size_t i = 0; i < size; i++)
		big[i] = (uint8_t)(i * 31 + i / 1000);
	emit(&bus, EVENT_CONN_OPENED, &c, 0);
	evidence_bytes(ev, &c, true, iov, 3, NOON);
	CHECK_EQ(evidence_close(ev, NULL), 0);
	CHECK_EQ(capture_open(FILE_NAME, NULL, &cap, NULL), 0);
	while (capture_next(cap, &item, NULL) == 1) {
		struct stream_at at = {item.number, item.time_ns};

		if (item.kind != CAPTURE_PACKET)
			continue;
		CHECK(item.len <= 65535 + 40);
		packet_parse(item.link, item.data, item.len, item.wire_len, &p);
		stream_feed(t, &p, &at, NULL);
	}
	CHECK_EQ(echo.at, size);
	CHECK_EQ(echo.wrong + echo.gaps, 0);
	stream_table_free(t);
	capture_close(cap);
	unlink(FILE_NAME);
	free(big);
}

TEST(a_block_changed_by_hand_is_an_error_with_its_key_and_foreign_blocks_are_none)
{
	static const struct {
		uint8_t kind;
		const char *json;
		int want;
		const char *field;
	} cases[] = {
		{EVENT_MARK, "{\"text\":\"x\"}", 1, ""},
		{EVENT_MARK, "{\"text\":7}", ERR_MALFORMED, "text"},
		{EVENT_RULE, "{\"hit\":1.5}", ERR_MALFORMED, "hit"},
		{EVENT_LOG, "{\"what\":\"eaten\"}", ERR_MALFORMED, "what"},
		{EVENT_CONN_OPENED,
		 "{\"conn\":1,\"broker\":1,\"client\":\"1.2.3:4\",\"server\":\"1.2.3.4:5\"}",
		 ERR_MALFORMED, "client"},
		{EVENT_CLUSTER, "{\"detail\":[]}", ERR_MALFORMED, "detail"},
		{EVENT_MARK, "[]", ERR_MALFORMED, ""},
		{EVENT_MARK, "{", ERR_MALFORMED, ""},
		{EVENT_EXCHANGE, "{}", 0, ""},
		{99, "{}", 0, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error e = ERROR_INIT;
		struct arena arena;
		struct event got;
		struct buf b;

		arena_init(&arena, 1 << 16);
		buf_init(&b, 1 << 16);
		buf_add(&b, "ktrial\1", 7);
		buf_byte(&b, cases[i].kind);
		buf_be64(&b, NOON);
		buf_be32(&b, (uint32_t)strlen(cases[i].json));
		buf_be32(&b, 0);
		buf_text(&b, cases[i].json);
		CHECK_EQ(evidence_read((struct bytes){b.data, (int32_t)b.len}, &arena, &got, &e),
			 cases[i].want);
		CHECK_TEXT(e.field, cases[i].field);
		e = (struct error)ERROR_INIT;
		b.data[19] = 200; /* the JSON's length: longer than the block */
		CHECK_EQ(evidence_read((struct bytes){b.data, (int32_t)b.len}, &arena, &got, &e),
			 ERR_MALFORMED);
		b.data[6] = 2; /* a version of the future */
		CHECK_EQ(evidence_read((struct bytes){b.data, (int32_t)b.len}, &arena, &got, NULL),
			 0);
		arena_release(&arena);
		buf_release(&b);
	}
}

TEST(evidence_that_can_not_be_written_says_so)
{
	struct error e = ERROR_INIT;
	struct event_conn c = conn_of(1, 4, 1);
	struct evidence *ev;

	CHECK(evidence_open("build/no/such/folder", &e) == NULL);
	CHECK_EQ(e.code, ERR_OS);
	e = (struct error)ERROR_INIT;
	ev = evidence_open("/dev/full", &e);
	CHECK(ev != NULL);
	say(ev, &c, true, "ask");
	CHECK_EQ(evidence_close(ev, &e), ERR_OS);
	CHECK(strstr(e.text, "No space") != NULL);
}

/* What goes on of a conversation that comes in pieces of n bytes. */
static void blinded(const struct iovec *says, size_t count, size_t n, struct buf *ret)
{
	struct blind *b = blind_new();
	struct bytes shown;

	for (size_t i = 0; i < count; i++) {
		uint8_t *p = says[i].iov_base;

		for (size_t at = 0; at < says[i].iov_len; at += n) {
			struct iovec piece = {p + at,
					      n < says[i].iov_len - at ? n : says[i].iov_len - at};

			if (blind_feed(b, i % 2 == 0, &piece, 1, &shown))
				shown = (struct bytes){piece.iov_base, (int32_t)piece.iov_len};
			buf_add(ret, shown.data, (size_t)shown.len);
		}
		shown = blind_rest(b, i % 2 == 0);
		buf_add(ret, shown.data, (size_t)shown.len);
	}
	blind_free(b);
}

TEST(credentials_are_blank_however_their_bytes_come)
{
	/* ApiVersions 0, SaslAuthenticate 0 of PLAIN; its answer; then the same cut off. */
	static char ask[] = "\0\0\0\x0b\0\x12\0\0\0\0\0\x01\0\x01x"
			    "\0\0\0\x16\0\x24\0\0\0\0\0\x02\0\x01x\0\0\0\x07\0bob\0pw",
		    answer[] = "\0\0\0\x10\0\0\0\x02\0\0\xff\xff\0\0\0\x04pass",
		    cut[] = "\0\0\0\x16\0\x24\0\0\0\0\0\x03\0\x01x\0\0\0\x07\0bob\0p",
		    blank[] = "\0\0\0\x0b\0\x12\0\0\0\0\0\x01\0\x01x"
			      "\0\0\0\x16\0\x24\0\0\0\0\0\x02\0\x01x\0\0\0\x07\0bob\0**"
			      "\0\0\0\x10\0\0\0\x02\0\0\xff\xff\0\0\0\x04****"
			      "\0\0\0\x16\0\x24\0\0*****************";
	struct iovec says[] = {
		{ask, sizeof(ask) - 1}, {answer, sizeof(answer) - 1}, {cut, sizeof(cut) - 1}};
	struct buf out;

	buf_init(&out, 1 << 16);
	for (size_t n = 1; n < 50; n++) {
		buf_reset(&out);
		blinded(says, 3, n, &out);
		CHECK_BYTES(out.data, out.len, blank, sizeof(blank) - 1);
	}
	buf_release(&out);
}
