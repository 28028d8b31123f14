/* A cursor that walks down the layers: what is left of the captured bytes, and of those on the
 * wire.
 *
 * Invariants: len <= wire_len; nothing is read that take() did not grant; every loop over headers
 * moves forward and is bounded by the packet. Fragments are named, not joined; of what
 * comes through a tunnel only the inside is told. */
#include "decoder/packet.h"

#include <string.h>

#define ETHERTYPE_IPV4	    0x0800
#define ETHERTYPE_IPV6	    0x86DD
#define ETHERTYPE_VLAN	    0x8100
#define ETHERTYPE_QINQ	    0x88A8
#define ETHERTYPE_QINQ_OLD  0x9100
#define VLAN_TAGS_MAX	    4

#define IP_IPV4		    4
#define IP_TCP		    6
#define IP_UDP		    17
#define IP_IPV6		    41
#define IPV6_HOP_BY_HOP	    0
#define IPV6_ROUTING	    43
#define IPV6_FRAGMENT	    44
#define IPV6_AUTHENTICATION 51
#define IPV6_DESTINATION    60
#define IPV6_MOBILITY	    135

#define PORT_VXLAN	    4789
#define PORT_VXLAN_LINUX    8472 /* what Linux and Flannel use unless told otherwise */
#define PORT_GENEVE	    6081
#define ETHERTYPE_ETHERNET  0x6558 /* Geneve: a whole Ethernet frame */
#define TUNNELS_MAX	    3

struct cursor {
	const uint8_t *at;
	uint32_t len, wire_len;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Steps over n bytes and returns where they begin; NULL when they were not all captured. */
static const uint8_t *take(struct cursor *c, uint32_t n)
{
	const uint8_t *p = c->at;

	if (n > c->len)
		return NULL;
	c->at += n;
	c->len -= n;
	c->wire_len -= n;
	return p;
}

/* What follows is at most n bytes long on the wire: the rest is padding. */
static void trim(struct cursor *c, uint32_t n)
{
	if (n < c->len)
		c->len = n;
	if (n < c->wire_len)
		c->wire_len = n;
}

/* The header's fixed part must be there; options may be cut off, the lengths are known without. */
static enum packet_kind parse_tcp(struct cursor *c, struct packet *ret)
{
	const uint8_t *p = take(c, 20);
	uint32_t options;

	if (!p)
		return c->wire_len < 20 ? PACKET_MALFORMED : PACKET_TRUNCATED;
	options = (uint32_t)(p[12] >> 4) * 4;
	if (options < 20 || options - 20 > c->wire_len)
		return PACKET_MALFORMED;
	options -= 20;
	ret->src.port = be16(p);
	ret->dst.port = be16(p + 2);
	ret->seq = be32(p + 4);
	ret->ack = be32(p + 8);
	ret->flags = p[13] & 0x3f;
	ret->window = be16(p + 14);
	ret->wire_len = c->wire_len - options;
	ret->data = c->at + (options < c->len ? options : c->len);
	ret->len = options < c->len ? c->len - options : 0;
	return PACKET_TCP;
}

static enum packet_kind parse_ethertype(struct cursor *c, uint16_t type, struct packet *ret);
static enum packet_kind parse_typed(struct cursor *c, uint32_t size, uint32_t type,
				    struct packet *ret);
static enum packet_kind parse_raw(struct cursor *c, struct packet *ret);

/* Everything that the outer headers said is forgotten. */
static bool enter_tunnel(struct packet *ret)
{
	uint8_t tunnels = ret->tunnels;

	if (tunnels == TUNNELS_MAX)
		return false;
	*ret = (struct packet){.tunnels = (uint8_t)(tunnels + 1)};
	return true;
}

/* VXLAN (RFC 7348), Geneve (RFC 8926), by their ports. */
static enum packet_kind parse_udp(struct cursor *c, struct packet *ret)
{
	const uint8_t *p = take(c, 8);
	uint16_t port, type;

	if (!p)
		return PACKET_TRUNCATED;
	port = be16(p + 2);
	if (port != PORT_VXLAN && port != PORT_VXLAN_LINUX && port != PORT_GENEVE)
		return PACKET_OTHER;
	p = take(c, 8);
	if (!p)
		return PACKET_TRUNCATED;
	if (port != PORT_GENEVE)
		return (p[0] & 0x08) && enter_tunnel(ret) ? parse_typed(c, 14, 12, ret)
							  : PACKET_OTHER;
	type = be16(p + 2);
	if (p[0] >> 6 || !take(c, (uint32_t)(p[0] & 0x3f) * 4) || !enter_tunnel(ret))
		return PACKET_OTHER;
	return type == ETHERTYPE_ETHERNET ? parse_typed(c, 14, 12, ret)
					  : parse_ethertype(c, type, ret);
}

static enum packet_kind parse_payload(struct cursor *c, struct packet *ret)
{
	switch (ret->protocol) {
	case IP_TCP:
		return parse_tcp(c, ret);
	case IP_UDP:
		return parse_udp(c, ret);
	case IP_IPV4:
	case IP_IPV6:
		return enter_tunnel(ret) ? parse_raw(c, ret) : PACKET_OTHER;
	default:
		return PACKET_OTHER;
	}
}

/* A packet that does not say its length: the network card cuts it into packets later, or it is a
 * jumbogram; all of it is here, and what was captured says how long it was. That may be damaged. */
static bool length_makes_sense(const struct cursor *c)
{
	return c->wire_len <= PACKET_UNCUT_MAX;
}

static enum packet_kind parse_fragment(struct cursor *c, struct packet *ret)
{
	ret->data = c->at;
	ret->len = c->len;
	ret->wire_len = c->wire_len;
	return PACKET_FRAGMENT;
}

static enum packet_kind parse_ipv4(struct cursor *c, struct packet *ret)
{
	const uint8_t *p = take(c, 20);
	uint32_t header, total;

	if (!p)
		return PACKET_TRUNCATED;
	header = (uint32_t)(p[0] & 15) * 4;
	total = be16(p + 2);
	if (p[0] >> 4 != 4 || header < 20)
		return PACKET_MALFORMED;
	if (total ? total < header : !length_makes_sense(c))
		return PACKET_MALFORMED;
	if (total)
		trim(c, total - 20);
	if (!take(c, header - 20))
		return PACKET_TRUNCATED;
	ret->src.family = ret->dst.family = 4;
	memcpy(ret->src.addr, p + 12, 4);
	memcpy(ret->dst.addr, p + 16, 4);
	ret->protocol = p[9];
	ret->ip_id = be16(p + 4);
	ret->fragment_offset = (uint32_t)(be16(p + 6) & 0x1fff) * 8;
	ret->fragment_more = p[6] & 0x20;
	if (ret->fragment_offset || ret->fragment_more)
		return parse_fragment(c, ret);
	return parse_payload(c, ret);
}

/* Steps over one extension header and says what follows; -1: not captured; -2: none that we know.
 */
static int skip_extension(struct cursor *c, int next, struct packet *ret)
{
	const uint8_t *p;
	uint32_t size;

	switch (next) {
	case IPV6_FRAGMENT:
		p = take(c, 8);
		if (!p)
			return -1;
		ret->fragment_offset = be16(p + 2) & 0xfff8u;
		ret->fragment_more = p[3] & 1;
		ret->ip_id = be32(p + 4);
		return p[0];
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_DESTINATION:
	case IPV6_MOBILITY:
	case IPV6_AUTHENTICATION:
		p = take(c, 8);
		if (!p)
			return -1;
		size = next == IPV6_AUTHENTICATION ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
		if (size < 8)
			return -2;
		return take(c, size - 8) ? p[0] : -1;
	default:
		return -2;
	}
}

static enum packet_kind parse_ipv6(struct cursor *c, struct packet *ret)
{
	const uint8_t *p = take(c, 40);
	uint32_t payload;
	int next;

	if (!p)
		return PACKET_TRUNCATED;
	if (p[0] >> 4 != 6)
		return PACKET_MALFORMED;
	payload = be16(p + 4);
	if (!payload && !length_makes_sense(c))
		return PACKET_MALFORMED;
	if (payload)
		trim(c, payload);
	ret->src.family = ret->dst.family = 6;
	memcpy(ret->src.addr, p + 8, 16);
	memcpy(ret->dst.addr, p + 24, 16);
	next = p[6];
	while (next != IP_TCP && next != IP_UDP && next != IP_IPV4 && next != IP_IPV6) {
		next = skip_extension(c, next, ret);
		if (next == -1)
			return PACKET_TRUNCATED;
		if (next == -2)
			return PACKET_OTHER;
		if (!ret->fragment_offset && !ret->fragment_more)
			continue;
		ret->protocol = (uint8_t)next;
		return parse_fragment(c, ret);
	}
	ret->protocol = (uint8_t)next;
	return parse_payload(c, ret);
}

/* Links that say nothing of what they carry: IP's own version does. */
static enum packet_kind parse_raw(struct cursor *c, struct packet *ret)
{
	if (!c->len)
		return PACKET_TRUNCATED;
	switch (c->at[0] >> 4) {
	case 4:
		return parse_ipv4(c, ret);
	case 6:
		return parse_ipv6(c, ret);
	default:
		return PACKET_OTHER;
	}
}

static enum packet_kind parse_ethertype(struct cursor *c, uint16_t type, struct packet *ret)
{
	const uint8_t *p;
	int tags = 0;

	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD) {
		p = take(c, 4);
		if (!p)
			return PACKET_TRUNCATED;
		if (++tags > VLAN_TAGS_MAX)
			return PACKET_OTHER;
		type = be16(p + 2);
	}
	if (type == ETHERTYPE_IPV4)
		return parse_ipv4(c, ret);
	return type == ETHERTYPE_IPV6 ? parse_ipv6(c, ret) : PACKET_OTHER;
}

/* The address family, a number of the system that captured, in its byte order (LOOP: big-endian).
 */
static enum packet_kind parse_null(struct cursor *c, struct packet *ret)
{
	const uint8_t *p = take(c, 4);
	uint32_t family;

	if (!p)
		return PACKET_TRUNCATED;
	family = be32(p);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return parse_ipv4(c, ret);
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return parse_ipv6(c, ret);
	default:
		return PACKET_OTHER;
	}
}

/* A header of size bytes with the EtherType at offset type. */
static enum packet_kind parse_typed(struct cursor *c, uint32_t size, uint32_t type,
				    struct packet *ret)
{
	const uint8_t *p = take(c, size);

	return p ? parse_ethertype(c, be16(p + type), ret) : PACKET_TRUNCATED;
}

static enum packet_kind parse_link(uint16_t link, struct cursor *c, struct packet *ret)
{
	switch (link) {
	case LINK_ETHERNET:
		return parse_typed(c, 14, 12, ret);
	case LINK_SLL:
		return parse_typed(c, 16, 14, ret);
	case LINK_SLL2:
		return parse_typed(c, 20, 0, ret);
	case LINK_NULL:
	case LINK_LOOP:
		return parse_null(c, ret);
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
		return parse_raw(c, ret);
	case LINK_IPV4:
		return parse_ipv4(c, ret);
	case LINK_IPV6:
		return parse_ipv6(c, ret);
	default:
		return PACKET_LINK_UNKNOWN;
	}
}

enum packet_kind packet_parse(uint16_t link, const uint8_t *data, uint32_t len, uint32_t wire_len,
			      struct packet *ret)
{
	struct cursor c = {data, len, wire_len};

	*ret = (struct packet){0};
	ret->kind = parse_link(link, &c, ret);
	return ret->kind;
}

enum packet_kind packet_parse_payload(const uint8_t *data, uint32_t len, struct packet *p)
{
	struct cursor c = {data, len, len};
	struct packet fresh = {
		.src = p->src, .dst = p->dst, .protocol = p->protocol, .tunnels = p->tunnels};

	*p = fresh;
	p->kind = parse_payload(&c, p);
	return p->kind;
}

bool packet_link_known(uint16_t link)
{
	struct packet p;

	return packet_parse(link, (const uint8_t *)"", 0, 0, &p) != PACKET_LINK_UNKNOWN;
}

const char *packet_link_name(uint16_t link)
{
	switch (link) {
	case LINK_NULL:
	case LINK_LOOP:
		return "BSD loopback";
	case LINK_ETHERNET:
		return "Ethernet";
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
		return "raw IP";
	case LINK_SLL:
		return "Linux cooked v1";
	case LINK_SLL2:
		return "Linux cooked v2";
	case LINK_IPV4:
		return "raw IPv4";
	case LINK_IPV6:
		return "raw IPv6";
	default:
		return NULL;
	}
}
