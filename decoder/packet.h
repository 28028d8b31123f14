/* One packet, taken apart: link, IP and TCP layers. A pure function of the bytes; it keeps nothing,
 * takes no memory and reads only what was captured.
 *
 * Lengths come in two kinds: what was captured (len) and what was on the wire (wire_len); a capture
 * with a snap length cuts the former. A packet whose headers were captured is TCP even if nothing
 * of its payload was. Checksums are not verified: captures of the sending machine have none yet. */
#ifndef DECODER_PACKET_H
#define DECODER_PACKET_H

#include "trace/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IP packet without a length of its own is believed up to here; Linux makes them of half of it.
 */
#define PACKET_UNCUT_MAX ((uint32_t)1 << 20)

/* Link types by their numbers in capture files (tcpdump.org/linktypes.html). */
enum packet_link {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12, /* what libpcap's DLT_RAW is on Linux */
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

enum packet_kind {
	PACKET_TCP,
	PACKET_OTHER,	  /* well formed, but not TCP over IP */
	PACKET_FRAGMENT,  /* a part of a fragmented IP packet; data is that part */
	PACKET_TRUNCATED, /* ends within a header: cut by the capture, or too short */
	PACKET_MALFORMED, /* a header says something impossible */
	PACKET_LINK_UNKNOWN,
	PACKET_KINDS, /* their number */
};

enum packet_flags {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

struct packet {
	enum packet_kind kind;
	uint8_t tunnels;	  /* that it came through: VXLAN, Geneve, IP in IP */
	struct endpoint src, dst; /* TCP, and fragments without ports */

	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	const uint8_t *data; /* the payload, a view into the packet */
	uint32_t len, wire_len;

	uint32_t ip_id; /* fragments: what belongs together, */
	uint32_t fragment_offset;
	bool fragment_more; /* and whether this is not the last one */
	uint8_t protocol;   /* IP protocol number, of TCP and fragments */
};

/* Takes apart a packet of the given link type of which len of wire_len bytes were captured
 * (len <= wire_len). Always fills *ret; returns its kind. */
enum packet_kind packet_parse(uint16_t link, const uint8_t *data, uint32_t len, uint32_t wire_len,
			      struct packet *ret);

/* Takes apart what an IP packet of p->protocol carries, between the addresses that p has already:
 * a datagram that was put together of fragments. */
enum packet_kind packet_parse_payload(const uint8_t *data, uint32_t len, struct packet *p);

/* Whether packet_parse knows the link type. */
bool packet_link_known(uint16_t link);

/* "Ethernet", "Linux cooked v2", ...; NULL for those that packet_parse does not know. */
const char *packet_link_name(uint16_t link);

#endif
