/* Captures to lines: conversations built frame by frame, wrapped in TCP, decoded, and compared with
 * what a person should read. Times are virtual: a millisecond a packet from midnight 1970 on. */
#include "base/rand.h"
#include "decoder/decode.h"
#include "decoder/jsonl.h"
#include "decoder/text.h"
#include "decoder/tree.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/synth.h"
#include "tests/test.h"
#include "trace/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVIDENCE "build/decode-test.pcapng"

/* A decoder with its output, and one conversation that is being made up. */
struct bench {
	struct decode *decode;
	struct event_bus bus;
	struct event_sink sink;
	struct names *names;
	struct buf out;
	enum { LINES, VERBOSE, MESSAGES, PAIRS, TREE } kind;
	bool malformed;
	uint64_t packet;
	uint32_t seq[2];
	uint16_t port;
};

static void on_event(void *context, const struct event *ev)
{
	struct bench *b = context;

	if (b->kind <= VERBOSE)
		b->malformed |= text_event(&b->out, ev, b->names, b->kind == VERBOSE);
	else if (b->kind == TREE)
		b->malformed |= tree_event(&b->out, ev, b->names, TREE_VALUES_TEXT, false);
	else
		b->malformed |= jsonl_event(&b->out, ev, b->names,
					    b->kind == PAIRS ? JSONL_EXCHANGES : JSONL_MESSAGES);
}

static void begin_with(struct bench *b, int kind, const struct decode_options *options)
{
	*b = (struct bench){.kind = (unsigned)kind, .port = 40000};
	b->sink = (struct event_sink){.on_event = on_event, .ctx = b};
	event_bus_add(&b->bus, &b->sink);
	b->names = names_new();
	buf_init(&b->out, 1 << 24);
	b->decode = decode_new(options, &b->bus);
	b->seq[0] = 1000;
	b->seq[1] = 0xfffffff0;
}

static void begin(struct bench *b, int kind)
{
	begin_with(b, kind, NULL);
}

static const char *end(struct bench *b)
{
	decode_end(b->decode);
	return buf_cstr(&b->out);
}

static void release(struct bench *b)
{
	decode_free(b->decode);
	names_free(b->names);
	buf_release(&b->out);
}

/* One packet; cut: bytes at its end that were not captured; lost: none of it was. */
static void packet(struct bench *b, int d, uint8_t flags, const void *data, size_t len, size_t cut,
		   bool lost)
{
	struct endpoint client = synth_v4(1, b->port), server = synth_v4(2, 19092);
	struct synth_packet p = {.src = d ? server : client,
				 .dst = d ? client : server,
				 .seq = b->seq[d],
				 .ack = b->seq[!d],
				 .flags = flags,
				 .data = data,
				 .len = (uint32_t)len,
				 .link = LINK_RAW};
	struct capture_item item = {.kind = CAPTURE_PACKET, .link = LINK_RAW};
	struct buf bytes;

	b->seq[d] += (uint32_t)len + ((flags & (TCP_SYN | TCP_FIN)) ? 1 : 0);
	if (lost)
		return;
	buf_init(&bytes, 1 << 20);
	synth_packet(&bytes, &p);
	item.number = ++b->packet;
	item.time_ns = (int64_t)b->packet * 1000000;
	item.data = bytes.data;
	item.len = (uint32_t)(bytes.len - cut);
	item.wire_len = (uint32_t)bytes.len;
	decode_item(b->decode, &item);
	buf_release(&bytes);
}

static void shake(struct bench *b)
{
	packet(b, 0, TCP_SYN, "", 0, 0, false);
	packet(b, 1, TCP_SYN | TCP_ACK, "", 0, 0, false);
	packet(b, 0, TCP_ACK, "", 0, 0, false);
}

static void send(struct bench *b, int d, const struct buf *frame)
{
	packet(b, d, TCP_ACK, frame->data, frame->len, 0, false);
}

/* Frames. */

static void flatten(struct gather *g, struct buf *ret)
{
	buf_init(ret, 1 << 20);
	gather_flatten(g, ret);
	gather_release(g);
}

static void request(struct buf *ret, int key, int version, int32_t correlation_id, const void *body)
{
	struct gather g;
	struct error e = ERROR_INIT;

	gather_init(&g, 1 << 20);
	frame_write_request(&g, key, version, correlation_id, str_of("tester"), body, &e);
	CHECK_TEXT(e.text, "");
	flatten(&g, ret);
}

static void response(struct buf *ret, int key, int version, int32_t correlation_id,
		     const void *body)
{
	struct gather g;
	struct error e = ERROR_INIT;

	gather_init(&g, 1 << 20);
	frame_write_response(&g, key, version, correlation_id, body, &e);
	CHECK_TEXT(e.text, "");
	flatten(&g, ret);
}

static void heartbeat(struct buf *ask, struct buf *answer, int32_t correlation_id, int16_t error)
{
	struct heartbeat_request q;
	struct heartbeat_response a;

	codec_init(&heartbeat_request_schema, &q);
	codec_init(&heartbeat_response_schema, &a);
	q.group_id = str_of("g");
	q.member_id = str_of("m 1");
	a.error_code = error;
	request(ask, API_HEARTBEAT, 1, correlation_id, &q);
	response(answer, API_HEARTBEAT, 1, correlation_id, &a);
}

/* A heartbeat and its answer through the wire. */
static void beat(struct bench *b, int32_t correlation_id)
{
	struct buf ask, answer;

	heartbeat(&ask, &answer, correlation_id, 0);
	send(b, 0, &ask);
	send(b, 1, &answer);
	buf_release(&ask);
	buf_release(&answer);
}

/* What came out, shortened: times in ms, ">" for client to server and "<" for the reverse. */
static void check(struct bench *b, const char *want)
{
	static const char *const long_forms[] = {"10.0.0.1:40000 > 10.0.0.2:19092",
						 "10.0.0.2:19092 > 10.0.0.1:40000"};
	const char *at = end(b);
	struct buf got;
	int us;

	buf_init(&got, 1 << 20);
	while (*at) {
		bool timed = sscanf(at, "1970-01-01T00:00:00.%6dZ", &us) == 1;
		const char *stop = strchr(at, '\n');

		if (timed) {
			buf_printf(&got, "%d ", us / 1000);
			at += RFC3339_SIZE;
		}
		for (int i = 0; timed && i < 2; i++) {
			if (strncmp(at, long_forms[i], strlen(long_forms[i])))
				continue;
			buf_byte(&got, i ? '<' : '>');
			at += strlen(long_forms[i]);
			break;
		}
		buf_add(&got, at, (size_t)(stop + 1 - at));
		at = stop + 1;
	}
	CHECK_TEXT(buf_cstr(&got), want);
	buf_release(&got);
}

TEST(a_request_and_its_answer_are_two_lines)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, VERBOSE);
	shake(&b);
	heartbeat(&ask, &answer, 7, 27);
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	packet(&b, 0, TCP_FIN | TCP_ACK, "", 0, 0, false);
	packet(&b, 1, TCP_FIN | TCP_ACK, "", 0, 0, false);
	check(&b, "1 > connection 1 opened\n"
		  "4 > Heartbeat v1 request #7 client=tester group=g member=m\\x201 size=28\n"
		  "5 < Heartbeat v1 response #7 latency=1.000ms group=g "
		  "errors=REBALANCE_IN_PROGRESS size=10\n"
		  "7 > connection 1 closed by the client\n");
	CHECK(!b.malformed);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(pipelined_requests_meet_their_answers_by_correlation_id)
{
	struct bench b;
	struct buf ask[2], answer[2], both;

	begin(&b, LINES);
	shake(&b);
	buf_init(&both, 1 << 16);
	for (int i = 0; i < 2; i++) {
		heartbeat(&ask[i], &answer[i], 10 + i, 0);
		buf_add(&both, ask[i].data, ask[i].len);
	}
	send(&b, 0, &both);
	send(&b, 1, &answer[1]);
	send(&b, 1, &answer[0]);
	check(&b, "4 > Heartbeat v1 request #11 client=tester group=g member=m\\x201 size=28\n"
		  "5 < Heartbeat v1 response #11 latency=1.000ms group=g size=10\n"
		  "4 > Heartbeat v1 request #10 client=tester group=g member=m\\x201 size=28\n"
		  "6 < Heartbeat v1 response #10 latency=2.000ms group=g size=10\n");
	for (int i = 0; i < 2; i++) {
		buf_release(&ask[i]);
		buf_release(&answer[i]);
	}
	buf_release(&both);
	release(&b);
}

TEST(frames_cut_into_single_bytes_read_alike)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 7, 0);
	for (size_t i = 0; i < ask.len; i++)
		packet(&b, 0, TCP_ACK, ask.data + i, 1, 0, false);
	for (size_t i = 0; i < answer.len; i++)
		packet(&b, 1, TCP_ACK, answer.data + i, 1, 0, false);
	check(&b, "35 > Heartbeat v1 request #7 client=tester group=g member=m\\x201 size=28\n"
		  "49 < Heartbeat v1 response #7 latency=14.000ms group=g size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(produce_with_acks_0_gets_no_answer_and_shifts_none)
{
	static const int versions[] = {2, 3, 9};
	struct bench b;

	begin(&b, LINES);
	shake(&b);
	for (int i = 0; i < 3; i++) {
		struct produce_request q;
		struct buf ask;

		codec_init(&produce_request_schema, &q);
		q.acks = 0;
		if (versions[i] >= 3)
			q.transactional_id = str_of("t");
		request(&ask, API_PRODUCE, versions[i], 20 + i, &q);
		send(&b, 0, &ask);
		buf_release(&ask);
	}
	beat(&b, 30);
	check(&b, "4 > Produce v2 request #20 client=tester size=26 acks=0\n"
		  "5 > Produce v3 request #21 client=tester txn=t size=29 acks=0\n"
		  "6 > Produce v9 request #22 client=tester txn=t size=27 acks=0\n"
		  "7 > Heartbeat v1 request #30 client=tester group=g member=m\\x201 size=28\n"
		  "8 < Heartbeat v1 response #30 latency=1.000ms group=g size=10\n");
	release(&b);
}

TEST(an_api_versions_answer_with_error_35_is_read_as_version_0)
{
	struct bench b;
	struct api_versions_request q;
	struct api_versions_response a;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	codec_init(&api_versions_request_schema, &q);
	codec_init(&api_versions_response_schema, &a);
	q.client_software_name = str_of("x");
	q.client_software_version = str_of("1");
	a.error_code = 35;
	request(&ask, API_API_VERSIONS, 4, 1, &q);
	response(&answer, API_API_VERSIONS, 0, 1, &a);
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	check(&b, "4 > ApiVersions v4 request #1 client=tester size=22\n"
		  "5 < ApiVersions v4 response #1 latency=1.000ms errors=UNSUPPORTED_VERSION "
		  "size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(unknown_apis_and_newer_versions_are_named_and_lose_no_stream)
{
	static const uint8_t unknown[] = "\0\0\0\x12\1\x2c\0\2\0\0\0\5\0\6tester12";
	static const uint8_t newer[] = "\0\0\0\x12\0\x0c\0\x21\0\0\0\6\0\6tester\0\0";
	static const uint8_t answers[] = "\0\0\0\6\0\0\0\5zz\0\0\0\6\0\0\0\6yy";
	struct bench b;

	begin(&b, LINES);
	shake(&b);
	beat(&b, 1);
	packet(&b, 0, TCP_ACK, unknown, 22, 0, false);
	packet(&b, 0, TCP_ACK, newer, 22, 0, false);
	packet(&b, 1, TCP_ACK, answers, 20, 0, false);
	beat(&b, 8);
	CHECK(strstr(end(&b), "API 300 v2 request #5 client=tester size=18 [unsupported"));
	CHECK(strstr(end(&b), "Heartbeat v33 request #6 client=tester size=18 [unsupported"));
	CHECK(strstr(end(&b), "API 300 v2 response #5 latency=2.000ms size=6"));
	CHECK(strstr(end(&b), "Heartbeat v33 response #6 latency=1.000ms size=6"));
	CHECK(strstr(end(&b), "Heartbeat v1 response #8"));
	CHECK(!b.malformed);
	CHECK_EQ(decode_totals(b.decode)->conns.unmatched_bytes, 0);
	release(&b);
}

TEST(a_capture_that_begins_in_the_middle_finds_client_and_frames_by_content)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	heartbeat(&ask, &answer, 1, 0);
	packet(&b, 1, TCP_ACK, answer.data + 5, answer.len - 5, 0, false); /* the server first */
	packet(&b, 0, TCP_ACK, ask.data + 9, ask.len - 9, 0, false);
	beat(&b, 2);
	check(&b, "2 > unmatched size=23 [the capture begins inside a frame]\n"
		  "1 < unmatched size=9 [the capture begins inside a frame]\n"
		  "3 > Heartbeat v1 request #2 client=tester group=g member=m\\x201 size=28\n"
		  "4 < Heartbeat v1 response #2 latency=1.000ms group=g size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_lost_packet_inside_a_frame_costs_that_frame_only)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 7, 0);
	packet(&b, 0, TCP_ACK, ask.data, 20, 0, false);
	packet(&b, 0, TCP_ACK, ask.data + 20, 3, 0, true);
	packet(&b, 0, TCP_ACK, ask.data + 23, ask.len - 23, 0, false);
	send(&b, 1, &answer);
	for (int i = 0; i < 20; i++) /* until the hole is believed */
		packet(&b, 1, TCP_ACK, "", 0, 0, false);
	beat(&b, 8);
	check(&b, "5 > Heartbeat v1 request #7 client=tester size=28 [lost: 3 of its 28 bytes were "
		  "not captured]\n"
		  "6 < Heartbeat v1 response #7 latency=1.000ms size=10\n"
		  "27 > Heartbeat v1 request #8 client=tester group=g member=m\\x201 size=28\n"
		  "28 < Heartbeat v1 response #8 latency=1.000ms group=g size=10\n");
	CHECK_EQ(decode_totals(b.decode)->conns.lost_bytes, 3);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_lost_header_costs_up_to_the_next_one)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	beat(&b, 1);
	heartbeat(&ask, &answer, 2, 0);
	packet(&b, 0, TCP_ACK, ask.data, 20, 0, true);
	packet(&b, 0, TCP_ACK, ask.data + 20, ask.len - 20, 0, false);
	send(&b, 1, &answer);
	for (int i = 0; i < 20; i++)
		packet(&b, 1, TCP_ACK, "", 0, 0, false);
	beat(&b, 3);
	check(&b, "4 > Heartbeat v1 request #1 client=tester group=g member=m\\x201 size=28\n"
		  "5 < Heartbeat v1 response #1 latency=1.000ms group=g size=10\n"
		  "7 < ? response #2 size=10 [orphan: its request is not in the capture]\n"
		  "23 > unmatched size=32 [bytes that were not captured, and what they touch]\n"
		  "28 > Heartbeat v1 request #3 client=tester group=g member=m\\x201 size=28\n"
		  "29 < Heartbeat v1 response #3 latency=1.000ms group=g size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_snap_length_leaves_headers_and_pairs)
{
	struct bench b;

	begin(&b, LINES);
	shake(&b);
	for (int32_t i = 1; i <= 3; i++) {
		struct buf ask, answer;

		heartbeat(&ask, &answer, i, 0);
		packet(&b, 0, TCP_ACK, ask.data, ask.len, 12, false);
		packet(&b, 1, TCP_ACK, answer.data, answer.len, 3, false);
		buf_release(&ask);
		buf_release(&answer);
	}
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.requests, 3);
	CHECK_EQ(decode_totals(b.decode)->conns.responses, 3);
	CHECK_EQ(decode_totals(b.decode)->conns.lost_bytes, 45);
	CHECK_EQ(decode_totals(b.decode)->conns.unmatched_bytes, 0);
	CHECK(strstr(end(&b), "Heartbeat v1 request #3 client=tester size=28 "
			      "[lost: 12 of its 28 bytes were not captured]"));
	CHECK(strstr(end(&b), "Heartbeat v1 response #3 latency=1.000ms size=10 "
			      "[lost: 3 of its 10 bytes were not captured]"));
	release(&b);
}

TEST(a_snap_length_inside_the_client_id_still_leaves_pairs)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 5, 0);
	packet(&b, 0, TCP_ACK, ask.data, ask.len, 16, false);
	send(&b, 1, &answer);
	check(&b, "4 > Heartbeat v1 request #5 size=28 [lost: 16 of its 28 bytes were not "
		  "captured]\n"
		  "5 < Heartbeat v1 response #5 latency=1.000ms size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

/* Correlation id, count and topic stand where a request has API, version, correlation id and client
 * id: only the rest of the frame tells. */
TEST(an_answer_to_produce_is_not_taken_for_a_request)
{
	struct produce_response a;
	struct produce_response_responses topic;
	struct produce_response_responses_partition_responses partition;
	struct bench b;
	struct buf answer;

	begin(&b, LINES);
	codec_init(&produce_response_schema, &a);
	codec_init(&produce_response_responses_schema, &topic);
	codec_init(&produce_response_responses_partition_responses_schema, &partition);
	a.responses = &topic;
	a.responses_count = 1;
	topic.name = str_of("orders");
	topic.partition_responses = &partition;
	topic.partition_responses_count = 1;
	for (int32_t i = 1; i <= 8; i++) {
		response(&answer, API_PRODUCE, i, i, &a);
		send(&b, 1, &answer);
		buf_release(&answer);
	}
	beat(&b, 9);
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.requests, 1);
	CHECK(strstr(end(&b), "10.0.0.1:40000 > 10.0.0.2:19092 Heartbeat v1 request #9"));
	CHECK(strstr(end(&b), "Heartbeat v1 response #9"));
	release(&b);
}

TEST(other_protocols_are_counted_and_tls_is_named)
{
	struct bench b;

	begin(&b, VERBOSE);
	shake(&b);
	packet(&b, 0, TCP_ACK, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0, false);
	packet(&b, 1, TCP_ACK, "HTTP/1.1 200 OK\r\n\r\n", 19, 0, false);
	b.port = 40001;
	shake(&b);
	packet(&b, 0, TCP_ACK, "\x16\x03\x01\x02\0\1\0\1\xfc\3\3 random", 17, 0, false);
	packet(&b, 1, TCP_ACK, "\x16\x03\x03\0\x7a", 5, 0, false);
	packet(&b, 1, TCP_ACK, "more", 4, 0, false);
	packet(&b, 0, TCP_ACK, "\x17\x03\x03\0\x7a", 5, 0, false);
	packet(&b, 1, TCP_ACK, "\x17\x03\x03\0\x7a", 5, 0, false);
	check(&b, "13 10.0.0.1:40001 > 10.0.0.2:19092 TLS, not decrypted: asked=22 answered=14 "
		  "round-trips=2 wait=1.000ms longest=1.000ms\n");
	CHECK_EQ(decode_totals(b.decode)->conns.tls, 1);
	CHECK_EQ(decode_totals(b.decode)->conns.tls_asked, 22);
	CHECK_EQ(decode_totals(b.decode)->conns.tls_answered, 14);
	CHECK_EQ(decode_totals(b.decode)->conns.tls_round_trips, 2);
	CHECK_EQ(decode_totals(b.decode)->conns.other, 1);
	CHECK_EQ(decode_totals(b.decode)->conns.kafka, 0);
	release(&b);
}

TEST(tls_is_known_from_its_middle_and_on_a_port_that_is_said_to_be_kafka)
{
	struct decode_options o = {.ports = {19092}, .ports_count = 1};
	struct bench b;

	begin(&b, VERBOSE);
	for (int i = 0; i < 8; i++)
		packet(&b, i % 2, TCP_ACK, "\x17\x03\x03\0\x7a", 5, 0, false);
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.tls, 1);
	CHECK_EQ(decode_totals(b.decode)->conns.other, 0);
	release(&b);

	begin_with(&b, LINES, &o);
	shake(&b);
	packet(&b, 0, TCP_ACK, "\x16\x03\x01\x02\0\1\0\1\xfc\3\3 random", 17, 0, false);
	check(&b, "");
	CHECK_EQ(decode_totals(b.decode)->conns.tls, 1);
	release(&b);
}

TEST(what_is_sent_again_with_other_bytes_is_told_where_it_stands)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 1, 0);
	send(&b, 0, &ask);
	b.seq[0] -= (uint32_t)ask.len;
	ask.data[ask.len - 1] ^= 1;
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	check(&b, "5 > unmatched size=32 [bytes sent again that differ from those that came "
		  "first, which were taken]\n"
		  "4 > Heartbeat v1 request #1 client=tester group=g member=m\\x201 size=28\n"
		  "6 < Heartbeat v1 response #1 latency=2.000ms group=g resent=32 size=10\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_port_that_is_said_to_be_kafka_shows_its_garbage)
{
	struct decode_options o = {.ports = {19092}, .ports_count = 1};
	struct bench b;

	begin_with(&b, LINES, &o);
	shake(&b);
	packet(&b, 0, TCP_ACK, "GET / HTTP/1.1\r\n\r\n", 18, 0, false);
	check(&b, "4 > unmatched size=18 [bytes that are no frame]\n");
	release(&b);
}

TEST(answers_whose_direction_alone_was_captured_are_orphans_on_a_port_that_is_said_to_be_kafka)
{
	struct decode_options o = {.ports = {19092}, .ports_count = 1};
	struct bench b;
	struct buf ask, answer;

	begin_with(&b, LINES, &o);
	packet(&b, 1, TCP_SYN | TCP_ACK, "", 0, 0, false);
	for (int32_t i = 1; i <= 5; i++) {
		heartbeat(&ask, &answer, i, 0);
		send(&b, 1, &answer);
		buf_release(&ask);
		buf_release(&answer);
	}
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.responses, 5);
	CHECK_EQ(decode_totals(b.decode)->conns.unmatched_bytes, 0);
	CHECK(strstr(buf_cstr(&b.out), "? response #5 size=10 "
				       "[orphan: its request is not in the capture]"));
	release(&b);
}

TEST(sasl_tokens_without_a_header_are_stepped_over)
{
	struct bench b;
	struct sasl_handshake_request q;
	struct sasl_handshake_response a;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	codec_init(&sasl_handshake_request_schema, &q);
	codec_init(&sasl_handshake_response_schema, &a);
	q.mechanism = str_of("PLAIN");
	request(&ask, API_SASL_HANDSHAKE, 0, 1, &q);
	response(&answer, API_SASL_HANDSHAKE, 0, 1, &a);
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	packet(&b, 0, TCP_ACK, "\0\0\0\x0c\0user\0secret", 16, 0, false);
	packet(&b, 1, TCP_ACK, "\0\0\0\0", 4, 0, false);
	CHECK_EQ(decode_totals(b.decode)->conns.sasl_tokens, 2);
	beat(&b, 2);
	CHECK(strstr(end(&b), "SaslHandshake v0 response #1"));
	CHECK(strstr(end(&b), "Heartbeat v1 response #2"));
	CHECK(!strstr(end(&b), "secret"));
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(bytes_behind_a_message_and_a_wrong_crc_are_problems)
{
	struct produce_request q;
	struct produce_request_topic_data topic;
	struct produce_request_topic_data_partition_data partition;
	uint8_t batch[61] = {[8] = 0, [11] = 49, [16] = 2, [20] = 1};
	struct bench b;
	struct buf ask;

	begin(&b, LINES);
	shake(&b);
	codec_init(&produce_request_schema, &q);
	codec_init(&produce_request_topic_data_schema, &topic);
	codec_init(&produce_request_topic_data_partition_data_schema, &partition);
	q.acks = 1;
	q.topic_data = &topic;
	q.topic_data_count = 1;
	topic.name = str_of("orders");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	partition.records = (struct records){batch, sizeof(batch), 0};
	request(&ask, API_PRODUCE, 3, 1, &q);
	buf_add(&ask, "xyz", 3);
	ask.data[3] = (uint8_t)(ask.data[3] + 3);
	send(&b, 0, &ask);
	check(&b, "4 > Produce v3 request #1 client=tester topics=orders size=112 unanswered [crc "
		  "records at 48: the batch at offset 0 has CRC 00000001, its bytes give 595fb7dd] "
		  "[trailing at 109: 3 bytes behind the message]\n");
	CHECK(b.malformed);
	buf_release(&ask);
	release(&b);
}

TEST(malformed_bodies_say_where)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 1, 0);
	ask.data[4 + 16] = 0x70; /* the group id's length */
	send(&b, 0, &ask);
	CHECK(strstr(end(&b), "[malformed groupId at "));
	CHECK(b.malformed);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(topic_ids_get_the_names_that_the_capture_told)
{
	struct metadata_request mq;
	struct metadata_response ma;
	struct metadata_response_topics mt;
	struct fetch_request fq;
	struct fetch_request_topics ft[2];
	struct bench b;
	struct buf frame;

	begin(&b, LINES);
	shake(&b);
	codec_init(&metadata_request_schema, &mq);
	codec_init(&metadata_response_schema, &ma);
	codec_init(&metadata_response_topics_schema, &mt);
	mt.name = str_of("orders");
	mt.topic_id = (struct uuid){{1}};
	ma.topics = &mt;
	ma.topics_count = 1;
	request(&frame, API_METADATA, 12, 1, &mq);
	send(&b, 0, &frame);
	buf_release(&frame);
	response(&frame, API_METADATA, 12, 1, &ma);
	send(&b, 1, &frame);
	buf_release(&frame);
	codec_init(&fetch_request_schema, &fq);
	codec_init(&fetch_request_topics_schema, &ft[0]);
	codec_init(&fetch_request_topics_schema, &ft[1]);
	ft[0].topic_id = (struct uuid){{1}};
	ft[1].topic_id = (struct uuid){{2}};
	fq.topics = ft;
	fq.topics_count = 2;
	request(&frame, API_FETCH, 13, 2, &fq);
	send(&b, 0, &frame);
	buf_release(&frame);
	CHECK(strstr(end(&b), "Fetch v13 request #2 client=tester "
			      "topics=orders,AgAAAAAAAAAAAAAAAAAAAA "));
	release(&b);
}

TEST(json_has_the_pair_in_both_messages)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, MESSAGES);
	shake(&b);
	heartbeat(&ask, &answer, 7, 27);
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	CHECK_TEXT(
		end(&b),
		"{\"time\":\"1970-01-01T00:00:00.004000Z\",\"src\":\"10.0.0.1:40000\",\"dst\":"
		"\"10.0.0.2:19092\",\"conn\":1,\"api\":\"Heartbeat\",\"apiKey\":12,\"version\":1,"
		"\"correlationId\":7,\"clientId\":\"tester\",\"type\":\"request\",\"size\":28,"
		"\"frames\":[4],\"group\":\"g\",\"member\":\"m 1\",\"errors\":["
		"\"REBALANCE_IN_PROGRESS\"],\"body\":{\"groupId\":\"g\",\"generationId\":0,"
		"\"memberId\":\"m 1\"},\"problems\":[]}\n"
		"{\"time\":\"1970-01-01T00:00:00.005000Z\",\"src\":\"10.0.0.2:19092\",\"dst\":"
		"\"10.0.0.1:40000\",\"conn\":1,\"api\":\"Heartbeat\",\"apiKey\":12,\"version\":1,"
		"\"correlationId\":7,\"clientId\":\"tester\",\"type\":\"response\",\"size\":10,"
		"\"frames\":[5],\"requestFrame\":4,\"latencyUs\":1000,\"waitUs\":1000,"
		"\"throttleMs\":0,\"group\":\"g\",\"member\":\"m 1\",\"errors\":["
		"\"REBALANCE_IN_PROGRESS\"],\"body\":{\"throttleTimeMs\":0,\"errorCode\":27},"
		"\"problems\":[]}\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(pairs_say_how_they_ended)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, PAIRS);
	shake(&b);
	heartbeat(&ask, &answer, 7, 0);
	send(&b, 0, &ask);
	packet(&b, 1, TCP_RST | TCP_ACK, "", 0, 0, false);
	CHECK_TEXT(end(&b),
		   "{\"time\":\"1970-01-01T00:00:00.004000Z\",\"client\":\"10.0.0.1:40000\","
		   "\"server\":\"10.0.0.2:19092\",\"conn\":1,\"api\":\"Heartbeat\",\"apiKey\":12,"
		   "\"version\":1,\"correlationId\":7,\"clientId\":\"tester\",\"state\":\"lost\","
		   "\"requestSize\":28,\"requestFrames\":[4],\"group\":\"g\",\"member\":\"m 1\","
		   "\"errors\":[],\"request\":{\"groupId\":\"g\",\"generationId\":0,\"memberId\":"
		   "\"m 1\"},\"response\":null,\"problems\":[]}\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_tree_shows_every_field_with_its_place)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, TREE);
	shake(&b);
	heartbeat(&ask, &answer, 7, 0);
	send(&b, 0, &ask);
	check(&b, "4 > Heartbeat v1 request #7 client=tester group=g member=m\\x201 size=28 "
		  "unanswered\n"
		  "       0      2    requestApiKey: 12\n"
		  "       2      2    requestApiVersion: 1\n"
		  "       4      4    correlationId: 7\n"
		  "       8      8    clientId: \"tester\"\n"
		  "      16      3    groupId: \"g\"\n"
		  "      19      4    generationId: 0\n"
		  "      23      5    memberId: \"m\\x201\"\n");
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(frames_that_memory_does_not_allow_are_counted_with_their_header_known)
{
	struct decode_options o = {.memory_max = 64 << 10};
	struct produce_request q;
	struct bench b;
	struct buf ask;

	begin_with(&b, LINES, &o);
	shake(&b);
	codec_init(&produce_request_schema, &q);
	q.acks = 1;
	request(&ask, API_PRODUCE, 3, 1, &q);
	while (ask.len < 50000)
		buf_text(&ask, "0123456789");
	ask.data[2] = (uint8_t)((ask.len - 4) >> 8);
	ask.data[3] = (uint8_t)(ask.len - 4);
	for (size_t at = 0; at < ask.len; at += 1000)
		packet(&b, 0, TCP_ACK, ask.data + at, ask.len - at < 1000 ? ask.len - at : 1000, 0,
		       false);
	CHECK(strstr(end(&b), "Produce v3 request #1 client=tester"));
	CHECK(strstr(end(&b), "[not-kept: "));
	CHECK_EQ(decode_totals(b.decode)->conns.not_kept, 1);
	buf_release(&ask);
	release(&b);
}

/* A Produce to "orders" with n bytes where records stand. */
static void produce_of(struct buf *ask, struct buf *answer, int32_t correlation_id, size_t n)
{
	struct produce_request_topic_data_partition_data p = {.index = 3};
	struct produce_request_topic_data t = {
		.name = str_of("orders"), .partition_data = &p, .partition_data_count = 1};
	struct produce_request q;
	struct produce_response a;
	uint8_t *bytes = calloc(n, 1);

	codec_init(&produce_request_schema, &q);
	codec_init(&produce_response_schema, &a);
	p.records = (struct records){bytes, (int32_t)n, 0};
	q.acks = 1;
	q.topic_data = &t;
	q.topic_data_count = 1;
	request(ask, API_PRODUCE, 9, correlation_id, &q);
	response(answer, API_PRODUCE, 9, correlation_id, &a);
	free(bytes);
}

static void send_in_parts(struct bench *b, const struct buf *frame)
{
	for (size_t at = 0; at < frame->len; at += 1000)
		packet(b, 0, TCP_ACK, frame->data + at,
		       frame->len - at < 1000 ? frame->len - at : 1000, 0, false);
}

TEST(a_frame_longer_than_the_memory_is_told_without_its_records)
{
	struct decode_options o = {.memory_max = 64 << 10, .squeeze = true};
	struct buf ask, answer;
	struct bench b;

	begin_with(&b, LINES, &o);
	shake(&b);
	produce_of(&ask, &answer, 1, 50000);
	send_in_parts(&b, &ask);
	send(&b, 1, &answer);
	beat(&b, 2);
	CHECK(strstr(end(&b), "Produce v9 request #1 client=tester topics=orders size=50043 "
			      "[not-kept: its records, 50002 bytes, are more than the memory "
			      "allows]\n"));
	CHECK(strstr(end(&b), "Produce v9 response #1 latency="));
	CHECK(strstr(end(&b), "Heartbeat v1 response #2"));
	CHECK_EQ(decode_totals(b.decode)->conns.squeezed, 1);
	CHECK_EQ(decode_totals(b.decode)->conns.not_kept, 0);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

/* They lose their records, not their answers. */
TEST(requests_that_wait_make_room_for_others)
{
	struct decode_options o = {.memory_max = 128 << 10, .squeeze = true};
	struct buf ask, answer, answers;
	struct bench b;

	begin_with(&b, LINES, &o);
	buf_init(&answers, 1 << 20);
	shake(&b);
	for (int i = 1; i <= 40; i++) {
		produce_of(&ask, &answer, i, i % 2 ? 14000 : 10);
		send_in_parts(&b, &ask);
		buf_add(&answers, answer.data, answer.len);
		buf_release(&ask);
		buf_release(&answer);
	}
	send(&b, 1, &answers);
	CHECK(!strstr(end(&b), "unanswered"));
	CHECK(strstr(end(&b), "#40 client=tester topics=orders size=51\n"));
	CHECK(strstr(end(&b), "#39 client=tester topics=orders size=14042 [not-kept: "));
	CHECK_EQ(decode_totals(b.decode)->conns.squeezed, 19);
	CHECK_EQ(decode_totals(b.decode)->conns.given_up, 0);
	CHECK_EQ(decode_totals(b.decode)->conns.not_kept, 0);
	buf_release(&answers);
	release(&b);
}

TEST(short_requests_without_answers_go_when_memory_is_full_and_are_counted)
{
	struct decode_options o = {.memory_max = 64 << 10};
	struct bench b;
	struct buf ask, answer;
	int lines = 0;

	begin_with(&b, LINES, &o);
	shake(&b);
	for (int i = 1; i <= 200; i++) {
		heartbeat(&ask, &answer, i, 0);
		send(&b, 0, &ask);
		buf_release(&ask);
		if (i < 200)
			buf_release(&answer);
	}
	send(&b, 1, &answer);
	for (const char *at = end(&b); (at = strchr(at, '\n')); at++)
		lines++;
	CHECK_EQ(lines, 201);
	CHECK(decode_totals(b.decode)->conns.given_up > 0);
	CHECK(strstr(end(&b), "response #200 latency="));
	buf_release(&answer);
	release(&b);
}

TEST(requests_whose_other_side_was_never_captured_are_told_as_they_come)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	for (int i = 1; i <= 20; i++) {
		heartbeat(&ask, &answer, i, 0);
		send(&b, 0, &ask);
		buf_release(&ask);
		buf_release(&answer);
	}
	CHECK(strstr(buf_cstr(&b.out), "request #1 "));
	CHECK(strstr(buf_cstr(&b.out), "request #20 "));
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.one_sided, 1);
	release(&b);
}

TEST(a_request_behind_which_a_hundred_were_answered_is_not_waited_for)
{
	struct bench b;
	struct buf ask, answer;

	begin(&b, LINES);
	shake(&b);
	heartbeat(&ask, &answer, 1, 0);
	send(&b, 0, &ask);
	for (int i = 2; i <= 101; i++)
		beat(&b, i);
	CHECK(!strstr(buf_cstr(&b.out), "request #1 "));
	beat(&b, 102);
	CHECK(strstr(buf_cstr(&b.out), "request #1 client=tester group=g member=m\\x201 size=28 "
				       "unanswered"));
	end(&b);
	CHECK_EQ(decode_totals(b.decode)->conns.one_sided, 0);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

/* A live service's events and bytes, written as evidence and read back. */
TEST(evidence_gives_back_connections_brokers_rules_and_exchanges)
{
	struct event_conn conn = {
		.conn = 9, .broker = 3, .client = synth_v4(1, 40000), .server = synth_v4(2, 19092)};
	struct event ev = {.kind = EVENT_CONN_OPENED, .time_us = 1000, .conn = conn};
	struct event_bus live = {0};
	struct evidence *evidence = evidence_open(EVIDENCE, NULL);
	const char *path = EVIDENCE;
	struct bench b;
	struct buf ask, answer;
	struct iovec iov;

	event_bus_add(&live, evidence_sink(evidence));
	event_emit(&live, &ev);
	heartbeat(&ask, &answer, 7, 0);
	iov = (struct iovec){ask.data, ask.len};
	evidence_bytes(evidence, &conn, true, &iov, 1, 2000);
	ev = (struct event){.kind = EVENT_RULE,
			    .time_us = 3000,
			    .rule = {str_of("r"), str_of("Heartbeat -> close after"),
				     str_of("fired"), 1, 9, 7, API_HEARTBEAT}};
	event_emit(&live, &ev);
	ev = (struct event){.kind = EVENT_CONN_CLOSED, .time_us = 4000, .conn = conn};
	ev.conn.how = CLOSE_BY_BROKER;
	event_emit(&live, &ev);
	ev = (struct event){.kind = EVENT_CONN_REFUSED, .time_us = 5000, .conn = conn};
	ev.conn.conn = 10;
	event_emit(&live, &ev);
	ev = (struct event){.kind = EVENT_MARK, .time_us = 6000, .mark = str_of("over")};
	event_emit(&live, &ev);
	CHECK_EQ(evidence_close(evidence, NULL), 0);
	begin(&b, VERBOSE);
	CHECK_EQ(decode_files(b.decode, &path, 1, NULL), 0);
	check(&b, "1 > connection 9 opened broker=3\n"
		  "3 rule name=r what=fired hit=1 connection=9 api=Heartbeat correlation=7 "
		  "text=\"Heartbeat -> close after\"\n"
		  "2 > Heartbeat v1 request #7 client=tester group=g member=m\\x201 size=28 "
		  "unanswered rule=\"Heartbeat -> close after\"\n"
		  "4 > connection 9 closed by the broker broker=3\n"
		  "5 > connection 10 refused broker=3\n"
		  "6 mark over\n");
	unlink(EVIDENCE);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

/* The generator at the level of messages: connections whose segments are lost, doubled, exchanged
 * and cut, with the truth of which frames were captured whole beside them. */

#define CONVERSATIONS 6
#define ROUNDS	      40

struct frame_truth {
	uint32_t from, to; /* in its direction's bytes */
	bool whole;
};

struct talk {
	struct buf bytes[2];
	struct frame_truth frames[2][ROUNDS];
	uint32_t isn[2];
	uint16_t port;
	bool syn; /* its opening is in the capture */
	enum synth_wrapping wrapping;
	bool v6;
};

struct wire_packet {
	struct talk *talk;
	int d;
	uint32_t from, len, cut, ack;
	int64_t order;
};

struct truth_count {
	uint64_t requests, responses, lost, orphans, wrong;
};

static void count_event(void *context, const struct event *ev)
{
	struct truth_count *n = context;
	struct exchange *x = ev->exchange;
	const struct heartbeat_request *q;
	const struct heartbeat_response *a;

	if (ev->kind != EVENT_EXCHANGE)
		return;
	q = exchange_request(x);
	a = exchange_response(x);
	n->requests += q != NULL;
	n->responses += x->response.data != NULL;
	n->orphans += x->state == EXCHANGE_ORPHAN;
	n->wrong += q && !str_is(q->member_id, "m 1");
	n->wrong += a && a->error_code != x->header.correlation_id % 7;
}

static int by_order(const void *a, const void *b)
{
	const struct wire_packet *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

/* One side's next frame, in segments of any size. */
static size_t cut_up(struct talk *t, int d, uint32_t from, struct rand *r, bool hurt, int64_t time,
		     struct wire_packet *to)
{
	uint32_t end = (uint32_t)t->bytes[d].len;
	size_t n = 0;

	while (from < end) {
		struct wire_packet p = {.talk = t, .d = d, .from = from};

		p.len = 1 + (uint32_t)rand_below(r, end - from < 20 ? end - from : 20);
		p.ack = (uint32_t)t->bytes[!d].len;
		p.order = time + (int64_t)n * 10 + (hurt ? (int64_t)rand_below(r, 40) : 0);
		p.cut = hurt && rand_below(r, 40) == 0 ? (uint32_t)rand_below(r, p.len + 1) : 0;
		from += p.len;
		if (hurt && rand_below(r, 25) == 0)
			continue;
		to[n++] = p;
		if (hurt && rand_below(r, 15) == 0) {
			to[n] = p;
			to[n++].order += 30;
		}
	}
	return n;
}

static size_t make_talk(struct talk *t, struct rand *r, bool hurt, struct wire_packet *to)
{
	size_t n = 0;

	for (int d = 0; d < 2; d++) {
		buf_init(&t->bytes[d], 1 << 20);
		t->isn[d] = (uint32_t)rand_next(r);
	}
	for (int32_t i = 0; i < ROUNDS; i++) {
		struct buf frames[2];

		heartbeat(&frames[0], &frames[1], 1000 + i, (int16_t)((1000 + i) % 7));
		for (int d = 0; d < 2; d++) {
			uint32_t from = (uint32_t)t->bytes[d].len;

			buf_add(&t->bytes[d], frames[d].data, frames[d].len);
			t->frames[d][i] =
				(struct frame_truth){from, (uint32_t)t->bytes[d].len, true};
			n += cut_up(t, d, from, r, hurt, (i * 2 + d) * 1000, to + n);
			buf_release(&frames[d]);
		}
	}
	return n;
}

/* cut: bytes at the packet's end that were not captured. */
static void feed(struct decode *d, const struct talk *t, struct synth_packet *p, uint32_t cut,
		 uint64_t number)
{
	struct capture_item item = {.kind = CAPTURE_PACKET, .number = number};
	struct buf bytes;

	item.link = synth_wrapped(&bytes, p, t->wrapping);
	item.time_ns = (int64_t)number * 100000;
	item.data = bytes.data;
	item.len = (uint32_t)bytes.len - cut;
	item.wire_len = (uint32_t)bytes.len;
	decode_item(d, &item);
	buf_release(&bytes);
}

static struct synth_packet packet_of(const struct talk *t, int d)
{
	struct endpoint client = t->v6 ? synth_v6(1, t->port) : synth_v4(1, t->port),
			server = t->v6 ? synth_v6(2, 19092) : synth_v4(2, 19092);

	return (struct synth_packet){.src = d ? server : client, .dst = d ? client : server};
}

static void feed_packet(struct decode *d, const struct wire_packet *w, uint64_t number)
{
	struct talk *t = w->talk;
	struct synth_packet p = packet_of(t, w->d);

	p.seq = t->isn[w->d] + w->from;
	p.ack = t->isn[!w->d] + w->ack;
	p.flags = TCP_ACK;
	p.data = t->bytes[w->d].data + w->from;
	p.len = w->len;
	feed(d, t, &p, w->cut, number);
}

static void feed_syn(struct decode *d, struct talk *t)
{
	for (int i = 0; i < 2; i++) {
		struct synth_packet p = packet_of(t, i);

		p.seq = t->isn[i] - 1;
		p.ack = t->isn[!i];
		p.flags = i ? TCP_SYN | TCP_ACK : TCP_SYN;
		p.data = "";
		feed(d, t, &p, 0, 1);
	}
}

/* What the capture lacks: holes between its bytes, which must be told, and bytes behind its last
 * one, of which nothing can be known but by acknowledgements. */
struct missing {
	uint64_t holes, tail;
};

/* Which frames are whole, by the bytes that some packet brought. What stands before the first
 * packet of a capture that begins inside is no part of it, even if it comes late. */
static void judge_frames(struct talk *t, const struct wire_packet *packets, size_t n,
			 struct missing *ret)
{
	for (int d = 0; d < 2; d++) {
		size_t size = t->bytes[d].len, first = size, last = 0;
		uint8_t *seen = calloc(1, size);

		for (size_t i = 0; i < n; i++) {
			const struct wire_packet *p = &packets[i];

			if (p->talk != t || p->d != d)
				continue;
			memset(seen + p->from, 1, p->len - p->cut);
			first = first == size ? p->from : first;
			last = p->from + p->len > last ? p->from + p->len : last;
		}
		if (t->syn)
			first = 0;
		memset(seen, 0, first);
		for (size_t i = first; i < last; i++)
			ret->holes += !seen[i];
		ret->tail += size - last;
		for (int i = 0; i < ROUNDS; i++) {
			struct frame_truth *f = &t->frames[d][i];

			f->whole = !memchr(seen + f->from, 0, f->to - f->from);
		}
		free(seen);
	}
}

/* What is done to a capture. */
struct harm {
	bool hurt;   /* packets lost, doubled, exchanged, cut */
	bool begins; /* with the first packet, not somewhere inside */
	int only;    /* -1, or the one direction that was captured */
	enum synth_wrapping wrapping;
};

static size_t remove_packets(struct wire_packet *packets, size_t n, const struct harm *h,
			     struct rand *r)
{
	size_t from = h->begins ? 0 : rand_below(r, n / 2), kept = 0;

	for (size_t i = from; i < n; i++)
		if (h->only < 0 || packets[i].d == h->only)
			packets[kept++] = packets[i];
	return kept;
}

static void check_talks(uint64_t seed, const struct harm *harm)
{
	static struct wire_packet packets[CONVERSATIONS * ROUNDS * 2 * 80];
	struct talk talks[CONVERSATIONS] = {0};
	struct truth_count got = {0};
	struct event_sink sink = {.on_event = count_event, .ctx = &got};
	struct event_bus bus = {0};
	struct decode *d = decode_new(NULL, &bus);
	uint64_t requests = 0, pairs = 0, lost;
	struct missing missing = {0};
	struct rand r;
	size_t n = 0;

	rand_seed(&r, seed);
	event_bus_add(&bus, &sink);
	for (int i = 0; i < CONVERSATIONS; i++) {
		size_t more = make_talk(&talks[i], &r, harm->hurt, packets + n);

		talks[i].port = (uint16_t)(40000 + i);
		for (size_t k = n; k < n + more; k++) {
			packets[k].talk = &talks[i];
			packets[k].order = packets[k].order * CONVERSATIONS + i;
		}
		n += more;
		talks[i].syn = harm->begins;
		talks[i].wrapping = harm->wrapping;
		talks[i].v6 = i % 2;
		if (talks[i].syn)
			feed_syn(d, &talks[i]);
	}
	qsort(packets, n, sizeof(*packets), by_order);
	n = remove_packets(packets, n, harm, &r);
	for (size_t i = 0; i < n; i++)
		feed_packet(d, &packets[i], i + 2);
	decode_end(d);
	for (int i = 0; i < CONVERSATIONS; i++) {
		judge_frames(&talks[i], packets, n, &missing);
		for (int k = 0; k < ROUNDS; k++) {
			requests += talks[i].frames[0][k].whole;
			pairs += talks[i].frames[0][k].whole && talks[i].frames[1][k].whole;
		}
	}
	CHECK_EQ(got.requests, requests);
	CHECK(got.responses >= pairs);
	CHECK_EQ(got.wrong, 0);
	lost = decode_totals(d)->conns.lost_bytes;
	CHECK(lost >= missing.holes);
	CHECK(lost <= missing.holes + missing.tail);
	if (!harm->hurt && harm->begins) {
		CHECK_EQ(requests, harm->only == 1 ? 0 : CONVERSATIONS * ROUNDS);
		CHECK(harm->only >= 0 || lost == 0);
		CHECK_EQ(decode_totals(d)->conns.unmatched_bytes, 0);
		CHECK_EQ(got.orphans, 0);
	}
	for (int i = 0; i < CONVERSATIONS; i++) {
		buf_release(&talks[i].bytes[0]);
		buf_release(&talks[i].bytes[1]);
	}
	decode_free(d);
}

TEST(every_message_whose_bytes_are_there_is_decoded_whatever_else_is_missing)
{
	check_talks(1, &(struct harm){false, true, -1, SYNTH_RAW});
	for (uint64_t seed = 1; seed <= 40; seed++)
		check_talks(seed, &(struct harm){true, true, -1, SYNTH_RAW});
}

TEST(of_a_capture_that_begins_inside_conversations_every_whole_message_is_found)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		check_talks(seed, &(struct harm){false, false, -1, SYNTH_RAW});
		check_talks(seed, &(struct harm){true, false, -1, SYNTH_RAW});
	}
}

TEST(requests_are_all_there_where_their_direction_alone_was_captured)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		check_talks(seed, &(struct harm){false, true, 0, SYNTH_RAW});
		check_talks(seed, &(struct harm){false, false, 0, SYNTH_RAW});
		check_talks(seed, &(struct harm){true, false, 0, SYNTH_RAW});
	}
}

TEST(what_is_missing_inside_of_any_encapsulation_costs_no_more_than_outside)
{
	for (enum synth_wrapping how = 0; how < SYNTH_WRAPPINGS; how++)
		for (uint64_t seed = 1; seed <= 4; seed++) {
			check_talks(seed, &(struct harm){false, true, -1, how});
			check_talks(seed, &(struct harm){true, true, -1, how});
			check_talks(seed, &(struct harm){true, false, -1, how});
			check_talks(seed, &(struct harm){true, true, 0, how});
		}
}

/* Secrets: told as (direction, sequence number, length). */
struct told_secrets {
	int count, direction;
	uint32_t seq, n;
};

static void on_told_secret(void *context, uint64_t stream, int direction, uint32_t seq, uint32_t n)
{
	struct told_secrets *t = context;

	CHECK_EQ(stream, 1);
	t->count++;
	t->direction = direction;
	t->seq = seq;
	t->n = n;
}

static void authenticate(struct buf *ask, struct buf *answer)
{
	static const char token[] = "\0alice\0hunter2";
	struct sasl_authenticate_request q;
	struct sasl_authenticate_response a;

	codec_init(&sasl_authenticate_request_schema, &q);
	codec_init(&sasl_authenticate_response_schema, &a);
	q.auth_bytes = (struct bytes){(const uint8_t *)token, sizeof(token) - 1};
	request(ask, API_SASL_AUTHENTICATE, 2, 5, &q);
	response(answer, API_SASL_AUTHENTICATE, 2, 5, &a);
}

static void check_secret(size_t step, bool show)
{
	struct told_secrets told = {0};
	struct decode_options options = {
		.show_secrets = show, .on_secret = on_told_secret, .context = &told};
	struct bench b;
	struct buf ask, answer;
	const uint8_t *at;

	begin_with(&b, TREE, &options);
	shake(&b);
	beat(&b, 4);
	authenticate(&ask, &answer);
	at = memmem(ask.data, ask.len, "hunter2", 7);
	told.seq = 0;
	for (size_t i = 0; i < ask.len; i += step)
		packet(&b, 0, TCP_ACK, ask.data + i, ask.len - i < step ? ask.len - i : step, 0,
		       false);
	send(&b, 1, &answer);
	end(&b);
	CHECK_EQ(told.count, 1);
	CHECK_EQ(told.direction, 0);
	CHECK_EQ(told.n, 7);
	CHECK_EQ(told.seq, b.seq[0] - (uint32_t)ask.len + (uint32_t)(at - ask.data));
	CHECK(!strstr(buf_cstr(&b.out), "2a2a2a2a2a2a2a") == show);
	CHECK(strstr(buf_cstr(&b.out), "00616c69636500") != NULL); /* alice */
	CHECK(!strstr(buf_cstr(&b.out), "68756e74657232") == !show);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}

TEST(a_password_shows_in_no_output_unless_asked_for_and_its_place_is_told)
{
	check_secret(1000, false);
	check_secret(1, false);
	check_secret(7, false);
	check_secret(1000, true);
}

TEST(a_token_without_a_header_is_secret_too)
{
	static const uint8_t token[] = "\0\0\0\x0e\0alice\0hunter2";
	struct told_secrets told = {0};
	struct decode_options options = {.on_secret = on_told_secret, .context = &told};
	struct sasl_handshake_request q;
	struct sasl_handshake_response a;
	struct buf ask, answer;
	struct bench b;

	begin_with(&b, LINES, &options);
	shake(&b);
	codec_init(&sasl_handshake_request_schema, &q);
	codec_init(&sasl_handshake_response_schema, &a);
	q.mechanism = str_of("PLAIN");
	request(&ask, API_SASL_HANDSHAKE, 0, 1, &q);
	response(&answer, API_SASL_HANDSHAKE, 0, 1, &a);
	send(&b, 0, &ask);
	send(&b, 1, &answer);
	packet(&b, 0, TCP_ACK, token, sizeof(token) - 1, 0, false);
	end(&b);
	CHECK_EQ(told.count, 1);
	CHECK_EQ(told.n, 7);
	CHECK_EQ(told.seq, b.seq[0] - 7);
	buf_release(&ask);
	buf_release(&answer);
	release(&b);
}
