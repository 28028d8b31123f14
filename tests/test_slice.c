/* Slices: which packets are chosen, and that secrets are not in them; and where secrets begin in a
 * token. */
#include "decoder/slice.h"
#include "trace/secrets.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdlib.h>
#include <unistd.h>

#define SLICE "build/slice-test.pcapng"

static void check_from(const char *token, size_t n, size_t want)
{
	CHECK_EQ(secrets_from((const uint8_t *)token, n), want);
}

TEST(what_says_who_logs_in_is_no_secret)
{
	check_from("\0alice\0hunter2", 14, 7);
	check_from("admin\0alice\0hunter2", 19, 12);
	check_from("n,,n=alice,r=abcdef", 19, 19);
	check_from("c=biws,r=abcdef,p=c2VjcmV0", 26, 0);
	check_from("n,a=alice,\1auth=Bearer token\1\1", 30, 0);
	check_from("n,,n=a,r=b\1auth=Bearer t\1\1", 26, 0);
	check_from("\x60\x82\0kerberos\0and\0more", 20, 0);
	check_from("", 0, 0);
}

static void feed(struct slice *s, uint64_t number, uint64_t stream, uint32_t seq, const char *text)
{
	struct synth_packet p = {.src = synth_v4(1, 40000),
				 .dst = synth_v4(2, 9092),
				 .seq = seq,
				 .flags = TCP_ACK,
				 .data = text,
				 .len = (uint32_t)strlen(text),
				 .link = LINK_RAW};
	struct capture_item item = {.kind = CAPTURE_PACKET, .number = number, .link = LINK_RAW};
	struct packet parsed;
	struct buf b;

	buf_init(&b, 1 << 20);
	synth_packet(&b, &p);
	item.time_ns = (int64_t)number;
	item.data = b.data;
	item.len = item.wire_len = (uint32_t)b.len;
	packet_parse(LINK_RAW, b.data, item.len, item.len, &parsed);
	slice_packet(s, &item, &parsed, stream, 0);
	buf_release(&b);
}

/* The payloads in the file, each behind a bar. */
static void check_slice(const char *want)
{
	struct error e = ERROR_INIT;
	struct capture *c;
	struct capture_item item;
	struct packet p;
	struct buf got;

	buf_init(&got, 1 << 20);
	CHECK_EQ(capture_open(SLICE, NULL, &c, &e), 0);
	while (capture_next(c, &item, &e) == 1) {
		if (item.kind != CAPTURE_PACKET)
			continue;
		packet_parse(item.link, item.data, item.len, item.wire_len, &p);
		buf_byte(&got, '|');
		buf_add(&got, p.data, p.len);
	}
	CHECK_TEXT(e.text, "");
	CHECK_TEXT(buf_cstr(&got), want);
	buf_release(&got);
	capture_close(c);
	unlink(SLICE);
}

static void write_all(struct slice *s)
{
	struct error e = ERROR_INIT;
	uint64_t packets;

	CHECK_EQ(slice_begin(s, SLICE, &e), 0);
	feed(s, 1, 1, 100, "hello");
	feed(s, 2, 2, 900, "other");
	feed(s, 3, 1, 105, "user:pass");
	feed(s, 4, 2, 905, "answer");
	feed(s, 5, 1, 110, "pass"); /* sent again */
	feed(s, 6, 0, 1, "nobody's");
	feed(s, 7, 1, 114, "bye");
	CHECK_EQ(slice_end(s, &packets, &e), 0);
}

TEST(a_slice_has_the_packets_of_what_was_chosen)
{
	struct slice *s = slice_new(false, NULL);
	struct exchange x = {.stream = 1, .request_packet = 7, .request_packet_last = 7};

	slice_choose(s, &x);
	x = (struct exchange){.stream = 1, .request_packet = 3, .request_packet_last = 5};
	slice_choose(s, &x);
	x = (struct exchange){.stream = 2, .response_packet = 2, .response_packet_last = 2};
	slice_choose(s, &x);
	write_all(s);
	check_slice("|other|user:pass|pass|bye");
	slice_free(s);
}

TEST(a_slice_of_streams_is_whole_and_secrets_are_blank_also_when_sent_again)
{
	struct slice *s = slice_new(true, NULL);
	struct exchange x = {.stream = 1, .request_packet = 7, .request_packet_last = 7};

	slice_choose(s, &x);
	slice_secret(s, 1, 0, 110, 4);
	slice_secret(s, 1, 1, 100, 5); /* the other direction's */
	slice_secret(s, 2, 0, 900, 5); /* not chosen */
	write_all(s);
	check_slice("|hello|user:****|****|bye");
	slice_free(s);
}
