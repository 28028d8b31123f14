/* Writes headers field by field, in the order of the wire. Lengths are set when all is known. */
#include "tests/synth.h"

struct endpoint synth_v4(uint8_t last, uint16_t port)
{
	struct endpoint e = {.family = 4, .addr = {10, 0, 0, last}, .port = port};

	return e;
}

struct endpoint synth_v6(uint8_t last, uint16_t port)
{
	struct endpoint e = {.family = 6, .addr = {0xfd}, .port = port};

	e.addr[15] = last;
	return e;
}

static void put_le(struct buf *b, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_byte(b, (uint8_t)(v >> 8 * i));
}

static void put_tcp(struct buf *b, const struct synth_packet *p)
{
	buf_be16(b, p->src.port);
	buf_be16(b, p->dst.port);
	buf_be32(b, p->seq);
	buf_be32(b, p->ack);
	buf_byte(b, (uint8_t)((5 + p->tcp_options) << 4));
	buf_byte(b, p->flags);
	buf_be16(b, 0xffff);
	buf_be32(b, 0);
	for (int i = 0; i < p->tcp_options; i++)
		buf_be32(b, 0x01010101);
	buf_add(b, p->data, p->len);
}

static void put_ipv4(struct buf *b, const struct synth_packet *p)
{
	uint32_t header = 20 + 4 * (uint32_t)p->ip_options;
	uint32_t total = header + 20 + 4 * (uint32_t)p->tcp_options + p->len;

	buf_byte(b, (uint8_t)(0x40 | header / 4));
	buf_byte(b, 0);
	buf_be16(b, p->no_total_length ? 0 : (uint16_t)total);
	buf_be16(b, 0x1234);
	buf_be16(b, p->fragment);
	buf_byte(b, 64);
	buf_byte(b, 6);
	buf_be16(b, 0);
	buf_add(b, p->src.addr, 4);
	buf_add(b, p->dst.addr, 4);
	for (int i = 0; i < p->ip_options; i++)
		buf_be32(b, 0x01010101);
	put_tcp(b, p);
}

static void put_ipv6(struct buf *b, const struct synth_packet *p)
{
	uint32_t payload = 20 + 4 * (uint32_t)p->tcp_options + p->len + 8 * (uint32_t)p->ip_options;
	static const uint8_t kinds[] = {0, 60, 43};

	buf_be32(b, 0x60000000);
	buf_be16(b, p->no_total_length ? 0 : (uint16_t)payload);
	buf_byte(b, p->ip_options ? kinds[0] : 6);
	buf_byte(b, 64);
	buf_add(b, p->src.addr, 16);
	buf_add(b, p->dst.addr, 16);
	for (int i = 0; i < p->ip_options; i++) {
		buf_byte(b, i + 1 < p->ip_options ? kinds[(i + 1) % 3] : 6);
		buf_byte(b, 0);
		buf_be16(b, 0x0104);
		buf_be32(b, 0);
	}
	put_tcp(b, p);
}

static void put_link(struct buf *b, const struct synth_packet *p)
{
	bool v6 = p->src.family == 6;
	uint16_t type = v6 ? 0x86dd : 0x0800;

	switch (p->link) {
	case LINK_ETHERNET:
		buf_add(b, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
		for (int i = 0; i < p->vlan_tags; i++)
			buf_be32(b, i + 1 < p->vlan_tags ? 0x88a80007 : 0x81000008);
		buf_be16(b, type);
		break;
	case LINK_SLL:
		buf_add(b, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0", 14);
		buf_be16(b, type);
		break;
	case LINK_SLL2:
		buf_be16(b, type);
		buf_add(b, "\0\0\0\0\0\1\0\1\0\6\2\0\0\0\0\1\0\0", 18);
		break;
	case LINK_NULL:
	case LINK_LOOP:
		if (p->swapped_family)
			put_le(b, v6 ? 30 : 2, 4);
		else
			buf_be32(b, v6 ? 30 : 2);
		break;
	default:
		break;
	}
}

void synth_packet(struct buf *b, const struct synth_packet *p)
{
	put_link(b, p);
	if (p->src.family == 6)
		put_ipv6(b, p);
	else
		put_ipv4(b, p);
	for (int i = 0; i < p->padding; i++)
		buf_byte(b, 0);
}

void synth_ipv4(struct buf *b, uint8_t protocol, uint16_t id, uint16_t fragment, const void *data,
		size_t n)
{
	buf_init(b, 1 << 20);
	buf_byte(b, 0x45);
	buf_byte(b, 0);
	buf_be16(b, (uint16_t)(20 + n));
	buf_be16(b, id);
	buf_be16(b, fragment);
	buf_byte(b, 64);
	buf_byte(b, protocol);
	buf_be16(b, 0);
	buf_be32(b, 0x0a090901);
	buf_be32(b, 0x0a090902);
	buf_add(b, data, n);
}

void synth_udp(struct buf *b, uint16_t port, const void *head, size_t head_len,
	       const struct buf *payload)
{
	buf_init(b, 1 << 20);
	buf_be16(b, 5555);
	buf_be16(b, port);
	buf_be16(b, (uint16_t)(8 + head_len + payload->len));
	buf_be16(b, 0);
	buf_add(b, head, head_len);
	buf_add(b, payload->data, payload->len);
}

static void put_tunnel(struct buf *b, const struct buf *inner, enum synth_wrapping how)
{
	static const uint8_t vxlan[] = {8, 0, 0, 0, 0, 0, 42, 0};
	static const uint8_t geneve[] = {1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 4};
	struct buf datagram;

	if (how == SYNTH_IP_IN_IP) {
		synth_ipv4(b, 4, 1, 0, inner->data, inner->len);
		return;
	}
	if (how == SYNTH_VXLAN)
		synth_udp(&datagram, 4789, vxlan, sizeof(vxlan), inner);
	else
		synth_udp(&datagram, 6081, geneve, sizeof(geneve), inner);
	synth_ipv4(b, 17, 1, 0, datagram.data, datagram.len);
	buf_release(&datagram);
}

uint16_t synth_wrapped(struct buf *b, struct synth_packet *p, enum synth_wrapping how)
{
	static const uint16_t links[SYNTH_WRAPPINGS] = {
		LINK_RAW,  LINK_ETHERNET, LINK_ETHERNET, LINK_SLL,	LINK_SLL2,
		LINK_NULL, LINK_LOOP,	  LINK_ETHERNET, LINK_ETHERNET, LINK_RAW};
	struct buf inner;

	p->link = links[how];
	p->vlan_tags = how == SYNTH_QINQ ? 2 : 0;
	if (how < SYNTH_VXLAN) {
		buf_init(b, 1 << 20);
		synth_packet(b, p);
		return p->link;
	}
	buf_init(&inner, 1 << 20);
	synth_packet(&inner, p);
	put_tunnel(b, &inner, how);
	buf_release(&inner);
	return LINK_RAW;
}

static void put_file(struct buf *b, const struct synth_pcap *f, uint32_t v, int bytes)
{
	if (!f->big_endian)
		put_le(b, v, bytes);
	else if (bytes == 4)
		buf_be32(b, v);
	else
		buf_be16(b, (uint16_t)v);
}

void synth_pcap_header(struct buf *b, const struct synth_pcap *f)
{
	put_file(b, f, f->nano ? 0xa1b23c4d : 0xa1b2c3d4, 4);
	put_file(b, f, 2, 2);
	put_file(b, f, 4, 2);
	put_file(b, f, 0, 4);
	put_file(b, f, 0, 4);
	put_file(b, f, 262144, 4);
	put_file(b, f, f->link, 4);
}

void synth_pcap_packet(struct buf *b, const struct synth_pcap *f, int64_t time_ns,
		       const struct buf *packet, uint32_t captured)
{
	put_file(b, f, (uint32_t)(time_ns / 1000000000), 4);
	put_file(b, f, (uint32_t)(time_ns % 1000000000 / (f->nano ? 1 : 1000)), 4);
	put_file(b, f, captured, 4);
	put_file(b, f, (uint32_t)packet->len, 4);
	buf_add(b, packet->data, captured);
}
