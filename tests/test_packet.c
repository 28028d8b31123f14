/* Packets of every link type, and packets that are none. */
#include "decoder/packet.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdlib.h>

static const uint16_t links[] = {LINK_ETHERNET, LINK_SLL, LINK_SLL2,	LINK_NULL,
				 LINK_LOOP,	LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD};

static struct synth_packet hello(uint16_t link, bool v6)
{
	return (struct synth_packet){
		.src = v6 ? synth_v6(1, 40000) : synth_v4(1, 40000),
		.dst = v6 ? synth_v6(2, 9092) : synth_v4(2, 9092),
		.seq = 0xfffffff0,
		.ack = 77,
		.flags = TCP_ACK | TCP_PSH,
		.data = "hello",
		.len = 5,
		.link = link,
	};
}

static enum packet_kind parse(const struct synth_packet *p, struct buf *b, struct packet *ret)
{
	buf_init(b, 1 << 20);
	synth_packet(b, p);
	return packet_parse(p->link, b->data, (uint32_t)b->len, (uint32_t)b->len, ret);
}

static void check_hello(const struct synth_packet *p)
{
	struct buf b;
	struct packet got;

	CHECK_EQ(parse(p, &b, &got), PACKET_TCP);
	CHECK_EQ(got.seq, 0xfffffff0);
	CHECK_EQ(got.ack, 77);
	CHECK_EQ(got.flags, TCP_ACK | TCP_PSH);
	CHECK_EQ(got.src.port, 40000);
	CHECK_EQ(got.dst.port, 9092);
	CHECK_EQ(got.src.family, p->src.family);
	CHECK_BYTES(got.src.addr, 16, p->src.addr, 16);
	CHECK_BYTES(got.dst.addr, 16, p->dst.addr, 16);
	CHECK_BYTES(got.data, got.len, "hello", 5);
	CHECK_EQ(got.wire_len, 5);
	buf_release(&b);
}

TEST(every_link_type_carries_tcp_over_ipv4_and_ipv6)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct synth_packet p = hello(links[i], v6);

			CHECK(packet_link_known(links[i]));
			check_hello(&p);
		}
	}
	check_hello(&(struct synth_packet){.src = synth_v4(1, 40000),
					   .dst = synth_v4(2, 9092),
					   .seq = 0xfffffff0,
					   .ack = 77,
					   .flags = TCP_ACK | TCP_PSH,
					   .data = "hello",
					   .len = 5,
					   .link = LINK_IPV4});
	check_hello(&(struct synth_packet){.src = synth_v6(1, 40000),
					   .dst = synth_v6(2, 9092),
					   .seq = 0xfffffff0,
					   .ack = 77,
					   .flags = TCP_ACK | TCP_PSH,
					   .data = "hello",
					   .len = 5,
					   .link = LINK_IPV6});
}

TEST(options_tags_and_padding_are_stepped_over)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (int n = 0; n < 4; n++) {
			struct synth_packet p = hello(LINK_ETHERNET, v6);

			p.vlan_tags = n;
			p.ip_options = n;
			p.tcp_options = 3 * n;
			p.padding = 10 * n;
			check_hello(&p);
		}
	}
}

TEST(null_family_of_the_other_byte_order_is_read)
{
	struct synth_packet p = hello(LINK_NULL, true);

	p.swapped_family = true;
	check_hello(&p);
}

TEST(an_absurd_length_of_a_damaged_file_is_no_packet)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct synth_packet p = hello(LINK_RAW, v6);
		struct packet got;
		struct buf b;

		p.no_total_length = true;
		parse(&p, &b, &got);
		CHECK_EQ(packet_parse(p.link, b.data, (uint32_t)b.len, 524280, &got), PACKET_TCP);
		CHECK_EQ(got.wire_len, 524280 - (v6 ? 60 : 40));
		CHECK_EQ(packet_parse(p.link, b.data, (uint32_t)b.len, 1u << 31, &got),
			 PACKET_MALFORMED);
		buf_release(&b);
	}
}

TEST(total_length_zero_means_all_that_is_there)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct synth_packet p = hello(LINK_RAW, v6);

		p.no_total_length = true;
		check_hello(&p);
	}
}

TEST(a_packet_cut_anywhere_never_claims_more_than_was_captured)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct synth_packet p = hello(LINK_ETHERNET, v6);
		struct packet got;
		struct buf b;
		uint32_t headers = 14 + (v6 ? 40 : 20) + 20;

		parse(&p, &b, &got);
		for (uint32_t n = 0; n <= b.len; n++) {
			uint8_t *exact = malloc(n + 1);

			memcpy(exact + 1, b.data, n); /* ends where the sanitizer looks */
			packet_parse(LINK_ETHERNET, exact + 1, n, (uint32_t)b.len, &got);
			CHECK_EQ(got.kind, n < headers ? PACKET_TRUNCATED : PACKET_TCP);
			if (n >= headers) {
				CHECK_EQ(got.len, n - headers);
				CHECK_EQ(got.wire_len, 5);
			}
			free(exact);
		}
		buf_release(&b);
	}
}

TEST(options_cut_off_leave_the_length_of_the_payload_known)
{
	struct synth_packet p = hello(LINK_RAW, false);
	struct packet got;
	struct buf b;

	p.tcp_options = 3;
	parse(&p, &b, &got);
	CHECK_EQ(packet_parse(LINK_RAW, b.data, 44, (uint32_t)b.len, &got), PACKET_TCP);
	CHECK_EQ(got.len, 0);
	CHECK_EQ(got.wire_len, 5);
	buf_release(&b);
}

TEST(fragments_are_named_with_their_place)
{
	struct synth_packet p = hello(LINK_RAW, false);
	struct packet got;
	struct buf b;

	p.fragment = 0x2000 | 3;
	CHECK_EQ(parse(&p, &b, &got), PACKET_FRAGMENT);
	CHECK_EQ(got.fragment_offset, 24);
	CHECK(got.fragment_more);
	CHECK_EQ(got.ip_id, 0x1234);
	CHECK_EQ(got.protocol, 6);
	CHECK_EQ(got.len, 25);
	buf_release(&b);
	p.fragment = 0x4000; /* don't fragment: not one */
	CHECK_EQ(parse(&p, &b, &got), PACKET_TCP);
	buf_release(&b);
}

TEST(what_is_not_tcp_over_ip_is_other)
{
	struct packet got;
	uint8_t arp[42] = {[12] = 0x08, [13] = 0x06};
	uint8_t udp[28] = {0x45, 0, 0, 28, [9] = 17};

	CHECK_EQ(packet_parse(LINK_ETHERNET, arp, 42, 42, &got), PACKET_OTHER);
	CHECK_EQ(packet_parse(LINK_RAW, udp, 28, 28, &got), PACKET_OTHER);
	CHECK_EQ(packet_parse(147, udp, 28, 28, &got), PACKET_LINK_UNKNOWN);
	CHECK(!packet_link_known(147));
}

TEST(impossible_headers_are_malformed)
{
	struct synth_packet p = hello(LINK_RAW, false);
	struct packet got;
	struct buf b;

	parse(&p, &b, &got);
	b.data[0] = 0x44; /* header of 16 bytes */
	CHECK_EQ(packet_parse(LINK_RAW, b.data, (uint32_t)b.len, (uint32_t)b.len, &got),
		 PACKET_MALFORMED);
	b.data[0] = 0x45;
	b.data[3] = 19; /* total length below the header's */
	CHECK_EQ(packet_parse(LINK_RAW, b.data, (uint32_t)b.len, (uint32_t)b.len, &got),
		 PACKET_MALFORMED);
	b.data[3] = (uint8_t)b.len;
	b.data[32] = 0x40; /* TCP header of 16 bytes */
	CHECK_EQ(packet_parse(LINK_RAW, b.data, (uint32_t)b.len, (uint32_t)b.len, &got),
		 PACKET_MALFORMED);
	b.data[32] = 0xf0; /* longer than the packet */
	CHECK_EQ(packet_parse(LINK_RAW, b.data, (uint32_t)b.len, (uint32_t)b.len, &got),
		 PACKET_MALFORMED);
	buf_release(&b);
}
