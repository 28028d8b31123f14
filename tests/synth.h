/* Synthetic packets and captures, made from what they shall say: for the tests of decoder/ and
 * trace/, which know the truth because they wrote it. */
#ifndef TESTS_SYNTH_H
#define TESTS_SYNTH_H

#include "base/buf.h"
#include "decoder/packet.h"

struct synth_packet {
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint8_t flags;
	const void *data;
	uint32_t len;
	/* how it is wrapped */
	uint16_t link;
	int vlan_tags;	      /* Ethernet only */
	int ip_options;	      /* words of options, or 8-byte extension headers for IPv6 */
	int tcp_options;      /* words */
	bool no_total_length; /* as segmentation offload leaves it */
	int padding;	      /* bytes behind the IP packet, as short Ethernet frames have */
	bool swapped_family;  /* BSD null: captured by a machine of the other byte order */
	uint16_t fragment;    /* IPv4: the field with its flags */
};

struct endpoint synth_v4(uint8_t last, uint16_t port); /* 10.0.0.LAST */
struct endpoint synth_v6(uint8_t last, uint16_t port); /* fd00::LAST */

/* Adds the packet's bytes to b. */
void synth_packet(struct buf *b, const struct synth_packet *p);

/* An IPv4 packet, and a UDP datagram with a head of its own, around other bytes. Both make b. */
void synth_ipv4(struct buf *b, uint8_t protocol, uint16_t id, uint16_t fragment, const void *data,
		size_t n);
void synth_udp(struct buf *b, uint16_t port, const void *head, size_t head_len,
	       const struct buf *payload);

/* What the packets of a capture may stand in. */
enum synth_wrapping {
	SYNTH_RAW,
	SYNTH_ETHERNET,
	SYNTH_QINQ,
	SYNTH_SLL,
	SYNTH_SLL2,
	SYNTH_NULL,
	SYNTH_LOOP,
	SYNTH_VXLAN,
	SYNTH_GENEVE,
	SYNTH_IP_IN_IP,
	SYNTH_WRAPPINGS
};

/* Makes b of the packet, whose link becomes that of the wrapping; returns what the capture calls
 * its link. */
uint16_t synth_wrapped(struct buf *b, struct synth_packet *p, enum synth_wrapping how);

/* Classic pcap in either byte order, us or ns. */
struct synth_pcap {
	bool big_endian, nano;
	uint16_t link;
};

void synth_pcap_header(struct buf *b, const struct synth_pcap *f);
void synth_pcap_packet(struct buf *b, const struct synth_pcap *f, int64_t time_ns,
		       const struct buf *packet, uint32_t captured);

#endif
