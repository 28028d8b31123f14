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

/* Classic pcap in either byte order, us or ns. */
struct synth_pcap {
	bool big_endian, nano;
	uint16_t link;
};

void synth_pcap_header(struct buf *b, const struct synth_pcap *f);
void synth_pcap_packet(struct buf *b, const struct synth_pcap *f, int64_t time_ns,
		       const struct buf *packet, uint32_t captured);

#endif
