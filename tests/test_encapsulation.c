/* What packets come wrapped in: tunnels, IP fragments, compressed files; and what comes twice: the
 * same packet on two interfaces, a conversation before and behind an address translation. */
#include "decoder/capture.h"
#include "decoder/fragments.h"
#include "decoder/stream.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

static const char text[] = "twelve bytes and some more, so that fragments have work";

static void inner(struct buf *b, uint16_t link)
{
	struct synth_packet p = {.src = synth_v4(1, 40000),
				 .dst = synth_v4(2, 9092),
				 .seq = 7,
				 .flags = TCP_ACK,
				 .data = text,
				 .len = sizeof(text) - 1,
				 .link = link};

	buf_init(b, 1 << 20);
	synth_packet(b, &p);
}

static void check_inside(const struct packet *p)
{
	CHECK_EQ(p->kind, PACKET_TCP);
	CHECK_EQ(p->src.addr[3], 1);
	CHECK_EQ(p->dst.port, 9092);
	CHECK_EQ(p->seq, 7);
	CHECK_BYTES(p->data, p->len, text, sizeof(text) - 1);
	CHECK_EQ(p->wire_len, sizeof(text) - 1);
}

static void check_tunnel(uint8_t protocol, const struct buf *payload)
{
	struct packet p;
	struct buf outer;

	synth_ipv4(&outer, protocol, 1, 0, payload->data, payload->len);
	packet_parse(LINK_RAW, outer.data, (uint32_t)outer.len, (uint32_t)outer.len, &p);
	check_inside(&p);
	CHECK_EQ(p.tunnels, 1);
	for (uint32_t n = 0; n < outer.len; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, outer.data, n);
		packet_parse(LINK_RAW, copy, n, (uint32_t)outer.len, &p);
		CHECK(p.kind != PACKET_TCP || p.len <= sizeof(text) - 1);
		free(copy);
	}
	buf_release(&outer);
}

TEST(vxlan_geneve_and_ip_in_ip_are_entered)
{
	static const uint8_t vxlan[] = {8, 0, 0, 0, 0, 0, 42, 0};
	static const uint8_t geneve[] = {1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 4};
	static const uint8_t geneve_ip[] = {0, 0, 8, 0, 0, 0, 42, 0};
	struct buf ethernet, raw, b;

	inner(&ethernet, LINK_ETHERNET);
	inner(&raw, LINK_RAW);
	synth_udp(&b, 4789, vxlan, sizeof(vxlan), &ethernet);
	check_tunnel(17, &b);
	buf_release(&b);
	synth_udp(&b, 8472, vxlan, sizeof(vxlan), &ethernet);
	check_tunnel(17, &b);
	buf_release(&b);
	synth_udp(&b, 6081, geneve, sizeof(geneve), &ethernet);
	check_tunnel(17, &b);
	buf_release(&b);
	synth_udp(&b, 6081, geneve_ip, sizeof(geneve_ip), &raw);
	check_tunnel(17, &b);
	buf_release(&b);
	check_tunnel(4, &raw);
	buf_release(&ethernet);
	buf_release(&raw);
}

TEST(tunnels_in_tunnels_end_somewhere)
{
	struct buf b[6];
	struct packet p;

	inner(&b[0], LINK_RAW);
	for (int i = 1; i < 6; i++)
		synth_ipv4(&b[i], 4, 1, 0, b[i - 1].data, b[i - 1].len);
	packet_parse(LINK_RAW, b[3].data, (uint32_t)b[3].len, (uint32_t)b[3].len, &p);
	check_inside(&p);
	packet_parse(LINK_RAW, b[4].data, (uint32_t)b[4].len, (uint32_t)b[4].len, &p);
	CHECK_EQ(p.kind, PACKET_OTHER);
	for (int i = 0; i < 6; i++)
		buf_release(&b[i]);
}

/* ---- fragments ---- */

/* Feeds the fragment [from, to) of a TCP segment; true when it completed the datagram. */
static bool feed_part(struct fragments *f, const struct buf *whole, uint16_t id, size_t from,
		      size_t to, struct packet *p)
{
	size_t segment = whole->len - 20;
	uint16_t field = (uint16_t)(from / 8 | (to < segment ? 0x2000 : 0));
	struct buf b;
	bool done;

	synth_ipv4(&b, 6, id, field, whole->data + 20 + from, to - from);
	packet_parse(LINK_RAW, b.data, (uint32_t)b.len, (uint32_t)b.len, p);
	CHECK_EQ(p->kind, PACKET_FRAGMENT);
	done = fragments_feed(f, p, id);
	buf_release(&b);
	return done;
}

TEST(fragments_are_joined_in_any_order_and_also_when_they_overlap)
{
	static const size_t cuts[] = {0, 24, 48, 75};
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct fragments *f = fragments_new();
	struct packet p;
	struct buf whole;

	inner(&whole, LINK_RAW);
	CHECK_EQ(whole.len - 20, 75);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 3; k++) {
			int part = orders[i][k];
			bool done =
				feed_part(f, &whole, (uint16_t)i, cuts[part], cuts[part + 1], &p);

			CHECK_EQ(done, k == 2);
		}
	CHECK_EQ(p.kind, PACKET_TCP);
	CHECK_EQ(p.dst.port, 9092);
	CHECK_BYTES(p.data, p.len, text, sizeof(text) - 1);
	CHECK(!feed_part(f, &whole, 9, 0, 48, &p));
	CHECK(!feed_part(f, &whole, 9, 0, 48, &p));
	CHECK(feed_part(f, &whole, 9, 24, 75, &p));
	CHECK_BYTES(p.data, p.len, text, sizeof(text) - 1);
	CHECK_EQ(fragments_totals(f)->joined, 7);
	CHECK_EQ(fragments_totals(f)->given_up, 0);
	buf_release(&whole);
	fragments_free(f);
}

/* A datagram has one end: what lies behind it, and a second one, is no part of it. */
TEST(fragments_that_contradict_the_end_are_left_alone)
{
	struct fragments *f = fragments_new();
	struct packet p;
	struct buf whole, shorter;

	inner(&whole, LINK_RAW);
	inner(&shorter, LINK_RAW);
	shorter.len -= 15; /* its segment ends at 60 */
	CHECK(!feed_part(f, &shorter, 1, 56, 60, &p));
	CHECK(!feed_part(f, &whole, 1, 56, 75, &p));
	CHECK(!feed_part(f, &whole, 1, 0, 56, &p) || p.len == 60 - 20);
	CHECK(!feed_part(f, &whole, 2, 48, 72, &p));
	CHECK(!feed_part(f, &shorter, 2, 48, 60, &p));
	CHECK(!feed_part(f, &whole, 2, 0, 48, &p));
	CHECK(feed_part(f, &whole, 2, 72, 75, &p));
	CHECK_BYTES(p.data, p.len, text, sizeof(text) - 1);
	buf_release(&whole);
	buf_release(&shorter);
	fragments_free(f);
}

TEST(fragments_that_stay_alone_cost_a_bounded_memory_and_are_counted)
{
	struct fragments *f = fragments_new();
	struct packet p;
	struct buf whole;

	inner(&whole, LINK_RAW);
	for (int i = 0; i < 1000; i++)
		CHECK(!feed_part(f, &whole, (uint16_t)i, 0, 24, &p));
	CHECK_EQ(fragments_totals(f)->given_up, 1000 - FRAGMENTS_DATAGRAMS);
	buf_release(&whole);
	fragments_free(f);
}

/* ---- compressed files ---- */

static void make_file(struct buf *b, int packets)
{
	struct synth_pcap f = {.link = LINK_RAW};
	struct buf packet;

	buf_init(b, 1 << 24);
	inner(&packet, LINK_RAW);
	synth_pcap_header(b, &f);
	for (int i = 0; i < packets; i++)
		synth_pcap_packet(b, &f, i * 1000000LL, &packet, (uint32_t)packet.len);
	buf_release(&packet);
}

static int64_t count_packets(const uint8_t *data, size_t n, struct error *e)
{
	struct capture_item item;
	struct capture *c;
	int64_t count = 0;

	if (capture_open_bytes(data, n, NULL, &c, e) < 0)
		return -1;
	while (capture_next(c, &item, e) == 1)
		count += item.kind == CAPTURE_PACKET && item.len == 95;
	capture_close(c);
	return count;
}

static size_t gzip(const struct buf *b, uint8_t *ret, size_t room)
{
	z_stream z = {0};

	CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = b->data;
	z.avail_in = (uInt)b->len;
	z.next_out = ret;
	z.avail_out = (uInt)room;
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void check_packed(const uint8_t *data, size_t n, const struct buf *b)
{
	struct error e = ERROR_INIT;

	CHECK_EQ(count_packets(data, n, &e), 20000);
	CHECK_TEXT(e.text, "");
	CHECK(count_packets(data, n / 2, &e) > 0);
	CHECK_EQ(e.code, ERR_TRUNCATED);
	(void)b;
}

TEST(gzip_and_zstd_files_read_as_what_is_in_them)
{
	static uint8_t room[4 << 20];
	struct error e = ERROR_INIT;
	struct buf b, two;
	size_t n;

	make_file(&b, 20000);
	n = gzip(&b, room, sizeof(room));
	check_packed(room, n, &b);
	n = ZSTD_compress(room, sizeof(room), b.data, b.len, 3);
	CHECK(!ZSTD_isError(n));
	check_packed(room, n, &b);
	/* One member behind another, as log rotation leaves them. */
	buf_init(&two, 1 << 24);
	n = b.len;
	b.len = 24 + 111 * 5 + 7;
	buf_add(&two, room, gzip(&b, room, sizeof(room)));
	memmove(b.data, b.data + b.len, n - b.len);
	b.len = n - b.len;
	buf_add(&two, room, gzip(&b, room, sizeof(room)));
	CHECK_EQ(count_packets(two.data, two.len, &e), 20000);
	CHECK_TEXT(e.text, "");
	buf_release(&b);
	buf_release(&two);
}

/* ---- twice ---- */

struct heard {
	struct buf text;
	int streams;
};

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	struct heard *h = context;

	(void)s;
	(void)at;
	h->streams++;
}

static void on_data(void *context, struct stream *s, int d, const uint8_t *data, size_t n,
		    const struct stream_at *at)
{
	struct heard *h = context;

	(void)s;
	(void)at;
	buf_byte(&h->text, d ? '<' : '>');
	buf_add(&h->text, data, n);
}

static void on_gap(void *context, struct stream *s, int d, uint64_t n, enum stream_gap why,
		   const struct stream_at *at)
{
	struct heard *h = context;

	(void)s;
	(void)d;
	(void)why;
	(void)at;
	buf_printf(&h->text, "{%llu}", (unsigned long long)n);
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	(void)context;
	(void)s;
	(void)how;
	(void)at;
}

struct table {
	struct heard heard;
	struct stream_table *t;
	uint64_t number;
	int64_t time_ns;
};

static void begin(struct table *k)
{
	struct stream_events events = {&k->heard, on_open, on_data, on_gap, on_close, NULL};

	*k = (struct table){0};
	buf_init(&k->heard.text, 1 << 16);
	k->t = stream_table_new(&events, NULL);
}

static void tcp(struct table *k, int d, struct endpoint server, uint8_t flags, uint32_t seq,
		uint32_t ack, const char *data)
{
	struct endpoint client = synth_v4(1, 40000);
	struct packet p = {.kind = PACKET_TCP,
			   .src = d ? server : client,
			   .dst = d ? client : server,
			   .flags = flags,
			   .seq = seq,
			   .ack = ack,
			   .data = (const uint8_t *)data,
			   .len = (uint32_t)strlen(data),
			   .wire_len = (uint32_t)strlen(data)};
	struct stream_at at = {++k->number, k->time_ns += 100000};

	stream_feed(k->t, &p, &at, NULL);
}

TEST(a_packet_that_two_interfaces_saw_counts_once)
{
	struct table k;

	begin(&k);
	for (int i = 0; i < 2; i++)
		tcp(&k, 0, synth_v4(2, 9092), TCP_SYN, 100, 0, "");
	for (int i = 0; i < 3; i++)
		tcp(&k, 0, synth_v4(2, 9092), TCP_ACK, 101, 1, "question");
	for (int i = 0; i < 2; i++)
		tcp(&k, 1, synth_v4(2, 9092), TCP_ACK, 1, 109, "answer");
	k.time_ns += 200000000;
	tcp(&k, 1, synth_v4(2, 9092), TCP_ACK, 1, 109, "answer"); /* really sent again */
	CHECK_TEXT(buf_cstr(&k.heard.text), ">question<answer");
	CHECK_EQ(stream_table_totals(k.t)->duplicates, 3);
	stream_table_free(k.t);
	buf_release(&k.heard.text);
}

TEST(a_conversation_behind_an_address_translation_counts_once)
{
	struct endpoint ends[2] = {synth_v4(2, 9092), synth_v4(77, 19092)};
	struct table k;

	begin(&k);
	for (int i = 0; i < 2; i++)
		tcp(&k, 0, ends[i], TCP_SYN, 100, 0, "");
	for (int i = 1; i >= 0; i--)
		tcp(&k, 1, ends[i], TCP_SYN | TCP_ACK, 900, 101, "");
	for (int i = 0; i < 2; i++)
		tcp(&k, 0, ends[i], TCP_ACK, 101, 901, "question");
	for (int i = 1; i >= 0; i--)
		tcp(&k, 1, ends[i], TCP_ACK, 901, 109, "answer");
	CHECK_TEXT(buf_cstr(&k.heard.text), ">question<answer");
	CHECK_EQ(stream_table_totals(k.t)->translated, 1);
	/* The same of one that is older than the capture. */
	for (int i = 0; i < 2; i++)
		tcp(&k, 1, i ? synth_v4(88, 19092) : synth_v4(6, 9092), TCP_ACK, 5000, 7000, "old");
	for (int i = 0; i < 2; i++)
		tcp(&k, 0, i ? synth_v4(88, 19092) : synth_v4(6, 9092), TCP_ACK, 7000, 5003, "er");
	CHECK_TEXT(buf_cstr(&k.heard.text), ">question<answer>old<er");
	CHECK_EQ(stream_table_totals(k.t)->translated, 2);
	/* Other numbers: another conversation. */
	tcp(&k, 0, synth_v4(3, 9092), TCP_SYN, 100, 0, "");
	tcp(&k, 1, synth_v4(3, 9092), TCP_SYN | TCP_ACK, 901, 101, "");
	tcp(&k, 0, synth_v4(3, 9092), TCP_ACK, 101, 902, "more");
	CHECK_TEXT(buf_cstr(&k.heard.text), ">question<answer>old<er>more");
	CHECK_EQ(stream_table_totals(k.t)->translated, 2);
	stream_table_free(k.t);
	buf_release(&k.heard.text);
}
