/* Where packets come from: a capture file (pcap or pcapng, told apart by their first bytes),
 * standard input, or an interface. One item at a time, in a window of memory that does not grow
 * with the file.
 *
 * Every pointer of an item stays good until the next call. Packets and custom blocks are numbered
 * from 1 as Wireshark does; other blocks have no number of their own. */
#ifndef DECODER_CAPTURE_H
#define DECODER_CAPTURE_H

#include "base/error.h"
#include "trace/pcapng.h"

#include <stdbool.h>
#include <stdint.h>

struct capture;

struct capture_options {
	const char *bpf;  /* only packets that match this pcap-filter(7) expression; may be NULL */
	uint32_t snaplen; /* live: bytes of a packet; 0: 262144 */
	uint32_t buffer_bytes; /* live: the kernel's buffer; 0: its default */
};

enum capture_kind {
	CAPTURE_PACKET,
	CAPTURE_SECTION, /* a pcapng section begins: its writer is in options */
	CAPTURE_CUSTOM,	 /* a custom block: pen, data, len */
	CAPTURE_SECRETS, /* keys, not looked at: secrets_type */
};

struct capture_item {
	enum capture_kind kind;
	uint64_t number; /* of the packet or custom block; of other blocks: of the last one */
	int64_t time_ns; /* since 1970; a packet without time has that of the one before */
	uint16_t link;
	const uint8_t *data;
	uint32_t len, wire_len;
	struct pcapng_options options; /* comments; empty for classic pcap */
	uint32_t pen, secrets_type;
};

/* path: a file, or "-" for standard input. Fails with ERR_OS, ERR_UNSUPPORTED (no capture, or a
 * kind that we can't read, by name), ERR_USAGE (the filter). *ret is untouched on failure. */
int capture_open(const char *path, const struct capture_options *options, struct capture **ret,
		 struct error *e);

/* An interface, through libpcap. Fails with ERR_OS (among others: not allowed) and ERR_USAGE. */
int capture_open_live(const char *interface, const struct capture_options *options,
		      struct capture **ret, struct error *e);

/* The same for bytes in memory, which must stay: for tests and fuzzing. */
int capture_open_bytes(const uint8_t *data, size_t len, const struct capture_options *options,
		       struct capture **ret, struct error *e);

/* 1: *ret is the next item; 0: the end; negative: ERR_TRUNCATED when the file ends within a packet,
 * ERR_MALFORMED and the like with its offset. After anything but 1 the same comes again. A live
 * capture returns 0 once capture_break was called. */
int capture_next(struct capture *c, struct capture_item *ret, struct error *e);

/* Ends a live capture; safe in a signal handler. */
void capture_break(struct capture *c);

/* What a link type is called: our own word, or libpcap's; "not known" where neither has one. */
const char *capture_link_name(uint16_t link);

/* Packets that the kernel had no room for (live). */
uint64_t capture_lost(struct capture *c);

void capture_close(struct capture *c);

#endif
